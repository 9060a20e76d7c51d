//! What makes an inventory one that a bundle may have: canonical order, and no statement that contradicts another.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::docker::DOCKER_MANIFEST;
use super::inventory::{BlobRecord, BundleInventory, EvidenceRecord, Omission, OmittedContent, StreamPosition, Totals};
use super::inventory_error::InventoryError;
use super::names;
use crate::digest::{Digest, shorten};
use crate::oci::{Descriptor, MediaType};

/// The features that this version reads.
pub const KNOWN_FEATURES: [&str; 1] = [DOCKER_MANIFEST];

/// The feature of a bundle that lacks content which the far side is said to have. The format has its place for it; this
/// version neither writes nor reads such bundles.
pub const HELD_CONTENT: &str = "held-content";

/// The features that the format defines, read or not.
const DEFINED_FEATURES: [&str; 2] = [DOCKER_MANIFEST, HELD_CONTENT];

/// The repository under whose statement of the trust policy seals are judged. No artifact of a bundle has a name in
/// it, and no registry can (RFC 2606 section 2).
pub const SEAL_REPOSITORY: &str = "bulla.invalid/seal";

/// How large an inventory may be (`schemas/bundle-v1.md` §4): readers hold all of it in memory.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// The content of every empty configuration (OCI image-spec, "Guidance for an Empty Descriptor").
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// The descriptor of [`EMPTY_CONFIG`].
pub fn empty_config() -> Descriptor {
    static EMPTY: LazyLock<Descriptor> = LazyLock::new(|| Descriptor::of(MediaType::OCI_EMPTY, EMPTY_CONFIG));
    EMPTY.clone()
}

/// Whether an inventory, as bytes, is one that readers take.
///
/// # Errors
/// It is too large.
pub(super) fn check_size(inventory: &[u8]) -> Result<(), InventoryError> {
    let found = inventory.len();
    if found > MOST_BYTES { Err(InventoryError::TooLarge { found }) } else { Ok(()) }
}

/// In which part of the archive a blob stands: what decides first, what is large last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Manifests,
    Decisive,
    Rest,
}

impl BundleInventory {
    /// Brings everything into canonical order: sorts every list, drops what is there twice, adds the empty
    /// configuration that the bundle manifest itself needs, and computes the totals.
    pub fn normalise(&mut self) {
        let empty = empty_config();
        self.blobs.push(BlobRecord {
            digest: empty.digest,
            size: empty.size,
            media_type: empty.media_type,
            manifest: false,
        });
        sort(&mut self.features);
        self.roots.iter_mut().for_each(|root| sort(&mut root.platforms));
        sort(&mut self.roots);
        sort(&mut self.referrers);
        sort(&mut self.signatures);
        sort(&mut self.evidence);
        self.evidence.sort_by_key(EvidenceRecord::digest);
        sort(&mut self.searches);
        self.order_blobs();
        if !self.omitted.is_empty() {
            let carried: HashSet<_> = self.blobs.iter().map(|blob| blob.digest).collect();
            self.omitted.retain(|omitted| !carried.contains(&omitted.digest));
        }
        sort(&mut self.omitted);
        self.omitted.dedup_by_key(|omitted| omitted.digest);
        self.totals = self.computed_totals();
    }

    /// Puts the blobs in the order of the archive: manifests; then envelopes, evidence and configurations; then the
    /// rest. Each part by digest, each blob once (a blob that was also reached as a manifest is a manifest).
    pub fn order_blobs(&mut self) {
        let decisive = self.decisive();
        let mut blobs = std::mem::take(&mut self.blobs);
        // Of several mentions of a blob the best comes first: as a manifest, then by media type.
        blobs.sort_by(|a, b| {
            let rank = |blob: &BlobRecord| (blob.digest, !blob.manifest);
            rank(a).cmp(&rank(b)).then_with(|| a.media_type.cmp(&b.media_type))
        });
        blobs.dedup_by_key(|blob| blob.digest);
        let mut parts = [const { Vec::new() }; 3];
        for blob in blobs {
            let [manifests, first, rest] = &mut parts;
            match part(&blob, &decisive) {
                Part::Manifests => manifests.push(blob),
                Part::Decisive => first.push(blob),
                Part::Rest => rest.push(blob),
            }
        }
        self.blobs = parts.into_iter().flatten().collect();
    }

