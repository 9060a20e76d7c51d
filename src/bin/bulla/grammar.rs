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
    given: Vec<Given<'a>>,
    arguments: Vec<OsString>,
}

/// A flag as it was given.
enum Given<'a> {
    /// A switch; also `--flag=false`.
    Switch { arg: &'a Arg, on: bool },
    /// A flag with its value.
    Value { arg: &'a Arg, value: OsString },
    /// What only clap can find words for.
    Unknown(OsString),
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
                        None if self.path.is_empty() => return End::Raw(vec![word]),
                        None => {
                            self.arguments.push(word);
                            None
                        }
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

    /// A group cannot be run: it shows its help, whatever word comes behind it. A flag that it does not know is an error
    /// all the same.
    fn end(&self) -> End {
        let is_group = self.command.has_subcommands() && !self.path.is_empty();
        let is_clean = !self.given.iter().any(|given| matches!(given, Given::Unknown(_)));
        if is_group && is_clean { End::Help } else { End::Done }
    }

    /// `--flag`, `--flag=value` or `--flag value`.
    fn long(&mut self, word: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Option<End> {
        let bytes = word.as_bytes().get(2..).unwrap_or_default();
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at.saturating_add(1)..)),
            None => (bytes, None),
        };
        let arg = std::str::from_utf8(name).ok().and_then(|name| find(self.command, &|arg| is_long(arg, name)));
        let Some(arg) = arg else {
            self.given.push(Given::Unknown(word.to_owned()));
            return None;
        };
        self.take(arg, value.map(text), word, rest)
    }

    /// `-f`, `-f value`, `-fvalue`, `-f=value`, or several switches behind one dash.
    fn shorts(&mut self, word: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Option<End> {
        let mut left = word.as_bytes().get(1..).unwrap_or_default();
        while let [name, behind @ ..] = left {
            let name = char::from(*name);
            let shown = OsString::from(format!("-{name}"));
            let Some(arg) = find(self.command, &|arg| is_short(arg, name)) else {
                // The whole word: it may be a character of several bytes.
                self.given.push(Given::Unknown(word.to_owned()));
                return None;
            };
            match (takes(arg), behind) {
                (_, [b'=', value @ ..]) => return self.take(arg, Some(text(value)), word, rest),
                (Takes::Value, [_, ..]) => return self.take(arg, Some(text(behind)), word, rest),
                (Takes::Value, []) => return self.take(arg, None, &shown, rest),
                (Takes::Nothing | Takes::Everything, _) => {
                    if let Some(end) = self.take(arg, None, &shown, &mut std::iter::empty()) {
                        return Some(end);
                    }
                }
            }
            left = behind;
        }
        None
    }

    fn take(
        &mut self,
        arg: &'a Arg,
        value: Option<OsString>,
        word: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Option<End> {
        match takes(arg) {
            Takes::Everything if arg.get_id() == "help" => return Some(End::Help),
            Takes::Everything => return Some(End::Raw(vec![word.to_owned()])),
            Takes::Nothing => self.given.push(match value.map(|value| value.to_str().and_then(boolean)) {
                None => Given::Switch { arg, on: true },
                Some(Some(on)) => Given::Switch { arg, on },
                Some(None) => Given::Unknown(word.to_owned()),
            }),
            Takes::Value => match value.or_else(|| rest.next()) {
                Some(value) => self.given.push(Given::Value { arg, value }),
                // Nothing may follow, or clap would take it for the value.
                None => return Some(End::Raw(vec![word.to_owned()])),
            },
        }
        None
    }

    fn into_words(self, end: End) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.path.iter().map(OsString::from).collect();
        let (flags, arguments) = match end {
            End::Help => (vec!["--help".into()], Vec::new()),
            End::Raw(raw) => (raw, Vec::new()),
            // A flag that stood before its command, which does not know it, gets clap's words too.
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
        for (index, given) in self.given.iter().enumerate() {
            let later = self.given.get(index.saturating_add(1)..).unwrap_or_default();
            let again =
                |arg: &Arg| later.iter().any(|other| other.arg().is_some_and(|other| other.get_id() == arg.get_id()));
            match given {
                Given::Switch { arg, on } if *on && !again(arg) => words.push(written(arg, None)),
                Given::Value { arg, value } if matches!(arg.get_action(), ArgAction::Append) || !again(arg) => {
                    words.push(written(arg, Some(value)));
                }
                Given::Unknown(word) => words.push(word.clone()),
                Given::Switch { .. } | Given::Value { .. } => {}
            }
        }
        words
    }
}

impl<'a> Given<'a> {
    const fn arg(&self) -> Option<&'a Arg> {
        match self {
            Self::Switch { arg, .. } | Self::Value { arg, .. } => Some(arg),
            Self::Unknown(_) => None,
        }
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

fn is_long(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

fn is_short(arg: &Arg, name: char) -> bool {
    arg.get_short() == Some(name) || arg.get_all_short_aliases().is_some_and(|aliases| aliases.contains(&name))
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
fn find<'a>(command: &'a Command, fits: &dyn Fn(&Arg) -> bool) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| !arg.is_positional() && fits(arg));
    own.or_else(|| {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help");
        below.filter_map(|below| find(below, fits)).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::CommandFactory as _;
    use std::collections::BTreeMap;

    fn root() -> Command {
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
            .subcommand(Command::new("group").subcommand_required(true).subcommand(Command::new("leaf").alias("lf")));
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
        for words in ["group", "group x", "group -d", "group x y", "group --help", "group -h x"] {
            becomes(words, "group --help");
        }
        becomes("group --bad x", "group --bad -- x");
        becomes("get -h a", "get --help");
        becomes("get a b --help", "get --help");
        becomes("help get", "help get");
        becomes("--help", "--help");
        assert_eq!(rewrite(&root(), ["p".into(), text(b"\xff")]), vec![OsString::from("p"), text(b"\xff")]);
        assert_eq!(rewrite(&root(), ["p".into(), "get".into(), text(b"-\xff")]).len(), 3);
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
