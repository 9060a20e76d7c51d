//! Revocation data from where certificates say that it lies.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{EvidenceFetchError, LiveEvidence};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::http::{AfterTimeout, HttpClient, HttpError, HttpSettings, Method, Request, RetryPolicy, Timeouts, Uri};

/// Below this length a request fits into an address (RFC 5019 §5, conformance 10.08).
const SHORT: usize = 255;

/// Fetches CRLs over HTTP and HTTPS (RFC 5280 §4.2.1.13), and asks OCSP responders (RFC 6960 appendix A). What it returns is a claim until its signature was verified.
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
    /// and between two pieces of the answer (Notary conformance 10.17), and three attempts where the answer is no, but
    /// one where there is silence.
    pub fn settings(base: HttpSettings) -> HttpSettings {
        let five = Duration::from_secs(5);
        HttpSettings {
            timeouts: Timeouts { connect: five, response: five, idle: five, ..base.timeouts },
            retry: RetryPolicy {
                attempts: base.retry.attempts.min(3),
                longest_delay: five,
                after_timeout: AfterTimeout::GiveUp,
                ..base.retry
            },
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
        self.fetch(&request, limit)
    }

    /// The answer of the OCSP responder at `url` to `request`, at most `limit` bytes: by GET where the request is short, and by
    /// POST where it is not, or where the responder does not answer to GET. Each has two seconds (conformance 10.07).
    ///
    /// # Errors
    /// As [`HttpEvidence::fetch_crl`].
    pub fn fetch_ocsp(&self, url: &str, request: &[u8], limit: u64) -> Result<Vec<u8>, EvidenceError> {
        let failed = |source| EvidenceError::Http { url: crate::digest::shorten(url), source };
        if let Some(short) = ocsp_address(url, request) {
            let get =
                Request::to(Method::GET, &short).map_err(failed)?.header("accept", OCSP_RESPONSE).within(OCSP_WAIT);
            match self.fetch(&get, limit) {
                Err(EvidenceError::Status { .. } | EvidenceError::Empty { .. }) => {}
                answered => return answered,
            }
        }
        let post = Request::to(Method::POST, url)
            .map_err(failed)?
            .header("accept", OCSP_RESPONSE)
            .header("content-type", "application/ocsp-request")
            .within(OCSP_WAIT)
            .body(request);
        self.fetch(&post, limit)
    }

    fn fetch(&self, request: &Request, limit: u64) -> Result<Vec<u8>, EvidenceError> {
        let shown = |url: &Uri| crate::http::shown(url);
        let failed = |source| EvidenceError::Http { url: shown(request.url()), source };
        let (answer, bytes) = self.client.fetch(request, limit).map_err(failed)?;
        match answer.status() {
            200 if bytes.is_empty() => Err(EvidenceError::Empty { url: shown(request.url()) }),
            200 => Ok(bytes),
            status => Err(EvidenceError::Status { url: shown(request.url()), status }),
        }
    }
}

/// How long a responder may take for its answer in all (conformance 10.07).
const OCSP_WAIT: Duration = Duration::from_secs(2);
const OCSP_RESPONSE: &str = "application/ocsp-response";

/// `{url}/{url-encoding of base64 of the request}`, unless that is too long, or `url` has a query that must stay last.
fn ocsp_address(url: &str, request: &[u8]) -> Option<String> {
    let encoded = STANDARD.encode(request);
    let escaped = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let fits = escaped.len() < SHORT && !url.contains(['?', '#']);
    fits.then(|| format!("{}/{escaped}", url.trim_end_matches('/')))
}

impl LiveEvidence for HttpEvidence {
    fn fetch_crl(&self, url: &str, limit: u64) -> Result<Vec<u8>, EvidenceFetchError> {
        Self::fetch_crl(self, url, limit).map_err(|error| EvidenceFetchError::from_diagnostic(&error))
    }

    fn fetch_ocsp(&self, url: &str, request: &[u8], limit: u64) -> Result<Vec<u8>, EvidenceFetchError> {
        Self::fetch_ocsp(self, url, request, limit).map_err(|error| EvidenceFetchError::from_diagnostic(&error))
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
        Some("bring CRLs in from files, or export without the evidence and let the bundle say so".into())
    }
}
