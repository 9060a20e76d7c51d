//! Wrong command lines: exit status 2, and a way out.

use super::common::{NAME, User, conforms};

#[test]
fn no_policy_says_how_to_write_one() {
    let user = User::with_demo();
    for arguments in
        [&["verify", "demo/hello.bulla.tar"][..], &["import", "demo/hello.bulla.tar", "--to", "oci:images"]]
    {
        let ended = user.bulla(arguments).refuses(2, &["policy-missing"]);
        let ended = ended.says(&["trustpolicy", "--policy FILE", "--integrity-only"]);
        // The hint holds a policy that works: only names have to be put in.
        let begin = ended.stderr.find('{').unwrap();
        let end = ended.stderr.rfind('}').unwrap();
        let policy = ended.stderr[begin..=end].to_owned();
        let stream: Vec<serde_json::Value> =
            serde_json::Deserializer::from_str(&policy).into_iter().collect::<Result<_, _>>().unwrap_or_default();
        assert_eq!(stream.len(), 1, "the hint holds no JSON document: {policy}");
        user.put("policy.json", stream[0].to_string());
        let ended = user.bulla(&["verify", "demo/hello.bulla.tar", "--policy", "policy.json"]);
        assert!(!ended.stderr.contains("policy-invalid"), "{ended:?}");
    }
    assert!(!user.path("images").exists());
}

#[test]
fn no_trust_store() {
    let user = User::with_demo();
    let policy = ["--policy", "demo/config/trustpolicy.json"];
    let verify = |store: &[&str]| user.bulla(&[&["verify", "demo/hello.bulla.tar"], &policy[..], store].concat());
    verify(&[]).refuses(2, &["trust-store-missing"]).says(&["--trust-store DIR"]);
    verify(&["--trust-store", "nowhere"]).refuses(2, &["trust-store-missing"]);
    user.put("empty/truststore/x509/ca/bulla-demo/readme.txt", "not a certificate");
    user.put("empty/truststore/x509/tsa/bulla-demo-tsa/root.pem", "not a certificate");
    verify(&["--trust-store", "empty"]).refuses(2, &["trust-store-missing", "trust-store-invalid"]);
}

#[test]
fn policies_that_break_a_rule() {
    let user = User::with_demo();
    let good = String::from_utf8(user.get("demo/config/trustpolicy.json")).unwrap();
    let invalid: &[&str] = &["policy-invalid"];
    for (name, text) in [
        ("no JSON", "{".to_owned()),
        ("nothing", String::new()),
        ("another version", good.replace("\"1.0\"", "\"9.0\"")),
        ("a member twice", good.replacen('{', "{\"version\":\"1.0\",", 1)),
        ("an unknown level", good.replace("strict", "lenient")),
        ("no identities", good.replace("\"x509.subject: C=NL, ST=Utrecht, O=Bulla Demo\"", "")),
        ("a wildcard inside a scope", good.replace("demo/hello", "*/hello")),
        ("a store of an unknown kind", good.replace("ca:bulla-demo", "root:bulla-demo")),
        ("a store with a path", good.replace("ca:bulla-demo", "ca:../../etc")),
        ("nested 100,000 deep", "[".repeat(100_000)),
    ] {
        eprintln!("{name}");
        user.put("policy.json", text);
        let arguments = ["verify", "demo/hello.bulla.tar", "--trust-store", "demo/config", "--policy", "policy.json"];
        user.bulla(&arguments).refuses(2, invalid);
    }
    user.bulla(&["verify", "demo/hello.bulla.tar", "--policy", "demo"]).refuses(2, &["policy-missing"]);
    user.bulla(&["verify", "demo/hello.bulla.tar", "--policy", "/dev/zero"]).refuses(2, invalid);
    user.bulla(&["verify", "demo/hello.bulla.tar", "--policy", "nowhere.json"]).refuses(2, &["policy-missing"]);
}

