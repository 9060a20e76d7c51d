//! `bulla import FILE --to DEST`

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::archive::OutputFile;
use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Location, Reference};
use bulla::ops::closure::WalkOptions;
use bulla::ops::docker_archive::{self, DockerArchiveOptions};
use bulla::ops::file::{extract, extract_stream, is_file};
use bulla::ops::import::{
    Admission, AdmissionGround, Allow, Destination, ImportOptions, ImportReport, ImportedRoot, Mapping, Tally, import,
    import_stream,
};
use bulla::ops::integrity::Ledger;
use bulla::ops::progress::Progress;
use bulla::ops::verify::{Verification, VerifiedRoot};
use bulla::report::TOOL;
use bulla::report::receipt::{Imported, Kept, Receipt, ReceivedSeal, Refused, Written, write_receipt};
use bulla::report::text::write_report;
use bulla::report::v1::{Report, SignatureWord, Word};
use bulla::store::StoreError;
use bulla::store::layout::LayoutSink;
use bulla::verification::Verdict;

use super::verify::{judge, refuse};
use crate::args::{AllowWhat, Format, Import};
use crate::error::{CommandError, Status};
use crate::locate::{Opened, is_same, open};
use crate::progress::Bars;
use crate::settings::Network;
use crate::terminal;

pub(crate) fn run(arguments: &Import) -> Result<Status, CommandError> {
    let limits = arguments.most.limits();
    let destination = To::parse(&arguments.to)?;
    let network = match &destination {
        To::Registry(place) => Network::to_registry(&arguments.registry, place, &limits),
        To::Layout(_) | To::Files(_) | To::DockerArchive(_) => {
            Network::new(&arguments.registry, &[&arguments.bundle], &limits)
        }
    };
    let mut opened = open(&arguments.bundle, &network, &limits)?;
    if !opened.is_bundle() {
        return Err(CommandError::new(
            DiagnosticCode::BundleManifestInvalid,
            format!("{} is not a bundle", opened.place.location),
        )
        .with_hint("make one with bulla export, which also takes layouts and other archives"));
    }
    check_outputs(arguments, &destination, &opened)?;
    check_kinds(&destination, &opened)?;
    let mapping = mapping(arguments, &destination, &opened)?;
    let bars = Bars::new();
    let (judged, mut account) = judge(&opened, &arguments.judging, &arguments.files, &network, &limits, bars.as_ref())?;
    // An import that cannot be accounted for is not begun.
    let file = arguments.receipt.as_deref().map(OutputFile::create).transpose()?;
    let admissions = admissions(judged.artifacts(), &arguments.allow);
    let ledger = judged.ledger();
    let (imported, verification) = if admissions.is_empty() && opened.pipe.is_some() {
        (ImportReport::default(), refuse(judged, &ledger, &mut account, &mut opened))
    } else if admissions.is_empty() {
        let sound = ledger.settle(opened.store.as_ref(), bars.as_ref())?;
        (ImportReport::default(), judged.verified(sound))
    } else {
        let options = options(mapping, &opened, &ledger);
        let progress: Arc<dyn Progress> = bars.clone();
        let errand =
            Errand { arguments, admissions: &admissions, options, network: &network, limits: &limits, progress };
        let imported = errand.run(&destination, &mut opened)?;
        let sound = ledger.close().map_err(|blob| StoreError::missing(&blob, "a manifest of the artifact"))?;
        (imported, judged.verified(sound))
    };
    bars.done();
    let report = account.report(&verification);
    let receipt = receipt(&report, &imported, &verification, &arguments.to)?;
    if let (Some(file), Some(path)) = (file, &arguments.receipt) {
        save(&receipt, file, path)?;
    }
    match arguments.output.format {
        Format::Json => terminal::print_json(&receipt)?,
        Format::Text => terminal::print(|out| {
            write_report(&report, out)?;
            write_receipt(&receipt, out)
        })?,
    }
    for refused in &receipt.refused {
        let word = refused.verdict.as_str();
        terminal::say(&format!("error[artifact-not-trusted]: {} is {word} and was not imported", refused.reference));
    }
    if let Some(allow) =
        allow_hint(verification.artifacts.iter().filter(|root| admit(root, &arguments.allow).is_none()))
    {
        terminal::say(&allow);
    }
    Ok(status(&receipt))
}

