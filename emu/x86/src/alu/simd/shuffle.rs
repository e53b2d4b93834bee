//! Shuffles inside a lane, and inserting and extracting elements.

use super::element::{Element, each, zip_at};

/// PSHUFD, VPERMILPS by immediate: each doubleword chosen by two bits.
pub fn pshufd(a: u128, imm: u8) -> u128 {
    each(|i| u32::get(a, usize::from(imm >> (2 * i) & 3)))
}

/// PSHUFLW: the low four words each chosen by two bits.
pub fn pshuflw(a: u128, imm: u8) -> u128 {
    each(|i| u16::get(a, if i < 4 { usize::from(imm >> (2 * i) & 3) } else { i }))
}

/// PSHUFHW: the high four words each chosen by two bits.
pub fn pshufhw(a: u128, imm: u8) -> u128 {
    each(|i| u16::get(a, if i < 4 { i } else { 4 + usize::from(imm >> (2 * (i - 4)) & 3) }))
}

/// PSHUFB: each byte chosen by the low four bits of its place in `b`, or zero where the top bit is set.
pub fn pshufb(a: u128, b: u128) -> u128 {
    let (table, chosen) = (a.to_le_bytes(), b.to_le_bytes());
    u128::from_le_bytes(chosen.map(|c| if c & 0x80 != 0 { 0 } else { table[usize::from(c & 0xf)] }))
}

/// SHUFPS: two doublewords of `a`, then two of `b`.
pub fn shufps(a: u128, b: u128, imm: u8) -> u128 {
    each(|i| u32::get(if i < 2 { a } else { b }, usize::from(imm >> (2 * i) & 3)))
}

/// SHUFPD on one lane, with its two bits of the immediate: one quadword of `a`, then one of `b`.
pub fn shufpd(a: u128, b: u128, imm: u8) -> u128 {
    each(|i| u64::get(if i == 0 { a } else { b }, usize::from(imm >> i & 1)))
}

/// VPERMILPS by register: each doubleword chosen by the low two bits of its place in `control`.
pub fn vpermilps(a: u128, control: u128) -> u128 {
    each(|i| u32::get(a, (u32::get(control, i) & 3) as usize))
}

/// VPERMILPD by register: each quadword chosen by bit 1 of its place in `control`.
pub fn vpermilpd(a: u128, control: u128) -> u128 {
    each(|i| u64::get(a, (u64::get(control, i) >> 1 & 1) as usize))
}

/// MOVSLDUP: the even doublewords twice.
pub fn movsldup(a: u128) -> u128 {
    each(|i| u32::get(a, i & !1))
}

/// MOVSHDUP: the odd doublewords twice.
pub fn movshdup(a: u128) -> u128 {
    each(|i| u32::get(a, i | 1))
}

/// MOVDDUP: the low quadword twice.
pub fn movddup(a: u128) -> u128 {
    each(|_| a as u64)
}

/// The lane with element `i` replaced; the index is taken modulo the number of elements (PINSRB and its kin).
pub fn insert<T: Element>(a: u128, value: T, i: u8) -> u128 {
    let place = usize::from(i) % T::COUNT;
    zip_at(a, value.at(place), |i, x: T, y| if i == place { y } else { x })
}

/// Element `i`, taken modulo the number of elements (PEXTRB and its kin).
pub fn extract<T: Element>(a: u128, i: u8) -> T {
    T::get(a, usize::from(i) % T::COUNT)
}

/// INSERTPS: a doubleword into the place that bits 4 and 5 name, then zeros where the low four bits say so. The
/// caller has chosen the doubleword: by bits 6 and 7 from a register, or the one in memory.
pub fn insertps(a: u128, value: u32, imm: u8) -> u128 {
    let inserted = insert(a, value, imm >> 4 & 3);
    each(|i| if imm >> i & 1 != 0 { 0 } else { u32::get(inserted, i) })
}
