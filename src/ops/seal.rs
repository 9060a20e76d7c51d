//! The seal: signing the bundle manifest, and judging what was signed (`schemas/bundle-v1.md`, "The seal").
//!
//! A seal is a Notary Project signature whose subject is the bundle manifest, and whose payload says that it is a seal
//! ([`Purpose::Seal`]). It is judged as every other signature is, by the statement of the host's policy that covers
//! [`SEAL_REPOSITORY`].

use std::convert::Infallible;
use std::sync::Arc;

use super::gather::{Gatherer, Sources};
use super::pack::Supplies;
use super::signatures::{Carried, fetch_blob, read_signature};
use super::supply::{GapPolicy, Planned, SupplyError, encode_evidence, supply_one};
use crate::archive::{BundleInventory, EvidenceGap, InventoryError, Seal, SealError, SealMembers, names};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::notary::{EnvelopeType, Purpose, SignatureManifestForm};
use crate::oci::{Descriptor, Manifest, ManifestError, Repository};
use crate::pki::{CertificatePool, Crl};
use crate::signer::{EnvelopeSource, SignatureArtifact, SigningError, SigningOptions};
use crate::store::{ContentStore, StoreError};
use crate::time::UnixTime;
use crate::trust::PolicyDocument;
use crate::verification::{CarriedEvidence, FoundSignature, SealJudgement, Terms, Verdict, evaluate_seal};

pub use crate::archive::SEAL_REPOSITORY;

/// Who seals, and how.
pub struct Sealing<'a> {
    /// The key and its chain.
    pub signer: &'a dyn EnvelopeSource,
    /// Times, metadata, and who confirms the time. What it is for is not asked: it is a seal.
    pub options: SigningOptions<'a>,
    /// The envelope's format.
    pub envelope: EnvelopeType,
}

/// A seal that was made, and what judging it will miss.
#[derive(Debug)]
pub struct Sealed {
    /// The seal.
    pub seal: Seal,
    /// Evidence that could not be had.
    pub missing: Vec<EvidenceGap>,
}

/// Seals the bundle of this inventory. Revocation data for the signer's chain and the timestamp authority's is gathered
/// as for any signature; what the bundle carries already is not fetched again.
///
/// # Errors
/// The key does not sign, no timestamp is had where one is asked for, or evidence cannot be had and `gaps` says to
/// refuse.
pub fn seal(
    inventory: &BundleInventory,
    supplies: &Supplies,
    sealing: &Sealing<'_>,
    sources: &Sources<'_>,
    gaps: GapPolicy,
    limits: &Limits,
) -> Result<Sealed, SealingError> {
    let bundle = inventory.bundle_manifest()?.descriptor;
    let options = SigningOptions { purpose: Purpose::Seal, ..sealing.options.clone() };
    let envelope = sealing.signer.envelope(sealing.envelope, &bundle, &options)?;
    let artifact = SignatureArtifact::build(SignatureManifestForm::ArtifactType, &bundle, envelope)?;
    let manifest = Manifest::parse(&artifact.descriptor.bare(), artifact.manifest.as_slice())?;
    let envelope = artifact.envelope;
    let pool = CertificatePool::default();
    let found = read_signature(&manifest, limits, &pool, |_| Ok::<_, SealingError>(envelope.bytes.clone()))?;
    let carried = carried(supplies, limits, &pool);
    let planned = Planned::of(found, &carried, limits, &pool);
    let mut gatherer = Gatherer::new(sources, carried, limits);
    let (record, named) = supply_one(&manifest, &planned, &mut gatherer);
    if gaps == GapPolicy::Refuse && !record.missing.is_empty() {
        let gaps = record.missing.into_iter().map(|gap| (record.digest, gap)).collect();
        return Err(SealingError::Supply(SupplyError::Missing { gaps }));
    }
    let mut contents: Vec<(Digest, Arc<[u8]>)> = vec![
        (artifact.descriptor.digest, artifact.manifest.into()),
        (envelope.descriptor.digest, envelope.bytes.into()),
    ];
    let mut evidence = None;
    if !named.is_empty() {
        let (descriptor, bytes) = encode_evidence(manifest.descriptor(), &named).map_err(SupplyError::from)?;
        evidence = Some(Manifest::parse(&descriptor, Arc::clone(&bytes))?);
        contents.push((descriptor.digest, bytes));
        contents.extend(named.iter().map(|found| (found.piece.digest(), Arc::from(found.piece.der()))));
    }
    let members = SealMembers::read(&bundle, &manifest, evidence.as_ref(), limits)?;
    Ok(Sealed { seal: Seal::new(members, contents)?, missing: record.missing })
}

