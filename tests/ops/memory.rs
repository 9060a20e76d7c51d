//! A store and sink in memory that can lie, fail and be strict, and small artifacts to put into it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulla::digest::{Algorithm, Digest};
use bulla::oci::{Descriptor, Manifest, MediaType, Tag, Target};
use bulla::store::{
    ContentKind, ContentSink, ContentStore, KeptTag, NameRule, NamedRoot, Publication, RawContent, Referrers, Search,
    SearchMethod, SearchResult, StoreError, copy_to,
};
use serde_json::{Value, json};

pub(crate) const NOTARY: &str = "application/vnd.cncf.notary.signature";

/// Everything is by digest; the fields say how the store misbehaves.
#[derive(Default)]
pub(crate) struct Memory {
    content: Mutex<BTreeMap<Digest, Vec<u8>>>,
    descriptors: Mutex<BTreeMap<Digest, Descriptor>>,
    tags: Mutex<BTreeMap<String, Descriptor>>,
    pub(crate) names: Vec<NamedRoot>,
    /// What a lying list of referrers adds.
    pub(crate) claimed_referrers: BTreeMap<Digest, Vec<Descriptor>>,
    /// What is listed but not served.
    pub(crate) hidden: BTreeSet<Digest>,
    /// Puts that succeed before all fail.
    pub(crate) puts_left: Option<AtomicUsize>,
    /// Takes manifests before what they name.
    pub(crate) lenient: bool,
    /// What was put, in order.
    pub(crate) log: Mutex<Vec<Digest>>,
    /// What was published, in order.
    pub(crate) published: Mutex<Vec<Publication>>,
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

impl Memory {
    pub(crate) fn add(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        self.add_as(Algorithm::Sha256, media_type, bytes)
    }

    pub(crate) fn add_as(&mut self, algorithm: Algorithm, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::new(media_type, algorithm.digest(bytes), bytes.len().try_into().unwrap());
        self.content.get_mut().unwrap().insert(descriptor.digest, bytes.to_vec());
        if descriptor.media_type.is_manifest() {
            self.descriptors.get_mut().unwrap().insert(descriptor.digest, descriptor.clone());
        }
        descriptor
    }

    pub(crate) fn document(&mut self, media_type: &str, document: &Value) -> Descriptor {
        self.add(media_type, &serde_json::to_vec(document).unwrap())
    }

    /// An image of one platform with these layers.
    pub(crate) fn image(&mut self, layers: &[&[u8]]) -> Descriptor {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer).to_string()).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = self.document(MediaType::OCI_CONFIG, &config);
        let layers: Vec<_> =
            layers.iter().map(|layer| self.add("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        self.manifest(json!({"config": config, "layers": layers}))
    }

    pub(crate) fn manifest(&mut self, mut members: Value) -> Descriptor {
        members["schemaVersion"] = 2.into();
        members["mediaType"] = MediaType::OCI_MANIFEST.into();
        self.document(MediaType::OCI_MANIFEST, &members)
    }

    pub(crate) fn index(&mut self, children: &[Descriptor]) -> Descriptor {
        self.document(
            MediaType::OCI_INDEX,
            &json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children}),
        )
    }

    /// An artifact that refers to `subject`.
    pub(crate) fn referrer(&mut self, artifact_type: &str, subject: &Descriptor, content: &[u8]) -> Descriptor {
        let config = self.add(MediaType::OCI_EMPTY, b"{}");
        let layer = self.add("application/jose+json", content);
        self.manifest(json!({"artifactType": artifact_type, "config": config, "layers": [layer],
            "subject": subject.bare()}))
    }

    pub(crate) fn tag(&mut self, name: &str, descriptor: &Descriptor) {
        self.tags.get_mut().unwrap().insert(name.to_owned(), descriptor.bare());
    }

    pub(crate) fn digest_tag(&mut self, subject: &Digest, suffix: &str, descriptor: &Descriptor) {
        self.tag(&format!("sha256-{}.{suffix}", subject.hex()), descriptor);
    }

    pub(crate) fn corrupt(&mut self, digest: &Digest) {
        self.content.get_mut().unwrap().get_mut(digest).unwrap()[0] ^= 1;
    }

    pub(crate) fn holds(&self, digest: &Digest) -> bool {
        self.content.lock().unwrap().contains_key(digest)
    }

    pub(crate) fn tagged(&self) -> BTreeMap<String, Digest> {
        self.tags.lock().unwrap().iter().map(|(tag, descriptor)| (tag.clone(), descriptor.digest)).collect()
    }

    fn manifest_of(&self, digest: &Digest) -> Option<Manifest> {
        let descriptor = self.descriptors.lock().unwrap().get(digest)?.clone();
        let bytes = self.content.lock().unwrap().get(digest)?.clone();
        Manifest::parse(&descriptor, bytes).ok()
    }
}

