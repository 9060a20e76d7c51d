"""What the timestamp cases have in common."""

from case import case, check, rejected, trusted
from world import GOOD, LONG, PLAIN, STAMP, root, tsa_root

INVALID = rejected(check(STAMP, None, "failed", "timestamp-invalid"))
UNTRUSTED = rejected(check(STAMP, None, "failed", "timestamp-untrusted"))
OUTSIDE = rejected(check(STAMP, None, "failed", "timestamp-outside-validity"))
ABSENT = rejected(check(STAMP, None, "failed", "timestamp-absent"))


def stamp(name, title, facts, token, expected=None, envelope=PLAIN, crls=(), **more):
    """A case with good CRLs of everybody, where both roots are trusted."""
    more = {"ca": [root], "tsa": [tsa_root], **more}
    lasting, without = more.pop("lasting", False), more.pop("without", [])
    everybody = [found for name, found in (LONG if lasting else GOOD).items() if name not in without]
    case("timestamp", name, title, facts, envelope, expected or trusted(), token=token, crls=[*crls, *everybody], **more)