fn status(receipt: &Receipt) -> Status {
    match receipt.refused.iter().map(|refused| refused.verdict).max() {
        None => Status::Done,
        Some(Word::Rejected) => Status::Rejected,
        Some(_) => Status::Undecided,
    }
}

/// Where to.
enum To {
    Layout(PathBuf),
    DockerArchive(PathBuf),
    Files(PathBuf),
    Registry(String),
}

impl To {
    fn parse(text: &str) -> Result<Self, CommandError> {
        let path = |rest: &str| match rest {
            "" => Err(CommandError::new(DiagnosticCode::UsageInvalid, format!("{text:?} names no path"))),
            path => Ok(PathBuf::from(path)),
        };
        if let Some(rest) = text.strip_prefix("oci:") {
            return nameless(path(rest)?, rest).map(Self::Layout);
        }
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            return nameless(path(rest)?, rest).map(Self::DockerArchive);
        }
        if let Some(rest) = text.strip_prefix("file:") {
            return path(rest).map(Self::Files);
        }
        if text.starts_with(['.', '/']) {
            return Err(CommandError::new(
                DiagnosticCode::UsageInvalid,
                format!("{text:?} could be a layout or an archive"),
            )
            .with_hint("write oci:DIR or docker-archive:FILE"));
        }
        Ok(Self::Registry(text.to_owned()))
    }
}

impl To {
    /// The folder that is written, if it is one.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Layout(path) | Self::Files(path) => Some(path),
            Self::DockerArchive(_) | Self::Registry(_) => None,
        }
    }
}

/// Elsewhere a tag or digest may follow a path. Here the names come from the bundle, and a folder that is called
/// `images:1.0` was hardly meant.
fn nameless(path: PathBuf, text: &str) -> Result<PathBuf, CommandError> {
    match Location::split_path(text) {
        Ok((_, None)) => Ok(path),
        _ if path.exists() => Ok(path),
        _ => Err(CommandError::new(DiagnosticCode::UsageInvalid, format!("{text:?} names a tag or digest"))
            .with_hint("give the path alone: artifacts keep the names that they have in the bundle; --map renames")),
    }
}

/// What is written may not take the place of what is read, nor of what else is written.
fn check_outputs(arguments: &Import, destination: &To, opened: &Opened) -> Result<(), CommandError> {
    let refuse =
        |message: String, hint: &str| Err(CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint(hint));
    let archive = match destination {
        To::DockerArchive(path) => Some(path),
        To::Layout(_) | To::Files(_) | To::Registry(_) if arguments.platform.is_some() => {
            return refuse(
                format!("--platform says nothing about {}: all that was exported is imported", arguments.to),
                "leave it out, or give it to bulla export",
            );
        }
        To::Layout(_) | To::Files(_) | To::Registry(_) => None,
    };
    archive.into_iter().chain(&arguments.receipt).try_for_each(|path| opened.spare(path))?;
    match (&arguments.receipt, archive) {
        (Some(receipt), _) if receipt == Path::new("-") => {
            refuse("the receipt goes to a file".into(), "--format json prints it to standard output")
        }
        (Some(receipt), Some(archive)) if is_same(receipt, archive) => {
            refuse(format!("{} cannot be both archive and receipt", receipt.display()), "name another file")
        }
        (Some(receipt), None) if destination.folder().is_some_and(|folder| is_same(receipt, folder)) => {
            refuse(format!("{} cannot be both folder and receipt", receipt.display()), "name another file")
        }
        _ => Ok(()),
    }
}

