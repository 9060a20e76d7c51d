//! Files and their detached signatures on the road: each as an OCI artifact whose only layer is the file, with the
//! signatures as referrers.
//!
//! The blob policy has no scopes, so a signature that is good for one file name is good for any. Therefore such artifacts
//! live under a host of their own, [`HOST`]: by the name, which the operator sees, and not by anything that a carrier can
//! write into a manifest, it is decided that the blob policy applies. Nothing under that name is handed to a registry or an
//! engine, where it could pass for an image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blob::{algorithm_of, describe_sha256, signature_name};
use super::closure::Closure;
use super::signatures::fetch_blob;
use crate::archive::{ArchiveError, EMPTY_CONFIG, OutputFile, empty_config, names};
use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::{Algorithm, Digest, Hasher, shorten};
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::notary::{
    EnvelopeError, EnvelopeType, SignatureEnvelope, SignatureManifest, SignatureManifestError, SignatureManifestForm,
};
use crate::oci::{Descriptor, Manifest, MediaType, Reference, Repository, Target};
use crate::store::memory::MemoryStore;
use crate::store::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError, copy_to, fetch_manifest};
use crate::time::UnixTime;
use crate::verification::FoundSignature;

/// The host under which files have their names.
pub const HOST: &str = "file.local";

/// On the layer: the name of the file (OCI image-spec, `annotations.md`).
const TITLE: &str = "org.opencontainers.image.title";

/// Whether a name is that of a file.
pub fn is_file(reference: &Reference) -> bool {
    reference.repository.host() == HOST
}

/// A file on this host as an artifact.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    layer: Descriptor,
    memory: MemoryStore,
}

/// A file, ready to be exported.
pub struct FileSource {
    /// Where it is.
    pub store: Arc<dyn ContentStore>,
    /// The manifest that carries it.
    pub descriptor: Descriptor,
    /// `file.local/NAME@DIGEST`
    pub reference: Reference,
}

impl FileSource {
    /// Describes a file with its detached signatures.
    ///
    /// # Errors
    /// The file cannot be read, has no name that others could use, or a signature is none.
    pub fn open(path: &Path, signatures: &[(EnvelopeType, Vec<u8>)], limits: &Limits) -> Result<Self, FileError> {
        let at = |source| FileError::Io { path: path.to_owned(), source };
        let title = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
        let title = title.ok_or_else(|| FileError::Name { name: shorten(&path.display().to_string()) })?;
        let envelopes = signatures.iter().map(|(kind, bytes)| {
            SignatureEnvelope::parse(&kind.media_type().into(), bytes, limits).map(|envelope| (envelope, bytes))
        });
        let envelopes = envelopes.collect::<Result<Vec<_>, _>>()?;
        // What the signer calls it; without a signature, nobody says anything.
        let payload = envelopes.iter().find_map(|(envelope, _)| envelope.claimed_payload().ok());
        let media_type = payload.map(|payload| payload.target().media_type.clone());
        let media_type = media_type.unwrap_or_else(|| MediaType::new(super::blob::DEFAULT_MEDIA_TYPE));
        let layer = describe_sha256(media_type, &mut File::open(path).map_err(at)?).map_err(at)?;
        let memory = MemoryStore::new();
        memory.insert_blob(MediaType::OCI_EMPTY, EMPTY_CONFIG);
        let mut titled = layer.clone();
        titled.annotations.insert(TITLE.to_owned(), title.to_owned());
        let document = serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": names::FILE, "config": empty_config(), "layers": [titled]});
        let descriptor = memory.insert_manifest(MediaType::OCI_MANIFEST, json::to_vec(&document)?);
        for (envelope, bytes) in &envelopes {
            let kind = envelope.envelope_type().media_type();
            let blob = memory.insert_blob(kind, bytes.as_slice());
            let chain = envelope.certificates().certificates();
            let thumbprints: Vec<Digest> = chain.iter().map(|certificate| Digest::sha256(certificate.der())).collect();
            let claims = envelope.claims();
            let time = claims.signing_time.or(claims.authentic_signing_time).unwrap_or(UnixTime::from_seconds(0));
            let form = SignatureManifestForm::Detached;
            let manifest = SignatureManifest::build(form, &descriptor, &blob, &thumbprints, time, &BTreeMap::new())?;
            memory.insert_manifest(MediaType::OCI_MANIFEST, manifest);
        }
        let repository =
            Repository::new(HOST, &repository_path(title)).map_err(|_| FileError::Name { name: shorten(title) })?;
        let reference = Reference { repository, tag: None, digest: Some(descriptor.digest) };
        Ok(Self { store: Arc::new(FileStore { path: path.to_owned(), layer, memory }), descriptor, reference })
    }
}

