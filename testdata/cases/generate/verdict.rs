//! Area `verdict`: section 8, and what section 1 says about discovery, over OCI layouts in `layouts`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::envelope::{
    AUTHENTIC, COSE, Cose, EXPIRY, JWS, Jws, NOTHING, PLUGIN, SCHEME, SIGNED_TEXT, Signer, TIME, payload_of,
};
use super::manifest::{BRACES, EMPTY, IMAGE, SIGNATURE, descriptor};
use super::policy::statement;
use super::sign::hash;
use super::{Book, Entry, entry, expect};
use crate::case::{Expect, Options};

const NOT_OFFERED: &str = "revocation-not-offered";
const NOW: &str = "2026-11-21T20:00:00Z";
const EXPIRES: &str = "2026-12-01T00:00:00Z";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const THUMBPRINT: &str = "io.cncf.notary.x509chain.thumbprint#S256";

/// An OCI layout, written without bulla.
#[derive(Clone, Default)]
struct Layout {
    blobs: BTreeMap<String, Vec<u8>>,
    index: Vec<Value>,
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = hash(256, bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Layout {
    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let found = descriptor(media_type, &digest(&bytes), bytes.len());
        self.blobs.insert(digest(&bytes), bytes);
        found
    }

    /// A layout with an image that is called `v1`.
    fn with_image() -> Self {
        let mut layout = Self::default();
        let config = layout.blob(
            "application/vnd.oci.image.config.v1+json",
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec(),
        );
        let layer = layout.blob("application/vnd.oci.image.layer.v1.tar", b"a layer".to_vec());
        let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer] });
        let image = layout.blob(IMAGE, manifest.to_string().into_bytes());
        layout.index.push(tagged(&image, "v1"));
        layout.blob(EMPTY, b"{}".to_vec());
        layout
    }

    /// The manifest of a signature; it is listed nowhere yet.
    fn signature(&mut self, media_type: &str, envelope: Vec<u8>, members: Value) -> Value {
        let layer = self.blob(media_type, envelope);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": SIGNATURE,
            "config": descriptor(EMPTY, BRACES, 2),
            "layers": [layer],
            "subject": image(),
        });
        for (name, value) in members.as_object().unwrap() {
            manifest[name] = value.clone();
        }
        manifest.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let kind = manifest["mediaType"].as_str().unwrap_or(IMAGE).to_owned();
        self.blob(&kind, manifest.to_string().into_bytes())
    }

    /// The same, listed in the index.
    fn signed(mut self, media_type: &str, envelope: Vec<u8>, members: Value) -> Self {
        let signature = self.signature(media_type, envelope, members);
        self.index.push(signature);
        self
    }

    fn jws(self, jws: &Jws) -> Self {
        self.signed(JWS, jws.clone().payload(image_payload()).bytes(), json!({}))
    }

    fn write(&self, book: &mut Book, name: &str) {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": self.index });
        book.put(&format!("layouts/{name}/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        book.put(&format!("layouts/{name}/index.json"), index.to_string().into_bytes());
        for (digest, bytes) in &self.blobs {
            book.put(&format!("layouts/{name}/blobs/{}", digest.replace(':', "/")), bytes.clone());
        }
    }
}

fn tagged(found: &Value, tag: &str) -> Value {
    let mut entry = found.clone();
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    entry
}

/// The descriptor of the image in every layout.
fn image() -> Value {
    let mut found = Layout::with_image().index.remove(0);
    found.as_object_mut().unwrap().remove("annotations");
    found
}

fn image_payload() -> String {
    json!({ "targetArtifact": image() }).to_string()
}

/// A case over a layout, with the ordinary trust store and one statement.
struct Judged {
    layout: &'static str,
    statement: Value,
    trust: Value,
    at: &'static str,
    options: Options,
}

impl Judged {
    fn of(layout: &'static str) -> Self {
        let trust = json!({ "ca:acme": ["root"] });
        Self { layout, statement: statement(&json!({})), trust, at: NOW, options: Options::default() }
    }

    fn at(self, at: &'static str) -> Self {
        Self { at, ..self }
    }

    fn level(self, level: &str) -> Self {
        self.verification(json!({ "level": level }))
    }

    fn verification(mut self, value: Value) -> Self {
        self.statement["signatureVerification"] = value;
        self
    }

    fn stores(mut self, names: &[&str]) -> Self {
        self.statement["trustStores"] = json!(names);
        self
    }

    fn trust(self, trust: Value) -> Self {
        Self { trust, ..self }
    }

    fn identities(mut self, entries: &[&str]) -> Self {
        self.statement["trustedIdentities"] = json!(entries);
        self
    }

    fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    fn case(self, facts: &str, title: &str, expect: Expect) -> Entry {
        let inputs = json!({ "layout": self.layout, "trust": self.trust, "policy": [self.statement] });
        entry(facts, title, "verdict", inputs, expect).at(self.at).options(self.options)
    }
}

fn trusted() -> Expect {
    logged(&[])
}

/// Trusted, with these failures logged. No certificate of these chains says where its revocation could be asked for, and
/// that is said too (10.01).
fn logged(codes: &[&str]) -> Expect {
    expect("trusted", &[]).notes(&[codes, &[NOT_OFFERED]].concat())
}

fn rejected(code: &str) -> Expect {
    expect("rejected", &[code])
}

pub(super) fn make(book: &mut Book) {
    layouts(book);
    discovery(book);
    levels(book);
    integrity(book);
    authenticity(book);
    time(book);
    several(book);
}

/// What lies in `layouts`.
fn layouts(book: &mut Book) {
    let plain = Jws::plain;
    let empty = || Layout::with_image();
    let own = |jws: Jws| jws.payload(image_payload()).bytes();
    let expiring = |jws: Jws| jws.with(json!({ EXPIRY: EXPIRES, "crit": [SCHEME, EXPIRY] }));
    let by = |key, names: &[&'static str]| Jws::new(Signer::of(key, "ES256", names));
    let annotated = |text: &str| json!({ "annotations": { THUMBPRINT: text } });
    let mut broken = own(plain());
    let place = broken.len() - 10;
    broken[place] = if broken[place] == b'A' { b'B' } else { b'A' };
    let other = |media_type: &str, digest: &str, size: u64| {
        empty().signed(JWS, plain().payload(payload_of(media_type, digest, size as usize)).bytes(), json!({}))
    };
    let target = image();
    let (own_digest, own_size) = (target["digest"].as_str().unwrap().to_owned(), target["size"].as_u64().unwrap());
    let subject = |name: &str, value: Value| {
        let mut subject = image();
        subject[name] = value;
        empty().signed(JWS, own(plain()), json!({ "subject": subject }))
    };
    let legacy = json!({ "artifactType": null, "config": descriptor(SIGNATURE, BRACES, 2) });
    let mut with_metadata = image();
    with_metadata["annotations"] = json!({ "commit": "abc", "build": "7" });
    let metadata = plain().payload(json!({ "targetArtifact": with_metadata }).to_string());
    let mut hidden = empty();
    hidden.signature(JWS, own(plain()), json!({}));
    let mut nested = empty();
    let inner = nested.signature(JWS, own(plain()), json!({}));
    let inner = nested
        .blob(INDEX, json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [inner] }).to_string().into_bytes());
    nested.index.push(inner);
    let artifact = {
        let mut layout = empty();
        let envelope = layout.blob(JWS, own(plain()));
        let artifact = "application/vnd.oci.artifact.manifest.v1+json";
        let manifest =
            json!({ "mediaType": artifact, "artifactType": SIGNATURE, "blobs": [envelope], "subject": image() });
        let found = layout.blob(artifact, manifest.to_string().into_bytes());
        layout.index.push(found);
        layout
    };
    let layers = |count: usize| {
        let mut layout = empty();
        let envelope = layout.blob(JWS, own(plain()));
        layout.signed(JWS, own(plain()), json!({ "layers": vec![envelope; count] }))
    };
    for (name, layout) in [
        ("plain", empty().jws(&plain())),
        ("unsigned", empty()),
        ("cose", empty().signed(COSE, Cose::plain().payload(image_payload()).bytes(), json!({}))),
        ("legacy", empty().signed(JWS, own(plain()), legacy.clone())),
        ("artifact-manifest", artifact),
        ("hidden", hidden),
        ("nested", nested),
        ("both-forms", empty().signed(JWS, own(plain()), legacy).signed(COSE, Cose::plain().payload(image_payload()).bytes(), json!({}))),
        ("mixed-form", empty().signed(JWS, own(plain()), json!({ "config": descriptor("a/b", BRACES, 2) }))),
        ("no-layers", layers(0)),
        ("two-layers", layers(2)),
        ("other-envelope", empty().signed("application/x", own(plain()), json!({}))),
        ("jws-as-cose", empty().signed(COSE, own(plain()), json!({}))),
        ("subject-type", subject("mediaType", json!("a/b"))),
        ("subject-size", subject("size", json!(1))),
        ("thumbprint-wrong", empty().signed(JWS, own(plain()), annotated("[\"00\"]"))),
        ("thumbprint-malformed", empty().signed(JWS, own(plain()), annotated("00"))),
        ("broken", empty().signed(JWS, broken.clone(), json!({}))),
        ("other-digest", other(IMAGE, NOTHING, own_size)),
        ("other-type", other("a/b", &own_digest, own_size)),
        ("other-size", other(IMAGE, &own_digest, own_size + 1)),
        ("metadata", empty().signed(JWS, metadata.bytes(), json!({}))),
        ("expiring", empty().jws(&expiring(plain()))),
        ("authority", empty().jws(&Jws::authority())),
        ("authority-expired", empty().jws(&by("leaf", &["leaf-expired", "root"]).with(json!({ SCHEME: "notary.x509.signingAuthority", TIME: null, AUTHENTIC: "2020-06-01T00:00:00Z", "crit": [SCHEME, AUTHENTIC] })))),
        ("authority-too-late", empty().jws(&by("leaf", &["leaf-expired", "root"]).with(json!({ SCHEME: "notary.x509.signingAuthority", TIME: null, AUTHENTIC: SIGNED_TEXT, "crit": [SCHEME, AUTHENTIC] })))),
        ("leaf-expired", empty().jws(&by("leaf", &["leaf-expired", "root"]))),
        ("leaf-future", empty().jws(&by("leaf", &["leaf-future", "root"]))),
        ("root-expired", empty().jws(&by("leaf", &["leaf-of-expired", "root-expired"]))),
        ("alone", empty().jws(&by("leaf", &["alone"]))),
        ("server", empty().jws(&by("leaf", &["leaf-eku-serverAuth", "root"]))),
        ("no-state", empty().jws(&by("leaf", &["name-no-st", "root"]))),
        ("plugin", empty().jws(&plain().with(json!({ PLUGIN: "p", "crit": [SCHEME, PLUGIN] })))),
        ("critical", empty().jws(&plain().with(json!({ "com.example.x": 1, "crit": [SCHEME, "com.example.x"] })))),
        ("not-critical", empty().jws(&plain().with(json!({ "com.example.x": 1 })))),
        ("expired-when-signed", empty().jws(&plain().with(json!({ EXPIRY: SIGNED_TEXT, "crit": [SCHEME, EXPIRY] })))),
        ("everything-wrong", empty().jws(&expiring(by("leaf", &["leaf-expired", "root"])))),
        ("broken-and-good", empty().signed(JWS, broken.clone(), json!({})).signed(JWS, b"junk".to_vec(), json!({})).jws(&plain())),
        ("broken-and-expired", empty().signed(JWS, broken, json!({})).jws(&expiring(plain()))),
        ("two-good", empty().jws(&plain()).signed(COSE, Cose::plain().payload(image_payload()).bytes(), json!({}))),
    ] {
        layout.write(book, name);
    }
}

