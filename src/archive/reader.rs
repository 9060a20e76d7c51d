//! Finds the entries of an archive without extracting anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tar::{EntryType, Header};

use super::ArchiveError;
use super::entry::{BLOCK, BLOCK_BYTES, EntryName, canonical_header, checksum_fits, padding, parse_size};
use super::source::Source;
use crate::digest::shorten;
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
        let most = limits.blobs.saturating_add(16);
        let scan = Scan { source: &source, strictness, most, at: 0, entries: Vec::new(), places: HashMap::new() };
        let (entries, places) = scan.run()?;
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
                Strictness::Bundle => self.strict_entry(block)?,
                Strictness::Foreign => self.foreign_entry(block)?,
            }
        }
        Ok((self.entries, self.places))
    }

    /// The next header; `None` at the end of the archive, which is two blocks of zeros.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let block = self.block()?;
        if block != [0; BLOCK] {
            return match checksum_fits(&block) {
                true => Ok(Some(block)),
                false => Err(self.no_header("its checksum is wrong")),
            };
        }
        if self.block()? != [0; BLOCK] {
            return Err(self.no_header("a single block of zeros is not the end"));
        }
        let extra = self.source.size().saturating_sub(self.at);
        match self.strictness {
            Strictness::Bundle if extra > 0 => Err(ArchiveError::Trailing { extra }),
            // GNU tar fills up to its record size.
            _ => Ok(None),
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.source.read_exact_at(self.at, &mut block)?;
        self.at = self.at.saturating_add(BLOCK_BYTES);
        Ok(block)
    }

    fn no_header(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Header { at: self.at.saturating_sub(BLOCK_BYTES), reason }
    }

    /// The header, and the extension before it, must be the one form that [`canonical_header`] gives.
    fn strict_entry(&mut self, first: [u8; BLOCK]) -> Result<(), ArchiveError> {
        let mut found = first.to_vec();
        let mut block = first;
        let mut path = Header::from_byte_slice(&first).path_bytes().into_owned();
        if Header::from_byte_slice(&first).entry_type() == EntryType::XHeader {
            let size = parse_size(&first).ok_or_else(|| self.no_header("its size is no number"))?;
            if size > BLOCK_BYTES {
                return Err(forbidden(&path, "an extension header for"));
            }
            found.extend_from_slice(&self.block()?);
            block = self.header()?.ok_or_else(|| self.no_header("nothing follows an extension header"))?;
            found.extend_from_slice(&block);
            let record = found.get(BLOCK..).and_then(|bytes| bytes.get(..usize::try_from(size).unwrap_or(0)));
            path = pax_records(record.unwrap_or_default())
                .and_then(|records| records.into_iter().find(|(key, _)| *key == b"path").map(|(_, path)| path.to_vec()))
                .ok_or_else(|| forbidden(&path, "an extension header for"))?;
        }
        let kind = Header::from_byte_slice(&block).entry_type();
        if kind != EntryType::Regular {
            return Err(forbidden(&path, describe(kind)));
        }
        let name = std::str::from_utf8(&path).ok().and_then(EntryName::parse);
        let name = name.ok_or_else(|| forbidden(&path, unknown_name(&path)))?;
        let size = parse_size(&block).ok_or_else(|| self.no_header("its size is no number"))?;
        if canonical_header(&name, size)? != found {
            return Err(ArchiveError::NotCanonical { name: name.to_string() });
        }
        self.content(name, size)
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
            if rest.iter().any(|byte| *byte != 0) {
                return Err(ArchiveError::Padding { name: name.to_string() });
            }
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

/// `LENGTH KEY=VALUE\n`, the length counting itself (POSIX.1-2017 `pax`, "pax Extended Header").
fn pax_records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let digits = bytes.get(..space)?;
        let size: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let (record, rest) = bytes.split_at_checked(size)?;
        let record = record.get(space.checked_add(1)?..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        records.push((record.get(..equals)?, record.get(equals.checked_add(1)?..)?));
        bytes = rest;
    }
    Some(records)
}

/// The layout's name for a path of another tool; `None` for a file that no layout has.
fn foreign_name(path: &[u8]) -> Result<Option<EntryName>, ArchiveError> {
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return Err(forbidden(path, unknown_name(path)));
    }
    let text = std::str::from_utf8(path).ok();
    Ok(text.and_then(|text| {
        let parts: Vec<_> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        EntryName::parse(&parts.join("/"))
    }))
}

fn unknown_name(path: &[u8]) -> &'static str {
    if path.starts_with(b"/") {
        "a file with an absolute path,"
    } else if path.split(|byte| *byte == b'/').any(|part| part == b"..") {
        "a file whose path leads out of the archive,"
    } else {
        "a file that no bundle has,"
    }
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link,",
        EntryType::Symlink => "a symbolic link,",
        EntryType::Char | EntryType::Block => "a device,",
        EntryType::Directory => "a directory,",
        EntryType::Fifo => "a pipe,",
        EntryType::GNUSparse => "a sparse file,",
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XGlobalHeader => "an extension header for",
        _ => "an entry of an unknown kind,",
    }
}

fn forbidden(path: &[u8], kind: &'static str) -> ArchiveError {
    ArchiveError::Forbidden { name: shorten(&String::from_utf8_lossy(path)), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records_are_counted() {
        assert_eq!(pax_records(b"10 path=a\n"), Some(vec![(&b"path"[..], &b"a"[..])]));
        assert_eq!(pax_records(b"10 path=a\n12 size=123\n").unwrap().len(), 2);
        for bad in [&b"8 path=a\n"[..], b"11 path=a\n", b"10 path=aa", b"x path=a\n", b"5 abc\n", b"0 a=\n"] {
            assert_eq!(pax_records(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

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
