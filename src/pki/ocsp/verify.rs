//! Who may answer for an authority, and what the answer is (RFC 6960 §3.2 and §4.2.2.2, conformance 10.09 to 10.14).

use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsages;

use super::OcspError;
use super::response::{Answer, OcspResponse, Status};
use crate::pki::chain::{check_valid_at, shown};
use crate::pki::{Certificate, Revocation, WeakHashes};
use crate::time::UnixTime;

const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
const NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");

/// Extensions of a responder's certificate that may be critical: each is processed here, or asks for nothing of it.
const PROCESSED: [&str; 7] = [
    "2.5.29.19",            // basicConstraints
    "2.5.29.15",            // keyUsage
    "2.5.29.37",            // extKeyUsage
    "2.5.29.31",            // cRLDistributionPoints, by the revocation check
    "2.5.29.32",            // certificatePolicies: none is asked for
    "2.5.29.17",            // subjectAltName
    "1.3.6.1.5.5.7.48.1.5", // ocsp-nocheck
];

/// What a response says of one certificate, its signature checked. How old it is, nobody has looked at.
#[derive(Debug, Clone)]
pub struct VerifiedOcsp {
    response: OcspResponse,
    status: OcspStatus,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    responder: Responder,
}

/// The status of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked(Revocation),
    /// The responder does not know the certificate.
    Unknown,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Responder {
    /// The issuer of the certificate itself.
    Issuer(Certificate),
    /// One that the issuer has appointed.
    Delegate {
        /// Its certificate, from the response.
        certificate: Certificate,
        /// Whether the issuer says that its revocation need not be checked (ocsp-nocheck). Otherwise a CRL must (conformance
        /// 10.13).
        no_check: bool,
    },
}

impl Responder {
    /// The certificate under whose key the signature holds.
    pub const fn certificate(&self) -> &Certificate {
        match self {
            Self::Issuer(certificate) | Self::Delegate { certificate, .. } => certificate,
        }
    }

    /// The certificate whose own revocation must be checked before the response counts.
    pub const fn to_check(&self) -> Option<&Certificate> {
        match self {
            Self::Delegate { certificate, no_check: false } => Some(certificate),
            Self::Issuer(_) | Self::Delegate { .. } => None,
        }
    }
}

impl VerifiedOcsp {
    /// The response.
    pub const fn response(&self) -> &OcspResponse {
        &self.response
    }

    /// The certificate's status.
    pub const fn status(&self) -> OcspStatus {
        self.status
    }

    /// When the response was signed.
    pub fn produced_at(&self) -> UnixTime {
        self.response.produced_at()
    }

    /// As of when the status holds.
    pub const fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// By when there will be newer information. Without it the responder says that there always is, so the response is not
    /// current at any later time (conformance 10.11).
    pub const fn next_update(&self) -> Option<UnixTime> {
        self.next_update
    }

    /// Who answered.
    pub const fn responder(&self) -> &Responder {
        &self.responder
    }
}

impl OcspResponse {
    /// Whether it has an answer about `certificate` of `issuer`; its signature is not looked at.
    pub fn speaks_of(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.answers().iter().any(|answer| answer.id.names(certificate, issuer))
    }

    /// Finds what it says of `certificate`, and checks that `issuer`, or a responder that `issuer` has appointed, says so.
    /// That `issuer` did issue the certificate is the chain's business, and the response's age that of a later check.
    ///
    /// # Errors
    /// It is about something else, a wrong or weak signature, a responder without a mandate, an unknown critical extension.
    pub fn verify(&self, certificate: &Certificate, issuer: &Certificate) -> Result<VerifiedOcsp, OcspError> {
        self.verify_with(certificate, issuer, WeakHashes::Refused)
    }

