//! Bundles on pipes: judged as in a file, refused before the first layer, and nothing named that was not whole.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::{Ended, NAME, User, conforms, contents};
use super::forge::{Blob, Tar, bundle};

const TRUST: [&str; 5] = ["--trust-store", "demo/config", "--policy", "demo/config/trustpolicy.json", "--offline"];

/// Runs a command that judges, with a bundle on its standard input.
fn piped(user: &User, bytes: &[u8], arguments: &[&str]) -> Ended {
    let arguments = [arguments, &TRUST].concat();
    Ended::of(&arguments, user.command(&arguments).write_stdin(bytes))
}

/// The demo's bundle, plain and compressed.
fn both(user: &User) -> [Vec<u8>; 2] {
    let arguments = ["export", "demo/hello.bulla.tar", "--offline", "-o"];
    user.bulla(&[&arguments[..], &["x.tar"]].concat()).ends(0);
    user.bulla(&[&arguments[..], &["x.tar.zst"]].concat()).ends(0);
    let bundles = [user.get("x.tar"), user.get("x.tar.zst")];
    std::fs::remove_file(user.path("x.tar")).unwrap();
    std::fs::remove_file(user.path("x.tar.zst")).unwrap();
    bundles
}

/// A time at which the demo's bundle is good: when it was made.
fn now(user: &User) -> String {
    let inspected = user.bulla(&["inspect", "demo/hello.bulla.tar", "--format", "json"]).ends(0).json();
    inspected["bundle"]["createdAt"].as_str().unwrap().to_owned()
}

#[test]
fn the_verdict_is_that_on_the_file() {
    let user = User::with_demo();
    let at = now(&user);
    for bytes in both(&user) {
        user.put("x", &bytes);
        let mut reports = Vec::new();
        for format in ["json", "text"] {
            let words = ["--format", format, "--at", &at];
            let file = user.judging(&[&["verify", "x"], &words[..]].concat()).ends(0).stdout;
            let pipe = piped(&user, &bytes, &[&["verify", "-"], &words[..]].concat()).ends(0).stdout;
            reports.push((file, pipe));
        }
        let (file, pipe) = &reports[0];
        let document: Value = serde_json::from_str(pipe).unwrap();
        conforms("report-v1.schema.json", &document);
        assert_eq!(document["source"]["location"], "-");
        let differ: Vec<_> = file.lines().zip(pipe.lines()).filter(|(file, pipe)| file != pipe).collect();
        assert_eq!(file.lines().count(), pipe.lines().count());
        assert!(matches!(differ.as_slice(), [(line, _)] if line.contains("\"location\"")), "{differ:?}");
        let (file, pipe) = &reports[1];
        assert_eq!(file.lines().count(), pipe.lines().count());
        assert!(file.lines().zip(pipe.lines()).filter(|(file, pipe)| file != pipe).count() <= 1, "{file}\n{pipe}");
        let arguments = ["verify", "-", "--integrity-only"];
        Ended::of(&arguments, user.command(&arguments).write_stdin(bytes.as_slice())).ends(0);
        let arguments = ["inspect", "-"];
        let inspected = Ended::of(&arguments, user.command(&arguments).write_stdin(bytes.as_slice())).ends(0);
        let file = user.bulla(&["inspect", "x"]).ends(0);
        assert_eq!(inspected.stdout.lines().count(), file.stdout.lines().count());
        inspected.prints(&[NAME, "Nothing here was verified"]);
    }
}

