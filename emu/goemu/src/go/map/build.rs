//! Building maps in guest memory, as the program's runtime would have laid them out.
//!
//! Programs keep only those functions of the runtime that they call: one that looks into maps may have none that
//! makes them. So only the hash function, which every map type refers to, is the guest's. A map is made for a known
//! number of entries and never grows here; the guest may change it like its own.

use goemu_loader::{Facts, Type};

use super::{CONTROL, MAX_B, SLOTS, Shape, len_at, read_u64};
use crate::go::guest::{BadAddress, GuestHeap, HeapError, MapDesign};

/// Entries that are asked for more often than this are not believed.
pub(super) const MAX_ENTRIES: u64 = 1 << 26;
/// A map that is being filled.
pub(crate) struct Builder<'h> {
    pub(crate) heap: &'h mut dyn GuestHeap,
    pub(crate) facts: &'h Facts,
    pub(crate) design: MapDesign,
    pub(crate) key: &'h Type,
    pub(crate) elem: &'h Type,
}

fn damaged(ty: &Type) -> HeapError {
    HeapError::Unsupported(format!("a map with keys of type {ty}"))
}

/// A field that this release's maps must have.
pub(super) fn field(at: Option<u64>) -> Result<u64, HeapError> {
    at.ok_or_else(|| HeapError::Unsupported("a map in a program of this release of Go".to_owned()))
}

pub(super) type Built<T> = Result<T, HeapError>;

