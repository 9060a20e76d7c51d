//! Finds the entries of an archive without extracting anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tar::{EntryType, Header};

use super::entry::{BLOCK, BLOCK_BYTES, EntryName, padding, parse_size};
use super::source::Source;
use super::strict::{self, describe, forbidden, pax_records, unknown_name};
use super::{ArchiveError, SealMembers};
use crate::limits::Limits;
use crate::store::RawContent;

/// What is accepted in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Exactly what bulla writes: regular files of the closed set of names, canonical headers, nothing else, nothing
    /// behind the end.
    Bundle,
    /// What other tools write: also directories, `./` before names, pax and GNU extension headers, unknown files
    /// (ignored). Links, devices, sparse files, absolute names, `..` and doubled names of a layout are refused here too.
    Foreign,
}

/// One file of a layout in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// Its size.
    pub size: u64,
    offset: u64,
}

/// An open archive, plain or compressed, with the place of every file of the layout in it. Only headers were read;
/// sizes are hints until content was read against a digest. Content may be read from several threads at once.
#[derive(Debug)]
pub struct Archive {
    source: Arc<Source>,
    entries: Vec<Entry>,
    places: HashMap<EntryName, usize>,
}

impl Archive {
    /// Opens an archive and reads its headers.
    ///
    /// A `.tar.zst` is recognised by its beginning. Its seek table says where the frames are. A bundle always has one; in
    /// other archives without one the frames are walked, and each must hold at most 8 MiB and say so. No temporary copy
    /// is made.
    ///
    /// # Errors
    /// The file cannot be read, is no archive, or holds what `strictness` does not accept.
    pub fn open(path: &Path, limits: &Limits, strictness: Strictness) -> Result<Self, ArchiveError> {
        let source = Arc::new(Source::open(path, limits, strictness)?);
        // Three documents, the bundle manifest, the inventory; and the seal's blobs.
        let most = limits.blobs.saturating_add(5 + 3 + SealMembers::MOST_PIECES);
        let scan = Scan { source: &source, strictness, most, at: 0, entries: Vec::new(), places: HashMap::new() };
        let (entries, places) = scan.run()?;
        if strictness == Strictness::Bundle {
            let parts = entries.iter().filter(|entry| entry.size > 0);
            source.check_cuts(parts.flat_map(|entry| [entry.offset, entry.offset.saturating_add(entry.size)]))?;
        }
        Ok(Self { source, entries, places })
    }

    /// Every file of the layout, in the order of the archive.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this name.
    pub fn find(&self, name: &EntryName) -> Option<&Entry> {
        self.places.get(name).and_then(|place| self.entries.get(*place))
    }

    /// The content of an entry of this archive, unchecked.
    pub fn content(&self, entry: &Entry) -> RawContent {
        RawContent::new(self.source.section(entry.offset, entry.size))
    }

    /// The content of a small file that no digest names: `oci-layout` and `index.json`.
    pub(crate) fn document(&self, name: EntryName, limit: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Some(entry) = self.find(&name) else { return Ok(None) };
        if entry.size > limit {
            return Err(ArchiveError::DocumentTooLarge { name: name.to_string(), size: entry.size, limit });
        }
        let mut bytes = vec![0; usize::try_from(entry.size).unwrap_or(0)];
        self.source.read_exact_at(entry.offset, &mut bytes)?;
        Ok(Some(bytes))
    }
}

impl strict::Blocks for Scan<'_> {
    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.source.read_exact_at(self.at, &mut block)?;
        self.at = self.at.saturating_add(BLOCK_BYTES);
        Ok(block)
    }

    fn at(&self) -> u64 {
        self.at
    }
}

/// What the headers before an entry say about it.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

/// The longest extension header that is read: a name, and times.
const MOST_EXTENSION: u64 = 64 << 10;

struct Scan<'a> {
    source: &'a Source,
    strictness: Strictness,
    most: usize,
    at: u64,
    entries: Vec<Entry>,
    places: HashMap<EntryName, usize>,
}

