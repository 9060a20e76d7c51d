//! Where credentials are kept, as Notation keeps them (conformance 13.08): by the credential helper that Notation's
//! `config.json` names, else by the one that Docker's names, else by the platform's, and in a file only where the operator
//! says so.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::credentials::{DockerConfig, NAME, PlatformHelper, helper_keys, key, keys};
use super::write::{self, Readers, WriteError};
use super::{ConfigError, ConfigFile, file, helper};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::http::{Credential, CredentialError};
use crate::json::{self, JsonError};
use crate::limits::Limits;

/// Whether a secret may be written into a file, where everybody who reads the file reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// No: a credential helper keeps it, or nobody.
    Refused,
    /// The operator says so.
    Allowed,
}

/// The places in which credentials may be kept.
#[derive(Debug, Clone)]
pub struct CredentialStore {
    notation: PathBuf,
    docker: Option<PathBuf>,
    platform: Option<PlatformHelper>,
    helpers: helper::Helpers,
    limits: Limits,
}

/// Who keeps a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// The credential helper of that name.
    Helper(String),
    /// A file, in plain text.
    File(PathBuf),
}

impl CredentialStore {
    /// The store of an operator: Notation's configuration directory, Docker's, and the platform's helper.
    pub fn new(notation: &Path, docker: Option<PathBuf>, platform: Option<PlatformHelper>, limits: &Limits) -> Self {
        let helpers = helper::Helpers::default();
        Self { notation: notation.to_owned(), docker, platform, helpers, limits: limits.clone() }
    }

    /// Looks for credential helpers in `folder` instead of along the `PATH`.
    #[must_use]
    pub fn with_helpers_in(mut self, folder: PathBuf) -> Self {
        self.helpers.folder = Some(folder);
        self
    }

    /// Who would keep a credential for the host.
    ///
    /// # Errors
    /// A configuration cannot be read.
    pub fn keeper(&self, host: &str) -> Result<Keeper, CredentialError> {
        for folder in std::iter::once(&self.notation).chain(&self.docker) {
            let config = DockerConfig::load(folder, &self.limits)?;
            if config.is_about_credentials() {
                let helper = config.helper_for(host).map(|name| Keeper::Helper(name.to_owned()));
                return Ok(helper.unwrap_or_else(|| Keeper::File(folder.join(NAME))));
            }
        }
        Ok(match &self.platform {
            Some(platform) => Keeper::Helper(platform.name().to_owned()),
            None => Keeper::File(self.notation.join(NAME)),
        })
    }

    /// Keeps a credential for the host, in place of the one that may be kept already. Returns who keeps it.
    ///
    /// # Errors
    /// No helper would keep it and plain text is refused, the helper fails, or the file cannot be changed.
    pub fn keep(&self, host: &str, credential: &Credential, plain: Plaintext) -> Result<Keeper, StoreCredentialError> {
        let keeper = self.keeper(host)?;
        match &keeper {
            Keeper::Helper(name) => self.helpers.store(name, &key(host), credential)?,
            Keeper::File(path) if plain == Plaintext::Refused => {
                return Err(StoreCredentialError::Plaintext { host: host.to_owned(), path: path.clone() });
            }
            Keeper::File(path) => {
                let entry = entry(credential);
                self.change(path, |auths| drop(auths.insert(key(host), entry)))?;
            }
        }
        Ok(keeper)
    }

    /// Forgets what is kept for the host. That nothing is, is no error.
    ///
    /// # Errors
    /// The helper fails, or the file cannot be changed.
    pub fn forget(&self, host: &str) -> Result<Keeper, StoreCredentialError> {
        let keeper = self.keeper(host)?;
        let mut files = vec![self.notation.join(NAME)];
        match &keeper {
            Keeper::Helper(name) => {
                for key in helper_keys(host) {
                    self.helpers.erase(name, &key)?;
                }
            }
            Keeper::File(path) => files.push(path.clone()),
        }
        files.dedup();
        for path in files {
            if path.symlink_metadata().is_ok() {
                self.change(&path, |auths| keys(host).iter().for_each(|key| drop(auths.remove(key))))?;
            }
        }
        Ok(keeper)
    }

