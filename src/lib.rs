//! Carries signed software across air gaps.

pub mod archive;
pub mod code;
pub mod config;
pub mod digest;
#[cfg(feature = "registry")]
pub mod evidence;
#[cfg(feature = "registry")]
pub mod http;
pub mod json;
pub mod limits;
pub mod oci;
pub mod store;
pub mod time;
