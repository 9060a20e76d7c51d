//! The keys that an operator signs with, by name: `signingkeys.json` in Notation's configuration directory (conformance
//! 13.05, 13.06). It holds paths and names, never a key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, ConfigFile, file, write};
use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::shorten;
use crate::json::{self, JsonError, Object};
use crate::limits::Limits;

/// The named keys of an operator: names that are not empty and each there once, one of them perhaps the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningKeys {
    default: Option<String>,
    keys: Vec<SigningKey>,
}

/// A key by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// What the operator calls it.
    pub name: String,
    /// Where it is.
    pub source: KeySource,
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In files of this host (PEM).
    Files {
        /// The private key.
        key: PathBuf,
        /// Its certificates, the signer's own first, the root last.
        certificates: PathBuf,
    },
    /// Behind a plugin.
    Plugin {
        /// What the plugin knows the key by.
        id: String,
        /// The plugin. It is data, never a path: whoever runs it checks the name (conformance 11.03).
        plugin: String,
        /// What the plugin is always told.
        config: BTreeMap<String, String>,
    },
}

/// Whether a key becomes the one that signs where none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultKey {
    /// It becomes the default.
    Set,
    /// The default stays what it is.
    Keep,
}

impl SigningKeys {
    /// The name of the file in a configuration directory.
    pub const NAME: &str = "signingkeys.json";

    /// Reads the keys of a configuration directory. No file is no keys.
    ///
    /// # Errors
    /// The file is a link, too large, malformed, or breaks a rule (conformance 13.06).
    pub fn load(directory: &Path, limits: &Limits) -> Result<Self, SigningKeysError> {
        let path = directory.join(Self::NAME);
        match file::read(&path, ConfigFile::SigningKeys, limits.config_bytes)? {
            Some(bytes) => Self::parse(&bytes).map_err(|error| error.in_file(&path)),
            None => Ok(Self::default()),
        }
    }

    /// Changes the keys of a configuration directory: reads them, applies `change`, and replaces the file whole, while
    /// no other bulla does the same. Where `change` fails, nothing is written. The directory is made where it is
    /// missing (mode 0700); the file gets mode 0600.
    ///
    /// # Errors
    /// As [`SigningKeys::load`] and `change`, or the file cannot be written.
    pub fn update<T>(
        directory: &Path,
        limits: &Limits,
        change: impl FnOnce(&mut Self) -> Result<T, SigningKeysError>,
    ) -> Result<T, SigningKeysError> {
        let at = |source| SigningKeysError::Io { path: directory.to_owned(), source };
        let _lock = write::lock(directory).map_err(at)?;
        let mut keys = Self::load(directory, limits)?;
        let done = change(&mut keys)?;
        keys.save(directory)?;
        Ok(done)
    }

    /// Replaces the file of a configuration directory that is there. What cannot be read again is not written.
    fn save(&self, directory: &Path) -> Result<(), SigningKeysError> {
        let path = directory.join(Self::NAME);
        let at = |source: io::Error| SigningKeysError::Io { path: path.clone(), source };
        let bytes = self.to_bytes()?;
        // A directory in its place is found here, a link was when the file was read.
        let mut file = tempfile::Builder::new().prefix(".signingkeys-").tempfile_in(directory).map_err(at)?;
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(at)?;
        file.persist(&path).map_err(|error| at(error.error))?;
        fs::File::open(directory).and_then(|folder| folder.sync_all()).map_err(at)
    }

    /// Reads the document. Members that are not known are passed over, as the reference does.
    ///
    /// # Errors
    /// Malformed, or it breaks a rule (conformance 13.06).
    pub fn parse(bytes: &[u8]) -> Result<Self, SigningKeysError> {
        let Object(document): Object<Document<Object<Entry>>> = json::from_slice(bytes)?;
        let default = document.default.filter(|name| !name.is_empty());
        let mut keys = Self::default();
        for Object(entry) in document.keys.unwrap_or_default() {
            keys.add(entry.into_key()?, DefaultKey::Keep)?;
        }
        if let Some(name) = default {
            keys.set_default(&name)?;
        }
        Ok(keys)
    }

