//! What can go wrong when signing. No message holds any part of a key.

use super::plugin::PluginError;
use super::timestamp::TimestampRequestError;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::json::JsonError;
use crate::notary::{EnvelopeError, SignatureManifestError, SigningScheme};
use crate::oci::ManifestError;
use crate::pki::{CertificateError, ChainError, KeyKind, ValidityFailure};
use crate::time::UnixTime;

/// Why a private key or its certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM block of a kind that holds private keys.
    #[error(
        "the file holds no PEM private key (PRIVATE KEY, ENCRYPTED PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)"
    )]
    NoKey,
    /// Protected by a passphrase.
    #[error("the private key is encrypted")]
    Encrypted,
    /// The passphrase is not the key's, or the file is damaged: there is no telling which.
    #[error("the passphrase does not open the private key")]
    Passphrase,
    /// Encrypted by something else than PBES2 with PBKDF2 or scrypt, and AES.
    #[error("the private key is encrypted in a way that is not supported")]
    UnsupportedEncryption,
    /// Encrypted as openssl did before PKCS#8.
    #[error("the block {label:?} is encrypted in openssl's old way, which is weak and not supported")]
    TraditionalEncryption {
        /// The label of the PEM block.
        label: &'static str,
    },
    /// The PEM or DER cannot be read. What the decoder says of it stays inside: it might quote the key.
    #[error("the private key in the block {label:?} is malformed")]
    Malformed {
        /// The label of the PEM block.
        label: &'static str,
    },
    /// Neither RSA nor one of the three NIST curves.
    #[error(
        "private keys of the algorithm {oid} cannot sign: the Notary Project knows RSA and ECDSA on P-256, P-384 and P-521"
    )]
    UnsupportedAlgorithm {
        /// The algorithm, or the curve.
        oid: der::asn1::ObjectIdentifier,
    },
    /// An RSA modulus of another length than 2048, 3072 or 4096 bits (conformance 5.02).
    #[error("RSA keys of {bits} bits cannot sign: the Notary Project knows 2048, 3072 and 4096")]
    UnsupportedSize {
        /// The length of the modulus, in whole octets times eight.
        bits: usize,
    },
    /// No certificate was given.
    #[error("the signing key has no certificate")]
    NoCertificate,
    /// The signer's certificate cannot be read.
    #[error("the signer's certificate is malformed: {source}")]
    Certificate {
        /// What the decoder met.
        source: der::Error,
    },
    /// The key is not the one that the first certificate certifies.
    #[error("the {key} private key does not belong to the first certificate of the chain")]
    CertificateMismatch {
        /// The kind of the private key.
        key: KeyKind,
    },
    /// The operating system gave no randomness.
    #[error("no random numbers to be had: {0}")]
    Random(#[from] getrandom::Error),
}

impl Diagnostic for KeyError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Random(_) => DiagnosticCode::IoFailed,
            Self::Encrypted => DiagnosticCode::PassphraseNeeded,
            _ => DiagnosticCode::KeyInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Encrypted => Some("give its passphrase in a file, or run where a terminal can ask for it".into()),
            Self::Passphrase => Some("a file with a passphrase is read up to the end of its first line".into()),
            Self::UnsupportedEncryption | Self::TraditionalEncryption { .. } => {
                Some("encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW".into())
            }
            Self::NoKey => Some("the key is in a file of its own, in PEM; certificates are named apart from it".into()),
            Self::CertificateMismatch { .. } => {
                Some("put the signer's own certificate first, then those that issued it, the root last".into())
            }
            _ => None,
        }
    }
}

