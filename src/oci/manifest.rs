//! Image manifests and indexes, with the bytes as received (OCI image-spec, `manifest.md` and `image-index.md`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::descriptor::{Descriptor, MediaType, footprint_of, null_is_empty};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::{self, JsonError, Object};

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// An index or Docker manifest list: its children are manifests.
    Index,
    /// An image manifest, also when it carries an artifact.
    Image,
    /// The withdrawn artifact manifest: `blobs`, no config.
    Artifact,
}

/// A manifest or index. [`Manifest::bytes`] is what was received and what is passed on; the fields are a view of it.
#[derive(Debug, Clone)]
pub struct Manifest {
    descriptor: Descriptor,
    bytes: Arc<[u8]>,
    kind: ManifestKind,
    document: Document,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<MediaType>,
    artifact_type: Option<MediaType>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads `bytes`, which must already have been checked against the digest and size of `descriptor`.
    ///
    /// # Errors
    /// Not one unambiguous manifest of the media type that the descriptor names. A descriptor without a media type
    /// takes over the one inside.
    pub fn parse(descriptor: &Descriptor, bytes: impl Into<Arc<[u8]>>) -> Result<Self, ManifestError> {
        let bytes = bytes.into();
        let Object(mut document): Object<Document> = json::from_slice(&bytes)?;
        // Thousands of manifests are held at a time, most of them with a layer or two.
        for list in [&mut document.layers, &mut document.blobs, &mut document.manifests].into_iter().flatten() {
            list.shrink_to_fit();
        }
        let media_type = document.agreed_media_type(&descriptor.media_type)?;
        let kind = document.kind(&media_type)?;
        let mut descriptor = descriptor.clone();
        descriptor.media_type = media_type;
        Ok(Self { descriptor, bytes, kind, document })
    }

    /// The descriptor under which the manifest was received, with its media type.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The bytes as received.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// About how many bytes it takes in memory: those received, what was made of them, and what lists of children and of
    /// referrers repeat of that.
    pub fn footprint(&self) -> u64 {
        let Document { config, layers, blobs, manifests, subject, annotations, .. } = &self.document;
        let lists = [layers, blobs, manifests].into_iter().flatten().flatten();
        let descriptors = lists.chain(config).chain(subject).chain([&self.descriptor]);
        let parsed = descriptors.map(Descriptor::footprint).fold(footprint_of(annotations), u64::saturating_add);
        let received = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        received.saturating_add(parsed.saturating_mul(2))
    }

    /// What it is.
    pub const fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// The media type.
    pub const fn media_type(&self) -> &MediaType {
        &self.descriptor.media_type
    }

    /// The configuration of an image manifest.
    pub const fn config(&self) -> Option<&Descriptor> {
        self.document.config.as_ref()
    }

    /// The layers of an image manifest, or the blobs of an artifact manifest.
    pub fn layers(&self) -> &[Descriptor] {
        self.document.layers.as_deref().or(self.document.blobs.as_deref()).unwrap_or_default()
    }

    /// The children of an index.
    pub fn manifests(&self) -> &[Descriptor] {
        self.document.manifests.as_deref().unwrap_or_default()
    }

    /// What this manifest refers to.
    pub const fn subject(&self) -> Option<&Descriptor> {
        self.document.subject.as_ref()
    }

    /// The `artifactType` member itself.
    pub const fn artifact_type(&self) -> Option<&MediaType> {
        self.document.artifact_type.as_ref()
    }

    /// What a list of referrers shows as artifact type: the member, else the configuration's media type
    /// (OCI distribution-spec, "Listing Referrers").
    pub fn referrer_type(&self) -> Option<&MediaType> {
        self.artifact_type().or_else(|| self.config().map(|config| &config.media_type))
    }

    /// Annotations of the manifest.
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        &self.document.annotations
    }

    /// The descriptor that a list of referrers shows for this manifest.
    pub fn referrer_descriptor(&self) -> Descriptor {
        Descriptor {
            annotations: self.annotations().clone(),
            artifact_type: self.referrer_type().cloned(),
            ..self.descriptor.bare()
        }
    }

    /// Configuration and layers: everything below that is no manifest.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config().into_iter().chain(self.layers())
    }
}

impl Document {
    fn agreed_media_type(&self, claimed: &MediaType) -> Result<MediaType, ManifestError> {
        match &self.media_type {
            Some(inside) if claimed.as_str().is_empty() => Ok(inside.clone()),
            Some(inside) if inside != claimed => {
                Err(ManifestError::MediaTypeMismatch { claimed: claimed.clone(), inside: inside.clone() })
            }
            None if claimed.as_str().is_empty() => Err(ManifestError::Ambiguous { reason: "it names no media type" }),
            _ => Ok(claimed.clone()),
        }
    }

