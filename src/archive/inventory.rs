//! The inventory: what a bundle says of itself (`schemas/bundle-v1.schema.json`).

use serde::{Deserialize, Serialize};

use super::docker::DockerManifestRecord;
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::oci::{Descriptor, MediaType, Platform, Reference};
use crate::store::Search;
use crate::time::UnixTime;

/// The JSON document in the bundle manifest's only layer. All lists are sorted, so that the same content gives the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleInventory {
    /// Always 1.
    pub schema_version: u32,
    /// Always [`names::BUNDLE`](super::names::BUNDLE).
    pub media_type: MediaType,
    /// Features that a reader must know, by name; one that it does not know ends the reading.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What made the bundle, `bulla/VERSION`.
    pub created_by: String,
    /// When, by the exporting host's clock or `SOURCE_DATE_EPOCH`.
    pub created_at: UnixTime,
    /// The bundle's place in a series, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamPosition>,
    /// The artifacts that were asked for, by reference and digest.
    pub roots: Vec<RootRecord>,
    /// Every referrer, by subject and digest.
    pub referrers: Vec<ReferrerRecord>,
    /// Every Notary Project signature among the referrers, by digest.
    pub signatures: Vec<SignatureRecord>,
    /// Every CRL and OCSP response carried, by digest.
    pub evidence: Vec<EvidenceRecord>,
    /// What was searched for each manifest, by digest.
    pub searches: Vec<SearchRecord>,
    /// What was left out on request, by digest.
    pub omitted: Vec<OmittedContent>,
    /// The bundle's `manifest.json`, where docker and podman may load from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_manifest: Option<DockerManifestRecord>,
    /// Every blob of the archive but the bundle manifest's own two, in the order of the archive.
    pub blobs: Vec<BlobRecord>,
    /// Sums.
    pub totals: Totals,
}

/// A bundle's place in a series of bundles. A seal authenticates it; without one it is a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamPosition {
    /// The name of the series: 1 to 128 of `a-z 0-9 . _ / -`, the first and last a letter or digit.
    pub name: String,
    /// The number in the series. The first bundle has 1.
    pub sequence: u64,
    /// The digest of the bundle manifest of the bundle before. The first bundle has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

/// One artifact that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootRecord {
    /// The name under which it was exported. Its repository is the scope under which it is judged.
    pub reference: Reference,
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Size of the manifest or index.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
    /// For an index: its children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<PlatformRecord>,
}

/// A child of a root index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformRecord {
    /// The child manifest.
    pub digest: Digest,
    /// Its platform, if the index says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
    /// Whether it was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub omitted: bool,
}

/// A manifest that refers to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferrerRecord {
    /// What it refers to. For a digest tag, what the tag names.
    pub subject: Digest,
    /// The referrer.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
    /// What a list of referrers shows as its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The cosign digest tag under which it was found, if that is how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<crate::oci::Tag>,
}

/// A Notary Project signature and how well it is supplied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureRecord {
    /// The signature manifest.
    pub digest: Digest,
    /// What it signs.
    pub subject: Digest,
    /// The envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Digest>,
    /// The envelope's media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_media_type: Option<MediaType>,
    /// The evidence manifest that refers to the signature, if it needs any evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// What judging will miss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<EvidenceGap>,
}

/// The code of a gap: one of [`DiagnosticCode`], or one that only another version of bulla gives. It is repeated to people
/// and decides nothing, so a code that is not known here is no reason to refuse a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GapCode(String);

impl GapCode {
    /// Whether it is of the form that codes have: lower-case words and numbers, joined by hyphens.
    pub(super) fn is_well_formed(&self) -> bool {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        self.0.split('-').all(word)
    }
}

impl From<DiagnosticCode> for GapCode {
    fn from(code: DiagnosticCode) -> Self {
        Self(code.to_string())
    }
}

impl std::fmt::Display for GapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Evidence that a signature needs and that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceGap {
    /// Why.
    pub code: GapCode,
    /// The subject of the certificate, or the signature itself where it could not be read.
    pub certificate: String,
    /// Where the evidence was looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What went wrong.
    pub reason: String,
}

/// Evidence in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EvidenceRecord {
    /// A certificate revocation list
    Crl(CarriedCrl),
    /// An OCSP response
    Ocsp(CarriedOcsp),
}

impl EvidenceRecord {
    /// The blob.
    pub const fn digest(&self) -> Digest {
        match self {
            Self::Crl(crl) => crl.digest,
            Self::Ocsp(response) => response.digest,
        }
    }

    /// Until when it is current.
    pub const fn next_update(&self) -> Option<UnixTime> {
        match self {
            Self::Crl(crl) => crl.next_update,
            Self::Ocsp(response) => response.next_update,
        }
    }

    /// The blob, as an evidence manifest lists it.
    pub fn descriptor(&self) -> Descriptor {
        match self {
            Self::Crl(crl) => Descriptor::new(super::names::CRL, crl.digest, crl.size),
            Self::Ocsp(response) => Descriptor::new(super::names::OCSP, response.digest, response.size),
        }
    }
}

/// A CRL in the bundle, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarriedCrl {
    /// The blob.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// The issuer's name.
    pub issuer: String,
    /// Where certificates say that it is to be had.
    pub urls: Vec<String>,
    /// When it was issued.
    pub this_update: UnixTime,
    /// Until when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
    /// Its number, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Of a delta CRL: the number of the oldest base that it continues, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_number: Option<String>,
}

/// An OCSP response in the bundle, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarriedOcsp {
    /// The blob.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// The responder's name, or `key` and the SHA-1 of its key.
    pub responder: String,
    /// The serial numbers that it speaks of, in hexadecimal.
    pub serials: Vec<String>,
    /// Where certificates say that the responder is.
    pub urls: Vec<String>,
    /// When it was signed.
    pub produced_at: UnixTime,
    /// As of when its answer holds.
    pub this_update: UnixTime,
    /// Until when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
}

/// What was searched for one manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchRecord {
    /// The manifest.
    pub subject: Digest,
    /// The searches and what came of them.
    pub searches: Vec<Search>,
}

/// Content that was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OmittedContent {
    /// The content.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its media type.
    pub media_type: MediaType,
    /// Its platform, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
    /// Which wish left it out.
    pub reason: Omission,
}

/// Why content was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Omission {
    /// `--platform` selected other children
    Platform,
    /// The far side is said to have it already. Never a manifest, and never anything that decides.
    Held,
}

/// One blob of the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlobRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// The first by its text of the media types under which it was reached; as a manifest, of those alone.
    pub media_type: MediaType,
    /// Whether it was reached as a manifest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manifest: bool,
}

impl BlobRecord {
    /// As a descriptor.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.size)
    }
}

/// Sums over the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Totals {
    /// Blobs listed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The earliest `nextUpdate` of all evidence: until then all that is carried is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_current_until: Option<UnixTime>,
}
