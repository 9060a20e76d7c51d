//! A timestamp judged by itself, as RFC 3161, 5652 and 5280 have it and without the Notary Project's profile: what
//! `bulla timestamp verify` does.
//!
//! It shares everything with [`super::TimestampToken`] but the narrower rules: the reading of SignedData, TSTInfo and
//! ESSCertID, the check of the signature, and path validation. Wider here: signers named by key identifier, Ed25519 and keys
//! restricted to PSS, ESSCertID version 1, certificates that are not in the token, and, on the operator's word, SHA-1.
//! Narrower: there is one signer (RFC 3161 §2.4.2).

use super::essential::{self, EssVersion, EssentialId};
use super::response::ResponseFrame;
use super::{SIGNING_TIME, StampInfo, TST_INFO, TimestampError};
use crate::cms::{CmsError, SignedData, Signer};
use crate::digest::hex;
use crate::limits::Limits;
use crate::pki::validation::{Material, PathSettings, Purpose, RevocationMode, ValidPath, validate};
use crate::pki::{Certificate, CertificatePool, Cursor, NamedHash, WeakHashes, check_valid_at, parse_time};
use crate::time::UnixTime;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampSettings {
    /// The time at which the authority's path is judged.
    pub at: UnixTime,
    /// Whether SHA-1 is let through.
    pub weak: WeakHashes,
    /// What must be known about revocation.
    pub revocation: RevocationMode,
}

/// What an authority said beside its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// PKIStatus: 0 granted, 1 granted with modifications.
    pub status: u32,
    /// What PKIFailureInfo names.
    pub failure: String,
    /// What the authority says to people.
    pub text: String,
}

/// A token of any form that RFC 3161 allows; nothing about its signature is known yet.
#[derive(Debug, Clone)]
pub struct Stamp {
    answer: Option<Answer>,
    data: SignedData,
    info: StampInfo,
    signer: Signer,
    /// What each of the attributes names, the newer one first.
    essential: Vec<(EssVersion, Vec<EssentialId>)>,
}

impl Stamp {
    /// Reads a TimeStampResp, or a token (a CMS ContentInfo), with nothing behind it.
    ///
    /// # Errors
    /// Not strict DER, not a SignedData of a TSTInfo, not exactly one signer, one that does not name its certificate, or an
    /// answer without a token.
    pub fn parse(der: &[u8], limits: &Limits) -> Result<Self, TimestampError> {
        let size = u64::try_from(der.len()).unwrap_or(u64::MAX);
        if size > limits.token_bytes() {
            return Err(TimestampError::TooLarge { size, limit: limits.token_bytes() });
        }
        if !ResponseFrame::is_one(der) {
            return Self::read(der, None, limits);
        }
        let frame = ResponseFrame::read(der)?;
        let answer = Answer { status: frame.status, failure: frame.failure.clone(), text: frame.text.clone() };
        match frame.token {
            Some(token) if frame.is_granted() => Self::read(token.raw, Some(answer), limits),
            _ => Err(TimestampError::NoToken { answer }),
        }
    }

    fn read(der: &[u8], answer: Option<Answer>, limits: &Limits) -> Result<Self, TimestampError> {
        let data = SignedData::parse(der, limits, &CertificatePool::default())?;
        if data.content_type != TST_INFO {
            return Err(TimestampError::ContentType { found: data.content_type.to_string() });
        }
        let info = StampInfo::parse(&data.content)?;
        let [signer] = data.signers.as_slice() else {
            return Err(CmsError::TooMany { what: "signers", limit: 1 }.into());
        };
        let signer = signer.clone();
        let mut named = Vec::new();
        for version in [EssVersion::V2, EssVersion::V1] {
            named.extend(essential::all(&signer, version)?.map(|ids| (version, ids)));
        }
        if named.is_empty() {
            return Err(CmsError::Attribute { oid: essential::SIGNING_CERTIFICATE_V2.to_string() }.into());
        }
        Ok(Self { answer, data, info, signer, essential: named })
    }

    /// What the authority said beside the token, if this was an answer.
    pub const fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// What the authority signed.
    pub const fn info(&self) -> &StampInfo {
        &self.info
    }

