//! Inspection: what is there, without judging and without claiming trust. Reads manifests, envelopes and
//! evidence, no layers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::closure::{Closure, ClosureError, Referrer, WalkOptions, walk};
use super::progress::{Progress, Stage};
use super::signatures::{fetch_blob, read_signature};
use super::verify::RootToVerify;
use crate::archive::names;
use crate::digest::Digest;
use crate::evidence::evidence_layers;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest, Tag};
use crate::parallel::try_map_in_parallel;
use crate::pki::{CertificatePool, Crl, OcspResponse};
use crate::store::{ContentStore, StoreError};
use crate::time::UnixTime;
use crate::tsp::TimestampToken;
use crate::verification::{EvidenceKind, Failure, SignatureFacts};

/// Everything that belongs to one root.
#[derive(Debug)]
pub struct InspectedRoot {
    /// The root.
    pub root: RootToVerify,
    /// Its manifest and all that hangs below it.
    pub node: Node,
    /// Manifests and blobs, each once.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A manifest, with what it contains and what refers to it.
#[derive(Debug)]
pub struct Node {
    /// As the parent mentions it: with platform, or artifact type.
    pub descriptor: Descriptor,
    /// Whether it is carried; a child that was left out is not.
    pub carried: bool,
    /// The tag through which it was found, for cosign's digest tags.
    pub tag: Option<Tag>,
    /// Bytes of its configuration and layers.
    pub content_bytes: u64,
    /// What it is beyond a manifest.
    pub detail: Detail,
    /// Children of an index.
    pub children: Vec<Node>,
    /// What refers to it.
    pub referrers: Vec<Node>,
}

/// What a manifest is.
#[derive(Debug)]
pub enum Detail {
    /// An image, an index or an artifact that bulla does not look into.
    Plain,
    /// A Notary Project signature, and what it says of itself.
    Signature(Box<SignatureClaims>),
    /// Evidence for a signature.
    Evidence(Vec<EvidenceFacts>),
}

/// What a signature says of itself.
#[derive(Debug)]
pub struct SignatureClaims {
    /// Signer, key and times, unverified.
    pub facts: SignatureFacts,
    /// Why it cannot be read, if it cannot.
    pub unreadable: Option<Failure>,
    /// Its timestamp, unverified.
    pub timestamp: Option<Result<TimestampClaims, Failure>>,
}

/// What a timestamp token says of itself.
#[derive(Debug)]
pub struct TimestampClaims {
    /// When the authority saw the signature.
    pub gen_time: UnixTime,
    /// The authority, where the token brings its certificate.
    pub authority: Option<String>,
}

/// What a CRL or an OCSP response says of itself.
#[derive(Debug)]
pub struct EvidenceFacts {
    /// The blob.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Where certificates say that it is.
    pub urls: Vec<String>,
    /// What it says of itself, or why it cannot be read: once, however many signatures it serves.
    pub content: Arc<EvidenceContent>,
}

/// What evidence says of itself, or why it cannot be read. The evidence is not kept: there may be any amount of it.
#[derive(Debug)]
pub enum EvidenceContent {
    /// A CRL
    Crl(Result<CrlClaims, Failure>),
    /// An OCSP response
    Ocsp(Result<OcspClaims, Failure>),
}

/// What a CRL says of itself.
#[derive(Debug)]
pub struct CrlClaims {
    /// Who issued it.
    pub issuer: String,
    /// When.
    pub this_update: UnixTime,
    /// Until when it is current.
    pub next_update: Option<UnixTime>,
    /// How many certificates it lists.
    pub entries: u64,
    /// Of a delta CRL: the number of the oldest base that it continues, in hexadecimal.
    pub base_number: Option<String>,
}

/// What an OCSP response says of itself.
#[derive(Debug)]
pub struct OcspClaims {
    /// The responder's name, or `key` and the SHA-1 of its key.
    pub responder: String,
    /// The serial numbers that it speaks of, in hexadecimal.
    pub serials: Vec<String>,
    /// When it was signed.
    pub produced_at: UnixTime,
    /// As of when its answer holds.
    pub this_update: UnixTime,
    /// Until when it is current.
    pub next_update: Option<UnixTime>,
}

impl CrlClaims {
    fn of(crl: &Crl) -> Self {
        Self {
            issuer: crl.issuer().to_string(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            entries: u64::try_from(crl.entry_count()).unwrap_or(u64::MAX),
            base_number: crl.base_crl_number().map(ToString::to_string),
        }
    }
}

impl OcspClaims {
    fn of(response: &OcspResponse) -> Self {
        let (this_update, next_update) = response.period();
        Self {
            responder: response.responder(),
            serials: response.serials().map(ToString::to_string).collect(),
            produced_at: response.produced_at(),
            this_update,
            next_update,
        }
    }
}

/// Inspects the roots.
///
/// # Errors
/// Content is missing or damaged, or the store fails.
pub fn inspect(
    store: &dyn ContentStore,
    roots: &[RootToVerify],
    omitted: &BTreeSet<Digest>,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Vec<InspectedRoot>, InspectError> {
    progress.stage(Stage::Discovering, None);
    let options = WalkOptions { known_omitted: omitted.clone(), ..WalkOptions::default() };
    let shared = Shared::default();
    try_map_in_parallel(roots, |root| {
        let closure = walk(store, &root.descriptor, &options, limits, progress)?;
        let manifests = closure.manifests.values().map(|manifest| manifest.descriptor());
        let (count, bytes) = manifests
            .chain(closure.blobs.values())
            .fold((0_u64, 0_u64), |(count, bytes), found| (count.saturating_add(1), bytes.saturating_add(found.size)));
        let signatures = closure.notary_signatures();
        let signatures = signatures.iter().map(|signature| signature.manifest.descriptor().digest).collect();
        let mut referrers: BTreeMap<Digest, Vec<&Referrer>> = BTreeMap::new();
        for referrer in &closure.referrers {
            referrers.entry(referrer.subject).or_default().push(referrer);
        }
        let mut inspector = Inspector { store, closure: &closure, signatures, referrers, limits, shared: &shared };
        let node = inspector.node(&root.descriptor, None, 0)?;
        Ok(InspectedRoot { root: root.clone(), node, count, bytes })
    })
}

/// What several roots bring along, read once: a CRL may be large, and every signature hangs on the same one.
#[derive(Default)]
struct Shared {
    pool: CertificatePool,
    evidence: Mutex<BTreeMap<(Digest, EvidenceKind), Arc<EvidenceContent>>>,
    /// How many nodes all trees have.
    nodes: AtomicUsize,
}

impl Shared {
    fn known(&self, key: &(Digest, EvidenceKind)) -> Option<Arc<EvidenceContent>> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: (Digest, EvidenceKind), content: &Arc<EvidenceContent>) {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(content));
    }
}

struct Inspector<'a> {
    store: &'a dyn ContentStore,
    closure: &'a Closure,
    signatures: BTreeSet<Digest>,
    /// By subject.
    referrers: BTreeMap<Digest, Vec<&'a Referrer>>,
    limits: &'a Limits,
    shared: &'a Shared,
}

