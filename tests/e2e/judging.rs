//! Every verdict, and the exit status that goes with it: 0 trusted, 1 rejected, 4 environment, 5 skipped or undecided.

use serde_json::{Value, json};

use crate::support::cli::{Ended, statement};
use crate::support::content::{Content, Form, digest};
use crate::support::http::File;
use crate::support::openssl::{DAY, Key, Signing, Use, now, rfc3339};
use crate::world::{SCOPE, World};

/// The verdict and the codes on the only artifact.
fn verdict(ended: &Ended) -> (String, Vec<String>) {
    let report = ended.json();
    let artifact = &report["artifacts"][0];
    let codes = artifact["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (artifact["verdict"].as_str().unwrap().to_owned(), codes)
}

fn verify(world: &World, bundle: &str, more: &[&str]) -> Ended {
    world.user.bulla(&[&["verify", bundle, "--format", "json"], more].concat())
}

#[track_caller]
fn expect(ended: Ended, status: i32, word: &str, code: Option<&str>) {
    assert_eq!(ended.status, status, "{ended:?}");
    let (verdict, codes) = verdict(&ended);
    assert_eq!(verdict, word, "{ended:?}");
    match code {
        Some(code) => assert!(codes.iter().any(|found| found == code), "no {code} in {ended:?}"),
        None => assert!(codes.is_empty(), "{codes:?}"),
    }
}

#[test]
fn all_six_keys_and_both_forms_are_judged_trusted() {
    const TEST: &str = "all_six_keys_and_both_forms_are_judged_trusted";
    let Some(mut world) = World::new(TEST, &[]) else { return };
    let mut content = Content::default();
    for (place, key) in Key::ALL.into_iter().enumerate() {
        let image = content.image("amd64", &[format!("layer {place}").into_bytes()]);
        content.tag(&format!("k{place}"), &image);
        let leaf = world.pki.leaf(&format!("signer{place}"), &world.signer.inter, key, Use::Signing, 365);
        let form = if place % 2 == 0 { Form::New } else { Form::Legacy };
        let stamped = Signing { tsa: Some(&world.tsa.leaf), ..Signing::default() };
        content.sign(&world.pki, &leaf, &image, form, &stamped);
    }
    content.write_layout(&world.user.path("l"));
    let places: Vec<_> = (0..6).map(|place| format!("oci:l:k{place}")).collect();
    let names: Vec<_> = (0..6).map(|place| format!("--as={SCOPE}:k{place}")).collect();
    let words = places.iter().chain(&names).map(String::as_str);
    let words: Vec<_> = ["export", "-o", "six.tar"].into_iter().chain(words).collect();
    world.user.bulla(&words).ends(0);
    // Each CRL was fetched once, though six signatures need it.
    assert_eq!(world.server().seen().len(), 4, "{:?}", world.server().seen());
    world.stop_serving();
    world.user.policy(&[statement(SCOPE, "strict", true)]);
    let ended = world.user.offline(&["verify", "six.tar", "--format", "json"]).ends(0);
    let report = ended.json();
    let artifacts = report["artifacts"].as_array().unwrap();
    assert_eq!(artifacts.len(), 6, "{ended:?}");
    let algorithms: Vec<_> = artifacts
        .iter()
        .map(|artifact| {
            assert_eq!(artifact["verdict"], "trusted");
            assert_eq!(artifact["signatures"][0]["times"]["authenticatedSigningTime"]["source"], "timestamp");
            artifact["signatures"][0]["signer"]["algorithm"].as_str().unwrap()
        })
        .collect();
    for algorithm in ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"] {
        assert!(algorithms.contains(&algorithm), "{algorithms:?}");
    }
}

