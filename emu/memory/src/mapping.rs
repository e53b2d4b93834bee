//! Which pages there are, and what they allow.

use std::ops::Range;

use crate::{Contents, Memory, MemoryError, PAGE, PageFlags, Perm};

/// Bytes of zero pages that cannot be written: they take a byte of flags each, and count as nothing else.
const MOST_UNTOUCHED: u64 = 1 << 36;

impl Memory {
    /// Maps the pages of a range, which must be free. Its ends are rounded outwards to pages; `contents`
    /// start at the first page. Zero pages that cannot be written count towards the limit when they can be.
    ///
    /// # Errors
    /// [`MemoryError::Occupied`] where a page of the range is mapped already, [`MemoryError::Limit`] beyond the limit,
    /// [`MemoryError::TooMuch`] where the contents are longer than the range's pages, and when the range leaves the space or the host refuses memory. Nothing is mapped then.
    pub fn map(&mut self, range: Range<u64>, perm: Perm, contents: Contents<'_>) -> Result<(), MemoryError> {
        let (pages, size) = self.room(&range, contents)?;
        let untouched = matches!(contents, Contents::Zero) && !perm.contains(Perm::WRITE);
        let (total, limit) =
            if untouched { (self.untouched, MOST_UNTOUCHED) } else { (self.mapped, self.limit) };
        let total = total.saturating_add(size);
        if total > limit || (!untouched && size.saturating_add(self.journal.kept()) > self.spare()) {
            return Err(MemoryError::Limit { limit: self.limit });
        }
        self.cost.pages_seen(&pages);
        if let Some(page) = pages.clone().find(|&p| self.region.flags(p).contains(PageFlags::MAPPED)) {
            return Err(MemoryError::Occupied { addr: page * PAGE });
        }
        // Under a snapshot new pages are born dirty: undoing the mapping is all that they need.
        let dirty = if self.journal.active() { PageFlags::DIRTY } else { PageFlags::empty() };
        let kind = if untouched { PageFlags::UNTOUCHED } else { PageFlags::empty() };
        let (flags, count) = (PageFlags::from(perm) | dirty | kind, pages.end - pages.start);
        let file = if let Contents::File(file, offset) = contents { Some((file, offset)) } else { None };
        self.region.commit(pages.start, count, flags, file)?;
        *(if untouched { &mut self.untouched } else { &mut self.mapped }) = total;
        self.journal.mapped(pages.clone());
        if let Contents::Bytes(bytes) = contents { self.poke(pages.start * PAGE, bytes) } else { Ok(()) }
    }

    /// The pages of a range that these contents fit into, and how many bytes they have.
    fn room(&self, range: &Range<u64>, contents: Contents<'_>) -> Result<(Range<u64>, u64), MemoryError> {
        let pages = self.pages(range)?;
        let room = (pages.end - pages.start) * PAGE;
        match contents {
            Contents::Bytes(bytes) if bytes.len() as u64 > room => {
                Err(MemoryError::TooMuch { len: bytes.len() as u64, room })
            }
            _ => Ok((pages, room)),
        }
    }

    /// Changes the permissions of mapped pages.
    ///
    /// # Errors
    /// [`MemoryError::NotMapped`] where a page of the range is not mapped, [`MemoryError::Limit`] where pages that
    /// could not be written would be too many, [`MemoryError::Lent`] while some of the memory is lent.
    pub fn protect(&mut self, range: Range<u64>, perm: Perm) -> Result<(), MemoryError> {
        self.must_not_be_lent()?;
        let pages = self.mapped_pages(&range)?;
        self.cost.pages_changed(&pages);
        let untouched = if self.untouched == 0 { 0 } else { self.count(&pages, PageFlags::UNTOUCHED) };
        let gets_memory = untouched > 0 && perm.contains(Perm::WRITE);
        if gets_memory && self.mapped.saturating_add(untouched * PAGE) > self.limit {
            return Err(MemoryError::Limit { limit: self.limit });
        }
        self.journal.before_protect(&self.region, pages.clone());
        self.tell_code(pages.clone());
        if gets_memory {
            self.take_from_untouched(untouched);
        }
        if untouched == 0 || gets_memory {
            return self.region.protect(pages.start, pages.end - pages.start, perm.into());
        }
        for page in pages {
            let kind = self.region.flags(page) & PageFlags::UNTOUCHED;
            self.region.protect(page, 1, PageFlags::from(perm) | kind)?;
        }
        Ok(())
    }

