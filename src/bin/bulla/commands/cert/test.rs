//! Test keys: `cert generate-test|cleanup-test`.

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::ops::test_key::{self, TestKeyRequest};
use bulla::signer::test_key::RsaBits;

use crate::args::{CleanupTest, GenerateTest};
use crate::commands::key::choice;
use crate::error::{CommandError, Status};
use crate::terminal::Answer;
use crate::{settings, terminal};

pub(super) fn generate(arguments: &GenerateTest) -> Result<Status, CommandError> {
    let bits = RsaBits::find(arguments.bits).ok_or_else(|| {
        let message = format!("no signatures are made with RSA keys of {} bits", arguments.bits);
        CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("--bits takes 2048, 3072 or 4096")
    })?;
    let request = TestKeyRequest { name: &arguments.name, bits, default: choice(arguments.default) };
    let directory = settings::config_directory()?;
    let made = test_key::generate(&directory, &request, terminal::now(), &Limits::default())?;
    terminal::print(|out| {
        writeln!(out, "key: {}", made.files.key.display())?;
        writeln!(out, "certificate, good for a day: {}", made.files.certificate.display())?;
        writeln!(out, "trusted in {}: {}", made.store, made.trusted.display())?;
        let note = if arguments.default { ", and is the default key" } else { "" };
        writeln!(out, "{} is on the list of signing keys{note}", arguments.name)
    })?;
    Ok(Status::Done)
}

pub(super) fn clean_up(arguments: &CleanupTest) -> Result<Status, CommandError> {
    let name = &arguments.name;
    let question = format!("Delete the test key {name}, its certificate and the trust in it?");
    if !arguments.yes && terminal::confirm(&question)? == Answer::No {
        return Ok(Status::Done);
    }
    let removed = test_key::clean_up(&settings::config_directory()?, name, &Limits::default())?;
    terminal::print(|out| {
        writeln!(
            out,
            "{name} {} the trust store ca:{name}",
            if removed.trust { "is no longer in" } else { "was not in" }
        )?;
        let was = if removed.listed { "is off" } else { "was not on" };
        writeln!(out, "{name} {was} the list of signing keys")?;
        removed.files.iter().try_for_each(|path| writeln!(out, "deleted {}", path.display()))
    })?;
    Ok(Status::Done)
}
