//! What can be exported, from where, under which names; and that other tools read what comes out.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::support::cli::statement;
use crate::support::content::{Content, check_layout, digest, sha256, tar_layer};
use crate::support::http::request;
use crate::support::openssl::Signing;
use crate::support::registry::{Options, Registry};
use crate::support::tools::{self, DockerRegistry};
use crate::world::{SCOPE, World};

/// A signed index for two platforms in the layout `l`, tagged `v1`, with a signature on a child too.
fn signed_index(world: &World, mut content: Content) -> (Content, crate::support::content::Platforms) {
    let platforms = content.two_platforms();
    content.tag("v1", &platforms.index);
    world.sign(&mut content, &platforms.index);
    world.sign(&mut content, &platforms.arm64);
    content.write_layout(&world.user.path("l"));
    (content, platforms)
}

#[test]
fn other_tools_read_a_bundle_unaided() {
    const TEST: &str = "other_tools_read_a_bundle_unaided";
    let Some(world) = World::new(TEST, &["skopeo", "tar", "zstd"]) else { return };
    let (_, platforms) = signed_index(&world, Content::default());
    let user = &world.user;
    for bundle in ["x.tar", "x.tar.zst"] {
        let words = ["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", bundle];
        user.bulla_dated(1_800_000_000, &words).ends(0);
    }
    let copy = ["--insecure-policy", "copy", "-q", "--all", "--preserve-digests"];
    tools::must("skopeo", &[&copy[..], &["oci-archive:x.tar:v1", "oci:copied:v1"]].concat(), &user.folder());
    assert_eq!(user.json("copied/index.json")["manifests"][0]["digest"], platforms.index["digest"]);
    check_layout(&user.path("copied"));
    // One platform, as an engine would pull it.
    let arm = ["--insecure-policy", "--override-arch", "arm64", "--override-os", "linux"];
    let copy = [&arm[..], &["copy", "-q", "--preserve-digests"]].concat();
    tools::must("skopeo", &[&copy[..], &["oci-archive:x.tar:v1", "oci:one:v1"]].concat(), &user.folder());
    assert_eq!(user.json("one/index.json")["manifests"][0]["digest"], platforms.arm64["digest"]);
    // tar unpacks a layout that is whole, and so do zstd and tar.
    for unpack in ["mkdir plain && tar -xf x.tar -C plain", "mkdir packed && zstd -qdc x.tar.zst | tar -x -C packed"] {
        tools::must("sh", &["-ec", unpack], &user.folder());
    }
    for folder in ["plain", "packed"] {
        let names = check_layout(&user.path(folder));
        assert!(names.values().any(|found| found == digest(&platforms.index)), "{names:?}");
        user.bulla(&["verify", folder, "--scope", SCOPE, "--offline"]).ends(0);
    }
    assert_eq!(fs::read(user.path("plain/index.json")).unwrap(), fs::read(user.path("packed/index.json")).unwrap());
    user.offline(&["verify", "x.tar.zst"]).ends(0);
    user.offline(&["import", "x.tar.zst", "--to", "oci:from-zst"]).ends(0);
}

#[test]
fn podman_reads_a_bundle() {
    const TEST: &str = "podman_reads_a_bundle";
    if !podman_works() {
        return tools::skip_always(TEST, "podman is missing or does not work here");
    }
    let Some(world) = World::new(TEST, &[]) else { return };
    let mut content = Content::default();
    let image = content.image(if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, &[tar_layer("a", b"a")]);
    content.tag("v1", &image);
    world.sign(&mut content, &image);
    content.write_layout(&world.user.path("l"));
    world.export("l");
    let pull = ["pull", "-q", "oci-archive:l.tar:v1"];
    let id = podman(&world, &pull);
    let inspected = podman(&world, &["image", "inspect", "--format", "{{.Digest}}", id.trim()]);
    assert_eq!(inspected.trim(), digest(&image));
    world.user.bulla(&["import", "l.tar", "--to", "docker-archive:d.tar"]).ends(0);
    let loaded = podman(&world, &["load", "-q", "-i", "d.tar"]);
    assert!(loaded.contains("app:v1"), "{loaded}");
}

fn podman_words<'a>(root: &'a str, run: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&["--root", root, "--runroot", run, "--storage-driver", "vfs"][..], words].concat()
}