/// Section 1: which signatures are found.
fn discovery(book: &mut Book) {
    let good = || trusted().shows(json!({ "signatures": 1, "statement": "one" }));
    let invalid = || rejected("signature-manifest-invalid");
    for (facts, title, layout, expect) in [
        ("1.02 8.01 8.02", "a signature", "plain", good()),
        ("1.07 8.06", "a signature in COSE", "cose", good()),
        ("1.03 1.05 1.23", "the legacy form", "legacy", good()),
        ("1.22 14.32", "an artifact manifest", "artifact-manifest", good()),
        ("1.05", "both forms", "both-forms", trusted().shows(json!({ "signatures": 2 }))),
        ("1.30", "no signature", "unsigned", rejected("signature-absent").shows(json!({ "signatures": 0 }))),
        ("1.21", "a signature that no index leads to", "hidden", rejected("signature-absent")),
        ("1.21", "a signature in a nested index", "nested", good()),
        ("1.04", "a signature manifest that mixes two forms", "mixed-form", invalid()),
        ("1.07", "a signature manifest without layers", "no-layers", invalid()),
        ("1.07", "a signature manifest with two layers", "two-layers", invalid()),
        ("8.06 1.29", "an envelope of an unknown type", "other-envelope", rejected("envelope-unsupported")),
        ("8.06", "a JWS that is called COSE", "jws-as-cose", rejected("envelope-malformed")),
        ("1.09 1.29 14.09", "a thumbprint of another chain", "thumbprint-wrong", good()),
        ("1.09 1.29 14.09", "a thumbprint that is malformed", "thumbprint-malformed", good()),
        ("1.08 14.33", "a subject with another media type", "subject-type", rejected("target-mismatch")),
        ("1.08 14.33", "a subject with another size", "subject-size", rejected("target-mismatch")),
    ] {
        book.add("verdict", Judged::of(layout).case(facts, title, expect));
    }
}

