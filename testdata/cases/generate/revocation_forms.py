"""CRLs and OCSP responses in forms that are rare, or wrong (RFC 5280 sections 5.1 to 5.3, RFC 6960 section 4.2, conformance 10.14, 10.17)."""

import crl
import ocsp
from der import ECDSA, bits, enumerated, explicit, extension, generalized, integer, inside, null, octets, oid, seq, tlv, utc_time
from roles import SIGNING
from tools import hashed, sign
from world import GOOD, NEXT, THIS, asked, ca, signer, stamped, stranger, tsa, tsa_root

BEFORE = "2026-05-01T00:00:00Z"
ALGORITHM = seq(oid(ECDSA["sha256"]))


def signed(tbs, algorithm=ALGORITHM, key="ca"):
    return seq(tbs, algorithm, bits(sign(key, tbs)))


def tbs(version=integer(1), algorithm=ALGORITHM, this=utc_time(THIS), next=utc_time(NEXT), entries=b"", extensions=(crl.number_extension(1),)):
    return seq(version, algorithm, ca.parsed.subject, this, next, entries, explicit(0, seq(*extensions)) if extensions else b"")


def one(name, title, facts, expected, *crls, **more):
    SIGNING.case(f"form-{name}", title, facts, expected, crls=crls, **more)


missing, invalid, scope = (SIGNING.undecided(f"crl-{word}") for word in ("missing", "invalid", "out-of-scope"))
revoked = SIGNING.revoked()
listed = crl.entry(signer, BEFORE, 4)
FORM = ["10.17"]

# The list.
one("no-extensions", "A CRL of version 2 without extensions", FORM, None, signed(tbs(extensions=())))
one("version-3", "A CRL of version 3", FORM, missing, signed(tbs(integer(2))))
one("no-version", "A CRL without a version, with extensions", FORM, missing, signed(tbs(b"")))
one("empty-list", "A CRL with an empty list of entries", FORM, None, signed(tbs(entries=seq())))
one("generalized-time", "A CRL with GeneralizedTime before 2050", FORM, None, signed(tbs(this=generalized(THIS), next=generalized(NEXT))))
one("time-without-seconds", "A CRL whose time lacks its seconds", FORM, missing, signed(tbs(this=tlv(0x17, b"2606010000Z"))))
one("time-with-offset", "A CRL whose time has an offset", FORM, missing, signed(tbs(this=tlv(0x17, b"260601000000+0100"))))
one("algorithms-differ", "Two signature algorithms in one CRL", ["10.18"], missing, signed(tbs(), seq(oid(ECDSA["sha384"]))))
one("algorithm-unknown", "A CRL of an unknown signature algorithm", ["10.18"], invalid,
    signed(tbs(algorithm=seq(oid("1.2.3.4"))), seq(oid("1.2.3.4"))))
one("signature-empty", "A CRL with an empty signature", ["10.18"], invalid, seq(tbs(), ALGORITHM, bits(b"")))
one("length-not-minimal", "A CRL whose outer length takes more octets than it needs", FORM, missing,
    (lambda der: b"\x30\x83\0" + der[2:])(signed(tbs())))
one("indefinite-length", "A CRL in BER of indefinite length", FORM, missing, b"\x30\x80" + inside(signed(tbs())) + b"\0\0")
one("empty", "A CRL of no bytes at all", FORM, missing, b"")
one("certificate", "A certificate in a CRL's place", FORM, missing, ca.der)
one("next-before-this", "A CRL whose nextUpdate lies before its thisUpdate", ["10.19"], SIGNING.undecided("crl-expired"),
    signed(tbs(next=utc_time("2026-05-31T00:00:00Z"))))

# Its entries.
padded = tlv(2, b"\0" + signer.parsed.serial[2:])
one("serial-padded", "An entry whose serial number has an octet too many", ["10.22"], missing,
    signed(tbs(entries=seq(seq(padded, utc_time(BEFORE))))))
one("serial-negative", "An entry with a negative serial number beside the leaf's", ["10.22", "10.23"], revoked,
    signed(tbs(entries=seq(seq(tlv(2, b"\x80"), utc_time(BEFORE)), listed))))
