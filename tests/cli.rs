//! The built program from outside: what it does with damaged and hostile input, with wrong usage and with full disks,
//! what it prints, and how it ends.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs
)]

#[path = "support/http.rs"]
mod http;
#[path = "support/openssl.rs"]
mod openssl;
#[path = "support/plugin.rs"]
mod plugin;
#[path = "support/skip.rs"]
mod skip;

mod cli {
    mod beside;
    mod bundles;
    mod commands;
    mod common;
    mod compressed;
    mod configuration;
    mod demo;
    mod destinations;
    mod docker;
    mod files;
    mod forge;
    mod installing;
    mod layouts;
    mod operator;
    mod output;
    mod pipes;
    mod plugins;
    mod schemas;
    mod signers;
    mod signing;
    mod timestamps;
    mod usage;
}
