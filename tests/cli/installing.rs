//! `bulla plugin install|list|uninstall`. The plugins are scripts: a shell is all they need.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::common::{Ended, User, there};

fn script(name: &str, version: &str) -> String {
    format!(
        "#!/bin/sh\necho '{{\"name\":\"{name}\",\"description\":\"d\",\"version\":\"{version}\",\"url\":\"u\",\
         \"supportedContractVersions\":[\"1.0\"],\"capabilities\":[\"SIGNATURE_GENERATOR.RAW\"]}}'\n"
    )
}

/// A user with `notation-vault` of that version in a folder of its own.
fn package(user: &User, version: &str) {
    user.put("in/notation-vault", script("vault", version));
    fs::set_permissions(user.path("in/notation-vault"), fs::Permissions::from_mode(0o777)).unwrap();
}

fn plugin(user: &User, arguments: &[&str]) -> Ended {
    user.bulla(&[&["plugin"], arguments].concat())
}

fn install(user: &User, arguments: &[&str]) -> Ended {
    plugin(user, &[&["install", "--file"], arguments].concat())
}

#[test]
fn a_plugin_is_installed_updated_listed_and_removed() {
    let user = User::new();
    plugin(&user, &["list"]).ends(0);
    package(&user, "1.0.0");
    install(&user, &["in/notation-vault"]).ends(0).prints(&["installed plugin vault, version 1.0.0"]);
    // Conformance 11.01, 11.31: where it lies, and who may change it.
    let folder = user.home().join(".config/notation/plugins/vault");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("notation-vault"))), (0o755, 0o755));
    plugin(&user, &["ls"]).ends(0).prints(&["vault", "1.0.0", "[SIGNATURE_GENERATOR.RAW]"]);
    // Conformance 11.31: only a higher version comes in unforced, and the old files go.
    fs::write(folder.join("left"), "over").unwrap();
    install(&user, &["in/notation-vault"]).refuses(2, &["already-exists"]);
    package(&user, "1.0.0-rc.1");
    install(&user, &["in/notation-vault"]).refuses(2, &["already-exists"]);
    package(&user, "1.1.0");
    install(&user, &["in/notation-vault"]).ends(0).prints(&["from version 1.0.0 to 1.1.0"]);
    assert!(!folder.join("left").exists());
    package(&user, "1.0.0");
    install(&user, &["in/notation-vault", "--force"]).ends(0);
    package(&user, "newest");
    install(&user, &["in/notation-vault"]).refuses(2, &["plugin-unsuitable"]);
    // What does not work is not installed, and what is there stays.
    user.put("in/notation-vault", script("other", "2.0.0"));
    install(&user, &["in/notation-vault"]).refuses(4, &["plugin-failed"]);
    user.put("in/notation-vault", "no program");
    install(&user, &["in/notation-vault"]).refuses(4, &["plugin-failed"]);
    assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    plugin(&user, &["list"]).ends(0).prints(&["1.0.0"]);
    // Not without an answer.
    plugin(&user, &["uninstall", "vault"]).ends(0);
    assert!(folder.exists());
    plugin(&user, &["rm", "vault", "-y"]).ends(0);
    assert!(!folder.exists());
    plugin(&user, &["rm", "vault", "-y"]).refuses(2, &["plugin-missing"]);
    plugin(&user, &["rm", "../plugins", "-y"]).refuses(2, &["usage-invalid"]);
}

