//! Container engines: containerd and Docker, each started for the test in namespaces of its own, with nothing but what it
//! keeps in a scratch folder, and no network.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::Shelf;
use crate::support::content::digest;
use crate::support::tools;
use crate::world::SCOPE;

/// Where Docker keeps images.
#[derive(Clone, Copy)]
enum Images {
    /// In containerd, as OCI content: what new installations do.
    Containerd,
    /// In its own store, which knows configurations and unpacked layers only.
    Classic,
}

/// containerd, and Docker on top of it. Killed, they leave nothing: their mounts end with their namespaces.
struct Engine {
    /// Docker first.
    daemons: Vec<Child>,
    folder: TempDir,
}

/// Starts a daemon that sees no network and has `/run` for itself.
fn daemon(folder: &Path, name: &str, words: &str) -> Child {
    let script = format!("mount -t tmpfs none /run; exec {name} {words}");
    let log = File::create(folder.join(format!("{name}.log"))).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-ec", &script]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

impl Engine {
    /// `None`, said aloud, where the sandbox does not let them run.
    fn start(test: &str, images: Images) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path(), images);
        let driver = match images {
            Images::Containerd => "native",
            Images::Classic => "vfs",
        };
        let mut engine = Self { daemons: vec![daemon(folder.path(), "containerd", "-c containerd.toml")], folder };
        let docker = format!(
            "--config-file docker.json --containerd $PWD/containerd.sock --storage-driver {driver} \
             --userland-proxy=false --iptables=false --ip6tables=false --bridge=none --data-root $PWD/docker \
             --exec-root $PWD/docker.run -p $PWD/docker.pid -H unix://$PWD/docker.sock"
        );
        if engine.answers("containerd.sock") {
            engine.daemons.insert(0, daemon(engine.folder.path(), "dockerd", &docker));
            if engine.answers("docker.sock") {
                return Some(engine);
            }
        }
        let logs =
            ["dockerd.log", "containerd.log"].map(|log| fs::read_to_string(engine.path(log)).unwrap_or_default());
        let word = logs.iter().find_map(|log| log.lines().last()).unwrap_or("no word");
        tools::skip_always(test, &format!("dockerd does not run here: {word}"));
        None
    }

    /// Waits until somebody listens at a socket, or a daemon has ended.
    fn answers(&mut self, socket: &str) -> bool {
        let (path, until) = (self.path(socket), Instant::now() + Duration::from_secs(60));
        while Instant::now() < until && self.daemons.iter_mut().all(|child| child.try_wait().unwrap().is_none()) {
            if UnixStream::connect(&path).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks Docker; what it answers.
    #[track_caller]
    fn docker(&self, shelf: &Shelf, words: &[&str], target: &str) -> String {
        let socket = self.path("docker.sock").display().to_string();
        let own = ["-sS", "--unix-socket", &socket, &format!("http://docker{target}")];
        shelf.must("curl", &[&own[..], words].concat())
    }

    /// `docker load`.
    #[track_caller]
    fn load(&self, shelf: &Shelf, file: &str) -> String {
        let data = format!("@{file}");
        self.docker(shelf, &["-H", "content-type: application/x-tar", "--data-binary", &data], "/images/load")
    }

    /// The digest that Docker has for a name.
    #[track_caller]
    fn image(&self, shelf: &Shelf, name: &str) -> String {
        let answer = self.docker(shelf, &[], "/images/json");
        let images: Value = serde_json::from_str(&answer).unwrap();
        let named = |image: &&Value| image["RepoTags"].as_array().into_iter().flatten().any(|tag| tag == name);
        let image = images.as_array().unwrap().iter().find(named);
        image.unwrap_or_else(|| panic!("no {name} in {images:#}"))["Id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn ctr(&self, shelf: &Shelf, words: &[&str]) -> String {
        let socket = self.path("containerd.sock").display().to_string();
        shelf.must("ctr", &[&["-a", &socket, "-n", "test"], words].concat())
    }
}

fn write_config(folder: &Path, images: Images) {
    let place = folder.display();
    let containerd = format!(
        "version = 2\nroot = \"{place}/containerd\"\nstate = \"{place}/containerd.run\"\n\
         [grpc]\naddress = \"{place}/containerd.sock\"\n[ttrpc]\naddress = \"{place}/containerd.ttrpc\"\n"
    );
    fs::write(folder.join("containerd.toml"), containerd).unwrap();
    let docker = match images {
        Images::Containerd => r#"{"features":{"containerd-snapshotter":true}}"#,
        Images::Classic => r#"{"features":{"containerd-snapshotter":false}}"#,
    };
    fs::write(folder.join("docker.json"), docker).unwrap();
}

impl Drop for Engine {
    fn drop(&mut self) {
        for child in &mut self.daemons {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The shelf and an engine, if there is one of a version that has the store (Docker 24 brought the second).
fn engine(test: &str, images: Images) -> Option<(Shelf, Engine)> {
    let shelf = Shelf::new(test, &["dockerd", "containerd", "ctr", "curl", "unshare"])?;
    let version = shelf.must("dockerd", &["--version"]);
    let major = version.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    let is_old = major.and_then(|major| major.parse().ok()).unwrap_or(0) < 24;
    if is_old && matches!(images, Images::Containerd) {
        tools::skip_always(test, &format!("{version} is too old"));
        return None;
    }
    let engine = Engine::start(test, images)?;
    Some((shelf, engine))
}

#[test]
fn docker_loads_a_bundle_into_containerd() {
    let Some((shelf, engine)) = engine("docker_loads_a_bundle_into_containerd", Images::Containerd) else { return };
    let answer = engine.load(&shelf, "all.tar");
    for (tag, repository, root) in &shelf.roots {
        let name = format!("{repository}:{tag}");
        assert!(answer.contains(&format!("Loaded image: {name}")), "{answer}");
        assert_eq!(engine.image(&shelf, &name), digest(root));
    }
    // A manifest.json beside it changes nothing.
    let name = format!("{SCOPE}:again");
    let words = ["export", "oci:imported:v1", "--as", &name, "--docker-load", "--offline", "-o", "one.tar"];
    shelf.world.user.bulla(&words).ends(0);
    let answer = engine.load(&shelf, "one.tar");
    assert!(answer.contains(&format!("Loaded image: {name}")), "{answer}");
    assert_eq!(engine.image(&shelf, &name), digest(&shelf.roots[0].2));
}

/// Its own store reads `manifest.json` only, which a bundle doesn't have and a docker archive does.
#[test]
fn docker_loads_what_was_imported_into_its_own_store() {
    const TEST: &str = "docker_loads_what_was_imported_into_its_own_store";
    let Some((shelf, engine)) = engine(TEST, Images::Classic) else { return };
    let answer = engine.load(&shelf, "all.tar");
    assert!(!answer.contains("Loaded image"), "{answer}");
    let name = format!("{SCOPE}:v1");
    shelf.world.user.bulla(&["export", "oci:imported:v1", "--as", &name, "--offline", "-o", "one.tar"]).ends(0);
    shelf.world.user.bulla(&["import", "one.tar", "--to", "docker-archive:docker.tar"]).ends(0);
    let answer = engine.load(&shelf, "docker.tar");
    assert!(answer.contains(&format!("Loaded image: {name}")), "{answer}");
    // It knows an image by its configuration.
    assert_eq!(engine.image(&shelf, &name), digest(&shelf.config));
}

/// With `--docker-load` it reads the bundle itself: the images, each under its name, and nothing else of it.
#[test]
fn docker_loads_a_bundle_into_its_own_store() {
    let Some((shelf, engine)) = engine("docker_loads_a_bundle_into_its_own_store", Images::Classic) else { return };
    let images = shelf.loadable();
    let answer = engine.load(&shelf, "loadable.tar");
    assert_eq!(answer.matches("Loaded image").count(), images.len(), "{answer}");
    for (name, config) in images {
        assert!(answer.contains(&format!("Loaded image: {name}")), "{answer}");
        assert_eq!(engine.image(&shelf, &name), config);
    }
}

#[test]
fn containerd_imports_a_bundle() {
    let Some((shelf, engine)) = engine("containerd_imports_a_bundle", Images::Classic) else { return };
    engine.ctr(&shelf, &["images", "import", "--no-unpack", "all.tar"]);
    let listed = engine.ctr(&shelf, &["images", "ls"]);
    for (tag, repository, root) in &shelf.roots {
        let name = format!("{repository}:{tag}");
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.is_some_and(|line| line.contains(digest(root))), "{name} in {listed}");
    }
    assert_eq!(listed.lines().count(), 4, "three names and a heading: {listed}");
    // An image unpacks, under the digest that it had, whatever is beside it for docker.
    let local = engine.ctr(&shelf, &["images", "import", "--help"]).contains("--local");
    let words = ["images", "import", "--snapshotter", "native", "one.tar"];
    let words = if local { [&words[..2], &["--local"], &words[2..]].concat() } else { words.to_vec() };
    for (tag, docker) in [("plain", None), ("docker", Some("--docker-load"))] {
        let name = format!("{SCOPE}:{tag}");
        let export = ["export", "oci:imported:v1", "--as", &name, "--offline", "-o", "one.tar"];
        shelf.world.user.bulla(&[&export[..], docker.as_slice()].concat()).ends(0);
        let said = engine.ctr(&shelf, &words);
        assert!(said.contains("done"), "{said}");
        let listed = engine.ctr(&shelf, &["images", "ls"]);
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.is_some_and(|line| line.contains(digest(&shelf.roots[0].2))), "{name} in {listed}");
    }
}
