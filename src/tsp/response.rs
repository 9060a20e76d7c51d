//! TimeStampResp: what a timestamp authority answers (RFC 3161 §2.4.2).

use der::Tag;

use crate::digest::shorten;
use crate::pki::{Cursor, Tlv, only};

/// An answer, taken apart.
pub(crate) struct ResponseFrame<'a> {
    /// PKIStatus: 0 granted, 1 granted with modifications.
    pub(crate) status: u32,
    /// What PKIFailureInfo names.
    pub(crate) failure: String,
    /// What the authority says to people.
    pub(crate) text: String,
    /// The token, a CMS ContentInfo.
    pub(crate) token: Option<Tlv<'a>>,
}

impl<'a> ResponseFrame<'a> {
    /// `TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }`, where
    /// `PKIStatusInfo ::= SEQUENCE { status INTEGER, statusString SEQUENCE OF UTF8String OPTIONAL, failInfo BIT STRING OPTIONAL }`
    pub(crate) fn read(response: &'a [u8]) -> der::Result<Self> {
        let mut fields = Cursor::new(only(response, Tag::Sequence)?.value)?;
        let mut info = fields.enter(Tag::Sequence)?;
        let status = info.small_integer()?;
        let text = info.optional(Tag::Sequence)?.map(|text| free_text(text.value)).transpose()?.unwrap_or_default();
        let failure = info.optional(Tag::BitString)?.map(|bits| failure_names(bits.value)).unwrap_or_default();
        info.finish()?;
        let token = if fields.is_finished() { None } else { Some(fields.expect(Tag::Sequence)?) };
        fields.finish()?;
        Ok(Self { status, failure, text, token })
    }

    pub(crate) const fn is_granted(&self) -> bool {
        self.status <= 1
    }

    /// Whether a DER value is an answer and not a token: a token begins with an OBJECT IDENTIFIER.
    pub(super) fn is_one(der: &[u8]) -> bool {
        let first = || {
            let mut fields = Cursor::new(only(der, Tag::Sequence)?.value)?;
            fields.any()
        };
        first().is_ok_and(|first| first.tag == Tag::Sequence)
    }
}

fn free_text(content: &[u8]) -> der::Result<String> {
    let mut lines = Cursor::new(content)?;
    let mut all = String::new();
    while !lines.is_finished() {
        let line = lines.expect(Tag::Utf8String)?;
        all.push(' ');
        all.push_str(&String::from_utf8_lossy(line.value));
    }
    Ok(shorten(all.trim()))
}

/// `PKIFailureInfo ::= BIT STRING { badAlg (0), badRequest (2), … }`, as RFC 3161 §2.4.2 lists it.
fn failure_names(bits: &[u8]) -> String {
    const NAMES: [(usize, &str); 8] = [
        (0, "badAlg"),
        (2, "badRequest"),
        (5, "badDataFormat"),
        (14, "timeNotAvailable"),
        (15, "unacceptedPolicy"),
        (16, "unacceptedExtension"),
        (17, "addInfoNotAvailable"),
        (25, "systemFailure"),
    ];
    // The first octet says how many bits of the last one are unused.
    let is_set = |bit: usize| bits.get(1 + bit / 8).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, name)| *name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_names() {
        let failure = failure_names(&[0x06, 0x00, 0x03, 0x80, 0x40]);
        assert_eq!(failure, "timeNotAvailable, unacceptedPolicy, unacceptedExtension, systemFailure");
    }
}