#[test]
fn what_is_imported_is_what_a_file_gives() {
    let user = User::with_demo();
    for bytes in both(&user) {
        user.put("x", &bytes);
        user.judging(&["import", "x", "--to", "oci:from-file"]).ends(0);
        piped(&user, &bytes, &["import", "-", "--to", "oci:from-pipe", "--receipt", "r.json"]).ends(0);
        let relative = |name: &str| -> Vec<_> {
            let folder = user.path(name);
            let files = contents(&folder).into_iter();
            files.map(|(path, bytes)| (path.strip_prefix(&folder).unwrap().to_owned(), bytes)).collect()
        };
        assert_eq!(relative("from-file"), relative("from-pipe"));
        conforms("receipt-v1.schema.json", &user.json("r.json"));
        // There already: nothing is written, and all of it is read again.
        let again = piped(&user, &bytes, &["import", "-", "--to", "oci:from-pipe"]).ends(0);
        again.prints(&["0 "]);
        let platform = ["--platform", "linux/amd64"];
        user.judging(&[&["import", "x", "--to", "docker-archive:file.tar"], &platform[..]].concat()).ends(0);
        piped(&user, &bytes, &[&["import", "-", "--to", "docker-archive:pipe.tar"], &platform[..]].concat()).ends(0);
        assert_eq!(user.get("file.tar"), user.get("pipe.tar"));
        for name in ["from-file", "from-pipe"] {
            std::fs::remove_dir_all(user.path(name)).unwrap();
        }
    }
}

