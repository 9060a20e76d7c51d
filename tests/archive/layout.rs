//! Layouts on disk: what is refused, what two writers do to each other, and what a killed one leaves.

use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::{fs, thread};

use bulla::code::DiagnosticCode::{self, *};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, IndexDocument, MediaType, Target, blob_path, referrers_tag};
use bulla::store::layout::{LayoutSink, LayoutStore};
use bulla::store::memory::MemoryStore;
use bulla::store::{
    ContentKind, ContentSink, ContentStore, NameRule, Publication, RawContent, SearchMethod, StoreError, fetch,
    fetch_manifest,
};
use serde_json::json;

use crate::fixture::{NOTARY, Sample, Scratch, code, has_tool, run, tag};

fn put_all(sink: &dyn ContentSink, sample: &Sample) {
    for blob in &sample.blobs {
        let kind = if blob.manifest { ContentKind::Manifest } else { ContentKind::Blob };
        let content = RawContent::from_bytes(sample.contents[&blob.digest].clone());
        sink.put(&blob.descriptor(), kind, content).unwrap();
    }
}

fn named(descriptor: &Descriptor, name: &str) -> Publication {
    Publication {
        descriptor: descriptor.clone(),
        tag: Some(tag(name)),
        reference: None,
        subject: None,
        rule: NameRule::Moves,
    }
}

fn referrer(descriptor: &Descriptor, subject: &Descriptor) -> Publication {
    Publication {
        descriptor: descriptor.clone(),
        tag: None,
        reference: None,
        subject: Some(subject.digest),
        rule: NameRule::Moves,
    }
}

fn open(path: &Path) -> Result<LayoutStore, StoreError> {
    LayoutStore::open(path, &Limits::default())
}

/// Everything in a folder, but for the folders.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_published_is_found_again() {
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let image = sample.image(1);
    let signature = sample.artifact(NOTARY, &[], Some(&image));
    let memory = MemoryStore::new();
    let sink = LayoutSink::open_or_create(scratch.path()).unwrap();
    for sink in [&sink as &dyn ContentSink, &memory] {
        put_all(sink, &sample);
        sink.publish(&[named(&image, "v1"), referrer(&signature, &image)]).unwrap();
        assert!(sink.has(&image, ContentKind::Manifest).unwrap());
    }
    let layout = open(scratch.path()).unwrap();
    for store in [&layout as &dyn ContentStore, &memory] {
        let found = store.resolve(&Target::Tag(tag("v1"))).unwrap().unwrap();
        assert_eq!(found, image);
        assert_eq!(store.resolve(&Target::Digest(image.digest)).unwrap().unwrap(), image);
        assert_eq!(store.resolve(&Target::Tag(tag("v2"))).unwrap(), None);
        let referrers = store.referrers(&image).unwrap();
        assert_eq!(referrers.descriptors.len(), 1);
        assert_eq!(referrers.descriptors[0].artifact_type.as_ref().unwrap(), NOTARY);
        assert_eq!(store.names().unwrap().len(), 1);
        assert!(fetch_manifest(store, &signature, &Limits::default()).unwrap().is_some());
    }
    let before = fs::read(scratch.path().join("index.json")).unwrap();
    sink.publish(&[named(&image, "v1"), referrer(&signature, &image)]).unwrap();
    assert_eq!(fs::read(scratch.path().join("index.json")).unwrap(), before, "the same again changes nothing");
}

#[test]
fn a_layout_of_skopeo_is_read_and_added_to() {
    if !has_tool("skopeo") {
        return;
    }
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let (one, two) = (sample.image(1), sample.image(2));
    let (ours, theirs) = (scratch.path().join("ours"), scratch.path().join("theirs"));
    let sink = LayoutSink::open_or_create(&ours).unwrap();
    put_all(&sink, &sample);
    sink.publish(&[named(&one, "one")]).unwrap();
    run("skopeo", &["copy", "-q", &format!("oci:{}:one", ours.display()), &format!("oci:{}:one", theirs.display())]);
    let sink = LayoutSink::open_or_create(&theirs).unwrap();
    put_all(&sink, &sample);
    sink.publish(&[named(&two, "two")]).unwrap();
    let store = open(&theirs).unwrap();
    for (name, image) in [("one", &one), ("two", &two)] {
        assert_eq!(store.resolve(&Target::Tag(tag(name))).unwrap().unwrap().digest, image.digest);
        let found = run("skopeo", &["inspect", "--raw", &format!("oci:{}:{name}", theirs.display())]);
        assert_eq!(found.as_bytes(), sample.contents[&image.digest]);
    }
}

