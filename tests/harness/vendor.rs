//! Where processors differ although the manual defines what happens, or where it leaves a choice: what is not compared.
//! Every exception is a row of [`RULES`], with its reason; `docs/oracle.md` lists them.

use iced_x86::{Code, CpuidFeature as F, EncodingKind, Instruction, Mnemonic as M, OpKind};

use crate::native::{State, WINDOW, X87};

/// What a rule takes out of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blur {
    /// Everything.
    All,
    /// All but whether there is a fault, where there is one.
    StateAtFault,
    /// The flags, where there is a fault.
    FlagsAtFault,
    /// Which NaN a NaN is.
    Payload,
    /// Fields of the area in memory that say where the last x87 instruction was, which bits of MXCSR exist, and which
    /// parts of the state are in use.
    Area,
    /// Condition codes and flags, where an x87 exception was not masked.
    Conditions,
    /// The x87 unit, where there is a fault.
    UnitAtFault,
    /// The last bit of an 80-bit result, whether it was rounded up, and whether it counts as inexact.
    LastBit,
    /// Everything, where goemu faults because memory is missing and the processor does not.
    Missing,
}

/// One difference between processors.
pub struct Rule {
    /// Which instructions, in words.
    pub what: &'static str,
    /// What goemu does, and what others do.
    pub why: &'static str,
    /// What is not compared.
    pub blur: Blur,
    /// Whether it is about this instruction on this state.
    pub covers: fn(&Instruction, &State) -> bool,
}

