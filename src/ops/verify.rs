//! Verification: every byte, then every signature. One code path for bundles, archives, layouts and registries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::closure::{Closure, ClosureError, Closures, NotarySignature, WalkOptions, walk_each};
use super::file::{self, SignedFile};
use super::gather::{Gatherer, Piece, Sources};
use super::integrity::{ByteCount, Claims, Ledger, Sound};
use super::progress::{Progress, Stage};
use super::seal::{FoundSeal, SealDemand, SealOutcome, SealTerms, SubjectSeal};
use super::signatures::{SignatureFlood, carried_evidence, check_amount, fetch_blob, read_signature};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::LiveEvidence;
use crate::limits::Limits;
use crate::oci::{Descriptor, Reference, Repository};
use crate::parallel::{map_in_parallel, try_map_in_parallel};
use crate::pki::{Crl, OcspStatus};
use crate::store::{ContentStore, StoreError};
use crate::time::UnixTime;
use crate::trust::Trust;
use crate::verification::{
    ArtifactOutcome, CarriedEvidence, Clocks, EvidenceNeed, FoundSignature, Freshness, Memo, RevocationReading, Terms,
    Verdict, VerificationPlugins, evaluate_file, evaluate_names, evidence, plan_with,
};

/// An artifact to verify.
#[derive(Debug, Clone)]
pub struct RootToVerify {
    /// The artifact.
    pub descriptor: Descriptor,
    /// Its name, where it has one.
    pub reference: Option<Reference>,
}

/// What to verify, and where it lies.
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn ContentStore,
    /// The artifacts in it.
    pub roots: Vec<RootToVerify>,
    /// Manifests that the store is known to lack, because a bundle's exporter left them out on request.
    pub omitted: BTreeSet<Digest>,
    /// Everything that a bundle lists, where all of it is to be verified: nothing may lie in it that belongs to no
    /// artifact. Empty where that is not the question.
    pub listed: BTreeSet<Digest>,
    /// The bundle's seal, if it is a bundle and has one.
    pub seal: SubjectSeal,
}

/// How to judge.
pub struct Judging<'a> {
    /// What the operator trusts.
    pub trust: &'a Trust,
    /// The verification time.
    pub at: UnixTime,
    /// How old revocation data may be.
    pub freshness: Freshness,
    /// What a revocation means for what was signed before it.
    pub revocation: RevocationReading,
    /// The repository to judge under, in place of each root's own.
    pub scope: Option<Repository>,
    /// How to judge a bundle's seal, and whether there must be one.
    pub seal: SealTerms,
    /// Metadata that signatures must carry; a seal need not.
    pub user_metadata: BTreeMap<String, String>,
    /// CRLs that the operator supplied.
    pub supplied: &'a [Crl],
    /// The plugins that signatures may demand; without any, such signatures are bad.
    pub plugins: Option<&'a dyn VerificationPlugins>,
    /// Where revocation data that isn't at hand may be fetched; never for a bundle.
    pub live: Option<&'a dyn LiveEvidence>,
}

impl Judging<'_> {
    fn terms<'a>(
        &'a self,
        evidence: &'a CarriedEvidence,
        user_metadata: &'a BTreeMap<String, String>,
        limits: &'a Limits,
    ) -> Terms<'a> {
        Terms {
            stores: &self.trust.stores,
            plugins: self.plugins,
            evidence,
            at: self.at,
            freshness: self.freshness,
            revocation: self.revocation,
            user_metadata,
            limits,
        }
    }
}

/// How far to go.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Depth<'a> {
    /// The bytes alone.
    Integrity,
    /// The bytes, and every signature.
    Judge(Judging<'a>),
}

/// What was verified.
#[derive(Debug)]
pub struct Verification {
    /// What became of the bundle's seal.
    pub seal: SealOutcome,
    /// What was hashed.
    pub integrity: ByteCount,
    /// The artifacts, in the order in which they were asked for.
    pub artifacts: Vec<VerifiedRoot>,
}

