//! In which order manifests may be put: nothing before what it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::oci::Manifest;

/// Sorts manifests into waves. What a manifest names, its children and its subject, as far as they are among the
/// manifests, lies in earlier waves; within a wave the order does not matter.
pub(super) fn waves(manifests: &BTreeMap<Digest, Arc<Manifest>>) -> Vec<Vec<Arc<Manifest>>> {
    let mut waiting: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut dependents: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    for (digest, manifest) in manifests {
        let mut named: Vec<Digest> =
            manifest.manifests().iter().chain(manifest.subject()).map(|named| named.digest).collect();
        named.sort();
        named.dedup();
        named.retain(|named| named != digest && manifests.contains_key(named));
        waiting.insert(*digest, named.len());
        for named in named {
            dependents.entry(named).or_default().push(*digest);
        }
    }
    let mut wave: Vec<Digest> = waiting.iter().filter(|(_, count)| **count == 0).map(|(digest, _)| *digest).collect();
    let mut waves = Vec::new();
    while !wave.is_empty() {
        let mut next = Vec::new();
        for dependent in wave.iter().filter_map(|digest| dependents.get(digest)).flatten() {
            if let Some(count) = waiting.get_mut(dependent) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    next.push(*dependent);
                }
            }
        }
        waves.push(wave.iter().filter_map(|digest| manifests.get(digest).cloned()).collect());
        wave = next;
    }
    waves
}
