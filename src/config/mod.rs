//! The operator's configuration, in Notation's and Docker's layouts: files to typed values. Where it is, the caller
//! says; nothing here reads the environment.

#[cfg(feature = "registry")]
pub mod credential_store;
#[cfg(feature = "registry")]
pub mod credentials;
mod directory;
mod error;
mod file;
#[cfg(feature = "registry")]
mod helper;
mod local_keys;
mod notation;
mod policy;
mod policy_files;
pub(crate) mod program;
mod signing_keys;
mod trust_store;
mod trust_store_files;
mod write;

pub use directory::{ConfigDirectory, ConfigRoots};
pub use error::{ConfigError, ConfigFile};
pub use local_keys::LocalKeyFiles;
pub use notation::NotationConfig;
pub use policy::{LoadedPolicy, load_blob_policy, load_policy, load_policy_as};
pub use policy_files::{PolicyFiles, PolicyText};
pub use signing_keys::{DefaultKey, KeySource, SigningKey, SigningKeys, SigningKeysError};
pub use trust_store::{IgnoredEntry, IgnoredReason, LoadedStores, load_trust_stores};
pub use trust_store_files::{StoredFile, TrustStoreFileError, TrustStoreFiles};
pub use write::{Readers, WriteError};

/// The variables with which a credential is given. No program that bulla starts gets to see them.
pub const SECRET_VARIABLES: [&str; 2] = ["NOTATION_USERNAME", "NOTATION_PASSWORD"];
