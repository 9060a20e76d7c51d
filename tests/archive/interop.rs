//! Another reader of bundles, written from `schemas/bundle-v1.md` by someone who had not seen this one: `tests/interop/bundle.py`.
//! Both must accept the same files, whatever is changed in them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bulla::archive::{BlobRecord, CarriedOcsp, Compression, EvidenceRecord, StreamPosition, names};
use bulla::code::Diagnostic as _;
use bulla::digest::Digest;
use bulla::oci::Descriptor;
use bulla::time::UnixTime;
use serde::Deserialize;

use crate::fixture::{Bundle, Scratch, has_tool, loadable, write};
use crate::mutation::small;
use crate::seal::{Parts, read_file, read_pipe};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// What the other reader says of a file, and how the file came to be.
#[derive(Deserialize)]
struct Line {
    class: String,
    name: String,
    /// Where, how many bytes are taken away, and what is put there.
    edit: (usize, usize, String),
    accepted: bool,
    #[serde(default)]
    code: String,
    reason: String,
    /// The digest of the tar, of a file that is accepted.
    tar: Option<Digest>,
}

fn python(script_name: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg("-B").arg(script(script_name));
    python
}

fn apply(whole: &[u8], (at, removed, put): &(usize, usize, String)) -> Vec<u8> {
    let put: Vec<u8> = (0..put.len() / 2).map(|i| u8::from_str_radix(&put[2 * i..2 * i + 2], 16).unwrap()).collect();
    [&whole[..*at], &put, &whole[at + removed..]].concat()
}

/// A compressed block with a changed bit that one version of zstd refuses as corrupted, and another reads to the same content.
/// (zstd 1.5.4, which the other reader may run, reads some that 1.5.7 refuses.)
const DECODERS_DIFFER: &str = "bit of frame blocks, refused by one zstd alone, that changes nothing";

/// Each class with the number of files that both accept, and that both refuse; and where they differ.
fn compare(name: &str, whole: &[u8], step: usize) -> (BTreeMap<String, [u32; 2]>, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.file("base", whole);
    let tar = zstd::decode_all(whole).map_or_else(|_| Digest::sha256(whole), |tar| Digest::sha256(&tar));
    let mut python = python("mutations.py").arg(&path).arg(step.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut counts, mut differences): (BTreeMap<String, [u32; 2]>, _) = (BTreeMap::new(), Vec::new());
    for line in BufReader::new(python.stdout.take().unwrap()).lines() {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        let bytes = apply(whole, &line.edit);
        let (file, pipe) = (read_file(&scratch, &bytes), read_pipe(&bytes));
        if line.class == "bit of frame blocks" && line.accepted != file.is_ok() && file.is_ok() == pipe.is_ok() {
            let held = line.tar.or_else(|| zstd::decode_all(&bytes[..]).ok().map(|tar| Digest::sha256(&tar)));
            assert_eq!(held, Some(tar), "{name}: {}", line.name);
            counts.entry(DECODERS_DIFFER.to_owned()).or_default()[1] += 1;
            continue;
        }
        let same_code = file.as_ref().err().is_none_or(|error| error.code().as_str() == line.code);
        // A feature is refused by its name; elsewhere, what is found first is the reader's choice.
        let same = line.class != "inventory: features" || same_code;
        if file.is_ok() != line.accepted || pipe.is_ok() != line.accepted || !same {
            let ours =
                format!("file {:?}, pipe {:?}", file.err().map(|e| e.to_string()), pipe.err().map(|e| e.to_string()));
            let theirs = if line.accepted { "accepted".to_owned() } else { line.reason };
            differences.push(format!("{name}: {}: {}: {ours}; the other reader: {theirs}", line.class, line.name));
        }
        counts.entry(line.class).or_default()[usize::from(!line.accepted)] += 1;
    }
    assert!(python.wait().unwrap().success());
    (counts, differences)
}

/// Every so many bits and values are changed, unless the environment says otherwise: few enough for seconds.
const STEP: usize = 61;

