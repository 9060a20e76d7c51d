//! Building paths over whatever certificates are at hand: unordered, cross-signed, renewed, looping (RFC 4158).

use std::collections::HashMap;

use super::PathError;
use super::extensions::check_issuer;
use super::state::check_validity;
use crate::digest::Digest;
use crate::limits::Budget;
use crate::pki::chain::{place, shown};
use crate::pki::name::CanonicalRdn;
use crate::pki::tlv::{Cursor, only, primitive};
use crate::pki::{Certificate, SignatureError, WeakHashes};
use crate::time::UnixTime;

use der::Tag;
use der::asn1::ObjectIdentifier;

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// What a search may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Signatures of certificates that may be checked.
    pub(crate) signatures: usize,
    /// Times that a path may be made longer by one.
    pub(crate) steps: usize,
    /// Paths that lead to an anchor and may be judged.
    pub(crate) paths: usize,
    /// Certificates in one path.
    pub(crate) depth: usize,
}

/// A public-key operation: the signature on something, checked under somebody's key. The same one is not done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureCheck {
    /// SHA-256 of what is signed: a certificate, a CRL, an OCSP response.
    pub signed: Digest,
    /// SHA-256 of the certificate with the key.
    pub signer: Digest,
}

/// Certificates of which each is signed by the key of the next, whose subject it names as its issuer; the last is an
/// anchor. Only [`Pool::search`] makes one.
pub(crate) struct LinkedPath {
    leaf: Certificate,
    /// The leaf and all that lie above it.
    all: Vec<Certificate>,
}

impl LinkedPath {
    /// Leaf first, the anchor last.
    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.all
    }

    pub(super) fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    pub(super) fn anchor(&self) -> &Certificate {
        self.all.last().unwrap_or(&self.leaf)
    }

    /// 0 where the leaf is the anchor.
    pub(super) fn anchor_position(&self) -> usize {
        self.all.len().saturating_sub(1)
    }

    /// With their positions, leaf first.
    pub(super) fn below_anchor(&self) -> impl DoubleEndedIterator<Item = (usize, &Certificate)> {
        self.all.iter().take(self.anchor_position()).enumerate()
    }
}

/// What is compared of a certificate again and again.
struct Entry {
    certificate: Certificate,
    subject: Vec<CanonicalRdn>,
    issuer: Vec<CanonicalRdn>,
    key_identifier: Option<Vec<u8>>,
    authority_identifier: Option<Vec<u8>>,
    is_anchor: bool,
}

/// All certificates at hand, and what was found out about them.
pub(crate) struct Pool {
    entries: Vec<Entry>,
    by_subject: HashMap<Vec<CanonicalRdn>, Vec<usize>>,
    /// Whether the second signed the first.
    signatures: HashMap<(usize, usize), Result<(), SignatureError>>,
    weak: WeakHashes,
    at: UnixTime,
    depth: usize,
    signature_budget: Budget,
    step_budget: Budget,
    path_budget: Budget,
    is_exhausted: bool,
}

/// Which anchors a path may end at.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndsAt<'a> {
    AnyAnchor,
    This(&'a Certificate),
}

