//! The vectors that the Notation CLI made (`shared/vectors/README.md`).

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bulla::code::{Diagnostic as _, DiagnosticCode};
use bulla::config::{ConfigDirectory, ConfigRoots, load_policy, load_trust_stores};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::{EnvelopeError, EnvelopeType, SignatureEnvelope, SignatureManifest, SigningScheme};
use bulla::oci::{Descriptor, IndexDocument, Manifest, MediaType, blob_path};
use bulla::time::UnixTime;
use bulla::trust::StoreType;
use serde_json::{Value, json};

/// One case: the image, its signature's manifest, and the envelope.
pub(crate) struct Case {
    dir: PathBuf,
    document: Value,
    image: Descriptor,
    manifest: Manifest,
    pub(crate) envelope: Vec<u8>,
}

pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared", "../../shared"].iter().map(|path| root.join(path).join("vectors/notation"));
    let Some(dir) = found.into_iter().find(|path| path.is_dir()) else {
        crate::skip::always(format_args!("the reference's vectors are not here"));
        return Vec::new();
    };
    let mut dirs: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    dirs.sort();
    dirs.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(dir: PathBuf) -> Self {
        let layout = dir.join("layout");
        let blob = |digest: &Digest| fs::read(layout.join(blob_path(digest))).unwrap();
        let document: Value = serde_json::from_slice(&fs::read(dir.join("case.json")).unwrap()).unwrap();
        let index = IndexDocument::parse(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        let image = index.manifests.iter().find(|found| found.digest.to_string() == document["digest"]).unwrap();
        let manifests = index.manifests.iter().map(|found| Manifest::parse(found, blob(&found.digest)).unwrap());
        let manifest = manifests.into_iter().find(SignatureManifest::recognise).unwrap();
        let envelope = blob(&SignatureManifest::read(&manifest).unwrap().envelope().digest);
        Self { image: image.clone(), dir, document, manifest, envelope }
    }

    pub(crate) fn name(&self) -> &str {
        self.document["case"].as_str().unwrap()
    }

    pub(crate) fn is_jws(&self) -> bool {
        self.document["format"] == "jws"
    }

    fn kind(&self) -> EnvelopeType {
        let signature = SignatureManifest::read(&self.manifest).unwrap();
        EnvelopeType::from_media_type(&signature.envelope().media_type).unwrap()
    }

    fn read_as_own_type(&self, bytes: &[u8]) -> Result<SignatureEnvelope, EnvelopeError> {
        SignatureEnvelope::parse(&self.kind().media_type().into(), bytes, &Limits::default())
    }

    fn parse(&self) -> SignatureEnvelope {
        self.read_as_own_type(&self.envelope).unwrap()
    }

    /// The code with which the envelope is refused after `change`; `None` if it is accepted.
    fn after(&self, change: impl FnOnce(&mut Value)) -> Option<DiagnosticCode> {
        let mut document: Value = serde_json::from_slice(&self.envelope).unwrap();
        change(&mut document);
        let bytes = serde_json::to_vec(&document).unwrap();
        self.read_as_own_type(&bytes).and_then(|envelope| envelope.verify()).err().map(|error| error.code())
    }
}

fn jws_cases() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(Case::is_jws)
}

#[test]
fn envelopes_of_the_reference_are_authentic_and_sign_the_image() {
    for case in cases() {
        let name = case.name();
        assert_eq!(case.kind() == EnvelopeType::Jws, case.is_jws(), "{name}");
        let envelope = case.parse();
        let authentic = envelope.verify().unwrap_or_else(|error| panic!("{name}: {error}"));
        authentic.payload().matches(&case.image).unwrap();
        assert_eq!(authentic.attributes().scheme, SigningScheme::X509, "{name}");
        assert_eq!(authentic.timestamp().is_some(), name.contains("timestamped"), "{name}");
        assert_eq!(authentic.attributes().expiry.is_some(), name.contains("expiry"), "{name}");
        assert_eq!(authentic.chain().certificates(), envelope.certificates().certificates(), "{name}");
        assert!(authentic.signing_agent().is_some_and(|agent| agent.starts_with("notation-go/")), "{name}");
        let hour = UnixTime::from_seconds(3_600);
        let (claimed, judged): (UnixTime, UnixTime) =
            (envelope.claims().claimed_time().unwrap(), case.document["judged_at"].as_str().unwrap().parse().unwrap());
        assert!(judged.since(claimed) < hour.since(UnixTime::from_seconds(0)), "{name}: {claimed} {judged}");
    }
}

