//! OCI layouts on disk: read ([`LayoutStore`]) and written ([`LayoutSink`]) (OCI image-spec, `image-layout.md`).

mod merge;
mod sink;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};

use super::error::OCI_LAYOUT;
use super::listing::{self, Graph, LazyGraph, Tags};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Target, blob_path};

pub use sink::LayoutSink;

/// The most that is read of `oci-layout`.
const LAYOUT_BYTES: u64 = 64 << 10;

/// A layout to read from.
///
/// `oci-layout`, `index.json` and blobs must be regular files; symbolic links in their place are refused. The folders
/// `blobs` and `blobs/<algorithm>` may be links, as some tools share them between layouts: what is read there is held
/// against its digest.
#[derive(Debug)]
pub struct LayoutStore {
    folder: PathBuf,
    limits: Limits,
    index: IndexDocument,
    graph: LazyGraph,
    tags: OnceLock<Tags>,
}

impl LayoutStore {
    /// Opens a layout and reads its index.
    ///
    /// # Errors
    /// It is not there, or is no layout.
    pub fn open(folder: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let at = |source| StoreError::Io { path: folder.to_owned(), source };
        if !folder.metadata().map_err(at)?.is_dir() {
            return Err(StoreError::NotA { path: folder.to_owned(), expected: "a directory" });
        }
        let missing = || StoreError::NotA { path: folder.to_owned(), expected: OCI_LAYOUT };
        let invalid = |source| StoreError::Layout { path: folder.to_owned(), source };
        let document = read_document(&folder.join(LayoutDocument::NAME), LAYOUT_BYTES)?.ok_or_else(missing)?;
        LayoutDocument::parse(&document).map_err(invalid)?;
        let index = read_document(&folder.join(IndexDocument::NAME), limits.index_bytes)?.ok_or_else(missing)?;
        let index = IndexDocument::parse(&index).map_err(invalid)?;
        Ok(Self {
            folder: folder.to_owned(),
            limits: limits.clone(),
            index,
            graph: LazyGraph::default(),
            tags: OnceLock::new(),
        })
    }

    /// The index as it was when the layout was opened.
    pub fn index(&self) -> &IndexDocument {
        &self.index
    }

    fn graph(&self) -> Result<&Graph, StoreError> {
        self.graph.get(|| Graph::build(self, &self.index.manifests, &self.limits))
    }

    /// A manifest that no index lists may still be asked for by its digest; what it is, it says itself.
    fn unlisted(&self, digest: &Digest) -> Result<Option<Descriptor>, StoreError> {
        if let Some(descriptor) = self.graph()?.manifest(digest) {
            return Ok(Some(descriptor.clone()));
        }
        let path = self.folder.join(blob_path(digest));
        let Some(file) = open_regular(&path)? else { return Ok(None) };
        let size = file.metadata().map_err(|source| StoreError::Io { path, source })?.len();
        Ok(Some(Descriptor::new("", *digest, size)))
    }
}

impl ContentStore for LayoutStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        listing::resolve(&self.index, &self.tags, target, |digest| self.unlisted(digest))
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        let file = open_regular(&self.folder.join(blob_path(&descriptor.digest)))?;
        Ok(file.map(RawContent::new))
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.graph()?.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        listing::roots(&self.index, || self.graph())
    }
}

/// Opens a regular file for reading, never through a symbolic link in its place, and without waiting for the other end
/// of a pipe. `Ok(None)` if there is nothing.
fn open_regular(path: &Path) -> Result<Option<File>, StoreError> {
    let not_a_file = || StoreError::NotA { path: path.to_owned(), expected: "a regular file" };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(not_a_file()),
        Err(error) => return Err(StoreError::Io { path: path.to_owned(), source: error.into() }),
    };
    let metadata = file.metadata().map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    if metadata.is_file() { Ok(Some(file)) } else { Err(not_a_file()) }
}

/// Reads a small file whole.
fn read_document(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let at = |source| StoreError::Io { path: path.to_owned(), source };
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(at)?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= limit => Ok(Some(bytes)),
        _ => Err(StoreError::Other {
            code: crate::code::DiagnosticCode::LimitExceeded,
            message: format!("{} has more than {limit} bytes", path.display()),
            hint: None,
            source: Some(Box::new(io::Error::from(io::ErrorKind::FileTooLarge))),
        }),
    }
}
