//! A registry that has the referrers API, pages it, asks for tokens and fails on demand.

use std::fs;

use serde_json::Value;

use crate::support::cli::{User, statement};
use crate::support::content::{Content, digest};
use crate::support::openssl::{Key, Pki, Signing, Use, now, rfc3339};
use crate::support::registry::{Auth, Options, Referrers, Registry, Reply};
use crate::world::World;

/// A signed index with two notes on it, in both ways of finding what is attached.
fn filled(world: &World, options: Options, fallback: bool) -> (Registry, Content, Value) {
    let registry = Registry::start(options);
    let mut content = Content::default();
    let platforms = content.two_platforms();
    content.tag("v1", &platforms.index);
    world.sign_as(&mut content, &platforms.index, &Signing::default());
    for note in [&b"one"[..], b"two", b"three"] {
        content.referrer(&platforms.index, "application/vnd.example.note", note);
    }
    content.fill(&registry, "team/app", fallback);
    let scope = format!("{}/team/app", registry.host());
    world.user.policy(&[statement(&scope, "strict", false)]);
    (registry, content, platforms.index)
}

fn source(registry: &Registry) -> String {
    format!("{}/team/app:v1", registry.host())
}

#[test]
fn the_referrers_api_page_by_page() {
    let Some(mut world) = World::new("the_referrers_api_page_by_page", &[]) else { return };
    let (registry, content, index) = filled(&world, Options { page: 1, ..Options::default() }, false);
    world.user.bulla(&["export", &source(&registry), "-o", "x.tar"]).ends(0);
    let asked = format!("/referrers/{}", digest(&index));
    assert!(registry.count("GET", &asked) >= 4, "four entries, one a page");
    world.stop_serving();
    // The signature there carries no CRLs, and nobody serves them any more.
    world.user.bulla(&["verify", &source(&registry)]).says(5, &["crl-missing"]);
    let ended = world.user.offline(&["verify", "x.tar"]).ends(0);
    let inspected = world.user.bulla(&["inspect", "x.tar"]).ends(0).text();
    for manifest in &content.manifests {
        assert!(inspected.contains(digest(manifest)), "{manifest} is not in {inspected} {ended:?}");
    }
    // Into a registry with the API: it needs no fallback tag, and a second import uploads nothing.
    let inside = Registry::start(Options::default());
    let to = format!("{}/mirror", inside.host());
    world.user.bulla(&["import", "x.tar", "--to", &to]).ends(0);
    inside.with("mirror/team/app", |repo| {
        assert_eq!(repo.tags.keys().collect::<Vec<_>>(), ["v1"]);
        for manifest in &content.manifests {
            assert!(repo.manifests.contains_key(&digest(manifest).parse().unwrap()));
        }
    });
    let scope = format!("{}/team/app", registry.host());
    let there = format!("{to}/team/app:v1");
    world.user.bulla(&["verify", &there, "--scope", &scope, "--offline"]).ends(0);
    one_judgement(&world, &["x.tar", "oci:out", &there], &scope);
    inside.forget_requests();
    world.user.bulla(&["import", "x.tar", "--to", &to, "--receipt", "r.json"]).ends(0);
    assert_eq!(inside.count("POST", "/blobs/uploads/"), 0);
    assert_eq!(world.user.json("r.json")["written"]["copied"], 0);
}

/// What is said of an artifact does not depend on where it lies.
fn one_judgement(world: &World, targets: &[&str], scope: &str) {
    world.user.bulla(&["import", "x.tar", "--to", "oci:out"]).ends(0);
    let at = rfc3339(now());
    let judge = |target: &&str| {
        let words = ["verify", target, "--scope", scope, "--offline", "--at", &at, "--format", "json"];
        let mut report = world.user.bulla(&words).ends(0).json();
        report["artifacts"][0].as_object_mut().unwrap().remove("reference");
        (report["verdict"].clone(), report["clock"].clone(), report["artifacts"].clone(), report["integrity"].clone())
    };
    let reports: Vec<_> = targets.iter().map(judge).collect();
    for report in &reports[1..] {
        assert_eq!(report.2, reports[0].2);
        assert_eq!(*report, reports[0]);
    }
}

#[test]
fn without_the_api_the_tag_schema_is_asked() {
    let Some(world) = World::new("without_the_api_the_tag_schema_is_asked", &[]) else { return };
    for status in [404, 405, 406, 501] {
        let options = Options { referrers: Referrers::Status(status), ..Options::default() };
        let (registry, _, _) = filled(&world, options, true);
        let bundle = format!("{status}.tar");
        world.user.bulla(&["export", &source(&registry), "-o", &bundle]).ends(0);
        world.user.offline(&["verify", &bundle]).says(0, &["TRUSTED"]);
    }
    // Neither the API nor a tag: there is no signature, and that is what is said.
    let (registry, _, _) = filled(&world, Options { referrers: Referrers::Status(404), ..Options::default() }, false);
    world.user.bulla(&["export", &source(&registry), "-o", "none.tar"]).ends(0);
    world.user.offline(&["verify", "none.tar"]).says(1, &["signature-absent"]);
}

