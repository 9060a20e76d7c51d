//! Chains: all key kinds, and each rule of the profiles broken once.

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::limits::Limits;
use bulla::pki::{
    Certificate, CertificateChain, CertificateError, ChainError, HashAlgorithm, KeyKind, Profile, SignatureError,
    SignatureScheme, Violation, certificates_from_file,
};
use bulla::time::UnixTime;

use crate::openssl::{AUTHORITY, Pki, ROOT, SIGNER, pki};

fn inspect(certificates: &[&Certificate], profile: Profile) -> Result<bulla::pki::ConformingChain, ChainError> {
    let all = certificates.iter().map(|certificate| (*certificate).clone()).collect();
    CertificateChain::new(all, &Limits::default()).unwrap().inspect(profile)
}

/// 5.01, 5.02, 5.04: one chain of each kind, with the hash of the kind, and a signature of each scheme by the leaf.
#[test]
fn chains_and_signatures_of_all_six_kinds_verify() {
    let Some(pki) = pki() else { return };
    pki.write("message", "what is signed");
    for (name, kind, want) in [
        ("r2", "rsa:2048", KeyKind::Rsa2048),
        ("r3", "rsa:3072", KeyKind::Rsa3072),
        ("r4", "rsa:4096", KeyKind::Rsa4096),
        ("p256", "ec:P-256", KeyKind::P256),
        ("p384", "ec:P-384", KeyKind::P384),
        ("p521", "ec:P-521", KeyKind::P521),
    ] {
        // One key for all three certificates: openssl's RSA keys take seconds to make.
        pki.key(name, kind);
        let sha = want.hash().as_str().replace("SHA-", "-sha");
        let root = pki.issue(&format!("{name}-root"), name, None, ROOT, &sha);
        std::fs::copy(pki.path(&format!("{name}.key")), pki.path(&format!("{name}-root.key"))).unwrap();
        let leaf = pki.issue(&format!("{name}-leaf"), name, Some(&format!("{name}-root")), SIGNER, &sha);
        let chain = inspect(&[&leaf, &root], Profile::CodeSigning).unwrap();
        assert_eq!(chain.key_kind(), want);
        assert_eq!(leaf.public_key().describe(), want.to_string());
        assert_eq!(leaf.subject().to_string(), format!("CN={name}-leaf,O=bulla,L=Seattle,ST=WA,C=US"));
        assert_eq!(leaf.short_name(), format!("{name}-leaf"));
        assert!(root.is_self_signed() && root.is_ca() && !leaf.is_self_issued() && !leaf.is_ca());
        check_schemes(&pki, name, want, &leaf);
    }
}

/// Every hash with every kind: P-521 with SHA-256 is what openssl's OCSP writes.
fn check_schemes(pki: &Pki, name: &str, kind: KeyKind, leaf: &Certificate) {
    let key = leaf.public_key();
    let message = b"what is signed";
    for hash in HashAlgorithm::ALL {
        let sha = hash.as_str().replace("SHA-", "-sha");
        let mut schemes = Vec::new();
        if kind.as_str().starts_with("RSA") {
            schemes.push((SignatureScheme::RsaPkcs1(hash), String::new()));
            let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:";
            schemes.push((SignatureScheme::RsaPss(hash), format!("{pss}digest")));
            let salt_len = match kind {
                KeyKind::Rsa2048 => 256,
                KeyKind::Rsa3072 => 384,
                _ => 512,
            } - hash.output_len()
                - 2;
            schemes.push((SignatureScheme::RsaPssSalt { hash, salt_len }, format!("{pss}{salt_len}")));
        } else {
            schemes.push((SignatureScheme::EcdsaDer(hash), String::new()));
        }
        for (scheme, options) in schemes {
            pki.run(&format!("dgst {sha} -sign {name}.key {options} -out sig message"));
            let signature = pki.read("sig");
            assert_eq!(key.verify(scheme, message, &signature), Ok(()), "{scheme:?}");
            assert_eq!(key.verify(scheme, b"another", &signature), Err(SignatureError::Mismatch), "{scheme:?}");
            assert_eq!(key.verify(scheme, message, &signature[1..]), Err(SignatureError::Mismatch), "{scheme:?}");
            assert_eq!(key.verify(scheme, message, b""), Err(SignatureError::Mismatch), "{scheme:?}");
            if let SignatureScheme::EcdsaDer(hash) = scheme {
                let width = match kind {
                    KeyKind::P256 => 32,
                    KeyKind::P384 => 48,
                    _ => 66,
                };
                let raw = raw_signature(&signature, width);
                let scheme = SignatureScheme::EcdsaRaw(hash);
                assert_eq!(key.verify(scheme, message, &raw), Ok(()));
                for bad in [&raw[1..], &raw[..raw.len() - 1], &signature, &vec![0; width * 2]] {
                    assert_eq!(key.verify(scheme, message, bad), Err(SignatureError::Mismatch));
                }
            }
            if let SignatureScheme::RsaPssSalt { .. } = scheme {
                let strict = key.verify(SignatureScheme::RsaPss(hash), message, &signature);
                assert_eq!(strict, Err(SignatureError::Mismatch), "3.19: the salt is as long as the hash");
            }
        }
    }
    let other = if kind.as_str().starts_with("RSA") {
        SignatureScheme::EcdsaDer(kind.hash())
    } else {
        SignatureScheme::RsaPss(kind.hash())
    };
    assert!(matches!(key.verify(other, message, b"x"), Err(SignatureError::SchemeMismatch { .. })));
}

