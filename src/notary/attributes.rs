//! Signed attributes and the rules between them, the same for every envelope format
//! (Notary signature-specification, "Signed Attributes"; signing-scheme).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use semver::Version;
use serde_json::Value;

use super::plugin::{PluginName, PluginNameError};
use super::{Payload, attribute};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::time::UnixTime;

/// Which rules a signature follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningScheme {
    /// `notary.x509`: the signer holds the key; only an RFC 3161 token tells the time.
    X509,
    /// `notary.x509.signingAuthority`: a trusted service signs and tells the time.
    SigningAuthority,
}

impl SigningScheme {
    /// The name in an envelope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509 => "notary.x509",
            Self::SigningAuthority => "notary.x509.signingAuthority",
        }
    }

    /// The scheme of that name (conformance 2.10).
    pub fn find(name: &str) -> Option<Self> {
        [Self::X509, Self::SigningAuthority].into_iter().find(|scheme| scheme.name() == name)
    }
}

impl fmt::Display for SigningScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An attribute beyond the standard ones.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtendedAttribute {
    /// Its value. What JSON has no form for (COSE's byte strings, tags, large numbers) becomes an object that names the
    /// kind, for people to read: `{"bytes":"00ff"}`.
    pub value: Value,
    /// Whether a verifier that does not know it must refuse the signature.
    pub critical: bool,
}

/// The signed attributes of an envelope. Where they come from an unverified envelope, they are claims.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedAttributes {
    /// The signing scheme.
    pub scheme: SigningScheme,
    /// When the signer says to have signed; never authenticated.
    pub signing_time: Option<UnixTime>,
    /// When the signing authority says to have signed.
    pub authentic_signing_time: Option<UnixTime>,
    /// From this moment on the signature is expired.
    pub expiry: Option<UnixTime>,
    /// The type of the payload.
    pub content_type: String,
    /// The names that the signer marked as critical, in the order of the envelope.
    pub critical: Vec<String>,
    /// All attributes that are not standard ones. COSE's integer labels are called `label 5`.
    pub extended: BTreeMap<String, ExtendedAttribute>,
}

impl SignedAttributes {
    /// The time of signing that this scheme knows: authenticated by a signing authority, otherwise only claimed.
    pub fn claimed_time(&self) -> Option<UnixTime> {
        match self.scheme {
            SigningScheme::X509 => self.signing_time,
            SigningScheme::SigningAuthority => self.authentic_signing_time,
        }
    }

    /// Checks every rule that concerns the attributes alone, for a verifier without plugins.
    pub(super) fn inspect(&self) -> Result<(), AttributeError> {
        match self.inspect_demand()? {
            Some(demand) => Err(AttributeError::PluginRequired { plugin: demand.plugin.to_string() }),
            None => Ok(()),
        }
    }

    /// Checks every rule that concerns the attributes alone, but leaves to a plugin what is a plugin's.
    pub(super) fn inspect_demand(&self) -> Result<Option<PluginDemand>, AttributeError> {
        self.inspect_times()?;
        self.inspect_critical()?;
        if self.content_type != Payload::MEDIA_TYPE {
            return Err(AttributeError::ContentType { found: shorten(&self.content_type) });
        }
        let demand = self.inspect_plugin()?;
        if demand.is_none() {
            self.inspect_extended()?;
        }
        Ok(demand)
    }

    /// Each scheme has its own time and must not have the other's (conformance 2.11, 2.12, 3.14); an expiry lies
    /// behind it (2.25).
    fn inspect_times(&self) -> Result<(), AttributeError> {
        use attribute::{AUTHENTIC_SIGNING_TIME, SIGNING_TIME};
        let scheme = self.scheme;
        let (wanted, time, other, unwanted) = match scheme {
            SigningScheme::X509 => {
                (SIGNING_TIME, self.signing_time, AUTHENTIC_SIGNING_TIME, self.authentic_signing_time)
            }
            SigningScheme::SigningAuthority => {
                (AUTHENTIC_SIGNING_TIME, self.authentic_signing_time, SIGNING_TIME, self.signing_time)
            }
        };
        if unwanted.is_some() {
            return Err(AttributeError::NotOfScheme { attribute: other, scheme });
        }
        let time = time.ok_or(AttributeError::Missing { attribute: wanted, scheme })?;
        match self.expiry {
            Some(expiry) if expiry <= time => Err(AttributeError::ExpiryNotAfterSigning { expiry, signed: time }),
            _ => Ok(()),
        }
    }