    /// Changes the `auths` of a configuration file and nothing else in it. What stays the same is not written. Two of us at
    /// the same time do not lose each other's entries.
    fn change(&self, path: &Path, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), StoreCredentialError> {
        let folder = path.parent().unwrap_or(path);
        let _lock = write::lock(folder).map_err(WriteError::at(folder))?;
        let found = file::read(path, ConfigFile::Settings, self.limits.config_bytes)?;
        let malformed = |source| ConfigError::Settings { path: path.to_owned(), source };
        let before: Map<String, Value> = match &found {
            Some(bytes) => json::from_slice(bytes).map_err(malformed)?,
            None => Map::new(),
        };
        let mut after = before.clone();
        let auths = after.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        if auths.is_null() {
            *auths = Value::Object(Map::new());
        }
        let Some(auths) = auths.as_object_mut() else {
            return Err(StoreCredentialError::NoAuths { path: path.to_owned() });
        };
        change(auths);
        let is_empty = auths.is_empty();
        if is_empty {
            after.remove("auths");
        }
        if after == before || (found.is_none() && is_empty) {
            return Ok(());
        }
        let bytes = json::to_vec_pretty(&after).map_err(malformed)?;
        Ok(write::replace(path, &bytes, Readers::Owner)?)
    }
}

/// An entry of `auths`.
fn entry(credential: &Credential) -> Value {
    let (member, text) = match credential {
        Credential::Password { username, password } => {
            ("auth", STANDARD.encode(format!("{username}:{}", password.expose())))
        }
        Credential::IdentityToken(token) => ("identitytoken", token.expose().to_owned()),
        Credential::AccessToken(token) => ("registrytoken", token.expose().to_owned()),
    };
    Value::Object(Map::from_iter([(member.to_owned(), Value::String(text))]))
}

