"""The token's form and its signature (conformance 9.11 to 9.21, 9.25, 9.28, RFC 3161, 5035 and 5652)."""

import tsp
from der import SHA, explicit, extension, inside, integer, null, octets, oid, parts, seq, tlv, true, utc_time
from stamps import INVALID, stamp
from tools import hashed
from tsp import ess, ess_id, ess_v1, info, issuer_serial, signer, standard, token, wrap
from world import ENVELOPES, GEN, PLAIN, signer as code_signer, stamped, tsa, tsa_ca, tsa_neither, tsa_root

MESSAGE = PLAIN.signature
CONTENT = info(MESSAGE, GEN)
CERTIFICATES = [tsa, tsa_ca]


def one(name, title, facts, expected=None, **signing):
    stamp(name, title, facts, token(MESSAGE, GEN, tsa, **signing), expected)


def made(name, title, facts, expected=None, signers=None, content=CONTENT, certificates=CERTIFICATES, **more):
    stamp(name, title, facts, wrap(content, [signer(CONTENT, tsa)] if signers is None else signers, certificates, **more), expected)


# The imprint.
stamp("imprint-of-another", "The token is of another signature", ["9.25", "9.01"], token(ENVELOPES["short"].signature, GEN, tsa), INVALID)
stamp("imprint-of-openssl", "A token of `openssl ts` for another signature", ["9.25"], tsp.by_openssl(b"another", tsa)[0], INVALID, lasting=True,
      at="2027-06-15T12:00:00Z")
one("imprint-zero", "The imprint is all zero", ["9.25"], INVALID, imprint=bytes(32))
one("imprint-short", "The imprint is cut", ["9.25"], INVALID, imprint=hashed("sha256", MESSAGE)[:20])
one("imprint-empty", "The imprint is empty", ["9.25"], INVALID, imprint=b"")
one("imprint-sha1", "The imprint is made with SHA-1", ["9.25"], INVALID, imprint_digest="sha1")
for digest in ["sha384", "sha512"]:
    one(f"imprint-{digest}", f"The imprint is made with {digest}, though the signer's key goes with sha256", ["9.25", "9.01"], imprint_digest=digest)
one("imprint-of-base64", "The imprint is of the signature's base64url form", ["9.01", "9.25"], INVALID,
    imprint=hashed("sha256", __import__("base64").urlsafe_b64encode(MESSAGE).rstrip(b"=")))

# TSTInfo.
one("info-version", "TSTInfo is of version 2", ["9.09"], INVALID, info_version=2)
one("info-nonce", "TSTInfo has a nonce and is ordered", ["9.28"], info_more=true() + integer(99))
named = explicit(0, explicit(4, code_signer.parsed.subject))
one("info-name", "TSTInfo names another authority", ["9.28"], info_more=named)
one("info-extension", "TSTInfo has an extension", ["9.28"], info_more=tlv(0xA1, extension("1.2.3.4", null())))
one("info-extension-critical", "TSTInfo has a critical extension: bulla refuses what it cannot understand", ["9.28"], INVALID,
    info_more=tlv(0xA1, extension("1.2.3.4", null(), True)))
one("info-policy", "TSTInfo is of whatever policy", ["9.28"], policy="1.2.3")
one("info-more", "Something follows in TSTInfo", ["9.12"], INVALID, info_more=octets(b"more"))

# The frame.
good = stamped(tsa).path.read_bytes()
stamp("frame-trailing", "A byte follows the token", ["9.12"], good + b"\0", INVALID)
stamp("frame-ber", "The token is BER of indefinite length", ["9.12"], b"\x30\x80" + inside(good) + b"\0\0", INVALID)
stamp("frame-ber-length", "A length takes more octets than it needs", ["9.12"], b"\x30\x83\0" + good[2:4] + good[4:], INVALID)
stamp("frame-cut", "The token is cut", ["9.12"], good[:-1], INVALID)
stamp("frame-junk", "The token is none", ["9.11"], b"junk", INVALID)
stamp("frame-response", "The whole response stands in the token's place", ["9.11"], seq(seq(integer(0)), good), INVALID)
stamp("frame-pkcs7-data", "The ContentInfo is no SignedData", ["9.11"], seq(oid("1.2.840.113549.1.7.1"), explicit(0, octets(CONTENT))), INVALID)
made("frame-version-1", "SignedData is of version 1", ["9.11", "14.20"], INVALID, version=1)
made("frame-version-4", "SignedData is of version 4", ["9.11", "14.20"], INVALID, version=4)
made("frame-data", "The content is data", ["9.11"], INVALID, content_type="1.2.840.113549.1.7.1")
made("frame-detached", "The content is not inside", ["9.11"], INVALID, content=None)
made("frame-no-signer", "Nobody signs", ["9.13"], INVALID, signers=[])

