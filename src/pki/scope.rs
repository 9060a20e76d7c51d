//! The scope of a CRL: issuingDistributionPoint (RFC 5280 §5.2.5, §6.3.3 b).

use der::Decode;
use x509_cert::ext::pkix::IssuingDistributionPoint as Decoded;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use super::Certificate;
use super::extension::{CRL_DISTRIBUTION_POINTS, MOST_POINTS, crl_points, names, urls};

/// The scope of a CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// URLs of the distribution point's full name.
    pub urls: Vec<String>,
    /// Lists end-entity certificates only.
    pub only_user_certs: bool,
    /// Lists CA certificates only.
    pub only_ca_certs: bool,
    /// Lists attribute certificates only.
    pub only_attribute_certs: bool,
    /// Lists some revocation reasons only.
    pub only_some_reasons: bool,
    /// Lists certificates of other issuers too.
    pub indirect: bool,
    name: Option<DistributionPointName>,
}

impl IssuingDistributionPoint {
    pub(crate) fn parse(value: &[u8]) -> der::Result<Self> {
        let decoded = Decoded::from_der(value)?;
        let names = names(decoded.distribution_point.as_ref());
        if names.len() > MOST_POINTS {
            return Err(der::ErrorKind::Overlength.into());
        }
        Ok(Self {
            urls: urls(names),
            only_user_certs: decoded.only_contains_user_certs,
            only_ca_certs: decoded.only_contains_ca_certs,
            only_attribute_certs: decoded.only_contains_attribute_certs,
            only_some_reasons: decoded.only_some_reasons.is_some(),
            indirect: decoded.indirect_crl,
            name: decoded.distribution_point,
        })
    }

    /// Whether a certificate of the CRL's issuer is in the scope; otherwise what the scope is.
    pub(crate) fn covers(&self, certificate: &Certificate) -> Result<(), &'static str> {
        if self.only_attribute_certs {
            return Err("it lists attribute certificates only");
        }
        if self.only_user_certs && certificate.is_ca() {
            return Err("it lists end-entity certificates only");
        }
        if self.only_ca_certs && !certificate.is_ca() {
            return Err("it lists CA certificates only");
        }
        if self.only_some_reasons {
            return Err("it lists certificates revoked for some reasons only");
        }
        match &self.name {
            Some(name) if !matches_points(name, certificate)? => Err("it belongs to another distribution point"),
            _ => Ok(()),
        }
    }
}

/// Whether a name of the CRL's distribution point is one of the certificate's. A certificate that names no point counts as one
/// that names its issuer (RFC 5280 §6.3.3, last paragraph).
fn matches_points(name: &DistributionPointName, certificate: &Certificate) -> Result<bool, &'static str> {
    let Some(extension) = certificate.extension(CRL_DISTRIBUTION_POINTS) else {
        let issuer = x509_cert::name::Name::from_der(certificate.issuer().der());
        return Ok(issuer.is_ok_and(|issuer| names(Some(name)).contains(&GeneralName::DirectoryName(issuer))));
    };
    let points = crl_points(&extension.value).map_err(|_| "the certificate's distribution points are malformed")?;
    Ok(points.iter().any(|point| match (name, &point.distribution_point) {
        (_, None) => point.crl_issuer.as_ref().is_some_and(|issuers| share_one(names(Some(name)), issuers)),
        (DistributionPointName::FullName(ours), Some(DistributionPointName::FullName(theirs))) => {
            share_one(ours, theirs)
        }
        (ours, Some(theirs)) => ours == theirs,
    }))
}

fn share_one(ours: &[GeneralName], theirs: &[GeneralName]) -> bool {
    ours.iter().any(|name| theirs.contains(name))
}
