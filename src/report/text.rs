//! The verification report for people: verdict first, then why, then detail.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use super::tables::{Bytes, Clean, Count};
use super::v1::{
    Artifact, Check, CheckResult, Clock, Evidence, NetworkUse, Policy, Report, Seal, SealWord, Signature,
    SignatureWord, Times, Word,
};
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::ops::seal::SEAL_REPOSITORY;
use crate::trust::CheckKind;
use crate::verification::{Freshness, Span};

/// Scopes of a policy that are listed; the JSON report has them all.
const MOST_SCOPES: usize = 10;

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write_report(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let clock = report.clock.as_ref();
    write_headline(report, out)?;
    // A bad seal is why everything else is bad; any other is a line among the circumstances.
    let is_bad = |seal: &&Seal| matches!(seal.verdict, SealWord::Undecided | SealWord::Rejected);
    let (bad, other): (Vec<&Seal>, Vec<&Seal>) = report.seal.iter().partition(is_bad);
    for seal in bad {
        write_seal(seal, clock, out)?;
        write_stream(seal, out)?;
        writeln!(out)?;
    }
    let mut artifacts: Vec<&Artifact> = report.artifacts.iter().collect();
    // The worst first; otherwise in the report's order.
    artifacts.sort_by_key(|artifact| std::cmp::Reverse(artifact.verdict));
    for artifact in artifacts {
        write_artifact(artifact, clock, out)?;
        writeln!(out)?;
    }
    let blobs = usize::try_from(report.integrity.blobs).unwrap_or(usize::MAX);
    let (blobs, bytes) = (Count(blobs, "blob"), Bytes(report.integrity.bytes));
    if report.notices.iter().any(|notice| notice.code == DiagnosticCode::ContentNotRead) {
        writeln!(out, "integrity: {blobs}, {bytes}, are what their digests say; NOTHING ELSE was read")?;
    } else {
        writeln!(out, "integrity: {blobs}, {bytes}: every byte is what its digest says")?;
    }
    for seal in other {
        write_seal(seal, clock, out)?;
        write_stream(seal, out)?;
    }
    match &report.clock {
        Some(clock) => writeln!(
            out,
            "judged at {} ({}), freshness rule {}{}, network {}",
            clock.verification_time,
            match clock.source {
                super::v1::ClockSource::HostClock => "this host's clock",
                super::v1::ClockSource::Given => "a given time",
            },
            rule(&clock.freshness),
            match clock.revocation_time.as_str() {
                "now" => String::new(),
                other => format!(", revocations read {other}"),
            },
            match clock.network {
                NetworkUse::Forbidden => "not used",
                NetworkUse::Allowed => "asked for revocation data where none was carried",
            }
        )?,
        None => writeln!(out, "only the bytes were checked: no signature was judged and nothing is trusted")?,
    }
    for notice in &report.notices {
        writeln!(out, "note[{}]: {}", notice.code, Clean(&notice.message))?;
    }
    Ok(())
}

/// A freshness rule for people: the document has its span in seconds.
fn rule(text: &str) -> String {
    match text.parse() {
        Ok(Freshness::MaxAge(most)) => format!("max-age={}", Span(most)),
        _ => text.to_owned(),
    }
}

