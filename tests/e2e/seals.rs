//! Sealed bundles: who sealed them, and what becomes of a bundle without a seal, with another's, or with a bad one.

use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bulla::archive::{BundleWriter, Compression, Seal, SealMembers};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, Manifest, MediaType};
use bulla::store::bundle::BundleStore;
use bulla::store::{ContentKind, ContentStore as _};
use serde_json::{Value, json};

use crate::support::cli::{Ended, statement};
use crate::support::content::{Content, Form, fallback_tag, get_manifest};
use crate::support::http::request;
use crate::support::openssl::{Chain, DAY, Holder, Key, Signing, Use, now, rfc3339};
use crate::support::plugin;
use crate::support::tools::{self, DockerRegistry};
use crate::world::{SCOPE, World};

const SEALS: &str = "bulla.invalid/seal";

/// A statement for seals that trusts the store `ca/NAME`.
fn seals(scope: &str, store: &str, level: &str) -> Value {
    let mut statement = statement(scope, level, false);
    statement["name"] = json!("seals");
    statement["trustStores"] = json!([format!("ca:{store}")]);
    if level == "skip" {
        statement.as_object_mut().unwrap().remove("trustStores");
        statement.as_object_mut().unwrap().remove("trustedIdentities");
    }
    statement
}

/// A world in which somebody seals: the carrier's own key, of another authority than the publisher's.
struct Sealing {
    world: World,
    sealer: Chain,
}

impl Sealing {
    fn new(test: &str) -> Option<Self> {
        let world = World::new(test, &[])?;
        let sealer = world.pki.chain("seal", Key::P384, Use::Signing);
        let sealing = Self { world, sealer };
        for authority in [&sealing.sealer.root, &sealing.sealer.inter] {
            sealing.world.serve(authority, &sealing.world.pki.crl(authority));
        }
        sealing.world.user.trusts("ca/sealers", &sealing.world.pki.pem(&sealing.sealer.root));
        sealing.policy(&[seals(SEALS, "sealers", "strict")]);
        sealing.world.signed_layout("l", &Signing::default());
        sealing.put_key("sealer", &sealing.sealer);
        Some(sealing)
    }

    fn put_key(&self, name: &str, chain: &Chain) {
        let (pki, user) = (&self.world.pki, &self.world.user);
        user.put(&format!("{name}.key"), pki.key_pem(&chain.leaf).as_bytes());
        user.put(&format!("{name}.pem"), pki.chain_pem(&chain.leaf).as_bytes());
    }

    /// The policy: the artifact's statement, and these.
    fn policy(&self, more: &[Value]) {
        let own = [statement(SCOPE, "strict", false)];
        self.world.user.policy(&own.iter().chain(more).cloned().collect::<Vec<_>>());
    }

    fn export(&self, bundle: &str, key: &str, more: &[&str]) -> Ended {
        let name = format!("{SCOPE}:v1");
        let (key, chain) = (format!("{key}.key"), format!("{key}.pem"));
        let words = ["export", "oci:l:v1", "--as", &name, "-o", bundle, "--seal", &key];
        self.world.user.bulla(&[&words[..], &["--seal-certificate-chain", &chain], more].concat())
    }

    fn verify(&self, bundle: &str, more: &[&str]) -> Ended {
        self.world.user.offline(&[&["verify", bundle, "--format", "json"], more].concat())
    }

    /// The verdict on the seal, and on the only artifact with its codes.
    #[track_caller]
    fn expect(&self, ended: &Ended, status: i32, seal: &str, artifact: &str, codes: &[&str]) {
        assert_eq!(ended.status, status, "{ended:?}");
        let report = ended.json();
        assert_eq!(report["seal"]["verdict"], seal, "{ended:?}");
        assert_eq!(report["artifacts"][0]["verdict"], artifact, "{ended:?}");
        assert_eq!(report["artifacts"][0]["codes"], json!(codes), "{ended:?}");
        let claims = report["notices"].as_array().into_iter().flatten().any(|n| n["code"] == "names-are-claims");
        assert_eq!(claims, seal != "trusted", "names are claims without a trusted seal: {ended:?}");
    }
}

