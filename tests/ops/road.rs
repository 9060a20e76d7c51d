//! The whole way through real stores: memory → bundle file → layout, and what arrives.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bulla::archive::{BundleInventory, BundleWriter, Compression, OutputFile, names};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, Platform, Target};
use bulla::ops::closure::{Closure, WalkOptions, walk};
use bulla::ops::collect::{Source, locate};
use bulla::ops::docker_archive::{DockerArchiveOptions, write};
use bulla::ops::import::{Destination, ImportOptions, ImportReport, Tally, import};
use bulla::ops::pack::{Supplies, inventory, pack};
use bulla::ops::progress::{NoProgress, Progress};
use bulla::store::ContentStore;
use bulla::store::bundle::BundleStore;
use bulla::store::layout::{LayoutSink, LayoutStore};

use crate::collect::{NOW, gather, source, supplies};
use crate::import::admit;
use crate::memory::{Sample, sample, tag};

fn nobody() -> Arc<dyn Progress> {
    Arc::new(NoProgress)
}

fn export(
    sources: Vec<Source>,
    options: &WalkOptions,
    supplies: &Supplies,
    folder: &Path,
    compression: Compression,
) -> PathBuf {
    let collection = gather(sources, options).unwrap();
    let inventory = inventory(&collection, supplies, NOW, "bulla/test").unwrap();
    let file = folder.join("bundle.tar");
    let writer = BundleWriter::new(OutputFile::create(&file).unwrap(), &inventory, compression).unwrap();
    pack(&collection, supplies, &inventory, writer, &nobody()).unwrap().commit().unwrap();
    file
}

fn import_all(bundle: &BundleStore, layout: &Path) -> ImportReport {
    let roots = &bundle.inventory().roots;
    let root = |root: &bulla::archive::RootRecord| {
        let descriptor = Descriptor::new(root.media_type.clone(), root.digest, root.size);
        admit(&descriptor, &root.reference.to_string())
    };
    let sink = Arc::new(LayoutSink::open_or_create(layout).unwrap());
    let mut options = ImportOptions::default();
    options.walk.known_omitted = omitted(bundle.inventory());
    let admissions: Vec<_> = roots.iter().map(root).collect();
    import(bundle, &admissions, &Destination::Single(sink), &options, &Limits::default(), &nobody()).unwrap()
}

fn omitted(inventory: &BundleInventory) -> BTreeSet<Digest> {
    inventory.omitted.iter().map(|omitted| omitted.digest).collect()
}

fn closure(store: &dyn ContentStore, root: &Descriptor, known_omitted: BTreeSet<Digest>) -> Closure {
    let options = WalkOptions { platforms: Vec::new(), known_omitted };
    walk(store, root, &options, &Limits::default(), &NoProgress).unwrap()
}

/// What is the same wherever an artifact lies.
fn essence(closure: &Closure) -> impl PartialEq + std::fmt::Debug {
    let referrers: Vec<_> =
        closure.referrers.iter().map(|found| (found.subject, found.descriptor.digest, found.tag.clone())).collect();
    let manifests: Vec<_> =
        closure.manifests.iter().map(|(digest, manifest)| (*digest, manifest.bytes().clone())).collect();
    (closure.root.clone(), manifests, closure.blobs.keys().copied().collect::<Vec<_>>(), referrers)
}

