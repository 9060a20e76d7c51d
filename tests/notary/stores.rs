//! Trust store directories, with certificates that openssl made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bulla::code::{Diagnostic as _, DiagnosticCode};
use bulla::config::{ConfigError, IgnoredReason, LoadedStores, load_trust_stores};
use bulla::limits::Limits;
use bulla::trust::TrustStoreName;

use crate::pki::{CA, Holder, LEAF, Workshop};

struct Stores {
    workshop: Workshop,
    root: Holder,
    intermediate: Holder,
    leaf: Holder,
    alone: Holder,
}

impl Stores {
    fn open() -> Option<Self> {
        let workshop = Workshop::open()?;
        let make = |name: &str, extensions, issuer| {
            workshop.certificate(name, "ec:P-256", &format!("/C=US/ST=WA/O=acme/CN={name}"), extensions, issuer)
        };
        let root = make("root", CA, None);
        let intermediate = make("intermediate", CA, Some(&root));
        let leaf = make("leaf", LEAF, Some(&intermediate));
        let alone = make("alone", LEAF, None);
        Some(Self { root, intermediate, leaf, alone, workshop })
    }

    /// An empty store directory in Notation's place.
    fn fresh(&self, store: &str) -> PathBuf {
        let path = self.workshop.path().join("truststore/x509").join(store.replace(':', "/"));
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn load(&self, store: &str) -> Result<LoadedStores, ConfigError> {
        load(self.workshop.path(), store)
    }

    fn code(&self, store: &str) -> DiagnosticCode {
        self.load(store).unwrap_err().code()
    }
}

fn load(dir: &Path, store: &str) -> Result<LoadedStores, ConfigError> {
    load_trust_stores(dir, &[store.parse().unwrap()], &Limits::default())
}

fn count(loaded: &LoadedStores, store: &str) -> usize {
    loaded.stores.get(&store.parse::<TrustStoreName>().unwrap()).unwrap().len()
}

#[test]
fn certificates_are_read_as_pem_and_der_and_the_rest_is_reported() {
    // Conformance 6.04 to 6.06.
    let Some(stores) = Stores::open() else { return };
    let dir = stores.fresh("ca:acme");
    let text = |holder: &Holder| fs::read_to_string(&holder.certificate).unwrap();
    fs::write(dir.join("two.pem"), format!("some text\n{}{}", text(&stores.root), text(&stores.intermediate))).unwrap();
    fs::write(dir.join("alone.CRT"), stores.workshop.der(&stores.alone)).unwrap();
    fs::write(dir.join("root.cer"), stores.workshop.der(&stores.root)).unwrap();
    fs::write(dir.join("README.txt"), "no certificate").unwrap();
    fs::create_dir(dir.join("old.pem")).unwrap();
    let loaded = stores.load("ca:acme").unwrap();
    assert_eq!(count(&loaded, "ca:acme"), 4);
    let reasons: Vec<_> = loaded.ignored.iter().map(|warning| warning.reason).collect();
    assert_eq!(reasons, [IgnoredReason::Ending, IgnoredReason::Directory]);
    assert!(loaded.ignored[1].to_string().contains("old.pem"), "{}", loaded.ignored[1]);
}

#[test]
fn the_directory_may_be_given_in_three_ways() {
    // Conformance 6.01.
    let Some(stores) = Stores::open() else { return };
    let dir = stores.fresh("signingAuthority:acme");
    fs::copy(&stores.root.certificate, dir.join("root.pem")).unwrap();
    for dir in ["", "truststore", "truststore/x509"] {
        let loaded = load(&stores.workshop.path().join(dir), "signingAuthority:acme").unwrap();
        assert_eq!(count(&loaded, "signingAuthority:acme"), 1, "{dir}");
    }
    let nowhere = load(&stores.workshop.path().join("truststore/x509/signingAuthority"), "ca:acme").unwrap_err();
    assert_eq!(nowhere.code(), DiagnosticCode::TrustStoreMissing);
    assert!(nowhere.hint().is_some());
    assert_eq!(stores.code("ca:acme"), DiagnosticCode::TrustStoreMissing, "types are never shared (6.12)");
    assert_eq!(stores.code("signingAuthority:Acme"), DiagnosticCode::TrustStoreMissing);
    assert!(load_trust_stores(Path::new("/nonexistent"), &[], &Limits::default()).is_ok(), "nothing wanted");
}

#[test]
fn links_are_refused_wherever_they_are() {
    // Conformance 6.02.
    let Some(stores) = Stores::open() else { return };
    let real = stores.fresh("ca:real");
    fs::copy(&stores.root.certificate, real.join("root.pem")).unwrap();
    symlink(&real, real.with_file_name("link")).unwrap();
    assert_eq!(stores.code("ca:link"), DiagnosticCode::TrustStoreInvalid, "store");
    for name in ["link.pem", "link.txt", "dangling.pem"] {
        let dir = stores.fresh("ca:links");
        fs::copy(&stores.root.certificate, dir.join("root.pem")).unwrap();
        symlink(real.join(if name == "dangling.pem" { "absent" } else { "root.pem" }), dir.join(name)).unwrap();
        assert_eq!(stores.code("ca:links"), DiagnosticCode::TrustStoreInvalid, "{name}");
    }
    fs::write(real.with_file_name("file"), "x").unwrap();
    assert_eq!(stores.code("ca:file"), DiagnosticCode::TrustStoreInvalid, "a file is no store");
}

#[test]
fn one_bad_file_spoils_its_store_and_no_other() {
    // Conformance 6.05, 6.06, 6.09, 6.13.
    let Some(stores) = Stores::open() else { return };
    let pem = fs::read_to_string(&stores.root.certificate).unwrap();
    let key = fs::read_to_string(&stores.root.key).unwrap();
    for (why, content) in [
        ("empty", String::new()),
        ("no certificate", "hello".to_owned()),
        ("a key", key.clone()),
        ("a key beside a certificate", format!("{pem}{key}")),
        ("cut off", pem[..pem.len() / 2].to_owned()),
        ("too large", format!("{pem}{}", " ".repeat(1 << 20))),
    ] {
        let dir = stores.fresh("ca:bad");
        fs::write(dir.join("a.pem"), &pem).unwrap();
        fs::write(dir.join("b.pem"), content).unwrap();
        assert_eq!(stores.code("ca:bad"), DiagnosticCode::TrustStoreInvalid, "{why}");
    }
    stores.fresh("ca:empty");
    assert_eq!(stores.code("ca:empty"), DiagnosticCode::TrustStoreMissing);
    let good = stores.fresh("ca:good");
    fs::write(good.join("a.pem"), &pem).unwrap();
    assert!(stores.load("ca:good").is_ok(), "stores that nobody asks for are not looked at");
}

#[test]
fn each_type_of_store_has_its_kind_of_certificate() {
    // Conformance 6.07, 6.08, 6.10.
    let Some(stores) = Stores::open() else { return };
    for (kind, holder, accepted) in [
        ("ca", &stores.root, true),
        ("ca", &stores.intermediate, true),
        ("ca", &stores.alone, true),
        ("ca", &stores.leaf, false),
        ("signingAuthority", &stores.intermediate, true),
        ("signingAuthority", &stores.leaf, false),
        ("tsa", &stores.root, true),
        ("tsa", &stores.intermediate, false),
        ("tsa", &stores.alone, false),
        ("tsa", &stores.leaf, false),
    ] {
        let name = format!("{kind}:kinds");
        let dir = stores.fresh(&name);
        fs::copy(&holder.certificate, dir.join("a.pem")).unwrap();
        match stores.load(&name) {
            Ok(loaded) => assert!(accepted && count(&loaded, &name) == 1, "{kind} {holder:?}"),
            Err(error) => {
                assert!(!accepted && error.code() == DiagnosticCode::TrustStoreInvalid, "{kind} {holder:?}: {error}");
            }
        }
    }
}
