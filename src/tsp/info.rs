//! TSTInfo: what a timestamp authority signs (RFC 3161 §2.4.2).

use std::time::Duration;

use der::Tag;

use super::{ETSI_BASELINE, TimestampError};
use crate::cms::CmsError;
use crate::pki::{
    Cursor, ExtensionsError, GeneralName, HashAlgorithm, NamedHash, SerialNumber, constructed, named_hash, only,
    parse_generalized, primitive, read_extensions, to_u32,
};
use crate::time::UnixTime;

/// Everything that a TSTInfo says, with whatever hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampInfo {
    /// When the authority saw the imprint.
    pub gen_time: UnixTime,
    /// How far off genTime may be, both ways; `None` where the authority does not say.
    pub accuracy: Option<Duration>,
    /// The authority's policy, in dotted form.
    pub policy: String,
    /// The token's serial number.
    pub serial: SerialNumber,
    /// The hash of the imprint.
    pub hash: NamedHash,
    /// The hash of what was stamped.
    pub imprint: Vec<u8>,
    /// The whole MessageImprint as the authority wrote it, in DER.
    pub imprint_der: Vec<u8>,
    /// Whether tokens of this authority can be ordered by genTime alone.
    pub ordering: bool,
    /// The octets of the nonce, where there is one.
    pub nonce: Option<Vec<u8>>,
    /// What the authority calls itself.
    pub tsa: Option<String>,
    /// The object identifiers of the extensions, and whether each is critical. None is known to us.
    pub extensions: Vec<(String, bool)>,
}

impl StampInfo {
    /// genTime less the accuracy, where that is given.
    pub fn earliest(&self) -> UnixTime {
        self.gen_time.saturating_sub(self.accuracy.unwrap_or_default())
    }

    /// ```text
    /// TSTInfo ::= SEQUENCE { version INTEGER (1), policy OBJECT IDENTIFIER,
    ///     messageImprint SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING },
    ///     serialNumber INTEGER, genTime GeneralizedTime, accuracy Accuracy OPTIONAL, ordering BOOLEAN DEFAULT FALSE,
    ///     nonce INTEGER OPTIONAL, tsa [0] GeneralName OPTIONAL, extensions [1] IMPLICIT Extensions OPTIONAL }
    /// ```
    pub(super) fn parse(content: &[u8]) -> Result<Self, TimestampError> {
        let mut fields = Cursor::new(only(content, Tag::Sequence)?.value)?;
        let version = fields.small_integer()?;
        if version != 1 {
            return Err(CmsError::Version { what: "TSTInfo", expected: 1, found: version }.into());
        }
        let policy = fields.oid()?.to_string();
        let whole = fields.expect(Tag::Sequence)?;
        let (hash, imprint) = read_imprint(Cursor::new(whole.value)?)?;
        let serial = SerialNumber::read(&mut fields)?;
        let gen_time = parse_generalized(&fields.any()?)?;
        let accuracy = fields.optional(Tag::Sequence)?.map(|field| read_accuracy(field.value)).transpose()?;
        let ordering = fields.optional(Tag::Boolean)?.is_some_and(|flag| flag.value != [0]);
        let nonce = fields.optional(Tag::Integer)?.map(|nonce| nonce.value.to_vec());
        let tsa = fields.optional(constructed(0))?.and_then(|tsa| tsa_name(tsa.value));
        let extensions = fields.optional(constructed(1))?.map(|list| read_list(list.value)).transpose()?;
        fields.finish()?;
        let extensions = extensions.unwrap_or_default();
        let imprint_der = whole.raw.to_vec();
        Ok(Self { gen_time, accuracy, policy, serial, hash, imprint, imprint_der, ordering, nonce, tsa, extensions })
    }

    /// # Errors
    /// A critical extension: none is known.
    pub(super) fn check_extensions(&self) -> Result<(), TimestampError> {
        match self.extensions.iter().find(|(_, critical)| *critical) {
            Some((extension, _)) => Err(TimestampError::CriticalExtension { extension: extension.clone() }),
            None => Ok(()),
        }
    }
}

fn read_imprint(mut fields: Cursor<'_>) -> der::Result<(NamedHash, Vec<u8>)> {
    let algorithm = fields.expect(Tag::Sequence)?;
    let imprint = fields.expect(Tag::OctetString)?.value.to_vec();
    fields.finish()?;
    Ok((named_hash(&algorithm)?, imprint))
}

/// The name is a claim and nothing rests on it, so that an unknown form is no error.
fn tsa_name(explicit: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(explicit).ok()?;
    let name = cursor.any().ok()?;
    GeneralName::read(&name).ok().map(|name| name.describe())
}

fn read_list(content: &[u8]) -> der::Result<Vec<(String, bool)>> {
    match read_extensions(content) {
        Ok(found) => Ok(found.into_iter().map(|one| (one.oid.to_string(), one.critical)).collect()),
        Err(ExtensionsError::Malformed(source)) => Err(source),
        Err(ExtensionsError::Duplicate(_)) => Err(Tag::Sequence.value_error().into()),
    }
}

/// `Accuracy ::= SEQUENCE { seconds INTEGER OPTIONAL, millis [0] INTEGER OPTIONAL, micros [1] INTEGER OPTIONAL }`
fn read_accuracy(content: &[u8]) -> der::Result<Duration> {
    let mut fields = Cursor::new(content)?;
    let mut part = |tag| {
        let value = fields.optional(tag)?.map(|part| to_u32(part.value).ok_or(Tag::Integer.value_error()));
        Ok::<_, der::Error>(u64::from(value.transpose()?.unwrap_or(0)))
    };
    let (seconds, millis, micros) = (part(Tag::Integer)?, part(primitive(0))?, part(primitive(1))?);
    fields.finish()?;
    let sum = Duration::from_secs(seconds).saturating_add(Duration::from_millis(millis));
    Ok(sum.saturating_add(Duration::from_micros(micros)))
}

/// What a timestamp authority signs, as the Notary profile takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TstInfo {
    /// When the authority saw the imprint.
    pub gen_time: UnixTime,
    /// How far off genTime may be, both ways (conformance 9.26).
    pub accuracy: Duration,
    /// The authority's policy, in dotted form.
    pub policy: String,
    /// The token's serial number.
    pub serial: SerialNumber,
    /// The hash of the imprint.
    pub hash: HashAlgorithm,
    /// The hash of what was stamped.
    pub imprint: Vec<u8>,
    /// The whole MessageImprint as the authority wrote it, in DER: an answer is compared with its question byte by byte
    /// (conformance 9.09).
    pub imprint_der: Vec<u8>,
    /// The octets of the nonce, where there is one.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        self.gen_time.saturating_sub(self.accuracy)
    }

    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        self.gen_time.saturating_add(self.accuracy)
    }

    /// An imprint by SHA-2, and no critical extension.
    pub(super) fn of(info: StampInfo) -> Result<Self, TimestampError> {
        info.check_extensions()?;
        let NamedHash::Strong(hash) = info.hash else { return Err(TimestampError::ImprintAlgorithm) };
        let accuracy = match info.accuracy.filter(|given| !given.is_zero()) {
            Some(given) => given,
            None if info.policy == ETSI_BASELINE => Duration::from_secs(1),
            None => Duration::ZERO,
        };
        let StampInfo { gen_time, policy, serial, imprint, imprint_der, nonce, .. } = info;
        Ok(Self { gen_time, accuracy, policy, serial, hash, imprint, imprint_der, nonce })
    }
}
