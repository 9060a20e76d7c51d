//! The operator's directories, read into typed values.

#[cfg(feature = "registry")]
pub mod credentials;
#[cfg(feature = "registry")]
mod helper;