#[test]
fn the_manifest_writer_gives_the_bytes_of_the_reference() {
    // Conformance 1.02, 1.06 to 1.11.
    for case in cases() {
        let signature = SignatureManifest::read(&case.manifest).unwrap();
        let envelope = case.parse();
        let thumbprints: Vec<Digest> =
            envelope.certificates().certificates().iter().map(|certificate| certificate.fingerprint()).collect();
        let written = SignatureManifest::build(
            signature.form(),
            &case.image,
            &Descriptor::of(case.kind().media_type(), &case.envelope),
            &thumbprints,
            envelope.claims().signing_time.unwrap(),
            &std::collections::BTreeMap::new(),
        );
        let written = String::from_utf8(written.unwrap()).unwrap();
        assert_eq!(written, std::str::from_utf8(case.manifest.bytes()).unwrap(), "{}", case.name());
    }
}

#[test]
fn the_payload_writer_gives_the_bytes_of_the_reference() {
    // Conformance 2.06: in COSE the reference orders the members otherwise.
    for case in jws_cases() {
        let document: Value = serde_json::from_slice(&case.envelope).unwrap();
        let bytes = case.parse().claimed_payload().unwrap().to_bytes().unwrap();
        assert_eq!(document["payload"], URL_SAFE_NO_PAD.encode(bytes), "{}", case.name());
    }
}

#[test]
fn stores_and_policy_of_the_reference_trust_the_signer() {
    for case in cases() {
        let name = case.name();
        let roots = ConfigRoots { notation_config: Some(case.dir.clone()), ..ConfigRoots::default() };
        let directory = ConfigDirectory::locate(&roots).unwrap();
        let policy = load_policy(directory.path(), &Limits::default()).unwrap().document;
        let statement = policy.select(&case.document["scope"].as_str().unwrap().parse().unwrap()).unwrap();
        let loaded = load_trust_stores(directory.path(), &policy.stores(), &Limits::default()).unwrap();
        assert!(loaded.ignored.is_empty(), "{name}");
        let tsa = loaded.stores.anchors(statement.stores(), StoreType::Tsa).map(|anchors| anchors.len()).ok();
        assert_eq!(tsa, name.contains("timestamped").then_some(1), "{name}");
        let anchors = loaded.stores.anchors(statement.stores(), StoreType::Ca).unwrap();
        // Conformance 6.12: the statement names no store for signing authorities.
        let authority = loaded.stores.anchors(statement.stores(), StoreType::SigningAuthority).unwrap_err();
        assert_eq!(authority.code(), DiagnosticCode::ChainUntrusted, "{name}");
        let authentic = case.parse().verify().unwrap();
        authentic.chain().verify_anchor(&anchors).unwrap_or_else(|error| panic!("{name}: {error}"));
        statement.identities().evaluate(authentic.chain().leaf().subject()).unwrap();
    }
}

/// Changes a text member by its decoded JSON.
fn recode(document: &mut Value, member: &str, change: impl FnOnce(&mut Value)) {
    let bytes = URL_SAFE_NO_PAD.decode(document[member].as_str().unwrap()).unwrap();
    let mut inner = serde_json::from_slice(&bytes).unwrap();
    change(&mut inner);
    document[member] = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&inner).unwrap()).into();
}

fn flip(text: &mut Value, engine: &impl base64::Engine, position: usize) {
    let mut bytes = engine.decode(text.as_str().unwrap()).unwrap();
    let position = position.min(bytes.len() - 1);
    bytes[position] ^= 1;
    *text = engine.encode(bytes).into();
}

