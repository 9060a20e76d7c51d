//! Everything that can be wrong with a bundle, each with its code.

use bulla::archive::{BundleInventory, Compression, HELD_CONTENT, Omission, OmittedContent, StreamPosition, names};
use bulla::code::DiagnosticCode::{self, *};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType};
use bulla::store::archive::open_any;
use bulla::store::bundle::BundleStore;
use bulla::store::{ContentKind, StoreError, fetch, fetch_manifest};
use tar::EntryType;

use crate::fixture::{Bundle, Member, Sample, Scratch, bundle, code, inventory, join, members, root, write};

fn plain(bundle: &Bundle) -> Vec<u8> {
    write(&bundle.inventory, &bundle.contents, Compression::None)
}

pub(crate) fn open(scratch: &Scratch, bytes: &[u8]) -> Result<BundleStore, StoreError> {
    BundleStore::open(&scratch.file("bundle", bytes), &Limits::default())
}

/// Opens and reads everything: the way a verification goes.
pub(crate) fn read(scratch: &Scratch, bytes: &[u8]) -> Option<DiagnosticCode> {
    let store = match open(scratch, bytes) {
        Ok(store) => store,
        Err(error) => return code(Err::<(), _>(error)),
    };
    for blob in &store.inventory().blobs {
        match fetch(&store, &blob.descriptor(), ContentKind::Blob, u64::MAX) {
            Ok(Some(_)) => {}
            Ok(None) => return Some(BlobMissing),
            Err(error) => return code(Err::<(), _>(error)),
        }
    }
    None
}

fn hex(seed: &[u8]) -> String {
    Digest::sha256(seed).hex()
}

type Change = Box<dyn Fn(&mut Vec<Member>)>;

fn insert(at: usize, member: Member) -> Change {
    Box::new(move |members| members.insert(at, member.clone()))
}

fn add(member: Member) -> Change {
    Box::new(move |members| members.push(member.clone()))
}

fn edit(at: usize, change: impl Fn(&mut [u8]) + 'static) -> Change {
    Box::new(move |members| members[at].edit(&change))
}

fn content(at: usize, change: impl Fn(&mut Vec<u8>) + 'static) -> Change {
    Box::new(move |members| {
        let mut bytes = members[at].content.clone();
        change(&mut bytes);
        members[at].set_content(bytes);
    })
}

