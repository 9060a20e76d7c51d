//! The plugin with which tests sign and verify (`tests/plugin`): built, and installed where a program looks for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The built plugin. Where `cargo test` was told to build a single test program, it is built now.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let deps = std::env::current_exe().unwrap();
        let target = deps.parent().unwrap().parent().unwrap();
        let program = target.join("examples/notation-test");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin/program.rs");
        let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        if changed(&program) < changed(&source) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--offline", "--quiet", "--example", "notation-test", "--target-dir"]);
            cargo.arg(target.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(cargo.status().unwrap().success(), "the test plugin does not build");
        }
        program
    })
}

/// Puts a program where the plugin `name` lies below `libexec`.
pub fn install(libexec: &Path, name: &str) -> PathBuf {
    let folder = libexec.join("plugins").join(name);
    fs::create_dir_all(&folder).unwrap();
    let target = folder.join(format!("notation-{name}"));
    // A copy that another test's child still holds open for writing could not be run.
    if fs::hard_link(program(), &target).is_err() {
        fs::copy(program(), &target).unwrap();
    }
    target
}
