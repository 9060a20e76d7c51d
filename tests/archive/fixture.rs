//! One small bundle with something of everything, and tars made by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::archive::{
    BlobRecord, BundleInventory, BundleWriter, CarriedCrl, Companions, Compression, DockerManifest, EMPTY_CONFIG,
    EvidenceGap, EvidenceRecord, Omission, OmittedContent, PlatformRecord, ReferrerRecord, RootRecord, SearchRecord,
    SignatureRecord, Totals, Unloadable, empty_config, names,
};
use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::{Algorithm, Digest};
use bulla::oci::{Descriptor, DigestTag, DigestTagKind, Manifest, MediaType, Platform, Tag};
use bulla::store::{RawContent, Search, SearchMethod, SearchResult};
use bulla::time::UnixTime;
use serde_json::{Value, json};

pub(crate) const NOTARY: &str = "application/vnd.cncf.notary.signature";

/// Deterministic noise that begins like gzip, as layers do.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    })
    .take(len)
    .collect();
    bytes[..3].copy_from_slice(b"\x1f\x8b\x08");
    bytes
}

/// Content by digest, and the records of it.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
    pub(crate) blobs: Vec<BlobRecord>,
}

impl Sample {
    fn add(&mut self, descriptor: &Descriptor, bytes: &[u8], manifest: bool) {
        let (digest, size, media_type) = (descriptor.digest, descriptor.size, descriptor.media_type.clone());
        self.blobs.push(BlobRecord { digest, size, media_type, manifest });
        self.contents.insert(digest, bytes.to_vec());
    }

    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        self.add(&descriptor, bytes, false);
        descriptor
    }

    pub(crate) fn blob512(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::new(media_type, Algorithm::Sha512.digest(bytes), bytes.len() as u64);
        self.add(&descriptor, bytes, false);
        descriptor
    }

    pub(crate) fn manifest(&mut self, media_type: &str, mut document: Value) -> Descriptor {
        document["schemaVersion"] = 2.into();
        document["mediaType"] = media_type.into();
        let bytes = serde_json::to_vec(&document).unwrap();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.add(&descriptor, &bytes, true);
        descriptor
    }

    pub(crate) fn artifact(&mut self, kind: &str, layers: &[&Descriptor], subject: Option<&Descriptor>) -> Descriptor {
        let config = self.blob(MediaType::OCI_EMPTY, EMPTY_CONFIG);
        let mut document = json!({"artifactType": kind, "config": config, "layers": layers});
        if let Some(subject) = subject {
            document["subject"] = json!(subject);
        }
        self.manifest(MediaType::OCI_MANIFEST, document)
    }

    pub(crate) fn image(&mut self, seed: u64) -> Descriptor {
        self.image_of(seed, 100_000)
    }

    pub(crate) fn image_of(&mut self, seed: u64, size: usize) -> Descriptor {
        let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [
            Digest::sha256(&seed.to_be_bytes()).to_string()]}});
        let config = self.blob(MediaType::OCI_CONFIG, config.to_string().as_bytes());
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar+gzip", &noise(size, seed));
        self.manifest(MediaType::OCI_MANIFEST, json!({"config": config, "layers": [layer]}))
    }
}

pub(crate) fn root(reference: &str, descriptor: &Descriptor) -> RootRecord {
    RootRecord {
        reference: reference.parse().unwrap(),
        digest: descriptor.digest,
        size: descriptor.size,
        media_type: descriptor.media_type.clone(),
        platforms: Vec::new(),
    }
}

fn referrer(subject: &Descriptor, descriptor: &Descriptor, kind: &str) -> ReferrerRecord {
    ReferrerRecord {
        subject: subject.digest,
        digest: descriptor.digest,
        size: descriptor.size,
        media_type: descriptor.media_type.clone(),
        artifact_type: Some(kind.into()),
        tag: None,
    }
}

pub(crate) fn inventory(blobs: Vec<BlobRecord>, roots: Vec<RootRecord>) -> BundleInventory {
    let mut inventory = BundleInventory {
        schema_version: 1,
        media_type: names::BUNDLE.into(),
        features: Vec::new(),
        stream: None,
        created_by: "bulla/0.1.0".into(),
        created_at: UnixTime::from_seconds(1_790_000_000),
        roots,
        referrers: Vec::new(),
        signatures: Vec::new(),
        evidence: Vec::new(),
        searches: Vec::new(),
        omitted: Vec::new(),
        docker_manifest: None,
        blobs,
        totals: Totals::default(),
    };
    inventory.normalise();
    inventory
}

