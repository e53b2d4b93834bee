//! Rows of the vector instructions on integers and bits, lane by lane.

use iced_x86::{Instruction, Mnemonic as M};

use super::Pick;
use crate::alu::float::Mxcsr;
use crate::alu::simd;
use crate::interp::op::Handler;

/// Arithmetic and comparisons.
#[rustfmt::skip]
pub(super) fn arithmetic(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Paddb | M::Vpaddb => pair!(simd::paddb, on Vpaddb),
        M::Paddw | M::Vpaddw => pair!(simd::paddw, on Vpaddw),
        M::Paddd | M::Vpaddd => pair!(simd::paddd, on Vpaddd),
        M::Paddq | M::Vpaddq => pair!(simd::paddq, on Vpaddq),
        M::Paddsb | M::Vpaddsb => pair!(simd::paddsb, on Vpaddsb),
        M::Paddsw | M::Vpaddsw => pair!(simd::paddsw, on Vpaddsw),
        M::Paddusb | M::Vpaddusb => pair!(simd::paddusb, on Vpaddusb),
        M::Paddusw | M::Vpaddusw => pair!(simd::paddusw, on Vpaddusw),
        M::Psubb | M::Vpsubb => pair!(simd::psubb, on Vpsubb),
        M::Psubw | M::Vpsubw => pair!(simd::psubw, on Vpsubw),
        M::Psubd | M::Vpsubd => pair!(simd::psubd, on Vpsubd),
        M::Psubq | M::Vpsubq => pair!(simd::psubq, on Vpsubq),
        M::Psubsb | M::Vpsubsb => pair!(simd::psubsb, on Vpsubsb),
        M::Psubsw | M::Vpsubsw => pair!(simd::psubsw, on Vpsubsw),
        M::Psubusb | M::Vpsubusb => pair!(simd::psubusb, on Vpsubusb),
        M::Psubusw | M::Vpsubusw => pair!(simd::psubusw, on Vpsubusw),
        M::Pminub | M::Vpminub => pair!(simd::pminub, on Vpminub),
        M::Pminuw | M::Vpminuw => pair!(simd::pminuw, on Vpminuw),
        M::Pminud | M::Vpminud => pair!(simd::pminud, on Vpminud),
        M::Pminsb | M::Vpminsb => pair!(simd::pminsb, on Vpminsb),
        M::Pminsw | M::Vpminsw => pair!(simd::pminsw, on Vpminsw),
        M::Pminsd | M::Vpminsd => pair!(simd::pminsd, on Vpminsd),
        M::Pmaxub | M::Vpmaxub => pair!(simd::pmaxub, on Vpmaxub),
        M::Pmaxuw | M::Vpmaxuw => pair!(simd::pmaxuw, on Vpmaxuw),
        M::Pmaxud | M::Vpmaxud => pair!(simd::pmaxud, on Vpmaxud),
        M::Pmaxsb | M::Vpmaxsb => pair!(simd::pmaxsb, on Vpmaxsb),
        M::Pmaxsw | M::Vpmaxsw => pair!(simd::pmaxsw, on Vpmaxsw),
        M::Pmaxsd | M::Vpmaxsd => pair!(simd::pmaxsd, on Vpmaxsd),
        M::Pmullw | M::Vpmullw => pair!(simd::pmullw, on Vpmullw),
        M::Pmulld | M::Vpmulld => pair!(simd::pmulld, on Vpmulld),
        M::Pmulhuw | M::Vpmulhuw => pair!(simd::pmulhuw, on Vpmulhuw),
        M::Pmulhw | M::Vpmulhw => pair!(simd::pmulhw, on Vpmulhw),
        M::Pmulhrsw | M::Vpmulhrsw => pair!(simd::pmulhrsw, on Vpmulhrsw),
        M::Pmuludq | M::Vpmuludq => pair!(simd::pmuludq, on Vpmuludq),
        M::Pmuldq | M::Vpmuldq => pair!(simd::pmuldq, on Vpmuldq),
        M::Pavgb | M::Vpavgb => pair!(simd::pavgb, on Vpavgb),
        M::Pavgw | M::Vpavgw => pair!(simd::pavgw, on Vpavgw),
        M::Psignb | M::Vpsignb => pair!(simd::psignb, on Vpsignb),
        M::Psignw | M::Vpsignw => pair!(simd::psignw, on Vpsignw),
        M::Psignd | M::Vpsignd => pair!(simd::psignd, on Vpsignd),
        M::Pmaddwd | M::Vpmaddwd => pair!(simd::pmaddwd, on Vpmaddwd),
        M::Pmaddubsw | M::Vpmaddubsw => pair!(simd::pmaddubsw, on Vpmaddubsw),
        M::Psadbw | M::Vpsadbw => pair!(simd::psadbw, on Vpsadbw),
        M::Phaddw | M::Vphaddw => pair!(simd::phaddw, on Vphaddw),
        M::Phaddd | M::Vphaddd => pair!(simd::phaddd, on Vphaddd),
        M::Phaddsw | M::Vphaddsw => pair!(simd::phaddsw, on Vphaddsw),
        M::Phsubw | M::Vphsubw => pair!(simd::phsubw, on Vphsubw),
        M::Phsubd | M::Vphsubd => pair!(simd::phsubd, on Vphsubd),
        M::Phsubsw | M::Vphsubsw => pair!(simd::phsubsw, on Vphsubsw),
        M::Pabsb | M::Vpabsb => single!(simd::pabsb, on Vpabsb),
        M::Pabsw | M::Vpabsw => single!(simd::pabsw, on Vpabsw),
        M::Pabsd | M::Vpabsd => single!(simd::pabsd, on Vpabsd),
        M::Phminposuw | M::Vphminposuw => single!(simd::phminposuw),
        M::Mpsadbw | M::Vmpsadbw => lane!([packed, 16, false, 3] slow_sums),
        M::Pcmpeqb | M::Vpcmpeqb => pair!(simd::pcmpeqb, on Vpcmpeqb),
        M::Pcmpeqw | M::Vpcmpeqw => pair!(simd::pcmpeqw, on Vpcmpeqw),
        M::Pcmpeqd | M::Vpcmpeqd => pair!(simd::pcmpeqd, on Vpcmpeqd),
        M::Pcmpeqq | M::Vpcmpeqq => pair!(simd::pcmpeqq, on Vpcmpeqq),
        M::Pcmpgtb | M::Vpcmpgtb => pair!(simd::pcmpgtb, on Vpcmpgtb),
        M::Pcmpgtw | M::Vpcmpgtw => pair!(simd::pcmpgtw, on Vpcmpgtw),
        M::Pcmpgtd | M::Vpcmpgtd => pair!(simd::pcmpgtd, on Vpcmpgtd),
        M::Pcmpgtq | M::Vpcmpgtq => pair!(simd::pcmpgtq, on Vpcmpgtq),
        M::Vpsllvd => pair!(simd::vpsllvd),
        M::Vpsllvq => pair!(simd::vpsllvq),
        M::Vpsrlvd => pair!(simd::vpsrlvd),
        M::Vpsrlvq => pair!(simd::vpsrlvq),
        M::Vpsravd => pair!(simd::vpsravd),
        _ => return None,
    })
}

