"""Writing a case: `case.json` and the files that only it needs. What several cases need lies in `../pki`."""

import json
import os
import shutil

from tools import CASES, SHARED

AT = "2026-06-15T12:00:00Z"
made, wanted, titles = [], set(), set()


class Kept:
    """A file that is there already."""

    def __init__(self, path):
        self.path = path


ARTIFACT = Kept(SHARED / "artifact.json")


class Shared:
    """A file that several cases use."""

    def __init__(self, name, make):
        self.path = SHARED / "evidence" / name
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(make())


class Check:
    """A finding with a code: of which check, about whose certificate if about one, and what was found."""

    def __init__(self, kind, holder, result, code):
        self.result, self.code = result, code
        self.text = f"{kind}{f' of {holder.subject}' if holder else ''}: {result} {code}"


def check(kind, holder, result, code):
    return Check(kind, holder, result, code)


def outcome(verdict, result, checks):
    """The verdict's codes are those of the checks that led to it; the others are told as notes."""
    codes = sorted({found.code for found in checks if found.result == result})
    notes = sorted({found.code for found in checks} - set(codes))
    return {"verdict": verdict, "codes": codes, "notes": notes, "shows": {"findings": [found.text for found in checks]}}


def trusted(*checks):
    return outcome("trusted", None, list(checks))


def rejected(*checks):
    return outcome("rejected", "failed", list(checks))


def undecided(*checks):
    return outcome("undecided", "undetermined", list(checks))


def case(area, name, title, facts, envelope, expected, token=None, crls=(), ocsp=(), ca=(), tsa=(), authority=(), at=AT,
         freshness="current", revocation="now", verification=None):
    """`crls`, `ocsp` and `token` are bytes, which go into the case's folder, or `Shared`."""
    assert (area, name) not in wanted, name
    assert (area, title) not in titles, title
    titles.add((area, title))
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
    options = {
        **({} if freshness == "current" else {"freshness": freshness}),
        **({} if revocation == "now" else {"revocationTime": revocation}),
    }
    document = {
        "title": title,
        "facts": list(dict.fromkeys(facts)),
        "kind": "signed",
        "inputs": {
            "verification": verification or {"level": "strict"},
            "stores": {kind: [place(holder, "") for holder in holders] for kind, holders in stores.items() if holders},
            "artifact": place(ARTIFACT, ""),
            "envelope": place(envelope, ""),
            **({} if token is None else {"token": place(token, "token.der")}),
            **({"crls": places(crls, "crl")} if crls else {}),
            **({"ocsp": places(ocsp, "ocsp")} if ocsp else {}),
        },
        "at": at,
        **({"options": options} if options else {}),
        "expect": expected,
    }
    (folder / "case.json").write_text(json.dumps(document, indent=1) + "\n")
    made.append(f"{area}/{name}")
