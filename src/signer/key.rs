//! Private keys in memory.

use std::fmt;

use der::Decode;
use der::asn1::ObjectIdentifier;
use p256::pkcs8::{EncodePublicKey, PrivateKeyInfoRef};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey, pss};
use sha2::{Sha256, Sha384, Sha512};
use signature::{SignatureEncoding, Signer as _};
use spki::DecodePublicKey;
use zeroize::Zeroizing;

use super::error::{KeyError, SigningError};
use super::key_file::KeyFile;
use crate::pki::KeyKind;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A private key of one of the six kinds that the Notary Project knows (conformance 5.01, 5.02).
///
/// Neither `Debug` nor any error shows the secret, and the memory that held it is zeroed on drop. RSA operations are
/// blinded with the system's randomness (RUSTSEC-2023-0071).
pub struct LocalKey(Key);

enum Key {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
    Rsa2048(Box<pss::SigningKey<Sha256>>),
    Rsa3072(Box<pss::SigningKey<Sha384>>),
    Rsa4096(Box<pss::SigningKey<Sha512>>),
}

impl LocalKey {
    /// A new P-256 key from the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub fn generate_p256() -> Result<Self, KeyError> {
        Ok(Self(Key::P256(Box::new(random_p256()?))))
    }

    /// Reads the first private key of a PEM file that is not encrypted (see [`KeyFile`]).
    ///
    /// # Errors
    /// No private key, an encrypted or malformed one, or one that may not sign.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        KeyFile::parse(text.as_bytes())?.read()
    }

    /// Reads a PKCS#8 `PrivateKeyInfo` (RFC 5958) in DER.
    ///
    /// # Errors
    /// Malformed, or a key that may not sign.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        const LABEL: &str = "PRIVATE KEY";
        let malformed = || KeyError::Malformed { label: LABEL };
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| malformed())?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => Self::from_rsa(RsaPrivateKey::try_from(info).map_err(|_| malformed())?),
            EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters_oid().map_err(|_| malformed())?;
                Ok(Self(match curve {
                    P256 => Key::P256(Box::new(p256::SecretKey::try_from(info).map_err(|_| malformed())?.into())),
                    P384 => Key::P384(Box::new(p384::SecretKey::try_from(info).map_err(|_| malformed())?.into())),
                    P521 => Key::P521(Box::new(p521::SecretKey::try_from(info).map_err(|_| malformed())?.into())),
                    oid => return Err(KeyError::UnsupportedAlgorithm { oid }),
                }))
            }
            oid => Err(KeyError::UnsupportedAlgorithm { oid }),
        }
    }

    /// Reads an `ECPrivateKey` (RFC 5915) in DER. Without a named curve, the length of the scalar tells the curve.
    pub(super) fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
            return Ok(Self(Key::P256(Box::new(key.into()))));
        }
        if let Ok(key) = p384::SecretKey::from_sec1_der(der) {
            return Ok(Self(Key::P384(Box::new(key.into()))));
        }
        match p521::SecretKey::from_sec1_der(der) {
            Ok(key) => Ok(Self(Key::P521(Box::new(key.into())))),
            Err(_) => Err(KeyError::Malformed { label: "EC PRIVATE KEY" }),
        }
    }

    /// Reads an `RSAPrivateKey` (RFC 8017 appendix A.1.2) in DER.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed { label: "RSA PRIVATE KEY" };
        Self::from_rsa(RsaPrivateKey::from_pkcs1_der(der).map_err(malformed)?)
    }

    fn from_rsa(key: RsaPrivateKey) -> Result<Self, KeyError> {
        Ok(Self(match key.size() {
            256 => Key::Rsa2048(Box::new(pss::SigningKey::new(key))),
            384 => Key::Rsa3072(Box::new(pss::SigningKey::new(key))),
            512 => Key::Rsa4096(Box::new(pss::SigningKey::new(key))),
            octets => return Err(KeyError::UnsupportedSize { bits: octets.saturating_mul(8) }),
        }))
    }

    /// Its kind.
    pub const fn kind(&self) -> KeyKind {
        match &self.0 {
            Key::P256(_) => KeyKind::P256,
            Key::P384(_) => KeyKind::P384,
            Key::P521(_) => KeyKind::P521,
            Key::Rsa2048(_) => KeyKind::Rsa2048,
            Key::Rsa3072(_) => KeyKind::Rsa3072,
            Key::Rsa4096(_) => KeyKind::Rsa4096,
        }
    }

    /// Signs `message` with the algorithm of its kind, in the form that JOSE and COSE use: RSASSA-PSS with a salt as
    /// long as the hash (conformance 14.14), or r and s of ECDSA behind each other (conformance 3.20).
    ///
    /// # Errors
    /// The system has no randomness for salt and blinding.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let signed = match &self.0 {
            Key::P256(key) => ecdsa(key.try_sign(message), p256::ecdsa::Signature::to_vec),
            Key::P384(key) => ecdsa(key.try_sign(message), p384::ecdsa::Signature::to_vec),
            Key::P521(key) => ecdsa(key.try_sign(message), p521::ecdsa::Signature::to_vec),
            Key::Rsa2048(key) => key.try_sign(message).map(|signature| signature.to_vec()),
            Key::Rsa3072(key) => key.try_sign(message).map(|signature| signature.to_vec()),
            Key::Rsa4096(key) => key.try_sign(message).map(|signature| signature.to_vec()),
        };
        signed.map_err(|source| SigningError::Failed { kind: self.kind(), source })
    }

    /// The public key as DER of a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn public_key_der(&self) -> Result<Vec<u8>, spki::Error> {
        let document = match &self.0 {
            Key::P256(key) => key.verifying_key().to_public_key_der(),
            Key::P384(key) => key.verifying_key().to_public_key_der(),
            Key::P521(key) => key.verifying_key().to_public_key_der(),
            Key::Rsa2048(key) => rsa_public(key.as_ref().as_ref()).to_public_key_der(),
            Key::Rsa3072(key) => rsa_public(key.as_ref().as_ref()).to_public_key_der(),
            Key::Rsa4096(key) => rsa_public(key.as_ref().as_ref()).to_public_key_der(),
        };
        document.map(|document| document.into_vec())
    }

    /// Whether `spki`, the DER of a `SubjectPublicKeyInfo`, is this key's public half. Two encodings of one key are
    /// one key.
    pub fn matches(&self, spki: &[u8]) -> bool {
        match &self.0 {
            Key::P256(key) => same(p256::ecdsa::VerifyingKey::from_public_key_der(spki), key.verifying_key()),
            Key::P384(key) => same(p384::ecdsa::VerifyingKey::from_public_key_der(spki), key.verifying_key()),
            Key::P521(key) => same(p521::ecdsa::VerifyingKey::from_public_key_der(spki), key.verifying_key()),
            Key::Rsa2048(key) => same(RsaPublicKey::from_public_key_der(spki), rsa_public(key.as_ref().as_ref())),
            Key::Rsa3072(key) => same(RsaPublicKey::from_public_key_der(spki), rsa_public(key.as_ref().as_ref())),
            Key::Rsa4096(key) => same(RsaPublicKey::from_public_key_der(spki), rsa_public(key.as_ref().as_ref())),
        }
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.kind())
    }
}

