//! The one form that a bundle's headers have (`schemas/bundle-v1.md` §1.1), for readers that seek and for those that
//! cannot.

use tar::{EntryType, Header};

use super::ArchiveError;
use super::entry::{BLOCK, BLOCK_BYTES, EntryName, canonical_header, checksum_fits, parse_size};
use crate::digest::shorten;

/// Where headers are read from, one block after the other.
pub(super) trait Blocks {
    /// The next block.
    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError>;

    /// Where in the tar the next block begins.
    fn at(&self) -> u64;
}

/// The next header; `None` at the end of the archive, which is two blocks of zeros.
pub(super) fn header(blocks: &mut impl Blocks) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
    let block = blocks.block()?;
    if block != [0; BLOCK] {
        return match checksum_fits(&block) {
            true => Ok(Some(block)),
            false => Err(no_header(blocks, "its checksum is wrong")),
        };
    }
    match blocks.block()? == [0; BLOCK] {
        true => Ok(None),
        false => Err(no_header(blocks, "a single block of zeros is not the end")),
    }
}

/// An error in the block that was read last.
pub(super) fn no_header(blocks: &impl Blocks, reason: &'static str) -> ArchiveError {
    ArchiveError::Header { at: blocks.at().saturating_sub(BLOCK_BYTES), reason }
}

/// The entry that `first` begins. Its header, and the extension before it, must be the one form that
/// [`canonical_header`] gives.
pub(super) fn entry(blocks: &mut impl Blocks, first: [u8; BLOCK]) -> Result<(EntryName, u64), ArchiveError> {
    let mut found = first.to_vec();
    let mut block = first;
    let mut path = Header::from_byte_slice(&first).path_bytes().into_owned();
    if Header::from_byte_slice(&first).entry_type() == EntryType::XHeader {
        let size = parse_size(&first).ok_or_else(|| no_header(blocks, "its size is no number"))?;
        if size > BLOCK_BYTES {
            return Err(forbidden(&path, "an extension header for"));
        }
        found.extend_from_slice(&blocks.block()?);
        block = header(blocks)?.ok_or_else(|| no_header(blocks, "nothing follows an extension header"))?;
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
    let size = parse_size(&block).ok_or_else(|| no_header(blocks, "its size is no number"))?;
    match canonical_header(&name, size)? == found {
        true => Ok((name, size)),
        false => Err(ArchiveError::NotCanonical { name: name.to_string() }),
    }
}

/// What fills up the last block of an entry, which must be empty.
pub(super) fn padding(name: &EntryName, bytes: &[u8]) -> Result<(), ArchiveError> {
    match bytes.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(ArchiveError::Padding { name: name.to_string() }),
    }
}

/// `LENGTH KEY=VALUE\n`, the length counting itself (POSIX.1-2017 `pax`, "pax Extended Header").
pub(super) fn pax_records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
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

pub(super) fn unknown_name(path: &[u8]) -> &'static str {
    if path.starts_with(b"/") {
        "a file with an absolute path,"
    } else if path.split(|byte| *byte == b'/').any(|part| part == b"..") {
        "a file whose path leads out of the archive,"
    } else {
        "a file that no bundle has,"
    }
}

pub(super) fn describe(kind: EntryType) -> &'static str {
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

pub(super) fn forbidden(path: &[u8], kind: &'static str) -> ArchiveError {
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
}
