//! A Notation plugin for tests: a program of its own, that signs with openssl and writes its envelopes itself, and misbehaves
//! on demand. It shares nothing with bulla. What it does, `pluginConfig` says:
//!
//! - `key`, `chain`: files in PEM; `spec`: the kind of the key (EC-256)
//! - `capabilities`: the ends of their names, with commas (RAW); `version`: its version (1.0.0); `contract` (1.0)
//! - `record`: a file to which every request is appended
//! - `scheme`: `authority` is the signing authority's, for its envelopes
//! - `fault`: what to do wrong, perhaps only `at` one command
//! - `annotations`: what its envelopes are annotated with: `overriding`, `many`, `numbers`
//! - `identity`, `revocation`: `no` is a bad result, `absent` none; `processed`: attributes with commas
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, clippy::exit)]

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio, exit};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let program = arguments[0].rsplit('/').next().unwrap();
    let [_, command] = arguments.as_slice() else { fail("VALIDATION_ERROR", "one argument is wanted") };
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let request: Value = serde_json::from_str(&input).unwrap();
    let plugin = Plugin { name: program.strip_prefix("notation-").unwrap_or(program).to_owned(), request };
    plugin.record(command);
    let fault = if plugin.told("at").is_none_or(|at| at == command) { plugin.told("fault") } else { None };
    match fault {
        Some("slow") => std::thread::sleep(Duration::from_secs(600)),
        Some("endless") => endless(),
        Some("junk") => return print!("this is not JSON"),
        Some("declines") => fail("ACCESS_DENIED", "the key is locked"),
        Some("dies") => {
            eprintln!("panic: something broke");
            exit(2)
        }
        _ => {}
    }
    let mut answer = match command.as_str() {
        "get-plugin-metadata" => plugin.metadata(),
        "describe-key" => plugin.describe(),
        "generate-signature" => plugin.signature(),
        "generate-envelope" => plugin.envelope(),
        "verify-signature" => plugin.verify(),
        _ => fail("VALIDATION_ERROR", "no such command"),
    };
    match fault {
        Some("wrong-key-id") => answer["keyId"] = "another".into(),
        Some("wrong-name") => answer["name"] = "another".into(),
        Some("wrong-spec") => answer["keySpec"] = "RSA-2048".into(),
        Some("wrong-algorithm") => answer["signingAlgorithm"] = "ECDSA-SHA-512".into(),
        Some("wrong-type") => answer["signatureEnvelopeType"] = "application/cose".into(),
        Some("wrong-signature") => answer["signature"] = BASE64_STANDARD.encode([7; 64]).into(),
        Some("no-chain") => answer["certificateChain"] = json!([]),
        Some("leaf-only") => answer["certificateChain"].as_array_mut().unwrap().truncate(1),
        Some("backwards") => answer["certificateChain"].as_array_mut().unwrap().reverse(),
        _ => {}
    }
    // Whoever asks passes over what it does not know.
    answer["later"] = json!({"version": 2});
    eprintln!("{command}: done");
    println!("{answer}");
}

fn fail(code: &str, message: &str) -> ! {
    eprintln!("{}", json!({"errorCode": code, "errorMessage": message, "errorMetadata": {"of": "test"}}));
    exit(1)
}

fn endless() -> ! {
    let chunk = vec![b' '; 1 << 20];
    while std::io::stdout().write_all(&chunk).is_ok() {}
    exit(1)
}

struct Plugin {
    name: String,
    request: Value,
}

impl Plugin {
    fn told(&self, key: &str) -> Option<&str> {
        self.request["pluginConfig"][key].as_str()
    }

