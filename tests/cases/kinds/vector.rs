//! `vector` and `vector-envelope`: what the reference implementation made (`../shared/vectors/notation`), judged whole, or
//! with a change to its envelope.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bulla::config::load_trust_stores;
use bulla::evidence::load_crls;
use bulla::limits::Limits;
use bulla::notary::SignatureManifest;
use bulla::oci::{Descriptor, IndexDocument, Manifest, blob_path};
use bulla::trust::TrustStores;
use serde::Deserialize;
use serde_json::{Value, json};

use super::verdict::World;
use super::{Ran, envelope};
use crate::case::Case;
use crate::facts::shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inputs {
    vector: String,
    /// Replaces `signatureVerification` of the vector's statement.
    signature_verification: Option<Value>,
    /// Replaces `trustStores`; each named store holds the vector's certificates of that type.
    trust_stores: Option<Vec<String>>,
    /// Replaces `trustedIdentities`.
    trusted_identities: Option<Vec<String>>,
    /// Whether the vector's CRLs are at hand.
    #[serde(default = "yes")]
    crls: bool,
    /// Leaves out the CRLs whose file names contain this.
    without_crl: Option<String>,
}

const fn yes() -> bool {
    true
}

/// The folder of a vector; `None` where there is none beside the repository.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folder = shared()?.join("vectors/notation").join(name);
    folder.is_dir().then_some(folder)
}

