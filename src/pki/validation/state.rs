//! Processing a path from the anchor down (RFC 5280 §6.1.2 to §6.1.5).

use std::collections::BTreeSet;

use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsages;

use super::build::LinkedPath;
use super::extensions::{ANY_POLICY, Contents, check_issuer};
use super::name_constraints::Constraints;
use super::policy_graph::PolicyGraph;
use super::{AnchorRole, PathError, PathSettings, Purpose};
use crate::pki::chain::{check_valid_at, place};
use crate::pki::extension::EXTENDED_KEY_USAGE;
use crate::pki::profile::ANY_PURPOSE;
use crate::pki::{Certificate, Violation};
use crate::time::UnixTime;

/// The policies under which a path is valid (RFC 5280 §6.1.6, RFC 9618 §5.5), in the anchor's terms. anyPolicy,
/// `2.5.29.32.0`, stands for every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidPolicies {
    /// What the authorities assert.
    pub authority_constrained: BTreeSet<ObjectIdentifier>,
    /// Those of them that the operator asked for.
    pub user_constrained: BTreeSet<ObjectIdentifier>,
}

/// The variables of §6.1.2.
struct State<'a> {
    settings: &'a PathSettings,
    constraints: Constraints,
    policies: PolicyGraph,
    explicit_policy: usize,
    policy_mapping: usize,
    inhibit_any: usize,
    /// max_path_length, and who set it.
    path_length: Option<PathLength>,
}

struct PathLength {
    left: usize,
    allowed: u32,
    /// Position and certificate of who set it.
    by: (usize, Certificate),
    below: usize,
}

/// Checks everything about a path but revocation. Its signatures and names were checked when it was linked.
pub(super) fn process(path: &LinkedPath, settings: &PathSettings) -> Result<ValidPolicies, PathError> {
    let anchor_position = path.anchor_position();
    let mut state = State::new(settings, anchor_position);
    if anchor_position == 0 {
        // The leaf is an anchor itself: what holds for a leaf must hold, and nobody constrains it.
        return state.leaf(path.leaf());
    }
    if settings.anchor == AnchorRole::Certificate {
        state.anchor(path.anchor(), anchor_position)?;
    }
    for (position, certificate) in path.below_anchor().rev() {
        if position == 0 {
            return state.leaf(certificate);
        }
        state.intermediate(certificate, position)?;
    }
    // A path ends with its leaf; this is never reached.
    Err(PathError::TooManyPaths { subject: path.leaf().short_name() })
}

/// The validity of a certificate, in whole seconds as RFC 5280 §4.1.2.5 has it, both ends inclusive.
pub(super) fn check_validity(certificate: &Certificate, at: UnixTime) -> Result<(), PathError> {
    check_valid_at(certificate, UnixTime::from_seconds(at.seconds())).map_err(|source| PathError::Validity { source })
}

impl<'a> State<'a> {
    /// §6.1.2, for a path of `length` certificates below the anchor.
    fn new(settings: &'a PathSettings, length: usize) -> Self {
        // A leaf that is its own anchor counts as a path of one.
        let all = length.max(1).saturating_add(1);
        let unless = |set: bool| if set { 0 } else { all };
        Self {
            settings,
            constraints: Constraints::new(),
            policies: PolicyGraph::new(),
            explicit_policy: unless(settings.policies.require_explicit),
            policy_mapping: unless(settings.policies.inhibit_mapping),
            inhibit_any: unless(settings.policies.inhibit_any),
            path_length: None,
        }
    }

    /// The anchor's own certificate, with what it says about the certificates below (RFC 5937 §3, without its policies).
    fn anchor(&mut self, anchor: &Certificate, position: usize) -> Result<(), PathError> {
        let contents = Contents::read(anchor, position)?;
        check_validity(anchor, self.settings.at)?;
        check_issuer(anchor, position)?;
        check_nested_purpose(anchor, position, self.settings.purpose)?;
        self.constrain(anchor, position, &contents);
        Ok(())
    }

