//! From a collection and its evidence to a bundle.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use super::closure::Child;
use super::collect::{CollectError, CollectedRoot, Collection};
use super::progress::{Cancelled, Progress, Stage, counted, or_cancelled};
use crate::archive::{
    ArchiveError, BlobRecord, BundleInventory, BundleWriter, Companions, Compression, DockerManifest, EvidenceRecord,
    OutputFile, PlatformRecord, ReferrerRecord, RootRecord, SearchRecord, SignatureRecord, Totals, Unloadable,
    empty_config, names,
};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::{Descriptor, Manifest, ManifestError};
use crate::parallel::{in_parallel_by, try_map_in_parallel_by};
use crate::store::{RawContent, Search, SearchMethod, SearchResult, StoreError, copy_to};
use crate::time::UnixTime;

/// What is carried beside the collected content, so that its signatures can be judged.
#[derive(Debug, Clone, Default)]
pub struct Supplies {
    /// One manifest for each signature that needs evidence; the signature is its subject.
    pub evidence_manifests: Vec<(Descriptor, Arc<[u8]>)>,
    /// The CRLs and OCSP responses that the evidence manifests name.
    pub evidence: Vec<(EvidenceRecord, Arc<[u8]>)>,
    /// Every Notary Project signature, and how well it is supplied.
    pub signatures: Vec<SignatureRecord>,
}

/// Draws up the inventory. The same content, time and name always give the same inventory, in whatever order the
/// sources were given.
///
/// # Errors
/// An evidence manifest cannot be read or has no subject.
pub fn inventory(
    collection: &Collection,
    supplies: &Supplies,
    created_at: UnixTime,
    created_by: &str,
) -> Result<BundleInventory, PackError> {
    let mut referrers = collected_referrers(collection);
    for (descriptor, bytes) in &supplies.evidence_manifests {
        referrers.push(evidence_referrer(descriptor, bytes)?);
    }
    let mut inventory = BundleInventory {
        schema_version: 1,
        media_type: names::BUNDLE.into(),
        features: Vec::new(),
        stream: None,
        created_by: created_by.to_owned(),
        created_at,
        roots: collection.roots.iter().map(|root| root_record(root, collection)).collect(),
        referrers,
        signatures: supplies.signatures.clone(),
        evidence: supplies.evidence.iter().map(|(record, _)| record.clone()).collect(),
        searches: search_records(collection),
        omitted: collection.omitted.clone(),
        docker_manifest: None,
        blobs: blob_records(collection, supplies),
        totals: Totals::default(),
    };
    inventory.normalise();
    Ok(inventory)
}

/// The `manifest.json` for what was collected, so that docker's own image store and `podman load` read the bundle.
///
/// # Errors
/// They could not load it: see [`Unloadable`].
pub fn docker_manifest(collection: &Collection, inventory: &BundleInventory) -> Result<DockerManifest, PackError> {
    DockerManifest::derive(inventory, |blob| match collection.manifests.get(&blob.digest) {
        Some(manifest) => Ok(Arc::clone(manifest)),
        None => Err(CollectError::NotCollected { digest: blob.digest }.into()),
    })
}

fn root_record(root: &CollectedRoot, collection: &Collection) -> RootRecord {
    let carried = |digest: &Digest| collection.manifests.contains_key(digest);
    let platform = |child: &Child| PlatformRecord {
        digest: child.descriptor.digest,
        platform: child.descriptor.platform.clone(),
        omitted: !carried(&child.descriptor.digest),
    };
    let descriptor = &root.descriptor;
    // Blobs that an index lists, as BuildKit's caches do, are no platforms.
    let listed = |child: &&Child| child.omitted.is_some() || carried(&child.descriptor.digest);
    RootRecord {
        reference: root.reference.clone(),
        digest: descriptor.digest,
        size: descriptor.size,
        media_type: descriptor.media_type.clone(),
        platforms: root.children.iter().filter(listed).map(platform).collect(),
    }
}

fn collected_referrers(collection: &Collection) -> Vec<ReferrerRecord> {
    let record = |referrer: &super::closure::Referrer| ReferrerRecord {
        subject: referrer.subject,
        digest: referrer.descriptor.digest,
        size: referrer.descriptor.size,
        media_type: referrer.descriptor.media_type.clone(),
        artifact_type: referrer.artifact_type.clone(),
        tag: referrer.tag.clone(),
    };
    collection.referrers.iter().map(record).collect()
}

fn evidence_referrer(descriptor: &Descriptor, bytes: &Arc<[u8]>) -> Result<ReferrerRecord, PackError> {
    let digest = descriptor.digest;
    let manifest = Manifest::parse(descriptor, Arc::clone(bytes))
        .map_err(|error| PackError::EvidenceManifest { digest, error })?;
    let subject = manifest.subject().ok_or(PackError::EvidenceWithoutSubject { digest })?;
    Ok(ReferrerRecord {
        subject: subject.digest,
        digest,
        size: descriptor.size,
        media_type: manifest.media_type().clone(),
        artifact_type: manifest.referrer_type().cloned(),
        tag: None,
    })
}