/// One artifact, verified.
#[derive(Debug)]
pub struct VerifiedRoot {
    /// The artifact.
    pub root: RootToVerify,
    /// How it was judged; `None` if only the bytes were checked.
    pub outcome: Option<ArtifactOutcome>,
    /// Signatures on what belongs to it: children, other referrers. They do not change its verdict.
    pub parts: Vec<ArtifactOutcome>,
    /// How many of its signatures were left, because [`Limits::judged_signatures`] were judged before them.
    pub unjudged: usize,
}

impl VerifiedRoot {
    /// Takes the bundle's seal for more than the artifact's own signatures: nothing in a bundle whose seal is bad is
    /// trusted. The signatures and their findings stay as they are.
    fn overrule(&mut self, verdict: &Verdict) {
        for outcome in self.outcome.iter_mut().chain(&mut self.parts) {
            outcome.verdict = overruled(&outcome.verdict, verdict);
        }
    }
}

/// The verdict of a bad seal, unless that of the artifact's own signatures is worse: what is known to be bad does not
/// become a question because nobody can judge the seal.
fn overruled(own: &Verdict, by_seal: &Verdict) -> Verdict {
    match (own, by_seal) {
        (Verdict::Rejected(own), Verdict::Undecided(codes)) => {
            let mut codes = [own.as_slice(), codes].concat();
            codes.sort_unstable();
            codes.dedup();
            Verdict::Rejected(codes)
        }
        _ => by_seal.clone(),
    }
}

/// What was judged, by its manifests, signatures and evidence. That its blobs are what their digests say is still to be
/// shown: by hashing them, or by whoever reads them for another reason.
#[derive(Debug)]
pub struct Judged {
    seal: SealOutcome,
    artifacts: Vec<VerifiedRoot>,
    /// What the closures of all artifacts come to; they themselves are not needed any more, and there may be thousands.
    ledger: Arc<Ledger>,
    /// Whether the judgement took somebody's word for anything, to be shown with the bytes.
    has_claims: bool,
}

impl Judged {
    /// What became of the bundle's seal.
    pub const fn seal(&self) -> &SealOutcome {
        &self.seal
    }

    /// The artifacts, in the order in which they were asked for.
    pub fn artifacts(&self) -> &[VerifiedRoot] {
        &self.artifacts
    }

    /// What of the source must be sound.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Whether an artifact is trusted only if bytes that were not read are what is claimed of them: then reading must go
    /// on, whatever became of the others.
    pub fn rests_on_claims(&self) -> bool {
        let is_trusted = |root: &VerifiedRoot| {
            root.outcome.as_ref().is_some_and(|outcome| matches!(outcome.verdict, Verdict::Trusted(_)))
        };
        self.has_claims && self.artifacts.iter().any(is_trusted)
    }

    /// Complete, now that all bytes were checked.
    pub fn verified(self, sound: Sound) -> Verification {
        Verification { seal: self.seal, integrity: sound.count(), artifacts: self.artifacts }
    }

    /// What is known where reading ended with the judgement, because there was no reason to go on: `checked` alone was
    /// read. Not for what [rests on claims](Self::rests_on_claims).
    pub fn refused(self, checked: ByteCount) -> Verification {
        Verification { seal: self.seal, integrity: checked, artifacts: self.artifacts }
    }
}

/// Verifies everything that belongs to the roots. A bundle's seal comes first, and where it is bad, or missing and
/// demanded, no artifact of the bundle is trusted.
///
/// # Errors
/// Content is missing or damaged, the store fails, or a root has no name to be judged under. What is wrong with a
/// signature is an outcome, not an error.
pub fn verify(
    subject: &Subject<'_>,
    depth: &Depth<'_>,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Verification, VerifyError> {
    let judged = judge(subject, depth, limits, progress)?;
    let sound = judged.ledger().settle(subject.store, progress)?;
    progress.done();
    Ok(judged.verified(sound))
}

