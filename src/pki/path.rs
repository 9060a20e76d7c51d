//! Building the path of a timestamp authority (RFC 5280 §6.1, conformance 9.23).

use super::chain::{check_valid_at, place, shown};
use super::profile::check_nested_purpose;
use super::{Certificate, CertificateChain, ChainError, ConformingChain, Profile};
use crate::limits::{Budget, Limits};
use crate::time::UnixTime;

/// Signatures that one search may check. An honest token needs four.
const MOST_SIGNATURES: usize = 100;
/// Certificates in one path.
const MOST_DEPTH: usize = 10;

/// Extensions that may be critical: each is processed here or by the profile, or asks for nothing.
///
/// Policies are not asked for (RFC 5280's initial-explicit-policy is false), so a policy, a mapping and inhibitAnyPolicy cannot
/// make a path fail; policyConstraints can, and is refused. nameConstraints is refused, so subjectAltName asks for nothing.
const PROCESSED: [&str; 8] = [
    "2.5.29.19", // basicConstraints
    "2.5.29.15", // keyUsage
    "2.5.29.37", // extKeyUsage
    "2.5.29.31", // cRLDistributionPoints, by the revocation check
    "2.5.29.32", // certificatePolicies
    "2.5.29.33", // policyMappings
    "2.5.29.54", // inhibitAnyPolicy
    "2.5.29.17", // subjectAltName
];

/// Extensions that limit a path in a way that is not implemented: refused even where they are not critical.
const REFUSED: [&str; 2] = [
    "2.5.29.30", // nameConstraints
    "2.5.29.36", // policyConstraints
];

/// Builds a chain from `leaf` to one of `roots`, with intermediates from `candidates` and `roots`, that is valid at `at`
/// and conforms to [`Profile::Timestamping`].
///
/// # Errors
/// Why the best of the paths does not hold; [`ChainError::NoPath`] if there is none.
pub fn build_timestamping_chain(
    leaf: &Certificate,
    candidates: &[Certificate],
    roots: &[Certificate],
    at: UnixTime,
    limits: &Limits,
) -> Result<ConformingChain, ChainError> {
    let mut search =
        Search { candidates, roots, at, limits, budget: Budget::new(MOST_SIGNATURES), exhausted: false, failure: None };
    let mut path = vec![leaf.clone()];
    match search.extend(&mut path) {
        Some(chain) => Ok(chain),
        None if search.exhausted => Err(ChainError::TooManyPaths { subject: shown(leaf.subject()) }),
        None => Err(search.failure.unwrap_or(ChainError::NoPath { subject: shown(leaf.subject()) })),
    }
}

struct Search<'a> {
    candidates: &'a [Certificate],
    roots: &'a [Certificate],
    at: UnixTime,
    limits: &'a Limits,
    budget: Budget,
    exhausted: bool,
    failure: Option<ChainError>,
}

impl Search<'_> {
    /// Tries `path` and, depth first, everything that can be put behind it. At most [`MOST_DEPTH`] calls deep.
    fn extend(&mut self, path: &mut Vec<Certificate>) -> Option<ConformingChain> {
        let current = path.last()?.clone();
        if self.roots.contains(&current) {
            match self.complete(path) {
                Ok(chain) => return Some(chain),
                Err(failure) => self.note(failure),
            }
        }
        if path.len() >= MOST_DEPTH.min(self.limits.certificates) {
            return None;
        }
        for issuer in self.roots.iter().chain(self.candidates) {
            if issuer.subject() != current.issuer() || path.contains(issuer) {
                continue;
            }
            if !self.budget.spend() {
                self.exhausted = true;
                return None;
            }
            if let Err(source) = current.verify_signed_by(issuer) {
                let place = place(path.len().saturating_sub(1), &current);
                self.note(ChainError::NotSignedBy { place, source });
                continue;
            }
            path.push(issuer.clone());
            if let Some(chain) = self.extend(path) {
                return Some(chain);
            }
            path.pop();
        }
        None
    }

    /// Checks a path that has reached a root.
    fn complete(&self, path: &[Certificate]) -> Result<ConformingChain, ChainError> {
        for (position, certificate) in path.iter().enumerate() {
            check_extensions(position, certificate)?;
            check_valid_at(certificate, self.at).map_err(|source| ChainError::Validity { source })?;
        }
        for (position, issuer) in path.iter().enumerate().skip(1) {
            check_nested_purpose(issuer).map_err(|violation| ChainError::Profile {
                place: place(position, issuer),
                profile: Profile::Timestamping,
                violation,
            })?;
        }
        CertificateChain::new(path.to_vec(), self.limits)?.inspect(Profile::Timestamping)
    }

    /// Keeps the failure that came furthest: a complete path's over a wrong signature's, the first among equals.
    fn note(&mut self, failure: ChainError) {
        let is_far = |failure: &ChainError| !matches!(failure, ChainError::NotSignedBy { .. });
        if self.failure.as_ref().is_none_or(|known| is_far(&failure) && !is_far(known)) {
            self.failure = Some(failure);
        }
    }
}

fn check_extensions(position: usize, certificate: &Certificate) -> Result<(), ChainError> {
    for extension in certificate.extensions() {
        let oid = extension.oid.to_string();
        let unprocessed = extension.critical && !PROCESSED.contains(&oid.as_str());
        if unprocessed || REFUSED.contains(&oid.as_str()) {
            return Err(ChainError::UnsupportedExtension { place: place(position, certificate), extension: oid });
        }
    }
    Ok(())
}
