//! Sums, differences, logic.
//!
//! A sum's carries follow from operands and result alone: there is a carry out of a bit where both
//! operands have it, or one has it and the result does not.

use super::Uint;
use crate::cpu::Flags;

#[inline(always)]
fn sum<T: Uint>(a: T, b: T, r: T) -> Flags {
    let carries = (a & b) | ((a | b) & !r);
    Flags::of_sum(r.sext(), carries.zext(), T::BITS)
}

#[inline(always)]
fn difference<T: Uint>(a: T, b: T, r: T) -> Flags {
    let borrows = (!a & b) | ((!a | b) & r);
    Flags::of_sum(r.sext(), borrows.zext(), T::BITS)
}

/// ADD
#[inline(always)]
pub fn add<T: Uint>(a: T, b: T, _: Flags) -> (T, Flags) {
    let r = a.plus(b);
    (r, sum(a, b, r))
}

/// ADC: with CF.
#[inline(always)]
pub fn adc<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags) {
    let r = a.plus(b).plus(T::truncate(flags.cf().into()));
    (r, sum(a, b, r))
}

/// SUB, CMP
#[inline(always)]
pub fn sub<T: Uint>(a: T, b: T, _: Flags) -> (T, Flags) {
    let r = a.minus(b);
    (r, difference(a, b, r))
}

/// SBB: with CF.
#[inline(always)]
pub fn sbb<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags) {
    let r = a.minus(b).minus(T::truncate(flags.cf().into()));
    (r, difference(a, b, r))
}

/// AND, TEST
#[inline(always)]
pub fn and<T: Uint>(a: T, b: T, _: Flags) -> (T, Flags) {
    (a & b, Flags::of_result((a & b).sext()))
}

/// OR
#[inline(always)]
pub fn or<T: Uint>(a: T, b: T, _: Flags) -> (T, Flags) {
    (a | b, Flags::of_result((a | b).sext()))
}

/// XOR
#[inline(always)]
pub fn xor<T: Uint>(a: T, b: T, _: Flags) -> (T, Flags) {
    (a ^ b, Flags::of_result((a ^ b).sext()))
}

/// ADCX: adds with CF and sets nothing else.
#[inline(always)]
pub fn adcx<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags) {
    let (r, after) = adc(a, b, flags);
    (r, flags.with_carry(after.cf()))
}

/// ADOX: adds with OF as the carry and sets nothing else.
#[inline(always)]
pub fn adox<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags) {
    let (r, after) = adc(a, b, flags.with_carry(flags.of()));
    (r, flags.with_carry_overflow(flags.cf(), after.cf()))
}

/// ANDN: the first operand inverted; AF and PF are undefined, and clear as on Intel's processors.
#[inline(always)]
pub fn andn<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags) {
    let (r, flags) = and(!a, b, flags);
    (r, flags.without_parity())
}

/// INC: keeps CF.
#[inline(always)]
pub fn inc<T: Uint>(a: T, flags: Flags) -> (T, Flags) {
    let (r, after) = add(a, T::ONE, flags);
    (r, after.with_carry(flags.cf()))
}

/// DEC: keeps CF.
#[inline(always)]
pub fn dec<T: Uint>(a: T, flags: Flags) -> (T, Flags) {
    let (r, after) = sub(a, T::ONE, flags);
    (r, after.with_carry(flags.cf()))
}

/// NEG
#[inline(always)]
pub fn neg<T: Uint>(a: T, flags: Flags) -> (T, Flags) {
    sub(T::ZERO, a, flags)
}

/// NOT: no flags.
#[inline(always)]
pub fn not<T: Uint>(a: T, flags: Flags) -> (T, Flags) {
    (!a, flags)
}
