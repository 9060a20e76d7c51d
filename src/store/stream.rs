//! A bundle that comes through a pipe. Its head, all that decides, is read into memory and is a store like any other;
//! its tail, the layers, comes once, in order, and only if somebody asks for it.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use super::bundle::{BundleStore, Contents, Listed, check_layout, inventory_layer, seal_manifest};
use super::listing::{Graph, LazyGraph};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError, copy_to};
use crate::archive::{
    ArchiveError, ArchiveStream, BlobRecord, BundleInventory, DockerManifestError, DockerManifestRecord, EntryName,
    SealMembers, SharedStream,
};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Manifest, Target};

/// How much of a head is held in memory. Real ones have a few kilobytes for each artifact; a bundle with more can be
/// read from a file.
const MOST_HEAD: u64 = 256 << 20;

/// Content in memory, by digest.
type Held = BTreeMap<Digest, Arc<[u8]>>;

/// The head of a bundle: its inventory, its manifests, signatures, evidence and configurations. Every blob of it was
/// held against its digest when it was read.
#[derive(Debug)]
pub struct BundleHead {
    contents: Contents,
    blobs: Held,
    limits: Limits,
    graph: LazyGraph,
}

/// The tail of a bundle: what is large. Dropped before its end, it closes the pipe, and whoever writes hears of it.
#[derive(Debug)]
pub struct BundleTail {
    stream: SharedStream,
    blobs: std::vec::IntoIter<BlobRecord>,
}

/// Begins to read a bundle from a pipe: all of its head, and nothing of its tail.
///
/// # Errors
/// It cannot be read, is no bundle, breaks off, or something in its head is not as the format says.
pub fn open_stream(
    reader: impl Read + Send + 'static,
    limits: &Limits,
) -> Result<(BundleHead, BundleTail), StoreError> {
    let stream = ArchiveStream::open(reader, limits)?.share();
    let mut opening = Opening { stream, limits };
    let (contents, seal) = opening.contents()?;
    let (blobs, tail) = opening.head(&contents, seal)?;
    let head = BundleHead { contents, blobs, limits: limits.clone(), graph: LazyGraph::default() };
    Ok((head, BundleTail { stream: opening.stream, blobs: tail.into_iter() }))
}

struct Opening<'a> {
    stream: SharedStream,
    limits: &'a Limits,
}

