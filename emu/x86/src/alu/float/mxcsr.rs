//! MXCSR: how SSE and AVX round, and which exceptions they have met. Intel SDM volume 1, section 10.2.3.

/// Control and status of SSE, bit for bit as LDMXCSR loads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mxcsr(pub u32);

/// Which of the two neighbours an inexact result becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The nearer one, the even one of two equally near.
    Nearest,
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// Towards zero.
    Zero,
}

impl Rounding {
    /// The two-bit field RC of MXCSR, of the x87 control word and of immediates.
    pub const fn from_field(field: u32) -> Rounding {
        match field & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Down,
            2 => Rounding::Up,
            _ => Rounding::Zero,
        }
    }
}

impl Default for Mxcsr {
    fn default() -> Self {
        Mxcsr::DEFAULT
    }
}

impl Mxcsr {
    /// The state after reset: all exceptions masked, round to nearest.
    pub const DEFAULT: Mxcsr = Mxcsr(0x1f80);
    /// The bits that exist; LDMXCSR of any other faults.
    pub const VALID: u32 = 0xffff;
    /// All six exception flags.
    pub const FLAGS: u32 = 0x3f;
    /// Invalid operation.
    pub const IE: u32 = 1;
    /// Denormal operand.
    pub const DE: u32 = 2;
    /// Division by zero.
    pub const ZE: u32 = 4;
    /// Overflow.
    pub const OE: u32 = 8;
    /// Underflow.
    pub const UE: u32 = 16;
    /// Inexact result.
    pub const PE: u32 = 32;
    /// The exceptions that are found before anything is computed.
    pub const BEFORE: u32 = Mxcsr::IE | Mxcsr::DE | Mxcsr::ZE;
    /// Denormal operands count as zero.
    pub const DAZ: u32 = 64;
    /// Results that would be denormal become zero.
    pub const FTZ: u32 = 1 << 15;

    /// Not a bit of the register: the instruction counts for more than others, because a number below the normal ones was an operand that
    /// is not taken for zero, or a result before it was flushed, which processors compute slowly (the exceptions say as much, but
    /// stay set); or because it takes as long here, and no other engine carries it out.
    pub const SLOW: u32 = 1 << 31;

    /// Adds exception flags; they stay until the guest clears them.
    #[inline]
    pub const fn raise(&mut self, flags: u32) {
        self.0 |= flags;
    }

    /// How results are rounded.
    #[inline]
    pub const fn rounding(self) -> Rounding {
        Rounding::from_field(self.0 >> 13)
    }

    /// The same state with another rounding; flags raised in it are for the caller to bring back.
    pub const fn with_rounding(self, rounding: Rounding) -> Mxcsr {
        Mxcsr(self.0 & !(3 << 13) | (rounding as u32) << 13)
    }

    #[inline]
    pub(super) const fn nearest(self) -> bool {
        self.0 & 3 << 13 == 0
    }

    #[inline]
    pub(super) const fn inexact_noted(self) -> bool {
        self.0 & Mxcsr::PE != 0
    }

    pub(super) const fn daz(self) -> bool {
        self.0 & Mxcsr::DAZ != 0
    }

    /// Flushing happens only while underflow is masked.
    pub(super) const fn ftz(self) -> bool {
        self.0 & Mxcsr::FTZ != 0 && self.masks(Mxcsr::UE)
    }

    /// Whether an exception is masked: noted only, and given its default result.
    pub const fn masks(self, flag: u32) -> bool {
        self.0 >> 7 & flag == flag
    }

    /// The flags among `raised` that the guest wants to fault on.
    pub const fn unmasked(self, raised: u32) -> u32 {
        raised & Mxcsr::FLAGS & !(self.0 >> 7)
    }
}