/// A random scalar that is zero or not below the order is drawn again, so that every key is equally likely.
pub(super) fn random_p256() -> Result<p256::ecdsa::SigningKey, KeyError> {
    loop {
        let mut scalar = Zeroizing::new([0; 32]);
        getrandom::fill(scalar.as_mut_slice())?;
        if let Ok(key) = p256::ecdsa::SigningKey::from_slice(scalar.as_slice()) {
            return Ok(key);
        }
    }
}

/// Names the one of several ECDSA signature forms that is wanted: r and s of fixed width.
fn ecdsa<S>(signed: signature::Result<S>, raw: impl Fn(&S) -> Vec<u8>) -> signature::Result<Vec<u8>> {
    signed.map(|signature| raw(&signature))
}

fn rsa_public(key: &RsaPrivateKey) -> &RsaPublicKey {
    key.as_ref()
}

fn same<K: PartialEq, E>(found: Result<K, E>, wanted: &K) -> bool {
    found.is_ok_and(|found| found == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_in_no_debug_output() {
        let key = LocalKey::generate_p256().unwrap();
        assert_eq!(format!("{key:?}"), "LocalKey(P-256)");
    }

    /// Compiles only where every kind of key, and what it is read from, zeroes its memory when it goes.
    #[test]
    fn what_held_a_secret_is_zeroed() {
        const fn zeroed<T: zeroize::ZeroizeOnDrop>() {}
        zeroed::<p256::ecdsa::SigningKey>();
        zeroed::<p384::ecdsa::SigningKey>();
        zeroed::<p521::ecdsa::SigningKey>();
        zeroed::<pss::SigningKey<Sha256>>();
        zeroed::<RsaPrivateKey>();
        zeroed::<Zeroizing<Vec<u8>>>();
    }

    #[test]
    fn generated_keys_differ_and_match_their_own_public_half_only() {
        let (one, two) = (LocalKey::generate_p256().unwrap(), LocalKey::generate_p256().unwrap());
        assert!(one.matches(&one.public_key_der().unwrap()));
        assert!(!one.matches(&two.public_key_der().unwrap()));
        assert!(!one.matches(b""));
        assert_eq!(one.sign(b"message").unwrap().len(), 64);
    }
}
