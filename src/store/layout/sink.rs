//! Writes into a layout that may be read, and written to, by others at the same time.
//!
//! Content is written under a temporary name in `blobs/<algorithm>`, checked and renamed to its digest; names appear
//! only when `index.json` is replaced, whole, at the end. So a layout is consistent at every moment, and a second run
//! finds what the first one left and goes on.
//!
//! Nothing gets a name before all of it is on stable storage: not one blob after the other, which would wait for the
//! disk each time, but once, before the index. The disk is kept busy while content is written. After a loss of power,
//! content without a name may be there under its digest and be damaged; whoever imports again reads it to its end and
//! finds that out.
//!
//! An exclusive lock on the folder itself (`flock`, which leaves no file and ends with its process) orders writers of
//! `index.json`. Every temporary file is locked by whoever writes it; one that nobody holds belongs to nobody any
//! more, and the next writer removes it.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use tempfile::NamedTempFile;

use super::{LAYOUT_BYTES, merge, open_regular, read_document};
use crate::archive::{ArchiveError, Eager, locate, sync_folder};
use crate::code::DiagnosticCode;
use crate::digest::{Algorithm, Digest};
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, blob_path};
use crate::store::error::OCI_LAYOUT;
use crate::store::{ContentKind, ContentSink, KeptTag, Publication, RawContent, StoreError, copy_to};

/// The beginning of the name of everything that is not finished.
const TEMPORARY: &str = ".bulla-tmp-";

/// A layout to write to.
#[derive(Debug)]
pub struct LayoutSink {
    folder: PathBuf,
    index_bytes: u64,
    /// What was put or found, and may not be on stable storage yet.
    volatile: Mutex<BTreeSet<Digest>>,
}

impl LayoutSink {
    /// Opens a layout, or makes one of a folder that is empty or not there. What an interrupted import left half done
    /// is completed or removed.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written to.
    pub fn open_or_create(folder: &Path) -> Result<Self, StoreError> {
        if folder.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(no_layout(folder, "not a directory"));
        }
        fs::create_dir_all(folder).map_err(at(folder))?;
        let sink =
            Self { folder: folder.to_owned(), index_bytes: Limits::default().index_bytes, volatile: Mutex::default() };
        let layout = folder.join(LayoutDocument::NAME);
        let known = read_document(&layout, LAYOUT_BYTES)?;
        if let Some(document) = &known {
            let invalid = |source| StoreError::Layout { path: folder.to_owned(), source };
            LayoutDocument::parse(document).map_err(invalid)?;
        }
        let _lock = sink.lock(FlockOperation::LockExclusive)?;
        if known.is_none() {
            sink.refuse_foreign_folder()?;
        }
        let index = folder.join(IndexDocument::NAME);
        if open_regular(&index)?.is_none() {
            let empty = merge::empty().map_err(|source| StoreError::Layout { path: index.clone(), source })?;
            sink.replace(&index, &empty)?;
        }
        if known.is_none() && open_regular(&layout)?.is_none() {
            sink.replace(&layout, LayoutDocument::BYTES)?;
        }
        sink.remove_abandoned();
        Ok(sink)
    }

    /// A layout that was begun holds nothing but these.
    fn refuse_foreign_folder(&self) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let name = entry.map_err(at(&self.folder))?.file_name();
            let name = name.to_string_lossy();
            let ours = name == "blobs" || name == IndexDocument::NAME || name == LayoutDocument::NAME;
            if !ours && !name.starts_with(TEMPORARY) {
                return Err(no_layout(&self.folder, "neither an OCI layout nor an empty folder that could become one"));
            }
        }
        Ok(())
    }

    fn lock(&self, operation: FlockOperation) -> Result<File, StoreError> {
        // Opened anew each time: the threads of one process must exclude each other too.
        let folder = File::open(&self.folder).map_err(at(&self.folder))?;
        rustix::fs::flock(&folder, operation).map_err(|error| at(&self.folder)(error.into()))?;
        Ok(folder)
    }

    /// Removes temporary files that no living writer holds. To fail at it harms nothing. The caller holds the exclusive
    /// lock, so no file is between its creation and its own lock.
    fn remove_abandoned(&self) {
        let blobs = Algorithm::ALL.map(|algorithm| self.folder.join("blobs").join(algorithm.name()));
        for folder in blobs.iter().chain([&self.folder]) {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for entry in entries.flatten() {
                let temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
                let Some(file) = temporary.then(|| open_regular(&entry.path()).ok().flatten()).flatten() else {
                    continue;
                };
                if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    /// A temporary file, locked, that nobody takes for abandoned.
    fn temporary(&self, folder: &Path) -> Result<NamedTempFile, StoreError> {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(at(folder))?;
        rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| at(folder)(error.into()))?;
        Ok(file)
    }

    /// Replaces a document of the layout, whole. The caller holds the exclusive lock.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.temporary(&self.folder)?;
        file.write_all(bytes).map_err(at(path))?;
        file.as_file().sync_all().map_err(at(path))?;
        file.persist(path).map_err(|error| at(path)(error.error))?;
        sync_folder(&self.folder).map_err(at(&self.folder))
    }

    /// The folder of an algorithm's blobs, which must be a folder and no link out of the layout.
    fn blob_folder(&self, algorithm: Algorithm) -> Result<PathBuf, StoreError> {
        let mut folder = self.folder.clone();
        for part in ["blobs", algorithm.name()] {
            folder.push(part);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&folder)(error)),
                _ => {}
            }
            if !folder.symlink_metadata().map_err(at(&folder))?.is_dir() {
                return Err(StoreError::NotA { path: folder, expected: "a folder of this layout" });
            }
        }
        Ok(folder)
    }

    fn volatile(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.volatile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings everything that was put to stable storage. What is there already costs nothing.
    fn make_durable(&self) -> Result<(), StoreError> {
        for digest in std::mem::take(&mut *self.volatile()) {
            let path = self.folder.join(blob_path(&digest));
            let file = open_regular(&path)?
                .ok_or_else(|| StoreError::from_diagnostic(ArchiveError::BlobMissing { digest }))?;
            file.sync_data().map_err(|source| StoreError::Write { digest, source: locate(&path, source) })?;
        }
        Ok(())
    }

    /// What is about to get a name must be there.
    fn require(&self, descriptor: &Descriptor) -> Result<(), StoreError> {
        let path = self.folder.join(blob_path(&descriptor.digest));
        let size = open_regular(&path)?.map(|file| file.metadata().map_err(at(&path))).transpose()?;
        match size {
            Some(metadata) if metadata.len() == descriptor.size => Ok(()),
            _ => Err(StoreError::from_diagnostic(ArchiveError::BlobMissing { digest: descriptor.digest })),
        }
    }
}