/// The two INTEGERs of a DER signature as fixed-width numbers behind each other.
fn raw_signature(der: &[u8], width: usize) -> Vec<u8> {
    let mut rest = if der[1] < 0x80 { &der[2..] } else { &der[3..] };
    let mut raw = Vec::new();
    for _ in 0..2 {
        let (number, behind) = rest[2..].split_at(usize::from(rest[1]));
        let digits: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
        raw.resize(raw.len() + width - digits.len(), 0);
        raw.extend(digits);
        rest = behind;
    }
    raw
}

/// Certificates signed with RSA-PSS, also with more than 255 octets of salt, which `x509-cert` cannot hold.
#[test]
fn certificates_signed_with_pss_verify() {
    let Some(pki) = pki() else { return };
    pki.key("root", "rsa:4096");
    pki.key("leaf", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    for salt in ["32", "max", "0"] {
        let options = format!("-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt}");
        let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, &options);
        inspect(&[&leaf, &root], Profile::CodeSigning).unwrap_or_else(|error| panic!("salt {salt}: {error}"));
    }
}

struct Case {
    rule: &'static str,
    profile: Profile,
    leaf: String,
    issuer: String,
    found: fn(&Violation) -> bool,
}

fn leaf(rule: &'static str, profile: Profile, extensions: &str, found: fn(&Violation) -> bool) -> Case {
    Case { rule, profile, leaf: extensions.into(), issuer: ROOT.into(), found }
}

fn issuer(rule: &'static str, profile: Profile, extensions: &str, found: fn(&Violation) -> bool) -> Case {
    let leaf = if profile == Profile::CodeSigning { SIGNER } else { AUTHORITY };
    Case { rule, profile, leaf: leaf.into(), issuer: extensions.into(), found }
}

