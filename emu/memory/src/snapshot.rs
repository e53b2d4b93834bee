//! Snapshots: what a machine needs to go back to an earlier state of its memory.
//!
//! Nothing is copied when a snapshot is taken. The first write to a page after it saves the page
//! (its `DIRTY` flag is off, so the write takes the slow path); changes of the map are kept as a list of
//! things to undo. Going back costs what changed, however large the machine is.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use super::region::{PAGE, Region};
use super::{MemoryError, PageFlags};

type PageBytes = Box<[u8; PAGE as usize]>;
/// A page as new ones are.
const ZERO: [u8; PAGE as usize] = [0; PAGE as usize];

/// A point in a memory's life to go back to, from [`Memory::snapshot`](super::Memory::snapshot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of snapshots below it.
    depth: usize,
    /// Tells it from an earlier one that stood at the same depth and is gone.
    serial: u64,
}

/// One change of the map, with what undoing it needs. Pages, not addresses.
enum Change {
    /// These pages were not mapped before.
    Mapped(Range<u64>),
    /// These pages were mapped: number, flags, and contents where nothing else has kept them.
    Unmapped(Vec<(u64, PageFlags, Option<PageBytes>)>),
    /// These pages had these flags.
    Protected(u64, Vec<PageFlags>),
}

/// A page as it was at a snapshot.
struct Saved {
    page: u64,
    /// None where it is all zero, as pages mostly are that are written first.
    bytes: Option<PageBytes>,
    /// How sure it is that it will be written again: see [`HABIT`].
    habit: u8,
    /// Counts goings back.
    turn: u8,
}

/// Where the host finds first writes, finding one takes as long as copying fifty pages. So a page that was written twice
/// stays dirty when going back, and is copied whether it was written or not, until it was not for so many times.
const HABIT: u8 = 8;
/// One going back of so many looks whether such a page was written: looking takes longer than copying.
const LOOK: u8 = 4;

/// Pages that are kept beyond a call for the next ones; where there were more, those that are clean are forgotten.
const RETAINED: u64 = (64 << 20) / PAGE;

/// What changed since one snapshot.
struct Layer {
    serial: u64,
    /// Pages written since the snapshot; kept after going back, for the next time.
    saved: Vec<Saved>,
    /// How many pages have bytes here, those that were unmapped among them.
    kept: u64,
    /// Where a page is in `saved`.
    index: FxHashMap<u64, usize>,
    /// The saved pages that are dirty now.
    dirty: Vec<usize>,
    changes: Vec<Change>,
    /// Mapped bytes at the snapshot.
    sizes: Sizes,
}

/// Bytes that are mapped: those that count, and those that are zero because they could not be written yet.
pub(super) type Sizes = (u64, u64);

/// The snapshots of a memory, oldest first, and what changed since each.
#[derive(Default)]
pub(super) struct Journal {
    layers: Vec<Layer>,
    /// Pages that are dirty while there is no snapshot.
    ground: Vec<u64>,
    serial: u64,
}