    /// How many of the blobs, the first so many, are what decides or is small: all but the layers.
    pub fn head(&self) -> usize {
        let decisive = self.decisive();
        self.blobs.partition_point(|blob| part(blob, &decisive) < Part::Rest)
    }

    fn decisive(&self) -> HashSet<Digest> {
        let envelopes = self.signatures.iter().filter_map(|signature| signature.envelope);
        let evidence = self.evidence.iter().map(EvidenceRecord::digest);
        envelopes.chain(evidence).collect()
    }

    fn computed_totals(&self) -> Totals {
        let expiries = self.evidence.iter().filter_map(EvidenceRecord::next_update);
        Totals {
            blobs: u64::try_from(self.blobs.len()).unwrap_or(u64::MAX),
            bytes: self.blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size)),
            evidence_current_until: expiries.min(),
        }
    }

    /// Holds the inventory against itself: version and features, the order of every list, that everything it names is
    /// among its blobs as what it names it, and the totals.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn validate(&self) -> Result<(), InventoryError> {
        self.check_header()?;
        if let Some(stream) = &self.stream {
            stream.validate()?;
        }
        self.check_omitted()?;
        self.check_docker_manifest()?;
        let totals = self.computed_totals();
        self.check_values(&totals)?;
        self.check_order()?;
        self.check_names()?;
        self.check_references()?;
        match self.totals == totals {
            true => Ok(()),
            false => Err(InventoryError::Totals),
        }
    }

    fn check_header(&self) -> Result<(), InventoryError> {
        if self.schema_version != 1 {
            return Err(InventoryError::SchemaVersion { found: self.schema_version });
        }
        if self.media_type != names::BUNDLE {
            return Err(InventoryError::MediaType { found: shorten(self.media_type.as_str()) });
        }
        match self.features.iter().find(|name| !DEFINED_FEATURES.contains(&name.as_str())) {
            Some(name) => Err(InventoryError::Feature { name: shorten(name) }),
            None => Ok(()),
        }
    }

    /// What the far side has may be left out, but nothing that decides: manifests, configurations, signatures and
    /// evidence always come along (that they are carried is checked with the other references).
    fn check_omitted(&self) -> Result<(), InventoryError> {
        let mut held = self.omitted.iter().filter(|omitted| omitted.reason == Omission::Held).peekable();
        let needed = held.peek().is_some();
        self.check_feature(HELD_CONTENT, "content that was left out because the far side has it", needed)?;
        self.omitted.iter().try_for_each(OmittedContent::validate)
    }

    /// A feature is named where there is what it stands for, and nowhere else.
    fn check_feature(&self, name: &'static str, content: &'static str, needed: bool) -> Result<(), InventoryError> {
        match needed == self.features.iter().any(|feature| feature == name) {
            true => Ok(()),
            false => Err(InventoryError::FeatureMismatch { name, content, needed }),
        }
    }

    fn check_docker_manifest(&self) -> Result<(), InventoryError> {
        self.check_feature(DOCKER_MANIFEST, "manifest.json", self.docker_manifest.is_some())?;
        match self.docker_manifest.as_ref().filter(|record| !record.is_possible()) {
            Some(record) => {
                let found = format!("{} of {} bytes", record.digest, record.size);
                Err(InventoryError::Value { member: "dockerManifest", found: shorten(&found) })
            }
            None => Ok(()),
        }
    }

    /// What no type of a member says: the form of codes and hexadecimal numbers, and how great sizes may be.
    fn check_values(&self, totals: &Totals) -> Result<(), InventoryError> {
        let value = |member, good: bool, found: &dyn std::fmt::Display| match good {
            true => Ok(()),
            false => Err(InventoryError::Value { member, found: shorten(&found.to_string()) }),
        };
        for gap in self.signatures.iter().flat_map(|signature| &signature.missing) {
            value("missing code", gap.code.is_well_formed(), &gap.code)?;
        }
        for record in &self.evidence {
            match record {
                EvidenceRecord::Crl(crl) => {
                    for number in crl.number.iter().chain(&crl.base_number) {
                        value("CRL number", is_hex(number), number)?;
                    }
                }
                EvidenceRecord::Ocsp(response) => {
                    for serial in &response.serials {
                        value("serial number", is_hex(serial), serial)?;
                    }
                }
            }
        }
        let sizes = self.blobs.iter().map(|blob| blob.size).chain(self.omitted.iter().map(|omitted| omitted.size));
        match sizes.chain([totals.bytes]).find(|size| *size >= MOST_NUMBER) {
            Some(found) => Err(InventoryError::Size { found }),
            None => Ok(()),
        }
    }

    fn check_order(&self) -> Result<(), InventoryError> {
        let decisive = self.decisive();
        ascending("features", &self.features, String::as_str)?;
        ascending("roots", &self.roots, |root| (&root.reference, root.digest))?;
        for root in &self.roots {
            ascending("platforms", &root.platforms, |platform| (platform.digest, &platform.platform))?;
        }
        ascending("referrers", &self.referrers, |referrer| (referrer.subject, referrer.digest, &referrer.tag))?;
        ascending("signatures", &self.signatures, |signature| (signature.digest, signature.subject))?;
        ascending("evidence", &self.evidence, EvidenceRecord::digest)?;
        ascending("searches", &self.searches, |search| search.subject)?;
        ascending("omitted", &self.omitted, |omitted| omitted.digest)?;
        ascending("blobs", &self.blobs, |blob| (part(blob, &decisive), blob.digest))
    }

    /// A repository and tag name one artifact.
    fn check_names(&self) -> Result<(), InventoryError> {
        let mut named = HashMap::new();
        for root in &self.roots {
            if root.reference.digest.is_some_and(|digest| digest != root.digest) {
                let reference = Box::new(root.reference.clone());
                return Err(InventoryError::NameOfAnother { reference, found: root.digest });
            }
            if root.reference.repository.to_string() == SEAL_REPOSITORY {
                return Err(InventoryError::NameReserved { reference: root.reference.clone() });
            }
            let Some(tag) = &root.reference.tag else { continue };
            let first = named.entry((&root.reference.repository, tag)).or_insert(root.digest);
            if *first != root.digest {
                return Err(InventoryError::NameTwice { reference: root.reference.clone() });
            }
        }
        Ok(())
    }

    fn check_references(&self) -> Result<(), InventoryError> {
        let carried = Carried::of(&self.blobs)?;
        carried.blob("the empty configuration", &empty_config().digest, empty_config().size)?;
        let omitted: HashSet<_> = self.omitted.iter().map(|omitted| omitted.digest).collect();
        for root in &self.roots {
            carried.described("a root", &root.digest, root.size, &root.media_type)?;
            for child in &root.platforms {
                match child.omitted {
                    false => carried.manifest("a child of a root", &child.digest)?,
                    true if omitted.contains(&child.digest) || carried.is_plain(&child.digest) => {}
                    true => return Err(InventoryError::NotOmitted { digest: child.digest }),
                }
            }
        }
        for referrer in &self.referrers {
            carried.described("a referrer", &referrer.digest, referrer.size, &referrer.media_type)?;
            carried.manifest("the subject of a referrer", &referrer.subject)?;
        }
        self.check_signatures(&carried)?;
        for record in &self.evidence {
            let blob = record.descriptor();
            carried.blob("a CRL or OCSP response", &blob.digest, blob.size)?;
        }
        for search in &self.searches {
            carried.manifest("the subject of a search", &search.subject)?;
        }
        match self.omitted.iter().find(|omitted| carried.0.contains_key(&omitted.digest)) {
            Some(omitted) => Err(InventoryError::OmittedAndCarried { digest: omitted.digest }),
            None => Ok(()),
        }
    }

    fn check_signatures(&self, carried: &Carried<'_>) -> Result<(), InventoryError> {
        let referrers: HashSet<_> = self.referrers.iter().map(|record| (record.digest, record.subject)).collect();
        for signature in &self.signatures {
            if !referrers.contains(&(signature.digest, signature.subject)) {
                return Err(InventoryError::NotAReferrer { digest: signature.digest });
            }
            if let Some(envelope) = &signature.envelope {
                carried.any("a signature envelope", envelope)?;
            }
            if let Some(evidence) = &signature.evidence {
                carried.manifest("an evidence manifest", evidence)?;
            }
        }
        Ok(())
    }
}