impl Opening<'_> {
    /// The documents, the bundle manifest, its seal and the inventory: what every bundle begins with. The seal's blobs
    /// are handed out beside it.
    fn contents(&mut self) -> Result<(Contents, Held), StoreError> {
        let layout = u64::try_from(LayoutDocument::BYTES.len()).unwrap_or(0);
        let first = self.document(EntryName::Layout, layout).map_err(foreign)?;
        check_layout(&first).map_err(foreign)?;
        let index = self.document(EntryName::Index, self.limits.index_bytes).map_err(foreign)?;
        let listed = match Listed::read(&index) {
            Err(_) if !mentions_bundle(&index) => return Err(StoreError::from_diagnostic(NoBundle)),
            other => other?,
        };
        let entry = &listed.bundle;
        let manifest = self.blob(entry, BundleStore::MANIFEST_BYTES, ContentKind::Manifest)?;
        let layer = inventory_layer(entry, manifest)?;
        let (seal, held) = self.seal(&listed)?.unzip();
        let inventory = self.blob(&layer, self.limits.index_bytes, ContentKind::Blob)?;
        let contents = Contents::read(&entry.bare(), inventory, seal, &index, self.limits)?;
        if let Some(record) = &contents.inventory.docker_manifest {
            self.docker_manifest(record)?;
        }
        Ok((contents, held.unwrap_or_default()))
    }

    /// `manifest.json`, which must be what the inventory says; whether that is right shows when the manifests are known.
    /// It need not be kept for that.
    fn docker_manifest(&self, record: &DockerManifestRecord) -> Result<(), ArchiveError> {
        let mut stream = self.stream.lock();
        match stream.next_entry()? {
            Some((EntryName::DockerManifest, found)) if found != record.size => {
                Err(DockerManifestError::Size { expected: record.size, found }.into())
            }
            Some((EntryName::DockerManifest, _)) => Ok(record.check(&stream.document(record.size)?)?),
            _ => Err(DockerManifestError::Missing.into()),
        }
    }

    /// The seal, whose blobs stand in the order in which each leads to the next.
    fn seal(&self, listed: &Listed) -> Result<Option<(SealMembers, Held)>, StoreError> {
        let Some((seal, evidence)) = listed.seal()? else { return Ok(None) };
        let bundle = listed.bundle.bare();
        let mut held = Held::default();
        let mut take = |blob: &Descriptor, limit, kind| -> Result<Vec<u8>, StoreError> {
            let bytes = self.blob(blob, limit, kind)?;
            held.insert(blob.digest, Arc::from(bytes.as_slice()));
            Ok(bytes)
        };
        let manifest = |entry: &Descriptor, bytes| seal_manifest(entry, bytes);
        let read = |seal: &Manifest, evidence: Option<&Manifest>| {
            SealMembers::read(&bundle, seal, evidence, self.limits).map_err(ArchiveError::from)
        };
        let seal = manifest(seal, take(seal, SealMembers::MANIFEST_BYTES, ContentKind::Manifest)?)?;
        let mut members = read(&seal, None)?;
        take(members.envelope(), self.limits.envelope_bytes, ContentKind::Blob)?;
        if let Some(entry) = evidence {
            let evidence = manifest(entry, take(entry, SealMembers::MANIFEST_BYTES, ContentKind::Manifest)?)?;
            members = read(&seal, Some(&evidence))?;
            for piece in members.pieces() {
                take(piece, self.limits.crl_bytes, ContentKind::Blob)?;
            }
        }
        Ok(Some((members, held)))
    }

    fn document(&self, name: EntryName, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut stream = self.stream.lock();
        match stream.next_entry()? {
            Some((found, _)) if found == name => stream.document(limit),
            Some((found, _)) => Err(ArchiveError::EntryOrder { expected: name.to_string(), found: found.to_string() }),
            None => Err(ArchiveError::Missing { name: name.to_string() }),
        }
    }

    /// The next entry, which must be this blob, in memory and checked.
    fn blob(&self, blob: &Descriptor, limit: u64, kind: ContentKind) -> Result<Vec<u8>, StoreError> {
        let Descriptor { digest, size, .. } = *blob;
        if size > limit {
            return Err(StoreError::OverLimit { digest, kind, size, limit });
        }
        expect(&self.stream, blob, |_| false)?;
        let mut bytes = Vec::new();
        copy_to(self.stream.content(), blob, &mut bytes)?;
        Ok(bytes)
    }

    /// Everything up to the first layer, in memory; and what comes then.
    fn head(&self, contents: &Contents, seal: Held) -> Result<(Held, Vec<BlobRecord>), StoreError> {
        let inventory = &contents.inventory;
        let (head, tail) = inventory.blobs.split_at(inventory.head().min(inventory.blobs.len()));
        let comes = |blob: &&BlobRecord| !contents.is_early(&blob.digest);
        let (head, tail): (Vec<_>, Vec<_>) =
            (head.iter().filter(comes).collect(), tail.iter().filter(comes).cloned().collect());
        let early = seal.values().map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let size = early.chain(head.iter().map(|blob| blob.size)).fold(0_u64, u64::saturating_add);
        if size > MOST_HEAD {
            return Err(StoreError::from_diagnostic(HeadTooLarge { size, limit: MOST_HEAD }));
        }
        let mut blobs = seal;
        for record in head {
            let blob = record.descriptor();
            expect(&self.stream, &blob, |digest| inventory.blobs.iter().any(|known| known.digest == *digest))?;
            let mut bytes = Vec::new();
            copy_to(self.stream.content(), &blob, &mut bytes)?;
            blobs.insert(blob.digest, bytes.into());
        }
        contents.check_docker_manifest(|blob| {
            let bytes = blobs.get(&blob.digest).ok_or(ArchiveError::BlobMissing { digest: blob.digest })?;
            let manifest = Manifest::parse(&blob.descriptor(), Arc::clone(bytes));
            Ok(Arc::new(manifest.map_err(|source| StoreError::Manifest { digest: blob.digest, source })?))
        })?;
        Ok((blobs, tail))
    }
}

/// Goes to the next entry, which must be this blob, of this size. `is_listed` tells whether something else in its place
/// belongs to the bundle at all.
fn expect(
    stream: &SharedStream,
    blob: &Descriptor,
    is_listed: impl FnOnce(&Digest) -> bool,
) -> Result<(), ArchiveError> {
    let name = EntryName::Blob(blob.digest);
    let Some((found, size)) = stream.lock().next_entry()? else {
        return Err(ArchiveError::BlobMissing { digest: blob.digest });
    };
    match found {
        _ if found == name && size == blob.size => Ok(()),
        _ if found == name => Err(ArchiveError::BlobSize { digest: blob.digest, expected: blob.size, found: size }),
        EntryName::DockerManifest => Err(ArchiveError::Unexpected { name: found.to_string() }),
        EntryName::Blob(digest) if !is_listed(&digest) => Err(ArchiveError::Unexpected { name: found.to_string() }),
        _ => Err(ArchiveError::EntryOrder { expected: name.to_string(), found: found.to_string() }),
    }
}

