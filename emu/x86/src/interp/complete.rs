//! Every feature that CPUID shows is complete: all of its instructions have rows.

use iced_x86::{Code, CpuidFeature as F, EncodingKind, Mnemonic as M, OpCodeOperandKind as K};

use super::table;
use crate::cpu::cpuid::BITS;

#[test]
fn what_cpuid_shows_is_complete() {
    let shown = BITS.iter().flat_map(|bit| bit.4).chain(&[F::XSAVEOPT, F::XSAVEC]);
    let incomplete: Vec<&F> = shown.filter(|feature| !complete(**feature)).collect();
    assert_eq!(incomplete, Vec::<&F>::new());
}

/// Whether all user-mode instructions of a feature have rows. Instructions on MMX registers count for MMX, and those on the
/// x87 stack for FPU, whichever extension added them.
fn complete(feature: F) -> bool {
    let of_feature = |code: &Code| code.cpuid_features().contains(&feature);
    Code::values().filter(of_feature).filter(|code| counts(*code, feature)).all(has_row)
}

fn has_row(code: Code) -> bool {
    table::pick(code.mnemonic(), on_mmx(code)).is_some()
}

fn on_mmx(code: Code) -> bool {
    code.op_code().op_kinds().iter().any(|kind| matches!(kind, K::mm_or_mem | K::mm_reg | K::mm_rm))
}

fn counts(code: Code, feature: F) -> bool {
    let op = code.op_code();
    let encoded = matches!(op.encoding(), EncodingKind::Legacy | EncodingKind::VEX);
    let on_x87 = code.cpuid_features().contains(&F::FPU);
    // A form of several features, such as VEX-encoded GFNI, counts for the last one only.
    let last = code.cpuid_features().last() == Some(&feature);
    op.is_instruction()
        && op.mode64()
        && encoded
        && last
        && !op.must_be_cpl0()
        && !reserved(code)
        && (!on_mmx(code) || feature == F::MMX)
        && (!on_x87 || feature == F::FPU)
}

/// Encodings that the decoder knows and no manual defines, and mnemonics that stand for WAIT and a second instruction.
fn reserved(code: Code) -> bool {
    let two = matches!(
        code.mnemonic(),
        M::Fstenv | M::Fsave | M::Fstcw | M::Fstsw | M::Fclex | M::Finit | M::Feni | M::Fdisi | M::Fsetpm
    );
    two || matches!(
        code,
        Code::Prefetchreserved3_m8
            | Code::Prefetchreserved4_m8
            | Code::Prefetchreserved5_m8
            | Code::Prefetchreserved6_m8
            | Code::Prefetchreserved7_m8
            | Code::Fstpnce_sti
    )
}
