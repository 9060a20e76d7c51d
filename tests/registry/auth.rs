//! Authorization: basic, bearer, identity tokens, and where credentials do not go.

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::config::credentials::{DockerConfig, GivenCredential};
use bulla::http::Secret;
use bulla::oci::{Descriptor, MediaType, Target};
use bulla::store::{ContentKind, ContentSink, ContentStore, RawContent};

use super::support::{Auth, Options, Registry, Reply};
use super::*;

fn start(auth: Auth) -> Registry {
    let registry = Registry::start(Options { auth, ..Options::default() });
    registry.blob(REPO, b"content");
    registry.manifest(REPO, Some("v1"), MediaType::OCI_MANIFEST, &image(&[], None, None));
    registry
}

fn password(user: &str, password: &str) -> Everywhere {
    Everywhere(GivenCredential::new(user, Secret::new(password)).0)
}

#[test]
fn basic_credentials_are_shown_when_asked_for_and_remembered() {
    let registry = start(Auth::Basic { user: "u", password: "p:w" });
    let client = client_as(password("u", "p:w"));
    let store = client.source(&repository(&registry.host()));
    assert_eq!(blob(&store, b"content").unwrap().unwrap(), b"content");
    assert!(store.resolve(&Target::Tag("v1".parse().unwrap())).unwrap().is_some());
    let shown: Vec<_> = registry.seen().iter().map(|seen| seen.header("authorization").is_some()).collect();
    assert_eq!(shown, [false, true, true]);
}

#[test]
fn wrong_credentials_are_said_without_saying_them() {
    for auth in
        [Auth::Basic { user: "u", password: "right" }, Auth::Bearer { user: Some(("u", "right")), refresh: None }]
    {
        let registry = start(auth);
        let store = client_as(password("u", "hunter2")).source(&repository(&registry.host()));
        let error = blob(&store, b"content").unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::RegistryUnauthorized);
        assert!(error.hint().unwrap().contains("wrong"), "{:?}", error.hint());
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let anonymous = blob(&source(&registry), b"content").unwrap_err();
        assert_eq!(anonymous.code(), DiagnosticCode::RegistryUnauthorized);
        assert!(anonymous.hint().unwrap().contains("docker login"), "{:?}", anonymous.hint());
    }
}

#[test]
fn a_token_is_fetched_once_a_scope_and_again_when_it_ran_out() {
    for (auth, credential) in [
        (Auth::Bearer { user: None, refresh: None }, None),
        (Auth::Bearer { user: Some(("u", "p")), refresh: None }, Some(password("u", "p"))),
        (
            Auth::Bearer { user: None, refresh: Some("r&f=1") },
            Some(Everywhere(Credential::IdentityToken(Secret::new("r&f=1")))),
        ),
    ] {
        let method = if credential.as_ref().is_some_and(|c| matches!(c.0, Credential::IdentityToken(_))) {
            "POST"
        } else {
            "GET"
        };
        let registry = start(auth);
        let client = credential.map_or_else(client, client_as);
        let store = client.source(&repository(&registry.host()));
        for _ in 0..3 {
            assert_eq!(blob(&store, b"content").unwrap().unwrap(), b"content");
        }
        assert_eq!(registry.count(method, "/token"), 1);
        registry.expire_tokens();
        assert_eq!(blob(&client.source(&repository(&registry.host())), b"content").unwrap().unwrap(), b"content");
        assert_eq!(registry.count(method, "/token"), 2);
        let sink = client.destination(&repository(&registry.host()));
        let layer = Descriptor::of("a/b", b"layer");
        sink.put(&layer, ContentKind::Blob, RawContent::from_bytes(b"layer")).unwrap();
        assert!(sink.has(&layer, ContentKind::Blob).unwrap());
        assert_eq!(registry.count(method, "/token"), 3);
    }
}

#[test]
fn an_access_token_is_sent_as_it_is() {
    let registry = start(Auth::Bearer { user: None, refresh: None });
    let store =
        client_as(Everywhere(Credential::AccessToken(Secret::new("token-0")))).source(&repository(&registry.host()));
    assert_eq!(code(blob(&store, b"content")), DiagnosticCode::RegistryUnauthorized);
    assert_eq!(registry.seen()[1].header("authorization"), Some("Bearer token-0"));
    assert_eq!(registry.count("GET", "/token"), 0);
}

