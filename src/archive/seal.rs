//! The seal: a signature on the bundle manifest, with its evidence (`schemas/bundle-v1.md`, "The seal").
//!
//! Here it is only content that must be accounted for. An inventory cannot list what signs it, so a sealed bundle holds
//! these blobs beside the inventory's, and nothing else: each is reached from the bundle manifest, and each is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::empty_config;
use super::names;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Digest, shorten};
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, Manifest, MediaType};

/// What a sealed bundle holds beside its inventory's blobs. Only reading the manifests makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealMembers {
    bundle: Descriptor,
    manifest: Descriptor,
    envelope: Descriptor,
    evidence: Option<Descriptor>,
    /// The CRLs and OCSP responses, by digest.
    pieces: Vec<Descriptor>,
}

impl SealMembers {
    /// The most bytes that the seal's manifest, and that of its evidence, may have. Real ones have one or two kilobytes.
    pub const MANIFEST_BYTES: u64 = 256 << 10;
    /// The most CRLs and OCSP responses that a seal has. A chain of three certificates and a timestamp authority's need six.
    pub const MOST_PIECES: usize = 64;
    /// The most bytes that they all have together: what a reader of a pipe has to hold in memory.
    pub const MOST_BYTES: u64 = 64 << 20;

    /// Finds the members of a seal through its manifest and that of its evidence.
    ///
    /// # Errors
    /// The manifests are not those of a seal on `bundle`, or name more than a seal may have.
    pub fn read(
        bundle: &Descriptor,
        seal: &Manifest,
        evidence: Option<&Manifest>,
        limits: &Limits,
    ) -> Result<Self, SealError> {
        check_artifact("seal", seal, names::SEAL, bundle)?;
        let [envelope] = seal.layers() else {
            return Err(SealError::Envelopes { found: seal.layers().len() });
        };
        let manifest = seal.descriptor().bare();
        if let Some(evidence) = evidence {
            check_artifact("seal's evidence", evidence, names::EVIDENCE, &manifest)?;
        }
        let members = Self {
            bundle: bundle.bare(),
            manifest,
            envelope: envelope.bare(),
            evidence: evidence.map(|evidence| evidence.descriptor().bare()),
            pieces: evidence.into_iter().flat_map(|evidence| evidence.layers().iter().map(Descriptor::bare)).collect(),
        };
        members.check_pieces(evidence.is_some(), limits)?;
        Ok(members)
    }

    fn check_pieces(&self, expected: bool, limits: &Limits) -> Result<(), SealError> {
        if names::ENVELOPES.iter().all(|known| self.envelope.media_type != *known) {
            let media_type = shorten(self.envelope.media_type.as_str());
            return Err(SealError::Envelope { digest: self.envelope.digest, media_type });
        }
        if self.envelope.size > limits.envelope_bytes {
            let (size, limit) = (self.envelope.size, limits.envelope_bytes);
            return Err(SealError::TooLarge { digest: self.envelope.digest, size, limit });
        }
        let found = self.pieces.len();
        if found > Self::MOST_PIECES || (found == 0 && expected) {
            return Err(SealError::Pieces { found, limit: Self::MOST_PIECES });
        }
        for piece in &self.pieces {
            if piece.media_type != names::CRL && piece.media_type != names::OCSP {
                return Err(SealError::Piece { digest: piece.digest, media_type: shorten(piece.media_type.as_str()) });
            }
            if piece.size > limits.crl_bytes {
                return Err(SealError::TooLarge { digest: piece.digest, size: piece.size, limit: limits.crl_bytes });
            }
        }
        let total = self.pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.size));
        if total > Self::MOST_BYTES {
            return Err(SealError::TooMuch { found: total, limit: Self::MOST_BYTES });
        }
        let sorted = self.pieces.iter().zip(self.pieces.iter().skip(1)).all(|(one, next)| one.digest < next.digest);
        // The bundle manifest stands before them.
        let all = || self.blobs().chain([&self.bundle]).map(|blob| blob.digest);
        let distinct: BTreeSet<Digest> = all().collect();
        match sorted && distinct.len() == all().count() {
            true => Ok(()),
            false => Err(SealError::Order),
        }
    }

    /// The bundle manifest that it is on.
    pub const fn bundle(&self) -> &Descriptor {
        &self.bundle
    }

    /// The signature manifest whose subject is the bundle manifest.
    pub const fn manifest(&self) -> &Descriptor {
        &self.manifest
    }

    /// The envelope.
    pub const fn envelope(&self) -> &Descriptor {
        &self.envelope
    }

    /// The CRLs and OCSP responses, by digest.
    pub fn pieces(&self) -> &[Descriptor] {
        &self.pieces
    }

    /// The manifest of its evidence, whose subject is the signature manifest.
    pub const fn evidence(&self) -> Option<&Descriptor> {
        self.evidence.as_ref()
    }

    /// Every blob, in the order in which they stand in the archive: the manifest, the envelope, the manifest of the
    /// evidence, the evidence.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        [&self.manifest, &self.envelope].into_iter().chain(&self.evidence).chain(&self.pieces)
    }

    /// `index.json` with what a sealed bundle lists behind the bundle manifest.
    pub fn list_in(&self, mut index: IndexDocument) -> IndexDocument {
        let entry =
            |descriptor: &Descriptor, kind: &str| Descriptor { artifact_type: Some(kind.into()), ..descriptor.bare() };
        index.manifests.push(entry(&self.manifest, names::SEAL));
        index.manifests.extend(self.evidence.iter().map(|evidence| entry(evidence, names::EVIDENCE)));
        index
    }
}

