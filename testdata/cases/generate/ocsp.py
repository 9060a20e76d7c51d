"""OCSP responses: by `openssl ocsp` (which dates them now), otherwise by hand, signed by `openssl dgst`."""

from der import ECDSA, SHA, bits, enumerated, explicit, generalized, null, octets, oid, parts, read, inside, seq, tlv
from tools import hashed, key, openssl, sign, write

BASIC = "1.3.6.1.5.5.7.48.1.1"
GOOD, UNKNOWN = tlv(0x80), tlv(0x82)


def revoked(date, reason=None):
    return tlv(0xA1, generalized(date), b"" if reason is None else explicit(0, enumerated(reason)))


def cert_id(holder, digest="sha1", issuer=None, serial=None, name=None):
    issuer = issuer or holder.issuer
    return seq(
        seq(oid(SHA[digest]), null()), octets(hashed(digest, name or issuer.parsed.subject)),
        octets(hashed(digest, issuer.parsed.key_bits)), serial or holder.parsed.serial,
    )


def answer(holder, status, this, next, extensions=(), **id):
    next = explicit(0, generalized(next)) if next else b""
    return seq(cert_id(holder, **id), status, generalized(this), next, explicit(1, seq(*extensions)) if extensions else b"")


def by_hand(answers, responder, produced, certificates=(), extensions=(), by_key=False, name=None, signer=None, digest="sha256",
            spoil=False):
    who = explicit(2, octets(hashed("sha1", responder.parsed.key_bits))) if by_key else explicit(1, name or responder.parsed.subject)
    tbs = seq(who, generalized(produced), seq(*answers), explicit(1, seq(*extensions)) if extensions else b"")
    signature = sign((signer or responder).key, tbs + b"\0" if spoil else tbs, digest)
    certs = explicit(0, seq(*(holder.der for holder in certificates))) if certificates else b""
    basic = seq(tbs, seq(oid(ECDSA[digest])), bits(signature), certs)
    return seq(enumerated(0), explicit(0, seq(oid(BASIC), octets(basic))))


def refusal(status):
    return seq(enumerated(status))


def by_openssl(holder, line, signer, *options, digest="-sha1"):
    """`line` is what openssl's index says of the certificate, None if nothing. Returns the response and its thisUpdate."""
    issuer = holder.issuer
    write("ocsp.txt", "" if line is None else f"{line}\t{holder.serial}\tunknown\t/CN=x\n")
    write("ca.pem", issuer.pem())
    write("one.pem", holder.pem())
    write("responder.pem", signer.pem())
    openssl("ocsp", "-no_nonce", digest, "-issuer", "ca.pem", "-cert", "one.pem", "-reqout", "request.der")
    openssl("ocsp", "-index", "ocsp.txt", "-CA", "ca.pem", "-rsigner", "responder.pem", "-rkey", key(signer.key),
            "-reqin", "request.der", "-respout", "response.der", "-ndays", "7", *options)
    der = openssl_read("response.der")
    return der, this_update(der)


def openssl_read(name):
    from tools import WORK
    return (WORK / name).read_bytes()


def this_update(der):
    basic = inside(parts(inside(inside(parts(inside(der))[1])))[1])
    data = parts(inside(parts(inside(basic))[0]))
    data = data[1:] if data[0][0] == 0xA0 else data
    single = parts(inside(parts(inside(data[2]))[0]))
    text = read(single[2])[1].decode()
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"
