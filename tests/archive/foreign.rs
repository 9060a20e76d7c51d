//! Archives of other tools.

use bulla::archive::Compression;
use bulla::code::DiagnosticCode::{self, *};
use bulla::limits::Limits;
use bulla::oci::{MediaType, Target};
use bulla::store::archive::{ArchiveStore, OpenedArchive, open_any};
use bulla::store::layout::LayoutSink;
use bulla::store::{ContentKind, ContentSink, ContentStore, NameRule, Publication, RawContent, fetch, fetch_manifest};
use serde_json::json;
use tar::EntryType;

use crate::fixture::{Member, Sample, Scratch, bundle, code, has_tool, join, run, tag, write};

fn minimal(index: &str) -> Vec<Member> {
    vec![Member::file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#), Member::file("index.json", index.as_bytes())]
}

const EMPTY: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

fn open(scratch: &Scratch, members: &[Member]) -> Option<DiagnosticCode> {
    code(ArchiveStore::open(&scratch.file("x.tar", &join(members)), &Limits::default()))
}

#[test]
fn what_other_tools_write_is_tolerated() {
    let scratch = Scratch::new();
    let mut members = minimal(EMPTY);
    members.insert(0, Member::new(EntryType::Directory, "./", b""));
    members.insert(1, Member::new(EntryType::XGlobalHeader, "pax_global_header", b"13 comment=x\n"));
    members.insert(3, Member::new(EntryType::XHeader, "p", b"20 mtime=1700000000\n"));
    members.push(Member::file("manifest.json", b"[]"));
    members.push(Member::file("manifest.json", b"[]"));
    assert_eq!(open(&scratch, &members), None);
    let long = vec![
        Member::new(EntryType::GNULongName, "././@LongLink", b"./oci-layout\0"),
        Member::file("cut", br#"{"imageLayoutVersion":"1.0.0"}"#),
        Member::new(EntryType::XHeader, "p", b"19 path=index.json\n"),
        Member::file("cut", EMPTY.as_bytes()),
    ];
    assert_eq!(open(&scratch, &long), None);
    let mut padded = join(&minimal(EMPTY));
    padded.resize(10_240, 0);
    assert_eq!(code(ArchiveStore::open(&scratch.file("p.tar", &padded), &Limits::default())), None);
}

#[test]
fn what_no_honest_tool_writes_is_refused() {
    let scratch = Scratch::new();
    let cases: [(&str, Member, DiagnosticCode); 12] = [
        ("..", Member::file("../x", b""), ArchiveEntryForbidden),
        (".. inside", Member::file("blobs/../../x", b""), ArchiveEntryForbidden),
        ("absolute", Member::file("/x", b""), ArchiveEntryForbidden),
        ("symbolic link", Member::link(EntryType::Symlink, "blobs/sha256/x", "/etc/passwd"), ArchiveEntryForbidden),
        ("hard link", Member::link(EntryType::Link, "x", "index.json"), ArchiveEntryForbidden),
        ("device", Member::new(EntryType::Block, "x", b""), ArchiveEntryForbidden),
        ("index.json twice", Member::file("./index.json", EMPTY.as_bytes()), ArchiveEntryDuplicate),
        ("oci-layout twice", Member::file("oci-layout", b"{}"), ArchiveEntryDuplicate),
        ("pax that leads out", Member::new(EntryType::XHeader, "p", b"14 path=../x\n\n"), ArchiveMalformed),
        ("pax sparse", Member::new(EntryType::XHeader, "p", b"22 GNU.sparse.major=1\n"), ArchiveEntryForbidden),
        ("pax that is no pax", Member::new(EntryType::XHeader, "p", b"99 x=1\n"), ArchiveMalformed),
        ("nothing behind pax", Member::new(EntryType::XHeader, "p", b"6 a=b\n"), ArchiveMalformed),
    ];
    for (name, member, expected) in cases {
        let mut members = minimal(EMPTY);
        members.push(member);
        assert_eq!(open(&scratch, &members), Some(expected), "{name}");
    }
    assert_eq!(open(&scratch, &minimal(EMPTY)[..1]), Some(LayoutInvalid), "no index.json");
    assert_eq!(open(&scratch, &minimal(EMPTY)[1..]), Some(LayoutInvalid), "no oci-layout");
    assert_eq!(open(&scratch, &minimal("[]")), Some(LayoutInvalid), "no index");
}

fn layout(scratch: &Scratch) -> (Sample, bulla::oci::Descriptor, bulla::oci::Descriptor) {
    let mut sample = Sample::default();
    let image = sample.image(5);
    let signature = sample.artifact(crate::fixture::NOTARY, &[], Some(&image));
    let sink = LayoutSink::open_or_create(&scratch.path().join("layout")).unwrap();
    for blob in &sample.blobs {
        let content = RawContent::from_bytes(sample.contents[&blob.digest].clone());
        sink.put(&blob.descriptor(), ContentKind::Blob, content).unwrap();
    }
    let publish = |descriptor: &bulla::oci::Descriptor, tag| {
        let entry =
            Publication { descriptor: descriptor.clone(), tag, reference: None, subject: None, rule: NameRule::Moves };
        sink.publish(&[entry]).unwrap();
    };
    publish(&image, Some(tag("v1")));
    publish(&signature, None);
    (sample, image, signature)
}

#[test]
fn tars_of_a_layout_are_read() {
    if !has_tool("tar") || !has_tool("zstd") {
        return;
    }
    let scratch = Scratch::new();
    let (sample, image, signature) = layout(&scratch);
    let dir = scratch.path().join("layout");
    for format in ["gnu", "pax", "ustar"] {
        let file = scratch.path().join(format!("{format}.tar"));
        run("tar", &[&format!("--format={format}"), "-cf", file.to_str().unwrap(), "-C", dir.to_str().unwrap(), "."]);
        let packed = scratch.path().join(format!("{format}.tar.zst"));
        run("zstd", &["-q", file.to_str().unwrap(), "-o", packed.to_str().unwrap()]);
        for path in [file, packed] {
            let opened = open_any(&path, &Limits::default()).unwrap();
            assert!(matches!(opened, OpenedArchive::Foreign(_)));
            let store = opened.store();
            let found = store.resolve(&Target::Tag(tag("v1"))).unwrap().unwrap();
            assert_eq!(found.digest, image.digest);
            assert!(fetch_manifest(store, &found, &Limits::default()).unwrap().is_some());
            assert_eq!(store.referrers(&image).unwrap().descriptors[0].digest, signature.digest);
            // The signature is no artifact of its own.
            assert_eq!(store.names().unwrap().len(), 1);
            for blob in &sample.blobs {
                assert!(fetch(store, &blob.descriptor(), ContentKind::Blob, u64::MAX).unwrap().is_some());
            }
        }
    }
}

#[test]
fn skopeos_archives_are_read() {
    if !has_tool("skopeo") {
        return;
    }
    let (bundle, scratch) = (bundle(), Scratch::new());
    let file = scratch.file("b.tar", &write(&bundle.inventory, &bundle.contents, Compression::None));
    let again = scratch.path().join("again.tar");
    let (from, to) = (format!("oci-archive:{}:v1", file.display()), format!("oci-archive:{}:v1", again.display()));
    run("skopeo", &["copy", "-q", &from, &to]);
    let store = ArchiveStore::open(&again, &Limits::default()).unwrap();
    let names = store.names().unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!((names[0].descriptor.digest, names[0].tag.clone()), (bundle.image.digest, Some(tag("v1"))));
}

/// A layout inside a tar may nest its indexes, but neither without end nor in a circle (which digests make impossible).
#[test]
fn deep_nesting_ends() {
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let mut inner = sample.image(7);
    for _ in 0..1000 {
        inner = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [inner]}));
    }
    let mut members = minimal(&json!({"schemaVersion": 2, "manifests": [inner]}).to_string());
    members.extend(sample.contents.iter().map(|(digest, bytes)| Member::file(&bulla::oci::blob_path(digest), bytes)));
    let store = ArchiveStore::open(&scratch.file("deep.tar", &join(&members)), &Limits::default()).unwrap();
    assert_eq!(code(store.referrers(&inner)), Some(ClosureTooDeep));
}

/// A manifest that cannot be read might be the signature: its absence is not claimed.
#[test]
fn an_unreadable_manifest_is_no_absence() {
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let image = sample.image(8);
    let broken = sample.manifest(MediaType::OCI_MANIFEST, json!({"layers": []}));
    let mut members = minimal(&json!({"schemaVersion": 2, "manifests": [image, broken]}).to_string());
    members.extend(sample.contents.iter().map(|(digest, bytes)| Member::file(&bulla::oci::blob_path(digest), bytes)));
    let store = ArchiveStore::open(&scratch.file("x.tar", &join(&members)), &Limits::default()).unwrap();
    assert_eq!(code(store.referrers(&image)), Some(ManifestMalformed));
}
