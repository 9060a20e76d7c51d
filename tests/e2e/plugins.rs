//! Signatures that demand a verification plugin, in every format, of every scheme, wherever they lie. The plugin is
//! `tests/plugin`, which writes its envelopes itself.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::cli::{Ended, statement};
use crate::support::content::Content;
use crate::support::openssl::{now, rfc3339};
use crate::support::plugin;
use crate::support::registry::{Options, Registry};
use crate::world::{SCOPE, World};

/// A layout `l` whose image is signed behind the plugin, which is demanded where the signature is judged.
fn demanding(test: &str, format: &str, scheme: &str) -> Option<World> {
    let world = World::new(test, &[])?;
    let user = &world.user;
    plugin::install(&user.home().join(".config/notation"), "test");
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.tag("v1", &image);
    content.write_layout(&user.path("l"));
    user.put("signer.key", world.pki.key_pem(&world.signer.leaf).as_bytes());
    user.put("signer.crt", world.pki.chain_pem(&world.signer.leaf).as_bytes());
    user.trusts("signingAuthority/e2e", &world.pki.pem(&world.signer.root));
    let time = format!("time={}", rfc3339(now()));
    let scheme = format!("scheme={scheme}");
    let mut sign = vec!["sign", "oci:l:v1", "--signature-format", format, "--id", "k", "--plugin", "test"];
    for told in
        ["key=signer.key", "chain=signer.crt", "capabilities=ENVELOPE", "wants=test", "critical=c", &time, &scheme]
    {
        sign.extend(["--plugin-config", told]);
    }
    user.bulla(&sign).ends(0);
    Some(world)
}

/// What the plugin is told to find the signature good.
const GOOD: [&str; 2] = ["capabilities=TRUSTED_IDENTITY,REVOCATION_CHECK", "processed=com.example.critical"];

fn told<'a>(words: &[&'a str], config: &[&'a str]) -> Vec<&'a str> {
    let config = config.iter().flat_map(|pair| ["--plugin-config", pair]);
    words.iter().copied().chain(config).collect()
}

/// The exit status, the verdict and everything that is said of the artifact but the name under which it was found.
fn judgement(ended: &Ended) -> (i32, Value, Value) {
    let mut report = ended.json();
    report["artifacts"][0].as_object_mut().unwrap().remove("reference");
    (ended.status, report["verdict"].clone(), report["artifacts"].clone())
}

#[test]
fn a_plugins_word_is_the_same_wherever_the_signature_lies() {
    const TEST: &str = "a_plugins_word_is_the_same_wherever_the_signature_lies";
    for (format, scheme, store) in [
        ("jws", "x509", "ca:e2e"),
        ("cose", "x509", "ca:e2e"),
        ("jws", "authority", "signingAuthority:e2e"),
        ("cose", "authority", "signingAuthority:e2e"),
    ] {
        let Some(mut world) = demanding(TEST, format, scheme) else { return };
        let policy = |level: &str| {
            let mut statement = statement(SCOPE, level, false);
            statement["trustStores"] = json!([store]);
            world.user.policy(&[statement]);
        };
        policy("strict");
        let bundle = world.export("l");
        let registry = Registry::start(Options::default());
        let to = registry.host();
        // An import judges as verify does, and is told as much: without that, the plugin can do nothing here.
        let refused = world.user.bulla(&["import", &bundle, "--to", "oci:out"]).ends(1);
        assert!(refused.text().contains("plugin-unsuitable") && !world.user.path("out").exists(), "{refused:?}");
        for destination in ["oci:out", &to] {
            world.user.bulla(&told(&["import", &bundle, "--to", destination], &GOOD)).ends(0);
        }
        let there = format!("{to}/app:v1");
        let at = rfc3339(now());
        let verify = |target: &str, config: &[&str]| {
            let words = ["verify", target, "--scope", SCOPE, "--offline", "--at", &at, "--format", "json"];
            let words = told(&words, config);
            if target != "-" {
                return world.user.bulla(&words);
            }
            let pipe = fs::File::open(world.user.path(&bundle)).unwrap();
            world.user.bulla_from(Stdio::from(pipe), &words)
        };
        for (level, config, status, code) in [
            ("strict", &GOOD[..], 0, None),
            ("strict", &[GOOD[0], GOOD[1], "identity=no"], 1, Some("plugin-rejected")),
            ("strict", &[GOOD[0], GOOD[1], "revocation=no"], 1, Some("plugin-rejected")),
            ("audit", &[GOOD[0], GOOD[1], "revocation=no", "identity=no"], 0, None),
            ("audit", &[GOOD[0]], 1, Some("critical-attribute-unknown")),
            ("audit", &[GOOD[0], GOOD[1], "identity=absent"], 1, Some("plugin-failed")),
            // bulla's own checks, where the plugin has not both capabilities.
            ("strict", &["capabilities=TRUSTED_IDENTITY", GOOD[1]], 0, None),
            ("strict", &["capabilities=REVOCATION_CHECK", GOOD[1]], 0, None),
        ] {
            policy(level);
            let what = format!("{format} {scheme} {level} {config:?}");
            let first = verify(&bundle, config);
            let expected = judgement(&first);
            assert_eq!(expected.0, status, "{what}: {first:?}");
            assert!(code.is_none_or(|code| expected.2.to_string().contains(code)), "{what}: {first:?}");
            for target in ["-", "oci:out", &there] {
                assert_eq!(judgement(&verify(target, config)), expected, "{what}: {target}");
            }
        }
        // Conformance 11.18: what the plugin hears of the scheme and its time.
        verify(&bundle, &told_to_record()).ends(0);
        let record = fs::read_to_string(world.user.path("record")).unwrap();
        let asked: Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
        let attributes = &asked["request"]["signature"]["criticalAttributes"];
        let by_authority = scheme == "authority";
        let name = if by_authority { "notary.x509.signingAuthority" } else { "notary.x509" };
        assert_eq!(attributes["signingScheme"], name, "{attributes}");
        assert_eq!(attributes.get("authenticSigningTime").is_some(), by_authority, "{attributes}");
        // Where the CRLs are neither carried nor to be had, the plugin's word on revocation still suffices.
        world.stop_serving();
        let layout = |config: &[&str]| {
            let words = ["verify", "oci:l:v1", "--scope", SCOPE, "--offline", "--format", "json"];
            world.user.bulla(&told(&words, config))
        };
        layout(&GOOD).ends(0);
        layout(&["capabilities=TRUSTED_IDENTITY", GOOD[1]]).says(5, &["crl-missing"]);
    }
}

fn told_to_record() -> [&'static str; 3] {
    [GOOD[0], GOOD[1], "record=record"]
}
