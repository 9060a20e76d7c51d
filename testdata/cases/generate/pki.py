"""Certificates, made by `openssl ca` with fixed dates. What is there already is kept."""

from der import Parsed, stamp
from tools import SHARED, key, openssl, write

FOLDER = SHARED / "certificates"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
SIGNER = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n"
TSA = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
FROM, TO = "2025-01-01T00:00:00Z", "2036-01-01T00:00:00Z"

CONFIG = """[ca]
default_ca=one
[one]
database=index.txt
serial=serial
new_certs_dir=.
policy=any
default_md=sha256
unique_subject=no
[any]
countryName=supplied
stateOrProvinceName=supplied
organizationName=supplied
commonName=supplied
"""


class Holder:
    """Somebody with a certificate and a key."""

    def __init__(self, name, key_name, issuer, der, common_name):
        self.name, self.key, self.issuer, self.der = name, key_name, issuer, der
        self.path = FOLDER / f"{name}.der"
        self.parsed = Parsed(der)
        self.serial = self.parsed.serial[2:].hex().upper()
        self.subject = f"CN={common_name},O=Cases,ST=Utrecht,C=NL"

    @property
    def chain(self):
        return [self] if self.issuer is None else [self, *self.issuer.chain]

    def pem(self):
        return openssl("x509", "-inform", "DER", data=self.der)


def certificate(name, common_name, issuer, serial, extensions, begin=FROM, end=TO, kind="P-256", key_name=None, md="sha256"):
    """Issues `NAME.der`. `extensions` are lines of openssl's configuration."""
    key_name = key_name or name
    path = FOLDER / f"{name}.der"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        write("ca.cnf", CONFIG)
        write("index.txt", "")
        write("serial", f"{serial:04X}\n")
        ids = "subjectKeyIdentifier=hash\n" + ("authorityKeyIdentifier=keyid\n" if issuer else "")
        write("ext.cnf", f"[ext]\n{ids}{extensions}")
        openssl("req", "-new", "-key", key(key_name, kind), "-subj", f"/C=NL/ST=Utrecht/O=Cases/CN={common_name}", "-out", "csr")
        words = ["ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN", "-in", "csr", "-out", "out.pem", "-md", md]
        words += ["-extfile", "ext.cnf", "-extensions", "ext", "-startdate", stamp(begin), "-enddate", stamp(end)]
        if issuer:
            write("issuer.pem", issuer.pem())
            words += ["-cert", "issuer.pem", "-keyfile", key(issuer.key)]
        else:
            words += ["-selfsign", "-keyfile", key(key_name)]
        openssl(*words)
        openssl("x509", "-in", "out.pem", "-outform", "DER", "-out", path)
    return Holder(name, key_name, issuer, path.read_bytes(), common_name)
