//! Credentials for registries, as Docker keeps them: `config.json` and the credential helpers that it names.
//!
//! Notation's `config.json` has the same `credsStore` and `credHelpers`, so the same reader serves it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use super::helper;
use crate::http::{Credential, CredentialError, CredentialProvider, Secret};
use crate::json;
use crate::limits::Limits;

/// The file's name in its folder.
pub(super) const NAME: &str = "config.json";

/// The key under which Docker keeps its own registry's credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A Docker configuration.
#[derive(Debug, Clone, Default)]
pub struct DockerConfig {
    document: Document,
    helpers: helper::Helpers,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

/// An entry of `auths`. Its `Debug` must never be derived: it is all secrets.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl DockerConfig {
    /// Reads `config.json` in `folder`. None there is the same as an empty one.
    ///
    /// # Errors
    /// It cannot be read, is too large or cannot be understood.
    pub fn load(folder: &Path, limits: &Limits) -> Result<Self, CredentialError> {
        let path = folder.join(NAME);
        let failed = |reason: String| CredentialError::File { path: path.clone(), reason };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut bytes = Vec::new();
        let most = limits.config_bytes;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(failed(format!("it is larger than {most} bytes")));
        }
        Self::parse(&bytes).map_err(failed)
    }

    /// Reads the document. What does not fit is not quoted: it may be a secret.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let value: serde_json::Value = json::from_slice(bytes).map_err(|error| error.to_string())?;
        let document = serde_json::from_value(value)
            .map_err(|_| "auths, credHelpers or credsStore is not of the form that Docker writes".to_owned())?;
        Ok(Self { document, helpers: helper::Helpers::default() })
    }

    /// Looks for credential helpers in `folder` instead of along the `PATH`.
    #[must_use]
    pub fn with_helpers_in(mut self, folder: PathBuf) -> Self {
        self.helpers.folder = Some(folder);
        self
    }

    /// Sets how long a helper may take: it may have to ask its user for a passphrase.
    #[must_use]
    pub const fn with_helper_timeout(mut self, timeout: Duration) -> Self {
        self.helpers.timeout = timeout;
        self
    }

    fn listed(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        let Some(auths) = &self.document.auths else { return Ok(None) };
        let found = keys(host).into_iter().find_map(|key| auths.get(&key)?.as_ref());
        let Some(entry) = found else { return Ok(None) };
        entry.credential().map_err(|reason| CredentialError::File {
            path: NAME.into(),
            reason: format!("the entry for {host} {reason}"),
        })
    }

    /// Whether anything in it is about credentials: then it, and nothing behind it, keeps new ones.
    pub(super) fn is_about_credentials(&self) -> bool {
        let Document { auths, cred_helpers, creds_store } = &self.document;
        auths.as_ref().is_some_and(|auths| !auths.is_empty())
            || cred_helpers.as_ref().is_some_and(|helpers| !helpers.is_empty())
            || creds_store.as_ref().is_some_and(|name| !name.is_empty())
    }

    pub(super) fn helper_for(&self, host: &str) -> Option<&str> {
        let by_host = self.document.cred_helpers.as_ref();
        let named = by_host.and_then(|helpers| keys(host).into_iter().find_map(|key| helpers.get(&key)));
        named.or(self.document.creds_store.as_ref()).map(String::as_str).filter(|name| !name.is_empty())
    }
}

impl CredentialProvider for DockerConfig {
    /// The host's own helper, else the general one, else the file.
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        if let Some(name) = self.helper_for(host) {
            for key in helper_keys(host) {
                if let Some(found) = self.helpers.get(name, &key)? {
                    return Ok(Some(found));
                }
            }
        }
        self.listed(host)
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::AccessToken(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            let (username, password) = decode(&auth).ok_or("has an auth that is not base64 of user:password")?;
            return Ok(Some(Credential::Password { username, password: Secret::new(password) }));
        }
        let both = (given(&self.username), given(&self.password));
        let (Some(username), Some(password)) = both else { return Ok(None) };
        Ok(Some(Credential::Password { username, password: Secret::new(password) }))
    }
}

