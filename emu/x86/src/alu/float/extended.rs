//! The 80-bit format of the x87 unit: an explicit leading one, its own rules for NaNs, and precision control.

use super::{
    Compared,
    format::Float,
    mxcsr::{Mxcsr, Rounding},
    real::{Format, Real, Rounded},
};

/// An 80-bit number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct F80 {
    /// The sign at the top, 15 bits of exponent below.
    pub exponent: u16,
    /// The significand with its leading one.
    pub significand: u64,
}

/// How the control word asks to round, and what happened.
#[derive(Clone, Copy, Debug)]
pub struct Extended {
    /// Bits of precision: 24, 53 or 64.
    pub precision: u32,
    /// How to round.
    pub rounding: Rounding,
    /// Exceptions that are not masked, as bits of [`Mxcsr`]: overflow and underflow then give other results.
    pub unmasked: u32,
    /// Exceptions raised, as bits of [`Mxcsr`] and of the status word.
    pub flags: u32,
    /// Whether the result was rounded away from zero.
    pub up: bool,
}

const LEADING: u64 = 1 << 63;
const QUIET: u64 = 1 << 62;
const SPECIAL: u16 = 0x7fff;
const SIGN: u16 = 0x8000;
const MIN_EXPONENT: i32 = -16382;

impl Extended {
    /// As a control word asks.
    pub fn new(control: u16) -> Extended {
        let precision = match control >> 8 & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        };
        let control = u32::from(control);
        let rounding = Rounding::from_field(control >> 10);
        Extended { precision, rounding, unmasked: !control & Mxcsr::FLAGS, flags: 0, up: false }
    }

    pub(super) fn invalid(&mut self) -> F80 {
        self.flags |= Mxcsr::IE;
        F80::INDEFINITE
    }

    fn round(&mut self, real: Real) -> F80 {
        let format = Format { precision: self.precision, min_exponent: MIN_EXPONENT, max_exponent: 16383 };
        let mut rounded = real.round(format, self.rounding);
        let (exponent, trouble) = self.wrapped(real, &rounded);
        if trouble != 0 {
            rounded = Real { exponent, ..real }.round(format, self.rounding);
            if rounded.tiny || rounded.flags & Mxcsr::OE != 0 {
                return self.far_out(real.negative, trouble);
            }
        }
        let Rounded { biased, significand, flags, up, .. } = rounded;
        self.flags |= flags | trouble;
        self.up = up;
        let sign = if real.negative { SIGN } else { 0 };
        F80 { exponent: sign | biased as u16, significand: significand << (64 - self.precision) }
    }

    /// Where overflow or underflow is not masked, the result's exponent is brought back into the range (SDM volume 1,
    /// sections 8.5.4 and 8.5.5): the new exponent, and which of both it is.
    fn wrapped(&self, real: Real, rounded: &Rounded) -> (i32, u32) {
        if rounded.flags & self.unmasked & Mxcsr::OE != 0 {
            return (real.exponent - 24576, Mxcsr::OE);
        }
        if rounded.tiny && self.unmasked & Mxcsr::UE != 0 {
            return (real.exponent + 24576, Mxcsr::UE);
        }
        (real.exponent, 0)
    }

    /// Too large or too small even with its exponent brought back, as FSCALE's result can be: infinity or zero.
    fn far_out(&mut self, negative: bool, trouble: u32) -> F80 {
        self.flags |= trouble | Mxcsr::PE;
        self.up = trouble == Mxcsr::OE;
        if self.up { F80::infinity(negative) } else { F80::ZERO.signed(negative) }
    }

    /// As [`Extended::round`], whatever the precision control: it is for arithmetic only.
    pub(super) fn round_whole(&mut self, real: Real) -> F80 {
        let mut whole = Extended { precision: 64, ..*self };
        let result = whole.round(real);
        (self.flags, self.up) = (whole.flags, whole.up);
        result
    }

    pub(super) fn note_denormal(&mut self, operands: &[F80]) {
        if operands.iter().any(|x| x.is_denormal()) {
            self.flags |= Mxcsr::DE;
        }
    }
}

