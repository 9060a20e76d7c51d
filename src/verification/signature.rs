//! Judging one signature: the steps of the specification in its order (conformance 8.01), each a finding.

use std::collections::BTreeMap;

use super::freshness::{Clocks, Freshness};
use super::memo::Memo;
use super::plugin::{self, Opinion, VerificationPlugins};
use super::reading::RevocationReading;
use super::revocation::Rules;
use super::timestamp::{self, AuthenticatedTime};
use super::{CarriedEvidence, Check, EvidenceUse, Failure, Finding, revocation};
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::notary::plugin::Capability;
use crate::notary::{AuthenticEnvelope, Authenticated, PluginDemand, Purpose, SignatureEnvelope, SigningScheme};
use crate::oci::{Descriptor, MediaType};
use crate::pki::Certificate;
use crate::time::UnixTime;
use crate::trust::{Action, CheckKind, PolicyStatement, StoreType, TrustStores};

/// A signature as it was found: parsed, or why it could not be.
#[derive(Debug)]
pub struct FoundSignature {
    /// The signature manifest.
    pub digest: Digest,
    /// What its manifest says that it signs.
    pub subject: Descriptor,
    /// The media type of the envelope.
    pub media_type: Option<MediaType>,
    /// The envelope.
    pub envelope: Result<SignatureEnvelope, Failure>,
}

/// What a signature is judged with, beside the policy's statement.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// The host's trust stores.
    pub stores: &'a TrustStores,
    /// Revocation data at hand.
    pub evidence: &'a CarriedEvidence,
    /// The verification time.
    pub at: UnixTime,
    /// How old revocation data may be.
    pub freshness: Freshness,
    /// What a revocation means for what was signed before it.
    pub revocation: RevocationReading,
    /// Metadata that the signature must carry (conformance 8.39).
    pub user_metadata: &'a BTreeMap<String, String>,
    /// The plugins that signatures may demand; without any, such signatures are bad (conformance 2.19).
    pub plugins: Option<&'a dyn VerificationPlugins>,
    /// Bounds on what hostile input may cost.
    pub limits: &'a Limits,
}

/// Everything found about one signature. What the level makes of it is the verdict's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFacts {
    /// The signature manifest.
    pub signature: Digest,
    /// The media type of the envelope.
    pub media_type: Option<MediaType>,
    /// The signer by the envelope's certificate. A claim unless integrity and authenticity passed.
    pub signer: Option<SignerFacts>,
    /// What the signer claims or proves about time.
    pub times: SignatureTimes,
    /// The metadata in the signed payload, once the signature was found genuine.
    pub user_metadata: BTreeMap<String, String>,
    /// The findings, in the order in which they were made, until they are judged.
    pub checks: Vec<Check>,
    /// The evidence that was used.
    pub evidence: Vec<EvidenceUse>,
}

/// Who signed, by the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerFacts {
    /// Subject of the leaf certificate.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// Its serial number.
    pub serial: String,
    /// SHA-256 of its DER.
    pub fingerprint: Digest,
    /// Its key.
    pub key: String,
    /// The signature algorithm that the envelope names.
    pub algorithm: String,
}

/// The first of the three clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignatureTimes {
    /// The signing scheme.
    pub scheme: Option<SigningScheme>,
    /// When the signer says that it signed.
    pub claimed: Option<UnixTime>,
    /// When it signed, as somebody trusted vouches.
    pub authenticated: Option<AuthenticatedTime>,
    /// When the signature expires.
    pub expiry: Option<UnixTime>,
}

