//! `bulla timestamp add REF`

use std::collections::BTreeSet;

use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::Descriptor;
use bulla::ops::closure::WalkOptions;
use bulla::ops::progress::Progress as _;
use bulla::ops::timestamp::{Candidate, PassedOver, Stamp, candidates};
use bulla::signer::TimestampSource;
use bulla::store::memory::MemoryStore;

use crate::args::timestamp::TimestampAdd;
use crate::commands::rebundle::{self, Added};
use crate::commands::sign::{one_target, store};
use crate::error::{CommandError, Status};
use crate::locate::{Notation, Opened, open_as};
use crate::progress::Bars;
use crate::settings::Network;
use crate::signing::Authority;
use crate::terminal;

pub(crate) fn run(arguments: &TimestampAdd) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let network = Network::new(&arguments.registry, &[&arguments.reference], &limits);
    let opened = open_as(Notation::of(arguments.oci_layout), &arguments.reference, &network, &limits)?;
    rebundle::check_output(&opened, &arguments.bundle)?;
    let Some(authority) = Authority::of(&arguments.authority, &arguments.bundle.crls, &network, &limits)? else {
        return Err(CommandError::new(DiagnosticCode::UsageInvalid, "no timestamp authority was named")
            .with_hint("--timestamp-url and --timestamp-root-cert name it"));
    };
    let source = authority.checked();
    if opened.is_archive() {
        return beside(arguments, &opened, &source, &network, &limits);
    }
    let target = one_target(&opened)?;
    let place = opened.repository_text();
    for candidate in wanted(arguments, &opened, std::slice::from_ref(&target), &limits)? {
        if candidate.subject().digest != target.digest {
            continue;
        }
        let made = candidate.stamped(&source)?;
        store(&opened, &made, &target, false, &network)?;
        let (old, new) = (candidate.digest(), made.descriptor.digest);
        terminal::print(|out| writeln!(out, "Timestamped {place}@{old}: the new signature is {place}@{new}"))?;
    }
    Ok(Status::Done)
}

/// Tokens beside the signatures of a bundle, in a new one.
fn beside(
    arguments: &TimestampAdd,
    opened: &Opened,
    source: &dyn TimestampSource,
    network: &Network,
    limits: &Limits,
) -> Result<Status, CommandError> {
    let roots: Vec<Descriptor> = opened.meant()?.into_iter().map(|root| root.descriptor).collect();
    let added = MemoryStore::new();
    let mut lines = Vec::new();
    for candidate in wanted(arguments, opened, &roots, limits)? {
        candidate.detached(source)?.put(&added)?;
        lines.push(format!("Timestamped the signature {} of {}", candidate.digest(), candidate.subject().digest));
    }
    rebundle::write(opened, Added(added), &arguments.bundle, network, limits)?;
    rebundle::tell(&arguments.bundle, &lines)?;
    Ok(Status::Done)
}

/// The signatures that are to be stamped, each once; that there is none is an error.
fn wanted(
    arguments: &TimestampAdd,
    opened: &Opened,
    roots: &[Descriptor],
    limits: &Limits,
) -> Result<Vec<Candidate>, CommandError> {
    let stamp = if arguments.renew { Stamp::All } else { Stamp::Missing };
    let options = WalkOptions { known_omitted: opened.omitted(), ..WalkOptions::default() };
    let bars = Bars::new();
    let mut found: Vec<Candidate> = Vec::new();
    let mut passed: Vec<PassedOver> = Vec::new();
    for root in roots {
        let (more, over) = candidates(opened.store.as_ref(), root, stamp, &options, limits, bars.as_ref())?;
        found.extend(more);
        passed.extend(over);
    }
    bars.done();
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let named = |digest: &Digest| arguments.signatures.is_empty() || arguments.signatures.contains(digest);
    found.retain(|candidate| named(&candidate.digest()) && seen.insert(candidate.digest()));
    for one in passed.iter().filter(|one| named(&one.signature) && seen.insert(one.signature)) {
        terminal::say(&format!("note: the signature {} is passed over: {}", one.signature, one.reason));
    }
    if let Some(missing) = arguments.signatures.iter().find(|digest| !seen.contains(digest)) {
        let message = format!("{} has no signature {missing}", opened.place.location);
        return Err(CommandError::new(DiagnosticCode::NotFound, message));
    }
    if found.is_empty() {
        let message = format!("{} has no signature to put a timestamp on", opened.place.location);
        return Err(CommandError::new(DiagnosticCode::NotFound, message)
            .with_hint("--renew also stamps signatures that have a timestamp"));
    }
    Ok(found)
}
