//! The path of a timestamp authority (RFC 5280 §6.1, conformance 9.23): a profile over the general validation.

use super::chain::shown;
use super::profile::check_nested_purpose;
use super::validation::{Bounds, LinkedPath, PathError, PathSettings, Pool, SignatureCheck, process};
use super::{Certificate, CertificateChain, ChainError, ConformingChain, Profile, WeakHashes};
use crate::limits::Limits;
use crate::time::UnixTime;

/// Signatures that may be checked for one token. An honest one needs four.
const MOST_SIGNATURES: usize = 32;
/// Times that a path may be made longer by one.
const MOST_STEPS: usize = 1_000;
/// Paths that are judged.
const MOST_PATHS: usize = 32;
/// Certificates in one path.
const MOST_DEPTH: usize = 10;

/// Builds a chain from `leaf` to one of `roots`, with intermediates from `candidates` and `roots`, that is valid at `at`
/// and conforms to [`Profile::Timestamping`].
///
/// The path is one of [`crate::pki::validation`], with no policy asked for and SHA-1 refused, so that constraints on names and
/// policies count. Beyond that every rule of the Notary Project holds: names byte-equal (conformance 5.05), a self-signed
/// root at the end (5.04), its rules for authorities and signers, and extKeyUsage of issuers.
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
    TimestampingPaths::new(candidates, roots, at, limits).find(leaf)
}

/// As [`build_timestamping_chain`] for several leaves, who pay for all the searching together.
pub(crate) struct TimestampingPaths<'a> {
    pool: Pool,
    settings: PathSettings,
    limits: &'a Limits,
}

impl<'a> TimestampingPaths<'a> {
    pub(crate) fn new(candidates: &[Certificate], roots: &[Certificate], at: UnixTime, limits: &'a Limits) -> Self {
        let bounds = Bounds {
            signatures: MOST_SIGNATURES,
            steps: MOST_STEPS,
            paths: MOST_PATHS,
            depth: MOST_DEPTH.min(limits.certificates),
        };
        let pool = Pool::new(roots, candidates, WeakHashes::Refused, at, bounds);
        Self { pool, settings: PathSettings::new(at), limits }
    }

    /// The signatures that searching has cost so far, each once.
    pub(crate) fn checks(&self) -> impl Iterator<Item = SignatureCheck> {
        self.pool.checks()
    }

    pub(crate) fn find(&mut self, leaf: &Certificate) -> Result<ConformingChain, ChainError> {
        let Self { pool, settings, limits } = self;
        // What the Notary Project asks beyond RFC 5280 is told in its own terms.
        let mut beyond: Option<ChainError> = None;
        let found = pool.search(leaf, &mut |_, path| {
            process(path, settings)?;
            conform(path, limits).map_err(|error| {
                beyond.get_or_insert(error);
                PathError::NotConforming
            })
        });
        found.map_err(|error| match (error, beyond) {
            (PathError::NotConforming, Some(error)) => error,
            (error, _) => told(error, leaf),
        })
    }
}

/// The rules beyond RFC 5280.
fn conform(path: &LinkedPath, limits: &Limits) -> Result<ConformingChain, ChainError> {
    for (position, issuer) in path.certificates().iter().enumerate().skip(1) {
        check_nested_purpose(issuer).map_err(|violation| ChainError::Profile {
            place: super::chain::place(position, issuer),
            profile: Profile::Timestamping,
            violation,
        })?;
    }
    CertificateChain::new(path.certificates().to_vec(), limits)?.inspect(Profile::Timestamping)
}

/// The general failure as one of a chain.
fn told(error: PathError, leaf: &Certificate) -> ChainError {
    match error {
        PathError::NoPath { .. } => ChainError::NoPath { subject: shown(leaf.subject()) },
        PathError::TooManyPaths { subject } => ChainError::TooManyPaths { subject },
        PathError::NotSignedBy { place, source } => ChainError::NotSignedBy { place, source },
        PathError::Validity { source } => ChainError::Validity { source },
        PathError::UnknownCritical { place, extension } => ChainError::UnsupportedExtension { place, extension },
        PathError::Rule { place, violation } => {
            ChainError::Profile { place, profile: Profile::Timestamping, violation }
        }
        other => ChainError::Path { source: Box::new(other) },
    }
}