one("serial-prefix", "Entries whose serial numbers begin and end as the leaf's", ["10.22"], None,
    signed(tbs(entries=seq(*(seq(integer(number), utc_time(BEFORE)) for number in (0x10, 0x02, 0x100200, 0x1003, 0x1001, 0x991002))))))
one("last-entry", "The leaf is the last of a thousand entries", ["10.22", "10.23"], revoked,
    signed(tbs(entries=seq(*(seq(integer(number), utc_time(BEFORE)) for number in range(0x5000, 0x5000 + 999)), listed))))
one("entries-unsorted", "The entries are in no order", ["10.22", "10.23"], revoked,
    signed(tbs(entries=seq(*(seq(integer(number), utc_time(BEFORE)) for number in (0x9000, 0x1)), listed, seq(integer(5), utc_time(BEFORE))))))
one("entry-generalized-time", "An entry with GeneralizedTime", ["10.23"], revoked,
    signed(tbs(entries=seq(seq(signer.parsed.serial, generalized(BEFORE))))))
one("entry-time-malformed", "An entry whose date cannot be read", ["10.23"], invalid,
    signed(tbs(entries=seq(seq(signer.parsed.serial, tlv(0x17, b"26"))))))
one("entry-more", "An entry with a field too many", FORM, missing, signed(tbs(entries=seq(seq(signer.parsed.serial, utc_time(BEFORE), null())))))
one("entry-reason-long", "A reason of two octets", ["10.24"], invalid,
    signed(tbs(entries=seq(crl.entry(signer, BEFORE, more=[extension("2.5.29.21", tlv(10, b"\0\x04"))])))))
one("entry-reason-twice", "A reason twice", ["10.24"], invalid,
    signed(tbs(entries=seq(crl.entry(signer, BEFORE, 6, more=[extension("2.5.29.21", enumerated(8))])))))
hold, remove, lost = crl.entry(signer, BEFORE, 6), crl.entry(signer, "2026-05-02T00:00:00Z", 8), crl.entry(signer, BEFORE, 1)
AFTER = crl.entry(signer, "2026-04-01T00:00:00Z", 4)
stamps = stamped(tsa)
for name, pair in [("hold-and-lost", (hold, lost)), ("lost-and-hold", (lost, hold))]:
    one(f"twice-{name}", f"The leaf is listed twice: {name.replace('-', ' ')}", ["10.24"], revoked, signed(tbs(entries=seq(*pair))))
time = {"token": stamps, "tsa": [tsa_root], "revocation": "point-in-time"}
for name, pair in [("superseded-and-lost", (AFTER, lost)), ("lost-and-superseded", (lost, AFTER))]:
    one(f"twice-{name}", f"The leaf is listed twice: {name.replace('-', ' ')}, under point-in-time", ["10.24", "8.32"], revoked,
        signed(tbs(entries=seq(*pair))), GOOD["tsa-ca"], GOOD["tsa-root"], **time)
base = signed(tbs(entries=seq(hold), extensions=(crl.number_extension(5),)))
for name, pair in [("removed-and-lost", (remove, lost)), ("lost-and-removed", (lost, remove))]:
    delta = signed(tbs(this=utc_time("2026-06-10T00:00:00Z"), entries=seq(*pair),
                       extensions=(crl.number_extension(6), extension(crl.DELTA, integer(5), True))))
    one(f"delta-twice-{name}", f"A delta lists the leaf twice: {name.replace('-', ' ')}", ["10.24", "10.26"], revoked, base, delta)

# The scope.
numbered = crl.number_extension(1)
one("scope-empty", "A scope that says nothing", ["10.21"], None, signed(tbs(extensions=(numbered, extension(crl.IDP, seq(), True)))))
one("scope-not-critical", "A scope for authorities only, that is not critical", ["10.21"], scope,
    signed(tbs(extensions=(numbered, extension(crl.IDP, seq(tlv(0x82, b"\xff")))))))
