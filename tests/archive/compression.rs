//! Compressed bundles that are not what they should be: bombs, seek tables that lie, other compressions.

use bulla::archive::{Archive, Compression, Strictness};
use bulla::code::DiagnosticCode::*;
use bulla::limits::Limits;
use bulla::store::bundle::BundleStore;

use crate::damage::{open, read};
use crate::fixture::{Scratch, bundle, code, write};

fn table(frames: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = 0x184D_2A5E_u32.to_le_bytes().to_vec();
    bytes.extend((frames.len() as u32 * 8 + 9).to_le_bytes());
    frames.iter().for_each(|(a, b)| bytes.extend(a.to_le_bytes().into_iter().chain(b.to_le_bytes())));
    bytes.extend((frames.len() as u32).to_le_bytes());
    bytes.push(0);
    bytes.extend(0x8F92_EAB1_u32.to_le_bytes());
    bytes
}

#[test]
fn a_zstd_bomb_is_refused_before_it_goes_off() {
    let scratch = Scratch::new();
    let frame = zstd::bulk::compress(&vec![0; 8 << 20], 3).unwrap();
    let frames = 64;
    let mut bomb = frame.repeat(frames);
    let open =
        |bytes: &[u8], strictness| code(Archive::open(&scratch.file("bomb", bytes), &Limits::default(), strictness));
    for strictness in [Strictness::Bundle, Strictness::Foreign] {
        assert_eq!(open(&bomb, strictness), Some(ArchiveExpandsTooMuch), "without a table");
    }
    bomb.extend(table(&vec![(frame.len() as u32, 8 << 20); frames]));
    assert_eq!(open(&bomb, Strictness::Bundle), Some(ArchiveExpandsTooMuch), "with a table");
    // A table that says less than the frames hold.
    let mut liar = frame.repeat(frames);
    liar.extend(table(&vec![(frame.len() as u32, 512); frames]));
    assert_eq!(open(&liar, Strictness::Bundle), Some(ArchiveMalformed), "with a table that lies");
    // One frame that holds more than is read at once.
    let single = zstd::bulk::compress(&vec![0; 9 << 20], 3).unwrap();
    assert_eq!(open(&single, Strictness::Foreign), Some(ArchiveMalformed), "one large frame");
    let mut named = single.clone();
    named.extend(table(&[(single.len() as u32, 9 << 20)]));
    assert_eq!(open(&named, Strictness::Foreign), Some(ArchiveMalformed), "one large frame with a table");
}

#[test]
fn a_seek_table_is_only_a_hint() {
    let (bundle, scratch) = (bundle(), Scratch::new());
    let whole = write(&bundle.inventory, &bundle.contents, Compression::Zstd { level: 3 });
    let count = u32::from_le_bytes(whole[whole.len() - 9..whole.len() - 5].try_into().unwrap()) as usize;
    let body = &whole[..whole.len() - 17 - 8 * count];
    let entries: Vec<(u32, u32)> = whole[body.len() + 8..whole.len() - 9]
        .chunks_exact(8)
        .map(|e| (u32::from_le_bytes(e[..4].try_into().unwrap()), u32::from_le_bytes(e[4..].try_into().unwrap())))
        .collect();
    let with = |entries: &[(u32, u32)]| read(&scratch, &[body, &table(entries)].concat());
    assert_eq!(with(&entries), None);
    assert_eq!(read(&scratch, body), Some(ArchiveTruncated), "a bundle has a table");
    let path = scratch.file("body", body);
    // Other tools' archives may have none: then the frames are walked.
    let found = Archive::open(&path, &Limits::default(), Strictness::Foreign).unwrap();
    assert_eq!(found.entries().len(), bundle.inventory.blobs.len() + 4);
    type Frames = Vec<(u32, u32)>;
    let changed = |change: &dyn Fn(&mut Frames)| {
        let mut entries = entries.clone();
        change(&mut entries);
        with(&entries)
    };
    for (name, found) in [
        (
            "two frames taken as one",
            changed(&|e| {
                let (a, b) = e.remove(1);
                e[0] = (e[0].0 + a, e[0].1 + b);
            }),
        ),
        (
            "a frame cut in two",
            changed(&|e| {
                let (a, b) = e[2];
                e[2] = (a - 1, b);
                e.insert(3, (1, 1));
            }),
        ),
        ("a larger frame", changed(&|e| e[1].1 += 1)),
        ("a frame left out", changed(&|e| e.truncate(e.len() - 1))),
        ("an empty frame", changed(&|e| e.insert(1, (0, 0)))),
        ("a frame beyond the file", changed(&|e| e[0].0 = u32::MAX)),
    ] {
        assert_eq!(found.map(|code| code.class()), Some(bulla::code::Class::Damaged), "{name}");
    }
    let mut hidden = body.to_vec();
    hidden.extend(0x184D_2A50_u32.to_le_bytes().into_iter().chain(4_u32.to_le_bytes()).chain(*b"hide"));
    let mut frames = entries.clone();
    frames.push((12, 0));
    hidden.extend(table(&frames));
    assert_eq!(read(&scratch, &hidden), Some(ArchiveMalformed), "a frame that nobody reads");
}

#[test]
fn other_compressions_are_named() {
    let scratch = Scratch::new();
    for (magic, name) in [(&b"\x1f\x8b\x08\0\0\0\0\0"[..], "gzip"), (b"\xfd7zXZ\0\0\0", "xz"), (b"BZh91AY", "bzip2")] {
        let error = open(&scratch, magic).err().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
    for junk in [&b"PK\x03\x04 this is no tar at all"[..], b"x"] {
        assert_eq!(code(open(&scratch, junk)), Some(ArchiveTruncated));
    }
    assert_eq!(code(open(&scratch, &[b'x'; 4096])), Some(ArchiveMalformed));
    assert_eq!(code(BundleStore::open(scratch.path(), &Limits::default())), Some(ArchiveMalformed));
    assert_eq!(code(BundleStore::open(&scratch.path().join("none"), &Limits::default())), Some(NotFound));
}
