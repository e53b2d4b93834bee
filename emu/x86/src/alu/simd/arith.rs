//! Integer arithmetic element by element: sums, products, averages, minima, signs.

use super::element::{Element, each, map, zip};

/// `fn name(a, b)` that applies an operation to every pair of elements.
macro_rules! zipped {
    ($($(#[$doc:meta])* $name:ident: $op:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, b: u128) -> u128 {
            zip(a, b, $op)
        }
    )*};
}

zipped! {
    /// PADDB: wrapping sums of bytes.
    paddb: u8::wrapping_add;
    /// PADDW: wrapping sums of words.
    paddw: u16::wrapping_add;
    /// PADDD: wrapping sums of doublewords.
    paddd: u32::wrapping_add;
    /// PADDQ: wrapping sums of quadwords.
    paddq: u64::wrapping_add;
    /// PADDSB: saturated sums of signed bytes.
    paddsb: i8::saturating_add;
    /// PADDSW: saturated sums of signed words.
    paddsw: i16::saturating_add;
    /// PADDUSB: saturated sums of unsigned bytes.
    paddusb: u8::saturating_add;
    /// PADDUSW: saturated sums of unsigned words.
    paddusw: u16::saturating_add;
    /// PSUBB: wrapping differences of bytes.
    psubb: u8::wrapping_sub;
    /// PSUBW: wrapping differences of words.
    psubw: u16::wrapping_sub;
    /// PSUBD: wrapping differences of doublewords.
    psubd: u32::wrapping_sub;
    /// PSUBQ: wrapping differences of quadwords.
    psubq: u64::wrapping_sub;
    /// PSUBSB: saturated differences of signed bytes.
    psubsb: i8::saturating_sub;
    /// PSUBSW: saturated differences of signed words.
    psubsw: i16::saturating_sub;
    /// PSUBUSB: saturated differences of unsigned bytes.
    psubusb: u8::saturating_sub;
    /// PSUBUSW: saturated differences of unsigned words.
    psubusw: u16::saturating_sub;
    /// PMINUB: the smaller unsigned bytes.
    pminub: u8::min;
    /// PMINUW: the smaller unsigned words.
    pminuw: u16::min;
    /// PMINUD: the smaller unsigned doublewords.
    pminud: u32::min;
    /// PMINSB: the smaller signed bytes.
    pminsb: i8::min;
    /// PMINSW: the smaller signed words.
    pminsw: i16::min;
    /// PMINSD: the smaller signed doublewords.
    pminsd: i32::min;
    /// PMAXUB: the larger unsigned bytes.
    pmaxub: u8::max;
    /// PMAXUW: the larger unsigned words.
    pmaxuw: u16::max;
    /// PMAXUD: the larger unsigned doublewords.
    pmaxud: u32::max;
    /// PMAXSB: the larger signed bytes.
    pmaxsb: i8::max;
    /// PMAXSW: the larger signed words.
    pmaxsw: i16::max;
    /// PMAXSD: the larger signed doublewords.
    pmaxsd: i32::max;
    /// PMULLW: low halves of the products of words.
    pmullw: u16::wrapping_mul;
    /// PMULLD: low halves of the products of doublewords.
    pmulld: u32::wrapping_mul;
    /// PMULHUW: high halves of the products of unsigned words.
    pmulhuw: |a: u16, b: u16| ((u32::from(a) * u32::from(b)) >> 16) as u16;
    /// PMULHW: high halves of the products of signed words.
    pmulhw: |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    /// PMULHRSW: products of signed fixed-point words, rounded.
    pmulhrsw: |a: i16, b: i16| ((((i32::from(a) * i32::from(b)) >> 14) + 1) >> 1) as i16;
    /// PMULUDQ: products of the even unsigned doublewords.
    pmuludq: |a: u64, b: u64| (a & 0xffff_ffff) * (b & 0xffff_ffff);
    /// PMULDQ: products of the even signed doublewords.
    pmuldq: |a: i64, b: i64| i64::from(a as i32) * i64::from(b as i32);
    /// PAVGB: averages of unsigned bytes, rounded up.
    pavgb: |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    /// PAVGW: averages of unsigned words, rounded up.
    pavgw: |a: u16, b: u16| ((u32::from(a) + u32::from(b) + 1) >> 1) as u16;
    /// PSIGNB: bytes of `a`, negated, zeroed or kept by the sign of those of `b`.
    psignb: |a: i8, b: i8| a.wrapping_mul(b.signum());
    /// PSIGNW: as PSIGNB, on words.
    psignw: |a: i16, b: i16| a.wrapping_mul(b.signum());
    /// PSIGND: as PSIGNB, on doublewords.
    psignd: |a: i32, b: i32| a.wrapping_mul(b.signum());
}

