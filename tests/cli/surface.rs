//! The whole surface of Notation's command line (the tables 1.3 and 1.5 of notation-cli.md) against bulla's definition of its
//! own: every command, alias and flag, in every way of writing it, is accepted and means the same.
//!
//! This is a module of the program's unit tests (`src/bin/bulla/main.rs`): thousands of command lines cost no process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::parser::ValueSource;

use crate::args::Arguments;
use crate::grammar::rewrite;

/// Commands of Notation's that bulla does not have yet. Whoever adds one takes it off the list.
const AWAITED: &[&str] = &[];

/// A command of Notation's.
struct Row {
    /// Its words.
    command: &'static str,
    /// Other words for it.
    aliases: &'static [&'static str],
    /// The least that it is given: arguments, and flags that are required.
    least: &'static [&'static str],
    /// Its flags.
    flags: Vec<Flag>,
}

/// A flag of Notation's.
#[derive(Clone)]
struct Flag {
    long: &'static str,
    short: Option<char>,
    kind: Kind,
    /// Others that must come with it.
    with: &'static [&'static str],
    /// Those of the least that it excludes.
    without: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Kind {
    /// It has no value; `false` if absent.
    Switch,
    /// It has one: an example, and the default.
    One(&'static str, Option<&'static str>),
    /// It gathers: two examples. A comma separates nothing.
    Many(&'static str, &'static str),
}

impl Flag {
    const fn new(long: &'static str, short: Option<char>, kind: Kind) -> Self {
        Self { long, short, kind, with: &[], without: &[] }
    }

    const fn with(mut self, with: &'static [&'static str]) -> Self {
        self.with = with;
        self
    }

    const fn without(mut self, without: &'static [&'static str]) -> Self {
        self.without = without;
        self
    }
}

const fn switch(long: &'static str, short: Option<char>) -> Flag {
    Flag::new(long, short, Kind::Switch)
}

const fn one(long: &'static str, short: Option<char>, example: &'static str) -> Flag {
    Flag::new(long, short, Kind::One(example, None))
}

const fn number(long: &'static str, short: Option<char>, example: &'static str, default: &'static str) -> Flag {
    Flag::new(long, short, Kind::One(example, Some(default)))
}

const fn many(long: &'static str, short: Option<char>) -> Flag {
    Flag::new(long, short, Kind::Many("a=b,c", "d=e=f"))
}

/// `--debug/-d`, and Notation 1's `--verbose/-v`.
fn common() -> Vec<Flag> {
    vec![switch("debug", Some('d')), switch("verbose", Some('v'))]
}

fn registry() -> Vec<Flag> {
    vec![one("username", Some('u'), "user"), one("password", Some('p'), "-secret"), switch("insecure-registry", None)]
}

fn signer() -> Vec<Flag> {
    vec![
        one("key", Some('k'), "name"),
        // Its default, jws, may be another in config.json.
        one("signature-format", None, "cose"),
        one("id", None, "id").with(&["--plugin=p"]),
        one("plugin", None, "name").with(&["--id=i"]),
    ]
}

fn stamping() -> Vec<Flag> {
    vec![
        one("timestamp-url", None, "http://tsa.example").with(&["--timestamp-root-cert=r.pem"]),
        one("timestamp-root-cert", None, "root.pem").with(&["--timestamp-url=http://tsa.example"]),
    ]
}

fn row(
    command: &'static str,
    aliases: &'static [&'static str],
    least: &'static [&'static str],
    flags: &[Vec<Flag>],
) -> Row {
    Row { command, aliases, least, flags: flags.concat() }
}

const REFERENCE: &[&str] = &["registry.example/team/app:v1"];
const STORE: &[&str] = &["root.pem", "--type=ca", "--store=acme"];

