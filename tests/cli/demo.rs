//! The README's first command.

use std::fs;

use super::common::{User, contents};

#[test]
fn it_walks_the_whole_road_and_leaves_nothing() {
    let user = User::new();
    let ended = user.bulla(&["demo"]).ends(0);
    let mut rest = ended.stdout.as_str();
    for step in [
        "── 1.",
        "$ bulla export oci:",
        "── 2.",
        "$ bulla inspect ",
        "── 3.",
        "$ cp ",
        "── 4.",
        "$ bulla verify ",
        "TRUSTED",
        "[exit status 0]",
        "── 5.",
        "$ bulla import ",
        "[exit status 0]",
        "── 6.",
        "$ bulla verify ",
        "[exit status 3]",
        "── 7.",
        "$ bulla export ",
        "$ bulla verify ",
        "REJECTED",
        "certificate-revoked",
        "[exit status 1]",
    ] {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing or out of order in {ended:?}"));
        rest = &rest[at + step.len()..];
    }
    let ended = ended.says(&["error[blob-digest-mismatch]", "hint: "]);
    assert!(ended.stdout.contains(&user.temporary().display().to_string()), "{ended:?}");
    assert!(contents(&user.temporary()).is_empty(), "{:?}", contents(&user.temporary()).keys());
    assert!(contents(&user.folder()).is_empty() && contents(&user.home()).is_empty());
}

/// What the demo shows can be typed again.
#[test]
fn its_commands_are_the_real_ones() {
    let user = User::new();
    let ended = user.bulla(&["demo", "kept place"]).ends(0);
    for name in [
        "hello.bulla.tar",
        "revoked.bulla.tar",
        "registry/index.json",
        "config/trustpolicy.json",
        "isolated/receipt.json",
        "isolated/images/index.json",
        "isolated/tampered.bulla.tar",
    ] {
        assert!(user.path("kept place").join(name).is_file(), "{name}");
    }
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let mut typed = 0;
    for (place, line) in lines.iter().enumerate() {
        let Some(command) = line.strip_prefix("$ bulla ") else { continue };
        let expected = lines[place..].iter().find_map(|line| line.strip_prefix("[exit status ")).unwrap();
        let script = format!("\"$BULLA\" {command}");
        let mut shell = assert_cmd::Command::new("/bin/sh");
        shell.args(["-c", &script]).current_dir(user.folder()).env_clear();
        shell.env("BULLA", env!("CARGO_BIN_EXE_bulla")).env("HOME", user.home());
        let output = shell.output().unwrap();
        let status = format!("{}]", output.status.code().unwrap());
        assert_eq!(status, expected, "{command}: {}", String::from_utf8_lossy(&output.stderr));
        typed += 1;
    }
    assert_eq!(typed, 7);
}

#[test]
fn it_mixes_with_nothing() {
    let user = User::new();
    user.put("full/letter.txt", "dear diary");
    user.put("file", "x");
    let before = user.files();
    user.bulla(&["demo", "full"]).refuses(2, &["usage-invalid"]).says(&["is not empty"]);
    assert_ne!(user.bulla(&["demo", "file"]).status, 0);
    assert_eq!(user.files(), before);
    fs::create_dir(user.path("empty")).unwrap();
    user.bulla(&["demo", "empty"]).ends(0);
}
