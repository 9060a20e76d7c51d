#!/usr/bin/env python3
"""Makes the cases of `revocation` and `timestamp` that are missing. See README.md."""

import shutil

from case import CASES, made, wanted
from tools import WORK

try:
    import revocation_crl
    import revocation_delta
    import revocation_forms
    import revocation_freshness
    import revocation_ocsp
    import revocation_reading
    import timestamp_cases
    import timestamp_chain
    import timestamp_policy
    import timestamp_token
finally:
    shutil.rmtree(WORK)
stale = [path.parent for area in ("revocation", "timestamp") for path in sorted((CASES / area).glob("*/case.json"))
         if (area, path.parent.name) not in wanted]
print(f"{len(made)} made, {len(wanted)} in all", *[f"not known here: {path}" for path in stale], sep="\n")
