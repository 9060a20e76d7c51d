"""Notary Project signatures in JWS, by hand: the signature value is openssl's."""

import base64
import hashlib
import json

from der import inside, parts
from tools import SHARED, sign

FOLDER = SHARED / "envelopes"
ARTIFACT = (
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.example.thing",'
    '"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":'
    '"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}'
).encode()
(SHARED / "artifact.json").write_bytes(ARTIFACT)
SCHEME, TIME, AUTHENTIC = "io.cncf.notary.signingScheme", "io.cncf.notary.signingTime", "io.cncf.notary.authenticSigningTime"


def url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Envelope:
    """An envelope in its file; `signature` is what a timestamp is made of."""

    def __init__(self, path):
        self.path = path
        value = json.loads(path.read_text())["signature"]
        self.signature = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def envelope(name, signer, time="2026-03-01T12:00:00Z", authority=False, artifact=ARTIFACT):
    """A JWS by a holder of a P-256 key."""
    path = FOLDER / f"{name}.json"
    if path.exists():
        return Envelope(path)
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{hashlib.sha256(artifact).hexdigest()}", "size": len(artifact),
    }
    scheme, member = ("notary.x509.signingAuthority", AUTHENTIC) if authority else ("notary.x509", TIME)
    critical = [SCHEME, AUTHENTIC] if authority else [SCHEME]
    header = {"alg": "ES256", "cty": "application/vnd.cncf.notary.payload.v1+json", "crit": critical, SCHEME: scheme, member: time}
    protected, payload = url(json.dumps(header).encode()), url(json.dumps({"targetArtifact": target}).encode())
    r, s = (inside(part).lstrip(b"\0").rjust(32, b"\0") for part in parts(inside(sign(signer.key, f"{protected}.{payload}".encode()))))
    chain = [base64.b64encode(holder.der).decode() for holder in signer.chain]
    document = {"payload": payload, "protected": protected, "header": {"x5c": chain}, "signature": url(r + s)}
    path.write_text(json.dumps(document, indent=1) + "\n")
    return Envelope(path)
