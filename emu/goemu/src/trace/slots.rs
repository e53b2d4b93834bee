//! Results in memory, which are written in parts: which writes leave a value there.

use std::ops::Range;
use std::sync::Arc;

use goemu_loader::{Kind, Type};

use super::words;

/// Bytes of a result whose writes are followed one by one. A larger one has a value where it is written at once.
const FOLLOWED: u64 = 128;

/// Memory in which a function leaves a result.
pub(super) struct Slot<'a> {
    pub(super) func: &'a str,
    /// Which of its results, from 0.
    pub(super) number: usize,
    pub(super) result: &'a str,
    pub(super) ty: &'a Arc<Type>,
    pub(super) addr: u64,
}

impl Slot<'_> {
    pub(super) fn end(&self) -> u64 {
        self.addr.saturating_add(self.ty.size.max(1))
    }

    pub(super) fn name(&self) -> String {
        words::result_of(self.result, self.func)
    }
}

/// What a call has written of a result: a bit for each byte.
#[derive(Default)]
pub(super) struct Writing {
    /// Since the call began.
    ever: u128,
    /// Since the value was whole, on one line.
    now: u128,
    line: u32,
}

impl Writing {
    /// Notes a write by code of this line. None while bytes are left that the call has not written: the result has no
    /// value yet. Otherwise whether the value may be mixed from two: it is whole where all of it was written
    /// at once, for the first time, or by one line.
    pub(super) fn note(&mut self, slot: &Slot<'_>, written: &Range<u64>, line: u32) -> Option<bool> {
        if written.start <= slot.addr && slot.end() <= written.end {
            *self = Writing { ever: u128::MAX, ..Writing::default() };
            return Some(false);
        }
        if slot.ty.size > FOLLOWED {
            return (self.ever == u128::MAX).then_some(true);
        }
        let all = meaning(slot.ty, 0);
        let start = written.start.saturating_sub(slot.addr);
        let bits = bits(start, written.end.saturating_sub(slot.addr).saturating_sub(start)) & all;
        if line != self.line || self.now & bits != 0 {
            self.now = 0;
        }
        let is_first = self.ever & all != all;
        (self.line, self.now, self.ever) = (line, self.now | bits, self.ever | bits);
        if self.ever & all != all {
            return None;
        }
        let is_whole = is_first || self.now == all;
        if is_whole {
            self.now = 0;
        }
        Some(!is_whole)
    }
}

/// The bytes of a value that mean something: those between fields do not.
fn meaning(ty: &Type, at: u64) -> u128 {
    match &ty.kind {
        Kind::Struct(fields) => {
            fields.iter().fold(0, |all, field| all | meaning(&field.ty, at + field.offset))
        }
        Kind::Array { elem, len } if elem.size > 0 => {
            (0..*len.min(&FOLLOWED)).fold(0, |all, n| all | meaning(elem, at + n * elem.size))
        }
        _ => bits(at, ty.size),
    }
}

/// So many bits from this one on.
fn bits(from: u64, count: u64) -> u128 {
    let low = |count: u64| if count < 128 { (1 << count) - 1 } else { u128::MAX };
    low(from.saturating_add(count)) & !low(from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn ty(size: u64, kind: Kind) -> Arc<Type> {
        Arc::new(Type { name: "t".to_owned(), size, align: 8, kind, rtype: None })
    }

    /// What is told of writes (from, to, line) to a result of this type.
    fn told(ty: &Arc<Type>, writes: &[(u64, u64, u32)]) -> Vec<Option<bool>> {
        let slot = Slot { func: "f", number: 0, result: "r", ty, addr: 0x1000 };
        let mut writing = Writing::default();
        let note = |&(from, to, line): &_| writing.note(&slot, &(0x1000 + from..0x1000 + to), line);
        writes.iter().map(note).collect()
    }

    #[test]
    fn a_value_of_two_words_is_told_when_both_are_written() {
        let string = ty(16, Kind::String);
        assert_eq!(told(&string, &[(0, 8, 5), (8, 16, 5)]), [None, Some(false)]);
        // At once; then from another line in two parts; then the length alone, and both again.
        let writes =
            [(0, 16, 5), (8, 16, 7), (0, 8, 7), (8, 16, 8), (0, 8, 9), (8, 16, 9), (8, 16, 9), (8, 16, 9)];
        let known = [false, true, false, true, true, false, true, true];
        assert_eq!(told(&string, &writes), known.map(Some));
    }

    #[test]
    fn bytes_between_fields_are_not_waited_for() {
        let field = |name: &str, size, offset| goemu_loader::Field {
            name: name.to_owned(),
            ty: ty(size, Kind::Int),
            offset,
            embedded: false,
        };
        let padded = ty(24, Kind::Struct(vec![field("a", 1, 0), field("b", 8, 8), field("c", 2, 16)]));
        assert_eq!(told(&padded, &[(0, 1, 1), (16, 18, 2), (8, 16, 3)]), [None, None, Some(false)]);
        let large = ty(4096, Kind::String);
        assert_eq!(told(&large, &[(0, 8, 1), (0, 4096, 1), (8, 16, 2)]), [None, Some(false), Some(true)]);
    }
}
