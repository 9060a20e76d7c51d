//! `bulla list REFERENCE`

use bulla::limits::Limits;
use bulla::ops::listing::{More, attached};
use bulla::report::signatures::write_list;

use crate::args::List;
use crate::error::{CommandError, Status};
use crate::locate::{Notation, open_as};
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &List) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let opened = open_as(Notation::of(arguments.oci_layout), &arguments.target, &network, &limits)?;
    for root in opened.meant_once()? {
        opened.warn_of_tag(&root.descriptor.digest);
        let found = attached(opened.store.as_ref(), &root.descriptor, arguments.max_signatures, &limits)?;
        let name = opened.name_by_digest(&root.descriptor.digest);
        terminal::print(|out| write_list(&name, &found, out))?;
        warn_of_more(found.more, arguments.max_signatures);
    }
    Ok(Status::Done)
}

/// Says that not all is shown (conformance 1.27, 14.23: exactly as many as were asked for are all).
pub(super) fn warn_of_more(more: More, most: usize) {
    if more == More::Yes {
        terminal::say(&format!("warning: there are more than {most} signatures; --max-signatures shows more"));
    }
}
