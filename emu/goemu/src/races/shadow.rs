//! Shadow memory: for each word of the guest's memory the last accesses to it.
//!
//! Four accesses are kept for a word, as Go's race detector keeps them. Pages are made when a word in them is used first; if
//! there are too many, the one made first goes, and its accesses are forgotten.

use rustc_hash::FxHashMap;

/// Words of a page.
const WORDS: usize = 64;
/// Bytes of guest memory that a page is about.
const PAGE: u64 = 8 * WORDS as u64;
/// Accesses kept for each word.
const CELLS: usize = 4;

/// An access, as it is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// The count of its goroutine; 0 if there is no access here.
    pub(super) count: u32,
    /// Number of its stack.
    pub(super) stack: u32,
    pub(super) slot: u16,
    /// Which bytes of the word.
    pub(super) bytes: u8,
    pub(super) kind: Kind,
}

/// What an access does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) write: bool,
    pub(super) atomic: bool,
}

impl Kind {
    /// Whether two such accesses may not be without order. Loads of which only the location tells whether they are atomic
    /// count as plain: what may be one is no race with an atomic store.
    fn conflicts(self, other: Kind) -> bool {
        match (self.atomic, other.atomic) {
            (true, true) => false,
            (false, false) => self.write || other.write,
            (true, false) => other.write,
            (false, true) => self.write,
        }
    }

    /// Whether every access that conflicts with the other one conflicts with this one.
    fn covers(self, other: Kind) -> bool {
        (self.write || !other.write) && (!self.atomic || other.atomic)
    }
}

#[derive(Clone)]
struct Page {
    number: u64,
    words: [[Cell; CELLS]; WORDS],
}

/// Shadow memory.
#[derive(Clone)]
pub(super) struct Shadow {
    pages: Vec<Page>,
    by_number: FxHashMap<u64, u32>,
    last: Option<(u64, u32)>,
    free: Vec<u32>,
    most: usize,
    oldest: usize,
    /// Pages that were given up to make room.
    pub(super) forgotten: u64,
}

/// The parts of a range of bytes: word by word, its number and which of its bytes.
fn parts(addr: u64, size: u64) -> impl Iterator<Item = (u64, u8)> {
    let end = addr.saturating_add(size);
    (addr / 8..end.div_ceil(8)).map(move |word| {
        let from = addr.max(word * 8) - word * 8;
        let to = end.min(word * 8 + 8) - word * 8;
        (word, (0xff_u8 << from) & (0xff_u16 >> (8 - to)) as u8)
    })
}

impl Shadow {
    /// Shadow memory that takes so many bytes at most.
    pub(super) fn new(most: u64) -> Shadow {
        let most = (most / size_of::<Page>() as u64).clamp(1, u64::from(u32::MAX) - 1);
        Shadow {
            pages: Vec::new(),
            by_number: FxHashMap::default(),
            last: None,
            free: Vec::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            oldest: 0,
            forgotten: 0,
        }
    }

    fn page(&mut self, number: u64) -> Option<u32> {
        if let Some((last, index)) = self.last
            && last == number
        {
            return Some(index);
        }
        let index = *self.by_number.get(&number)?;
        self.last = Some((number, index));
        Some(index)
    }

    fn page_made(&mut self, number: u64) -> u32 {
        if let Some(index) = self.page(number) {
            return index;
        }
        let empty = Page { number, words: [[Cell::default(); CELLS]; WORDS] };
        let index = if let Some(index) = self.free.pop() {
            self.pages[index as usize] = empty;
            index
        } else if self.pages.len() < self.most {
            self.pages.push(empty);
            (self.pages.len() - 1) as u32
        } else {
            let index = self.oldest;
            self.oldest = (self.oldest + 1) % self.pages.len();
            self.by_number.remove(&self.pages[index].number);
            self.pages[index] = empty;
            self.forgotten += 1;
            index as u32
        };
        self.by_number.insert(number, index);
        self.last = Some((number, index));
        index
    }

    fn word(&mut self, word: u64) -> Option<&mut [Cell; CELLS]> {
        let index = self.page(word / WORDS as u64)?;
        Some(&mut self.pages[index as usize].words[(word % WORDS as u64) as usize])
    }

    /// Whether the same goroutine has made such an access since it last let others know: another one tells nothing new.
    pub(super) fn has(&mut self, addr: u64, size: u64, slot: u16, count: u32, kind: Kind) -> bool {
        parts(addr, size).all(|(word, bytes)| {
            let same = |cell: &Cell| {
                cell.count == count
                    && cell.slot == slot
                    && cell.bytes & bytes == bytes
                    && cell.kind.covers(kind)
            };
            self.word(word).is_some_and(|cells| cells.iter().any(same))
        })
    }

    /// Notes an access. The result is an earlier one that conflicts with it, with the address of the first byte of both;
    /// `known` says whether a slot's count came before.
    pub(super) fn access(
        &mut self,
        addr: u64,
        size: u64,
        new: Cell,
        known: impl Fn(u16, u32) -> bool,
    ) -> Option<(Cell, u64)> {
        let mut found = None;
        for (word, bytes) in parts(addr, size) {
            let index = self.page_made(word / WORDS as u64);
            let cells = &mut self.pages[index as usize].words[(word % WORDS as u64) as usize];
            let new = Cell { bytes, ..new };
            if found.is_none() {
                found = cells
                    .iter()
                    .find(|old| conflicts(old, &new) && !known(old.slot, old.count))
                    .map(|old| (*old, word * 8 + u64::from((old.bytes & bytes).trailing_zeros())));
            }
            keep(cells, new, &known);
        }
        found
    }

