//! Handing carried evidence to other verifiers: CRLs as Notation's cache has them.

use std::collections::{BTreeMap, BTreeSet};

use super::closure::{ClosureError, WalkOptions, walk_each};
use super::progress::{Progress, Stage};
use super::signatures::{SignatureFlood, check_amount, fetch_blob};
use super::verify::RootToVerify;
use crate::archive::names;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::evidence_layers;
use crate::evidence::notation_cache::{CacheEntry, NotationCache, NotationCacheError, Overwrite, Stored, age, number};
use crate::limits::Limits;
use crate::pki::{Crl, CrlError};
use crate::store::{ContentStore, StoreError};

/// The CRLs that a target carries, and what of them is of no use.
#[derive(Debug, Default)]
pub struct CarriedCrls {
    /// By URL: what a certificate that names it needs.
    by_url: BTreeMap<String, Vec<Crl>>,
    left_out: BTreeMap<Digest, LeftOut>,
}

/// What became of the entry for one URL.
#[derive(Debug, Clone)]
pub struct ExportedCrl {
    /// The URL, as certificates name it.
    pub url: String,
    /// What is carried for it.
    pub entry: CacheEntry,
    /// Whether it was written.
    pub stored: Stored,
}

/// Everything that was done.
#[derive(Debug)]
pub struct EvidenceExport {
    /// The entries, by URL.
    pub entries: Vec<ExportedCrl>,
    /// Carried CRLs that could not be handed on, by digest.
    pub left_out: Vec<(Digest, LeftOut)>,
}

/// Why a carried CRL was not handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeftOut {
    /// It cannot be read.
    #[error("{0}")]
    NotACrl(CrlError),
    /// Nothing says which certificates it is for.
    #[error("the CRL of \"{issuer}\" is carried without the URL that certificates name")]
    NoUrl {
        /// The issuer.
        issuer: String,
    },
    /// Notation makes no use of such a CRL.
    #[error("the CRL of \"{issuer}\" does not say when the next one comes (nextUpdate), and Notation demands that")]
    NoNextUpdate {
        /// The issuer.
        issuer: String,
    },
    /// A delta CRL whose base is not carried.
    #[error("the CRL of \"{issuer}\" is a delta CRL, and no carried CRL that it belongs to names its URL")]
    DeltaAlone {
        /// The issuer.
        issuer: String,
    },
    /// Another CRL for the same URL.
    #[error("the CRL of \"{issuer}\" is carried for {url}, and so is one of \"{other}\": a URL has one issuer")]
    Disputed {
        /// The issuer.
        issuer: String,
        /// The URL.
        url: String,
        /// The other issuer.
        other: String,
    },
}

