"""The three freshness rules on both sides of each bound (ARCHITECTURE.md section 4, conformance 10.11 and 10.19)."""

import crl
import ocsp
from case import AT, undecided
from der import later
from roles import ROLES, SIGNING, TIME
from world import GEN, GOOD, NEXT, THIS, signer, stamped, tsa, tsa_root

DAY = 86_400
AGE = int(14.5 * DAY)   # of the good CRLs, at the verification time

for role in ROLES:
    leaf, authority, good = role.leaf, role.ca, GOOD[role.ca.name]

    def one(name, title, expected=None, crls=(good,), role=role, facts=("10.19",), **more):
        role.case(f"fresh-{name}", title, list(facts), expected, crls=crls, **more)

    # The bounds of a CRL of the leaf's alone; the others reach further on both sides.
    wide = [crl.by_openssl(role.root, "2026-05-01T00:00:00Z", "2026-08-01T00:00:00Z")]
    if role is SIGNING:
        narrow = crl.by_openssl(role.ca, AT, later(AT, DAY))
        for name, moment, code in [("at-begin", AT, None), ("before-begin", later(AT, -1), "crl-not-yet-issued"),
                                   ("at-end", later(AT, DAY), None), ("after-end", later(AT, DAY + 1), "crl-expired")]:
            one(f"current-{name}", f"current, {name.replace('-', ' ')}", code and role.undecided(code), crls=[narrow], root_crls=wide,
                at=moment)
    else:
        narrow = crl.by_openssl(role.ca, "2026-06-10T00:00:00Z", AT)
        one("current-at-end", "current, at end", crls=[narrow])
        one("current-after-end", "current, after end", role.undecided("crl-expired"), crls=[narrow], at=later(AT, 1))
    young = crl.by_openssl(role.ca, "2026-06-05T00:00:00Z", "2026-06-06T00:00:00Z")
    old = crl.by_openssl(role.ca, later(AT, -AGE - 1), NEXT)
    one("max-age-old-but-young", "max-age, past its nextUpdate", crls=[young], freshness=f"max-age={AGE}s")
    one("max-age-exactly", "max-age, to the second", crls=[good], freshness=f"max-age={AGE}s")
    one("max-age-one-more", "max-age, a second older than allowed", role.undecided("crl-too-old"), crls=[old], freshness=f"max-age={AGE}s")
    one("max-age-current-but-old", "max-age, though still before its nextUpdate", role.undecided("crl-too-old"),
        crls=[crl.by_openssl(role.ca, "2026-05-01T00:00:00Z", NEXT)], freshness=f"max-age={AGE}s")
    one("max-age-no-next-update", "max-age, without nextUpdate", crls=[crl.by_hand(role.ca, THIS, None)], freshness="max-age=30d")
    one("max-age-future", "max-age, issued after the verification time", role.undecided("crl-not-yet-issued"),
        crls=[crl.by_openssl(role.ca, "2026-06-16T00:00:00Z", NEXT)], freshness="max-age=30d")
    one("max-age-delta", "max-age, of base and delta the older counts too", role.undecided("crl-too-old"), freshness=f"max-age={AGE}s",
        crls=[crl.by_openssl(role.ca, "2026-05-01T00:00:00Z", NEXT, (), crl.number(5) + "freshestCRL=URI:http://crl.example/d.crl\n"),
              crl.by_openssl(role.ca, "2026-06-10T00:00:00Z", NEXT, (), crl.number(6) + crl.continues(5))])

    # at-signing: the stamp's latest moment is a second after genTime. The root's CRLs, and for the authority's case the signer's,
    # are issued after it.
    latest = later(GEN, 1)
    for name, title, this, next, code in [
        ("issued-after", "issued after the signing time, long out of date", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", None),
        ("issued-at", "issued at the latest signing time", latest, later(latest, 1), None),
        ("covers", "issued before the signing time, current until the very second", "2026-02-01T00:00:00Z", latest, None),
        ("ends-before", "no longer current at the latest signing time", "2026-02-01T00:00:00Z", GEN, "crl-not-conclusive"),
        ("no-next-update", "issued before the signing time, without nextUpdate", "2026-02-01T00:00:00Z", None, "crl-not-conclusive"),
        ("future", "issued after the verification time", "2026-06-16T00:00:00Z", NEXT, "crl-not-yet-issued"),
    ]:
        made = crl.by_openssl(role.ca, this, next) if next else crl.by_hand(role.ca, this, None)
        checks = [] if code is None else [role.found(leaf, "undetermined", code)]
        if code and role is TIME:
            # Then there is no authenticated time for the signer's CRLs either.
            checks += [SIGNING.found(SIGNING.leaf, "undetermined", "crl-not-conclusive"),
                       SIGNING.found(SIGNING.ca, "undetermined", "crl-not-conclusive")]
        stamps = {} if role is TIME else {"token": stamped(tsa), "tsa": [tsa_root]}
        others = [] if role is TIME else [GOOD["tsa-ca"], GOOD["tsa-root"]]
        one(f"at-signing-{name}", f"at-signing, {title}", undecided(*checks) if checks else None, crls=[made, *others],
            freshness="at-signing", **stamps)

SIGNING.case("fresh-at-signing-claimed", "at-signing, where the signing time is only claimed", ["10.19"],
             undecided(SIGNING.found(signer, "undetermined", "crl-not-conclusive"),
                       SIGNING.found(SIGNING.ca, "undetermined", "crl-not-conclusive")), crls=[GOOD["ca"]], freshness="at-signing")

# OCSP responses, by the same rules.
for role in ROLES:
    holder = role.asked

    def response(this, next, produced=None, role=role, holder=holder):
        return ocsp.by_hand([ocsp.answer(holder, ocsp.GOOD, this, next)], role.ca, produced or this)

    def one(name, title, this, next, code=None, role=role, holder=holder, produced=None, **more):
        role.case(f"fresh-ocsp-{name}", f"OCSP, {title}", ["10.11"], code and role.undecided(code, holder), ocsp=[response(this, next, produced)],
                  leaf=holder, **more)

    one("current-at-begin", "current, at its thisUpdate", AT, later(AT, DAY))
    one("current-before-begin", "current, a second before its thisUpdate", later(AT, 1), later(AT, DAY), "ocsp-not-yet-issued")
    one("current-before-produced", "current, a second before it was produced", THIS, later(AT, DAY), "ocsp-not-yet-issued",
        produced=later(AT, 1))
    one("current-at-end", "current, at its nextUpdate", THIS, AT)
    one("current-after-end", "current, a second after its nextUpdate", THIS, later(AT, -1), "ocsp-expired")
    one("max-age-exactly", "max-age, to the second", later(AT, -AGE), later(AT, -1), freshness=f"max-age={AGE}s")
    one("max-age-one-more", "max-age, a second older than allowed", later(AT, -AGE - 1), NEXT, "ocsp-too-old", freshness=f"max-age={AGE}s")
    one("max-age-no-next-update", "max-age, without nextUpdate", THIS, None, freshness="max-age=30d")
