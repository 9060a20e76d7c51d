#!/usr/bin/env python3
"""Writes bundles by schemas/bundle-v1.md, with what bundle.py knows of the format. See there.

    writer.py describe FILE DIR                     take a bundle apart: DIR/description.json and DIR/blobs/. Its lists are turned
                                                    round, and what follows from others is left out
    writer.py write DIR OUT                         the bundle of a description; its lists may be in any order
    writer.py layout DIR MAKER TIME NAME=REFERENCE... OUT    the bundle of artifacts in an OCI layout that are not signed

An OUT that ends in .zst is compressed, in raw blocks.
"""

import json
import os
import sys

import bundle as b


def write_frames(tar):
    """A compressed bundle. The blocks are the writer's choice (§2): raw ones."""
    out, table, at = [], [], 0
    for size in b.frame_sizes(b.read_members(tar), len(tar)):
        frame, end = [b.frame_header(size)], at + size
        for start in range(at, end, b.BLOCK_MAXIMUM):
            block = tar[start : min(start + b.BLOCK_MAXIMUM, end)]
            frame.append((len(block) << 3 | (start + len(block) == end)).to_bytes(3, "little") + block)
        out.append(b"".join(frame))
        table.append((len(out[-1]), size))
        at = end
    return b"".join(out) + b.seek_table(table)


def complete(description, read):
    """The inventory of a description: everything that follows from the rest is put in, and put in order."""
    lists = {"roots": [], "referrers": [], "signatures": [], "evidence": [], "searches": [], "omitted": []}
    given = {k: v for k, v in description.items() if k not in ("blobs", "totals", "seal", "dockerManifest")}
    inventory = {"schemaVersion": 1, "mediaType": b.BUNDLE} | lists | given
    for name, order in b.ORDERS.items():
        inventory[name] = sorted(inventory[name], key=order)
    for root in inventory["roots"]:
        if "platforms" in root:
            root["platforms"] = sorted(root["platforms"], key=b.platform_order)
    blobs = {blob["digest"]: blob for blob in description["blobs"]} | {b.EMPTY: {"mediaType": b.OCI_EMPTY, "digest": b.EMPTY, "size": 2}}
    inventory["blobs"] = sorted(({"size": len(read(digest))} | blob for digest, blob in blobs.items()), key=b.blob_order(inventory))
    if b.DOCKER_FEATURE in inventory.get("features", []):
        inventory["dockerManifest"] = b.docker_record(b.docker_manifest(inventory, read))
    inventory["totals"] = b.totals(inventory)
    return b.ordered(inventory, b.SCHEMA)


def build(description, read):
    """The plain bundle of a description; `read` gives the bytes of a blob."""
    inventory = complete(description, read)
    raw = b.compact(inventory)
    manifest = b.bundle_manifest(raw)
    made = {b.sha256(raw): raw, b.sha256(manifest): manifest}
    seal_entries = description.get("seal", [])
    sealed = [digest for digest, _ in b.read_seal(seal_entries, b.descriptor(b.OCI_MANIFEST, b.sha256(manifest), len(manifest)), lambda d, _: read(d))]
    digests = [b.sha256(manifest), *sealed, b.sha256(raw), *(blob["digest"] for blob in inventory["blobs"] if blob["digest"] not in sealed)]
    parts = []
    documents = [("oci-layout", b.LAYOUT_DOCUMENT), ("index.json", b.index_document(inventory, manifest, seal_entries))]
    blobs = [(b.member_name(d), made.get(d) or read(d)) for d in digests]
    docker = [("manifest.json", b.docker_manifest(inventory, read))] if "dockerManifest" in inventory else []
    front = 2 + len(sealed)
    for name, content in documents + blobs[:front] + docker + blobs[front:]:
        parts += [b.headers(name, len(content)), content, bytes(b.padding(len(content)))]
    return b"".join(parts) + bytes(2 * b.BLOCK)


