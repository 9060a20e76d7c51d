//! What a sealed bundle holds beside its inventory's blobs, to the byte; and what is no seal. Whether a signature is good
//! is not the format's business: the envelopes here are noise.

use std::sync::Arc;

use bulla::archive::{BundleWriter, Companions, Compression, EMPTY_CONFIG, Seal, SealMembers, empty_config, names};
use bulla::code::DiagnosticCode::{self, *};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::SignatureManifest;
use bulla::oci::{Descriptor, IndexDocument, Manifest, MediaType};
use bulla::store::bundle::BundleStore;
use bulla::store::stream::open_stream;
use bulla::store::{ContentKind, RawContent, StoreError, copy_to, fetch};
use serde_json::{Value, json};

use crate::fixture::{Bundle, Member, Scratch, bundle, code, docker_manifest, join, members};

/// The parts of a seal, that tests change.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) bundle: Descriptor,
    pub(crate) seal: Value,
    pub(crate) evidence: Option<Value>,
    pub(crate) blobs: Vec<Vec<u8>>,
}

const ENVELOPE: &[u8] = br#"{"payload":"","protected":"","signature":""}"#;

impl Parts {
    /// A seal on this bundle with these CRLs.
    pub(crate) fn on(bundle: &Descriptor, crls: &[&[u8]]) -> Self {
        let seal = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": names::SEAL,
            "config": empty_config(), "layers": [Descriptor::of("application/jose+json", ENVELOPE)],
            "subject": bundle.bare(),
        });
        let mut layers: Vec<_> = crls.iter().map(|crl| Descriptor::of(names::CRL, crl)).collect();
        layers.sort_by_key(|layer| layer.digest);
        let evidence = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": names::EVIDENCE,
            "config": empty_config(), "layers": layers, "subject": null,
        });
        let blobs = std::iter::once(ENVELOPE).chain(crls.iter().copied()).map(<[u8]>::to_vec).collect();
        Self { bundle: bundle.bare(), seal, evidence: (!crls.is_empty()).then_some(evidence), blobs }
    }

    fn manifest(document: &Value) -> Manifest {
        let bytes = serde_json::to_vec(document).unwrap();
        Manifest::parse(&Descriptor::of(MediaType::OCI_MANIFEST, &bytes), bytes).unwrap()
    }

    fn manifests(&self) -> (Manifest, Option<Manifest>) {
        let seal = Self::manifest(&self.seal);
        let evidence = self.evidence.clone().map(|mut evidence| {
            if evidence["subject"].is_null() {
                evidence["subject"] = json!(seal.descriptor().bare());
            }
            Self::manifest(&evidence)
        });
        (seal, evidence)
    }

    fn members(&self) -> Result<SealMembers, bulla::archive::SealError> {
        let (seal, evidence) = self.manifests();
        SealMembers::read(&self.bundle, &seal, evidence.as_ref(), &Limits::default())
    }

    pub(crate) fn build(&self) -> Seal {
        let (seal, evidence) = self.manifests();
        let manifests = [Some(seal), evidence].into_iter().flatten();
        let contents = manifests.map(|manifest| (manifest.descriptor().digest, Arc::clone(manifest.bytes())));
        let blobs = self.blobs.iter().map(|bytes| (Digest::sha256(bytes), Arc::from(bytes.as_slice())));
        Seal::new(self.members().unwrap(), contents.chain(blobs)).unwrap()
    }
}

/// Writes the sealed bundle into memory.
pub(crate) fn write(bundle: &Bundle, seal: &Seal, compression: Compression) -> Vec<u8> {
    let docker = docker_manifest(&bundle.inventory, &bundle.contents);
    let companions = Companions { seal: Some(seal), docker_manifest: docker.as_ref() };
    let mut writer = BundleWriter::with(Vec::new(), &bundle.inventory, companions, compression).unwrap();
    for blob in &bundle.inventory.blobs {
        if blob.digest != empty_config().digest && !writer.is_early(&blob.digest) {
            let content = RawContent::from_bytes(bundle.contents[&blob.digest].clone());
            writer.copy(&blob.descriptor(), content).unwrap();
        }
    }
    writer.finish().unwrap()
}

