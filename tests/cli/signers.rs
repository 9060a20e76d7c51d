//! Somebody with keys, certificates and a layout to sign, all made by openssl; CRLs and timestamps are served on loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use bulla::digest::Digest;
use bulla::oci::blob_path;
use serde_json::{Value, json};

use super::common::{Ended, User, there};
use super::forge::Blob;
use crate::http::{File, Server};
use crate::openssl::{Chain, Holder, Key, Pki, Use};

/// The repository under which the layout is judged.
pub const SCOPE: &str = "registry.example/team/app";

pub struct World {
    pub user: User,
    pub pki: Arc<Pki>,
    pub server: Server,
    pub signer: Chain,
    pub root: Value,
}

impl World {
    /// `None`, said aloud, where there is no openssl.
    pub fn new(test: &str, key: Key) -> Option<Self> {
        there(test, "openssl").then(|| {
            let server = Server::start();
            let pki = Arc::new(Pki::new(&server.url()));
            let signer = pki.chain("signer", key, Use::Signing);
            let user = User::new();
            let root = layout(&user);
            let world = Self { user, pki, server, signer, root };
            world.publish_crls(&world.signer);
            world.user.put("trust/ca/e2e/root.pem", world.pki.pem(&world.signer.root));
            world.policy(&["ca:e2e"]);
            world.give_key("signer", &world.signer.leaf);
            world
        })
    }

    pub fn publish_crls(&self, chain: &Chain) {
        for holder in [&chain.root, &chain.inter] {
            self.server.put(&format!("{}.crl", holder.name), File::Bytes(self.pki.crl(holder)));
        }
    }

    /// The policy for artifacts, and the one for files.
    pub fn policy(&self, stores: &[&str]) {
        let statement = json!({"name": "e2e", "signatureVerification": {"level": "strict"}, "trustStores": stores,
            "trustedIdentities": ["x509.subject: C=NL, ST=Utrecht, O=E2E"]});
        let mut artifacts = statement.clone();
        artifacts["registryScopes"] = json!(["*"]);
        let mut files = statement;
        files["globalPolicy"] = true.into();
        for (name, statement) in [("policy.json", artifacts), ("blobs.json", files)] {
            self.user.put(name, json!({"version": "1.0", "trustPolicies": [statement]}).to_string());
        }
    }

    /// `NAME.key`, for its owner alone, and `NAME.crt`.
    pub fn give_key(&self, name: &str, holder: &Holder) {
        self.user.put(&format!("{name}.key"), self.pki.key_pem(holder));
        self.user.put(&format!("{name}.crt"), self.pki.chain_pem(holder));
        self.private(&format!("{name}.key"));
    }

    pub fn private(&self, name: &str) {
        fs::set_permissions(self.user.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `bulla sign` of the layout, or of something else, with the signer's key in files.
    pub fn sign(&self, arguments: &[&str]) -> Ended {
        self.user.bulla(&[&["sign", "--key-file", "signer.key", "--cert-file", "signer.crt"], arguments].concat())
    }

    pub fn verify(&self, target: &str) -> Ended {
        let trust = ["--trust-store", "trust", "--policy", "policy.json", "--scope", SCOPE, "--format", "json"];
        self.user.bulla(&[&["verify", target], &trust[..]].concat())
    }

    /// The entries of the layout's index.
    pub fn entries(&self) -> Vec<Value> {
        self.user.json("layout/index.json")["manifests"].as_array().unwrap().clone()
    }

    /// The signature manifests that the layout lists.
    pub fn signatures(&self) -> Vec<Value> {
        let is_signature = |manifest: &Value| {
            let kind = "application/vnd.cncf.notary.signature";
            manifest["artifactType"] == kind || manifest["config"]["mediaType"] == kind
        };
        self.entries().iter().map(|entry| self.blob(entry)).filter(is_signature).collect()
    }

    /// A JSON blob of the layout.
    pub fn blob(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(&self.bytes(descriptor)).unwrap()
    }

    pub fn bytes(&self, descriptor: &Value) -> Vec<u8> {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        self.user.get(&format!("layout/{}", blob_path(&digest)))
    }
}

/// A layout with one image under the tag `1.0`; its entry.
pub fn layout(user: &User) -> Value {
    let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    let layer = Blob::new("application/vnd.oci.image.layer.v1.tar", "a layer");
    let image = Blob::image(&config.descriptor(), &[layer.descriptor()]);
    let mut root = image.descriptor();
    root["annotations"] = json!({"org.opencontainers.image.ref.name": "1.0"});
    user.put("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    user.put("layout/index.json", json!({"schemaVersion": 2, "manifests": [root]}).to_string());
    for blob in [image, config, layer] {
        user.put(&format!("layout/{}", blob_path(&Digest::sha256(&blob.content))), &blob.content);
    }
    root
}
