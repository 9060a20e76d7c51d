//! Areas `manifest`, `payload` and `reference`: sections 1 and 2.

use serde_json::{Value, json};

use super::envelope::{COSE, JWS, NOTHING};
use super::{Book, Entry, accepted, entry, refused};
use crate::case::{Expect, Options};

pub(super) const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(super) const BRACES: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const INVALID: &str = "signature-manifest-invalid";

pub(super) fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// The new form.
fn plain() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": SIGNATURE,
        "config": descriptor(EMPTY, BRACES, 2),
        "layers": [descriptor(JWS, NOTHING, 0)],
        "subject": descriptor(IMAGE, BRACES, 2),
        "annotations": { "io.cncf.notary.x509chain.thumbprint#S256": "[\"00\"]" },
    })
}

fn with(members: Value) -> Value {
    let mut document = plain();
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}

fn read(facts: &str, title: &str, media_type: &str, document: Value, expect: Expect) -> Entry {
    entry(facts, title, "manifest", json!({ "mediaType": media_type, "document": { "json": document } }), expect)
}

pub(super) fn make(book: &mut Book) {
    manifests(book);
    payloads(book);
    metadata(book);
    references(book);
}

fn manifests(book: &mut Book) {
    let layer = descriptor(JWS, NOTHING, 0);
    let form = |form: &str| accepted().shows(json!({ "form": form }));
    let artifact = json!({ "mediaType": ARTIFACT, "artifactType": SIGNATURE, "blobs": [layer], "subject": descriptor(IMAGE, BRACES, 2) });
    let mut two_blobs = artifact.clone();
    two_blobs["blobs"] = json!([layer, layer]);
    for (facts, title, media_type, document, expect) in [
        (
            "1.01 1.02 1.05 1.06 1.07 1.08",
            "the form with an artifact type",
            IMAGE,
            plain(),
            form("artifact-type").shows(json!({ "envelope": JWS, "subject": BRACES })),
        ),
        (
            "1.03 1.05 1.23 14.10",
            "the form with the config's media type",
            IMAGE,
            with(json!({ "artifactType": null, "config": descriptor(SIGNATURE, BRACES, 2) })),
            form("config-media-type"),
        ),
        ("1.22 14.32", "the withdrawn artifact manifest", ARTIFACT, artifact.clone(), form("artifact-manifest")),
        (
            "1.07",
            "an envelope in COSE",
            IMAGE,
            with(json!({ "layers": [descriptor(COSE, NOTHING, 0)] })),
            form("artifact-type").shows(json!({ "envelope": COSE })),
        ),
        ("1.09", "no annotations at all", IMAGE, with(json!({ "annotations": null })), form("artifact-type")),
        (
            "1.10",
            "a thumbprint in upper case",
            IMAGE,
            with(json!({ "annotations": { "io.cncf.notary.x509chain.thumbprint#S256": "[\"AB\"]" } })),
            form("artifact-type"),
        ),
        (
            "1.06",
            "the config's content embedded",
            IMAGE,
            with(json!({ "config": { "mediaType": EMPTY, "digest": BRACES, "size": 2, "data": "e30=" } })),
            form("artifact-type"),
        ),
        (
            "1.04",
            "an artifact type with the legacy config",
            IMAGE,
            with(json!({ "config": descriptor(SIGNATURE, BRACES, 2) })),
            refused(INVALID),
        ),
        (
            "1.04",
            "an artifact type with another config",
            IMAGE,
            with(json!({ "config": descriptor("a/b", BRACES, 2) })),
            refused(INVALID),
        ),
        ("1.04", "another artifact type", IMAGE, with(json!({ "artifactType": "a/b" })), refused(INVALID)),
        (
            "1.04",
            "another artifact type with the legacy config",
            IMAGE,
            with(json!({ "artifactType": "a/b", "config": descriptor(SIGNATURE, BRACES, 2) })),
            refused(INVALID),
        ),
        ("1.04", "neither form", IMAGE, with(json!({ "artifactType": null })), refused(INVALID)),
        ("1.07", "no layer", IMAGE, with(json!({ "layers": [] })), refused(INVALID)),
        ("1.07", "two layers", IMAGE, with(json!({ "layers": [layer, layer] })), refused(INVALID)),
        ("1.07 1.22", "two blobs in an artifact manifest", ARTIFACT, two_blobs, refused(INVALID)),
        ("1.08", "no subject", IMAGE, with(json!({ "subject": null })), refused(INVALID)),
        (
            "1.01",
            "another media type inside than outside",
            IMAGE,
            with(json!({ "mediaType": ARTIFACT })),
            refused("manifest-mismatch"),
        ),
        ("1.01", "schema version 1", IMAGE, with(json!({ "schemaVersion": 1 })), refused("manifest-malformed")),
        (
            "1.01",
            "Docker's media type",
            "application/vnd.docker.distribution.manifest.v2+json",
            with(json!({ "mediaType": null, "artifactType": null, "config": descriptor(SIGNATURE, BRACES, 2) })),
            refused(INVALID),
        ),
    ] {
        book.add("manifest", read(facts, title, media_type, document, expect));
    }
    let twice = plain().to_string().replacen('{', &format!("{{\"artifactType\":{:?},", "a/b"), 1);
    let inputs = json!({ "mediaType": IMAGE, "document": { "text": twice } });
    book.add("manifest", entry("1.04", "an artifact type twice", "manifest", inputs, refused("manifest-malformed")));
}

