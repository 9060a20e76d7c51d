//! The verification report for people: verdict first, then why, then detail.

use std::io::{self, Write};

use super::tables::{Bytes, Clean};
use super::v1::{Artifact, Check, CheckResult, Evidence, Report, Signature, SignatureWord, Times, Word};
use crate::digest::Digest;

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write_report(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for artifact in &report.artifacts {
        write_artifact(artifact, out)?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "integrity: {} blobs, {}: every byte is what its digest says",
        report.integrity.blobs,
        Bytes(report.integrity.bytes)
    )?;
    match &report.clock {
        Some(clock) => writeln!(
            out,
            "judged at {} ({}), revocation data {}, network {}",
            clock.verification_time,
            match clock.source {
                super::v1::ClockSource::HostClock => "this host's clock",
                super::v1::ClockSource::Given => "a given time",
            },
            clock.freshness,
            match clock.network {
                super::v1::NetworkUse::Forbidden => "not used",
                super::v1::NetworkUse::Allowed => "used where nothing was carried",
            }
        )?,
        None => writeln!(out, "only the bytes were checked: no signature was judged and nothing is trusted")?,
    }
    for notice in &report.notices {
        writeln!(out, "note[{}]: {}", notice.code, Clean(&notice.message))?;
    }
    Ok(())
}

fn name(artifact: &Artifact) -> String {
    artifact.reference.as_ref().map_or_else(|| artifact.digest.to_string(), ToString::to_string)
}

fn write_artifact(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", artifact.verdict.as_str().to_uppercase(), name(artifact))?;
    if artifact.verdict != Word::Trusted {
        write_reasons(artifact, out)?;
    }
    if artifact.reference.is_some() {
        writeln!(out, "  artifact   {} ({})", artifact.digest, artifact.media_type)?;
    }
    if let Some(policy) = &artifact.policy {
        match (&policy.statement, &policy.level) {
            (Some(statement), Some(level)) => {
                writeln!(out, "  policy     {} (level {level}), scope {}", Clean(statement), policy.scope)?;
            }
            _ => writeln!(out, "  policy     no statement covers {}", policy.scope)?,
        }
    }
    for signature in &artifact.signatures {
        write_signature(signature, out)?;
    }
    for part in &artifact.parts {
        writeln!(out, "  part       {}: {}", part.digest, part.verdict.as_str())?;
    }
    Ok(())
}

fn write_reasons(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    let told = write_bad_checks(artifact, out)?;
    for code in artifact.codes.iter().filter(|code| !told.contains(&code.as_str())) {
        writeln!(out, "  why        {code}: {}", code.explanation())?;
    }
    Ok(())
}

/// The enforced checks that speak against the artifact, and the codes that they explain.
fn write_bad_checks(artifact: &Artifact, out: &mut dyn Write) -> io::Result<Vec<&'static str>> {
    let mut told = Vec::new();
    for signature in artifact.signatures.iter().filter(|signature| signature.verdict != SignatureWord::Good) {
        let counts = |check: &&Check| {
            check.action == "enforce" && matches!(check.result, CheckResult::Failed | CheckResult::Undetermined)
        };
        for check in signature.checks.iter().filter(counts) {
            let Some(code) = check.code else { continue };
            writeln!(out, "  why        {code}: {}", Clean(&check.message))?;
            if let Some(hint) = &check.hint {
                writeln!(out, "             hint: {}", Clean(hint))?;
            }
            told.push(code.as_str());
        }
    }
    Ok(told)
}

fn write_signature(signature: &Signature, out: &mut dyn Write) -> io::Result<()> {
    let word = match signature.verdict {
        SignatureWord::Good => "good",
        SignatureWord::Rejected => "rejected",
        SignatureWord::Undecided => "undecided",
    };
    writeln!(out, "  signature  {} {word}", short(&signature.digest))?;
    if let Some(signer) = &signature.signer {
        writeln!(out, "    signer     {} ({}, {})", Clean(&signer.subject), signer.key, signer.algorithm)?;
    }
    write_times(&signature.times, out)?;
    for (key, value) in &signature.user_metadata {
        writeln!(out, "    metadata   {} = {}", Clean(key), Clean(value))?;
    }
    for check in &signature.checks {
        write_check(check, out)?;
    }
    for used in &signature.evidence {
        write_evidence(used, out)?;
    }
    Ok(())
}

fn write_times(times: &Times, out: &mut dyn Write) -> io::Result<()> {
    match (&times.authenticated_signing_time, times.claimed_signing_time) {
        (Some(time), _) if time.earliest == time.latest => {
            writeln!(out, "    signed     {} (authenticated: {})", time.earliest, time.source)?;
        }
        (Some(time), _) => {
            writeln!(out, "    signed     {} to {} (authenticated: {})", time.earliest, time.latest, time.source)?;
        }
        (None, Some(claimed)) => writeln!(out, "    signed     {claimed} (the signer's claim)")?,
        (None, None) => {}
    }
    if let Some(expiry) = times.expiry {
        writeln!(out, "    expires    {expiry}")?;
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
    write!(out, "    {:<10} {word}{logged}: {}", shorter(&check.check), Clean(&check.message))?;
    match &check.certificate {
        Some(certificate) if !check.message.contains(certificate.as_str()) => {
            writeln!(out, " [{}]", Clean(certificate))
        }
        _ => writeln!(out),
    }
}

/// The policy's names, cut to the width of the column.
fn shorter(check: &str) -> &str {
    if check == "authenticTimestamp" { "timestamp" } else { check.get(..10).unwrap_or(check) }
}

fn write_evidence(used: &Evidence, out: &mut dyn Write) -> io::Result<()> {
    let age = crate::verification::Span(std::time::Duration::from_secs(used.age_seconds));
    write!(out, "    evidence   CRL of {}, issued {} ({age} old)", Clean(&used.issuer), used.this_update)?;
    match used.next_update {
        Some(next) => writeln!(out, ", current until {next}"),
        None => writeln!(out, ", no end stated"),
    }
}

/// Enough of a digest to tell it from its neighbours.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(19).collect()
}
