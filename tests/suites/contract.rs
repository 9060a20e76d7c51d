//! What the suites do not ask: the choices of `bulla cert verify`, its exit statuses, OCSP, and `bulla cert crl show`, on
//! certificates that openssl makes.

use std::process::{Command, Output};
use std::time::Duration;

use bulla::pki::{CertIdHash, Certificate, OcspRequest};
use serde_json::Value;

use crate::openssl::{Pki, ROOT, SIGNER, pki};
use crate::program;

const DAY: Duration = Duration::from_secs(86_400);
const GOOD: &str = "V\t491231235959Z\t\tBEEF\tunknown\t/CN=leaf\n";
const REVOKED: &str = "R\t491231235959Z\t250102030405Z,superseded\tBEEF\tunknown\t/CN=leaf\n";

/// Runs `bulla`; arguments are separated by blanks, files are those of the PKI.
fn bulla(pki: &Pki, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    command.args(arguments.split_whitespace()).current_dir(pki.path("")).env_clear().output().unwrap()
}

/// Runs `bulla cert verify --format json`.
fn verify(pki: &Pki, arguments: &str) -> (i32, Value) {
    let output = bulla(pki, &format!("cert verify --format json {arguments}"));
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {arguments}: {}", String::from_utf8_lossy(&output.stderr)));
    if document.get("error").is_none() {
        program::conforms("path-v1", &document);
    }
    (output.status.code().unwrap(), document)
}

#[track_caller]
fn valid(pki: &Pki, arguments: &str) -> Value {
    let (status, document) = verify(pki, arguments);
    assert_eq!(status, 0, "{arguments}: {document:#}");
    document
}

#[track_caller]
fn invalid(pki: &Pki, arguments: &str, code: &str) {
    let (status, document) = verify(pki, arguments);
    assert_eq!((status, document["failure"]["code"].as_str()), (1, Some(code)), "{arguments}: {document:#}");
}

