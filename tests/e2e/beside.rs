//! bulla and Notation itself, side by side, with one home: what one signs the other verifies, and each reads the other's files.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::cli::{Ended, User, statement};
use crate::support::content::{Content, INDEX, digest, noise};
use crate::support::http::File;
use crate::support::openssl::{Chain, Key, Use};
use crate::support::registry::{Options, Registry};
use crate::support::tools::{self, DockerRegistry};
use crate::world::{SCOPE, World};

const FORMATS: [&str; 2] = ["jws", "cose"];

/// A world, one chain for each kind of key, all trusted, and two registries: one with the referrers API, one without.
struct Beside {
    world: World,
    chains: Vec<(Key, Chain)>,
    api: Registry,
    tags: DockerRegistry,
    /// `--timestamp-url …`
    stamp: Vec<String>,
}

impl Beside {
    fn new(test: &str, keys: &[Key]) -> Option<Self> {
        let world = World::new(test, &["notation", "docker-registry"])?;
        let chains: Vec<_> = keys
            .iter()
            .map(|key| (*key, world.pki.chain(&format!("{key:?}").to_lowercase(), *key, Use::Signing)))
            .collect();
        let mut listed = Vec::new();
        for (_, chain) in &chains {
            for holder in [&chain.root, &chain.inter] {
                world.serve(holder, &world.pki.crl(holder));
            }
            let (name, user) = (&chain.leaf.name, &world.user);
            user.trusts("ca/e2e", &world.pki.pem(&chain.root));
            let key = user.put(&format!("{name}.key"), world.pki.key_pem(&chain.leaf).as_bytes());
            let certificates = user.put(&format!("{name}.crt"), world.pki.chain_pem(&chain.leaf).as_bytes());
            listed.push(json!({"name": name, "keyPath": key, "certPath": certificates}));
        }
        let keys = world.user.home().join(".config/notation/signingkeys.json");
        fs::write(keys, json!({ "keys": listed }).to_string()).unwrap();
        let api = Registry::start(Options::default());
        // oras takes the type of an index only where nothing stands behind it.
        api.change("GET", "/referrers/", usize::MAX, |reply| reply.header("content-type", INDEX));
        let hosts = json!({"insecureRegistries": [api.host()]});
        fs::write(world.user.home().join(".config/notation/config.json"), hosts.to_string()).unwrap();
        let stamp = authority(&world);
        Some(Self { world, chains, api, tags: DockerRegistry::start(), stamp })
    }

    fn user(&self) -> &User {
        &self.world.user
    }

    /// Every key in every format, each with an artifact of its own.
    fn combinations(&self) -> Vec<Combination<'_>> {
        let pairs = self.chains.iter().flat_map(|(_, chain)| FORMATS.map(|format| (chain, format)));
        pairs.enumerate().map(|(at, (chain, format))| Combination { beside: self, at, chain, format }).collect()
    }
}

/// An openssl authority at `/tsa`; the flags that name it.
fn authority(world: &World) -> Vec<String> {
    let pki = Arc::new(crate::support::openssl::Pki::new(&world.server().url()));
    let chain = pki.chain("stamping", Key::Rsa2048, Use::Timestamping);
    for holder in [&chain.root, &chain.inter] {
        world.serve(holder, &pki.crl(holder));
    }
    world.user.trusts("tsa/e2e", &pki.pem(&chain.root));
    let root = world.user.put("tsa.pem", pki.pem(&chain.root).as_bytes());
    let holder = chain.leaf;
    let answer = move |query: &[u8]| ("application/timestamp-reply".to_owned(), pki.reply(&holder, query));
    world.server().put("tsa", File::Answer(Arc::new(answer)));
    vec!["--timestamp-url".into(), format!("{}/tsa", world.server().url()), "--timestamp-root-cert".into(), root]
}

/// A key, a format, and an artifact that nobody else signs.
struct Combination<'a> {
    beside: &'a Beside,
    at: usize,
    chain: &'a Chain,
    format: &'static str,
}