    /// As [`OcspResponse::verify`], where SHA-1 may be allowed.
    pub(crate) fn verify_with(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        weak: WeakHashes,
    ) -> Result<VerifiedOcsp, OcspError> {
        let not_covered = || OcspError::NotCovered {
            subject: shown(certificate.subject()),
            serial: certificate.serial().to_string(),
            issuer: shown(issuer.subject()),
        };
        if !certificate.issuer().matches(issuer.subject()) {
            return Err(not_covered());
        }
        // The worst of several answers counts.
        let named = self.answers().iter().filter(|answer| answer.id.names(certificate, issuer));
        let answer = named.max_by_key(|answer| badness(answer)).ok_or_else(not_covered)?;
        let responder = self.verify_responder(issuer, weak)?;
        if let Some(oid) = self.critical().or(answer.critical) {
            return Err(OcspError::UnsupportedExtension { extension: oid.to_string() });
        }
        Ok(VerifiedOcsp {
            response: self.clone(),
            status: match answer.status {
                Status::Good => OcspStatus::Good,
                Status::Revoked(revocation) => OcspStatus::Revoked(revocation),
                Status::Unknown => OcspStatus::Unknown,
            },
            this_update: answer.this_update,
            next_update: answer.next_update,
            responder,
        })
    }

    fn verify_responder(&self, issuer: &Certificate, weak: WeakHashes) -> Result<Responder, OcspError> {
        let mut failure = None;
        let signature = |certificate: &Certificate| {
            self.verify_signed_by(certificate, weak)
                .map_err(|source| OcspError::Signature { responder: shown(certificate.subject()), source })
        };
        if self.responder_id().is(issuer) {
            match signature(issuer) {
                Ok(()) => return Ok(Responder::Issuer(issuer.clone())),
                Err(error) => failure = Some(error),
            }
        }
        let named = self.certificates().iter().filter(|certificate| self.responder_id().is(certificate));
        for certificate in named.filter(|certificate| *certificate != issuer) {
            let verified = signature(certificate).and_then(|()| self.check_delegate(certificate, issuer, weak));
            match verified {
                Ok(()) => {
                    let no_check = certificate.extension(NO_CHECK).is_some();
                    return Ok(Responder::Delegate { certificate: certificate.clone(), no_check });
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| OcspError::ResponderAbsent {
            responder: crate::digest::shorten(&self.responder()),
            issuer: shown(issuer.subject()),
        }))
    }

    /// A delegate has its certificate from the issuer itself, for this purpose, and had it when it signed.
    fn check_delegate(&self, delegate: &Certificate, issuer: &Certificate, weak: WeakHashes) -> Result<(), OcspError> {
        let unfit = |why: String| OcspError::ResponderUnfit {
            responder: shown(delegate.subject()),
            issuer: shown(issuer.subject()),
            why,
        };
        if !delegate.issuer().matches(issuer.subject()) {
            return Err(unfit(format!("its certificate was issued by \"{}\"", shown(delegate.issuer()))));
        }
        delegate.verify_signed_by_with(issuer, weak).map_err(|source| OcspError::ResponderForeign {
            responder: shown(delegate.subject()),
            issuer: shown(issuer.subject()),
            source,
        })?;
        if !delegate.extended_key_usage().is_some_and(|found| found.contains(&OCSP_SIGNING)) {
            return Err(unfit("its certificate lacks the purpose OCSPSigning".into()));
        }
        if delegate.key_usage().is_some_and(|usage| !usage.0.contains(KeyUsages::DigitalSignature)) {
            return Err(unfit("its keyUsage lacks digitalSignature".into()));
        }
        let unknown = |oid: &ObjectIdentifier| !PROCESSED.contains(&oid.to_string().as_str());
        let critical = delegate.extensions().iter().filter(|extension| extension.critical);
        if let Some(oid) = critical.map(|extension| extension.oid).find(unknown) {
            return Err(unfit(format!("its certificate has the critical extension {oid}, which is not supported")));
        }
        check_valid_at(delegate, self.produced_at()).map_err(|source| OcspError::ResponderValidity { source })
    }
}

fn badness(answer: &Answer) -> u8 {
    match answer.status {
        Status::Good => 0,
        Status::Unknown => 1,
        Status::Revoked(_) => 2,
    }
}
