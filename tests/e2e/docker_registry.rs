//! The road between two of Debian's `docker-registry`, which have no referrers API: what is attached is found by the
//! tag schema, on both sides.

use serde_json::{Value, json};

use crate::support::cli::{User, statement};
use crate::support::content::{Content, Form, Platforms, digest, fallback_tag, get_manifest, put_manifest, sha256};
use crate::support::http::request;
use crate::support::openssl::Signing;
use crate::support::tools::{self, DockerRegistry};
use crate::world::World;

/// What is pushed to `app:v1`: an index for two platforms, signed and stamped; a note on the signature; an SBOM and a
/// signature on a child; a cosign signature by tag.
struct Pushed {
    content: Content,
    platforms: Platforms,
    signature: Value,
    note: Value,
    sbom: Value,
    child_signature: Value,
    cosign: Value,
}

fn push(world: &World, host: &str) -> Pushed {
    let mut content = Content::default();
    let platforms = content.two_platforms();
    content.tag("v1", &platforms.index);
    let stamped = Signing { tsa: Some(&world.tsa.leaf), ..Signing::default() };
    let signature = world.sign_as(&mut content, &platforms.index, &stamped);
    let note = content.referrer(&signature, "application/vnd.example.note", b"{\"a\":1}");
    let sbom = content.referrer(&platforms.amd64, "application/spdx+json", b"{\"spdx\":true}");
    let leaf = &world.signer.leaf;
    let child_signature = content.sign(&world.pki, leaf, &platforms.arm64, Form::Legacy, &stamped);
    let cosign = content.image("cosign", &[b"a cosign payload".to_vec()]);
    let tag = format!("{}.sig", digest(&platforms.index).replace(':', "-"));
    content.tag(&tag, &cosign);
    content.push(host, "app");
    Pushed { content, platforms, signature, note, sbom, child_signature, cosign }
}

/// Everything is at the destination under its digest, and what is attached is found by the tag schema.
#[track_caller]
fn check_arrived(pushed: &Pushed, host: &str, repository: &str) {
    for (wanted, bytes) in &pushed.content.blobs {
        let manifest = pushed.content.manifests.iter().any(|known| digest(known) == wanted);
        let kind = if manifest { "manifests" } else { "blobs" };
        let accept = format!("{}, {}", crate::support::content::INDEX, crate::support::content::MANIFEST);
        let target = format!("/v2/{repository}/{kind}/{wanted}");
        let answer = request(host, "GET", &target, &[("accept", &accept)], b"");
        assert_eq!((answer.status, sha256(&answer.body)), (200, wanted.clone()), "{target}");
        assert_eq!(&answer.body, bytes);
    }
    let (found, _) = get_manifest(host, repository, "v1").unwrap();
    assert_eq!(found, digest(&pushed.platforms.index));
    let cosign = format!("{}.sig", found.replace(':', "-"));
    assert_eq!(get_manifest(host, repository, &cosign).unwrap().0, digest(&pushed.cosign));
    for (subject, referrer) in [
        (&pushed.platforms.index, &pushed.signature),
        (&pushed.signature, &pushed.note),
        (&pushed.platforms.amd64, &pushed.sbom),
        (&pushed.platforms.arm64, &pushed.child_signature),
    ] {
        let tag = fallback_tag(digest(subject));
        let (_, index) = get_manifest(host, repository, &tag).unwrap_or_else(|| panic!("{tag} is missing"));
        let entries = index["manifests"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["digest"] == referrer["digest"]);
        let entry = entry.unwrap_or_else(|| panic!("{referrer} is not in {index}"));
        // Conformance 1.19: artifact type and annotations are copied.
        assert!(entry["artifactType"].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        assert!(entry["annotations"].is_object(), "{entry}");
    }
    // The CRLs came too, attached to the signature that they serve.
    let (_, index) = get_manifest(host, repository, &fallback_tag(digest(&pushed.signature))).unwrap();
    let types: Vec<_> = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["artifactType"]).collect();
    assert!(types.contains(&&json!("application/vnd.bulla.evidence.v1+json")), "{index}");
}

