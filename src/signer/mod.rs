//! Making signatures: keys, the Notary Project's envelopes and signature manifests, and timestamps.
//!
//! What signs is behind [`Signer`], what timestamps behind [`TimestampSource`], so that plugins, hardware tokens and
//! timestamp authorities on the network slot in beside the local key. Time is an argument here as everywhere below the
//! program.

mod check;
mod cose;
mod error;
#[cfg(feature = "registry")]
mod http_timestamp;
mod jws;
mod key;
mod key_file;
mod local;
mod manifest;
pub mod plugin;
mod request;
mod restamp;
mod timestamp;

#[cfg(feature = "demo")]
pub mod authority;
#[cfg(feature = "demo")]
pub mod test_key;
#[cfg(feature = "demo")]
pub mod tsa;

pub use cose::sign_cose;
pub use error::{KeyError, SigningError};
#[cfg(feature = "registry")]
pub use http_timestamp::HttpTimestamps;
pub use jws::sign_jws;
pub use key::LocalKey;
pub use key_file::{KeyFile, Passphrase};
pub use local::{LocalSigner, Signed, Signer};
pub use manifest::SignatureArtifact;
pub use request::{Envelope, SIGNING_AGENT, SigningOptions, TimestampSource};
pub use restamp::{request_token, with_timestamp};
pub use timestamp::{TimestampQuery, TimestampRequestError};

use crate::notary::EnvelopeType;
use crate::oci::Descriptor;
use crate::pki::KeyKind;

/// Signs `target` into an envelope of the wanted format: [`sign_jws`] or [`sign_cose`].
///
/// # Errors
/// As those.
pub fn sign_envelope(
    kind: EnvelopeType,
    target: &Descriptor,
    signer: &dyn Signer,
    options: &SigningOptions<'_>,
) -> Result<Envelope, SigningError> {
    match kind {
        EnvelopeType::Jws => sign_jws(target, signer, options),
        EnvelopeType::Cose => sign_cose(target, signer, options),
    }
}

/// Who makes whole envelopes: every [`Signer`], by way of [`sign_envelope`], and plugins that leave nothing to their host.
pub trait EnvelopeSource {
    /// The kind of the key, which decides the hash of files (conformance 12.05); `None` where only the envelope tells.
    fn key_kind(&self) -> Option<KeyKind>;

    /// An envelope of that format over `target`, verified as a verifier would.
    ///
    /// # Errors
    /// As [`sign_envelope`].
    fn envelope(
        &self,
        kind: EnvelopeType,
        target: &Descriptor,
        options: &SigningOptions<'_>,
    ) -> Result<Envelope, SigningError>;
}

impl<S: Signer> EnvelopeSource for S {
    fn key_kind(&self) -> Option<KeyKind> {
        Some(Signer::key_kind(self))
    }

    fn envelope(
        &self,
        kind: EnvelopeType,
        target: &Descriptor,
        options: &SigningOptions<'_>,
    ) -> Result<Envelope, SigningError> {
        sign_envelope(kind, target, self, options)
    }
}