    /// §6.1.3 and §6.1.4
    fn intermediate(&mut self, certificate: &Certificate, position: usize) -> Result<(), PathError> {
        let contents = Contents::read(certificate, position)?;
        let self_issued = is_self_issued(certificate);
        check_validity(certificate, self.settings.at)?;
        if !self_issued {
            self.constraints.check(certificate, &contents.names, position)?;
        }
        let any_counts = self.inhibit_any > 0 || self_issued;
        self.take_policies(certificate, position, &contents, any_counts)?;
        // §6.1.4
        self.policies.descend(&contents.mappings, self.policy_mapping > 0);
        check_issuer(certificate, position)?;
        check_nested_purpose(certificate, position, self.settings.purpose)?;
        if !self_issued {
            self.step(certificate)?;
            for counter in [&mut self.explicit_policy, &mut self.policy_mapping, &mut self.inhibit_any] {
                *counter = counter.saturating_sub(1);
            }
        }
        self.constrain(certificate, position, &contents);
        Ok(())
    }

    /// §6.1.3 and §6.1.5
    fn leaf(&mut self, certificate: &Certificate) -> Result<ValidPolicies, PathError> {
        let contents = Contents::read(certificate, 0)?;
        check_validity(certificate, self.settings.at)?;
        check_purpose(certificate, self.settings.purpose)?;
        self.constraints.check(certificate, &contents.names, 0)?;
        self.take_policies(certificate, 0, &contents, self.inhibit_any > 0)?;
        self.explicit_policy = self.explicit_policy.saturating_sub(1);
        if contents.policy_constraints.require_explicit == Some(0) {
            self.explicit_policy = 0;
        }
        let found = self.valid_policies();
        if self.explicit_policy == 0 && found.user_constrained.is_empty() {
            let why =
                "an explicit policy is required, and none of those that are asked for is valid for the whole path";
            return Err(PathError::Policy { place: place(0, certificate), why: why.into() });
        }
        Ok(found)
    }

    /// §6.1.3 d to f
    fn take_policies(
        &mut self,
        certificate: &Certificate,
        position: usize,
        contents: &Contents,
        any_counts: bool,
    ) -> Result<(), PathError> {
        self.policies.restrict(contents.policies.as_ref(), any_counts);
        if self.explicit_policy == 0 && self.policies.is_empty() {
            let why = "an explicit policy is required, and no policy is valid from the anchor down to here";
            return Err(PathError::Policy { place: place(position, certificate), why: why.into() });
        }
        Ok(())
    }

    /// §6.1.4 l
    fn step(&mut self, certificate: &Certificate) -> Result<(), PathError> {
        let Some(length) = &mut self.path_length else { return Ok(()) };
        length.below = length.below.saturating_add(1);
        match length.left.checked_sub(1) {
            Some(left) => {
                length.left = left;
                Ok(())
            }
            None => {
                debug_assert!(certificate.is_ca(), "checked before");
                let (position, by) = &length.by;
                let violation = Violation::PathTooLong { allowed: length.allowed, below: length.below };
                Err(PathError::Rule { place: place(*position, by), violation })
            }
        }
    }

    /// §6.1.4 g, i, j, m: what an authority says about the certificates below it.
    fn constrain(&mut self, certificate: &Certificate, position: usize, contents: &Contents) {
        if let Some(constraints) = &contents.constraints {
            self.constraints.add(constraints);
        }
        let lower = |counter: &mut usize, value: Option<u32>| {
            if let Some(value) = value.and_then(|value| usize::try_from(value).ok()) {
                *counter = value.min(*counter);
            }
        };
        lower(&mut self.explicit_policy, contents.policy_constraints.require_explicit);
        lower(&mut self.policy_mapping, contents.policy_constraints.inhibit_mapping);
        lower(&mut self.inhibit_any, contents.inhibit_any);
        if let Some(allowed) = certificate.basic_constraints().and_then(|constraints| constraints.path_len) {
            let left = usize::try_from(allowed).unwrap_or(usize::MAX);
            if self.path_length.as_ref().is_none_or(|length| left < length.left) {
                self.path_length = Some(PathLength { left, allowed, by: (position, certificate.clone()), below: 0 });
            }
        }
    }

