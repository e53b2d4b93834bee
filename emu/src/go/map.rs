//! Where the entries of a guest's map are: both designs of Go's runtime, read without running it.
//!
//! To Go 1.23 a map is an `hmap`: buckets of eight with overflow chains (`runtime/map.go`). From Go 1.24 on it
//! is a `maps.Map`: Swiss tables of groups of eight (`internal/runtime/maps`). Entries come in the order of
//! memory, not in Go's random one.

pub(crate) mod build;
pub(crate) mod change;

use goemu_loader::Type;

use crate::go::{
    guest::{GuestMemory, MapDesign},
    read::Budget,
};

/// Keys and elements larger than this are kept outside, by pointer (`abi.MapMaxKeyBytes`).
const MAX_INLINE: u64 = 128;
/// `hmap.count` and `Map.used`: compiled code takes `len` from here in both designs.
const LEN: u64 = 0;
/// Entries in a bucket or a group.
const SLOTS: u64 = 8;
/// Size of its control bytes, which come first.
const CONTROL: u64 = 8;

/// `runtime.hmap`, Go 1.12 to 1.23.
mod hmap {
    pub(super) const FLAGS: u64 = 8;
    pub(super) const B: u64 = 9;
    pub(super) const BUCKETS: u64 = 16;
    pub(super) const OLD_BUCKETS: u64 = 24;
    /// The map grows into a table of the same size.
    pub(super) const SAME_SIZE_GROW: u8 = 8;
    /// Top hashes below this one mark empty slots; 2 to 4 in the first slot: the bucket has moved.
    pub(super) const MIN_TOP_HASH: u8 = 5;
    pub(super) const EVACUATED: std::ops::RangeInclusive<u8> = 2..=4;
    /// More buckets than this cannot be.
    pub(super) const MAX_B: u8 = 44;
}

/// `internal/runtime/maps`: `Map` and `table`, Go 1.24 on.
mod swiss {
    pub(super) const DIR: u64 = 16;
    pub(super) const DIR_LEN: u64 = 24;
    pub(super) const TABLE_GROUPS: u64 = 16;
    pub(super) const TABLE_LENGTH_MASK: u64 = 24;
    /// In the control byte of slots that hold nothing.
    pub(super) const EMPTY_OR_DELETED: u8 = 0x80;
}

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
    design: MapDesign,
    map: u64,
    (key, elem): (&Type, &Type),
    limit: u64,
    budget: &mut Budget,
) -> Option<Entries> {
    let len = read_u64(memory, map.wrapping_add(LEN))?;
    let shape = Shape::new(design, key, elem)?;
    let mut walk = Walk { memory, shape, want: len.min(limit), slots: Vec::new(), budget };
    if walk.want > 0 {
        match design {
            MapDesign::Buckets => walk.hmap(map)?,
            MapDesign::Swiss | MapDesign::SwissSplit => walk.swiss(map)?,
        }
    }
    Some(Entries { slots: walk.slots, len })
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
    fn new(design: MapDesign, key: &Type, elem: &Type) -> Option<Shape> {
        let (indirect_key, indirect_elem) = (key.size > MAX_INLINE, elem.size > MAX_INLINE);
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
        let buckets = read_u64(self.memory, map.wrapping_add(hmap::BUCKETS))?;
        let old = read_u64(self.memory, map.wrapping_add(hmap::OLD_BUCKETS))?;
        let [flags] = read(self.memory, map.wrapping_add(hmap::FLAGS))?;
        let [b] = read(self.memory, map.wrapping_add(hmap::B))?;
        if b > hmap::MAX_B {
            return None;
        }
        let same_size = flags & hmap::SAME_SIZE_GROW != 0;
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
        for i in 0..count {
            let mut bucket = table.checked_add(i.checked_mul(self.shape.size + 8)?)?;
            let [first] = read::<1>(self.memory, bucket)?;
            let moved = hmap::EVACUATED.contains(&first);
            if self.done() || !self.budget.take(1) {
                break;
            }
            while bucket != 0 && !moved && !self.done() && self.budget.take(1) {
                self.group(bucket, |top| top >= hmap::MIN_TOP_HASH)?;
                bucket = read_u64(self.memory, bucket.checked_add(self.shape.size)?)?;
            }
        }
        Some(())
    }

    fn swiss(&mut self, map: u64) -> Option<()> {
        let full = |ctrl| ctrl & swiss::EMPTY_OR_DELETED == 0;
        let dir = read_u64(self.memory, map.checked_add(swiss::DIR)?)?;
        let len = read_u64(self.memory, map.checked_add(swiss::DIR_LEN)?)?;
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
            let groups = read_u64(self.memory, table.checked_add(swiss::TABLE_GROUPS)?)?;
            let mask = read_u64(self.memory, table.checked_add(swiss::TABLE_LENGTH_MASK)?)?;
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
