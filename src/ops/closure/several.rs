//! The closures of several roots: an artifact that has many names is walked once.

use std::collections::BTreeMap;

use super::walk::{Held, walk_beside};
use super::{Closure, ClosureError, WalkOptions};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::Descriptor;
use crate::ops::progress::Progress;
use crate::parallel::try_map_in_parallel;
use crate::store::ContentStore;

/// The closures of roots, each artifact's once. Whoever makes a bundle gives an artifact as many names as he likes, and
/// as many referrers: nothing may cost the product of the two.
#[derive(Debug)]
pub struct Closures {
    distinct: Vec<Closure>,
    /// Of each root, which of them is its own.
    places: Vec<usize>,
}

impl Closures {
    /// Every closure, once.
    pub fn distinct(&self) -> &[Closure] {
        &self.distinct
    }

    /// Of each root, in their order, the place of its closure among the distinct ones.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Of each root, in their order, its closure.
    pub fn each(&self) -> impl Iterator<Item = &Closure> {
        self.places.iter().filter_map(|place| self.distinct.get(*place))
    }

    /// Every closure, once.
    pub fn into_distinct(self) -> Vec<Closure> {
        self.distinct
    }
}

/// Walks from each of the roots. All closures together keep the limits of one.
///
/// # Errors
/// Those of [`walk`](super::walk), with the first root that has it.
pub fn walk_each<'r, R: Sync>(
    store: &dyn ContentStore,
    roots: &'r [R],
    descriptor_of: impl Fn(&'r R) -> &'r Descriptor + Sync,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Closures, (&'r R, ClosureError)> {
    let (distinct, places) = distinct(roots, |root| content_of(descriptor_of(root)));
    let held = Held::default();
    let distinct = try_map_in_parallel(&distinct, |root| {
        walk_beside(store, descriptor_of(root), options, limits, progress, &held).map_err(|error| (*root, error))
    })?;
    Ok(Closures { distinct, places })
}

/// What makes an artifact the same as another, whatever name it has.
pub(in crate::ops) fn content_of(descriptor: &Descriptor) -> (Digest, u64, &str) {
    (descriptor.digest, descriptor.size, descriptor.media_type.as_str())
}

/// The first of the items with each key, in their order, and of each item which of these is its own.
pub(in crate::ops) fn distinct<'i, T, K: Ord>(
    items: &'i [T],
    mut key: impl FnMut(&'i T) -> K,
) -> (Vec<&'i T>, Vec<usize>) {
    let (mut known, mut distinct) = (BTreeMap::new(), Vec::new());
    let mut place = |item| {
        *known.entry(key(item)).or_insert_with(|| {
            distinct.push(item);
            distinct.len().saturating_sub(1)
        })
    };
    let places = items.iter().map(&mut place).collect();
    (distinct, places)
}
