//! One instruction: its text, and what it changed.

use std::fmt::Write;

use iced_x86::{
    ConditionCode, FlowControl, Instruction, InstructionInfoFactory, OpAccess, Register, RflagsBits,
    UsedMemory,
};

use crate::cpu::{Cpu, Rflags};
use crate::decode::MAX_INSN;
use crate::disasm::go_syntax;
use crate::memory::Memory;
use crate::observe::View;

/// Columns of a line: after the address, where the instruction and its effects begin.
const NAME_WIDTH: usize = 26;
const TEXT_WIDTH: usize = 38;

/// What is the same each time an instruction runs.
pub(super) struct Prepared {
    insn: Instruction,
    /// Address, function and offset, instruction.
    text: String,
    /// Registers that it writes, in full width.
    writes: Vec<Register>,
    memory: Vec<UsedMemory>,
    /// Flags that it reads.
    reads_flags: u32,
}

/// What was seen of an instruction before it ran.
pub(super) struct Effects {
    /// Its memory operands: where, how many bytes, whether they are written, what was there.
    memory: Vec<Operand>,
    flags: String,
    /// Bytes that the stack has left above the guard, where the instruction compares them.
    margin: Option<i64>,
}

struct Operand {
    addr: u64,
    size: usize,
    written: bool,
    read: bool,
    before: Option<u128>,
}

/// What an instruction did.
pub(super) struct Done {
    pub(super) text: String,
    pub(super) margin: Option<i64>,
    /// Memory that it wrote: address, bytes.
    pub(super) written: Vec<(u64, usize)>,
}

impl Prepared {
    pub(super) fn new(at: &View<'_>, insn: &Instruction) -> Prepared {
        let mut bytes = [0; MAX_INSN];
        let len = at.memory.fetch(insn.ip(), &mut bytes).unwrap_or(0);
        let place = match at.image.func_at(insn.ip()) {
            Some(func) => format!("{}+{:#x}", func.name(), insn.ip() - func.entry()),
            None => String::new(),
        };
        let code = go_syntax(insn, &bytes[..len.min(insn.len())], at.image);
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(insn);
        let mut writes: Vec<Register> = Vec::new();
        for used in info.used_registers() {
            let register = used.register().full_register();
            if is_write(used.access()) && shown(register) && !writes.contains(&register) {
                writes.push(register);
            }
        }
        Prepared {
            insn: *insn,
            text: format!("  {:#x}  {place:<NAME_WIDTH$}  {code:<TEXT_WIDTH$}", insn.ip()),
            writes,
            memory: info.used_memory().to_vec(),
            reads_flags: insn.rflags_read() & 0xff,
        }
    }

    /// Whether the bytes at this address are still this instruction.
    pub(super) fn is_of(&self, insn: &Instruction) -> bool {
        self.insn == *insn && self.insn.len() == insn.len()
    }

    /// The whole line.
    pub(super) fn line(&self, effects: &str) -> String {
        format!("{}  {effects}", self.text).trim_end().to_owned()
    }

    pub(super) fn before(&self, at: &View<'_>) -> Effects {
        let memory: Vec<Operand> = self.memory.iter().filter_map(|used| operand(at, used)).collect();
        let guard = at.g.wrapping_add(at.image.facts().g.stackguard0);
        let is_check = self.insn.mnemonic() == iced_x86::Mnemonic::Cmp;
        let margin = memory
            .iter()
            .find(|m| is_check && m.addr == guard && m.size == 8)
            .and_then(|m| Some((other(at.cpu, &self.insn)? as i64).wrapping_sub(m.before? as i64)));
        Effects { memory, flags: flags_text(at.cpu, self.reads_flags, &self.insn), margin }
    }

