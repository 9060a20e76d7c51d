//! COSE envelopes made here, judged by openssl and by coset's own reader.

use std::collections::BTreeMap;

use bulla::limits::Limits;
use bulla::notary::{EnvelopeType, SignatureEnvelope, SignatureManifest, SignatureManifestForm};
use bulla::oci::Manifest;
use bulla::pki::{Certificate, KeyKind};
use bulla::signer::{LocalKey, SIGNING_AGENT, SignatureArtifact, Signer as _, SigningError, SigningOptions, sign_cose};
use bulla::time::UnixTime;
use bulla::tsp::TimestampToken;
use coset::cbor::Value;
use coset::iana::Algorithm;
use coset::{ContentType, CoseSign1, Label, TaggedCborSerializable as _};

use super::{Broken, DAY, Judge, Liar, Pki, SIX, TimestampAt, now, openssl_verifies, target};

#[test]
fn openssl_verifies_the_signatures_of_all_six_keys() {
    // Conformance 4.02, 4.04, 4.16, 5.01.
    let Some(judge) = Judge::new("cose: openssl_verifies_the_signatures_of_all_six_keys") else { return };
    let (pki, now) = (Pki::new(), now());
    let algorithms =
        [Algorithm::PS256, Algorithm::PS384, Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512];
    for ((kind, _), algorithm) in SIX.into_iter().zip(algorithms) {
        let key: LocalKey = judge.key(kind);
        let spki = key.public_key_der().unwrap();
        let envelope = sign_cose(&target(), &pki.signer(key), &SigningOptions::new(now)).unwrap();
        let opened = CoseSign1::from_tagged_slice(&envelope.bytes).unwrap();
        assert_eq!(opened.protected.header.alg, Some(coset::Algorithm::Assigned(algorithm)), "{kind}");
        let (protected, payload) = protected_and_payload(&envelope.bytes);
        let input = sig_structure(protected, payload);
        assert_eq!(input, opened.tbs_data(b""), "{kind}");
        let (valid, text) = openssl_verifies(&judge, kind, &spki, &input, &opened.signature);
        assert!(valid, "{kind}: {text}");
        let (valid, text) = openssl_verifies(&judge, kind, &spki, &opened.tbs_data(b"x"), &opened.signature);
        assert!(!valid, "{kind}: {text}");
    }
}

/// RFC 9052 §4.4, put together by hand: `["Signature1", protected, h'', payload]`.
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x84, 0x6a];
    bytes.extend(b"Signature1");
    for string in [protected, &[], payload] {
        let length = u16::try_from(string.len()).unwrap();
        match u8::try_from(length).ok() {
            Some(length @ 0..=23) => bytes.push(0x40 + length),
            Some(length) => bytes.extend([0x58, length]),
            None => bytes.extend([[0x59].as_slice(), &length.to_be_bytes()].concat()),
        }
        bytes.extend(string);
    }
    bytes
}

/// Conformance 4.01, read by hand: tag 18, an array of four, a byte string; the payload is behind the one map.
fn protected_and_payload(envelope: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(envelope[..2], [0xd2, 0x84]);
    let protected = byte_string(&envelope[2..]);
    let start = envelope.windows(18).position(|window| window == b"{\"targetArtifact\":").unwrap();
    // The head of the payload's byte string is before it: one octet of length, or two.
    let head = if envelope[start - 2] == 0x58 { start - 2 } else { start - 3 };
    (protected, byte_string(&envelope[head..]))
}

fn byte_string(bytes: &[u8]) -> &[u8] {
    match bytes[0] {
        0x58 => &bytes[2..2 + usize::from(bytes[1])],
        0x59 => &bytes[3..3 + usize::from(u16::from_be_bytes([bytes[1], bytes[2]]))],
        short => &bytes[1..1 + usize::from(short - 0x40)],
    }
}

