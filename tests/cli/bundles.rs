//! Damaged and hostile bundles: each is refused with a code and a hint by everything that reads it, and nothing is
//! written.

use bulla::digest::Digest;
use bulla::oci::{MediaType, blob_path};
use serde_json::Value;

use super::common::{User, conforms};
use super::forge::{Blob, Entry, Tar, bundle, nested};

/// What `inspect`, which reads no configurations and layers, makes of it.
#[derive(Clone, Copy, PartialEq)]
enum Inspect {
    Refuses,
    Passes,
}

/// A bad bundle, and the codes that it may be refused with; the exit status is 3 for all of them.
struct Bad {
    name: String,
    bytes: Vec<u8>,
    codes: &'static [&'static str],
    inspect: Inspect,
}

fn bad(name: impl Into<String>, codes: &'static [&'static str], bytes: Vec<u8>) -> Bad {
    Bad { name: name.into(), bytes, codes, inspect: Inspect::Refuses }
}

/// Gives the bad bundles to every command that reads bundles.
fn refused(user: &User, table: Vec<Bad>) {
    for row in table {
        user.put("bad.tar", &row.bytes);
        let before = user.files();
        let refuses = |arguments: &[&str]| {
            eprintln!("{}: {arguments:?}", row.name);
            let ended = user.judging(arguments).refuses(3, row.codes);
            assert_eq!(user.files(), before, "{}: something was written by {arguments:?}", row.name);
            ended
        };
        refuses(&["verify", "bad.tar"]);
        conforms("error-v1.schema.json", &refuses(&["verify", "bad.tar", "--format", "json"]).json());
        let import = ["import", "bad.tar", "--to", "oci:images", "--receipt", "receipt.json"];
        eprintln!("{}: {import:?}", row.name);
        user.judging(&[&import[..], &["--allow", "rejected,unsigned"]].concat()).refuses(3, row.codes);
        // What was whole may have been written before the damage was met; it has no name.
        assert!(user.withdraw_nameless("images"), "{}: something was named", row.name);
        assert_eq!(user.files(), before, "{}: something was written by {import:?}", row.name);
        refuses(&["import", "bad.tar", "--to", "docker-archive:image.tar", "--platform", "linux/amd64"]);
        user.bulla(&["verify", "bad.tar", "--integrity-only"]).refuses(3, row.codes);
        user.bulla(&["export", "bad.tar", "--offline", "--allow-missing-evidence", "-o", "again.tar"])
            .refuses(3, row.codes);
        let inspected = user.bulla(&["inspect", "bad.tar"]);
        match row.inspect {
            Inspect::Refuses => inspected.refuses(3, row.codes),
            Inspect::Passes => inspected.ends(0).prints(&["Nothing here was verified"]),
        };
        assert_eq!(user.files(), before, "{}: something was written", row.name);
    }
}

fn demo() -> (User, Tar) {
    let user = User::with_demo();
    let tar = Tar::parse(&user.get("demo/hello.bulla.tar"));
    (user, tar)
}

#[test]
fn the_untouched_bundle_is_good() {
    let (user, tar) = demo();
    user.put("bad.tar", tar.bytes());
    user.judging(&["verify", "bad.tar"]).ends(0);
    user.put("bad.tar", bundle(&nested(3)));
    user.bulla(&["verify", "bad.tar", "--integrity-only"]).ends(0);
    user.judging(&["verify", "bad.tar"]).ends(1).prints(&["signature-absent"]);
}

#[test]
fn truncated() {
    let (user, tar) = demo();
    let whole = tar.bytes();
    let layer = tar.offset(tar.0.len() - 1);
    let places = [
        ("nothing at all", 0),
        ("one byte", 1),
        ("within the first header", 300),
        ("behind the first header", 512),
        ("within the layout document", 530),
        ("within the index", tar.offset(1) + 100),
        ("between two entries", tar.offset(4) - 512),
        ("within the inventory", tar.offset(3) + 3000),
        ("within the last header", layer - 100),
        ("within the last layer", layer + 1000),
        ("before the end marker", whole.len() - 1024),
        ("within the end marker", whole.len() - 512),
        ("one byte short", whole.len() - 1),
    ];
    let row = |(name, length): (&str, usize)| {
        bad(format!("truncated: {name}"), &["archive-truncated"], whole[..length].to_vec())
    };
    refused(&user, places.into_iter().map(row).collect());
}

