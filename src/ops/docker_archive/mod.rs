//! An archive that `docker load`, `podman load` and `skopeo copy docker-archive:` read.
//!
//! It has the shape that Docker itself writes since version 25: `manifest.json` for readers of the old format, which
//! names configuration and layers by their paths below `blobs/`, and around it an OCI layout with the original manifest.
//! Readers of either take what they know. Layers stay as received, compressed or not; all of these readers tell.
//!
//! The format has room for one platform of an image and none for whatever refers to it, so signatures stay behind.

mod choose;
mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use crate::archive::{DockerManifest, LoadList, LoadableImage};
use crate::digest::Digest;
use crate::json;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Manifest, Platform, Reference, annotation, blob_path};
use crate::ops::closure::{Closure, WalkOptions, walk_each};
use crate::ops::import::{Admission, AdmissionGround, Mapping};
use crate::ops::integrity::Ledger;
use crate::ops::progress::{Progress, Stage, counted, or_cancelled, proceed};
use crate::store::stream::{BundleHead, BundleTail};
use crate::store::{ContentKind, ContentStore, RawContent, copy_to};

use choose::{Image, choose, inspect_config};
pub use error::DockerArchiveError;

/// What a docker archive got, and what it could not take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerArchiveReport {
    /// The images, by name.
    pub images: Vec<ArchivedImage>,
    /// Blobs and manifests written.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An image in a docker archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedImage {
    /// The name under which it was judged.
    pub reference: Reference,
    /// The name that it has in the archive.
    pub destination: Reference,
    /// What was judged: the image or an index above it.
    pub root: Descriptor,
    /// The image.
    pub manifest: Descriptor,
    /// What the image is for, where an index says so.
    pub platform: Option<Platform>,
    /// Why it was let in.
    pub ground: AdmissionGround,
    /// Referrers, signatures among them, that the format cannot carry.
    pub left_behind: u64,
}

/// How to write a docker archive.
#[derive(Debug, Clone, Default)]
pub struct DockerArchiveOptions {
    /// Which name each image gets.
    pub mapping: Mapping,
    /// Which image of an index: usually the host's platform. `None` takes the only one there is.
    pub platform: Option<Platform>,
    /// What the store is known to lack.
    pub known_omitted: BTreeSet<Digest>,
    /// What of the store must be sound before the archive counts as written, beside what is in it.
    pub ledger: Option<Arc<Ledger>>,
}

/// Writes what was admitted as one docker archive. Nothing is written before every artifact was found to be an image
/// that fits.
///
/// # Errors
/// An artifact is no container image, nothing says which of several is meant, content is missing or is not what it
/// should be, the output does not take it, or the work was told to stop. What the output received is then of no use.
pub fn write(
    store: &dyn ContentStore,
    admissions: &[Admission],
    options: &DockerArchiveOptions,
    limits: &Limits,
    out: impl Write,
    progress: &Arc<dyn Progress>,
) -> Result<DockerArchiveReport, DockerArchiveError> {
    or_cancelled(run(store, None, admissions, options, limits, out, progress), progress.as_ref())
}

/// The same, from a bundle that comes through a pipe: its layers have the order of the archive that is written.
///
/// # Errors
/// As [`write`]; and the pipe breaks off, or gives something else than it should.
pub fn write_stream(
    head: &BundleHead,
    tail: &mut BundleTail,
    admissions: &[Admission],
    options: &DockerArchiveOptions,
    limits: &Limits,
    out: impl Write,
    progress: &Arc<dyn Progress>,
) -> Result<DockerArchiveReport, DockerArchiveError> {
    or_cancelled(run(head, Some(Rest { head, tail }), admissions, options, limits, out, progress), progress.as_ref())
}

/// What comes through a pipe behind what is known already.
struct Rest<'a> {
    head: &'a BundleHead,
    tail: &'a mut BundleTail,
}

