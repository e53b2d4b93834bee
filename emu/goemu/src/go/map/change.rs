//! Looking into maps and changing them where the program has no runtime that does: object files. The layouts are the
//! runtime's own, since compiled code takes `len` from them, makes small maps itself, and readers of values know
//! them. A map that is full is made anew at once, twice as large.

use super::build::{Builder, Built, MAX_ENTRIES, field};
use super::{CONTROL, MAX_B, SLOTS, read_u64};
use crate::go::budget::Budget;
use crate::go::guest::{BadAddress, MapDesign};

/// More entries than this do not have one hash, unless somebody has made a ring of buckets.
const MAX_CANDIDATES: usize = 1 << 20;

/// An entry that moves.
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) key: u64,
    pub(crate) elem: u64,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Address of the key.
    pub(crate) key: u64,
    /// Address of the element.
    pub(crate) elem: u64,
    group: u64,
    index: u64,
    /// Of a Swiss map that has tables.
    table: Option<u64>,
}

impl Builder<'_> {
    /// The entries whose keys may have this hash, in the order in which they are looked at.
    pub(crate) fn candidates(&self, map: u64, hash: u64) -> Built<Vec<Place>> {
        let mut found = Vec::new();
        if map == 0 || self.word(map)? == 0 {
            return Ok(found);
        }
        if self.design == MapDesign::Buckets {
            let (top, size) = (self.top(hash), self.shape()?.size);
            let mut bucket = self.bucket(map, hash)?;
            while bucket != 0 && found.len() <= MAX_CANDIDATES {
                self.those_with(top, bucket, None, &mut found)?;
                bucket = self.word(bucket.wrapping_add(size))?;
            }
            return Ok(found);
        }
        let control = (hash & 0x7f) as u8;
        let Some(table) = self.table_of(map, hash)? else {
            let group = self.word(map.wrapping_add(field(self.facts.swiss_map.dir_ptr)?))?;
            self.those_with(control, group, None, &mut found)?;
            return Ok(found);
        };
        for step in 0..=self.last_group(table)? {
            let group = self.group_at(table, hash, step)?;
            self.those_with(control, group, Some(table), &mut found)?;
            if self.control(group)?.contains(&(self.facts.map_rules.empty as u8)) {
                break;
            }
        }
        Ok(found)
    }

    /// The slots of a bucket or group that have this control byte.
    fn those_with(&self, control: u8, group: u64, table: Option<u64>, found: &mut Vec<Place>) -> Built<()> {
        for (index, _) in (0..).zip(self.control(group)?).filter(|(_, there)| *there == control) {
            found.push(self.place(group, index, table)?);
        }
        Ok(())
    }

    fn place(&self, group: u64, index: u64, table: Option<u64>) -> Built<Place> {
        let shape = self.shape()?;
        let inside = |at: u64, indirect| if indirect { self.word(at) } else { Ok(at) };
        let key = inside(group.wrapping_add(CONTROL + index * shape.key_stride), shape.indirect_key)?;
        let elem = inside(group.wrapping_add(shape.elems + index * shape.elem_stride), shape.indirect_elem)?;
        Ok(Place { key, elem, group, index, table })
    }

    /// Makes room in a map that is full: a table with its entries, whose hashes are given, and as many to come.
    pub(crate) fn grow(&mut self, map: u64, entries: &[Entry]) -> Built<()> {
        let larger = self.make((entries.len() as u64).saturating_mul(2).max(1))?;
        for entry in entries {
            let to = self.slot(larger, entry.hash, entry.key)?;
            self.copy(entry.elem, to, self.elem.size)?;
        }
        self.become_like(map, larger)
    }

    /// Whether a map has no room for one more key with this hash.
    pub(crate) fn is_full(&self, map: u64, hash: u64) -> Built<bool> {
        let len = self.word(map)?;
        if self.design == MapDesign::Buckets {
            let mut b = [0];
            self.heap.read(map.wrapping_add(field(self.facts.hmap.b)?), &mut b)?;
            let none = self.word(map.wrapping_add(field(self.facts.hmap.buckets)?))? == 0;
            return Ok(none || len >= SLOTS && self.crowded(len, b[0].min(MAX_B as u8)));
        }
        match self.table_of(map, hash)? {
            None => {
                Ok(len >= SLOTS || self.word(map.wrapping_add(field(self.facts.swiss_map.dir_ptr)?))? == 0)
            }
            Some(table) => {
                let mut left = [0; 2];
                self.heap.read(table.wrapping_add(field(self.facts.swiss_table.growth_left)?), &mut left)?;
                Ok(left == [0; 2])
            }
        }
    }

    /// Addresses of the keys and elements of a map, in the order of memory.
    pub(crate) fn all(&self, map: u64) -> Built<Vec<(u64, u64)>> {
        let mut budget = Budget::of(MAX_ENTRIES);
        let types = (self.key, self.elem);
        let found =
            super::entries(&*self.heap, (self.design, self.facts), map, types, MAX_ENTRIES, &mut budget);
        found.map(|found| found.slots).ok_or(BadAddress(map).into())
    }

    /// A map takes over the entries of another, but for its hash seed.
    fn become_like(&mut self, map: u64, other: u64) -> Built<()> {
        let (from, to) = match self.design {
            MapDesign::Buckets => (field(self.facts.hmap.buckets)?, field(self.facts.hmap.oldbuckets)?),
            _ => (field(self.facts.swiss_map.dir_ptr)?, field(self.facts.swiss_map.writing)?),
        };
        self.copy(other, map, 8)?;
        self.copy(other.wrapping_add(from), map.wrapping_add(from), to.saturating_sub(from))?;
        if self.design == MapDesign::Buckets {
            self.copy(
                other.wrapping_add(field(self.facts.hmap.b)?),
                map.wrapping_add(field(self.facts.hmap.b)?),
                1,
            )?;
        }
        Ok(())
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, map: u64, place: Place) -> Built<()> {
        let len = self.word(map)?;
        self.set(map, len.saturating_sub(1))?;
        for (at, size) in [(place.key, self.key.size), (place.elem, self.elem.size)] {
            self.heap.write(at, &vec![0; usize::try_from(size).unwrap_or(0)])?;
        }
        let control = match (self.design, place.table) {
            (MapDesign::Buckets, _) => self.facts.map_rules.empty_one as u8,
            (_, None) => self.facts.map_rules.empty as u8,
            (_, Some(table)) => {
                let at = table.wrapping_add(field(self.facts.swiss_table.used)?);
                let mut used = [0; 2];
                self.heap.read(at, &mut used)?;
                self.heap.write(at, &u16::from_le_bytes(used).saturating_sub(1).to_le_bytes())?;
                self.facts.map_rules.deleted as u8
            }
        };
        self.heap.write(place.group.wrapping_add(place.index), &[control])
    }

    /// Takes all entries out. An iterator keeps what it has seen, so the old place stays as it is.
    pub(crate) fn clear(&mut self, map: u64) -> Built<()> {
        if map == 0 || self.word(map)? == 0 {
            return Ok(());
        }
        let empty = self.make(0)?;
        self.become_like(map, empty)
    }

    fn copy(&mut self, from: u64, to: u64, size: u64) -> Built<()> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.heap.read(from, &mut bytes)?;
        self.heap.write(to, &bytes)
    }

    /// What tells a map's table from the one it had before it grew.
    pub(crate) fn table_word(&self, map: u64) -> Option<u64> {
        let at = if self.design == MapDesign::Buckets {
            self.facts.hmap.buckets?
        } else {
            self.facts.swiss_map.dir_ptr?
        };
        read_u64(&*self.heap, map.wrapping_add(at))
    }
}
