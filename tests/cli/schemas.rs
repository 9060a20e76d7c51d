//! What the program prints as JSON is what the published schemas say, and the schemas say no more than that.

use bulla::code::DiagnosticCode;
use serde_json::{Value, json};

use super::common::{NAME, User, conforms, violations};
use super::forge::{Tar, bundle, nested};

const REPORT: &str = "report-v1.schema.json";
const INSPECTION: &str = "inspection-v1.schema.json";
const RECEIPT: &str = "receipt-v1.schema.json";
const ERROR: &str = "error-v1.schema.json";
const BUNDLE: &str = "bundle-v1.schema.json";

/// The demo's policy, changed.
fn policy(user: &User, change: impl FnOnce(&mut Value)) {
    let mut policy = user.json("demo/config/trustpolicy.json");
    change(&mut policy["trustPolicies"][0]);
    user.put("policy.json", policy.to_string());
}

/// Every code that a document mentions exists.
fn check_codes(document: &Value) {
    let known = |code: &Value| assert!(DiagnosticCode::find(code.as_str().unwrap()).is_some(), "{code}");
    match document {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| *name == "code").for_each(|(_, code)| known(code));
            let lists = members.iter().filter(|(name, _)| *name == "codes");
            lists.flat_map(|(_, codes)| codes.as_array().unwrap()).for_each(known);
            members.values().for_each(check_codes);
        }
        Value::Array(items) => items.iter().for_each(check_codes),
        _ => {}
    }
}

/// A user with bundles that lead to every verdict.
fn user() -> User {
    let user = User::with_demo();
    user.put("unsigned.tar", bundle(&nested(1)));
    let export = ["export", "oci:demo/registry:1.0", "--as", NAME, "--offline", "--allow-missing-evidence", "-o"];
    user.bulla(&[&export[..], &["gaps.tar"]].concat()).ends(0);
    let export = [&export[..], &["part.tar", "--crl", "demo/crls", "--platform", "linux/amd64"]].concat();
    user.bulla(&export).ends(0);
    policy(&user, |statement| {
        statement["signatureVerification"]["level"] = "skip".into();
        let members = statement.as_object_mut().unwrap();
        members.remove("trustStores");
        members.remove("trustedIdentities");
    });
    std::fs::rename(user.path("policy.json"), user.path("skip.json")).unwrap();
    policy(&user, |statement| statement["registryScopes"] = json!(["elsewhere.example/other"]));
    std::fs::rename(user.path("policy.json"), user.path("elsewhere.json")).unwrap();
    policy(&user, |statement| statement["signatureVerification"]["level"] = "audit".into());
    std::fs::rename(user.path("policy.json"), user.path("audit.json")).unwrap();
    user
}

const DEMO: &str = "demo/config/trustpolicy.json";

/// Bundle, policy, other options, exit status, verdict.
type Case = (&'static str, &'static str, &'static [&'static str], i32, &'static str);

const CASES: [Case; 12] = [
    ("demo/hello.bulla.tar", DEMO, &[], 0, "trusted"),
    ("part.tar", DEMO, &[], 0, "trusted"),
    ("demo/revoked.bulla.tar", DEMO, &[], 1, "rejected"),
    ("demo/revoked.bulla.tar", "audit.json", &[], 0, "trusted"),
    ("unsigned.tar", DEMO, &[], 1, "rejected"),
    ("gaps.tar", DEMO, &[], 5, "undecided"),
    ("demo/hello.bulla.tar", "skip.json", &[], 5, "skipped"),
    ("demo/hello.bulla.tar", "elsewhere.json", &[], 1, "rejected"),
    ("demo/hello.bulla.tar", DEMO, &["--at", "2035-01-01T00:00:00Z"], 5, "undecided"),
    ("demo/hello.bulla.tar", DEMO, &["--at", "2020-01-01T00:00:00Z"], 5, "undecided"),
    ("demo/hello.bulla.tar", DEMO, &["--freshness", "max-age=3650d", "-m", "color=red"], 1, "rejected"),
    ("demo/hello.bulla.tar", DEMO, &["--freshness", "at-signing"], 0, "trusted"),
];

