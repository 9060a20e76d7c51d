#!/usr/bin/env python3
"""Bundles that are changed in every way that somebody thought of, with what the reader in bundle.py says of each.

    mutations.py FILE STEP     one JSON object a line: class, name, the edit of FILE as [offset, bytes taken away, "hexadecimal put
                               there"], and the verdict: accepted, code, reason. Nothing is random. Of all bits, and of all values in
                               documents, every STEPth is changed (of blobs' content, one bit in STEP bytes); all else is done whatever
                               STEP is. With 1 it is thorough, and takes minutes.

What is changed inside of a document is made to fit all around it as far as a forger could: digests, sizes, names and `index.json`.
"""

import copy
import json
import sys

import bundle as b

HEX = "0123456789abcdef"


# Bits ---------------------------------------------------------------------------------------------------------------------------


def bits(data, step):
    """Every STEPth bit; of content that a digest covers every 8 x STEP + 1st."""
    for start, end, what in b.check(data)[4]:
        kind = "blob" if what.startswith("blobs/") else what.split(" of ")[0]
        for place in range(8 * start, 8 * end, 8 * step + 1 if kind == "blob" else step):
            at, bit = divmod(place, 8)
            yield f"bit of {kind}", f"bit {bit} of byte {at}", splice(data, at, at + 1, bytes([data[at] ^ 1 << bit]))


def splice(data, start, end, put):
    return data[:start] + put + data[end:]


# The tar ------------------------------------------------------------------------------------------------------------------------


def take_apart(tar):
    """[name, headers, content] of every member."""
    return [[name, tar[at:start], tar[start : start + size]] for name, at, start, size in b.read_members(tar)]


def put_together(members, end=bytes(2 * b.BLOCK)):
    return b"".join(h + c + bytes(b.padding(len(c))) for _, h, c in members) + end


def member(name, content):
    return [name, b.headers(name, len(content)), content]


def checksum(head):
    raw = head[:148] + b" " * 8 + head[156:]
    return raw[:148] + b"%07o\0" % sum(raw) + raw[156:]


def field(head, at, put):
    return checksum(splice(head, at, at + len(put), put))


def header_forms(name, head, size):
    """A header in other forms, all with a checksum that fits; most of them are read by every tar."""
    sum_of = int(head[148:155], 8)
    for label, at, put in [
        ("mode 0755", 100, b"0000755\0"), ("mode of six digits", 100, b"000644 \0"), ("mode with spaces", 100, b"   644 \0"), ("uid 1", 108, b"0000001\0"),
        ("uid in spaces", 108, b"       \0"), ("gid 1", 116, b"0000001\0"), ("mtime 1", 136, b"00000000001\0"), ("mtime with a space", 136, b"00000000000 "),
        ("size with a space behind", 124, b"%011o " % size), ("size with spaces before", 124, b"%11o\0" % size), ("size of twelve digits", 124, b"%012o" % size),
        ("size in base 256", 124, b"\x80" + size.to_bytes(11, "big")), ("size, all in base 256", 124, b"\x80\0\0\0" + size.to_bytes(8, "big")),
        ("a negative size", 124, b"\xff" * 12), ("no size", 124, bytes(12)), ("a size beyond the file", 124, b"77777777777\0"),
        ("size + 1", 124, b"%011o\0" % (size + 1)), ("magic of GNU tar", 257, b"ustar  \0"), ("no magic", 257, bytes(8)), ("version 01", 263, b"01"),
        ("version in spaces", 263, b"  "), ("typeflag zero", 156, b"\0"), ("typeflag 7", 156, b"7"), ("a directory", 156, b"5"), ("a link", 156, b"2"),
        ("a hard link", 156, b"1"), ("a device", 156, b"3"), ("a sparse file", 156, b"S"), ("a global header", 156, b"g"), ("an extension header", 156, b"x"),
        ("a long name", 156, b"L"), ("a linkname", 157, b"a"), ("a user", 265, b"root"), ("a group", 297, b"root"), ("devmajor 0", 329, b"0000000\0"),
        ("devminor 0", 337, b"0000000\0"), ("a prefix", 345, b"a"), ("the end of the block", 500, b"\1"), ("junk behind the name", 99, b"a"),
    ]:
        yield label, field(head, at, put)
    yield "checksum of six digits", splice(head, 148, 156, b"%06o\0 " % sum_of)
    yield "checksum with spaces", splice(head, 148, 156, b"%7o\0" % sum_of)
    yield "checksum + 1", splice(head, 148, 156, b"%07o\0" % (sum_of + 1))
    for label, other in [("./ before the name", b"./" + name), ("/ before the name", b"/" + name), ("../ before the name", b"../" + name),
                         ("name in capitals", name.upper()), ("/ behind the name", name + b"/"), ("a doubled slash", name.replace(b"/", b"//"))]:
        if len(other) <= 100 and other != name:
            yield label, field(head, 0, other.ljust(100, b"\0"))
    if b"/" in name and len(name) < 100:
        prefix, rest = name.rsplit(b"/", 1)
        yield "name in two fields", field(field(head, 0, rest.ljust(100, b"\0")), 345, prefix.ljust(155, b"\0"))


