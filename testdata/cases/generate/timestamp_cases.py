"""genTime and its accuracy against the chains (conformance 8.21, 8.23, 9.23, 9.26, 9.27, 14.28)."""

import tsp
import world
from case import Shared, check, trusted
from der import later, tlv
from stamps import INVALID, OUTSIDE, stamp
from tsp import ETSI, accuracy, gen_time, token
from world import CA, CA_SHORT as END, ENVELOPES, GEN, PLAIN, TSA, at, certificate, late, short, short_root, stamped, stamper, tsa, tsa_root

SECOND = accuracy(seconds=1)


def on(name, title, facts, moment, expected=None, holder=short, by=tsa, **more):
    """A token over the signature of somebody whose certificate ends, or begins, at a known moment."""
    signing = {key: more.pop(key) for key in ("accuracy", "policy") if key in more}
    envelope = ENVELOPES[holder.name]
    stamp(name, title, facts, token(envelope.signature, moment, by, **signing), expected, envelope, **more)


stamp("good", "A good token", ["8.20", "8.21", "9.11", "9.15", "9.16", "9.25"], stamped(tsa))
for digest in ["sha256", "sha384", "sha512"]:
    kept = Shared(f"openssl-ts-{digest}.token", lambda: tsp.by_openssl(PLAIN.signature, tsa, digest, ess_digest=digest)[0])
    stamp(f"openssl-{digest}", f"A token of `openssl ts` over a {digest} imprint", ["9.11", "9.17", "9.25", "9.28"], kept, lasting=True,
          at=later(gen_time(kept.path.read_bytes()), 3600))
kept = Shared("openssl-ts-millis.token", lambda: tsp.by_openssl(PLAIN.signature, tsa, accuracy="millisecs:500", policy=ETSI)[0])
stamp("openssl-millis", "A token of `openssl ts` with an accuracy in milliseconds", ["9.26", "9.27", "14.21"], kept, lasting=True,
      at=later(gen_time(kept.path.read_bytes()), 3600))

# The end of the signer's certificate.
RANGE = ["8.21", "9.29", "14.28"]
on("end-exactly", "Stamped in the last second of the signer's certificate", RANGE, END)
on("end-after", "Stamped a second after the signer's certificate ended", RANGE, later(END, 1), OUTSIDE)
on("end-accuracy-reaches", "The accuracy reaches beyond the end of the signer's certificate", [*RANGE, "9.26"], END, OUTSIDE, accuracy=SECOND)
on("end-accuracy-fits", "The accuracy reaches to the end of the signer's certificate", [*RANGE, "9.26"], later(END, -1), accuracy=SECOND)
on("end-etsi", "ETSI's policy: a second where none is given", ["9.26"], END, OUTSIDE, policy=ETSI)
on("end-etsi-fits", "ETSI's policy: a second, and it fits", ["9.26"], later(END, -1), policy=ETSI)
on("end-etsi-zero", "ETSI's policy, and an accuracy of zero: as if none were given", ["9.26"], END, OUTSIDE, policy=ETSI, accuracy=accuracy(seconds=0))
on("end-etsi-empty", "ETSI's policy, and an accuracy without parts", ["9.26"], END, OUTSIDE, policy=ETSI, accuracy=accuracy())
on("end-etsi-stated", "ETSI's policy, and an accuracy of its own", ["9.26"], later(END, -1), OUTSIDE, policy=ETSI, accuracy=accuracy(seconds=2))
on("end-zero", "Another policy, and an accuracy of zero", ["9.26"], END, accuracy=accuracy(seconds=0))
on("end-millis", "The accuracy is a millisecond, and reaches beyond the end", ["9.26", "9.27"], END, OUTSIDE, accuracy=accuracy(millis=1))
on("end-micros", "The accuracy is a microsecond, and reaches beyond the end", ["9.26"], END, OUTSIDE, accuracy=accuracy(micros=1))
on("end-parts", "Seconds and milliseconds add up, beyond the end", ["9.26"], later(END, -1), OUTSIDE, accuracy=accuracy(1, 1))
on("end-parts-fit", "The accuracy has all its parts, and fits", ["9.26"], later(END, -3), accuracy=accuracy(1, 999, 999))
on("end-millis-1000", "A thousand milliseconds are a second", ["9.26"], later(END, -1), accuracy=accuracy(millis=1000))


def instant(text):
    return tlv(0x18, text.encode())


on("fraction-before-end", "genTime has milliseconds, and lies before the end", ["9.27", "14.21"], instant("20260331235959.999Z"))
on("fraction-after-end", "genTime has a millisecond too much", ["9.27"], instant("20260401000000.001Z"), OUTSIDE)
on("fraction-long", "genTime has a fraction of twenty digits", ["9.27"], instant("20260301120000.12345678901234567891Z"))
on("fraction-and-accuracy", "Fraction and accuracy together reach beyond the end", ["9.26", "9.27"], instant("20260331235959.501Z"), OUTSIDE,
   accuracy=accuracy(millis=500))
