//! The plugin of these tests under Notation itself: what is asked of it there and here, and what comes of its answers.

use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use super::common::{Ended, there};
use super::signers::{SCOPE, World};
use crate::openssl::Key;
use crate::plugin::install;

/// A world whose signer's key is behind the plugin `test`, for Notation too.
struct Both {
    world: World,
    spec: &'static str,
}

impl Both {
    fn new(test: &str, key: Key, spec: &'static str) -> Option<Self> {
        if !there(test, "notation") {
            return None;
        }
        let world = World::new(test, key)?;
        install(&world.user.path("libexec"), "test");
        let both = Self { world, spec };
        both.policy(&json!({"level": "strict"}), &["x509.subject: C=NL, ST=Utrecht, O=E2E"]);
        Some(both)
    }

    /// The policy that both go by.
    fn policy(&self, verification: &Value, identities: &[&str]) {
        let home = self.world.user.home().join(".config/notation");
        let store = home.join("truststore/x509/ca/e2e");
        fs::create_dir_all(&store).unwrap();
        fs::write(store.join("root.pem"), self.world.user.get("trust/ca/e2e/root.pem")).unwrap();
        let policy = json!({"version": "1.0", "trustPolicies": [{"name": "e2e", "registryScopes": [SCOPE],
            "signatureVerification": verification, "trustStores": ["ca:e2e"], "trustedIdentities": identities}]});
        fs::write(home.join("trustpolicy.json"), policy.to_string()).unwrap();
    }

