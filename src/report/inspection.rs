//! The inspection document, version 1 (`schemas/inspection-v1.schema.json`), and its form for people. It repeats what
//! content says of itself and claims no trust.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::tables::{Bytes, Clean};
use super::v1::{Notice, Signer, Source};
use crate::archive::{BundleInventory, DockerManifestRecord, StreamPosition};
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::oci::{MediaType, Platform, Reference, Tag};
use crate::ops::inspect::{Detail, EvidenceContent, EvidenceFacts, InspectedRoot, Node, SignatureClaims};
use crate::time::UnixTime;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inspection {
    /// Always 1.
    pub schema_version: u32,
    /// What made the document.
    pub tool: String,
    /// Where the content lies.
    pub source: Source,
    /// What a bundle says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleFacts>,
    /// The artifacts.
    pub roots: Vec<Root>,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleFacts {
    /// When it was made.
    pub created_at: UnixTime,
    /// By what.
    pub created_by: String,
    /// Blobs in it.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Until when all carried evidence is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_current_until: Option<UnixTime>,
    /// Its place in a series of bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamPosition>,
    /// The signature manifest of its seal, which was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
    /// Its `manifest.json`, by which docker and podman load images without judging them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_manifest: Option<DockerManifestRecord>,
}

/// One artifact with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Root {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Manifests and blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The tree.
    pub tree: TreeNode,
}

/// A manifest in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TreeNode {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size.
    pub size: u64,
    /// Its artifact type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// Its platform, by the index that lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
    /// The digest tag under which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Whether it is here.
    pub carried: bool,
    /// Bytes of its configuration and layers.
    pub content_bytes: u64,
    /// What it says, if it is a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureNode>,
    /// The CRLs that it carries, if it is evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<CrlNode>,
    /// The OCSP responses that it carries, if it is evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp_responses: Vec<OcspNode>,
    /// Children of an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
    /// What refers to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<Self>,
}

/// What a signature says of itself. All of it is a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureNode {
    /// The media type of the envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<MediaType>,
    /// The signer by the envelope's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// When it was made, by its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_signing_time: Option<UnixTime>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<UnixTime>,
    /// The time in its timestamp token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<UnixTime>,
    /// The authority that the token names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_authority: Option<String>,
    /// What cannot be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Notice>,
}

/// What a CRL says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrlNode {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Where certificates say that it is.
    pub urls: Vec<String>,
    /// Who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub this_update: Option<UnixTime>,
    /// Until when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
    /// How many certificates it lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Of a delta CRL: the number of the oldest base that it continues, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_number: Option<String>,
}

/// What an OCSP response says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OcspNode {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Where certificates say that the responder is.
    pub urls: Vec<String>,
    /// The responder's name, or `key` and the SHA-1 of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// The serial numbers that it speaks of, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
    /// When it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_at: Option<UnixTime>,
    /// As of when its answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub this_update: Option<UnixTime>,
    /// Until when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
}

impl Inspection {
    /// Makes the document. What was found goes as it is told: there may be a lot of it.
    pub fn new(source: Source, inventory: Option<&BundleInventory>, roots: Vec<InspectedRoot>) -> Self {
        let mut notices = Vec::new();
        if let Some(inventory) = inventory {
            let message = "no seal is judged here: names and tags are what the bundle's carrier says".to_owned();
            notices.push(Notice { code: DiagnosticCode::NamesAreClaims, message });
            notices.extend(gaps(inventory));
        }
        Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            source,
            bundle: inventory.map(|inventory| BundleFacts {
                created_at: inventory.created_at,
                created_by: inventory.created_by.clone(),
                blobs: inventory.totals.blobs,
                bytes: inventory.totals.bytes,
                evidence_current_until: inventory.totals.evidence_current_until,
                stream: inventory.stream.clone(),
                seal: None,
                docker_manifest: inventory.docker_manifest.clone(),
            }),
            roots: roots
                .into_iter()
                .map(|root| Root {
                    reference: root.root.reference,
                    blobs: root.count,
                    bytes: root.bytes,
                    tree: TreeNode::of(root.node),
                })
                .collect(),
            notices,
        }
    }
}

