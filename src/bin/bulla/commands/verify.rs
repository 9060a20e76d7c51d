//! `bulla verify TARGET`

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::oci::Repository;
use bulla::ops;
use bulla::ops::seal::{SealDemand, SealOutcome, SealTerms, SubjectSeal};
use bulla::ops::verify::{Depth, Judging, Subject};
use bulla::report::inspection::gaps;
use bulla::report::text::write_report;
use bulla::report::v1::{Clock, NetworkUse, Notice, Report, Word};

use super::judging::Terms;
use crate::args::{self, Format, Verify};
use crate::error::{CommandError, Status};
use crate::locate::{Opened, open};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Verify) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let opened = open(&arguments.target, &network, &limits)?;
    let report = if arguments.integrity_only {
        check_integrity(&opened, &limits)?
    } else {
        judge(&opened, &arguments.judging, &network, &limits)?.1
    };
    print(&report, arguments.output.format)?;
    Ok(status(report.verdict, arguments.integrity_only))
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
    Ok(Report::new(opened.place.clone(), None, &verification, notices(opened, &verification.seal, None)))
}

fn subject(opened: &Opened) -> Result<Subject<'_>, CommandError> {
    Ok(Subject {
        store: opened.store.as_ref(),
        roots: super::inspect::roots(opened)?,
        omitted: opened.omitted(),
        listed: opened.listed(),
        seal: opened.seal.clone(),
    })
}

/// Judges everything that is meant. A bundle never reaches for the network.
pub(crate) fn judge(
    opened: &Opened,
    arguments: &args::Judging,
    network: &Network,
    limits: &Limits,
) -> Result<(ops::verify::Verification, Report), CommandError> {
    let live = if arguments.offline || opened.is_bundle() { None } else { network.evidence()? };
    let used = if live.is_some() { NetworkUse::Allowed } else { NetworkUse::Forbidden };
    let subject = subject(opened)?;
    let seal = seal_terms(&arguments.seal, &subject.seal)?;
    let named = subject.roots.iter().filter_map(|root| root.reference.as_ref()).map(|name| &name.repository);
    let mut scopes: Vec<&Repository> = arguments.scope.as_ref().map_or_else(|| named.collect(), |scope| vec![scope]);
    if matches!(subject.seal, SubjectSeal::Sealed(_)) && seal.demand != SealDemand::Ignored {
        scopes.push(&seal.scope);
    }
    let terms = Terms::load(arguments, &scopes, used, limits)?;
    for warning in &terms.warnings {
        terminal::say(&format!("warning: {warning}"));
    }
    let judging = Judging {
        trust: &terms.trust,
        at: terms.at,
        freshness: arguments.freshness,
        revocation: arguments.revocation_time,
        scope: arguments.scope.clone(),
        seal: seal.clone(),
        user_metadata: terms.user_metadata.clone(),
        supplied: &terms.supplied,
        live,
    };
    let progress = Bars::new();
    let verification = ops::verify::verify(&subject, &Depth::Judge(judging), limits, progress.as_ref())?;
    let notices = notices(opened, &verification.seal, Some(&terms.clock));
    let report = Report::new(opened.place.clone(), Some(terms.clock), &verification, notices);
    Ok((verification, report))
}

/// What the command line demands of a seal. Only a bundle has one.
fn seal_terms(arguments: &args::seal::SealJudging, seal: &SubjectSeal) -> Result<SealTerms, CommandError> {
    if arguments.require_seal && *seal == SubjectSeal::NoBundle {
        return Err(CommandError::new(DiagnosticCode::UsageInvalid, "--require-seal: only a bundle can be sealed")
            .with_hint("give the bundle itself, not what it was unpacked or imported into"));
    }
    let demand = match (arguments.require_seal, arguments.ignore_seal) {
        (true, _) => SealDemand::Required,
        (false, true) => SealDemand::Ignored,
        (false, false) => SealDemand::IfPresent,
    };
    Ok(SealTerms { scope: arguments.seal_scope.clone(), demand })
}

fn notices(opened: &Opened, seal: &SealOutcome, clock: Option<&Clock>) -> Vec<Notice> {
    let Some(inventory) = &opened.inventory else { return Vec::new() };
    let mut notices = Vec::new();
    let mut say = |code, message: &str| notices.push(Notice { code, message: message.to_owned() });
    match seal {
        SealOutcome::NoBundle | SealOutcome::Unsealed { .. } => {
            say(DiagnosticCode::NamesAreClaims, "the bundle is not sealed: names and tags are what its carrier says");
        }
        SealOutcome::Ignored(_) => {
            say(DiagnosticCode::SealIgnored, "the bundle's seal was not judged, on the operator's word");
            say(
                DiagnosticCode::NamesAreClaims,
                "no seal was judged: names and tags are what the bundle's carrier says",
            );
        }
        _ if !seal.is_trusted() => {
            say(DiagnosticCode::NamesAreClaims, "no trusted seal: names and tags are what the bundle's carrier says");
        }
        _ => {}
    }
    if let Some(clock) = clock
        && let Some(made) = seal.made_after(clock.verification_time)
    {
        let message = format!(
            "the verification time {} lies before {made}, the earliest moment at which the seal can have been made: this clock is behind",
            clock.verification_time
        );
        notices.push(Notice { code: DiagnosticCode::ClockBehind, message });
    }
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
