//! Notation's plugins, as the operator meets them. The plugin is `tests/plugin`: a program of its own that signs with openssl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::common::Ended;
use super::signers::World;
use crate::openssl::Key;
use crate::plugin::{install, program};

/// A world whose signer's key is behind the plugin `test`.
struct Behind {
    world: World,
    spec: &'static str,
}

impl Behind {
    fn new(test: &str, key: Key, spec: &'static str) -> Option<Self> {
        let world = World::new(test, key)?;
        install(&world.user.path("libexec"), "test");
        Some(Self { world, spec })
    }

    fn bulla(&self, arguments: &[&str]) -> Ended {
        let mut command = self.world.user.command(arguments);
        // Conformance 13.03.
        command.env("NOTATION_LIBEXEC", self.world.user.path("libexec"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("NOTATION_USERNAME", "user").env("NOTATION_PASSWORD", "secret");
        Ended::of(arguments, &mut command)
    }

    /// `bulla sign` or `bulla blob sign` with the key behind the plugin, which is told this beside.
    fn with(&self, command: &[&str], told: &[&str]) -> Ended {
        let spec = format!("spec={}", self.spec);
        let mut arguments = command.to_vec();
        arguments.extend(["--id", "the-key", "--plugin", "test"]);
        for pair in ["key=signer.key", "chain=signer.crt", "record=record", &spec].iter().chain(told) {
            arguments.extend(["--plugin-config", pair]);
        }
        self.bulla(&arguments)
    }

    fn sign(&self, told: &[&str]) -> Ended {
        self.with(&["sign", "layout:1.0"], told)
    }

    /// What the plugin was asked since the last time.
    fn record(&self) -> Vec<Value> {
        let text = String::from_utf8(self.world.user.get("record")).unwrap();
        fs::remove_file(self.world.user.path("record")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn commands(record: &[Value]) -> Vec<&str> {
    record.iter().map(|entry| entry["command"].as_str().unwrap()).collect()
}

#[test]
fn keys_of_all_six_kinds_sign_behind_a_plugin() {
    let name = "keys_of_all_six_kinds_sign_behind_a_plugin";
    for (key, spec, hash) in [
        (Key::P256, "EC-256", "SHA-256"),
        (Key::P384, "EC-384", "SHA-384"),
        (Key::P521, "EC-521", "SHA-512"),
        (Key::Rsa2048, "RSA-2048", "SHA-256"),
        (Key::Rsa3072, "RSA-3072", "SHA-384"),
        (Key::Rsa4096, "RSA-4096", "SHA-512"),
    ] {
        let Some(behind) = Behind::new(name, key, spec) else { return };
        for format in ["jws", "cose"] {
            behind.with(&["sign", "layout:1.0", "--signature-format", format], &[]).ends(0);
            // Conformance 11.04, 11.12, 11.14, 11.22: who it is, which key, the signature; nothing more, nothing kept.
            let record = behind.record();
            assert_eq!(commands(&record), ["get-plugin-metadata", "describe-key", "generate-signature"]);
            // Conformance 11.06, 11.09.
            assert!(record.iter().all(|entry| entry["secret"] == false));
            assert!(record.iter().all(|entry| entry["request"]["contractVersion"] == "1.0"));
            let asked = &record[2]["request"];
            assert_eq!([&asked["keyId"], &asked["keySpec"], &asked["hashAlgorithm"]], ["the-key", spec, hash]);
        }
        // Conformance 11.15, 11.24: what the plugin signed is what a verifier reads.
        let report = behind.world.verify("layout:1.0").ends(0).json();
        let text = report.to_string();
        assert_eq!(behind.world.signatures().len(), 2, "{text}");
        assert!(!text.contains("\"rejected\""), "{text}");
    }
}

#[test]
fn files_are_signed_behind_a_plugin() {
    // Conformance 11.21, 12.05: the key is described first, for it decides the hash.
    let Some(behind) = Behind::new("files_are_signed_behind_a_plugin", Key::P384, "EC-384") else { return };
    behind.world.user.put("file", "content");
    behind.with(&["blob", "sign", "file"], &[]).ends(0);
    assert_eq!(commands(&behind.record()), ["get-plugin-metadata", "describe-key", "generate-signature"]);
    let payload = behind.bulla(&["blob", "inspect", "file.jws.sig", "-o", "json"]).ends(0).json();
    let digest = payload["signedArtifact"]["digest"].as_str().unwrap().to_owned();
    assert!(digest.starts_with("sha384:"), "{payload:#}");
}

#[test]
fn a_plugins_key_has_a_name_and_the_command_line_the_last_word() {
    // Conformance 11.01, 11.26: below the configuration where nothing else is said.
    let name = "a_plugins_key_has_a_name_and_the_command_line_the_last_word";
    let Some(behind) = Behind::new(name, Key::P256, "EC-256") else { return };
    let user = &behind.world.user;
    install(&user.home().join(".config/notation"), "own");
    let told = ["key=no-such.key", "chain=signer.crt", "record=record"];
    let mut add = vec!["key", "add", "release", "--plugin", "own", "--id", "7", "--default"];
    told.iter().for_each(|pair| add.extend(["--plugin-config", pair]));
    user.bulla(&add).ends(0);
    let sign = |more: &[&str]| {
        let arguments = [&["sign", "layout:1.0"], more].concat();
        let mut command = user.command(&arguments);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Ended::of(&arguments, &mut command)
    };
    sign(&[]).fails(4, &["plugin-failed"]).says(&["declined generate-signature: ERROR: openssl does not sign"]);
    let _ = behind.record();
    sign(&["--plugin-config", "key=signer.key"]).ends(0);
    let config = &behind.record()[2]["request"]["pluginConfig"];
    assert_eq!([&config["key"], &config["chain"]], ["signer.key", "signer.crt"]);
}

#[test]
fn what_a_plugin_gets_wrong_is_found_and_nothing_is_stored() {
    let Some(behind) = Behind::new("what_a_plugin_gets_wrong_is_found_and_nothing_is_stored", Key::P256, "EC-256")
    else {
        return;
    };
    let before = behind.world.entries();
    let plugin = &["plugin-failed"][..];
    for (fault, at, status, codes, says) in [
        // Conformance 11.12, 11.10.
        ("wrong-name", "get-plugin-metadata", 4, plugin, "calls itself \"another\""),
        ("junk", "get-plugin-metadata", 4, plugin, "malformed"),
        // Conformance 11.13.
        ("wrong-key-id", "describe-key", 4, plugin, "about the key \"another\""),
        ("wrong-spec", "describe-key", 4, plugin, "another key or hash"),
        // Conformance 11.14, 11.16.
        ("wrong-key-id", "generate-signature", 4, plugin, "about the key \"another\""),
        ("wrong-algorithm", "generate-signature", 4, plugin, "signed with \"ECDSA-SHA-512\""),
        ("junk", "generate-signature", 4, plugin, "malformed"),
        // Conformance 11.24: signature and chain are checked here.
        ("wrong-signature", "generate-signature", 1, &["signature-invalid"], "no valid signature"),
        ("no-chain", "generate-signature", 2, &["key-invalid"], "signing chain"),
        ("leaf-only", "generate-signature", 2, &["key-invalid"], "signing chain"),
        ("backwards", "generate-signature", 2, &["key-invalid"], "signing chain"),
        // Conformance 11.07, 11.08.
        ("declines", "describe-key", 4, plugin, "ACCESS_DENIED: the key is locked; of=test"),
        ("dies", "generate-signature", 4, plugin, "panic: something broke"),
        // Conformance 11.05.
        ("endless", "generate-signature", 4, plugin, "more than 67108864 bytes to standard output"),
    ] {
        let ended = behind.sign(&[&format!("fault={fault}"), &format!("at={at}")]);
        assert_eq!(ended.status, status, "{fault} at {at}: {ended:?}");
        ended.fails(status, codes).says(&[says]);
    }
    behind.sign(&["contract=2.0"]).refuses(4, plugin).says(&["the contract 2.0"]);
    behind.sign(&["capabilities=TRUSTED_IDENTITY"]).fails(2, &["plugin-unsuitable"]);
    assert_eq!(behind.world.entries(), before);
}

#[test]
fn plugins_are_regular_files_under_their_name() {
    // Conformance 11.01 to 11.03.
    let Some(behind) = Behind::new("plugins_are_regular_files_under_their_name", Key::P256, "EC-256") else { return };
    let sign = |plugin: &str| behind.bulla(&["sign", "layout:1.0", "--id", "k", "--plugin", plugin]);
    sign("absent").refuses(2, &["plugin-missing"]);
    for path in ["../../work/evil", "..", "a/b", "/bin/sh"] {
        sign(path).refuses(2, &["usage-invalid"]);
    }
    let folder = behind.world.user.path("libexec/plugins/linked");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(program(), folder.join("notation-linked")).unwrap();
    sign("linked").refuses(2, &["plugin-missing"]);
    fs::remove_file(folder.join("notation-linked")).unwrap();
    fs::write(folder.join("notation-linked"), "touch ran\n").unwrap();
    fs::set_permissions(folder.join("notation-linked"), fs::Permissions::from_mode(0o755)).unwrap();
    sign("linked").refuses(4, &["plugin-failed"]).says(&["could not be started"]);
    assert!(!behind.world.user.path("ran").exists());
}

/// The time for envelopes that the plugin makes, as it is told.
pub fn now(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    bulla::time::UnixTime::from_seconds(i64::try_from(now).unwrap() + seconds).to_string()
}

#[test]
fn a_plugin_makes_whole_envelopes() {
    let Some(behind) = Behind::new("a_plugin_makes_whole_envelopes", Key::P256, "EC-256") else { return };
    let (time, envelope) = (format!("time={}", now(0)), "capabilities=ENVELOPE");
    let sign = |more: &[&str], told: &[&str]| {
        behind.with(&[&["sign", "layout:1.0"], more].concat(), &[&[envelope, time.as_str()], told].concat())
    };
    // Conformance 2.27, 11.17, 11.21, 11.25: what comes back is verified, and annotations may come on top.
    sign(&["-m", "build=7"], &["payload=url"]).ends(0);
    let record = behind.record();
    assert_eq!(commands(&record), ["get-plugin-metadata", "generate-envelope"]);
    let asked = &record[1]["request"];
    assert_eq!(asked["payloadType"], "application/vnd.cncf.notary.payload.v1+json");
    assert_eq!(asked["signatureEnvelopeType"], "application/jose+json");
    assert!(asked.get("expiryDurationInSeconds").is_none(), "{asked}");
    // Conformance 1.13, 11.17: what it annotates goes into the manifest, and to where the layout lists it; what follows from
    // the envelope wins.
    let annotations = behind.world.signatures()[0]["annotations"].clone();
    assert_eq!((annotations["from"].as_str(), annotations.as_object().unwrap().len()), (Some("test"), 3));
    assert_eq!(behind.world.entries()[1]["annotations"], annotations);
    sign(&["--expiry", "1h"], &[&format!("expiry={}", now(3600)), "annotations=overriding"]).ends(0);
    let overriding = behind.world.signatures()[1]["annotations"].clone();
    let thumbprints = "io.cncf.notary.x509chain.thumbprint#S256";
    assert_eq!([&overriding["from"], &overriding[thumbprints]], [&annotations["from"], &annotations[thumbprints]]);
    assert!(overriding["org.opencontainers.image.created"] != "never" && annotations[thumbprints] != "[]");
    assert_eq!(behind.record()[1]["request"]["expiryDurationInSeconds"], 3600);
    behind.world.verify("layout:1.0").ends(0);
    let before = behind.world.entries();
    for (told, says) in [
        ("payload=digest", "signs something else"),
        ("payload=size", "signs something else"),
        ("payload=annotation", "changes or drops the annotation \"build\""),
        ("payload=member", "has the member \"extra\""),
        ("payload=top", "has the member \"extra\""),
        ("payload=seal", "has the annotation \"vnd.bulla.purpose\", which nobody asked for"),
        ("annotations=many", "asks for annotations of 131076 bytes"),
        ("annotations=numbers", "malformed"),
        ("fault=wrong-type", "an envelope of the type \"application/cose\""),
        ("chain=root.pem", "cannot be used"),
    ] {
        behind.world.user.put("root.pem", behind.world.pki.pem(&behind.world.signer.root));
        sign(&["-m", "build=7"], &[told]).refuses(4, &["plugin-failed"]).says(&[says]);
    }
    // Conformance 9.31, 11.25: no timestamp by the host. 11.21, 11.23: nor a file without the capability for files.
    let stamp = ["--timestamp-url", "http://127.0.0.1:9", "--timestamp-root-cert", "root.pem"];
    sign(&stamp, &[]).refuses(2, &["usage-invalid"]);
    behind.world.user.put("file", "content");
    behind.with(&["blob", "sign", "file"], &[envelope, &time]).fails(2, &["plugin-unsuitable"]);
    assert_eq!(behind.world.entries(), before);
    let _ = behind.record();
    // Conformance 11.21, 11.23: with it, the key is described before the file is hashed.
    behind.with(&["blob", "sign", "file"], &["capabilities=ENVELOPE_FOR_BLOB", &time]).ends(0);
    assert_eq!(commands(&behind.record()), ["get-plugin-metadata", "describe-key", "generate-envelope"]);
    let verify = ["blob", "verify", "file", "-s", "file.jws.sig", "--trust-store", "trust", "--policy", "blobs.json"];
    behind.bulla(&verify).ends(0);
    // Conformance 11.22.
    sign(&[], &["capabilities=ENVELOPE,RAW"]).ends(0);
    assert_eq!(commands(&behind.record()), ["get-plugin-metadata", "describe-key", "generate-signature"]);
}

/// A layout with one signature that demands the plugin `test`.
fn demanding(test: &str, told: &[&str]) -> Option<Behind> {
    let behind = Behind::new(test, Key::P256, "EC-256")?;
    let (time, envelope) = (format!("time={}", now(0)), "capabilities=ENVELOPE");
    behind.sign(&[&[envelope, time.as_str(), "wants=test"], told].concat()).ends(0);
    let _ = behind.record();
    Some(behind)
}

impl Behind {
    /// `bulla verify`, the plugin having both capabilities unless told otherwise.
    fn verify(&self, told: &[&str]) -> Ended {
        let trust = ["--trust-store", "trust", "--policy", "policy.json", "--scope", super::signers::SCOPE];
        let mut arguments = [&["verify", "layout:1.0", "--format", "json"], &trust[..]].concat();
        let mut all = vec!["record=record"];
        if !told.iter().any(|pair| pair.starts_with("capabilities=")) {
            all.push("capabilities=TRUSTED_IDENTITY,REVOCATION_CHECK");
        }
        all.extend(told);
        for pair in all {
            arguments.extend(["--plugin-config", pair]);
        }
        self.bulla(&arguments)
    }

    /// The policy of [`World::policy`], changed.
    fn policy(&self, level: Value, identities: Value) {
        let mut policy = self.world.user.json("policy.json");
        policy["trustPolicies"][0]["signatureVerification"] = level;
        policy["trustPolicies"][0]["trustedIdentities"] = identities;
        self.world.user.put("policy.json", policy.to_string());
    }
}

#[test]
fn a_verification_plugin_judges_signers_and_revocation() {
    let told = ["critical=c", "note=n", "least=1.2.0"];
    let Some(behind) = demanding("a_verification_plugin_judges_signers_and_revocation", &told) else { return };
    let good = ["version=1.2.0+build", "processed=com.example.critical"];
    let with = |more: &[&str]| behind.verify(&[&good, more].concat());
    with(&[]).ends(0);
    // Conformance 8.33, 11.18, 11.19: what it is told.
    let record = behind.record();
    assert_eq!(commands(&record), ["get-plugin-metadata", "verify-signature"]);
    let asked = &record[1]["request"];
    let attributes = &asked["signature"]["criticalAttributes"];
    assert_eq!(attributes["contentType"], "application/vnd.cncf.notary.payload.v1+json");
    assert_eq!(attributes["signingScheme"], "notary.x509");
    assert_eq!(attributes["expiry"], "0001-01-01T00:00:00Z");
    assert_eq!(attributes["verificationPlugin"], "test");
    assert_eq!(attributes["verificationPluginMinVersion"], "1.2.0");
    assert_eq!(attributes["extendedAttributes"]["com.example.critical"], "c");
    assert!(attributes.get("authenticSigningTime").is_none(), "{attributes}");
    let names = serde_json::json!(["com.example.critical", "com.example.note"]);
    assert_eq!(asked["signature"]["unprocessedAttributes"], names);
    assert_eq!(asked["signature"]["certificateChain"].as_array().unwrap().len(), 3);
    let both = ["SIGNATURE_VERIFIER.TRUSTED_IDENTITY", "SIGNATURE_VERIFIER.REVOCATION_CHECK"];
    assert_eq!(asked["trustPolicy"]["signatureVerification"], serde_json::json!(both));
    assert_eq!(asked["trustPolicy"]["trustedIdentities"].as_array().unwrap().len(), 1);
    // Conformance 8.34: its results count as the policy says.
    for bad in ["identity=no", "revocation=no"] {
        let report = with(&[bad]).ends(1);
        assert!(report.stdout.contains("plugin-rejected") && report.stdout.contains("says no"), "{report:?}");
    }
    // Conformance 8.34 to 8.36, 14.02: fatal, whatever the level.
    for level in ["strict", "audit"] {
        behind.policy(serde_json::json!({"level": level}), serde_json::json!(["*"]));
        for (told, code) in [
            (&["identity=absent"][..], "plugin-failed"),
            (&["fault=junk", "at=verify-signature"], "plugin-failed"),
            (&["fault=dies", "at=get-plugin-metadata"], "plugin-failed"),
            (&["processed=com.example.note"], "critical-attribute-unknown"),
            // Conformance 8.10, 8.12.
            (&["version=1.1.9"], "plugin-unsuitable"),
            (&["version=1.2.0-rc.1"], "plugin-unsuitable"),
            (&["version=new"], "plugin-unsuitable"),
            (&["capabilities=RAW"], "plugin-unsuitable"),
        ] {
            // What is given last counts, here and in no real command line.
            let kept = |pair: &&&str| !told.iter().any(|other| other.split('=').next() == pair.split('=').next());
            let all: Vec<&str> = good.iter().filter(kept).chain(told).copied().collect();
            let report = behind.verify(&all).ends(1);
            assert!(report.stdout.contains(code), "{told:?} at {level}: {report:?}");
        }
    }
    with(&["identity=no", "revocation=no"]).ends(0);
}

#[test]
fn a_plugin_replaces_what_it_can_do_and_nothing_else() {
    let Some(behind) = demanding("a_plugin_replaces_what_it_can_do_and_nothing_else", &[]) else { return };
    let other = serde_json::json!(["x509.subject: C=NL, ST=Utrecht, O=Other"]);
    behind.policy(serde_json::json!({"level": "strict"}), other);
    // Conformance 11.28: its word on identities counts; 11.27: without it, the policy's own check does.
    behind.verify(&["capabilities=TRUSTED_IDENTITY"]).ends(0);
    behind.verify(&["capabilities=REVOCATION_CHECK"]).ends(1).prints(&["identity-untrusted"]);
    let _ = behind.record();
    // Conformance 8.33: what the policy skips is not asked for, and then perhaps nothing is.
    let skip = serde_json::json!({"level": "strict", "override": {"revocation": "skip"}});
    behind.policy(skip, serde_json::json!(["*"]));
    behind.verify(&["capabilities=REVOCATION_CHECK", "revocation=no"]).ends(0);
    assert_eq!(commands(&behind.record()), ["get-plugin-metadata"]);
    // Conformance 8.11: for a signer whom nobody knows no program runs.
    behind.policy(serde_json::json!({"level": "strict"}), serde_json::json!(["*"]));
    let stranger = behind.world.pki.chain("stranger", Key::P256, crate::openssl::Use::Signing);
    behind.world.user.put("trust/ca/e2e/root.pem", behind.world.pki.pem(&stranger.root));
    behind.verify(&[]).ends(1).prints(&["chain-untrusted"]);
    assert!(!behind.world.user.path("record").exists());
}

#[test]
fn a_signature_that_demands_an_absent_plugin_is_bad_at_every_level() {
    // Conformance 8.10, 14.16, 11.03: the name in a signature is never a path.
    let name = "a_signature_that_demands_an_absent_plugin_is_bad_at_every_level";
    for (wants, code) in [("wants=gone", "plugin-required"), ("wants=../../evil", "envelope-malformed")] {
        let Some(behind) = Behind::new(name, Key::P256, "EC-256") else { return };
        let time = format!("time={}", now(0));
        let signed = behind.sign(&["capabilities=ENVELOPE", &time, wants]);
        if code == "envelope-malformed" {
            signed.refuses(4, &["plugin-failed"]).says(&["is no name of a plugin"]);
            continue;
        }
        signed.ends(0);
        for level in ["strict", "permissive", "audit"] {
            behind.policy(serde_json::json!({"level": level}), serde_json::json!(["*"]));
            behind.verify(&[]).ends(1).prints(&[code, "plugin install"]);
        }
    }
}
