//! `bulla timestamp …`

mod add;
mod inspect;
mod verify;

use crate::args::timestamp::Timestamp;
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Timestamp) -> Result<Status, CommandError> {
    match arguments {
        Timestamp::Add(arguments) => add::run(arguments),
        Timestamp::Verify(arguments) => verify::run(arguments),
        Timestamp::Inspect(arguments) => inspect::run(arguments),
    }
}
