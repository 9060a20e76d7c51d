//! Signatures pushed beside artifacts (Notary conformance 1.14, 1.19, 1.20).

use bulla::digest::Digest;
use bulla::notary::{EnvelopeType, SignatureManifestForm};
use bulla::oci::{Descriptor, MediaType, Tag, Target, referrers_tag};
use bulla::ops::sign::{SignRequest, attach, sign};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::{LocalKey, LocalSigner, SigningOptions};
use bulla::store::ContentStore as _;
use bulla::time::{UnixTime, ValidityPeriod};

use super::support::{Options, Referrers, Registry};
use super::*;

fn signer(now: UnixTime) -> LocalSigner {
    let day = Duration::from_secs(86_400);
    let validity = ValidityPeriod { not_before: now.saturating_sub(day), not_after: now.saturating_add(day) };
    let request = |subject| Request { subject, validity, crl_url: None };
    let root = Authority::root(&request("CN=Root,O=Test,ST=Here,C=NL")).unwrap();
    let key = LocalKey::generate_p256().unwrap();
    let public = key.public_key_der().unwrap();
    let chain = root.leaf(&request("CN=Signer,O=Test,ST=Here,C=NL"), LeafUsage::CodeSigning, &public).unwrap();
    LocalSigner::new(key, chain).unwrap()
}

/// A registry with an image under a tag.
fn registry(options: Options) -> (Registry, Descriptor) {
    let registry = Registry::start(options);
    let layer = Descriptor::of("x/layer", b"layer");
    registry.blob(REPO, b"layer");
    registry.blob(REPO, b"{}");
    let bytes = image(&[layer], None, None);
    registry.manifest(REPO, Some("1.0"), MediaType::OCI_MANIFEST, &bytes);
    (registry, Descriptor::of(MediaType::OCI_MANIFEST, &bytes))
}

fn push(registry: &Registry, target: &Descriptor, form: SignatureManifestForm) -> Descriptor {
    let sink = client().destination(&repository(&registry.host()));
    let now = UnixTime::from_seconds(1_795_000_000);
    let request = SignRequest { envelope: EnvelopeType::Jws, form, options: SigningOptions::new(now) };
    let made = sign(&sink, target, &signer(now), &request, &Limits::default()).unwrap();
    attach(&sink, &made, target).unwrap();
    made.descriptor
}

#[test]
fn signatures_are_found_whatever_the_registry_offers() {
    let without_api = |status| Options { referrers: Referrers::Status(status), ..Options::default() };
    for (options, by_tag) in [
        (Options::default(), false),
        (Options { oci_subject: false, ..Options::default() }, true),
        (without_api(404), true),
        (without_api(405), true),
    ] {
        let (registry, target) = registry(options);
        let first = push(&registry, &target, SignatureManifestForm::ArtifactType);
        let second = push(&registry, &target, SignatureManifestForm::ConfigMediaType);
        let mut wanted = vec![first.digest, second.digest];
        wanted.sort();
        let store = source(&registry);
        let found = store.referrers(&target).unwrap().descriptors;
        assert_eq!(found.iter().map(|one| one.digest).collect::<Vec<_>>(), wanted);
        for entry in &found {
            // Conformance 1.19: type and annotations, in either form.
            assert_eq!(entry.artifact_type.as_ref().unwrap().as_str(), "application/vnd.cncf.notary.signature");
            assert!(entry.annotations.contains_key("io.cncf.notary.x509chain.thumbprint#S256"));
        }
        let tag = Target::Tag(referrers_tag(&target.digest));
        assert_eq!(store.resolve(&tag).unwrap().is_some(), by_tag);
        // The artifact and its tag are as they were.
        let one: Tag = "1.0".parse().unwrap();
        assert_eq!(store.resolve(&Target::Tag(one)).unwrap().unwrap().digest, target.digest);
    }
}

#[test]
fn the_order_is_envelope_config_manifest_and_nothing_is_sent_twice() {
    let (registry, target) = registry(Options::default());
    registry.forget_requests();
    push(&registry, &target, SignatureManifestForm::ArtifactType);
    let sent: Vec<String> = registry
        .seen()
        .iter()
        .filter(|seen| seen.method == "PUT")
        .map(|seen| seen.target.rsplit('/').nth(1).unwrap_or_default().to_owned())
        .collect();
    // The config is there already.
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(sent.last().map(String::as_str), Some("manifests"));
}

#[test]
fn the_tag_can_be_forced() {
    let (registry, target) = registry(Options::default());
    let entry = push(&registry, &target, SignatureManifestForm::ArtifactType);
    let sink = client().destination(&repository(&registry.host()));
    let tag = Target::Tag(referrers_tag(&target.digest));
    assert!(sink.resolve(&tag).unwrap().is_none());
    sink.list_under_tag(&target.digest, &entry).unwrap();
    sink.list_under_tag(&target.digest, &entry).unwrap();
    let list = sink.resolve(&tag).unwrap().unwrap();
    let bytes = fetch(&sink, &list, ContentKind::Manifest, 1 << 20).unwrap().unwrap();
    let list = bulla::oci::IndexDocument::parse(&bytes).unwrap();
    assert_eq!(list.manifests, vec![entry]);
}

#[test]
fn what_is_not_there_is_not_signed() {
    let (registry, _) = registry(Options::default());
    let sink = client().destination(&repository(&registry.host()));
    let now = UnixTime::from_seconds(1_795_000_000);
    let options = SigningOptions::new(now);
    let request = SignRequest { envelope: EnvelopeType::Cose, form: SignatureManifestForm::ArtifactType, options };
    let absent = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"absent"), 6);
    let error = sign(&sink, &absent, &signer(now), &request, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::BlobMissing);
}