#[test]
fn an_artifact_arrives_whole_with_its_evidence() {
    for compression in [Compression::None, Compression::Zstd { level: 3 }] {
        let sample = sample();
        let supplies = supplies(&sample);
        let Sample { store, index, signature, .. } = sample;
        let store: Arc<dyn ContentStore> = Arc::new(store);
        let folder = tempfile::tempdir().unwrap();
        let sources = vec![source(&store, &index, "h.io/app:v1")];
        let file = export(sources, &WalkOptions::default(), &supplies, folder.path(), compression);
        let bundle = BundleStore::open(&file, &Limits::default()).unwrap();
        let carried = closure(&bundle, &index, BTreeSet::new());
        let evidence: Vec<_> = carried
            .referrers
            .iter()
            .filter(|found| found.artifact_type.as_ref().is_some_and(|kind| *kind == names::EVIDENCE))
            .collect();
        assert_eq!(evidence.len(), 1);
        assert_eq!(evidence[0].subject, signature.digest);
        assert_eq!(carried.manifests.len(), 11);
        let layout = folder.path().join("layout");
        let first = import_all(&bundle, &layout);
        assert_eq!((first.copied.manifests, first.copied.blobs), (11, 16));
        let second = import_all(&bundle, &layout);
        assert_eq!((second.copied, second.present), (Tally::default(), first.copied));
        let arrived = LayoutStore::open(&layout, &Limits::default()).unwrap();
        let root = arrived.resolve(&Target::Tag(tag("v1"))).unwrap().unwrap();
        assert_eq!(essence(&closure(&arrived, &root, BTreeSet::new())), essence(&carried));
        skopeo_agrees(&layout, &index, folder.path());
        // From there it can travel on, under its own name.
        let arrived: Arc<dyn ContentStore> = Arc::new(arrived);
        let found = locate(&arrived, None, None, None).unwrap();
        assert_eq!(found.iter().map(|found| found.reference.to_string()).collect::<Vec<_>>(), ["h.io/app:v1"]);
    }
}

fn skopeo_agrees(layout: &Path, index: &Descriptor, home: &Path) {
    let from = format!("oci:{}:v1", layout.display());
    let output =
        Command::new("skopeo").args(["--insecure-policy", "inspect", "--raw", &from]).env("HOME", home).output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(Digest::sha256(&output.stdout), index.digest);
        }
        Err(error) => crate::skip::tool(format_args!("skopeo: {error}")),
    }
}

#[test]
fn what_was_left_out_stays_out_without_an_error() {
    let Sample { store, index, amd64, arm64, .. } = sample();
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let folder = tempfile::tempdir().unwrap();
    let options = WalkOptions { platforms: vec![Platform::parse("linux/amd64").unwrap()], ..WalkOptions::default() };
    let sources = vec![source(&store, &index, "h.io/app:v1")];
    let file = export(sources, &options, &Supplies::default(), folder.path(), Compression::None);
    let bundle = BundleStore::open(&file, &Limits::default()).unwrap();
    assert_eq!(omitted(bundle.inventory()), BTreeSet::from([arm64.digest]));
    let layout = folder.path().join("layout");
    let report = import_all(&bundle, &layout);
    assert_eq!(report.roots[0].descriptor, index.bare());
    let arrived = LayoutStore::open(&layout, &Limits::default()).unwrap();
    assert!(arrived.resolve(&Target::Digest(amd64.digest)).unwrap().is_some());
    // As a docker archive, the host's platform must be there.
    let docker = |platform: &str| {
        let platform = Platform::parse(platform);
        let options =
            DockerArchiveOptions { platform, known_omitted: omitted(bundle.inventory()), ..Default::default() };
        write(&bundle, &[admit(&index, "h.io/app:v1")], &options, &Limits::default(), std::io::sink(), &nobody())
    };
    assert_eq!(docker("linux/amd64").unwrap().images[0].manifest.digest, amd64.digest);
    assert!(docker("linux/arm64").is_err());
}

#[test]
fn several_repositories_travel_together_and_keep_their_names() {
    let Sample { store, index, amd64, .. } = sample();
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let folder = tempfile::tempdir().unwrap();
    let by_digest = format!("c.io/app@{}", amd64.digest);
    let sources = vec![
        source(&store, &index, "a.io/app:v1"),
        source(&store, &amd64, "b.io/app:v1"),
        source(&store, &amd64, &by_digest),
    ];
    let file = export(sources, &WalkOptions::default(), &Supplies::default(), folder.path(), Compression::None);
    let bundle: Arc<dyn ContentStore> = Arc::new(BundleStore::open(&file, &Limits::default()).unwrap());
    let located = locate(&bundle, None, None, None).unwrap();
    let names: Vec<_> = located.iter().map(|found| found.reference.to_string()).collect();
    assert_eq!(names, ["a.io/app:v1".to_owned(), "b.io/app:v1".to_owned(), by_digest]);
    // Carried on, nothing is lost and nothing changes.
    let again = tempfile::tempdir().unwrap();
    let second = export(located, &WalkOptions::default(), &Supplies::default(), again.path(), Compression::None);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&second).unwrap());
    let layout = folder.path().join("layout");
    let report = import_all(&BundleStore::open(&file, &Limits::default()).unwrap(), &layout);
    assert_eq!(report.roots.len(), 3);
}

