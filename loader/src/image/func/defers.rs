//! Deferred calls that a function keeps in its own frame (open-coded defers, Go 1.14 and later), as
//! `FUNCDATA_OpenCodedDeferInfo` describes them.
//!
//! Go sources: `cmd/compile/internal/ssagen/ssa.go` (`emitOpenDeferInfo`), `runtime/panic.go`.

use crate::bytes::take_uvarint64;

use super::Func;

/// So many deferred calls have a bit each in a byte.
const MAX_SLOTS: u64 = 8;
/// Longest description that is read; eight calls with a few arguments take far less.
const MAX_INFO: u64 = 512;
/// Most bytes of arguments, and most arguments of a call, that are believed.
const MAX_ARGS_SIZE: u64 = 1 << 16;
const MAX_ARGS: u64 = 64;

/// Where a function keeps its deferred calls. Distances count downwards from where its local variables end, which is
/// below the saved frame pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenDefers {
    /// Distance of the byte that has a bit for each call that is still to be made; bit 0 is the first slot's.
    pub bits: u64,
    /// The calls, in the order in which they are deferred.
    pub slots: Vec<DeferSlot>,
}

/// A deferred call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeferSlot {
    /// Distance of the closure that is called.
    pub closure: u64,
    /// How many bytes of arguments it takes (Go 1.14 to 1.16; since then the closure has them).
    pub args_size: u64,
    /// The parts of these arguments.
    pub args: Vec<DeferArg>,
}

/// A part of a deferred call's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeferArg {
    /// Distance of its value in the frame.
    pub value: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Where among the arguments it goes.
    pub offset: u64,
}

impl Func<'_> {
    /// Where the function keeps its deferred calls; none where it has no such, or their description is malformed.
    pub fn open_coded_defers(&self) -> Option<OpenDefers> {
        let facts = self.image.facts();
        let addr = self.funcdata(u32::try_from(facts.funcdata.open_defer?).ok()?)?;
        let info: Vec<u8> = (0..MAX_INFO).map_while(|at| self.image.read_u8(addr.checked_add(at)?)).collect();
        let mut info = &info[..];
        if facts.forms().open_defers_in_a_row() {
            return in_a_row(&mut info);
        }
        one_by_one(&mut info, facts.forms().open_defers_have_args())
    }
}

/// The distances of the bits and of the first slot; the others lie above it, one behind the other. Nothing tells how many
/// there are.
fn in_a_row(info: &mut &[u8]) -> Option<OpenDefers> {
    let (bits, first) = (take_uvarint64(info)?, take_uvarint64(info)?);
    let slot = |index| DeferSlot { closure: first.wrapping_sub(8 * index), ..DeferSlot::default() };
    Some(OpenDefers { bits, slots: (0..MAX_SLOTS).map(slot).collect() })
}

/// The distance of the bits, and each slot, the last one first.
fn one_by_one(info: &mut &[u8], have_args: bool) -> Option<OpenDefers> {
    if have_args {
        // The size of the largest arguments.
        take_uvarint64(info)?;
    }
    let (bits, count) = (take_uvarint64(info)?, take_uvarint64(info)?.min(MAX_SLOTS));
    let mut slots: Vec<DeferSlot> = (0..count).map(|_| slot(info, have_args)).collect::<Option<_>>()?;
    slots.reverse();
    Some(OpenDefers { bits, slots })
}

fn slot(info: &mut &[u8], have_args: bool) -> Option<DeferSlot> {
    if !have_args {
        return Some(DeferSlot { closure: take_uvarint64(info)?, ..DeferSlot::default() });
    }
    let (args_size, closure) = (take_uvarint64(info)?.min(MAX_ARGS_SIZE), take_uvarint64(info)?);
    let count = take_uvarint64(info)?.min(MAX_ARGS);
    let mut arg = || {
        let (value, size, offset) = (take_uvarint64(info)?, take_uvarint64(info)?, take_uvarint64(info)?);
        Some(DeferArg { value, size, offset })
    };
    Some(DeferSlot { closure, args_size, args: (0..count).map(|_| arg()).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form() {
        let slot = |closure| DeferSlot { closure, ..DeferSlot::default() };
        assert_eq!(
            one_by_one(&mut &[9, 2, 24, 16][..], false),
            Some(OpenDefers { bits: 9, slots: vec![slot(16), slot(24)] })
        );
        let row = in_a_row(&mut &[9, 0x80, 1][..]).expect("two numbers");
        assert_eq!((row.bits, row.slots.len()), (9, 8));
        assert_eq!((row.slots[0].closure, row.slots[7].closure), (128, 72));
        let with_args = one_by_one(&mut &[16, 9, 1, 16, 40, 1, 56, 8, 0][..], true).expect("a slot");
        let args = vec![DeferArg { value: 56, size: 8, offset: 0 }];
        assert_eq!(with_args.slots, [DeferSlot { closure: 40, args_size: 16, args }]);
    }

    #[test]
    fn what_ends_too_early_is_none() {
        for have_args in [false, true] {
            assert_eq!(one_by_one(&mut &[9, 8, 1][..], have_args), None);
        }
        assert_eq!(in_a_row(&mut &[0xff; 20][..]), None);
        assert_eq!(in_a_row(&mut &[9][..]), None);
    }
}
