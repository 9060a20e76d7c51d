"""What a revocation means for what was signed before it: now, and point-in-time (conformance 8.32, 10.12, 10.23, 14.08)."""

import crl
import ocsp
from case import rejected, trusted, undecided
from der import extension, generalized, later
from envelope import envelope
from roles import SIGNING, TIME
from world import ENVELOPES, GEN, GOOD, NEXT, OLD_NEXT, THIS, asked, ca, root, signer, stamped, tsa, tsa_root

AFTER, LATEST, EARLY = "2026-04-01T00:00:00Z", later(GEN, 1), "2026-02-01T00:00:00Z"
AUTHORITY = envelope("authority", signer, GEN, authority=True)
STAMPS = {"token": stamped(tsa), "tsa": [tsa_root]}
REVOKED = [SIGNING.found(signer, "failed", "certificate-revoked")]
EXCUSED = [SIGNING.found(signer, "excused", "revoked-after-signing")]


def one(name, title, facts, checks, entry, revocation="point-in-time", this=THIS, next=NEXT, stamps=STAMPS, **more):
    verdict = {"failed": rejected, "excused": trusted, "undetermined": undecided}[checks[0].result]
    SIGNING.case(f"reading-{name}", title, facts, verdict(*checks), crls=[crl.by_hand(ca, this, next, [entry]), GOOD["tsa-ca"], GOOD["tsa-root"]],
                 revocation=revocation, **stamps, **more)


FACTS = ["8.32", "10.23", "14.08"]
one("superseded-after", "Superseded after the timestamp", FACTS, EXCUSED, crl.entry(signer, AFTER, 4))
one("superseded-after-now", "Superseded after the timestamp, under the reading of now", FACTS, REVOKED, crl.entry(signer, AFTER, 4), "now")
one("no-reason-after", "Revoked for no reason after the timestamp", FACTS, EXCUSED, crl.entry(signer, AFTER))
one("hold-after", "Held after the timestamp", FACTS + ["10.24"], EXCUSED, crl.entry(signer, AFTER, 6))
one("superseded-before", "Superseded before the timestamp", FACTS, REVOKED, crl.entry(signer, EARLY, 4))
one("superseded-at-latest", "Superseded in the very second of genTime plus accuracy", FACTS, REVOKED, crl.entry(signer, LATEST, 4))
one("superseded-within-accuracy", "Superseded within the accuracy of the timestamp", FACTS, REVOKED, crl.entry(signer, GEN, 4))
one("superseded-just-after", "Superseded a second after genTime plus accuracy", FACTS, EXCUSED, crl.entry(signer, later(LATEST, 1), 4))
for code, reason in [(1, "keyCompromise"), (2, "cACompromise"), (10, "aACompromise")]:
    one(f"{reason.lower()}-after", f"{reason} after the timestamp, without an invalidity date", FACTS, REVOKED, crl.entry(signer, AFTER, code))
one("compromise-invalidity-after", "A compromise whose invalidity date lies after the timestamp", FACTS, EXCUSED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 1, AFTER))
one("compromise-invalidity-after-now", "A compromise whose invalidity date lies after the timestamp, under the reading of now", FACTS, REVOKED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 1, AFTER), "now")
one("compromise-invalidity-at", "A compromise whose invalidity date is genTime plus accuracy", FACTS, REVOKED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 1, LATEST))
one("compromise-invalidity-before", "A compromise whose invalidity date lies before the timestamp", FACTS, REVOKED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 1, EARLY))
one("superseded-invalidity-before", "Superseded after the timestamp, in doubt since before it", FACTS, REVOKED, crl.entry(signer, AFTER, 4, EARLY))
one("revoked-before-invalidity", "The invalidity date lies after the revocation: the earlier one counts", FACTS, REVOKED,
    crl.entry(signer, EARLY, 4, AFTER))
one("expired-crl", "Superseded after the timestamp, says a CRL that is past its nextUpdate", FACTS + ["10.20"],
    [SIGNING.found(signer, "undetermined", "crl-expired")], crl.entry(signer, AFTER, 4), this="2026-04-02T00:00:00Z", next=OLD_NEXT)