#[test]
fn a_referrer_cannot_name_itself() {
    let mut store = crate::memory::Memory::default();
    let image = store.image(&[b"good"]);
    let config = store.add(bulla::oci::MediaType::OCI_EMPTY, b"{}");
    let names = serde_json::json!({"org.opencontainers.image.ref.name": "latest",
        "io.containerd.image.name": "h.io/app:latest", "kept": "yes"});
    let intruder = store.manifest(serde_json::json!({"artifactType": "x/y", "config": config, "layers": [],
        "subject": image, "annotations": names}));
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(LayoutSink::open_or_create(folder.path()).unwrap());
    let (options, limits) = (ImportOptions::default(), Limits::default());
    import(&store, &[admit(&image, "h.io/app:v1")], &Destination::Single(sink), &options, &limits, &nobody()).unwrap();
    let arrived = LayoutStore::open(folder.path(), &limits).unwrap();
    assert_eq!(arrived.resolve(&Target::Tag(tag("latest"))).unwrap(), None);
    let entry = arrived.index().manifests.iter().find(|entry| entry.digest == intruder.digest).unwrap();
    assert_eq!(entry.annotations.keys().collect::<Vec<_>>(), ["kept"]);
    let named: Vec<_> = arrived.names().unwrap().into_iter().filter_map(|root| root.reference).collect();
    assert_eq!(named.iter().map(ToString::to_string).collect::<Vec<_>>(), ["h.io/app:v1"]);
}

/// Two repositories want the same layer, and a pipe gives it once.
#[test]
fn a_pipe_serves_several_repositories_at_once() {
    use bulla::ops::import::{Mapping, import_stream};
    use bulla::store::stream::open_stream;
    use bulla::store::{ContentSink, StoreError};
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    let folder = tempfile::tempdir().unwrap();
    let mut store = crate::memory::Memory::default();
    let shared = vec![7; 3 << 20];
    let (a, b) = (store.image(&[&shared, b"a"]), store.image(&[&shared, b"b"]));
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let at = |descriptor: &Descriptor, name: &str| Source {
        store: Arc::clone(&store),
        descriptor: descriptor.clone(),
        reference: name.parse().unwrap(),
    };
    let sources = vec![at(&a, "a.io/app:v1"), at(&b, "b.io/app:v1")];
    for compression in [Compression::None, Compression::Zstd { level: 1 }] {
        let path = export(sources.clone(), &WalkOptions::default(), &Supplies::default(), folder.path(), compression);
        let (whole, length) = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().len());
        for cut in [usize::try_from(length).unwrap(), whole.len() - 1] {
            let sinks: Mutex<BTreeMap<String, Arc<crate::memory::Memory>>> = Mutex::default();
            let open = |repository: &bulla::oci::Repository| -> Result<Arc<dyn ContentSink>, StoreError> {
                let sink = Arc::clone(sinks.lock().unwrap().entry(repository.to_string()).or_default());
                Ok(sink)
            };
            let bytes = std::io::Cursor::new(whole[..cut].to_vec());
            let (head, mut tail) = open_stream(bytes, &Limits::default()).unwrap();
            let admissions = [admit(&a, "a.io/app:v1"), admit(&b, "b.io/app:v1")];
            let mapping = Mapping::below("registry.local/all").unwrap();
            let mut rules = mapping;
            rules.add_rule("b.io=registry.local/b").unwrap();
            let options = ImportOptions { mapping: rules, ..ImportOptions::default() };
            let to = Destination::PerRepository(&open);
            let limits = Limits::default();
            let done = import_stream(&head, &mut tail, &admissions, &to, &options, &limits, &nobody());
            let sinks = sinks.lock().unwrap();
            assert_eq!(sinks.len(), 2);
            for sink in sinks.values() {
                assert!(sink.holds(&Digest::sha256(&shared)));
                assert_eq!(sink.tagged().len(), usize::from(cut == whole.len()));
            }
            assert_eq!(done.is_ok(), cut == whole.len(), "{done:?}");
        }
    }
}
