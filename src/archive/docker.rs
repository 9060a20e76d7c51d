//! `manifest.json`, by which docker's own image store, `podman load` and `skopeo docker-archive:` find the images of an
//! archive (`schemas/bundle-v1.md` §7.3). Those tools read nothing else of a bundle.
//!
//! It says nothing of its own. What it must be follows from the inventory and the manifests that are carried, so a reader
//! makes it again and compares; else whoever carries a bundle could have docker load something that bulla never judged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::inventory::{BlobRecord, BundleInventory, RootRecord};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Digest, shorten};
use crate::json::{self, JsonError};
use crate::oci::{Descriptor, Manifest, ManifestKind, Platform, Reference, blob_path};

/// The feature of a bundle with a `manifest.json`.
pub const DOCKER_MANIFEST: &str = "docker-manifest";

/// What an inventory says of the bundle's `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerManifestRecord {
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
}

/// A `manifest.json` that follows from a bundle's inventory and manifests. Nothing else makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerManifest {
    bytes: Vec<u8>,
    images: usize,
}

impl DockerManifest {
    /// The name of the file.
    pub const NAME: &str = "manifest.json";
    /// The most bytes that it may have: as many as an inventory.
    pub const MOST_BYTES: u64 = 64 << 20;

    /// Makes it. `read` gives a manifest that the inventory lists as one.
    ///
    /// # Errors
    /// A root holds several images, there is none at all, docker and podman could not unpack one, or a manifest cannot be
    /// read.
    pub fn derive<E: From<Unloadable>>(
        inventory: &BundleInventory,
        read: impl FnMut(&BlobRecord) -> Result<Arc<Manifest>, E>,
    ) -> Result<Self, E> {
        let records = inventory.blobs.iter().map(|blob| (blob.digest, blob)).collect();
        let mut finder = Finder { records, read, known: HashMap::new() };
        let mut images = LoadList::default();
        for root in &inventory.roots {
            match finder.below(&root.digest, MOST_DEPTH)?.found {
                Found::Nothing => {}
                Found::One(image) => images.add(&image, root.reference.tagged()),
                Found::Several => return Err(several(root).into()),
            }
        }
        if images.0.is_empty() {
            return Err(Unloadable::NoImage.into());
        }
        let bytes = images.to_bytes().map_err(|error| Unloadable::Json { reason: error.to_string() })?;
        let size = super::entry::length(bytes.len());
        match size > Self::MOST_BYTES {
            true => Err(Unloadable::TooLarge { size, limit: Self::MOST_BYTES }.into()),
            false => Ok(Self { bytes, images: images.0.len() }),
        }
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many images it lists.
    pub const fn images(&self) -> usize {
        self.images
    }

    /// What the inventory must say of it.
    pub fn record(&self) -> DockerManifestRecord {
        DockerManifestRecord::of(&self.bytes)
    }
}

impl DockerManifestRecord {
    fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::sha256(bytes), size: super::entry::length(bytes.len()) }
    }

    /// Whether there can be such a file.
    pub(super) fn is_possible(&self) -> bool {
        matches!(self.digest, Digest::Sha256(_)) && (1..=DockerManifest::MOST_BYTES).contains(&self.size)
    }

    /// Holds the file in the archive against what the inventory says of it.
    ///
    /// # Errors
    /// It is another.
    pub fn check(&self, found: &[u8]) -> Result<(), DockerManifestError> {
        match Self::of(found) {
            found if found == *self => Ok(()),
            found => Err(DockerManifestError::Exchanged { expected: self.digest, found: found.digest }),
        }
    }

    /// Holds what the inventory says against what must be there.
    ///
    /// # Errors
    /// The bundle's images call for another.
    pub fn check_derived(&self, expected: &DockerManifest) -> Result<(), DockerManifestError> {
        match expected.record() {
            expected if expected == *self => Ok(()),
            expected => Err(DockerManifestError::Differs { expected: expected.digest, found: self.digest }),
        }
    }
}

/// Images, by the digest of their manifests, as `manifest.json` lists them: each once, with all its names, because loaders
/// expect a configuration once.
#[derive(Debug, Default)]
pub(crate) struct LoadList(BTreeMap<Digest, Entry>);

/// One image, as `manifest.json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// An image that docker and podman can unpack.
#[derive(Debug)]
pub(crate) struct LoadableImage {
    /// Its manifest.
    pub(crate) manifest: Digest,
    /// Its configuration.
    pub(crate) config: Digest,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<Digest>,
}

