//! The two builds that the air gap asks for: one without any HTTP client, and one static binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::indexing_slicing)]

#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// The packages of a build, by name. Nothing is downloaded: the test was built from the same lock file.
fn packages(features: &[&str]) -> BTreeSet<String> {
    let mut command = cargo();
    command.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    // For another platform cargo might lack a package that is not needed here.
    command.args(["--target", "x86_64-unknown-linux-gnu"]).args(features);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// What would let a program speak HTTP or TLS.
const NETWORK: [&str; 16] = [
    "ureq",
    "ureq-proto",
    "http",
    "httparse",
    "h2",
    "hyper",
    "reqwest",
    "curl",
    "isahc",
    "attohttpc",
    "rustls",
    "rustls-webpki",
    "ring",
    "native-tls",
    "openssl",
    "tokio",
];

#[test]
fn the_air_gap_build_holds_no_http_client() {
    let air_gap = packages(&["--no-default-features", "--features", "cli"]);
    let found: Vec<_> = NETWORK.iter().filter(|name| air_gap.contains(**name)).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(air_gap.contains("clap") && air_gap.contains("tar"), "{air_gap:?}");
    let default = packages(&[]);
    for name in ["ureq", "rustls", "ring"] {
        assert!(default.contains(name), "{name} is not where it should be, so this test shows nothing");
    }
}

/// A target for which a static program can be built here, with what that takes.
fn static_target() -> Option<(&'static str, Option<&'static str>)> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).ok()?.trim());
    let installed = |target: &str| sysroot.join("lib/rustlib").join(target).join("lib").is_dir();
    let there = |tool: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(tool).is_file())
    };
    // ring and zstd are partly C.
    if installed("x86_64-unknown-linux-musl") && there("musl-gcc") {
        return Some(("x86_64-unknown-linux-musl", None));
    }
    let libc = ["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib64/libc.a", "/usr/lib/libc.a"];
    let linkable = libc.iter().any(|path| Path::new(path).is_file());
    (installed("x86_64-unknown-linux-gnu") && linkable)
        .then_some(("x86_64-unknown-linux-gnu", Some("-C target-feature=+crt-static")))
}

/// Builds the release for a static target, in a directory of its own, which is kept: the second time is quick.
///
/// The published build also optimises across crates; that says nothing about linkage and takes minutes, so it is left
/// out here.
fn build(target: &str, flags: Option<&str>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let mut command = cargo();
    command.args(["build", "--locked", "--offline", "--release", "--bin", "bulla", "--target", target]);
    command.arg("--target-dir").arg(&folder);
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    // What the outer cargo says to this test is not meant for the inner one.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_")
            || ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"].contains(&&*name)
        {
            command.env_remove(name);
        }
    }
    if let Some(flags) = flags {
        command.env("RUSTFLAGS", flags);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join(target).join("release/bulla")
}

/// The kinds of the program headers of a 64-bit little-endian ELF file (System V ABI, "Program Header").
fn program_headers(elf: &[u8]) -> Vec<u32> {
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file");
    let short = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let start = usize::try_from(u64::from_le_bytes(elf[32..40].try_into().unwrap())).unwrap();
    let (size, count) = (short(54), short(56));
    (0..count)
        .map(|place| {
            let at = start + place * size;
            u32::from_le_bytes(elf[at..at + 4].try_into().unwrap())
        })
        .collect()
}

const PT_LOAD: u32 = 1;
/// Names the dynamic linker.
const PT_INTERP: u32 = 3;

#[test]
fn the_release_is_one_static_binary() {
    let Some((target, flags)) = static_target() else {
        assert!(
            std::env::var("BULLA_TEST_TOOLS").as_deref() != Ok("required"),
            "neither a musl target nor a static C library is installed"
        );
        crate::skip::tool(format_args!(
            "the_release_is_one_static_binary: neither a musl target nor a static C library is installed"
        ));
        return;
    };
    let program = build(target, flags);
    let headers = program_headers(&fs::read(&program).unwrap());
    assert!(headers.contains(&PT_LOAD), "{headers:?}");
    assert!(!headers.contains(&PT_INTERP), "{target}: the program asks for a dynamic linker");
    // The test can fail: an ordinary program of this machine does ask for one.
    let ordinary = program_headers(&fs::read(std::env::current_exe().unwrap()).unwrap());
    assert!(ordinary.contains(&PT_INTERP), "the test itself was linked statically and shows nothing");

    let home = tempfile::tempdir().unwrap();
    let mut demo = Command::new(&program);
    demo.arg("demo").current_dir(&home).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
    let output = demo.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("TRUSTED") && text.contains("REJECTED"), "{text}");
}