/// A root and a leaf with the serial number 0xBEEF.
fn world() -> Option<(Pki, Certificate, Certificate)> {
    let pki = pki()?;
    for name in ["root", "leaf", "stranger"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    pki.issue("stranger", "stranger", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial 0xBEEF");
    Some((pki, root, leaf))
}

#[test]
fn keys_of_every_kind_sign_certificates() {
    let Some(pki) = pki() else { return };
    pki.key("leaf", "ec:P-256");
    let restricted = "genpkey -algorithm RSA-PSS -pkeyopt rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 \
                      -pkeyopt rsa_pss_keygen_saltlen:32 -out mid.key";
    for (kind, options) in [
        ("ed25519", ""),
        ("RSA-PSS", "-sigopt rsa_pss_saltlen:32"),
        ("restricted", "-sigopt rsa_pss_saltlen:32"),
        ("rsa:2048", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20"),
        ("rsa:3072", "-sha512"),
        ("ec:P-384", "-sha256"),
        ("ec:P-521", "-sha384"),
    ] {
        pki.key("root", "ec:P-256");
        pki.issue("root", "root", None, ROOT, "");
        if kind == "restricted" {
            pki.run(restricted);
        } else {
            pki.key("mid", kind);
        }
        pki.issue("mid", "mid", Some("root"), ROOT, "");
        pki.issue("leaf", "leaf", Some("mid"), SIGNER, options);
        valid(&pki, "--trust-anchor root.pem --untrusted mid.pem leaf.pem --purpose code-signing");
        // The same with one bit turned in the signature.
        pki.run("x509 -in leaf.pem -outform DER -out leaf.der");
        let mut der = pki.read("leaf.der");
        *der.last_mut().unwrap() ^= 1;
        pki.write("bad.der", der);
        invalid(&pki, "--trust-anchor root.pem --untrusted mid.pem bad.der", "chain-invalid");
    }
}

#[test]
fn sha1_and_small_keys() {
    let Some((pki, ..)) = world() else { return };
    for kind in ["rsa:2048", "ec:P-256", "ec:P-384"] {
        pki.key("old", kind);
        pki.issue("old", "old", None, ROOT, "");
        pki.issue("leaf", "leaf", Some("old"), SIGNER, "-sha1");
        invalid(&pki, "--trust-anchor old.pem leaf.pem", "algorithm-unsupported");
        valid(&pki, "--trust-anchor old.pem --allow-sha1 leaf.pem");
    }
    pki.key("old", "rsa:1024");
    pki.issue("old", "old", None, ROOT, "");
    pki.issue("leaf", "leaf", Some("old"), SIGNER, "");
    invalid(&pki, "--trust-anchor old.pem --allow-sha1 leaf.pem", "algorithm-unsupported");
}

#[test]
fn an_anchor_is_a_certificate_or_a_name_and_a_key() {
    let Some((pki, root, _)) = world() else { return };
    let late = root.validity().not_after.saturating_add(DAY);
    pki.issue("leaf", "leaf", Some("root"), SIGNER, "-days 9000");
    invalid(&pki, &format!("--trust-anchor root.pem --at {late} leaf.pem"), "certificate-expired");
    valid(&pki, &format!("--trust-anchor root.pem --at {late} --anchor-as-key leaf.pem"));
    for (extensions, code) in [
        ("keyUsage=keyCertSign", "path-invalid"),
        ("basicConstraints=CA:TRUE\nkeyUsage=cRLSign", "path-invalid"),
        ("basicConstraints=CA:TRUE\n1.2.3=critical,DER:0500", "critical-extension-unknown"),
        ("basicConstraints=CA:TRUE\nnameConstraints=excluded;dirName:n\n[n]\nC=US", "name-constraints-violated"),
        ("basicConstraints=CA:TRUE\npolicyConstraints=requireExplicitPolicy:0", "certificate-policy-unmet"),
    ] {
        pki.issue("root", "root", None, extensions, "");
        pki.issue("leaf", "leaf", Some("root"), SIGNER, "");
        invalid(&pki, "--trust-anchor root.pem leaf.pem", code);
        valid(&pki, "--trust-anchor root.pem --anchor-as-key leaf.pem");
    }
    // An intermediate may be the anchor, and the leaf itself.
    pki.issue("root", "root", None, ROOT, "");
    pki.key("mid", "ec:P-256");
    pki.issue("mid", "mid", Some("root"), ROOT, "");
    pki.issue("leaf", "leaf", Some("mid"), SIGNER, "");
    valid(&pki, "--trust-anchor mid.pem leaf.pem");
    let itself = valid(&pki, "--trust-anchor leaf.pem --revocation require leaf.pem");
    assert_eq!(itself["path"].as_array().unwrap().len(), 1);
    invalid(&pki, "leaf.pem", "chain-untrusted");
    invalid(&pki, "--trust-anchor stranger.pem --untrusted mid.pem --untrusted root.pem leaf.pem", "chain-untrusted");
}

#[test]
fn paths_over_renewed_crossed_and_looping_certificates() {
    let Some((pki, ..)) = world() else { return };
    for name in ["a", "b", "new"] {
        pki.key(name, "ec:P-256");
    }
    // a and b sign each other; a is renewed with a new key, crossed by the root, and once expired.
    pki.issue("a", "a", None, ROOT, "");
    pki.issue("b", "b", None, ROOT, "");
    pki.issue_as("a-by-b", "a", "a", Some("b"), ROOT, "");
    pki.issue_as("b-by-a", "b", "b", Some("a"), ROOT, "");
    pki.issue_as("a-new", "a", "new", Some("root"), ROOT, "");
    pki.issue_as("b-by-root", "b", "b", Some("root"), ROOT, "");
    pki.issue("leaf", "leaf", Some("a"), SIGNER, "");
    let parts = ["a-by-b", "b-by-a", "a-new", "b-by-root", "a", "b", "leaf", "stranger"];
    for turn in 0..parts.len() {
        let order = parts.iter().cycle().skip(turn).take(parts.len());
        let text: Vec<u8> = order.flat_map(|name| pki.read(&format!("{name}.pem"))).collect();
        pki.write("all.pem", text);
        let found = valid(&pki, "--trust-anchor root.pem --untrusted all.pem leaf.pem");
        // leaf, a by b, b by root, root
        assert_eq!(found["path"].as_array().unwrap().len(), 4, "{found:#}");
    }
    // Without the way out of the loop.
    let text: Vec<u8> =
        ["a-by-b", "b-by-a", "a", "b"].iter().flat_map(|name| pki.read(&format!("{name}.pem"))).collect();
    pki.write("loop.pem", text);
    invalid(&pki, "--trust-anchor root.pem --untrusted loop.pem leaf.pem", "chain-untrusted");
    // The failure that came furthest is told: the path holds but for the purpose.
    invalid(
        &pki,
        "--trust-anchor stranger.pem --trust-anchor root.pem --untrusted all.pem --purpose server-auth leaf.pem",
        "certificate-purpose-mismatch",
    );
}

#[test]
fn purposes() {
    let Some((pki, ..)) = world() else { return };
    let judge = |extensions: &str, purpose: &str, good: bool| {
        pki.issue("leaf", "leaf", Some("root"), extensions, "");
        let arguments = format!("--trust-anchor root.pem --purpose {purpose} leaf.pem");
        match good {
            true => drop(valid(&pki, &arguments)),
            false => invalid(&pki, &arguments, "certificate-purpose-mismatch"),
        }
    };
    judge("extendedKeyUsage=codeSigning", "code-signing", true);
    judge("extendedKeyUsage=codeSigning", "client-auth", false);
    judge("extendedKeyUsage=anyExtendedKeyUsage", "client-auth", true);
    judge("extendedKeyUsage=critical,timeStamping", "timestamping", true);
    judge("extendedKeyUsage=timeStamping", "timestamping", false);
    judge("extendedKeyUsage=critical,timeStamping,codeSigning", "timestamping", false);
    judge("basicConstraints=CA:FALSE", "timestamping", false);
    judge("keyUsage=keyEncipherment", "code-signing", false);
    judge("keyUsage=keyEncipherment", "server-auth", true);
    judge("keyUsage=keyEncipherment", "any", true);
}

#[test]
fn revocation_by_crl() {
    let Some((pki, _, leaf)) = world() else { return };
    let crl = |name: &str, signer: &str, entries: &[(&str, &str)]| {
        pki.write(name, pki.crl_der(signer, entries, "", ""));
    };
    crl("good.crl", "root", &[]);
    crl("revoked.crl", "root", &[("BEEF", "250102030405Z,superseded")]);
    crl("hold.crl", "root", &[("BEEF", "250102030405Z,certificateHold")]);
    pki.issue_as("false-root", "root", "stranger", None, ROOT, "");
    std::fs::copy(pki.path("stranger.key"), pki.path("false-root.key")).unwrap();
    crl("foreign.crl", "false-root", &[]);
    let with = |mode: &str, crl: &str| format!("--trust-anchor root.pem --revocation {mode} {crl} leaf.pem");

    valid(&pki, &with("require", "--crl good.crl"));
    assert!(valid(&pki, &with("off", "--crl revoked.crl")).get("notices").is_none());
    for mode in ["check", "require"] {
        for list in ["revoked", "hold"] {
            invalid(&pki, &with(mode, &format!("--crl {list}.crl")), "certificate-revoked");
        }
    }
    // Nothing at hand, or nothing usable.
    invalid(&pki, &with("require", ""), "crl-missing");
    invalid(&pki, &with("require", "--crl foreign.crl"), "crl-invalid");
    let foreign = valid(&pki, &with("check", "--crl foreign.crl --untrusted false-root.pem"));
    assert_eq!(foreign["notices"][0]["code"], "revocation-unknown", "{foreign:#}");
    assert_eq!(foreign["path"][0]["standing"]["unusable"][0]["code"], "crl-invalid", "{foreign:#}");

    // An old list: silence is worth nothing, a revocation for good stays one.
    let late = leaf.validity().not_before.saturating_add(DAY * 60);
    let late = |mode: &str, crl: &str| with(mode, &format!("--at {late} --crl {crl}"));
    invalid(&pki, &late("require", "good.crl"), "crl-expired");
    let unusable = valid(&pki, &late("check", "good.crl"));
    assert_eq!(unusable["path"][0]["standing"]["unusable"][0]["code"], "crl-expired", "{unusable:#}");
    invalid(&pki, &late("check", "revoked.crl"), "certificate-revoked");
    valid(&pki, &late("check", "hold.crl"));

    // Several in one file, and one of them malformed.
    pki.run("crl -inform DER -in good.crl -out good.pem");
    pki.run("crl -inform DER -in foreign.crl -out foreign.pem");
    let broken = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    pki.write("several.pem", [&pki.read("foreign.pem")[..], broken.as_bytes(), &pki.read("good.pem")].concat());
    let several = valid(&pki, &with("require", "--crl several.pem"));
    assert_eq!(several["notices"][0]["code"], "crl-invalid", "{several:#}");

    // A point with reasons needs a list of the others too.
    let point = format!("{SIGNER}\ncrlDistributionPoints=p\n[p]\nfullname=URI:http://a/1.crl\nreasons=keyCompromise");
    pki.issue("leaf", "leaf", Some("root"), &point, "");
    let scope =
        "issuingDistributionPoint=critical,@idp\n[idp]\nfullname=URI:http://a/1.crl\nonlysomereasons=keyCompromise";
    pki.write("some.crl", pki.crl_der("root", &[], scope, ""));
    invalid(&pki, &with("require", "--crl some.crl"), "crl-out-of-scope");
    valid(&pki, &with("require", "--crl some.crl --crl good.crl"));
}

#[test]
fn revocation_by_ocsp() {
    let Some((pki, root, leaf)) = world() else { return };
    pki.key("responder", "ec:P-256");
    let appointed = "keyUsage=digitalSignature\nextendedKeyUsage=OCSPSigning";
    pki.issue("responder", "responder", Some("root"), appointed, "");
    pki.write("request.der", OcspRequest::new(CertIdHash::Sha1, &leaf, &root).der());
    let answer = |name: &str, index: &str, signer: &str, options: &str| {
        pki.write("ocsp.txt", index);
        pki.run(&format!(
            "ocsp -index ocsp.txt -CA root.pem -rsigner {signer}.pem -rkey {signer}.key -reqin request.der -respout {name} {options}"
        ));
    };
    answer("good.ors", GOOD, "root", "-ndays 1");
    answer("revoked.ors", REVOKED, "root", "-ndays 1");
    answer("unknown.ors", "", "root", "-ndays 1");
    answer("endless.ors", GOOD, "root", "");
    answer("delegate.ors", GOOD, "responder", "-ndays 1");
    let with = |mode: &str, more: &str| format!("--trust-anchor root.pem --revocation {mode} {more} leaf.pem");
    let crl = |name: &str, entries: &[(&str, &str)]| pki.write(name, pki.crl_der("root", entries, "", ""));
    crl("good.crl", &[]);
    crl("revoked.crl", &[("BEEF", "250102030405Z,superseded")]);

    valid(&pki, &with("require", "--ocsp good.ors"));
    invalid(&pki, &with("check", "--ocsp revoked.ors"), "certificate-revoked");
    invalid(&pki, &with("require", "--ocsp unknown.ors"), "ocsp-unknown");
    valid(&pki, &with("require", "--ocsp unknown.ors --crl good.crl"));
    invalid(&pki, &with("require", "--ocsp endless.ors"), "ocsp-expired");
    let endless = valid(&pki, &with("check", "--ocsp endless.ors"));
    assert_eq!(endless["path"][0]["standing"]["unusable"][0]["code"], "ocsp-expired", "{endless:#}");
    // Revoked outranks good, whoever says it.
    invalid(&pki, &with("check", "--ocsp good.ors --ocsp revoked.ors"), "certificate-revoked");
    invalid(&pki, &with("check", "--ocsp good.ors --crl revoked.crl"), "certificate-revoked");
    // A responder that is appointed must be in good standing itself.
    invalid(&pki, &with("require", "--ocsp delegate.ors"), "ocsp-responder-unchecked");
    valid(&pki, &with("require", "--ocsp delegate.ors --crl good.crl"));
    let key = bulla(&pki, &format!("cert verify {}", with("check", "--ocsp root.key")));
    assert_eq!(key.status.code(), Some(2));
}

#[test]
fn exit_statuses_and_words() {
    let Some((pki, ..)) = world() else { return };
    pki.write("garbage", "this is no certificate");
    pki.write("half.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n");
    pki.write("hollow.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    for arguments in [
        "--trust-anchor root.pem absent.pem",
        "--trust-anchor absent.pem leaf.pem",
        "--trust-anchor root.pem garbage",
        "--trust-anchor garbage leaf.pem",
        "--trust-anchor half.pem leaf.pem",
        "--trust-anchor root.pem --crl root.pem leaf.pem",
        "--trust-anchor root.pem .",
    ] {
        let (status, document) = verify(&pki, arguments);
        assert_eq!((status, document["error"]["code"].as_str()), (2, Some("input-unreadable")), "{arguments}");
    }
    for arguments in ["", "--at yesterday leaf.pem", "--purpose all leaf.pem", "--initial-policy x leaf.pem"] {
        let output = bulla(&pki, &format!("cert verify {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    }
    // Framed as it should be, and malformed inside.
    invalid(&pki, "--trust-anchor root.pem hollow.pem", "certificate-malformed");
    let left_out = valid(&pki, "--trust-anchor hollow.pem --trust-anchor root.pem --untrusted hollow.pem leaf.pem");
    let codes: Vec<&str> =
        left_out["notices"].as_array().unwrap().iter().map(|notice| notice["code"].as_str().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == "certificate-malformed").count(), 2, "{codes:?}");

    let output = bulla(&pki, "certificate verify --trust-anchor root.pem leaf.pem --revocation require");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("NOT VALID  CN=leaf,") && text.contains("why          crl-missing: "), "{text}");
    let output = bulla(&pki, "cert verify --trust-anchor root.pem leaf.pem");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("VALID  CN=leaf,") && text.contains("(trust anchor)"), "{text}");
    assert!(text.contains("note[revocation-unknown]"), "{text}");
    let help = String::from_utf8(bulla(&pki, "cert verify --help").stdout).unwrap();
    for choice in ["anyPolicy", "inclusive", "--allow-sha1", "nextUpdate", "--anchor-as-key", "counts as none"] {
        assert!(help.contains(choice), "{choice}: {help}");
    }
}

#[test]
fn policies_by_option() {
    let Some((pki, ..)) = world() else { return };
    pki.issue("leaf", "leaf", Some("root"), &format!("{SIGNER}\ncertificatePolicies=1.2.3.4"), "");
    let found = valid(&pki, "--trust-anchor root.pem --require-explicit-policy leaf.pem");
    assert_eq!(found["policies"]["userConstrained"], serde_json::json!(["1.2.3.4"]));
    valid(&pki, "--trust-anchor root.pem --initial-policy 1.2.3.4 --require-explicit-policy leaf.pem");
    valid(&pki, "--trust-anchor root.pem --initial-policy 1.2.3.5 leaf.pem");
    let other = "--trust-anchor root.pem --initial-policy 1.2.3.5 --require-explicit-policy leaf.pem";
    invalid(&pki, other, "certificate-policy-unmet");
    pki.issue("leaf", "leaf", Some("root"), &format!("{SIGNER}\ncertificatePolicies=2.5.29.32.0"), "");
    valid(&pki, other);
    invalid(&pki, &format!("--inhibit-any-policy {other}"), "certificate-policy-unmet");
}

#[test]
fn crls_are_shown() {
    let Some((pki, ..)) = world() else { return };
    let entries = [("BEEF", "250102030405Z,keyTime,20240506070809Z"), ("01", "250102030405Z")];
    pki.write("list.crl", pki.crl_der("root", &entries, "2.5.29.27=critical,DER:020105", ""));
    let output = bulla(&pki, "cert crl show list.crl --format json");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    program::conforms("crl-v1", &document);
    let crl = &document["crls"][0];
    assert_eq!((crl["number"].as_str(), crl["baseCrlNumber"].as_str()), (Some("07"), Some("05")), "{crl:#}");
    assert_eq!(crl["entries"][1]["serial"], "00beef");
    assert_eq!(crl["entries"][1]["reason"], "keyCompromise");
    assert_eq!(crl["entries"][1]["invalidityDate"], "2024-05-06T07:08:09Z");
    assert_eq!(crl["entries"][0]["reason"], "unspecified");
    let text = String::from_utf8(bulla(&pki, "cert crl show list.crl").stdout).unwrap();
    assert!(text.starts_with("DELTA CRL  CN=root,") && text.contains("Nothing was verified"), "{text}");
    assert_eq!(bulla(&pki, "cert crl show root.key").status.code(), Some(2));
    assert_eq!(bulla(&pki, "cert crl show absent").status.code(), Some(2));
}
