//! Writing: blobs, manifests, lists of referrers, names.

use bulla::code::DiagnosticCode;
use bulla::digest::{Algorithm, Digest};
use bulla::oci::{Descriptor, IndexDocument, MediaType, Repository, referrers_tag};
use bulla::store::{ContentKind, ContentSink, ContentStore, KeptTag, NameRule, Publication, RawContent, StoreError};

use super::support::{self, Effect, Options, Registry, Reply};
use super::*;

/// One byte less, as much, and much more than is held in memory.
const SIZES: [usize; 5] = [0, 5, 1 << 20, (1 << 20) + 1, 9 << 20];

fn sink(registry: &Registry) -> RegistryStore {
    client().destination(&repository(&registry.host()))
}

fn put_blob(sink: &RegistryStore, content: &[u8]) -> Result<(), StoreError> {
    let descriptor = Descriptor::of("application/octet-stream", content);
    sink.put(&descriptor, ContentKind::Blob, RawContent::from_bytes(content.to_vec()))
}

fn put_manifest(sink: &RegistryStore, bytes: &[u8]) -> Result<Descriptor, StoreError> {
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, bytes);
    sink.put(&descriptor, ContentKind::Manifest, RawContent::from_bytes(bytes.to_vec()))?;
    Ok(descriptor)
}

fn stored(registry: &Registry, content: &[u8]) -> bool {
    registry.with(REPO, |repo| repo.blobs.get(&Digest::sha256(content)).is_some_and(|found| found == content))
}

#[test]
fn a_blob_is_sent_in_one_piece() {
    for expect in [true, false] {
        let registry = Registry::start(Options { expect, ..Options::default() });
        let sink = sink(&registry);
        for size in SIZES {
            let content = noise(size);
            let descriptor = Descriptor::of("a/b", &content);
            assert!(!sink.has(&descriptor, ContentKind::Blob).unwrap());
            put_blob(&sink, &content).unwrap();
            assert!(stored(&registry, &content), "{size}");
            assert!(sink.has(&descriptor, ContentKind::Blob).unwrap());
            assert!(!sink.has(&Descriptor { size: 1 << 40, ..descriptor }, ContentKind::Blob).unwrap());
        }
        assert_eq!(
            (registry.count("PATCH", ""), registry.count("PUT", ""), registry.open_uploads()),
            (0, SIZES.len(), 0)
        );
    }
}

#[test]
fn content_that_is_not_what_it_should_be_leaves_nothing() {
    let registry = Registry::start(Options::default());
    let sink = sink(&registry);
    for size in SIZES {
        let content = noise(size);
        let descriptor = Descriptor::of("a/b", &content);
        let mut other = content.clone();
        if let Some(last) = other.last_mut() {
            *last ^= 1;
        }
        let longer = [&content[..], b"!"].concat();
        let shorter = content[..size.saturating_sub(1)].to_vec();
        for bad in [other, longer, shorter] {
            if bad != content {
                let result = sink.put(&descriptor, ContentKind::Blob, RawContent::from_bytes(bad));
                let found = code(result);
                let known = [DiagnosticCode::BlobDigestMismatch, DiagnosticCode::BlobSizeMismatch];
                assert!(known.contains(&found), "{size} {found}");
            }
        }
        assert!(!sink.has(&descriptor, ContentKind::Blob).unwrap());
    }
    assert_eq!(registry.open_uploads(), 0);
    let manifest = image(&[], None, None);
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    let bad = RawContent::from_bytes(b"{}".to_vec());
    assert!(sink.put(&descriptor, ContentKind::Manifest, bad).is_err());
    assert_eq!(registry.count("PUT", "/manifests/"), 0);
}

