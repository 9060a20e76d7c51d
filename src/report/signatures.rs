//! The signatures of an artifact for people and for scripts: a tree, and the JSON document whose keys Notation's `inspect
//! --output json` has. All of it repeats what the signatures say of themselves, and claims no trust.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::tables::Clean;
use crate::digest::Digest;
use crate::json::{self, JsonError};
use crate::oci::MediaType;
use crate::ops::listing::{AttachedSignatures, More, SignatureDetails};
use crate::pki::{Certificate, Name};
use crate::time::UnixTime;

/// The document: an artifact and its signatures.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureList {
    /// The media type of the artifact's manifest.
    pub media_type: MediaType,
    /// The signatures that can be read.
    pub signatures: Vec<SignatureDocument>,
}

/// One signature.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureDocument {
    /// The signature manifest; a signature of a blob has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The algorithm, as the plugin protocol calls it.
    pub signature_algorithm: String,
    /// The media type of the envelope.
    pub signature_envelope_type: String,
    /// Everything signed beside the payload.
    pub signed_attributes: BTreeMap<String, String>,
    /// User metadata; `null` if there is none.
    pub user_defined_attributes: Option<BTreeMap<String, String>>,
    /// What is not signed.
    pub unsigned_attributes: UnsignedAttributes,
    /// The certificates of the envelope, the signer's own first.
    pub certificates: Vec<CertificateDocument>,
    /// What was signed.
    pub signed_artifact: SignedArtifact,
}

/// What is not signed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsignedAttributes {
    /// What made the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_agent: Option<String>,
    /// The timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_signature: Option<TimestampDocument>,
}

/// A timestamp, or why it cannot be read.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum TimestampDocument {
    /// What the token says.
    Read {
        /// From when to when the authority saw the signature.
        timestamp: String,
        /// The certificates in the token.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        certificates: Vec<CertificateDocument>,
    },
    /// It says nothing.
    Unreadable {
        /// Why.
        error: String,
    },
}

/// A certificate.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateDocument {
    /// SHA-256 of its DER, in lower-case hexadecimal.
    #[serde(rename = "SHA256Fingerprint")]
    pub sha256_fingerprint: String,
    /// Its subject, in Go's order.
    pub issued_to: String,
    /// Its issuer, in Go's order.
    pub issued_by: String,
    /// The end of its validity.
    pub expiry: UnixTime,
}

/// What was signed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedArtifact {
    /// Its media type.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl SignatureDocument {
    /// What one signature says of itself.
    pub fn new(details: &SignatureDetails) -> Self {
        let (envelope, target) = (&details.envelope, details.payload.target());
        let metadata = target.annotations.clone();
        Self {
            digest: details.digest,
            signature_algorithm: envelope.algorithm().plugin_name().to_owned(),
            signature_envelope_type: envelope.envelope_type().media_type().to_owned(),
            signed_attributes: signed_attributes(details),
            user_defined_attributes: (!metadata.is_empty()).then_some(metadata),
            unsigned_attributes: UnsignedAttributes {
                signing_agent: envelope.signing_agent().filter(|agent| !agent.is_empty()).map(str::to_owned),
                timestamp_signature: details.timestamp.as_ref().map(|token| match token {
                    Ok(token) => TimestampDocument::Read {
                        timestamp: format!("[{}, {}]", token.earliest(), token.latest()),
                        certificates: token.certificates().iter().map(CertificateDocument::new).collect(),
                    },
                    Err(failure) => TimestampDocument::Unreadable { error: failure.message.clone() },
                }),
            },
            certificates: envelope.certificates().certificates().iter().map(CertificateDocument::new).collect(),
            signed_artifact: SignedArtifact {
                media_type: target.media_type.clone(),
                digest: target.digest,
                size: target.size,
            },
        }
    }

    fn branch(&self) -> Branch {
        let title = self.digest.map_or_else(|| "signature".to_owned(), |digest| digest.to_string());
        let mut branch = Branch::new(title);
        branch.leaf("signature algorithm", &self.signature_algorithm);
        branch.leaf("signature envelope type", &self.signature_envelope_type);
        branch.map("signed attributes", &self.signed_attributes);
        branch.map("user defined attributes", self.user_defined_attributes.as_ref().unwrap_or(&BTreeMap::new()));
        let unsigned = &self.unsigned_attributes;
        let mut below = Branch::new("unsigned attributes".to_owned());
        if let Some(agent) = &unsigned.signing_agent {
            below.leaf("signing agent", agent);
        }
        if let Some(timestamp) = &unsigned.timestamp_signature {
            below.children.push(timestamp.branch());
        }
        branch.children.push(below.or_empty());
        branch.children.push(certificates("certificates", &self.certificates));
        let mut artifact = Branch::new("signed artifact".to_owned());
        artifact.leaf("media type", self.signed_artifact.media_type.as_str());
        artifact.leaf("digest", &self.signed_artifact.digest.to_string());
        artifact.leaf("size", &self.signed_artifact.size.to_string());
        branch.children.push(artifact);
        branch
    }
}

