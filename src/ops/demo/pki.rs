//! The demo's certificates: two roots, each with an issuing authority, one of which certifies the signer and the
//! other the timestamp authority.

use std::time::Duration;

use der::pem::LineEnding;

use super::{CA_STORE, DemoCrl, DemoError, TSA_STORE};
use crate::signer::authority::{Authority, CrlReason, LeafUsage, Request, Revocation};
use crate::signer::tsa::TimestampAuthority;
use crate::signer::{LocalKey, LocalSigner, Signer as _};
use crate::time::{UnixTime, ValidityPeriod};

/// Whom the demo's policy trusts.
pub(super) const TRUSTED_IDENTITY: &str = "C=NL, ST=Utrecht, O=Bulla Demo";

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// The authorities and their CRLs' places. The domain is one of those that RFC 2606 keeps for examples.
const ROOT_CRL: &str = "http://crl.bulla.example/root.crl";
const ISSUING_CRL: &str = "http://crl.bulla.example/issuing.crl";
const TSA_ROOT_CRL: &str = "http://crl.bulla.example/tsa-root.crl";
const TSA_ISSUING_CRL: &str = "http://crl.bulla.example/tsa-issuing.crl";

/// Two chains of three.
pub(super) struct DemoPki {
    signing: Hierarchy,
    stamping: Hierarchy,
    pub(super) signer: LocalSigner,
    pub(super) timestamp_authority: TimestampAuthority,
}

impl DemoPki {
    pub(super) fn create(now: UnixTime) -> Result<Self, DemoError> {
        let signing = Hierarchy::create(now, "", ROOT_CRL)?;
        let stamping = Hierarchy::create(now, "Time ", TSA_ROOT_CRL)?;
        let key = LocalKey::generate_p256()?;
        let subject = subject("Release Signer");
        let request = Request { subject: &subject, validity: years(now, 1), crl_url: Some(ISSUING_CRL) };
        let chain = signing.issuing.leaf(&request, LeafUsage::CodeSigning, &key.public_key_der()?)?;
        let signer = LocalSigner::new(key, chain)?;
        let subject = self::subject("Timestamp Authority");
        let request = Request { subject: &subject, validity: years(now, 3), crl_url: Some(TSA_ISSUING_CRL) };
        let timestamp_authority = TimestampAuthority::new(&stamping.issuing, &request, Some(Duration::from_secs(1)))?;
        Ok(Self { signing, stamping, signer, timestamp_authority })
    }

    /// The CRLs of all four authorities; `revoked` are certificates of the signing side's issuing authority. Revoking
    /// makes the next number of each.
    pub(super) fn crls(&self, now: UnixTime, revoked: &[Revocation]) -> Result<Vec<DemoCrl>, DemoError> {
        let this_update = now.saturating_sub(MINUTE * 5);
        let next_update = now.saturating_add(DAY * 30);
        let number = if revoked.is_empty() { 1 } else { 2 };
        let crl = |authority: &Authority, url: &str, revoked: &[Revocation]| {
            let der = authority.crl(this_update, next_update, number, revoked)?;
            Ok(DemoCrl { url: url.to_owned(), der })
        };
        [
            crl(&self.signing.root, ROOT_CRL, &[]),
            crl(&self.signing.issuing, ISSUING_CRL, revoked),
            crl(&self.stamping.root, TSA_ROOT_CRL, &[]),
            crl(&self.stamping.issuing, TSA_ISSUING_CRL, &[]),
        ]
        .into_iter()
        .collect()
    }

    /// The signer's key, reported stolen ten minutes ago.
    pub(super) fn signer_revocation(&self, now: UnixTime) -> Revocation {
        Revocation {
            certificate: self.signer.certificates().first().cloned().unwrap_or_default(),
            date: now.saturating_sub(MINUTE * 10),
            reason: CrlReason::KeyCompromise,
        }
    }

    /// The two roots as PEM, by their path below `truststore/x509` (conformance 6.01, 6.05, 6.08).
    pub(super) fn trust_store(&self) -> Result<Vec<(String, Vec<u8>)>, DemoError> {
        Ok(vec![
            (format!("ca/{CA_STORE}/root.pem"), pem(self.signing.root.root_certificate())?),
            (format!("tsa/{TSA_STORE}/root.pem"), pem(self.stamping.root.root_certificate())?),
        ])
    }
}

struct Hierarchy {
    root: Authority,
    issuing: Authority,
}

impl Hierarchy {
    /// A root, whose CRL is at `root_crl`, and an issuing authority below it.
    fn create(now: UnixTime, prefix: &str, root_crl: &str) -> Result<Self, DemoError> {
        let name = subject(&format!("{prefix}Root"));
        let root = Authority::root(&Request { subject: &name, validity: years(now, 20), crl_url: None })?;
        let name = subject(&format!("{prefix}Issuing Authority"));
        let request = Request { subject: &name, validity: years(now, 5), crl_url: Some(root_crl) };
        Ok(Self { issuing: root.intermediate(&request)?, root })
    }
}

fn subject(common_name: &str) -> String {
    format!("CN=Bulla Demo {common_name},O=Bulla Demo,ST=Utrecht,C=NL")
}

/// From thirty days ago, for about so many years in all.
fn years(now: UnixTime, years: u32) -> ValidityPeriod {
    let not_before = now.saturating_sub(DAY * 30);
    ValidityPeriod { not_before, not_after: not_before.saturating_add(DAY * 365 * years) }
}

fn pem(der: &[u8]) -> Result<Vec<u8>, DemoError> {
    let text = der::pem::encode_string("CERTIFICATE", LineEnding::LF, der)
        .map_err(|error| DemoError::Encoding(spki::Error::Asn1(error.into())))?;
    Ok(text.into_bytes())
}