/// Where each kind of content stands in the demo's bundle.
fn kinds(tar: &Tar) -> Vec<(&'static str, usize)> {
    let inventory = tar.inventory();
    let at = |digest: &Value| tar.position(&blob_path(&digest.as_str().unwrap().parse().unwrap()));
    let blobs = inventory["blobs"].as_array().unwrap();
    let by_type = |media_type: &str| {
        let found = blobs.iter().find(|blob| blob["mediaType"].as_str().unwrap().starts_with(media_type));
        at(&found.unwrap_or_else(|| panic!("no {media_type} in {inventory:#}"))["digest"])
    };
    let signature = &inventory["signatures"][0];
    let image = blobs.iter().find(|blob| {
        blob["mediaType"] == MediaType::OCI_MANIFEST
            && blob["digest"] != signature["digest"]
            && blob["digest"] != signature["evidence"]
    });
    vec![
        ("oci-layout", 0),
        ("index.json", 1),
        ("the bundle manifest", 2),
        ("the inventory", 3),
        ("the root index", at(&inventory["roots"][0]["digest"])),
        ("an image manifest", at(&image.unwrap()["digest"])),
        ("a configuration", by_type("application/vnd.oci.image.config")),
        ("a layer", by_type("application/vnd.oci.image.layer")),
        ("the signature manifest", at(&signature["digest"])),
        ("the envelope", at(&signature["envelope"])),
        ("the evidence manifest", at(&signature["evidence"])),
        ("a CRL", at(&inventory["evidence"][0]["digest"])),
    ]
}

#[test]
fn a_flipped_byte_in_each_kind_of_blob() {
    let (user, tar) = demo();
    let mut table = Vec::new();
    for (kind, position) in kinds(&tar) {
        let codes: &[&str] = match kind {
            "oci-layout" => &["archive-malformed"],
            "index.json" => &["bundle-index-mismatch"],
            _ => &["blob-digest-mismatch"],
        };
        let length = tar.0[position].content.len();
        for at in [0, length / 2, length - 1] {
            let bytes = tar.with(|tar| tar.0[position].content[at] ^= 1);
            let mut row = bad(format!("byte {at} of {kind} flipped"), codes, bytes);
            if matches!(kind, "a configuration" | "a layer") {
                row.inspect = Inspect::Passes;
            }
            table.push(row);
        }
        let bytes = tar.with(|tar| tar.0[position].header[20] ^= 1);
        table.push(bad(format!("a header byte of {kind} flipped"), &["archive-malformed"], bytes));
    }
    refused(&user, table);
}

/// Wherever a bit flips, the bundle is refused; there is no byte that nobody looks at.
#[test]
fn a_flipped_bit_anywhere() {
    let (user, tar) = demo();
    let whole = tar.bytes();
    for (round, at) in (0..whole.len()).step_by(173).enumerate() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (round % 8);
        user.put("bad.tar", bytes);
        let ended = user.judging(&["verify", "bad.tar"]);
        assert_eq!(ended.status, 3, "byte {at}: {ended:?}");
        assert!(ended.stderr.starts_with("error[") && ended.stdout.is_empty(), "byte {at}: {ended:?}");
    }
}

#[test]
fn a_swapped_index() {
    let (user, tar) = demo();
    let other = Tar::parse(&user.get("demo/revoked.bulla.tar"));
    let index = String::from_utf8(tar.0[1].content.clone()).unwrap();
    let swap = |name: &str, text: &str| {
        assert_ne!(text, index, "{name}");
        bad(name, &["bundle-index-mismatch"], tar.with(|tar| tar.0[1].replace(text.as_bytes())))
    };
    let mut document: Value = serde_json::from_str(&index).unwrap();
    document["manifests"].as_array_mut().unwrap().remove(0);
    let table = vec![
        swap("the index of another bundle", std::str::from_utf8(&other.0[1].content).unwrap()),
        swap("another tag", &index.replace("\"1.0\"", "\"2.0\"")),
        swap("another name", &index.replace("demo/hello:1.0", "demo/other:1.0")),
        swap("no root", &document.to_string()),
        swap("a space more", &format!("{index} ")),
        swap("a member twice", &index.replacen('{', "{\"schemaVersion\":2,", 1)),
        swap("no bundle manifest", &index.replace(",\"artifactType\":\"application/vnd.bulla.bundle.v1+json\"", "")),
        swap("no JSON", "not JSON"),
        swap("an index of nothing", "{\"schemaVersion\":2,\"manifests\":[]}"),
        swap("nested brackets", &"[".repeat(1000)),
    ];
    refused(&user, table);
}