    /// The standard attributes that must be marked as critical here (conformance 2.10, 2.12, 2.13).
    fn must_be_critical(&self) -> impl Iterator<Item = &'static str> {
        let authority = self.scheme == SigningScheme::SigningAuthority;
        [
            Some(attribute::SIGNING_SCHEME),
            authority.then_some(attribute::AUTHENTIC_SIGNING_TIME),
            self.expiry.is_some().then_some(attribute::EXPIRY),
        ]
        .into_iter()
        .flatten()
    }

    /// Conformance 3.10, 3.11 and 4.06: what must be critical is; what is critical exists, may be, and is listed once.
    fn inspect_critical(&self) -> Result<(), AttributeError> {
        if let Some(attribute) = self.must_be_critical().find(|name| !self.critical.iter().any(|c| c == name)) {
            return Err(AttributeError::NotCritical { attribute });
        }
        let mut seen = BTreeSet::new();
        for name in &self.critical {
            let allowed = self.must_be_critical().any(|standard| standard == name) || self.extended.contains_key(name);
            if !allowed {
                return Err(AttributeError::CriticalNotAllowed { attribute: shorten(name) });
            }
            if !seen.insert(name) {
                return Err(AttributeError::CriticalTwice { attribute: shorten(name) });
            }
        }
        Ok(())
    }

    /// Conformance 2.17 to 2.19: a signature that wants a plugin is never judged without it.
    fn inspect_plugin(&self) -> Result<Option<PluginDemand>, AttributeError> {
        use attribute::{VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION};
        let Some(plugin) = self.extended.get(VERIFICATION_PLUGIN) else {
            return match self.extended.get(VERIFICATION_PLUGIN_MIN_VERSION) {
                Some(_) => Err(AttributeError::PluginVersionAlone),
                None => Ok(None),
            };
        };
        if !plugin.critical {
            return Err(AttributeError::NotCritical { attribute: VERIFICATION_PLUGIN });
        }
        let plugin = match plugin.value.as_str().map(str::trim) {
            Some(name) if !name.is_empty() => PluginName::new(name)?,
            _ => return Err(AttributeError::PluginNotNamed),
        };
        Ok(Some(PluginDemand { plugin, least: self.least_plugin_version()? }))
    }

    /// Conformance 2.18 and 8.12.
    fn least_plugin_version(&self) -> Result<Option<Version>, AttributeError> {
        const NAME: &str = attribute::VERIFICATION_PLUGIN_MIN_VERSION;
        let Some(least) = self.extended.get(NAME) else { return Ok(None) };
        if !least.critical {
            return Err(AttributeError::NotCritical { attribute: NAME });
        }
        let version = least.value.as_str().and_then(|text| Version::parse(text).ok());
        version.map(Some).ok_or_else(|| AttributeError::PluginVersion { found: shorten(&least.value.to_string()) })
    }

    /// The attributes that a plugin may deal with, which are all that are not known here (conformance 11.19).
    pub fn for_plugin(&self) -> impl Iterator<Item = (&str, &ExtendedAttribute)> {
        use attribute::{VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION};
        let own = [VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION];
        self.extended.iter().map(|(name, value)| (name.as_str(), value)).filter(move |(name, _)| !own.contains(name))
    }

    /// Conformance 2.15, stricter than the reference (14.01).
    fn inspect_extended(&self) -> Result<(), AttributeError> {
        match self.extended.iter().find(|(_, attribute)| attribute.critical) {
            Some((name, _)) => Err(AttributeError::CriticalUnknown { attribute: shorten(name) }),
            None => Ok(()),
        }
    }
}

/// The plugin without which a signature is not judged (conformance 2.17, 2.18). Its name is the signer's word, and no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginDemand {
    /// The plugin.
    pub plugin: PluginName,
    /// The lowest version of it that will do.
    pub least: Option<Version>,
}

