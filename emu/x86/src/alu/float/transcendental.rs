//! The transcendental functions of the x87 unit: computed to more bits than the result has, and rounded once. The
//! manual promises an error below one unit in the last place; here it is as good as one half.
//!
//! Angles are reduced by the value of pi that the manual gives (SDM volume 1, section 8.3.8), which has 66 bits:
//! near multiples of pi the sine of processors is that of a slightly different angle, and so it is here.

use super::{
    extended::{Extended, F80},
    mxcsr::Mxcsr,
    real::Real,
    wide::{Wide, euler, nested, odd_reciprocals},
};

/// Half of pi, times 2^67.
const HALF_PI: u128 = 0xc_90fd_aa22_168c_234c;
const HALF_PI_SHIFT: i32 = 67;
/// Terms after which what is left out is below 2^-100, for the arguments that are used.
const TERMS: u32 = 30;
const EULER_TERMS: u32 = 110;
/// The square root of 2, its leading bits.
const ROOT_2: u64 = 0xb504_f333_f9de_6484;

/// An angle between -pi/4 and pi/4, and the quarter turns to be added.
struct Angle {
    rest: Wide,
    quarters: u128,
}

/// Takes quarter turns off; none where the angle is 2^63 or more.
fn reduce(x: Real) -> Option<Angle> {
    if x.magnitude() >= 63 {
        return None;
    }
    let shift = x.exponent + HALF_PI_SHIFT;
    if shift < 0 {
        return Some(Angle { rest: x.into(), quarters: 0 });
    }
    let turned = (0..shift).fold(x.significand, |rest, _| (rest << 1) % (4 * HALF_PI));
    let (mut quarters, mut rest) = (turned / HALF_PI, turned % HALF_PI);
    let mut negative = x.negative;
    if rest > HALF_PI / 2 {
        (rest, quarters, negative) = (HALF_PI - rest, quarters + 1, !negative);
    }
    let quarters = if x.negative { (4 - quarters % 4) % 4 } else { quarters % 4 };
    let rest = Real { negative, exponent: -HALF_PI_SHIFT, significand: rest };
    Some(Angle { rest: rest.into(), quarters })
}

impl Angle {
    fn sine_of_rest(&self) -> Wide {
        let square = self.rest.times(self.rest);
        self.rest.times(nested(square, TERMS, |k| 2 * k * (2 * k + 1)))
    }

    fn cosine_of_rest(&self) -> Wide {
        let square = self.rest.times(self.rest);
        nested(square, TERMS, |k| (2 * k - 1) * (2 * k))
    }

    fn sine(&self) -> Wide {
        let value = if self.quarters & 1 == 0 { self.sine_of_rest() } else { self.cosine_of_rest() };
        if self.quarters & 2 == 0 { value } else { value.negated() }
    }

    fn cosine(&self) -> Wide {
        let value = if self.quarters & 1 == 0 { self.cosine_of_rest() } else { self.sine_of_rest() };
        if matches!(self.quarters, 1 | 2) { value.negated() } else { value }
    }
}

/// The arc tangent of a positive number up to 1.
fn arc_tangent(t: Wide) -> Wide {
    let square = t.times(t);
    let divisor = Wide::ONE.plus(square);
    t.over(divisor).times(euler(square.over(divisor), EULER_TERMS))
}

/// The logarithm to base 2 of (1 + s) / (1 - s), for a small `s`.
fn logarithm_of_ratio(s: Wide) -> Wide {
    s.times(odd_reciprocals(s.times(s), TERMS)).scaled(1).over(Wide::LN2)
}

/// The logarithm to base 2 of a positive number.
fn logarithm(x: Wide) -> Wide {
    let above = x.leads(ROOT_2);
    let exponent = x.magnitude() + i32::from(above);
    let fraction = x.scaled(-exponent);
    let s = fraction.minus(Wide::ONE).over(fraction.plus(Wide::ONE));
    let whole = Wide::integer(exponent.unsigned_abs());
    logarithm_of_ratio(s).plus(if exponent < 0 { whole.negated() } else { whole })
}

impl Extended {
    /// A result that is never exact, rounded to all 64 bits.
    fn rounded(&mut self, value: Wide) -> F80 {
        match value.real() {
            Some(real) => self.round_whole(real),
            None => F80::ZERO,
        }
    }
}

/// What a function of an angle gives, whatever it is; none where the angle is too large.
fn of_angle<R>(
    a: F80,
    env: &mut Extended,
    special: impl Fn(F80) -> R,
    of: impl Fn(&Angle, &mut Extended) -> R,
) -> Option<R> {
    if let Some(nan) = F80::nan_of(a, a, env) {
        return Some(special(nan));
    }
    if a.is_infinite() {
        return Some(special(env.invalid()));
    }
    let Some(real) = a.real() else { return Some(special(a)) };
    let angle = reduce(real)?;
    env.note_denormal(&[a]);
    Some(of(&angle, env))
}

