//! Points in time and periods. There is no `now()` here: the time is always an argument.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;

/// A point in time: seconds since 1970-01-01T00:00:00Z, with nanoseconds that count forward.
///
/// Nanoseconds are there for RFC 3161's fractional `genTime`; certificates and CRLs know whole seconds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    seconds: i64,
    nanos: u32,
}

impl UnixTime {
    /// 0001-01-01T00:00:00Z, which Go writes for "no time".
    pub const GO_ZERO: Self = Self::from_seconds(-62_135_596_800);

    /// A whole second.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// A point between two seconds; `nanos` of a second or more are cut to the last nanosecond.
    pub const fn new(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos: if nanos < 1_000_000_000 { nanos } else { 999_999_999 } }
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since that second.
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// This much later, at most the end of time.
    pub fn saturating_add(self, duration: Duration) -> Self {
        let nanos = self.nanos + duration.subsec_nanos();
        let carry = i64::from(nanos / 1_000_000_000);
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self { seconds: self.seconds.saturating_add(seconds).saturating_add(carry), nanos: nanos % 1_000_000_000 }
    }

    /// This much earlier, at most the beginning of time.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let (borrow, nanos) = match self.nanos.checked_sub(duration.subsec_nanos()) {
            Some(nanos) => (0, nanos),
            None => (1, self.nanos + 1_000_000_000 - duration.subsec_nanos()),
        };
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self { seconds: self.seconds.saturating_sub(seconds).saturating_sub(borrow), nanos }
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        if self <= earlier {
            return Duration::ZERO;
        }
        let seconds = self.seconds.abs_diff(earlier.seconds);
        match self.nanos.checked_sub(earlier.nanos) {
            Some(nanos) => Duration::new(seconds, nanos),
            None => Duration::new(seconds.saturating_sub(1), self.nanos + 1_000_000_000 - earlier.nanos),
        }
    }

    /// The calendar date and time in UTC. (`jiff::Timestamp` ends two hours before the last second of the year 9999,
    /// which RFC 5280 §4.1.2.5 gives to certificates that do not expire.)
    fn civil(self) -> Option<DateTime> {
        let since = SignedDuration::from_secs(self.seconds);
        let fraction = SignedDuration::from_nanos(i64::from(self.nanos));
        EPOCH.checked_add(since).ok()?.checked_add(fraction).ok()
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(civil) => write!(f, "{civil}Z"),
            None => write!(f, "{} s from 1970", self.seconds),
        }
    }
}

impl FromStr for UnixTime {
    type Err = TimeError;

    /// RFC 3339, any offset, upper-case `T` and `Z`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let malformed = || TimeError::NotATime { text: shorten(text) };
        let (local, offset) = split_rfc3339(text).ok_or_else(malformed)?;
        let local: DateTime = local.parse().map_err(|_| malformed())?;
        let nanos = u32::try_from(local.subsec_nanosecond()).map_err(|_| malformed())?;
        let whole = local.with().subsec_nanosecond(0).build().map_err(|_| malformed())?;
        let seconds = whole.duration_since(EPOCH).as_secs().checked_sub(offset).ok_or_else(malformed)?;
        Ok(Self { seconds, nanos })
    }
}

