//! From what the operator wrote to artifacts and the names that they are exported under.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{CollectError, Source};
use crate::digest::Digest;
use crate::oci::{DigestTag, Reference, Tag, Target, referrers_tag};
use crate::store::{ContentStore, NamedRoot};

/// Finds what a source is asked for.
///
/// `target` is what is wanted of a layout or archive, and `name` the reference by which a repository was opened: its
/// tag and digest are what is wanted there, and it is the name under which the artifact is exported. `as_name`, where
/// given, takes the place of any name. With nothing wanted, everything that the store names is meant, except the
/// digest tags of other content, which travel with it anyway.
///
/// # Errors
/// Nothing there, several where one name is given, tag and digest that do not agree, or no name to be had.
pub fn locate(
    store: &Arc<dyn ContentStore>,
    target: Option<&Target>,
    name: Option<&Reference>,
    as_name: Option<&Reference>,
) -> Result<Vec<Source>, CollectError> {
    let found = search(store.as_ref(), target, name)?;
    if as_name.is_some() && found.len() > 1 {
        return Err(CollectError::Several { count: found.len() });
    }
    let mut stored = StoredNames::of(store.as_ref());
    let source = |found: NamedRoot| {
        let reference = full_name(&mut stored, &found, as_name.or(name))?;
        Ok(Source { store: Arc::clone(store), descriptor: found.descriptor, reference })
    };
    found.into_iter().map(source).collect()
}

/// Finds what a source is asked for, for those who need no name. What the store names several times is found under
/// each of its names.
///
/// # Errors
/// As [`locate`], but for names.
pub fn find(
    store: &Arc<dyn ContentStore>,
    target: Option<&Target>,
    name: Option<&Reference>,
) -> Result<Vec<NamedRoot>, CollectError> {
    let mut stored = StoredNames::of(store.as_ref());
    // What is listed twice without a full name has its full names once.
    let mut expanded = BTreeSet::new();
    let mut found = Vec::new();
    for mut root in search(store.as_ref(), target, name)? {
        if root.reference.is_some() || name.is_some() {
            root.reference = root.reference.or_else(|| name.cloned());
            found.push(root);
            continue;
        }
        let names = stored.find(&root.descriptor.digest, root.tag.as_ref())?;
        if names.is_empty() {
            found.push(root);
        } else if expanded.insert((root.descriptor.digest, root.tag.clone())) {
            found.extend(names.into_iter().map(|reference| NamedRoot { reference: Some(reference), ..root.clone() }));
        }
    }
    Ok(found)
}

fn search(
    store: &dyn ContentStore,
    target: Option<&Target>,
    name: Option<&Reference>,
) -> Result<Vec<NamedRoot>, CollectError> {
    let wanted = Wanted::of(target, name)?;
    let found = if wanted.is_nothing() { everything(store)? } else { vec![wanted.resolve(store)?] };
    if found.is_empty() {
        // A registry lists nothing by itself; everything else does.
        let repository = name.map(|name| name.repository.clone());
        return Err(
            repository.map_or(CollectError::Empty, |name| CollectError::NothingNamed { repository: Some(name) })
        );
    }
    Ok(found)
}

/// A tag, a digest, or both, which must then agree.
struct Wanted {
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Wanted {
    fn of(target: Option<&Target>, name: Option<&Reference>) -> Result<Self, CollectError> {
        let (mut tag, mut digest) = name.map_or((None, None), |name| (name.tag.clone(), name.digest));
        match target {
            Some(Target::Tag(wanted)) => tag = Some(wanted.clone()),
            Some(Target::Digest(wanted)) => match digest {
                Some(expected) if expected != *wanted => {
                    return Err(CollectError::DigestMismatch { expected, found: *wanted });
                }
                _ => digest = Some(*wanted),
            },
            None => {}
        }
        Ok(Self { tag, digest })
    }

    const fn is_nothing(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    fn resolve(&self, store: &dyn ContentStore) -> Result<NamedRoot, CollectError> {
        let get = |target: Target| match store.resolve(&target)? {
            Some(descriptor) => Ok(descriptor),
            None => Err(CollectError::NotFound { target }),
        };
        let descriptor = match (&self.tag, self.digest) {
            (Some(tag), _) => get(Target::Tag(tag.clone()))?,
            (None, Some(digest)) => get(Target::Digest(digest))?,
            (None, None) => return Err(CollectError::NothingNamed { repository: None }),
        };
        if let Some(expected) = self.digest
            && expected != descriptor.digest
        {
            return Err(CollectError::DigestMismatch { expected, found: descriptor.digest });
        }
        Ok(NamedRoot { descriptor, tag: self.tag.clone(), reference: None })
    }
}

/// The full names of each artifact, by the tag that stands beside them.
type ByTag = BTreeMap<Option<Tag>, BTreeSet<Reference>>;

/// The full names that a store has for its artifacts; asked for once, when the first is looked for.
struct StoredNames<'a> {
    store: &'a dyn ContentStore,
    known: Option<BTreeMap<Digest, ByTag>>,
}

impl<'a> StoredNames<'a> {
    const fn of(store: &'a dyn ContentStore) -> Self {
        Self { store, known: None }
    }

