//! Destinations that cannot take what they are given: full, read-only, missing, or something else altogether.

use std::fs;
use std::process::{Command, Stdio};

use super::common::{Ended, NAME, User, contents};

/// A small file system of its own in the user's scratch directory, taken away again at the end.
struct Small(std::path::PathBuf);

impl Small {
    /// Only root may mount, and not in every sandbox; then the test says that it is skipped.
    fn mount(user: &User, test: &str, kib: u32) -> Option<Self> {
        let path = user.path("small");
        fs::create_dir(&path).unwrap();
        let size = format!("size={kib}k");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(&path).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            crate::skip::always(format_args!("{test}: a small tmpfs cannot be mounted here"));
        }
        mounted.then_some(Self(path))
    }

    fn make_read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn export(user: &User, output: &str) -> Ended {
    user.bulla(&["export", "oci:demo/registry:1.0", "--as", NAME, "--crl", "demo/crls", "--offline", "-o", output])
}

fn import(user: &User, to: &str) -> Ended {
    let platform: &[&str] = if to.starts_with("docker-archive:") { &["--platform", "linux/amd64"] } else { &[] };
    user.judging(&[&["import", "demo/hello.bulla.tar", "--to", to], platform].concat())
}

#[test]
fn a_full_disk() {
    let user = User::with_demo();
    let Some(small) = Small::mount(&user, "a_full_disk", 16) else { return };
    export(&user, "small/out.tar").refuses(4, &["storage-full"]);
    assert!(contents(&small.0).is_empty(), "{:?}", contents(&small.0).keys());
    import(&user, "oci:small/images").refuses(4, &["storage-full"]);
    // Blobs that arrived whole may stay for the next run; nothing has a name, and nothing is half there.
    let left = contents(&small.0.join("images"));
    assert!(!left.keys().any(|path| path.to_string_lossy().contains("tmp-")), "{:?}", left.keys());
    assert_eq!(user.json("small/images/index.json")["manifests"], serde_json::json!([]));
    fs::remove_dir_all(small.0.join("images")).ok();
    // Fill it, so that not even a small file fits.
    let _ = fs::write(small.0.join("filler"), vec![1; 16 << 10]);
    let before = contents(&small.0);
    import(&user, "docker-archive:small/image.tar").refuses(4, &["storage-full"]);
    assert_eq!(contents(&small.0), before);
}

/// What was there before stays as it was, whole.
#[test]
fn a_full_disk_keeps_what_is_there() {
    let user = User::with_demo();
    let Some(small) = Small::mount(&user, "a_full_disk_keeps_what_is_there", 48) else { return };
    export(&user, "small/out.tar").ends(0);
    let before = contents(&small.0);
    export(&user, "small/out.tar").refuses(4, &["storage-full"]);
    assert_eq!(contents(&small.0), before);
    user.judging(&["verify", "small/out.tar"]).ends(0);
}

