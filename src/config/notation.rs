//! Notation's settings: `config.json` in its configuration directory (conformance 13.04). What it says of credentials is
//! read by [`super::credentials`].

use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, ConfigFile, file};
use crate::json::{self, Object};
use crate::limits::Limits;

/// What `config.json` says beside credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotationConfig {
    insecure_registries: Option<Vec<String>>,
    signature_format: Option<String>,
}

impl NotationConfig {
    /// The file's name.
    pub const NAME: &str = "config.json";

    /// Reads the settings of a configuration directory; `None` if there are none.
    ///
    /// # Errors
    /// The file is a link, too large or malformed.
    pub fn load(directory: &Path, limits: &Limits) -> Result<Option<Self>, ConfigError> {
        let path = directory.join(Self::NAME);
        let Some(bytes) = file::read(&path, ConfigFile::Settings, limits.config_bytes)? else { return Ok(None) };
        let read: Result<Object<Self>, _> = json::from_slice(&bytes);
        read.map(|Object(config)| Some(config)).map_err(|source| ConfigError::Settings { path, source })
    }

    /// Hosts that are spoken to without TLS, as references write them (conformance 1.33).
    pub fn insecure_registries(&self) -> &[String] {
        self.insecure_registries.as_deref().unwrap_or_default()
    }

    /// The envelope format to sign with, in lower case: `jws` or `cose`, if the file is right.
    pub fn signature_format(&self) -> Option<String> {
        self.signature_format.as_ref().map(|format| format.to_lowercase()).filter(|format| !format.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Diagnostic as _, DiagnosticCode};
    use std::fs;

    #[test]
    fn settings_are_read_and_the_rest_is_passed_over() {
        // Conformance 13.04.
        let home = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        assert_eq!(NotationConfig::load(home.path(), &limits).unwrap(), None);
        let path = home.path().join(NotationConfig::NAME);
        let text =
            r#"{"insecureRegistries":["a.example:5000"],"signatureFormat":"COSE","credsStore":"pass","auths":{}}"#;
        fs::write(&path, text).unwrap();
        let config = NotationConfig::load(home.path(), &limits).unwrap().unwrap();
        assert_eq!(config.insecure_registries(), ["a.example:5000"]);
        assert_eq!(config.signature_format().as_deref(), Some("cose"));
        fs::write(&path, r#"{"insecureRegistries":null}"#).unwrap();
        let config = NotationConfig::load(home.path(), &limits).unwrap().unwrap();
        assert_eq!((config.insecure_registries().len(), config.signature_format()), (0, None));
        for bad in ["", "[]", r#"{"insecureRegistries":"a"}"#] {
            fs::write(&path, bad).unwrap();
            let error = NotationConfig::load(home.path(), &limits).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::ConfigInvalid, "{bad}: {error}");
        }
    }
}
