//! What can go wrong with a registry.

use serde::Deserialize;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Digest, shorten};
use crate::http::{Answer, CredentialError, HttpError, Method, shown};
use crate::json;
use crate::oci::LayoutError;
use crate::store::StoreError;

/// An error of a registry, or on the way to it. Addresses are shown without their query, where secrets may be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// 401
    #[error("{url}: {host} wants {wanted}{detail}", wanted = if *.given { "other credentials" } else { "credentials" })]
    Unauthorized {
        /// The address.
        url: String,
        /// The registry, as references name it.
        host: String,
        /// Whether it was shown any.
        given: bool,
        /// What the registry says.
        detail: Detail,
    },
    /// 403
    #[error("{url}: {host} does not allow this{detail}")]
    Forbidden {
        /// The address.
        url: String,
        /// The registry.
        host: String,
        /// What the registry says.
        detail: Detail,
    },
    /// 429 after all attempts
    #[error("{url}: the registry asks to slow down, also after {attempts} attempts{detail}")]
    Throttled {
        /// The address.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// What the registry says.
        detail: Detail,
    },
    /// Any other status that does not fit.
    #[error("{method} {url}: the registry answers with status {status}{detail}")]
    Status {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// What the registry says.
        detail: Detail,
    },
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Credentials could not be had.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The registry sends its clients for a token to where none should be fetched.
    #[error("{host} asks for a token from {realm:?}, {reason}")]
    Realm {
        /// The registry.
        host: String,
        /// Where it sends its clients.
        realm: String,
        /// Why not.
        reason: &'static str,
    },
    /// The authorization service answers with something that is no token.
    #[error("{realm} does not answer with a usable token")]
    Token {
        /// The service.
        realm: String,
    },
    /// The registry speaks of other content than it was asked for, or contradicts itself.
    #[error("{url}: the registry says {found}, expected {expected}")]
    DigestMismatch {
        /// The address.
        url: String,
        /// What was asked for, or what the bytes give.
        expected: Digest,
        /// What the registry says.
        found: Digest,
    },
    /// A header is missing or makes no sense.
    #[error("{url}: the registry's {header} is missing or unusable: {found:?}")]
    Header {
        /// The address.
        url: String,
        /// The header.
        header: &'static str,
        /// What is there.
        found: String,
    },
    /// What should list referrers is something else.
    #[error("{url} should list referrers, but is {found:?}")]
    NotAnIndex {
        /// The address.
        url: String,
        /// The media type.
        found: String,
    },
    /// A list of referrers is malformed.
    #[error("{url}: {source}")]
    Index {
        /// The address.
        url: String,
        /// What is wrong with it.
        #[source]
        source: LayoutError,
    },
    /// More referrers than the limit.
    #[error("{url} lists more than {limit} referrers")]
    TooManyReferrers {
        /// The address.
        url: String,
        /// What is allowed.
        limit: usize,
    },
    /// Pages without end, or in a circle.
    #[error("{url}: the list of referrers goes round in a circle or has more than {limit} pages")]
    TooManyPages {
        /// The address.
        url: String,
        /// What is allowed.
        limit: usize,
    },
    /// A list goes on at another server.
    #[error("{url}: the list of referrers goes on at {target:?}, which is another server")]
    ForeignLink {
        /// The address.
        url: String,
        /// Where it goes on.
        target: String,
    },
    /// A download broke off too often.
    #[error("{url}: broke off after {offset} of {size} bytes, also after {attempts} new attempts")]
    BrokenOff {
        /// The address.
        url: String,
        /// What came.
        offset: u64,
        /// What should have come.
        size: u64,
        /// How often it was tried again.
        attempts: u32,
    },
    /// A download broke off, and the server does not go on where it ended.
    #[error("{url}: broke off after {offset} bytes, and the server does not go on there but {found}")]
    NotResumed {
        /// The address.
        url: String,
        /// Where it should go on.
        offset: u64,
        /// What the server does.
        found: String,
    },
    /// Content that should be there is not.
    #[error("{repository} does not have {digest}")]
    Missing {
        /// The repository.
        repository: String,
        /// The content.
        digest: Digest,
    },
    /// Others kept changing the list of referrers.
    #[error("{url}: other clients changed the list of referrers {attempts} times while an entry was added")]
    Contended {
        /// The address.
        url: String,
        /// How often it was tried.
        attempts: usize,
    },
}

