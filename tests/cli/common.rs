//! A user of the program: a home, a scratch directory, an otherwise empty environment, and the demo's example to work
//! with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No input may keep the program busy for longer than this; real runs take milliseconds.
const MOST_TIME: Duration = Duration::from_secs(60);
/// Address space in KiB: hostile input must not make the program ask for more.
const MOST_MEMORY: u32 = 1 << 20;

/// The name of the demo's image.
pub const NAME: &str = "registry.bulla.example/demo/hello:1.0";

pub struct User {
    home: TempDir,
}

impl User {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["work", "home", "tmp"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        Self { home }
    }

    /// A user who has the demo's files in `demo`.
    pub fn with_demo() -> Self {
        let user = Self::new();
        user.bulla(&["demo", "demo"]).ends(0);
        user
    }

    /// The directory in which the program runs.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("work")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The user's `HOME`.
    pub fn home(&self) -> PathBuf {
        self.home.path().join("home")
    }

    /// The user's `TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.get(name)).unwrap()
    }

    /// The program in this user's environment, within bounds of time and memory.
    pub fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        let script = format!("ulimit -v {MOST_MEMORY} && exec \"$0\" \"$@\"");
        let mut command = assert_cmd::Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_bulla")]).args(arguments).current_dir(self.folder());
        command.env_clear().env("HOME", self.home()).env("TMPDIR", self.temporary()).timeout(MOST_TIME);
        command
    }

    pub fn bulla(&self, arguments: &[&str]) -> Ended {
        Ended::of(arguments, &mut self.command(arguments))
    }

    /// Runs a command that judges, under the demo's trust store and policy.
    pub fn judging(&self, arguments: &[&str]) -> Ended {
        let trust = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json", "--offline"];
        self.bulla(&[arguments, &trust].concat())
    }

    /// Removes a layout that names nothing, if there is one. `false` if it names something.
    pub fn withdraw_nameless(&self, layout: &str) -> bool {
        if !self.path(layout).exists() {
            return true;
        }
        let nameless = self.json(&format!("{layout}/index.json"))["manifests"].as_array().unwrap().is_empty();
        let temporary =
            contents(&self.path(layout)).into_keys().any(|path| path.to_string_lossy().contains(".bulla-tmp"));
        fs::remove_dir_all(self.path(layout)).unwrap();
        nameless && !temporary
    }

    /// Everything in the scratch directory but `demo`, and in `TMPDIR`, with what the files hold.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = contents(&self.folder());
        files.retain(|path, _| !path.starts_with(self.path("demo")));
        files.extend(contents(&self.temporary()));
        files
    }
}

/// Every file, link and folder below `folder`; what is no file has no content.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(contents(&entry.path()));
        }
        found.insert(entry.path(), if kind.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() });
    }
    found
}

/// How a command ended.
pub struct Ended {
    command: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(arguments: &[&str], command: &mut assert_cmd::Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let ended = Self {
            command: arguments.join(" "),
            status: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("internal-error"), "{ended:?}");
        ended
    }

    /// It ended with this status.
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It ended with this status, one of these codes and a hint, and printed nothing that could be taken for a result.
    #[track_caller]
    pub fn refuses(self, status: i32, codes: &[&str]) -> Self {
        let ended = self.fails(status, codes);
        assert!(ended.stderr.contains("\nhint: "), "no hint: {ended:?}");
        ended
    }

    /// As [`Ended::refuses`], where there is nothing to advise.
    #[track_caller]
    pub fn fails(self, status: i32, codes: &[&str]) -> Self {
        let ended = self.ends(status);
        assert!(codes.iter().any(|code| ended.stderr.contains(&format!("error[{code}]: "))), "{codes:?}: {ended:?}");
        assert!(ended.stdout.is_empty() || ended.stdout.starts_with("{\n  \"schemaVersion\""), "{ended:?}");
        ended
    }

    /// It said this on standard error.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in {self:?}");
        }
        self
    }

    /// It printed this on standard output.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "no {text:?} in {self:?}");
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bulla {}\nstatus {}\n{}\n{}", self.command, self.status, self.stdout, self.stderr)
    }
}

/// Whether a tool is on the PATH; see [`crate::skip::unless`].
pub fn there(test: &str, tool: &str) -> bool {
    crate::skip::unless(test, &[tool])
}

/// Judges a document by a schema of `schemas/`.
#[track_caller]
pub fn conforms(schema: &str, document: &Value) {
    let wrong = violations(schema, document);
    assert!(wrong.is_empty(), "{schema}: {wrong:#?}\n{document:#}");
}

/// What a schema has against a document.
pub fn violations(schema: &str, document: &Value) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(schema);
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
