//! Narrowing with saturation, and interleaving.

use super::element::{Element, each};

fn pack<T: Element, R: Element>(a: u128, b: u128, narrow: impl Fn(T) -> R) -> u128 {
    each(|i| narrow(if i < T::COUNT { T::get(a, i) } else { T::get(b, i - T::COUNT) }))
}

/// PACKSSWB: signed words to signed bytes.
pub fn packsswb(a: u128, b: u128) -> u128 {
    pack(a, b, |x: i16| x.clamp(i8::MIN.into(), i8::MAX.into()) as i8)
}

/// PACKSSDW: signed doublewords to signed words.
pub fn packssdw(a: u128, b: u128) -> u128 {
    pack(a, b, |x: i32| x.clamp(i16::MIN.into(), i16::MAX.into()) as i16)
}

/// PACKUSWB: signed words to unsigned bytes.
pub fn packuswb(a: u128, b: u128) -> u128 {
    pack(a, b, |x: i16| x.clamp(0, u8::MAX.into()) as u8)
}

/// PACKUSDW: signed doublewords to unsigned words.
pub fn packusdw(a: u128, b: u128) -> u128 {
    pack(a, b, |x: i32| x.clamp(0, u16::MAX.into()) as u16)
}

/// Elements of `a` and `b` in turn, from element `from` on.
fn interleave<T: Element>(a: u128, b: u128, from: usize) -> u128 {
    each(|i| T::get(if i % 2 == 0 { a } else { b }, from + i / 2))
}

macro_rules! unpacks {
    ($($(#[$doc:meta])* $low:ident, $high:ident: $element:ty;)*) => {$(
        $(#[$doc])*
        pub fn $low(a: u128, b: u128) -> u128 {
            interleave::<$element>(a, b, 0)
        }

        $(#[$doc])*
        pub fn $high(a: u128, b: u128) -> u128 {
            interleave::<$element>(a, b, <$element>::COUNT / 2)
        }
    )*};
}

unpacks! {
    /// Interleaves the bytes of the low (PUNPCKLBW) or the high halves (PUNPCKHBW).
    punpcklbw, punpckhbw: u8;
    /// Interleaves the words of the low (PUNPCKLWD) or the high halves (PUNPCKHWD).
    punpcklwd, punpckhwd: u16;
    /// Interleaves the doublewords of the low (PUNPCKLDQ, UNPCKLPS) or the high halves (PUNPCKHDQ, UNPCKHPS).
    punpckldq, punpckhdq: u32;
    /// The low (PUNPCKLQDQ, UNPCKLPD) or the high quadwords (PUNPCKHQDQ, UNPCKHPD) of both.
    punpcklqdq, punpckhqdq: u64;
}
