//! Pages beyond the guest's space, which can only be read: systems show every process one near the end of the lower half
//! (macOS' commpage), and processes that were dumped had memory there. Engines' fast paths know the space alone, so that these
//! cost them nothing.

use std::ops::Range;
use std::sync::Arc;

use crate::{Memory, PAGE, PageFlags, Perm};

/// What holds bytes that are shown beyond the space.
pub type FarBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Neighbouring pages: the first one after them, and what is there, the rest being zero.
#[derive(Clone)]
pub(super) struct Far {
    end: u64,
    bytes: FarBytes,
    part: Range<usize>,
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
    /// Shows a part of these bytes from an address on, which is a multiple of [`PAGE`] and lies beyond the space. They can be read, and
    /// are part of no snapshot. Inside the space nothing happens.
    pub fn show_far(&mut self, addr: u64, bytes: FarBytes, part: Range<usize>) {
        let pages = (part.len() as u64).div_ceil(PAGE);
        if addr >= self.space() && addr.is_multiple_of(PAGE) && pages > 0 {
            self.far.insert(addr / PAGE, Far { end: (addr / PAGE).saturating_add(pages), bytes, part });
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
        self.far.iter().map(move |(first, far)| (first * PAGE..end(far), Perm::READ))
    }

    /// The flags of a page; [`PageFlags::READ`] of those beyond the space.
    pub(super) fn flags(&self, page: u64) -> PageFlags {
        let is_far = !self.far.is_empty() && self.far_at(page).is_some();
        if is_far { PageFlags::READ | PageFlags::MAPPED } else { self.region.flags(page) }
    }

    /// Copies bytes of a page, if it is mapped.
    pub(super) fn copy_out(&self, page: u64, at: usize, out: &mut [u8]) {
        match self.far_at(page) {
            Some((first, far)) => far.copy((page - first) as usize * PAGE as usize + at, out),
            None => drop(self.region.copy_out(page, at, out)),
        }
    }
}
