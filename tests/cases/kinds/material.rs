//! What several kinds need: certificates of `testdata/cases/pki`, documents inline, stores of certificates.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bulla::limits::Limits;
use bulla::pki::{Certificate, certificates_from_file};
use bulla::trust::TrustStores;
use serde::Deserialize;
use serde_json::Value;

use crate::facts::folder;

/// A file of `pki`.
pub(crate) fn pki(name: &str) -> PathBuf {
    folder().join("pki").join(name)
}

/// The PEM file of a certificate.
pub(crate) fn pem(name: &str) -> Result<Vec<u8>, String> {
    fs::read(pki(&format!("{name}.pem"))).map_err(|error| format!("the certificate {name}: {error}"))
}

/// A certificate by name.
pub(crate) fn certificate(name: &str) -> Result<Certificate, String> {
    let mut found =
        certificates_from_file(&pem(name)?, &Limits::default()).map_err(|error| format!("{name}: {error}"))?;
    assert_eq!(found.len(), 1, "{name}");
    Ok(found.remove(0))
}

/// Certificates by name.
pub(crate) fn certificates(names: &[String]) -> Result<Vec<Certificate>, String> {
    names.iter().map(|name| certificate(name)).collect()
}

/// Trust stores, `type:name`, with certificates by name.
pub(crate) fn stores(given: &BTreeMap<String, Vec<String>>) -> Result<TrustStores, String> {
    let mut stores = TrustStores::default();
    for (name, names) in given {
        let name = name.parse().map_err(|error| format!("{name}: {error}"))?;
        stores.insert(name, certificates(names)?).map_err(|error| error.to_string())?;
    }
    Ok(stores)
}

/// A JSON document: as a value, or, where its very bytes matter, as a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Document {
    /// Any JSON.
    Json(Value),
    /// Byte by byte.
    Text(String),
}

impl Document {
    /// The bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(value) => serde_json::to_vec(value).unwrap(),
            Self::Text(text) => text.clone().into_bytes(),
        }
    }
}
