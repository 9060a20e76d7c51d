#!/usr/bin/env python3
"""A second implementation of the bundle, made from schemas/bundle-v1.md alone: a strict reader. writer.py writes by the same rules.

It shares nothing with bulla but the specification and its schema, and needs nothing but Python 3 (and the `zstd` program where a frame
has compressed blocks). § numbers are those of schemas/bundle-v1.md. It holds whole files in memory: it is a measure, not a tool.

    bundle.py check FILE...    what a strict reader says of each, one JSON object a line
    bundle.py account FILE     what every byte of the file is
"""

import datetime
import hashlib
import ipaddress
import json
import math
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA_FILE = os.path.join(HERE, "..", "..", "schemas", "bundle-v1.schema.json")

MIB = 1 << 20
BLOCK = 512                                    # of a tar
FRAME = 4 * MIB                                # §2
LAYOUT_DOCUMENT = b'{"imageLayoutVersion":"1.0.0"}'
EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
BUNDLE = "application/vnd.bulla.bundle.v1+json"
EVIDENCE = "application/vnd.bulla.evidence.v1+json"
SIGNATURE = "application/vnd.cncf.notary.signature"
ENVELOPES = ("application/jose+json", "application/cose")
REVOCATION = ("application/pkix-crl", "application/ocsp-response")
TIMESTAMP = "application/vnd.bulla.timestamp-token.v1"
DECISIVE = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json", OCI_EMPTY, TIMESTAMP)
REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
TITLE = "org.opencontainers.image.title"
DOCKER_FEATURE = "docker-manifest"             # §7.3
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIGS = DECISIVE[:2]


class Refused(Exception):
    """What a strict reader says no to, with the code of §8."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


def require(condition, code, reason):
    if not condition:
        raise Refused(code, reason)


# §1.1, §1.2: headers ------------------------------------------------------------------------------------------------------------


def padding(size):
    return -size % BLOCK


def header(name, size, typeflag=b"0", prefix=b""):
    """One ustar header; every byte follows from its arguments."""
    sizes = b"%011o\0" % size if size < 8 << 30 else b"\x80\0\0\0" + size.to_bytes(8, "big")
    fields = [
        name.ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0", sizes, b"00000000000\0", b" " * 8, typeflag,
        bytes(100), b"ustar\0", b"00", bytes(80), prefix.ljust(155, b"\0"), bytes(12),
    ]
    raw = b"".join(fields)
    assert len(raw) == BLOCK
    return raw[:148] + b"%07o\0" % sum(raw) + raw[156:]


def headers(name, size):
    """All that stands before a member's content: one header, or the three blocks of a long name."""
    if not name.startswith("blobs/sha512/"):
        return header(name.encode(), size)
    record = b"151 path=%s\n" % name.encode()
    digits = name.removeprefix("blobs/sha512/").encode()
    return (
        header(b"PaxHeaders/blob", len(record), b"x") + record + bytes(padding(len(record)))
        + header(digits[:100], size, b"0", b"blobs/sha512")
    )


NAME = re.compile(r"oci-layout|index\.json|manifest\.json|blobs/sha256/[0-9a-f]{64}|blobs/sha512/[0-9a-f]{128}")


def read_size(field):
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    require(re.fullmatch(rb"[0-7]{11}\0", field), "archive-malformed", f"a size field of {field!r}")
    return int(field[:11], 8)


def read_members(tar):
    """Every member of a tar as (name, where its headers begin, where its content begins, size); refuses what is not fully accounted for."""
    members, at, seen = [], 0, set()
    while tar[at : at + BLOCK] != bytes(BLOCK):
        first = tar[at : at + BLOCK]
        require(len(first) == BLOCK, "archive-truncated", f"a header at {at} is cut off")
        if first[156:157] == b"x":
            record = tar[at + BLOCK : at + BLOCK + 151]
            match = re.fullmatch(rb"151 path=(blobs/sha512/[0-9a-f]{128})\n", record)
            require(match, "archive-malformed", f"a pax header at {at} with something else than the path of a sha512 blob")
            name, main = match[1].decode(), tar[at + 2 * BLOCK : at + 3 * BLOCK]
        else:
            name, main = first[:100].rstrip(b"\0").decode("latin-1"), first
            require(not name.startswith("blobs/sha512/"), "archive-malformed", "a sha512 blob without a pax header")
        require(NAME.fullmatch(name), "archive-entry-forbidden", f"a member of the name {name!r}")
        require(len(main) == BLOCK, "archive-truncated", f"the header of {name} is cut off")
        size = read_size(main[124:136])
        expected = headers(name, size)
        require(tar[at : at + len(expected)] == expected, "archive-malformed", f"the header of {name} is not the one that §1.1 calls for")
        require(name not in seen, "archive-entry-duplicate", f"{name} twice")
        seen.add(name)
        content = at + len(expected)
        end = content + size
        require(end + padding(size) <= len(tar), "archive-truncated", f"{name} is cut off")
        require(not any(tar[end : end + padding(size)]), "archive-malformed", f"the padding behind {name} is not zero")
        members.append((name, at, content, size))
        at = end + padding(size)
    require(len(tar) >= at + 2 * BLOCK, "archive-truncated", "the end blocks are cut off")
    require(not any(tar[at : at + 2 * BLOCK]), "archive-malformed", "one end block alone")
    require(len(tar) == at + 2 * BLOCK, "archive-malformed", "something stands behind the end blocks")
    return members