impl Pool {
    pub(crate) fn new(
        anchors: &[Certificate],
        others: &[Certificate],
        weak: WeakHashes,
        at: UnixTime,
        bounds: Bounds,
    ) -> Self {
        let entry = |certificate: &Certificate, is_anchor| Entry {
            certificate: certificate.clone(),
            subject: certificate.subject().canonical(),
            issuer: certificate.issuer().canonical(),
            key_identifier: key_identifier(certificate),
            authority_identifier: authority_identifier(certificate),
            is_anchor,
        };
        let anchors = anchors.iter().map(|anchor| entry(anchor, true));
        let entries: Vec<Entry> = anchors.chain(others.iter().map(|other| entry(other, false))).collect();
        let mut by_subject: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            by_subject.entry(entry.subject.clone()).or_default().push(index);
        }
        Self {
            entries,
            by_subject,
            signatures: HashMap::new(),
            weak,
            at,
            depth: bounds.depth,
            signature_budget: Budget::new(bounds.signatures),
            step_budget: Budget::new(bounds.steps),
            path_budget: Budget::new(bounds.paths),
            is_exhausted: false,
        }
    }

    /// Takes in a certificate that may be a leaf; its place.
    pub(super) fn add(&mut self, certificate: &Certificate) -> usize {
        if let Some(known) = self.entries.iter().position(|entry| entry.certificate == *certificate) {
            return known;
        }
        let (subject, issuer) = (certificate.subject().canonical(), certificate.issuer().canonical());
        let index = self.entries.len();
        self.by_subject.entry(subject.clone()).or_default().push(index);
        self.entries.push(Entry {
            certificate: certificate.clone(),
            subject,
            issuer,
            key_identifier: key_identifier(certificate),
            authority_identifier: authority_identifier(certificate),
            is_anchor: false,
        });
        index
    }

    /// All certificates of a name.
    pub(super) fn named(&self, name: &crate::pki::Name) -> Vec<Certificate> {
        let found = self.by_subject.get(&name.canonical()).map(Vec::as_slice).unwrap_or_default();
        found.iter().filter_map(|index| self.entries.get(*index)).map(|entry| entry.certificate.clone()).collect()
    }

    /// Tries paths from `leaf` to an anchor, depth first, until `judge` accepts one.
    ///
    /// # Errors
    /// Of all paths that were tried, the failure that came furthest, the first among equals.
    pub(crate) fn search<T>(
        &mut self,
        leaf: &Certificate,
        judge: &mut dyn FnMut(&mut Self, &LinkedPath) -> Result<T, PathError>,
    ) -> Result<T, PathError> {
        self.search_to(leaf, EndsAt::AnyAnchor, judge)
    }

    pub(super) fn search_to<T>(
        &mut self,
        leaf: &Certificate,
        ends: EndsAt<'_>,
        judge: &mut dyn FnMut(&mut Self, &LinkedPath) -> Result<T, PathError>,
    ) -> Result<T, PathError> {
        let mut search = Search { path: vec![self.add(leaf)], ends, failure: None, judge };
        if let Some(found) = search.extend(self) {
            return Ok(found);
        }
        let failure = search.failure;
        match failure {
            _ if self.is_exhausted => Err(PathError::TooManyPaths { subject: shown(leaf.subject()) }),
            Some(failure) => Err(failure),
            None => Err(no_path(leaf, leaf)),
        }
    }

    /// The signatures that were checked so far, each once.
    pub(crate) fn checks(&self) -> impl Iterator<Item = SignatureCheck> {
        self.signatures.keys().filter_map(|(below, above)| {
            let fingerprint = |index: &usize| Some(self.entry(*index)?.certificate.fingerprint());
            Some(SignatureCheck { signed: fingerprint(below)?, signer: fingerprint(above)? })
        })
    }

    fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// Whether `issuer` signed `certificate`, asked once; `None` when the budget is spent.
    fn signed_by(&mut self, certificate: usize, issuer: usize) -> Option<Result<(), SignatureError>> {
        if let Some(known) = self.signatures.get(&(certificate, issuer)) {
            return Some(known.clone());
        }
        if !self.signature_budget.spend() {
            self.is_exhausted = true;
            return None;
        }
        let (below, above) = (self.entry(certificate)?, self.entry(issuer)?);
        let outcome = below.certificate.verify_signed_by_with(&above.certificate, self.weak);
        self.signatures.insert((certificate, issuer), outcome.clone());
        Some(outcome)
    }

    /// Who may have issued a certificate, the likeliest first: anchors, the key that it names, those valid at the time,
    /// the newest (RFC 4158 §3.5).
    fn issuers_of(&self, certificate: usize) -> Vec<usize> {
        let Some(below) = self.entry(certificate) else { return Vec::new() };
        let mut found: Vec<(_, usize)> = Vec::new();
        for index in self.by_subject.get(&below.issuer).into_iter().flatten() {
            let Some(above) = self.entry(*index).filter(|_| *index != certificate) else { continue };
            let names_other_key = match (&below.authority_identifier, &above.key_identifier) {
                (Some(wanted), Some(key)) => wanted != key,
                _ => false,
            };
            let validity = above.certificate.validity();
            let order = (
                !above.is_anchor,
                names_other_key,
                !validity.contains(self.at),
                std::cmp::Reverse(validity.not_after),
                *index,
            );
            found.push((order, *index));
        }
        found.sort();
        found.into_iter().map(|(_, index)| index).collect()
    }
}

fn no_path(leaf: &Certificate, last: &Certificate) -> PathError {
    PathError::NoPath { subject: shown(leaf.subject()), last: shown(last.subject()), issuer: shown(last.issuer()) }
}

struct Search<'a, 'j, T> {
    /// Places in the pool, leaf first.
    path: Vec<usize>,
    ends: EndsAt<'a>,
    failure: Option<PathError>,
    judge: &'j mut dyn FnMut(&mut Pool, &LinkedPath) -> Result<T, PathError>,
}

