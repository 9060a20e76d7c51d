//! Envelopes built member by member, and signed with keys of `pki`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::cbor::{Cbor, array, epoch};
use super::sign::{Padding, der, sign};

pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(super) const PLUGIN: &str = "io.cncf.notary.verificationPlugin";
pub(super) const PLUGIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";
pub(super) const AGENT: &str = "io.cncf.notary.signingAgent";
pub(super) const STAMP: &str = "io.cncf.notary.timestampSignature";
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const AUTHORITY: &str = "notary.x509.signingAuthority";
pub(super) const JWS: &str = "application/jose+json";
pub(super) const COSE: &str = "application/cose";

/// 2026-06-01T00:00:00Z
pub(super) const SIGNED: i64 = 1_780_272_000;
pub(super) const SIGNED_TEXT: &str = "2026-06-01T00:00:00Z";
/// The SHA-256 of no bytes.
pub(super) const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The payload where a case has no reason for another.
pub(super) fn payload() -> String {
    payload_of("a/b", NOTHING, 0)
}

pub(super) fn payload_of(media_type: &str, digest: &str, size: usize) -> String {
    format!(r#"{{"targetArtifact":{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}}}"#)
}

/// Who signs: the key, the certificates, the algorithm that belongs to the key, with its hash and COSE number.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) key: &'static str,
    pub(super) chain: Vec<&'static str>,
    pub(super) alg: &'static str,
    pub(super) cose: i64,
    pub(super) bits: u32,
    pub(super) padding: Padding,
}

impl Signer {
    pub(super) fn of(key: &'static str, alg: &'static str, chain: &[&'static str]) -> Self {
        let cose = match alg {
            "PS256" => -37,
            "PS384" => -38,
            "PS512" => -39,
            "ES384" => -35,
            "ES512" => -36,
            _ => -7,
        };
        let bits = alg.get(2..).and_then(|bits| bits.parse().ok()).unwrap_or(256);
        Self { key, chain: chain.to_vec(), alg, cose, bits, padding: Padding::Pss }
    }

    /// The ordinary one: P-256, an intermediate, a root.
    pub(super) fn plain() -> Self {
        Self::of("leaf", "ES256", &["leaf", "inter", "root"])
    }

    /// All six kinds of keys.
    pub(super) fn all() -> [Self; 6] {
        [
            Self::of("rsa2048", "PS256", &["leaf-rsa2048", "root"]),
            Self::of("rsa3072", "PS384", &["leaf-rsa3072", "root"]),
            Self::of("rsa4096", "PS512", &["leaf-rsa4096", "root"]),
            Self::of("leaf", "ES256", &["leaf", "inter", "root"]),
            Self::of("p384", "ES384", &["leaf-p384", "root"]),
            Self::of("p521", "ES512", &["leaf-p521", "root"]),
        ]
    }
}

/// A JWS before it is signed.
#[derive(Clone)]
pub(super) struct Jws {
    pub(super) signer: Signer,
    pub(super) protected: Value,
    /// The protected header byte by byte, in place of `protected`.
    pub(super) protected_text: Option<String>,
    pub(super) payload: String,
    pub(super) header: Value,
}

impl Jws {
    pub(super) fn new(signer: Signer) -> Self {
        let x5c: Vec<String> = signer.chain.iter().map(|name| STANDARD.encode(der(name))).collect();
        Self {
            protected: json!({ "alg": signer.alg, "crit": [SCHEME], "cty": PAYLOAD_TYPE, SCHEME: "notary.x509", TIME: SIGNED_TEXT }),
            protected_text: None,
            payload: payload(),
            header: json!({ "x5c": x5c }),
            signer,
        }
    }

    pub(super) fn plain() -> Self {
        Self::new(Signer::plain())
    }

    /// By a signing authority.
    pub(super) fn authority() -> Self {
        Self::plain()
            .with(json!({ SCHEME: AUTHORITY, TIME: null, AUTHENTIC: SIGNED_TEXT, "crit": [SCHEME, AUTHENTIC] }))
    }

    /// Replaces members of the protected header; null removes.
    pub(super) fn with(mut self, members: Value) -> Self {
        for (name, value) in members.as_object().unwrap() {
            self.protected[name] = value.clone();
        }
        self.protected.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self
    }

    /// Replaces members of the unprotected header.
    pub(super) fn header(mut self, members: Value) -> Self {
        for (name, value) in members.as_object().unwrap() {
            self.header[name] = value.clone();
        }
        self
    }

    pub(super) fn payload(mut self, text: impl Into<String>) -> Self {
        self.payload = text.into();
        self
    }

    pub(super) fn protected_text(mut self, text: impl Into<String>) -> Self {
        self.protected_text = Some(text.into());
        self
    }