/// What was looked for, and whether it is there: not in which of the ways that its source has, so that a registry and a
/// layout with the same content give the same bundle.
fn search_records(collection: &Collection) -> Vec<SearchRecord> {
    let record = |(subject, searches): (&Digest, &Vec<Search>)| {
        let mut results: BTreeMap<SearchMethod, SearchResult> = BTreeMap::new();
        for search in searches {
            let method = match search.method {
                SearchMethod::ReferrersApi | SearchMethod::ReferrersTag | SearchMethod::LayoutIndex => {
                    SearchMethod::Referrers
                }
                other => other,
            };
            // A way that a source does not offer says nothing beside one that gave an answer.
            let result = results.entry(method).or_insert(search.result);
            *result = (*result).min(search.result);
        }
        let searches = results.into_iter().map(|(method, result)| Search { method, result }).collect();
        SearchRecord { subject: *subject, searches }
    };
    collection.searches.iter().map(record).collect()
}

fn blob_records(collection: &Collection, supplies: &Supplies) -> Vec<BlobRecord> {
    let record = |descriptor: &Descriptor, manifest| BlobRecord {
        digest: descriptor.digest,
        size: descriptor.size,
        media_type: descriptor.media_type.clone(),
        manifest,
    };
    let manifests = collection.manifests.values().map(|manifest| record(manifest.descriptor(), true));
    let blobs = collection.blobs.values().map(|blob| record(&blob.descriptor, false));
    let evidence = supplies.evidence_manifests.iter().map(|(descriptor, _)| record(descriptor, true));
    let pieces = supplies.evidence.iter().map(|(piece, _)| record(&piece.descriptor(), false));
    manifests.chain(blobs).chain(evidence).chain(pieces).collect()
}

/// Writes every blob of the inventory, each read once from where it is and checked on the way.
///
/// # Errors
/// A blob cannot be had or is not what it should be, the output does not take it, or the work was told to stop. What
/// the output received is then of no use.
pub fn pack<W: Write>(
    collection: &Collection,
    supplies: &Supplies,
    inventory: &BundleInventory,
    writer: BundleWriter<W>,
    progress: &Arc<dyn Progress>,
) -> Result<W, PackError> {
    progress.stage(Stage::Packing, Some(inventory.totals.bytes));
    or_cancelled(write_blobs(collection, supplies, inventory, writer, progress), progress.as_ref())
}

/// The same, uncompressed into a file. All sizes are known, so each blob has its place before it is read, and several
/// are read, hashed and written at a time. The bytes are those that [`pack`] writes.
///
/// # Errors
/// As [`pack`].
pub fn pack_file(
    collection: &Collection,
    supplies: &Supplies,
    inventory: &BundleInventory,
    companions: Companions<'_>,
    file: OutputFile,
    progress: &Arc<dyn Progress>,
) -> Result<OutputFile, PackError> {
    progress.stage(Stage::Packing, Some(inventory.totals.bytes));
    or_cancelled(fill_file(collection, supplies, inventory, companions, file, progress), progress.as_ref())
}

fn write_blobs<W: Write>(
    collection: &Collection,
    supplies: &Supplies,
    inventory: &BundleInventory,
    mut writer: BundleWriter<W>,
    progress: &Arc<dyn Progress>,
) -> Result<W, PackError> {
    let contents = Contents::of(collection, supplies, progress);
    contents.write(inventory, &mut writer, |writer, record| match contents.open(record)? {
        Some(content) => Ok(writer.copy(&record.descriptor(), content.in_sequence())?),
        None => Ok(()),
    })?;
    Ok(writer.finish()?)
}

/// From here on a blob is worth a place of its own.
const LARGE: u64 = 1 << 20;

/// How many blobs are read at a time: enough to hide the answering times of a registry and of disks.
const WORKERS: usize = 4;

/// How many blobs that are not large are held, read and checked, until it is their turn, and of how many bytes.
const READ_AHEAD: usize = 512;
const READ_AHEAD_BYTES: u64 = 8 << 20;

fn fill_file(
    collection: &Collection,
    supplies: &Supplies,
    inventory: &BundleInventory,
    companions: Companions<'_>,
    file: OutputFile,
    progress: &Arc<dyn Progress>,
) -> Result<OutputFile, PackError> {
    let contents = Contents::of(collection, supplies, progress);
    let mut writer = BundleWriter::with(file, inventory, companions, Compression::None)?;
    let mut large = Vec::new();
    contents.write(inventory, &mut writer, |writer, record| {
        large.push((record, writer.leave(&record.digest)?));
        Ok(())
    })?;
    let file = writer.finish()?;
    // Largest first: one digest is serial work, so the longest must not come last.
    large.sort_by_key(|(record, at)| (std::cmp::Reverse(record.size), *at));
    in_parallel_by(WORKERS, &large, |(record, at)| -> Result<(), PackError> {
        let Some(content) = contents.open(record)? else { return Ok(()) };
        copy_to(content, &record.descriptor(), &mut file.part(*at, record.size))?;
        Ok(())
    })?;
    Ok(file)
}

