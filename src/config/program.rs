//! Starting other people's programs: credential helpers and plugins.

use std::io::{self, ErrorKind};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

/// How often a program is tried whose file is still open for writing: somebody is just installing it.
const TRIES: u32 = 10;
/// The pause between.
const PAUSE: Duration = Duration::from_millis(30);

/// Starts the program, once its file is no longer being written.
///
/// # Errors
/// Those of the system.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 1..TRIES {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(PAUSE),
            other => return other,
        }
    }
    command.spawn()
}