fn absent() -> Ran {
    Ran::Skipped("the reference's vectors are not here".into())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(super) fn judged(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let Some(folder) = find(&inputs.vector) else { return Ok(absent()) };
    let mut policy = json(&folder.join("trustpolicy.json"));
    let statement = &mut policy["trustPolicies"][0];
    for (member, value) in [
        ("signatureVerification", inputs.signature_verification.clone()),
        ("trustStores", inputs.trust_stores.clone().map(|names| json!(names))),
        ("trustedIdentities", inputs.trusted_identities.clone().map(|entries| json!(entries))),
    ] {
        if let Some(value) = value {
            statement[member] = value;
        }
    }
    let names: Vec<String> =
        statement["trustStores"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let document = json(&folder.join("case.json"));
    let world = World {
        layout: &folder.join("layout"),
        target: document["digest"].as_str().unwrap(),
        stores: stores(&folder, &names)?,
        policy,
        crls: crls(&folder, &inputs),
    };
    world.judge(case).map(Ran::Outcome)
}

/// The vector's stores of each type, under the names that the statement gives.
fn stores(folder: &Path, names: &[String]) -> Result<TrustStores, String> {
    let mut stores = TrustStores::default();
    for name in names {
        let kind = name.split(':').next().unwrap();
        let own = format!("{kind}:vectors").parse().unwrap();
        let loaded = load_trust_stores(&folder.join("truststore"), std::slice::from_ref(&own), &Limits::default());
        let loaded = loaded.map_err(|error| error.to_string())?;
        stores.insert(name.parse().unwrap(), loaded.stores.get(&own).unwrap().to_vec()).unwrap();
    }
    Ok(stores)
}

fn crls(folder: &Path, inputs: &Inputs) -> Vec<bulla::pki::Crl> {
    if !inputs.crls {
        return Vec::new();
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join("crls")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if inputs.without_crl.as_ref().is_none_or(|part| !name.contains(part.as_str())) {
            found.extend(load_crls(&path, &Limits::default()).unwrap());
        }
    }
    found
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvelopeInputs {
    vector: String,
    change: Change,
}

/// What is done to the envelope. Members are those of a JWS; `null` removes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    /// Nothing.
    None,
    /// Replaces members at the top.
    Top(BTreeMap<String, Value>),
    /// Replaces members of the unprotected header.
    Header(BTreeMap<String, Value>),
    /// Replaces members of the protected header, whose signature then no longer fits.
    Protected(BTreeMap<String, Value>),
    /// Replaces the payload's text.
    Payload(String),
    /// Takes the chain of another vector.
    ChainOf(String),
    /// Keeps these certificates of the chain, by place.
    Chain(Vec<usize>),
    /// Flips the lowest bit of the byte this far from the end.
    FlipFromEnd(usize),
    /// Appends bytes.
    Append(Vec<u8>),
    /// Puts bytes in place of those at the beginning.
    Begin { drop: usize, with: Vec<u8> },
    /// Presents it under another media type.
    MediaType(String),
    /// Appends to the base64url texts, to see that decoding is strict: `["signature", "="]`.
    Suffix(String, String),
}

/// The envelope of a vector and its media type.
fn envelope_of(folder: &Path) -> (String, Vec<u8>) {
    let layout = folder.join("layout");
    let read = |descriptor: &Descriptor| fs::read(layout.join(blob_path(&descriptor.digest))).unwrap();
    let index = IndexDocument::parse(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifests = index.manifests.iter().map(|found| Manifest::parse(found, read(found)).unwrap());
    let manifest = manifests.into_iter().find(SignatureManifest::recognise).unwrap();
    let signature = SignatureManifest::read(&manifest).unwrap();
    (signature.envelope().media_type.to_string(), read(signature.envelope()))
}

pub(super) fn changed(case: &Case) -> Result<Ran, String> {
    let inputs: EnvelopeInputs = case.inputs()?;
    let Some(folder) = find(&inputs.vector) else { return Ok(absent()) };
    let (media_type, bytes) = envelope(&inputs, &folder)?;
    Ok(envelope::judge(&media_type, &bytes).into())
}

/// The changed envelope of a case with its media type, and the folder of its vector, where there is one.
pub(crate) fn changed_envelope(case: &Case) -> Result<Option<(String, Vec<u8>, PathBuf)>, String> {
    let inputs: EnvelopeInputs = case.inputs()?;
    let Some(folder) = find(&inputs.vector) else { return Ok(None) };
    let (media_type, bytes) = envelope(&inputs, &folder)?;
    Ok(Some((media_type, bytes, folder)))
}

fn envelope(inputs: &EnvelopeInputs, folder: &Path) -> Result<(String, Vec<u8>), String> {
    let (mut media_type, mut bytes) = envelope_of(folder);
    match &inputs.change {
        Change::None => {}
        Change::MediaType(other) => media_type.clone_from(other),
        Change::FlipFromEnd(distance) => {
            let at = bytes.len() - distance;
            bytes[at] ^= 1;
        }
        Change::Append(more) => bytes.extend(more),
        Change::Begin { drop, with } => bytes = [with, &bytes[*drop..]].concat(),
        of_json => {
            let mut document: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            change_json(&mut document, of_json)?;
            bytes = serde_json::to_vec(&document).unwrap();
        }
    }
    Ok((media_type, bytes))
}

fn change_json(document: &mut Value, change: &Change) -> Result<(), String> {
    match change {
        Change::Top(members) => replace(document, members),
        Change::Header(members) => replace(&mut document["header"], members),
        Change::Protected(members) => {
            let text = URL_SAFE_NO_PAD.decode(document["protected"].as_str().unwrap()).unwrap();
            let mut protected: Value = serde_json::from_slice(&text).unwrap();
            replace(&mut protected, members);
            document["protected"] = json!(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&protected).unwrap()));
        }
        Change::Payload(text) => document["payload"] = json!(URL_SAFE_NO_PAD.encode(text)),
        Change::Suffix(member, more) => {
            document[member] = json!(format!("{}{more}", document[member].as_str().unwrap()));
        }
        Change::Chain(places) => {
            let chain = document["header"]["x5c"].clone();
            document["header"]["x5c"] = places.iter().map(|place| chain[*place].clone()).collect();
        }
        Change::ChainOf(other) => {
            let folder = find(other).ok_or_else(|| format!("no vector {other}"))?;
            let (_, bytes) = envelope_of(&folder);
            let other: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            document["header"]["x5c"] = other["header"]["x5c"].clone();
            assert!(STANDARD.decode(document["header"]["x5c"][0].as_str().unwrap()).is_ok());
        }
        _ => return Err("this change is not one of JSON".into()),
    }
    Ok(())
}

fn replace(object: &mut Value, members: &BTreeMap<String, Value>) {
    let object = object.as_object_mut().unwrap();
    for (name, value) in members {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}
