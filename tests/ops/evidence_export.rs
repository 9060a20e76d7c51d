//! Carried CRLs as Notation's file cache (conformance 10.30 to 10.34), with CRLs that openssl made.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla::archive::names;
use bulla::digest::Digest;
use bulla::evidence::EvidenceManifest;
use bulla::evidence::notation_cache::{NotationCache, Overwrite, Stored};
use bulla::limits::Limits;
use bulla::oci::Descriptor;
use bulla::ops::evidence_export::{CarriedCrls, EvidenceExport, LeftOut, find_carried_crls};
use bulla::ops::progress::NoProgress;
use bulla::ops::verify::RootToVerify;
use bulla::report::evidence::write_evidence_export;
use serde_json::Value;
use tempfile::TempDir;

use crate::memory::{Memory, NOTARY};

/// An authority: openssl in a folder of its own.
struct Authority(TempDir);

/// What a CRL is to say; of thisUpdate and nextUpdate, the year.
struct Wanted {
    number: u8,
    this_update: &'static str,
    next_update: &'static str,
    extensions: &'static str,
}

const OLD: Wanted = Wanted { number: 7, this_update: "2024", next_update: "2098", extensions: "" };
const NEW: Wanted = Wanted { number: 9, this_update: "2025", next_update: "2099", extensions: "" };

fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `None`, visibly, where there is no openssl.
fn authority(name: &str) -> Option<Authority> {
    let found = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        crate::skip::tool(format_args!("no openssl on this machine"));
        return None;
    }
    let folder = TempDir::new().unwrap();
    let subject = format!("/C=US/ST=WA/O=bulla/CN={name}");
    openssl(
        folder.path(),
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj {subject} -keyout ca.key -out ca.pem"
        ),
    );
    Some(Authority(folder))
}

impl Authority {
    fn crl(&self, wanted: &Wanted) -> Vec<u8> {
        let folder = self.0.path();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("number"), format!("{:02X}\n", wanted.number)).unwrap();
        let extensions = wanted.extensions;
        let config = format!(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n\
             default_crl_days = 30\ncrl_extensions = ext\n[ext]\nauthorityKeyIdentifier = keyid\n{extensions}\n"
        );
        fs::write(folder.join("ca.cnf"), config).unwrap();
        let (from, to) = (wanted.this_update, wanted.next_update);
        openssl(
            folder,
            &format!(
                "ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca.key -out out.pem \
                 -crl_lastupdate {from}0102030405Z -crl_nextupdate {to}0102030405Z"
            ),
        );
        openssl(folder, "crl -in out.pem -outform DER")
    }
}

/// A target that carries these CRLs for its one signature.
fn carry(crls: &[(&[u8], &[&str])]) -> CarriedCrls {
    let mut store = Memory::default();
    let image = store.image(&[b"layer"]);
    let signature = store.referrer(NOTARY, &image, b"envelope");
    let named: Vec<(Descriptor, Vec<String>)> = crls
        .iter()
        .map(|(der, urls)| (store.add(names::CRL, der), urls.iter().map(|url| (*url).to_owned()).collect()))
        .collect();
    store.add(bulla::oci::MediaType::OCI_EMPTY, b"{}");
    let (descriptor, bytes) = EvidenceManifest::new(&signature, named).encode().unwrap();
    assert_eq!(store.add(descriptor.media_type.as_str(), &bytes).digest, descriptor.digest);
    let roots = [RootToVerify { descriptor: image, reference: None }];
    find_carried_crls(&store, &roots, &BTreeSet::new(), &Limits::default(), &NoProgress).unwrap()
}

fn export(crls: &[(&[u8], &[&str])], root: &Path, overwrite: Overwrite) -> EvidenceExport {
    let cache = NotationCache::open(root).unwrap();
    carry(crls).write_to(&cache, overwrite, &Limits::default()).unwrap()
}

