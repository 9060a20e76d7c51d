//! Bundles that docker's own image store and `podman load` read, by a `manifest.json` (`schemas/bundle-v1.md` §7.3): what it
//! says follows from the images that are carried, and a bundle where it doesn't is refused, from a file and from a pipe.

use bulla::archive::{
    BundleInventory, BundleWriter, Compression, DOCKER_MANIFEST, DockerManifest, DockerManifestRecord, EntryName,
    Unloadable, Writer,
};
use bulla::code::{Diagnostic as _, DiagnosticCode::*};
use bulla::digest::Digest;
use bulla::oci::{Descriptor, LayoutDocument, MediaType};
use bulla::store::StoreError;
use serde_json::{Value, json};

use crate::fixture::{
    Bundle, Sample, Scratch, bundle, derive, docker_manifest, inventory, loadable, members, root, sized, write,
};
use crate::seal::{Parts, read_file, read_pipe};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What must be there for the fixture: one image, under its own name and that of the index of which it is the only child
/// that is carried. The others are no images.
fn expected(bundle: &Bundle) -> Value {
    let manifest: Value = serde_json::from_slice(&bundle.contents[&bundle.image.digest]).unwrap();
    let digest = |blob: &Value| path(&blob["digest"].as_str().unwrap().parse().unwrap());
    json!([{
        "Config": digest(&manifest["config"]),
        "RepoTags": ["registry.example/app:v1", "registry.example/multi:edge"],
        "Layers": [digest(&manifest["layers"][0])],
    }])
}

#[test]
fn images_are_listed_under_their_names() {
    let (bundle, scratch) = (loadable(bundle()), Scratch::new());
    let bytes = write(&bundle.inventory, &bundle.contents, Compression::None);
    let members = members(&bytes);
    // Behind the inventory, which announces it, and before all content.
    let name = tar::Header::from_byte_slice(&members[4].header).path().unwrap().into_owned();
    assert_eq!(name.to_str(), Some(DockerManifest::NAME));
    let found: Value = serde_json::from_slice(&members[4].content).unwrap();
    assert_eq!(found, expected(&bundle));
    assert_eq!(bundle.inventory.features, [DOCKER_MANIFEST]);
    for compression in [Compression::None, Compression::Zstd { level: 3 }] {
        let bytes = write(&bundle.inventory, &bundle.contents, compression);
        read_file(&scratch, &bytes).unwrap();
        read_pipe(&bytes).unwrap();
    }
}

/// The format is fixed: a change of these digests is a change of the format, or of libzstd.
#[test]
fn the_same_inventory_gives_the_same_bytes() {
    let bundle = loadable(bundle());
    let digest = |compression| Digest::sha256(&write(&bundle.inventory, &bundle.contents, compression)).hex();
    assert_eq!(digest(Compression::None), PLAIN);
    assert_eq!(digest(Compression::Zstd { level: 3 }), COMPRESSED);
}

const PLAIN: &str = "49259d8ca62d95cd3e766e7e59d82cc328c3cbcff336d74dc514a5d6b0dd7d5d";
const COMPRESSED: &str = "2d9299def9c7e4fa49cb439a7e008fc8f769035784be1471241e73729e849107";

#[test]
fn a_seal_covers_it() {
    let (bundle, scratch) = (loadable(sized(600, 40)), Scratch::new());
    let unsealed = bundle.inventory.bundle_manifest().unwrap().descriptor;
    let seal = Parts::on(&unsealed, &[b"\x30\x03\x02\x01\x00"]).build();
    let bytes = crate::seal::write(&bundle, &seal, Compression::None);
    read_file(&scratch, &bytes).unwrap();
    read_pipe(&bytes).unwrap();
    // Taken away, exchanged or left out, it makes another bundle manifest than the one that is sealed.
    let mut other = bundle.inventory.clone();
    (other.docker_manifest, other.features) = (None, Vec::new());
    assert_ne!(other.bundle_manifest().unwrap().descriptor.digest, unsealed.digest);
    assert!(BundleWriter::sealed(Vec::new(), &other, &seal, Compression::None).is_err());
}

/// What a forger makes: everything fits around the document that he puts there.
struct Forgery<'a> {
    bundle: &'a Bundle,
    inventory: BundleInventory,
    document: Option<Vec<u8>>,
    place: usize,
}

impl<'a> Forgery<'a> {
    fn of(bundle: &'a Bundle) -> Self {
        let document = docker_manifest(&bundle.inventory, &bundle.contents).map(|found| found.bytes().to_vec());
        Self { bundle, inventory: bundle.inventory.clone(), document, place: 0 }
    }