/// A rule that fits nothing in the bundle may be a typing error: that is said before anything gets a name.
fn mapping(arguments: &Import, destination: &To, opened: &Opened) -> Result<Mapping, CommandError> {
    let mut mapping = match destination {
        To::Registry(base) => Mapping::below(base)?,
        To::Layout(_) | To::Files(_) | To::DockerArchive(_) => Mapping::keep(),
    };
    for (from, to) in &arguments.maps {
        mapping.add_rule(&format!("{from}={to}"))?;
    }
    let roots = opened.inventory.iter().flat_map(|inventory| &inventory.roots);
    let repositories: Vec<_> = roots.map(|root| root.reference.repository.clone()).collect();
    if let Some(from) = mapping.idle_rule(&repositories) {
        terminal::say(&format!("warning: --map {from}=… fits nothing in the bundle; bulla inspect shows its names"));
    }
    Ok(mapping)
}

/// What may go in: what was judged trusted, and what the operator lets in.
fn admissions(artifacts: &[VerifiedRoot], allow: &[AllowWhat]) -> Vec<Admission> {
    artifacts.iter().filter_map(|root| admit(root, allow)).collect()
}

fn admit(root: &VerifiedRoot, allow: &[AllowWhat]) -> Option<Admission> {
    let reference = root.root.reference.clone()?;
    let verdict = &root.outcome.as_ref()?.verdict;
    if let Verdict::Trusted(artifact) = verdict {
        return Some(Admission::trusted(artifact.as_ref().clone(), reference));
    }
    let (what, allowed) = needed(verdict)?;
    let descriptor = root.root.descriptor.clone();
    allow.contains(&what).then(|| Admission::allowed(descriptor, reference, allowed))
}

/// What the operator would have to allow.
fn needed(verdict: &Verdict) -> Option<(AllowWhat, Allow)> {
    match verdict {
        Verdict::Trusted(_) => None,
        verdict if verdict.is_unsigned() => Some((AllowWhat::Unsigned, Allow::Unsigned)),
        Verdict::Rejected(_) | Verdict::Undecided(_) => Some((AllowWhat::Rejected, Allow::Rejected)),
        Verdict::Skipped => Some((AllowWhat::Skipped, Allow::Skipped)),
    }
}

/// The way past a refusal, and what it means to take it.
fn allow_hint<'a>(refused: impl Iterator<Item = &'a VerifiedRoot>) -> Option<String> {
    let verdicts = refused.filter_map(|root| root.outcome.as_ref());
    let words: BTreeSet<&str> =
        verdicts.filter_map(|outcome| needed(&outcome.verdict)).map(|(_, allow)| allow.as_str()).collect();
    let words: Vec<&str> = words.into_iter().collect();
    let words = words.join(",");
    let hint = "lets it in all the same, on your word alone, and the receipt says so";
    (!words.is_empty()).then(|| format!("hint: the reasons are in the report; --allow {words} {hint}"))
}

/// A file is good under any name, so it may never pass for an image: it goes into a folder, and nothing else does.
fn check_kinds(destination: &To, opened: &Opened) -> Result<(), CommandError> {
    let wants_files = matches!(destination, To::Files(_));
    let roots = opened.inventory.iter().flat_map(|inventory| &inventory.roots);
    let Some(other) = roots.map(|root| &root.reference).find(|name| is_file(name) != wants_files) else {
        return Ok(());
    };
    let (message, hint) = if wants_files {
        (format!("{other} is no file"), "name a layout, a registry or docker-archive:FILE")
    } else {
        (format!("{other} is a file"), "file:DIR takes files")
    };
    Err(CommandError::new(DiagnosticCode::DestinationUnsupported, message).with_hint(hint))
}

fn options(mapping: Mapping, opened: &Opened, ledger: &Arc<Ledger>) -> ImportOptions {
    let walk = WalkOptions { known_omitted: opened.omitted(), ..WalkOptions::default() };
    ImportOptions { mapping, walk, ledger: Some(Arc::clone(ledger)), ..ImportOptions::default() }
}

/// What is to be done, all decided.
struct Errand<'a> {
    arguments: &'a Import,
    admissions: &'a [Admission],
    options: ImportOptions,
    network: &'a Network,
    limits: &'a Limits,
    progress: Arc<dyn Progress>,
}

