//! Judging a certificate's path from files: `bulla cert verify`.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::limits::Limits;
use crate::pki::validation::{Material, PathError, PathSettings, ValidPath, validate};
use crate::pki::{Certificate, Crl, OcspResponse, certificate_encodings, crl_encodings, ocsp_encodings};

/// A file that was read, and how the operator calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Its name.
    pub name: String,
    /// Its content: PEM or DER.
    pub bytes: Vec<u8>,
}

/// Everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFiles {
    /// The certificate in question; what follows it in the same file is untrusted.
    pub leaf: Vec<u8>,
    /// Trust anchors.
    pub trust_anchors: Vec<NamedFile>,
    /// Other certificates.
    pub untrusted: Vec<NamedFile>,
    /// CRLs.
    pub crls: Vec<NamedFile>,
    /// OCSP responses.
    pub ocsp: Vec<NamedFile>,
}

/// How a path was judged.
#[derive(Debug, Clone)]
pub struct PathVerdict {
    /// The certificate in question, if it can be read.
    pub leaf: Option<Certificate>,
    /// The path, or why there is none.
    pub outcome: Result<ValidPath, PathError>,
    /// What was given and cannot be used; everything else was judged without it.
    pub unusable: Vec<Unusable>,
}

/// A certificate, CRL or OCSP response that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The file.
    pub file: String,
    /// Its place in the file, counted from 1.
    pub position: usize,
    /// The stable code.
    pub code: DiagnosticCode,
    /// What is wrong with it.
    pub message: String,
}

/// What errors call the file of the certificate in question, which is given without its name.
pub const LEAF_FILE: &str = "the certificate";

/// A file that holds nothing that could be judged: neither PEM nor DER, or not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct InputError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

impl Diagnostic for InputError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::InputUnreadable
    }

    fn hint(&self) -> Option<String> {
        Some("certificates, CRLs and OCSP responses are read as PEM or DER".into())
    }
}

/// Limits for files that an operator names: a set of untrusted certificates may be large.
pub fn path_limits() -> Limits {
    Limits { certificate_bytes: 16 << 20, certificates: 1_000, ..Limits::default() }
}

/// Judges the path of the leaf (RFC 5280 §6). A certificate, CRL or OCSP response that is framed rightly but malformed inside
/// makes the leaf invalid if it is the leaf, and is left out otherwise.
///
/// # Errors
/// A file that holds nothing that could be judged.
pub fn verify_path(files: &PathFiles, settings: &PathSettings, limits: &Limits) -> Result<PathVerdict, InputError> {
    let mut reader = Reader::new(limits);
    let mut given = frames(LEAF_FILE, certificate_encodings(&files.leaf, limits))?.into_iter();
    let leaf = Certificate::from_der(&given.next().unwrap_or_default());
    let mut material = reader.material(&files.trust_anchors, &files.untrusted, &files.crls)?;
    for (position, der) in (2..).zip(given) {
        let read = Certificate::from_der(&der);
        material.untrusted.extend(reader.keep("the certificate's file", position, read));
    }
    for file in &files.ocsp {
        for (position, der) in (1..).zip(frames(&file.name, ocsp_encodings(&file.bytes, limits))?) {
            let read = OcspResponse::from_der(der, limits);
            material.ocsp.extend(reader.keep(&file.name, position, read));
        }
    }
    let unusable = reader.unusable;
    Ok(match leaf {
        Ok(leaf) => {
            let outcome = validate(&leaf, &material, settings);
            PathVerdict { leaf: Some(leaf), outcome, unusable }
        }
        Err(source) => PathVerdict { leaf: None, outcome: Err(PathError::Leaf { source }), unusable },
    })
}

fn frames<T, E: Diagnostic>(file: &str, read: Result<T, E>) -> Result<T, InputError> {
    read.map_err(|error| InputError { file: file.to_owned(), message: error.to_string() })
}

/// Reads what is given beside the thing in question.
pub(super) struct Reader<'a> {
    limits: &'a Limits,
    pub(super) unusable: Vec<Unusable>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(limits: &'a Limits) -> Self {
        Self { limits, unusable: Vec::new() }
    }

    pub(super) fn material(
        &mut self,
        anchors: &[NamedFile],
        untrusted: &[NamedFile],
        crls: &[NamedFile],
    ) -> Result<Material, InputError> {
        let (anchors, untrusted) = (self.certificates(anchors)?, self.certificates(untrusted)?);
        let mut material = Material { anchors, untrusted, ..Material::default() };
        for file in crls {
            for (position, der) in (1..).zip(frames(&file.name, crl_encodings(&file.bytes, self.limits))?) {
                material.crls.extend(self.keep(&file.name, position, Crl::from_der(der)));
            }
        }
        Ok(material)
    }

    fn certificates(&mut self, files: &[NamedFile]) -> Result<Vec<Certificate>, InputError> {
        let mut found = Vec::new();
        for file in files {
            let encodings = frames(&file.name, certificate_encodings(&file.bytes, self.limits))?;
            for (position, der) in (1..).zip(encodings) {
                found.extend(self.keep(&file.name, position, Certificate::from_der(&der)));
            }
        }
        Ok(found)
    }

    fn keep<T, E: Diagnostic>(&mut self, file: &str, position: usize, read: Result<T, E>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                let (file, code, message) = (file.to_owned(), error.code(), error.to_string());
                self.unusable.push(Unusable { file, position, code, message });
                None
            }
        }
    }
}
