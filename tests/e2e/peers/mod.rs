//! Tools that know nothing of bundles read them: the file as it is, what `tar` makes of it, and what `bulla import` wrote.
//!
//! Each is run for real. What it copies must have the digests that it had, and signatures that it carries must verify where
//! they arrive, with the evidence beside them and no network.

mod engines;
mod layouts;

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::cli::statement;
use crate::support::content::{Content, digest, get_manifest, tar_layer};
use crate::support::tools;
use crate::world::{SCOPE, World};

const CHART: &str = "registry.example/chart";

/// A sealed bundle of a signed image, a signed index for two platforms, and a signed artifact that is no image: as a file
/// (`all.tar`), unpacked (`unpacked`), and imported (`imported`). To the index's signature refer both its evidence and a note.
struct Shelf {
    world: World,
    /// Tag, repository and descriptor of each root.
    roots: [(&'static str, &'static str, Value); 3],
    /// The image's only layer, with the file `etc/motd`.
    config: Value,
}

const SOURCES: [&str; 3] = ["all.tar", "unpacked", "imported"];

fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

impl Shelf {
    fn new(test: &str, needed: &[&str]) -> Option<Self> {
        let mut world = World::new(test, &[&["tar"], needed].concat())?;
        let mut content = Content::default();
        let image = content.image(native(), &[tar_layer("etc/motd", b"hello\n")]);
        let index = content.two_platforms().index;
        let config = content.blob("application/vnd.oci.empty.v1+json", b"{}");
        let layer = content.blob("text/plain", b"a chart");
        let artifact = content.manifest(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.example.chart", "config": config, "layers": [layer],
        }));
        let roots = [("v1", SCOPE, image), ("v2", SCOPE, index), ("v3", CHART, artifact)];
        for (tag, _, root) in &roots {
            content.tag(tag, root);
            let signature = world.sign(&mut content, root);
            if *tag == "v2" {
                content.referrer(&signature, "application/vnd.example.note", b"a note");
            }
        }
        content.write_layout(&world.user.path("l"));
        let manifest: Value = serde_json::from_slice(&content.blobs[digest(&roots[0].2)]).unwrap();
        Self::export(&mut world, &roots);
        Some(Self { world, roots, config: manifest["config"].clone() })
    }

    /// Exports everything; from then on nobody answers for CRLs.
    fn export(world: &mut World, roots: &[(&str, &str, Value); 3]) {
        let statements = [SCOPE, CHART, "bulla.invalid/seal"].map(|scope| statement(scope, "strict", false));
        world.user.policy(&statements);
        let (user, leaf) = (&world.user, &world.signer.leaf);
        user.put("key.pem", world.pki.key_pem(leaf).as_bytes());
        user.put("chain.pem", world.pki.chain_pem(leaf).as_bytes());
        let names: Vec<String> = roots
            .iter()
            .flat_map(|(tag, repository, _)| [format!("oci:l:{tag}"), "--as".into(), format!("{repository}:{tag}")])
            .collect();
        let mut words = vec!["export", "-o", "all.tar", "--seal", "key.pem", "--seal-certificate-chain", "chain.pem"];
        words.extend(names.iter().map(String::as_str));
        user.bulla(&words).ends(0);
        std::fs::create_dir(user.path("unpacked")).unwrap();
        tools::must("tar", &["-xf", "all.tar", "-C", "unpacked"], &user.folder());
        user.bulla(&["import", "all.tar", "--to", "oci:imported"]).ends(0);
        world.stop_serving();
    }

    /// Exports everything once more, to `loadable.tar`, which docker and podman load; its images' names and the digests of
    /// their configurations, by which these tools know them.
    fn loadable(&self) -> [(String, String); 2] {
        let user = &self.world.user;
        let platform = format!("linux/{}", native());
        let words =
            ["export", "oci:imported", "--docker-load", "--platform", &platform, "--offline", "-o", "loadable.tar"];
        user.bulla(&words).ends(0);
        user.bulla(&["verify", "loadable.tar"]).says(0, &["TRUSTED"]);
        let blob = |digest: &str| user.json(&format!("l/blobs/{}", digest.replace(':', "/")));
        let index: Value = blob(digest(&self.roots[1].2));
        let is_native = |child: &&Value| child["platform"]["architecture"] == native();
        let child: Value = blob(digest(index["manifests"].as_array().unwrap().iter().find(is_native).unwrap()));
        let configs = [digest(&self.config).to_owned(), digest(&child["config"]).to_owned()];
        let mut names = self.roots.iter().map(|(tag, repository, _)| format!("{repository}:{tag}"));
        configs.map(|config| (names.next().unwrap(), config))
    }

    /// Runs a tool in an environment of its own: not even its configuration comes from who runs the tests.
    fn run(&self, tool: &str, words: &[&str]) -> Output {
        let mut command = Command::new(tool);
        command.args(words).current_dir(self.world.user.folder()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.world.user.home()).env("PATH", std::env::var_os("PATH").unwrap());
        command.output().unwrap()
    }

    /// Runs a tool that must succeed; what it prints.
    #[track_caller]
    fn must(&self, tool: &str, words: &[&str]) -> String {
        let output = self.run(tool, words);
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{tool} {words:?}: {}\n{out}{errors}", output.status);
        out.trim().to_owned()
    }

    /// The artifact is under this name, and its signature and the evidence for that came along and are found.
    #[track_caller]
    fn check_trusted(&self, host: &str, repository: &str, tag: &str) {
        let (_, scope, root) = self.roots.iter().find(|(name, ..)| *name == tag).unwrap();
        let (found, _) = get_manifest(host, repository, tag).unwrap_or_else(|| panic!("{repository}:{tag} is missing"));
        assert_eq!(found, digest(root), "{repository}:{tag}");
        let reference = format!("{host}/{repository}:{tag}");
        self.world.user.bulla(&["verify", &reference, "--scope", scope, "--offline"]).says(0, &["TRUSTED"]);
    }
}

/// A file in a bundle of its own, which has no tag: its name is the full reference, and its digest.
fn file_bundle(shelf: &Shelf) -> (String, String) {
    let user = &shelf.world.user;
    user.put("tool.bin", b"a tool");
    user.bulla(&["export", "file:tool.bin", "-o", "file.tar"]).ends(0);
    let index: Value = serde_json::from_str(&shelf.must("tar", &["-xOf", "file.tar", "index.json"])).unwrap();
    let entry = &index["manifests"][0];
    (entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().into(), digest(entry).into())
}