fn payload(target: &Value) -> String {
    json!({ "targetArtifact": target }).to_string()
}

fn payloads(book: &mut Book) {
    let target = json!({ "mediaType": "a/b", "digest": NOTHING, "size": 0 });
    let set = |name: &str, value: Value| {
        let mut changed = target.clone();
        changed[name] = value;
        payload(&changed)
    };
    let without = |name: &str| {
        let mut changed = target.clone();
        changed.as_object_mut().unwrap().remove(name);
        payload(&changed)
    };
    let shows = |size: u64| accepted().shows(json!({ "mediaType": "a/b", "digest": NOTHING, "size": size }));
    let reordered =
        format!(r#"{{ "x": 1, "targetArtifact": {{ "size": 0, "digest": "{NOTHING}", "mediaType": "a\/b" }} }}"#);
    let malformed = || refused("payload-malformed");
    for (facts, title, payload, expect) in [
        ("2.01 2.02", "the members that it needs", payload(&target), shows(0)),
        ("2.06", "another order, and escapes", reordered, shows(0)),
        (
            "2.02 2.03",
            "members of a descriptor that are not signed for",
            set("platform", json!({ "os": "linux" })),
            shows(0),
        ),
        ("2.02 2.03", "an artifact type", set("artifactType", json!("x/y")), shows(0)),
        (
            "2.02",
            "annotations",
            set("annotations", json!({ "k": "v" })),
            accepted().shows(json!({ "annotations": { "k": "v" } })),
        ),
        (
            "2.08",
            "annotations that are null",
            set("annotations", Value::Null),
            accepted().shows(json!({ "annotations": {} })),
        ),
        (
            "2.06",
            "a size beyond 2 to the 53rd",
            set("size", json!(9_007_199_254_740_993_u64)),
            shows(9_007_199_254_740_993),
        ),
        ("2.02", "a SHA-512 digest", set("digest", json!(format!("sha512:{}", "0".repeat(128)))), accepted()),
        ("2.01", "no artifact", "{}".into(), malformed()),
        ("2.01", "an artifact that is null", r#"{"targetArtifact":null}"#.into(), malformed()),
        ("2.02", "no media type", without("mediaType"), malformed()),
        ("2.02", "an empty media type", set("mediaType", json!("")), malformed()),
        ("2.02", "no digest", without("digest"), malformed()),
        ("2.02", "a digest that is too short", set("digest", json!("sha256:00")), malformed()),
        (
            "2.02",
            "a digest of an unknown algorithm",
            set("digest", json!(format!("md5:{}", "0".repeat(32)))),
            malformed(),
        ),
        ("2.02", "no size", without("size"), malformed()),
        ("2.02", "a negative size", set("size", json!(-1)), malformed()),
        ("2.02", "a size that is a text", set("size", json!("0")), malformed()),
        ("2.02", "an annotation that is a number", set("annotations", json!({ "k": 1 })), malformed()),
        ("2.07", "nothing", String::new(), malformed()),
        ("2.07", "an array", "[]".into(), malformed()),
        (
            "2.08",
            "a digest twice",
            payload(&target).replace("\"size\"", &format!("\"digest\":\"{BRACES}\",\"size\"")),
            malformed(),
        ),
        ("2.08", "a second digest in another case", set("Digest", json!(BRACES)), malformed()),
        (
            "2.08",
            "the artifact in another case",
            payload(&target).replace("targetArtifact", "TargetArtifact"),
            malformed(),
        ),
    ] {
        book.add("payload", entry(facts, title, "payload", json!({ "payload": payload }), expect));
    }
    let artifact = |media_type: &str, digest: &str, size: usize| json!({ "payload": payload(&target), "artifact": descriptor(media_type, digest, size) });
    for (facts, title, inputs, expect) in [
        ("2.09 8.38", "the artifact itself", artifact("a/b", NOTHING, 0), accepted()),
        ("2.09 8.38", "another digest", artifact("a/b", BRACES, 0), refused("target-mismatch")),
        ("2.09 14.33", "another media type", artifact("a/c", NOTHING, 0), refused("target-mismatch")),
        ("2.09 14.33", "the media type in another case", artifact("A/b", NOTHING, 0), refused("target-mismatch")),
        ("2.09 14.33", "another size", artifact("a/b", NOTHING, 1), refused("target-mismatch")),
    ] {
        let title = format!("compared with {title}");
        book.add("payload", entry(facts, &title, "payload", inputs, expect));
    }
    let mut annotated = target.clone();
    annotated["annotations"] = json!({ "k": "v" });
    let inputs = json!({ "payload": payload(&annotated), "artifact": descriptor("a/b", NOTHING, 0) });
    book.add("payload", entry("2.09", "annotations need not be the artifact's", "payload", inputs, accepted()));
}

fn metadata(book: &mut Book) {
    let mut target =
        json!({ "mediaType": "a/b", "digest": NOTHING, "size": 0, "annotations": { "commit": "abc", "build": "7" } });
    let inputs = json!({ "payload": payload(&target) });
    for (facts, title, wanted, expect) in [
        ("8.39", "one entry that is there", json!({ "commit": "abc" }), accepted()),
        ("8.39", "all entries that are there", json!({ "commit": "abc", "build": "7" }), accepted()),
        ("8.39", "an entry with another value", json!({ "commit": "abd" }), refused("user-metadata-mismatch")),
        ("8.39", "an entry in another case", json!({ "Commit": "abc" }), refused("user-metadata-mismatch")),
        (
            "8.39",
            "an entry that is not there",
            json!({ "commit": "abc", "who": "x" }),
            refused("user-metadata-mismatch"),
        ),
    ] {
        let user_metadata = serde_json::from_value(wanted).unwrap();
        let title = format!("metadata asked for: {title}");
        let options = Options { user_metadata, ..Options::default() };
        book.add("payload", entry(facts, &title, "payload", inputs.clone(), expect).options(options));
    }
    target["annotations"] = Value::Null;
    let elsewhere =
        json!({ "targetArtifact": target, "annotations": { "commit": "abc" }, "commit": "abc" }).to_string();
    let options = Options { user_metadata: [("commit".into(), "abc".into())].into(), ..Options::default() };
    let expect = refused("user-metadata-mismatch");
    let title = "metadata elsewhere in the payload does not count";
    book.add("payload", entry("2.05", title, "payload", json!({ "payload": elsewhere }), expect).options(options));
}

fn references(book: &mut Book) {
    let long = format!("sha512:{}", "ab".repeat(64));
    let cut = format!("sha512-{}", "ab".repeat(32));
    let malformed = || refused("reference-malformed");
    for (facts, title, reference, expect) in [
        (
            "1.31",
            "a tag",
            "host/repo:v1".to_owned(),
            accepted().shows(json!({ "repository": "host/repo", "tag": "v1", "digest": null })),
        ),
        (
            "1.31 7.22",
            "a digest",
            format!("host/repo@{NOTHING}"),
            accepted().shows(json!({ "repository": "host/repo", "digest": NOTHING })),
        ),
        (
            "1.31 1.32 7.22",
            "a tag and a digest",
            format!("host/repo:v1@{NOTHING}"),
            accepted().shows(json!({ "repository": "host/repo", "tag": "v1", "digest": NOTHING })),
        ),
        (
            "1.32",
            "a port",
            "host:5000/repo:v1".to_owned(),
            accepted().shows(json!({ "repository": "host:5000/repo", "tag": "v1" })),
        ),
        (
            "1.32",
            "docker.io stays docker.io, and nothing is put into the path",
            "docker.io/app:v1".to_owned(),
            accepted().shows(json!({ "repository": "docker.io/app" })),
        ),
        ("1.32", "no host", "repo:v1".to_owned(), malformed()),
        ("1.32", "a repository in upper case", "host/Repo".to_owned(), malformed()),
        ("1.32", "a scheme", "https://host/repo".to_owned(), malformed()),
        ("1.32", "an empty tag", "host/repo:".to_owned(), malformed()),
        ("1.32", "nothing", String::new(), malformed()),
        ("1.31", "a digest that is cut off", "host/repo@sha256:00".to_owned(), refused("digest-malformed")),
        (
            "1.31",
            "a digest of an unknown algorithm",
            format!("host/repo@md5:{}", "0".repeat(32)),
            refused("digest-algorithm-unsupported"),
        ),
        (
            "1.17",
            "the tag under which referrers are found",
            format!("host/repo@{NOTHING}"),
            accepted().shows(json!({ "referrersTag": NOTHING.replace(':', "-") })),
        ),
        (
            "1.17 1.18 14.30",
            "the tag for a SHA-512 digest is cut to 64 characters",
            format!("host/repo@{long}"),
            accepted().shows(json!({ "referrersTag": cut })),
        ),
        (
            "13.10",
            "a layout with a tag",
            "oci:dir:v1".to_owned(),
            accepted().shows(json!({ "path": "dir", "target": ":v1" })),
        ),
        (
            "13.10",
            "a layout with a digest",
            format!("oci:dir@{NOTHING}"),
            accepted().shows(json!({ "path": "dir", "target": format!("@{NOTHING}") })),
        ),
        (
            "13.10",
            "a layout whose path holds an at sign",
            "oci:a@b/dir:v1".to_owned(),
            accepted().shows(json!({ "path": "a@b/dir", "target": ":v1" })),
        ),
        (
            "13.10",
            "an archive",
            "oci-archive:a.tar:v1".to_owned(),
            accepted().shows(json!({ "archive": "a.tar", "target": ":v1" })),
        ),
    ] {
        book.add("reference", entry(facts, title, "reference", json!({ "reference": reference }), expect));
    }
}
