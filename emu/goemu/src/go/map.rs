//! Where the entries of a guest's map are: both designs of Go's runtime, read without running it.
//!
//! To Go 1.23 a map is an `hmap`: buckets of eight with overflow chains (`runtime/map.go`). From Go 1.24 on it
//! is a `maps.Map`: Swiss tables of groups of eight (`internal/runtime/maps`). Entries come in the order of
//! memory, not in Go's random one.

pub(crate) mod build;
pub(crate) mod change;

use goemu_loader::facts::MapRules;
use goemu_loader::{Facts, Type};

use crate::go::{
    budget::Budget,
    guest::{GuestMemory, MapDesign},
};

/// Entries in a bucket or a group.
const SLOTS: u64 = MapRules::SLOTS;
/// Size of its control bytes, one for each, which come first.
const CONTROL: u64 = SLOTS;
/// More buckets than 2 to the power of this cannot be.
const MAX_B: u64 = 44;

/// What was found of a map.
pub(crate) struct Entries {
    /// Addresses of key and element.
    pub(crate) slots: Vec<(u64, u64)>,
    /// How many entries the map says it has.
    pub(crate) len: u64,
}

/// Finds the entries of the map at `map`: at most `limit`, and as many as the budget allows.
/// Nothing when the map cannot be read.
pub(crate) fn entries(
    memory: &dyn GuestMemory,
    (design, facts): (MapDesign, &Facts),
    map: u64,
    (key, elem): (&Type, &Type),
    limit: u64,
    budget: &mut Budget,
) -> Option<Entries> {
    let len = read_u64(memory, map.wrapping_add(len_at(design, facts)?))?;
    let shape = Shape::new(design, &facts.map_rules, key, elem)?;
    let mut walk = Walk { memory, facts, shape, want: len.min(limit), slots: Vec::new(), budget };
    if walk.want > 0 {
        match design {
            MapDesign::Buckets => walk.hmap(map)?,
            MapDesign::Swiss | MapDesign::SwissSplit => walk.swiss(map)?,
        }
    }
    Some(Entries { slots: walk.slots, len })
}

/// Where a map has its number of entries.
fn len_at(design: MapDesign, facts: &Facts) -> Option<u64> {
    match design {
        MapDesign::Buckets => facts.hmap.count,
        MapDesign::Swiss | MapDesign::SwissSplit => facts.swiss_map.used,
    }
}

/// Offsets inside a bucket or group. Eight control bytes come first in both.
#[derive(Clone, Copy)]
struct Shape {
    key_stride: u64,
    elems: u64,
    elem_stride: u64,
    indirect_key: bool,
    indirect_elem: bool,
    /// Size of a group; of a bucket without its overflow pointer.
    size: u64,
}

impl Shape {
    fn new(design: MapDesign, rules: &MapRules, key: &Type, elem: &Type) -> Option<Shape> {
        let (indirect_key, indirect_elem) = (key.size > rules.max_key, elem.size > rules.max_elem);
        let (key_size, key_align) = if indirect_key { (8, 8) } else { (key.size, key.align) };
        let (elem_size, elem_align) = if indirect_elem { (8, 8) } else { (elem.size, elem.align) };
        if ![key_align, elem_align].iter().all(|align| matches!(align, 1 | 2 | 4 | 8)) {
            return None;
        }
        let (key_stride, elems, elem_stride, last) = if design == MapDesign::Swiss {
            let elem_at = key_size.next_multiple_of(elem_align);
            // A struct never ends in a field of size zero: the compiler adds a byte, then aligns.
            let pad = u64::from(elem_size == 0 && elem_at > 0);
            let stride = (elem_at + elem_size + pad).next_multiple_of(key_align.max(elem_align));
            (stride, CONTROL + elem_at, stride, stride)
        } else {
            (key_size, CONTROL + SLOTS * key_size, elem_size, elem_size)
        };
        let end = if design == MapDesign::Swiss { CONTROL } else { elems } + SLOTS * last;
        let size = if last == 0 && design != MapDesign::Buckets { end + 8 } else { end };
        Some(Shape { key_stride, elems, elem_stride, indirect_key, indirect_elem, size })
    }
}

struct Walk<'a> {
    memory: &'a dyn GuestMemory,
    facts: &'a Facts,
    shape: Shape,
    want: u64,
    slots: Vec<(u64, u64)>,
    budget: &'a mut Budget,
}

