//! The one HTTP client: registries, revocation data and timestamp authorities are all asked through it.
//!
//! Everything is bounded: waiting, redirects, repetitions, header sizes and every body that is read into memory. It
//! reads no environment and no clock; proxies, certificates and even how it sleeps are settings.

mod client;
mod credential;
mod error;
mod proxy;
mod retry;
mod settings;
mod url;

pub use client::{Answer, Body, HttpClient, Pace, Request};
pub use credential::{Credential, CredentialError, CredentialProvider, Secret};
pub use error::HttpError;
pub use proxy::ProxySettings;
pub use retry::{AfterTimeout, RetryPolicy};
pub use settings::{HttpSettings, Roots, Timeouts, Trace};
/// The methods, header names and addresses of the HTTP client underneath.
pub use ureq::http::{Method, Uri};
pub(crate) use url::{is_loopback, origin, percent_encode, resolve, shown};