one("no-timestamp", "Superseded after the claimed signing time, which nobody vouches for", FACTS, REVOKED, crl.entry(signer, AFTER, 4), stamps={})
authority = {"stamps": {"authority": [root]}, "envelope": AUTHORITY}
one("authority-after", "Superseded after the signing authority's time", FACTS + ["8.17"], EXCUSED, crl.entry(signer, AFTER, 4), **authority)
one("authority-before", "Superseded before the signing authority's time", FACTS, REVOKED, crl.entry(signer, EARLY, 4), **authority)
one("authority-at", "Superseded in the second of the signing authority's time", FACTS, REVOKED, crl.entry(signer, GEN, 4), **authority)
one("authority-compromise", "A compromised authority's own word for the time is worth nothing, invalidity date or not", FACTS, REVOKED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 1, AFTER), **authority)
one("authority-now", "A signing authority's signature before the invalidity date, under the reading of now", FACTS, REVOKED,
    crl.entry(signer, "2026-05-01T00:00:00Z", 4, AFTER), "now", **authority)

SIGNING.case("reading-intermediate-after", "The authority was superseded after the timestamp", FACTS,
             trusted(SIGNING.found(ca, "excused", "revoked-after-signing")), revocation="point-in-time",
             crls=[GOOD["ca"], GOOD["tsa-ca"], GOOD["tsa-root"]], root_crls=[crl.by_hand(root, THIS, NEXT, [crl.entry(ca, AFTER, 4)])], **STAMPS)
SIGNING.case("reading-intermediate-compromise", "The authority was compromised after the timestamp", FACTS,
             rejected(SIGNING.found(ca, "failed", "certificate-revoked")), revocation="point-in-time",
             crls=[GOOD["ca"], GOOD["tsa-ca"], GOOD["tsa-root"]], root_crls=[crl.by_hand(root, THIS, NEXT, [crl.entry(ca, AFTER, 2)])], **STAMPS)
# Revoked is revoked for the one who vouches for the time, and then nothing is vouched for.
TIME.case("reading-after", "The timestamp authority was superseded after the timestamp, under point-in-time", ["9.30"], TIME.revoked(),
          crls=[crl.by_hand(TIME.ca, THIS, NEXT, [crl.entry(tsa, AFTER, 4)])], revocation="point-in-time")
TIME.case("reading-invalidity-after", "The timestamp authority's invalidity date lies after the timestamp", ["9.30", "10.23"], TIME.revoked(),
          crls=[crl.by_hand(TIME.ca, THIS, NEXT, [crl.entry(tsa, "2026-05-01T00:00:00Z", 1, AFTER)])], revocation="point-in-time")


def by_ocsp(name, title, checks, status, extensions=(), revocation="point-in-time"):
    verdict = {"failed": rejected, "excused": trusted}[checks[0].result]
    answered = ocsp.by_hand([ocsp.answer(asked, status, THIS, NEXT, extensions)], ca, THIS)
    token = stamped(tsa, ENVELOPES["asked"])
    SIGNING.case(f"reading-ocsp-{name}", title, ["10.12", "8.32", "14.08"], verdict(*checks), leaf=asked, ocsp=[answered],
                 crls=[GOOD["tsa-ca"], GOOD["tsa-root"]], revocation=revocation, token=token, tsa=[tsa_root])


failed = [SIGNING.found(asked, "failed", "certificate-revoked")]
excused = [SIGNING.found(asked, "excused", "revoked-after-signing")]
date = [extension("2.5.29.24", generalized(AFTER))]
by_ocsp("superseded-after", "OCSP: superseded after the timestamp", excused, ocsp.revoked(AFTER, 4))
by_ocsp("superseded-before", "OCSP: superseded before the timestamp", failed, ocsp.revoked(EARLY, 4))
by_ocsp("compromise", "OCSP: compromised after the timestamp", failed, ocsp.revoked(AFTER, 1))
by_ocsp("compromise-invalidity", "OCSP: compromised, invalid since after the timestamp", excused, ocsp.revoked("2026-05-01T00:00:00Z", 1), date)
by_ocsp("invalidity-now", "OCSP: invalid since after the timestamp, under the reading of now", failed, ocsp.revoked("2026-05-01T00:00:00Z", 4), date,
        "now")