#[test]
fn a_sealed_bundle_says_who_sealed_it_with_every_key_and_format() {
    const TEST: &str = "a_sealed_bundle_says_who_sealed_it_with_every_key_and_format";
    let Some(sealing) = Sealing::new(TEST) else { return };
    for (format, bundle) in [("jws", "jws.tar"), ("cose", "cose.tar.zst")] {
        sealing.export(bundle, "sealer", &["--seal-format", format]).says(0, &["sealed sha256:"]);
        let ended = sealing.verify(bundle, &["--require-seal"]);
        sealing.expect(&ended, 0, "trusted", "trusted", &[]);
        let seal = &ended.json()["seal"];
        assert_eq!(seal["signature"]["signer"]["subject"], sealing.sealer.leaf.subject());
        // Both that it is genuine and that it was made to seal.
        assert_eq!(seal["signature"]["userMetadata"], json!({"vnd.bulla.purpose": "bundle-seal"}));
        let integrity = seal["signature"]["checks"][0]["message"].as_str().unwrap();
        assert!(integrity.ends_with("made to seal it"), "{integrity}");
        assert_eq!(seal["policy"], json!({"scope": SEALS, "statement": "seals", "level": "strict", "pattern": SEALS}));
        // Its own revocation data came along: two CRLs, of an authority that signed no artifact.
        assert_eq!(seal["signature"]["evidence"].as_array().unwrap().len(), 2);
    }
    let world = &sealing.world;
    let subject = sealing.sealer.leaf.subject();
    world.user.bulla(&["verify", "jws.tar"]).says(0, &[&format!("seal: TRUSTED by {subject} (policy seals)")]);
    // To look is not to judge, and what is not judged is not denied.
    let inspected =
        world.user.bulla(&["inspect", "jws.tar"]).says(0, &["note[names-are-claims]: no seal is judged here"]);
    assert!(!inspected.text().contains("not sealed"), "{inspected:?}");
    // The receipt tells; the seal itself goes nowhere.
    let import = ["import", "cose.tar.zst", "--to", "oci:in", "--receipt", "r.json", "--require-seal"];
    world.user.bulla(&import).ends(0);
    let receipt = world.user.json("r.json");
    assert_eq!(receipt["seal"]["verdict"], "trusted");
    assert_eq!(receipt["seal"]["signer"], subject);
    let signature = receipt["seal"]["signature"].as_str().unwrap().replace(':', "/");
    assert!(!world.user.path("in/blobs").join(signature).exists(), "no part of a repository");
}

#[test]
fn an_unsealed_bundle_passes_unless_a_seal_is_required() {
    let Some(sealing) = Sealing::new("an_unsealed_bundle_passes_unless_a_seal_is_required") else { return };
    let bundle = sealing.world.export("l");
    sealing.expect(&sealing.verify(&bundle, &[]), 0, "absent", "trusted", &[]);
    sealing.expect(&sealing.verify(&bundle, &["--require-seal"]), 1, "absent", "rejected", &["seal-absent"]);
    let user = &sealing.world.user;
    user.bulla(&["import", &bundle, "--to", "oci:in", "--require-seal"]).says(1, &["seal-absent"]);
    assert!(!user.path("in").exists());
    user.bulla(&["verify", "oci:l:v1", "--scope", SCOPE, "--require-seal"]).says(2, &["only a bundle can be sealed"]);
}

