//! The rules between modules, read off the sources: who may import whom, and who may touch the outside world.

#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may end a test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and what it may use of the crate. What is not named is forbidden.
const MAY_USE: &[(&str, &[&str])] = &[
    // The base: formats of values, and errors.
    ("code", &[]),
    ("parallel", &[]),
    ("limits", &[]),
    ("digest", &["code"]),
    ("time", &["code", "digest"]),
    ("json", &["code", "digest"]),
    // Formats: bytes to types, nothing else.
    ("oci", BASE),
    ("pki", &["code", "digest", "json", "limits", "oci", "time"]),
    ("cms", &["code", "digest", "json", "limits", "pki", "time"]),
    ("tsp", &["cms", "code", "digest", "json", "limits", "pki", "time"]),
    ("notary", &["code", "digest", "json", "limits", "oci", "pki", "time", "tsp"]),
    // What the operator decided: never read from a bundle.
    ("trust", &["code", "digest", "json", "limits", "notary", "oci", "pki", "time"]),
    // Decisions.
    ("verification", &["cms", "code", "digest", "json", "limits", "notary", "oci", "pki", "time", "trust", "tsp"]),
    // Places. Storage does not know what a signature is.
    ("http", BASE),
    ("store", &["archive", "code", "digest", "http", "json", "limits", "oci", "parallel", "time"]),
    ("archive", &["code", "digest", "json", "limits", "oci", "store", "time"]),
    (
        "evidence",
        &["archive", "code", "digest", "http", "json", "limits", "oci", "pki", "store", "time", "verification"],
    ),
    ("config", &["code", "digest", "http", "json", "limits", "notary", "oci", "pki", "time", "trust"]),
    // Of the configuration it knows only what no child may inherit.
    (
        "signer",
        &["cms", "code", "config", "digest", "http", "json", "limits", "notary", "oci", "pki", "time", "trust", "tsp"],
    ),
    // Verbs, and how they are told.
    (
        "ops",
        &[
            "archive",
            "cms",
            "code",
            "config",
            "digest",
            "evidence",
            "http",
            "json",
            "limits",
            "notary",
            "oci",
            "parallel",
            "pki",
            "signer",
            "store",
            "time",
            "trust",
            "tsp",
            "verification",
        ],
    ),
    (
        "report",
        &[
            "archive",
            "cms",
            "code",
            "digest",
            "evidence",
            "json",
            "limits",
            "oci",
            "ops",
            "pki",
            "store",
            "time",
            "trust",
            "tsp",
            "verification",
        ],
    ),
];

const BASE: &[&str] = &["code", "digest", "json", "limits", "time"];

/// Modules that do no I/O at all.
const PURE: &[&str] = &[
    "code",
    "limits",
    "digest",
    "time",
    "json",
    "oci",
    "pki",
    "cms",
    "tsp",
    "notary",
    "trust",
    "verification",
    "report",
];

struct Source {
    module: String,
    path: PathBuf,
    /// The code without comments, strings and test modules.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap().with_extension("");
                let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
                let code = strip(&fs::read_to_string(&path).unwrap());
                found.push(Source { module, path, code });
            }
        }
    }
    assert!(found.len() > 40, "the sources were not found");
    found
}

/// Leaves out line comments, string literals (roughly) and everything from `#[cfg(test)]` on.
fn strip(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\""))
        .map(|line| line.split("//").next().unwrap_or_default().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first segments of all `crate::a::b` and `use crate::{a, b::c}` paths.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(group) = part.strip_prefix('{') else {
            used.insert(word(part));
            continue;
        };
        let mut depth = 0_usize;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    used.insert(word(&item));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        used.insert(word(&item));
    }
    used.remove("");
    used
}

#[test]
fn modules_import_only_what_their_layer_may() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.module.as_str(), "bin" | "lib")) {
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == source.module) else {
            broken.push(format!("{}: the module {} has no layer", source.path.display(), source.module));
            continue;
        };
        for used in used_modules(&source.code) {
            if used != source.module && !allowed.contains(&used.as_str()) {
                broken.push(format!("{}: {} may not use {used}", source.path.display(), source.module));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module.as_str())) {
        for forbidden in
            ["std::fs", "std::net::T", "std::net::U", "std::env", "std::process", "std::thread", "fs::", "env::"]
        {
            if source.code.contains(forbidden) {
                broken.push(format!("{}: {forbidden}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_the_program_knows_the_time_the_environment_and_the_terminal() {
    let mut broken = Vec::new();
    for source in sources() {
        let terminal = source.path.ends_with("bin/bulla/terminal.rs");
        let library = source.module != "bin";
        for (forbidden, allowed) in [
            ("SystemTime::now", terminal),
            ("Instant::now", !library),
            ("env::var", !library),
            ("println!", false),
            ("print!(", false),
            ("dbg!", false),
            ("process::exit", false),
        ] {
            if source.code.contains(forbidden) && !allowed {
                broken.push(format!("{}: {forbidden}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_grows_past_the_question_mark() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.path.display().to_string(), fs::read_to_string(&source.path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_reader_of_imports_reads_them() {
    let code = strip(
        "use crate::{a, b::{c, d}, e};\nlet x = crate::f::g; // crate::no\n\"crate::no\"\n#[cfg(test)]\nmod t { use crate::h; }",
    );
    assert_eq!(used_modules(&code), ["a", "b", "e", "f"].map(str::to_owned).into());
}
