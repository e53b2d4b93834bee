//! Shifts and rotates. Counts are masked to 5 bits, 6 for 64-bit operands; a count of 0 changes no flag.
//! OF is defined for counts of 1 only. For others it is what Intel's processors give: that of the first step, and after
//! ROL and ROR of a register by an immediate what it was.

use super::Uint;
use crate::cpu::Flags;

#[inline(always)]
fn masked<T: Uint>(count: u8) -> u32 {
    u32::from(count) & if T::BITS == 64 { 63 } else { 31 }
}

#[inline(always)]
fn top<T: Uint>(a: T) -> bool {
    a.is_negative()
}

/// OF after one step to the left.
#[inline(always)]
fn left_overflow<T: Uint>(a: T) -> bool {
    top(a) ^ top(a << 1)
}

#[inline(always)]
fn bit<T: Uint>(a: T, n: u32) -> bool {
    n < T::BITS && (a >> n) & T::ONE == T::ONE
}

/// SHL, SAL
#[inline(always)]
pub fn shl<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let r = if n < T::BITS { a << n } else { T::ZERO };
    let cf = n <= T::BITS && bit(a, T::BITS - n);
    (r, Flags::of_result(r.sext()).with_carry_overflow(cf, left_overflow(a)))
}

/// SHR
#[inline(always)]
pub fn shr<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let r = if n < T::BITS { a >> n } else { T::ZERO };
    (r, Flags::of_result(r.sext()).with_carry_overflow(bit(a, n - 1), top(a)))
}

/// SAR
#[inline(always)]
pub fn sar<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let wide = a.sext() as i64;
    let r = T::truncate((wide >> n) as u64);
    (r, Flags::of_result(r.sext()).with_carry_overflow((wide >> (n - 1)) & 1 == 1, false))
}

/// ROL: sets CF and OF alone.
#[inline(always)]
pub fn rol<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let r = a.rotated(n);
    (r, flags.with_carry_overflow(bit(r, 0), left_overflow(a)))
}

/// ROL of a register by an immediate.
#[inline(always)]
pub fn rol_by<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    by_number(rol(a, count, flags), masked::<T>(count), flags)
}

/// ROR of a register by an immediate.
#[inline(always)]
pub fn ror_by<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    by_number(ror(a, count, flags), masked::<T>(count), flags)
}

#[inline(always)]
fn by_number<T: Uint>((r, rotated): (T, Flags), count: u32, flags: Flags) -> (T, Flags) {
    if count == 1 { (r, rotated) } else { (r, rotated.with_carry_overflow(rotated.cf(), flags.of())) }
}

/// ROR: sets CF and OF alone.
#[inline(always)]
pub fn ror<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let r = a.rotated(T::BITS - n % T::BITS);
    (r, flags.with_carry_overflow(top(r), bit(a, 0) ^ top(a)))
}

/// RCL: rotates through CF.
pub fn rcl<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count) % (T::BITS + 1);
    let (mut r, mut cf) = (a, flags.cf());
    for _ in 0..n {
        (r, cf) = ((r << 1) | T::truncate(cf.into()), top(r));
    }
    if n == 0 { (a, flags) } else { (r, flags.with_carry_overflow(cf, left_overflow(a))) }
}

/// RCR: rotates through CF.
pub fn rcr<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count) % (T::BITS + 1);
    let (mut r, mut cf) = (a, flags.cf());
    for _ in 0..n {
        let carry_in = T::truncate(cf.into()) << (T::BITS - 1);
        (r, cf) = ((r >> 1) | carry_in, bit(r, 0));
    }
    let of = top(a) ^ flags.cf();
    if n == 0 { (a, flags) } else { (r, flags.with_carry_overflow(cf, of)) }
}

/// SHLD: shifts left, filling from the top of `b`. With 16-bit operands and counts above 16 the result
/// is undefined; it is then what shifting `a:b:a` gives.
#[inline(always)]
pub fn shld<T: Uint>(a: T, b: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let (r, cf) = if n < T::BITS {
        ((a << n) | (b >> (T::BITS - n)), bit(a, T::BITS - n))
    } else {
        let n = n - T::BITS;
        let low = if n == 0 { T::ZERO } else { a >> (T::BITS - n) };
        ((b << n) | low, if n == 0 { bit(a, 0) } else { bit(b, T::BITS - n) })
    };
    (r, Flags::of_result(r.sext()).with_carry_overflow(cf, left_overflow(a)))
}

/// SHRD: shifts right, filling from the bottom of `b`. Undefined as [`shld`] is.
#[inline(always)]
pub fn shrd<T: Uint>(a: T, b: T, count: u8, flags: Flags) -> (T, Flags) {
    let n = masked::<T>(count);
    if n == 0 {
        return (a, flags);
    }
    let (r, cf) = if n < T::BITS {
        ((a >> n) | (b << (T::BITS - n)), bit(a, n - 1))
    } else {
        let n = n - T::BITS;
        let high = if n == 0 { T::ZERO } else { a << (T::BITS - n) };
        ((b >> n) | high, if n == 0 { top(a) } else { bit(b, n - 1) })
    };
    (r, Flags::of_result(r.sext()).with_carry_overflow(cf, bit(b, 0) ^ top(a)))
}

/// SHLX: no flags.
#[inline(always)]
pub fn shlx<T: Uint>(a: T, count: T) -> T {
    a << (count.zext() as u32 & (T::BITS - 1))
}

/// SHRX: no flags.
#[inline(always)]
pub fn shrx<T: Uint>(a: T, count: T) -> T {
    a >> (count.zext() as u32 & (T::BITS - 1))
}

/// SARX: no flags.
#[inline(always)]
pub fn sarx<T: Uint>(a: T, count: T) -> T {
    T::truncate(((a.sext() as i64) >> (count.zext() as u32 & (T::BITS - 1))) as u64)
}

/// RORX: no flags.
#[inline(always)]
pub fn rorx<T: Uint>(a: T, count: u8) -> T {
    let n = masked::<T>(count);
    a.rotated(T::BITS - n % T::BITS)
}
