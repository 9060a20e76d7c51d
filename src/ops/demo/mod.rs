//! The world of `bulla demo`: an image, its signature with timestamp, the PKI behind both, CRLs, trust stores and a
//! policy. Everything is made in memory and can be written to a directory; nothing is ever fetched from the URLs that
//! the certificates name.

mod image;
mod pki;
mod write;

use std::time::Duration;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::json::{self, JsonError};
use crate::notary::{SignatureManifest, SignatureManifestForm};
use crate::oci::{Descriptor, LayoutError, MediaType, Reference, ReferenceError};
use crate::signer::authority::AuthorityError;
use crate::signer::tsa::TimestampAt;
use crate::signer::{KeyError, SignatureArtifact, SigningError, SigningOptions, sign_jws};
use crate::time::UnixTime;

use pki::DemoPki;

/// The name that the demo's image has.
const REFERENCE: &str = "registry.bulla.example/demo/hello:1.0";

/// The names of the trust stores in the demo's configuration.
const CA_STORE: &str = "bulla-demo";
const TSA_STORE: &str = "bulla-demo-tsa";

/// How long before `now` the image was signed. The CRLs are younger, so that they say something about that time.
const SIGNED_BEFORE: Duration = Duration::from_secs(3600);

/// A CRL of the demo's PKI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoCrl {
    /// The distribution point that the certificates name. Nothing is served there.
    pub url: String,
    /// The CRL.
    pub der: Vec<u8>,
}

impl DemoCrl {
    /// The last part of the URL: the name of the file that it is written to.
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }
}

/// Everything that the demo starts from.
#[derive(Debug, Clone)]
pub struct DemoWorld {
    /// The name of the image.
    pub reference: Reference,
    /// The image: an index of two platforms.
    pub index: Descriptor,
    /// All content, the signature's included, each after what it names.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
    /// The manifests of the signatures on the index.
    pub signatures: Vec<Descriptor>,
    /// The CRLs of both chains: nobody is revoked.
    pub crls: Vec<DemoCrl>,
    /// The CRLs of both chains after the signer's key was reported stolen.
    pub revoked_crls: Vec<DemoCrl>,
    /// The files of the trust stores, by their path below `truststore/x509`.
    pub trust_store: Vec<(String, Vec<u8>)>,
    /// The trust policy.
    pub policy: Vec<u8>,
}

impl DemoWorld {
    /// Makes the world as it is at `now`. The image is the same every time; keys and certificates are new.
    ///
    /// # Errors
    /// The system has no randomness, or `now` is so early or late that certificates cannot name the times around it.
    pub fn create(now: UnixTime) -> Result<Self, DemoError> {
        let now = UnixTime::from_seconds(now.seconds());
        let reference: Reference = REFERENCE.parse()?;
        let pki = DemoPki::create(now)?;
        let image = image::build()?;
        let signature = sign(&pki, &image.index, now.saturating_sub(SIGNED_BEFORE))?;
        let mut blobs = image.blobs;
        blobs.push((signature.config.clone(), SignatureManifest::CONFIG.to_vec()));
        blobs.push((signature.envelope.descriptor.clone(), signature.envelope.bytes.clone()));
        blobs.push((signature.descriptor.clone(), signature.manifest));
        Ok(Self {
            policy: policy(&reference)?,
            reference,
            index: image.index,
            blobs,
            signatures: vec![signature.descriptor],
            crls: pki.crls(now, &[])?,
            revoked_crls: pki.crls(now, &[pki.signer_revocation(now)])?,
            trust_store: pki.trust_store()?,
        })
    }
}

fn sign(pki: &DemoPki, index: &Descriptor, time: UnixTime) -> Result<SignatureArtifact, DemoError> {
    let timestamp = TimestampAt { authority: &pki.timestamp_authority, time };
    let options = SigningOptions { timestamp: Some(&timestamp), ..SigningOptions::new(time) };
    let envelope = sign_jws(index, &pki.signer, &options)?;
    Ok(SignatureArtifact::build(SignatureManifestForm::ArtifactType, index, envelope)?)
}

/// A strict policy for the demo's repository alone.
fn policy(reference: &Reference) -> Result<Vec<u8>, DemoError> {
    let policy = serde_json::json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": "bulla-demo",
            "registryScopes": [reference.repository.to_string()],
            "signatureVerification": { "level": "strict" },
            "trustStores": [format!("ca:{CA_STORE}"), format!("tsa:{TSA_STORE}")],
            "trustedIdentities": [format!("x509.subject: {}", pki::TRUSTED_IDENTITY)]
        }]
    });
    let mut text = serde_json::to_vec_pretty(&policy).map_err(JsonError::from)?;
    text.push(b'\n');
    Ok(text)
}

/// Serializes a manifest of our own and describes it.
fn manifest<T: serde::Serialize>(media_type: &str, document: &T) -> Result<(Descriptor, Vec<u8>), DemoError> {
    let bytes = json::to_vec(document)?;
    Ok((Descriptor::of(MediaType::from(media_type), &bytes), bytes))
}

/// Why the demo's world could not be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The PKI.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A document.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The name of the image.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A certificate could not be written as PEM, or a public key as DER.
    #[error("a certificate or key cannot be encoded: {0}")]
    Encoding(#[from] spki::Error),
    /// The layer could not be put together.
    #[error("the image's layer cannot be written: {0}")]
    Layer(#[source] std::io::Error),
    /// The disk.
    #[error("{} cannot be written: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Diagnostic for DemoError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Authority(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Reference(error) => error.code(),
            Self::Layout(error) => error.code(),
            Self::Encoding(_) | Self::Layer(_) => DiagnosticCode::InternalError,
            Self::Io { source, .. } => crate::code::io_code(source),
        }
    }
}
