//! Damaged and hostile OCI layouts, as directories and in other tools' archives.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bulla::digest::Digest;
use bulla::oci::{MediaType, blob_path};
use serde_json::{Value, json};

use super::common::{NAME, User, contents};
use super::forge::{Blob, Entry, Tar, nested};

/// A layout of these blobs; the first is its root.
fn layout(user: &User, blobs: &[Blob]) {
    let mut root = blobs[0].descriptor();
    root["annotations"] = json!({"io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": "1.0"});
    user.put("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    user.put("layout/index.json", json!({"schemaVersion": 2, "manifests": [root]}).to_string());
    for blob in blobs {
        user.put(&format!("layout/{}", blob_path(&Digest::sha256(&blob.content))), &blob.content);
    }
}

fn place(blob: &Blob) -> String {
    format!("layout/{}", blob_path(&Digest::sha256(&blob.content)))
}

fn config() -> Blob {
    Blob::new("application/vnd.oci.image.config.v1+json", "{}")
}

fn layer() -> Blob {
    Blob::new("application/vnd.oci.image.layer.v1.tar", "a layer")
}

fn image() -> Vec<Blob> {
    vec![Blob::image(&config().descriptor(), &[layer().descriptor()]), config(), layer()]
}

/// Every command that reads layouts refuses this one and writes nothing. `inspect` may be content with it.
#[track_caller]
fn refused(name: &str, status: i32, codes: &[&str], make: impl FnOnce(&User)) {
    eprintln!("{name}");
    let user = User::with_demo();
    make(&user);
    let before = contents(&user.folder());
    user.judging(&["verify", "layout"]).refuses(status, codes);
    user.judging(&["verify", "oci:layout:1.0"]).refuses(status, codes);
    user.bulla(&["verify", "layout", "--integrity-only"]).refuses(status, codes);
    let export = ["export", "layout", "--offline", "-o", "out.tar"];
    user.bulla(&export).refuses(status, codes);
    let inspected = user.bulla(&["inspect", "layout"]);
    assert!([0, status].contains(&inspected.status), "{name}: {inspected:?}");
    assert_eq!(contents(&user.folder()), before, "{name}: something was written");
}

#[test]
fn a_sound_layout_is_read() {
    let user = User::with_demo();
    layout(&user, &image());
    user.bulla(&["verify", "layout", "--integrity-only"]).ends(0);
    user.bulla(&["export", "layout", "--offline", "-o", "out.tar"]).ends(0);
    user.judging(&["verify", "layout"]).ends(1).prints(&["signature-absent"]);
}

#[test]
fn damaged_content() {
    let damaged: &[&str] = &["blob-digest-mismatch"];
    refused("a layer altered", 3, damaged, |user| {
        layout(user, &image());
        user.put(&place(&layer()), "A layer");
    });
    refused("a manifest altered", 3, &["blob-digest-mismatch", "blob-size-mismatch"], |user| {
        layout(user, &image());
        let manifest = &image()[0];
        let mut bytes = manifest.content.clone();
        bytes[3] ^= 1;
        user.put(&place(manifest), bytes);
    });
    refused("a layer cut short", 3, &["blob-size-mismatch"], |user| {
        layout(user, &image());
        user.put(&place(&layer()), "a laye");
    });
    refused("a layer with more", 3, &["blob-size-mismatch"], |user| {
        layout(user, &image());
        user.put(&place(&layer()), "a layer and more");
    });
    refused("a layer missing", 3, &["blob-missing"], |user| {
        layout(user, &image());
        fs::remove_file(user.path(&place(&layer()))).unwrap();
    });
    refused("a manifest missing", 3, &["blob-missing"], |user| {
        layout(user, &image());
        fs::remove_file(user.path(&place(&image()[0]))).unwrap();
    });
}

#[test]
fn documents_that_say_wrong_things() {
    let weak = |digest: &str| {
        let descriptor = json!({"mediaType": "text/plain", "digest": digest, "size": 0});
        vec![Blob::image(&config().descriptor(), &[descriptor]), config()]
    };
    let unsupported: &[&str] = &["digest-algorithm-unsupported", "manifest-malformed"];
    refused("md5", 3, unsupported, |user| layout(user, &weak("md5:d41d8cd98f00b204e9800998ecf8427e")));
    refused("a path as digest", 3, unsupported, |user| layout(user, &weak("sha256:../../../etc/passwd")));
    refused("md5 in index.json", 3, &["layout-invalid"], |user| {
        layout(user, &image());
        let text = String::from_utf8(user.get("layout/index.json")).unwrap();
        user.put("layout/index.json", text.replace("sha256:", "md5:"));
    });
    refused("a wrong size in index.json", 3, &["blob-size-mismatch"], |user| {
        layout(user, &image());
        let mut index: Value = user.json("layout/index.json");
        index["manifests"][0]["size"] = 1.into();
        user.put("layout/index.json", index.to_string());
    });
    refused("an oversized manifest", 3, &["manifest-too-large"], |user| {
        let mut index = Blob::index(&[]);
        index.content.resize(index.content.len() + (4 << 20), b' ');
        layout(user, &[index]);
    });
    refused("an oversized index.json", 3, &["limit-exceeded"], |user| {
        layout(user, &image());
        // A sparse file.
        fs::File::options().write(true).open(user.path("layout/index.json")).unwrap().set_len(65 << 20).unwrap();
    });
    refused("indexes nested 1,000 deep", 3, &["closure-too-deep"], |user| layout(user, &nested(1000)));
    refused("brackets nested 100,000 deep", 3, &["layout-invalid"], |user| {
        layout(user, &image());
        user.put("layout/index.json", "[".repeat(100_000));
    });
    refused("a layout of the future", 3, &["layout-invalid"], |user| {
        layout(user, &image());
        user.put("layout/oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#);
    });
    refused("no oci-layout", 3, &["layout-invalid"], |user| {
        layout(user, &image());
        fs::remove_file(user.path("layout/oci-layout")).unwrap();
    });
    refused("no index.json", 3, &["layout-invalid"], |user| {
        layout(user, &image());
        fs::remove_file(user.path("layout/index.json")).unwrap();
    });
    refused("an index that claims to contain itself", 3, &["blob-size-mismatch", "blob-digest-mismatch"], |user| {
        let inner = Blob::index(&[]);
        let outer = Blob::index(&[inner.descriptor()]);
        let liar = Blob::index(&[outer.descriptor()]);
        let place = place(&inner);
        layout(user, &[outer, inner]);
        user.put(&place, liar.content);
    });
}

#[test]
fn files_that_are_none() {
    let replace = |user: &User, name: &str, make: &dyn Fn(&Path)| {
        layout(user, &image());
        let path = user.path(name);
        fs::rename(&path, user.path("aside")).unwrap();
        make(&path);
    };
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    for name in [place(&layer()), place(&image()[0]), "layout/index.json".into(), "layout/oci-layout".into()] {
        // Even a link to the right content: whoever can place links should not decide what is read.
        refused(&format!("{name} is a link"), 3, &["layout-invalid"], |user| {
            let aside = user.path("aside");
            replace(user, &name, &|path| symlink(&aside, path).unwrap());
        });
        refused(&format!("{name} is a pipe"), 3, &["layout-invalid"], |user| replace(user, &name, &pipe));
        refused(&format!("{name} is a directory"), 3, &["layout-invalid"], |user| {
            replace(user, &name, &|path| fs::create_dir(path).unwrap());
        });
    }
}

/// Archives of other tools may be laid out differently, but not lead elsewhere.
#[test]
fn archives_of_layouts() {
    let user = User::with_demo();
    let blobs = image();
    layout(&user, &blobs);
    let file = |name: &str| Entry::file(name, &user.get(&format!("layout/{name}")));
    let mut tar = Tar(vec![Entry::of("./", b'5', b""), file("oci-layout"), file("index.json")]);
    tar.0.extend(blobs.iter().map(|blob| Entry::blob(&blob.content)));
    tar.0.push(Entry::file("manifest.json", b"[]"));
    user.put("foreign.tar", tar.bytes());
    user.bulla(&["verify", "foreign.tar", "--integrity-only"]).ends(0);
    user.judging(&["import", "foreign.tar", "--to", "oci:images"]).refuses(3, &["bundle-manifest-invalid"]);
    let forbidden: &[&str] = &["archive-entry-forbidden"];
    let last = tar.0.len() - 2;
    let push = |entry: Entry| tar.with(|tar| tar.0.push(entry));
    for (name, codes, bytes) in [
        ("..", forbidden, push(Entry::file("a/../../evil", b"x"))),
        ("absolute", forbidden, push(Entry::file("/evil", b"x"))),
        ("a link", forbidden, push(Entry::link("evil", b'2', "/etc/passwd"))),
        ("a hard link", forbidden, push(Entry::link("evil", b'1', "index.json"))),
        ("a device", forbidden, push(Entry::link("evil", b'3', ""))),
        ("a blob twice", &["archive-entry-duplicate"], push(tar.0[last].clone())),
        ("index.json again as ./index.json", &["archive-entry-duplicate"], push(Entry::file("./index.json", b"{}"))),
        ("a layer altered", &["blob-digest-mismatch"], tar.with(|tar| tar.0[last].content[0] ^= 1)),
        ("a layer missing", &["blob-missing"], tar.without(last)),
        ("no index.json", &["layout-invalid"], tar.without(2)),
        ("cut short", &["archive-truncated"], tar.bytes()[..tar.offset(last) + 3].to_vec()),
        ("a manifest list of docker save", &["layout-invalid"], Tar(vec![Entry::file("manifest.json", b"[]")]).bytes()),
        ("an index that is an image", &["manifest-malformed", "layout-invalid", "manifest-mismatch"], {
            let text = String::from_utf8(tar.0[2].content.clone()).unwrap();
            tar.with(|tar| tar.0[2].replace(text.replace(MediaType::OCI_MANIFEST, MediaType::OCI_INDEX).as_bytes()))
        }),
    ] {
        eprintln!("{name}");
        user.put("bad.tar", bytes);
        let before = user.files();
        user.judging(&["verify", "bad.tar"]).refuses(3, codes);
        user.bulla(&["export", "bad.tar", "--offline", "-o", "out.tar"]).refuses(3, codes);
        assert_eq!(user.files(), before, "{name}");
    }
}

#[test]
fn an_empty_layout_is_called_empty() {
    let user = User::with_demo();
    user.put("empty/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    user.put("empty/index.json", json!({"schemaVersion": 2, "manifests": []}).to_string());
    user.judging(&["verify", "oci:empty"]).refuses(4, &["not-found"]);
    let ended = user.bulla(&["export", "oci:empty", "-o", "out.tar"]);
    assert!(ended.stderr.contains("the source is empty"), "{}", ended.stderr);
    ended.refuses(4, &["not-found"]);
}