impl TimestampDocument {
    fn branch(&self) -> Branch {
        let mut branch = Branch::new("timestamp signature".to_owned());
        match self {
            Self::Read { timestamp, certificates: found } => {
                branch.leaf("timestamp", timestamp);
                branch.children.push(certificates("certificates", found));
            }
            Self::Unreadable { error } => branch.leaf("error", error),
        }
        branch
    }
}

impl CertificateDocument {
    /// What a certificate says of itself.
    pub fn new(certificate: &Certificate) -> Self {
        Self {
            sha256_fingerprint: certificate.fingerprint().hex(),
            issued_to: go_name(certificate.subject()),
            issued_by: go_name(certificate.issuer()),
            expiry: certificate.validity().not_after,
        }
    }
}

/// Everything signed beside the payload, each as text. Go sorts the keys, and so does the map.
fn signed_attributes(details: &SignatureDetails) -> BTreeMap<String, String> {
    let claims = details.envelope.claims();
    let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut found: BTreeMap<String, String> =
        claims.extended.iter().map(|(name, attribute)| (name.clone(), plain(&attribute.value))).collect();
    found.insert("contentType".into(), claims.content_type.clone());
    found.insert("signingScheme".into(), claims.scheme.to_string());
    if let Some(time) = claims.claimed_time() {
        found.insert("signingTime".into(), time.to_string());
    }
    if let Some(expiry) = claims.expiry.filter(|expiry| *expiry != UnixTime::GO_ZERO) {
        found.insert("expiry".into(), expiry.to_string());
    }
    found
}

/// A document as Go's encoder writes it: two spaces deep, `<`, `>`, `&` and two line separators escaped.
///
/// # Errors
/// None that a caller could cause.
pub fn go_json(document: &impl Serialize) -> Result<Vec<u8>, JsonError> {
    let bytes = json::to_vec_pretty(document)?;
    // All of these stand within strings only.
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for (plain, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        text = text.replace(plain, escaped);
    }
    text.push('\n');
    Ok(text.into_bytes())
}

