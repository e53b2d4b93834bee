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
    perm: PageFlags,
}

type Page = [u8; PAGE as usize];

/// Pages beyond the space as they were written.
type Pages = BTreeMap<u64, Arc<Page>>;

/// What was written beyond the space, now and at each snapshot.
#[derive(Default)]
pub(super) struct FarWrites {
    pages: Pages,
    kept: Vec<(Snapshot, Pages)>,
}

impl FarWrites {
    pub(super) fn bytes(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }

    pub(super) fn same(&self) -> FarWrites {
        FarWrites { pages: self.pages.clone(), kept: Vec::new() }
    }

    pub(super) fn began(&mut self, snapshot: Snapshot) {
        self.kept.push((snapshot, self.pages.clone()));
    }

    pub(super) fn began_anew(&mut self, snapshot: Snapshot) {
        self.kept.clear();
        self.began(snapshot);
    }

    /// Goes back, and says which pages are other than before.
    fn go_back(&mut self, to: Snapshot) -> Vec<u64> {
        let Some(at) = self.kept.iter().position(|(snapshot, _)| *snapshot == to) else { return Vec::new() };
        self.kept.truncate(at + 1);
        let old = self.kept[at].1.clone();
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
    /// Copies bytes from so many bytes behind the first page on.
    fn copy(&self, at: usize, out: &mut [u8]) {
        let bytes = (*self.bytes).as_ref().get(self.part.clone()).unwrap_or_default();
        let known = bytes.get(at..).unwrap_or_default();
        let len = known.len().min(out.len());
        let (start, rest) = out.split_at_mut(len);
        start.copy_from_slice(&known[..len]);
        rest.fill(0);
    }
}

impl Memory {
    /// Shows a part of these bytes from an address on, which is a multiple of [`PAGE`] and lies beyond the space. Inside the space
    /// nothing happens.
    pub fn show_far(&mut self, addr: u64, perm: Perm, bytes: FarBytes, part: Range<usize>) {
        let pages = (part.len() as u64).div_ceil(PAGE);
        if addr >= self.space() && addr.is_multiple_of(PAGE) && pages > 0 {
            let end = (addr / PAGE).saturating_add(pages);
            self.far.insert(addr / PAGE, Far { end, bytes, part, perm: perm.into() });
        }
    }

    /// The first page of those that a page beyond the space belongs to, and what is there.
    fn far_at(&self, page: u64) -> Option<(u64, &Far)> {
        let (first, far) = self.far.range(..=page).next_back()?;
        (page < far.end).then_some((*first, far))
    }

    /// Ranges beyond the space.
    pub(super) fn far_ranges(&self) -> impl Iterator<Item = (Range<u64>, Perm)> {
        let end = |far: &Far| far.end.saturating_mul(PAGE);
        self.far.iter().map(move |(first, far)| (first * PAGE..end(far), far.perm.allowed()))
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
        let is_new = |page: &u64| !self.far_writes.pages.contains_key(page) && self.is_far(*page);
        (addr / PAGE..=last).filter(is_new).count() as u64 * PAGE
    }

    /// Writes bytes of a page beyond the space.
    pub(super) fn write_far(&mut self, page: u64, at: usize, bytes: &[u8]) {
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
