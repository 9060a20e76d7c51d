//! What the Notation reference wrote: every certificate, CRL and timestamp of `../shared/vectors/notation`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bulla::limits::Limits;
use bulla::pki::{
    Certificate, CertificateChain, Crl, CrlEntry, Profile, RevocationReason, SignatureScheme, certificates_from_file,
};
use bulla::tsp::TimestampToken;
use serde_json::Value;

use crate::openssl::shared;

fn cases() -> Vec<PathBuf> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut cases: Vec<_> =
        fs::read_dir(shared.join("vectors/notation")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 6);
    cases
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

struct Envelope {
    json: Option<Value>,
    signature: Option<Vec<u8>>,
    chain: Vec<Certificate>,
    token: Option<Vec<u8>>,
}

/// The signature envelope of a case: JWS by its members, COSE by the DER inside.
fn envelope(case: &Path) -> Envelope {
    for blob in files(&case.join("layout/blobs/sha256")) {
        if let Ok(json) = serde_json::from_slice::<Value>(&blob) {
            let Some(x5c) = json.pointer("/header/x5c").and_then(Value::as_array) else { continue };
            let chain =
                x5c.iter().map(|der| Certificate::from_der(&STANDARD.decode(der.as_str().unwrap()).unwrap()).unwrap());
            let token = json.pointer("/header/io.cncf.notary.timestampSignature");
            return Envelope {
                chain: chain.collect(),
                token: token.map(|token| STANDARD.decode(token.as_str().unwrap()).unwrap()),
                signature: Some(URL_SAFE_NO_PAD.decode(json["signature"].as_str().unwrap()).unwrap()),
                json: Some(json),
            };
        }
        let (chain, token) = scan(&blob);
        if !chain.is_empty() {
            return Envelope { json: None, signature: None, chain, token };
        }
    }
    panic!("{}: no envelope", case.display())
}

/// Certificates and a token among other bytes.
fn scan(blob: &[u8]) -> (Vec<Certificate>, Option<Vec<u8>>) {
    let (mut chain, mut token, mut offset) = (Vec::new(), None, 0);
    while let Some([0x30, 0x82, high, low]) = blob.get(offset..offset + 4) {
        let length = usize::from(u16::from_be_bytes([*high, *low])) + 4;
        let slice = blob.get(offset..offset + length).unwrap_or_default();
        if let Ok(certificate) = Certificate::from_der(slice) {
            chain.push(certificate);
            offset += length;
        } else if TimestampToken::parse(slice, &Limits::default()).is_ok() {
            token = Some(slice.to_vec());
            offset += length;
        } else {
            offset += 1;
        }
        offset = next(blob, offset);
    }
    if offset == 0 && blob.len() > 4 {
        let first = next(blob, 0);
        if first < blob.len() {
            return scan(&blob[first..]);
        }
    }
    (chain, token)
}

fn next(blob: &[u8], from: usize) -> usize {
    blob[from..].windows(2).position(|pair| pair == [0x30, 0x82]).map_or(blob.len(), |found| from + found)
}

#[test]
fn chains_conform_and_crls_verify() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let limits = Limits::default();
        let envelope = envelope(&case);
        let chain = CertificateChain::new(envelope.chain, &limits).unwrap().inspect(Profile::CodeSigning);
        let chain = chain.unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = chain.key_kind().as_str().to_lowercase().replace([' ', '-'], "");
        assert!(name.starts_with(&kind), "{name}: {kind}");
        let ca = fs::read(case.join("truststore/x509/ca/vectors/root.pem")).unwrap();
        chain.verify_anchor(&certificates_from_file(&ca, &limits).unwrap()).unwrap();
        if let (Some(json), Some(signature)) = (&envelope.json, &envelope.signature) {
            let hash = chain.key_kind().hash();
            let scheme =
                if kind.starts_with("rsa") { SignatureScheme::RsaPss(hash) } else { SignatureScheme::EcdsaRaw(hash) };
            let message = format!("{}.{}", json["protected"].as_str().unwrap(), json["payload"].as_str().unwrap());
            chain.leaf().public_key().verify(scheme, message.as_bytes(), signature).unwrap();
        }
        let crls = check_revocation(&case, chain.certificates(), name.contains("revoked"));
        assert!(crls >= 2, "{name}");
    }
}

/// Every CRL belongs to some certificate; the leaf is revoked where the case says so.
fn check_revocation(case: &Path, chain: &[Certificate], revoked: bool) -> usize {
    let crls: Vec<Crl> = files(&case.join("crls")).into_iter().map(|der| Crl::from_der(der).unwrap()).collect();
    let mut found = 0;
    for (position, pair) in chain.windows(2).enumerate() {
        let [certificate, issuer] = pair else { unreachable!() };
        assert!(!certificate.revocation_sources().unwrap().http_crl_urls().is_empty());
        for verified in crls.iter().filter_map(|crl| crl.verify(issuer).ok()) {
            verified.covers(certificate).unwrap();
            found += 1;
            match verified.lookup(certificate.serial()).unwrap() {
                CrlEntry::Revoked(revocation) => {
                    assert!(revoked && position == 0);
                    assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
                }
                CrlEntry::NotListed => assert!(!revoked || position != 0),
            }
        }
    }
    found
}

#[test]
fn timestamps_verify_over_their_signatures() {
    let mut found = 0;
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let envelope = envelope(&case);
        assert_eq!(envelope.token.is_some(), name.ends_with("timestamped"), "{name}");
        let Some(token) = envelope.token else { continue };
        let limits = Limits::default();
        let token = TimestampToken::parse(&token, &limits).unwrap();
        let tsa = fs::read(case.join("truststore/x509/tsa/vectors/root.pem")).unwrap();
        let roots = certificates_from_file(&tsa, &limits).unwrap();
        assert!(!token.signer().unwrap().is_ca());
        if let Some(signature) = envelope.signature {
            let verified = token.verify(&signature, &roots, &limits).unwrap();
            assert!(check_revocation(&case, verified.chain().certificates(), false) >= 2);
            found += 1;
        }
    }
    assert!(found > 0 || shared().is_none());
}
