//! Distinguished names (RFC 5280 §4.1.2.4), shown as RFC 4514.

use std::fmt::{self, Write as _};

use der::asn1::ObjectIdentifier;
use der::{ErrorKind, Tag};

use super::tlv::{Cursor, Tlv};
use crate::digest::hex;

/// Attributes in one name. Real ones have about eight.
const MOST_ATTRIBUTES: usize = 128;
/// Octets of one name. Real ones have about a hundred.
const MOST_OCTETS: usize = 64 << 10;

/// The attribute types that have a short name: RFC 4514 §3, and what OpenSSL and Go add.
const SHORT_NAMES: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.17", "POSTALCODE"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A distinguished name. Equal when the DER is equal; `Display` is RFC 4514, most specific first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
}

impl Name {
    /// Reads `Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }`.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> der::Result<Self> {
        let name = cursor.expect(Tag::Sequence)?;
        if name.raw.len() > MOST_OCTETS {
            return Err(ErrorKind::Overlength.into());
        }
        let mut sets = Cursor::new(name.value)?;
        let mut rdns = Vec::new();
        let mut room = MOST_ATTRIBUTES;
        while !sets.is_finished() {
            let rdn = read_rdn(sets.enter(Tag::Set)?, room)?;
            room = room.saturating_sub(rdn.len());
            rdns.push(rdn);
        }
        Ok(Self { der: name.raw.to_vec(), rdns })
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The relative names in the order of the encoding (country first, as a rule).
    pub fn rdns(&self) -> &[Vec<Attribute>] {
        &self.rdns
    }

    /// Whether there is no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// Whether both are the same name by RFC 5280 §7.1: letters of either case, runs of white space and string types do
    /// not matter, the order within a relative name neither. Case is folded as Unicode does; text is not normalised, so
    /// names that differ in composed characters differ. `==` compares the DER, as the Notary Project wants (conformance 5.05).
    pub fn matches(&self, other: &Self) -> bool {
        self.der == other.der || (self.rdns.len() == other.rdns.len() && self.canonical() == other.canonical())
    }

    /// What is equal for names that [match](Self::matches), one element a relative name.
    pub(crate) fn canonical(&self) -> Vec<CanonicalRdn> {
        self.rdns.iter().map(|rdn| canonical_rdn(rdn)).collect()
    }

    /// The most specific common name.
    pub fn common_name(&self) -> Option<&str> {
        let found = self.rdns.iter().rev().flatten().find(|attribute| attribute.short_name == Some("CN"));
        found.map(|attribute| attribute.value.as_str())
    }
}

/// One relative name in the form in which RFC 5280 §7.1 compares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CanonicalRdn(Vec<(ObjectIdentifier, bool, String)>);

impl CanonicalRdn {
    /// Whether every character is ASCII, so that nothing hides behind Unicode's equivalences.
    pub(crate) fn is_ascii(&self) -> bool {
        self.0.iter().all(|(_, _, value)| value.is_ascii())
    }
}

pub(crate) fn canonical_rdn(rdn: &[Attribute]) -> CanonicalRdn {
    let mut attributes: Vec<_> = rdn.iter().map(|found| (found.oid, found.is_text, folded(found))).collect();
    attributes.sort();
    CanonicalRdn(attributes)
}

fn folded(attribute: &Attribute) -> String {
    if !attribute.is_text {
        return attribute.value.clone();
    }
    let words: Vec<&str> = attribute.value.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Reads the content of a relative name that stands alone (nameRelativeToCRLIssuer).
pub(crate) fn read_relative(content: &[u8]) -> der::Result<Vec<Attribute>> {
    read_rdn(Cursor::new(content)?, MOST_ATTRIBUTES)
}

/// One `RelativeDistinguishedName`, which has at least one attribute.
fn read_rdn(mut set: Cursor<'_>, most: usize) -> der::Result<Vec<Attribute>> {
    let mut attributes = Vec::new();
    while attributes.is_empty() || !set.is_finished() {
        if attributes.len() >= most {
            return Err(ErrorKind::Overlength.into());
        }
        let mut fields = set.enter(Tag::Sequence)?;
        let oid = fields.oid()?;
        let value = fields.any()?;
        fields.finish()?;
        attributes.push(Attribute::new(oid, &value)?);
    }
    Ok(attributes)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.rdns.iter().rev().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            for (index, attribute) in rdn.iter().enumerate() {
                if index > 0 {
                    f.write_char('+')?;
                }
                fmt::Display::fmt(attribute, f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One attribute of a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// The type.
    pub oid: ObjectIdentifier,
    /// `CN`, `O`, …, where RFC 4514 or common use has a name for the type.
    pub short_name: Option<&'static str>,
    /// The text; for a value that is no string, `#` and the DER in hexadecimal.
    pub value: String,
    /// Whether `value` is text, not hexadecimal DER.
    pub is_text: bool,
}

impl Attribute {
    fn new(oid: ObjectIdentifier, value: &Tlv<'_>) -> der::Result<Self> {
        let dotted = oid.to_string();
        let short_name = SHORT_NAMES.iter().find(|(known, _)| *known == dotted).map(|(_, name)| *name);
        let text = text_of(value)?;
        let is_text = text.is_some();
        let value = text.unwrap_or_else(|| format!("#{}", hex(value.raw)));
        Ok(Self { oid, short_name, value, is_text })
    }
}

impl fmt::Display for Attribute {
    /// `CN=text` with the escapes of RFC 4514 §2.4; unnamed types as their OID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.short_name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{}", self.oid)?,
        }
        f.write_char('=')?;
        if self.is_text { write_escaped(f, &self.value) } else { f.write_str(&self.value) }
    }
}

/// The text of a string type; `None` for other types. A string whose octets are not of its type is an error.
fn text_of(value: &Tlv<'_>) -> der::Result<Option<String>> {
    let bytes = value.value;
    let text = match value.tag {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect())
        }
        // T.61 in theory, Latin-1 in every certificate.
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => utf16_of(bytes),
        _ => return Ok(None),
    };
    text.map(Some).ok_or_else(|| value.tag.value_error().into())
}

