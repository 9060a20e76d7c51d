//! Carries signed software across air gaps.

pub mod archive;
pub mod cms;
pub mod code;
pub mod config;
pub mod digest;
pub mod evidence;
#[cfg(feature = "registry")]
pub mod http;
pub mod json;
pub mod limits;
pub mod notary;
pub mod oci;
pub mod ops;
pub mod parallel;
pub mod pki;
pub mod report;
pub mod signer;
pub mod store;
pub mod time;
pub mod trust;
pub mod tsp;
pub mod verification;
