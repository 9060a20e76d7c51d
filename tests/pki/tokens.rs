//! RFC 3161 tokens made by `openssl ts`, and, where that refuses, by `openssl cms`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla::cms::CmsError;
use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::limits::Limits;
use bulla::notary::SignatureEnvelope;
use bulla::oci::Descriptor;
use bulla::pki::{Certificate, ChainError, HashAlgorithm, SignatureError, Violation, build_timestamping_chain};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::{LocalKey, LocalSigner, SigningOptions, sign_jws};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::tsp::{TimestampError, TimestampFailure, TimestampToken, VerifiedToken};
use bulla::verification::{CarriedEvidence, PlanNote, plan};

use crate::forms::replace;
use crate::openssl::{AUTHORITY, Pki, ROOT, pki, tlv};

pub(crate) const MESSAGE: &[u8] = b"the signature that is stamped";

pub(crate) struct World {
    pub pki: Pki,
    pub root: Certificate,
    pub mid: Certificate,
    pub tsa: Certificate,
}

/// root → mid → tsa, with P-256 keys.
pub(crate) fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "mid", "tsa"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    let mid = pki.issue("mid", "mid", Some("root"), ROOT, "");
    let tsa = pki.issue("tsa", "tsa", Some("mid"), AUTHORITY, "");
    pki.write("message", MESSAGE);
    Some(World { pki, root, mid, tsa })
}

impl World {
    /// A token of [`MESSAGE`] by `signer`, with settings of openssl's configuration and options of its query.
    pub(crate) fn stamp(&self, signer: &str, settings: &str, query: &str) -> Vec<u8> {
        self.pki.write("serial", "01\n");
        self.pki.write(
            "ts.cnf",
            format!(
                "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = {signer}.pem\nsigner_key = {signer}.key\n\
                 certs = mid.pem\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\nother_policies = 0.4.0.2023.1.1\n\
                 digests = sha1, sha256, sha384, sha512\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n{settings}\n"
            ),
        );
        let query = if query.contains("-sha") { query.to_owned() } else { format!("-sha256 {query}") };
        self.pki.run(&format!("ts -query -data message -no_nonce -out q.tsq {query}"));
        self.pki.run("ts -reply -config ts.cnf -queryfile q.tsq -token_out -out token.der");
        self.pki.read("token.der")
    }

    /// The same content, signed by `openssl cms` with any signer and options.
    fn sign(&self, content: &[u8], signers: &[&str], options: &str) -> Vec<u8> {
        self.pki.write("content.der", content);
        let signers: String = signers.iter().map(|name| format!("-signer {name}.pem -inkey {name}.key ")).collect();
        self.pki.run(&format!(
            "cms -sign -binary -nodetach -in content.der -econtent_type 1.2.840.113549.1.9.16.1.4 {signers} \
             -certfile mid.pem -outform DER -out signed.der {options}"
        ));
        self.pki.read("signed.der")
    }

    /// The TSTInfo of a token, four years later: certificates made after the token are valid then.
    fn content(&self, token: &[u8]) -> Vec<u8> {
        self.pki.write("token.der", token);
        self.pki.run("cms -verify -noverify -binary -inform DER -in token.der -out content.der");
        let mut content = self.pki.read("content.der");
        let time = content.windows(4).position(|window| window == b"\x18\x0f20").unwrap() + 2;
        let year: u32 = std::str::from_utf8(&content[time..time + 4]).unwrap().parse().unwrap();
        content[time..time + 4].copy_from_slice((year + 4).to_string().as_bytes());
        content
    }

    fn verify(&self, token: &[u8]) -> Result<VerifiedToken, TimestampError> {
        self.verify_with(token, std::slice::from_ref(&self.root))
    }

    fn verify_with(&self, token: &[u8], roots: &[Certificate]) -> Result<VerifiedToken, TimestampError> {
        let limits = Limits::default();
        TimestampToken::parse(token, &limits)?.verify(MESSAGE, roots, &limits)
    }
}

