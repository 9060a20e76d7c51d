//! bulla beside Notation itself: every case that can be put to the reference implementation is put to it, and where the two
//! differ, a table says why.

mod evidence;
mod program;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulla::time::UnixTime;
use tempfile::TempDir;

use crate::case::Case;
use crate::registry::{Options, Registry, Reply};
use crate::{runner, tools};
use program::Ended;
use worlds::{Question, Said, World};

/// Copies of Notation, one for each time at which something is judged.
struct Clocks {
    folder: TempDir,
}

impl Clocks {
    fn new(times: impl Iterator<Item = UnixTime>) -> Result<Self, &'static str> {
        let clocks = Self { folder: tempfile::tempdir().unwrap() };
        let original = program::installed();
        times.collect::<BTreeSet<_>>().into_iter().try_for_each(|at| program::hold(&original, at, &clocks.at(at)))?;
        Ok(clocks)
    }

    fn at(&self, at: UnixTime) -> PathBuf {
        self.folder.path().join(at.to_string())
    }
}

/// What Notation says of a world.
fn ask(program: &Path, world: &World, case: &Case) -> (Said, String) {
    let registry = Registry::start(Options::default());
    let repository = world.repository.split_once('/').unwrap().1;
    for (media_type, bytes) in &world.manifests {
        registry.manifest(repository, None, media_type, bytes);
    }
    for blob in &world.blobs {
        registry.blob(repository, blob);
    }
    for answer in &world.answers {
        registry.answer("*", &answer.url, usize::MAX, Reply::new(200).body(answer.content.clone()));
    }
    let home = tempfile::tempdir().unwrap();
    if case.file.kind == "config" {
        crate::kinds::config::lay_out(case, &home.path().join(".config/notation")).unwrap();
    }
    for (path, content) in &world.home {
        let place = home.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }
    let reference = format!("{}@{}", world.repository, world.target.digest);
    let mut arguments = vec!["verify".to_owned(), "--insecure-registry".to_owned(), reference];
    for (key, value) in &world.metadata {
        arguments.extend(["-m".to_owned(), format!("{key}={value}")]);
    }
    let ended = program::run(program, home.path(), &registry.host(), &arguments);
    (understood(world.question, &ended), ended.said)
}

fn understood(question: Question, ended: &Ended) -> Said {
    let says = |text: &str| ended.said.contains(text);
    let yes = match question {
        Question::Verdict => ended.succeeded && says("Successfully verified signature"),
        Question::Policy => ended.succeeded || says("no signature is associated"),
        Question::Stores => !says("trust store") && !says("truststore"),
        Question::Manifest => says("envelope"),
    };
    match question {
        _ if says("configured to skip signature verification") => Said::Skipped,
        Question::Policy if says("no applicable") => Said::NoStatement,
        _ if yes => Said::Yes,
        _ => Said::No,
    }
}

#[test]
fn notation_judges_the_cases() {
    if !tools::there("notation_judges_the_cases", &["notation"]) {
        return;
    }
    let (cases, _) = runner::cases();
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    let mut asked = Vec::new();
    for case in &cases {
        match worlds::of(case) {
            Ok(worlds) => asked.extend(worlds.into_iter().map(|(world, said)| (case, world, said))),
            Err(why) => *left_out.entry(why).or_default() += 1,
        }
    }
    let clocks = match Clocks::new(asked.iter().map(|(_, world, _)| world.at)) {
        Ok(clocks) => clocks,
        Err(why) => return tools::skip_always("notation_judges_the_cases", &format!("its clock cannot be held: {why}")),
    };
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((case, world, ours)) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (theirs, said) = ask(&clocks.at(world.at), world, case);
                    results.lock().unwrap().push((*case, *ours, theirs, said));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let mut out = String::new();
    for (case, ours, theirs, said) in &results {
        let area = case.id.split('/').next().unwrap();
        *counts.entry((area, *ours, *theirs)).or_default() += 1;
        out += &format!("{:?} {:?} {} {:?} {:?}\n", ours, theirs, case.id, case.file.expect.codes, said);
    }
    fs::write("/tmp/n/results.txt", out).unwrap();
    eprintln!("{left_out:#?}\n{counts:#?}");
}
