//! From the operator's choice of a key to something that signs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bulla::code::DiagnosticCode;
use bulla::config::{ConfigDirectory, KeySource, SigningKeys};
use bulla::evidence::LiveEvidence;
use bulla::limits::Limits;
use bulla::notary::plugin::PluginName;
use bulla::ops::sign::authority::CheckedAuthority;
use bulla::pki::{Certificate, Crl, certificates_from_file};
use bulla::signer::plugin::{PluginKey, SigningPurpose};
use bulla::signer::{EnvelopeSource, KeyFile, LocalKey, LocalSigner, Passphrase, TimestampSource};
use zeroize::Zeroizing;

use crate::args::sign::AuthorityOptions;
use crate::args::signing::KeyOptions;
use crate::error::CommandError;
use crate::settings::Network;
use crate::{settings, terminal};

/// Bytes of a key or passphrase file. An RSA-4096 key in PEM has 3,300.
const MOST_BYTES: usize = 64 << 10;

/// The key that the operator means, and what opens it.
pub(crate) struct KeyChoice {
    source: KeySource,
    passphrase_file: Option<PathBuf>,
}

impl KeyChoice {
    /// What the command line says; where it names no key, the default one of `signingkeys.json`.
    pub(crate) fn of(options: &KeyOptions, limits: &Limits) -> Result<Self, CommandError> {
        let told: BTreeMap<String, String> = options.plugin_config.iter().cloned().collect();
        let source = match (&options.key_file, &options.cert_file, &options.id, &options.plugin) {
            (Some(key), Some(certificates), ..) => {
                KeySource::Files { key: key.clone(), certificates: certificates.clone() }
            }
            (.., Some(id), Some(plugin)) => {
                KeySource::Plugin { id: id.clone(), plugin: plugin.clone(), config: BTreeMap::new() }
            }
            _ => named(options.key.as_deref(), limits)?,
        };
        Ok(Self { source: overlaid(source, told), passphrase_file: options.passphrase_file.clone() })
    }

    /// The signer.
    pub(crate) fn open(
        &self,
        purpose: SigningPurpose,
        limits: &Limits,
    ) -> Result<Box<dyn EnvelopeSource>, CommandError> {
        match &self.source {
            KeySource::Files { key, certificates } => {
                let chain = certificates_of(certificates, limits)?;
                let key = self.key_of(key)?;
                Ok(Box::new(LocalSigner::new(key, chain)?))
            }
            KeySource::Plugin { plugin, id, config } => {
                let plugin = settings::plugins()?.find(&PluginName::new(plugin)?)?;
                Ok(PluginKey { plugin, id: id.clone(), config: config.clone() }.open(purpose)?)
            }
        }
    }

    fn key_of(&self, path: &Path) -> Result<LocalKey, CommandError> {
        let secret = Secret::read(path)?;
        let file = KeyFile::parse(&secret.bytes).map_err(|error| in_file(path, error))?;
        if !file.is_encrypted() {
            secret.warn_if_open(path, "the private key");
            return file.read().map_err(|error| in_file(path, error));
        }
        let passphrase = self.passphrase(path)?;
        file.decrypt(&passphrase).map_err(|error| in_file(path, error))
    }

    fn passphrase(&self, key: &Path) -> Result<Passphrase, CommandError> {
        if let Some(path) = &self.passphrase_file {
            let secret = Secret::read(path)?;
            secret.warn_if_open(path, "the passphrase");
            return Ok(Passphrase::first_line(&secret.bytes));
        }
        if !io::stdin().is_terminal() {
            return Err(in_file(key, bulla::signer::KeyError::Encrypted));
        }
        let typed = rpassword::prompt_password(format!("Passphrase of {}: ", key.display()));
        let typed = typed.map_err(|error| CommandError::io(Path::new("/dev/tty"), &error))?;
        Ok(Passphrase::new(Zeroizing::new(typed.into_bytes())))
    }
}

fn named(name: Option<&str>, limits: &Limits) -> Result<KeySource, CommandError> {
    let directory = ConfigDirectory::locate(&settings::config_roots())?;
    let keys = SigningKeys::load(directory.path(), limits)?;
    Ok(keys.choose(name)?.source.clone())
}

/// What the command line tells a plugin comes before what the file tells it (conformance 11.26).
fn overlaid(mut source: KeySource, told: BTreeMap<String, String>) -> KeySource {
    if let KeySource::Plugin { config, .. } = &mut source {
        config.extend(told);
    }
    source
}

fn certificates_of(path: &Path, limits: &Limits) -> Result<Vec<Vec<u8>>, CommandError> {
    Ok(read_certificates(path, limits)?.iter().map(|certificate| certificate.der().to_vec()).collect())
}

fn read_certificates(path: &Path, limits: &Limits) -> Result<Vec<Certificate>, CommandError> {
    let file = File::open(path).map_err(|error| CommandError::io(path, &error))?;
    let mut bytes = Vec::new();
    let most = limits.certificate_bytes.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| CommandError::io(path, &error))?;
    certificates_from_file(&bytes, limits).map_err(|error| in_file(path, error))
}

