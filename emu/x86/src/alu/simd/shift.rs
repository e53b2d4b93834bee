//! Shifts: all elements by one count, each by its own (AVX2), and whole lanes by bytes.

use super::element::{map, zip};

/// `fn name(a, count)`: every element by the same count; counts of the width and more empty it (or leave the
/// sign only).
macro_rules! shifts {
    ($($(#[$doc:meta])* $name:ident: $element:ty, $shift:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, count: u64) -> u128 {
            map(a, |x: $element| $shift(x, count))
        }
    )*};
}

/// `fn name(a, counts)`: every element by its own count.
macro_rules! variable_shifts {
    ($($(#[$doc:meta])* $name:ident: $element:ty, $unsigned:ty, $shift:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, counts: u128) -> u128 {
            zip(a, counts, |x: $element, count: $element| $shift(x, u64::from(count as $unsigned)))
        }
    )*};
}

fn in_range(count: u64) -> u32 {
    count.min(255) as u32
}

fn left16(x: u16, count: u64) -> u16 {
    x.checked_shl(in_range(count)).unwrap_or(0)
}

fn left32(x: u32, count: u64) -> u32 {
    x.checked_shl(in_range(count)).unwrap_or(0)
}

fn left64(x: u64, count: u64) -> u64 {
    x.checked_shl(in_range(count)).unwrap_or(0)
}

fn right16(x: u16, count: u64) -> u16 {
    x.checked_shr(in_range(count)).unwrap_or(0)
}

fn right32(x: u32, count: u64) -> u32 {
    x.checked_shr(in_range(count)).unwrap_or(0)
}

fn right64(x: u64, count: u64) -> u64 {
    x.checked_shr(in_range(count)).unwrap_or(0)
}

fn signed16(x: i16, count: u64) -> i16 {
    x >> count.min(15)
}

fn signed32(x: i32, count: u64) -> i32 {
    x >> count.min(31)
}

shifts! {
    /// PSLLW: words to the left.
    psllw: u16, left16;
    /// PSLLD: doublewords to the left.
    pslld: u32, left32;
    /// PSLLQ: quadwords to the left.
    psllq: u64, left64;
    /// PSRLW: words to the right.
    psrlw: u16, right16;
    /// PSRLD: doublewords to the right.
    psrld: u32, right32;
    /// PSRLQ: quadwords to the right.
    psrlq: u64, right64;
    /// PSRAW: signed words to the right.
    psraw: i16, signed16;
    /// PSRAD: signed doublewords to the right.
    psrad: i32, signed32;
}

variable_shifts! {
    /// VPSLLVD: doublewords to the left, each by its own count.
    vpsllvd: u32, u32, left32;
    /// VPSLLVQ: quadwords to the left, each by its own count.
    vpsllvq: u64, u64, left64;
    /// VPSRLVD: doublewords to the right, each by its own count.
    vpsrlvd: u32, u32, right32;
    /// VPSRLVQ: quadwords to the right, each by its own count.
    vpsrlvq: u64, u64, right64;
    /// VPSRAVD: signed doublewords to the right, each by its own count.
    vpsravd: i32, u32, signed32;
}

/// PSLLDQ: the lane to the left by bytes.
pub fn pslldq(a: u128, bytes: u8) -> u128 {
    a.checked_shl(u32::from(bytes) * 8).unwrap_or(0)
}

/// PSRLDQ: the lane to the right by bytes.
pub fn psrldq(a: u128, bytes: u8) -> u128 {
    a.checked_shr(u32::from(bytes) * 8).unwrap_or(0)
}

/// PALIGNR: sixteen bytes out of `a` (high) and `b` (low), from byte `imm` on.
pub fn palignr(a: u128, b: u128, imm: u8) -> u128 {
    match imm {
        0..16 => psrldq(b, imm) | pslldq(a, 16 - imm),
        _ => psrldq(a, imm - 16),
    }
}