fn utf16_of(bytes: &[u8]) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    char::decode_utf16(units).collect::<Result<_, _>>().ok()
}

/// RFC 4514 §2.4, and control and bidirectional characters too, which must not reach a terminal.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        let special = match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            '#' => index == 0,
            ' ' => index == 0 || index == last,
            _ => false,
        };
        if special {
            write!(f, "\\{c}")?;
        } else if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(f, "\\{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(tag: u8, text: &[u8]) -> Vec<u8> {
        let mut value = vec![tag, u8::try_from(text.len()).unwrap()];
        value.extend_from_slice(text);
        wrap(0x31, &wrap(0x30, &[&[6, 3, 0x55, 4, 3][..], &value].concat()))
    }

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut all = vec![tag, u8::try_from(content.len()).unwrap()];
        all.extend_from_slice(content);
        all
    }

    fn name(sets: &[Vec<u8>]) -> der::Result<Name> {
        let der = wrap(0x30, &sets.concat());
        Name::read(&mut Cursor::new(&der).unwrap())
    }

    fn shown(tag: u8, text: &[u8]) -> String {
        name(&[attribute(tag, text)]).unwrap().to_string()
    }

    #[test]
    fn escapes_as_rfc_4514_says() {
        assert_eq!(shown(0x0c, b"a, b+c;\"<>\\"), r#"CN=a\, b\+c\;\"\<\>\\"#);
        assert_eq!(shown(0x0c, b" # "), r"CN=\ #\ ");
        assert_eq!(shown(0x0c, b"#1"), r"CN=\#1");
        assert_eq!(shown(0x0c, b" "), r"CN=\ ");
        assert_eq!(shown(0x0c, "Lučić".as_bytes()), "CN=Lučić");
        assert_eq!(shown(0x0c, b"a\0\x1b[31m"), r"CN=a\00\1B[31m");
        assert_eq!(shown(0x0c, "a\u{202e}b".as_bytes()), r"CN=a\E2\80\AEb");
    }

    /// Several attributes in one relative name keep their order, as Go prints them (openssl turns them round).
    #[test]
    fn the_most_specific_comes_first() {
        let [a, b, c] = ["a", "b", "c"].map(|text| attribute(0x0c, text.as_bytes())[2..].to_vec());
        let name = name(&[wrap(0x31, &[a, b].concat()), wrap(0x31, &c)]).unwrap();
        assert_eq!(name.to_string(), "CN=c,CN=a+CN=b");
        assert_eq!(name.common_name(), Some("c"));
        assert_eq!(name.rdns().len(), 2);
    }

    #[test]
    fn reads_every_string_type_and_shows_the_rest_in_hexadecimal() {
        assert_eq!(shown(0x13, b"plain"), "CN=plain");
        assert_eq!(shown(0x14, b"caf\xe9"), "CN=café");
        assert_eq!(shown(0x1e, b"\x01\x0d\0x"), "CN=čx");
        assert_eq!(shown(0x02, b"\x05"), "CN=#020105");
        assert!(name(&[attribute(0x0c, b"\xff")]).is_err());
        assert!(name(&[attribute(0x1e, b"\xd8\x00")]).is_err());
        assert!(name(&[attribute(0x13, b"\xe9")]).is_err());
    }

    /// RFC 5280 §7.1.
    #[test]
    fn names_match_whatever_their_case_white_space_and_string_type() {
        let one = |tag, text: &[u8]| name(&[attribute(tag, text)]).unwrap();
        let plain = one(0x13, b"Example CA");
        for (tag, text) in
            [(0x0c, &b"example ca"[..]), (0x13, b"  EXAMPLE   CA "), (0x1e, b"\0E\0x\0a\0m\0p\0l\0e\0 \0C\0A")]
        {
            assert!(plain.matches(&one(tag, text)), "{text:?}");
            assert_ne!(plain, one(tag, text), "conformance 5.05");
        }
        assert!(!plain.matches(&one(0x13, b"ExampleCA")));
        assert!(!plain.matches(&one(0x02, b"\x05")));
        let [a, b] = ["a", "b"].map(|text| attribute(0x0c, text.as_bytes()));
        let inside = |der: &[u8]| der[2..].to_vec();
        let both = |x: &[u8], y: &[u8]| name(&[wrap(0x31, &[inside(x), inside(y)].concat())]).unwrap();
        assert!(both(&a, &b).matches(&both(&b, &a)));
        let row = |x: &[u8], y: &[u8]| name(&[x.to_vec(), y.to_vec()]).unwrap();
        assert!(!row(&a, &b).matches(&row(&b, &a)), "the order of relative names is part of the name");
    }

    #[test]
    fn an_empty_relative_name_and_too_many_attributes_are_refused() {
        assert!(name(&[]).unwrap().to_string().is_empty());
        assert!(name(&[vec![0x31, 0]]).is_err());
        let one = attribute(0x0c, b"x");
        let many: Vec<u8> = std::iter::repeat_n(one, 129).flatten().collect();
        let length = u16::try_from(many.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82][..], &length, &many].concat();
        assert!(Name::read(&mut Cursor::new(&der).unwrap()).is_err());
    }
}
