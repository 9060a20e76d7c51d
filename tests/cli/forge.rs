//! Archives made byte by byte, so that anything can be wrong with them.

use bulla::archive::{BlobRecord, BundleInventory, RootRecord, Totals, names};
use bulla::digest::Digest;
use bulla::oci::{Descriptor, LayoutDocument, MediaType, blob_path};
use bulla::time::UnixTime;
use serde_json::Value;

use super::common::NAME;

/// A header and what follows it, without the padding.
#[derive(Clone)]
pub struct Entry {
    pub header: [u8; 512],
    pub content: Vec<u8>,
}

impl Entry {
    /// A file as bulla writes it.
    pub fn file(name: &str, content: &[u8]) -> Self {
        Self::of(name, b'0', content)
    }

    pub fn blob(content: &[u8]) -> Self {
        Self::file(&blob_path(&Digest::sha256(content)), content)
    }

    pub fn of(name: &str, kind: u8, content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len().try_into().unwrap());
        let mut entry = Self { header: *header.as_bytes(), content: content.to_vec() };
        entry.header[156] = kind;
        entry.rename(name);
        entry
    }

    /// A link or another thing that leads to `target`.
    pub fn link(name: &str, kind: u8, target: &str) -> Self {
        let mut entry = Self::of(name, kind, b"");
        entry.header[157..157 + target.len()].copy_from_slice(target.as_bytes());
        entry.sum();
        entry
    }

    pub fn name(&self) -> String {
        let end = self.header.iter().position(|byte| *byte == 0).unwrap().min(100);
        String::from_utf8(self.header[..end].to_vec()).unwrap()
    }

    pub fn rename(&mut self, name: &str) {
        self.header[..100].fill(0);
        self.header[..name.len()].copy_from_slice(name.as_bytes());
        self.sum();
    }

    /// States another size than the content has.
    pub fn claim(&mut self, size: &[u8; 12]) {
        self.header[124..136].copy_from_slice(size);
        self.sum();
    }

    /// Computes the header's checksum again.
    pub fn sum(&mut self) {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes().copy_from_slice(&self.header);
        header.set_cksum();
        self.header = *header.as_bytes();
    }

    /// Other content, honestly announced.
    pub fn replace(&mut self, content: &[u8]) {
        *self = Self::of(&self.name(), self.header[156], content);
    }
}

/// An archive as its entries.
#[derive(Clone)]
pub struct Tar(pub Vec<Entry>);

