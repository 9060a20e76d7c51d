//! AlgorithmIdentifiers of signatures (RFC 3279, 4055, 5758).

use std::fmt;

use der::Tag;
use der::asn1::ObjectIdentifier;
use sha1::{Digest as _, Sha1};

use super::tlv::{Cursor, Tlv, constructed, only, to_u32};
use super::{HashAlgorithm, SignatureError, SignatureScheme};

const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
/// More salt than the largest accepted RSA key has room for.
const MOST_SALT: u32 = 1024;

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// What a signature's AlgorithmIdentifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    /// One that is implemented and strong enough.
    Known(SignatureScheme),
    /// SHA-1 or MD5 is in it (conformance 5.15).
    Weak(WeakAlgorithm),
    /// Anything else.
    Unknown(ObjectIdentifier),
}

/// An algorithm that is refused, and the way to check it where an operator asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WeakAlgorithm {
    oid: ObjectIdentifier,
    sha1: Option<Sha1Scheme>,
}

/// A scheme over SHA-1, apart from [`SignatureScheme`], so that nothing can use it by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sha1Scheme {
    /// RSASSA-PKCS1-v1_5
    RsaPkcs1,
    /// RSASSA-PSS with MGF1 over SHA-1 too.
    RsaPss { salt_len: usize },
    /// ECDSA, signature as DER.
    Ecdsa,
}

/// Whether SHA-1 counts as a hash. MD5 and MD2 never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeakHashes {
    /// SHA-1 is refused (conformance 5.15), as everywhere but in old test suites and archives.
    #[default]
    Refused,
    /// SHA-1 is let through, on the operator's word.
    Sha1Allowed,
}

impl SignatureAlgorithm {
    /// The scheme, or why there is none.
    pub(crate) fn scheme(&self) -> Result<SignatureScheme, SignatureError> {
        match self {
            Self::Known(scheme) => Ok(*scheme),
            Self::Weak(weak) => Err(SignatureError::WeakAlgorithm { oid: weak.oid.to_string() }),
            Self::Unknown(oid) => Err(SignatureError::UnknownAlgorithm { oid: oid.to_string() }),
        }
    }

    /// Plain rsaEncryption, which takes its hash from elsewhere (RFC 3370 §3.2).
    pub(crate) const fn rsa_pkcs1(oid: ObjectIdentifier, hash: NamedHash) -> Self {
        match hash {
            NamedHash::Strong(hash) => Self::Known(SignatureScheme::RsaPkcs1(hash)),
            NamedHash::Sha1 => Self::Weak(WeakAlgorithm { oid, sha1: Some(Sha1Scheme::RsaPkcs1) }),
            NamedHash::Other(_) => Self::Unknown(oid),
        }
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Known(scheme) => scheme.to_string(),
            Self::Weak(WeakAlgorithm { oid, sha1 }) => match sha1 {
                Some(Sha1Scheme::RsaPkcs1) => "RSA PKCS#1 v1.5 with SHA-1".into(),
                Some(Sha1Scheme::RsaPss { .. }) => "RSA-PSS with SHA-1".into(),
                Some(Sha1Scheme::Ecdsa) => "ECDSA with SHA-1".into(),
                None => format!("{oid} (weak)"),
            },
            Self::Unknown(oid) => format!("{oid} (unknown)"),
        }
    }

    /// The scheme over SHA-1 that this is, where that is allowed.
    pub(crate) fn sha1(&self, weak: WeakHashes) -> Option<Sha1Scheme> {
        match (self, weak) {
            (Self::Weak(algorithm), WeakHashes::Sha1Allowed) => algorithm.sha1,
            _ => None,
        }
    }

    /// Reads an `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }`.
    pub(crate) fn parse(identifier: &Tlv<'_>) -> der::Result<Self> {
        let (oid, parameters) = split(identifier)?;
        if let Some(scheme) = without_parameters(oid) {
            return no_parameters(parameters).map(|()| Self::Known(scheme));
        }
        let weak = |sha1| Ok(Self::Weak(WeakAlgorithm { oid, sha1 }));
        match oid.to_string().as_str() {
            "1.2.840.113549.1.1.10" => match pss_parameters(parameters)? {
                (NamedHash::Strong(hash), salt_len) => Ok(Self::Known(SignatureScheme::RsaPssSalt { hash, salt_len })),
                (NamedHash::Sha1, salt_len) => weak(Some(Sha1Scheme::RsaPss { salt_len })),
                (NamedHash::Other(_), _) => weak(None),
            },
            // RFC 8410 §3: parameters are absent.
            "1.3.101.112" if parameters.is_none() => Ok(Self::Known(SignatureScheme::Ed25519)),
            // SHA-1 with RSA, of PKCS#1 and of OIW; ECDSA with SHA-1.
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => weak(Some(Sha1Scheme::RsaPkcs1)),
            "1.2.840.10045.4.1" => weak(Some(Sha1Scheme::Ecdsa)),
            // MD2 and MD5 with RSA; DSA with SHA-1, of OIW and of X9.57.
            "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.4" | "1.3.14.3.2.27" | "1.2.840.10040.4.3" => weak(None),
            _ => Ok(Self::Unknown(oid)),
        }
    }
}