/// Tables 1.3 and 1.5.
fn surface() -> Vec<Row> {
    let metadata = || vec![many("user-metadata", Some('m'))];
    let told = || vec![many("plugin-config", None)];
    let expiry = || vec![one("expiry", Some('e'), "24h")];
    let old = || vec![switch("allow-referrers-api", None)];
    let most = || vec![number("max-signatures", None, "7", "100")];
    let view =
        || vec![one("output", Some('o'), "json"), one("output", Some('o'), "tree"), one("output", Some('o'), "text")];
    let layout = || vec![switch("oci-layout", None)];
    let store = || vec![one("type", Some('t'), "tsa"), one("store", Some('s'), "other")];
    let yes = || vec![switch("yes", Some('y'))];
    let force = || vec![switch("force", None)];
    let default = || vec![switch("default", None)];
    let tags = || vec![switch("force-referrers-tag", None)];
    let sign = [common(), registry(), signer(), expiry(), told(), metadata(), stamping(), tags(), layout(), old()];
    let scoped = vec![
        switch("oci-layout", None).with(&["--scope=local/app"]),
        one("scope", None, "local/app").with(&["--oci-layout"]),
    ];
    let signing_file = vec![
        number("media-type", None, "text/plain", "application/octet-stream"),
        one("signature-directory", None, "signatures"),
    ];
    let statement = vec![
        one("name", Some('n'), "acme"),
        Flag::new("trust-store", None, Kind::Many("ca:a", "tsa:b")),
        Flag::new(
            "trusted-identity",
            None,
            Kind::Many("x509.subject: C=US, ST=WA, O=a", "x509.subject: C=US, ST=WA, O=b"),
        ),
        switch("global", None),
    ];
    vec![
        row("sign", &[], REFERENCE, &sign),
        row("verify", &[], REFERENCE, &[common(), registry(), told(), metadata(), most(), scoped, old()]),
        row("list", &["ls"], REFERENCE, &[common(), registry(), most(), layout(), old()]),
        row("inspect", &[], REFERENCE, &[common(), registry(), view(), most(), old()]),
        row("login", &[], &["registry.example:5000"], &[common(), registry(), vec![switch("password-stdin", None)]]),
        row("logout", &[], &["registry.example:5000"], &[common()]),
        row("version", &[], &[], &[]),
        row(
            "key add",
            &[],
            &["name", "--plugin=p"],
            &[common(), vec![one("plugin", None, "q"), one("id", None, "i")], told(), default()],
        ),
        row("key update", &["key set"], &["name"], &[common(), default()]),
        row("key list", &["key ls"], &[], &[]),
        row("key delete", &[], &["one", "two"], &[common()]),
        row("cert add", &["certificate add"], STORE, &[store()]),
        row("cert list", &["cert ls", "certificate list", "certificate ls"], &[], &[common(), store()]),
        row("cert show", &["certificate show"], STORE, &[common(), store()]),
        row(
            "cert delete",
            &["certificate delete"],
            STORE,
            &[vec![switch("all", Some('a')).without(&["root.pem"])], yes(), store()],
        ),
        row(
            "cert generate-test",
            &["certificate generate-test"],
            &["name"],
            &[vec![number("bits", Some('b'), "3072", "2048")], default()],
        ),
        row("cert cleanup-test", &["certificate cleanup-test"], &["name"], &[yes()]),
        row("policy import", &[], &["policy.json"], &[force()]),
        row("policy show", &[], &[], &[]),
        row(
            "blob sign",
            &[],
            &["file"],
            &[common(), signer(), expiry(), told(), metadata(), signing_file, stamping(), force()],
        ),
        row(
            "blob verify",
            &[],
            &["file", "--signature=file.jws.sig"],
            &[
                common(),
                vec![
                    one("signature", Some('s'), "f.jws.sig"),
                    one("media-type", None, "a/b"),
                    one("policy-name", None, "p"),
                ],
                told(),
                metadata(),
            ],
        ),
        row(
            "blob inspect",
            &[],
            &["file.jws.sig"],
            &[vec![number("output", Some('o'), "json", "tree"), number("output", Some('o'), "tree", "tree")]],
        ),
        row("blob policy import", &[], &["policy.json"], &[force()]),
        row("blob policy show", &[], &[], &[]),
        row(
            "blob policy init",
            &[],
            &["--name=a", "--trust-store=ca:a", "--trusted-identity=x509.subject: C=US, ST=WA, O=a"],
            &[statement, force()],
        ),
        row(
            "plugin install",
            &["plugin add"],
            &["source", "--file"],
            &[common(), vec![switch("url", None).without(&["--file"]), one("sha256sum", None, "00")], force()],
        ),
        row("plugin list", &["plugin ls"], &[], &[]),
        row("plugin uninstall", &["plugin remove", "plugin rm"], &["name"], &[common(), yes()]),
    ]
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a command line comes down to: the command, and what each argument and flag of it is. What was not given has its
/// default, marked as such.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Meaning {
    command: Vec<String>,
    given: BTreeMap<String, Vec<OsString>>,
    default: BTreeMap<String, Vec<OsString>>,
}

