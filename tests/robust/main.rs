//! What may happen to a program at any moment: it is killed, the disk is full, what it reads is nonsense.
#![cfg(feature = "registry")]
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod full;
mod fuzz_smoke;
mod kill;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "another program needs the rest")]
mod support;
#[path = "../fuzz/targets.rs"]
mod targets;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "another program needs the rest")]
mod world;
