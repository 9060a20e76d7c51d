//! `bulla plugin install|list|uninstall`. The plugins are scripts: a shell is all they need.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Child, Command, Stdio};

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

/// An HTTPS server of openssl's that serves the user's files, with a certificate of an authority of its own.
struct HttpsServer {
    process: Child,
    address: String,
}

impl HttpsServer {
    fn start(user: &User) -> Self {
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(user.folder());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -addext keyUsage=critical,keyCertSign"
        ));
        let leaf = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
        openssl(&format!("req -x509 -CA ca.pem -CAkey ca.key {key} -keyout tls.key -out tls.pem -subj /CN=tls {leaf}"));
        let mut command = Command::new("openssl");
        command.args("s_server -accept 127.0.0.1:0 -cert tls.pem -key tls.key -WWW".split(' '));
        command.current_dir(user.folder()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned)).unwrap();
        // What it says afterwards is of no interest, but it must be able to say it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_plugin_comes_over_https_from_whom_the_users_authorities_vouch_for() {
    // Conformance 11.29.
    const TEST: &str = "a_plugin_comes_over_https_from_whom_the_users_authorities_vouch_for";
    if !there(TEST, "openssl") || !there(TEST, "tar") {
        return;
    }
    let user = User::new();
    package(&user, "1.0.0");
    let mut tar = Command::new("tar");
    tar.args(["-czf", "vault.tar.gz", "-C", "in", "notation-vault"]).current_dir(user.folder());
    assert!(tar.status().unwrap().success());
    let server = HttpsServer::start(&user);
    let install = |name: &str, digest: &str, authorities: Option<&str>| {
        let url = format!("https://{}/{name}", server.address);
        let arguments = ["plugin", "install", "--url", &url, "--sha256sum", digest];
        let mut command = user.command(&arguments);
        if let Some(file) = authorities {
            command.env("SSL_CERT_FILE", file);
        }
        Ended::of(&arguments, &mut command)
    };
    let digest = |name: &str| bulla::digest::Digest::sha256(&user.get(name)).hex();
    let folder = user.home().join(".config/notation/plugins/vault");
    // Nobody vouches for the server; the server has something else; the server does not have it.
    install("vault.tar.gz", &digest("vault.tar.gz"), None).refuses(4, &["network-failed"]).says(&["SSL_CERT_FILE"]);
    install("vault.tar.gz", &"0".repeat(64), Some("ca.pem")).refuses(3, &["plugin-package-invalid"]);
    install("vault.tar.gz", &digest("vault.tar.gz"), Some("none.pem")).ends(4);
    assert!(!folder.exists());
    install("vault.tar.gz", &digest("vault.tar.gz"), Some("ca.pem")).ends(0).prints(&["plugin vault, version 1.0.0"]);
    plugin(&user, &["list"]).ends(0).prints(&["vault", "1.0.0"]);
    // The program itself, whose name is the last part of the address.
    package(&user, "1.1.0");
    let program = "in/notation-vault";
    install(program, &digest(program), Some("ca.pem")).ends(0).prints(&["from version 1.0.0 to 1.1.0"]);
}