one("scope-malformed", "A scope that cannot be read", ["10.21"], missing, signed(tbs(extensions=(numbered, extension(crl.IDP, null(), True)))))
one("other-authority-key", "A CRL that names another key of its issuer", ["10.21"], None,
    signed(tbs(extensions=(numbered, extension(crl.AKI, seq(tlv(0x80, bytes(20))))))))
one("delta-indicator-malformed", "A delta CRL indicator that cannot be read", ["10.21"], missing,
    signed(tbs(extensions=(numbered, extension(crl.DELTA, null(), True)))))

# OCSP.
ID = ocsp.cert_id(asked)
NAME = explicit(1, ca.parsed.subject)


def response(single, responder=NAME, more=b"", version=b"", produced=generalized(THIS), kind=ocsp.BASIC, algorithm=ALGORITHM, behind=b"", key="ca"):
    data = seq(version, responder, produced, seq(*single), more)
    basic = seq(data, algorithm, bits(sign(key, data)), behind)
    return seq(enumerated(0), explicit(0, seq(oid(kind), octets(basic))))


def single(status=ocsp.GOOD, this=generalized(THIS), next=explicit(0, generalized(NEXT)), id=ID, more=b""):
    return seq(id, status, this, next, more)


def asks(name, title, facts, expected, der):
    SIGNING.case(f"form-ocsp-{name}", title, facts, expected, ocsp=[der], leaf=asked)


nothing, bad = (SIGNING.undecided(f"ocsp-{word}", asked) for word in ("missing", "invalid"))
FORM = ["10.14"]
asks("plain", "A response made by hand", ["10.09"], None, response([single()]))
asks("version-1", "A response that states its version", FORM, None, response([single()], version=explicit(0, integer(0))))
asks("version-2", "A response of another version", FORM, nothing, response([single()], version=explicit(0, integer(1))))
asks("other-type", "A response of another type", FORM, nothing, response([single()], kind="1.2.3.4"))
asks("no-answers", "A response without answers", ["10.10"], nothing, response([]))
asks("utc-time", "A response with UTCTime", FORM, nothing, response([single(this=utc_time(THIS))]))
asks("status-3", "A status that does not exist", ["10.05"], nothing, response([single(tlv(0x83))]))
asks("good-with-content", "good, and something in it", ["10.05"], nothing, response([single(tlv(0x80, null()))]))
asks("removed", "Revoked with the reason removeFromCRL", ["10.12", "10.24"], SIGNING.revoked(asked), response([single(ocsp.revoked(BEFORE, 8))]))
asks("reason-unknown", "Revoked with a reason that does not exist", ["10.12"], nothing, response([single(ocsp.revoked(BEFORE, 7))]))
asks("next-before-this", "nextUpdate lies before thisUpdate", ["10.11"], SIGNING.undecided("ocsp-expired", asked),
     response([single(next=explicit(0, generalized(BEFORE)))]))
asks("produced-before-this", "It was produced before its thisUpdate", ["10.11"], None, response([single()], produced=generalized(BEFORE)))
asks("key-hash-of-another", "The responder names another's key", ["10.09"], bad,
     response([single()], explicit(2, octets(hashed("sha1", stranger.parsed.key_bits)))))
asks("key-hash-short", "The responder's key hash is cut", ["10.09"], nothing, response([single()], explicit(2, octets(bytes(8)))))
asks("algorithm-unknown", "A response of an unknown signature algorithm", ["10.10"], bad, response([single()], algorithm=seq(oid("1.2.3.4"))))
asks("without-bytes", "Successful, and nothing in it", FORM, nothing, seq(enumerated(0)))
asks("junk-certificate", "A certificate in the response that is none", FORM, nothing, response([single()], behind=explicit(0, seq(seq(null())))))
asks("certificate-of-another", "A stranger's certificate comes along with the issuer's answer", ["10.10"], None,
     response([single()], behind=explicit(0, seq(stranger.der))))
asks("many-answers", "Sixty-five answers", FORM, nothing, response([single() for _ in range(65)]))
asks("sixty-four-answers", "Sixty-four answers, the last of them revoked", ["10.10"], SIGNING.revoked(asked),
     response([single() for _ in range(63)] + [single(ocsp.revoked(BEFORE))]))
