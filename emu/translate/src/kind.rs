//! Which instructions the host's processor carries out for the guest, and how.

use std::sync::OnceLock;

use goemu_x86::interp::supports;
use iced_x86::{Code, CpuidFeature as F, EncodingKind, Instruction, Mnemonic as M, OpKind, Register};

/// How an instruction is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is copied, its memory operand reached through GS.
    Copied,
    /// It does nothing.
    Nothing,
    Push,
    Pop,
    Leave,
    /// MOVS or STOS, once or repeated.
    String,
    /// LEA of an address that is known: a number.
    Address,
    Jump,
    /// A conditional jump; the low bits of its opcode.
    Branch(u8),
    Call,
    Return,
    IndirectJump,
    IndirectCall,
    /// The interpreter carries it out.
    Interpreted,
}

/// The kind of an instruction that no bar forbids.
pub(crate) fn kind(insn: &Instruction) -> Kind {
    if is_string(insn) && supports(insn) {
        return Kind::String;
    }
    if !supports(insn) || has_odd_address(insn) || is_far_move(insn.code()) {
        return Kind::Interpreted;
    }
    match insn.code() {
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 => Kind::Jump,
        Code::Call_rel32_64 => Kind::Call,
        Code::Retnq | Code::Retnq_imm16 => Kind::Return,
        Code::Jmp_rm64 => Kind::IndirectJump,
        Code::Call_rm64 => Kind::IndirectCall,
        Code::Push_r64 | Code::Push_rm64 | Code::Pushq_imm8 | Code::Pushq_imm32 => Kind::Push,
        Code::Pop_r64 if insn.op0_register() != Register::RSP => Kind::Pop,
        Code::Leaveq => Kind::Leave,
        Code::Lea_r64_m | Code::Lea_r32_m if insn.is_ip_rel_memory_operand() => Kind::Address,
        code if code.is_jcc_short_or_near() => Kind::Branch(condition(insn)),
        _ => plain(insn),
    }
}

/// MOVS and STOS that go by RSI and RDI, without a segment that has a base.
fn is_string(insn: &Instruction) -> bool {
    use Code::{
        Movsb_m8_m8, Movsd_m32_m32, Movsq_m64_m64, Movsw_m16_m16, Stosb_m8_AL, Stosd_m32_EAX, Stosq_m64_RAX,
        Stosw_m16_AX,
    };
    let moves = matches!(insn.code(), Movsb_m8_m8 | Movsw_m16_m16 | Movsd_m32_m32 | Movsq_m64_m64)
        && insn.op1_kind() == OpKind::MemorySegRSI;
    let stores = matches!(insn.code(), Stosb_m8_AL | Stosw_m16_AX | Stosd_m32_EAX | Stosq_m64_RAX);
    (moves || stores)
        && insn.op0_kind() == OpKind::MemoryESRDI
        && !matches!(insn.segment_prefix(), Register::FS | Register::GS)
}

/// MOV with an address of 64 bits in the instruction.
fn is_far_move(code: Code) -> bool {
    use Code::{
        Mov_AL_moffs8, Mov_AX_moffs16, Mov_EAX_moffs32, Mov_RAX_moffs64, Mov_moffs8_AL, Mov_moffs16_AX,
        Mov_moffs32_EAX, Mov_moffs64_RAX,
    };
    matches!(
        code,
        Mov_AL_moffs8
            | Mov_AX_moffs16
            | Mov_EAX_moffs32
            | Mov_RAX_moffs64
            | Mov_moffs8_AL
            | Mov_moffs16_AX
            | Mov_moffs32_EAX
            | Mov_moffs64_RAX
    )
}

/// The condition as opcodes number it.
fn condition(insn: &Instruction) -> u8 {
    match insn.mnemonic() {
        M::Jo => 0,
        M::Jno => 1,
        M::Jb => 2,
        M::Jae => 3,
        M::Je => 4,
        M::Jne => 5,
        M::Jbe => 6,
        M::Ja => 7,
        M::Js => 8,
        M::Jns => 9,
        M::Jp => 10,
        M::Jnp => 11,
        M::Jl => 12,
        M::Jge => 13,
        M::Jle => 14,
        _ => 15,
    }
}

