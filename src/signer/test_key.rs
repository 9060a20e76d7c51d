//! Test keys: an RSA key with a self-signed certificate that signs nothing but itself and what is tested. **Not for
//! production**: nobody can revoke it, and nobody vouches for it.

use getrandom::SysRng;
use p256::elliptic_curve::zeroize::Zeroizing;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::rand_core::UnwrapErr;
use rsa::{RsaPrivateKey, pkcs1v15};
use sha2::Sha256;
use x509_cert::der::EncodePem as _;

use super::authority::{AuthorityError, Request, self_signed};
use super::error::KeyError;

/// How long the key is: the sizes with which the Notary Project signs (conformance 5.01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048
    Bits2048,
    /// 3072
    Bits3072,
    /// 4096
    Bits4096,
}

impl RsaBits {
    /// The size of that many bits, if keys may have it.
    pub fn find(bits: u32) -> Option<Self> {
        [Self::Bits2048, Self::Bits3072, Self::Bits4096].into_iter().find(|known| known.count() == bits)
    }

    /// How many they are.
    pub const fn count(self) -> u32 {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

/// A new key and its certificate, both PEM.
pub struct TestKey {
    /// The private key in PKCS#8 (RFC 5958), zeroed when it is dropped.
    pub key: Zeroizing<String>,
    /// The certificate: a leaf for code signing (conformance 5.11 to 5.13), signed by its own key.
    pub certificate: String,
}

impl std::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestKey")
    }
}

impl TestKey {
    /// Makes a key from the system's randomness, and its certificate.
    ///
    /// # Errors
    /// The system has no randomness, or the subject or a time cannot be written in a certificate.
    pub fn generate(request: &Request<'_>, bits: RsaBits) -> Result<Self, AuthorityError> {
        // The generator below has no way to say that there is no randomness, so that is found out here.
        getrandom::fill(&mut [0; 32]).map_err(KeyError::from)?;
        let key = RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits.size())
            .map_err(|source| AuthorityError::Signature(signature::Error::from_source(source)))?;
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Malformed { label: "PRIVATE KEY" })?;
        let certificate = self_signed(request, &pkcs1v15::SigningKey::<Sha256>::new(key))?;
        Ok(Self { key: pem, certificate: certificate.to_pem(LineEnding::LF)? })
    }
}
