//! The operator's configuration, in Notation's layout: files to typed values. Where it is, the caller says; nothing here
//! reads the environment.

mod directory;
mod error;
mod file;
mod policy;
mod trust_store;

pub use directory::{ConfigDirectory, ConfigRoots};
pub use error::{ConfigError, ConfigFile};
pub use policy::{LoadedPolicy, load_policy};
pub use trust_store::{IgnoredEntry, IgnoredReason, LoadedStores, load_trust_stores};
