//! Docker's credential helpers: a program `docker-credential-NAME` that is asked for a host on standard input.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{SECRET_VARIABLES, program};
use crate::digest::shorten;
use crate::http::{Credential, CredentialError, Secret};
use crate::json;

/// More than any credential; tokens of cloud providers have a few kilobytes.
const MOST_OUTPUT: u64 = 256 * 1024;

/// How helpers are found and how long they may take.
#[derive(Debug, Clone)]
pub(super) struct Helpers {
    /// Where they lie; along the `PATH` if not given.
    pub(super) folder: Option<PathBuf>,
    /// How long one may take.
    pub(super) timeout: Duration,
}

impl Default for Helpers {
    fn default() -> Self {
        Self { folder: None, timeout: Duration::from_secs(60) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    username: String,
    secret: String,
}

/// What a helper is given to keep.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    #[serde(rename = "Username")]
    username: &'a str,
    #[serde(rename = "Secret")]
    secret: &'a str,
}

fn failed(name: &str, key: &str) -> impl Fn(String) -> CredentialError {
    let (helper, host) = (shorten(name), shorten(key));
    move |reason| CredentialError::Helper { helper: helper.clone(), host: host.clone(), reason }
}

impl Helpers {
    /// What the helper `name` knows for `key`.
    pub(super) fn get(&self, name: &str, key: &str) -> Result<Option<Credential>, CredentialError> {
        let failed = failed(name, key);
        let (ended_well, output) = self.run(name, "get", key.as_bytes()).map_err(&failed)?;
        if !ended_well {
            return if is_not_found(&output) { Ok(None) } else { Err(failed(complaint(&output))) };
        }
        // Neither the reply nor what the parser says of it is shown: both hold the secret.
        let reply: Reply =
            json::from_slice(&output).map_err(|_| failed("its reply is not {\"Username\":…,\"Secret\":…}".into()))?;
        let secret = Secret::new(reply.secret);
        Ok(Some(match reply.username.as_str() {
            "<token>" => Credential::IdentityToken(secret),
            _ => Credential::Password { username: reply.username, password: secret },
        }))
    }

    /// Gives the helper `name` a credential to keep for `key`.
    pub(super) fn store(&self, name: &str, key: &str, credential: &Credential) -> Result<(), CredentialError> {
        let failed = failed(name, key);
        let (username, secret) = match credential {
            Credential::Password { username, password } => (username.as_str(), password),
            Credential::IdentityToken(token) => ("<token>", token),
            Credential::AccessToken(_) => return Err(failed("it keeps no access tokens".into())),
        };
        let entry = Entry { server_url: key, username, secret: secret.expose() };
        let bytes = json::to_vec(&entry).map_err(|error| failed(error.to_string()))?;
        match self.run(name, "store", &bytes).map_err(&failed)? {
            (true, _) => Ok(()),
            (false, output) => Err(failed(complaint(&output))),
        }
    }

    /// Tells the helper `name` to forget what it knows for `key`. That it knows nothing is no error.
    pub(super) fn erase(&self, name: &str, key: &str) -> Result<(), CredentialError> {
        let failed = failed(name, key);
        match self.run(name, "erase", key.as_bytes()).map_err(&failed)? {
            (false, output) if !is_not_found(&output) => Err(failed(complaint(&output))),
            _ => Ok(()),
        }
    }

    fn run(&self, name: &str, action: &str, input: &[u8]) -> Result<(bool, Vec<u8>), String> {
        // The name comes from a file: it must not become a path or an option.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            return Err("its name may hold letters, digits, '_', '.' and '-' only".into());
        }
        let file = format!("docker-credential-{name}");
        let file = self.folder.as_ref().map_or_else(|| file.clone().into(), |folder| folder.join(&file));
        let mut command = Command::new(file);
        for variable in SECRET_VARIABLES {
            command.env_remove(variable);
        }
        command.arg(action).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = program::spawn(&mut command).map_err(|error| error.to_string())?;
        let outcome = talk(&mut child, input, self.timeout);
        if outcome.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome
    }
}

/// How long a look at a program lasts.
const TICK: Duration = Duration::from_millis(20);

