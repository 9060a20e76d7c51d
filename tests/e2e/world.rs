//! What most tests start from: a PKI made by openssl, a server for its CRLs, and a user who trusts it.

use serde_json::Value;

use crate::support::cli::{User, statement};
use crate::support::content::{Content, Form};
use crate::support::http::{File, Server};
use crate::support::openssl::{Chain, Holder, Key, Pki, Signing, Use};
use crate::support::tools;

pub struct World {
    pub crls: Option<Server>,
    pub pki: Pki,
    pub signer: Chain,
    pub tsa: Chain,
    pub user: User,
}

/// The name under which things are judged if a test has no reason for another.
pub const SCOPE: &str = "registry.example/app";

impl World {
    /// `None`, said aloud, if a tool is missing.
    pub fn new(test: &str, tools: &[&str]) -> Option<Self> {
        Self::with_key(test, tools, Key::P256)
    }

    pub fn with_key(test: &str, tools: &[&str], key: Key) -> Option<Self> {
        if !tools::there(test, &[&["openssl"], tools].concat()) {
            return None;
        }
        let crls = Server::start();
        let pki = Pki::new(&crls.url());
        let signer = pki.chain("ca", key, Use::Signing);
        let tsa = pki.chain("tsa", Key::P256, Use::Timestamping);
        let user = User::new();
        user.trusts("ca/e2e", &pki.pem(&signer.root));
        user.trusts("tsa/e2e", &pki.pem(&tsa.root));
        user.policy(&[statement(SCOPE, "strict", false)]);
        let world = Self { crls: Some(crls), pki, signer, tsa, user };
        world.serve_crls();
        Some(world)
    }

    pub fn authorities(&self) -> [&Holder; 4] {
        [&self.signer.root, &self.signer.inter, &self.tsa.root, &self.tsa.inter]
    }

    pub fn server(&self) -> &Server {
        self.crls.as_ref().unwrap()
    }

    /// Makes the CRLs of all authorities and serves them.
    pub fn serve_crls(&self) {
        for authority in self.authorities() {
            self.serve(authority, &self.pki.crl(authority));
        }
    }

    pub fn serve(&self, authority: &Holder, crl: &[u8]) {
        self.server().put(&format!("{}.crl", authority.name), File::Bytes(crl.to_vec()));
    }

    /// From now on nobody answers where the certificates say that CRLs are.
    pub fn stop_serving(&mut self) {
        self.crls = None;
    }

    pub fn sign(&self, content: &mut Content, subject: &Value) -> Value {
        self.sign_as(content, subject, &Signing::default())
    }

    pub fn sign_as(&self, content: &mut Content, subject: &Value, signing: &Signing<'_>) -> Value {
        content.sign(&self.pki, &self.signer.leaf, subject, Form::New, signing)
    }

    /// A layout with a signed image, tagged `v1`; its descriptor.
    pub fn signed_layout(&self, name: &str, signing: &Signing<'_>) -> Value {
        let mut content = Content::default();
        let image = content.image("amd64", &[b"a layer".to_vec()]);
        content.tag("v1", &image);
        self.sign_as(&mut content, &image, signing);
        content.write_layout(&self.user.path(name));
        image
    }

    /// Exports `oci:NAME:v1` as `registry.example/app:v1` to `NAME.tar`; its path.
    pub fn export(&self, name: &str) -> String {
        let bundle = format!("{name}.tar");
        let source = format!("oci:{name}:v1");
        self.user.bulla(&["export", &source, "--as", &format!("{SCOPE}:v1"), "-o", &bundle]).ends(0);
        bundle
    }
}
