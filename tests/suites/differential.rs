//! The same certificates and tokens judged by bulla and by openssl: thousands of random chains and mutations, the same ones every
//! time. Where the two differ, a table says why bulla is right; a difference without a reason fails.
//!
//! `BULLA_DIFFERENTIAL=N` makes N chains and N tokens instead of the few hundred that every run can afford, and
//! `BULLA_DIFFERENTIAL_SEED` others.

use std::collections::BTreeMap;
use std::io::Write as _;

mod chains;
mod drafts;
mod tokens;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn count(default: usize) -> usize {
    setting("BULLA_DIFFERENTIAL").map_or(default, |count| usize::try_from(count).unwrap())
}

/// A way in which the two differ.
struct Difference {
    /// What bulla says: `valid` or a code.
    bulla: &'static str,
    /// What openssl says: `OK`, `unreadable`, or the number of its error; empty stands for anything else than bulla's.
    openssl: &'static str,
    /// Part of bulla's message, where the code alone says too little.
    message: &'static str,
    /// Part of what was changed.
    about: &'static str,
    /// Why bulla is right.
    why: &'static str,
}

/// How the two judged, counted.
#[derive(Default)]
struct Tally {
    agreed: BTreeMap<&'static str, usize>,
    differences: BTreeMap<String, (usize, &'static str)>,
    unexplained: Vec<String>,
}

impl Tally {
    fn add(&mut self, ours: &Verdict, theirs: &str, table: &[Difference], what: &str) {
        let accepted = [ours.word == "valid", theirs == "OK"];
        if accepted[0] == accepted[1] {
            *self.agreed.entry(if accepted[0] { "both accept" } else { "both refuse" }).or_default() += 1;
            return;
        }
        let fits = |row: &&Difference| {
            row.bulla == ours.word
                && (row.openssl.is_empty() || row.openssl == theirs)
                && ours.message.contains(row.message)
                && what.contains(row.about)
        };
        match table.iter().find(fits) {
            Some(row) => {
                let name = format!("bulla: {} {}, openssl: {theirs} {}", row.bulla, row.message, row.about);
                self.differences.entry(name).or_insert((0, row.why)).0 += 1;
            }
            None => {
                self.unexplained
                    .push(format!("bulla: {} ({}), openssl: {theirs}\n    {what}", ours.word, ours.message));
            }
        }
    }

    fn end(self, name: &str) {
        let mut out = format!("{name}\n");
        for (word, count) in &self.agreed {
            out += &format!("{count:6} {word}\n");
        }
        for (difference, (count, why)) in &self.differences {
            out += &format!("{count:6} {difference}\n         {why}\n");
        }
        out += &format!("{:6} unexplained\n", self.unexplained.len());
        let _ = std::io::stderr().write_all(out.as_bytes());
        assert!(self.unexplained.is_empty(), "{}", self.unexplained.join("\n"));
        for word in ["both accept", "both refuse"] {
            assert!(self.agreed.contains_key(word), "{word}: never");
        }
    }
}

struct Verdict {
    word: String,
    message: String,
}
