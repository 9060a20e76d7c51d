//! Standard output is data, standard error is talk, and the same content gives the same bytes.

use std::io::Read as _;
use std::process::{Command, Stdio};

use super::common::{NAME, User};

const EPOCH: (&str, &str) = ("SOURCE_DATE_EPOCH", "1790000000");
const EXPORT: [&str; 8] = ["export", "oci:demo/registry:1.0", "--as", NAME, "--crl", "demo/crls", "--offline", "-o"];

fn export(user: &User, output: &[&str]) -> Vec<u8> {
    let mut command = user.command(&[&EXPORT[..], output].concat());
    let output = command.env(EPOCH.0, EPOCH.1).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_pipe_gets_the_same_bytes_as_a_file() {
    let user = User::with_demo();
    let piped = export(&user, &["-"]);
    assert!(export(&user, &["x.tar"]).is_empty());
    assert_eq!(piped, user.get("x.tar"));
    export(&user, &["again.tar"]);
    assert_eq!(piped, user.get("again.tar"));
    let piped = export(&user, &["-", "--compression", "zstd"]);
    export(&user, &["x.tar.zst"]);
    assert_eq!(piped, user.get("x.tar.zst"));
    // Exported again from the bundle, nothing changes but who made it from what.
    user.put("piped.tar", user.get("x.tar"));
    user.judging(&["verify", "piped.tar"]).ends(0);
}

/// A time that could not be read again is refused.
#[test]
fn a_bundle_is_not_dated_beyond_the_calendar() {
    let user = User::with_demo();
    for (epoch, status) in
        [("253402300799", 0), ("253402300800", 2), ("99999999999999999", 2), ("-99999999999999", 2), ("x", 2)]
    {
        let arguments = [&EXPORT[..], &["dated.tar"]].concat();
        super::common::Ended::of(&arguments, user.command(&arguments).env(EPOCH.0, epoch)).ends(status);
        if status == 0 {
            user.judging(&["verify", "dated.tar"]).ends(0);
            std::fs::remove_file(user.path("dated.tar")).unwrap();
        }
        assert!(!user.path("dated.tar").exists(), "{epoch}");
    }
}

#[test]
fn a_bundle_is_dated_by_the_build() {
    let user = User::with_demo();
    for wrong in ["", "yesterday", "1e9"] {
        let mut command = user.command(&[&EXPORT[..], &["x.tar"]].concat());
        let output = command.env(EPOCH.0, wrong).output().unwrap();
        let expected = if wrong.is_empty() { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{wrong:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Reads a first line and goes away, as `head -1` does.
fn read_a_line(user: &User, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    command.args(arguments).current_dir(user.folder()).env_clear().env("HOME", user.home());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let user = User::with_demo();
    let trust = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json"];
    let verify = [&["verify", "demo/hello.bulla.tar"], &trust[..]].concat();
    let json = [&verify[..], &["--format", "json"]].concat();
    for arguments in [&["explain"][..], &["inspect", "demo/hello.bulla.tar"], &verify, &json, &["demo"]] {
        let (status, stderr) = read_a_line(&user, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
    // Half a bundle is none: that must not look like success.
    let big = vec![b'x'; 1 << 20];
    let blobs = [
        super::forge::Blob::image(
            &super::forge::Blob::new("text/plain", "{}").descriptor(),
            &[super::forge::Blob::new("text/plain", big.clone()).descriptor()],
        ),
        super::forge::Blob::new("text/plain", "{}"),
        super::forge::Blob::new("text/plain", big),
    ];
    user.put("big.tar", super::forge::bundle(&blobs));
    let (status, stderr) = read_a_line(&user, &["export", "big.tar", "-o", "-"]);
    assert_eq!(status, Some(4), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Terminals obey control characters; names and messages from hostile input must not reach one.
#[test]
fn nothing_hostile_reaches_the_terminal() {
    let user = User::with_demo();
    let ended = user.judging(&["verify", "no\u{1b}[31m\u{7}such.tar"]);
    assert_eq!(ended.status, 4, "{ended:?}");
    // Nor characters that turn the direction of writing: "rat.exe" must not look like "exe.tar".
    let turned = user.judging(&["verify", "./\u{202e}rat.exe\u{2066}"]);
    assert_eq!(turned.status, 4, "{turned:?}");
    assert!(!turned.stderr.contains(['\u{202e}', '\u{2066}']), "{turned:?}");
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('\u{7}'), "{ended:?}");
    let mut entry = super::forge::Entry::file("x", b"x");
    entry.rename("\u{1b}[2Jgone");
    user.put("bad.tar", super::forge::Tar(vec![entry]).bytes());
    let ended = user.bulla(&["inspect", "bad.tar"]);
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stdout.contains('\u{1b}'), "{ended:?}");
}

/// Talk goes to standard error: standard output of an export to a file, and standard error of a report, are empty.
#[test]
fn the_streams_are_apart() {
    let user = User::with_demo();
    let ended = user.bulla(&[&EXPORT[..], &["x.tar"]].concat()).ends(0).says(&["exported ", NAME]);
    assert!(ended.stdout.is_empty(), "{ended:?}");
    let ended = user.judging(&["verify", "x.tar"]).ends(0);
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let ended = user.judging(&["import", "x.tar", "--to", "oci:images"]).ends(0);
    assert!(ended.stderr.is_empty(), "{ended:?}");
}