/// Addresses that the translator does not make: of 32 bits, with a segment's base beside registers, of many lanes, of
/// a string.
fn has_odd_address(insn: &Instruction) -> bool {
    let implied = (0..insn.op_count()).any(|n| {
        !matches!(
            insn.op_kind(n),
            OpKind::Memory
                | OpKind::Register
                | OpKind::NearBranch64
                | OpKind::Immediate8
                | OpKind::Immediate8_2nd
                | OpKind::Immediate16
                | OpKind::Immediate32
                | OpKind::Immediate64
                | OpKind::Immediate8to16
                | OpKind::Immediate8to32
                | OpKind::Immediate8to64
                | OpKind::Immediate32to64
        )
    });
    let (base, index) = (insn.memory_base(), insn.memory_index());
    let whole = |r: Register| r == Register::None || r.is_gpr64() || r == Register::RIP;
    let absolute = base == Register::None && index == Register::None;
    let short = has_memory(insn) && absolute && insn.memory_displ_size() == 4;
    let segment = match insn.segment_prefix() {
        Register::GS => true,
        Register::FS => !absolute,
        _ => false,
    };
    implied || short || !whole(base) || !whole(index) || (has_memory(insn) && segment)
}

fn plain(insn: &Instruction) -> Kind {
    if does_nothing(insn.mnemonic()) {
        return Kind::Nothing;
    }
    let fits = matches!(insn.encoding(), EncodingKind::Legacy | EncodingKind::VEX)
        && insn.cpuid_features().iter().all(|&feature| host_has(feature))
        && !touches_other_registers(insn)
        && !is_bit_string(insn)
        && (is_general(insn.mnemonic()) || is_vector(insn));
    if fits { Kind::Copied } else { Kind::Interpreted }
}

/// Segment, control and x87 registers, and those of MMX, even where they could be and memory is.
fn touches_other_registers(insn: &Instruction) -> bool {
    converts_mmx(insn.mnemonic())
        || (0..insn.op_count()).filter(|&n| insn.op_kind(n) == OpKind::Register).any(|n| {
            let register = insn.op_register(n);
            !(register.is_gpr() || register.is_xmm() || register.is_ymm())
        })
}

/// The instructions whose only operand of MMX may be memory. (`Code::op_code` would tell, but its table takes a millisecond to make.)
fn converts_mmx(mnemonic: M) -> bool {
    matches!(mnemonic, M::Cvtpi2ps | M::Cvtpi2pd)
}

/// BT and its kin find a bit far from the operand's address, where its number is in a register.
fn is_bit_string(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), M::Bt | M::Bts | M::Btr | M::Btc)
        && insn.op0_kind() == OpKind::Memory
        && insn.op1_kind() == OpKind::Register
}

#[rustfmt::skip]
fn does_nothing(mnemonic: M) -> bool {
    matches!(
        mnemonic,
        M::Nop | M::Endbr64 | M::Endbr32 | M::Prefetchnta | M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 | M::Prefetch
        | M::Prefetchw | M::Rdsspd | M::Rdsspq | M::Prefetchwt1 | M::Prefetchit0 | M::Prefetchit1 | M::Cldemote
        | M::Reservednop
    )
}

#[rustfmt::skip]
fn is_general(mnemonic: M) -> bool {
    matches!(
        mnemonic,
        M::Mov | M::Movzx | M::Movsx | M::Movsxd | M::Lea | M::Add | M::Adc | M::Sub | M::Sbb | M::And | M::Or | M::Xor
        | M::Adcx | M::Adox | M::Andn | M::Cmp | M::Test | M::Inc | M::Dec | M::Neg | M::Not | M::Shl | M::Sal | M::Shr
        | M::Sar | M::Rol | M::Ror | M::Rcl | M::Rcr | M::Shld | M::Shrd | M::Shlx | M::Shrx | M::Sarx | M::Rorx | M::Mul
        | M::Imul | M::Div | M::Idiv | M::Mulx | M::Cbw | M::Cwde | M::Cdqe | M::Cwd | M::Cdq | M::Cqo | M::Bt | M::Bts
        | M::Btr | M::Btc | M::Bsf | M::Bsr | M::Tzcnt | M::Lzcnt | M::Popcnt | M::Blsr | M::Blsi | M::Blsmsk | M::Bextr
        | M::Bzhi | M::Pdep | M::Pext | M::Bswap | M::Movbe | M::Crc32 | M::Xchg | M::Xadd | M::Cmpxchg | M::Cmpxchg8b
        | M::Cmpxchg16b | M::Cmova | M::Cmovae | M::Cmovb | M::Cmovbe | M::Cmove | M::Cmovg | M::Cmovge | M::Cmovl
        | M::Cmovle | M::Cmovne | M::Cmovno | M::Cmovnp | M::Cmovns | M::Cmovo | M::Cmovp | M::Cmovs | M::Seta | M::Setae
        | M::Setb | M::Setbe | M::Sete | M::Setg | M::Setge | M::Setl | M::Setle | M::Setne | M::Setno | M::Setnp
        | M::Setns | M::Seto | M::Setp | M::Sets | M::Stc | M::Clc | M::Cmc | M::Lahf | M::Sahf | M::Pause | M::Lfence
        | M::Mfence | M::Sfence
    )
}

