//! Products and quotients. SF, ZF, AF and PF are undefined after a product: SF and PF are then those of the low half, ZF and AF
//! clear, as on Intel's processors. All flags are undefined after a division, which leaves them alone.

use super::Uint;
use crate::cpu::Flags;

/// MUL: (low half, high half, flags). CF and OF say whether the high half is needed.
#[inline(always)]
pub fn mul<T: Uint>(a: T, b: T) -> (T, T, Flags) {
    let wide = u128::from(a.zext()) * u128::from(b.zext());
    let (low, high) = halves::<T>(wide);
    let needed = high != T::ZERO;
    (low, high, of_low(low).with_carry_overflow(needed, needed))
}

/// IMUL: (low half, high half, flags). CF and OF say whether the high half is more than sign.
#[inline(always)]
pub fn imul<T: Uint>(a: T, b: T) -> (T, T, Flags) {
    let wide = i128::from(a.sext() as i64) * i128::from(b.sext() as i64);
    let (low, high) = halves::<T>(wide as u128);
    let needed = wide != i128::from(low.sext() as i64);
    (low, high, of_low(low).with_carry_overflow(needed, needed))
}

/// SF and PF of a low half, ZF clear.
#[inline(always)]
fn of_low<T: Uint>(low: T) -> Flags {
    Flags::of_result(low.sext() | u64::from(low == T::ZERO) << 8)
}

#[inline(always)]
fn halves<T: Uint>(wide: u128) -> (T, T) {
    (T::truncate(wide as u64), T::truncate((wide >> T::BITS) as u64))
}

/// DIV of high:low: (quotient, remainder). `None` for a divisor of 0 or a quotient that does not fit.
#[inline(always)]
pub fn div<T: Uint>(high: T, low: T, divisor: T) -> Option<(T, T)> {
    if high == T::ZERO {
        let (a, b) = (low.zext(), divisor.zext());
        return Some((T::truncate(a.checked_div(b)?), T::truncate(a % b)));
    }
    let wide = u128::from(high.zext()) << T::BITS | u128::from(low.zext());
    let quotient = wide.checked_div(divisor.zext().into())?;
    let fits = quotient >> T::BITS == 0;
    fits.then(|| (T::truncate(quotient as u64), T::truncate((wide % u128::from(divisor.zext())) as u64)))
}

/// IDIV of high:low: (quotient, remainder), rounded towards zero. `None` as for [`div`].
#[inline(always)]
pub fn idiv<T: Uint>(high: T, low: T, divisor: T) -> Option<(T, T)> {
    let wide = i128::from(high.sext() as i64) << T::BITS | i128::from(low.zext());
    let by = i128::from(divisor.sext() as i64);
    let narrow = |n: i128| T::truncate(n as u64);
    if let (Ok(a), Ok(b)) = (i64::try_from(wide), i64::try_from(by)) {
        let quotient = a.checked_div(b)?;
        let fits = T::truncate(quotient as u64).sext() as i64 == quotient;
        return fits.then(|| (T::truncate(quotient as u64), T::truncate((a % b) as u64)));
    }
    let quotient = wide.checked_div(by)?;
    let fits = i128::from(narrow(quotient).sext() as i64) == quotient;
    fits.then(|| (narrow(quotient), narrow(wide % by)))
}
