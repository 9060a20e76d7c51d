//! What CRLs and OCSP responses say of a revoked certificate (RFC 5280 §5.3).

use std::fmt;

use der::Tag;

use super::tlv::only;
use crate::time::UnixTime;

/// A revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When the authority processed it.
    pub date: UnixTime,
    /// Why.
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to have been in the wrong hands.
    pub invalidity_date: Option<UnixTime>,
}

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    /// unspecified (0), also if the entry names no reason.
    Unspecified,
    /// keyCompromise (1)
    KeyCompromise,
    /// cACompromise (2)
    CaCompromise,
    /// affiliationChanged (3)
    AffiliationChanged,
    /// superseded (4)
    Superseded,
    /// cessationOfOperation (5)
    CessationOfOperation,
    /// certificateHold (6)
    CertificateHold,
    /// privilegeWithdrawn (9)
    PrivilegeWithdrawn,
    /// aACompromise (10)
    AaCompromise,
}

impl Revocation {
    /// The worst of two about one certificate: the earlier date, the graver reason, and an invalidity date only where every
    /// compromise has one.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let graver = if other.reason.gravity() > self.reason.gravity() { other } else { self };
        let undated = |one: &Self| one.reason.is_compromise() && one.invalidity_date.is_none();
        let dates = [self.invalidity_date, other.invalidity_date].into_iter().flatten();
        Self {
            date: self.date.min(other.date),
            reason: graver.reason,
            invalidity_date: dates.min().filter(|_| !undated(self) && !undated(other)),
        }
    }
}

impl RevocationReason {
    /// A hold may end, a compromise reaches back.
    const fn gravity(self) -> u8 {
        match self {
            Self::CertificateHold => 0,
            other if other.is_compromise() => 2,
            _ => 1,
        }
    }

    /// The name of RFC 5280, in its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }

    /// Whether a key may have been in the wrong hands, so that what it signed before is in doubt too.
    pub const fn is_compromise(self) -> bool {
        matches!(self, Self::KeyCompromise | Self::CaCompromise | Self::AaCompromise)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason as it is written: one of them takes a revocation back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReasonCode {
    Reason(RevocationReason),
    /// removeFromCRL (8), which belongs into delta CRLs only.
    RemoveFromCrl,
}

/// `CRLReason ::= ENUMERATED`
pub(crate) fn reason_code(value: &[u8]) -> Result<ReasonCode, &'static str> {
    let code = only(value, Tag::Enumerated).map_err(|_| "its reason is malformed")?.value;
    Ok(ReasonCode::Reason(match code {
        [0] => RevocationReason::Unspecified,
        [1] => RevocationReason::KeyCompromise,
        [2] => RevocationReason::CaCompromise,
        [3] => RevocationReason::AffiliationChanged,
        [4] => RevocationReason::Superseded,
        [5] => RevocationReason::CessationOfOperation,
        [6] => RevocationReason::CertificateHold,
        [8] => return Ok(ReasonCode::RemoveFromCrl),
        [9] => RevocationReason::PrivilegeWithdrawn,
        [10] => RevocationReason::AaCompromise,
        _ => return Err("its reason is unknown"),
    }))
}