/// base64 of `user:password`. Docker pads short passwords with NUL bytes.
fn decode(auth: &str) -> Option<(String, String)> {
    let auth = auth.trim();
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_matches('\0').to_owned()))
}

/// The key under which a credential for the host is kept.
pub(super) fn key(host: &str) -> String {
    if is_docker_hub(host) { DOCKER_HUB.to_owned() } else { host.to_owned() }
}

fn is_docker_hub(host: &str) -> bool {
    ["docker.io", "index.docker.io", "registry-1.docker.io"].iter().any(|name| host.eq_ignore_ascii_case(name))
}

/// What `auths` and `credHelpers` may call a host, the likeliest first.
pub(super) fn keys(host: &str) -> Vec<String> {
    let mut keys = vec![host.to_owned()];
    if is_docker_hub(host) {
        keys.extend([DOCKER_HUB, "docker.io", "index.docker.io"].map(str::to_owned));
    }
    for scheme in ["https", "http"] {
        keys.extend(["", "/", "/v1/", "/v2/"].map(|path| format!("{scheme}://{host}{path}")));
    }
    keys
}

/// What a helper may know a host by. Each question costs a process, so there are few.
pub(super) fn helper_keys(host: &str) -> Vec<String> {
    if is_docker_hub(host) {
        vec![DOCKER_HUB.to_owned(), "docker.io".to_owned()]
    } else {
        vec![host.to_owned(), format!("https://{host}")]
    }
}

/// What the operator gave for this run. It belongs to one registry: see [`GivenCredential::only_for`].
#[derive(Debug, Clone)]
pub struct GivenCredential(pub Credential);

impl GivenCredential {
    /// A password for `username`; without a user it is a refresh token, as Notation has it (conformance 13.08).
    pub fn new(username: &str, password: Secret) -> Self {
        Self(match username {
            "" => Credential::IdentityToken(password),
            _ => Credential::Password { username: username.to_owned(), password },
        })
    }

    /// The credential for this registry; no other gets to see it, whatever it asks for.
    pub fn only_for(self, host: &str) -> HostCredential {
        HostCredential { host: host.to_owned(), credential: self.0 }
    }
}

/// A credential for one registry.
#[derive(Debug, Clone)]
pub struct HostCredential {
    host: String,
    credential: Credential,
}

impl CredentialProvider for HostCredential {
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        Ok((host == self.host).then(|| self.credential.clone()))
    }
}

/// Docker's configuration, read when a registry first asks for a credential: what needs no registry does not depend on
/// it.
pub struct DeferredDockerConfig {
    folder: PathBuf,
    limits: Limits,
    loaded: OnceLock<Result<DockerConfig, CredentialError>>,
}

impl DeferredDockerConfig {
    /// The configuration in `folder`.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { folder, limits, loaded: OnceLock::new() }
    }
}

impl CredentialProvider for DeferredDockerConfig {
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        let loaded = self.loaded.get_or_init(|| DockerConfig::load(&self.folder, &self.limits));
        loaded.as_ref().map_err(Clone::clone)?.credential(host)
    }
}

/// The credential helper that the platform has installed, which nobody has asked for: where it knows nothing, or does
/// not work, there is no credential.
#[derive(Debug, Clone)]
pub struct PlatformHelper {
    name: String,
    helpers: helper::Helpers,
}

impl PlatformHelper {
    /// The helpers that Linux desktops have, in the order in which Notation looks for them.
    const NAMES: [&str; 2] = ["pass", "secretservice"];

    /// The first helper that is in one of the folders (those of the `PATH`).
    pub fn find(folders: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        let is_there =
            |name: &&str| folders.iter().any(|folder| folder.join(format!("docker-credential-{name}")).is_file());
        let name = Self::NAMES.into_iter().find(is_there)?;
        Some(Self { name: name.to_owned(), helpers: helper::Helpers::default() })
    }

    /// Its name, without `docker-credential-`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl CredentialProvider for PlatformHelper {
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        Ok(helper_keys(host).iter().find_map(|key| self.helpers.get(&self.name, key).ok().flatten()))
    }
}