/// The third and fourth members are the bundle manifest and the inventory; blobs begin with the fifth.
fn cases() -> Vec<(&'static str, Change, DiagnosticCode)> {
    let blob = |seed: &[u8]| format!("blobs/sha256/{}", hex(seed));
    let other = bundle_of_another_image();
    vec![
        ("a blob that is missing", Box::new(|m: &mut Vec<Member>| drop(m.remove(6))), BlobMissing),
        ("the last blob missing", Box::new(|m: &mut Vec<Member>| drop(m.pop())), BlobMissing),
        ("no oci-layout", Box::new(|m: &mut Vec<Member>| drop(m.remove(0))), LayoutInvalid),
        ("no index.json", Box::new(|m: &mut Vec<Member>| drop(m.remove(1))), LayoutInvalid),
        ("no bundle manifest", Box::new(|m: &mut Vec<Member>| drop(m.remove(2))), BundleIndexMismatch),
        ("no inventory", Box::new(|m: &mut Vec<Member>| drop(m.remove(3))), BlobMissing),
        ("a blob too many", add(Member::file(&blob(b"x"), b"x")), ArchiveEntryUnexpected),
        ("an unknown file", add(Member::file("README", b"x")), ArchiveEntryForbidden),
        ("an unknown file first", insert(0, Member::file("README", b"x")), ArchiveEntryForbidden),
        ("..", add(Member::file("../evil", b"x")), ArchiveEntryForbidden),
        (".. inside", add(Member::file("blobs/../../evil", b"x")), ArchiveEntryForbidden),
        ("an absolute path", add(Member::file("/etc/passwd", b"x")), ArchiveEntryForbidden),
        ("./", add(Member::file("./index.json", b"x")), ArchiveEntryForbidden),
        ("a symbolic link", add(Member::link(EntryType::Symlink, &blob(b"x"), "/etc/passwd")), ArchiveEntryForbidden),
        ("a hard link", add(Member::link(EntryType::Link, &blob(b"x"), "index.json")), ArchiveEntryForbidden),
        ("a directory", insert(0, Member::new(EntryType::Directory, "blobs/", b"")), ArchiveEntryForbidden),
        ("a pipe", add(Member::new(EntryType::Fifo, &blob(b"x"), b"")), ArchiveEntryForbidden),
        ("a device", add(Member::new(EntryType::Char, &blob(b"x"), b"")), ArchiveEntryForbidden),
        ("a sparse file", add(Member::new(EntryType::GNUSparse, &blob(b"x"), b"")), ArchiveEntryForbidden),
        ("a pax header", insert(1, Member::new(EntryType::XHeader, "p", b"14 mtime=1.0\n\n")), ArchiveEntryForbidden),
        (
            "a pax header that renames",
            Box::new(|m: &mut Vec<Member>| {
                let record = Member::new(EntryType::XHeader, "PaxHeaders/blob", b"19 path=index.json\n");
                m[1].header = join(&[record])[..1024].iter().copied().chain(m[1].header.clone()).collect();
            }),
            ArchiveMalformed,
        ),
        ("a global pax header", insert(0, Member::new(EntryType::XGlobalHeader, "p", b"")), ArchiveEntryForbidden),
        (
            "a GNU long name",
            insert(1, Member::new(EntryType::GNULongName, "x", b"index.json\0")),
            ArchiveEntryForbidden,
        ),
        ("a duplicate", Box::new(|m: &mut Vec<Member>| m.push(m[5].clone())), ArchiveEntryDuplicate),
        ("index.json twice", Box::new(|m: &mut Vec<Member>| m.insert(1, m[1].clone())), ArchiveEntryDuplicate),
        ("another order", Box::new(|m: &mut Vec<Member>| m.swap(5, 6)), ArchiveMalformed),
        ("layers first", Box::new(|m: &mut Vec<Member>| m.rotate_right(1)), ArchiveMalformed),
        (
            "another algorithm",
            add(Member::file(&format!("blobs/md5/{}", &hex(b"")[..32]), b"x")),
            ArchiveEntryForbidden,
        ),
        ("upper case", add(Member::file(&blob(b"x").to_uppercase(), b"x")), ArchiveEntryForbidden),
        ("a blob one byte longer", content(6, |bytes| bytes.push(0)), BlobSizeMismatch),
        ("a blob one byte shorter", content(6, |bytes| bytes.truncate(bytes.len() - 1)), BlobSizeMismatch),
        (
            "oci-layout of another version",
            content(0, |b| *b = br#"{"imageLayoutVersion":"2.0.0"}"#.to_vec()),
            ArchiveMalformed,
        ),
        ("oci-layout with a blank", content(0, |b| b.push(b' ')), LimitExceeded),
        (
            "index.json of another bundle",
            Box::new(move |m: &mut Vec<Member>| m[1] = other[1].clone()),
            BundleIndexMismatch,
        ),
        ("index.json with a blank", content(1, |bytes| bytes.push(b'\n')), BundleIndexMismatch),
        (
            "index.json without entries",
            content(1, |b| *b = br#"{"schemaVersion":2,"manifests":[]}"#.to_vec()),
            BundleIndexMismatch,
        ),
        ("index.json that is no JSON", content(1, |b| *b = b"x".to_vec()), BundleIndexMismatch),
        ("a name exchanged in index.json", content(1, |b| replace(b, b"\"v1\"", b"\"v9\"")), BundleIndexMismatch),
        ("a digest exchanged in index.json", content(1, |b| replace(b, b"sha256:", b"sha257:")), BundleIndexMismatch),
        (
            "two bundle manifests listed",
            content(1, |b| {
                let text = format!("\"artifactType\":\"{}\"", bulla::archive::names::EVIDENCE);
                replace(b, text.as_bytes(), format!("\"artifactType\":\"{}\"", names::BUNDLE).as_bytes());
            }),
            BundleIndexMismatch,
        ),
        ("another mode", edit(4, |h| h[100..107].copy_from_slice(b"0000755")), ArchiveMalformed),
        ("an owner", edit(4, |h| h[108..115].copy_from_slice(b"0001000")), ArchiveMalformed),
        ("a time", edit(4, |h| h[136..147].copy_from_slice(b"00000000001")), ArchiveMalformed),
        ("an owner's name", edit(4, |h| h[265..269].copy_from_slice(b"root")), ArchiveMalformed),
        ("a link name", edit(4, |h| h[157] = b'x'), ArchiveMalformed),
        ("text behind the name", edit(4, |h| h[99] = b'x'), ArchiveMalformed),
        ("GNU magic", edit(4, |h| h[257..265].copy_from_slice(b"ustar  \0")), ArchiveMalformed),
        (
            "a size in base 256",
            edit(4, |h| {
                let size = u64::from_str_radix(std::str::from_utf8(&h[124..135]).unwrap(), 8).unwrap();
                h[124..136].fill(0);
                h[124] = 0x80;
                h[128..136].copy_from_slice(&size.to_be_bytes());
            }),
            ArchiveMalformed,
        ),
        ("a size that is no number", edit(4, |h| h[124] = b'x'), ArchiveMalformed),
        ("a size beyond all files", edit(4, |h| h[124..136].copy_from_slice(b"77777777777\0")), ArchiveTruncated),
        (
            "a size that overflows",
            edit(4, |h| {
                h[124..136].fill(0xff);
                h[124..128].copy_from_slice(&[0x80, 0, 0, 0]);
            }),
            ArchiveTruncated,
        ),
        ("a wrong checksum", Box::new(|m: &mut Vec<Member>| m[4].header[148] ^= 1), ArchiveMalformed),
        ("zeros in the middle", insert(4, Member { header: vec![0; 1024], content: Vec::new() }), ArchiveMalformed),
        ("one block of zeros", insert(4, Member { header: vec![0; 512], content: Vec::new() }), ArchiveMalformed),
        ("junk for a header", insert(4, Member { header: vec![b'j'; 512], content: Vec::new() }), ArchiveMalformed),
    ]
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    // Lengths may differ by filling the rest with what JSON ignores nowhere: so only the beginning is replaced.
    let count = from.len().min(to.len());
    bytes[at..at + count].copy_from_slice(&to[..count]);
}

fn bundle_of_another_image() -> Vec<Member> {
    let mut sample = Sample::default();
    let image = sample.image(99);
    let inventory = inventory(sample.blobs, vec![root("registry.example/app:v1", &image)]);
    members(&write(&inventory, &sample.contents, Compression::None))
}

#[test]
fn a_damaged_bundle_is_refused_with_its_code() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = members(&plain(&bundle));
    assert_eq!(join(&whole), plain(&bundle), "taking apart and putting together changes nothing");
    for (name, change, expected) in cases() {
        let mut members = whole.clone();
        change(&mut members);
        let bytes = join(&members);
        let error = open(&scratch, &bytes).err().unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(!error.to_string().is_empty());
        assert_eq!(code(Err::<(), _>(error)), Some(expected), "{name}");
        // Whoever does not know what the file is must not get away with less.
        let any = open_any(&scratch.file("any", &bytes), &Limits::default());
        assert!(any.is_err(), "{name} passes as something else");
    }
}

#[test]
fn a_bundle_that_breaks_off_anywhere_is_truncated() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = plain(&bundle);
    let mut cuts: Vec<usize> = vec![0, 1, 100, 511, 512, 513, whole.len() - 1, whole.len() - 512, whole.len() - 1024];
    let mut at = 0;
    for member in members(&whole) {
        cuts.extend([at, at + 7, at + member.header.len(), at + member.header.len() + member.content.len()]);
        at += member.header.len() + member.content.len().div_ceil(512) * 512;
    }
    for cut in cuts {
        assert_eq!(read(&scratch, &whole[..cut]), Some(ArchiveTruncated), "cut at {cut} of {}", whole.len());
    }
}

