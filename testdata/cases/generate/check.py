#!/usr/bin/env python3
"""What openssl itself makes of the evidence: every token of a case that is trusted must verify with `openssl ts`, every CRL there with
`openssl crl`, every OCSP response there with `openssl ocsp`. Times are not compared, except that a token is judged at its genTime."""

import base64
import json
import shutil
import subprocess

from der import inside, parts, time
from tools import CASES, WORK, openssl, write
from tsp import gen_time


def run(*words):
    done = subprocess.run(["openssl", *map(str, words)], cwd=WORK, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def pem(path):
    return openssl("x509", "-inform", "DER", "-in", path)


certificates = sorted((CASES / "pki/certificates").glob("*.der"))
write("all.pem", b"".join(map(pem, certificates)))
by_subject = {}
for path in certificates:
    fields = parts(inside(parts(inside(path.read_bytes()))[0]))
    by_subject.setdefault(fields[5], []).append(path)


def signature(envelope):
    value = json.loads(envelope.read_text())["signature"]
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def check_token(folder, inputs):
    token = folder / inputs["token"]
    write("message", signature(folder / inputs["envelope"]))
    write("roots.pem", b"".join(pem(folder / path) for path in inputs["stores"]["tsa"]))
    at = int(time(gen_time(token.read_bytes())).timestamp())
    return run("ts", "-verify", "-token_in", "-in", token, "-data", "message", "-CAfile", "roots.pem", "-untrusted", "all.pem", "-attime", at)


def check_crl(path):
    der = path.read_bytes()
    issuer = parts(inside(parts(inside(der))[0]))[2]
    results = []
    for candidate in by_subject.get(issuer, []):
        write("issuer.pem", pem(candidate))
        results.append(run("crl", "-inform", "DER", "-in", path, "-CAfile", "issuer.pem", "-verify", "-noout"))
    return next((result for result in results if "verify OK" in result[1]), results[0] if results else (1, "no issuer"))


def check_ocsp(path):
    return run("ocsp", "-respin", path, "-CAfile", "all.pem", "-VAfile", "all.pem", "-partial_chain", "-no_nonce", "-attime", "1781524800")


# The token is another's, or none, and nobody looks at it.
IGNORED = {"authority-junk-token", "after-expiry-valid-ignored"}
# What openssl refuses and bulla need not, and what is there to be refused beside something good.
KNOWN = {
    "signing-both-good-and-strange": "a stranger's CRL beside a good response", "tsa-both-good-and-strange": "as above",
    "signing-both-invalid-and-silent": "a stranger's response beside a good CRL", "tsa-both-invalid-and-silent": "as above",
    "signing-crl-stranger-and-good": "a stranger's CRL beside a good one", "tsa-crl-stranger-and-good": "as above",
    "info-name": "openssl compares TSTInfo.tsa with the certificate, Notation does not (9.28)",
    "tsa-end-exactly": "to openssl a certificate ends before its notAfter, to RFC 5280 and Notation behind it (14.28)",
    "tsa-ca-end-exactly": "as above", "tsa-root-end-exactly": "as above", "tsa-end-accuracy": "as above",
    "two-good": "openssl wants one signer, Notation one that verifies (9.14)", "two-one-good-first": "as above",
    "two-one-good-second": "as above", "two-one-by-key-id": "as above",
}
tried, odd = {"token": 0, "crl": 0, "ocsp": 0}, []
try:
    for file in sorted(CASES.glob("revocation/*/case.json")) + sorted(CASES.glob("timestamp/*/case.json")):
        case, folder = json.loads(file.read_text()), file.parent
        inputs = case["inputs"]
        if case["expect"]["verdict"] != "trusted":
            continue
        if folder.name not in IGNORED and "token" in inputs and "tsa" in inputs["stores"] and not inputs["token"].startswith("../../pki/evidence/tsa."):
            tried["token"] += 1
            code, said = check_token(folder, inputs)
            if code:
                odd.append(f"{folder.name}: token: {said.strip().splitlines()[-1]}")
        for path in inputs.get("crls", []):
            if not path.startswith("../../pki"):
                tried["crl"] += 1
                _, said = check_crl(folder / path)
                if "verify OK" not in said:
                    odd.append(f"{folder.name}/{path}: {said.strip().splitlines()[-1]}")
        for path in inputs.get("ocsp", []):
            tried["ocsp"] += 1
            _, said = check_ocsp(folder / path)
            if "Response verify OK" not in said:
                odd.append(f"{folder.name}/{path}: {said.strip().splitlines()[-1] if said.strip() else 'silent'}")
finally:
    shutil.rmtree(WORK)
unknown = [line for line in odd if line.split("/")[0].split(":")[0] not in KNOWN]
print(tried, f"{len(odd)} that openssl does not accept, {len(unknown)} of them for no known reason", *unknown, sep="\n")
raise SystemExit(bool(unknown))
