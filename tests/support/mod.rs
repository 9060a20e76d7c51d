//! What the end-to-end tests lean on: tools that we did not write, and small servers on loopback.

pub mod cli;
pub mod content;
pub mod http;
pub mod openssl;
pub mod plugin;
pub mod registry;
pub mod tools;
