//! Running a plugin: one program, one request, one answer (conformance 11.04 to 11.08).

use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::error::PluginError;
use crate::config::SECRET_VARIABLES;
use crate::config::program::spawn;
use crate::digest::shorten;
use crate::json;
use crate::notary::plugin::{
    Command, GetMetadata, PluginAnswerError, PluginConfig, PluginMetadata, PluginName, PluginRefusal,
};

/// How long it takes at most to notice that a plugin has ended or must end.
const TICK: Duration = Duration::from_millis(5);

/// What a plugin may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take to say who it is.
    pub metadata: Duration,
    /// How long it may take for anything else: there may be a person who has to touch a token.
    pub work: Duration,
    /// Bytes of standard output, and of standard error (conformance 11.05).
    pub output: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { metadata: Duration::from_secs(60), work: Duration::from_secs(300), output: 64 << 20 }
    }
}

/// A plugin that is there. Nothing about it is kept from one run to the next (conformance 11.12).
#[derive(Debug, Clone)]
pub struct Plugin {
    name: PluginName,
    program: PathBuf,
    bounds: Bounds,
}

impl Plugin {
    pub(super) const fn new(name: PluginName, program: PathBuf, bounds: Bounds) -> Self {
        Self { name, program, bounds }
    }

    /// A program that is not installed, under the name that its file has.
    pub fn at(name: PluginName, program: impl Into<PathBuf>) -> Self {
        Self::new(name, program.into(), Bounds::default())
    }

    /// The same within other bounds.
    #[must_use]
    pub const fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Its name.
    pub const fn name(&self) -> &PluginName {
        &self.name
    }

    /// Asks it who it is and what it can do.
    ///
    /// # Errors
    /// It fails, or its answer is not about itself or of another contract.
    pub fn metadata(&self, config: &PluginConfig) -> Result<PluginMetadata, PluginError> {
        self.ask(Command::GetMetadata, &GetMetadata::new(config), |bytes| PluginMetadata::parse(bytes, &self.name))
    }

    /// Runs it with one request, and reads the answer.
    ///
    /// # Errors
    /// It cannot be started, exceeds a bound, ends badly, or what it says is no answer.
    pub fn ask<T>(
        &self,
        command: Command,
        request: &impl Serialize,
        read: impl FnOnce(&[u8]) -> Result<T, PluginAnswerError>,
    ) -> Result<T, PluginError> {
        let request = json::to_vec(request)?;
        let ended = self.run(command, request)?;
        if !ended.status.success() {
            return Err(self.failure(command, &ended));
        }
        read(&ended.stdout).map_err(|source| PluginError::Answer { plugin: self.name.clone(), source })
    }

    fn failure(&self, command: Command, ended: &Ended) -> PluginError {
        let plugin = self.name.clone();
        match PluginRefusal::parse(&ended.stderr) {
            Some(refusal) => PluginError::Declined { plugin, command, refusal },
            None => {
                let said = shorten(String::from_utf8_lossy(&ended.stderr).trim());
                PluginError::Failed { plugin, command, status: ended.status, said }
            }
        }
    }

    /// No shell, no argument but the command, the environment less the credentials of bulla's own (conformance 11.06).
    fn run(&self, command: Command, request: Vec<u8>) -> Result<Ended, PluginError> {
        let mut program = std::process::Command::new(&self.program);
        for variable in SECRET_VARIABLES {
            program.env_remove(variable);
        }
        program.arg(command.name()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            spawn(&mut program).map_err(|source| PluginError::Start { plugin: self.name.clone(), source })?;
        let ended = self.converse(&mut child, command, request);
        if ended.is_err() {
            // It may have ended by itself. What it started may hold the pipes; nobody waits for that.
            let _ = child.kill();
            let _ = child.wait();
        }
        ended
    }

    /// Each stream has a thread of its own: a plugin that does not read, or fills one output while we wait for the other,
    /// must not hold us up. The limit is for all of it together, with the end of the program and of whoever inherited its
    /// outputs.
    fn converse(&self, child: &mut Child, command: Command, request: Vec<u8>) -> Result<Ended, PluginError> {
        let talk = |source| PluginError::Talk { plugin: self.name.clone(), source };
        let limit = if command == Command::GetMetadata { self.bounds.metadata } else { self.bounds.work };
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(talk(io::Error::other("it has no input or output")));
        };
        let (sender, receiver) = mpsc::channel();
        // A plugin that ends without reading is judged by what it says.
        thread::spawn(move || drop(stdin.write_all(&request)));
        read_on(stdout, Stream::Output, self.bounds.output, sender.clone());
        read_on(stderr, Stream::Errors, self.bounds.output, sender);
        let mut heard = Heard::default();
        let mut waited = Duration::ZERO;
        while waited < limit {
            if heard.is_whole() {
                if let Some(status) = child.try_wait().map_err(talk)? {
                    let Heard { stdout, stderr } = heard;
                    return Ok(Ended {
                        status,
                        stdout: stdout.unwrap_or_default(),
                        stderr: stderr.unwrap_or_default(),
                    });
                }
                thread::sleep(TICK);
                waited = waited.saturating_add(TICK);
            } else if !self.hear(&receiver, &mut heard)? {
                waited = waited.saturating_add(TICK);
            }
        }
        Err(PluginError::TooSlow { plugin: self.name.clone(), command, limit })
    }

