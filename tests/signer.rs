//! The signing side, judged by openssl (and by bulla's own readers).

#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers may fail loudly")]

#[path = "support/skip.rs"]
mod skip;

#[path = "signer/authority.rs"]
mod authority;
#[path = "signer/cose.rs"]
mod cose;
#[path = "signer/demo.rs"]
mod demo;
#[path = "signer/readings.rs"]
mod readings;
#[path = "signer/seals.rs"]
mod seals;
#[path = "signer/together.rs"]
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use bulla::limits::Limits;
use bulla::notary::{SignatureManifest, SignatureManifestForm};
use bulla::oci::{Descriptor, Manifest, MediaType};
use bulla::pki::{Certificate, HashAlgorithm, KeyKind};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{
    KeyError, KeyFile, LocalKey, LocalSigner, Passphrase, SIGNING_AGENT, SignatureArtifact, Signed, Signer,
    SigningError, SigningOptions, TimestampSource, sign_jws,
};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::tsp::TimestampToken;

const SIX: [(KeyKind, &[&str]); 6] = [
    (KeyKind::Rsa2048, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    (KeyKind::Rsa3072, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
    (KeyKind::Rsa4096, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"]),
    (KeyKind::P256, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    (KeyKind::P384, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    (KeyKind::P521, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
];

/// A scratch directory in which openssl runs.
struct Judge(tempfile::TempDir);

impl Judge {
    /// `None`, said aloud, where there is no openssl.
    fn new(test: &str) -> Option<Self> {
        let found = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            crate::skip::tool(format_args!("{test}: no openssl"));
            return None;
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn put_pem(&self, name: &str, certificates: &[Vec<u8>]) {
        self.put(name, certificates.iter().map(|der| pem(der)).collect::<String>());
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs openssl; its output, and whether it was content.
    fn asks(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl").args(arguments).current_dir(self.path()).output().unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    #[track_caller]
    fn accepts(&self, arguments: &[&str]) -> String {
        let (success, text) = self.asks(arguments);
        assert!(success, "openssl {arguments:?}: {text}");
        text
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str]) -> String {
        let (success, text) = self.asks(arguments);
        assert!(!success, "openssl {arguments:?} accepted: {text}");
        text
    }

    /// Gathers CRLs (DER) in one PEM file.
    fn gather_crls(&self, name: &str, files: &[&str]) {
        let mut all = String::new();
        for file in files {
            self.accepts(&["crl", "-inform", "DER", "-in", file, "-out", "one.crl.pem"]);
            all.push_str(&self.read("one.crl.pem"));
        }
        self.put(name, all);
    }

    fn key(&self, kind: KeyKind) -> LocalKey {
        let (_, arguments) = SIX.iter().find(|(known, _)| *known == kind).unwrap();
        let mut all = vec!["genpkey", "-out", "key.pem"];
        all.extend(*arguments);
        self.accepts(&all);
        LocalKey::from_pem(&self.read("key.pem")).unwrap()
    }
}

fn pem(der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// openssl judges by the machine's clock, so does this test.
fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime::from_seconds(since.as_secs().try_into().unwrap())
}

const DAY: Duration = Duration::from_secs(86_400);

fn around(now: UnixTime) -> ValidityPeriod {
    ValidityPeriod { not_before: now.saturating_sub(DAY), not_after: now.saturating_add(DAY * 30) }
}

fn request<'a>(subject: &'a str, crl_url: Option<&'a str>) -> Request<'a> {
    Request { subject, validity: around(now()), crl_url }
}

struct Pki {
    root: Authority,
    issuing: Authority,
}

impl Pki {
    fn new() -> Self {
        let root = Authority::root(&request("CN=Root,O=Test,ST=Here,C=NL", None)).unwrap();
        let issuing =
            root.intermediate(&request("CN=Issuing,O=Test,ST=Here,C=NL", Some("http://crl.test/root.crl"))).unwrap();
        Self { root, issuing }
    }

    fn signer(&self, key: LocalKey) -> LocalSigner {
        let wanted = request("CN=Signer,O=Test,ST=Here,C=NL", Some("http://crl.test/issuing.crl"));
        let chain = self.issuing.leaf(&wanted, LeafUsage::CodeSigning, &key.public_key_der().unwrap()).unwrap();
        LocalSigner::new(key, chain).unwrap()
    }

    fn p256_signer(&self) -> LocalSigner {
        self.signer(LocalKey::generate_p256().unwrap())
    }

    fn timestamp_authority(&self) -> TimestampAuthority {
        let wanted = request("CN=TSA,O=Test,ST=Here,C=NL", Some("http://crl.test/issuing.crl"));
        TimestampAuthority::new(&self.issuing, &wanted, Some(Duration::from_secs(1))).unwrap()
    }
}

fn target() -> Descriptor {
    Descriptor::of(MediaType::OCI_MANIFEST, b"a manifest")
}

/// An envelope's parts, the protected header and payload decoded.
struct Opened {
    document: serde_json::Value,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    protected: serde_json::Value,
    payload: serde_json::Value,
}

fn open(envelope: &[u8]) -> Opened {
    let document: serde_json::Value = serde_json::from_slice(envelope).unwrap();
    let text = |member: &str| document[member].as_str().unwrap().to_owned();
    let decoded = |member: &str| BASE64_URL_SAFE_NO_PAD.decode(text(member)).unwrap();
    Opened {
        signing_input: format!("{}.{}", text("protected"), text("payload")).into_bytes(),
        signature: decoded("signature"),
        protected: serde_json::from_slice(&decoded("protected")).unwrap(),
        payload: serde_json::from_slice(&decoded("payload")).unwrap(),
        document,
    }
}

impl Opened {
    fn chain(&self) -> Vec<Vec<u8>> {
        let texts = self.document["header"]["x5c"].as_array().unwrap().iter();
        texts.map(|text| BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap()).collect()
    }

    fn token(&self) -> Vec<u8> {
        let token = &self.document["header"]["io.cncf.notary.timestampSignature"];
        BASE64_STANDARD.decode(token.as_str().unwrap()).unwrap()
    }
}

/// Checks a raw JOSE signature with openssl: PSS with the salt length of the hash, or ECDSA re-coded as DER by openssl.
fn openssl_verifies(judge: &Judge, kind: KeyKind, spki: &[u8], message: &[u8], signature: &[u8]) -> (bool, String) {
    judge.put("spki", spki);
    judge.put("message", message);
    judge.accepts(&["pkey", "-pubin", "-inform", "DER", "-in", "spki", "-out", "spki.pem"]);
    let hash = match kind.hash() {
        HashAlgorithm::Sha256 => "-sha256",
        HashAlgorithm::Sha384 => "-sha384",
        HashAlgorithm::Sha512 => "-sha512",
    };
    let mut arguments = vec!["dgst", hash, "-verify", "spki.pem", "-signature", "signature"];
    if matches!(kind, KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096) {
        judge.put("signature", signature);
        arguments.extend(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
    } else {
        let (r, s) = signature.split_at(signature.len() / 2);
        let hex = |half: &[u8]| bulla::digest::hex(half);
        judge.put("asn1", format!("asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x{}\ns=INTEGER:0x{}\n", hex(r), hex(s)));
        judge.accepts(&["asn1parse", "-genconf", "asn1", "-out", "signature", "-noout"]);
    }
    arguments.push("message");
    judge.asks(&arguments)
}

#[test]
fn openssl_verifies_the_signatures_of_all_six_keys_in_every_file_format() {
    let Some(judge) = Judge::new("openssl_verifies_the_signatures_of_all_six_keys_in_every_file_format") else {
        return;
    };
    let (pki, now) = (Pki::new(), now());
    let expected = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];
    for ((kind, _), algorithm) in SIX.into_iter().zip(expected) {
        let key = judge.key(kind);
        assert_eq!(key.kind(), kind);
        let spki = key.public_key_der().unwrap();
        // PKCS#1 and SEC 1 files of the same key; and one with openssl's parameters in front.
        judge.accepts(&["pkey", "-in", "key.pem", "-traditional", "-out", "old.pem"]);
        let traditional = judge.read("old.pem");
        assert!(LocalKey::from_pem(&traditional).unwrap().matches(&spki), "{kind}");
        let text =
            format!("Bag Attributes\n-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n{traditional}");
        assert!(LocalKey::from_pem(&text).unwrap().matches(&spki), "{kind}");
        // Conformance 5.01, 3.07, 3.19, 3.20: the value over the exact signing input.
        let signer = pki.signer(key);
        let envelope = sign_jws(&target(), &signer, &SigningOptions::new(now)).unwrap();
        let opened = open(&envelope.bytes);
        assert_eq!(opened.protected["alg"], algorithm);
        let (valid, text) = openssl_verifies(&judge, kind, &spki, &opened.signing_input, &opened.signature);
        assert!(valid, "{kind}: {text}");
        let (valid, text) = openssl_verifies(&judge, kind, &spki, b"something else", &opened.signature);
        assert!(!valid, "{kind}: {text}");
    }
}

#[test]
fn keys_that_may_not_sign_are_refused() {
    let Some(judge) = Judge::new("keys_that_may_not_sign_are_refused") else { return };
    let refused = |name: &str| LocalKey::from_pem(&judge.read(name)).unwrap_err();
    judge.accepts(&["genpkey", "-out", "k", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    assert!(matches!(refused("k"), KeyError::UnsupportedSize { bits: 1024 } | KeyError::Malformed { .. }));
    judge.accepts(&["genpkey", "-out", "k", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2560"]);
    assert!(matches!(refused("k"), KeyError::UnsupportedSize { bits: 2560 }));
    judge.accepts(&["genpkey", "-out", "k", "-algorithm", "ED25519"]);
    assert!(matches!(refused("k"), KeyError::UnsupportedAlgorithm { .. }));
    judge.accepts(&["genpkey", "-out", "k", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    assert!(matches!(refused("k"), KeyError::UnsupportedAlgorithm { .. }));
    judge.accepts(&["pkey", "-in", "k", "-traditional", "-out", "old"]);
    assert!(matches!(refused("old"), KeyError::Malformed { .. }));
    judge.accepts(&["genpkey", "-out", "k", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    judge.accepts(&["pkcs8", "-topk8", "-in", "k", "-out", "e", "-passout", "pass:secret"]);
    assert!(matches!(refused("e"), KeyError::Encrypted));
    judge.accepts(&["ec", "-in", "k", "-aes128", "-passout", "pass:secret", "-out", "e"]);
    assert!(matches!(refused("e"), KeyError::TraditionalEncryption { .. }));
    // openssl's key derivations and ciphers.
    for how in [
        &["-v2", "aes-256-cbc"][..],
        &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384"],
        &["-scrypt", "-scrypt_N", "1024"],
    ] {
        judge.accepts(&[&["pkcs8", "-topk8", "-in", "k", "-out", "e", "-passout", "pass:hunter2"], how].concat());
        let file = KeyFile::parse(judge.read("e").as_bytes()).unwrap();
        assert!(file.is_encrypted() && matches!(file.read(), Err(KeyError::Encrypted)));
        let public = LocalKey::from_pem(&judge.read("k")).unwrap().public_key_der().unwrap();
        assert!(file.decrypt(&Passphrase::first_line(b"hunter2\n")).unwrap().matches(&public), "{how:?}");
        for wrong in ["", "hunter", "hunter2 "] {
            let error = file.decrypt(&Passphrase::first_line(wrong.as_bytes())).unwrap_err();
            assert!(matches!(error, KeyError::Passphrase), "{how:?} {wrong:?}: {error:?}");
        }
    }
    // What is weak is refused, and told from a wrong passphrase.
    judge.accepts(&["pkcs8", "-topk8", "-in", "k", "-out", "e", "-v2", "des3", "-passout", "pass:hunter2"]);
    let file = KeyFile::parse(judge.read("e").as_bytes()).unwrap();
    let error = file.decrypt(&Passphrase::first_line(b"hunter2")).unwrap_err();
    assert!(!matches!(error, KeyError::Passphrase), "{error:?}");
    // Conformance 5.20: the key of another certificate.
    let chain = Pki::new().p256_signer().certificates().to_vec();
    let key = LocalKey::from_pem(&judge.read("k")).unwrap();
    assert!(matches!(LocalSigner::new(key, chain), Err(KeyError::CertificateMismatch { .. })));
}

#[test]
fn the_envelope_has_the_members_that_the_reference_writes() {
    let (pki, now) = (Pki::new(), now());
    let (signer, tsa) = (pki.p256_signer(), pki.timestamp_authority());
    let timestamp = TimestampAt { authority: &tsa, time: now };
    let mut target = target();
    target.artifact_type = Some("dropped/type".into());
    let options = SigningOptions {
        expiry: Some(now.saturating_add(DAY)),
        user_metadata: BTreeMap::from([("build".to_owned(), "<101>".to_owned())]),
        timestamp: Some(&timestamp),
        ..SigningOptions::new(UnixTime::new(now.seconds(), 999_999_999))
    };
    let envelope = sign_jws(&target, &signer, &options).unwrap();
    // Conformance 3.01 and the order of vectors/notation.
    let text = String::from_utf8(envelope.bytes.clone()).unwrap();
    let order = [
        "{\"payload\":",
        "\"protected\":",
        "\"header\":{\"io.cncf.notary.timestampSignature\":",
        "\"x5c\":[",
        "\"io.cncf.notary.signingAgent\":",
        "},\"signature\":",
    ];
    let positions: Vec<_> = order.iter().map(|member| text.find(member).unwrap()).collect();
    assert!(positions.is_sorted(), "{text}");
    let opened = open(&envelope.bytes);
    assert_eq!(opened.document.as_object().unwrap().len(), 4);
    // Conformance 3.05, 3.09, 3.10, 2.24: whole seconds, crit lists scheme and expiry.
    assert_eq!(
        opened.protected,
        serde_json::json!({
            "alg": "ES256",
            "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"],
            "cty": "application/vnd.cncf.notary.payload.v1+json",
            "io.cncf.notary.expiry": now.saturating_add(DAY).to_string(),
            "io.cncf.notary.signingScheme": "notary.x509",
            "io.cncf.notary.signingTime": now.to_string(),
        })
    );
    // Conformance 2.02, 2.03, 2.05.
    assert_eq!(
        opened.payload,
        serde_json::json!({ "targetArtifact": {
            "annotations": { "build": "<101>" },
            "digest": target.digest.to_string(),
            "mediaType": MediaType::OCI_MANIFEST,
            "size": target.size,
        }})
    );
    // Conformance 3.16 to 3.18, 2.22: standard base64 with padding, leaf first.
    let header = &opened.document["header"];
    assert_eq!(opened.chain(), signer.certificates());
    assert_eq!(header["io.cncf.notary.signingAgent"], SIGNING_AGENT);
    // Conformance 9.01: the token is for the hash of the raw signature.
    let token = TimestampToken::parse(&opened.token(), &Limits::default()).unwrap();
    let root = Certificate::from_der(pki.root.root_certificate()).unwrap();
    token.verify(&opened.signature, &[root], &Limits::default()).unwrap();
}

/// A timestamp authority that is out of order.
struct Broken;

impl TimestampSource for Broken {
    fn timestamp(&self, _: HashAlgorithm, _: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Err("out of order".into())
    }
}

/// A signer whose answers are not by its certificate's key.
struct Liar {
    real: LocalSigner,
    other: LocalKey,
}

impl Signer for Liar {
    fn key_kind(&self) -> KeyKind {
        self.real.key_kind()
    }
    fn certificates(&self) -> &[Vec<u8>] {
        self.real.certificates()
    }
    fn sign(&self, signing_input: &[u8]) -> Result<Signed, SigningError> {
        Ok(Signed { signature: self.other.sign(signing_input)?, certificates: self.certificates().to_vec() })
    }
}

#[test]
fn no_signature_is_made_that_would_not_verify() {
    let (pki, now) = (Pki::new(), now());
    let signer = pki.p256_signer();
    let options = SigningOptions::new(now);
    let sign = |signer: &dyn Signer, options: &SigningOptions<'_>| sign_jws(&target(), signer, options);
    assert!(sign(&signer, &options).is_ok());
    // Conformance 9.05.
    let broken = SigningOptions { timestamp: Some(&Broken), ..options.clone() };
    assert!(matches!(sign(&signer, &broken), Err(SigningError::Timestamp(_))));
    // Conformance 5.17, both ways.
    for time in [now.saturating_sub(DAY * 3), now.saturating_add(DAY * 40)] {
        let outside = sign(&signer, &SigningOptions::new(time));
        assert!(matches!(outside, Err(SigningError::OutsideValidity(_))), "{outside:?}");
    }
    // Conformance 2.28.
    let liar = Liar { real: pki.p256_signer(), other: LocalKey::generate_p256().unwrap() };
    assert!(matches!(sign(&liar, &options), Err(SigningError::SelfCheck(_))));
    // Conformance 5.13: a timestamp authority's certificate does not sign software. 5.04: no root.
    let key = LocalKey::generate_p256().unwrap();
    let spki = key.public_key_der().unwrap();
    let wanted = request("CN=TSA,O=Test,ST=Here,C=NL", None);
    let chain = pki.issuing.leaf(&wanted, LeafUsage::Timestamping, &spki).unwrap();
    assert!(matches!(sign(&LocalSigner::new(key, chain).unwrap(), &options), Err(SigningError::Chain(_))));
    let key = LocalKey::generate_p256().unwrap();
    let mut chain = pki
        .issuing
        .leaf(&request("CN=S,O=Test,ST=Here,C=NL", None), LeafUsage::CodeSigning, &key.public_key_der().unwrap())
        .unwrap();
    chain.pop();
    assert!(matches!(sign(&LocalSigner::new(key, chain).unwrap(), &options), Err(SigningError::Chain(_))));
}

#[test]
fn a_signature_artifact_takes_either_form() {
    let (pki, now) = (Pki::new(), now());
    let signer = pki.p256_signer();
    for form in [SignatureManifestForm::ArtifactType, SignatureManifestForm::ConfigMediaType] {
        let envelope = sign_jws(&target(), &signer, &SigningOptions::new(now)).unwrap();
        let artifact = SignatureArtifact::build(form, &target(), envelope).unwrap();
        let manifest = Manifest::parse(&artifact.descriptor, artifact.manifest.clone()).unwrap();
        let signature = SignatureManifest::read(&manifest).unwrap();
        assert_eq!(signature.form(), form);
        assert!(signature.subject().same_content(&target()));
        assert_eq!(*signature.envelope(), artifact.envelope.descriptor);
        assert_eq!(manifest.config().unwrap().media_type, artifact.config.media_type);
        assert_eq!(artifact.descriptor.artifact_type.as_ref().unwrap(), SignatureManifest::ARTIFACT_TYPE);
        // Conformance 1.09 to 1.11.
        let hashes: Vec<_> = signer.certificates().iter().map(|der| bulla::digest::Digest::sha256(der).hex()).collect();
        let thumbprints = &manifest.annotations()["io.cncf.notary.x509chain.thumbprint#S256"];
        assert_eq!(*thumbprints, format!("[\"{}\"]", hashes.join("\",\"")));
        assert_eq!(manifest.annotations()["org.opencontainers.image.created"], now.to_string());
    }
    let envelope = sign_jws(&target(), &signer, &SigningOptions::new(now)).unwrap();
    assert!(SignatureArtifact::build(SignatureManifestForm::ArtifactManifest, &target(), envelope).is_err());
}