/// clap says what is wrong, in its own words.
#[test]
fn wrong_words() {
    let user = User::with_demo();
    for (arguments, says) in [
        (&["verify", "demo/hello.bulla.tar", "--at", "yesterday"][..], "2026-11-21T20:00:00Z"),
        (&["verify", "demo/hello.bulla.tar", "--at", "2026-13-01T00:00:00Z"], "RFC 3339"),
        (&["verify", "demo/hello.bulla.tar", "--freshness", "fresh"], "--freshness"),
        (&["verify", "demo/hello.bulla.tar", "--freshness", "max-age="], "--freshness"),
        (&["verify", "demo/hello.bulla.tar", "--freshness", "max-age=-1d"], "--freshness"),
        (&["verify", "demo/hello.bulla.tar", "--scope", "not a repository"], "--scope"),
        (&["verify", "demo/hello.bulla.tar", "-m", "novalue"], "NAME=VALUE"),
        (&["verify", "demo/hello.bulla.tar", "--format", "yaml"], "json"),
        (&["verify", "demo/hello.bulla.tar", "--integrity-only", "--scope", "a.b/c"], "cannot be used with"),
        (&["verify", "demo/hello.bulla.tar", "--integrity-only", "--freshness", "at-signing"], "cannot be used with"),
        (&["verify"], "Usage:"),
        (&["verify", "a", "b"], "Usage:"),
        (&["export", "oci:demo/registry:1.0"], "--output"),
        (&["export", "-o", "x.tar"], "REF"),
        (&["export", "oci:demo/registry:1.0", "-o", "x.tar", "--as", "registry.example/UPPER:x"], "--as"),
        (&["export", "oci:demo/registry:1.0", "-o", "x.tar", "--platform", "linux"], "linux/arm64"),
        (&["export", "oci:demo/registry:1.0", "-o", "x.tar", "--level", "23"], "--level"),
        (&["import", "demo/hello.bulla.tar"], "--to"),
        (&["import", "demo/hello.bulla.tar", "--to", "oci:x", "--allow", "everything"], "unsigned"),
        (&["frobnicate"], "Usage:"),
        (&[], "Usage:"),
    ] {
        let ended = user.bulla(arguments).ends(2).says(&[says]);
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
    user.bulla(&["--help"]).ends(0).prints(&["Usage:", "export", "verify"]);
    user.bulla(&["--version"]).ends(0).prints(&["bulla 0."]);
}

/// Of two demands on one key, none is forgotten.
#[test]
fn metadata_twice() {
    let user = User::with_demo();
    let verify = |pairs: &[&str]| user.judging(&[&["verify", "demo/hello.bulla.tar"], pairs].concat());
    verify(&["-m", "a=b", "-m", "a=c"]).refuses(2, &["usage-invalid"]);
    verify(&["-m", "a=b", "-m", "a=b"]).ends(1).prints(&["user-metadata-mismatch"]);
}

#[test]
fn references() {
    let user = User::with_demo();
    user.judging(&["verify", "missing.tar"]).refuses(4, &["not-found"]).says(&["host/repo"]);
    user.judging(&["verify", "./missing.tar"]).refuses(4, &["not-found"]);
    user.judging(&["verify", "oci:missing"]).refuses(4, &["not-found"]);
    user.judging(&["verify", "oci:demo/registry:2.0"]).refuses(4, &["not-found"]);
    user.judging(&["verify", "oci-archive:demo/hello.bulla.tar:2.0"]).refuses(4, &["not-found"]);
    user.judging(&["verify", "oci:demo/registry:b@sha256:tag"]).fails(2, &["reference-malformed", "digest-malformed"]);
    user.judging(&["verify", "registry.example/UPPER:tag"]).fails(2, &["reference-malformed"]);
    user.judging(&["verify", "registry.example/a@md5:d41d8cd98f00b204e9800998ecf8427e"])
        .fails(2, &["digest-algorithm-unsupported", "reference-malformed", "digest-malformed"]);
    user.judging(&["verify", "demo/crls"]).refuses(3, &["layout-invalid"]);
    user.judging(&["verify", "demo/config/trustpolicy.json"]).refuses(3, &["archive-truncated", "archive-malformed"]);
    user.judging(&["verify", "/dev/zero"]).refuses(3, &["archive-malformed"]);
    user.judging(&["import", "demo/hello.bulla.tar", "--to", "./images"]).refuses(2, &["usage-invalid"]);
    user.judging(&["import", "demo/hello.bulla.tar", "--to", "oci:"]).fails(2, &["usage-invalid"]);
    user.judging(&["import", "demo/registry", "--to", "oci:images"]).refuses(3, &["bundle-manifest-invalid"]);
}

#[test]
fn names() {
    let user = User::with_demo();
    let export = |more: &[&str]| {
        let ended =
            user.bulla(&[&["export", "oci:demo/registry:1.0", "--crl", "demo/crls", "--offline"], more].concat());
        assert!(ended.status == 0 || !user.path("x.tar").exists(), "{ended:?}");
        ended
    };
    export(&["-o", "x.tar", "--as", NAME, "--as", NAME])
        .fails(2, &["usage-invalid"])
        .says(&["1 references and 2 names"]);
    export(&["-o", "x.tar", "oci:demo/registry:1.0", "--as", NAME]).fails(2, &["usage-invalid"]);
    // Without its name, the layout's tag alone names no repository.
    let index = String::from_utf8(user.get("demo/registry/index.json")).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&index).unwrap();
    for entry in document["manifests"].as_array_mut().unwrap() {
        if let Some(annotations) = entry["annotations"].as_object_mut() {
            annotations.remove("io.containerd.image.name");
        }
    }
    user.put("demo/registry/index.json", document.to_string());
    export(&["-o", "x.tar"]).refuses(2, &["name-missing"]).says(&["--as"]);
    user.judging(&["verify", "oci:demo/registry:1.0"]).refuses(2, &["name-missing"]).says(&["--scope"]);
    user.judging(&[
        "verify",
        "oci:demo/registry:1.0",
        "--scope",
        "registry.bulla.example/demo/hello",
        "--crl",
        "demo/crls",
    ])
    .ends(0);
    user.bulla(&["verify", "oci:demo/registry:1.0", "--integrity-only"]).ends(0);
    export(&["-o", "x.tar", "--as", NAME]).ends(0);
}