    fn record(&self, command: &str) {
        let Some(path) = self.told("record") else { return };
        let secret = std::env::var("NOTATION_PASSWORD").is_ok() || std::env::var("NOTATION_USERNAME").is_ok();
        let line = json!({"command": command, "request": self.request, "secret": secret});
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn metadata(&self) -> Value {
        let full = |end: &str| match end {
            "TRUSTED_IDENTITY" | "REVOCATION_CHECK" => format!("SIGNATURE_VERIFIER.{end}"),
            _ => format!("SIGNATURE_GENERATOR.{end}"),
        };
        let capabilities: Vec<String> = self.told("capabilities").unwrap_or("RAW").split(',').map(full).collect();
        json!({"name": self.name, "description": "A plugin for tests", "version": self.told("version").unwrap_or("1.0.0"),
            "url": "https://plugin.example", "supportedContractVersions": [self.told("contract").unwrap_or("1.0")],
            "capabilities": capabilities})
    }

    fn spec(&self) -> &str {
        self.told("spec").unwrap_or("EC-256")
    }

    fn describe(&self) -> Value {
        json!({"keyId": self.request["keyId"], "keySpec": self.spec()})
    }

    fn signature(&self) -> Value {
        let asked = (self.request["keySpec"].as_str().unwrap(), self.request["hashAlgorithm"].as_str().unwrap());
        if asked.0 != self.spec() || asked.1 != hash_of(self.spec()) {
            fail("VALIDATION_ERROR", "another key or hash than was described");
        }
        let payload = BASE64_STANDARD.decode(self.request["payload"].as_str().unwrap()).unwrap();
        let family = if self.spec().starts_with("EC") { "ECDSA" } else { "RSASSA-PSS" };
        let chain: Vec<String> = self.chain().iter().map(|der| BASE64_STANDARD.encode(der)).collect();
        json!({"keyId": self.request["keyId"], "signature": BASE64_STANDARD.encode(self.sign(&payload)),
            "signingAlgorithm": format!("{family}-{}", hash_of(self.spec())), "certificateChain": chain})
    }

    /// The certificates of the PEM file, in its order.
    fn chain(&self) -> Vec<Vec<u8>> {
        let text = std::fs::read_to_string(self.told("chain").unwrap_or_else(|| fail("VALIDATION_ERROR", "no chain")))
            .unwrap();
        let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
        let body = |block: &str| block.split("-----END").next().unwrap().split_whitespace().collect::<String>();
        blocks.map(|block| BASE64_STANDARD.decode(body(block)).unwrap()).collect()
    }

    /// A signature in JOSE's form, made by openssl.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let hash = format!("-{}", hash_of(self.spec()).to_lowercase().replace('-', ""));
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", &hash, "-sign", self.told("key").unwrap_or_else(|| fail("ACCESS_DENIED", "no key"))]);
        if self.spec().starts_with("RSA") {
            openssl.args(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
        }
        let mut child = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        let signed = child.wait_with_output().unwrap();
        if !signed.status.success() {
            fail("ERROR", "openssl does not sign");
        }
        match self.spec() {
            "EC-256" => fixed_width(&signed.stdout, 32),
            "EC-384" => fixed_width(&signed.stdout, 48),
            "EC-521" => fixed_width(&signed.stdout, 66),
            _ => signed.stdout,
        }
    }

    /// A whole envelope, by hand.
    fn envelope(&self) -> Value {
        let kind = self.request["signatureEnvelopeType"].as_str().unwrap();
        let payload = self.payload().to_string();
        let envelope = match kind {
            "application/cose" => self.cose(payload.as_bytes()),
            _ => self.jws(payload.as_bytes()),
        };
        let annotations = match self.told("annotations") {
            Some("overriding") => json!({"from": self.name, "io.cncf.notary.x509chain.thumbprint#S256": "[]",
                "org.opencontainers.image.created": "never"}),
            Some("many") => json!({"from": "x".repeat(1 << 17)}),
            Some("numbers") => json!({"from": 7}),
            _ => json!({"from": self.name}),
        };
        json!({"signatureEnvelope": BASE64_STANDARD.encode(envelope), "signatureEnvelopeType": kind,
            "annotations": annotations})
    }

    fn payload(&self) -> Value {
        let mut payload: Value =
            serde_json::from_slice(&BASE64_STANDARD.decode(self.request["payload"].as_str().unwrap()).unwrap())
                .unwrap();
        let target = &mut payload["targetArtifact"];
        target["annotations"]["made-by"] = self.name.as_str().into();
        match self.told("payload") {
            Some("digest") => target["digest"] = format!("sha256:{}", "0".repeat(64)).into(),
            Some("size") => target["size"] = 1.into(),
            Some("annotation") => target["annotations"]["build"] = "changed".into(),
            Some("member") => target["extra"] = 1.into(),
            Some("top") => payload["extra"] = 1.into(),
            Some("seal") => target["annotations"]["vnd.bulla.purpose"] = "bundle-seal".into(),
            Some("no-seal") => drop(target["annotations"].as_object_mut().unwrap().remove("vnd.bulla.purpose")),
            Some("url") => target["urls"] = json!(["https://more.example"]),
            _ => {}
        }
        payload
    }

    /// What is signed beside the payload, and which of that is critical.
    fn attributes(&self) -> (Vec<(&'static str, Attribute<'_>)>, Vec<&'static str>) {
        let (scheme, time) = match self.told("scheme") {
            Some("authority") => ("notary.x509.signingAuthority", "io.cncf.notary.authenticSigningTime"),
            _ => ("notary.x509", "io.cncf.notary.signingTime"),
        };
        let mut signed = vec![
            ("io.cncf.notary.signingScheme", Attribute::Text(scheme)),
            (time, Attribute::Time(self.told("time").unwrap())),
        ];
        let mut critical = vec!["io.cncf.notary.signingScheme"];
        critical.extend((scheme != "notary.x509").then_some(time));
        if let Some(expiry) = self.told("expiry") {
            signed.push(("io.cncf.notary.expiry", Attribute::Time(expiry)));
            critical.push("io.cncf.notary.expiry");
        }
        for (told, name) in [
            ("wants", "io.cncf.notary.verificationPlugin"),
            ("least", "io.cncf.notary.verificationPluginMinVersion"),
            ("critical", "com.example.critical"),
        ] {
            if let Some(value) = self.told(told) {
                signed.push((name, Attribute::Text(value)));
                critical.push(name);
            }
        }
        signed.extend(self.told("note").map(|note| ("com.example.note", Attribute::Text(note))));
        (signed, critical)
    }

    fn jws(&self, payload: &[u8]) -> Vec<u8> {
        let (signed, critical) = self.attributes();
        let chain: Vec<String> = self.chain().iter().map(|der| BASE64_STANDARD.encode(der)).collect();
        let mut protected = json!({"alg": "ES256", "cty": self.request["payloadType"], "crit": critical});
        for (name, value) in signed {
            protected[name] = value.text().into();
        }
        let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.sign(format!("{protected}.{payload}").as_bytes()));
        let header = json!({"x5c": chain, "io.cncf.notary.signingAgent": "test-plugin/1"});
        json!({"payload": payload, "protected": protected, "signature": signature, "header": header})
            .to_string()
            .into_bytes()
    }

