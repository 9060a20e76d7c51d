//! Relying on a timestamp authority when something is signed or stamped (conformance 9.05 to 9.07): its token is
//! verified before it is used, by the rules by which it will be judged, and its authority must be in good standing now.

use std::error::Error;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::evidence::LiveEvidence;
use crate::limits::Limits;
use crate::ops::gather::{Gatherer, Piece, Sources};
use crate::pki::{Certificate, Crl, HashAlgorithm, ValidityFailure};
use crate::signer::TimestampSource;
use crate::time::UnixTime;
use crate::tsp::{TimestampError, TimestampToken, VerifiedToken};
use crate::verification::revocation::{Rules, check_chain};
use crate::verification::{CarriedEvidence, ChainRole, Clocks, EvidenceNeed, Failure, Freshness};

/// A timestamp authority of which every token is checked: that it is of what was asked for and genuine, that it leads to
/// `root`, and that every certificate of the authority is valid and not revoked at `at`. Unknown is not good.
pub struct CheckedAuthority<'a> {
    /// Who is asked.
    pub source: &'a dyn TimestampSource,
    /// The root that the operator trusts for timestamps.
    pub root: &'a Certificate,
    /// Who can say whether the authority's certificates are revoked.
    pub live: Option<&'a dyn LiveEvidence>,
    /// CRLs at hand.
    pub supplied: &'a [Crl],
    /// Now.
    pub at: UnixTime,
    /// Bounds on what hostile input may cost.
    pub limits: &'a Limits,
}

impl CheckedAuthority<'_> {
    fn check(&self, hash: HashAlgorithm, digest: &[u8], der: &[u8]) -> Result<(), AuthorityRefused> {
        let token = TimestampToken::parse(der, self.limits)?;
        let verified = token.verify_digest(hash, digest, std::slice::from_ref(self.root), self.limits)?;
        verified.chain().check_validity(self.at, self.at).map_err(Box::new)?;
        let evidence = self.evidence(&verified);
        let clocks = Clocks { verification: self.at, signing: Some(verified.latest()) };
        for status in check_chain(verified.chain(), &evidence, &Rules::now(Freshness::Current, clocks)) {
            if let Some(failure) = status.finding.failure() {
                let certificate = status.certificate.subject().to_string();
                return Err(AuthorityRefused::Standing { certificate, failure: Box::new(failure.clone()) });
            }
        }
        Ok(())
    }

    /// What can be had about the authority's certificates. What cannot is found undetermined.
    fn evidence(&self, token: &VerifiedToken) -> CarriedEvidence {
        let sources = Sources { supplied: self.supplied, live: self.live };
        let mut gatherer = Gatherer::new(&sources, CarriedEvidence::default(), self.limits);
        let mut evidence = CarriedEvidence::default();
        let chain = token.chain().certificates();
        for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
            let Ok(sources) = certificate.revocation_sources() else { continue };
            let need = EvidenceNeed::of(certificate, Some(issuer), ChainRole::Timestamping, &sources);
            for named in need.into_iter().flat_map(|need| gatherer.gather(&need).found) {
                match named.piece {
                    Piece::Crl(crl) => evidence.insert(crl),
                    Piece::Ocsp(response) => evidence.insert_ocsp(&response),
                }
            }
        }
        evidence
    }
}

impl TimestampSource for CheckedAuthority<'_> {
    fn timestamp(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let token = self.source.timestamp(hash, digest)?;
        self.check(hash, digest, &token)?;
        Ok(token)
    }
}

/// Why a timestamp authority's token is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityRefused {
    /// The token does not verify, or does not lead to the root.
    #[error(transparent)]
    Token(#[from] TimestampError),
    /// A certificate of the authority is not valid now.
    #[error("the timestamp authority cannot be relied on now: {0}")]
    Validity(#[from] Box<ValidityFailure>),
    /// Revoked, or not known not to be.
    #[error("the timestamp authority's certificate \"{certificate}\" is not known to be in good standing: {}", .failure.message)]
    Standing {
        /// The certificate's subject.
        certificate: String,
        /// What was found.
        failure: Box<Failure>,
    },
}

impl Diagnostic for AuthorityRefused {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Token(error) => error.code(),
            Self::Validity(_) => DiagnosticCode::TimestampUntrusted,
            Self::Standing { failure, .. } => failure.code,
        }
    }
}