impl Combination<'_> {
    fn content(&self) -> (Content, Value) {
        let mut content = Content::default();
        let image = content.image("amd64", &[noise(self.at.try_into().unwrap(), 64)]);
        content.tag("v1", &image);
        (content, image)
    }

    /// Half of all signatures are stamped, in both formats; the others must do without.
    fn stamp(&self) -> Vec<&str> {
        let stamped = self.at % 4 < 2;
        self.beside.stamp.iter().filter(|_| stamped).map(String::as_str).collect()
    }

    fn policy(&self, scope: &str) {
        self.beside.user().policy(&[statement(scope, "strict", !self.stamp().is_empty())]);
    }

    /// Puts the artifact into a registry with the referrers API or without; its name there.
    fn pushed(&self) -> (String, String) {
        let (content, image) = self.content();
        let repository = format!("app{}", self.at);
        let host = if self.at.is_multiple_of(3) {
            content.push(&self.beside.tags.host(), &repository);
            self.beside.tags.host()
        } else {
            content.fill(&self.beside.api, &repository, false);
            self.beside.api.host()
        };
        let name = format!("{host}/{repository}");
        (format!("{name}@{}", digest(&image)), name)
    }

    /// Writes the artifact as a layout; its reference.
    fn layout(&self) -> String {
        let (content, image) = self.content();
        let folder = format!("layout{}", self.at);
        content.write_layout(&self.beside.user().path(&folder));
        format!("{folder}@{}", digest(&image))
    }

    /// The flags of `sign` that both take.
    fn signing(&self) -> Vec<&str> {
        let name = &self.chain.leaf.name;
        [&["--key", name, "--signature-format", self.format, "-e", "24h", "-m", "build=1 & <2>"][..], &self.stamp()]
            .concat()
    }
}

/// A program, as a user runs it.
type Program = fn(&User, &[&str]) -> Ended;

const NOTATION: Program = User::notation;
const BULLA: Program = User::bulla;

const VERIFIED: &str = "Successfully verified signature for ";

#[test]
fn what_bulla_signs_notation_verifies() {
    let Some(beside) = Beside::new("what_bulla_signs_notation_verifies", &Key::ALL) else { return };
    let user = beside.user();
    for combination in beside.combinations() {
        let (reference, scope) = combination.pushed();
        combination.policy(&scope);
        user.notation(&["verify", &reference]).says(1, &["no signature is associated"]);
        let signed = user.bulla(&[&["sign", &reference], &combination.signing()[..]].concat()).ends(0);
        user.notation(&["verify", &reference, "-m", "build=1 & <2>"]).says(0, &[VERIFIED, "1 & <2>"]);
        user.notation(&["verify", &reference, "-m", "build=2"]).says(1, &["verification failed"]);
        shown_alike(user, &reference, &signed);
        // In a layout Notation 1 knows the older manifests only (conformance 1.23).
        let layout = combination.layout();
        combination.policy(SCOPE);
        let judge = ["verify", "--oci-layout", &layout, "--scope", SCOPE];
        user.bulla(&[&["sign", "--oci-layout", &layout], &combination.signing()[..]].concat()).ends(0);
        user.notation(&judge).says(1, &["no signature is associated"]);
        user.bulla(&[&["sign", "--oci-layout", &layout, "--legacy-manifest"], &combination.signing()[..]].concat())
            .ends(0);
        user.notation(&judge).says(0, &[VERIFIED]);
        user.notation(&["list", "--oci-layout", &layout]).says(0, &["└── sha256:"]);
    }
}

/// `list` and `inspect` of the two show the same signature.
#[track_caller]
fn shown_alike(user: &User, reference: &str, signed: &Ended) {
    let text = signed.text();
    let signature = text.lines().last().unwrap().rsplit_once('@').unwrap().1.to_owned();
    let [listed, ours] = [user.notation(&["list", reference]).ends(0), user.bulla(&["list", reference]).ends(0)];
    assert_eq!(listed.text(), ours.text());
    assert!(listed.text().contains(&signature), "{listed:?}");
    let inspect = ["inspect", reference, "-o", "json"];
    let [theirs, ours] = [user.notation(&inspect), user.bulla(&inspect)]
        .map(|ended| -> Value { serde_json::from_slice(&ended.ends(0).stdout).unwrap() });
    assert_eq!(theirs["mediaType"], ours["mediaType"]);
    let (mut theirs, mut ours) = (theirs["Signatures"][0].clone(), ours["signatures"][0].clone());
    // Notation 2 has another name for the one, and the other besides.
    let media_type = theirs.as_object_mut().unwrap().remove("mediaType");
    let ours_of_2 = ours.as_object_mut().unwrap();
    assert_eq!(media_type, ours_of_2.remove("signatureEnvelopeType"));
    ours_of_2["signedAttributes"].as_object_mut().unwrap().remove("contentType").unwrap();
    assert_eq!(theirs, ours);
    assert_eq!(ours["digest"], signature.as_str());
}