/// Asks, reads what comes until the program closes its output, and waits for its end: all of it within the time that it may
/// take. Returns whether it ended well, and what it said. Reading and writing have a thread of their own, for a program that
/// does neither must not hold us up.
fn talk(child: &mut Child, text: &[u8], timeout: Duration) -> Result<(bool, Vec<u8>), String> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("it has no input or output".into());
    };
    let text = Zeroizing::new(text.to_vec());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // A helper that ends without reading is judged by what it says.
        let _ = input.write_all(&text);
        drop(input);
        let mut bytes = Vec::new();
        let read = output.take(MOST_OUTPUT.saturating_add(1)).read_to_end(&mut bytes);
        let _ = sender.send(read.map(|_| bytes));
    });
    let mut waited = Duration::ZERO;
    let mut answer = None;
    while waited < timeout {
        match &answer {
            None => match receiver.recv_timeout(TICK) {
                Ok(read) => {
                    answer = Some(whole(read)?);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("its output was not read to its end".into()),
            },
            // Who has closed its output may go on all the same.
            Some(_) => match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => return Ok((status.success(), answer.unwrap_or_default())),
                None => thread::sleep(TICK),
            },
        }
        waited = waited.saturating_add(TICK);
    }
    let what = if answer.is_none() { "answer" } else { "end" };
    Err(format!("it did not {what} within {} seconds", timeout.as_secs()))
}

fn whole(read: io::Result<Vec<u8>>) -> Result<Vec<u8>, String> {
    let bytes = read.map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_OUTPUT {
        return Err(format!("it answers with more than {MOST_OUTPUT} bytes"));
    }
    Ok(bytes)
}

/// The sentence by which helpers say that they know nothing.
fn is_not_found(output: &[u8]) -> bool {
    String::from_utf8_lossy(output).contains("credentials not found")
}

fn complaint(output: &[u8]) -> String {
    match String::from_utf8_lossy(output).trim() {
        "" => "it ended with an error and said nothing".into(),
        text => shorten(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn ask(script: &str) -> Result<Option<Credential>, CredentialError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let helpers = Helpers { folder: Some(folder.path().into()), timeout: Duration::from_millis(1500) };
        helpers.get("test", "r.example:5000")
    }

    #[test]
    fn a_helper_is_asked_for_the_host_on_its_input() {
        let script = r#"[ "$1" = get ] && printf '{"ServerURL":"x","Username":"%s","Secret":"s"}' "$(cat)""#;
        let expected = Credential::Password { username: "r.example:5000".into(), password: Secret::new("s") };
        assert_eq!(ask(script).unwrap(), Some(expected));
        let token = r#"echo '{"Username":"<token>","Secret":"refresh"}'"#;
        assert_eq!(ask(token).unwrap(), Some(Credential::IdentityToken(Secret::new("refresh"))));
        assert_eq!(ask("echo 'credentials not found in native keychain'; exit 1").unwrap(), None);
    }

    #[test]
    fn a_helper_that_fails_stalls_or_floods_is_an_error() {
        for (script, reason) in [
            ("echo locked; exit 1", "locked"),
            ("echo '{\"Username\":\"u\",\"Secret\":7}'", "its reply"),
            ("sleep 20 >/dev/null 2>&1 & exec sleep 20", "did not answer"),
            // With its answer given, and its output closed.
            ("echo '{\"Username\":\"u\",\"Secret\":\"s\"}'; exec sleep 20 >/dev/null", "did not end"),
            ("exec >&-; exec sleep 20", "did not end"),
            ("head -c 300000 /dev/zero", "more than"),
            ("exit 3", "said nothing"),
        ] {
            let error = ask(script).unwrap_err().to_string();
            assert!(error.contains(reason), "{script}: {error}");
        }
    }

    /// What a script gets to see is written down beside it.
    fn helper(script: &str) -> (tempfile::TempDir, Helpers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let helpers = Helpers { folder: Some(folder.path().into()), timeout: Duration::from_millis(1500) };
        (folder, helpers)
    }

    #[test]
    fn a_helper_keeps_and_forgets() {
        let (folder, helpers) = helper("echo $1 >> calls; cat >> calls; echo >> calls");
        let password = Credential::Password { username: "u".into(), password: Secret::new("p\"w") };
        helpers.store("test", "r.example", &password).unwrap();
        helpers.store("test", "r.example", &Credential::IdentityToken(Secret::new("t"))).unwrap();
        helpers.erase("test", "r.example").unwrap();
        let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
        let expected = "store\n{\"ServerURL\":\"r.example\",\"Username\":\"u\",\"Secret\":\"p\\\"w\"}\n\
                        store\n{\"ServerURL\":\"r.example\",\"Username\":\"<token>\",\"Secret\":\"t\"}\nerase\nr.example\n";
        assert_eq!(calls, expected);
        let (_folder, helpers) = helper("echo 'credentials not found in native keychain'; exit 1");
        helpers.erase("test", "r.example").unwrap();
        let error = helpers.store("test", "r.example", &password).unwrap_err().to_string();
        assert!(!error.contains("p\"w"), "{error}");
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in ["", "../x", "a/b", "a b", "ü"] {
            let error = Helpers::default().get(name, "r.example").unwrap_err().to_string();
            assert!(error.contains("its name"), "{error}");
        }
    }
}
