"""OCSP responses (conformance 10.01, 10.05, 10.09 to 10.14, RFC 6960)."""

import crl
import ocsp
import world
from der import extension, generalized, integer, null, octets
from ocsp import GOOD as SAYS_GOOD, UNKNOWN, answer, by_hand, revoked
from roles import ROLES, SIGNING
from tools import SHARED
from world import (
    GOOD, NEXT, OLD_NEXT, OLD_THIS, THIS, asked, asked_ca, below_asked, ca, delegate_any, delegate_checked,
    delegate_critical, delegate_no_purpose, delegate_of_root, delegate_offers_nothing, delegate_old, delegate_usage,
    other_ca, root, signer, stranger,
)
from der import later

BEFORE = "2026-05-01T00:00:00Z"
UNKNOWN_CRITICAL = extension("1.2.3.4", null(), True)

for role in ROLES:
    holder, two = role.asked, role.both

    def response(status=SAYS_GOOD, holder=holder, responder=None, this=THIS, next=NEXT, extensions=(), id={}, role=role, **more):
        produced = more.pop("produced", this)
        return by_hand([answer(holder, status, this, next, extensions, **id)], responder or role.ca, produced, **more)

    def one(name, title, facts, expected=None, ocsp=(), role=role, holder=holder, **more):
        role.case(f"ocsp-{name}", title, facts, expected, ocsp=ocsp, leaf=holder, **more)

    missing, invalid = (role.undecided(f"ocsp-{word}", holder) for word in ("missing", "invalid"))

    one("good", "The issuer says good", ["10.01", "10.09"], ocsp=[response()])
    one("missing", "There is no response", ["10.01"], missing)
    one("by-key", "The issuer names itself by its key", ["10.09"], ocsp=[response(by_key=True)])
    one("sha256", "The CertID is made with SHA-256", ["10.08", "10.10"], ocsp=[response(id={"digest": "sha256"})])
    one("sha384", "The CertID is made with a hash that nobody asked with", ["10.08", "10.10"], missing,
        ocsp=[response(id={"digest": "sha384"})])
    one("certificate-along", "The issuer's certificate comes along", ["10.09"], ocsp=[response(certificates=[role.ca])])
    one("revoked", "The issuer says revoked", ["10.12", "10.04"], role.revoked(holder), ocsp=[response(revoked(BEFORE))])
    for code, reason in [(1, "keyCompromise"), (4, "superseded"), (6, "certificateHold")]:
        one(f"revoked-{reason.lower()}", f"The issuer says revoked: {reason}", ["10.12", "10.24"], role.revoked(holder),
            ocsp=[response(revoked(BEFORE, code))])
    one("revoked-stale", "A response that is past its nextUpdate says revoked", ["10.11", "10.12"], role.revoked(holder),
        ocsp=[response(revoked("2026-03-01T00:00:00Z", 4), this=OLD_THIS, next=OLD_NEXT)])
    one("invalidity-date", "Revoked with an invalidity date, under the reading of now", ["10.12", "14.08"], role.revoked(holder),
        ocsp=[response(revoked(BEFORE, 1), extensions=[extension("2.5.29.24", generalized("2026-04-01T00:00:00Z"))])])
    one("invalidity-date-unreadable", "Revoked with an invalidity date that cannot be read", ["10.12"], role.revoked(holder),
        ocsp=[response(revoked(BEFORE, 1), extensions=[extension("2.5.29.24", null())])])
    one("unknown", "The responder does not know the certificate", ["10.05"], role.undecided("ocsp-unknown", holder), ocsp=[response(UNKNOWN)])
    one("stale", "The response is past its nextUpdate", ["10.11"], role.undecided("ocsp-expired", holder),
        ocsp=[response(this=OLD_THIS, next=OLD_NEXT)])
    one("future", "The response is of after the verification time", ["10.10"], role.undecided("ocsp-not-yet-issued", holder),
        ocsp=[response(this="2026-06-20T00:00:00Z")])
    one("no-next-update", "The response has no nextUpdate", ["10.11"], role.undecided("ocsp-expired", holder), ocsp=[response(next=None)])
    one("stale-and-fresh", "An old response, and a new one", ["10.11"], ocsp=[response(this=OLD_THIS, next=OLD_NEXT), response()])

    one("wrong-responder", "A stranger answers, without a certificate", ["10.09"], invalid, ocsp=[response(responder=stranger)])
    one("wrong-responder-along", "A stranger answers, with its certificate", ["10.09", "10.10"], invalid,
        ocsp=[response(responder=stranger, certificates=[stranger])])
    one("wrong-key", "A stranger answers in the issuer's name", ["10.09"], invalid, ocsp=[response(signer=stranger)])
    one("wrong-key-revoked", "A stranger says revoked in the issuer's name: that revokes nothing", ["10.09"], invalid,
        ocsp=[response(revoked(BEFORE), signer=stranger)])
    one("other-key-of-issuer", "The issuer's next key answers", ["10.09"], invalid,
        ocsp=[response(responder=role.rollover, certificates=[role.rollover])])
    one("issuers-issuer", "The root answers for the authority below it", ["10.09"], invalid,
        ocsp=[response(responder=role.root, certificates=[role.root])])
    one("tampered", "The signature is of other bytes", ["10.09", "10.10"], invalid, ocsp=[response(spoil=True)])
    one("sha1-signature", "The response is signed with SHA-1", ["10.10", "5.15"], invalid, ocsp=[response(digest="sha1")])
    one("sha512-signature", "The response is signed with SHA-512", ["10.10"], ocsp=[response(digest="sha512")])
    one("delegate", "A delegate answers", ["10.09", "10.13"], ocsp=[response(responder=role.delegate, certificates=[role.delegate])])
    one("delegate-by-key", "A delegate answers, which names itself by its key", ["10.09"],
        ocsp=[response(responder=role.delegate, certificates=[role.delegate], by_key=True)])
    one("delegate-revokes", "A delegate says revoked", ["10.09", "10.12"], role.revoked(holder),
        ocsp=[response(revoked(BEFORE, 4), responder=role.delegate, certificates=[role.delegate])])
    one("delegate-absent", "A delegate answers, without its certificate", ["10.09"], invalid, ocsp=[response(responder=role.delegate)])
    one("delegate-other-first", "The delegate's certificate is the second", ["10.10"],
        ocsp=[response(responder=role.delegate, certificates=[stranger, role.delegate])])

    one("wrong-serial", "The response is about another serial number", ["10.10"], missing, ocsp=[response(id={"serial": integer(0x9999)})])
    one("wrong-issuer-key", "The response is about another issuer's key", ["10.10"], missing,
        ocsp=[response(id={"issuer": role.rollover})])
    one("wrong-issuer-name", "The response is about another issuer's name", ["10.10"], missing,
        ocsp=[response(id={"name": other_ca.parsed.subject})])
    one("two-certificates", "The response is about this certificate and another", ["10.10"], ocsp=[by_hand(
        [answer(two, revoked(BEFORE), THIS, NEXT), answer(holder, SAYS_GOOD, THIS, NEXT)], role.ca, THIS)])
    for name, statuses, expected in [("good-revoked", [SAYS_GOOD, revoked(BEFORE)], role.revoked(holder)),
                                     ("revoked-good", [revoked(BEFORE), SAYS_GOOD], role.revoked(holder)),
                                     ("good-unknown", [SAYS_GOOD, UNKNOWN], role.undecided("ocsp-unknown", holder))]:
        one(f"two-answers-{name}", f"The response says two things about the certificate, {name.replace('-', ' and ')}: the worse one counts", ["10.10"], expected,
            ocsp=[by_hand([answer(holder, status, THIS, NEXT) for status in statuses], role.ca, THIS)])
    one("critical-of-answer", "The answer has an unknown critical extension", ["10.14"], invalid, ocsp=[response(extensions=[UNKNOWN_CRITICAL])])
    critical = by_hand([answer(holder, SAYS_GOOD, THIS, NEXT)], role.ca, THIS, extensions=[UNKNOWN_CRITICAL])
    one("critical-of-response", "The response has an unknown critical extension", ["10.14"], invalid, ocsp=[critical])
    nonce = by_hand([answer(holder, SAYS_GOOD, THIS, NEXT)], role.ca, THIS,
                    extensions=[extension("1.3.6.1.5.5.7.48.1.2", octets(b"12345678"))])
    one("nonce", "The response answers somebody else's nonce", ["10.08"], ocsp=[nonce])
    one("trailing", "A byte follows the response", ["10.14"], missing, ocsp=[response() + b"\0"])
    for code, name in [(1, "malformed-request"), (2, "internal-error"), (3, "try-later"), (5, "sig-required"), (6, "unauthorized")]:
        one(name, f"The responder answers only: {name}", ["10.06"], missing, ocsp=[ocsp.refusal(code)])

    # Both kinds.
    good = GOOD[role.ca.name]

    def mixed(name, title, facts, expected=None, ocsp=(), crls=(), role=role, two=two):
        role.case(f"both-{name}", title, facts, expected, ocsp=ocsp, crls=crls, leaf=two)

    def on_two(status=SAYS_GOOD, role=role, two=two, **more):
        return response(status, holder=two, role=role, **more)

    def listing(date=BEFORE, reason="superseded", this=THIS, role=role, two=two):
        return crl.by_openssl(role.ca, this, NEXT, [(two, date, reason)])

    mixed("good-and-no-crl", "OCSP says good, and there is no CRL", ["10.01", "10.05"], ocsp=[on_two()])
    mixed("no-response", "There is no response, and the CRL is silent", ["10.01"], crls=[good])
    mixed("neither", "There is neither response nor CRL", ["10.01"], role.undecided("crl-missing", two))
    mixed("unknown-and-silent", "OCSP does not know, the CRL is silent", ["10.05", "10.01"], ocsp=[on_two(UNKNOWN)], crls=[good])
    mixed("unknown-and-listed", "OCSP does not know, the CRL lists it", ["10.05", "10.01"], role.revoked(two), ocsp=[on_two(UNKNOWN)],
          crls=[listing()])
    mixed("unknown-and-no-crl", "OCSP does not know, and there is no CRL", ["10.05"], role.undecided("ocsp-unknown", two),
          ocsp=[on_two(UNKNOWN)])
    mixed("good-and-listed", "OCSP says good, the CRL lists it", ["10.01", "10.23"], role.revoked(two), ocsp=[on_two()], crls=[listing()])
    mixed("revoked-and-silent", "OCSP says revoked, the CRL is silent", ["10.05", "10.12"], role.revoked(two), ocsp=[on_two(revoked(BEFORE, 4))],
          crls=[good])
    mixed("stale-and-silent", "The response is stale, the CRL is silent", ["10.01", "10.11"], ocsp=[on_two(this=OLD_THIS, next=OLD_NEXT)],
          crls=[good])
    mixed("good-and-expired", "OCSP says good, the CRL is past its nextUpdate", ["10.01"], ocsp=[on_two()],
          crls=[crl.by_openssl(role.ca, OLD_THIS, OLD_NEXT)])
    mixed("stale-and-expired", "Response and CRL are past their nextUpdate", ["10.01", "10.11", "10.19"], role.undecided("crl-expired", two),
          ocsp=[on_two(this=OLD_THIS, next=OLD_NEXT)], crls=[crl.by_openssl(role.ca, OLD_THIS, OLD_NEXT)])
    mixed("invalid-and-silent", "A stranger's response, and a silent CRL", ["10.01", "10.09"], ocsp=[on_two(signer=stranger)], crls=[good])
    mixed("good-and-strange", "OCSP says good, and a stranger's CRL lists it", ["10.01", "10.18"], ocsp=[on_two()],
          crls=[crl.by_hand(role.ca, THIS, NEXT, [crl.entry(two, BEFORE)], signer=stranger)])
    mixed("hold-lifted-by-crl", "OCSP says held, a newer CRL is silent", ["10.24"], crls=[good],
          ocsp=[on_two(revoked("2026-04-01T00:00:00Z", 6), this="2026-05-31T00:00:00Z")])
    mixed("hold-lifted-by-ocsp", "The CRL holds it, a newer response says good", ["10.24"], ocsp=[on_two(this="2026-06-10T00:00:00Z")],
          crls=[listing(reason="certificateHold")])
    mixed("hold-newer-than-crl", "OCSP says held, an older CRL is silent", ["10.24"], role.revoked(two),
          ocsp=[on_two(revoked("2026-06-09T00:00:00Z", 6), this="2026-06-10T00:00:00Z")], crls=[good])
    mixed("good-and-unreadable", "OCSP says good, the CRL's entry cannot be interpreted", ["10.22"], role.undecided("crl-invalid", two),
          ocsp=[on_two()], crls=[crl.by_hand(role.ca, THIS, NEXT, [crl.entry(two, BEFORE, more=[UNKNOWN_CRITICAL])])])

