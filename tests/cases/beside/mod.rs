//! bulla beside Notation itself: every case that can be put to the reference implementation is put to it, and where the two
//! differ, a table says why.

mod evidence;
mod odd;
mod program;
mod shown;
mod table;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulla::oci::MediaType;
use bulla::time::UnixTime;
use tempfile::TempDir;

use crate::case::Case;
use crate::registry::{Options, Registry, Reply};
use crate::{runner, tools};
use program::Ended;
use table::Class::{self, Choice, Language, Reference, Release};
use table::Row;
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

/// A registry on loopback with the world's content.
fn serve(world: &World) -> Registry {
    let registry = Registry::start(Options::default());
    // oras takes the type of an index only where nothing stands behind it.
    registry.change("GET", "/referrers/", usize::MAX, |reply| reply.header("content-type", MediaType::OCI_INDEX));
    let repository = world.repository.split_once('/').unwrap().1;
    for (media_type, bytes) in &world.manifests {
        registry.manifest(repository, None, media_type, bytes);
    }
    for blob in &world.blobs {
        registry.blob(repository, blob);
    }
    registry
}

/// What Notation says of a world.
fn ask(program: &Path, world: &World, case: &Case) -> (Said, String) {
    let registry = serve(world);
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
    let mut arguments = vec!["verify".to_owned(), "-v".to_owned(), "--insecure-registry".to_owned(), reference];
    for (key, value) in &world.metadata {
        arguments.extend(["-m".to_owned(), format!("{key}={value}")]);
    }
    let ended = program::run(program, home.path(), &registry.host(), &arguments);
    let said = ended.said.replace(&*home.path().to_string_lossy(), "~");
    (understood(world.question, &ended), said)
}

fn understood(question: Question, ended: &Ended) -> Said {
    let says = |text: &str| ended.said.contains(text);
    let yes = match question {
        Question::Verdict => ended.succeeded && says("Successfully verified signature"),
        Question::Policy | Question::Statement => {
            ended.succeeded || says("no signature is associated") || says("failed for all the signatures")
        }
        Question::Stores => !reasons(&ended.said).any(|reason| reason.contains("trust store")),
        Question::Manifest => says("unable to parse the digital signature"),
    };
    match question {
        Question::Policy if says("configured to skip") || says("no applicable trust policy") => Said::Yes,
        Question::Statement if says("no applicable trust policy") => Said::NoStatement,
        _ if says("configured to skip") => Said::Skipped,
        _ if yes => Said::Yes,
        _ => Said::No,
    }
}

/// Why it did not verify: what it says of each signature, and at the end.
fn reasons(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| {
        line.strip_prefix("Error: ").or_else(|| Some(line.split_once("failed verification with error: ")?.1))
    })
}

/// Whether a text is what a pattern describes, in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((begin, rest)) => {
            let Some(behind) = text.strip_prefix(begin) else { return false };
            behind.char_indices().any(|(at, _)| fits(rest, &behind[at..])) || fits(rest, "")
        }
    }
}

/// The cases that were put to Notation, with what came of each.
struct Compared<'a> {
    case: &'a Case,
    ours: Said,
    theirs: Said,
    said: String,
}

impl Compared<'_> {
    /// The rows that could say why the two differ.
    fn rows(&self) -> &'static [Row] {
        match (self.ours, self.theirs) {
            (Said::Yes, _) => table::WIDER,
            _ => table::STRICTER,
        }
    }
}

/// A case, what Notation is given of it, and what bulla says.
type Asked<'a> = (&'a Case, World, Said);

/// Every case that can be put to Notation, with what bulla says of it; and how many cannot, by the reason.
fn questions(cases: &[Case]) -> (Vec<Asked<'_>>, BTreeMap<&'static str, usize>) {
    let (mut questions, mut left_out) = (Vec::new(), BTreeMap::new());
    for case in cases {
        match worlds::of(case) {
            Ok(worlds) => questions.extend(worlds.into_iter().map(|(world, said)| (case, world, said))),
            Err(why) => *left_out.entry(why).or_default() += 1,
        }
    }
    (questions, left_out)
}

/// Asks Notation everything, on all cores.
fn compare<'a>(questions: &[Asked<'a>], clocks: &Clocks) -> Vec<Compared<'a>> {
    let (next, compared) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((case, world, ours)) = questions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (theirs, said) = ask(&clocks.at(world.at), world, case);
                    compared.lock().unwrap().push(Compared { case, ours: *ours, theirs, said });
                }
            });
        }
    });
    compared.into_inner().unwrap()
}

/// What is wrong with the table: differences that it does not explain, and patterns that explain none.
fn problems(compared: &[Compared<'_>]) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for differs in compared.iter().filter(|compared| compared.ours != compared.theirs) {
        let patterns = differs.rows().iter().flat_map(|row| row.cases);
        let Some(pattern) = patterns.into_iter().find(|pattern| fits(pattern, &differs.case.id)) else {
            let Compared { case, ours, theirs, said } = differs;
            problems.push(format!(
                "{}: {ours:?} here, {theirs:?} there: {:?}",
                case.id,
                reasons(said).collect::<Vec<_>>()
            ));
            continue;
        };
        used.insert((differs.ours == Said::Yes, *pattern));
    }
    for (wider, rows) in [(true, table::WIDER), (false, table::STRICTER)] {
        for row in rows {
            let idle = row.cases.iter().filter(|pattern| !used.contains(&(wider, **pattern)));
            problems.extend(idle.map(|pattern| format!("{pattern} explains nothing ({})", row.why)));
        }
    }
    problems
}

