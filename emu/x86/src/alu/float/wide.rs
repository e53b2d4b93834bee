//! Numbers of 128 bits of precision, for functions whose results cannot be exact: each operation errs by less than
//! 2^-125 of its result, so that a few dozen of them leave an x87 result nothing to be wrong about but a tie.

use super::real::Real;

/// `significand` times two to the power of `exponent`. The significand's top bit is set, unless it is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide {
    negative: bool,
    exponent: i32,
    significand: u128,
}

const TOP: u128 = 1 << 127;

impl Wide {
    pub(super) const ONE: Wide = Wide::constant(TOP, 0);
    pub(super) const TWO: Wide = Wide::constant(TOP, 1);
    pub(super) const PI: Wide = Wide::constant(0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1, 1);
    pub(super) const LN2: Wide = Wide::constant(0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af, -1);

    /// A positive number by the exponent of its leading one.
    const fn constant(significand: u128, magnitude: i32) -> Wide {
        Wide { negative: false, exponent: magnitude - 127, significand }
    }

    fn new(negative: bool, exponent: i32, significand: u128) -> Wide {
        let zeros = significand.leading_zeros();
        Wide {
            negative,
            exponent: exponent - zeros as i32,
            significand: significand.checked_shl(zeros).unwrap_or(0),
        }
    }

    pub(super) fn integer(n: u32) -> Wide {
        Wide::new(false, 0, n.into())
    }

    pub(super) fn scaled(self, by: i32) -> Wide {
        Wide { exponent: self.exponent + by, ..self }
    }

    /// Exponent of the leading one.
    pub(super) fn magnitude(self) -> i32 {
        self.exponent + 127
    }

    pub(super) fn is_negative(self) -> bool {
        self.negative
    }

    pub(super) fn is_zero(self) -> bool {
        self.significand == 0
    }

    /// Whether the leading 64 bits are at least these, whatever the exponent.
    pub(super) fn leads(self, bits: u64) -> bool {
        self.significand >> 64 >= bits.into()
    }

    pub(super) fn negated(self) -> Wide {
        Wide { negative: !self.negative, ..self }
    }

    pub(super) fn plus(self, other: Wide) -> Wide {
        let key = |x: Wide| (!x.is_zero(), x.exponent, x.significand);
        let (a, b) = if key(self) >= key(other) { (self, other) } else { (other, self) };
        let small = b.significand.checked_shr(a.exponent.abs_diff(b.exponent)).unwrap_or(0);
        if a.negative != b.negative {
            return Wide::new(a.negative, a.exponent, a.significand - small);
        }
        match a.significand.overflowing_add(small) {
            (sum, false) => Wide { significand: sum, ..a },
            (sum, true) => Wide { significand: sum >> 1 | TOP, exponent: a.exponent + 1, ..a },
        }
    }

    pub(super) fn minus(self, other: Wide) -> Wide {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Wide) -> Wide {
        let product = high_product(self.significand, other.significand);
        Wide::new(self.negative != other.negative, self.exponent + other.exponent + 128, product)
    }

    /// The quotient; of a divisor that is zero, zero: callers rule it out.
    pub(super) fn over(self, other: Wide) -> Wide {
        if other.is_zero() {
            return other;
        }
        let (mut rest, mut quotient) = (self.significand >> 1, 0u128);
        for _ in 0..128 {
            let carry = rest & TOP != 0;
            rest <<= 1;
            quotient <<= 1;
            if carry || rest >= other.significand {
                rest = rest.wrapping_sub(other.significand);
                quotient |= 1;
            }
        }
        Wide::new(self.negative != other.negative, self.exponent - other.exponent - 127, quotient)
    }

    fn over_small(self, divisor: u32) -> Wide {
        Wide::new(self.negative, self.exponent, self.significand / u128::from(divisor.max(1)))
    }

    /// As an exact number with "and something more" in its lowest bit; none if it is zero.
    pub(super) fn real(self) -> Option<Real> {
        let Wide { negative, exponent, significand } = self;
        (!self.is_zero()).then_some(Real { negative, exponent, significand: significand | 1 })
    }
}

impl From<Real> for Wide {
    fn from(real: Real) -> Wide {
        Wide::new(real.negative, real.exponent, real.significand)
    }
}

/// The upper half of a product.
fn high_product(a: u128, b: u128) -> u128 {
    let halves = |x: u128| (x >> 64, x & u128::from(u64::MAX));
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    let (cross, low) = (a1 * b0, a0 * b0);
    let middle = (a0 * b1) + (low >> 64);
    let (cross1, cross0) = halves(cross);
    let (middle1, middle0) = halves(middle);
    a1 * b1 + cross1 + middle1 + ((cross0 + middle0) >> 64)
}

/// 1 - y/d(1) (1 - y/d(2) (1 - ...)), to `terms` terms.
pub(super) fn nested(y: Wide, terms: u32, divisor: impl Fn(u32) -> u32) -> Wide {
    (1..=terms).rev().fold(Wide::ONE, |rest, k| Wide::ONE.minus(y.times(rest).over_small(divisor(k))))
}

/// c(0) + y (c(1) + y (c(2) + ...)) with c(k) = 1 / (2k + 1).
pub(super) fn odd_reciprocals(y: Wide, terms: u32) -> Wide {
    let coefficient = |k| Wide::ONE.over_small(2 * k + 1);
    (0..terms).rev().fold(coefficient(terms), |rest, k| coefficient(k).plus(y.times(rest)))
}

/// 1 + 2/3 z (1 + 4/5 z (1 + 6/7 z (1 + ...)))
pub(super) fn euler(z: Wide, terms: u32) -> Wide {
    (1..=terms).rev().fold(Wide::ONE, |rest, k| {
        let factor = Wide::integer(2 * k).over_small(2 * k + 1);
        Wide::ONE.plus(z.times(rest).times(factor))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(x: Wide) -> f64 {
        let magnitude = (x.significand >> 64) as f64 * 2f64.powi(x.exponent + 64);
        if x.negative { -magnitude } else { magnitude }
    }

    #[test]
    fn arithmetic() {
        let [two, three] = [2, 3].map(Wide::integer);
        assert_eq!(value(two.plus(three)), 5.0);
        assert_eq!(value(two.minus(three)), -1.0);
        assert_eq!(value(three.times(three).times(two)), 18.0);
        assert_eq!(value(three.over(two)), 1.5);
        assert!(three.minus(three).is_zero());
        let third = Wide::ONE.over(three);
        assert!(third.times(three).minus(Wide::ONE).magnitude() < -120);
        assert!(Wide::PI.over(Wide::LN2).times(Wide::LN2).minus(Wide::PI).magnitude() < -120);
    }

    #[test]
    fn sums() {
        // e - 1, and pi / 4 by Euler's series for the arc tangent of 1.
        let e = nested(Wide::ONE.negated(), 40, |k| k + 1);
        assert!((value(e) - (std::f64::consts::E - 1.0)).abs() < 1e-15);
        let half = Wide::ONE.scaled(-1);
        let quarter = euler(half, 120).times(half);
        assert!(quarter.minus(Wide::PI.scaled(-2)).magnitude() < -110);
    }
}
