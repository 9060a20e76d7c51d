//! GeneralName (RFC 5280 §4.2.1.6), as far as constraints and distribution points compare them.

use der::{ErrorKind, Tag};

use super::Name;
use super::name::CanonicalRdn;
use super::tlv::{Cursor, Tlv, constructed, primitive};

/// One name of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GeneralName {
    /// rfc822Name
    Email(String),
    /// dNSName
    Dns(String),
    /// directoryName
    Directory(Name),
    /// uniformResourceIdentifier
    Uri(String),
    /// iPAddress: octets as received, in constraints with a mask behind.
    Ip(Vec<u8>),
    /// A form whose inside is not looked at: otherName, x400Address, ediPartyName, registeredID.
    Opaque(OpaqueForm, Vec<u8>),
}

/// Forms that can be told apart, but not compared with a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpaqueForm {
    Other,
    X400,
    EdiParty,
    RegisteredId,
}

/// The forms of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Email,
    Dns,
    Directory,
    Uri,
    Ip,
    Opaque(OpaqueForm),
}

impl Form {
    /// The name of RFC 5280, in its spelling.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "rfc822Name",
            Self::Dns => "dNSName",
            Self::Directory => "directoryName",
            Self::Uri => "uniformResourceIdentifier",
            Self::Ip => "iPAddress",
            Self::Opaque(OpaqueForm::Other) => "otherName",
            Self::Opaque(OpaqueForm::X400) => "x400Address",
            Self::Opaque(OpaqueForm::EdiParty) => "ediPartyName",
            Self::Opaque(OpaqueForm::RegisteredId) => "registeredID",
        }
    }
}

impl GeneralName {
    pub(crate) const fn form(&self) -> Form {
        match self {
            Self::Email(_) => Form::Email,
            Self::Dns(_) => Form::Dns,
            Self::Directory(_) => Form::Directory,
            Self::Uri(_) => Form::Uri,
            Self::Ip(_) => Form::Ip,
            Self::Opaque(form, _) => Form::Opaque(*form),
        }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        let value = match self {
            Self::Email(text) | Self::Dns(text) | Self::Uri(text) => text.clone(),
            Self::Directory(name) => name.to_string(),
            Self::Ip(octets) | Self::Opaque(_, octets) => crate::digest::hex(octets),
        };
        format!("{} {:?}", self.form().as_str(), crate::digest::shorten(&value))
    }

    /// Reads one of
    /// ```text
    /// GeneralName ::= CHOICE { otherName [0], rfc822Name [1] IA5String, dNSName [2] IA5String, x400Address [3],
    ///     directoryName [4] EXPLICIT Name, ediPartyName [5], uniformResourceIdentifier [6] IA5String,
    ///     iPAddress [7] OCTET STRING, registeredID [8] OBJECT IDENTIFIER }
    /// ```
    pub(crate) fn read(field: &Tlv<'_>) -> der::Result<Self> {
        let opaque = |form| Ok(Self::Opaque(form, field.raw.to_vec()));
        match field.tag {
            tag if tag == constructed(0) => opaque(OpaqueForm::Other),
            tag if tag == primitive(1) => Ok(Self::Email(ia5(field)?)),
            tag if tag == primitive(2) => Ok(Self::Dns(ia5(field)?)),
            tag if tag == constructed(3) => opaque(OpaqueForm::X400),
            tag if tag == constructed(4) => {
                let mut inside = Cursor::new(field.value)?;
                let name = Name::read(&mut inside)?;
                inside.finish()?;
                Ok(Self::Directory(name))
            }
            tag if tag == constructed(5) => opaque(OpaqueForm::EdiParty),
            tag if tag == primitive(6) => Ok(Self::Uri(ia5(field)?)),
            tag if tag == primitive(7) => Ok(Self::Ip(field.value.to_vec())),
            tag if tag == primitive(8) => opaque(OpaqueForm::RegisteredId),
            other => Err(other.unexpected_error(None).into()),
        }
    }

    /// Reads the inside of `GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName`, of at most `most`.
    pub(crate) fn read_all(content: &[u8], most: usize) -> der::Result<Vec<Self>> {
        let mut cursor = Cursor::new(content)?;
        let mut names = Vec::new();
        while names.is_empty() || !cursor.is_finished() {
            if names.len() >= most {
                return Err(ErrorKind::Overlength.into());
            }
            names.push(Self::read(&cursor.any()?)?);
        }
        Ok(names)
    }

    /// Something that is equal for names that are the same.
    pub(crate) fn key(&self) -> NameKey {
        match self {
            Self::Directory(name) => NameKey::Directory(name.canonical()),
            Self::Email(text) | Self::Dns(text) => NameKey::Text(self.form().as_str(), text.to_ascii_lowercase()),
            Self::Uri(text) => NameKey::Text(self.form().as_str(), text.clone()),
            Self::Ip(octets) | Self::Opaque(_, octets) => NameKey::Octets(self.form().as_str(), octets.clone()),
        }
    }
}

/// A name in comparable form (RFC 5280 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameKey {
    Directory(Vec<CanonicalRdn>),
    Text(&'static str, String),
    Octets(&'static str, Vec<u8>),
}

fn ia5(field: &Tlv<'_>) -> der::Result<String> {
    match std::str::from_utf8(field.value) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(Tag::Ia5String.value_error().into()),
    }
}
