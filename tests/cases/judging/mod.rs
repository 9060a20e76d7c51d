//! Kinds for the areas `revocation` and `timestamp`, whose material openssl makes.

use crate::kinds::Run;

/// The kinds.
pub(crate) const KINDS: &[(&str, Run)] = &[];

/// The areas below `testdata/cases` that have their own generator.
pub(crate) const AREAS: [&str; 2] = ["revocation", "timestamp"];