def pax(records, typeflag=b"x"):
    content = b"".join(records)
    return b.header(b"PaxHeaders/blob", len(content), typeflag) + content + bytes(b.padding(len(content)))


def record(key, value):
    length = len(key) + len(value) + 3
    while length != len(b"%d %s=%s\n" % (length, key, value)):
        length = len(b"%d %s=%s\n" % (length, key, value))
    return b"%d %s=%s\n" % (length, key, value)


def tars(tar, step):
    parts = take_apart(tar)
    for i, part in enumerate(parts):
        if i:
            yield "order of members", f"{i - 1} and {i} exchanged", put_together(parts[: i - 1] + [part, parts[i - 1]] + parts[i + 1 :])
        yield "members", f"{i} twice", put_together(parts[: i + 1] + parts[i:])
        yield "members", f"{i} again at the end", put_together([*parts, part])
        yield "members", f"without {i}", put_together(parts[:i] + parts[i + 1 :])
        yield "members", f"{i} is empty", put_together(parts[:i] + [member(part[0], b"")] + parts[i + 1 :])
        yield "members", f"{i} is longer", put_together(parts[:i] + [member(part[0], part[2] + b" ")] + parts[i + 1 :])
        yield "zero blocks", f"one before {i}", put_together(parts[:i]) [: -2 * b.BLOCK] + bytes(b.BLOCK) + put_together(parts[i:])
        yield "zero blocks", f"the end before {i}", put_together(parts[:i]) + put_together(parts[i:])
        # Where STEP is not 1, of the two documents, of the third member, of long names and of the last.
        if step > 1 and 3 <= i < len(parts) - 1 and len(part[1]) == b.BLOCK:
            continue
        for label, head in header_forms(part[0].encode(), part[1][-b.BLOCK :], len(part[2])):
            changed = [part[0], part[1][: -b.BLOCK] + head, part[2]]
            yield "forms of headers", f"{i}: {label}", put_together(parts[:i] + [changed] + parts[i + 1 :])
        path = record(b"path", part[0].encode())
        for label, records, flag in [("a pax path", [path], b"x"), ("a pax path, global", [path], b"g"), ("a pax time", [record(b"mtime", b"1")], b"x"),
                                     ("a pax size", [record(b"size", b"%d" % len(part[2]))], b"x"), ("an empty pax header", [], b"x"),
                                     ("a pax path and time", [path, record(b"mtime", b"0")], b"x"), ("a GNU long name", [part[0].encode() + b"\0"], b"L")]:
            extended = [part[0], pax(records, flag) + part[1][-b.BLOCK :], part[2]]
            yield "extension headers", f"{i}: {label}", put_together(parts[:i] + [extended] + parts[i + 1 :])
    extra = member(b.member_name(b.sha256(b"more")), b"more")
    for name in ["blobs/", "blobs/sha256", "manifest.json", "blobs/md5/" + "0" * 32, "repositories"]:
        stranger = [name, b.header(name.encode(), 0), b""]
        yield "members", f"a stranger {name}", put_together([*parts, stranger])
    for i in (2, 3, 4, len(parts)):
        yield "members", f"one more at {i}", put_together(parts[:i] + [extra] + parts[i:])
    whole = put_together(parts, b"")
    for label, end in [("no end", b""), ("half an end", bytes(512)), ("three blocks", bytes(1536)), ("twenty blocks", bytes(10240)), ("a byte more", bytes(1025)),
                       ("a newline more", bytes(1024) + b"\n"), ("1,023 bytes", bytes(1023)), ("a block of ones", bytes(512) + b"\1" * 512), ("another tar", bytes(1024) + whole)]:
        yield "the end", label, whole + end
    for cut in (1, 511, 512, 513, 1024, 1536, len(tar) // 2, len(tar) - 1, len(tar)):
        yield "the end", f"{cut} bytes taken away", tar[: len(tar) - cut]
    for before in (b"\0", bytes(512), b"\x1f\x8b"):
        yield "the end", f"{before[:2].hex()} put before", before + tar


# zstd ---------------------------------------------------------------------------------------------------------------------------


def raw_frame(content, head=None, tail=b""):
    blocks = []
    for at in range(0, len(content), b.BLOCK_MAXIMUM):
        piece = content[at : at + b.BLOCK_MAXIMUM]
        blocks.append((len(piece) << 3 | (at + len(piece) >= len(content))).to_bytes(3, "little") + piece)
    return (b.frame_header(len(content)) if head is None else head) + b"".join(blocks) + tail


def with_table(frames, sizes):
    return b"".join(frames) + b.seek_table([(len(f), s) for f, s in zip(frames, sizes)])


def frames(tar, sizes):
    """The same tar in other frames, tables and blocks."""
    parts, at = [], 0
    for size in sizes:
        parts.append(tar[at : at + size])
        at += size
    good = [raw_frame(part) for part in parts]
    yield "blocks", "raw ones", with_table(good, sizes)
    for i, part in enumerate(parts):
        def put(*new, sized=None, i=i):
            return with_table(good[:i] + list(new) + good[i + 1 :], sizes[:i] + (sized or [len(part)] * len(new)) + sizes[i + 1 :])

        n = len(part)
        head = b.frame_header(n)
        zero = (0).to_bytes(3, "little")
        piece = (n << 3).to_bytes(3, "little") + part
        yield "blocks", f"{i}: an empty block before", put(head + zero + good[i][len(head) :])
        yield "blocks", f"{i}: an empty block behind", put(head + piece + (1).to_bytes(3, "little"))
        yield "blocks", f"{i}: no last block", put(head + piece)
        yield "blocks", f"{i}: a reserved block", put(head + (n << 3 | 7).to_bytes(3, "little") + part)
        yield "blocks", f"{i}: repeated bytes", put(head + (n << 3 | 3).to_bytes(3, "little") + part[:1])
        yield "blocks", f"{i}: repeated bytes, one too many", put(head + (n + 1 << 3 | 3).to_bytes(3, "little") + part[:1])
        yield "blocks", f"{i}: a byte at a time", put(head + b"".join((1 << 3 | (k == n - 1)).to_bytes(3, "little") + part[k : k + 1] for k in range(n)))
        yield "blocks", f"{i}: a block larger than the content", put(head + (n + 1 << 3 | 1).to_bytes(3, "little") + part + b"\0")
        yield "blocks", f"{i}: a block smaller than the content", put(head + (n - 1 << 3 | 1).to_bytes(3, "little") + part[:-1])
        yield "blocks", f"{i}: an empty compressed block", put(head + (0 << 3 | 4).to_bytes(3, "little") + good[i][len(head) :])
        yield "forms of frames", f"{i}: a checksum", put(raw_frame(part, head[:4] + bytes([head[4] | 4]) + head[5:], b"\0\0\0\0"))
        yield "forms of frames", f"{i}: the size in eight bytes", put(raw_frame(part, head[:4] + b"\xe0" + n.to_bytes(8, "little")))
        yield "forms of frames", f"{i}: the size in four bytes", put(raw_frame(part, head[:4] + b"\xa0" + n.to_bytes(4, "little")))
        yield "forms of frames", f"{i}: a window, no size", put(raw_frame(part, head[:4] + b"\x00\x58"))
        yield "forms of frames", f"{i}: a window and the size", put(raw_frame(part, head[:4] + b"\x80\x58" + n.to_bytes(4, "little")))
        yield "forms of frames", f"{i}: a dictionary", put(raw_frame(part, head[:4] + bytes([head[4] | 1]) + b"\0" + head[5:]))
        yield "forms of frames", f"{i}: the reserved bit", put(raw_frame(part, head[:4] + bytes([head[4] | 8]) + head[5:]))
        yield "forms of frames", f"{i}: the unused bit", put(raw_frame(part, head[:4] + bytes([head[4] | 16]) + head[5:]))
        yield "forms of frames", f"{i}: another size", put(raw_frame(part, b.frame_header(n + 1)))
        yield "forms of frames", f"{i}: another magic", put(b"\x27" + good[i][1:])
        yield "cuts", f"{i}: an empty frame before", put(raw_frame(b"", tail=b"\1\0\0"), good[i], sized=[0, n])
        if n > 1:
            yield "cuts", f"{i}: in two", put(raw_frame(part[:1]), raw_frame(part[1:]), sized=[1, n - 1])
        if i + 1 < len(parts):
            joined = raw_frame(part + parts[i + 1])
            yield "cuts", f"{i} and the next in one", with_table(good[:i] + [joined] + good[i + 2 :], sizes[:i] + [n + sizes[i + 1]] + sizes[i + 2 :])
            yield "cuts", f"{i} and the next exchanged", with_table(good[:i] + [good[i + 1], good[i]] + good[i + 2 :], sizes[:i] + [sizes[i + 1], n] + sizes[i + 2 :])
            yield "the table", f"{i} and the next as one", b"".join(good) + b.seek_table([(len(f), s) for f, s in merged(good, sizes, i)])
        for label, skip in [("empty", b"\x50\x2a\x4d\x18\0\0\0\0"), ("a note", b"\x5e\x2a\x4d\x18\4\0\0\0note")]:
            yield "skippable frames", f"{label}, before {i}", b"".join(good[:i]) + skip + with_table_behind(good, sizes, i, len(skip))
            yield "skippable frames", f"{label}, before {i}, not in the table", b"".join(good[:i]) + skip + b"".join(good[i:]) + b.seek_table([(len(f), s) for f, s in zip(good, sizes)])
    body, table = b"".join(good), b.seek_table([(len(f), s) for f, s in zip(good, sizes)])
    yield from tables(body, table, [(len(f), s) for f, s in zip(good, sizes)])
    yield "cuts", "all in one", with_table([raw_frame(tar)], [len(tar)])
    yield "members", "an empty file", b""
    yield "cuts", "no frames", b.seek_table([])


def merged(good, sizes, i):
    pairs = [(good[k], sizes[k]) for k in range(len(good))]
    return pairs[:i] + [(good[i] + good[i + 1], sizes[i] + sizes[i + 1])] + pairs[i + 2 :]


def with_table_behind(good, sizes, i, skipped):
    entries = [(len(f), s) for f, s in zip(good, sizes)]
    return b"".join(good[i:]) + b.seek_table(entries[:i] + [(skipped, 0)] + entries[i:])


def tables(body, table, entries):
    for label, other in [
        ("none", b""), ("twice", table + table), ("a byte behind", table + b"\0"), ("a frame behind", table + raw_frame(b"x")), ("without its last byte", table[:-1]),
        ("another magic", b"\x5f" + table[1:]), ("another footer", table[:-1] + b"\x8e"), ("size + 1", table[:4] + (len(table) - 7).to_bytes(4, "little") + table[8:]),
        ("a checksum flag", table[:-5] + b"\x80" + table[-4:]), ("reserved bits", table[:-5] + b"\x04" + table[-4:]),
        ("a frame too few", b.seek_table(entries[:-1])), ("a frame too many", b.seek_table([*entries, (0, 0)])), ("reversed", b.seek_table(entries[::-1])),
        ("with checksums", b.SKIPPABLE + (12 * len(entries) + 9).to_bytes(4, "little") + b"".join(x.to_bytes(4, "little") + y.to_bytes(4, "little") + bytes(4) for x, y in entries) + len(entries).to_bytes(4, "little") + b"\x80" + b.SEEKABLE),
        ("other content sizes", b.seek_table([(x, y + 1) for x, y in entries])), ("a size moved", b.seek_table([(entries[0][0] + 1, entries[0][1]), (entries[1][0] - 1, entries[1][1]), *entries[2:]])),
    ]:
        yield "the table", label, body + other


# Documents ----------------------------------------------------------------------------------------------------------------------


REPLACEMENTS = [None, True, False, 0, 1, 2, -1, 1.0, 1.5, 1e300, (1 << 53) - 1, 1 << 53, 1 << 64, "", "x", "é\u007f", "\u0001", [], ["x"], {}, {"x": 1}]
TEXTS = {
    "reference": ["registry.example/app", "registry.example/app:v1", "Registry.example/app:v1", "a_b.example/app:v1", "registry.example:5000/app:v1", "registry.example:65536/app:v1",
                  "registry.example:/app:v1", "[::1]:5000/app:v1", "[::1]/app", "[::g]/app", "[1.2.3.4]/app", "[::1%eth0]/app", "[0:0:0:0:0:0:0:1]/app", "registry.example/App:v1", "registry.example/a__b:v1",
                  "registry.example/a___b:v1", "registry.example/a--b:v1", "registry.example/a.-b", "registry.example/-a", "registry.example/a-", "registry.example//a", "registry.example/a/", "app:v1",
                  "-a.example/app", "a-.example/app", "a..b/app", "registry.example/app:", "registry.example/app:.x", "registry.example/app:v+1", "registry.example/app@", "registry.example/app:v1@sha256:00",
                  "registry.example/app :v1", "https://registry.example/app", "bulla.invalid/seal", "bulla.invalid/seal:v1", "bulla.invalid/seal/x:v1", "BULLA.invalid/seal:v1", "a" * 255 + "/app",
                  "a" * 256 + "/app", "a/" + "b" * 255, "a/" + "b" * 256, "a/b:" + "c" * 128, "a/b:" + "c" * 129, "a/b:é", "a/é", "é/a"],
    "time": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.50Z",
             "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.1234567891Z", "2026-01-01T00:00:60Z", "2026-12-31T23:59:60Z", "2026-02-29T00:00:00Z",
             "2024-02-29T00:00:00Z", "0000-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00Z",
             "02026-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026-01-01T00:00:00", "20260101T000000Z", "2026-01-01T00:00:00,5Z"],
    "digest": ["sha256:" + "0" * 64, "SHA256:" + "0" * 64, "sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha512:" + "0" * 128, "sha384:" + "0" * 96, "md5:" + "0" * 32, "0" * 64, "sha256:" + "0" * 64 + "\n"],
    "tag": ["v1", "", ".x", "a" * 128, "a" * 129, "é", "a b", "a:b"],
    "name": ["a", "A", "-a", "a-", "a/b", "a//b", "a" * 128, "a" * 129, "", "a b", "a\n"],
    "hex": ["0", "ff", "FF", "fg", "", "0x1", "-1", " 1"],
    "code": ["a-code-of-tomorrow", "A", "a--b", "-a", "a-", "", "a_b", "1", "é"],
}
KINDS = {"reference": "reference", "createdAt": "time", "thisUpdate": "time", "nextUpdate": "time", "producedAt": "time", "evidenceCurrentUntil": "time", "digest": "digest", "subject": "digest",
         "envelope": "digest", "previous": "digest", "tag": "tag", "name": "name", "number": "hex", "baseNumber": "hex", "code": "code", "serials": "hex"}


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def edited(value, path, change):
    """A copy in which change(parent, key) was called."""
    value = copy.deepcopy(value)
    change(at(value, path[:-1]), path[-1])
    return value


