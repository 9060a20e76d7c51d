//! `bulla timestamp …`

mod add;

use crate::args::timestamp::Timestamp;
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Timestamp) -> Result<Status, CommandError> {
    match arguments {
        Timestamp::Add(arguments) => add::run(arguments),
    }
}
