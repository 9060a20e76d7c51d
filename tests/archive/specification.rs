//! The worked examples of `schemas/bundle-v1.md`: files built from the document's own blocks, by the document's rules and
//! not by bulla's code, are those whose digests it states; and bulla writes the same.

use std::collections::BTreeMap;

use bulla::archive::{BundleInventory, Compression, Seal, SealMembers, names};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::{Payload, Purpose};
use bulla::oci::{Descriptor, Manifest, MediaType};
use serde_json::json;

use crate::fixture::{Bundle, Sample, Scratch, inventory, loadable, members, root, write};

const DOCUMENT: &str = include_str!("../../schemas/bundle-v1.md");

/// How a layer of nothing but the end of a tar is shown.
const ZEROS: &str = "(zeros)";

/// The blocks of a section, without their fences.
fn blocks(heading: &str) -> Vec<&'static str> {
    let start = DOCUMENT.find(&format!("\n{heading}")).unwrap_or_else(|| panic!("no {heading}"));
    let section = &DOCUMENT[start + 1..];
    let end = section[1..].find("\n#").map_or(section.len(), |end| end + 2);
    section[..end].split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The members in a block, by name in order, and what it says of the whole file.
fn parse(block: &str, known: &BTreeMap<String, Vec<u8>>) -> (Vec<(String, Vec<u8>)>, String) {
    let (mut found, mut lines) = (Vec::new(), block.lines());
    while let Some(line) = lines.next() {
        if let Some(file) = line.strip_prefix("the file: ") {
            return (found, file.to_owned());
        }
        let (name, rest) = line.split_once(" (").unwrap();
        let size: usize = rest.split(' ').next().unwrap().parse().unwrap();
        let content = if rest.ends_with("as above)") {
            known[name].clone()
        } else {
            let shown = lines.next().unwrap().strip_prefix("  ").unwrap();
            let mut content = if shown == ZEROS { vec![0; size] } else { shown.as_bytes().to_vec() };
            // A newline at the end does not show.
            if content.len() + 1 == size {
                content.push(b'\n');
            }
            content
        };
        assert_eq!(content.len(), size, "{name}");
        found.push((name.to_owned(), content));
    }
    panic!("a block says at its end what the file is");
}

/// A header by the table of §1.1.
fn header(name: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    header
}

fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in members {
        tar.extend(header(name, content.len()));
        tar.extend(content);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// The content sizes of the frames, by §2.
fn cuts(members: &[(String, Vec<u8>)]) -> Vec<usize> {
    let (mut parts, mut structure) = (Vec::new(), 0);
    for (_, content) in members {
        structure += 512;
        if !content.is_empty() {
            parts.extend([structure, content.len()]);
            structure = content.len().div_ceil(512) * 512 - content.len();
        }
    }
    parts.push(structure + 1024);
    assert!(parts.iter().all(|part| *part <= 4 << 20), "the example is small");
    parts
}

fn file_line(bytes: &[u8]) -> String {
    format!("{} bytes, {}", bytes.len(), Digest::sha256(bytes))
}

/// What bulla makes of the same content.
fn hello() -> (BundleInventory, BTreeMap<Digest, Vec<u8>>) {
    let mut sample = Sample::default();
    let layer = sample.blob("text/plain", b"hello, world\n");
    let hello = sample.artifact("application/vnd.example.hello", &[&layer], None);
    (inventory(sample.blobs, vec![root("registry.example/hello:v1", &hello)]), sample.contents)
}

/// An image whose only layer is an empty tar, for docker and podman to load.
fn image() -> Bundle {
    let mut sample = Sample::default();
    let layer = [0; 1024];
    let config = json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers",
        "diff_ids": [Digest::sha256(&layer).to_string()]}});
    let config = sample.blob(MediaType::OCI_CONFIG, config.to_string().as_bytes());
    let layer = sample.blob("application/vnd.oci.image.layer.v1.tar", &layer);
    let image = sample.manifest(MediaType::OCI_MANIFEST, json!({"config": config, "layers": [layer]}));
    let inventory = inventory(sample.blobs, vec![root("registry.example/empty:v1", &image)]);
    loadable(bundle_of(inventory, sample.contents))
}

fn bundle_of(inventory: BundleInventory, contents: BTreeMap<Digest, Vec<u8>>) -> Bundle {
    let nobody = Descriptor::of("a/b", b"");
    Bundle {
        layer: nobody.digest,
        inventory,
        contents,
        image: nobody.clone(),
        notes: nobody.clone(),
        signature: nobody.clone(),
        evidence: nobody.clone(),
        cosign: nobody,
    }
}

const ENVELOPE: &[u8] = br#"{"payload":"...","protected":"...","header":{"x5c":["..."]},"signature":"..."}"#;

fn seal(bundle: &Descriptor) -> Seal {
    let envelope = ENVELOPE;
    let document = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": names::SEAL,
        "config": bulla::archive::empty_config(), "layers": [Descriptor::of("application/jose+json", envelope)],
        "subject": bundle,
    });
    let bytes = serde_json::to_vec(&document).unwrap();
    let manifest = Manifest::parse(&Descriptor::of(MediaType::OCI_MANIFEST, &bytes), bytes.clone()).unwrap();
    let members = SealMembers::read(bundle, &manifest, None, &Limits::default()).unwrap();
    let contents = [bytes.as_slice(), envelope].map(|bytes| (Digest::sha256(bytes), bytes.into()));
    Seal::new(members, contents).unwrap()
}

