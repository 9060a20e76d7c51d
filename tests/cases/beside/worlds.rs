//! From a case to what Notation is given: a registry's content, a configuration directory, the answers of authorities.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla::digest::Digest;
use bulla::oci::{Descriptor, MediaType};
use bulla::pki::Certificate;
use bulla::time::UnixTime;
use serde_json::{Value, json};

use super::evidence::{self, Answer};
use crate::case::Case;
use crate::facts::folder;
use crate::kinds::{config, material, vector, verdict};

/// The time of cases that have none, because their verdict doesn't depend on it.
pub(super) const ANY_TIME: i64 = 1_781_524_800; // 2026-06-15T12:00:00Z
/// The trust store of a world that needs one.
const STORE: &str = "cases";
const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
pub(super) const JWS: &str = "application/jose+json";
pub(super) const COSE: &str = "application/cose";

/// What Notation is given.
pub(super) struct World {
    pub(super) at: UnixTime,
    /// Under which name it is verified; the name leads to a registry on loopback.
    pub(super) repository: String,
    pub(super) target: Descriptor,
    pub(super) manifests: Vec<(String, Vec<u8>)>,
    pub(super) blobs: Vec<Vec<u8>>,
    /// Files below the home directory.
    pub(super) home: Vec<(String, Vec<u8>)>,
    pub(super) answers: Vec<Answer>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) question: Question,
}

/// What of the outcome the case speaks of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether the artifact is verified.
    Verdict,
    /// Whether Notation takes the trust policy; nothing is signed.
    Policy,
    /// The same, and whether a statement applies.
    Statement,
    /// Whether Notation takes the trust stores; nobody in them has signed.
    Stores,
    /// Whether Notation takes the signature manifest; its envelope is empty.
    Manifest,
}

/// What a case gives: worlds with what bulla says of each (whether it takes, or trusts, what is in question), or why Notation
/// cannot be asked.
pub(super) type Worlds = Result<Vec<(World, Said)>, &'static str>;

/// What is said of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Yes,
    No,
    /// The policy says to verify nothing.
    Skipped,
    /// No statement of the policy applies.
    NoStatement,
}

pub(super) fn of(case: &Case) -> Worlds {
    if case.file.options.freshness.is_some() || case.file.options.revocation_time.is_some() {
        return Err("Notation has no --freshness and no --revocation-time");
    }
    let expected = match &*case.file.expect.verdict {
        "trusted" | "accepted" => Said::Yes,
        "skipped" => Said::Skipped,
        _ => Said::No,
    };
    let one = |world: Result<World, &'static str>| Ok(vec![(world?, expected)]);
    match &*case.file.kind {
        "signed" => one(signed(case)),
        "verdict" => one(layout(case)),
        "vector" => one(of_vector(case)),
        "envelope" => one(envelope(case)),
        "vector-envelope" => one(vector_envelope(case)),
        "payload" => one(payload(case)),
        "manifest" => one(manifest(case)),
        "chain" => one(chain(case)),
        "identity" => one(identity(case)),
        "config" => one(stores(case)),
        "policy" => policy(case, expected),
        "blob-policy" => Err("Notation 1 has no blob policies"),
        "reference" => Err("bulla's names of artifacts, which Notation does not read"),
        _ => Err("of a kind that this test does not know"),
    }
}

impl World {
    /// An artifact with nothing attached, and an empty configuration.
    fn new(case: &Case, repository: &str, media_type: &str, artifact: Vec<u8>) -> Self {
        Self {
            at: case.file.at.unwrap_or(UnixTime::from_seconds(ANY_TIME)),
            repository: case.file.options.scope.clone().unwrap_or_else(|| repository.to_owned()),
            target: Descriptor::of(media_type, &artifact),
            manifests: vec![(media_type.to_owned(), artifact)],
            blobs: Vec::new(),
            home: Vec::new(),
            answers: Vec::new(),
            metadata: case.file.options.user_metadata.clone(),
            question: Question::Verdict,
        }
    }

