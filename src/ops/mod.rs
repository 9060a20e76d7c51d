//! What bulla does, in the order of the data flow.

#[cfg(feature = "demo")]
pub mod demo;
