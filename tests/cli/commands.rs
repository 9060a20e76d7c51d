//! Notation's commands for keys, certificates and policies, against the files that they leave on the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::common::{Ended, User, contents, there};

fn config(user: &User) -> PathBuf {
    user.home().join(".config/notation")
}

/// Runs a command that is answered so.
fn answering(user: &User, arguments: &[&str], answer: &str) -> Ended {
    Ended::of(arguments, user.command(arguments).write_stdin(answer))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn groups_help_and_unknown_commands_fail_in_groups_too() {
    let user = User::new();
    for group in [
        &["cert"][..],
        &["certificate"],
        &["cert", "crl"],
        &["key"],
        &["policy"],
        &["plugin"],
        &["blob"],
        &["blob", "policy"],
        &["timestamp"],
        &["completion"],
        &["evidence"],
    ] {
        let line = |before: &[&'static str], behind: &[&'static str]| [before, group, behind].concat();
        for line in [line(&[], &[]), line(&[], &["--help"]), line(&["--debug"], &[])] {
            user.bulla(&line).ends(0).prints(&["Usage:"]);
        }
        // A script with a misspelt command must not go on.
        for line in [line(&[], &["frobnicate"]), line(&["--debug"], &["frobnicate", "y"])] {
            user.bulla(&line).ends(2).says(&["unrecognized subcommand 'frobnicate'", "Usage:"]);
        }
        for word in ["--frobnicate", "--"] {
            user.bulla(&line(&[], &[word, "frobnicate"])).ends(2);
        }
    }
    for command in ["verify", "list", "inspect", "login", "logout", "version"] {
        user.bulla(&[command, "--help"]).ends(0).prints(&["Usage:", command]);
        user.bulla(&["-h", command, "x"]).ends(0).prints(&["Usage:", command]);
    }
    user.bulla(&["frobnicate"]).ends(2);
    user.bulla(&["version"]).ends(0).prints(&[env!("CARGO_PKG_VERSION"), std::env::consts::ARCH]);
}

#[test]
fn shells_and_manual_readers_are_served() {
    let user = User::new();
    for (shell, says) in [
        ("bash", "complete -F _bulla"),
        ("zsh", "#compdef bulla"),
        ("fish", "complete -c bulla"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        user.bulla(&["completion", shell, "--no-descriptions"]).ends(0).prints(&[says, "generate-test"]);
    }
    user.bulla(&["man", "pages"]).ends(0);
    for page in ["bulla", "bulla-verify", "bulla-cert", "bulla-cert-add", "bulla-policy-init"] {
        let text = String::from_utf8(user.get(&format!("pages/{page}.1"))).unwrap();
        assert!(
            text.contains(".TH") && text.contains("SH NAME") && text.contains(page.split('-').next().unwrap()),
            "{page}"
        );
    }
    assert!(!user.path("pages/bulla-man.1").exists(), "hidden");
}

#[test]
fn notation_1_is_still_understood() {
    let user = User::with_demo();
    let list = |more: &[&str]| user.bulla(&[&["list", "oci:demo/registry:1.0"], more].concat()).ends(0);
    assert!(!list(&[]).stderr.contains("Notation 1"));
    list(&["-v"]).says(&["--verbose is Notation 1's"]);
    list(&["--allow-referrers-api"]).says(&["--allow-referrers-api is Notation 1's"]);
    list(&["-d"]).says(&["debug: oci:demo/registry:1.0 is oci:demo/registry:1.0"]);
    user.bulla(&["inspect", "oci:demo/registry:1.0", "-o", "text"]).ends(0).says(&["-o text is Notation 1's"]);
    // Conformance 13.09: nothing is gated.
    for experimental in ["1", "0", ""] {
        let arguments = ["list", "--oci-layout", "demo/registry:1.0"];
        Ended::of(&arguments, user.command(&arguments).env("NOTATION_EXPERIMENTAL", experimental)).ends(0);
    }
}

#[test]
fn the_signatures_of_a_layout_are_listed() {
    let user = User::with_demo();
    let root = user.json("demo/registry/index.json")["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == "1.0")
        .unwrap()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_digest = format!("demo/registry@{root}");
    let ended = user.bulla(&["ls", "--oci-layout", "demo/registry:1.0"]).ends(0);
    let ended = ended.prints(&[&by_digest, "└── application/vnd.cncf.notary.signature", "    └── sha256:"]);
    assert!(ended.stderr.contains("a tag can be moved") && ended.stderr.contains(&root), "{ended:?}");
    let same = user.bulla(&["list", "--oci-layout", &by_digest]).ends(0);
    assert_eq!(same.stdout, ended.stdout);
    assert!(same.stderr.is_empty(), "{same:?}");
    assert_eq!(user.bulla(&["list", "oci:demo/registry:1.0"]).stdout, ended.stdout);
    let bundle = user.bulla(&["list", "demo/hello.bulla.tar"]).ends(0);
    assert!(bundle.stdout.contains("└── sha256:") && bundle.stderr.is_empty(), "{bundle:?}");
    user.bulla(&["list", "--oci-layout", "demo/registry"]).refuses(2, &["reference-malformed"]);
    user.bulla(&["list", "--oci-layout", "demo/registry:2.0"]).refuses(4, &["not-found"]);
    user.bulla(&["list", "--oci-layout", "demo/nowhere:1.0"]).refuses(4, &["not-found"]);
}

#[test]
fn the_signatures_of_a_layout_are_shown_with_notations_keys() {
    let user = User::with_demo();
    let document = user.bulla(&["inspect", "oci:demo/registry:1.0", "--output", "json"]).ends(0);
    assert!(
        document
            .stdout
            .starts_with("{\n  \"mediaType\": \"application/vnd.oci.image.index.v1+json\",\n  \"signatures\": [")
    );
    let document = document.json();
    let [signature] = document["signatures"].as_array().unwrap().as_slice() else { panic!("{document:#}") };
    assert_eq!(signature["signatureAlgorithm"], "ECDSA-SHA-256");
    assert_eq!(signature["signatureEnvelopeType"], "application/jose+json");
    let signed = &signature["signedAttributes"];
    assert_eq!(signed["contentType"], "application/vnd.cncf.notary.payload.v1+json");
    assert_eq!(signed["signingScheme"], "notary.x509");
    signed["signingTime"].as_str().unwrap().parse::<bulla::time::UnixTime>().unwrap();
    let unsigned = &signature["unsignedAttributes"];
    assert!(unsigned["signingAgent"].as_str().unwrap().contains("bulla"), "{unsigned:#}");
    let stamp = unsigned["timestampSignature"]["timestamp"].as_str().unwrap();
    assert!(stamp.starts_with('[') && stamp.contains("Z, ") && stamp.ends_with("Z]"), "{stamp}");
    assert!(!unsigned["timestampSignature"]["certificates"].as_array().unwrap().is_empty());
    let leaf = &signature["certificates"][0];
    assert_eq!(leaf["SHA256Fingerprint"].as_str().unwrap().len(), 64);
    assert!(leaf["issuedTo"].as_str().unwrap().starts_with("CN=Bulla Demo "), "{leaf:#}");
    assert!(leaf["issuedTo"].as_str().unwrap().ends_with(",O=Bulla Demo,ST=Utrecht,C=NL"), "{leaf:#}");
    leaf["expiry"].as_str().unwrap().parse::<bulla::time::UnixTime>().unwrap();
    let keys: Vec<&String> = signature["signedArtifact"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["digest", "mediaType", "size"]);
    assert!(signature.as_object().unwrap().contains_key("userDefinedAttributes"), "null if there are none");
    let tree = user.bulla(&["inspect", "oci:demo/registry:1.0"]).ends(0);
    tree.prints(&[
        "└── application/vnd.cncf.notary.signature",
        "signature algorithm: ECDSA-SHA-256",
        "issued by: CN=Bulla Demo",
    ]);
}

/// Of a bundle the inventory, of anything the inventory where it is asked for.
#[test]
fn what_inspect_shows_depends_on_the_target() {
    let user = User::with_demo();
    let inventory = user.bulla(&["inspect", "demo/hello.bulla.tar"]).ends(0).stdout;
    assert!(inventory.contains("evidence") || inventory.contains("CRL"), "{inventory}");
    assert_eq!(user.bulla(&["inspect", "demo/hello.bulla.tar", "--inventory"]).ends(0).stdout, inventory);
    let layout = user.bulla(&["inspect", "oci:demo/registry:1.0", "--inventory"]).ends(0);
    assert!(!layout.stdout.contains("signature algorithm:"), "{layout:?}");
    assert_eq!(user.bulla(&["inspect", "demo/registry:1.0", "--format", "json"]).ends(0).json()["schemaVersion"], 1);
    user.bulla(&["inspect", "demo/hello.bulla.tar", "-o", "tree"]).ends(0).prints(&["signature algorithm: "]);
    user.bulla(&["inspect", "demo/registry:1.0", "-o", "json", "--inventory"]).ends(2);
}

#[test]
fn verify_has_notations_flags() {
    let user = User::with_demo();
    let scope = ["--scope", "registry.bulla.example/demo/hello", "--crl", "demo/crls"];
    let verify = |words: &[&str]| user.judging(&[&["verify"], words, &scope].concat());
    verify(&["--oci-layout", "demo/registry:1.0"]).ends(0).prints(&["TRUSTED"]).says(&["a tag can be moved"]);
    verify(&["demo/registry:1.0", "--oci-layout=true", "--max-signatures", "1"]).ends(0);
    verify(&["demo/registry:1.0", "--plugin-config", "a=b", "--plugin-config", "a=c"]).refuses(2, &["usage-invalid"]);
    user.judging(&["verify", "--oci-layout", "demo/registry:1.0"]).ends(2).says(&["--scope"]);
}

#[test]
fn certificates_are_added_listed_shown_and_deleted() {
    let user = User::with_demo();
    let root = "demo/config/truststore/x509/ca/bulla-demo/root.pem";
    user.bulla(&["cert", "list"]).ends(0);
    let add = ["cert", "add", "--type", "ca", "--store", "acme", root];
    user.bulla(&add).ends(0).prints(&["root.pem is in the trust store ca:acme"]);
    let stored = config(&user).join("truststore/x509/ca/acme/root.pem");
    assert_eq!(fs::read(&stored).unwrap(), user.get(root));
    assert_eq!((mode(&stored), mode(stored.parent().unwrap())), (0o600, 0o700));
    // Conformance 13.13: never overwritten.
    user.put("other/root.pem", user.get("demo/config/truststore/x509/tsa/bulla-demo-tsa/root.pem"));
    user.bulla(&["cert", "add", "-t", "ca", "-s", "acme", "other/root.pem"]).refuses(2, &["already-exists"]);
    assert_eq!(fs::read(&stored).unwrap(), user.get(root));
    user.put("other/tsa.der", user.get("other/root.pem"));
    user.bulla(&["certificate", "add", "other/tsa.der", "-ttsa", "-sacme"]).ends(0).says(&[".pem, .crt or .cer"]);
    let all = user.bulla(&["cert", "ls"]).ends(0).stdout;
    assert_eq!(
        all,
        "STORE TYPE   STORE NAME   CERTIFICATE   \nca           acme         root.pem      \ntsa          acme         tsa.der       \n"
    );
    assert!(!user.bulla(&["cert", "list", "-t", "tsa"]).ends(0).stdout.contains("root.pem"));
    for nothing in [["--type", "frob"], ["--store", "other"]] {
        assert_eq!(user.bulla(&[&["cert", "list"], &nothing[..]].concat()).ends(0).stdout, "");
    }
    let shown = user.bulla(&["cert", "show", "root.pem", "-t", "ca", "-s", "acme"]).ends(0);
    shown.prints(&["Subject: CN=Bulla Demo Root,O=Bulla Demo,ST=Utrecht,C=NL\n", "IsCA: Yes\n", "SHA256 Thumbprint: "]);
    user.bulla(&["cert", "show", "absent.pem", "-t", "ca", "-s", "acme"]).refuses(4, &["not-found"]);
    for (kind, store, file) in
        [("frob", "acme", "root.pem"), ("ca", "../x", "root.pem"), ("ca", "acme", "../acme/root.pem")]
    {
        user.bulla(&["cert", "show", file, "-t", kind, "-s", store]).refuses(2, &["usage-invalid"]);
        user.bulla(&["cert", "delete", "-y", file, "-t", kind, "-s", store]).refuses(2, &["usage-invalid"]);
    }
    user.put("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    user.bulla(&["cert", "add", "key.pem", "-t", "ca", "-s", "acme"]).refuses(2, &["trust-store-invalid"]);
    user.bulla(&["cert", "delete", "root.pem", "-t", "ca", "-s", "acme", "--yes"]).ends(0);
    assert!(!stored.parent().unwrap().exists(), "an emptied store goes");
    user.bulla(&["cert", "delete", "root.pem", "-t", "ca", "-s", "acme", "-y"]).refuses(4, &["not-found"]);
}

#[test]
fn consent_is_y_or_yes_and_nothing_else() {
    let user = User::with_demo();
    let root = "demo/config/truststore/x509/ca/bulla-demo/root.pem";
    let stored = config(&user).join("truststore/x509/ca/acme/root.pem");
    let delete = ["cert", "delete", "--all", "-t", "ca", "-s", "acme"];
    user.bulla(&["cert", "add", root, "-t", "ca", "-s", "acme"]).ends(0);
    for refusal in ["n\n", "N\n", "\n", "yess\n", "ja\n", "no\ny\n"] {
        let ended = answering(&user, &delete, refusal).ends(0);
        assert_eq!(ended.stdout, "Delete the whole trust store ca:acme? [y/N] Operation cancelled.\n");
        assert!(stored.exists());
    }
    // Silence is no consent, and success.
    let ended = answering(&user, &delete, "").ends(0);
    assert_eq!(ended.stdout, "Delete the whole trust store ca:acme? [y/N] ");
    assert!(stored.exists());
    for consent in ["y", "Y\n", "yes\n", "YES\r\n", " yEs \n"] {
        answering(&user, &delete, consent).ends(0).prints(&["Deleted the whole trust store ca:acme"]);
        assert!(!stored.exists());
        user.bulla(&["cert", "add", root, "-t", "ca", "-s", "acme"]).ends(0);
    }
}

#[test]
fn keys_are_listed_and_the_file_is_notations() {
    // Conformance 13.05, 13.06.
    let user = User::new();
    let path = config(&user).join("signingkeys.json");
    let titles = user.bulla(&["key", "list"]).ends(0).stdout;
    assert!(titles.starts_with("NAME   KEY PATH   CERTIFICATE PATH   ID   PLUGIN NAME"), "{titles}");
    assert!(!path.exists(), "reading writes nothing");
    let add = |name: &str, more: &[&str]| {
        user.bulla(&[&["key", "add", "--plugin", "vault", "--id", "i", name], more].concat())
    };
    add("one", &[]).refuses(2, &["plugin-missing"]);
    assert!(!path.exists(), "a key that nothing can sign with is not listed");
    let plugin = config(&user).join("plugins/vault/notation-vault");
    fs::create_dir_all(plugin.parent().unwrap()).unwrap();
    fs::write(plugin, "").unwrap();
    add("one", &["--plugin-config", "a=b,c", "--plugin-config", "d=e"]).ends(0);
    add("two", &["--default"]).ends(0).prints(&["default"]);
    add("one", &[]).refuses(2, &["usage-invalid"]);
    user.bulla(&["key", "add", "three", "--plugin", "vault"]).fails(2, &["usage-invalid"]);
    assert_eq!(mode(&path), 0o600);
    let one = json!({"name": "one", "id": "i", "pluginName": "vault", "pluginConfig": {"a": "b,c", "d": "e"}});
    let two = json!({"name": "two", "id": "i", "pluginName": "vault"});
    assert_eq!(json_of(&path), json!({"default": "two", "keys": [one, two]}));
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\n    \"default\""), "four spaces deep");
    let listed = user.bulla(&["key", "ls"]).ends(0).stdout;
    assert!(listed.contains("\n* two ") && listed.contains("\none "), "{listed}");
    user.bulla(&["key", "update", "one"]).ends(0).says(&["--default"]);
    assert_eq!(json_of(&path)["default"], "two");
    user.bulla(&["key", "set", "--default", "one"]).ends(0);
    assert_eq!(json_of(&path)["default"], "one");
    user.bulla(&["key", "update", "--default", "absent"]).refuses(2, &["key-missing"]);
    user.bulla(&["key", "delete", "two", "absent"]).refuses(2, &["key-missing"]);
    assert_eq!(json_of(&path)["keys"].as_array().unwrap().len(), 2, "all or none");
    user.bulla(&["key", "delete", "two", "one"]).ends(0);
    assert_eq!(json_of(&path), json!({"keys": []}));
    let elsewhere = user.path("elsewhere.json");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    add("one", &[]).refuses(2, &["config-invalid"]);
    user.bulla(&["key", "list"]).refuses(2, &["config-invalid"]);
}

#[test]
fn policies_are_imported_and_shown() {
    // Conformance 7.01, 13.11: under the name that is in use, else the one that Notation 1 reads too.
    let user = User::with_demo();
    let (successors, new) = (config(&user).join("trustpolicy.oci.json"), config(&user).join("trustpolicy.json"));
    user.bulla(&["policy", "show"]).refuses(2, &["policy-missing"]);
    user.bulla(&["policy", "import", "demo/config/trustpolicy.json"]).ends(0);
    let policy = user.get("demo/config/trustpolicy.json");
    assert_eq!(fs::read(&new).unwrap(), policy);
    assert_eq!((mode(&new), mode(new.parent().unwrap())), (0o600, 0o700));
    assert_eq!(user.bulla(&["policy", "show"]).ends(0).stdout.as_bytes(), policy, "byte by byte");
    // Invalid ones change nothing.
    user.put("bad.json", "{}");
    user.put("more.json", [&policy[..], b"{}"].concat());
    for bad in ["bad.json", "more.json"] {
        user.bulla(&["policy", "import", bad, "--force"]).refuses(2, &["policy-invalid"]);
    }
    user.bulla(&["policy", "import", "absent.json"]).refuses(4, &["not-found"]);
    // Another one is asked about.
    let other = String::from_utf8(policy.clone()).unwrap().replace("strict", "audit");
    user.put("other.json", &other);
    let import = ["policy", "import", "other.json"];
    for answer in ["", "n\n"] {
        answering(&user, &import, answer).ends(0);
        assert_eq!(fs::read(&new).unwrap(), policy);
    }
    answering(&user, &import, "y\n").ends(0);
    assert_eq!(fs::read_to_string(&new).unwrap(), other);
    user.bulla(&["policy", "import", "demo/config/trustpolicy.json", "--force"]).ends(0).says(&["is overwritten"]);
    assert_eq!(fs::read(&new).unwrap(), policy);
    // The successor's name comes first where it is there, and stays; a policy that nobody reads any more goes.
    fs::copy(&new, &successors).unwrap();
    fs::write(&new, &other).unwrap();
    assert_eq!(user.bulla(&["policy", "show"]).ends(0).stdout.as_bytes(), policy);
    user.bulla(&["policy", "import", "other.json", "--force"]).ends(0);
    assert!(successors.exists() && !new.exists());
    assert_eq!(fs::read_to_string(&successors).unwrap(), other);
    fs::rename(&successors, &new).unwrap();
    // A broken one is shown, and an error.
    fs::write(&new, "{broken").unwrap();
    let shown = user.bulla(&["policy", "show"]).ends(2).says(&["policy-invalid"]);
    assert_eq!(shown.stdout, "{broken");
    user.bulla(&["policy", "import", "other.json", "--force"]).ends(0);
}

#[test]
fn a_first_policy_is_strict_and_works() {
    let user = User::with_demo();
    for (kind, store) in [("ca", "bulla-demo"), ("tsa", "bulla-demo-tsa")] {
        let root = format!("demo/config/truststore/x509/{kind}/{store}/root.pem");
        user.bulla(&["cert", "add", &root, "-t", kind, "-s", store]).ends(0);
    }
    let init = ["policy", "init", "--name", "first", "--scope", "registry.bulla.example/demo/hello"];
    let identity = "x509.subject: C=NL, ST=Utrecht, O=Bulla Demo";
    let trust =
        ["--trust-store", "ca:bulla-demo", "--trust-store", "tsa:bulla-demo-tsa", "--trusted-identity", identity];
    user.bulla(&[&init[..], &["--trust-store", "bulla-demo", "--trusted-identity", "*"]].concat())
        .refuses(2, &["policy-invalid"]);
    user.bulla(&[&init[..], &trust].concat()).ends(0);
    let policy = json_of(&config(&user).join("trustpolicy.json"));
    assert_eq!(policy["trustPolicies"][0]["signatureVerification"]["level"], "strict");
    user.bulla(&["verify", "demo/hello.bulla.tar"]).ends(0).prints(&["TRUSTED"]);
}

fn openssl(user: &User, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(user.folder()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_test_key_is_made_trusted_listed_and_removed() {
    let user = User::new();
    user.bulla(&["cert", "generate-test", "--default", "acme.example"]).ends(0).prints(&["good for a day"]);
    let folder = config(&user);
    let (key, certificate) = (folder.join("localkeys/acme.example.key"), folder.join("localkeys/acme.example.crt"));
    let trusted = folder.join("truststore/x509/ca/acme.example/acme.example.crt");
    // Conformance 13.07.
    assert_eq!((mode(&key), mode(&certificate), mode(&trusted)), (0o600, 0o644, 0o600));
    assert_eq!(mode(key.parent().unwrap()), 0o700);
    assert_eq!(fs::read(&certificate).unwrap(), fs::read(&trusted).unwrap());
    let entry = json!({"name": "acme.example", "keyPath": key, "certPath": certificate});
    assert_eq!(json_of(&folder.join("signingkeys.json")), json!({"default": "acme.example", "keys": [entry]}));
    if there("a_test_key_is_made_trusted_listed_and_removed", "openssl") {
        let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
        let text = openssl(&user, &["x509", "-in", &certificate, "-noout", "-text"]);
        for says in [
            "CA:FALSE",
            "Digital Signature",
            "Code Signing",
            "Public-Key: (2048 bit)",
            "Subject: C = US, ST = WA, L = Seattle, O = Notary, CN = acme.example",
        ] {
            assert!(text.contains(says), "no {says:?} in {text}");
        }
        openssl(&user, &["verify", "-check_ss_sig", "-purpose", "any", "-CAfile", &certificate, &certificate]);
        openssl(&user, &["x509", "-in", &certificate, "-noout", "-checkend", "86000"]);
        let public = openssl(&user, &["x509", "-in", &certificate, "-noout", "-pubkey"]);
        assert_eq!(openssl(&user, &["pkey", "-in", &key, "-pubout"]), public);
    }
    // Nothing is overwritten, whatever is in the way, and a second attempt leaves nothing half done.
    let before = contents(&folder);
    user.bulla(&["cert", "generate-test", "acme.example"]).refuses(2, &["already-exists"]);
    assert_eq!(contents(&folder), before);
    for bad in ["../x", "a/b", "", "a b", ".."] {
        user.bulla(&["cert", "generate-test", bad]).refuses(2, &["usage-invalid"]);
        user.bulla(&["cert", "cleanup-test", bad, "-y"]).refuses(2, &["usage-invalid"]);
    }
    user.bulla(&["cert", "generate-test", "x", "--bits", "1024"]).refuses(2, &["usage-invalid"]);
    assert_eq!(contents(&folder), before);
    let clean = ["cert", "cleanup-test", "acme.example"];
    answering(&user, &clean, "n\n").ends(0).prints(&["Operation cancelled."]);
    assert_eq!(contents(&folder), before);
    answering(&user, &clean, "y\n").ends(0);
    assert!(!key.exists() && !certificate.exists() && !trusted.parent().unwrap().exists());
    assert_eq!(json_of(&folder.join("signingkeys.json")), json!({"keys": []}));
    user.bulla(&["cert", "cleanup-test", "-y", "acme.example"]).ends(0);
}