#[test]
fn a_compressed_bundle_that_breaks_off_anywhere_is_truncated() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = write(&bundle.inventory, &bundle.contents, Compression::Zstd { level: 3 });
    for cut in (1..whole.len()).step_by(whole.len() / 97).chain(whole.len() - 40..whole.len()) {
        assert_eq!(read(&scratch, &whole[..cut]), Some(ArchiveTruncated), "cut at {cut} of {}", whole.len());
    }
}

/// Every byte that is no content is flipped, and of each content its first, middle and last byte.
#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = plain(&bundle);
    let mut places = vec![whole.len() - 1, whole.len() - 1024];
    let mut at = 0;
    for member in members(&whole) {
        let content = at + member.header.len();
        let end = content + member.content.len();
        let next = end.div_ceil(512) * 512;
        places.extend((at..content).step_by(13));
        if end > content {
            places.extend([content, (content + end) / 2, end - 1]);
        }
        if next > end {
            places.extend([end, next - 1]);
        }
        at = next;
    }
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        let found = read(&scratch, &bytes);
        assert!(found.is_some_and(|code| code.class() == bulla::code::Class::Damaged), "byte {place}: {found:?}");
    }
}

#[test]
fn each_kind_of_blob_is_held_against_its_digest() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = members(&plain(&bundle));
    for at in 2..whole.len() {
        let mut members = whole.clone();
        let Some(byte) = members[at].content.last_mut() else { continue };
        *byte ^= 1;
        assert_eq!(read(&scratch, &join(&members)), Some(BlobDigestMismatch), "member {at}");
    }
}