impl Journal {
    /// Whether changes must be kept.
    pub(super) fn active(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Bytes of pages that are kept.
    pub(super) fn kept(&self) -> u64 {
        self.layers.iter().map(|layer| layer.kept * PAGE).sum()
    }

    /// A new snapshot. Pages become clean, so that the next write to each is seen.
    pub(super) fn begin(&mut self, region: &mut Region, sizes: Sizes) -> Snapshot {
        clean(region, self.ground.drain(..));
        if let Some(top) = self.layers.last() {
            clean(region, top.dirty_pages());
            for change in &top.changes {
                if let Change::Mapped(pages) = change {
                    clean(region, pages.clone());
                }
            }
        }
        self.serial += 1;
        let (serial, depth) = (self.serial, self.layers.len());
        let (saved, kept, index, dirty, changes) = Default::default();
        self.layers.push(Layer { serial, saved, kept, index, dirty, changes, sizes });
        Snapshot { depth, serial }
    }

    /// A new snapshot in the place of all others.
    pub(super) fn restart(&mut self, region: &mut Region, sizes: Sizes) -> Snapshot {
        let snapshot = self.begin(region, sizes);
        self.layers.drain(..snapshot.depth);
        Snapshot { depth: 0, ..snapshot }
    }

    /// Before the first write to a clean page.
    pub(super) fn before_write(&mut self, region: &Region, page: u64) {
        if let Some(top) = self.layers.last_mut() {
            top.save(region, page);
        } else {
            self.ground.push(page);
        }
    }

    /// After pages were mapped that were not.
    pub(super) fn mapped(&mut self, pages: Range<u64>) {
        if let Some(top) = self.layers.last_mut() {
            top.changes.push(Change::Mapped(pages));
        }
    }

    /// Before pages are unmapped. What was mapped after the snapshot is dirty and was never saved: going back does without
    /// it. Dirty pages that are older were saved when they became so.
    pub(super) fn before_unmap(&mut self, region: &Region, pages: Range<u64>) {
        let Some(top) = self.layers.last_mut() else { return };
        let mut old = Vec::new();
        for page in pages {
            let flags = region.flags(page);
            if flags.contains(PageFlags::UNTOUCHED) {
                old.push((page, flags, None));
            } else if !flags.contains(PageFlags::DIRTY) {
                old.push((page, flags, copy(region, page).flatten()));
            } else if top.index.contains_key(&page) {
                old.push((page, flags, None));
            }
        }
        top.kept += old.iter().filter(|(.., bytes)| bytes.is_some()).count() as u64;
        if !old.is_empty() {
            top.changes.push(Change::Unmapped(old));
        }
    }

    /// Before the permissions of pages change.
    pub(super) fn before_protect(&mut self, region: &Region, pages: Range<u64>) {
        if let Some(top) = self.layers.last_mut() {
            let flags = pages.clone().map(|p| region.flags(p)).collect();
            top.changes.push(Change::Protected(pages.start, flags));
        }
    }

    /// Goes back to a snapshot, which stays; later ones are gone. Calls `touched` with each page whose
    /// contents may have changed and that held decoded code. Gives the sizes of that time.
    pub(super) fn restore(
        &mut self,
        region: &mut Region,
        to: Snapshot,
        mut touched: impl FnMut(u64),
    ) -> Result<Sizes, MemoryError> {
        match self.layers.get(to.depth) {
            Some(layer) if layer.serial == to.serial => {}
            _ => return Err(MemoryError::NoSuchSnapshot),
        }
        while self.layers.len() > to.depth + 1 {
            if let Some(mut layer) = self.layers.pop() {
                layer.undo(region, &mut touched)?;
                // What it left dirty for its next time is written to no page that the layer below knows of.
                clean(region, layer.dirty_pages());
                // What is clean now was dirty for the layer below, whose list still has it.
                if let Some(below) = self.layers.last() {
                    let mut pages = below.dirty_pages().collect::<Vec<_>>();
                    region.mark_all(&mut pages, PageFlags::DIRTY, PageFlags::empty());
                }
            }
        }
        let layer = &mut self.layers[to.depth];
        layer.undo(region, &mut touched)?;
        Ok(layer.sizes)
    }
}

impl Layer {
    /// Keeps a page that is about to become dirty.
    fn save(&mut self, region: &Region, page: u64) {
        let next = self.saved.len();
        let at = *self.index.entry(page).or_insert(next);
        if at == next {
            let Some(bytes) = copy(region, page) else {
                self.index.remove(&page);
                return;
            };
            self.kept += u64::from(bytes.is_some());
            self.saved.push(Saved { page, bytes, habit: 0, turn: 0 });
        }
        self.saved[at].habit = (self.saved[at].habit + 1).min(HABIT);
        self.dirty.push(at);
    }

    fn dirty_pages(&self) -> impl Iterator<Item = u64> {
        self.dirty.iter().filter_map(|&at| Some(self.saved.get(at)?.page))
    }

    #[inline]
    fn undo(&mut self, region: &mut Region, touched: &mut impl FnMut(u64)) -> Result<(), MemoryError> {
        // A short call may have written what was there.
        if self.changes.is_empty() && self.dirty.is_empty() {
            return Ok(());
        }
        self.undo_all(region, touched)
    }

