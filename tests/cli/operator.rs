//! What a tired operator sees: reports that say in one reading what was found, what was relaxed and by whom, and errors that
//! say which file they are about and what to do.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::{Ended, NAME, User, conforms, contents};

const BUNDLE: &str = "demo/hello.bulla.tar";
const REVOKED: &str = "demo/revoked.bulla.tar";

/// Writes the demo's policy with another level.
fn level(user: &User, level: &str) {
    let mut policy = user.json("demo/config/trustpolicy.json");
    policy["trustPolicies"][0]["signatureVerification"]["level"] = level.into();
    user.put("policy.json", policy.to_string());
}

fn under(user: &User, policy: &str, arguments: &[&str]) -> Ended {
    user.bulla(&[arguments, &["--trust-store", "demo/config", "--policy", policy, "--offline"]].concat())
}

/// Conformance 8.02: audit logs a revocation. That must not pass for a signer in good standing.
#[test]
fn what_the_policy_only_logs_is_told_before_any_detail() {
    let user = User::with_demo();
    level(&user, "audit");
    let text = under(&user, "policy.json", &["verify", REVOKED]).ends(0).stdout;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("TRUSTED  {NAME}").as_str()), "{text}");
    let second = lines.next().unwrap();
    assert!(second.starts_with("  not enforced certificate-revoked: "), "{text}");
    assert!(second.ends_with("(the policy only logs revocation)"), "{text}");
    assert!(text.contains("\nnote[not-enforced]: the artifact: trusted although"), "{text}");

    let report = under(&user, "policy.json", &["verify", REVOKED, "--format", "json"]).ends(0).json();
    conforms("report-v1.schema.json", &report);
    assert_eq!(report["artifacts"][0]["notEnforced"], json!(["certificate-revoked"]), "{report:#}");
    assert!(report["notices"].as_array().unwrap().iter().any(|notice| notice["code"] == "not-enforced"), "{report:#}");

    let import = ["import", REVOKED, "--to", "oci:images", "--receipt", "receipt.json"];
    let text = under(&user, "policy.json", &import).ends(0).stdout;
    assert!(text.contains("(trusted; not enforced by the policy: certificate-revoked)"), "{text}");
    let receipt = user.json("receipt.json");
    conforms("receipt-v1.schema.json", &receipt);
    let imported = &receipt["imported"][0];
    assert_eq!((&imported["verdict"], &imported["level"]), (&json!("trusted"), &json!("audit")), "{receipt:#}");
    assert_eq!(imported["notEnforced"], json!(["certificate-revoked"]), "{receipt:#}");

    // Where everything that is looked at holds, there is nothing to say.
    for policy in ["policy.json", "demo/config/trustpolicy.json"] {
        let text = under(&user, policy, &["verify", BUNDLE]).ends(0).stdout;
        assert!(!text.contains("enforced"), "{text}");
        let report = under(&user, policy, &["verify", BUNDLE, "--format", "json"]).ends(0).json();
        assert_eq!(report["artifacts"][0].get("notEnforced"), None, "{report:#}");
    }
}

#[test]
fn years_later_nothing_stale_is_called_current() {
    let user = User::with_demo();
    let later = "2099-01-02T03:04:05Z";
    let rule = ["--freshness", "at-signing"];
    let text = user.judging(&[&["verify", BUNDLE, "--at", later], &rule[..]].concat()).ends(0).stdout;
    assert!(text.contains(", NOT CURRENT since 2") && !text.contains("current until"), "{text}");
    assert!(text.contains("; the freshness rule at-signing lets it count"), "{text}");
    // What only the timestamp holds up is named: signer, authority, and both roots.
    let stamped = text.lines().find(|line| line.trim_start().starts_with("timestamp    ok: stamped on ")).unwrap();
    let (_, expired) = stamped.split_once("; expired since then: ").unwrap();
    assert!(expired.matches("\" on 20").count() >= 4, "{expired}");
    let text = user.judging(&[&["verify", BUNDLE], &rule[..]].concat()).ends(0).stdout;
    assert!(text.contains(", current until 2") && !text.contains("expired since"), "{text}");
    let long = ["verify", BUNDLE, "--at", later, "--freshness", "max-age=36500d"];
    let text = user.judging(&long).ends(0).stdout;
    assert!(text.contains("; the freshness rule max-age=36500 d lets it count"), "{text}");
    // Evidence from the future is not "0 s before" anything.
    let text = user.judging(&["verify", BUNDLE, "--at", "2001-01-01T00:00:00Z"]).ends(5).stdout;
    assert!(text.contains(" AFTER the verification time"), "{text}");
}

