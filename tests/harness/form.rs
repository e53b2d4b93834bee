//! Forms: every instruction that iced knows and goemu supports, with random operands.

use iced_x86::{Code, Encoder, Instruction, MemoryOperand, OpCodeOperandKind as K, OpKind, Register};

use crate::{
    native::{CODE, FAR, NEAR},
    random::Random,
};

/// An encoded instruction, as it decodes again.
#[derive(Clone)]
pub struct Case {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are.
    pub insn: Instruction,
}

/// Codes that user programs may use in 64-bit mode and that goemu has a handler for, at least in one form.
pub fn codes() -> impl Iterator<Item = Code> {
    Code::values().filter(|code| {
        let mut random = Random(1);
        let op = code.op_code();
        op.is_instruction() && op.mode64() && (0..4).any(|_| case(*code, CODE, &mut random).is_some())
    })
}

/// An encoding of `code` at address `ip` with random operands; none where it cannot be encoded, is the same as
/// another code, or is not supported.
pub fn case(code: Code, ip: u64, random: &mut Random) -> Option<Case> {
    let mut insn = Instruction::default();
    insn.set_code(code);
    let op = code.op_code();
    let mut memory = false;
    for n in 0..op.op_count() {
        memory |= operand(&mut insn, n, op.op_kind(n), random)?;
    }
    if memory && op.can_use_lock_prefix() && random.one_in(2) {
        insn.set_has_lock_prefix(true);
    }
    if op.can_use_rep_prefix() && random.one_in(2) {
        insn.set_has_rep_prefix(true);
    } else if op.can_use_repne_prefix() && random.one_in(2) {
        insn.set_has_repne_prefix(true);
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&insn, ip).ok()?;
    let bytes = encoder.take_buffer();
    let decoded = iced_x86::Decoder::with_ip(64, &bytes, ip, 0).decode();
    let same = decoded.code() == code && decoded.len() == bytes.len();
    (same && goemu::interp::supports(&decoded)).then_some(Case { bytes, insn: decoded })
}

fn register(insn: &mut Instruction, n: u32, first: Register, count: u64, random: &mut Random) {
    let number = first as u32 + random.below(count) as u32;
    insn.set_op_kind(n, OpKind::Register);
    insn.set_op_register(n, Register::try_from(number as usize).expect("a register of the class"));
}

/// Sets operand `n`; whether it became memory.
fn operand(insn: &mut Instruction, n: u32, kind: K, random: &mut Random) -> Option<bool> {
    if let Some((first, count, may_be_memory)) = class(kind) {
        if may_be_memory && random.one_in(2) {
            set_memory(insn, n, Register::None, random);
            return Some(true);
        }
        register(insn, n, first, count, random);
        return Some(false);
    }
    if let Some(fixed) = fixed(kind) {
        insn.set_op_kind(n, OpKind::Register);
        insn.set_op_register(n, fixed);
        return Some(false);
    }
    if let Some(kind) = immediate(kind) {
        // The second of two is of a kind of its own.
        let second = n == 1 && insn.op0_kind() == OpKind::Immediate16;
        let kind = if second { OpKind::Immediate8_2nd } else { kind };
        insn.set_op_kind(n, kind);
        let value =
            if kind == OpKind::Immediate64 { random.integer() as i64 } else { random.integer() as i8 as i64 };
        let wide = [OpKind::Immediate32, OpKind::Immediate32to64].contains(&kind) && random.one_in(2);
        let value = if wide { i64::from(random.integer() as i32) } else { value };
        let value = match kind {
            OpKind::Immediate8 | OpKind::Immediate8_2nd => value & 0xff,
            OpKind::Immediate16 => value & 0xffff,
            OpKind::Immediate32 => value & 0xffff_ffff,
            _ => value,
        };
        set_immediate(insn, n, value as u64);
        return Some(false);
    }
    match kind {
        K::imm8_const_1 => {
            insn.set_op_kind(n, OpKind::Immediate8);
            insn.set_immediate8(1);
            return Some(false);
        }
        K::br64_1 | K::br64_4 => {
            insn.set_op_kind(n, OpKind::NearBranch64);
            insn.set_near_branch64(if kind == K::br64_1 { NEAR } else { FAR });
            return Some(false);
        }
        K::mem | K::mem_mpx | K::mem_mib | K::mem_offs => set_memory(insn, n, Register::None, random),
        K::mem_vsib32x | K::mem_vsib64x => set_memory(insn, n, Register::XMM0, random),
        K::mem_vsib32y | K::mem_vsib64y => set_memory(insn, n, Register::YMM0, random),
        K::seg_rSI => insn.set_op_kind(n, OpKind::MemorySegRSI),
        K::es_rDI => insn.set_op_kind(n, OpKind::MemoryESRDI),
        K::seg_rDI => insn.set_op_kind(n, OpKind::MemorySegRDI),
        K::seg_rBX_al => {
            insn.set_op_kind(n, OpKind::Memory);
            insn.set_memory_base(Register::RBX);
            insn.set_memory_index(Register::AL);
        }
        _ => return None,
    }
    Some(true)
}

