//! Trusted identities: whose certificates count (trust-policy specification, "Trusted Identities Constraints").

use std::collections::BTreeMap;
use std::fmt;

use der::asn1::ObjectIdentifier;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::pki::Name;

/// The prefix of an identity that is a distinguished name.
const SUBJECT: &str = "x509.subject";

/// The attributes that every distinguished name must have (conformance 7.29).
const REQUIRED: [&str; 3] = ["C", "ST", "O"];

/// A set of attributes of a subject, as a policy gives it or as a certificate has it. The order does not count.
#[derive(Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    attributes: BTreeMap<String, String>,
}

impl DistinguishedName {
    /// Reads a distinguished name in the form of RFC 4514, with `,` or `;` between attributes, each of which may occur
    /// once. `S` stands for `ST`. Names of attributes keep their case; unknown ones are legal and match nothing.
    ///
    /// # Errors
    /// Malformed, several values, an attribute twice, or without country, state and organization (conformance 7.29 to
    /// 7.32).
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text.contains("=#") {
            return Err(IdentityError::EncodedValue { text: shorten(text) });
        }
        let mut attributes = BTreeMap::new();
        for part in split(text)? {
            let malformed = || IdentityError::Malformed { text: shorten(text), part: shorten(part) };
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            let name = match name.trim_matches(' ') {
                "S" => "ST",
                name => name,
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
                return Err(malformed());
            }
            let value = unescape(value).ok_or_else(malformed)?;
            if attributes.insert(name.to_owned(), value).is_some() {
                return Err(IdentityError::Repeated { text: shorten(text), attribute: shorten(name) });
            }
        }
        match missing(&attributes) {
            Some(attribute) => Err(IdentityError::Missing { text: shorten(text), attribute }),
            None => Ok(Self { attributes }),
        }
    }

    /// The subject of a certificate, by the rules under which the reference compares it (conformance 7.35).
    ///
    /// # Errors
    /// A subject that the reference matches with nothing but `*`: an attribute that is not one of nine, most of them
    /// twice, or without country, state and organization.
    pub fn of_subject(subject: &Name) -> Result<Self, SubjectError> {
        let attributes = subject.rdns().iter().flatten();
        Self::of_attributes(attributes.map(|attribute| (attribute.oid, attribute.value.as_str())))
    }

    fn of_attributes<'a>(received: impl Iterator<Item = (ObjectIdentifier, &'a str)>) -> Result<Self, SubjectError> {
        let mut attributes = BTreeMap::new();
        for (oid, value) in received {
            let Some((_, name, occurrence)) = RECOGNISED.iter().find(|(known, ..)| *known == oid) else {
                return Err(SubjectError::Unrecognised { attribute: oid.to_string() });
            };
            // A value that is no string is given as `#` and its encoding; text that looks the same cannot be told apart.
            if value.starts_with('#') || value.contains("=#") {
                return Err(SubjectError::NotText { attribute: name });
            }
            let before = attributes.insert((*name).to_owned(), value.to_owned());
            if before.is_some() && matches!(occurrence, Occurrence::Once) {
                return Err(SubjectError::Repeated { attribute: name });
            }
        }
        match missing(&attributes) {
            Some(attribute) => Err(SubjectError::Missing { attribute }),
            None => Ok(Self { attributes }),
        }
    }

    /// Whether every attribute of this name is one of `other`'s, value by value, byte by byte (conformance 7.34).
    pub fn is_part_of(&self, other: &Self) -> bool {
        self.attributes.iter().all(|(name, value)| other.attributes.get(name) == Some(value))
    }
}

impl fmt::Display for DistinguishedName {
    /// In the order of the attributes' names, escaped, so that a value never looks like another attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.attributes.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={}", escape(&shorten(value)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How often a subject may have an attribute.
enum Occurrence {
    /// Twice makes the subject match nothing.
    Once,
    /// The last one counts.
    Last,
}

/// The attributes that the reference knows in a subject (X.520).
const RECOGNISED: [(ObjectIdentifier, &str, Occurrence); 9] = [
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN", Occurrence::Last),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "SERIALNUMBER", Occurrence::Last),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU", Occurrence::Once),
    (ObjectIdentifier::new_unwrap("2.5.4.17"), "POSTALCODE", Occurrence::Once),
];

