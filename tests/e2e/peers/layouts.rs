//! Tools for registries and layouts: oras, crane, regctl, umoci, skopeo, buildah.

use serde_json::Value;

use super::{SOURCES, Shelf, file_bundle};
use crate::support::content::{check_layout, digest, get_manifest};
use crate::support::tools::{self, DockerRegistry};
use crate::world::SCOPE;

#[test]
fn oras_copies_with_signatures() {
    let Some(shelf) = Shelf::new("oras_copies_with_signatures", &["oras", "docker-registry"]) else { return };
    let registry = DockerRegistry::start();
    let host = registry.host();
    for source in SOURCES {
        let tags = shelf.must("oras", &["repo", "tags", "--oci-layout", source]);
        assert_eq!(tags.split_whitespace().collect::<Vec<_>>(), ["v1", "v2", "v3"], "{source}");
        let repository = source.replace('.', "-");
        for (tag, _, root) in &shelf.roots {
            let (from, to) = (format!("{source}:{tag}"), format!("{host}/{repository}:{tag}"));
            assert_eq!(shelf.must("oras", &["resolve", "--oci-layout", &from]), digest(root));
            shelf.must("oras", &["cp", "-r", "--from-oci-layout", &from, "--to-plain-http", &to]);
            shelf.check_trusted(&host, &repository, tag);
        }
    }
    // From the file into a layout, which verifies as it is.
    shelf.must("oras", &["cp", "-r", "--from-oci-layout", "all.tar:v2", "--to-oci-layout", "copied:v2"]);
    assert_eq!(check_layout(&shelf.world.user.path("copied"))["v2"], digest(&shelf.roots[1].2));
    shelf.world.user.bulla(&["verify", "oci:copied:v2", "--scope", SCOPE, "--offline"]).says(0, &["TRUSTED"]);
    // Version 1.3 restores all of a layout at once.
    if shelf.run("oras", &["restore", "--help"]).status.success() {
        shelf.must("oras", &["restore", "--input", "all.tar", "--plain-http", &format!("{host}/restored")]);
        shelf.roots.iter().for_each(|(tag, ..)| shelf.check_trusted(&host, "restored", tag));
    }
}

#[test]
fn oras_pulls_a_file_out_of_a_bundle() {
    let Some(shelf) = Shelf::new("oras_pulls_a_file_out_of_a_bundle", &["oras"]) else { return };
    let (_, digest) = file_bundle(&shelf);
    shelf.must("oras", &["pull", "--oci-layout", &format!("file.tar@{digest}"), "-o", "pulled"]);
    assert_eq!(std::fs::read(shelf.world.user.path("pulled/tool.bin")).unwrap(), b"a tool");
}

/// crane pushes a layout whole, as one index; what is in it is then there by digest, signatures too. In a registry without the
/// referrers API it lists what refers to an artifact by the tag schema, and races with itself where several do: so what refers
/// to the index's signature may be there and not be found.
#[test]
fn crane_pushes_an_unpacked_bundle() {
    let Some(shelf) = Shelf::new("crane_pushes_an_unpacked_bundle", &["crane", "docker-registry"]) else { return };
    let registry = DockerRegistry::start();
    let host = registry.host();
    for source in ["unpacked", "imported"] {
        shelf.must("crane", &["push", "--index", source, &format!("{host}/{source}:all")]);
        for (tag, _, root) in &shelf.roots {
            shelf.must("crane", &["tag", &format!("{host}/{source}@{}", digest(root)), tag]);
            if *tag == "v2" {
                assert_eq!(get_manifest(&host, source, tag).unwrap().0, digest(root));
            } else {
                shelf.check_trusted(&host, source, tag);
            }
        }
    }
    // Its own layouts of one artifact it pushes under that artifact's digest.
    let there = format!("{host}/unpacked:v2");
    shelf.must("crane", &["pull", "--format=oci", &there, "pulled"]);
    shelf.must("crane", &["push", "pulled", &format!("{host}/again:v2")]);
    assert_eq!(get_manifest(&host, "again", "v2").unwrap().0, digest(&shelf.roots[1].2));
}