    /// The signer.
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The certificates in the token, in its order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.data.certificates
    }

    /// By which attributes the signer names its certificate, and by which hash.
    pub fn essential(&self) -> Vec<(EssVersion, NamedHash)> {
        self.essential.iter().filter_map(|(version, ids)| ids.first().map(|id| (*version, id.hash))).collect()
    }

    /// The time at which the signer says it signed: a CMS attribute, on which nothing rests.
    pub fn signing_time(&self) -> Option<UnixTime> {
        let value = self.signer.find(SIGNING_TIME).ok()??;
        parse_time(&Cursor::new(value).ok()?.any().ok()?).ok()
    }

    /// The signer's certificate, if it is in the token.
    pub fn authority(&self) -> Option<&Certificate> {
        self.find_authority(self.certificates().iter()).ok()
    }

    /// Checks that the token is of what has this hash, its signature, that genTime lies within the validity of the authority's
    /// certificate, and that the certificate has a valid path for timestamping at the time that was asked for.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn judge(
        &self,
        hash: NamedHash,
        digest: &[u8],
        material: &Material,
        settings: &StampSettings,
    ) -> Result<ValidStamp, TimestampError> {
        self.info.check_extensions()?;
        self.check_imprint(hash, digest, settings.weak)?;
        let at_hand = self.certificates().iter().chain(&material.untrusted).chain(&material.anchors);
        let authority = self.find_authority(at_hand)?;
        self.signer.verify_with(&self.data, authority, settings.weak)?;
        let gen_time = UnixTime::from_seconds(self.info.gen_time.seconds());
        check_valid_at(authority, gen_time).map_err(|source| TimestampError::GenTime { source })?;
        let path = PathSettings {
            purpose: Purpose::Timestamping,
            weak: settings.weak,
            revocation: settings.revocation,
            ..PathSettings::new(settings.at)
        };
        let path = validate(authority, &self.allowed(material), &path)
            .map_err(|source| TimestampError::Path { source: Box::new(source) })?;
        Ok(ValidStamp { info: self.info.clone(), path })
    }

    fn check_imprint(&self, hash: NamedHash, digest: &[u8], weak: WeakHashes) -> Result<(), TimestampError> {
        let found = self.info.hash;
        if !found.is_accepted(weak) {
            return Err(TimestampError::ImprintHash { found });
        }
        if hash != found {
            return Err(TimestampError::OtherHash { expected: hash, found });
        }
        if digest != self.info.imprint {
            let (expected, found) = (hex(digest), hex(&self.info.imprint));
            return Err(TimestampError::ImprintMismatch { expected, found });
        }
        Ok(())
    }

    /// The certificate that the signer identifier names and that the first ESSCertID of every attribute names too: where both
    /// versions are there, both must hold (RFC 5035 §5).
    fn find_authority<'a>(
        &self,
        at_hand: impl Iterator<Item = &'a Certificate>,
    ) -> Result<&'a Certificate, TimestampError> {
        let mut is_named = false;
        for certificate in at_hand.filter(|certificate| self.signer.names(certificate)) {
            is_named = true;
            if self.essential.iter().all(|(_, ids)| ids.first().is_some_and(|id| id.is_of(certificate))) {
                return Ok(certificate);
            }
        }
        let unknown = |ids: &[EssentialId]| match ids.first() {
            Some(EssentialId { hash: NamedHash::Other(_), .. }) => true,
            Some(_) | None => false,
        };
        Err(match is_named {
            _ if self.essential.iter().any(|(_, ids)| unknown(ids)) => TimestampError::SigningCertificateHash,
            true => TimestampError::OtherSignerCertificate,
            false => TimestampError::SignerCertificateMissing,
        })
    }

    /// What a path may be built of. Where an attribute names more certificates than the signer's, it limits those between
    /// that one and the anchor (RFC 5035 §4).
    fn allowed(&self, material: &Material) -> Material {
        let mut allowed = material.clone();
        allowed.untrusted = self.certificates().iter().chain(&material.untrusted).cloned().collect();
        for (_, ids) in self.essential.iter().filter(|(_, ids)| ids.len() > 1) {
            allowed.untrusted.retain(|certificate| ids.iter().any(|id| id.is_of(certificate)));
        }
        allowed
    }
}

/// A timestamp that holds. Only [`Stamp::judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidStamp {
    info: StampInfo,
    path: ValidPath,
}

impl ValidStamp {
    /// What the authority signed.
    pub const fn info(&self) -> &StampInfo {
        &self.info
    }

    /// The authority's path, its own certificate first.
    pub const fn path(&self) -> &ValidPath {
        &self.path
    }
}
