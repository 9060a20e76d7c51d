//! Reading: resolving, downloading, repeating, going on.

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::Algorithm;
use bulla::oci::{Descriptor, MediaType, Target};
use bulla::store::registry::RegistryClient;
use bulla::store::{ContentKind, ContentStore, StoreError, fetch, fetch_manifest};

use super::support::{Effect, Options, Registry, Reply};
use super::*;

fn tag(text: &str) -> Target {
    Target::Tag(text.parse().unwrap())
}

#[test]
fn a_tag_and_a_digest_resolve_to_what_the_content_is() {
    let registry = Registry::start(Options::default());
    let bytes = image(&[], None, None);
    let digest = registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, &bytes);
    let by_512 = registry.manifest_by(Algorithm::Sha512, REPO, None, MediaType::OCI_MANIFEST, &bytes);
    let store = source(&registry);
    let expected = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    assert_eq!(store.resolve(&tag("v1")).unwrap(), Some(expected.clone()));
    assert_eq!(store.resolve(&Target::Digest(digest)).unwrap(), Some(expected.clone()));
    assert_eq!(store.resolve(&Target::Digest(by_512)).unwrap().unwrap().digest, by_512);
    assert_eq!(store.resolve(&tag("v2")).unwrap(), None);
    assert_eq!(store.resolve(&Target::Digest(Algorithm::Sha256.digest(b"none"))).unwrap(), None);
    assert_eq!(registry.count("GET", ""), 0);
    let manifest = fetch_manifest(&store, &expected, &Limits::default()).unwrap().unwrap();
    assert_eq!(manifest.bytes()[..], bytes[..]);
    assert!(registry.seen().iter().all(|seen| {
        let accept = seen.header("accept").unwrap();
        MediaType::ACCEPTED.iter().all(|known| accept.contains(known))
            && seen.header("user-agent").unwrap().starts_with("bulla/")
            && seen.header("accept-encoding") == Some("identity")
    }));
}

#[test]
fn a_head_that_says_too_little_is_made_up_for_by_the_content() {
    let bytes = image(&[], None, None);
    let expected = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    let changes: [fn(Reply) -> Reply; 4] = [
        |reply| reply.without("docker-content-digest"),
        |reply| Reply { body: Vec::new(), ..reply },
        |_| Reply::new(405),
        |reply| reply.header("content-type", format!("{}; charset=utf-8", MediaType::OCI_MANIFEST)),
    ];
    for (position, change) in changes.into_iter().enumerate() {
        let registry = Registry::start(Options::default());
        registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, &bytes);
        registry.change("HEAD", "/manifests/", 1, change);
        assert_eq!(source(&registry).resolve(&tag("v1")).unwrap(), Some(expected.clone()), "{position}");
        assert_eq!(registry.count("GET", "/manifests/v1"), usize::from(position < 3), "{position}");
    }
}

#[test]
fn a_registry_that_speaks_of_other_content_is_not_believed() {
    let registry = Registry::start(Options::default());
    let bytes = image(&[], None, None);
    let digest = registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, &bytes);
    let other = Algorithm::Sha256.digest(b"other").to_string();
    let store = source(&registry);
    let lie = other.clone();
    registry.change("HEAD", "", 1, move |reply| reply.header("docker-content-digest", lie.clone()));
    assert_eq!(code(store.resolve(&Target::Digest(digest))), DiagnosticCode::BlobDigestMismatch);
    registry.change("HEAD", "", 1, |reply| reply.header("docker-content-digest", "md5:x"));
    assert_eq!(code(store.resolve(&tag("v1"))), DiagnosticCode::RegistryFailed);
    registry.answer("HEAD", "", 1, Reply::new(405));
    registry.change("GET", "", 1, move |reply| reply.header("docker-content-digest", other.clone()));
    assert_eq!(code(store.resolve(&tag("v1"))), DiagnosticCode::BlobDigestMismatch);
    registry.answer("HEAD", "", 1, Reply::new(405));
    registry.change("GET", "", 1, |reply| reply.body("{}").without("docker-content-digest"));
    assert_eq!(code(store.resolve(&Target::Digest(digest))), DiagnosticCode::BlobDigestMismatch);
}

