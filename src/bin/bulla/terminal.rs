//! The outside world: the clock, standard output and standard error. stdout is data, stderr is talk.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bulla::report::Clean;
use bulla::report::v1::{ErrorBody, ErrorDocument};
use bulla::time::UnixTime;

use crate::args::Format;
use crate::error::{self, CommandError};

/// The only clock of the program.
pub(crate) fn now() -> UnixTime {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        // Before 1970: every certificate is not yet valid, which is the honest answer of such a clock.
        Err(_) => UnixTime::from_seconds(0),
    }
}

/// Whether somebody watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Takes standard input over for good. Whoever drops it closes it, so that a writer at the other end of a pipe hears at
/// once that nobody wants more.
pub(crate) fn take_input() -> Result<File, CommandError> {
    let failed = |error: io::Error| CommandError::new(bulla::code::io_code(&error), format!("standard input: {error}"));
    let input = io::stdin();
    if input.is_terminal() {
        let message = "a bundle is expected on standard input, and there is a terminal";
        return Err(CommandError::new(bulla::code::DiagnosticCode::UsageInvalid, message)
            .with_hint("pipe it in, as in bulla export ... -o - | bulla verify -, or name a file"));
    }
    let own = File::from(input.as_fd().try_clone_to_owned().map_err(failed)?);
    rustix::stdio::dup2_stdin(File::open("/dev/null").map_err(failed)?).map_err(|error| failed(error.into()))?;
    Ok(own)
}

/// Writes data to standard output. A reader that went away is not an error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CommandError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::new(bulla::code::io_code(&error), format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a JSON document to standard output.
pub(crate) fn print_json(document: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = bulla::json::to_vec_pretty(document)?;
    print(|out| {
        out.write_all(&text)?;
        writeln!(out)
    })
}

/// Lines of talk, in one piece: standard error has no buffer of its own. Where nobody can hear them, nothing is lost.
pub(crate) fn say(lines: &str) {
    let clean: String = lines.split('\n').map(|line| format!("{}\n", Clean(line))).collect();
    let _ = io::stderr().lock().write_all(clean.as_bytes());
}

/// Whether `--debug` was given.
static DEBUG: AtomicBool = AtomicBool::new(false);

/// From here on, [`debug`] is heard.
pub(crate) fn be_talkative() {
    DEBUG.store(true, Ordering::Relaxed);
}

/// Whether [`debug`] is heard.
#[cfg(feature = "registry")]
pub(crate) fn is_talkative() -> bool {
    DEBUG.load(Ordering::Relaxed)
}

/// A line for those who want to know what is going on. It is made only where it is heard.
pub(crate) fn debug(line: impl FnOnce() -> String) {
    if DEBUG.load(Ordering::Relaxed) {
        say(&format!("debug: {}", line()));
    }
}

/// An answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes, in so many words.
    Yes,
    /// Anything else, or nothing at all.
    No,
}

/// Asks on standard output, and reads a line from standard input. Only `y` and `yes`, in any case, are consent; after
/// anything else, it says that nothing is done. Where nobody can answer that goes to standard error: to end so is success, as
/// with Notation, and a script must not take it for more.
pub(crate) fn confirm(question: &str) -> Result<Answer, CommandError> {
    ask(&format!("{question} [y/N] "))?;
    let Some(line) = read_line()? else {
        say("\nwarning: standard input gave no answer, so nothing was done");
        return Ok(Answer::No);
    };
    if ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes)) {
        return Ok(Answer::Yes);
    }
    print(|out| writeln!(out, "Operation cancelled."))?;
    Ok(Answer::No)
}

/// A question, whose answer is given on the same line.
pub(crate) fn ask(question: &str) -> Result<(), CommandError> {
    print(|out| write!(out, "{}", Clean(question)))
}

/// A line of standard input without its end; `None` if there is none left.
pub(crate) fn read_line() -> Result<Option<String>, CommandError> {
    let mut line = String::new();
    let read = io::stdin().lock().take(MOST_ANSWER).read_line(&mut line);
    match read {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => Err(CommandError::new(bulla::code::io_code(&error), format!("standard input: {error}"))),
    }
}

/// Bytes of an answer; a token may have some thousands.
const MOST_ANSWER: u64 = 64 << 10;

/// Prints a failure.
pub(crate) fn print_error(failure: &CommandError, format: Format) {
    say(&format!("error[{}]: {}", failure.code, failure.message));
    for hint in &failure.hints {
        say(&format!("hint: {hint}"));
    }
    if format == Format::Json {
        let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; "));
        let document = ErrorDocument {
            schema_version: 1,
            tool: bulla::report::TOOL.to_owned(),
            error: ErrorBody { code: failure.code, message: failure.message.clone(), hint },
        };
        // The exit status tells of the failure already; a closed stdout adds nothing.
        let _ = print_json(&document);
    }
}

/// Prints what clap has to say: help and version are data, a wrong command line is talk.
pub(crate) fn print_usage(message: &clap::Error) -> ExitCode {
    let _ = message.print();
    if message.use_stderr() { ExitCode::from(error::usage()) } else { ExitCode::SUCCESS }
}
