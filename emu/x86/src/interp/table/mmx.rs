//! Rows of the instructions on MMX registers. Most share their name with one on XMM registers.

use iced_x86::{Instruction, Mnemonic as M};

use super::Pick;
use crate::alu::simd;
use crate::interp::ops::mmx::{self, Mmx};

/// Whether an instruction has an MMX register, or had one where it has memory.
pub(super) fn is_mmx(insn: &Instruction) -> bool {
    (0..insn.op_count().min(3)).any(|n| insn.op_register(n).is_mm())
}

/// A row for `|a, b, imm| …` on 64 bits; before it the function that picks the handler, where it is not `mmx`.
macro_rules! row {
    ($f:expr) => {
        row!(mmx, $f)
    };
    ($pick:ident, $f:expr) => {{
        struct Row;
        impl Mmx for Row {
            fn apply(a: u64, b: u64, imm: u8) -> u64 {
                let f: fn(u64, u64, u8) -> u64 = $f;
                f(a, b, imm)
            }
        }
        mmx::$pick::<Row>
    }};
}

/// What an instruction of SSE does to the low half of a lane.
macro_rules! half {
    ($f:path) => {
        row!(|a, b, _| $f(a.into(), b.into()) as u64)
    };
}

/// The low halves of both operands, of which the second may be in memory by itself.
macro_rules! low {
    ($f:path) => {
        row!(low, |a, b, _| $f(a.into(), b.into()) as u64)
    };
}

/// Both operands are one lane: half of what the instruction of SSE does with it and with nothing.
macro_rules! both {
    ($f:path) => {
        row!(|a, b, _| $f(u128::from(b) << 64 | u128::from(a), 0) as u64)
    };
}

/// The upper halves interleaved are the upper half of the lower halves' interleaving.
macro_rules! upper {
    ($f:path) => {
        row!(|a, b, _| ($f(a.into(), b.into()) >> 64) as u64)
    };
}

macro_rules! shift {
    ($f:path) => {
        row!(shift, |a, count, _| $f(a.into(), count) as u64)
    };
}

macro_rules! single {
    ($f:path) => {
        row!(|_, b, _| $f(b.into()) as u64)
    };
}

/// Rows for mnemonics that MMX shares with SSE; the instruction has an MMX register.
pub(super) fn shared(mnemonic: M) -> Option<Pick> {
    arithmetic(mnemonic).or_else(|| arrangement(mnemonic))
}

/// Rows for mnemonics that MMX has alone.
#[rustfmt::skip]
pub(super) fn pick(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Emms => mmx::emms,
        M::Pshufw => row!(|_, b, imm| simd::pshuflw(b.into(), imm) as u64),
        M::Movntq => mmx::moves,
        M::Movq2dq | M::Movdq2q => mmx::between,
        M::Maskmovq => mmx::maskmovq,
        M::Cvtpi2ps | M::Cvtpi2pd => mmx::from_integers,
        M::Cvtps2pi | M::Cvttps2pi | M::Cvtpd2pi | M::Cvttpd2pi => mmx::to_integers,
        _ => return None,
    })
}

#[rustfmt::skip]
fn arithmetic(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Paddb => half!(simd::paddb),
        M::Paddw => half!(simd::paddw),
        M::Paddd => half!(simd::paddd),
        M::Paddq => half!(simd::paddq),
        M::Paddsb => half!(simd::paddsb),
        M::Paddsw => half!(simd::paddsw),
        M::Paddusb => half!(simd::paddusb),
        M::Paddusw => half!(simd::paddusw),
        M::Psubb => half!(simd::psubb),
        M::Psubw => half!(simd::psubw),
        M::Psubd => half!(simd::psubd),
        M::Psubq => half!(simd::psubq),
        M::Psubsb => half!(simd::psubsb),
        M::Psubsw => half!(simd::psubsw),
        M::Psubusb => half!(simd::psubusb),
        M::Psubusw => half!(simd::psubusw),
        M::Pminub => half!(simd::pminub),
        M::Pminsw => half!(simd::pminsw),
        M::Pmaxub => half!(simd::pmaxub),
        M::Pmaxsw => half!(simd::pmaxsw),
        M::Pmullw => half!(simd::pmullw),
        M::Pmulhuw => half!(simd::pmulhuw),
        M::Pmulhw => half!(simd::pmulhw),
        M::Pmulhrsw => half!(simd::pmulhrsw),
        M::Pmuludq => half!(simd::pmuludq),
        M::Pavgb => half!(simd::pavgb),
        M::Pavgw => half!(simd::pavgw),
        M::Psignb => half!(simd::psignb),
        M::Psignw => half!(simd::psignw),
        M::Psignd => half!(simd::psignd),
        M::Pabsb => single!(simd::pabsb),
        M::Pabsw => single!(simd::pabsw),
        M::Pabsd => single!(simd::pabsd),
        M::Pmaddwd => half!(simd::pmaddwd),
        M::Pmaddubsw => half!(simd::pmaddubsw),
        M::Psadbw => half!(simd::psadbw),
        M::Phaddw => both!(simd::phaddw),
        M::Phaddd => both!(simd::phaddd),
        M::Phaddsw => both!(simd::phaddsw),
        M::Phsubw => both!(simd::phsubw),
        M::Phsubd => both!(simd::phsubd),
        M::Phsubsw => both!(simd::phsubsw),
        M::Pcmpeqb => half!(simd::pcmpeqb),
        M::Pcmpeqw => half!(simd::pcmpeqw),
        M::Pcmpeqd => half!(simd::pcmpeqd),
        M::Pcmpgtb => half!(simd::pcmpgtb),
        M::Pcmpgtw => half!(simd::pcmpgtw),
        M::Pcmpgtd => half!(simd::pcmpgtd),
        M::Psllw => shift!(simd::psllw),
        M::Pslld => shift!(simd::pslld),
        M::Psllq => shift!(simd::psllq),
        M::Psrlw => shift!(simd::psrlw),
        M::Psrld => shift!(simd::psrld),
        M::Psrlq => shift!(simd::psrlq),
        M::Psraw => shift!(simd::psraw),
        M::Psrad => shift!(simd::psrad),
        _ => return None,
    })
}

#[rustfmt::skip]
fn arrangement(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Pand => half!(simd::pand),
        M::Pandn => half!(simd::pandn),
        M::Por => half!(simd::por),
        M::Pxor => half!(simd::pxor),
        M::Packsswb => both!(simd::packsswb),
        M::Packssdw => both!(simd::packssdw),
        M::Packuswb => both!(simd::packuswb),
        M::Punpcklbw => low!(simd::punpcklbw),
        M::Punpcklwd => low!(simd::punpcklwd),
        M::Punpckldq => low!(simd::punpckldq),
        M::Punpckhbw => upper!(simd::punpcklbw),
        M::Punpckhwd => upper!(simd::punpcklwd),
        M::Punpckhdq => upper!(simd::punpckldq),
        // Of an index, bit 7 and the three that eight bytes need count.
        M::Pshufb => row!(|a, b, _| simd::pshufb(a.into(), (b & 0x8787_8787_8787_8787).into()) as u64),
        M::Palignr => row!(|a, b, imm| {
            let pair = u128::from(a) << 64 | u128::from(b);
            pair.checked_shr(8 * u32::from(imm)).unwrap_or(0) as u64
        }),
        M::Movd | M::Movq => mmx::moves,
        M::Pinsrw | M::Pextrw | M::Pmovmskb => mmx::elements,
        _ => return None,
    })
}