    /// Forgets the accesses to a range: it is another object now.
    pub(super) fn forget(&mut self, addr: u64, size: u64) {
        if self.by_number.is_empty() {
            return;
        }
        let end = addr.saturating_add(size);
        for number in addr / PAGE..end.div_ceil(PAGE) {
            let Some(index) = self.page(number) else { continue };
            let (from, to) = (addr.max(number * PAGE), end.min((number + 1) * PAGE));
            if to - from == PAGE {
                self.by_number.remove(&number);
                self.free.push(index);
                self.last = None;
                continue;
            }
            for (word, bytes) in parts(from, to - from) {
                for cell in &mut self.pages[index as usize].words[(word % WORDS as u64) as usize] {
                    cell.bytes &= !bytes;
                    if cell.bytes == 0 {
                        *cell = Cell::default();
                    }
                }
            }
        }
    }
}

#[inline]
fn conflicts(old: &Cell, new: &Cell) -> bool {
    old.count != 0 && old.slot != new.slot && old.bytes & new.bytes != 0 && old.kind.conflicts(new.kind)
}

/// Puts an access in the place of one that it makes superfluous, else in a free one, else in that of another.
fn keep(cells: &mut [Cell; CELLS], new: Cell, known: impl Fn(u16, u32) -> bool) {
    let superfluous = |old: &Cell| {
        old.count != 0
            && old.bytes & new.bytes == old.bytes
            && new.kind.covers(old.kind)
            && (old.slot == new.slot || known(old.slot, old.count))
    };
    let mut place = None;
    for (at, cell) in cells.iter_mut().enumerate() {
        if superfluous(cell) {
            *cell = Cell::default();
        }
        if cell.count == 0 {
            place.get_or_insert(at);
        }
    }
    // Which one goes must not depend on anything but the run.
    let at = place.unwrap_or((new.count ^ new.stack) as usize % CELLS);
    cells[at] = new;
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Kind = Kind { write: false, atomic: false };
    const WRITE: Kind = Kind { write: true, atomic: false };

    fn cell(slot: u16, kind: Kind) -> Cell {
        Cell { count: 1, stack: u32::from(slot), slot, bytes: 0, kind }
    }

    #[test]
    fn conflicts_need_a_common_byte_and_a_write() {
        let mut shadow = Shadow::new(1 << 20);
        let unknown = |_, _| false;
        assert_eq!(shadow.access(0x1000, 4, cell(1, WRITE), unknown), None);
        assert_eq!(shadow.access(0x1004, 4, cell(2, WRITE), unknown), None);
        let (old, at) = shadow.access(0x1002, 4, cell(3, READ), unknown).unwrap();
        assert_eq!((old.slot, at), (1, 0x1002));
        assert_eq!(shadow.access(0x2000, 8, cell(1, READ), unknown), None);
        assert_eq!(shadow.access(0x2000, 8, cell(2, READ), unknown), None);
        assert!(shadow.access(0x2007, 1, cell(3, WRITE), unknown).is_some());
    }

    #[test]
    fn what_came_before_is_no_race() {
        let mut shadow = Shadow::new(1 << 20);
        shadow.access(0x1000, 8, cell(1, WRITE), |_, _| false);
        assert_eq!(shadow.access(0x1000, 8, cell(2, WRITE), |slot, _| slot == 1), None);
    }

    #[test]
    fn atomic_accesses_race_with_plain_writes_only() {
        let mut shadow = Shadow::new(1 << 20);
        let atomic = Kind { write: true, atomic: true };
        shadow.access(0x1000, 8, cell(1, atomic), |_, _| false);
        assert_eq!(shadow.access(0x1000, 8, cell(2, atomic), |_, _| false), None);
        assert_eq!(shadow.access(0x1000, 8, cell(3, READ), |_, _| false), None);
        assert!(shadow.access(0x1000, 8, cell(4, WRITE), |_, _| false).is_some());
    }

    #[test]
    fn new_objects_have_no_past() {
        let mut shadow = Shadow::new(1 << 20);
        for addr in (0..4 * PAGE).step_by(8) {
            shadow.access(addr, 8, cell(1, WRITE), |_, _| false);
        }
        shadow.forget(12, 3 * PAGE);
        let mut raced = |addr, size| shadow.access(addr, size, cell(2, READ), |_, _| false).is_some();
        assert!(raced(11, 1) && !raced(12, 4) && !raced(PAGE, 8) && !raced(3 * PAGE + 8, 4));
        assert!(raced(3 * PAGE + 12, 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut shadow = Shadow::new(3 * size_of::<Page>() as u64);
        for number in 0..10 {
            shadow.access(number * PAGE, 8, cell(1, WRITE), |_, _| false);
        }
        assert_eq!((shadow.pages.len(), shadow.forgotten), (3, 7));
        assert_eq!(shadow.access(0, 8, cell(2, WRITE), |_, _| false), None);
        assert!(shadow.access(9 * PAGE, 8, cell(2, WRITE), |_, _| false).is_some());
    }

    #[test]
    fn repeated_accesses_are_known() {
        let mut shadow = Shadow::new(1 << 20);
        shadow.access(0x1003, 9, cell(1, WRITE), |_, _| false);
        assert!(shadow.has(0x1003, 9, 1, 1, WRITE) && shadow.has(0x1004, 2, 1, 1, READ));
        assert!(!shadow.has(0x1003, 10, 1, 1, READ) && !shadow.has(0x1003, 9, 1, 2, WRITE));
    }
}