#[test]
fn a_change_of_any_signed_part_is_found() {
    use DiagnosticCode::{AlgorithmMismatch, AlgorithmUnsupported, EnvelopeMalformed, SignatureInvalid};
    for case in jws_cases() {
        let name = case.name();
        let other_digest = Digest::sha256(b"another image").to_string();
        let payload = |change: fn(&mut Value, &str)| {
            case.after(|document| recode(document, "payload", |payload| change(payload, &other_digest)))
        };
        let protected =
            |member: &str, value: Value| case.after(|document| recode(document, "protected", |p| p[member] = value));
        for (what, found, code) in [
            ("payload: digest", payload(|p, digest| p["targetArtifact"]["digest"] = digest.into()), SignatureInvalid),
            ("payload: size", payload(|p, _| p["targetArtifact"]["size"] = 1.into()), SignatureInvalid),
            ("payload: more", payload(|p, _| p["x"] = 1.into()), SignatureInvalid),
            ("payload: no JSON", case.after(|d| d["payload"] = "AAAA".into()), SignatureInvalid),
            ("payload: swapped", case.after(|d| d["payload"] = d["protected"].clone()), SignatureInvalid),
            ("signing time", protected("io.cncf.notary.signingTime", "2020-01-01T00:00:00Z".into()), SignatureInvalid),
            (
                "scheme",
                protected("io.cncf.notary.signingScheme", "notary.x509.signingAuthority".into()),
                SignatureInvalid,
            ),
            ("expiry", protected("io.cncf.notary.expiry", "2120-01-01T00:00:00Z".into()), SignatureInvalid),
            ("extended", protected("com.example.x", 1.into()), SignatureInvalid),
            ("crit", protected("crit", json!(["io.cncf.notary.signingScheme", "x"])), SignatureInvalid),
            ("content type", protected("cty", "text/plain".into()), SignatureInvalid),
            ("alg: none", protected("alg", "none".into()), AlgorithmUnsupported),
            ("alg: HMAC", protected("alg", "HS256".into()), AlgorithmUnsupported),
            ("alg: another", protected("alg", "ES512".into()), AlgorithmMismatch),
            ("signature: first byte", case.after(|d| flip(&mut d["signature"], &URL_SAFE_NO_PAD, 0)), SignatureInvalid),
            (
                "signature: last byte",
                case.after(|d| flip(&mut d["signature"], &URL_SAFE_NO_PAD, 9999)),
                SignatureInvalid,
            ),
            ("signature: short", case.after(|d| d["signature"] = "AAAA".into()), SignatureInvalid),
            ("signature: empty", case.after(|d| d["signature"] = "".into()), SignatureInvalid),
            (
                "signature: padded",
                case.after(|d| d["signature"] = format!("{}=", d["signature"].as_str().unwrap()).into()),
                EnvelopeMalformed,
            ),
            ("top-level member", case.after(|d| d["x"] = 1.into()), EnvelopeMalformed),
        ] {
            assert_eq!(found, Some(code), "{name}: {what}");
        }
    }
}

#[test]
fn a_change_of_the_chain_is_found() {
    use DiagnosticCode::{CertificateMalformed, ChainInvalid, EnvelopeMalformed, SignatureInvalid};
    fn chain(document: &mut Value) -> &mut Vec<Value> {
        document["header"]["x5c"].as_array_mut().unwrap()
    }
    for case in jws_cases() {
        let name = case.name();
        assert_eq!(case.parse().certificates().certificates().len(), 3, "{name}");
        for (what, found, code) in [
            ("no leaf", case.after(|d| drop(chain(d).remove(0))), SignatureInvalid),
            ("no intermediate", case.after(|d| drop(chain(d).remove(1))), ChainInvalid),
            ("no root", case.after(|d| drop(chain(d).remove(2))), ChainInvalid),
            ("order", case.after(|d| chain(d).swap(1, 2)), ChainInvalid),
            (
                "root twice",
                case.after(|d| {
                    let root = chain(d)[2].clone();
                    chain(d).push(root);
                }),
                ChainInvalid,
            ),
            ("root's signature", case.after(|d| flip(&mut chain(d)[2], &STANDARD, 9999)), ChainInvalid),
            ("intermediate's signature", case.after(|d| flip(&mut chain(d)[1], &STANDARD, 9999)), ChainInvalid),
            ("not DER", case.after(|d| flip(&mut chain(d)[0], &STANDARD, 0)), CertificateMalformed),
            (
                "bytes behind",
                case.after(|d| {
                    let mut der = STANDARD.decode(chain(d)[1].as_str().unwrap()).unwrap();
                    der.push(0);
                    chain(d)[1] = STANDARD.encode(der).into();
                }),
                CertificateMalformed,
            ),
            ("none", case.after(|d| chain(d).clear()), EnvelopeMalformed),
            (
                "too many",
                case.after(|d| {
                    let root = chain(d)[2].clone();
                    chain(d).resize(65, root);
                }),
                EnvelopeMalformed,
            ),
        ] {
            // The intermediate's key may be of another kind than the leaf's; then the algorithm no longer fits.
            let same = found == Some(code) || (what == "no leaf" && found == Some(DiagnosticCode::AlgorithmMismatch));
            assert!(same, "{name}: {what}: {found:?}");
        }
    }
}