    /// Another document, which the inventory announces.
    fn saying(bundle: &'a Bundle, document: Vec<u8>) -> Self {
        let mut forgery = Self::of(bundle);
        let (digest, size) = (Digest::sha256(&document), document.len() as u64);
        forgery.inventory.docker_manifest = Some(DockerManifestRecord { digest, size });
        Self { document: Some(document), ..forgery }
    }

    fn bytes(&self) -> Vec<u8> {
        let manifest = self.inventory.bundle_manifest().unwrap();
        let index = self.inventory.index(&manifest.descriptor).to_bytes().unwrap();
        let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
        writer.put(EntryName::Layout, LayoutDocument::BYTES).unwrap();
        writer.put(EntryName::Index, &index).unwrap();
        writer.put(EntryName::Blob(manifest.descriptor.digest), &manifest.bytes).unwrap();
        writer.put(EntryName::Blob(manifest.inventory_descriptor.digest), &manifest.inventory).unwrap();
        for place in 0..=self.inventory.blobs.len() {
            if let Some(document) = self.document.as_ref().filter(|_| place == self.place) {
                writer.put(EntryName::DockerManifest, document).unwrap();
            }
            if let Some(blob) = self.inventory.blobs.get(place) {
                writer.put(EntryName::Blob(blob.digest), &self.bundle.contents[&blob.digest]).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    fn read(&self) -> [Result<(), StoreError>; 2] {
        let (bytes, scratch) = (self.bytes(), Scratch::new());
        [read_file(&scratch, &bytes), read_pipe(&bytes)]
    }

    #[track_caller]
    fn refused(&self, what: &str, code: bulla::code::DiagnosticCode) {
        for (way, read) in ["file", "pipe"].into_iter().zip(self.read()) {
            let error = read.expect_err(&format!("{what}, {way}"));
            assert_eq!(error.code(), code, "{what}, {way}: {error}");
            assert!(error.hint().is_some(), "{what}, {way}");
        }
    }
}

#[test]
fn what_says_anything_else_is_refused() {
    let bundle = loadable(sized(600, 40));
    assert!(Forgery::of(&bundle).read().iter().all(Result::is_ok), "this test writes what a bundle may be");
    let good = expected(&bundle);
    let notes: Value = serde_json::from_slice(&bundle.contents[&bundle.notes.digest]).unwrap();
    let other = path(&notes["layers"][0]["digest"].as_str().unwrap().parse().unwrap());
    let changed = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    let mut cases = vec![
        ("another name", changed("/0/RepoTags/0", json!("registry.example/app:v2"))),
        ("another image's name", changed("/0/RepoTags/0", json!("registry.example/notes:v2"))),
        ("a name more", changed("/0/RepoTags", json!([good[0]["RepoTags"][0], good[0]["RepoTags"][1], "a/b:c"]))),
        ("a name less", changed("/0/RepoTags", json!([good[0]["RepoTags"][0]]))),
        ("names in another order", changed("/0/RepoTags", json!([good[0]["RepoTags"][1], good[0]["RepoTags"][0]]))),
        ("no names", changed("/0/RepoTags", json!(null))),
        ("another configuration", changed("/0/Config", json!(other))),
        ("another layer", changed("/0/Layers/0", json!(other))),
        ("a layer more", changed("/0/Layers", json!([good[0]["Layers"][0], other]))),
        ("no layer", changed("/0/Layers", json!([]))),
        ("a path that leads out", changed("/0/Layers/0", json!("../../etc/shadow"))),
        ("nothing", json!([])),
        ("an image twice", json!([good[0], good[0]])),
    ];
    let mut more = good.clone();
    more[0]["Parent"] = json!("x");
    cases.push(("a member more", more));
    for (what, document) in cases {
        Forgery::saying(&bundle, serde_json::to_vec(&document).unwrap()).refused(what, DockerManifestMismatch);
    }
    let right = Forgery::of(&bundle).document.unwrap();
    for (what, document) in [
        ("a newline behind", [&right[..], b"\n"].concat()),
        ("no JSON", b"[".to_vec()),
        ("the members in another order", serde_json::to_string_pretty(&good).unwrap().into_bytes()),
    ] {
        Forgery::saying(&bundle, document).refused(what, DockerManifestMismatch);
    }
}

#[test]
fn it_is_there_when_it_is_announced_and_only_then() {
    let bundle = loadable(sized(600, 40));
    let right = Forgery::of(&bundle);
    let with = |change: &dyn Fn(&mut Forgery<'_>)| {
        let mut forgery = Forgery::of(&bundle);
        change(&mut forgery);
        forgery
    };
    with(&|forgery| forgery.document = None).refused("missing", DockerManifestMismatch);
    with(&|forgery| forgery.document = Some(b"[]".to_vec())).refused("of another size", DockerManifestMismatch);
    let mut other = right.document.clone().unwrap();
    other[20] ^= 1;
    with(&|forgery| forgery.document = Some(other.clone())).refused("of another digest", DockerManifestMismatch);
    // On a pipe it is missed before it comes.
    let late = with(&|forgery| forgery.place = 1);
    let codes = late.read().map(|read| read.unwrap_err().code());
    assert_eq!(codes, [ArchiveMalformed, DockerManifestMismatch]);
    let end = with(&|forgery| forgery.place = bundle.inventory.blobs.len());
    assert!(end.read().iter().all(Result::is_err));
    with(&|forgery| {
        (forgery.inventory.docker_manifest, forgery.inventory.features) = (None, Vec::new());
    })
    .refused("not announced", ArchiveEntryUnexpected);
    with(&|forgery| forgery.inventory.features.clear()).refused("without its feature", BundleManifestInvalid);
    with(&|forgery| forgery.inventory.docker_manifest = None).refused("the feature alone", BundleManifestInvalid);
    let sizes = [0, DockerManifest::MOST_BYTES + 1];
    for size in sizes {
        with(&|forgery| forgery.inventory.docker_manifest.as_mut().unwrap().size = size)
            .refused("of an impossible size", BundleManifestInvalid);
    }
    let long = bulla::digest::Algorithm::Sha512.digest(b"");
    with(&|forgery| forgery.inventory.docker_manifest.as_mut().unwrap().digest = long)
        .refused("by another hash", BundleManifestInvalid);
    // The writer asks for what is announced.
    let without = BundleWriter::new(Vec::new(), &bundle.inventory, Compression::None).err().unwrap();
    assert_eq!(without.code(), DockerManifestMismatch);
}

/// A bundle of these roots, under `registry.example/N:v1` each.
fn of(sample: Sample, roots: &[&Descriptor]) -> Bundle {
    let named = roots.iter().enumerate().map(|(n, found)| root(&format!("registry.example/r{n}:v1"), found)).collect();
    let image = roots[0].clone();
    let [notes, signature, evidence, cosign] = [image.clone(), image.clone(), image.clone(), image.clone()];
    let (inventory, contents, layer) = (inventory(sample.blobs, named), sample.contents, image.digest);
    Bundle { inventory, contents, image, notes, signature, evidence, cosign, layer }
}

fn listed(bundle: &Bundle) -> Result<Vec<(String, usize)>, Unloadable> {
    let document = derive(&bundle.inventory, &bundle.contents)?;
    let found: Value = serde_json::from_slice(document.bytes()).unwrap();
    let entry = |image: &Value| (image["RepoTags"].to_string(), image["Layers"].as_array().unwrap().len());
    let mut found: Vec<_> = found.as_array().unwrap().iter().map(entry).collect();
    found.sort();
    assert_eq!(found.len(), document.images());
    Ok(found)
}

fn entry(child: &Descriptor, platform: Option<&str>) -> Value {
    let mut entry = json!({"mediaType": child.media_type, "digest": child.digest, "size": child.size});
    if let Some((os, architecture)) = platform.and_then(|platform| platform.split_once('/')) {
        entry["platform"] = json!({"os": os, "architecture": architecture});
    }
    entry
}

#[test]
fn an_index_stands_for_the_one_image_in_it() {
    let mut sample = Sample::default();
    let (one, two) = (sample.image_of(1, 600), sample.image_of(2, 600));
    // What BuildKit says of an image, and what cosign signs with: they have an image's configuration.
    let config = sample.blob(MediaType::OCI_CONFIG, b"{}");
    let statement = sample.blob("application/vnd.in-toto+json", b"{}");
    let attestation = sample.manifest(MediaType::OCI_MANIFEST, json!({"config": config, "layers": [statement]}));
    let children = [entry(&one, Some("linux/amd64")), entry(&attestation, Some("unknown/unknown"))];
    let attested = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": children}));
    let nested =
        sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [entry(&attested, None), entry(&one, None)]}));
    let left_out = Descriptor::of(MediaType::OCI_MANIFEST, b"left out");
    let listed_not_carried = [entry(&left_out, Some("linux/arm64")), entry(&two, Some("linux/amd64"))];
    let docker = sample.manifest(MediaType::DOCKER_LIST, json!({"manifests": listed_not_carried}));
    let both = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": [entry(&one, None), entry(&docker, None)]}));
    let roots = [&one, &attested, &nested, &docker, &attestation];
    let bundle = of(sample, &roots);
    let names = |names: &[usize]| {
        let names: Vec<_> = names.iter().map(|n| format!("registry.example/r{n}:v1")).collect();
        (json!(names).to_string(), 1)
    };
    assert_eq!(listed(&bundle), Ok(vec![names(&[0, 1, 2]), names(&[3])]));
    // Under the name of an index of several none is meant.
    let mut several = bundle;
    several.inventory.roots.push(root("registry.example/several:v1", &both));
    let error = listed(&several).unwrap_err();
    assert!(matches!(error, Unloadable::SeveralImages { .. }), "{error}");
    assert_eq!(error.code(), DockerLoadUnsupported);
    // Nor is that a bundle which anybody could make.
    several.inventory.normalise();
    let record = DockerManifestRecord { digest: Digest::sha256(b"[]"), size: 2 };
    several.inventory.docker_manifest = Some(record);
    several.inventory.features = vec![DOCKER_MANIFEST.into()];
    let mut forgery = Forgery {
        document: Some(b"[]".to_vec()),
        ..Forgery { place: 0, document: None, inventory: several.inventory.clone(), bundle: &several }
    };
    forgery.refused("an index of several", DockerManifestMismatch);
    forgery.inventory.roots.retain(|root| root.digest == attestation.digest);
    forgery.refused("no image at all", DockerManifestMismatch);
}