#[test]
fn platforms() {
    let user = User::with_demo();
    let export = ["export", "oci:demo/registry:1.0", "--as", NAME, "--crl", "demo/crls", "--offline", "-o", "x.tar"];
    let ended = user.bulla(&[&export[..], &["--platform", "plan9/mips"]].concat());
    ended.refuses(2, &["platform-unknown"]).says(&["linux/amd64"]);
    assert!(!user.path("x.tar").exists());
    let import = |platform: &[&str]| {
        user.judging(&[&["import", "demo/hello.bulla.tar", "--to", "docker-archive:x.tar"], platform].concat())
    };
    import(&["--platform", "plan9/mips"]).refuses(2, &["platform-unknown"]);
    assert!(!user.path("x.tar").exists());
}

#[test]
fn evidence() {
    let user = User::with_demo();
    let export = ["export", "oci:demo/registry:1.0", "--as", NAME, "--offline", "-o", "x.tar"];
    let ended = user.bulla(&export).refuses(4, &["evidence-unavailable"]);
    ended.says(&["--crl", "--allow-missing-evidence", "http://", "CN=Bulla Demo"]);
    assert!(user.files().is_empty(), "{:?}", user.files().keys());
    user.bulla(&[&export[..], &["--crl", "nowhere"]].concat()).refuses(4, &["not-found"]);
    user.put("nonsense.crl", "nonsense");
    let ended = user.bulla(&[&export[..], &["--crl", "nonsense.crl"]].concat());
    // A wrong file on the command line is no verdict.
    ended.refuses(2, &["input-unreadable"]).says(&["nonsense.crl"]);
    user.bulla(&[&export[..], &["--allow-missing-evidence"]].concat()).ends(0).says(&["note[evidence-missing]"]);
    user.judging(&["verify", "x.tar"]).ends(5).prints(&["crl-missing", "UNDECIDED"]);
}

#[test]
fn integrity_only_says_that_this_is_all() {
    let user = User::with_demo();
    let ended = user.bulla(&["verify", "demo/hello.bulla.tar", "--integrity-only"]).ends(0);
    let ended = ended.prints(&["integrity: ", "no signature was judged"]);
    assert!(!ended.stdout.contains("TRUSTED"), "{ended:?}");
    let json = user.bulla(&["verify", "demo/hello.bulla.tar", "--integrity-only", "--format", "json"]).ends(0).json();
    assert_eq!(json["verdict"], "not-judged");
    assert_eq!(json["codes"], serde_json::json!(["not-verified"]));
}

#[test]
fn explanations() {
    let user = User::new();
    user.bulla(&["explain", "no-such-code"]).refuses(2, &["usage-invalid"]);
    user.bulla(&["explain", "crl-missing"]).ends(0).prints(&["crl-missing", "distribution point"]);
    let all = user.bulla(&["explain"]).ends(0).stdout;
    for code in bulla::code::DiagnosticCode::ALL {
        assert!(all.contains(&format!("{code}\n    {}", code.explanation())), "{code}");
    }
}

/// Errors of every class, as JSON.
#[test]
fn errors_as_json() {
    let user = User::with_demo();
    user.put("bad.tar", "no archive");
    user.put("policy.json", "{}");
    for (arguments, status, code) in [
        (&["verify", "demo/hello.bulla.tar"][..], 2, "policy-missing"),
        (&["verify", "demo/hello.bulla.tar", "--policy", "policy.json"], 2, "policy-invalid"),
        (&["verify", "missing.tar"], 4, "not-found"),
        (&["verify", "bad.tar"], 3, "archive-truncated"),
        (&["inspect", "bad.tar"], 3, "archive-truncated"),
        (&["inspect", "oci:missing"], 4, "not-found"),
        (&["import", "bad.tar", "--to", "oci:images"], 3, "archive-truncated"),
        (&["import", "demo/hello.bulla.tar", "--to", "./x"], 2, "usage-invalid"),
    ] {
        let ended = user.bulla(&[arguments, &["--format", "json"]].concat()).fails(status, &[code]);
        let document = ended.json();
        conforms("error-v1.schema.json", &document);
        assert_eq!(document["error"]["code"], code);
    }
}