fn parse(line: &[String]) -> Result<Meaning, String> {
    let mut root = Arguments::command();
    root.build();
    let line = std::iter::once("bulla".to_owned()).chain(line.iter().cloned()).map(OsString::from);
    let matches = root.clone().try_get_matches_from(rewrite(&root, line)).map_err(|error| error.to_string())?;
    let mut meaning = Meaning { command: Vec::new(), given: BTreeMap::new(), default: BTreeMap::new() };
    let mut level = &matches;
    let mut definition = &root;
    while let Some((name, below)) = level.subcommand() {
        meaning.command.push(name.to_owned());
        level = below;
        definition = definition.find_subcommand(name).unwrap();
    }
    // Groups of arguments are named among them.
    for id in definition.get_arguments().map(clap::Arg::get_id) {
        let Ok(Some(values)) = level.try_get_raw(id.as_str()) else { continue };
        let values = values.map(ToOwned::to_owned).collect();
        let place = match level.value_source(id.as_str()) {
            Some(ValueSource::CommandLine) => &mut meaning.given,
            _ => &mut meaning.default,
        };
        place.insert(id.to_string(), values);
    }
    Ok(meaning)
}

#[track_caller]
fn must(line: &[String]) -> Meaning {
    parse(line).unwrap_or_else(|error| panic!("bulla {}: {error}", line.join(" ")))
}

/// The name by which the definition knows a flag.
fn id_of(command: &str, long: &str) -> String {
    let mut root = Arguments::command();
    root.build();
    let mut level = &root;
    for word in words(command) {
        level = level.find_subcommand(&word).unwrap_or_else(|| panic!("no {command}"));
    }
    let arg = level.get_arguments().find(|arg| {
        arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
    });
    arg.unwrap_or_else(|| panic!("{command} has no --{long}")).get_id().to_string()
}

fn exists(command: &str) -> bool {
    let root = Arguments::command();
    let mut level = &root;
    for word in words(command) {
        match level.find_subcommand(&word) {
            Some(below) => level = below,
            None => return false,
        }
    }
    true
}

/// The rows of commands that are there.
fn present() -> Vec<Row> {
    surface().into_iter().filter(|row| !AWAITED.contains(&row.command)).collect()
}

#[test]
fn every_command_is_there_or_awaited() {
    let missing: Vec<&str> = surface().iter().map(|row| row.command).filter(|command| !exists(command)).collect();
    assert_eq!(missing, AWAITED, "take commands that are there off the list");
}

#[test]
fn every_command_takes_the_least_and_goes_by_every_name() {
    for row in present() {
        let line = [words(row.command), owned(row.least)].concat();
        let meaning = must(&line);
        assert_eq!(meaning.command, words(row.command));
        for alias in row.aliases {
            assert_eq!(must(&[words(alias), owned(row.least)].concat()), meaning, "{alias}");
        }
        // Arguments behind `--` are the same arguments.
        let (flags, arguments): (Vec<&str>, Vec<&str>) = row.least.iter().partition(|word| word.starts_with('-'));
        let line = [words(row.command), owned(&flags), vec!["--".to_owned()], owned(&arguments)].concat();
        assert_eq!(must(&line), meaning, "{line:?}");
    }
}

/// Every way to write one flag with one value.
fn spellings(flag: &Flag, value: &str) -> Vec<Vec<String>> {
    let mut ways = vec![vec![format!("--{}={value}", flag.long)], vec![format!("--{}", flag.long), value.to_owned()]];
    if let Some(short) = flag.short {
        ways.push(vec![format!("-{short}={value}")]);
        ways.push(vec![format!("-{short}"), value.to_owned()]);
        ways.push(vec![format!("-{short}{value}")]);
    }
    ways
}

/// A command line around a flag, with the flag in front of everything, behind the command, or at the end.
fn places(row: &Row, flag: &Flag, written: &[String]) -> Vec<Vec<String>> {
    let given = |word: &&&str| {
        let name = word.trim_start_matches("--").split('=').next().unwrap_or_default();
        let (excluded, again) = (flag.without.contains(*word), word.starts_with("--") && name == flag.long);
        !excluded && !again
    };
    let least: Vec<String> = row.least.iter().filter(given).map(|word| (*word).to_owned()).collect();
    let (command, with) = (words(row.command), owned(flag.with));
    let mut split = command.clone();
    let last: Vec<String> = split.pop().into_iter().collect();
    vec![
        [written.to_vec(), command.clone(), least.clone(), with.clone()].concat(),
        [split, written.to_vec(), last, with.clone(), least.clone()].concat(),
        [command.clone(), written.to_vec(), with.clone(), least.clone()].concat(),
        [command, with, least, written.to_vec()].concat(),
    ]
}

