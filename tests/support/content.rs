//! OCI content, assembled by the test, and ways to put it where bulla will find it that are not bulla's: files of a
//! layout, raw HTTP, the scripted registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::http::request;
use super::openssl::{Holder, Pki, Signing};
use super::registry::Registry;

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
const JWS: &str = "application/jose+json";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The digest in a descriptor.
pub fn digest(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap()
}

/// The tag under which the referrers of a digest are found where there is no API (conformance 1.17).
pub fn fallback_tag(digest: &str) -> String {
    digest.replace(':', "-").chars().take(71).collect()
}

/// Something that does not repeat itself and is the same every time.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ (seed << 20);
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// The two forms of a signature manifest (conformance 1.02, 1.03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    New,
    Legacy,
}

/// What a repository holds.
#[derive(Default, Clone)]
pub struct Content {
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Manifests in the order in which a registry takes them.
    pub manifests: Vec<Value>,
    pub tags: Vec<(String, Value)>,
    /// By subject.
    pub referrers: BTreeMap<String, Vec<Value>>,
    with_sha512: bool,
}

impl Content {
    /// Content whose digests are SHA-512.
    pub fn sha512() -> Self {
        Self { with_sha512: true, ..Self::default() }
    }

    pub fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = if self.with_sha512 { sha512(bytes) } else { sha256(bytes) };
        self.blobs.insert(digest.clone(), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    pub fn manifest(&mut self, document: &Value) -> Value {
        let media_type = document["mediaType"].as_str().unwrap();
        let descriptor = self.blob(media_type, document.to_string().as_bytes());
        self.manifests.push(descriptor.clone());
        if let Some(subject) = document["subject"]["digest"].as_str() {
            let mut entry = descriptor.clone();
            let artifact_type = match &document["artifactType"] {
                Value::Null => &document["config"]["mediaType"],
                given => given,
            };
            entry["artifactType"] = artifact_type.clone();
            if !document["annotations"].is_null() {
                entry["annotations"] = document["annotations"].clone();
            }
            self.referrers.entry(subject.to_owned()).or_default().push(entry);
        }
        descriptor
    }

    /// An image with these layers; the same for the same arguments.
    pub fn image(&mut self, architecture: &str, layers: &[Vec<u8>]) -> Value {
        let ids: Vec<_> = layers.iter().map(|layer| sha256(layer)).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": ids},
        });
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let layers: Vec<_> =
            layers.iter().map(|layer| self.blob("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        self.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}))
    }

    /// An image for two platforms.
    pub fn two_platforms(&mut self) -> Platforms {
        let amd64 = self.image("amd64", &[tar_layer("etc/motd", b"amd64\n"), tar_layer("etc/shared", b"both\n")]);
        let arm64 = self.image("arm64", &[tar_layer("etc/motd", b"arm64\n"), tar_layer("etc/shared", b"both\n")]);
        let child = |descriptor: &Value, architecture: &str| {
            let mut child = descriptor.clone();
            child["platform"] = json!({"os": "linux", "architecture": architecture});
            child
        };
        let children = [child(&amd64, "amd64"), child(&arm64, "arm64")];
        let index = self.manifest(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}));
        Platforms { index, amd64, arm64 }
    }

    /// An artifact that refers to another.
    pub fn referrer(&mut self, subject: &Value, artifact_type: &str, content: &[u8]) -> Value {
        let config = self.blob(EMPTY, b"{}");
        let layer = self.blob("application/json", content);
        self.manifest(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type, "config": config,
            "layers": [layer], "subject": bare(subject), "annotations": {"org.example.kept": "yes"},
        }))
    }

    /// A signature manifest around an envelope (conformance 1.01 to 1.10).
    pub fn attach(
        &mut self,
        subject: &Value,
        envelope: &[u8],
        media_type: &str,
        thumbprints: &str,
        form: Form,
    ) -> Value {
        let mut config = self.blob(if form == Form::New { EMPTY } else { SIGNATURE }, b"{}");
        let layer = self.blob(media_type, envelope);
        let mut document = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer], "subject": bare(subject),
            "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": thumbprints},
        });
        if form == Form::New {
            document["artifactType"] = SIGNATURE.into();
            config["data"] = BASE64_STANDARD.encode("{}").into();
        }
        document["config"] = config;
        self.manifest(&document)
    }

    /// Signs an artifact with openssl.
    pub fn sign(&mut self, pki: &Pki, signer: &Holder, subject: &Value, form: Form, signing: &Signing<'_>) -> Value {
        let envelope = pki.envelope(signer, subject, signing);
        self.attach(subject, &envelope, JWS, &pki.thumbprints(signer), form)
    }

    pub fn tag(&mut self, tag: &str, descriptor: &Value) {
        self.tags.push((tag.to_owned(), descriptor.clone()));
    }

    fn is_manifest(&self, digest_: &str) -> bool {
        self.manifests.iter().any(|descriptor| digest(descriptor) == digest_)
    }

    /// Writes an OCI layout, as oras would: tags under their names, referrers without.
    pub fn write_layout(&self, folder: &Path) {
        for (digest, bytes) in &self.blobs {
            let (algorithm, hex) = digest.split_once(':').unwrap();
            fs::create_dir_all(folder.join("blobs").join(algorithm)).unwrap();
            fs::write(folder.join("blobs").join(algorithm).join(hex), bytes).unwrap();
        }
        let named = self.tags.iter().map(|(tag, descriptor)| {
            let mut entry = descriptor.clone();
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
            entry
        });
        let entries: Vec<_> = named.chain(self.referrers.values().flatten().cloned()).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }

    /// Pushes everything by raw HTTP, the referrers by the tag schema.
    pub fn push(&self, host: &str, repository: &str) {
        for (digest, bytes) in self.blobs.iter().filter(|(digest, _)| !self.is_manifest(digest)) {
            let opened = request(host, "POST", &format!("/v2/{repository}/blobs/uploads/"), &[], b"");
            assert_eq!(opened.status, 202, "{opened:?}");
            let location = opened.header("location").unwrap();
            let path = location.strip_prefix(&format!("http://{host}")).unwrap_or(location);
            let joint = if path.contains('?') { '&' } else { '?' };
            let target = format!("{path}{joint}digest={digest}");
            let put = request(host, "PUT", &target, &[("content-type", "application/octet-stream")], bytes);
            assert_eq!(put.status, 201, "{put:?}");
        }
        for descriptor in &self.manifests {
            put_manifest(host, repository, digest(descriptor), descriptor, &self.blobs[digest(descriptor)]);
        }
        for (subject, entries) in &self.referrers {
            let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
            put_manifest(host, repository, &fallback_tag(subject), &json!({"mediaType": INDEX}), bytes.as_bytes());
        }
        for (tag, descriptor) in &self.tags {
            put_manifest(host, repository, tag, descriptor, &self.blobs[digest(descriptor)]);
        }
    }

    /// Puts everything into a scripted registry; with `fallback` also the tags of the tag schema.
    pub fn fill(&self, registry: &Registry, repository: &str, fallback: bool) {
        for (digest, bytes) in self.blobs.iter().filter(|(digest, _)| !self.is_manifest(digest)) {
            registry.with(repository, |repo| repo.blobs.insert(digest.parse().unwrap(), bytes.clone()));
        }
        let put = |descriptor: &Value, tag: Option<&str>| {
            let media_type = descriptor["mediaType"].as_str().unwrap();
            let digest: bulla::digest::Digest = digest(descriptor).parse().unwrap();
            let bytes = &self.blobs[&digest.to_string()];
            registry.manifest_by(digest.algorithm(), repository, tag, media_type, bytes);
        };
        self.manifests.iter().for_each(|descriptor| put(descriptor, None));
        self.tags.iter().for_each(|(tag, descriptor)| put(descriptor, Some(tag)));
        for (subject, entries) in self.referrers.iter().filter(|_| fallback) {
            let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
            registry.manifest(repository, Some(&fallback_tag(subject)), INDEX, bytes.as_bytes());
        }
    }
}