/// Why no signature was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key or its certificates.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The plugin that holds the key.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The key did not sign.
    #[error("the {kind} key did not sign: {source}")]
    Failed {
        /// The kind of the key.
        kind: KeyKind,
        /// What the cryptography says.
        source: signature::Error,
    },
    /// A certificate of the chain cannot be read.
    #[error("a certificate of the signing chain is malformed: {0}")]
    Certificate(#[from] CertificateError),
    /// The chain breaks a rule of the Notary Project.
    #[error("the signing chain cannot be used: {0}")]
    Chain(#[from] ChainError),
    /// A certificate of the chain is not valid at the signing time (conformance 5.17).
    #[error("the signing chain cannot be used at this time: {0}")]
    OutsideValidity(#[from] ValidityFailure),
    /// The signer says that its key is of another kind than its certificate does.
    #[error("the signer claims a key of the kind {claimed}, its certificate holds {certified}")]
    KeyKind {
        /// What the certificate holds.
        certified: KeyKind,
        /// What the signer says.
        claimed: KeyKind,
    },
    /// What the signer made is not a signature that bulla would accept.
    #[error("the signer's answer gives no valid signature: {0}")]
    SelfCheck(#[from] EnvelopeError),
    /// The manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] SignatureManifestError),
    /// The manifest that was written cannot be read.
    #[error(transparent)]
    OciManifest(#[from] ManifestError),
    /// The expiry is not behind the signing time (conformance 2.25).
    #[error("the signature would expire at {expiry}, which is not after its signing time {signing_time}")]
    Expiry {
        /// When it would expire.
        expiry: UnixTime,
        /// When it would be signed.
        signing_time: UnixTime,
    },
    /// User metadata under the Notary Project's own prefix (conformance 1.12), or under ours; also where it is an annotation
    /// of the signed descriptor.
    #[error("the metadata key {key:?} starts with the reserved prefix {prefix}")]
    ReservedMetadata {
        /// The key.
        key: String,
        /// The prefix.
        prefix: &'static str,
    },
    /// User metadata that would replace an annotation of the signed descriptor (conformance 1.12).
    #[error("the user metadata key {key:?} is already an annotation of the artifact")]
    RepeatedMetadata {
        /// The key.
        key: String,
    },
    /// User metadata without key or value.
    #[error("user metadata needs a key and a value; {key:?} lacks one")]
    EmptyMetadata {
        /// The key, perhaps empty.
        key: String,
    },
    /// The timestamp authority gave no token; the signature is not made without it (conformance 9.05).
    #[error("no timestamp could be had: {0}")]
    Timestamp(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An envelope whose scheme has no place for a timestamp (conformance 2.21).
    #[error("signatures of the scheme {scheme} carry no timestamp: the signing authority vouches for their time")]
    SchemeWithoutTimestamp {
        /// The scheme.
        scheme: SigningScheme,
    },
    /// A document could not be written as JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A document could not be written as CBOR.
    #[error("the envelope could not be written as CBOR: {0}")]
    Cbor(coset::CoseError),
}

impl Diagnostic for SigningError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Key(error) => error.code(),
            Self::Plugin(error) => error.code(),
            Self::Failed { .. } => DiagnosticCode::KeyInvalid,
            // Here the chain is the operator's own: that it cannot be used is no verdict on anybody's signature.
            Self::Certificate(_) | Self::Chain(_) | Self::OutsideValidity(_) | Self::KeyKind { .. } => {
                DiagnosticCode::KeyInvalid
            }
            Self::SelfCheck(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::OciManifest(error) => error.code(),
            Self::Expiry { .. }
            | Self::ReservedMetadata { .. }
            | Self::RepeatedMetadata { .. }
            | Self::EmptyMetadata { .. }
            | Self::SchemeWithoutTimestamp { .. } => DiagnosticCode::UsageInvalid,
            Self::Timestamp(error) => match error.downcast_ref::<TimestampRequestError>() {
                Some(error) => error.code(),
                None => DiagnosticCode::TimestampUnavailable,
            },
            Self::Json(error) => error.code(),
            Self::Cbor(_) => DiagnosticCode::EnvelopeMalformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.hint(),
            Self::Plugin(error) => error.hint(),
            Self::Timestamp(error) => error.downcast_ref::<TimestampRequestError>().and_then(Diagnostic::hint),
            Self::Chain(_) => Some(
                "give the signer's own certificate first, then those that issued it, the self-signed root last; Notary Project signatures need \
                 certificates for code signing"
                    .into(),
            ),
            Self::OutsideValidity(_) => Some("sign with a certificate that is valid now, or check the clock of this host".into()),
            Self::ReservedMetadata { .. } => {
 Some("choose another key; what a signature is for is not its metadata".into())
}
Self::RepeatedMetadata { .. } => Some("choose another key".into()),
            _ => None,
        }
    }
}
