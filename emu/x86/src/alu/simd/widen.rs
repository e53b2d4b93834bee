//! Widening: PMOVSX and PMOVZX. The source is the low part of `a`; element `from` on serves the upper lane of
//! the 256-bit forms.

use super::element::{Element, each};

macro_rules! widenings {
    ($($(#[$doc:meta])* $name:ident: $from:ty => $to:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(a: u128, from: usize) -> u128 {
            each(|i| <$to>::from(<$from>::get(a, from + i)))
        }
    )*};
}

widenings! {
    /// PMOVSXBW: signed bytes to words.
    pmovsxbw: i8 => i16;
    /// PMOVSXBD: signed bytes to doublewords.
    pmovsxbd: i8 => i32;
    /// PMOVSXBQ: signed bytes to quadwords.
    pmovsxbq: i8 => i64;
    /// PMOVSXWD: signed words to doublewords.
    pmovsxwd: i16 => i32;
    /// PMOVSXWQ: signed words to quadwords.
    pmovsxwq: i16 => i64;
    /// PMOVSXDQ: signed doublewords to quadwords.
    pmovsxdq: i32 => i64;
    /// PMOVZXBW: unsigned bytes to words.
    pmovzxbw: u8 => u16;
    /// PMOVZXBD: unsigned bytes to doublewords.
    pmovzxbd: u8 => u32;
    /// PMOVZXBQ: unsigned bytes to quadwords.
    pmovzxbq: u8 => u64;
    /// PMOVZXWD: unsigned words to doublewords.
    pmovzxwd: u16 => u32;
    /// PMOVZXWQ: unsigned words to quadwords.
    pmovzxwq: u16 => u64;
    /// PMOVZXDQ: unsigned doublewords to quadwords.
    pmovzxdq: u32 => u64;
}