#[test]
fn one_chain_is_not_two() {
    let user = User::with_demo();
    let mut policy = user.json("demo/config/trustpolicy.json");
    policy["trustPolicies"][0]["trustStores"]
        .as_array_mut()
        .unwrap()
        .retain(|store| !store.to_string().contains("tsa:"));
    user.put("policy.json", policy.to_string());
    let text = under(&user, "policy.json", &["verify", BUNDLE]).ends(0).stdout;
    assert!(text.contains(" certificate is on no CRL\n") || text.contains(" certificates are on no CRL\n"), "{text}");
    assert!(!text.contains("both chains"), "{text}");
    let text = user.judging(&["verify", BUNDLE]).ends(0).stdout;
    assert!(text.contains(" certificates of both chains are on no CRL\n"), "{text}");
}

#[test]
fn the_place_in_a_series_is_told_and_who_vouches_for_it() {
    let user = User::with_demo();
    let export = ["export", BUNDLE, "--offline", "-o", "second.tar", "--stream", "weekly", "--sequence", "1"];
    user.bulla(&export).ends(0);
    let text = user.judging(&["verify", "second.tar"]).ends(0).stdout;
    assert!(text.contains("\nnumber 1 of the stream weekly (a claim of its carrier)\n"), "{text}");
    let report = user.judging(&["verify", "second.tar", "--format", "json"]).ends(0).json();
    conforms("report-v1.schema.json", &report);
    assert_eq!(report["seal"]["stream"], json!({"name": "weekly", "sequence": 1}), "{report:#}");
    let import = ["import", "second.tar", "--to", "oci:images", "--format", "json"];
    let receipt = user.judging(&import).ends(0).json();
    conforms("receipt-v1.schema.json", &receipt);
    assert_eq!(receipt["seal"]["stream"]["name"], "weekly", "{receipt:#}");
    let text = user.bulla(&["verify", "second.tar", "--integrity-only"]).ends(0).stdout;
    assert!(text.contains("number 1 of the stream weekly (a claim of its carrier)"), "{text}");
}

/// Whoever does not know the signer may be looking at a forgery.
#[test]
fn an_unknown_root_is_no_invitation_to_trust_it() {
    let user = User::with_demo();
    trust_stores_of(&User::with_demo(), &user);
    let trust = ["--trust-store", "other", "--policy", "demo/config/trustpolicy.json"];
    let text = user.bulla(&[&["verify", BUNDLE], &trust[..]].concat()).ends(1).stdout;
    let why = text.lines().find(|line| line.contains("chain-untrusted")).unwrap();
    assert!(why.contains("which ends at \"CN="), "{why}");
    assert!(text.contains("hint: a forgery looks like this too"), "{text}");
}

/// Gives `user` the trust stores of somebody else, in the folder `other`.
fn trust_stores_of(somebody: &User, user: &User) {
    let folder = somebody.path("demo/config");
    for (path, bytes) in contents(&folder) {
        if path.is_file() {
            user.put(&format!("other/{}", path.strip_prefix(&folder).unwrap().display()), bytes);
        }
    }
}

