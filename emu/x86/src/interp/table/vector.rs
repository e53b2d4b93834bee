//! Rows of the vector instructions that are not lane by lane: moves, elements, masks, crossing of lanes.

use iced_x86::Mnemonic as M;

use super::{Pick, float, fma, packed_int, resize};
use crate::alu::simd;
use crate::interp::ops::{
    convert, element, gather, lanes, masked, pcmpstr, string, vmov, vshift,
    vshift::{by_bytes, shift},
};

/// All vector instructions.
pub(super) fn pick(mnemonic: M) -> Option<Pick> {
    moves(mnemonic)
        .or_else(|| packed_int::arithmetic(mnemonic))
        .or_else(|| packed_int::logic_shuffle_crypto(mnemonic))
        .or_else(|| float::arithmetic(mnemonic))
        .or_else(|| float::conversion(mnemonic))
        .or_else(|| elements(mnemonic))
        .or_else(|| shifts(mnemonic))
        .or_else(|| resize::resize(mnemonic))
        .or_else(|| crossing(mnemonic))
        .or_else(|| fma::fma(mnemonic))
        .or_else(|| fma::fma_alternating(mnemonic))
        .or_else(|| fma::by_register(mnemonic))
}

#[rustfmt::skip]
fn moves(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Movups | M::Vmovups | M::Movupd | M::Vmovupd | M::Movdqu | M::Vmovdqu | M::Lddqu | M::Vlddqu
            => vmov::whole::<false>,
        M::Movaps | M::Vmovaps | M::Movapd | M::Vmovapd | M::Movdqa | M::Vmovdqa | M::Movntdq | M::Vmovntdq
        | M::Movntdqa | M::Vmovntdqa | M::Movntps | M::Vmovntps | M::Movntpd | M::Vmovntpd
            => vmov::whole::<true>,
        M::Movd | M::Vmovd | M::Movq | M::Vmovq => vmov::movd,
        M::Movss | M::Vmovss => vmov::scalar::<u32>,
        // The string instruction MOVSD shares its name with SSE2's.
        M::Movsd => |insn| string::string(insn).or_else(|| vmov::scalar::<u64>(insn)),
        M::Vmovsd => vmov::scalar::<u64>,
        M::Movlps | M::Vmovlps | M::Movlpd | M::Vmovlpd => vmov::low_half,
        M::Movhps | M::Vmovhps | M::Movhpd | M::Vmovhpd => vmov::high_half,
        M::Movhlps | M::Vmovhlps => vmov::movhlps,
        M::Movlhps | M::Vmovlhps => vmov::movlhps,
        M::Movnti => vmov::movnti,
        M::Vzeroupper => vmov::vzeroupper,
        M::Vzeroall => vmov::vzeroall,
        _ => return None,
    })
}

#[rustfmt::skip]
fn elements(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Pinsrb | M::Vpinsrb => element::insert::<u8>,
        M::Pinsrw | M::Vpinsrw => element::insert::<u16>,
        M::Pinsrd | M::Vpinsrd => element::insert::<u32>,
        M::Pinsrq | M::Vpinsrq => element::insert::<u64>,
        M::Pextrb | M::Vpextrb => element::extract::<u8>,
        M::Pextrw | M::Vpextrw => element::extract::<u16>,
        M::Pextrd | M::Vpextrd | M::Extractps | M::Vextractps => element::extract::<u32>,
        M::Pextrq | M::Vpextrq => element::extract::<u64>,
        M::Insertps | M::Vinsertps => element::insertps,
        M::Pmovmskb | M::Vpmovmskb => element::mask::<element::Bytes>,
        M::Movmskps | M::Vmovmskps => element::mask::<element::Singles>,
        M::Movmskpd | M::Vmovmskpd => element::mask::<element::Doubles>,
        M::Ptest | M::Vptest => element::test::<element::AllBits>,
        M::Vtestps => element::test::<element::SingleSigns>,
        M::Vtestpd => element::test::<element::DoubleSigns>,
        M::Ucomiss | M::Vucomiss => convert::compare::<u32, false>,
        M::Ucomisd | M::Vucomisd => convert::compare::<u64, false>,
        M::Comiss | M::Vcomiss => convert::compare::<u32, true>,
        M::Comisd | M::Vcomisd => convert::compare::<u64, true>,
        M::Cvtsi2ss | M::Vcvtsi2ss => convert::from_integer::<u32>,
        M::Cvtsi2sd | M::Vcvtsi2sd => convert::from_integer::<u64>,
        M::Cvtss2si | M::Vcvtss2si => convert::to_integer::<u32, false>,
        M::Cvtsd2si | M::Vcvtsd2si => convert::to_integer::<u64, false>,
        M::Cvttss2si | M::Vcvttss2si => convert::to_integer::<u32, true>,
        M::Cvttsd2si | M::Vcvttsd2si => convert::to_integer::<u64, true>,
        M::Pcmpestri | M::Vpcmpestri | M::Pcmpestri64 | M::Vpcmpestri64 => pcmpstr::index::<true>,
        M::Pcmpistri | M::Vpcmpistri => pcmpstr::index::<false>,
        M::Pcmpestrm | M::Vpcmpestrm | M::Pcmpestrm64 | M::Vpcmpestrm64 => pcmpstr::mask::<true>,
        M::Pcmpistrm | M::Vpcmpistrm => pcmpstr::mask::<false>,
        _ => return None,
    })
}

