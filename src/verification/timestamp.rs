//! The authentic timestamp step (conformance section 8f): what makes the signing time more than a claim.

use super::freshness::Clocks;
use super::memo::Memo;
use super::plan::MOST_TOKENS;
use super::revocation::Rules;
use super::signature::Terms;
use super::{Check, EvidenceUse, Failure, Finding, revocation};
use crate::code::DiagnosticCode;
use crate::notary::{AuthenticEnvelope, SigningScheme};
use crate::pki::{ConformingChain, ValidityFailure};
use crate::time::UnixTime;
use crate::trust::{CheckKind, PolicyStatement, StoreType, TimestampTrigger};
use crate::tsp::{TimestampToken, VerifiedToken};

/// A signing time that somebody trusted vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticatedTime {
    /// Not before this.
    pub earliest: UnixTime,
    /// Not after this.
    pub latest: UnixTime,
    /// Who vouches.
    pub source: TimeSource,
}

/// Who vouches for a signing time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// A timestamp authority (RFC 3161): the signature existed by then.
    Timestamp,
    /// The signing authority itself (`notary.x509.signingAuthority`).
    SigningAuthority,
}

/// What the step found.
pub(super) struct Stamped {
    pub(super) time: Option<AuthenticatedTime>,
    pub(super) checks: Vec<Check>,
    pub(super) evidence: Vec<EvidenceUse>,
}

impl Stamped {
    fn of(finding: Finding) -> Self {
        Self { time: None, checks: vec![Check::of(CheckKind::AuthenticTimestamp, finding)], evidence: Vec::new() }
    }
}

pub(super) fn check(
    envelope: &AuthenticEnvelope,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Stamped {
    let chain = envelope.chain();
    match (envelope.attributes().scheme, envelope.attributes().authentic_signing_time) {
        (SigningScheme::SigningAuthority, Some(time)) => by_signing_authority(chain, time),
        (SigningScheme::SigningAuthority, None) => Stamped::of(Finding::Failed(Failure::new(
            DiagnosticCode::EnvelopeMalformed,
            "the signing authority's signature names no signing time",
        ))),
        (SigningScheme::X509, _) if is_triggered(chain, statement, terms.at) => {
            by_token(envelope, statement, terms, memo)
        }
        (SigningScheme::X509, _) => Stamped::of(match chain.check_validity(terms.at, terms.at) {
            Ok(()) => Finding::Passed(format!("every certificate is valid at the verification time {}", terms.at)),
            Err(failure) => {
                let found = outside_validity(&failure, "at the verification time");
                let is_stamped =
                    envelope.timestamp().is_some() || terms.evidence.tokens(envelope.signature()).next().is_some();
                Finding::Failed(if failure.is_expired() { found.with_hint(after_expiry(is_stamped)) } else { found })
            }
        }),
    }
}

/// Years later, this is what stands between an archive and its verdict.
const fn after_expiry(is_stamped: bool) -> &'static str {
    if is_stamped {
        "the signature carries a timestamp; it counts where the policy's statement names a tsa trust store with the authority's root"
    } else {
        "only a timestamp from when the certificate was valid would keep the signature good: ask the publisher for a newer one"
    }
}

/// Conformance 8.18: a tsa store in the policy asks for the token, always or once a certificate has expired.
fn is_triggered(chain: &ConformingChain, statement: &PolicyStatement, at: UnixTime) -> bool {
    let expired = || chain.certificates().iter().any(|certificate| certificate.validity().ended(at));
    statement.stores().iter().any(|store| store.kind() == StoreType::Tsa)
        && match statement.timestamp_trigger() {
            TimestampTrigger::Always => true,
            TimestampTrigger::AfterCertExpiry => expired(),
        }
}

/// Conformance 8.17: the present time does not matter.
fn by_signing_authority(chain: &ConformingChain, time: UnixTime) -> Stamped {
    match chain.check_validity(time, time) {
        Err(failure) => Stamped::of(Finding::Failed(outside_validity(&failure, "when the authority signed"))),
        Ok(()) => Stamped {
            time: Some(AuthenticatedTime { earliest: time, latest: time, source: TimeSource::SigningAuthority }),
            ..Stamped::of(Finding::Passed(format!("signed on {time}, says the signing authority")))
        },
    }
}