#[test]
fn errors_say_which_file_and_never_a_temporary_one() {
    let user = User::with_demo();
    user.put("damaged.tar", [7; 4096]);
    let export = ["export", BUNDLE, "damaged.tar", "--offline", "-o", "x.tar"];
    user.bulla(&export).refuses(3, &["archive-malformed"]).says(&["error[archive-malformed]: damaged.tar: "]);
    let mut piped = user.command(&["verify", "-"]);
    Ended::of(&["verify", "-"], piped.write_stdin([7; 4096].as_slice()))
        .refuses(3, &["stream-not-a-bundle", "archive-malformed"])
        .says(&["standard input: "]);
    let missing = user.bulla(&["verify", "demo/registry:9.9"]).refuses(4, &["not-found"]);
    missing.says(&["error[not-found]: demo/registry: there is nothing under 9.9"]);
    for arguments in [
        &["export", BUNDLE, "--offline", "-o", "nowhere/x.tar"][..],
        &["import", BUNDLE, "--to", "oci:images", "--receipt", "nowhere/receipt.json"],
        &["import", BUNDLE, "--to", "docker-archive:nowhere/x.tar", "--platform", "linux/amd64"],
    ] {
        let judged = arguments[0] == "import";
        let ended = if judged { user.judging(arguments) } else { user.bulla(arguments) };
        let ended = ended.refuses(4, &["not-found"]).says(&["nowhere/", "the folder around it"]);
        assert!(!ended.stderr.contains("partial") && !ended.stderr.contains(" at path "), "{ended:?}");
    }
    assert!(!user.path("images").exists());
    let ended = user.bulla(&["cert", "verify", "damaged.tar"]).refuses(2, &["input-unreadable"]);
    ended.says(&["error[input-unreadable]: damaged.tar: "]);
    user.bulla(&["cert", "crl", "show", "demo"]).refuses(2, &["input-unreadable"]).says(&["a file is wanted"]);
    user.bulla(&["verify", "demo/config"]).refuses(3, &["layout-invalid"]).says(&["a bundle is named by its file"]);
    user.bulla(&["verify", "/dev/zero"]).refuses(3, &["archive-malformed"]).says(&["read from standard input"]);
}

/// A hint about platforms is for those who have to choose one.
#[test]
fn hints_fit_their_errors() {
    let user = User::with_demo();
    let import = ["import", BUNDLE, "--to", "docker-archive:x.tar"];
    let several = user.judging(&import).refuses(2, &["platform-unknown"]);
    several.says(&["linux/amd64", "hint: --platform chooses"]);
    let ended = user.bulla(&["export", BUNDLE, "--offline", "-o", "demo"]).refuses(2, &["destination-unsupported"]);
    assert!(!ended.stderr.contains("--platform"), "{ended:?}");
    // One name for two things, before and after there is something of that name.
    let both = ["import", BUNDLE, "--to", "oci:images", "--receipt", "./images"];
    user.judging(&both).refuses(2, &["usage-invalid"]);
    assert!(!user.path("images").exists());
    fs::create_dir(user.path("images")).unwrap();
    user.judging(&both).refuses(2, &["usage-invalid"]);
    let refused = user.judging(&["import", REVOKED, "--to", "oci:more"]).ends(1);
    let refused =
        refused.prints(&["(rejected: certificate-revoked)"]).says(&["--allow rejected lets it in all the same"]);
    assert!(!refused.stderr.contains("unsigned") && !refused.stderr.contains("skipped"), "{refused:?}");
}

#[test]
fn a_file_is_in_no_bundle_and_has_a_name_of_bytes() {
    let user = User::new();
    user.bulla(&["cert", "generate-test", "--default", "acme"]).ends(0);
    let name = OsStr::from_bytes(b"b\xff.bin");
    fs::write(user.folder().join(name), "content").unwrap();
    let signed = user.command(&["blob", "sign"]).arg(name).output().unwrap();
    assert!(signed.status.success(), "{signed:?}");
    let beside = user.folder().join(OsStr::from_bytes(b"b\xff.bin.jws.sig"));
    assert!(beside.is_file(), "{:?}", user.files().keys());

    user.put("file", "content");
    user.bulla(&["blob", "sign", "file"]).ends(0);
    let init = ["blob", "policy", "init", "-n", "p", "--global", "--trust-store", "ca:acme", "--trusted-identity", "*"];
    user.bulla(&init).ends(0);
    let verify = |more: &[&str]| user.bulla(&[&["blob", "verify", "-s", "file.jws.sig", "file"], more].concat());
    verify(&[]).ends(0).prints(&["Successfully verified", "  signed     "]);
    // A check that was asked for is not passed over.
    for seal in [&["--require-seal"][..], &["--ignore-seal"], &["--seal-scope", "host/repo"]] {
        verify(seal).refuses(2, &["usage-invalid"]).says(&["about bundles"]);
    }
    user.put("file", "other");
    let ended = verify(&[]).fails(1, &["target-mismatch"]);
    assert!(!ended.stderr.contains("[target-mismatch]\n"), "{ended:?}");
    let asked = user.bulla(&["blob", "sign", "file"]).ends(0).says(&["no answer, so nothing was done"]);
    assert!(!asked.stdout.contains("Successfully"), "{asked:?}");
}