/// Judges the roots by what is small: manifests, signatures, evidence. No layer is read.
///
/// # Errors
/// As [`verify`], but for blobs that are damaged or missing.
pub fn judge(
    subject: &Subject<'_>,
    depth: &Depth<'_>,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Judged, VerifyError> {
    if let Depth::Judge(judging) = depth {
        for root in &subject.roots {
            scope_of(root, judging)?;
        }
    }
    progress.stage(Stage::Discovering, None);
    let seal = judge_seal(subject, depth, limits)?;
    let options = WalkOptions { known_omitted: subject.omitted.clone(), ..WalkOptions::default() };
    let closures = walk_each(subject.store, &subject.roots, |root| &root.descriptor, &options, limits, progress)
        .map_err(|(_, error)| error)?;
    let reached: BTreeSet<&Digest> =
        closures.distinct().iter().flat_map(|closure| closure.manifests.keys().chain(closure.blobs.keys())).collect();
    if let Some(stray) = subject.listed.iter().find(|digest| !reached.contains(digest)) {
        return Err(VerifyError::Stray { digest: *stray });
    }
    let (mut artifacts, claims): (Vec<VerifiedRoot>, Claims) = match depth {
        Depth::Integrity => {
            let unjudged = |root: &RootToVerify| VerifiedRoot {
                root: root.clone(),
                outcome: None,
                parts: Vec::new(),
                unjudged: 0,
            };
            (subject.roots.iter().map(unjudged).collect(), Claims::new())
        }
        Depth::Judge(judging) => judge_all(subject, &closures, judging, limits)?,
    };
    if let Depth::Judge(judging) = depth
        && let Some(verdict) = seal.bar(judging.seal.demand)
    {
        artifacts.iter_mut().for_each(|root| root.overrule(&verdict));
    }
    let (has_claims, ledger) = (!claims.is_empty(), Arc::new(Ledger::of(closures.distinct(), claims)));
    Ok(Judged { seal, artifacts, ledger, has_claims })
}

/// Reads the seal whole, and judges it if anything is judged.
fn judge_seal(subject: &Subject<'_>, depth: &Depth<'_>, limits: &Limits) -> Result<SealOutcome, VerifyError> {
    let members = match &subject.seal {
        SubjectSeal::NoBundle => return Ok(SealOutcome::NoBundle),
        SubjectSeal::Unsealed { bundle } => return Ok(SealOutcome::Unsealed { bundle: bundle.clone() }),
        SubjectSeal::Sealed(members) => members.clone(),
    };
    let mut found = FoundSeal::read(subject.store, &members, limits)?;
    let Depth::Judge(judging) = depth else { return Ok(SealOutcome::NotJudged(members)) };
    if judging.seal.demand == SealDemand::Ignored {
        return Ok(SealOutcome::Ignored(members));
    }
    found.add(judging.supplied);
    let no_metadata = BTreeMap::new();
    let terms = judging.terms(found.evidence(), &no_metadata, limits);
    let judgement = found.evaluate(members.bundle(), &judging.seal.scope, &judging.trust.policy, &terms);
    Ok(SealOutcome::Judged { members, judgement: Box::new(judgement) })
}

fn scope_of(root: &RootToVerify, judging: &Judging<'_>) -> Result<Repository, VerifyError> {
    let own = root.reference.as_ref().map(|reference| reference.repository.clone());
    judging.scope.clone().or(own).ok_or(VerifyError::Nameless { digest: root.descriptor.digest })
}

/// What was read of one artifact, whatever names it has.
struct Dossier<'a> {
    closure: &'a Closure,
    /// The signatures of its closure, by what they sign.
    signatures: BTreeMap<Digest, Vec<FoundSignature>>,
    /// Where it has the name of a file: its signatures, each with the file as its hash describes it.
    file: Option<SignedFile>,
}

/// One artifact with all of its names, and what was read of it.
struct Case<'a> {
    dossier: &'a Dossier<'a>,
    names: Vec<Name<'a>>,
}

/// One root.
struct Name<'a> {
    root: &'a RootToVerify,
    scope: Repository,
    /// Its place among the roots.
    place: usize,
}