/// Everything that a test wants to get at.
pub(crate) struct Bundle {
    pub(crate) inventory: BundleInventory,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
    pub(crate) image: Descriptor,
    pub(crate) notes: Descriptor,
    pub(crate) signature: Descriptor,
    pub(crate) evidence: Descriptor,
    pub(crate) cosign: Descriptor,
    pub(crate) layer: Digest,
}

/// An image in an index of which one child was left out, with a signature, its evidence and a cosign tag; and an
/// artifact with a large layer that can be compressed, a sha512 layer and an empty one.
pub(crate) fn bundle() -> Bundle {
    sized(100_000, 250_000)
}

/// The same, with a layer of so many bytes of noise, and one of so many lines of text.
pub(crate) fn sized(noise: usize, lines: usize) -> Bundle {
    let mut sample = Sample::default();
    let image = sample.image_of(1, noise);
    let layer = sample.blobs.iter().find(|blob| blob.size == noise as u64).unwrap().digest;
    let left_out = Descriptor::of(MediaType::OCI_MANIFEST, b"left out");
    let platform = |arch: &str| Box::new(Platform::parse(&format!("linux/{arch}")).unwrap());
    let children = json!([
        {"mediaType": image.media_type, "digest": image.digest, "size": image.size, "platform": platform("amd64")},
        {"mediaType": left_out.media_type, "digest": left_out.digest, "size": left_out.size, "platform": platform("arm64")},
    ]);
    let index = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": children}));
    let text = sample.blob("text/plain", "all work and no play\n".repeat(lines).as_bytes());
    let long = sample.blob512("text/plain", b"named by sha512");
    let nothing = sample.blob("text/plain", b"");
    let notes = sample.artifact("application/vnd.example.notes", &[&text, &long, &nothing], None);
    let envelope = sample.blob("application/jose+json", br#"{"payload":"","signature":""}"#);
    let signature = sample.artifact(NOTARY, &[&envelope], Some(&image));
    let crl = sample.blob(names::CRL, b"\x30\x03\x02\x01\x00");
    let evidence = sample.artifact(names::EVIDENCE, &[&crl], Some(&signature));
    let cosign = sample.artifact("application/vnd.example.cosign", &[], None);

    let mut roots = vec![
        root("registry.example/app:v1", &image),
        root("registry.example/multi:edge", &index),
        root("registry.example/notes:v2", &notes),
        root("other.example/notes:v2", &notes),
        root(&format!("registry.example/nameless@{}", notes.digest), &notes),
    ];
    roots[1].platforms = vec![
        PlatformRecord { digest: image.digest, platform: Some(platform("amd64")), omitted: false },
        PlatformRecord { digest: left_out.digest, platform: Some(platform("arm64")), omitted: true },
    ];
    let mut inventory = inventory(sample.blobs, roots);
    let tag = DigestTag { subject: image.digest, kind: DigestTagKind::Signature }.tag();
    inventory.referrers = vec![
        referrer(&image, &signature, NOTARY),
        referrer(&signature, &evidence, names::EVIDENCE),
        ReferrerRecord { tag, ..referrer(&image, &cosign, "application/vnd.example.cosign") },
    ];
    inventory.signatures = vec![SignatureRecord {
        digest: signature.digest,
        subject: image.digest,
        envelope: Some(envelope.digest),
        envelope_media_type: Some(envelope.media_type.clone()),
        evidence: Some(evidence.digest),
        missing: vec![EvidenceGap {
            code: DiagnosticCode::EvidenceUnavailable.into(),
            certificate: "CN=Example".into(),
            urls: vec!["http://crl.example/1.crl".into()],
            reason: "connection refused".into(),
        }],
    }];
    inventory.evidence = vec![EvidenceRecord::Crl(CarriedCrl {
        digest: crl.digest,
        size: crl.size,
        issuer: "CN=Example CA".into(),
        urls: vec!["http://crl.example/ca.crl".into()],
        this_update: UnixTime::from_seconds(1_780_000_000),
        next_update: Some(UnixTime::from_seconds(1_800_000_000)),
        number: Some("2a".into()),
        base_number: None,
    })];
    let found = Search { method: SearchMethod::LayoutIndex, result: SearchResult::Found };
    inventory.searches = vec![SearchRecord { subject: image.digest, searches: vec![found] }];
    inventory.omitted = vec![OmittedContent {
        digest: left_out.digest,
        size: left_out.size,
        media_type: left_out.media_type,
        platform: Some(platform("arm64")),
        reason: Omission::Platform,
    }];
    inventory.normalise();
    Bundle { inventory, contents: sample.contents, image, notes, signature, evidence, cosign, layer }
}

/// What docker loads by, where the inventory announces it.
pub(crate) fn docker_manifest(
    inventory: &BundleInventory,
    contents: &BTreeMap<Digest, Vec<u8>>,
) -> Option<DockerManifest> {
    inventory.docker_manifest.as_ref().map(|_| derive(inventory, contents).unwrap())
}

pub(crate) fn derive(
    inventory: &BundleInventory,
    contents: &BTreeMap<Digest, Vec<u8>>,
) -> Result<DockerManifest, Unloadable> {
    DockerManifest::derive(inventory, |blob| {
        Ok(Arc::new(Manifest::parse(&blob.descriptor(), contents[&blob.digest].clone()).unwrap()))
    })
}

/// The same bundle, for docker and podman to load.
pub(crate) fn loadable(mut bundle: Bundle) -> Bundle {
    let docker = derive(&bundle.inventory, &bundle.contents).unwrap();
    bundle.inventory = bundle.inventory.with_docker_manifest(&docker);
    bundle
}

/// Writes the bundle into memory.
pub(crate) fn write(
    inventory: &BundleInventory,
    contents: &BTreeMap<Digest, Vec<u8>>,
    compression: Compression,
) -> Vec<u8> {
    let docker = docker_manifest(inventory, contents);
    let companions = Companions { docker_manifest: docker.as_ref(), ..Companions::default() };
    let mut writer = BundleWriter::with(Vec::new(), inventory, companions, compression).unwrap();
    for blob in &inventory.blobs {
        if blob.digest != empty_config().digest {
            writer.copy(&blob.descriptor(), RawContent::from_bytes(contents[&blob.digest].clone())).unwrap();
        }
    }
    writer.finish().unwrap()
}

/// A file in a folder that goes away with it.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn code<T>(result: Result<T, impl Diagnostic>) -> Option<DiagnosticCode> {
    result.err().map(|error| error.code())
}

