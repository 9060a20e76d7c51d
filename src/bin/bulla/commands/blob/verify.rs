//! `bulla blob verify FILE --signature SIGNATURE`

use bulla::code::DiagnosticCode;
use bulla::config::{self, ConfigDirectory};
use bulla::limits::Limits;
use bulla::ops::blob::{BlobJudging, JudgedBlob, parse_media_type, signature_format, verify_blob};
use bulla::ops::seal::SEAL_REPOSITORY;
use bulla::trust::Action;
use bulla::verification::{SignatureOutcome, SignatureTimes, SignatureVerdict, VerificationPlugins};

use super::{name_of, open, read_signature};
use crate::args::Judging;
use crate::args::blob::BlobVerify;
use crate::commands::judging::unique;
use crate::error::{CommandError, Status};
use crate::settings::{self, Network};
use crate::terminal;

pub(crate) fn run(arguments: &BlobVerify) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let judging = &arguments.judging;
    refuse_what_files_lack(judging)?;
    let kind = signature_format(&name_of(&arguments.signature))?;
    let media_type = arguments.media_type.as_deref().map(parse_media_type).transpose()?;
    let mut blob = open(&arguments.file)?;
    let signature = read_signature(&arguments.signature, &limits)?;
    let roots = settings::config_roots();
    let directory = || ConfigDirectory::locate(&roots).map(|directory| directory.path().to_owned());
    let chosen = |given: &Option<std::path::PathBuf>| given.clone().map_or_else(directory, Ok);
    let policy = config::load_blob_policy(&chosen(&judging.policy)?, &limits)?.document;
    let statement = policy.select(arguments.policy_name.as_deref())?;
    let stores = config::load_trust_stores(&chosen(&judging.trust_store)?, statement.stores(), &limits)?;
    for ignored in &stores.ignored {
        terminal::say(&format!("warning: {ignored}"));
    }
    let network = Network::anywhere(&limits);
    let plugins = settings::installed_plugins(unique(&judging.plugin_config, "--plugin-config")?);
    let terms = BlobJudging {
        statement,
        stores: &stores.stores,
        at: judging.at.unwrap_or_else(terminal::now),
        freshness: judging.freshness,
        revocation: judging.revocation_time,
        user_metadata: &unique(&judging.user_metadata, "--user-metadata")?,
        media_type,
        supplied: &settings::supplied_crls(&judging.crls, &limits)?,
        plugins: plugins.as_ref().map(|plugins| -> &dyn VerificationPlugins { plugins }),
        live: if judging.offline { None } else { network.evidence()? },
    };
    let judged = verify_blob(kind, &signature, &mut blob, &terms, &limits)
        .map_err(|error| CommandError::io(&arguments.file, &error))?;
    tell(arguments, statement.name(), &judged)
}

/// A check that somebody asked for must not be passed over.
fn refuse_what_files_lack(judging: &Judging) -> Result<(), CommandError> {
    let usage = |message: &str| CommandError::new(DiagnosticCode::UsageInvalid, message);
    if judging.scope.is_some() || judging.strict_notation_policy {
        let message = "--scope and --strict-notation-policy are about repositories, and a file is in none";
        return Err(usage(message).with_hint("--policy-name names a statement"));
    }
    let seal = &judging.seal;
    if seal.require_seal || seal.ignore_seal || seal.seal_scope.to_string() != SEAL_REPOSITORY {
        let message = "--require-seal, --ignore-seal and --seal-scope are about bundles, and this is a file";
        return Err(usage(message).with_hint("bulla verify judges the bundle that a file came in"));
    }
    Ok(())
}

fn tell(arguments: &BlobVerify, statement: &str, judged: &JudgedBlob) -> Result<Status, CommandError> {
    let (file, signature) = (arguments.file.display(), arguments.signature.display());
    let Some(outcome) = &judged.outcome else {
        terminal::say(&format!(
            "note[skipped-by-policy]: the statement {statement:?} says skip: {file} was not verified"
        ));
        return Ok(Status::Undecided);
    };
    for line in complaints(outcome, statement) {
        terminal::say(&line);
    }
    match outcome.verdict {
        SignatureVerdict::Good => {
            let signer = outcome.facts.signer.as_ref().map(|signer| signer.subject.clone()).unwrap_or_default();
            terminal::print(|out| {
                writeln!(out, "Successfully verified signature {signature}")?;
                writeln!(out, "  file       {file} ({})", judged.blob.digest)?;
                writeln!(out, "  signer     {signer}")?;
                if let Some(signed) = signed(&outcome.facts.times) {
                    writeln!(out, "  signed     {signed}")?;
                }
                writeln!(out, "  policy     {statement}")
            })?;
            Ok(Status::Done)
        }
        SignatureVerdict::Rejected(_) => Ok(Status::Rejected),
        SignatureVerdict::Undecided(_) => Ok(Status::Undecided),
    }
}

/// The signing time, and whose word it is.
fn signed(times: &SignatureTimes) -> Option<String> {
    match (times.authenticated, times.claimed) {
        (Some(time), _) if time.earliest == time.latest => Some(format!("{} (authenticated)", time.earliest)),
        (Some(time), _) => Some(format!("{} to {} (authenticated)", time.earliest, time.latest)),
        (None, claimed) => claimed.map(|claimed| format!("{claimed} (the signer's claim)")),
    }
}

/// What speaks against the signature, and what would if the policy did not merely log it; each hint once.
fn complaints(outcome: &SignatureOutcome, statement: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for judged in &outcome.checks {
        let Some(failure) = judged.check.finding.failure() else { continue };
        let (code, message) = (failure.code, &failure.message);
        if judged.action != Action::Enforce {
            let kind = judged.check.kind;
            lines.push(format!("warning[{code}]: {message} (the statement {statement:?} only logs {kind})"));
            continue;
        }
        lines.push(format!("error[{code}]: {message}"));
        if let Some(hint) = failure.hint.as_ref().map(|hint| format!("hint: {hint}"))
            && !lines.contains(&hint)
        {
            lines.push(hint);
        }
    }
    lines
}
