//! `bulla evidence export --notation-cache DIR TARGET`

use bulla::code::DiagnosticCode;
use bulla::evidence::notation_cache::{NotationCache, Overwrite};
use bulla::limits::Limits;
use bulla::ops::evidence_export::find_carried_crls;
use bulla::ops::progress::Progress as _;
use bulla::report::evidence::write_evidence_export;

use super::inspect::roots;
use crate::args::{Evidence, EvidenceExport};
use crate::error::{CommandError, Status};
use crate::locate::open;
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Evidence) -> Result<Status, CommandError> {
    match arguments {
        Evidence::Export(arguments) => export(arguments),
    }
}

fn export(arguments: &EvidenceExport) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let bars = Bars::new();
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let opened = open(&arguments.target, &network, &limits)?;
    let roots = roots(&opened)?;
    let carried = find_carried_crls(opened.store.as_ref(), &roots, &opened.omitted(), &limits, bars.as_ref())?;
    bars.done();
    if carried.is_empty() {
        return Err(CommandError::new(
            DiagnosticCode::NotFound,
            format!("{} carries no CRLs", opened.place.location),
        )
        .with_hint("bulla export collects them where the certificates name a distribution point; bulla inspect shows what is there"));
    }
    let cache = NotationCache::open(&arguments.notation_cache)?;
    let overwrite = if arguments.force { Overwrite::Everything } else { Overwrite::Older };
    let export = carried.write_to(&cache, overwrite, &limits)?;
    terminal::print(|out| write_evidence_export(&export, &cache, terminal::now(), out))?;
    Ok(Status::Done)
}
