//! How old revocation data may be: the rules for the second of the three clocks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{EvidenceKind, Failure};
use crate::code::DiagnosticCode;
use crate::pki::{Crl, VerifiedOcsp};
use crate::time::UnixTime;

/// When a CRL or an OCSP response is good enough to call a certificate not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// It is still within `nextUpdate` at the verification time.
    #[default]
    Current,
    /// It was issued at most this long before the verification time.
    MaxAge(Duration),
    /// It is conclusive for the authenticated signing time: issued at or after it, or covering it. For archives.
    AtSigning,
}

/// The times that evidence is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The verification time: now, or what the operator said.
    pub verification: UnixTime,
    /// The latest moment at which the signature may have been made, if that is authenticated.
    pub signing: Option<UnixTime>,
}

/// What of a piece of evidence freshness is about.
struct Dated {
    kind: EvidenceKind,
    issuer: String,
    /// Nobody can have known of it before.
    issued: UnixTime,
    /// As of when it holds.
    as_of: UnixTime,
    next: Option<UnixTime>,
}

impl fmt::Display for Dated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of \"{}\"", self.kind, self.issuer)
    }
}

impl Freshness {
    /// Checks one CRL, complete or delta.
    ///
    /// # Errors
    /// Why its silence on a certificate does not count.
    pub fn check(self, crl: &Crl, clocks: Clocks) -> Result<(), Failure> {
        let (issued, next) = (crl.this_update(), crl.next_update());
        let kind = if crl.is_delta() { EvidenceKind::DeltaCrl } else { EvidenceKind::Crl };
        self.check_dated(&Dated { kind, issuer: crl.issuer().to_string(), issued, as_of: issued, next }, clocks)
    }

    /// Checks one OCSP response.
    ///
    /// # Errors
    /// Why its "good" does not count.
    pub fn check_ocsp(self, found: &VerifiedOcsp, clocks: Clocks) -> Result<(), Failure> {
        let dated = Dated {
            kind: EvidenceKind::Ocsp,
            issuer: found.responder().certificate().subject().to_string(),
            issued: found.this_update().max(found.produced_at()),
            as_of: found.this_update(),
            next: found.next_update(),
        };
        self.check_dated(&dated, clocks)
    }

    fn check_dated(self, found: &Dated, clocks: Clocks) -> Result<(), Failure> {
        let (issued, now) = (found.issued, clocks.verification);
        if issued > now {
            let message = format!("the {found} was issued on {issued}, after the verification time {now}");
            let code = found.code(DiagnosticCode::CrlNotYetIssued, DiagnosticCode::OcspNotYetIssued);
            return Err(
                Failure::new(code, message).with_hint("check the clock of this host, or the time that was given")
            );
        }
        match self {
            Self::Current => found.check_current(now),
            Self::MaxAge(most) => found.check_age(now, most),
            Self::AtSigning => found.check_at_signing(clocks.signing),
        }
    }
}

impl Dated {
    const fn code(&self, crl: DiagnosticCode, ocsp: DiagnosticCode) -> DiagnosticCode {
        match self.kind {
            EvidenceKind::Crl | EvidenceKind::DeltaCrl => crl,
            EvidenceKind::Ocsp => ocsp,
        }
    }

    fn check_current(&self, now: UnixTime) -> Result<(), Failure> {
        let (kind, code) = (self.kind, self.code(DiagnosticCode::CrlExpired, DiagnosticCode::OcspExpired));
        let Some(next) = self.next else {
            let message = format!("the {self} does not say until when it is current (no nextUpdate)");
            return Err(Failure::new(code, message).with_hint("--freshness max-age=DURATION accepts it by its age"));
        };
        if now > next {
            let message = format!("the {self} expired on {next}, before the verification time {now}");
            return Err(Failure::new(code, message).with_hint(format!(
                "bring a fresh {kind} in, or state how old it may be (--freshness max-age=DURATION), or judge by an authenticated signing time (--freshness at-signing)"
            )));
        }
        Ok(())
    }

