//! Interrupted at any moment, nothing is left half done under a name.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cli::names;
use crate::support::content::{Content, check_layout, digest, get_manifest, noise};
use crate::support::http::File;
use crate::support::openssl::Signing;
use crate::support::tools::DockerRegistry;
use crate::world::{SCOPE, World};

fn signal(name: &str, id: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
    assert!(status.unwrap().success());
}

/// A signed image with a few MiB, tagged.
fn large(world: &World, folder: &str, seed: u64) -> String {
    let mut content = Content::default();
    let layers: Vec<_> = (0..4).map(|place| noise(seed * 10 + place, 512 << 10)).collect();
    let image = content.image("amd64", &layers);
    content.tag("v1", &image);
    world.sign_as(&mut content, &image, &Signing::default());
    content.write_layout(&world.user.path(folder));
    digest(&image).to_owned()
}

#[test]
fn a_killed_import_leaves_a_consistent_layout_and_a_second_run_completes_it() {
    const TEST: &str = "a_killed_import_leaves_a_consistent_layout_and_a_second_run_completes_it";
    let Some(world) = World::new(TEST, &[]) else { return };
    let (first, second) = (large(&world, "a", 1), large(&world, "b", 2));
    let (a, b) = (world.export("a"), "b.tar");
    world.user.bulla(&["export", "oci:b:v1", "--as", &format!("{SCOPE}:v2"), "-o", b]).ends(0);
    // How long one takes undisturbed.
    let begin = Instant::now();
    world.user.bulla(&["import", &a, "--to", "oci:calm"]).ends(0);
    let whole = begin.elapsed();
    let (mut killed, mut whole_ones) = (0, 0);
    for round in 0..15_u32 {
        let folder = format!("k{round}");
        let path = world.user.path(&folder);
        let to = format!("oci:{folder}");
        // Every other layout has something in it already.
        if round % 2 == 0 {
            world.user.bulla(&["import", b, "--to", &to]).ends(0);
        }
        let mut child = world.user.start(&["import", &a, "--to", &to]);
        thread::sleep(whole * round / 14);
        let _ = child.kill();
        if child.wait().unwrap().success() {
            whole_ones += 1
        } else {
            killed += 1
        }
        if path.join("index.json").exists() {
            let names = check_layout(&path);
            if round % 2 == 0 {
                assert!(names.values().any(|found| *found == second), "round {round}: {names:?}");
            }
        }
        world.user.bulla(&["import", &a, "--to", &to]).ends(0);
        let names = check_layout(&path);
        assert!(names.values().any(|found| *found == first), "round {round}: {names:?}");
        world.user.bulla(&["verify", &to, "--scope", SCOPE, "--offline"]).ends(0);
        assert_no_partials(&path);
        fs::remove_dir_all(&path).unwrap();
    }
    assert!(killed >= 5, "{killed} killed, {whole_ones} came through");
}

/// The completed run has swept up what the killed one left.
fn assert_no_partials(layout: &std::path::Path) {
    let folders = [layout.to_owned(), layout.join("blobs"), layout.join("blobs/sha256")];
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        for name in names(&folder) {
            let known = ["blobs", "sha256", "index.json", "oci-layout"].contains(&name.as_str());
            let hex = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(known || hex, "left behind in {}: {name}", folder.display());
        }
    }
}

#[test]
fn a_killed_import_leaves_a_consistent_registry_and_a_second_run_completes_it() {
    const TEST: &str = "a_killed_import_leaves_a_consistent_registry_and_a_second_run_completes_it";
    let Some(world) = World::new(TEST, &["docker-registry"]) else { return };
    let image = large(&world, "a", 4);
    let bundle = world.export("a");
    let registry = DockerRegistry::start();
    let begin = Instant::now();
    world.user.bulla(&["import", &bundle, "--to", &format!("{}/calm", registry.host())]).ends(0);
    let whole = begin.elapsed();
    let mut killed = 0;
    for round in 1..8_u32 {
        let to = format!("{}/k{round}", registry.host());
        let mut child = world.user.start(&["import", &bundle, "--to", &to]);
        thread::sleep(whole * round / 8);
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        let there = format!("{to}/app:v1");
        // Either nobody knows the name, or all of it is there, signature and evidence too.
        if get_manifest(&registry.host(), &format!("k{round}/app"), "v1").is_some() {
            world.user.bulla(&["verify", &there, "--scope", SCOPE, "--offline"]).ends(0);
        }
        world.user.bulla(&["import", &bundle, "--to", &to]).ends(0);
        let (found, _) = get_manifest(&registry.host(), &format!("k{round}/app"), "v1").unwrap();
        assert_eq!(found, image);
        world.user.bulla(&["verify", &there, "--scope", SCOPE, "--offline"]).ends(0);
    }
    assert!(killed >= 2, "{killed}");
}