#[test]
fn regctl_imports_and_copies() {
    let Some(shelf) = Shelf::new("regctl_imports_and_copies", &["regctl", "docker-registry"]) else { return };
    let registry = DockerRegistry::start();
    let host = registry.host();
    let plain = ["--host".to_owned(), format!("reg={host},tls=disabled")];
    let regctl = |words: &[&str]| shelf.must("regctl", &[&[&*plain[0], &*plain[1]], words].concat());
    assert_eq!(regctl(&["tag", "ls", "ocidir://unpacked"]).split_whitespace().collect::<Vec<_>>(), ["v1", "v2", "v3"]);
    for (tag, _, root) in &shelf.roots {
        regctl(&["image", "import", "--name", tag, &format!("{host}/file:{tag}"), "all.tar"]);
        assert_eq!(get_manifest(&host, "file", tag).unwrap().0, digest(root));
        for source in ["unpacked", "imported"] {
            regctl(&["image", "copy", &format!("ocidir://{source}:{tag}"), &format!("{host}/{source}:{tag}")]);
            assert_eq!(get_manifest(&host, source, tag).unwrap().0, digest(root));
            let listed = regctl(&["artifact", "list", "--slow-referrers", &format!("ocidir://{source}:{tag}")]);
            assert!(listed.contains("application/vnd.cncf.notary.signature"), "{listed}");
        }
        // Between registries signatures come along.
        let (from, to) = (format!("{host}/bulla/app:{tag}"), format!("{host}/copied:{tag}"));
        let map = format!("{}={host}/bulla/app", shelf.roots.iter().find(|root| root.0 == *tag).unwrap().1);
        shelf.world.user.bulla(&["import", "all.tar", "--to", &format!("{host}/rest"), "--map", &map]).ends(0);
        regctl(&["image", "copy", "--referrers", &from, &to]);
        shelf.check_trusted(&host, "copied", tag);
    }
}

#[test]
fn umoci_unpacks_an_image() {
    let Some(shelf) = Shelf::new("umoci_unpacks_an_image", &["umoci"]) else { return };
    for source in ["unpacked", "imported"] {
        let tags = shelf.must("umoci", &["ls", "--layout", source]);
        assert_eq!(tags.split_whitespace().collect::<Vec<_>>(), ["v1", "v2", "v3"], "{source}");
        let into = format!("{source}-runtime");
        shelf.must("umoci", &["unpack", "--rootless", "--image", &format!("{source}:v1"), &into]);
        let path = shelf.world.user.path(&into).join("rootfs/etc/motd");
        assert_eq!(std::fs::read(path).unwrap(), b"hello\n");
    }
}

#[test]
fn skopeo_copies_every_kind() {
    let Some(shelf) = Shelf::new("skopeo_copies_every_kind", &["skopeo"]) else { return };
    let copy = |from: &str, to: &str| {
        let words = ["--insecure-policy", "copy", "-q", "--all", "--preserve-digests", from, &format!("oci:{to}")];
        shelf.must("skopeo", &words);
        let index: Value = shelf.world.user.json(&format!("{}/index.json", to.split_once(':').unwrap().0));
        digest(&index["manifests"][0]).to_owned()
    };
    for (tag, _, root) in &shelf.roots {
        for (number, source) in ["oci-archive:all.tar", "oci:unpacked", "oci:imported"].iter().enumerate() {
            assert_eq!(copy(&format!("{source}:{tag}"), &format!("{tag}-{number}:x")), digest(root), "{source}");
        }
    }
    let (name, file) = file_bundle(&shelf);
    assert_eq!(copy(&format!("oci-archive:file.tar:{name}"), "file:x"), file);
}

#[test]
fn buildah_names_an_image_as_podman_does() {
    const TEST: &str = "buildah_names_an_image_as_podman_does";
    let Some(shelf) = Shelf::new(TEST, &["buildah"]) else { return };
    let folder = shelf.world.user.folder();
    let (root, run) = (folder.join("root").display().to_string(), folder.join("run").display().to_string());
    let own = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
    if !shelf.run("buildah", &[&own[..], &["images"]].concat()).status.success() {
        return tools::skip_always(TEST, "buildah does not work here");
    }
    for tag in ["v1", "v2"] {
        shelf.must("buildah", &[&own[..], &["pull", "-q", &format!("oci-archive:all.tar:{tag}")]].concat());
    }
    let images = shelf.must("buildah", &[&own[..], &["images", "--json"]].concat());
    let images: Value = serde_json::from_str(&images).unwrap();
    for (tag, _, root) in &shelf.roots[..2] {
        let name = format!("{SCOPE}:{tag}");
        let named =
            |image: &&Value| image["names"].as_array().into_iter().flatten().any(|found| *found == name.as_str());
        let image = images.as_array().unwrap().iter().find(named).unwrap_or_else(|| panic!("no {name} in {images:#}"));
        assert_eq!(image["digest"], root["digest"], "{image:#}");
    }
}