impl Scan<'_> {
    fn run(mut self) -> Result<(Vec<Entry>, HashMap<EntryName, usize>), ArchiveError> {
        let mut seen = 0_usize;
        while let Some(block) = self.header()? {
            seen = seen.saturating_add(1);
            if seen > self.most {
                return Err(ArchiveError::TooManyEntries { limit: self.most });
            }
            match self.strictness {
                Strictness::Bundle => {
                    let (name, size) = strict::entry(&mut self, block)?;
                    self.content(name, size)?;
                }
                Strictness::Foreign => self.foreign_entry(block)?,
            }
        }
        self.end()?;
        Ok((self.entries, self.places))
    }

    /// The next header; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        strict::header(self)
    }

    fn no_header(&self, reason: &'static str) -> ArchiveError {
        strict::no_header(self, reason)
    }

    /// Nothing follows a bundle. GNU tar fills up to its record size.
    fn end(&self) -> Result<(), ArchiveError> {
        match self.source.size().saturating_sub(self.at) {
            extra if extra > 0 && self.strictness == Strictness::Bundle => Err(ArchiveError::Trailing { extra }),
            _ => Ok(()),
        }
    }

    fn foreign_entry(&mut self, mut block: [u8; BLOCK]) -> Result<(), ArchiveError> {
        let mut extension = Extension::default();
        while self.extend(&block, &mut extension)? {
            block = self.header()?.ok_or_else(|| self.no_header("nothing follows an extension header"))?;
        }
        let header = Header::from_byte_slice(&block);
        let path = extension.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let size = extension.size.or_else(|| parse_size(&block));
        let size = size.ok_or_else(|| self.no_header("its size is no number"))?;
        let name = foreign_name(&path)?;
        match header.entry_type() {
            // A name that ends in a slash is a directory in archives older than POSIX.
            EntryType::Regular if path.ends_with(b"/") => self.skip(0),
            EntryType::Regular | EntryType::Continuous => match name {
                Some(name) => self.content(name, size),
                None => self.skip(size),
            },
            EntryType::Directory => self.skip(0),
            EntryType::XGlobalHeader => self.skip(size),
            kind => Err(forbidden(&path, describe(kind))),
        }
    }

    /// Takes in an extension header; `false` if `block` is none.
    fn extend(&mut self, block: &[u8; BLOCK], extension: &mut Extension) -> Result<bool, ArchiveError> {
        let kind = Header::from_byte_slice(block).entry_type();
        if !matches!(kind, EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink) {
            return Ok(false);
        }
        let size = parse_size(block).filter(|size| *size <= MOST_EXTENSION);
        let size = size.ok_or_else(|| self.no_header("it is an extension header of an impossible size"))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.source.read_exact_at(self.at, &mut bytes)?;
        self.skip(size)?;
        match kind {
            EntryType::GNULongName => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                bytes.truncate(end);
                extension.path = Some(bytes);
            }
            EntryType::XHeader => {
                let records = pax_records(&bytes).ok_or_else(|| self.no_header("its pax records are malformed"))?;
                for (key, value) in records {
                    extension.take(key, value).ok_or_else(|| forbidden(value, "a sparse file or impossible size,"))?;
                }
            }
            _ => {}
        }
        Ok(true)
    }

    fn content(&mut self, name: EntryName, size: u64) -> Result<(), ArchiveError> {
        let entry = Entry { name, size, offset: self.at };
        if self.places.insert(name, self.entries.len()).is_some() {
            return Err(ArchiveError::Duplicate { name: name.to_string() });
        }
        self.entries.push(entry);
        let end = self.at.saturating_add(size);
        self.skip(size)?;
        if self.strictness == Strictness::Bundle && self.at > end {
            let mut rest = [0; BLOCK];
            let rest = usize::try_from(padding(size)).ok().and_then(|count| rest.get_mut(..count)).unwrap_or_default();
            self.source.read_exact_at(end, rest)?;
            strict::padding(&name, rest)?;
        }
        Ok(())
    }

    /// Goes behind content of this size and its padding, which must be there.
    fn skip(&mut self, size: u64) -> Result<(), ArchiveError> {
        let needed = self.at.checked_add(size).and_then(|end| end.checked_add(padding(size)));
        match needed {
            Some(needed) if needed <= self.source.size() => {
                self.at = needed;
                Ok(())
            }
            _ => Err(ArchiveError::Truncated { needed: needed.unwrap_or(u64::MAX), found: self.source.size() }),
        }
    }
}

impl Extension {
    /// `None` for what would change what the content is.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"size" => self.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            key if key.starts_with(b"GNU.sparse") => return None,
            _ => {}
        }
        Some(())
    }
}

/// The layout's name for a path of another tool; `None` for a file that no layout has.
fn foreign_name(path: &[u8]) -> Result<Option<EntryName>, ArchiveError> {
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return Err(forbidden(path, unknown_name(path)));
    }
    let text = std::str::from_utf8(path).ok();
    Ok(text.and_then(|text| {
        let parts: Vec<_> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        // Of what docker reads in an archive, nothing here is read.
        EntryName::parse(&parts.join("/")).filter(|name| *name != EntryName::DockerManifest)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_may_be_written_in_several_ways() {
        assert_eq!(foreign_name(b"./index.json").unwrap(), Some(EntryName::Index));
        assert_eq!(foreign_name(b"././/oci-layout").unwrap(), Some(EntryName::Layout));
        assert_eq!(foreign_name(b"manifest.json").unwrap(), None);
        assert_eq!(foreign_name(b"\xff").unwrap(), None);
        for bad in ["/index.json", "../index.json", "a/../index.json", ".."] {
            assert!(foreign_name(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
