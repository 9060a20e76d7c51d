//! Test keys for those who try things out: made, trusted and listed in one step, and removed in one.

use std::time::Duration;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::config::{
    ConfigDirectory, DefaultKey, KeySource, LocalKeyFiles, SigningKey, SigningKeys, SigningKeysError,
    TrustStoreFileError, TrustStoreFiles, WriteError,
};
use crate::limits::Limits;
use crate::signer::authority::{AuthorityError, Request};
use crate::signer::test_key::{RsaBits, TestKey};
use crate::time::{UnixTime, ValidityPeriod};
use crate::trust::{StoreNameError, TrustStoreName};

/// How long a test certificate holds.
const VALID: Duration = Duration::from_secs(86_400);

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct TestKeyRequest<'a> {
    /// The common name; files, key and trust store are called so too.
    pub name: &'a str,
    /// How long the key is.
    pub bits: RsaBits,
    /// Whether it becomes the default key.
    pub default: DefaultKey,
}

/// What was made.
#[derive(Debug)]
pub struct MadeTestKey {
    /// Key and certificate.
    pub files: LocalKeyFiles,
    /// The trust store that trusts it.
    pub store: TrustStoreName,
    /// The file in it.
    pub trusted: std::path::PathBuf,
}

/// Makes an RSA key and a self-signed certificate for a day from `now`, puts both into `localkeys`, the certificate into
/// the trust store `ca:NAME`, and the key on the list of signing keys.
///
/// # Errors
/// The name is none that a directory may have, or something of that name is there already; then nothing was made.
pub fn generate(
    directory: &ConfigDirectory,
    request: &TestKeyRequest<'_>,
    now: UnixTime,
    limits: &Limits,
) -> Result<MadeTestKey, TestKeyError> {
    let store = store_of(request.name)?;
    let files = LocalKeyFiles::of(directory, &store);
    let stores = TrustStoreFiles::of(directory);
    // Everything that could be in the way, before anything is written.
    if let Some(path) = files.existing() {
        return Err(WriteError::Exists { path: path.to_owned() }.into());
    }
    let file = format!("{}.crt", store.name());
    let trusted = stores.path(&store).join(&file);
    if trusted.symlink_metadata().is_ok() {
        return Err(WriteError::Exists { path: trusted }.into());
    }
    if SigningKeys::load(directory.path(), limits)?.find(request.name).is_some() {
        return Err(SigningKeysError::Repeated { name: request.name.to_owned() }.into());
    }
    let subject = format!("CN={},O=Notary,L=Seattle,ST=WA,C=US", store.name());
    let validity = ValidityPeriod { not_before: now, not_after: now.saturating_add(VALID) };
    let made = TestKey::generate(&Request { subject: &subject, validity, crl_url: None }, request.bits)?;
    files.create(made.key.as_bytes(), made.certificate.as_bytes())?;
    let trusted = stores.create(&store, &file, made.certificate.as_bytes(), limits)?;
    let source = KeySource::Files { key: files.key.clone(), certificates: files.certificate.clone() };
    let key = SigningKey { name: request.name.to_owned(), source };
    SigningKeys::update(directory.path(), limits, |keys| keys.add(key, request.default))?;
    Ok(MadeTestKey { files, store, trusted })
}

/// What was there to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedTestKey {
    /// The trust store's file.
    pub trust: bool,
    /// The entry on the list of signing keys.
    pub listed: bool,
    /// Key and certificate files.
    pub files: Vec<std::path::PathBuf>,
}

/// Removes what [`generate`] made. What is not there is passed over. A key of that name that is in other files, or behind
/// a plugin, is none that was made here, and stays on the list.
///
/// # Errors
/// The name is none that a directory may have, or something cannot be removed.
pub fn clean_up(directory: &ConfigDirectory, name: &str, limits: &Limits) -> Result<RemovedTestKey, TestKeyError> {
    let store = store_of(name)?;
    let files = LocalKeyFiles::of(directory, &store);
    let trust = match TrustStoreFiles::of(directory).delete(&store, &format!("{}.crt", store.name())) {
        Ok(()) => true,
        Err(TrustStoreFileError::Missing { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let made_here = |key: &SigningKey| matches!(&key.source, KeySource::Files { key, .. } if *key == files.key);
    let listed = SigningKeys::load(directory.path(), limits)?.find(name).is_some_and(made_here);
    if listed {
        SigningKeys::update(directory.path(), limits, |keys| keys.remove(&[name]))?;
    }
    let files = files.remove()?.into_iter().map(ToOwned::to_owned).collect();
    Ok(RemovedTestKey { trust, listed, files })
}

fn store_of(name: &str) -> Result<TrustStoreName, TestKeyError> {
    Ok(format!("ca:{name}").parse()?)
}

/// Why a test key was not made or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestKeyError {
    /// No name that files and a trust store may have.
    #[error(transparent)]
    Name(#[from] StoreNameError),
    /// The certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    /// A file could not be written or removed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The trust store could not be changed.
    #[error(transparent)]
    Trust(#[from] TrustStoreFileError),
    /// The list of keys could not be changed.
    #[error(transparent)]
    Keys(#[from] SigningKeysError),
}

impl TestKeyError {
    fn inner(&self) -> &dyn Diagnostic {
        match self {
            Self::Name(error) => error,
            Self::Certificate(error) => error,
            Self::Write(error) => error,
            Self::Trust(error) => error,
            Self::Keys(error) => error,
        }
    }
}

impl Diagnostic for TestKeyError {
    fn code(&self) -> DiagnosticCode {
        self.inner().code()
    }

    fn hint(&self) -> Option<String> {
        self.inner().hint()
    }
}
