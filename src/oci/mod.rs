//! OCI formats: descriptors, manifests, references and layout documents. Bytes ⇄ types, nothing else.

mod descriptor;
mod layout;
mod manifest;
mod reference;

pub use descriptor::{Descriptor, MediaType, Platform};
pub use layout::{IndexDocument, LayoutDocument, LayoutError, blob_path};
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use reference::{
    DigestTag, DigestTagKind, Location, Reference, ReferenceError, Repository, Tag, Target, referrers_tag,
};

/// Annotation keys that bulla reads or writes, beside those of the Notary Project.
pub mod annotation {
    pub use oci_spec::image::{ANNOTATION_CREATED as CREATED, ANNOTATION_REF_NAME as REF_NAME};
    /// Where containerd looks for the full name of an image in a layout.
    pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
}