/// The artifacts of [`Content::two_platforms`].
pub struct Platforms {
    pub index: Value,
    pub amd64: Value,
    pub arm64: Value,
}

fn bare(descriptor: &Value) -> Value {
    json!({"mediaType": descriptor["mediaType"], "digest": descriptor["digest"], "size": descriptor["size"]})
}

#[track_caller]
pub fn put_manifest(host: &str, repository: &str, reference: &str, descriptor: &Value, bytes: &[u8]) {
    let media_type = descriptor["mediaType"].as_str().unwrap();
    let target = format!("/v2/{repository}/manifests/{reference}");
    let answer = request(host, "PUT", &target, &[("content-type", media_type)], bytes);
    assert_eq!(answer.status, 201, "{reference}: {answer:?} {}", String::from_utf8_lossy(&answer.body));
}

/// A manifest from a registry by raw HTTP: its digest, computed here, and the document.
pub fn get_manifest(host: &str, repository: &str, reference: &str) -> Option<(String, Value)> {
    let accept = format!("{INDEX}, {MANIFEST}");
    let target = format!("/v2/{repository}/manifests/{reference}");
    let answer = request(host, "GET", &target, &[("accept", &accept)], b"");
    (answer.status == 200).then(|| (sha256(&answer.body), serde_json::from_slice(&answer.body).unwrap()))
}

/// A layer in the tar format with one file.
pub fn tar_layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(content.len()).unwrap());
    header.set_mode(0o644);
    header.set_mtime(0);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

/// Checks that a layout is consistent: `index.json` parses, and everything that can be reached from it is there with
/// the right digest. Returns the digests of the roots by name.
#[track_caller]
pub fn check_layout(folder: &Path) -> BTreeMap<String, String> {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut names = BTreeMap::new();
    let mut left: Vec<Value> = index["manifests"].as_array().unwrap().clone();
    for entry in &left {
        if let Some(name) = entry["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            names.insert(name.to_owned(), digest(entry).to_owned());
        }
    }
    while let Some(descriptor) = left.pop() {
        let name = digest(&descriptor);
        let (algorithm, hex) = name.split_once(':').unwrap();
        let bytes = fs::read(folder.join("blobs").join(algorithm).join(hex))
            .unwrap_or_else(|error| panic!("{descriptor}: {error}"));
        assert_eq!(descriptor["size"], bytes.len(), "{name}");
        assert_eq!(name, if algorithm == "sha256" { sha256(&bytes) } else { sha512(&bytes) });
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        if media_type == INDEX || media_type == MANIFEST {
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            for list in ["manifests", "layers"] {
                left.extend(document[list].as_array().into_iter().flatten().cloned());
            }
            left.extend(document.get("config").cloned());
        }
    }
    names
}

/// Checks that a layout holds nothing that is half done: what a killed process left there is gone.
#[track_caller]
pub fn check_no_partials(layout: &Path) {
    let folders = [layout.to_owned(), layout.join("blobs"), layout.join("blobs/sha256")];
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        for name in super::cli::names(&folder) {
            let known = ["blobs", "sha256", "index.json", "oci-layout"].contains(&name.as_str());
            let hex = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(known || hex, "left behind in {}: {name}", folder.display());
        }
    }
}
