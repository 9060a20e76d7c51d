//! `bulla sign REF`

use std::collections::BTreeMap;

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::notary::{EnvelopeType, SignatureManifestForm};
use bulla::oci::Descriptor;
use bulla::ops::sign::{SignRequest, attach, sign};
use bulla::signer::plugin::SigningPurpose;
use bulla::signer::{EnvelopeSource, SignatureArtifact, SigningOptions, TimestampSource};
use bulla::store::layout::LayoutSink;
use bulla::store::memory::MemoryStore;

use super::judging::unique;
use super::rebundle::{self, Added};
use crate::args::sign::{Sign, SignatureOptions};
use crate::error::{CommandError, Status};
use crate::locate::{Notation, Opened, open_as};
use crate::settings::{self, Network};
use crate::signing::{Authority, KeyChoice};
use crate::terminal;

pub(crate) fn run(arguments: &Sign) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let network = Network::new(&arguments.registry, &[&arguments.reference], &limits);
    let opened = open_as(Notation::of(arguments.oci_layout), &arguments.reference, &network, &limits)?;
    rebundle::check_output(&opened, &arguments.bundle)?;
    let signer = KeyChoice::of(&arguments.key, &limits)?.open(SigningPurpose::Artifact, &limits)?;
    let authority = Authority::of(&arguments.authority, &arguments.bundle.crls, &network, &limits)?;
    let checked = authority.as_ref().map(Authority::checked);
    let source = checked.as_ref().map(|checked| -> &dyn TimestampSource { checked });
    let options = options(&arguments.signature, source)?;
    let form = if arguments.legacy_manifest {
        SignatureManifestForm::ConfigMediaType
    } else {
        SignatureManifestForm::ArtifactType
    };
    let request = SignRequest { envelope: envelope_type(&arguments.signature, &limits)?, form, options };
    if opened.is_archive() {
        return into_bundle(arguments, &opened, signer.as_ref(), &request, &network, &limits);
    }
    let target = one_target(&opened)?;
    let made = sign(opened.store.as_ref(), &target, signer.as_ref(), &request, &limits)?;
    store(&opened, &made, &target, arguments.force_referrers_tag, &network)?;
    let place = opened.repository_text();
    terminal::print(|out| {
        writeln!(out, "Successfully signed {place}@{}", target.digest)?;
        writeln!(out, "Pushed the signature to {place}@{}", made.descriptor.digest)
    })?;
    Ok(Status::Done)
}

/// The wanted format, else that of Notation's `config.json`, else JWS (conformance 13.04).
pub(super) fn envelope_type(arguments: &SignatureOptions, limits: &Limits) -> Result<EnvelopeType, CommandError> {
    if let Some(format) = arguments.signature_format {
        return Ok(format.into());
    }
    match settings::notation_config(limits)?.signature_format().as_deref() {
        None | Some("jws") => Ok(EnvelopeType::Jws),
        Some("cose") => Ok(EnvelopeType::Cose),
        Some(other) => {
            let message = format!("config.json names the signature format {other:?}");
            Err(CommandError::new(DiagnosticCode::ConfigInvalid, message).with_hint("the formats are jws and cose"))
        }
    }
}

/// What the signature says. A key that is given twice has one value, or the command line contradicts itself.
pub(super) fn options<'a>(
    arguments: &SignatureOptions,
    timestamp: Option<&'a dyn TimestampSource>,
) -> Result<SigningOptions<'a>, CommandError> {
    let now = terminal::now();
    Ok(SigningOptions {
        // No duration is no end, and so is one of nothing, as in Notation.
        expiry: arguments.expiry.filter(|expiry| !expiry.is_zero()).map(|expiry| now.saturating_add(expiry)),
        user_metadata: unique(&arguments.user_metadata, "--user-metadata")?,
        timestamp,
        ..SigningOptions::new(now)
    })
}

/// The only artifact that is meant, with a warning where it is named by a tag.
pub(super) fn one_target(opened: &Opened) -> Result<Descriptor, CommandError> {
    let found = opened.meant_once()?;
    let [one] = found.as_slice() else {
        let message = format!("{} holds {} artifacts", opened.place.location, found.len());
        return Err(CommandError::new(DiagnosticCode::ReferenceAmbiguous, message)
            .with_hint("say which by :TAG or @DIGEST behind it"));
    };
    opened.warn_of_tag(&one.descriptor.digest);
    Ok(one.descriptor.clone())
}

/// Puts the signature where the artifact is.
pub(super) fn store(
    opened: &Opened,
    made: &SignatureArtifact,
    subject: &Descriptor,
    force_tag: bool,
    network: &Network,
) -> Result<(), CommandError> {
    match opened.layout() {
        Some(folder) => Ok(attach(&LayoutSink::open_or_create(folder)?, made, subject)?),
        None => into_registry(opened, made, subject, force_tag, network),
    }
}

#[cfg(feature = "registry")]
fn into_registry(
    opened: &Opened,
    made: &SignatureArtifact,
    subject: &Descriptor,
    force_tag: bool,
    network: &Network,
) -> Result<(), CommandError> {
    let Some(reference) = opened.registry() else {
        return Err(CommandError::new(DiagnosticCode::InternalError, "neither a layout nor a registry"));
    };
    let sink = network.registries()?.destination(&reference.repository);
    attach(&sink, made, subject)?;
    if force_tag {
        sink.list_under_tag(&subject.digest, &made.descriptor)?;
    }
    Ok(())
}

#[cfg(not(feature = "registry"))]
fn into_registry(
    opened: &Opened,
    _: &SignatureArtifact,
    _: &Descriptor,
    _: bool,
    _: &Network,
) -> Result<(), CommandError> {
    let message = format!("{} is in a registry, and this build of bulla holds no HTTP client", opened.place.location);
    Err(CommandError::new(DiagnosticCode::HttpSupportMissing, message))
}

/// Signs every artifact of the bundle that is meant, and writes a new bundle.
fn into_bundle(
    arguments: &Sign,
    opened: &Opened,
    signer: &dyn EnvelopeSource,
    request: &SignRequest<'_>,
    network: &Network,
    limits: &Limits,
) -> Result<Status, CommandError> {
    let added = MemoryStore::new();
    let mut lines = Vec::new();
    let mut signed = BTreeMap::new();
    for root in opened.meant()? {
        if signed.contains_key(&root.descriptor.digest) {
            continue;
        }
        let made = sign(opened.store.as_ref(), &root.descriptor, signer, request, limits)?;
        attach(&added, &made, &root.descriptor)?;
        let name = root.reference.map_or_else(|| opened.place.location.clone(), |name| name.repository.to_string());
        lines.push(format!("Successfully signed {name}@{}", root.descriptor.digest));
        signed.insert(root.descriptor.digest, made.descriptor.digest);
    }
    rebundle::write(opened, Added(added), &arguments.bundle, network, limits)?;
    rebundle::tell(&arguments.bundle, &lines)?;
    Ok(Status::Done)
}