# The signer.
made("signer-key-id", "The signer is named by its key", ["9.13", "14.20"], INVALID,
     [signer(CONTENT, tsa, version=3, sid=tlv(0x80, hashed("sha1", tsa.parsed.key_bits)))])
made("signer-version-3", "SignerInfo is of version 3, though the signer is named by its issuer", ["9.13"], INVALID, [signer(CONTENT, tsa, version=3)])
made("signer-other-serial", "The signer is named by another serial number", ["9.13", "9.18"], INVALID,
     [signer(CONTENT, tsa, sid=seq(tsa.parsed.issuer, integer(1)))])
made("signer-other-issuer", "The signer is named by another issuer", ["9.13", "9.18"], INVALID,
     [signer(CONTENT, tsa, sid=seq(tsa_root.parsed.subject, tsa.parsed.serial))])
made("signer-other-key", "Another key signs", ["9.15", "9.20"], INVALID, [signer(CONTENT, tsa, key_name="stranger")])
made("signer-spoilt", "The signature is of other attributes", ["9.20"], INVALID, [signer(CONTENT, tsa, spoil=True)])
other = info(MESSAGE, "2026-03-02T12:00:00Z")
made("signer-other-content", "The signature is of another TSTInfo", ["9.15"], INVALID, content=other)
unsigned = parts(inside(signer(CONTENT, tsa)))
made("signer-no-attributes", "There are no signed attributes", ["9.15"], INVALID,
     [seq(*unsigned[:3], unsigned[4], octets(tsp.sign(tsa.key, CONTENT)))])
made("signer-unsigned-attributes", "There are unsigned attributes", ["9.15"], None,
     [seq(*unsigned, tlv(0xA1, tsp.attribute("1.2.3.4", null())))])
made("signer-sha1", "The digest algorithm is SHA-1", ["9.15", "9.19"], INVALID, [signer(CONTENT, tsa, digest="sha1", signing="sha256")])
made("signer-sha1-signature", "The signature is made with SHA-1", ["9.19"], INVALID, [signer(CONTENT, tsa, signing="sha1")])
made("signer-sha384", "Digest and signature are made with SHA-384", ["9.15", "9.19"], None, [signer(CONTENT, tsa, digest="sha384")], digests=["sha384"])
made("signer-sha512", "Digest and signature are made with SHA-512", ["9.15", "9.19"], None, [signer(CONTENT, tsa, digest="sha512")], digests=["sha512"])
made("signer-ec-key-oid", "The signature algorithm is the key's", ["9.19"], INVALID,
     [signer(CONTENT, tsa, signature_algorithm=seq(oid("1.2.840.10045.2.1")))])
made("signer-rsa-oid", "The signature algorithm is RSA's, the key is not", ["9.19"], INVALID,
     [signer(CONTENT, tsa, signature_algorithm=seq(oid("1.2.840.113549.1.1.11"), null()))])
made("signer-unknown-oid", "The signature algorithm is unknown", ["9.19"], INVALID, [signer(CONTENT, tsa, signature_algorithm=seq(oid("1.2.3.4")))])

# Two signers: the first that verifies counts.
second = signer(CONTENT, tsa_neither)
both = [tsa, tsa_neither, tsa_ca]
bad, bad_too = signer(CONTENT, tsa, spoil=True), signer(CONTENT, tsa_neither, spoil=True)
stamp("two-good", "Two signers, both good", ["9.14"], wrap(CONTENT, [signer(CONTENT, tsa), signer(CONTENT, tsa, digest="sha384")], both,
                                                          digests=["sha256", "sha384"]))
for order, signers in [("first", [signer(CONTENT, tsa), bad_too]), ("second", [signer(CONTENT, tsa), signer(CONTENT, tsa, signing="sha1")])]:
    made(f"two-one-good-{order}", f"Two signers, one of them good, the {order}", ["9.14"], None, signers, certificates=both)
made("two-bad", "Two signers, neither good", ["9.14"], INVALID, [bad, bad_too], certificates=both)
made("two-one-by-key-id", "Two signers, one of them named by its key", ["9.14", "9.13"], INVALID,
     [signer(CONTENT, tsa), signer(CONTENT, tsa_neither, version=3, sid=tlv(0x80, hashed("sha1", tsa_neither.parsed.key_bits)))], certificates=both)


# Signed attributes.
def attributes(name, title, facts, expected=None, attributes=(), **more):
    made(f"attributes-{name}", title, facts, expected, [signer(CONTENT, tsa, list(attributes), **more)])