#[test]
fn missing_extra_and_doubled_entries() {
    let (user, tar) = demo();
    let mut table = Vec::new();
    for (kind, position) in kinds(&tar) {
        let codes: &[&str] = match kind {
            "oci-layout" | "index.json" => &["layout-invalid"],
            "the bundle manifest" => &["bundle-index-mismatch"],
            _ => &["blob-missing"],
        };
        table.push(bad(format!("{kind} is missing"), codes, tar.without(position)));
        let twice = tar.with(|tar| tar.0.insert(position, tar.0[position].clone()));
        table.push(bad(format!("{kind} is there twice"), &["archive-entry-duplicate"], twice));
    }
    let add =
        |name: &str, code: &'static [&'static str], entry: Entry| bad(name, code, tar.with(|tar| tar.0.push(entry)));
    let mut other = tar.0[tar.0.len() - 1].clone();
    other.replace(b"other content under the same name");
    table.extend([
        add("a blob more", &["archive-entry-unexpected"], Entry::blob(b"more")),
        add("the same name with other content", &["archive-entry-duplicate"], other),
        add("a file more", &["archive-entry-forbidden"], Entry::file("README", b"read me")),
        add("a directory", &["archive-entry-forbidden"], Entry::of("blobs/", b'5', b"")),
        add("an empty name", &["archive-entry-forbidden"], Entry::file("", b"")),
    ]);
    table.push(bad("two blobs exchanged", &["archive-malformed"], tar.with(|tar| tar.0.swap(5, 6))));
    refused(&user, table);
}

#[test]
fn entries_that_lead_elsewhere() {
    let (user, tar) = demo();
    let code: &[&str] = &["archive-entry-forbidden"];
    let target = blob_path(&Digest::sha256(b"x"));
    let mut table = Vec::new();
    for name in ["../evil", "blobs/../../evil", "blobs/sha256/..", "/etc/evil", "//evil", "/", ".."] {
        table.push(bad(format!("a file {name}"), code, tar.with(|tar| tar.0.push(Entry::file(name, b"evil")))));
        table.push(bad(format!("{name} first"), code, tar.with(|tar| tar.0.insert(0, Entry::file(name, b"evil")))));
    }
    for (kind, what) in [(b'1', "hard"), (b'2', "symbolic"), (b'3', "character"), (b'4', "block"), (b'6', "pipe")] {
        for (name, to) in [(target.as_str(), "/etc/passwd"), ("index.json", "../x"), ("evil", "evil")] {
            let entry = Entry::link(name, kind, to);
            let bytes = tar.with(|tar| tar.0.push(entry));
            table.push(bad(format!("{what} {name} to {to}"), code, bytes));
        }
    }
    let layer = tar.0.len() - 1;
    let linked = tar.with(|tar| tar.0[layer] = Entry::link(&tar.0[layer].name(), b'2', "/etc/passwd"));
    table.push(bad("a link in place of a layer", code, linked));
    for (what, record) in [("pax", "20 path=../../evil.\n"), ("pax", "17 path=/etc/evl\n")] {
        let bytes = tar.with(|tar| {
            tar.0.push(Entry::of("PaxHeaders/x", b'x', record.as_bytes()));
            tar.0.push(Entry::file(&target, b"x"));
        });
        table.push(bad(format!("{what} {record:?}"), code, bytes));
    }
    let long = tar.with(|tar| {
        tar.0.push(Entry::of("././@LongLink", b'L', b"../../evil\0"));
        tar.0.push(Entry::file(&target, b"x"));
    });
    table.push(bad("a long name", code, long));
    let sparse = tar.with(|tar| tar.0.push(Entry::of(&target, b'S', b"x")));
    table.push(bad("a sparse file", code, sparse));
    refused(&user, table);
    assert!(!user.folder().parent().unwrap().join("evil").exists());
}

