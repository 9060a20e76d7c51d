//! Entry names and tar headers (POSIX.1-2017 `pax`, "ustar Interchange Format"): the closed set, in canonical form.

use std::fmt;

use tar::{EntryType, Header};

use super::{ArchiveError, DockerManifest};
use crate::digest::Digest;
use crate::oci::{IndexDocument, LayoutDocument, blob_path};

/// The size of everything in a tar archive is a multiple of this.
pub(super) const BLOCK: usize = 512;
/// The same, for positions.
pub(super) const BLOCK_BYTES: u64 = 512;
/// Two blocks of zeros end an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Everything that a bundle may hold. The names are built from these values; no text of an archive becomes a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryName {
    /// `oci-layout`
    Layout,
    /// `index.json`
    Index,
    /// `manifest.json`, in a bundle that docker and podman load
    DockerManifest,
    /// `blobs/<algorithm>/<hex>`
    Blob(Digest),
}

impl EntryName {
    /// Recognises a name that is written exactly as a layout has it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            LayoutDocument::NAME => Some(Self::Layout),
            IndexDocument::NAME => Some(Self::Index),
            DockerManifest::NAME => Some(Self::DockerManifest),
            other => {
                let (algorithm, hex) = other.strip_prefix("blobs/")?.split_once('/')?;
                format!("{algorithm}:{hex}").parse().ok().map(Self::Blob)
            }
        }
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => f.write_str(LayoutDocument::NAME),
            Self::Index => f.write_str(IndexDocument::NAME),
            Self::DockerManifest => f.write_str(DockerManifest::NAME),
            Self::Blob(digest) => f.write_str(&blob_path(digest)),
        }
    }
}

/// How many bytes of zeros follow content of this size.
pub(super) const fn padding(size: u64) -> u64 {
    (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES
}

/// The only header, or pair of extension and header, that a bundle has for an entry.
///
/// A name of up to 100 characters stands in the header itself. `blobs/sha512/…` has 141, more than ustar can split, and
/// is announced by a pax extension header with the one record `path`; the header behind it holds the name cut to what
/// fits. Sizes of 8 GiB and more are in base 256, as GNU tar writes them.
pub(super) fn canonical_header(name: &EntryName, size: u64) -> Result<Vec<u8>, ArchiveError> {
    let path = name.to_string();
    let mut bytes = Vec::new();
    let short = match (name, path.get(..PAX_CUT)) {
        (EntryName::Blob(_), Some(short)) if path.len() > 100 => {
            let record = pax_record(&path);
            bytes.extend_from_slice(&header("PaxHeaders/blob", EntryType::XHeader, length(record.len()))?);
            bytes.extend_from_slice(record.as_bytes());
            bytes.resize(2 * BLOCK, 0);
            short
        }
        _ => path.as_str(),
    };
    bytes.extend_from_slice(&header(short, EntryType::Regular, size)?);
    Ok(bytes)
}

/// `blobs/sha512/` and as many digits as the name field holds.
const PAX_CUT: usize = 13 + 100;

/// One pax record: its own length in decimal, a space, `path=`, the path, a newline.
fn pax_record(path: &str) -> String {
    let rest = path.len().saturating_add(" path=\n".len());
    let mut total = rest;
    while total != rest.saturating_add(total.to_string().len()) {
        total = rest.saturating_add(total.to_string().len());
    }
    format!("{total} path={path}\n")
}

fn header(path: &str, kind: EntryType, size: u64) -> Result<[u8; BLOCK], ArchiveError> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(ArchiveError::Write)?;
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// The length of a slice as the format counts.
pub(super) fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Whether the header's checksum fits its bytes.
pub(super) fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) })
        .sum();
    Header::from_byte_slice(block).cksum().is_ok_and(|stated| stated == sum)
}

/// The size field: octal, or base 256 where its first bit is set.
pub(super) fn parse_size(block: &[u8; BLOCK]) -> Option<u64> {
    let field = block.get(124..136)?;
    match field.split_first()? {
        (0x80, [0, 0, 0, number @ ..]) => Some(u64::from_be_bytes(number.try_into().ok()?)),
        (first, _) if first & 0x80 != 0 => None,
        _ => {
            let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
            let octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
            if octal && !text.is_empty() { u64::from_str_radix(text, 8).ok() } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    #[test]
    fn names_are_a_closed_set() {
        let digest = Digest::sha256(b"");
        let names = [
            EntryName::Layout,
            EntryName::Index,
            EntryName::DockerManifest,
            EntryName::Blob(digest),
            EntryName::Blob(Algorithm::Sha512.digest(b"")),
        ];
        for name in names {
            assert_eq!(EntryName::parse(&name.to_string()), Some(name));
        }
        let hex = digest.hex();
        for bad in [
            String::new(),
            "./index.json".into(),
            "/index.json".into(),
            "INDEX.JSON".into(),
            "blobs".into(),
            "blobs/sha256/".into(),
            format!("blobs/sha256/{}", hex.to_uppercase()),
            format!("blobs/sha256/{hex}/"),
            format!("blobs/sha256/../{hex}"),
            format!("blobs/md5/{hex}"),
            format!("blobs//sha256/{hex}"),
            format!("blobs/sha256:{hex}"),
        ] {
            assert_eq!(EntryName::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_octal_or_base_256() {
        for size in [0, 1, 0o77_777_777_777, 0o100_000_000_000, 1 << 40] {
            let block: [u8; BLOCK] = header("index.json", EntryType::Regular, size).unwrap();
            assert_eq!(parse_size(&block), Some(size));
            assert!(checksum_fits(&block));
        }
        let mut block = [0; BLOCK];
        for bad in [*b"\0\0\0\0\0\0\0\0\0\0\0\0", *b"0000000000a\0", *b"-0000000001\0", [0xff; 12]] {
            block[124..136].copy_from_slice(&bad);
            assert_eq!(parse_size(&block), None, "{bad:?}");
        }
    }

    #[test]
    fn a_sha512_blob_is_named_by_one_pax_record() {
        let name = EntryName::Blob(Algorithm::Sha512.digest(b""));
        let bytes = canonical_header(&name, 7).unwrap();
        assert_eq!(bytes.len(), 3 * BLOCK);
        let record = format!("151 path={name}\n");
        assert_eq!(record.len(), 151);
        assert_eq!(&bytes[BLOCK..BLOCK + 151], record.as_bytes());
    }
}
