//! Operand widths.

use std::fmt::Debug;
use std::ops::{BitAnd, BitOr, BitXor, Not, Shl, Shr};

/// An operand of 8, 16, 32 or 64 bits.
pub trait Uint:
    Copy
    + Debug
    + Eq
    + Ord
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + 'static
{
    /// Its bits.
    const BITS: u32;
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;

    /// The low bits of a number.
    fn truncate(n: u64) -> Self;
    /// Zero-extended.
    fn zext(self) -> u64;
    /// Sign-extended.
    fn sext(self) -> u64;
    /// Sum, modulo 2^BITS.
    fn plus(self, other: Self) -> Self;
    /// Difference, modulo 2^BITS.
    fn minus(self, other: Self) -> Self;
    /// Whether the top bit is set.
    fn is_negative(self) -> bool;
    /// Number of ones.
    fn ones(self) -> u32;
    /// Zeros above the highest one; BITS for 0.
    fn zeros_above(self) -> u32;
    /// Zeros below the lowest one; BITS for 0.
    fn zeros_below(self) -> u32;
    /// Bytes in the other order.
    fn reversed(self) -> Self;
    /// Rotated left, the count modulo BITS.
    fn rotated(self, count: u32) -> Self;
}

macro_rules! uint {
    ($($unsigned:ty, $signed:ty;)*) => { $(
        impl Uint for $unsigned {
            const BITS: u32 = <$unsigned>::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn truncate(n: u64) -> Self { n as $unsigned }
            #[inline(always)]
            fn zext(self) -> u64 { self as u64 }
            #[inline(always)]
            fn sext(self) -> u64 { self as $signed as i64 as u64 }
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn is_negative(self) -> bool { (self as $signed) < 0 }
            #[inline(always)]
            fn ones(self) -> u32 { self.count_ones() }
            #[inline(always)]
            fn zeros_above(self) -> u32 { self.leading_zeros() }
            #[inline(always)]
            fn zeros_below(self) -> u32 { self.trailing_zeros() }
            #[inline(always)]
            fn reversed(self) -> Self { self.swap_bytes() }
            #[inline(always)]
            fn rotated(self, count: u32) -> Self { self.rotate_left(count % <$unsigned>::BITS) }
        }
    )* };
}

uint! { u8, i8; u16, i16; u32, i32; u64, i64; }
