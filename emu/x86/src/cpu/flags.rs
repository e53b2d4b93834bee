//! The arithmetic flags.
//!
//! Most instructions set all flags and most flags are never read, so [`Flags`] stores their sources:
//! the last result and the carries out of its bits. Setting them is a handful of instructions
//! without a branch; each flag is computed when it is read. (Bochs stores its flags this way.)

use bitflags::bitflags;
use iced_x86::ConditionCode;

bitflags! {
    /// RFLAGS, bit by bit, as PUSHF stores them (SDM volume 1, 3.4.3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Rflags: u64 {
        /// Carry.
        const CF = 1;
        /// Parity: the low byte of the result has an even number of ones.
        const PF = 1 << 2;
        /// Carry out of bit 3.
        const AF = 1 << 4;
        /// Zero.
        const ZF = 1 << 6;
        /// Sign.
        const SF = 1 << 7;
        /// String instructions count down.
        const DF = 1 << 10;
        /// Signed overflow.
        const OF = 1 << 11;
        /// The flags that arithmetic sets.
        const ARITHMETIC = 0x8d5;
    }
}

/// The six arithmetic flags, not yet computed.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    /// The last result, sign-extended: ZF, SF, and PF from its low byte.
    result: u64,
    /// Bit 31: carry out of the top bit (CF). Bit 30: carry into it, so that OF is the two xored.
    /// Bit 3: carry out of bit 3 (AF). Bits 8 to 15 are xored to the byte of PF, bit 0 to SF: they
    /// are 0 except where flags were loaded as such.
    carries: u32,
}

const CF: u32 = 1 << 31;
const CARRY_IN: u32 = 1 << 30;
const AF: u32 = 1 << 3;
const SF_DELTA: u32 = 1;
const PF_SHIFT: u32 = 8;

impl Default for Flags {
    fn default() -> Flags {
        Flags::from_rflags(Rflags::empty())
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Flags) -> bool {
        self.rflags() == other.rflags()
    }
}

impl Flags {
    /// After an addition or subtraction of `bits` bits: the result, sign-extended to 64 bits, and for
    /// each bit whether there was a carry (borrow) out of it.
    #[inline(always)]
    pub fn of_sum(result: u64, carries: u64, bits: u32) -> Flags {
        let top = if bits == 64 { (carries >> 32) as u32 } else { (carries as u32) << (32 - bits) };
        Flags { result, carries: (top & (CF | CARRY_IN)) | (carries as u32 & AF) }
    }

    /// After a logical operation: no carries. The result is sign-extended to 64 bits.
    #[inline(always)]
    pub fn of_result(result: u64) -> Flags {
        Flags { result, carries: 0 }
    }

    /// CF and OF replaced.
    #[inline(always)]
    pub fn with_carry_overflow(self, cf: bool, of: bool) -> Flags {
        let top = (u32::from(cf) << 31) | (u32::from(cf ^ of) << 30);
        Flags { carries: (self.carries & !(CF | CARRY_IN)) | top, ..self }
    }

    /// PF cleared, of flags that follow from a result.
    #[inline(always)]
    pub fn without_parity(self) -> Flags {
        let even = (self.result as u8).count_ones() & 1 ^ 1;
        Flags { carries: self.carries | even << 8, ..self }
    }

    /// CF replaced.
    #[inline(always)]
    pub fn with_carry(self, cf: bool) -> Flags {
        self.with_carry_overflow(cf, self.of())
    }

    /// ZF replaced, the other flags kept.
    pub fn with_zero(self, zf: bool) -> Flags {
        let mut flags = self.rflags();
        flags.set(Rflags::ZF, zf);
        Flags::from_rflags(flags)
    }

    /// CF
    #[inline(always)]
    pub fn cf(self) -> bool {
        self.carries & CF != 0
    }

    /// OF
    #[inline(always)]
    pub fn of(self) -> bool {
        (self.carries ^ (self.carries << 1)) & CF != 0
    }

    /// ZF
    #[inline(always)]
    pub fn zf(self) -> bool {
        self.result == 0
    }

    /// SF
    #[inline(always)]
    pub fn sf(self) -> bool {
        (self.result >> 63) as u32 ^ (self.carries & SF_DELTA) != 0
    }

    /// AF
    #[inline(always)]
    pub fn af(self) -> bool {
        self.carries & AF != 0
    }

    /// PF
    #[inline(always)]
    pub fn pf(self) -> bool {
        ((self.result as u8) ^ (self.carries >> PF_SHIFT) as u8).count_ones().is_multiple_of(2)
    }

    /// The flags as RFLAGS has them; other bits are 0.
    pub fn rflags(self) -> Rflags {
        let mut flags = Rflags::empty();
        flags.set(Rflags::CF, self.cf());
        flags.set(Rflags::PF, self.pf());
        flags.set(Rflags::AF, self.af());
        flags.set(Rflags::ZF, self.zf());
        flags.set(Rflags::SF, self.sf());
        flags.set(Rflags::OF, self.of());
        flags
    }

    /// The arithmetic flags of an RFLAGS value.
    pub fn from_rflags(flags: Rflags) -> Flags {
        // A result that is zero or not, as ZF wants; its byte is 0, of even parity, its sign is 0.
        let result = if flags.contains(Rflags::ZF) { 0 } else { 1 << 32 };
        let odd = u32::from(!flags.contains(Rflags::PF));
        let sign = u32::from(flags.contains(Rflags::SF)) * SF_DELTA;
        let carries = sign | (odd << PF_SHIFT) | (u32::from(flags.contains(Rflags::AF)) * AF);
        Flags { result, carries }.with_carry_overflow(flags.contains(Rflags::CF), flags.contains(Rflags::OF))
    }

    /// Whether a condition holds: Jcc, SETcc and CMOVcc read flags through this alone.
    #[inline(always)]
    pub fn holds(self, condition: ConditionCode) -> bool {
        match condition {
            ConditionCode::None => true,
            ConditionCode::o => self.of(),
            ConditionCode::no => !self.of(),
            ConditionCode::b => self.cf(),
            ConditionCode::ae => !self.cf(),
            ConditionCode::e => self.zf(),
            ConditionCode::ne => !self.zf(),
            ConditionCode::be => self.cf() | self.zf(),
            ConditionCode::a => !(self.cf() | self.zf()),
            ConditionCode::s => self.sf(),
            ConditionCode::ns => !self.sf(),
            ConditionCode::p => self.pf(),
            ConditionCode::np => !self.pf(),
            ConditionCode::l => self.sf() ^ self.of(),
            ConditionCode::ge => !(self.sf() ^ self.of()),
            ConditionCode::le => self.zf() | (self.sf() ^ self.of()),
            ConditionCode::g => !(self.zf() | (self.sf() ^ self.of())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_flags_survives() {
        for bits in 0..64_u64 {
            let flag = |n: u32, f: Rflags| if bits >> n & 1 == 1 { f } else { Rflags::empty() };
            let flags = flag(0, Rflags::CF)
                | flag(1, Rflags::PF)
                | flag(2, Rflags::AF)
                | flag(3, Rflags::ZF)
                | flag(4, Rflags::SF)
                | flag(5, Rflags::OF);
            assert_eq!(Flags::from_rflags(flags).rflags(), flags);
            let carry = Flags::from_rflags(flags).with_carry(true).rflags();
            assert_eq!(carry, flags | Rflags::CF);
            assert_eq!(Flags::from_rflags(flags).with_zero(false).rflags(), flags - Rflags::ZF);
        }
    }
}