# Delegates of the signing authority.
invalid, unchecked = (SIGNING.undecided(code, asked) for code in ("ocsp-invalid", "ocsp-responder-unchecked"))


def delegated(holder, produced=THIS, next=NEXT, **more):
    return by_hand([answer(asked, SAYS_GOOD, produced, next)], holder, produced, certificates=[holder], **more)


def one(name, title, facts, expected=None, holder=None, crls=(), **more):
    SIGNING.case(f"ocsp-delegate-{name}", title, facts, expected, ocsp=[delegated(holder)] if holder else more.pop("ocsp"), leaf=asked, crls=crls,
                 **more)


one("no-purpose", "The delegate's certificate lacks OCSPSigning", ["10.10"], invalid, delegate_no_purpose)
one("any-purpose", "The delegate's certificate has anyExtendedKeyUsage instead of OCSPSigning", ["10.10"], invalid, delegate_any)
one("is-a-signer", "A signer of the same issuer answers", ["10.10"], invalid, signer)
one("usage", "The delegate's key may not sign", ["10.10"], invalid, delegate_usage)
one("critical", "The delegate's certificate has an unknown critical extension", ["10.10"], invalid, delegate_critical)
one("of-root", "The delegate is the root's, not the authority's", ["10.09"], invalid, delegate_of_root)
one("ended", "The delegate's certificate ended before it answered", ["10.10"], invalid,
    ocsp=[delegated(delegate_old, "2026-06-11T00:00:00Z")])
