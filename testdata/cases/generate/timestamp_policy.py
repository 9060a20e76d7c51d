"""When a token is asked for, and what takes its place (conformance 8.17 to 8.25, 7.16, 14.18)."""

import crl
import world
from case import check, rejected, trusted, undecided
from der import later
from envelope import envelope
from stamps import ABSENT, INVALID, stamp
from tsp import token
from world import CA_SHORT as END, ENVELOPES, GEN, PLAIN, STAMP, root, short, short_root, stamped, tsa, tsa_ca

ALWAYS = {"level": "strict", "verifyTimestamp": "always"}
AFTER = {"level": "strict", "verifyTimestamp": "afterCertExpiry"}
SHORT = ENVELOPES["short"]
EXPIRED, NOT_YET = (rejected(check(STAMP, None, "failed", f"certificate-{word}")) for word in ("expired", "not-yet-valid"))
elsewhere = token(SHORT.signature, GEN, tsa)   # good, but of another signature

WANTED = ["8.18", "8.20"]
stamp("wanted-absent", "The policy names a tsa store, and there is no token", WANTED, None, ABSENT)
stamp("wanted-absent-always", "The policy says always, and there is no token", WANTED, None, ABSENT, verification=ALWAYS)
stamp("wanted-empty", "The policy names a tsa store, and the token is empty", WANTED, b"", ABSENT)
stamp("wanted-always", "The policy says always, and there is a token", WANTED, stamped(tsa), verification=ALWAYS)
stamp("wanted-invalid", "The policy says always, the certificates are valid, and the token is another's", WANTED, elsewhere, INVALID,
      verification=ALWAYS)
stamp("not-wanted", "The policy names no tsa store", ["8.18", "8.19"], None, tsa=[])
stamp("not-wanted-ignored", "The policy names no tsa store: another's token is ignored", ["8.19"], elsewhere, tsa=[])
stamp("not-wanted-junk", "The policy names no tsa store: a token that is none is ignored", ["8.19"], b"junk", tsa=[])
stamp("after-expiry-valid", "afterCertExpiry, nothing has expired, no token", ["8.18", "8.19"], None, verification=AFTER)
stamp("after-expiry-valid-ignored", "afterCertExpiry, nothing has expired, another's token", ["8.18", "8.19"], elsewhere, verification=AFTER)
stamp("after-expiry-expired", "afterCertExpiry, the signer's certificate has expired, good token", ["8.18", "8.21"], stamped(tsa, SHORT),
      envelope=SHORT, verification=AFTER)
stamp("after-expiry-expired-absent", "afterCertExpiry, the signer's certificate has expired, no token", ["8.18", "8.20", "8.25"], None, ABSENT,
      SHORT, verification=AFTER)
stamp("after-expiry-expired-invalid", "afterCertExpiry, the signer's certificate has expired, another's token", ["8.18", "8.25"], stamped(tsa),
      INVALID, SHORT, verification=AFTER)
stamp("after-expiry-last-second", "afterCertExpiry, in the last second of the signer's certificate, no token", ["8.18", "14.28"], None,
      envelope=SHORT, verification=AFTER, at=END, lasting=True)
stamp("after-expiry-first-second", "afterCertExpiry, a second after the signer's certificate ended, no token", ["8.18", "14.28"], None, ABSENT,
      SHORT, verification=AFTER, at=later(END, 1), lasting=True)
below = ENVELOPES["below-short"]
above = {"envelope": below, "crls": [world.good(world.short_ca, "short-ca")], "verification": AFTER}
stamp("after-expiry-ca", "afterCertExpiry, the authority's certificate has expired, good token", ["8.18", "8.21"], stamped(tsa, below), **above)
stamp("after-expiry-ca-absent", "afterCertExpiry, the authority's certificate has expired, no token", ["8.18", "8.20"], None, ABSENT, **above)
stamp("after-expiry-not-yet", "afterCertExpiry, the signer's certificate is not valid yet", ["8.24"], None, NOT_YET, ENVELOPES["late"],
      verification=AFTER, at=later(GEN, -1), lasting=True)