/// A CRL that the fixture's bundle carries for a signature too, and one of the seal's own.
const SHARED: &[u8] = b"\x30\x03\x02\x01\x00";
const OWN: &[u8] = b"\x30\x03\x02\x01\x01";

pub(crate) fn sealed() -> (Bundle, Parts) {
    let bundle = bundle();
    let manifest = bundle.inventory.bundle_manifest().unwrap().descriptor;
    (bundle, Parts::on(&manifest, &[SHARED, OWN]))
}

/// Reads everything there is, from a file.
pub(crate) fn read_file(scratch: &Scratch, bytes: &[u8]) -> Result<(), StoreError> {
    let store = BundleStore::open(&scratch.file("bundle", bytes), &Limits::default())?;
    read_store(&store)
}

pub(crate) fn read_store(store: &BundleStore) -> Result<(), StoreError> {
    let seal: Vec<_> = store.seal().into_iter().flat_map(SealMembers::blobs).cloned().collect();
    for blob in store.inventory().blobs.iter().map(|blob| blob.descriptor()).chain(seal) {
        fetch(store, &blob, ContentKind::Blob, u64::MAX)?.unwrap();
    }
    Ok(())
}

/// Reads everything there is, from a pipe.
pub(crate) fn read_pipe(bytes: &[u8]) -> Result<(), StoreError> {
    let (_, mut tail) = open_stream(std::io::Cursor::new(bytes.to_vec()), &Limits::default())?;
    while let Some(blob) = tail.next_blob()? {
        copy_to(tail.content(), &blob, &mut std::io::sink())?;
    }
    Ok(())
}

#[test]
fn the_artifact_type_of_a_seal_is_that_of_a_signature() {
    assert_eq!(names::SEAL, SignatureManifest::ARTIFACT_TYPE);
}

#[test]
fn a_sealed_bundle_is_read_back_from_file_and_pipe() {
    let ((bundle, parts), scratch) = (sealed(), Scratch::new());
    let seal = parts.build();
    for compression in [Compression::None, Compression::Zstd { level: 3 }] {
        let bytes = write(&bundle, &seal, compression);
        let store = BundleStore::open(&scratch.file("b", &bytes), &Limits::default()).unwrap();
        assert_eq!((store.seal(), store.inventory()), (Some(seal.members()), &bundle.inventory));
        read_store(&store).unwrap();
        let (head, _) = open_stream(std::io::Cursor::new(bytes.clone()), &Limits::default()).unwrap();
        assert_eq!(head.seal(), Some(seal.members()));
        for blob in seal.members().blobs() {
            assert!(head.holds(&blob.digest), "what decides is in the head");
        }
        read_pipe(&bytes).unwrap();
    }
}

#[test]
fn the_seal_stands_right_behind_the_bundle_manifest_and_nothing_comes_twice() {
    let (bundle, parts) = sealed();
    let seal = parts.build();
    let whole = members(&write(&bundle, &seal, Compression::None));
    let names: Vec<String> = whole
        .iter()
        .map(|member| {
            let start = member.header.len() - 512;
            String::from_utf8_lossy(&member.header[start..start + 100]).trim_end_matches('\0').to_owned()
        })
        .collect();
    let manifest = bundle.inventory.bundle_manifest().unwrap();
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let mut expected = vec!["oci-layout".to_owned(), "index.json".to_owned(), path(&manifest.descriptor.digest)];
    expected.extend(seal.members().blobs().map(|blob| path(&blob.digest)));
    expected.push(path(&manifest.inventory_descriptor.digest));
    assert_eq!(names[..expected.len()], expected);
    assert_eq!(expected.len(), 9, "manifest, envelope, evidence, two CRLs and what every bundle begins with");
    // The shared CRL stands with the seal alone.
    assert_eq!(names.iter().filter(|name| **name == path(&Digest::sha256(SHARED))).count(), 1);
    assert_eq!(names.len(), 4 + bundle.inventory.blobs.len() + seal.members().blobs().count() - 1);
    // index.json: what an unsealed bundle has, and two entries more.
    let plain = bundle.inventory.index(&manifest.descriptor);
    let index = seal.members().list_in(plain.clone());
    assert_eq!(index.manifests[..plain.manifests.len()], plain.manifests);
    let tail: Vec<_> = index.manifests[plain.manifests.len()..].to_vec();
    let kinds: Vec<_> = tail.iter().map(|entry| entry.artifact_type.as_ref().unwrap().as_str()).collect();
    assert_eq!(kinds, [names::SEAL, names::EVIDENCE]);
    assert_eq!(whole[1].content, index.to_bytes().unwrap());
}