def describe(data, directory):
    members, inventory, seal, tar, _ = b.check(data)
    for name, _, start, size in members:
        os.makedirs(os.path.join(directory, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(directory, name), "wb") as out:
            out.write(tar[start : start + size])
    description = {k: v for k, v in inventory.items() if k not in ("totals", "schemaVersion", "mediaType", "dockerManifest")}
    description["blobs"] = [{k: v for k, v in blob.items() if k != "size"} for blob in inventory["blobs"]]
    for name in (*b.ORDERS, "blobs"):
        description[name].reverse()
    for root in description["roots"]:
        root.get("platforms", []).reverse()
    with open(os.path.join(directory, "description.json"), "w", encoding="utf-8") as out:
        json.dump(description | {"seal": seal}, out, indent=1)


def describe_layout(directory, names, created_by, created_at):
    """A description of artifacts in an OCI layout, with what refers to them; signatures would need a look into certificates."""
    read = reader(directory)
    with open(os.path.join(directory, "index.json"), encoding="utf-8") as file:
        listed = json.load(file)["manifests"]
    blobs, roots, referrers, searches = {}, [], [], []

    def walk(entry, manifest):
        blob = {"digest": entry["digest"], "mediaType": entry["mediaType"]} | ({"manifest": True} if manifest else {})
        known = blobs.setdefault(entry["digest"], blob)
        # §1.4: which of several media types it has
        blobs[entry["digest"]] = min(blob, known, key=lambda found: ("manifest" not in found, found["mediaType"]))
        if not manifest:
            return
        document = json.loads(read(entry["digest"]))
        for child in document.get("manifests", []):
            walk(child, True)
        for child in [document["config"]] if "config" in document else []:
            walk(child, False)
        for child in document.get("layers", []):
            walk(child, False)

    for name, ref in names:
        entry = next(e for e in listed if e.get("annotations", {}).get(b.REF_NAME) == name)
        root = {"reference": ref} | {k: entry[k] for k in ("digest", "size", "mediaType")}
        children = json.loads(read(entry["digest"])).get("manifests", [])
        if children:
            root["platforms"] = [{"digest": c["digest"]} | ({"platform": c["platform"]} if "platform" in c else {}) for c in children]
        roots.append(root)
        walk(entry, True)
    subjects = [(e, json.loads(read(e["digest"]))) for e in listed]
    done = set()
    while todo := [digest for digest, blob in blobs.items() if blob.get("manifest") and digest not in done]:
        for digest in todo:
            done.add(digest)
            found = False
            for entry, document in subjects:
                if document.get("subject", {}).get("digest") == digest:
                    found = True
                    kind = document.get("artifactType") or document["config"]["mediaType"]
                    assert kind != b.SIGNATURE, "a signature: give a description"
                    referrers.append({"subject": digest, "artifactType": kind} | {k: entry[k] for k in ("digest", "size", "mediaType")})
                    walk(entry, True)
            tags = "absent" if digest.startswith("sha256:") else "unsupported"
            results = [{"method": "referrers", "result": "found" if found else "absent"}]
            results += [{"method": method, "result": tags} for method in ("digest-tag-sig", "digest-tag-att", "digest-tag-sbom")]
            searches.append({"subject": digest, "searches": results})
    return {
        "createdBy": created_by, "createdAt": created_at, "roots": roots, "referrers": referrers, "searches": searches, "blobs": list(blobs.values()),
    }


def reader(directory):
    def read(digest):
        if digest == b.EMPTY:
            return b"{}"
        with open(os.path.join(directory, b.member_name(digest)), "rb") as file:
            return file.read()

    return read


# The command line ---------------------------------------------------------------------------------------------------------------


def save(path, tar):
    with open(path, "wb") as file:
        file.write(write_frames(tar) if path.endswith(".zst") else tar)


def main(arguments):
    match arguments:
        case ["describe", file, directory]:
            describe(b.load(file), directory)
        case ["write", directory, out]:
            description = json.loads(b.load(os.path.join(directory, "description.json")))
            save(out, build(description, reader(directory)))
        case ["layout", directory, created_by, created_at, *names, out]:
            pairs = [tuple(name.split("=", 1)) for name in names]
            save(out, build(describe_layout(directory, pairs, created_by, created_at), reader(directory)))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
