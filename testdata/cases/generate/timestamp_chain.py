"""The timestamp authority's certificates (conformance 5.14, 5.10 to 5.12, 9.22 to 9.24, 14.19)."""

import tsp
from case import check, trusted
from der import null, oid, seq
from stamps import INVALID, UNTRUSTED, stamp
from tsp import token
from world import CA, GEN, PLAIN, STAMP, TSA, at, certificate, root, signer, stamped, stamper, tsa, tsa_ca, tsa_next_ca, tsa_root

PURPOSE = "extendedKeyUsage=critical,timeStamping\n"
USAGE = "keyUsage=critical,digitalSignature\n"
PLAIN_LEAF = "basicConstraints=critical,CA:FALSE\n"
LEAF = ["9.22", "5.14", "5.19"]
KEY = ["9.24", "5.02", "14.19"]
numbers = iter(range(0x2200, 0x2300))


def leaf(name, title, facts, extensions, expected=None, signing={}, **more):
    holder = stamper(name, next(numbers), extensions + at("tsa-ca"), **more)
    stamp(f"chain-{name}", title, facts, token(PLAIN.signature, GEN, holder, **signing), expected)


leaf("eku-wrong", "The authority's certificate is for code signing", LEAF, PLAIN_LEAF + USAGE + "extendedKeyUsage=critical,codeSigning\n", INVALID)
leaf("eku-none", "The authority's certificate names no purpose", LEAF, PLAIN_LEAF + USAGE, INVALID)
leaf("eku-not-critical", "The purpose is not critical", LEAF, PLAIN_LEAF + USAGE + "extendedKeyUsage=timeStamping\n", INVALID)
leaf("eku-more", "The authority's certificate is for code signing too", LEAF,
     PLAIN_LEAF + USAGE + "extendedKeyUsage=critical,timeStamping,codeSigning\n", INVALID)
leaf("eku-any", "The authority's certificate is for any purpose", LEAF, PLAIN_LEAF + USAGE + "extendedKeyUsage=critical,anyExtendedKeyUsage\n",
     INVALID)
leaf("eku-twice", "timeStamping is named twice", LEAF, PLAIN_LEAF + USAGE + "extendedKeyUsage=critical,timeStamping,timeStamping\n", INVALID)
RULES = ["9.24", "5.12", "5.10", "5.19"]
leaf("ku-missing", "The authority's certificate has no keyUsage", RULES, PLAIN_LEAF + PURPOSE, INVALID)
leaf("ku-not-critical", "keyUsage is not critical, as is allowed here", ["5.10", "5.12"], PLAIN_LEAF + PURPOSE + "keyUsage=digitalSignature\n")
leaf("ku-non-repudiation-too", "nonRepudiation beside digitalSignature", ["5.12"], PLAIN_LEAF + PURPOSE +
     "keyUsage=critical,digitalSignature,nonRepudiation\n")
leaf("ku-non-repudiation", "nonRepudiation in place of digitalSignature", RULES, PLAIN_LEAF + PURPOSE + "keyUsage=critical,nonRepudiation\n", INVALID)
leaf("ku-encipherment", "The key may encipher too", RULES, PLAIN_LEAF + PURPOSE + "keyUsage=critical,digitalSignature,keyEncipherment\n", INVALID)
leaf("ku-crl-sign", "The key may sign CRLs too", RULES, PLAIN_LEAF + PURPOSE + "keyUsage=critical,digitalSignature,cRLSign\n", INVALID)
leaf("is-ca", "The authority's certificate is a CA's", ["5.11", "5.19"], "basicConstraints=critical,CA:TRUE\n" + PURPOSE + USAGE, INVALID)
leaf("no-basic-constraints", "The authority's certificate has no basicConstraints", ["5.11"], PURPOSE + USAGE)
leaf("critical-extension", "The authority's certificate has an unknown critical extension", ["5.16", "9.23", "14.19"],
     TSA + "1.2.3.4=critical,DER:0500\n", INVALID)
leaf("unknown-extension", "The authority's certificate has an unknown extension that is not critical", ["5.16", "9.23"], TSA + "1.2.3.4=DER:0500\n")
leaf("sha1", "The authority's certificate is signed with SHA-1", ["9.24", "5.15"], TSA, INVALID, md="sha1")
RSA = {"signature_algorithm": seq(oid("1.2.840.113549.1.1.11"), null())}
leaf("p384", "The authority's key is on P-384", KEY, TSA, kind="P-384", key_name="tsa-p384", signing={"digest": "sha384"})
leaf("p521", "The authority's key is on P-521", KEY, TSA, kind="P-521", key_name="tsa-p521", signing={"digest": "sha512"})
leaf("rsa2048", "The authority's key is RSA of 2048 bits", KEY + ["9.19"], TSA, kind="rsa:2048", key_name="tsa-rsa2048", signing=RSA)
leaf("rsa-plain-oid", "The signature algorithm is plain rsaEncryption", ["9.19"], TSA, kind="rsa:2048", key_name="tsa-rsa2048",
     signing={"signature_algorithm": seq(oid(tsp.RSA), null())})