#[test]
fn revoked_is_rejected_leaf_and_intermediate() {
    let Some(world) = World::new("revoked_is_rejected_leaf_and_intermediate", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let (pki, signer) = (&world.pki, &world.signer);
    pki.revoke(&signer.inter, &signer.leaf, "keyCompromise");
    world.serve_crls();
    let bundle = world.export("l");
    expect(verify(&world, &bundle, &[]), 1, "rejected", Some("certificate-revoked"));
    // Nothing is written; the receipt says why.
    world
        .user
        .bulla(&["import", &bundle, "--to", "oci:refused", "--receipt", "r.json"])
        .says(1, &["certificate-revoked"]);
    assert!(!world.user.path("refused").exists());
    assert_eq!(world.user.json("r.json")["refused"][0]["codes"][0], "certificate-revoked");
    let Some(world) = World::new("revoked_is_rejected_leaf_and_intermediate", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    world.pki.revoke(&world.signer.root, &world.signer.inter, "CACompromise");
    world.serve_crls();
    let bundle = world.export("l");
    expect(verify(&world, &bundle, &[]), 1, "rejected", Some("certificate-revoked"));
}

#[test]
fn the_freshness_rules_decide_what_an_old_crl_is_worth() {
    const TEST: &str = "the_freshness_rules_decide_what_an_old_crl_is_worth";
    let Some(world) = World::new(TEST, &[]) else { return };
    let stamped = Signing { tsa: Some(&world.tsa.leaf), ..Signing::default() };
    world.signed_layout("l", &stamped);
    let bundle = world.export("l");
    world.user.policy(&[statement(SCOPE, "strict", true)]);
    expect(verify(&world, &bundle, &[]), 0, "trusted", None);
    let at = |days: i64| rfc3339(now() + days * DAY);
    // The CRLs are current for 30 days.
    expect(verify(&world, &bundle, &["--at", &at(29)]), 0, "trusted", None);
    expect(verify(&world, &bundle, &["--at", &at(31)]), 5, "undecided", Some("crl-expired"));
    expect(verify(&world, &bundle, &["--at", &at(31), "--freshness", "max-age=60d"]), 0, "trusted", None);
    let aged = verify(&world, &bundle, &["--at", &at(31), "--freshness", "max-age=30d"]);
    expect(aged, 5, "undecided", Some("crl-too-old"));
    expect(verify(&world, &bundle, &["--freshness", "max-age=10m"]), 5, "undecided", Some("crl-too-old"));
    // Issued an hour before the stamp and current until after it: conclusive for the signing time, even years later.
    expect(verify(&world, &bundle, &["--at", &at(3000), "--freshness", "at-signing"]), 0, "trusted", None);
    // Without an authenticated time there is nothing to hold it against.
    world.user.policy(&[statement(SCOPE, "strict", false)]);
    let claimed = verify(&world, &bundle, &["--freshness", "at-signing"]);
    expect(claimed, 5, "undecided", Some("crl-not-conclusive"));
    let earlier = rfc3339(now() - 7200);
    expect(verify(&world, &bundle, &["--at", &earlier]), 5, "undecided", Some("crl-not-yet-issued"));
    expect(verify(&world, &bundle, &["--at", &at(-2)]), 1, "rejected", Some("certificate-not-yet-valid"));
}

#[test]
fn a_missing_crl_stops_the_export_and_names_certificate_url_and_remedy() {
    const TEST: &str = "a_missing_crl_stops_the_export_and_names_certificate_url_and_remedy";
    let Some(world) = World::new(TEST, &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let missing = format!("{}.crl", world.signer.inter.name);
    let url = format!("{}/{missing}", world.server().url());
    world.server().put(&missing, File::Status(404));
    let export = ["export", "oci:l:v1", "--as", "registry.example/app:v1", "-o", "out.tar"];
    let subject = world.signer.leaf.subject();
    let wanted = ["evidence-unavailable", &subject, &url, "--crl", "--allow-missing-evidence"];
    world.user.bulla(&export).says(4, &wanted);
    assert_eq!(world.user.names(), ["l"], "nothing is left behind");
    // On the operator's word the bundle is made, and says what it lacks.
    world.user.bulla(&[&export[..], &["--allow-missing-evidence"]].concat()).says(0, &["evidence-missing"]);
    world.user.bulla(&["inspect", "out.tar"]).says(0, &["evidence-missing", &url]);
    let undecided = verify(&world, "out.tar", &[]);
    expect(undecided, 5, "undecided", Some("crl-missing"));
    // A policy that only logs revocation accepts it, and says so.
    world.user.policy(&[statement(SCOPE, "permissive", false)]);
    expect(verify(&world, "out.tar", &[]), 0, "trusted", None);
    assert!(verify(&world, "out.tar", &[]).text().contains("crl-missing"));
    world.user.policy(&[statement(SCOPE, "strict", false)]);
    // A CRL from disk, at export or at verification, closes the gap.
    let file = world.user.put("supplied/inter.crl", &world.pki.crl(&world.signer.inter));
    expect(verify(&world, "out.tar", &["--crl", &file]), 0, "trusted", None);
    world.user.bulla(&[&export[..], &["--crl", "supplied"]].concat()).ends(0);
    expect(verify(&world, "out.tar", &[]), 0, "trusted", None);
    // Junk, another's CRL and one that a stranger signed in the issuer's name are no CRLs of this issuer.
    let stranger = world.pki.root("stranger");
    let strangers = world.pki.crl(&stranger);
    let impostor = crate::support::openssl::Pki::new(&world.server().url());
    let forged = impostor.chain("ca", Key::P256, Use::Signing);
    for bytes in [b"no CRL".to_vec(), strangers, impostor.crl(&forged.inter)] {
        world.server().put(&missing, File::Bytes(bytes.clone()));
        std::fs::remove_file(world.user.path("out.tar")).unwrap();
        world.user.bulla(&export).says(4, &["evidence-unavailable", &url]);
        assert!(!world.user.path("out.tar").exists());
        world.user.bulla(&[&export[..], &["--allow-missing-evidence"]].concat()).ends(0);
        expect(verify(&world, "out.tar", &[]), 5, "undecided", Some("crl-missing"));
    }
    // Nor are they when the operator himself hands them in.
    let forged = world.user.put("forged.crl", &impostor.crl(&forged.inter));
    expect(verify(&world, "out.tar", &["--crl", &forged]), 5, "undecided", Some("crl-invalid"));
}

#[test]
fn a_crl_server_that_fails_or_says_nothing_is_given_up() {
    let Some(world) = World::new("a_crl_server_that_fails_or_says_nothing_is_given_up", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let fails = |authority: &crate::support::openssl::Holder, file: File| {
        let name = format!("{}.crl", authority.name);
        world.server().put(&name, file);
        let words = ["export", "oci:l:v1", "--as", "a.example/b:c", "-o", "out.tar"];
        world.user.bulla(&words).says(4, &["evidence-unavailable", &name]);
        assert_eq!(world.user.names(), ["l"]);
    };
    fails(&world.signer.root, File::Status(500));
    world.serve_crls();
    let begin = std::time::Instant::now();
    fails(&world.signer.inter, File::Stall);
    assert!(begin.elapsed().as_secs() < 60, "a server that says nothing is not waited for long");
}

#[test]
fn timestamps_count_only_if_their_authority_is_trusted_and_in_good_standing() {
    const TEST: &str = "timestamps_count_only_if_their_authority_is_trusted_and_in_good_standing";
    let Some(world) = World::new(TEST, &[]) else { return };
    let mut content = Content::default();
    let image = content.image("amd64", &[b"short".to_vec()]);
    content.tag("v1", &image);
    // The signer's certificate holds for a day.
    let brief = world.pki.leaf("brief", &world.signer.inter, Key::P256, Use::Signing, 1);
    let stamped = Signing { tsa: Some(&world.tsa.leaf), ..Signing::default() };
    content.sign(&world.pki, &brief, &image, Form::New, &stamped);
    content.write_layout(&world.user.path("l"));
    let bundle = world.export("l");
    let later = rfc3339(now() + 5 * DAY);
    expect(verify(&world, &bundle, &["--at", &later]), 1, "rejected", Some("certificate-expired"));
    world.user.policy(&[statement(SCOPE, "strict", true)]);
    expect(verify(&world, &bundle, &["--at", &later]), 0, "trusted", None);
    // A stranger's authority.
    let user = crate::support::cli::User::new();
    user.trusts("ca/e2e", &world.pki.pem(&world.signer.root));
    user.trusts("tsa/e2e", &world.pki.pem(&world.pki.root("another-tsa")));
    user.policy(&[statement(SCOPE, "strict", true)]);
    let bundle = world.user.path(&bundle).display().to_string();
    expect(user.bulla(&["verify", &bundle, "--format", "json"]), 1, "rejected", Some("timestamp-untrusted"));
    // None, where the policy wants one (conformance 8.20).
    let plain = world.pki.leaf("plain", &world.signer.inter, Key::P256, Use::Signing, 365);
    let mut content = Content::default();
    let image = content.image("amd64", &[b"plain".to_vec()]);
    content.tag("v1", &image);
    content.sign(&world.pki, &plain, &image, Form::New, &Signing::default());
    content.write_layout(&world.user.path("plain"));
    expect(verify(&world, &world.export("plain"), &[]), 1, "rejected", Some("timestamp-absent"));
    // A revoked authority.
    world.pki.revoke(&world.tsa.inter, &world.tsa.leaf, "keyCompromise");
    world.serve_crls();
    expect(verify(&world, &world.export("l"), &["--at", &later]), 1, "rejected", Some("certificate-revoked"));
}

#[test]
fn what_the_policy_says_of_the_signer_and_the_level() {
    let Some(world) = World::new("what_the_policy_says_of_the_signer_and_the_level", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let bundle = world.export("l");
    let with_identity = |identity: &str| {
        let mut statement = statement(SCOPE, "strict", false);
        statement["trustedIdentities"] = json!([identity]);
        world.user.policy(&[statement]);
        verify(&world, &bundle, &[])
    };
    expect(with_identity("x509.subject: C=NL, ST=Utrecht, O=E2E"), 0, "trusted", None);
    expect(with_identity("x509.subject: C=NL, ST=Utrecht, O=Other"), 1, "rejected", Some("identity-untrusted"));
    let level = |level: &str, more: &[&str]| {
        world.user.policy(&[statement(SCOPE, level, false)]);
        verify(&world, &bundle, more)
    };
    // Past the CRLs' and the leaf's end: permissive and audit only log (conformance 7.13).
    let late = rfc3339(now() + 400 * DAY);
    expect(level("strict", &["--at", &late]), 1, "rejected", Some("certificate-expired"));
    expect(level("permissive", &["--at", &late]), 0, "trusted", None);
    expect(level("audit", &["--at", &late]), 0, "trusted", None);
    // Another root: permissive enforces authenticity, audit does not.
    let user = crate::support::cli::User::new();
    user.trusts("ca/e2e", &world.pki.pem(&world.pki.root("other")));
    let path = world.user.path(&bundle).display().to_string();
    for (level, status) in [("strict", 1), ("permissive", 1), ("audit", 0)] {
        user.policy(&[statement(SCOPE, level, false)]);
        let ended = user.bulla(&["verify", &path, "--format", "json"]).ends(status);
        assert!(ended.text().contains("chain-untrusted"), "{ended:?}");
    }
    // Skip is not trust.
    let mut skip = statement(SCOPE, "skip", false);
    for member in ["trustStores", "trustedIdentities"] {
        skip.as_object_mut().unwrap().remove(member);
    }
    world.user.policy(&[skip]);
    expect(verify(&world, &bundle, &[]), 5, "skipped", Some("skipped-by-policy"));
    world.user.bulla(&["import", &bundle, "--to", "oci:skipped"]).says(5, &["not imported"]);
    assert!(!world.user.path("skipped").exists());
    let import = ["import", &bundle, "--to", "oci:skipped", "--receipt", "r.json", "--allow", "skipped"];
    world.user.bulla(&import).ends(0);
    assert_eq!(world.user.json("r.json")["imported"][0]["allowed"], "skipped");
    // No statement, then no policy.
    world.user.policy(&[statement("elsewhere.example/app", "strict", false)]);
    expect(verify(&world, &bundle, &[]), 1, "rejected", Some("policy-not-applicable"));
    expect(verify(&world, &bundle, &["--scope", "elsewhere.example/app"]), 0, "trusted", None);
    crate::support::cli::User::new().bulla(&["verify", &path]).says(2, &["policy-missing", "trustpolicy"]);
    crate::support::cli::User::new().bulla(&["verify", &path, "--integrity-only"]).ends(0);
}

#[test]
fn unsigned_broken_and_misplaced_signatures() {
    let Some(world) = World::new("unsigned_broken_and_misplaced_signatures", &[]) else { return };
    let mut content = Content::default();
    let image = content.image("amd64", &[b"nobody signed".to_vec()]);
    content.tag("v1", &image);
    content.write_layout(&world.user.path("unsigned"));
    let unsigned = world.export("unsigned");
    expect(verify(&world, &unsigned, &[]), 1, "rejected", Some("signature-absent"));

    // One broken, one good: trusted, and both are reported.
    let mut two = content.clone();
    let envelope = world.pki.envelope(&world.signer.leaf, &image, &Signing::default());
    let mut broken: Value = serde_json::from_slice(&envelope).unwrap();
    let value = broken["signature"].as_str().unwrap().to_owned();
    let flipped = if value.starts_with('A') { 'B' } else { 'A' };
    broken["signature"] = format!("{flipped}{}", &value[1..]).into();
    let thumbprints = world.pki.thumbprints(&world.signer.leaf);
    let jws = "application/jose+json";
    let broken = two.attach(&image, broken.to_string().as_bytes(), jws, &thumbprints, Form::New);
    let mut only_broken = two.clone();
    only_broken.tags.clone_from(&content.tags);
    only_broken.write_layout(&world.user.path("broken"));
    expect(verify(&world, &world.export("broken"), &[]), 1, "rejected", Some("signature-invalid"));
    let good = world.sign(&mut two, &image);
    two.write_layout(&world.user.path("two"));
    let ended = verify(&world, &world.export("two"), &[]).ends(0);
    let report = ended.json();
    let word = |digest: &str| {
        let signatures = report["artifacts"][0]["signatures"].as_array().unwrap();
        signatures.iter().find(|one| one["digest"] == digest).unwrap()["verdict"].clone()
    };
    assert_eq!((word(digest(&good)), word(digest(&broken))), (json!("good"), json!("rejected")));

    // A genuine signature, over something else, attached here.
    let mut misplaced = content.clone();
    let other = misplaced.image("arm64", &[b"other".to_vec()]);
    let envelope = world.pki.envelope(&world.signer.leaf, &other, &Signing::default());
    misplaced.attach(&image, &envelope, jws, &thumbprints, Form::New);
    misplaced.write_layout(&world.user.path("misplaced"));
    expect(verify(&world, &world.export("misplaced"), &[]), 1, "rejected", Some("target-mismatch"));

    // What the operator lets in goes in, and the receipt says on what ground.
    for (bundle, word, code) in
        [(&*unsigned, "unsigned", "signature-absent"), ("broken.tar", "rejected", "signature-invalid")]
    {
        let other = if word == "unsigned" { "rejected" } else { "unsigned" };
        let to = format!("oci:in-{word}");
        world.user.bulla(&["import", bundle, "--to", &to, "--allow", other]).ends(1);
        assert!(!world.user.path(&format!("in-{word}")).exists());
        world.user.bulla(&["import", bundle, "--to", &to, "--allow", word, "--receipt", "r.json"]).ends(0);
        let receipt = world.user.json("r.json");
        let imported = &receipt["imported"][0];
        assert_eq!((&imported["allowed"], &imported["verdict"]), (&json!(word), &json!("rejected")), "{receipt}");
        assert_eq!(imported["codes"], json!([code]));
        assert!(imported.get("goodSignatures").is_none(), "{receipt}");
    }
}

#[test]
fn expiry_and_user_metadata() {
    let Some(world) = World::new("expiry_and_user_metadata", &[]) else { return };
    let metadata = Some(json!({"build": "7"}));
    world.signed_layout("l", &Signing { expiry: Some(now() + DAY), metadata, ..Signing::default() });
    let bundle = world.export("l");
    expect(verify(&world, &bundle, &["-m", "build=7"]), 0, "trusted", None);
    expect(verify(&world, &bundle, &["-m", "build=8"]), 1, "rejected", Some("user-metadata-mismatch"));
    let late = rfc3339(now() + 2 * DAY);
    expect(verify(&world, &bundle, &["--at", &late]), 1, "rejected", Some("signature-expired"));
}

#[test]
fn bad_news_is_never_drowned_by_older_good_news() {
    let Some(world) = World::new("bad_news_is_never_drowned_by_older_good_news", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let good = world.export("l");
    let inter = &world.signer.inter;
    let before = world.user.put("before.crl", &world.pki.crl_between(inter, now() - 7200, now() + 60 * DAY));
    world.pki.revoke(inter, &world.signer.leaf, "keyCompromise");
    let news = world.pki.crl_between(inter, now() - 60, now() + DAY);
    world.serve(inter, &news);
    let news = world.user.put("news.crl", &news);
    let export = ["export", "oci:l:v1", "--as", "registry.example/app:v1", "-o", "bad.tar"];
    world.user.bulla(&export).ends(0);
    expect(verify(&world, &good, &[]), 0, "trusted", None);
    // Whether the news is carried, or handed in beside what is carried, in whatever order.
    for (bundle, crls) in [(&*good, &[&*news][..]), (&good, &[&news, &before]), (&good, &[&before, &news])] {
        let given: Vec<_> = crls.iter().flat_map(|crl| ["--crl", crl]).collect();
        expect(verify(&world, bundle, &given), 1, "rejected", Some("certificate-revoked"));
    }
    expect(verify(&world, "bad.tar", &["--crl", &before]), 1, "rejected", Some("certificate-revoked"));
    // Both in one layout, the good import first or last.
    for (first, second, to) in [(&*good, "bad.tar", "oci:one"), ("bad.tar", &*good, "oci:two")] {
        for bundle in [first, second] {
            world.user.bulla(&["import", bundle, "--to", to, "--allow", "rejected"]).ends(0);
        }
        let judged = verify(&world, to, &["--offline", "--scope", SCOPE]);
        expect(judged, 1, "rejected", Some("certificate-revoked"));
    }
    // That it has run out is no excuse to overlook what it says.
    let late = rfc3339(now() + 2 * DAY);
    let judged = verify(&world, "bad.tar", &["--at", &late]);
    assert_ne!(judged.status, 0, "{judged:?}");
}

#[test]
fn a_second_signature_joins_the_first() {
    let Some(world) = World::new("a_second_signature_joins_the_first", &["docker-registry"]) else { return };
    let registry = crate::support::tools::DockerRegistry::start();
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.tag("v1", &image);
    let another = world.pki.leaf("another", &world.signer.inter, Key::P384, Use::Signing, 365);
    let signatures = [&world.signer.leaf, &another].map(|signer| {
        let mut content = content.clone();
        let signature = content.sign(&world.pki, signer, &image, Form::New, &Signing::default());
        content.write_layout(&world.user.path(&signer.name));
        for to in [&*registry.host(), "oci:both"] {
            world.user.bulla(&["import", &world.export(&signer.name), "--to", to]).ends(0);
        }
        signature
    });
    let tag = crate::support::content::fallback_tag(digest(&image));
    let (_, index) = crate::support::content::get_manifest(&registry.host(), "app", &tag).unwrap();
    let layout = world.user.json("both/index.json");
    let there = format!("{}/app:v1", registry.host());
    for target in ["oci:both", &there] {
        let report = verify(&world, target, &["--offline", "--scope", SCOPE]).ends(0).json();
        let found = report["artifacts"][0]["signatures"].as_array().unwrap();
        assert_eq!(found.iter().filter(|signature| signature["verdict"] == "good").count(), 2, "{report}");
    }
    for signature in &signatures {
        for list in [&index, &layout] {
            let entries = list["manifests"].as_array().unwrap();
            assert_eq!(entries.iter().filter(|entry| entry["digest"] == signature["digest"]).count(), 1, "{list}");
        }
    }
}
