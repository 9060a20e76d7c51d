//! `bulla blob policy import|show|init`

use bulla::config::PolicyFiles;
use bulla::json;
use bulla::limits::Limits;
use bulla::trust::PolicyKind;
use serde_json::json;

use crate::args::blob::{BlobPolicy, BlobPolicyInit};
use crate::commands::policy::{put, show};
use crate::error::{CommandError, Status};
use crate::settings;

pub(crate) fn run(arguments: &BlobPolicy) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let files = PolicyFiles::of(&settings::config_directory()?, PolicyKind::Blob);
    match arguments {
        BlobPolicy::Import(arguments) => {
            let bytes = PolicyFiles::read_source(&arguments.file, &limits)?;
            put(&files, &bytes, arguments.force, &limits)
        }
        BlobPolicy::Init(arguments) => put(&files, &first(arguments)?, arguments.force, &limits),
        BlobPolicy::Show => show(&files, &limits),
    }
}

/// A policy with one strict statement.
fn first(arguments: &BlobPolicyInit) -> Result<Vec<u8>, CommandError> {
    let mut statement = json!({
        "name": arguments.name,
        "signatureVerification": {"level": "strict"},
        "trustStores": arguments.trust_stores,
        "trustedIdentities": arguments.trusted_identities,
    });
    if let (true, Some(members)) = (arguments.global, statement.as_object_mut()) {
        members.insert("globalPolicy".to_owned(), true.into());
    }
    let mut bytes = json::to_vec_pretty(&json!({"version": "1.0", "trustPolicies": [statement]}))?;
    bytes.push(b'\n');
    Ok(bytes)
}