def put(new):
    def change(parent, key):
        parent[key] = new

    return change


def remove(parent, key):
    del parent[key]


def all_values(value):
    """A document with one thing in it changed, wherever that is."""
    for path in paths(value):
        where = "/".join(map(str, path))
        here = at(value, path)
        if isinstance(here, dict):
            yield f"{where} with an unknown member", edited({"": value}, ("", *path), put({**here, "x-unknown": 1}))[""]
            yield f"{where} in another order", edited({"": value}, ("", *path), put(dict(reversed(list(here.items())))))[""]
        if isinstance(here, list):
            yield f"{where} reversed", edited({"": value}, ("", *path), put(here[::-1]))[""]
            yield f"{where} doubled", edited({"": value}, ("", *path), put([item for item in here for _ in range(2)]))[""]
        if not path:
            continue
        yield f"without {where}", edited(value, path, remove)
        for new in REPLACEMENTS:
            yield f"{where}: {json.dumps(new)}", edited(value, path, put(new))
        kind = KINDS.get(path[-1]) or KINDS.get(path[-2] if len(path) > 1 else None)
        for new in TEXTS.get(kind, []) if isinstance(here, str) else []:
            yield f"{where}: {json.dumps(new)}", edited(value, path, put(new))


def texts(raw):
    """The same document, or nearly, in other bytes."""
    text = raw.decode()
    first = text.index(":") + 1
    yield "a space in front", b" " + raw
    yield "a newline behind", raw + b"\n"
    yield "a space inside", (text[:first] + " " + text[first:]).encode()
    yield "indented", json.dumps(json.loads(raw), indent=1, ensure_ascii=False).encode()
    yield "a byte order mark", b"\xef\xbb\xbf" + raw
    yield "in UTF-16", text.encode("utf-16")
    yield "a comma behind", raw[:-1] + b",}"
    yield "a value behind", raw + b"{}"
    yield "cut off", raw[:-1]
    yield "in an array", b"[" + raw + b"]"
    yield "empty", b""
    yield "null", b"null"
    yield "escaped", text.replace("application", "\\u0061pplication", 1).encode()
    yield "escaped slashes", text.replace("/", "\\/").encode()
    yield "an escaped name", text.replace('"mediaType"', '"\\u006dediaType"', 1).encode()
    yield "a member twice", (text[:-1] + ',"schemaVersion":' + text[text.index(":") + 1] + "}").encode()
    yield "a member twice, the second escaped", (text[:-1] + ',"schemaVersi\\u006fn":1}').encode()
    yield "an inner member twice", text.replace('"size":', '"size":0,"size":', 1).encode()
    for old, new in [('"schemaVersion":', '"schemaVersion":0'), ('"schemaVersion":', '"schemaVersion":+'), ('"size":', '"size":0'), ('"size":', '"size":-')]:
        yield f"{new} for {old}", text.replace(old, new, 1).encode()
    for number in ("1.0", "2.0", "1e0", "2e0", "0x1", "NaN", "Infinity", "1E400", "9" * 400, "-0", "-0.0"):
        place = text.index(":") + 1
        yield f"schemaVersion {number}", (text[:place] + number + text[place + 1 :]).encode()
        yield f"an unknown member {number}", (text[:-1] + f',"x":{number}}}').encode()
    for depth in (1, 126, 127, 128, 129, 5000, 100_000):
        yield f"nested {depth} deep", (text[:-1] + ',"x":' + "[" * depth + "]" * depth + "}").encode()
    for string in ("\\ud800", "\\ud800\\udc00", "\\udc00", "\\u0000", "\\x", "\\u00g0", "\t", "\u007f", "\ufeff", "\\u007F"):
        yield f"an unknown member with {string!r}", (text[:-1] + f',"x":"{string}"}}').encode()
        yield f"an unknown member named {string!r}", (text[:-1] + f',"{string}":0}}').encode()
    yield "not UTF-8", raw[:-1] + b',"x":"\xff"}'
    yield "not UTF-8, overlong", raw[:-1] + b',"x":"\xc0\xaf"}'
    yield "not UTF-8, a surrogate", raw[:-1] + b',"x":"\xed\xa0\x80"}'