#[test]
fn the_envelope_has_the_headers_that_the_reference_writes() {
    let (pki, now) = (Pki::new(), now());
    let (signer, tsa) = (pki.p256_signer(), pki.timestamp_authority());
    let timestamp = TimestampAt { authority: &tsa, time: now };
    let options = SigningOptions {
        expiry: Some(now.saturating_add(DAY)),
        user_metadata: BTreeMap::from([("build".to_owned(), "<101>".to_owned())]),
        timestamp: Some(&timestamp),
        ..SigningOptions::new(UnixTime::new(now.seconds(), 999_999_999))
    };
    let envelope = sign_cose(&target(), &signer, &options).unwrap();
    assert_eq!(envelope.descriptor.media_type, EnvelopeType::Cose.media_type());
    // By another reader: conformance 4.01, 4.03, 4.09 to 4.14.
    let opened = CoseSign1::from_tagged_slice(&envelope.bytes).unwrap();
    let header = &opened.protected.header;
    let payload_type = "application/vnd.cncf.notary.payload.v1+json".to_owned();
    assert_eq!(header.content_type, Some(ContentType::Text(payload_type)));
    assert_eq!(header.crit.len(), 2);
    let time = |time: UnixTime| Value::Tag(1, Box::new(time.seconds().into()));
    let text = |name: &str| Label::Text(format!("io.cncf.notary.{name}"));
    assert_eq!(
        header.rest,
        [
            (text("expiry"), time(now.saturating_add(DAY))),
            (text("signingTime"), time(now)),
            (text("signingScheme"), "notary.x509".into()),
        ]
    );
    let labels: Vec<_> = opened.unprotected.rest.iter().map(|(label, _)| label.clone()).collect();
    assert_eq!(labels, [Label::Int(33), text("signingAgent"), text("timestampSignature")]);
    let chain = opened.unprotected.rest[0].1.as_array().unwrap();
    assert!(chain.iter().map(|der| der.as_bytes().unwrap()).eq(signer.certificates()));
    let token = opened.unprotected.rest[2].1.as_bytes().unwrap();
    let token = TimestampToken::parse(token, &Limits::default()).unwrap();
    let root = Certificate::from_der(pki.root.root_certificate()).unwrap();
    token.verify(&opened.signature, &[root], &Limits::default()).unwrap();
    // And by bulla's.
    let media_type = envelope.descriptor.media_type.clone();
    let read = SignatureEnvelope::parse(&media_type, &envelope.bytes, &Limits::default()).unwrap().verify().unwrap();
    assert_eq!(read.attributes().expiry, Some(now.saturating_add(DAY)));
    assert_eq!(read.signing_agent(), Some(SIGNING_AGENT));
    assert_eq!(read.payload().target().annotations.get("build").map(String::as_str), Some("<101>"));
    read.payload().matches(&target()).unwrap();
}

#[test]
fn the_artifact_names_the_format() {
    // Conformance 1.07.
    let (pki, now) = (Pki::new(), now());
    for form in [SignatureManifestForm::ArtifactType, SignatureManifestForm::ConfigMediaType] {
        let envelope = sign_cose(&target(), &pki.p256_signer(), &SigningOptions::new(now)).unwrap();
        let artifact = SignatureArtifact::build(form, &target(), envelope).unwrap();
        let manifest = Manifest::parse(&artifact.descriptor, artifact.manifest.clone()).unwrap();
        let signature = SignatureManifest::read(&manifest).unwrap();
        assert_eq!(signature.envelope().media_type, EnvelopeType::Cose.media_type());
        assert_eq!(*signature.envelope(), artifact.envelope.descriptor);
    }
}

#[test]
fn no_signature_is_made_that_would_not_verify() {
    let (pki, now) = (Pki::new(), now());
    let (signer, options) = (pki.p256_signer(), SigningOptions::new(now));
    assert_eq!(signer.key_kind(), KeyKind::P256);
    // Conformance 9.05, 2.25, 5.17, 2.28.
    let broken = SigningOptions { timestamp: Some(&Broken), ..options.clone() };
    assert!(matches!(sign_cose(&target(), &signer, &broken), Err(SigningError::Timestamp(_))));
    let expired = SigningOptions { expiry: Some(now), ..options.clone() };
    assert!(matches!(sign_cose(&target(), &signer, &expired), Err(SigningError::Expiry { .. })));
    let outside = sign_cose(&target(), &signer, &SigningOptions::new(now.saturating_add(DAY * 40)));
    assert!(matches!(outside, Err(SigningError::OutsideValidity(_))));
    let liar = Liar { real: pki.p256_signer(), other: LocalKey::generate_p256().unwrap() };
    assert!(matches!(sign_cose(&target(), &liar, &options), Err(SigningError::SelfCheck(_))));
}