#[test]
fn a_seal_that_is_not_trusted_rejects_the_bundle() {
    let Some(sealing) = Sealing::new("a_seal_that_is_not_trusted_rejects_the_bundle") else { return };
    // The carrier's own seal over the true content, in place of none or of the sender's.
    let mallory = sealing.world.pki.chain("mallory", Key::P256, Use::Signing);
    for authority in [&mallory.root, &mallory.inter] {
        sealing.world.serve(authority, &sealing.world.pki.crl(authority));
    }
    sealing.put_key("mallory", &mallory);
    sealing.export("own.tar", "mallory", &[]).ends(0);
    for more in [&[][..], &["--require-seal"]] {
        let ended = sealing.verify("own.tar", more);
        sealing.expect(&ended, 1, "rejected", "rejected", &["seal-not-trusted"]);
        assert_eq!(ended.json()["seal"]["codes"], json!(["chain-untrusted"]));
        // The artifact's own signature is as good as ever, and the report says so.
        assert_eq!(ended.json()["artifacts"][0]["signatures"][0]["verdict"], "good");
    }
    let user = &sealing.world.user;
    user.bulla(&["verify", "own.tar"]).says(1, &["seal: REJECTED by CN=mallory", "chain-untrusted"]);
    user.bulla(&["import", "own.tar", "--to", "oci:in"]).says(1, &["seal-not-trusted"]);
    assert!(!user.path("in").exists());
    // Two ways past it, and both are told.
    let ended = sealing.verify("own.tar", &["--ignore-seal"]);
    sealing.expect(&ended, 0, "ignored", "trusted", &[]);
    assert_eq!(ended.json()["notices"][0]["code"], "seal-ignored");
    user.bulla(&["import", "own.tar", "--to", "oci:in", "--allow", "rejected", "--receipt", "r.json"]).ends(0);
    let receipt = user.json("r.json");
    assert_eq!(receipt["seal"]["verdict"], "rejected");
    assert_eq!(receipt["imported"][0]["allowed"], "rejected");
    assert_eq!(receipt["imported"][0]["codes"], json!(["seal-not-trusted"]));
    user.bulla(&["verify", "own.tar", "--ignore-seal", "--require-seal"]).ends(2);
}

#[test]
fn the_policy_decides_about_seals_as_about_artifacts() {
    let Some(sealing) = Sealing::new("the_policy_decides_about_seals_as_about_artifacts") else { return };
    sealing.export("b.tar", "sealer", &[]).ends(0);
    // No statement: nothing can be said for the seal, and nothing is trusted.
    sealing.policy(&[]);
    let ended = sealing.verify("b.tar", &[]);
    sealing.expect(&ended, 1, "rejected", "rejected", &["seal-not-trusted"]);
    assert_eq!(ended.json()["seal"]["codes"], json!(["policy-not-applicable"]));
    sealing.world.user.bulla(&["verify", "b.tar"]).says(1, &[SEALS, "--ignore-seal"]);
    // The statement for all covers seals too.
    sealing.policy(&[seals("*", "sealers", "strict")]);
    sealing.expect(&sealing.verify("b.tar", &["--require-seal"]), 0, "trusted", "trusted", &[]);
    // Another scope.
    sealing.policy(&[seals("site.example/carriers", "sealers", "strict")]);
    let scope = ["--seal-scope", "site.example/carriers"];
    sealing.expect(&sealing.verify("b.tar", &scope), 0, "trusted", "trusted", &[]);
    sealing.expect(&sealing.verify("b.tar", &[]), 1, "rejected", "rejected", &["seal-not-trusted"]);
    // Skipped: as if there were none, and never taken for one.
    sealing.policy(&[seals(SEALS, "sealers", "skip")]);
    sealing.expect(&sealing.verify("b.tar", &[]), 0, "skipped", "trusted", &[]);
    sealing.expect(&sealing.verify("b.tar", &["--require-seal"]), 1, "skipped", "rejected", &["seal-skipped"]);
    // What --scope says about artifacts does not reach the seal.
    sealing.policy(&[seals(SEALS, "sealers", "strict")]);
    sealing.expect(&sealing.verify("b.tar", &["--scope", SCOPE]), 0, "trusted", "trusted", &[]);
    sealing
        .world
        .user
        .bulla(&["verify", "b.tar", "--integrity-only"])
        .says(0, &["seal: there is one; it was not judged"]);
}

