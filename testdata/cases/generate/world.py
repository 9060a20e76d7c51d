"""Who there is: two chains, their relatives, and the evidence that is good for everybody."""

import crl
import tsp
from case import Shared
from envelope import envelope
from pki import CA, SIGNER, TSA, certificate

CODE, STAMP = "revocation", "authenticTimestamp"
GEN = "2026-03-01T12:00:00Z"
THIS, NEXT = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"
OLD_THIS, OLD_NEXT = "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"


def at(name):
    return f"crlDistributionPoints=URI:http://crl.example/{name}.crl\n"


def asks(name):
    return f"authorityInfoAccess=OCSP;URI:http://ocsp.example/{name}\n"


CA_SHORT = "2026-04-01T00:00:00Z"

# The signing chain.
root = certificate("root", "Root", None, 0x1000, CA)
ca = certificate("ca", "CA", root, 0x1001, CA + at("root"))
signer = certificate("signer", "Signer", ca, 0x1002, SIGNER + at("ca"))


def leaf(name, serial, extensions, issuer=ca, **more):
    """A signer with its own distribution points; all of them share a key, and so do their envelopes' makers."""
    return certificate(name, name.capitalize(), issuer, serial, SIGNER + extensions, key_name="signer", **more)


asked = leaf("asked", 0x1010, asks("ca"))
both = leaf("both", 0x1011, asks("ca") + at("ca"))
neither = leaf("neither", 0x1012, "")
fresh = leaf("fresh", 0x1013, at("ca") + "freshestCRL=URI:http://crl.example/ca-delta.crl\n")
points = leaf("points", 0x1014, "crlDistributionPoints=URI:http://crl.example/1.crl,URI:http://crl.example/2.crl\n")
names = leaf("names", 0x1015, "crlDistributionPoints=dp\n[dp]\nfullname=URI:http://crl.example/1.crl,URI:http://crl.example/2.crl\n")
ldap = leaf("ldap", 0x1016, "crlDistributionPoints=URI:ldap://crl.example/cn=CA\n")
directory = leaf("directory", 0x1017, "crlDistributionPoints=dp\n[dp]\nfullname=dirName:dn\n[dn]\nC=NL\nCN=Point\n")
relative = leaf("relative", 0x1018, "crlDistributionPoints=dp\n[dp]\nrelativename=rdn\n[rdn]\nCN=Point\n")
elsewhere = leaf("elsewhere", 0x1019, "crlDistributionPoints=dp\n[dp]\nfullname=URI:http://crl.example/other.crl\nCRLissuer=dirName:dn\n"
                 "[dn]\nC=NL\nST=Utrecht\nO=Cases\nCN=Other CA\n")
reasons = leaf("reasons", 0x101A, "crlDistributionPoints=a,b\n[a]\nfullname=URI:http://crl.example/1.crl\nreasons=keyCompromise,CACompromise\n"
               "[b]\nfullname=URI:http://crl.example/2.crl\n")
short = leaf("short", 0x101B, at("ca"), begin="2026-01-01T00:00:00Z", end=CA_SHORT)
late = leaf("late", 0x101C, at("ca"), begin="2026-03-01T12:00:00Z")