fn cases() -> Vec<Case> {
    use Profile::{CodeSigning, Timestamping};
    use Violation as V;
    let mut cases = vec![
        leaf("5.11", CodeSigning, "basicConstraints=CA:TRUE\nkeyUsage=critical,digitalSignature", |v| {
            *v == V::LeafIsCa
        }),
        leaf("5.12 missing", CodeSigning, "basicConstraints=CA:FALSE", |v| *v == V::KeyUsageMissing),
        leaf("5.12 critical", CodeSigning, "keyUsage=digitalSignature", |v| *v == V::KeyUsageNotCritical),
        leaf("5.12 lacks", CodeSigning, "keyUsage=critical,nonRepudiation", |v| matches!(v, V::KeyUsageLacks { .. })),
        leaf("5.14 missing", Timestamping, "keyUsage=digitalSignature", |v| *v == V::ExtendedKeyUsageMissing),
        leaf("5.14 critical", Timestamping, "keyUsage=digitalSignature\nextendedKeyUsage=timeStamping", |v| {
            *v == V::ExtendedKeyUsageNotCritical
        }),
        leaf(
            "5.14 only",
            Timestamping,
            "keyUsage=digitalSignature\nextendedKeyUsage=critical,timeStamping,codeSigning",
            |v| *v == V::ExtendedKeyUsageNotOnlyTimestamping,
        ),
        leaf("5.12 missing", Timestamping, "extendedKeyUsage=critical,timeStamping", |v| *v == V::KeyUsageMissing),
        issuer("5.08 missing", CodeSigning, "keyUsage=critical,keyCertSign", |v| *v == V::NotCa),
        issuer("5.08 false", Timestamping, "basicConstraints=CA:FALSE\nkeyUsage=critical,keyCertSign", |v| {
            *v == V::NotCa
        }),
        issuer("5.08 critical", CodeSigning, "basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign", |v| {
            *v == V::BasicConstraintsNotCritical
        }),
        issuer("5.10 missing", CodeSigning, "basicConstraints=critical,CA:TRUE", |v| *v == V::KeyUsageMissing),
        issuer("5.10 missing", Timestamping, "basicConstraints=critical,CA:TRUE", |v| *v == V::KeyUsageMissing),
        issuer("5.10 critical", CodeSigning, "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign", |v| {
            *v == V::KeyUsageNotCritical
        }),
        issuer("5.10 lacks", Timestamping, "basicConstraints=critical,CA:TRUE\nkeyUsage=cRLSign", |v| {
            matches!(v, V::KeyUsageLacks { .. })
        }),
    ];
    let usages = ["keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign"];
    for usage in usages.into_iter().chain(["keyAgreement,encipherOnly", "keyAgreement,decipherOnly"]) {
        let extensions = format!("keyUsage=critical,digitalSignature,{usage}");
        cases.push(leaf("5.12 forbidden", CodeSigning, &extensions, |v| matches!(v, V::KeyUsageForbidden { .. })));
    }
    for purpose in ["anyExtendedKeyUsage", "serverAuth", "clientAuth", "emailProtection", "timeStamping", "OCSPSigning"]
    {
        let extensions = format!("keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning,{purpose}");
        cases.push(leaf("5.13 forbidden", CodeSigning, &extensions, |v| {
            matches!(v, V::ExtendedKeyUsageForbidden { .. })
        }));
    }
    cases
}

/// Each rule broken once; the same chain with the rule kept is the test above.
#[test]
fn each_broken_rule_is_found_and_named() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    for case in cases() {
        let root = pki.issue("root", "root", None, &case.issuer, "");
        let leaf = pki.issue("leaf", "leaf", Some("root"), &case.leaf, "");
        match inspect(&[&leaf, &root], case.profile) {
            Err(error @ ChainError::Profile { .. }) => {
                assert_eq!(error.code(), DiagnosticCode::CertificateProfileViolated);
                let ChainError::Profile { violation, place, .. } = &error else { unreachable!() };
                assert!((case.found)(violation), "{}: {error}", case.rule);
                assert_eq!(place.position == 1, case.issuer != ROOT, "{}: {error}", case.rule);
            }
            other => panic!("{} {:?}: {other:?}", case.rule, case.leaf),
        }
    }
}

#[test]
fn what_is_allowed_beyond_the_plain_form_conforms() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    for extensions in [
        "keyUsage=critical,digitalSignature",
        "keyUsage=critical,digitalSignature,nonRepudiation\nextendedKeyUsage=1.2.3.4",
        // 5.16: other extensions are ignored for code signing, critical or not.
        "keyUsage=critical,digitalSignature\nnameConstraints=critical,permitted;DNS:x\n1.2.3.4=critical,DER:0500",
    ] {
        let root = pki.issue("root", "root", None, ROOT, "");
        let leaf = pki.issue("leaf", "leaf", Some("root"), extensions, "");
        inspect(&[&leaf, &root], Profile::CodeSigning).unwrap_or_else(|error| panic!("{extensions}: {error}"));
    }
    let root = pki.issue("root", "root", None, "basicConstraints=CA:TRUE\nkeyUsage=keyCertSign", "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), &AUTHORITY.replace("keyUsage=critical,", "keyUsage="), "");
    inspect(&[&leaf, &root], Profile::Timestamping).unwrap();
}