/// What takes the interpreter many times as long as a processor, so that it is charged for, in every engine.
#[rustfmt::skip]
fn is_charged(mnemonic: M) -> bool {
    matches!(
        mnemonic,
        M::Dpps | M::Vdpps | M::Dppd | M::Vdppd | M::Mpsadbw | M::Vmpsadbw | M::Vcvtps2ph | M::Pcmpestri | M::Vpcmpestri
        | M::Pcmpestri64 | M::Vpcmpestri64 | M::Pcmpestrm | M::Vpcmpestrm | M::Pcmpestrm64 | M::Vpcmpestrm64
        | M::Pcmpistri | M::Vpcmpistri | M::Pcmpistrm | M::Vpcmpistrm
    )
}

/// SSE and AVX, but for what reaches memory in its own way, sets the mode, or is computed differently by each maker's
/// processors.
#[rustfmt::skip]
fn is_vector(insn: &Instruction) -> bool {
    use F::{AES, AVX, AVX2, F16C, FMA, PCLMULQDQ, SHA, SSE, SSE2, SSE3, SSE4_1, SSE4_2, SSSE3, VAES, VPCLMULQDQ};
    let of = [SSE, SSE2, SSE3, SSSE3, SSE4_1, SSE4_2, AVX, AVX2, FMA, F16C, AES, PCLMULQDQ, SHA, VAES, VPCLMULQDQ];
    let odd = matches!(
        insn.mnemonic(),
        M::Maskmovdqu | M::Vmaskmovdqu | M::Vmaskmovps | M::Vmaskmovpd | M::Vpmaskmovd | M::Vpmaskmovq | M::Ldmxcsr
        | M::Vldmxcsr | M::Stmxcsr | M::Vstmxcsr | M::Rcpps | M::Vrcpps | M::Rcpss | M::Vrcpss | M::Rsqrtps | M::Vrsqrtps
        | M::Rsqrtss | M::Vrsqrtss | M::Clflush | M::Maskmovq
    ) || is_charged(insn.mnemonic());
    !odd && !insn.is_vsib() && insn.cpuid_features().iter().any(|feature| of.contains(feature))
}

/// Features of the host beside those that translating needs.
#[rustfmt::skip]
fn host_has(feature: F) -> bool {
    static MORE: OnceLock<Vec<F>> = OnceLock::new();
    macro_rules! detect { ($($name:tt $feature:ident)*) => {
        [$((std::arch::is_x86_feature_detected!($name), F::$feature)),*]
    }; }
    let more = || {
        let all = detect!(
            "sse3" SSE3 "ssse3" SSSE3 "sse4.1" SSE4_1 "sse4.2" SSE4_2 "popcnt" POPCNT "lzcnt" LZCNT "bmi1" BMI1
            "bmi2" BMI2 "movbe" MOVBE "adx" ADX "avx" AVX "avx2" AVX2 "fma" FMA "f16c" F16C "aes" AES
            "pclmulqdq" PCLMULQDQ "sha" SHA "vaes" VAES "vpclmulqdq" VPCLMULQDQ "cmpxchg16b" CMPXCHG16B
        );
        all.into_iter().filter(|(has, _)| *has).map(|(_, feature)| feature).collect()
    };
    let always = matches!(
        feature,
        F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 | F::INTEL486 | F::X64 | F::CMOV | F::CX8 | F::SSE | F::SSE2
        | F::PAUSE | F::MULTIBYTENOP
    );
    always || MORE.get_or_init(more).contains(&feature)
}

/// Whether an instruction has an operand in memory. (LEA has one that it does not access.)
pub(crate) fn has_memory(insn: &Instruction) -> bool {
    (0..insn.op_count()).any(|n| insn.op_kind(n) == OpKind::Memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::OpCodeOperandKind as K;

    #[test]
    fn each_form_of_mmx_is_known_by_a_register_or_by_its_name() {
        let of = |code: Code| code.op_code().op_kinds();
        let forms: Vec<Code> = Code::values()
            .filter(|&code| of(code).iter().any(|kind| matches!(kind, K::mm_or_mem | K::mm_reg | K::mm_rm)))
            .collect();
        assert!(forms.len() > 100);
        let always = |code: Code| of(code).iter().any(|kind| matches!(kind, K::mm_reg | K::mm_rm));
        let unknown: Vec<Code> =
            forms.into_iter().filter(|&code| !always(code) && !converts_mmx(code.mnemonic())).collect();
        assert_eq!(unknown, Vec::<Code>::new());
    }
}
