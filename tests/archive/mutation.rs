//! Every byte of small bundles, changed: found out, by an error of the class that the place calls for, or provably
//! without effect on anything that is read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;

use bulla::archive::{Compression, empty_config};
use bulla::code::DiagnosticCode::{self, *};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::store::bundle::BundleStore;

use crate::fixture::{Bundle, Sample, Scratch, code, inventory, loadable, noise, root};
use crate::seal::{Parts, read_pipe, read_store};

/// Text that compresses, noise that does not, a name of 141 characters, and nothing.
pub(crate) fn small() -> Bundle {
    let mut sample = Sample::default();
    let text = sample.blob("text/plain", "a seal, a seal, a ship in a seal\n".repeat(30).as_bytes());
    let raw = sample.blob("application/gzip", &noise(600, 7));
    let long = sample.blob512("text/plain", b"named by sha512");
    let nothing = sample.blob("text/plain", b"");
    let image = sample.artifact("application/vnd.example.small", &[&text, &raw, &long, &nothing], None);
    let inventory = inventory(sample.blobs, vec![root("registry.example/small:v1", &image)]);
    let (layer, none) = (raw.digest, image.clone());
    Bundle {
        inventory,
        contents: sample.contents,
        notes: none.clone(),
        signature: none.clone(),
        evidence: none.clone(),
        cosign: none,
        image,
        layer,
    }
}

/// One small image, for docker and podman to load.
fn small_image() -> Bundle {
    let mut sample = Sample::default();
    let image = sample.image_of(3, 600);
    let inventory = inventory(sample.blobs, vec![root("registry.example/small:v1", &image)]);
    let none = image.clone();
    loadable(Bundle {
        inventory,
        contents: sample.contents,
        layer: image.digest,
        notes: none.clone(),
        signature: none.clone(),
        evidence: none.clone(),
        cosign: none,
        image,
    })
}

fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let bundle = small();
    let manifest = bundle.inventory.bundle_manifest().unwrap().descriptor;
    let seal = Parts::on(&manifest, &[b"\x30\x03\x02\x01\x00"]).build();
    let (plain, zstd) = (Compression::None, Compression::Zstd { level: 3 });
    let image = small_image();
    vec![
        ("plain, loadable", crate::fixture::write(&image.inventory, &image.contents, plain)),
        ("plain", crate::fixture::write(&bundle.inventory, &bundle.contents, plain)),
        ("plain, sealed", crate::seal::write(&bundle, &seal, plain)),
        ("zstd", crate::fixture::write(&bundle.inventory, &bundle.contents, zstd)),
        ("zstd, sealed", crate::seal::write(&bundle, &seal, zstd)),
    ]
}

/// The fields of a ustar header (POSIX.1-2017 `pax`, "ustar Interchange Format").
const FIELDS: [(usize, &str); 17] = [
    (0, "name"),
    (100, "mode"),
    (108, "uid"),
    (116, "gid"),
    (124, "size"),
    (136, "mtime"),
    (148, "chksum"),
    (156, "typeflag"),
    (157, "linkname"),
    (257, "magic"),
    (263, "version"),
    (265, "uname"),
    (297, "gname"),
    (329, "devmajor"),
    (337, "devminor"),
    (345, "prefix"),
    (500, "unused"),
];

fn field(at: usize) -> String {
    let (_, name) = FIELDS.iter().rev().find(|(begin, _)| *begin <= at).unwrap();
    format!("header {name}")
}

/// What each byte of a tar is.
fn tar_classes(tar: &[u8]) -> Vec<String> {
    let sealed = String::from_utf8_lossy(&tar[512..]).contains("vnd.cncf.notary.signature");
    let (mut classes, mut number): (Vec<String>, usize) = (Vec::new(), 0);
    while tar[classes.len()] != 0 {
        if tar[classes.len() + 156] == b'x' {
            classes.extend((0..512).map(field));
            classes.extend((0..512).map(|at| if at < 151 { "pax record" } else { "padding" }.to_owned()));
        }
        let header = &tar[classes.len()..][..512];
        let size = usize::try_from(tar::Header::from_byte_slice(header).size().unwrap()).unwrap();
        classes.extend((0..512).map(field));
        let name = tar::Header::from_byte_slice(header).path().unwrap().display().to_string();
        let content = match (number, sealed) {
            _ if name == "manifest.json" => "manifest.json",
            (0, _) => "oci-layout",
            (1, _) => "index.json",
            (2, _) => "bundle manifest",
            (3..=6, true) => "seal",
            (3, false) | (7, true) => "inventory",
            _ => "blob",
        };
        classes.extend((0..size).map(|_| content.to_owned()));
        classes.resize(classes.len().div_ceil(512) * 512, "padding".to_owned());
        number += 1;
    }
    classes.resize(tar.len(), "end".to_owned());
    classes
}

