//! Content descriptors (OCI image-spec, `descriptor.md`).

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::json::Object;

/// A media type, compared byte by byte. Those that every bundle is full of take no memory of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

impl MediaType {
    /// OCI image index
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image manifest
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// The withdrawn OCI artifact manifest, still met in the field
    pub const OCI_ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// Docker image manifest, version 2, schema 2
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// OCI image configuration
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// Docker image configuration
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// The empty JSON object `{}`
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

    /// What is kept without memory of its own.
    const COMMON: [&str; 16] = [
        Self::OCI_INDEX,
        Self::OCI_MANIFEST,
        Self::OCI_ARTIFACT_MANIFEST,
        Self::DOCKER_MANIFEST,
        Self::DOCKER_LIST,
        Self::OCI_CONFIG,
        Self::DOCKER_CONFIG,
        Self::OCI_EMPTY,
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.cncf.notary.signature",
        "application/jose+json",
        "application/cose",
        "application/vnd.bulla.evidence.v1+json",
        "application/pkix-crl",
    ];

    /// A media type as received.
    pub fn new(text: impl AsRef<str> + Into<String>) -> Self {
        match Self::common(text.as_ref()) {
            Some(common) => Self(Cow::Borrowed(common)),
            None => Self(Cow::Owned(text.into())),
        }
    }

    fn common(text: &str) -> Option<&'static str> {
        Self::COMMON.into_iter().find(|common| *common == text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// About how many bytes of memory it points to.
    fn footprint(&self) -> u64 {
        match &self.0 {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => in_memory(text.len()).saturating_add(ALLOCATION),
        }
    }

    /// Whether content of this type lists other manifests.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), Self::OCI_INDEX | Self::DOCKER_LIST)
    }

    /// Whether content of this type is a manifest or an index.
    pub fn is_manifest(&self) -> bool {
        self.is_index()
            || matches!(self.as_str(), Self::OCI_MANIFEST | Self::DOCKER_MANIFEST | Self::OCI_ARTIFACT_MANIFEST)
    }

    /// Whether content of this type is a container image's configuration.
    pub fn is_image_config(&self) -> bool {
        matches!(self.as_str(), Self::OCI_CONFIG | Self::DOCKER_CONFIG)
    }

    /// Every manifest and index type that bulla reads, as an `Accept` header wants them.
    pub const ACCEPTED: [&str; 5] =
        [Self::OCI_INDEX, Self::OCI_MANIFEST, Self::DOCKER_LIST, Self::DOCKER_MANIFEST, Self::OCI_ARTIFACT_MANIFEST];
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(MediaTypeVisitor)
    }
}

struct MediaTypeVisitor;

impl Visitor<'_> for MediaTypeVisitor {
    type Value = MediaType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MediaType, E> {
        Ok(MediaType::new(text))
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl Borrow<str> for MediaType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What names content: its type, digest and size, and what a referrer's list adds.
///
/// A descriptor that a store returns is a claim until the content was read against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Descriptor {
    /// The type of the content.
    #[serde(default = "no_media_type", skip_serializing_if = "is_no_media_type")]
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
    /// Annotations of this mention of the content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The artifact type that a list of referrers gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The platform, in an index. Few descriptors have one, and there may be a hundred thousand of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
}

impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// What reads a descriptor that is written as an object: derived readers would take an array of its values too.
struct AsObject(Descriptor);

impl<'de> Deserialize<'de> for AsObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Descriptor::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(AsObject(descriptor)) = Deserialize::deserialize(deserializer)?;
        Ok(descriptor)
    }
}

/// What an allocation takes beside what is in it.
const ALLOCATION: u64 = 16;

/// What an annotation takes in a map beside its text: two strings, in nodes that are half full.
const ANNOTATION: u64 = 128;

/// What a map takes that has anything in it: nodes have room for eleven.
const MAP: u64 = 416;

