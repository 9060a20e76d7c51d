//! Carries signed software across air gaps.
#![cfg_attr(not(test), warn(missing_docs))]

pub mod cms;
pub mod code;
pub mod digest;
pub mod json;
pub mod limits;
pub mod oci;
pub mod pki;
pub mod time;
pub mod tsp;
