//! Writing to a repository: manifests and names.

use super::read::{accepting_manifests, content_path, manifest_path};
use super::{RegistryError, RegistryStore, digest_header, expect_digest};
use crate::digest::Digest;
use crate::http::Method;
use crate::oci::{Descriptor, Manifest, Tag, Target};
use crate::store::{ContentKind, ContentSink, KeptTag, NameRule, Publication, RawContent, StoreError, copy_to, fetch};

impl ContentSink for RegistryStore {
    fn has(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<bool, StoreError> {
        Ok(self.has_content(descriptor, kind)?)
    }

    fn put(&self, descriptor: &Descriptor, kind: ContentKind, content: RawContent) -> Result<(), StoreError> {
        match kind {
            ContentKind::Manifest => self.put_manifest(descriptor, content),
            ContentKind::Blob => self.put_blob(descriptor, content),
        }
    }

    /// A registry names one after the other, and between the look at a tag and its change somebody else may give it to
    /// something.
    fn publish(&self, entries: &[Publication]) -> Result<Vec<KeptTag>, StoreError> {
        let mut kept = Vec::new();
        for entry in entries {
            // A run that was cut off between a manifest and the list of its subject left it unlisted; this one finds it
            // there already and does not put it again.
            if let Some(subject) = &entry.subject {
                self.ensure_listed(subject, &entry.descriptor)?;
            }
            if let Some(tag) = &entry.tag {
                kept.extend(self.put_tag(tag, &entry.descriptor, entry.rule)?);
            }
        }
        Ok(kept)
    }
}

impl RegistryStore {
    /// Content of another size than it should have is as good as none: it is put again.
    pub(super) fn has_content(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<bool, RegistryError> {
        let request = self.request(Method::HEAD, &content_path(&descriptor.digest, kind))?;
        let answer = self.send(match kind {
            ContentKind::Manifest => accepting_manifests(request),
            ContentKind::Blob => request,
        })?;
        match answer.status() {
            200 => Ok(answer.content_length().is_none_or(|size| size == descriptor.size)),
            404 => Ok(false),
            _ => Err(self.status_error(&Method::HEAD, answer)),
        }
    }

    fn put_manifest(&self, descriptor: &Descriptor, content: RawContent) -> Result<(), StoreError> {
        let limit = self.limits().manifest_bytes;
        let (digest, size) = (descriptor.digest, descriptor.size);
        if size > limit {
            return Err(StoreError::OverLimit { digest, kind: ContentKind::Manifest, size, limit });
        }
        let mut bytes = Vec::new();
        copy_to(content, descriptor, &mut bytes)?;
        let manifest = Manifest::parse(descriptor, bytes).map_err(|source| StoreError::Manifest { digest, source })?;
        let lists_itself = self.send_manifest(&Target::Digest(digest), &manifest)?;
        match manifest.subject() {
            Some(subject) if !lists_itself => Ok(self.add_to_list(&subject.digest, &manifest.referrer_descriptor())?),
            _ => Ok(()),
        }
    }

    /// Puts a manifest under a digest or tag. Whether the registry says that it lists it with its subject.
    fn send_manifest(&self, target: &Target, manifest: &Manifest) -> Result<bool, RegistryError> {
        let request = self.request(Method::PUT, &manifest_path(target))?;
        let request = request.header("content-type", manifest.media_type().as_str()).body(manifest.bytes().clone());
        let answer = self.send(request)?;
        if !matches!(answer.status(), 200..=204) {
            return Err(self.status_error(&Method::PUT, answer));
        }
        // What is put under a tag a registry digests by the algorithm of its own choice.
        if let Some(said) = digest_header(&answer)? {
            expect_digest(&answer, &said.algorithm().digest(manifest.bytes()))?;
        }
        Ok(answer.header("oci-subject").and_then(|text| text.parse::<Digest>().ok()).is_some())
    }

    fn put_tag(&self, tag: &Tag, descriptor: &Descriptor, rule: NameRule) -> Result<Option<KeptTag>, StoreError> {
        let target = Target::Tag(tag.clone());
        match crate::store::ContentStore::resolve(self, &target)? {
            Some(current) if current.digest == descriptor.digest => return Ok(None),
            Some(current) if rule == NameRule::Stays => {
                return Ok(Some(KeptTag { tag: tag.clone(), kept: current.digest, brought: descriptor.digest }));
            }
            Some(_) | None => {}
        }
        let limit = self.limits().manifest_bytes;
        let Some(bytes) = fetch(self, descriptor, ContentKind::Manifest, limit)? else {
            let repository = self.repository.to_string();
            return Err(RegistryError::Missing { repository, digest: descriptor.digest }.into());
        };
        let manifest = Manifest::parse(descriptor, bytes)
            .map_err(|source| StoreError::Manifest { digest: descriptor.digest, source })?;
        self.send_manifest(&target, &manifest)?;
        Ok(None)
    }
}
