//! `bulla blob verify FILE --signature SIGNATURE`

use bulla::code::DiagnosticCode;
use bulla::config::{self, ConfigDirectory};
use bulla::limits::Limits;
use bulla::ops::blob::{BlobJudging, JudgedBlob, parse_media_type, signature_format, verify_blob};
use bulla::trust::Action;
use bulla::verification::{SignatureOutcome, SignatureVerdict, VerificationPlugins};

use super::{name_of, open, read_signature};
use crate::args::blob::BlobVerify;
use crate::commands::judging::unique;
use crate::error::{CommandError, Status};
use crate::settings::{self, Network};
use crate::terminal;

pub(crate) fn run(arguments: &BlobVerify) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let judging = &arguments.judging;
    if judging.scope.is_some() || judging.strict_notation_policy {
        let message = "--scope and --strict-notation-policy are about repositories, and a file is in none";
        return Err(
            CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("--policy-name names a statement")
        );
    }
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

fn tell(arguments: &BlobVerify, statement: &str, judged: &JudgedBlob) -> Result<Status, CommandError> {
    let (file, signature) = (arguments.file.display(), arguments.signature.display());
    let Some(outcome) = &judged.outcome else {
        terminal::say(&format!(
            "note[skipped-by-policy]: the statement {statement:?} says skip: {file} was not verified"
        ));
        return Ok(Status::Undecided);
    };
    for (code, line) in complaints(outcome) {
        terminal::say(&format!("{line}[{code}]"));
    }
    match outcome.verdict {
        SignatureVerdict::Good => {
            let signer = outcome.facts.signer.as_ref().map(|signer| signer.subject.clone()).unwrap_or_default();
            terminal::print(|out| {
                writeln!(out, "Successfully verified signature {signature}")?;
                writeln!(out, "  file       {file} ({})", judged.blob.digest)?;
                writeln!(out, "  signer     {signer}")?;
                writeln!(out, "  policy     {statement}")
            })?;
            Ok(Status::Done)
        }
        SignatureVerdict::Rejected(_) => Ok(Status::Rejected),
        SignatureVerdict::Undecided(_) => Ok(Status::Undecided),
    }
}

/// What speaks against the signature, and what would if the policy did not merely log it.
fn complaints(outcome: &SignatureOutcome) -> Vec<(DiagnosticCode, String)> {
    let mut found = Vec::new();
    for judged in &outcome.checks {
        let Some(failure) = judged.check.finding.failure() else { continue };
        let word = if judged.action == Action::Enforce { "error" } else { "warning" };
        found.push((failure.code, format!("{word}: {}", failure.message)));
    }
    found
}