fn in_memory(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// About how many bytes of memory annotations take.
pub(super) fn footprint_of(annotations: &BTreeMap<String, String>) -> u64 {
    if annotations.is_empty() {
        return 0;
    }
    let texts = annotations.iter().map(|(key, value)| in_memory(key.len().saturating_add(value.len())));
    texts.fold(MAP, |sum, text| sum.saturating_add(text).saturating_add(ANNOTATION))
}

fn no_media_type() -> MediaType {
    MediaType(Cow::Borrowed(""))
}

fn is_no_media_type(media_type: &MediaType) -> bool {
    media_type.0.is_empty()
}

pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Descriptor {
    /// A bare descriptor.
    pub fn new(media_type: impl Into<MediaType>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            annotations: BTreeMap::new(),
            artifact_type: None,
            platform: None,
        }
    }

    /// The descriptor of `content`, by SHA-256.
    pub fn of(media_type: impl Into<MediaType>, content: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(content), u64::try_from(content.len()).unwrap_or(u64::MAX))
    }

    /// Media type, digest and size alone: what identifies the content.
    pub fn bare(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest, self.size)
    }

    /// As it is, without the annotations of this mention.
    #[must_use]
    pub fn without_annotations(&self) -> Self {
        let (artifact_type, platform) = (self.artifact_type.clone(), self.platform.clone());
        Self { artifact_type, platform, ..self.bare() }
    }

    /// About how many bytes it takes in memory, with all that it points to.
    pub(crate) fn footprint(&self) -> u64 {
        let platform = self.platform.as_deref().map_or(0, Platform::footprint);
        let artifact_type = self.artifact_type.as_ref().map_or(0, MediaType::footprint);
        in_memory(size_of::<Self>())
            .saturating_add(self.media_type.footprint())
            .saturating_add(footprint_of(&self.annotations))
            .saturating_add(artifact_type)
            .saturating_add(platform)
    }

    /// Whether both name the same content: media type, digest and size agree (Notary conformance 2.09).
    pub fn same_content(&self, other: &Self) -> bool {
        self.media_type == other.media_type && self.digest == other.digest && self.size == other.size
    }
}

/// The platform of a child of an index (OCI image-spec, `image-index.md`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system, by Go's names.
    pub os: String,
    /// CPU architecture, by Go's names.
    pub architecture: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Version of the operating system (Windows).
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features of the operating system (Windows).
    #[serde(
        default,
        rename = "os.features",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub os_features: Vec<String>,
}

impl Platform {
    /// Reads `os/architecture[/variant]`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (os, architecture, variant) = (parts.next()?, parts.next()?, parts.next());
        let filled = !os.is_empty() && !architecture.is_empty() && variant != Some("");
        (filled && parts.next().is_none()).then(|| Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            os_version: None,
            os_features: Vec::new(),
        })
    }

    fn footprint(&self) -> u64 {
        let texts = [Some(&self.os), Some(&self.architecture), self.variant.as_ref(), self.os_version.as_ref()];
        let features = self.os_features.iter();
        let texts = texts.into_iter().flatten().map(|text| in_memory(text.len()));
        let features = features.map(|text| in_memory(size_of::<String>().saturating_add(text.len())));
        let allocated = |sum: u64, bytes: u64| sum.saturating_add(bytes).saturating_add(ALLOCATION);
        texts.chain(features).fold(in_memory(size_of::<Self>()), allocated)
    }

    /// Whether a child with platform `self` is what somebody who asks for `wanted` means: a variant counts only where
    /// one was asked for, and `arm64` alone means `arm64/v8`.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let variant = |platform: &Self| match (platform.architecture.as_str(), platform.variant.as_deref()) {
            ("arm64", None) => Some("v8".to_owned()),
            (_, variant) => variant.map(str::to_owned),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(self) == variant(wanted))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_windows_version_that_oci_spec_drops() {
        let text = br#"{"os":"windows","architecture":"amd64","os.version":"10.0.1","os.features":["win32k"]}"#;
        let platform: Platform = serde_json::from_slice(text).unwrap();
        assert_eq!(platform.os_version.as_deref(), Some("10.0.1"));
        assert_eq!(platform.os_features, ["win32k"]);
    }

    #[test]
    fn a_platform_is_asked_for_by_os_architecture_and_variant() {
        let is = |have: &str, want: &str| Platform::parse(have).unwrap().satisfies(&Platform::parse(want).unwrap());
        assert!(is("linux/arm64/v8", "linux/arm64"));
        assert!(is("linux/arm64", "linux/arm64/v8"));
        assert!(is("linux/arm/v7", "linux/arm"));
        assert!(!is("linux/arm/v6", "linux/arm/v7"));
        assert!(!is("linux/amd64", "windows/amd64"));
        for bad in ["", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x"] {
            assert_eq!(Platform::parse(bad), None, "{bad}");
        }
    }
}