#[test]
fn two_imports_at_once_keep_each_others_names() {
    let scratch = Scratch::new();
    let path = scratch.path().join("layout");
    thread::scope(|scope| {
        for seed in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let mut sample = Sample::default();
                let (shared, own) = (sample.image(0), sample.image(100 + seed));
                // Opened anew, as two processes would.
                let sink = LayoutSink::open_or_create(path).unwrap();
                put_all(&sink, &sample);
                for round in 0..5 {
                    sink.publish(&[named(&shared, "shared"), named(&own, &format!("own-{seed}-{round}"))]).unwrap();
                }
            });
        }
    });
    let store = open(&path).unwrap();
    assert_eq!(store.names().unwrap().len(), 1 + 8 * 5);
    assert!(files(&path).iter().all(|name| !name.contains("tmp")), "{:?}", files(&path));
}

/// Gives half of the content and then fails, as a broken connection or a killed process would.
struct Broken(io::Cursor<Vec<u8>>);

impl Read for Broken {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn what_does_not_arrive_whole_leaves_nothing() {
    let scratch = Scratch::new();
    let sink = LayoutSink::open_or_create(scratch.path()).unwrap();
    let before = files(scratch.path());
    let descriptor = Descriptor::of("a/b", b"whole");
    for (content, expected) in [
        (RawContent::new(Broken(io::Cursor::new(b"wh".to_vec()))), NetworkFailed),
        (RawContent::from_bytes("wh"), BlobSizeMismatch),
        (RawContent::from_bytes("whole and more"), BlobSizeMismatch),
        (RawContent::from_bytes("WHOLE"), BlobDigestMismatch),
    ] {
        assert_eq!(code(sink.put(&descriptor, ContentKind::Blob, content)), Some(expected));
        assert!(!sink.has(&descriptor, ContentKind::Blob).unwrap());
        assert_eq!(files(scratch.path()), before);
    }
    assert_eq!(code(sink.publish(&[named(&descriptor, "v1")])), Some(BlobMissing), "no name without content");
    assert_eq!(files(scratch.path()), before);
}

#[test]
fn a_killed_import_is_completed_and_its_remains_removed() {
    let scratch = Scratch::new();
    let path = scratch.path().join("layout");
    let mut sample = Sample::default();
    let image = sample.image(1);
    // Killed before the layout was one: content, a document half way, no oci-layout.
    let blob = path.join(blob_path(&image.digest));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(path.join(".bulla-tmp-abc"), b"{").unwrap();
    fs::write(blob.parent().unwrap().join(".bulla-tmp-def"), b"half").unwrap();
    fs::write(&blob, b"half of a manifest").unwrap();
    assert_eq!(code(open(&path)), Some(LayoutInvalid));
    let sink = LayoutSink::open_or_create(&path).unwrap();
    assert_eq!(files(&path).len(), 3, "{:?}", files(&path));
    assert!(!sink.has(&image, ContentKind::Manifest).unwrap(), "the wrong size");
    fs::write(&blob, vec![b'x'; image.size as usize]).unwrap();
    assert!(!sink.has(&image, ContentKind::Manifest).unwrap(), "the right size, other content");
    put_all(&sink, &sample);
    assert!(sink.has(&image, ContentKind::Manifest).unwrap());
    sink.publish(&[named(&image, "v1")]).unwrap();
    let store = open(&path).unwrap();
    assert!(fetch_manifest(&store, &image, &Limits::default()).unwrap().is_some());
}

/// A temporary file that its writer still holds is not taken for abandoned.
#[test]
fn the_work_of_a_living_writer_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path().to_owned();
    let sink = LayoutSink::open_or_create(&path).unwrap();
    let descriptor = Descriptor::of("a/b", b"slowly");
    let (send, receive) = std::sync::mpsc::channel::<()>();
    struct Slow(std::sync::mpsc::Receiver<()>, io::Cursor<&'static [u8]>);
    impl Read for Slow {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.read(bytes)
        }
    }
    let slow = RawContent::new(Slow(receive, io::Cursor::new(b"slowly")));
    thread::scope(|scope| {
        let writer = scope.spawn(|| sink.put(&descriptor, ContentKind::Blob, slow));
        while !files(&path).iter().any(|name| name.contains(".bulla-tmp-")) {
            thread::yield_now();
        }
        LayoutSink::open_or_create(&path).unwrap();
        drop(send);
        writer.join().unwrap().unwrap();
    });
    assert!(sink.has(&descriptor, ContentKind::Blob).unwrap());
}

