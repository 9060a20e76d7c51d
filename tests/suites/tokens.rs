//! `bulla timestamp verify` and `inspect`, on tokens of `openssl ts` and on forged ones of every form, each also judged by
//! `openssl ts -verify`: where the two differ, the table says why.

use std::process::{Command, Output};
use std::time::Duration;

use bulla::pki::Certificate;
use bulla::time::UnixTime;
use serde_json::Value;

use crate::forge::{
    MESSAGE, Recipe, SHA1, SHA256, SHA512, Sid, Signing, algorithm, attribute, essential, essential_with, info,
    info_of, integer, octets, oid, pss, response, rsa, sequence,
};
use crate::openssl::{AUTHORITY, Pki, ROOT, pki, tlv};
use crate::program;

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct World {
    pub(crate) pki: Pki,
    pub(crate) mid: Certificate,
    pub(crate) tsa: Certificate,
    /// notBefore of the authority's certificate, as genTime is written.
    pub(crate) time: String,
}

/// root → mid → tsa, and the file `message`.
pub(crate) fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "mid", "tsa"] {
        pki.key(name, "ec:P-256");
    }
    let ski = "subjectKeyIdentifier=hash";
    pki.issue("root", "root", None, &format!("{ROOT}\n{ski}"), "");
    let mid = pki.issue("mid", "mid", Some("root"), &format!("{ROOT}\n{ski}"), "");
    let tsa = pki.issue("tsa", "tsa", Some("mid"), &format!("{AUTHORITY}\n{ski}"), "");
    pki.write("message", MESSAGE);
    pki.write("other", b"another file");
    let time = written(tsa.validity().not_before);
    Some(World { pki, mid, tsa, time })
}

/// The first time at which a certificate is valid, as genTime is written.
fn from(certificate: &Certificate) -> String {
    written(certificate.validity().not_before)
}

/// As GeneralizedTime.
fn written(time: UnixTime) -> String {
    time.to_string().chars().filter(|c| !"-:T".contains(*c)).collect()
}

impl World {
    fn signer(&self, name: &str, kind: &str) -> Certificate {
        self.pki.key(name, kind);
        self.pki.issue(name, name, Some("mid"), &format!("{AUTHORITY}\nsubjectKeyIdentifier=hash"), "")
    }

    pub(crate) fn recipe(&self) -> Recipe {
        Recipe::new("tsa", &self.tsa, &self.mid, &self.time)
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
        command.args(arguments.split_whitespace()).current_dir(self.pki.path("")).env_clear().output().unwrap()
    }

    /// Exit status, and the document of `--format json`, which follows its schema.
    fn verify(&self, arguments: &str) -> (i32, Value) {
        let output = self.run(&format!("timestamp verify --format json {arguments}"));
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {arguments}: {}", String::from_utf8_lossy(&output.stderr)));
        if document.get("error").is_none() {
            program::conforms("timestamp-v1", &document);
        }
        (output.status.code().unwrap(), document)
    }

    /// The verdict in a word: `valid`, or the code.
    fn judge(&self, token: &[u8], options: &str) -> String {
        self.pki.write("token.der", token);
        let arguments = format!("--token token.der --data message --trust-anchor root.pem {options}");
        let (status, document) = self.verify(&arguments);
        match (status, document["failure"]["code"].as_str(), document["error"]["code"].as_str()) {
            (0, None, None) => "valid".into(),
            (1, Some(code), None) | (2, None, Some(code)) => code.into(),
            other => panic!("{other:?}: {document:#}"),
        }
    }

    /// Whether openssl takes a token.
    pub(crate) fn openssl_takes(&self, token: &[u8]) -> bool {
        self.pki.write("judged.der", token);
        let words = "ts -verify -token_in -in judged.der -data message -CAfile root.pem -untrusted mid.pem";
        self.pki.output(words).status.success()
    }

    /// A response by `openssl ts`.
    fn stamp(&self, signer: &str, settings: &str, query: &str) -> Vec<u8> {
        self.pki.write("serial", "01\n");
        self.pki.write(
            "ts.cnf",
            format!(
                "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = {signer}.pem\nsigner_key = {signer}.key\n\
                 certs = mid.pem\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n\
                 digests = sha1, sha256, sha384, sha512\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n{settings}\n"
            ),
        );
        self.pki.run(&format!("ts -query -data message -out q.tsq {query}"));
        self.pki.run("ts -reply -config ts.cnf -queryfile q.tsq -out r.tsr");
        self.pki.read("r.tsr")
    }
}

