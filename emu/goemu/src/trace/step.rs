//! One instruction: its text, and what it changed.
//!
//! What is the same each time an instruction runs is worked out once ([`Prepared`]); what differs is written
//! straight into the line, so that a trace costs little more than its text.

use std::fmt::Write;

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, RflagsBits, UsedMemory,
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
    /// File, line and function, where the image tells.
    pub(super) position: Option<String>,
    /// Address, function and offset, instruction.
    text: String,
    /// Registers that it writes, in full width, and what to call them.
    writes: Vec<(Register, String)>,
    memory: Vec<UsedMemory>,
    /// Flags that it reads.
    reads_flags: u32,
    is_branch: bool,
}

/// What was seen of an instruction before it ran. Reused from one to the next.
#[derive(Default)]
pub(super) struct Effects {
    /// Its memory operands: where, how many bytes, whether they are written, what was there.
    memory: Vec<Operand>,
    flags: Option<Rflags>,
    /// Bytes that the stack has left above the guard, where the instruction compares them.
    pub(super) margin: Option<i64>,
}

struct Operand {
    addr: u64,
    size: usize,
    written: bool,
    read: bool,
    before: Option<u128>,
}

impl Prepared {
    pub(super) fn new(at: &View<'_>, insn: &Instruction) -> Prepared {
        let mut bytes = [0; MAX_INSN];
        let len = at.memory.fetch(insn.ip(), &mut bytes).unwrap_or(0);
        let func = at.image.func_at(insn.ip());
        let place = func.map_or_else(String::new, |f| format!("{}+{:#x}", f.name(), insn.ip() - f.entry()));
        let code = go_syntax(insn, &bytes[..len.min(insn.len())], at.image);
        let position = at.image.line_at(insn.ip()).map(|line| {
            let file = line.file.rsplit(['/', '\\']).next().unwrap_or_default();
            format!("{file}:{}  {}", line.line, func.map_or("", |func| func.name()))
        });
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(insn);
        let mut writes: Vec<(Register, String)> = Vec::new();
        for used in info.used_registers() {
            let register = used.register().full_register();
            let known = writes.iter().any(|(other, _)| *other == register);
            if is_write(used.access()) && shown(register) && !known {
                writes.push((register, name(register)));
            }
        }
        Prepared {
            insn: *insn,
            position,
            text: format!("  {:#x}  {place:<NAME_WIDTH$}  {code:<TEXT_WIDTH$}", insn.ip()),
            writes,
            memory: info.used_memory().to_vec(),
            reads_flags: insn.rflags_read() & 0xff,
            is_branch: insn.flow_control() == FlowControl::ConditionalBranch,
        }
    }

    /// Whether the bytes at this address are still this instruction.
    pub(super) fn is_of(&self, insn: &Instruction) -> bool {
        self.insn == *insn && self.insn.len() == insn.len()
    }

    /// Notes what the instruction will change.
    pub(super) fn before(&self, at: &View<'_>, effects: &mut Effects) {
        effects.memory.clear();
        effects.memory.extend(self.memory.iter().filter_map(|used| operand(at, used)));
        effects.flags = (self.reads_flags != 0).then(|| at.cpu.flags.rflags());
        effects.margin = self.margin(at, &effects.memory);
    }

    /// What a comparison with `g.stackguard0` compares: bytes above it.
    fn margin(&self, at: &View<'_>, memory: &[Operand]) -> Option<i64> {
        if self.insn.mnemonic() != Mnemonic::Cmp {
            return None;
        }
        let guard = at.g.wrapping_add(at.image.facts().g.stackguard0);
        let operand = memory.iter().find(|m| m.addr == guard && m.size == 8)?;
        Some((other(at.cpu, &self.insn)? as i64).wrapping_sub(operand.before? as i64))
    }

    /// Writes the line of an instruction that has run.
    pub(super) fn write(&self, line: &mut String, at: &View<'_>, effects: &Effects) {
        line.push_str(&self.text);
        for (register, name) in &self.writes {
            line.push_str("  ");
            write_register(line, at.cpu, *register, name);
        }
        for operand in &effects.memory {
            if operand.written {
                write_memory(line, operand.addr, load(at.memory, operand.addr, operand.size));
            } else if operand.read && self.writes.is_empty() {
                write_memory(line, operand.addr, operand.before);
            }
        }
        self.write_flags(line, effects);
        if self.is_branch {
            line.push_str(if at.cpu.rip != self.insn.next_ip() { "  taken" } else { "  not taken" });
        }
        line.truncate(line.trim_end().len());
    }

    /// Writes the line of an instruction that left before its end.
    pub(super) fn write_unfinished(&self, line: &mut String, effects: &Effects) {
        line.push_str(&self.text);
        self.write_flags(line, effects);
        line.truncate(line.trim_end().len());
    }

    /// The flags that the instruction reads, as they were when it did.
    fn write_flags(&self, line: &mut String, effects: &Effects) {
        const NAMES: [(u32, Rflags, &str); 6] = [
            (RflagsBits::CF, Rflags::CF, "CF"),
            (RflagsBits::PF, Rflags::PF, "PF"),
            (RflagsBits::AF, Rflags::AF, "AF"),
            (RflagsBits::ZF, Rflags::ZF, "ZF"),
            (RflagsBits::SF, Rflags::SF, "SF"),
            (RflagsBits::OF, Rflags::OF, "OF"),
        ];
        let Some(flags) = effects.flags else { return };
        let mut space = "  ";
        for (_, flag, name) in NAMES.iter().filter(|(bit, ..)| self.reads_flags & bit != 0) {
            // A String takes everything.
            let _ = write!(line, "{space}{name}={}", u8::from(flags.contains(*flag)));
            space = " ";
        }
    }
}

impl Effects {
    /// Memory that was written: address, bytes.
    pub(super) fn written(&self) -> impl Iterator<Item = (u64, usize)> {
        self.memory.iter().filter(|operand| operand.written).map(|operand| (operand.addr, operand.size))
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

fn write_memory(line: &mut String, addr: u64, value: Option<u128>) {
    // A String takes everything.
    let _ = match value.map(|value| (u64::try_from(value), value)) {
        Some((Ok(value), _)) => write!(line, "  [{addr:#x}]={value:#x}"),
        Some((Err(_), value)) => write!(line, "  [{addr:#x}]={value:#x}"),
        None => write!(line, "  [{addr:#x}]"),
    };
}

/// What Go's assembler calls a register: RAX is AX.
fn name(register: Register) -> String {
    if register.is_vector_register() {
        return format!("X{}", register.number());
    }
    let name = format!("{register:?}");
    if register.number() < 8 { name.trim_start_matches('R').to_owned() } else { name }
}

fn write_register(line: &mut String, cpu: &Cpu, register: Register, name: &str) {
    // A String takes everything.
    let _ = if register.is_vector_register() {
        match cpu.ymm.get(register.number()).copied().unwrap_or_default() {
            [low, 0] => write!(line, "{name}={low:#x}"),
            [low, high] => write!(line, "{name}={high:#x}:{low:#x}"),
        }
    } else {
        write!(line, "{name}={:#x}", cpu.get(register))
    };
}
