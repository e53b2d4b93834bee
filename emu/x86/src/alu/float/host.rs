//! Vector instructions, of floats above all, carried out by the host's processor where it is one of the same kind: whole registers, in a tenth of the
//! time that exact arithmetic takes. Results and exceptions are those of the functions beside this file, bit for bit (a test
//! compares them); what the guest wants to fault on is left to those.

#![allow(unsafe_code, reason = "runs single instructions of the host; every block states why it is sound")]

use super::mxcsr::Mxcsr;

/// What an instruction reads: the first and the second source, and the third, which is its destination. The result takes the place of the
/// first.
pub(crate) type Operands = [[u128; 2]; 3];

/// The floats of a result.
#[derive(Clone, Copy)]
pub(crate) enum Numbers {
    /// None, and nothing of MXCSR: bits or integers.
    Bits,
    /// None: integers, or one of the operands.
    None,
    /// All of binary32.
    Singles,
    /// All of binary64.
    Doubles,
    /// The lowest, of binary32.
    Single,
    /// The lowest, of binary64.
    Double,
}

/// What MXCSR is of the host's, around an instruction.
#[derive(Default)]
#[repr(C)]
pub(crate) struct State {
    /// Whether `guest` is loaded before it, and after it `own`, with what `left` has of `flags`.
    before: u32,
    after: u32,
    guest: u32,
    own: u32,
    /// What the instruction leaves.
    left: u32,
    flags: u32,
}

/// An instruction on both lanes, or on the low one.
pub(crate) type Run = fn(&mut Operands, &mut State, wide: bool, imm: u8);

/// An instruction that the host carries out.
pub(crate) trait Host {
    /// What it computes.
    const NUMBERS: Numbers;
    /// Carries it out.
    const RUN: Run;
}

/// Carries an instruction out as MXCSR asks, if nothing is to fault. What MXCSR becomes, with [`Mxcsr::SLOW`] as arithmetic sets it.
#[inline(always)]
pub(crate) fn carry_out(
    (run, numbers): (Run, Numbers),
    operands: &mut Operands,
    wide: bool,
    imm: u8,
    env: Mxcsr,
) -> Option<Mxcsr> {
    const CONTROL: u32 = 3 << 13 | Mxcsr::DAZ | Mxcsr::FTZ;
    const TOLD: u32 = Mxcsr::DE | Mxcsr::UE;
    if matches!(numbers, Numbers::Bits) {
        run(operands, &mut State::default(), wide, imm);
        return Some(env);
    }
    let own = own_state();
    // Loading takes ten times as long as an instruction, and more where flags change: those stay that the guest has, too.
    let kept = own & env.0 & Mxcsr::FLAGS & !TOLD;
    let guest = Mxcsr::DEFAULT.0 | env.0 & CONTROL | kept;
    let other = (own ^ guest) & !Mxcsr::FLAGS != 0;
    let mut state = State {
        before: (own != guest).into(),
        after: other.into(),
        guest,
        own: own & !Mxcsr::FLAGS,
        left: 0,
        flags: Mxcsr::FLAGS,
    };
    run(operands, &mut state, wide, imm);
    let raised = state.left & Mxcsr::FLAGS;
    let slow = raised & TOLD != 0 || has_subnormal(numbers, operands[0], wide);
    if env.unmasked(raised) != 0 || slow && env.unmasked(TOLD) != 0 {
        return None;
    }
    Some(Mxcsr(env.0 | raised | if slow { Mxcsr::SLOW } else { 0 }))
}

#[inline(always)]
fn has_subnormal(numbers: Numbers, result: [u128; 2], wide: bool) -> bool {
    let single = |x: u128| (x as u32 & 0x7fff_ffff).wrapping_sub(1) < 0x7f_ffff;
    let double = |x: u128| (x as u64 & !(1 << 63)).wrapping_sub(1) < (1 << 52) - 1;
    let singles = |x: u128| single(x) | single(x >> 32) | single(x >> 64) | single(x >> 96);
    let doubles = |x: u128| double(x) | double(x >> 64);
    match numbers {
        Numbers::Bits | Numbers::None => false,
        Numbers::Single => single(result[0]),
        Numbers::Double => double(result[0]),
        Numbers::Singles => singles(result[0]) | (wide && singles(result[1])),
        Numbers::Doubles => doubles(result[0]) | (wide && doubles(result[1])),
    }
}