leaf("rsa1024", "The authority's key is RSA of 1024 bits", KEY, TSA, INVALID, kind="rsa:1024", key_name="tsa-rsa1024", signing=RSA)
leaf("p224", "The authority's key is on P-224", KEY, TSA, INVALID, kind="P-224", key_name="tsa-p224")

# The certificates above.
ABOVE = ["9.24", "5.08", "5.10"]


def above(name, title, facts, extensions, expected=None, issuer=tsa_root, leaf_extensions=TSA, **more):
    authority = certificate(f"tsa-ca-{name}", f"TSA CA {name}", issuer, next(numbers), extensions + (at("tsa-root") if issuer is tsa_root else ""))
    holder = stamper(f"under-{name}", next(numbers), leaf_extensions, issuer=authority)
    notes = [check(STAMP, one, "not applicable", "revocation-not-offered") for one in holder.chain if b"crl.example" not in one.der and one.issuer]
    stamp(f"chain-ca-{name}", title, facts, token(PLAIN.signature, GEN, holder), expected or trusted(*notes), **more)
    return authority


BASIC, SIGNS = "basicConstraints=critical,CA:TRUE\n", "keyUsage=critical,keyCertSign,cRLSign\n"
above("plain", "An intermediate authority as it should be", ABOVE, BASIC + SIGNS)
above("not-ca", "The intermediate authority is none", ABOVE, "basicConstraints=critical,CA:FALSE\n" + SIGNS, INVALID)
above("no-basic-constraints", "The intermediate authority has no basicConstraints", ABOVE, SIGNS, INVALID)
above("basic-not-critical", "The intermediate authority's basicConstraints are not critical", ["5.08"], "basicConstraints=CA:TRUE\n" + SIGNS)
above("may-not-certify", "The intermediate authority lacks keyCertSign", ABOVE, BASIC + "keyUsage=critical,cRLSign,digitalSignature\n", INVALID)
above("no-usage", "The intermediate authority has no keyUsage", ABOVE, BASIC, INVALID)
above("purpose", "The intermediate authority is for timestamps", ["9.23"], BASIC + SIGNS + "extendedKeyUsage=timeStamping\n")
above("any-purpose", "The intermediate authority is for any purpose", ["9.23"], BASIC + SIGNS + "extendedKeyUsage=anyExtendedKeyUsage\n")
above("other-purpose", "The intermediate authority is for code signing only", ["9.23"], BASIC + SIGNS + "extendedKeyUsage=codeSigning\n", INVALID)
above("critical-extension", "The intermediate authority has an unknown critical extension", ["5.16", "9.23"],
      BASIC + SIGNS + "1.2.3.4=critical,DER:0500\n", INVALID)
upper = above("path-0", "The intermediate authority may have no authority below it, and has none", ["5.09"],
              "basicConstraints=critical,CA:TRUE,pathlen:0\n" + SIGNS)
above("below-path-0", "An authority below one that may have none below it", ["5.09"], BASIC + SIGNS, INVALID, issuer=upper)
wide = above("path-1", "The intermediate authority may have one below it", ["5.09"], "basicConstraints=critical,CA:TRUE,pathlen:1\n" + SIGNS)
above("below-path-1", "An authority below one that may have one below it", ["5.09"], BASIC + SIGNS, issuer=wide)

# What leads to which root.
STORES = ["9.23", "8.22"]
other = certificate("tsa-other-root", "TSA other root", None, 0x2300, CA)
leaf_only = token(PLAIN.signature, GEN, tsa, [tsa])
whole = token(PLAIN.signature, GEN, tsa, [tsa, tsa_ca, tsa_root])
stamp("path-no-intermediate", "The token lacks the intermediate certificate", STORES, leaf_only, UNTRUSTED)
stamp("path-root-along", "The root comes along, though it need not", STORES, whole)
stamp("path-other-root", "The trust store has another root", STORES, stamped(tsa), UNTRUSTED, tsa=[other])
stamp("path-root-along-only", "The root comes along, and the trust store has another", STORES, whole, UNTRUSTED, tsa=[other])
stamp("path-root-of-signers", "The timestamp authority's root is trusted for signers only", [*STORES, "6.12"], stamped(tsa), UNTRUSTED,
      ca=[root, tsa_root], tsa=[other])
stamp("path-two-roots", "One of two roots in the trust store is the right one", STORES, stamped(tsa), tsa=[other, tsa_root])
stamp("path-same-name", "The intermediate certificate is that of another key of the name", STORES, token(PLAIN.signature, GEN, tsa, [tsa, tsa_next_ca]),
      INVALID)
stamp("path-both-names", "There are two intermediate certificates of the name", STORES, token(PLAIN.signature, GEN, tsa, [tsa, tsa_next_ca, tsa_ca]))
stamp("path-strangers", "Certificates come along that nobody needs", STORES, token(PLAIN.signature, GEN, tsa, [tsa, tsa_ca, signer, other]))
stamp("path-no-certificates", "No certificate comes along", ["9.10", "9.17"], token(PLAIN.signature, GEN, tsa, []), INVALID)
