//! The manifest that attaches a signature to an artifact (Notary signature-specification, "OCI Signatures").

use std::collections::BTreeMap;

use serde::Serialize;

use super::annotation::THUMBPRINT;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Digest, shorten};
use crate::json::{self, JsonError};
use crate::oci::{self, Descriptor, Manifest, ManifestKind, MediaType};
use crate::time::UnixTime;

/// How a manifest says that it carries a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureManifestForm {
    /// `artifactType`, with the empty config: the form of OCI 1.1 (conformance 1.02).
    ArtifactType,
    /// The config's media type: the form for OCI 1.0, and the only one that Notation up to 1.3 sees in a layout
    /// (conformance 1.03, 1.23).
    ConfigMediaType,
    /// The withdrawn artifact manifest: read, never written (conformance 1.22).
    ArtifactManifest,
    /// bulla's own: a detached signature of a file, carried beside the manifest that carries the file. What it signs is the
    /// file, not its subject.
    Detached,
}

/// What a signature manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureManifest {
    form: SignatureManifestForm,
    subject: Descriptor,
    envelope: Descriptor,
}

impl SignatureManifest {
    /// The artifact type of a signature.
    pub const ARTIFACT_TYPE: &str = "application/vnd.cncf.notary.signature";
    /// The artifact type of a detached signature of a file.
    pub const DETACHED_TYPE: &str = "application/vnd.bulla.file-signature.v1";

    /// Whether a manifest presents itself as a Notary Project signature, so that it must be judged as one. It may still
    /// be refused by [`SignatureManifest::read`].
    pub fn recognise(manifest: &Manifest) -> bool {
        let known = |found: &MediaType| *found == Self::ARTIFACT_TYPE || *found == Self::DETACHED_TYPE;
        manifest.referrer_type().is_some_and(known)
            || manifest.config().is_some_and(|config| config.media_type == Self::ARTIFACT_TYPE)
    }

    /// Reads a signature manifest of any form.
    ///
    /// # Errors
    /// Not of one of the forms, no subject, or not exactly one envelope (conformance 1.01 to 1.08).
    pub fn read(manifest: &Manifest) -> Result<Self, SignatureManifestError> {
        let form = form(manifest)?;
        let subject = manifest.subject().ok_or(SignatureManifestError::NoSubject)?.clone();
        let [envelope] = manifest.layers() else {
            return Err(SignatureManifestError::NotOneEnvelope { found: manifest.layers().len() });
        };
        Ok(Self { form, subject, envelope: envelope.clone() })
    }

    /// The form.
    pub const fn form(&self) -> SignatureManifestForm {
        self.form
    }

    /// The artifact that is said to be signed.
    pub const fn subject(&self) -> &Descriptor {
        &self.subject
    }

    /// The envelope.
    pub const fn envelope(&self) -> &Descriptor {
        &self.envelope
    }