for name, text in [("fraction-zero", "20260301120000.10Z"), ("fraction-empty", "20260301120000.Z"), ("no-zone", "20260301120000"),
                   ("offset", "20260301130000+0100"), ("no-seconds", "202603011200Z"), ("month-13", "20261301120000Z")]:
    on(f"gentime-{name}", f"genTime is written as {text}", ["9.27", "9.09"], instant(text), INVALID)
on("gentime-utctime", "genTime is a UTCTime", ["9.27"], tlv(0x17, b"260301120000Z"), INVALID)

# Its beginning.
BEGIN = "2026-03-01T12:00:00Z"
on("begin-exactly", "Stamped in the first second of the signer's certificate", RANGE, BEGIN, holder=late)
on("begin-before", "Stamped a second before the signer's certificate begins", RANGE, later(BEGIN, -1), OUTSIDE, late)
on("begin-accuracy-reaches", "The accuracy reaches back before the beginning", [*RANGE, "9.26"], BEGIN, OUTSIDE, late, accuracy=SECOND)
on("begin-accuracy-fits", "The accuracy reaches back to the beginning", [*RANGE, "9.26"], later(BEGIN, 1), None, late, accuracy=SECOND)

# The certificates above the signer's.
above_ca = [world.good(world.short_ca, "short-ca")]
on("ca-within", "Stamped while the authority's certificate was valid, which has ended", RANGE, GEN, holder=world.below_short, crls=above_ca)
on("ca-after", "Stamped after the authority's certificate ended", RANGE, later(END, 1), OUTSIDE, world.below_short, crls=above_ca)
above_root = [world.good(short_root, "short-root")]
on("root-within", "Stamped while the root was valid, which has ended", RANGE, GEN, holder=world.below_short_root, crls=above_root, ca=[short_root])
on("root-after", "Stamped after the root ended", RANGE, later(END, 1), OUTSIDE, world.below_short_root, crls=above_root, ca=[short_root])

# The claimed time does not matter, nor do bounds on genTime other than those of the chains.
stamp("before-claimed", "Stamped an hour before the claimed signing time", ["8.23"], token(PLAIN.signature, later(GEN, -3600), tsa))
stamp("year-after-claimed", "Stamped months after the claimed signing time", ["8.23"], token(PLAIN.signature, "2026-05-30T00:00:00Z", tsa))

# The timestamp authority's own chain, at genTime.
tsa_short = stamper("short", 0x2100, TSA + at("tsa-ca"), end="2026-03-01T12:00:00Z")
tsa_late = stamper("late", 0x2101, TSA + at("tsa-ca"), begin="2026-03-01T12:00:00Z")
tsa_short_ca = certificate("tsa-short-ca", "TSA short CA", tsa_root, 0x2102, CA + at("tsa-root"), end="2026-03-01T12:00:00Z")
tsa_below = stamper("below-short", 0x2103, TSA + at("tsa-short-ca"), issuer=tsa_short_ca)
tsa_short_root = certificate("tsa-short-root", "TSA short root", None, 0x2104, CA, end="2026-03-01T12:00:00Z")
tsa_below_root = stamper("below-short-root", 0x2105, TSA, issuer=tsa_short_root)
PATH = ["9.23", "14.19"]
of_ca = {"crls": [world.good(tsa_short_ca, "tsa-short-ca")]}
for which, holder, name, more in [
    ("timestamp authority's", tsa_short, "tsa", {}),
    ("intermediate", tsa_below, "tsa-ca", of_ca),
    ("root's", tsa_below_root, "tsa-root", {"tsa": [tsa_short_root]}),
]:
    noted = None
    if holder is tsa_below_root:
        noted = trusted(check(world.STAMP, holder, "not applicable", "revocation-not-offered"))
    stamp(f"{name}-end-exactly", f"genTime is the last second of the {which} certificate", PATH,
          token(PLAIN.signature, GEN, holder), noted, **more)
    stamp(f"{name}-end-after", f"genTime lies after the end of the {which} certificate", PATH,
          token(PLAIN.signature, later(GEN, 1), holder), INVALID, **more)
stamp("tsa-begin-exactly", "genTime is the first second of the timestamp authority's certificate", PATH, token(PLAIN.signature, GEN, tsa_late))
stamp("tsa-begin-before", "genTime lies before the timestamp authority's certificate begins", PATH,
      token(PLAIN.signature, later(GEN, -1), tsa_late), INVALID)
stamp("tsa-end-accuracy", "The accuracy reaches beyond the timestamp authority's certificate: only genTime counts there", PATH,
      token(PLAIN.signature, GEN, tsa_short, accuracy=SECOND))
