//! FPREM and FPREM1: the remainder of a division, exact, found bit by bit and in several steps for exponents that lie
//! far apart.

use super::{
    extended::{Extended, F80},
    real::Real,
};

/// The quotient of one step of a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotient {
    /// There is none: an operand is no number.
    None,
    /// Another step is needed.
    NotYet,
    /// Its low bits.
    Bits(u64),
}

/// Differences of exponents that one step does away with.
const STEP: i32 = 64;

impl F80 {
    /// FPREM, whose quotient is cut; FPREM1, whose quotient is the nearest integer.
    pub fn remainder(a: F80, b: F80, nearest: bool, env: &mut Extended) -> (F80, Quotient) {
        if let Some(nan) = F80::nan_of(a, b, env) {
            return (nan, Quotient::None);
        }
        if a.is_infinite() || b.is_zero() {
            return (env.invalid(), Quotient::None);
        }
        env.note_denormal(&[a, b]);
        match (a.real(), b.real()) {
            (Some(x), Some(y)) if !b.is_infinite() => divide(x, y, nearest, env),
            (Some(x), _) => (env.round_whole(x), Quotient::Bits(0)),
            _ => (a, Quotient::Bits(0)),
        }
    }
}

/// A number's 64-bit significand with its leading one, and the exponent of its lowest bit.
fn aligned(x: Real) -> (u128, i32) {
    let zeros = x.significand.leading_zeros() as i32 - 64;
    (x.significand << zeros.max(0), x.exponent - zeros)
}

fn divide(x: Real, y: Real, nearest: bool, env: &mut Extended) -> (F80, Quotient) {
    let ((mut rest, top), (divisor, unit)) = (aligned(x), aligned(y));
    let distance = top - unit;
    let mut done = |negative, exponent, significand, quotient| {
        let real = Real { negative, exponent, significand };
        let value = if significand == 0 { F80::ZERO.signed(x.negative) } else { env.round_whole(real) };
        (value, quotient)
    };
    if distance < -1 || distance == -1 && !nearest {
        return done(x.negative, top, rest, Quotient::Bits(0));
    }
    if distance == -1 {
        // Twice the divisor, in units of `x`'s lowest bit; the quotient is 0 or 1.
        let up = rest > divisor;
        return if up {
            done(!x.negative, top, 2 * divisor - rest, Quotient::Bits(1))
        } else {
            done(x.negative, top, rest, Quotient::Bits(0))
        };
    }
    // The steps that are left over are a multiple of 32, as they are on processors.
    let left = if distance < STEP { 0 } else { distance - (32 + distance % 32) };
    let mut quotient = 0u64;
    for i in left..=distance {
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
        if i < distance {
            rest <<= 1;
        }
    }
    if left > 0 {
        return done(x.negative, unit + left, rest, Quotient::NotYet);
    }
    let up = nearest && (2 * rest > divisor || 2 * rest == divisor && quotient & 1 == 1);
    if up {
        return done(!x.negative, unit, divisor - rest, Quotient::Bits(quotient.wrapping_add(1)));
    }
    done(x.negative, unit, rest, Quotient::Bits(quotient))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remainder(a: f64, b: f64, nearest: bool) -> (f64, u64) {
        let mut env = Extended::new(0x37f);
        let [a, b] = [a, b].map(|x| F80::from_float(x.to_bits()));
        let (value, quotient) = F80::remainder(a, b, nearest, &mut env);
        let Quotient::Bits(bits) = quotient else { panic!("{quotient:?}") };
        (f64::from_bits(value.to_float(&mut env)), bits)
    }

    #[test]
    fn quotients_and_remainders() {
        assert_eq!(remainder(7.5, 2.0, false), (1.5, 3));
        assert_eq!(remainder(7.5, 2.0, true), (-0.5, 4));
        assert_eq!(remainder(-7.0, 2.0, true), (1.0, 4));
        assert_eq!(remainder(1.0, 2.0, true), (1.0, 0));
        assert_eq!(remainder(1.25, 2.0, true), (-0.75, 1));
        assert_eq!(remainder(1.25, 2.0, false), (1.25, 0));
        assert_eq!(remainder(0.5, 2.0, true), (0.5, 0));
        assert_eq!(remainder(6.0, 2.0, false), (0.0, 3));
    }

    #[test]
    fn distant_exponents_take_several_steps() {
        let mut env = Extended::new(0x37f);
        let [mut a, b] = [2f64.powi(200), 3.0].map(|x| F80::from_float(x.to_bits()));
        for steps in 0.. {
            assert!(steps < 10, "it never ends");
            let (value, quotient) = F80::remainder(a, b, false, &mut env);
            a = value;
            if quotient != Quotient::NotYet {
                break;
            }
        }
        assert_eq!(a, F80::ONE, "2^200 mod 3");
    }
}