    /// Writes a signature manifest. Equal arguments give equal bytes. `thumbprints` are the SHA-256 fingerprints of the
    /// signing chain, leaf first; `created` is the signing time; both displace what `added` says under their names (conformance
    /// 1.13). The config is [`SignatureManifest::CONFIG`].
    ///
    /// # Errors
    /// The withdrawn form is not written.
    pub fn build(
        form: SignatureManifestForm,
        subject: &Descriptor,
        envelope: &Descriptor,
        thumbprints: &[Digest],
        created: UnixTime,
        added: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, SignatureManifestError> {
        let (artifact_type, config_type) = match form {
            SignatureManifestForm::ArtifactType => (Some(Self::ARTIFACT_TYPE), MediaType::OCI_EMPTY),
            SignatureManifestForm::ConfigMediaType => (None, Self::ARTIFACT_TYPE),
            SignatureManifestForm::Detached => (Some(Self::DETACHED_TYPE), MediaType::OCI_EMPTY),
            SignatureManifestForm::ArtifactManifest => return Err(SignatureManifestError::FormWithdrawn),
        };
        let config = Descriptor::of(config_type, Self::CONFIG);
        let data = artifact_type.map(|_| "e30=");
        let mut annotations = added.clone();
        annotations.insert(THUMBPRINT.to_owned(), thumbprint_text(thumbprints)?);
        annotations.insert(oci::annotation::CREATED.to_owned(), UnixTime::from_seconds(created.seconds()).to_string());
        let document = Written {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST,
            artifact_type,
            config: WrittenConfig { descriptor: &config, data },
            layers: [envelope.bare()],
            subject: subject.bare(),
            annotations,
        };
        Ok(json::to_vec(&document)?)
    }

    /// The content of every signature manifest's config (conformance 1.06); it must be stored beside the manifest.
    pub const CONFIG: &[u8] = b"{}";
}

/// Conformance 1.09, 1.10: an array of lower-case hexadecimal digests, as a string.
fn thumbprint_text(thumbprints: &[Digest]) -> Result<String, JsonError> {
    let texts: Vec<String> = thumbprints.iter().map(Digest::hex).collect();
    let bytes = json::to_vec(&texts)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Conformance 1.01 to 1.04, 1.22.
fn form(manifest: &Manifest) -> Result<SignatureManifestForm, SignatureManifestError> {
    let artifact_type = manifest.artifact_type().map(MediaType::as_str);
    let config_type = manifest.config().map(|config| config.media_type.as_str());
    let signature = Some(SignatureManifest::ARTIFACT_TYPE);
    let oci_manifest = manifest.media_type() == MediaType::OCI_MANIFEST;
    match manifest.kind() {
        ManifestKind::Image if oci_manifest && artifact_type == signature => {
            if config_type == Some(MediaType::OCI_EMPTY) {
                Ok(SignatureManifestForm::ArtifactType)
            } else {
                Err(SignatureManifestError::MixedForm { config: shorten(config_type.unwrap_or_default()) })
            }
        }
        ManifestKind::Image
            if oci_manifest
                && artifact_type == Some(SignatureManifest::DETACHED_TYPE)
                && config_type == Some(MediaType::OCI_EMPTY) =>
        {
            Ok(SignatureManifestForm::Detached)
        }
        ManifestKind::Image if oci_manifest && artifact_type.is_none() && config_type == signature => {
            Ok(SignatureManifestForm::ConfigMediaType)
        }
        ManifestKind::Artifact if artifact_type == signature => Ok(SignatureManifestForm::ArtifactManifest),
        _ => Err(SignatureManifestError::NotASignature {
            media_type: shorten(manifest.media_type().as_str()),
            artifact_type: shorten(manifest.referrer_type().map_or("", MediaType::as_str)),
        }),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u64,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    config: WrittenConfig<'a>,
    layers: [Descriptor; 1],
    subject: Descriptor,
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct WrittenConfig<'a> {
    #[serde(flatten)]
    descriptor: &'a Descriptor,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
}

/// Why a manifest is no usable signature manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureManifestError {
    /// Neither its types nor its config say that it is one.
    #[error("a manifest of type {media_type:?} and artifact type {artifact_type:?} is no Notary Project signature")]
    NotASignature {
        /// Its media type.
        media_type: String,
        /// Its artifact type, or its config's type.
        artifact_type: String,
    },
    /// `artifactType` says signature, but the config is not the empty one.
    #[error("the signature manifest mixes two forms: it has an artifact type, and a config of type {config:?}")]
    MixedForm {
        /// The config's type.
        config: String,
    },
    /// It refers to nothing.
    #[error("the signature manifest has no subject")]
    NoSubject,
    /// Not one layer.
    #[error("the signature manifest has {found} layers, not one")]
    NotOneEnvelope {
        /// How many it has.
        found: usize,
    },
    /// A form that is only read.
    #[error("signatures are no longer written as artifact manifests")]
    FormWithdrawn,
    /// The manifest could not be written.
    #[error("the signature manifest could not be written: {0}")]
    Json(#[from] JsonError),
}

impl Diagnostic for SignatureManifestError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::SignatureManifestInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = SignatureManifest::ARTIFACT_TYPE;
    const EMPTY: &str = MediaType::OCI_EMPTY;

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":2}}"#, Digest::sha256(b"{}"))
    }

    fn read(media_type: &str, text: &str) -> Result<SignatureManifest, SignatureManifestError> {
        let manifest = Manifest::parse(&Descriptor::of(media_type, text.as_bytes()), text.as_bytes()).unwrap();
        SignatureManifest::read(&manifest)
    }

    fn image(artifact_type: Option<&str>, config: &str, layers: usize, subject: bool) -> String {
        let artifact_type = artifact_type.map(|text| format!(r#""artifactType":"{text}","#)).unwrap_or_default();
        let subject = if subject { format!(r#","subject":{}"#, descriptor("x/y")) } else { String::new() };
        let layers = vec![descriptor("application/jose+json"); layers].join(",");
        let config = descriptor(config);
        format!(r#"{{"schemaVersion":2,{artifact_type}"config":{config},"layers":[{layers}]{subject}}}"#)
    }

    #[test]
    fn all_forms_are_read() {
        use SignatureManifestForm::{ArtifactManifest, ArtifactType, ConfigMediaType};
        let oci = MediaType::OCI_MANIFEST;
        let blob = descriptor("application/cose");
        let artifact = format!(r#"{{"artifactType":"{SIGNATURE}","blobs":[{blob}],"subject":{}}}"#, descriptor("x/y"));
        for (fact, media_type, text, form) in [
            ("1.02", oci, image(Some(SIGNATURE), EMPTY, 1, true), ArtifactType),
            ("1.03", oci, image(None, SIGNATURE, 1, true), ConfigMediaType),
            ("1.22", MediaType::OCI_ARTIFACT_MANIFEST, artifact, ArtifactManifest),
        ] {
            let found = read(media_type, &text).unwrap();
            assert_eq!((found.form(), found.subject().media_type.as_str()), (form, "x/y"), "{fact}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let oci = MediaType::OCI_MANIFEST;
        for (fact, media_type, text) in [
            ("1.01", MediaType::DOCKER_MANIFEST, image(None, SIGNATURE, 1, true)),
            ("1.04 mixed", oci, image(Some(SIGNATURE), SIGNATURE, 1, true)),
            ("1.04 mixed", oci, image(Some(SIGNATURE), "a/b", 1, true)),
            ("1.04 other type", oci, image(Some("a/b"), SIGNATURE, 1, true)),
            ("not a signature", oci, image(None, "a/b", 1, true)),
            ("1.07 none", oci, image(None, SIGNATURE, 0, true)),
            ("1.07 two", oci, image(None, SIGNATURE, 2, true)),
            ("1.08", oci, image(None, SIGNATURE, 1, false)),
        ] {
            assert!(read(media_type, &text).is_err(), "{fact}: {text}");
        }
    }

    #[test]
    fn what_is_written_is_what_the_reference_writes() {
        // The manifest of the vector p384-jws-timestamped, member by member (conformance 1.02, 1.06, 1.09 to 1.11).
        let digest = |text: &str| text.parse::<Digest>().unwrap();
        let envelope = digest("sha256:b7c8e69467d72b66a663b60fb334168f38a7bcd052ecfba39975b8879258f39f");
        let subject = digest("sha256:f66a61b30110c5efa0af85c22e8634431601b40fed746c10a72920c31a3447d0");
        let chain = [digest("sha256:579cdfe31c9c3ef6619120b44009fd6aedab844c82917a812719e310b0e6654f")];
        let (envelope, subject) = (
            Descriptor::new("application/jose+json", envelope, 9312),
            Descriptor::new(MediaType::OCI_MANIFEST, subject, 418),
        );
        let created = "2026-11-21T19:55:51.5Z".parse().unwrap();
        let text = |form| {
            let none = BTreeMap::new();
            let bytes = SignatureManifest::build(form, &subject, &envelope, &chain, created, &none).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let expected = concat!(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""artifactType":"application/vnd.cncf.notary.signature","#,
            r#""config":{"mediaType":"application/vnd.oci.empty.v1+json","#,
            r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},"#,
            r#""layers":[{"mediaType":"application/jose+json","#,
            r#""digest":"sha256:b7c8e69467d72b66a663b60fb334168f38a7bcd052ecfba39975b8879258f39f","size":9312}],"#,
            r#""subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""digest":"sha256:f66a61b30110c5efa0af85c22e8634431601b40fed746c10a72920c31a3447d0","size":418},"#,
            r#""annotations":{"io.cncf.notary.x509chain.thumbprint#S256":"#,
            r#""[\"579cdfe31c9c3ef6619120b44009fd6aedab844c82917a812719e310b0e6654f\"]","#,
            r#""org.opencontainers.image.created":"2026-11-21T19:55:51Z"}}"#,
        );
        assert_eq!(text(SignatureManifestForm::ArtifactType), expected);
        for form in [SignatureManifestForm::ArtifactType, SignatureManifestForm::ConfigMediaType] {
            let found = read(MediaType::OCI_MANIFEST, &text(form)).unwrap();
            assert_eq!((found.form(), found.subject(), found.envelope()), (form, &subject, &envelope));
        }
        let withdrawn = SignatureManifestForm::ArtifactManifest;
        assert!(SignatureManifest::build(withdrawn, &subject, &envelope, &chain, created, &BTreeMap::new()).is_err());
    }

    #[test]
    fn what_follows_from_the_envelope_displaces_what_is_added() {
        // Conformance 1.13.
        let added = [(THUMBPRINT, "[]"), (oci::annotation::CREATED, "never"), ("org.example.added", "kept")];
        let added = added.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, b"x");
        let created = "2026-11-21T19:55:51Z".parse().unwrap();
        let form = SignatureManifestForm::ArtifactType;
        let chain = [Digest::sha256(b"leaf")];
        let bytes = SignatureManifest::build(form, &descriptor, &descriptor, &chain, created, &added).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected = serde_json::json!({THUMBPRINT: format!("[\"{}\"]", chain[0].hex()),
            oci::annotation::CREATED: "2026-11-21T19:55:51Z", "org.example.added": "kept"});
        assert_eq!(document["annotations"], expected);
    }
}