#[test]
fn good_tokens_verify() {
    let Some(world) = world() else { return };
    for (sha, hash) in
        [("-sha256", HashAlgorithm::Sha256), ("-sha384", HashAlgorithm::Sha384), ("-sha512", HashAlgorithm::Sha512)]
    {
        let der = world.stamp("tsa", "", &format!("-cert {sha}"));
        let token = TimestampToken::parse(&der, &Limits::default()).unwrap();
        assert_eq!((token.info().hash, token.info().policy.as_str()), (hash, "1.2.3.4"));
        assert_eq!(token.info().imprint, hash.digest(MESSAGE));
        assert_eq!(token.certificates(), [world.tsa.clone(), world.mid.clone()]);
        assert_eq!(token.signer().unwrap(), &world.tsa);
        assert_eq!(token.der(), der);
        let verified = world.verify(&der).unwrap();
        assert_eq!(verified.chain().certificates(), [world.tsa.clone(), world.mid.clone(), world.root.clone()]);
        assert_eq!(verified.anchor(), &world.root);
        assert_eq!((verified.earliest(), verified.latest()), (verified.gen_time(), verified.gen_time()));
    }
    // 9.18: with the names of the whole chain, and other hashes in ESSCertIDv2.
    for settings in ["ess_cert_id_chain = yes", "ess_cert_id_alg = sha512", "signer_digest = sha512"] {
        world.verify(&world.stamp("tsa", settings, "-cert")).unwrap_or_else(|error| panic!("{settings}: {error}"));
    }
}

/// 9.26, 9.27.
#[test]
fn accuracy_and_fractions() {
    let Some(world) = world() else { return };
    let info = |settings: &str, query: &str| {
        let der = world.stamp("tsa", settings, query);
        world.verify(&der).unwrap();
        let token = TimestampToken::parse(&der, &Limits::default()).unwrap();
        let (before, after) =
            (token.info().gen_time.since(token.earliest()), token.latest().since(token.info().gen_time));
        assert_eq!(before, after);
        (before, token.info().gen_time)
    };
    assert_eq!(info("accuracy = secs:1, millisecs:500, microsecs:100", "-cert").0, Duration::from_micros(1_500_100));
    assert_eq!(info("accuracy = millisecs:500", "-cert").0, Duration::from_millis(500));
    assert_eq!(info("", "-cert -tspolicy 0.4.0.2023.1.1").0, Duration::from_secs(1));
    assert_eq!(info("accuracy = secs:3", "-cert -tspolicy 0.4.0.2023.1.1").0, Duration::from_secs(3));
    // One time in a million six digits of a fraction are zeros; three tokens in a row never are.
    let fraction = (0..3).map(|_| info("clock_precision_digits = 6", "-cert").1.nanos()).max();
    assert!(fraction > Some(0));
}

#[test]
fn other_messages_and_other_authorities_are_told_apart() {
    let Some(world) = world() else { return };
    let der = world.stamp("tsa", "", "-cert");
    let limits = Limits::default();
    let token = TimestampToken::parse(&der, &limits).unwrap();
    let error = token.verify(b"another", std::slice::from_ref(&world.root), &limits).unwrap_err();
    assert_eq!((error.failure(), error.code()), (TimestampFailure::ImprintMismatch, DiagnosticCode::TimestampInvalid));

    world.pki.key("stranger", "ec:P-256");
    let stranger = world.pki.issue("stranger", "stranger", None, ROOT, "");
    for roots in [vec![], vec![stranger.clone()]] {
        let error = world.verify_with(&der, &roots).unwrap_err();
        assert_eq!((error.failure(), error.code()), (TimestampFailure::Untrusted, DiagnosticCode::TimestampUntrusted));
    }
    // A root of the same name with another key is no way in either.
    let impostor = world.pki.issue_as("impostor", "root", "stranger", None, ROOT, "");
    let error = world.verify_with(&der, std::slice::from_ref(&impostor)).unwrap_err();
    assert!(matches!(error, TimestampError::Chain { source: ChainError::NotSignedBy { .. } }), "{error}");
    world.verify_with(&der, &[impostor, stranger, world.root.clone()]).unwrap();
}

/// 9.10, 9.17: the signer must be in the token.
#[test]
fn tokens_without_certificates_are_refused() {
    let Some(world) = world() else { return };
    let der = world.stamp("tsa", "", "");
    let token = TimestampToken::parse(&der, &Limits::default()).unwrap();
    assert!(token.certificates().is_empty());
    assert_eq!(token.signer().unwrap_err(), TimestampError::SignerCertificateMissing);
    assert_eq!(world.verify(&der).unwrap_err(), TimestampError::SignerCertificateMissing);
}

