//! `bulla demo [DIR]`: the whole road, with the real commands.

use std::fs;
use std::path::{Path, PathBuf};

use bulla::code::DiagnosticCode;
use bulla::ops::demo::DemoWorld;
use clap::Parser as _;

use crate::args::{Arguments, Demo};
use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run(arguments: &Demo) -> Result<Status, CommandError> {
    let (directory, _temporary) = directory(arguments)?;
    let world = DemoWorld::create(terminal::now())?;
    world.write(&directory)?;
    let stage = Stage { directory, name: world.reference.to_string() };
    tell(&format!(
        "Everything is made now, in {}: a small PKI with its CRLs and a timestamp authority, an\n\
         image for two platforms with a signature, and the trust store and policy of the isolated side.",
        stage.directory.display()
    ))?;
    stage.road()?;
    stage.tampering()?;
    stage.revocation()?;
    tell(
        "That was the road. The commands are the real ones; give a directory to keep what they left:\n\
         bulla demo DIR",
    )?;
    Ok(Status::Done)
}

/// The directory, and the guard that removes it at the end if nobody named it.
fn directory(arguments: &Demo) -> Result<(PathBuf, Option<tempfile::TempDir>), CommandError> {
    let Some(named) = &arguments.directory else {
        let temporary = tempfile::tempdir().map_err(|error| CommandError::io(&std::env::temp_dir(), &error))?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    fs::create_dir_all(named).map_err(|error| CommandError::io(named, &error))?;
    let mut entries = fs::read_dir(named).map_err(|error| CommandError::io(named, &error))?;
    if entries.next().is_some() {
        return Err(CommandError::new(
            DiagnosticCode::UsageInvalid,
            format!("{} is not empty, and the example would be mixed up with what is there", named.display()),
        )
        .with_hint("name a directory that is empty or does not exist"));
    }
    Ok((named.clone(), None))
}

fn tell(text: &str) -> Result<(), CommandError> {
    terminal::print(|out| writeln!(out, "\n── {}", text.replace('\n', "\n   ")))
}

struct Stage {
    directory: PathBuf,
    name: String,
}

impl Stage {
    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Shows a command as it would be typed, runs it, and checks that it ends as the story says.
    fn command(&self, words: &[&str], expected: Ending) -> Result<(), CommandError> {
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        terminal::print(|out| writeln!(out, "\n$ bulla {}", shown.join(" ")))?;
        let arguments = Arguments::try_parse_from(std::iter::once("bulla").chain(words.iter().copied()))
            .map_err(|error| CommandError::new(DiagnosticCode::InternalError, error.to_string()))?;
        let format = arguments.command.format();
        let ending = match super::run(arguments) {
            Ok(status) => Ending::Status(status),
            Err(error) => {
                let code = error.code;
                terminal::print_error(&error, format);
                Ending::Error(code)
            }
        };
        terminal::print(|out| writeln!(out, "[exit status {}]", ending.number()))?;
        if ending == expected {
            return Ok(());
        }
        Err(CommandError::new(
            DiagnosticCode::InternalError,
            format!("the demo expected {expected:?} here and got {ending:?}"),
        ))
    }

    fn verify(&self, bundle: &str, expected: Ending) -> Result<(), CommandError> {
        let (bundle, stores, policy) = (self.path(bundle), self.path("config"), self.path("config/trustpolicy.json"));
        self.command(&["verify", &bundle, "--trust-store", &stores, "--policy", &policy, "--offline"], expected)
    }

    fn export(&self, crls: &str, bundle: &str) -> Result<(), CommandError> {
        let (source, crls, bundle) = (format!("oci:{}:1.0", self.path("registry")), self.path(crls), self.path(bundle));
        let words = ["export", &source, "--as", &self.name, "--crl", &crls, "--offline", "-o", &bundle];
        self.command(&words, Ending::Status(Status::Done))
    }

    fn road(&self) -> Result<(), CommandError> {
        tell("1. Connected side: pack the image, its signature and the CRLs of both chains into one file.")?;
        self.export("crls", "hello.bulla.tar")?;
        tell("2. What is in it? Inspecting claims no trust.")?;
        self.command(&["inspect", &self.path("hello.bulla.tar")], Ending::Status(Status::Done))?;
        tell("3. The file crosses the gap.")?;
        let isolated = self.directory.join("isolated");
        fs::create_dir_all(&isolated).map_err(|error| CommandError::io(&isolated, &error))?;
        self.copy("hello.bulla.tar", "isolated/hello.bulla.tar")?;
        tell("4. Isolated side: verify it under this side's own trust store and policy, with no network.")?;
        self.verify("isolated/hello.bulla.tar", Ending::Status(Status::Done))?;
        tell("5. Import it: verified first, written after, and a receipt says why it was let in.")?;
        let (bundle, stores, policy) =
            (self.path("isolated/hello.bulla.tar"), self.path("config"), self.path("config/trustpolicy.json"));
        let (to, receipt) = (format!("oci:{}", self.path("isolated/images")), self.path("isolated/receipt.json"));
        let words =
            ["import", &bundle, "--to", &to, "--trust-store", &stores, "--policy", &policy, "--receipt", &receipt];
        self.command(&words, Ending::Status(Status::Done))
    }

    fn tampering(&self) -> Result<(), CommandError> {
        tell("6. Somebody changes one byte of a layer on the way.")?;
        self.copy("hello.bulla.tar", "isolated/tampered.bulla.tar")?;
        flip_a_byte(&self.directory.join("isolated/tampered.bulla.tar"))?;
        self.verify("isolated/tampered.bulla.tar", Ending::Error(DiagnosticCode::BlobDigestMismatch))
    }

    fn revocation(&self) -> Result<(), CommandError> {
        tell("7. The signer's key is stolen and its certificate revoked; a later export carries that news.")?;
        self.export("crls-revoked", "revoked.bulla.tar")?;
        self.verify("revoked.bulla.tar", Ending::Status(Status::Rejected))
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), CommandError> {
        let (from, to) = (self.directory.join(from), self.directory.join(to));
        terminal::print(|out| writeln!(out, "\n$ cp {} {}", from.display(), to.display()))?;
        fs::copy(&from, &to).map(drop).map_err(|error| CommandError::io(&to, &error))
    }
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Status(Status),
    Error(DiagnosticCode),
}

impl Ending {
    fn number(&self) -> u8 {
        match self {
            Self::Status(status) => status.number(),
            Self::Error(code) => CommandError::new(*code, "").number(),
        }
    }
}

/// A word as a shell would take it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The last content of a bundle is a layer; two blocks of zeros and the padding follow it.
fn flip_a_byte(path: &Path) -> Result<(), CommandError> {
    let mut bytes = fs::read(path).map_err(|error| CommandError::io(path, &error))?;
    if let Some(byte) = bytes.iter_mut().rev().find(|byte| **byte != 0) {
        *byte ^= 1;
    }
    fs::write(path, bytes).map_err(|error| CommandError::io(path, &error))
}
