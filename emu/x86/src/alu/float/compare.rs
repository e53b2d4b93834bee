//! Comparisons: COMISS, UCOMISS and the predicates of CMPPS (Intel SDM volume 2A, table 3-1).

use super::{arith::note_denormal, format::Float, mxcsr::Mxcsr};

/// How two numbers stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The first is smaller.
    Less = 0,
    /// Equal; zeros of both signs are.
    Equal = 1,
    /// The first is larger.
    Greater = 2,
    /// One of them is NaN.
    Unordered = 3,
}

/// Compares; `signaling` says whether a quiet NaN is invalid too.
#[inline]
pub fn compare<F: Float>(a: F, b: F, signaling: bool, env: &mut Mxcsr) -> Compared {
    if a.is_nan() || b.is_nan() {
        if signaling || a.is_signaling() || b.is_signaling() {
            env.raise(Mxcsr::IE);
        }
        return Compared::Unordered;
    }
    let (a, b) = (a.flushed(*env), b.flushed(*env));
    note_denormal(&[a, b], env);
    match order(a).cmp(&order(b)) {
        std::cmp::Ordering::Less => Compared::Less,
        std::cmp::Ordering::Equal => Compared::Equal,
        std::cmp::Ordering::Greater => Compared::Greater,
    }
}

/// A key that sorts as the numbers do.
#[inline]
fn order<F: Float>(x: F) -> i64 {
    let magnitude = (x.bits() & !F::SIGN) as i64;
    if x.negative() { -magnitude } else { magnitude }
}

/// CF, PF and ZF as COMISS and UCOMISS set them, at their places in RFLAGS; OF, SF and AF become zero.
#[inline]
pub fn compare_flags<F: Float>(a: F, b: F, signaling: bool, env: &mut Mxcsr) -> u64 {
    match compare(a, b, signaling, env) {
        Compared::Unordered => 0x45,
        Compared::Greater => 0,
        Compared::Less => 1,
        Compared::Equal => 0x40,
    }
}

/// For each predicate, the outcomes that make it true: bit 0 less, 1 equal, 2 greater, 3 unordered.
const TRUE_FOR: [u8; 16] = [
    0b0010, 0b0001, 0b0011, 0b1000, 0b1101, 0b1110, 0b1100, 0b0111, // EQ LT LE UNORD NEQ NLT NLE ORD
    0b1010, 0b1001, 0b1011, 0b0000, 0b0101, 0b0110, 0b0100,
    0b1111, // EQ_UQ NGE NGT FALSE NEQ_OQ GE GT TRUE
];

/// A predicate of CMPPS (0 to 7) or VCMPPS (0 to 31).
pub fn predicate<F: Float>(a: F, b: F, imm: u8, env: &mut Mxcsr) -> bool {
    // In each group of four the two in the middle signal; the upper sixteen are their opposites.
    let signaling = matches!(imm & 3, 1 | 2) != (imm & 0x10 != 0);
    let outcome = compare(a, b, signaling, env);
    TRUE_FOR[usize::from(imm & 0xf)] >> outcome as u8 & 1 != 0
}