one("ended-since", "The delegate's certificate has ended since it answered", ["10.10"], ocsp=[delegated(delegate_old, "2026-06-09T00:00:00Z")])
one("unchecked", "The delegate's own revocation cannot be told", ["10.13"], unchecked, delegate_checked)
# Scoped to the delegates' distribution point, so that they say nothing of the signer, who names none.
SCOPE = (crl.number(1) + "issuingDistributionPoint=critical,@idp\n", "[idp]\nfullname=URI:http://crl.example/ca.crl\n")
one("checked", "The delegate is on no CRL", ["10.13"], None, delegate_checked, [crl.by_openssl(ca, THIS, NEXT, (), *SCOPE)])
one("revoked", "The delegate is revoked", ["10.13"], unchecked, delegate_checked,
    [crl.by_openssl(ca, THIS, NEXT, [(delegate_checked, BEFORE, "keyCompromise")], *SCOPE)])
one("crl-expired", "The CRL for the delegate is past its nextUpdate", ["10.13"], unchecked, delegate_checked,
    [crl.by_openssl(ca, OLD_THIS, OLD_NEXT, (), *SCOPE)])
one("offers-nothing", "The delegate names no CRL, and a CRL of its issuer is at hand", ["10.13"], None, delegate_offers_nothing, [GOOD["ca"]])
one("offers-nothing-unchecked", "The delegate names no CRL, and none is at hand", ["10.13"], unchecked, delegate_offers_nothing)
# A compromise of the delegate taints its answers, and a signature of before does not help it.
one("revoked-later", "The delegate was revoked after the signature, under point-in-time", ["10.13", "10.12"], unchecked, delegate_checked,
    [crl.by_openssl(ca, THIS, NEXT, [(delegate_checked, BEFORE, "superseded")], *SCOPE)], revocation="point-in-time")


