//! What is written is read back: by bulla, and by tools that know nothing of it.

use std::io::Write as _;

use bulla::archive::{BundleWriter, Compression, EntryName, Writer, names};
use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{IndexDocument, Target, annotation};
use bulla::store::archive::{OpenedArchive, open_any};
use bulla::store::bundle::BundleStore;
use bulla::store::{ContentKind, ContentStore, RawContent, SearchResult, fetch, fetch_manifest};

use crate::fixture::{Bundle, Scratch, bundle, code, has_tool, inventory, root, run, tag, write};

const FORMS: [(&str, Compression); 2] =
    [("bundle.tar", Compression::None), ("bundle.tar.zst", Compression::Zstd { level: 3 })];

fn check(bundle: &Bundle, store: &BundleStore) {
    assert_eq!(*store.inventory(), bundle.inventory);
    for blob in &bundle.inventory.blobs {
        let bytes = fetch(store, &blob.descriptor(), ContentKind::Blob, u64::MAX).unwrap().unwrap();
        assert!(bytes == bundle.contents[&blob.digest], "{}", blob.digest);
    }
    let resolve = |target: Target| store.resolve(&target).unwrap().map(|descriptor| descriptor.digest);
    assert_eq!(resolve(Target::Tag(tag("v1"))), Some(bundle.image.digest));
    // Two names for one artifact are not ambiguous.
    assert_eq!(resolve(Target::Tag(tag("v2"))), Some(bundle.notes.digest));
    assert_eq!(resolve(Target::Tag(tag("v3"))), None);
    let cosign = format!("sha256-{}.sig", bundle.image.digest.hex());
    assert_eq!(resolve(Target::Tag(tag(&cosign))), Some(bundle.cosign.digest));
    assert_eq!(resolve(Target::Digest(bundle.signature.digest)), Some(bundle.signature.digest));
    assert_eq!(resolve(Target::Digest(bundle.layer)), None, "a layer is no artifact");
    let found = store.referrers(&bundle.image).unwrap();
    assert_eq!(found.descriptors.iter().map(|d| d.digest).collect::<Vec<_>>(), [bundle.signature.digest]);
    assert_eq!(found.searches[0].result, SearchResult::Found);
    let found = store.referrers(&bundle.signature).unwrap();
    assert_eq!(found.descriptors[0].digest, bundle.evidence.digest);
    assert_eq!(found.descriptors[0].artifact_type.as_ref().unwrap(), names::EVIDENCE);
    let nothing = store.referrers(&bundle.notes).unwrap();
    assert!(nothing.descriptors.is_empty() && nothing.searches[0].result == SearchResult::Absent);
    assert_eq!(store.names().unwrap().len(), bundle.inventory.roots.len());
}

#[test]
fn both_forms_are_read_back() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    for (name, compression) in FORMS {
        let bytes = write(&bundle.inventory, &bundle.contents, compression);
        let path = scratch.file(name, &bytes);
        check(&bundle, &BundleStore::open(&path, &Limits::default()).unwrap());
        assert!(matches!(open_any(&path, &Limits::default()).unwrap(), OpenedArchive::Bundle(_)));
    }
}

#[test]
fn blobs_are_read_in_parallel_from_one_file() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    for (name, compression) in FORMS {
        let path = scratch.file(name, &write(&bundle.inventory, &bundle.contents, compression));
        let store = BundleStore::open(&path, &Limits::default()).unwrap();
        std::thread::scope(|scope| {
            for blob in &store.inventory().blobs {
                let store = &store;
                scope.spawn(move || {
                    assert!(fetch(store, &blob.descriptor(), ContentKind::Blob, u64::MAX).unwrap().is_some());
                });
            }
        });
    }
}

/// The format is fixed: a change of these digests is a change of the format, or of libzstd.
#[test]
fn the_same_inventory_gives_the_same_bytes() {
    let bundle = bundle();
    let digest = |compression| Digest::sha256(&write(&bundle.inventory, &bundle.contents, compression)).hex();
    assert_eq!(digest(Compression::None), PLAIN);
    assert_eq!(digest(Compression::Zstd { level: 3 }), COMPRESSED);
    let mut shuffled = bundle.inventory.clone();
    shuffled.blobs.reverse();
    shuffled.roots.reverse();
    shuffled.referrers.reverse();
    shuffled.normalise();
    assert_eq!(shuffled, bundle.inventory);
}

const PLAIN: &str = "b687b7a1b5a24903ce099b8a6e2e131ea5cd15457e604653864731a56b383d0b";
const COMPRESSED: &str = "7c833e780f95a0e2ca0d5240f6a72f0388ce0dfcb7b9745f264300bdc8f9efb7";