#[test]
fn links_are_not_followed_out_of_a_layout() {
    let scratch = Scratch::new();
    let outside = scratch.file("outside", b"secret");
    let secret = Descriptor::of("a/b", b"secret");
    let make = |name: &str| {
        let path = scratch.path().join(name);
        LayoutSink::open_or_create(&path).unwrap();
        path
    };
    for document in ["oci-layout", "index.json"] {
        let path = make(document);
        let moved = scratch.path().join(format!("moved-{document}"));
        fs::rename(path.join(document), &moved).unwrap();
        symlink(&moved, path.join(document)).unwrap();
        assert_eq!(code(open(&path)), Some(LayoutInvalid), "{document}");
        assert_eq!(code(LayoutSink::open_or_create(&path)), Some(LayoutInvalid), "{document}");
    }
    let path = make("blob");
    let blob = path.join(blob_path(&secret.digest));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    symlink(&outside, &blob).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(code(fetch(&store, &secret, ContentKind::Blob, 100)), Some(LayoutInvalid));
    let sink = LayoutSink::open_or_create(&path).unwrap();
    assert!(!sink.has(&secret, ContentKind::Blob).unwrap());
    sink.put(&secret, ContentKind::Blob, RawContent::from_bytes("secret")).unwrap();
    assert!(blob.symlink_metadata().unwrap().is_file(), "the link is replaced, not followed");
    let path = make("folder");
    fs::create_dir(scratch.path().join("elsewhere")).unwrap();
    symlink(scratch.path().join("elsewhere"), path.join("blobs")).unwrap();
    let sink = LayoutSink::open_or_create(&path).unwrap();
    assert_eq!(code(sink.put(&secret, ContentKind::Blob, RawContent::from_bytes("secret"))), Some(LayoutInvalid));
    assert!(files(&scratch.path().join("elsewhere")).is_empty());
    let path = make("pipe");
    let blob = path.join(blob_path(&secret.digest));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    run("mkfifo", &[blob.to_str().unwrap()]);
    assert_eq!(code(fetch(&open(&path).unwrap(), &secret, ContentKind::Blob, 100)), Some(LayoutInvalid));
}

#[test]
fn what_is_no_layout_is_not_written_to() {
    let scratch = Scratch::new();
    let home = scratch.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter.txt"), b"dear").unwrap();
    assert_eq!(code(LayoutSink::open_or_create(&home)), Some(DestinationUnsupported));
    assert_eq!(files(&home), ["letter.txt"]);
    assert_eq!(code(open(&home)), Some(LayoutInvalid));
    assert_eq!(code(open(&scratch.path().join("none"))), Some(NotFound));
    assert_eq!(code(open(&home.join("letter.txt"))), Some(LayoutInvalid));
    let future = scratch.path().join("future");
    fs::create_dir(&future).unwrap();
    fs::write(future.join("oci-layout"), br#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert_eq!(code(LayoutSink::open_or_create(&future)), Some(LayoutInvalid));
    let broken = scratch.path().join("broken");
    let sink = LayoutSink::open_or_create(&broken).unwrap();
    fs::write(broken.join("index.json"), b"{").unwrap();
    assert_eq!(code(sink.publish(&[])), Some(LayoutInvalid));
    assert_eq!(fs::read(broken.join("index.json")).unwrap(), b"{", "nothing is repaired by guessing");
}

#[test]
fn a_layout_that_cannot_be_written_to_says_so() {
    let scratch = Scratch::new();
    let expected: Option<DiagnosticCode> = Some(PermissionDenied);
    if rustix_is_root() {
        crate::skip::always(format_args!("a read-only folder stops nobody who is root"));
    } else {
        let path = scratch.path().join("read-only");
        LayoutSink::open_or_create(&path).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let sink = LayoutSink::open_or_create(&path).unwrap();
        let blob = Descriptor::of("a/b", b"x");
        assert_eq!(code(sink.put(&blob, ContentKind::Blob, RawContent::from_bytes("x"))), expected);
    }
    // A kernel file system refuses even root, whatever it answers exactly.
    let error = LayoutSink::open_or_create(Path::new("/proc/bulla")).err().unwrap();
    assert!(code(Err::<(), _>(error)).is_some_and(|code| code.class() == bulla::code::Class::Environment));
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Referrers in nested indexes, and in a list under a tag of the referrers tag schema (conformance 1.17, 1.21).
#[test]
fn referrers_are_found_wherever_a_layout_keeps_them() {
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let image = sample.image(1);
    let nested = sample.artifact(NOTARY, &[], Some(&image));
    let inner = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [nested]}));
    let outer = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [inner]}));
    let listed = sample.artifact("application/vnd.example.sbom", &[], Some(&image));
    let absent = Descriptor::of(MediaType::OCI_MANIFEST, b"a referrer that was not copied");
    let list = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [listed, absent]}));
    let sink = LayoutSink::open_or_create(scratch.path()).unwrap();
    put_all(&sink, &sample);
    let list_tag = referrers_tag(&image.digest);
    sink.publish(&[named(&image, "v1"), referrer(&outer, &image), named(&list, list_tag.as_str())]).unwrap();
    let store = open(scratch.path()).unwrap();
    let found = store.referrers(&image).unwrap();
    let mut expected = vec![nested.digest, listed.digest, absent.digest];
    expected.sort();
    // What a list names and the layout lacks is missing, not absent: whoever fetches it will find out.
    assert_eq!(found.descriptors.iter().map(|d| d.digest).collect::<Vec<_>>(), expected);
    assert_eq!(found.searches[1].method, SearchMethod::ReferrersTag);
    assert_eq!(store.resolve(&Target::Digest(nested.digest)).unwrap().unwrap().digest, nested.digest);
    let names = store.names().unwrap();
    let tags: Vec<_> = names.iter().map(|root| root.tag.as_ref().map(|tag| tag.as_str())).collect();
    assert_eq!(tags, [Some("v1"), None], "the list of referrers is no artifact");
}

