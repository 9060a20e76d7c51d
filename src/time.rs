//! Points in time and periods. There is no `now()` here: the time is always an argument.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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

    fn timestamp(self) -> Option<jiff::Timestamp> {
        // jiff counts nanoseconds in the direction of the sign of the seconds.
        let (seconds, nanos) = match (self.seconds, i64::from(self.nanos)) {
            (seconds, nanos) if seconds < 0 && nanos > 0 => (seconds + 1, nanos - 1_000_000_000),
            both => both,
        };
        jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(timestamp) => fmt::Display::fmt(&timestamp, f),
            None => write!(f, "{} s from 1970", self.seconds),
        }
    }
}

impl FromStr for UnixTime {
    type Err = TimeError;

    /// RFC 3339, any offset, upper-case `T` and `Z`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let malformed = || TimeError::NotATime { text: shorten(text) };
        if !is_rfc3339(text) {
            return Err(malformed());
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| malformed())?;
        let nanos = timestamp.subsec_nanosecond();
        let (seconds, nanos) = match u32::try_from(nanos) {
            Ok(nanos) => (timestamp.as_second(), nanos),
            Err(_) => {
                let forward = nanos.checked_add(1_000_000_000).and_then(|n| u32::try_from(n).ok());
                (timestamp.as_second() - 1, forward.ok_or_else(malformed)?)
            }
        };
        Ok(Self { seconds, nanos })
    }
}

/// The grammar of RFC 3339 §5.6, of which jiff's parser accepts a superset.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((head, rest)) = bytes.split_at_checked(19) else { return false };
    let shape = head.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, want)| match want {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        None => rest,
    };
    let zone = match rest {
        [b'Z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    };
    shape && zone
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
    /// Whether `time` lies inside; the second of `not_after` counts whole.
    pub fn contains(&self, time: UnixTime) -> bool {
        self.not_before <= time && !self.ended(time)
    }

    /// Whether `time` is past the last second.
    pub fn ended(&self, time: UnixTime) -> bool {
        time.seconds > self.not_after.seconds
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
        assert!(period.contains(UnixTime::new(9, 999_999_999)));
        assert!(!period.contains(UnixTime::from_seconds(10)));
    }
}
