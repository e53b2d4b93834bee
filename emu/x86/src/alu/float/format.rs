//! The interchange formats: fields, classes of numbers, NaNs as x86 makes them.

use super::{
    mxcsr::Mxcsr,
    real::{Format, Real, Rounded},
};

/// A number of an IEEE-754 interchange format, as its bits.
pub trait Float: Copy + PartialEq {
    /// The format.
    const FORMAT: Format;
    /// Width in bits.
    const BITS: u32;
    /// Bits below the exponent field.
    const FRACTION: u32 = Self::FORMAT.precision - 1;
    /// Where the sign stands.
    const SIGN: u64 = 1 << (Self::BITS - 1);
    /// The exponent field of infinities and NaNs.
    const SPECIAL: u64 = (1 << (Self::BITS - Self::FORMAT.precision)) - 1;
    /// The bit that makes a NaN quiet.
    const QUIET: u64 = 1 << (Self::FRACTION - 1);

    /// The bits, in the low part.
    fn bits(self) -> u64;
    /// From the low bits.
    fn from_bits(bits: u64) -> Self;

    /// The exponent field.
    #[inline]
    fn biased(self) -> u64 {
        self.bits() >> Self::FRACTION & Self::SPECIAL
    }

    /// The bits below the exponent field.
    #[inline]
    fn fraction(self) -> u64 {
        self.bits() & ((1 << Self::FRACTION) - 1)
    }

    /// The sign bit.
    #[inline]
    fn negative(self) -> bool {
        self.bits() & Self::SIGN != 0
    }

    /// Plus or minus zero.
    #[inline]
    fn is_zero(self) -> bool {
        self.bits() & !Self::SIGN == 0
    }

    /// Any NaN.
    #[inline]
    fn is_nan(self) -> bool {
        self.bits() & !Self::SIGN > Self::SPECIAL << Self::FRACTION
    }

    /// A NaN that raises the invalid exception.
    fn is_signaling(self) -> bool {
        self.is_nan() && self.bits() & Self::QUIET == 0
    }

    /// Plus or minus infinity.
    fn is_infinite(self) -> bool {
        self.bits() & !Self::SIGN == Self::SPECIAL << Self::FRACTION
    }

    /// Below the normal numbers, and not zero.
    fn is_denormal(self) -> bool {
        self.biased() == 0 && self.fraction() != 0
    }

    /// Neither denormal, zero, infinite nor NaN.
    #[inline]
    fn is_normal(self) -> bool {
        self.biased().wrapping_sub(1) < Self::SPECIAL - 1
    }

    /// Zero of a sign.
    fn zero(negative: bool) -> Self {
        Self::from_bits(if negative { Self::SIGN } else { 0 })
    }

    /// Infinity of a sign.
    fn infinity(negative: bool) -> Self {
        Self::from_bits(Self::zero(negative).bits() | Self::SPECIAL << Self::FRACTION)
    }

    /// The NaN of an invalid operation: negative, quiet, empty ("real indefinite").
    fn indefinite() -> Self {
        Self::from_bits(Self::infinity(true).bits() | Self::QUIET)
    }

    /// The same NaN, quiet.
    fn quieted(self) -> Self {
        Self::from_bits(self.bits() | Self::QUIET)
    }

    /// The same number with the other sign.
    fn negated(self) -> Self {
        Self::from_bits(self.bits() ^ Self::SIGN)
    }

    /// Zero of the same sign where denormals count as zero, else the number itself.
    fn flushed(self, env: Mxcsr) -> Self {
        if env.daz() && self.is_denormal() { Self::zero(self.negative()) } else { self }
    }

    /// A finite number as [`Real`]; none for zero. Infinities and NaNs are for the caller to sort out first.
    fn real(self) -> Option<Real> {
        let hidden = u64::from(self.biased() != 0) << Self::FRACTION;
        let significand = u128::from(self.fraction() | hidden);
        let exponent = self.biased().max(1) as i32 - 1 + Self::FORMAT.min_exponent - Self::FRACTION as i32;
        (significand != 0).then_some(Real { negative: self.negative(), exponent, significand })
    }

    /// Rounds an exact result to this format as MXCSR asks, and notes what happened.
    fn round(real: Real, env: &mut Mxcsr) -> Self {
        let rounded = real.round(Self::FORMAT, env.rounding());
        if rounded.tiny {
            env.raise(Mxcsr::SLOW);
        }
        if rounded.tiny && env.ftz() {
            env.raise(Mxcsr::UE | Mxcsr::PE);
            return Self::zero(real.negative);
        }
        let mut range = rounded.flags & Mxcsr::OE;
        if rounded.tiny {
            range |= Mxcsr::UE;
        }
        if env.unmasked(range) == 0 {
            env.raise(rounded.flags);
        } else {
            // It counts as inexact only if it would be with an exponent without bounds.
            let near_one = Real { exponent: real.exponent - real.magnitude(), ..real };
            env.raise(range | near_one.round(Self::FORMAT, env.rounding()).flags);
        }
        Self::assemble(real.negative, rounded)
    }

    /// The bits of a rounded number.
    fn assemble(negative: bool, rounded: Rounded) -> Self {
        let fraction = rounded.significand & ((1 << Self::FRACTION) - 1);
        let exponent = u64::from(rounded.biased) << Self::FRACTION;
        Self::from_bits(Self::zero(negative).bits() | exponent | fraction)
    }
}

/// A format that every host computes with, correctly rounded to nearest.
pub trait HostFloat: Float {
    /// The host's sum, to nearest.
    fn host_add(self, other: Self) -> Self;
    /// The host's difference, to nearest.
    fn host_sub(self, other: Self) -> Self;
    /// The host's product, to nearest.
    fn host_mul(self, other: Self) -> Self;
    /// The host's quotient, to nearest.
    fn host_div(self, other: Self) -> Self;
    /// The host's square root, to nearest.
    fn host_sqrt(self) -> Self;
    /// An integer, to nearest.
    fn host_from(x: i64) -> Self;
}

macro_rules! float {
    ($bits:ty, $host:ty, $precision:literal, $max_exponent:literal) => {
        impl Float for $bits {
            const FORMAT: Format = Format {
                precision: $precision,
                min_exponent: 1 - $max_exponent,
                max_exponent: $max_exponent,
            };
            const BITS: u32 = <$bits>::BITS;

            #[inline]
            fn bits(self) -> u64 {
                self.into()
            }

            #[inline]
            fn from_bits(bits: u64) -> Self {
                bits as $bits
            }
        }

        impl HostFloat for $bits {
            #[inline]
            fn host_add(self, other: Self) -> Self {
                (<$host>::from_bits(self) + <$host>::from_bits(other)).to_bits()
            }

            #[inline]
            fn host_sub(self, other: Self) -> Self {
                (<$host>::from_bits(self) - <$host>::from_bits(other)).to_bits()
            }

            #[inline]
            fn host_mul(self, other: Self) -> Self {
                (<$host>::from_bits(self) * <$host>::from_bits(other)).to_bits()
            }

            #[inline]
            fn host_div(self, other: Self) -> Self {
                (<$host>::from_bits(self) / <$host>::from_bits(other)).to_bits()
            }

            #[inline]
            fn host_sqrt(self) -> Self {
                <$host>::from_bits(self).sqrt().to_bits()
            }

            #[inline]
            fn host_from(x: i64) -> Self {
                (x as $host).to_bits()
            }
        }
    };
}

float!(u32, f32, 24, 127);
float!(u64, f64, 53, 1023);
