//! Notation's commands at registries: logging in, listing, inspecting and verifying by its flags.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::support::cli::{User, statement};
use crate::support::content::{Content, Form, digest, sha256};
use crate::support::openssl::Signing;
use crate::support::registry::{Auth, Options, Registry};
use crate::support::tools::{self, DockerRegistry};
use crate::world::World;

/// Docker's registry that wants "user" and "pass:word".
fn with_password() -> DockerRegistry {
    DockerRegistry::start_with(|folder| {
        let path = folder.join("htpasswd");
        // bcrypt of "pass:word"
        fs::write(&path, "user:$2y$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki\n").unwrap();
        format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path.display())
    })
}

/// A credential helper that keeps one secret in a file beside it, and writes down what it sees of its environment.
fn helper(user: &User, name: &str) -> String {
    let folder = user.home().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("docker-credential-{name}"));
    let script = format!(
        "#!/bin/sh\ncd {}\nenv > environment\ncase $1 in\nstore) cat > secret;;\nerase) rm -f secret;;\n\
         get) if [ -f secret ]; then cat secret; else echo credentials not found in native keychain; exit 1; fi;;\nesac\n",
        folder.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

fn notation_config(user: &User) -> std::path::PathBuf {
    user.home().join(".config/notation/config.json")
}

#[test]
fn a_helper_keeps_what_the_registry_accepts() {
    if !tools::there("a_helper_keeps_what_the_registry_accepts", &["docker-registry"]) {
        return;
    }
    let (registry, user) = (with_password(), User::new());
    let host = registry.host();
    let path = helper(&user, "pass");
    let secret = user.home().join("bin/secret");
    let run = |input: &str, arguments: &[&str]| user.bulla_given(&[("PATH", &path)], input, arguments);
    // What the registry refuses is not kept.
    run("wrong\n", &["login", &host, "-u", "user", "--password-stdin"]).says(4, &["registry-unauthorized"]);
    assert!(!secret.exists());
    let absent = format!("{host}/app:v1");
    run("", &["list", &absent]).says(4, &["registry-unauthorized"]);
    let ended = run("pass:word\n", &["login", "--password-stdin", "-uuser", &host]).says(0, &["Logged in"]);
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
    let kept: Value = serde_json::from_slice(&fs::read(&secret).unwrap()).unwrap();
    assert_eq!(kept, json!({"ServerURL": host, "Username": "user", "Secret": "pass:word"}));
    assert!(!notation_config(&user).exists(), "no file holds it");
    // It is used from then on.
    run("", &["list", &absent]).says(4, &["not-found"]);
    run("", &["logout", &host]).ends(0);
    assert!(!secret.exists());
    run("", &["logout", &host]).ends(0);
    run("", &["list", &absent]).says(4, &["registry-unauthorized"]);
    // For one run: by flags, or by variables, which no helper gets to see.
    run("", &["list", &absent, "-u", "user", "-p", "pass:word"]).says(4, &["not-found"]);
    run("", &["list", &absent, "-u", "user", "-p", "other"]).says(4, &["registry-unauthorized"]);
    let variables = [("PATH", path.as_str()), ("NOTATION_USERNAME", "user"), ("NOTATION_PASSWORD", "pass:word")];
    user.bulla_given(&variables, "", &["list", &absent]).says(4, &["not-found"]);
    user.bulla_given(&variables, "", &["login", &host]).ends(0);
    let environment = fs::read_to_string(user.home().join("bin/environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("NOTATION_"), "{environment}");
    // When asked: user and password, each on a line.
    fs::remove_file(&secret).unwrap();
    let ended = run("user\npass:word\n", &["login", &host]).ends(0);
    assert!(ended.text().starts_with("Username: Password: "), "{ended:?}");
    assert!(fs::read_to_string(&secret).unwrap().contains("pass:word"));
    run("user\n", &["login", &host]).says(2, &["usage-invalid"]);
    for ended in [
        run("hunter2", &["login", &host, "-u", "user", "--password-stdin"]),
        run("", &["login", &host, "-uuser", "-phunter2"]),
    ] {
        assert!(!ended.stderr.contains("hunter2") && !ended.text().contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn plain_text_is_kept_on_the_operators_word_only() {
    if !tools::there("plain_text_is_kept_on_the_operators_word_only", &["docker-registry"]) {
        return;
    }
    let (registry, user) = (with_password(), User::new());
    let host = registry.host();
    // Without a helper on the PATH, Notation refuses, and so do we.
    let run = |arguments: &[&str]| user.bulla_given(&[("PATH", "/nowhere")], "pass:word", arguments);
    let login = ["login", &host, "-u", "user", "--password-stdin"];
    run(&login).says(4, &["credentials-unavailable", "--allow-plaintext"]);
    assert!(!notation_config(&user).exists());
    fs::create_dir_all(notation_config(&user).parent().unwrap()).unwrap();
    fs::write(notation_config(&user), r#"{"signatureFormat":"cose"}"#).unwrap();
    run(&[&login[..], &["--allow-plaintext"]].concat()).says(0, &["warning: ", "plain text"]);
    assert_eq!(fs::metadata(notation_config(&user)).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&fs::read(notation_config(&user)).unwrap()).unwrap();
    let auth = BASE64_STANDARD.encode("user:pass:word");
    assert_eq!(kept, json!({"signatureFormat": "cose", "auths": {host.clone(): {"auth": auth}}}));
    run(&["list", &format!("{host}/app:v1")]).says(4, &["not-found"]);
    run(&["logout", &host]).ends(0);
    let kept: Value = serde_json::from_slice(&fs::read(notation_config(&user)).unwrap()).unwrap();
    assert_eq!(kept, json!({"signatureFormat": "cose"}));
    run(&["login", "https://registry.example", "-u", "user", "--password-stdin"]).says(2, &["without https://"]);
}

/// A password without a user is a refresh token (conformance 13.08).
#[test]
fn a_token_needs_no_user() {
    let auth = Auth::Bearer { user: None, refresh: Some("refresh-me") };
    let (registry, user) = (Registry::start(Options { auth, ..Options::default() }), User::new());
    let path = helper(&user, "pass");
    let run = |input: &str, arguments: &[&str]| user.bulla_given(&[("PATH", &path)], input, arguments);
    let host = registry.host();
    let asked = run("\nrefresh-me\n", &["login", &host]).ends(0);
    assert!(asked.text().starts_with("Username: Token: "), "{asked:?}");
    let kept: Value = serde_json::from_slice(&fs::read(user.home().join("bin/secret")).unwrap()).unwrap();
    assert_eq!(kept, json!({"ServerURL": host, "Username": "<token>", "Secret": "refresh-me"}));
    run("", &["list", &format!("{host}/app:v1")]).says(4, &["not-found"]);
    let masked = run("", &["-d", "list", &format!("{host}/app:v1")])
        .says(4, &["debug: \"HEAD\" ", "\"authorization\": \"*****\""]);
    assert!(!masked.stderr.contains("refresh-me"), "{masked:?}");
}

/// Three signatures on one image, one of them broken.
fn signed(world: &World, registry: &Registry) -> (Content, Value) {
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.tag("v1", &image);
    let metadata = Some(json!({"io.example.build": "<1>"}));
    world.sign_as(&mut content, &image, &Signing { metadata, tsa: Some(&world.tsa.leaf), ..Signing::default() });
    content.sign(&world.pki, &world.signer.leaf, &image, Form::Legacy, &Signing::default());
    content.attach(&image, b"{}", "application/jose+json", "[]", Form::New);
    content.fill(registry, "team/app", false);
    (content, image)
}

#[test]
fn the_signatures_of_a_registry_are_listed_shown_and_judged() {
    let Some(world) = World::new("the_signatures_of_a_registry_are_listed_shown_and_judged", &[]) else { return };
    let registry = Registry::start(Options::default());
    let (content, image) = signed(&world, &registry);
    let repository = format!("{}/team/app", registry.host());
    let (tagged, by_digest) = (format!("{repository}:v1"), format!("{repository}@{}", digest(&image)));
    world.user.policy(&[statement(&repository, "strict", false)]);
    let user = &world.user;
    let listed = user.bulla(&["list", &tagged]).says(0, &["a tag can be moved", &by_digest]);
    let signatures = &content.referrers[digest(&image)];
    assert_eq!(signatures.len(), 3);
    for signature in signatures {
        assert!(listed.text().contains(&format!("── {}", digest(signature))), "{listed:?}");
    }
    assert_eq!(user.bulla(&["list", &by_digest]).ends(0).text(), listed.text());
    let some = user.bulla(&["list", &by_digest, "--max-signatures", "2"]).says(0, &["more than 2 signatures"]);
    assert_eq!(some.text().matches("── sha256:").count(), 2, "{some:?}");
    let all = user.bulla(&["list", &by_digest, "--max-signatures", "3"]).ends(0);
    assert!(!all.stderr.contains("more than"), "exactly as many are all (14.23): {all:?}");
    // The broken one is named, hides none of the others, and is no success.
    let shown = user.bulla(&["inspect", &by_digest, "-o", "json"]).says(1, &["envelope-malformed", "is not shown"]);
    let text = shown.text();
    assert!(text.contains(r"\u003c1\u003e"), "as Go escapes: {text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["mediaType"], image["mediaType"]);
    let found = document["signatures"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    let metadata: Vec<&Value> = found.iter().map(|signature| &signature["userDefinedAttributes"]).collect();
    assert!(
        metadata.contains(&&Value::Null) && metadata.contains(&&json!({"io.example.build": "<1>"})),
        "{metadata:?}"
    );
    let leaf = format!("CN={},O=E2E,ST=Utrecht,C=NL", world.signer.leaf.name);
    for signature in found {
        assert_eq!(signature["certificates"][0]["issuedTo"], leaf);
        assert_eq!(signature["signedArtifact"]["digest"], image["digest"]);
        assert_eq!(signature["signedArtifact"]["size"], image["size"]);
    }
    assert!(
        found.iter().any(|signature| signature["unsignedAttributes"]["timestampSignature"]["timestamp"].is_string())
    );
    // One good signature suffices, by Notation's flags.
    let verify = ["verify", &by_digest, "--max-signatures=100", "--plugin-config", "a=b"];
    user.bulla(&[&verify[..], &["-m", "io.example.build=<1>"]].concat()).ends(0);
    user.bulla(&[&verify[..], &["-m", "io.example.build=2"]].concat()).ends(1);
    let absent = format!("{repository}@{}", sha256(b"absent"));
    user.bulla(&["list", &absent]).says(4, &["not-found"]);
}

/// Conformance 1.27, 14.23: those beyond the limit are not judged, which the report says where none is good.
#[test]
fn judging_stops_at_the_limit() {
    let Some(world) = World::new("judging_stops_at_the_limit", &[]) else { return };
    let registry = Registry::start(Options::default());
    let (content, image) = signed(&world, &registry);
    let repository = format!("{}/team/app", registry.host());
    world.user.policy(&[statement(&repository, "strict", false)]);
    let mut order: Vec<&str> = content.referrers[digest(&image)].iter().map(digest).collect();
    let broken = *order.last().unwrap();
    order.sort_unstable();
    let position = order.iter().position(|found| *found == broken).unwrap();
    let by_digest = format!("{repository}@{}", digest(&image));
    let verify = |most: usize| {
        world.user.bulla(&["verify", &by_digest, "--max-signatures", &most.to_string(), "--format", "json"])
    };
    let first = verify(1);
    if position == 0 {
        first.says(1, &["signatures-not-judged", "2 more signatures"]);
    } else {
        let ended = first.ends(0);
        assert!(!ended.text().contains("signatures-not-judged"), "{ended:?}");
    }
    for most in [2, 3, 200] {
        assert!(!verify(most).ends(0).text().contains("signatures-not-judged"));
    }
    let metadata = ["verify", &by_digest, "-m", "a=b", "--max-signatures", "3"];
    let all = world.user.bulla(&metadata).ends(1);
    assert!(!all.text().contains("signatures-not-judged"), "exactly as many are all: {all:?}");
    world.user.bulla(&["verify", &by_digest, "-m", "a=b", "--max-signatures", "2"]).says(1, &["1 more signatures"]);
}

/// Who asks for a password is told the one that is meant for him, or none.
#[test]
fn a_given_password_is_one_registrys() {
    const TEST: &str = "a_given_password_is_one_registrys";
    let Some(world) = World::new(TEST, &[]) else { return };
    let asking =
        || Registry::start(Options { auth: Auth::Basic { user: "user", password: "pass" }, ..Options::default() });
    let (ours, theirs) = (asking(), asking());
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.tag("v1", &image);
    world.sign(&mut content, &image);
    for registry in [&ours, &theirs] {
        content.fill(registry, "app", false);
        registry.forget_requests();
    }
    content.write_layout(&world.user.path("dir/l"));
    let [one, other] = [&ours, &theirs].map(|registry| format!("{}/app:v1", registry.host()));
    let told =
        |registry: &Registry| registry.seen().iter().filter(|seen| seen.header("authorization").is_some()).count();
    let both = ["export", &one, &other, "-o", "b.tar"];
    let variables = [("NOTATION_USERNAME", "user"), ("NOTATION_PASSWORD", "pass")];
    let several = ["error[usage-invalid]", &ours.host(), &theirs.host(), "bulla login"];
    world.user.bulla(&[&both[..], &["-u", "user", "-p", "pass"]].concat()).says(2, &several);
    world.user.bulla_given(&variables, "", &both).says(2, &several);
    assert!(ours.seen().is_empty() && theirs.seen().is_empty(), "nobody was so much as asked");
    // One registry, named twice, and a layout that looks like another.
    let again = one.replace(":v1", &format!("@{}", digest(&image)));
    let words = ["export", &one, &again, "dir/l:v1", "--as", &one, "--as", &again, "--as", "x.example/l:v1"];
    world.user.bulla(&[&words[..], &["-o", "b.tar", "-u", "user", "-p", "pass"]].concat()).ends(0);
    assert!(told(&ours) > 0);
    // Each its own, by its name.
    world.user.logs_in(&theirs.host(), "user", "pass");
    world.user.bulla(&both).says(4, &["registry-unauthorized", &ours.host()]);
    let login = ["login", &ours.host(), "-u", "user", "--password-stdin", "--allow-plaintext"];
    world.user.bulla_given(&[], "pass", &login).ends(0);
    world.user.bulla(&both).ends(0);
    assert!(told(&theirs) > 0);
    // An import is given it for its destination.
    let import = ["import", "b.tar", "--to", &ours.host(), "--allow", "rejected", "-u", "user", "-p"];
    world.user.bulla(&[&import[..], &["other"]].concat()).says(4, &["registry-unauthorized"]);
    world.user.bulla(&[&import[..], &["pass"]].concat()).ends(0);
}