/// What cannot become a layout without harm to what is there.
fn no_layout(folder: &Path, is: &str) -> StoreError {
    StoreError::Other {
        code: DiagnosticCode::DestinationUnsupported,
        message: format!("{} is {is}", folder.display()),
        hint: Some("name a layout, an empty folder, or a folder that does not exist yet".into()),
        source: None,
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

fn digest_of(mut file: File, algorithm: Algorithm) -> io::Result<Digest> {
    let mut hasher = algorithm.hasher();
    let mut chunk = vec![0; 256 << 10];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl ContentSink for LayoutSink {
    /// Reads the blob to the end: one of the right size with other content is not the blob, and is replaced. So is a
    /// link in its place.
    fn has(&self, descriptor: &Descriptor, _: ContentKind) -> Result<bool, StoreError> {
        let path = self.folder.join(blob_path(&descriptor.digest));
        let file = match open_regular(&path) {
            Ok(Some(file)) => file,
            Ok(None) | Err(StoreError::NotA { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        if file.metadata().map_err(at(&path))?.len() != descriptor.size {
            return Ok(false);
        }
        let found = digest_of(file, descriptor.digest.algorithm()).map_err(at(&path))?;
        let whole = found == descriptor.digest;
        if whole {
            // Whoever put it may have been interrupted before it was safe.
            self.volatile().insert(found);
        }
        Ok(whole)
    }

    fn put(&self, descriptor: &Descriptor, _: ContentKind, content: RawContent) -> Result<(), StoreError> {
        let folder = self.blob_folder(descriptor.digest.algorithm())?;
        let file = {
            let _lock = self.lock(FlockOperation::LockShared)?;
            self.temporary(&folder)?
        };
        let path = folder.join(descriptor.digest.hex());
        let write = |source| StoreError::Write { digest: descriptor.digest, source: locate(&path, source) };
        copy_to(content, descriptor, &mut Eager::new(file.as_file())).map_err(|error| match error {
            StoreError::Write { source, .. } => write(source),
            other => other,
        })?;
        self.volatile().insert(descriptor.digest);
        file.persist(&path).map_err(|error| write(error.error))?;
        Ok(())
    }

    fn publish(&self, entries: &[Publication]) -> Result<Vec<KeptTag>, StoreError> {
        entries.iter().try_for_each(|entry| self.require(&entry.descriptor))?;
        self.make_durable()?;
        for algorithm in Algorithm::ALL {
            let folder = self.folder.join("blobs").join(algorithm.name());
            if folder.is_dir() {
                sync_folder(&folder).map_err(at(&folder))?;
            }
        }
        let _lock = self.lock(FlockOperation::LockExclusive)?;
        let path = self.folder.join(IndexDocument::NAME);
        let missing = || StoreError::NotA { path: self.folder.clone(), expected: OCI_LAYOUT };
        let index = read_document(&path, self.index_bytes)?.ok_or_else(missing)?;
        let invalid = |source| StoreError::Layout { path: self.folder.clone(), source };
        let (merged, kept) = merge::merge(&index, entries).map_err(invalid)?;
        if merged != index {
            self.replace(&path, &merged)?;
        }
        Ok(kept)
    }
}
