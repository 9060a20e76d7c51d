//! The verbs: what is done with stores, evidence and decisions. Time and progress are arguments; nothing here knows a
//! terminal, a clock or an environment.

pub mod blob;
pub mod closure;
pub mod collect;
#[cfg(feature = "demo")]
pub mod demo;
pub mod docker_archive;
pub mod evidence_export;
pub mod file;
pub mod gather;
pub mod import;
pub mod inspect;
pub mod integrity;
pub mod listing;
pub mod pack;
pub mod path;
pub mod plugins;
pub mod progress;
pub mod seal;
pub mod sign;
pub mod signatures;
pub mod stamp;
pub mod supply;
#[cfg(feature = "demo")]
pub mod test_key;
pub mod timestamp;
pub mod verify;