#[test]
fn revocation_is_asked_for_seals_too() {
    let Some(sealing) = Sealing::new("revocation_is_asked_for_seals_too") else { return };
    sealing.export("old.tar", "sealer", &[]).ends(0);
    sealing.world.pki.revoke(&sealing.sealer.inter, &sealing.sealer.leaf, "keyCompromise");
    sealing.world.serve(&sealing.sealer.inter, &sealing.world.pki.crl(&sealing.sealer.inter));
    sealing.export("revoked.tar", "sealer", &[]).ends(0);
    let ended = sealing.verify("revoked.tar", &[]);
    sealing.expect(&ended, 1, "rejected", "rejected", &["seal-not-trusted"]);
    assert_eq!(ended.json()["seal"]["codes"], json!(["certificate-revoked"]));
    // Evidence that has gone stale: it cannot be told, which is not good, and not bad.
    let later = rfc3339(now() + 31 * DAY);
    let ended = sealing.verify("old.tar", &["--at", &later]);
    assert_eq!((ended.status, &ended.json()["seal"]["verdict"]), (5, &json!("undecided")), "{ended:?}");
    let required = sealing.verify("old.tar", &["--at", &later, "--require-seal"]);
    sealing.expect(&required, 1, "undecided", "rejected", &["seal-not-trusted"]);
    // A seal whose revocation data cannot be had is not made unless the operator says so.
    let mut sealing = sealing;
    sealing.world.stop_serving();
    sealing.export("gap.tar", "sealer", &["--offline"]).says(4, &["evidence-unavailable"]);
    assert!(!sealing.world.user.path("gap.tar").exists());
    let crls = [&sealing.world.signer.root, &sealing.world.signer.inter].map(|authority| {
        sealing.world.user.put(&format!("crls/{}.crl", authority.name), &sealing.world.pki.crl(authority))
    });
    assert_eq!(crls.len(), 2);
    let more = ["--offline", "--crl", "crls", "--allow-missing-evidence"];
    sealing.export("gap.tar", "sealer", &more).says(0, &["the seal lacks revocation data"]);
    let ended = sealing.verify("gap.tar", &[]);
    sealing.expect(&ended, 5, "undecided", "undecided", &["seal-not-trusted"]);
    assert_eq!(ended.json()["seal"]["codes"], json!(["crl-missing"]));
    // What its own signatures reject is not made better by a seal that nobody can judge.
    let mut stranger = statement(SCOPE, "strict", false);
    stranger["trustedIdentities"] = json!(["x509.subject: C=US, ST=WA, O=Somebody Else"]);
    sealing.world.user.policy(&[stranger, seals(SEALS, "sealers", "strict")]);
    let ended = sealing.verify("gap.tar", &[]);
    sealing.expect(&ended, 1, "undecided", "rejected", &["identity-untrusted", "seal-not-trusted"]);
}

#[test]
fn a_bundle_has_its_place_in_a_stream() {
    let Some(sealing) = Sealing::new("a_bundle_has_its_place_in_a_stream") else { return };
    let at = |bundle: &str, more: &[&str]| sealing.export(bundle, "sealer", more);
    at("1.tar", &["--stream", "weekly", "--sequence", "1"]).ends(0);
    at("2.tar", &["--stream", "weekly", "--sequence", "2", "--previous", "1.tar"]).ends(0);
    let first = sealing.verify("1.tar", &[]).json()["seal"]["bundle"].as_str().unwrap().to_owned();
    let shown = sealing.world.user.bulla(&["inspect", "2.tar", "--format", "json"]).ends(0).json();
    assert_eq!(shown["bundle"]["stream"], json!({"name": "weekly", "sequence": 2, "previous": first}));
    at("3.tar", &["--stream", "weekly", "--sequence", "3", "--previous", &first]).ends(0);
    for (wrong, says) in [
        (&["--stream", "weekly", "--sequence", "3", "--previous", "1.tar"][..], "has number 1 of the stream"),
        (&["--stream", "daily", "--sequence", "2", "--previous", "1.tar"], "has number 1 of the stream \"weekly\""),
        (&["--stream", "weekly", "--sequence", "1", "--previous", "1.tar"], "it is not the one before number 1"),
        (&["--stream", "weekly", "--sequence", "0"], "the first has number 1"),
        (&["--stream", "Weekly", "--sequence", "1"], "cannot be the name of a stream"),
        (&["--stream", "weekly"], "--sequence"),
        (&["--sequence", "1"], "--stream"),
    ] {
        at("w.tar", wrong).says(2, &[says]);
        assert!(!sealing.world.user.path("w.tar").exists());
    }
}

