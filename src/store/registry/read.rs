//! Reading a repository.

use super::resume::ResumingReader;
use super::{RegistryError, RegistryStore, digest_header, expect_digest};
use crate::digest::{Algorithm, Digest};
use crate::http::{Answer, Method, Pace, Request};
use crate::oci::{Descriptor, MediaType, Target};
use crate::store::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError};

impl ContentStore for RegistryStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        Ok(self.resolve_manifest(target)?)
    }

    fn open(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, StoreError> {
        Ok(self.download(descriptor, kind)?)
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        Ok(self.find_referrers(&subject.digest)?)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        Ok(Vec::new())
    }
}

/// The address of a manifest, below the repository.
pub(super) fn manifest_path(target: &Target) -> String {
    match target {
        Target::Tag(tag) => format!("manifests/{tag}"),
        Target::Digest(digest) => format!("manifests/{digest}"),
    }
}

pub(super) fn content_path(digest: &Digest, kind: ContentKind) -> String {
    match kind {
        ContentKind::Manifest => format!("manifests/{digest}"),
        ContentKind::Blob => format!("blobs/{digest}"),
    }
}

/// Every type that is understood: a registry must not convert what it has, or hide it.
pub(super) fn accepting_manifests(request: Request) -> Request {
    request.header("accept", MediaType::ACCEPTED.join(", "))
}

impl RegistryStore {
    fn resolve_manifest(&self, target: &Target) -> Result<Option<Descriptor>, RegistryError> {
        let request = accepting_manifests(self.request(Method::HEAD, &manifest_path(target))?);
        let answer = self.send(request)?;
        match answer.status() {
            200 => match claim(&answer, target)? {
                Some(descriptor) => Ok(Some(descriptor)),
                None => self.resolve_by_content(target),
            },
            404 => Ok(None),
            // Not offered, though the specification says that it must be.
            405 | 501 => self.resolve_by_content(target),
            _ => Err(self.status_error(&Method::HEAD, answer)),
        }
    }

    /// For registries whose HEAD does not say enough: the content itself does.
    fn resolve_by_content(&self, target: &Target) -> Result<Option<Descriptor>, RegistryError> {
        let request = accepting_manifests(self.request(Method::GET, &manifest_path(target))?);
        let (answer, bytes) = self.fetch(request, self.limits().manifest_bytes)?;
        match answer.status() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.status_error(&Method::GET, answer)),
        }
        let said = digest_header(&answer)?;
        let wanted = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(_) => said,
        };
        let digest = wanted.map_or(Algorithm::Sha256, |digest| digest.algorithm()).digest(&bytes);
        for other in [wanted, said].into_iter().flatten() {
            if other != digest && other.algorithm() == digest.algorithm() {
                let url = crate::http::shown(answer.url());
                return Err(RegistryError::DigestMismatch { url, expected: digest, found: other });
            }
        }
        Ok(Some(Descriptor::new(media_type(&answer), digest, u64::try_from(bytes.len()).unwrap_or(u64::MAX))))
    }

    fn download(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, RegistryError> {
        let request = self.request(Method::GET, &content_path(&descriptor.digest, kind))?.pace(Pace::Stream);
        let request = match kind {
            ContentKind::Manifest => accepting_manifests(request),
            ContentKind::Blob => request,
        };
        let answer = self.send(request.clone())?;
        match answer.status() {
            200 => Ok(Some(RawContent::new(ResumingReader::new(self.clone(), request, descriptor.size, answer)))),
            404 => Ok(None),
            _ => Err(self.status_error(&Method::GET, answer)),
        }
    }
}

/// What the headers say, if they say all of it.
fn claim(answer: &Answer, target: &Target) -> Result<Option<Descriptor>, RegistryError> {
    let digest = match target {
        Target::Digest(digest) => {
            expect_digest(answer, digest)?;
            Some(*digest)
        }
        Target::Tag(_) => digest_header(answer)?,
    };
    Ok(match (digest, answer.content_length(), answer.content_type()) {
        (Some(digest), Some(size), Some(_)) if size > 0 => Some(Descriptor::new(media_type(answer), digest, size)),
        _ => None,
    })
}

fn media_type(answer: &Answer) -> MediaType {
    MediaType::new(answer.content_type().unwrap_or_default())
}