impl PluginDemand {
    /// Whether that version will do: by the precedence of semantic versioning, which passes over build metadata
    /// (conformance 8.12).
    pub fn accepts(&self, version: &Version) -> bool {
        self.least.as_ref().is_none_or(|least| version.cmp_precedence(least).is_ge())
    }
}

/// Which rule the signed attributes break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// An attribute that the scheme needs is absent.
    #[error("the signature lacks the attribute {attribute}, which the signing scheme {scheme} needs")]
    Missing {
        /// The attribute.
        attribute: &'static str,
        /// The scheme.
        scheme: SigningScheme,
    },
    /// An attribute that belongs to the other scheme.
    #[error("the signature has the attribute {attribute}, which the signing scheme {scheme} does not know")]
    NotOfScheme {
        /// The attribute.
        attribute: &'static str,
        /// The scheme.
        scheme: SigningScheme,
    },
    /// The signature would be expired when it is made.
    #[error("the signature's expiry {expiry} is not after its signing time {signed}")]
    ExpiryNotAfterSigning {
        /// The expiry.
        expiry: UnixTime,
        /// The signing time.
        signed: UnixTime,
    },
    /// An attribute that must be critical is not marked so.
    #[error("the attribute {attribute} is not marked as critical")]
    NotCritical {
        /// The attribute.
        attribute: &'static str,
    },
    /// Something is marked as critical that does not exist, or never may be.
    #[error("{attribute:?} is marked as critical, but it is absent or must not be critical")]
    CriticalNotAllowed {
        /// What is marked.
        attribute: String,
    },
    /// A mark twice.
    #[error("{attribute:?} is marked as critical twice")]
    CriticalTwice {
        /// What is marked.
        attribute: String,
    },
    /// A critical attribute that nobody here knows.
    #[error("the signature has the critical attribute {attribute:?}, which is not known here")]
    CriticalUnknown {
        /// The attribute.
        attribute: String,
    },
    /// The payload is of another type.
    #[error("the payload is of type {found:?}, not {:?}", Payload::MEDIA_TYPE)]
    ContentType {
        /// Its type.
        found: String,
    },
    /// A plugin must take part.
    #[error("the signature can be verified only with the plugin {plugin:?}")]
    PluginRequired {
        /// Its name, as the signature gives it.
        plugin: String,
    },
    /// A plugin whose name is none.
    #[error("the signature asks for a verification plugin: {0}")]
    PluginName(#[from] PluginNameError),
    /// A version that is none.
    #[error("the signature asks for the version {found} of its verification plugin, which is no semantic version")]
    PluginVersion {
        /// What it asks for.
        found: String,
    },
    /// A plugin must take part, and has no name.
    #[error("the signature asks for a verification plugin without naming it")]
    PluginNotNamed,
    /// The version of a plugin that is not asked for.
    #[error("the signature asks for a version of a verification plugin, but for no plugin")]
    PluginVersionAlone,
}