/// The block that shows a file of bulla's.
fn shown(tar: &[u8], known: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text = String::new();
    for member in members(tar) {
        let header = tar::Header::from_byte_slice(&member.header);
        let (name, size) = (header.path().unwrap().display().to_string(), member.content.len());
        match known.get(&name) {
            Some(content) if *content == member.content => text += &format!("{name} ({size} bytes, as above)\n"),
            _ => {
                let zeros = member.content.iter().all(|byte| *byte == 0);
                let content = if zeros { ZEROS.into() } else { String::from_utf8(member.content.clone()).unwrap() };
                text += &format!("{name} ({size} bytes)\n  {}\n", content.trim_end());
            }
        }
    }
    text + &format!("the file: {}\n", file_line(tar))
}

#[test]
fn the_payload_of_a_seal_is_on_the_bundle_of_the_example_and_says_what_it_is() {
    let (found, _) = parse(blocks("## 9. A worked example")[0], &BTreeMap::new());
    let bundle = Descriptor::of(MediaType::OCI_MANIFEST, &found[2].1);
    let written = blocks("### 6.2 ")[0].trim_end();
    let payload = Payload::parse(written.as_bytes()).unwrap();
    assert_eq!(payload.matches(&bundle), Ok(()));
    assert_eq!(payload.check_purpose(Purpose::Seal), Ok(()));
    assert_eq!(payload.to_bytes().unwrap(), written.as_bytes());
    assert_eq!(payload.target().annotations.len(), 1);
    assert!(Payload::for_target(&bundle).check_purpose(Purpose::Seal).is_err());
}

#[test]
fn the_example_is_built_from_the_document_alone() {
    let example = blocks("## 9. A worked example");
    let (found, file) = parse(example[0], &BTreeMap::new());
    let built = tar(&found);
    assert_eq!(file, file_line(&built));
    // The dump of its first header; an asterisk stands for rows of zeros.
    let mut dumped = vec![0; 512];
    for line in example[1].lines().filter(|line| !line.starts_with('*')) {
        let (at, bytes) = line.split_once("  ").unwrap();
        let at = usize::from_str_radix(at, 16).unwrap();
        for (place, byte) in bytes.split_whitespace().enumerate() {
            dumped[at + place] = u8::from_str_radix(byte, 16).unwrap();
        }
    }
    assert_eq!(dumped, built[..512]);
    // Sealed: two members more, between the bundle manifest and the inventory.
    let known: BTreeMap<_, _> = found.iter().cloned().collect();
    let (sealed, file) = parse(blocks("### 9.1 ")[0], &known);
    assert_eq!(file, file_line(&tar(&sealed)));
    assert_eq!(sealed.len(), found.len() + 2);
    assert_eq!((&sealed[2], &sealed[5..]), (&found[2], &found[3..]));
    // For docker to load.
    let (image, file) = parse(blocks("### 9.3 ")[0], &known);
    assert_eq!(file, file_line(&tar(&image)));
    assert_eq!(image[4].0, "manifest.json");
    // Every name is the digest of its content.
    for (name, content) in found.iter().chain(&sealed).chain(&image).filter(|(name, _)| name.starts_with("blobs")) {
        assert_eq!(*name, format!("blobs/sha256/{}", Digest::sha256(content).hex()));
    }
    let scratch = Scratch::new();
    for file in [built, tar(&sealed), tar(&image)] {
        crate::seal::read_file(&scratch, &file).unwrap();
        crate::seal::read_pipe(&file).unwrap();
    }
    let frames: Vec<usize> = blocks("### 9.2 ")[0].split_whitespace().map(|size| size.parse().unwrap()).collect();
    assert_eq!(frames, cuts(&found));
}

#[test]
fn the_example_is_what_bulla_writes() {
    let (inventory, contents) = hello();
    let plain = write(&inventory, &contents, Compression::None);
    let example = shown(&plain, &BTreeMap::new());
    assert!(DOCUMENT.contains(&example), "the example should read:\n{example}");
    let known: BTreeMap<String, Vec<u8>> = parse(&example, &BTreeMap::new()).0.into_iter().collect();
    let manifest = inventory.bundle_manifest().unwrap().descriptor;
    let bundle = bundle_of(inventory.clone(), contents.clone());
    let sealed = shown(&crate::seal::write(&bundle, &seal(&manifest), Compression::None), &known);
    assert!(DOCUMENT.contains(&sealed), "the sealed example should read:\n{sealed}");
    let image = image();
    let loaded = shown(&write(&image.inventory, &image.contents, Compression::None), &known);
    assert!(DOCUMENT.contains(&loaded), "the example that docker loads should read:\n{loaded}");
    let dump: String = plain[..512]
        .chunks_exact(16)
        .enumerate()
        .filter(|(_, row)| row.iter().any(|byte| *byte != 0))
        .map(|(at, row)| {
            let bytes: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{:08x}  {}\n", at * 16, bytes.join(" "))
        })
        .collect();
    assert!(DOCUMENT.contains(&dump), "the header should read:\n{dump}");
    let packed = write(&inventory, &contents, Compression::Zstd { level: 3 });
    let count = u32::from_le_bytes(packed[packed.len() - 9..packed.len() - 5].try_into().unwrap()) as usize;
    let frames: Vec<_> = packed[packed.len() - 9 - 8 * count..packed.len() - 9]
        .chunks_exact(8)
        .map(|entry| u32::from_le_bytes(entry[4..].try_into().unwrap()).to_string())
        .collect();
    let frames = frames.join(" ");
    assert!(DOCUMENT.contains(&format!("```text\n{frames}\n")), "the frames should be: {frames}");
}
