//! The Notary Project's rules for each certificate of a chain, as tables (conformance 5.07 to 5.14).
//!
//! Where specification and reference differ, the stricter one holds.

use std::fmt;

use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsages;

use super::error::Violation;
use super::extension::{BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE};
use super::{Certificate, KeyKind};

pub(crate) const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
pub(crate) const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What the leaf signs, which decides the rules of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Notary Project signatures.
    CodeSigning,
    /// RFC 3161 timestamps.
    Timestamping,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeSigning => "code signing",
            Self::Timestamping => "timestamping",
        })
    }
}

/// Which extensions must be critical.
struct Criticality {
    key_usage: bool,
    issuer_basic_constraints: bool,
}

/// Purposes that a signer of a profile may have.
enum Purposes {
    /// extKeyUsage is optional; these must not be in it.
    Forbidden(&'static [(ObjectIdentifier, &'static str)]),
    /// extKeyUsage must be there, critical, and this alone.
    Only(ObjectIdentifier),
}

/// 5.13: the specification forbids anyExtendedKeyUsage, the reference OCSPSigning; bulla forbids both (14.03).
const FORBIDDEN_PURPOSES: [(ObjectIdentifier, &str); 6] = [
    (ANY_PURPOSE, "anyExtendedKeyUsage"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"), "serverAuth"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"), "clientAuth"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"), "emailProtection"),
    (TIME_STAMPING, "timeStamping"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9"), "OCSPSigning"),
];

/// 5.12; nonRepudiation is tolerated.
const FORBIDDEN_USAGES: [(KeyUsages, &str); 7] = [
    (KeyUsages::KeyEncipherment, "keyEncipherment"),
    (KeyUsages::DataEncipherment, "dataEncipherment"),
    (KeyUsages::KeyAgreement, "keyAgreement"),
    (KeyUsages::KeyCertSign, "keyCertSign"),
    (KeyUsages::CRLSign, "cRLSign"),
    (KeyUsages::EncipherOnly, "encipherOnly"),
    (KeyUsages::DecipherOnly, "decipherOnly"),
];

impl Profile {
    const fn criticality(self) -> Criticality {
        match self {
            Self::CodeSigning => Criticality { key_usage: true, issuer_basic_constraints: true },
            // 5.10: only SHOULD for timestamping, and public authorities differ.
            Self::Timestamping => Criticality { key_usage: false, issuer_basic_constraints: false },
        }
    }

    const fn purposes(self) -> Purposes {
        match self {
            Self::CodeSigning => Purposes::Forbidden(&FORBIDDEN_PURPOSES),
            Self::Timestamping => Purposes::Only(TIME_STAMPING),
        }
    }

    /// Checks the leaf, and finds the kind of its key.
    pub(crate) fn check_leaf(self, leaf: &Certificate) -> Result<KeyKind, Violation> {
        if leaf.is_ca() {
            return Err(Violation::LeafIsCa);
        }
        self.check_usage(leaf, KeyUsages::DigitalSignature, "digitalSignature", &FORBIDDEN_USAGES)?;
        match self.purposes() {
            Purposes::Forbidden(forbidden) => check_forbidden_purposes(leaf, forbidden)?,
            Purposes::Only(purpose) => check_only_purpose(leaf, purpose)?,
        }
        let key = leaf.public_key();
        key.kind().ok_or_else(|| Violation::Key { key: key.describe() })
    }

    /// Checks an issuer that has `below` CA certificates below it.
    pub(crate) fn check_issuer(self, issuer: &Certificate, below: usize) -> Result<(), Violation> {
        let constraints = issuer.basic_constraints().filter(|constraints| constraints.ca).ok_or(Violation::NotCa)?;
        if self.criticality().issuer_basic_constraints && !issuer.is_critical(BASIC_CONSTRAINTS) {
            return Err(Violation::BasicConstraintsNotCritical);
        }
        if let Some(allowed) = constraints.path_len
            && usize::try_from(allowed).is_ok_and(|allowed| allowed < below)
        {
            return Err(Violation::PathTooLong { allowed, below });
        }
        self.check_usage(issuer, KeyUsages::KeyCertSign, "keyCertSign", &[])
    }

    fn check_usage(
        self,
        certificate: &Certificate,
        needed: KeyUsages,
        usage: &'static str,
        forbidden: &[(KeyUsages, &'static str)],
    ) -> Result<(), Violation> {
        let found = certificate.key_usage().ok_or(Violation::KeyUsageMissing)?.0;
        if self.criticality().key_usage && !certificate.is_critical(KEY_USAGE) {
            return Err(Violation::KeyUsageNotCritical);
        }
        if !found.contains(needed) {
            return Err(Violation::KeyUsageLacks { usage });
        }
        match forbidden.iter().find(|(usage, _)| found.contains(*usage)) {
            Some((_, usage)) => Err(Violation::KeyUsageForbidden { usage }),
            None => Ok(()),
        }
    }
}

fn check_forbidden_purposes(
    leaf: &Certificate,
    forbidden: &[(ObjectIdentifier, &'static str)],
) -> Result<(), Violation> {
    let found = leaf.extended_key_usage().unwrap_or_default();
    match forbidden.iter().find(|(purpose, _)| found.contains(purpose)) {
        Some((_, purpose)) => Err(Violation::ExtendedKeyUsageForbidden { purpose }),
        None => Ok(()),
    }
}

fn check_only_purpose(leaf: &Certificate, purpose: ObjectIdentifier) -> Result<(), Violation> {
    let found = leaf.extended_key_usage().ok_or(Violation::ExtendedKeyUsageMissing)?;
    if !leaf.is_critical(EXTENDED_KEY_USAGE) {
        return Err(Violation::ExtendedKeyUsageNotCritical);
    }
    if found != [purpose] {
        return Err(Violation::ExtendedKeyUsageNotOnlyTimestamping);
    }
    Ok(())
}

/// Whether an issuer's extKeyUsage, if it has one, lets those below it make timestamps.
pub(crate) fn check_nested_purpose(issuer: &Certificate) -> Result<(), Violation> {
    match issuer.extended_key_usage() {
        Some(found) if !found.contains(&TIME_STAMPING) && !found.contains(&ANY_PURPOSE) => {
            Err(Violation::ExtendedKeyUsageLacksTimestamping)
        }
        _ => Ok(()),
    }
}
