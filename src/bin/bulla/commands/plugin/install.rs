//! `bulla plugin install SOURCE`

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::plugin::{PluginConfig, PluginMetadata};
use bulla::signer::plugin::{Plugin, PluginDirectory, PluginError, PluginInstaller, StagedPlugin};
use semver::Version;

use super::package::{MOST_BYTES, Package};
use crate::args::plugin::PluginInstall;
use crate::error::CommandError;
use crate::settings::{self, Network};
use crate::terminal;

pub(super) fn run(arguments: &PluginInstall) -> Result<(), CommandError> {
    let bytes = if arguments.url { download(arguments)? } else { read(Path::new(&arguments.source))? };
    if let Some(wanted) = &arguments.sha256sum {
        let found = Digest::sha256(&bytes).hex();
        if !found.eq_ignore_ascii_case(wanted) {
            let message = format!("{} has the SHA-256 {found}, not {wanted}", arguments.source);
            return Err(CommandError::new(DiagnosticCode::PluginPackageInvalid, message)
                .with_hint("bring it over again, and compare with what the plugin's makers say"));
        }
    }
    let name = arguments.source.rsplit('/').next().unwrap_or_default();
    let package = Package::read(name, bytes)?;
    let directory = settings::plugins()?;
    let installer = PluginInstaller::of(&directory)?;
    let staged = installer.stage()?;
    let metadata = fill(&staged, &package)?;
    let before = if arguments.force { None } else { newer_than_installed(&directory, &metadata)? };
    staged.install(&metadata.name)?;
    let (name, version) = (&metadata.name, &metadata.version);
    terminal::print(|out| match before {
        Some(before) => writeln!(out, "Successfully updated plugin {name} from version {before} to {version}"),
        None => writeln!(out, "Successfully installed plugin {name}, version {version}"),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |error: std::io::Error| CommandError::io(path, &error);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= MOST_BYTES {
        let message = format!("{} has {MOST_BYTES} bytes or more", path.display());
        return Err(CommandError::new(DiagnosticCode::LimitExceeded, message));
    }
    Ok(bytes)
}

/// Conformance 11.29.
fn download(arguments: &PluginInstall) -> Result<Vec<u8>, CommandError> {
    let usage = |message: &str| CommandError::new(DiagnosticCode::UsageInvalid, message);
    if arguments.sha256sum.is_none() {
        return Err(usage("--url needs --sha256sum: what comes over the network is held against it"));
    }
    let scheme = arguments.source.split_once("://").map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
        return Err(usage("plugins are fetched over https only"));
    }
    Network::anywhere(&Limits::default()).download(&arguments.source, MOST_BYTES)
}

/// Writes the files beside the plugins, out of the way, and asks the program who it is: what does not work is not installed.
fn fill(staged: &StagedPlugin<'_>, package: &Package) -> Result<PluginMetadata, CommandError> {
    for file in &package.files {
        let path = staged.path().join(&file.name);
        let failed = |error: std::io::Error| CommandError::io(&path, &error);
        let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        written.write_all(&file.bytes).and_then(|()| written.sync_all()).map_err(failed)?;
        drop(written);
        // Nobody but the owner may change it (conformance 11.31).
        let mode = (file.mode & 0o755) | 0o400;
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
    }
    let program = staged.path().join(package.plugin.program());
    Ok(Plugin::at(package.plugin.clone(), program).metadata(&PluginConfig::new())?)
}

fn version(metadata: &PluginMetadata) -> Result<Version, CommandError> {
    Version::parse(&metadata.version).map_err(|_| {
        let message = format!(
            "the plugin {} has the version {:?}, which is no semantic version",
            metadata.name, metadata.version
        );
        CommandError::new(DiagnosticCode::PluginUnsuitable, message).with_hint("--force installs it nevertheless")
    })
}

/// The version that is there, which must be lower (conformance 11.31).
fn newer_than_installed(directory: &PluginDirectory, new: &PluginMetadata) -> Result<Option<String>, CommandError> {
    let version_of = version(new)?;
    let there = match directory.find(&new.name) {
        Err(PluginError::Missing { .. }) => return Ok(None),
        found => found.and_then(|plugin| plugin.metadata(&PluginConfig::new())),
    };
    let there = there.map_err(|error| CommandError::from(error).with_hint("--force replaces what is installed"))?;
    if version_of.cmp_precedence(&version(&there)?).is_gt() {
        return Ok(Some(there.version));
    }
    let message = format!("version {} of the plugin {} is installed; this is {}", there.version, new.name, new.version);
    Err(CommandError::new(DiagnosticCode::AlreadyExists, message).with_hint("--force installs it nevertheless"))
}
