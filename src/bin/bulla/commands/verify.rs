//! `bulla verify TARGET`

use bulla::archive::StreamPosition;
use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::oci::{Reference, Repository};
use bulla::ops;
use bulla::ops::integrity::{Ledger, Sound};
use bulla::ops::progress::Progress;
use bulla::ops::seal::{SealDemand, SealOutcome, SealTerms, SubjectSeal};
use bulla::ops::verify::{Depth, Judged, Judging, Subject, Verification, VerifiedRoot};
use bulla::report::inspection::gaps;
use bulla::report::text::write_report;
use bulla::report::v1::{Clock, NetworkUse, Notice, Report, Source as Place, SourceKind, Word};
use bulla::verification::Verdict;
use bulla::verification::VerificationPlugins;

use super::judging::Terms;
use crate::args::{self, Format, Verify};
use crate::error::{CommandError, Status};
use crate::locate::{Notation, Opened, open_as};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Verify) -> Result<Status, CommandError> {
    let limits = arguments.most.limits();
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let mut opened = open_as(Notation::of(arguments.oci_layout), &arguments.target, &network, &limits)?;
    let progress = Bars::new();
    let report = if arguments.integrity_only {
        let judged = ops::verify::judge(&subject(&opened)?, &Depth::Integrity, &limits, progress.as_ref())?;
        let sound = read_all(&judged.ledger(), &mut opened, progress.as_ref())?;
        let notices = notices(&opened, judged.seal(), None);
        Report::new(opened.place.clone(), None, &judged.verified(sound), notices).with_stream(opened.stream())
    } else {
        let (judged, mut account) =
            judge(&opened, &arguments.judging, &arguments.files, &network, &limits, progress.as_ref())?;
        let verification = complete(judged, &mut account, &mut opened, progress.as_ref())?;
        account.report(&verification)
    };
    progress.done();
    print(&report, arguments.output.format)?;
    Ok(status(report.verdict, arguments.integrity_only))
}

/// Reads the rest. Of a pipe nothing more is read once it is clear that what comes is not trusted.
fn complete(
    judged: Judged,
    account: &mut Account,
    opened: &mut Opened,
    progress: &dyn Progress,
) -> Result<Verification, CommandError> {
    let ledger = judged.ledger();
    if opened.pipe.is_some() && !judged.artifacts().iter().all(is_trusted) && !judged.rests_on_claims() {
        return Ok(refuse(judged, &ledger, account, opened));
    }
    Ok(judged.verified(read_all(&ledger, opened, progress)?))
}

/// Ends the reading of a pipe with what is known, and closes it.
pub(crate) fn refuse(judged: Judged, ledger: &Ledger, account: &mut Account, opened: &mut Opened) -> Verification {
    if let Some(pipe) = opened.pipe.take() {
        // It proves nothing any more, so it need not succeed.
        let _ = ledger.checked_head(&pipe.head);
        let message = "the layers were not read: what comes before them decides".to_owned();
        account.notices.push(Notice { code: DiagnosticCode::ContentNotRead, message });
    }
    judged.refused(ledger.progress())
}

fn is_trusted(root: &VerifiedRoot) -> bool {
    root.outcome.as_ref().is_some_and(|outcome| matches!(outcome.verdict, Verdict::Trusted(_)))
}

/// Hashes what nobody has read yet.
pub(crate) fn read_all(ledger: &Ledger, opened: &mut Opened, progress: &dyn Progress) -> Result<Sound, CommandError> {
    Ok(match &mut opened.pipe {
        None => ledger.settle(opened.store.as_ref(), progress)?,
        Some(pipe) => {
            ledger.checked_head(&pipe.head)?;
            ledger.settle_stream(&mut pipe.tail, progress)?
        }
    })
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

fn subject(opened: &Opened) -> Result<Subject<'_>, CommandError> {
    Ok(Subject {
        store: opened.store.as_ref(),
        roots: super::inspect::roots(opened)?,
        omitted: opened.omitted(),
        listed: opened.listed(),
        seal: opened.seal.clone(),
    })
}

/// What a report says beside the outcomes.
pub(crate) struct Account {
    place: Place,
    clock: Clock,
    notices: Vec<Notice>,
    stream: Option<StreamPosition>,
}

impl Account {
    pub(crate) fn report(self, verification: &Verification) -> Report {
        Report::new(self.place, Some(self.clock), verification, self.notices).with_stream(self.stream)
    }
}

/// Judges everything that is meant. A bundle never reaches for the network. Layers are not read yet.
pub(crate) fn judge(
    opened: &Opened,
    arguments: &args::Judging,
    files: &args::FileJudging,
    network: &Network,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Judged, Account), CommandError> {
    let live = if arguments.offline || opened.is_bundle() { None } else { network.evidence()? };
    let used = if live.is_some() { NetworkUse::Allowed } else { NetworkUse::Forbidden };
    let subject = subject(opened)?;
    let seal = seal_terms(&arguments.seal, &subject.seal)?;
    if let [root] = subject.roots.as_slice() {
        opened.warn_of_tag(&root.descriptor.digest);
    }
    let names = || subject.roots.iter().map(|root| root.reference.as_ref());
    let is_file = |name: &Option<&Reference>| name.is_some_and(ops::file::is_file);
    let files = names().any(|name| is_file(&name)).then_some(files);
    let others: Vec<_> = names().filter(|name| !is_file(name)).collect();
    let named = others.iter().filter_map(|name| name.map(|name| &name.repository));
    let mut scopes: Vec<&Repository> = match &arguments.scope {
        Some(scope) if !others.is_empty() => vec![scope],
        _ => named.collect(),
    };
    if matches!(subject.seal, SubjectSeal::Sealed(_)) && seal.demand != SealDemand::Ignored {
        scopes.push(&seal.scope);
    }
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
        seal: seal.clone(),
        user_metadata: terms.user_metadata.clone(),
        supplied: &terms.supplied,
        plugins: terms.plugins.as_ref().map(|plugins| -> &dyn VerificationPlugins { plugins }),
        live,
    };
    let judged = ops::verify::judge(&subject, &Depth::Judge(judging), limits, progress)?;
    let mut notices = notices(opened, judged.seal(), Some(&terms.clock));
    if arguments.scope.is_none() {
        notices.extend(names_of(opened, judged.artifacts()));
    }
    notices.extend(judged.artifacts().iter().filter_map(unjudged));
    Ok((judged, Account { place: opened.place.clone(), clock: terms.clock, notices, stream: opened.stream() }))
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

/// That none is good counts for little where not all were judged (conformance 1.27).
fn unjudged(root: &VerifiedRoot) -> Option<Notice> {
    if root.unjudged == 0 || is_trusted(root) {
        return None;
    }
    let (left, digest) = (root.unjudged, root.root.descriptor.digest);
    let message = format!("{left} more signatures of {digest} were not judged; --max-signatures sets how many are");
    Some(Notice { code: DiagnosticCode::SignaturesNotJudged, message })
}

/// A layout or another tool's archive names its artifacts itself, and by these names they are judged.
fn names_of(opened: &Opened, artifacts: &[VerifiedRoot]) -> Option<Notice> {
    let place = match opened.place.kind {
        SourceKind::Layout => "layout",
        SourceKind::Archive => "archive",
        SourceKind::Bundle | SourceKind::Registry => return None,
    };
    let message = format!("nothing vouches for names in a {place}: names and tags are what its index.json says");
    let named = artifacts.iter().any(|root| root.root.reference.is_some());
    (named && !opened.is_bundle()).then_some(Notice { code: DiagnosticCode::NamesAreClaims, message })
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