/// Splits by the grammar of RFC 3339 §5.6, of which jiff's parser accepts a superset: date and time, and the offset from
/// UTC in seconds.
fn split_rfc3339(text: &str) -> Option<(&str, i64)> {
    let bytes = text.as_bytes();
    let shape = bytes.get(..19)?.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, want)| match want {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    });
    // A leap second is no second that anybody else here knows.
    if bytes.get(17..19) == Some(b"60") {
        return None;
    }
    let mut end = 19;
    if bytes.get(19) == Some(&b'.') {
        let digits = bytes.iter().skip(20).take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        end += 1 + digits;
    }
    let (local, zone) = text.split_at_checked(end)?;
    let two = |high: &u8, low: &u8| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(*byte - b'0'));
        Some(digit(high)? * 10 + digit(low)?)
    };
    let offset = match zone.as_bytes() {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
            let (hours, minutes) = (two(a, b)?, two(c, d)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3_600 + minutes * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    shape.then_some((local, offset))
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// From `not_before` to `not_after`, both inclusive (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValidityPeriod {
    /// The first moment inside.
    pub not_before: UnixTime,
    /// The last whole second inside.
    pub not_after: UnixTime,
}

impl ValidityPeriod {
    /// Whether `time` lies inside, both ends included (conformance 8.21, 14.28).
    pub fn contains(&self, time: UnixTime) -> bool {
        self.not_before <= time && !self.ended(time)
    }

    /// Whether `time` is past the end, by however little.
    pub fn ended(&self, time: UnixTime) -> bool {
        time > self.not_after
    }
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("{text:?} is not a time in RFC 3339 form")]
    NotATime {
        /// The text.
        text: String,
    },
}

impl Diagnostic for TimeError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::TimeMalformed
    }

    fn hint(&self) -> Option<String> {
        Some("write it like 2026-11-21T20:00:00Z".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_fractions_and_the_far_past() {
        let utc: UnixTime = "2023-03-14T08:10:02Z".parse().unwrap();
        assert_eq!(utc, "2023-03-14T16:10:02+08:00".parse().unwrap());
        assert_eq!("0001-01-01T00:00:00Z".parse::<UnixTime>().unwrap(), UnixTime::GO_ZERO);
        assert_eq!(UnixTime::GO_ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!("1969-12-31T23:59:59.25Z".parse::<UnixTime>().unwrap(), UnixTime::new(-1, 250_000_000));
        assert_eq!(UnixTime::new(-1, 250_000_000).to_string(), "1969-12-31T23:59:59.25Z");
        // RFC 5280 §4.1.2.5: no expiry.
        let last = UnixTime::from_seconds(253_402_300_799);
        assert_eq!((last.to_string().as_str(), "9999-12-31T23:59:59Z".parse()), ("9999-12-31T23:59:59Z", Ok(last)));
        assert_eq!("2000-01-01T00:00:00-23:59".parse(), Ok(UnixTime::from_seconds(946_684_800 + 86_340)));
    }

    #[test]
    fn refuses_what_go_refuses() {
        for bad in [
            "",
            "2023-03-14",
            "2023-03-14t08:10:02Z",
            "2023-03-14T08:10:02z",
            "2023-03-14 08:10:02Z",
            "2023-03-14T08:10:02",
            "2023-03-14T08:10:02.Z",
            "2023-13-14T08:10:02Z",
            "20230314T081002Z",
            "2023-03-14T08:10:02+0800",
            "2023-03-14T08:10:02Z[UTC]",
            "2023-02-30T08:10:02Z",
            "2023-03-14T08:10:60Z",
            "2023-03-14T08:10:02+24:00",
            "2023-03-14T08:10:02.1234567890Z",
        ] {
            assert!(bad.parse::<UnixTime>().is_err(), "{bad}");
        }
    }

    #[test]
    fn arithmetic_keeps_the_fraction() {
        let time = UnixTime::new(10, 100_000_000);
        let step = Duration::from_millis(1_500);
        assert_eq!(time.saturating_sub(step), UnixTime::new(8, 600_000_000));
        assert_eq!(time.saturating_add(step), UnixTime::new(11, 600_000_000));
        assert_eq!(time.since(UnixTime::new(8, 600_000_000)), step);
        assert_eq!(UnixTime::from_seconds(1).since(time), Duration::ZERO);
    }

    #[test]
    fn both_bounds_of_a_period_lie_inside() {
        let period = ValidityPeriod { not_before: UnixTime::from_seconds(5), not_after: UnixTime::from_seconds(9) };
        assert!(!period.contains(UnixTime::new(4, 999_999_999)));
        assert!(period.contains(UnixTime::from_seconds(5)));
        assert!(period.contains(UnixTime::from_seconds(9)));
        assert!(!period.contains(UnixTime::new(9, 1)));
    }
}
