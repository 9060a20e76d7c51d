//! Which of the 362 facts a test covers: those that cases name, and those that other tests cite. The rest must be in
//! `not-applicable.json` with its reason, and the README must state the figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::facts::{COUNT, Facts, folder};
use crate::runner;

/// Facts without a test, for one reason.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Uncovered {
    status: Status,
    reason: String,
    facts: Vec<String>,
}

/// Why there is no test.
#[derive(Deserialize, Serialize, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// There is nothing that a test could hold bulla against.
    #[serde(rename = "not applicable")]
    NotApplicable,
}

/// The sources whose tests may cite facts: everything under `tests` but this suite and the helpers, and the test modules of the library.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&root.join("src"), &mut found);
    for (path, text) in &mut found {
        let whole = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
            || path.components().any(|part| part.as_os_str() == "tests");
        if !whole {
            let at = text.find("#[cfg(test)]").unwrap_or(text.len());
            *text = text.split_off(at);
        }
    }
    collect(&root.join("tests"), &mut found);
    // What helps tests is no test, and this suite is counted by its cases.
    let others = ["tests/cases", "tests/support"].map(|place| root.join(place));
    found.retain(|(path, _)| !others.iter().any(|other| path.starts_with(other)));
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The facts that a test cites: in a comment that begins with a number or says "conformance", and at the beginning of a
/// text in a table or an assertion, or in parentheses there. Of a range only both ends count: what lies between is
/// perhaps tested, perhaps not.
fn citations(text: &str, facts: &Facts) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut comment = String::new();
    for line in text.lines() {
        match line.trim_start().strip_prefix("//") {
            Some(said) => {
                comment.push(' ');
                comment.push_str(said.trim_start_matches(['/', '!']).trim());
            }
            None => {
                cite_comment(&std::mem::take(&mut comment), facts, &mut found);
                cite_strings(line, facts, &mut found);
            }
        }
    }
    cite_comment(&comment, facts, &mut found);
    found
}

fn cite_comment(comment: &str, facts: &Facts, found: &mut BTreeSet<String>) {
    let comment = comment.trim();
    let cited = match comment.find("onformance") {
        Some(at) => &comment[at..],
        None if leading(comment, facts).next().is_some() => comment,
        None => return,
    };
    found.extend(numbers(cited).filter(|number| facts.contains(number)));
}

fn cite_strings(line: &str, facts: &Facts, found: &mut BTreeSet<String>) {
    // Every second piece between quotation marks is a text; escaped ones do not matter at a text's beginning.
    for text in line.split('"').skip(1).step_by(2) {
        found.extend(leading(text, facts));
        let inside = text.split('(').skip(1).filter_map(|part| part.split_once(')'));
        found.extend(inside.flat_map(|(part, _)| leading(part, facts)));
    }
}

/// The facts at the very beginning of a text: `3.13 lower case`, `4.09, 4.10`.
fn leading<'a>(text: &'a str, facts: &'a Facts) -> impl Iterator<Item = String> + 'a {
    text.split([' ', ','])
        .filter(|word| !word.is_empty() && *word != "and" && *word != "to")
        .map(|word| word.trim_end_matches([':', ';']))
        .take_while(|word| facts.contains(word))
        .map(str::to_owned)
}

/// Everything that looks like a number of the list.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.')
        .map(|word| word.trim_matches('.').to_owned())
        .filter(|word| !word.is_empty())
}

/// What is covered, and by what.
struct Coverage {
    by_cases: BTreeSet<String>,
    elsewhere: BTreeMap<String, PathBuf>,
}

impl Coverage {
    fn compute(facts: &Facts) -> Self {
        let (cases, _) = runner::cases();
        let by_cases = cases.iter().flat_map(|case| case.file.facts.iter().cloned()).collect();
        let mut elsewhere = BTreeMap::new();
        for (path, text) in sources() {
            for fact in citations(&text, facts) {
                elsewhere.entry(fact).or_insert_with(|| path.clone());
            }
        }
        Self { by_cases, elsewhere }
    }

    fn has(&self, fact: &str) -> bool {
        self.by_cases.contains(fact) || self.elsewhere.contains_key(fact)
    }
}