fn podman(world: &World, words: &[&str]) -> String {
    let folder = world.user.folder();
    let (root, run) = (folder.join("podman"), folder.join("podman-run"));
    tools::must("podman", &podman_words(&root.display().to_string(), &run.display().to_string(), words), &folder)
}

fn podman_works() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (root, run) = (folder.path().join("a").display().to_string(), folder.path().join("b").display().to_string());
    let output = std::process::Command::new("podman").args(podman_words(&root, &run, &["images"])).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn an_archive_that_skopeo_made_is_a_source() {
    const TEST: &str = "an_archive_that_skopeo_made_is_a_source";
    let Some(world) = World::new(TEST, &["skopeo"]) else { return };
    let mut content = Content::default();
    let image = content.image("amd64", &[tar_layer("a", b"a")]);
    content.tag("v1", &image);
    content.write_layout(&world.user.path("l"));
    let copy = ["--insecure-policy", "copy", "-q", "--preserve-digests", "oci:l:v1", "oci-archive:s.tar:v1"];
    tools::must("skopeo", &copy, &world.user.folder());
    let name = format!("{SCOPE}:v1");
    // Without a name it cannot be judged later, so it is asked for.
    world.user.bulla(&["export", "oci-archive:s.tar:v1", "-o", "x.tar"]).says(2, &["name-missing", "--as"]);
    world.user.bulla(&["export", "oci-archive:s.tar:v1", "--as", &name, "-o", "x.tar"]).ends(0);
    world.user.bulla(&["export", "s.tar", "--as", &name, "-o", "y.tar"]).ends(0);
    world.user.bulla(&["verify", "x.tar"]).says(1, &["signature-absent"]);
    world.user.bulla(&["verify", "x.tar", "--integrity-only"]).ends(0);
    world.user.bulla(&["verify", "s.tar", "--integrity-only"]).ends(0);
    world.user.bulla(&["import", "y.tar", "--to", "oci:out", "--allow", "unsigned"]).ends(0);
    assert!(check_layout(&world.user.path("out")).values().any(|found| found == digest(&image)));
    world.user.bulla(&["import", "s.tar", "--to", "oci:out"]).says(3, &["bundle-manifest-invalid"]);
}

#[test]
fn one_platform_of_an_index_keeps_every_digest() {
    let Some(world) = World::new("one_platform_of_an_index_keeps_every_digest", &[]) else { return };
    let (content, platforms) = signed_index(&world, Content::default());
    let user = &world.user;
    let export = ["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", "x.tar", "--platform"];
    user.bulla(&[&export[..], &["linux/s390x"]].concat()).says(2, &["platform-unknown"]);
    assert!(!user.path("x.tar").exists());
    user.bulla(&[&export[..], &["linux/arm64"]].concat()).ends(0);
    let ended = user.offline(&["verify", "x.tar", "--format", "json"]).ends(0);
    let report = ended.json();
    assert_eq!(report["artifacts"][0]["digest"], platforms.index["digest"]);
    let notices = report["notices"].as_array().unwrap();
    assert!(notices.iter().any(|notice| notice["code"] == "content-omitted"), "{report}");
    user.bulla(&["inspect", "x.tar"]).says(0, &["content-omitted", digest(&platforms.arm64)]);
    user.bulla(&["import", "x.tar", "--to", "oci:out"]).ends(0);
    let there = |descriptor: &Value| {
        user.path("out/blobs/sha256").join(digest(descriptor).strip_prefix("sha256:").unwrap()).exists()
    };
    assert!(there(&platforms.index) && there(&platforms.arm64) && !there(&platforms.amd64));
    // What was left out is left out on purpose: the whole index, imported later, fills it up.
    user.bulla(&["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", "all.tar"]).ends(0);
    user.bulla(&["import", "all.tar", "--to", "oci:out"]).ends(0);
    check_layout(&user.path("out"));
    assert!(content.blobs.keys().all(|name| user.path("out/blobs/sha256").join(&name[7..]).exists()));
    user.bulla(&["import", "x.tar", "--to", "docker-archive:d.tar"]).ends(0);
}