fn run(
    store: &dyn ContentStore,
    rest: Option<Rest<'_>>,
    admissions: &[Admission],
    options: &DockerArchiveOptions,
    limits: &Limits,
    out: impl Write,
    progress: &Arc<dyn Progress>,
) -> Result<DockerArchiveReport, DockerArchiveError> {
    progress.stage(Stage::Discovering, None);
    let mut images = Vec::new();
    let mut content = Content::default();
    let wanted = WalkOptions { platforms: Vec::new(), known_omitted: options.known_omitted.clone() };
    let walked = walk_each(store, admissions, Admission::descriptor, &wanted, limits, progress.as_ref()).map_err(
        |(admission, error)| DockerArchiveError::Closure {
            reference: admission.reference().clone(),
            error: Box::new(error),
        },
    )?;
    for (admission, closure) in admissions.iter().zip(walked.each()) {
        let (archived, image) = admit(store, admission, closure, options, limits)?;
        content.add(&image)?;
        images.push((archived, image));
    }
    images.sort_by(|(a, _), (b, _)| a.destination.cmp(&b.destination));
    images.dedup_by(|(a, _), (b, _)| a.destination == b.destination && a.manifest == b.manifest);
    check_names(&images)?;
    progress.stage(Stage::Importing, Some(content.bytes()));
    let mut tar = TarWriter::new(out);
    tar.document(LayoutDocument::NAME, LayoutDocument::BYTES)?;
    tar.document(IndexDocument::NAME, &index(&images)?)?;
    tar.document(DockerManifest::NAME, &manifest_json(&images)?)?;
    content.write(store, rest, &mut tar, options.ledger.as_deref(), progress)?;
    tar.finish()?;
    if let Some(ledger) = &options.ledger {
        ledger.settle(store, progress.as_ref())?;
    }
    let blobs = u64::try_from(content.manifests.len().saturating_add(content.blobs.len())).unwrap_or(u64::MAX);
    let images = images.into_iter().map(|(archived, _)| archived).collect();
    Ok(DockerArchiveReport { images, blobs, bytes: content.bytes() })
}

fn admit(
    store: &dyn ContentStore,
    admission: &Admission,
    closure: &Closure,
    options: &DockerArchiveOptions,
    limits: &Limits,
) -> Result<(ArchivedImage, Image), DockerArchiveError> {
    let reference = admission.reference();
    let destination = options.mapping.apply(reference)?;
    let image = choose(closure, reference, options.platform.as_ref())?;
    inspect_config(store, &image, reference, limits)?;
    let archived = ArchivedImage {
        reference: reference.clone(),
        destination,
        root: closure.root.clone(),
        manifest: image.manifest.descriptor().bare(),
        platform: image.platform.clone(),
        ground: admission.ground(),
        left_behind: u64::try_from(closure.referrers.len()).unwrap_or(u64::MAX),
    };
    Ok((archived, image))
}

/// A name loads one image.
fn check_names(images: &[(ArchivedImage, Image)]) -> Result<(), DockerArchiveError> {
    let mut named = BTreeMap::new();
    for (archived, _) in images {
        let Some(name) = archived.destination.tagged() else { continue };
        let second = archived.manifest.digest;
        if let Some(first) = named.insert(name, second).filter(|first| *first != second) {
            return Err(DockerArchiveError::NameTwice {
                reference: Box::new(archived.destination.clone()),
                first,
                second,
            });
        }
    }
    Ok(())
}

fn manifest_json(images: &[(ArchivedImage, Image)]) -> Result<Vec<u8>, DockerArchiveError> {
    let mut list = LoadList::default();
    for (archived, image) in images {
        let loadable = LoadableImage {
            manifest: archived.manifest.digest,
            config: image.config.digest,
            layers: image.manifest.layers().iter().map(|layer| layer.digest).collect(),
        };
        list.add(&loadable, archived.destination.tagged());
    }
    Ok(list.to_bytes()?)
}

fn index(images: &[(ArchivedImage, Image)]) -> Result<Vec<u8>, DockerArchiveError> {
    let entry = |(archived, _): &(ArchivedImage, Image)| {
        let mut entry = archived.manifest.clone();
        entry.platform = archived.platform.clone().map(Box::new);
        if let (Some(name), Some(tag)) = (archived.destination.tagged(), &archived.destination.tag) {
            entry.annotations.insert(annotation::CONTAINERD_NAME.into(), name);
            entry.annotations.insert(annotation::REF_NAME.into(), tag.to_string());
        }
        entry
    };
    Ok(json::to_vec(&IndexDocument::new(images.iter().map(entry).collect()))?)
}

/// Everything to be written, each once.
#[derive(Default)]
struct Content {
    manifests: BTreeMap<Digest, Arc<Manifest>>,
    /// Each blob and the manifest that names it.
    blobs: BTreeMap<Digest, (Descriptor, Digest)>,
}