/// All of them.
pub const RULES: &[Rule] = &[
    Rule {
        what: "SHA instructions with a memory operand that is not aligned",
        why: "goemu faults (#GP), as Intel's manual has it; AMD's processors do not",
        blur: Blur::All,
        covers: |insn, _| insn.cpuid_features().contains(&F::SHA) && has_memory(insn),
    },
    Rule {
        what: "LDMXCSR, FXRSTOR, XRSTOR with bit 17 of MXCSR",
        why: "goemu faults (#GP), as on Intel's processors; on AMD's the bit exists (misaligned SSE mode)",
        blur: Blur::All,
        covers: |insn, state| {
            loads_mxcsr(insn) && loaded_mxcsr(insn, state).is_none_or(|value| value & 1 << 17 != 0)
        },
    },
    Rule {
        what: "CMPS and SCAS with REP that fault after some rounds",
        why: "goemu leaves the flags of the start, as Intel's processors; AMD's have those of the last round",
        blur: Blur::FlagsAtFault,
        covers: |insn, _| {
            let repeats = insn.has_rep_prefix() || insn.has_repne_prefix();
            repeats && format!("{:?}", insn.mnemonic()).starts_with(['C', 'S'])
        },
    },
    Rule {
        what: "gathers that fault",
        why: "the manual lets them have loaded some elements, and cleared their masks",
        blur: Blur::StateAtFault,
        covers: |insn, _| (0..insn.op_count()).any(|n| insn.op_kind(n) == OpKind::Memory && insn.is_vsib()),
    },
    Rule {
        what: "DPPS, DPPD with several NaNs",
        why: "which one the sum becomes follows from the order of the additions, which the manual does not give",
        blur: Blur::Payload,
        covers: |insn, _| matches!(insn.mnemonic(), M::Dpps | M::Dppd | M::Vdpps | M::Vdppd),
    },
    Rule {
        what: "VDPPS of two lanes that faults (#XM)",
        why: "goemu notes what one lane met whatever the other did; AMD's processors end both with the same step",
        blur: Blur::StateAtFault,
        covers: |insn, _| insn.mnemonic() == M::Vdpps && insn.op0_register().is_ymm(),
    },
    Rule {
        what: "MOVSXD to a 16-bit register from memory",
        why: "goemu reads two bytes, as Intel's manual has it; AMD's processors read four",
        blur: Blur::All,
        covers: |insn, _| insn.code() == Code::Movsxd_r16_rm16 && has_memory(insn),
    },
    Rule {
        what: "ENTER that faults",
        why: "goemu changes nothing; AMD's processors have written what comes before the missing page",
        blur: Blur::StateAtFault,
        covers: |insn, _| insn.mnemonic() == M::Enter,
    },
    Rule {
        what: "x87 stores with an exception that is not masked, to memory that is missing",
        why: "goemu reports the memory (#PF), as AMD's processors; Intel's note the exception, store nothing and go on",
        blur: Blur::Missing,
        covers: |insn, _| {
            let name = format!("{:?}", insn.mnemonic());
            ["Fst", "Fist", "Fbst"].iter().any(|prefix| name.starts_with(prefix)) && has_memory(insn)
        },
    },
    Rule {
        what: "XSAVE and its kin where a part of the area is missing",
        why: "goemu asks for the whole area, as AMD's processors; Intel's only for what they write",
        blur: Blur::Missing,
        covers: |insn, _| crate::xsave::saves(insn),
    },
    Rule {
        what: "VCVTPS2PH with an exception that is not masked, to memory that is missing",
        why: "goemu reports the memory (#PF), as AMD's processors; Intel's the exception (#XM)",
        blur: Blur::Missing,
        covers: |insn, _| insn.code().mnemonic() == M::Vcvtps2ph && has_memory(insn),
    },
    Rule {
        what: "MOVD, MOVQ, MOVNTQ of an MMX register to memory that is missing",
        why: "goemu changes nothing; Intel's processors have set the top of the x87 stack to zero",
        blur: Blur::UnitAtFault,
        covers: |insn, _| {
            matches!(insn.mnemonic(), M::Movd | M::Movq | M::Movntq) && insn.op1_register().is_mm()
        },
    },
    Rule {
        what: "FPREM, FPREM1 and FSCALE of a denormal number with underflow not masked",
        why: "goemu reports the underflow and scales the result, as AMD's processors; Intel's leave an operand that is the result as it is",
        blur: Blur::All,
        covers: |insn, state| {
            let denormal = (state.x87.st[0] >> 64) & 0x7fff == 0 && state.x87.st[0] as u64 != 0;
            let open = state.x87.control & 0x10 == 0;
            matches!(insn.mnemonic(), M::Fprem | M::Fprem1 | M::Fscale) && denormal && open
        },
    },
    Rule {
        what: "VCVTPS2PH to memory that faults",
        why: "goemu and AMD's processors leave MXCSR alone, Intel's note the conversion's exceptions",
        blur: Blur::StateAtFault,
        covers: |insn, _| insn.code().mnemonic() == M::Vcvtps2ph && has_memory(insn),
    },
    Rule {
        what: "VCVTPS2PH that faults (#XM) with underflow not masked",
        why: "goemu and AMD's processors call a tiny result inexact only if digits are lost, Intel's always",
        blur: Blur::StateAtFault,
        covers: |insn, state| insn.mnemonic() == M::Vcvtps2ph && state.mxcsr & 0x800 == 0,
    },
    Rule {
        what: "FNSTENV, FNSAVE, FXSAVE, XSAVE",
        why: "goemu keeps no address of the last x87 instruction; which parts are in use, processors decide for themselves",
        blur: Blur::Area,
        covers: |insn, _| area(insn).is_some(),
    },
    Rule {
        what: "FCOM and its kin, FTST with an exception that is not masked",
        why: "goemu leaves the condition codes or flags alone, as Intel's manual has it; AMD's processors set them",
        blur: Blur::Conditions,
        covers: |insn, _| {
            let name = format!("{:?}", insn.mnemonic());
            ["Fcom", "Fucom", "Ficom", "Ftst"].iter().any(|prefix| name.starts_with(prefix))
        },
    },
    Rule {
        what: "CVTPI2PS from memory",
        why: "goemu makes the x87 stack full, and raises its exceptions, as by any MMX instruction and in Intel's manual; AMD's processors do not",
        blur: Blur::All,
        covers: |insn, _| insn.mnemonic() == M::Cvtpi2ps && has_memory(insn),
    },
    Rule {
        what: "CVTPS2PI, CVTPD2PI, CVTPI2PS and their kin that fault (#XM)",
        why: "goemu changes nothing; AMD's processors make the x87 stack full all the same",
        blur: Blur::UnitAtFault,
        covers: |insn, _| {
            let name = format!("{:?}", insn.mnemonic());
            name.ends_with("2pi") || name.starts_with("Cvtpi2")
        },
    },
    Rule {
        what: "0F 0D with a register",
        why: "goemu does nothing, as Intel's processors; on AMD's it is no instruction (#UD)",
        blur: Blur::All,
        covers: |insn, _| {
            use Code::{
                Reservednop_rm16_r16_0F0D as A, Reservednop_rm32_r32_0F0D as B,
                Reservednop_rm64_r64_0F0D as C,
            };
            [A, B, C].contains(&insn.code())
        },
    },
    Rule {
        what: "F2XM1 beyond -1 to 1, FYL2XP1 beyond 1 - sqrt(1/2)",
        why: "the manual leaves the result open",
        blur: Blur::All,
        covers: |insn, state| {
            // The exponents of 1 and of 1/4.
            let limit = match insn.mnemonic() {
                M::F2xm1 => 0x3fff,
                M::Fyl2xp1 => 0x3ffd,
                _ => return false,
            };
            (state.x87.st[0] >> 64) as u16 & 0x7fff >= limit
        },
    },
    Rule {
        what: "FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1",
        why: "the manual promises the last bit of 64 only as far as to 1; goemu rounds the exact value",
        blur: Blur::LastBit,
        covers: |insn, _| is_transcendental(insn.mnemonic()),
    },
];