impl Inspector<'_> {
    /// The walk has bounded what there is; the bounds here are for what several parents share, which a tree repeats.
    fn node(&mut self, mention: &Descriptor, tag: Option<&Tag>, depth: usize) -> Result<Node, InspectError> {
        let mut node = Node {
            descriptor: mention.clone(),
            carried: false,
            tag: tag.cloned(),
            content_bytes: 0,
            detail: Detail::Plain,
            children: Vec::new(),
            referrers: Vec::new(),
        };
        let closure = self.closure;
        let seen = self.shared.nodes.fetch_add(1, Ordering::Relaxed);
        if depth > self.limits.depth.saturating_mul(2) || seen >= self.limits.manifests {
            return Err(InspectError::TooDeep { digest: mention.digest, limit: self.limits.depth });
        }
        let Some(manifest) = closure.manifests.get(&mention.digest) else { return Ok(node) };
        node.carried = true;
        node.descriptor.media_type = manifest.media_type().clone();
        node.descriptor.artifact_type = manifest.artifact_type().cloned();
        node.content_bytes = manifest.blobs().map(|blob| blob.size).fold(0, u64::saturating_add);
        node.detail = self.detail(manifest)?;
        for child in manifest.manifests() {
            node.children.push(self.node(child, None, depth.saturating_add(1))?);
        }
        for referrer in self.referrers.get(&mention.digest).cloned().unwrap_or_default() {
            let below = self.node(&referrer.descriptor, referrer.tag.as_ref(), depth.saturating_add(1))?;
            node.referrers.push(below);
        }
        Ok(node)
    }

    fn detail(&self, manifest: &Manifest) -> Result<Detail, InspectError> {
        if self.signatures.contains(&manifest.descriptor().digest) {
            return Ok(Detail::Signature(Box::new(self.signature(manifest)?)));
        }
        if manifest.artifact_type().is_some_and(|found| *found == names::EVIDENCE) {
            let layers = evidence_layers(manifest).map(|layer| self.evidence(manifest, layer));
            return layers.collect::<Result<_, _>>().map(Detail::Evidence);
        }
        Ok(Detail::Plain)
    }

    fn signature(&self, manifest: &Manifest) -> Result<SignatureClaims, InspectError> {
        let found = read_signature(manifest, self.limits, &self.shared.pool, |layer| {
            fetch_blob(self.store, layer, self.limits.envelope_bytes, &manifest.descriptor().digest)
        })?;
        let token = found.envelope.as_ref().ok().and_then(|envelope| envelope.timestamp());
        let timestamp = token.map(|token| {
            let token = TimestampToken::read(token, self.limits, &self.shared.pool).map_err(Failure::from)?;
            let authority = token.signer().ok().map(|signer| signer.subject().to_string());
            Ok(TimestampClaims { gen_time: token.info().gen_time, authority })
        });
        let facts = SignatureFacts::claims(&found);
        Ok(SignatureClaims { facts, unreadable: found.envelope.err(), timestamp })
    }

    fn evidence(&self, manifest: &Manifest, layer: &Descriptor) -> Result<EvidenceFacts, InspectError> {
        let urls = layer.annotations.get(names::EVIDENCE_URL);
        Ok(EvidenceFacts {
            digest: layer.digest,
            size: layer.size,
            urls: urls.map(|urls| urls.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
            content: self.content(manifest, layer)?,
        })
    }

    fn content(&self, manifest: &Manifest, layer: &Descriptor) -> Result<Arc<EvidenceContent>, InspectError> {
        let kind = if layer.media_type == names::OCSP { EvidenceKind::Ocsp } else { EvidenceKind::Crl };
        if let Some(known) = self.shared.known(&(layer.digest, kind)) {
            return Ok(known);
        }
        let bytes = fetch_blob(self.store, layer, self.limits.crl_bytes, &manifest.descriptor().digest)?;
        let content = if kind == EvidenceKind::Ocsp {
            let response = OcspResponse::read(bytes, self.limits, &self.shared.pool);
            EvidenceContent::Ocsp(response.map(|response| OcspClaims::of(&response)).map_err(Failure::from))
        } else {
            EvidenceContent::Crl(Crl::from_der(bytes).map(|crl| CrlClaims::of(&crl)).map_err(Failure::from))
        };
        let content = Arc::new(content);
        self.shared.keep((layer.digest, kind), &content);
        Ok(content)
    }
}

/// Why something could not be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The store fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Content is missing, or does not fit together.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// Manifests nest deeper, or share more, than anything honest.
    #[error("the tree at {digest} is deeper than {limit} levels, or repeats itself too often")]
    TooDeep {
        /// The manifest.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
}

impl crate::code::Diagnostic for InspectError {
    fn code(&self) -> crate::code::DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Closure(error) => error.code(),
            Self::TooDeep { .. } => crate::code::DiagnosticCode::ClosureTooDeep,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::TooDeep { .. } => None,
        }
    }
}