#[test]
fn a_registry_that_refuses_one_piece_gets_chunks() {
    for (status, expect) in [(413, true), (405, true), (413, false), (501, false)] {
        let registry = Registry::start(Options { expect, ..Options::default() });
        let sink = sink(&registry);
        for size in SIZES {
            // Without `100 Continue` a large body is on its way before the refusal comes.
            if !expect && size > 1 << 20 {
                continue;
            }
            let content = noise(size);
            registry.answer("PUT", "/blobs/", 1, Reply::new(status));
            put_blob(&sink, &content).unwrap();
            assert!(stored(&registry, &content), "{status} {size}");
        }
        assert_eq!(registry.open_uploads(), 0);
    }
    let registry = Registry::start(Options::default());
    registry.answer("PUT", "/blobs/", 1, Reply::new(413));
    put_blob(&sink(&registry), &noise(9 << 20)).unwrap();
    let seen = registry.seen();
    let ranges: Vec<_> =
        seen.iter().filter(|seen| seen.method == "PATCH").map(|seen| seen.header("content-range")).collect();
    assert_eq!(ranges, [Some("0-4194303"), Some("4194304-8388607"), Some("8388608-9437183")]);
}

#[test]
fn content_that_is_gone_is_not_begun_anew() {
    let registry = Registry::start(Options { expect: false, ..Options::default() });
    registry.answer("PUT", "/blobs/", 1, Reply::new(413));
    assert_eq!(code(put_blob(&sink(&registry), &noise(3 << 20))), DiagnosticCode::RegistryFailed);
    assert_eq!((registry.count("PUT", ""), registry.count("PATCH", ""), registry.open_uploads()), (1, 0, 0));
}

#[test]
fn chunks_of_bad_content_are_not_finished() {
    let registry = Registry::start(Options::default());
    let content = noise(9 << 20);
    let mut other = content.clone();
    other[0] ^= 1;
    registry.answer("PUT", "/blobs/", 1, Reply::new(413));
    let result =
        sink(&registry).put(&Descriptor::of("a/b", &content), ContentKind::Blob, RawContent::from_bytes(other));
    assert_eq!(code(result), DiagnosticCode::BlobDigestMismatch);
    assert!(!stored(&registry, &content));
    assert_eq!((registry.count("PUT", "digest="), registry.open_uploads()), (1, 0));
}

#[test]
fn a_blob_of_a_neighbour_is_mounted_where_the_registry_agrees() {
    let content = noise(2 << 20);
    for (mount, has, puts) in [(true, true, 0), (false, true, 1), (true, false, 1)] {
        let registry = Registry::start(Options { mount, ..Options::default() });
        if has {
            registry.blob("other/app", &content);
        }
        let sink = sink(&registry).mounting_from(&Repository::new(&registry.host(), "other/app").unwrap());
        put_blob(&sink, &content).unwrap();
        assert!(stored(&registry, &content));
        assert_eq!((registry.count("POST", ""), registry.count("PUT", "")), (1, puts));
        assert!(registry.seen()[0].target.contains("from=other%2Fapp"));
    }
    for status in [400, 403, 404, 405] {
        let registry = Registry::start(Options::default());
        registry.answer("POST", "mount=", 1, Reply::new(status));
        let sink = sink(&registry).mounting_from(&Repository::new(&registry.host(), "other/app").unwrap());
        put_blob(&sink, b"x").unwrap();
        assert!(stored(&registry, b"x"));
    }
    let registry = Registry::start(Options::default());
    let sink = sink(&registry).mounting_from(&Repository::new("elsewhere.example", "other/app").unwrap());
    put_blob(&sink, b"x").unwrap();
    assert_eq!(registry.count("POST", "mount="), 0);
}

