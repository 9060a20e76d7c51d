//! Content digests (OCI image-spec, `descriptor.md#digests`): the registered algorithms, and sha384, by which a Notary
//! Project signature of a blob may name it and by which no OCI content is addressed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::code::{Diagnostic, DiagnosticCode};

/// The hash algorithms that a digest may name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`
    Sha256,
    /// `sha384`: in signatures of blobs only (conformance 2.04, 12.05)
    Sha384,
    /// `sha512`
    Sha512,
}

impl Algorithm {
    /// Every algorithm that OCI content is addressed by, in the order in which digests sort.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name in front of the colon, which is also the folder below `blobs/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of the encoded part, in hexadecimal digits.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    /// Starts a digest computation.
    pub fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Sha384 => Hasher::Sha384(Sha384::new()),
            Self::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }
}

/// A content digest. Its order is that of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256
    Sha256([u8; 32]),
    /// SHA-384, of blobs only
    Sha384([u8; 48]),
    /// SHA-512
    Sha512([u8; 64]),
}

impl Digest {
    /// The SHA-256 digest of `bytes`, the algorithm of everything that bulla writes itself.
    pub fn sha256(bytes: &[u8]) -> Self {
        Algorithm::Sha256.digest(bytes)
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha384(_) => Algorithm::Sha384,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw hash value.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// The lower-case hexadecimal part behind the colon.
    pub fn hex(&self) -> String {
        hex(self.as_bytes())
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    text
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// A digest of OCI content.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text, &Algorithm::ALL)
    }
}

impl Digest {
    /// A digest as a signature names what it signs: OCI content, or a blob (conformance 2.04).
    ///
    /// # Errors
    /// As for OCI content, save that sha384 is known.
    pub fn parse_signed(text: &str) -> Result<Self, DigestError> {
        Self::parse(text, &[Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512])
    }

    fn parse(text: &str, known: &[Algorithm]) -> Result<Self, DigestError> {
        let (name, encoded) = text.split_once(':').ok_or_else(|| DigestError::NotADigest { text: shorten(text) })?;
        let algorithm = known
            .iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| DigestError::UnsupportedAlgorithm { algorithm: shorten(name) })?;
        let malformed = || DigestError::NotADigest { text: shorten(text) };
        match algorithm {
            Algorithm::Sha256 => decode_hex(encoded).map(Self::Sha256),
            Algorithm::Sha384 => decode_hex(encoded).map(Self::Sha384),
            Algorithm::Sha512 => decode_hex(encoded).map(Self::Sha512),
        }
        .ok_or_else(malformed)
    }
}

fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    // Judged at the end: digits come at random, so that a processor would guess wrong at every other branch.
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        seen |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    (seen <= 0x0f).then_some(bytes)
}

/// The value of a lower-case hexadecimal digit; more than 15 for anything else.
const fn nibble(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    let of_letter = if letter < 6 { letter.wrapping_add(10) } else { u8::MAX };
    if number < 10 { number } else { of_letter }
}

/// Keeps hostile text in error messages short and printable.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A digest under computation.
#[derive(Debug, Clone)]
pub enum Hasher {
    /// SHA-256
    Sha256(Sha256),
    /// SHA-384
    Sha384(Sha384),
    /// SHA-512
    Sha512(Sha512),
}

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha384(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(state) => Digest::Sha256(state.finalize().into()),
            Self::Sha384(state) => Digest::Sha384(state.finalize().into()),
            Self::Sha512(state) => Digest::Sha512(state.finalize().into()),
        }
    }
}

/// Why a text is no usable digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Not `algorithm:hex` with lower-case digits of the right length.
    #[error("{text:?} is not a digest")]
    NotADigest {
        /// The text.
        text: String,
    },
    /// An algorithm other than sha256 and sha512.
    #[error("the digest algorithm {algorithm:?} is not supported")]
    UnsupportedAlgorithm {
        /// The name in front of the colon.
        algorithm: String,
    },
}

impl Diagnostic for DigestError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::NotADigest { .. } => DiagnosticCode::DigestMalformed,
            Self::UnsupportedAlgorithm { .. } => DiagnosticCode::DigestAlgorithmUnsupported,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("a digest reads sha256:<64 hex digits> or sha512:<128 hex digits>, in lower case".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_digests_are_those_of_fips_180_4() {
        assert_eq!(
            Digest::sha256(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let text = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                    47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        assert_eq!(Algorithm::Sha512.digest(b""), text.parse().unwrap());
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    }

    #[test]
    fn sha384_is_known_in_signatures_alone() {
        // Conformance 2.04; FIPS 180-4.
        let text =
            "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b";
        assert!(text.parse::<Digest>().is_err());
        assert!(serde_json::from_str::<Digest>(&format!("\"{text}\"")).is_err());
        let digest = Digest::parse_signed(text).unwrap();
        assert_eq!((digest, digest.to_string().as_str()), (Algorithm::Sha384.digest(b""), text));
        assert!(Digest::parse_signed(&text[..text.len() - 1]).is_err());
        assert!(Digest::parse_signed("md5:00").is_err());
        assert!(
            Digest::Sha256([0xff; 32]) < Digest::Sha384([0; 48])
                && Digest::Sha384([0xff; 48]) < Digest::Sha512([0; 64])
        );
    }

    #[test]
    fn every_byte_that_is_no_lower_case_digit_is_refused_wherever_it_stands() {
        let good = hex(&(0..32).map(|byte| byte * 7 + 0x1a).collect::<Vec<u8>>());
        assert_eq!(decode_hex::<32>(&good).map(|bytes| hex(&bytes)), Some(good.clone()));
        for (place, other) in (0..good.len()).flat_map(|place| (0..=127).map(move |other| (place, char::from(other)))) {
            let text = format!("{}{other}{}", &good[..place], &good[place + 1..]);
            let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            assert_eq!(decode_hex::<32>(&text).map(|bytes| hex(&bytes)), digits.then_some(text));
        }
    }

    #[test]
    fn refuses_what_is_no_digest() {
        let good = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for bad in [
            String::new(),
            good.to_owned(),
            format!("sha256:{}", good.to_uppercase()),
            format!("sha256:{}", &good[1..]),
            format!("sha256:{good}0"),
            format!("sha256:../{}", &good[3..]),
            format!("SHA256:{good}"),
            format!("md5:{}", &good[..32]),
            format!("sha384:{good}"),
            format!("sha512:{good}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
