//! The conformance suite: every `testdata/cases/AREA/ID/case.json` is run by its kind through the public API, and verdict and
//! codes must be exactly those that it names. `testdata/cases/README.md` describes the format.

#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may end a test"
)]

mod case;
mod coverage;
mod facts;
#[path = "../../testdata/cases/generate/mod.rs"]
mod generate;
mod judging;
mod kinds;
mod outcome;
mod runner;
#[path = "../support/skip.rs"]
mod skip;