fn missing(attributes: &BTreeMap<String, String>) -> Option<&'static str> {
    REQUIRED.into_iter().find(|name| attributes.get(*name).is_none_or(String::is_empty))
}

/// Cuts at unescaped `,` and `;`.
fn split(text: &str) -> Result<Vec<&str>, IdentityError> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | ';' => {
                parts.push(text.get(start..position).unwrap_or_default());
                start = position.saturating_add(1);
            }
            '+' => return Err(IdentityError::SeveralValues { text: shorten(text) }),
            '"' => return Err(IdentityError::Quoted { text: shorten(text) }),
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

/// Resolves `\,` and `\2C`; cuts unescaped spaces at both ends (conformance 7.32).
fn unescape(text: &str) -> Option<String> {
    let mut value = Vec::new();
    let mut kept = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' if value.is_empty() => continue,
            '\\' => match characters.next()? {
                special @ (' ' | ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '#' | '=') => {
                    value.extend_from_slice(special.encode_utf8(&mut [0; 4]).as_bytes());
                }
                high => {
                    let byte = high.to_digit(16)?.checked_mul(16)?.checked_add(characters.next()?.to_digit(16)?)?;
                    value.push(u8::try_from(byte).ok()?);
                }
            },
            other => value.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if character != ' ' {
            kept = value.len();
        }
    }
    value.truncate(kept);
    String::from_utf8(value).ok()
}