impl Errand<'_> {
    fn run(&self, destination: &To, opened: &mut Opened) -> Result<ImportReport, CommandError> {
        if let (Some(pipe), Some(ledger)) = (&opened.pipe, &self.options.ledger) {
            ledger.checked_head(&pipe.head)?;
        }
        match destination {
            To::Layout(path) => {
                let sink = Arc::new(LayoutSink::open_or_create(path)?);
                self.import(opened, &Destination::Single(sink))
            }
            To::DockerArchive(path) => self.write_docker_archive(path, opened),
            To::Files(path) => self.write_files(path, opened),
            To::Registry(_) => self.send_to_registry(opened),
        }
    }

    fn import(&self, opened: &mut Opened, to: &Destination<'_>) -> Result<ImportReport, CommandError> {
        let (admissions, options, limits, progress) = (self.admissions, &self.options, self.limits, &self.progress);
        Ok(match &mut opened.pipe {
            None => import(opened.store.as_ref(), admissions, to, options, limits, progress)?,
            Some(pipe) => import_stream(&pipe.head, &mut pipe.tail, admissions, to, options, limits, progress)?,
        })
    }

    /// Files with their signatures, beside each other in a folder. Everything was read and checked before the first has its
    /// name.
    fn write_files(&self, folder: &Path, opened: &mut Opened) -> Result<ImportReport, CommandError> {
        let Some(ledger) = &self.options.ledger else {
            return Err(CommandError::new(DiagnosticCode::InternalError, "no ledger"));
        };
        let artifacts: Vec<_> = self.admissions.iter().map(|admission| admission.descriptor().clone()).collect();
        let files = match &mut opened.pipe {
            Some(pipe) => extract_stream(&pipe.head, &mut pipe.tail, &artifacts, folder, ledger, self.limits)?,
            None => {
                let store = opened.store.as_ref();
                ledger.settle(store, self.progress.as_ref())?;
                extract(store, &artifacts, folder, self.limits)?
            }
        };
        let mut report = ImportReport::default();
        for (admission, files) in self.admissions.iter().zip(files) {
            for file in &files {
                let size = file.metadata().map_or(0, |metadata| metadata.len());
                report.copied.blobs = report.copied.blobs.saturating_add(1);
                report.copied.bytes = report.copied.bytes.saturating_add(size);
            }
            report.roots.push(ImportedRoot {
                reference: admission.reference().clone(),
                destination: admission.reference().clone(),
                descriptor: admission.descriptor().clone(),
                ground: admission.ground(),
                referrers: u64::try_from(files.len()).unwrap_or(u64::MAX).saturating_sub(1),
            });
        }
        Ok(report)
    }

    /// The format takes no signatures; that is said aloud.
    fn write_docker_archive(&self, path: &Path, opened: &mut Opened) -> Result<ImportReport, CommandError> {
        let options = DockerArchiveOptions {
            mapping: self.options.mapping.clone(),
            platform: self.arguments.platform.clone(),
            known_omitted: self.options.walk.known_omitted.clone(),
            ledger: self.options.ledger.clone(),
        };
        let mut file = OutputFile::create(path)?;
        let out = BufWriter::with_capacity(1 << 20, &mut file);
        let (admissions, limits, progress) = (self.admissions, self.limits, &self.progress);
        let written = match &mut opened.pipe {
            None => docker_archive::write(opened.store.as_ref(), admissions, &options, limits, out, progress)?,
            Some(pipe) => {
                let (head, tail) = (&pipe.head, &mut pipe.tail);
                docker_archive::write_stream(head, tail, admissions, &options, limits, out, progress)?
            }
        };
        file.commit()?;
        for image in written.images.iter().filter(|image| image.left_behind > 0) {
            terminal::say(&format!(
                "note: a docker archive has no place for the {} signatures and other referrers of {}",
                image.left_behind, image.destination
            ));
        }
        let root = |image: docker_archive::ArchivedImage| ImportedRoot {
            reference: image.reference,
            destination: image.destination,
            descriptor: image.root,
            ground: image.ground,
            referrers: 0,
        };
        Ok(ImportReport {
            copied: Tally { manifests: 0, blobs: written.blobs, bytes: written.bytes },
            present: Tally::default(),
            roots: written.images.into_iter().map(root).collect(),
            kept: Vec::new(),
        })
    }

    #[cfg(feature = "registry")]
    fn send_to_registry(&self, opened: &mut Opened) -> Result<ImportReport, CommandError> {
        use bulla::store::ContentSink;
        let client = self.network.registries()?;
        let open = |repository: &bulla::oci::Repository| -> Result<Arc<dyn ContentSink>, StoreError> {
            Ok(Arc::new(client.destination(repository)))
        };
        self.import(opened, &Destination::PerRepository(&open))
    }

    #[cfg(not(feature = "registry"))]
    fn send_to_registry(&self, _: &mut Opened) -> Result<ImportReport, CommandError> {
        let _ = self.network;
        Err(CommandError::new(
            DiagnosticCode::HttpSupportMissing,
            "the destination is a registry, and this build of bulla holds no HTTP client",
        )
        .with_hint("use a build with the feature \"registry\", or import into oci:DIR"))
    }
}