/// The members of the file for `url`, decoded.
fn cached(root: &Path, url: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    let text = fs::read(root.join("crl").join(Digest::sha256(url.as_bytes()).hex())).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let members: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(matches!(members[..], ["baseCRL"] | ["baseCRL", "deltaCRL"]), "{members:?}");
    let decode = |member: &str| document.get(member).map(|text| STANDARD.decode(text.as_str().unwrap()).unwrap());
    (decode("baseCRL").unwrap(), decode("deltaCRL"))
}

fn stored(export: &EvidenceExport) -> Vec<(&str, &Stored)> {
    export.entries.iter().map(|exported| (exported.url.as_str(), &exported.stored)).collect()
}

#[test]
fn every_url_has_a_file_as_notation_looks_for_it() {
    // Conformance 10.30, 10.31.
    let Some(authority) = authority("root") else { return };
    let crl = authority.crl(&NEW);
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("cache");
    let urls = ["http://crl.example/root.crl", "http://CRL.example/root.crl?x=%20"];
    let done = export(&[(&crl, &urls)], &root, Overwrite::Older);
    assert_eq!(stored(&done), [(urls[1], &Stored::Written), (urls[0], &Stored::Written)]);
    assert!(done.left_out.is_empty());
    assert_eq!(done.entries[0].entry.current_until(), Some("2099-01-02T03:04:05Z".parse().unwrap()));
    // printf %s http://crl.example/root.crl | sha256sum
    let known = "3a6c7c43216426d6c40e2028dd4dda2d7a1144556aa08e95082925e8c5c31d45";
    assert!(root.join("crl").join(known).is_file());
    let mut files: Vec<_> = fs::read_dir(root.join("crl")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "one for each URL and no temporary one: {files:?}");
    for path in [root.clone(), root.join("crl")] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
    }
    for url in urls {
        let (base, delta) = cached(&root, url);
        assert_eq!((&base, delta), (&crl, None));
        fs::write(folder.path().join("back.der"), base).unwrap();
        let text = openssl(folder.path(), "crl -inform DER -in back.der -noout -issuer -crlnumber -nextupdate");
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("CN = root") && text.contains("0x09") && text.contains("2099"), "{text}");
    }
    let again = export(&[(&crl, &urls)], &root, Overwrite::Older);
    assert!(again.entries.iter().all(|exported| exported.stored == Stored::Present));
}

#[test]
fn an_older_crl_replaces_nothing_unless_forced() {
    let (Some(authority), Some(stranger)) = (authority("root"), authority("stranger")) else { return };
    let (old, new, foreign) = (authority.crl(&OLD), authority.crl(&NEW), stranger.crl(&NEW));
    let folder = TempDir::new().unwrap();
    let url = "http://a/root.crl";
    let put = |crl: &[u8], overwrite| export(&[(crl, &[url])], folder.path(), overwrite).entries[0].stored.clone();
    let base = || cached(folder.path(), url).0;
    assert_eq!(put(&old, Overwrite::Older), Stored::Written);
    assert_eq!((put(&new, Overwrite::Older), base()), (Stored::Written, new.clone()));
    assert!(matches!(put(&old, Overwrite::Older), Stored::KeptNewer(known) if known.base.der() == new));
    assert_eq!(base(), new);
    // In the same second, the number decides.
    let higher = authority.crl(&Wanted { number: 200, ..NEW });
    assert_eq!((put(&higher, Overwrite::Older), base()), (Stored::Written, higher.clone()));
    assert!(matches!(put(&new, Overwrite::Older), Stored::KeptNewer(known) if known.base.der() == higher));
    assert_eq!((put(&new, Overwrite::Everything), base()), (Stored::Written, new.clone()));
    assert!(matches!(put(&foreign, Overwrite::Older), Stored::KeptForeign(issuer) if issuer.contains("CN=root")));
    assert_eq!(base(), new);
    assert_eq!((put(&old, Overwrite::Everything), base()), (Stored::Written, old));
    assert_eq!((put(&foreign, Overwrite::Everything), base()), (Stored::Written, foreign));
    // What is of no use to Notation is no reason to keep it, and a link is not followed.
    let path = NotationCache::open(folder.path()).unwrap().path_of(url);
    for useless in ["", "{}", "{\"baseCRL\":\"QUJD\"}"] {
        fs::write(&path, useless).unwrap();
        assert_eq!((put(&new, Overwrite::Older), base()), (Stored::Written, new.clone()), "{useless}");
    }
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(put(&new, Overwrite::Older), Stored::Written);
    assert!(path.symlink_metadata().unwrap().is_file() && elsewhere.exists());
}

