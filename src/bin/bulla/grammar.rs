//! The grammar of Notation's command line (cobra and pflag), for the program's own commands.
//!
//! Scripts that were written for Notation put flags in front of sub-commands, write `--flag=false`, give a flag twice and
//! start values with a dash. [`rewrite`] brings such words into the one form that clap takes to mean the same: the
//! sub-command first, each flag once as `--flag=value`, then `--` and the arguments. It knows only what clap's own
//! definition of the commands says, so the two cannot drift apart; what it does not know it hands on for clap to refuse.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::{Arg, ArgAction, Command};

/// Rewrites `words`, the first of which is the program's name. `root` must have been built.
pub(crate) fn rewrite(root: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_else(|| OsString::from(root.get_name()));
    let mut reader = Reader { command: root, path: Vec::new(), given: Vec::new(), arguments: Vec::new() };
    let end = reader.read(words);
    std::iter::once(name).chain(reader.into_words(end)).collect()
}

/// Reads words from left to right.
struct Reader<'a> {
    /// The command that the words so far lead to.
    command: &'a Command,
    path: Vec<&'a str>,
    given: Vec<Given>,
    arguments: Vec<OsString>,
}

/// A flag as it was given. Which one it is, its command says, which may come later.
struct Given {
    name: FlagName,
    what: What,
    /// The word that it was written in.
    word: OsString,
}

/// What a flag is called.
#[derive(Clone, PartialEq, Eq)]
enum FlagName {
    Long(String),
    Short(char),
    /// What is no name.
    Other,
}

/// What was said with a flag.
enum What {
    /// A switch; also `--flag=false`.
    Switch(bool),
    Value(OsString),
    /// What only clap can find words for.
    Unknown,
}

impl FlagName {
    fn is_of(&self, arg: &Arg) -> bool {
        match self {
            Self::Long(name) => {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long() == Some(name) || aliases.contains(&name.as_str())
            }
            Self::Short(name) => {
                arg.get_short() == Some(*name) || arg.get_all_short_aliases().unwrap_or_default().contains(name)
            }
            Self::Other => false,
        }
    }
}

/// How the reading ended.
enum End {
    /// Behind the last word.
    Done,
    /// Help was asked for, or is all that a group can give.
    Help,
    /// The words from here on are clap's.
    Raw(Vec<OsString>),
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// It ends the work: help or version.
    Everything,
}

