//! Rows of the floating-point vector instructions, lane by lane.

use iced_x86::{Instruction, Mnemonic as M};

use super::Pick;
use crate::alu::{
    float::{self, Float, HostFloat, Mxcsr, Rounding},
    simd::{Element, first, map, with_first, zip},
};
use crate::interp::{op::Handler, ops::string};

/// Arithmetic.
#[rustfmt::skip]
pub(super) fn arithmetic(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Addps | M::Vaddps => each_pair!(u32, float::add, on Vaddps),
        M::Addpd | M::Vaddpd => each_pair!(u64, float::add, on Vaddpd),
        M::Addss | M::Vaddss => one_pair!(u32, float::add, on Vaddss),
        M::Addsd | M::Vaddsd => one_pair!(u64, float::add, on Vaddsd),
        M::Subps | M::Vsubps => each_pair!(u32, float::sub, on Vsubps),
        M::Subpd | M::Vsubpd => each_pair!(u64, float::sub, on Vsubpd),
        M::Subss | M::Vsubss => one_pair!(u32, float::sub, on Vsubss),
        M::Subsd | M::Vsubsd => one_pair!(u64, float::sub, on Vsubsd),
        M::Mulps | M::Vmulps => each_pair!(u32, float::mul, on Vmulps),
        M::Mulpd | M::Vmulpd => each_pair!(u64, float::mul, on Vmulpd),
        M::Mulss | M::Vmulss => one_pair!(u32, float::mul, on Vmulss),
        M::Mulsd | M::Vmulsd => one_pair!(u64, float::mul, on Vmulsd),
        M::Divps | M::Vdivps => each_pair!(u32, float::div, on Vdivps),
        M::Divpd | M::Vdivpd => each_pair!(u64, float::div, on Vdivpd),
        M::Divss | M::Vdivss => one_pair!(u32, float::div, on Vdivss),
        M::Divsd | M::Vdivsd => one_pair!(u64, float::div, on Vdivsd),
        M::Minps | M::Vminps => each_pair!(u32, float::min, on Vminps),
        M::Minpd | M::Vminpd => each_pair!(u64, float::min, on Vminpd),
        M::Minss | M::Vminss => one_pair!(u32, float::min, on Vminss),
        M::Minsd | M::Vminsd => one_pair!(u64, float::min, on Vminsd),
        M::Maxps | M::Vmaxps => each_pair!(u32, float::max, on Vmaxps),
        M::Maxpd | M::Vmaxpd => each_pair!(u64, float::max, on Vmaxpd),
        M::Maxss | M::Vmaxss => one_pair!(u32, float::max, on Vmaxss),
        M::Maxsd | M::Vmaxsd => one_pair!(u64, float::max, on Vmaxsd),
        M::Sqrtps | M::Vsqrtps => each_single!(u32, float::sqrt, on Vsqrtps),
        M::Sqrtpd | M::Vsqrtpd => each_single!(u64, float::sqrt, on Vsqrtpd),
        M::Sqrtss | M::Vsqrtss => one_single!(u32, float::sqrt, on Vsqrtss),
        M::Sqrtsd | M::Vsqrtsd => one_single!(u64, float::sqrt, on Vsqrtsd),
        M::Rcpps | M::Vrcpps => lane_single!(|_, b, _, _| map(b, float::reciprocal)),
        M::Rcpss | M::Vrcpss => lane_scalar!(u32, |a, b, _, _| with_first(a, float::reciprocal(first(b)))),
        M::Rsqrtps | M::Vrsqrtps => lane_single!(|_, b, _, _| map(b, float::reciprocal_sqrt)),
        M::Rsqrtss | M::Vrsqrtss => lane_scalar!(u32, |a, b, _, _| with_first(a, float::reciprocal_sqrt(first(b)))),
        M::Haddps | M::Vhaddps => lane!(|a, b, _, env| float::horizontal::<u32>(a, b, float::add, env), on Vhaddps),
        M::Haddpd | M::Vhaddpd => lane!(|a, b, _, env| float::horizontal::<u64>(a, b, float::add, env), on Vhaddpd),
        M::Hsubps | M::Vhsubps => lane!(|a, b, _, env| float::horizontal::<u32>(a, b, float::sub, env), on Vhsubps),
        M::Hsubpd | M::Vhsubpd => lane!(|a, b, _, env| float::horizontal::<u64>(a, b, float::sub, env), on Vhsubpd),
        M::Addsubps | M::Vaddsubps => lane!(|a, b, _, env| float::alternate::<u32>(a, b, env), on Vaddsubps),
        M::Addsubpd | M::Vaddsubpd => lane!(|a, b, _, env| float::alternate::<u64>(a, b, env), on Vaddsubpd),
        M::Dpps | M::Vdpps => lane!(slow_dot::<u32>),
        M::Dppd | M::Vdppd => lane!(slow_dot::<u64>),
        _ => return None,
    })
}