/// One part of a path, and none that means another folder or hides.
fn is_plain(name: &str) -> bool {
    let text = |character: char| !character.is_control() && character != '/' && character != '\\';
    !name.is_empty() && !name.starts_with('.') && name.len() <= 255 && name.chars().all(text)
}

/// A file's name as a repository's: what is not allowed there becomes a dash. It need not be unique: the digest is.
fn repository_path(title: &str) -> String {
    let legal = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let lower = title.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|character: char| !legal(character)).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "file".to_owned() } else { words.join("-") }
}

impl ContentStore for FileStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.memory.resolve(target)
    }

    fn open(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, StoreError> {
        if descriptor.digest != self.layer.digest {
            return self.memory.open(descriptor, kind);
        }
        let file = File::open(&self.path).map_err(|source| StoreError::Io { path: self.path.clone(), source })?;
        Ok(Some(RawContent::new(file)))
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.memory.referrers(subject)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        self.memory.names()
    }
}

/// The layer that is the file, if the manifest carries one.
fn layer_of(manifest: &Manifest) -> Option<&Descriptor> {
    match manifest.layers() {
        [layer] if manifest.artifact_type().is_some_and(|found| *found == names::FILE) => Some(layer),
        _ => None,
    }
}

/// The signatures of a carried file, each with the file as the hash of its algorithm describes it: the file is read once
/// for every hash but its own. A manifest that carries no file has none.
pub(super) fn signed(
    store: &dyn ContentStore,
    closure: &Closure,
    found: Option<&Vec<FoundSignature>>,
) -> Result<Vec<(Descriptor, FoundSignature)>, StoreError> {
    let carrier = closure.manifests.get(&closure.root.digest);
    let Some(layer) = carrier.and_then(|manifest| layer_of(manifest)) else { return Ok(Vec::new()) };
    let mut described: BTreeMap<Algorithm, Descriptor> = BTreeMap::new();
    described.insert(layer.digest.algorithm(), layer.bare());
    let mut signed = Vec::new();
    for signature in found.into_iter().flatten() {
        let hash = signature.envelope.as_ref().ok().map(|envelope| algorithm_of(envelope.algorithm().hash()));
        let hash = hash.unwrap_or(layer.digest.algorithm());
        let file = match described.get(&hash) {
            Some(known) => known.clone(),
            None => {
                let content = store.open(layer, ContentKind::Blob)?;
                let content = content.ok_or_else(|| StoreError::missing(layer, "the manifest of a file"))?;
                let mut hashing = Hashing(hash.hasher());
                copy_to(content, layer, &mut hashing)?;
                let file = Descriptor::new(layer.media_type.clone(), hashing.0.finish(), layer.size);
                described.insert(hash, file.clone());
                file
            }
        };
        // What the manifest refers to is compared here, what the envelope signs where it is judged.
        let refers = signature.subject.same_content(&closure.root);
        signed.push((
            file.clone(),
            FoundSignature {
                digest: signature.digest,
                subject: if refers { file } else { signature.subject.clone() },
                media_type: signature.media_type.clone(),
                envelope: signature.envelope.clone(),
            },
        ));
    }
    Ok(signed)
}

