//! A small certificate authority for examples and tests. **Not for production**: its keys live in memory only, it
//! keeps no record of what it issued, and it issues whatever it is asked to.
//!
//! What it makes follows the Notary Project's profile (conformance 5.04 to 5.14): P-256 keys, ECDSA with SHA-256.

use std::time::Duration;

use const_oid::db::rfc5280::{ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING};
use der::asn1::{BitString, Ia5String};
use der::referenced::OwnedToRef;
use der::{DateTime, Decode, Encode};
use p256::ecdsa::{DerSignature, SigningKey};
use signature::Signer as _;
use spki::{DynSignatureAlgorithmIdentifier as _, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, CrlNumber, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

pub use x509_cert::ext::pkix::CrlReason;

use super::error::KeyError;
use super::key::random_p256;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::time::{UnixTime, ValidityPeriod};

/// What a certificate is to say.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The subject in RFC 4514 form, most specific part first: `CN=…,O=…,ST=…,C=…`.
    pub subject: &'a str,
    /// From when until when it holds.
    pub validity: ValidityPeriod,
    /// Where its issuer's CRL is; a root has none.
    pub crl_url: Option<&'a str>,
}

/// What a leaf's key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafUsage {
    /// Notary Project signatures (conformance 5.11 to 5.13).
    CodeSigning,
    /// RFC 3161 timestamps: the extended key usage is critical and the only one (conformance 5.14).
    Timestamping,
}

/// One line of a CRL.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// The DER of the revoked certificate.
    pub certificate: Vec<u8>,
    /// Since when.
    pub date: UnixTime,
    /// Why.
    pub reason: CrlReason,
}

/// A certificate authority in memory.
pub struct Authority {
    key: SigningKey,
    certificate: x509_cert::Certificate,
    /// DER, this authority first, the root last.
    chain: Vec<Vec<u8>>,
}

impl Authority {
    /// A self-signed root.
    ///
    /// # Errors
    /// The subject or a time cannot be written in a certificate, or the system has no randomness.
    pub fn root(request: &Request<'_>) -> Result<Self, AuthorityError> {
        let key = random_p256()?;
        let profile = Profile::of(request, None, Role::Authority { below: None })?;
        let certificate = profile.sign(request, public_key(&key)?, &key)?;
        let chain = vec![certificate.to_der()?];
        Ok(Self { key, certificate, chain })
    }

    /// An authority below this one, which issues leaves only.
    ///
    /// # Errors
    /// As [`Authority::root`].
    pub fn intermediate(&self, request: &Request<'_>) -> Result<Self, AuthorityError> {
        let key = random_p256()?;
        let profile = Profile::of(request, Some(&self.certificate), Role::Authority { below: Some(0) })?;
        let certificate = profile.sign(request, public_key(&key)?, &self.key)?;
        let mut chain = vec![certificate.to_der()?];
        chain.extend_from_slice(&self.chain);
        Ok(Self { key, certificate, chain })
    }

    /// Certifies a public key (DER of a `SubjectPublicKeyInfo`) and returns the whole chain in DER, leaf first.
    ///
    /// # Errors
    /// As [`Authority::root`], or the public key is malformed.
    pub fn leaf(
        &self,
        request: &Request<'_>,
        usage: LeafUsage,
        public_key: &[u8],
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let profile = Profile::of(request, Some(&self.certificate), Role::Leaf(usage))?;
        let certificate = profile.sign(request, SubjectPublicKeyInfoOwned::from_der(public_key)?, &self.key)?;
        let mut chain = vec![certificate.to_der()?];
        chain.extend_from_slice(&self.chain);
        Ok(chain)
    }

