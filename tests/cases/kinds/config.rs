//! `config`: a configuration directory, from which trust stores or a policy are read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bulla::config::{ConfigError, IgnoredReason, load_blob_policy, load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::trust::TrustStoreName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ran, material};
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// What is in the directory, by path; directories above are made.
    tree: BTreeMap<String, Node>,
    read: Read,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Node {
    Directory,
    Text(String),
    /// Any JSON.
    Json(Value),
    /// Certificates of `pki`, in one PEM file.
    Pem(Vec<String>),
    /// Certificates of `pki`, in one file, DER behind DER.
    Der(Vec<String>),
    /// A private key of `pki`.
    Key(String),
    /// A symbolic link to a path in the directory.
    Link(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Read {
    /// These trust stores.
    Stores(Vec<String>),
    /// The policy for OCI artifacts.
    Policy,
    /// The policy for blobs.
    BlobPolicy,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let directory = tempfile::tempdir().unwrap();
    lay_out(case, directory.path())?;
    let limits = Limits::default();
    let found = match &inputs.read {
        Read::Stores(names) => {
            let parse = |name: &String| name.parse().map_err(|error| format!("{name}: {error}"));
            let names: Vec<TrustStoreName> = names.iter().map(parse).collect::<Result<_, String>>()?;
            stores(directory.path(), &names)
        }
        Read::Policy => load_policy(directory.path(), &limits)
            .map(|loaded| shows_policy(&loaded.path, loaded.document.statements().map(|(_, found)| found.name()))),
        Read::BlobPolicy => load_blob_policy(directory.path(), &limits)
            .map(|loaded| shows_policy(&loaded.path, loaded.document.statements().iter().map(|found| found.name()))),
    };
    Ok(found.unwrap_or_else(|error| Outcome::refused(&error)).into())
}

/// Makes the case's configuration directory.
pub(crate) fn lay_out(case: &Case, directory: &Path) -> Result<(), String> {
    let inputs: Inputs = case.inputs()?;
    inputs.tree.iter().try_for_each(|(path, node)| make(directory, path, node))
}

fn make(root: &Path, path: &str, node: &Node) -> Result<(), String> {
    let place = root.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let content = match node {
        Node::Directory => {
            fs::create_dir_all(&place).unwrap();
            return Ok(());
        }
        Node::Link(target) => {
            symlink(root.join(target), &place).unwrap();
            return Ok(());
        }
        Node::Text(text) => text.clone().into_bytes(),
        Node::Json(value) => serde_json::to_vec(value).unwrap(),
        Node::Pem(names) => names.iter().map(|name| material::pem(name)).collect::<Result<Vec<_>, _>>()?.concat(),
        Node::Der(names) => material::certificates(names)?.iter().flat_map(|found| found.der().to_vec()).collect(),
        Node::Key(name) => fs::read(material::pki(&format!("{name}.key"))).unwrap(),
    };
    fs::write(&place, content).unwrap();
    Ok(())
}

fn stores(directory: &Path, names: &[TrustStoreName]) -> Result<Outcome, ConfigError> {
    let loaded = load_trust_stores(directory, names, &Limits::default())?;
    let counts: BTreeMap<String, usize> =
        names.iter().map(|name| (name.to_string(), loaded.stores.get(name).map_or(0, <[_]>::len))).collect();
    let ignored: Vec<String> = loaded
        .ignored
        .iter()
        .map(|entry| {
            let reason = match entry.reason {
                IgnoredReason::Directory => "directory",
                IgnoredReason::Ending => "ending",
            };
            format!("{}: {reason}", entry.path.file_name().unwrap().to_string_lossy())
        })
        .collect();
    Ok(Outcome::accepted([("certificates", json!(counts)), ("ignored", json!(ignored))]))
}

fn shows_policy<'a>(path: &Path, names: impl Iterator<Item = &'a str>) -> Outcome {
    let file = path.file_name().unwrap().to_string_lossy();
    Outcome::accepted([("file", json!(file)), ("statements", names.collect())])
}