#[test]
fn a_full_pipe_or_device() {
    let user = User::with_demo();
    for arguments in [
        &["export", "oci:demo/registry:1.0", "--as", NAME, "--crl", "demo/crls", "--offline", "-o", "-"][..],
        &["inspect", "demo/hello.bulla.tar"],
        &["verify", "demo/hello.bulla.tar", "--integrity-only"],
        &["explain"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
        command.args(arguments).current_dir(user.folder()).env_clear().env("HOME", user.home()).stdout(full);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error[storage-full]: "), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_read_only_destination() {
    let user = User::with_demo();
    let Some(small) = Small::mount(&user, "a_read_only_destination", 256) else { return };
    import(&user, "oci:small/images").ends(0);
    small.make_read_only();
    let before = contents(&small.0);
    let code: &[&str] = &["permission-denied"];
    export(&user, "small/out.tar").refuses(4, code);
    import(&user, "oci:small/other").refuses(4, code);
    import(&user, "docker-archive:small/image.tar").refuses(4, code);
    let receipt = ["import", "demo/hello.bulla.tar", "--to", "oci:images", "--receipt", "small/receipt.json"];
    user.judging(&receipt).refuses(4, code);
    assert_eq!(contents(&small.0), before);
    assert!(!user.path("images").exists(), "an import that cannot be accounted for was begun");
}

#[test]
fn folders_that_are_missing() {
    let user = User::with_demo();
    let before = user.files();
    export(&user, "missing/out.tar").refuses(4, &["not-found"]);
    import(&user, "docker-archive:missing/image.tar").refuses(4, &["not-found"]);
    assert_eq!(user.files(), before);
    // A layout is a folder and is made, with those above it.
    import(&user, "oci:new/images").ends(0);
}

#[test]
fn targets_that_are_something_else() {
    let user = User::with_demo();
    fs::create_dir(user.path("folder")).unwrap();
    user.put("file", "precious");
    std::os::unix::fs::symlink("/dev/full", user.path("device")).unwrap();
    let before = user.files();
    let code: &[&str] = &["destination-unsupported"];
    export(&user, "folder").refuses(2, code);
    export(&user, "device").refuses(2, code);
    import(&user, "docker-archive:folder").refuses(2, code);
    let receipt = ["import", "demo/hello.bulla.tar", "--to", "oci:images", "--receipt", "folder"];
    user.judging(&receipt).refuses(2, code);
    import(&user, "oci:file").refuses(2, code);
    assert_eq!(user.files(), before);
}

/// An import never touches a folder that holds something else, nor breaks a layout that is there.
#[test]
fn folders_that_hold_something_else() {
    let user = User::with_demo();
    user.put("folder/letter.txt", "dear diary");
    import(&user, "oci:folder").refuses(2, &["destination-unsupported"]);
    user.put("broken/oci-layout", "{}");
    import(&user, "oci:broken").refuses(3, &["layout-invalid"]);
    let index = String::from_utf8(user.get("demo/isolated/images/index.json")).unwrap();
    assert!(index.contains(NAME));
    user.put("broken/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    user.put("broken/index.json", "nonsense");
    import(&user, "oci:broken").refuses(3, &["layout-invalid"]);
    assert_eq!(user.get("broken/index.json"), b"nonsense");
}

/// What is read, or written besides, is not written over, under whatever name.
#[test]
fn targets_that_are_the_source() {
    let user = User::with_demo();
    user.put("carried.tar", user.get("demo/hello.bulla.tar"));
    std::os::unix::fs::symlink("carried.tar", user.path("link.tar")).unwrap();
    let before = user.files();
    let code: &[&str] = &["usage-invalid"];
    for output in ["carried.tar", "./carried.tar", "link.tar"] {
        user.bulla(&["export", "carried.tar", "--offline", "-o", output]).refuses(2, code);
        let archive = format!("docker-archive:{output}");
        let import = |more: &[&str]| user.judging(&[&["import", "carried.tar", "--to"], more].concat());
        import(&[&archive, "--platform", "linux/amd64"]).refuses(2, code);
        import(&["oci:images", "--receipt", output]).refuses(2, code);
    }
    let import = ["import", "carried.tar", "--to", "docker-archive:new", "--platform", "linux/amd64"];
    user.judging(&[&import[..], &["--receipt", "new"]].concat()).refuses(2, code);
    user.judging(&["import", "carried.tar", "--to", "oci:images", "--receipt", "-"])
        .refuses(2, code)
        .says(&["--format json"]);
    assert_eq!(user.files(), before);
}

/// Elsewhere a tag may follow a path; a folder with a colon in its name is what nobody means.
#[test]
fn destinations_take_no_names() {
    let user = User::with_demo();
    for to in ["oci:images:1.0", "docker-archive:image.tar:1.0"] {
        import(&user, to).refuses(2, &["usage-invalid"]).says(&["--map"]);
    }
    assert!(user.files().is_empty());
    fs::create_dir(user.path("odd:name")).unwrap();
    import(&user, "oci:odd:name").ends(0);
    let platform = ["import", "demo/hello.bulla.tar", "--to", "oci:images", "--platform", "linux/amd64"];
    user.judging(&platform).refuses(2, &["usage-invalid"]);
    assert!(!user.path("images").exists());
    let map = ["import", "demo/hello.bulla.tar", "--to", "oci:images", "--map", "registry.bulla.exmaple=b.example"];
    user.judging(&map).ends(0).says(&["warning: --map registry.bulla.exmaple"]);
}

/// Under which repository an artifact was judged is on record where the operator said another than its own.
#[test]
fn a_receipt_says_under_which_repository_was_judged() {
    let user = User::with_demo();
    let text = String::from_utf8(user.get("demo/config/trustpolicy.json")).unwrap();
    user.put("policy.json", text.replace("registry.bulla.example/demo/hello", "other.example/app"));
    let trust = ["--trust-store", "demo/config", "--policy", "policy.json", "--receipt", "r.json"];
    let import = |more: &[&str]| {
        user.bulla(&[&["import", "demo/hello.bulla.tar", "--to", "oci:images"], &trust[..], more].concat())
    };
    import(&[]).ends(1);
    import(&["--scope", "other.example/app"]).ends(0);
    let receipt = user.json("r.json");
    assert_eq!(
        (&receipt["imported"][0]["scope"], &receipt["imported"][0]["reference"]),
        (&"other.example/app".into(), &NAME.into())
    );
}