    /// Its certificates in DER, its own first, the root last.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Its root in DER.
    pub fn root_certificate(&self) -> &[u8] {
        self.chain.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// A CRL of version 2 with CRLNumber and AuthorityKeyIdentifier (RFC 5280 §5), in DER. Every entry has its reason,
    /// save `Unspecified`, which RFC 5280 §5.3.1 leaves out.
    ///
    /// # Errors
    /// A time cannot be written in a CRL, or a revoked certificate is malformed.
    pub fn crl(
        &self,
        this_update: UnixTime,
        next_update: UnixTime,
        number: u64,
        revoked: &[Revocation],
    ) -> Result<Vec<u8>, AuthorityError> {
        let entries = revoked.iter().map(Revocation::entry).collect::<Result<Vec<_>, _>>()?;
        let tbs_cert_list = TbsCertList {
            version: Version::V2,
            signature: self.key.signature_algorithm_identifier()?,
            issuer: self.certificate.tbs_certificate().subject().clone(),
            this_update: time(this_update)?,
            next_update: Some(time(next_update)?),
            revoked_certificates: (!entries.is_empty()).then_some(entries),
            crl_extensions: Some(self.crl_extensions(number)?),
        };
        let signature: DerSignature = self.key.try_sign(&tbs_cert_list.to_der()?)?;
        let signature = BitString::from_bytes(signature.as_bytes())?;
        let signature_algorithm = tbs_cert_list.signature.clone();
        Ok(CertificateList { tbs_cert_list, signature_algorithm, signature }.to_der()?)
    }

    /// The AuthorityKeyIdentifier is that of the key that signs the list. (x509-cert's own builder copies the one in
    /// the authority's certificate, which names the key above, and openssl then finds no CRL for an intermediate.)
    fn crl_extensions(&self, number: u64) -> Result<Vec<Extension>, AuthorityError> {
        let tbs = self.certificate.tbs_certificate();
        let name = tbs.subject();
        let identifier = AuthorityKeyIdentifier::try_from(tbs.subject_public_key_info().owned_to_ref())?;
        let number = CrlNumber::try_from(number)?;
        Ok(vec![extension(name, (false, &identifier))?, extension(name, (false, &number))?])
    }
}

/// A leaf for code signing that an RSA key vouches for itself.
pub(super) fn self_signed(
    request: &Request<'_>,
    key: &rsa::pkcs1v15::SigningKey<sha2::Sha256>,
) -> Result<x509_cert::Certificate, AuthorityError> {
    let profile = Profile::of(request, None, Role::Leaf(LeafUsage::CodeSigning))?;
    let public_key = SubjectPublicKeyInfoOwned::from_key(&signature::Keypair::verifying_key(key))?;
    Ok(profile.builder(request, public_key)?.build::<_, rsa::pkcs1v15::Signature>(key)?)
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.certificate.tbs_certificate().subject())
    }
}

impl Revocation {
    fn entry(&self) -> Result<RevokedCert, AuthorityError> {
        let certificate = x509_cert::Certificate::from_der(&self.certificate)?;
        let reason = (self.reason != CrlReason::Unspecified)
            .then(|| extension(&Name::default(), (false, &self.reason)).map(|reason| vec![reason]))
            .transpose()?;
        Ok(RevokedCert {
            serial_number: certificate.tbs_certificate().serial_number().clone(),
            revocation_date: time(self.date)?,
            crl_entry_extensions: reason,
        })
    }
}

fn public_key(key: &SigningKey) -> Result<SubjectPublicKeyInfoOwned, AuthorityError> {
    Ok(SubjectPublicKeyInfoOwned::from_key(key.verifying_key())?)
}

/// 127 random bits, so that no two certificates of any authority share a serial number.
pub(super) fn serial_number() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(KeyError::from)?;
    let [first, ..] = &mut bytes;
    *first &= 0x7f;
    Ok(SerialNumber::new(&bytes)?)
}

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5).
fn time(time: UnixTime) -> Result<Time, AuthorityError> {
    Ok(Time::from(date_time(time)?))
}

pub(super) fn date_time(time: UnixTime) -> Result<DateTime, AuthorityError> {
    let seconds = u64::try_from(time.seconds()).map_err(|_| AuthorityError::Time { time })?;
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| AuthorityError::Time { time })
}

/// What a certificate is for.
#[derive(Clone, Copy)]
enum Role {
    /// Issues certificates; `below` says how many authorities may follow.
    Authority { below: Option<u8> },
    /// Signs.
    Leaf(LeafUsage),
}

/// The extensions and names of one certificate, as x509-cert's builder asks for them.
struct Profile {
    subject: Name,
    /// The issuer; a root is its own.
    issuer: Option<Name>,
    role: Role,
    crl_points: Option<CrlDistributionPoints>,
}

impl Profile {
    fn of(request: &Request<'_>, issuer: Option<&x509_cert::Certificate>, role: Role) -> Result<Self, AuthorityError> {
        Ok(Self {
            subject: request.subject.parse()?,
            issuer: issuer.map(|issuer| issuer.tbs_certificate().subject().clone()),
            role,
            crl_points: request.crl_url.map(crl_points).transpose()?,
        })
    }