/// What the bundle carries for its signatures.
fn carried(supplies: &Supplies, limits: &Limits, pool: &CertificatePool) -> CarriedEvidence {
    let mut evidence = CarriedEvidence::default();
    for (record, bytes) in &supplies.evidence {
        take_in(&mut evidence, &record.descriptor(), bytes.to_vec(), limits, pool);
    }
    evidence
}

/// Adds what was brought already. What does not count says nothing.
fn take_in(
    evidence: &mut CarriedEvidence,
    layer: &Descriptor,
    bytes: Vec<u8>,
    limits: &Limits,
    pool: &CertificatePool,
) {
    let Ok(piece) = Carried::read(layer, limits, pool, |_| Ok::<_, Infallible>(bytes));
    if let Some(piece) = piece {
        piece.add_to(evidence);
    }
}

/// Whether what is verified is a bundle, and what it says of its seal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub enum SubjectSeal {
    /// It is a layout, a registry or another tool's archive, which have no seals.
    #[default]
    NoBundle,
    /// A bundle without a seal.
    Unsealed {
        /// The bundle manifest.
        bundle: Descriptor,
    },
    /// A bundle with a seal.
    Sealed(SealMembers),
}

/// What the operator demands of a bundle's seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SealDemand {
    /// A seal that is there must be trusted, or the policy must say skip for it.
    #[default]
    IfPresent,
    /// There must be one, and it must be trusted.
    Required,
    /// It is not judged; the report says so.
    Ignored,
}

/// How to judge a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealTerms {
    /// The repository whose statement decides: [`SEAL_REPOSITORY`], unless the operator says another.
    pub scope: Repository,
    /// What must be.
    pub demand: SealDemand,
}

/// What became of a bundle's seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealOutcome {
    /// There is no bundle.
    NoBundle,
    /// The bundle is not sealed: its names are claims.
    Unsealed {
        /// The bundle manifest.
        bundle: Descriptor,
    },
    /// There is a seal, and every byte of it is what its digest says. That is all that was asked.
    NotJudged(SealMembers),
    /// There is a seal, and the operator said not to judge it.
    Ignored(SealMembers),
    /// It was judged.
    Judged {
        /// The seal.
        members: SealMembers,
        /// The judgement.
        judgement: Box<SealJudgement>,
    },
}

impl SealOutcome {
    /// Whether the seal vouches for names, tags and completeness.
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Judged { judgement, .. } if matches!(judgement.outcome().verdict, Verdict::Trusted(_)))
    }

    /// What the seal, or the lack of one, makes of everything in the bundle; `None` if each artifact may be judged by
    /// its own signatures.
    pub fn bar(&self, demand: SealDemand) -> Option<Verdict> {
        let rejected = |code| Some(Verdict::Rejected(vec![code]));
        let required = demand == SealDemand::Required;
        match self {
            Self::Judged { judgement, .. } => match &judgement.outcome().verdict {
                Verdict::Trusted(_) => None,
                Verdict::Skipped if required => rejected(DiagnosticCode::SealSkipped),
                Verdict::Skipped => None,
                Verdict::Undecided(_) if !required => Some(Verdict::Undecided(vec![DiagnosticCode::SealNotTrusted])),
                Verdict::Rejected(_) | Verdict::Undecided(_) => rejected(DiagnosticCode::SealNotTrusted),
            },
            Self::Ignored(_) if required => rejected(DiagnosticCode::SealNotTrusted),
            Self::NoBundle | Self::Unsealed { .. } if required => rejected(DiagnosticCode::SealAbsent),
            Self::NoBundle | Self::Unsealed { .. } | Self::NotJudged(_) | Self::Ignored(_) => None,
        }
    }

    /// The moment before which the seal was not made, where an authenticated time says so and it lies behind `at`: then
    /// the clock that gave `at` is behind.
    pub fn made_after(&self, at: UnixTime) -> Option<UnixTime> {
        let Self::Judged { judgement, .. } = self else { return None };
        let times = judgement.outcome().signatures.iter().filter_map(|signature| signature.facts.times.authenticated);
        times.map(|time| time.earliest).filter(|earliest| at < *earliest).max()
    }
}