/// 5.04 to 5.09, 5.15: what holds the chain together.
#[test]
fn broken_links_are_found() {
    let Some(pki) = pki() else { return };
    for name in ["root", "stranger", "mid", "low", "leaf"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    let mid = pki.issue("mid", "mid", Some("root"), ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("mid"), SIGNER, "");
    let chain = inspect(&[&leaf, &mid, &root], Profile::CodeSigning).unwrap();
    assert_eq!(chain.certificates().len(), 3);

    let fails = |certificates: &[&Certificate]| inspect(certificates, Profile::CodeSigning).unwrap_err();
    assert!(matches!(fails(&[&leaf, &root]), ChainError::NameMismatch { .. }));
    assert!(matches!(fails(&[&leaf, &mid]), ChainError::NoRoot { .. }));
    assert!(matches!(fails(&[&leaf, &mid, &root, &root]), ChainError::RootInside { .. }), "5.06");
    assert!(matches!(fails(&[&root]), ChainError::Profile { violation: Violation::LeafIsCa, .. }), "5.07");
    let impostor = pki.issue_as("impostor", "root", "stranger", None, ROOT, "");
    let error = fails(&[&leaf, &mid, &impostor]);
    assert!(matches!(error, ChainError::NotSignedBy { source: SignatureError::Mismatch, .. }), "{error}");
    assert_eq!(error.code(), DiagnosticCode::ChainInvalid);

    // 5.07: a chain of one keeps the rules of a leaf.
    let alone = pki.issue("alone", "leaf", None, SIGNER, "");
    inspect(&[&alone], Profile::CodeSigning).unwrap();

    // 5.09: one CA below, none allowed.
    let short = ROOT.replace("CA:TRUE", "CA:TRUE,pathlen:0");
    let root0 = pki.issue_as("root0", "root", "root", None, &short, "");
    let error = fails(&[&leaf, &mid, &root0]);
    let ChainError::Profile { violation, .. } = &error else { panic!("{error}") };
    assert_eq!(*violation, Violation::PathTooLong { allowed: 0, below: 1 });
    let mid0 = pki.issue_as("mid0", "mid", "mid", Some("root"), &short, "");
    inspect(&[&leaf, &mid0, &root], Profile::CodeSigning).unwrap();

    // 5.15: SHA-1, between two certificates and of a self-signed one alone.
    let weak = pki.issue_as("weak", "leaf", "leaf", Some("mid"), SIGNER, "-sha1");
    let error = fails(&[&weak, &mid, &root]);
    assert!(matches!(error, ChainError::NotSignedBy { source: SignatureError::WeakAlgorithm { .. }, .. }), "{error}");
    assert_eq!(error.code(), DiagnosticCode::AlgorithmUnsupported);
    let weak = pki.issue_as("weak", "leaf", "leaf", None, SIGNER, "-sha1");
    assert!(matches!(fails(&[&weak]), ChainError::NotSignedBy { source: SignatureError::WeakAlgorithm { .. }, .. }));

    assert_eq!(CertificateChain::new(Vec::new(), &Limits::default()), Err(ChainError::Empty));
    let limits = Limits { certificates: 2, ..Limits::default() };
    let long = CertificateChain::new(vec![leaf, mid, root], &limits);
    assert_eq!(long, Err(ChainError::TooLong { count: 3, limit: 2 }));
}

/// 5.02: sizes that only others accept, and kinds that nobody does.
#[test]
fn other_keys_cannot_sign() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    for (kind, shown) in [
        ("rsa:1024", "RSA 1024 (unsupported)"),
        ("rsa:2560", "RSA 2560"),
        ("ec:secp256k1", "EC curve 1.3.132.0.10 (unsupported)"),
        ("ed25519", "Ed25519"),
    ] {
        pki.key("leaf", kind);
        let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "");
        assert_eq!((leaf.public_key().kind(), leaf.public_key().describe()), (None, shown.to_owned()));
        let error = inspect(&[&leaf, &root], Profile::CodeSigning).unwrap_err();
        assert!(matches!(error, ChainError::Profile { violation: Violation::Key { .. }, .. }), "{kind}: {error}");
    }
    // An authority with a small key: its certificate can be read, its signatures are not accepted.
    pki.key("small", "rsa:1024");
    let small = pki.issue("small", "small", None, ROOT, "");
    pki.key("leaf", "ec:P-256");
    let leaf = pki.issue("leaf", "leaf", Some("small"), SIGNER, "");
    assert!(matches!(leaf.verify_signed_by(&small), Err(SignatureError::KeyUnusable { .. })));
    assert!(!small.is_self_signed());
}