struct Hashing(Hasher);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a carried file and its signatures into a folder, under the names that Notation gives them. Nothing that is there
/// is overwritten. Whether the file may be written is its caller's judgement.
///
/// # Errors
/// The artifact carries no file, its name is no plain one or is taken, or writing failed.
pub fn extract(
    store: &dyn ContentStore,
    artifact: &Descriptor,
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<PathBuf>, FileError> {
    let manifest = fetch_manifest(store, artifact, limits)?;
    let manifest = manifest.ok_or_else(|| StoreError::missing(artifact, "the bundle"))?;
    let layer = layer_of(&manifest).ok_or(FileError::NoFile { digest: artifact.digest })?;
    let title = layer.annotations.get(TITLE).map(String::as_str).unwrap_or_default();
    if !is_plain(title) {
        return Err(FileError::Name { name: shorten(title) });
    }
    let mut files = vec![(folder.join(title), layer.clone())];
    let mut counts: BTreeMap<EnvelopeType, usize> = BTreeMap::new();
    for referrer in store.referrers(artifact)?.descriptors {
        let Some(found) = fetch_manifest(store, &referrer, limits)? else { continue };
        let Ok(signature) = SignatureManifest::read(&found) else { continue };
        let envelope = signature.envelope();
        let kind = EnvelopeType::from_media_type(&envelope.media_type);
        let Some(kind) = kind.filter(|_| signature.form() == SignatureManifestForm::Detached) else { continue };
        let count = counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let stem = if *count == 1 { title.to_owned() } else { format!("{title}.{count}") };
        files.push((folder.join(signature_name(&stem, kind)), envelope.clone()));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(FileError::Exists { path: path.clone() });
    }
    for (path, blob) in &files {
        write(store, path, blob, artifact, limits)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn write(
    store: &dyn ContentStore,
    path: &Path,
    blob: &Descriptor,
    artifact: &Descriptor,
    limits: &Limits,
) -> Result<(), FileError> {
    let mut out = OutputFile::create(path)?;
    if EnvelopeType::from_media_type(&blob.media_type).is_some() {
        let bytes = fetch_blob(store, blob, limits.envelope_bytes, &artifact.digest)?;
        out.write_all(&bytes).map_err(|source| FileError::Io { path: path.to_owned(), source })?;
    } else {
        let content = store.open(blob, ContentKind::Blob)?;
        let content = content.ok_or_else(|| StoreError::missing(blob, &artifact.digest.to_string()))?;
        copy_to(content, blob, &mut out)?;
    }
    Ok(out.commit()?)
}

/// Why a file is not carried or handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Reading or writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No name for a file of somebody else.
    #[error("{name:?} is no plain name of a file")]
    Name {
        /// The name.
        name: String,
    },
    /// Something is there.
    #[error("{} is there already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The artifact is something else.
    #[error("{digest} carries no file")]
    NoFile {
        /// The artifact.
        digest: Digest,
    },
    /// A signature that cannot be read.
    #[error("a signature of the file cannot be read: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] SignatureManifestError),
    /// A document of our own could not be written.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The source fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Diagnostic for FileError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Io { source, .. } => io_code(source),
            Self::Name { .. } => DiagnosticCode::UsageInvalid,
            Self::Exists { .. } => DiagnosticCode::AlreadyExists,
            Self::NoFile { .. } => DiagnosticCode::DestinationUnsupported,
            Self::Envelope(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Archive(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => Some("a name has no slashes and does not begin with a dot; rename the file".into()),
            Self::Exists { .. } => Some("nothing is overwritten: name another folder, or move it away".into()),
            Self::NoFile { .. } => Some("import artifacts into a layout, a registry or an engine".into()),
            Self::Store(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_become_repositories() {
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
        for (title, path) in [("Setup 1.0_x64.EXE", "setup-1-0-x64-exe"), ("a.tar.gz", "a-tar-gz"), ("ü", "file")] {
            assert!(is_plain(title));
            assert_eq!(repository_path(title), path);
            assert!(Repository::new(HOST, path).is_ok());
        }
    }
}