    pub(super) fn after(&self, at: &View<'_>, effects: Effects) -> Done {
        let mut parts = Vec::new();
        for register in &self.writes {
            parts.push(register_text(at.cpu, *register));
        }
        let mut written = Vec::new();
        for operand in &effects.memory {
            if operand.written {
                written.push((operand.addr, operand.size));
                let now = load(at.memory, operand.addr, operand.size);
                parts.push(memory_text(operand.addr, now));
            } else if operand.read && self.writes.is_empty() {
                parts.push(memory_text(operand.addr, operand.before));
            }
        }
        if !effects.flags.is_empty() {
            parts.push(effects.flags);
        }
        if self.insn.flow_control() == FlowControl::ConditionalBranch {
            let taken = at.cpu.rip != self.insn.next_ip();
            parts.push(if taken { "taken" } else { "not taken" }.to_owned());
        }
        Done { text: parts.join("  "), margin: effects.margin, written }
    }
}

impl Effects {
    /// The effects of an instruction that left before its end.
    pub(super) fn unfinished(&self) -> String {
        self.flags.clone()
    }
}

fn is_write(access: OpAccess) -> bool {
    use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    matches!(access, Write | ReadWrite | CondWrite | ReadCondWrite)
}

fn shown(register: Register) -> bool {
    register.is_gpr() || register.is_vector_register()
}

fn operand(at: &View<'_>, used: &UsedMemory) -> Option<Operand> {
    let read = matches!(
        used.access(),
        OpAccess::Read | OpAccess::ReadWrite | OpAccess::CondRead | OpAccess::ReadCondWrite
    );
    let written = is_write(used.access());
    let size = used.memory_size().size();
    if !(read || written) || size == 0 {
        return None;
    }
    let addr = used.virtual_address(0, |register, _, _| Some(value(at.cpu, register)))?;
    Some(Operand { addr, size, written, read, before: load(at.memory, addr, size) })
}

/// A register's value for an address: segments are their bases.
fn value(cpu: &Cpu, register: Register) -> u64 {
    match register {
        Register::FS => cpu.fs_base,
        Register::GS => cpu.gs_base,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        other => cpu.get(other),
    }
}

/// The operand of a comparison that is not memory.
fn other(cpu: &Cpu, insn: &Instruction) -> Option<u64> {
    let register = [insn.op0_register(), insn.op1_register()].into_iter().find(|r| r.is_gpr64())?;
    Some(cpu.get(register))
}

fn load(memory: &Memory, addr: u64, size: usize) -> Option<u128> {
    let mut bytes = [0; 16];
    let part = bytes.get_mut(..size)?;
    memory.read_bytes(addr, part).ok()?;
    Some(u128::from_le_bytes(bytes))
}

fn memory_text(addr: u64, value: Option<u128>) -> String {
    match value {
        Some(value) => format!("[{addr:#x}]={value:#x}"),
        None => format!("[{addr:#x}]"),
    }
}

fn register_text(cpu: &Cpu, register: Register) -> String {
    if register.is_vector_register() {
        let n = register.number();
        let [low, high] = cpu.ymm.get(n).copied().unwrap_or_default();
        let upper = if high == 0 { String::new() } else { format!("{high:#x}:") };
        return format!("X{n}={upper}{low:#x}");
    }
    // Go's assembler calls RAX AX.
    let name = format!("{register:?}");
    let name = if register.number() < 8 { name.trim_start_matches('R') } else { &name };
    format!("{name}={:#x}", cpu.get(register))
}

/// The flags that an instruction reads, as they are when it does.
fn flags_text(cpu: &Cpu, reads: u32, insn: &Instruction) -> String {
    if insn.condition_code() == ConditionCode::None && reads == 0 {
        return String::new();
    }
    let names = [
        (RflagsBits::CF, Rflags::CF, "CF"),
        (RflagsBits::PF, Rflags::PF, "PF"),
        (RflagsBits::AF, Rflags::AF, "AF"),
        (RflagsBits::ZF, Rflags::ZF, "ZF"),
        (RflagsBits::SF, Rflags::SF, "SF"),
        (RflagsBits::OF, Rflags::OF, "OF"),
    ];
    let flags = cpu.flags.rflags();
    let mut text = String::new();
    for (bit, flag, name) in names {
        if reads & bit != 0 {
            let space = if text.is_empty() { "" } else { " " };
            // A String takes everything.
            let _ = write!(text, "{space}{name}={}", u8::from(flags.contains(flag)));
        }
    }
    text
}