/// What a registry says about an error, made short and printable; it may be nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail(String);

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl Detail {
    /// Reads the error document of OCI distribution-spec, "Error Codes". Anything else is not shown.
    pub(super) fn parse(body: &[u8]) -> Self {
        let Ok(Errors { errors }) = json::from_slice(body) else { return Self::default() };
        let texts = errors.into_iter().take(3).map(|error| {
            let parts = [error.code, error.message].into_iter().flatten().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(" ")
        });
        Self(shorten(&texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")))
    }
}

/// Everything about a request that its error should tell.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) host: &'a str,
    pub(super) given: bool,
    pub(super) attempts: u32,
}

impl RegistryError {
    /// The error that a status is.
    pub(super) fn of_status(asked: &Asked<'_>, mut answer: Answer) -> Self {
        let status = answer.status();
        let detail = Detail::parse(&answer.excerpt());
        let url = shown(answer.url());
        let host = asked.host.to_owned();
        match status {
            401 => Self::Unauthorized { url, host, given: asked.given, detail },
            403 => Self::Forbidden { url, host, detail },
            429 => Self::Throttled { url, attempts: asked.attempts, detail },
            status => Self::Status { method: asked.method.to_string(), url, status, detail },
        }
    }
}

impl Diagnostic for RegistryError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Unauthorized { .. } => DiagnosticCode::RegistryUnauthorized,
            Self::Forbidden { .. } => DiagnosticCode::RegistryForbidden,
            Self::Throttled { .. } => DiagnosticCode::RegistryThrottled,
            Self::Http(source) => source.code(),
            Self::Credentials(source) => source.code(),
            Self::TooManyReferrers { .. } | Self::TooManyPages { .. } => DiagnosticCode::ClosureTooLarge,
            Self::BrokenOff { .. } | Self::NotResumed { .. } => DiagnosticCode::NetworkFailed,
            Self::Missing { .. } => DiagnosticCode::NotFound,
            Self::DigestMismatch { .. } => DiagnosticCode::BlobDigestMismatch,
            _ => DiagnosticCode::RegistryFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unauthorized { host, given: false, .. } => {
                format!(
                    "log in with `bulla login {host}` or `docker login {host}`, or name a credential helper in Docker's config.json"
                )
            }
            Self::Unauthorized { host, .. } => {
                format!(
                    "the credentials for {host} are wrong or have run out: log in again with `bulla login {host}` or `docker login {host}`"
                )
            }
            Self::Forbidden { .. } => "ask the registry's owner for the right to do this, or log in as another".into(),
            Self::Throttled { .. } => "wait a while; logged-in clients are often allowed more".into(),
            Self::Http(source) => return source.hint(),
            Self::Credentials(source) => return source.hint(),
            Self::BrokenOff { .. } | Self::NotResumed { .. } => "run the same command again".into(),
            Self::NotAnIndex { .. } | Self::Index { .. } => {
                "the tag of the referrers tag schema was overwritten; ask the registry's owner to remove it".into()
            }
            Self::Status { status: 500.., .. } => "the registry has a problem; try again later".into(),
            _ => return None,
        })
    }
}

impl From<RegistryError> for StoreError {
    fn from(error: RegistryError) -> Self {
        Self::from_diagnostic(error)
    }
}

impl From<HttpError> for StoreError {
    fn from(error: HttpError) -> Self {
        Self::from_diagnostic(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_short_and_printable() {
        let of = |text: &str| Detail::parse(text.as_bytes()).to_string();
        assert_eq!(
            of(r#"{"errors":[{"code":"DENIED","message":"no \u001b[31m","detail":{"x":1}}]}"#),
            ": DENIED no \u{fffd}[31m"
        );
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(5_000));
        assert!(of(&long).chars().count() < 210);
        for nothing in ["", "<html>", "{}", r#"{"errors":[]}"#, r#"{"errors":[{}]}"#] {
            assert_eq!(of(nothing), "", "{nothing}");
        }
    }
}