/// What the inventory says is missing or was left out.
pub fn gaps(inventory: &BundleInventory) -> Vec<Notice> {
    let mut notices = Vec::new();
    for record in &inventory.signatures {
        for gap in &record.missing {
            let message = format!("signature {}: {}: {} [{}]", record.digest, gap.certificate, gap.reason, gap.code);
            notices.push(Notice { code: DiagnosticCode::EvidenceMissing, message });
        }
    }
    if !inventory.omitted.is_empty() {
        let platforms: Vec<String> = inventory
            .omitted
            .iter()
            .map(|omitted| omitted.platform.as_ref().map_or_else(|| omitted.digest.to_string(), ToString::to_string))
            .collect();
        let message = format!("left out by the choice of platforms: {}", platforms.join(", "));
        notices.push(Notice { code: DiagnosticCode::ContentOmitted, message });
    }
    notices
}

impl TreeNode {
    fn of(node: Node) -> Self {
        let (signature, evidence) = match node.detail {
            Detail::Plain => (None, Vec::new()),
            Detail::Signature(claims) => (Some(SignatureNode::of(&claims)), Vec::new()),
            Detail::Evidence(evidence) => (None, evidence),
        };
        Self {
            digest: node.descriptor.digest,
            media_type: node.descriptor.media_type,
            size: node.descriptor.size,
            artifact_type: node.descriptor.artifact_type,
            platform: node.descriptor.platform,
            tag: node.tag,
            carried: node.carried,
            content_bytes: node.content_bytes,
            signature,
            crls: evidence.iter().filter_map(CrlNode::of).collect(),
            ocsp_responses: evidence.iter().filter_map(OcspNode::of).collect(),
            children: node.children.into_iter().map(Self::of).collect(),
            referrers: node.referrers.into_iter().map(Self::of).collect(),
        }
    }
}

impl SignatureNode {
    fn of(claims: &SignatureClaims) -> Self {
        let facts = &claims.facts;
        let stamp = claims.timestamp.as_ref().and_then(|stamp| stamp.as_ref().ok());
        let bad_stamp = claims.timestamp.as_ref().and_then(|stamp| stamp.as_ref().err());
        Self {
            envelope: facts.media_type.clone(),
            signer: facts.signer.as_ref().map(Signer::of),
            claimed_signing_time: facts.times.claimed,
            expiry: facts.times.expiry,
            timestamp: stamp.map(|stamp| stamp.gen_time),
            timestamp_authority: stamp.and_then(|stamp| stamp.authority.clone()),
            problems: claims
                .unreadable
                .iter()
                .chain(bad_stamp)
                .map(|failure| Notice { code: failure.code, message: failure.message.clone() })
                .collect(),
        }
    }
}

impl CrlNode {
    fn of(facts: &EvidenceFacts) -> Option<Self> {
        let EvidenceContent::Crl(crl) = facts.content.as_ref() else { return None };
        let crl = crl.as_ref().ok();
        Some(Self {
            digest: facts.digest,
            size: facts.size,
            urls: facts.urls.clone(),
            issuer: crl.map(|crl| crl.issuer.clone()),
            this_update: crl.map(|crl| crl.this_update),
            next_update: crl.and_then(|crl| crl.next_update),
            entries: crl.map(|crl| crl.entries),
            base_number: crl.and_then(|crl| crl.base_number.clone()),
        })
    }
}

impl OcspNode {
    fn of(facts: &EvidenceFacts) -> Option<Self> {
        let EvidenceContent::Ocsp(response) = facts.content.as_ref() else { return None };
        let response = response.as_ref().ok();
        Some(Self {
            digest: facts.digest,
            size: facts.size,
            urls: facts.urls.clone(),
            responder: response.map(|found| found.responder.clone()),
            serials: response.map(|found| found.serials.clone()).unwrap_or_default(),
            produced_at: response.map(|found| found.produced_at),
            this_update: response.map(|found| found.this_update),
            next_update: response.and_then(|found| found.next_update),
        })
    }
}