#[test]
fn the_unsigned_part_may_hold_what_it_likes() {
    // Conformance 2.22, 3.02.
    for case in jws_cases() {
        for (what, found) in [
            ("agent is a number", case.after(|d| d["header"]["io.cncf.notary.signingAgent"] = 1.into())),
            ("odd member", case.after(|d| d["header"]["io.cncf.notary.SigningAgent"] = json!({ "a": [1] }))),
            ("token absent", case.after(|d| d["header"]["io.cncf.notary.timestampSignature"] = Value::Null)),
        ] {
            assert_eq!(found, None, "{}: {what}", case.name());
        }
        let bad = case.after(|d| d["header"]["io.cncf.notary.timestampSignature"] = 1.into());
        assert_eq!(bad, Some(DiagnosticCode::EnvelopeMalformed), "3.18");
    }
}

#[test]
fn an_envelope_of_another_type_or_size_is_refused() {
    for case in jws_cases() {
        let small = Limits { envelope_bytes: 1_000, ..Limits::default() };
        let parse = |media_type: &str, limits: &Limits| {
            SignatureEnvelope::parse(&MediaType::from(media_type), &case.envelope, limits)
        };
        assert_eq!(parse("application/jose+json", &small).unwrap_err().code(), DiagnosticCode::EnvelopeTooLarge);
        assert_eq!(
            parse("application/json", &Limits::default()).unwrap_err().code(),
            DiagnosticCode::EnvelopeUnsupported
        );
        let short = Limits { certificates: 2, ..Limits::default() };
        assert_eq!(parse("application/jose+json", &short).unwrap_err().code(), DiagnosticCode::EnvelopeMalformed);
    }
}

#[test]
fn a_flipped_bit_never_changes_what_is_believed() {
    for case in cases() {
        let verify = |bytes: &[u8]| case.read_as_own_type(bytes)?.verify();
        let original = verify(&case.envelope).unwrap();
        // Not every byte: the members are long, and each try may cost four public-key operations.
        let (step, growth) = if case.is_jws() { (31, 4) } else { (13, 3) };
        let mut accepted = 0;
        for position in (0..case.envelope.len()).step_by(step) {
            for bit in [0x01, 0x20] {
                let mut bytes = case.envelope.clone();
                bytes[position] ^= bit;
                let Ok(found) = verify(&bytes) else { continue };
                accepted += 1;
                assert_eq!(found.payload(), original.payload(), "{} at {position}", case.name());
                assert_eq!(found.attributes(), original.attributes(), "{} at {position}", case.name());
                assert_eq!(found.chain(), original.chain(), "{} at {position}", case.name());
            }
            assert!(verify(&case.envelope[..position]).is_err(), "{} cut at {position}", case.name());
        }
        let unsigned = original.timestamp().map_or(0, <[u8]>::len) * growth / 3 + 200;
        assert!(accepted <= 2 * unsigned / step, "{}: only unsigned members may change: {accepted}", case.name());
    }
}