/// PABSB: magnitudes of signed bytes.
pub fn pabsb(a: u128) -> u128 {
    map(a, i8::unsigned_abs)
}

/// PABSW: magnitudes of signed words.
pub fn pabsw(a: u128) -> u128 {
    map(a, i16::unsigned_abs)
}

/// PABSD: magnitudes of signed doublewords.
pub fn pabsd(a: u128) -> u128 {
    map(a, i32::unsigned_abs)
}

/// PMADDWD: products of signed words, neighbours added.
pub fn pmaddwd(a: u128, b: u128) -> u128 {
    let product = |i| i32::from(i16::get(a, i)) * i32::from(i16::get(b, i));
    each(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

/// PMADDUBSW: unsigned bytes of `a` times signed bytes of `b`, neighbours added and saturated.
pub fn pmaddubsw(a: u128, b: u128) -> u128 {
    let product = |i| i16::from(u8::get(a, i)) * i16::from(i8::get(b, i));
    each(|i| product(2 * i).saturating_add(product(2 * i + 1)))
}

/// PSADBW: sums of the absolute differences of eight bytes each.
pub fn psadbw(a: u128, b: u128) -> u128 {
    let difference = |i| u64::from(u8::get(a, i).abs_diff(u8::get(b, i)));
    each(|half: usize| (8 * half..8 * half + 8).map(difference).sum::<u64>())
}

/// MPSADBW on one lane, with its three bits of the immediate: eight sums over a sliding window of `a`.
pub fn mpsadbw(a: u128, b: u128, imm: u8) -> u128 {
    let (window, block) = (usize::from(imm >> 2 & 1) * 4, usize::from(imm & 3) * 4);
    let difference = |i, j| u16::from(u8::get(a, window + i + j).abs_diff(u8::get(b, block + j)));
    each(|i| (0..4).map(|j| difference(i, j)).sum::<u16>())
}

/// PHMINPOSUW: the smallest word, and its place.
pub fn phminposuw(a: u128) -> u128 {
    let smallest = (0..8).map(|i| (u16::get(a, i), i)).min().unwrap_or_default();
    u128::from(smallest.0) | (smallest.1 as u128) << 16
}

fn horizontal<T: Element>(a: u128, b: u128, op: impl Fn(T, T) -> T) -> u128 {
    let half = T::COUNT / 2;
    each(|i| {
        let (source, pair) = if i < half { (a, i) } else { (b, i - half) };
        op(T::get(source, 2 * pair), T::get(source, 2 * pair + 1))
    })
}

macro_rules! horizontals {
    ($($(#[$doc:meta])* $name:ident: $op:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, b: u128) -> u128 {
            horizontal(a, b, $op)
        }
    )*};
}

horizontals! {
    /// PHADDW: sums of neighbouring words, those of `a` below those of `b`.
    phaddw: u16::wrapping_add;
    /// PHADDD: as PHADDW, on doublewords.
    phaddd: u32::wrapping_add;
    /// PHADDSW: as PHADDW, saturated.
    phaddsw: i16::saturating_add;
    /// PHSUBW: differences of neighbouring words.
    phsubw: u16::wrapping_sub;
    /// PHSUBD: differences of neighbouring doublewords.
    phsubd: u32::wrapping_sub;
    /// PHSUBSW: as PHSUBW, saturated.
    phsubsw: i16::saturating_sub;
}
