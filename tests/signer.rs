//! The signing side, judged by openssl (and by bulla's own readers).

#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "test helpers may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use bulla::config::{load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::notary::{SignatureEnvelope, SignatureManifest, SignatureManifestForm};
use bulla::oci::{Descriptor, Manifest, ManifestKind, MediaType};
use bulla::ops::demo::DemoWorld;
use bulla::pki::{Certificate, CertificateChain, Crl, CrlEntry, HashAlgorithm, KeyKind, Profile, RevocationReason};
use bulla::signer::authority::{Authority, CrlReason, LeafUsage, Request, Revocation};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{
    KeyError, LocalKey, LocalSigner, SIGNING_AGENT, SignatureArtifact, Signer, SigningError, SigningOptions,
    TimestampSource, sign_jws,
};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::trust::StoreType;
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
            eprintln!("SKIP {test}: no openssl");
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

fn conforms(chain: &[Vec<u8>], profile: Profile) {
    let chain = chain.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    CertificateChain::new(chain, &Limits::default()).unwrap().inspect(profile).unwrap();
}

#[test]
fn openssl_accepts_the_chains_of_the_authority() {
    let Some(judge) = Judge::new("openssl_accepts_the_chains_of_the_authority") else { return };
    let pki = Pki::new();
    let signer = pki.p256_signer();
    let tsa = pki.timestamp_authority().chain().unwrap();
    for (chain, purpose) in [(signer.certificates(), "any"), (&tsa, "timestampsign")] {
        judge.put_pem("leaf.pem", &chain[..1]);
        judge.put_pem("issuing.pem", &chain[1..2]);
        judge.put_pem("root.pem", &chain[2..]);
        let verify = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem"];
        judge.accepts(&[&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat());
        judge.refuses(&[&verify[..], &["leaf.pem"]].concat());
    }
    // Conformance 5.08, 5.10: both critical, keyCertSign; the issuing authority may have no authority below it.
    let issuing = judge.accepts(&["x509", "-in", "issuing.pem", "-noout", "-text"]);
    for wanted in [
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "URI:http://crl.test/root.crl",
    ] {
        assert!(issuing.contains(wanted), "{wanted}: {issuing}");
    }
    // Conformance 5.14: critical and nothing else.
    let stamping = judge.accepts(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    assert!(stamping.contains("X509v3 Extended Key Usage: critical\n                Time Stamping\n"), "{stamping}");
    // Conformance 5.11 to 5.13.
    judge.put_pem("leaf.pem", &signer.certificates()[..1]);
    let leaf = judge.accepts(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    for wanted in [
        "CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                Code Signing\n",
        "URI:http://crl.test/issuing.crl",
        "Subject: C = NL, ST = Here, O = Test, CN = Signer",
    ] {
        assert!(leaf.contains(wanted), "{wanted}: {leaf}");
    }
    conforms(signer.certificates(), Profile::CodeSigning);
    conforms(&tsa, Profile::Timestamping);
}

#[test]
fn openssl_accepts_the_crls_and_finds_the_revoked_certificate() {
    let Some(judge) = Judge::new("openssl_accepts_the_crls_and_finds_the_revoked_certificate") else { return };
    let (pki, now) = (Pki::new(), now());
    let signer = pki.p256_signer();
    let leaf = signer.certificates()[0].clone();
    let crl =
        |revoked: &[Revocation]| pki.issuing.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 7, revoked).unwrap();
    let revocation =
        Revocation { certificate: leaf.clone(), date: now.saturating_sub(DAY), reason: CrlReason::KeyCompromise };
    let root_crl = pki.root.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 1, &[]).unwrap();
    judge.put_pem("leaf.pem", &signer.certificates()[..1]);
    judge.put_pem("issuing.pem", &signer.certificates()[1..2]);
    judge.put_pem("root.pem", &signer.certificates()[2..]);
    judge.put("root.crl", root_crl);
    let issuer = Certificate::from_der(&signer.certificates()[1]).unwrap();
    let serial = Certificate::from_der(&leaf).unwrap().serial().clone();
    for revoked in [false, true] {
        let der = if revoked { crl(std::slice::from_ref(&revocation)) } else { crl(&[]) };
        judge.put("issuing.crl", &der);
        let text = judge.accepts(&[
            "crl",
            "-inform",
            "DER",
            "-in",
            "issuing.crl",
            "-CAfile",
            "issuing.pem",
            "-text",
            "-noout",
            "-verify",
        ]);
        assert!(text.contains("verify OK"), "{text}");
        assert!(text.contains("Version 2"), "{text}");
        assert!(text.contains("X509v3 CRL Number: \n                7"), "{text}");
        assert!(text.contains("X509v3 Authority Key Identifier"), "{text}");
        judge.gather_crls("all.crl.pem", &["root.crl", "issuing.crl"]);
        let verify = ["verify", "-crl_check_all", "-CRLfile", "all.crl.pem", "-CAfile", "root.pem"];
        let arguments = [&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat();
        let found = Crl::from_der(der).unwrap().verify(&issuer).unwrap().lookup(&serial).unwrap();
        if revoked {
            assert!(text.contains("Key Compromise"), "{text}");
            assert!(judge.refuses(&arguments).contains("certificate revoked"));
            assert!(!matches!(found, CrlEntry::NotListed), "{found:?}");
        } else {
            judge.accepts(&arguments);
            assert!(matches!(found, CrlEntry::NotListed), "{found:?}");
        }
    }
}

#[test]
fn openssl_accepts_the_timestamp_tokens() {
    let Some(judge) = Judge::new("openssl_accepts_the_timestamp_tokens") else { return };
    let (pki, now) = (Pki::new(), now());
    let tsa = pki.timestamp_authority();
    let chain = tsa.chain().unwrap();
    judge.put_pem("root.pem", &chain[2..]);
    for (hash, name) in
        [(HashAlgorithm::Sha256, "-sha256"), (HashAlgorithm::Sha384, "-sha384"), (HashAlgorithm::Sha512, "-sha512")]
    {
        let message = b"a primitive signature";
        judge.put("data", message);
        judge.put("other", b"another one");
        let token = tsa.token(hash, &hash.digest(message), now).unwrap();
        judge.put("token", &token);
        let verify = |data: &str| {
            ["ts", "-verify", "-data", data, "-in", "token", "-token_in", "-CAfile", "root.pem"].map(str::to_owned)
        };
        let data = verify("data");
        let other = verify("other");
        assert!(judge.accepts(&data.each_ref().map(String::as_str)).contains("Verification: OK"), "{name}");
        judge.refuses(&other.each_ref().map(String::as_str));
        let text = judge.accepts(&["ts", "-reply", "-in", "token", "-token_in", "-text"]);
        assert!(text.contains("Accuracy: 0x01 seconds"), "{text}");
        // Our own reader agrees, at genTime and with the accuracy.
        let token = TimestampToken::parse(&token, &Limits::default()).unwrap();
        let root = Certificate::from_der(&chain[2]).unwrap();
        let verified = token.verify(message, &[root], &Limits::default()).unwrap();
        assert_eq!(verified.gen_time(), now);
        assert_eq!(verified.latest(), now.saturating_add(Duration::from_secs(1)));
    }
    // Conformance 9.11, 9.13, 9.15, 9.16: what openssl reads in the structure.
    let text = judge.accepts(&["cms", "-cmsout", "-print", "-inform", "DER", "-in", "token"]);
    for wanted in [
        "version: 3",
        "version: 1",
        "id-smime-ct-TSTInfo",
        "messageDigest",
        "signingTime",
        "id-smime-aa-signingCertificateV2",
        "ecdsa-with-SHA256",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(tsa.token(HashAlgorithm::Sha256, b"short", now).is_err());
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
    assert!(matches!(refused("e"), KeyError::Encrypted));
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
    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.other.sign(signing_input)
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
fn the_demo_world_holds_together() {
    let now = now();
    let world = DemoWorld::create(now).unwrap();
    let manifests: Vec<_> = world
        .blobs
        .iter()
        .map(|(descriptor, bytes)| {
            assert_eq!(descriptor.digest, bulla::digest::Digest::sha256(bytes));
            assert_eq!(descriptor.size, u64::try_from(bytes.len()).unwrap());
            (descriptor, bytes)
        })
        .filter(|(descriptor, _)| descriptor.media_type.is_manifest())
        .map(|(descriptor, bytes)| Manifest::parse(descriptor, bytes.clone()).unwrap())
        .collect();
    let has = |wanted: &Descriptor| world.blobs.iter().any(|(descriptor, _)| descriptor.same_content(wanted));
    for manifest in &manifests {
        assert!(manifest.blobs().chain(manifest.manifests()).all(has), "{}", manifest.descriptor().digest);
    }
    let index = manifests.iter().find(|manifest| manifest.kind() == ManifestKind::Index).unwrap();
    let platforms: Vec<_> =
        index.manifests().iter().map(|child| child.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let signature = manifests.iter().find(|manifest| manifest.subject().is_some()).unwrap();
    assert!(signature.subject().unwrap().same_content(&world.index));
    assert_eq!(signature.descriptor().digest, world.signatures[0].digest);
    let (_, envelope) = world.blobs.iter().find(|(descriptor, _)| *descriptor == signature.layers()[0]).unwrap();
    let target = &open(envelope).payload["targetArtifact"];
    assert_eq!(target["digest"], world.index.digest.to_string());
    // Every distribution point that a chain names has its CRL, good and revoked.
    let opened = open(envelope);
    let mut certificates: Vec<_> = opened.chain().iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    let token = TimestampToken::parse(&opened.token(), &Limits::default()).unwrap();
    certificates.extend(token.certificates().iter().cloned());
    let mut urls = Vec::new();
    for certificate in &certificates {
        urls.extend(certificate.revocation_sources().unwrap().http_crl_urls().iter().map(|url| (*url).to_owned()));
    }
    urls.sort();
    for crls in [&world.crls, &world.revoked_crls] {
        let mut offered: Vec<_> = crls.iter().map(|crl| crl.url.clone()).collect();
        offered.sort();
        assert_eq!(urls, offered);
    }
}

#[test]
fn the_demo_world_is_trusted_by_its_own_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (now, limits) = (now(), Limits::default());
    let world = DemoWorld::create(now).unwrap();
    world.write(directory.path()).unwrap();
    let config = directory.path().join("config");
    let policy = load_policy(&config, &limits).unwrap().document;
    let statement = policy.select(&world.reference.repository).unwrap();
    let loaded = load_trust_stores(&config, statement.stores(), &limits).unwrap();
    assert!(loaded.ignored.is_empty());
    let anchors = |kind| loaded.stores.anchors(statement.stores(), kind).unwrap();
    let (descriptor, bytes) = world.blobs.iter().find(|(found, _)| *found == world.signatures[0]).unwrap();
    let manifest = Manifest::parse(&descriptor.bare(), bytes.clone()).unwrap();
    assert_eq!(manifest.referrer_descriptor(), *descriptor);
    let signature = SignatureManifest::read(&manifest).unwrap();
    let (_, bytes) = world.blobs.iter().find(|(found, _)| found == signature.envelope()).unwrap();
    let envelope = SignatureEnvelope::parse(&signature.envelope().media_type, bytes, &limits).unwrap();
    let envelope = envelope.verify().unwrap();
    envelope.payload().matches(&world.index).unwrap();
    envelope.chain().verify_anchor(&anchors(StoreType::Ca)).unwrap();
    envelope.chain().check_validity(now, now).unwrap();
    statement.identities().evaluate(envelope.chain().leaf().subject()).unwrap();
    let token = TimestampToken::parse(envelope.timestamp().unwrap(), &limits).unwrap();
    let token = token.verify(envelope.signature(), &anchors(StoreType::Tsa), &limits).unwrap();
    envelope.chain().check_validity(token.earliest(), token.latest()).unwrap();
    // The signer is on the second list only, and everyone else on neither.
    for (crls, revoked) in [(&world.crls, 0), (&world.revoked_crls, 1)] {
        let mut found = 0;
        for chain in [envelope.chain(), token.chain()] {
            for pair in chain.certificates().windows(2) {
                let url = pair[0].revocation_sources().unwrap().http_crl_urls()[0].to_owned();
                let crl = crls.iter().find(|crl| crl.url == url).unwrap();
                let crl = Crl::from_der(crl.der.clone()).unwrap().verify(&pair[1]).unwrap();
                crl.covers(&pair[0]).unwrap();
                assert!(crl.crl().this_update() > token.latest() && crl.crl().this_update() <= now);
                if let CrlEntry::Revoked(revocation) = crl.lookup(pair[0].serial()).unwrap() {
                    assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
                    assert!(revocation.date > token.latest() && revocation.date < crl.crl().this_update());
                    found += 1;
                }
            }
        }
        assert_eq!(found, revoked);
    }
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

#[test]
fn openssl_judges_the_written_demo_world() {
    let Some(judge) = Judge::new("openssl_judges_the_written_demo_world") else { return };
    let world = DemoWorld::create(now()).unwrap();
    world.write(judge.path()).unwrap();
    let file = |name: &str| -> PathBuf { judge.path().join(name) };
    assert!(file("registry/oci-layout").is_file() && file("registry/index.json").is_file());
    assert!(file("config/trustpolicy.json").is_file());
    let envelope = world.blobs.iter().find(|(descriptor, _)| descriptor.media_type == "application/jose+json");
    let opened = open(&envelope.unwrap().1);
    let chain = opened.chain();
    judge.put_pem("leaf.pem", &chain[..1]);
    judge.put_pem("issuing.pem", &chain[1..2]);
    let root = "config/truststore/x509/ca/bulla-demo/root.pem";
    for (directory, good) in [("crls", true), ("crls-revoked", false)] {
        let files = ["root", "issuing"].map(|name| format!("{directory}/{name}.crl"));
        judge.gather_crls("all.crl.pem", &files.each_ref().map(String::as_str));
        let verify = ["verify", "-crl_check_all", "-CRLfile", "all.crl.pem", "-CAfile", root];
        let arguments = [&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat();
        if good {
            judge.accepts(&arguments);
        } else {
            assert!(judge.refuses(&arguments).contains("certificate revoked"));
        }
    }
    judge.put("signature", &opened.signature);
    judge.put("token", opened.token());
    let tsa = "config/truststore/x509/tsa/bulla-demo-tsa/root.pem";
    judge.accepts(&["ts", "-verify", "-data", "signature", "-in", "token", "-token_in", "-CAfile", tsa]);
}

#[test]
fn skopeo_copies_the_demo_image_without_changing_its_digest() {
    let found = Command::new("skopeo").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("SKIP skopeo_copies_the_demo_image_without_changing_its_digest: no skopeo");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let world = DemoWorld::create(now()).unwrap();
    world.write(directory.path()).unwrap();
    let skopeo = |arguments: &[&str]| {
        let output = Command::new("skopeo").args(arguments).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let policy = "--insecure-policy";
    skopeo(&[policy, "copy", "--all", "--preserve-digests", "oci:registry:1.0", "oci:copy:1.0"]);
    let raw = skopeo(&["inspect", "--raw", "oci:copy:1.0"]);
    assert_eq!(bulla::digest::Digest::sha256(&raw), world.index.digest);
    for architecture in ["amd64", "arm64"] {
        let config = skopeo(&["--override-arch", architecture, "inspect", "--config", "oci:copy:1.0"]);
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
}