#[test]
fn index_json_follows_from_the_inventory() {
    let bundle = bundle();
    let manifest = bundle.inventory.bundle_manifest().unwrap();
    let index = bundle.inventory.index(&manifest.descriptor);
    let name = |at: usize, key: &str| index.manifests[at].annotations.get(key).map(String::as_str);
    let short: Vec<_> = (0..5).map(|at| name(at, annotation::REF_NAME).unwrap()).collect();
    let nameless = format!("registry.example/nameless@{}", bundle.notes.digest);
    assert_eq!(short, ["other.example/notes:v2", "v1", "edge", &nameless, "registry.example/notes:v2"]);
    assert_eq!(name(1, annotation::CONTAINERD_NAME), Some("registry.example/app:v1"));
    assert_eq!(name(3, annotation::CONTAINERD_NAME), None);
    // Conformance 1.21: every signature and every evidence manifest can be reached from index.json, once.
    for digest in [bundle.signature.digest, bundle.evidence.digest, bundle.cosign.digest] {
        assert_eq!(index.manifests.iter().filter(|entry| entry.digest == digest).count(), 1, "{digest}");
    }
    let last = index.manifests.last().unwrap();
    assert_eq!(last.artifact_type.as_ref().unwrap(), names::BUNDLE);
    assert_eq!(IndexDocument::parse(&index.to_bytes().unwrap()).unwrap(), index);
}

#[test]
fn a_tag_of_several_artifacts_is_ambiguous() {
    let mut sample = crate::fixture::Sample::default();
    let (one, two) = (sample.image(1), sample.image(2));
    let inventory = inventory(sample.blobs, vec![root("a.example/x:v1", &one), root("b.example/x:v1", &two)]);
    let scratch = Scratch::new();
    let path = scratch.file("x.tar", &write(&inventory, &sample.contents, Compression::None));
    let store = BundleStore::open(&path, &Limits::default()).unwrap();
    let error = store.resolve(&Target::Tag(tag("v1"))).unwrap_err();
    assert!(error.to_string().contains("a.example/x:v1") && error.to_string().contains("b.example/x:v1"));
    assert_eq!(code(Err::<(), _>(error)), Some(DiagnosticCode::ReferenceAmbiguous));
    if has_tool("skopeo") {
        let to = format!("oci:{}:x", scratch.path().join("out").display());
        run("skopeo", &["copy", "-q", &format!("oci-archive:{}:b.example/x:v1", path.display()), &to]);
    }
}

#[test]
fn the_writer_takes_exactly_the_inventory() {
    let bundle = bundle();
    let blobs = &bundle.inventory.blobs;
    let begin = || BundleWriter::new(Vec::new(), &bundle.inventory, Compression::None).unwrap();
    let content = |at: usize| RawContent::from_bytes(bundle.contents[&blobs[at].digest].clone());
    // Out of order
    let mut writer = begin();
    assert_eq!(code(writer.copy(&blobs[1].descriptor(), content(1))), Some(DiagnosticCode::InternalError));
    assert_eq!(writer.next_blob(), Some(&blobs[0]), "a refused blob does not count as written");
    // Missing
    let mut writer = begin();
    writer.copy(&blobs[0].descriptor(), content(0)).unwrap();
    assert_eq!(writer.next_blob(), Some(&blobs[1]));
    assert_eq!(code(writer.finish().map(|_| ())), Some(DiagnosticCode::BlobMissing));
    // Twice
    let mut writer = begin();
    writer.copy(&blobs[0].descriptor(), content(0)).unwrap();
    assert_eq!(code(writer.copy(&blobs[0].descriptor(), content(0))), Some(DiagnosticCode::InternalError));
    // Other content
    let mut writer = begin();
    assert_eq!(code(writer.copy(&blobs[0].descriptor(), content(1))), Some(DiagnosticCode::BlobSizeMismatch));
    assert!(writer.finish().is_err());
    // An inventory that contradicts itself
    let mut wrong = bundle.inventory.clone();
    wrong.totals.bytes += 1;
    let error = BundleWriter::new(Vec::new(), &wrong, Compression::None).err().unwrap();
    assert_eq!(code(Err::<(), _>(error)), Some(DiagnosticCode::BundleManifestInvalid));
}

