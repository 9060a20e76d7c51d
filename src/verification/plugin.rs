//! Signatures whose signer demands that a plugin takes part (conformance 8.10 to 8.12, 8.33 to 8.37). A plugin judges whose
//! signatures are accepted and what was revoked, where it can; everything else stays here (11.27).

use std::fmt;

use semver::Version;

use super::{Check, Failure, Finding};
use crate::code::DiagnosticCode;
use crate::digest::shorten;
use crate::notary::plugin::{Capability, PluginMetadata, PluginName, PluginVerdict, VerifySignature};
use crate::notary::{AuthenticEnvelope, PluginDemand};
use crate::trust::{Action, CheckKind, PolicyStatement, TrustedIdentities};

/// The plugins of this host. Whoever implements it finds them by name where the operator installed them, and nowhere else.
pub trait VerificationPlugins: fmt::Debug + Sync {
    /// Asks a plugin who it is.
    ///
    /// # Errors
    /// It is not there, or fails.
    fn metadata(&self, plugin: &PluginName) -> Result<PluginMetadata, Failure>;

    /// Asks a plugin about a signature.
    ///
    /// # Errors
    /// It is not there, or fails.
    fn verify(&self, plugin: &PluginName, request: VerifySignature) -> Result<PluginVerdict, Failure>;
}

/// What a plugin found, and which checks are no longer made here.
pub(super) struct Opinion {
    capabilities: Vec<Capability>,
    pub(super) checks: Vec<Check>,
}

impl Opinion {
    /// Whether the plugin makes this check in place of us (conformance 11.28).
    pub(super) fn replaces(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// Asks the plugin that a genuine envelope demands.
///
/// # Errors
/// Whatever keeps the plugin from giving a whole answer: fatal at every level (conformance 8.10, 8.36).
pub(super) fn consult(
    envelope: &AuthenticEnvelope,
    demand: &PluginDemand,
    statement: &PolicyStatement,
    plugins: &dyn VerificationPlugins,
) -> Result<Opinion, Failure> {
    let metadata = plugins.metadata(&demand.plugin)?;
    check_version(demand, &metadata)?;
    let judging = [Capability::TrustedIdentity, Capability::RevocationCheck];
    let capabilities: Vec<Capability> = judging.into_iter().filter(|one| metadata.can(*one)).collect();
    if capabilities.is_empty() {
        let message = format!("the plugin {} verifies nothing: it only signs", demand.plugin);
        return Err(Failure::new(DiagnosticCode::PluginUnsuitable, message));
    }
    // Conformance 8.33: what the policy skips is not asked for.
    let skipped = statement.level().action(CheckKind::Revocation) == Action::Skip;
    let wanted: Vec<Capability> =
        capabilities.iter().copied().filter(|one| !(skipped && *one == Capability::RevocationCheck)).collect();
    let verdict = if wanted.is_empty() {
        PluginVerdict::default()
    } else {
        let request = VerifySignature::new(envelope, demand, identities(statement.identities()), &wanted);
        plugins.verify(&demand.plugin, request)?
    };
    check_processed(envelope, demand, &verdict)?;
    let checks = wanted.iter().map(|capability| check(*capability, demand, &verdict)).collect::<Result<_, _>>()?;
    Ok(Opinion { capabilities, checks })
}

/// Conformance 8.10 and 8.12.
fn check_version(demand: &PluginDemand, metadata: &PluginMetadata) -> Result<(), Failure> {
    let PluginMetadata { name, version: found, .. } = metadata;
    let refused = |message: String| Failure::new(DiagnosticCode::PluginUnsuitable, message);
    let version = Version::parse(found)
        .map_err(|_| refused(format!("the plugin {name} has the version {found:?}, which is no semantic version")))?;
    if demand.accepts(&version) {
        return Ok(());
    }
    let least = demand.least.as_ref().map(ToString::to_string).unwrap_or_default();
    Err(refused(format!(
        "the signature demands version {least} of the plugin {name} or a later one; installed is {found}"
    ))
    .with_hint("install a newer version of the plugin: bulla plugin install"))
}

/// Every critical attribute that is not known here must be known to the plugin (conformance 8.35, 8.37, 14.01); others need
/// not be (14.02). Labels that are no names cannot be named by it either.
fn check_processed(
    envelope: &AuthenticEnvelope,
    demand: &PluginDemand,
    verdict: &PluginVerdict,
) -> Result<(), Failure> {
    let left = envelope.attributes().for_plugin().find(|(name, attribute)| {
        attribute.critical && (name.starts_with("label ") || !verdict.processed.contains(*name))
    });
    let Some((name, _)) = left else { return Ok(()) };
    let message = format!(
        "the signature has the critical attribute {:?}, which neither bulla nor the plugin {} knows",
        shorten(name),
        demand.plugin
    );
    Err(Failure::new(DiagnosticCode::CriticalAttributeUnknown, message))
}

/// Conformance 8.34: no result is no good result.
fn check(capability: Capability, demand: &PluginDemand, verdict: &PluginVerdict) -> Result<Check, Failure> {
    let plugin = &demand.plugin;
    let (kind, subject) = match capability {
        Capability::RevocationCheck => (CheckKind::Revocation, "revocation"),
        _ => (CheckKind::Authenticity, "the signer"),
    };
    match verdict.results.get(&capability) {
        Some(Ok(())) => {
            Ok(Check::of(kind, Finding::Passed(format!("the plugin {plugin} has nothing against {subject}"))))
        }
        Some(Err(reason)) => {
            let message = format!("the plugin {plugin} rejects {subject}: {reason}");
            Ok(Check::of(kind, Finding::Failed(Failure::new(DiagnosticCode::PluginRejected, message))))
        }
        None => {
            let message = format!("the plugin {plugin} says nothing about {capability}, which it was asked for");
            Err(Failure::new(DiagnosticCode::PluginFailed, message))
        }
    }
}

/// The identities of the policy, letter by letter as it writes them: a plugin may compare texts, and other kinds than ours.
fn identities(identities: &TrustedIdentities) -> Vec<String> {
    match identities {
        TrustedIdentities::Any => vec!["*".to_owned()],
        TrustedIdentities::Listed { entries, .. } => entries.clone(),
    }
}
