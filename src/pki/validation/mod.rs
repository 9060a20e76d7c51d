//! Path validation as RFC 5280 has it: §6.1 for certificates, §6.3 for CRLs, RFC 6960 for OCSP.
//!
//! [`validate`] builds paths over whatever is at hand and judges each until one holds. Timestamp verification of the Notary
//! profile ([`crate::pki::build_timestamping_chain`]) is a thin profile over the same search and the same processing.

mod build;
mod duties;
mod error;
mod extensions;
mod name_constraints;
mod policy_graph;
mod revocation;
mod state;

use std::collections::BTreeSet;

use der::asn1::ObjectIdentifier;

pub use build::SignatureCheck;
pub(super) use build::{Bounds, LinkedPath, Pool};
pub use duties::Departure;
pub use error::{Gap, PathError};
pub use revocation::{CertificateRevocation, RevocationMode, Standing};
pub use state::ValidPolicies;

use self::revocation::Inquiry;
use super::{Certificate, Crl, OcspResponse, WeakHashes};
use crate::pki::profile::TIME_STAMPING;
use crate::time::UnixTime;

/// What one search may cost. An honest path takes five signatures, about as many steps, and is among the first to be judged;
/// so is that of each signer of a CRL.
const BOUNDS: Bounds = Bounds { signatures: 1_000, steps: 20_000, paths: 256, depth: 32 };

/// What the leaf is to be used for (RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signing code.
    CodeSigning,
    /// RFC 3161 timestamps.
    Timestamping,
    /// TLS, as a server. Host names are not compared.
    ServerAuth,
    /// TLS, as a client.
    ClientAuth,
    /// Nothing is asked of keyUsage and extKeyUsage of the leaf.
    Any,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [Self::CodeSigning, Self::Timestamping, Self::ServerAuth, Self::ClientAuth, Self::Any];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeSigning => "code-signing",
            Self::Timestamping => "timestamping",
            Self::ServerAuth => "server-auth",
            Self::ClientAuth => "client-auth",
            Self::Any => "any",
        }
    }

    const fn oid(self) -> Option<ObjectIdentifier> {
        match self {
            Self::CodeSigning => Some(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3")),
            Self::Timestamping => Some(TIME_STAMPING),
            Self::ServerAuth => Some(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1")),
            Self::ClientAuth => Some(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")),
            Self::Any => None,
        }
    }
}

/// What a trust anchor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnchorRole {
    /// Its certificate counts: validity, basicConstraints, keyUsage, critical extensions, and its constraints on names,
    /// path length and policies for what lies below.
    #[default]
    Certificate,
    /// It is a name and a key, as RFC 5280 §6.1.1 d allows.
    NameAndKey,
}

/// The inputs of RFC 5280 §6.1.1 about policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyInputs {
    /// user-initial-policy-set; empty means anyPolicy.
    pub initial: BTreeSet<ObjectIdentifier>,
    /// initial-explicit-policy
    pub require_explicit: bool,
    /// initial-policy-mapping-inhibit
    pub inhibit_mapping: bool,
    /// initial-any-policy-inhibit
    pub inhibit_any: bool,
}

/// Whether departures from the profile that RFC 5280 §4 and §5 set for authorities count, where §6 does not ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duties {
    /// They are reported.
    #[default]
    Reported,
    /// They make a path invalid.
    Enforced,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSettings {
    /// The time at which the path is judged; fractions of a second are cut off.
    pub at: UnixTime,
    /// What the leaf is to be used for.
    pub purpose: Purpose,
    /// Policies.
    pub policies: PolicyInputs,
    /// What a trust anchor is.
    pub anchor: AnchorRole,
    /// Whether SHA-1 is let through.
    pub weak: WeakHashes,
    /// What must be known about revocation.
    pub revocation: RevocationMode,
    /// Whether authorities must keep RFC 5280's profile.
    pub duties: Duties,
}

impl PathSettings {
    /// Nothing but what RFC 5280 §6.1 asks for by itself.
    pub fn new(at: UnixTime) -> Self {
        Self {
            at,
            purpose: Purpose::Any,
            policies: PolicyInputs::default(),
            anchor: AnchorRole::default(),
            weak: WeakHashes::default(),
            revocation: RevocationMode::Off,
            duties: Duties::default(),
        }
    }
}

/// What is at hand. Nothing but the anchors is trusted.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Trust anchors.
    pub anchors: Vec<Certificate>,
    /// Other certificates, in any order.
    pub untrusted: Vec<Certificate>,
    /// CRLs, complete and delta.
    pub crls: Vec<Crl>,
    /// OCSP responses.
    pub ocsp: Vec<OcspResponse>,
}

/// A path that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidPath {
    certificates: Vec<Certificate>,
    policies: ValidPolicies,
    revocation: Vec<CertificateRevocation>,
    departures: Vec<Departure>,
}

impl ValidPath {
    /// Leaf first, the anchor last.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The policies under which it is valid.
    pub const fn policies(&self) -> &ValidPolicies {
        &self.policies
    }

    /// What is known of every certificate below the anchor, leaf first; empty where nobody asked.
    pub fn revocation(&self) -> &[CertificateRevocation] {
        &self.revocation
    }

    /// Where its certificates depart from the profile of RFC 5280, though that does not make them invalid.
    pub fn departures(&self) -> &[Departure] {
        &self.departures
    }
}

/// Looks for a path from `leaf` to one of the anchors that is valid as RFC 5280 §6.1 says, and whose certificates are not
/// revoked as §6.3 says.
///
/// # Errors
/// Of all paths that were tried, the failure that came furthest.
pub fn validate(leaf: &Certificate, material: &Material, settings: &PathSettings) -> Result<ValidPath, PathError> {
    let mut pool = Pool::new(&material.anchors, &material.untrusted, settings.weak, settings.at, BOUNDS);
    let mut inquiry = Inquiry::new(material, settings);
    pool.search(leaf, &mut |pool, path| {
        let policies = state::process(path, settings)?;
        let departures = duties::departures(path, material);
        if let (Duties::Enforced, Some(departure)) = (settings.duties, departures.first()) {
            return Err(PathError::Departure { place: departure.place.clone(), what: departure.what.clone() });
        }
        let revocation = inquiry.check_path(pool, path)?;
        Ok(ValidPath { certificates: path.certificates().to_vec(), policies, revocation, departures })
    })
}

/// Checks everything about a linked path but revocation.
pub(super) fn process(path: &LinkedPath, settings: &PathSettings) -> Result<ValidPolicies, PathError> {
    state::process(path, settings)
}
