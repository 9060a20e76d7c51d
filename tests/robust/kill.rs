//! SIGKILL at 200 moments of export and import, drawn from the time that the work takes: whatever has a name is whole,
//! and doing it again completes it and leaves nothing else behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use bulla::limits::Limits;
use bulla::store::layout::LayoutStore;
use serde_json::Value;

use crate::support::cli::names;
use crate::support::content::{
    Content, EMPTY, INDEX, MANIFEST, check_layout, check_no_partials, digest, fallback_tag, get_manifest, noise, sha256,
};
use crate::support::http::request;
use crate::support::openssl::Signing;
use crate::support::tools::{DockerRegistry, must};
use crate::world::{SCOPE, World};

/// How often each is killed: 200 times in all.
const EXPORTS: [(&str, usize); 2] = [("out.tar", 25), ("out.tar.zst", 25)];
const LAYOUTS: usize = 60;
const ARCHIVES: usize = 40;
const REGISTRIES: usize = 50;

/// The time that new bundles bear, so that one export is like the other.
const DATE: i64 = 1_790_000_000;

/// Moments within the time that the work takes, which is measured all along: other tests come and go.
struct Moments {
    state: u64,
    span: Duration,
    wanted: usize,
    killed: usize,
    tried: usize,
}

impl Moments {
    fn new(seed: u64, wanted: usize) -> Self {
        Self { state: seed, span: Duration::ZERO, wanted, killed: 0, tried: 0 }
    }

    /// Whether another one is needed, and its number.
    fn next(&mut self) -> Option<usize> {
        // Work that is done before it is killed proves nothing, but not every moment can hit.
        assert!(self.tried <= 3 * self.wanted, "{} of {} killed in {} tries", self.killed, self.wanted, self.tried);
        self.tried += 1;
        (self.killed < self.wanted).then_some(self.tried)
    }