#[test]
fn reports() {
    let user = user();
    for (bundle, policy, more, status, verdict) in CASES {
        let arguments = ["verify", bundle, "--trust-store", "demo/config", "--policy", policy, "--format", "json"];
        let ended = user.bulla(&[&arguments[..], more].concat()).ends(status);
        assert!(ended.stderr.is_empty(), "{ended:?}");
        let report = ended.json();
        assert_eq!(report["verdict"], verdict, "{bundle} {policy} {more:?}: {report:#}");
        conforms(REPORT, &report);
        check_codes(&report);
    }
    for bundle in ["demo/hello.bulla.tar", "gaps.tar", "unsigned.tar", "demo/registry"] {
        let report = user.bulla(&["verify", bundle, "--integrity-only", "--format", "json"]).ends(0).json();
        assert_eq!(report["verdict"], "not-judged");
        conforms(REPORT, &report);
        check_codes(&report);
    }
    let layout = ["verify", "demo/registry", "--format", "json", "--crl", "demo/crls"];
    conforms(REPORT, &user.judging(&layout).ends(0).json());
}

#[test]
fn inspections() {
    let user = user();
    for target in
        ["demo/hello.bulla.tar", "part.tar", "gaps.tar", "unsigned.tar", "demo/registry", "demo/isolated/images"]
    {
        let inspection = user.bulla(&["inspect", target, "--format", "json"]).ends(0).json();
        conforms(INSPECTION, &inspection);
        check_codes(&inspection);
    }
}

#[test]
fn receipts() {
    let user = user();
    for (place, (bundle, policy, more, status, verdict)) in CASES.into_iter().enumerate() {
        let (to, file) = (format!("oci:images{place}"), format!("receipt{place}.json"));
        let arguments = ["import", bundle, "--to", &to, "--trust-store", "demo/config", "--policy", policy];
        let arguments = [&arguments[..], &["--format", "json", "--receipt", &file], more].concat();
        let refused = user.bulla(&arguments).ends(status);
        let receipt = refused.json();
        assert_eq!(receipt, user.json(&file), "the file is what was printed");
        conforms(RECEIPT, &receipt);
        check_codes(&receipt);
        if verdict == "trusted" {
            assert_eq!(receipt["imported"][0]["verdict"], "trusted");
            continue;
        }
        assert!(refused.stderr.contains("error[artifact-not-trusted]"), "{refused:?}");
        assert_eq!(receipt["refused"][0]["verdict"], verdict);
        assert!(!user.path(&format!("images{place}")).exists(), "something was imported");
        let receipt = user.bulla(&[&arguments[..], &["--allow", "unsigned,rejected,skipped"]].concat()).ends(0).json();
        assert_eq!(receipt["imported"][0]["verdict"], verdict);
        assert!(receipt["imported"][0]["allowed"].is_string(), "{receipt:#}");
        conforms(RECEIPT, &receipt);
    }
}

#[test]
fn inventories() {
    let user = user();
    for bundle in ["demo/hello.bulla.tar", "demo/revoked.bulla.tar", "part.tar", "gaps.tar", "unsigned.tar"] {
        conforms(BUNDLE, &Tar::parse(&user.get(bundle)).inventory());
    }
}

/// A schema that takes anything proves nothing: each refuses members that it does not know, everywhere.
#[test]
fn schemas_are_closed() {
    let user = user();
    let report = user.judging(&["verify", "demo/revoked.bulla.tar", "--format", "json"]).json();
    let inspection = user.bulla(&["inspect", "part.tar", "--format", "json"]).json();
    let receipt =
        user.judging(&["import", "demo/hello.bulla.tar", "--to", "oci:images", "--format", "json"]).ends(0).json();
    let error = user.bulla(&["verify", "missing.tar", "--format", "json"]).json();
    let inventory = Tar::parse(&user.get("part.tar")).inventory();
    for (schema, document) in
        [(REPORT, report), (INSPECTION, inspection), (RECEIPT, receipt), (ERROR, error), (BUNDLE, inventory)]
    {
        conforms(schema, &document);
        let mut pointers = Vec::new();
        objects(&document, "", &mut pointers);
        for pointer in pointers {
            let mut changed = document.clone();
            changed.pointer_mut(&pointer).unwrap()["surprise"] = true.into();
            assert!(!violations(schema, &changed).is_empty(), "{schema} takes an unknown member at {pointer:?}");
        }
        for name in ["verdict", "schemaVersion"] {
            if document.get(name).is_some() {
                let mut changed = document.clone();
                changed[name] = "splendid".into();
                assert!(!violations(schema, &changed).is_empty(), "{schema} takes any {name}");
            }
        }
    }
}

/// Where a document has objects with fixed members; maps from text to text are open by nature.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            for (name, member) in members.iter().filter(|(name, _)| *name != "userMetadata" && *name != "annotations") {
                objects(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| objects(item, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}