/// Several places, asked in order: what was given, Notation's configuration, Docker's.
#[derive(Clone, Default)]
pub struct FirstOf(pub Vec<Arc<dyn CredentialProvider>>);

impl CredentialProvider for FirstOf {
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError> {
        for provider in &self.0 {
            if let Some(found) = provider.credential(host)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deferred_configuration_fails_when_it_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "broken").unwrap();
        let deferred = DeferredDockerConfig::new(folder.path().to_owned(), Limits::default());
        assert!(matches!(deferred.credential("registry.example"), Err(CredentialError::File { .. })));
        let absent = DeferredDockerConfig::new(folder.path().join("absent"), Limits::default());
        assert!(matches!(absent.credential("registry.example"), Ok(None)));
    }

    #[test]
    fn what_is_given_is_one_registrys() {
        let given = GivenCredential::new("u", Secret::new("p")).only_for("a.example:5000");
        assert_eq!(given.credential("a.example:5000").unwrap(), password("u", "p"));
        for other in ["a.example", "b.example:5000", "a.example:5000.evil.example", ""] {
            assert_eq!(given.credential(other).unwrap(), None, "{other}");
        }
    }

    fn config(text: &str) -> DockerConfig {
        DockerConfig::parse(text.as_bytes()).unwrap()
    }

    fn password(username: &str, password: &str) -> Option<Credential> {
        Some(Credential::Password { username: username.into(), password: Secret::new(password) })
    }

    #[test]
    fn entries_of_every_form() {
        let config = config(
            r#"{"auths":{
                "a.example":{"auth":"dXNlcjpwYTpzcw=="},
                "https://b.example":{"username":"u","password":"p"},
                "https://index.docker.io/v1/":{"auth":"aHViOmgAAA"},
                "c.example:5000":{"identitytoken":"refresh","auth":"dTpw"},
                "d.example":{"registrytoken":"access"},
                "e.example":{}, "f.example":null
            },"HttpHeaders":{"x":"y"},"credsStore":""}"#,
        );
        let of = |host: &str| config.credential(host).unwrap();
        assert_eq!(of("a.example"), password("user", "pa:ss"));
        assert_eq!(of("b.example"), password("u", "p"));
        assert_eq!(of("docker.io"), password("hub", "h"));
        assert_eq!(of("c.example:5000"), Some(Credential::IdentityToken(Secret::new("refresh"))));
        assert_eq!(of("d.example"), Some(Credential::AccessToken(Secret::new("access"))));
        for none in ["c.example", "e.example", "f.example", "example"] {
            assert_eq!(of(none), None, "{none}");
        }
        assert!(!format!("{config:?} {:?}", of("a.example")).contains("pa:ss"));
    }

    #[test]
    fn a_broken_file_is_an_error_that_quotes_no_secret() {
        for bad in [
            r#"{"auths":{"a.example":"hunter2"}}"#,
            r#"{"auths":{"a.example":{"auth":7,"password":"hunter2"}}}"#,
            r#"{"auths":{"a.example":{"password":"hunter2","password":"x"}}}"#,
            r#"{"auths": hunter2"#,
        ] {
            let error = DockerConfig::parse(bad.as_bytes()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let config = config(r#"{"auths":{"a.example":{"auth":"aHVudGVyMg=="}}}"#);
        let error = config.credential("a.example").unwrap_err();
        assert!(error.to_string().contains("a.example") && !error.to_string().contains("aHVud"), "{error}");
    }

    #[test]
    fn no_file_is_anonymous_and_a_large_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { config_bytes: 16, ..Limits::default() };
        let config = DockerConfig::load(folder.path(), &limits).unwrap();
        assert_eq!(config.credential("a.example").unwrap(), None);
        std::fs::write(folder.path().join(NAME), "{}              ").unwrap();
        assert!(DockerConfig::load(folder.path(), &limits).is_ok());
        std::fs::write(folder.path().join(NAME), "{}               ").unwrap();
        assert!(matches!(DockerConfig::load(folder.path(), &limits), Err(CredentialError::File { .. })));
    }
}
