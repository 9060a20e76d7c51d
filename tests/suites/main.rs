//! The public suites of path validation: NIST PKITS and C2SP/x509-limbo, through the function that `bulla cert verify` calls
//! and, for a sample, through the program.

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
mod contract;
mod differential;
mod forge;
mod limbo;
#[path = "../pki/openssl.rs"]
#[allow(dead_code, reason = "another program needs the rest")]
mod openssl;
mod pkits;
mod program;
mod public;
mod random;
#[path = "../support/skip.rs"]
mod skip;
mod table;
mod tokens;
