//! From what the operator wrote to an open store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::archive::{BundleInventory, SealMembers, StreamPosition, empty_config};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, Location, Reference, Target};
use bulla::ops::collect::{Source, find, locate};
use bulla::ops::seal::SubjectSeal;
use bulla::report::v1::{Source as Place, SourceKind};
use bulla::store::archive::{OpenedArchive, open_any};
use bulla::store::layout::LayoutStore;
use bulla::store::stream::{BundleHead, BundleTail, open_stream};
use bulla::store::{ContentStore, NamedRoot};

use crate::error::CommandError;
use crate::settings::Network;
use crate::terminal;

/// An open store, and what in it is meant.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn ContentStore>,
    pub(crate) place: Place,
    /// What a bundle says of itself.
    pub(crate) inventory: Option<BundleInventory>,
    /// What seals it.
    pub(crate) seal: SubjectSeal,
    /// What of it comes through a pipe, where it does.
    pub(crate) pipe: Option<Pipe>,
    /// The file or folder that it lies in.
    path: Option<PathBuf>,
    target: Option<Target>,
    reference: Option<Reference>,
}

/// A bundle on standard input: its head was read, its tail waits in the pipe.
pub(crate) struct Pipe {
    pub(crate) head: Arc<BundleHead>,
    pub(crate) tail: BundleTail,
}

impl Opened {
    /// What is meant in the store, under the names that it has there, or under `name`.
    pub(crate) fn sources(&self, name: Option<&Reference>) -> Result<Vec<Source>, CommandError> {
        let found = locate(&self.store, self.target.as_ref(), self.reference.as_ref(), name);
        found.map_err(|error| CommandError::from(error).about(&self.place.location))
    }

    /// What is meant in the store; it needs no name.
    pub(crate) fn meant(&self) -> Result<Vec<NamedRoot>, CommandError> {
        let found = find(&self.store, self.target.as_ref(), self.reference.as_ref());
        found.map_err(|error| CommandError::from(error).about(&self.place.location))
    }

    /// What is meant in the store, each artifact once, whatever names it has.
    pub(crate) fn meant_once(&self) -> Result<Vec<NamedRoot>, CommandError> {
        let mut seen = BTreeSet::new();
        Ok(self.meant()?.into_iter().filter(|root| seen.insert(root.descriptor.digest)).collect())
    }

    /// What a bundle's exporter left out on request.
    pub(crate) fn omitted(&self) -> BTreeSet<Digest> {
        self.inventory.iter().flat_map(|inventory| &inventory.omitted).map(|omitted| omitted.digest).collect()
    }

    /// The place in a series that a bundle claims.
    pub(crate) fn stream(&self) -> Option<StreamPosition> {
        self.inventory.as_ref().and_then(|inventory| inventory.stream.clone())
    }

    /// Everything that a bundle lists, where no part of it was singled out. The empty configuration may be there for
    /// the bundle manifest's own sake.
    pub(crate) fn listed(&self) -> BTreeSet<Digest> {
        let whole = self.inventory.iter().filter(|_| self.target.is_none());
        let digests = whole.flat_map(|inventory| &inventory.blobs).map(|blob| blob.digest);
        digests.filter(|digest| *digest != empty_config().digest).collect()
    }

    /// Refuses to write over what is being read, under whatever name: a source may be all that there is.
    pub(crate) fn spare(&self, output: &Path) -> Result<(), CommandError> {
        match &self.path {
            Some(path) if is_same(path, output) => Err(CommandError::new(
                bulla::code::DiagnosticCode::UsageInvalid,
                format!("{} is what is read; it would be overwritten", output.display()),
            )
            .with_hint("name another file")),
            _ => Ok(()),
        }
    }