#[test]
fn the_road_between_two_debian_registries() {
    const TEST: &str = "the_road_between_two_debian_registries";
    let Some(mut world) = World::new(TEST, &["docker-registry"]) else { return };
    let (outside, inside) = (DockerRegistry::start(), DockerRegistry::start());
    let pushed = push(&world, &outside.host());
    let scope = format!("{}/app", outside.host());
    world.user.policy(&[statement(&scope, "strict", true)]);
    let source = format!("{scope}:v1");

    // Verified where it is, with live CRLs.
    world.user.bulla(&["verify", &source]).says(0, &["TRUSTED"]);
    world.server().forget_requests();
    world.user.bulla(&["export", &source, "-o", "x.tar"]).ends(0);
    assert_eq!(world.server().seen().len(), 4, "each CRL once: {:?}", world.server().seen());
    let inspected = world.user.bulla(&["inspect", "x.tar"]).ends(0).text();
    for wanted in [&pushed.signature, &pushed.note, &pushed.sbom, &pushed.child_signature, &pushed.cosign] {
        assert!(inspected.contains(digest(wanted)), "{wanted} is not in {inspected}");
    }

    // The gap: no CRL server, no registry, no network.
    world.stop_serving();
    drop(outside);
    let user = &world.user;
    let ended = user.offline(&["verify", "x.tar", "--format", "json"]).ends(0);
    let report = ended.json();
    assert_eq!(report["verdict"], "trusted");
    assert_eq!(report["clock"]["network"], "forbidden");
    assert_eq!(report["artifacts"][0]["reference"], source.as_str());

    let to = format!("{}/mirror", inside.host());
    user.bulla(&["import", "x.tar", "--to", &to, "--receipt", "r1.json"]).says(0, &["imported"]);
    check_arrived(&pushed, &inside.host(), "mirror/app");
    let receipt = user.json("r1.json");
    let imported = &receipt["imported"][0];
    assert_eq!(imported["reference"], source.as_str());
    assert_eq!(imported["importedAs"], format!("{to}/app:v1"));
    assert_eq!(imported["digest"], pushed.platforms.index["digest"]);
    assert_eq!(imported["verdict"], "trusted");
    assert_eq!(imported["goodSignatures"], json!([pushed.signature["digest"]]));
    assert_eq!(imported["statement"], format!("strict-{}", scope.len()));
    assert!(imported.get("allowed").is_none(), "{receipt}");
    assert!(receipt["written"]["copied"].as_u64().unwrap() > 10, "{receipt}");
    assert_eq!(receipt["refused"], json!([]));

    // It verifies there, with the evidence that came along, and a second import sends nothing.
    let there = format!("{to}/app:v1");
    user.bulla(&["verify", &there, "--scope", &scope, "--offline"]).says(0, &["TRUSTED"]);
    user.bulla(&["import", "x.tar", "--to", &to, "--receipt", "r2.json"]).ends(0);
    let again = user.json("r2.json");
    assert!(again.get("kept").is_none(), "{again}");
    assert_eq!((&again["written"]["copied"], &again["written"]["bytes"]), (&json!(0), &json!(0)), "{again}");
    check_arrived(&pushed, &inside.host(), "mirror/app");
    skopeo(user, &pushed, &there);

    // Other names by rule; a rule that leads elsewhere is refused before anything is written.
    let rule = format!("{scope}={}/base/hello", inside.host());
    user.bulla(&["import", "x.tar", "--to", &inside.host(), "--map", &rule]).ends(0);
    check_arrived(&pushed, &inside.host(), "base/hello");
    // What is there under cosign's tag stays there.
    let tag = format!("{}.sig", digest(&pushed.platforms.index).replace(':', "-"));
    let theirs = &pushed.platforms.amd64;
    put_manifest(&inside.host(), "base/hello", &tag, theirs, &pushed.content.blobs[digest(theirs)]);
    let again = ["import", "x.tar", "--to", &inside.host(), "--map", &rule, "--receipt", "r3.json"];
    let name = format!("{}/base/hello:{tag}", inside.host());
    user.bulla(&again).says(0, &["note[digest-tag-kept]", &name, digest(theirs), digest(&pushed.cosign)]);
    let kept = json!([{"name": name, "digest": theirs["digest"], "brought": pushed.cosign["digest"],
        "reason": "not-judged"}]);
    assert_eq!(user.json("r3.json")["kept"], kept);
    assert_eq!(get_manifest(&inside.host(), "base/hello", &tag).unwrap().0, digest(theirs));
    let rule = format!("{scope}=elsewhere.example/hello");
    user.bulla(&["import", "x.tar", "--to", &inside.host(), "--map", &rule]).says(2, &["usage-invalid"]);

    // From the inner registry out again: the evidence is carried already.
    user.bulla(&["export", &there, "-o", "again.tar"]).ends(0);
    user.offline(&["verify", "again.tar", "--scope", &scope]).ends(0);
    other_destinations(user, &pushed, &scope);
}