/// A row whose shape is `$shape`, for a function of a lane and a count.
macro_rules! shifted {
    ($shape:ident, $count:ty, $f:path) => {{
        struct Row;
        impl vshift::Shift<$count> for Row {
            #[inline(always)]
            fn apply(a: u128, count: $count) -> u128 {
                $f(a, count)
            }
        }
        $shape::<Row>
    }};
}

#[rustfmt::skip]
fn shifts(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Psllw | M::Vpsllw => shifted!(shift, u64, simd::psllw),
        M::Pslld | M::Vpslld => shifted!(shift, u64, simd::pslld),
        M::Psllq | M::Vpsllq => shifted!(shift, u64, simd::psllq),
        M::Psrlw | M::Vpsrlw => shifted!(shift, u64, simd::psrlw),
        M::Psrld | M::Vpsrld => shifted!(shift, u64, simd::psrld),
        M::Psrlq | M::Vpsrlq => shifted!(shift, u64, simd::psrlq),
        M::Psraw | M::Vpsraw => shifted!(shift, u64, simd::psraw),
        M::Psrad | M::Vpsrad => shifted!(shift, u64, simd::psrad),
        M::Pslldq | M::Vpslldq => shifted!(by_bytes, u8, simd::pslldq),
        M::Psrldq | M::Vpsrldq => shifted!(by_bytes, u8, simd::psrldq),
        _ => return None,
    })
}

#[rustfmt::skip]
fn crossing(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Vperm2f128 | M::Vperm2i128 => lanes::pair::<lanes::Perm2>,
        M::Vpermd | M::Vpermps => lanes::pair::<lanes::PermD>,
        M::Vpermq | M::Vpermpd => lanes::vpermq,
        M::Vpermilps => lanes::vpermilps,
        M::Vpermilpd => lanes::vpermilpd,
        M::Vinsertf128 | M::Vinserti128 => lanes::insert,
        M::Vextractf128 | M::Vextracti128 => lanes::extract,
        M::Vpbroadcastb => lanes::broadcast::<u8>,
        M::Vpbroadcastw => lanes::broadcast::<u16>,
        M::Vpbroadcastd | M::Vbroadcastss => lanes::broadcast::<u32>,
        M::Vpbroadcastq | M::Vbroadcastsd => lanes::broadcast::<u64>,
        M::Vbroadcastf128 | M::Vbroadcasti128 => lanes::broadcast128,
        M::Maskmovdqu | M::Vmaskmovdqu => masked::maskmovdqu,
        M::Vmaskmovps | M::Vpmaskmovd => masked::maskmov::<u32>,
        M::Vmaskmovpd | M::Vpmaskmovq => masked::maskmov::<u64>,
        M::Vpgatherdd | M::Vgatherdps => gather::gather::<u32, i32>,
        M::Vpgatherqd | M::Vgatherqps => gather::gather::<u32, i64>,
        M::Vpgatherdq | M::Vgatherdpd => gather::gather::<u64, i32>,
        M::Vpgatherqq | M::Vgatherqpd => gather::gather::<u64, i64>,
        _ => return None,
    })
}