#[test]
fn names_are_those_of_roots() {
    let mut sample = Sample::default();
    let image = sample.image_of(1, 600);
    let mut bundle = of(sample, &[&image]);
    bundle.inventory.roots = vec![
        root(&format!("registry.example/a@{}", image.digest), &image),
        root("registry.example/a:v1", &image),
        root(&format!("registry.example/a:v1@{}", image.digest), &image),
        root("registry.example:5000/b/c:v1", &image),
    ];
    bundle.inventory.normalise();
    let names = json!(["registry.example/a:v1", "registry.example:5000/b/c:v1"]).to_string();
    assert_eq!(listed(&bundle), Ok(vec![(names, 1)]));
    bundle.inventory.roots.retain(|root| root.reference.tag.is_none());
    assert_eq!(listed(&bundle), Ok(vec![("[]".into(), 1)]), "docker and podman load it without a name");
}

#[test]
fn what_cannot_be_unpacked_is_not_promised() {
    let derived = |layers: &[(&str, bool)]| {
        let mut sample = Sample::default();
        let config = sample.blob(MediaType::DOCKER_CONFIG, b"{}");
        let layers: Vec<_> = layers
            .iter()
            .map(|(kind, carried)| {
                let bytes = kind.as_bytes();
                if *carried { sample.blob(kind, bytes) } else { Descriptor::of(*kind, bytes) }
            })
            .collect();
        let image = sample.manifest(MediaType::DOCKER_MANIFEST, json!({"config": config, "layers": layers}));
        listed(&of(sample, &[&image])).map(|found| found[0].1)
    };
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    assert_eq!(derived(&[(LAYER, true), (zstd, true), (foreign, true)]), Ok(3));
    assert_eq!(derived(&[]), Ok(0), "an image may have no layers");
    let encrypted = format!("{LAYER}+encrypted");
    for bad in [encrypted.as_str(), "application/vnd.in-toto+json", ""] {
        let error = derived(&[(LAYER, true), (bad, true)]).unwrap_err();
        assert!(matches!(error, Unloadable::Layer { .. }), "{bad}: {error}");
    }
    assert!(matches!(derived(&[(&encrypted, true)]), Err(Unloadable::Layer { .. })));
    assert!(matches!(derived(&[(LAYER, true), (foreign, false)]), Err(Unloadable::NotCarried { .. })));
    assert_eq!(derived(&[("application/vnd.in-toto+json", true)]), Err(Unloadable::NoImage));
}

