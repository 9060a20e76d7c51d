//! Public keys: the six kinds that may sign, larger RSA keys of authorities, and values for everything else.

use std::fmt;

use der::Tag;
use der::asn1::ObjectIdentifier;
use ecdsa::signature::hazmat::PrehashVerifier;
use ed25519_dalek::{Signature as EdSignature, VerifyingKey as EdKey};
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::SignatureError;
use super::algorithm::{NamedHash, Sha1Scheme, pss_parameters};
use super::tlv::{Cursor, Tlv, only};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Octets of the smallest RSA modulus that is accepted: 2048 bits (NIST SP 800-131A).
const RSA_LEAST: usize = 256;
/// Octets of the largest: 8192 bits. The cost of a verification grows with the square.
const RSA_MOST: usize = 1024;

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
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::P256, Self::P384, Self::P521];

    /// The hash that goes with the key (conformance 5.01).
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Rsa2048 | Self::P256 => HashAlgorithm::Sha256,
            Self::Rsa3072 | Self::P384 => HashAlgorithm::Sha384,
            Self::Rsa4096 | Self::P521 => HashAlgorithm::Sha512,
        }
    }

    /// The usual name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The hash of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
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
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
            Self::Sha384 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
            Self::Sha512 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        }
    }

    /// The algorithm of that object identifier.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.oid() == oid)
    }

    /// `SHA-256`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    /// Ed25519 (RFC 8032), over the message itself. No Notary Project signer has it; authorities may.
    Ed25519,
}

impl SignatureScheme {
    /// The hash that is signed.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::RsaPkcs1(hash)
            | Self::RsaPss(hash)
            | Self::RsaPssSalt { hash, .. }
            | Self::EcdsaDer(hash)
            | Self::EcdsaRaw(hash) => hash,
            // What the algorithm uses inside (RFC 8032 §5.1), and what goes with it in CMS (RFC 8419 §3.1).
            Self::Ed25519 => HashAlgorithm::Sha512,
        }
    }
}

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::RsaPkcs1(_) => "RSA PKCS#1 v1.5",
            Self::RsaPss(_) | Self::RsaPssSalt { .. } => "RSA-PSS",
            Self::EcdsaDer(_) | Self::EcdsaRaw(_) => "ECDSA",
            Self::Ed25519 => return f.write_str("Ed25519"),
        };
        write!(f, "{name} with {}", self.hash())
    }
}