#[test]
fn sha1_is_refused_everywhere() {
    let Some(world) = world() else { return };
    let limits = Limits::default();
    let parse = |der: &[u8]| TimestampToken::parse(der, &limits).map(|_| ()).unwrap_err();
    assert_eq!(parse(&world.stamp("tsa", "", "-cert -sha1")), TimestampError::ImprintAlgorithm);
    assert_eq!(
        parse(&world.stamp("tsa", "signer_digest = sha1", "-cert")),
        TimestampError::Cms { source: CmsError::DigestAlgorithm { oid: "1.3.14.3.2.26".into() } }
    );
    // 9.16: openssl writes signing-certificate version 1 for SHA-1.
    let error = parse(&world.stamp("tsa", "ess_cert_id_alg = sha1", "-cert"));
    assert!(matches!(&error, TimestampError::Cms { source: CmsError::Attribute { .. } }), "{error}");
    assert_eq!(error.failure(), TimestampFailure::Invalid);
}

/// 9.12 to 9.16, 9.19, with tokens that `openssl ts` does not make.
#[test]
fn other_forms_of_signed_data() {
    let Some(world) = world() else { return };
    let content = world.content(&world.stamp("tsa", "", "-cert"));
    world.verify(&world.sign(&content, &["tsa"], "-cades -md sha256")).unwrap();

    let failure = |options: &str| world.verify(&world.sign(&content, &["tsa"], options)).unwrap_err();
    let indefinite = failure("-cades -md sha256 -stream -indef");
    assert_eq!(indefinite, TimestampError::Cms { source: CmsError::IndefiniteLength }, "9.12");
    let by_key = failure("-cades -md sha256 -keyid");
    assert_eq!(by_key, TimestampError::Cms { source: CmsError::SignerIdentifier }, "9.13");
    let no_ess = failure("-md sha256");
    assert!(matches!(no_ess, TimestampError::Cms { source: CmsError::Attribute { .. } }), "9.16: {no_ess}");
    let no_attributes = failure("-md sha256 -noattr");
    assert_eq!(no_attributes, TimestampError::Cms { source: CmsError::NoSignedAttributes }, "9.15");
    let weak = failure("-cades -md sha1");
    assert!(matches!(weak, TimestampError::Cms { source: CmsError::DigestAlgorithm { .. } }), "{weak}");

    // Another content type, and content that is no TSTInfo.
    world
        .pki
        .run("cms -sign -binary -nodetach -in message -signer tsa.pem -inkey tsa.key -outform DER -out signed.der");
    let error = TimestampToken::parse(&world.pki.read("signed.der"), &Limits::default()).unwrap_err();
    assert!(matches!(error, TimestampError::Cms { source: CmsError::Version { .. } }), "9.11: {error}");
    assert!(world.verify(&world.sign(b"hello", &["tsa"], "-cades -md sha256")).is_err());

    // A critical extension of the TSTInfo that nobody knows; the same one not critical.
    for (flag, good) in [(&[1, 1, 0xff][..], false), (&[], true)] {
        let extension = tlv(0x30, &[&[6, 3, 0x2a, 3, 4], flag, &[4, 2, 5, 0]].concat());
        let inside =
            &content[content.len() - usize::from(*content.get(1).filter(|len| **len < 0x80).unwrap_or(&content[2]))..];
        let extended = tlv(0x30, &[inside, &tlv(0xa1, &extension)].concat());
        let found = world.verify(&world.sign(&extended, &["tsa"], "-cades -md sha256"));
        match found {
            Err(TimestampError::CriticalExtension { extension }) => assert!(!good && extension == "1.2.3.4"),
            found => assert!(good && found.is_ok(), "{found:?}"),
        }
    }

    // RSA, both paddings.
    world.pki.key("rsa", "rsa:2048");
    world.pki.issue("rsa", "rsa", Some("mid"), AUTHORITY, "");
    for padding in ["", "-keyopt rsa_padding_mode:pss", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:max"] {
        let der = world.sign(&content, &["rsa"], &format!("-cades -md sha256 {padding}"));
        world.verify(&der).unwrap_or_else(|error| panic!("{padding}: {error}"));
    }
}

