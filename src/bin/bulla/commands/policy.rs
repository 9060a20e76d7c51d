//! `bulla policy import|show|init`

use bulla::config::PolicyFiles;
use bulla::json;
use bulla::limits::Limits;
use bulla::trust::PolicyKind;
use serde_json::json;

use crate::args::{Policy, PolicyImport, PolicyInit};
use crate::error::{CommandError, Status};
use crate::terminal::Answer;
use crate::{settings, terminal};

pub(crate) fn run(arguments: &Policy) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let files = PolicyFiles::of(&settings::config_directory()?, PolicyKind::Oci);
    match arguments {
        Policy::Import(PolicyImport { file, force }) => {
            let bytes = PolicyFiles::read_source(file, &limits)?;
            put(&files, &bytes, *force, &limits)
        }
        Policy::Init(arguments) => put(&files, &first(arguments)?, arguments.force, &limits),
        Policy::Show => show(&files, &limits),
    }
}

/// Checks a policy and takes it into use, with the operator's consent where another one is.
pub(super) fn put(files: &PolicyFiles, bytes: &[u8], force: bool, limits: &Limits) -> Result<Status, CommandError> {
    files.check(bytes)?;
    // What is there may be broken in any way: it is asked about, not read.
    let existing = files.read(limits).ok().flatten().map(|found| found.path);
    if let Some(path) = &existing {
        if force {
            terminal::say(&format!("warning: {} is overwritten", path.display()));
        } else if terminal::confirm(&format!("Overwrite the trust policy {}?", path.display()))? == Answer::No {
            return Ok(Status::Done);
        }
    }
    let path = files.write(bytes)?;
    terminal::print(|out| writeln!(out, "The trust policy is in use: {}", path.display()))?;
    Ok(Status::Done)
}

/// Prints the policy in any case; that it is broken is an error all the same.
pub(super) fn show(files: &PolicyFiles, limits: &Limits) -> Result<Status, CommandError> {
    let Some(found) = files.read(limits)? else {
        let message = format!("there is no trust policy at {}", files.path().display());
        return Err(CommandError::new(bulla::code::DiagnosticCode::PolicyMissing, message)
            .with_hint("import one, or let `policy init` write a first one"));
    };
    terminal::print(|out| out.write_all(&found.bytes))?;
    files.check(&found.bytes)?;
    Ok(Status::Done)
}

/// A policy with one strict statement.
fn first(arguments: &PolicyInit) -> Result<Vec<u8>, CommandError> {
    let document = json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": arguments.name,
            "registryScopes": arguments.scopes,
            "signatureVerification": {"level": "strict"},
            "trustStores": arguments.trust_stores,
            "trustedIdentities": arguments.trusted_identities,
        }],
    });
    let mut bytes = json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}
