//! The documents of an OCI image layout (OCI image-spec, `image-layout.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, MediaType, null_is_empty};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::json::{self, JsonError};

/// The path of a blob inside a layout, `/` between its parts.
pub fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// `oci-layout`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutDocument {
    /// The version of the layout, 1.x.y.
    pub image_layout_version: String,
}

impl LayoutDocument {
    /// The name of the file.
    pub const NAME: &str = "oci-layout";
    /// The bytes that bulla writes.
    pub const BYTES: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

    /// Reads the file.
    ///
    /// # Errors
    /// Malformed, or of another major version.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let document: Self = json::from_slice(bytes).map_err(|error| LayoutError::Json { name: Self::NAME, error })?;
        if !document.image_layout_version.starts_with("1.") {
            return Err(LayoutError::Version { version: crate::digest::shorten(&document.image_layout_version) });
        }
        Ok(document)
    }
}

/// `index.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexDocument {
    /// Always 2.
    pub schema_version: u64,
    /// The index type; absent in old layouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What the layout holds at its top.
    #[serde(deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl IndexDocument {
    /// The name of the file.
    pub const NAME: &str = "index.json";

    /// An index of these manifests.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::OCI_INDEX.into()),
            manifests,
            annotations: BTreeMap::new(),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Malformed, or not an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let document: Self = json::from_slice(bytes).map_err(|error| LayoutError::Json { name: Self::NAME, error })?;
        if document.schema_version != 2
            || document.media_type.as_ref().is_some_and(|found| *found != MediaType::OCI_INDEX)
        {
            return Err(LayoutError::NotAnIndex);
        }
        Ok(document)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LayoutError> {
        json::to_vec(self).map_err(|error| LayoutError::Json { name: Self::NAME, error })
    }
}

/// Why a layout cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A document is malformed.
    #[error("{name} is malformed: {error}")]
    Json {
        /// The document.
        name: &'static str,
        /// What is wrong.
        #[source]
        error: JsonError,
    },
    /// A version of the format that nobody has defined yet.
    #[error("the layout is of version {version:?}; only 1.x is known")]
    Version {
        /// What it says.
        version: String,
    },
    /// Not an image index.
    #[error("index.json is not an OCI image index")]
    NotAnIndex,
}

impl Diagnostic for LayoutError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::LayoutInvalid
    }
}
