//! The profile that RFC 5280 §4 and §5 set for authorities, where §6 does not make validation depend on it. Departures
//! are told, because the next validator may be stricter; they make a path invalid only where the operator asks for that.

use der::asn1::ObjectIdentifier;

use super::build::LinkedPath;
use super::extensions::{NAME_CONSTRAINTS, POLICY_CONSTRAINTS, SUBJECT_ALT_NAME};
use super::{Material, state};
use crate::pki::chain::{place, shown};
use crate::pki::extension::BASIC_CONSTRAINTS;
use crate::pki::general_name::GeneralName;
use crate::pki::tlv::only;
use crate::pki::{Certificate, Crl, Place};

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// Names of one certificate that are looked at.
const MOST_NAMES: usize = 10_000;

/// A rule for authorities that a certificate or CRL does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The certificate; of a CRL, the leaf.
    pub place: Place,
    /// The rule, and where it stands.
    pub what: String,
}

/// Every departure of a path, leaf first, and of the CRLs of its issuers.
pub(super) fn departures(path: &LinkedPath, material: &Material) -> Vec<Departure> {
    let mut found = Vec::new();
    for (position, certificate) in path.certificates().iter().enumerate() {
        let is_anchor = position == path.anchor_position();
        for what in of_certificate(certificate, is_anchor) {
            found.push(Departure { place: place(position, certificate), what: what.into() });
        }
    }
    let is_here = |crl: &&Crl| path.certificates().iter().skip(1).any(|issuer| issuer.subject().matches(crl.issuer()));
    for crl in material.crls.iter().filter(is_here) {
        if let Some(what) = of_crl(crl) {
            let what = format!("the CRL of \"{}\" of {}: {what}", shown(crl.issuer()), crl.this_update());
            found.push(Departure { place: place(0, path.leaf()), what });
        }
    }
    found
}

fn of_certificate(certificate: &Certificate, is_anchor: bool) -> Vec<&'static str> {
    let has = |oid| certificate.extension(oid).is_some();
    let lax = |oid| has(oid) && !certificate.is_critical(oid);
    let is_self_signed = is_anchor && state::is_self_issued(certificate);
    let serial = certificate.serial().as_bytes();
    let names =
        certificate.extension(SUBJECT_ALT_NAME).map(|found| alternative_names(&found.value)).unwrap_or_default();
    let hosts = || {
        names.iter().filter_map(|name| match name {
            GeneralName::Dns(host) => Some(host.as_str()),
            _ => None,
        })
    };
    let rules = [
        (!has(AUTHORITY_KEY_IDENTIFIER) && !is_self_signed, "authorityKeyIdentifier is missing (§4.2.1.1)"),
        (!has(SUBJECT_KEY_IDENTIFIER) && certificate.is_ca(), "subjectKeyIdentifier is missing (§4.2.1.2)"),
        (lax(BASIC_CONSTRAINTS) && certificate.is_ca(), "basicConstraints is not critical (§4.2.1.9)"),
        (lax(NAME_CONSTRAINTS), "nameConstraints is not critical (§4.2.1.10)"),
        (lax(POLICY_CONSTRAINTS), "policyConstraints is not critical (§4.2.1.11)"),
        (
            lax(SUBJECT_ALT_NAME) && certificate.subject().is_empty(),
            "subjectAltName is not critical beside an empty subject (§4.2.1.6)",
        ),
        (hosts().any(|host| !is_preferred(host)), "a dNSName is not in the preferred name syntax (§4.2.1.6)"),
        (hosts().any(is_address), "a dNSName is an address (§4.2.1.6)"),
        (
            serial == [0] || serial.first().is_some_and(|octet| *octet >= 0x80),
            "the serial number is not positive (§4.1.2.2)",
        ),
    ];
    rules.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, what)| what).collect()
}

fn of_crl(crl: &Crl) -> Option<&'static str> {
    if crl.number().is_none() {
        return Some("cRLNumber is missing (§5.2.3)");
    }
    crl.has_critical_number().then_some("cRLNumber is critical (§5.2.3)")
}

fn alternative_names(value: &[u8]) -> Vec<GeneralName> {
    let list = only(value, der::Tag::Sequence);
    list.and_then(|list| GeneralName::read_all(list.value, MOST_NAMES)).unwrap_or_default()
}

/// RFC 1034 §3.5: letters, digits and hyphens; and the wildcard of RFC 6125.
fn is_preferred(host: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    !host.is_empty()
        && host
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}
