//! Skipping aloud: `eprintln!` would not do, since the test runner keeps what a passing test prints to itself.

#![allow(dead_code, reason = "not every test program needs all")]

use std::fmt::Arguments;
use std::io::Write as _;
use std::path::PathBuf;

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

/// Whether all these tools are on the PATH. Where one is not, the test is skipped, and says so; with
/// `BULLA_TEST_TOOLS=required`, as `.ci/run` sets it, that is a failure, unless the tool is among the words of
/// `BULLA_TEST_WITHOUT`: `.ci/run` names there what it could not fetch from the newer Debian suites.
pub(crate) fn unless(test: &str, tools: &[&str]) -> bool {
    match tools.iter().find(|tool| find(tool).is_none()) {
        None => return true,
        Some(missing) if not_to_be_had(missing) => always(format_args!("{test}: {missing} is not to be had")),
        Some(missing) => tool(format_args!("{test}: {missing} is missing")),
    }
    false
}

/// Where on the PATH a tool is.
pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file())
}

/// No Debian suite has regctl: its test runs where somebody built it.
fn not_to_be_had(tool: &str) -> bool {
    if tool == "regctl" {
        return true;
    }
    std::env::var("BULLA_TEST_WITHOUT").is_ok_and(|tools| tools.split_whitespace().any(|named| named == tool))
}