/// What is swapped after signing: a certificate of the same name, serial number and key, and the content type.
#[test]
fn substitutions_are_found() {
    let Some(world) = world() else { return };
    let pki = &world.pki;
    let first = pki.issue("tsa", "tsa", Some("mid"), AUTHORITY, "-set_serial 5");
    let second = pki.issue_as("twin", "tsa", "tsa", Some("mid"), AUTHORITY, "-set_serial 5 -days 3000");
    let der = world.stamp("tsa", "", "-cert");
    world.verify(&der).unwrap();
    let swapped = replace(&der, first.der(), second.der());
    assert_eq!(world.verify(&swapped).unwrap_err(), TimestampError::SignerCertificateMissing, "9.17");

    // id-ct-contentInfo's neighbour under the signed attributes, TSTInfo in front.
    let content = world.content(&der);
    pki.write("content.der", &content);
    pki.run(
        "cms -sign -binary -nodetach -in content.der -econtent_type 1.2.840.113549.1.9.16.1.5 -signer tsa.pem -inkey tsa.key \
         -certfile mid.pem -outform DER -out signed.der -cades -md sha256",
    );
    let mut der = pki.read("signed.der");
    assert!(matches!(world.verify(&der), Err(TimestampError::ContentType { .. })), "9.11");
    let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 5];
    let found = der.windows(kind.len()).position(|window| window == kind).unwrap();
    der[found + kind.len() - 1] = 4;
    let error = world.verify(&der).unwrap_err();
    let want = CmsError::Attribute { oid: "1.2.840.113549.1.9.3".into() };
    assert_eq!(error, TimestampError::Cms { source: want }, "9.15");
}

/// 9.14: the first signer that verifies counts, wherever it stands.
#[test]
fn several_signers() {
    let Some(world) = world() else { return };
    let content = world.content(&world.stamp("tsa", "", "-cert"));
    world.pki.key("other", "ec:P-384");
    let other_root = world.pki.issue("other-root", "other", None, ROOT, "");
    std::fs::copy(world.pki.path("other.key"), world.pki.path("other-root.key")).unwrap();
    let other = world.pki.issue("other", "other", Some("other-root"), AUTHORITY, "");
    let der = world.sign(&content, &["other", "tsa"], "-cades -md sha256");
    assert_eq!(world.verify(&der).unwrap().chain().leaf(), &world.tsa);
    assert_eq!(world.verify_with(&der, &[other_root]).unwrap().chain().leaf(), &other);
    assert_eq!(world.verify_with(&der, &[]).unwrap_err().failure(), TimestampFailure::Untrusted);
}

/// However many signers a token names, and however many certificates of their issuer's name it brings, one search is paid for.
#[test]
fn signers_of_one_token_share_one_search() {
    let Some(world) = world() else { return };
    let (pki, content) = (&world.pki, world.content(&world.stamp("tsa", "", "-cert")));
    pki.key("z", "ec:P-256");
    pki.key("y", "ec:P-256");
    pki.issue_as("z-root", "z", "z", None, ROOT, "");
    std::fs::copy(pki.path("z.key"), pki.path("z-root.key")).unwrap();
    pki.issue_as("bad", "y", "y", Some("z-root"), AUTHORITY, "-set_serial 7");
    std::fs::copy(pki.path("y.key"), pki.path("bad.key")).unwrap();
    let mut crowd = pki.read("mid.pem");
    for _ in 0..40 {
        pki.issue_as("crowd", "z", "y", None, ROOT, "");
        crowd.extend(pki.read("crowd.pem"));
    }
    let token = |signers: &[&str]| world.sign(&content, signers, "-cades -md sha256");
    let cost = |der: &[u8]| {
        let (limits, roots) = (Limits::default(), std::slice::from_ref(&world.root));
        let (found, cost) = TimestampToken::parse(der, &limits).unwrap().verify_counted(MESSAGE, roots, &limits);
        (found.is_ok(), cost.signers, cost.certificates.len())
    };
    // The token's own signature, and two on the way to the root.
    assert_eq!(cost(&token(&["tsa"])), (true, 1, 2));
    world.verify(&token(&["bad", "tsa"])).unwrap();
    pki.write("mid.pem", crowd);
    assert_eq!(cost(&token(&["bad", "tsa"])), (false, 2, 32), "what was in vain is told too");
    let error = world.verify(&token(&["bad", "tsa"])).unwrap_err();
    let TimestampError::Chain { source: ChainError::TooManyPaths { .. } } = error else { panic!("{error}") };
    world.verify(&token(&["tsa"])).unwrap();
}

