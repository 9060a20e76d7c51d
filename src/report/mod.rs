//! Reports: the versioned JSON documents that bulla publishes, and their form for people.

pub mod evidence;
pub mod inspection;
pub mod path;
pub mod receipt;
pub mod signatures;
pub mod stamp;
mod tables;
pub mod text;
pub mod v1;

pub use tables::{Clean, Count};

/// The name and version that documents carry.
pub const TOOL: &str = concat!("bulla/", env!("CARGO_PKG_VERSION"));