impl Builder<'_> {
    /// An empty map with room for this many entries.
    pub(crate) fn make(&mut self, entries: u64) -> Built<u64> {
        if entries > MAX_ENTRIES {
            return Err(HeapError::OutOfMemory(entries.saturating_mul(self.key.size + self.elem.size)));
        }
        match self.design {
            MapDesign::Buckets => self.make_hmap(entries),
            MapDesign::Swiss | MapDesign::SwissSplit => self.make_swiss(entries),
        }
    }

    /// What the guest's hash function is to be given beside the key.
    pub(crate) fn seed(&self, map: u64) -> Built<u64> {
        match self.design {
            MapDesign::Buckets => {
                let mut seed = [0; 4];
                self.heap.read(map.wrapping_add(field(self.facts.hmap.hash0)?), &mut seed)?;
                Ok(u32::from_le_bytes(seed).into())
            }
            _ => self.word(map.wrapping_add(field(self.facts.swiss_map.seed)?)),
        }
    }

    /// Puts a key with this hash in the map, and gives the place of its element. The key is not in the map yet.
    pub(crate) fn slot(&mut self, map: u64, hash: u64, key: u64) -> Built<u64> {
        let len_at = map.wrapping_add(field(len_at(self.design, self.facts))?);
        let len = self.word(len_at)?;
        let (group, index) = match self.design {
            MapDesign::Buckets => self.free_in_hmap(map, hash)?,
            _ => self.free_in_swiss(map, hash)?,
        };
        self.set(len_at, len.wrapping_add(1))?;
        self.fill(group, index, key)
    }

    pub(super) fn shape(&self) -> Built<Shape> {
        Shape::new(self.design, &self.facts.map_rules, self.key, self.elem).ok_or_else(|| damaged(self.key))
    }

    pub(super) fn word(&self, addr: u64) -> Built<u64> {
        read_u64(&*self.heap, addr).ok_or(BadAddress(addr).into())
    }

    pub(super) fn set(&mut self, addr: u64, word: u64) -> Built<()> {
        self.heap.write(addr, &word.to_le_bytes())
    }

    pub(super) fn control(&self, group: u64) -> Built<[u8; SLOTS as usize]> {
        self.word(group).map(u64::to_le_bytes)
    }

    // Buckets of eight, to Go 1.23.

    fn make_hmap(&mut self, entries: u64) -> Built<u64> {
        let mut b = 0;
        while entries > SLOTS && self.crowded(entries - 1, b) {
            b += 1;
        }
        let size = self.shape()?.size + 8;
        let buckets = self.heap.alloc(size << b, 8)?;
        let map = self.heap.alloc(field(self.facts.hmap.sizeof)?, 8)?;
        self.heap.write(map + field(self.facts.hmap.b)?, &[b])?;
        self.set(map + field(self.facts.hmap.buckets)?, buckets)?;
        Ok(map)
    }

    /// Whether 2^b buckets would be too few for one entry more (`overLoadFactor`).
    pub(super) fn crowded(&self, entries: u64, b: u8) -> bool {
        let rules = &self.facts.map_rules;
        entries >= rules.load_num * ((1 << b) / rules.load_den)
    }

    /// The control byte of an entry with this hash.
    pub(super) fn top(&self, hash: u64) -> u8 {
        let least = self.facts.map_rules.min_top_hash;
        match hash >> 56 {
            top if top < least => (top + least) as u8,
            top => top as u8,
        }
    }

    /// The first bucket of those with this hash.
    pub(super) fn bucket(&self, map: u64, hash: u64) -> Built<u64> {
        let (size, mut b) = (self.shape()?.size, [0]);
        self.heap.read(map.wrapping_add(field(self.facts.hmap.b)?), &mut b)?;
        let number = hash & ((1 << u64::from(b[0]).min(MAX_B)) - 1);
        Ok(self
            .word(map.wrapping_add(field(self.facts.hmap.buckets)?))?
            .wrapping_add(number.wrapping_mul(size + 8)))
    }

    /// A free slot in the chain of the hash's bucket: the bucket, and the slot's number.
    fn free_in_hmap(&mut self, map: u64, hash: u64) -> Built<(u64, u64)> {
        let top = self.top(hash);
        let size = self.shape()?.size;
        let mut bucket = self.bucket(map, hash)?;
        loop {
            let free = self
                .control(bucket)?
                .iter()
                .position(|&top| u64::from(top) < self.facts.map_rules.min_top_hash);
            if let Some(index) = free {
                self.heap.write(bucket.wrapping_add(index as u64), &[top])?;
                return Ok((bucket, index as u64));
            }
            let link = bucket.wrapping_add(size);
            bucket = match self.word(link)? {
                0 => self.overflow(map, link, size + 8)?,
                next => next,
            };
        }
    }

    /// A new bucket behind a full one. Its maps count them, to see when growing is worth it.
    fn overflow(&mut self, map: u64, link: u64, size: u64) -> Built<u64> {
        let bucket = self.heap.alloc(size, 8)?;
        self.set(link, bucket)?;
        if let Some(at) = self.facts.hmap.noverflow {
            let mut count = [0; 2];
            self.heap.read(map.wrapping_add(at), &mut count)?;
            let count = u16::from_le_bytes(count).saturating_add(1);
            self.heap.write(map.wrapping_add(at), &count.to_le_bytes())?;
        }
        Ok(bucket)
    }

    // Swiss tables, Go 1.24 and later.

    fn make_swiss(&mut self, entries: u64) -> Built<u64> {
        let facts = self.facts.swiss_map;
        let map = self.heap.alloc(field(facts.size)?, 8)?;
        if entries <= SLOTS {
            let group = self.groups(1)?;
            self.set(map + field(self.facts.swiss_map.dir_ptr)?, group)?;
            return Ok(map);
        }
        // Hashes are spread evenly: with half of a table's room to spare none gets too full.
        let most = self.facts.map_rules.max_table / 8 * 7;
        let tables = if entries <= most { 1 } else { entries.div_ceil(most / 2).next_power_of_two() };
        let slots = if tables == 1 {
            (entries * 8).div_ceil(7).next_power_of_two()
        } else {
            self.facts.map_rules.max_table
        };
        let depth = tables.ilog2() as u8;
        let directory = self.heap.alloc(8 * tables, 8)?;
        for index in 0..tables {
            let table = self.table(slots, index, depth)?;
            self.set(directory + 8 * index, table)?;
        }
        self.set(map + field(self.facts.swiss_map.dir_ptr)?, directory)?;
        self.set(map + field(self.facts.swiss_map.dir_len)?, tables)?;
        self.heap.write(map + field(facts.global_depth)?, &[depth])?;
        self.heap.write(map + field(facts.global_shift)?, &[64 - depth])?;
        Ok(map)
    }

    fn groups(&mut self, count: u64) -> Built<u64> {
        let size = self.shape()?.size;
        let empty = [self.facts.map_rules.empty as u8; SLOTS as usize];
        let groups = self.heap.alloc(size * count, 8)?;
        for i in 0..count {
            self.heap.write(groups + i * size, &empty)?;
        }
        Ok(groups)
    }

    fn table(&mut self, slots: u64, index: u64, depth: u8) -> Built<u64> {
        let at = self.facts.swiss_table;
        let table = self.heap.alloc(field(at.size)?, 8)?;
        let groups = self.groups(slots / SLOTS)?;
        self.heap.write(table + field(at.capacity)?, &(slots as u16).to_le_bytes())?;
        self.heap.write(table + field(at.growth_left)?, &((slots / 8 * 7) as u16).to_le_bytes())?;
        self.heap.write(table + field(at.local_depth)?, &[depth])?;
        self.set(table + field(at.index)?, index)?;
        self.set(table + field(self.facts.swiss_table.groups)?, groups)?;
        self.set(table + field(self.facts.swiss_table.length_mask)?, slots / SLOTS - 1)?;
        Ok(table)
    }

    /// The table of those with this hash, if the map has tables.
    pub(super) fn table_of(&self, map: u64, hash: u64) -> Built<Option<u64>> {
        let directory = self.word(map.wrapping_add(field(self.facts.swiss_map.dir_ptr)?))?;
        let number = match self.word(map.wrapping_add(field(self.facts.swiss_map.dir_len)?))? {
            0 => return Ok(None),
            1 => 0,
            tables => hash >> (64 - tables.ilog2()),
        };
        self.word(directory.wrapping_add(8 * number)).map(Some)
    }

    /// How many groups a table has, less one.
    pub(super) fn last_group(&self, table: u64) -> Built<u64> {
        Ok(self
            .word(table.wrapping_add(field(self.facts.swiss_table.length_mask)?))?
            .min(self.facts.map_rules.max_table / SLOTS - 1))
    }

    /// The group that is looked at after so many steps of a search in a table.
    pub(super) fn group_at(&self, table: u64, hash: u64, steps: u64) -> Built<u64> {
        let mask = self.last_group(table)?;
        let number = (hash >> 7).wrapping_add(steps * (steps + 1) / 2) & mask;
        let groups = self.word(table.wrapping_add(field(self.facts.swiss_table.groups)?))?;
        Ok(groups.wrapping_add(number.wrapping_mul(self.shape()?.size)))
    }

    /// A free slot where the hash's search begins: the group, and the slot's number.
    fn free_in_swiss(&mut self, map: u64, hash: u64) -> Built<(u64, u64)> {
        let full = (hash & 0x7f) as u8;
        let table = self.table_of(map, hash)?;
        let last = table.map_or(Ok(0), |table| self.last_group(table))?;
        for step in 0..=last {
            let group = match table {
                Some(table) => self.group_at(table, hash, step)?,
                None => self.word(map.wrapping_add(field(self.facts.swiss_map.dir_ptr)?))?,
            };
            let free =
                self.control(group)?.iter().position(|&c| u64::from(c) & self.facts.map_rules.empty != 0);
            if let Some(index) = free {
                table.map_or(Ok(()), |table| self.count(table))?;
                return self.take(group, index as u64, full);
            }
        }
        Err(HeapError::Unsupported("a map whose keys have nearly all one hash".to_owned()))
    }

    fn take(&mut self, group: u64, index: u64, control: u8) -> Built<(u64, u64)> {
        self.heap.write(group.wrapping_add(index), &[control])?;
        Ok((group, index))
    }

    /// One more entry in a table.
    fn count(&mut self, table: u64) -> Built<()> {
        let at = self.facts.swiss_table;
        for (at, by) in [(at.used, 1), (at.growth_left, u16::MAX)] {
            let at = table.wrapping_add(field(at)?);
            let mut count = [0; 2];
            self.heap.read(at, &mut count)?;
            let count = u16::from_le_bytes(count).wrapping_add(by);
            self.heap.write(at, &count.to_le_bytes())?;
        }
        Ok(())
    }

    // Both.

    /// Copies the key into its slot; gives the place of the element.
    fn fill(&mut self, group: u64, index: u64, key: u64) -> Built<u64> {
        let shape = self.shape()?;
        let key_at = group.wrapping_add(CONTROL + index * shape.key_stride);
        let elem_at = group.wrapping_add(shape.elems + index * shape.elem_stride);
        let key_at = self.inside(key_at, shape.indirect_key, self.key)?;
        let mut bytes = vec![0; usize::try_from(self.key.size).map_err(|_| damaged(self.key))?];
        self.heap.read(key, &mut bytes)?;
        self.heap.write(key_at, &bytes)?;
        self.inside(elem_at, shape.indirect_elem, self.elem)
    }

    /// Large keys and elements lie elsewhere.
    fn inside(&mut self, at: u64, indirect: bool, ty: &Type) -> Built<u64> {
        if !indirect {
            return Ok(at);
        }
        let outside = self.heap.alloc(ty.size, ty.align)?;
        self.set(at, outside)?;
        Ok(outside)
    }
}