/// A seal as it lies in the bundle, read whole.
#[derive(Debug)]
pub struct FoundSeal {
    found: FoundSignature,
    evidence: CarriedEvidence,
}

impl FoundSeal {
    /// Reads a seal. Every byte of it is held against its digest; what is wrong with the signature is a value.
    ///
    /// # Errors
    /// The store fails, or gives damaged content.
    pub fn read(store: &dyn ContentStore, members: &SealMembers, limits: &Limits) -> Result<Self, StoreError> {
        let bundle = &members.bundle().digest;
        let (mut found, mut evidence) = (None, CarriedEvidence::default());
        let mut manifest = None;
        let pool = CertificatePool::default();
        for blob in members.blobs() {
            let bytes = fetch_blob(store, blob, blob.size, bundle)?;
            if blob == members.manifest() {
                let malformed = |_| StoreError::from_diagnostic(SealError::Malformed { digest: blob.digest });
                manifest = Some(Manifest::parse(blob, bytes).map_err(malformed)?);
            } else if let (Some(manifest), None) = (&manifest, &found) {
                // The envelope comes next.
                found = Some(read_signature(manifest, limits, &pool, |_| Ok::<_, StoreError>(bytes))?);
            } else if blob.media_type == names::CRL || blob.media_type == names::OCSP {
                take_in(&mut evidence, blob, bytes, limits, &pool);
            }
        }
        let missing = || StoreError::from_diagnostic(SealError::Malformed { digest: members.manifest().digest });
        Ok(Self { found: found.ok_or_else(missing)?, evidence })
    }

    /// Adds CRLs that the operator supplied.
    pub fn add(&mut self, supplied: &[Crl]) {
        supplied.iter().for_each(|crl| self.evidence.insert(crl.clone()));
    }

    /// Its evidence.
    pub const fn evidence(&self) -> &CarriedEvidence {
        &self.evidence
    }

    /// Judges the seal on `bundle` by the statement for `scope`.
    pub fn evaluate(
        &self,
        bundle: &Descriptor,
        scope: &Repository,
        policy: &PolicyDocument,
        terms: &Terms<'_>,
    ) -> SealJudgement {
        evaluate_seal(bundle, scope, &self.found, policy, terms)
    }
}

/// Why a bundle could not be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealingError {
    /// The key, its chain or the timestamp authority.
    #[error("the bundle cannot be sealed: {0}")]
    Signing(#[from] SigningError),
    /// Revocation data for the seal.
    #[error("the seal lacks evidence: {0}")]
    Supply(#[from] SupplyError),
    /// The inventory.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The seal does not fit into a bundle.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A manifest of our own cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Diagnostic for SealingError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Signing(error) => error.code(),
            Self::Supply(error) => error.code(),
            Self::Inventory(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::Manifest(_) => DiagnosticCode::InternalError,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Signing(error) => error.hint(),
            Self::Supply(error) => error.hint(),
            Self::Inventory(error) => error.hint(),
            Self::Seal(error) => error.hint(),
            Self::Manifest(_) => None,
        }
    }
}
