//! Making signatures: keys, the Notary Project's envelopes and signature manifests, and timestamps.
//!
//! What signs is behind [`Signer`], what timestamps behind [`TimestampSource`], so that plugins, hardware tokens and
//! timestamp authorities on the network slot in beside the local key. Time is an argument here as everywhere below the
//! program.

mod check;
mod cose;
mod error;
mod jws;
mod key;
mod key_file;
mod local;
mod manifest;
mod request;

#[cfg(feature = "demo")]
pub mod authority;
#[cfg(feature = "demo")]
pub mod test_key;
#[cfg(feature = "demo")]
pub mod tsa;

pub use cose::sign_cose;
pub use error::{KeyError, SigningError};
pub use jws::sign_jws;
pub use key::LocalKey;
pub use key_file::{KeyFile, Passphrase};
pub use local::{LocalSigner, Signer};
pub use manifest::SignatureArtifact;
pub use request::{Envelope, SIGNING_AGENT, SigningOptions, TimestampSource};