    fn undo_all(&mut self, region: &mut Region, touched: &mut impl FnMut(u64)) -> Result<(), MemoryError> {
        while let Some(change) = self.changes.pop() {
            if let Change::Unmapped(old) = &change {
                self.kept -= old.iter().filter(|(.., bytes)| bytes.is_some()).count() as u64;
            }
            undo_change(region, change, touched)?;
        }
        let (mut cleaned, mut refused) = (Vec::new(), Ok(()));
        let saved = &mut self.saved;
        self.dirty.retain(|&at| {
            let Some(saved) = saved.get_mut(at) else { return false };
            let flags = region.flags(saved.page);
            if flags.contains(PageFlags::CODE) {
                touched(saved.page);
            }
            // A page that was mapped after the snapshot is gone by now.
            if refused.is_err() || !flags.contains(PageFlags::MAPPED) {
                return refused.is_err();
            }
            match saved.put_back(region, flags) {
                Ok(true) => return true,
                Ok(false) if region.is_exact() => cleaned.push(saved.page),
                Ok(false) => region.mark(saved.page, PageFlags::empty(), PageFlags::DIRTY),
                Err(error) => refused = Err(error),
            }
            false
        });
        region.mark_all(&mut cleaned, PageFlags::empty(), PageFlags::DIRTY);
        if self.kept > RETAINED {
            self.forget_clean();
        }
        refused
    }

    /// Drops the pages that are as they were: what later calls write is kept again.
    fn forget_clean(&mut self) {
        let dirty: FxHashSet<usize> = self.dirty.drain(..).collect();
        let saved = std::mem::take(&mut self.saved).into_iter().enumerate();
        self.saved = saved.filter(|(at, _)| dirty.contains(at)).map(|(_, saved)| saved).collect();
        self.index = self.saved.iter().enumerate().map(|(at, saved)| (saved.page, at)).collect();
        self.dirty = (0..self.saved.len()).collect();
        self.kept = self.saved.iter().filter(|saved| saved.bytes.is_some()).count() as u64;
    }
}

impl Saved {
    /// Gives the page its contents again; says whether it should stay dirty.
    fn put_back(&mut self, region: &mut Region, flags: PageFlags) -> Result<bool, MemoryError> {
        let bytes = self.bytes.as_deref().unwrap_or(&ZERO);
        let plain = PageFlags::READ | PageFlags::WRITE | PageFlags::DIRTY;
        if !region.is_exact() || self.habit < 2 || flags & (plain | PageFlags::CODE) != plain {
            region.patch(self.page, 0, bytes)?;
            return Ok(false);
        }
        self.turn = self.turn.wrapping_add(1);
        if !self.turn.is_multiple_of(LOOK) {
            region.patch(self.page, 0, bytes)?;
        } else if region.page(self.page) == Some(bytes) {
            self.habit -= 1;
        } else {
            self.habit = HABIT;
            region.patch(self.page, 0, bytes)?;
        }
        Ok(self.habit >= 2)
    }
}

/// The bytes of a mapped page: `None` if they are all zero.
fn copy(region: &Region, page: u64) -> Option<Option<PageBytes>> {
    let mut bytes = [0; PAGE as usize];
    region.copy_out(page, 0, &mut bytes).then(|| (bytes != ZERO).then(|| Box::new(bytes)))
}

fn undo_change(
    region: &mut Region,
    change: Change,
    touched: &mut impl FnMut(u64),
) -> Result<(), MemoryError> {
    match change {
        Change::Mapped(pages) => {
            pages.clone().filter(|&p| region.flags(p).contains(PageFlags::CODE)).for_each(touched);
            region.decommit(pages.start, pages.end - pages.start)
        }
        Change::Unmapped(old) => {
            for (page, flags, bytes) in old {
                region.commit(page, 1, flags, None)?;
                if let Some(bytes) = bytes {
                    region.patch(page, 0, &bytes[..])?;
                }
            }
            Ok(())
        }
        Change::Protected(first, flags) => (first..).zip(flags).try_for_each(|(page, flags)| {
            if region.flags(page).contains(PageFlags::CODE) {
                touched(page);
            }
            region.protect(page, 1, flags)
        }),
    }
}

fn clean(region: &mut Region, pages: impl Iterator<Item = u64>) {
    region.mark_all(&mut pages.collect::<Vec<_>>(), PageFlags::empty(), PageFlags::DIRTY);
}
