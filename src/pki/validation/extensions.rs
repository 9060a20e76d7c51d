//! The extensions that path validation reads (RFC 5280 §4.2), and what must hold for one certificate in itself.

use std::collections::BTreeSet;

use der::asn1::ObjectIdentifier;
use der::{ErrorKind, Tag};

use super::PathError;
use super::name_constraints::NameConstraints;
use crate::pki::chain::place;
use crate::pki::general_name::GeneralName;
use crate::pki::tlv::{Cursor, only, primitive, to_u32};
use crate::pki::{Certificate, Violation};

pub(super) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(super) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
pub(super) const POLICY_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.36");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const POLICY_MAPPINGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.33");
const INHIBIT_ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.54");

/// Extensions that may be critical: each is processed, or asks for nothing of who relies on the certificate.
const PROCESSED: [&str; 10] = [
    "2.5.29.15", // keyUsage
    "2.5.29.17", // subjectAltName
    "2.5.29.18", // issuerAltName: another name of the issuer, nothing to check
    "2.5.29.19", // basicConstraints
    "2.5.29.30", // nameConstraints
    "2.5.29.31", // cRLDistributionPoints, by the revocation check
    "2.5.29.32", // certificatePolicies
    "2.5.29.33", // policyMappings
    "2.5.29.36", // policyConstraints
    "2.5.29.37", // extKeyUsage
];

/// Names in one subjectAltName. Real ones have up to some hundred.
const MOST_NAMES: usize = 10_000;
/// Policies or mappings in one certificate. Real ones have about five.
const MOST_POLICIES: usize = 1_000;

/// One pair of policyMappings: the issuer's policy counts as the subject's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PolicyMapping {
    pub(super) issuer: ObjectIdentifier,
    pub(super) subject: ObjectIdentifier,
}

/// policyConstraints: certificates that may follow before the rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PolicyConstraints {
    pub(super) require_explicit: Option<u32>,
    pub(super) inhibit_mapping: Option<u32>,
}

/// What a certificate says beyond its frame.
pub(super) struct Contents {
    pub(super) names: Vec<GeneralName>,
    pub(super) constraints: Option<NameConstraints>,
    pub(super) policies: Option<BTreeSet<ObjectIdentifier>>,
    pub(super) mappings: Vec<PolicyMapping>,
    pub(super) policy_constraints: PolicyConstraints,
    pub(super) inhibit_any: Option<u32>,
}

impl Contents {
    /// Reads the extensions, and checks what must hold for any certificate at `position` of a path.
    pub(super) fn read(certificate: &Certificate, position: usize) -> Result<Self, PathError> {
        check_critical(certificate, position)?;
        check_frame(certificate, position)?;
        let reader = Reader { certificate, position };
        let contents = Self {
            names: reader.read("subjectAltName", SUBJECT_ALT_NAME, read_names)?.unwrap_or_default(),
            constraints: reader.read("nameConstraints", NAME_CONSTRAINTS, NameConstraints::parse)?,
            policies: reader.read("certificatePolicies", CERTIFICATE_POLICIES, read_policies)?,
            mappings: reader.read("policyMappings", POLICY_MAPPINGS, read_mappings)?.unwrap_or_default(),
            policy_constraints: reader
                .read("policyConstraints", POLICY_CONSTRAINTS, PolicyConstraints::parse)?
                .unwrap_or_default(),
            inhibit_any: reader.read("inhibitAnyPolicy", INHIBIT_ANY_POLICY, read_skip)?,
        };
        if contents.constraints.is_some() && !certificate.is_ca() {
            return Err(reader.refuse("nameConstraints", "only an authority may have it (§4.2.1.10)"));
        }
        // §6.1.4 a
        if contents.mappings.iter().any(|pair| pair.issuer == ANY_POLICY || pair.subject == ANY_POLICY) {
            return Err(reader.refuse("policyMappings", "anyPolicy must not be mapped (§4.2.1.5)"));
        }
        Ok(contents)
    }
}

struct Reader<'a> {
    certificate: &'a Certificate,
    position: usize,
}

impl Reader<'_> {
    fn read<T>(
        &self,
        name: &'static str,
        oid: ObjectIdentifier,
        parse: impl FnOnce(&[u8]) -> der::Result<T>,
    ) -> Result<Option<T>, PathError> {
        let Some(extension) = self.certificate.extension(oid) else { return Ok(None) };
        parse(&extension.value).map(Some).map_err(|error| self.refuse(name, &format!("it is malformed: {error}")))
    }

    fn refuse(&self, extension: &'static str, why: &str) -> PathError {
        PathError::Extension { place: place(self.position, self.certificate), extension, why: why.to_owned() }
    }
}

