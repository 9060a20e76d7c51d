//! Revocation data from where certificates say that it lies.

use std::sync::Arc;

use super::{CrlFetchError, CrlSource};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::http::{HttpClient, HttpError, HttpSettings, Method, Request, RetryPolicy, Timeouts, Uri};

/// Fetches CRLs over HTTP and HTTPS (RFC 5280 §4.2.1.13). What it returns is a claim until its signature was verified.
#[derive(Debug, Clone)]
pub struct HttpEvidence {
    client: Arc<HttpClient>,
}

impl HttpEvidence {
    /// Fetches through `client`, with its time limits.
    pub const fn new(client: Arc<HttpClient>) -> Self {
        Self { client }
    }

    /// A client's settings with the patience that the Notary Project suggests for CRLs: 5 seconds to connect, to answer
    /// and between two pieces of the answer (Notary conformance 10.17), and three attempts.
    pub fn settings(base: HttpSettings) -> HttpSettings {
        let five = std::time::Duration::from_secs(5);
        HttpSettings {
            timeouts: Timeouts { connect: five, response: five, idle: five, ..base.timeouts },
            retry: RetryPolicy { attempts: base.retry.attempts.min(3), longest_delay: five, ..base.retry },
            ..base
        }
    }

    /// The bytes at `url`, at most `limit` of them.
    ///
    /// # Errors
    /// `url` is no http or https address, nobody answers, the status is not 200, or there is more or nothing.
    pub fn fetch_crl(&self, url: &str, limit: u64) -> Result<Vec<u8>, EvidenceError> {
        let failed = |source| EvidenceError::Http { url: crate::digest::shorten(url), source };
        let request = Request::to(Method::GET, url)
            .map_err(failed)?
            .header("accept", "application/pkix-crl, application/octet-stream;q=0.9, */*;q=0.1");
        let (answer, bytes) = self.client.fetch(&request, limit).map_err(failed)?;
        let shown = |url: &Uri| crate::http::shown(url);
        match answer.status() {
            200 if bytes.is_empty() => Err(EvidenceError::Empty { url: shown(request.url()) }),
            200 => Ok(bytes),
            status => Err(EvidenceError::Status { url: shown(request.url()), status }),
        }
    }
}

impl CrlSource for HttpEvidence {
    fn fetch_crl(&self, url: &str, limit: u64) -> Result<Vec<u8>, CrlFetchError> {
        Self::fetch_crl(self, url, limit).map_err(|error| CrlFetchError::from_diagnostic(&error))
    }
}

/// Why revocation data could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// No answer, or one that is too long.
    #[error("fetching {url}: {source}")]
    Http {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: HttpError,
    },
    /// The server says no.
    #[error("fetching {url}: the server answers with status {status} instead of 200")]
    Status {
        /// The address.
        url: String,
        /// What it says.
        status: u16,
    },
    /// The server says yes and sends nothing.
    #[error("fetching {url}: the answer is empty")]
    Empty {
        /// The address.
        url: String,
    },
}

impl Diagnostic for EvidenceError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Http { source, .. } => match source {
                HttpError::Url { .. } | HttpError::BodyTooLarge { .. } => DiagnosticCode::EvidenceUnavailable,
                other => other.code(),
            },
            Self::Status { .. } | Self::Empty { .. } => DiagnosticCode::EvidenceUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("bring the CRL in from a file, or export without it and let the bundle say so".into())
    }
}