/// 5.17, 6.10, 8.17.
#[test]
fn validity_and_anchors() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-days 1");
    let chain = inspect(&[&leaf, &root], Profile::CodeSigning).unwrap();
    let period = leaf.validity();
    assert_eq!(period.not_after.seconds() - period.not_before.seconds(), 86_400);
    chain.check_validity(period.not_before, period.not_after).unwrap();
    let late = UnixTime::from_seconds(period.not_after.seconds() + 1);
    let failure = chain.check_validity(period.not_before, late).unwrap_err();
    assert!(failure.is_expired() && failure.certificate == leaf && failure.at == late, "{failure}");
    assert_eq!(failure.code(), DiagnosticCode::CertificateExpired);
    let early = UnixTime::from_seconds(period.not_before.seconds() - 86_400);
    let failure = chain.check_validity(early, period.not_after).unwrap_err();
    assert_eq!((failure.is_expired(), failure.code()), (false, DiagnosticCode::CertificateNotYetValid));

    assert_eq!(chain.verify_anchor(std::slice::from_ref(&root)).unwrap().anchor(), &root);
    assert_eq!(chain.verify_anchor(&[root.clone(), leaf.clone()]).unwrap().anchor(), &leaf, "leaf upward");
    let again = pki.issue_as("again", "root", "root", None, ROOT, "");
    let error = chain.verify_anchor(&[again]).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::ChainUntrusted, "the same name and key are another certificate");
}

/// Names, sources of revocation, and what RFC 5280 forbids.
#[test]
fn fields_are_read_as_openssl_wrote_them() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    pki.issue("root", "root", None, ROOT, "");
    let extensions = format!(
        "{SIGNER}\ncrlDistributionPoints=URI:http://a/1.crl,URI:ldap://b/x,URI:http://a/1.crl,URI:HTTPS://c/2.crl\n\
         authorityInfoAccess=OCSP;URI:http://o/,caIssuers;URI:http://ca/"
    );
    let leaf = pki.issue("leaf", "leaf", Some("root"), &extensions, "-set_serial 0x00c0ffee");
    let sources = leaf.revocation_sources().unwrap();
    assert_eq!(sources.crl_points.len(), 4);
    assert_eq!(sources.http_crl_urls(), ["http://a/1.crl", "HTTPS://c/2.crl"]);
    assert_eq!((sources.ocsp_urls.as_slice(), sources.has_freshest_crl), (&["http://o/".to_owned()][..], false));
    assert_eq!(leaf.serial().to_string(), "00c0ffee");
    assert!(pki.certificate("root").revocation_sources().unwrap().is_empty());

    let subject = r"/C=US/O=a,%b\+c/CN=x/OU=%lead/emailAddress=m@x/2.5.4.42=Gi";
    pki.write("ext.cnf", SIGNER);
    pki.run(&format!("req -new -key leaf.key -utf8 -subj {subject} -out n.csr"));
    pki.run("x509 -req -in n.csr -signkey leaf.key -out n.pem -days 1");
    let shown = pki.output("x509 -in n.pem -noout -subject -nameopt RFC2253,-esc_msb");
    let shown = String::from_utf8(shown.stdout).unwrap();
    let ours = pki.certificate("n").subject().to_string();
    // openssl calls 2.5.4.42 GN; RFC 4514 has no name for it.
    assert_eq!(ours, shown.trim().trim_start_matches("subject=").replace("GN=", "2.5.4.42="));

    // -set_serial 0 and negative ones occur and are accepted; the same extension twice is not.
    let zero = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial 0");
    assert_eq!(zero.serial().to_string(), "00");
    let negative = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial -1");
    assert_eq!(negative.serial().to_string(), "ff");
    let mut trailing = zero.der().to_vec();
    trailing.push(0);
    assert!(matches!(Certificate::from_der(&trailing), Err(CertificateError::Malformed { .. })));
}

/// 6.06.
#[test]
fn certificate_files() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let limits = Limits::default();
    let pem = pki.read("root.pem");
    let both = [root.der(), root.der()].concat();
    assert_eq!(certificates_from_file(&both, &limits).unwrap(), [root.clone(), root.clone()]);
    pki.run("x509 -in root.pem -text -out text.pem");
    let text = [pki.read("text.pem"), b"\nand so on\n".to_vec(), pem.clone()].concat();
    assert_eq!(certificates_from_file(&text, &limits).unwrap().len(), 2);
    let label = String::from_utf8(pem.clone()).unwrap().replace("CERTIFICATE", "ANYTHING");
    assert_eq!(certificates_from_file(label.as_bytes(), &limits).unwrap(), std::slice::from_ref(&root));
    let with_key = [pem, pki.read("root.key")].concat();
    assert!(matches!(certificates_from_file(&with_key, &limits), Err(CertificateError::InFile { position: 2, .. })));
    let few = Limits { certificates: 1, ..Limits::default() };
    assert!(matches!(certificates_from_file(&both, &few), Err(CertificateError::TooMany { .. })));
    let small = Limits { certificate_bytes: 10, ..Limits::default() };
    assert_eq!(certificates_from_file(&both, &small).unwrap_err().code(), DiagnosticCode::LimitExceeded);
}
