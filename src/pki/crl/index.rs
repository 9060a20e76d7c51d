//! Where a serial number stands on a long list that is asked often.
//!
//! A few questions are answered by walking the list, which needs no memory at all. A list that is asked about more
//! certificates gets an index: eight octets an entry in one allocation, less than half of what the list itself takes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Entry;
use crate::pki::tlv::Cursor;

/// How often a list is walked before it is worth an index: making one costs about as much as two walks.
const MOST_WALKS: u32 = 2;
/// Lists with fewer entries are walked always.
const WORTH_IT: usize = 64;

/// The index, once it is made.
#[derive(Debug, Default)]
pub(super) struct SerialIndex {
    asked: AtomicU32,
    /// Keyed at random: nobody can choose serial numbers that fall together.
    hasher: RandomState,
    /// Of each entry, 32 bits of the hash of its serial number above its offset, ascending; `None` if that cannot be
    /// made.
    places: OnceLock<Option<Vec<u64>>>,
}

impl SerialIndex {
    /// The first entry with that serial number among `entries`, of which there are `count`.
    pub(super) fn find<'a>(&self, entries: &'a [u8], count: usize, serial: &[u8]) -> der::Result<Option<Entry<'a>>> {
        if count < WORTH_IT || self.asked.fetch_add(1, Ordering::Relaxed) < MOST_WALKS {
            return walk(entries, serial);
        }
        // A counter that overflows costs two more walks.
        match self.places.get_or_init(|| self.build(entries, count)) {
            Some(places) => self.look_up(places, entries, serial),
            None => walk(entries, serial),
        }
    }

    fn build(&self, entries: &[u8], count: usize) -> Option<Vec<u64>> {
        let mut places = Vec::with_capacity(count);
        let mut cursor = Cursor::new(entries).ok()?;
        while !cursor.is_finished() {
            let offset = u32::try_from(cursor.position()).ok()?;
            let entry = Entry::read(&mut cursor).ok()?;
            places.push(self.key(entry.serial) | u64::from(offset));
        }
        places.sort_unstable();
        Some(places)
    }

    /// The upper half of a place.
    fn key(&self, serial: &[u8]) -> u64 {
        self.hasher.hash_one(serial) & (u64::MAX << 32)
    }

    fn look_up<'a>(&self, places: &[u64], entries: &'a [u8], serial: &[u8]) -> der::Result<Option<Entry<'a>>> {
        let key = self.key(serial);
        let first = places.partition_point(|place| *place < key);
        let same = places.get(first..).unwrap_or_default().iter().take_while(|place| **place >> 32 == key >> 32);
        for place in same {
            let offset = usize::try_from(place & u64::from(u32::MAX)).unwrap_or(usize::MAX);
            let mut cursor = Cursor::new(entries.get(offset..).unwrap_or_default())?;
            let entry = Entry::read(&mut cursor)?;
            if entry.serial == serial {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// From the first entry to the last.
fn walk<'a>(entries: &'a [u8], serial: &[u8]) -> der::Result<Option<Entry<'a>>> {
    let mut cursor = Cursor::new(entries)?;
    while !cursor.is_finished() {
        let entry = Entry::read(&mut cursor)?;
        if entry.serial == serial {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SEQUENCE { INTEGER serial, UTCTime }`, the year being the entry's number, so that entries of one serial differ.
    fn entry(serial: u8, year: u8) -> Vec<u8> {
        let time = format!("{:02}0101000000Z", year % 100);
        [&[0x30, 18, 2, 1, serial, 0x17, 13][..], time.as_bytes()].concat()
    }

    #[test]
    fn the_index_finds_what_the_walk_finds() {
        let entries: Vec<u8> = (0..200_u8).flat_map(|number| entry(number % 100, number)).collect();
        let index = SerialIndex::default();
        for round in 0..4 {
            for serial in 0..=127_u8 {
                let found = index.find(&entries, 200, &[serial]).unwrap();
                let expected = walk(&entries, &[serial]).unwrap();
                assert_eq!(found.is_some(), serial < 100, "{round} {serial}");
                assert_eq!(found.map(|entry| entry.date.raw.as_ptr()), expected.map(|entry| entry.date.raw.as_ptr()));
            }
        }
        let places = index.places.get().unwrap().as_ref().unwrap();
        assert_eq!((places.len(), places.capacity()), (200, 200));
    }

    #[test]
    fn a_short_list_has_no_index() {
        let entries: Vec<u8> = (0..10).flat_map(|number| entry(number, number)).collect();
        let index = SerialIndex::default();
        for _ in 0..10 {
            assert!(index.find(&entries, 10, &[3]).unwrap().is_some());
        }
        assert!(index.places.get().is_none());
    }
}
