//! Tokens of public authorities, and those that other implementations keep to be refused (`testdata/tokens`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use bulla::limits::Limits;
use bulla::pki::validation::{Material, RevocationMode};
use bulla::pki::{Certificate, HashAlgorithm, NamedHash, WeakHashes, certificates_from_file};
use bulla::time::UnixTime;
use bulla::tsp::{Stamp, StampSettings, TimestampError, ValidStamp};

/// What is trusted for a token.
#[derive(Clone, Copy)]
enum Trust {
    /// The certificates of a file.
    File(&'static str),
    /// A certificate of another token, by its place: for authorities whose root nobody keeps.
    Inside(&'static str, usize),
}

use Trust::{File, Inside};

const MICROSOFT: Trust = Inside("tspclient-go/TimeStampTokenNoRoot.p7s", 0);
const FREETSA: Trust = Inside("tspclient-go/TimeStampTokenWithSigningCertificateV1.p7s", 1);
const GLOBALSIGN: Trust = Inside("tspclient-go/TimeStampToken.p7s", 3);
const ADOBE: Trust = Inside("globalsign/respNoNonce", 1);
const AATL: Trust = Inside("globalsign/timeStampToken", 1);
const STAGE: Trust = File("sigstage/ts_chain.pem");
const LOCAL: Trust = File("test-tsa/ts_chain.pem");

/// File, trust, and what is found at genTime: `valid`, or a code.
///
/// Two of GlobalSign's are genuine and refused: the extKeyUsage of the authority above, one for Adobe's documents, does not
/// have timeStamping, and an issuer's extKeyUsage limits those below it (a choice that `cert verify --help` states). Those of
/// tspclient-go that are not in DER were changed by hand: their attributes are not sorted.
const TOKENS: &[(&str, Trust, &str)] = &[
    ("asn1crypto/tsp_response", LOCAL, "algorithm-unsupported"),
    ("globalsign/respNoCert", ADOBE, "timestamp-invalid"),
    ("globalsign/respNoNonce", ADOBE, "certificate-purpose-mismatch"),
    ("globalsign/respNonce", ADOBE, "certificate-purpose-mismatch"),
    ("globalsign/timeStampToken", AATL, "valid"),
    ("identrust/issue-104.tsr", File("identrust/root.der"), "valid"),
    ("sigstage/response-invalid-signature.tsr", STAGE, "timestamp-invalid"),
    ("sigstage/response-no-embedded-cert.tsr", STAGE, "valid"),
    ("sigstage/response-sha256.tsr", STAGE, "valid"),
    ("sigstage/response-sha384.tsr", STAGE, "valid"),
    ("sigstage/response-sha512.tsr", STAGE, "valid"),
    ("sigstore-mock/response-expired.tsr", File("sigstore-mock/ts_chain.pem"), "valid"),
    ("test-tsa/other_response.tsr", LOCAL, "chain-invalid"),
    ("test-tsa/response-injected-certs.tsr", LOCAL, "valid"),
    ("test-tsa/response.tsr", LOCAL, "valid"),
    ("tspclient-go/SHA1TimeStampToken.p7s", GLOBALSIGN, "algorithm-unsupported"),
    ("tspclient-go/TimeStampToken.p7s", GLOBALSIGN, "valid"),
    ("tspclient-go/TimeStampTokenInvalidSignedAttributeContentType.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenNoRoot.p7s", MICROSOFT, "valid"),
    ("tspclient-go/TimeStampTokenWithAnInvalidAndAValidSignerInfo.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithInvalidCertificates.p7s", GLOBALSIGN, "certificate-malformed"),
    ("tspclient-go/TimeStampTokenWithInvalidContentType.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithInvalidSignature.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithInvalidSigningCertificateV1.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithInvalidSigningCertificateV2.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithInvalidSigningTime.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithInvalidTSTInfo.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithInvalideContentType.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithMismatchCertHash.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithSHA1CertHash.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithSignedAttributeSHA1.p7s", GLOBALSIGN, "algorithm-unsupported"),
    ("tspclient-go/TimeStampTokenWithSignerVersion2.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithSigningCertificateV1.p7s", FREETSA, "valid"),
    ("tspclient-go/TimeStampTokenWithSigningCertificateV1NoCert.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithSigningCertificateV2NoCert.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithSigningTime.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithSigningTimeBeforeExpected.p7s", GLOBALSIGN, "encoding-not-der"),
    ("tspclient-go/TimeStampTokenWithTSTInfoVersion2.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithUnknownSignerIssuer.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithValidAndInvalidSignerInfos.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithWrongSigningCertificateV2IssuerChoiceTag.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutCertificate.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSignedAttributeContentType.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSignedAttributeDigest.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSignedAttributes.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSigner.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSigningCertificate.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/TimeStampTokenWithoutSigningCertificateV2IssuerSerial.p7s", GLOBALSIGN, "timestamp-invalid"),
    ("tspclient-go/validResponseWithSigningCertificateV1.tsr", FREETSA, "valid"),
];

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/tokens").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(place(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parse(name: &str) -> Result<Stamp, TimestampError> {
    Stamp::parse(&read(name), &Limits::default())
}

fn anchors(trust: Trust) -> Vec<Certificate> {
    match trust {
        File(name) => certificates_from_file(&read(name), &Limits::default()).unwrap(),
        Inside(name, place) => vec![parse(name).unwrap().certificates()[place].clone()],
    }
}

/// Judges a token at its own time or another, by its own imprint.
fn judge(name: &str, trust: Trust, at: Option<UnixTime>, weak: WeakHashes) -> Result<ValidStamp, TimestampError> {
    let stamp = parse(name)?;
    let material = Material { anchors: anchors(trust), ..Material::default() };
    let info = stamp.info();
    let at = at.unwrap_or(info.gen_time);
    stamp.judge(info.hash, &info.imprint, &material, &StampSettings { at, weak, revocation: RevocationMode::Check })
}

fn word(outcome: &Result<ValidStamp, TimestampError>) -> String {
    outcome.as_ref().map_or_else(|error| error.own_code().to_string(), |_| "valid".into())
}

#[test]
fn tokens_of_others() {
    let mut wrong = Vec::new();
    for (name, trust, expected) in TOKENS {
        let found = judge(name, *trust, None, WeakHashes::Refused);
        if word(&found) != *expected {
            let why = found.err().map(|error| error.to_string()).unwrap_or_default();
            wrong.push(format!("{name}: {why}\n    {expected} was expected"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No file is left out.
#[test]
fn every_token_is_judged() {
    let mut files = BTreeSet::new();
    for folder in std::fs::read_dir(place("")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            if !["ts_chain.pem", "root.der", "payload"].contains(&name.as_str()) {
                files.insert(format!("{}/{name}", folder.file_name().to_str().unwrap()));
            }
        }
    }
    let judged: BTreeSet<String> = TOKENS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(files, judged);
}

#[test]
fn they_are_of_what_they_should_be() {
    let hello = |name: &str, hash: HashAlgorithm| {
        let info = parse(name).unwrap().info().clone();
        assert_eq!((info.hash, info.imprint), (NamedHash::Strong(hash), hash.digest(b"hello")), "{name}");
    };
    hello("identrust/issue-104.tsr", HashAlgorithm::Sha512);
    hello("sigstage/response-sha256.tsr", HashAlgorithm::Sha256);
    hello("sigstage/response-sha384.tsr", HashAlgorithm::Sha384);
    let mock = parse("sigstore-mock/response-expired.tsr").unwrap().info().clone();
    assert_eq!(mock.imprint, HashAlgorithm::Sha256.digest(&read("sigstore-mock/payload")));
    // Microsoft's clock has milliseconds.
    assert_eq!(parse("tspclient-go/TimeStampTokenNoRoot.p7s").unwrap().info().gen_time.nanos(), 884_000_000);
    // What was injected is not used.
    let injected = judge("test-tsa/response-injected-certs.tsr", LOCAL, None, WeakHashes::Refused).unwrap();
    let honest = judge("test-tsa/response.tsr", LOCAL, None, WeakHashes::Refused).unwrap();
    assert_eq!(injected.path().certificates(), honest.path().certificates());
    // The mock's certificate has expired since.
    let late = Some(UnixTime::from_seconds(1_800_000_000));
    let found =
        judge("sigstore-mock/response-expired.tsr", File("sigstore-mock/ts_chain.pem"), late, WeakHashes::Refused);
    assert_eq!(word(&found), "certificate-expired");
}
