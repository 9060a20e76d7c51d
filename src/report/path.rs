//! How a certificate's path was judged (`schemas/path-v1.schema.json`), and what a CRL holds (`schemas/crl-v1.schema.json`).

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::tables::Clean;
use super::v1::Notice;
use crate::code::{Diagnostic as _, DiagnosticCode};
use crate::digest::Digest;
use crate::ops::path::{PathVerdict, Unusable};
use crate::pki::validation::{CertificateRevocation, PathError, PathSettings, RevocationMode, Standing, ValidPath};
use crate::pki::{Certificate, Crl, CrlLine, LineSays};
use crate::time::UnixTime;

/// The document of `bulla cert verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathReport {
    /// Always 1.
    pub schema_version: u32,
    /// What made the document.
    pub tool: String,
    /// The certificate in question; absent if it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether there is a valid path.
    pub valid: bool,
    /// The time at which it was judged.
    pub at: UnixTime,
    /// What it was judged for.
    pub purpose: String,
    /// What had to be known about revocation: `off`, `check` or `require`.
    pub revocation: String,
    /// Why there is no valid path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<PathFailure>,
    /// The path, leaf first, the anchor last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathCertificate>,
    /// The policies under which it is valid, in the anchor's terms; 2.5.29.32.0 stands for every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<PathPolicies>,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// Why there is no valid path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathFailure {
    /// The stable code.
    pub code: DiagnosticCode,
    /// The reason.
    pub message: String,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why each piece of revocation data says nothing, where that is the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Notice>,
}

/// One certificate of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 of the DER.
    pub fingerprint: Digest,
    /// From when it is valid.
    pub not_before: UnixTime,
    /// Until when it is valid.
    pub not_after: UnixTime,
    /// Whether it is the trust anchor.
    pub anchor: bool,
    /// What is known about its revocation; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<PathStanding>,
}

/// What is known about a certificate's revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathStanding {
    /// `good` or `undetermined`.
    pub status: String,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why other pieces of evidence say nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<Notice>,
}

/// Policies (RFC 5280 §6.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathPolicies {
    /// What the authorities assert.
    pub authority_constrained: Vec<String>,
    /// Those of them that were asked for.
    pub user_constrained: Vec<String>,
}

/// What a path's verification found, for documents about paths and about what rests on them.
pub(super) struct PathFacts {
    pub(super) path: Vec<PathCertificate>,
    pub(super) notices: Vec<Notice>,
}

impl PathReport {
    /// Makes the report.
    pub fn new(verdict: &PathVerdict, settings: &PathSettings) -> Self {
        let mut report = Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            subject: verdict.leaf.as_ref().map(|leaf| leaf.subject().to_string()),
            valid: verdict.outcome.is_ok(),
            at: settings.at,
            purpose: settings.purpose.as_str().to_owned(),
            revocation: mode(settings.revocation).to_owned(),
            failure: None,
            path: Vec::new(),
            policies: None,
            notices: Vec::new(),
        };
        match &verdict.outcome {
            Ok(path) => report.take_path(path),
            Err(error) => report.failure = Some(PathFailure::new(error)),
        }
        report.notices.extend(verdict.unusable.iter().map(left_out));
        report
    }

    fn take_path(&mut self, path: &ValidPath) {
        let facts = PathFacts::new(path);
        self.path = facts.path;
        self.notices = facts.notices;
        let texts = |set: &std::collections::BTreeSet<crate::pki::ObjectIdentifier>| {
            set.iter().map(ToString::to_string).collect()
        };
        let policies = path.policies();
        self.policies = Some(PathPolicies {
            authority_constrained: texts(&policies.authority_constrained),
            user_constrained: texts(&policies.user_constrained),
        });
    }
}

/// Tells of something given that could not be used.
pub(super) fn left_out(unusable: &Unusable) -> Notice {
    Notice {
        code: unusable.code,
        message: format!("{}, number {}, was left out: {}", unusable.file, unusable.position, unusable.message),
    }
}

impl PathFacts {
    pub(super) fn new(path: &ValidPath) -> Self {
        let (mut found, mut notices) = (Vec::new(), Vec::new());
        let anchor = path.certificates().len().saturating_sub(1);
        let mut standings = path.revocation().iter();
        for (position, certificate) in path.certificates().iter().enumerate() {
            let known = if position < anchor { standings.next() } else { None };
            found.push(PathCertificate::new(certificate, position == anchor, known));
            if let Some(CertificateRevocation { standing: Standing::Undetermined, gaps, .. }) = known {
                let why = gaps.first().map(|gap| format!(": {}", gap.message)).unwrap_or_default();
                let message = format!("whether \"{}\" is revoked could not be determined{why}", certificate.subject());
                notices.push(Notice { code: DiagnosticCode::RevocationUnknown, message });
            }
        }
        for departure in path.departures() {
            let message = format!("{}: {}", departure.place, departure.what);
            notices.push(Notice { code: DiagnosticCode::ProfileDeparture, message });
        }
        Self { path: found, notices }
    }
}

