//! The process's address space: which ranges are reserved, and which of them have memory.
//!
//! Go reserves far more than it uses. A reservation (PROT_NONE) is a range without memory; memory
//! counts against the machine's limit when it becomes accessible.

use std::ops::Range;
use std::sync::Arc;

use super::disk::Id;
use super::files::flag;
use super::ranges::Ranges;
use super::{Args, Kernel, errno, shared};
use crate::guest::address_map::ANYWHERE;
use crate::hook::{HookContext, HookError};
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};
use crate::os::SyscallReturn;

const MAP_FIXED: u64 = 0x10;
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;
const MADV_DONTNEED: u64 = 4;
const MAP_SHARED: u64 = 1;
const PROT_WRITE: u64 = 2;

/// The address space.
#[derive(Clone)]
pub(super) struct Maps {
    taken: Ranges,
    /// The ranges that have memory.
    usable: Ranges,
    anywhere: Range<u64>,
    space: u64,
    /// C's heap, once it was asked for: where it begins, ends, and can end at most.
    heap: Option<[u64; 3]>,
}

/// What looking behind one range for a free one costs, in instructions.
const STEP: u64 = 8;
/// Ranges that are moved in the time of an instruction.
const RANGES: u64 = 8;
/// What a change of permissions takes beside its pages, with the host's system call.
const PROTECTION: u64 = 500;
/// Bytes of a file that are mapped in the time of an instruction: each page is a fault of the host's, too.
const MAPPED: u64 = 8;
/// Bytes of C's heap at most: what needs more maps it.
const HEAP: u64 = 64 << 20;

impl Maps {
    /// A space of `space` bytes, in which these ranges have memory.
    pub(super) fn new(space: u64, mapped: &[Range<u64>]) -> Maps {
        // On a host with less than 2^40 bytes of space everything is further down.
        let scale = |addr: u64| if space >= 1 << 40 { addr } else { addr >> (40 - space.ilog2()) };
        let mut usable = Ranges::default();
        mapped.iter().filter_map(outwards).for_each(|range| usable.add(&range));
        let anywhere = scale(ANYWHERE.start)..scale(ANYWHERE.end);
        Maps { taken: usable.clone(), usable, anywhere, space, heap: None }
    }

    fn is_free(&self, range: &Range<u64>) -> bool {
        range.start >= PAGE && range.end <= self.space && self.taken.hit(range).is_none()
    }

    /// Charges what changing the lists of ranges takes: what lies behind a change is moved.
    fn charge(&self, memory: &Memory) {
        memory.charge((self.taken.len() + self.usable.len()) as u64 / RANGES);
    }

    /// Where C's heap ends after it was to end at an address.
    fn brk(&mut self, memory: &mut Memory, address: u64) -> u64 {
        if self.heap.is_none() {
            let Some(range) = self.find(memory, HEAP) else { return 0 };
            self.taken.add(&range);
            self.heap = Some([range.start, range.start, range.end]);
        }
        let Some([start, end, most]) = self.heap else { return 0 };
        if !(start..=most).contains(&address) {
            return end;
        }
        let grown = end.next_multiple_of(PAGE)..address.next_multiple_of(PAGE);
        if !grown.is_empty() && self.fill(memory, &grown, Perm::READ | Perm::WRITE).is_err() {
            return end;
        }
        self.heap = Some([start, address, most]);
        address
    }

    /// New memory, anywhere; where it begins.
    pub(super) fn take(&mut self, memory: &mut Memory, size: u64) -> Option<u64> {
        let range = self.find(memory, size)?;
        self.replace(memory, &range, Perm::READ | Perm::WRITE).ok()?;
        Some(range.start)
    }

    /// A free range of this size.
    fn find(&self, memory: &Memory, size: u64) -> Option<Range<u64>> {
        let mut start = self.anywhere.start;
        loop {
            memory.charge(STEP);
            let range = start..start.checked_add(size).filter(|&end| end <= self.anywhere.end)?;
            match self.taken.hit(&range) {
                Some(taken) => start = taken.end,
                None => return Some(range),
            }
        }
    }

    /// Frees the range's memory.
    fn clear(&mut self, memory: &mut Memory, range: &Range<u64>) -> Result<(), MemoryError> {
        let parts = self.usable.within(range);
        self.usable.remove(range);
        parts.into_iter().try_for_each(|part| memory.unmap(part))
    }

    /// Maps memory in the parts of the range that have none.
    fn fill(&mut self, memory: &mut Memory, range: &Range<u64>, perm: Perm) -> Result<(), MemoryError> {
        let mut missing = Ranges::default();
        missing.add(range);
        self.usable.within(range).iter().for_each(|part| missing.remove(part));
        for part in missing.within(range) {
            memory.map(part.clone(), perm, Contents::Zero)?;
            self.usable.add(&part);
        }
        Ok(())
    }