    /// The document, as the reference writes it: four spaces deep, and a line's end behind it.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SigningKeysError> {
        let keys = self.keys.iter().map(Entry::of).collect::<Result<Vec<_>, _>>()?;
        let document = Document { default: self.default.clone(), keys: Some(keys) };
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        document
            .serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
            .map_err(JsonError::from)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The keys, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }

    /// The key of that name.
    pub fn find(&self, name: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The name of the default key.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The key that is meant: the named one, or the default one.
    ///
    /// # Errors
    /// There is none of that name, or no default.
    pub fn choose(&self, name: Option<&str>) -> Result<&SigningKey, SigningKeysError> {
        match name.or_else(|| self.default_name()) {
            Some(name) => self.find(name).ok_or_else(|| SigningKeysError::Unknown { name: shorten(name) }),
            None => Err(SigningKeysError::NoDefault { keys: self.keys.len() }),
        }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// The name is empty or there already, or a part of the entry is empty.
    pub fn add(&mut self, key: SigningKey, default: DefaultKey) -> Result<(), SigningKeysError> {
        if key.name.is_empty() {
            return Err(SigningKeysError::NoName);
        }
        if self.find(&key.name).is_some() {
            return Err(SigningKeysError::Repeated { name: shorten(&key.name) });
        }
        if key.source.is_incomplete() {
            return Err(SigningKeysError::Incomplete { name: shorten(&key.name) });
        }
        if default == DefaultKey::Set {
            self.default = Some(key.name.clone());
        }
        self.keys.push(key);
        Ok(())
    }

    /// Makes a key the default.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn set_default(&mut self, name: &str) -> Result<(), SigningKeysError> {
        let key = self.find(name).ok_or_else(|| SigningKeysError::Unknown { name: shorten(name) })?;
        self.default = Some(key.name.clone());
        Ok(())
    }

    /// Removes keys, all or none. The default goes with its key. The key files stay where they are.
    ///
    /// # Errors
    /// One of the names is not there.
    pub fn remove<S: AsRef<str>>(&mut self, names: &[S]) -> Result<Vec<SigningKey>, SigningKeysError> {
        let wanted: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        if let Some(name) = wanted.iter().find(|name| self.find(name).is_none()) {
            return Err(SigningKeysError::Unknown { name: shorten(name) });
        }
        let (removed, kept) = self.keys.drain(..).partition(|key| wanted.contains(key.name.as_str()));
        self.keys = kept;
        self.default = self.default.take().filter(|name| !wanted.contains(name.as_str()));
        Ok(removed)
    }
}

impl KeySource {
    fn is_incomplete(&self) -> bool {
        match self {
            Self::Files { key, certificates } => key.as_os_str().is_empty() || certificates.as_os_str().is_empty(),
            Self::Plugin { id, plugin, .. } => id.is_empty() || plugin.is_empty(),
        }
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct Document<E> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    keys: Option<Vec<E>>,
}

/// An entry as it is written: two members or three, by where the key is.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_config: Option<BTreeMap<String, String>>,
}

impl Entry {
    fn of(key: &SigningKey) -> Result<Self, SigningKeysError> {
        let text = |path: &Path| {
            let text = path.to_str().ok_or_else(|| SigningKeysError::PathNotText { path: path.to_owned() })?;
            Ok::<_, SigningKeysError>(Some(text.to_owned()))
        };
        let name = key.name.clone();
        Ok(match &key.source {
            KeySource::Files { key, certificates } => {
                Self { name, key_path: text(key)?, cert_path: text(certificates)?, ..Self::default() }
            }
            KeySource::Plugin { id, plugin, config } => Self {
                name,
                id: Some(id.clone()),
                plugin_name: Some(plugin.clone()),
                plugin_config: (!config.is_empty()).then(|| config.clone()),
                ..Self::default()
            },
        })
    }

    /// A key is in files or behind a plugin: an entry that says both would sign with whichever a reader prefers.
    fn into_key(self) -> Result<SigningKey, SigningKeysError> {
        let in_files = self.key_path.is_some() || self.cert_path.is_some();
        let behind_plugin = self.id.is_some() || self.plugin_name.is_some() || self.plugin_config.is_some();
        let source = match (in_files, behind_plugin) {
            (true, false) => KeySource::Files {
                key: self.key_path.unwrap_or_default().into(),
                certificates: self.cert_path.unwrap_or_default().into(),
            },
            (false, true) => KeySource::Plugin {
                id: self.id.unwrap_or_default(),
                plugin: self.plugin_name.unwrap_or_default(),
                config: self.plugin_config.unwrap_or_default(),
            },
            _ if self.name.is_empty() => return Err(SigningKeysError::NoName),
            _ => return Err(SigningKeysError::Incomplete { name: shorten(&self.name) }),
        };
        Ok(SigningKey { name: self.name, source })
    }
}