#[test]
fn a_redirect_to_another_server_takes_no_credentials_along() {
    let registry = start(Auth::Basic { user: "u", password: "p" });
    let elsewhere = Registry::start(Options::default());
    let digest = elsewhere.blob("cdn", b"content");
    let target = format!("http://{}/v2/cdn/blobs/{digest}", elsewhere.host());
    registry.change("GET", "/blobs/", 1, |reply| reply);
    registry
        .change("GET", "/blobs/", 1, move |reply| Reply { status: 307, ..reply }.header("location", target.clone()));
    let store = client_as(password("u", "p")).source(&repository(&registry.host()));
    assert_eq!(blob(&store, b"content").unwrap().unwrap(), b"content");
    assert!(registry.seen()[1].header("authorization").is_some());
    assert_eq!(elsewhere.seen().len(), 1);
    assert_eq!(elsewhere.seen()[0].header("authorization"), None);
}

#[test]
fn an_upload_to_another_server_takes_no_credentials_along() {
    let registry = start(Auth::Basic { user: "u", password: "p" });
    let elsewhere = Registry::start(Options::default());
    let target = format!("http://{}/v2/cdn/blobs/uploads/1", elsewhere.host());
    elsewhere.answer("PUT", "", 1, Reply::new(201));
    registry.change("POST", "", 1, |reply| reply);
    registry.change("POST", "", 1, move |reply| reply.header("location", target.clone()));
    let sink = client_as(password("u", "p")).destination(&repository(&registry.host()));
    sink.put(&Descriptor::of("a/b", b"x"), ContentKind::Blob, RawContent::from_bytes(b"x")).unwrap();
    assert_eq!(elsewhere.seen().len(), 1);
    assert_eq!(elsewhere.seen()[0].header("authorization"), None);
}

#[test]
fn useless_token_services_are_errors() {
    for body in ["", "{}", "[]", r#"{"token":""}"#, r#"{"token":"a\r\nb"}"#, r#"{"token":7}"#] {
        let registry = start(Auth::Bearer { user: None, refresh: None });
        registry.answer("GET", "/token", 1, Reply::new(200).body(body));
        assert_eq!(code(blob(&source(&registry), b"content")), DiagnosticCode::RegistryFailed, "{body}");
    }
    let registry = start(Auth::Bearer { user: None, refresh: None });
    registry.answer("GET", "/token", usize::MAX, Reply::new(429));
    assert_eq!(code(blob(&source(&registry), b"content")), DiagnosticCode::RegistryThrottled);
    let registry = start(Auth::Anyone);
    for challenge in ["Bearer", "Bearer realm=\"nowhere\"", "Bearer realm=\"ftp://x/\""] {
        registry.answer("GET", "/blobs/", 1, Reply::new(401).header("www-authenticate", challenge));
        assert_eq!(code(blob(&source(&registry), b"content")), DiagnosticCode::RegistryFailed, "{challenge}");
    }
}

#[test]
fn dockers_configuration_knows_the_host() {
    let registry = start(Auth::Basic { user: "u", password: "p" });
    let folder = tempfile::tempdir().unwrap();
    let auths = serde_json::json!({"auths": {registry.host(): {"auth": "dTpw"}}});
    std::fs::write(folder.path().join("config.json"), auths.to_string()).unwrap();
    let config = DockerConfig::load(folder.path(), &Limits::default()).unwrap();
    let store = client_as(config).source(&repository(&registry.host()));
    assert_eq!(blob(&store, b"content").unwrap().unwrap(), b"content");

    let broken = serde_json::json!({"credHelpers": {registry.host(): "does-not-exist"}});
    std::fs::write(folder.path().join("config.json"), broken.to_string()).unwrap();
    let config = DockerConfig::load(folder.path(), &Limits::default()).unwrap();
    let store = client_as(config.with_helpers_in(folder.path().into())).source(&repository(&registry.host()));
    let error = blob(&store, b"content").unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::CredentialsUnavailable);
    assert!(error.hint().unwrap().contains("docker-credential-does-not-exist"));
}