/// How many differ, by the kind of the reason.
fn by_class(compared: &[Compared<'_>]) -> BTreeMap<(Said, Class), usize> {
    let mut counts = BTreeMap::new();
    for differs in compared.iter().filter(|compared| compared.ours != compared.theirs) {
        let row = differs.rows().iter().find(|row| row.cases.iter().any(|pattern| fits(pattern, &differs.case.id)));
        if let Some(row) = row {
            *counts.entry((differs.ours, row.class)).or_default() += 1;
        }
    }
    counts
}

/// Holds the README to the figures.
fn stated(cases: &[Case], left_out: &BTreeMap<&str, usize>, compared: &[Compared<'_>]) {
    let counts = by_class(compared);
    let kinds =
        |said: Said| [Choice, Reference, Language, Release].map(|class| counts.get(&(said, class)).unwrap_or(&0));
    let line = |said: Said| {
        let [choice, reference, language, release] = kinds(said);
        format!(
            "{}: {choice} by the choices above, {reference} where the reference departs from the specification, {language} by \
             how Go reads, {release} by its release |",
            choice + reference + language + release
        )
    };
    let put = cases.len() - left_out.values().sum::<usize>();
    let thousands = |number: usize| format!("{},{:03}", number / 1000, number % 1000);
    let agreed = compared.iter().filter(|one| one.ours == one.theirs).count();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for figures in [
        format!("puts {} of the {} cases to it", thousands(put), thousands(cases.len())),
        format!("| {} |", thousands(agreed)),
        format!("| bulla refuses what Notation accepts | {}", line(Said::No)),
        format!("| bulla accepts what Notation refuses | {}", line(Said::Yes)),
    ] {
        assert!(readme.contains(&figures), "README.md does not state: {figures}");
    }
}

const TEST: &str = "notation_differs_where_the_table_says";

/// What the checklist says of the reference was found by reading; here the reference itself is asked. It sees the same artifact, signature, trust store and policy at the same time, and its
/// CRLs and OCSP responses come from servers that give out what the case carries.
#[test]
fn notation_differs_where_the_table_says() {
    if !tools::there(TEST, &["notation"]) {
        return;
    }
    let (cases, _) = runner::cases();
    let (questions, left_out) = questions(&cases);
    let clocks = match Clocks::new(questions.iter().map(|(_, world, _)| world.at)) {
        Ok(clocks) => clocks,
        Err(why) => return tools::skip_always(TEST, &format!("the clock of this notation cannot be held: {why}")),
    };
    let compared = compare(&questions, &clocks);
    let agreed = |said: Said| compared.iter().filter(|one| one.ours == said && one.theirs == said).count();
    println!("both yes {}, both no {}; left out {left_out:#?}", agreed(Said::Yes), agreed(Said::No));
    let mut problems = problems(&compared);
    problems.sort();
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
    // A harness in which nothing works would agree with every refusal.
    assert!(agreed(Said::Yes) > 400 && agreed(Said::No) > 800);
    stated(&cases, &left_out, &compared);
    let unreachable = compared.iter().find(|one| one.said.contains("proxyconnect"));
    assert!(unreachable.is_none(), "{}", unreachable.unwrap().said);
}

/// What the table calls a choice stands in the README's table of choices.
#[test]
fn choices_stand_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let choices: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .flat_map(|(numbers, _)| numbers.split(", "))
        .collect();
    for row in table::WIDER.iter().chain(table::STRICTER).filter(|row| row.class == Class::Choice) {
        let (numbers, _) = row.why.split_once(": ").expect("a row begins with its numbers");
        assert!(numbers.split(", ").any(|number| choices.contains(number)), "the README does not state {}", row.why);
    }
}

/// A copy whose clock says the time that it is says what the original says.
#[test]
fn a_held_clock_changes_nothing_else() {
    let test = "a_held_clock_changes_nothing_else";
    if !tools::there(test, &["notation"]) {
        return;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = UnixTime::from_seconds(now.try_into().unwrap());
    let clocks = match Clocks::new([now].into_iter()) {
        Ok(clocks) => clocks,
        Err(why) => return tools::skip_always(test, &format!("the clock of this notation cannot be held: {why}")),
    };
    let (cases, _) = runner::cases();
    let signatures = |case: &&&Case| ["jws", "cose", "algorithm"].iter().any(|area| case.id.starts_with(area));
    let mut both = BTreeSet::new();
    for case in cases.iter().step_by(3).filter(|case| signatures(&case)) {
        let [(world, _)] = worlds::of(case).unwrap().try_into().ok().unwrap();
        let (original, copy) = (ask(&program::installed(), &world, case), ask(&clocks.at(now), &world, case));
        assert_eq!(original, copy, "{}", case.id);
        both.insert(copy.0);
    }
    assert_eq!(both.len(), 2, "some are good, some are bad");
}