#[test]
fn a_key_that_cannot_seal_is_told_before_anything_is_collected() {
    let Some(sealing) = Sealing::new("a_key_that_cannot_seal_is_told_before_anything_is_collected") else { return };
    let user = &sealing.world.user;
    let export = ["export", "oci:absent:v1", "-o", "b.tar", "--as", "registry.example/app:v1", "--seal", "sealer.key"];
    user.bulla(&export).says(2, &["--seal-certificate-chain names its certificates"]);
    user.bulla(&[&export[..], &["--seal-certificate-chain", "absent.pem"]].concat()).says(4, &["absent.pem"]);
    let stamped = ["--timestamp-url", "http://127.0.0.1:1/", "--timestamp-root-cert", "sealer.pem"];
    let unsealed = ["export", "oci:l:v1", "-o", "b.tar", "--as", "registry.example/app:v1"];
    user.bulla(&[&unsealed[..], &stamped].concat()).says(2, &["--seal KEY"]);
}

#[test]
fn a_key_of_signingkeys_json_seals_by_its_name() {
    let Some(sealing) = Sealing::new("a_key_of_signingkeys_json_seals_by_its_name") else { return };
    let user = &sealing.world.user;
    let (key, chain) = (user.path("sealer.key"), user.path("sealer.pem"));
    let keys = json!({"keys": [{"name": "carrier", "keyPath": key, "certPath": chain}]});
    user.put("../.config/notation/signingkeys.json", keys.to_string().as_bytes());
    let name = format!("{SCOPE}:v1");
    let export = ["export", "oci:l:v1", "--as", &name, "-o", "b.tar", "--seal"];
    user.bulla(&[&export[..], &["carrier"]].concat()).says(0, &["sealed sha256:"]);
    sealing.expect(&sealing.verify("b.tar", &["--require-seal"]), 0, "trusted", "trusted", &[]);
    user.bulla(&[&export[..], &["nobody"]].concat()).says(2, &["nobody"]);
}

#[test]
fn a_sealed_bundle_is_judged_on_a_pipe_before_its_first_layer() {
    let Some(sealing) = Sealing::new("a_sealed_bundle_is_judged_on_a_pipe_before_its_first_layer") else { return };
    sealing.export("b.tar", "sealer", &[]).ends(0);
    let user = &sealing.world.user;
    let whole = std::fs::read(user.path("b.tar")).unwrap();
    let program = env!("CARGO_BIN_EXE_bulla");
    let pipe = |bytes: &[u8], more: &str| {
        user.put("piped", bytes);
        let script = format!("cat piped | {program} verify - --format json {more}");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(user.folder())
            .env_clear()
            .env("HOME", user.folder().parent().unwrap())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), report["seal"]["verdict"].clone(), report["verdict"].clone())
    };
    assert_eq!(pipe(&whole, "--require-seal"), (Some(0), json!("trusted"), json!("trusted")));
    // Untrusted: the end of the pipe is never reached.
    sealing.policy(&[]);
    let cut = &whole[..whole.len() - 2048];
    assert_eq!(pipe(cut, ""), (Some(1), json!("rejected"), json!("rejected")));
}

#[test]
fn other_tools_read_a_sealed_bundle_as_they_read_any() {
    const TEST: &str = "other_tools_read_a_sealed_bundle_as_they_read_any";
    let Some(sealing) = Sealing::new(TEST) else { return };
    if !tools::there(TEST, &["skopeo", "tar"]) {
        return;
    }
    let folder = sealing.world.user.folder();
    sealing.export("b.tar", "sealer", &[]).ends(0);
    let copy = ["--insecure-policy", "copy", "-q", "oci-archive:b.tar:v1", "oci:copied:v1"];
    tools::must("skopeo", &copy, &folder);
    std::fs::create_dir(folder.join("unpacked")).unwrap();
    tools::must("tar", &["xf", "b.tar", "-C", "unpacked"], &folder);
    // As a layout it has its artifact and nothing else that has a name; a seal is a bundle's.
    let ended = sealing.verify("oci:unpacked:v1", &["--scope", SCOPE]).ends(0);
    assert!(ended.json().get("seal").is_none());
    let listed = sealing.world.user.bulla(&["inspect", "unpacked", "--format", "json"]).ends(0).json();
    assert_eq!(listed["roots"].as_array().unwrap().len(), 1, "{listed:#}");
}

