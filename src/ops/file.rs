//! Files and their detached signatures on the road: each as an OCI artifact whose only layer is the file, with the
//! signatures as referrers.
//!
//! The blob policy has no scopes, so a signature that is good for one file name is good for any. Therefore such artifacts
//! live under a host of their own, [`HOST`]: by the name, which the operator sees, and not by anything that a carrier can
//! write into a manifest, it is decided that the blob policy applies. Nothing under that name is handed to a registry or an
//! engine, where it could pass for an image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blob::{algorithm_of, read_all, signature_name};
use super::closure::Closure;
use super::integrity::Ledger;
use super::signatures::fetch_blob;
use crate::archive::{ArchiveError, EMPTY_CONFIG, OutputFolder, empty_config, names};
use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::{Algorithm, Digest, Hasher, shorten};
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::notary::{
    EnvelopeError, EnvelopeType, SignatureEnvelope, SignatureManifest, SignatureManifestError, SignatureManifestForm,
};
use crate::oci::{Descriptor, Manifest, MediaType, Reference, Repository, Target};
use crate::store::memory::MemoryStore;
use crate::store::stream::{BundleHead, BundleTail};
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
        let hashes = envelopes.iter().map(|(envelope, _)| algorithm_of(envelope.algorithm().hash()));
        let others: BTreeSet<Algorithm> = hashes.filter(|hash| *hash != Algorithm::Sha256).collect();
        let (layer, others) = describe(path, media_type, &others).map_err(at)?;
        let memory = MemoryStore::new();
        memory.insert_blob(MediaType::OCI_EMPTY, EMPTY_CONFIG);
        let mut titled = layer.clone();
        titled.annotations.insert(TITLE.to_owned(), title.to_owned());
        if !others.is_empty() {
            titled.annotations.insert(names::FILE_DIGESTS.to_owned(), others.join(" "));
        }
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

/// Describes a file as OCI content, and by these hashes besides.
fn describe(path: &Path, media_type: MediaType, hashes: &BTreeSet<Algorithm>) -> io::Result<(Descriptor, Vec<String>)> {
    let mut own = Algorithm::Sha256.hasher();
    let mut others: Vec<Hasher> = hashes.iter().map(|hash| hash.hasher()).collect();
    let size = read_all(&mut File::open(path)?, |bytes| {
        own.update(bytes);
        others.iter_mut().for_each(|hasher| hasher.update(bytes));
    })?;
    let others = others.into_iter().map(|hasher| hasher.finish().to_string()).collect();
    Ok((Descriptor::new(media_type, own.finish(), size), others))
}

/// Bytes of a file's name on the file systems that there are (`NAME_MAX`).
const MOST_NAME: usize = 255;

