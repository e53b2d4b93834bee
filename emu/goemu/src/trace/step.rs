//! One instruction: its text, and what it changed.
//!
//! What is the same each time an instruction runs is worked out once ([`Prepared`]); what differs is read from the
//! machine when a sink asks for it, so that a trace costs little more than what is made of it.

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, RflagsBits, UsedMemory,
};

use crate::cpu::{Cpu, Rflags, Ymm};
use crate::decode::MAX_INSN;
use crate::disasm::go_syntax;
use crate::memory::Memory;
use crate::observe::View;

/// Widths of the columns that hold the place and the code of an instruction.
const NAME_WIDTH: usize = 26;
const TEXT_WIDTH: usize = 38;

/// Bytes at the start of a function that may hold its stack check.
const PROLOGUE: u64 = 64;

/// An instruction that has run, or that left for the machine before its end: an address with a hook, a system call, a
/// fault.
pub struct Step<'a> {
    pub(super) at: &'a View<'a>,
    pub(super) prepared: &'a Prepared,
    pub(super) effects: &'a Effects,
    /// Whether the instruction came to its end. Only then it has written registers and memory.
    pub finished: bool,
}

/// A place in the program's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The function that the line table has there; empty where it is not known.
    pub func: String,
    /// The file as the program names it.
    pub file: String,
}

/// Memory that an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEffect {
    /// Its address.
    pub addr: u64,
    /// Bytes.
    pub size: usize,
    /// Whether the instruction reads it.
    pub read: bool,
    /// Whether the instruction writes it.
    pub written: bool,
    /// What was there before, little-endian; `None` where it cannot be read or is larger than 16 bytes.
    pub before: Option<u128>,
    /// What is there now, where it was written.
    pub after: Option<u128>,
}

impl<'a> Step<'a> {
    /// The instruction, as it was decoded.
    pub fn instruction(&self) -> &'a Instruction {
        &self.prepared.insn
    }

    /// The name of the function that the instruction is in, with the offset from its start: `main.f1+0x1c`. Empty where
    /// no function is known.
    pub fn place(&self) -> &'a str {
        &self.prepared.place
    }

    /// The instruction in Go's syntax.
    pub fn code(&self) -> &'a str {
        &self.prepared.code
    }

    /// Its address, place and code in columns: the beginning of a line of text. Made once for an instruction, as traces
    /// show the same ones again and again.
    pub fn columns(&self) -> &'a str {
        &self.prepared.columns
    }

    /// Where it is in the source, if that is known.
    pub fn position(&self) -> Option<&'a Position> {
        self.prepared.position.as_ref()
    }

    /// The registers that it wrote, under the names that Go's assembler has for them (`AX`, `R8`, `X0`), in full width.
    /// General-purpose registers are in the low 64 bits.
    pub fn registers(&self) -> impl Iterator<Item = (&'a str, Ymm)> + use<'a> {
        let cpu = self.at.cpu;
        let written = self.prepared.writes.iter().filter({
            let finished = self.finished;
            move |_| finished
        });
        written.map(move |(register, name)| (name.as_str(), value_of(cpu, *register)))
    }

    /// The memory that it read or wrote.
    pub fn memory(&self) -> impl Iterator<Item = MemoryEffect> + use<'a> {
        let (memory, finished) = (self.at.memory, self.finished);
        self.effects.memory.iter().map(move |operand| {
            let written = operand.written && finished;
            let after = if written { load(memory, operand.addr, operand.size) } else { None };
            let Operand { addr, size, read, before, .. } = *operand;
            MemoryEffect { addr, size, read, written, before, after }
        })
    }

    /// The flags that it read, under the manual's names, as they were then.
    pub fn flags(&self) -> impl Iterator<Item = (&'static str, bool)> + use<'a> {
        const NAMES: [(u32, Rflags, &str); 6] = [
            (RflagsBits::CF, Rflags::CF, "CF"),
            (RflagsBits::PF, Rflags::PF, "PF"),
            (RflagsBits::AF, Rflags::AF, "AF"),
            (RflagsBits::ZF, Rflags::ZF, "ZF"),
            (RflagsBits::SF, Rflags::SF, "SF"),
            (RflagsBits::OF, Rflags::OF, "OF"),
        ];
        let (reads, flags) = (self.prepared.reads_flags, self.effects.flags);
        let read = NAMES.into_iter().filter(move |(bit, ..)| reads & bit != 0);
        read.filter_map(move |(_, flag, name)| Some((name, flags?.contains(flag))))
    }

    /// Whether a conditional branch was taken; `None` for other instructions.
    pub fn taken(&self) -> Option<bool> {
        let insn = &self.prepared.insn;
        (self.finished && self.prepared.is_branch).then(|| self.at.cpu.rip != insn.next_ip())
    }

    /// The machine after the instruction.
    pub fn view(&self) -> &'a View<'a> {
        self.at
    }
}

