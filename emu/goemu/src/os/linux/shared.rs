//! Files that are mapped and shared (`MAP_SHARED`): memory shows what is written to the file, and the file gets what is written to
//! memory. Each mapping has memory of its own: what a call has changed in a file is copied into it, and what the program has changed in
//! it into the file, before a call looks at that.

use std::ops::Range;

use super::disk::Id;
use super::{Kernel, clock, errno};
use crate::hook::{HookContext, HookError};

/// Mappings at most.
const MOST: usize = 1024;
/// Bytes that are compared for one of fuel.
const BYTES_OF_FUEL: u64 = 16;
/// What looking at the mappings takes, in instructions.
const LOOK: u64 = 32;
/// Bytes that are compared at a time.
const PIECE: usize = 1 << 16;

/// One mapping.
#[derive(Clone, Debug)]
struct Mapping {
    range: Range<u64>,
    id: Id,
    /// Where it begins in the file.
    offset: u64,
    /// Whether the program may write to it.
    writes: bool,
}

impl Mapping {
    /// The bytes of the file, to the end of a page.
    fn part(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.range.end - self.range.start)
    }

    fn hits(&self, range: &Range<u64>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }
}

/// The mappings.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Vec<Mapping>);

impl Shared {
    /// Whether the program may have written to memory what a call that looks at files must find there.
    pub(super) fn is_written(&self) -> bool {
        self.0.iter().any(|mapping| mapping.writes)
    }

    /// Whether a range has a part of a mapping in it.
    pub(super) fn hits(&self, range: &Range<u64>) -> bool {
        self.in_range(range).next().is_some()
    }

    /// Whether a range has a part of a mapping in it that was not made to be written: what came to be written there would not reach the file.
    pub(super) fn is_read_only(&self, range: &Range<u64>) -> bool {
        self.in_range(range).any(|mapping| !mapping.writes)
    }

    fn in_range(&self, range: &Range<u64>) -> impl Iterator<Item = &Mapping> {
        self.0.iter().filter(|mapping| mapping.hits(range))
    }

    /// Whether a part of a file can be mapped so. Two mappings of the same bytes would have to be the same memory if one is written to,
    /// and each page has memory of its own.
    pub(super) fn check(&self, id: Id, part: &Range<u64>, writes: bool) -> Result<(), i64> {
        if self.0.len() >= MOST {
            return Err(errno::ENOMEM);
        }
        let clash = |mapping: &Mapping| {
            let own = mapping.part();
            mapping.id == id
                && (writes || mapping.writes)
                && part.start.max(own.start) < part.end.min(own.end)
        };
        if self.0.iter().any(clash) { Err(errno::ENODEV) } else { Ok(()) }
    }
}

/// Notes a mapping that was made.
pub(super) fn add(kernel: &mut Kernel, range: Range<u64>, (id, offset): (Id, u64), writes: bool) {
    kernel.shared.0.push(Mapping { range, id, offset, writes });
    kernel.disk().watch(id, true);
}

/// A range is no longer mapped as it was.
pub(super) fn remove(kernel: &mut Kernel, gone: &Range<u64>) {
    let (hits, rest) =
        std::mem::take(&mut kernel.shared.0).into_iter().partition(|mapping: &Mapping| mapping.hits(gone));
    kernel.shared.0 = rest;
    for mapping in hits {
        let Mapping { range, id, offset, writes } = mapping;
        for left in [range.start..gone.start, gone.end..range.end] {
            if left.start < left.end {
                add(kernel, left.clone(), (id, offset + (left.start - range.start)), writes);
            }
        }
        kernel.disk().watch(id, false);
    }
}

/// Copies into files what the program has written to memory. What lies behind the end of a file is lost.
pub(super) fn store(kernel: &mut Kernel, cx: &mut HookContext<'_>) {
    let now = clock::wall(cx);
    cx.memory.charge(LOOK + kernel.shared.0.len() as u64);
    let written: Vec<_> = kernel.shared.0.iter().filter(|mapping| mapping.writes).cloned().collect();
    for Mapping { range, id, offset, .. } in written {
        let Ok(contents) = kernel.disk().contents(id) else { continue };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.len());
        let size = ((range.end - range.start) as usize).min(contents.len() - from);
        cx.memory.charge(size as u64 / BYTES_OF_FUEL);
        // Nobody else may have the contents while they are written.
        drop(contents);
        let mut bytes = vec![0; PIECE.min(size)];
        for at in (0..size).step_by(PIECE) {
            let bytes = &mut bytes[..PIECE.min(size - at)];
            cx.memory.peek(range.start + at as u64, bytes);
            let place = from + at..from + at + bytes.len();
            if kernel.disk().contents(id).is_ok_and(|contents| contents.get(place) != Some(&*bytes)) {
                let _ = kernel.disk().write(id, offset + at as u64, bytes, now);
            }
        }
    }
    // That is in memory already.
    kernel.disk().take_changes();
}

/// Copies into memory what a call has written to files.
pub(super) fn load(kernel: &mut Kernel, cx: &mut HookContext<'_>) -> Result<(), HookError> {
    for (id, changed) in kernel.disk().take_changes() {
        cx.memory.charge(LOOK + kernel.shared.0.len() as u64);
        let mappings: Vec<_> = kernel.shared.0.iter().filter(|mapping| mapping.id == id).cloned().collect();
        for Mapping { range, offset, .. } in mappings {
            let (from, upto) =
                (changed.start.max(offset), changed.end.min(offset + (range.end - range.start)));
            if from >= upto {
                continue;
            }
            let contents = kernel.disk().contents(id).unwrap_or_default();
            cx.memory.charge((upto - from) / BYTES_OF_FUEL);
            for from in (from..upto).step_by(PIECE) {
                let mut bytes = vec![0; PIECE.min((upto - from) as usize)];
                let at = usize::try_from(from).unwrap_or(usize::MAX).min(contents.len());
                let part = &contents[at..(at + bytes.len()).min(contents.len())];
                bytes[..part.len()].copy_from_slice(part);
                cx.memory.poke(range.start + (from - offset), &bytes)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_mappings_are_found() {
        let mapping = |range, writes| Mapping { range, id: 1, offset: 0, writes };
        let shared = Shared(vec![mapping(0x1000..0x3000, false), mapping(0x5000..0x6000, true)]);
        assert!(shared.hits(&(0x2000..0x4000)) && shared.is_read_only(&(0x2000..0x4000)));
        assert!(shared.hits(&(0x5000..0x6000)) && !shared.is_read_only(&(0x5000..0x6000)));
        assert!(!shared.hits(&(0x3000..0x5000)));
    }

    /// Parts of one file that have no byte in common may be mapped, written to or not; others only to be read.
    #[test]
    fn a_file_is_mapped_more_than_once() {
        let mapping = |offset, writes| Mapping { range: 0x1_0000..0x1_2000, id: 1, offset, writes };
        let shared = Shared(vec![mapping(0, true), mapping(0x4000, false)]);
        for (id, part, writes, can) in [
            (1, 0x2000..0x4000, true, true),
            (1, 0x6000..0x7000, true, true),
            (1, 0x1000..0x3000, false, false),
            (1, 0x0000..0x1000, true, false),
            (1, 0x4000..0x6000, false, true),
            (1, 0x5000..0x6000, true, false),
            (2, 0x0000..0x1000, true, true),
        ] {
            assert_eq!(shared.check(id, &part, writes).is_ok(), can, "{id} {part:x?} {writes}");
        }
    }
}
