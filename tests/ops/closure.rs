//! What belongs to an artifact.

use std::collections::BTreeSet;
use std::time::Instant;

use bulla::archive::Omission;
use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::{Algorithm, Digest};
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType, Platform};
use bulla::ops::closure::{Closure, ClosureError, Extent, WalkOptions, walk};
use bulla::ops::progress::NoProgress;
use bulla::store::{SearchMethod, SearchResult};
use serde_json::json;

use crate::memory::{Memory, NOTARY, Sample, sample};

fn whole(store: &Memory, root: &Descriptor) -> Result<Closure, ClosureError> {
    walk(store, root, &WalkOptions::default(), &Limits::default(), &NoProgress)
}

fn code(result: Result<Closure, ClosureError>) -> DiagnosticCode {
    result.map(|closure| closure.extent()).unwrap_err().code()
}

#[test]
fn the_closure_is_whole() {
    let Sample { store, index, amd64, arm64, attestation, signature, counter_signature, child_signature, .. } =
        &sample();
    let closure = whole(store, index).unwrap();
    assert_eq!(closure.manifests.len(), 10);
    assert_eq!(closure.root, index.bare());
    assert_eq!(closure.blobs.len(), 15);
    let signatures: Vec<_> =
        closure.notary_signatures().iter().map(|found| (found.manifest.descriptor().digest, found.subject)).collect();
    let mut expected = vec![
        (signature.digest, index.digest),
        (counter_signature.digest, signature.digest),
        (child_signature.digest, amd64.digest),
    ];
    expected.sort();
    assert_eq!(signatures, expected);
    // Each manifest was searched in every way.
    assert_eq!(closure.searches.len(), 10);
    let methods: Vec<_> = closure.searches[&index.digest].iter().map(|s| (s.method, s.result)).collect();
    assert_eq!(
        methods,
        [
            (SearchMethod::LayoutIndex, SearchResult::Found),
            (SearchMethod::DigestTagSig, SearchResult::Found),
            (SearchMethod::DigestTagAtt, SearchResult::Absent),
            (SearchMethod::DigestTagSbom, SearchResult::Absent),
        ]
    );
    let children: Vec<_> = closure.children[&index.digest].iter().map(|child| child.descriptor.digest).collect();
    assert_eq!(children, [amd64.digest, arm64.digest, attestation.digest]);
    assert!(closure.omitted.is_empty() && closure.mislabelled.is_empty());
}

#[test]
fn digest_tags_are_referrers_with_a_tag_and_what_lies_below_comes_along() {
    let Sample { store, index, arm64, cosign, cosign_sbom, on_cosign, .. } = &sample();
    let closure = whole(store, index).unwrap();
    let tagged: Vec<_> = closure
        .referrers
        .iter()
        .filter_map(|found| found.tag.as_ref().map(|tag| (found.subject, found.descriptor.digest, tag.to_string())))
        .collect();
    let mut expected = vec![
        (index.digest, cosign.digest, format!("sha256-{}.sig", index.digest.hex())),
        (arm64.digest, cosign_sbom.digest, format!("sha256-{}.sbom", arm64.digest.hex())),
    ];
    expected.sort();
    assert_eq!(tagged, expected);
    assert!(closure.manifests.contains_key(&on_cosign.digest));
    assert!(closure.blobs.contains_key(&Digest::sha256(b"sbom")));
}

#[test]
fn every_form_of_a_notary_signature_is_found() {
    // Conformance 1.02 and 1.03, and the withdrawn artifact manifest.
    let mut store = Memory::default();
    let image = store.image(&[b"layer"]);
    let new = store.referrer(NOTARY, &image, b"envelope");
    let layer = store.add("application/jose+json", b"old envelope");
    let config = store.add(NOTARY, b"{}");
    let legacy = store.manifest(json!({"config": config, "layers": [layer], "subject": image}));
    let withdrawn = store.document(
        MediaType::OCI_ARTIFACT_MANIFEST,
        &json!({"mediaType": MediaType::OCI_ARTIFACT_MANIFEST, "artifactType": NOTARY, "blobs": [layer],
            "subject": image}),
    );
    let other = store.referrer("x/other", &image, b"no signature");
    let closure = whole(&store, &image).unwrap();
    let found: BTreeSet<_> = closure.notary_signatures().iter().map(|s| s.manifest.descriptor().digest).collect();
    assert_eq!(found, BTreeSet::from([new.digest, legacy.digest, withdrawn.digest]));
    assert!(closure.manifests.contains_key(&other.digest));
}