/// RFC 4514 §2.4.
fn escape(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (position, character) in value.char_indices() {
        let edge = (character == ' ' && (position == 0 || position == last)) || (character == '#' && position == 0);
        if edge || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// The identities of a policy statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedIdentities {
    /// `*`: whoever has a certificate from the trust stores.
    Any,
    /// Those listed.
    Listed {
        /// The subjects, of which one must match.
        subjects: Vec<DistinguishedName>,
        /// All entries, letter by letter and in the policy's order, as a verification plugin is told them. Those of a kind
        /// that is not known here match nothing (conformance 7.28, 11.18).
        entries: Vec<String>,
    },
}

impl TrustedIdentities {
    /// Reads the entries of a statement.
    ///
    /// # Errors
    /// An entry that is malformed, a wildcard that is not alone, or two subjects of which one includes the other
    /// (conformance 7.27 to 7.33).
    pub fn parse(entries: &[String]) -> Result<Self, IdentityError> {
        if entries.iter().any(|entry| entry == "*") {
            return if entries.len() == 1 { Ok(Self::Any) } else { Err(IdentityError::WildcardNotAlone) };
        }
        let mut subjects = Vec::new();
        for entry in entries {
            match entry.split_once(':') {
                Some((SUBJECT, name)) => subjects.push(DistinguishedName::parse(name)?),
                Some(_) => {}
                None => return Err(IdentityError::NoPrefix { text: shorten(entry) }),
            }
        }
        match overlap(&subjects) {
            Some((part, whole)) if part == whole => Err(IdentityError::ListedTwice { identity: part.to_string() }),
            Some((part, whole)) => Err(IdentityError::Overlap { part: part.to_string(), whole: whole.to_string() }),
            None => Ok(Self::Listed { subjects, entries: entries.to_vec() }),
        }
    }

    /// Whether the policy trusts the holder of a certificate with this subject (conformance 7.34, 8.14).
    ///
    /// # Errors
    /// It does not, and why.
    pub fn evaluate(&self, subject: &Name) -> Result<(), SubjectError> {
        let Self::Listed { subjects, .. } = self else { return Ok(()) };
        if subjects.is_empty() {
            return Err(SubjectError::NoneListed);
        }
        let found = DistinguishedName::of_subject(subject)?;
        if subjects.iter().any(|trusted| trusted.is_part_of(&found)) {
            return Ok(());
        }
        Err(SubjectError::NotTrusted { found: found.to_string(), trusted: list(subjects) })
    }
}

fn list(subjects: &[DistinguishedName]) -> String {
    subjects.iter().map(|subject| format!("\"{subject}\"")).collect::<Vec<_>>().join(", ")
}

fn overlap(subjects: &[DistinguishedName]) -> Option<(&DistinguishedName, &DistinguishedName)> {
    for (position, one) in subjects.iter().enumerate() {
        for other in subjects.iter().skip(position.saturating_add(1)) {
            if one.is_part_of(other) {
                return Some((one, other));
            }
            if other.is_part_of(one) {
                return Some((other, one));
            }
        }
    }
    None
}

/// Why an identity of a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No `prefix:`.
    #[error("the identity {text:?} has no prefix: write \"x509.subject: C=…, ST=…, O=…\" or \"*\"")]
    NoPrefix {
        /// The entry.
        text: String,
    },
    /// `*` beside others.
    #[error("the identity \"*\" already covers every other one in the list; keep it alone, or remove it")]
    WildcardNotAlone,
    /// Not RFC 4514.
    #[error("the distinguished name {text:?} is malformed at {part:?}")]
    Malformed {
        /// The name.
        text: String,
        /// The part.
        part: String,
    },
    /// A value in hexadecimal.
    #[error("the distinguished name {text:?} has an encoded value (\"=#\"), which is not supported")]
    EncodedValue {
        /// The name.
        text: String,
    },
    /// An unescaped plus sign.
    #[error("the distinguished name {text:?} has a part with several values (\"+\"); write \\+ for a plus sign")]
    SeveralValues {
        /// The name.
        text: String,
    },
    /// An unescaped quotation mark, which used to enclose values and now does not.
    #[error("the distinguished name {text:?} has a quotation mark; escape special characters with \\ instead")]
    Quoted {
        /// The name.
        text: String,
    },
    /// An attribute twice.
    #[error("the distinguished name {text:?} has the attribute {attribute} twice")]
    Repeated {
        /// The name.
        text: String,
        /// The attribute.
        attribute: String,
    },
    /// A required attribute is absent or empty.
    #[error("the distinguished name {text:?} lacks {attribute}: C, ST and O are required")]
    Missing {
        /// The name.
        text: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// One entry twice.
    #[error("the identity \"{identity}\" is listed twice")]
    ListedTwice {
        /// The entry.
        identity: String,
    },
    /// One entry includes another.
    #[error("the identities overlap: whoever is \"{whole}\" is also \"{part}\"")]
    Overlap {
        /// The wider entry.
        part: String,
        /// The narrower entry.
        whole: String,
    },
}

impl Diagnostic for IdentityError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PolicyInvalid
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPrefix { .. } | Self::WildcardNotAlone | Self::SeveralValues { .. } | Self::Quoted { .. } => {
                return None;
            }
            Self::Malformed { .. } => {
                "write attributes like C=US, ST=WA, O=acme, with commas between them; a comma inside a value is written \\,"
            }
            Self::EncodedValue { .. } => "leave the attribute out: whatever is not listed may have any value",
            Self::Repeated { .. } => "list each attribute once; S is another name of ST",
            Self::Missing { .. } => {
                "openssl x509 -noout -subject -nameopt RFC2253 -in CERTIFICATE shows the subject of a signer's certificate"
            }
            Self::ListedTwice { .. } => "remove one of the two; the order of attributes makes no difference",
            Self::Overlap { .. } => "the narrower one changes nothing: remove it, or add attributes to the wider one",
        };
        Some(hint.into())
    }
}

