//! Single bits, counts of bits, and the bit fields of BMI1 and BMI2.

use super::Uint;
use crate::cpu::Flags;

/// What BT, BTS, BTR and BTC do to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// BT: nothing.
    Test,
    /// BTS
    Set,
    /// BTR
    Reset,
    /// BTC
    Complement,
}

/// BT, BTS, BTR, BTC: CF is the bit; ZF is kept, the other flags are undefined (and kept).
#[inline(always)]
pub fn bit<T: Uint>(op: BitOp, a: T, index: u32, flags: Flags) -> (T, Flags) {
    let mask = T::ONE << (index % T::BITS);
    let flags = flags.with_carry(a & mask != T::ZERO);
    let r = match op {
        BitOp::Test => a,
        BitOp::Set => a | mask,
        BitOp::Reset => a & !mask,
        BitOp::Complement => a ^ mask,
    };
    (r, flags)
}

/// BSF: `None`, with ZF, for 0; the destination is then left alone, as current processors do.
#[inline(always)]
pub fn bsf<T: Uint>(a: T, _: Flags) -> (Option<T>, Flags) {
    found(a, a.zeros_below())
}

/// BSR: as [`bsf`].
#[inline(always)]
pub fn bsr<T: Uint>(a: T, _: Flags) -> (Option<T>, Flags) {
    found(a, (T::BITS - 1).wrapping_sub(a.zeros_above()))
}

/// ZF; PF of the index, and the others, which are undefined, clear, as on Intel's processors.
#[inline(always)]
fn found<T: Uint>(a: T, index: u32) -> (Option<T>, Flags) {
    if a == T::ZERO {
        return (None, Flags::of_result(0));
    }
    // The bit beside the index keeps ZF clear.
    (Some(T::truncate(index.into())), Flags::of_result(u64::from(index) | 0x100))
}

/// TZCNT: CF for a source of 0, ZF for a result of 0.
#[inline(always)]
pub fn tzcnt<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    count(a, T::truncate(a.zeros_below().into()))
}

/// LZCNT: flags as [`tzcnt`].
#[inline(always)]
pub fn lzcnt<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    count(a, T::truncate(a.zeros_above().into()))
}

/// CF and ZF; the others, which are undefined, are clear, as on Intel's processors.
#[inline(always)]
fn count<T: Uint>(a: T, r: T) -> (T, Flags) {
    use crate::cpu::Rflags;
    let zero = if r == T::ZERO { Rflags::ZF } else { Rflags::empty() };
    (r, Flags::from_rflags(zero).with_carry(a == T::ZERO))
}

/// POPCNT: ZF for a source of 0; the other flags are cleared.
#[inline(always)]
pub fn popcnt<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    use crate::cpu::Rflags;
    let flags = if a == T::ZERO { Rflags::ZF } else { Rflags::empty() };
    (T::truncate(a.ones().into()), Flags::from_rflags(flags))
}

/// BLSR: without the lowest one. CF for a source of 0.
#[inline(always)]
pub fn blsr<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    let r = a & a.minus(T::ONE);
    (r, of(r).with_carry(a == T::ZERO))
}

/// BLSI: the lowest one alone. CF for a source that is not 0.
#[inline(always)]
pub fn blsi<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    let r = a & T::ZERO.minus(a);
    (r, of(r).with_carry(a != T::ZERO))
}

/// BLSMSK: ones up to the lowest one. CF for a source of 0; ZF is cleared.
#[inline(always)]
pub fn blsmsk<T: Uint>(a: T, _: Flags) -> (T, Flags) {
    let r = a ^ a.minus(T::ONE);
    (r, of(r).with_carry(a == T::ZERO))
}

/// BEXTR: `control` has the start in bits 0 to 7 and the length in bits 8 to 15.
#[inline(always)]
pub fn bextr<T: Uint>(a: T, control: T) -> (T, Flags) {
    let (start, len) = (control.zext() as u32 & 0xff, (control.zext() as u32 >> 8) & 0xff);
    let shifted = if start < T::BITS { a >> start } else { T::ZERO };
    let r = low_bits(shifted, len);
    (r, of(r))
}

/// BZHI: zero from bit `index` up. CF where the index is past the operand.
#[inline(always)]
pub fn bzhi<T: Uint>(a: T, index: T) -> (T, Flags) {
    let n = index.zext() as u32 & 0xff;
    let r = low_bits(a, n);
    (r, of(r).with_carry(n >= T::BITS))
}

#[inline(always)]
fn low_bits<T: Uint>(a: T, n: u32) -> T {
    if n >= T::BITS { a } else { a & (T::ONE << n).minus(T::ONE) }
}

/// Flags of a result, PF clear: it is undefined, and clear on Intel's processors.
#[inline(always)]
fn of<T: Uint>(r: T) -> Flags {
    Flags::of_result(r.sext()).without_parity()
}

/// PDEP: the low bits of `a`, laid where `mask` has ones.
pub fn pdep<T: Uint>(a: T, mask: T) -> T {
    let (mut from, mut left, mut r) = (a.zext(), mask.zext(), 0);
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        r |= if from & 1 == 1 { lowest } else { 0 };
        (from, left) = (from >> 1, left & (left - 1));
    }
    T::truncate(r)
}

/// PEXT: the bits of `a` where `mask` has ones, moved together.
pub fn pext<T: Uint>(a: T, mask: T) -> T {
    let (mut left, mut r, mut at) = (mask.zext(), 0, 0);
    while left != 0 {
        r |= (a.zext() >> left.trailing_zeros() & 1) << at;
        (left, at) = (left & (left - 1), at + 1);
    }
    T::truncate(r)
}