/// One member of a tar: all of its headers, and its content without padding.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) header: Vec<u8>,
    pub(crate) content: Vec<u8>,
}

impl Member {
    /// A member as any tool might write it.
    pub(crate) fn new(kind: tar::EntryType, name: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        Self { header: header.as_bytes().to_vec(), content: content.to_vec() }
    }

    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        Self::new(tar::EntryType::Regular, name, content)
    }

    pub(crate) fn link(kind: tar::EntryType, name: &str, target: &str) -> Self {
        let mut member = Self::new(kind, name, b"");
        member.edit(|header| header[157..157 + target.len()].copy_from_slice(target.as_bytes()));
        member
    }

    /// Changes the last header and makes its checksum right again.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut [u8])) {
        let start = self.header.len() - 512;
        change(&mut self.header[start..]);
        let mut header = tar::Header::from_byte_slice(&self.header[start..]).clone();
        header.set_cksum();
        self.header[start..].copy_from_slice(header.as_bytes());
    }

    /// Other content, announced truly.
    pub(crate) fn set_content(&mut self, content: Vec<u8>) {
        self.content = content;
        let field = format!("{:011o}\0", self.content.len());
        self.edit(|header| header[124..136].copy_from_slice(field.as_bytes()));
    }
}

/// Takes a plain tar of ours apart.
pub(crate) fn members(tar: &[u8]) -> Vec<Member> {
    let (mut members, mut at) = (Vec::new(), 0);
    while tar[at] != 0 {
        let extended = if tar[at + 156] == b'x' { 1024 } else { 0 };
        let header = tar[at..at + extended + 512].to_vec();
        let size = tar::Header::from_byte_slice(&header[extended..]).size().unwrap() as usize;
        at += header.len();
        members.push(Member { header, content: tar[at..at + size].to_vec() });
        at += size.div_ceil(512) * 512;
    }
    members
}

/// Puts it together again.
pub(crate) fn join(members: &[Member]) -> Vec<u8> {
    let mut tar = Vec::new();
    for member in members {
        tar.extend_from_slice(&member.header);
        tar.extend_from_slice(&member.content);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// Whether a program is there; says so when it is not.
pub(crate) fn has_tool(name: &str) -> bool {
    let there = std::process::Command::new(name).arg("--version").output().is_ok();
    if !there {
        crate::skip::tool(format_args!("{name} is not installed"));
    }
    there
}

/// Runs a program and returns what it printed; it must succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = std::process::Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
