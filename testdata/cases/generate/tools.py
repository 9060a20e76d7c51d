"""Running openssl, and the places of things."""

import hashlib
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parent
KEYS = HERE / "keys"
SHARED = CASES / "pki"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="bulla-cases-"))


def openssl(*words, data=None):
    words = ["openssl", *map(str, words)]
    done = subprocess.run(words, input=data, cwd=WORK, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr.decode()}")
    return done.stdout


def write(name, content):
    (WORK / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def key(name, kind="P-256"):
    """The file of a key, which is made if it is missing. For tests only: everybody has it."""
    path = KEYS / f"{name}.pem"
    if not path.exists():
        KEYS.mkdir(exist_ok=True)
        options = {
            "ed25519": ["-algorithm", "ed25519"],
            **{f"rsa:{size}": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{size}"] for size in (1024, 2048)},
        }.get(kind, ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}"])
        openssl("genpkey", *options, "-out", path)
    return path


def sign(name, data, digest="sha256"):
    """The signature that openssl makes with a key."""
    return openssl("dgst", f"-{digest}", "-sign", key(name), data=data)


def hashed(digest, data):
    return hashlib.new(digest, data).digest()