impl F80 {
    /// The NaN of an invalid operation.
    pub const INDEFINITE: F80 = F80 { exponent: 0xffff, significand: LEADING | QUIET };
    /// Plus zero.
    pub const ZERO: F80 = F80 { exponent: 0, significand: 0 };
    /// One.
    pub const ONE: F80 = F80 { exponent: 0x3fff, significand: LEADING };

    /// The sign.
    pub fn negative(self) -> bool {
        self.exponent & SIGN != 0
    }

    fn biased(self) -> u16 {
        self.exponent & SPECIAL
    }

    /// An encoding that no operation gives: a normal number, infinity or NaN without its leading one.
    pub fn is_unsupported(self) -> bool {
        self.biased() != 0 && self.significand & LEADING == 0
    }

    /// Any NaN.
    pub fn is_nan(self) -> bool {
        self.biased() == SPECIAL && self.significand > LEADING
    }

    fn is_signaling(self) -> bool {
        self.is_nan() && self.significand & QUIET == 0
    }

    /// Plus or minus infinity.
    pub fn is_infinite(self) -> bool {
        self.biased() == SPECIAL && self.significand == LEADING
    }

    /// Plus or minus zero.
    pub fn is_zero(self) -> bool {
        self.biased() == 0 && self.significand == 0
    }

    /// Below the normal numbers, and not zero.
    pub fn is_denormal(self) -> bool {
        self.biased() == 0 && self.significand != 0
    }

    fn quieted(self) -> F80 {
        F80 { significand: self.significand | QUIET, ..self }
    }

    /// The other sign.
    #[must_use]
    pub fn negated(self) -> F80 {
        F80 { exponent: self.exponent ^ SIGN, ..self }
    }

    /// Without its sign.
    #[must_use]
    pub fn magnitude(self) -> F80 {
        F80 { exponent: self.exponent & SPECIAL, ..self }
    }

    pub(super) fn signed(self, negative: bool) -> F80 {
        if negative { F80 { exponent: self.exponent | SIGN, ..self } } else { self }
    }

    pub(super) fn infinity(negative: bool) -> F80 {
        F80 { exponent: SPECIAL, significand: LEADING }.signed(negative)
    }

    pub(super) fn real(self) -> Option<Real> {
        let exponent = i32::from(self.biased().max(1)) - 1 + MIN_EXPONENT - 63;
        (self.significand != 0).then_some(Real {
            negative: self.negative(),
            exponent,
            significand: self.significand.into(),
        })
    }

    /// The NaN of two operands (SDM volume 1, table 4-7): a quiet one before a signaling one, else the larger
    /// significand, else the positive one.
    pub(super) fn nan_of(a: F80, b: F80, env: &mut Extended) -> Option<F80> {
        if a.is_unsupported() || b.is_unsupported() {
            return Some(env.invalid());
        }
        if a.is_signaling() || b.is_signaling() {
            env.flags |= Mxcsr::IE;
        }
        let rank = |x: F80| (x.is_nan(), x.is_nan() && !x.is_signaling(), x.significand, !x.negative());
        let winner = if rank(a) >= rank(b) { a } else { b };
        winner.is_nan().then(|| winner.quieted())
    }