kind, digest_of = standard(CONTENT)
own = ess(ess_id(tsa))
attributes("good", "The three that must be there", ["9.15", "9.16"], None, [kind, digest_of, own])
attributes("no-content-type", "contentType is missing", ["9.15"], INVALID, [digest_of, own])
attributes("no-digest", "messageDigest is missing", ["9.15"], INVALID, [kind, own])
attributes("wrong-content-type", "contentType is another", ["9.15"], INVALID, [*standard(CONTENT, content_type="1.2.840.113549.1.7.1"), own])
attributes("wrong-digest", "messageDigest is another's", ["9.15"], INVALID, [*standard(other), own])
attributes("two-digests", "messageDigest has two values", ["9.15"], INVALID,
           [kind, tsp.attribute(tsp.MESSAGE_DIGEST, octets(hashed("sha256", CONTENT)), octets(bytes(32))), own])
attributes("digest-twice", "messageDigest is there twice", ["9.15"], INVALID, [kind, digest_of, *standard(other)[1:], own])
attributes("unsorted", "The attributes are not sorted", ["9.20"], INVALID, [kind, digest_of, own], sort=False)
attributes("more", "There is an attribute that nobody knows", ["9.15"], None, [kind, digest_of, own, tsp.attribute("1.2.3.4", null())])

# Which certificate signed.
attributes("ess-missing", "signingCertificateV2 is missing", ["9.16", "14.20"], INVALID, [kind, digest_of])
attributes("ess-v1-only", "There is only the old signingCertificate", ["9.16", "14.20"], INVALID, [kind, digest_of, ess_v1(tsa)])
attributes("ess-both", "There are signingCertificate and signingCertificateV2", ["9.16"], None, [kind, digest_of, own, ess_v1(tsa)])
attributes("ess-twice", "signingCertificateV2 is there twice", ["9.16"], INVALID, [kind, digest_of, own, ess(ess_id(tsa_ca))])
attributes("ess-of-another", "signingCertificateV2 names another certificate", ["9.17"], INVALID, [kind, digest_of, ess(ess_id(tsa_ca))])
attributes("ess-of-another-first", "signingCertificateV2 names the right certificate second", ["9.16", "9.17"], INVALID,
           [kind, digest_of, ess(ess_id(tsa_ca), ess_id(tsa))])
attributes("ess-chain", "signingCertificateV2 names the chain", ["9.16"], None, [kind, digest_of, ess(ess_id(tsa), ess_id(tsa_ca))])
attributes("ess-empty", "signingCertificateV2 names no certificate", ["9.16"], INVALID, [kind, digest_of, ess()])
for digest in ["sha384", "sha512"]:
    attributes(f"ess-{digest}", f"signingCertificateV2 hashes with {digest}", ["9.17"], None, [kind, digest_of, ess(ess_id(tsa, digest))])
attributes("ess-sha1", "signingCertificateV2 hashes with SHA-1", ["9.17"], INVALID, [kind, digest_of, ess(ess_id(tsa, "sha1"))])
stated = seq(seq(oid(SHA["sha256"])), octets(hashed("sha256", tsa.der)))
attributes("ess-default-stated", "signingCertificateV2 states its default hash", ["9.17"], None, [kind, digest_of, ess(stated)])
attributes("ess-issuer-serial", "signingCertificateV2 names issuer and serial number", ["9.18"], None,
           [kind, digest_of, ess(ess_id(tsa, named=issuer_serial(tsa.parsed.issuer, serial=tsa.parsed.serial)))])
attributes("ess-issuer-serial-wrong-serial", "signingCertificateV2 names another serial number", ["9.18"], INVALID,
           [kind, digest_of, ess(ess_id(tsa, named=issuer_serial(tsa.parsed.issuer, serial=integer(1))))])
attributes("ess-issuer-serial-wrong-issuer", "signingCertificateV2 names another issuer", ["9.18"], INVALID,
           [kind, digest_of, ess(ess_id(tsa, named=issuer_serial(tsa_root.parsed.subject, serial=tsa.parsed.serial)))])
attributes("ess-issuer-serial-two", "signingCertificateV2 names two issuers", ["9.18"], INVALID,
           [kind, digest_of, ess(ess_id(tsa, named=issuer_serial(tsa.parsed.issuer, tsa.parsed.issuer, serial=tsa.parsed.serial)))])
uri = seq(seq(tlv(0x86, b"http://tsa.example")), tsa.parsed.serial)
attributes("ess-issuer-serial-uri", "signingCertificateV2 names an issuer by its address", ["9.18"], INVALID,
           [kind, digest_of, ess(ess_id(tsa, named=uri))])

# CMS's own signing time.
for name, moment, expected in [("within", "2026-03-01T12:00:00Z", None), ("before", "2024-12-31T23:59:59Z", INVALID),
                               ("after", "2036-01-01T00:00:01Z", INVALID)]:
    attributes(f"signing-time-{name}", f"signingTime is {moment}", ["9.21"], expected,
               [kind, digest_of, own, tsp.attribute(tsp.SIGNING_TIME, utc_time(moment))])
attributes("signing-time-junk", "signingTime is no time", ["9.21"], INVALID, [kind, digest_of, own, tsp.attribute(tsp.SIGNING_TIME, null())])
