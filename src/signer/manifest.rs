//! The OCI manifest that carries an envelope (conformance section 1), as the reference implementation writes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::SigningError;
use super::jws::Envelope;
use crate::digest::{Digest, hex};
use crate::json;
use crate::oci::{Descriptor, MediaType, annotation};

const ARTIFACT_TYPE: &str = "application/vnd.cncf.notary.signature";
const THUMBPRINTS: &str = "io.cncf.notary.x509chain.thumbprint#S256";
const EMPTY: &[u8] = b"{}";

/// Which of the two forms of signature manifest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManifestForm {
    /// `artifactType`, with an empty config (conformance 1.02).
    #[default]
    ArtifactType,
    /// The type in the config, for OCI 1.0 registries, and for layouts that Notation up to 1.3.2 reads
    /// (conformance 1.03, 1.23).
    Legacy,
}

/// A signature as a registry or layout stores it: push envelope and config, then the manifest (conformance 1.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureArtifact {
    /// The manifest's descriptor, with the annotations and artifact type that a list of referrers shows.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The config's descriptor; its content is [`SignatureArtifact::CONFIG`].
    pub config: Descriptor,
    /// The envelope.
    pub envelope: Envelope,
}

impl SignatureArtifact {
    /// The content of the config (conformance 1.06).
    pub const CONFIG: &[u8] = EMPTY;

    /// Wraps an envelope that signs `subject`.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn build(subject: &Descriptor, envelope: Envelope, form: ManifestForm) -> Result<Self, SigningError> {
        let annotations = annotations(&envelope)?;
        let (artifact_type, config_type, data) = match form {
            ManifestForm::ArtifactType => (Some(ARTIFACT_TYPE), MediaType::OCI_EMPTY, Some("e30=")),
            ManifestForm::Legacy => (None, ARTIFACT_TYPE, None),
        };
        let config = Descriptor::of(config_type, EMPTY);
        let manifest = json::to_vec(&Document {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST,
            artifact_type,
            config: Config { descriptor: &config, data },
            layers: [&envelope.descriptor],
            subject: subject.bare(),
            annotations: &annotations,
        })?;
        let mut descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
        descriptor.annotations = annotations;
        descriptor.artifact_type = Some(ARTIFACT_TYPE.into());
        Ok(Self { descriptor, manifest, config, envelope })
    }
}

/// Thumbprints in lower case without spaces, and the signing time in UTC (conformance 1.09 to 1.11).
fn annotations(envelope: &Envelope) -> Result<BTreeMap<String, String>, SigningError> {
    let thumbprints: Vec<String> =
        envelope.certificates.iter().map(|der| hex(Digest::sha256(der).as_bytes())).collect();
    let thumbprints = String::from_utf8_lossy(&json::to_vec(&thumbprints)?).into_owned();
    Ok(BTreeMap::from([
        (THUMBPRINTS.to_owned(), thumbprints),
        (annotation::CREATED.to_owned(), envelope.signing_time.to_string()),
    ]))
}

/// The members in the order of the image-spec, which is also the reference's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u8,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'static str>,
    config: Config<'a>,
    layers: [&'a Descriptor; 1],
    subject: Descriptor,
    annotations: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Config<'a> {
    #[serde(flatten)]
    descriptor: &'a Descriptor,
    /// The embedded content; `e30=` is the base64 of `{}` (conformance 1.06).
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    fn built(form: ManifestForm) -> String {
        let envelope = Envelope {
            descriptor: Descriptor::of("application/jose+json", b"envelope"),
            bytes: b"envelope".to_vec(),
            signing_time: UnixTime::from_seconds(0),
            certificates: vec![b"leaf".to_vec(), b"root".to_vec()],
        };
        let subject = Descriptor::of(MediaType::OCI_MANIFEST, b"subject");
        let artifact = SignatureArtifact::build(&subject, envelope, form).unwrap();
        assert_eq!(artifact.descriptor.digest, Digest::sha256(&artifact.manifest));
        assert_eq!(artifact.descriptor.artifact_type.unwrap(), ARTIFACT_TYPE);
        String::from_utf8(artifact.manifest).unwrap()
    }

    /// The text behind `config`, the same in both forms. Conformance 1.07 to 1.11.
    fn tail() -> String {
        let hash = |bytes: &[u8]| Digest::sha256(bytes).hex();
        format!(
            concat!(
                r#""layers":[{{"mediaType":"application/jose+json","digest":"sha256:{}","size":8}}],"#,
                r#""subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{}","size":7}},"#,
                r#""annotations":{{"io.cncf.notary.x509chain.thumbprint#S256":"[\"{}\",\"{}\"]","#,
                r#""org.opencontainers.image.created":"1970-01-01T00:00:00Z"}}}}"#
            ),
            hash(b"envelope"),
            hash(b"subject"),
            hash(b"leaf"),
            hash(b"root")
        )
    }

    #[test]
    fn the_new_form_names_its_artifact_type() {
        // Conformance 1.01, 1.02, 1.06; the order is that of vectors/notation/p256-jws-expiry.
        let head = concat!(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""artifactType":"application/vnd.cncf.notary.signature","#,
            r#""config":{"mediaType":"application/vnd.oci.empty.v1+json","#,
            r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},"#
        );
        assert_eq!(built(ManifestForm::ArtifactType), format!("{head}{}", tail()));
    }

    #[test]
    fn the_legacy_form_names_it_in_the_config() {
        // Conformance 1.03, 1.23.
        let head = concat!(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""config":{"mediaType":"application/vnd.cncf.notary.signature","#,
            r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"#
        );
        assert_eq!(built(ManifestForm::Legacy), format!("{head}{}", tail()));
    }
}
