"""CRLs: by `openssl ca -gencrl` where it can make them, otherwise by hand, signed by `openssl dgst`."""

from der import ECDSA, bits, enumerated, extension, generalized, integer, oid, seq, stamp, utc_time, explicit
from tools import key, openssl, sign, write

REASONS = ["unspecified", "keyCompromise", "CACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
           "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"]
NUMBER, DELTA, IDP, AKI, FRESHEST = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35", "2.5.29.46"


def number(value):
    return f"{NUMBER}=DER:{integer(value).hex()}\n"


def continues(base):
    return f"{DELTA}=critical,DER:{integer(base).hex()}\n"


def by_openssl(issuer, this, next, entries=(), extensions=None, sections="", md="sha256", signer=None):
    """`entries` are `(certificate, date[, reason[, invalidity date of a compromise]])`; `extensions` lines of openssl's
    configuration, with a number if nothing else is said, and a list of version 1 if they are empty."""
    lines = []
    for holder, date, *more in entries:
        what = ",".join([stamp(date)[2:], *more[:1], *(stamp(date) for date in more[1:])])
        lines.append(f"R\t491231235959Z\t{what}\t{holder.serial}\tunknown\t/CN=x\n")
    write("index.txt", "".join(lines))
    write("index.txt.attr", "unique_subject = no\n")
    extensions = number(1) if extensions is None else extensions
    ids = "authorityKeyIdentifier=keyid\n" if extensions else ""
    wanted = "crl_extensions=ext\n" if extensions else ""
    write("crl.cnf", f"[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md={md}\n{wanted}[ext]\n{ids}{extensions}\n{sections}\n")
    write("issuer.pem", issuer.pem())
    openssl("ca", "-gencrl", "-config", "crl.cnf", "-cert", "issuer.pem", "-keyfile", key((signer or issuer).key), "-out", "crl.pem",
            "-crl_lastupdate", stamp(this), "-crl_nextupdate", stamp(next))
    return openssl("crl", "-in", "crl.pem", "-outform", "DER")


def entry(holder, date, reason=None, invalidity=None, more=()):
    """An entry by hand; `reason` is a number."""
    extensions = [] if reason is None else [extension("2.5.29.21", enumerated(reason))]
    extensions += [] if invalidity is None else [extension("2.5.29.24", generalized(invalidity))]
    extensions += more
    return seq(holder.parsed.serial, utc_time(date), seq(*extensions) if extensions else b"")


def number_extension(value):
    return extension(NUMBER, integer(value))


def by_hand(issuer, this, next, entries=(), extensions=None, name=None, signer=None, digest="sha256"):
    """What openssl does not write: `entries` and `extensions` in DER, `next` may be missing, another name or signer."""
    algorithm = seq(oid(ECDSA[digest]))
    extensions = [number_extension(1)] if extensions is None else extensions
    tbs = seq(
        integer(1), algorithm, name or issuer.parsed.subject, utc_time(this), utc_time(next) if next else b"",
        seq(*entries) if entries else b"", explicit(0, seq(*extensions)) if extensions else b"",
    )
    return seq(tbs, algorithm, bits(sign((signer or issuer).key, tbs, digest)))