    /// Attaches a signature.
    fn attach(&mut self, media_type: &str, envelope: Vec<u8>) {
        let config = json!({"mediaType": SIGNATURE, "digest": Digest::sha256(b"{}"), "size": 2});
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config,
            "layers": [Descriptor::of(media_type, &envelope)], "subject": self.target});
        self.manifests.push((MediaType::OCI_MANIFEST.to_owned(), manifest.to_string().into_bytes()));
        self.blobs.extend([envelope, b"{}".to_vec()]);
    }

    fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.home.push((format!(".config/notation/{path}"), content.into()));
    }

    fn policy(&mut self, policy: &Value) {
        self.file("trustpolicy.json", policy.to_string());
    }

    /// A policy with one statement for everything.
    fn statement(&mut self, verification: &Value, stores: &[String], identities: &Value) {
        self.policy(&json!({"version": "1.0", "trustPolicies": [{"name": "cases", "registryScopes": ["*"],
            "signatureVerification": verification, "trustStores": stores, "trustedIdentities": identities}]}));
    }

    fn store(&mut self, name: &str, index: usize, certificate: &[u8]) {
        let place = name.replacen(':', "/", 1);
        self.file(&format!("truststore/x509/{place}/{index}.crt"), certificate);
    }

    /// Trusts certificates of `pki`, at this level.
    fn trusts(&mut self, names: &[&str], verification: &Value, identities: &Value) -> Result<(), &'static str> {
        for (index, name) in names.iter().enumerate() {
            self.store(&format!("ca:{STORE}"), index, &pem(name)?);
        }
        self.statement(verification, &[format!("ca:{STORE}")], identities);
        Ok(())
    }
}

fn pem(name: &str) -> Result<Vec<u8>, &'static str> {
    material::pem(name).map_err(|_| "a certificate that is not there")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn audit() -> Value {
    json!({"level": "audit"})
}