#[test]
fn several_references_share_one_bundle() {
    let Some(world) = World::new("several_references_share_one_bundle", &[]) else { return };
    let user = &world.user;
    let shared = tar_layer("shared", &[7; 100_000]);
    let image = |tag: &str, folder: &str| {
        let mut content = Content::default();
        let image = content.image("amd64", &[shared.clone(), tag.as_bytes().to_vec()]);
        content.tag("v1", &image);
        world.sign(&mut content, &image);
        content.write_layout(&user.path(folder));
        digest(&image).to_owned()
    };
    let digests = ["one", "two"].map(|name| image(name, name));
    let words = ["export", "oci:one:v1", "oci:two:v1", "-o", "x.tar"];
    user.bulla(&[&words[..], &["--as", "a.example/one:v1"]].concat()).says(2, &["--as"]);
    let names = ["--as", "a.example/one:v1", "--as", "b.example/two:v1"];
    user.bulla(&[&words[..], &names].concat()).ends(0);
    assert!(fs::metadata(user.path("x.tar")).unwrap().len() < 180_000, "the shared layer is there once");
    // One of them under a policy that covers it, the other not.
    user.policy(&[statement("a.example/one", "strict", false)]);
    user.bulla(&["verify", "x.tar"]).says(1, &["policy-not-applicable", "TRUSTED"]);
    user.bulla(&["import", "x.tar", "--to", "oci:out", "--receipt", "r.json"]).ends(1);
    let receipt = user.json("r.json");
    assert_eq!(receipt["imported"][0]["digest"], digests[0].as_str());
    assert_eq!(receipt["refused"][0]["digest"], digests[1].as_str());
    let found = check_layout(&user.path("out"));
    assert_eq!(found.into_values().collect::<Vec<_>>(), [digests[0].clone()]);
    // Both: two repositories with one tag stay two in a layout.
    let mut both = statement("a.example/one", "strict", false);
    both["registryScopes"] = json!(["a.example/one", "b.example/two"]);
    user.policy(&[both]);
    user.bulla(&["import", "x.tar", "--to", "oci:out"]).ends(0);
    let index = user.json("out/index.json");
    for wanted in &digests {
        assert!(
            index["manifests"].as_array().unwrap().iter().any(|entry| entry["digest"] == wanted.as_str()),
            "{index}"
        );
    }
    check_layout(&user.path("out"));
    user.bulla(&["export", "out", "-o", "again.tar"]).ends(0);
    user.offline(&["verify", "again.tar"]).ends(0);
    let report = user.bulla(&["verify", "again.tar", "--format", "json"]).ends(0).json();
    assert_eq!(report["artifacts"].as_array().unwrap().len(), 2, "{report}");
}

#[test]
fn sha512_content_travels_too() {
    let Some(world) = World::new("sha512_content_travels_too", &[]) else { return };
    let (content, platforms) = signed_index(&world, Content::sha512());
    assert!(digest(&platforms.index).starts_with("sha512:"));
    world.user.bulla(&["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", "x.tar"]).ends(0);
    world.user.offline(&["verify", "x.tar"]).says(0, &[digest(&platforms.index)]);
    world.user.offline(&["import", "x.tar", "--to", "oci:out"]).ends(0);
    check_layout(&world.user.path("out"));
    assert!(content.blobs.keys().all(|name| world.user.path("out/blobs/sha512").join(&name[7..]).exists()));
    // And into a registry with the API.
    let registry = crate::support::registry::Registry::start(crate::support::registry::Options::default());
    world.user.bulla(&["import", "x.tar", "--to", &registry.host()]).ends(0);
    let there = format!("{}/app@{}", registry.host(), digest(&platforms.index));
    world.user.bulla(&["verify", &there, "--scope", SCOPE, "--offline"]).ends(0);
}

