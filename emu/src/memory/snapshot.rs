//! Snapshots: what a machine needs to go back to an earlier state of its memory.
//!
//! Nothing is copied when a snapshot is taken. The first write to a page after it saves the page
//! (its `DIRTY` flag is off, so the write takes the slow path); changes of the map are kept as a list of
//! things to undo. Going back costs what changed, however large the machine is.

use std::collections::HashMap;
use std::ops::Range;

use super::region::{PAGE, Region};
use super::{MemoryError, PageFlags};

type PageBytes = Box<[u8; PAGE as usize]>;

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
    /// These pages were mapped: flags and contents.
    Unmapped(u64, Vec<(PageFlags, PageBytes)>),
    /// These pages had these flags.
    Protected(u64, Vec<PageFlags>),
}

/// What changed since one snapshot.
struct Layer {
    serial: u64,
    /// Contents, at the snapshot, of pages written since; kept after going back, for the next time.
    saved: HashMap<u64, PageBytes>,
    /// Pages that are dirty now.
    dirty: Vec<u64>,
    changes: Vec<Change>,
    /// Mapped bytes at the snapshot.
    mapped: u64,
}

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

    /// A new snapshot. Pages become clean, so that the next write to each is seen.
    pub(super) fn begin(&mut self, region: &mut Region, mapped: u64) -> Snapshot {
        clean(region, self.ground.drain(..));
        if let Some(top) = self.layers.last() {
            clean(region, top.dirty.iter().copied());
            for change in &top.changes {
                if let Change::Mapped(pages) = change {
                    clean(region, pages.clone());
                }
            }
        }
        self.serial += 1;
        let (serial, depth) = (self.serial, self.layers.len());
        let (saved, dirty, changes) = (HashMap::new(), Vec::new(), Vec::new());
        self.layers.push(Layer { serial, saved, dirty, changes, mapped });
        Snapshot { depth, serial }
    }

    /// Before the first write to a clean page.
    pub(super) fn before_write(&mut self, region: &Region, page: u64) {
        if let Some(top) = self.layers.last_mut() {
            if let Some(bytes) = region.page(page) {
                top.saved.entry(page).or_insert_with(|| Box::new(*bytes));
            }
            top.dirty.push(page);
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

    /// Before pages are unmapped.
    pub(super) fn before_unmap(&mut self, region: &Region, pages: Range<u64>) {
        if let Some(top) = self.layers.last_mut() {
            let first = pages.start;
            let old = pages.filter_map(|p| Some((region.flags(p), Box::new(*region.page(p)?)))).collect();
            top.changes.push(Change::Unmapped(first, old));
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
    /// contents may have changed and that held decoded code. Gives the mapped bytes of that time.
    pub(super) fn restore(
        &mut self,
        region: &mut Region,
        to: Snapshot,
        mut touched: impl FnMut(u64),
    ) -> Result<u64, MemoryError> {
        match self.layers.get(to.depth) {
            Some(layer) if layer.serial == to.serial => {}
            _ => return Err(MemoryError::NoSuchSnapshot),
        }
        while self.layers.len() > to.depth + 1 {
            if let Some(mut layer) = self.layers.pop() {
                layer.undo(region, &mut touched)?;
                // What is clean now was dirty for the layer below, whose list still has it.
                if let Some(below) = self.layers.last() {
                    below.dirty.iter().for_each(|&p| region.mark(p, PageFlags::DIRTY, PageFlags::empty()));
                }
            }
        }
        let layer = &mut self.layers[to.depth];
        layer.undo(region, &mut touched)?;
        Ok(layer.mapped)
    }
}

impl Layer {
    fn undo(&mut self, region: &mut Region, touched: &mut impl FnMut(u64)) -> Result<(), MemoryError> {
        while let Some(change) = self.changes.pop() {
            undo_change(region, change, touched)?;
        }
        for page in self.dirty.drain(..) {
            if region.flags(page).contains(PageFlags::CODE) {
                touched(page);
            }
            // A page that was mapped after the snapshot is gone by now.
            if let Some(bytes) = self.saved.get(&page).filter(|_| region.page(page).is_some()) {
                region.patch(page, 0, &bytes[..])?;
            }
            region.mark(page, PageFlags::empty(), PageFlags::DIRTY);
        }
        Ok(())
    }
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
        Change::Unmapped(first, old) => {
            for (page, (flags, bytes)) in (first..).zip(old) {
                region.commit(page, 1, flags, None)?;
                region.patch(page, 0, &bytes[..])?;
            }
            Ok(())
        }
        Change::Protected(first, flags) => {
            (first..).zip(flags).try_for_each(|(page, flags)| region.protect(page, 1, flags))
        }
    }
}

fn clean(region: &mut Region, pages: impl Iterator<Item = u64>) {
    pages.for_each(|page| region.mark(page, PageFlags::empty(), PageFlags::DIRTY));
}
