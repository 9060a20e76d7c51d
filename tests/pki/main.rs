//! Certificates, chains, CRLs and timestamp tokens against openssl's and the Notation reference's output.

#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may end a test"
)]

mod chains;
mod crls;
mod deltas;
mod forms;
mod judging;
mod mutations;
mod ocsp;
mod openssl;
#[path = "../support/skip.rs"]
mod skip;
mod tokens;
mod vectors;