/// Logic, shuffles and cryptography.
#[rustfmt::skip]
pub(super) fn logic_shuffle_crypto(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Pand | M::Vpand | M::Andps | M::Vandps | M::Andpd | M::Vandpd => pair!(simd::pand, on Vandpd),
        M::Pandn | M::Vpandn | M::Andnps | M::Vandnps | M::Andnpd | M::Vandnpd => pair!(simd::pandn, on Vandnpd),
        M::Por | M::Vpor | M::Orps | M::Vorps | M::Orpd | M::Vorpd => pair!(simd::por, on Vorpd),
        M::Pxor | M::Vpxor | M::Xorps | M::Vxorps | M::Xorpd | M::Vxorpd => pair!(simd::pxor, on Vxorpd),
        M::Packsswb | M::Vpacksswb => pair!(simd::packsswb, on Vpacksswb),
        M::Packssdw | M::Vpackssdw => pair!(simd::packssdw, on Vpackssdw),
        M::Packuswb | M::Vpackuswb => pair!(simd::packuswb, on Vpackuswb),
        M::Packusdw | M::Vpackusdw => pair!(simd::packusdw, on Vpackusdw),
        M::Punpcklbw | M::Vpunpcklbw => pair!(simd::punpcklbw, on Vpunpcklbw),
        M::Punpckhbw | M::Vpunpckhbw => pair!(simd::punpckhbw, on Vpunpckhbw),
        M::Punpcklwd | M::Vpunpcklwd => pair!(simd::punpcklwd, on Vpunpcklwd),
        M::Punpckhwd | M::Vpunpckhwd => pair!(simd::punpckhwd, on Vpunpckhwd),
        M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => pair!(simd::punpckldq, on Vunpcklps),
        M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => pair!(simd::punpckhdq, on Vunpckhps),
        M::Punpcklqdq | M::Vpunpcklqdq | M::Unpcklpd | M::Vunpcklpd => pair!(simd::punpcklqdq, on Vunpcklpd),
        M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => pair!(simd::punpckhqdq, on Vunpckhpd),
        M::Pshufb | M::Vpshufb => pair!(simd::pshufb, on Vpshufb),
        M::Pshufd | M::Vpshufd => single_imm!(simd::pshufd),
        M::Pshuflw | M::Vpshuflw => single_imm!(simd::pshuflw),
        M::Pshufhw | M::Vpshufhw => single_imm!(simd::pshufhw),
        M::Shufps | M::Vshufps => pair_imm!(simd::shufps),
        M::Shufpd | M::Vshufpd => pair_imm!(simd::shufpd, upper 2),
        M::Palignr | M::Vpalignr => pair_imm!(simd::palignr),
        M::Pblendw | M::Vpblendw => pair_imm!(simd::pblendw),
        M::Blendps | M::Vblendps | M::Vpblendd => pair_imm!(simd::blendps, upper 4),
        M::Blendpd | M::Vblendpd => pair_imm!(simd::blendpd, upper 2),
        M::Movsldup | M::Vmovsldup => single!(simd::movsldup, on Vmovsldup),
        M::Movshdup | M::Vmovshdup => single!(simd::movshdup, on Vmovshdup),
        M::Movddup | M::Vmovddup => movddup,
        M::Aesenc | M::Vaesenc => pair!(simd::aesenc),
        M::Aesenclast | M::Vaesenclast => pair!(simd::aesenclast),
        M::Aesdec | M::Vaesdec => pair!(simd::aesdec),
        M::Aesdeclast | M::Vaesdeclast => pair!(simd::aesdeclast),
        M::Aesimc | M::Vaesimc => single!(simd::aesimc),
        M::Aeskeygenassist | M::Vaeskeygenassist => single_imm!(simd::aeskeygenassist),
        M::Pclmulqdq | M::Vpclmulqdq => pair_imm!(simd::pclmulqdq),
        M::Sha1rnds4 => pair_imm!(simd::sha1rnds4),
        M::Sha1nexte => pair!(simd::sha1nexte),
        M::Sha1msg1 => pair!(simd::sha1msg1),
        M::Sha1msg2 => pair!(simd::sha1msg2),
        M::Sha256msg1 => pair!(simd::sha256msg1),
        M::Sha256msg2 => pair!(simd::sha256msg2),
        _ => return None,
    })
}

/// MPSADBW, which is interpreted by all engines.
fn slow_sums(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    env.raise(Mxcsr::SLOW);
    simd::mpsadbw(a, b, imm)
}

/// MOVDDUP takes 8 bytes from memory, except into YMM registers.
fn movddup(insn: &Instruction) -> Option<Handler> {
    let whole: Pick = single!(simd::movddup);
    let half: Pick = lane!([packed, 8, true, 0] | _, b, _, _ | simd::movddup(b));
    if insn.op0_register().is_ymm() { whole(insn) } else { half(insn) }
}