/// Section 7b and 8.02: the same failures at every level.
fn levels(book: &mut Book) {
    const ORDER: [&str; 3] = ["strict", "permissive", "audit"];
    /// Facts, title, what is judged, the code, and at which of the levels it is only logged.
    type Failure = (&'static str, &'static str, fn() -> Judged, &'static str, [bool; 3]);
    let failures: [Failure; 8] = [
        (
            "7.13 8.02 8.07",
            "a signature value that is wrong",
            || Judged::of("broken"),
            "signature-invalid",
            [false, false, false],
        ),
        (
            "7.13 8.13",
            "a stranger's chain",
            || Judged::of("plain").trust(json!({ "ca:acme": ["stranger"] })),
            "chain-untrusted",
            [false, false, true],
        ),
        (
            "7.13 8.14",
            "an identity that is not listed",
            || Judged::of("plain").identities(&["x509.subject: C=US, ST=WA, O=Other"]),
            "identity-untrusted",
            [false, false, true],
        ),
        (
            "7.13 8.19 8.25",
            "a certificate that has expired",
            || Judged::of("leaf-expired"),
            "certificate-expired",
            [false, true, true],
        ),
        (
            "7.13 8.16",
            "an expiry that has passed",
            || Judged::of("expiring").at("2027-01-01T00:00:00Z"),
            "signature-expired",
            [false, true, true],
        ),
        (
            "7.13 8.20",
            "a timestamp that is missing",
            || {
                Judged::of("plain")
                    .stores(&["ca:acme", "tsa:acme"])
                    .trust(json!({ "ca:acme": ["root"], "tsa:acme": ["root"] }))
            },
            "timestamp-absent",
            [false, true, true],
        ),
        ("8.38 7.13", "another artifact", || Judged::of("other-digest"), "target-mismatch", [false, false, false]),
        (
            "8.10 14.16 7.13",
            "a plugin that is wanted",
            || Judged::of("plugin"),
            "plugin-required",
            [false, false, false],
        ),
    ];
    for (facts, title, judged, code, outcome) in failures {
        for (level, is_logged) in ORDER.into_iter().zip(outcome) {
            let expect = if is_logged { logged(&[code]) } else { rejected(code) };
            book.add("verdict", judged().level(level).case(facts, &format!("{title}, at {level}"), expect));
        }
    }
    for (facts, title, judged, code) in [
        ("2.25 5.18 14.15", "an expiry at the signing time", Judged::of("expired-when-signed"), "envelope-malformed"),
        ("5.18 14.15", "a certificate for servers", Judged::of("server"), "certificate-profile-violated"),
        ("2.15 8.35 8.37 14.01", "an unknown critical attribute", Judged::of("critical"), "critical-attribute-unknown"),
        ("8.38 14.33", "an artifact of another media type", Judged::of("other-type"), "target-mismatch"),
        ("8.38 14.33", "an artifact of another size", Judged::of("other-size"), "target-mismatch"),
        ("1.07", "two layers", Judged::of("two-layers"), "signature-manifest-invalid"),
    ] {
        book.add("verdict", judged.level("audit").case(facts, &format!("{title}, at audit"), rejected(code)));
    }
    let all = ["certificate-expired", "signature-expired"];
    let everything = || Judged::of("everything-wrong").at("2027-01-01T00:00:00Z");
    for (facts, title, value, expect) in [
        (
            "7.14 8.02 8.03",
            "two failures that are enforced are both said",
            json!({ "level": "strict" }),
            expect("rejected", &all).notes(&[NOT_OFFERED]),
        ),
        (
            "7.14 7.15 8.02",
            "two failures of which one is logged",
            json!({ "level": "strict", "override": { "expiry": "log" } }),
            rejected(all[0]).notes(&[all[1], NOT_OFFERED]),
        ),
        (
            "7.14 7.15 8.02",
            "two failures that are logged",
            json!({ "level": "strict", "override": { "expiry": "log", "authenticTimestamp": "log" } }),
            logged(&all),
        ),
        (
            "7.14 7.15",
            "one failure that is enforced at permissive",
            json!({ "level": "permissive", "override": { "expiry": "enforce" } }),
            rejected(all[1]).notes(&[all[0], NOT_OFFERED]),
        ),
    ] {
        book.add("verdict", everything().verification(value).case(facts, title, expect));
    }
    let mut skip = Judged::of("broken");
    skip.statement = statement(
        &json!({ "signatureVerification": { "level": "skip" }, "trustStores": null, "trustedIdentities": null }),
    );
    let shows = expect("skipped", &["skipped-by-policy"]).shows(json!({ "signatures": 0 }));
    book.add("verdict", skip.case("8.04 7.13", "the level skip judges no signature", shows));
    let checks = json!({ "checks": [
        "integrity (enforce): passed", "authenticity (enforce): passed", "authenticity (enforce): passed",
        "expiry (enforce): not-applicable", "authenticTimestamp (enforce): passed",
        "revocation (enforce): not-applicable", "revocation (enforce): not-applicable",
    ] });
    book.add(
        "verdict",
        Judged::of("plain").case("8.01 8.15 10.01 10.02", "the checks in their order", trusted().shows(checks)),
    );
    let checks = json!({ "checks": [
        "integrity (enforce): failed signature-invalid", "authenticity (enforce): not-run", "authenticTimestamp (enforce): not-run",
        "expiry (enforce): not-run", "revocation (enforce): not-run",
    ] });
    let of_chain = json!({ "checks": [
        "integrity (enforce): failed certificate-profile-violated", "authenticity (log): not-run",
        "authenticTimestamp (log): not-run", "expiry (log): not-run", "revocation (log): not-run",
    ] });
    let title = "nobody is asked whether a chain that breaks a rule is revoked";
    let expect = rejected("certificate-profile-violated").shows(of_chain);
    book.add("verdict", Judged::of("server").level("audit").case("5.18 10.03", title, expect));
    let expect = rejected("signature-invalid").shows(checks);
    book.add(
        "verdict",
        Judged::of("broken").case("8.01 8.07", "nothing is looked at behind a signature that does not hold", expect),
    );
}

/// Sections 8b, 8c and 8i.
fn integrity(book: &mut Book) {
    for (facts, title, layout, expect) in [
        ("2.15 14.02", "an unknown attribute that is not critical", "not-critical", trusted()),
        ("8.10 2.19", "a plugin is wanted", "plugin", rejected("plugin-required")),
        ("2.09 8.38", "a signature of another digest", "other-digest", rejected("target-mismatch")),
    ] {
        book.add("verdict", Judged::of(layout).case(facts, title, expect));
    }
    for (title, wanted, expect) in [
        ("metadata that is there", [("commit", "abc")], trusted()),
        ("metadata that is not there", [("who", "x")], rejected("user-metadata-mismatch")),
        ("metadata with another value", [("commit", "x")], rejected("user-metadata-mismatch")),
    ] {
        let user_metadata = wanted.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let options = Options { user_metadata, ..Options::default() };
        for level in ["strict", "audit"] {
            let title = format!("{title}, at {level}");
            book.add(
                "verdict",
                Judged::of("metadata").level(level).options(options.clone()).case("8.39", &title, expect.clone()),
            );
        }
    }
}

/// Section 8d.
fn authenticity(book: &mut Book) {
    let plain = || Judged::of("plain");
    let authority = || Judged::of("authority");
    let both = json!({ "ca:acme": ["root"], "signingAuthority:acme": ["root"] });
    for (facts, title, judged, expect) in [
        ("6.10 8.13", "the intermediate is trusted", plain().trust(json!({ "ca:acme": ["inter"] })), trusted()),
        ("6.10", "the leaf is trusted", plain().trust(json!({ "ca:acme": ["alone", "inter"] })), trusted()),
        (
            "5.07 6.07",
            "a self-signed certificate is trusted",
            Judged::of("alone").trust(json!({ "ca:acme": ["alone"] })),
            expect("trusted", &[]).notes(&[]),
        ),
        (
            "6.10",
            "another root of the same name",
            plain().trust(json!({ "ca:acme": ["impostor"] })),
            rejected("chain-untrusted"),
        ),
        (
            "6.11 6.13",
            "the right root in a store that the statement does not name",
            plain().trust(json!({ "ca:acme": ["stranger"], "ca:other": ["root"] })),
            rejected("chain-untrusted"),
        ),
        (
            "6.13",
            "the right root in the second store",
            plain().stores(&["ca:acme", "ca:other"]).trust(json!({ "ca:acme": ["stranger"], "ca:other": ["root"] })),
            trusted(),
        ),
        (
            "6.13",
            "the right root in two stores",
            plain().stores(&["ca:acme", "ca:other"]).trust(json!({ "ca:acme": ["root"], "ca:other": ["root"] })),
            trusted(),
        ),
        (
            "6.09 6.13",
            "one of two stores is missing",
            plain().stores(&["ca:acme", "ca:other"]),
            rejected("trust-store-missing"),
        ),
        (
            "6.12 14.35",
            "a signer with a signing authority's store",
            plain().stores(&["signingAuthority:acme"]).trust(json!({ "signingAuthority:acme": ["root"] })),
            rejected("chain-untrusted"),
        ),
        ("6.12 14.35", "a signing authority with a signer's store", authority(), rejected("chain-untrusted")),
        (
            "6.12",
            "a signing authority with its store",
            authority().stores(&["signingAuthority:acme"]).trust(json!({ "signingAuthority:acme": ["root"] })),
            trusted(),
        ),
        (
            "6.12",
            "a signing authority with stores of both types",
            authority().stores(&["ca:acme", "signingAuthority:acme"]).trust(both),
            trusted(),
        ),
        (
            "6.12",
            "a signing authority's missing store does not matter to a signer",
            plain().stores(&["ca:acme", "signingAuthority:gone"]),
            trusted(),
        ),
        (
            "6.12 6.13",
            "a timestamp store alone",
            plain()
                .level("audit")
                .verification(json!({ "level": "strict", "verifyTimestamp": "afterCertExpiry" }))
                .stores(&["tsa:acme"])
                .trust(json!({ "tsa:acme": ["root"] })),
            rejected("chain-untrusted"),
        ),
        ("8.14", "an identity that is listed", plain().identities(&["x509.subject: C=US, ST=WA, O=Acme"]), trusted()),
        (
            "8.14 7.35",
            "a subject that cannot be compared",
            Judged::of("no-state").identities(&["x509.subject: C=US, ST=WA, O=Acme"]),
            rejected("identity-untrusted"),
        ),
        ("8.14 7.35", "a subject that cannot be compared, for everyone", Judged::of("no-state"), trusted()),
        ("7.28", "no identity that could be one", plain().identities(&["kms:alias/x"]), rejected("identity-untrusted")),
        (
            "8.15",
            "a stranger whose identity is not listed either",
            plain().trust(json!({ "ca:acme": ["stranger"] })).identities(&["x509.subject: C=US, ST=WA, O=Other"]),
            expect("rejected", &["chain-untrusted", "identity-untrusted"]),
        ),
    ] {
        book.add("verdict", judged.case(facts, title, expect));
    }
    let scoped = |scope: &str| Options { scope: Some(scope.into()), ..Options::default() };
    let mut copied = plain().options(scoped("mirror.local/copy"));
    copied.statement["registryScopes"] = json!(["mirror.local/copy"]);
    let title = "an artifact that was copied to another registry";
    book.add("verdict", copied.case("1.34 7.21 7.23", title, trusted()));
    for (facts, title, scope, expect) in [
        ("7.21 7.23", "the scope that is given", "registry.example/app", trusted()),
        (
            "8.05 7.21",
            "no statement for the scope that is given",
            "local/app",
            rejected("policy-not-applicable").shows(json!({ "statement": null })),
        ),
        ("7.21 8.05", "the scope in another case", "Registry.example/app", rejected("policy-not-applicable")),
    ] {
        book.add("verdict", plain().options(scoped(scope)).case(facts, title, expect));
    }
}

/// Sections 8e and 8f, as far as no token is needed.
fn time(book: &mut Book) {
    let stamped = |layout| {
        Judged::of(layout)
            .stores(&["ca:acme", "tsa:acme"])
            .trust(json!({ "ca:acme": ["root", "root-expired"], "tsa:acme": ["root"] }))
    };
    let after =
        |layout| stamped(layout).verification(json!({ "level": "strict", "verifyTimestamp": "afterCertExpiry" }));
    let authority = |layout| {
        Judged::of(layout).stores(&["signingAuthority:acme"]).trust(json!({ "signingAuthority:acme": ["root"] }))
    };
    for (facts, title, judged, expect) in [
        ("8.16", "a second before the expiry", Judged::of("expiring").at("2026-11-30T23:59:59Z"), trusted()),
        ("8.16 14.28", "at the expiry", Judged::of("expiring").at(EXPIRES), rejected("signature-expired")),
        ("8.16", "half a second before the expiry", Judged::of("expiring").at("2026-11-30T23:59:59.5Z"), trusted()),
        ("8.19 14.28", "at the end of the leaf", Judged::of("leaf-expired").at("2021-01-01T00:00:00Z"), trusted()),
        (
            "8.19 8.25",
            "a second behind the end of the leaf",
            Judged::of("leaf-expired").at("2021-01-01T00:00:01Z"),
            rejected("certificate-expired"),
        ),
        ("8.19", "before the leaf begins", Judged::of("leaf-future"), rejected("certificate-not-yet-valid")),
        ("8.19 14.28", "at the beginning of the leaf", Judged::of("leaf-future").at("2100-01-01T00:00:00Z"), trusted()),
        (
            "8.19 6.14",
            "the root has expired",
            Judged::of("root-expired").trust(json!({ "ca:acme": ["root-expired"] })),
            rejected("certificate-expired"),
        ),
        (
            "6.14",
            "another root in the store has expired",
            Judged::of("plain").trust(json!({ "ca:acme": ["root-expired", "root"] })),
            trusted(),
        ),
        (
            "8.19",
            "the claimed signing time lies behind the verification time",
            Judged::of("plain").at("2026-01-01T00:00:00Z"),
            trusted(),
        ),
        (
            "8.17",
            "a signing authority signed while its certificate was valid",
            authority("authority-expired"),
            trusted(),
        ),
        (
            "8.17",
            "a signing authority signed when its certificate had expired",
            authority("authority-too-late"),
            rejected("certificate-expired"),
        ),
        (
            "8.17 8.18",
            "a signing authority needs no timestamp",
            authority("authority")
                .stores(&["signingAuthority:acme", "tsa:acme"])
                .trust(json!({ "signingAuthority:acme": ["root"], "tsa:acme": ["root"] })),
            trusted(),
        ),
        (
            "8.18 8.20 14.18 7.09",
            "a timestamp store makes timestamps mandatory",
            stamped("plain"),
            rejected("timestamp-absent"),
        ),
        ("8.18 7.09", "afterCertExpiry with valid certificates", after("plain"), trusted()),
        ("8.18 8.20", "afterCertExpiry with an expired leaf", after("leaf-expired"), rejected("timestamp-absent")),
        ("8.18 8.20", "afterCertExpiry with an expired root", after("root-expired"), rejected("timestamp-absent")),
        (
            "8.24",
            "afterCertExpiry with a leaf that is not valid yet",
            after("leaf-future"),
            rejected("certificate-not-yet-valid"),
        ),
    ] {
        book.add("verdict", judged.case(facts, title, expect));
    }
}

/// Several signatures on one artifact.
fn several(book: &mut Book) {
    for (facts, title, judged, expect) in [
        (
            "1.28 1.30 14.23 8.40",
            "two broken signatures beside a good one",
            Judged::of("broken-and-good"),
            expect("trusted", &[]).shows(json!({ "signatures": 3 })),
        ),
        (
            "1.30 8.40",
            "a broken signature beside one that has expired",
            Judged::of("broken-and-expired").at("2027-01-01T00:00:00Z"),
            expect("rejected", &["signature-expired", "signature-invalid"]),
        ),
        (
            "1.30",
            "a broken signature beside one that expires later",
            Judged::of("broken-and-expired"),
            expect("trusted", &[]),
        ),
    ] {
        book.add("verdict", judged.case(facts, title, expect));
    }
    let good =
        Layout::with_image().jws(&Jws::plain()).signed(COSE, Cose::plain().payload(image_payload()).bytes(), json!({}));
    let mut digests: Vec<&str> = good.index[1..].iter().map(|found| found["digest"].as_str().unwrap()).collect();
    digests.sort_unstable();
    let expect = trusted().shows(json!({ "signatureDigests": digests }));
    book.add(
        "verdict",
        Judged::of("two-good").case("1.24 14.24", "signatures are reported in the order of their digests", expect),
    );
    for (facts, title, target, verdict) in [
        ("1.31", "a tag leads to the digest", "v1".to_owned(), trusted()),
        ("1.31", "the digest itself", image()["digest"].as_str().unwrap().to_owned(), trusted()),
    ] {
        let mut case = Judged::of("plain").case(facts, title, verdict);
        case.file.inputs["target"] = json!(target);
        book.add("verdict", case);
    }
}