fn skopeo(user: &User, pushed: &Pushed, there: &str) {
    const TEST: &str = "the_road_between_two_debian_registries with skopeo";
    if !tools::there(TEST, &["skopeo"]) {
        return;
    }
    let reference = format!("docker://{there}");
    let words = ["inspect", "--tls-verify=false", "--raw", &reference];
    let raw = tools::must("skopeo", &words, &user.folder());
    assert_eq!(sha256(raw.as_bytes()), digest(&pushed.platforms.index));
    let copy = ["--insecure-policy", "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false"];
    tools::must("skopeo", &[&copy[..], &[&reference, "oci:copied:v1"]].concat(), &user.folder());
    let index = user.json("copied/index.json");
    assert_eq!(index["manifests"][0]["digest"], pushed.platforms.index["digest"]);
}

/// The same bundle into a layout and a docker archive.
fn other_destinations(user: &User, pushed: &Pushed, scope: &str) {
    user.offline(&["import", "x.tar", "--to", "oci:images", "--receipt", "r.json"]).ends(0);
    let names = crate::support::content::check_layout(&user.path("images"));
    assert!(names.values().any(|found| found == digest(&pushed.platforms.index)), "{names:?}");
    for (wanted, bytes) in &pushed.content.blobs {
        let path = user.path("images/blobs/sha256").join(wanted.strip_prefix("sha256:").unwrap());
        assert_eq!(&std::fs::read(path).unwrap(), bytes, "{wanted}");
    }
    user.offline(&["verify", "images", "--scope", scope, "--offline"]).ends(0);
    user.offline(&["import", "x.tar", "--to", "oci:images", "--receipt", "r.json"]).ends(0);
    assert_eq!(user.json("r.json")["written"]["copied"], 0);
    let (mut index, theirs) = (user.json("images/index.json"), &pushed.platforms.amd64);
    let entries = index["manifests"].as_array_mut().unwrap();
    let entry = entries.iter_mut().find(|entry| entry["digest"] == pushed.cosign["digest"]).unwrap();
    for member in ["digest", "size"] {
        entry[member] = theirs[member].clone();
    }
    let tag = entry["annotations"]["org.opencontainers.image.ref.name"].clone();
    user.put("images/index.json", index.to_string().as_bytes());
    let import = ["import", "x.tar", "--to", "oci:images", "--format", "json"];
    let kept = user.offline(&import).ends(0).json()["kept"].clone();
    let brought = &pushed.cosign["digest"];
    let expected = json!({"name": tag, "digest": theirs["digest"], "brought": brought, "reason": "not-judged"});
    assert_eq!(kept, json!([expected]));
    assert_eq!(user.json("images/index.json"), index);
    std::fs::remove_dir_all(user.path("images")).unwrap();
    user.offline(&["import", "x.tar", "--to", "oci:images"]).ends(0);

    user.offline(&["import", "x.tar", "--to", "docker-archive:d.tar"]).says(2, &["platform"]);
    assert!(!user.path("d.tar").exists());
    let words = ["import", "x.tar", "--to", "docker-archive:d.tar", "--platform", "linux/arm64"];
    user.offline(&words).says(0, &["signatures"]);
    let test = "the docker archive with skopeo";
    if tools::there(test, &["skopeo"]) {
        let copy = ["--insecure-policy", "copy", "-q", "docker-archive:d.tar", "oci:from-docker:v1"];
        tools::must("skopeo", &copy, &user.folder());
        let raw = tools::must("skopeo", &["inspect", "--config", "oci:from-docker:v1"], &user.folder());
        assert!(raw.contains("arm64"), "{raw}");
    }
}

#[test]
fn an_import_that_finds_half_of_it_there_sends_the_other_half() {
    const TEST: &str = "an_import_that_finds_half_of_it_there_sends_the_other_half";
    let Some(world) = World::new(TEST, &["docker-registry"]) else { return };
    let inside = DockerRegistry::start();
    let mut content = Content::default();
    let layers = [b"first layer".to_vec(), b"second layer".to_vec()];
    let image = content.image("amd64", &layers);
    content.tag("v1", &image);
    world.sign(&mut content, &image);
    content.write_layout(&world.user.path("l"));
    let bundle = world.export("l");
    let mut half = Content::default();
    half.blob("application/octet-stream", &layers[0]);
    half.push(&inside.host(), "app");
    world.user.bulla(&["import", &bundle, "--to", &inside.host(), "--receipt", "r.json"]).ends(0);
    let written = &world.user.json("r.json")["written"];
    assert_eq!(written["alreadyThere"], 1, "{written}");
    assert_eq!(get_manifest(&inside.host(), "app", "v1").unwrap().0, digest(&image));
    // An unreachable destination is the environment's fault, and said to be.
    let gone = inside.host();
    drop(inside);
    world.user.bulla(&["import", &bundle, "--to", &gone]).says(4, &["network-failed"]);
}