impl OmittedContent {
    fn validate(&self) -> Result<(), InventoryError> {
        let fail = |reason| Err(InventoryError::Omission { digest: self.digest, reason });
        let decisive = self.media_type.is_manifest()
            || self.media_type.is_image_config()
            || self.media_type == MediaType::OCI_EMPTY;
        match self.reason {
            Omission::Platform => Ok(()),
            Omission::Held if decisive => fail("manifests and configurations always come along"),
            Omission::Held if self.platform.is_some() => fail("what the far side has has no platform"),
            Omission::Held => Ok(()),
        }
    }
}

impl StreamPosition {
    /// Holds the position against itself: the name's form; the first bundle has number 1 and none before it.
    ///
    /// # Errors
    /// What cannot be.
    pub fn validate(&self) -> Result<(), InventoryError> {
        let ends = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = self.name.as_bytes();
        let good = bytes.len() <= 128
            && bytes.first().is_some_and(ends)
            && bytes.last().is_some_and(ends)
            && bytes.iter().all(|byte| ends(byte) || b"._/-".contains(byte));
        if !good {
            return Err(InventoryError::StreamName { name: shorten(&self.name) });
        }
        let fail =
            |reason| Err(InventoryError::StreamPosition { sequence: self.sequence, previous: self.previous, reason });
        match (self.sequence, self.previous) {
            (0, _) => fail("the first has number 1"),
            (1, Some(_)) => fail("nothing is before the first"),
            (MOST_NUMBER.., _) => fail("numbers end below 2^53"),
            _ => Ok(()),
        }
    }
}