#[test]
fn a_seal_without_evidence_is_two_blobs() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let manifest = bundle.inventory.bundle_manifest().unwrap().descriptor;
    let seal = Parts::on(&manifest, &[]).build();
    let bytes = write(&bundle, &seal, Compression::None);
    read_file(&scratch, &bytes).unwrap();
    assert_eq!(seal.members().blobs().count(), 2);
}

#[test]
fn a_seal_that_is_taken_away_whole_leaves_an_unsealed_bundle() {
    let ((bundle, parts), scratch) = (sealed(), Scratch::new());
    let stripped = crate::fixture::write(&bundle.inventory, &bundle.contents, Compression::None);
    let store = BundleStore::open(&scratch.file("b", &stripped), &Limits::default()).unwrap();
    assert_eq!(store.seal(), None);
    // But not by half.
    let whole = members(&write(&bundle, &parts.build(), Compression::None));
    let plain = members(&stripped);
    let with = |change: &dyn Fn(&mut Vec<Member>)| {
        let mut members = whole.clone();
        change(&mut members);
        let bytes = join(&members);
        let (file, pipe) = (code(read_file(&scratch, &bytes)), code(read_pipe(&bytes)));
        assert!(pipe.is_some() == file.is_some(), "{file:?} {pipe:?}");
        file
    };
    assert_eq!(with(&|_| {}), None);
    assert_eq!(with(&|m| m[1] = plain[1].clone()), Some(ArchiveEntryUnexpected), "the entries alone are left");
    assert_eq!(with(&|m| drop(m.drain(3..8))), Some(BlobMissing), "the entries alone are gone");
    for at in 3..8 {
        assert_eq!(with(&|m| drop(m.remove(at))), Some(BlobMissing), "without member {at}");
        assert_eq!(with(&|m| m.swap(at, at + 1)), Some(ArchiveMalformed), "{at} and the next exchanged");
        let altered = with(&|m| *m[at].content.last_mut().unwrap() ^= 1);
        assert_eq!(altered, Some(BlobDigestMismatch), "member {at} altered");
    }
    let twice = with(&|m| m.insert(8, m[7].clone()));
    assert_eq!(twice, Some(ArchiveEntryDuplicate));
    let extra = Member::file(&format!("blobs/sha256/{}", Digest::sha256(b"x").hex()), b"x");
    assert_eq!(with(&|m| m.insert(8, extra.clone())), Some(ArchiveEntryUnexpected), "something more");
}

/// Puts a seal into a bundle as a forger would, who keeps to the form as far as he can.
fn forge(bundle: &Bundle, documents: &[(Value, &str)], blobs: &[&[u8]]) -> Vec<u8> {
    let mut whole = members(&crate::fixture::write(&bundle.inventory, &bundle.contents, Compression::None));
    let mut index = IndexDocument::parse(&whole[1].content).unwrap();
    let mut new = Vec::new();
    for (document, kind) in documents {
        let bytes = serde_json::to_vec(document).unwrap();
        let mut entry = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
        entry.artifact_type = Some((*kind).into());
        index.manifests.push(entry);
        new.push(bytes);
    }
    new.extend(blobs.iter().map(|bytes| bytes.to_vec()));
    whole[1].set_content(index.to_bytes().unwrap());
    let file = |bytes: &Vec<u8>| Member::file(&format!("blobs/sha256/{}", Digest::sha256(bytes).hex()), bytes);
    whole.splice(3..3, new.iter().map(file));
    join(&whole)
}