/// Planning what an export must bring along looks for the issuers of a token's authority, and tries so many and no more.
#[test]
fn a_crowd_of_issuers_is_a_gap() {
    let Some(world) = world() else { return };
    let pki = &world.pki;
    let certificates = |crowd: usize| {
        pki.key("other", "ec:P-256");
        let mut bundle = Vec::new();
        for _ in 0..crowd {
            // Of the issuer's name, with other keys: each must be tried to be found out.
            pki.issue_as("crowd", "mid", "other", None, ROOT, "");
            bundle.extend(pki.read("crowd.pem"));
        }
        bundle
    };
    let honest = pki.read("mid.pem");
    let planned = |crowd: usize, evidence_tries: usize| {
        pki.write("mid.pem", if crowd == 0 { honest.clone() } else { certificates(crowd) });
        let envelope = stamped_by(&world.stamp("tsa", "", "-cert"));
        pki.write("mid.pem", &honest);
        let limits = Limits { evidence_tries, ..Limits::default() };
        let notes = plan(&envelope, &CarriedEvidence::default(), &limits).notes;
        let crowded = |note: &&PlanNote| matches!(note, PlanNote::AuthorityCrowd(whose) if *whose == world.tsa);
        notes.iter().filter(crowded).count()
    };
    assert_eq!(planned(0, 1), 0, "an honest token needs one try for each certificate");
    assert_eq!((planned(9, 9), planned(9, 8)), (0, 1));
    assert_eq!(planned(40, Limits::default().evidence_tries), 1);
}

/// A signature with a token of something else: what nobody has judged yet.
fn stamped_by(token: &[u8]) -> SignatureEnvelope {
    let key = LocalKey::generate_p256().unwrap();
    let now = UnixTime::from_seconds(1_800_000_000);
    let validity = ValidityPeriod { not_before: now, not_after: now.saturating_add(Duration::from_secs(60)) };
    let request = |subject| Request { subject, validity, crl_url: None };
    let root = Authority::root(&request("CN=signing,O=o,ST=st,C=NL")).unwrap();
    let leaf = request("CN=signer,O=o,ST=st,C=NL");
    let chain = root.leaf(&leaf, LeafUsage::CodeSigning, &key.public_key_der().unwrap()).unwrap();
    let signer = LocalSigner::new(key, chain).unwrap();
    let signed = sign_jws(&Descriptor::of("text/plain", b"x"), &signer, &SigningOptions::new(now)).unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&signed.bytes).unwrap();
    document["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(token).into();
    let media_type = signed.descriptor.media_type;
    SignatureEnvelope::parse(&media_type, document.to_string().as_bytes(), &Limits::default()).unwrap()
}

/// 9.22 to 9.24: what the authority's certificates must be like. `openssl ts` refuses to sign with most of these.
#[test]
fn authorities_that_break_a_rule() {
    let Some(world) = world() else { return };
    let World { pki, mid, .. } = &world;
    let content = world.content(&world.stamp("tsa", "", "-cert"));
    pki.key("bad", "ec:P-256");
    let refused = |extensions: &str| {
        pki.issue("bad", "bad", Some("mid"), extensions, "");
        match world.verify(&world.sign(&content, &["bad"], "-cades -md sha256")) {
            Err(TimestampError::Chain { source }) => source,
            other => panic!("{extensions}: {other:?}"),
        }
    };
    let violates = |extensions: &str, want: Violation| match refused(extensions) {
        ChainError::Profile { violation, .. } => assert_eq!(violation, want, "{extensions}"),
        other => panic!("{extensions}: {other}"),
    };
    let usage = "keyUsage=critical,digitalSignature";
    violates(&format!("{usage}\nextendedKeyUsage=timeStamping"), Violation::ExtendedKeyUsageNotCritical);
    violates(usage, Violation::ExtendedKeyUsageMissing);
    violates(&format!("{usage}\nextendedKeyUsage=critical,timeStamping,emailProtection"), {
        Violation::ExtendedKeyUsageNotOnlyTimestamping
    });
    violates("extendedKeyUsage=critical,timeStamping", Violation::KeyUsageMissing);
    let error = refused(&format!("{AUTHORITY}\n1.2.3.4=critical,DER:0500"));
    assert!(matches!(error, ChainError::UnsupportedExtension { .. }), "{error}");
    // RFC 5280 §4.2.1.10: only an authority may have it; §6.1.5 b: no policy is valid where one is required.
    for (extension, code) in [
        ("nameConstraints=permitted;DNS:x", DiagnosticCode::PathInvalid),
        ("policyConstraints=critical,requireExplicitPolicy:0", DiagnosticCode::CertificatePolicyUnmet),
    ] {
        let error = refused(&format!("{AUTHORITY}\n{extension}"));
        assert!(matches!(error, ChainError::Path { .. }), "{extension}: {error}");
        assert_eq!(error.code(), code, "{extension}: {error}");
    }
    // An authority's constraints are kept (§6.1.4 g).
    pki.issue("bad", "bad", Some("mid"), &format!("{AUTHORITY}\nsubjectAltName=DNS:a.example"), "");
    for (constraint, good) in [("permitted;DNS:example", true), ("excluded;DNS:a.example", false)] {
        pki.issue("mid", "mid", Some("root"), &format!("{ROOT}\nnameConstraints=critical,{constraint}"), "");
        let found = world.verify(&world.sign(&content, &["bad"], "-cades -md sha256"));
        assert_eq!(found.is_ok(), good, "{constraint}: {found:?}");
    }
    // What asks for nothing may be critical.
    pki.issue(
        "bad",
        "bad",
        Some("mid"),
        &format!("{AUTHORITY}\ncertificatePolicies=critical,1.2.3\n1.2.3.4=DER:0500"),
        "",
    );
    world.verify(&world.sign(&content, &["bad"], "-cades -md sha256")).unwrap();

    // EKU of an intermediate, and its path length.
    pki.issue("bad", "bad", Some("mid"), AUTHORITY, "");
    for (extensions, good) in [
        ("extendedKeyUsage=codeSigning", false),
        ("extendedKeyUsage=codeSigning,timeStamping", true),
        ("extendedKeyUsage=anyExtendedKeyUsage", true),
    ] {
        let changed = pki.issue("mid", "mid", Some("root"), &format!("{ROOT}\n{extensions}"), "");
        assert_ne!(&changed, mid);
        let found = world.verify(&world.sign(&content, &["bad"], "-cades -md sha256"));
        assert_eq!(found.is_ok(), good, "{extensions}: {found:?}");
    }
}