/// What is the same each time an instruction runs.
pub(super) struct Prepared {
    insn: Instruction,
    position: Option<Position>,
    /// Function and offset.
    place: String,
    /// The instruction in Go's syntax.
    code: String,
    /// Address, place and code in columns.
    columns: String,
    /// Registers that it writes, in full width, and what to call them.
    writes: Vec<(Register, String)>,
    memory: Vec<UsedMemory>,
    /// Flags that it reads.
    reads_flags: u32,
    is_branch: bool,
    /// Whether it is near enough to the start of its function to belong to the stack check.
    in_prologue: bool,
    /// Whether a narrowed trace tells of it.
    pub(super) is_told: bool,
}

/// What is no address in `g.stackguard0`: `stackPreempt` (-1314) and its like.
const SIGNS: u64 = (-4096_i64).cast_unsigned();

/// What was seen of an instruction before it ran. Reused from one to the next.
#[derive(Default)]
pub(super) struct Effects {
    /// Its memory operands: where, how many bytes, whether they are written, what was there.
    memory: Vec<Operand>,
    flags: Option<Rflags>,
    /// Bytes that the stack has left above the guard, where the instruction compares them; and whether the guard is no address.
    pub(super) margin: Option<(i64, bool)>,
}

struct Operand {
    addr: u64,
    size: usize,
    written: bool,
    read: bool,
    before: Option<u128>,
}

impl Prepared {
    pub(super) fn new(at: &View<'_>, insn: &Instruction, is_told: impl Fn(&str) -> bool) -> Prepared {
        let mut bytes = [0; MAX_INSN];
        let len = at.memory.fetch(insn.ip(), &mut bytes).unwrap_or(0);
        let func = at.image.func_at(insn.ip());
        let place = func.map_or_else(String::new, |f| format!("{}+{:#x}", f.name(), insn.ip() - f.entry()));
        let code = go_syntax(insn, &bytes[..len.min(insn.len())], at.image);
        let position = at.image.line_at(insn.ip()).map(|line| Position {
            file: line.file.to_string(),
            line: line.line,
            func: func.map_or("", |func| func.name()).to_owned(),
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
            columns: format!("  {:#x}  {place:<NAME_WIDTH$}  {code:<TEXT_WIDTH$}", insn.ip()),
            place,
            code,
            writes,
            memory: info.used_memory().to_vec(),
            reads_flags: insn.rflags_read() & 0xff,
            is_branch: insn.flow_control() == FlowControl::ConditionalBranch,
            is_told: is_told(func.map_or("", |func| func.name())),
            in_prologue: func.is_some_and(|func| insn.ip() - func.entry() < PROLOGUE),
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

    /// What a function's prologue compares with `g.stackguard0`: bytes above it.
    fn margin(&self, at: &View<'_>, memory: &[Operand]) -> Option<(i64, bool)> {
        if !self.in_prologue || self.insn.mnemonic() != Mnemonic::Cmp {
            return None;
        }
        let guard = at.g.wrapping_add(at.image.facts().g.stackguard0);
        let operand = memory.iter().find(|m| m.addr == guard && m.size == 8)?;
        let guard = operand.before? as u64;
        let margin = other(at.cpu, &self.insn)?.wrapping_sub(guard).cast_signed();
        Some((margin, guard >= SIGNS))
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

/// What Go's assembler calls a register: RAX is AX.
fn name(register: Register) -> String {
    if register.is_vector_register() {
        return format!("X{}", register.number());
    }
    let name = format!("{register:?}");
    if register.number() < 8 { name.trim_start_matches('R').to_owned() } else { name }
}

fn value_of(cpu: &Cpu, register: Register) -> Ymm {
    if register.is_vector_register() {
        return cpu.ymm.get(register.number()).copied().unwrap_or_default();
    }
    [cpu.get(register).into(), 0]
}