impl Diagnostic for AttributeError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::CriticalUnknown { .. } => DiagnosticCode::CriticalAttributeUnknown,
            Self::PluginRequired { .. } => DiagnosticCode::PluginRequired,
            Self::ContentType { .. } => DiagnosticCode::PayloadMalformed,
            _ => DiagnosticCode::EnvelopeMalformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PluginRequired { .. } => {
                Some("where this is judged no plugins run; ask the publisher for a signature that needs none".into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attribute::*;

    const T: i64 = 1_700_000_000;

    fn plain() -> SignedAttributes {
        SignedAttributes {
            scheme: SigningScheme::X509,
            signing_time: Some(UnixTime::from_seconds(T)),
            authentic_signing_time: None,
            expiry: None,
            content_type: Payload::MEDIA_TYPE.into(),
            critical: vec![SIGNING_SCHEME.into()],
            extended: BTreeMap::new(),
        }
    }

    fn authority() -> SignedAttributes {
        SignedAttributes {
            scheme: SigningScheme::SigningAuthority,
            signing_time: None,
            authentic_signing_time: Some(UnixTime::from_seconds(T)),
            critical: vec![SIGNING_SCHEME.into(), AUTHENTIC_SIGNING_TIME.into()],
            ..plain()
        }
    }

    fn with(mut attributes: SignedAttributes, name: &str, value: Value, critical: bool) -> SignedAttributes {
        attributes.extended.insert(name.into(), ExtendedAttribute { value, critical });
        if critical {
            attributes.critical.push(name.into());
        }
        attributes
    }

    fn expiring(mut attributes: SignedAttributes, seconds: i64) -> SignedAttributes {
        attributes.expiry = Some(UnixTime::from_seconds(seconds));
        attributes.critical.push(EXPIRY.into());
        attributes
    }

    fn changed(mut attributes: SignedAttributes, change: impl FnOnce(&mut SignedAttributes)) -> SignedAttributes {
        change(&mut attributes);
        attributes
    }

    #[test]
    fn what_the_specification_allows() {
        for (fact, good) in [
            ("2.10", plain()),
            ("2.12", authority()),
            ("2.13", expiring(plain(), T + 1)),
            ("2.13", expiring(authority(), T + 1)),
            ("2.15", with(plain(), "com.example.note", Value::from(1), false)),
        ] {
            assert_eq!(good.inspect(), Ok(()), "{fact}");
        }
    }

    #[test]
    fn what_it_forbids() {
        use DiagnosticCode::{CriticalAttributeUnknown, EnvelopeMalformed, PayloadMalformed, PluginRequired};
        let crit = |name: &'static str| changed(plain(), |a| a.critical.push(name.into()));
        let time = Some(UnixTime::from_seconds(T));
        for (fact, bad, code) in [
            ("2.11 signing time absent", changed(plain(), |a| a.signing_time = None), EnvelopeMalformed),
            ("3.14 other scheme's time", changed(plain(), |a| a.authentic_signing_time = time), EnvelopeMalformed),
            ("3.14 other scheme's time", changed(authority(), |a| a.signing_time = time), EnvelopeMalformed),
            ("2.12 time absent", changed(authority(), |a| a.authentic_signing_time = None), EnvelopeMalformed),
            ("3.10 empty crit", changed(plain(), |a| a.critical.clear()), EnvelopeMalformed),
            ("3.10 time not in crit", changed(authority(), |a| drop(a.critical.pop())), EnvelopeMalformed),
            (
                "3.10 expiry not in crit",
                changed(expiring(plain(), T + 1), |a| drop(a.critical.pop())),
                EnvelopeMalformed,
            ),
            ("3.11 signingTime", crit(SIGNING_TIME), EnvelopeMalformed),
            ("3.11 other scheme", crit(AUTHENTIC_SIGNING_TIME), EnvelopeMalformed),
            ("3.11 registered", crit("alg"), EnvelopeMalformed),
            ("3.11 absent expiry", crit(EXPIRY), EnvelopeMalformed),
            ("3.11 absent", crit("com.example.absent"), EnvelopeMalformed),
            ("3.11 twice", crit(SIGNING_SCHEME), EnvelopeMalformed),
            ("2.25 expiry at signing", expiring(plain(), T), EnvelopeMalformed),
            ("2.25 expiry before signing", expiring(authority(), T - 1), EnvelopeMalformed),
            ("2.01 other type", changed(plain(), |a| a.content_type.push('x')), PayloadMalformed),
            ("14.01", with(plain(), "com.example.rule", Value::from(1), true), CriticalAttributeUnknown),
            ("2.19", with(plain(), VERIFICATION_PLUGIN, Value::from("p"), true), PluginRequired),
            ("2.17 not critical", with(plain(), VERIFICATION_PLUGIN, Value::from("p"), false), EnvelopeMalformed),
            ("2.17 blank", with(plain(), VERIFICATION_PLUGIN, Value::from(" "), true), EnvelopeMalformed),
            ("2.17 no string", with(plain(), VERIFICATION_PLUGIN, Value::from(7), true), EnvelopeMalformed),
            ("2.18", with(plain(), VERIFICATION_PLUGIN_MIN_VERSION, Value::from("1.0.0"), true), EnvelopeMalformed),
        ] {
            let error = bad.inspect().expect_err(fact);
            assert_eq!(error.code(), code, "{fact}: {error}");
        }
    }
}
