//! As of when a certificate must not have been revoked: the reading of a revocation that the operator chooses.

use std::fmt;
use std::str::FromStr;

use super::timestamp::{AuthenticatedTime, TimeSource};
use crate::code::DiagnosticCode;
use crate::pki::Revocation;

/// What a revocation means for what was signed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationReading {
    /// Revoked is revoked, as the Notary Project reads it (conformance 8.32).
    #[default]
    Now,
    /// A signature that was provably made before stays good, unless a key may have been in the wrong hands at a time that
    /// nobody states.
    PointInTime,
}

impl RevocationReading {
    /// Whether `revocation` leaves a signature of that time alone. The same second is not before.
    ///
    /// A compromise counts from its invalidity date; without one it may reach back for ever. A signing authority's own word
    /// for the time is worth nothing once its key is in other hands: there a timestamp must say it.
    pub(super) fn excuses(self, revocation: &Revocation, signed: Option<AuthenticatedTime>) -> bool {
        let (Self::PointInTime, Some(signed)) = (self, signed) else { return false };
        let stated = revocation.invalidity_date.is_some() && signed.source == TimeSource::Timestamp;
        if revocation.reason.is_compromise() && !stated {
            return false;
        }
        let since = revocation.invalidity_date.map_or(revocation.date, |date| date.min(revocation.date));
        signed.latest < since
    }
}

impl fmt::Display for RevocationReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "now",
            Self::PointInTime => "point-in-time",
        })
    }
}

impl FromStr for RevocationReading {
    type Err = ReadingError;

    fn from_str(text: &str) -> Result<Self, ReadingError> {
        match text {
            "now" => Ok(Self::Now),
            "point-in-time" => Ok(Self::PointInTime),
            _ => Err(ReadingError { text: crate::digest::shorten(text) }),
        }
    }
}

/// A text that names no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither now nor point-in-time")]
pub struct ReadingError {
    /// The text.
    pub text: String,
}

impl crate::code::Diagnostic for ReadingError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UsageInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::RevocationReason;
    use crate::time::UnixTime;

    #[test]
    fn what_was_signed_before_stays_good_unless_a_key_was_lost_at_an_unknown_time() {
        const STAMP: TimeSource = TimeSource::Timestamp;
        const OWN: TimeSource = TimeSource::SigningAuthority;
        let at = UnixTime::from_seconds;
        let time = |latest, source| Some(AuthenticatedTime { earliest: at(latest - 2), latest: at(latest), source });
        for (reason, invalidity, signed, expected) in [
            (RevocationReason::Superseded, None, time(99, STAMP), true),
            (RevocationReason::Superseded, None, time(99, OWN), true),
            (RevocationReason::Superseded, None, time(100, STAMP), false),
            (RevocationReason::Superseded, None, None, false),
            (RevocationReason::Superseded, Some(50), time(99, STAMP), false),
            (RevocationReason::Superseded, Some(50), time(49, STAMP), true),
            (RevocationReason::Superseded, Some(150), time(100, STAMP), false),
            (RevocationReason::KeyCompromise, None, time(9, STAMP), false),
            (RevocationReason::CaCompromise, None, time(9, STAMP), false),
            (RevocationReason::AaCompromise, None, time(9, STAMP), false),
            (RevocationReason::KeyCompromise, Some(50), time(49, STAMP), true),
            (RevocationReason::KeyCompromise, Some(50), time(50, STAMP), false),
            (RevocationReason::KeyCompromise, Some(50), time(49, OWN), false),
        ] {
            let revocation = Revocation { date: at(100), reason, invalidity_date: invalidity.map(at) };
            let found = RevocationReading::PointInTime.excuses(&revocation, signed);
            assert_eq!(found, expected, "{reason} {invalidity:?} {signed:?}");
            assert!(!RevocationReading::Now.excuses(&revocation, signed));
        }
        for reading in [RevocationReading::Now, RevocationReading::PointInTime] {
            assert_eq!(reading.to_string().parse(), Ok(reading));
        }
        assert!("then".parse::<RevocationReading>().is_err());
    }
}