#[test]
fn what_notation_signs_bulla_verifies() {
    let keys = [Key::Rsa3072, Key::P256, Key::P521];
    let Some(mut beside) = Beside::new("what_notation_signs_bulla_verifies", &keys) else { return };
    let mut bundles = Vec::new();
    for combination in beside.combinations() {
        let user = beside.user();
        let (reference, scope) = combination.pushed();
        combination.policy(&scope);
        user.notation(&[&["sign", &reference], &combination.signing()[..]].concat()).says(0, &["Successfully signed"]);
        user.bulla(&["verify", &reference, "-m", "build=1 & <2>"]).says(0, &["TRUSTED"]);
        user.bulla(&["verify", &reference, "-m", "build=2"]).says(1, &["user-metadata-mismatch"]);
        let layout = combination.layout();
        combination.policy(SCOPE);
        let sign = [&["sign", "--oci-layout", &layout], &combination.signing()[..]].concat();
        user.notation(&sign).says(0, &["Successfully signed"]);
        user.bulla(&["verify", "--oci-layout", &layout, "--scope", SCOPE]).says(0, &["TRUSTED"]);
        // Packed with its revocation data.
        combination.policy(&scope);
        let bundle = format!("bundle{}.tar", combination.at);
        user.bulla(&["export", &reference, "-o", &bundle]).ends(0);
        bundles.push((combination.at, bundle, reference, scope, combination.stamp().is_empty()));
    }
    beside.world.stop_serving();
    let user = beside.user();
    for (at, bundle, reference, scope, unstamped) in bundles {
        user.policy(&[statement(&scope, "strict", !unstamped)]);
        user.offline(&["verify", &bundle]).says(0, &["TRUSTED"]);
        // On the other side Notation verifies what arrived, with the CRLs that came along and no network.
        let inside = format!("{}/inside{at}", beside.tags.host());
        let arrived = format!("{inside}@{}", reference.rsplit_once('@').unwrap().1);
        user.bulla(&["import", &bundle, "--to", &beside.tags.host(), "--map", &format!("{scope}={inside}")]).ends(0);
        user.policy(&[statement(&inside, "strict", !unstamped)]);
        let cache = user.home().join(".cache/notation");
        let _ = fs::remove_dir_all(&cache);
        user.notation(&["verify", &arrived]).says(1, &["verification failed"]);
        let _ = fs::remove_dir_all(&cache);
        user.bulla(&["evidence", "export", "--notation-cache", &cache.display().to_string(), &bundle]).ends(0);
        user.notation(&["verify", &arrived]).says(0, &[VERIFIED]);
    }
}

#[test]
fn each_reads_the_files_of_the_other() {
    if !tools::there("each_reads_the_files_of_the_other", &["notation", "docker-registry"]) {
        return;
    }
    let registry = DockerRegistry::start();
    let user = User::new();
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.push(&registry.host(), "app");
    let reference = format!("{}/app@{}", registry.host(), digest(&image));
    let both = |arguments: &[&str]| [user.notation(arguments), user.bulla(arguments)];
    let alike = |arguments: &[&str]| {
        let [theirs, ours] = both(arguments).map(|ended| ended.ends(0).text());
        assert_eq!(theirs, ours, "{arguments:?}");
        ours
    };
    user.notation(&["cert", "generate-test", "theirs", "--default"]).ends(0);
    user.bulla(&["cert", "generate-test", "ours"]).ends(0);
    assert!(alike(&["key", "list"]).contains("\n* theirs "));
    assert!(alike(&["cert", "list"]).contains("ours.crt"));
    user.bulla(&["key", "update", "ours", "--default"]).ends(0);
    assert!(alike(&["key", "list"]).contains("\n* ours "));
    // A policy that one imports is the other's, as is the next.
    let policy = |level: &str, store: &str| {
        let mut one = statement("*", level, false);
        one["trustStores"] = json!([format!("ca:{store}")]);
        user.put("policy.json", json!({"version": "1.0", "trustPolicies": [one]}).to_string().as_bytes())
    };
    let sign = |name: &str| both(&["sign", &reference, "--key", name]).map(|ended| ended.ends(0));
    user.bulla(&["policy", "import", &policy("strict", "theirs")]).ends(0);
    assert!(alike(&["policy", "show"]).contains("ca:theirs"));
    sign("ours");
    for ended in both(&["verify", &reference]) {
        ended.ends(1);
    }
    sign("theirs");
    for ended in both(&["verify", &reference]) {
        ended.ends(0);
    }
    user.notation(&["policy", "import", &policy("permissive", "ours"), "--force"]).ends(0);
    assert!(alike(&["policy", "show"]).contains("permissive"));
    for ended in both(&["verify", &reference]) {
        ended.ends(0);
    }
    // A certificate that one adds, the other finds, and takes away.
    let certificate = user.home().join(".config/notation/localkeys/ours.crt").display().to_string();
    for (adds, deletes) in [(NOTATION, BULLA), (BULLA, NOTATION)] {
        adds(&user, &["cert", "add", "--type", "ca", "--store", "more", &certificate]).ends(0);
        assert!(alike(&["cert", "list", "--store", "more"]).contains("ours.crt"));
        deletes(&user, &["cert", "delete", "--type", "ca", "--store", "more", "ours.crt", "-y"]).ends(0);
        for ended in both(&["cert", "show", "--type", "ca", "--store", "more", "ours.crt"]) {
            assert_ne!(ended.status, 0, "{ended:?}");
        }
    }
    user.notation(&["key", "delete", "ours"]).ends(0);
    user.bulla(&["key", "delete", "theirs"]).ends(0);
    alike(&["key", "list"]);
}