/// Splits an AlgorithmIdentifier.
pub(crate) fn split<'a>(identifier: &Tlv<'a>) -> der::Result<(ObjectIdentifier, Option<Tlv<'a>>)> {
    identifier.tag.assert_eq(Tag::Sequence)?;
    let mut fields = Cursor::new(identifier.value)?;
    let oid = fields.oid()?;
    let parameters = if fields.is_finished() { None } else { Some(fields.any()?) };
    fields.finish()?;
    Ok((oid, parameters))
}

/// The hash that an AlgorithmIdentifier names; `None` for SHA-1 and other unaccepted ones.
pub(crate) fn parse_hash(identifier: &Tlv<'_>) -> der::Result<Option<HashAlgorithm>> {
    let (oid, parameters) = split(identifier)?;
    let hash = HashAlgorithm::from_oid(oid);
    if hash.is_some() {
        no_parameters(parameters)?;
    }
    Ok(hash)
}

/// RFC 4055 and 5758 want NULL here and absence there; both are written in both places.
fn no_parameters(parameters: Option<Tlv<'_>>) -> der::Result<()> {
    match parameters {
        None => Ok(()),
        Some(Tlv { tag: Tag::Null, value: [], .. }) => Ok(()),
        Some(other) => Err(other.tag.value_error().into()),
    }
}

fn without_parameters(oid: ObjectIdentifier) -> Option<SignatureScheme> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    Some(match oid.to_string().as_str() {
        "1.2.840.113549.1.1.11" => SignatureScheme::RsaPkcs1(Sha256),
        "1.2.840.113549.1.1.12" => SignatureScheme::RsaPkcs1(Sha384),
        "1.2.840.113549.1.1.13" => SignatureScheme::RsaPkcs1(Sha512),
        "1.2.840.10045.4.3.2" => SignatureScheme::EcdsaDer(Sha256),
        "1.2.840.10045.4.3.3" => SignatureScheme::EcdsaDer(Sha384),
        "1.2.840.10045.4.3.4" => SignatureScheme::EcdsaDer(Sha512),
        _ => return None,
    })
}

/// A hash that an AlgorithmIdentifier names, whether it is accepted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedHash {
    /// One that is always accepted.
    Strong(HashAlgorithm),
    /// SHA-1: only where the operator allows it, or where it merely names a certificate.
    Sha1,
    /// Any other.
    Other(ObjectIdentifier),
}

impl NamedHash {
    /// The hash of `bytes`; `None` where the algorithm is not implemented.
    pub fn digest(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Strong(hash) => Some(hash.digest(bytes)),
            Self::Sha1 => Some(Sha1::digest(bytes).to_vec()),
            Self::Other(_) => None,
        }
    }

    /// Whether it may count as a hash.
    pub const fn is_accepted(self, weak: WeakHashes) -> bool {
        match self {
            Self::Strong(_) => true,
            Self::Sha1 => matches!(weak, WeakHashes::Sha1Allowed),
            Self::Other(_) => false,
        }
    }
}