/// An image manifest of this artifact type with the empty configuration, about `subject`.
fn check_artifact(
    what: &'static str,
    manifest: &Manifest,
    kind: &'static str,
    subject: &Descriptor,
) -> Result<(), SealError> {
    let fail = |reason| Err(SealError::Manifest { what, digest: manifest.descriptor().digest, reason });
    if manifest.media_type() != MediaType::OCI_MANIFEST || manifest.artifact_type().is_none_or(|found| *found != kind) {
        return fail("it is of another type");
    }
    if !manifest.config().is_some_and(|config| config.same_content(&empty_config())) {
        return fail("its configuration is not the empty one");
    }
    match manifest.subject().is_some_and(|found| found.same_content(subject)) {
        true => Ok(()),
        false => fail("its subject is something else"),
    }
}

/// A seal with its content, to be written.
#[derive(Debug, Clone)]
pub struct Seal {
    members: SealMembers,
    contents: BTreeMap<Digest, Arc<[u8]>>,
}

impl Seal {
    /// Brings a seal's members and their content together.
    ///
    /// # Errors
    /// A member's content is not among `contents`.
    pub fn new(
        members: SealMembers,
        contents: impl IntoIterator<Item = (Digest, Arc<[u8]>)>,
    ) -> Result<Self, SealError> {
        let contents: BTreeMap<Digest, Arc<[u8]>> = contents.into_iter().collect();
        let lacks =
            |blob: &&Descriptor| contents.get(&blob.digest).is_none_or(|bytes| Digest::sha256(bytes) != blob.digest);
        let missing = members.blobs().find(lacks).map(|blob| blob.digest);
        match missing {
            Some(digest) => Err(SealError::NoContent { digest }),
            None => Ok(Self { members, contents }),
        }
    }

    /// What belongs to it.
    pub const fn members(&self) -> &SealMembers {
        &self.members
    }

    /// Each blob with its content, in the order of the archive.
    pub(super) fn contents(&self) -> impl Iterator<Item = (Digest, &Arc<[u8]>)> {
        self.members.blobs().filter_map(|blob| Some((blob.digest, self.contents.get(&blob.digest)?)))
    }
}

/// Why what stands where a seal would stand is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// `index.json` lists more behind the bundle manifest than a seal and its evidence.
    #[error("index.json lists {found} entries behind the bundle manifest; a seal and its evidence are two")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A manifest is not what its place calls for.
    #[error("the manifest {digest} is not the {what}: {reason}")]
    Manifest {
        /// What it should be.
        what: &'static str,
        /// The manifest.
        digest: Digest,
        /// Why it is not.
        reason: &'static str,
    },
    /// A manifest that cannot be parsed.
    #[error("the manifest {digest} in the seal's place is malformed")]
    Malformed {
        /// The manifest.
        digest: Digest,
    },
    /// Not one envelope.
    #[error("the seal has {found} envelopes, not one")]
    Envelopes {
        /// How many it has.
        found: usize,
    },
    /// An envelope in a format that no signature has.
    #[error("the seal's envelope {digest} is {media_type:?}, neither JWS nor COSE")]
    Envelope {
        /// The blob.
        digest: Digest,
        /// What it is said to be.
        media_type: String,
    },
    /// Too much evidence, or none where there should be some.
    #[error("the seal's evidence are {found} CRLs and OCSP responses; there must be one, and at most {limit}")]
    Pieces {
        /// How many there are.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// Evidence that is neither a CRL nor an OCSP response.
    #[error("the seal's evidence names {digest}, which is {media_type:?}, neither a CRL nor an OCSP response")]
    Piece {
        /// The blob.
        digest: Digest,
        /// What it is said to be.
        media_type: String,
    },
    /// A member that is larger than such a thing is read.
    #[error("{digest}, which belongs to the seal, has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// All evidence together is larger than is read.
    #[error("the seal's evidence has {found} bytes; at most {limit} are read")]
    TooMuch {
        /// How many it has.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Evidence out of order, or a blob twice.
    #[error("the seal's evidence is not in order, or a blob of the seal is named twice")]
    Order,
    /// Content is missing.
    #[error("the content of {digest}, which belongs to the seal, is not at hand")]
    NoContent {
        /// The blob.
        digest: Digest,
    },
}

impl Diagnostic for SealError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::NoContent { .. } => DiagnosticCode::InternalError,
            _ => DiagnosticCode::BundleSealInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoContent { .. } => None,
            _ => Some("somebody added to the bundle or altered it; bring it over again from its source".into()),
        }
    }
}
