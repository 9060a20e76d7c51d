//! When to try again, and how long to wait before (RFC 9110 §10.2.3, RFC 6585 §4).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whether a request is repeated whose time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterTimeout {
    /// As after every other failure.
    #[default]
    Again,
    /// It is not: the limit is that of the address, not that of an attempt.
    GiveUp,
}

/// How often a request that failed for the moment is repeated.
#[derive(Clone)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each.
    pub first_delay: Duration,
    /// The longest wait, also when the server asks for more.
    pub longest_delay: Duration,
    /// What a server that was silent for too long gets.
    pub after_timeout: AfterTimeout,
    /// How to wait. Tests put in what does not.
    pub sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(60),
            after_timeout: AfterTimeout::default(),
            sleep: Arc::new(std::thread::sleep),
        }
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("attempts", &self.attempts)
            .field("first_delay", &self.first_delay)
            .field("longest_delay", &self.longest_delay)
            .field("after_timeout", &self.after_timeout)
            .finish_non_exhaustive()
    }
}

impl RetryPolicy {
    /// Waits before the attempt after `attempt` (counted from 1), at least as long as the server asked for.
    pub fn wait(&self, attempt: u32, asked: Option<Duration>) {
        (self.sleep)(self.delay(attempt, asked, jitter()));
    }

    /// Exponential back-off, of which a random half is taken off so that many clients do not come back together.
    fn delay(&self, attempt: u32, asked: Option<Duration>, jitter: u8) -> Duration {
        let doubled = self.first_delay.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let whole = doubled.min(self.longest_delay);
        let half = whole / 2;
        let own = half.saturating_add(half.saturating_mul(u32::from(jitter)) / 255);
        own.max(asked.unwrap_or_default()).min(self.longest_delay)
    }
}

/// Without randomness the wait is the longest one, which is safe.
fn jitter() -> u8 {
    let mut byte = [u8::MAX];
    let _ = getrandom::fill(&mut byte);
    let [byte] = byte;
    byte
}

/// Whether the server may answer otherwise if asked again.
pub(super) const fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After`: seconds, or a date, which is held against the answer's own `Date` since there is no clock here.
pub(super) fn retry_after(value: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(value)?.checked_sub(http_date(date?)?)?;
    u64::try_from(until).ok().map(Duration::from_secs)
}

fn http_date(text: &str) -> Option<i64> {
    static PARSER: jiff::fmt::rfc2822::DateTimeParser = jiff::fmt::rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_keep_half() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay(1, None, 255), Duration::from_millis(500));
        assert_eq!(policy.delay(1, None, 0), Duration::from_millis(250));
        assert_eq!(policy.delay(3, None, 255), Duration::from_secs(2));
        assert_eq!(policy.delay(60, None, 255), Duration::from_secs(60));
        assert_eq!(policy.delay(1, Some(Duration::from_secs(7)), 255), Duration::from_secs(7));
        assert_eq!(policy.delay(1, Some(Duration::from_secs(86_400)), 255), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(Some("120"), None), Some(Duration::from_secs(120)));
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:50:00 GMT"), date), Some(Duration::from_secs(23)));
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:49:00 GMT"), date), None);
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:50:00 GMT"), None), None);
        assert_eq!(retry_after(Some("soon"), date), None);
        assert_eq!(retry_after(None, date), None);
    }
}