#[test]
fn sha512_content_is_content_like_any_other() {
    let mut store = Memory::default();
    let layer = store.add_as(Algorithm::Sha512, "x/layer", b"layer");
    let config = store.add_as(Algorithm::Sha512, MediaType::OCI_EMPTY, b"{}");
    let text = json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string();
    let image = store.add_as(Algorithm::Sha512, MediaType::OCI_MANIFEST, text.as_bytes());
    let signature = store.referrer(NOTARY, &image, b"envelope");
    let closure = whole(&store, &image).unwrap();
    assert_eq!(closure.notary_signatures()[0].manifest.descriptor().digest, signature.digest);
    // cosign's tag would be too long to be one.
    let unsupported = closure.searches[&image.digest].iter().filter(|s| s.result == SearchResult::Unsupported);
    assert_eq!(unsupported.count(), 3);
}

#[test]
fn a_referrer_of_something_else_is_a_lie() {
    let Sample { mut store, index, child_signature, amd64, .. } = sample();
    store.claimed_referrers.insert(index.digest, vec![child_signature.clone()]);
    let error = whole(&store, &index).unwrap_err();
    let ClosureError::SubjectMismatch { referrer, subject, found } = &error else { panic!("{error}") };
    assert_eq!((*referrer, *subject, *found), (child_signature.digest, index.digest, Some(amd64.digest)));
    assert_eq!(error.code(), DiagnosticCode::ManifestMismatch);
    // Also when it refers to nothing, is the subject itself, or was seen before.
    for liar in [amd64.clone(), index.clone()] {
        let Sample { mut store, index, .. } = sample();
        store.claimed_referrers.insert(index.digest, vec![liar]);
        assert_eq!(code(whole(&store, &index)), DiagnosticCode::ManifestMismatch);
    }
}

#[test]
fn lies_about_size_type_and_content_are_found() {
    type Lie = fn(&mut Descriptor);
    let claims: [(Lie, DiagnosticCode); 4] = [
        (|claim| claim.size += 1, DiagnosticCode::BlobSizeMismatch),
        (|claim| claim.size -= 1, DiagnosticCode::BlobSizeMismatch),
        (|claim| claim.size = 1 << 40, DiagnosticCode::ManifestTooLarge),
        (|claim| claim.media_type = MediaType::OCI_INDEX.into(), DiagnosticCode::ManifestMismatch),
    ];
    for (lie, expected) in claims {
        let mut store = Memory::default();
        let image = store.image(&[b"layer"]);
        let mut claim = image.clone();
        lie(&mut claim);
        assert_eq!(code(whole(&store, &claim)), expected);
        // A second mention is held against the first.
        let index = store.index(&[image, claim]);
        let expected =
            if expected == DiagnosticCode::ManifestTooLarge { DiagnosticCode::BlobSizeMismatch } else { expected };
        assert_eq!(code(whole(&store, &index)), expected);
    }
    let Sample { mut store, index, arm64, .. } = sample();
    store.corrupt(&arm64.digest);
    assert_eq!(code(whole(&store, &index)), DiagnosticCode::BlobDigestMismatch);
}

#[test]
fn a_wrong_artifact_type_in_a_list_is_noted_and_never_believed() {
    // Registries' fallback lists are known to carry wrong types; a signature must be found all the same.
    let mut store = Memory::default();
    let image = store.image(&[b"layer"]);
    let signature = store.referrer(NOTARY, &image, b"envelope");
    let mut claim = signature.clone();
    claim.artifact_type = Some("x/harmless".into());
    store.claimed_referrers.insert(image.digest, vec![claim]);
    let closure = whole(&store, &image).unwrap();
    assert_eq!(closure.notary_signatures().len(), 1);
    assert_eq!(closure.referrers.len(), 1);
    assert_eq!(closure.referrers[0].artifact_type.as_ref().unwrap(), NOTARY);
    let [noted] = closure.mislabelled.as_slice() else { panic!("{:?}", closure.mislabelled) };
    assert_eq!((noted.digest, noted.claimed.as_str()), (signature.digest, "x/harmless"));
    assert_eq!(noted.actual.as_ref().unwrap(), NOTARY);
}