    /// The layout's folder, if it is one.
    pub(crate) fn layout(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| self.place.kind == SourceKind::Layout)
    }

    /// The name under which a registry was opened, if it is one.
    #[cfg(feature = "registry")]
    pub(crate) const fn registry(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// What stands before `@digest` when something in it is named.
    pub(crate) fn repository_text(&self) -> String {
        match (&self.reference, &self.path) {
            (Some(reference), _) => reference.repository.to_string(),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => self.place.location.clone(),
        }
    }

    /// Everything in the store under the names that it has there, whatever part of it is meant.
    pub(crate) fn everything(&self) -> Result<Vec<Source>, CommandError> {
        Ok(locate(&self.store, None, self.reference.as_ref(), None)?)
    }

    pub(crate) fn is_bundle(&self) -> bool {
        self.inventory.is_some()
    }

    /// Whether it is a file with everything in it.
    pub(crate) const fn is_archive(&self) -> bool {
        matches!(self.place.kind, SourceKind::Bundle | SourceKind::Archive)
    }

    /// The artifact by its digest, as it could be written on the command line.
    pub(crate) fn name_by_digest(&self, digest: &Digest) -> String {
        match (&self.reference, &self.path) {
            (Some(reference), _) => format!("{}@{digest}", reference.repository),
            (None, Some(path)) => format!("{}@{digest}", path.display()),
            (None, None) => digest.to_string(),
        }
    }

    /// Says that a tag may mean something else tomorrow, where the target was named by one; a bundle's cannot change
    /// (conformance 1.31).
    pub(crate) fn warn_of_tag(&self, digest: &Digest) {
        let by_tag = match (&self.reference, &self.target) {
            (Some(reference), _) => reference.digest.is_none(),
            (None, target) => matches!(target, Some(Target::Tag(_))),
        };
        if by_tag && !self.is_archive() {
            let name = self.name_by_digest(digest);
            terminal::say(&format!("warning: a tag can be moved to other content; use the digest: {name}"));
        }
    }
}

/// Whether two names lead to one file or folder.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => resolved(one) == resolved(other),
    }
}

/// A path that may not lead anywhere yet, with its folder's real name.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    path.file_name().map_or_else(|| path.to_owned(), |name| folder.join(name))
}

/// Reads a location: with a prefix, as the path of something that exists, or as a registry reference.
pub(crate) fn parse(text: &str) -> Result<Location, CommandError> {
    let prefixed = text.starts_with("oci:") || text.starts_with("oci-archive:");
    if !prefixed {
        let whole = (PathBuf::from(text), None);
        for (path, target) in std::iter::once(whole).chain(Location::split_path(text).ok()) {
            if path.is_dir() {
                return Ok(Location::Layout { path, target });
            }
            if path.exists() {
                return Ok(Location::Archive { path, target });
            }
        }
    }
    Location::parse(text).map_err(|error| {
        let looks_like_a_path = text.starts_with(['/', '.', '~']) || !text.contains('/');
        let error = CommandError::from(error);
        if prefixed || !looks_like_a_path {
            return error;
        }
        CommandError::new(
            bulla::code::DiagnosticCode::NotFound,
            format!("{text:?} does not exist, and is no reference"),
        )
        .with_hint("give the path of a bundle or layout, or a reference host/repo[:tag][@digest]")
    })
}

/// How a target is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// With a prefix, as the path of something that exists, or as a registry reference.
    Any,
    /// `PATH:TAG` or `PATH@DIGEST` of a layout, whatever else it looks like (conformance 13.10).
    Layout,
}

impl Notation {
    /// What `--oci-layout` says.
    pub(crate) const fn of(oci_layout: bool) -> Self {
        if oci_layout { Self::Layout } else { Self::Any }
    }
}

/// Opens what `text` names; `-` is a bundle on standard input.
pub(crate) fn open(text: &str, network: &Network, limits: &Limits) -> Result<Opened, CommandError> {
    open_as(Notation::Any, text, network, limits)
}

/// Opens what `text` names, written as `notation` says.
pub(crate) fn open_as(
    notation: Notation,
    text: &str,
    network: &Network,
    limits: &Limits,
) -> Result<Opened, CommandError> {
    if text == "-" && notation == Notation::Any {
        return open_pipe(limits);
    }
    let location = match notation {
        Notation::Any => parse(text)?,
        Notation::Layout => parse_layout(text)?,
    };
    terminal::debug(|| format!("{text} is {location}"));
    open_location(location, network, limits)
}

