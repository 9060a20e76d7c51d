//! `bulla inspect TARGET`: the signatures of an artifact, or the inventory of a bundle.

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::ops;
use bulla::ops::listing::{More, SignatureDetails, attached};
use bulla::ops::seal::SubjectSeal;
use bulla::ops::verify::RootToVerify;
use bulla::report::inspection::{Inspection, write_inspection};
use bulla::report::signatures::{SignatureDocument, SignatureList, go_json, write_tree};
use bulla::store::NamedRoot;

use super::list::warn_of_more;
use crate::args::{Format, Inspect, SignatureView};
use crate::error::{CommandError, Status};
use crate::locate::{Notation, Opened, open_as};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Inspect) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let network = Network::new(&arguments.registry, &[&arguments.target], &limits);
    let mut opened = open_as(Notation::of(arguments.oci_layout), &arguments.target, &network, &limits)?;
    // Nothing of a tail is shown, so whoever writes it is told.
    opened.pipe = None;
    let wants_inventory = arguments.inventory || arguments.format.is_some();
    if wants_inventory || (opened.is_archive() && arguments.output.is_none()) {
        show_inventory(&opened, arguments.format.unwrap_or(Format::Text), &limits)
    } else {
        show_signatures(&opened, arguments, &limits)
    }
}

fn show_inventory(opened: &Opened, format: Format, limits: &Limits) -> Result<Status, CommandError> {
    let progress = Bars::new();
    let roots = roots(opened)?;
    let inspected = ops::inspect::inspect(opened.store.as_ref(), &roots, &opened.omitted(), limits, progress.as_ref())?;
    drop(progress);
    let mut inspection = Inspection::new(opened.place.clone(), opened.inventory.as_ref(), inspected);
    if let (Some(bundle), SubjectSeal::Sealed(seal)) = (&mut inspection.bundle, &opened.seal) {
        bundle.seal = Some(seal.manifest().digest);
    }
    match format {
        Format::Json => terminal::print_json(&inspection)?,
        Format::Text => terminal::print(|out| write_inspection(&inspection, out))?,
    }
    Ok(Status::Done)
}

/// The signatures that can be shown, and what became of the others.
struct Shown {
    list: SignatureList,
    more: More,
    status: Status,
}

fn show_signatures(opened: &Opened, arguments: &Inspect, limits: &Limits) -> Result<Status, CommandError> {
    let view = arguments.output.unwrap_or(SignatureView::Tree);
    if view == SignatureView::Text {
        terminal::say("warning: -o text is Notation 1's; the tree is shown");
    }
    let roots = opened.meant_once()?;
    if view == SignatureView::Json && roots.len() != 1 {
        let message = format!("{} holds {} artifacts, and the document is about one", arguments.target, roots.len());
        return Err(CommandError::new(DiagnosticCode::ReferenceAmbiguous, message)
            .with_hint("name the artifact by tag or digest, or see everything with --format json"));
    }
    let mut status = Status::Done;
    for root in roots {
        opened.warn_of_tag(&root.descriptor.digest);
        let shown = read(opened, &root, arguments.max_signatures, limits)?;
        match view {
            SignatureView::Json => {
                let text = go_json(&shown.list)?;
                terminal::print(|out| out.write_all(&text))?;
            }
            SignatureView::Tree | SignatureView::Text => {
                let name = opened.name_by_digest(&root.descriptor.digest);
                terminal::print(|out| write_tree(&name, &shown.list.signatures, shown.more, out))?;
            }
        }
        warn_of_more(shown.more, arguments.max_signatures);
        if shown.status != Status::Done {
            status = shown.status;
        }
    }
    Ok(status)
}

/// A signature that cannot be read is named on standard error, and the command fails in the end, as Notation's does.
fn read(opened: &Opened, root: &NamedRoot, most: usize, limits: &Limits) -> Result<Shown, CommandError> {
    let found = attached(opened.store.as_ref(), &root.descriptor, most, limits)?;
    let mut status = Status::Done;
    let mut signatures = Vec::new();
    for signature in found.read(opened.store.as_ref(), limits)? {
        let digest = signature.digest;
        match SignatureDetails::of_found(signature, limits) {
            Ok(details) => signatures.push(SignatureDocument::new(&details)),
            Err(failure) => {
                terminal::say(&format!("warning[{}]: {digest} is not shown: {}", failure.code, failure.message));
                status = Status::Rejected;
            }
        }
    }
    let list = SignatureList { media_type: found.artifact.media_type.clone(), signatures };
    Ok(Shown { list, more: found.more, status })
}

/// The artifacts that are meant; they need no name here.
pub(super) fn roots(opened: &Opened) -> Result<Vec<RootToVerify>, CommandError> {
    let found = opened.meant()?;
    Ok(found
        .into_iter()
        .map(|named| RootToVerify { descriptor: named.descriptor, reference: named.reference })
        .collect())
}