#[test]
fn an_index_nested_a_thousand_deep_is_refused_at_once() {
    let mut store = Memory::default();
    let mut top = store.image(&[b"bottom"]);
    for _ in 0..1000 {
        top = store.index(&[top]);
    }
    let begun = Instant::now();
    assert_eq!(code(whole(&store, &top)), DiagnosticCode::ClosureTooDeep);
    assert!(begun.elapsed().as_secs() < 10);
}

#[test]
fn a_chain_of_referrers_is_limited_too_and_the_limit_itself_is_allowed() {
    let mut store = Memory::default();
    let root = store.image(&[b"layer"]);
    let mut last = root.clone();
    for _ in 0..Limits::default().depth {
        last = store.referrer("x/y", &last, b"content");
    }
    assert_eq!(whole(&store, &root).unwrap().manifests.len(), Limits::default().depth + 1);
    store.referrer("x/y", &last, b"content");
    assert_eq!(code(whole(&store, &root)), DiagnosticCode::ClosureTooDeep);
}

#[test]
fn cycles_of_digest_tags_end() {
    let mut store = Memory::default();
    let (a, b) = (store.image(&[b"a"]), store.image(&[b"b"]));
    store.digest_tag(&a.digest, "sig", &b);
    store.digest_tag(&b.digest, "att", &a);
    store.digest_tag(&a.digest, "sbom", &a);
    let closure = whole(&store, &a).unwrap();
    assert_eq!((closure.manifests.len(), closure.referrers.len()), (2, 3));
}

#[test]
fn counts_are_limited() {
    let Sample { store, index, .. } = &sample();
    let with = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        code(walk(store, index, &WalkOptions::default(), &limits, &NoProgress))
    };
    assert_eq!(with(|limits| limits.manifests = 9), DiagnosticCode::ClosureTooLarge);
    assert_eq!(with(|limits| limits.blobs = 14), DiagnosticCode::ClosureTooLarge);
    assert_eq!(with(|limits| limits.referrers = 0), DiagnosticCode::ClosureTooLarge);
    assert_eq!(with(|limits| limits.manifest_bytes = 100), DiagnosticCode::ManifestTooLarge);
}

#[test]
fn what_is_missing_is_named_with_what_leads_there() {
    let Sample { mut store, index, arm64, signature, .. } = sample();
    store.hidden.insert(arm64.digest);
    let error = whole(&store, &index).unwrap_err();
    let ClosureError::Missing { digest, parent } = &error else { panic!("{error}") };
    assert_eq!((*digest, *parent), (arm64.digest, index.digest));
    assert_eq!(error.code(), DiagnosticCode::BlobMissing);
    // Known to have been left out, it is no error, and it is said.
    let options =
        WalkOptions { platforms: Vec::new(), known_omitted: BTreeSet::from([arm64.digest, signature.digest]) };
    let closure = walk(&store, &index, &options, &Limits::default(), &NoProgress).unwrap();
    assert_eq!(closure.omitted.iter().map(|omitted| omitted.digest).collect::<Vec<_>>(), [arm64.digest]);
    assert_eq!(closure.children[&index.digest][1].omitted, Some(Omission::Platform));
    // A referrer that is listed must be there, whatever is said to have been left out; so must the root.
    store.hidden.insert(signature.digest);
    assert_eq!(code(walk(&store, &index, &options, &Limits::default(), &NoProgress)), DiagnosticCode::BlobMissing);
    store.hidden.insert(index.digest);
    assert_eq!(code(whole(&store, &index)), DiagnosticCode::BlobMissing);
}

