//! What is done with hostile bytes: the bodies of the fuzz targets (`cargo fuzz run --fuzz-dir tests/fuzz NAME`) and of
//! the test that runs each of them on mutations of its seeds (`tests/robust/fuzz_smoke.rs`).
//!
//! Whatever the bytes are, a reader ends in bounded time without a panic; and what it accepts, it accepts again in the
//! form that it writes itself, and from a pipe as from a file.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Cursor;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};

use bulla::archive::{BundleInventory, SealMembers};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::{EnvelopeType, SignatureEnvelope, SignatureManifest};
use bulla::oci::{
    Descriptor, DigestTag, IndexDocument, LayoutDocument, Location, Manifest, MediaType, Platform, Reference,
    Repository, Tag,
};
use bulla::pki::{Certificate, CertificateChain, Crl, OcspResponse, Profile, certificates_from_file, crls_from_file};
use bulla::store::archive::open_any;
use bulla::store::bundle::BundleStore;
use bulla::store::layout::LayoutStore;
use bulla::store::stream::open_stream;
use bulla::store::{ContentKind, ContentStore, StoreError, copy_to, fetch};
use bulla::trust::{BlobPolicyDocument, Dialect, DistinguishedName, PolicyDocument};
use bulla::tsp::TimestampToken;
use tempfile::TempDir;

/// One body.
pub type Body = fn(&[u8]);

/// All of them, by the names of the fuzz targets and of the folders with their seeds.
pub const TARGETS: [(&str, Body); 12] = [
    ("tar", tar),
    ("seek_table", seek_table),
    ("bundle_manifest", bundle_manifest),
    ("layout", layout),
    ("jws", jws),
    ("cose", cose),
    ("certificate", certificate),
    ("crl", crl),
    ("ocsp", ocsp),
    ("timestamp", timestamp),
    ("policy", policy),
    ("reference", reference),
];

/// The repository, from its own tests and from the fuzz package in it.
pub fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().find(|folder| folder.join("testdata/cases").is_dir()).unwrap().to_owned()
}

/// A file, and a layout of which `index.json` is missing, that each thread uses again and again.
struct Scratch {
    folder: TempDir,
    file: File,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("archive")).unwrap();
        let layout = folder.path().join("layout");
        fs::create_dir(&layout).unwrap();
        fs::write(layout.join(LayoutDocument::NAME), LayoutDocument::BYTES).unwrap();
        symlink(repository().join("testdata/cases/layouts/plain/blobs"), layout.join("blobs")).unwrap();
        Self { folder, file }
    }

    fn archive(&self, bytes: &[u8]) -> PathBuf {
        self.file.set_len(0).unwrap();
        self.file.write_all_at(bytes, 0).unwrap();
        self.folder.path().join("archive")
    }

    fn layout(&self, index: &[u8]) -> PathBuf {
        let folder = self.folder.path().join("layout");
        fs::write(folder.join(IndexDocument::NAME), index).unwrap();
        folder
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// Names, referrers and content of a store, as far as they can be had.
fn explore(store: &dyn ContentStore) {
    for root in store.names().unwrap_or_default() {
        let _ = store.referrers(&root.descriptor);
        if let Ok(Some(bytes)) = fetch(store, &root.descriptor, ContentKind::Manifest, 1 << 20) {
            let manifest = Manifest::parse(&root.descriptor, bytes);
            manifest.iter().flat_map(Manifest::blobs).for_each(|blob| {
                let _ = fetch(store, blob, ContentKind::Blob, 1 << 20);
            });
        }
    }
}

fn all_of(store: &BundleStore) -> Result<(), StoreError> {
    let seal: Vec<_> = store.seal().into_iter().flat_map(SealMembers::blobs).cloned().collect();
    for blob in store.inventory().blobs.iter().map(|blob| blob.descriptor()).chain(seal) {
        let content = store.open(&blob, ContentKind::Blob)?.expect("the inventory is closed");
        copy_to(content, &blob, &mut std::io::sink())?;
    }
    Ok(())
}

fn all_of_pipe(bytes: &[u8]) -> Result<(), StoreError> {
    let (_, mut tail) = open_stream(Cursor::new(bytes.to_vec()), &Limits::default())?;
    while let Some(blob) = tail.next_blob()? {
        copy_to(tail.content(), &blob, &mut std::io::sink())?;
    }
    Ok(())
}

/// When what came of a file is compared with what comes of a pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Always,
    /// Where the file was accepted, and a few other times: a pipe is read whole before its end is known to be wrong.
    Sometimes,
}

/// Reads an archive as anybody's, as a bundle, and as a bundle from a pipe.
fn read(bytes: &[u8], compare: Compare) {
    SCRATCH.with_borrow(|scratch| {
        let path = scratch.archive(bytes);
        let limits = Limits::default();
        if let Ok(opened) = open_any(&path, &limits) {
            explore(opened.store());
        }
        let from_file = BundleStore::open(&path, &limits).and_then(|store| all_of(&store));
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
        if compare == Compare::Sometimes && from_file.is_err() && sum % 16 != 0 {
            return;
        }
        let from_pipe = all_of_pipe(bytes);
        assert_eq!(from_file.is_ok(), from_pipe.is_ok(), "from a file {from_file:?}, from a pipe {from_pipe:?}");
    });
}

/// Makes the checksums of all tar headers right, so that more than the checksum is tested.
fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

