//! Docker archives, also as others read them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::Algorithm;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType, Platform};
use bulla::ops::docker_archive::{DockerArchiveError, DockerArchiveOptions, DockerArchiveReport, write};
use bulla::ops::import::Admission;
use bulla::ops::progress::{NoProgress, Progress};
use serde_json::{Value, json};

use crate::import::admit;
use crate::memory::{Memory, Sample, sample};

fn archive(
    store: &Memory,
    admissions: &[Admission],
    platform: Option<&str>,
) -> Result<(Vec<u8>, DockerArchiveReport), DockerArchiveError> {
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    let platform = platform.map(|text| Platform::parse(text).unwrap());
    let options = DockerArchiveOptions { platform, ..DockerArchiveOptions::default() };
    let mut out = Vec::new();
    let report = write(store, admissions, &options, &Limits::default(), &mut out, &progress)?;
    Ok((out, report))
}

/// A tar with one file.
fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len().try_into().unwrap());
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

/// Runs a tool; `None`, said aloud, where it is not there.
fn run(tool: &str, arguments: &[&str], home: &Path) -> Option<std::process::Output> {
    let output = Command::new(tool).args(arguments).env("HOME", home).env("TMPDIR", home).output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            crate::skip::tool(format_args!("{tool}: {error}"));
            None
        }
    }
}

#[test]
fn an_index_gives_the_image_for_the_platform() {
    let Sample { store, index, arm64, .. } = &sample();
    let (bytes, report) = archive(store, &[admit(index, "h.io/app:v1")], Some("linux/arm64")).unwrap();
    let [image] = report.images.as_slice() else { panic!("{report:?}") };
    assert_eq!((image.manifest.digest, image.root.digest), (arm64.digest, index.digest));
    assert_eq!((image.platform.clone(), image.left_behind), (arm64.platform.as_deref().cloned(), 7));
    assert_eq!(report.blobs, 4);
    assert_eq!(bytes, archive(store, &[admit(index, "h.io/app:v1")], Some("linux/arm64")).unwrap().0);
    let error = archive(store, &[admit(index, "h.io/app:v1")], None).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::PlatformUnknown);
    assert!(error.hint().unwrap().contains("linux/amd64, linux/arm64/v8"));
    let error = archive(store, &[admit(index, "h.io/app:v1")], Some("windows/amd64")).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::PlatformUnknown);
}

#[test]
fn the_exact_variant_goes_first_and_a_single_image_needs_no_choice() {
    let mut store = Memory::default();
    let platform =
        |descriptor: Descriptor, text: &str| Descriptor { platform: Platform::parse(text).map(Box::new), ..descriptor };
    let plain = platform(store.image(&[b"v1"]), "linux/amd64");
    let tuned = platform(store.image(&[b"v3"]), "linux/amd64/v3");
    let index = store.index(&[tuned.clone(), plain.clone()]);
    let single = store.index(std::slice::from_ref(&tuned));
    let outer = store.index(&[single]);
    let chosen = |root: &Descriptor, wanted| {
        archive(&store, &[admit(root, "h.io/app:v1")], wanted).map(|(_, report)| report.images[0].manifest.digest)
    };
    assert_eq!(chosen(&index, Some("linux/amd64")).unwrap(), plain.digest);
    assert_eq!(chosen(&index, Some("linux/amd64/v3")).unwrap(), tuned.digest);
    assert!(archive(&store, &[admit(&outer, "h.io/app:v1")], None).is_ok());
    let error = archive(&store, &[admit(&outer, "h.io/app:v1")], Some("linux/arm64")).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::PlatformUnknown);
}

#[test]
fn what_is_no_image_is_refused() {
    let Sample { store, signature, .. } = &sample();
    let error = archive(store, &[admit(signature, "h.io/app:sig")], Some("linux/amd64")).unwrap_err();
    assert!(matches!(error, DockerArchiveError::NotAnImage { .. }));
    assert_eq!(error.code(), DiagnosticCode::DestinationUnsupported);
    let mut store = Memory::default();
    let one = store.add("application/vnd.oci.image.layer.v1.tar", b"one");
    let config = store.document(MediaType::OCI_CONFIG, &json!({"rootfs": {"type": "layers", "diff_ids": []}}));
    let odd = store.manifest(json!({"config": config, "layers": [one]}));
    assert!(matches!(archive(&store, &[admit(&odd, "h.io/a:b")], None), Err(DockerArchiveError::LayerCount { .. })));
    let config = store.document(MediaType::OCI_CONFIG, &json!({"rootfs": 7}));
    let odd = store.manifest(json!({"config": config, "layers": []}));
    assert!(matches!(archive(&store, &[admit(&odd, "h.io/a:b")], None), Err(DockerArchiveError::NotAnImage { .. })));
}