impl Walk<'_> {
    fn done(&self) -> bool {
        self.slots.len() as u64 >= self.want
    }

    fn hmap(&mut self, map: u64) -> Option<()> {
        let at = &self.facts.hmap;
        let buckets = read_u64(self.memory, map.wrapping_add(at.buckets?))?;
        let old = read_u64(self.memory, map.wrapping_add(at.oldbuckets?))?;
        let [flags] = read(self.memory, map.wrapping_add(at.flags?))?;
        let [b] = read(self.memory, map.wrapping_add(at.b?))?;
        if u64::from(b) > MAX_B {
            return None;
        }
        let same_size = u64::from(flags) & self.facts.map_rules.same_size != 0;
        self.table(buckets, 1 << b)?;
        if old != 0 {
            self.table(old, if same_size { 1 << b } else { 1 << b.saturating_sub(1) })?;
        }
        Some(())
    }

    /// A table of buckets, without those that have moved to the new one.
    fn table(&mut self, table: u64, count: u64) -> Option<()> {
        if table == 0 {
            return Some(());
        }
        let rules = self.facts.map_rules;
        let moves = rules.evacuated..rules.min_top_hash;
        for i in 0..count {
            let mut bucket = table.checked_add(i.checked_mul(self.shape.size + 8)?)?;
            let [first] = read::<1>(self.memory, bucket)?;
            let moved = moves.contains(&u64::from(first));
            if self.done() || !self.budget.take(1) {
                break;
            }
            while bucket != 0 && !moved && !self.done() && self.budget.take(1) {
                self.group(bucket, |top| u64::from(top) >= rules.min_top_hash)?;
                bucket = read_u64(self.memory, bucket.checked_add(self.shape.size)?)?;
            }
        }
        Some(())
    }

    fn swiss(&mut self, map: u64) -> Option<()> {
        let Facts { swiss_map, swiss_table, map_rules, .. } = self.facts;
        let full = |control: u8| u64::from(control) & map_rules.empty == 0;
        let dir = read_u64(self.memory, map.checked_add(swiss_map.dir_ptr?)?)?;
        let len = read_u64(self.memory, map.checked_add(swiss_map.dir_len?)?)?;
        if len == 0 {
            return if dir == 0 { Some(()) } else { self.group(dir, full) };
        }
        let mut last = 0;
        for i in 0..len {
            if self.done() || !self.budget.take(1) {
                break;
            }
            // A table that has not been split as often as others stands in several entries, side by side.
            let table = read_u64(self.memory, dir.checked_add(i.checked_mul(8)?)?)?;
            if table == last {
                continue;
            }
            last = table;
            let groups = read_u64(self.memory, table.checked_add(swiss_table.groups?)?)?;
            let mask = read_u64(self.memory, table.checked_add(swiss_table.length_mask?)?)?;
            for g in 0..=mask {
                if self.done() || !self.budget.take(1) {
                    return Some(());
                }
                self.group(groups.checked_add(g.checked_mul(self.shape.size)?)?, full)?;
            }
        }
        Some(())
    }

    /// The slots of one bucket or group whose control byte says that they are in use.
    fn group(&mut self, group: u64, in_use: impl Fn(u8) -> bool) -> Option<()> {
        let control: [u8; SLOTS as usize] = read(self.memory, group)?;
        for (i, _) in control.iter().enumerate().filter(|(_, c)| in_use(**c)) {
            let i = i as u64;
            let s = self.shape;
            let key = self.slot(group.checked_add(CONTROL + i * s.key_stride)?, s.indirect_key)?;
            let elem = self.slot(group.checked_add(s.elems + i * s.elem_stride)?, s.indirect_elem)?;
            if self.done() {
                break;
            }
            self.slots.push((key, elem));
        }
        Some(())
    }

    fn slot(&self, at: u64, indirect: bool) -> Option<u64> {
        if indirect { read_u64(self.memory, at) } else { Some(at) }
    }
}

fn read<const N: usize>(memory: &dyn GuestMemory, addr: u64) -> Option<[u8; N]> {
    let mut buf = [0; N];
    memory.read(addr, &mut buf).ok()?;
    Some(buf)
}

pub(crate) fn read_u64(memory: &dyn GuestMemory, addr: u64) -> Option<u64> {
    read(memory, addr).map(u64::from_le_bytes)
}