# §2: compression ----------------------------------------------------------------------------------------------------------------

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x5e\x2a\x4d\x18"
SEEKABLE = b"\xb1\xea\x92\x8f"
BLOCK_MAXIMUM = 128 << 10
FRAME_MAXIMUM = 8 * MIB + (64 << 10)
MAX_FRAMES = 2_097_152


def frame_sizes(members, length):
    """The content sizes of all frames, from where the members' contents begin and end."""
    cuts = [0]
    for _, _, content, size in members:
        if size:
            cuts += [content, content + size]
    cuts.append(length)
    for start, end in zip(cuts, cuts[1:]):
        yield from [FRAME] * ((end - start) // FRAME)
        if (end - start) % FRAME:
            yield (end - start) % FRAME


def frame_header(size):
    if size < 256:
        return ZSTD_MAGIC + b"\x20" + size.to_bytes(1, "little")
    if size < 65_792:
        return ZSTD_MAGIC + b"\x60" + (size - 256).to_bytes(2, "little")
    return ZSTD_MAGIC + b"\xa0" + size.to_bytes(4, "little")


def seek_table(frames):
    body = b"".join(a.to_bytes(4, "little") + b.to_bytes(4, "little") for a, b in frames)
    body += len(frames).to_bytes(4, "little") + b"\0" + SEEKABLE
    return SKIPPABLE + len(body).to_bytes(4, "little") + body


def read_frame(data, at):
    """The frame at `at`: (header length, end, content size, blocks), from its header and the headers of its blocks."""
    width = {0x20: 1, 0x60: 2, 0xA0: 4}.get(data[at + 4] if at + 4 < len(data) else None)
    require(width, "archive-malformed", f"a frame at {at} with another descriptor than §2 has")
    size = int.from_bytes(data[at + 5 : at + 5 + width], "little") + (256 if width == 2 else 0)
    start = at + 5 + width
    require(data[at:start] == frame_header(size), "archive-malformed", f"the header of the frame at {at} is not the one of §2")
    require(1 <= size <= FRAME, "archive-malformed", f"a frame at {at} of {size} bytes")
    blocks, position, last = [], start, False
    while not last:
        require(position + 3 <= len(data), "archive-truncated", f"the frame at {at} is cut off")
        head = int.from_bytes(data[position : position + 3], "little")
        last, kind, length = head & 1, head >> 1 & 3, head >> 3
        # RFC 8878 §3.1.1.2: no block is larger than 128 KiB or the window, which is the content of a single segment
        require(kind != 3 and length <= min(BLOCK_MAXIMUM, size), "archive-malformed", f"a block at {position} of kind {kind}, size {length}")
        end = position + 3 + (1 if kind == 1 else length)
        require(end <= len(data), "archive-truncated", f"the frame at {at} is cut off")
        blocks.append((kind, position + 3, length))
        position = end
        require(position - at <= FRAME_MAXIMUM, "archive-malformed", f"the frame at {at} is larger than any content calls for")
    return start - at, position, size, blocks


FRAME_CACHE = {}


def frame_contents(data, frames):
    """The content of every frame. Those of raw and repeated bytes are put together here, the others by `zstd`, all in one run."""
    contents, compressed = [], []
    for number, (at, _, end, size, blocks) in enumerate(frames):
        if all(kind < 2 for kind, _, _ in blocks):
            content = b"".join(data[p : p + n] if kind == 0 else data[p : p + 1] * n for kind, p, n in blocks)
            require(len(content) == size, "archive-malformed", f"the frame at {at} holds {len(content)} bytes and says {size}")
        else:
            content = FRAME_CACHE.get(data[at:end])
            if content is None:
                compressed.append(number)
        contents.append(content)
    if compressed:
        run = subprocess.run(
            ["zstd", "-q", "-d", "-c"], input=b"".join(data[frames[n][0] : frames[n][2]] for n in compressed), capture_output=True, check=False
        )
        require(run.returncode == 0, "archive-malformed", "zstd: " + run.stderr.decode(errors="replace").strip())
        require(len(run.stdout) == sum(frames[n][3] for n in compressed), "archive-malformed", "the frames hold another number of bytes")
        at = 0
        for n in compressed:
            contents[n] = run.stdout[at : at + frames[n][3]]
            FRAME_CACHE[data[frames[n][0] : frames[n][2]]] = contents[n]
            at += frames[n][3]
    return contents


def read_frames(data, account):
    """The tar in a compressed bundle, with the content sizes of its frames; `account` gets what every byte of the file is."""
    at, frames, promised = 0, [], 0
    while data[at : at + 4] == ZSTD_MAGIC:
        head, end, size, blocks = read_frame(data, at)
        frames.append((at, at + head, end, size, blocks))
        account += [(at, at + head, "frame header"), (at + head, end, "frame blocks")]
        promised += size
        require(promised <= 1000 * end + 64 * MIB, "archive-expands-too-much", f"{promised} bytes from {end}")
        require(len(frames) <= MAX_FRAMES, "archive-malformed", "too many frames")
        at = end
    table = seek_table([(end - start, size) for start, _, end, size, _ in frames])
    require(data[at:] == table, "archive-malformed" if data[at:] else "archive-truncated", "the seek table is not the one of the frames")
    account.append((at, len(data), "seek table"))
    return b"".join(frame_contents(data, frames)), [frame[3] for frame in frames]


# JSON (§4), and the schema ------------------------------------------------------------------------------------------------------


def strict_object(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def number(text):
    """An integer, or what is none; numbers that no double holds are refused."""
    if not math.isfinite(float(text)):
        raise ValueError(f"the number {text[:20]}")
    return int(text) if text.lstrip("-").isdecimal() and text != "-0" else float(text)


def depth(value, so_far=1):
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return so_far - 1 if items is None else max((depth(item, so_far + 1) for item in items), default=so_far)


def parse(raw, code, what):
    """§4.3: one value in UTF-8, no member twice, nothing nested deeper than 127, no number beyond a double, no half of a surrogate pair."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=strict_object, parse_float=number, parse_int=number, parse_constant=number)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        if depth(value) > 127:
            raise ValueError("nested deeper than 127")
        return value
    except (ValueError, RecursionError) as error:
        raise Refused(code, f"{what} is not JSON as it should be: {error}") from error


def compact(value):
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused("bundle-manifest-invalid", "half of a surrogate pair") from error


with open(SCHEMA_FILE, encoding="utf-8") as schema_file:
    SCHEMA = json.load(schema_file)
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def resolve(schema):
    return SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def fault(value, schema, path="inventory"):
    """What the schema has against a value, or None: as much of JSON Schema 2020-12 as the schema uses."""
    known = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern", "minLength", "maxLength", "minimum",
             "maximum", "minItems", "maxItems", "uniqueItems", "items", "required", "properties", "additionalProperties", "oneOf", "if", "then", "not"}
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        return fault(value, resolve(schema), path)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or kind == "integer" and isinstance(value, bool)):
        return f"{path} is no {kind}"
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        return f"{path} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{path} is {value!r}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value, re.ASCII):
            return f"{path} is {value!r}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return f"{path} has {len(value)} characters"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{path} is {value}"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return f"{path} has {len(value)} items"
        if schema.get("uniqueItems") and any(item in value[:i] for i, item in enumerate(value)):
            return f"{path} has an item twice"
        for i, item in enumerate(value):
            if "items" in schema and (found := fault(item, schema["items"], f"{path}[{i}]")):
                return found
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for member in schema.get("required", []):
            if member not in value:
                return f"{path} has no {member}"
        for member, item in value.items():
            if member not in properties:
                if schema.get("additionalProperties") is False:
                    return f"{path} has an unknown {member!r}"
            elif found := fault(item, properties[member], f"{path}.{member}"):
                return found
    if "oneOf" in schema:
        faults = [fault(value, choice, path) for choice in schema["oneOf"]]
        if faults.count(None) != 1:
            return f"{path} is none of its kinds: {'; '.join(filter(None, faults))}"
    if "not" in schema and fault(value, schema["not"], path) is None:
        return f"{path} is what it must not be"
    if "if" in schema and fault(value, schema["if"], path) is None:
        return fault(value, schema["then"], path)
    return None


def ordered(value, schema):
    """The value with its members in the order of the schema."""
    schema = resolve(schema)
    if isinstance(value, dict):
        if "oneOf" in schema:
            schema = next(resolve(choice) for choice in schema["oneOf"] if fault(value, choice) is None)
        return {name: ordered(value[name], inner) for name, inner in schema["properties"].items() if name in value}
    if isinstance(value, list):
        return [ordered(item, schema["items"]) for item in value]
    return value


# §4: the inventory --------------------------------------------------------------------------------------------------------------


def invalid(condition, reason):
    require(condition, "bundle-manifest-invalid", reason)


TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
HOST = rf"(?:{LABEL}(?:\.{LABEL})*|\[(?P<address>[0-9a-fA-F:.]+)\])(?::(?P<port>[0-9]+))?"
REFERENCE = re.compile(rf"(?P<host>{HOST})/(?P<path>{COMPONENT}(?:/{COMPONENT})*)(?::(?P<tag>{TAG}))?(?:@(?P<digest>{DIGEST}))?")


def reference(text):
    """host, path, tag, digest; what is not there is None (§4.2)."""
    match = REFERENCE.fullmatch(text)
    invalid(match, f"{text!r} is no reference")
    invalid(len(match["host"]) <= 255 and len(match["path"]) <= 255 and int(match["port"] or 0) < 65_536, f"{text!r} is no reference")
    try:
        ipaddress.IPv6Address(match["address"] or "::")
    except ValueError as error:
        raise Refused("bundle-manifest-invalid", f"{text!r}: {error}") from error
    return match["host"], match["path"], match["tag"], match["digest"]


def absent_first(value):
    return (value is not None, value or "")


def root_order(root):
    host, path, tag, digest = reference(root["reference"])
    return host, path, absent_first(tag), absent_first(digest), root["digest"]


def referrer_order(referrer):
    return referrer["subject"], referrer["digest"], absent_first(referrer.get("tag"))


def blob_order(inventory):
    """§1.3: the sort key of the inventory's blobs."""
    decides = {s["envelope"] for s in inventory["signatures"] if "envelope" in s} | {e["digest"] for e in inventory["evidence"]}

    def key(blob):
        if blob.get("manifest"):
            return 1, blob["digest"]
        return (2 if blob["digest"] in decides or blob["mediaType"] in DECISIVE else 3), blob["digest"]

    return key


def by_digest(item):
    return item["digest"]


def by_subject(item):
    return item["subject"]


def by_digest_and_subject(item):
    return item["digest"], item["subject"]


def platform_order(child):
    """A child of a root, by digest and platform; what is absent sorts before what is there."""
    platform = child.get("platform")
    if platform is None:
        return child["digest"], (False,)
    optional = [absent_first(platform.get(name)) for name in ("variant", "os.version")]
    return child["digest"], (True, platform["os"], platform["architecture"], *optional, platform.get("os.features", []))


ORDERS = {"roots": root_order, "referrers": referrer_order, "signatures": by_digest_and_subject, "evidence": by_digest, "searches": by_subject, "omitted": by_digest}


def ascending(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


def moment(text):
    """A time as something that compares; refuses what is none."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z", text, re.ASCII)
    invalid(match, f"{text!r} is not a time in its shortest form")
    try:
        # The year 0, which Python's calendar does not have, is as long as the year 2000.
        datetime.datetime(int(match[1]) or 2000, *map(int, match.groups()[1:6]))
        return *match.groups()[:6], (match[7] or "").ljust(9, "0")
    except ValueError as error:
        raise Refused("bundle-manifest-invalid", f"{text!r}: {error}") from error


def totals(inventory):
    counts = {"blobs": len(inventory["blobs"]), "bytes": sum(b["size"] for b in inventory["blobs"])}
    ends = [e["nextUpdate"] for e in inventory["evidence"] if "nextUpdate" in e]
    return counts | ({"evidenceCurrentUntil": min(ends, key=moment)} if ends else {})


def times(value, name=""):
    if isinstance(value, dict):
        for member, item in value.items():
            yield from times(item, member)
    elif isinstance(value, list):
        for item in value:
            yield from times(item)
    elif name in ("createdAt", "thisUpdate", "nextUpdate", "producedAt", "evidenceCurrentUntil"):
        yield value


def check_inventory(raw):
    """The inventory that these bytes are."""
    code, what = "bundle-manifest-invalid", "the inventory"
    invalid(len(raw) <= 64 * MIB, "an inventory of more than 64 MiB")
    inventory = parse(raw, code, what)
    invalid(isinstance(inventory, dict), "the inventory is no object")
    found = fault(inventory.get("schemaVersion"), SCHEMA["properties"]["schemaVersion"], "schemaVersion")
    invalid(found is None, found)
    features = inventory.get("features", [])
    if isinstance(features, list) and all(isinstance(f, str) for f in features):
        # §7.4: this reader knows one feature
        unknown = [feature for feature in features if feature != DOCKER_FEATURE]
        require(not unknown, "bundle-feature-unknown", f"the bundle has the feature {unknown[:1]}")
    found = fault(inventory, SCHEMA)
    invalid(found is None, found)
    invalid(compact(ordered(inventory, SCHEMA)) == raw, "the inventory is not in its one form")
    check_consistency(inventory)
    return inventory


def check_consistency(inventory):
    """The rules of §4 that a schema cannot express."""
    for time in times(inventory):
        moment(time)
    for name, order in ORDERS.items():
        invalid(ascending([order(item) for item in inventory[name]]), f"{name} is not strictly ascending")
    for root in inventory["roots"]:
        invalid(ascending([platform_order(child) for child in root.get("platforms", [])]), "platforms are not strictly ascending")
    invalid(ascending(inventory.get("features", [])), "features are not strictly ascending")
    invalid(len(inventory["blobs"]) <= 1_000_000, "more than 1,000,000 blobs")
    invalid(ascending([blob_order(inventory)(b) for b in inventory["blobs"]]), "blobs are not in their order")
    blobs = {b["digest"]: b for b in inventory["blobs"]}
    invalid(len(blobs) == len(inventory["blobs"]), "a blob twice")
    omitted = {o["digest"] for o in inventory["omitted"]}

    def carried(digest, manifest, of, like=None):
        blob = blobs.get(digest)
        invalid(blob, f"{digest} ({of}) is not among the blobs")
        invalid(not manifest or blob.get("manifest"), f"{digest} ({of}) is not carried as a manifest")
        if like:
            invalid(blob["size"] == like["size"] and blob["mediaType"] == like.get("mediaType", blob["mediaType"]), f"{digest} ({of}) has another size or type")

    named = {}
    for root in inventory["roots"]:
        host, path, tag, digest = reference(root["reference"])
        invalid((host, path) != ("bulla.invalid", "seal"), "a root in the repository that is kept for seals")
        invalid(digest in (None, root["digest"]), f"{root['reference']} is for {root['digest']}")
        invalid(tag is None or named.setdefault((host, path, tag), root["digest"]) == root["digest"], f"{root['reference']} names two artifacts")
        carried(root["digest"], True, "a root", root)
        for child in root.get("platforms", []):
            if "omitted" not in child:
                carried(child["digest"], True, "a child")
            else:
                plain = child["digest"] in blobs and "manifest" not in blobs[child["digest"]]
                invalid(child["digest"] in omitted or plain, f"{child['digest']} is said to be omitted, and is not")
    for referrer in inventory["referrers"]:
        carried(referrer["digest"], True, "a referrer", referrer)
        carried(referrer["subject"], True, "a subject")
    for search in inventory["searches"]:
        carried(search["subject"], True, "the subject of a search")
    referring = {(r["digest"], r["subject"]) for r in inventory["referrers"]}
    for signature in inventory["signatures"]:
        invalid((signature["digest"], signature["subject"]) in referring, f"the signature {signature['digest']} is no referrer")
        if "evidence" in signature:
            carried(signature["evidence"], True, "an evidence manifest")
        if "envelope" in signature:
            carried(signature["envelope"], False, "an envelope")
    for evidence in inventory["evidence"]:
        carried(evidence["digest"], False, "evidence", {"size": evidence["size"]})
    invalid(EMPTY in blobs and blobs[EMPTY]["size"] == 2, "the empty configuration is not among the blobs")
    invalid(not omitted & set(blobs), "something is both omitted and carried")
    invalid((DOCKER_FEATURE in inventory.get("features", [])) == ("dockerManifest" in inventory), "a manifest.json without its feature, or the reverse")
    invalid(all(o["reason"] != "held" for o in inventory["omitted"]), "held content without the feature that says so")
    invalid(inventory["totals"] == totals(inventory), "the totals do not follow from the lists")


# §3, §5: what follows from the inventory ----------------------------------------------------------------------------------------


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, digest, size, annotations=None, artifact_type=None):
    entry = {"mediaType": media_type, "digest": digest, "size": size}
    if annotations:
        entry["annotations"] = dict(sorted(annotations.items()))
    if artifact_type is not None:
        entry["artifactType"] = artifact_type
    return entry


def bundle_manifest(inventory_raw):
    return compact({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE, "config": descriptor(OCI_EMPTY, EMPTY, 2),
        "layers": [descriptor(BUNDLE, sha256(inventory_raw), len(inventory_raw))],
    })


def index_document(inventory, manifest, seal):
    """index.json; `seal` is a list of the entries 5 and 6."""
    entries, listed = [], set()
    tags = [reference(root["reference"])[2] for root in inventory["roots"]]
    for root, tag in zip(inventory["roots"], tags):
        host, path, _, _ = reference(root["reference"])
        name = tag if tag is not None and tags.count(tag) == 1 else root["reference"]
        annotations = {REF_NAME: name} | ({IMAGE_NAME: f"{host}/{path}:{tag}"} if tag is not None else {})
        entries.append(descriptor(root["mediaType"], root["digest"], root["size"], annotations))
        listed.add((root["digest"], None))
    proofs = {s["evidence"] for s in inventory["signatures"] if "evidence" in s}
    proofs |= {r["digest"] for r in inventory["referrers"] if r.get("artifactType") == EVIDENCE}
    for r in inventory["referrers"]:
        tag = r.get("tag")
        if r["digest"] in proofs or (r["digest"], tag) in listed:
            continue
        listed.add((r["digest"], tag))
        entries.append(descriptor(r["mediaType"], r["digest"], r["size"], {REF_NAME: tag} if tag is not None else None, r.get("artifactType")))
    blobs = {b["digest"]: b for b in inventory["blobs"]}
    for digest in sorted(proofs):
        entries.append(descriptor(blobs[digest]["mediaType"], digest, blobs[digest]["size"], None, EVIDENCE))
    entries.append(descriptor(OCI_MANIFEST, sha256(manifest), len(manifest), {TITLE: "bulla bundle manifest"}, BUNDLE))
    entries += [descriptor(e["mediaType"], e["digest"], e["size"], None, e["artifactType"]) for e in seal]
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def member_name(digest):
    return "blobs/" + digest.replace(":", "/")


# §6: the seal -------------------------------------------------------------------------------------------------------------------


def seal_form(entry, raw, artifact_type, subject, limit):
    """One of the seal's two manifests; its layers."""
    code = "bundle-seal-invalid"
    wanted = descriptor(OCI_MANIFEST, entry.get("digest"), entry.get("size"), None, artifact_type)
    require(entry == wanted, code, f"an entry of index.json {entry}")
    require(len(raw) <= limit, code, f"a manifest of {len(raw)} bytes")
    manifest = parse(raw, code, "a manifest of the seal")
    require(isinstance(manifest, dict), code, "a manifest of the seal is no object")
    layers = manifest.get("layers")
    require(isinstance(layers, list), code, "layers that are no list")
    for found in [manifest.get("config"), manifest.get("subject"), *layers]:
        require(is_descriptor(found), code, f"{found} is no descriptor")
    same = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type}
    for member, value in same.items():
        found = manifest.get(member)
        if member == "mediaType" and found is None:
            continue
        require(found == value and type(found) is type(value), code, f"{member} of a manifest of the seal is not {value}")
    for member, value in {"config": descriptor(OCI_EMPTY, EMPTY, 2), "subject": subject}.items():
        require({name: manifest[member].get(name) for name in value} == value, code, f"{member} of a manifest of the seal is not {value}")
    require(is_annotations(manifest.get("annotations")), code, "annotations that are none")
    require(all(manifest.get(name) is None for name in ("manifests", "blobs", "fsLayers")), code, "a manifest of the seal that is another kind as well")
    return [{name: layer.get(name) for name in ("mediaType", "digest", "size")} for layer in layers]


def is_annotations(value):
    return value is None or isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def is_descriptor(value):
    """What is read of a descriptor (OCI image-spec, descriptor.md), with the types that it has there."""
    return (
        isinstance(value, dict) and isinstance(value.get("mediaType", ""), str) and isinstance(value.get("digest"), str)
        and bool(re.fullmatch(DIGEST, value["digest"])) and type(value.get("size")) is int and 0 <= value["size"] < 1 << 64
        and is_annotations(value.get("annotations")) and isinstance(value.get("artifactType"), str | None)
        and (value.get("platform") is None or is_platform(value["platform"]))
    )


def is_platform(value):
    if not isinstance(value, dict) or not isinstance(value.get("os.features"), list | None):
        return False
    optional = all(isinstance(value.get(name), str | None) for name in ("variant", "os.version"))
    return optional and all(isinstance(text, str) for text in [value.get("os"), value.get("architecture"), *(value.get("os.features") or [])])


def read_seal(entries, subject, content):
    """The digests and sizes of the seal's blobs, in their order; `content` gives the bytes of a blob."""
    code = "bundle-seal-invalid"
    if not entries:
        return []
    require(len(entries) <= 2 and all(isinstance(e, dict) for e in entries), code, f"{len(entries)} entries behind the bundle manifest")
    seal_raw = content(entries[0].get("digest"), code)
    layers = seal_form(entries[0], seal_raw, SIGNATURE, subject, 256 << 10)
    require(len(layers) == 1 and layers[0].get("mediaType") in ENVELOPES and layers[0]["size"] <= 4 * MIB, code, "the seal's envelope")
    blobs = [entries[0], layers[0]]
    if len(entries) == 2:
        raw = content(entries[1].get("digest"), code)
        proofs = seal_form(entries[1], raw, EVIDENCE, descriptor(OCI_MANIFEST, sha256(seal_raw), len(seal_raw)), 256 << 10)
        require(1 <= len(proofs) <= 64 and all(p.get("mediaType") in REVOCATION for p in proofs), code, "the seal's evidence")
        require(ascending([p["digest"] for p in proofs]), code, "the seal's evidence is not ascending")
        require(sum(p["size"] for p in proofs) <= 64 * MIB, code, "the seal's evidence is too large")
        blobs += [entries[1], *proofs]
    digests = [(b["digest"], b["size"]) for b in blobs]
    require(len({d for d, _ in digests}) == len(digests), code, "two of the seal's blobs are one")
    return digests


# §7.3: manifest.json ------------------------------------------------------------------------------------------------------------

LAYERS = [
    tar + suffix
    for kind, joint in [("oci.image.layer.{}v1.tar", "+"), ("docker.image.rootfs.{}diff.tar", ".")]
    for tar in ["application/vnd." + kind.format(part) for part in ("", "nondistributable." if joint == "+" else "foreign.")]
    for suffix in ["", *(joint + name for name in ("gzip", "zstd"))]
]
INDEXES = (OCI_INDEX, DOCKER_INDEX)


def require_docker(condition, reason):
    require(condition, "docker-manifest-mismatch", reason)


def read_manifest(raw, media_type):
    """A manifest of one clear kind, of the type that `blobs` says."""
    found = parse(raw, "docker-manifest-mismatch", "a manifest")
    require_docker(isinstance(found, dict), "a manifest is no object")
    found = {name: value for name, value in found.items() if value is not None}
    media_type = media_type or found.get("mediaType")
    require_docker(found.get("mediaType", media_type) == media_type and isinstance(found.get("artifactType", ""), str), "a manifest of another type")
    version = found.get("schemaVersion")
    require_docker("fsLayers" not in found and (version is None or type(version) is int and 0 <= version < 1 << 64 and version != 1), "a manifest of another version")
    lists = [found.get(name, []) for name in ("layers", "blobs", "manifests")]
    require_docker(all(isinstance(items, list) for items in lists), "a list that is none")
    described = [item for items in lists for item in items] + [found[name] for name in ("config", "subject") if name in found]
    require_docker(all(is_descriptor(item) for item in described) and is_annotations(found.get("annotations")), "a descriptor that is none")
    has = {name for name in ("config", "layers", "blobs", "manifests") if name in found}
    if media_type in INDEXES:
        require_docker(has == {"manifests"} and version == 2, "an index that is another kind as well")
    elif media_type in (OCI_MANIFEST, DOCKER_MANIFEST):
        require_docker(has == {"config", "layers"} and version == 2, "an image manifest that is another kind as well")
    else:
        require_docker(media_type == "application/vnd.oci.artifact.manifest.v1+json" and has <= {"blobs"}, "a manifest of an unknown type")
    return media_type, found


def image_of(document, records):
    """Whether a manifest is an image; refuses one that cannot be loaded."""
    layers = document.get("layers", [])
    if "artifactType" in document or document.get("config", {}).get("mediaType") not in CONFIGS:
        return False
    types = [layer.get("mediaType", "") for layer in layers]
    if types and not any(kind.removesuffix("+encrypted") in LAYERS for kind in types):
        return False
    require_docker(all(kind in LAYERS for kind in types), "a layer that is not unpacked")
    require_docker(all(item["digest"] in records for item in [document["config"], *layers]), "an image that is not whole")
    return True


def docker_manifest(inventory, read):
    """The manifest.json of an inventory; `read` gives the bytes of a manifest."""
    records = {blob["digest"]: blob for blob in inventory["blobs"]}
    known, images = {}, {}

    def below(digest, levels):
        if not records.get(digest, {}).get("manifest"):
            return 0, set()
        if digest not in known:
            media_type, document = read_manifest(read(digest), records[digest]["mediaType"])
            if media_type in INDEXES:
                require_docker(levels, "too many levels of indexes")
                children = [below(c["digest"], levels - 1) for c in document["manifests"] if (c.get("platform") or {}).get("os") != "unknown"]
                known[digest] = 1 + max((height for height, _ in children), default=0), set().union(*(found for _, found in children))
            else:
                known[digest] = 0, {digest} if image_of(document, records) else set()
                images[digest] = document
        require_docker(known[digest][0] <= levels, "too many levels of indexes")
        return known[digest]

    entries = {}
    for root in inventory["roots"]:
        found = below(root["digest"], 32)[1]
        require_docker(len(found) < 2, f"{root['reference']} holds several images")
        for digest in found:
            document = images[digest]
            layers = [member_name(layer["digest"]) for layer in document["layers"]]
            entry = entries.setdefault(digest, {"Config": member_name(document["config"]["digest"]), "RepoTags": [], "Layers": layers})
            host, path, tag, _ = reference(root["reference"])
            name = f"{host}/{path}:{tag}"
            if tag is not None and name not in entry["RepoTags"]:
                entry["RepoTags"].append(name)
    require_docker(entries, "no image")
    raw = compact([entries[digest] for digest in sorted(entries)])
    require_docker(len(raw) <= 64 * MIB, "a manifest.json of more than 64 MiB")
    return raw


def docker_record(raw):
    return {"digest": sha256(raw), "size": len(raw)}


# §8: the reader -----------------------------------------------------------------------------------------------------------------


def check_tar(tar):
    """Everything of §8 for a plain tar, digests of all blobs with it: members, inventory, entries of the seal in index.json."""
    members = read_members(tar)
    require(len(members) >= 3, "archive-truncated", "less than three members")
    place = {name: (content, size) for name, _, content, size in members}

    def content_of(name):
        start, size = place[name]
        return tar[start : start + size]

    def blob(digest, code="blob-missing"):
        name = member_name(digest) if isinstance(digest, str) else None
        require(name in place, code, f"{digest} is not there")
        raw = content_of(name)
        algorithm = digest.split(":")[0]
        require(f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}" == digest, "blob-digest-mismatch", f"{digest} is something else")
        return raw

    require([m[0] for m in members[:2]] == ["oci-layout", "index.json"], "archive-malformed", "the first two members")
    require(content_of("oci-layout") == LAYOUT_DOCUMENT, "archive-malformed", "oci-layout is something else")
    index_raw = content_of("index.json")
    require(len(index_raw) <= 64 * MIB, "archive-malformed", "an index.json of more than 64 MiB")
    index = parse(index_raw, "bundle-index-mismatch", "index.json")
    entries = index.get("manifests") if isinstance(index, dict) else None
    require(isinstance(entries, list) and all(isinstance(e, dict) for e in entries), "bundle-index-mismatch", "index.json lists nothing")
    bundles = [i for i, e in enumerate(entries) if e.get("artifactType") == BUNDLE]
    require(len(bundles) == 1, "bundle-index-mismatch", f"index.json lists {len(bundles)} bundle manifests")
    manifest = blob(entries[bundles[0]].get("digest"), "bundle-index-mismatch")
    require(len(manifest) <= 4096, "bundle-manifest-invalid", "a bundle manifest of more than 4 KiB")
    named = parse(manifest, "bundle-manifest-invalid", "the bundle manifest")
    try:
        inventory_digest = named["layers"][0]["digest"]
    except (KeyError, IndexError, TypeError) as error:
        raise Refused("bundle-manifest-invalid", "the bundle manifest names no inventory") from error
    inventory_raw = blob(inventory_digest)
    inventory = check_inventory(inventory_raw)
    require(manifest == bundle_manifest(inventory_raw), "bundle-manifest-invalid", "the bundle manifest is not the one of its inventory")
    seal_entries = entries[bundles[0] + 1 :]
    seal = read_seal(seal_entries, descriptor(OCI_MANIFEST, sha256(manifest), len(manifest)), blob)
    require(index_raw == index_document(inventory, manifest, seal_entries), "bundle-index-mismatch", "index.json does not follow from the inventory")
    docker = inventory.get("dockerManifest")
    if docker is not None:
        require_docker("manifest.json" in place, "manifest.json is not there")
        found = content_of("manifest.json")
        require_docker(docker_record(found) == docker, "manifest.json is not what the inventory says")
        require_docker(docker_manifest(inventory, blob) == found, "manifest.json does not follow from the images")
    expected = [(sha256(manifest), len(manifest)), *seal, (sha256(inventory_raw), len(inventory_raw))]
    front = len(expected)
    sealed = dict(seal)
    for b in inventory["blobs"]:
        if b["digest"] in sealed:
            require(sealed[b["digest"]] == b["size"], "bundle-seal-invalid", f"the seal and the inventory give {b['digest']} two sizes")
        else:
            expected.append((b["digest"], b["size"]))
    for digest, size in expected:
        require(member_name(digest) in place, "blob-missing", f"{digest} is missing")
        require(place[member_name(digest)][1] == size, "blob-size-mismatch", f"{digest} has {place[member_name(digest)][1]} bytes instead of {size}")
    names, due = [m[0] for m in members[2:]], [member_name(d) for d, _ in expected]
    due[front:front] = ["manifest.json"] if docker is not None else []
    require(len(names) == len(due), "archive-entry-unexpected", "a member that the inventory does not name")
    require(names == due, "archive-malformed", "the members are in another order")
    for digest, _ in expected:
        blob(digest)
    return members, inventory, seal_entries


def check(data):
    """The members, inventory, seal's entries of index.json, tar and accounting of a bundle; raises Refused."""
    account = []
    if data[:4] == ZSTD_MAGIC:
        tar, sizes = read_frames(data, account)
        members, inventory, seal = check_tar(tar)
        require(list(frame_sizes(members, len(tar))) == sizes, "archive-malformed", "the frames are cut in other places")
    else:
        tar = data
        members, inventory, seal = check_tar(tar)
        account += tar_account(members, len(tar))
    covered = 0
    for start, end, _ in account:
        assert start == covered, (start, covered)
        covered = end
    assert covered == len(data)
    return members, inventory, seal, tar, account


def tar_account(members, length):
    """What every byte of a tar is, as (from, to, what)."""
    at = 0
    for name, begin, content, size in members:
        yield begin, content, f"header of {name}"
        at = content + size + padding(size)
        if size:
            yield content, content + size, name
        if padding(size):
            yield content + size, at, f"padding of {name}"
    yield at, length, "end blocks"


def verdict(data):
    try:
        members, inventory, seal, tar, _ = check(data)
    except Refused as refused:
        return {"accepted": False, "code": refused.code, "reason": refused.reason}
    counts = {"members": len(members), "bytes": len(data), "blobs": inventory["totals"]["blobs"], "sealed": bool(seal)}
    return {"accepted": True, "reason": "", "tar": sha256(tar)} | counts


# The command line ---------------------------------------------------------------------------------------------------------------


def load(path):
    with open(path, "rb") as file:
        return file.read()


def main(arguments):
    match arguments:
        case ["check", *files] if files:
            verdicts = [verdict(load(file)) for file in files]
            for found in verdicts:
                print(json.dumps(found))
            return 0 if all(found["accepted"] for found in verdicts) else 1
        case ["account", file]:
            for start, end, what in check(load(file))[4]:
                print(f"{start:>12} {end:>12} {what}")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
