//! What statements of every kind of policy document have in common.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    LevelName, PolicyError, PolicyKind, StatementProblem, StoreNameError, TrustStoreName, TrustedIdentities,
    VerificationLevel,
};
use crate::digest::shorten;
use crate::json::{self, Object};

/// One statement: what it takes to trust a signature. It does not say of what; that is the document's matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStatement {
    name: String,
    level: VerificationLevel,
    timestamp_trigger: TimestampTrigger,
    stores: Vec<TrustStoreName>,
    identities: TrustedIdentities,
}

/// When a timestamp must be there and verify, given that the statement names a `tsa` store (conformance 8.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TimestampTrigger {
    /// Always.
    #[default]
    Always,
    /// Once a certificate of the signing chain has expired.
    AfterCertExpiry,
}

impl TimestampTrigger {
    /// The name in a trust policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::AfterCertExpiry => "afterCertExpiry",
        }
    }
}

/// A document of either kind. It holds what serde may not flatten: unknown members are refused everywhere.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<S> {
    version: Option<String>,
    trust_policies: Option<Vec<Object<S>>>,
}

/// The statements of a document, of which there is one at least.
pub(super) fn read_statements<S: DeserializeOwned>(bytes: &[u8], kind: PolicyKind) -> Result<Vec<S>, PolicyError> {
    let Object(document): Object<Document<S>> =
        json::from_slice(bytes).map_err(|source| PolicyError::Json { kind, source })?;
    kind.check_version(document.version.as_deref())?;
    match document.trust_policies {
        Some(statements) if !statements.is_empty() => Ok(statements.into_iter().map(|Object(one)| one).collect()),
        _ => Err(PolicyError::Empty { kind }),
    }
}

impl PolicyStatement {
    /// The name, unique in its document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The level.
    pub const fn level(&self) -> &VerificationLevel {
        &self.level
    }

    /// When a timestamp is demanded.
    pub const fn timestamp_trigger(&self) -> TimestampTrigger {
        self.timestamp_trigger
    }

    /// The trust stores, in the order of the document; empty only where the level is skip.
    pub fn stores(&self) -> &[TrustStoreName] {
        &self.stores
    }

    /// Whose signatures count.
    pub const fn identities(&self) -> &TrustedIdentities {
        &self.identities
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignatureVerification {
    level: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<BTreeMap<String, String>>,
    verify_timestamp: Option<String>,
}

/// What statements of every kind of document have in common (conformance 7.08 to 7.11, 7.14, 7.15, 7.27 to 7.33).
pub(super) fn read_core(
    name: String,
    verification: Option<Object<SignatureVerification>>,
    stores: &[String],
    identities: &[String],
) -> Result<PolicyStatement, StatementProblem> {
    let Object(verification) = verification.unwrap_or_default();
    let level = verification.level.ok_or(StatementProblem::NoLevel)?;
    let level = LevelName::find(&level).ok_or_else(|| StatementProblem::Level { found: shorten(&level) })?;
    let level = VerificationLevel::with_overrides(level, &verification.overrides.unwrap_or_default())?;
    let timestamp_trigger = read_trigger(verification.verify_timestamp.as_deref())?;
    if level.is_skip() {
        if !stores.is_empty() || !identities.is_empty() {
            return Err(StatementProblem::SkipWithTrust);
        }
    } else if stores.is_empty() {
        return Err(StatementProblem::NoStores);
    } else if identities.is_empty() {
        return Err(StatementProblem::NoIdentities);
    }
    let stores = stores.iter().map(|text| text.parse()).collect::<Result<_, StoreNameError>>()?;
    let identities = TrustedIdentities::parse(identities)?;
    Ok(PolicyStatement { name, level, timestamp_trigger, stores, identities })
}

/// Conformance 7.09.
fn read_trigger(text: Option<&str>) -> Result<TimestampTrigger, StatementProblem> {
    match text {
        None => Ok(TimestampTrigger::default()),
        Some(text) => [TimestampTrigger::Always, TimestampTrigger::AfterCertExpiry]
            .into_iter()
            .find(|trigger| trigger.name() == text)
            .ok_or_else(|| StatementProblem::Trigger { found: shorten(text) }),
    }
}