mute_ca = certificate("mute-ca", "Mute CA", root, 0x1020, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n" + at("root"))
muted = leaf("muted", 0x1021, at("mute-ca"), issuer=mute_ca)
asked_ca = certificate("asked-ca", "Asked CA", root, 0x1022, CA + asks("root"))
below_asked = leaf("below-asked", 0x1023, at("asked-ca"), issuer=asked_ca)
short_ca = certificate("short-ca", "Short CA", root, 0x1024, CA + at("root"), end=CA_SHORT)
below_short = leaf("below-short", 0x1025, at("short-ca"), issuer=short_ca)
short_root = certificate("short-root", "Short root", None, 0x1026, CA, end=CA_SHORT)
below_short_root = leaf("below-short-root", 0x1027, at("short-root"), issuer=short_root)
other_ca = certificate("other-ca", "Other CA", root, 0x1028, CA + at("root"))
# The same name as the CA, another key.
next_ca = certificate("next-ca", "CA", root, 0x1029, CA + at("root"))

# The timestamp authority's chain.
tsa_root = certificate("tsa-root", "TSA root", None, 0x2000, CA)
tsa_ca = certificate("tsa-ca", "TSA CA", tsa_root, 0x2001, CA + at("tsa-root"))
tsa = certificate("tsa", "TSA", tsa_ca, 0x2002, TSA + at("tsa-ca"))


def stamper(name, serial, extensions, issuer=tsa_ca, **more):
    return certificate(f"tsa-{name}", f"TSA {name}", issuer, serial, extensions, **{"key_name": "tsa", **more})


tsa_asked = stamper("asked", 0x2010, TSA + asks("tsa-ca"))
tsa_both = stamper("both", 0x2011, TSA + asks("tsa-ca") + at("tsa-ca"))
tsa_neither = stamper("neither", 0x2012, TSA)
tsa_fresh = stamper("fresh", 0x2013, TSA + at("tsa-ca") + "freshestCRL=URI:http://crl.example/tsa-ca-delta.crl\n")
tsa_next_ca = certificate("tsa-next-ca", "TSA CA", tsa_root, 0x2029, CA + at("tsa-root"))
tsa_mute_ca = certificate("tsa-mute-ca", "TSA mute CA", tsa_root, 0x2020,
                          "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n" + at("tsa-root"))
tsa_muted = stamper("muted", 0x2021, TSA + at("tsa-mute-ca"), issuer=tsa_mute_ca)

RESPONDER = "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n"
NO_CHECK = "noCheck=ignored\n"


def responder(name, serial, extensions, issuer=ca, **more):
    return certificate(f"responder-{name}", f"Responder {name}", issuer, serial, extensions, **{"key_name": "responder", **more})


delegate = responder("good", 0x3000, RESPONDER + NO_CHECK)
delegate_checked = responder("checked", 0x3001, RESPONDER + at("ca"))
delegate_no_purpose = responder("no-purpose", 0x3002, "keyUsage=critical,digitalSignature\n" + NO_CHECK)
delegate_any = responder("any", 0x3003, "keyUsage=critical,digitalSignature\nextendedKeyUsage=anyExtendedKeyUsage\n" + NO_CHECK)
delegate_usage = responder("usage", 0x3004, "keyUsage=critical,keyEncipherment\nextendedKeyUsage=OCSPSigning\n" + NO_CHECK)
delegate_critical = responder("critical", 0x3005, RESPONDER + NO_CHECK + "1.2.3.4=critical,DER:0500\n")
delegate_old = responder("old", 0x3006, RESPONDER + NO_CHECK, end="2026-06-10T00:00:00Z")
delegate_of_root = responder("of-root", 0x3007, RESPONDER + NO_CHECK, issuer=root)
delegate_offers_nothing = responder("silent", 0x3008, RESPONDER)
tsa_delegate = responder("tsa", 0x3010, RESPONDER + NO_CHECK, issuer=tsa_ca)
stranger = certificate("stranger", "Stranger", None, 0x3020, CA)


def good(issuer, name):
    return Shared(f"{name}.crl", lambda: crl.by_openssl(issuer, THIS, NEXT))


def long(issuer, name):
    """For evidence that openssl dates at the time at which it is made."""
    return Shared(f"{name}-long.crl", lambda: crl.by_openssl(issuer, "2026-01-01T00:00:00Z", "2035-01-01T00:00:00Z"))


def by_name(make):
    holders = {"root": root, "ca": ca, "tsa-root": tsa_root, "tsa-ca": tsa_ca}
    return {holder.name: make(holder, name) for name, holder in holders.items()}


GOOD, LONG = by_name(good), by_name(long)

ENVELOPES = {holder.name: envelope(holder.name, holder) for holder in (
    signer, asked, both, neither, fresh, points, names, ldap, directory, relative, elsewhere, reasons, short, late, muted,
    below_asked, below_short, below_short_root)}
PLAIN = ENVELOPES["signer"]


def stamped(holder, message=PLAIN):
    """A good token, of a second's accuracy."""
    name = f"{holder.name}.token" if message is PLAIN else f"{holder.name}-on-{message.path.stem}.token"
    return Shared(name, lambda: tsp.token(message.signature, GEN, holder, accuracy=tsp.accuracy(seconds=1)))