def blobs_of(value, known):
    """The blobs of an inventory, if all of them are at hand."""
    blobs = value.get("blobs") if isinstance(value, dict) else None
    if isinstance(blobs, list) and all(isinstance(blob, dict) and isinstance(blob.get("digest"), str) for blob in blobs):
        if all(b.member_name(blob["digest"]) in known for blob in blobs):
            return blobs
    return None


def additions(inventory):
    """Inventories that say more, with all lists in order and all sums right, so that what is said decides and not how."""
    blobs = inventory["blobs"]
    manifests = [blob for blob in blobs if blob.get("manifest")]
    plain = [blob for blob in blobs if not blob.get("manifest")]

    def like(blob, *names):
        return {name: blob[name] for name in names or ("digest", "size", "mediaType")}

    def more(label, **lists):
        value = copy.deepcopy(inventory)
        for name, items in lists.items():
            value[name] = sorted(value[name] + items, key=b.ORDERS[name])
        value["blobs"].sort(key=b.blob_order(value))
        value["totals"] = b.totals(value)
        return label, b.ordered(value, b.SCHEMA)

    taken = next((b.reference(root["reference"])[2] for root in inventory["roots"]), None) or "v1"
    for i, blob in enumerate(manifests):
        for name in [f"a.example/more:{taken}", "a.example/more", f"a.example/more:{taken}@{blob['digest']}", f"a.example/more@{blob['digest']}", f"z.example/more:{taken}",
                     f"a.example/more@{b.EMPTY}", "a.example/more:other", inventory["roots"][0]["reference"], "bulla.invalid/seal:v1"]:
            yield more(f"root {i} as {name}", roots=[{"reference": name} | like(blob)])
        both = [{"reference": name} | like(blob) for name in ("a.example/one:new", "a.example/two:new")]
        yield more(f"root {i} twice", roots=both)
        for j, subject in enumerate(manifests):
            for label, extra in [("", {}), (" with a tag", {"tag": "a-tag"}), (" with a root's tag", {"tag": taken}), (" of a type", {"artifactType": "text/x"}), (" of no type", {"artifactType": ""}), (" as evidence", {"artifactType": b.EVIDENCE}),
                                 (" as evidence with a tag", {"artifactType": b.EVIDENCE, "tag": "a-tag"}), (" as a bundle", {"artifactType": b.BUNDLE})]:
                yield more(f"referrer {i} of {j}{label}", referrers=[{"subject": subject["digest"]} | like(blob) | extra])
            pair = {"subject": subject["digest"]} | like(blob)
            signature = {"digest": blob["digest"], "subject": subject["digest"]}
            yield more(f"referrer {i} of {j} twice, once with a tag", referrers=[pair, pair | {"tag": "a-tag"}])
            yield more(f"signature {i} of {j}", referrers=[pair], signatures=[signature])
            yield more(f"signature {i} of {j}, itself its evidence", referrers=[pair], signatures=[signature | {"evidence": blob["digest"]}])
            yield more(f"signature {i} of {j} that is no referrer", signatures=[signature])
        yield more(f"search for {i}", searches=[{"subject": blob["digest"], "searches": []}])
        yield more(f"search for {i} with two methods", searches=[{"subject": blob["digest"], "searches": [{"method": "referrers", "result": "found"}] * 2}])
        yield more(f"omitted {i}", omitted=[like(blob) | {"reason": "platform"}])
        for label, children in platforms(manifests, plain):
            yield more(f"root {i} with {label}", roots=[{"reference": "a.example/more:children"} | like(blob) | {"platforms": children}])
    for i, blob in enumerate(plain):
        pair = {"subject": manifests[0]["digest"]} | like(manifests[0])
        signature = {"digest": manifests[0]["digest"], "subject": manifests[0]["digest"], "envelope": blob["digest"], "envelopeMediaType": blob["mediaType"]}
        yield more(f"a signature with envelope {i}", referrers=[pair], signatures=[signature])
        crl = {"kind": "crl"} | like(blob, "digest", "size") | {"issuer": "", "urls": [], "thisUpdate": "2026-01-01T00:00:00Z"}
        yield more(f"CRL {i}", evidence=[crl])
        yield more(f"CRL {i}, current in the year 0", evidence=[crl | {"nextUpdate": "0000-01-01T00:00:00.5Z"}])
        yield more(f"CRL {i}, larger", evidence=[crl | {"size": blob["size"] + 1}])
        yield more(f"root {i}, no manifest", roots=[{"reference": "a.example/more:plain"} | like(blob)])
        yield more(f"referrer {i}, no manifest", referrers=[{"subject": manifests[0]["digest"]} | like(blob)])
    for reason in ("platform", "held", "other"):
        for extra in ({}, {"platform": {"os": "linux", "architecture": "amd64"}}, {"platform": {}}):
            yield more(f"omitted as {reason}, {extra}", omitted=[{"digest": "sha512:" + "0" * 128, "size": 1, "mediaType": "text/x"} | extra | {"reason": reason}])


