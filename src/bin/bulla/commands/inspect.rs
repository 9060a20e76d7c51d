//! `bulla inspect TARGET`

use bulla::limits::Limits;
use bulla::ops;
use bulla::ops::verify::RootToVerify;
use bulla::report::inspection::{Inspection, write_inspection};

use crate::args::{Format, Inspect};
use crate::error::{CommandError, Status};
use crate::locate::{Opened, open};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Inspect) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let progress = Bars::new();
    let mut opened =
        open(&arguments.target, &Network::new(&arguments.registry, &[&arguments.target], &limits), &limits)?;
    // Nothing of a tail is shown, so whoever writes it is told.
    opened.pipe = None;
    let roots = roots(&opened)?;
    let inspected =
        ops::inspect::inspect(opened.store.as_ref(), &roots, &opened.omitted(), &limits, progress.as_ref())?;
    drop(progress);
    let inspection = Inspection::new(opened.place.clone(), opened.inventory.as_ref(), &inspected);
    match arguments.output.format {
        Format::Json => terminal::print_json(&inspection)?,
        Format::Text => terminal::print(|out| write_inspection(&inspection, out))?,
    }
    Ok(Status::Done)
}

/// The artifacts that are meant; they need no name here.
pub(super) fn roots(opened: &Opened) -> Result<Vec<RootToVerify>, CommandError> {
    let found = opened.meant()?;
    Ok(found
        .into_iter()
        .map(|named| RootToVerify { descriptor: named.descriptor, reference: named.reference })
        .collect())
}