/// Why there is no key of that name, or why the list of keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeysError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The file breaks a rule.
    #[error("{}: {source}", .path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The rule.
        #[source]
        source: Box<SigningKeysError>,
    },
    /// It is not JSON of that form.
    #[error("the list of signing keys cannot be understood: {0}")]
    Json(#[from] JsonError),
    /// A key without a name.
    #[error("a signing key needs a name")]
    NoName,
    /// Two keys of one name.
    #[error("there are two signing keys of the name {name:?}")]
    Repeated {
        /// The name.
        name: String,
    },
    /// Neither files nor a plugin, or both, or half of either.
    #[error("the signing key {name:?} names neither a key file with its certificates nor a plugin with a key's id")]
    Incomplete {
        /// The name.
        name: String,
    },
    /// No such key.
    #[error("there is no signing key of the name {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Nothing says which key is meant.
    #[error("no signing key was named, and none of the {keys} configured ones is the default")]
    NoDefault {
        /// How many there are.
        keys: usize,
    },
    /// JSON holds text only.
    #[error("the path {path:?} is no UTF-8 text, so it cannot be written down")]
    PathNotText {
        /// The path.
        path: PathBuf,
    },
    /// Writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SigningKeysError {
    fn in_file(self, path: &Path) -> Self {
        Self::InFile { path: path.to_owned(), source: Box::new(self) }
    }
}

