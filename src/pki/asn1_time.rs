//! UTCTime and GeneralizedTime (RFC 5280 §4.1.2.5, RFC 3161 §2.4.2), from year 0 to 9999.

use der::Tag;

use super::tlv::{Cursor, Tlv};
use crate::time::UnixTime;

/// A `Time` as certificates and CRLs have it: whole seconds, `Z`.
pub(crate) fn read_time(cursor: &mut Cursor<'_>) -> der::Result<UnixTime> {
    parse_time(&cursor.any()?)
}

/// A `Time`, if one comes next.
pub(crate) fn read_optional_time(cursor: &mut Cursor<'_>) -> der::Result<Option<UnixTime>> {
    let tlv = match cursor.optional(Tag::UtcTime)? {
        Some(tlv) => Some(tlv),
        None => cursor.optional(Tag::GeneralizedTime)?,
    };
    tlv.as_ref().map(parse_time).transpose()
}

pub(crate) fn parse_time(tlv: &Tlv<'_>) -> der::Result<UnixTime> {
    let time = match tlv.tag {
        Tag::UtcTime => utc_time(tlv.value),
        Tag::GeneralizedTime => generalized_time(tlv.value).filter(|time| time.nanos() == 0),
        other => return Err(other.unexpected_error(Some(Tag::UtcTime)).into()),
    };
    time.ok_or_else(|| tlv.tag.value_error().into())
}

/// A GeneralizedTime with an optional fraction of any length, as RFC 3161 has it.
pub(crate) fn parse_generalized(tlv: &Tlv<'_>) -> der::Result<UnixTime> {
    tlv.tag.assert_eq(Tag::GeneralizedTime)?;
    generalized_time(tlv.value).ok_or_else(|| tlv.tag.value_error().into())
}

/// `YYMMDDHHMMSSZ`; the years 50 to 99 belong to the 20th century.
fn utc_time(text: &[u8]) -> Option<UnixTime> {
    let (year, rest) = text.split_first_chunk::<2>()?;
    let year = number(year)?;
    let century = if year < 50 { 2000 } else { 1900 };
    let (seconds, rest) = from_month(century + year, rest)?;
    (rest == b"Z").then(|| UnixTime::from_seconds(seconds))
}

/// `YYYYMMDDHHMMSS[.f…]Z`; DER forbids a fraction that ends in zero.
fn generalized_time(text: &[u8]) -> Option<UnixTime> {
    let (year, rest) = text.split_first_chunk::<4>()?;
    let (seconds, rest) = from_month(number(year)?, rest)?;
    match rest.strip_suffix(b"Z")? {
        [] => Some(UnixTime::from_seconds(seconds)),
        [b'.', fraction @ ..] => Some(UnixTime::new(seconds, nanoseconds(fraction)?)),
        _ => None,
    }
}

/// Digits behind the point, cut after the ninth.
fn nanoseconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 32 || digits.ends_with(b"0") || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// The seconds of a date whose year is known, and what follows the `MMDDHHMMSS`.
fn from_month(year: u32, text: &[u8]) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<10>()?;
    let [m1, m0, d1, d0, h1, h0, i1, i0, s1, s0] = *digits;
    let (month, day) = (number(&[m1, m0])?, number(&[d1, d0])?);
    let (hour, minute, second) = (number(&[h1, h0])?, number(&[i1, i0])?, number(&[s1, s0])?);
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = i64::from(hour * 3600 + minute * 60 + second);
    Some((days_from_epoch(year, month, day) * 86_400 + of_day, rest))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
}

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. `year` has four digits.
fn days_from_epoch(year: u32, month: u32, day: u32) -> i64 {
    let before = year.saturating_sub(1);
    // Year 0 is a leap year of 366 days that `before` does not count.
    let years = if year == 0 { 0 } else { 366 + before * 365 + before / 4 - before / 100 + before / 400 };
    let months: u32 = (1..month).map(|month| days_in(year, month)).sum();
    i64::from(years + months + day) - 1 - 719_528
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        utc_time(text.as_bytes()).map(|time| time.to_string())
    }

    fn generalized(text: &str) -> Option<String> {
        generalized_time(text.as_bytes()).map(|time| time.to_string())
    }

    #[test]
    fn the_century_turns_in_2050_and_the_past_reaches_before_1970() {
        assert_eq!(utc("500101000000Z").unwrap(), "1950-01-01T00:00:00Z");
        assert_eq!(utc("491231235959Z").unwrap(), "2049-12-31T23:59:59Z");
        assert_eq!(utc("700101000000Z").unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(utc("000229120000Z").unwrap(), "2000-02-29T12:00:00Z");
        // RFC 5280's "no expiry" lies beyond what jiff shows.
        assert_eq!(generalized_time(b"99991231235959Z").unwrap().seconds(), 253_402_300_799);
        assert_eq!(generalized("00010101000000Z").unwrap(), "0001-01-01T00:00:00Z");
        assert_eq!(generalized("00000101000000Z").unwrap(), "0000-01-01T00:00:00Z");
        assert_eq!(generalized("19000301000000Z").unwrap(), "1900-03-01T00:00:00Z");
    }

    #[test]
    fn every_month_agrees_with_jiff() {
        for year in [0, 1, 4, 100, 400, 1600, 1899, 1900, 1904, 1970, 2000, 2026, 2100, 9998] {
            for month in 1..=12 {
                for day in [1, days_in(year, month)] {
                    let date = format!("{year:04}{month:02}{day:02}010203Z");
                    let want = format!("{year:04}-{month:02}-{day:02}T01:02:03Z");
                    assert_eq!(generalized(&date).unwrap(), want);
                }
            }
        }
    }

    #[test]
    fn fractions_count_and_have_one_form() {
        assert_eq!(generalized("20260101000000.009Z").unwrap(), "2026-01-01T00:00:00.009Z");
        assert_eq!(generalized("20260101000000.1234567891Z").unwrap(), "2026-01-01T00:00:00.123456789Z");
        for bad in [
            "20260101000000.Z",
            "20260101000000.10Z",
            "20260101000000.0Z",
            "20260101000000,5Z",
            "20260101000000",
            "20260101000000+0000",
            "202601010000Z",
            "20260229000000Z",
            "20261301000000Z",
            "20260101240000Z",
            "20260101006000Z",
            "20260101000060Z",
            "2026010100000aZ",
            "",
        ] {
            assert_eq!(generalized(bad), None, "{bad}");
        }
        for bad in ["260101000000", "2601010000Z", "260101000000.5Z", "26010100000 Z"] {
            assert_eq!(utc(bad), None, "{bad}");
        }
    }
}