#[test]
fn one_bundle_again_is_the_same_bytes_and_standard_output_takes_it() {
    const TEST: &str = "one_bundle_again_is_the_same_bytes_and_standard_output_takes_it";
    let Some(world) = World::new(TEST, &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let name = format!("{SCOPE}:v1");
    let export = |output: &str| {
        world.user.bulla_dated(1_800_000_000, &["export", "oci:l:v1", "--as", &name, "-o", output]).ends(0).stdout
    };
    for (first, second) in [("a.tar", "b.tar"), ("a.tar.zst", "b.tar.zst")] {
        for output in [first, second] {
            export(output);
        }
        let bytes = |bundle: &str| fs::read(world.user.path(bundle)).unwrap();
        assert!(bytes(first) == bytes(second), "{first} and {second} differ");
    }
    let piped = export("-");
    assert!(piped == fs::read(world.user.path("a.tar")).unwrap());
    world.user.put("piped.tar", &piped);
    world.user.offline(&["verify", "piped.tar"]).ends(0);
}

#[test]
fn dockers_own_media_types_travel_too() {
    const TEST: &str = "dockers_own_media_types_travel_too";
    let Some(world) = World::new(TEST, &["docker-registry", "skopeo"]) else { return };
    let user = &world.user;
    let registry = DockerRegistry::start();
    let mut content = Content::default();
    let image = content.image("amd64", &[tar_layer("etc/motd", b"hello\n")]);
    content.tag("v1", &image);
    content.write_layout(&user.path("l"));
    let to = format!("docker://{}/app:v1", registry.host());
    let copy = ["--insecure-policy", "copy", "-q", "--format", "v2s2", "--dest-tls-verify=false", "oci:l:v1", &to];
    tools::must("skopeo", &copy, &user.folder());
    // What skopeo made of it, compressed and with Docker's types, is what gets signed.
    let accept = "application/vnd.docker.distribution.manifest.v2+json";
    let answer = request(&registry.host(), "GET", "/v2/app/manifests/v1", &[("accept", accept)], b"");
    assert_eq!(answer.header("content-type"), Some(accept));
    let manifest = json!({"mediaType": accept, "digest": sha256(&answer.body), "size": answer.body.len()});
    let mut attached = Content::default();
    world.sign(&mut attached, &manifest);
    attached.push(&registry.host(), "app");
    let scope = format!("{}/app", registry.host());
    user.policy(&[statement(&scope, "strict", false)]);
    user.bulla(&["export", &format!("{scope}:v1"), "-o", "x.tar"]).ends(0);
    user.offline(&["verify", "x.tar"]).says(0, &[digest(&manifest), accept]);
    user.offline(&["import", "x.tar", "--to", "oci:out"]).ends(0);
    user.bulla(&["import", "x.tar", "--to", &format!("{}/copy", registry.host())]).ends(0);
    let answer = request(&registry.host(), "GET", "/v2/copy/app/manifests/v1", &[("accept", accept)], b"");
    assert_eq!(sha256(&answer.body), digest(&manifest));
    user.offline(&["import", "x.tar", "--to", "docker-archive:d.tar"]).ends(0);
    let copy = ["--insecure-policy", "copy", "-q", "docker-archive:d.tar", "oci:unpacked:v1"];
    tools::must("skopeo", &copy, &user.folder());
    let (first, second) = ("oci:l:v1", "oci:unpacked:v1");
    let config = |layout: &str| -> Value {
        serde_json::from_str(&tools::must("skopeo", &["inspect", "--config", layout], &user.folder())).unwrap()
    };
    assert_eq!(config(first)["rootfs"]["diff_ids"], config(second)["rootfs"]["diff_ids"]);
}

#[test]
fn a_bundle_is_a_source_and_a_layout_that_others_made_a_destination() {
    const TEST: &str = "a_bundle_is_a_source_and_a_layout_that_others_made_a_destination";
    let Some(world) = World::new(TEST, &["skopeo"]) else { return };
    let user = &world.user;
    let (_, platforms) = signed_index(&world, Content::default());
    let bundle = world.export("l");
    // Packed again, without the network: names, signatures and evidence are those of the first.
    user.offline(&["export", &bundle, "-o", "second.tar", "--offline"]).ends(0);
    let report = user.offline(&["verify", "second.tar", "--format", "json"]).ends(0).json();
    assert_eq!(report["artifacts"][0]["reference"], format!("{SCOPE}:v1"));
    // A layout that skopeo made keeps what it has.
    let mut other = Content::default();
    let resident = other.image("amd64", &[tar_layer("b", b"b")]);
    other.tag("v9", &resident);
    other.write_layout(&user.path("other"));
    let copy = ["--insecure-policy", "copy", "-q", "--preserve-digests", "oci:other:v9", "oci:shared:v9"];
    tools::must("skopeo", &copy, &user.folder());
    user.bulla(&["import", "second.tar", "--to", "oci:shared"]).ends(0);
    let names = check_layout(&user.path("shared"));
    assert_eq!(names.get("v9").map(String::as_str), Some(digest(&resident)), "{names:?}");
    assert!(names.values().any(|found| found == digest(&platforms.index)), "{names:?}");
    let copy = ["--insecure-policy", "copy", "-q", "--preserve-digests", "oci:shared:v9", "oci:again:v9"];
    tools::must("skopeo", &copy, &user.folder());
}

#[test]
fn crls_come_from_disk_in_either_form() {
    let Some(mut world) = World::new("crls_come_from_disk_in_either_form", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    let der = world.pki.crl(&world.signer.inter);
    let root = world.user.put("crls/root.crl", &world.pki.crl(&world.signer.root));
    world.user.put("crls/inter.crl", &der);
    let body = BASE64_STANDARD.encode(&der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", lines.join("\n"));
    let pem = world.user.put("inter.pem", pem.as_bytes());
    world.server().forget_requests();
    let export = ["export", "oci:l:v1", "--as", "registry.example/app:v1", "-o", "x.tar"];
    world.user.bulla(&[&export[..], &["--crl", "crls"]].concat()).ends(0);
    assert!(world.server().seen().is_empty(), "{:?}", world.server().seen());
    world.stop_serving();
    world.user.bulla(&[&export[..], &["--crl", &root, "--crl", &pem]].concat()).ends(0);
    world.user.offline(&["verify", "x.tar"]).ends(0);
    world.user.bulla(&[&export[..], &["--crl", &root]].concat()).says(4, &["evidence-unavailable"]);
    world.user.bulla(&[&export[..], &["--offline", "--crl", &root]].concat()).says(4, &["evidence-unavailable"]);
}

#[test]
fn names_tags_and_digests() {
    let Some(world) = World::new("names_tags_and_digests", &[]) else { return };
    let user = &world.user;
    let registry = Registry::start(Options::default());
    let mut content = Content::default();
    let image = content.image("amd64", &[b"one".to_vec()]);
    let other = content.image("amd64", &[b"two".to_vec()]);
    for (tag, descriptor) in [("v1", &image), ("latest", &image), ("v2", &other)] {
        content.tag(tag, descriptor);
    }
    world.sign(&mut content, &image);
    content.fill(&registry, "app", false);
    let repository = format!("{}/app", registry.host());
    user.policy(&[statement(&repository, "strict", false)]);
    let export = |references: &[&str], bundle: &str| user.bulla(&[&["export"], references, &["-o", bundle]].concat());
    // Two tags of one artifact in one bundle.
    let (v1, latest) = (format!("{repository}:v1"), format!("{repository}:latest"));
    export(&[&v1, &latest], "two.tar").ends(0);
    user.bulla(&["import", "two.tar", "--to", "oci:two"]).ends(0);
    let names = check_layout(&user.path("two"));
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.values().all(|found| found == digest(&image)));
    // A digest alone; a tag and a digest, which must be one (conformance 1.31).
    let by_digest = format!("{repository}@{}", digest(&image));
    export(&[&by_digest], "digest.tar").ends(0);
    user.offline(&["verify", "digest.tar"]).says(0, &["TRUSTED"]);
    let inside = Registry::start(Options::default());
    user.bulla(&["import", "digest.tar", "--to", &inside.host()]).ends(0);
    inside.with("app", |repo| assert!(repo.manifests.contains_key(&digest(&image).parse().unwrap())));
    user.bulla(&["import", "digest.tar", "--to", "oci:by-digest"]).ends(0);
    user.bulla(&["verify", &format!("oci:by-digest@{}", digest(&image)), "--scope", &repository, "--offline"]).ends(0);
    export(&[&format!("{v1}@{}", digest(&image))], "both.tar").ends(0);
    let ended = export(&[&format!("{v1}@{}", digest(&other))], "lie.tar");
    assert_ne!(ended.status, 0, "{ended:?}");
    assert!(!user.path("lie.tar").exists());
    // What is not there.
    export(&[&format!("{repository}:v3")], "none.tar").says(4, &["not-found"]);
    export(&["oci:nowhere:v1"], "none.tar").says(4, &["not-found"]);
    export(&["oci:two:v9"], "none.tar").says(4, &["not-found"]);
    export(&["./nowhere.tar"], "none.tar").says(4, &["not-found"]);
    export(&["host.example/UPPER:v1"], "none.tar").says(2, &["reference-malformed"]);
    export(&[&v1], "missing-folder/none.tar").says(4, &["not-found"]);
    assert!(!user.path("none.tar").exists());
    // A layout from elsewhere has no repository, so it is not said under which policy to judge.
    content.write_layout(&user.path("nameless"));
    user.bulla(&["verify", "oci:nameless:v1", "--offline"]).says(2, &["name-missing", "--scope"]);
    user.bulla(&["verify", "oci:nameless:v1", "--scope", &repository]).says(0, &["TRUSTED"]);
    user.bulla(&["verify", "oci:nameless:v2", "--scope", &repository]).says(1, &["signature-absent"]);
    // One trusted and one unsigned: only the first is let in, and the exit status says that not all was.
    export(&[&v1, &format!("{repository}:v2")], "mixed.tar").ends(0);
    user.bulla(&["import", "mixed.tar", "--to", "oci:mixed", "--receipt", "r.json"]).says(1, &["signature-absent"]);
    let names = check_layout(&user.path("mixed"));
    assert_eq!(names.values().collect::<Vec<_>>(), [digest(&image)]);
    let receipt = user.json("r.json");
    assert_eq!(receipt["refused"][0]["digest"], other["digest"]);
    // Nobody else's bytes came along with it.
    let blob = |name: &str| user.path("mixed/blobs/sha256").join(name.strip_prefix("sha256:").unwrap());
    assert!(blob(digest(&image)).exists() && !blob(digest(&other)).exists());
}

/// The same content, asked for in whatever order, from a layout, from a registry with the referrers API or with the tag
/// schema, to a file or to a pipe: the same bytes. Large enough for several frames and several threads.
#[test]
fn the_same_content_gives_the_same_bytes_from_anywhere() {
    const TEST: &str = "the_same_content_gives_the_same_bytes_from_anywhere";
    let Some(world) = World::new(TEST, &[]) else { return };
    let (mut content, platforms) = signed_index(&world, Content::default());
    let text = b"what is written often is small ".repeat(400_000);
    let other = content.image("amd64", &[crate::support::content::noise(7, 3 << 20), text, b"small".to_vec()]);
    content.tag("v2", &other);
    content.referrer(&platforms.index, "application/vnd.example.note", b"a note");
    let user = &world.user;
    fs::remove_dir_all(user.path("l")).unwrap();
    content.write_layout(&user.path("l"));
    let with_api = Registry::start(Options::default());
    let without = Registry::start(Options {
        referrers: crate::support::registry::Referrers::Status(404),
        oci_subject: false,
        ..Options::default()
    });
    content.fill(&with_api, "a/b", false);
    content.fill(&without, "a/b", true);
    let names = [format!("{SCOPE}:v1"), format!("{SCOPE}:v2")];
    for (form, flag) in [("tar", "none"), ("tar.zst", "zstd")] {
        let mut first: Option<Vec<u8>> = None;
        for place in ["oci:l".to_owned(), format!("{}/a/b", with_api.host()), format!("{}/a/b", without.host())] {
            for order in [[0, 1], [1, 0]] {
                let output = format!("{}.{form}", order[0]);
                let sources = order.map(|number| format!("{place}:v{}", number + 1));
                let [one, other] = order.map(|number| names[number].as_str());
                let mut words = vec!["export", &sources[0], "--as", one, &sources[1], "--as", other];
                words.extend(["--compression", flag, "-o", &output]);
                user.bulla_dated(1_800_000_000, &words).ends(0);
                let bytes = fs::read(user.path(&output)).unwrap();
                let first = first.get_or_insert_with(|| bytes.clone());
                assert!(*first == bytes, "{place} {order:?} {form}: {} and {} bytes", first.len(), bytes.len());
            }
        }
        user.bulla(&["verify", &format!("0.{form}")]).says(1, &["signature-absent"]);
    }
}