#[test]
fn an_endless_manifest_is_cut_at_the_limit() {
    let registry = Registry::start(Options::default());
    registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, b"{}");
    registry.answer("HEAD", "", 1, Reply::new(405));
    registry.change("GET", "", 1, |reply| reply.body(vec![b' '; (4 << 20) + 1]));
    assert_eq!(code(source(&registry).resolve(&tag("v1"))), DiagnosticCode::LimitExceeded);
}

#[test]
fn blobs_are_streamed_and_checked() {
    let registry = Registry::start(Options::default());
    let content = noise(3 << 20);
    registry.blob(REPO, &content);
    let store = source(&registry);
    assert_eq!(blob(&store, &content).unwrap().as_deref(), Some(&content[..]));
    assert_eq!(blob(&store, b"absent").unwrap(), None);
    let changed = content.clone();
    registry.change("GET", "/blobs/", 1, move |reply| {
        let mut body = changed.clone();
        body[1_000_000] ^= 1;
        reply.body(body)
    });
    assert_eq!(code(blob(&store, &content)), DiagnosticCode::BlobDigestMismatch);
    let longer = [&content[..], b"!"].concat();
    registry.change("GET", "/blobs/", 1, move |reply| reply.body(longer.clone()));
    assert_eq!(code(blob(&store, &content)), DiagnosticCode::BlobSizeMismatch);
}

#[test]
fn an_error_is_never_absence() {
    for (status, expected) in [
        (400, DiagnosticCode::RegistryFailed),
        (401, DiagnosticCode::RegistryUnauthorized),
        (403, DiagnosticCode::RegistryForbidden),
        (429, DiagnosticCode::RegistryThrottled),
        (500, DiagnosticCode::RegistryFailed),
        (503, DiagnosticCode::RegistryFailed),
    ] {
        let registry = Registry::start(Options::default());
        registry.answer("*", "", usize::MAX, Reply::error(status, "SAID", "by the \u{1b}registry"));
        let store = source(&registry);
        assert_eq!(code(store.resolve(&tag("v1"))), expected, "{status}");
        let error = store.referrers(&Descriptor::of("a/b", b"")).unwrap_err();
        assert_eq!(error.code(), expected, "{status}");
        assert!(error.to_string().contains("SAID"), "{error}");
        let error = blob(&store, b"x").unwrap_err();
        assert_eq!(error.code(), expected, "{status}");
        assert!(error.to_string().contains("SAID by the \u{fffd}registry"), "{error}");
        assert_eq!(error.hint().is_some(), status != 400, "{error}");
        if status == 401 {
            assert!(error.hint().unwrap().contains(&format!("docker login {}", registry.host())));
        }
    }
}

#[test]
fn what_fails_for_the_moment_is_tried_again() {
    let (settings, waits) = settings();
    let registry = Registry::start(Options::default());
    registry.blob(REPO, b"content");
    registry.answer("GET", "/blobs/", 1, Reply::new(429).header("retry-after", "7"));
    registry.answer("GET", "/blobs/", 1, Reply::new(503));
    registry.rule("GET", "/blobs/", 1, Effect::HangUp);
    let store = RegistryClient::new(settings).unwrap().source(&repository(&registry.host()));
    assert_eq!(blob(&store, b"content").unwrap().unwrap(), b"content");
    let waits = waits.lock().unwrap();
    assert_eq!(waits.len(), 3);
    assert_eq!(waits[0], Duration::from_secs(7));
    assert!(waits[1] >= Duration::from_millis(500) && waits[2] >= Duration::from_secs(1), "{waits:?}");
}

