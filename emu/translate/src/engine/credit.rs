//! Whether translating is worth it, of all code together: guests that change their code, or leave it as soon as it was entered, cost
//! little more than if they were interpreted. The unit is the time of an interpreted instruction.

use super::Translator;

/// What may be spent before anything has run, and what is saved at most: half a second.
const MOST: i64 = 100_000_000;
/// The part of what is interpreted that may be spent on another try.
const PART: i64 = 8;
/// What a translation takes, and each of its bytes; and each block that is forgotten.
const TRANSLATION: i64 = 8000;
const BYTE: i64 = 30;
const FORGOTTEN: i64 = 100;
/// Entries at an address after which it is left to the interpreter, if they have cost more than they were worth.
const TRIES: u64 = 64;

/// Instructions that are interpreted once translating has cost more than it was worth.
const REST: i64 = 1 << 24;
/// Arrivals for which an address is left to the interpreter, before it is tried again: what follows may have become longer, or entries
/// cheaper. Twice as many each time, up to so many doublings.
const COOL: i32 = 2000;
const MAX_DOUBLINGS: u32 = 12;

/// What was saved, less what was spent.
pub(super) struct Credit(i64);

impl Default for Credit {
    fn default() -> Credit {
        Credit(MOST)
    }
}

impl Credit {
    /// A translation was tried, and gave so many bytes of code.
    pub(super) fn translated(&mut self, bytes: usize) {
        self.spend(TRANSLATION + BYTE * bytes as i64);
    }

    /// So many translated blocks are gone.
    pub(super) fn forgot(&mut self, blocks: usize) {
        self.spend(FORGOTTEN * blocks as i64);
    }

    /// Code was entered for so much, and so many instructions ran.
    pub(super) fn entered(&mut self, cost: i64, ran: i64) {
        self.save(ran - cost);
    }

    /// So many instructions were interpreted.
    pub(super) fn interpreted(&mut self, instructions: i64) {
        self.save(instructions / PART);
    }

    pub(super) fn spend(&mut self, cost: i64) {
        self.save(-cost);
    }

    fn save(&mut self, more: i64) {
        self.0 = self.0.saturating_add(more).min(MOST);
    }

    /// Whether more was spent than saved.
    pub(super) fn is_spent(&self) -> bool {
        self.0 < 0
    }
}

/// What came of entering code at one address.
#[derive(Clone, Copy, Default)]
pub(super) struct Worth {
    pub(super) entered: u64,
    /// Instructions that ran.
    pub(super) ran: u64,
    /// Instructions that it cost.
    cost: i64,
}

impl Worth {
    pub(super) fn add(&mut self, cost: i64, ran: i64) {
        (self.entered, self.ran, self.cost) =
            (self.entered + 1, self.ran + ran.unsigned_abs(), self.cost + cost);
    }

    pub(super) fn is_poor(&self) -> bool {
        self.entered >= TRIES && self.cost > self.ran.cast_signed()
    }
}

impl Translator {
    /// Whether all that was translated and entered has cost more than it was worth: then what is hot is interpreted, too, for a while.
    pub(super) fn rests(&mut self) -> bool {
        let rests = !self.eager && self.credit.is_spent();
        if rests {
            self.cold = REST;
            self.interpreter.set_heat(i32::MAX);
        }
        rests
    }

    /// Whether code at an address is not worth entering.
    pub(super) fn is_poor(&mut self, pc: u64) -> bool {
        let worth = self.worth.get(&pc).copied().unwrap_or_default();
        let poor = !self.eager && worth.is_poor();
        if poor {
            let Worth { entered, ran, .. } = self.worth.remove(&pc).unwrap_or_default();
            self.before = (self.before.0 + ran, self.before.1 + entered);
            let times = self.cooled.entry(pc).or_default();
            self.interpreter.cool(pc, COOL << *times);
            *times = (*times + 1).min(MAX_DOUBLINGS);
        }
        poor
    }
}