#[test]
fn what_fails_for_the_moment_is_sent_again() {
    let registry = Registry::start(Options::default());
    let sink = sink(&registry);
    for effect in [Effect::Answer(Reply::new(503)), Effect::HangUp] {
        registry.rule("POST", "", 1, effect);
        put_blob(&sink, b"small").unwrap();
        registry.with(REPO, |repo| repo.blobs.clear());
    }
    registry.rule("PUT", "/blobs/", 1, Effect::HangUp);
    put_blob(&sink, b"small").unwrap();
    // The registry stored it, but its answer was lost.
    registry.change("PUT", "/blobs/", 1, |_| Reply::new(502));
    put_blob(&sink, b"lost").unwrap();
    registry.answer("PUT", "/manifests/", 2, Reply::new(429).header("retry-after", "1"));
    put_manifest(&sink, &image(&[], None, None)).unwrap();
    for (status, expected) in [(403, DiagnosticCode::RegistryForbidden), (400, DiagnosticCode::RegistryFailed)] {
        for (method, place) in [("POST", "/uploads/"), ("PUT", "/blobs/")] {
            registry.answer(method, place, 1, Reply::error(status, "DENIED", "no"));
            assert_eq!(code(put_blob(&sink, &noise(3 << 20))), expected, "{method} {status}");
        }
    }
    let sha512 = Descriptor::new("a/b", Algorithm::Sha512.digest(b"wide"), 4);
    sink.put(&sha512, ContentKind::Blob, RawContent::from_bytes(b"wide")).unwrap();
    assert!(sink.has(&sha512, ContentKind::Blob).unwrap());
}

#[test]
fn useless_answers_to_an_upload_are_errors() {
    for location in [None, Some(""), Some("ftp://x/y"), Some("http://user:secret@x/")] {
        let registry = Registry::start(Options::default());
        registry.change("POST", "", 1, move |reply| match location {
            Some(location) => reply.header("location", location),
            None => reply.without("location"),
        });
        assert_eq!(code(put_blob(&sink(&registry), b"x")), DiagnosticCode::RegistryFailed);
    }
    let registry = Registry::start(Options::default());
    let other = Digest::sha256(b"other").to_string();
    registry.change("PUT", "", 1, move |reply| reply.header("docker-content-digest", other.clone()));
    assert_eq!(code(put_blob(&sink(&registry), b"x")), DiagnosticCode::BlobDigestMismatch);
}

/// A subject and two referrers of it, in a registry of that kind.
fn refer(options: Options) -> (Registry, Descriptor, Vec<Descriptor>) {
    let registry = Registry::start(options);
    let sink = sink(&registry);
    let subject = put_manifest(&sink, &image(&[], None, None)).unwrap();
    let mut entries: Vec<_> = ["x/one", "x/two"]
        .map(|artifact_type| {
            let bytes = image(&[], Some(&subject), Some(artifact_type));
            let descriptor = put_manifest(&sink, &bytes).unwrap();
            Descriptor {
                artifact_type: Some(artifact_type.into()),
                annotations: [("org.example.note".to_owned(), "kept".to_owned())].into(),
                ..descriptor
            }
        })
        .into();
    entries.sort_by_key(|entry| entry.digest);
    (registry, subject, entries)
}

fn tag_list(registry: &Registry, subject: &Descriptor) -> Option<Vec<Descriptor>> {
    registry.with(REPO, |repo| {
        let digest = repo.tags.get(referrers_tag(&subject.digest).as_str())?;
        Some(IndexDocument::parse(&repo.manifests[digest].1).unwrap().manifests)
    })
}

#[test]
fn a_registry_with_the_api_lists_referrers_itself() {
    let (registry, subject, entries) = refer(Options::default());
    assert_eq!(tag_list(&registry, &subject), None);
    assert_eq!(sink(&registry).referrers(&subject).unwrap().descriptors, entries);
}

#[test]
fn without_oci_subject_the_list_is_kept_under_the_tag() {
    // Notary conformance 1.19: artifactType and all annotations, no duplicates.
    for options in [
        Options { referrers: support::Referrers::Status(404), ..Options::default() },
        Options { oci_subject: false, ..Options::default() },
    ] {
        let (registry, subject, entries) = refer(options);
        let mut listed = tag_list(&registry, &subject).unwrap();
        listed.sort_by_key(|entry| entry.digest);
        assert_eq!(listed, entries);
        let puts = registry.count("PUT", "");
        for entry in &entries {
            let bytes = registry.with(REPO, |repo| repo.manifests[&entry.digest].1.clone());
            put_manifest(&sink(&registry), &bytes).unwrap();
        }
        assert_eq!(tag_list(&registry, &subject).unwrap().len(), 2);
        assert_eq!(registry.count("PUT", ""), puts + 2, "the lists are not written again");
        assert_eq!(sink(&registry).referrers(&subject).unwrap().descriptors, entries);
    }
}

