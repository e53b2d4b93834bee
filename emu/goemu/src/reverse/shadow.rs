//! Which registers and bytes of memory hold what is known.

use std::ops::Range;

use rustc_hash::FxHashMap;

/// Registers that are always known: RSP, and where arguments come in registers R14 (g) and X15 (zero).
pub(super) fn fixed(register_abi: bool) -> u32 {
    if register_abi { 1 << 4 | 1 << 14 | 1 << 31 } else { 1 << 4 }
}

/// Registers and flags of which nothing is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// Those that are unknown: see [`super::effects::bit`].
    pub(super) unknown: u32,
    pub(super) flags_unknown: bool,
}

impl Registers {
    pub(super) fn set(&mut self, registers: u32, known: bool) {
        if known {
            self.unknown &= !registers;
        } else {
            self.unknown |= registers;
        }
    }
}

/// Bytes of memory of which nothing is known: those of a function's frame until it writes them, no others until something
/// unknown is written there.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    frame: Range<u64>,
    /// By words, which bytes are not as they are where nothing was written.
    changed: FxHashMap<u64, u8>,
    /// What words had before, oldest first.
    log: Vec<(u64, u8)>,
}

impl Bytes {
    pub(super) fn new(frame: Range<u64>) -> Bytes {
        Bytes { frame, ..Bytes::default() }
    }

    pub(super) fn frame(&self) -> Range<u64> {
        self.frame.clone()
    }

    /// The unknown bytes of a word.
    fn unknown(&self, word: u64) -> u8 {
        let changed = self.changed.get(&word).copied().unwrap_or(0);
        if self.frame.contains(&word) { !changed } else { changed }
    }

    /// Whether all these bytes are known.
    pub(super) fn are_known(&self, addr: u64, len: u64) -> bool {
        words(addr, len).all(|(word, mask)| self.unknown(word) & mask == 0)
    }

    pub(super) fn set(&mut self, addr: u64, len: u64, known: bool) {
        for (word, mask) in words(addr, len) {
            let before = self.changed.get(&word).copied().unwrap_or(0);
            let after = if known == self.frame.contains(&word) { before | mask } else { before & !mask };
            if before != after {
                self.log.push((word, before));
                self.changed.insert(word, after);
            }
        }
    }

    /// A moment to go back to.
    pub(super) fn moment(&self) -> usize {
        self.log.len()
    }

    pub(super) fn go_back_to(&mut self, moment: usize) {
        while self.log.len() > moment {
            if let Some((word, before)) = self.log.pop() {
                self.changed.insert(word, before);
            }
        }
    }
}

/// The words that have these bytes, and which of each.
fn words(addr: u64, len: u64) -> impl Iterator<Item = (u64, u8)> {
    let end = addr.saturating_add(len);
    (addr & !7..end).step_by(8).map(move |word| {
        let (from, to) = (addr.max(word) - word, (end - word).min(8));
        (word, (0xff_u8 << from) & (0xff_u8 >> (8 - to)))
    })
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn frames_are_unknown_until_they_are_written() {
        let mut bytes = Bytes::new(0x1000..0x2000);
        assert!(bytes.are_known(0x2000, 64) && !bytes.are_known(0x1ffc, 8));
        bytes.set(0x1003, 7, true);
        assert!(bytes.are_known(0x1003, 7) && !bytes.are_known(0x1002, 2) && !bytes.are_known(0x1009, 2));
        let moment = bytes.moment();
        bytes.set(0x1008, 1, false);
        bytes.set(0x3000, 2, false);
        assert!(!bytes.are_known(0x1003, 7) && !bytes.are_known(0x3001, 1) && bytes.are_known(0x3002, 1));
        bytes.go_back_to(moment);
        assert!(bytes.are_known(0x1003, 7) && bytes.are_known(0x3000, 8));
    }
}
