//! Exact arithmetic on finite numbers, and the one place that rounds. It knows neither NaNs nor infinities nor
//! MXCSR; SSE, F16C and x87 all end here.

use super::mxcsr::{Mxcsr, Rounding};

/// What a number is rounded to.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Bits of the significand, the leading one counted.
    pub precision: u32,
    /// Exponent of the smallest normal number.
    pub min_exponent: i32,
    /// Exponent of the largest number.
    pub max_exponent: i32,
}

/// A finite number that is not zero: `significand` times two to the power of `exponent`. After an operation that
/// is not exact the lowest bit stands for "and something more".
#[derive(Clone, Copy, Debug)]
pub struct Real {
    /// The sign.
    pub negative: bool,
    /// Weight of the lowest bit.
    pub exponent: i32,
    /// Not zero.
    pub significand: u128,
}

/// A number that fits its format.
#[derive(Clone, Copy, Debug)]
pub struct Rounded {
    /// The exponent field: 0 for a denormal or zero, one more than the largest for an overflow to infinity.
    pub biased: u32,
    /// The significand with its leading one, if it has one.
    pub significand: u64,
    /// Exceptions, as bits of [`Mxcsr`].
    pub flags: u32,
    /// Smaller than every normal number, after rounding.
    pub tiny: bool,
    /// Rounded away from zero.
    pub up: bool,
}

/// Where the leading one stands in a normalized significand: one bit is left for a carry.
const TOP: u32 = 126;

/// `value >> count`, with every bit that falls out kept in the lowest one.
fn shift_right_sticky(value: u128, count: u32) -> u128 {
    match count {
        0 => value,
        1..=127 => value >> count | u128::from(value << (128 - count) != 0),
        _ => u128::from(value != 0),
    }
}

/// A number with bits cut off.
struct Cut {
    value: u128,
    inexact: bool,
    up: bool,
}

/// `value >> count`, rounded.
fn shift_right_rounded(value: u128, count: u32, negative: bool, rounding: Rounding) -> Cut {
    // Two bits below the result say everything: the half, and whether there is more.
    let scaled = match count {
        0 => return Cut { value, inexact: false, up: false },
        1 => value << 1,
        _ => shift_right_sticky(value, count - 2),
    };
    let (kept, rest) = (scaled >> 2, scaled & 3);
    let up = match rounding {
        Rounding::Nearest => rest == 3 || rest == 2 && kept & 1 == 1,
        Rounding::Down => negative && rest != 0,
        Rounding::Up => !negative && rest != 0,
        Rounding::Zero => false,
    };
    Cut { value: kept + u128::from(up), inexact: rest != 0, up }
}

impl Real {
    /// An integer, unless it is zero.
    pub fn from_integer(negative: bool, magnitude: u64) -> Option<Real> {
        (magnitude != 0).then(|| Real { negative, exponent: 0, significand: magnitude.into() })
    }

    fn normalized(self) -> Real {
        let zeros = self.significand.leading_zeros();
        let (significand, moved) = match zeros {
            0 => (shift_right_sticky(self.significand, 1), 1),
            _ => (self.significand << (zeros - 1), 1 - zeros as i32),
        };
        Real { significand, exponent: self.exponent + moved, ..self }
    }

    /// Exponent of the leading one.
    pub fn magnitude(self) -> i32 {
        self.exponent + 127 - self.significand.leading_zeros() as i32
    }

    /// The same number with the other sign.
    #[must_use]
    pub fn negated(self) -> Real {
        Real { negative: !self.negative, ..self }
    }

    /// The sum; none where it is exactly zero.
    pub fn plus(self, other: Real) -> Option<Real> {
        let (a, b) = (self.normalized(), other.normalized());
        let (a, b) = if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
        let small = shift_right_sticky(b.significand, a.exponent.abs_diff(b.exponent));
        let significand =
            if a.negative == b.negative { a.significand + small } else { a.significand - small };
        (significand != 0).then_some(Real { significand, ..a })
    }

    /// The product of two numbers of at most 64 bits each: exact.
    #[must_use]
    pub fn times(self, other: Real) -> Real {
        Real {
            negative: self.negative != other.negative,
            exponent: self.exponent + other.exponent,
            significand: self.significand.wrapping_mul(other.significand),
        }
    }

