//! Compressed bundles: the same verdicts, and nothing that expands beyond reason.

use std::process::Command;

use super::common::{User, there};
use super::forge::Entry;

const EXPORT: [&str; 8] =
    ["export", "oci:demo/registry:1.0", "--as", super::common::NAME, "--crl", "demo/crls", "--offline", "-o"];

/// What a tool prints.
fn tool(user: &User, script: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-ec", script]).current_dir(user.folder()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn compressed() -> User {
    let user = User::with_demo();
    let mut export = user.command(&[&EXPORT[..], &["x.tar.zst"]].concat());
    export.env("SOURCE_DATE_EPOCH", "1790000000").assert().success();
    let mut export = user.command(&[&EXPORT[..], &["x.tar"]].concat());
    export.env("SOURCE_DATE_EPOCH", "1790000000").assert().success();
    user
}

#[test]
fn zstd_and_tar_read_it_and_the_verdict_is_the_same() {
    let user = compressed();
    let plain = user.judging(&["verify", "x.tar"]).ends(0);
    let packed = user.judging(&["verify", "x.tar.zst"]).ends(0);
    let same = |text: &str| text.lines().filter(|line| !line.starts_with("judged at")).collect::<Vec<_>>().join("\n");
    assert_eq!(same(&plain.stdout), same(&packed.stdout));
    user.judging(&["import", "x.tar.zst", "--to", "oci:images"]).ends(0);
    if there("zstd", "zstd") && there("tar", "tar") {
        assert_eq!(tool(&user, "zstd -dqc x.tar.zst"), user.get("x.tar"));
        let names = String::from_utf8(tool(&user, "zstd -dqc x.tar.zst | tar t")).unwrap();
        assert!(names.starts_with("oci-layout\nindex.json\nblobs/sha256/"), "{names}");
    }
}

#[test]
fn damage_is_found() {
    let user = compressed();
    let (whole, content) = (user.get("x.tar.zst"), user.get("x.tar"));
    for length in [0, 3, 4, 100, whole.len() / 2, whole.len() - 100, whole.len() - 9, whole.len() - 1] {
        user.put("bad.tar.zst", &whole[..length]);
        let ended = user.judging(&["import", "bad.tar.zst", "--to", "oci:images"]);
        ended.refuses(3, &["archive-truncated", "archive-malformed"]);
        assert!(user.withdraw_nameless("images"), "{length}");
    }
    for at in (0..whole.len()).step_by(211).chain(whole.len() - 24..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        user.put("bad.tar.zst", &bytes);
        let ended = user.judging(&["import", "bad.tar.zst", "--to", "oci:images"]);
        if ended.status == 0 {
            // A frame header has a bit that means nothing (RFC 8878 §3.1.1.1.1.3): the content is the same.
            assert!(zstd::decode_all(&bytes[..]).unwrap() == content, "byte {at}: {ended:?}");
            std::fs::remove_dir_all(user.path("images")).unwrap();
            continue;
        }
        assert!(ended.status == 3 && ended.stderr.starts_with("error["), "byte {at}: {ended:?}");
        assert!(user.withdraw_nameless("images"), "{at}");
    }
}

/// Frames and their seek table, as the seekable format has them.
fn seekable(frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut file: Vec<u8> = frames.iter().flat_map(|(frame, _)| frame.clone()).collect();
    file.extend(0x184D_2A5E_u32.to_le_bytes());
    file.extend(u32::try_from(frames.len() * 8 + 9).unwrap().to_le_bytes());
    for (frame, expanded) in frames {
        file.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
        file.extend(expanded.to_le_bytes());
    }
    file.extend(u32::try_from(frames.len()).unwrap().to_le_bytes());
    file.push(0);
    file.extend(0x8F92_EAB1_u32.to_le_bytes());
    file
}

#[test]
fn bombs() {
    let user = User::with_demo();
    let zeros = vec![0; 8 << 20];
    let frame = (zstd::bulk::compress(&zeros, 19).unwrap(), u32::try_from(zeros.len()).unwrap());
    let mut header = Entry::file("blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000", b"");
    header.claim(b"77777777777\0");
    let first = (zstd::bulk::compress(&header.header, 19).unwrap(), 512);
    let many: Vec<_> = std::iter::once(first.clone()).chain(std::iter::repeat_n(frame.clone(), 1000)).collect();
    let expands: &[&str] = &["archive-expands-too-much"];
    let malformed: &[&str] = &["archive-malformed"];
    let one = zstd::bulk::compress(&vec![0; 512 << 20], 3).unwrap();
    let lying = seekable(&[first.clone(), (frame.0.clone(), 512), (frame.0.clone(), u32::MAX)]);
    let untold: Vec<u8> = many.iter().flat_map(|(frame, _)| frame.clone()).collect();
    let mut absurd = seekable(&[first]);
    let count = absurd.len() - 9;
    absurd[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    for (name, bytes, codes) in [
        ("8 GiB of zeros with a seek table", seekable(&many), expands),
        ("8 GiB of zeros without one", untold, expands),
        ("512 MiB of zeros in one frame", one, malformed),
        ("a seek table that lies", lying, malformed),
        ("a seek table of four billion frames", absurd, malformed),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03".repeat(100), malformed),
    ] {
        eprintln!("{name}: {} bytes", bytes.len());
        user.put("bad.tar.zst", &bytes);
        let before = user.files();
        user.judging(&["verify", "bad.tar.zst"]).refuses(3, codes);
        user.judging(&["import", "bad.tar.zst", "--to", "oci:images"]).refuses(3, codes);
        user.bulla(&["inspect", "bad.tar.zst"]).refuses(3, codes);
        assert_eq!(user.files(), before, "{name}");
    }
}
