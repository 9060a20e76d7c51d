//! AlgorithmIdentifiers of signatures (RFC 3279, 4055, 5758).

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::tlv::{Cursor, Tlv, constructed, only, to_u32};
use super::{HashAlgorithm, SignatureError, SignatureScheme};

const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
/// More salt than the largest accepted RSA key has room for.
const MOST_SALT: u32 = 1024;

/// What a signature's AlgorithmIdentifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    /// One that is implemented and strong enough.
    Known(SignatureScheme),
    /// SHA-1 or MD5 is in it (conformance 5.15).
    Weak(ObjectIdentifier),
    /// Anything else.
    Unknown(ObjectIdentifier),
}

impl SignatureAlgorithm {
    /// The scheme, or why there is none.
    pub(crate) fn scheme(&self) -> Result<SignatureScheme, SignatureError> {
        match self {
            Self::Known(scheme) => Ok(*scheme),
            Self::Weak(oid) => Err(SignatureError::WeakAlgorithm { oid: oid.to_string() }),
            Self::Unknown(oid) => Err(SignatureError::UnknownAlgorithm { oid: oid.to_string() }),
        }
    }

    /// Reads an `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }`.
    pub(crate) fn parse(identifier: &Tlv<'_>) -> der::Result<Self> {
        let (oid, parameters) = split(identifier)?;
        if let Some(scheme) = without_parameters(oid) {
            return no_parameters(parameters).map(|()| Self::Known(scheme));
        }
        Ok(match oid.to_string().as_str() {
            "1.2.840.113549.1.1.10" => match pss_scheme(parameters)? {
                Some(scheme) => Self::Known(scheme),
                None => Self::Weak(oid),
            },
            // md2, md5 and sha1 with RSA; the same of OIW; ECDSA and DSA with SHA-1.
            "1.2.840.113549.1.1.2"
            | "1.2.840.113549.1.1.4"
            | "1.2.840.113549.1.1.5"
            | "1.3.14.3.2.29"
            | "1.3.14.3.2.27"
            | "1.2.840.10045.4.1"
            | "1.2.840.10040.4.3" => Self::Weak(oid),
            _ => Self::Unknown(oid),
        })
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

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hash DEFAULT sha1, [1] mgf DEFAULT mgf1SHA1, [2] saltLength DEFAULT 20,
/// [3] trailerField DEFAULT 1 }`; `None` where SHA-1 or two different hashes come out.
///
/// Our own, because the crate's type holds the salt length in an octet and openssl writes up to 478 of RSA 4096.
fn pss_scheme(parameters: Option<Tlv<'_>>) -> der::Result<Option<SignatureScheme>> {
    let Some(parameters) = parameters else { return Err(Tag::Sequence.value_error().into()) };
    parameters.tag.assert_eq(Tag::Sequence)?;
    let mut fields = Cursor::new(parameters.value)?;
    let hash = match fields.optional(constructed(0))? {
        Some(field) => parse_hash(&only(field.value, Tag::Sequence)?)?,
        None => None,
    };
    let mask = match fields.optional(constructed(1))? {
        Some(field) => parse_mask(&only(field.value, Tag::Sequence)?)?,
        None => None,
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
    let salt_len = usize::try_from(salt_len)?;
    Ok(hash.filter(|_| hash == mask).map(|hash| SignatureScheme::RsaPssSalt { hash, salt_len }))
}

fn parse_mask(identifier: &Tlv<'_>) -> der::Result<Option<HashAlgorithm>> {
    match split(identifier)? {
        (MGF1, Some(hash)) => parse_hash(&hash),
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