/// A number if it is a NaN or zero, else 1: the cosine where the sine is the number itself.
fn cosine_of_special(a: F80) -> F80 {
    if a.is_zero() { F80::ONE } else { a }
}

impl F80 {
    /// FSIN; none where the angle is 2^63 or more.
    pub fn sin(a: F80, env: &mut Extended) -> Option<F80> {
        of_angle(a, env, |a| a, |angle, env| env.rounded(angle.sine()))
    }

    /// FCOS
    pub fn cos(a: F80, env: &mut Extended) -> Option<F80> {
        of_angle(a, env, cosine_of_special, |angle, env| env.rounded(angle.cosine()))
    }

    /// FSINCOS
    pub fn sin_cos(a: F80, env: &mut Extended) -> Option<(F80, F80)> {
        let special = |a| (a, cosine_of_special(a));
        of_angle(a, env, special, |angle, env| (env.rounded(angle.sine()), env.rounded(angle.cosine())))
    }

    /// FPTAN: the tangent, and what is pushed after it: 1, or the NaN.
    pub fn tan(a: F80, env: &mut Extended) -> Option<(F80, F80)> {
        let special = |a: F80| (a, if a.is_nan() { a } else { F80::ONE });
        of_angle(a, env, special, |angle, env| (env.rounded(angle.sine().over(angle.cosine())), F80::ONE))
    }

    /// FPATAN: the angle of the point (x, y).
    pub fn atan(y: F80, x: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(y, x, env) {
            return nan;
        }
        env.note_denormal(&[y, x]);
        let ratio = |a: F80, b: F80| Some((Wide::from(a.real()?), Wide::from(b.real()?)));
        let angle = match (y.is_infinite(), x.is_infinite()) {
            (true, true) => Wide::PI.scaled(-2),
            (true, false) => Wide::PI.scaled(-1),
            (false, true) => return F80::atan_of_zero(y, x, env),
            _ if y.is_zero() => return F80::atan_of_zero(y, x, env),
            _ => match ratio(y.magnitude(), x.magnitude()) {
                None => Wide::PI.scaled(-1),
                Some((y, x)) if x.minus(y).is_negative() => Wide::PI.scaled(-1).minus(arc_tangent(x.over(y))),
                Some((y, x)) => arc_tangent(y.over(x)),
            },
        };
        let turned = if x.negative() && !x.is_zero() { Wide::PI.minus(angle) } else { angle };
        env.rounded(if y.negative() { turned.negated() } else { turned })
    }

    /// The angle of a point on the x axis, or infinitely far along it.
    fn atan_of_zero(y: F80, x: F80, env: &mut Extended) -> F80 {
        match (x.negative(), y.negative()) {
            (false, negative) => F80::ZERO.signed(negative),
            (true, false) => env.rounded(Wide::PI),
            (true, true) => env.rounded(Wide::PI.negated()),
        }
    }

