//! One file a verb.

mod blob;
mod cert;
mod completion;
mod demo;
mod evidence;
mod explain;
mod export;
mod files;
mod import;
mod inspect;
mod judging;
mod key;
mod list;
mod login;
mod plugin;
mod policy;
mod rebundle;
mod sealing;
mod sign;
mod table;
mod timestamp;
mod verify;
mod version;

use crate::args::{Arguments, Command};
use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run(arguments: Arguments) -> Result<Status, CommandError> {
    warn_of_old_flags(&arguments);
    if arguments.talk.debug {
        terminal::be_talkative();
    }
    match arguments.command {
        Command::Export(arguments) => export::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Evidence(arguments) => evidence::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Blob(arguments) => blob::run(&arguments),
        Command::Timestamp(arguments) => timestamp::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Cert(arguments) => cert::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Plugin(arguments) => plugin::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Version => version::run(),
        Command::Completion(arguments) => completion::run(arguments),
        Command::Man(arguments) => completion::man(&arguments),
    }
}

/// What Notation 1 had and version 2 dropped; scripts still say it.
fn warn_of_old_flags(arguments: &Arguments) {
    if arguments.talk.verbose {
        terminal::say("warning: --verbose is Notation 1's and says no more; --debug does");
    }
    if arguments.command.registry().is_some_and(|registry| registry.allow_referrers_api) {
        terminal::say("warning: --allow-referrers-api is Notation 1's; the referrers API is always asked first");
    }
}
