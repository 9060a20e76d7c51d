//! Referrers: the API, its pages, the tag schema, and what is never taken for "none" (Notary conformance 1.15, 1.16, 1.17, 1.18, 1.20).

use std::sync::Arc;

use bulla::code::DiagnosticCode;
use bulla::digest::Algorithm;
use bulla::oci::{Descriptor, MediaType, referrers_tag};
use bulla::store::registry::RegistryClient;
use bulla::store::{ContentStore, Referrers, SearchResult};

use super::support::{self, Options, Registry, Reply};
use super::*;

const TYPE: &str = "application/vnd.cncf.notary.signature";

/// A subject with that many referrers, in a registry that has them as manifests.
fn filled(options: Options, count: usize) -> (Registry, Descriptor, Vec<Descriptor>) {
    let registry = Registry::start(options);
    let bytes = image(&[], None, None);
    registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, &bytes);
    let subject = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    let mut all: Vec<_> = (0..count)
        .map(|number| {
            let layer = Descriptor::of("a/b", number.to_string().as_bytes());
            let bytes = image(&[layer], Some(&subject), Some(TYPE));
            registry.manifest(REPO, None, MediaType::OCI_MANIFEST, &bytes);
            Descriptor {
                artifact_type: Some(TYPE.into()),
                annotations: [("org.example.note".to_owned(), "kept".to_owned())].into(),
                ..Descriptor::of(MediaType::OCI_MANIFEST, &bytes)
            }
        })
        .collect();
    all.sort_by_key(|descriptor| descriptor.digest);
    (registry, subject, all)
}

fn results(found: &Referrers) -> [SearchResult; 2] {
    [found.searches[0].result, found.searches[1].result]
}

fn tagged(registry: &Registry, subject: &Descriptor, entries: &[Descriptor]) {
    let tag = referrers_tag(&subject.digest).to_string();
    registry.manifest(REPO, Some(&tag), MediaType::OCI_INDEX, &index(entries));
}

#[test]
fn every_page_is_read() {
    for page in [1, 2, 3, 7, 100] {
        let (registry, subject, all) = filled(Options { page, ..Options::default() }, 7);
        let found = source(&registry).referrers(&subject).unwrap();
        assert_eq!(found.descriptors, all);
        assert_eq!(results(&found), [SearchResult::Found, SearchResult::Absent]);
        assert_eq!(registry.count("GET", "/referrers/"), 7_usize.div_ceil(page));
    }
    let (registry, subject, _) = filled(Options::default(), 0);
    let found = source(&registry).referrers(&subject).unwrap();
    assert_eq!((found.descriptors.len(), results(&found)), (0, [SearchResult::Absent; 2]));
}

#[test]
fn a_registry_without_the_api_keeps_them_under_a_tag() {
    let kinds = [404, 405, 406, 501].map(support::Referrers::Status).into_iter();
    for referrers in kinds.chain([support::Referrers::Page("<html>")]) {
        let (registry, subject, all) = filled(Options { referrers, ..Options::default() }, 3);
        let found = source(&registry).referrers(&subject).unwrap();
        assert_eq!((found.descriptors.len(), results(&found)), (0, [SearchResult::Unsupported, SearchResult::Absent]));
        tagged(&registry, &subject, &all);
        let found = source(&registry).referrers(&subject).unwrap();
        assert_eq!(
            (found.descriptors.clone(), results(&found)),
            (all, [SearchResult::Unsupported, SearchResult::Found])
        );
    }
}

#[test]
fn both_ways_are_searched_and_each_referrer_is_found_once() {
    let (registry, subject, all) = filled(Options::default(), 2);
    let older = Descriptor::of(MediaType::OCI_MANIFEST, b"from before the API");
    tagged(&registry, &subject, &[all[1].clone(), older.clone(), older.clone()]);
    let found = source(&registry).referrers(&subject).unwrap();
    let mut expected = vec![all[0].clone(), all[1].clone(), older];
    expected.sort_by_key(|descriptor| descriptor.digest);
    assert_eq!((found.descriptors.clone(), results(&found)), (expected, [SearchResult::Found; 2]));
}

