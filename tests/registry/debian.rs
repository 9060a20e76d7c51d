//! The same against a registry that we did not write: Debian's `docker-registry`, which has no referrers API.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bulla::code::DiagnosticCode;
use bulla::config::credentials::GivenCredential;
use bulla::http::{Roots, Secret};
use bulla::oci::{Descriptor, MediaType, Target};
use bulla::store::registry::{LoopbackScheme, PlainHttp, RegistryClient};
use bulla::store::{ContentKind, ContentSink, ContentStore, NameRule, Publication, RawContent, SearchResult};
use tempfile::TempDir;

use super::*;

struct Server {
    child: Child,
    host: String,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        crate::skip::tool(format_args!("{tool} is not installed"));
    }
    there
}

/// Starts the registry on a free port, with these lines below `http:` and at the top level.
fn start(prepare: impl FnOnce(&Path) -> (String, String)) -> Option<Server> {
    if !there("docker-registry") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let (http, top) = prepare(folder.path());
    let config = folder.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n{http}{top}",
        folder.path().join("data").display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = Server { child: command.spawn().unwrap(), host, folder };
    for _ in 0..200 {
        if TcpStream::connect(&server.host).is_ok() {
            return Some(server);
        }
        assert!(server.child.try_wait().unwrap().is_none(), "docker-registry ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("docker-registry does not listen");
}

/// Puts an image with a small and a large layer and a referrer, all under names.
fn fill(sink: &RegistryStore) -> (Descriptor, Descriptor, Vec<u8>) {
    let content = noise(5 << 20);
    let layers = [Descriptor::of("application/vnd.oci.image.layer.v1.tar", &content)];
    let put = |descriptor: &Descriptor, kind, bytes: &[u8]| {
        sink.put(descriptor, kind, RawContent::from_bytes(bytes.to_vec())).unwrap();
        assert!(sink.has(descriptor, kind).unwrap());
    };
    put(&Descriptor::of(MediaType::OCI_EMPTY, b"{}"), ContentKind::Blob, b"{}");
    put(&layers[0], ContentKind::Blob, &content);
    let bytes = image(&layers, None, None);
    let root = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    assert!(!sink.has(&root, ContentKind::Manifest).unwrap());
    put(&root, ContentKind::Manifest, &bytes);
    let bytes = image(&[], Some(&root), Some("application/vnd.example"));
    let referrer = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    put(&referrer, ContentKind::Manifest, &bytes);
    let tag = Some("v1".parse().unwrap());
    sink.publish(&[Publication {
        descriptor: root.clone(),
        tag,
        reference: None,
        subject: None,
        rule: NameRule::Moves,
    }])
    .unwrap();
    (root, referrer, content)
}

fn check(store: &RegistryStore, (root, referrer, content): &(Descriptor, Descriptor, Vec<u8>)) {
    assert_eq!(store.resolve(&Target::Tag("v1".parse().unwrap())).unwrap().as_ref(), Some(root));
    assert_eq!(store.resolve(&Target::Tag("v2".parse().unwrap())).unwrap(), None);
    assert_eq!(store.resolve(&Target::Digest(referrer.digest)).unwrap().as_ref(), Some(referrer));
    assert_eq!(blob(store, content).unwrap().as_ref(), Some(content));
    assert_eq!(blob(store, b"absent").unwrap(), None);
    let found = store.referrers(root).unwrap();
    assert_eq!(
        found.searches.iter().map(|search| search.result).collect::<Vec<_>>(),
        [SearchResult::Unsupported, SearchResult::Found]
    );
    let [entry] = &found.descriptors[..] else { panic!("{found:?}") };
    assert!(entry.same_content(referrer));
    assert_eq!(entry.artifact_type.as_ref().unwrap(), "application/vnd.example");
    assert_eq!(entry.annotations["org.example.note"], "kept");
}

#[test]
fn push_pull_and_the_tag_schema() {
    let Some(server) = start(|_| Default::default()) else { return };
    let repository = repository(&server.host);
    let filled = fill(&client().destination(&repository));
    check(&client().source(&repository), &filled);
    let elsewhere = Repository::new(&server.host, "other/app").unwrap();
    let mounting = client().destination(&elsewhere).mounting_from(&repository);
    let layer = Descriptor::of("a/b", &filled.2);
    // The content would not pass the check, so it was not sent.
    mounting.put(&layer, ContentKind::Blob, RawContent::from_bytes(b"unused".to_vec())).unwrap();
    assert!(mounting.has(&layer, ContentKind::Blob).unwrap());
    let bad = Descriptor::of("a/b", &noise(2 << 20));
    let content = RawContent::from_bytes(vec![0; 2 << 20]);
    assert_eq!(code(mounting.put(&bad, ContentKind::Blob, content)), DiagnosticCode::BlobDigestMismatch);
    assert!(!mounting.has(&bad, ContentKind::Blob).unwrap());
}

#[test]
fn skopeo_reads_what_we_push_and_we_read_what_it_pushes() {
    let Some(server) = start(|_| Default::default()) else { return };
    if !there("skopeo") {
        return;
    }
    let repository = repository(&server.host);
    let (root, ..) = fill(&client().destination(&repository));
    let skopeo = |from: String, to: String| {
        let output = Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to])
            .env("HOME", server.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let layout = server.folder.path().join("layout");
    skopeo(format!("docker://{repository}:v1"), format!("oci:{}:v1", layout.display()));
    let index = fs::read_to_string(layout.join("index.json")).unwrap();
    assert!(index.contains(&root.digest.to_string()), "{index}");
    let back = Repository::new(&server.host, "back/app").unwrap();
    skopeo(format!("oci:{}:v1", layout.display()), format!("docker://{back}:v2"));
    let found = client().source(&back).resolve(&Target::Tag("v2".parse().unwrap())).unwrap();
    assert_eq!(found, Some(root));
}

#[test]
fn basic_authorization() {
    let Some(server) = start(|folder| {
        let path = folder.join("htpasswd");
        // bcrypt of "pass:word"
        fs::write(&path, "user:$2y$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki\n").unwrap();
        (String::new(), format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path.display()))
    }) else {
        return;
    };
    let repository = repository(&server.host);
    let right = client_as(GivenCredential::new("user", Secret::new("pass:word")).only_for(&server.host));
    let filled = fill(&right.destination(&repository));
    check(&right.source(&repository), &filled);
    let wrong = client_as(GivenCredential::new("user", Secret::new("password")).only_for(&server.host));
    assert_eq!(code(blob(&wrong.source(&repository), b"x")), DiagnosticCode::RegistryUnauthorized);
    let sink = client().destination(&repository);
    let nothing = Descriptor::of("a/b", b"x");
    let result = sink.put(&nothing, ContentKind::Blob, RawContent::from_bytes(b"x"));
    assert_eq!(code(result), DiagnosticCode::RegistryUnauthorized);
}

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn https_with_an_authority_of_our_own() {
    if !there("openssl") {
        return;
    }
    let Some(server) = start(|folder| {
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let ca = ["-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(folder, &[&new[..], &ca, &["-addext", "keyUsage=critical,keyCertSign"]].concat());
        let request = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=r"];
        openssl(folder, &[&request[..], &["-keyout", "r.key", "-out", "r.csr"]].concat());
        fs::write(folder.join("r.ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n").unwrap();
        let sign = ["x509", "-req", "-in", "r.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(folder, &[&sign[..], &["-days", "2", "-extfile", "r.ext", "-out", "r.pem"]].concat());
        let shown = |name: &str| folder.join(name).display().to_string();
        (format!("  tls:\n    certificate: {}\n    key: {}\n", shown("r.pem"), shown("r.key")), String::new())
    }) else {
        return;
    };
    let pem = fs::read(server.folder.path().join("ca.pem")).unwrap();
    let repository = repository(&server.host);
    let with = |ca_certificates: Vec<Vec<u8>>, roots: Roots| {
        let (mut settings, _) = settings();
        settings.plain_http = PlainHttp { hosts: Vec::new(), loopback: LoopbackScheme::Tls };
        settings.http.ca_certificates = ca_certificates;
        settings.http.roots = roots;
        RegistryClient::new(settings)
    };
    let filled = fill(&with(vec![pem.clone()], Roots::BuiltinAndOwn).unwrap().destination(&repository));
    check(&with(vec![pem], Roots::OwnOnly).unwrap().source(&repository), &filled);
    for roots in [Roots::BuiltinAndOwn, Roots::OwnOnly] {
        let error = blob(&with(Vec::new(), roots).unwrap().source(&repository), b"x").unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::NetworkFailed);
        assert!(error.to_string().contains("certificate is not accepted"), "{error}");
    }
    assert!(with(vec![b"no certificate".to_vec()], Roots::OwnOnly).is_err());
}