impl<'a> Reader<'a> {
    fn read(&mut self, mut words: impl Iterator<Item = OsString>) -> End {
        while let Some(word) = words.next() {
            let bytes = word.as_bytes();
            let end = match bytes {
                b"--" => {
                    self.arguments.extend(words);
                    return self.end();
                }
                [b'-', b'-', ..] => self.long(&word, &mut words),
                [b'-', _, ..] => self.shorts(&word, &mut words),
                _ if self.command.has_subcommands() => {
                    let next = word.to_str().and_then(|text| find_command(self.command, text));
                    match next {
                        // clap's own: it reads the names of commands behind it.
                        Some(found) if found.get_name() == "help" => {
                            return End::Raw(std::iter::once("help".into()).chain(words).collect());
                        }
                        Some(found) => {
                            self.path.push(found.get_name());
                            self.command = found;
                            None
                        }
                        // No command: clap says so, and which it may have been.
                        None => return End::Raw(vec![word]),
                    }
                }
                _ => {
                    self.arguments.push(word);
                    None
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
        self.end()
    }

    /// A group cannot be run: by itself it shows its help. A flag that it does not know is an error all the same, and so is a
    /// word that names no command: a script with a misspelt one must not go on as if it had run (Notation lets it).
    fn end(&self) -> End {
        let is_group = self.command.has_subcommands() && !self.path.is_empty();
        let is_clean = self.arguments.is_empty() && !self.given.iter().any(|given| matches!(given.what, What::Unknown));
        if is_group && is_clean { End::Help } else { End::Done }
    }

    /// `--flag`, `--flag=value` or `--flag value`.
    fn long(&mut self, word: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Option<End> {
        let bytes = word.as_bytes().get(2..).unwrap_or_default();
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at.saturating_add(1)..)),
            None => (bytes, None),
        };
        let name = std::str::from_utf8(name).map_or(FlagName::Other, |name| FlagName::Long(name.to_owned()));
        match find(self.command, &name) {
            Some(arg) => self.take(name, arg, value.map(text), word, rest),
            None => {
                self.unknown(word);
                None
            }
        }
    }

    /// `-f`, `-f value`, `-fvalue`, `-f=value`, or several switches behind one dash.
    fn shorts(&mut self, word: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Option<End> {
        let mut left = word.as_bytes().get(1..).unwrap_or_default();
        while let [name, behind @ ..] = left {
            let short = char::from(*name);
            let (name, shown) = (FlagName::Short(short), OsString::from(format!("-{short}")));
            let Some(arg) = find(self.command, &name) else {
                // The whole word: it may be a character of several bytes.
                self.unknown(word);
                return None;
            };
            match (takes(arg), behind) {
                (_, [b'=', value @ ..]) => return self.take(name, arg, Some(text(value)), word, rest),
                (Takes::Value, [_, ..]) => return self.take(name, arg, Some(text(behind)), word, rest),
                (Takes::Value, []) => return self.take(name, arg, None, &shown, rest),
                (Takes::Nothing | Takes::Everything, _) => {
                    if let Some(end) = self.take(name, arg, None, &shown, &mut std::iter::empty()) {
                        return Some(end);
                    }
                }
            }
            left = behind;
        }
        None
    }

    fn unknown(&mut self, word: &OsStr) {
        self.given.push(Given { name: FlagName::Other, what: What::Unknown, word: word.to_owned() });
    }

    /// Takes what `arg` takes, which any flag of that name does.
    fn take(
        &mut self,
        name: FlagName,
        arg: &Arg,
        value: Option<OsString>,
        word: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Option<End> {
        let what = match takes(arg) {
            Takes::Everything if arg.get_id() == "help" => return Some(End::Help),
            Takes::Everything => return Some(End::Raw(vec![word.to_owned()])),
            Takes::Nothing => match value.map(|value| value.to_str().and_then(boolean)) {
                None => What::Switch(true),
                Some(Some(on)) => What::Switch(on),
                Some(None) => What::Unknown,
            },
            Takes::Value => match value.or_else(|| rest.next()) {
                Some(value) => What::Value(value),
                // Nothing may follow, or clap would take it for the value.
                None => return Some(End::Raw(vec![word.to_owned()])),
            },
        };
        self.given.push(Given { name, what, word: word.to_owned() });
        None
    }

    fn into_words(self, end: End) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.path.iter().map(OsString::from).collect();
        let (flags, arguments) = match end {
            End::Help => (vec!["--help".into()], Vec::new()),
            End::Raw(raw) => (raw, Vec::new()),
            End::Done => (self.flags(), self.arguments),
        };
        words.extend(flags);
        if !arguments.is_empty() {
            words.push("--".into());
            words.extend(arguments);
        }
        words
    }

    /// The last word counts (pflag), save for flags that gather values.
    fn flags(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        let own = |given: &Given| self.command.get_arguments().find(|arg| given.name.is_of(arg));
        let given: Vec<(&Given, Option<&Arg>)> = self.given.iter().map(|given| (given, own(given))).collect();
        for (index, (one, arg)) in given.iter().enumerate() {
            let later = given.get(index.saturating_add(1)..).unwrap_or_default();
            let again =
                |arg: &Arg| later.iter().any(|(_, other)| other.is_some_and(|other| other.get_id() == arg.get_id()));
            match (&one.what, arg) {
                (What::Switch(on), Some(arg)) if *on && !again(arg) => words.push(written(arg, None)),
                (What::Value(value), Some(arg)) if matches!(arg.get_action(), ArgAction::Append) || !again(arg) => {
                    words.push(written(arg, Some(value)));
                }
                (What::Switch(_) | What::Value(_), Some(_)) => {}
                // Also a flag that stood before its command, which does not know it.
                (What::Unknown, _) | (_, None) => words.push(one.word.clone()),
            }
        }
        words
    }
}
/// The spellings of a truth value (Go's `strconv.ParseBool`).
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn takes(arg: &Arg) -> Takes {
    match arg.get_action() {
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version => Takes::Everything,
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count => Takes::Nothing,
        _ => Takes::Value,
    }
}

fn written(arg: &Arg, value: Option<&OsString>) -> OsString {
    let mut word = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => OsString::from(format!("--{long}")),
        (None, Some(short)) => OsString::from(format!("-{short}")),
        (None, None) => OsString::from(format!("--{}", arg.get_id())),
    };
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

fn find_command<'a>(command: &'a Command, name: &str) -> Option<&'a Command> {
    command
        .get_subcommands()
        .find(|found| found.get_name() == name || found.get_all_aliases().any(|alias| alias == name))
}