#[test]
fn patience_ends() {
    let registry = Registry::start(Options::default());
    registry.answer("GET", "/blobs/", usize::MAX, Reply::new(429).header("retry-after", "99999"));
    let (settings, waits) = settings();
    let store = RegistryClient::new(settings).unwrap().source(&repository(&registry.host()));
    let error = blob(&store, b"x").unwrap_err();
    assert!(error.to_string().contains("after 4 attempts"), "{error}");
    assert_eq!(registry.count("GET", "/blobs/"), 4);
    assert_eq!(*waits.lock().unwrap(), [Duration::from_secs(60); 3]);
    let registry = Registry::start(Options::default());
    registry.rule("*", "", usize::MAX, Effect::HangUp);
    assert_eq!(code(source(&registry).resolve(&tag("v1"))), DiagnosticCode::NetworkFailed);
    let host = registry.host();
    drop(registry);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(code(client().source(&repository(&host)).resolve(&tag("v1"))), DiagnosticCode::NetworkFailed);
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_ended() {
    let content = noise(100_000);
    let registry = Registry::start(Options::default());
    registry.blob(REPO, &content);
    for cut in [40_000, 0, 20_000] {
        registry.change("GET", "/blobs/", 1, move |reply| Reply { cut: Some(cut), ..reply });
    }
    assert_eq!(blob(&source(&registry), &content).unwrap().unwrap(), content);
    let ranges: Vec<_> = registry.seen().iter().map(|seen| seen.header("range").map(str::to_owned)).collect();
    let range = |from: usize| Some(format!("bytes={from}-"));
    assert_eq!(ranges, [None, range(40_000), range(40_000), range(60_000)]);
}

#[test]
fn a_download_never_goes_on_somewhere_else() {
    let content = noise(100_000);
    let cut = |registry: &Registry| {
        registry.blob(REPO, &content);
        registry.change("GET", "/blobs/", 1, |reply| Reply { cut: Some(40_000), ..reply });
    };
    let registry = Registry::start(Options { ranges: false, ..Options::default() });
    cut(&registry);
    let error = blob(&source(&registry), &content).unwrap_err();
    assert!(error.to_string().contains("begins anew"), "{error}");
    assert_eq!(error.code(), DiagnosticCode::NetworkFailed);

    let registry = Registry::start(Options::default());
    cut(&registry);
    registry.change("GET", "/blobs/", 1, |reply| reply.header("content-range", "bytes 0-99999/100000"));
    let error = blob(&source(&registry), &content).unwrap_err();
    assert!(error.to_string().contains("bytes 0-99999"), "{error}");

    let registry = Registry::start(Options::default());
    cut(&registry);
    registry.answer("GET", "/blobs/", 1, Reply::new(404));
    assert_eq!(code(blob(&source(&registry), &content)), DiagnosticCode::RegistryFailed);

    let registry = Registry::start(Options::default());
    cut(&registry);
    registry.change("GET", "/blobs/", usize::MAX, |reply| Reply { cut: Some(1), ..reply });
    let error = blob(&source(&registry), &content).unwrap_err();
    assert!(error.to_string().contains("after 40003 of 100000 bytes"), "{error}");
    assert_eq!(registry.count("GET", "/blobs/"), 4);
}

#[test]
fn a_descriptor_that_claims_more_than_there_is_ends_the_download() {
    let registry = Registry::start(Options::default());
    let digest = registry.blob(REPO, b"short");
    let claim = Descriptor::new("a/b", digest, 10);
    let error = fetch(&source(&registry), &claim, ContentKind::Blob, 100).unwrap_err();
    // The registry has no byte 5, and says so in one way or another.
    assert!(matches!(error, StoreError::Other { .. }), "{error:?}");
}

#[test]
fn redirects_are_followed_without_what_is_not_theirs() {
    let registry = Registry::start(Options::default());
    let elsewhere = Registry::start(Options::default());
    let digest = elsewhere.blob("cdn", b"content");
    let target = format!("http://{}/v2/cdn/blobs/{digest}?signature=secret", elsewhere.host());
    registry.answer("GET", "/blobs/", 1, Reply::new(307).header("location", target));
    assert_eq!(blob(&source(&registry), b"content").unwrap().unwrap(), b"content");
    registry.answer("GET", "/blobs/", 7, Reply::new(302).header("location", "?again"));
    let error = blob(&source(&registry), b"content").unwrap_err();
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    for bad in ["", "file:///etc/passwd", "http://user:secret@x/"] {
        registry.answer("HEAD", "v9", 1, Reply::new(307).header("location", bad));
        let error = source(&registry).resolve(&tag("v9")).unwrap_err();
        assert!(error.code() == DiagnosticCode::NetworkFailed && !error.to_string().contains("secret"), "{error}");
    }
}
