//! A page beyond the guest's space, which can only be read: systems show every process one near the end of the lower half
//! (macOS' commpage). Engines' fast paths know the space alone, so that it costs them nothing.

use std::sync::Arc;

use crate::{Memory, PAGE, PageFlags};

/// The page's number, and what is there.
pub(super) type FarPage = (u64, Arc<[u8; PAGE as usize]>);

impl Memory {
    /// Shows a page at an address beyond the space. It can be read, and is part of no snapshot. Inside the space nothing
    /// happens.
    pub fn show_far(&mut self, addr: u64, bytes: Arc<[u8; PAGE as usize]>) {
        self.far = Some((addr / PAGE, bytes)).filter(|_| addr >= self.space());
    }

    /// The flags of a page; [`PageFlags::READ`] of the far one.
    pub(super) fn flags(&self, page: u64) -> PageFlags {
        match &self.far {
            Some((far, _)) if *far == page => PageFlags::READ | PageFlags::MAPPED,
            _ => self.region.flags(page),
        }
    }

    /// Copies bytes of a page, if it is mapped.
    pub(super) fn copy_out(&self, page: u64, at: usize, out: &mut [u8]) {
        let far = self.far.as_ref().filter(|(far, _)| *far == page);
        match far.and_then(|(_, bytes)| bytes.get(at..at + out.len())) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => drop(self.region.copy_out(page, at, out)),
        }
    }
}