#[test]
fn names_are_unique_and_damage_is_found() {
    let mut store = Memory::default();
    let (a, b) = (store.image(&[b"a"]), store.image(&[b"b"]));
    let clash = archive(&store, &[admit(&a, "h.io/app:v1"), admit(&b, "h.io/app:v1")], None).unwrap_err();
    assert!(matches!(clash, DockerArchiveError::NameTwice { .. }));
    store.corrupt(&bulla::digest::Digest::sha256(b"a"));
    let error = archive(&store, &[admit(&a, "h.io/app:v1")], None).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::BlobDigestMismatch);
}

/// Images with real layers: plain, compressed, and by sha512.
fn real_images(store: &mut Memory) -> (Descriptor, Descriptor) {
    let plain = layer("hello", b"hello\n");
    let other = layer("other", b"other\n");
    let gzip = gzip(&other);
    let digest = |bytes: &[u8]| bulla::digest::Digest::sha256(bytes).to_string();
    let config = |diff_ids: Vec<String>| {
        json!({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    };
    let first = store.document(MediaType::OCI_CONFIG, &config(vec![digest(&plain), digest(&other)]));
    let layers = [
        store.add("application/vnd.oci.image.layer.v1.tar", &plain),
        store.add("application/vnd.oci.image.layer.v1.tar+gzip", &gzip),
    ];
    let first = store.manifest(json!({"config": first, "layers": layers}));
    let second = store.document(MediaType::OCI_CONFIG, &config(vec![digest(&plain)]));
    let by_sha512 = store.add_as(Algorithm::Sha512, "application/vnd.oci.image.layer.v1.tar", &plain);
    let second = store.manifest(json!({"config": second, "layers": [by_sha512]}));
    (first, second)
}

/// gzip with stored blocks (RFC 1951 §3.2.4, RFC 1952), which needs no compressor.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let length = u16::try_from(bytes.len()).unwrap();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

#[test]
fn skopeo_reads_both_faces_of_the_archive() {
    let mut store = Memory::default();
    let (first, second) = real_images(&mut store);
    let admissions = [admit(&first, "h.io/app:v1"), admit(&first, "h.io/app:same"), admit(&second, "h.io/other:v2")];
    let (bytes, report) = archive(&store, &admissions, None).unwrap();
    assert_eq!(report.images.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("images.tar");
    std::fs::write(&file, &bytes).unwrap();
    for (name, layers) in [("h.io/app:v1", 2), ("h.io/app:same", 2), ("h.io/other:v2", 1)] {
        let out = folder.path().join(name.replace(['/', ':', '.'], "-"));
        let from = format!("docker-archive:{}:{name}", file.display());
        let to = format!("oci:{}:v", out.display());
        let arguments = ["--insecure-policy", "copy", "--quiet", &from, &to];
        let Some(output) = run("skopeo", &arguments, folder.path()) else { return };
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(layer_count(&out), layers);
    }
    // As an OCI archive, the manifest arrives as it was.
    let from = format!("oci-archive:{}:v1", file.display());
    let inspect = ["--insecure-policy", "inspect", "--raw", &from];
    let Some(output) = run("skopeo", &inspect, folder.path()) else { return };
    if output.status.success() {
        assert_eq!(Algorithm::Sha256.digest(&output.stdout), first.digest);
    } else {
        // Two images have the tag v1 in no case here, so it must be found.
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// How many layers the only image of a layout has.
fn layer_count(layout: &Path) -> usize {
    let read = |path: std::path::PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let index = read(layout.join("index.json"));
    let digest = index["manifests"][0]["digest"].as_str().unwrap().replace(':', "/");
    read(layout.join("blobs").join(digest))["layers"].as_array().unwrap().len()
}

#[test]
fn podman_loads_the_archive_under_its_name() {
    let mut store = Memory::default();
    let (first, _) = real_images(&mut store);
    let (bytes, _) = archive(&store, &[admit(&first, "h.io/app:v1")], None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    std::fs::write(&file, &bytes).unwrap();
    let [root, runroot] = ["root", "run"].map(|name| folder.path().join(name).display().to_string());
    let base = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
    let podman = |arguments: &[&str]| run("podman", &[&base[..], arguments].concat(), folder.path());
    let Some(info) = podman(&["images"]) else { return };
    if !info.status.success() {
        crate::skip::always(format_args!("podman does not run here: {}", String::from_utf8_lossy(&info.stderr)));
        return;
    }
    let output = podman(&["load", "-i", &file.display().to_string()]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("h.io/app:v1"), "{output:?}");
}