impl SignatureFacts {
    /// What the envelope alone says.
    pub fn claims(found: &FoundSignature) -> Self {
        let envelope = found.envelope.as_ref().ok();
        Self {
            signature: found.digest,
            media_type: found.media_type.clone(),
            signer: envelope.map(SignerFacts::of),
            times: envelope.map(SignatureTimes::of).unwrap_or_default(),
            user_metadata: BTreeMap::new(),
            checks: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn note(&mut self, kind: CheckKind, finding: Finding) {
        self.checks.push(Check::of(kind, finding));
    }
}

impl SignerFacts {
    fn of(envelope: &SignatureEnvelope) -> Self {
        let leaf: &Certificate = envelope.certificates().leaf();
        Self {
            subject: leaf.subject().to_string(),
            issuer: leaf.issuer().to_string(),
            serial: leaf.serial().to_string(),
            fingerprint: leaf.fingerprint(),
            key: leaf.public_key().describe(),
            algorithm: envelope.algorithm().to_string(),
        }
    }
}

impl SignatureTimes {
    fn of(envelope: &SignatureEnvelope) -> Self {
        let claims = envelope.claims();
        Self {
            scheme: Some(claims.scheme),
            claimed: claims.signing_time.or(claims.authentic_signing_time),
            authenticated: None,
            expiry: claims.expiry,
        }
    }
}

/// Runs every check on one signature of `artifact`, which must have been made for `purpose`.
pub fn examine(
    purpose: Purpose,
    artifact: &Descriptor,
    found: &FoundSignature,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
    memo: &Memo,
) -> SignatureFacts {
    let mut facts = SignatureFacts::claims(found);
    let (envelope, demand) = match integrity(purpose, artifact, found, terms) {
        Ok(Authenticated::Alone(envelope)) => (envelope, None),
        Ok(Authenticated::WithPlugin(envelope, demand)) => (envelope, Some(demand)),
        Err(failure) => {
            facts.note(CheckKind::Integrity, Finding::Failed(failure));
            for kind in CheckKind::ALL.into_iter().filter(|kind| *kind != CheckKind::Integrity) {
                facts.note(kind, Finding::NotRun("the signature itself does not hold".into()));
            }
            return facts;
        }
    };
    let what = match purpose {
        Purpose::Artifact => "",
        Purpose::Seal => ", made to seal it",
    };
    let signed = format!("{} over {}{what}", envelope.algorithm(), artifact.digest);
    facts.note(CheckKind::Integrity, Finding::Passed(signed));
    facts.user_metadata.clone_from(&envelope.payload().target().annotations);
    let [anchored, identified] = authenticity(&envelope, statement, terms.stores);
    let opinion = demand.and_then(|demand| match opinion(&envelope, &demand, statement, terms, &anchored)? {
        Ok(opinion) => Some(opinion),
        Err(failure) => {
            facts.note(CheckKind::Integrity, Finding::Failed(failure));
            None
        }
    });
    let by_plugin = |capability| opinion.as_ref().is_some_and(|opinion| opinion.replaces(capability));
    facts.note(CheckKind::Authenticity, anchored);
    if !by_plugin(Capability::TrustedIdentity) {
        facts.note(CheckKind::Authenticity, identified);
    }
    if let Some(opinion) = &opinion {
        facts.checks.extend(opinion.checks.iter().cloned());
    }
    facts.note(CheckKind::Expiry, expiry(&envelope, terms.at));
    let stamped = timestamp::check(&envelope, statement, terms, memo);
    facts.checks.extend(stamped.checks);
    facts.evidence.extend(stamped.evidence);
    facts.times.authenticated = stamped.time;
    let clocks = Clocks { verification: terms.at, signing: facts.times.authenticated.map(|time| time.latest) };
    let (freshness, reading) = (terms.freshness, terms.revocation);
    let rules = Rules { freshness, clocks, reading, signed: facts.times.authenticated };
    let statuses = if by_plugin(Capability::RevocationCheck) {
        Vec::new()
    } else {
        revocation::check_chain_with(envelope.chain(), terms.evidence, &rules, memo.tries())
    };
    if statuses.is_empty() && !by_plugin(Capability::RevocationCheck) {
        let reason = "a self-signed certificate has no issuer that could revoke it".to_owned();
        facts.note(CheckKind::Revocation, Finding::NotApplicable(reason, None));
    }
    for status in statuses {
        facts.checks.push(Check {
            kind: CheckKind::Revocation,
            certificate: Some(status.certificate.subject().to_string()),
            finding: status.finding,
        });
        facts.evidence.extend(status.evidence);
    }
    facts.evidence.sort();
    facts.evidence.dedup();
    facts
}

/// What the plugin says that the signature demands; `None` where it is not asked, because the policy rejects the signature
/// anyway: nobody unknown gets a program to run here (conformance 8.11).
fn opinion(
    envelope: &AuthenticEnvelope,
    demand: &PluginDemand,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
    anchored: &Finding,
) -> Option<Result<Opinion, Failure>> {
    let rejected = anchored.failure().is_some() && statement.level().action(CheckKind::Authenticity) == Action::Enforce;
    match terms.plugins {
        _ if rejected => None,
        Some(plugins) => Some(plugin::consult(envelope, demand, statement, plugins)),
        None => {
            let message = format!("the signature can be verified only with the plugin {}", demand.plugin);
            Some(Err(Failure::new(DiagnosticCode::PluginRequired, message)))
        }
    }
}

/// Conformance 8.06, 8.07, 8.38 and 8.39: fatal at every level but skip. So is a signature that was made for something else.
fn integrity(
    purpose: Purpose,
    artifact: &Descriptor,
    found: &FoundSignature,
    terms: &Terms<'_>,
) -> Result<Authenticated, Failure> {
    let envelope = found.envelope.as_ref().map_err(Clone::clone)?;
    let authenticated = match terms.plugins {
        Some(_) => envelope.verify_with_plugins()?,
        None => Authenticated::Alone(envelope.verify()?),
    };
    let envelope = authenticated.envelope();
    if !found.subject.same_content(artifact) {
        let message = format!(
            "the signature's manifest refers to {} ({}, {} bytes), the artifact is {} ({}, {} bytes)",
            found.subject.digest,
            found.subject.media_type,
            found.subject.size,
            artifact.digest,
            artifact.media_type,
            artifact.size
        );
        return Err(Failure::new(DiagnosticCode::TargetMismatch, message));
    }
    envelope.payload().matches(artifact)?;
    envelope.payload().check_purpose(purpose)?;
    envelope.payload().check_user_metadata(terms.user_metadata)?;
    Ok(authenticated)
}

/// Conformance 8.13 and 8.14. Both parts are reported, where the reference lets the second hide the first (8.15).
fn authenticity(envelope: &AuthenticEnvelope, statement: &PolicyStatement, stores: &TrustStores) -> [Finding; 2] {
    let store_type = match envelope.attributes().scheme {
        SigningScheme::X509 => StoreType::Ca,
        SigningScheme::SigningAuthority => StoreType::SigningAuthority,
    };
    let anchored = match stores.anchors(statement.stores(), store_type) {
        Err(error) => Finding::Failed(Failure::from(error)),
        Ok(anchors) => match envelope.chain().verify_anchor(&anchors) {
            Ok(chain) => Finding::Passed(format!("the chain leads to \"{}\"", chain.anchor().subject())),
            Err(error) => Finding::Failed(Failure::from(error)),
        },
    };
    let leaf = envelope.chain().leaf();
    let identified = match statement.identities().evaluate(leaf.subject()) {
        Ok(()) => Finding::Passed(format!("the policy accepts \"{}\"", leaf.subject())),
        Err(error) => Finding::Failed(Failure::from(error)),
    };
    [anchored, identified]
}

/// Conformance 8.16 and 14.28: at the very second of the expiry it is expired.
fn expiry(envelope: &AuthenticEnvelope, at: UnixTime) -> Finding {
    match envelope.attributes().expiry {
        None => Finding::NotApplicable("the signature has no expiry".into(), None),
        Some(expiry) if at < expiry => Finding::Passed(format!("valid until {expiry}")),
        Some(expiry) => Finding::Failed(
            Failure::new(
                DiagnosticCode::SignatureExpired,
                format!("the signature expired on {expiry}; the verification time is {at}"),
            )
            .with_hint("ask the publisher for a signature that is still valid"),
        ),
    }
}