/// The envelope's own token counts, or else, where that is absent or does not hold, the first that holds of those that are
/// carried beside the signature: whoever added one can only have asked an authority that the policy trusts.
fn by_token(envelope: &AuthenticEnvelope, statement: &PolicyStatement, terms: &Terms<'_>, memo: &Memo) -> Stamped {
    let own = envelope.timestamp().map(|der| {
        let token = TimestampToken::read(der, terms.limits, memo.pool()).map_err(Failure::from);
        by_one(token.as_ref().map_err(Clone::clone), "stamped", envelope, statement, terms, memo)
    });
    let mut failed = match own {
        Some(stamped) if stamped.time.is_some() => return stamped,
        own => own,
    };
    for token in terms.evidence.tokens(envelope.signature()).take(MOST_TOKENS) {
        let stamped = by_one(Ok(token), "stamped after it was signed,", envelope, statement, terms, memo);
        if stamped.time.is_some() {
            return stamped;
        }
        failed = failed.or(Some(stamped));
    }
    failed.unwrap_or_else(|| {
        let failure = Failure::new(
            DiagnosticCode::TimestampAbsent,
            "the policy names a tsa trust store, and the signature carries no timestamp",
        );
        let hint = "ask for a timestamped signature, add a timestamp while the signer's certificates are valid (bulla timestamp add), or have the policy verify timestamps after expiry only (\"verifyTimestamp\": \"afterCertExpiry\")";
        Stamped::of(Finding::Failed(failure.with_hint(hint)))
    })
}

/// Conformance 8.20 to 8.22, and 9.30: the authority's own revocation belongs to this step.
fn by_one(
    token: Result<&TimestampToken, Failure>,
    how: &str,
    envelope: &AuthenticEnvelope,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Stamped {
    let token = match token.and_then(|token| verify_token(token, envelope, statement, terms, memo)) {
        Ok(Some(token)) => token,
        Ok(None) => return Stamped::of(Finding::Undetermined(memo.tries().flood("the timestamp was not tried"))),
        Err(failure) => return Stamped::of(Finding::Failed(failure)),
    };
    let time = AuthenticatedTime { earliest: token.earliest(), latest: token.latest(), source: TimeSource::Timestamp };
    let authority = token.chain().leaf().subject().to_string();
    let (finding, authenticated) = match envelope.chain().check_validity(time.earliest, time.latest) {
        Ok(()) => {
            let expired = expired_since(&[envelope.chain(), token.chain()], terms.at);
            (Finding::Passed(format!("{how} on {} by \"{authority}\"{expired}", token.gen_time())), Some(time))
        }
        Err(failure) => {
            let mut failure = outside_validity(&failure, "at the time of the timestamp");
            failure.code = DiagnosticCode::TimestampOutsideValidity;
            (Finding::Failed(failure), None)
        }
    };
    let mut stamped = Stamped::of(finding);
    let clocks = Clocks { verification: terms.at, signing: Some(token.latest()) };
    let rules = Rules::now(terms.freshness, clocks);
    for status in revocation::check_chain_with(token.chain(), terms.evidence, &rules, memo.tries()) {
        stamped.checks.push(Check {
            kind: CheckKind::AuthenticTimestamp,
            certificate: Some(status.certificate.subject().to_string()),
            finding: status.finding,
        });
        stamped.evidence.extend(status.evidence);
    }
    // A time is authenticated only if nothing speaks against the one who vouches for it.
    let sound = stamped.checks.iter().all(|check| check.finding.failure().is_none());
    stamped.time = authenticated.filter(|_| sound);
    stamped
}

/// What only the timestamp still holds up: the certificates that have ended by the verification time. Years later this is
/// the usual case, and the reader of a report must not have to guess it.
fn expired_since(chains: &[&ConformingChain], at: UnixTime) -> String {
    let certificates = chains.iter().flat_map(|chain| chain.certificates());
    let expired: Vec<String> = certificates
        .filter(|certificate| certificate.validity().ended(at))
        .map(|certificate| format!("\"{}\" on {}", certificate.subject(), certificate.validity().not_after))
        .collect();
    if expired.is_empty() { String::new() } else { format!("; expired since then: {}", expired.join(", ")) }
}

/// `None` where too much was tried before: what was not looked at is neither good nor bad.
fn verify_token(
    token: &TimestampToken,
    envelope: &AuthenticEnvelope,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Result<Option<VerifiedToken>, Failure> {
    let roots = terms.stores.anchors(statement.stores(), StoreType::Tsa)?;
    if !memo.tries().has_room() {
        return Ok(None);
    }
    let (verified, cost) = token.verify_counted(envelope.signature(), &roots, terms.limits);
    memo.tries().charge(&cost);
    Ok(Some(verified?))
}

fn outside_validity(failure: &ValidityFailure, when: &str) -> Failure {
    let code =
        if failure.is_expired() { DiagnosticCode::CertificateExpired } else { DiagnosticCode::CertificateNotYetValid };
    let ValidityFailure { certificate, period, at } = failure;
    Failure::new(
        code,
        format!(
            "\"{}\" is valid from {} to {}, not {when} ({at})",
            certificate.subject(),
            period.not_before,
            period.not_after
        ),
    )
}
