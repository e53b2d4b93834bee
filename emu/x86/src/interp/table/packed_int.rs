//! Rows of the vector instructions on integers and bits, lane by lane.

use iced_x86::{Instruction, Mnemonic as M};

use super::Pick;
use crate::alu::simd;
use crate::interp::op::Handler;

/// Arithmetic and comparisons.
#[rustfmt::skip]
pub(super) fn arithmetic(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Paddb | M::Vpaddb => pair!(simd::paddb),
        M::Paddw | M::Vpaddw => pair!(simd::paddw),
        M::Paddd | M::Vpaddd => pair!(simd::paddd),
        M::Paddq | M::Vpaddq => pair!(simd::paddq),
        M::Paddsb | M::Vpaddsb => pair!(simd::paddsb),
        M::Paddsw | M::Vpaddsw => pair!(simd::paddsw),
        M::Paddusb | M::Vpaddusb => pair!(simd::paddusb),
        M::Paddusw | M::Vpaddusw => pair!(simd::paddusw),
        M::Psubb | M::Vpsubb => pair!(simd::psubb),
        M::Psubw | M::Vpsubw => pair!(simd::psubw),
        M::Psubd | M::Vpsubd => pair!(simd::psubd),
        M::Psubq | M::Vpsubq => pair!(simd::psubq),
        M::Psubsb | M::Vpsubsb => pair!(simd::psubsb),
        M::Psubsw | M::Vpsubsw => pair!(simd::psubsw),
        M::Psubusb | M::Vpsubusb => pair!(simd::psubusb),
        M::Psubusw | M::Vpsubusw => pair!(simd::psubusw),
        M::Pminub | M::Vpminub => pair!(simd::pminub),
        M::Pminuw | M::Vpminuw => pair!(simd::pminuw),
        M::Pminud | M::Vpminud => pair!(simd::pminud),
        M::Pminsb | M::Vpminsb => pair!(simd::pminsb),
        M::Pminsw | M::Vpminsw => pair!(simd::pminsw),
        M::Pminsd | M::Vpminsd => pair!(simd::pminsd),
        M::Pmaxub | M::Vpmaxub => pair!(simd::pmaxub),
        M::Pmaxuw | M::Vpmaxuw => pair!(simd::pmaxuw),
        M::Pmaxud | M::Vpmaxud => pair!(simd::pmaxud),
        M::Pmaxsb | M::Vpmaxsb => pair!(simd::pmaxsb),
        M::Pmaxsw | M::Vpmaxsw => pair!(simd::pmaxsw),
        M::Pmaxsd | M::Vpmaxsd => pair!(simd::pmaxsd),
        M::Pmullw | M::Vpmullw => pair!(simd::pmullw),
        M::Pmulld | M::Vpmulld => pair!(simd::pmulld),
        M::Pmulhuw | M::Vpmulhuw => pair!(simd::pmulhuw),
        M::Pmulhw | M::Vpmulhw => pair!(simd::pmulhw),
        M::Pmulhrsw | M::Vpmulhrsw => pair!(simd::pmulhrsw),
        M::Pmuludq | M::Vpmuludq => pair!(simd::pmuludq),
        M::Pmuldq | M::Vpmuldq => pair!(simd::pmuldq),
        M::Pavgb | M::Vpavgb => pair!(simd::pavgb),
        M::Pavgw | M::Vpavgw => pair!(simd::pavgw),
        M::Psignb | M::Vpsignb => pair!(simd::psignb),
        M::Psignw | M::Vpsignw => pair!(simd::psignw),
        M::Psignd | M::Vpsignd => pair!(simd::psignd),
        M::Pmaddwd | M::Vpmaddwd => pair!(simd::pmaddwd),
        M::Pmaddubsw | M::Vpmaddubsw => pair!(simd::pmaddubsw),
        M::Psadbw | M::Vpsadbw => pair!(simd::psadbw),
        M::Phaddw | M::Vphaddw => pair!(simd::phaddw),
        M::Phaddd | M::Vphaddd => pair!(simd::phaddd),
        M::Phaddsw | M::Vphaddsw => pair!(simd::phaddsw),
        M::Phsubw | M::Vphsubw => pair!(simd::phsubw),
        M::Phsubd | M::Vphsubd => pair!(simd::phsubd),
        M::Phsubsw | M::Vphsubsw => pair!(simd::phsubsw),
        M::Pabsb | M::Vpabsb => single!(simd::pabsb),
        M::Pabsw | M::Vpabsw => single!(simd::pabsw),
        M::Pabsd | M::Vpabsd => single!(simd::pabsd),
        M::Phminposuw | M::Vphminposuw => single!(simd::phminposuw),
        M::Mpsadbw | M::Vmpsadbw => pair_imm!(simd::mpsadbw, upper 3),
        M::Pcmpeqb | M::Vpcmpeqb => pair!(simd::pcmpeqb),
        M::Pcmpeqw | M::Vpcmpeqw => pair!(simd::pcmpeqw),
        M::Pcmpeqd | M::Vpcmpeqd => pair!(simd::pcmpeqd),
        M::Pcmpeqq | M::Vpcmpeqq => pair!(simd::pcmpeqq),
        M::Pcmpgtb | M::Vpcmpgtb => pair!(simd::pcmpgtb),
        M::Pcmpgtw | M::Vpcmpgtw => pair!(simd::pcmpgtw),
        M::Pcmpgtd | M::Vpcmpgtd => pair!(simd::pcmpgtd),
        M::Pcmpgtq | M::Vpcmpgtq => pair!(simd::pcmpgtq),
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
        M::Pand | M::Vpand | M::Andps | M::Vandps | M::Andpd | M::Vandpd => pair!(simd::pand),
        M::Pandn | M::Vpandn | M::Andnps | M::Vandnps | M::Andnpd | M::Vandnpd => pair!(simd::pandn),
        M::Por | M::Vpor | M::Orps | M::Vorps | M::Orpd | M::Vorpd => pair!(simd::por),
        M::Pxor | M::Vpxor | M::Xorps | M::Vxorps | M::Xorpd | M::Vxorpd => pair!(simd::pxor),
        M::Packsswb | M::Vpacksswb => pair!(simd::packsswb),
        M::Packssdw | M::Vpackssdw => pair!(simd::packssdw),
        M::Packuswb | M::Vpackuswb => pair!(simd::packuswb),
        M::Packusdw | M::Vpackusdw => pair!(simd::packusdw),
        M::Punpcklbw | M::Vpunpcklbw => pair!(simd::punpcklbw),
        M::Punpckhbw | M::Vpunpckhbw => pair!(simd::punpckhbw),
        M::Punpcklwd | M::Vpunpcklwd => pair!(simd::punpcklwd),
        M::Punpckhwd | M::Vpunpckhwd => pair!(simd::punpckhwd),
        M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => pair!(simd::punpckldq),
        M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => pair!(simd::punpckhdq),
        M::Punpcklqdq | M::Vpunpcklqdq | M::Unpcklpd | M::Vunpcklpd => pair!(simd::punpcklqdq),
        M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => pair!(simd::punpckhqdq),
        M::Pshufb | M::Vpshufb => pair!(simd::pshufb),
        M::Pshufd | M::Vpshufd => single_imm!(simd::pshufd),
        M::Pshuflw | M::Vpshuflw => single_imm!(simd::pshuflw),
        M::Pshufhw | M::Vpshufhw => single_imm!(simd::pshufhw),
        M::Shufps | M::Vshufps => pair_imm!(simd::shufps),
        M::Shufpd | M::Vshufpd => pair_imm!(simd::shufpd, upper 2),
        M::Palignr | M::Vpalignr => pair_imm!(simd::palignr),
        M::Pblendw | M::Vpblendw => pair_imm!(simd::pblendw),
        M::Blendps | M::Vblendps | M::Vpblendd => pair_imm!(simd::blendps, upper 4),
        M::Blendpd | M::Vblendpd => pair_imm!(simd::blendpd, upper 2),
        M::Movsldup | M::Vmovsldup => single!(simd::movsldup),
        M::Movshdup | M::Vmovshdup => single!(simd::movshdup),
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

/// MOVDDUP takes 8 bytes from memory, except into YMM registers.
fn movddup(insn: &Instruction) -> Option<Handler> {
    let whole: Pick = single!(simd::movddup);
    let half: Pick = lane!([packed, 8, true, 0] | _, b, _, _ | simd::movddup(b));
    if insn.op0_register().is_ymm() { whole(insn) } else { half(insn) }
}
