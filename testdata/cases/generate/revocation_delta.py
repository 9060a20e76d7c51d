"""Delta CRLs (conformance 10.25 to 10.28, RFC 5280 sections 5.2.4, 5.2.6 and 6.3.3)."""

import crl
from der import extension, integer
from roles import ROLES
from world import NEXT, OLD_NEXT, OLD_THIS, THIS, stranger

BEFORE, DELTA_THIS, CHANGED = "2026-05-01T00:00:00Z", "2026-06-10T00:00:00Z", "2026-06-09T00:00:00Z"
FRESHEST = "freshestCRL=URI:http://crl.example/ca-delta.crl\n"
SCOPE = "issuingDistributionPoint=critical,@idp\n"

for role in ROLES:
    leaf = role.leaf

    def base(entries=(), number=5, fresh=True, this=THIS, next=NEXT, more="", sections="", role=role):
        return crl.by_openssl(role.ca, this, next, entries, crl.number(number) + (FRESHEST if fresh else "") + more, sections)

    def delta(entries=(), number=6, of=5, this=DELTA_THIS, next=NEXT, more="", sections="", issuer=None, role=role):
        extensions = (crl.number(number) if number else "") + crl.continues(of) + more
        return crl.by_openssl(issuer or role.ca, this, next, entries, extensions, sections)

    def one(name, title, facts, expected=None, crls=(), role=role, **more):
        role.case(f"delta-{name}", title, facts, expected, crls=crls, **more)

    held = [(leaf, BEFORE, "certificateHold")]
    one("good", "Base and delta are silent", ["10.25", "10.26"], crls=[base(), delta()])
    one("revokes", "The delta revokes", ["10.24", "10.26"], role.revoked(), crls=[base(), delta([(leaf, CHANGED, "superseded")])])
    one("holds", "The delta holds", ["10.24"], role.revoked(), crls=[base(), delta([(leaf, CHANGED, "certificateHold")])])
    one("lifts", "The delta lifts the base's hold", ["10.24"], crls=[base(held), delta([(leaf, CHANGED, "removeFromCRL")])])
    one("lifts-earlier", "The hold is later than its end", ["10.24"], role.revoked(),
        crls=[base([(leaf, "2026-05-20T00:00:00Z", "certificateHold")]), delta([(leaf, "2026-05-19T00:00:00Z", "removeFromCRL")])])
    one("lifts-at-once", "The hold and its end have the same date", ["10.24"], role.revoked(),
        crls=[base(held), delta([(leaf, BEFORE, "removeFromCRL")])])
    one("hold-stays", "The delta is silent on the base's hold", ["10.24"], role.revoked(), crls=[base(held), delta()])
    one("hold-for-good", "The base holds, the delta revokes for good", ["10.24"], role.revoked(),
        crls=[base(held), delta([(leaf, CHANGED, "keyCompromise")])])
    one("no-way-back", "The delta cannot lift a revocation for good", ["10.24"], role.revoked(),
        crls=[base([(leaf, BEFORE, "keyCompromise")]), delta([(leaf, CHANGED, "removeFromCRL")])])
    one("removes-nothing", "The delta removes what was never listed", ["10.24"], crls=[base(), delta([(leaf, CHANGED, "removeFromCRL")])])
    one("without-base", "There is a delta and no base", ["10.25", "10.21"], role.undecided("crl-out-of-scope"), crls=[delta()])
    one("without-base-revokes", "There is no base, and the delta revokes for good", ["10.21", "10.24"], role.revoked(),
        crls=[delta([(leaf, CHANGED, "superseded")])])
    one("missing", "The base says that there are deltas, and there is none", ["10.25"], role.undecided("delta-crl-missing"), crls=[base()])
    one("missing-revoked", "The delta is missing, and the base revokes", ["10.25", "10.23"], role.revoked(),
        crls=[base([(leaf, BEFORE, "superseded")])])
    one("older", "The delta has a lower number than the base", ["10.26"], role.undecided("delta-crl-missing"),
        crls=[base(number=7), delta(number=6)])
    one("same-number", "The delta has the number of the base", ["10.26"], role.undecided("delta-crl-missing"),
        crls=[base(number=6), delta(number=6)])
    one("next-base", "The delta continues a newer base", ["10.26"], role.undecided("delta-crl-missing"), crls=[base(number=4), delta()])
    one("earlier-base", "The delta continues an older base, and so this one too", ["10.26"], crls=[base(number=5), delta(of=3)])
    one("not-needed", "A delta that fits nothing does not spoil a base that names none", ["10.25", "10.26"],
        crls=[base(number=7, fresh=False), delta()])
    one("not-announced-revokes", "The base names no deltas, and there is one that revokes", ["10.26", "10.24"], role.revoked(),
        crls=[base(fresh=False), delta([(leaf, CHANGED, "superseded")])])
    one("no-number", "The delta has no number", ["10.28", "10.26"], role.undecided("delta-crl-missing"), crls=[base(), delta(number=None)])
    unnumbered = crl.by_openssl(role.ca, THIS, NEXT, (), FRESHEST)
    one("base-without-number", "The base has no number", ["10.28", "10.26"], role.undecided("delta-crl-missing"), crls=[unnumbered, delta()])
    one("expired", "The delta is past its nextUpdate", ["10.26", "10.19"], role.undecided("crl-expired"),
        crls=[base(this="2026-04-01T00:00:00Z"), delta(this="2026-04-02T00:00:00Z", next="2026-05-01T00:00:00Z")])
    one("base-expired", "The base is past its nextUpdate, the delta is not", ["10.26", "10.19"], role.undecided("crl-expired"),
        crls=[base(this=OLD_THIS, next=OLD_NEXT), delta()])
    one("future", "The delta was issued after the verification time", ["10.26"], role.undecided("crl-not-yet-issued"),
        crls=[base(), delta(this="2026-06-20T00:00:00Z")])
    one("newest", "Of two deltas the newer counts", ["10.26", "10.24"],
        crls=[base(held), delta(), delta([(leaf, CHANGED, "removeFromCRL")], number=7, this="2026-06-11T00:00:00Z")])
    strange = crl.by_hand(role.ca, DELTA_THIS, NEXT, (), [crl.number_extension(6), extension(crl.DELTA, integer(5), True)], signer=stranger)
    one("stranger", "A stranger signs the delta", ["10.26", "10.18"], role.undecided("delta-crl-missing"), crls=[base(), strange])
    one("other-key", "The issuer's next key signs the delta", ["10.26", "10.18"], role.undecided("delta-crl-missing"),
        crls=[base(), delta(issuer=role.rollover)])
    user, authority = "[idp]\nonlyuser=TRUE\n", "[idp]\nonlyCA=TRUE\n"
    one("same-scope", "Base and delta are for end entities only", ["10.26", "10.21"],
        crls=[base(more=SCOPE, sections=user), delta(more=SCOPE, sections=user)])
    one("wider-scope", "The delta has no scope, the base has one", ["10.26", "10.21"], role.undecided("delta-crl-missing"),
        crls=[base(more=SCOPE, sections=user), delta()])
    one("other-scope", "The delta is for authorities only", ["10.26", "10.21"], role.undecided("delta-crl-missing"),
        crls=[base(more=SCOPE, sections=user), delta(more=SCOPE, sections=authority)])
    one("certificate-says", "The certificate names deltas, the base does not, and there is one", ["10.27"], leaf=role.fresh,
        crls=[base(fresh=False), delta()])
    one("certificate-says-missing", "The certificate names deltas, and there is none", ["10.27"],
        role.undecided("delta-crl-missing", role.fresh), leaf=role.fresh, crls=[base(fresh=False)])
    one("not-over-http", "The base says that there are deltas, not over HTTP, and there is none", ["10.25", "10.15"],
        role.undecided("delta-crl-missing"), crls=[base(fresh=False, more="freshestCRL=URI:ldap://crl.example/cn=CA\n")])
    one("not-critical", "deltaCRLIndicator is not critical", ["10.21", "10.26"],
        crls=[base(), crl.by_openssl(role.ca, DELTA_THIS, NEXT, (), crl.number(6) + f"{crl.DELTA}=DER:020105\n")])
    one("as-base", "A delta at the place of the base", ["10.21"], role.undecided("crl-out-of-scope"),
        crls=[delta([(stranger, CHANGED, "superseded")])])