/// A subject's public key. A key that cannot be used is a value; using it is the error.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key: Key,
    /// The content of the BIT STRING, which OCSP names keys by.
    bits: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Key {
    Rsa {
        key: RsaPublicKey,
        octets: usize,
    },
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    /// An RSA key that its own certificate restricts to PSS (RFC 4055 §1.2): to any, or to one hash and a least salt.
    RsaPss {
        key: RsaPublicKey,
        octets: usize,
        only: Option<(NamedHash, usize)>,
    },
    Ed25519(EdKey),
    /// A kind that is not implemented, or parameters outside what is accepted.
    Unusable {
        description: String,
    },
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }`.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> der::Result<Self> {
        let mut info = cursor.enter(Tag::Sequence)?;
        let mut algorithm = info.enter(Tag::Sequence)?;
        let oid = algorithm.oid()?;
        let parameters = if algorithm.is_finished() { None } else { Some(algorithm.any()?) };
        algorithm.finish()?;
        let bits = info.bit_octets()?;
        info.finish()?;
        let key = match oid {
            RSA_ENCRYPTION => rsa_key(bits)?,
            RSASSA_PSS => pss_key(bits, parameters)?,
            ED25519 => ed25519_key(bits, parameters),
            EC_PUBLIC_KEY => match parameters.filter(|value| value.tag == Tag::ObjectIdentifier) {
                Some(curve) => ec_key(ObjectIdentifier::from_bytes(curve.value)?, bits),
                None => unusable("EC with explicit parameters"),
            },
            other => unusable(other_name(other)),
        };
        Ok(Self { key, bits: bits.to_vec() })
    }

    /// The kind, if it is one of the six that may sign.
    pub fn kind(&self) -> Option<KeyKind> {
        match self.key {
            Key::Rsa { octets: 256, .. } => Some(KeyKind::Rsa2048),
            Key::Rsa { octets: 384, .. } => Some(KeyKind::Rsa3072),
            Key::Rsa { octets: 512, .. } => Some(KeyKind::Rsa4096),
            Key::Rsa { .. } | Key::RsaPss { .. } | Key::Ed25519(_) | Key::Unusable { .. } => None,
            Key::P256(_) => Some(KeyKind::P256),
            Key::P384(_) => Some(KeyKind::P384),
            Key::P521(_) => Some(KeyKind::P521),
        }
    }

    /// The content of `subjectPublicKey`.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// For people: `RSA 2048`, `P-384`, `Ed25519 (unsupported)`.
    pub fn describe(&self) -> String {
        match &self.key {
            Key::Rsa { octets, .. } => format!("RSA {}", octets.saturating_mul(8)),
            Key::RsaPss { octets, .. } => format!("RSA {} restricted to PSS", octets.saturating_mul(8)),
            Key::Ed25519(_) => "Ed25519".into(),
            Key::P256(_) => KeyKind::P256.to_string(),
            Key::P384(_) => KeyKind::P384.to_string(),
            Key::P521(_) => KeyKind::P521.to_string(),
            Key::Unusable { description } => description.clone(),
        }
    }

    /// Checks a signature over `message` (which is hashed here).
    ///
    /// # Errors
    /// The signature does not verify, the scheme is for another kind of key, or the key is not usable.
    pub fn verify(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let hash = scheme.hash();
        let hashed = hash.digest(message);
        let good = match (&self.key, scheme) {
            (Key::Unusable { description }, _) => {
                return Err(SignatureError::KeyUnusable { key: description.clone() });
            }
            (Key::Rsa { key, .. }, SignatureScheme::RsaPkcs1(_)) => pkcs1(key, hash, &hashed, signature),
            (Key::Rsa { key, .. }, SignatureScheme::RsaPss(_)) => pss(key, hash, hash.output_len(), &hashed, signature),
            (Key::Rsa { key, .. }, SignatureScheme::RsaPssSalt { salt_len, .. }) => {
                pss(key, hash, salt_len, &hashed, signature)
            }
            (Key::RsaPss { key, only, .. }, SignatureScheme::RsaPss(_)) => {
                let salt_len = hash.output_len();
                may_use(only, NamedHash::Strong(hash), salt_len) && pss(key, hash, salt_len, &hashed, signature)
            }
            (Key::RsaPss { key, only, .. }, SignatureScheme::RsaPssSalt { salt_len, .. }) => {
                may_use(only, NamedHash::Strong(hash), salt_len) && pss(key, hash, salt_len, &hashed, signature)
            }
            (Key::Ed25519(key), SignatureScheme::Ed25519) => {
                EdSignature::from_slice(signature).and_then(|value| key.verify_strict(message, &value)).is_ok()
            }
            (Key::P256(key), SignatureScheme::EcdsaDer(_)) => p256::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&hashed, &value))
                .is_ok(),
            (Key::P256(key), SignatureScheme::EcdsaRaw(_)) => p256::ecdsa::Signature::from_slice(signature)
                .and_then(|value| key.verify_prehash(&hashed, &value))
                .is_ok(),
            (Key::P384(key), SignatureScheme::EcdsaDer(_)) => p384::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&hashed, &value))
                .is_ok(),
            (Key::P384(key), SignatureScheme::EcdsaRaw(_)) => p384::ecdsa::Signature::from_slice(signature)
                .and_then(|value| key.verify_prehash(&hashed, &value))
                .is_ok(),
            (Key::P521(key), SignatureScheme::EcdsaDer(_)) => p521::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&p521_input(&hashed), &value))
                .is_ok(),
            (Key::P521(key), SignatureScheme::EcdsaRaw(_)) => p521::ecdsa::Signature::from_slice(signature)
                .and_then(|value| key.verify_prehash(&p521_input(&hashed), &value))
                .is_ok(),
            _ => return Err(SignatureError::SchemeMismatch { key: self.describe(), scheme: scheme.to_string() }),
        };
        if good { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

impl PublicKey {
    /// Checks a signature over SHA-1, which only an operator's explicit word allows.
    pub(crate) fn verify_sha1(
        &self,
        scheme: Sha1Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let hashed = Sha1::digest(message);
        let rsa_pss =
            |key: &RsaPublicKey, salt_len| key.verify(Pss::<Sha1>::new_with_salt(salt_len), &hashed, signature).is_ok();
        let good = match (&self.key, scheme) {
            (Key::Unusable { description }, _) => {
                return Err(SignatureError::KeyUnusable { key: description.clone() });
            }
            (Key::Rsa { key, .. }, Sha1Scheme::RsaPkcs1) => {
                key.verify(Pkcs1v15Sign::new::<Sha1>(), &hashed, signature).is_ok()
            }
            (Key::Rsa { key, .. }, Sha1Scheme::RsaPss { salt_len }) => rsa_pss(key, salt_len),
            (Key::RsaPss { key, only, .. }, Sha1Scheme::RsaPss { salt_len }) => {
                may_use(only, NamedHash::Sha1, salt_len) && rsa_pss(key, salt_len)
            }
            (Key::P256(key), Sha1Scheme::Ecdsa) => p256::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&hashed, &value))
                .is_ok(),
            // The crates refuse hashes of less than half of the curve's octets; in front padded, they are the same number.
            (Key::P384(key), Sha1Scheme::Ecdsa) => p384::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&padded::<48>(&hashed), &value))
                .is_ok(),
            (Key::P521(key), Sha1Scheme::Ecdsa) => p521::ecdsa::Signature::from_der(signature)
                .and_then(|value| key.verify_prehash(&padded::<66>(&hashed), &value))
                .is_ok(),
            _ => {
                let scheme = format!("{scheme:?} with SHA-1");
                return Err(SignatureError::SchemeMismatch { key: self.describe(), scheme });
            }
        };
        if good { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// Whether a key that is restricted to PSS may be used so (RFC 4055 §3.3).
fn may_use(only: &Option<(NamedHash, usize)>, hash: NamedHash, salt_len: usize) -> bool {
    only.is_none_or(|(allowed, least)| allowed == hash && salt_len >= least)
}

/// A hash as the number that ECDSA takes it for, in as many octets as P-521 has (FIPS 186-5 §6.4.1). The crate refuses hashes of
/// less than half of them, and so SHA-256, which authorities do use with this curve.
fn p521_input(hashed: &[u8]) -> [u8; 66] {
    padded(hashed)
}

fn padded<const OCTETS: usize>(hashed: &[u8]) -> [u8; OCTETS] {
    let mut padded = [0; OCTETS];
    for (to, from) in padded.iter_mut().rev().zip(hashed.iter().rev()) {
        *to = *from;
    }
    padded
}

fn pkcs1(key: &RsaPublicKey, hash: HashAlgorithm, hashed: &[u8], signature: &[u8]) -> bool {
    let padding = match hash {
        HashAlgorithm::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        HashAlgorithm::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        HashAlgorithm::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    };
    key.verify(padding, hashed, signature).is_ok()
}

fn pss(key: &RsaPublicKey, hash: HashAlgorithm, salt_len: usize, hashed: &[u8], signature: &[u8]) -> bool {
    match hash {
        HashAlgorithm::Sha256 => key.verify(Pss::<Sha256>::new_with_salt(salt_len), hashed, signature),
        HashAlgorithm::Sha384 => key.verify(Pss::<Sha384>::new_with_salt(salt_len), hashed, signature),
        HashAlgorithm::Sha512 => key.verify(Pss::<Sha512>::new_with_salt(salt_len), hashed, signature),
    }
    .is_ok()
}

fn unusable(what: impl fmt::Display) -> Key {
    Key::Unusable { description: format!("{what} (unsupported)") }
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`
fn rsa_key(bits: &[u8]) -> der::Result<Key> {
    let mut fields = Cursor::new(only(bits, Tag::Sequence)?.value)?;
    let (modulus, exponent) = (positive(fields.integer()?)?, positive(fields.integer()?)?);
    fields.finish()?;
    let octets = modulus.len();
    let name = format_args!("RSA {}", octets.saturating_mul(8)).to_string();
    if !(RSA_LEAST..=RSA_MOST).contains(&octets) || exponent.len() > 4 {
        return Ok(unusable(name));
    }
    let n = BoxedUint::from_be_slice_vartime(modulus);
    let e = BoxedUint::from_be_slice_vartime(exponent);
    // The crate refuses even moduli and exponents, and exponents below 2.
    Ok(match RsaPublicKey::new(n, e) {
        Ok(key) => Key::Rsa { key, octets },
        Err(_) => unusable(name),
    })
}

