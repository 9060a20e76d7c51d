//! Errors as the program prints them, and the exit status: the one place where codes become numbers.

use std::fmt;

use bulla::code::{Class, Diagnostic, DiagnosticCode};

/// Any failure of a command.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) code: DiagnosticCode,
    pub(crate) message: String,
    /// Ways out, in the order in which they are worth trying.
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    pub(crate) fn new(code: DiagnosticCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new() }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let code = bulla::code::io_code(error);
        let hint = match error.kind() {
            std::io::ErrorKind::IsADirectory => Some("it is a folder, and a file is wanted"),
            std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
                Some("it is a file, and a folder is wanted")
            }
            _ => general_hint(code),
        };
        let message = without_temporary_name(format!("{}: {error}", path.display()));
        Self { code, message, hints: hint.map(str::to_owned).into_iter().collect() }
    }

    /// Says what it is about, where the message does not.
    pub(crate) fn about(mut self, what: &str) -> Self {
        if !self.message.contains(what) {
            self.message = format!("{what}: {}", self.message);
        }
        self
    }

    /// What broke off because somebody wanted it to is no failure of its own: a pipe that ends with its writer, a read that
    /// was given up.
    pub(crate) fn after_interruption(self) -> Self {
        let broke_off = matches!(
            self.code,
            DiagnosticCode::IoFailed
                | DiagnosticCode::ArchiveTruncated
                | DiagnosticCode::NetworkFailed
                | DiagnosticCode::EvidenceUnavailable
                | DiagnosticCode::TimestampUnavailable
                | DiagnosticCode::PluginFailed
        );
        if broke_off {
            Self::new(DiagnosticCode::Interrupted, "the work was interrupted").with_hint("run the same command again")
        } else {
            self
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Diagnostic> From<E> for CommandError {
    fn from(error: E) -> Self {
        let code = error.code();
        let own = error.hint().or_else(|| general_hint(code).map(str::to_owned));
        let mut hints: Vec<String> = own.into_iter().chain(flag_hint(code).map(str::to_owned)).collect();
        // An example goes on for many lines, and comes last.
        hints.sort_by_key(|hint| hint.contains('\n'));
        Self { code, message: without_temporary_name(error.to_string()), hints }
    }
}

/// The message without the name of a temporary file at its end, which a library adds to what the system says: the file is
/// gone, and nobody can do anything about it.
fn without_temporary_name(mut message: String) -> String {
    if message.ends_with('"')
        && let Some(at) = message.rfind(" at path \"")
    {
        message.truncate(at);
    }
    message
}

/// What to do where the error itself has no better advice.
fn general_hint(code: DiagnosticCode) -> Option<&'static str> {
    match code {
        DiagnosticCode::NotFound => Some("check the spelling, and that it and the folder around it are there"),
        DiagnosticCode::StorageFull => Some("free some space there and run the same command again"),
        DiagnosticCode::PermissionDenied => Some("check who may read or write there, and how it is mounted"),
        DiagnosticCode::ManifestTooLarge
        | DiagnosticCode::ClosureTooDeep
        | DiagnosticCode::ClosureTooLarge
        | DiagnosticCode::LimitExceeded => {
            Some("honest content stays far below the limits; do not rely on this before its publisher has looked")
        }
        DiagnosticCode::PolicyInvalid => Some("correct the trust policy; until then it is not used at all"),
        DiagnosticCode::ConfigInvalid => Some("correct the configuration; until then it is not used at all"),
        code if code.class() == Class::Damaged => {
            Some("bring it over again from its source; where that does not help, its publisher has to repair it")
        }
        _ => None,
    }
}

/// The library speaks in concepts; these are the flags that they go by here.
fn flag_hint(code: DiagnosticCode) -> Option<&'static str> {
    match code {
        DiagnosticCode::NameMissing => Some("--as names an artifact at export, --scope the repository to judge under"),
        DiagnosticCode::EvidenceUnavailable => {
            Some("--crl FILE|DIR supplies CRLs, --allow-missing-evidence goes without")
        }
        DiagnosticCode::PolicyMissing => Some(
            "bulla policy init writes one (bulla blob policy init for files), --policy FILE (--blob-policy FILE) names one elsewhere; \
             verify --integrity-only checks the bytes alone",
        ),
        DiagnosticCode::PolicyNotApplicable => Some("--policy-name NAME names a statement"),
        DiagnosticCode::TrustStoreMissing => Some(
            "bulla cert add --type ca --store NAME FILE puts a certificate in; --trust-store DIR names trust stores elsewhere",
        ),
        DiagnosticCode::KeyMissing => {
            Some("--key-file and --cert-file name files; for a seal, --seal FILE and --seal-certificate-chain FILE do")
        }
        DiagnosticCode::TimestampUnavailable => Some(
            "--timestamp-root-cert names the root of the authority at --timestamp-url; its CRLs must be had, by the network or by --crl",
        ),
        DiagnosticCode::PlatformUnknown => Some("--platform chooses"),
        DiagnosticCode::DockerLoadUnsupported => {
            Some("--platform OS/ARCH carries one image of several; without --docker-load anything can be exported")
        }
        _ => None,
    }
}

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Done, or trusted.
    Done,
    /// Judged, and rejected.
    Rejected,
    /// Skipped by policy, or undecided.
    Undecided,
}

/// The contract: 0 done or trusted, 1 rejected, 2 usage, 3 damaged input, 4 environment, 5 skipped or undecided, 70 a bug.
const fn number(class: Class) -> u8 {
    match class {
        Class::Notice => 0,
        Class::Rejected => 1,
        Class::Usage => 2,
        Class::Damaged => 3,
        Class::Environment => 4,
        Class::Undecided => 5,
        Class::Bug => 70,
    }
}

impl Status {
    /// The exit status.
    pub(crate) const fn number(self) -> u8 {
        number(match self {
            Self::Done => Class::Notice,
            Self::Rejected => Class::Rejected,
            Self::Undecided => Class::Undecided,
        })
    }
}

impl CommandError {
    /// The exit status; a failure is never 0.
    pub(crate) const fn number(&self) -> u8 {
        match self.code.class() {
            Class::Notice => number(Class::Bug),
            class => number(class),
        }
    }
}

/// The exit status of a wrong command line.
pub(crate) const fn usage() -> u8 {
    number(Class::Usage)
}
