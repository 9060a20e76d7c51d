//! Carries signed software across air gaps.

pub mod archive;
pub mod code;
pub mod digest;
pub mod json;
pub mod limits;
pub mod oci;
pub mod ops;
pub mod store;
pub mod time;