/// What `not-applicable.json` says, by fact.
fn uncovered(facts: &Facts, coverage: &Coverage) -> BTreeMap<String, Status> {
    let path = folder().join("not-applicable.json");
    let mut groups: Vec<Uncovered> = bulla::json::from_slice(&fs::read(&path).unwrap()).unwrap();
    if regenerates() {
        // What is tested by now needs no reason any more.
        groups.iter_mut().for_each(|group| group.facts.retain(|fact| !coverage.has(fact)));
        groups.retain(|group| !group.facts.is_empty());
        let lines: Vec<String> = groups.iter().map(|group| serde_json::to_string(group).unwrap()).collect();
        fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let mut all = BTreeMap::new();
    for group in groups {
        assert!(group.reason.len() > 10, "{:?} without a reason", group.facts);
        for fact in group.facts {
            assert!(facts.contains(&fact), "not-applicable.json: there is no fact {fact}");
            assert!(all.insert(fact.clone(), group.status).is_none(), "not-applicable.json: {fact} twice");
        }
    }
    all
}

fn regenerates() -> bool {
    std::env::var_os("BULLA_REGENERATE").is_some()
}

#[test]
fn every_fact_is_tested_or_it_is_said_why_not() {
    let facts = Facts::load();
    let coverage = Coverage::compute(&facts);
    let uncovered = uncovered(&facts, &coverage);
    let neither: Vec<_> = facts.iter().filter(|fact| !coverage.has(fact) && !uncovered.contains_key(*fact)).collect();
    let both: Vec<_> = facts.iter().filter(|fact| coverage.has(fact) && uncovered.contains_key(*fact)).collect();
    let places: Vec<_> = both.iter().map(|fact| (fact, coverage.elsewhere.get(fact.as_str()))).collect();
    assert!(neither.is_empty(), "no test, and no reason in not-applicable.json: {neither:?}");
    assert!(both.is_empty(), "tested, yet in not-applicable.json: {places:?}");
    let covered = facts.iter().filter(|fact| coverage.has(fact)).count();
    assert_eq!(covered + uncovered.len(), COUNT);
    state(&format!(
        "Of the checklist's {COUNT} numbered rules {covered} are covered by a test: {} by the cases in \
         [testdata/cases](testdata/cases/README.md), the others by tests that cite them. {} do not apply; \
         [each has its reason](testdata/cases/not-applicable.json).",
        coverage.by_cases.len(),
        uncovered.len(),
    ));
}

/// Where specification and reference differ, bulla's choice is more than a sentence in a table.
#[test]
fn every_choice_in_the_readme_is_tested() {
    let facts = Facts::load();
    let coverage = Coverage::compute(&facts);
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let table = text.split("| conformance | choice |").nth(1).expect("the table of choices");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let chosen: Vec<String> = rows.flat_map(|row| numbers(row.split('|').nth(1).unwrap_or_default())).collect();
    assert!(chosen.len() > 30, "{chosen:?}");
    let untested: Vec<_> = chosen.iter().filter(|fact| !coverage.has(fact)).collect();
    assert!(untested.is_empty(), "choices without a test: {untested:?}");
}

/// Holds the README to the figures, or, on request, writes them into it.
fn state(figures: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let stated = text.lines().find(|line| line.starts_with("Of the checklist's ")).expect("the figures in README.md");
    if regenerates() {
        fs::write(&path, text.replace(stated, figures)).unwrap();
    } else {
        assert_eq!(stated, figures, "README.md states other figures; BULLA_REGENERATE=1 writes these");
    }
}

#[test]
fn citations_are_found_where_tests_write_them() {
    let facts = Facts::load();
    let text = r#"
        // Conformance 3.07, 3.08; stricter than 14.01
        // and 4.02.
        let a = ("2.15 not critical", "1.0", "x 5.01");
        assert!(x, "types are never shared (6.12)");
        /// 9.11: the token. RFC 5280 6.1
        fn x() {}
        // Not 7.01, which is mentioned only.
        let b = "10.0.0.1";
    "#;
    let found: Vec<_> = citations(text, &facts).into_iter().collect();
    assert_eq!(found, ["14.01", "2.15", "3.07", "3.08", "4.02", "6.12", "9.11"]);
}