/// Where the content of every blob of a bundle comes from.
struct Contents<'a> {
    collection: &'a Collection,
    supplied: BTreeMap<Digest, &'a Arc<[u8]>>,
    progress: &'a Arc<dyn Progress>,
}

impl<'a> Contents<'a> {
    fn of(collection: &'a Collection, supplies: &'a Supplies, progress: &'a Arc<dyn Progress>) -> Self {
        let manifests = supplies.evidence_manifests.iter().map(|(descriptor, bytes)| (descriptor.digest, bytes));
        let pieces = supplies.evidence.iter().map(|(record, bytes)| (record.digest(), bytes));
        Self { collection, supplied: manifests.chain(pieces).collect(), progress }
    }

    /// Writes the blobs in their order. Those that are not large are read several at a time; what becomes of a large one
    /// is for `large` to say.
    fn write<'b, W: Write>(
        &self,
        inventory: &'b BundleInventory,
        writer: &mut BundleWriter<W>,
        mut large: impl FnMut(&mut BundleWriter<W>, &'b BlobRecord) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let due: Vec<&BlobRecord> = inventory.blobs.iter().filter(|blob| !writer.is_early(&blob.digest)).collect();
        let mut rest = due.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            if first.size >= LARGE {
                large(writer, first)?;
                rest = behind;
                continue;
            }
            let (ahead, behind) = rest.split_at(read_ahead(rest));
            let contents = try_map_in_parallel_by(WORKERS, ahead, |record| self.read(record))?;
            for (record, content) in ahead.iter().zip(contents) {
                if let Some(content) = content {
                    write_checked(writer, &record.digest, &content)?;
                }
            }
            rest = behind;
        }
        Ok(())
    }

    /// The content of a blob, checked; `None` for the empty configuration.
    fn read(&self, wanted: &BlobRecord) -> Result<Option<Vec<u8>>, PackError> {
        let Some(content) = self.open(wanted)? else { return Ok(None) };
        let mut bytes = Vec::new();
        copy_to(content, &wanted.descriptor(), &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The content of a blob; `None` for the empty configuration, which the writer has itself.
    fn open(&self, wanted: &BlobRecord) -> Result<Option<RawContent>, PackError> {
        let digest = &wanted.digest;
        let collected = || self.collection.manifests.get(digest).map(|manifest| manifest.bytes());
        let content = match self.supplied.get(digest).copied().or_else(collected) {
            Some(bytes) => RawContent::from_bytes(Arc::clone(bytes)),
            None if *digest == empty_config().digest => return Ok(None),
            None => match self.collection.blobs.get(digest) {
                Some(blob) => self.collection.open(blob)?,
                None => return Err(CollectError::NotCollected { digest: *digest }.into()),
            },
        };
        Ok(Some(counted(content, self.progress)))
    }
}

/// How many of these blobs, of which the first is not large, are read before they are written.
fn read_ahead(blobs: &[&BlobRecord]) -> usize {
    let mut bytes = 0_u64;
    let fits = |blob: &&&BlobRecord| {
        bytes = bytes.saturating_add(blob.size);
        blob.size < LARGE && bytes <= READ_AHEAD_BYTES
    };
    blobs.iter().take(READ_AHEAD).take_while(fits).count().max(1)
}

fn write_checked<W: Write>(writer: &mut BundleWriter<W>, digest: &Digest, content: &[u8]) -> Result<(), PackError> {
    let mut entry = writer.blob(digest)?;
    entry.write_all(content).map_err(|source| StoreError::Write { digest: *digest, source })?;
    Ok(entry.finish()?)
}

/// Why a bundle cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A blob cannot be had.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A blob could not be read or written, or is not what it should be.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// docker and podman could not load it.
    #[error(transparent)]
    Unloadable(#[from] Unloadable),
    /// An evidence manifest cannot be read.
    #[error("the evidence manifest {digest}: {error}")]
    EvidenceManifest {
        /// The manifest.
        digest: Digest,
        /// What is wrong.
        #[source]
        error: ManifestError,
    },
    /// An evidence manifest does not say which signature it serves.
    #[error("the evidence manifest {digest} has no subject")]
    EvidenceWithoutSubject {
        /// The manifest.
        digest: Digest,
    },
    /// The work was told to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Diagnostic for PackError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Collect(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Archive(error) => error.code(),
            Self::Unloadable(error) => error.code(),
            Self::EvidenceManifest { .. } | Self::EvidenceWithoutSubject { .. } => DiagnosticCode::InternalError,
            Self::Cancelled(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Collect(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::Unloadable(error) => error.hint(),
            Self::Cancelled(error) => error.hint(),
            _ => None,
        }
    }
}
