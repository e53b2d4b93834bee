//! Rows of the vector instructions whose elements change their size.

use iced_x86::Mnemonic as M;

use super::Pick;
use crate::alu::float::{self, Mxcsr, Rounding, host};
use crate::alu::simd::{self, Element, each};
use crate::interp::ops::packed::Load;
use crate::interp::ops::resize::{Narrow, Widen, narrow_on, narrow_store, widen, widen_on};

/// A row for `|a, upper, env| …`; before it the bytes of a memory operand for one lane and for two.
macro_rules! widened {
    ($bytes:literal, $wide:literal, $widen:expr $(, on $host:ident)?) => {{
        struct Row;
        impl Widen for Row {
            type Mem = Load<$bytes>;
            type WideMem = Load<$wide>;
            fn apply(a: u128, upper: usize, env: &mut Mxcsr) -> u128 {
                let widen: fn(u128, usize, &mut Mxcsr) -> u128 = $widen;
                widen(a, upper, env)
            }
        }
        widened!(@pick Row $($host)?)
    }};
    (@pick $row:ident) => { widen::<$row> };
    (@pick $row:ident $host:ident) => { widen_on::<$row, host::$host> };
}

/// `f(a, from)`, where a lane takes `$count` elements, which are `$bytes` in memory, two lanes' `$wide`.
macro_rules! integers {
    ($f:path, $count:literal, $bytes:literal, $wide:literal) => {
        widened!($bytes, $wide, |a, upper, _| $f(a, upper * $count))
    };
}

macro_rules! narrowed {
    ($shape:ident, $narrow:expr $(, on $host:ident)?) => {{
        struct Row;
        impl Narrow for Row {
            fn apply(a: u128, imm: u8, env: &mut Mxcsr) -> u64 {
                let narrow: fn(u128, u8, &mut Mxcsr) -> u64 = $narrow;
                narrow(a, imm, env)
            }
        }
        $shape::<Row $(, host::$host)?>
    }};
}

#[rustfmt::skip]
pub(super) fn resize(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Pmovsxbw | M::Vpmovsxbw => integers!(simd::pmovsxbw, 8, 8, 16),
        M::Pmovsxbd | M::Vpmovsxbd => integers!(simd::pmovsxbd, 4, 4, 8),
        M::Pmovsxbq | M::Vpmovsxbq => integers!(simd::pmovsxbq, 2, 2, 4),
        M::Pmovsxwd | M::Vpmovsxwd => integers!(simd::pmovsxwd, 4, 8, 16),
        M::Pmovsxwq | M::Vpmovsxwq => integers!(simd::pmovsxwq, 2, 4, 8),
        M::Pmovsxdq | M::Vpmovsxdq => integers!(simd::pmovsxdq, 2, 8, 16),
        M::Pmovzxbw | M::Vpmovzxbw => integers!(simd::pmovzxbw, 8, 8, 16),
        M::Pmovzxbd | M::Vpmovzxbd => integers!(simd::pmovzxbd, 4, 4, 8),
        M::Pmovzxbq | M::Vpmovzxbq => integers!(simd::pmovzxbq, 2, 2, 4),
        M::Pmovzxwd | M::Vpmovzxwd => integers!(simd::pmovzxwd, 4, 8, 16),
        M::Pmovzxwq | M::Vpmovzxwq => integers!(simd::pmovzxwq, 2, 4, 8),
        M::Pmovzxdq | M::Vpmovzxdq => integers!(simd::pmovzxdq, 2, 8, 16),
        M::Cvtps2pd | M::Vcvtps2pd =>
            widened!(8, 16, |a, upper, env| each(|i| float::from_single(u32::get(a, 2 * upper + i), env)), on Vcvtps2pd),
        M::Cvtdq2pd | M::Vcvtdq2pd =>
            widened!(8, 16, |a, upper, env| each(|i| float::from_i32::<u64>(i32::get(a, 2 * upper + i), env))),
        M::Vcvtph2ps =>
            widened!(8, 16, |a, upper, env| each(|i| float::from_half(u16::get(a, 4 * upper + i), env)), on Vcvtph2ps),
        M::Cvtpd2ps | M::Vcvtpd2ps => narrowed!(narrow_on, |a, _, env| pair(a, |x| float::to_single(x, env)), on Vcvtpd2ps),
        M::Cvtpd2dq | M::Vcvtpd2dq =>
            narrowed!(narrow_on, |a, _, env| pair(a, |x| float::to_i32(x, env.rounding(), env) as u32), on Vcvtpd2dq),
        M::Cvttpd2dq | M::Vcvttpd2dq =>
            narrowed!(narrow_on, |a, _, env| pair(a, |x| float::to_i32(x, Rounding::Zero, env) as u32), on Vcvttpd2dq),
        M::Vcvtps2ph => narrowed!(narrow_store, halves),
        _ => return None,
    })
}

/// Both quadwords of a lane as doublewords.
fn pair(a: u128, mut narrow: impl FnMut(u64) -> u32) -> u64 {
    let low = narrow(u64::get(a, 0));
    u64::from(low) | u64::from(narrow(u64::get(a, 1))) << 32
}

/// VCVTPS2PH, which is interpreted by all engines. Bit 2 of the immediate asks for MXCSR's rounding.
fn halves(a: u128, imm: u8, env: &mut Mxcsr) -> u64 {
    env.raise(Mxcsr::SLOW);
    let rounding = if imm & 4 != 0 { env.rounding() } else { Rounding::from_field(imm.into()) };
    (0..4).fold(0, |half, i| half | u64::from(float::to_half(u32::get(a, i), rounding, env)) << (16 * i))
}
