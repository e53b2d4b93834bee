//! Pages beyond the guest's space: systems show every process one near the end of the lower half (macOS' commpage), and
//! processes that were dumped had memory there, code and heap included. Engines' fast paths know the space alone, so that these
//! cost them nothing. Pages that are written are kept beside the bytes that are shown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::{Memory, PAGE, PageFlags, Perm, Snapshot};

/// What holds bytes that are shown beyond the space.
pub type FarBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Neighbouring pages: the first one after them, and what is there, the rest being zero.
#[derive(Clone)]
pub(super) struct Far {
    end: u64,
    bytes: FarBytes,
    part: Range<usize>,
    /// Bytes of the first page that come before the part.
    before: usize,
    perm: PageFlags,
}

type Page = [u8; PAGE as usize];

/// Pages beyond the space as they were written.
type Pages = BTreeMap<u64, Arc<Page>>;

/// What was written beyond the space, now and at each snapshot.
#[derive(Default)]
pub(super) struct FarWrites {
    pages: Pages,
    /// How many pages the host has for them, older contents that snapshots keep among them.
    held: u64,
    kept: Vec<Kept>,
}

/// What was written beyond the space until a snapshot, and how many pages the host had for it.
struct Kept {
    snapshot: Snapshot,
    pages: Pages,
    held: u64,
}

impl FarWrites {
    pub(super) fn bytes(&self) -> u64 {
        self.held * PAGE
    }

    pub(super) fn same(&self) -> FarWrites {
        FarWrites { pages: self.pages.clone(), held: self.pages.len() as u64, kept: Vec::new() }
    }

    pub(super) fn began(&mut self, snapshot: Snapshot) {
        self.kept.push(Kept { snapshot, pages: self.pages.clone(), held: self.held });
    }

    pub(super) fn forget_snapshots(&mut self) {
        self.kept.clear();
        self.held = self.pages.len() as u64;
    }

    /// Whether writing to a page takes a new page of the host's: it was not written, or a snapshot has it as it is.
    fn needs_page(&self, page: u64) -> bool {
        self.pages.get(&page).is_none_or(|page| Arc::strong_count(page) > 1)
    }

    /// Goes back, and says which pages are other than before.
    fn go_back(&mut self, to: Snapshot) -> Vec<u64> {
        let Some(at) = self.kept.iter().position(|kept| kept.snapshot == to) else { return Vec::new() };
        self.kept.truncate(at + 1);
        let old = self.kept[at].pages.clone();
        self.held = self.kept[at].held;
        let is_other = |page: &u64| match (self.pages.get(page), old.get(page)) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            _ => true,
        };
        let other = self.pages.keys().copied().filter(is_other).collect();
        self.pages = old;
        other
    }
}

impl Far {
    /// Copies what is there over these bytes, from so many bytes behind the beginning of the first page on.
    fn overlay(&self, at: usize, out: &mut [u8]) {
        let bytes = (*self.bytes).as_ref().get(self.part.clone()).unwrap_or_default();
        let known = bytes.get(at.saturating_sub(self.before)..).unwrap_or_default();
        let out = out.get_mut(self.before.saturating_sub(at)..).unwrap_or_default();
        let len = known.len().min(out.len());
        out[..len].copy_from_slice(&known[..len]);
    }

    fn copy(&self, at: usize, out: &mut [u8]) {
        out.fill(0);
        self.overlay(at, out);
    }

    /// Whether it has all bytes of a page.
    fn fills(&self, first: u64, page: u64) -> bool {
        let starts = page > first || self.before == 0;
        starts && self.len_before(first, page + 1) <= self.part.len()
    }

    /// How many of its bytes lie before a page.
    fn len_before(&self, first: u64, page: u64) -> usize {
        ((page - first).saturating_mul(PAGE) as usize).saturating_sub(self.before)
    }

    /// Its pages before this one.
    fn up_to(&self, first: u64, page: u64) -> Far {
        let end = self.part.start.saturating_add(self.len_before(first, page)).min(self.part.end);
        Far { end: page, part: self.part.start..end, ..self.clone() }
    }

    /// Its pages from this one on, which is not its first.
    fn from(&self, first: u64, page: u64) -> Far {
        let start = self.part.start.saturating_add(self.len_before(first, page)).min(self.part.end);
        Far { part: start..self.part.end, before: 0, ..self.clone() }
    }
}

impl Memory {
    /// Shows a part of these bytes from an address on, which lies beyond the space; inside the space nothing happens. What is shown
    /// later hides what was there, but for the other bytes of a page that it does not fill: they stay, and the page allows what either
    /// does.
    pub fn show_far(&mut self, addr: u64, perm: Perm, bytes: FarBytes, part: Range<usize>) {
        if addr < self.space() || part.is_empty() {
            return;
        }
        let (first, before) = (addr / PAGE, (addr % PAGE) as usize);
        let pages = (before as u64).saturating_add(part.len() as u64).div_ceil(PAGE);
        let far = Far { end: first.saturating_add(pages), bytes, part, before, perm: perm.into() };
        let mut shared = vec![first, far.end - 1];
        shared.dedup();
        shared.retain(|page| !far.fills(first, *page));
        let shared: Vec<_> =
            shared.into_iter().filter_map(|page| Some((page, self.both(first, &far, page)?))).collect();
        self.put_far(first, far);
        for (page, far) in shared {
            self.put_far(page, far);
        }
    }