/// Tests compare with what is computed without.
#[cfg(test)]
pub(crate) static WITHOUT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether the host has all of them.
pub(crate) fn available() -> bool {
    #[cfg(test)]
    if WITHOUT.load(std::sync::atomic::Ordering::Relaxed) {
        return false;
    }
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx") && has!("avx2") && has!("fma") && has!("f16c")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The host's MXCSR.
#[inline(always)]
fn own_state() -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut state = 0_u32;
        // SAFETY: stores four bytes where there is a number of four.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
        state
    }
    #[cfg(not(target_arch = "x86_64"))]
    Mxcsr::DEFAULT.0
}

/// Two lines of assembly, on operands at `{p}`, whose result is in YMM0.
macro_rules! carry_out {
    ($operands:ident, $state:ident, $load:expr, $insn:expr) => {{
        #[cfg(target_arch = "x86_64")]
        // SAFETY: reads and writes the operands, of 96 bytes, and the state, of 24; the registers of vectors are all said to change; MXCSR
        // masks all exceptions while the instruction runs and has its rounding again afterwards. Handlers that name this are taken only where
        // the host has the instruction.
        unsafe {
            std::arch::asm!(
                "cmp dword ptr [{s}], 0", "je 2f", "ldmxcsr [{s} + 8]", "2:",
                $load,
                $insn,
                "stmxcsr [{s} + 16]",
                "cmp dword ptr [{s} + 4], 0", "je 3f",
                "mov {t:e}, [{s} + 16]", "and {t:e}, [{s} + 20]", "or [{s} + 12], {t:e}", "ldmxcsr [{s} + 12]", "3:",
                "vmovdqu [{p}], ymm0",
                "vzeroupper",
                p = in(reg) $operands.as_mut_ptr(),
                s = in(reg) std::ptr::from_mut($state),
                t = out(reg) _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack),
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = ($operands, $state, $load, $insn);
    }};
}

/// The same without MXCSR.
macro_rules! carry_out_bits {
    ($operands:ident, $load:expr, $insn:expr) => {{
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as for those with it, which these instructions neither read nor write.
        unsafe {
            std::arch::asm!(
                $load,
                $insn,
                "vmovdqu [{p}], ymm0",
                "vzeroupper",
                p = in(reg) $operands.as_mut_ptr(),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack, preserves_flags),
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = ($operands, $load, $insn);
    }};
}

/// One that has an immediate of a few bits: of one source, or of two.
macro_rules! by_immediate {
    ($name:ident $o:ident $s:ident $wide:ident $imm:ident: ($first:literal $ymm:literal $xmm:literal) $($n:literal)*) => {
        match ($imm, $wide) {
            $(
                ($n, true) => carry_out!($o, $s, $first, concat!(stringify!($name), $ymm, $n)),
                ($n, false) => carry_out!($o, $s, $first, concat!(stringify!($name), $xmm, $n)),
            )*
            _ => {}
        }
    };
}

macro_rules! host {
    ($($form:ident $numbers:ident: $($name:ident)*;)*) => {
        $($( host! { @one $form $numbers $name } )*)*
    };
    (@one $form:ident $numbers:ident $name:ident) => {
        /// The instruction of this name.
        pub(crate) struct $name;
        impl Host for $name {
            const NUMBERS: Numbers = Numbers::$numbers;
            const RUN: Run = |operands, state, wide, imm| host!(@$form $name operands state wide imm);
        }
    };
    // Both sources, both or one of the lanes.
    (@pair $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = $imm;
        if $wide {
            carry_out!($o, $s, "vmovdqu ymm0, [{p}]", concat!(stringify!($name), " ymm0, ymm0, ymmword ptr [{p} + 32]"));
        } else {
            carry_out!($o, $s, "vmovdqu xmm0, [{p}]", concat!(stringify!($name), " xmm0, xmm0, xmmword ptr [{p} + 32]"));
        }
    }};
    (@pair_of_bits $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = ($imm, $s);
        if $wide {
            carry_out_bits!($o, "vmovdqu ymm0, [{p}]", concat!(stringify!($name), " ymm0, ymm0, ymmword ptr [{p} + 32]"));
        } else {
            carry_out_bits!($o, "vmovdqu xmm0, [{p}]", concat!(stringify!($name), " xmm0, xmm0, xmmword ptr [{p} + 32]"));
        }
    }};
    (@single_of_bits $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = ($imm, $s);
        if $wide {
            carry_out_bits!($o, "", concat!(stringify!($name), " ymm0, ymmword ptr [{p} + 32]"));
        } else {
            carry_out_bits!($o, "", concat!(stringify!($name), " xmm0, xmmword ptr [{p} + 32]"));
        }
    }};
    (@rounded $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let imm = $imm & 15;
        by_immediate!($name $o $s $wide imm: ("" " ymm0, ymmword ptr [{p} + 32], " " xmm0, xmmword ptr [{p} + 32], ")
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }};
    // Both sources, by one of 32 predicates.
    (@compared $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let imm = $imm & 31;
        by_immediate!($name $o $s $wide imm: ("vmovdqu ymm0, [{p}]"
                " ymm0, ymm0, ymmword ptr [{p} + 32], " " xmm0, xmm0, xmmword ptr [{p} + 32], ")
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    }};
    // The lowest element of both; the rest is that of the first.
    (@lowest $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = ($wide, $imm);
        carry_out!($o, $s, "vmovdqu xmm0, [{p}]\nvmovdqu xmm1, [{p} + 32]", concat!(stringify!($name), " xmm0, xmm0, xmm1"));
    }};
    // The second source.
    (@single $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = $imm;
        if $wide {
            carry_out!($o, $s, "", concat!(stringify!($name), " ymm0, ymmword ptr [{p} + 32]"));
        } else {
            carry_out!($o, $s, "", concat!(stringify!($name), " xmm0, xmmword ptr [{p} + 32]"));
        }
    }};
    // The second source, each half of a lane a lane.
    (@widen $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = $imm;
        if $wide {
            carry_out!($o, $s, "vmovdqu xmm1, [{p} + 32]", concat!(stringify!($name), " ymm0, xmm1"));
        } else {
            carry_out!($o, $s, "vmovdqu xmm1, [{p} + 32]", concat!(stringify!($name), " xmm0, xmm1"));
        }
    }};
    // The second source, each lane half a lane.
    (@narrow $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = $imm;
        if $wide {
            carry_out!($o, $s, "vmovdqu ymm1, [{p} + 32]", concat!(stringify!($name), " xmm0, ymm1"));
        } else {
            carry_out!($o, $s, "vmovdqu xmm1, [{p} + 32]", concat!(stringify!($name), " xmm0, xmm1"));
        }
    }};
    // All three.
    (@fused $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = $imm;
        if $wide {
            carry_out!($o, $s, "vmovdqu ymm0, [{p} + 64]\nvmovdqu ymm1, [{p}]",
                concat!(stringify!($name), " ymm0, ymm1, ymmword ptr [{p} + 32]"));
        } else {
            carry_out!($o, $s, "vmovdqu xmm0, [{p} + 64]\nvmovdqu xmm1, [{p}]",
                concat!(stringify!($name), " xmm0, xmm1, xmmword ptr [{p} + 32]"));
        }
    }};
    // The lowest element of all three.
    (@fused_lowest $name:ident $o:ident $s:ident $wide:ident $imm:ident) => {{
        let _ = ($wide, $imm);
        carry_out!($o, $s, "vmovdqu xmm0, [{p} + 64]\nvmovdqu xmm1, [{p}]\nvmovdqu xmm2, [{p} + 32]",
            concat!(stringify!($name), " xmm0, xmm1, xmm2"));
    }};
}