impl LoadList {
    /// Adds an image under a name; without one, if it has none.
    pub(crate) fn add(&mut self, image: &LoadableImage, name: Option<String>) {
        let entry = self.0.entry(image.manifest).or_insert_with(|| Entry {
            config: blob_path(&image.config),
            repo_tags: Vec::new(),
            layers: image.layers.iter().map(blob_path).collect(),
        });
        // Names come in order, so that one that comes again is the last.
        entry.repo_tags.extend(name.filter(|name| entry.repo_tags.last() != Some(name)));
    }

    /// The file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        json::to_vec(&self.0.values().collect::<Vec<_>>())
    }
}

/// How deep indexes nest at most below a root.
const MOST_DEPTH: usize = 32;

/// The media types of layers that docker (since 23 with zstd) and podman unpack: tars, plain or compressed.
const LAYERS: [&str; 12] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
];

/// What the media type of an encrypted layer ends in (ocicrypt's `spec`).
const ENCRYPTED: &str = "+encrypted";

/// The images at or below a manifest.
#[derive(Debug, Clone)]
enum Found {
    Nothing,
    One(Arc<LoadableImage>),
    Several,
}

impl Found {
    /// One image found twice is one.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, found) | (found, Self::Nothing) => found,
            (Self::One(a), Self::One(b)) if a.manifest == b.manifest => Self::One(a),
            _ => Self::Several,
        }
    }
}

/// What is below a manifest, and how many levels of indexes that takes.
#[derive(Debug, Clone)]
struct Below {
    found: Found,
    height: usize,
}

/// Looks for images. Each manifest is read once, however many lead to it.
struct Finder<'a, R> {
    records: HashMap<Digest, &'a BlobRecord>,
    read: R,
    known: HashMap<Digest, Below>,
}

impl<R> Finder<'_, R> {
    fn below<E: From<Unloadable>>(&mut self, digest: &Digest, levels: usize) -> Result<Below, E>
    where
        R: FnMut(&BlobRecord) -> Result<Arc<Manifest>, E>,
    {
        let below = match self.known.get(digest) {
            Some(known) => known.clone(),
            None => {
                let below = self.look(digest, levels)?;
                self.known.insert(*digest, below.clone());
                below
            }
        };
        match below.height > levels {
            true => Err(Unloadable::TooDeep { digest: *digest, limit: MOST_DEPTH }.into()),
            false => Ok(below),
        }
    }

    fn look<E: From<Unloadable>>(&mut self, digest: &Digest, levels: usize) -> Result<Below, E>
    where
        R: FnMut(&BlobRecord) -> Result<Arc<Manifest>, E>,
    {
        // What was left out is none.
        let Some(record) = self.records.get(digest).filter(|record| record.manifest) else {
            return Ok(Below { found: Found::Nothing, height: 0 });
        };
        let manifest = (self.read)(record)?;
        if manifest.kind() != ManifestKind::Index {
            let found = self.image(&manifest)?.map_or(Found::Nothing, |image| Found::One(Arc::new(image)));
            return Ok(Below { found, height: 0 });
        }
        let left = levels.checked_sub(1).ok_or(Unloadable::TooDeep { digest: *digest, limit: MOST_DEPTH })?;
        let mut below = Below { found: Found::Nothing, height: 1 };
        for child in manifest.manifests().iter().filter(|child| !is_attestation(child)) {
            let inner = self.below(&child.digest, left)?;
            below.height = below.height.max(inner.height.saturating_add(1));
            below.found = below.found.and(inner.found);
        }
        Ok(below)
    }

    /// The image that a manifest is; `None` for what is none: other artifacts, and those that look like images but have no
    /// layer that one has, as cosign's signatures do.
    fn image(&self, manifest: &Manifest) -> Result<Option<LoadableImage>, Unloadable> {
        let config = manifest.config().filter(|config| config.media_type.is_image_config());
        let (Some(config), None) = (config, manifest.artifact_type()) else { return Ok(None) };
        let layers = manifest.layers();
        if !layers.is_empty() && !layers.iter().any(is_layer) {
            return Ok(None);
        }
        let image = manifest.descriptor().digest;
        if let Some(layer) = layers.iter().find(|layer| !LAYERS.contains(&layer.media_type.as_str())) {
            let media_type = shorten(layer.media_type.as_str());
            return Err(Unloadable::Layer { image, layer: layer.digest, media_type });
        }
        match manifest.blobs().find(|blob| !self.records.contains_key(&blob.digest)) {
            Some(blob) => Err(Unloadable::NotCarried { image, blob: blob.digest }),
            None => Ok(Some(LoadableImage {
                manifest: image,
                config: config.digest,
                layers: layers.iter().map(|layer| layer.digest).collect(),
            })),
        }
    }
}

