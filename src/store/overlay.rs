//! A store with something added: what cannot be changed, a bundle above all, and what is to go with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::memory::MemoryStore;
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError};
use crate::oci::{Descriptor, Target};

/// A store as it would be with some referrers more. Names are those of the store beneath.
pub struct Overlay {
    base: Arc<dyn ContentStore>,
    added: MemoryStore,
}

impl Overlay {
    /// `base`, and over it what `added` holds.
    pub const fn new(base: Arc<dyn ContentStore>, added: MemoryStore) -> Self {
        Self { base, added }
    }
}

impl ContentStore for Overlay {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        match self.base.resolve(target)? {
            Some(found) => Ok(Some(found)),
            None => self.added.resolve(target),
        }
    }

    fn open(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, StoreError> {
        match self.added.open(descriptor, kind)? {
            Some(found) => Ok(Some(found)),
            None => self.base.open(descriptor, kind),
        }
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        let below = self.base.referrers(subject)?;
        let all = below.descriptors.into_iter().chain(self.added.referrers(subject)?.descriptors);
        let all: BTreeMap<_, _> = all.map(|descriptor| (descriptor.digest, descriptor)).collect();
        Ok(Referrers { descriptors: all.into_values().collect(), searches: below.searches })
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        self.base.names()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::MediaType;
    use crate::store::fetch;

    #[test]
    fn what_is_added_is_found_beside_what_was_there() {
        let base = MemoryStore::new();
        let blob = base.insert_blob("a/b", b"1".as_slice());
        let config = base.insert_blob(MediaType::OCI_EMPTY, b"{}".as_slice());
        let manifest = |store: &MemoryStore, subject: Option<&Descriptor>, layer: &Descriptor| {
            let document = serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
                "artifactType": "x/y", "config": config, "layers": [layer], "subject": subject});
            store.insert_manifest(MediaType::OCI_MANIFEST, serde_json::to_vec(&document).unwrap())
        };
        let mut document = serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": "x/y", "config": config, "layers": [blob]});
        document["annotations"] = serde_json::json!({"k": "v"});
        let root = base.insert_manifest(MediaType::OCI_MANIFEST, serde_json::to_vec(&document).unwrap());
        let first = manifest(&base, Some(&root), &blob);
        let added = MemoryStore::new();
        let other = added.insert_blob("a/b", b"2".as_slice());
        let second = manifest(&added, Some(&root), &other);
        let overlay = Overlay::new(Arc::new(base), added);
        let found: Vec<_> = overlay.referrers(&root).unwrap().descriptors.iter().map(|one| one.digest).collect();
        let mut wanted = vec![first.digest, second.digest];
        wanted.sort();
        assert_eq!(found, wanted);
        for descriptor in [&blob, &other] {
            assert!(fetch(&overlay, descriptor, ContentKind::Blob, 10).unwrap().is_some());
        }
        assert!(overlay.resolve(&Target::Digest(second.digest)).unwrap().is_some());
    }
}