#[test]
fn what_is_no_seal_on_this_bundle_is_refused() {
    let ((bundle, parts), scratch) = (sealed(), Scratch::new());
    let other = Descriptor::of(MediaType::OCI_MANIFEST, b"another bundle manifest");
    let elsewhere = Parts::on(&other, &[]).seal;
    let seal = Parts::on(&parts.bundle, &[]).seal;
    let mut second = seal.clone();
    second["annotations"] = json!({"second": "seal"});
    let mut third = second.clone();
    third["annotations"] = json!({"third": "seal"});
    let mut image = seal.clone();
    image["config"] = json!(Descriptor::of(MediaType::OCI_CONFIG, EMPTY_CONFIG));
    let mut empty = seal.clone();
    empty["layers"] = json!([]);
    let mut letter = seal.clone();
    letter["layers"][0]["mediaType"] = "text/plain".into();
    let mut two = seal.clone();
    two["layers"] = json!([two["layers"][0], two["layers"][0]]);
    let kind = names::SEAL;
    type Case<'a> = (&'a str, Vec<(Value, &'a str)>, DiagnosticCode);
    let cases: [Case<'_>; 10] = [
        ("an envelope of no format", vec![(letter, kind)], BundleSealInvalid),
        ("a seal over another bundle manifest", vec![(elsewhere, kind)], BundleSealInvalid),
        ("two seals", vec![(seal.clone(), kind), (second.clone(), kind)], BundleSealInvalid),
        ("three", vec![(seal.clone(), kind), (second, kind), (third, kind)], BundleSealInvalid),
        ("a seal of another form", vec![(image, kind)], BundleSealInvalid),
        ("no envelope", vec![(empty, kind)], BundleSealInvalid),
        ("two envelopes", vec![(two, kind)], BundleSealInvalid),
        ("a seal under another type", vec![(seal.clone(), names::EVIDENCE)], BundleIndexMismatch),
        ("a seal as the second bundle manifest", vec![(seal.clone(), names::BUNDLE)], BundleIndexMismatch),
        ("no manifest at all", vec![(json!({"schemaVersion": 2}), kind)], BundleSealInvalid),
    ];
    let good = forge(&bundle, &[(seal, kind)], &[ENVELOPE]);
    read_file(&scratch, &good).unwrap();
    read_pipe(&good).unwrap();
    for (name, documents, expected) in cases {
        let bytes = forge(&bundle, &documents, &[ENVELOPE]);
        assert_eq!(code(read_file(&scratch, &bytes)), Some(expected), "{name}");
        assert!(read_pipe(&bytes).is_err(), "{name}, through a pipe");
    }
}

#[test]
fn the_evidence_of_a_seal_is_bounded_and_in_order() {
    let (_, parts) = sealed();
    assert!(parts.members().is_ok());
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = parts.clone();
        change(changed.evidence.as_mut().unwrap());
        code(changed.members())
    };
    let bad = Some(BundleSealInvalid);
    assert_eq!(refused(&|e| e["layers"].as_array_mut().unwrap().reverse()), bad, "out of order");
    assert_eq!(refused(&|e| e["layers"] = json!([])), bad, "evidence of nothing");
    assert_eq!(refused(&|e| e["layers"][0]["mediaType"] = json!("text/plain")), bad, "something else");
    assert_eq!(refused(&|e| e["layers"][0]["size"] = json!(65 << 20)), bad, "more than a CRL has");
    let many = |count: u32, size: u64| -> Value {
        let mut layers: Vec<_> =
            (0..count).map(|at| Descriptor::new(names::CRL, Digest::sha256(&at.to_be_bytes()), size)).collect();
        layers.sort_by_key(|layer| layer.digest);
        json!(layers)
    };
    assert_eq!(refused(&|e| e["layers"] = many(64, 5)), None, "as many as may be");
    assert_eq!(refused(&|e| e["layers"] = many(65, 5)), bad, "one more");
    assert_eq!(refused(&|e| e["layers"] = many(3, 32 << 20)), bad, "all together too large");
    let other = Descriptor::of(MediaType::OCI_MANIFEST, b"another seal");
    assert_eq!(refused(&|e| e["subject"] = json!(other)), bad, "evidence for something else");
    assert_eq!(refused(&|e| e["artifactType"] = json!("text/plain")), bad, "another artifact");
    let mut large = parts.clone();
    large.seal["layers"][0]["size"] = json!(5 << 20);
    assert_eq!(code(large.members()), bad, "an envelope that is none");
    let mut same = parts;
    same.evidence.as_mut().unwrap()["layers"] = json!([Descriptor::of(names::CRL, ENVELOPE)]);
    assert_eq!(code(same.members()), bad, "the envelope as its own evidence");
}

