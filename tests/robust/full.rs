//! A full disk: a small tmpfs in a mount namespace of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::cli::names;
use crate::support::content::{Content, check_layout, check_no_partials, noise};
use crate::support::openssl::Signing;
use crate::support::tools;
use crate::world::{SCOPE, World};

/// A disk of a given size. A shell lives in the namespace in which it is mounted; with the shell it is gone.
struct Disk {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it is found from outside of the namespace.
    folder: PathBuf,
    mounted: String,
}

impl Disk {
    /// `None`, said aloud, where the sandbox does not let us mount anything.
    fn new(test: &str, at: &Path, kib: u64) -> Option<Self> {
        let disk =
            [&["unshare", "-rm"][..], &["unshare", "-m"]].into_iter().find_map(|words| Self::with(words, at, kib));
        if disk.is_none() {
            tools::skip_always(test, "mounting a tmpfs in a namespace is not allowed here");
        }
        disk
    }

    fn with(words: &[&str], at: &Path, kib: u64) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().ok()?;
        let (input, output) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
        let mounted = at.display().to_string();
        let folder = PathBuf::from(format!("/proc/{}/root{mounted}", shell.id()));
        let mut disk = Self { shell, input, output, folder, mounted };
        let mount = format!("mount -t tmpfs -o size={kib}k tmpfs {}", disk.mounted);
        (disk.does(&mount) && fs::write(disk.folder.join("probe"), b"").is_ok()).then(|| {
            fs::remove_file(disk.folder.join("probe")).unwrap();
            disk
        })
    }

    /// Runs a line in the namespace.
    fn does(&mut self, line: &str) -> bool {
        let mut answer = String::new();
        let asked = writeln!(self.input, "{line} && echo yes || echo no").is_ok();
        asked && self.output.read_line(&mut answer).is_ok() && answer == "yes\n"
    }

    /// Makes room.
    fn grow(&mut self, kib: u64) {
        let line = format!("mount -o remount,size={kib}k {}", self.mounted);
        assert!(self.does(&line), "{line}");
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn names(&self) -> Vec<String> {
        names(&self.folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Sizes of the disk at which the work fails: at its first document, in the middle, and near its end.
const TOO_SMALL: [u64; 4] = [4, 64, 600, 1020];
const ENOUGH: u64 = 8 << 10;

/// A signed image of one MiB.
fn world(test: &str) -> Option<World> {
    let world = World::new(test, &[])?;
    let mut content = Content::default();
    let layers: Vec<_> = (0..4).map(|seed| noise(seed, 256 << 10)).collect();
    let image = content.image("amd64", &layers);
    content.tag("v1", &image);
    world.sign_as(&mut content, &image, &Signing::default());
    content.write_layout(&world.user.path("l"));
    Some(world)
}

/// Runs on a disk that is too small, and again when there is room. `name` is what is written; the error must name it.
fn fills(test: &str, world: &World, name: &str, command: &dyn Fn(&str) -> Vec<String>, check: &dyn Fn(&Disk, bool)) {
    for (number, kib) in TOO_SMALL.into_iter().enumerate() {
        let at = world.user.home().join(format!("disk-{}-{number}", name.replace('.', "-")));
        let Some(mut disk) = Disk::new(test, &at, kib) else { return };
        let words = command(&disk.path(name));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let path = disk.path(name);
        world.user.bulla(&words).says(4, &["error[storage-full]", &path, "No space left on device", "free some space"]);
        check(&disk, false);
        disk.grow(ENOUGH);
        world.user.bulla(&words).ends(0);
        check(&disk, true);
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn an_export_onto_a_full_disk() {
    const TEST: &str = "an_export_onto_a_full_disk";
    let Some(world) = world(TEST) else { return };
    for name in ["out.tar", "out.tar.zst"] {
        let command = |to: &str| owned(&["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", to]);
        fills(TEST, &world, name, &command, &|disk, done| {
            assert_eq!(disk.names(), if done { vec![name] } else { vec![] });
            if done {
                world.user.bulla(&["verify", &disk.path(name), "--offline"]).ends(0);
            }
        });
    }
}

#[test]
fn a_full_disk_leaves_the_file_that_was_there() {
    const TEST: &str = "a_full_disk_leaves_the_file_that_was_there";
    let Some(world) = world(TEST) else { return };
    let Some(disk) = Disk::new(TEST, &world.user.home().join("disk"), 512) else { return };
    let path = disk.path("out.tar");
    fs::write(&path, b"what was there before").unwrap();
    let export = ["export", "oci:l:v1", "--as", &format!("{SCOPE}:v1"), "-o", &path];
    world.user.bulla(&export).says(4, &["error[storage-full]", &path]);
    assert_eq!(fs::read(&path).unwrap(), b"what was there before");
    assert_eq!(disk.names(), ["out.tar"]);
}

#[test]
fn an_import_into_a_layout_on_a_full_disk() {
    const TEST: &str = "an_import_into_a_layout_on_a_full_disk";
    let Some(world) = world(TEST) else { return };
    let bundle = world.export("l");
    let command = |to: &str| owned(&["import", &bundle, "--to", &format!("oci:{to}")]);
    fills(TEST, &world, "layout", &command, &|disk, done| {
        let path = disk.folder.join("layout");
        if path.join("index.json").exists() {
            assert_eq!(check_layout(&path).len(), usize::from(done));
        }
        check_no_partials(&path);
        if done {
            world.user.bulla(&["verify", &format!("oci:{}", path.display()), "--scope", SCOPE, "--offline"]).ends(0);
        }
    });
}

#[test]
fn an_import_into_a_docker_archive_on_a_full_disk() {
    const TEST: &str = "an_import_into_a_docker_archive_on_a_full_disk";
    let Some(world) = world(TEST) else { return };
    let bundle = world.export("l");
    let command = |to: &str| owned(&["import", &bundle, "--to", &format!("docker-archive:{to}")]);
    fills(TEST, &world, "image.tar", &command, &|disk, done| {
        assert_eq!(disk.names(), if done { vec!["image.tar"] } else { vec![] });
    });
}
