//! From what the operator wrote to artifacts and the names that they are exported under.

use std::sync::Arc;

use super::{CollectError, Source};
use crate::digest::Digest;
use crate::oci::{Descriptor, DigestTag, Reference, Tag, Target, referrers_tag};
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
    let source = |found: NamedRoot| {
        let reference = full_name(store.as_ref(), &found, as_name.or(name))?;
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
    let mut found = Vec::new();
    for mut root in search(store.as_ref(), target, name)? {
        if root.reference.is_some() || name.is_some() {
            root.reference = root.reference.or_else(|| name.cloned());
            found.push(root);
            continue;
        }
        let names = stored_names(store.as_ref(), &root.descriptor, root.tag.as_ref())?;
        if names.is_empty() {
            found.push(root);
        } else {
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

/// The full names that the store has for this artifact.
fn stored_names(
    store: &dyn ContentStore,
    descriptor: &Descriptor,
    tag: Option<&Tag>,
) -> Result<Vec<Reference>, CollectError> {
    let fits = |named: &NamedRoot| {
        named.descriptor.digest == descriptor.digest && (tag.is_none() || named.tag.as_ref() == tag)
    };
    let mut names: Vec<Reference> =
        store.names()?.into_iter().filter(fits).filter_map(|named| named.reference).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The full name that the store has for this artifact, if it has just one.
fn stored_name(
    store: &dyn ContentStore,
    descriptor: &Descriptor,
    tag: Option<&Tag>,
) -> Result<Option<Reference>, CollectError> {
    let names = stored_names(store, descriptor, tag)?;
    match names.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err(CollectError::SeveralNames { digest: descriptor.digest, names }),
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
    store: &dyn ContentStore,
    found: &NamedRoot,
    given: Option<&Reference>,
) -> Result<Reference, CollectError> {
    let digest = found.descriptor.digest;
    let stored = match given.or(found.reference.as_ref()) {
        Some(known) => Some(known.clone()),
        None => stored_name(store, &found.descriptor, found.tag.as_ref())?,
    };
    let Some(mut reference) = stored else {
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