    fn kind(&self, media_type: &MediaType) -> Result<ManifestKind, ManifestError> {
        let ambiguous = |reason| Err(ManifestError::Ambiguous { reason });
        if self.fs_layers.is_some() || self.schema_version == Some(1) {
            return Err(ManifestError::Unsupported { media_type: "Docker manifest schema 1".into() });
        }
        let kind = match media_type.as_str() {
            MediaType::OCI_INDEX | MediaType::DOCKER_LIST => ManifestKind::Index,
            MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => ManifestKind::Image,
            MediaType::OCI_ARTIFACT_MANIFEST => ManifestKind::Artifact,
            other => return Err(ManifestError::Unsupported { media_type: shorten(other) }),
        };
        let has_image_parts = self.layers.is_some() || self.config.is_some();
        match kind {
            ManifestKind::Index if has_image_parts || self.blobs.is_some() => {
                ambiguous("it is an index with config, layers or blobs")
            }
            ManifestKind::Index if self.manifests.is_none() => ambiguous("it is an index without manifests"),
            ManifestKind::Image if self.manifests.is_some() || self.blobs.is_some() => {
                ambiguous("it is an image manifest with manifests or blobs")
            }
            ManifestKind::Image if self.config.is_none() || self.layers.is_none() => {
                ambiguous("it is an image manifest without config or layers")
            }
            ManifestKind::Artifact if self.manifests.is_some() || has_image_parts => {
                ambiguous("it is an artifact manifest with manifests, config or layers")
            }
            kind if kind != ManifestKind::Artifact && self.schema_version != Some(2) => {
                ambiguous("its schemaVersion is not 2")
            }
            kind => Ok(kind),
        }
    }
}

/// Why bytes are no usable manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("the manifest is malformed: {0}")]
    Json(#[from] JsonError),
    /// The media type inside differs from the one that led here.
    #[error("the manifest says that it is {inside}, its descriptor says {claimed}")]
    MediaTypeMismatch {
        /// The descriptor's.
        claimed: MediaType,
        /// The document's.
        inside: MediaType,
    },
    /// It could be read as more than one kind of manifest, or as none.
    #[error("the manifest is not of one clear kind: {reason}")]
    Ambiguous {
        /// What speaks against it.
        reason: &'static str,
    },
    /// A kind that bulla does not carry.
    #[error("manifests of type {media_type:?} are not supported")]
    Unsupported {
        /// The type.
        media_type: String,
    },
}

impl Diagnostic for ManifestError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::MediaTypeMismatch { .. } => DiagnosticCode::ManifestMismatch,
            _ => DiagnosticCode::ManifestMalformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(media_type: &str, text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(&Descriptor::of(media_type, text.as_bytes()), text.as_bytes())
    }

    const D: &str = r#"{"mediaType":"x/y","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;

    #[test]
    fn the_referrer_type_falls_back_to_the_config() {
        let image = parse(MediaType::OCI_MANIFEST, &format!(r#"{{"schemaVersion":2,"config":{D},"layers":[]}}"#));
        assert_eq!(image.unwrap().referrer_type().unwrap(), "x/y");
        let text =
            format!(r#"{{"schemaVersion":2,"artifactType":"a/b","config":{D},"layers":[{D}],"annotations":null}}"#);
        let artifact = parse(
            "",
            &text.replace("\"config\"", r#""mediaType":"application/vnd.oci.image.manifest.v1+json","config""#),
        );
        let artifact = artifact.unwrap();
        assert_eq!(artifact.referrer_type().unwrap(), "a/b");
        assert_eq!(artifact.media_type(), MediaType::OCI_MANIFEST);
        assert_eq!(artifact.layers().len(), 1);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let index = MediaType::OCI_INDEX;
        let image = MediaType::OCI_MANIFEST;
        for (media_type, text) in [
            (index, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#.to_owned()),
            (image, format!(r#"{{"schemaVersion":2,"config":{D},"layers":[],"manifests":[]}}"#)),
            (image, format!(r#"{{"schemaVersion":2,"config":{D},"layers":[],"mediaType":"{index}"}}"#)),
            (image, format!(r#"{{"schemaVersion":2,"config":{D},"config":{D},"layers":[]}}"#)),
            (image, format!(r#"{{"schemaVersion":1,"config":{D},"layers":[]}}"#)),
            (image, r#"{"schemaVersion":2,"layers":[]}"#.to_owned()),
            (index, r#"{"manifests":[]}"#.to_owned()),
            ("", r#"{"schemaVersion":2,"manifests":[]}"#.to_owned()),
            ("text/plain", r#"{"schemaVersion":2,"manifests":[]}"#.to_owned()),
            (
                image,
                format!(r#"{{"schemaVersion":2,"config":{D},"layers":[{}]}}"#, D.replace("\"size\":0", "\"size\":-1")),
            ),
            (image, format!(r#"{{"schemaVersion":2,"config":{D},"layers":[{}]}}"#, D.replace("sha256:e3", "md5:e3"))),
            (image, format!(r#"{{"schemaVersion":2,"config":{D},"layers":[["x/y","sha256:{}",0]]}}"#, "0".repeat(64))),
            (image, format!(r#"[2,"{image}",null,{D},[]]"#)),
        ] {
            assert!(parse(media_type, &text).is_err(), "{media_type} {text}");
        }
    }

    #[test]
    fn what_is_small_in_text_is_counted_as_it_lies_in_memory() {
        let of = |annotations: &str| {
            let text = format!(r#"{{"schemaVersion":2,"config":{D},"layers":[],"annotations":{{{annotations}}}}}"#);
            let manifest = parse(MediaType::OCI_MANIFEST, &text).unwrap();
            (u64::try_from(text.len()).unwrap(), manifest.footprint())
        };
        let (text, plain) = of("");
        assert!(plain > text && plain < text + 2_000, "{plain}");
        let many: Vec<String> = (0..1_000).map(|number| format!(r#""{number:x}":"""#)).collect();
        let (text, dense) = of(&many.join(","));
        assert!(dense > 20 * text, "{dense} of {text}");
        let (text, long) = of(&format!(r#""a":"{}""#, "x".repeat(100_000)));
        assert!(long < 4 * text, "{long} of {text}");
    }
}
