//! The certificate files of the trust stores: `cert add|list|show|delete`.

use bulla::config::{StoredFile, TrustStoreFiles};
use bulla::limits::Limits;
use bulla::report::Clean;
use bulla::report::signatures::go_name;
use bulla::trust::TrustStoreName;

use crate::args::{CertAdd, CertDelete, CertList, CertShow};
use crate::commands::table::write_table;
use crate::error::{CommandError, Status};
use crate::terminal::Answer;
use crate::{settings, terminal};

fn files() -> Result<TrustStoreFiles, CommandError> {
    Ok(TrustStoreFiles::of(&settings::config_directory()?))
}

fn store(kind: &str, name: &str) -> Result<TrustStoreName, CommandError> {
    Ok(format!("{kind}:{name}").parse()?)
}

/// Adds what can be added; the first file that cannot ends it.
pub(super) fn add(arguments: &CertAdd) -> Result<Status, CommandError> {
    let (store, files) = (store(&arguments.kind, &arguments.store)?, files()?);
    for path in &arguments.files {
        let added = files.add(&store, path, &Limits::default())?;
        let name = added.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stored = StoredFile { store: store.clone(), name };
        terminal::print(|out| writeln!(out, "{} is in the trust store {store}", Clean(&stored.name)))?;
        if !stored.is_read() {
            terminal::say(&format!(
                "warning: {} does not end in .pem, .crt or .cer, so verification passes it over",
                stored.name
            ));
        }
    }
    Ok(Status::Done)
}

/// Notation prints nothing at all where there is nothing, and so do we.
pub(super) fn list(arguments: &CertList) -> Result<Status, CommandError> {
    let fits = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let found: Vec<StoredFile> = files()?
        .list()?
        .into_iter()
        .filter(|file| fits(&arguments.kind, file.store.kind().name()) && fits(&arguments.store, file.store.name()))
        .collect();
    if found.is_empty() {
        return Ok(Status::Done);
    }
    let rows =
        found.iter().map(|file| vec![file.store.kind().to_string(), file.store.name().to_owned(), file.name.clone()]);
    terminal::print(|out| write_table(&["STORE TYPE", "STORE NAME", "CERTIFICATE"], rows, out))?;
    Ok(Status::Done)
}

pub(super) fn show(arguments: &CertShow) -> Result<Status, CommandError> {
    let store = store(&arguments.kind, &arguments.store)?;
    let certificates = files()?.read(&store, &arguments.file, &Limits::default())?;
    terminal::print(|out| {
        for (index, certificate) in certificates.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let (subject, issuer) = (go_name(certificate.subject()), go_name(certificate.issuer()));
            let validity = certificate.validity();
            writeln!(out, "Issuer: {}", Clean(&issuer))?;
            writeln!(out, "Subject: {}", Clean(&subject))?;
            writeln!(out, "Valid from: {}", validity.not_before)?;
            writeln!(out, "Valid to: {}", validity.not_after)?;
            writeln!(out, "IsCA: {}", if certificate.is_ca() { "Yes" } else { "No" })?;
            writeln!(out, "SHA256 Thumbprint: {}", certificate.fingerprint().hex())?;
        }
        Ok(())
    })?;
    Ok(Status::Done)
}

pub(super) fn delete(arguments: &CertDelete) -> Result<Status, CommandError> {
    let (store, files) = (store(&arguments.kind, &arguments.store)?, files()?);
    let what = match &arguments.file {
        Some(file) => format!("{file} from the trust store {store}"),
        None => format!("the whole trust store {store}"),
    };
    if !arguments.yes && terminal::confirm(&format!("Delete {what}?"))? == Answer::No {
        return Ok(Status::Done);
    }
    match &arguments.file {
        Some(file) => files.delete(&store, file)?,
        None => files.delete_all(&store)?,
    }
    terminal::print(|out| writeln!(out, "Deleted {}", Clean(&what)))?;
    Ok(Status::Done)
}
