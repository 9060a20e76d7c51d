//! Distinguished names (RFC 5280 §4.1.2.4), shown as RFC 4514.

use std::fmt;

/// A distinguished name. Equal when the DER is equal; `Display` is RFC 4514, most specific first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
}

impl Name {
    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
    /// The relative names in the order of the encoding (country first, as a rule).
    pub fn rdns(&self) -> &[Vec<Attribute>] {
        &self.rdns
    }
    /// The most specific common name.
    pub fn common_name(&self) -> Option<&str> {
        unimplemented!()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
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
    pub oid: der::asn1::ObjectIdentifier,
    /// `CN`, `O`, …, where RFC 4514 or common use has a name for the type.
    pub short_name: Option<&'static str>,
    /// The text, or `#` and the hexadecimal DER of a value that is no string.
    pub value: String,
}