#[test]
fn a_seal_fits_one_bundle() {
    let (bundle, parts) = sealed();
    let mut other = bundle.inventory.clone();
    other.created_by = "bulla/9.9.9".into();
    let error = BundleWriter::sealed(Vec::new(), &other, &parts.build(), Compression::None).err().unwrap();
    assert_eq!(code(Err::<(), _>(error)), Some(BundleManifestInvalid));
    // And comes with all its content.
    assert!(Seal::new(parts.members().unwrap(), []).is_err());
}

#[test]
fn a_blob_of_both_has_one_size() {
    let ((bundle, _), scratch) = (sealed(), Scratch::new());
    let mut lie = bundle;
    let shared = lie.inventory.blobs.iter_mut().find(|blob| blob.digest == Digest::sha256(SHARED)).unwrap();
    shared.size += 1;
    let bulla::archive::EvidenceRecord::Crl(record) = &mut lie.inventory.evidence[0] else { panic!() };
    record.size += 1;
    lie.inventory.normalise();
    let manifest = lie.inventory.bundle_manifest().unwrap().descriptor;
    let bytes = write(&lie, &Parts::on(&manifest, &[SHARED]).build(), Compression::None);
    assert_eq!(code(read_file(&scratch, &bytes)), Some(BlobSizeMismatch));
    assert_eq!(code(read_pipe(&bytes)), Some(BlobSizeMismatch));
}

/// A reader of a pipe meets entries one after the other, and would take the second of one name for another.
#[test]
fn the_bundle_itself_is_no_evidence_of_its_seal() {
    let ((bundle, _), scratch) = (sealed(), Scratch::new());
    let whole = members(&crate::fixture::write(&bundle.inventory, &bundle.contents, Compression::None));
    let manifest = bundle.inventory.bundle_manifest().unwrap().descriptor;
    for (what, member) in [("the bundle manifest", &whole[2]), ("the inventory", &whole[3])] {
        let piece = member.content.as_slice();
        let parts = Parts::on(&manifest, &[piece]);
        let (seal, mut evidence) = (parts.seal, parts.evidence.unwrap());
        evidence["subject"] = json!(Descriptor::of(MediaType::OCI_MANIFEST, &serde_json::to_vec(&seal).unwrap()));
        let documents = [(seal, names::SEAL), (evidence, names::EVIDENCE)];
        let bytes = forge(&bundle, &documents, &[]);
        // In the order in which a seal's blobs stand: its manifest, the envelope, the manifest of the evidence, that.
        let mut whole = members(&bytes);
        let file = |bytes: &[u8]| Member::file(&format!("blobs/sha256/{}", Digest::sha256(bytes).hex()), bytes);
        whole.insert(4, file(ENVELOPE));
        whole.insert(6, file(piece));
        let bytes = join(&whole);
        assert_eq!(code(read_pipe(&bytes)), Some(BundleSealInvalid), "{what}");
        assert!(read_file(&scratch, &bytes).is_err(), "{what}");
    }
}