#[test]
fn packages_hold_one_program_and_are_what_was_promised() {
    if !there("packages_hold_one_program_and_are_what_was_promised", "tar")
        || !there("packages_hold_one_program_and_are_what_was_promised", "python3")
    {
        return;
    }
    let user = User::new();
    package(&user, "1.0.0");
    user.put("in/LICENSE", "free");
    user.put("in/more/deep", "x");
    let tar = |name: &str, arguments: &[&str]| {
        let mut command = Command::new("tar");
        command.arg("-czf").arg(user.path(name)).arg("-C").arg(user.path("in")).arg("-P").args(arguments);
        assert!(command.status().unwrap().success(), "{name}");
    };
    // Conformance 11.29, 11.30: program and companions, flattened.
    tar("good.tar.gz", &["notation-vault", "LICENSE", "more"]);
    let digest = bulla::digest::Digest::sha256(&user.get("good.tar.gz")).hex();
    install(&user, &["good.tar.gz", "--sha256sum", &"0".repeat(64)]).refuses(3, &["plugin-package-invalid"]);
    install(&user, &["good.tar.gz", "--sha256sum", &digest.to_uppercase()]).ends(0);
    let folder = user.home().join(".config/notation/plugins/vault");
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("notation-vault"), mode("LICENSE") & 0o133, fs::read(folder.join("deep")).unwrap()),
        (0o755, 0, b"x".to_vec())
    );
    // Zip: what is in folders stays out; a sole candidate becomes executable; a name that climbs is refused, and so is an
    // entry whose declared sizes are too large altogether.
    let zip = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\nfor n in sys.argv[3:]:\n    z.write(sys.argv[2],n)\n";
    let zip = |name: &str, source: &str, names: &[&str]| {
        let mut command = Command::new("python3");
        command.args(["-c", zip]).arg(user.path(name)).arg(user.path(source)).args(names);
        assert!(command.status().unwrap().success(), "{name}");
    };
    fs::set_permissions(user.path("in/notation-vault"), fs::Permissions::from_mode(0o644)).unwrap();
    zip("good.zip", "in/notation-vault", &["notation-vault", "docs/notation-two"]);
    install(&user, &["good.zip", "--force"]).ends(0);
    assert_eq!((mode("notation-vault") & 0o100, fs::read_dir(&folder).unwrap().count()), (0o100, 1));
    fs::set_permissions(user.path("in/notation-vault"), fs::Permissions::from_mode(0o755)).unwrap();
    user.put("in/notation-two", script("two", "1.0.0"));
    fs::set_permissions(user.path("in/notation-two"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::File::create(user.path("in/zeros")).unwrap().set_len(90 << 20).unwrap();
    symlink("/etc/passwd", user.path("in/notation-link")).unwrap();
    tar("two.tar.gz", &["notation-vault", "notation-two"]);
    tar("none.tar.gz", &["LICENSE"]);
    tar("climbs.tar.gz", &["notation-vault", "../in/LICENSE"]);
    tar("link.tar.gz", &["notation-vault", "notation-link"]);
    tar("twice.tar.gz", &["notation-vault", "./notation-vault"]);
    zip("climbs.zip", "in/LICENSE", &["notation-vault", "../LICENSE"]);
    zip("bomb.zip", "in/zeros", &["notation-vault", "b", "c"]);
    user.put("cut.tar.gz", &user.get("good.tar.gz")[..200]);
    user.put("cut.zip", &user.get("good.zip")[..60]);
    let bad = ["two.tar.gz", "none.tar.gz", "climbs.tar.gz", "link.tar.gz", "twice.tar.gz", "climbs.zip", "bomb.zip"];
    for name in bad.into_iter().chain(["cut.tar.gz", "cut.zip", "in/LICENSE"]) {
        install(&user, &[name, "--force"]).refuses(3, &["plugin-package-invalid"]);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // Conformance 11.29: from the network over https, against a digest.
    let from = |arguments: &[&str]| plugin(&user, &[&["install", "--url"], arguments].concat());
    from(&["https://127.0.0.1:9/notation-vault"]).fails(2, &["usage-invalid"]);
    from(&["http://127.0.0.1:9/notation-vault", "--sha256sum", &digest]).fails(2, &["usage-invalid"]);
}

#[test]
fn an_installation_that_is_killed_leaves_the_old_plugin_and_is_cleared_away_by_the_next() {
    let user = User::new();
    package(&user, "1.0.0");
    install(&user, &["in/notation-vault"]).ends(0);
    let plugins = user.home().join(".config/notation/plugins");
    // It never says who it is, so that the installation is killed with everything written and nothing in its place.
    user.put(
        "in/notation-vault",
        "#!/bin/sh\necho $$ > \"$HOME/pid.new\"\nmv \"$HOME/pid.new\" \"$HOME/pid\"\nexec sleep 30\n",
    );
    let mut killed = Command::new(env!("CARGO_BIN_EXE_bulla"));
    killed.args(["plugin", "install", "--force", "--file", "in/notation-vault"]).current_dir(user.folder());
    let mut killed = killed.env_clear().env("HOME", user.home()).env("PATH", "/usr/bin:/bin").spawn().unwrap();
    let pid = user.home().join("pid");
    while !pid.exists() {
        assert!(killed.try_wait().unwrap().is_none(), "it waits for the plugin");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(Command::new("kill").arg(fs::read_to_string(&pid).unwrap().trim()).status().unwrap().success());
    assert_eq!(fs::read_dir(&plugins).unwrap().count(), 2, "the old one, and what was left");
    plugin(&user, &["list"]).ends(0).prints(&["vault", "1.0.0"]);
    package(&user, "2.0.0");
    install(&user, &["in/notation-vault"]).ends(0).prints(&["from version 1.0.0 to 2.0.0"]);
    assert_eq!(fs::read_dir(&plugins).unwrap().count(), 1);
    plugin(&user, &["list"]).ends(0).prints(&["2.0.0"]);
}