/// A bundle with another's signature on its manifest in the seal's place.
fn put_seal(world: &World, bundle: &str, sealed: &str, signer: &Holder, metadata: Option<Value>) {
    let store = BundleStore::open(&world.user.path(bundle), &Limits::default()).unwrap();
    let signing = Signing { metadata, ..Signing::default() };
    let envelope = world.pki.envelope(signer, &json!(store.manifest().bare()), &signing);
    put_envelope(world, bundle, sealed, &envelope, "application/jose+json");
}

fn put_envelope(world: &World, bundle: &str, sealed: &str, envelope: &[u8], media_type: &str) {
    let limits = Limits::default();
    let store = BundleStore::open(&world.user.path(bundle), &limits).unwrap();
    let mut content = Content::default();
    let seal = content.attach(&json!(store.manifest().bare()), envelope, media_type, "[]", Form::New);
    let seal: Descriptor = serde_json::from_value(seal).unwrap();
    let bytes = |digest: &Digest| Arc::<[u8]>::from(content.blobs[&digest.to_string()].as_slice());
    let manifest = Manifest::parse(&seal, bytes(&seal.digest)).unwrap();
    let members = SealMembers::read(store.manifest(), &manifest, None, &limits).unwrap();
    let contents: Vec<_> = members.blobs().map(|blob| (blob.digest, bytes(&blob.digest))).collect();
    let seal = Seal::new(members, contents).unwrap();
    let file = std::fs::File::create(world.user.path(sealed)).unwrap();
    let mut writer = BundleWriter::sealed(file, store.inventory(), &seal, Compression::None).unwrap();
    for blob in store.inventory().blobs.iter().filter(|blob| blob.media_type != MediaType::OCI_EMPTY) {
        let kind = if blob.manifest { ContentKind::Manifest } else { ContentKind::Blob };
        writer.copy(&blob.descriptor(), store.open(&blob.descriptor(), kind).unwrap().unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// A CI that signs what is pushed signs a bundle manifest as well, whatever tool it uses; and where only "*" speaks for
/// seals, it is trusted for them. Still nobody seals a bundle who does not say that he does.
#[test]
fn a_signature_on_a_bundle_manifest_is_no_seal_unless_it_says_so() {
    let Some(sealing) = Sealing::new("a_signature_on_a_bundle_manifest_is_no_seal_unless_it_says_so") else { return };
    let (world, user) = (&sealing.world, &sealing.world.user);
    let bundle = world.export("l");
    user.put("crls/root.crl", &world.pki.crl(&world.signer.root));
    user.put("crls/inter.crl", &world.pki.crl(&world.signer.inter));
    let all = |level: &str| user.policy(&[statement("*", level, false)]);
    let sealed = |metadata: Value| {
        let metadata = if metadata.is_null() { None } else { Some(metadata) };
        put_seal(world, &bundle, "put.tar", &world.signer.leaf, metadata);
        sealing.verify("put.tar", &["--crl", "crls"])
    };
    let mark = "vnd.bulla.purpose";
    for level in ["strict", "permissive", "audit"] {
        all(level);
        for unsaid in [Value::Null, json!({"build": "7"}), json!({mark: "bundle"}), json!({"purpose": "bundle-seal"})] {
            let ended = sealed(unsaid);
            sealing.expect(&ended, 1, "rejected", "rejected", &["seal-not-trusted"]);
            let report = ended.json();
            assert_eq!(report["seal"]["codes"], json!(["seal-unmarked"]), "{level}");
            let checks = report["seal"]["signature"]["checks"].as_array().unwrap();
            assert!(checks[0]["hint"].as_str().unwrap().contains("bulla export --seal"), "{checks:?}");
            assert_eq!((&checks[0]["check"], &checks[0]["action"]), (&json!("integrity"), &json!("enforce")));
            // The artifact's own signature is as good as ever.
            assert_eq!(report["artifacts"][0]["signatures"][0]["verdict"], "good");
        }
        // Whoever says so seals, with any tool.
        let ended = sealed(json!({mark: "bundle-seal", "build": "7"}));
        sealing.expect(&ended, 0, "trusted", "trusted", &[]);
        assert_eq!(ended.json()["seal"]["signature"]["userMetadata"][mark], "bundle-seal");
    }
    all("strict");
    sealed(Value::Null).ends(1);
    let import = ["import", "put.tar", "--to", "oci:in", "--crl", "crls"];
    user.bulla(&import).says(1, &["seal: REJECTED", "seal-unmarked", "seal-not-trusted"]);
    assert!(!user.path("in").exists());
    // A file of the bundle manifest's bytes, under its media type, has the same payload.
    let manifest = BundleStore::open(&user.path(&bundle), &Limits::default()).unwrap().manifest().clone();
    let whole = std::fs::read(user.path(&bundle)).unwrap();
    let needle = b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"artifactType\":\"application/vnd.bulla.bundle";
    let at = whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let bytes = &whole[at..at + usize::try_from(manifest.size).unwrap()];
    assert_eq!(Digest::sha256(bytes), manifest.digest);
    user.put("file", bytes);
    user.put("ci.key", world.pki.key_pem(&world.signer.leaf).as_bytes());
    user.put("ci.pem", world.pki.chain_pem(&world.signer.leaf).as_bytes());
    let sign = ["blob", "sign", "file", "--key-file", "ci.key", "--cert-file", "ci.pem", "--media-type"];
    user.bulla(&[&sign[..], &[manifest.media_type.as_str()]].concat()).ends(0);
    let envelope: Value = user.json("file.jws.sig");
    let payload = BASE64_URL_SAFE_NO_PAD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["targetArtifact"], json!(manifest.bare()), "nothing in it says that it is a seal");
}

/// Notation itself: what it makes of a seal, and that what it signs is none.
#[test]
fn notation_takes_a_seal_for_a_signature_and_makes_none() {
    const TEST: &str = "notation_takes_a_seal_for_a_signature_and_makes_none";
    let Some(sealing) = Sealing::new(TEST) else { return };
    if !tools::there(TEST, &["notation", "docker-registry", "oras", "tar"]) {
        return;
    }
    let (user, folder, registry) = (&sealing.world.user, sealing.world.user.folder(), DockerRegistry::start());
    let keys = json!({"keys": [{"name": "carrier", "keyPath": user.path("sealer.key"),
        "certPath": user.path("sealer.pem")}]});
    user.put("../.config/notation/signingkeys.json", keys.to_string().as_bytes());
    sealing.policy(&[seals("*", "sealers", "strict")]);
    let unsealed = sealing.world.export("l");
    let manifest_of =
        |bundle: &str| BundleStore::open(&user.path(bundle), &Limits::default()).unwrap().manifest().digest;
    let forged = manifest_of(&unsealed);
    std::fs::create_dir(folder.join("bare")).unwrap();
    tools::must("tar", &["xf", &unsealed, "-C", "bare"], &folder);
    for authority in [&sealing.sealer.root, &sealing.sealer.inter] {
        user.put(&format!("crls/{}.crl", authority.name), &sealing.world.pki.crl(authority));
    }
    for (format, media_type) in [("jws", "application/jose+json"), ("cose", "application/cose")] {
        let bundle = format!("{format}.tar");
        sealing.export(&bundle, "sealer", &["--seal-format", format]).ends(0);
        std::fs::create_dir(folder.join(format)).unwrap();
        tools::must("tar", &["xf", &bundle, "-C", format], &folder);
        let digest = manifest_of(&bundle);
        let place = format!("{}/{format}@{digest}", registry.host());
        let from = format!("{format}@{digest}");
        tools::must("oras", &["cp", "-r", "--from-oci-layout", &from, "--to-plain-http", &place], &folder);
        let verify = ["verify", "--insecure-registry", &place];
        user.notation(&verify).ends(0);
        user.notation(&[&verify[..], &["-m", "vnd.bulla.purpose=bundle-seal"]].concat()).ends(0);
        user.notation(&[&verify[..], &["-m", "vnd.bulla.purpose=anything"]].concat()).ends(1);
        // The same manifest, signed as an artifact that was pushed.
        let sign = ["sign", "--insecure-registry", "--key", "carrier", "--signature-format", format];
        let repository = format!("pushed-{format}");
        let pushed = format!("{}/{repository}@{forged}", registry.host());
        let from = format!("bare@{forged}");
        tools::must("oras", &["cp", "--from-oci-layout", &from, "--to-plain-http", &pushed], &folder);
        user.notation(&[&sign[..], &[&pushed]].concat()).ends(0);
        user.notation(&["verify", "--insecure-registry", &pushed]).ends(0);
        let tag = fallback_tag(&forged.to_string());
        let (_, list) = get_manifest(&registry.host(), &repository, &tag).unwrap();
        let signature = list["manifests"][0]["digest"].as_str().unwrap();
        let (_, manifest) = get_manifest(&registry.host(), &repository, signature).unwrap();
        let target = format!("/v2/{repository}/blobs/{}", manifest["layers"][0]["digest"].as_str().unwrap());
        let envelope = request(&registry.host(), "GET", &target, &[], b"").body;
        put_envelope(&sealing.world, &unsealed, "put.tar", &envelope, media_type);
        let ended = sealing.verify("put.tar", &["--crl", "crls"]);
        sealing.expect(&ended, 1, "rejected", "rejected", &["seal-not-trusted"]);
        assert_eq!(ended.json()["seal"]["codes"], json!(["seal-unmarked"]), "{ended:?}");
    }
}

#[test]
fn a_plugin_that_makes_envelopes_seals_if_it_keeps_what_the_seal_says() {
    const TEST: &str = "a_plugin_that_makes_envelopes_seals_if_it_keeps_what_the_seal_says";
    let Some(sealing) = Sealing::new(TEST) else { return };
    let user = &sealing.world.user;
    plugin::install(&user.home().join(".config/notation"), "test");
    let name = format!("{SCOPE}:v1");
    let export = ["export", "oci:l:v1", "--as", &name, "-o", "b.tar", "--seal", "remote"];
    let with = |spec: &str, more: Value| {
        let mut config = json!({"key": user.path("sealer.key"), "chain": user.path("sealer.pem"), "spec": spec,
            "capabilities": "ENVELOPE", "time": rfc3339(now())});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let keys = json!({"keys": [{"name": "remote", "id": "k", "pluginName": "test", "pluginConfig": config}]});
        user.put("../.config/notation/signingkeys.json", keys.to_string().as_bytes());
        user.bulla(&export)
    };
    // The plugin writes ES256 only; the sealer's key is another's.
    let p256 = sealing.world.pki.leaf("p256", &sealing.sealer.inter, Key::P256, Use::Signing, 90);
    user.put("sealer.key", sealing.world.pki.key_pem(&p256).as_bytes());
    user.put("sealer.pem", sealing.world.pki.chain_pem(&p256).as_bytes());
    with("EC-256", json!({"payload": "no-seal"}))
        .says(4, &["plugin-failed", "drops the annotation \"vnd.bulla.purpose\""]);
    assert!(!user.path("b.tar").exists());
    for told in [json!({}), json!({"capabilities": "RAW"})] {
        with("EC-256", told).says(0, &["sealed sha256:"]);
        let ended = sealing.verify("b.tar", &["--require-seal"]);
        sealing.expect(&ended, 0, "trusted", "trusted", &[]);
    }
}

/// Whoever has an artifact signed that is a bundle manifest is told, before anybody finds out later that it is no seal.
#[test]
fn no_bundle_is_sealed_by_who_thinks_that_he_signs_an_artifact() {
    const TEST: &str = "no_bundle_is_sealed_by_who_thinks_that_he_signs_an_artifact";
    let Some(sealing) = Sealing::new(TEST) else { return };
    if !tools::there(TEST, &["tar"]) {
        return;
    }
    let (user, folder) = (&sealing.world.user, sealing.world.user.folder());
    let bundle = sealing.world.export("l");
    std::fs::create_dir(folder.join("unpacked")).unwrap();
    tools::must("tar", &["xf", &bundle, "-C", "unpacked"], &folder);
    let index = user.json("unpacked/index.json");
    let kind = json!("application/vnd.bulla.bundle.v1+json");
    let manifests = index["manifests"].as_array().unwrap();
    let manifest = manifests.iter().find(|entry| entry["artifactType"] == kind).unwrap();
    let place = format!("unpacked@{}", manifest["digest"].as_str().unwrap());
    let sign = ["sign", &place, "--key-file", "sealer.key", "--cert-file", "sealer.pem"];
    user.bulla(&sign).says(2, &["error[usage-invalid]", "is the manifest of a bundle", "bulla export --seal"]);
    assert_eq!(user.json("unpacked/index.json"), index);
}