/// The attribute types that Go has a field for, by OID, in the order in which it prints them.
const GO_ORDER: [(&str, &str); 9] = [
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.11", "OU"),
    ("2.5.4.10", "O"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.6", "C"),
];

/// A name as Go's `pkix.Name` prints it: the types that it knows regrouped and in its own order, repeated ones joined by
/// `+`, of serial number and common name the last one only; then the others, the last one first, as OID and DER.
pub fn go_name(name: &Name) -> String {
    let all: Vec<_> = name.rdns().iter().flatten().collect();
    let mut parts = Vec::new();
    for (oid, label) in GO_ORDER {
        let values = all.iter().filter(|attribute| attribute.is_text && attribute.oid.to_string() == oid);
        let mut values: Vec<String> =
            values.map(|attribute| format!("{label}={}", go_escaped(&attribute.value))).collect();
        if matches!(label, "CN" | "SERIALNUMBER") {
            values = values.pop().filter(|value| !value.ends_with('=')).into_iter().collect();
        }
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    let known = |oid: &str| GO_ORDER.iter().any(|(known, _)| *known == oid);
    for attribute in all.iter().rev().filter(|attribute| !known(&attribute.oid.to_string())) {
        let value = if attribute.is_text { go_der(&attribute.value) } else { attribute.value.clone() };
        parts.push(format!("{}={value}", attribute.oid));
    }
    parts.join(",")
}

fn go_escaped(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut escaped = String::new();
    for (index, c) in text.char_indices() {
        let special = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => index == 0 || index == last,
            '#' => index == 0,
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `#` and the DER of a string: PrintableString where its letters allow, else UTF8String.
fn go_der(text: &str) -> String {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let tag: u8 = if text.bytes().all(printable) { 0x13 } else { 0x0c };
    let mut der = vec![tag];
    let length = text.len().to_be_bytes();
    match u8::try_from(text.len()) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            der.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            der.extend(significant);
        }
    }
    der.extend(text.bytes());
    format!("#{}", crate::digest::hex(&der))
}

/// Writes the list of an artifact's signatures: `name` and below it their digests.
///
/// # Errors
/// Writing failed.
pub fn write_list(name: &str, found: &AttachedSignatures, out: &mut dyn Write) -> io::Result<()> {
    let titles = found.manifests.iter().map(|manifest| Branch::new(manifest.descriptor().digest.to_string()));
    write_artifact(name, titles.collect(), found.more, out)
}

/// Writes everything that the signatures of an artifact say of themselves.
///
/// # Errors
/// Writing failed.
pub fn write_tree(name: &str, signatures: &[SignatureDocument], more: More, out: &mut dyn Write) -> io::Result<()> {
    write_artifact(name, signatures.iter().map(SignatureDocument::branch).collect(), more, out)
}

/// Writes what one signature says of itself.
///
/// # Errors
/// Writing failed.
pub fn write_signature(name: &str, signature: &SignatureDocument, out: &mut dyn Write) -> io::Result<()> {
    let mut branch = signature.branch();
    name.clone_into(&mut branch.title);
    branch.write(out)
}

fn write_artifact(name: &str, signatures: Vec<Branch>, more: More, out: &mut dyn Write) -> io::Result<()> {
    if signatures.is_empty() {
        return writeln!(out, "{} has no signatures", Clean(name));
    }
    let mut below = Branch::new("application/vnd.cncf.notary.signature".to_owned());
    below.children = signatures;
    if more == More::Yes {
        below.children.push(Branch::new("… and more".to_owned()));
    }
    Branch { title: name.to_owned(), children: vec![below] }.write(out)
}

fn certificates(title: &str, found: &[CertificateDocument]) -> Branch {
    let mut branch = Branch::new(title.to_owned());
    for certificate in found {
        let mut below = Branch::new(format!("SHA256 fingerprint: {}", certificate.sha256_fingerprint));
        below.leaf("issued to", &certificate.issued_to);
        below.leaf("issued by", &certificate.issued_by);
        below.leaf("expiry", &certificate.expiry.to_string());
        branch.children.push(below);
    }
    branch.or_empty()
}

/// A tree of lines.
struct Branch {
    title: String,
    children: Vec<Branch>,
}

impl Branch {
    const fn new(title: String) -> Self {
        Self { title, children: Vec::new() }
    }

    fn leaf(&mut self, name: &str, value: &str) {
        self.children.push(Self::new(format!("{name}: {value}")));
    }

    fn map(&mut self, title: &str, pairs: &BTreeMap<String, String>) {
        let mut below = Self::new(title.to_owned());
        for (name, value) in pairs {
            below.leaf(name, value);
        }
        self.children.push(below.or_empty());
    }

    fn or_empty(mut self) -> Self {
        if self.children.is_empty() {
            self.children.push(Self::new("(empty)".to_owned()));
        }
        self
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", Clean(&self.title))?;
        self.write_below("", out)
    }

    fn write_below(&self, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        let last = self.children.len().saturating_sub(1);
        for (index, child) in self.children.iter().enumerate() {
            let (mark, next) = if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            writeln!(out, "{indent}{mark}{}", Clean(&child.title))?;
            child.write_below(&format!("{indent}{next}"), out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_as_go_does() {
        let text = go_json(&BTreeMap::from([("a", "<b>&\u{2028}\u{2029}ü")])).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "{\n  \"a\": \"\\u003cb\\u003e\\u0026\\u2028\\u2029ü\"\n}\n");
    }

    #[test]
    fn values_are_escaped_as_go_does() {
        assert_eq!(go_escaped("a, b+c;\"<>\\"), "a\\, b\\+c\\;\\\"\\<\\>\\\\");
        assert_eq!(go_escaped(" # "), "\\ #\\ ");
        assert_eq!(go_escaped("#1"), "\\#1");
        assert_eq!(go_der("ab"), "#13026162");
        assert_eq!(go_der("a@b"), "#0c03614062");
        assert!(go_der(&"x".repeat(200)).starts_with("#1381c878"));
    }

    #[test]
    fn a_tree_has_branches_and_no_terminal_codes() {
        let mut root = Branch::new("root".into());
        root.map("one", &BTreeMap::from([("a".to_owned(), "\u{1b}[31m".to_owned())]));
        root.leaf("two", "x");
        root.map("three", &BTreeMap::new());
        let mut out = Vec::new();
        root.write(&mut out).unwrap();
        let expected = "root\n├── one\n│   └── a: \u{fffd}[31m\n├── two: x\n└── three\n    └── (empty)\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