    /// Reserves a range, with new memory if it is accessible.
    fn replace(&mut self, memory: &mut Memory, range: &Range<u64>, perm: Perm) -> Result<(), MemoryError> {
        self.clear(memory, range)?;
        self.taken.add(range);
        if perm.is_empty() { Ok(()) } else { self.fill(memory, range, perm) }
    }
}

/// `mmap(address, size, protection, flags, file, offset)`: memory without a file, a copy of a part of one, or memory that is
/// [shared](shared) with one.
pub(super) fn mmap(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [wish, size, protection, flags, file, offset] = args;
    let contents = if flags & MAP_ANONYMOUS == 0 {
        Some(contents(kernel, file, size, (offset, flags, protection)))
    } else {
        None
    };
    let shares = flags & MAP_SHARED != 0;
    let contents = match contents.transpose() {
        Ok(contents) => contents,
        Err(error) => return Ok(SyscallReturn::Return(-error)),
    };
    let maps = &mut kernel.maps;
    maps.charge(cx.memory);
    let Some(wished) = pages(wish, size) else { return Ok(SyscallReturn::Return(-errno::EINVAL)) };
    let range = if maps.is_free(&wished) {
        Some(wished)
    } else if wished.start < PAGE && flags & MAP_FIXED != 0 {
        // Nil pointers fault.
        return Ok(SyscallReturn::Return(-errno::EPERM));
    } else if flags & MAP_FIXED_NOREPLACE != 0 {
        return Ok(SyscallReturn::Return(-errno::EEXIST));
    } else if flags & MAP_FIXED != 0 {
        Some(wished)
    } else {
        maps.find(cx.memory, wished.end - wished.start)
    };
    let fits = |range: &Range<u64>| range.end <= maps.space && !maps.taken.is_full();
    let Some(range) = range.filter(fits) else { return Ok(SyscallReturn::Return(-errno::ENOMEM)) };
    // Without access there is no memory, so that what a file has is there from the start.
    let protection = if contents.is_some() { protection | 1 } else { protection };
    if maps.replace(cx.memory, &range, perm(protection)).is_err() {
        return Ok(SyscallReturn::Return(-errno::ENOMEM));
    }
    shared::remove(kernel, &range);
    if let Some((id, bytes, part)) = contents {
        cx.memory.charge(part.len() as u64 / MAPPED);
        cx.memory.poke(range.start, &bytes[part])?;
        if shares {
            shared::add(kernel, range.clone(), (id, offset), protection & PROT_WRITE != 0);
        }
    }
    Ok(SyscallReturn::Return(range.start as i64))
}

/// A file that is mapped, what it has, and the part of that.
type Mapped = (Id, Arc<Vec<u8>>, Range<usize>);

/// The file that is mapped, and what the part of it has.
fn contents(
    kernel: &mut Kernel,
    file: u64,
    size: u64,
    (offset, flags, protection): (u64, u64, u64),
) -> Result<Mapped, i64> {
    let id = match kernel.files.node(file) {
        Ok(node) => node.id,
        Err(errno::EINVAL) => return Err(errno::ENODEV),
        Err(error) => return Err(error),
    };
    if flags & MAP_SHARED != 0 {
        let writes = protection & PROT_WRITE != 0;
        if writes && kernel.files.open(file)?.flags & flag::ACCESS != flag::READ_WRITE {
            return Err(errno::EACCES);
        }
        let part = offset..offset.saturating_add(size).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        kernel.shared.check(id, &part, writes)?;
    }
    if !offset.is_multiple_of(PAGE) {
        return Err(errno::EINVAL);
    }
    let contents = kernel.disk().contents(id).map_err(|_| errno::ENODEV)?;
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.len());
    let upto = from.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(contents.len());
    Ok((id, contents, from..upto))
}

/// `munmap(address, size)`
pub(super) fn munmap(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let Some(range) = pages(args[0], args[1]) else { return Ok(SyscallReturn::Return(-errno::EINVAL)) };
    if kernel.maps.taken.is_full() {
        return Ok(SyscallReturn::Return(-errno::ENOMEM));
    }
    kernel.maps.charge(cx.memory);
    shared::remove(kernel, &range);
    kernel.maps.clear(cx.memory, &range)?;
    kernel.maps.taken.remove(&range);
    Ok(SyscallReturn::Return(0))
}