/// Why a credential was not kept or forgotten. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreCredentialError {
    /// It would have to be written down for everybody to read who can read the file.
    #[error("there is no credential helper to keep the password for {host}; {} would hold it in plain text", .path.display())]
    Plaintext {
        /// The registry.
        host: String,
        /// The file.
        path: PathBuf,
    },
    /// `auths` is no object.
    #[error("auths in {} is not an object", .path.display())]
    NoAuths {
        /// The file.
        path: PathBuf,
    },
    /// A helper failed, or a configuration cannot be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The document cannot be written.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Diagnostic for StoreCredentialError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Plaintext { .. } => DiagnosticCode::CredentialsUnavailable,
            Self::NoAuths { .. } => DiagnosticCode::ConfigInvalid,
            Self::Credential(error) => error.code(),
            Self::Config(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Write(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Plaintext { .. } => Some(
                "name a credential helper as credsStore in Notation's or Docker's config.json, give the password for each \
                 run in NOTATION_USERNAME and NOTATION_PASSWORD, or allow plain text"
                    .into(),
            ),
            Self::NoAuths { .. } | Self::Json(_) => None,
            Self::Credential(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Write(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{CredentialProvider as _, Secret};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    struct World {
        home: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            for folder in ["notation", "docker", "bin"] {
                fs::create_dir(home.path().join(folder)).unwrap();
            }
            Self { home }
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.home.path().join(name), text).unwrap();
        }

        fn get(&self, name: &str) -> String {
            fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
        }

        fn helper(&self, name: &str) {
            let path = self.home.path().join(format!("bin/docker-credential-{name}"));
            let log = self.home.path().join(format!("{name}.log"));
            fs::write(&path, format!("#!/bin/sh\n{{ echo $1; cat; echo; }} >> {}\n", log.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }

        fn store(&self) -> CredentialStore {
            let at = |name: &str| self.home.path().join(name);
            let platform = PlatformHelper::find([at("bin")]);
            CredentialStore::new(&at("notation"), Some(at("docker")), platform, &Limits::default())
                .with_helpers_in(at("bin"))
        }
    }

    fn password() -> Credential {
        Credential::Password { username: "u".into(), password: Secret::new("hunter2") }
    }

    #[test]
    fn the_keeper_is_chosen_as_notation_does() {
        // Conformance 13.08.
        let world = World::new();
        let file = |name: &str| Keeper::File(world.home.path().join(name).join(NAME));
        let helper = |name: &str| Keeper::Helper(name.into());
        let keeper = || world.store().keeper("r.example").unwrap();
        assert_eq!(keeper(), file("notation"));
        world.helper("secretservice");
        assert_eq!(keeper(), helper("secretservice"));
        world.helper("pass");
        assert_eq!(keeper(), helper("pass"));
        world.put("docker/config.json", r#"{"auths":{"other.example":{}}}"#);
        assert_eq!(keeper(), file("docker"));
        world.put("docker/config.json", r#"{"credsStore":"desktop"}"#);
        assert_eq!(keeper(), helper("desktop"));
        world.put("notation/config.json", r#"{"insecureRegistries":["x"]}"#);
        assert_eq!(keeper(), helper("desktop"), "not about credentials");
        world.put("notation/config.json", r#"{"credHelpers":{"r.example":"mine"},"credsStore":"all"}"#);
        assert_eq!(keeper(), helper("mine"));
        assert_eq!(world.store().keeper("s.example").unwrap(), helper("all"));
    }

    #[test]
    fn a_helper_keeps_the_secret_and_no_file_does() {
        let world = World::new();
        world.helper("mine");
        world.put("notation/config.json", r#"{"credsStore":"mine"}"#);
        world.store().keep("r.example", &password(), Plaintext::Allowed).unwrap();
        assert!(world.get("mine.log").starts_with("store\n{\"ServerURL\":\"r.example\""), "{}", world.get("mine.log"));
        assert_eq!(world.get("notation/config.json"), r#"{"credsStore":"mine"}"#);
        world.store().forget("r.example").unwrap();
        assert!(world.get("mine.log").contains("erase\nr.example"), "{}", world.get("mine.log"));
    }

    #[test]
    fn plain_text_is_written_on_the_operators_word_only() {
        let world = World::new();
        let store = world.store();
        let refused = store.keep("r.example", &password(), Plaintext::Refused).unwrap_err();
        assert_eq!(refused.code(), DiagnosticCode::CredentialsUnavailable);
        assert!(!refused.to_string().contains("hunter2") && !format!("{refused:?}").contains("hunter2"));
        assert!(!world.home.path().join("notation/config.json").exists());
        world.put("notation/config.json", r#"{"insecureRegistries":["x"],"signatureFormat":"cose"}"#);
        store.keep("r.example", &password(), Plaintext::Allowed).unwrap();
        let path = world.home.path().join("notation/config.json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let config = DockerConfig::load(&world.home.path().join("notation"), &Limits::default()).unwrap();
        assert_eq!(config.credential("r.example").unwrap(), Some(password()));
        let document: Value = serde_json::from_str(&world.get("notation/config.json")).unwrap();
        assert_eq!((&document["insecureRegistries"][0], &document["signatureFormat"]), (&"x".into(), &"cose".into()));
        store.keep("s.example", &Credential::IdentityToken(Secret::new("t")), Plaintext::Allowed).unwrap();
        store.forget("r.example").unwrap();
        let config = DockerConfig::load(&world.home.path().join("notation"), &Limits::default()).unwrap();
        assert_eq!(config.credential("r.example").unwrap(), None);
        assert_eq!(config.credential("s.example").unwrap(), Some(Credential::IdentityToken(Secret::new("t"))));
        store.forget("s.example").unwrap();
        let document: Value = serde_json::from_str(&world.get("notation/config.json")).unwrap();
        assert_eq!(document, serde_json::json!({"insecureRegistries": ["x"], "signatureFormat": "cose"}));
        store.forget("never.example").unwrap();
    }

    #[test]
    fn logins_at_the_same_time_are_all_kept() {
        let world = World::new();
        let hosts: Vec<String> = (0..24).map(|number| format!("r{number}.example")).collect();
        std::thread::scope(|scope| {
            for host in &hosts {
                scope.spawn(|| world.store().keep(host, &password(), Plaintext::Allowed).unwrap());
            }
        });
        let kept = || DockerConfig::load(&world.home.path().join("notation"), &Limits::default()).unwrap();
        for host in &hosts {
            assert_eq!(kept().credential(host).unwrap(), Some(password()), "{host}");
        }
        std::thread::scope(|scope| {
            for host in hosts.iter().skip(1) {
                scope.spawn(|| world.store().forget(host).unwrap());
            }
        });
        assert_eq!(kept().credential("r0.example").unwrap(), Some(password()));
        assert!(hosts.iter().skip(1).all(|host| kept().credential(host).unwrap().is_none()));
        let left: Vec<_> = fs::read_dir(world.home.path().join("notation")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_link_is_not_written_through() {
        let world = World::new();
        world.put("theirs.json", "{}");
        std::os::unix::fs::symlink(
            world.home.path().join("theirs.json"),
            world.home.path().join("notation/config.json"),
        )
        .unwrap();
        assert!(world.store().keep("r.example", &password(), Plaintext::Allowed).is_err());
        assert_eq!(world.get("theirs.json"), "{}");
    }
}