/// Whether an instruction is one of the x87 unit's transcendental functions.
pub fn is_transcendental(mnemonic: M) -> bool {
    matches!(
        mnemonic,
        M::Fsin | M::Fcos | M::Fsincos | M::Fptan | M::Fpatan | M::F2xm1 | M::Fyl2x | M::Fyl2xp1
    )
}

/// Whether one of the rules about an instruction takes this out.
pub fn blurs(insn: &Instruction, state: &State, blur: Blur) -> bool {
    RULES.iter().any(|rule| rule.blur == blur && (rule.covers)(insn, state))
}

fn has_memory(insn: &Instruction) -> bool {
    insn.op_kinds().any(|kind| kind == OpKind::Memory)
}

fn loads_mxcsr(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), M::Ldmxcsr | M::Vldmxcsr | M::Fxrstor | M::Fxrstor64 | M::Xrstor | M::Xrstor64)
}

/// The value that an instruction would load; none where it is not in the window.
fn loaded_mxcsr(insn: &Instruction, state: &State) -> Option<u32> {
    let offset = if matches!(insn.mnemonic(), M::Ldmxcsr | M::Vldmxcsr) { 0 } else { 24 };
    let at = crate::state::address(insn, state)?.wrapping_sub(WINDOW) as usize;
    let bytes = state.mem.get(at.checked_add(offset)?..at.checked_add(offset + 4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// The bytes of an area that are not compared: first and end, as offsets.
fn area(insn: &Instruction) -> Option<&'static [(usize, usize)]> {
    // Of the header, the first word says which parts are in use.
    Some(match insn.mnemonic() {
        M::Fnstenv | M::Fnsave if insn.code().encoding() != EncodingKind::Legacy => return None,
        M::Fnstenv | M::Fnsave => match insn.code() {
            Code::Fnstenv_m14byte | Code::Fnsave_m94byte => &[(6, 14)],
            _ => &[(2, 4), (6, 8), (10, 28)],
        },
        M::Fxsave | M::Fxsave64 => &[(6, 24), (28, 32), (416, 512)],
        M::Xsave | M::Xsave64 | M::Xsaveopt | M::Xsaveopt64 | M::Xsavec | M::Xsavec64 => {
            &[(6, 24), (28, 32), (416, 520)]
        }
        _ => return None,
    })
}

/// Makes the bytes of the area the same that are not compared.
pub fn blur_area(insn: &Instruction, before: &State, mem: &mut [u8]) {
    let (Some(ranges), Some(at)) = (area(insn), crate::state::address(insn, before)) else { return };
    for i in ranges.iter().flat_map(|&(first, end)| first..end) {
        if let Some(byte) = mem.get_mut((at.wrapping_sub(WINDOW) as usize).wrapping_add(i)) {
            *byte = 0;
        }
    }
}

/// Takes out of an x87 state which of two neighbours a result is: equal to `like` where they are that close.
pub fn blur_last_bit(state: &mut X87, like: &X87) {
    // C0, C1, C3; precision and underflow.
    let loose = 0x4300 | 0x30;
    state.status = state.status & !loose | like.status & loose;
    for (value, like) in state.st.iter_mut().zip(like.st) {
        let apart = value.abs_diff(like);
        // Beyond a power of two the significand starts again at its leading one.
        if apart <= 1 || apart == (1 << 63) + 1 {
            *value = like;
        }
    }
}

/// Makes NaNs the same where both are quiet NaNs, element by element.
pub fn blur_payload(insn: &Instruction, state: &mut [u128; 2], like: [u128; 2]) {
    let (bits, quiet) = match insn.mnemonic() {
        M::Dppd | M::Vdppd => (64, 0x7ff8_0000_0000_0000),
        _ => (32, 0x7fc0_0000),
    };
    for (lane, like) in state.iter_mut().zip(like) {
        for at in (0..128).step_by(bits) {
            let element = u128::from(u64::MAX >> (64 - bits)) << at;
            let nan = |x: u128| (x & element) >> at & quiet == quiet;
            if nan(*lane) && nan(like) {
                *lane = *lane & !element | like & element;
            }
        }
    }
}