#[test]
fn an_answer_that_is_no_answer_is_never_no_signatures() {
    const TEST: &str = "an_answer_that_is_no_answer_is_never_no_signatures";
    let Some(world) = World::new(TEST, &[]) else { return };
    for (status, code) in [(401, "registry-unauthorized"), (403, "registry-forbidden"), (400, "registry-failed")] {
        let (registry, _, _) = filled(&world, Options::default(), true);
        registry.answer("GET", "/referrers/", 1000, Reply::new(status));
        world.user.bulla(&["export", &source(&registry), "-o", "x.tar"]).says(4, &[code]);
        assert!(world.user.names().is_empty(), "{:?}", world.user.names());
        world.user.bulla(&["verify", &source(&registry)]).says(4, &[code]);
    }
}

#[test]
fn throttled_and_failing_registries_are_asked_again_and_then_given_up() {
    const TEST: &str = "throttled_and_failing_registries_are_asked_again_and_then_given_up";
    let Some(world) = World::new(TEST, &[]) else { return };
    // For a moment: it waits as it is told to, and succeeds.
    let (registry, _, _) = filled(&world, Options::default(), false);
    registry.answer("GET", "/referrers/", 1, Reply::new(429).header("retry-after", "1"));
    registry.answer("GET", "/blobs/", 1, Reply::new(500));
    world.user.bulla(&["export", &source(&registry), "-o", "x.tar"]).ends(0);
    fs::remove_file(world.user.path("x.tar")).unwrap();
    std::thread::scope(|scope| {
        for (status, code) in [(429, "registry-throttled"), (500, "registry-failed"), (503, "registry-failed")] {
            let user = &world.user;
            let (registry, _, _) = filled(&world, Options::default(), true);
            registry.answer("GET", "/referrers/", 1000, Reply::new(status));
            scope.spawn(move || {
                let bundle = format!("{status}.tar");
                user.bulla(&["export", &source(&registry), "-o", &bundle]).says(4, &[code]);
            });
        }
    });
    assert!(world.user.names().is_empty(), "{:?}", world.user.names());
}

#[test]
fn tokens_and_passwords_come_from_dockers_configuration() {
    const TEST: &str = "tokens_and_passwords_come_from_dockers_configuration";
    let Some(world) = World::new(TEST, &[]) else { return };
    let bearer = Auth::Bearer { user: None, refresh: None };
    let (registry, _, _) = filled(&world, Options { auth: bearer, ..Options::default() }, false);
    world.user.bulla(&["export", &source(&registry), "-o", "anonymous.tar"]).ends(0);
    for auth in
        [Auth::Bearer { user: Some(("ann", "s3cret")), refresh: None }, Auth::Basic { user: "ann", password: "s3cret" }]
    {
        let (registry, _, _) = filled(&world, Options { auth, ..Options::default() }, false);
        let words = ["export", &source(&registry), "-o", "x.tar"];
        world.user.logs_in(&registry.host(), "ann", "m1staken");
        let ended = world.user.bulla(&words).says(4, &["registry-unauthorized"]);
        assert!(!format!("{ended:?}").contains("m1staken"), "the password is not shown: {ended:?}");
        assert!(!world.user.path("x.tar").exists());
        world.user.logs_in(&registry.host(), "ann", "s3cret");
        world.user.bulla(&words).ends(0);
        world.user.offline(&["verify", "x.tar"]).ends(0);
        let to = format!("{}/copy", registry.host());
        world.user.bulla(&["import", "x.tar", "--to", &to]).ends(0);
        fs::remove_file(world.user.path("x.tar")).unwrap();
    }
}

#[test]
fn a_registry_that_lies_is_found_out() {
    let Some(world) = World::new("a_registry_that_lies_is_found_out", &[]) else { return };
    // Other bytes under a digest; a blob that breaks off for good.
    let (registry, content, _) = filled(&world, Options::default(), false);
    let layer = content.blobs.keys().find(|digest| !content.manifests.iter().any(|m| m["digest"] == **digest)).unwrap();
    let layer = layer.clone();
    registry.change("GET", &layer, 1000, |reply| {
        let mut body = reply.body.clone();
        body[0] ^= 1;
        reply.body(body)
    });
    world.user.bulla(&["export", &source(&registry), "-o", "x.tar"]).says(3, &["blob-digest-mismatch"]);
    assert!(world.user.names().is_empty());
    // A signature that the registry lists for the artifact, made for another subject.
    let user = User::new();
    let stranger = Pki::new("http://127.0.0.1:1");
    let chain = stranger.chain("eve", Key::P256, Use::Signing);
    user.trusts("ca/e2e", &world.pki.pem(&world.signer.root));
    let registry = Registry::start(Options::default());
    let mut content = Content::default();
    let image = content.image("amd64", &[b"eve's".to_vec()]);
    content.tag("v1", &image);
    let form = crate::support::content::Form::New;
    content.sign(&stranger, &chain.leaf, &image, form, &Signing::default());
    content.fill(&registry, "team/app", false);
    let scope = format!("{}/team/app", registry.host());
    user.policy(&[statement(&scope, "strict", false)]);
    user.bulla(&["verify", &source(&registry), "--offline"]).says(1, &["chain-untrusted"]);
}