/// Numbers below this every JSON reader takes for what they are (RFC 8259 §6).
const MOST_NUMBER: u64 = 1 << 53;

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn part(blob: &BlobRecord, decisive: &HashSet<Digest>) -> Part {
    if blob.manifest {
        Part::Manifests
    } else if decisive.contains(&blob.digest)
        || blob.media_type.is_image_config()
        || blob.media_type == MediaType::OCI_EMPTY
        || blob.media_type == super::names::TIMESTAMP
    {
        Part::Decisive
    } else {
        Part::Rest
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}

/// Each key greater than the one before.
fn ascending<'a, T, K: Ord>(
    list: &'static str,
    items: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> Result<(), InventoryError> {
    let sorted = items.iter().zip(items.iter().skip(1)).all(|(first, second)| key(first) < key(second));
    if sorted { Ok(()) } else { Err(InventoryError::Order { list }) }
}

/// The blobs by digest.
struct Carried<'a>(HashMap<Digest, &'a BlobRecord>);

impl<'a> Carried<'a> {
    /// A blob that is listed in two parts is out of order in one of them.
    fn of(blobs: &'a [BlobRecord]) -> Result<Self, InventoryError> {
        let carried: HashMap<_, _> = blobs.iter().map(|blob| (blob.digest, blob)).collect();
        match carried.len() == blobs.len() {
            true => Ok(Self(carried)),
            false => Err(InventoryError::Order { list: "blobs" }),
        }
    }

    fn check(
        &self,
        what: &'static str,
        digest: &Digest,
        fits: impl Fn(&BlobRecord) -> bool,
    ) -> Result<(), InventoryError> {
        match self.0.get(digest) {
            Some(blob) if fits(blob) => Ok(()),
            _ => Err(InventoryError::NotCarried { what, digest: *digest }),
        }
    }

    /// Whether it is carried, but not as a manifest: content that is some manifest's layer as well.
    fn is_plain(&self, digest: &Digest) -> bool {
        self.0.get(digest).is_some_and(|blob| !blob.manifest)
    }

    fn any(&self, what: &'static str, digest: &Digest) -> Result<(), InventoryError> {
        self.check(what, digest, |_| true)
    }

    fn blob(&self, what: &'static str, digest: &Digest, size: u64) -> Result<(), InventoryError> {
        self.check(what, digest, |blob| blob.size == size)
    }

    fn manifest(&self, what: &'static str, digest: &Digest) -> Result<(), InventoryError> {
        self.check(what, digest, |blob| blob.manifest)
    }

    fn described(
        &self,
        what: &'static str,
        digest: &Digest,
        size: u64,
        media_type: &MediaType,
    ) -> Result<(), InventoryError> {
        self.check(what, digest, |blob| blob.manifest && blob.size == size && blob.media_type == *media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bundle_is_written_that_nobody_reads() {
        let of = |size| check_size(&vec![0; size]);
        assert_eq!(of(MOST_BYTES), Ok(()));
        assert_eq!(of(MOST_BYTES + 1), Err(InventoryError::TooLarge { found: MOST_BYTES + 1 }));
        assert_eq!(u64::try_from(MOST_BYTES), Ok(crate::limits::Limits::default().index_bytes), "as readers have it");
    }
}
