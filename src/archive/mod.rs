//! The bundle: one tar, optionally zstd, that is a valid OCI layout and lists its own content.
//!
//! The format is specified in `schemas/bundle-v1.md`.

mod bundle;
mod check;
mod docker;
mod entry;
mod error;
mod frames;
mod inventory;
mod inventory_error;
mod output;
mod output_folder;
mod partial;
mod reader;
mod seal;
mod source;
mod stream;
mod strict;
mod writer;

pub use bundle::{BundleManifest, BundleWriter, Companions};
pub use check::{EMPTY_CONFIG, HELD_CONTENT, KNOWN_FEATURES, SEAL_REPOSITORY, empty_config};
pub use docker::{DOCKER_MANIFEST, DockerManifest, DockerManifestError, DockerManifestRecord, Unloadable};
pub(crate) use docker::{LoadList, LoadableImage};
pub use entry::EntryName;
pub use error::ArchiveError;
pub use inventory_error::InventoryError;
pub(crate) use output::{Eager, sync_folder};
pub use output::{FilePart, OutputFile};
pub use output_folder::{OutputFolder, StagedFile};
pub(crate) use partial::locate;
pub use reader::{Archive, Entry, Strictness};
pub use seal::{Seal, SealError, SealMembers};
pub use stream::ArchiveStream;
pub(crate) use stream::SharedStream;
pub use writer::{Compression, EntryWriter, Writer};

pub use inventory::{
    BlobRecord, BundleInventory, CarriedCrl, CarriedOcsp, EvidenceGap, EvidenceRecord, GapCode, Omission,
    OmittedContent, PlatformRecord, ReferrerRecord, RootRecord, SearchRecord, SignatureRecord, StreamPosition, Totals,
};

/// Media types and annotation keys that bulla defines.
pub mod names {
    /// The bundle manifest's artifact type, and the media type of the inventory in it.
    pub const BUNDLE: &str = "application/vnd.bulla.bundle.v1+json";
    /// The artifact type of a seal: that of every Notary Project signature.
    pub const SEAL: &str = "application/vnd.cncf.notary.signature";
    /// The artifact type of the manifest that carries evidence for one signature.
    pub const EVIDENCE: &str = "application/vnd.bulla.evidence.v1+json";
    /// The media types of a seal's envelope: JWS and COSE (Notary Project signature specification, "Signature Envelope").
    pub const ENVELOPES: [&str; 2] = ["application/jose+json", "application/cose"];
    /// A DER-encoded CRL (RFC 2585 §4.2).
    pub const CRL: &str = "application/pkix-crl";
    /// A DER-encoded OCSP response (RFC 6960 appendix C.2).
    pub const OCSP: &str = "application/ocsp-response";
    /// The artifact type of the manifest that carries a file: one layer, whose title is the file's name.
    pub const FILE: &str = "application/vnd.bulla.file.v1";
    /// On the layer that is a file: its digests by the hashes of its signatures, where they are others than the layer's,
    /// joined by a space. A claim, for whoever must judge before the file comes; it is held against the file.
    pub const FILE_DIGESTS: &str = "vnd.bulla.file.digests";
    /// A DER-encoded RFC 3161 TimeStampToken over the value of a signature, carried beside it.
    pub const TIMESTAMP: &str = "application/vnd.bulla.timestamp-token.v1";
    /// On an evidence layer: the URL under which the certificate names this evidence. Several are joined by a space.
    pub const EVIDENCE_URL: &str = "vnd.bulla.evidence.url";
    /// On the bundle's entry in `index.json`: nothing but this marks the bundle manifest for people who read it.
    pub const BUNDLE_TITLE: &str = "bulla bundle manifest";
}