    fn read(store: &dyn ContentStore) -> Result<BTreeMap<Digest, ByTag>, CollectError> {
        let mut known: BTreeMap<Digest, ByTag> = BTreeMap::new();
        for NamedRoot { descriptor, tag, reference } in store.names()? {
            if let Some(reference) = reference {
                known.entry(descriptor.digest).or_default().entry(tag).or_default().insert(reference);
            }
        }
        Ok(known)
    }

    /// The full names that stand beside this tag, or beside any, sorted.
    fn find(&mut self, digest: &Digest, tag: Option<&Tag>) -> Result<Vec<Reference>, CollectError> {
        let known = match &mut self.known {
            Some(known) => known,
            None => self.known.insert(Self::read(self.store)?),
        };
        let Some(by_tag) = known.get(digest) else { return Ok(Vec::new()) };
        let names: BTreeSet<&Reference> = match tag {
            Some(tag) => by_tag.get(&Some(tag.clone())).into_iter().flatten().collect(),
            None => by_tag.values().flatten().collect(),
        };
        Ok(names.into_iter().cloned().collect())
    }

    /// The full name, if there is just one.
    fn only(&mut self, digest: &Digest, tag: Option<&Tag>) -> Result<Option<Reference>, CollectError> {
        let names = self.find(digest, tag)?;
        match names.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            _ => Err(CollectError::SeveralNames { digest: *digest, names }),
        }
    }
}

/// Everything with a name; failing that, a single artifact without one.
fn everything(store: &dyn ContentStore) -> Result<Vec<NamedRoot>, CollectError> {
    let all = store.names()?;
    let mut named = Vec::new();
    for root in &all {
        // Whatever has a full name was meant by somebody: in a bundle, by the exporter. None of it may go unseen.
        if root.reference.is_some() || (root.tag.is_some() && !is_about_other_content(store, root)?) {
            named.push(root.clone());
        }
    }
    match all.as_slice() {
        [one] if named.is_empty() => Ok(vec![one.clone()]),
        several if named.is_empty() && !several.is_empty() => Err(CollectError::Several { count: several.len() }),
        _ => Ok(named),
    }
}

/// Whether the tag is a digest tag, or one of the referrers tag schema, of something that the store holds too.
fn is_about_other_content(store: &dyn ContentStore, root: &NamedRoot) -> Result<bool, CollectError> {
    let Some(tag) = &root.tag else { return Ok(false) };
    let subject = DigestTag::recognise(tag).map(|known| known.subject).or_else(|| referrers_tag_subject(tag));
    match subject {
        Some(subject) => Ok(store.resolve(&Target::Digest(subject))?.is_some()),
        None => Ok(false),
    }
}

/// The subject that a tag of the referrers tag schema names in full, which it does for SHA-256 only.
fn referrers_tag_subject(tag: &Tag) -> Option<Digest> {
    let subject = tag.as_str().replacen('-', ":", 1).parse().ok()?;
    (referrers_tag(&subject) == *tag).then_some(subject)
}

/// The name under which an artifact is exported, with its digest where no tag says which artifact it is.
fn full_name(
    stored: &mut StoredNames<'_>,
    found: &NamedRoot,
    given: Option<&Reference>,
) -> Result<Reference, CollectError> {
    let digest = found.descriptor.digest;
    let name = match given.or(found.reference.as_ref()) {
        Some(known) => Some(known.clone()),
        None => stored.only(&digest, found.tag.as_ref())?,
    };
    let Some(mut reference) = name else {
        return Err(CollectError::NameMissing { digest, tag: found.tag.clone() });
    };
    if let Some(expected) = reference.digest
        && expected != digest
    {
        return Err(CollectError::DigestMismatch { expected, found: digest });
    }
    if reference.tag.is_none() {
        reference.digest = Some(digest);
    }
    Ok(reference)
}
