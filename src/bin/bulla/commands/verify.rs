//! `bulla verify TARGET`

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::oci::{Reference, Repository};
use bulla::ops;
use bulla::ops::verify::{Depth, Judging, Subject, VerifiedRoot};
use bulla::report::inspection::gaps;
use bulla::report::text::write_report;
use bulla::report::v1::{Clock, NetworkUse, Notice, Report, Word};
use bulla::verification::Verdict;

use super::judging::{Terms, unique};
use crate::args::{self, Format, Verify};
use crate::error::{CommandError, Status};
use crate::locate::{Notation, Opened, open_as};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Verify) -> Result<Status, CommandError> {
    let limits = limits(arguments.max_signatures);
    // What a verification plugin is told is checked also where no signature asks for one.
    unique(&arguments.plugin_config, "--plugin-config")?;
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let opened = open_as(Notation::of(arguments.oci_layout), &arguments.target, &network, &limits)?;
    let report = if arguments.integrity_only {
        check_integrity(&opened, &limits)?
    } else {
        judge(&opened, &arguments.judging, &arguments.files, &network, &limits)?.1
    };
    print(&report, arguments.output.format)?;
    Ok(status(report.verdict, arguments.integrity_only))
}

/// More than the usual number of signatures is a flood unless the operator expects them.
fn limits(max_signatures: usize) -> Limits {
    let usual = Limits::default();
    Limits { judged_signatures: max_signatures, signatures: usual.signatures.max(max_signatures), ..usual }
}

/// The bytes alone were asked for, so that they are sound is success; nothing is said of trust.
const fn status(verdict: Word, integrity_only: bool) -> Status {
    match verdict {
        Word::Trusted => Status::Done,
        Word::NotJudged if integrity_only => Status::Done,
        Word::Skipped | Word::Undecided | Word::NotJudged => Status::Undecided,
        Word::Rejected => Status::Rejected,
    }
}

pub(crate) fn print(report: &Report, format: Format) -> Result<(), CommandError> {
    match format {
        Format::Json => terminal::print_json(report),
        Format::Text => terminal::print(|out| write_report(report, out)),
    }
}

fn check_integrity(opened: &Opened, limits: &Limits) -> Result<Report, CommandError> {
    let progress = Bars::new();
    let verification = ops::verify::verify(&subject(opened)?, &Depth::Integrity, limits, progress.as_ref())?;
    Ok(Report::new(opened.place.clone(), None, &verification, notices(opened, None)))
}

fn subject(opened: &Opened) -> Result<Subject<'_>, CommandError> {
    Ok(Subject {
        store: opened.store.as_ref(),
        roots: super::inspect::roots(opened)?,
        omitted: opened.omitted(),
        listed: opened.listed(),
    })
}

/// Judges everything that is meant. A bundle never reaches for the network.
pub(crate) fn judge(
    opened: &Opened,
    arguments: &args::Judging,
    files: &args::FileJudging,
    network: &Network,
    limits: &Limits,
) -> Result<(ops::verify::Verification, Report), CommandError> {
    let live = if arguments.offline || opened.is_bundle() { None } else { network.evidence()? };
    let used = if live.is_some() { NetworkUse::Allowed } else { NetworkUse::Forbidden };
    let subject = subject(opened)?;
    if let [root] = subject.roots.as_slice() {
        opened.warn_of_tag(&root.descriptor.digest);
    }
    let names = || subject.roots.iter().map(|root| root.reference.as_ref());
    let is_file = |name: &Option<&Reference>| name.is_some_and(ops::file::is_file);
    let files = names().any(|name| is_file(&name)).then_some(files);
    let others: Vec<_> = names().filter(|name| !is_file(name)).collect();
    let named = others.iter().filter_map(|name| name.map(|name| &name.repository));
    let scopes: Vec<&Repository> = match &arguments.scope {
        Some(scope) if !others.is_empty() => vec![scope],
        _ => named.collect(),
    };
    let terms = Terms::load(arguments, files, &scopes, used, limits)?;
    for warning in &terms.warnings {
        terminal::say(&format!("warning: {warning}"));
    }
    let judging = Judging {
        trust: &terms.trust,
        at: terms.at,
        freshness: arguments.freshness,
        revocation: arguments.revocation_time,
        scope: arguments.scope.clone(),
        user_metadata: terms.user_metadata.clone(),
        supplied: &terms.supplied,
        live,
    };
    let progress = Bars::new();
    let verification = ops::verify::verify(&subject, &Depth::Judge(judging), limits, progress.as_ref())?;
    let mut notices = notices(opened, Some(&terms.clock));
    notices.extend(verification.artifacts.iter().filter_map(unjudged));
    let report = Report::new(opened.place.clone(), Some(terms.clock), &verification, notices);
    Ok((verification, report))
}

/// That none is good counts for little where not all were judged (conformance 1.27).
fn unjudged(root: &VerifiedRoot) -> Option<Notice> {
    let is_trusted = root.outcome.as_ref().is_some_and(|outcome| matches!(outcome.verdict, Verdict::Trusted(_)));
    if root.unjudged == 0 || is_trusted {
        return None;
    }
    let (left, digest) = (root.unjudged, root.root.descriptor.digest);
    let message = format!("{left} more signatures of {digest} were not judged; --max-signatures sets how many are");
    Some(Notice { code: DiagnosticCode::SignaturesNotJudged, message })
}

fn notices(opened: &Opened, clock: Option<&Clock>) -> Vec<Notice> {
    let Some(inventory) = &opened.inventory else { return Vec::new() };
    let message = "the bundle is not sealed: names and tags are what its carrier says".to_owned();
    let mut notices = vec![Notice { code: DiagnosticCode::NamesAreClaims, message }];
    notices.extend(gaps(inventory));
    if let Some(clock) = clock
        && clock.verification_time < inventory.created_at
    {
        let message = format!(
            "the verification time {} lies before {}, when the bundle says it was made",
            clock.verification_time, inventory.created_at
        );
        notices.push(Notice { code: DiagnosticCode::ClockBehind, message });
    }
    notices
}