#[test]
fn no_other_status_means_none() {
    for status in [400, 401, 403, 410, 429, 500, 502, 503, 302] {
        for place in ["/referrers/", "/manifests/sha256-"] {
            let (registry, subject, _) = filled(Options::default(), 1);
            registry.answer("GET", place, usize::MAX, Reply::new(status));
            assert!(source(&registry).referrers(&subject).is_err(), "{status} {place}");
        }
    }
    for status in [404, 405, 406, 501] {
        let (registry, subject, _) = filled(Options { page: 1, ..Options::default() }, 2);
        registry.answer("GET", "?from=1", 1, Reply::new(status));
        assert_eq!(code(source(&registry).referrers(&subject)), DiagnosticCode::RegistryFailed, "{status}");
    }
    let (registry, subject, _) = filled(Options { page: 1, ..Options::default() }, 2);
    registry.change("GET", "?from=1", 1, |reply| reply.header("content-type", "text/html"));
    assert_eq!(code(source(&registry).referrers(&subject)), DiagnosticCode::RegistryFailed);
}

#[test]
fn a_hostile_list_is_an_error_and_ends() {
    let index_type = MediaType::OCI_INDEX;
    let page = |link: &str| {
        let reply = Reply::new(200).header("content-type", index_type).body(index(&[]));
        if link.is_empty() { reply } else { reply.header("link", format!("<{link}>; rel=\"next\"")) }
    };
    for (link, expected) in [
        ("?", DiagnosticCode::ClosureTooLarge),
        ("/v2/team/app/referrers/x", DiagnosticCode::ClosureTooLarge),
        ("http://127.0.0.1:1/v2/x", DiagnosticCode::RegistryFailed),
        ("https://elsewhere.example/", DiagnosticCode::RegistryFailed),
        ("file:///etc/passwd", DiagnosticCode::RegistryFailed),
    ] {
        let (registry, subject, _) = filled(Options::default(), 0);
        registry.answer("GET", "/referrers/", usize::MAX, page(link));
        assert_eq!(code(source(&registry).referrers(&subject)), expected, "{link}");
    }
    for body in ["", "{}", "[]", r#"{"schemaVersion":2,"manifests":[{"digest":"md5:x","size":1}]}"#] {
        for place in ["/referrers/", "/manifests/sha256-"] {
            let (registry, subject, _) = filled(Options::default(), 0);
            registry.answer("GET", place, 1, Reply::new(200).header("content-type", index_type).body(body));
            assert_eq!(code(source(&registry).referrers(&subject)), DiagnosticCode::RegistryFailed, "{body}");
        }
    }
}

#[test]
fn a_tag_that_holds_no_index_or_other_content_is_an_error() {
    let (registry, subject, _) = filled(Options::default(), 0);
    let tag = referrers_tag(&subject.digest).to_string();
    registry.manifest(REPO, Some(&tag), MediaType::OCI_MANIFEST, &image(&[], None, None));
    assert_eq!(code(source(&registry).referrers(&subject)), DiagnosticCode::RegistryFailed);
    tagged(&registry, &subject, &[]);
    registry.change("GET", "/manifests/", 1, |reply| reply.body(index(&[Descriptor::of("a/b", b"added")])));
    assert_eq!(code(source(&registry).referrers(&subject)), DiagnosticCode::BlobDigestMismatch);
}

#[test]
fn sha512_subjects_have_a_short_tag_and_the_long_one_of_oras() {
    let (registry, _, all) = filled(Options { referrers: support::Referrers::Status(404), ..Options::default() }, 2);
    let subject = Descriptor::new(MediaType::OCI_MANIFEST, Algorithm::Sha512.digest(b"subject"), 7);
    let hex = subject.digest.hex();
    registry.manifest(REPO, Some(&format!("sha512-{}", &hex[..64])), MediaType::OCI_INDEX, &index(&all[..1]));
    assert_eq!(source(&registry).referrers(&subject).unwrap().descriptors, all[..1]);
    registry.manifest(REPO, Some(&format!("sha512-{hex}")), MediaType::OCI_INDEX, &index(&all[1..]));
    assert_eq!(source(&registry).referrers(&subject).unwrap().descriptors, all);
    registry.answer("GET", &format!("sha512-{hex}"), 1, Reply::error(400, "TAG_INVALID", "too long"));
    assert_eq!(source(&registry).referrers(&subject).unwrap().descriptors, all[..1]);
    registry.answer("GET", &format!("sha512-{hex}"), usize::MAX, Reply::new(500));
    assert!(source(&registry).referrers(&subject).is_err());
}

#[test]
fn more_referrers_than_the_limit_are_an_error() {
    let (registry, subject, all) = filled(Options { page: 2, ..Options::default() }, 5);
    let limited = |referrers: usize| {
        let (mut settings, _) = settings();
        settings.limits.referrers = referrers;
        let client: Arc<RegistryClient> = RegistryClient::new(settings).unwrap();
        client.source(&repository(&registry.host())).referrers(&subject)
    };
    assert_eq!(limited(5).unwrap().descriptors, all);
    assert_eq!(code(limited(4)), DiagnosticCode::ClosureTooLarge);
}