/// Of several artifacts: what became of all, and of how many.
fn write_headline(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.artifacts.len() < 2 {
        return Ok(());
    }
    let mut counts: BTreeMap<std::cmp::Reverse<Word>, usize> = BTreeMap::new();
    for artifact in &report.artifacts {
        let count = counts.entry(std::cmp::Reverse(artifact.verdict)).or_default();
        *count = count.saturating_add(1);
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {}", word.0.as_str())).collect();
    let (verdict, all) = (report.verdict.as_str().to_uppercase(), report.artifacts.len());
    writeln!(out, "{verdict}  {all} artifacts: {}\n", counts.join(", "))
}

/// One line where there is nothing to explain.
fn write_seal(seal: &Seal, clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    let signer = seal.signature.as_ref().and_then(|signature| signature.signer.as_ref());
    let by = signer.map_or_else(String::new, |signer| format!(" by {}", Clean(&signer.subject)));
    let claims = "names and tags are what its carrier says";
    match seal.verdict {
        // The report's notice says it.
        SealWord::Absent => return Ok(()),
        SealWord::Ignored => return writeln!(out, "seal: IGNORED on the operator's word; {claims}"),
        SealWord::Skipped => return writeln!(out, "seal: skipped by the trust policy; {claims}"),
        SealWord::NotJudged => return writeln!(out, "seal: there is one; it was not judged"),
        SealWord::Trusted => {
            let statement = seal.policy.as_ref().and_then(|policy| policy.statement.as_deref()).unwrap_or_default();
            write!(out, "seal: TRUSTED{by} (policy {})", Clean(statement))?;
            let times = seal.signature.as_ref().map(|signature| &signature.times);
            match times.and_then(|times| times.authenticated_signing_time.as_ref()) {
                Some(time) => writeln!(out, ", sealed {} (authenticated: {})", time.latest, time.source)?,
                None => writeln!(out)?,
            }
            return write_not_enforced(seal.signature.as_slice(), &seal.not_enforced, out);
        }
        SealWord::Undecided => writeln!(out, "seal: UNDECIDED{by}; nothing in the bundle is trusted")?,
        SealWord::Rejected => writeln!(out, "seal: REJECTED{by}; nothing in the bundle is trusted")?,
    }
    let told = write_bad_checks(seal.signature.as_slice(), out)?;
    if seal.codes.contains(&DiagnosticCode::PolicyNotApplicable) {
        writeln!(
            out,
            "  why          policy-not-applicable: no statement of the trust policy is for seals\n               \
             hint: give one the scope {SEAL_REPOSITORY}, name another with --seal-scope, or do without: --ignore-seal"
        )?;
        return Ok(());
    }
    for code in seal.codes.iter().filter(|code| !told.contains(&code.as_str())) {
        writeln!(out, "  why          {code}: {}", code.explanation())?;
    }
    if let Some(policy) = &seal.policy {
        write_policy(policy, out)?;
    }
    seal.signature.as_ref().map_or(Ok(()), |signature| write_signature(signature, clock, out))
}

/// The bundle's place in a series, and who says so.
fn write_stream(seal: &Seal, out: &mut dyn Write) -> io::Result<()> {
    let Some(stream) = &seal.stream else { return Ok(()) };
    let whose = if seal.verdict == SealWord::Trusted { "the seal vouches for it" } else { "a claim of its carrier" };
    writeln!(out, "number {} of the stream {} ({whose})", stream.sequence, Clean(&stream.name))
}

fn name(artifact: &Artifact) -> String {
    artifact.reference.as_ref().map_or_else(|| artifact.digest.to_string(), ToString::to_string)
}

fn write_artifact(artifact: &Artifact, clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", artifact.verdict.as_str().to_uppercase(), name(artifact))?;
    if artifact.verdict != Word::Trusted {
        write_reasons(artifact, out)?;
    }
    write_not_enforced(&artifact.signatures, &artifact.not_enforced, out)?;
    if artifact.reference.is_some() {
        writeln!(out, "  artifact     {} ({})", artifact.digest, artifact.media_type)?;
    }
    if let Some(policy) = &artifact.policy {
        write_policy(policy, out)?;
    }
    if let Some(first) = artifact.unjudged.first() {
        let why = if artifact.verdict == Word::Skipped { "the policy says skip" } else { "no statement applies" };
        match artifact.unjudged.len() {
            1 => writeln!(out, "  not run      every check on the signature {}: {why}", short(first))?,
            count => writeln!(out, "  not run      every check on {count} signatures: {why}")?,
        }
    }
    for signature in &artifact.signatures {
        write_signature(signature, clock, out)?;
    }
    for part in &artifact.parts {
        writeln!(out, "  part         {}: {}", part.digest, part.verdict.as_str())?;
    }
    Ok(())
}

/// Which statement decided, and by which of its scopes.
fn write_policy(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let (Some(statement), Some(level)) = (&policy.statement, &policy.level) else {
        writeln!(out, "  policy       no statement covers {}", policy.scope)?;
        let scopes: Vec<String> =
            policy.scopes.iter().take(MOST_SCOPES).map(|scope| Clean(scope).to_string()).collect();
        let more = policy.scopes.len().saturating_sub(scopes.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        return writeln!(out, "               the policy covers: {}{more}", scopes.join(", "));
    };
    write!(out, "  policy       {} (level {level}), scope {}", Clean(statement), policy.scope)?;
    match policy.pattern.as_ref().filter(|pattern| **pattern != policy.scope.to_string()) {
        Some(pattern) => writeln!(out, ", covered by \"{}\"", Clean(pattern)),
        None => writeln!(out),
    }
}

fn write_reasons(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    let told = write_bad_checks(&artifact.signatures, out)?;
    for code in artifact.codes.iter().filter(|code| !told.contains(&code.as_str())) {
        writeln!(out, "  why          {code}: {}", code.explanation())?;
    }
    Ok(())
}

/// The enforced checks that speak against signatures, and the codes that they explain.
fn write_bad_checks(signatures: &[Signature], out: &mut dyn Write) -> io::Result<Vec<&'static str>> {
    let mut told = Vec::new();
    let mut hints = BTreeSet::new();
    for signature in signatures.iter().filter(|signature| signature.verdict != SignatureWord::Good) {
        let counts = |check: &&Check| {
            check.action == "enforce" && matches!(check.result, CheckResult::Failed | CheckResult::Undetermined)
        };
        for check in signature.checks.iter().filter(counts) {
            let Some(code) = check.code else { continue };
            writeln!(out, "  why          {code}: {}", Clean(&check.message))?;
            // Once: several certificates often lack the same.
            if let Some(hint) = check.hint.as_ref().filter(|hint| hints.insert(*hint)) {
                writeln!(out, "               hint: {}", Clean(hint))?;
            }
            told.push(code.as_str());
        }
    }
    Ok(told)
}

/// What a verdict stands on although it should give pause, before any detail.
fn write_not_enforced(signatures: &[Signature], codes: &[DiagnosticCode], out: &mut dyn Write) -> io::Result<()> {
    let good = signatures.iter().filter(|signature| signature.verdict == SignatureWord::Good);
    let mut told = BTreeSet::new();
    for check in good.flat_map(|signature| &signature.checks) {
        let Some(code) = check.not_enforced().filter(|code| codes.contains(code)) else { continue };
        let how =
            if check.action == "log" { format!(" (the policy only logs {})", check.check) } else { String::new() };
        let line = format!("{code}: {}{how}", Clean(&check.message));
        if told.insert(line.clone()) {
            writeln!(out, "  not enforced {line}")?;
        }
    }
    Ok(())
}

fn write_signature(signature: &Signature, clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    let word = match signature.verdict {
        SignatureWord::Good => "good",
        SignatureWord::Rejected => "rejected",
        SignatureWord::Undecided => "undecided",
    };
    writeln!(out, "  signature    {} {word}", short(&signature.digest))?;
    if let Some(signer) = &signature.signer {
        writeln!(out, "    signer       {} ({}, {})", Clean(&signer.subject), signer.key, signer.algorithm)?;
    }
    write_times(&signature.times, out)?;
    for (key, value) in &signature.user_metadata {
        writeln!(out, "    metadata     {} = {}", Clean(key), Clean(value))?;
    }
    if signature.verdict == SignatureWord::Good {
        return write_summary(signature, clock, out);
    }
    signature.checks.iter().try_for_each(|check| write_check(check, out))?;
    signature.evidence.iter().try_for_each(|used| write_evidence(used, clock, out))
}

/// Of a good signature: what was found about it as a whole, and anything that is not simply good. What was found
/// about single certificates, and the revocation data, only in sum; the JSON report has it all.
fn write_summary(signature: &Signature, clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    let passed = |check: &Check| check.result == CheckResult::Passed && check.code.is_none();
    let is_routine = |check: &&Check| check.certificate.is_some() && passed(check);
    signature.checks.iter().filter(|check| !is_routine(check)).try_for_each(|check| write_check(check, out))?;
    let routine: Vec<&Check> = signature.checks.iter().filter(is_routine).collect();
    let crls_only = signature.evidence.iter().all(|used| used.kind != "ocsp");
    if !routine.is_empty() {
        let of_stamp = |check: &&&Check| check.check == CheckKind::AuthenticTimestamp.to_string();
        let stamps = routine.iter().filter(of_stamp).count();
        let both = if stamps > 0 && stamps < routine.len() { " of both chains" } else { "" };
        let words = match (routine.len(), crls_only) {
            (1, true) => "is on no CRL",
            (_, true) => "are on no CRL",
            (1, false) => "is not revoked",
            (_, false) => "are not revoked",
        };
        writeln!(out, "    revocation   ok: {}{both} {words}", Count(routine.len(), "certificate"))?;
    }
    write_evidence_summary(&signature.evidence, clock, out)
}

fn write_evidence_summary(evidence: &[Evidence], clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    let Some(oldest) = evidence.iter().map(|used| used.age_seconds).max() else { return Ok(()) };
    let ocsp = evidence.iter().filter(|used| used.kind == "ocsp").count();
    let crls = evidence.len().saturating_sub(ocsp);
    let kinds = [(crls, "CRL"), (ocsp, "OCSP response")].into_iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<String> = kinds.map(|(count, kind)| Count(count, kind).to_string()).collect();
    write!(out, "    evidence     {}, up to {} old", kinds.join(" and "), Span(Duration::from_secs(oldest)))?;
    match (evidence.iter().filter_map(|used| used.next_update).min(), clock) {
        (Some(until), Some(clock)) if until < clock.verification_time => {
            write!(out, ", NOT CURRENT since {until}")?;
            if clock.freshness == Freshness::Current.to_string() {
                return writeln!(out);
            }
            writeln!(out, "; the freshness rule {} lets it count", rule(&clock.freshness))
        }
        (Some(until), _) => writeln!(out, ", current until {until}"),
        (None, _) => writeln!(out),
    }
}

fn write_times(times: &Times, out: &mut dyn Write) -> io::Result<()> {
    match (&times.authenticated_signing_time, times.claimed_signing_time) {
        (Some(time), _) if time.earliest == time.latest => {
            writeln!(out, "    signed       {} (authenticated: {})", time.earliest, time.source)?;
        }
        (Some(time), _) => {
            writeln!(out, "    signed       {} to {} (authenticated: {})", time.earliest, time.latest, time.source)?;
        }
        (None, Some(claimed)) => writeln!(out, "    signed       {claimed} (the signer's claim)")?,
        (None, None) => {}
    }
    if let Some(expiry) = times.expiry {
        writeln!(out, "    expires      {expiry}")?;
    }
    Ok(())
}

fn write_check(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let word = match check.result {
        CheckResult::Passed => "ok",
        CheckResult::Failed => "FAILED",
        CheckResult::Undetermined => "UNKNOWN",
        CheckResult::NotApplicable => "n/a",
        CheckResult::NotRun => "not run",
    };
    let logged = match check.result {
        CheckResult::Failed | CheckResult::Undetermined if check.action == "log" => " (logged only, by policy)",
        _ => "",
    };
    write!(out, "    {:<12} {word}{logged}: {}", column(&check.check), Clean(&check.message))?;
    match &check.certificate {
        Some(certificate) if !check.message.contains(certificate.as_str()) => {
            writeln!(out, " [{}]", Clean(certificate))
        }
        _ => writeln!(out),
    }
}

/// The policy's names, but for the one that is too long for the column.
fn column(check: &str) -> &str {
    if check == "authenticTimestamp" { "timestamp" } else { check }
}

fn write_evidence(used: &Evidence, clock: Option<&Clock>, out: &mut dyn Write) -> io::Result<()> {
    let at = clock.map(|clock| clock.verification_time);
    let kind = match used.kind.as_str() {
        "ocsp" => "OCSP response",
        "delta-crl" => "delta CRL",
        _ => "CRL",
    };
    write!(out, "    evidence     {kind} of {}, issued {}, ", Clean(&used.issuer), used.this_update)?;
    match at.filter(|at| *at < used.this_update) {
        Some(at) => write!(out, "{} AFTER the verification time", Span(used.this_update.since(at)))?,
        None => write!(out, "{} before the verification time", Span(Duration::from_secs(used.age_seconds)))?,
    }
    match (used.next_update, at) {
        (Some(next), Some(at)) if next < at => writeln!(out, ", EXPIRED {next}, {} before", Span(at.since(next))),
        (Some(next), Some(at)) => writeln!(out, ", current until {next}, another {}", Span(next.since(at))),
        (Some(next), None) => writeln!(out, ", current until {next}"),
        (None, _) => writeln!(out, ", no end stated"),
    }
}

/// Enough of a digest to tell it from its neighbours.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(19).collect()
}
