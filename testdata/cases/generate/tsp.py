"""RFC 3161 tokens: by `openssl ts` (which dates them now), otherwise by hand, signed by `openssl dgst`."""

from der import (ECDSA, SHA, explicit, generalized, inside, integer, null, octets, oid, parts, read, seq, set_of, tlv)
from tools import WORK, hashed, key, openssl, sign, write

TST_INFO, SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
ESS_V1, ESS_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
RSA = "1.2.840.113549.1.1.1"
ETSI, OTHER_POLICY = "0.4.0.2023.1.1", "1.3.6.1.4.1.99999.1"


def algorithm(digest):
    return seq(oid(SHA[digest]), null())


def accuracy(seconds=None, millis=None, micros=None):
    def part(tag, value):
        return b"" if value is None else bytes([tag]) + integer(value)[1:]

    return seq(part(2, seconds), part(0x80, millis), part(0x81, micros))


def info(message, at, digest="sha256", accuracy=b"", policy=OTHER_POLICY, version=1, imprint=None, more=b""):
    """A TSTInfo; `at` is a time, or the DER of one."""
    at = at if isinstance(at, bytes) else generalized(at)
    imprint = hashed(digest, message) if imprint is None else imprint
    return seq(integer(version), oid(policy), seq(algorithm(digest), octets(imprint)), integer(77), at, accuracy, more)


def attribute(name, *values):
    return seq(oid(name), set_of(*values))


def ess_id(holder, digest="sha256", named=None):
    """An ESSCertIDv2; sha256 is the default, which DER leaves out."""
    chosen = b"" if digest == "sha256" else seq(oid(SHA[digest]))
    return seq(chosen, octets(hashed(digest, holder.der)), named or b"")


def issuer_serial(*issuers, serial):
    return seq(seq(*(explicit(4, issuer) for issuer in issuers)), serial)


def ess(*ids):
    return attribute(ESS_V2, seq(seq(*ids)))


def ess_v1(holder):
    return attribute(ESS_V1, seq(seq(seq(octets(hashed("sha1", holder.der))))))


def standard(content, digest="sha256", content_type=TST_INFO):
    return [attribute(CONTENT_TYPE, oid(content_type)), attribute(MESSAGE_DIGEST, octets(hashed(digest, content)))]


def signer(content, holder, attributes=None, essential=None, more=(), digest="sha256", signing=None, signature_algorithm=None,
           version=1, sid=None, sort=True, spoil=False, key_name=None):
    """A SignerInfo. Without `attributes` it has contentType, messageDigest and `essential`, by default an ESSCertIDv2."""
    if attributes is None:
        attributes = standard(content, digest) + [ess(ess_id(holder)) if essential is None else essential, *more]
    attributes = sorted(attributes) if sort else sorted(attributes, reverse=True)
    signing = signing or digest
    sid = sid or seq(holder.parsed.issuer, holder.parsed.serial)
    value = sign(key_name or holder.key, tlv(0x31, *attributes) + (b"\0" if spoil else b""), signing)
    signature_algorithm = signature_algorithm or seq(oid(ECDSA[signing]))
    return seq(integer(version), sid, algorithm(digest), tlv(0xA0, *attributes), signature_algorithm, octets(value))


def wrap(content, signers, certificates, version=3, content_type=TST_INFO, digests=("sha256",)):
    """The ContentInfo. `content` of None leaves the content out."""
    encapsulated = seq(oid(content_type), explicit(0, octets(content)) if content is not None else b"")
    certs = tlv(0xA0, *sorted(holder.der for holder in certificates)) if certificates else b""
    data = seq(integer(version), set_of(*map(algorithm, digests)), encapsulated, certs, set_of(*signers))
    return seq(oid(SIGNED_DATA), explicit(0, data))


def token(message, at, tsa, certificates=None, accuracy=b"", policy=OTHER_POLICY, imprint_digest="sha256", imprint=None, info_version=1,
          info_more=b"", version=3, **signing):
    """A whole token over `message`."""
    content = info(message, at, imprint_digest, accuracy, policy, info_version, imprint, info_more)
    certificates = [holder for holder in tsa.chain if holder.issuer] if certificates is None else certificates
    digests = (signing.get("digest", "sha256"),)
    return wrap(content, [signer(content, tsa, **signing)], certificates, version, digests=digests)


def by_openssl(message, tsa, digest="sha256", accuracy="secs:1", policy=OTHER_POLICY, ess_digest="sha256"):
    """A token by `openssl ts`, and its genTime."""
    write("tsa.cnf", "[tsa]\ndefault_tsa=one\n[one]\nserial=tsa.serial\ncrypto_device=builtin\nsigner_digest=sha256\n"
          f"default_policy={policy}\ndigests=sha256,sha384,sha512\naccuracy={accuracy}\nordering=yes\ntsa_name=yes\n"
          f"ess_cert_id_chain=no\ness_cert_id_alg={ess_digest}\n")
    write("tsa.serial", "0A\n")
    write("message", message)
    write("tsa.pem", tsa.pem())
    write("above.pem", b"".join(holder.pem() for holder in tsa.chain[1:]))
    openssl("ts", "-query", "-data", "message", f"-{digest}", "-cert", "-out", "query.tsq")
    openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-signer", "tsa.pem", "-inkey", key(tsa.key),
            "-chain", "above.pem", "-token_out", "-out", "token.der")
    der = (WORK / "token.der").read_bytes()
    return der, gen_time(der)


def content_of(der):
    data = parts(inside(inside(parts(inside(der))[1])))
    return inside(inside(parts(inside(data[2]))[1]))


def gen_time(der):
    text = read(parts(inside(content_of(der)))[4])[1].decode()
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"