/// `id-RSASSA-PSS` in a SubjectPublicKeyInfo: the same key, and parameters that restrict it where they are there.
fn pss_key(bits: &[u8], parameters: Option<Tlv<'_>>) -> der::Result<Key> {
    let only = parameters.map(|parameters| pss_parameters(Some(parameters))).transpose()?;
    Ok(match rsa_key(bits)? {
        Key::Rsa { key, octets } => Key::RsaPss { key, octets, only },
        other => other,
    })
}

/// RFC 8410 §4: 32 octets, no parameters.
fn ed25519_key(bits: &[u8], parameters: Option<Tlv<'_>>) -> Key {
    let key = <&[u8; 32]>::try_from(bits).ok().filter(|_| parameters.is_none());
    match key.and_then(|octets| EdKey::from_bytes(octets).ok()) {
        Some(key) => Key::Ed25519(key),
        None => unusable("Ed25519 key of a wrong form"),
    }
}

/// The magnitude of an INTEGER that must be above zero.
fn positive(octets: &[u8]) -> der::Result<&[u8]> {
    match octets {
        [0] | [] | [0x80..=0xff, ..] => Err(Tag::Integer.value_error().into()),
        [0, rest @ ..] => Ok(rest),
        all => Ok(all),
    }
}

/// Named curves and uncompressed points only, as the Notary reference reads them.
fn ec_key(curve: ObjectIdentifier, point: &[u8]) -> Key {
    let point = if point.first() == Some(&4) { point } else { &[] };
    let key = match curve {
        SECP256R1 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Key::P256),
        SECP384R1 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Key::P384),
        SECP521R1 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Key::P521),
        other => return unusable(format_args!("EC curve {other}")),
    };
    key.unwrap_or_else(|_| unusable("EC point that is not on its curve or not uncompressed"))
}

fn other_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.101.113" => "Ed448".into(),
        "1.2.840.10040.4.1" => "DSA".into(),
        dotted => format!("key algorithm {dotted}"),
    }
}