/// One part of a path, and none that means another folder or hides.
fn is_plain(name: &str) -> bool {
    let text = |character: char| !character.is_control() && character != '/' && character != '\\';
    !name.is_empty() && !name.starts_with('.') && name.len() <= MOST_NAME && name.chars().all(text)
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

/// The signatures of a carried file.
#[derive(Debug, Default)]
pub(super) struct SignedFile {
    /// Each with the file as the hash of its algorithm describes it.
    pub(super) signatures: Vec<(Descriptor, FoundSignature)>,
    /// The layer's digest with one that the manifest claims for it: what was described so is not read yet.
    pub(super) claims: Vec<(Digest, Digest)>,
}

/// What the manifest claims that the file's digests are, by other hashes than the layer's own. Who cannot write that
/// down claims nothing.
fn claimed(layer: &Descriptor) -> BTreeMap<Algorithm, Digest> {
    let text = layer.annotations.get(names::FILE_DIGESTS).map(String::as_str).unwrap_or_default();
    let digests = text.split(' ').filter(|word| !word.is_empty()).map(Digest::parse_signed);
    let digests: Vec<Digest> = digests.collect::<Result<_, _>>().unwrap_or_default();
    let others = digests.into_iter().filter(|digest| digest.algorithm() != layer.digest.algorithm());
    others.map(|digest| (digest.algorithm(), digest)).collect()
}

/// The signatures of a carried file, each with the file as the hash of its algorithm describes it: as the manifest claims,
/// or else the file is read once for every hash but its own. A manifest that carries no file has none.
pub(super) fn signed(
    store: &dyn ContentStore,
    closure: &Closure,
    found: Option<&Vec<FoundSignature>>,
) -> Result<SignedFile, StoreError> {
    let carrier = closure.manifests.get(&closure.root.digest);
    let Some(layer) = carrier.and_then(|manifest| layer_of(manifest)) else { return Ok(SignedFile::default()) };
    let claimed = claimed(layer);
    let mut described: BTreeMap<Algorithm, Descriptor> = BTreeMap::new();
    described.insert(layer.digest.algorithm(), layer.bare());
    let mut signed = SignedFile::default();
    for signature in found.into_iter().flatten() {
        let hash = signature.envelope.as_ref().ok().map(|envelope| algorithm_of(envelope.algorithm().hash()));
        let hash = hash.unwrap_or(layer.digest.algorithm());
        let file = match described.get(&hash) {
            Some(known) => known.clone(),
            None => {
                let digest = match claimed.get(&hash) {
                    Some(claim) => {
                        signed.claims.push((layer.digest, *claim));
                        *claim
                    }
                    None => hash_layer(store, layer, hash)?,
                };
                let file = Descriptor::new(layer.media_type.clone(), digest, layer.size);
                described.insert(hash, file.clone());
                file
            }
        };
        // What the manifest refers to is compared here, what the envelope signs where it is judged.
        let refers = signature.subject.same_content(&closure.root);
        signed.signatures.push((
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

fn hash_layer(store: &dyn ContentStore, layer: &Descriptor, hash: Algorithm) -> Result<Digest, StoreError> {
    let content = store.open(layer, ContentKind::Blob)?;
    let content = content.ok_or_else(|| StoreError::missing(layer, "the manifest of a file"))?;
    let mut hashing = Hashing(hash.hasher());
    copy_to(content, layer, &mut hashing)?;
    Ok(hashing.0.finish())
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

/// Writes carried files and their signatures into a folder, under the names that Notation gives them: the paths for each
/// artifact. Nothing that is there is overwritten, but may stay where it is the same; and where one file cannot be written, none is. Whether they may be written
/// is their caller's judgement.
///
/// # Errors
/// An artifact carries no file, a name is no plain one or is taken or is that of two files, or writing failed.
pub fn extract(
    store: &dyn ContentStore,
    artifacts: &[Descriptor],
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<Vec<PathBuf>>, FileError> {
    let plan = Plan::of(store, artifacts, folder, limits)?;
    let mut out = OutputFolder::create(folder)?;
    for file in plan.files.values() {
        out.add(file.name.as_ref(), |out| file.write_from(store, out, limits))?;
    }
    out.commit()?;
    Ok(plan.paths(folder))
}

/// The same of a bundle that comes through a pipe. A file gets its name when all of the bundle was read and nothing was wrong
/// with it.
///
/// # Errors
/// As [`extract`]; or the pipe breaks off, or gives something else than it should.
pub fn extract_stream(
    head: &BundleHead,
    tail: &mut BundleTail,
    artifacts: &[Descriptor],
    folder: &Path,
    ledger: &Ledger,
    limits: &Limits,
) -> Result<Vec<Vec<PathBuf>>, FileError> {
    let plan = Plan::of(head, artifacts, folder, limits)?;
    let mut out = OutputFolder::create(folder)?;
    let mut waiting: BTreeMap<Digest, Vec<&Planned>> = BTreeMap::new();
    for file in plan.files.values() {
        if head.holds(&file.blob.digest) {
            out.add(file.name.as_ref(), |out| file.write_from(head, out, limits))?;
        } else {
            waiting.entry(file.blob.digest).or_default().push(file);
        }
    }
    while let Some(blob) = tail.next_blob()? {
        let files = waiting.remove(&blob.digest).unwrap_or_default();
        let Some((first, others)) = files.split_first() else {
            ledger.copy_next(&blob, tail, &mut io::sink())?;
            continue;
        };
        let staged = out.add(first.name.as_ref(), |out| ledger.copy_next(&blob, tail, out).map_err(FileError::from))?;
        for other in others {
            out.add_copy(other.name.as_ref(), &staged)?;
        }
    }
    if let Some((digest, _)) = waiting.first_key_value() {
        return Err(FileError::NoFile { digest: *digest });
    }
    out.commit()?;
    Ok(plan.paths(folder))
}

/// A file to be written.
struct Planned {
    name: String,
    blob: Descriptor,
    artifact: Digest,
}

/// Everything that is to be written, decided before anything is.
struct Plan {
    files: BTreeMap<String, Planned>,
    /// The names that each artifact becomes, the file first.
    names: Vec<Vec<String>>,
}

impl Plan {
    fn of(
        store: &dyn ContentStore,
        artifacts: &[Descriptor],
        folder: &Path,
        limits: &Limits,
    ) -> Result<Self, FileError> {
        let mut plan = Self { files: BTreeMap::new(), names: Vec::new() };
        for artifact in artifacts {
            let files = plan_one(store, artifact, limits)?;
            plan.names.push(files.iter().map(|file| file.name.clone()).collect());
            for file in files {
                plan.add(file, folder)?;
            }
        }
        Ok(plan)
    }

    fn add(&mut self, file: Planned, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(&file.name);
        if file.name.len() > MOST_NAME {
            return Err(FileError::LongName { name: shorten(&file.name), length: file.name.len(), limit: MOST_NAME });
        }
        // The same file may be there, from a run that was killed between two names: that is seen when it is named.
        if path.symlink_metadata().is_ok_and(|found| !found.is_file() || found.len() != file.blob.size) {
            return Err(FileError::Exists { path });
        }
        // One artifact may have several references.
        match self.files.get(&file.name) {
            Some(known) if known.artifact == file.artifact => Ok(()),
            Some(known) => {
                let (first, second) = (known.artifact, file.artifact);
                Err(FileError::NameTwice { name: shorten(&file.name), first, second })
            }
            None => {
                self.files.insert(file.name.clone(), file);
                Ok(())
            }
        }
    }

    fn paths(self, folder: &Path) -> Vec<Vec<PathBuf>> {
        let paths = |names: Vec<String>| names.into_iter().map(|name| folder.join(name)).collect();
        self.names.into_iter().map(paths).collect()
    }
}

/// Which files an artifact becomes.
fn plan_one(store: &dyn ContentStore, artifact: &Descriptor, limits: &Limits) -> Result<Vec<Planned>, FileError> {
    let manifest = fetch_manifest(store, artifact, limits)?;
    let manifest = manifest.ok_or_else(|| StoreError::missing(artifact, "the bundle"))?;
    let layer = layer_of(&manifest).ok_or(FileError::NoFile { digest: artifact.digest })?;
    let title = layer.annotations.get(TITLE).map(String::as_str).unwrap_or_default();
    if !is_plain(title) {
        return Err(FileError::Name { name: shorten(title) });
    }
    let planned = |name: &str, blob: &Descriptor| Planned {
        name: name.to_owned(),
        blob: blob.clone(),
        artifact: artifact.digest,
    };
    let mut files = vec![planned(title, layer)];
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
        files.push(planned(&signature_name(&stem, kind), envelope));
    }
    Ok(files)
}

impl Planned {
    fn write_from(&self, store: &dyn ContentStore, out: &mut dyn io::Write, limits: &Limits) -> Result<(), FileError> {
        if EnvelopeType::from_media_type(&self.blob.media_type).is_some() {
            let bytes = fetch_blob(store, &self.blob, limits.envelope_bytes, &self.artifact)?;
            return out.write_all(&bytes).map_err(|source| FileError::Io { path: self.name.clone().into(), source });
        }
        let content = store.open(&self.blob, ContentKind::Blob)?;
        let content = content.ok_or_else(|| StoreError::missing(&self.blob, &self.artifact.to_string()))?;
        Ok(copy_to(content, &self.blob, out)?)
    }
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
    /// A name that is longer than file systems have room for.
    #[error("the file would be called {name:?}, with {length} bytes; at most {limit} are possible")]
    LongName {
        /// The name, shortened.
        name: String,
        /// Its bytes.
        length: usize,
        /// The most.
        limit: usize,
    },
    /// Two files of one name.
    #[error("two files would be called {name:?}: one of the artifact {first} and one of {second}")]
    NameTwice {
        /// The name.
        name: String,
        /// One artifact.
        first: Digest,
        /// The other.
        second: Digest,
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
            Self::NoFile { .. } | Self::LongName { .. } | Self::NameTwice { .. } => {
                DiagnosticCode::DestinationUnsupported
            }
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
            Self::LongName { .. } => Some("rename the file before it is signed and exported".into()),
            Self::NameTwice { .. } => {
                Some("export them into bundles of their own, and import these into folders of their own".into())
            }
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