def platforms(manifests, plain):
    """Lists of children, in order or not."""
    amd, arm = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}
    digest, absent = manifests[0]["digest"], "sha512:" + "f" * 128
    yield "a child", [{"digest": digest}]
    yield "a child twice", [{"digest": digest}, {"digest": digest}]
    yield "a child for two platforms", [{"digest": digest, "platform": amd}, {"digest": digest, "platform": arm}]
    yield "a child for two platforms, in another order", [{"digest": digest, "platform": arm}, {"digest": digest, "platform": amd}]
    yield "a child for none and one", [{"digest": digest}, {"digest": digest, "platform": amd}]
    yield "a child for one and none", [{"digest": digest, "platform": amd}, {"digest": digest}]
    variants = [amd, amd | {"variant": ""}, amd | {"variant": "v1"}, amd | {"variant": "v1", "os.version": "1"}, amd | {"variant": "v1", "os.version": "1", "os.features": ["a"]},
                amd | {"variant": "v1", "os.version": "1", "os.features": ["a", "a"]}, amd | {"variant": "v1", "os.version": "1", "os.features": ["b"]}]
    for i in range(len(variants) - 1):
        pair = [{"digest": digest, "platform": p} for p in variants[i : i + 2]]
        yield f"variants {i}", pair
        yield f"variants {i}, in another order", pair[::-1]
    yield "a child that is carried and left out", [{"digest": digest, "omitted": True}]
    yield "a child that is a layer", [{"digest": plain[-1]["digest"]}]
    yield "a child that is a layer, and left out", [{"digest": plain[-1]["digest"], "omitted": True}]
    yield "a child that is nowhere", [{"digest": absent}]
    yield "a child that is left out, and nowhere", [{"digest": absent, "omitted": True}]
    yield "children in another order", [{"digest": m["digest"]} for m in manifests[::-1]]


