//! `bulla export REF... -o FILE`

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bulla::archive::{
    BundleInventory, BundleWriter, Companions, Compression as ArchiveCompression, DockerManifest, EvidenceRecord,
    OutputFile,
};
use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::ops::closure::WalkOptions;
use bulla::ops::collect::{Collection, Source, collect};
use bulla::ops::file::FileSource;
use bulla::ops::pack::{Supplies, docker_manifest, inventory, pack, pack_file};
use bulla::ops::progress::{Progress, Stage};
use bulla::ops::seal::SubjectSeal;
use bulla::ops::supply::{GapPolicy, Sources, supply};
use bulla::report::{Count, TOOL, inspection};

use crate::args::{Compression, Export};
use crate::error::{CommandError, Status};
use crate::locate::{is_same, open};
use crate::progress::Bars;
use crate::settings::{self, Network};
use crate::signing::Authority;
use crate::terminal;

use super::sealing::{Sealer, position};

pub(crate) fn run(arguments: &Export) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let bars = Bars::new();
    let progress: Arc<dyn Progress> = bars.clone();
    let sealer = Sealer::open(&arguments.sealing, &limits)?;
    let stream = position(&arguments.sealing, &limits)?;
    let places: Vec<&str> = arguments.references.iter().map(String::as_str).collect();
    let network = Network::new(&arguments.registry, &places, &limits);
    let supplied = settings::supplied_crls(&arguments.crls, &limits)?;
    let sources = sources(arguments, &network, &limits)?;
    let options = WalkOptions { platforms: arguments.platforms.clone(), ..WalkOptions::default() };
    let collection = collect(sources, &options, &limits, progress.as_ref())?;
    progress.stage(Stage::Supplying, None);
    let live = if arguments.offline { None } else { network.evidence()? };
    let gaps = if arguments.allow_missing_evidence { GapPolicy::Record } else { GapPolicy::Refuse };
    let evidence = Sources { supplied: &supplied, live };
    let supplies = supply(&collection, &evidence, gaps, &limits)?;
    let created = settings::creation_time()?;
    let inventory = BundleInventory { stream, ..inventory(&collection, &supplies, created, TOOL)? };
    let (inventory, docker) = loadable(arguments.docker_load, &collection, inventory)?;
    let authority = Authority::of(&arguments.sealing.authority, &arguments.crls, &network, &limits)?;
    let seal = match sealer {
        Some(sealer) => Some(sealer.seal(&inventory, &supplies, &evidence, gaps, authority.as_ref(), &limits)?),
        None => None,
    };
    let compression = compression(arguments.compression, &arguments.output, arguments.level);
    let companions = Companions { seal: seal.as_ref(), docker_manifest: docker.as_ref() };
    write(&collection, &supplies, &inventory, companions, &arguments.output, compression, &progress)?;
    bars.done();
    tell(&inventory, &arguments.output);
    if let Some(docker) = docker {
        tell_loadable(&docker);
    }
    if let Some(seal) = seal {
        terminal::say(&format!("sealed {}", seal.members().bundle().digest));
    }
    Ok(Status::Done)
}

/// What docker and podman load a bundle by, where that is wanted; and the inventory, which says so.
pub(super) fn loadable(
    wanted: bool,
    collection: &Collection,
    inventory: BundleInventory,
) -> Result<(BundleInventory, Option<DockerManifest>), CommandError> {
    if !wanted {
        return Ok((inventory, None));
    }
    let docker = docker_manifest(collection, &inventory)?;
    Ok((inventory.with_docker_manifest(&docker), Some(docker)))
}

fn tell_loadable(docker: &DockerManifest) {
    let count = docker.images();
    let images = if count == 1 { "the image" } else { "the images" };
    terminal::say(&format!(
        "note: docker load and podman load read {images} in it, and judge nothing; bulla import --to docker-archive:FILE judges first"
    ));
}

/// Writes the bundle, whole or not at all; to standard output as it comes.
pub(super) fn write(
    collection: &Collection,
    supplies: &Supplies,
    inventory: &BundleInventory,
    companions: Companions<'_>,
    output: &Path,
    compression: ArchiveCompression,
    progress: &Arc<dyn Progress>,
) -> Result<(), CommandError> {
    if output == Path::new("-") {
        let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
        let writer = BundleWriter::with(out, inventory, companions, compression)?;
        let mut out = pack(collection, supplies, inventory, writer, progress)?;
        return out.flush().map_err(|error| CommandError::io(Path::new("standard output"), &error));
    }
    let file = OutputFile::create(output)?;
    let file = match compression {
        ArchiveCompression::None => pack_file(collection, supplies, inventory, companions, file, progress)?,
        ArchiveCompression::Zstd { .. } => {
            let writer = BundleWriter::with(file, inventory, companions, compression)?;
            pack(collection, supplies, inventory, writer, progress)?
        }
    };
    Ok(file.commit()?)
}