/// A signature with evidence, which the authorities' servers give out.
fn signed(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let read = |name: &Value| case.read(name.as_str().unwrap()).map_err(|_| "a file that is not there");
    let mut world = World::new(case, "registry.example/cases", MediaType::OCI_MANIFEST, read(&inputs["artifact"])?);
    let mut names = Vec::new();
    let mut roots = Vec::new();
    for (kind, files) in inputs["stores"].as_object().unwrap() {
        names.push(format!("{kind}:{STORE}"));
        for (index, file) in files.as_array().unwrap().iter().enumerate() {
            let certificate = read(file)?;
            world.store(&format!("{kind}:{STORE}"), index, &certificate);
            roots.push(certificate);
        }
    }
    world.statement(&inputs["verification"], &names, &json!(["*"]));
    let mut envelope: Value = serde_json::from_slice(&read(&inputs["envelope"])?).unwrap();
    let token = if inputs["token"].is_null() { Vec::new() } else { read(&inputs["token"])? };
    if !inputs["token"].is_null() {
        envelope["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(&token).into();
    }
    let chain = texts(&envelope["header"]["x5c"]).into_iter().filter_map(|text| STANDARD.decode(text).ok()).collect();
    world.attach(JWS, envelope.to_string().into_bytes());
    let files = |member: &str| inputs[member].as_array().into_iter().flatten().map(read).collect::<Result<_, _>>();
    let carried = evidence::Carried { crls: files("crls")?, ocsp: files("ocsp")? };
    world.answers = evidence::answers(&carried, &evidence::involved(case, chain, &token, roots))?;
    Ok(world)
}

/// Manifests with their media types, blobs, and the descriptors of the manifests.
type Reachable = (Vec<(String, Vec<u8>)>, Vec<Vec<u8>>, Vec<Descriptor>);

/// Everything that the index of a layout leads to.
fn reachable(layout: &Path) -> Reachable {
    let read = |digest: &str| fs::read(layout.join("blobs").join(digest.replacen(':', "/", 1))).ok();
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let (mut manifests, mut blobs, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    let mut waiting = index["manifests"].as_array().unwrap().clone();
    while let Some(entry) = waiting.pop() {
        let (Some(media_type), Some(digest)) = (entry["mediaType"].as_str(), entry["digest"].as_str()) else {
            continue;
        };
        let Some(bytes) = read(digest) else { continue };
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        waiting.extend(document["manifests"].as_array().into_iter().flatten().cloned());
        let parts = ["layers", "blobs"].map(|member| document[member].as_array().cloned().unwrap_or_default()).concat();
        for part in parts.iter().chain([&document["config"]]) {
            blobs.extend(part["digest"].as_str().and_then(read));
        }
        listed.push(serde_json::from_value(entry.clone()).unwrap());
        manifests.push((media_type.to_owned(), bytes));
    }
    (manifests, blobs, listed)
}

/// A world with the content of a layout; the target is a tag or a digest.
fn with_layout(case: &Case, name: &str, layout: &Path, target: &str) -> Result<World, &'static str> {
    let (manifests, blobs, listed) = reachable(layout);
    let is_target = |entry: &&Descriptor| {
        let tag = entry.annotations.get("org.opencontainers.image.ref.name");
        entry.digest.to_string() == target || tag.is_some_and(|tag| tag == target)
    };
    let target = listed.iter().find(is_target).ok_or("the layout does not have the target")?.bare();
    Ok(World { target, manifests, blobs, ..World::new(case, name, "", Vec::new()) })
}

fn layout(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let layout = folder().join("layouts").join(inputs["layout"].as_str().unwrap());
    let mut world = with_layout(case, verdict::NAME, &layout, inputs["target"].as_str().unwrap_or("v1"))?;
    for (name, certificates) in inputs["trust"].as_object().into_iter().flatten() {
        for (index, certificate) in texts(certificates).iter().enumerate() {
            world.store(name, index, &pem(certificate)?);
        }
    }
    world.policy(&json!({"version": "1.0", "trustPolicies": inputs["policy"]}));
    Ok(world)
}

const NO_VECTORS: &str = "the vectors are not beside the repository";

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A signature that Notation made. Its CRLs lie in Notation's cache: their addresses are of this machine, and asked directly.
fn of_vector(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let vector = vector::find(inputs["vector"].as_str().unwrap()).ok_or(NO_VECTORS)?;
    let about = json_of(&vector.join("case.json"));
    let mut world = with_layout(case, "local/vectors", &vector.join("layout"), about["digest"].as_str().unwrap())?;
    let mut policy = json_of(&vector.join("trustpolicy.json"));
    for member in ["signatureVerification", "trustStores", "trustedIdentities"] {
        if !inputs[member].is_null() {
            policy["trustPolicies"][0][member] = inputs[member].clone();
        }
    }
    world.policy(&policy);
    for name in texts(&policy["trustPolicies"][0]["trustStores"]) {
        let kind = name.split(':').next().unwrap();
        world.store(name, 0, &fs::read(vector.join(format!("truststore/x509/{kind}/vectors/root.pem"))).unwrap());
    }
    let without = inputs["withoutCrl"].as_str();
    for (url, name) in about["crls"].as_object().unwrap() {
        let name = name.as_str().unwrap();
        let crl = fs::read(vector.join("crls").join(name));
        if let (Ok(crl), false) = (crl, inputs["crls"] == false || without.is_some_and(|part| name.contains(part))) {
            let place = Digest::sha256(url.as_bytes()).to_string().replacen("sha256:", ".cache/notation/crl/", 1);
            world.home.push((place, json!({"baseCRL": STANDARD.encode(crl)}).to_string().into_bytes()));
        }
    }
    Ok(world)
}

/// At the level audit, where only integrity decides.
fn vector_envelope(case: &Case) -> Result<World, &'static str> {
    let changed = vector::changed_envelope(case).map_err(|_| "its change cannot be made")?;
    let (media_type, envelope, vector) = changed.ok_or(NO_VECTORS)?;
    let about = json_of(&vector.join("case.json"));
    let whole = with_layout(case, "local/vectors", &vector.join("layout"), about["digest"].as_str().unwrap())?;
    let artifact = |(_, bytes): &&(String, Vec<u8>)| Digest::sha256(bytes) == whole.target.digest;
    let (of_type, bytes) = whole.manifests.iter().find(artifact).ok_or("the vector's artifact")?.clone();
    let mut world = World::new(case, "registry.example/cases", &of_type, bytes);
    world.attach(&media_type, envelope);
    world.trusts(&["root"], &audit(), &json!(["*"]))?;
    Ok(world)
}

