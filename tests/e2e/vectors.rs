//! What Notation made, judged as Notation judged it (`../shared/vectors/notation`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::cli::User;
use crate::support::content::Content;
use crate::support::http::{File, Server};
use crate::support::registry::{Options, Registry};
use crate::support::tools;

/// The folder beside the repository, wherever in its worktrees this is.
fn folder() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("shared/vectors/notation")).find(|folder| folder.is_dir())
}

struct Case {
    folder: PathBuf,
    facts: Value,
}

impl Case {
    fn text(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The flags that judge as Notation did.
    fn judging(&self) -> Vec<String> {
        let words = ["--trust-store", &self.path("truststore"), "--policy", &self.path("trustpolicy.json")];
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

fn cases() -> Option<Vec<Case>> {
    let mut cases: Vec<_> = fs::read_dir(folder()?)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("case.json").is_file())
        .map(|folder| {
            let facts = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
            Case { folder, facts }
        })
        .collect();
    cases.sort_by(|a, b| a.folder.cmp(&b.folder));
    Some(cases)
}

/// A few minutes after it was made, in the CRLs' and the expiry's time.
fn at(case: &Case) -> String {
    let judged: jiff::Timestamp = case.text("judged_at").parse().unwrap();
    (judged + jiff::SignedDuration::from_mins(4)).to_string()
}

/// The port is named in the certificates. Another run of these tests may hold it for a while.
fn listen() -> Option<Server> {
    (0..60).find_map(|_| {
        let server = Server::start_at(18091);
        if server.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        server
    })
}

#[test]
fn every_vector_gets_the_verdict_that_notation_gave() {
    const TEST: &str = "every_vector_gets_the_verdict_that_notation_gave";
    let Some(cases) = cases() else { return tools::skip_always(TEST, "../shared/vectors is missing") };
    assert!(cases.len() >= 6);
    let Some(server) = listen() else { return tools::skip_always(TEST, "port 18091 is taken") };
    let user = User::new();
    for case in &cases {
        for (url, file) in case.facts["crls"].as_object().unwrap() {
            let name = url.strip_prefix("http://127.0.0.1:18091/").unwrap();
            let bytes = fs::read(case.folder.join("crls").join(file.as_str().unwrap())).unwrap();
            server.put(name, File::Bytes(bytes));
        }
        export(&user, case);
        // The registry's case is fetched while the network is there.
        from_registry(&user, case);
    }
    drop(server);
    for case in &cases {
        judge(&user, case);
    }
}

fn export(user: &User, case: &Case) {
    let layout = format!("oci:{}:v1", case.path("layout"));
    let name = format!("{}:v1", case.text("scope").replace("local/", "local.example/"));
    let bundle = format!("{}.tar", case.text("case"));
    let words = ["export", &layout, "--as", &name, "-o", &bundle];
    user.bulla(&words).ends(0);
    let inspected = user.bulla(&["inspect", &bundle, "--format", "json"]).ends(0);
    assert!(inspected.text().contains(case.text("digest")), "{inspected:?}");
}

/// The same signature out of a registry with the referrers API, with live CRLs: the same verdict.
fn from_registry(user: &User, case: &Case) {
    let registry = Registry::start(Options::default());
    let content = read_layout(&case.folder.join("layout"));
    content.fill(&registry, "vectors", false);
    let target = format!("{}/vectors@{}", registry.host(), case.text("digest"));
    let mut words = vec!["verify".to_owned(), target];
    words.extend(["--scope", "local/vectors", "--at", &at(case)].map(str::to_owned));
    words.extend(case.judging());
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    check(case, user.bulla(&words));
}

fn read_layout(folder: &Path) -> Content {
    let mut content = Content::default();
    for entry in fs::read_dir(folder.join("blobs/sha256")).unwrap() {
        content.blob("", &fs::read(entry.unwrap().path()).unwrap());
    }
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    content.manifests = index["manifests"].as_array().unwrap().clone();
    content
}

fn check(case: &Case, ended: crate::support::cli::Ended) {
    let wanted = i32::try_from(case.facts["notation_exit"].as_i64().unwrap()).unwrap();
    let ended = ended.ends(wanted);
    if wanted != 0 {
        ended.says(wanted, &["certificate-revoked"]);
    }
}

/// Offline: the bundle, and a layout into which it was imported.
fn judge(user: &User, case: &Case) {
    let bundle = format!("{}.tar", case.text("case"));
    let layout = format!("{}.layout", case.text("case"));
    let judging = case.judging();
    let run = |words: &[&str], at: &str| {
        let given = ["--scope", "local/vectors", "--at", at];
        let judging: Vec<_> = judging.iter().map(String::as_str).collect();
        user.offline(&[words, &given[..], &judging[..]].concat())
    };
    check(case, run(&["verify", &bundle], &at(case)));
    let to = format!("oci:{layout}");
    run(&["import", &bundle, "--to", &to, "--allow", "rejected"], &at(case)).ends(0);
    check(case, run(&["verify", &to, "--offline"], &at(case)));
    one_report(user, case, &bundle, &to);
    let source = format!("oci:{}@{}", case.path("layout"), case.text("digest"));
    if case.text("format") == "jws" && case.facts["notation_exit"] == 0 {
        // Notation's own layout carries no CRLs.
        run(&["verify", &source, "--offline"], &at(case)).says(5, &["crl-missing"]);
        let crls = case.path("crls");
        run(&["verify", &source, "--offline", "--crl", &crls], &at(case)).ends(0);
    }
    if case.text("case") == "p256-jws-expiry" {
        run(&["verify", &bundle], "2026-11-21T20:00:00Z").ends(0);
        run(&["verify", &bundle], "2026-11-22T00:00:00Z").says(1, &["signature-expired"]);
        run(&["verify", &bundle, "-m", "commit=deadbeef", "-m", "buildId=101"], "2026-11-21T20:00:00Z").ends(0);
    }
}

/// What a bundle says about itself and no other place can say.
const OF_BUNDLES: [&str; 2] = ["names-are-claims", "clock-behind"];

/// Bundle, layout and registry hold the same, so the reports are the same to the byte, but for where it lay.
fn one_report(user: &User, case: &Case, bundle: &str, layout: &str) {
    let registry = Registry::start(Options::default());
    let mirror = format!("{}/mirror", registry.host());
    let at = at(case);
    let run = |words: &[&str]| {
        let judging = case.judging();
        let judging: Vec<_> = judging.iter().map(String::as_str).collect();
        user.bulla(&[words, &["--scope", "local/vectors", "--at", &at], &judging].concat())
    };
    run(&["import", bundle, "--to", &mirror, "--allow", "rejected"]).ends(0);
    let there = format!("{mirror}/vectors:v1");
    for (format, stripped) in [("json", json_without_source as fn(&str) -> String), ("text", text_without_source)] {
        let report = |place: &str| {
            let ended = run(&["verify", place, "--offline", "--format", format]);
            let report = stripped(&String::from_utf8(ended.stdout.clone()).unwrap());
            assert!(report.lines().count() > 10, "{report}");
            check(case, ended);
            report
        };
        let of_bundle = report(bundle);
        assert_eq!(report(layout), of_bundle, "{layout} {format}");
        assert_eq!(report(&there), of_bundle, "{there} {format}");
    }
}

/// The document without `source`'s two members, the artifact's `reference`, and a bundle's own notices and missing seal.
fn json_without_source(report: &str) -> String {
    let (body, notices) = report.split_once(",\n  \"notices\": [").unwrap_or((report, ""));
    for code in notices.lines().filter_map(|line| line.trim().strip_prefix("\"code\": ")) {
        assert!(OF_BUNDLES.iter().any(|known| code == format!("\"{known}\",")), "{code}");
    }
    let body = match body.split_once("  \"seal\": {\n    \"verdict\": \"absent\",\n") {
        Some((before, rest)) => format!("{before}{}", rest.split_once("\n  },\n").unwrap().1),
        None => body.to_owned(),
    };
    let source = ["    \"kind\": ", "    \"location\": ", "      \"reference\": "];
    let lines = body.trim_end_matches(['\n', '}']).lines();
    let kept: Vec<_> = lines.filter(|line| !source.iter().any(|member| line.starts_with(member))).collect();
    assert_eq!(kept.len() + source.len(), body.trim_end_matches(['\n', '}']).lines().count());
    kept.join("\n")
}

/// The text without the reference in its first line and a bundle's own notices.
fn text_without_source(report: &str) -> String {
    let (first, rest) = report.split_once('\n').unwrap();
    let (verdict, _) = first.split_once("  ").unwrap();
    let notices = OF_BUNDLES.map(|code| format!("note[{code}]: "));
    let of_bundle = |line: &&str| notices.iter().any(|notice| line.starts_with(notice));
    let kept: Vec<_> = rest.lines().filter(|line| !of_bundle(line)).collect();
    format!("{verdict}\n{}\n", kept.join("\n"))
}