host! {
    pair Singles: Vaddps Vsubps Vmulps Vdivps Vhaddps Vhsubps Vaddsubps;
    pair Doubles: Vaddpd Vsubpd Vmulpd Vdivpd Vhaddpd Vhsubpd Vaddsubpd;
    lowest Single: Vaddss Vsubss Vmulss Vdivss Vsqrtss Vcvtsd2ss;
    lowest Double: Vaddsd Vsubsd Vmulsd Vdivsd Vsqrtsd Vcvtss2sd;
    pair None: Vminps Vmaxps Vminpd Vmaxpd;
    lowest None: Vminss Vmaxss Vminsd Vmaxsd;
    single Singles: Vsqrtps;
    single Doubles: Vsqrtpd;
    single None: Vcvtps2dq Vcvttps2dq Vcvtdq2ps;
    rounded None: Vroundps Vroundpd;
    compared None: Vcmpps Vcmppd;
    pair_of_bits Bits: Vpaddb Vpaddw Vpaddd Vpaddq Vpaddsb Vpaddsw Vpaddusb Vpaddusw Vpsubb Vpsubw Vpsubd Vpsubq Vpsubsb Vpsubsw
        Vpsubusb Vpsubusw Vpminub Vpminuw Vpminud Vpminsb Vpminsw Vpminsd Vpmaxub Vpmaxuw Vpmaxud Vpmaxsb Vpmaxsw
        Vpmaxsd Vpmullw Vpmulld Vpmulhuw Vpmulhw Vpmulhrsw Vpmuludq Vpmuldq Vpavgb Vpavgw Vpsignb Vpsignw Vpsignd
        Vpmaddwd Vpmaddubsw Vpsadbw Vphaddw Vphaddd Vphaddsw Vphsubw Vphsubd Vphsubsw Vpcmpeqb Vpcmpeqw Vpcmpeqd
        Vpcmpeqq Vpcmpgtb Vpcmpgtw Vpcmpgtd Vpcmpgtq Vandpd Vandnpd Vorpd Vxorpd Vpacksswb Vpackssdw Vpackuswb
        Vpackusdw Vpunpcklbw Vpunpckhbw Vpunpcklwd Vpunpckhwd Vunpcklps Vunpckhps Vunpcklpd Vunpckhpd Vpshufb;
    single_of_bits Bits: Vpabsb Vpabsw Vpabsd Vmovsldup Vmovshdup;
    widen None: Vcvtps2pd Vcvtph2ps;
    narrow None: Vcvtpd2dq Vcvttpd2dq;
    narrow Singles: Vcvtpd2ps;
    fused Singles: Vfmadd132ps Vfmadd213ps Vfmadd231ps Vfmsub132ps Vfmsub213ps Vfmsub231ps Vfnmadd132ps Vfnmadd213ps
        Vfnmadd231ps Vfnmsub132ps Vfnmsub213ps Vfnmsub231ps Vfmaddsub132ps Vfmaddsub213ps Vfmaddsub231ps Vfmsubadd132ps
        Vfmsubadd213ps Vfmsubadd231ps;
    fused Doubles: Vfmadd132pd Vfmadd213pd Vfmadd231pd Vfmsub132pd Vfmsub213pd Vfmsub231pd Vfnmadd132pd Vfnmadd213pd
        Vfnmadd231pd Vfnmsub132pd Vfnmsub213pd Vfnmsub231pd Vfmaddsub132pd Vfmaddsub213pd Vfmaddsub231pd Vfmsubadd132pd
        Vfmsubadd213pd Vfmsubadd231pd;
    fused_lowest Single: Vfmadd132ss Vfmadd213ss Vfmadd231ss Vfmsub132ss Vfmsub213ss Vfmsub231ss Vfnmadd132ss Vfnmadd213ss
        Vfnmadd231ss Vfnmsub132ss Vfnmsub213ss Vfnmsub231ss;
    fused_lowest Double: Vfmadd132sd Vfmadd213sd Vfmadd231sd Vfmsub132sd Vfmsub213sd Vfmsub231sd Vfnmadd132sd Vfnmadd213sd
        Vfnmadd231sd Vfnmsub132sd Vfnmsub213sd Vfnmsub231sd;
}
