//! What a CRL lists, for people: nothing is believed here.

use der::Tag;

use super::Crl;
use super::entry::{CERTIFICATE_ISSUER, Entry, Line, entry_extension, read_line};
use crate::pki::extension::MOST_POINTS;
use crate::pki::general_name::GeneralName;
use crate::pki::tlv::{Cursor, only};
use crate::pki::{Name, Revocation, SerialNumber};
use crate::time::UnixTime;

impl Crl {
    /// What it lists, in its order, for people: nothing is believed here.
    pub fn lines(&self) -> impl Iterator<Item = CrlLine> {
        let indirect = self.idp().is_some_and(|idp| idp.indirect);
        // The entries could be read once, when the CRL was.
        let mut cursor = Cursor::new(self.entries()).ok();
        let mut named: Option<Name> = None;
        std::iter::from_fn(move || {
            let cursor = cursor.as_mut().filter(|cursor| !cursor.is_finished())?;
            let entry = Entry::read(cursor).ok()?;
            if let Ok(Some(names)) = entry_extension(&entry, CERTIFICATE_ISSUER) {
                named = directory_name(names).or(named.take());
            }
            Some(CrlLine::read(&entry, indirect, named.clone()))
        })
    }
}

/// One line of a CRL as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlLine {
    /// The serial number.
    pub serial: SerialNumber,
    /// Of an indirect CRL: who issued the certificate, if not the CRL's issuer.
    pub certificate_issuer: Option<Name>,
    /// What it says, or why it cannot be interpreted.
    pub says: Result<LineSays, &'static str>,
}

/// What a line of a CRL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineSays {
    /// Revoked.
    Revoked(Revocation),
    /// Of a delta CRL: no longer on the list, since then.
    Removed(UnixTime),
}

impl CrlLine {
    fn read(entry: &Entry<'_>, indirect: bool, certificate_issuer: Option<Name>) -> Self {
        let says = read_line(entry, indirect).map(|line| match line {
            Line::Revoked(revocation) => LineSays::Revoked(revocation),
            Line::Removed(date) => LineSays::Removed(date),
        });
        Self { serial: SerialNumber::from_content(entry.serial), certificate_issuer, says }
    }
}

fn directory_name(names: &[u8]) -> Option<Name> {
    let list = only(names, Tag::Sequence).ok()?;
    let names = GeneralName::read_all(list.value, MOST_POINTS).ok()?;
    names.into_iter().find_map(|name| match name {
        GeneralName::Directory(name) => Some(name),
        _ => None,
    })
}
