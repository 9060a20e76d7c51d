//! The bundle format, archives of other tools, and layouts on disk.

#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may end a test"
)]

#[path = "archive/compression.rs"]
mod compression;
#[path = "archive/damage.rs"]
mod damage;
#[path = "archive/docker.rs"]
mod docker;
#[path = "archive/fixture.rs"]
mod fixture;
#[path = "archive/foreign.rs"]
mod foreign;
#[path = "archive/interop.rs"]
mod interop;
#[path = "archive/layout.rs"]
mod layout;
#[path = "archive/mutation.rs"]
mod mutation;
#[path = "archive/roundtrip.rs"]
mod roundtrip;
#[path = "archive/schema.rs"]
mod schema;
#[path = "archive/seal.rs"]
mod seal;
#[path = "support/skip.rs"]
mod skip;
#[path = "archive/specification.rs"]
mod specification;