#[test]
fn what_is_exported_again_has_lost_its_seal_and_that_is_told() {
    let user = User::with_demo();
    user.bulla(&["cert", "generate-test", "--default", "acme"]).ends(0);
    let seal = ["export", BUNDLE, "--offline", "-o", "sealed.tar", "--seal", "acme"];
    let ended = user.bulla(&seal).ends(0);
    assert!(!ended.stderr.contains("note: "), "{ended:?}");
    let again = ["export", "sealed.tar", "--offline", "-o", "again.tar"];
    user.bulla(&again).ends(0).says(&["note: sealed.tar is sealed", "the new one is not sealed"]);
}

/// Ctrl-C reaches both ends of a pipe: that the sender is gone is not what the operator has to be told.
#[test]
fn an_interruption_is_called_one() {
    let user = User::with_demo();
    let bytes = user.get(BUNDLE);
    let judging = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_bulla"))
        .args(["verify", "-"])
        .args(judging)
        .current_dir(user.folder())
        .env("HOME", user.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..bytes.len() - 1024]).unwrap();
    // The handler is set once the head was read.
    let status = format!("/proc/{}/status", child.id());
    let deadline = Instant::now() + Duration::from_secs(60);
    let caught = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap_or(0) & 2 != 0
    };
    while !caught() {
        assert!(Instant::now() < deadline, "no handler was set");
        sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "{sent}");
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.status.signal()), (Some(4), None), "{said}");
    assert!(said.contains("error[interrupted]: ") && said.contains("hint: run the same command again"), "{said}");
}

#[test]
fn help_is_complete() {
    let user = User::new();
    let help = |words: &[&str]| user.bulla(&[words, &["--help"]].concat()).ends(0).stdout;
    let common = help(&[]);
    for word in ["Exit status: 0 done or trusted", "NOTATION_CONFIG", "SOURCE_DATE_EPOCH", "SSL_CERT_FILE"] {
        assert!(common.contains(word), "{word}: {common}");
    }
    for words in [
        &["export"][..],
        &["verify"],
        &["inspect"],
        &["list"],
        &["sign"],
        &["timestamp", "add"],
        &["evidence", "export"],
    ] {
        // Words may be broken over lines.
        let text: Vec<String> = help(words).split_whitespace().map(str::to_owned).collect();
        assert!(text.join(" ").contains("host/repo[:tag][@digest], oci:DIR[:tag|@digest]"), "{words:?}: {text:?}");
    }
    let blob = help(&["blob", "verify"]);
    assert!(blob.contains("trustpolicy.blob.json") && !blob.contains("trustpolicy.oci.json"), "{blob}");
    assert!(!blob.contains("seal") && !blob.contains("bundle"), "{blob}");
}

/// Nothing is printed with a value that a schema would refuse.
#[test]
fn notices_have_known_codes() {
    let user = User::with_demo();
    level(&user, "permissive");
    let report = under(&user, "policy.json", &["verify", REVOKED, "--format", "json"]).ends(0).json();
    let codes: Vec<&Value> = report["notices"].as_array().unwrap().iter().map(|notice| &notice["code"]).collect();
    for code in codes {
        user.bulla(&["explain", code.as_str().unwrap()]).ends(0);
    }
}