/// A flag of the command, or, while the command is not complete yet, of any below it: flags may come first.
fn find<'a>(command: &'a Command, name: &FlagName) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| name.is_of(arg));
    own.or_else(|| {
        let mut below = command.get_subcommands().filter(|below| below.get_name() != "help");
        below.find_map(|below| find(below, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::CommandFactory as _;
    use std::collections::BTreeMap;

    fn root() -> Command {
        let leaf = Command::new("leaf").alias("lf").arg(Arg::new("under").short('u').long("under"));
        let mut root = Command::new("p")
            .arg(Arg::new("debug").short('d').long("debug").global(true).action(ArgAction::SetTrue))
            .subcommand(
                Command::new("get")
                    .alias("fetch")
                    .arg(Arg::new("user").short('u').long("user").alias("name"))
                    .arg(Arg::new("yes").short('y').long("yes").action(ArgAction::SetTrue))
                    .arg(Arg::new("meta").short('m').long("meta").action(ArgAction::Append))
                    .arg(Arg::new("what").num_args(0..)),
            )
            .subcommand(Command::new("group").subcommand_required(true).subcommand(leaf));
        root.build();
        root
    }

    #[track_caller]
    fn becomes(words: &str, expected: &str) {
        let split =
            |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect::<Vec<_>>();
        let found = rewrite(&root(), split(&format!("p {words}")));
        assert_eq!(found, split(&format!("p {expected}")), "{words}");
    }

    #[test]
    fn every_way_to_write_a_flag() {
        for words in
            ["get --user=v", "get --user v", "get -u v", "get -uv", "get -u=v", "get --name v", "fetch --user v"]
        {
            becomes(words, "get --user=v");
        }
        becomes("get -u=", "get --user=");
        becomes("get -u -v", "get --user=-v");
        becomes("get -u --yes", "get --user=--yes");
        becomes("get -u a=b", "get --user=a=b");
        becomes("get -dy", "get --debug --yes");
        becomes("get -dyuv", "get --debug --yes --user=v");
        becomes("get -ydu v x", "get --yes --debug --user=v -- x");
        let empty = rewrite(&root(), ["p", "get", "--user", ""].map(OsString::from));
        assert_eq!(empty, ["p", "get", "--user="].map(OsString::from));
    }

    #[test]
    fn flags_stand_anywhere() {
        for words in ["-d get -u v a b", "get a -u v b -d", "--user v --debug get a b", "get a b -d --user=v"] {
            let found = rewrite(&root(), format!("p {words}").split(' ').map(OsString::from));
            let tail = found.iter().skip_while(|word| *word != "--").collect::<Vec<_>>();
            assert_eq!(tail, ["--", "a", "b"], "{words}");
            assert_eq!(found.get(1).map(OsString::as_os_str), Some(OsStr::new("get")), "{words}");
            assert!(found.contains(&"--debug".into()) && found.contains(&"--user=v".into()), "{words}: {found:?}");
        }
        becomes("get - a", "get -- - a");
        becomes("get -y -- -u --what", "get --yes -- -u --what");
        becomes("-d group lf", "group leaf --debug");
        // Which flag it is, its command says.
        becomes("-u v get", "get --user=v");
        becomes("-u v group lf", "group leaf --under=v");
        becomes("-y get", "get --yes");
        becomes("-y group lf", "group leaf -y");
    }

    #[test]
    fn truth_has_many_spellings() {
        for no in ["0", "f", "F", "false", "FALSE", "False"] {
            becomes(&format!("get --yes={no}"), "get");
            becomes(&format!("get -y={no}"), "get");
            becomes(&format!("get -y --yes={no}"), "get");
        }
        for yes in ["1", "t", "T", "true", "TRUE", "True"] {
            becomes(&format!("get --yes={yes}"), "get --yes");
            becomes(&format!("get --yes=false -y={yes}"), "get --yes");
        }
        becomes("get --yes=maybe", "get --yes=maybe");
        // The value of a switch is never the next word.
        becomes("get --yes false", "get --yes -- false");
    }

    #[test]
    fn the_last_value_counts_and_lists_keep_all() {
        becomes("get -u a --user b", "get --user=b");
        becomes("get -m a=1,2 -m b=3 -m a=1,2", "get --meta=a=1,2 --meta=b=3 --meta=a=1,2");
    }

    #[test]
    fn what_is_unknown_is_left_to_clap() {
        becomes("get --what", "get --what");
        becomes("get -x a", "get -x -- a");
        becomes("get -yx", "get --yes -yx");
        becomes("frobnicate a b", "frobnicate");
        becomes("get a --user", "get --user");
        becomes("get a -u", "get -u");
        becomes("--what get", "get --what");
        becomes("", "");
        becomes("-- get", "-- get");
    }

    #[test]
    fn groups_give_their_help() {
        for words in ["group", "group -d", "group --help", "group -h x", "-d group"] {
            becomes(words, "group --help");
        }
        for words in ["group x", "group x y", "group -d x --help", "-d group x", "group --bad x"] {
            becomes(words, "group x");
        }
        becomes("group -- leaf", "group -- leaf");
        becomes("group --bad", "group --bad");
        becomes("get -h a", "get --help");
        becomes("get a b --help", "get --help");
        becomes("help get", "help get");
        becomes("--help", "--help");
        assert_eq!(rewrite(&root(), ["p".into(), text(b"\xff")]), vec![OsString::from("p"), text(b"\xff")]);
        assert_eq!(rewrite(&root(), ["p".into(), "get".into(), text(b"-\xff")]).len(), 3);
    }

    #[test]
    fn no_group_passes_over_a_command_that_it_does_not_have() {
        fn refuse(command: &Command, path: &[&str]) -> usize {
            let root = {
                let mut root = Arguments::command();
                root.build();
                root
            };
            let mut groups = 0;
            for group in command.get_subcommands().filter(|below| below.has_subcommands() && below.get_name() != "help")
            {
                let path = [path, &[group.get_name()]].concat();
                let words = path.iter().chain(&["nonsense"]).map(OsString::from);
                let words = rewrite(&root, std::iter::once(OsString::from("bulla")).chain(words));
                let error = root.clone().try_get_matches_from(words).unwrap_err();
                assert_eq!(error.kind(), clap::error::ErrorKind::InvalidSubcommand, "{path:?}");
                groups += 1 + refuse(group, &path);
            }
            groups
        }
        let mut root = Arguments::command();
        root.build();
        assert!(refuse(&root, &[]) >= 10);
    }

    /// Before its command is known, a flag must be read alike for all of them.
    #[test]
    fn no_flag_takes_a_value_in_one_command_and_none_in_another() {
        fn gather(command: &Command, found: &mut BTreeMap<String, Takes>) {
            for arg in command.get_arguments().filter(|arg| !arg.is_positional() && takes(arg) != Takes::Everything) {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                let names = arg.get_long().into_iter().chain(aliases).map(|name| format!("--{name}"));
                for name in names.chain(arg.get_short().map(|short| format!("-{short}"))) {
                    let first = *found.entry(name.clone()).or_insert(takes(arg));
                    assert_eq!(first, takes(arg), "{name} of {}", command.get_name());
                }
            }
            for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
                gather(below, found);
            }
        }
        let mut root = Arguments::command();
        root.build();
        let mut found = BTreeMap::new();
        gather(&root, &mut found);
        assert!(found.len() > 30, "{found:?}");
    }
}
