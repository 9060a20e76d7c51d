//! Another reader of bundles, written from `schemas/bundle-v1.md` by someone who had not seen this one: `tests/interop/bundle.py`.
//! Both must accept the same files, whatever is changed in them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bulla::archive::Compression;
use serde::Deserialize;

use crate::fixture::{Scratch, has_tool, write};
use crate::mutation::small;
use crate::seal::{Parts, read_file, read_pipe};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// What the other reader says of a file, and how the file came to be.
#[derive(Deserialize)]
struct Line {
    class: String,
    name: String,
    /// Where, how many bytes are taken away, and what is put there.
    edit: (usize, usize, String),
    accepted: bool,
    reason: String,
}

fn apply(whole: &[u8], (at, removed, put): &(usize, usize, String)) -> Vec<u8> {
    let put: Vec<u8> = (0..put.len() / 2).map(|i| u8::from_str_radix(&put[2 * i..2 * i + 2], 16).unwrap()).collect();
    [&whole[..*at], &put, &whole[at + removed..]].concat()
}

/// Each class with the number of files that both accept, and that both refuse; and where they differ.
fn compare(name: &str, whole: &[u8], step: usize) -> (BTreeMap<String, [u32; 2]>, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.file("base", whole);
    let mut python = Command::new("python3")
        .arg(script("mutations.py"))
        .arg(&path)
        .arg(step.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut counts, mut differences): (BTreeMap<String, [u32; 2]>, _) = (BTreeMap::new(), Vec::new());
    for line in BufReader::new(python.stdout.take().unwrap()).lines() {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        let bytes = apply(whole, &line.edit);
        let (file, pipe) = (read_file(&scratch, &bytes), read_pipe(&bytes));
        if file.is_ok() != line.accepted || pipe.is_ok() != line.accepted {
            let ours =
                format!("file {:?}, pipe {:?}", file.err().map(|e| e.to_string()), pipe.err().map(|e| e.to_string()));
            let theirs = if line.accepted { "accepted".to_owned() } else { line.reason };
            differences.push(format!("{name}: {}: {}: {ours}; the other reader: {theirs}", line.class, line.name));
        }
        counts.entry(line.class).or_default()[usize::from(!line.accepted)] += 1;
    }
    assert!(python.wait().unwrap().success());
    (counts, differences)
}

#[test]
fn an_independent_reader_agrees() {
    if !has_tool("python3") || !has_tool("zstd") {
        return;
    }
    let small = small();
    let rich = crate::fixture::bundle();
    let mut forms = vec![
        ("small", write(&small.inventory, &small.contents, Compression::None)),
        ("small, zstd", write(&small.inventory, &small.contents, Compression::Zstd { level: 3 })),
    ];
    let manifest = small.inventory.bundle_manifest().unwrap().descriptor;
    let seal = Parts::on(&manifest, &[b"\x30\x03\x02\x01\x00"]).build();
    forms.push(("sealed", crate::seal::write(&small, &seal, Compression::None)));
    let mut wrong = Vec::new();
    for (name, whole) in forms {
        let (counts, differences) = compare(name, &whole, 7);
        for (class, [accepted, refused]) in counts {
            eprintln!("{name}: {class}: {accepted} accepted, {refused} refused");
        }
        wrong.extend(differences);
    }
    drop(rich);
    std::fs::write("/tmp/spec/differences", wrong.join("\n")).unwrap();
    assert!(wrong.is_empty(), "{}: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
}
