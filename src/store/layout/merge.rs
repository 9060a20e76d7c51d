//! Adds entries to an `index.json` that others write too: what is there stays as it is, unknown members included.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::oci::{Descriptor, IndexDocument, LayoutError, MediaType, Tag, annotation};
use crate::store::{KeptTag, NameRule, Publication};

/// An entry to be.
struct Entry {
    descriptor: Descriptor,
    short: Option<String>,
    full: Option<String>,
    /// The tag, where it stays with what has it.
    modest: Option<Tag>,
    is_referrer: bool,
}

/// The entries of an index, with their places by what is looked for: an index may list many thousands.
#[derive(Default)]
struct Entries {
    list: Vec<Value>,
    by_digest: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    by_full_name: HashMap<String, Vec<usize>>,
}

impl Entries {
    fn of(list: Vec<Value>) -> Self {
        let mut entries = Self::default();
        list.into_iter().for_each(|entry| entries.push(entry));
        entries
    }

    fn push(&mut self, entry: Value) {
        let place = self.list.len();
        if let Some(digest) = digest_of(&entry) {
            self.by_digest.entry(digest.to_owned()).or_default().push(place);
        }
        for (key, places) in
            [(annotation::REF_NAME, &mut self.by_name), (annotation::CONTAINERD_NAME, &mut self.by_full_name)]
        {
            if let Some(name) = note(&entry, key) {
                places.entry(name.to_owned()).or_default().push(place);
            }
        }
        self.list.push(entry);
    }
}

fn digest_of(entry: &Value) -> Option<&str> {
    entry.get("digest").and_then(Value::as_str)
}

/// The index with the publications in it, and the tags that stayed with what had them. A name that moves is taken from the
/// entry that had it; the entry itself stays. A short name that another repository's artifact has does not move. An entry
/// that is there already stays once.
///
/// # Errors
/// What is there is no index.
pub(super) fn merge(index: &[u8], publications: &[Publication]) -> Result<(Vec<u8>, Vec<KeptTag>), LayoutError> {
    let malformed = |error| LayoutError::Json { name: IndexDocument::NAME, error };
    // Refuses what is no index, before anything in it is touched.
    IndexDocument::parse(index)?;
    let mut document: Map<String, Value> = crate::json::from_slice(index).map_err(malformed)?;
    let mut entries = Entries::of(match document.remove("manifests") {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    });
    let mut kept = Vec::new();
    for mut entry in named(publications) {
        if let Some(tag) = entry.give_way(&entries) {
            kept.push(tag);
            // Nothing leads to it but the tag that it does not get, unless it refers to something.
            if !entry.is_referrer {
                continue;
            }
        }
        entry.insert(&mut entries)?;
    }
    document.insert("manifests".into(), Value::Array(entries.list));
    Ok((crate::json::to_vec(&document).map_err(malformed)?, kept))
}

/// The bytes of a layout's first index.
pub(super) fn empty() -> Result<Vec<u8>, LayoutError> {
    IndexDocument::new(Vec::new()).to_bytes()
}

/// The short name is the tag, or the full reference where several of the publications have the same tag.
fn named(publications: &[Publication]) -> Vec<Entry> {
    let mut tags: BTreeMap<&Tag, Vec<&Publication>> = BTreeMap::new();
    for publication in publications {
        if let Some(tag) = &publication.tag {
            tags.entry(tag).or_default().push(publication);
        }
    }
    let shared = |tag: &Tag| {
        let all = tags.get(tag).map(Vec::as_slice).unwrap_or_default();
        let first = all.first().map(|publication| (&publication.descriptor.digest, &publication.reference));
        all.iter().any(|publication| Some((&publication.descriptor.digest, &publication.reference)) != first)
    };
    publications
        .iter()
        .map(|publication| {
            let reference = publication.reference.as_ref();
            let full = reference.zip(publication.tag.as_ref()).map(|(name, tag)| format!("{}:{tag}", name.repository));
            let short = match (&publication.tag, &full) {
                (Some(tag), Some(full)) if shared(tag) => Some(full.clone()),
                (Some(tag), _) => Some(tag.to_string()),
                (None, _) => None,
            };
            Entry {
                descriptor: publication.descriptor.clone(),
                short,
                full,
                modest: publication.tag.clone().filter(|_| publication.rule == NameRule::Stays),
                is_referrer: publication.subject.is_some(),
            }
        })
        .collect()
}

