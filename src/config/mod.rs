//! The operator's configuration, in Notation's and Docker's layouts: files to typed values. Where it is, the caller
//! says; nothing here reads the environment.

#[cfg(feature = "registry")]
pub mod credentials;
mod directory;
mod error;
mod file;
#[cfg(feature = "registry")]
mod helper;
mod policy;
mod signing_keys;
mod trust_store;

pub use directory::{ConfigDirectory, ConfigRoots};
pub use error::{ConfigError, ConfigFile};
pub use policy::{LoadedPolicy, load_blob_policy, load_policy, load_policy_as};
pub use signing_keys::{DefaultKey, KeySource, SigningKey, SigningKeys, SigningKeysError};
pub use trust_store::{IgnoredEntry, IgnoredReason, LoadedStores, load_trust_stores};