/// What shows no sign of being a bundle, in either of its documents, is another tool's archive. That is worth another
/// advice than damage.
fn foreign(error: ArchiveError) -> StoreError {
    match error {
        ArchiveError::Forbidden { .. }
        | ArchiveError::NotCanonical { .. }
        | ArchiveError::EntryOrder { .. }
        // Other tools' frames are cut elsewhere, and have other headers.
        | ArchiveError::Frame { .. }
        | ArchiveError::DocumentTooLarge { .. }
        | ArchiveError::Missing { .. } => StoreError::from_diagnostic(NoBundle),
        other => other.into(),
    }
}

fn mentions_bundle(index: &[u8]) -> bool {
    let text = crate::archive::names::BUNDLE.as_bytes();
    IndexDocument::parse(index).is_err() || index.windows(text.len()).any(|window| window == text)
}

impl BundleHead {
    /// What the bundle says of itself, checked for consistency.
    pub const fn inventory(&self) -> &BundleInventory {
        &self.contents.inventory
    }

    /// The bundle manifest, which nothing but the bundle itself vouches for.
    pub const fn manifest(&self) -> &Descriptor {
        &self.contents.manifest
    }

    /// What seals it, unjudged.
    pub const fn seal(&self) -> Option<&SealMembers> {
        self.contents.seal.as_ref()
    }

    /// Whether a blob is in memory.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// Whether a blob is in the bundle, here or later.
    pub fn lists(&self, digest: &Digest) -> bool {
        self.contents.record(digest).is_some()
    }

    fn graph(&self) -> Result<&Graph, StoreError> {
        self.graph.get(|| Graph::build(self, &self.contents.manifests(), &self.limits))
    }
}

impl ContentStore for BundleHead {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.contents.resolve(target)
    }

    /// What is listed and comes later is not absent: that it is needed already is an error.
    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        match self.blobs.get(&descriptor.digest) {
            Some(bytes) => Ok(Some(RawContent::from_bytes(Arc::clone(bytes)))),
            None if self.contents.record(&descriptor.digest).is_none() => Ok(None),
            None => Err(StoreError::from_diagnostic(TooLate { digest: descriptor.digest })),
        }
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.graph()?.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        Ok(self.contents.names())
    }
}

impl BundleTail {
    /// Goes to the next blob. Its [`BundleTail::content`] must be read to its end before the one after it. `None` when
    /// all were read and nothing was wrong with what stands between and behind them: padding, the end, the seek table,
    /// and that nothing follows.
    ///
    /// # Errors
    /// The pipe breaks off, or gives something else than the format says.
    pub fn next_blob(&mut self) -> Result<Option<Descriptor>, StoreError> {
        let Some(record) = self.blobs.next() else {
            return match self.stream.lock().next_entry()? {
                None => Ok(None),
                Some((name, _)) => Err(ArchiveError::Unexpected { name: name.to_string() }.into()),
            };
        };
        let blob = record.descriptor();
        expect(&self.stream, &blob, |digest| self.blobs.as_slice().iter().any(|known| known.digest == *digest))?;
        Ok(Some(blob))
    }

    /// The content of the current blob, or what is left of it, unchecked.
    pub fn content(&self) -> RawContent {
        self.stream.content()
    }

    /// Whether nothing is left of the current blob.
    pub fn is_read(&self) -> bool {
        self.stream.lock().is_read()
    }

    /// How many bytes its blobs have.
    pub fn bytes(&self) -> u64 {
        self.blobs.as_slice().iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

/// Something else than a bundle.
#[derive(Debug, thiserror::Error)]
#[error("what comes through the pipe is no bundle, and other archives are read from files only")]
struct NoBundle;

impl Diagnostic for NoBundle {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::StreamNotABundle
    }

    fn hint(&self) -> Option<String> {
        Some("write it to a file first and give that; bulla export makes bundles of layouts and archives".into())
    }
}

/// More before the first layer than is held in memory.
#[derive(Debug, thiserror::Error)]
#[error("{size} bytes of manifests, signatures and configurations come before the layers; at most {limit} are held")]
struct HeadTooLarge {
    size: u64,
    limit: u64,
}

impl Diagnostic for HeadTooLarge {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::LimitExceeded
    }

    fn hint(&self) -> Option<String> {
        Some("write the bundle to a file first and give that: from a file, content is read when it is needed".into())
    }
}

/// Something that decides stands among the layers, because the inventory does not say what it is.
#[derive(Debug, thiserror::Error)]
#[error("{digest} is needed to judge, and the bundle's inventory puts it among the layers, which come later")]
struct TooLate {
    digest: Digest,
}

impl Diagnostic for TooLate {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::BundleManifestInvalid
    }

    fn hint(&self) -> Option<String> {
        Some("write the bundle to a file first and give that; whoever made it should export the artifacts again".into())
    }
}