/// An envelope over no bytes of the type `a/b`, as nearly all cases have it.
fn envelope(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let mut bytes = case.read(inputs["envelope"].as_str().unwrap()).map_err(|_| "a file that is not there")?;
    let pad = inputs["pad"].as_u64().and_then(|pad| usize::try_from(pad).ok()).unwrap_or_default();
    bytes.resize(bytes.len() + pad, b' ');
    Ok(around(case, inputs["mediaType"].as_str().unwrap(), bytes))
}

/// An envelope over no bytes of the type `a/b`, at the level audit.
pub(super) fn around(case: &Case, media_type: &str, envelope: Vec<u8>) -> World {
    let mut world = World::new(case, "registry.example/cases", "a/b", Vec::new());
    world.attach(media_type, envelope);
    world.trusts(&["root"], &audit(), &json!(["*"])).unwrap();
    world
}

/// The payload in an envelope over what it speaks of, or over what the case compares it with.
fn payload(case: &Case) -> Result<World, &'static str> {
    let text = case.file.inputs["payload"].as_str().unwrap();
    let spoken_of = serde_json::from_str::<Value>(text).unwrap_or_default()["targetArtifact"].clone();
    let artifact = if case.file.inputs["artifact"].is_null() { &spoken_of } else { &case.file.inputs["artifact"] };
    let (nothing, braces) = (Digest::sha256(b"").to_string(), Digest::sha256(b"{}").to_string());
    let content = match artifact["digest"].as_str() {
        Some(digest) if *digest == braces => b"{}".to_vec(),
        Some(digest) if *digest == nothing && artifact["size"] == 1 => return Err("an artifact that cannot exist"),
        _ => Vec::new(),
    };
    let at_hand = json!([Digest::sha256(&content), content.len()]) == json!([artifact["digest"], artifact["size"]]);
    if case.file.expect.verdict == "accepted" && !at_hand {
        return Err("speaks of content that nobody has");
    }
    let media_type = artifact["mediaType"].as_str().filter(|text| text.contains('/')).unwrap_or("a/b");
    let mut world = World::new(case, "registry.example/cases", media_type, content);
    world.attach(JWS, crate::generate::envelope_over(text, "leaf", &["leaf", "inter", "root"]));
    world.trusts(&["root"], &audit(), &json!(["*"]))?;
    Ok(world)
}

/// The manifest beside what it says to be signed. Its envelope is empty, so Notation fails when it comes to that.
fn manifest(case: &Case) -> Result<World, &'static str> {
    let document: material::Document =
        serde_json::from_value(case.file.inputs["document"].clone()).map_err(|_| "the document")?;
    let mut world = World::new(case, "registry.example/cases", MediaType::OCI_MANIFEST, b"{}".to_vec());
    world.manifests.push((case.file.inputs["mediaType"].as_str().unwrap().to_owned(), document.bytes()));
    world.blobs.push(Vec::new());
    world.trusts(&["root"], &audit(), &json!(["*"]))?;
    world.question = Question::Manifest;
    Ok(world)
}

/// Which key of `pki` a certificate is for, of those that sign here: both show the same public key.
fn key_of(certificate: &[u8]) -> Option<&'static str> {
    let keys = ["leaf", "inter", "other", "root", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"];
    keys.into_iter().find(|name| {
        let pem = fs::read_to_string(material::pki(&format!("{name}.key"))).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).unwrap();
        // PKCS #8 ends with the point of a curve, and begins with the modulus of RSA.
        let part = if name.starts_with("rsa") { &der[64..128] } else { &der[der.len() - 32..] };
        certificate.windows(part.len()).any(|window| window == part)
    })
}

/// Names that live as long as the test.
fn kept(names: &[&str]) -> Vec<&'static str> {
    names.iter().map(|name| &*String::leak((*name).to_owned())).collect()
}

/// A signature by the owner of a chain.
fn by_chain(case: &Case, names: &[&str]) -> Result<World, &'static str> {
    let leaf: Certificate = material::certificate(names.first().ok_or("no certificates")?).map_err(|_| "the leaf")?;
    let key = key_of(leaf.der()).ok_or("a certificate whose key signs nothing here")?;
    let artifact = fs::read(folder().join("pki/artifact.json")).unwrap();
    let mut world = World::new(case, "registry.example/cases", MediaType::OCI_MANIFEST, artifact);
    let payload = json!({ "targetArtifact": world.target }).to_string();
    let envelope = crate::generate::envelope_over(&payload, key, &kept(names));
    world.attach(JWS, envelope);
    Ok(world)
}