#[test]
fn the_newest_of_several_is_taken_and_issuers_are_not_mixed() {
    let (Some(authority), Some(stranger)) = (authority("root"), authority("stranger")) else { return };
    let (old, new, foreign) = (authority.crl(&OLD), authority.crl(&NEW), stranger.crl(&OLD));
    let folder = TempDir::new().unwrap();
    let crls: [(&[u8], &[&str]); 5] = [
        (&new, &["http://a/1", "http://a/2"]),
        (&old, &["http://a/1"]),
        (&foreign, &["http://a/2"]),
        (b"no CRL", &["http://a/3"]),
        (b"0", &[]),
    ];
    let done = export(&crls, folder.path(), Overwrite::Older);
    assert_eq!(stored(&done), [("http://a/1", &Stored::Written)]);
    assert_eq!(cached(folder.path(), "http://a/1").0, new);
    let reason =
        |der: &[u8]| done.left_out.iter().find(|(digest, _)| *digest == Digest::sha256(der)).unwrap().1.clone();
    for der in [&new, &foreign] {
        assert!(matches!(reason(der), LeftOut::Disputed { url, .. } if url == "http://a/2"));
    }
    assert!(matches!(reason(b"no CRL"), LeftOut::NotACrl(_)));
    let nameless = carry(&[(&new, &[])]).write_to(
        &NotationCache::open(folder.path()).unwrap(),
        Overwrite::Older,
        &Limits::default(),
    );
    let nameless = nameless.unwrap();
    assert!(nameless.entries.is_empty() && matches!(nameless.left_out[0].1, LeftOut::NoUrl { .. }));
    assert!(carry(&[]).is_empty());
}

#[test]
fn a_delta_goes_with_its_base_and_never_in_its_place() {
    // Conformance 10.21, 10.25, 10.26, 10.31.
    let Some(authority) = authority("root") else { return };
    let base = authority.crl(&Wanted { extensions: "freshestCRL = URI:http://a/delta", ..OLD });
    let delta = |number, needs| authority.crl(&Wanted { number, extensions: needs, next_update: "2097", ..NEW });
    let (fits, ahead) = (delta(9, "2.5.29.27=critical,DER:020107"), delta(9, "2.5.29.27=critical,DER:020108"));
    let behind = delta(7, "2.5.29.27=critical,DER:020107");
    let newest = delta(10, "2.5.29.27=critical,DER:020107");
    for (what, deltas, wanted) in [
        ("one", vec![&fits], Some(&fits)),
        ("needs a newer base", vec![&ahead], None),
        ("no newer than the base", vec![&behind], None),
        ("the newest", vec![&newest, &fits, &ahead], Some(&newest)),
    ] {
        let folder = TempDir::new().unwrap();
        let mut crls: Vec<(&[u8], &[&str])> = vec![(&base, &["http://a/base"])];
        crls.extend(deltas.iter().map(|delta| (delta.as_slice(), &["http://a/delta"][..])));
        let done = export(&crls, folder.path(), Overwrite::Older);
        assert_eq!(stored(&done), [("http://a/base", &Stored::Written)], "{what}: no entry for the delta's own URL");
        assert_eq!(cached(folder.path(), "http://a/base"), (base.clone(), wanted.cloned()), "{what}");
        let alone = done.left_out.iter().filter(|(_, reason)| matches!(reason, LeftOut::DeltaAlone { .. })).count();
        assert_eq!(alone, deltas.len() - usize::from(wanted.is_some()), "{what}");
        if wanted.is_some() {
            let until = done.entries[0].entry.current_until();
            assert_eq!(until, Some("2097-01-02T03:04:05Z".parse().unwrap()), "10.32: both must be current");
        }
        // The same base without its delta is less than what the cache has.
        if wanted.is_some() {
            let again = export(&crls[..1], folder.path(), Overwrite::Older);
            assert!(matches!(again.entries[0].stored, Stored::KeptNewer(_)));
        }
    }
}