stamp("expired-good", "The signer's certificate has expired, good token", ["8.21", "14.18"], stamped(tsa, SHORT), envelope=SHORT)
stamp("expired-absent", "The signer's certificate has expired, no token, and a tsa store", ["8.20", "8.25"], None, ABSENT, SHORT)
stamp("expired-no-store", "The signer's certificate has expired, no token, and no tsa store", ["8.19", "8.25"], None, EXPIRED, SHORT, tsa=[])
stamp("expired-good-no-store", "The signer's certificate has expired, good token, but no tsa store", ["8.19", "8.25"], stamped(tsa, SHORT), EXPIRED,
      SHORT, tsa=[])
stamp("now-last-second", "In the last second of the signer's certificate", ["8.19", "14.28"], None, envelope=SHORT, tsa=[], at=END, lasting=True)
stamp("now-after", "A second after the signer's certificate", ["8.19", "14.28"], None, EXPIRED, SHORT, tsa=[], at=later(END, 1), lasting=True)
stamp("now-first-second", "In the first second of the signer's certificate", ["8.19", "14.28"], None, envelope=ENVELOPES["late"], tsa=[], at=GEN,
      lasting=True)
stamp("now-before", "A second before the signer's certificate", ["8.19", "14.28"], None, NOT_YET, ENVELOPES["late"], tsa=[], at=later(GEN, -1),
      lasting=True)
stamp("now-ca-expired", "The authority's certificate has expired", ["8.19", "8.25"], None, EXPIRED, below, [world.good(world.short_ca, "short-ca")],
      tsa=[])
stamp("now-root-expired", "The root has expired", ["8.19", "8.25"], None, EXPIRED, ENVELOPES["below-short-root"],
      [world.good(short_root, "short-root")], tsa=[], ca=[short_root])

# What the level makes of it.
LOGGED = {"level": "strict", "override": {"authenticTimestamp": "log"}}
stamp("logged", "The policy logs the step: what is wrong is said, and does not count", ["8.02"], None,
      trusted(check(STAMP, None, "failed", "timestamp-absent")), verification=LOGGED)
revoking = crl.by_openssl(tsa_ca, world.THIS, world.NEXT, [(tsa, "2026-05-01T00:00:00Z", "keyCompromise")])
stamp("logged-revoked", "The timestamp authority is revoked, and the policy logs the step", ["8.02", "9.30"], stamped(tsa),
      trusted(check(STAMP, tsa, "failed", "certificate-revoked")), crls=[revoking], verification=LOGGED)
NO_REVOCATION = {"level": "strict", "override": {"revocation": "skip"}}
for name, verification in [("", None), ("-revocation-skipped", NO_REVOCATION)]:
    stamp(f"tsa-revoked{name}", "The timestamp authority is revoked" + (", and the policy skips revocation" if name else ""),
          ["9.30", "7.16", "14.18"], stamped(tsa), rejected(check(STAMP, tsa, "failed", "certificate-revoked")), crls=[revoking],
          verification=verification)
unoffered = token(PLAIN.signature, GEN, world.tsa_asked)
stamp("tsa-unknown-revocation-skipped", "Nothing is known of the timestamp authority, and the policy skips revocation", ["9.30", "7.16", "14.18"],
      unoffered, undecided(check(STAMP, world.tsa_asked, "undetermined", "ocsp-missing")), without=["tsa-ca"],
      verification=NO_REVOCATION)

# A signing authority vouches for the time itself.
BEGIN = "2026-01-01T00:00:00Z"


def by_authority(name, title, time, expected=None, tokens=None, **more):
    signed = envelope(f"authority-{name}", short, time, authority=True)
    stamp(f"authority-{name}", title, ["8.17"], tokens, expected, signed, ca=[], authority=[root], **more)


by_authority("within", "Signed while the certificate was valid, which has ended", GEN)
by_authority("junk-token", "A signing authority's signature with a token that is none", GEN, None, b"junk")
by_authority("last-second", "Signed in the last second of the certificate", END)
by_authority("after", "Signed a second after the certificate ended", later(END, 1), EXPIRED)
by_authority("first-second", "Signed in the first second of the certificate", BEGIN)
by_authority("before", "Signed a second before the certificate began", later(BEGIN, -1), NOT_YET)
