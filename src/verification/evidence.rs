//! Evidence that judging is given: CRLs, delta CRLs, OCSP responses and timestamp tokens, wherever they came from.
//!
//! Evidence may come from anybody, because an authority that the operator already trusts has signed it. So nothing
//! here depends on where it lay or under which URL it was fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::pki::{Certificate, Crl, CrlError, HashAlgorithm, OcspResponse, VerifiedCrl, VerifiedDelta, VerifiedOcsp};
use crate::time::UnixTime;
use crate::tsp::TimestampToken;

/// Evidence at hand: CRLs are found by their issuer's name, OCSP responses by serial number, timestamp tokens by what they
/// stamp.
#[derive(Debug, Clone, Default)]
pub struct CarriedEvidence {
    bases: BTreeMap<Vec<u8>, Vec<Crl>>,
    deltas: BTreeMap<Vec<u8>, Vec<Crl>>,
    responses: BTreeMap<Vec<u8>, Vec<OcspResponse>>,
    tokens: BTreeMap<Vec<u8>, Vec<TimestampToken>>,
}

impl CarriedEvidence {
    /// Adds a CRL; one that is there already changes nothing.
    pub fn insert(&mut self, crl: Crl) {
        let by_issuer = if crl.is_delta() { &mut self.deltas } else { &mut self.bases };
        let crls = by_issuer.entry(crl.issuer().der().to_vec()).or_default();
        // Newest first, then by digest: the order in which they came must not show.
        let digest = crl.digest();
        let order = |known: &Crl| crl.this_update().cmp(&known.this_update()).then_with(|| known.digest().cmp(&digest));
        if let Err(place) = crls.binary_search_by(order) {
            crls.insert(place, crl);
        }
    }

    /// Adds an OCSP response; one that is there already changes nothing.
    pub fn insert_ocsp(&mut self, response: &OcspResponse) {
        let digest = response.digest();
        let serials: BTreeSet<&[u8]> = response.serials().map(|serial| serial.as_bytes()).collect();
        for serial in serials {
            let responses = self.responses.entry(serial.to_vec()).or_default();
            let order = |known: &OcspResponse| {
                response.produced_at().cmp(&known.produced_at()).then_with(|| known.digest().cmp(&digest))
            };
            if let Err(place) = responses.binary_search_by(order) {
                responses.insert(place, response.clone());
            }
        }
    }

    /// Adds a timestamp token that is carried beside a signature; one that is there already changes nothing.
    pub fn insert_token(&mut self, token: TimestampToken) {
        let tokens = self.tokens.entry(token.info().imprint.clone()).or_default();
        // The oldest first: it stands the best chance to lie within the signer's validity.
        let key = |token: &TimestampToken| (token.info().gen_time, Digest::sha256(token.der()));
        let wanted = key(&token);
        if let Err(place) = tokens.binary_search_by(|known| key(known).cmp(&wanted)) {
            tokens.insert(place, token);
        }
    }

    /// The tokens over this signature value, oldest first.
    pub fn tokens(&self, signature: &[u8]) -> impl Iterator<Item = &TimestampToken> {
        HashAlgorithm::ALL.into_iter().flat_map(move |hash| {
            let found = if self.tokens.is_empty() { None } else { self.tokens.get(&hash.digest(signature)) };
            found.into_iter().flatten().filter(move |token| token.info().hash == hash)
        })
    }

    /// Adds everything that `other` holds.
    pub fn extend(&mut self, other: Self) {
        for crl in other.bases.into_values().chain(other.deltas.into_values()).flatten() {
            self.insert(crl);
        }
        for response in other.responses.values().flatten() {
            self.insert_ocsp(response);
        }
        for token in other.tokens.into_values().flatten() {
            self.insert_token(token);
        }
    }

    /// The complete CRLs that name the issuer of `certificate` as theirs, newest first.
    pub fn candidates(&self, certificate: &Certificate) -> &[Crl] {
        self.bases.get(certificate.issuer().der()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The delta CRLs that name the issuer of `certificate` as theirs, newest first.
    pub fn deltas(&self, certificate: &Certificate) -> &[Crl] {
        self.deltas.get(certificate.issuer().der()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The complete CRLs that may speak of `certificate` by what they say themselves, newest first, at most `most`.
    pub fn bases_for(&self, certificate: &Certificate, most: usize) -> InScope<'_, Crl> {
        InScope::of_crls(self.candidates(certificate), certificate, most)
    }

    /// The delta CRLs that may speak of `certificate` by what they say themselves, newest first, at most `most`.
    pub fn deltas_for(&self, certificate: &Certificate, most: usize) -> InScope<'_, Crl> {
        InScope::of_crls(self.deltas(certificate), certificate, most)
    }

    /// The OCSP responses that speak of `certificate` of `issuer`, newest first, at most `most`.
    pub fn responses_for(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        most: usize,
    ) -> InScope<'_, OcspResponse> {
        let found = self.responses.get(certificate.serial().as_bytes()).map(Vec::as_slice).unwrap_or_default();
        let speaks = |response: &OcspResponse| response.speaks_of(certificate, issuer).then_some(()).ok_or(None);
        InScope::of(found, EvidenceKind::Ocsp, most, speaks)
    }

    /// How many CRLs, OCSP responses and timestamp tokens there are.
    pub fn len(&self) -> usize {
        let crls: usize = self.bases.values().chain(self.deltas.values()).map(Vec::len).sum();
        let responses: BTreeSet<Digest> = self.responses.values().flatten().map(OcspResponse::digest).collect();
        let tokens: usize = self.tokens.values().map(Vec::len).sum();
        crls.saturating_add(responses.len()).saturating_add(tokens)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty() && self.deltas.is_empty() && self.responses.is_empty() && self.tokens.is_empty()
    }
}

/// Pieces of evidence that are looked at for one certificate before any signature is checked. Real ones are few: even an
/// authority that cuts its CRL into parts has some hundred.
const MOST_LOOKED_AT: usize = 1_000;

/// The evidence of one kind that is worth a signature check for one certificate.
#[derive(Debug)]
pub struct InScope<'a, T> {
    /// The pieces, newest first.
    pub pieces: Vec<&'a T>,
    /// Why others say nothing of the certificate, by their own word.
    pub out_of_scope: Vec<CrlError>,
    /// Why the list is not complete.
    pub flood: Option<EvidenceFlood>,
}

