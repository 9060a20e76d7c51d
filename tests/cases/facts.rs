//! The 362 numbers of the conformance checklist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many there are.
pub(crate) const COUNT: usize = 362;

/// The numbers, `N.NN` each.
#[derive(Debug)]
pub(crate) struct Facts(BTreeSet<String>);

impl Facts {
    /// Reads `testdata/cases/facts.txt`.
    pub(crate) fn load() -> Self {
        let text = fs::read_to_string(folder().join("facts.txt")).expect("the list of facts");
        let numbers = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        let mut facts = BTreeSet::new();
        for number in numbers {
            assert!(facts.insert(number.to_owned()), "{number} twice in facts.txt");
        }
        Self(facts)
    }

    /// Whether there is such a number.
    pub(crate) fn contains(&self, number: &str) -> bool {
        self.0.contains(number)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}

/// `testdata/cases`
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases")
}

/// `../shared` beside the checkout, or beside the folder of worktrees.
pub(crate) fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.ancestors().map(|folder| folder.join("shared")).find(|folder| folder.join("notary-conformance.md").is_file())
}

#[test]
fn the_list_is_the_checklists() {
    let facts = Facts::load();
    assert_eq!(facts.0.len(), COUNT);
    let Some(shared) = shared() else {
        return crate::skip::always(format_args!("no ../shared with the conformance checklist"));
    };
    let text = fs::read_to_string(shared.join("notary-conformance.md")).unwrap();
    let numbers = text.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**")).map(|(number, _)| number);
    let expected: BTreeSet<String> = numbers.map(str::to_owned).collect();
    assert_eq!(facts.0, expected);
}