/// Writes the document for people.
///
/// # Errors
/// Those of the writer.
pub fn write_inspection(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    if let Some(bundle) = &inspection.bundle {
        writeln!(out, "bundle of {} by {}", bundle.created_at, Clean(&bundle.created_by))?;
        writeln!(out, "{} blobs, {}", bundle.blobs, Bytes(bundle.bytes))?;
        if let Some(until) = bundle.evidence_current_until {
            writeln!(out, "revocation data is current until {until}")?;
        }
        if let Some(stream) = &bundle.stream {
            writeln!(out, "number {} of the stream {}", stream.sequence, Clean(&stream.name))?;
        }
        if let Some(seal) = bundle.seal {
            writeln!(out, "sealed by the signature {seal}")?;
        }
        if let Some(document) = &bundle.docker_manifest {
            writeln!(
                out,
                "has a manifest.json, so docker load and podman load read it, and judge nothing ({})",
                document.digest
            )?;
        }
    }
    for root in &inspection.roots {
        let name = root.reference.as_ref().map_or_else(|| "(no name)".to_owned(), ToString::to_string);
        writeln!(out, "\n{name}  ({} blobs, {})", root.blobs, Bytes(root.bytes))?;
        write_node(&root.tree, 1, "", out)?;
        if !root.tree.referrers.iter().any(|referrer| referrer.signature.is_some()) {
            writeln!(out, "    no signature refers to it")?;
        }
    }
    if !inspection.notices.is_empty() {
        writeln!(out)?;
    }
    for notice in &inspection.notices {
        writeln!(out, "note[{}]: {}", notice.code, Clean(&notice.message))?;
    }
    writeln!(out, "\nNothing here was verified: this is what the content says of itself.")
}

fn write_node(node: &TreeNode, depth: usize, relation: &str, out: &mut dyn Write) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    let kind = node.artifact_type.as_ref().unwrap_or(&node.media_type);
    write!(out, "{indent}{relation}{} {}", node.digest, Clean(kind.as_str()))?;
    if let Some(platform) = &node.platform {
        write!(out, " {}", Clean(&platform.to_string()))?;
    }
    if let Some(tag) = &node.tag {
        write!(out, " tagged {tag}")?;
    }
    if !node.carried {
        writeln!(out, " (left out)")?;
        return Ok(());
    }
    writeln!(out, " {}", Bytes(node.size.saturating_add(node.content_bytes)))?;
    if let Some(signature) = &node.signature {
        write_signature(signature, &indent, out)?;
    }
    for crl in &node.crls {
        write_crl(crl, &indent, out)?;
    }
    for response in &node.ocsp_responses {
        write_ocsp(response, &indent, out)?;
    }
    for child in &node.children {
        write_node(child, depth.saturating_add(1), "", out)?;
    }
    for referrer in &node.referrers {
        write_node(referrer, depth.saturating_add(1), "<- ", out)?;
    }
    Ok(())
}

fn write_signature(signature: &SignatureNode, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    if let Some(signer) = &signature.signer {
        writeln!(out, "{indent}   signer     {} ({}, {})", Clean(&signer.subject), signer.key, signer.algorithm)?;
    }
    if let Some(time) = signature.claimed_signing_time {
        writeln!(out, "{indent}   claims     signed {time}")?;
    }
    if let Some(expiry) = signature.expiry {
        writeln!(out, "{indent}   expires    {expiry}")?;
    }
    if let Some(time) = signature.timestamp {
        let by = signature.timestamp_authority.as_deref().unwrap_or("an unnamed authority");
        writeln!(out, "{indent}   timestamp  {time} by {}", Clean(by))?;
    }
    for problem in &signature.problems {
        writeln!(out, "{indent}   problem    {}: {}", problem.code, Clean(&problem.message))?;
    }
    Ok(())
}

fn write_crl(crl: &CrlNode, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let issuer = crl.issuer.as_deref().unwrap_or("(unreadable)");
    let kind = if crl.base_number.is_some() { "delta CRL" } else { "CRL" };
    write!(out, "{indent}   {kind:<10} {} {}", Clean(issuer), Bytes(crl.size))?;
    if let Some(time) = crl.this_update {
        write!(out, ", issued {time}")?;
    }
    if let Some(time) = crl.next_update {
        write!(out, ", current until {time}")?;
    }
    if let Some(entries) = crl.entries {
        write!(out, ", {entries} revoked")?;
    }
    writeln!(out)
}

fn write_ocsp(response: &OcspNode, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let responder = response.responder.as_deref().unwrap_or("(unreadable)");
    write!(out, "{indent}   OCSP       {} {}", Clean(responder), Bytes(response.size))?;
    if let Some(time) = response.this_update {
        write!(out, ", as of {time}")?;
    }
    if let Some(time) = response.next_update {
        write!(out, ", current until {time}")?;
    }
    writeln!(out)
}
