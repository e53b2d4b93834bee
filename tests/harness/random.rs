//! Random numbers and operands, the same ones for the same seed, with the edges of every format among them.

/// A generator (SplitMix64): small, fast, good enough to choose operands.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

/// Integers at which carries, signs and shift counts change.
const INTEGERS: [u64; 24] = [
    0,
    1,
    2,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    i64::MIN as u64,
];

/// Edges of binary32: zeros, denormals, the smallest and largest numbers, infinities, NaNs of all kinds.
const SINGLES: [u32; 20] = [
    0,
    1,
    0x7f_ffff,
    0x80_0000,
    0x80_0001,
    0x3f80_0000,
    0x3f7f_ffff,
    0x3f00_0000,
    0x3fc0_0000,
    0x4040_0000,
    0x4b00_0001,
    0x4eff_ffff,
    0x4f00_0000,
    0x5f00_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0x7fc0_0000,
    0x7fc1_2345,
    0x7f80_0001,
    0x7fa5_5555,
];

/// Edges of binary64.
const DOUBLES: [u64; 21] = [
    0,
    1,
    0xf_ffff_ffff_ffff,
    0x10_0000_0000_0000,
    0x10_0000_0000_0001,
    0x3ff0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x3fe0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4008_0000_0000_0000,
    0x4330_0000_0000_0001,
    0x41df_ffff_ffc0_0000,
    0x41e0_0000_0000_0000,
    0x43df_ffff_ffff_ffff,
    0x43e0_0000_0000_0000,
    0x380f_ffff_ffff_ffff,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff4_5555_5555_5555,
];

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// An integer: an edge, its negative, or any.
    pub fn integer(&mut self) -> u64 {
        match self.below(4) {
            0 => self.pick(&INTEGERS),
            1 => self.pick(&INTEGERS).wrapping_neg(),
            2 => self.bits() >> self.below(64),
            _ => self.bits(),
        }
    }

    /// A binary32: an edge, one near 1, a small integer, or any.
    pub fn single(&mut self) -> u32 {
        let sign = (self.bits() as u32) & 0x8000_0000;
        let fraction = (self.bits() as u32) & 0x7f_ffff;
        sign | match self.below(5) {
            0 | 1 => self.pick(&SINGLES),
            2 => ((110 + self.below(40) as u32) << 23) | fraction,
            3 => (self.below(2000) as f32).to_bits(),
            _ => ((self.below(256) as u32) << 23) | fraction,
        }
    }

    /// A binary64, as [`Random::single`].
    pub fn double(&mut self) -> u64 {
        let sign = self.bits() & 1 << 63;
        let fraction = self.bits() & 0xf_ffff_ffff_ffff;
        sign | match self.below(5) {
            0 | 1 => self.pick(&DOUBLES),
            2 => ((1000 + self.below(60)) << 52) | fraction,
            3 => (self.below(2000) as f64).to_bits(),
            _ => (self.below(2048) << 52) | fraction,
        }
    }

    /// An 80-bit number: one that operations give, mostly.
    pub fn extended(&mut self) -> u128 {
        let sign = (self.bits() as u16) & 0x8000;
        let leading = 1 << 63;
        let (exponent, significand) = match self.below(8) {
            0 => (0, 0),
            1 => (0x7fff, self.pick(&[leading, leading | 1 << 62, leading | 1 << 62 | 5, leading | 5])),
            2 => (0, self.bits() >> 1),
            3 => (self.pick(&[1, 0x7ffe, 0x3fff, 0x3c01]), self.bits() | leading),
            4 => (0x3fff + self.below(64) as u16, leading | self.bits() << 40),
            5 => (self.bits() as u16 & 0x7fff, self.bits()),
            _ => (0x3fff - 40 + self.below(110) as u16, self.bits() | leading),
        };
        u128::from(sign | exponent) << 64 | u128::from(significand)
    }

    /// One lane of a vector register: floats, integers or bytes.
    pub fn lane(&mut self) -> u128 {
        let (low, high) = match self.below(5) {
            0 => (self.integer(), self.integer()),
            1 => (self.double(), self.double()),
            2 => (self.single_pair(), self.single_pair()),
            3 => (self.bits() & self.bits() & self.bits(), self.bits() | self.bits()),
            _ => (self.bits(), self.bits()),
        };
        u128::from(high) << 64 | u128::from(low)
    }

    fn single_pair(&mut self) -> u64 {
        u64::from(self.single()) << 32 | u64::from(self.single())
    }
}