/// Bytes of the compressed file: nothing may change what is read without being noticed.
#[test]
fn a_flipped_bit_in_a_compressed_bundle_is_found_or_changes_nothing() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = write(&bundle.inventory, &bundle.contents, Compression::Zstd { level: 3 });
    let all: Vec<usize> = (0..whole.len()).step_by(whole.len() / 400).chain(whole.len() - 60..whole.len()).collect();
    let mut unnoticed = 0;
    for place in &all {
        let mut bytes = whole.clone();
        bytes[*place] ^= 0x04;
        match read(&scratch, &bytes) {
            None => unnoticed += 1,
            Some(code) => assert_eq!(code.class(), bulla::code::Class::Damaged, "byte {place}: {code}"),
        }
    }
    // zstd has a few bits that decoders ignore, and a damaged seek table is replaced by walking the frames.
    assert!(unnoticed * 10 < all.len(), "{unnoticed} of {} flips went unnoticed", all.len());
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    for extra in [1, 511, 512, 10_240] {
        for byte in [0, b'x'] {
            let mut bytes = plain(&bundle);
            bytes.resize(bytes.len() + extra, byte);
            assert_eq!(read(&scratch, &bytes), Some(ArchiveMalformed), "{extra} × {byte}");
        }
    }
    let mut bytes = plain(&bundle);
    bytes.extend(plain(&bundle));
    assert_eq!(read(&scratch, &bytes), Some(ArchiveMalformed), "a second archive");
}

#[test]
fn limits_hold() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let path = scratch.file("b.tar", &plain(&bundle));
    let with = |change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        (code(BundleStore::open(&path, &limits)), limits)
    };
    assert_eq!(with(&|limits| limits.index_bytes = 3000).0, Some(LimitExceeded), "an oversized inventory");
    assert_eq!(with(&|limits| limits.index_bytes = 100).0, Some(LimitExceeded), "an oversized index.json");
    assert_eq!(with(&|limits| limits.blobs = 1).0, Some(LimitExceeded), "too many entries");
    let (found, limits) = with(&|limits| limits.manifest_bytes = 100);
    assert_eq!(found, None);
    let store = BundleStore::open(&path, &limits).unwrap();
    let error = fetch_manifest(&store, &bundle.image, &limits).unwrap_err();
    assert_eq!(code(Err::<(), _>(error)), Some(ManifestTooLarge));
}