/// `podman load` takes no bundle that it was not made for.
#[test]
fn podman_loads_a_bundle() {
    const TEST: &str = "podman_loads_a_bundle";
    let Some(shelf) = Shelf::new(TEST, &["podman"]) else { return };
    let folder = shelf.world.user.folder();
    let (root, run) = (folder.join("root").display().to_string(), folder.join("run").display().to_string());
    let own = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
    let podman = |words: &[&str]| shelf.run("podman", &[&own[..], words].concat());
    if !podman(&["images"]).status.success() {
        return tools::skip_always(TEST, "podman does not work here");
    }
    assert!(!podman(&["load", "-i", "all.tar"]).status.success());
    let images = shelf.loadable();
    let said = shelf.must("podman", &[&own[..], &["load", "-i", "loadable.tar"]].concat());
    assert_eq!(said.matches("Loaded image").count(), images.len(), "{said}");
    let found = shelf.must("podman", &[&own[..], &["images", "--format", "json"]].concat());
    let found: Value = serde_json::from_str(&found).unwrap();
    for (name, config) in images {
        let named =
            |image: &&Value| image["Names"].as_array().into_iter().flatten().any(|found| *found == name.as_str());
        let image = found.as_array().unwrap().iter().find(named).unwrap_or_else(|| panic!("no {name} in {found:#}"));
        assert_eq!(format!("sha256:{}", image["Id"].as_str().unwrap()), config, "{name}");
        // skopeo finds it by that name, too.
        let from = format!("docker-archive:loadable.tar:{name}");
        shelf.must("skopeo", &["--insecure-policy", "copy", "-q", &from, &format!("oci:by-name:{}", &config[7..])]);
    }
}

/// What docker and podman load by is nothing to those who read the layout.
#[test]
fn other_tools_read_a_bundle_that_docker_loads() {
    const TEST: &str = "other_tools_read_a_bundle_that_docker_loads";
    let Some(shelf) = Shelf::new(TEST, &["skopeo", "oras", "regctl", "crane", "docker-registry"]) else { return };
    let registry = DockerRegistry::start();
    let host = registry.host();
    let plain = ["--host".to_owned(), format!("reg={host},tls=disabled")];
    shelf.loadable();
    std::fs::create_dir(shelf.world.user.path("loadable")).unwrap();
    shelf.must("tar", &["-xf", "loadable.tar", "-C", "loadable"]);
    let tags = shelf.must("oras", &["repo", "tags", "--oci-layout", "loadable.tar"]);
    assert_eq!(tags.split_whitespace().collect::<Vec<_>>(), ["v1", "v2", "v3"]);
    // A registry may refuse an index of which a child was left out, so it is only looked at.
    for (tag, _, root) in &shelf.roots {
        assert_eq!(shelf.must("oras", &["resolve", "--oci-layout", &format!("loadable.tar:{tag}")]), digest(root));
    }
    for (tag, _, root) in [&shelf.roots[0], &shelf.roots[2]] {
        let from = format!("oci-archive:loadable.tar:{tag}");
        shelf
            .must("skopeo", &["--insecure-policy", "copy", "-q", "--preserve-digests", &from, &format!("oci:{tag}:x")]);
        let index: Value = shelf.world.user.json(&format!("{tag}/index.json"));
        assert_eq!(digest(&index["manifests"][0]), digest(root), "skopeo");
        let there = format!("{host}/regctl:{tag}");
        shelf.must("regctl", &[&plain[0], &plain[1], "image", "import", "--name", tag, &there, "loadable.tar"]);
        assert_eq!(get_manifest(&host, "regctl", tag).unwrap().0, digest(root), "regctl");
        let (from, to) = (format!("loadable.tar:{tag}"), format!("{host}/oras:{tag}"));
        shelf.must("oras", &["cp", "-r", "--from-oci-layout", &from, "--to-plain-http", &to]);
        shelf.check_trusted(&host, "oras", tag);
    }
    // One image alone is whole, so crane pushes all of it.
    let name = format!("{SCOPE}:v1");
    let words = ["export", "oci:imported:v1", "--as", &name, "--docker-load", "--offline", "-o", "one.tar"];
    shelf.world.user.bulla(&words).ends(0);
    std::fs::create_dir(shelf.world.user.path("one")).unwrap();
    shelf.must("tar", &["-xf", "one.tar", "-C", "one"]);
    assert!(shelf.world.user.path("one/manifest.json").exists());
    shelf.must("crane", &["push", "--index", "one", &format!("{host}/crane:all")]);
    shelf.must("crane", &["tag", &format!("{host}/crane@{}", digest(&shelf.roots[0].2)), "v1"]);
    shelf.check_trusted(&host, "crane", "v1");
    // It is nobody's content: an import leaves it behind.
    shelf.world.user.bulla(&["import", "one.tar", "--to", "oci:again"]).ends(0);
    assert!(!shelf.world.user.path("again/manifest.json").exists());
}