impl<T> Search<'_, '_, T> {
    /// Tries the path and, depth first, everything that can be put behind it. As many calls deep as a path may be long.
    fn extend(&mut self, pool: &mut Pool) -> Option<T> {
        let current = *self.path.last()?;
        if !pool.step_budget.spend() {
            pool.is_exhausted = true;
            return None;
        }
        if self.is_end(pool, current)
            && let Some(path) = self.linked(pool)
        {
            if !pool.path_budget.spend() {
                pool.is_exhausted = true;
                return None;
            }
            match (self.judge)(pool, &path) {
                Ok(found) => return Some(found),
                Err(failure) => self.note(failure),
            }
        }
        if self.path.len() >= pool.depth {
            self.note(PathError::TooManyPaths { subject: self.leaf_name(pool) });
            return None;
        }
        let issuers = pool.issuers_of(current);
        if issuers.is_empty() {
            self.note_dead_end(pool, current);
        }
        for issuer in issuers {
            if let Some(found) = self.extend_by(pool, current, issuer) {
                return Some(found);
            }
            if pool.is_exhausted {
                return None;
            }
        }
        None
    }

    fn extend_by(&mut self, pool: &mut Pool, current: usize, issuer: usize) -> Option<T> {
        if self.would_loop(pool, issuer) {
            self.note_dead_end(pool, current);
            return None;
        }
        let position = self.path.len();
        if let Err(source) = pool.signed_by(current, issuer)? {
            let place = place(position.saturating_sub(1), &pool.entry(current)?.certificate);
            self.note(PathError::NotSignedBy { place, source });
            return None;
        }
        // What makes a certificate useless in any path ends this one early; an anchor is judged with its path.
        let above = pool.entry(issuer)?;
        let usable = if above.is_anchor {
            Ok(())
        } else {
            check_validity(&above.certificate, pool.at).and_then(|()| check_issuer(&above.certificate, position))
        };
        if let Err(failure) = usable {
            self.note(failure);
            return None;
        }
        self.path.push(issuer);
        let found = self.extend(pool);
        self.path.pop();
        found
    }

    /// A name with the same key a second time is a loop: whatever lies between could be left out (RFC 4158 §5.2). The leaf
    /// may have the key of an authority.
    fn would_loop(&self, pool: &Pool, issuer: usize) -> bool {
        let Some(new) = pool.entry(issuer) else { return true };
        let is_same = |index: &usize| {
            pool.entry(*index).is_some_and(|known| {
                known.subject == new.subject
                    && known.certificate.public_key().bits() == new.certificate.public_key().bits()
            })
        };
        self.path.contains(&issuer) || self.path.iter().skip(1).any(is_same)
    }

    fn is_end(&self, pool: &Pool, index: usize) -> bool {
        pool.entry(index).is_some_and(|entry| match self.ends {
            EndsAt::AnyAnchor => entry.is_anchor,
            EndsAt::This(anchor) => entry.is_anchor && entry.certificate == *anchor,
        })
    }

    fn linked(&self, pool: &Pool) -> Option<LinkedPath> {
        let all: Option<Vec<Certificate>> =
            self.path.iter().map(|index| pool.entry(*index).map(|entry| entry.certificate.clone())).collect();
        let all = all?;
        Some(LinkedPath { leaf: all.first()?.clone(), all })
    }

    fn leaf_name(&self, pool: &Pool) -> String {
        let leaf = self.path.first().and_then(|index| pool.entry(*index));
        leaf.map(|entry| shown(entry.certificate.subject())).unwrap_or_default()
    }

    fn note_dead_end(&mut self, pool: &Pool, last: usize) {
        let leaf = self.path.first().and_then(|index| pool.entry(*index));
        if let (Some(leaf), Some(last)) = (leaf, pool.entry(last)) {
            self.note(no_path(&leaf.certificate, &last.certificate));
        }
    }

    /// Keeps the failure that came furthest, the first among equals.
    fn note(&mut self, failure: PathError) {
        if self.failure.as_ref().is_none_or(|known| failure.reach() > known.reach()) {
            self.failure = Some(failure);
        }
    }
}

/// The content of subjectKeyIdentifier: a hint for the order of the search, so that a malformed one is no error here.
fn key_identifier(certificate: &Certificate) -> Option<Vec<u8>> {
    let value = &certificate.extension(SUBJECT_KEY_IDENTIFIER)?.value;
    only(value, Tag::OctetString).ok().map(|octets| octets.value.to_vec())
}

/// `AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] OPTIONAL, … }`
fn authority_identifier(certificate: &Certificate) -> Option<Vec<u8>> {
    let value = &certificate.extension(AUTHORITY_KEY_IDENTIFIER)?.value;
    let mut fields = Cursor::new(only(value, Tag::Sequence).ok()?.value).ok()?;
    fields.optional(primitive(0)).ok()?.map(|octets| octets.value.to_vec())
}