/// Entries of a tar, plain or compressed, of bundles and of other tools' archives.
pub fn tar(bytes: &[u8]) {
    read(bytes, Compare::Always);
    let mended = mend(bytes);
    if mended != bytes {
        read(&mended, Compare::Always);
    }
}

/// Everything behind the frames of a bundle that are as they should be.
pub fn seek_table(bytes: &[u8]) {
    let whole = include_bytes!("corpus/tar/small.tar.zst");
    let frames = frames(whole);
    read(&[&whole[..frames], bytes].concat(), Compare::Sometimes);
}

/// Where the frames end and the seek table begins: behind it lie 8 bytes, 8 for each frame, and 9.
fn frames(whole: &[u8]) -> usize {
    let footer = &whole[whole.len() - 9..];
    let count = u32::from_le_bytes([footer[0], footer[1], footer[2], footer[3]]);
    whole.len() - 17 - 8 * usize::try_from(count).unwrap()
}

fn manifest(media_type: &str, bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(&Descriptor::of(media_type, bytes), bytes) else { return };
    let _ = (SignatureManifest::read(&manifest), manifest.referrer_descriptor(), manifest.blobs().count());
}

/// The bundle manifest, and the inventory in it.
pub fn bundle_manifest(bytes: &[u8]) {
    manifest(MediaType::OCI_MANIFEST, bytes);
    let Ok(inventory) = BundleInventory::parse(bytes) else { return };
    assert_eq!(inventory.to_bytes().unwrap(), bytes, "an inventory has one form");
    let manifest = inventory.bundle_manifest().unwrap();
    let index = inventory.index(&manifest.descriptor).to_bytes().unwrap();
    IndexDocument::parse(&index).unwrap();
}

/// `index.json`, `oci-layout`, manifests and indexes.
pub fn layout(bytes: &[u8]) {
    let _ = LayoutDocument::parse(bytes);
    manifest(MediaType::OCI_MANIFEST, bytes);
    manifest(MediaType::OCI_INDEX, bytes);
    let Ok(index) = IndexDocument::parse(bytes) else { return };
    let again = index.to_bytes().unwrap();
    assert_eq!(IndexDocument::parse(&again).unwrap().to_bytes().unwrap(), again);
    SCRATCH.with_borrow(|scratch| {
        if let Ok(store) = LayoutStore::open(&scratch.layout(bytes), &Limits::default()) {
            explore(&store);
        }
    });
}

fn envelope(kind: EnvelopeType, bytes: &[u8]) {
    let Ok(envelope) = SignatureEnvelope::parse(&kind.media_type().into(), bytes, &Limits::default()) else { return };
    let _ = (envelope.claimed_payload(), envelope.signing_agent().map(str::len), envelope.claims());
    if let Some(token) = envelope.timestamp() {
        timestamp(token);
    }
    let _ = envelope.verify();
}

/// A signature in JWS form.
pub fn jws(bytes: &[u8]) {
    envelope(EnvelopeType::Jws, bytes);
}

/// A signature in COSE form, and with it CBOR.
pub fn cose(bytes: &[u8]) {
    envelope(EnvelopeType::Cose, bytes);
}

fn interpret(certificate: &Certificate) {
    let _ = (certificate.revocation_sources(), certificate.subject().to_string(), certificate.public_key().describe());
    let _ = (certificate.short_name(), certificate.is_self_signed(), certificate.validity());
    let chain = CertificateChain::new(vec![certificate.clone()], &Limits::default()).unwrap();
    for profile in [Profile::CodeSigning, Profile::Timestamping] {
        let _ = chain.clone().inspect(profile);
    }
}

/// A certificate, and files of certificates.
pub fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes);
        interpret(&certificate);
    }
    let _ = certificates_from_file(bytes, &Limits::default());
}

/// A CRL, and files of CRLs.
pub fn crl(bytes: &[u8]) {
    if let Ok(crl) = Crl::from_der(bytes) {
        assert_eq!(crl.der(), bytes);
        let _ = (crl.issuer().to_string(), crl.number(), crl.entry_count(), crl.idp(), crl.http_freshest_urls());
    }
    let _ = crls_from_file(bytes, &Limits::default());
}

/// An OCSP response.
pub fn ocsp(bytes: &[u8]) {
    if let Ok(response) = OcspResponse::from_der(bytes, &Limits::default()) {
        assert_eq!(response.der(), bytes);
        let _ = (response.responder(), response.period(), response.serials().count());
    }
}

/// A TimeStampToken.
pub fn timestamp(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(token) = TimestampToken::parse(bytes, &limits) else { return };
    token.certificates().iter().for_each(interpret);
    let _ = (token.signer().is_ok(), token.earliest(), token.latest());
    let roots = token.certificates().to_vec();
    let _ = token.verify(b"message", &roots, &limits);
}

/// Trust policies of both kinds.
pub fn policy(bytes: &[u8]) {
    for dialect in [Dialect::Bulla, Dialect::Notation] {
        let _ = PolicyDocument::parse_as(bytes, dialect);
    }
    let _ = BlobPolicyDocument::parse(bytes);
}

/// Whatever text names something. What is read is written so that it is read again as the same.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (Location::parse(text), Location::split_path(text), Platform::parse(text), DistinguishedName::parse(text));
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
    }
    if let Ok(repository) = text.parse::<Repository>() {
        assert_eq!(repository.to_string().parse::<Repository>().unwrap(), repository);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.as_str(), text);
        let recognised = DigestTag::recognise(&tag);
        assert!(recognised.is_none_or(|found| found.tag() == Some(tag)));
    }
}