    /// Maps a range in the place of whatever is mapped there.
    ///
    /// # Errors
    /// As [`Memory::map`]. What was there is gone then, unless the range or the contents were refused as such.
    pub fn replace(
        &mut self,
        range: Range<u64>,
        perm: Perm,
        contents: Contents<'_>,
    ) -> Result<(), MemoryError> {
        self.room(&range, contents)?;
        self.unmap(range.clone())?;
        self.map(range, perm, contents)
    }

    /// Unmaps what is mapped in a range.
    ///
    /// # Errors
    /// When the range leaves the space, the host refuses, or some of the memory is lent.
    pub fn unmap(&mut self, range: Range<u64>) -> Result<(), MemoryError> {
        self.must_not_be_lent()?;
        let mut pages = self.pages(&range)?;
        self.cost.pages_seen(&pages);
        while let Some(first) = pages.find(|&p| self.is_mapped(p)) {
            let end = (first + 1..pages.end).find(|&p| !self.is_mapped(p)).unwrap_or(pages.end);
            self.cost.pages_changed(&(first..end));
            let untouched =
                if self.untouched == 0 { 0 } else { self.count(&(first..end), PageFlags::UNTOUCHED) };
            self.journal.before_unmap(&self.region, first..end);
            self.tell_code(first..end);
            self.region.decommit(first, end - first)?;
            self.untouched = self.untouched.saturating_sub(untouched * PAGE);
            self.mapped = self.mapped.saturating_sub((end - first - untouched) * PAGE);
            pages.start = end;
        }
        Ok(())
    }

    /// Makes the mapped pages of a range zero, as new ones are, and gives what they held back to the host.
    ///
    /// # Errors
    /// When the range leaves the space, the host refuses, or some of the memory is lent.
    pub fn discard(&mut self, range: Range<u64>) -> Result<(), MemoryError> {
        self.must_not_be_lent()?;
        let mut pages = self.pages(&range)?;
        let mapped = pages.clone().filter(|&p| self.is_mapped(p)).collect::<Vec<_>>();
        mapped.into_iter().for_each(|page| self.touch(page, 0, PAGE as usize));
        self.cost.pages_changed(&pages);
        while let Some(first) = pages.find(|&p| self.is_mapped(p)) {
            let flags = self.region.flags(first);
            let end = (first + 1..pages.end).find(|&p| self.region.flags(p) != flags).unwrap_or(pages.end);
            self.region.commit(first, end - first, flags, None)?;
            pages.start = end;
        }
        Ok(())
    }

    /// The host writes to a page that the guest could not write.
    pub(super) fn gets_memory(&mut self, page: u64, flags: PageFlags) {
        self.journal.before_protect(&self.region, page..page + 1);
        if self.region.protect(page, 1, flags - PageFlags::UNTOUCHED).is_ok() {
            self.take_from_untouched(1);
        }
    }

    /// So many pages have memory from now on.
    fn take_from_untouched(&mut self, pages: u64) {
        self.untouched = self.untouched.saturating_sub(pages * PAGE);
        self.mapped = self.mapped.saturating_add(pages * PAGE);
    }

    fn count(&self, pages: &Range<u64>, flag: PageFlags) -> u64 {
        pages.clone().filter(|&page| self.region.flags(page).contains(flag)).count() as u64
    }
}