/// What each byte of a compressed bundle is. What a compressed block holds is called by what it becomes.
fn zstd_classes(file: &[u8]) -> Vec<String> {
    let count = u32::from_le_bytes(file[file.len() - 9..file.len() - 5].try_into().unwrap()) as usize;
    let table = file.len() - 17 - 8 * count;
    let mut classes: Vec<String> = Vec::new();
    while classes.len() < table {
        let frame = classes.len();
        classes.extend(["frame magic"; 4].map(str::to_owned));
        classes.push("frame descriptor".into());
        let stated = [1, 2, 4][usize::from(file[frame + 4] >> 6)];
        classes.extend((0..stated).map(|_| "frame content size".to_owned()));
        loop {
            let at = classes.len();
            let header = u32::from_le_bytes([file[at], file[at + 1], file[at + 2], 0]);
            let (kind, size) = (header >> 1 & 3, (header >> 3) as usize);
            let name = ["raw block", "RLE block", "compressed block"][kind as usize];
            classes.extend((0..3).map(|_| format!("{name} header")));
            classes.extend((0..if kind == 1 { 1 } else { size }).map(|_| name.to_owned()));
            if header & 1 == 1 {
                break;
            }
        }
    }
    classes.extend((0..4).map(|_| "table magic".to_owned()));
    classes.extend((0..4).map(|_| "table size".to_owned()));
    classes.extend(
        (0..count)
            .flat_map(|_| ["table compressed size"; 4].into_iter().chain(["table content size"; 4]))
            .map(str::to_owned),
    );
    classes.extend((0..4).map(|_| "footer count".to_owned()));
    classes.push("footer descriptor".into());
    classes.extend((0..4).map(|_| "footer magic".to_owned()));
    assert_eq!(classes.len(), file.len());
    classes
}

/// The codes by which a change is found, for each class of bytes. What is in none of these classes must be found as
/// [`ArchiveMalformed`].
const FOUND_AS: [(&str, &[DiagnosticCode]); 16] = [
    // Its last digits stand nowhere else.
    ("pax record", &[ArchiveMalformed, ArchiveEntryForbidden, BlobMissing]),
    // Two documents that no digest names, but which have one form; and what they lead to.
    ("index.json", &[BundleIndexMismatch, BundleSealInvalid, BlobMissing, BlobSizeMismatch, BundleManifestInvalid]),
    ("bundle manifest", &[BlobDigestMismatch]),
    ("seal", &[BlobDigestMismatch]),
    ("inventory", &[BlobDigestMismatch]),
    ("manifest.json", &[DockerManifestMismatch]),
    ("blob", &[BlobDigestMismatch]),
    // A block holds any of them.
    ("raw block", &[BlobDigestMismatch, ArchiveMalformed, BundleIndexMismatch]),
    ("raw block header", &[ArchiveMalformed, BlobDigestMismatch]),
    ("compressed block header", &[ArchiveMalformed, BlobDigestMismatch, BundleIndexMismatch]),
    (
        "compressed block",
        &[
            ArchiveMalformed,
            ArchiveEntryForbidden,
            ArchiveEntryDuplicate,
            ArchiveTruncated,
            BlobDigestMismatch,
            BlobSizeMismatch,
            BlobMissing,
            BundleIndexMismatch,
            BundleSealInvalid,
            BundleManifestInvalid,
        ],
    ),
    // A file that does not begin as zstd does is a tar, and no good one; one without a footer was cut off.
    ("frame magic", &[ArchiveMalformed, ArchiveTruncated]),
    ("table compressed size", &[ArchiveMalformed, ArchiveTruncated]),
    ("table content size", &[ArchiveMalformed, ArchiveTruncated]),
    ("footer magic", &[ArchiveTruncated]),
    ("footer count", &[ArchiveMalformed, ArchiveTruncated]),
];

