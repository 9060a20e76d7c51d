//! What a CRL says of one certificate, and whether it may say anything at all.

use der::Tag;

use super::Crl;
use super::entry::{
    CERTIFICATE_ISSUER, Entries, Entry, INVALIDITY_DATE, Line, REASON_CODE, entry_extension, read_line,
};
use super::list::list_error;
use crate::pki::chain::shown;
use crate::pki::extension::{self, read_extensions};
use crate::pki::general_name::GeneralName;
use crate::pki::tlv::only;
use crate::pki::{CrlError, Name, SerialNumber};

impl Crl {
    /// What it says of a certificate of `issuer`. What is listed twice is as bad as both lines together.
    pub(super) fn find(&self, serial: &SerialNumber, issuer: &Name) -> Result<Option<Line>, CrlError> {
        let failed = |why| CrlError::Entry { serial: serial.to_string(), why };
        let mut found: Option<Line> = None;
        let indirect = self.is_indirect();
        let mut take = |entry: &Entry<'_>| -> Result<(), CrlError> {
            let line = read_line(entry, indirect).map_err(failed)?;
            found = Some(found.map_or(line, |known| known.and(line)));
            Ok(())
        };
        if indirect {
            self.visit_indirect(serial, issuer, take)?;
        } else if self.issuer().matches(issuer) {
            self.0.index.visit(self.entries(), self.entry_count(), serial.as_bytes(), &mut take)?;
        }
        Ok(found)
    }

    /// Walks the whole list: an entry of an indirect CRL is of the issuer that it, or the last one before it, names
    /// (RFC 5280 §5.3.3).
    fn visit_indirect(
        &self,
        serial: &SerialNumber,
        issuer: &Name,
        mut visit: impl FnMut(&Entry<'_>) -> Result<(), CrlError>,
    ) -> Result<(), CrlError> {
        let failed = |why| CrlError::Entry { serial: serial.to_string(), why };
        let mut entries = Entries::of(self.entries());
        let mut named: Option<&[u8]> = None;
        while let Some((_, entry)) = entries.next()? {
            named = entry_extension(&entry, CERTIFICATE_ISSUER)?.or(named);
            if entry.serial != serial.as_bytes() {
                continue;
            }
            let is_ours = match named {
                Some(names) => names_issuer(names, issuer).map_err(failed)?,
                None => self.issuer().matches(issuer),
            };
            if is_ours {
                visit(&entry)?;
            }
        }
        Ok(())
    }

    /// RFC 5280 §5.3: a list with a critical entry extension that nobody knows says nothing of any certificate. Walks the
    /// whole list.
    pub(super) fn check_entry_extensions(&self) -> Result<(), CrlError> {
        let indirect = self.is_indirect();
        let mut entries = Entries::of(self.entries());
        while let Some((_, entry)) = entries.next()? {
            let list = entry.extensions.map_or(&[][..], |list| list.value);
            // BOOLEAN TRUE: without it nothing can be critical, and nearly all entries are done with.
            if !list.windows(3).any(|octets| octets == [1, 1, 0xff]) {
                continue;
            }
            let known = [REASON_CODE, INVALIDITY_DATE];
            let unknown = read_extensions(list).map_err(list_error)?.into_iter().find(|extension| {
                extension.critical
                    && !known.contains(&extension.oid)
                    && !(indirect && extension.oid == CERTIFICATE_ISSUER)
            });
            if let Some(extension) = unknown {
                let (issuer, extension) = (shown(self.issuer()), extension.oid.to_string());
                return Err(CrlError::UnsupportedExtension { issuer, extension });
            }
        }
        Ok(())
    }
}

/// Whether `GeneralNames` name that issuer.
fn names_issuer(names: &[u8], issuer: &Name) -> Result<bool, &'static str> {
    let names = only(names, Tag::Sequence).and_then(|list| GeneralName::read_all(list.value, extension::MOST_POINTS));
    let names = names.map_err(|_| "its certificate issuer is malformed")?;
    Ok(names.iter().any(|name| matches!(name, GeneralName::Directory(name) if name.matches(issuer))))
}
