//! What a client is given: all of it by its owner, nothing from the environment.

use std::time::Duration;

use std::fmt;
use std::sync::Arc;

use super::{ProxySettings, RetryPolicy};

/// Which certificate authorities an HTTPS server may be vouched for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Roots {
    /// Mozilla's, as built in, besides those of the settings.
    #[default]
    BuiltinAndOwn,
    /// Only those of the settings.
    OwnOnly,
}

/// How long each step may take. A large body has no total limit: it may take as long as it keeps moving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Finding the host and connecting, TLS and proxy included.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's headers.
    pub response: Duration,
    /// The longest pause while a body moves.
    pub idle: Duration,
    /// The whole body of a document that is read into memory.
    pub document: Duration,
    /// Like `response`, for the request that ends an upload: the registry may hash gigabytes before it answers.
    pub commit: Duration,
    /// How long a server may think about the announcement of a large body before it is sent regardless
    /// (`Expect: 100-continue`, RFC 9110 §10.1.1).
    pub await_continue: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            document: Duration::from_secs(120),
            commit: Duration::from_secs(900),
            await_continue: Duration::from_secs(1),
        }
    }
}

/// Hears what is asked and answered, line by line. Headers that hold secrets are masked.
#[derive(Clone)]
pub struct Trace(Arc<dyn Fn(&str) + Send + Sync>);

impl Trace {
    /// Hands each line to `hear`.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn line(&self, line: &str) {
        (self.0)(line);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// The settings of an [`super::HttpClient`].
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// What it calls itself.
    pub user_agent: String,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub retry: RetryPolicy,
    /// Which proxies to use.
    pub proxies: ProxySettings,
    /// Certificates of authorities, each element one PEM file of one or more. To trust what the system trusts, its
    /// bundle goes here.
    pub ca_certificates: Vec<Vec<u8>>,
    /// Whether the built-in authorities count besides them.
    pub roots: Roots,
    /// Redirects followed for one request.
    pub redirects: usize,
    /// Who hears of every exchange.
    pub trace: Option<Trace>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("bulla/", env!("CARGO_PKG_VERSION")).into(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            proxies: ProxySettings::default(),
            ca_certificates: Vec::new(),
            roots: Roots::default(),
            redirects: 5,
            trace: None,
        }
    }
}
