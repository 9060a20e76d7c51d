//! `bulla sign`: keys of every kind of file, layouts, bundles; what stays as it is, and what is never seen.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::common::{NAME, User, contents, there};
use super::signers::World;
use crate::openssl::{Key, Use};

#[test]
fn a_layout_gets_signatures_and_stays_what_it_is() {
    // Conformance 1.02, 1.03, 1.14, 1.21, 1.23, 1.30.
    let Some(world) = World::new("a_layout_gets_signatures", Key::P256) else { return };
    let before = contents(&world.user.path("layout"));
    let digest = world.root["digest"].as_str().unwrap();
    world
        .sign(&["oci:layout:1.0"])
        .ends(0)
        .says(&["warning: a tag can be moved"])
        .prints(&[&format!("Successfully signed layout@{digest}"), "Pushed the signature to layout@sha256:"]);
    let by_digest = format!("layout@{digest}");
    let more = ["--signature-format", "cose", "--legacy-manifest", "-m", "build=101", "-e", "24h", "ignored"];
    let quiet = world.sign(&[&["--oci-layout", &by_digest], &more[..]].concat()).ends(0);
    assert_eq!(quiet.stderr, "");
    // Somebody else's, beside them.
    let other = world.pki.chain("other", Key::Rsa2048, Use::Signing);
    world.give_key("other", &other.leaf);
    world.user.bulla(&["sign", "layout:1.0", "--key-file", "other.key", "--cert-file", "other.crt"]).ends(0);
    let after = contents(&world.user.path("layout"));
    for (path, content) in before.iter().filter(|(path, _)| !path.ends_with("index.json")) {
        assert_eq!(after.get(path), Some(content), "{}", path.display());
    }
    let entries = world.entries();
    assert_eq!(
        entries.iter().filter(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == "1.0").count(),
        1
    );
    assert!(entries.contains(&world.root), "the artifact's own entry is as it was");
    let signatures = world.signatures();
    assert_eq!(signatures.len(), 3);
    for signature in &signatures {
        assert_eq!(signature["subject"]["digest"], digest);
        assert_eq!(world.bytes(&signature["config"]), b"{}");
    }
    let legacy = signatures.iter().find(|signature| signature["artifactType"].is_null()).unwrap();
    assert_eq!(legacy["config"]["mediaType"], "application/vnd.cncf.notary.signature");
    assert_eq!(legacy["layers"][0]["mediaType"], "application/cose");
    let report = world.verify(&by_digest).ends(0).json();
    let words: Vec<_> =
        report["artifacts"][0]["signatures"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!(words.len(), 3);
    assert_eq!(words.iter().filter(|word| **word == "good").count(), 2, "{report:#}");
}

#[test]
fn keys_are_read_from_every_kind_of_file() {
    // Conformance 5.20.
    let Some(world) = World::new("keys_are_read_from_every_kind_of_file", Key::P384) else { return };
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(world.user.folder()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let sign = |key: &str, more: &[&str]| {
        world.private(key);
        // ECDSA is deterministic (RFC 6979): within a second, every key file would give the same signature.
        let note = format!("key={key}");
        let more = &[&["-m", note.as_str()], more].concat()[..];
        world.user.bulla(&[&["sign", "layout:1.0", "--key-file", key, "--cert-file", "signer.crt"], more].concat())
    };
    openssl(&["pkey", "-in", "signer.key", "-traditional", "-out", "sec1.key"]);
    sign("sec1.key", &[]).ends(0);
    let passphrase = "correct horse 42";
    world.user.put("passphrase", format!("{passphrase}\n"));
    world.private("passphrase");
    let out = format!("pass:{passphrase}");
    for (name, how) in [
        ("aes256.key", &["-v2", "aes-256-cbc"][..]),
        ("aes128.key", &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "1000"]),
        ("scrypt.key", &["-scrypt", "-scrypt_N", "1024"]),
    ] {
        openssl(&[&["pkcs8", "-topk8", "-in", "signer.key", "-out", name, "-passout", &out], how].concat());
        sign(name, &["--passphrase-file", "passphrase"]).ends(0);
        sign(name, &[]).refuses(2, &["passphrase-needed"]);
        world.user.put("wrong", "hunter2\n");
        world.private("wrong");
        sign(name, &["--passphrase-file", "wrong"]).refuses(2, &["key-invalid"]);
    }
    openssl(&["ec", "-in", "signer.key", "-aes128", "-passout", &out, "-out", "old.key"]);
    sign("old.key", &["--passphrase-file", "passphrase"]).refuses(2, &["key-invalid"]);
    world.user.put("none.key", "no key at all");
    sign("none.key", &[]).fails(2, &["key-invalid"]);
    // Another key's certificate.
    let other = world.pki.chain("other", Key::P384, Use::Signing);
    world.give_key("other", &other.leaf);
    world
        .user
        .bulla(&["sign", "layout:1.0", "--key-file", "other.key", "--cert-file", "signer.crt"])
        .refuses(2, &["key-invalid"]);
    assert_eq!(world.signatures().len(), 4);
    world.verify("layout:1.0").ends(0);
}

#[test]
fn keys_have_names_in_signingkeys_json() {
    // Conformance 13.05.
    let Some(world) = World::new("keys_have_names_in_signingkeys_json", Key::P256) else { return };
    let sign = |more: &[&str]| world.user.bulla(&[&["sign", "layout:1.0"], more].concat());
    sign(&[]).refuses(2, &["key-missing"]);
    let folder = world.user.home().join(".config/notation");
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| world.user.path(name).display().to_string();
    let mut keys = json!({"keys": [
        {"name": "release", "keyPath": path("signer.key"), "certPath": path("signer.crt")},
        {"name": "far", "id": "one", "pluginName": "no-such-plugin"},
    ]});
    fs::write(folder.join("signingkeys.json"), keys.to_string()).unwrap();
    sign(&[]).refuses(2, &["key-missing"]);
    sign(&["-k", "nobody"]).refuses(2, &["key-missing"]);
    sign(&["-k", "release"]).ends(0);
    keys["default"] = "release".into();
    fs::write(folder.join("signingkeys.json"), keys.to_string()).unwrap();
    sign(&[]).ends(0);
    assert_ne!(sign(&["-k", "far"]).status, 0);
    sign(&["-k", "release", "--id", "x", "--plugin", "y"]).ends(2);
    sign(&["--id", "x"]).ends(2);
    fs::write(folder.join("config.json"), r#"{"signatureFormat":"cose"}"#).unwrap();
    sign(&[]).ends(0);
    let formats: Vec<_> = world.signatures().iter().map(|one| one["layers"][0]["mediaType"].clone()).collect();
    assert_eq!(formats.iter().filter(|format| **format == "application/cose").count(), 1);
}

#[test]
fn a_key_is_never_seen() {
    let Some(world) = World::new("a_key_is_never_seen", Key::P256) else { return };
    let key = String::from_utf8(world.user.get("signer.key")).unwrap();
    // The scalar is in the first two lines of base64; the third one is public, and in the certificate.
    let secrets: Vec<String> = key.lines().filter(|line| line.len() == 64).take(2).map(str::to_owned).collect();
    assert_eq!(secrets.len(), 2);
    world.user.put("secret/signer.key", &key);
    let is_clean = |text: &str| !secrets.iter().any(|secret| text.contains(secret.as_str()));
    let mode = |mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(world.user.path("signer.key"), fs::Permissions::from_mode(mode)).unwrap();
    };
    // Loud where others can read it, and not refused: a mounted secret is often readable by a group.
    for (bits, says) in [(0o644, "every user"), (0o640, "a whole group"), (0o600, "")] {
        mode(bits);
        let ended = world.sign(&["layout:1.0", "--debug"]).ends(0).says(&[says]);
        assert!(is_clean(&ended.stdout) && is_clean(&ended.stderr), "{ended:?}");
        assert_eq!(says.is_empty(), !ended.stderr.contains("chmod 600"));
    }
    // A key that is cut off, or has something in it that does not belong there.
    for broken in [key.replace("-----END", "!-----END"), key[..key.len() / 2].to_owned(), key.replace('M', "!")] {
        world.user.put("signer.key", &broken);
        mode(0o600);
        let ended = world.sign(&["layout:1.0", "--debug"]).ends(2);
        assert!(is_clean(&ended.stdout) && is_clean(&ended.stderr), "{ended:?}");
    }
    fs::remove_file(world.user.path("signer.key")).unwrap();
    let holds_key = |folder: &Path| {
        let found = contents(folder);
        found
            .into_iter()
            .filter(|(_, content)| !is_clean(&String::from_utf8_lossy(content)))
            .map(|(path, _)| path)
            .collect::<Vec<_>>()
    };
    assert_eq!(holds_key(&world.user.folder()), [world.user.path("secret/signer.key")]);
    assert_eq!(fs::read_dir(world.user.temporary()).unwrap().count(), 0, "nothing temporary is left or was needed");
    assert!(holds_key(&world.user.home()).is_empty());
}

#[test]
fn what_cannot_be_signed_is_refused_and_nothing_changes() {
    let Some(world) = World::new("what_cannot_be_signed", Key::P256) else { return };
    let before = contents(&world.user.path("layout"));
    world.sign(&["layout:2.0"]).refuses(4, &["not-found"]);
    world.sign(&["layout:1.0", "-o", "new.tar"]).refuses(2, &["usage-invalid"]);
    // Conformance 1.12: what is reserved, and 13.12: both sides of `=`.
    world.sign(&["layout:1.0", "-m", "io.cncf.notary.x=y"]).fails(2, &["usage-invalid"]);
    // What a signature is for is nobody's metadata.
    for pair in ["vnd.bulla.purpose=bundle-seal", "vnd.bulla.x=y"] {
        world.sign(&["layout:1.0", "-m", pair]).refuses(2, &["usage-invalid"]).says(&["reserved prefix vnd.bulla."]);
        let file = ["blob", "sign", "signer.crt", "--key-file", "signer.key", "--cert-file", "signer.crt", "-m", pair];
        world.user.bulla(&file).refuses(2, &["usage-invalid"]).says(&["reserved prefix vnd.bulla."]);
    }
    for pair in ["a", "=b", "a="] {
        world.sign(&["layout:1.0", "-m", pair]).ends(2);
    }
    world.sign(&["layout:1.0", "-m", "a=b", "-m", "a=c"]).refuses(2, &["usage-invalid"]);
    // Conformance 2.26: whole seconds, and not in the past.
    for expiry in ["1d", "-1h", "300ms"] {
        world.sign(&["layout:1.0", &format!("--expiry={expiry}")]).ends(2);
    }
    // Conformance 5.13, 5.17, 14.29: a chain that no verifier would accept.
    let stamper = world.pki.leaf("stamper", &world.signer.inter, Key::P256, Use::Timestamping, 30);
    world.give_key("stamper", &stamper);
    let old = world.pki.leaf("old", &world.signer.inter, Key::P256, Use::Signing, -1);
    world.give_key("old", &old);
    for (name, says) in [("stamper", "extKeyUsage must not have timeStamping"), ("old", "is valid from ")] {
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        // The operator's own chain: no verdict, but wrong input.
        let ended = world.user.bulla(&["sign", "layout:1.0", "--key-file", &key, "--cert-file", &crt]);
        ended.refuses(2, &["key-invalid"]).says(&[says]);
    }
    assert_eq!(contents(&world.user.path("layout")), before);
}

#[test]
fn a_bundle_is_signed_into_a_new_one() {
    let Some(world) = World::new("a_bundle_is_signed_into_a_new_one", Key::P256) else { return };
    let user = &world.user;
    user.bulla(&["demo", "demo"]).ends(0);
    let bundle = user.get("demo/hello.bulla.tar");
    world.sign(&["demo/hello.bulla.tar"]).refuses(2, &["usage-invalid"]);
    world.sign(&["demo/hello.bulla.tar", "-o", "demo/hello.bulla.tar"]).refuses(2, &["usage-invalid"]);
    let signed = world.sign(&["demo/hello.bulla.tar", "-o", "new.tar"]).ends(0);
    assert!(signed.stdout.starts_with("Successfully signed registry.bulla.example/demo/hello@sha256:"), "{signed:?}");
    assert_eq!(user.get("demo/hello.bulla.tar"), bundle, "a bundle is never changed");
    // Still what it was, for those who trust the demo; and something more for those who trust this signer: offline, with
    // the evidence that was fetched for the new signature.
    let report = user.judging(&["verify", "new.tar", "--format", "json"]).ends(0).json();
    assert_eq!(report["artifacts"][0]["reference"], NAME);
    let trust = ["--trust-store", "trust", "--policy", "policy.json", "--offline", "--format", "json"];
    let ours = user.bulla(&[&["verify", "new.tar"], &trust[..]].concat()).ends(0).json();
    assert_eq!(ours["artifacts"][0]["digest"], report["artifacts"][0]["digest"]);
    assert_eq!(ours["artifacts"][0]["signatures"].as_array().unwrap().len(), 2);
    user.bulla(&[&["verify", "demo/hello.bulla.tar"], &trust[..]].concat()).ends(1);
    // Everything in it is listed, so it can be imported, and be signed once more.
    user.judging(&["import", "new.tar", "--to", "oci:imported"]).ends(0);
    world.sign(&["new.tar", "-o", "newer.tar.zst", "--signature-format", "cose"]).ends(0);
    let newer = user.bulla(&[&["verify", "newer.tar.zst"], &trust[..]].concat()).ends(0).json();
    assert_eq!(newer["artifacts"][0]["signatures"].as_array().unwrap().len(), 3);
}

#[test]
fn signing_needs_no_network() {
    if !there("signing_needs_no_network", "strace") {
        return;
    }
    let Some(world) = World::new("signing_needs_no_network", Key::P256) else { return };
    world.server.forget_requests();
    let script = "exec strace -f -e trace=socket,connect -o trace \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_bulla"), "sign", "layout:1.0"]);
    command.args(["--key-file", "signer.key", "--cert-file", "signer.crt"]).current_dir(world.user.folder());
    assert!(command.env("HOME", world.user.home()).output().unwrap().status.success());
    let trace = String::from_utf8(world.user.get("trace")).unwrap();
    assert!(!trace.contains("AF_INET"), "{trace}");
    assert!(world.server.seen().is_empty());
}

#[test]
fn a_user_without_keys_is_told_what_to_do() {
    let user = User::new();
    super::signers::layout(&user);
    user.bulla(&["sign", "layout:1.0"]).refuses(2, &["key-missing"]).says(&["make a key the default"]);
    user.bulla(&["sign"]).ends(2);
}
