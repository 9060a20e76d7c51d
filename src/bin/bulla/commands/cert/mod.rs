//! `bulla cert …`

mod store;
mod test;

use crate::args::Cert;
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Cert) -> Result<Status, CommandError> {
    match arguments {
        Cert::Add(arguments) => store::add(arguments),
        Cert::List(arguments) => store::list(arguments),
        Cert::Show(arguments) => store::show(arguments),
        Cert::Delete(arguments) => store::delete(arguments),
        Cert::GenerateTest(arguments) => test::generate(arguments),
        Cert::CleanupTest(arguments) => test::clean_up(arguments),
    }
}
