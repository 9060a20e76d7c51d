//! Revocation of the certificates of a path: CRLs by RFC 5280 §6.3, OCSP by RFC 6960.
//!
//! What the Notary profile shares with this: the scope of a CRL ([`crate::pki::scope`]), its signature, the search for an
//! entry, the union of base and delta ([`crate::pki::crl`]), and OCSP. What it refuses is decided there: indirect CRLs and
//! those for some reasons only say nothing to it.

mod crls;

use std::collections::HashMap;

use super::build::{EndsAt, LinkedPath, Pool};
use super::{AnchorRole, Gap, Material, PathError, PathSettings, Purpose, state};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::pki::chain::{place, shown};
use crate::pki::{Certificate, OcspStatus, Revocation, VerifiedOcsp};
use crate::time::UnixTime;

/// How deep the question may lead from one certificate to another: the signer of its CRL, the signer of that one's CRL, …
const MOST_NESTING: usize = 4;
/// OCSP responses that are looked at for one certificate: each may cost a signature.
const MOST_RESPONSES: usize = 16;

/// What must be known about revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationMode {
    /// Nothing.
    #[default]
    Off,
    /// What is given counts; what cannot be determined is reported.
    Check,
    /// Every certificate below the anchor must be known to be good.
    Require,
}

/// What is known of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRevocation {
    /// The certificate.
    pub certificate: Certificate,
    /// What was found.
    pub standing: Standing,
    /// Why pieces of evidence that were given say nothing of it.
    pub gaps: Vec<Gap>,
}

/// Whether a certificate is in good standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is, and who says so.
    Good(String),
    /// Nobody says.
    Undetermined,
}

/// What was found out about one certificate.
#[derive(Debug, Clone)]
enum Found {
    Good(String),
    /// Revoked, and who says so.
    Revoked(Revocation, String),
    Undetermined,
}

/// Everything that is at hand, for the question whether certificates are revoked.
pub(super) struct Inquiry<'a> {
    material: &'a Material,
    settings: &'a PathSettings,
    crls: crls::Crls<'a>,
    /// What was found of certificates of paths, by where certificate, issuer and anchor lie in memory.
    known: HashMap<[usize; 3], (Found, Vec<Gap>)>,
    /// Certificates whose standing is being asked about: none may vouch for itself.
    asking: Vec<Certificate>,
}

/// Where a certificate stands: who issued it, and at which anchor its path ends.
#[derive(Clone, Copy)]
struct Context<'a> {
    issuer: &'a Certificate,
    anchor: &'a Certificate,
}

impl<'a> Inquiry<'a> {
    pub(super) fn new(material: &'a Material, settings: &'a PathSettings) -> Self {
        Self { material, settings, crls: crls::Crls::new(&material.crls), known: HashMap::new(), asking: Vec::new() }
    }

    /// Asks about every certificate below the anchor, from there down.
    pub(super) fn check_path(
        &mut self,
        pool: &mut Pool,
        path: &LinkedPath,
    ) -> Result<Vec<CertificateRevocation>, PathError> {
        self.check_above(pool, path, 0)
    }