/// Where a changed bit may have no effect at all: blocks that decompress to the same bytes all the same.
const WITHOUT_EFFECT: [&str; 2] = ["compressed block", "compressed block header"];

fn expected(class: &str) -> BTreeSet<DiagnosticCode> {
    let listed = FOUND_AS.iter().find(|(name, _)| *name == class).map_or(&[ArchiveMalformed][..], |(_, codes)| codes);
    listed.iter().copied().collect()
}

/// The tar in a compressed bundle.
fn expand(file: &[u8]) -> Option<Vec<u8>> {
    zstd::decode_all(file).ok()
}

/// What came of the changes to one bundle.
#[derive(Default)]
struct Tally {
    found: BTreeMap<String, BTreeSet<DiagnosticCode>>,
    without_effect: BTreeMap<String, u32>,
    changes: BTreeMap<String, u32>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        other.found.into_iter().for_each(|(class, codes)| self.found.entry(class).or_default().extend(codes));
        other.changes.into_iter().for_each(|(class, count)| *self.changes.entry(class).or_default() += count);
        other
            .without_effect
            .into_iter()
            .for_each(|(class, count)| *self.without_effect.entry(class).or_default() += count);
    }
}

/// How many bits of a byte are changed, one at a time: all. Only of content that is found by nothing but its digest, for which
/// any change is any other, is it one, another one in each byte.
fn bits(class: &str) -> usize {
    match class {
        "blob" | "seal" | "raw block" => 1,
        _ => 8,
    }
}

/// Changes the bytes at these places, one at a time.
fn change(form: &str, whole: &[u8], classes: &[String], places: impl Iterator<Item = usize>) -> Tally {
    let scratch = Scratch::new();
    let path = scratch.file("bundle", whole);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let read = || BundleStore::open(&path, &Limits::default()).and_then(|store| read_store(&store));
    let (compressed, mut tally) = (form.starts_with("zstd"), Tally::default());
    for at in places {
        let class = &classes[at];
        // A sealed bundle differs at its beginning, one that docker loads in its documents; the rest is changed in another.
        let is_known = match form.rsplit(' ').next() {
            Some("sealed") => at > whole.len() / 2,
            Some("loadable") => class != "manifest.json" && class != "inventory",
            _ => false,
        };
        if is_known && at % 7 != 0 {
            continue;
        }
        for bit in (0..bits(class)).map(|bit| (bit * 3 + at) % 8) {
            *tally.changes.entry(class.clone()).or_default() += 1;
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1 << bit;
            file.write_all_at(&bytes[at..=at], at as u64).unwrap();
            let same = || compressed && expand(&bytes) == expand(whole);
            match code(read()) {
                Some(code) => drop(tally.found.entry(class.clone()).or_default().insert(code)),
                None => {
                    assert!(WITHOUT_EFFECT.contains(&class.as_str()), "{form}: bit {bit} of byte {at}, {class}");
                    assert!(same(), "{form}: bit {bit} of byte {at} changes the tar and is not found");
                    *tally.without_effect.entry(class.clone()).or_default() += 1;
                }
            }
            // A pipe is read by other code, and must see as much.
            if at % 11 == 0 {
                assert!(read_pipe(&bytes).is_err() || same(), "{form}: bit {bit} of byte {at}, {class}, on a pipe");
            }
        }
        file.write_all_at(&whole[at..=at], at as u64).unwrap();
    }
    read().unwrap();
    tally
}

