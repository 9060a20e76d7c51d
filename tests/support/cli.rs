//! The built program, as a user would run it: with an empty environment and a home of its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::tools;

/// A user: a home with Notation's directories in it, and a scratch directory.
pub struct User {
    home: TempDir,
}

impl User {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("work")).unwrap();
        Self { home }
    }

    /// The directory in which the program runs.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("work")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn notation(&self) -> PathBuf {
        self.home.path().join(".config/notation")
    }

    /// Puts a certificate in a trust store, `ca/NAME` or `tsa/NAME`.
    pub fn trusts(&self, store: &str, pem: &str) {
        let folder = self.notation().join("truststore/x509").join(store);
        fs::create_dir_all(&folder).unwrap();
        let count = fs::read_dir(&folder).unwrap().count();
        fs::write(folder.join(format!("{count}.pem")), pem).unwrap();
    }

    /// Writes the trust policy.
    pub fn policy(&self, statements: &[Value]) {
        fs::create_dir_all(self.notation()).unwrap();
        let document = json!({"version": "1.0", "trustPolicies": statements});
        fs::write(self.notation().join("trustpolicy.json"), document.to_string()).unwrap();
    }

    /// As `docker login` would leave it.
    pub fn logs_in(&self, host: &str, user: &str, password: &str) {
        let folder = self.home.path().join(".docker");
        fs::create_dir_all(&folder).unwrap();
        let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
        fs::write(folder.join("config.json"), json!({"auths": {host: {"auth": auth}}}).to_string()).unwrap();
    }

    fn command(&self, before: &[String], arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_bulla").to_owned();
        let mut words = before.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments).current_dir(self.folder()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.home.path());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs `bulla`.
    pub fn bulla(&self, arguments: &[&str]) -> Ended {
        Ended::new(arguments, self.command(&[], arguments).output().unwrap())
    }

    /// Runs `bulla` with more in its environment, and with this on standard input.
    pub fn bulla_given(&self, variables: &[(&str, &str)], input: &str, arguments: &[&str]) -> Ended {
        let mut command = self.command(&[], arguments);
        let mut child = command
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who asks for nothing closes its end, which is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::new(arguments, child.wait_with_output().unwrap())
    }

    /// Runs `bulla` with a file or pipe as its standard input.
    pub fn bulla_from(&self, input: Stdio, arguments: &[&str]) -> Ended {
        Ended::new(arguments, self.command(&[], arguments).stdin(input).output().unwrap())
    }

    /// The user's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `bulla` with the time that a new bundle bears.
    pub fn bulla_dated(&self, seconds: i64, arguments: &[&str]) -> Ended {
        let mut command = self.command(&[], arguments);
        Ended::new(arguments, command.env("SOURCE_DATE_EPOCH", seconds.to_string()).output().unwrap())
    }

    /// Runs `bulla` where there is no network at all, if the sandbox allows that; otherwise without that proof.
    pub fn offline(&self, arguments: &[&str]) -> Ended {
        let before = tools::without_network().unwrap_or_else(|| {
            tools::skip_always("the network namespace", "unshare -n is not allowed here");
            Vec::new()
        });
        Ended::new(arguments, self.command(&before, arguments).output().unwrap())
    }

    /// Starts `bulla`.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.start_with(&[], arguments)
    }

    /// Starts `bulla` with more in its environment.
    pub fn start_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Child {
        let mut command = self.command(&[], arguments);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Writes a CRL or another file into the scratch directory; its path.
    pub fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// A JSON document in the scratch directory; a receipt must follow its schema.
    #[track_caller]
    pub fn json(&self, name: &str) -> Value {
        let document: Value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        if document.get("imported").is_some() {
            follows_its_schema(&document);
        }
        document
    }

    /// The names in the scratch directory, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        names(&self.folder())
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A statement of a trust policy that trusts the stores `ca/e2e` and, if asked, `tsa/e2e`.
pub fn statement(scope: &str, level: &str, with_tsa: bool) -> Value {
    let stores = if with_tsa { json!(["ca:e2e", "tsa:e2e"]) } else { json!(["ca:e2e"]) };
    json!({
        "name": format!("{level}-{}", scope.len()), "registryScopes": [scope],
        "signatureVerification": {"level": level}, "trustStores": stores, "trustedIdentities": ["*"],
    })
}

/// Checks one of bulla's documents, whichever it is, against the published schema.
#[track_caller]
fn follows_its_schema(document: &Value) {
    let has = |member: &str| document.get(member).is_some();
    let schema = match document {
        _ if has("error") => include_str!("../../schemas/error-v1.schema.json"),
        _ if has("imported") => include_str!("../../schemas/receipt-v1.schema.json"),
        _ if has("verdict") => include_str!("../../schemas/report-v1.schema.json"),
        _ => include_str!("../../schemas/inspection-v1.schema.json"),
    };
    let validator = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// How a command ended.
pub struct Ended {
    command: String,
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ended {
    fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            command: arguments.join(" "),
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The document on standard output, which must follow its published schema.
    #[track_caller]
    pub fn json(&self) -> Value {
        let document = serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        follows_its_schema(&document);
        document
    }

    /// It ended with this status.
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It ended with this status and said this, in either stream.
    #[track_caller]
    pub fn says(self, status: i32, texts: &[&str]) -> Self {
        let ended = self.ends(status);
        for text in texts {
            assert!(ended.stderr.contains(text) || ended.text().contains(text), "no {text:?} in {ended:?}");
        }
        ended
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bulla {}\nstatus {}\n{}\n{}", self.command, self.status, self.text(), self.stderr)
    }
}