impl Diagnostic for SigningKeysError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::File(error) => error.code(),
            Self::InFile { .. } | Self::Json(_) => DiagnosticCode::ConfigInvalid,
            Self::Io { source, .. } => io_code(source),
            Self::Unknown { .. } | Self::NoDefault { .. } => DiagnosticCode::KeyMissing,
            Self::NoName | Self::Repeated { .. } | Self::Incomplete { .. } | Self::PathNotText { .. } => {
                DiagnosticCode::UsageInvalid
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::InFile { source, .. } => source.hint().or_else(|| Some("correct the file by hand".into())),
            Self::Unknown { .. } => Some("list the keys to see their names".into()),
            Self::NoDefault { .. } => {
                Some("name a key, give key and certificate files, or make a key the default".into())
            }
            Self::Repeated { .. } => Some("delete the other one first, or choose another name".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn local(name: &str) -> SigningKey {
        let source = KeySource::Files { key: "/k/a.key".into(), certificates: "/k/a.crt".into() };
        SigningKey { name: name.into(), source }
    }

    fn remote(name: &str, config: &[(&str, &str)]) -> SigningKey {
        let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        SigningKey { name: name.into(), source: KeySource::Plugin { id: "id".into(), plugin: "vault".into(), config } }
    }

    #[test]
    fn the_document_is_written_as_notation_writes_it() {
        // Conformance 13.05.
        let mut keys = SigningKeys::default();
        keys.add(local("one"), DefaultKey::Set).unwrap();
        keys.add(remote("two", &[("k", "v")]), DefaultKey::Keep).unwrap();
        keys.add(remote("three", &[]), DefaultKey::Keep).unwrap();
        let wanted = r#"{
    "default": "one",
    "keys": [
        {
            "name": "one",
            "keyPath": "/k/a.key",
            "certPath": "/k/a.crt"
        },
        {
            "name": "two",
            "id": "id",
            "pluginName": "vault",
            "pluginConfig": {
                "k": "v"
            }
        },
        {
            "name": "three",
            "id": "id",
            "pluginName": "vault"
        }
    ]
}
"#;
        assert_eq!(String::from_utf8(keys.to_bytes().unwrap()).unwrap(), wanted);
        assert_eq!(SigningKeys::parse(wanted.as_bytes()).unwrap(), keys);
        assert_eq!(SigningKeys::default().to_bytes().unwrap(), b"{\n    \"keys\": []\n}\n");
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        // Conformance 13.06.
        let local = r#"{"name":"a","keyPath":"k","certPath":"c"}"#;
        for (bad, says) in [
            ("[]".to_owned(), "understood"),
            (format!(r#"{{"keys":[{local},{local}]}}"#), "two signing keys"),
            (format!(r#"{{"default":"b","keys":[{local}]}}"#), "no signing key of the name \"b\""),
            (r#"{"keys":[{"name":"","keyPath":"k","certPath":"c"}]}"#.to_owned(), "needs a name"),
            (r#"{"keys":[{"keyPath":"k","certPath":"c"}]}"#.to_owned(), "needs a name"),
            (r#"{"keys":[{"name":"a"}]}"#.to_owned(), "neither"),
            (r#"{"keys":[{"name":"a","keyPath":"k"}]}"#.to_owned(), "neither"),
            (r#"{"keys":[{"name":"a","id":"i"}]}"#.to_owned(), "neither"),
            (r#"{"keys":[{"name":"a","keyPath":"k","certPath":"c","id":"i","pluginName":"p"}]}"#.to_owned(), "neither"),
            (r#"{"keys":[],"keys":[]}"#.to_owned(), "understood"),
        ] {
            let error = SigningKeys::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
        for good in ["{}", r#"{"keys":null}"#, r#"{"default":"","keys":[],"later":1}"#] {
            assert_eq!(SigningKeys::parse(good.as_bytes()).unwrap(), SigningKeys::default(), "{good}");
        }
    }

    #[test]
    fn keys_are_chosen_by_name_or_by_default() {
        let mut keys = SigningKeys::default();
        assert!(matches!(keys.choose(None), Err(SigningKeysError::NoDefault { keys: 0 })));
        keys.add(local("one"), DefaultKey::Keep).unwrap();
        keys.add(local("two"), DefaultKey::Set).unwrap();
        assert_eq!(keys.choose(None).unwrap().name, "two");
        assert_eq!(keys.choose(Some("one")).unwrap().name, "one");
        assert_eq!(keys.choose(Some("x")).unwrap_err().code(), DiagnosticCode::KeyMissing);
        assert!(keys.set_default("x").is_err());
        keys.set_default("one").unwrap();
        assert_eq!(keys.default_name(), Some("one"));
    }

    #[test]
    fn keys_are_removed_all_or_none_and_the_default_with_its_key() {
        let mut keys = SigningKeys::default();
        for name in ["one", "two", "three"] {
            keys.add(local(name), DefaultKey::Set).unwrap();
        }
        assert!(keys.remove(&["one", "x"]).is_err());
        assert_eq!(keys.iter().count(), 3);
        assert_eq!(keys.remove(&["one", "one"]).unwrap().len(), 1);
        assert_eq!(keys.default_name(), Some("three"));
        keys.remove(&["three"]).unwrap();
        assert_eq!((keys.default_name(), keys.iter().count()), (None, 1));
    }

    #[test]
    fn the_file_is_private_whole_and_no_link() {
        // Conformance 13.06.
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new/notation");
        let limits = Limits::default();
        assert_eq!(SigningKeys::load(&folder, &limits).unwrap(), SigningKeys::default());
        SigningKeys::update(&folder, &limits, |keys| keys.add(local("one"), DefaultKey::Set)).unwrap();
        let path = folder.join(SigningKeys::NAME);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        let before = fs::read(&path).unwrap();
        let twice = SigningKeys::update(&folder, &limits, |keys| keys.add(local("one"), DefaultKey::Keep));
        assert!(matches!(twice, Err(SigningKeysError::Repeated { .. })));
        assert_eq!(fs::read(&path).unwrap(), before, "a change that fails changes nothing");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");
        let elsewhere = home.path().join("elsewhere.json");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        for outcome in [
            SigningKeys::load(&folder, &limits).map(drop),
            SigningKeys::update(&folder, &limits, |keys| keys.add(local("two"), DefaultKey::Keep)),
        ] {
            assert!(matches!(outcome, Err(SigningKeysError::File(ConfigError::NotAFile { .. }))), "{outcome:?}");
        }
        assert_eq!(fs::read(&elsewhere).unwrap(), before);
    }

    #[test]
    fn the_error_names_the_file() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(SigningKeys::NAME), "{").unwrap();
        let error = SigningKeys::load(home.path(), &Limits::default()).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::ConfigInvalid);
        assert!(error.to_string().contains(SigningKeys::NAME), "{error}");
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let folder = home.path();
                scope.spawn(move || {
                    let key = local(&format!("key{number}"));
                    SigningKeys::update(folder, &Limits::default(), |keys| keys.add(key, DefaultKey::Keep)).unwrap();
                });
            }
        });
        assert_eq!(SigningKeys::load(home.path(), &Limits::default()).unwrap().iter().count(), 8);
    }
}
