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
    descriptor_of: impl Fn(&'r R) -> &'r Descriptor,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Closures, (&'r R, ClosureError)> {
    let mut known: BTreeMap<(Digest, u64, &str), usize> = BTreeMap::new();
    let (mut distinct, mut places) = (Vec::new(), Vec::with_capacity(roots.len()));
    for root in roots {
        let wanted = descriptor_of(root);
        let place = *known.entry((wanted.digest, wanted.size, wanted.media_type.as_str())).or_insert_with(|| {
            distinct.push((root, wanted));
            distinct.len().saturating_sub(1)
        });
        places.push(place);
    }
    let held = Held::default();
    let distinct = try_map_in_parallel(&distinct, |(root, wanted)| {
        walk_beside(store, wanted, options, limits, progress, &held).map_err(|error| (*root, error))
    })?;
    Ok(Closures { distinct, places })
}