impl Content {
    fn add(&mut self, image: &Image) -> Result<(), DockerArchiveError> {
        let parent = image.manifest.descriptor().digest;
        self.manifests.insert(parent, Arc::clone(&image.manifest));
        for blob in image.manifest.blobs() {
            let (known, _) = self.blobs.entry(blob.digest).or_insert_with(|| (blob.bare(), parent));
            if known.size != blob.size {
                let (first, second) = (known.size, blob.size);
                return Err(DockerArchiveError::SizeConflict { digest: blob.digest, first, second });
            }
        }
        self.blobs.retain(|digest, _| !self.manifests.contains_key(digest));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let manifests = self.manifests.values().map(|manifest| manifest.descriptor().size);
        manifests.chain(self.blobs.values().map(|(blob, _)| blob.size)).fold(0, u64::saturating_add)
    }

    /// Manifests and configurations first, layers last.
    fn write(
        &self,
        store: &dyn ContentStore,
        rest: Option<Rest<'_>>,
        tar: &mut TarWriter<impl Write>,
        ledger: Option<&Ledger>,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), DockerArchiveError> {
        for manifest in self.manifests.values() {
            let content = RawContent::from_bytes(Arc::clone(manifest.bytes()));
            tar.blob(manifest.descriptor(), counted(content, progress))?;
        }
        let mut blobs: Vec<_> = self.blobs.values().collect();
        blobs.sort_by_key(|(blob, _)| !blob.media_type.is_image_config());
        let comes_later = |digest: &Digest| rest.as_ref().is_some_and(|rest| !rest.head.holds(digest));
        for (blob, parent) in blobs.into_iter().filter(|(blob, _)| !comes_later(&blob.digest)) {
            proceed(progress.as_ref())?;
            let missing = || DockerArchiveError::BlobMissing { digest: blob.digest, parent: *parent };
            let content = store.open(blob, ContentKind::Blob)?.ok_or_else(missing)?;
            tar.blob(blob, counted(content, progress))?;
            if let Some(ledger) = ledger {
                ledger.checked(&blob.digest);
            }
        }
        rest.map_or(Ok(()), |rest| self.write_rest(rest, tar, ledger, progress))
    }

    /// Writes what belongs to the images while everything passes.
    fn write_rest(
        &self,
        rest: Rest<'_>,
        tar: &mut TarWriter<impl Write>,
        ledger: Option<&Ledger>,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), DockerArchiveError> {
        let missing = |(blob, _): &&(Descriptor, Digest)| !rest.head.lists(&blob.digest);
        if let Some((blob, parent)) = self.blobs.values().find(missing) {
            return Err(DockerArchiveError::BlobMissing { digest: blob.digest, parent: *parent });
        }
        while let Some(blob) = rest.tail.next_blob()? {
            proceed(progress.as_ref())?;
            let content = counted(rest.tail.content(), progress);
            match self.blobs.get(&blob.digest) {
                Some((blob, _)) => tar.blob(blob, content)?,
                None => {
                    let known = ledger.and_then(|ledger| ledger.blob(&blob.digest));
                    copy_to(content, known.unwrap_or(&blob), &mut io::sink())?;
                }
            }
            if let Some(ledger) = ledger {
                ledger.checked(&blob.digest);
            }
        }
        Ok(())
    }
}

/// A tar of regular files with fixed owners and times, so that the same images give the same bytes.
struct TarWriter<W: Write> {
    builder: tar::Builder<W>,
}

const BLOCK: u64 = 512;

impl<W: Write> TarWriter<W> {
    fn new(out: W) -> Self {
        Self { builder: tar::Builder::new(out) }
    }

    fn header(&mut self, path: &str, size: u64) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        if header.set_path(path).is_err() {
            // blobs/sha512/… is longer than ustar's fields; pax has no such limit.
            self.builder.append_pax_extensions([("path", path.as_bytes())])?;
            header.set_path("blobs/long")?;
        }
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.builder.get_mut().write_all(header.as_bytes())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        io::copy(&mut io::Read::take(io::repeat(0), padding), self.builder.get_mut()).map(|_| ())
    }

    fn document(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.header(path, size)?;
        self.builder.get_mut().write_all(bytes)?;
        self.pad(size)
    }

    fn blob(&mut self, descriptor: &Descriptor, content: RawContent) -> Result<(), DockerArchiveError> {
        self.header(&blob_path(&descriptor.digest), descriptor.size)?;
        copy_to(content, descriptor, self.builder.get_mut())?;
        Ok(self.pad(descriptor.size)?)
    }

    fn finish(self) -> io::Result<()> {
        self.builder.into_inner()?.flush()
    }
}