fn in_file(path: &Path, error: impl bulla::code::Diagnostic) -> CommandError {
    let mut error = CommandError::from(error);
    error.message = format!("{}: {}", path.display(), error.message);
    error
}

/// A file that nobody else should see. It may be a pipe: then the secret never touches a disk.
struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    mode: Option<u32>,
}

impl Secret {
    fn read(path: &Path) -> Result<Self, CommandError> {
        let failed = |error: io::Error| CommandError::io(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // Filled in place: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(vec![0; MOST_BYTES]);
        let mut length = 0_usize;
        loop {
            let room = bytes.get_mut(length..).unwrap_or_default();
            if room.is_empty() {
                let message = format!("{} is larger than {MOST_BYTES} bytes: no key, no passphrase", path.display());
                return Err(CommandError::new(DiagnosticCode::KeyInvalid, message));
            }
            match file.read(room) {
                Ok(0) => break,
                Ok(count) => length = length.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        bytes.truncate(length);
        Ok(Self { bytes, mode: metadata.is_file().then(|| metadata.mode()) })
    }

    /// Said, not refused: secrets that orchestrators mount are often readable by a group, and whoever signs there cannot
    /// change it.
    fn warn_if_open(&self, path: &Path, what: &str) {
        let path = path.display();
        match self.mode.map(|mode| mode & 0o077) {
            None | Some(0) => {}
            Some(open) if open & 0o007 != 0 => terminal::say(&format!(
                "warning: every user of this host can read or change {what} in {path}; chmod 600 {path}"
            )),
            Some(_) => terminal::say(&format!(
                "warning: a whole group of users can read or change {what} in {path}; chmod 600 {path}"
            )),
        }
    }
}

/// The timestamp authority that the operator names, and what is needed to rely on it.
pub(crate) struct Authority<'a> {
    source: Box<dyn TimestampSource + 'a>,
    root: Certificate,
    live: Option<&'a dyn LiveEvidence>,
    supplied: Vec<Crl>,
    limits: &'a Limits,
}

impl<'a> Authority<'a> {
    /// The authority of the command line, if it names one; `crls` may say that it is not revoked.
    pub(crate) fn of(
        arguments: &AuthorityOptions,
        crls: &[PathBuf],
        network: &'a Network,
        limits: &'a Limits,
    ) -> Result<Option<Self>, CommandError> {
        let (Some(url), Some(path)) = (&arguments.timestamp_url, &arguments.timestamp_root_cert) else {
            return Ok(None);
        };
        let root = timestamp_root(path, limits)?;
        // Nobody is asked yet: what fails here is the address.
        let source = network.timestamps(url, limits).map_err(|error| match error.code {
            DiagnosticCode::NetworkFailed => CommandError { code: DiagnosticCode::UsageInvalid, ..error }
                .about("--timestamp-url")
                .with_hint("write it like http://tsa.example/path"),
            _ => error,
        })?;
        let supplied = settings::supplied_crls(crls, limits)?;
        Ok(Some(Self { source, root, live: network.evidence()?, supplied, limits }))
    }

    /// The authority, every token of which is verified before it is used.
    pub(crate) fn checked(&self) -> CheckedAuthority<'_> {
        CheckedAuthority {
            source: self.source.as_ref(),
            root: &self.root,
            live: self.live,
            supplied: &self.supplied,
            at: terminal::now(),
            limits: self.limits,
        }
    }
}

/// Exactly one certificate, a root (conformance 9.06).
fn timestamp_root(path: &Path, limits: &Limits) -> Result<Certificate, CommandError> {
    let refused = |found: &str| {
        CommandError::new(DiagnosticCode::UsageInvalid, format!("{}: {found}", path.display())).with_hint(
            "--timestamp-root-cert names a file with the self-signed root of the timestamp authority, and nothing else",
        )
    };
    let certificates = read_certificates(path, limits)?;
    let [root] = certificates.as_slice() else {
        return Err(refused(&format!("{} certificates where one is wanted", certificates.len())));
    };
    if !root.is_self_signed() || !root.is_ca() {
        return Err(refused(&format!("\"{}\" is not the root of an authority", root.subject())));
    }
    Ok(root.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_tells_a_plugin_last() {
        // Conformance 11.26.
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let source = KeySource::Plugin { id: "i".into(), plugin: "p".into(), config: map(&[("a", "1"), ("b", "1")]) };
        let KeySource::Plugin { config, .. } = overlaid(source, map(&[("b", "2"), ("c", "2")])) else { panic!() };
        assert_eq!(config, map(&[("a", "1"), ("b", "2"), ("c", "2")]));
    }

    #[test]
    fn a_secret_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "x".repeat(MOST_BYTES - 1)).unwrap();
        assert_eq!(Secret::read(&path).unwrap().bytes.len(), MOST_BYTES - 1);
        std::fs::write(&path, "x".repeat(MOST_BYTES)).unwrap();
        assert_eq!(Secret::read(&path).err().unwrap().code, DiagnosticCode::KeyInvalid);
    }
}