    /// Takes what comes within a tick; `false` if nothing did.
    fn hear(&self, receiver: &Receiver<Said>, heard: &mut Heard) -> Result<bool, PluginError> {
        let plugin = || self.name.clone();
        let (stream, read) = match receiver.recv_timeout(TICK) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                let source = io::Error::other("its outputs were not read to their end");
                return Err(PluginError::Talk { plugin: plugin(), source });
            }
        };
        let bytes = read.map_err(|source| PluginError::Talk { plugin: plugin(), source })?;
        let limit = self.bounds.output;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(PluginError::TooMuch { plugin: plugin(), stream: stream.name(), limit });
        }
        match stream {
            Stream::Output => heard.stdout = Some(bytes),
            Stream::Errors => heard.stderr = Some(bytes),
        }
        Ok(true)
    }
}

/// How a plugin ended, and what it said.
struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Default)]
struct Heard {
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<u8>>,
}

impl Heard {
    const fn is_whole(&self) -> bool {
        self.stdout.is_some() && self.stderr.is_some()
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Errors,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Output => "standard output",
            Self::Errors => "standard error",
        }
    }
}

type Said = (Stream, io::Result<Vec<u8>>);

/// Reads one output to its end, or one byte past the limit.
fn read_on(output: impl Read + Send + 'static, stream: Stream, limit: u64, sender: Sender<Said>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(limit.saturating_add(1)).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody listens any more where the limit was reached first.
        let _ = sender.send((stream, read));
    });
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const METADATA: &str = r#"{"name":"t","description":"d","version":"1.0.0","url":"u","supportedContractVersions":["1.0"],"capabilities":["SIGNATURE_GENERATOR.RAW"]}"#;

    /// A plugin of that content, which is no script unless it says so.
    fn asked(content: &str, mode: u32, bounds: Bounds) -> Result<PluginMetadata, PluginError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("notation-t");
        fs::write(&program, content).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let config = PluginConfig::from([("folder".to_owned(), folder.path().display().to_string())]);
        Plugin::at(PluginName::new("t").unwrap(), program).within(bounds).metadata(&config)
    }

    fn script(body: &str) -> Result<PluginMetadata, PluginError> {
        let short = Duration::from_millis(1500);
        asked(&format!("#!/bin/sh\n{body}\n"), 0o755, Bounds { metadata: short, work: short, output: 100_000 })
    }

    #[test]
    fn one_request_and_one_answer() {
        // Conformance 11.04, 11.06: the command is the only argument, the request on standard input.
        let wanted = r#"[ "$#" = 1 ] && [ "$1" = get-plugin-metadata ] && grep -q '"contractVersion":"1.0"'"#;
        let clean = r#"[ -z "$NOTATION_USERNAME$NOTATION_PASSWORD" ] && [ -n "$PATH" ]"#;
        assert!(script(&format!("{wanted} && {clean} && echo talk >&2 && echo '{METADATA}'")).is_ok());
        // It need not read what it is told.
        assert!(script(&format!("exec <&-; echo '{METADATA}'")).is_ok());
        // An answer does not count where the program ends badly.
        assert!(matches!(script(&format!("echo '{METADATA}'; exit 3")), Err(PluginError::Failed { .. })));
        assert!(matches!(script("echo no"), Err(PluginError::Answer { .. })));
        assert!(matches!(script(&format!("echo '{METADATA} x'")), Err(PluginError::Answer { .. })));
    }

    #[test]
    fn what_goes_wrong_is_told_apart() {
        // Conformance 11.07, 11.08.
        let declined =
            script(r#"echo '{"errorCode":"ACCESS_DENIED","errorMessage":"not you"}' >&2; exit 1"#).unwrap_err();
        assert!(declined.to_string().ends_with("declined get-plugin-metadata: ACCESS_DENIED: not you"), "{declined}");
        for (body, says) in [
            ("exit 1", "it said nothing"),
            ("printf 'one\\033[2Jtwo\\n' >&2; exit 7", "one\u{fffd}[2Jtwo"),
            ("echo '{}' >&2; exit 1", "{}"),
            ("kill -9 $$", "signal"),
        ] {
            let error = script(body).unwrap_err();
            assert!(matches!(error, PluginError::Failed { .. }) && error.to_string().contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn time_and_output_are_bounded() {
        // Conformance 11.05.
        for (body, stream) in [
            ("head -c 100001 /dev/zero", "standard output"),
            ("head -c 100001 /dev/zero >&2", "standard error"),
            ("exec cat /dev/zero", "standard output"),
            ("cat /dev/zero >&2", "standard error"),
        ] {
            match script(body).unwrap_err() {
                PluginError::TooMuch { stream: found, .. } => assert_eq!(found, stream, "{body}"),
                other => panic!("{body}: {other}"),
            }
        }
        for body in [
            "exec sleep 20",
            // Its outputs are closed, it goes on.
            "exec >&- 2>&-; exec sleep 20",
            // It has ended; what it started holds the pipes.
            &format!("echo '{METADATA}'; sleep 20 & exit 0"),
        ] {
            assert!(matches!(script(body), Err(PluginError::TooSlow { .. })), "{body}");
        }
    }

    #[test]
    fn what_is_no_program_is_not_given_to_a_shell() {
        // Conformance 11.04; notation-cli.md, traps.
        for (content, mode) in
            [("echo '{}'\n", 0o755), ("", 0o755), ("#!/bin/sh\necho\n", 0o644), ("#!/no/such\n", 0o755)]
        {
            let error = asked(content, mode, Bounds::default()).unwrap_err();
            assert!(matches!(error, PluginError::Start { .. }), "{content:?} {mode:o}: {error}");
        }
    }
}