#[test]
fn a_list_that_another_client_overwrote_is_written_again() {
    let options = || Options { referrers: support::Referrers::Status(404), ..Options::default() };
    let (registry, subject, _) = refer(options());
    let third = image(&[], Some(&subject), Some("x/three"));
    registry.answer("PUT", "/manifests/sha256-", 2, Reply::new(201));
    put_manifest(&sink(&registry), &third).unwrap();
    assert_eq!(tag_list(&registry, &subject).unwrap().len(), 3);
    registry.answer("PUT", "/manifests/sha256-", usize::MAX, Reply::new(201));
    let error = put_manifest(&sink(&registry), &image(&[], Some(&subject), Some("x/four"))).unwrap_err();
    assert!(error.to_string().contains("5 times"), "{error}");

    let (registry, subject, _) = refer(options());
    let tag = referrers_tag(&subject.digest).to_string();
    registry.manifest(REPO, Some(&tag), MediaType::OCI_MANIFEST, &image(&[], None, None));
    assert!(put_manifest(&sink(&registry), &third).is_err(), "what is no list is not overwritten");
}

#[test]
fn names_come_last_and_what_was_cut_off_is_completed() {
    let (registry, subject, entries) =
        refer(Options { referrers: support::Referrers::Status(404), ..Options::default() });
    // As a run leaves it that was killed between the manifest and the list.
    registry.with(REPO, |repo| repo.tags.clear());
    let sink = sink(&registry);
    let referrer = Publication {
        descriptor: entries[0].clone(),
        tag: None,
        reference: None,
        subject: Some(subject.digest),
        rule: NameRule::Moves,
    };
    let named = Publication {
        descriptor: subject.clone(),
        tag: Some("v1".parse().unwrap()),
        reference: None,
        subject: None,
        rule: NameRule::Moves,
    };
    registry.forget_requests();
    sink.publish(&[referrer.clone(), named.clone()]).unwrap();
    assert_eq!(tag_list(&registry, &subject), Some(vec![entries[0].clone()]));
    assert_eq!(registry.with(REPO, |repo| repo.tags.get("v1").copied()), Some(subject.digest));
    let puts: Vec<_> =
        registry.seen().iter().filter(|seen| seen.method == "PUT").map(|seen| seen.target.clone()).collect();
    assert!(puts.len() == 2 && puts[1].ends_with("/manifests/v1"), "{puts:?}");
    sink.publish(&[referrer, named.clone()]).unwrap();
    assert_eq!(registry.count("PUT", ""), 2, "what is there already stays");
    // What has a tag already gives it up, or keeps it, as it is said.
    let other = Publication { descriptor: entries[0].clone(), rule: NameRule::Stays, ..named.clone() };
    let kept = sink.publish(std::slice::from_ref(&other)).unwrap();
    let tag = other.tag.clone().unwrap();
    assert_eq!(kept, [KeptTag { tag, kept: subject.digest, brought: entries[0].digest }]);
    assert_eq!(registry.count("PUT", ""), 2);
    assert_eq!(sink.publish(&[Publication { rule: NameRule::Stays, ..named.clone() }]).unwrap(), []);
    assert_eq!(sink.publish(&[Publication { rule: NameRule::Moves, ..other }]).unwrap(), []);
    assert_eq!(registry.with(REPO, |repo| repo.tags.get("v1").copied()), Some(entries[0].digest));
    let absent = Publication { descriptor: Descriptor::of(MediaType::OCI_MANIFEST, b"absent"), ..named };
    assert_eq!(code(sink.publish(&[absent])), DiagnosticCode::NotFound);
}