impl Tar {
    pub fn parse(bytes: &[u8]) -> Self {
        let mut entries = Vec::new();
        let mut at = 0;
        while bytes[at] != 0 {
            let header: [u8; 512] = bytes[at..at + 512].try_into().unwrap();
            let size = std::str::from_utf8(&header[124..135]).unwrap();
            let size = usize::from_str_radix(size, 8).unwrap();
            entries.push(Entry { header, content: bytes[at + 512..at + 512 + size].to_vec() });
            at += 512 + size.div_ceil(512) * 512;
        }
        let tar = Self(entries);
        assert_eq!(tar.bytes(), bytes, "reading and writing do not give back the same archive");
        tar
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.0 {
            bytes.extend_from_slice(&entry.header);
            bytes.extend_from_slice(&entry.content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    pub fn position(&self, name: &str) -> usize {
        self.0.iter().position(|entry| entry.name() == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Where the content of an entry begins.
    pub fn offset(&self, position: usize) -> usize {
        self.0[..position].iter().map(|entry| 512 + entry.content.len().next_multiple_of(512)).sum::<usize>() + 512
    }

    /// A copy, changed.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut copy = self.clone();
        change(&mut copy);
        copy.bytes()
    }

    /// A copy that lacks an entry.
    pub fn without(&self, position: usize) -> Vec<u8> {
        self.with(|tar| {
            tar.0.remove(position);
        })
    }

    /// The inventory of a bundle.
    pub fn inventory(&self) -> Value {
        serde_json::from_slice(&self.0[3].content).unwrap()
    }

    /// A bundle with another inventory, to which the bundle manifest and `index.json` are fitted again: what a forger
    /// who knows the format would do.
    pub fn resealed(&self, edit: impl FnOnce(&str) -> String) -> Vec<u8> {
        let text = |place: usize| String::from_utf8(self.0[place].content.clone()).unwrap();
        let inventory = edit(&text(3));
        assert_ne!(inventory, text(3), "the edit changed nothing");
        let manifest = refer(&text(2), &self.0[3].content, inventory.as_bytes());
        let index = refer(&text(1), &self.0[2].content, manifest.as_bytes());
        let mut copy = self.clone();
        copy.0[1].replace(index.as_bytes());
        copy.0[2] = Entry::blob(manifest.as_bytes());
        copy.0[3] = Entry::blob(inventory.as_bytes());
        copy.bytes()
    }

    /// A bundle whose only artifact has another name, everywhere and consistently.
    pub fn relabelled(&self, name: &str) -> Vec<u8> {
        let mut inventory: BundleInventory = serde_json::from_value(self.inventory()).unwrap();
        inventory.roots[0].reference = name.parse().unwrap();
        assemble(inventory, self.0[4..].iter().map(|entry| entry.content.as_slice()))
    }

    /// A bundle in one of whose manifests this text is another. Everything that refers to it is fitted to it.
    pub fn rewritten(&self, from: &str, to: &str) -> Vec<u8> {
        let text = |entry: &Entry| String::from_utf8(entry.content.clone()).ok();
        let mut contents: Vec<Vec<u8>> = self.0[3..].iter().map(|entry| entry.content.clone()).collect();
        let place = self.0[3..].iter().position(|entry| text(entry).is_some_and(|text| text.contains(from)));
        let place = place.unwrap_or_else(|| panic!("no {from}"));
        let mut changed = vec![(place, String::from_utf8(contents[place].clone()).unwrap().replace(from, to))];
        while let Some((place, new)) = changed.pop() {
            let old = std::mem::replace(&mut contents[place], new.into_bytes());
            let [was, is] = [&old, &contents[place]].map(|content| Digest::sha256(content).to_string());
            let sizes = [old.len(), contents[place].len()].map(|size| format!(",\"size\":{size}"));
            let fit = |text: &str| {
                text.replace(&format!("{was}\"{}", sizes[0]), &format!("{is}\"{}", sizes[1])).replace(&was, &is)
            };
            for (place, content) in contents.iter().enumerate() {
                let Some(text) = std::str::from_utf8(content).ok().filter(|text| text.contains(&was)) else { continue };
                match changed.iter_mut().find(|(other, _)| *other == place) {
                    Some((_, pending)) => *pending = fit(pending),
                    None => changed.push((place, fit(text))),
                }
            }
        }
        let inventory = serde_json::from_slice(&contents.remove(0)).unwrap();
        assemble(inventory, contents.iter().map(Vec::as_slice))
    }
}

/// Puts digest and size of `new` where those of `old` stand.
fn refer(text: &str, old: &[u8], new: &[u8]) -> String {
    let member = |content: &[u8]| format!(r#""digest":"{}","size":{}"#, Digest::sha256(content), content.len());
    assert!(text.contains(&member(old)), "{text} does not refer to what it should");
    text.replace(&member(old), &member(new))
}

/// Content and what it is said to be.
pub struct Blob {
    pub media_type: &'static str,
    pub content: Vec<u8>,
}

impl Blob {
    pub fn new(media_type: &'static str, content: impl Into<Vec<u8>>) -> Self {
        Self { media_type, content: content.into() }
    }

    pub fn index(children: &[Value]) -> Self {
        let document =
            serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children});
        Self::new(MediaType::OCI_INDEX, document.to_string())
    }

    pub fn image(config: &Value, layers: &[Value]) -> Self {
        let document = serde_json::json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
        });
        Self::new(MediaType::OCI_MANIFEST, document.to_string())
    }

    pub fn descriptor(&self) -> Value {
        serde_json::to_value(Descriptor::of(self.media_type, &self.content)).unwrap()
    }
}

/// A bundle of these blobs, the first being the root, whose inventory, index and archive agree with each other in
/// everything, whatever the content is.
pub fn bundle(blobs: &[Blob]) -> Vec<u8> {
    let record = |blob: &Blob| {
        let Descriptor { digest, size, media_type, .. } = Descriptor::of(blob.media_type, &blob.content);
        let manifest = media_type.is_manifest();
        BlobRecord { digest, size, media_type, manifest }
    };
    let root = record(&blobs[0]);
    let inventory = BundleInventory {
        schema_version: 1,
        media_type: names::BUNDLE.into(),
        features: Vec::new(),
        stream: None,
        created_by: "forger/1".into(),
        created_at: UnixTime::from_seconds(1_700_000_000),
        roots: vec![RootRecord {
            reference: NAME.parse().unwrap(),
            digest: root.digest,
            size: root.size,
            media_type: root.media_type,
            platforms: Vec::new(),
        }],
        referrers: Vec::new(),
        signatures: Vec::new(),
        evidence: Vec::new(),
        searches: Vec::new(),
        omitted: Vec::new(),
        docker_manifest: None,
        blobs: blobs.iter().map(record).collect(),
        totals: Totals::default(),
    };
    assemble(inventory, blobs.iter().map(|blob| blob.content.as_slice()))
}

/// A bundle of this inventory, in order, and these blobs.
fn assemble<'a>(mut inventory: BundleInventory, blobs: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    inventory.normalise();
    let manifest = inventory.bundle_manifest().unwrap();
    let index = inventory.index(&manifest.descriptor).to_bytes().unwrap();
    let mut entries = vec![
        Entry::file("oci-layout", LayoutDocument::BYTES),
        Entry::file("index.json", &index),
        Entry::blob(&manifest.bytes),
        Entry::blob(&manifest.inventory),
    ];
    for record in &inventory.blobs {
        let found = blobs.clone().find(|blob| Digest::sha256(blob) == record.digest);
        entries.push(Entry::blob(found.unwrap_or(b"{}")));
    }
    Tar(entries).bytes()
}

/// A chain of indexes, each the only child of the one before, with an image at its end.
pub fn nested(depth: usize) -> Vec<Blob> {
    let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    let mut chain = vec![Blob::image(&config.descriptor(), &[])];
    for _ in 0..depth {
        let child = chain.last().unwrap().descriptor();
        chain.push(Blob::index(&[child]));
    }
    chain.reverse();
    chain.push(config);
    chain
}
