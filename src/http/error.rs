//! What can go wrong between a client and a server, below what the answer says.

use std::error::Error;

use crate::code::{Diagnostic, DiagnosticCode};

/// An error of the HTTP client. Addresses are shown without user, password and query, where secrets may be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Not an address that can be asked.
    #[error("{url:?} is no http or https address without a user in it")]
    Url {
        /// The text.
        url: String,
    },
    /// No connection, or it broke off.
    #[error("{method} {url}: {source}")]
    Transport {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody whom we trust vouches for the server.
    #[error("{method} {url}: the server's certificate is not accepted: {reason}")]
    Certificate {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The answer goes on behind the limit for its kind.
    #[error("{url} answers with more than {limit} bytes")]
    BodyTooLarge {
        /// The address.
        url: String,
        /// What is allowed.
        limit: u64,
    },
    /// Redirects without end.
    #[error("{url} redirects more than {limit} times")]
    Redirects {
        /// Where it began.
        url: String,
        /// What is allowed.
        limit: usize,
    },
    /// A redirect out of HTTPS, or to something that is no address.
    #[error("{url} redirects to {target:?}, which is not followed")]
    RedirectTarget {
        /// Where it came from.
        url: String,
        /// Where it leads.
        target: String,
    },
    /// A proxy setting cannot be used. It may hold a password, so it is not shown.
    #[error("the proxy for {scheme} is not an address that can be used")]
    Proxy {
        /// The scheme that it is for.
        scheme: &'static str,
    },
    /// The authorities' certificates cannot be used.
    #[error("certificate file {position} of the extra authorities holds no usable PEM certificate")]
    Authority {
        /// Which one, counted from 1.
        position: usize,
    },
}

impl HttpError {
    /// Whether it may go better next time.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Transport { .. })
    }

    /// Whether a time limit ran out.
    pub(super) fn is_timeout(&self) -> bool {
        let Self::Transport { source, .. } = self else { return false };
        let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::TimedOut;
        matches!(source.downcast_ref(), Some(ureq::Error::Timeout(_))) || source.downcast_ref().is_some_and(timed_out)
    }
}

impl Diagnostic for HttpError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Proxy { .. } | Self::Authority { .. } => DiagnosticCode::ConfigInvalid,
            Self::BodyTooLarge { .. } => DiagnosticCode::LimitExceeded,
            _ => DiagnosticCode::NetworkFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Transport { .. } => "check the name, the network and the proxy settings, then try again".into(),
            Self::Certificate { .. } => {
                "name a file with the certificate of the authority that issued the server's in SSL_CERT_FILE, or for a registry with --registry-ca; or ask for plain HTTP if that is meant"
                    .into()
            }
            Self::Proxy { .. } => "write it like http://proxy.example:3128".into(),
            Self::Authority { .. } => "give PEM files that hold BEGIN CERTIFICATE".into(),
            Self::RedirectTarget { .. } => {
                "a redirect may lead to another host, but not from https to http; ask the server's operator".into()
            }
            _ => return None,
        })
    }
}