    fn check_age(&self, now: UnixTime, most: Duration) -> Result<(), Failure> {
        let (kind, age) = (self.kind, now.since(self.as_of));
        if age <= most {
            return Ok(());
        }
        let message = format!(
            "the {self} was issued {} before the verification time; at most {} is allowed",
            Span(age),
            Span(most)
        );
        Err(Failure::new(self.code(DiagnosticCode::CrlTooOld, DiagnosticCode::OcspTooOld), message)
            .with_hint(format!("bring a fresh {kind} in, or allow a greater age (--freshness max-age=DURATION)")))
    }

    fn check_at_signing(&self, signing: Option<UnixTime>) -> Result<(), Failure> {
        let (kind, issued) = (self.kind, self.as_of);
        let code = self.code(DiagnosticCode::CrlNotConclusive, DiagnosticCode::OcspNotConclusive);
        let Some(signing) = signing else {
            let message = format!("there is no authenticated signing time that the {self} could be held against");
            return Err(Failure::new(code, message)
                .with_hint("the rule at-signing needs a timestamped signature, and a tsa trust store in the policy's statement; or choose --freshness current or max-age=DURATION"));
        };
        let covers = self.next.is_some_and(|next| signing <= next);
        if issued >= signing || covers {
            return Ok(());
        }
        let message = format!("the {self} of {issued} was no longer current at the signing time {signing}");
        let article = if self.kind == EvidenceKind::Ocsp { "an" } else { "a" };
        Err(Failure::new(code, message)
            .with_hint(format!("{article} {kind} issued at or after the signing time settles the question")))
    }
}

/// A span of time for people: its largest two units.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds} s"),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, _, 0) => write!(f, "{hours} h"),
            (0, _, _) => write!(f, "{hours} h {minutes} min"),
            (_, 0, _) => write!(f, "{days} d"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("current"),
            Self::MaxAge(age) => write!(f, "max-age={}s", age.as_secs()),
            Self::AtSigning => f.write_str("at-signing"),
        }
    }
}

impl FromStr for Freshness {
    type Err = FreshnessError;

    /// `current`, `at-signing`, or `max-age=` with a number and one of `s`, `m`, `h`, `d`.
    fn from_str(text: &str) -> Result<Self, FreshnessError> {
        let malformed = || FreshnessError { text: crate::digest::shorten(text) };
        match text {
            "current" => return Ok(Self::Current),
            "at-signing" => return Ok(Self::AtSigning),
            _ => {}
        }
        let age = text.strip_prefix("max-age=").ok_or_else(malformed)?;
        let digits = age.trim_end_matches(['s', 'm', 'h', 'd']);
        let unit = match age.strip_prefix(digits) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3_600,
            Some("d") => 86_400,
            _ => return Err(malformed()),
        };
        let number: u64 =
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten().ok_or_else(malformed)?;
        Ok(Self::MaxAge(Duration::from_secs(number.checked_mul(unit).ok_or_else(malformed)?)))
    }
}

/// A text that is no freshness rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no freshness rule: it reads current, at-signing or max-age=30d (s, m, h or d)")]
pub struct FreshnessError {
    /// The text.
    pub text: String,
}

impl crate::code::Diagnostic for FreshnessError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UsageInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_printed() {
        let day = Duration::from_secs(86_400);
        for (text, rule, printed) in [
            ("current", Freshness::Current, "current"),
            ("at-signing", Freshness::AtSigning, "at-signing"),
            ("max-age=30d", Freshness::MaxAge(day * 30), "max-age=2592000s"),
            ("max-age=90m", Freshness::MaxAge(Duration::from_secs(5_400)), "max-age=5400s"),
        ] {
            assert_eq!(text.parse(), Ok(rule));
            assert_eq!(rule.to_string(), printed);
        }
        for bad in [
            "",
            "fresh",
            "max-age",
            "max-age=",
            "max-age=d",
            "max-age=5",
            "max-age=-5d",
            "max-age=1dd",
            "max-age=+1d",
            "max-age=99999999999999999999d",
            "max-age=999999999999999999d",
        ] {
            assert!(bad.parse::<Freshness>().is_err(), "{bad}");
        }
    }
}