    /// FADD
    pub fn add(a: F80, b: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, b, env) {
            return nan;
        }
        if a.is_infinite() && b.is_infinite() && a != b {
            return env.invalid();
        }
        env.note_denormal(&[a, b]);
        if a.is_infinite() || b.is_infinite() {
            return if a.is_infinite() { a } else { b };
        }
        let sum = match (a.real(), b.real()) {
            (Some(x), Some(y)) => x.plus(y),
            (None, None) if a == b => return a,
            (x, y) => x.or(y),
        };
        match sum {
            Some(real) => env.round(real),
            None => F80::ZERO.signed(env.rounding == Rounding::Down),
        }
    }

    /// FSUB
    pub fn sub(a: F80, b: F80, env: &mut Extended) -> F80 {
        F80::nan_of(a, b, env).unwrap_or_else(|| F80::add(a, b.negated(), env))
    }

    /// FSUBR
    pub fn sub_reversed(a: F80, b: F80, env: &mut Extended) -> F80 {
        F80::sub(b, a, env)
    }

    /// FMUL
    pub fn mul(a: F80, b: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, b, env) {
            return nan;
        }
        let negative = a.negative() != b.negative();
        if a.is_infinite() && b.is_zero() || a.is_zero() && b.is_infinite() {
            return env.invalid();
        }
        env.note_denormal(&[a, b]);
        if a.is_infinite() || b.is_infinite() {
            return F80::infinity(negative);
        }
        match (a.real(), b.real()) {
            (Some(x), Some(y)) => env.round(x.times(y)),
            _ => F80::ZERO.signed(negative),
        }
    }

    /// FDIV
    pub fn div(a: F80, b: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, b, env) {
            return nan;
        }
        let negative = a.negative() != b.negative();
        if a.is_infinite() && b.is_infinite() || a.is_zero() && b.is_zero() {
            return env.invalid();
        }
        if b.is_zero() && !a.is_infinite() {
            env.flags |= Mxcsr::ZE;
            return F80::infinity(negative);
        }
        env.note_denormal(&[a, b]);
        if a.is_infinite() {
            return F80::infinity(negative);
        }
        match (a.real(), b.real()) {
            (Some(x), Some(y)) if !b.is_infinite() => env.round(x.over(y)),
            _ => F80::ZERO.signed(negative),
        }
    }

    /// FDIVR
    pub fn div_reversed(a: F80, b: F80, env: &mut Extended) -> F80 {
        F80::div(b, a, env)
    }

    /// FSQRT
    pub fn sqrt(a: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, a, env) {
            return nan;
        }
        if a.is_zero() {
            return a;
        }
        if a.negative() {
            return env.invalid();
        }
        env.note_denormal(&[a]);
        match a.real() {
            Some(real) if !a.is_infinite() => env.round(real.root()),
            _ => a,
        }
    }

    /// FRNDINT
    pub fn round_to_integral(a: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, a, env) {
            return nan;
        }
        env.note_denormal(&[a]);
        let Some(real) = a.real().filter(|real| real.exponent < 0 && !a.is_infinite()) else { return a };
        let (magnitude, inexact) = real.to_integer(env.rounding);
        if inexact {
            env.flags |= Mxcsr::PE;
            env.up = real.to_integer(Rounding::Zero).0 != magnitude;
        }
        match Real::from_integer(a.negative(), magnitude as u64) {
            Some(real) => Extended { precision: 64, ..*env }.round(real),
            None => F80::ZERO.signed(a.negative()),
        }
    }

    /// FCOM; FUCOM where a quiet NaN is not invalid.
    pub fn compare(a: F80, b: F80, signaling: bool, env: &mut Extended) -> Compared {
        let unsupported = a.is_unsupported() || b.is_unsupported();
        if unsupported || a.is_nan() || b.is_nan() {
            if unsupported || signaling || a.is_signaling() || b.is_signaling() {
                env.flags |= Mxcsr::IE;
            }
            return Compared::Unordered;
        }
        env.note_denormal(&[a, b]);
        let key = |x: F80| {
            let magnitude =
                i128::from(x.biased().max(u16::from(x.significand != 0))) << 64 | i128::from(x.significand);
            if x.negative() { -magnitude } else { magnitude }
        };
        match key(a).cmp(&key(b)) {
            std::cmp::Ordering::Less => Compared::Less,
            std::cmp::Ordering::Equal => Compared::Equal,
            std::cmp::Ordering::Greater => Compared::Greater,
        }
    }

    /// FILD: exact.
    pub fn from_integer(x: i64) -> F80 {
        let mut env = Extended::new(0x37f);
        Real::from_integer(x < 0, x.unsigned_abs()).map_or(F80::ZERO, |real| env.round(real))
    }

    /// FIST: an integer of `bits` bits; what does not fit is invalid and gives the smallest one.
    pub fn to_integer(self, bits: u32, env: &mut Extended) -> i64 {
        let indefinite = i64::MIN >> (64 - bits);
        if self.biased() == SPECIAL || self.is_unsupported() {
            env.flags |= Mxcsr::IE;
            return indefinite;
        }
        let Some(real) = self.real() else { return 0 };
        let (magnitude, inexact) = real.to_integer(env.rounding);
        if magnitude > (1u128 << (bits - 1)) - u128::from(!real.negative) {
            env.flags |= Mxcsr::IE;
            return indefinite;
        }
        if inexact {
            env.flags |= Mxcsr::PE;
            env.up = real.to_integer(Rounding::Zero).0 != magnitude;
        }
        let magnitude = magnitude as i64;
        if real.negative { magnitude.wrapping_neg() } else { magnitude }
    }

    /// The value of a binary32 or binary64: exact, and a signaling NaN stays one.
    pub fn from_float<F: Float>(x: F) -> F80 {
        if x.is_nan() {
            let payload = x.fraction() << (63 - F::FRACTION);
            return F80 { exponent: SPECIAL, significand: LEADING | payload }.signed(x.negative());
        }
        let mut exact = Extended::new(0x37f);
        match x.real() {
            _ if x.is_infinite() => F80::infinity(x.negative()),
            Some(real) => exact.round(real),
            None => F80::ZERO.signed(x.negative()),
        }
    }

    /// What a load makes of a number: a signaling NaN is invalid and becomes quiet.
    pub fn loaded(self, env: &mut Extended) -> F80 {
        if self.is_signaling() {
            env.flags |= Mxcsr::IE;
        }
        if self.is_nan() { self.quieted() } else { self }
    }

    /// FST to binary32 or binary64.
    pub fn to_float<F: Float>(self, env: &mut Extended) -> F {
        if self.is_unsupported() {
            env.flags |= Mxcsr::IE;
            return F::indefinite();
        }
        if self.is_nan() {
            if self.is_signaling() {
                env.flags |= Mxcsr::IE;
            }
            let payload = self.significand << 1 >> (64 - F::FRACTION);
            return F::from_bits(F::infinity(self.negative()).bits() | payload).quieted();
        }
        match self.real() {
            _ if self.is_infinite() => F::infinity(self.negative()),
            Some(real) => {
                let rounded = real.round(F::FORMAT, env.rounding);
                env.flags |= rounded.flags | if rounded.tiny { env.unmasked & Mxcsr::UE } else { 0 };
                env.up = rounded.up;
                F::assemble(real.negative, rounded)
            }
            None => F::zero(self.negative()),
        }
    }

    /// A constant of 96 bits (FLDPI and its kin), rounded as the control word asks; nothing is noted.
    pub fn constant(significand: u128, exponent: i32, control: u16) -> F80 {
        let mut env = Extended { precision: 64, ..Extended::new(control) };
        env.round(Real { negative: false, exponent: exponent - 95, significand })
    }
}

