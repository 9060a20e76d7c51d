//! Kinds for the areas `revocation` and `timestamp`, whose material openssl makes.

mod signed;

use crate::kinds::Run;

/// The kinds.
pub(crate) const KINDS: &[(&str, Run)] = &[("signed", signed::run)];

/// The areas below `testdata/cases` that have their own generator.
pub(crate) const AREAS: [&str; 2] = ["revocation", "timestamp"];
