//! `bulla cert …`

mod crl;
mod store;
mod test;
mod verify;

use crate::args::{Cert, CertCrl};
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Cert) -> Result<Status, CommandError> {
    match arguments {
        Cert::Add(arguments) => store::add(arguments),
        Cert::List(arguments) => store::list(arguments),
        Cert::Show(arguments) => store::show(arguments),
        Cert::Delete(arguments) => store::delete(arguments),
        Cert::GenerateTest(arguments) => test::generate(arguments),
        Cert::CleanupTest(arguments) => test::clean_up(arguments),
        Cert::Verify(arguments) => verify::run(arguments),
        Cert::Crl(CertCrl::Show(arguments)) => crl::show(arguments),
    }
}