/// The fixture's bundle with small layers, and with what that one lacks.
fn rich() -> Bundle {
    let mut bundle = crate::fixture::sized(600, 40);
    let mut add = |media_type: &str, bytes: &[u8]| {
        let blob = Descriptor::of(media_type, bytes);
        let (digest, size, media_type) = (blob.digest, blob.size, blob.media_type.clone());
        bundle.inventory.blobs.push(BlobRecord { digest, size, media_type, manifest: false });
        bundle.contents.insert(digest, bytes.to_vec());
        blob
    };
    let response = add(names::OCSP, b"\x30\x03\x0a\x01\x00");
    add(names::TIMESTAMP, b"\x30\x00");
    let time = |seconds: i64| UnixTime::new(1_780_000_000 + seconds, 500_000_000);
    bundle.inventory.evidence.push(EvidenceRecord::Ocsp(CarriedOcsp {
        digest: response.digest,
        size: response.size,
        responder: "key 0123456789abcdef".into(),
        serials: vec!["2a".into(), "01".into()],
        urls: vec!["http://ocsp.example/".into()],
        produced_at: time(0),
        this_update: time(0),
        next_update: Some(time(86_400)),
    }));
    let previous = Some(Digest::sha256(b"the bundle before"));
    bundle.inventory.stream = Some(StreamPosition { name: "weekly/a".into(), sequence: 2, previous });
    bundle.inventory.normalise();
    bundle
}

fn sealed(bundle: &Bundle, compression: Compression) -> Vec<u8> {
    let manifest = bundle.inventory.bundle_manifest().unwrap().descriptor;
    // One CRL that the rich bundle carries for a signature too, and one of the seal's own.
    let seal = Parts::on(&manifest, &[b"\x30\x03\x02\x01\x00", b"\x30\x03\x02\x01\x01"]).build();
    crate::seal::write(bundle, &seal, compression)
}

#[test]
fn an_independent_reader_agrees() {
    if !has_tool("python3") || !has_tool("zstd") {
        return;
    }
    let step = std::env::var("BULLA_INTEROP_STEP").map_or(STEP, |step| step.parse().unwrap());
    let (small, rich, images) = (small(), rich(), loadable(crate::fixture::sized(600, 40)));
    let zstd = Compression::Zstd { level: 3 };
    let forms = [
        ("plain", write(&rich.inventory, &rich.contents, Compression::None)),
        ("zstd", write(&small.inventory, &small.contents, zstd)),
        ("sealed", sealed(&small, Compression::None)),
        ("loadable", write(&images.inventory, &images.contents, Compression::None)),
    ];
    let compared = std::thread::scope(|scope| {
        let threads = forms.each_ref().map(|(name, whole)| scope.spawn(move || compare(name, whole, step)));
        threads.map(|thread| thread.join().unwrap())
    });
    let (mut wrong, mut sum) = (Vec::new(), 0);
    for ((name, _), (counts, differences)) in forms.iter().zip(compared) {
        for (class, [accepted, refused]) in counts {
            sum += accepted + refused;
            eprintln!("{name}: {class}: {accepted} accepted, {refused} refused");
        }
        wrong.extend(differences);
    }
    eprintln!("{sum} files");
    assert!(wrong.is_empty(), "{} of {sum}: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
}

/// From content and unordered lists, the other writer makes the same bytes; of a compressed bundle all but the blocks.
#[test]
fn an_independent_writer_writes_the_same() {
    if !has_tool("python3") || !has_tool("zstd") {
        return;
    }
    let scratch = Scratch::new();
    let run = |args: &[&Path]| assert!(python("writer.py").args(args).status().unwrap().success());
    let (small, images, rich) = (small(), loadable(rich()), rich());
    for (name, bundle) in [("small", &small), ("rich", &rich), ("loadable", &images)] {
        for (form, plain, compressed) in [
            ("plain", write(&bundle.inventory, &bundle.contents, Compression::None), None),
            ("sealed", sealed(bundle, Compression::None), Some(sealed(bundle, Compression::Zstd { level: 3 }))),
        ] {
            let parts = scratch.path().join(format!("{name}-{form}"));
            run(&["describe".as_ref(), &scratch.file("bundle", &plain), &parts]);
            let out = scratch.path().join("out.tar");
            run(&["write".as_ref(), &parts, &out]);
            assert!(std::fs::read(&out).unwrap() == plain, "{name}, {form}");
            let Some(compressed) = compressed else { continue };
            let out = scratch.path().join("out.tar.zst");
            run(&["write".as_ref(), &parts, &out]);
            let theirs = std::fs::read(&out).unwrap();
            read_file(&scratch, &theirs).unwrap();
            read_pipe(&theirs).unwrap();
            assert_eq!(frames(&theirs), frames(&compressed), "{name}, {form}: cuts");
            assert!(zstd::decode_all(&theirs[..]).unwrap() == plain);
        }
    }
}

/// What the frames of a bundle hold, by its seek table.
fn frames(file: &[u8]) -> Vec<u32> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let count = number(file.len() - 9) as usize;
    (0..count).map(|frame| number(file.len() - 9 - 8 * (count - frame) + 4)).collect()
}