#[test]
fn every_changed_byte_is_found_or_changes_nothing_that_is_read() {
    const THREADS: usize = 2;
    let mut wrong = Vec::new();
    for (form, whole) in forms() {
        let classes = if form.starts_with("zstd") { zstd_classes(&whole) } else { tar_classes(&whole) };
        let mut tally = Tally::default();
        std::thread::scope(|scope| {
            let (whole, classes) = (&whole, &classes);
            let work = |first: usize| move || change(form, whole, classes, (first..whole.len()).step_by(THREADS));
            let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(work(first))).collect();
            threads.into_iter().for_each(|thread| tally.add(thread.join().unwrap()));
        });
        let other = |(class, codes): &(&String, &BTreeSet<_>)| !codes.is_subset(&expected(class));
        let unexpected = tally.found.iter().filter(other);
        wrong.extend(unexpected.map(|(class, codes)| format!("{form}: {class} is found as {codes:?}")));
        let changes: u32 = tally.changes.values().sum();
        eprintln!("{form}: {} bytes, {changes} bits; without effect: {:?}", whole.len(), tally.without_effect);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Frames that hold the same and have another form are another file, and no bundle.
#[test]
fn frames_have_one_form() {
    let (_, whole) = forms().into_iter().find(|(form, _)| *form == "zstd").unwrap();
    let tar = expand(&whole).unwrap();
    let scratch = Scratch::new();
    let count = u32::from_le_bytes(whole[whole.len() - 9..whole.len() - 5].try_into().unwrap()) as usize;
    let entries: Vec<(usize, usize)> = whole[whole.len() - 9 - 8 * count..whole.len() - 9]
        .chunks_exact(8)
        .map(|entry| {
            let size = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()) as usize;
            (size(0), size(4))
        })
        .collect();
    let written = |cuts: &[usize], frame: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (mut file, mut table, mut at) = (Vec::new(), Vec::new(), 0);
        for size in cuts {
            let compressed = frame(&tar[at..at + size]);
            table.extend((compressed.len() as u32).to_le_bytes().into_iter().chain((*size as u32).to_le_bytes()));
            file.extend(compressed);
            at += size;
        }
        assert_eq!(at, tar.len());
        file.extend(0x184D_2A5E_u32.to_le_bytes().into_iter().chain((table.len() as u32 + 9).to_le_bytes()));
        file.extend(&table);
        file.extend((cuts.len() as u32).to_le_bytes().into_iter().chain([0]).chain(0x8F92_EAB1_u32.to_le_bytes()));
        assert!(zstd::decode_all(&file[..]).unwrap() == tar, "every zstd reads it");
        let from_file = code(crate::seal::read_file(&scratch, &file));
        assert_eq!(from_file.is_some(), read_pipe(&file).is_err(), "file and pipe agree");
        from_file
    };
    let compress = |checksum: bool, size: bool| {
        move |content: &[u8]| {
            let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
            compressor.include_checksum(checksum).unwrap();
            compressor.include_contentsize(size).unwrap();
            compressor.compress(content).unwrap()
        }
    };
    let cuts: Vec<usize> = entries.iter().map(|(_, size)| *size).collect();
    assert_eq!(written(&cuts, &compress(false, true)), None, "this test writes what a bundle may be");
    assert_eq!(written(&cuts, &compress(true, true)), Some(ArchiveMalformed), "checksums");
    assert_eq!(written(&cuts, &compress(false, false)), Some(ArchiveMalformed), "no content size");
    let streamed = |content: &[u8]| {
        // As a stream of unknown size: with a window, and no content size.
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        std::io::Write::write_all(&mut encoder, content).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(written(&cuts, &streamed), Some(ArchiveMalformed), "a window");
    let mut joined = cuts.clone();
    let second = joined.remove(1);
    joined[0] += second;
    assert_eq!(written(&joined, &compress(false, true)), Some(ArchiveMalformed), "structure and content in one frame");
    let mut parted = cuts;
    parted[0] -= 100;
    parted.insert(1, 100);
    assert_eq!(written(&parted, &compress(false, true)), Some(ArchiveMalformed), "a part in more frames than it takes");
}

#[test]
fn the_empty_configuration_is_where_the_inventory_says() {
    // The mutation test counts on it that nothing of the fixture is out of reach of a change.
    let bundle = small();
    assert!(bundle.inventory.blobs.iter().any(|blob| blob.digest == empty_config().digest));
    assert!(bundle.inventory.blobs.iter().any(|blob| blob.size == 0));
    assert!(bundle.inventory.blobs.iter().any(|blob| matches!(blob.digest, Digest::Sha512(_))));
}