fn parse_layout(text: &str) -> Result<Location, CommandError> {
    match Location::split_path(text)? {
        (path, Some(target)) => Ok(Location::Layout { path, target: Some(target) }),
        (path, None) => Err(CommandError::new(
            bulla::code::DiagnosticCode::ReferenceMalformed,
            format!("{} says neither by tag nor by digest what is meant in the layout", path.display()),
        )
        .with_hint("write PATH:TAG or PATH@DIGEST")),
    }
}

fn open_location(location: Location, network: &Network, limits: &Limits) -> Result<Opened, CommandError> {
    match location {
        Location::Layout { path, target } => {
            let store: Arc<dyn ContentStore> = Arc::new(LayoutStore::open(&path, limits)?);
            let place = place(SourceKind::Layout, &path);
            let (inventory, seal, path) = (None, SubjectSeal::NoBundle, Some(path));
            Ok(Opened { store, place, inventory, seal, pipe: None, path, target, reference: None })
        }
        Location::Archive { path, target } => open_archive(&path, target, limits),
        Location::Registry(reference) => open_registry(reference, network),
    }
}

fn open_pipe(limits: &Limits) -> Result<Opened, CommandError> {
    let opened = open_stream(terminal::take_input()?, limits);
    let (head, tail) = opened.map_err(|error| CommandError::from(error).about("standard input"))?;
    let (inventory, seal) = (head.inventory().clone(), seal_on(head.manifest(), head.seal()));
    let head = Arc::new(head);
    let store: Arc<dyn ContentStore> = head.clone();
    let place = Place { kind: SourceKind::Bundle, location: "-".to_owned() };
    let pipe = Some(Pipe { head, tail });
    Ok(Opened { store, place, inventory: Some(inventory), seal, pipe, path: None, target: None, reference: None })
}

fn seal_on(bundle: &Descriptor, seal: Option<&SealMembers>) -> SubjectSeal {
    let unsealed = || SubjectSeal::Unsealed { bundle: bundle.clone() };
    seal.cloned().map_or_else(unsealed, SubjectSeal::Sealed)
}

fn place(kind: SourceKind, path: &Path) -> Place {
    Place { kind, location: path.display().to_string() }
}

fn open_archive(path: &Path, target: Option<Target>, limits: &Limits) -> Result<Opened, CommandError> {
    // Of several sources, the one that is damaged must be told from the others.
    let opened =
        open_any(path, limits).map_err(|error| CommandError::from(error).about(&path.display().to_string()))?;
    let (store, kind, inventory, seal): (Box<dyn ContentStore>, _, _, _) = match opened {
        OpenedArchive::Bundle(bundle) => {
            let inventory = bundle.inventory().clone();
            let seal = seal_on(bundle.manifest(), bundle.seal());
            (bundle, SourceKind::Bundle, Some(inventory), seal)
        }
        OpenedArchive::Foreign(archive) => (archive, SourceKind::Archive, None, SubjectSeal::NoBundle),
    };
    let (store, place, path) = (Arc::from(store), place(kind, path), Some(path.to_owned()));
    Ok(Opened { store, place, inventory, seal, pipe: None, path, target, reference: None })
}

#[cfg(feature = "registry")]
fn open_registry(reference: Reference, network: &Network) -> Result<Opened, CommandError> {
    let store: Arc<dyn ContentStore> = Arc::new(network.registries()?.source(&reference.repository));
    let place = Place { kind: SourceKind::Registry, location: reference.to_string() };
    let (inventory, seal, reference) = (None, SubjectSeal::NoBundle, Some(reference));
    Ok(Opened { store, place, inventory, seal, pipe: None, path: None, target: None, reference })
}

#[cfg(not(feature = "registry"))]
fn open_registry(reference: Reference, _: &Network) -> Result<Opened, CommandError> {
    Err(CommandError::new(
        bulla::code::DiagnosticCode::HttpSupportMissing,
        format!("{reference} is in a registry, and this build of bulla holds no HTTP client"),
    )
    .with_hint("use a build with the feature \"registry\", or give a bundle or layout"))
}
