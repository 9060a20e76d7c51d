//! Where revocation evidence comes from.

#[cfg(feature = "registry")]
pub mod network;