    /// As [`Inquiry::check_path`], from a position of the path upward.
    fn check_above(
        &mut self,
        pool: &mut Pool,
        path: &LinkedPath,
        lowest: usize,
    ) -> Result<Vec<CertificateRevocation>, PathError> {
        if self.settings.revocation == RevocationMode::Off {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let issuers = path.certificates().iter().skip(1);
        let pairs: Vec<_> = path.below_anchor().zip(issuers).skip(lowest).collect();
        for ((position, certificate), issuer) in pairs.into_iter().rev() {
            let context = Context { issuer, anchor: path.anchor() };
            found.push(self.check(pool, certificate, position, context)?);
        }
        found.reverse();
        Ok(found)
    }

    fn check(
        &mut self,
        pool: &mut Pool,
        certificate: &Certificate,
        position: usize,
        context: Context<'_>,
    ) -> Result<CertificateRevocation, PathError> {
        let key = [certificate, context.issuer, context.anchor].map(|one| one.der().as_ptr().addr());
        let (found, gaps) = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = self.ask(pool, certificate, context);
                // Within another question the answer may depend on that.
                if self.asking.is_empty() {
                    self.known.insert(key, found.clone());
                }
                found
            }
        };
        let place = place(position, certificate);
        match found {
            Found::Revoked(revocation, source) => {
                let serial = certificate.serial().to_string();
                let says = format!("on {} ({}), says {source}", revocation.date, revocation.reason);
                Err(PathError::Revoked { place, serial, says })
            }
            Found::Undetermined if self.settings.revocation == RevocationMode::Require => {
                Err(PathError::RevocationUnknown { place, gaps })
            }
            Found::Undetermined => {
                Ok(CertificateRevocation { certificate: certificate.clone(), standing: Standing::Undetermined, gaps })
            }
            Found::Good(source) => {
                Ok(CertificateRevocation { certificate: certificate.clone(), standing: Standing::Good(source), gaps })
            }
        }
    }

    /// Revoked outranks good, whoever says either.
    fn ask(&mut self, pool: &mut Pool, certificate: &Certificate, context: Context<'_>) -> (Found, Vec<Gap>) {
        let mut gaps = Vec::new();
        if self.asking.contains(certificate) || self.asking.len() >= MOST_NESTING {
            let message = format!("the standing of \"{}\" would rest on itself", shown(certificate.subject()));
            gaps.push(Gap { code: DiagnosticCode::RevocationUnknown, message });
            return (Found::Undetermined, gaps);
        }
        self.asking.push(certificate.clone());
        let by_ocsp = self.ask_ocsp(pool, certificate, context, &mut gaps);
        let by_crl = match &by_ocsp {
            Found::Revoked(..) => Found::Undetermined,
            _ => self.ask_crls(pool, certificate, context, &mut gaps),
        };
        self.asking.pop();
        let found = match (by_ocsp, by_crl) {
            (found @ Found::Revoked(..), _) | (_, found @ Found::Revoked(..)) => found,
            (found @ Found::Good(_), _) | (_, found) => found,
        };
        if matches!(found, Found::Undetermined) && gaps.is_empty() {
            let message = format!("no CRL and no OCSP response speaks of \"{}\"", shown(certificate.subject()));
            gaps.push(Gap { code: DiagnosticCode::CrlMissing, message });
        }
        (found, gaps)
    }

    fn ask_ocsp(
        &mut self,
        pool: &mut Pool,
        certificate: &Certificate,
        context: Context<'_>,
        gaps: &mut Vec<Gap>,
    ) -> Found {
        let mut good = None;
        let responses = self.material.ocsp.iter().filter(|response| response.speaks_of(certificate, context.issuer));
        for response in responses.take(MOST_RESPONSES) {
            let verified = match response.verify_with(certificate, context.issuer, self.settings.weak) {
                Ok(verified) => verified,
                Err(error) => {
                    gaps.push(Gap { code: error.code(), message: error.to_string() });
                    continue;
                }
            };
            let source = format!(
                "the OCSP response of \"{}\" of {}",
                shown(verified.responder().certificate().subject()),
                verified.this_update()
            );
            let usable = self.check_current(&verified).and_then(|()| self.check_responder(pool, &verified, context));
            match (verified.status(), usable) {
                // A revocation for good stays one, however old the news.
                (OcspStatus::Revoked(revocation), usable) if usable.is_ok() || self.lasts(&revocation) => {
                    return Found::Revoked(revocation, source);
                }
                (OcspStatus::Good, Ok(())) => good = good.or(Some(source)),
                (OcspStatus::Unknown, Ok(())) => {
                    let message = format!("\"{}\" is unknown, says {source}", shown(certificate.subject()));
                    gaps.push(Gap { code: DiagnosticCode::OcspUnknown, message });
                }
                (_, Err(gap)) => gaps.push(gap),
                (OcspStatus::Revoked(_), Ok(())) => {}
            }
        }
        good.map_or(Found::Undetermined, Found::Good)
    }

    /// Whether a revocation that is told by evidence that is not current counts all the same: one that is not a hold, and was
    /// there at the time that counts.
    fn lasts(&self, revocation: &Revocation) -> bool {
        revocation.reason != crate::pki::RevocationReason::CertificateHold && revocation.date <= self.settings.at
    }

    fn check_current(&self, response: &VerifiedOcsp) -> Result<(), Gap> {
        let (this, next) = (response.this_update(), response.next_update());
        check_period("OCSP response", this, next, self.settings.at).map_err(|message| Gap {
            code: if this > self.settings.at { DiagnosticCode::OcspNotYetIssued } else { DiagnosticCode::OcspExpired },
            message,
        })
    }

    /// A responder that the issuer has appointed must be in good standing itself, unless the issuer says otherwise
    /// (RFC 6960 §4.2.2.2.1); only a CRL can tell.
    fn check_responder(&mut self, pool: &mut Pool, response: &VerifiedOcsp, context: Context<'_>) -> Result<(), Gap> {
        let Some(responder) = response.responder().to_check() else { return Ok(()) };
        let mut gaps = Vec::new();
        let why = match self.ask_crls(pool, responder, context, &mut gaps) {
            Found::Good(_) => return Ok(()),
            Found::Revoked(revocation, source) => format!("it was revoked on {}, says {source}", revocation.date),
            Found::Undetermined => {
                gaps.into_iter().next().map_or_else(|| "no CRL speaks of it".into(), |gap| gap.message)
            }
        };
        let subject = shown(responder.subject());
        let message = format!("the OCSP responder \"{subject}\" is not known to be in good standing: {why}");
        Err(Gap { code: DiagnosticCode::OcspResponderUnchecked, message })
    }

    /// Whether a signer of CRLs may be believed: its own path holds, ends at the same anchor (RFC 5280 §6.3.3 f), and nothing
    /// on it is revoked; of one that is in question now, the same without its own standing.
    fn check_signer(
        &mut self,
        pool: &mut Pool,
        signer: &Certificate,
        anchor: &Certificate,
        is_in_question: bool,
    ) -> Result<(), PathError> {
        let mut settings = self.settings.clone();
        settings.purpose = Purpose::Any;
        settings.policies = super::PolicyInputs::default();
        pool.search_to(signer, EndsAt::This(anchor), &mut |pool, path| {
            state::process(path, &settings)?;
            self.check_above(pool, path, usize::from(is_in_question)).map(|_| ())
        })
    }

    /// Whether keyUsage of a CRL's signer counts.
    fn is_bare_anchor(&self, signer: &Certificate, anchor: &Certificate) -> bool {
        self.settings.anchor == AnchorRole::NameAndKey && signer == anchor
    }
}

/// thisUpdate and nextUpdate, both inclusive; without nextUpdate nothing is current.
fn check_period(what: &str, this: UnixTime, next: Option<UnixTime>, at: UnixTime) -> Result<(), String> {
    let at = UnixTime::from_seconds(at.seconds());
    match next {
        _ if this > at => Err(format!("the {what} of {this} was issued after {at}")),
        None => Err(format!("the {what} of {this} names no next update, so it is not current at {at}")),
        Some(next) if next < at => Err(format!("the {what} of {this} expired on {next}, before {at}")),
        Some(_) => Ok(()),
    }
}