fn values(found: Option<&Vec<OsString>>) -> Vec<String> {
    found.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect()
}

#[test]
fn every_flag_is_taken_wherever_and_however_it_is_written() {
    let mut count = 0;
    for row in present() {
        for flag in &row.flags {
            let id = id_of(row.command, flag.long);
            let (ways, expected) = match flag.kind {
                Kind::Switch => (switch_on(flag), "true"),
                Kind::One(example, _) => (spellings(flag, example), example),
                Kind::Many(example, _) => (spellings(flag, example), example),
            };
            let mut first = None;
            for line in ways.iter().flat_map(|way| places(&row, flag, way)) {
                let meaning = must(&line);
                assert_eq!(values(meaning.given.get(&id)), [expected], "{line:?}");
                assert_eq!(&meaning, first.get_or_insert_with(|| meaning.clone()), "{line:?}");
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}

fn switch_on(flag: &Flag) -> Vec<Vec<String>> {
    let names = std::iter::once(format!("--{}", flag.long)).chain(flag.short.map(|short| format!("-{short}")));
    let values = ["", "=1", "=t", "=T", "=true", "=TRUE", "=True"];
    names.flat_map(|name| values.map(|value| vec![format!("{name}{value}")])).collect()
}

#[test]
fn a_switch_can_be_switched_off_and_the_last_word_counts() {
    for row in present() {
        for flag in row.flags.iter().filter(|flag| matches!(flag.kind, Kind::Switch)) {
            // What is off need not come with anything, nor exclude anything.
            let flag = flag.clone().with(&[]).without(&[]);
            let least = must(&[words(row.command), owned(row.least)].concat());
            let names = std::iter::once(format!("--{}", flag.long)).chain(flag.short.map(|short| format!("-{short}")));
            for name in names {
                for no in ["0", "f", "F", "false", "FALSE", "False"] {
                    let line = [words(row.command), vec![format!("{name}={no}")], owned(row.least)].concat();
                    assert_eq!(must(&line), least, "{line:?}");
                    let line =
                        [words(row.command), vec![name.clone(), format!("{name}={no}")], owned(row.least)].concat();
                    assert_eq!(must(&line), least, "{line:?}");
                }
            }
            let line = [words(row.command), vec![format!("--{}=maybe", flag.long)], owned(row.least)].concat();
            assert!(parse(&line).is_err(), "{line:?}");
        }
    }
}

#[test]
fn defaults_are_notations() {
    for row in present() {
        let least = must(&[words(row.command), owned(row.least)].concat());
        for flag in &row.flags {
            let id = id_of(row.command, flag.long);
            match flag.kind {
                Kind::One(_, Some(default)) => {
                    assert_eq!(values(least.default.get(&id)), [default], "{} {id}", row.command)
                }
                Kind::Switch => assert_eq!(values(least.default.get(&id)), ["false"], "{} {id}", row.command),
                Kind::One(_, None) | Kind::Many(..) => {
                    assert_eq!(least.default.get(&id), None, "{} {id}", row.command);
                }
            }
        }
    }
}

#[test]
fn single_values_are_replaced_and_lists_gather() {
    for row in present() {
        for flag in &row.flags {
            let id = id_of(row.command, flag.long);
            let (twice, expected): (Vec<String>, Vec<&str>) = match flag.kind {
                Kind::Switch => continue,
                Kind::One(example, _) => {
                    (vec![format!("--{}=first", flag.long), format!("--{}={example}", flag.long)], vec![example])
                }
                Kind::Many(one, two) => {
                    (vec![format!("--{}={one}", flag.long), format!("--{}={two}", flag.long)], vec![one, two])
                }
            };
            for line in places(&row, flag, &twice) {
                assert_eq!(values(must(&line).given.get(&id)), expected, "{line:?}");
            }
        }
    }
}

#[test]
fn short_switches_stand_in_groups() {
    for row in present() {
        let shorts: Vec<char> =
            row.flags.iter().filter(|flag| matches!(flag.kind, Kind::Switch)).filter_map(|flag| flag.short).collect();
        let valued = row.flags.iter().find(|flag| flag.short.is_some() && matches!(flag.kind, Kind::One(..)));
        let group: String = shorts.iter().filter(|short| **short != 'a').collect();
        if group.is_empty() {
            continue;
        }
        let apart: Vec<String> = group.chars().map(|short| format!("-{short}")).collect();
        let line = |words_of: Vec<String>| [words(row.command), words_of, owned(row.least)].concat();
        assert_eq!(must(&line(vec![format!("-{group}")])), must(&line(apart.clone())), "{}", row.command);
        if let Some(Flag { short: Some(short), kind: Kind::One(example, _), .. }) = valued {
            let joined = vec![format!("-{group}{short}{example}")];
            let apart = [apart, vec![format!("-{short}"), (*example).to_owned()]].concat();
            assert_eq!(must(&line(joined)), must(&line(apart)), "{}", row.command);
        }
    }
}

/// Flags and arguments that do not go together, or not without one another.
#[test]
fn groups_of_flags() {
    for (line, accepted) in [
        ("sign", false),
        ("sign r.example/a:v and what else", true),
        ("sign r.example/a:v --id i", false),
        ("sign r.example/a:v --id i --plugin p", true),
        ("sign r.example/a:v --id i --plugin p --key k", false),
        ("sign r.example/a:v --timestamp-url http://t", false),
        ("sign r.example/a:v --timestamp-root-cert r.pem", false),
        ("sign layout:v --oci-layout", true),
        ("sign layout:v --oci-layout --force-referrers-tag", false),
        ("sign layout:v --oci-layout --force-referrers-tag=false", true),
        ("sign r.example/a:v --expiry soon", false),
        ("sign r.example/a:v --signature-format pgp", false),
        ("blob sign", false),
        ("blob sign a --id i", false),
        ("blob verify a", false),
        ("blob verify a --signature a.jws.sig", true),
        ("blob inspect", false),
        ("blob policy import", false),
        ("blob policy init --name a", false),
        ("verify r.example/a:v --oci-layout", false),
        ("verify r.example/a:v --oci-layout --scope local/a", true),
        ("verify r.example/a:v --max-signatures 0", false),
        ("verify r.example/a:v --max-signatures -1", false),
        ("verify r.example/a:v -m novalue", false),
        ("verify", false),
        ("list r.example/a:v --max-signatures 0", false),
        ("list", false),
        ("inspect r.example/a:v -o yaml", false),
        ("inspect", false),
        ("key add name", false),
        ("key add one two --plugin p --id i", false),
        ("key update", false),
        ("key delete", false),
        ("key delete a b c", true),
        ("cert add a.pem", false),
        ("cert add a.pem b.pem -t ca -s x", true),
        ("cert add -t ca -s x", false),
        ("cert show -t ca -s x", false),
        ("cert show a.pem b.pem -t ca -s x", false),
        ("cert delete -t ca -s x", false),
        ("cert delete -t ca -s x --all", true),
        ("cert delete a.pem -t ca -s x --all", false),
        ("cert delete a.pem -t ca", false),
        ("cert generate-test", false),
        ("cert generate-test a b", false),
        ("policy import", false),
        ("policy import a b", false),
        ("policy show a", false),
        ("policy init --name a", false),
        ("login", false),
        ("logout", false),
        ("version a", false),
        ("frobnicate", false),
        ("verify r.example/a:v --frobnicate", false),
        ("verify r.example/a:v -x", false),
        ("verify r.example/a:v --scope", false),
    ] {
        assert_eq!(parse(&words(line)).is_ok(), accepted, "{line}: {:?}", parse(&words(line)));
    }
}

/// Values may look like anything.
#[test]
fn values_are_never_flags() {
    for value in ["-x", "--debug", "--", "", "a b", "=", "-"] {
        for line in [
            vec!["login", "r.example", "--password", value],
            vec!["login", "-p", value, "r.example"],
            vec!["-p", value, "login", "r.example"],
        ] {
            let meaning = must(&owned(&line));
            assert_eq!(values(meaning.given.get("password")), [value], "{line:?}");
            assert_eq!(meaning.given.len(), 2, "{line:?}: {meaning:?}");
        }
    }
}

/// No two commands share a name, so that no alias hides one.
#[test]
fn names_are_unique() {
    let rows = surface();
    let names: Vec<&str> =
        rows.iter().flat_map(|row| std::iter::once(&row.command).chain(row.aliases)).copied().collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}