#[test]
fn wrong_sizes_and_forms() {
    let (user, tar) = demo();
    let last = tar.0.len() - 1;
    let malformed: &[&str] = &["archive-malformed"];
    let claim = |size: &[u8; 12]| tar.with(|tar| tar.0[last].claim(size));
    let resized = |change: fn(&mut Vec<u8>)| {
        tar.with(|tar| {
            let entry = &mut tar.0[last];
            change(&mut entry.content);
            let size = format!("{:011o}\0", entry.content.len());
            entry.claim(size.as_bytes().try_into().unwrap());
        })
    };
    let header = |change: fn(&mut Entry)| tar.with(|tar| change(&mut tar.0[last]));
    let mut trailing = tar.bytes();
    trailing.extend_from_slice(b"more");
    let mut padding = tar.bytes();
    padding[tar.offset(0) + 100] = 1;
    let mut single = tar.bytes();
    let end = single.len() - 1024;
    single[end + 600] = 1;
    refused(
        &user,
        vec![
            bad("a layer with a byte more", &["blob-size-mismatch"], resized(|content| content.push(0))),
            bad(
                "a layer with a byte less",
                &["blob-size-mismatch"],
                resized(|content| content.truncate(content.len() - 1)),
            ),
            bad("an empty layer", &["blob-size-mismatch"], resized(Vec::clear)),
            bad("a size beyond the file", &["archive-truncated"], claim(b"00000100000\0")),
            bad("the largest octal size", &["archive-truncated"], claim(b"77777777777\0")),
            bad("the largest size", &["archive-truncated"], claim(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff")),
            bad("a size beyond 64 bits", malformed, claim(&[0xff; 12])),
            bad("a size that is no number", malformed, claim(b"0000000004x\0")),
            bad(
                "another owner",
                malformed,
                header(|entry| {
                    entry.header[108..115].copy_from_slice(b"0001750");
                    entry.sum();
                }),
            ),
            bad(
                "another mode",
                malformed,
                header(|entry| {
                    entry.header[100..107].copy_from_slice(b"0004755");
                    entry.sum();
                }),
            ),
            bad("bytes behind the end", malformed, trailing),
            bad("bytes in the padding", malformed, padding),
            bad("bytes in the end marker", malformed, single),
            bad("no archive", malformed, b"#!/bin/sh\n".repeat(1000)),
            bad("zeros", &["layout-invalid"], vec![0; 10_240]),
        ],
    );
}

#[test]
fn wrong_digest_algorithms() {
    let (user, tar) = demo();
    let last = tar.0.len() - 1;
    let rename = |name: &str| tar.with(|tar| tar.0[last].rename(name));
    let hex = Digest::sha256(b"").hex();
    let layer = tar.0[last].name().replace("blobs/sha256/", "sha256:");
    let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    let weak = |digest: String| {
        let descriptor = serde_json::json!({"mediaType": "text/plain", "digest": digest, "size": 0});
        bundle(&[Blob::image(&config.descriptor(), &[descriptor]), Blob::new(config.media_type, "{}")])
    };
    let in_manifest: &[&str] = &["manifest-malformed", "digest-algorithm-unsupported"];
    let md5 = format!("md5:{}", &hex[..32]);
    refused(
        &user,
        vec![
            bad("an md5 blob", &["archive-entry-forbidden"], rename(&format!("blobs/md5/{}", &hex[..32]))),
            bad("a sha1 blob", &["archive-entry-forbidden"], rename(&format!("blobs/sha1/{}", &hex[..40]))),
            bad("upper case", &["archive-entry-forbidden"], rename(&format!("blobs/sha256/{}", hex.to_uppercase()))),
            bad("a short digest", &["archive-entry-forbidden"], rename(&format!("blobs/sha256/{}", &hex[..63]))),
            bad("md5 in the inventory", &["bundle-manifest-invalid"], tar.resealed(|text| text.replace(&layer, &md5))),
            bad("md5 in a manifest", in_manifest, weak(md5)),
            bad("sha1 in a manifest", in_manifest, weak(format!("sha1:{}", &hex[..40]))),
            bad("upper case in a manifest", in_manifest, weak(format!("sha256:{}", hex.to_uppercase()))),
        ],
    );
}

/// Forgers who know the format and fit everything together again.
#[test]
fn inventories_that_do_not_hold() {
    let (user, tar) = demo();
    let invalid: &[&str] = &["bundle-manifest-invalid"];
    let inventory = String::from_utf8(tar.0[3].content.clone()).unwrap();
    let replace = |from: &str, to: &str| tar.resealed(|text| text.replacen(from, to, 1));
    let blobs = inventory.find("\"blobs\":[").unwrap();
    let without_a_blob = tar.resealed(|text| {
        let end = blobs + text[blobs..].find("},").unwrap() + 2;
        format!("{}\"blobs\":[{}", &text[..blobs], &text[end..])
    });
    refused(
        &user,
        vec![
            bad("a later version", invalid, replace("\"schemaVersion\":1", "\"schemaVersion\":2")),
            bad(
                "an unknown feature",
                &["bundle-feature-unknown"],
                replace("\"createdBy\"", "\"features\":[\"time-travel\"],\"createdBy\""),
            ),
            bad("an unknown member", invalid, replace("\"createdBy\"", "\"trusted\":true,\"createdBy\"")),
            bad("a member twice", invalid, replace("\"createdBy\"", "\"createdBy\":\"x\",\"createdBy\"")),
            bad("a space more", invalid, replace("\"createdBy\":", "\"createdBy\": ")),
            bad("text behind it", invalid, tar.resealed(|text| format!("{text}{{}}"))),
            bad("not UTF-8 in spirit", invalid, tar.resealed(|text| text.replacen("bulla/", "\\ud800", 1))),
            bad("no JSON", invalid, tar.resealed(|_| "inventory".to_owned())),
            bad("nested brackets", invalid, tar.resealed(|_| "[".repeat(100_000))),
            bad("another name", &["bundle-index-mismatch"], replace("demo/hello:1.0", "demo/other:1.0")),
            bad("no name", invalid, replace("registry.bulla.example/demo/hello:1.0", "")),
            bad("a name with a line break", invalid, replace("demo/hello:1.0", "demo/hello:1.0\\nTRUSTED")),
            bad("a blob that is not listed", invalid, without_a_blob),
        ],
    );
}

/// Bundles whose archive, index and inventory agree, around content that does not hold.
#[test]
fn content_that_does_not_hold() {
    let (user, _) = demo();
    let config = || Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    let layer = || Blob::new("application/vnd.oci.image.layer.v1.tar", "a layer");
    let with_layer = |change: fn(&mut Value)| {
        let mut descriptor = layer().descriptor();
        change(&mut descriptor);
        bundle(&[Blob::image(&config().descriptor(), &[descriptor]), config(), layer()])
    };
    let mut padded = Blob::index(&[]);
    padded.content.resize(padded.content.len() + (4 << 20), b' ');
    let child = Blob::image(&config().descriptor(), &[]);
    let with_child = |change: fn(&mut Value), carried: bool| {
        let mut descriptor = child.descriptor();
        change(&mut descriptor);
        let mut blobs = vec![Blob::index(&[descriptor]), config()];
        if carried {
            blobs.push(Blob::image(&config().descriptor(), &[]));
        }
        bundle(&blobs)
    };
    let text = |media_type: &'static str, text: &str| bundle(&[Blob::new(media_type, text), config()]);
    let malformed: &[&str] = &["manifest-malformed"];
    let mut missing_layer = bad("a layer that is not carried", &["blob-missing"], {
        bundle(&[Blob::image(&config().descriptor(), &[layer().descriptor()]), config()])
    });
    missing_layer.inspect = Inspect::Passes;
    let mut longer = bad("a layer said to be longer", &["blob-size-mismatch"], with_layer(|d| d["size"] = 8.into()));
    longer.inspect = Inspect::Passes;
    let mut shorter = bad("a layer said to be shorter", &["blob-size-mismatch"], with_layer(|d| d["size"] = 6.into()));
    shorter.inspect = Inspect::Passes;
    refused(
        &user,
        vec![
            bad("an oversized manifest", &["manifest-too-large"], bundle(&[padded])),
            bad("indexes nested 1,000 deep", &["closure-too-deep"], bundle(&nested(1000))),
            missing_layer,
            longer,
            shorter,
            bad("a layer of negative size", malformed, with_layer(|d| d["size"] = (-1).into())),
            bad("a child that is not carried", &["blob-missing"], with_child(|_| (), false)),
            bad("a child said to be longer", &["blob-size-mismatch"], with_child(|d| d["size"] = 9999.into(), true)),
            bad("a child said to be an index", &["manifest-mismatch"], {
                with_child(|d| d["mediaType"] = MediaType::OCI_INDEX.into(), true)
            }),
            bad("an index with layers", malformed, {
                text(MediaType::OCI_INDEX, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#)
            }),
            bad("a manifest nested 100,000 deep", malformed, text(MediaType::OCI_INDEX, &"[".repeat(100_000))),
            bad(
                "a manifest of schema 1",
                malformed,
                text(MediaType::OCI_MANIFEST, r#"{"schemaVersion":1,"fsLayers":[]}"#),
            ),
        ],
    );
}

/// A cycle cannot be made of digests: whoever claims one is refused where the claim is first held against content.
#[test]
fn an_index_that_claims_to_contain_itself() {
    let (user, _) = demo();
    let inner = Blob::index(&[]);
    let outer = Blob::index(&[inner.descriptor()]);
    let claimed = outer.descriptor();
    // The inner index names the outer one; it is carried under the digest that the outer one names.
    let mut tar = Tar::parse(&bundle(&[outer, Blob::index(&[])]));
    let liar = Blob::index(&[claimed]);
    let place = blob_path(&Digest::sha256(&inner.content));
    let position = tar.position(&place);
    tar.0[position] = Entry::file(&place, &liar.content);
    refused(&user, vec![bad("a cycle", &["blob-size-mismatch", "blob-digest-mismatch"], tar.bytes())]);
}
