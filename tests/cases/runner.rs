//! Walks `testdata/cases`, runs every case and reports all that fails at once.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::case::Case;
use crate::facts::{Facts, folder};
use crate::generate;
use crate::kinds::{self, Ran};

/// Folders below `testdata/cases` that are no areas.
const NO_AREAS: [&str; 3] = ["generate", "layouts", "pki"];

/// The folders in a folder, by name.
fn folders(path: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    found.sort();
    found
}

/// Every case by its id, and what is wrong with those that cannot be read.
pub(crate) fn cases() -> (Vec<Case>, Vec<String>) {
    generate::refresh_if_asked();
    let facts = Facts::load();
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for (area, path) in folders(&folder()).into_iter().filter(|(name, _)| !NO_AREAS.contains(&name.as_str())) {
        for (name, path) in folders(&path) {
            let id = format!("{area}/{name}");
            match Case::load(&id, &path, &facts) {
                Ok(case) => cases.push(case),
                Err(problem) => problems.push(format!("{id}: {problem}")),
            }
        }
    }
    (cases, problems)
}

/// What is wrong with a case; `None` if it gives what it should, or was skipped.
fn check(case: &Case) -> Option<String> {
    let said = |problem: String| {
        Some(format!("{} ({}): {}\n    {problem}", case.id, case.file.facts.join(", "), case.file.title))
    };
    let Some(run) = kinds::find(&case.file.kind) else {
        return said(format!("there is no kind {:?}", case.file.kind));
    };
    match catch_unwind(AssertUnwindSafe(|| run(case))) {
        Err(_) => said("it panics".into()),
        Ok(Err(problem)) => said(problem),
        Ok(Ok(Ran::Skipped(why))) => {
            crate::skip::always(format_args!("{}: {why}", case.id));
            None
        }
        Ok(Ok(Ran::Outcome(outcome))) => {
            let differences = outcome.differences(&case.file.expect);
            if differences.is_empty() { None } else { said(differences.join("\n    ")) }
        }
    }
}

#[test]
fn every_case_gives_what_it_says() {
    let (cases, problems) = cases();
    let problems = Mutex::new(problems);
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let problem = check(case);
                    problems.lock().unwrap().extend(problem);
                }
            });
        }
    });
    let mut problems = problems.into_inner().unwrap();
    problems.sort();
    assert!(problems.is_empty(), "{} of {} cases fail\n{}", problems.len(), cases.len(), problems.join("\n"));
}

#[test]
fn no_two_cases_of_an_area_say_the_same() {
    let (cases, _) = cases();
    let mut seen = BTreeSet::new();
    for case in &cases {
        let area = case.id.split('/').next().unwrap().to_owned();
        assert!(seen.insert((area, case.file.title.clone())), "{}: another case has its title", case.id);
    }
}