class Forge:
    """A bundle taken apart, to be put together with other documents."""

    def __init__(self, tar):
        self.members, self.inventory, self.seal = b.check_tar(tar)
        self.parts = take_apart(tar)
        self.contents = {name: content for name, _, content in self.parts}
        sealed = len(b.read_seal(self.seal, self.subject(self.parts[2][2]), self.blob)) if self.seal else 0
        self.docker = self.contents.get("manifest.json")
        self.early, self.tail = self.parts[3 : 3 + sealed], self.parts[4 + sealed + (self.docker is not None) :]
        self.manifest_raw, self.inventory_raw = self.parts[2][2], self.parts[3 + sealed][2]

    @staticmethod
    def subject(manifest):
        return b.descriptor(b.OCI_MANIFEST, b.sha256(manifest), len(manifest))

    def blob(self, digest, _=None):
        return self.contents[b.member_name(digest)]

    def fitted(self, value):
        """The inventory with the manifest.json that it calls for, and that; as it is where there is none."""
        try:
            docker = b.docker_manifest(value, self.blob)
            return b.ordered({**value, "dockerManifest": b.docker_record(docker)}, b.SCHEMA), docker
        except (b.Refused, KeyError, TypeError, AttributeError, ValueError):
            return value, self.docker

    def with_docker(self, docker):
        """Another manifest.json, which the inventory announces."""
        value = b.ordered({**self.inventory, "dockerManifest": b.docker_record(docker)}, b.SCHEMA)
        return self.with_inventory(compact(value), value, docker)

    def with_inventory(self, raw, value=None, docker=None):
        """Another inventory, and all that follows from it. The seal is taken away; it could not be on it."""
        manifest = b.bundle_manifest(raw)
        try:
            index = b.index_document(value, manifest, [])
        except (b.Refused, KeyError, TypeError, AttributeError, ValueError):
            index = b.index_document(self.inventory, manifest, [])
        known = {m[0]: m for m in self.parts}
        tail = [known[b.member_name(blob["digest"])] for blob in blobs_of(value, known) or self.inventory["blobs"]]
        return self.assemble(manifest, index, [], raw, tail, docker)

    def assemble(self, manifest, index, early, inventory, tail, docker=None):
        heads = [member("oci-layout", b.LAYOUT_DOCUMENT), member("index.json", index), member(b.member_name(b.sha256(manifest)), manifest)]
        docker = self.docker if docker is None else docker
        behind = [] if docker is None else [member("manifest.json", docker)]
        return put_together([*heads, *early, member(b.member_name(b.sha256(inventory)), inventory), *behind, *tail])

    def with_manifest(self, raw):
        index = b.index_document(self.inventory, raw, [])
        known = {m[0]: m for m in self.parts}
        return self.assemble(raw, index, [], self.inventory_raw, [known[b.member_name(blob["digest"])] for blob in self.inventory["blobs"]])

    def with_index(self, raw):
        return put_together([self.parts[0], member("index.json", raw), *self.parts[2:]])

    def with_seal(self, number, raw):
        """Another manifest of the seal (0) or of its evidence (2 in the order of the blobs)."""
        entries, early = copy.deepcopy(self.seal), list(self.early)
        which = 0 if number == 0 else 1
        entries[which].update(digest=b.sha256(raw), size=len(raw))
        early[number] = member(b.member_name(b.sha256(raw)), raw)
        if number == 0 and len(entries) > 1:
            proof = json.loads(early[2][2])
            proof["subject"] = self.subject(raw)
            proof = b.compact(proof)
            entries[1].update(digest=b.sha256(proof), size=len(proof))
            early[2] = member(b.member_name(b.sha256(proof)), proof)
        return self.assemble(self.manifest_raw, b.index_document(self.inventory, self.manifest_raw, entries), early, self.inventory_raw, self.tail)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def documents(tar, step):
    forge = Forge(tar)

    def values(value):
        return (changed for i, changed in enumerate(all_values(value)) if i % step == 0)

    yield "inventory", "as it is", forge.with_inventory(forge.inventory_raw, forge.inventory)
    for name, value in values(forge.inventory):
        yield "inventory: values", name, forge.with_inventory(compact(value), value)
        if isinstance(value, dict) and all(isinstance(value.get(k), list) for k in [*b.ORDERS, "blobs"]):
            try:
                fitted = {**value, "totals": b.totals(value)}
            except (b.Refused, KeyError, TypeError, AttributeError):
                continue
            if fitted["totals"] != value.get("totals"):
                yield "inventory: values, sums fitted", name, forge.with_inventory(compact(fitted), fitted)
    for i, (name, value) in enumerate(additions(forge.inventory)):
        if i % (1 + step // 10) == 0:
            yield "inventory: additions", name, forge.with_inventory(compact(value), value)
            if forge.docker is not None:
                value, docker = forge.fitted(value)
                yield "inventory: additions, manifest.json fitted", name, forge.with_inventory(compact(value), value, docker)
    if forge.docker is not None:
        for name, raw in texts(forge.docker):
            yield "manifest.json: texts", name, forge.with_docker(raw)
        for name, value in all_values(json.loads(forge.docker)):
            yield "manifest.json: values", name, forge.with_docker(compact(value))
    for features in (["docker-manifest"], ["docker-manifest", "docker-manifest"], ["docker-manifest", "held-content"], ["held-content"], ["a"], ["b", "a"], [""], [1], "a", [], {}, None, ["a", "a"], [None]):
        value = {k: v for k, v in forge.inventory.items() if k != "features"}
        items = list(value.items())
        value = dict(items[:2] + [("features", features)] + items[2:])
        yield "inventory: features", json.dumps(features), forge.with_inventory(compact(value), value)
        stranger = {"schemaVersion": 1, "features": features, "roots": 1}
        yield "inventory: features", f"{json.dumps(features)} of a stranger", forge.with_inventory(compact(stranger))
    for name, raw in texts(forge.inventory_raw):
        yield "inventory: texts", name, forge.with_inventory(raw, forge.inventory)
    for name, raw in texts(forge.manifest_raw):
        yield "bundle manifest: texts", name, forge.with_manifest(raw)
    for name, value in values(json.loads(forge.manifest_raw)):
        yield "bundle manifest: values", name, forge.with_manifest(compact(value))
    for name, raw in texts(forge.parts[1][2]):
        yield "index.json: texts", name, forge.with_index(raw)
    for name, value in values(json.loads(forge.parts[1][2])):
        yield "index.json: values", name, forge.with_index(compact(value))
    for number in range(0, len(forge.early), 2)[: len(forge.seal)]:
        what = "seal" if number == 0 else "seal's evidence"
        for name, raw in texts(forge.early[number][2]):
            yield f"{what}: texts", name, forge.with_seal(number, raw)
        for name, value in values(json.loads(forge.early[number][2])):
            yield f"{what}: values", name, forge.with_seal(number, compact(value))


# All of it ----------------------------------------------------------------------------------------------------------------------


def mutations(data, step):
    yield from bits(data, step)
    tar, compressed = b.check(data)[3], data[:4] == b.ZSTD_MAGIC
    if compressed:
        yield from frames(tar, list(b.frame_sizes(b.read_members(tar), len(tar))))
    else:
        yield from tars(tar, step)
        yield from documents(tar, step)


def edit(old, new):
    """The one splice that makes new of old."""
    start, most = 0, min(len(old), len(new))
    step = most
    while step:
        while start + step <= most and old[start : start + step] == new[start : start + step]:
            start += step
        step //= 2
    end, step = 0, most - start
    while step:
        while end + step <= most - start and old[len(old) - end - step : len(old) - end] == new[len(new) - end - step : len(new) - end]:
            end += step
        step //= 2
    return [start, len(old) - start - end, new[start : len(new) - end].hex()]


def main(path, step):
    data = b.load(path)
    for kind, name, new in mutations(data, int(step)):
        if new != data:
            print(json.dumps({"class": kind, "name": name, "edit": edit(data, new)} | b.verdict(new)))


if __name__ == "__main__":
    main(*sys.argv[1:])