    /// The quotient of two numbers of at most 64 bits each, to 96 bits and more.
    #[must_use]
    pub fn over(self, other: Real) -> Real {
        let zeros = self.significand.leading_zeros();
        let dividend = self.significand << zeros;
        let (high, rest) = (dividend / other.significand, dividend % other.significand);
        // The quotient has at least 64 bits; 32 more, and the rest is sticky.
        let rest = rest << 32;
        let (low, rest) = (rest / other.significand, rest % other.significand);
        let quotient = Real { negative: false, exponent: 0, significand: high };
        let spare = quotient.significand.leading_zeros().min(32);
        let low = shift_right_sticky(low << 1 | u128::from(rest != 0), 33 - spare);
        Real {
            negative: self.negative != other.negative,
            exponent: self.exponent - other.exponent - zeros as i32 - spare as i32,
            significand: high << spare | low,
        }
    }

    /// The square root of a positive number, to 70 bits and more.
    #[must_use]
    pub fn root(self) -> Real {
        let mut radicand = self.normalized();
        if radicand.exponent & 1 != 0 {
            radicand = Real {
                significand: shift_right_sticky(radicand.significand, 1),
                exponent: radicand.exponent + 1,
                ..radicand
            };
        }
        let mut root = radicand.significand.isqrt();
        let mut rest = radicand.significand - root * root;
        for _ in 0..8 {
            rest <<= 2;
            root <<= 1;
            let step = root * 2 + 1;
            if rest >= step {
                rest -= step;
                root += 1;
            }
        }
        Real {
            negative: false,
            exponent: radicand.exponent / 2 - 9,
            significand: root << 1 | u128::from(rest != 0),
        }
    }

    /// The nearest integer by `rounding`, as magnitude (`u64::MAX` and more where it does not fit), and whether
    /// something was lost.
    pub fn to_integer(self, rounding: Rounding) -> (u128, bool) {
        if self.exponent >= 0 {
            let fits = self.exponent.unsigned_abs() < self.significand.leading_zeros();
            return if fits { (self.significand << self.exponent, false) } else { (u128::MAX, false) };
        }
        let cut =
            shift_right_rounded(self.significand, self.exponent.unsigned_abs(), self.negative, rounding);
        (cut.value, cut.inexact)
    }

    /// The number of the format that `rounding` chooses, with overflow, underflow and inexact noted.
    pub fn round(self, format: Format, rounding: Rounding) -> Rounded {
        let normal = self.normalized();
        let top = normal.exponent + TOP as i32;
        let drop = TOP + 1 - format.precision;
        let cut = shift_right_rounded(normal.significand, drop, self.negative, rounding);
        let carried = cut.value >> format.precision != 0;
        let top_after = top + i32::from(carried);
        if top_after < format.min_exponent {
            return normal.round_tiny(format, rounding, top, drop);
        }
        let mut flags = if cut.inexact { Mxcsr::PE } else { 0 };
        if top_after > format.max_exponent {
            flags |= Mxcsr::OE | Mxcsr::PE;
            return Rounded { flags, ..overflow(format, self.negative, rounding) };
        }
        let biased = (top_after - format.min_exponent + 1).unsigned_abs();
        let significand = (cut.value >> u32::from(carried)) as u64;
        Rounded { biased, significand, flags, tiny: false, up: cut.up }
    }

    fn round_tiny(self, format: Format, rounding: Rounding, top: i32, drop: u32) -> Rounded {
        let drop = drop.saturating_add(format.min_exponent.abs_diff(top));
        let cut = shift_right_rounded(self.significand, drop, self.negative, rounding);
        let significand = cut.value as u64;
        // It may still round up to the smallest normal number.
        let biased = u32::from(significand >> (format.precision - 1) != 0);
        let flags = if cut.inexact { Mxcsr::PE | Mxcsr::UE } else { 0 };
        Rounded { biased, significand, flags, tiny: true, up: cut.up }
    }
}

/// Infinity or the largest number, whichever the rounding reaches.
fn overflow(format: Format, negative: bool, rounding: Rounding) -> Rounded {
    let to_infinity = match rounding {
        Rounding::Nearest => true,
        Rounding::Down => negative,
        Rounding::Up => !negative,
        Rounding::Zero => false,
    };
    let largest = (format.max_exponent - format.min_exponent + 1).unsigned_abs();
    let significand =
        if to_infinity { 1 << (format.precision - 1) } else { u64::MAX >> (64 - format.precision) };
    Rounded { biased: largest + u32::from(to_infinity), significand, flags: 0, tiny: false, up: to_infinity }
}