impl ContentStore for Memory {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        Ok(match target {
            Target::Tag(tag) => self.tags.lock().unwrap().get(tag.as_str()).cloned(),
            Target::Digest(digest) => self.descriptors.lock().unwrap().get(digest).cloned(),
        })
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        if self.hidden.contains(&descriptor.digest) {
            return Ok(None);
        }
        Ok(self.content.lock().unwrap().get(&descriptor.digest).cloned().map(RawContent::from_bytes))
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        let known: Vec<_> = self.descriptors.lock().unwrap().keys().copied().collect();
        let refers = |manifest: &Manifest| manifest.subject().is_some_and(|found| found.digest == subject.digest);
        let mut descriptors: Vec<_> = known
            .iter()
            .filter_map(|digest| self.manifest_of(digest))
            .filter(refers)
            .map(|manifest| manifest.referrer_descriptor())
            .collect();
        descriptors.extend(self.claimed_referrers.get(&subject.digest).into_iter().flatten().cloned());
        let result = if descriptors.is_empty() { SearchResult::Absent } else { SearchResult::Found };
        Ok(Referrers { descriptors, searches: vec![Search { method: SearchMethod::LayoutIndex, result }] })
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        Ok(self.names.clone())
    }
}

/// As strict as a registry, unless told otherwise: a manifest comes after what it names.
impl ContentSink for Memory {
    fn has(&self, descriptor: &Descriptor, _: ContentKind) -> Result<bool, StoreError> {
        Ok(self.holds(&descriptor.digest))
    }

    fn put(&self, descriptor: &Descriptor, kind: ContentKind, content: RawContent) -> Result<(), StoreError> {
        if let Some(left) = &self.puts_left
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
        {
            return Err(StoreError::Write {
                digest: descriptor.digest,
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        let mut bytes = Vec::new();
        copy_to(content, descriptor, &mut bytes)?;
        if kind == ContentKind::Manifest {
            let manifest = Manifest::parse(descriptor, bytes.clone()).unwrap();
            for named in manifest.blobs().chain(manifest.manifests()) {
                assert!(
                    self.lenient || self.holds(&named.digest),
                    "{} is put before {}",
                    descriptor.digest,
                    named.digest
                );
            }
            self.descriptors.lock().unwrap().insert(descriptor.digest, descriptor.clone());
        }
        self.content.lock().unwrap().insert(descriptor.digest, bytes);
        self.log.lock().unwrap().push(descriptor.digest);
        Ok(())
    }

    fn publish(&self, entries: &[Publication]) -> Result<Vec<KeptTag>, StoreError> {
        let mut kept = Vec::new();
        for entry in entries {
            assert!(self.holds(&entry.descriptor.digest), "published before it is there");
            if let Some(tag) = &entry.tag {
                let mut tags = self.tags.lock().unwrap();
                let (there, brought) = (tags.get(tag.as_str()).map(|there| there.digest), entry.descriptor.digest);
                match there.filter(|there| *there != brought && entry.rule == NameRule::Stays) {
                    Some(there) => kept.push(KeptTag { tag: tag.clone(), kept: there, brought }),
                    None => drop(tags.insert(tag.to_string(), entry.descriptor.bare())),
                }
            }
            self.published.lock().unwrap().push(entry.clone());
        }
        Ok(kept)
    }
}

/// An artifact with everything: two platforms, an attestation, and referrers of every kind.
pub(crate) struct Sample {
    pub(crate) store: Memory,
    pub(crate) index: Descriptor,
    pub amd64: Descriptor,
    pub arm64: Descriptor,
    pub(crate) attestation: Descriptor,
    pub(crate) signature: Descriptor,
    pub(crate) counter_signature: Descriptor,
    pub(crate) child_signature: Descriptor,
    pub(crate) cosign: Descriptor,
    pub(crate) cosign_sbom: Descriptor,
    pub(crate) on_cosign: Descriptor,
}

pub(crate) fn sample() -> Sample {
    let mut store = Memory::default();
    let platform = |descriptor: &Descriptor, text: &str| Descriptor {
        platform: bulla::oci::Platform::parse(text).map(Box::new),
        ..descriptor.clone()
    };
    let amd64 = platform(&store.image(&[b"shared", b"amd64"]), "linux/amd64");
    let arm64 = platform(&store.image(&[b"shared", b"arm64"]), "linux/arm64/v8");
    let mut attestation = platform(&store.referrer("x/attestation", &amd64, b"built well"), "unknown/unknown");
    // BuildKit's are no referrers, but nothing forbids one to be both.
    attestation.annotations.insert("vnd.docker.reference.digest".into(), arm64.digest.to_string());
    let index = store.index(&[amd64.clone(), arm64.clone(), attestation.clone()]);
    let signature = store.referrer(NOTARY, &index, b"envelope");
    let counter_signature = store.referrer(NOTARY, &signature, b"envelope over an envelope");
    let child_signature = store.referrer(NOTARY, &amd64, b"envelope of amd64");
    let cosign = store.image(&[b"cosign"]);
    store.digest_tag(&index.digest, "sig", &cosign);
    let on_cosign = store.referrer("x/note", &cosign, b"a note on cosign's");
    let cosign_sbom = store.image(&[b"sbom"]);
    store.digest_tag(&arm64.digest, "sbom", &cosign_sbom);
    store.tag("v1", &index);
    Sample {
        store,
        index,
        amd64,
        arm64,
        attestation,
        signature,
        counter_signature,
        child_signature,
        cosign,
        cosign_sbom,
        on_cosign,
    }
}