    fn run(&self, program: Program, arguments: &[&str]) -> Ended {
        let mut command = match program {
            Program::Bulla => self.world.user.command(arguments),
            Program::Notation => {
                let mut command = assert_cmd::Command::new("notation");
                command.args(arguments).current_dir(self.world.user.folder());
                command.env_clear().env("HOME", self.world.user.home()).env("NOTATION_EXPERIMENTAL", "1");
                command
            }
        };
        command.env("NOTATION_LIBEXEC", self.world.user.path("libexec"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("NOTATION_USERNAME", "user").env("NOTATION_PASSWORD", "secret");
        Ended::of(arguments, &mut command)
    }

    /// Signs the layout; the plugin is told this beside the usual.
    fn sign(&self, program: Program, more: &[&str], told: &[&str]) -> Ended {
        let spec = format!("spec={}", self.spec);
        let mut arguments = vec!["sign", "--oci-layout", "layout:1.0", "--id", "the-key", "--plugin", "test"];
        arguments.extend(more);
        if program == Program::Bulla {
            arguments.push("--legacy-manifest");
        }
        for pair in ["key=signer.key", "chain=signer.crt", "record=record", &spec].iter().chain(told) {
            arguments.extend(["--plugin-config", pair]);
        }
        self.run(program, &arguments)
    }

    fn verify(&self, program: Program, told: &[&str]) -> Ended {
        let mut arguments = vec!["verify", "--oci-layout", "layout:1.0", "--scope", SCOPE];
        for pair in ["record=record"].iter().chain(told) {
            arguments.extend(["--plugin-config", pair]);
        }
        self.run(program, &arguments)
    }

    /// What the plugin was asked since the last time, and by what name.
    fn record(&self) -> Vec<(String, Value)> {
        let path = self.world.user.path("record");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries
            .map(|entry| {
                assert_eq!(entry["secret"], false, "11.06: the registry's password stays out of it");
                let (command, mut request) = (entry["command"].as_str().unwrap().to_owned(), entry["request"].clone());
                // Conformance 11.09: the specification has it in every request, Notation not in the first.
                if command == "get-plugin-metadata" {
                    request.as_object_mut().unwrap().remove("contractVersion");
                }
                (command, request)
            })
            .collect()
    }

    /// The layout without any signature.
    fn unsigned(&self) {
        let index = json!({"schemaVersion": 2, "manifests": [self.world.root]});
        self.world.user.put("layout/index.json", index.to_string());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Program {
    Bulla,
    Notation,
}

const BOTH: [Program; 2] = [Program::Notation, Program::Bulla];

/// The to-be-signed bytes of a JWS, without what differs from one second to the next.
fn signing_input(request: &mut Value) -> Value {
    let bytes = BASE64_STANDARD.decode(request["payload"].take().as_str().unwrap()).unwrap();
    let parts = String::from_utf8(bytes).unwrap();
    let decoded = parts.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut documents: Vec<Value> = decoded.map(|part| serde_json::from_slice(&part).unwrap()).collect();
    let time = documents[0]["io.cncf.notary.signingTime"].take();
    assert!(time.is_string(), "{documents:?}");
    documents.into()
}

/// Conformance 11.12 to 11.15, 11.26.
#[test]
fn a_plugin_that_signs_is_asked_the_same() {
    for (key, spec) in [(Key::P256, "EC-256"), (Key::Rsa3072, "RSA-3072"), (Key::P521, "EC-521")] {
        let Some(both) = Both::new("a_plugin_that_signs_is_asked_the_same", key, spec) else { return };
        let [theirs, ours] = BOTH.map(|program| {
            both.unsigned();
            both.sign(program, &["-m", "build=7"], &[]).ends(0);
            for judge in BOTH {
                both.verify(judge, &[]).ends(0);
            }
            let mut record = both.record();
            let documents = signing_input(&mut record[2].1);
            (record, documents)
        });
        assert_eq!(theirs, ours);
        for program in BOTH {
            both.unsigned();
            both.sign(program, &["--signature-format", "cose"], &[]).ends(0);
            for judge in BOTH {
                both.verify(judge, &[]).ends(0);
            }
        }
    }
}

/// What is told to a plugin that makes whole envelopes, and to one that verifies (conformance 11.17 to 11.20).
#[test]
fn a_plugin_that_verifies_is_asked_the_same() {
    let Some(both) = Both::new("a_plugin_that_verifies_is_asked_the_same", Key::P256, "EC-256") else { return };
    let time = format!("time={}", super::plugins::now(0));
    let told = ["capabilities=ENVELOPE", &time, "wants=test", "critical=c", "note=n", "least=1.2.0"];
    let capabilities = "capabilities=TRUSTED_IDENTITY,REVOCATION_CHECK";
    let good = [capabilities, "version=1.2.0", "processed=com.example.critical,com.example.note"];
    let [theirs, ours] = BOTH.map(|program| {
        both.unsigned();
        both.sign(program, &["-m", "build=7"], &told).ends(0);
        let mut record = both.record();
        // The payload's members stand in another order.
        let payload = BASE64_STANDARD.decode(record[1].1["payload"].take().as_str().unwrap()).unwrap();
        (record, serde_json::from_slice::<Value>(&payload).unwrap())
    });
    assert_eq!(theirs, ours);
    let [mut theirs, mut ours] = BOTH.map(|judge| {
        both.verify(judge, &good).ends(0);
        both.record()
    });
    let chains = [&mut theirs, &mut ours].map(|record| {
        for list in ["/signature/unprocessedAttributes", "/trustPolicy/signatureVerification"] {
            let list = record[1].1.pointer_mut(list).unwrap();
            list.as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
        record[1].1["signature"]["certificateChain"].take()
    });
    assert_eq!(chains[0], chains[1]);
    // The specification says that these are told; Notation does not tell them (conformance 11.19).
    let attributes = ours[1].1["signature"]["criticalAttributes"].as_object_mut().unwrap();
    assert_eq!(attributes.remove("verificationPlugin").unwrap(), "test");
    assert_eq!(attributes.remove("verificationPluginMinVersion").unwrap(), "1.2.0");
    assert_eq!(theirs, ours);
    // What comes of its answers (conformance 8.10, 8.12, 8.33 to 8.36, 11.28).
    let other = ["x509.subject: C=NL, ST=Utrecht, O=Other"];
    let skip = json!({"level": "strict", "override": {"revocation": "skip"}});
    let (strict, audit) = (json!({"level": "strict"}), json!({"level": "audit"}));
    for (verification, identities, told) in [
        (&strict, &["*"][..], &["identity=no"][..]),
        (&strict, &["*"], &["revocation=no"]),
        (&audit, &["*"], &["identity=no", "revocation=no"]),
        (&strict, &["*"], &["identity=absent"]),
        (&audit, &["*"], &["identity=absent"]),
        (&strict, &other, &[]),
        (&strict, &other, &["capabilities=REVOCATION_CHECK"]),
        (&strict, &other, &["capabilities=TRUSTED_IDENTITY"]),
        (&skip, &["*"], &["revocation=no"]),
        (&audit, &["*"], &["fault=junk", "at=verify-signature"]),
        (&audit, &["*"], &["fault=dies", "at=get-plugin-metadata"]),
        (&audit, &["*"], &["fault=wrong-name"]),
        (&audit, &["*"], &["version=1.1.9"]),
        (&audit, &["*"], &["version=1.2.0-rc.1"]),
        (&audit, &["*"], &["version=1.2.0+build"]),
        (&audit, &["*"], &["version=new"]),
        (&audit, &["*"], &["capabilities=RAW"]),
        (&audit, &["*"], &["contract=2.0"]),
        (&audit, &["*"], &["processed=com.example.note"]),
    ] {
        both.policy(verification, identities);
        let name = |pair: &str| pair.split('=').next().unwrap().to_owned();
        let kept = good.iter().filter(|pair| !told.iter().any(|other| name(other) == name(pair)));
        let all: Vec<&str> = kept.chain(told).copied().collect();
        let [theirs, ours] = BOTH.map(|judge| both.verify(judge, &all));
        assert_eq!(theirs.status == 0, ours.status == 0, "{verification} {told:?}\n{theirs:?}\n{ours:?}");
    }
}

/// What a plugin gets wrong when it signs: nothing is stored, there or here.
#[test]
fn what_a_plugin_gets_wrong_is_found_by_both() {
    let Some(both) = Both::new("what_a_plugin_gets_wrong_is_found_by_both", Key::P256, "EC-256") else { return };
    both.world.user.put("root.pem", both.world.pki.pem(&both.world.signer.root));
    let time = format!("time={}", super::plugins::now(0));
    let (raw, envelope) = (["capabilities=RAW"], ["capabilities=ENVELOPE", time.as_str()]);
    let wrong: &[(&[&str], &[&str])] = &[
        (&raw, &["fault=junk"]),
        (&raw, &["fault=junk", "at=describe-key"]),
        (&raw, &["fault=junk", "at=generate-signature"]),
        (&raw, &["fault=declines"]),
        (&raw, &["fault=dies"]),
        (&raw, &["fault=wrong-key-id"]),
        (&raw, &["fault=wrong-name"]),
        (&raw, &["fault=wrong-spec"]),
        (&raw, &["fault=wrong-signature"]),
        (&raw, &["fault=no-chain", "at=generate-signature"]),
        (&raw, &["fault=leaf-only", "at=generate-signature"]),
        (&raw, &["fault=backwards", "at=generate-signature"]),
        (&raw, &["contract=2.0"]),
        (&raw, &["version=new"]),
        (&["capabilities=TRUSTED_IDENTITY"], &[]),
        (&envelope, &[]),
        (&envelope, &["payload=digest"]),
        (&envelope, &["payload=size"]),
        (&envelope, &["payload=annotation"]),
        (&envelope, &["payload=member"]),
        (&envelope, &["payload=top"]),
        (&envelope, &["payload=url"]),
        (&envelope, &["fault=wrong-type"]),
        (&envelope, &["chain=root.pem"]),
        (&["capabilities=ENVELOPE_FOR_BLOB"], &[&time]),
    ];
    for (capabilities, told) in wrong {
        let told = [*capabilities, *told].concat();
        let [theirs, ours] = BOTH.map(|program| {
            both.unsigned();
            both.sign(program, &["-m", "build=7"], &told)
        });
        assert_eq!(theirs.status == 0, ours.status == 0, "{told:?}\n{theirs:?}\n{ours:?}");
    }
}

/// Plugins as they lie, and the list of them.
#[test]
fn plugins_are_listed_alike() {
    let Some(both) = Both::new("plugins_are_listed_alike", Key::P256, "EC-256") else { return };
    let folder = both.world.user.path("libexec/plugins");
    fs::create_dir_all(folder.join("empty")).unwrap();
    fs::write(folder.join("file"), "no folder").unwrap();
    let listed = |program: Program| {
        let text = both.run(program, &["plugin", "list"]).ends(0).stdout;
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        text.lines().filter_map(first).collect::<Vec<_>>()
    };
    assert_eq!(listed(Program::Notation), listed(Program::Bulla));
    assert!(listed(Program::Bulla).contains(&"test".to_owned()));
    for (installs, removes) in [(Program::Notation, Program::Bulla), (Program::Bulla, Program::Notation)] {
        let elsewhere = both.world.user.path("made/notation-own");
        fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
        fs::copy(folder.join("test/notation-test"), &elsewhere).unwrap();
        both.run(installs, &["plugin", "install", "--file", "made/notation-own"]).ends(0);
        assert!(Path::new(&folder.join("own/notation-own")).is_file());
        assert!(listed(removes).contains(&"own".to_owned()));
        both.run(removes, &["plugin", "uninstall", "own", "-y"]).ends(0);
        assert!(!listed(installs).contains(&"own".to_owned()));
    }
}