#[test]
fn tar_and_zstd_read_a_bundle() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    if !has_tool("tar") || !has_tool("zstd") {
        return;
    }
    let plain = scratch.file("b.tar", &write(&bundle.inventory, &bundle.contents, Compression::None));
    let level = Compression::Zstd { level: 3 };
    let packed = scratch.file("b.tar.zst", &write(&bundle.inventory, &bundle.contents, level));
    run("zstd", &["-q", "-t", packed.to_str().unwrap()]);
    let unpacked = scratch.path().join("again.tar");
    run("zstd", &["-q", "-d", packed.to_str().unwrap(), "-o", unpacked.to_str().unwrap()]);
    assert!(std::fs::read(&unpacked).unwrap() == std::fs::read(&plain).unwrap());
    let listing = run("tar", &["tf", plain.to_str().unwrap()]);
    let expected = bundle.inventory.blobs.len() + 4;
    assert_eq!(listing.lines().count(), expected);
    assert_eq!(listing.lines().next(), Some("oci-layout"));
    let out = scratch.path().join("out");
    std::fs::create_dir(&out).unwrap();
    run("tar", &["xf", unpacked.to_str().unwrap(), "-C", out.to_str().unwrap()]);
    let store = bulla::store::layout::LayoutStore::open(&out, &Limits::default()).unwrap();
    for blob in &bundle.inventory.blobs {
        assert!(fetch(&store, &blob.descriptor(), ContentKind::Blob, u64::MAX).unwrap().is_some());
    }
    assert_eq!(store.referrers(&bundle.image).unwrap().descriptors[0].digest, bundle.signature.digest);
    let names: Vec<_> = store.names().unwrap().into_iter().filter_map(|root| root.reference).collect();
    let expected: Vec<_> = bundle.inventory.roots.iter().map(|root| root.reference.clone()).collect();
    assert_eq!(names, expected);
}

#[test]
fn skopeo_copies_out_of_a_bundle() {
    if !has_tool("skopeo") {
        return;
    }
    let (bundle, scratch) = (bundle(), Scratch::new());
    let plain = scratch.file("b.tar", &write(&bundle.inventory, &bundle.contents, Compression::None));
    let out = scratch.path().join("out");
    let to = format!("oci:{}:v1", out.display());
    run("skopeo", &["copy", "-q", &format!("oci-archive:{}:v1", plain.display()), &to]);
    let store = bulla::store::layout::LayoutStore::open(&out, &Limits::default()).unwrap();
    let found = store.resolve(&Target::Tag(tag("v1"))).unwrap().unwrap();
    assert_eq!(found.digest, bundle.image.digest);
    assert!(fetch_manifest(&store, &found, &Limits::default()).unwrap().is_some());
}

/// More than 8 GiB do not fit the octal field. The content is a hole, so this takes no space.
#[test]
fn sizes_beyond_eight_gib_are_listed_by_tar_and_by_us() {
    if !has_tool("tar") {
        return;
    }
    const SIZE: u64 = (8 << 30) + 5;
    let digest = Digest::sha256(b"never read");
    let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
    writer.entry(EntryName::Blob(digest), SIZE).map(|_| ()).unwrap();
    // The writer knows that it is incomplete; only its header is wanted here.
    assert!(writer.finish().is_err());
    let mut headers = Headers::default();
    let mut writer = Writer::new(&mut headers, Compression::None).unwrap();
    let mut entry = writer.entry(EntryName::Blob(digest), SIZE).unwrap();
    assert!(entry.write_all(b"x").is_err());
    let scratch = Scratch::new();
    let path = scratch.file("big.tar", &headers.0);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(512 + SIZE.div_ceil(512) * 512 + 1024).unwrap();
    let listing = run("tar", &["tvf", path.to_str().unwrap()]);
    assert!(listing.contains(&SIZE.to_string()), "{listing}");
    let archive = bulla::archive::Archive::open(&path, &Limits::default(), bulla::archive::Strictness::Bundle).unwrap();
    assert_eq!(archive.entries()[0].size, SIZE);
}

/// Takes one header and nothing more.
#[derive(Default)]
struct Headers(Vec<u8>);

impl std::io::Write for Headers {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() >= 512 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_has_its_code() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let bundle = bundle();
    let error = BundleWriter::new(full, &bundle.inventory, Compression::None).err().unwrap();
    assert_eq!(code(Err::<(), _>(error)), Some(DiagnosticCode::StorageFull));
}

/// What was written once is written for ever: another program of this version, on another machine, gives these bytes.
/// A change here is a change of the format.
#[test]
fn golden_digests() {
    let bundle = bundle();
    let forms = [Compression::None, Compression::Zstd { level: 3 }, Compression::Zstd { level: 19 }];
    let found = forms.map(|form| Digest::sha256(&write(&bundle.inventory, &bundle.contents, form)).to_string());
    let golden = [
        "sha256:b687b7a1b5a24903ce099b8a6e2e131ea5cd15457e604653864731a56b383d0b",
        "sha256:7c833e780f95a0e2ca0d5240f6a72f0388ce0dfcb7b9745f264300bdc8f9efb7",
        "sha256:dfc0790425418ab026c9fd7dbdcf7a1263a52798ba59216b539021678bb0a8d6",
    ];
    assert_eq!(found, golden);
}