/// Opens every reference. A name given with `--as` belongs to the reference at its place.
fn sources(arguments: &Export, network: &Network, limits: &Limits) -> Result<Vec<Source>, CommandError> {
    let (references, names) = (&arguments.references, &arguments.names);
    if !names.is_empty() && names.len() != references.len() {
        return Err(CommandError::new(
            DiagnosticCode::UsageInvalid,
            format!(
                "{} references and {} names: --as is given once for each reference, or not at all",
                references.len(),
                names.len()
            ),
        ));
    }
    let mut sources = Vec::new();
    for (place, reference) in references.iter().enumerate() {
        if let Some(path) = reference.strip_prefix("file:") {
            sources.push(file(Path::new(path), names.get(place).is_some(), &arguments.output, limits)?);
            continue;
        }
        if reference == "-" {
            let message = "an export reads its sources more than once, which standard input does not allow";
            return Err(CommandError::new(DiagnosticCode::UsageInvalid, message)
                .with_hint("write the bundle to a file first and give that"));
        }
        let opened = open(reference, network, limits)?;
        opened.spare(&arguments.output)?;
        if matches!(opened.seal, SubjectSeal::Sealed(_)) {
            let is = if arguments.sealing.seal.is_some() { "gets a seal of its own" } else { "is not sealed" };
            terminal::say(&format!("note: {reference} is sealed; a seal is on one bundle only, and the new one {is}"));
        }
        sources.extend(opened.sources(names.get(place))?);
    }
    warn_of_namesakes(references);
    Ok(sources)
}

/// An import puts files beside each other, under their own names.
fn warn_of_namesakes(references: &[String]) {
    let mut seen: BTreeMap<&OsStr, &Path> = BTreeMap::new();
    for path in references.iter().filter_map(|reference| reference.strip_prefix("file:")).map(Path::new) {
        let Some(name) = path.file_name() else { continue };
        if let Some(first) = seen.insert(name, path).filter(|first| !is_same(first, path)) {
            terminal::say(&format!(
                "warning: {} and {} are both called {name:?}: no folder has room for both, so this bundle cannot be imported",
                first.display(),
                path.display()
            ));
        }
    }
}

/// A file, and the signatures that lie beside it under Notation's names.
fn file(path: &Path, is_named: bool, output: &Path, limits: &Limits) -> Result<Source, CommandError> {
    let usage = |message: String, hint: &str| CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint(hint);
    if is_named {
        let message = format!("{} is a file, which is judged by no repository", path.display());
        return Err(usage(message, "export files and artifacts apart, or leave --as out"));
    }
    if is_same(path, output) {
        return Err(usage(format!("{} is what is read", output.display()), "name another file"));
    }
    let signatures = super::blob::signatures_beside(path, limits)?;
    if signatures.is_empty() {
        terminal::say(&format!("note: no signature of {} lies beside it", path.display()));
    }
    let FileSource { store, descriptor, reference } = FileSource::open(path, &signatures, limits)?;
    Ok(Source { store, descriptor, reference })
}

pub(super) fn compression(wanted: Compression, output: &Path, level: i32) -> ArchiveCompression {
    let by_name = output.extension().is_some_and(|extension| extension == "zst");
    match wanted {
        Compression::Zstd => ArchiveCompression::Zstd { level },
        Compression::Auto if by_name => ArchiveCompression::Zstd { level },
        Compression::Auto | Compression::None => ArchiveCompression::None,
    }
}

pub(super) fn tell(inventory: &BundleInventory, output: &Path) {
    for root in &inventory.roots {
        terminal::say(&format!("exported {} ({})", root.reference, root.digest));
    }
    let crls_only = inventory.evidence.iter().all(|record| matches!(record, EvidenceRecord::Crl(_)));
    terminal::say(&format!(
        "{}: {}, {} bytes, {}, {}",
        output.display(),
        Count(usize::try_from(inventory.totals.blobs).unwrap_or(usize::MAX), "blob"),
        inventory.totals.bytes,
        Count(inventory.signatures.len(), "signature"),
        if crls_only {
            Count(inventory.evidence.len(), "CRL").to_string()
        } else {
            format!("{} CRLs and OCSP responses", inventory.evidence.len())
        }
    ));
    for notice in inspection::gaps(inventory) {
        terminal::say(&format!("note[{}]: {}", notice.code, notice.message));
    }
}