/// 9.21: the time that the authority itself says it signed at.
#[test]
fn a_signing_time_outside_the_certificates_is_refused() {
    let Some(world) = world() else { return };
    let content = world.content(&world.stamp("tsa", "", "-cert"));
    let pki = &world.pki;
    pki.key("late", "ec:P-256");
    pki.write("ext.cnf", AUTHORITY);
    pki.write("index.txt", "");
    pki.write(
        "ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nserial = ca.srl\npolicy = p\n[p]\ncommonName = supplied\n",
    );
    pki.run("req -new -key late.key -subj /CN=late -out late.csr");
    let tomorrow = (world.tsa.validity().not_before.saturating_add(Duration::from_secs(86_400))).to_string();
    let tomorrow: String = tomorrow.chars().filter(|c| !"-:T".contains(*c)).collect();
    pki.run(&format!(
        "ca -batch -notext -config ca.cnf -rand_serial -md sha256 -cert mid.pem -keyfile mid.key -extfile ext.cnf \
         -startdate {tomorrow} -enddate 20351231000000Z -in late.csr -out late.pem"
    ));
    let error = world.verify(&world.sign(&content, &["late"], "-cades -md sha256")).unwrap_err();
    assert!(matches!(error, TimestampError::SigningTime { .. }), "{error}");
}

/// 9.23: the path is judged at a time, and found among many candidates within bounds.
#[test]
fn paths_are_found_at_a_time() {
    let Some(World { pki, root, mid, tsa }) = world() else { return };
    let limits = Limits::default();
    let (roots, mids) = ([root.clone()], [mid.clone()]);
    let at = tsa.validity().not_before;
    let build = |candidates: &[Certificate], at| build_timestamping_chain(&tsa, candidates, &roots, at, &limits);
    assert_eq!(build(&mids, at).unwrap().certificates().len(), 3);
    assert!(matches!(build(&[], at), Err(ChainError::NoPath { .. })));
    for shift in [-86_400 * 365, 86_400 * 3_651] {
        let error = build(&mids, UnixTime::from_seconds(at.seconds() + shift)).unwrap_err();
        let ChainError::Validity { source } = &error else { panic!("{error}") };
        assert_eq!(source.is_expired(), shift > 0);
    }
    // Old and cross certificates of the same name: the good one is found; a crowd of bad ones ends the search.
    pki.key("wrong", "ec:P-256");
    let wrong = pki.issue_as("wrong", "mid", "wrong", None, ROOT, "");
    let error = build(std::slice::from_ref(&wrong), at).unwrap_err();
    assert!(matches!(error, ChainError::NotSignedBy { source: SignatureError::Mismatch, .. }), "{error}");
    build(&[wrong.clone(), mid.clone(), tsa.clone(), root.clone()], at).unwrap();
    let crowd = vec![wrong; 1_000];
    assert!(matches!(build(&crowd, at), Err(ChainError::TooManyPaths { .. })));
}
