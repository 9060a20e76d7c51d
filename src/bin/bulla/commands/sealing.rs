//! What `export --seal` and `--stream` ask for.

use std::path::{Path, PathBuf};

use bulla::archive::{BundleInventory, Seal, StreamPosition};
use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::EnvelopeType;
use bulla::ops::pack::Supplies;
use bulla::ops::seal::{Sealed, Sealing, seal};
use bulla::ops::supply::{GapPolicy, Sources};
use bulla::signer::plugin::SigningPurpose;
use bulla::signer::{EnvelopeSource, SigningOptions, TimestampSource};
use bulla::store::bundle::BundleStore;

use crate::args::seal::{self as arguments, SealFormat};
use crate::args::signing::KeyOptions;
use crate::error::CommandError;
use crate::signing::{Authority, KeyChoice};
use crate::terminal;

/// The key that seals, opened before anything is collected: a typing error must not cost an hour.
pub(crate) struct Sealer {
    signer: Box<dyn EnvelopeSource>,
    envelope: EnvelopeType,
}

impl Sealer {
    pub(crate) fn open(arguments: &arguments::Sealing, limits: &Limits) -> Result<Option<Self>, CommandError> {
        let Some(key) = &arguments.seal else {
            return match &arguments.authority.timestamp_url {
                None => Ok(None),
                Some(_) => Err(CommandError::new(DiagnosticCode::UsageInvalid, "--timestamp-url stamps the seal")
                    .with_hint("--seal KEY makes one; bulla sign and bulla timestamp add stamp artifacts' signatures")),
            };
        };
        let chain = arguments.seal_certificate_chain.clone();
        let options = KeyOptions {
            key: chain.is_none().then(|| key.clone()),
            id: None,
            plugin: None,
            plugin_config: Vec::new(),
            key_file: chain.is_some().then(|| PathBuf::from(key)),
            cert_file: chain,
            passphrase_file: arguments.seal_passphrase_file.clone(),
        };
        let envelope = match arguments.seal_format {
            SealFormat::Jws => EnvelopeType::Jws,
            SealFormat::Cose => EnvelopeType::Cose,
        };
        let signer = KeyChoice::of(&options, limits)
            .and_then(|choice| choice.open(SigningPurpose::Artifact, limits))
            .map_err(|error| {
            // A path where a name is expected is the commonest mistake.
            match options.key.as_ref().is_some_and(|name| Path::new(name).is_file()) {
                true => error.with_hint(format!("{key} is a file; --seal-certificate-chain names its certificates")),
                false => error,
            }
        })?;
        Ok(Some(Self { signer, envelope }))
    }

    /// Seals the bundle. What evidence is missing is said aloud: the inventory, which is sealed, cannot say it.
    pub(crate) fn seal(
        &self,
        inventory: &BundleInventory,
        supplies: &Supplies,
        sources: &Sources<'_>,
        gaps: GapPolicy,
        authority: Option<&Authority<'_>>,
        limits: &Limits,
    ) -> Result<Seal, CommandError> {
        let checked = authority.map(Authority::checked);
        let timestamp = checked.as_ref().map(|checked| -> &dyn TimestampSource { checked });
        let options = SigningOptions { timestamp, ..SigningOptions::new(terminal::now()) };
        let sealing = Sealing { signer: self.signer.as_ref(), options, envelope: self.envelope };
        let Sealed { seal, missing } = seal(inventory, supplies, &sealing, sources, gaps, limits)?;
        for gap in missing {
            terminal::say(&format!(
                "note[{}]: the seal lacks revocation data for \"{}\": {}",
                DiagnosticCode::EvidenceMissing,
                gap.certificate,
                gap.reason
            ));
        }
        Ok(seal)
    }
}

/// The bundle's place in a stream, as the command line says.
pub(crate) fn position(
    arguments: &arguments::Sealing,
    limits: &Limits,
) -> Result<Option<StreamPosition>, CommandError> {
    let (Some(name), Some(sequence)) = (arguments.stream.clone(), arguments.sequence) else { return Ok(None) };
    let previous = match &arguments.previous {
        None => None,
        Some(text) => Some(previous(text, &name, sequence, limits)?),
    };
    let position = StreamPosition { name, sequence, previous };
    position.validate().map_err(|error| CommandError { code: DiagnosticCode::UsageInvalid, ..error.into() })?;
    Ok(Some(position))
}

/// A digest is taken at its word; a file must be the bundle before.
fn previous(text: &str, name: &str, sequence: u64, limits: &Limits) -> Result<Digest, CommandError> {
    if let Ok(digest) = text.parse() {
        return Ok(digest);
    }
    let store = BundleStore::open(Path::new(text), limits)?;
    let found = store.inventory().stream.as_ref();
    let follows = |found: &StreamPosition| found.name == name && found.sequence.checked_add(1) == Some(sequence);
    if found.is_some_and(follows) {
        return Ok(store.manifest().digest);
    }
    let is = found.map_or_else(
        || "belongs to no stream".to_owned(),
        |found| format!("has number {} of the stream {:?}", found.sequence, found.name),
    );
    Err(CommandError::new(
        DiagnosticCode::UsageInvalid,
        format!("{text} {is}; it is not the one before number {sequence} of {name:?}"),
    )
    .with_hint("name the bundle that was exported before, or the digest of its bundle manifest"))
}