/// Conformance 8.18: without a tsa store in the statement, a timestamp says nothing. An archivist cannot guess that.
#[test]
fn an_expired_certificate_names_the_way_out() {
    let user = User::with_demo();
    let mut policy = user.json("demo/config/trustpolicy.json");
    policy["trustPolicies"][0]["trustStores"]
        .as_array_mut()
        .unwrap()
        .retain(|store| !store.to_string().contains("tsa:"));
    user.put("policy.json", policy.to_string());
    let text = under(&user, "policy.json", &["verify", BUNDLE, "--at", "2099-01-02T03:04:05Z"]).ends(1).stdout;
    assert!(text.contains("  why          certificate-expired: "), "{text}");
    assert!(
        text.contains("hint: the signature carries a timestamp; it counts where the policy's statement names a tsa"),
        "{text}"
    );
    let text = user.judging(&["verify", BUNDLE, "--at", "2099-01-02T03:04:05Z"]).ends(5).stdout;
    assert!(text.contains("crl-expired") && text.contains("--freshness at-signing"), "{text}");
}

/// An override may say skip for revocation alone (conformance 7.14): nobody looked, which is no better than a log entry.
#[test]
fn a_check_that_is_skipped_is_told_too() {
    let user = User::with_demo();
    let mut policy = user.json("demo/config/trustpolicy.json");
    policy["trustPolicies"][0]["signatureVerification"]["override"] = json!({"revocation": "skip"});
    user.put("policy.json", policy.to_string());
    let text = under(&user, "policy.json", &["verify", REVOKED]).ends(0).stdout;
    let second = text.lines().nth(1).unwrap();
    assert_eq!(second, "  not enforced check-skipped: the policy says skip for revocation", "{text}");
    let report = under(&user, "policy.json", &["verify", REVOKED, "--format", "json"]).ends(0).json();
    assert_eq!(report["artifacts"][0]["notEnforced"], json!(["check-skipped"]), "{report:#}");
}

/// Whoever writes a layout chooses the names, and with them the statements of the policy that judge.
#[test]
fn names_in_a_layout_are_claims() {
    let user = User::with_demo();
    let layout = "demo/isolated/images";
    let text = user.judging(&["verify", layout]).ends(0).stdout;
    assert!(text.contains("note[names-are-claims]: nothing vouches for names in a layout"), "{text}");
    let (repository, _) = NAME.rsplit_once(':').unwrap();
    let text = user.judging(&["verify", layout, "--scope", repository]).ends(0).stdout;
    assert!(!text.contains("names-are-claims"), "{text}");
}

/// What was not read has no digest that anybody compared: standard output and JSON must say so too.
#[test]
fn a_pipe_that_is_refused_early_claims_no_integrity_of_its_layers() {
    let user = User::with_demo();
    let bytes = user.get(REVOKED);
    let piped = |more: &[&str]| {
        let trust = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json"];
        let arguments = [more, &trust[..]].concat();
        Ended::of(&arguments, user.command(&arguments).write_stdin(bytes.clone())).ends(1)
    };
    for arguments in [&["verify", "-"][..], &["import", "-", "--to", "oci:images"]] {
        let text = piped(arguments).stdout;
        assert!(!text.contains("every byte") && text.contains("NOTHING ELSE was read"), "{text}");
        assert!(text.contains("note[content-not-read]: "), "{text}");
    }
    let report = piped(&["verify", "-", "--format", "json"]).json();
    conforms("report-v1.schema.json", &report);
    assert!(
        report["notices"].as_array().unwrap().iter().any(|notice| notice["code"] == "content-not-read"),
        "{report:#}"
    );
    let text = user.judging(&["verify", REVOKED]).ends(1).stdout;
    assert!(text.contains(": every byte is what its digest says") && !text.contains("not-read"), "{text}");
}

#[test]
fn an_inspection_says_that_there_is_no_signature() {
    let user = User::with_demo();
    user.put("unsigned.tar", super::forge::bundle(&super::forge::nested(1)));
    user.bulla(&["inspect", "unsigned.tar"]).ends(0).prints(&["\n    no signature refers to it\n"]);
    let text = user.bulla(&["inspect", BUNDLE]).ends(0).stdout;
    assert!(!text.contains("no signature"), "{text}");
}
