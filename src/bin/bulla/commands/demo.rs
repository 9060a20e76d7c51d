//! `bulla demo [DIR]`

use crate::args::Demo;
use crate::error::{CommandError, Status};

pub(crate) fn run(_arguments: &Demo) -> Result<Status, CommandError> {
    Ok(Status::Done)
}