fn select(store: &Memory, root: &Descriptor, platforms: &[&str]) -> Result<Closure, ClosureError> {
    let platforms = platforms.iter().map(|text| Platform::parse(text).unwrap()).collect();
    let options = WalkOptions { platforms, known_omitted: BTreeSet::new() };
    walk(store, root, &options, &Limits::default(), &NoProgress)
}

#[test]
fn platforms_select_children_and_change_no_digest() {
    let Sample { store, index, amd64, arm64, attestation, child_signature, cosign_sbom, .. } = &sample();
    let closure = select(store, index, &["linux/arm64"]).unwrap();
    assert_eq!(closure.root, index.bare());
    assert_eq!(closure.omitted.len(), 1);
    let omitted = &closure.omitted[0];
    assert_eq!((omitted.digest, omitted.size, omitted.reason), (amd64.digest, amd64.size, Omission::Platform));
    assert_eq!(omitted.platform, amd64.platform);
    let has = |descriptor: &Descriptor| closure.manifests.contains_key(&descriptor.digest);
    assert!(has(arm64) && has(cosign_sbom) && has(attestation));
    assert!(!has(amd64) && !has(child_signature));
    // The other way round the attestation goes with the child that it is about... but it also refers to amd64.
    let closure = select(store, index, &["linux/amd64"]).unwrap();
    assert_eq!(closure.omitted.iter().map(|omitted| omitted.digest).collect::<Vec<_>>(), [arm64.digest]);
    assert!(
        closure.children[&index.digest]
            .iter()
            .all(|child| child.descriptor.digest != attestation.digest || child.omitted.is_none())
    );
    // An index inside an index.
    let mut sample = sample();
    let outer = sample.store.index(&[sample.index.clone()]);
    let closure = select(&sample.store, &outer, &["linux/amd64"]).unwrap();
    assert_eq!(closure.omitted[0].digest, sample.arm64.digest);
}

#[test]
fn a_platform_that_nothing_is_for_is_an_error_that_lists_what_there_is() {
    let Sample { store, index, amd64, .. } = &sample();
    let error = select(store, index, &["linux/s390x", "plan9/386"]).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::PlatformUnknown);
    assert!(error.to_string().contains("linux/amd64, linux/arm64/v8"), "{error}");
    // What is no index is taken as it is.
    assert!(select(store, amd64, &["linux/s390x"]).is_ok());
}

#[test]
fn content_that_is_reached_as_blob_and_as_manifest_counts_once() {
    let mut store = Memory::default();
    let image = store.image(&[b"layer"]);
    let config = store.add(MediaType::OCI_EMPTY, b"{}");
    let as_layer = Descriptor::new("x/saved-manifest", image.digest, image.size);
    let keeper = store.manifest(json!({"artifactType": "x/y", "config": config, "layers": [as_layer]}));
    let index = store.index(&[image.clone(), keeper.clone()]);
    let closure = whole(&store, &index).unwrap();
    assert!(closure.manifests.contains_key(&image.digest) && closure.blobs.contains_key(&image.digest));
    let Extent { manifests, blobs, .. } = closure.extent();
    assert_eq!((manifests, blobs), (3, 3));
    // Nor may the two mentions disagree about its size.
    let wrong = Descriptor::new("x/saved-manifest", image.digest, image.size + 1);
    let keeper = store.manifest(json!({"artifactType": "x/y", "config": config, "layers": [wrong]}));
    for children in [[image.clone(), keeper.clone()], [keeper, image]] {
        let index = store.index(&children);
        assert_eq!(code(whole(&store, &index)), DiagnosticCode::BlobSizeMismatch);
    }
}

#[test]
fn an_index_may_list_blobs() {
    let mut store = Memory::default();
    let layer = store.add("application/vnd.oci.image.layer.v1.tar", b"cached");
    let index = store.index(std::slice::from_ref(&layer));
    let closure = whole(&store, &index).unwrap();
    assert_eq!(closure.blobs.keys().collect::<Vec<_>>(), [&layer.digest]);
    assert_eq!(closure.parents[&layer.digest], index.digest);
}