/// Judges every root. Evidence is gathered once for all of them, each piece read and checked once: who signed a CRL
/// decides what it says, not the root that it came with.
fn judge_all(
    subject: &Subject<'_>,
    closures: &Closures,
    judging: &Judging<'_>,
    limits: &Limits,
) -> Result<(Vec<VerifiedRoot>, Claims), VerifyError> {
    let distinct = closures.distinct();
    // All of it is held at once, so all of it counts, each signature and each piece of evidence once.
    let signatures = distinct.iter().flat_map(Closure::notary_signatures);
    let signatures: BTreeMap<Digest, NotarySignature> =
        signatures.map(|signature| (signature.manifest.descriptor().digest, signature)).collect();
    let signatures: Vec<NotarySignature> = signatures.into_values().collect();
    let manifests = distinct.iter().flat_map(|closure| closure.manifests.values());
    check_amount(&signatures, manifests, std::iter::empty(), limits)?;
    let memo = Memo::new(limits);
    let files: BTreeSet<usize> = subject
        .roots
        .iter()
        .zip(closures.places())
        .filter(|(root, _)| root.reference.as_ref().is_some_and(file::is_file))
        .map(|(_, place)| *place)
        .collect();
    let numbered: Vec<_> = distinct.iter().enumerate().collect();
    let dossiers = try_map_in_parallel(&numbered, |(place, closure)| {
        let signatures = read_signatures(subject.store, closure, limits, &memo)?;
        let own = || signatures.get(&closure.root.digest);
        let file = files.contains(place).then(|| file::signed(subject.store, closure, own())).transpose()?;
        Ok::<_, VerifyError>(Dossier { closure, signatures, file })
    })?;
    let mut cases: Vec<Case<'_>> = dossiers.iter().map(|dossier| Case { dossier, names: Vec::new() }).collect();
    for (place, (root, own)) in subject.roots.iter().zip(closures.places()).enumerate() {
        let missing = || ClosureError::RootMissing { digest: root.descriptor.digest };
        let case = cases.get_mut(*own).ok_or_else(missing)?;
        case.names.push(Name { root, scope: scope_of(root, judging)?, place });
    }
    check_judgements(&cases, limits)?;
    let evidence = gather_evidence(subject.store, &dossiers, judging, limits, &memo)?;
    let terms = judging.terms(&evidence, &judging.user_metadata, limits);
    let mut claims = Claims::new();
    for (blob, claim) in dossiers.iter().filter_map(|dossier| dossier.file.as_ref()).flat_map(|file| &file.claims) {
        claims.entry(*blob).or_default().insert(*claim);
    }
    let judged = map_in_parallel(&cases, |case| case.judge(judging, &terms, &memo));
    if !memo.tries().is_exceeded() {
        return Ok((in_order(judged), claims));
    }
    // What was tried before the account was empty depended on the threads; one after the other it depends on the bundle.
    let memo = memo.with_new_account(limits);
    Ok((in_order(cases.iter().map(|case| case.judge(judging, &terms, &memo)).collect()), claims))
}

/// What was judged artifact by artifact, in the order of the roots.
fn in_order(judged: Vec<Vec<(usize, VerifiedRoot)>>) -> Vec<VerifiedRoot> {
    let mut roots: Vec<(usize, VerifiedRoot)> = judged.into_iter().flatten().collect();
    roots.sort_by_key(|(place, _)| *place);
    roots.into_iter().map(|(_, root)| root).collect()
}

/// Each name has a judgement of its own, with all that is found, and the report tells every one.
fn check_judgements(cases: &[Case<'_>], limits: &Limits) -> Result<(), SignatureFlood> {
    let each = |case: &Case<'_>| {
        let signatures = case.dossier.signatures.values().map(Vec::len).fold(0, usize::saturating_add);
        signatures.saturating_mul(case.names.len())
    };
    let found = cases.iter().map(each).fold(0, usize::saturating_add);
    let limit = limits.all_signatures;
    if found > limit { Err(SignatureFlood::TooOften { found, limit }) } else { Ok(()) }
}

fn read_signatures(
    store: &dyn ContentStore,
    closure: &Closure,
    limits: &Limits,
    memo: &Memo,
) -> Result<BTreeMap<Digest, Vec<FoundSignature>>, VerifyError> {
    let mut by_subject: BTreeMap<Digest, Vec<FoundSignature>> = BTreeMap::new();
    for signature in closure.notary_signatures() {
        let manifest = &signature.manifest;
        let found = read_signature(manifest, limits, memo.pool(), |layer| {
            fetch_blob(store, layer, limits.envelope_bytes, &manifest.descriptor().digest)
        })?;
        by_subject.entry(found.subject.digest).or_default().push(found);
    }
    Ok(by_subject)
}

