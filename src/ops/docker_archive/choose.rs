//! Which image of an artifact goes into a docker archive: the format has no indexes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::DockerArchiveError;
use crate::digest::Digest;
use crate::json;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest, ManifestKind, Platform, Reference};
use crate::ops::closure::Closure;
use crate::store::{ContentKind, ContentStore, fetch};

/// An image that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) manifest: Arc<Manifest>,
    pub(super) config: Descriptor,
    /// What the index says that it is for.
    pub(super) platform: Option<Platform>,
}

/// A child of an index that could be meant.
struct Candidate {
    digest: Digest,
    platform: Option<Platform>,
}

/// Finds the one image that is meant.
pub(super) fn choose(
    closure: &Closure,
    reference: &Reference,
    wanted: Option<&Platform>,
) -> Result<Image, DockerArchiveError> {
    let root = closure.root.digest;
    let is_index = closure.manifests.get(&root).is_some_and(|manifest| manifest.kind() == ManifestKind::Index);
    let chosen = if is_index {
        one_of(candidates(closure), reference, wanted)?
    } else {
        Candidate { digest: root, platform: None }
    };
    let not_an_image = || DockerArchiveError::NotAnImage { reference: reference.clone(), digest: chosen.digest };
    let manifest = closure.manifests.get(&chosen.digest).ok_or_else(not_an_image)?;
    let config = manifest.config().filter(|config| config.media_type.is_image_config()).ok_or_else(not_an_image)?;
    if manifest.artifact_type().is_some() {
        return Err(not_an_image());
    }
    Ok(Image { manifest: Arc::clone(manifest), config: config.bare(), platform: chosen.platform })
}

/// Every image below the root, at any depth; attestations and other artifacts are none.
fn candidates(closure: &Closure) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([closure.root.digest]);
    let mut waiting = vec![closure.root.digest];
    while let Some(index) = waiting.pop() {
        for child in closure.children.get(&index).into_iter().flatten().filter(|child| child.omitted.is_none()) {
            let digest = child.descriptor.digest;
            let Some(manifest) = closure.manifests.get(&digest).filter(|_| seen.insert(digest)) else { continue };
            let platform = child.descriptor.platform.as_deref().cloned();
            let attestation = platform.as_ref().is_some_and(|platform| platform.os == "unknown");
            if manifest.kind() == ManifestKind::Index {
                waiting.push(digest);
            } else if !attestation && manifest.config().is_some_and(|config| config.media_type.is_image_config()) {
                found.push(Candidate { digest, platform });
            }
        }
    }
    found
}

fn one_of(
    mut candidates: Vec<Candidate>,
    reference: &Reference,
    wanted: Option<&Platform>,
) -> Result<Candidate, DockerArchiveError> {
    let mut offered: Vec<Platform> = candidates.iter().filter_map(|candidate| candidate.platform.clone()).collect();
    offered.sort();
    offered.dedup();
    if candidates.len() > 1
        && let Some(wanted) = wanted
    {
        candidates.retain(|candidate| candidate.platform.as_ref().is_some_and(|platform| platform.satisfies(wanted)));
        prefer_exact(&mut candidates, wanted);
    }
    let fits = candidates.len();
    let reference = reference.clone();
    match (candidates.pop(), fits, wanted) {
        (Some(only), 1, _) => match (wanted, &only.platform) {
            (Some(wanted), Some(platform)) if !platform.satisfies(wanted) => {
                Err(DockerArchiveError::PlatformUnknown { reference, wanted: wanted.clone(), offered })
            }
            _ => Ok(only),
        },
        (None, _, Some(wanted)) => {
            Err(DockerArchiveError::PlatformUnknown { reference, wanted: wanted.clone(), offered })
        }
        _ => Err(DockerArchiveError::SeveralImages { reference, offered }),
    }
}

/// Who asks for `linux/amd64` means it rather than `linux/amd64/v3`, where both are there.
fn prefer_exact(candidates: &mut Vec<Candidate>, wanted: &Platform) {
    let exact =
        |candidate: &Candidate| candidate.platform.as_ref().is_some_and(|platform| platform.variant == wanted.variant);
    if candidates.iter().filter(|candidate| exact(candidate)).count() == 1 {
        candidates.retain(exact);
    }
}

/// Holds the configuration against the manifest: loaders unpack the layers in the order of `rootfs.diff_ids` and refuse
/// an archive where the counts differ.
pub(super) fn inspect_config(
    store: &dyn ContentStore,
    image: &Image,
    reference: &Reference,
    limits: &Limits,
) -> Result<(), DockerArchiveError> {
    #[derive(Deserialize)]
    struct Config {
        rootfs: RootFs,
    }
    #[derive(Deserialize)]
    struct RootFs {
        diff_ids: Vec<Digest>,
    }
    let digest = image.config.digest;
    let parent = image.manifest.descriptor().digest;
    let bytes = fetch(store, &image.config, ContentKind::Blob, limits.image_config_bytes)?
        .ok_or(DockerArchiveError::BlobMissing { digest, parent })?;
    let layers = image.manifest.layers().len();
    let not_an_image = || DockerArchiveError::NotAnImage { reference: reference.clone(), digest: parent };
    let config: Config = json::from_slice(&bytes).map_err(|_| not_an_image())?;
    let diff_ids = config.rootfs.diff_ids.len();
    if diff_ids != layers {
        return Err(DockerArchiveError::LayerCount { reference: reference.clone(), layers, diff_ids });
    }
    Ok(())
}
