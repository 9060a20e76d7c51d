"""Writing a case: `case.json` and the files that only it needs. What several cases need lies in `../openssl`."""

import json
import os
import shutil

from tools import CASES, SHARED

AT = "2026-06-15T12:00:00Z"
made, wanted = [], set()


class Shared:
    """A file that several cases use."""

    def __init__(self, name, make):
        self.path = SHARED / "evidence" / name
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(make())


def check(kind, holder, result, code):
    return {"check": kind, "certificate": holder.subject if holder else None, "result": result, "code": code}


def outcome(verdict, result, checks):
    codes = sorted({found["code"] for found in checks if found["result"] == result})
    return {"verdict": verdict, "codes": codes, "checks": checks}


def trusted(*checks):
    return {"verdict": "trusted", "codes": [], "checks": list(checks)}


def rejected(*checks):
    return outcome("rejected", "failed", list(checks))


def undecided(*checks):
    return outcome("undecided", "undetermined", list(checks))


def case(area, name, title, facts, envelope, expected, token=None, crls=(), ocsp=(), ca=(), tsa=(), authority=(), at=AT,
         freshness="current", revocation="now", verification=None):
    """`crls`, `ocsp` and `token` are bytes, which go into the case's folder, or `Shared`."""
    assert (area, name) not in wanted, name
    wanted.add((area, name))
    folder = CASES / area / name
    if (folder / "case.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def place(content, file):
        path = getattr(content, "path", None)
        if path is None:
            path = folder / file
            path.write_bytes(content)
        return os.path.relpath(path, folder)

    def places(contents, kind):
        numbered = len([one for one in contents if isinstance(one, bytes)]) > 1
        found, count = [], 0
        for one in contents:
            count += isinstance(one, bytes)
            found.append(place(one, f"{count}.{kind}" if numbered else f"one.{kind}"))
        return found

    stores = {"ca": ca, "tsa": tsa, "signingAuthority": authority}
    document = {
        "title": title,
        "facts": facts,
        "kind": "judging",
        "at": at,
        "freshness": freshness,
        "revocation": revocation,
        "verification": verification or {"level": "strict"},
        "stores": {kind: [place(holder, "") for holder in holders] for kind, holders in stores.items() if holders},
        "envelope": place(envelope, ""),
        **({} if token is None else {"token": place(token, "token.der")}),
        "crls": places(crls, "crl"),
        "ocsp": places(ocsp, "ocsp"),
        "expected": expected,
    }
    (folder / "case.json").write_text(json.dumps(document, indent=1) + "\n")
    made.append(f"{area}/{name}")
