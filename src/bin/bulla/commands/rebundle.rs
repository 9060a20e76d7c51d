//! A new bundle out of one that is never changed: the same content, and something more.

use std::path::Path;
use std::sync::Arc;

use bulla::archive::Companions;
use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::ops::closure::WalkOptions;
use bulla::ops::collect::{Source, collect};
use bulla::ops::pack::inventory;
use bulla::ops::progress::Progress;
use bulla::ops::seal::SubjectSeal;
use bulla::ops::supply::{GapPolicy, Sources, supply};
use bulla::report::TOOL;
use bulla::store::ContentStore;
use bulla::store::memory::MemoryStore;
use bulla::store::overlay::Overlay;

use super::export;
use crate::args::Compression;
use crate::args::sign::NewBundle;
use crate::error::CommandError;
use crate::locate::Opened;
use crate::progress::Bars;
use crate::settings::{self, Network};
use crate::terminal;

/// What comes on top.
pub(super) struct Added(pub(super) MemoryStore);

/// A bundle needs a place for the new one; anything else is changed where it is, and takes none.
pub(super) fn check_output(opened: &Opened, wanted: &NewBundle) -> Result<(), CommandError> {
    let usage = |message: String, hint: &str| {
        Err(CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint(hint.to_owned()))
    };
    match &wanted.output {
        None if opened.is_archive() => usage(
            format!("{} is closed: what is signed is never changed under its name", opened.place.location),
            "-o FILE names the new bundle",
        ),
        Some(output) if opened.is_archive() => opened.spare(output),
        Some(_) => usage(
            format!("{} takes the signature itself", opened.place.location),
            "leave -o out; bulla export makes a bundle",
        ),
        None => Ok(()),
    }
}

/// Writes the new bundle. Everything in the old one is read again and checked, and every signature, old or new, gets the
/// evidence that can be had.
pub(super) fn write(
    opened: &Opened,
    added: Added,
    wanted: &NewBundle,
    network: &Network,
    limits: &Limits,
) -> Result<(), CommandError> {
    let Some(output) = wanted.output.as_deref() else {
        return Err(CommandError::new(DiagnosticCode::InternalError, "no output"));
    };
    let bars = Bars::new();
    let progress: Arc<dyn Progress> = bars.clone();
    let store: Arc<dyn ContentStore> = Arc::new(Overlay::new(Arc::clone(&opened.store), added.0));
    let sources = opened.everything()?.into_iter().map(|source| Source { store: Arc::clone(&store), ..source });
    let options = WalkOptions { known_omitted: opened.omitted(), ..WalkOptions::default() };
    let collection = collect(sources.collect(), &options, limits, progress.as_ref())?;
    let supplied = settings::supplied_crls(&wanted.crls, limits)?;
    let live = if wanted.offline { None } else { network.evidence()? };
    let gaps = if wanted.allow_missing_evidence { GapPolicy::Record } else { GapPolicy::Refuse };
    let supplies = supply(&collection, &Sources { supplied: &supplied, live }, gaps, limits)?;
    let inventory = inventory(&collection, &supplies, settings::creation_time()?, TOOL)?;
    // What could be loaded can be loaded again.
    let was_loadable = opened.inventory.as_ref().is_some_and(|old| old.docker_manifest.is_some());
    let (inventory, docker) = export::loadable(was_loadable, &collection, inventory)?;
    let companions = Companions { docker_manifest: docker.as_ref(), ..Companions::default() };
    let compression = export::compression(Compression::Auto, output, 3);
    export::write(&collection, &supplies, &inventory, companions, output, compression, &progress)?;
    bars.done();
    export::tell(&inventory, output);
    if matches!(opened.seal, SubjectSeal::Sealed(_)) {
        terminal::say(
            "note: the seal was on what the old bundle holds; the new one is not sealed, bulla export --seal seals it",
        );
    }
    Ok(())
}

/// What was done, on standard output, unless the bundle itself went there.
pub(super) fn tell(wanted: &NewBundle, lines: &[String]) -> Result<(), CommandError> {
    if wanted.output.as_deref() == Some(Path::new("-")) {
        lines.iter().for_each(|line| terminal::say(line));
        return Ok(());
    }
    terminal::print(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))
}