impl Entry {
    fn insert(mut self, entries: &mut Entries) -> Result<(), LayoutError> {
        let digest = self.descriptor.digest.to_string();
        self.leave_tag(entries);
        let Some(short) = &self.short else {
            // Without a name, being listed at all is enough.
            if !entries.by_digest.contains_key(&digest) {
                entries.push(self.value()?);
            }
            return Ok(());
        };
        let mut own = Vec::new();
        let mut places = entries.by_name.remove(short).unwrap_or_default();
        let full = self.full.iter().filter_map(|full| entries.by_full_name.remove(full)).flatten();
        let full: Vec<_> = full.filter(|place| !places.contains(place)).collect();
        places.extend(full);
        for place in places {
            match entries.list.get_mut(place) {
                Some(entry) if digest_of(entry) == Some(&digest) => own.push(place),
                Some(other) => self.take_names(other),
                None => {}
            }
        }
        if own.is_empty() {
            entries.push(self.value()?);
        } else {
            entries.by_full_name.extend(self.full.map(|full| (full, own.clone())));
            entries.by_name.insert(short.clone(), own);
        }
        Ok(())
    }

    /// Lets a tag that is not to move stay with what has it.
    fn give_way(&mut self, entries: &Entries) -> Option<KeptTag> {
        let tag = self.modest.as_ref()?;
        let brought = self.descriptor.digest;
        let holders = entries.by_name.get(self.short.as_ref()?).into_iter().flatten();
        let mut digests = holders.filter_map(|place| digest_of(entries.list.get(*place)?)?.parse::<Digest>().ok());
        let kept = digests.find(|digest| *digest != brought)?;
        let kept = KeptTag { tag: tag.clone(), kept, brought };
        (self.short, self.full) = (None, None);
        Some(kept)
    }

    /// A tag that belongs to another repository's artifact stays there: this one is known by its full name alone.
    fn leave_tag(&mut self, entries: &Entries) {
        let (Some(short), Some(full)) = (&self.short, &self.full) else { return };
        let places = entries.by_name.get(short).into_iter().flatten();
        let mut holders = places.filter_map(|place| note(entries.list.get(*place)?, annotation::CONTAINERD_NAME));
        if holders.any(|holder| holder != full) {
            self.short = Some(full.clone());
        }
    }

    /// Takes names from another entry: this one's full name, and the short name beside it.
    fn take_names(&self, other: &mut Value) {
        let full = note(other, annotation::CONTAINERD_NAME).map(str::to_owned);
        let Some(notes) = other.get_mut("annotations").and_then(Value::as_object_mut) else { return };
        notes.remove(annotation::REF_NAME);
        if full.is_some() && full == self.full {
            notes.remove(annotation::CONTAINERD_NAME);
        }
        if notes.is_empty()
            && let Some(entry) = other.as_object_mut()
        {
            entry.remove("annotations");
        }
    }

    fn value(self) -> Result<Value, LayoutError> {
        let mut descriptor = self.descriptor;
        for (key, name) in [(annotation::REF_NAME, self.short), (annotation::CONTAINERD_NAME, self.full)] {
            match name {
                Some(name) => descriptor.annotations.insert(key.to_owned(), name),
                None => descriptor.annotations.remove(key),
            };
        }
        if descriptor.media_type.as_str().is_empty() {
            descriptor.media_type = MediaType::OCI_MANIFEST.into();
        }
        let bytes = crate::json::to_vec(&descriptor);
        let value = bytes.and_then(|bytes| crate::json::from_slice(&bytes));
        value.map_err(|error| LayoutError::Json { name: IndexDocument::NAME, error })
    }
}

