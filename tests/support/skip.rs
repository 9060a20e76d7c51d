//! Skipping aloud: `eprintln!` would not do, since the test runner keeps what a passing test prints to itself.

#![allow(dead_code, reason = "not every test program needs both")]

use std::fmt::Arguments;
use std::io::Write as _;

/// Says that a test, or a part of one, does not run, because of something that nobody can install: a privilege that
/// the sandbox withholds, files beside the repository.
pub(crate) fn always(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "SKIP {line}");
}

/// Says so where a tool is missing. With `BULLA_TEST_TOOLS=required`, as `.ci/run` sets it, that is a failure.
pub(crate) fn tool(line: Arguments<'_>) {
    assert!(std::env::var("BULLA_TEST_TOOLS").as_deref() != Ok("required"), "required, and missing: {line}");
    always(line);
}