/// Why the policy does not trust a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The policy lists no identity that a certificate could have.
    #[error("the policy lists no trusted identity that begins with \"x509.subject:\", and bulla knows no other kind")]
    NoneListed,
    /// Another subject.
    #[error("the signer is \"{found}\"; trusted are {trusted}")]
    NotTrusted {
        /// The signer.
        found: String,
        /// Who is trusted.
        trusted: String,
    },
    /// An attribute of an unusual type.
    #[error("the signer's subject has an attribute of type {attribute}, so only the identity \"*\" can match it")]
    Unrecognised {
        /// Its object identifier.
        attribute: String,
    },
    /// An attribute twice.
    #[error("the signer's subject has the attribute {attribute} twice, so only the identity \"*\" can match it")]
    Repeated {
        /// The attribute.
        attribute: &'static str,
    },
    /// A value that cannot be compared as text.
    #[error(
        "the signer's subject has a value of {attribute} that is no plain text, so only the identity \"*\" can match it"
    )]
    NotText {
        /// The attribute.
        attribute: &'static str,
    },
    /// A required attribute is absent.
    #[error("the signer's subject lacks {attribute}, so only the identity \"*\" can match it")]
    Missing {
        /// The attribute.
        attribute: &'static str,
    },
}

impl Diagnostic for SubjectError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::IdentityUntrusted
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoneListed => "the prefix is compared letter by letter, and nothing stands between it and the colon",
            Self::NotTrusted { .. } => "every attribute of an identity must equal the signer's, letter by letter",
            Self::Unrecognised { .. } | Self::Repeated { .. } | Self::NotText { .. } | Self::Missing { .. } => {
                return None;
            }
        };
        Some(hint.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn entries(texts: &[&str]) -> Result<TrustedIdentities, IdentityError> {
        TrustedIdentities::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_read_as_the_reference_reads_them() {
        for (fact, text, wanted) in [
            ("7.30 S is ST", "C=US,S=WA,O=a", "C=US, O=a, ST=WA"),
            ("7.32 spaces", " C = US , ST=  WA ,O=a  b ", "C=US, O=a  b, ST=WA"),
            ("7.32 semicolon", "C=US;ST=WA;O=a", "C=US, O=a, ST=WA"),
            ("7.32 escapes", r"C=US,ST=WA,O=a\, b\; c\\d\+\3D", r"C=US, O=a\, b\; c\\d\+=, ST=WA"),
            ("7.32 escaped space", r"C=US,ST=WA,O=\ a\ ", r"C=US, O=\ a\ , ST=WA"),
            ("7.32 UTF-8 in pairs", r"C=DE,ST=BY,O=M\C3\BCller", "C=DE, O=Müller, ST=BY"),
            ("7.30 unknown names", "C=US,ST=WA,O=a,CustomRDN=x,1.2.3=y", "1.2.3=y, C=US, CustomRDN=x, O=a, ST=WA"),
            ("inner equals sign", "C=US,ST=WA,O=a=b", "C=US, O=a=b, ST=WA"),
            ("empty optional value", "C=US,ST=WA,O=a,CN=", "C=US, CN=, O=a, ST=WA"),
        ] {
            assert_eq!(parse(text).to_string(), wanted, "{fact}");
            assert_eq!(parse(wanted), parse(text), "{fact}: what is shown reads the same");
        }
    }

    #[test]
    fn names_that_are_refused() {
        for (fact, text) in [
            ("7.29 no country", "ST=WA,O=a"),
            ("7.29 no state", "C=US,O=a"),
            ("7.29 no organization", "C=US,ST=WA"),
            ("7.29 empty", "C=US,ST=WA,O="),
            ("7.29 blank", "C=US,ST=WA,O=  "),
            ("7.30 lower case", "c=US,st=WA,o=a"),
            ("7.31 several values", "C=US,ST=WA,O=a+OU=b"),
            ("7.31 twice", "C=US,ST=WA,O=a,O=a"),
            ("7.31 S and ST", "C=US,ST=WA,S=WA,O=a"),
            ("7.31 encoded", "C=US,ST=WA,O=#0C0161"),
            ("7.32 quoted", "C=US,ST=WA,O=\"a, b\""),
            ("7.32 comma unescaped", "C=US,ST=WA,O=a, b"),
            ("7.32 unknown escape", r"C=US,ST=WA,O=\a"),
            ("7.32 open escape", r"C=US,ST=WA,O=a\"),
            ("7.32 not UTF-8", r"C=US,ST=WA,O=\FF"),
            ("no name", "C=US,ST=WA,O=a,=b"),
            ("trailing comma", "C=US,ST=WA,O=a,"),
            ("empty", ""),
        ] {
            assert!(DistinguishedName::parse(text).is_err(), "{fact}: {text}");
        }
    }

    #[test]
    fn lists_of_identities() {
        assert_eq!(entries(&["*"]), Ok(TrustedIdentities::Any), "7.27");
        assert!(entries(&["x509.subject: C=US, ST=WA, O=a", "x509.subject:C=US,ST=WA,O=b"]).is_ok());
        let Ok(TrustedIdentities::Listed { subjects, entries: told }) = entries(&["email: a@b", "X509.subject:C=US"])
        else {
            panic!("7.28: other prefixes are legal")
        };
        assert_eq!((subjects.len(), told.len()), (0, 2), "7.28");
        for (fact, bad) in [
            ("7.27", &["*", "x509.subject:C=US,ST=WA,O=a"][..]),
            ("7.27", &["*", "*"]),
            ("7.28", &[""]),
            ("7.28", &["C=US"]),
            ("7.33 equal", &["x509.subject:C=US,ST=WA,O=a", "x509.subject:O=a,S=WA,C=US"]),
            ("7.33 part", &["x509.subject:C=US,ST=WA,O=a,CN=x", "x509.subject:C=US,ST=WA,O=a"]),
            ("7.33 whole", &["x509.subject:C=US,ST=WA,O=a", "x509.subject:C=US,ST=WA,O=a,CN=x"]),
        ] {
            assert!(entries(bad).is_err(), "{fact}: {bad:?}");
        }
        let twice = entries(&["x509.subject:C=US,ST=WA,O=a", "x509.subject:O=a,S=WA,C=US"]).unwrap_err();
        assert!(matches!(&twice, IdentityError::ListedTwice { identity } if identity == "C=US, O=a, ST=WA"));
        assert!(twice.hint().unwrap().contains("remove one"));
    }

    fn subject(attributes: &[(&str, &'static str)]) -> Result<DistinguishedName, SubjectError> {
        let attributes = attributes.iter().map(|(arc, value)| (ObjectIdentifier::new_unwrap(arc), *value));
        DistinguishedName::of_attributes(attributes)
    }

    const C: (&str, &str) = ("2.5.4.6", "US");
    const ST: (&str, &str) = ("2.5.4.8", "WA");
    const O: (&str, &str) = ("2.5.4.10", "a");
    const EMAIL: &str = "1.2.840.113549.1.9.1";

    #[test]
    fn every_attribute_of_the_policy_must_be_the_subjects() {
        // Conformance 7.34, 7.35.
        let leaf = subject(&[C, ST, O, ("2.5.4.3", "old"), ("2.5.4.3", "new"), ("2.5.4.11", "x, y")]).unwrap();
        for (text, wanted) in [
            ("O=a,C=US,S=WA", true),
            (r"C=US,ST=WA,O=a,CN=new,OU=x\, y", true),
            ("C=US,ST=WA,O=a,CN=old", false),
            ("C=US,ST=WA,O=A", false),
            ("C=US,ST=WA,O=a,L=x", false),
            ("C=US,ST=WA,O=a,CustomRDN=x", false),
            ("C=US,ST=WA,O=a,2.5.4.3=new", false),
        ] {
            assert_eq!(parse(text).is_part_of(&leaf), wanted, "{text}");
        }
    }

    #[test]
    fn subjects_that_match_nothing() {
        // Conformance 7.35.
        for (why, attributes) in [
            ("no country", vec![ST, O]),
            ("no state", vec![C, O]),
            ("no organization", vec![C, ST]),
            ("two units", vec![C, ST, O, ("2.5.4.11", "x"), ("2.5.4.11", "y")]),
            ("two organizations", vec![C, ST, O, O]),
            ("an e-mail address", vec![C, ST, O, (EMAIL, "a@b")]),
            ("no text", vec![C, ST, ("2.5.4.10", "#0401ff")]),
            ("encoded", vec![C, ST, O, ("2.5.4.3", "x=#y")]),
        ] {
            assert!(subject(&attributes).is_err(), "{why}");
        }
    }
}