fn note<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get("annotations")?.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn publication(content: &[u8], name: Option<&str>) -> Publication {
        let reference: Option<crate::oci::Reference> = name.map(|name| name.parse().unwrap());
        let tag = reference.as_ref().and_then(|reference| reference.tag.clone());
        Publication {
            descriptor: Descriptor::of(MediaType::OCI_MANIFEST, content),
            tag,
            reference,
            subject: None,
            rule: NameRule::Moves,
        }
    }

    fn merge(index: &[u8], publications: &[Publication]) -> Result<Vec<u8>, LayoutError> {
        super::merge(index, publications).map(|(merged, kept)| {
            assert_eq!(kept, []);
            merged
        })
    }

    fn names(index: &[u8]) -> Vec<(Option<String>, Option<String>)> {
        let index = IndexDocument::parse(index).unwrap();
        let name = |entry: &Descriptor, key: &str| entry.annotations.get(key).cloned();
        index
            .manifests
            .iter()
            .map(|entry| (name(entry, annotation::REF_NAME), name(entry, annotation::CONTAINERD_NAME)))
            .collect()
    }

    fn both(short: &str, full: &str) -> (Option<String>, Option<String>) {
        (Some(short.into()), Some(full.into()))
    }

    #[test]
    fn what_is_there_stays_with_members_that_nobody_knows() {
        let digest = crate::digest::Digest::sha256(b"old");
        let old = json!({"mediaType": "x/y", "digest": digest.to_string(), "size": 3, "urls": ["u"], "x": {"y": [1]}});
        let index = json!({"schemaVersion": 2, "manifests": [old], "annotations": {"a": "b"}, "other": true});
        let merged = merge(index.to_string().as_bytes(), &[publication(b"new", None)]).unwrap();
        let merged: Value = serde_json::from_slice(&merged).unwrap();
        assert_eq!(merged["manifests"][0], index["manifests"][0]);
        assert_eq!(merged["manifests"].as_array().unwrap().len(), 2);
        assert_eq!((&merged["other"], &merged["annotations"]), (&index["other"], &index["annotations"]));
    }

    #[test]
    fn a_name_moves_and_what_had_it_stays() {
        let index = merge(&empty().unwrap(), &[publication(b"1", Some("a.example/x:v1"))]).unwrap();
        let again = merge(&index, &[publication(b"1", Some("a.example/x:v1")), publication(b"1", None)]).unwrap();
        assert_eq!(index, again);
        let moved = merge(&index, &[publication(b"2", Some("a.example/x:v1"))]).unwrap();
        assert_eq!(names(&moved), [(None, None), both("v1", "a.example/x:v1")]);
        let other = merge(&index, &[publication(b"2", Some("b.example/x:v1"))]).unwrap();
        assert_eq!(names(&other), [both("v1", "a.example/x:v1"), both("b.example/x:v1", "b.example/x:v1")]);
        // The same artifact under both names has both.
        let same = merge(&index, &[publication(b"1", Some("b.example/x:v1"))]).unwrap();
        assert_eq!(names(&same), [both("v1", "a.example/x:v1"), both("b.example/x:v1", "b.example/x:v1")]);
        for index in [other, same] {
            let again = merge(&index, &[publication(b"2", Some("b.example/x:v1"))]).unwrap();
            let full = names(&again).into_iter().filter(|(_, full)| full.as_deref() == Some("b.example/x:v1"));
            assert_eq!(full.count(), 1);
            assert_eq!(merge(&again, &[publication(b"2", Some("b.example/x:v1"))]).unwrap(), again);
        }
    }

    #[test]
    fn a_full_name_is_one_artifacts_however_short_names_were_given() {
        let index = merge(&empty().unwrap(), &[publication(b"1", Some("a.example/x:v1"))]).unwrap();
        let pair = [publication(b"2", Some("a.example/x:v1")), publication(b"3", Some("b.example/x:v1"))];
        let expected =
            [(None, None), both("a.example/x:v1", "a.example/x:v1"), both("b.example/x:v1", "b.example/x:v1")];
        assert_eq!(names(&merge(&index, &pair).unwrap()), expected);
        // A layout of another tool has tags of nobody's: they move.
        let digest = crate::digest::Digest::sha256(b"old");
        let notes = json!({"org.opencontainers.image.ref.name": "v1"});
        let old = json!({"mediaType": "x/y", "digest": digest.to_string(), "size": 3, "annotations": notes});
        let index = json!({"schemaVersion": 2, "manifests": [old]}).to_string();
        let merged = merge(index.as_bytes(), &[publication(b"1", Some("a.example/x:v1"))]).unwrap();
        assert_eq!(names(&merged), [(None, None), both("v1", "a.example/x:v1")]);
    }

    #[test]
    fn a_tag_of_two_repositories_is_written_out() {
        let pair = [publication(b"1", Some("a.example/x:v1")), publication(b"2", Some("b.example/x:v1"))];
        let index = merge(&empty().unwrap(), &pair).unwrap();
        let expected = ["a.example/x:v1", "b.example/x:v1"].map(|name| both(name, name));
        assert_eq!(names(&index), expected);
    }

    #[test]
    fn a_tag_that_is_not_to_move_stays_with_what_has_it() {
        let tagged = |content: &[u8], subject| {
            let tag: Tag = "sha256-1.sig".parse().unwrap();
            let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, content);
            Publication { descriptor, tag: Some(tag), reference: None, subject, rule: NameRule::Stays }
        };
        let first = tagged(b"1", None);
        let index = merge(&empty().unwrap(), std::slice::from_ref(&first)).unwrap();
        assert_eq!(names(&index), [(Some("sha256-1.sig".into()), None)]);
        // The same again is no other.
        assert_eq!(merge(&index, &[first]).unwrap(), index);
        let second = tagged(b"2", None);
        let (kept, brought) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let told = [KeptTag { tag: second.tag.clone().unwrap(), kept, brought }];
        let (merged, found) = super::merge(&index, std::slice::from_ref(&second)).unwrap();
        assert_eq!((merged, found.as_slice()), (index.clone(), &told[..]), "nothing leads to what has no name");
        // What refers to something is found by that.
        let referrer = tagged(b"2", Some(Digest::sha256(b"image")));
        let (merged, found) = super::merge(&index, std::slice::from_ref(&referrer)).unwrap();
        assert_eq!(names(&merged), [(Some("sha256-1.sig".into()), None), (None, None)]);
        assert_eq!(found, told);
        assert_eq!(super::merge(&merged, &[referrer]).unwrap(), (merged, told.to_vec()));
        // Where both have the tag, neither loses it; and what somebody answers for takes it.
        let moving = Publication { rule: NameRule::Moves, ..second.clone() };
        assert_eq!(names(&merge(&index, &[moving]).unwrap()), [(None, None), (Some("sha256-1.sig".into()), None)]);
        let notes = json!({"org.opencontainers.image.ref.name": "sha256-1.sig"});
        let entry = |digest: Digest| json!({"mediaType": "x/y", "size": 1, "digest": digest, "annotations": notes});
        let both = json!({"schemaVersion": 2, "manifests": [entry(kept), entry(brought)]});
        let (merged, found) = super::merge(both.to_string().as_bytes(), &[second]).unwrap();
        assert_eq!((names(&merged).len(), found.len()), (2, 1));
        assert!(names(&merged).iter().all(|(short, _)| short.is_some()));
    }

    #[test]
    fn what_is_no_index_is_not_touched() {
        for bad in [&b""[..], b"[]", b"{}", br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#] {
            assert!(merge(bad, &[]).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
