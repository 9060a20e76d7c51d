//! What can be wrong with an archive, and with the writing of one.

use std::io;
use std::path::PathBuf;

use super::docker::DockerManifestError;
use super::inventory_error::InventoryError;
use super::seal::SealError;
use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::Digest;

/// An error of the archive format, or of reading or writing it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder could not be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive could not be written any further.
    #[error("writing the archive: {0}")]
    Write(#[source] io::Error),
    /// Not a regular file.
    #[error("{path} is not a regular file", path = .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Something that must not be replaced by a file has the name of the output.
    #[error("{path} is there and is not a regular file", path = .path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// A file that must not be replaced has the name of another one.
    #[error("{path} is there already, and it is another file", path = .path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// The file ends inside something, or before the end of the archive.
    #[error("the archive breaks off: it has {found} bytes, and at least {needed} are needed")]
    Truncated {
        /// Where what was begun ends.
        needed: u64,
        /// Where the file ends.
        found: u64,
    },
    /// A header that no tar writer makes.
    #[error("no tar header at byte {at}: {reason}")]
    Header {
        /// Where.
        at: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A header that names the right things in another form than the one that bulla writes.
    #[error("the header of {name} is not in canonical form")]
    NotCanonical {
        /// The entry.
        name: String,
    },
    /// Bytes that are not zero where nothing may be.
    #[error("the padding behind {name} is not empty")]
    Padding {
        /// The entry.
        name: String,
    },
    /// Bytes behind the end of the archive.
    #[error("{extra} bytes follow the end of the archive")]
    Trailing {
        /// How many.
        extra: u64,
    },
    /// An entry of a kind or name that is never accepted.
    #[error("the archive holds {kind} {name:?}")]
    Forbidden {
        /// The name, shortened.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// A name twice.
    #[error("the archive holds {name} twice")]
    Duplicate {
        /// The entry.
        name: String,
    },
    /// More entries than the limit.
    #[error("the archive holds more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// A document that is read into memory is larger than the limit.
    #[error("{name} has {size} bytes; at most {limit} are read")]
    DocumentTooLarge {
        /// The document.
        name: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The compressed file promises too much.
    #[error("{compressed} compressed bytes would expand to {expanded}; at most {limit} are accepted")]
    Expansion {
        /// The size of the file.
        compressed: u64,
        /// The size of what it holds.
        expanded: u64,
        /// The limit.
        limit: u64,
    },
    /// A zstd frame, or the seek table, is damaged or not what it should be.
    #[error("the compression is damaged near byte {at}: {reason}")]
    Frame {
        /// Where in the compressed file.
        at: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A compressed bundle ends without its seek table.
    #[error("the compressed bundle has no seek table at its end")]
    NoSeekTable,
    /// Compressed in one piece, so that nothing in it can be reached without the rest.
    #[error("the archive is compressed in pieces of more than {limit} bytes, or of unknown size")]
    NotSeekable {
        /// The most that one frame may hold.
        limit: u64,
    },
    /// A compression that bulla does not read.
    #[error("the archive is compressed with {format}")]
    OtherCompression {
        /// Its name.
        format: &'static str,
    },
    /// An entry received more or fewer bytes than announced.
    #[error("{name} was announced with {expected} bytes and received {found}")]
    EntrySize {
        /// The entry.
        name: String,
        /// What was announced.
        expected: u64,
        /// What was written.
        found: u64,
    },
    /// The writer was used after a failure.
    #[error("the archive is incomplete because of an earlier failure")]
    Incomplete,
    /// A blob other than the inventory's next one.
    #[error("the inventory's next blob is {}, not {found}", .expected.map_or("none".to_owned(), |digest| digest.to_string()))]
    BlobOrder {
        /// The next blob of the inventory.
        expected: Option<Digest>,
        /// What was given.
        found: Digest,
    },
    /// The inventory is not one that a bundle may have.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// What stands where a seal would stand is none.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// `manifest.json` is not what it must be.
    #[error(transparent)]
    DockerManifest(#[from] DockerManifestError),
    /// The bundle manifest is not the one that the inventory calls for.
    #[error("the bundle manifest cannot be used: {reason}")]
    BundleManifest {
        /// What is wrong.
        reason: &'static str,
    },
    /// `index.json` differs from the one that the inventory describes.
    #[error("index.json is not the one that the bundle's inventory describes: {reason}")]
    IndexMismatch {
        /// How it differs.
        reason: &'static str,
    },
    /// A document that every bundle has is not in the archive.
    #[error("the archive holds no {name}")]
    Missing {
        /// The document.
        name: String,
    },
    /// A blob of the inventory is not in the archive.
    #[error("{digest} is in the bundle's inventory but not in the archive")]
    BlobMissing {
        /// The blob.
        digest: Digest,
    },
    /// A blob has another size than the inventory says.
    #[error("{digest} has {found} bytes in the archive and {expected} in the bundle's inventory")]
    BlobSize {
        /// The blob.
        digest: Digest,
        /// What the inventory says.
        expected: u64,
        /// What the archive says.
        found: u64,
    },
    /// An entry that the inventory does not list.
    #[error("the archive holds {name}, which the bundle's inventory does not list")]
    Unexpected {
        /// The entry.
        name: String,
    },
    /// The right entries in another order.
    #[error("{found} stands where {expected} should: the entries are not in the inventory's order")]
    EntryOrder {
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl ArchiveError {
    /// Carries the error through `std::io::Read`; `StoreError` finds its code again.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match self.code() {
            DiagnosticCode::ArchiveTruncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }
}

impl Diagnostic for ArchiveError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Io { source, .. } | Self::Write(source) => io_code(source),
            Self::NotAFile { .. }
            | Self::Header { .. }
            | Self::NotCanonical { .. }
            | Self::Padding { .. }
            | Self::Trailing { .. }
            | Self::Frame { .. }
            | Self::NotSeekable { .. }
            | Self::OtherCompression { .. }
            | Self::EntryOrder { .. } => DiagnosticCode::ArchiveMalformed,
            Self::Occupied { .. } => DiagnosticCode::DestinationUnsupported,
            Self::Taken { .. } => DiagnosticCode::AlreadyExists,
            Self::Missing { .. } => DiagnosticCode::LayoutInvalid,
            Self::Truncated { .. } | Self::NoSeekTable => DiagnosticCode::ArchiveTruncated,
            Self::Forbidden { .. } => DiagnosticCode::ArchiveEntryForbidden,
            Self::Duplicate { .. } => DiagnosticCode::ArchiveEntryDuplicate,
            Self::TooManyEntries { .. } | Self::DocumentTooLarge { .. } => DiagnosticCode::LimitExceeded,
            Self::Expansion { .. } => DiagnosticCode::ArchiveExpandsTooMuch,
            Self::EntrySize { .. } | Self::Incomplete | Self::BlobOrder { .. } => DiagnosticCode::InternalError,
            Self::Inventory(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::DockerManifest(error) => error.code(),
            Self::BundleManifest { .. } => DiagnosticCode::BundleManifestInvalid,
            Self::IndexMismatch { .. } => DiagnosticCode::BundleIndexMismatch,
            Self::BlobMissing { .. } => DiagnosticCode::BlobMissing,
            Self::BlobSize { .. } => DiagnosticCode::BlobSizeMismatch,
            Self::Unexpected { .. } => DiagnosticCode::ArchiveEntryUnexpected,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotSeekable { .. } => {
                "decompress it first (zstd -d FILE) and give the tar file; nothing is copied to a temporary place"
            }
            Self::NoSeekTable => {
                "copy the file again from its source; if another tool compressed it, decompress it first (zstd -d FILE)"
            }
            Self::OtherCompression { .. } => "decompress it first and give the tar file",
            Self::Occupied { .. } => "name a file that does not exist yet, or one that may be replaced",
            Self::Taken { .. } => "nothing is overwritten: name another folder, or move it away",
            Self::NotAFile { .. } => {
                "what comes through a pipe is read from standard input; anything else must be a plain file"
            }
            Self::Inventory(error) => return error.hint(),
            Self::Seal(error) => return error.hint(),
            Self::DockerManifest(error) => return error.hint(),
            _ => match self.code() {
                DiagnosticCode::StorageFull => "free some space on the destination and run the same command again",
                DiagnosticCode::PermissionDenied => "check who may read or write there, and how it is mounted",
                DiagnosticCode::ArchiveTruncated => "copy the file again from its source; it is not complete",
                DiagnosticCode::ArchiveExpandsTooMuch => "do not unpack this file; ask its sender for another",
                DiagnosticCode::InternalError
                | DiagnosticCode::LimitExceeded
                | DiagnosticCode::NotFound
                | DiagnosticCode::IoFailed => return None,
                _ => "the file was damaged or altered on the way, or is no bundle; bring it over again from its source",
            },
        };
        Some(text.into())
    }
}
