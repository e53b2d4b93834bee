//! Logic, integer comparisons, sign masks, and blends by them.

use super::element::{Element, each, zip, zip_at};

macro_rules! zipped {
    ($($(#[$doc:meta])* $name:ident: $op:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, b: u128) -> u128 {
            zip(a, b, $op)
        }
    )*};
}

zipped! {
    /// PCMPEQB: bytes of ones where equal.
    pcmpeqb: |a: u8, b: u8| if a == b { u8::MAX } else { 0 };
    /// PCMPEQW: words of ones where equal.
    pcmpeqw: |a: u16, b: u16| if a == b { u16::MAX } else { 0 };
    /// PCMPEQD: doublewords of ones where equal.
    pcmpeqd: |a: u32, b: u32| if a == b { u32::MAX } else { 0 };
    /// PCMPEQQ: quadwords of ones where equal.
    pcmpeqq: |a: u64, b: u64| if a == b { u64::MAX } else { 0 };
    /// PCMPGTB: bytes of ones where the signed `a` is greater.
    pcmpgtb: |a: i8, b: i8| if a > b { -1i8 } else { 0 };
    /// PCMPGTW: words of ones where the signed `a` is greater.
    pcmpgtw: |a: i16, b: i16| if a > b { -1i16 } else { 0 };
    /// PCMPGTD: doublewords of ones where the signed `a` is greater.
    pcmpgtd: |a: i32, b: i32| if a > b { -1i32 } else { 0 };
    /// PCMPGTQ: quadwords of ones where the signed `a` is greater.
    pcmpgtq: |a: i64, b: i64| if a > b { -1i64 } else { 0 };
}

/// PAND, ANDPS, ANDPD.
#[inline]
pub fn pand(a: u128, b: u128) -> u128 {
    a & b
}

/// PANDN, ANDNPS, ANDNPD: the first operand is the inverted one.
#[inline]
pub fn pandn(a: u128, b: u128) -> u128 {
    !a & b
}

/// POR, ORPS, ORPD.
#[inline]
pub fn por(a: u128, b: u128) -> u128 {
    a | b
}

/// PXOR, XORPS, XORPD.
#[inline]
pub fn pxor(a: u128, b: u128) -> u128 {
    a ^ b
}

fn sign_mask<T: Element + PartialOrd + Default>(a: u128) -> u32 {
    (0..T::COUNT).fold(0, |mask, i| mask | u32::from(T::get(a, i) < T::default()) << i)
}

/// PMOVMSKB: the top bits of the bytes.
pub fn pmovmskb(a: u128) -> u32 {
    // Gathers the top bits of eight bytes by one multiplication each.
    let gather = |half: u64| ((half & 0x8080_8080_8080_8080) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    (gather(a as u64) | gather((a >> 64) as u64) << 8) as u32
}

/// MOVMSKPS: the signs of the four floats.
pub fn movmskps(a: u128) -> u32 {
    sign_mask::<i32>(a)
}

/// MOVMSKPD: the signs of the two floats.
pub fn movmskpd(a: u128) -> u32 {
    sign_mask::<i64>(a)
}

fn blend<T: Element>(a: u128, b: u128, second: impl Fn(usize) -> bool) -> u128 {
    zip_at(a, b, |i, x: T, y| if second(i) { y } else { x })
}

/// PBLENDW: words of `b` where the immediate has a one.
pub fn pblendw(a: u128, b: u128, imm: u8) -> u128 {
    blend::<u16>(a, b, |i| imm >> i & 1 != 0)
}

/// BLENDPS, and VPBLENDD on a lane: doublewords of `b` where the immediate has a one.
pub fn blendps(a: u128, b: u128, imm: u8) -> u128 {
    blend::<u32>(a, b, |i| imm >> i & 1 != 0)
}

/// BLENDPD: quadwords of `b` where the immediate has a one.
pub fn blendpd(a: u128, b: u128, imm: u8) -> u128 {
    blend::<u64>(a, b, |i| imm >> i & 1 != 0)
}

/// PBLENDVB: bytes of `b` where the mask's top bit is set.
pub fn pblendvb(a: u128, b: u128, mask: u128) -> u128 {
    blend::<u8>(a, b, |i| i8::get(mask, i) < 0)
}

/// BLENDVPS: doublewords of `b` where the mask's top bit is set.
pub fn blendvps(a: u128, b: u128, mask: u128) -> u128 {
    blend::<u32>(a, b, |i| i32::get(mask, i) < 0)
}

/// BLENDVPD: quadwords of `b` where the mask's top bit is set.
pub fn blendvpd(a: u128, b: u128, mask: u128) -> u128 {
    blend::<u64>(a, b, |i| i64::get(mask, i) < 0)
}

/// The elements of all lanes as one bit each: those whose top bit is set (masked loads and stores).
pub fn mask_elements<T: Element + PartialOrd + Default>(mask: u128) -> u128 {
    each(|i| if T::get(mask, i) < T::default() { 1u8 } else { 0 }) & ((1 << (8 * T::COUNT.min(15))) - 1)
}