    /// §6.1.5 g
    fn valid_policies(&self) -> ValidPolicies {
        let authority = self.policies.authority_constrained();
        let initial = &self.settings.policies.initial;
        let user = if initial.is_empty() || initial.contains(&ANY_POLICY) {
            authority.clone()
        } else if authority.contains(&ANY_POLICY) {
            initial.clone()
        } else {
            authority.intersection(initial).copied().collect()
        };
        ValidPolicies { authority_constrained: authority, user_constrained: user }
    }
}

/// RFC 5280 §6.1: the same name as issuer and subject.
pub(super) fn is_self_issued(certificate: &Certificate) -> bool {
    certificate.issuer().matches(certificate.subject())
}

/// An issuer's extKeyUsage, if it has one, must let those below it do what is asked for. RFC 5280 leaves that open; all
/// who validate do so.
fn check_nested_purpose(issuer: &Certificate, position: usize, purpose: Purpose) -> Result<(), PathError> {
    let Some(wanted) = purpose.oid() else { return Ok(()) };
    match issuer.extended_key_usage() {
        Some(found) if !found.contains(&wanted) && !found.contains(&ANY_PURPOSE) => Err(PathError::Purpose {
            place: place(position, issuer),
            purpose: purpose.as_str(),
            why: "its extKeyUsage does not let those below it be used so".into(),
        }),
        _ => Ok(()),
    }
}

/// §4.2.1.3 and §4.2.1.12: keyUsage and extKeyUsage, each if it is there, must both allow the purpose.
fn check_purpose(leaf: &Certificate, purpose: Purpose) -> Result<(), PathError> {
    let refuse = |why: &str| {
        let (place, purpose) = (place(0, leaf), purpose.as_str());
        Err(PathError::Purpose { place, purpose, why: why.to_owned() })
    };
    let Some(wanted) = purpose.oid() else { return Ok(()) };
    if let Some(found) = leaf.extended_key_usage()
        && !found.contains(&wanted)
        && !found.contains(&ANY_PURPOSE)
    {
        return refuse("its extKeyUsage names other purposes");
    }
    if purpose == Purpose::Timestamping {
        // RFC 3161 §2.3
        if leaf.extended_key_usage().is_none_or(|found| found != [wanted]) {
            return refuse("its extKeyUsage must be timeStamping and nothing else (RFC 3161 §2.3)");
        }
        if !leaf.is_critical(EXTENDED_KEY_USAGE) {
            return refuse("its extKeyUsage must be critical (RFC 3161 §2.3)");
        }
    }
    let usages = purpose.key_usages();
    if leaf.key_usage().is_some_and(|found| !usages.iter().any(|(usage, _)| found.0.contains(*usage))) {
        let names: Vec<&str> = usages.iter().map(|(_, name)| *name).collect();
        return refuse(&format!("its keyUsage has none of {}", names.join(", ")));
    }
    Ok(())
}

impl Purpose {
    /// Of which keyUsage must have one.
    const fn key_usages(self) -> &'static [(KeyUsages, &'static str)] {
        const SIGNATURE: (KeyUsages, &str) = (KeyUsages::DigitalSignature, "digitalSignature");
        const COMMITMENT: (KeyUsages, &str) = (KeyUsages::NonRepudiation, "nonRepudiation");
        const ENCIPHERMENT: (KeyUsages, &str) = (KeyUsages::KeyEncipherment, "keyEncipherment");
        const AGREEMENT: (KeyUsages, &str) = (KeyUsages::KeyAgreement, "keyAgreement");
        match self {
            Self::Any => &[],
            Self::CodeSigning => &[SIGNATURE],
            Self::Timestamping => &[SIGNATURE, COMMITMENT],
            Self::ServerAuth => &[SIGNATURE, ENCIPHERMENT, AGREEMENT],
            Self::ClientAuth => &[SIGNATURE, AGREEMENT],
        }
    }
}