/// An inventory that says other things than the archive holds, with everything else made to fit it.
#[test]
fn an_inventory_that_lies_is_refused() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let forge = |change: &dyn Fn(&mut bulla::archive::BundleInventory)| {
        let mut lie = bundle.inventory.clone();
        change(&mut lie);
        let manifest = lie.bundle_manifest().unwrap();
        let mut members = members(&plain(&bundle));
        members[1].set_content(lie.index(&manifest.descriptor).to_bytes().unwrap());
        members[2] = Member::file(&format!("blobs/sha256/{}", manifest.descriptor.digest.hex()), &manifest.bytes);
        let name = format!("blobs/sha256/{}", manifest.inventory_descriptor.digest.hex());
        members[3] = Member::file(&name, &manifest.inventory);
        read(&scratch, &join(&members))
    };
    assert_eq!(forge(&|_| {}), None, "the forger's tools work");
    type Lie = fn(&mut bulla::archive::BundleInventory);
    let lies: [(&str, Lie, DiagnosticCode); 35] = [
        ("an unknown feature", |i| i.features.push("sealed-with-wax".into()), BundleFeatureUnknown),
        ("a feature that is defined and not read", |i| hold(i, "text/plain", true), BundleFeatureUnknown),
        ("held content without the feature", |i| hold(i, "text/plain", false), BundleManifestInvalid),
        ("two unknown features", |i| i.features.extend(["a".into(), "b".into()]), BundleFeatureUnknown),
        ("a stream without a name", |i| stream(i, "", 1, false), BundleManifestInvalid),
        ("a stream with a bad name", |i| stream(i, "Weekly", 1, false), BundleManifestInvalid),
        ("a stream that ends in a dot", |i| stream(i, "weekly.", 1, false), BundleManifestInvalid),
        ("a stream with too long a name", |i| stream(i, &"a".repeat(129), 1, false), BundleManifestInvalid),
        ("number 0", |i| stream(i, "weekly", 0, false), BundleManifestInvalid),
        ("something before the first", |i| stream(i, "weekly", 1, true), BundleManifestInvalid),
        ("a number that JSON cannot hold", |i| stream(i, "weekly", 1 << 53, true), BundleManifestInvalid),
        (
            "a name that is kept for seals",
            |i| {
                i.roots[0].reference = "bulla.invalid/seal:v1".parse().unwrap();
                i.roots.sort();
            },
            BundleManifestInvalid,
        ),
        (
            "content left out that is carried",
            |i| {
                let blob = i.blobs.last().unwrap().clone();
                i.omitted[0].digest = blob.digest;
            },
            BundleManifestInvalid,
        ),
        (
            "a platform left out twice",
            |i| {
                let again = i.omitted[0].clone();
                i.omitted.push(again);
            },
            BundleManifestInvalid,
        ),
        ("a root left out", |i| i.omitted[0].digest = i.roots[0].digest, BundleManifestInvalid),
        ("an envelope left out", |i| i.omitted[0].digest = i.signatures[0].envelope.unwrap(), BundleManifestInvalid),
        ("a CRL left out", |i| i.omitted[0].digest = i.evidence[0].digest(), BundleManifestInvalid),
        ("a feature twice", |i| i.features = vec!["held-content".into(), "held-content".into()], BundleFeatureUnknown),
        ("version 2", |i| i.schema_version = 2, BundleManifestInvalid),
        ("another media type", |i| i.media_type = "text/plain".into(), BundleManifestInvalid),
        ("wrong sums", |i| i.totals.blobs += 1, BundleManifestInvalid),
        ("blobs out of order", |i| i.blobs.swap(0, 1), BundleManifestInvalid),
        ("a blob twice", |i| i.blobs.insert(1, i.blobs[0].clone()), BundleManifestInvalid),
        ("roots out of order", |i| i.roots.swap(0, 1), BundleManifestInvalid),
        ("a root that is not carried", |i| i.roots[0].digest = Digest::sha256(b""), BundleManifestInvalid),
        ("a root of another size", |i| i.roots[0].size += 1, BundleManifestInvalid),
        ("a root of another type", |i| i.roots[0].media_type = MediaType::DOCKER_LIST.into(), BundleManifestInvalid),
        (
            "a child said to be carried",
            |i| i.roots[2].platforms.iter_mut().for_each(|p| p.omitted = false),
            BundleManifestInvalid,
        ),
        ("a signature that is no referrer", |i| i.signatures[0].digest = i.roots[0].digest, BundleManifestInvalid),
        (
            "evidence that is not carried",
            |i| i.signatures[0].evidence = Some(Digest::sha256(b"")),
            BundleManifestInvalid,
        ),
        ("a referrer of nothing", |i| i.referrers[0].subject = Digest::sha256(b""), BundleManifestInvalid),
        ("carried and left out", |i| i.omitted[0].digest = i.blobs[0].digest, BundleManifestInvalid),
        (
            "one name for two",
            |i| {
                let second = i
                    .roots
                    .iter()
                    .position(|root| root.reference.to_string() == "registry.example/multi:edge")
                    .unwrap();
                let mut again = i.roots[second].clone();
                (again.digest, again.size, again.media_type) =
                    (i.roots[0].digest, i.roots[0].size, i.roots[0].media_type.clone());
                again.platforms.clear();
                i.roots.push(again);
                i.roots.sort();
            },
            BundleManifestInvalid,
        ),
        (
            "a name with another's digest",
            |i| i.roots[0].reference.digest = Some(Digest::sha256(b"another")),
            BundleManifestInvalid,
        ),
        (
            "a blob that is not there",
            |i| {
                let blob = i.blobs.last_mut().unwrap();
                *blob =
                    bulla::archive::BlobRecord { digest: "sha512:".parse().unwrap_or(max()), size: 0, ..blob.clone() };
                i.totals.bytes = i.blobs.iter().map(|blob| blob.size).sum();
            },
            BlobMissing,
        ),
    ];
    for (name, lie, expected) in lies {
        assert_eq!(forge(&lie), Some(expected), "{name}");
    }
}