/// Finds the CRLs that the evidence referrers of `roots` carry.
///
/// # Errors
/// Content is missing or damaged, or the store fails. What is wrong with a CRL is noted and no error.
pub fn find_carried_crls(
    store: &dyn ContentStore,
    roots: &[RootToVerify],
    omitted: &BTreeSet<Digest>,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<CarriedCrls, EvidenceExportError> {
    progress.stage(Stage::Discovering, None);
    let options = WalkOptions { known_omitted: omitted.clone(), ..WalkOptions::default() };
    let mut found: BTreeMap<Digest, (Result<Crl, CrlError>, BTreeSet<String>)> = BTreeMap::new();
    let walked =
        walk_each(store, roots, |root| &root.descriptor, &options, limits, progress).map_err(|(_, error)| error)?;
    let manifests = || walked.distinct().iter().flat_map(|closure| closure.manifests.values());
    // All of it is held at once.
    check_amount(&[], manifests(), std::iter::empty(), limits)?;
    for closure in walked.distinct() {
        for manifest in closure.manifests.values() {
            for layer in evidence_layers(manifest).filter(|layer| layer.media_type == names::CRL) {
                let urls = layer.annotations.get(names::EVIDENCE_URL).map(String::as_str).unwrap_or_default();
                let urls = urls.split(' ').filter(|url| !url.is_empty()).map(str::to_owned);
                if let Some((_, known)) = found.get_mut(&layer.digest) {
                    known.extend(urls);
                    continue;
                }
                let bytes = fetch_blob(store, layer, limits.crl_bytes, &manifest.descriptor().digest)?;
                found.insert(layer.digest, (Crl::from_der(bytes), urls.collect()));
            }
        }
    }
    let mut carried = CarriedCrls::default();
    for (digest, (crl, urls)) in found {
        carried.sort_in(digest, crl, urls);
    }
    Ok(carried)
}

impl CarriedCrls {
    /// Whether nothing at all is carried.
    pub fn is_empty(&self) -> bool {
        self.by_url.is_empty() && self.left_out.is_empty()
    }

    fn sort_in(&mut self, digest: Digest, crl: Result<Crl, CrlError>, urls: BTreeSet<String>) {
        let crl = match crl {
            Ok(crl) => crl,
            Err(error) => {
                self.left_out.insert(digest, LeftOut::NotACrl(error));
                return;
            }
        };
        let issuer = crl.issuer().to_string();
        if urls.is_empty() {
            self.left_out.insert(digest, LeftOut::NoUrl { issuer });
        } else if crl.next_update().is_none() {
            self.left_out.insert(digest, LeftOut::NoNextUpdate { issuer });
        } else {
            for url in urls {
                self.by_url.entry(url).or_default().push(crl.clone());
            }
        }
    }

    /// Writes for every URL the newest CRL that is carried for it, together with the newest delta that brings that one
    /// up to date.
    ///
    /// # Errors
    /// The cache cannot be read or written.
    pub fn write_to(
        mut self,
        cache: &NotationCache,
        overwrite: Overwrite,
        limits: &Limits,
    ) -> Result<EvidenceExport, EvidenceExportError> {
        let by_url = std::mem::take(&mut self.by_url);
        let mut entries = Vec::new();
        let mut used_deltas = BTreeSet::new();
        for (url, crls) in &by_url {
            let Some(base) = self.choose(url, crls) else { continue };
            let delta = newest_delta(&base, &by_url);
            used_deltas.extend(delta.as_ref().map(Crl::digest));
            let entry = CacheEntry { base, delta };
            let stored = cache.store(url, &entry, overwrite, limits)?;
            entries.push(ExportedCrl { url: url.clone(), entry, stored });
        }
        for delta in by_url.values().flatten().filter(|crl| crl.is_delta() && !used_deltas.contains(&crl.digest())) {
            self.left_out.insert(delta.digest(), LeftOut::DeltaAlone { issuer: delta.issuer().to_string() });
        }
        Ok(EvidenceExport { entries, left_out: self.left_out.into_iter().collect() })
    }

    /// The newest complete CRL for a URL. Two issuers there mean that somebody is wrong, and nothing tells who.
    fn choose(&mut self, url: &str, crls: &[Crl]) -> Option<Crl> {
        let mut complete = crls.iter().filter(|crl| !crl.is_delta());
        let first = complete.clone().next()?;
        let Some(other) = complete.clone().find(|crl| crl.issuer() != first.issuer()) else {
            return complete.by_ref().max_by(|a, b| age(a).cmp(&age(b))).cloned();
        };
        for crl in complete {
            let against = if crl.issuer() == first.issuer() { other } else { first };
            let (issuer, other) = (crl.issuer().to_string(), against.issuer().to_string());
            self.left_out.insert(crl.digest(), LeftOut::Disputed { issuer, url: url.to_owned(), other });
        }
        None
    }
}

/// The newest delta that is carried under a URL of the base's freshestCRL and continues that base (conformance 10.25,
/// 10.26).
fn newest_delta(base: &Crl, by_url: &BTreeMap<String, Vec<Crl>>) -> Option<Crl> {
    let known = number(base.number())?;
    let continues = |delta: &&Crl| {
        delta.issuer() == base.issuer()
            && number(delta.base_crl_number()).is_some_and(|needed| needed <= known)
            && number(delta.number()).is_some_and(|number| number > known)
    };
    let carried = base.freshest_urls().iter().filter_map(|url| by_url.get(url)).flatten();
    carried.filter(continues).max_by(|a, b| age(a).cmp(&age(b))).cloned()
}

/// Why carried evidence could not be handed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceExportError {
    /// The store fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Content is missing, or does not fit together.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// More revocation data than is held in memory.
    #[error(transparent)]
    Flood(#[from] SignatureFlood),
    /// The cache cannot be read or written.
    #[error(transparent)]
    Cache(#[from] NotationCacheError),
}

impl Diagnostic for EvidenceExportError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Closure(error) => error.code(),
            Self::Flood(error) => error.code(),
            Self::Cache(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::Flood(error) => error.hint(),
            Self::Cache(error) => error.hint(),
        }
    }
}