fn receipt(
    report: &Report,
    imported: &ImportReport,
    verification: &Verification,
    destination: &str,
) -> Result<Receipt, CommandError> {
    let clock = report.clock.clone().ok_or_else(|| CommandError::new(DiagnosticCode::InternalError, "no clock"))?;
    let mut receipt = Receipt {
        schema_version: 1,
        tool: TOOL.to_owned(),
        completed_at: terminal::now(),
        source: report.source.clone(),
        clock,
        seal: ReceivedSeal::of(report),
        destination: destination.to_owned(),
        imported: Vec::new(),
        refused: Vec::new(),
        kept: imported.kept.iter().map(Kept::of).collect(),
        written: Written {
            copied: imported.copied.manifests.saturating_add(imported.copied.blobs),
            already_there: imported.present.manifests.saturating_add(imported.present.blobs),
            bytes: imported.copied.bytes,
        },
    };
    let mut by_name: BTreeMap<(&Reference, Digest), &ImportedRoot> = BTreeMap::new();
    for root in &imported.roots {
        by_name.entry((&root.reference, root.descriptor.digest)).or_insert(root);
    }
    for (artifact, root) in report.artifacts.iter().zip(&verification.artifacts) {
        let Some(name) = &root.root.reference else { continue };
        let (found, reference) = (by_name.get(&(name, root.root.descriptor.digest)), name.clone());
        let Some(found) = found else {
            let (digest, verdict, codes) = (artifact.digest, artifact.verdict, artifact.codes.clone());
            receipt.refused.push(Refused { reference, digest, verdict, codes });
            continue;
        };
        receipt.imported.push(Imported {
            reference,
            imported_as: found.destination.to_string(),
            digest: artifact.digest,
            verdict: artifact.verdict,
            codes: artifact.codes.clone(),
            not_enforced: artifact.not_enforced.clone(),
            allowed: match found.ground {
                AdmissionGround::Trusted => None,
                AdmissionGround::Allowed(allow) => Some(allow.as_str().to_owned()),
            },
            scope: artifact.policy.as_ref().map(|policy| policy.scope.clone()),
            statement: artifact.policy.as_ref().and_then(|policy| policy.statement.clone()),
            level: artifact.policy.as_ref().and_then(|policy| policy.level.clone()),
            good_signatures: artifact
                .signatures
                .iter()
                .filter(|signature| signature.verdict == SignatureWord::Good)
                .map(|signature| signature.digest)
                .collect(),
        });
    }
    Ok(receipt)
}

fn save(receipt: &Receipt, mut file: OutputFile, path: &Path) -> Result<(), CommandError> {
    let text = bulla::json::to_vec_pretty(receipt)?;
    file.write_all(&text).and_then(|()| writeln!(file)).map_err(|error| CommandError::io(path, &error))?;
    Ok(file.commit()?)
}