    /// `COSE_Sign1`, by hand too (RFC 9052 §4.2).
    fn cose(&self, payload: &[u8]) -> Vec<u8> {
        let (signed, critical) = self.attributes();
        let critical: Vec<Vec<u8>> = critical.iter().map(|name| text(name)).collect();
        // alg: ES256, crit, content type.
        let mut protected = vec![
            (head(0, 1), head(1, 6)),
            (head(0, 2), array(&critical)),
            (head(0, 3), text(self.request["payloadType"].as_str().unwrap())),
        ];
        protected.extend(signed.iter().map(|(name, value)| (text(name), value.cbor())));
        let protected = octets(&map(&protected));
        let signature = self.sign(&array(&[text("Signature1"), protected.clone(), octets(b""), octets(payload)]));
        let chain: Vec<Vec<u8>> = self.chain().iter().map(|der| octets(der)).collect();
        let unprotected = [(head(0, 33), array(&chain)), (text("io.cncf.notary.signingAgent"), text("test-plugin/1"))];
        [head(6, 18), array(&[protected, map(&unprotected), octets(payload), octets(&signature)])].concat()
    }

    fn verify(&self) -> Value {
        let wanted = self.request["trustPolicy"]["signatureVerification"].as_array().unwrap();
        let mut results = json!({});
        for capability in wanted.iter().map(|name| name.as_str().unwrap()) {
            let told = if capability.ends_with("IDENTITY") { "identity" } else { "revocation" };
            match self.told(told) {
                Some("absent") => {}
                Some("no") => results[capability] = json!({"success": false, "reason": format!("{told} says no")}),
                _ => results[capability] = json!({"success": true}),
            }
        }
        let processed = self.told("processed").map(|text| text.split(',').collect::<Vec<_>>());
        json!({"verificationResults": results, "processedAttributes": processed})
    }
}

/// The value of a signed attribute.
enum Attribute<'a> {
    Text(&'a str),
    /// RFC 3339.
    Time(&'a str),
}

impl Attribute<'_> {
    const fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Time(text) => text,
        }
    }

    /// Times are seconds under tag 1 (RFC 8949 §3.4.2).
    fn cbor(&self) -> Vec<u8> {
        match self {
            Self::Text(value) => text(value),
            Self::Time(time) => {
                let time: jiff::Timestamp = time.parse().unwrap();
                [head(6, 1), head(0, u64::try_from(time.as_second()).unwrap())].concat()
            }
        }
    }
}

/// The head of a CBOR item in its shortest form (RFC 8949 §3).
fn head(major: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    match value {
        0..24 => vec![major << 5 | bytes[7]],
        24..0x100 => vec![major << 5 | 24, bytes[7]],
        0x100..0x1_0000 => [&[major << 5 | 25], &bytes[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[major << 5 | 26], &bytes[4..]].concat(),
        _ => [&[major << 5 | 27], &bytes[..]].concat(),
    }
}

fn length(major: u8, count: usize) -> Vec<u8> {
    head(major, u64::try_from(count).unwrap())
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    [length(2, bytes.len()), bytes.to_vec()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [length(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [length(4, items.len()), items.concat()].concat()
}

fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let pairs_of = pairs.iter().flat_map(|(label, value)| [label.as_slice(), value]);
    [length(5, pairs.len()), pairs_of.collect::<Vec<_>>().concat()].concat()
}

fn hash_of(spec: &str) -> &'static str {
    match spec {
        "RSA-2048" | "EC-256" => "SHA-256",
        "RSA-3072" | "EC-384" => "SHA-384",
        _ => "SHA-512",
    }
}

/// `SEQUENCE { r INTEGER, s INTEGER }` to r and s at fixed width.
fn fixed_width(der: &[u8], width: usize) -> Vec<u8> {
    let mut rest = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let mut raw = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        raw.resize(raw.len() + width - number.len(), 0);
        raw.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    raw
}