/// DPPS and DPPD, which are interpreted by all engines.
fn slow_dot<F: HostFloat + Element>(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    env.raise(Mxcsr::SLOW);
    float::dot::<F>(a, b, imm, env)
}

/// Comparisons, rounding, conversions between elements of one size.
#[rustfmt::skip]
pub(super) fn conversion(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Cmpps => lane!(|a, b, imm, env| compare_all::<u32>(a, b, imm & 7, env)),
        M::Cmppd => lane!(|a, b, imm, env| compare_all::<u64>(a, b, imm & 7, env)),
        M::Cmpss => lane_scalar!(u32, |a, b, imm, env| compare_first::<u32>(a, b, imm & 7, env)),
        M::Cmpsd => cmpsd,
        M::Vcmpps => lane!(|a, b, imm, env| compare_all::<u32>(a, b, imm & 31, env), on Vcmpps),
        M::Vcmppd => lane!(|a, b, imm, env| compare_all::<u64>(a, b, imm & 31, env), on Vcmppd),
        M::Vcmpss => lane_scalar!(u32, |a, b, imm, env| compare_first::<u32>(a, b, imm & 31, env)),
        M::Vcmpsd => lane_scalar!(u64, |a, b, imm, env| compare_first::<u64>(a, b, imm & 31, env)),
        M::Roundps | M::Vroundps => lane_single!(|_, b, imm, env| map(b, |x: u32| round(x, imm, env)), on Vroundps),
        M::Roundpd | M::Vroundpd => lane_single!(|_, b, imm, env| map(b, |x: u64| round(x, imm, env)), on Vroundpd),
        M::Roundss | M::Vroundss => lane_scalar!(u32, |a, b, imm, env| with_first(a, round::<u32>(first(b), imm, env))),
        M::Roundsd | M::Vroundsd => lane_scalar!(u64, |a, b, imm, env| with_first(a, round::<u64>(first(b), imm, env))),
        M::Cvtdq2ps | M::Vcvtdq2ps => lane_single!(|_, b, _, env| map(b, |x| float::from_i32::<u32>(x, env)), on Vcvtdq2ps),
        M::Cvtps2dq | M::Vcvtps2dq => each_single!(u32, nearby, on Vcvtps2dq),
        M::Cvttps2dq | M::Vcvttps2dq => each_single!(u32, truncated, on Vcvttps2dq),
        M::Cvtss2sd | M::Vcvtss2sd => one_single!(u32, float::from_single, on Vcvtss2sd),
        M::Cvtsd2ss | M::Vcvtsd2ss => one_single!(u64, float::to_single, on Vcvtsd2ss),
        _ => return None,
    })
}

/// CMPSD of SSE2; the string instruction of that name has no vector operand.
fn cmpsd(insn: &Instruction) -> Option<Handler> {
    let vector: Pick = lane_scalar!(u64, |a, b, imm, env| compare_first::<u64>(a, b, imm & 7, env));
    if insn.is_string_instruction() { string::string(insn) } else { vector(insn) }
}

fn compare_all<F: Float + Element>(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    zip(a, b, |x: F, y| compare(x, y, imm, env))
}

fn compare_first<F: Float + Element>(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    with_first(a, compare::<F>(first(a), first(b), imm, env))
}

/// All ones where the predicate holds.
fn compare<F: Float>(x: F, y: F, imm: u8, env: &mut Mxcsr) -> F {
    F::from_bits(if float::predicate(x, y, imm, env) { u64::MAX } else { 0 })
}

/// ROUNDPS and its kin: bit 2 asks for MXCSR's rounding, bit 3 leaves "inexact" unnoted.
fn round<F: Float>(x: F, imm: u8, env: &mut Mxcsr) -> F {
    let rounding = if imm & 4 != 0 { env.rounding() } else { Rounding::from_field(imm.into()) };
    float::round_to_integral(x, rounding, imm & 8 != 0, env)
}

fn nearby(x: u32, env: &mut Mxcsr) -> i32 {
    float::to_i32(x, env.rounding(), env)
}

fn truncated(x: u32, env: &mut Mxcsr) -> i32 {
    float::to_i32(x, Rounding::Zero, env)
}
