//! `signed`: an artifact with one signature and its evidence, from a store through `ops::verify` to the verdict. The whole
//! road, as if a bundle had been opened.

use std::collections::{BTreeMap, BTreeSet};

use bulla::archive::names;
use bulla::evidence::EvidenceManifest;
use bulla::limits::Limits;
use bulla::notary::SignatureManifest;
use bulla::oci::{Descriptor, MediaType};
use bulla::ops::progress::NoProgress;
use bulla::ops::seal::SubjectSeal;
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, Verification, verify};
use bulla::pki::Certificate;
use bulla::store::memory::MemoryStore;
use bulla::trust::{PolicyDocument, Trust, TrustStoreName, TrustStores};
use bulla::verification::{ArtifactOutcome, Finding};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::Case;
use crate::kinds::{Ran, material};
use crate::outcome::Outcome;

const SCOPE: &str = "registry.example/cases";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inputs {
    /// `signatureVerification` of the policy's only statement.
    verification: Value,
    /// Certificates by the type of the trust store in which they are.
    stores: BTreeMap<String, Vec<String>>,
    /// A manifest.
    artifact: String,
    /// A JWS over it.
    envelope: String,
    /// The timestamp token, which is put into the envelope. Empty: a token without content.
    token: Option<String>,
    /// Carried as CRLs, whatever they are.
    #[serde(default)]
    crls: Vec<String>,
    /// Carried as OCSP responses, whatever they are.
    #[serde(default)]
    ocsp: Vec<String>,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let store = MemoryStore::new();
    let artifact = fill(case, &inputs, &store)?;
    let trust = trust(case, &inputs)?;
    let verification = judge(case, &store, &artifact, &trust)?;
    let mut outcome = Outcome::of_verification(&verification);
    let judged = verification.artifacts[0].outcome.as_ref().ok_or("it was not judged")?;
    outcome.shows.insert("findings".into(), findings(judged));
    Ok(outcome.into())
}

/// Puts artifact, signature and evidence into the store, as an export does.
fn fill(case: &Case, inputs: &Inputs, store: &MemoryStore) -> Result<Descriptor, String> {
    let artifact = store.insert_manifest(MediaType::OCI_MANIFEST, case.read(&inputs.artifact)?);
    let config = store.insert_blob(MediaType::OCI_EMPTY, SignatureManifest::CONFIG);
    let envelope = store.insert_blob("application/jose+json", envelope(case, inputs)?);
    let signature = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.cncf.notary.signature", "config": config, "layers": [envelope],
        "subject": artifact});
    let signature = store.insert_manifest(MediaType::OCI_MANIFEST, signature.to_string().into_bytes());
    let mut layers = Vec::new();
    for (files, media_type) in [(&inputs.crls, names::CRL), (&inputs.ocsp, names::OCSP)] {
        for file in files {
            layers.push((store.insert_blob(media_type, case.read(file)?), Vec::new()));
        }
    }
    let (_, evidence) = EvidenceManifest::new(&signature, layers).encode().map_err(|error| error.to_string())?;
    store.insert_manifest(MediaType::OCI_MANIFEST, evidence);
    Ok(artifact)
}

/// The envelope with its token: that stands in the part that is not signed (conformance 2.22).
fn envelope(case: &Case, inputs: &Inputs) -> Result<Vec<u8>, String> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let bytes = case.read(&inputs.envelope)?;
    let mut envelope: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if let Some(token) = &inputs.token {
        envelope["header"]["io.cncf.notary.timestampSignature"] = BASE64_STANDARD.encode(case.read(token)?).into();
    }
    Ok(envelope.to_string().into_bytes())
}

fn trust(case: &Case, inputs: &Inputs) -> Result<Trust, String> {
    let (mut stores, mut named) = (TrustStores::default(), Vec::new());
    for (kind, files) in &inputs.stores {
        let name: TrustStoreName = format!("{kind}:cases").parse().map_err(|_| format!("no type of store: {kind}"))?;
        let certificates: Result<Vec<_>, String> = files
            .iter()
            .map(|file| Certificate::from_der(&case.read(file)?).map_err(|error| format!("{file}: {error}")))
            .collect();
        stores.insert(name, certificates?).map_err(|error| error.to_string())?;
        named.push(format!("{kind}:cases"));
    }
    let policy = json!({"version": "1.0", "trustPolicies": [{"name": "cases", "registryScopes": [SCOPE],
        "signatureVerification": inputs.verification, "trustStores": named, "trustedIdentities": ["*"]}]});
    let policy = PolicyDocument::parse(policy.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok(Trust { policy, files: None, stores })
}

fn judge(case: &Case, store: &MemoryStore, artifact: &Descriptor, trust: &Trust) -> Result<Verification, String> {
    let judging = Judging {
        plugins: None,
        trust,
        at: case.at()?,
        freshness: case.file.options.freshness(),
        revocation: case.file.options.revocation_time(),
        scope: Some(SCOPE.parse().map_err(|_| "the scope")?),
        seal: material::no_seal(),
        user_metadata: BTreeMap::new(),
        supplied: &[],
        live: None,
    };
    let root = RootToVerify { descriptor: artifact.clone(), reference: None };
    let subject = Subject {
        store,
        roots: vec![root],
        omitted: BTreeSet::new(),
        listed: BTreeSet::new(),
        seal: SubjectSeal::NoBundle,
    };
    verify(&subject, &Depth::Judge(judging), &Limits::default(), &NoProgress).map_err(|error| error.to_string())
}

/// Every finding with a code, in the order in which they were made: which check, about whose certificate, and what.
fn findings(outcome: &ArtifactOutcome) -> Value {
    let judged = outcome.signatures.iter().flat_map(|signature| &signature.checks);
    let texts = judged.filter_map(|judged| {
        let (result, code) = match &judged.check.finding {
            Finding::Failed(failure) => ("failed", failure.code),
            Finding::Undetermined(failure) => ("undetermined", failure.code),
            Finding::Excused(_, code) => ("excused", *code),
            Finding::NotApplicable(_, code) => ("not applicable", (*code)?),
            Finding::Passed(_) | Finding::NotRun(_) => return None,
        };
        let about = judged.check.certificate.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        Some(format!("{}{about}: {result} {code}", judged.check.kind))
    });
    texts.collect()
}
