//! Timestamp authorities over HTTP (RFC 3161 §3.4, conformance 9.04).

use std::sync::Arc;
use std::time::Duration;

use super::request::TimestampSource;
use super::timestamp::{TimestampQuery, TimestampRequestError};
use crate::digest::shorten;
use crate::http::{HttpClient, HttpError, HttpSettings, Method, Request, RetryPolicy, Timeouts};
use crate::limits::Limits;
use crate::pki::HashAlgorithm;

/// Bytes of an answer (conformance 9.04).
const MOST_BYTES: u64 = 1 << 20;

/// A timestamp authority at an address. What it sends is held against what was asked; whose word it is, its caller
/// checks.
#[derive(Debug)]
pub struct HttpTimestamps {
    client: Arc<HttpClient>,
    url: String,
    limits: Limits,
}

impl HttpTimestamps {
    /// The authority at `url`, asked through `client`.
    ///
    /// # Errors
    /// No http or https address.
    pub fn new(client: Arc<HttpClient>, url: &str, limits: &Limits) -> Result<Self, HttpError> {
        Request::to(Method::POST, url)?;
        Ok(Self { client, url: url.to_owned(), limits: limits.clone() })
    }

    /// A client's settings with the patience of the reference: 15 seconds from the question to the end of the answer
    /// (conformance 9.04), asked once. A question that is repeated may cost twice.
    pub fn settings(base: HttpSettings) -> HttpSettings {
        let seconds = Duration::from_secs;
        let timeouts = Timeouts {
            connect: seconds(5),
            response: seconds(10),
            idle: seconds(5),
            document: seconds(5),
            ..base.timeouts
        };
        HttpSettings { timeouts, retry: RetryPolicy { attempts: 1, ..base.retry }, ..base }
    }

    /// Asks for a token over `digest`, made with `hash`.
    ///
    /// # Errors
    /// Nobody answers, or not with a token that fits the question.
    pub fn request(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, TimestampRequestError> {
        let query = TimestampQuery::new(hash, digest)?;
        let request = Request::to(Method::POST, &self.url)?
            .header("content-type", TimestampQuery::MEDIA_TYPE)
            .header("accept", TimestampQuery::REPLY_MEDIA_TYPE)
            .body(query.der());
        let (answer, bytes) = self.client.fetch(&request, MOST_BYTES)?;
        let content_type = answer.content_type().unwrap_or_default();
        if answer.status() != 200 || content_type != TimestampQuery::REPLY_MEDIA_TYPE {
            return Err(TimestampRequestError::NotATimestamp {
                url: crate::http::shown(request.url()),
                status: answer.status(),
                content_type: shorten(&content_type),
            });
        }
        Ok(query.read_response(&bytes, &self.limits)?.der().to_vec())
    }
}

impl TimestampSource for HttpTimestamps {
    fn timestamp(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.request(hash, digest)?)
    }
}