    /// A page of what is shown already, and over it what these have of it.
    fn both(&self, first: u64, far: &Far, page: u64) -> Option<Far> {
        let (_, old) = self.far_at(page)?;
        let mut bytes = [0; PAGE as usize];
        self.copy_out(page, 0, &mut bytes);
        if page == first {
            far.overlay(0, &mut bytes);
        } else {
            far.from(first, page).overlay(0, &mut bytes);
        }
        let perm = old.perm | far.perm;
        Some(Far { end: page + 1, bytes: Arc::new(bytes), part: 0..PAGE as usize, before: 0, perm })
    }

    /// Shows these pages in the place of what was there.
    fn put_far(&mut self, first: u64, far: Far) {
        let hidden = self.far.range(..far.end).rev().take_while(|(_, old)| old.end > first);
        for at in hidden.map(|(at, _)| *at).collect::<Vec<_>>() {
            let Some(old) = self.far.remove(&at) else { continue };
            if old.end > far.end {
                self.far.insert(far.end, old.from(at, far.end));
            }
            if at < first {
                self.far.insert(at, old.up_to(at, first));
            }
        }
        self.far.insert(first, far);
    }

    /// The first page of those that a page beyond the space belongs to, and what is there.
    fn far_at(&self, page: u64) -> Option<(u64, &Far)> {
        let (first, far) = self.far.range(..=page).next_back()?;
        (page < far.end).then_some((*first, far))
    }

    /// Ranges beyond the space.
    pub(super) fn far_ranges(&self) -> Vec<(Range<u64>, Perm)> {
        let mut ranges: Vec<(Range<u64>, Perm)> = Vec::new();
        for (first, far) in &self.far {
            let (start, end, perm) = (first * PAGE, far.end.saturating_mul(PAGE), far.perm.allowed());
            match ranges.last_mut() {
                Some((before, same)) if before.end == start && *same == perm => before.end = end,
                _ => ranges.push((start..end, perm)),
            }
        }
        ranges
    }

    /// Pages beyond the space that were written.
    pub fn far_written(&self) -> impl Iterator<Item = Range<u64>> {
        self.far_writes.pages.keys().map(|page| page * PAGE..(page + 1) * PAGE)
    }

    /// The flags of a page, wherever it is.
    pub(super) fn flags(&self, page: u64) -> PageFlags {
        let far = if self.far.is_empty() { None } else { self.far_at(page) };
        far.map_or_else(|| self.region.flags(page), |(_, far)| far.perm)
    }

    /// Copies bytes of a page, if it is mapped.
    pub(super) fn copy_out(&self, page: u64, at: usize, out: &mut [u8]) {
        let written = if self.far.is_empty() { None } else { self.far_writes.pages.get(&page) };
        match (written, self.far_at(page)) {
            (Some(written), _) => out.copy_from_slice(&written[at..at + out.len()]),
            (None, Some((first, far))) => far.copy((page - first) as usize * PAGE as usize + at, out),
            (None, None) => drop(self.region.copy_out(page, at, out)),
        }
    }

    /// Whether a page lies beyond the space, where something is shown.
    pub(super) fn is_far(&self, page: u64) -> bool {
        !self.far.is_empty() && self.far_at(page).is_some()
    }

    /// What writing to these bytes takes of the host's memory where they lie beyond the space.
    pub(super) fn far_needs(&self, addr: u64, len: usize) -> u64 {
        if self.far.is_empty() || len == 0 {
            return 0;
        }
        let last = addr.saturating_add(len as u64 - 1) / PAGE;
        let is_new = |page: &u64| self.far_writes.needs_page(*page) && self.is_far(*page);
        (addr / PAGE..=last).filter(is_new).count() as u64 * PAGE
    }

    /// Writes bytes of a page beyond the space.
    pub(super) fn write_far(&mut self, page: u64, at: usize, bytes: &[u8]) {
        self.far_writes.held += u64::from(self.far_writes.needs_page(page));
        let mut new = [0; PAGE as usize];
        if !self.far_writes.pages.contains_key(&page) {
            self.copy_out(page, 0, &mut new);
        }
        let written = self.far_writes.pages.entry(page).or_insert_with(|| Arc::new(new));
        if let Some(to) = Arc::make_mut(written).get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
        self.far_changed(page);
    }

    /// Nobody notes there which pages were decoded.
    fn far_changed(&mut self, page: u64) {
        if self.flags(page).contains(PageFlags::EXEC) {
            self.code_writes.push(page * PAGE..(page + 1) * PAGE);
            self.cost.code_written();
        }
    }

    /// Goes back to a snapshot beyond the space.
    pub(super) fn restore_far(&mut self, to: Snapshot) {
        if !self.far.is_empty() {
            for page in self.far_writes.go_back(to) {
                self.far_changed(page);
            }
        }
    }
}
