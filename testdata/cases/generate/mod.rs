//! Makes every case but those of the areas with their own generator. Everything comes out of the tables in these files and out
//! of `pki`, the same each time; a test holds the tree to it. `BULLA_REGENERATE=1 cargo test --test cases` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Once;

use serde_json::Value;

use crate::case::{CaseFile, Expect, Options};
use crate::facts::folder;
use crate::judging;

mod algorithm;
mod cbor;
mod chain;
mod cose;
mod envelope;
mod jws;
mod manifest;
pub(crate) mod odd;
mod policy;
mod sign;
mod trust;
mod vector;
mod verdict;

/// All files below `testdata/cases` that are made, by path.
#[derive(Default)]
pub(crate) struct Book {
    files: BTreeMap<String, Vec<u8>>,
}

/// A case before it is written down.
struct Entry {
    file: CaseFile,
    attached: Vec<(String, Vec<u8>)>,
}

/// A case: its facts, separated by blanks, what it shows, its kind, its inputs, what must come of it.
fn entry(facts: &str, title: &str, kind: &str, inputs: Value, expect: Expect) -> Entry {
    let facts = facts.split_whitespace().map(str::to_owned).collect();
    let file = CaseFile {
        title: title.into(),
        facts,
        kind: kind.into(),
        inputs,
        at: None,
        options: Options::default(),
        expect,
    };
    Entry { file, attached: Vec::new() }
}

impl Entry {
    fn at(mut self, time: &str) -> Self {
        self.file.at = Some(time.parse().unwrap());
        self
    }

    fn options(mut self, options: Options) -> Self {
        self.file.options = options;
        self
    }

    fn attach(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.attached.push((name.into(), bytes));
        self
    }
}

/// Something is read.
fn accepted() -> Expect {
    expect("accepted", &[])
}

/// Something is not read, for this reason.
fn refused(code: &str) -> Expect {
    expect("refused", &[code])
}

/// A verdict with its codes.
fn expect(verdict: &str, codes: &[&str]) -> Expect {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    Expect { verdict: verdict.into(), codes, ..Expect::default() }
}

impl Expect {
    /// What it shows.
    fn shows(mut self, values: Value) -> Self {
        self.shows.extend(values.as_object().unwrap().clone());
        self
    }

    /// What it reports beside the verdict.
    fn notes(mut self, codes: &[&str]) -> Self {
        self.notes = Some(codes.iter().map(|code| (*code).to_owned()).collect());
        self
    }
}

impl Book {
    fn add(&mut self, area: &str, entry: Entry) {
        let folder = format!("{area}/{}", slug(&entry.file.title));
        let mut text = serde_json::to_string_pretty(&entry.file).unwrap();
        text.push('\n');
        self.put(&format!("{folder}/case.json"), text.into_bytes());
        for (name, bytes) in entry.attached {
            self.put(&format!("{folder}/{name}"), bytes);
        }
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>) {
        assert!(self.files.insert(path.to_owned(), bytes).is_none(), "{path} is made twice");
    }

    /// Everything.
    fn make() -> Self {
        let mut book = Self::default();
        for area in AREAS {
            area(&mut book);
        }
        book
    }
}

const AREAS: &[fn(&mut Book)] = &[
    algorithm::make,
    chain::make,
    cose::make,
    jws::make,
    manifest::make,
    policy::make,
    trust::make,
    vector::make,
    verdict::make,
];

/// A JWS of this payload, signed with that key of `pki` for this chain: for whoever holds bulla against another program.
pub(crate) fn envelope_over(payload: &str, key: &'static str, chain: &[&'static str]) -> Vec<u8> {
    let alg = match key {
        "rsa2048" => "PS256",
        "rsa3072" => "PS384",
        "rsa4096" => "PS512",
        "p384" => "ES384",
        "p521" => "ES512",
        _ => "ES256",
    };
    envelope::Jws::new(envelope::Signer::of(key, alg, chain)).payload(payload).bytes()
}

/// A title as the name of a folder.
fn slug(title: &str) -> String {
    let words = title.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    slug.truncate(80);
    slug
}

/// Files below a folder, by path.
fn on_disk(root: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let area = name.split('/').next().unwrap();
        if judging::AREAS.contains(&area) || ["generate", "pki"].contains(&area) {
            continue;
        }
        if path.is_dir() {
            on_disk(root, &path, found);
        } else if name.contains('/') {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Writes everything anew where `BULLA_REGENERATE` asks for it: once, before anything else reads the tree.
pub(crate) fn refresh_if_asked() {
    static ONCE: Once = Once::new();
    if std::env::var_os("BULLA_REGENERATE").is_some() {
        ONCE.call_once(|| write(&Book::make().files));
    }
}

/// Brings the tree to `made`.
fn write(made: &BTreeMap<String, Vec<u8>>) {
    let root = folder();
    let there = tree();
    for path in there.keys().filter(|path| !made.contains_key(*path)) {
        let path = root.join(path);
        fs::remove_file(&path).unwrap();
        // Folders that are empty now; one that is not stays.
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
            let _ = fs::remove_dir(folder);
        }
    }
    for (path, bytes) in made.iter().filter(|(path, bytes)| there.get(*path) != Some(*bytes)) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What is there of what is made here.
fn tree() -> BTreeMap<String, Vec<u8>> {
    let (root, mut there) = (folder(), BTreeMap::new());
    on_disk(&root, &root, &mut there);
    there
}

#[test]
fn regenerating_changes_nothing() {
    refresh_if_asked();
    let (made, there) = (Book::make().files, tree());
    let differing = |(path, bytes): &(&String, &Vec<u8>)| there.get(*path) != Some(*bytes);
    let changed: Vec<_> = made.iter().filter(differing).map(|(path, _)| path).collect();
    let stray: Vec<_> = there.keys().filter(|path| !made.contains_key(*path)).collect();
    assert!(
        changed.is_empty() && stray.is_empty(),
        "BULLA_REGENERATE=1 makes anew {changed:#?}, and removes {stray:#?}"
    );
}