SIGNING.case("ocsp-unknown-and-foreign-crl", "OCSP does not know a certificate that names no CRL, and there is one of another scope", ["10.05", "10.21"],
             SIGNING.undecided("ocsp-unknown", asked), leaf=asked, ocsp=[by_hand([answer(asked, UNKNOWN, THIS, NEXT)], ca, THIS)],
             crls=[crl.by_openssl(ca, THIS, NEXT, (), *SCOPE)])
# What no rule forbids: the issuer's whole and fresh CRL answers for a certificate that names OCSP only.
SIGNING.case("ocsp-crl-instead", "The certificate names OCSP only, and its issuer's CRL is at hand", ["10.01"], leaf=asked, crls=[GOOD["ca"]])
SIGNING.case("ocsp-crl-instead-lists", "The certificate names OCSP only, and its issuer's CRL lists it", ["10.01", "10.23"],
             SIGNING.revoked(asked), leaf=asked, ocsp=[by_hand([answer(asked, SAYS_GOOD, THIS, NEXT)], ca, THIS)],
             crls=[crl.by_openssl(ca, THIS, NEXT, [(asked, BEFORE, "superseded")])])


# An authority whose own status is asked by OCSP.
def above(name, title, facts, expected=None, status=SAYS_GOOD, responder=root, **more):
    of_ca = by_hand([answer(asked_ca, status, THIS, NEXT)], responder, THIS, certificates=more.pop("certificates", ()))
    SIGNING.case(f"ocsp-intermediate-{name}", title, facts, expected, ocsp=[of_ca], root_crls=[], leaf=below_asked,
                 crls=[world.good(asked_ca, "asked-ca")], **more)