/// Starts a command that reads from a pipe.
fn start(user: &User, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    command.args(arguments).current_dir(user.folder()).env_clear().env("HOME", user.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a command whose standard input is still open.
fn wait(child: &mut Child) -> i32 {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it waits for layers");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What `bundle` has before the content of its last entry, the layer.
fn before_the_layer(bytes: &[u8]) -> usize {
    let tar = Tar::parse(bytes);
    tar.offset(tar.0.len() - 1)
}

#[test]
fn it_is_refused_before_the_first_layer_and_the_writer_hears_of_it() {
    let user = User::with_demo();
    let bytes = user.get("demo/hello.bulla.tar");
    let head = before_the_layer(&bytes);
    // Long after the evidence has run out; and under a policy of another repository.
    let old = ["--at", "2099-01-01T00:00:00Z"];
    for (arguments, status) in [
        ([&["verify", "-"], &TRUST[..], &old].concat(), 1),
        ([&["import", "-", "--to", "oci:images"], &TRUST[..], &old].concat(), 1),
        ([&["verify", "-", "--format", "json"], &TRUST[..], &old].concat(), 1),
    ] {
        let mut child = start(&user, &arguments);
        let mut input = child.stdin.take().unwrap();
        // The header of the layer is not needed either: the inventory has announced it.
        input.write_all(&bytes[..head - 512]).unwrap();
        assert_eq!(wait(&mut child), status, "{arguments:?}");
        let error = input.write_all(&vec![0; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        let mut stdout = String::new();
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert!(stdout.contains("rejected"), "{stdout}");
        assert!(!user.path("images").exists());
    }
    // The same verdict and the same status as for the file.
    user.judging(&[&["verify", "demo/hello.bulla.tar"], &old[..]].concat()).ends(1);
}

/// Whether a layout names nothing.
fn names_nothing(user: &User, layout: &str) -> bool {
    !user.path(layout).exists()
        || user.json(&format!("{layout}/index.json"))["manifests"].as_array().unwrap().is_empty()
}

#[test]
fn a_pipe_that_breaks_off_publishes_nothing_and_the_second_run_completes_it() {
    let user = User::with_demo();
    for bytes in both(&user) {
        let lengths: Vec<usize> = (0..bytes.len()).step_by(bytes.len() / 40).chain([bytes.len() - 1]).collect();
        for length in lengths {
            let cut = &bytes[..length];
            piped(&user, cut, &["verify", "-"]).refuses(3, &["archive-truncated"]);
            piped(&user, cut, &["import", "-", "--to", "oci:images"]).refuses(3, &["archive-truncated"]);
            assert!(names_nothing(&user, "images"), "{length}");
            let archive = ["import", "-", "--to", "docker-archive:image.tar", "--platform", "linux/amd64"];
            piped(&user, cut, &archive).refuses(3, &["archive-truncated"]);
            assert!(!user.path("image.tar").exists());
        }
        piped(&user, &bytes, &["import", "-", "--to", "oci:images"]).ends(0);
        assert!(!names_nothing(&user, "images"));
        std::fs::remove_dir_all(user.path("images")).unwrap();
    }
}

/// Every byte class of the file, down to what stands behind the last blob.
#[test]
fn damage_is_found_wherever_it_is() {
    let user = User::with_demo();
    for bytes in both(&user) {
        let content =
            if bytes.starts_with(b"oci-layout") { bytes.clone() } else { zstd::decode_all(&bytes[..]).unwrap() };
        let end = bytes.len() - 1100..bytes.len();
        for at in (0..bytes.len()).step_by(509).chain(end.step_by(7)) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let ended = piped(&user, &bad, &["import", "-", "--to", "oci:images"]);
            if ended.status == 0 {
                // A frame header has a bit that means nothing (RFC 8878 §3.1.1.1.1.3): the content is the same.
                assert!(zstd::decode_all(&bad[..]).unwrap() == content, "byte {at}: {ended:?}");
                std::fs::remove_dir_all(user.path("images")).unwrap();
                continue;
            }
            assert!(ended.status == 3 && ended.stderr.contains("error["), "byte {at}: {ended:?}");
            assert!(names_nothing(&user, "images"), "{at}");
        }
        for extra in [&b"\0"[..], &[0; 512], &[7; 3000], &bytes] {
            let longer = [&bytes[..], extra].concat();
            let ended = piped(&user, &longer, &["import", "-", "--to", "oci:images"]);
            ended.refuses(3, &["archive-malformed"]);
            assert!(names_nothing(&user, "images"));
        }
    }
}

#[test]
fn what_is_no_bundle_is_told_so() {
    let user = User::with_demo();
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let foreign = Tar(vec![
        super::forge::Entry::file("index.json", index.as_bytes()),
        super::forge::Entry::file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
    ]);
    let alike = Tar(vec![
        super::forge::Entry::file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        super::forge::Entry::file("index.json", index.as_bytes()),
    ]);
    for bytes in [foreign.bytes(), alike.bytes(), zstd::bulk::compress(&foreign.bytes(), 3).unwrap()] {
        for arguments in [&["verify", "-"][..], &["import", "-", "--to", "oci:images"]] {
            piped(&user, &bytes, arguments).refuses(3, &["stream-not-a-bundle"]).says(&["hint: write it to a file"]);
        }
        let arguments = ["inspect", "-"];
        Ended::of(&arguments, user.command(&arguments).write_stdin(bytes)).refuses(3, &["stream-not-a-bundle"]);
    }
    piped(&user, b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &["verify", "-"]).refuses(3, &["archive-malformed"]).says(&["gzip"]);
    piped(&user, b"", &["verify", "-"]).refuses(3, &["archive-truncated"]);
    piped(&user, b"no archive at all", &["verify", "-"]).refuses(3, &["archive-truncated"]);
    let export = ["export", "-", "--offline", "-o", "x.tar"];
    Ended::of(&export, user.command(&export).write_stdin(alike.bytes())).refuses(2, &["usage-invalid"]);
}

/// A manifest may say another size of a layer than the inventory; neither reader believes the inventory.
#[test]
fn the_manifests_say_how_long_a_layer_is() {
    let user = User::with_demo();
    let (config, layer) = (Blob::new("text/plain", "{}"), Blob::new("text/plain", vec![b'x'; 4000]));
    let mut lying = layer.descriptor();
    lying["size"] = 4001.into();
    let image = Blob::image(&config.descriptor(), &[lying]);
    let bytes = bundle(&[image, config, layer]);
    user.put("x.tar", &bytes);
    let codes: &[&str] = &["blob-size-mismatch"];
    user.bulla(&["verify", "x.tar", "--integrity-only"]).refuses(3, codes);
    let arguments = ["verify", "-", "--integrity-only"];
    Ended::of(&arguments, user.command(&arguments).write_stdin(bytes.as_slice())).refuses(3, codes);
    for from in ["x.tar", "-"] {
        piped(&user, &bytes, &["import", from, "--to", "oci:images", "--allow", "unsigned,rejected"]).refuses(3, codes);
        assert!(names_nothing(&user, "images"));
    }
}
