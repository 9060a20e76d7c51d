//! Where a serial number stands on a long list that is asked often.
//!
//! A few questions are answered by walking the list, which needs no memory at all. A list that is asked about more
//! certificates gets an index: eight octets an entry in one allocation, less than half of what the list itself takes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::entry::{Entries, Entry};

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
    /// Visits every entry with that serial number among `entries`, of which there are `count`, in their order.
    pub(super) fn visit<'a, E: From<der::Error>>(
        &self,
        entries: &'a [u8],
        count: usize,
        serial: &[u8],
        mut visit: impl FnMut(&Entry<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if count < WORTH_IT || self.asked.fetch_add(1, Ordering::Relaxed) < MOST_WALKS {
            return walk(entries, serial, visit);
        }
        // A counter that overflows costs two more walks.
        match self.places.get_or_init(|| self.build(entries, count)) {
            Some(places) => self.look_up(places, entries, serial, &mut visit),
            None => walk(entries, serial, visit),
        }
    }

    fn build(&self, entries: &[u8], count: usize) -> Option<Vec<u64>> {
        let mut places = Vec::with_capacity(count);
        let mut entries = Entries::of(entries);
        while let Some((offset, entry)) = entries.next().ok()? {
            places.push(self.key(entry.serial) | u64::from(u32::try_from(offset).ok()?));
        }
        places.sort_unstable();
        Some(places)
    }

    /// The upper half of a place.
    fn key(&self, serial: &[u8]) -> u64 {
        self.hasher.hash_one(serial) & (u64::MAX << 32)
    }

    fn look_up<'a, E: From<der::Error>>(
        &self,
        places: &[u64],
        entries: &'a [u8],
        serial: &[u8],
        visit: &mut impl FnMut(&Entry<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let key = self.key(serial);
        let first = places.partition_point(|place| *place < key);
        let same = places.get(first..).unwrap_or_default().iter().take_while(|place| **place >> 32 == key >> 32);
        for place in same {
            let offset = usize::try_from(place & u64::from(u32::MAX)).unwrap_or(usize::MAX);
            if let Some((_, entry)) = Entries::of(entries.get(offset..).unwrap_or_default()).next()?
                && entry.serial == serial
            {
                visit(&entry)?;
            }
        }
        Ok(())
    }
}

/// From the first entry to the last.
fn walk<'a, E: From<der::Error>>(
    entries: &'a [u8],
    serial: &[u8],
    mut visit: impl FnMut(&Entry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut entries = Entries::of(entries);
    while let Some((_, entry)) = entries.next()? {
        if entry.serial == serial {
            visit(&entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SEQUENCE { INTEGER serial, UTCTime }`, the year being the entry's number, so that entries of one serial differ.
    fn entry(serial: u8, year: u8) -> Vec<u8> {
        let time = format!("{:02}0101000000Z", year % 100);
        [&[0x30, 18, 2, 1, serial, 0x17, 13][..], time.as_bytes()].concat()
    }

    /// Where the dates of what is visited stand.
    fn dates(index: Option<&SerialIndex>, entries: &[u8], serial: u8) -> Vec<*const u8> {
        let mut found = Vec::new();
        let note = |entry: &Entry<'_>| -> der::Result<()> {
            found.push(entry.date.raw.as_ptr());
            Ok(())
        };
        match index {
            Some(index) => index.visit(entries, 200, &[serial], note).unwrap(),
            None => walk(entries, &[serial], note).unwrap(),
        }
        found
    }

    #[test]
    fn the_index_finds_what_the_walk_finds() {
        let entries: Vec<u8> = (0..200_u8).flat_map(|number| entry(number % 100, number)).collect();
        let index = SerialIndex::default();
        for round in 0..4 {
            for serial in 0..=127_u8 {
                let found = dates(Some(&index), &entries, serial);
                assert_eq!(found, dates(None, &entries, serial));
                assert_eq!(found.len(), if serial < 100 { 2 } else { 0 }, "{round} {serial}");
            }
        }
        let places = index.places.get().unwrap().as_ref().unwrap();
        assert_eq!((places.len(), places.capacity()), (200, 200));
    }

    /// Whatever the quick reading takes, the thorough one takes too and finds the same in it.
    #[test]
    fn the_quick_reading_is_the_thorough_one() {
        use super::super::entry::usual_entry;
        use crate::pki::tlv::Cursor;
        let plain = entry(7, 26);
        let with_reason = [&[0x30, 32][..], &plain[2..], &[0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 10, 1, 4]];
        for sample in [plain.clone(), with_reason.concat()] {
            assert!(usual_entry(&sample).is_some());
            for place in 0..sample.len() {
                for value in 0..=255_u8 {
                    let mut altered = sample.clone();
                    altered[place] = value;
                    let Some((quick, length)) = usual_entry(&altered) else { continue };
                    let mut cursor = Cursor::new(&altered).unwrap();
                    let thorough = Entry::read(&mut cursor).unwrap();
                    assert_eq!((quick.serial, length), (thorough.serial, cursor.position()));
                    assert_eq!((quick.date.tag, quick.date.raw), (thorough.date.tag, thorough.date.raw));
                    assert_eq!(quick.extensions.map(|list| list.raw), thorough.extensions.map(|list| list.raw));
                }
            }
        }
    }

    #[test]
    fn a_short_list_has_no_index() {
        let entries: Vec<u8> = (0..10).flat_map(|number| entry(number, number)).collect();
        let index = SerialIndex::default();
        for _ in 0..10 {
            let mut visits = 0;
            let count = |_: &Entry<'_>| -> der::Result<()> {
                visits += 1;
                Ok(())
            };
            index.visit(&entries, 10, &[3], count).unwrap();
            assert_eq!(visits, 1);
        }
        assert!(index.places.get().is_none());
    }
}