fn chain(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    if inputs["profile"] == "timestamping" {
        return Err("a timestamp authority's chain without a token");
    }
    let names = texts(&inputs["certificates"]);
    let mut world = by_chain(case, &names)?;
    let anchors = texts(&inputs["anchors"]);
    let holds = |name: &&str| material::certificate(name).is_ok_and(|found| found.is_ca() || found.is_self_signed());
    if !anchors.iter().all(holds) {
        return Err("a certificate that no trust store may hold, neither here nor there");
    }
    let verification = match (anchors.is_empty(), case.file.at) {
        (true, None) => audit(),
        (true, Some(_)) => json!({"level": "strict", "override": {"authenticity": "log"}}),
        (false, _) => json!({"level": "strict"}),
    };
    world.trusts(if anchors.is_empty() { &["root"] } else { &anchors }, &verification, &json!(["*"]))?;
    Ok(world)
}

fn identity(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let names = match inputs["certificate"].as_str() {
        None | Some("leaf") => vec!["leaf", "inter", "root"],
        Some(name) => vec![name, "root"],
    };
    let mut world = by_chain(case, &names)?;
    world.trusts(&["root"], &json!({"level": "strict"}), &inputs["identities"])?;
    if inputs["certificate"].is_null() {
        world.question = Question::Policy;
    }
    Ok(world)
}

fn stores(case: &Case) -> Result<World, &'static str> {
    let inputs = &case.file.inputs;
    let read = &inputs["read"];
    if read.get("blobPolicy").is_some() || *read == "blobPolicy" {
        return Err("Notation 1 has no blob policies");
    }
    let tree = tempfile::tempdir().unwrap();
    config::lay_out(case, tree.path()).map_err(|_| "its directory cannot be made")?;
    let Some(names) = read.get("stores") else {
        let mut world = by_chain(case, &["leaf", "inter", "root"])?;
        world.question = Question::Policy;
        return Ok(world);
    };
    let mut names: Vec<String> = texts(names).into_iter().map(str::to_owned).collect();
    // Stores are read when they are needed: by a signature of that scheme, or one with a timestamp whose signer is trusted.
    let shared = |name: &str| fs::read(folder().join("pki").join(name)).unwrap();
    let mut world = World::new(case, "registry.example/cases", MediaType::OCI_MANIFEST, shared("artifact.json"));
    let kind = |kind: &str| names.iter().any(|name| name.starts_with(kind));
    let authority = if kind("signingAuthority:") { "authority" } else { "signer" };
    let mut envelope: Value = serde_json::from_slice(&shared(&format!("envelopes/{authority}.json"))).unwrap();
    if kind("tsa:") {
        envelope["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(shared("evidence/tsa.token")).into();
        world.store("ca:signers", 0, &shared("certificates/root.der"));
        names.push("ca:signers".into());
    }
    world.attach(JWS, envelope.to_string().into_bytes());
    world.statement(&json!({"level": "strict"}), &names, &json!(["*"]));
    world.question = Question::Stores;
    Ok(world)
}

/// A policy, and which statement applies to each repository that the case names.
fn policy(case: &Case, expected: Said) -> Worlds {
    let document: material::Document =
        serde_json::from_value(case.file.inputs["document"].clone()).map_err(|_| "the document")?;
    let selected = case.file.expect.shows.get("selected").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut asked: Vec<(&str, Said)> = texts(&case.file.inputs["select"])
        .into_iter()
        .zip(&selected)
        .map(|(repository, statement)| (repository, if statement.is_null() { Said::NoStatement } else { Said::Yes }))
        .collect();
    let question = if asked.is_empty() { Question::Policy } else { Question::Statement };
    if asked.is_empty() {
        asked.push(("registry.example/app", expected));
    }
    let world = |repository: &str| {
        let mut world = World::new(case, repository, MediaType::OCI_MANIFEST, b"{}".to_vec());
        world.file("trustpolicy.json", document.bytes());
        world.question = question;
        world
    };
    Ok(asked.into_iter().map(|(repository, said)| (world(repository), said)).collect())
}