/// `mprotect(address, size, protection)`: a reservation that becomes usable gets its memory here.
pub(super) fn mprotect(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let maps = &mut kernel.maps;
    maps.charge(cx.memory);
    cx.memory.charge(PROTECTION);
    let range = pages(args[0], args[1]).filter(|range| range.end <= maps.space);
    let Some(range) = range else { return Ok(SyscallReturn::Return(-errno::EINVAL)) };
    if args[2] & PROT_WRITE != 0 && kernel.shared.is_read_only(&range) {
        return Ok(SyscallReturn::Return(-errno::EACCES));
    }
    let perm = perm(args[2]);
    if !perm.is_empty() && maps.fill(cx.memory, &range, perm).is_err() {
        return Ok(SyscallReturn::Return(-errno::ENOMEM));
    }
    for part in maps.usable.within(&range) {
        match cx.memory.protect(part, perm) {
            Err(MemoryError::Limit { .. } | MemoryError::Commit { .. }) => {
                return Ok(SyscallReturn::Return(-errno::ENOMEM));
            }
            changed => changed?,
        }
    }
    Ok(SyscallReturn::Return(0))
}

/// `madvise(address, size, advice)`: memory that is not needed reads as zero afterwards, which Go relies on
/// (`runtime.needZeroAfterSysUnused`). Other advice has no effect.
pub(super) fn madvise(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [address, size, advice, ..] = args;
    let Some(range) = pages(address, size) else { return Ok(SyscallReturn::Return(-errno::EINVAL)) };
    // Memory that is shared with a file would have the file's contents again, which it has.
    if advice == MADV_DONTNEED && !kernel.shared.hits(&range) {
        for part in kernel.maps.usable.within(&range) {
            cx.memory.discard(part)?;
        }
    }
    Ok(SyscallReturn::Return(0))
}

/// `msync(address, size, flags)`: what was written to memory is in the file by then.
pub(super) fn msync(_: &mut Kernel, _: &mut HookContext<'_>, args: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(if args[0].is_multiple_of(PAGE) { 0 } else { -errno::EINVAL }))
}

/// `mincore(address, size, to)`: all pages that are mapped are in memory.
pub(super) fn mincore(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    /// Pages that one call is asked for at most.
    const MOST: u64 = 1 << 20;
    let [address, size, to, ..] = args;
    if !address.is_multiple_of(PAGE) {
        return Ok(SyscallReturn::Return(-errno::EINVAL));
    }
    let Some(range) = pages(address, size) else {
        return Ok(SyscallReturn::Return(if size == 0 { 0 } else { -errno::ENOMEM }));
    };
    let count = (range.end - range.start) / PAGE;
    let mapped: u64 = kernel.maps.usable.within(&range).iter().map(|part| part.end - part.start).sum();
    if count > MOST || mapped != range.end - range.start {
        return Ok(SyscallReturn::Return(-errno::ENOMEM));
    }
    cx.memory.charge(count);
    cx.memory.write_bytes(to, &vec![1; count as usize])?;
    Ok(SyscallReturn::Return(0))
}

/// `brk(address)`: the heap of C libraries, which grows as far as there is room for it.
pub(super) fn brk(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(kernel.maps.brk(cx.memory, args[0]) as i64))
}

/// The pages of a range; `None` if it is not a valid range.
fn pages(address: u64, size: u64) -> Option<Range<u64>> {
    let end = address.checked_add(size)?.checked_next_multiple_of(PAGE)?;
    (address.is_multiple_of(PAGE) && size > 0).then_some(address..end)
}

/// A range with its ends rounded outwards to pages.
fn outwards(range: &Range<u64>) -> Option<Range<u64>> {
    let start = range.start / PAGE * PAGE;
    Some(start..range.end.checked_next_multiple_of(PAGE)?).filter(|range| range.start < range.end)
}

fn perm(protection: u64) -> Perm {
    let bits = [(1, Perm::READ), (2, Perm::WRITE), (4, Perm::EXEC)];
    bits.into_iter().filter(|(bit, _)| protection & bit != 0).map(|(_, perm)| perm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_of_c_grows_and_has_a_limit() {
        let mut memory = Memory::new(1 << 20).expect("a space");
        let mut maps = Maps::new(memory.space(), &[]);
        let start = maps.brk(&mut memory, 0);
        assert!(start > 0);
        assert_eq!(maps.brk(&mut memory, start + 0x1801), start + 0x1801);
        assert_eq!(memory.write(start + 0x1ff8, [1; 8]), Ok(()));
        assert_eq!(maps.brk(&mut memory, start + (2 << 20)), start + 0x1801, "more than the guest may have");
        assert_eq!(maps.brk(&mut memory, start + HEAP + 1), start + 0x1801, "more than there is room for");
        assert_eq!(maps.brk(&mut memory, start), start);
        let other = maps.take(&mut memory, PAGE).expect("memory");
        assert!(other >= start + HEAP || other < start, "mappings stay out of it");
    }
}
