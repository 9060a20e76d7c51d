//! Interrupted by a signal that asks, or by another process, nothing is left half done. SIGKILL is tests/robust.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::content::{Content, check_layout, check_no_partials, digest, noise};
use crate::support::http::File;
use crate::support::openssl::Signing;
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
            check_no_partials(&path);
        }
    }
}
