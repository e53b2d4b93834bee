//! Where things lie in a guest's address space, beside the program itself. Addresses are those of the full space of 2^40 bytes;
//! a host that gives less gets ranges further down ([`Memory::space`](crate::memory::Memory::space)).
//!
//! Nothing is mapped at the first group: a jump there ends up at a hook, or at the machine.

use std::ops::Range;

/// Where a call returns to in a program without `runtime.goexit`.
pub(crate) const RETURN_ADDR: u64 = 0x7e_0000_0000;
/// Where `printpanics` returns to.
pub(crate) const PANIC_PRINTED: u64 = 0x7e_0000_1000;
/// Where `gopark`'s unlock function returns to.
pub(crate) const PARKED: u64 = 0x7e_0000_2000;
/// Where methods return to that are asked for an error's text.
pub(crate) const ERROR_SAID: u64 = 0x7e_0000_3000;
/// Where a goroutine goes on whose send met a channel that was closed.
pub(crate) const SEND_FAILED: u64 = 0x7e_0000_4000;
/// Where deferred calls return to that a panic runs.
pub(crate) const DEFERRED_RETURNED: u64 = 0x7e_0000_5000;
/// The functions of other files: a stub each.
pub(crate) const STUBS: Range<u64> = 0x7e_1000_0000..0x7e_1101_0000;
/// Functions of the host that are values of functions in the guest: a hook each.
pub(crate) const HOST_FUNCTIONS: Range<u64> = 0x7e_2000_0000..0x7e_2001_0000;
/// Linux's page of calls into the kernel that need no switch, at `gettimeofday`. Up to Go 1.15 the clock is read there.
pub(crate) const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;

/// Hooked calls: `g`, `m`, `p` and `g0`; the stacks of goroutines lie above, downwards from [`STACK_END`].
pub(crate) const STRUCTS: u64 = 0x7f_0000_0000;
/// The end of the first stack: of the first goroutine in hooked calls, of the first thread in a started program.
pub(crate) const STACK_END: u64 = 0xbf_0000_0000;
/// Hooked calls: the heap. Go's own arenas begin there as well.
pub(crate) const HEAP: Range<u64> = 0xc0_0000_0000..0xe0_0000_0000;
/// Hooked calls: what the guest maps.
pub(crate) const MAPPINGS: Range<u64> = 0xe0_0000_0000..0x100_0000_0000;

/// Started programs: mappings without a hint. Go's heap gives hints from [`HEAP`] on.
pub(crate) const ANYWHERE: Range<u64> = 0x10_0000_0000..0x70_0000_0000;
/// Started programs: arguments of calls, beside Go's own heap.
pub(crate) const BESIDE: Range<u64> = 0x80_0000_0000..0xb0_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses that hooks stand at have a page each.
    const TRAPS: [u64; 6] = [RETURN_ADDR, PANIC_PRINTED, PARKED, ERROR_SAID, SEND_FAILED, DEFERRED_RETURNED];

    fn overlap(ranges: &[Range<u64>]) -> Option<(&Range<u64>, &Range<u64>)> {
        let pairs = ranges.iter().enumerate().flat_map(|(n, a)| ranges[..n].iter().map(move |b| (a, b)));
        { pairs }.find(|(a, b)| a.start < b.end && b.start < a.end)
    }

    #[test]
    fn nothing_overlaps() {
        let always = || TRAPS.iter().map(|trap| *trap..trap + 0x1000).chain([STUBS, HOST_FUNCTIONS]);
        let hooked: Vec<_> = always().chain([STRUCTS..STACK_END, HEAP, MAPPINGS]).collect();
        assert_eq!(overlap(&hooked), None);
        let first_stack = STACK_END - (1 << 30)..STACK_END;
        let started: Vec<_> = always().chain([ANYWHERE, BESIDE, first_stack, HEAP]).collect();
        assert_eq!(overlap(&started), None);
        assert!(hooked.iter().chain(&started).all(|range| range.end <= 1 << 40 && range.start < range.end));
        const { assert!(VSYSCALL >= 1 << 40, "not in the guest's space") };
    }
}
