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

mod beside;
mod case;
mod coverage;
mod facts;
#[path = "../../testdata/cases/generate/mod.rs"]
mod generate;
mod judging;
mod kinds;
mod outcome;
#[path = "../suites/random.rs"]
mod random;
#[path = "../support/registry.rs"]
mod registry;
mod runner;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/tools.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of them is used")]
mod tools;