const fn mode(mode: RevocationMode) -> &'static str {
    match mode {
        RevocationMode::Off => "off",
        RevocationMode::Check => "check",
        RevocationMode::Require => "require",
    }
}

impl PathFailure {
    pub(super) fn new(error: &PathError) -> Self {
        let evidence = match error {
            PathError::RevocationUnknown { gaps, .. } => gaps.iter().map(notice).collect(),
            _ => Vec::new(),
        };
        Self { code: error.code(), message: error.to_string(), hint: error.hint(), evidence }
    }
}

fn notice(gap: &crate::pki::validation::Gap) -> Notice {
    Notice { code: gap.code, message: gap.message.clone() }
}

impl PathCertificate {
    pub(super) fn new(certificate: &Certificate, anchor: bool, known: Option<&CertificateRevocation>) -> Self {
        let validity = certificate.validity();
        let standing = known.map(|known| {
            let (status, source) = match &known.standing {
                Standing::Good(source) => ("good", Some(source.clone())),
                Standing::Undetermined => ("undetermined", None),
            };
            PathStanding { status: status.to_owned(), source, unusable: known.gaps.iter().map(notice).collect() }
        });
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: certificate.serial().to_string(),
            fingerprint: certificate.fingerprint(),
            not_before: validity.not_before,
            not_after: validity.not_after,
            anchor,
            standing,
        }
    }
}

/// Writes the report for people.
///
/// # Errors
/// Those of the writer.
pub fn write_path(report: &PathReport, out: &mut dyn Write) -> io::Result<()> {
    let word = if report.valid { "VALID" } else { "NOT VALID" };
    writeln!(out, "{word}  {}", Clean(report.subject.as_deref().unwrap_or("the certificate")))?;
    write_failure(report.failure.as_ref(), out)?;
    writeln!(out, "  at           {}", report.at)?;
    writeln!(out, "  purpose      {}", report.purpose)?;
    write_certificates(&report.path, out)?;
    if let Some(policies) = report.policies.as_ref().filter(|policies| !policies.user_constrained.is_empty()) {
        writeln!(out, "  policies     {}", policies.user_constrained.join(", "))?;
    }
    write_notices(&report.notices, out)
}

pub(super) fn write_failure(failure: Option<&PathFailure>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(failure) = failure {
        writeln!(out, "  why          {}: {}", failure.code, Clean(&failure.message))?;
        for other in failure.evidence.iter().skip(1) {
            writeln!(out, "  also         {}: {}", other.code, Clean(&other.message))?;
        }
        if let Some(hint) = &failure.hint {
            writeln!(out, "               hint: {}", Clean(hint))?;
        }
    }
    Ok(())
}

pub(super) fn write_notices(notices: &[Notice], out: &mut dyn Write) -> io::Result<()> {
    notices.iter().try_for_each(|notice| writeln!(out, "note[{}]: {}", notice.code, Clean(&notice.message)))
}

pub(super) fn write_certificates(path: &[PathCertificate], out: &mut dyn Write) -> io::Result<()> {
    for (index, certificate) in path.iter().enumerate() {
        let role = if certificate.anchor { " (trust anchor)" } else { "" };
        let number = index.saturating_add(1);
        writeln!(out, "  certificate  {number}. {}{role}", Clean(&certificate.subject))?;
        writeln!(
            out,
            "               serial {}, {} to {}",
            certificate.serial, certificate.not_before, certificate.not_after
        )?;
        if let Some(standing) = &certificate.standing {
            let source = standing.source.as_deref().map(|source| format!(": {source}")).unwrap_or_default();
            writeln!(out, "               revocation {}{}", standing.status, Clean(&source))?;
            for gap in &standing.unusable {
                writeln!(out, "               unusable: {}: {}", gap.code, Clean(&gap.message))?;
            }
        }
    }
    Ok(())
}

/// The document of `bulla cert crl show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrlReport {
    /// Always 1.
    pub schema_version: u32,
    /// What made the document.
    pub tool: String,
    /// The CRLs of the file, in its order. Nothing was verified.
    pub crls: Vec<CrlFacts>,
}