    /// The four members.
    pub(super) fn document(&self) -> Value {
        let text = self.protected_text.clone().unwrap_or_else(|| self.protected.to_string());
        let (protected, payload) = (URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(&self.payload));
        let input = format!("{protected}.{payload}");
        let Signer { key, bits, padding, .. } = self.signer;
        let signature = URL_SAFE_NO_PAD.encode(sign(key, input.as_bytes(), bits, padding));
        json!({ "payload": payload, "protected": protected, "header": self.header, "signature": signature })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.document().to_string().into_bytes()
    }

    /// With members at the top replaced after signing.
    pub(super) fn changed(&self, members: Value) -> Vec<u8> {
        let mut document = self.document();
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        document.to_string().into_bytes()
    }
}

/// A COSE_Sign1 before it is signed.
#[derive(Clone)]
pub(super) struct Cose {
    pub(super) signer: Signer,
    pub(super) protected: Vec<(Cbor, Cbor)>,
    pub(super) unprotected: Vec<(Cbor, Cbor)>,
    pub(super) payload: String,
    /// The payload as it stands in the envelope, where that differs.
    pub(super) carried: Option<Cbor>,
    /// The `external_aad` that is signed along.
    pub(super) aad: Vec<u8>,
    pub(super) context: &'static str,
}

impl Cose {
    pub(super) fn new(signer: Signer) -> Self {
        let chain = signer.chain.iter().map(|name| Cbor::Bytes(der(name)));
        Self {
            protected: vec![
                (1.into(), signer.cose.into()),
                (2.into(), array([SCHEME.into()])),
                (3.into(), PAYLOAD_TYPE.into()),
                (TIME.into(), epoch(SIGNED)),
                (SCHEME.into(), "notary.x509".into()),
            ],
            unprotected: vec![(33.into(), array(chain))],
            payload: payload(),
            carried: None,
            aad: Vec::new(),
            context: "Signature1",
            signer,
        }
    }

    pub(super) fn plain() -> Self {
        Self::new(Signer::plain())
    }

    pub(super) fn authority() -> Self {
        Self::plain()
            .without(TIME)
            .with(SCHEME, AUTHORITY)
            .with(AUTHENTIC, epoch(SIGNED))
            .with(2, array([SCHEME.into(), AUTHENTIC.into()]))
    }

    /// Sets a label of the protected header.
    pub(super) fn with(mut self, label: impl Into<Cbor>, value: impl Into<Cbor>) -> Self {
        set(&mut self.protected, label.into(), Some(value.into()));
        self
    }

    pub(super) fn without(mut self, label: impl Into<Cbor>) -> Self {
        set(&mut self.protected, label.into(), None);
        self
    }

    /// Marks as critical what is, beside the scheme.
    pub(super) fn critical(self, labels: impl IntoIterator<Item = Cbor>) -> Self {
        let labels: Vec<Cbor> = [Cbor::from(SCHEME)].into_iter().chain(labels).collect();
        self.with(2, Cbor::Array(labels))
    }

    /// Sets a label of the unprotected header.
    pub(super) fn unsigned(mut self, label: impl Into<Cbor>, value: impl Into<Cbor>) -> Self {
        set(&mut self.unprotected, label.into(), Some(value.into()));
        self
    }

    pub(super) fn without_unsigned(mut self, label: impl Into<Cbor>) -> Self {
        set(&mut self.unprotected, label.into(), None);
        self
    }

    pub(super) fn payload(mut self, text: impl Into<String>) -> Self {
        self.payload = text.into();
        self
    }

    /// The four parts.
    pub(super) fn parts(&self) -> [Cbor; 4] {
        let protected = Cbor::Map(self.protected.clone()).encode();
        let payload = Cbor::Bytes(self.payload.clone().into_bytes());
        let structure = array([
            self.context.into(),
            Cbor::Bytes(protected.clone()),
            Cbor::Bytes(self.aad.clone()),
            payload.clone(),
        ]);
        let Signer { key, bits, padding, .. } = self.signer;
        let signature = sign(key, &structure.encode(), bits, padding);
        [
            Cbor::Bytes(protected),
            Cbor::Map(self.unprotected.clone()),
            self.carried.clone().unwrap_or(payload),
            Cbor::Bytes(signature),
        ]
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        Cbor::Tag(18, Box::new(array(self.parts()))).encode()
    }
}

fn set(bucket: &mut Vec<(Cbor, Cbor)>, label: Cbor, value: Option<Cbor>) {
    let encoded = label.encode();
    let at = bucket.iter().position(|(known, _)| known.encode() == encoded);
    match (at, value) {
        (Some(at), Some(value)) => bucket[at].1 = value,
        (Some(at), None) => drop(bucket.remove(at)),
        (None, Some(value)) => bucket.push((label, value)),
        (None, None) => panic!("nothing to remove"),
    }
}