/// What kind of number a register holds, as FXAM and the tag word tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A number, infinity or NaN without its leading one.
    Unsupported,
    /// A NaN.
    Nan,
    /// A normal number.
    Normal,
    /// An infinity.
    Infinity,
    /// A zero.
    Zero,
    /// A denormal number.
    Denormal,
}

impl F80 {
    /// What kind of number this is.
    pub fn tag(self) -> Tag {
        match self {
            x if x.is_unsupported() => Tag::Unsupported,
            x if x.is_nan() => Tag::Nan,
            x if x.is_infinite() => Tag::Infinity,
            x if x.is_zero() => Tag::Zero,
            x if x.is_denormal() => Tag::Denormal,
            _ => Tag::Normal,
        }
    }

    /// The ten bytes of memory that hold the number.
    pub fn to_bytes(self) -> [u8; 10] {
        let wide = u128::from(self.exponent) << 64 | u128::from(self.significand);
        std::array::from_fn(|i| (wide >> (8 * i)) as u8)
    }

    /// The number that ten bytes hold.
    pub fn from_bytes(bytes: [u8; 10]) -> F80 {
        let wide = bytes.iter().rev().fold(0u128, |wide, &byte| wide << 8 | u128::from(byte));
        F80 { exponent: (wide >> 64) as u16, significand: wide as u64 }
    }
}