/// What scripts test for: zero or not.
#[test]
fn commands_succeed_and_fail_alike() {
    if !tools::there("commands_succeed_and_fail_alike", &["notation"]) {
        return;
    }
    let registry = Registry::start(Options::default());
    let (host, user) = (registry.host(), User::new());
    let mut content = Content::default();
    let image = content.image("amd64", &[b"a layer".to_vec()]);
    content.tag("v1", &image);
    content.fill(&registry, "app", true);
    content.write_layout(&user.path("layout"));
    user.put("broken.json", b"{");
    user.put("invalid.json", br#"{"version":"1.0","trustPolicies":[]}"#);
    user.put("text.pem", b"no certificate");
    let mut wrong = Vec::new();
    for written in COMMANDS.lines().filter(|line| !line.is_empty()) {
        let line = written.replace("HOST", &host).replace("DIGEST", digest(&image));
        let words: Vec<&str> = line.split_whitespace().collect();
        let [theirs, ours] = [NOTATION, BULLA].map(|run| {
            // Neither sees what the other leaves behind.
            let _ = fs::remove_dir_all(user.home().join(".config"));
            run(&user, &words)
        });
        let explained = OTHERWISE.iter().any(|(_, lines)| lines.contains(&written));
        match (theirs.status == 0) == (ours.status == 0) {
            true if explained => wrong.push(format!("{line}: they do the same, against what is written here")),
            false if !explained => wrong.push(format!("{theirs:?}{ours:?}")),
            _ => {}
        }
    }
    for line in OTHERWISE.iter().flat_map(|(_, lines)| *lines) {
        assert!(COMMANDS.lines().any(|known| known == *line), "{line} is not tried");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where the two do not: why, and the commands.
const OTHERWISE: &[(&str, &[&str])] = &[
    ("no signature may be made with such a key (5.02)", &["cert generate-test a.example --bits 1024"]),
    (
        "Notation passes over words too many; whoever names two things to verify must not believe that both were",
        &[
            "list HOST/app@DIGEST more --insecure-registry",
            "inspect HOST/app@DIGEST more --insecure-registry",
            "key list more",
            "key ls more",
            "key update none more",
            "cert list more",
            "cert generate-test a.example more",
            "plugin list more",
            "logout localhost:1 more",
        ],
    ),
    (
        "Notation takes the command for the value of a flag that it does not know yet",
        &["--insecure-registry list HOST/app@DIGEST", "-d list HOST/app@DIGEST --insecure-registry"],
    ),
    ("help about nothing", &["help bogus"]),
    (
        "Notation shows the help of a group and succeeds; a script with a misspelt command must not go on",
        &["policy bogus", "cert bogus", "key bogus", "plugin bogus", "completion tcsh"],
    ),
];

const COMMANDS: &str = "
version
list
list HOST/app:v1 --insecure-registry
list HOST/app@DIGEST --insecure-registry
ls --insecure-registry HOST/app@DIGEST
list HOST/app:none --insecure-registry
list HOST/none:v1 --insecure-registry
list HOST/app --insecure-registry
list HOST/app:v1@DIGEST --insecure-registry
list HOST/App:v1 --insecure-registry
list app:v1
list localhost:1/app:v1
list --max-signatures 0 HOST/app:v1 --insecure-registry
list --max-signatures -1 HOST/app:v1 --insecure-registry
list --max-signatures x HOST/app:v1 --insecure-registry
list --max-signatures 1 HOST/app:v1 --insecure-registry
list --oci-layout layout:v1
list --oci-layout layout@DIGEST
list --oci-layout layout:none
list --oci-layout layout
list --oci-layout none:v1
list -v HOST/app:v1 --insecure-registry=true
list -d HOST/app:v1 --insecure-registry
list -dv HOST/app:v1 --insecure-registry
list --allow-referrers-api HOST/app:v1 --insecure-registry
list --insecure-registry=maybe HOST/app:v1
list --nonsense HOST/app:v1
list -z HOST/app:v1
list -u
inspect
inspect HOST/app:v1 --insecure-registry
inspect HOST/app:v1 --insecure-registry -o json
inspect HOST/app:v1 --insecure-registry -o text
inspect HOST/app:v1 --insecure-registry -o xml
inspect HOST/app:none --insecure-registry
verify
verify HOST/app:v1 --insecure-registry
verify HOST/app:none --insecure-registry
verify --oci-layout layout:v1
verify --oci-layout layout:v1 --scope local/app
verify --scope local/app HOST/app:v1
verify -m a HOST/app:v1 --insecure-registry
verify -m =b HOST/app:v1 --insecure-registry
sign
sign HOST/app:v1 --insecure-registry
sign HOST/app:v1 --insecure-registry --key none
sign HOST/app:v1 --insecure-registry --plugin none --id x
sign HOST/app:v1 --insecure-registry --plugin none
sign HOST/app:v1 --insecure-registry --key a --id x --plugin none
sign HOST/app:v1 --insecure-registry --timestamp-url http://localhost:1
sign HOST/app:v1 --insecure-registry --signature-format pgp
sign HOST/app:v1 --insecure-registry -e -1h
sign HOST/app:v1 --insecure-registry -e 1500ms
sign HOST/app:v1 --insecure-registry -e tomorrow
login
logout
logout localhost:1
policy
policy show
policy show more
policy import
policy import none.json
policy import broken.json
policy import invalid.json
policy import invalid.json --force
policy bogus
cert
certificate list
cert ls
cert list --type bogus
cert list --type ca --store none
cert show
cert show --type ca --store none none.pem
cert show --type bogus --store none none.pem
cert add
cert add text.pem
cert add --type ca text.pem
cert add --type ca --store one none.pem
cert add --type ca --store one text.pem
cert add --type bogus --store one text.pem
cert add --type ca --store ../one text.pem
cert delete --type ca --store none --all -y
cert delete --type ca --store none none.pem -y
cert delete --type ca --store none -y
cert generate-test
cert generate-test a.example
cert generate-test a.example --bits 1024
cert generate-test a.example -b 3072 --default
cert generate-test ../a
cert bogus
key
key list
key ls
key list more
key ls more
cert list more
plugin list more
list HOST/app@DIGEST more --insecure-registry
inspect HOST/app@DIGEST more --insecure-registry
version more
policy import invalid.json more
key update none more
logout localhost:1 more
plugin uninstall none more
cert show --type ca --store none none.pem more
cert generate-test a.example more
completion bash more
login localhost:1 more -u u -p p
list HOST/app@DIGEST --insecure-registry --username
list HOST/app@DIGEST --insecure-registry -u= -p=
list HOST/app@DIGEST --insecure-registry -p x
list --insecure-registry -- HOST/app@DIGEST
--insecure-registry list HOST/app@DIGEST
-d list HOST/app@DIGEST --insecure-registry
list --insecure-registry HOST/app@sha256:00
list --insecure-registry HOST/app@sha512:DIGEST
list --insecure-registry HOST/app@
list --insecure-registry HOST/app:
list --insecure-registry HOST
list --insecure-registry http://HOST/app:v1
list --oci-layout layout:v1 --insecure-registry
list --oci-layout=false HOST/app@DIGEST --insecure-registry
list --oci-layout layout/:v1
list --oci-layout ./layout@DIGEST
list --oci-layout text.pem:v1
sign --oci-layout layout:v1
sign --oci-layout layout:v1 --force-referrers-tag
verify --oci-layout --scope registry.example/app layout@DIGEST
key add
key add one
key add one --plugin none
key add one --plugin none --id x
key update
key update none
key set none --default
key delete
key delete none
key bogus
plugin
plugin list
plugin ls
plugin uninstall none
plugin uninstall none -y
plugin install
plugin install none
plugin install --file none.tar.gz
plugin install --file text.pem
plugin install --url http://localhost:1/x --sha256sum 00
plugin bogus
completion bash
completion tcsh
help
help list
help bogus
bogus
--help
list --help
-h
";
