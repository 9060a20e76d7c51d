//! Tools of the machine: whether they are there, and Debian's `docker-registry`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Whether all these tools are on the PATH; see [`crate::skip::unless`].
pub fn there(test: &str, tools: &[&str]) -> bool {
    crate::skip::unless(test, tools)
}

/// Says that a test, or a part of one, does not run.
pub fn skip(test: &str, why: &str) {
    crate::skip::tool(format_args!("{test}: {why}"));
}

/// Says so where what is missing cannot be installed by `.ci/run`: a privilege of the sandbox, files beside the
/// repository.
pub fn skip_always(test: &str, why: &str) {
    crate::skip::always(format_args!("{test}: {why}"));
}

/// Runs a tool; its output, whatever became of it.
pub fn run(tool: &str, arguments: &[&str], folder: &Path) -> Output {
    Command::new(tool).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// Runs a tool that must succeed; what it prints.
#[track_caller]
pub fn must(tool: &str, arguments: &[&str], folder: &Path) -> String {
    let output = run(tool, arguments, folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How to start a program in a network namespace without interfaces, if the sandbox allows it.
pub fn without_network() -> Option<Vec<String>> {
    for words in [vec!["unshare", "-n"], vec!["unshare", "-r", "-n"]] {
        let allowed = Command::new(words[0]).args(&words[1..]).arg("true").stderr(Stdio::null()).status();
        if allowed.is_ok_and(|status| status.success()) {
            return Some(words.into_iter().map(str::to_owned).collect());
        }
    }
    None
}

/// Debian's registry: OCI distribution 1.0, no referrers API.
pub struct DockerRegistry {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl DockerRegistry {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// Starts one with more in its configuration, which may name files that are put into the folder.
    pub fn start_with(more: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let more = more(folder.path());
        // Between finding a free port and listening somebody else may take it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(child) = Self::listen(folder.path(), port, &more) {
                return Self { child, port, _folder: folder };
            }
        }
        panic!("docker-registry does not listen");
    }

    fn listen(folder: &Path, port: u16, more: &str) -> Option<Child> {
        let config = folder.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
            folder.join("data").display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() && child.try_wait().unwrap().is_none() {
                return Some(child);
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(25));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    /// `localhost:PORT`
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
