//! pc-value tables: how Go writes a number that changes along a function's code (source line, frame size,
//! index of a stack map ...) as differences (`runtime/symtab.go`, `pcvalue`).

use crate::bytes::{take_uvarint, unzigzag};

/// A run of instructions with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First address after the run; it starts where the one before ends.
    pub(crate) end: u64,
    pub(crate) value: i32,
}

/// The runs of one table in order of address.
#[derive(Clone, Debug)]
pub(crate) struct Runs<'i> {
    rest: &'i [u8],
    pc: u64,
    value: i32,
    first: bool,
}

impl<'i> Runs<'i> {
    /// The runs of the table that `bytes` starts with, for the function whose first address is `entry`.
    pub(crate) fn new(bytes: &'i [u8], entry: u64) -> Runs<'i> {
        Runs { rest: bytes, pc: entry, value: -1, first: true }
    }

    /// Where the next run begins.
    pub(crate) fn start(&self) -> u64 {
        self.pc
    }

    /// The value at `pc`.
    pub(crate) fn value_at(self, pc: u64) -> Option<i32> {
        let mut runs = self;
        if pc < runs.pc {
            return None;
        }
        runs.find(|run| pc < run.end).map(|run| run.value)
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let delta = take_uvarint(&mut self.rest)?;
        if delta == 0 && !self.first {
            return None;
        }
        let length = take_uvarint(&mut self.rest)?;
        if length == 0 {
            // No linker writes empty runs; stopping bounds the work on a damaged table by the code's size.
            return None;
        }
        self.first = false;
        self.value = self.value.wrapping_add(unzigzag(delta));
        self.pc = self.pc.checked_add(length.into())?;
        Some(Run { end: self.pc, value: self.value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value deltas +1 (zigzag 2), +8 (16), -8 (15), then the end.
    const TABLE: &[u8] = &[2, 4, 16, 10, 15, 1, 0, 0xff];

    #[test]
    fn runs_end_where_the_next_begins() {
        let runs: Vec<_> = Runs::new(TABLE, 100).map(|run| (run.end, run.value)).collect();
        assert_eq!(runs, [(104, 0), (114, 8), (115, 0)]);
    }

    #[test]
    fn value_of_an_address() {
        let at = |pc| Runs::new(TABLE, 100).value_at(pc);
        assert_eq!(
            [99, 100, 103, 104, 113, 114, 115].map(at),
            [None, Some(0), Some(0), Some(8), Some(8), Some(0), None]
        );
    }

    #[test]
    fn a_zero_difference_may_come_first() {
        assert_eq!(Runs::new(&[0, 4, 0], 0).value_at(3), Some(-1));
    }

    #[test]
    fn damaged_tables_end() {
        assert_eq!(Runs::new(&[2, 0, 2, 0, 2, 0], 0).count(), 0);
        assert_eq!(Runs::new(&[2], 0).count(), 0);
        assert_eq!(Runs::new(&[2, 4], u64::MAX).count(), 0);
    }
}