/// One form of token: the two verdicts, and why they differ where they do.
struct Form {
    name: &'static str,
    token: Vec<u8>,
    options: &'static str,
    expected: &'static str,
    openssl: bool,
    why: &'static str,
}

struct Table(Vec<Form>);

impl Table {
    /// Both judge alike.
    fn add(&mut self, name: &'static str, token: Vec<u8>, expected: &'static str) {
        self.differ(name, token, "", expected, expected == "valid", "");
    }

    fn with(&mut self, name: &'static str, token: Vec<u8>, options: &'static str, expected: &'static str) {
        self.differ(name, token, options, expected, expected == "valid", "");
    }

    fn differ(
        &mut self,
        name: &'static str,
        token: Vec<u8>,
        options: &'static str,
        expected: &'static str,
        openssl: bool,
        why: &'static str,
    ) {
        self.0.push(Form { name, token, options, expected, openssl, why });
    }

    fn check(self, world: &World) {
        let mut wrong = Vec::new();
        for Form { name, token, options, expected, openssl, why } in self.0 {
            let found = world.judge(&token, options);
            if found != expected {
                wrong.push(format!("{name}: {found}, not {expected}"));
            }
            let theirs = world.openssl_takes(&token);
            if theirs != openssl {
                wrong.push(format!("{name}: openssl accepts it: {theirs}"));
            }
            if (expected == "valid") != openssl && why.len() < 20 {
                wrong.push(format!("{name}: the difference needs a reason"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Who signs, and how the signer and its certificate are named.
#[test]
fn signers_of_every_form() {
    let Some(world) = world() else { return };
    let (pki, mid, tsa) = (&world.pki, &world.mid, &world.tsa);
    let mut table = Table(Vec::new());
    let made = |recipe: &Recipe| recipe.make(pki, tsa);
    table.add("as it should be", made(&world.recipe()), "valid");

    let key = world.signer("rsa", "rsa:2048");
    let by = |signing: Signing| Recipe { signing, ..Recipe::new("rsa", &key, mid, &from(&key)) }.make(pki, &key);
    table.add("rsaEncryption", by(rsa("sha256")), "valid");
    let named = Signing::Dgst("sha256", "", sequence(&[&oid("1.2.840.113549.1.1.11"), &[5, 0]]));
    table.differ("sha256WithRSAEncryption", by(named), "", "valid", true, "");
    for (salt, option) in [
        (32, "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
        (20, "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20"),
        (222, "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:222"),
    ] {
        let why = "openssl ts reads SignedData as PKCS#7 and verifies RSA by PKCS#1 v1.5 whatever the algorithm says";
        table.differ("RSASSA-PSS", by(pss(salt, option)), "", "valid", false, why);
    }
    table.add("a PSS signature of another salt", by(pss(20, pss_option())), "timestamp-invalid");
    let large = world.signer("large", "rsa:4096");
    let salt = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:478";
    let token =
        Recipe { signing: pss(478, salt), ..Recipe::new("large", &large, mid, &from(&large)) }.make(pki, &large);
    table.differ("RSASSA-PSS, a salt of 478 octets", token, "", "valid", false, "openssl ts knows no PSS, as above");

    let ed = world.signer("ed", "ed25519");
    let recipe = Recipe { signing: Signing::Raw, digest: SHA512, ..Recipe::new("ed", &ed, mid, &from(&ed)) };
    let why = "openssl ts reads SignedData as PKCS#7, which needs a digest with every signature; RFC 8419 is CMS";
    table.differ("Ed25519 (RFC 8419)", recipe.make(pki, &ed), "", "valid", false, why);

    for (name, curve, hash, signature) in
        [("p384", "ec:P-384", "sha384", "1.2.840.10045.4.3.3"), ("p521", "ec:P-521", "sha512", "1.2.840.10045.4.3.4")]
    {
        let digest = if hash == "sha384" { "2.16.840.1.101.3.4.2.2" } else { SHA512 };
        let signer = world.signer(name, curve);
        let signing = Signing::Dgst(hash, "", algorithm(signature));
        let token = Recipe { signing, digest, ..Recipe::new(name, &signer, mid, &from(&signer)) }.make(pki, &signer);
        table.add("ECDSA on another curve", token, "valid");
    }

    let by_key = Recipe { sid: Sid::KeyIdentifier, signer_version: 3, ..world.recipe() };
    let pkcs7 = "openssl ts reads SignedData as PKCS#7, which names signers by issuer and serial number only";
    table.differ("named by key identifier", made(&by_key), "", "valid", false, pkcs7);
    let wrong = Recipe { signer_version: 1, ..by_key.clone() };
    table.add("a key identifier in SignerInfo version 1", made(&wrong), "timestamp-invalid");
    let version = "RFC 5652 §5.3: issuerAndSerialNumber goes with version 1; openssl ignores the version";
    let wrong = Recipe { signer_version: 3, ..world.recipe() };
    table.differ("an issuer in SignerInfo version 3", made(&wrong), "", "timestamp-invalid", true, version);
    let strange =
        Recipe { sid: Sid::KeyIdentifier, signer_version: 3, certificates: vec![mid.der().to_vec()], ..world.recipe() };
    table.add("nobody has the key identifier", made(&strange), "timestamp-invalid");

    // ESSCertID.
    let ess = |attributes: Vec<Vec<u8>>| made(&Recipe { attributes, ..world.recipe() });
    let (der, other) = (tsa.der(), mid.der());
    table.add("version 1", ess(vec![essential(1, &[der])]), "valid");
    table.add("both versions", ess(vec![essential(1, &[der]), essential(2, &[der])]), "valid");
    table.add(
        "both, and version 1 is of another",
        ess(vec![essential(1, &[other]), essential(2, &[der])]),
        "timestamp-invalid",
    );
    table.add(
        "both, and version 2 is of another",
        ess(vec![essential(1, &[der]), essential(2, &[other])]),
        "timestamp-invalid",
    );
    table.add("none", ess(vec![]), "timestamp-invalid");
    table.add("of another certificate", ess(vec![essential(2, &[other])]), "timestamp-invalid");
    table.add("empty", ess(vec![essential(2, &[])]), "timestamp-invalid");
    table.add("with the path", ess(vec![essential(2, &[der, other])]), "valid");
    let limits =
        "RFC 5035 §4: further identifiers limit the path; openssl wants them in the path, whatever else is there";
    let root = pki.certificate("root");
    table.differ(
        "with a path that cannot be",
        ess(vec![essential(2, &[der, root.der()])]),
        "",
        "timestamp-untrusted",
        true,
        limits,
    );
    table.add("with a stranger", ess(vec![essential(2, &[der, key.der()])]), "timestamp-untrusted");
    let sha512 = bulla::pki::HashAlgorithm::Sha512.digest(der);
    table.add("by SHA-512", ess(vec![essential_with(SHA512, &sha512, &[])]), "valid");
    table.add("by an unknown hash", ess(vec![essential_with("1.2.3.4", &sha512, &[])]), "algorithm-unsupported");
    let serial = |serial: &[u8]| {
        let names = tlv(0x30, &tlv(0xa4, tsa.issuer().der()));
        let sha256 = bulla::pki::HashAlgorithm::Sha256.digest(der);
        essential_with(SHA256, &sha256, &sequence(&[&names, &tlv(2, serial)]))
    };
    table.add("with issuer and serial number", ess(vec![serial(tsa.serial().as_bytes())]), "valid");
    table.add("with another serial number", ess(vec![serial(&[5])]), "timestamp-invalid");
    table.check(&world);
}

const fn pss_option() -> &'static str {
    "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"
}

/// What stands around the signer: certificates, CRLs, encodings, attributes, TSTInfo.
#[test]
fn frames_of_every_form() {
    let Some(world) = world() else { return };
    let (pki, mid, tsa, time) = (&world.pki, &world.mid, &world.tsa, world.time.as_str());
    let mut table = Table(Vec::new());
    let made = |recipe: &Recipe| recipe.make(pki, tsa);
    let (der, above) = (tsa.der().to_vec(), mid.der().to_vec());

    // Certificates.
    let with = |certificates: &[&[u8]]| {
        made(&Recipe { certificates: certificates.iter().map(|der| der.to_vec()).collect(), ..world.recipe() })
    };
    table.add("no certificates", with(&[]), "timestamp-invalid");
    pki.write("pool.pem", [pki.read("mid.pem"), pki.read("tsa.pem")].concat());
    let given = "openssl is asked without the authority's certificate here";
    table.differ("no certificates, given aside", with(&[]), "--untrusted pool.pem", "valid", false, given);
    table.with("only the signer's", with(&[&der]), "--untrusted mid.pem", "valid");
    let aside = "openssl is given the intermediate aside in every row";
    table.differ("the intermediate is missing", with(&[&der]), "", "timestamp-untrusted", true, aside);
    let stranger = world.signer("stranger", "ec:P-256");
    let root = pki.certificate("root");
    table.add("extra certificates", with(&[stranger.der(), &above, root.der(), &der, &above]), "valid");
    let attribute_certificate = |tag| tlv(tag, &[integer(1), octets(b"whatever")].concat());
    let kinds = "openssl ts reads SignedData as PKCS#7, whose certificates are X.509 only";
    for (name, tag, version) in [
        ("an attribute certificate of version 1", 0xa1, 3),
        ("an attribute certificate of version 2", 0xa2, 4),
        ("a certificate of another format", 0xa3, 5),
    ] {
        let certificates = vec![attribute_certificate(tag), der.clone(), above.clone()];
        let token = made(&Recipe { certificates, data_version: version, ..world.recipe() });
        table.differ(name, token, "", "valid", false, kinds);
    }
    pki.crl_der("mid", &[], "", "");
    table.add("a CRL inside", made(&Recipe { crls: vec![pki.read("out.der")], ..world.recipe() }), "valid");

    // Versions, content, signers.
    let version = "RFC 5652 §5.1: version 3 at least for this content; openssl ignores the version";
    for data_version in [1, 2, 6] {
        let token = made(&Recipe { data_version, ..world.recipe() });
        table.differ("a version of SignedData", token, "", "timestamp-invalid", true, version);
    }
    table.add(
        "another content type",
        made(&Recipe { content_type: "1.2.840.113549.1.9.16.1.5", ..world.recipe() }),
        "timestamp-invalid",
    );
    table.add("detached", made(&Recipe { wrapped: Some(Vec::new()), ..world.recipe() }), "timestamp-invalid");
    table.add("nobody signed", made(&Recipe { signers: 0, ..world.recipe() }), "timestamp-invalid");
    table.add("two signers", made(&Recipe { signers: 2, ..world.recipe() }), "timestamp-invalid");
    let unsigned = vec![attribute("1.2.3.4", &[5, 0])];
    table.add("an unsigned attribute", made(&Recipe { unsigned, ..world.recipe() }), "valid");

    // Encodings.
    let good = made(&world.recipe());
    let ber = "BER: openssl reads it, and DER is what RFC 3161 and RFC 5652 §5.4 ask for";
    let indefinite = [&[0x30, 0x80], &good[4..], &[0, 0]].concat();
    table.differ("an indefinite length", indefinite, "", "encoding-not-der", true, ber);
    let overlong = [&[0x30, 0x83, 0], &good[2..]].concat();
    table.differ("an overlong length", overlong, "", "encoding-not-der", true, ber);
    let content = &world.recipe().content;
    let parts = tlv(0x24, &[octets(&content[..10]), octets(&content[10..])].concat());
    let token = made(&Recipe { wrapped: Some(tlv(0xa0, &parts)), ..world.recipe() });
    table.differ("a string in parts", token, "", "timestamp-invalid", true, ber);
    let unsorted =
        "RFC 5652 §5.4: the attributes are signed as DER, whose sets are sorted; openssl takes them as they come";
    table.differ(
        "unsorted attributes",
        made(&Recipe { is_sorted: false, ..world.recipe() }),
        "",
        "encoding-not-der",
        true,
        unsorted,
    );
    table.differ(
        "something behind it",
        [&good[..], &[0]].concat(),
        "",
        "timestamp-invalid",
        true,
        "RFC 3161: a token is one ContentInfo; openssl stops reading behind it",
    );
    table.add("cut off", good[..good.len() - 1].to_vec(), "timestamp-invalid");

    // Attributes.
    let attributes = |attributes: Vec<Vec<u8>>| world.recipe().make_with(pki, tsa, attributes);
    let ess = essential(2, &[&der]);
    let kind = attribute("1.2.840.113549.1.9.3", &oid(crate::forge::TST_INFO));
    let hash =
        |bytes: &[u8]| attribute("1.2.840.113549.1.9.4", &octets(&bulla::pki::HashAlgorithm::Sha256.digest(bytes)));
    table.add("no messageDigest", attributes(vec![ess.clone(), kind.clone()]), "timestamp-invalid");
    table.add("a wrong messageDigest", attributes(vec![ess.clone(), kind.clone(), hash(b"x")]), "timestamp-invalid");
    let typed = "RFC 5652 §5.3 and §11.1: contentType must be there and fit; openssl ts does not look at it";
    table.differ("no contentType", attributes(vec![ess.clone(), hash(content)]), "", "timestamp-invalid", true, typed);
    let data = attribute("1.2.840.113549.1.9.3", &oid("1.2.840.113549.1.7.1"));
    table.differ(
        "a wrong contentType",
        attributes(vec![ess.clone(), data, hash(content)]),
        "",
        "timestamp-invalid",
        true,
        typed,
    );
    // Zeros come first among sorted attributes, and openssl looks at the first.
    let zeros = attribute("1.2.840.113549.1.9.4", &octets(&[0; 32]));
    table.add("messageDigest twice", attributes(vec![ess, kind, hash(content), zeros]), "timestamp-invalid");

    // TSTInfo.
    let of = |content: Vec<u8>| made(&Recipe { content, ..world.recipe() });
    let imprint = |name: &[u8], digest: &[u8]| sequence(&[name, &octets(digest)]);
    let sha256 = bulla::pki::HashAlgorithm::Sha256.digest(MESSAGE);
    table.add("version 2", of(info_of(2, &imprint(&algorithm(SHA256), &sha256), time, &[])), "timestamp-invalid");
    table.add(
        "another imprint",
        of(info_of(1, &imprint(&algorithm(SHA256), &[0; 32]), time, &[])),
        "timestamp-invalid",
    );
    table.add(
        "an imprint cut off",
        of(info_of(1, &imprint(&algorithm(SHA256), &sha256[..31]), time, &[])),
        "timestamp-invalid",
    );
    let null = sequence(&[&oid(SHA256), &[5, 0]]);
    table.add("NULL beside the hash", of(info_of(1, &imprint(&null, &sha256), time, &[])), "valid");
    table.add(
        "an unknown hash",
        of(info_of(1, &imprint(&algorithm("1.2.3.4"), &sha256), time, &[])),
        "algorithm-unsupported",
    );
    let accuracy = sequence(&[&integer(2), &[0x80, 2, 1, 0xf4]]);
    let tsa_name = tlv(0xa0, &tlv(0xa4, tsa.subject().der()));
    let everything = [&accuracy[..], &[1, 1, 0xff], &integer(9), &tsa_name].concat();
    table.add("everything", of(info(SHA256, time, &everything)), "valid");
    let other_name = tlv(0xa0, &tlv(0xa4, mid.subject().der()));
    let claim = "RFC 3161 §2.4.2 makes tsa a hint; openssl compares it with the certificate's subject";
    table.differ("another tsa name", of(info(SHA256, time, &other_name)), "", "valid", false, claim);
    for (critical, expected) in [(true, "timestamp-invalid"), (false, "valid")] {
        let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
        let extension = tlv(0xa1, &sequence(&[&oid("1.2.3.4"), flag, &octets(&[5, 0])]));
        let why = if critical { "an unknown critical extension must be refused; openssl does not look" } else { "" };
        table.differ("an extension", of(info(SHA256, time, &extension)), "", expected, true, why);
    }
    let fraction = time.replace('Z', ".25Z");
    table.add("a fractional time", of(info(SHA256, &fraction, &[])), "valid");
    for (name, bad) in [("a trailing zero", ".50Z"), ("an empty fraction", ".Z"), ("a comma", ",5Z")] {
        let why = "X.690 §11.7: DER has neither; openssl does not read genTime when it verifies";
        let token = of(info(SHA256, &time.replace('Z', bad), &[]));
        table.differ(name, token, "", "timestamp-invalid", true, why);
    }
    let gen_time = "the time of the timestamp must lie within the validity of the authority's certificate; openssl does not look at it";
    for (name, shift) in [("before the certificate", -1), ("behind the certificate", 86_400 * 3_651)] {
        let moved = written(UnixTime::from_seconds(tsa.validity().not_before.seconds() + shift));
        table.differ(name, of(info(SHA256, &moved, &[])), "", "timestamp-outside-validity", true, gen_time);
    }
    table.check(&world);
}

/// SHA-1, on the operator's word only.
#[test]
fn sha1_by_option() {
    let Some(world) = world() else { return };
    let (pki, tsa) = (&world.pki, &world.tsa);
    let key = world.signer("rsa", "rsa:2048");
    let ecdsa = Signing::Dgst("sha1", "", algorithm("1.2.840.10045.4.1"));
    let content = info(SHA1, &world.time, &[]);
    for token in [
        Recipe { content, ..world.recipe() }.make(pki, tsa),
        Recipe { signing: ecdsa, digest: SHA1, ..world.recipe() }.make(pki, tsa),
        Recipe { signing: rsa("sha1"), digest: SHA1, ..Recipe::new("rsa", &key, &world.mid, &from(&key)) }
            .make(pki, &key),
    ] {
        assert_eq!(world.judge(&token, ""), "algorithm-unsupported");
        assert_eq!(world.judge(&token, "--allow-sha1"), "valid");
    }
}

#[test]
fn responses_tokens_and_pem_of_openssl() {
    let Some(world) = world() else { return };
    let pki = &world.pki;
    let response_der = world.stamp("tsa", "accuracy = secs:1, millisecs:500", "-sha512 -cert");
    pki.run("ts -reply -in r.tsr -token_out -out t.der");
    pki.run("pkcs7 -inform DER -in t.der -out t.pem");
    assert_eq!(world.judge(&response_der, ""), "valid");
    for file in ["t.der", "t.pem"] {
        let (status, document) = world.verify(&format!("--token {file} --data message --trust-anchor root.pem"));
        assert_eq!(status, 0, "{document:#}");
        assert!(document["token"].get("response").is_none());
        assert_eq!(document["path"].as_array().unwrap().len(), 3);
        assert_eq!(document["path"][2]["anchor"], true);
    }
    // By digest, and what does not fit.
    let digest = |hash: bulla::pki::HashAlgorithm| -> String {
        hash.digest(MESSAGE).iter().map(|octet| format!("{octet:02x}")).collect()
    };
    let (wide, narrow) = (digest(bulla::pki::HashAlgorithm::Sha512), digest(bulla::pki::HashAlgorithm::Sha256));
    let with = |what: &str| world.verify(&format!("--token r.tsr {what} --trust-anchor root.pem")).0;
    assert_eq!(with(&format!("--digest sha512:{wide}")), 0);
    assert_eq!(with(&format!("--digest sha256:{narrow}")), 1);
    assert_eq!(with("--data other"), 1);
    for usage in [
        "--token r.tsr --trust-anchor root.pem".to_owned(),
        "--token r.tsr --data message".into(),
        format!("--token r.tsr --data message --digest sha512:{wide} --trust-anchor root.pem"),
        format!("--token r.tsr --digest sha512:{narrow} --trust-anchor root.pem"),
        "--token r.tsr --digest md5:00 --trust-anchor root.pem".into(),
        "--token absent --data message --trust-anchor root.pem".into(),
        "--token r.tsr --data absent --trust-anchor root.pem".into(),
        "--token message --data message --trust-anchor root.pem".into(),
        "--token r.tsr --data message --trust-anchor message".into(),
        "--token r.tsr --data message --trust-anchor root.pem --crl root.pem".into(),
    ] {
        assert_eq!(world.run(&format!("timestamp verify {usage}")).status.code(), Some(2), "{usage}");
    }
    // An answer that grants nothing, and one that says so and holds a token all the same.
    for token in [response(2, &[]), response(0, &[]), response(2, &pki.read("t.der"))] {
        assert_eq!(world.judge(&token, ""), "timestamp-invalid");
    }
    assert_eq!(world.judge(&response(1, &pki.read("t.der")), ""), "valid");

    let inspected = world.run("timestamp inspect r.tsr --format json");
    let document: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    program::conforms("timestamp-token-v1", &document);
    let token = &document["token"];
    assert_eq!(token["imprint"].as_str(), Some(wide.as_str()), "{token:#}");
    assert_eq!((token["hash"].as_str(), token["accuracy"].as_str()), (Some("SHA-512"), Some("1500ms")));
    assert_eq!((token["policy"].as_str(), token["response"].as_str()), (Some("1.2.3.4"), Some("granted")));
    assert_eq!(token["signer"]["boundBy"], serde_json::json!(["ESSCertIDv2 SHA-256"]));
    assert_eq!(token["certificates"].as_array().unwrap().len(), 2);
    let text = String::from_utf8(world.run("timestamp inspect r.tsr").stdout).unwrap();
    assert!(text.starts_with("TIMESTAMP  20") && text.contains("Nothing was verified"), "{text}");
    assert_eq!(world.run("timestamp inspect root.pem").status.code(), Some(2));
    let text =
        String::from_utf8(world.run("timestamp verify --token r.tsr --data other --trust-anchor root.pem").stdout)
            .unwrap();
    assert!(text.starts_with("NOT VALID  timestamp of 20") && text.contains("timestamp-invalid"), "{text}");
    let help = String::from_utf8(world.run("timestamp verify --help").stdout).unwrap();
    for choice in ["--at is the time", "version 1 or 2", "--allow-sha1", "encoding-not-der"] {
        assert!(help.contains(choice), "{choice}: {help}");
    }
}

/// The path: at a time, to an anchor, for timestamping, and revoked.
#[test]
fn authorities_are_judged() {
    let Some(world) = world() else { return };
    let (pki, tsa) = (&world.pki, &world.tsa);
    let token = world.recipe().make(pki, tsa);
    let late = tsa.validity().not_after.saturating_add(DAY);
    let early = UnixTime::from_seconds(tsa.validity().not_before.seconds() - 86_400);
    assert_eq!(world.judge(&token, &format!("--at {late}")), "certificate-expired");
    assert_eq!(world.judge(&token, &format!("--at {early}")), "certificate-not-yet-valid");
    assert_eq!(world.judge(&token, &format!("--at {}", tsa.validity().not_after)), "valid");

    pki.key("stranger", "ec:P-256");
    pki.issue("stranger", "stranger", None, ROOT, "");
    let words = "--token token.der --data message --trust-anchor stranger.pem";
    let (status, document) = world.verify(words);
    assert_eq!((status, document["failure"]["code"].as_str()), (1, Some("timestamp-untrusted")), "{document:#}");
    // The authority's own certificate as the anchor.
    assert_eq!(world.verify("--token token.der --data message --trust-anchor tsa.pem").0, 0);

    let serial: String = tsa.serial().as_bytes().iter().map(|octet| format!("{octet:02X}")).collect();
    pki.write("good.crl", pki.crl_der("mid", &[], "", ""));
    pki.write("bad.crl", pki.crl_der("mid", &[(serial.as_str(), "250102030405Z,keyCompromise")], "", ""));
    assert_eq!(world.judge(&token, "--crl bad.crl"), "certificate-revoked");
    let (status, document) = world.verify("--token token.der --data message --trust-anchor root.pem --crl good.crl");
    assert_eq!((status, document["path"][0]["standing"]["status"].as_str()), (0, Some("good")), "{document:#}");
    assert_eq!(document["path"][1]["standing"]["status"], "undetermined");

    for extensions in
        ["extendedKeyUsage=timeStamping", "extendedKeyUsage=critical,codeSigning", "keyUsage=digitalSignature"]
    {
        let tsa = pki.issue("tsa", "tsa", Some("mid"), extensions, "");
        let time = written(tsa.validity().not_before);
        let token = Recipe::new("tsa", &tsa, &world.mid, &time).make(pki, &tsa);
        assert_eq!(world.judge(&token, ""), "certificate-purpose-mismatch", "{extensions}");
    }
}