    /// F2XM1: 2^x - 1 for -1 <= x <= 1; beyond, where the manual leaves the result open, x.
    pub fn exp2_minus_1(a: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, a, env) {
            return nan;
        }
        if a.is_infinite() {
            return if a.negative() { F80::ONE.signed(true) } else { a };
        }
        let Some(real) = a.real() else { return a };
        env.note_denormal(&[a]);
        match (a.magnitude() == F80::ONE, real.magnitude() >= 0) {
            (true, _) if a.negative() => F80 { exponent: 0xbffe, ..F80::ONE },
            (_, true) => a,
            _ => {
                let u = Wide::from(real).times(Wide::LN2);
                env.rounded(u.times(nested(u.negated(), TERMS, |k| k + 1)))
            }
        }
    }

    /// FYL2X: y log2(x).
    pub fn times_log2(y: F80, x: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(y, x, env) {
            return nan;
        }
        if x.negative() && !x.is_zero() {
            return env.invalid();
        }
        if x.is_zero() {
            return F80::times_minus_infinity(y, env);
        }
        // The logarithm is negative below 1, and zero at 1.
        let below = x.exponent < F80::ONE.exponent;
        let negative = y.negative() != below;
        if x.is_infinite() && y.is_zero() || y.is_infinite() && x == F80::ONE {
            return env.invalid();
        }
        env.note_denormal(&[y, x]);
        if x.is_infinite() || y.is_infinite() {
            return F80::infinity(negative);
        }
        match (y.real(), x.real()) {
            (Some(factor), Some(real)) if x != F80::ONE => F80::scaled_logarithm(factor, real, env),
            _ => F80::ZERO.signed(negative),
        }
    }

    /// A power of two has a whole logarithm, and then the product is exact.
    fn scaled_logarithm(factor: Real, x: Real, env: &mut Extended) -> F80 {
        if x.significand.is_power_of_two() {
            let exponent = x.magnitude();
            let whole = Real::from_integer(exponent < 0, exponent.unsigned_abs().into());
            return whole.map_or(F80::ZERO, |whole| env.round_whole(factor.times(whole)));
        }
        env.rounded(logarithm(x.into()).times(factor.into()))
    }

    fn times_minus_infinity(y: F80, env: &mut Extended) -> F80 {
        if y.is_zero() {
            return env.invalid();
        }
        if !y.is_infinite() {
            env.flags |= Mxcsr::ZE;
        }
        F80::infinity(!y.negative())
    }

    /// FYL2XP1: y log2(x + 1), for an x of at most 1 - sqrt(1/2) in magnitude; beyond, the manual leaves the result
    /// open.
    pub fn times_log2_plus_1(y: F80, x: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(y, x, env) {
            return nan;
        }
        let negative = y.negative() != x.negative();
        if x.is_infinite() && (x.negative() || y.is_zero()) || y.is_infinite() && x.is_zero() {
            return env.invalid();
        }
        env.note_denormal(&[y, x]);
        if x.is_infinite() || y.is_infinite() {
            return F80::infinity(negative);
        }
        let (Some(factor), Some(real)) = (y.real(), x.real()) else { return F80::ZERO.signed(negative) };
        let (factor, x) = (Wide::from(factor), Wide::from(real));
        let sum = Wide::ONE.plus(x);
        if sum.is_negative() || sum.is_zero() {
            return env.invalid();
        }
        let logarithm =
            if x.magnitude() < -1 { logarithm_of_ratio(x.over(Wide::TWO.plus(x))) } else { logarithm(sum) };
        env.rounded(logarithm.times(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f80(x: f64) -> F80 {
        F80::from_float(x.to_bits())
    }

    fn f64_of(x: F80) -> f64 {
        f64::from_bits(x.to_float(&mut Extended::new(0x37f)))
    }

    fn near(got: F80, expected: f64, what: &str) {
        let got = f64_of(got);
        assert!((got - expected).abs() <= expected.abs() * 4e-16, "{what}: {got} for {expected}");
    }

    #[test]
    fn functions_agree_with_the_host_library() {
        let mut env = Extended::new(0x37f);
        for x in [1e-20, 0.1, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 10.0, 100.0] {
            for x in [x, -x] {
                let (sin, cos) = F80::sin_cos(f80(x), &mut env).expect("a small angle");
                near(sin, x.sin(), "sin");
                near(cos, x.cos(), "cos");
                near(F80::tan(f80(x), &mut env).expect("a small angle").0, x.tan(), "tan");
                for y in [-3.0, -0.5, 0.0, 1e-9, 1.0, 70.0] {
                    near(F80::atan(f80(y), f80(x), &mut env), y.atan2(x), "atan");
                }
            }
            near(F80::times_log2(f80(3.0), f80(x), &mut env), 3.0 * x.log2(), "log2");
            let small = x / 400.0;
            let expected = 2.0 * small.ln_1p() / std::f64::consts::LN_2;
            near(F80::times_log2_plus_1(f80(2.0), f80(small), &mut env), expected, "log2(x + 1)");
            let expected = (small * std::f64::consts::LN_2).exp_m1();
            near(F80::exp2_minus_1(f80(small), &mut env), expected, "exp2");
        }
    }

    #[test]
    fn angles_have_an_end() {
        let mut env = Extended::new(0x37f);
        assert_eq!(F80::sin(f80(2f64.powi(63)), &mut env), None);
        assert!(F80::sin(f80(2f64.powi(62)), &mut env).is_some());
    }

    #[test]
    /// Any encoding ends without a panic (overflow checks are on): that is the check.
    fn no_operand_panics() {
        let mut env = Extended::new(0x37f);
        let exponents = [0, 1, 2, 0x3bff, 0x3ffe, 0x3fff, 0x4000, 0x403e, 0x7ffe, 0x7fff];
        let significands = [0, 1, 1 << 62, 1 << 63, u64::MAX, 3 << 62];
        let all: Vec<F80> = exponents
            .into_iter()
            .flat_map(|e| [e, e | 0x8000])
            .flat_map(|exponent| significands.map(|significand| F80 { exponent, significand }))
            .collect();
        for &x in &all {
            F80::sin_cos(x, &mut env);
            F80::tan(x, &mut env);
            F80::exp2_minus_1(x, &mut env);
            for &y in &all {
                F80::atan(y, x, &mut env);
                F80::times_log2(y, x, &mut env);
                F80::times_log2_plus_1(y, x, &mut env);
            }
        }
    }
}