/// Whether a layer is one of an image, even one that is encrypted.
fn is_layer(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    LAYERS.contains(&media_type.strip_suffix(ENCRYPTED).unwrap_or(media_type))
}

/// BuildKit lists what it says of an image beside it, as an image for no platform.
fn is_attestation(child: &Descriptor) -> bool {
    child.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

fn several(root: &RootRecord) -> Unloadable {
    let carried = root.platforms.iter().filter(|child| !child.omitted);
    let named = carried.filter_map(|child| child.platform.as_deref()).filter(|platform| platform.os != "unknown");
    let offered: BTreeSet<Platform> = named.cloned().collect();
    Unloadable::SeveralImages { reference: Box::new(root.reference.clone()), offered: offered.into_iter().collect() }
}

/// Why content cannot have a `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unloadable {
    /// Nothing is an image.
    #[error("nothing in the bundle is a container image, and docker and podman load nothing else")]
    NoImage,
    /// An index with several images.
    #[error("{reference} holds several images{}, and docker and podman load one under a name", platforms(offered))]
    SeveralImages {
        /// The artifact.
        reference: Box<Reference>,
        /// What they are for.
        offered: Vec<Platform>,
    },
    /// A layer that is encrypted, or no layer at all.
    #[error("the layer {layer} of the image {image} is {media_type:?}, which docker and podman load do not unpack")]
    Layer {
        /// The image's manifest.
        image: Digest,
        /// The layer.
        layer: Digest,
        /// What it is.
        media_type: String,
    },
    /// An image of which something was left out.
    #[error("the image {image} is not whole: {blob} is not carried")]
    NotCarried {
        /// The image's manifest.
        image: Digest,
        /// What is missing.
        blob: Digest,
    },
    /// Indexes below indexes without end.
    #[error("more than {limit} levels of indexes lead to {digest}")]
    TooDeep {
        /// Where it was too much.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
    /// Too many images, layers or names.
    #[error("manifest.json would have {size} bytes; it may have {limit}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The document cannot be written.
    #[error("manifest.json cannot be written: {reason}")]
    Json {
        /// Why.
        reason: String,
    },
}

fn platforms(offered: &[Platform]) -> String {
    let list: Vec<_> = offered.iter().map(ToString::to_string).collect();
    if list.is_empty() { String::new() } else { format!(", for {}", list.join(", ")) }
}

impl Diagnostic for Unloadable {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooDeep { .. } => DiagnosticCode::ClosureTooDeep,
            Self::TooLarge { .. } => DiagnosticCode::LimitExceeded,
            Self::Json { .. } => DiagnosticCode::InternalError,
            _ => DiagnosticCode::DockerLoadUnsupported,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::SeveralImages { .. } => {
                "carry one of its platforms; or export all of them, and let the import choose which one it writes for docker"
            }
            Self::NoImage | Self::Layer { .. } => "export it as it is: layouts and registries take any artifact",
            Self::NotCarried { .. } => "export the image whole",
            Self::TooLarge { .. } => "export fewer images at a time",
            Self::TooDeep { .. } | Self::Json { .. } => return None,
        };
        Some(text.into())
    }
}

/// Why a bundle's `manifest.json` is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DockerManifestError {
    /// Announced and not there.
    #[error("manifest.json, which the bundle's inventory announces, is not where it belongs")]
    Missing,
    /// Of another size than announced.
    #[error("manifest.json has {found} bytes, and {expected} in the bundle's inventory")]
    Size {
        /// What the inventory says.
        expected: u64,
        /// What the archive says.
        found: u64,
    },
    /// Another document.
    #[error("manifest.json was exchanged or damaged: its digest is {found}, and {expected} in the bundle's inventory")]
    Exchanged {
        /// What the inventory says.
        expected: Digest,
        /// What the document gave.
        found: Digest,
    },
    /// It lists something else than the bundle's images under their names.
    #[error("manifest.json ({found}) is not the one that the bundle's images call for ({expected})")]
    Differs {
        /// What the images call for.
        expected: Digest,
        /// What the inventory says.
        found: Digest,
    },
    /// There can be none.
    #[error("the bundle has a manifest.json, and cannot have one: {0}")]
    Unloadable(#[from] Unloadable),
}

impl Diagnostic for DockerManifestError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::DockerManifestMismatch
    }

    fn hint(&self) -> Option<String> {
        Some(
            "do not load this file: docker and podman would take what manifest.json says; bring it over again from its source"
                .into(),
        )
    }
}
