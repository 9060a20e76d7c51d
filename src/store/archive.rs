//! Archives of other tools: a tar of an OCI layout (`oci-archive:` of skopeo, podman and buildah, `docker save`).

use std::path::Path;
use std::sync::OnceLock;

use super::bundle::BundleStore;
use super::listing::{self, Graph, LazyGraph, Tags};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError};
use crate::archive::{Archive, ArchiveError, EntryName, Strictness, names};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Target};

/// The most that is read of `oci-layout`.
const LAYOUT_BYTES: u64 = 64 << 10;

/// An archive to read from, made by any tool.
#[derive(Debug)]
pub struct ArchiveStore {
    archive: Archive,
    limits: Limits,
    index: IndexDocument,
    graph: LazyGraph,
    tags: OnceLock<Tags>,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum OpenedArchive {
    /// A bundle, read by its rules
    Bundle(Box<BundleStore>),
    /// Another tool's archive
    Foreign(Box<ArchiveStore>),
}

impl OpenedArchive {
    /// The store.
    pub fn store(&self) -> &dyn ContentStore {
        match self {
            Self::Bundle(store) => store.as_ref(),
            Self::Foreign(store) => store.as_ref(),
        }
    }
}

/// Opens a file as what it is. What shows any sign of being a bundle (the artifact type in `index.json`, or a bundle
/// manifest behind it) must keep all of a bundle's rules: taking such a sign away does not make it pass as less.
///
/// # Errors
/// As [`BundleStore::open`] or [`ArchiveStore::open`].
pub fn open_any(path: &Path, limits: &Limits) -> Result<OpenedArchive, StoreError> {
    let archive = Archive::open(path, limits, Strictness::Foreign).map_err(StoreError::from_diagnostic)?;
    if is_bundle(&archive, limits)? {
        return BundleStore::open(path, limits).map(|store| OpenedArchive::Bundle(Box::new(store)));
    }
    ArchiveStore::of(path, archive, limits).map(|store| OpenedArchive::Foreign(Box::new(store)))
}

fn is_bundle(archive: &Archive, limits: &Limits) -> Result<bool, StoreError> {
    let index = archive.document(EntryName::Index, limits.index_bytes).map_err(StoreError::from_diagnostic)?;
    let index = index.and_then(|bytes| IndexDocument::parse(&bytes).ok());
    let ours = |entry: &Descriptor| entry.artifact_type.as_ref().is_some_and(|kind| *kind == names::BUNDLE);
    if index.is_some_and(|index| index.manifests.iter().any(ours)) {
        return Ok(true);
    }
    let Some(third) = archive.entries().get(2).filter(|entry| entry.size <= BundleStore::MANIFEST_BYTES) else {
        return Ok(false);
    };
    let bytes = archive.document(third.name, BundleStore::MANIFEST_BYTES).map_err(StoreError::from_diagnostic)?;
    let text = format!("\"artifactType\":\"{}\"", names::BUNDLE);
    Ok(bytes.is_some_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())))
}

impl ArchiveStore {
    /// Opens an archive of a layout.
    ///
    /// # Errors
    /// The file cannot be read, holds what no tool of good will writes, or holds no layout.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let archive = Archive::open(path, limits, Strictness::Foreign).map_err(StoreError::from_diagnostic)?;
        Self::of(path, archive, limits)
    }

    fn of(path: &Path, archive: Archive, limits: &Limits) -> Result<Self, StoreError> {
        let document = |name, limit| match archive.document(name, limit) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(StoreError::from_diagnostic(NoLayout { name })),
            Err(error) => Err(StoreError::from_diagnostic(error)),
        };
        let invalid = |source| StoreError::Layout { path: path.to_owned(), source };
        LayoutDocument::parse(&document(EntryName::Layout, LAYOUT_BYTES)?).map_err(invalid)?;
        let index = IndexDocument::parse(&document(EntryName::Index, limits.index_bytes)?).map_err(invalid)?;
        Ok(Self { archive, limits: limits.clone(), index, graph: LazyGraph::default(), tags: OnceLock::new() })
    }

    /// The archive's `index.json`.
    pub fn index(&self) -> &IndexDocument {
        &self.index
    }

    fn graph(&self) -> Result<&Graph, StoreError> {
        self.graph.get(|| Graph::build(self, &self.index.manifests, &self.limits))
    }
}

impl ContentStore for ArchiveStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        listing::resolve(&self.index, &self.tags, target, |digest| {
            if let Some(descriptor) = self.graph()?.manifest(digest) {
                return Ok(Some(descriptor.clone()));
            }
            let entry = self.archive.find(&EntryName::Blob(*digest));
            Ok(entry.map(|entry| Descriptor::new("", *digest, entry.size)))
        })
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        let entry = self.archive.find(&EntryName::Blob(descriptor.digest));
        Ok(entry.map(|entry| self.archive.content(entry)))
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.graph()?.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        listing::roots(&self.index, || self.graph())
    }
}

/// A tar, but not of a layout.
#[derive(Debug, thiserror::Error)]
#[error("the archive holds no {name}, so it is no archive of an OCI layout")]
struct NoLayout {
    name: EntryName,
}

impl Diagnostic for NoLayout {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::LayoutInvalid
    }

    fn hint(&self) -> Option<String> {
        Some("images saved by an old docker are not in this form; load them and push them to a registry first".into())
    }
}

impl From<ArchiveError> for StoreError {
    fn from(error: ArchiveError) -> Self {
        Self::from_diagnostic(error)
    }
}