/// What a CRL says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrlFacts {
    /// Who issued it, by its own claim.
    pub issuer: String,
    /// SHA-256 of the DER.
    pub digest: Digest,
    /// When it was issued.
    pub this_update: UnixTime,
    /// By when the next one will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
    /// The CRL number, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Of a delta CRL: the number of the base that it needs, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_crl_number: Option<String>,
    /// What it is limited to: `onlyContainsUserCerts`, `indirectCRL`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// URLs of its distribution point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// URLs of delta CRLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freshest_urls: Vec<String>,
    /// What it lists, in its order.
    pub entries: Vec<CrlEntryFacts>,
}

/// One line of a CRL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrlEntryFacts {
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// Of an indirect CRL: who issued the certificate, if not the CRL's issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_issuer: Option<String>,
    /// Since when it is revoked, or, for `removeFromCRL`, no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<UnixTime>,
    /// The reason, in the spelling of RFC 5280.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when the key is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidity_date: Option<UnixTime>,
    /// Why the entry cannot be interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl CrlReport {
    /// Makes the report.
    pub fn new(crls: &[Crl]) -> Self {
        Self { schema_version: 1, tool: super::TOOL.to_owned(), crls: crls.iter().map(CrlFacts::new).collect() }
    }
}

impl CrlFacts {
    fn new(crl: &Crl) -> Self {
        let number = |number: Option<&crate::pki::SerialNumber>| number.map(ToString::to_string);
        Self {
            issuer: crl.issuer().to_string(),
            digest: crl.digest(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            number: number(crl.number()),
            base_crl_number: number(crl.base_crl_number()),
            scope: scope(crl),
            urls: crl.idp().map(|idp| idp.urls.clone()).unwrap_or_default(),
            freshest_urls: crl.freshest_urls().to_vec(),
            entries: crl.lines().map(|line| CrlEntryFacts::new(&line)).collect(),
        }
    }
}

fn scope(crl: &Crl) -> Vec<String> {
    let Some(idp) = crl.idp() else { return Vec::new() };
    let flags = [
        (idp.only_user_certs, "onlyContainsUserCerts"),
        (idp.only_ca_certs, "onlyContainsCACerts"),
        (idp.only_attribute_certs, "onlyContainsAttributeCerts"),
        (idp.only_some_reasons, "onlySomeReasons"),
        (idp.indirect, "indirectCRL"),
    ];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned()).collect()
}

impl CrlEntryFacts {
    fn new(line: &CrlLine) -> Self {
        let mut facts = Self {
            serial: line.serial.to_string(),
            certificate_issuer: line.certificate_issuer.as_ref().map(ToString::to_string),
            date: None,
            reason: None,
            invalidity_date: None,
            problem: None,
        };
        match line.says {
            Ok(LineSays::Revoked(revocation)) => {
                facts.date = Some(revocation.date);
                facts.reason = Some(revocation.reason.as_str().to_owned());
                facts.invalidity_date = revocation.invalidity_date;
            }
            Ok(LineSays::Removed(date)) => {
                facts.date = Some(date);
                facts.reason = Some("removeFromCRL".into());
            }
            Err(why) => facts.problem = Some(why.to_owned()),
        }
        facts
    }
}

/// Writes the CRLs for people.
///
/// # Errors
/// Those of the writer.
pub fn write_crls(report: &CrlReport, out: &mut dyn Write) -> io::Result<()> {
    for crl in &report.crls {
        let kind = if crl.base_crl_number.is_some() { "DELTA CRL" } else { "CRL" };
        writeln!(out, "{kind}  {}", Clean(&crl.issuer))?;
        writeln!(out, "  digest       {}", crl.digest)?;
        let next = crl.next_update.map_or_else(|| "no next update".to_owned(), |next| format!("until {next}"));
        writeln!(out, "  issued       {}, {next}", crl.this_update)?;
        if let Some(number) = &crl.number {
            writeln!(out, "  number       {number}")?;
        }
        if let Some(base) = &crl.base_crl_number {
            writeln!(out, "  base         {base}")?;
        }
        for (word, list) in [("scope", &crl.scope), ("url", &crl.urls), ("delta", &crl.freshest_urls)] {
            for text in list {
                writeln!(out, "  {word:<11}  {}", Clean(text))?;
            }
        }
        writeln!(out, "  entries      {}", crl.entries.len())?;
        for entry in &crl.entries {
            write!(out, "    {}", entry.serial)?;
            if let (Some(date), Some(reason)) = (entry.date, &entry.reason) {
                write!(out, "  {date}  {reason}")?;
            }
            if let Some(date) = entry.invalidity_date {
                write!(out, "  in doubt since {date}")?;
            }
            if let Some(issuer) = &entry.certificate_issuer {
                write!(out, "  of {}", Clean(issuer))?;
            }
            match &entry.problem {
                Some(problem) => writeln!(out, "  not understood: {problem}")?,
                None => writeln!(out)?,
            }
        }
    }
    writeln!(out, "Nothing was verified: this is what the file says.")
}