    /// A number below 1, evenly distributed (xorshift64*).
    fn fraction(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Kills it at the next moment. Whether that came in time.
    fn kill(&mut self, mut child: Child) -> bool {
        thread::sleep(self.span.mul_f64(self.fraction()));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let hit = output.status.signal() == Some(9);
        assert!(hit || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.killed += usize::from(hit);
        hit
    }

    /// Does the whole work, and takes its time.
    fn whole(&mut self, work: impl FnOnce()) {
        let begin = Instant::now();
        work();
        self.span = begin.elapsed();
    }
}

/// A signed image, tagged; its digest.
fn image(world: &World, folder: &str, seed: u64) -> String {
    let mut content = Content::default();
    let layers: Vec<_> = (0..4).map(|place| noise(seed * 10 + place, 128 << 10)).collect();
    let image = content.image("amd64", &layers);
    content.tag("v1", &image);
    world.sign_as(&mut content, &image, &Signing::default());
    content.write_layout(&world.user.path(folder));
    digest(&image).to_owned()
}

/// What is there under final names, and nothing else but what the killed process had not finished.
fn finals(folder: &Path) -> BTreeSet<String> {
    names(folder).into_iter().filter(|name| !(name.starts_with('.') && name.ends_with(".partial"))).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_killed_export() {
    let Some(world) = World::new("a_killed_export", &[]) else { return };
    image(&world, "l", 1);
    fs::create_dir(world.user.path("d")).unwrap();
    let mut strays = 0;
    for (seed, (name, count)) in EXPORTS.into_iter().enumerate() {
        let (to, golden) = (format!("d/{name}"), format!("golden-{name}"));
        let date = DATE.to_string();
        let dated = [("SOURCE_DATE_EPOCH", date.as_str())];
        let given = format!("{SCOPE}:v1");
        let export = ["export", "oci:l:v1", "--as", &given, "-o"];
        let run = |to: &str| drop(world.user.bulla_dated(DATE, &[&export[..], &[to]].concat()).ends(0));
        let mut moments = Moments::new(0x5eed_0001 + seed as u64, count);
        moments.whole(|| run(&golden));
        let whole = fs::read(world.user.path(&golden)).unwrap();
        let path = world.user.path(&to);
        while let Some(round) = moments.next() {
            // Every other time there is an older file, which stays until the new one is whole.
            let old = (round % 2 == 0).then_some(b"what was there before");
            match old {
                Some(old) => fs::write(&path, old).unwrap(),
                None => drop(fs::remove_file(&path)),
            }
            let hit = moments.kill(world.user.start_with(&dated, &[&export[..], &[&to]].concat()));
            match fs::read(&path) {
                Ok(found) if found == whole => {}
                Ok(found) => assert_eq!(Some(&found[..]), old.map(|old| &old[..]), "round {round}"),
                Err(_) => assert!(hit && old.is_none(), "round {round}"),
            }
            let there = finals(&world.user.path("d"));
            assert!(there.is_subset(&set(&[name])), "round {round}");
            strays += names(&world.user.path("d")).len() - there.len();
            moments.whole(|| run(&to));
            assert!(fs::read(&path).unwrap() == whole, "round {round}");
            assert_eq!(names(&world.user.path("d")), [name], "round {round}");
        }
        fs::remove_file(&path).unwrap();
    }
    assert!(strays > 0, "no moment lay between the first byte and the last");
}

#[test]
fn a_killed_import_into_a_layout() {
    let Some(world) = World::new("a_killed_import_into_a_layout", &[]) else { return };
    let (first, second) = (image(&world, "a", 1), image(&world, "b", 2));
    let a = world.export("a");
    world.user.bulla(&["export", "oci:b:v1", "--as", &format!("{SCOPE}:v2"), "-o", "b.tar"]).ends(0);
    world.user.bulla(&["import", "b.tar", "--to", "oci:begun"]).ends(0);
    fs::create_dir(world.user.path("d")).unwrap();
    let import = ["import", a.as_str(), "--to", "oci:d/layout", "--receipt", "d/receipt.json"];
    let (path, receipt) = (world.user.path("d/layout"), world.user.path("d/receipt.json"));
    let mut moments = Moments::new(0x5eed_0003, LAYOUTS);
    moments.whole(|| drop(world.user.bulla(&import).ends(0)));
    while let Some(round) = moments.next() {
        fs::remove_dir_all(&path).unwrap();
        fs::remove_file(&receipt).unwrap();
        // Every other layout has something in it already.
        let begun = round % 2 == 0;
        if begun {
            must("cp", &["-r", "begun", "d/layout"], &world.user.folder());
        }
        moments.kill(world.user.start(&import));
        assert!(finals(&world.user.path("d")).is_subset(&set(&["layout", "receipt.json"])), "round {round}");
        let mut named = false;
        if path.join("oci-layout").exists() {
            LayoutStore::open(&path, &Limits::default()).unwrap();
            let names = check_layout(&path);
            assert_eq!(names.values().any(|found| *found == second), begun, "round {round}: {names:?}");
            named = names.values().any(|found| *found == first);
        }
        if named {
            world.user.bulla(&["verify", "oci:d/layout:v1", "--scope", SCOPE, "--offline"]).ends(0);
        }
        if receipt.exists() {
            assert!(named, "round {round}: a receipt for what has no name");
            world.user.json("d/receipt.json");
        }
        moments.whole(|| drop(world.user.bulla(&import).ends(0)));
        let found = check_layout(&path);
        assert!(found.values().any(|found| *found == first), "round {round}: {found:?}");
        assert_eq!(found.values().any(|found| *found == second), begun, "round {round}: {found:?}");
        check_no_partials(&path);
        assert_eq!(names(&world.user.path("d")), ["layout", "receipt.json"], "round {round}");
        if round % 10 == 0 {
            world.user.bulla(&["verify", "oci:d/layout", "--scope", SCOPE, "--offline"]).ends(0);
        }
    }
}

#[test]
fn a_killed_import_into_a_docker_archive() {
    let Some(world) = World::new("a_killed_import_into_a_docker_archive", &[]) else { return };
    image(&world, "a", 1);
    let bundle = world.export("a");
    fs::create_dir(world.user.path("d")).unwrap();
    let import = ["import", bundle.as_str(), "--to", "docker-archive:d/image.tar"];
    let path = world.user.path("d/image.tar");
    let mut moments = Moments::new(0x5eed_0004, ARCHIVES);
    moments.whole(|| drop(world.user.bulla(&import).ends(0)));
    let whole = fs::read(&path).unwrap();
    while let Some(round) = moments.next() {
        fs::remove_file(&path).unwrap();
        let hit = moments.kill(world.user.start(&import));
        assert!(finals(&world.user.path("d")).is_subset(&set(&["image.tar"])), "round {round}");
        match fs::read(&path) {
            Ok(found) => assert!(found == whole, "round {round}"),
            Err(_) => assert!(hit, "round {round}"),
        }
        moments.whole(|| drop(world.user.bulla(&import).ends(0)));
        assert!(fs::read(&path).unwrap() == whole, "round {round}");
        assert_eq!(names(&world.user.path("d")), ["image.tar"], "round {round}");
    }
}

/// That everything is there that a manifest leads to, by raw HTTP.
#[track_caller]
fn check_closure(host: &str, repository: &str, manifest: &Value) {
    for blob in manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config")) {
        let target = format!("/v2/{repository}/blobs/{}", digest(blob));
        let answer = request(host, "GET", &target, &[("accept", EMPTY)], b"");
        assert_eq!((answer.status, sha256(&answer.body).as_str()), (200, digest(blob)), "{repository}: {blob}");
    }
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        let media_type = child["mediaType"].as_str();
        assert!(media_type == Some(MANIFEST) || media_type == Some(INDEX), "{child}");
        let (found, child_manifest) = get_manifest(host, repository, digest(child)).unwrap();
        assert_eq!(found, digest(child));
        check_closure(host, repository, &child_manifest);
    }
}

/// The tag's digest, if somebody knows it. Then the image is whole, and so are its referrers.
#[track_caller]
fn check_repository(host: &str, repository: &str, image: &str) -> Option<String> {
    let referrers = get_manifest(host, repository, &fallback_tag(image));
    if let Some((_, index)) = &referrers {
        check_closure(host, repository, index);
    }
    let (found, manifest) = get_manifest(host, repository, "v1")?;
    check_closure(host, repository, &manifest);
    let (_, index) = referrers.unwrap_or_else(|| panic!("{repository}: a name before its signature"));
    assert!(!index["manifests"].as_array().unwrap().is_empty());
    Some(found)
}

#[test]
fn a_killed_import_into_a_registry() {
    let Some(world) = World::new("a_killed_import_into_a_registry", &["docker-registry"]) else { return };
    let image = image(&world, "a", 4);
    let bundle = world.export("a");
    let registry = DockerRegistry::start();
    let host = registry.host();
    let mut moments = Moments::new(0x5eed_0005, REGISTRIES);
    let import = |to: &str| drop(world.user.bulla(&["import", &bundle, "--to", to]).ends(0));
    moments.whole(|| import(&format!("{host}/calm")));
    while let Some(round) = moments.next() {
        let to = format!("{host}/k{round}");
        let child = world.user.start(&["import", &bundle, "--to", &to]);
        moments.kill(child);
        let repository = format!("k{round}/app");
        let found = check_repository(&host, &repository, &image);
        assert!(found.is_none_or(|found| found == image), "round {round}");
        moments.whole(|| import(&to));
        assert_eq!(check_repository(&host, &repository, &image).as_ref(), Some(&image), "round {round}");
        if round % 10 == 0 {
            let there = format!("{to}/app:v1");
            world.user.bulla(&["verify", &there, "--scope", SCOPE, "--offline"]).ends(0);
        }
    }
}