impl fmt::Display for NamedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strong(hash) => hash.fmt(f),
            Self::Sha1 => f.write_str("SHA-1"),
            Self::Other(oid) => oid.fmt(f),
        }
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hash DEFAULT sha1, [1] mgf DEFAULT mgf1SHA1, [2] saltLength DEFAULT 20,
/// [3] trailerField DEFAULT 1 }`: the hash and the length of the salt in octets.
///
/// Our own, because the crate's type holds the salt length in an octet and openssl writes up to 478 of RSA 4096.
pub(crate) fn pss_parameters(parameters: Option<Tlv<'_>>) -> der::Result<(NamedHash, usize)> {
    let Some(parameters) = parameters else { return Err(Tag::Sequence.value_error().into()) };
    parameters.tag.assert_eq(Tag::Sequence)?;
    let mut fields = Cursor::new(parameters.value)?;
    let hash = match fields.optional(constructed(0))? {
        Some(field) => named_hash(&only(field.value, Tag::Sequence)?)?,
        None => NamedHash::Sha1,
    };
    let mask = match fields.optional(constructed(1))? {
        Some(field) => parse_mask(&only(field.value, Tag::Sequence)?)?,
        None => NamedHash::Sha1,
    };
    let salt_len = match fields.optional(constructed(2))? {
        Some(field) => small(field.value)?,
        None => 20,
    };
    let trailer = match fields.optional(constructed(3))? {
        Some(field) => small(field.value)?,
        None => 1,
    };
    fields.finish()?;
    if trailer != 1 || salt_len > MOST_SALT {
        return Err(Tag::Integer.value_error().into());
    }
    // Two different ones are none that is accepted.
    Ok((if hash == mask { hash } else { NamedHash::Other(MGF1) }, usize::try_from(salt_len)?))
}

/// The hash that an AlgorithmIdentifier names, whichever it is.
pub(crate) fn named_hash(identifier: &Tlv<'_>) -> der::Result<NamedHash> {
    if let Some(hash) = parse_hash(identifier)? {
        return Ok(NamedHash::Strong(hash));
    }
    let (oid, _) = split(identifier)?;
    Ok(if oid == SHA1 { NamedHash::Sha1 } else { NamedHash::Other(oid) })
}

fn parse_mask(identifier: &Tlv<'_>) -> der::Result<NamedHash> {
    match split(identifier)? {
        (MGF1, Some(hash)) => named_hash(&hash),
        (_, parameters) => Err(parameters.map_or(Tag::Sequence, |value| value.tag).value_error().into()),
    }
}

fn small(explicit: &[u8]) -> der::Result<u32> {
    let mut cursor = Cursor::new(explicit)?;
    let octets = cursor.integer()?;
    cursor.finish()?;
    to_u32(octets).ok_or_else(|| Tag::Integer.value_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, u8::try_from(content.len()).unwrap()][..], &content].concat()
    }

    fn hash_id(last: u8) -> Vec<u8> {
        wrap(0x30, &[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last]])
    }

    /// RSASSA-PSS with a hash, a hash of MGF1 (both by the last octet of their identifier) and more fields.
    fn pss(hash: u8, mask: u8, more: &[u8]) -> Option<SignatureAlgorithm> {
        let mgf1 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
        let mask = wrap(0xa1, &[&wrap(0x30, &[&mgf1, &hash_id(mask)])]);
        parse(&wrap(0x30, &[&wrap(0xa0, &[&hash_id(hash)]), &mask, more]))
    }

    fn parse(parameters: &[u8]) -> Option<SignatureAlgorithm> {
        let oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
        let identifier = wrap(0x30, &[&oid, parameters]);
        SignatureAlgorithm::parse(&only(&identifier, Tag::Sequence).unwrap()).ok()
    }

    #[test]
    fn pss_parameters() {
        let known = |hash, salt_len| Some(SignatureAlgorithm::Known(SignatureScheme::RsaPssSalt { hash, salt_len }));
        assert_eq!(pss(1, 1, &[0xa2, 3, 2, 1, 32]), known(HashAlgorithm::Sha256, 32));
        assert_eq!(pss(3, 3, &[0xa2, 4, 2, 2, 1, 0xbe]), known(HashAlgorithm::Sha512, 446));
        assert_eq!(pss(2, 2, &[]), known(HashAlgorithm::Sha384, 20));
        assert_eq!(pss(2, 2, &[0xa3, 3, 2, 1, 1]), known(HashAlgorithm::Sha384, 20));
        // Two hashes, and the defaults, which are SHA-1.
        assert!(matches!(pss(1, 2, &[]), Some(SignatureAlgorithm::Weak(_))));
        assert!(matches!(parse(&[0x30, 0]), Some(SignatureAlgorithm::Weak(_))));
        // No parameters, another trailer, more salt than any key has room for, a negative length.
        for bad in [&[0xa3, 3, 2, 1, 2][..], &[0xa2, 4, 2, 2, 0x10, 0], &[0xa2, 3, 2, 1, 0x80], &[5, 0]] {
            assert_eq!(pss(1, 1, bad), None, "{bad:?}");
        }
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[5, 0]), None);
    }
}