fn set_immediate(insn: &mut Instruction, n: u32, value: u64) {
    // The encoder checks the range by the operand's kind; what does not fit it is not encoded.
    let _ = insn.try_set_immediate_u64(n, value);
}

/// First register of a class, how many there are, and whether the operand may be memory instead.
fn class(kind: K) -> Option<(Register, u64, bool)> {
    Some(match kind {
        K::r8_or_mem => (Register::AL, 20, true),
        K::r8_reg | K::r8_opcode => (Register::AL, 20, false),
        K::r16_or_mem => (Register::AX, 16, true),
        K::r16_reg | K::r16_rm | K::r16_opcode => (Register::AX, 16, false),
        K::r32_or_mem => (Register::EAX, 16, true),
        K::r32_reg | K::r32_rm | K::r32_opcode | K::r32_vvvv => (Register::EAX, 16, false),
        K::r64_or_mem => (Register::RAX, 16, true),
        K::r64_reg | K::r64_rm | K::r64_opcode | K::r64_vvvv => (Register::RAX, 16, false),
        K::mm_or_mem => (Register::MM0, 8, true),
        K::mm_reg | K::mm_rm => (Register::MM0, 8, false),
        K::xmm_or_mem => (Register::XMM0, 16, true),
        K::xmm_reg | K::xmm_rm | K::xmm_vvvv | K::xmm_is4 => (Register::XMM0, 16, false),
        K::ymm_or_mem => (Register::YMM0, 16, true),
        K::ymm_reg | K::ymm_rm | K::ymm_vvvv | K::ymm_is4 => (Register::YMM0, 16, false),
        K::sti_opcode => (Register::ST0, 8, false),
        K::bnd_or_mem_mpx => (Register::BND0, 4, true),
        K::bnd_reg => (Register::BND0, 4, false),
        K::seg_reg => (Register::ES, 6, false),
        _ => return None,
    })
}

fn fixed(kind: K) -> Option<Register> {
    Some(match kind {
        K::al => Register::AL,
        K::cl => Register::CL,
        K::ax => Register::AX,
        K::dx => Register::DX,
        K::eax => Register::EAX,
        K::rax => Register::RAX,
        K::st0 => Register::ST0,
        K::fs => Register::FS,
        K::gs => Register::GS,
        _ => return None,
    })
}

fn immediate(kind: K) -> Option<OpKind> {
    Some(match kind {
        K::imm8 => OpKind::Immediate8,
        K::imm8sex16 => OpKind::Immediate8to16,
        K::imm8sex32 => OpKind::Immediate8to32,
        K::imm8sex64 => OpKind::Immediate8to64,
        K::imm16 => OpKind::Immediate16,
        K::imm32 => OpKind::Immediate32,
        K::imm32sex64 => OpKind::Immediate32to64,
        K::imm64 => OpKind::Immediate64,
        _ => return None,
    })
}

/// A random address: base, base and index, absolute, or relative to RIP. `vector` is the first register of a vector
/// index.
fn set_memory(insn: &mut Instruction, n: u32, vector: Register, random: &mut Random) {
    if vector == Register::None && random.one_in(8) {
        insn.set_op_kind(n, OpKind::Memory);
        insn.set_memory_base(Register::RIP);
        insn.set_memory_displ_size(8);
        insn.set_memory_displacement64(displacement(Register::None, random) as u64);
        return;
    }
    // Once in a while with 32-bit registers, that is with an address-size prefix.
    let first = if random.one_in(16) { Register::EAX } else { Register::RAX };
    let gpr = |n: u64| Register::try_from(first as usize + n as usize).expect("one of 16");
    let base = gpr(random.below(16));
    let index = match gpr(random.below(16)) {
        Register::RSP | Register::ESP => Register::None,
        index => index,
    };
    let (base, index) = match (vector, random.below(4)) {
        (Register::None, 0) => (Register::None, Register::None),
        (Register::None, 1) => (base, index),
        (Register::None, _) => (base, Register::None),
        (vector, _) => {
            (base, Register::try_from(vector as usize + random.below(16) as usize).expect("one of 16"))
        }
    };
    let operand = MemoryOperand::new(
        base,
        index,
        1 << random.below(4),
        displacement(base, random),
        1,
        false,
        Register::None,
    );
    insn.set_op_kind(n, OpKind::Memory);
    insn.set_memory_base(operand.base);
    insn.set_memory_index(operand.index);
    insn.set_memory_index_scale(if operand.index == Register::None { 1 } else { operand.scale });
    insn.set_memory_displ_size(if base == Register::None { 8 } else { operand.displ_size });
    insn.set_memory_displacement64(operand.displacement as u64);
}

/// Absolute addresses are in the window; all others are brought there by the base.
fn displacement(base: Register, random: &mut Random) -> i64 {
    if base == Register::None {
        return crate::native::WINDOW as i64 + 0x1000 + random.below(64) as i64 * 16;
    }
    match random.below(3) {
        0 => 0,
        1 => i64::from(random.bits() as i8),
        _ => i64::from(random.bits() as i16),
    }
}