/// §6.1.4 o, §6.1.5 f: nothing critical is left unread. authorityKeyIdentifier, subjectKeyIdentifier and
/// authorityInfoAccess must not be critical (§4.2.1.1, §4.2.1.2, §4.2.2.1), so they are no exception.
fn check_critical(certificate: &Certificate, position: usize) -> Result<(), PathError> {
    for extension in certificate.extensions().iter().filter(|extension| extension.critical) {
        let oid = extension.oid.to_string();
        if !PROCESSED.contains(&oid.as_str()) && extension.oid != INHIBIT_ANY_POLICY {
            return Err(PathError::UnknownCritical { place: place(position, certificate), extension: oid });
        }
    }
    Ok(())
}

/// What certificates of any place have in common.
fn check_frame(certificate: &Certificate, position: usize) -> Result<(), PathError> {
    let refuse = |extension, why: &str| {
        let why = why.to_owned();
        Err(PathError::Extension { place: place(position, certificate), extension, why })
    };
    if certificate.issuer().is_empty() {
        return Err(PathError::EmptyName { place: place(position, certificate), which: "issuer" });
    }
    if certificate.is_ca() && certificate.subject().is_empty() {
        return Err(PathError::EmptyName { place: place(position, certificate), which: "subject" });
    }
    if certificate.extended_key_usage().is_some_and(<[_]>::is_empty) {
        return refuse("extKeyUsage", "it names no purpose (§4.2.1.12)");
    }
    if !certificate.is_ca() && certificate.key_usage().is_some_and(|usage| usage.key_cert_sign()) {
        return refuse("keyUsage", "keyCertSign without cA in basicConstraints (§4.2.1.3)");
    }
    Ok(())
}

/// §6.1.4 k, n: what must hold for an issuer.
pub(super) fn check_issuer(certificate: &Certificate, position: usize) -> Result<(), PathError> {
    let broken = |violation| PathError::Rule { place: place(position, certificate), violation };
    if !certificate.is_ca() {
        return Err(broken(Violation::NotCa));
    }
    if certificate.key_usage().is_some_and(|usage| !usage.key_cert_sign()) {
        return Err(broken(Violation::KeyUsageLacks { usage: "keyCertSign" }));
    }
    Ok(())
}

fn read_names(value: &[u8]) -> der::Result<Vec<GeneralName>> {
    GeneralName::read_all(only(value, Tag::Sequence)?.value, MOST_NAMES)
}

/// `SEQUENCE SIZE (1..MAX) OF PolicyInformation ::= SEQUENCE { policyIdentifier, policyQualifiers OPTIONAL }`
fn read_policies(value: &[u8]) -> der::Result<BTreeSet<ObjectIdentifier>> {
    let mut list = Cursor::new(only(value, Tag::Sequence)?.value)?;
    let mut found = BTreeSet::new();
    while found.is_empty() || !list.is_finished() {
        let mut fields = list.enter(Tag::Sequence)?;
        let policy = fields.oid()?;
        fields.optional(Tag::Sequence)?;
        fields.finish()?;
        // §4.2.1.4: a policy must not appear twice.
        if !found.insert(policy) {
            return Err(Tag::Sequence.value_error().into());
        }
        if found.len() > MOST_POLICIES {
            return Err(ErrorKind::Overlength.into());
        }
    }
    Ok(found)
}

/// `SEQUENCE SIZE (1..MAX) OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy }`
fn read_mappings(value: &[u8]) -> der::Result<Vec<PolicyMapping>> {
    let mut list = Cursor::new(only(value, Tag::Sequence)?.value)?;
    let mut found = Vec::new();
    while found.is_empty() || !list.is_finished() {
        let mut fields = list.enter(Tag::Sequence)?;
        found.push(PolicyMapping { issuer: fields.oid()?, subject: fields.oid()? });
        fields.finish()?;
        if found.len() > MOST_POLICIES {
            return Err(ErrorKind::Overlength.into());
        }
    }
    Ok(found)
}

impl PolicyConstraints {
    /// `SEQUENCE { requireExplicitPolicy [0] OPTIONAL, inhibitPolicyMapping [1] OPTIONAL }`, not empty (§4.2.1.11).
    fn parse(value: &[u8]) -> der::Result<Self> {
        let mut fields = Cursor::new(only(value, Tag::Sequence)?.value)?;
        let skip = |field: Option<crate::pki::Tlv<'_>>| field.map(|field| count(field.value)).transpose();
        let require_explicit = skip(fields.optional(primitive(0))?)?;
        let inhibit_mapping = skip(fields.optional(primitive(1))?)?;
        fields.finish()?;
        if require_explicit.is_none() && inhibit_mapping.is_none() {
            return Err(Tag::Sequence.value_error().into());
        }
        Ok(Self { require_explicit, inhibit_mapping })
    }
}

/// `SkipCerts ::= INTEGER (0..MAX)`
fn read_skip(value: &[u8]) -> der::Result<u32> {
    count(only(value, Tag::Integer)?.value)
}

/// A number beyond 32 bits constrains nothing more than the largest.
fn count(octets: &[u8]) -> der::Result<u32> {
    match octets {
        [] | [0x80..=0xff, ..] => Err(Tag::Integer.value_error().into()),
        all => Ok(to_u32(all).unwrap_or(u32::MAX)),
    }
}