    fn sign(
        self,
        request: &Request<'_>,
        public_key: SubjectPublicKeyInfoOwned,
        issuer: &SigningKey,
    ) -> Result<x509_cert::Certificate, AuthorityError> {
        Ok(self.builder(request, public_key)?.build::<_, DerSignature>(issuer)?)
    }

    fn builder(
        self,
        request: &Request<'_>,
        public_key: SubjectPublicKeyInfoOwned,
    ) -> Result<CertificateBuilder<Self>, AuthorityError> {
        let validity = Validity::new(time(request.validity.not_before)?, time(request.validity.not_after)?);
        Ok(CertificateBuilder::new(self, serial_number()?, validity, public_key)?)
    }

    const fn key_usage(&self) -> KeyUsages {
        match self.role {
            Role::Authority { .. } => KeyUsages::KeyCertSign,
            Role::Leaf(_) => KeyUsages::DigitalSignature,
        }
    }

    fn basic_constraints(&self) -> BasicConstraints {
        match self.role {
            Role::Authority { below } => BasicConstraints { ca: true, path_len_constraint: below },
            Role::Leaf(_) => BasicConstraints { ca: false, path_len_constraint: None },
        }
    }

    fn extended_key_usage(&self) -> der::Result<Option<Extension>> {
        let (critical, oid) = match self.role {
            Role::Authority { .. } => return Ok(None),
            Role::Leaf(LeafUsage::CodeSigning) => (false, ID_KP_CODE_SIGNING),
            Role::Leaf(LeafUsage::Timestamping) => (true, ID_KP_TIME_STAMPING),
        };
        extension(&self.subject, (critical, &ExtendedKeyUsage(vec![oid]))).map(Some)
    }
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, subject: &Name) -> Name {
        self.issuer.as_ref().unwrap_or(subject).clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let name = &self.subject;
        let mut usage = KeyUsage(self.key_usage().into());
        if matches!(self.role, Role::Authority { .. }) {
            usage.0 |= KeyUsages::CRLSign;
        }
        let mut extensions = vec![
            extension(name, (true, &self.basic_constraints()))?,
            extension(name, (true, &usage))?,
            extension(name, (false, &SubjectKeyIdentifier::try_from(key)?))?,
        ];
        extensions.extend(self.extended_key_usage()?);
        if self.issuer.is_some() {
            extensions.push(extension(name, (false, &AuthorityKeyIdentifier::try_from(issuer_key)?))?);
        }
        if let Some(points) = &self.crl_points {
            extensions.push(extension(name, (false, points))?);
        }
        Ok(extensions)
    }
}

fn extension<E: const_oid::AssociatedOid + Encode>(
    subject: &Name,
    (critical, value): (bool, &E),
) -> der::Result<Extension>
where
    for<'a> (bool, &'a E): ToExtension<Error = der::Error>,
{
    (critical, value).to_extension(subject, &[])
}

fn crl_points(url: &str) -> der::Result<CrlDistributionPoints> {
    let name = GeneralName::UniformResourceIdentifier(Ia5String::new(url)?);
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    }]))
}

/// Why the authority did not issue what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A name, key or structure that cannot be written.
    #[error("the certificate, CRL or token cannot be encoded: {0}")]
    Der(#[from] der::Error),
    /// A public key that cannot be written.
    #[error("the public key cannot be encoded: {0}")]
    PublicKey(#[from] spki::Error),
    /// The certificate could not be put together.
    #[error("the certificate cannot be built: {0}")]
    Build(#[from] x509_cert::builder::Error),
    /// A time before 1970 or far in the future.
    #[error("{time} cannot be written in a certificate")]
    Time {
        /// The time.
        time: UnixTime,
    },
    /// A key could not be made or did not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key did not sign.
    #[error("the key did not sign: {0}")]
    Signature(#[from] signature::Error),
    /// A hash whose length is not that of its algorithm.
    #[error("the digest to be stamped has {found} octets, not {expected}")]
    DigestLength {
        /// What it has.
        found: usize,
        /// What the algorithm makes.
        expected: usize,
    },
}

impl Diagnostic for AuthorityError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Key(error) => error.code(),
            Self::Time { .. } => DiagnosticCode::UsageInvalid,
            _ => DiagnosticCode::InternalError,
        }
    }
}