/// Indexes that share their children are read once, however many ways lead to them; and nothing nests without end.
#[test]
fn hostile_indexes_cost_little() {
    let mut sample = Sample::default();
    let image = sample.image_of(1, 600);
    let mut below = image.clone();
    let mut levels = vec![below.clone()];
    for _ in 0..33 {
        let children = vec![entry(&below, None); 50];
        below = sample.manifest(MediaType::OCI_INDEX, json!({"manifests": children}));
        levels.push(below.clone());
    }
    let bundle = of(sample, &[&levels[32]]);
    let mut reads = 0;
    let document = DockerManifest::derive(&bundle.inventory, |blob| {
        reads += 1;
        let bytes = bundle.contents[&blob.digest].clone();
        Ok::<_, Unloadable>(std::sync::Arc::new(bulla::oci::Manifest::parse(&blob.descriptor(), bytes).unwrap()))
    });
    assert_eq!((document.unwrap().images(), reads), (1, 33));
    for order in [[32, 33], [33, 32]] {
        let mut bundle =
            of(Sample { contents: bundle.contents.clone(), blobs: bundle.inventory.blobs.clone() }, &[&image]);
        bundle.inventory.roots =
            order.iter().map(|n| root(&format!("registry.example/n{n}:v1"), &levels[*n])).collect();
        assert!(matches!(listed(&bundle), Err(Unloadable::TooDeep { .. })), "{order:?}");
    }
}