#[test]
fn what_was_done_is_told_without_obeying_what_is_carried() {
    let Some(authority) = authority("root") else { return };
    let (old, new) = (authority.crl(&OLD), authority.crl(&NEW));
    let delta_named = authority.crl(&Wanted { extensions: "freshestCRL = URI:http://a/delta", ..NEW });
    let folder = TempDir::new().unwrap();
    let cache = NotationCache::open(folder.path()).unwrap();
    let tell = |crls: &[(&[u8], &[&str])], now: &str| {
        let done = export(crls, folder.path(), Overwrite::Older);
        let mut text = Vec::new();
        write_evidence_export(&done, &cache, now.parse().unwrap(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    let text = tell(&[(&new, &["http://a/\u{1b}[2J", "http://b/"]), (b"x", &["http://c/"])], "2030-01-01T00:00:00Z");
    assert!(!text.contains('\u{1b}') && text.contains("http://a/\u{fffd}[2J"), "{text}");
    assert!(
        text.contains("current until 2099-01-02T03:04:05Z") && text.contains("2 of 2 entries written, 1 "),
        "{text}"
    );
    let text = tell(&[(&old, &["http://b/"]), (&delta_named, &["http://d/"])], "2100-01-01T00:00:00Z");
    for part in
        ["kept      http://b/", "2025-01-02", "2024-01-02", "EXPIRED at 2099-01-02", "WITHOUT the delta", "1 of 2"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_program_fills_a_cache_and_says_when_there_is_nothing_to_fill_it_with() {
    let Some(bulla) = option_env!("CARGO_BIN_EXE_bulla") else { return eprintln!("SKIP no program in this build") };
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| Command::new(bulla).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(run(&["demo", "world"]).status.success());
    let export = ["evidence", "export", "--notation-cache", "cache", "world/hello.bulla.tar"];
    let output = run(&export);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.ends_with("4 of 4 entries written, 0 CRLs left out\n"), "{text}");
    assert_eq!(fs::read_dir(folder.path().join("cache/crl")).unwrap().count(), 4);
    let (newer, older) = ("world/revoked.bulla.tar", "world/hello.bulla.tar");
    for (bundle, force, count) in [(newer, false, 4), (older, false, 0), (older, true, 4)] {
        let mut arguments = vec!["evidence", "export", "--notation-cache", "cache", bundle];
        arguments.extend(force.then_some("--force"));
        let text = String::from_utf8(run(&arguments).stdout).unwrap();
        assert!(text.contains(&format!("\n{count} of 4 entries written")), "{bundle}: {text}");
    }
    // A layout without evidence.
    let digest = Digest::sha256(b"{}");
    let bare = folder.path().join("bare");
    fs::create_dir_all(bare.join("blobs/sha256")).unwrap();
    fs::write(bare.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    fs::write(bare.join("blobs/sha256").join(digest.hex()), "{}").unwrap();
    let config = Descriptor::new(bulla::oci::MediaType::OCI_EMPTY, digest, 2);
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": bulla::oci::MediaType::OCI_MANIFEST,
        "artifactType": "a/b", "config": config, "layers": [config]});
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let root = Descriptor::of(bulla::oci::MediaType::OCI_MANIFEST, &bytes);
    fs::write(bare.join("blobs/sha256").join(root.digest.hex()), &bytes).unwrap();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [root]});
    fs::write(bare.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    let output = run(&["evidence", "export", "--notation-cache", "other", "bare"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(4) && text.contains("error[not-found]") && text.contains("no CRLs"), "{text}");
    assert!(!folder.path().join("other").exists());
}
