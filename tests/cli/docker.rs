//! `export --docker-load`: a bundle that docker and podman load. Whoever reads it here holds its `manifest.json` against the
//! images, whatever he was asked for.

use serde_json::Value;

use super::common::{Ended, NAME, User, conforms};
use super::forge::Tar;

const ONE: [&str; 3] = ["--docker-load", "--platform", "linux/amd64"];

/// The demo's bundle with one platform of its image, for docker and podman to load.
fn loadable(user: &User, output: &str) -> Ended {
    let words = ["export", "demo/hello.bulla.tar", "--offline", "-o", output];
    let words = [&words[..], &ONE].concat();
    Ended::of(&words, user.command(&words).env("SOURCE_DATE_EPOCH", "1790000000")).ends(0)
}

fn piped(user: &User, bytes: &[u8], words: &[&str]) -> Ended {
    Ended::of(words, user.command(words).write_stdin(bytes))
}

#[test]
fn one_image_of_each_name_is_exported() {
    let user = User::with_demo();
    let before = user.files();
    // Two platforms: which of them is meant is nobody's guess.
    let words = ["export", "demo/hello.bulla.tar", "--offline", "--docker-load", "-o", "x.tar"];
    let refused = user.bulla(&words).fails(2, &["docker-load-unsupported"]);
    refused.says(&["linux/amd64", "linux/arm64", "--platform", "hint: "]);
    // A file is no image.
    user.put("tool", b"a tool");
    user.bulla(&["export", "file:tool", "--docker-load", "-o", "x.tar"]).fails(2, &["docker-load-unsupported"]);
    std::fs::remove_file(user.path("tool")).unwrap();
    assert_eq!(user.files(), before);
    loadable(&user, "x.tar").says(&["docker load and podman load", "judge nothing", "docker-archive:FILE"]);
    let tar = Tar::parse(&user.get("x.tar"));
    let found: Value = serde_json::from_slice(&tar.0[tar.position("manifest.json")].content).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["RepoTags"], serde_json::json!([NAME]));
    assert_eq!(tar.inventory()["features"], serde_json::json!(["docker-manifest"]));
    conforms("bundle-v1.schema.json", &tar.inventory());
}

#[test]
fn it_is_a_bundle_like_any_other() {
    let user = User::with_demo();
    loadable(&user, "x.tar");
    loadable(&user, "x.tar.zst");
    for name in ["x.tar", "x.tar.zst"] {
        user.judging(&["verify", name]).ends(0).prints(&["TRUSTED"]);
        let json = user.bulla(&["inspect", name, "--format", "json"]).ends(0).json();
        conforms("inspection-v1.schema.json", &json);
        let text = user.bulla(&["inspect", name]).ends(0);
        text.prints(&["manifest.json", "judge nothing", json["bundle"]["dockerManifest"]["digest"].as_str().unwrap()]);
        piped(&user, &user.get(name), &["inspect", "-"]).ends(0).prints(&["manifest.json", "judge nothing"]);
        piped(&user, &user.get(name), &["verify", "-", "--integrity-only"]).ends(0);
        user.judging(&["import", name, "--to", "oci:images"]).ends(0);
        assert!(!user.path("images/manifest.json").exists(), "it is no content");
        std::fs::remove_dir_all(user.path("images")).unwrap();
    }
    // The same bytes again, and on a pipe.
    let first = user.get("x.tar");
    loadable(&user, "x.tar");
    assert!(user.get("x.tar") == first);
    let words = [&["export", "demo/hello.bulla.tar", "--offline", "-o", "-"][..], &ONE].concat();
    let out = user.command(&words).env("SOURCE_DATE_EPOCH", "1790000000").output().unwrap().stdout;
    assert!(out == first);
    // Nobody who did not ask for it gets one.
    user.bulla(&["export", "x.tar", "--platform", "linux/amd64", "--offline", "-o", "plain.tar"]).ends(0);
    let plain = Tar::parse(&user.get("plain.tar"));
    assert!(plain.0.iter().all(|entry| entry.name() != "manifest.json"));
    assert!(plain.inventory().get("features").is_none());
    let json = user.bulla(&["inspect", "plain.tar", "--format", "json"]).ends(0).json();
    assert!(json["bundle"].get("dockerManifest").is_none());
}

/// A new bundle out of one that could be loaded can be loaded.
#[test]
fn a_signature_more_takes_nothing_away() {
    let user = User::with_demo();
    loadable(&user, "x.tar");
    user.bulla(&["cert", "generate-test", "--default", "t"]).ends(0);
    user.bulla(&["sign", "x.tar", "-o", "y.tar", "--offline", "--allow-missing-evidence"]).ends(0);
    let [old, new] = ["x.tar", "y.tar"].map(|name| {
        let tar = Tar::parse(&user.get(name));
        tar.0[tar.position("manifest.json")].content.clone()
    });
    assert_eq!(old, new);
    user.bulla(&["verify", "y.tar", "--integrity-only"]).ends(0);
}

#[test]
fn what_says_something_else_is_refused_by_everybody() {
    let user = User::with_demo();
    loadable(&user, "x.tar");
    let tar = Tar::parse(&user.get("x.tar"));
    let place = tar.position("manifest.json");
    let text = String::from_utf8(tar.0[place].content.clone()).unwrap();
    let other = tar.with(|tar| tar.0[place].replace(text.replace(":1.0", ":9.9").as_bytes()));
    let shorter = tar.with(|tar| tar.0[place].replace(b"[]"));
    let without = tar.with(|tar| drop(tar.0.remove(place)));
    for bytes in [other, shorter, without] {
        user.put("bad.tar", &bytes);
        let before = user.files();
        let code = &["docker-manifest-mismatch"];
        for words in [
            &["verify", "bad.tar"][..],
            &["import", "bad.tar", "--to", "oci:images", "--allow", "rejected,unsigned"],
            &["import", "bad.tar", "--to", "docker-archive:image.tar"],
        ] {
            user.judging(words).refuses(3, code).says(&["do not load this file"]);
            let trust = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json", "--offline"];
            let from_pipe: Vec<_> = words.iter().map(|word| if *word == "bad.tar" { "-" } else { word }).collect();
            piped(&user, &bytes, &[&from_pipe[..], &trust].concat()).refuses(3, code);
        }
        for words in [
            &["inspect", "bad.tar"][..],
            &["verify", "bad.tar", "--integrity-only"],
            &["export", "bad.tar", "--offline", "-o", "again.tar"],
        ] {
            user.bulla(words).refuses(3, code);
        }
        piped(&user, &bytes, &["inspect", "-"]).refuses(3, code);
        piped(&user, &bytes, &["verify", "-", "--integrity-only"]).refuses(3, code);
        assert_eq!(user.files(), before, "nothing is written");
    }
}