fn gather_evidence(
    store: &dyn ContentStore,
    dossiers: &[Dossier<'_>],
    judging: &Judging<'_>,
    limits: &Limits,
    memo: &Memo,
) -> Result<CarriedEvidence, VerifyError> {
    let manifests = dossiers.iter().flat_map(|dossier| dossier.closure.manifests.values());
    let mut evidence = carried_evidence(manifests, limits, memo.pool(), |layer, manifest, most| {
        fetch_blob(store, layer, most, &manifest.descriptor().digest)
    })?;
    for crl in judging.supplied {
        evidence.insert(crl.clone());
    }
    if judging.live.is_some() {
        let signatures = dossiers.iter().flat_map(|dossier| dossier.signatures.values().flatten());
        fetch_missing(signatures, judging.live, judging.at, &mut evidence, limits, memo);
    }
    Ok(evidence)
}

impl Case<'_> {
    /// Judges the artifact under each of its names, which may be of either kind: a file's, or another artifact's.
    fn judge(&self, judging: &Judging<'_>, terms: &Terms<'_>, memo: &Memo) -> Vec<(usize, VerifiedRoot)> {
        let is_file = |name: &&Name<'_>| name.root.reference.as_ref().is_some_and(file::is_file);
        let (mut files, mut others): (Vec<&Name<'_>>, Vec<&Name<'_>>) = self.names.iter().partition(is_file);
        let mut judged = match &self.dossier.file {
            Some(file) => judge_file(file, &files, judging, terms, memo),
            None => {
                others.append(&mut files);
                Vec::new()
            }
        };
        judged.extend(self.judge_manifests(&others, judging, terms, memo));
        judged
    }

    /// Judges the root, and every other signed manifest of its closure under the same scopes.
    fn judge_manifests(
        &self,
        names: &[&Name<'_>],
        judging: &Judging<'_>,
        terms: &Terms<'_>,
        memo: &Memo,
    ) -> Vec<(usize, VerifiedRoot)> {
        let Some(Name { root: RootToVerify { descriptor, .. }, .. }) = names.first() else { return Vec::new() };
        let Dossier { closure, signatures, .. } = self.dossier;
        let scopes = scopes(names);
        let evaluate = |artifact: &Descriptor, signatures: &[FoundSignature]| {
            evaluate_names(artifact, &scopes, signatures, &judging.trust.policy, terms, memo)
        };
        let all = signatures.get(&descriptor.digest).map(Vec::as_slice).unwrap_or_default();
        let (own, unjudged) = judged_of(all, terms);
        let mut judged = verified(names, evaluate(descriptor, own), unjudged);
        for (subject, signatures) in signatures.iter().filter(|(subject, _)| **subject != descriptor.digest) {
            let Some(manifest) = closure.manifests.get(subject) else { continue };
            let outcomes = evaluate(&manifest.descriptor().bare(), signatures);
            judged.iter_mut().zip(outcomes).for_each(|((_, root), outcome)| root.parts.push(outcome));
        }
        judged
    }
}

fn judge_file(
    file: &SignedFile,
    names: &[&Name<'_>],
    judging: &Judging<'_>,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Vec<(usize, VerifiedRoot)> {
    let Some(Name { root: RootToVerify { descriptor, .. }, .. }) = names.first() else { return Vec::new() };
    let (signed, unjudged) = judged_of(&file.signatures, terms);
    let outcomes = evaluate_file(descriptor, &scopes(names), signed, judging.trust.files.as_ref(), terms, memo);
    verified(names, outcomes, unjudged)
}

fn scopes<'a>(names: &[&'a Name<'_>]) -> Vec<&'a Repository> {
    names.iter().map(|name| &name.scope).collect()
}

/// The signatures that are judged, and how many are not.
fn judged_of<'a, T>(all: &'a [T], terms: &Terms<'_>) -> (&'a [T], usize) {
    let judged = all.get(..terms.limits.judged_signatures).unwrap_or(all);
    (judged, all.len().saturating_sub(judged.len()))
}

/// Each name with its outcome.
fn verified(names: &[&Name<'_>], outcomes: Vec<ArtifactOutcome>, unjudged: usize) -> Vec<(usize, VerifiedRoot)> {
    let root = |(name, outcome): (&&Name<'_>, ArtifactOutcome)| {
        let root = VerifiedRoot { root: name.root.clone(), outcome: Some(outcome), parts: Vec::new(), unjudged };
        (name.place, root)
    };
    names.iter().zip(outcomes).map(root).collect()
}

/// Fetches what nothing that is carried answers. A failure here leaves the gap, and judging finds it undetermined.
pub(super) fn fetch_missing<'s>(
    signatures: impl Iterator<Item = &'s FoundSignature>,
    live: Option<&dyn LiveEvidence>,
    at: UnixTime,
    evidence: &mut CarriedEvidence,
    limits: &Limits,
    memo: &Memo,
) {
    let sources = Sources { supplied: &[], live };
    let mut gatherer = Gatherer::new(&sources, CarriedEvidence::default(), limits);
    let clocks = Clocks { verification: at, signing: None };
    for envelope in signatures.filter_map(|found| found.envelope.as_ref().ok()) {
        for need in plan_with(envelope, evidence, limits, memo.pool()).needs {
            if is_answered(&need, evidence, clocks, limits.evidence_tries) {
                continue;
            }
            for named in gatherer.gather(&need).found {
                match named.piece {
                    Piece::Crl(crl) => evidence.insert(crl),
                    Piece::Ocsp(response) => evidence.insert_ocsp(&response),
                }
            }
        }
    }
}

/// Whether something at hand is current, so that nobody need be asked. What needs a second piece of evidence beside it (a
/// delta CRL, a responder's CRL) is left to gathering.
fn is_answered(need: &EvidenceNeed, evidence: &CarriedEvidence, clocks: Clocks, most: usize) -> bool {
    let by_crl = evidence.bases_for(&need.certificate, most).pieces.into_iter().any(|crl| {
        let fits = need.issuer.as_ref().is_none_or(|issuer| evidence::accept(crl, issuer, &need.certificate).is_ok());
        let whole = crl.freshest_urls().is_empty() && need.delta_urls.is_empty();
        fits && whole && Freshness::Current.check(crl, clocks).is_ok()
    });
    let by_ocsp = need.issuer.as_ref().is_some_and(|issuer| {
        evidence.responses_for(&need.certificate, issuer, most).pieces.into_iter().any(|response| {
            response.verify(&need.certificate, issuer).is_ok_and(|found| {
                let final_word = found.responder().to_check().is_none() && found.status() != OcspStatus::Unknown;
                final_word && Freshness::Current.check_ocsp(&found, clocks).is_ok()
            })
        })
    });
    by_crl || by_ocsp
}

/// Why verification could not be carried through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The store fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Content is missing, or does not fit together.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// There is no repository to judge under.
    #[error("the artifact {digest} has no name, so no statement of the trust policy can be chosen for it")]
    Nameless {
        /// The artifact.
        digest: Digest,
    },
    /// A bundle holds something that no artifact leads to.
    #[error("the bundle lists {digest}, which belongs to none of its artifacts")]
    Stray {
        /// The content.
        digest: Digest,
    },
    /// More signatures, or more revocation data, than one artifact may have.
    #[error(transparent)]
    Flood(#[from] SignatureFlood),
}

impl Diagnostic for VerifyError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Closure(error) => error.code(),
            Self::Nameless { .. } => DiagnosticCode::NameMissing,
            Self::Stray { .. } => DiagnosticCode::BundleManifestInvalid,
            Self::Flood(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::Nameless { .. } => Some("say under which repository to judge it".into()),
            Self::Stray { .. } => Some("somebody may have added it; export the artifacts again".into()),
            Self::Flood(error) => error.hint(),
        }
    }
}