above("good", "The root says by OCSP that the authority is good", ["10.01", "10.09"])
above("revoked", "The root says by OCSP that the authority is revoked", ["10.12"], SIGNING.revoked(asked_ca), revoked(BEFORE, 2))
above("unknown", "The root does not know the authority", ["10.05"], SIGNING.undecided("ocsp-unknown", asked_ca), UNKNOWN)
above("delegate", "A delegate of the root answers about the authority", ["10.09"], None, responder=delegate_of_root,
      certificates=[delegate_of_root])
above("itself", "The authority answers about itself", ["10.09"], SIGNING.undecided("ocsp-invalid", asked_ca), responder=asked_ca,
      certificates=[asked_ca])


# Whole responses of `openssl ocsp`, which dates them: judged an hour later.
VALID, REVOKED = "V\t491231235959Z\t", "R\t491231235959Z\t260501000000Z,superseded"


def original(name, title, facts, expected, line, responder, *options, holder=asked, crls=(), after=3600, role=SIGNING, **more):
    folder = SHARED / "evidence" / f"openssl-{role.prefix}-{name}.ocsp"
    kept = world.Shared(folder.name, lambda: ocsp.by_openssl(holder, line, responder, *options, **more)[0])
    role.case(f"openssl-ocsp-{name}", title, facts, expected, ocsp=[kept], crls=crls, leaf=holder, long=True,
              at=later(ocsp.this_update(kept.path.read_bytes()), after))


for role in ROLES:
    holder = role.asked
    arguments = {"holder": holder, "role": role}
    original("good", "`openssl ocsp` says good", ["10.09"], None, VALID, role.ca, **arguments)
    original("sha256", "`openssl ocsp` answers a request made with SHA-256", ["10.08"], None, VALID, role.ca, digest="-sha256", **arguments)
    original("by-key", "`openssl ocsp` names the responder by its key", ["10.09"], None, VALID, role.ca, "-resp_key_id", **arguments)
    original("revoked", "`openssl ocsp` says revoked", ["10.12"], role.revoked(holder), REVOKED, role.ca, **arguments)
    original("unknown", "`openssl ocsp` does not know", ["10.05"], role.undecided("ocsp-unknown", holder), None, role.ca, **arguments)
    original("stale", "`openssl ocsp` said good eight days ago, for seven", ["10.11"], role.undecided("ocsp-expired", holder), VALID, role.ca,
             after=8 * 86_400, **arguments)
    original("delegate", "`openssl ocsp` answers as a delegate", ["10.09", "10.13"], None, VALID, role.delegate, **arguments)
original("delegate-unchecked", "`openssl ocsp` answers as a delegate whose revocation cannot be told", ["10.13"], unchecked, VALID, delegate_checked)
original("delegate-checked", "`openssl ocsp` answers as a delegate that is on no CRL", ["10.13"], None, VALID, delegate_checked,
         crls=[world.LONG["ca"]])
original("delegate-no-purpose", "`openssl ocsp` answers as a delegate without OCSPSigning", ["10.10"], invalid, VALID, delegate_no_purpose)