impl<'a> InScope<'a, Crl> {
    fn of_crls(crls: &'a [Crl], certificate: &Certificate, most: usize) -> Self {
        let kind = if crls.first().is_some_and(Crl::is_delta) { EvidenceKind::DeltaCrl } else { EvidenceKind::Crl };
        Self::of(crls, kind, most, |crl| crl.covers(certificate).map_err(Some))
    }
}

impl<'a, T> InScope<'a, T> {
    fn of(all: &'a [T], kind: EvidenceKind, limit: usize, scope: impl Fn(&T) -> Result<(), Option<CrlError>>) -> Self {
        let (mut pieces, mut out_of_scope) = (Vec::new(), Vec::new());
        let flood = Some(EvidenceFlood { kind, count: all.len(), limit });
        for (looked_at, piece) in all.iter().enumerate() {
            match scope(piece) {
                _ if looked_at >= MOST_LOOKED_AT => return Self { pieces, out_of_scope, flood },
                Ok(()) if pieces.len() >= limit => return Self { pieces, out_of_scope, flood },
                Ok(()) => pieces.push(piece),
                Err(error) => out_of_scope.extend(error),
            }
        }
        Self { pieces, out_of_scope, flood: None }
    }
}

/// More evidence than is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} pieces of evidence ({kind}) claim to speak of the certificate; {limit} are tried")]
pub struct EvidenceFlood {
    /// What kind it is.
    pub kind: EvidenceKind,
    /// How many there are.
    pub count: usize,
    /// How many are tried.
    pub limit: usize,
}

impl Diagnostic for EvidenceFlood {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::EvidenceFlood
    }

    fn hint(&self) -> Option<String> {
        Some(
            "somebody may have flooded the artifact with revocation data; export it again without what is stale".into(),
        )
    }
}

/// Checks that `crl` is one of `issuer` and speaks of `certificate`.
///
/// # Errors
/// Why it says nothing about the certificate.
pub fn accept(crl: &Crl, issuer: &Certificate, certificate: &Certificate) -> Result<VerifiedCrl, CrlError> {
    let verified = crl.verify(issuer)?;
    verified.covers(certificate)?;
    Ok(verified)
}

/// As [`accept`], for a delta CRL.
///
/// # Errors
/// Why it says nothing about the certificate.
pub fn accept_delta(crl: &Crl, issuer: &Certificate, certificate: &Certificate) -> Result<VerifiedDelta, CrlError> {
    let verified = crl.verify_delta(issuer)?;
    verified.covers(certificate)?;
    Ok(verified)
}

/// Kinds of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// A complete CRL
    Crl,
    /// A delta CRL
    DeltaCrl,
    /// An OCSP response
    Ocsp,
}

impl EvidenceKind {
    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crl => "crl",
            Self::DeltaCrl => "delta-crl",
            Self::Ocsp => "ocsp",
        }
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crl => "CRL",
            Self::DeltaCrl => "delta CRL",
            Self::Ocsp => "OCSP response",
        })
    }
}

/// A piece of evidence that a judgement rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceUse {
    /// The CRL or OCSP response.
    pub digest: Digest,
    /// What it is.
    pub kind: EvidenceKind,
    /// Its issuer; of an OCSP response, the responder.
    pub issuer: String,
    /// When it was issued; of an OCSP response, as of when its answer holds.
    pub this_update: UnixTime,
    /// Until when it is current.
    pub next_update: Option<UnixTime>,
    /// The certificate that it was asked about.
    pub certificate: String,
}

impl EvidenceUse {
    pub(super) fn of(crl: &Crl, certificate: &Certificate) -> Self {
        Self {
            digest: crl.digest(),
            kind: if crl.is_delta() { EvidenceKind::DeltaCrl } else { EvidenceKind::Crl },
            issuer: crl.issuer().to_string(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            certificate: certificate.subject().to_string(),
        }
    }

    pub(super) fn of_ocsp(found: &VerifiedOcsp, certificate: &Certificate) -> Self {
        Self {
            digest: found.response().digest(),
            kind: EvidenceKind::Ocsp,
            issuer: found.responder().certificate().subject().to_string(),
            this_update: found.this_update(),
            next_update: found.next_update(),
            certificate: certificate.subject().to_string(),
        }
    }
}
