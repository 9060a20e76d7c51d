//! The whole road with the built program: against registries, signatures, CRLs and timestamps that bulla did not make.
#![cfg(feature = "registry")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]
#![allow(clippy::as_conversions, missing_docs, unreachable_pub, reason = "tests")]

#[path = "e2e/docker_registry.rs"]
mod docker_registry;
#[path = "e2e/judging.rs"]
mod judging;
#[path = "e2e/killing.rs"]
mod killing;
#[path = "e2e/notation.rs"]
mod notation;
#[path = "e2e/plugins.rs"]
mod plugins;
#[path = "e2e/scripted.rs"]
mod scripted;
#[path = "e2e/seals.rs"]
mod seals;
#[path = "e2e/signing.rs"]
mod signing;
#[path = "support/skip.rs"]
mod skip;
#[path = "e2e/sources.rs"]
mod sources;
#[allow(dead_code, reason = "another program needs the rest")]
mod support;
#[path = "e2e/vectors.rs"]
mod vectors;
#[path = "e2e/world.rs"]
mod world;