/// Leaves out something that the far side is said to have.
fn hold(inventory: &mut BundleInventory, media_type: &str, with_feature: bool) {
    let held = Descriptor::of(media_type, b"held");
    inventory.omitted.push(OmittedContent {
        digest: held.digest,
        size: held.size,
        media_type: held.media_type,
        platform: None,
        reason: Omission::Held,
    });
    inventory.omitted.sort();
    if with_feature {
        inventory.features.push(HELD_CONTENT.into());
    }
}

fn stream(inventory: &mut BundleInventory, name: &str, sequence: u64, with_previous: bool) {
    let previous = with_previous.then(|| Digest::sha256(b"the bundle before"));
    inventory.stream = Some(StreamPosition { name: name.into(), sequence, previous });
}

/// What later versions write has its place, its rules, and a schema that says the same.
#[test]
fn what_comes_next_is_defined_now() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/bundle-v1.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let agrees = |inventory: &BundleInventory| {
        let valid = inventory.validate().is_ok();
        assert_eq!(valid, schema.is_valid(&serde_json::to_value(inventory).unwrap()), "{:?}", inventory.stream);
        valid
    };
    for (name, sequence, previous, good) in [
        ("weekly", 1, false, true),
        ("weekly", 2, true, true),
        ("weekly", 2, false, true),
        ("a", 1, false, true),
        ("site/a-1.b_2", (1 << 53) - 1, true, true),
        ("weekly", 1, true, false),
        ("weekly", 0, false, false),
        ("weekly", 1 << 53, false, false),
        ("-weekly", 1, false, false),
        ("week ly", 1, false, false),
    ] {
        let mut inventory = bundle().inventory;
        stream(&mut inventory, name, sequence, previous);
        assert_eq!(agrees(&inventory), good, "{name} {sequence} {previous}");
    }
    let with = |media_type: &str, change: &dyn Fn(&mut BundleInventory)| {
        let mut inventory = bundle().inventory;
        hold(&mut inventory, media_type, true);
        change(&mut inventory);
        inventory.validate().is_ok()
    };
    let as_is = |_: &mut BundleInventory| {};
    assert!(with("application/vnd.oci.image.layer.v1.tar+gzip", &as_is));
    assert!(!with("application/vnd.oci.image.layer.v1.tar+gzip", &|i| i.features.clear()));
    assert!(!with(MediaType::OCI_MANIFEST, &as_is), "manifests always come along");
    assert!(!with(MediaType::OCI_CONFIG, &as_is), "configurations always come along");
    let mut idle = bundle().inventory;
    idle.features.push(HELD_CONTENT.into());
    assert!(idle.validate().is_err(), "a feature that nothing needs");
}

/// A reader stops at the first feature that it does not know, and names it, whatever else the inventory holds.
#[test]
fn an_unknown_feature_is_named() {
    let document = r#"{"schemaVersion":1,"features":["volumes"],"volumes":{"this":1,"of":3},"roots":"elsewhere"}"#;
    let error = BundleInventory::parse(document.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("\"volumes\""), "{error}");
    assert_eq!(code(Err::<(), _>(error)), Some(BundleFeatureUnknown));
    let mut held = bundle().inventory;
    hold(&mut held, "text/plain", true);
    let error = BundleInventory::parse(&held.to_bytes().unwrap()).unwrap_err();
    let hint = bulla::code::Diagnostic::hint(&error).unwrap();
    assert!(error.to_string().contains(HELD_CONTENT) && hint.contains("everything in it"), "{error} {hint}");
}

/// The greatest digest there is, so that it sorts last.
fn max() -> Digest {
    Digest::Sha512([0xff; 64])
}
