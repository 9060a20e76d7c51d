//! The verbs on stores in memory: what belongs to an artifact, what is collected, packed, imported.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail, and says what it skips")]

#[path = "ops/closure.rs"]
mod closure;
#[path = "ops/collect.rs"]
mod collect;
#[path = "ops/docker_archive.rs"]
mod docker_archive;
#[path = "ops/evidence_export.rs"]
mod evidence_export;
#[path = "ops/import.rs"]
mod import;
#[path = "ops/memory.rs"]
mod memory;
#[path = "ops/names.rs"]
mod names;
#[path = "pki/openssl.rs"]
#[allow(dead_code, clippy::panic, reason = "made for another test")]
mod openssl;
#[path = "ops/revocation.rs"]
mod revocation;
#[path = "ops/road.rs"]
mod road;
#[path = "support/skip.rs"]
mod skip;