/// Runs itself again with a file system of 256 KiB, in a mount namespace that ends with it.
#[test]
fn a_full_disk_leaves_a_layout_as_it_was() {
    const VARIABLE: &str = "BULLA_TEST_SMALL_DISK";
    if let Some(disk) = std::env::var_os(VARIABLE) {
        return fill(Path::new(&disk));
    }
    let scratch = Scratch::new();
    let script = "mount -t tmpfs -o size=256k none \"$1\" || exit 77; exec \"$0\" --exact layout::a_full_disk_leaves_a_layout_as_it_was";
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(scratch.path())
        .env(VARIABLE, scratch.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "it did not run");
        }
        Ok(output) if output.status.code() == Some(101) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        other => crate::skip::always(format_args!("a small file system cannot be mounted here: {other:?}")),
    }
}

fn fill(disk: &Path) {
    let mut sample = Sample::default();
    let image = sample.image(1);
    let sink = LayoutSink::open_or_create(disk).unwrap();
    put_all(&sink, &sample);
    sink.publish(&[named(&image, "v1")]).unwrap();
    let before = files(disk);
    let large = vec![b'x'; 1 << 20];
    let descriptor = Descriptor::of("a/b", &large);
    let full = sink.put(&descriptor, ContentKind::Blob, RawContent::from_bytes(large));
    assert_eq!(code(full), Some(StorageFull));
    assert_eq!(files(disk), before);
    let mut output = bulla::archive::OutputFile::create(&disk.join("out.tar")).unwrap();
    let error = io::Write::write_all(&mut output, &vec![b'x'; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    drop(output);
    assert_eq!(files(disk), before);
    assert!(fetch_manifest(&open(disk).unwrap(), &image, &Limits::default()).unwrap().is_some());
}

/// Names are claims, but a name that holds a digest claims something that can be checked at once.
#[test]
fn a_name_with_another_digest_is_no_name() {
    let scratch = Scratch::new();
    let mut sample = Sample::default();
    let image = sample.image(1);
    let sink = LayoutSink::open_or_create(scratch.path()).unwrap();
    put_all(&sink, &sample);
    for (digest, expected) in [(image.digest, true), (Digest::sha256(b"another"), false)] {
        let mut entry = image.clone();
        let name = format!("registry.example/app:v1@{digest}");
        entry.annotations.insert("org.opencontainers.image.ref.name".into(), name.clone());
        let index = IndexDocument::new(vec![entry]).to_bytes().unwrap();
        fs::write(scratch.path().join("index.json"), index).unwrap();
        let names = open(scratch.path()).unwrap().names().unwrap();
        let found: Vec<_> = names.iter().filter_map(|root| root.reference.as_ref()).map(ToString::to_string).collect();
        assert_eq!(found, if expected { vec![name] } else { Vec::new() });
        assert_eq!(names.len(), 1, "the content is still there to be asked for by its digest");
    }
}
