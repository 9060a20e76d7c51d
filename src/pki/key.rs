//! Keys and signature algorithms.

use super::SignatureError;

/// The key kinds that a Notary Project signer may have (conformance 5.01, 5.02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// RSA with a modulus of 256 octets.
    Rsa2048,
    /// RSA with a modulus of 384 octets.
    Rsa3072,
    /// RSA with a modulus of 512 octets.
    Rsa4096,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl KeyKind {
    /// The hash that goes with the key (conformance 5.01).
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Rsa2048 | Self::P256 => HashAlgorithm::Sha256,
            Self::Rsa3072 | Self::P384 => HashAlgorithm::Sha384,
            Self::Rsa4096 | Self::P521 => HashAlgorithm::Sha512,
        }
    }
}

/// The hash algorithms that signatures may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl HashAlgorithm {
    /// The hash of `bytes`.
    pub fn digest(self, _bytes: &[u8]) -> Vec<u8> {
        unimplemented!()
    }
    /// The length of the hash in octets.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
    /// The object identifier.
    pub fn oid(self) -> der::asn1::ObjectIdentifier {
        unimplemented!()
    }
    /// The algorithm of that object identifier.
    pub fn from_oid(_oid: der::asn1::ObjectIdentifier) -> Option<Self> {
        unimplemented!()
    }
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS, MGF1 with the same hash, salt exactly as long as the hash.
    RsaPss(HashAlgorithm),
    /// RSASSA-PSS with the salt length that an AlgorithmIdentifier names.
    RsaPssSalt {
        /// The hash, also of MGF1.
        hash: HashAlgorithm,
        /// The exact length of the salt in octets.
        salt_len: usize,
    },
    /// ECDSA, signature as DER SEQUENCE of r and s.
    EcdsaDer(HashAlgorithm),
    /// ECDSA, signature as r and s of fixed width behind each other.
    EcdsaRaw(HashAlgorithm),
}

/// A subject's public key.
#[derive(Debug, Clone)]
pub struct PublicKey(());

impl PublicKey {
    /// The kind, if it is one of the six that may sign.
    pub fn kind(&self) -> Option<KeyKind> {
        unimplemented!()
    }
    /// For people: `RSA 2048`, `P-384`, `Ed25519 (unsupported)`.
    pub fn describe(&self) -> String {
        unimplemented!()
    }
    /// Checks a signature over `message` (which is hashed here).
    pub fn verify(&self, _scheme: SignatureScheme, _message: &[u8], _signature: &[u8]) -> Result<(), SignatureError> {
        unimplemented!()
    }
}
