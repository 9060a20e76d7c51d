//! Who signs: the interface to keys, and keys in memory with their certificates.

use der::{Decode, Encode};

use super::error::{KeyError, SigningError};
use super::key::LocalKey;
use crate::pki::KeyKind;

/// A key that signs, wherever it lives, and the certificates that vouch for it.
///
/// An implementation is not believed: whoever builds an envelope checks the chain and the signature itself, as the
/// plugin specification demands of a host (conformance 11.24).
pub trait Signer {
    /// The kind of the key, which decides algorithm and hash (conformance 5.01).
    fn key_kind(&self) -> KeyKind;

    /// The certificates in DER, the signer's own first, the self-signed root last (conformance 5.04), where they are known
    /// before it signs: then a chain that cannot be used costs no signature. Empty where they come with one.
    fn certificates(&self) -> &[Vec<u8>];

    /// Signs `signing_input`, which is hashed here, in JOSE's and COSE's form: RSASSA-PSS with a salt as long as the
    /// hash, or r and s of ECDSA at fixed width behind each other.
    ///
    /// # Errors
    /// The key cannot or will not sign.
    fn sign(&self, signing_input: &[u8]) -> Result<Signed, SigningError>;
}

/// What a signer gives. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The signature value.
    pub signature: Vec<u8>,
    /// The certificates that vouch for its key, in DER, the signer's own first, the root last.
    pub certificates: Vec<Vec<u8>>,
}

/// A key in memory with the chain that it belongs to.
#[derive(Debug)]
pub struct LocalSigner {
    key: LocalKey,
    certificates: Vec<Vec<u8>>,
}

impl LocalSigner {
    /// Brings a key and its chain (DER, leaf first) together.
    ///
    /// # Errors
    /// No certificate, a malformed first one, or one that certifies another key (conformance 5.20).
    pub fn new(key: LocalKey, certificates: Vec<Vec<u8>>) -> Result<Self, KeyError> {
        let leaf = certificates.first().ok_or(KeyError::NoCertificate)?;
        let spki = x509_cert::Certificate::from_der(leaf)
            .and_then(|leaf| leaf.tbs_certificate().subject_public_key_info().to_der())
            .map_err(|source| KeyError::Certificate { source })?;
        if !key.matches(&spki) {
            return Err(KeyError::CertificateMismatch { key: key.kind() });
        }
        Ok(Self { key, certificates })
    }
}

impl Signer for LocalSigner {
    fn key_kind(&self) -> KeyKind {
        self.key.kind()
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Signed, SigningError> {
        Ok(Signed { signature: self.key.sign(signing_input)?, certificates: self.certificates.clone() })
    }
}