#[test]
fn two_imports_into_one_layout_at_once() {
    let Some(world) = World::new("two_imports_into_one_layout_at_once", &[]) else { return };
    let (first, second) = (large(&world, "a", 1), large(&world, "b", 2));
    let export = |source: &str, name: &str, bundle: &str| {
        world.user.bulla(&["export", source, "--as", name, "-o", bundle]).ends(0);
    };
    export("oci:a:v1", &format!("{SCOPE}:one"), "a.tar");
    export("oci:b:v1", &format!("{SCOPE}:two"), "b.tar");
    for round in 0..5 {
        let to = format!("oci:both{round}");
        let children = ["a.tar", "b.tar"].map(|bundle| world.user.start(&["import", bundle, "--to", &to]));
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let names = check_layout(&world.user.path(&format!("both{round}")));
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.values().any(|found| *found == first) && names.values().any(|found| *found == second));
    }
}

#[test]
fn an_interrupted_export_leaves_no_file() {
    let Some(world) = World::new("an_interrupted_export_leaves_no_file", &[]) else { return };
    world.signed_layout("l", &Signing::default());
    // It waits for a CRL that does not come, and is interrupted there.
    let name = format!("{}.crl", world.signer.inter.name);
    world.server().put(&name, File::Stall);
    for name in ["INT", "TERM"] {
        world.server().forget_requests();
        let export = ["export", "oci:l:v1", "--as", "a.example/b:c", "-o", "out.tar"];
        let mut child = world.user.start(&export);
        for _ in 0..400 {
            if world.server().seen().iter().any(|path| path.ends_with("inter.crl")) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // The first signal asks it to stop, the second does not wait for the network.
        for _ in 0..2 {
            signal(name, child.id());
            thread::sleep(Duration::from_millis(200));
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130));
        assert_eq!(world.user.names(), ["l"], "after SIG{name}");
    }
    // In the middle of writing: the output is a pipe's worth at a time, so many moments are tried.
    let mut interrupted = 0;
    large(&world, "big", 3);
    world.serve_crls();
    let begin = Instant::now();
    let export = ["export", "oci:big:v1", "--as", "a.example/b:c", "-o", "out.tar.zst", "--level", "9"];
    world.user.bulla(&export).ends(0);
    let whole = begin.elapsed();
    fs::remove_file(world.user.path("out.tar.zst")).unwrap();
    for round in 1..10_u32 {
        let mut child = world.user.start(&export);
        thread::sleep(whole * round / 10);
        signal("INT", child.id());
        if child.wait().unwrap().success() {
            fs::remove_file(world.user.path("out.tar.zst")).unwrap();
        } else {
            interrupted += 1;
        }
        assert_eq!(world.user.names(), ["big", "l"], "round {round}");
    }
    assert!(interrupted >= 1, "{interrupted}");
}

#[test]
fn an_interrupted_import_leaves_a_consistent_layout_and_no_receipt() {
    const TEST: &str = "an_interrupted_import_leaves_a_consistent_layout_and_no_receipt";
    let Some(world) = World::new(TEST, &[]) else { return };
    let image = large(&world, "a", 5);
    let bundle = world.export("a");
    let begin = Instant::now();
    world.user.bulla(&["import", &bundle, "--to", "oci:calm"]).ends(0);
    let whole = begin.elapsed();
    for round in 1..8_u32 {
        let to = format!("oci:i{round}");
        let child = world.user.start(&["import", &bundle, "--to", &to, "--receipt", "r.json"]);
        thread::sleep(whole * round / 8);
        signal("INT", child.id());
        let output = child.wait_with_output().unwrap();
        let path = world.user.path(&format!("i{round}"));
        if output.status.success() {
            fs::remove_file(world.user.path("r.json")).unwrap();
            assert!(check_layout(&path).values().any(|found| *found == image));
            continue;
        }
        // Asked before it listens for the signal, it ends by it; later it ends by itself.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().is_none_or(|code| code == 4), "{:?} {said}", output.status);
        assert!(output.status.code().is_none() || said.contains("interrupted"), "{said}");
        assert!(!world.user.path("r.json").exists());
        if path.join("index.json").exists() {
            check_layout(&path);
        }
        if path.exists() {
            assert_no_partials(&path);
        }
    }
}
