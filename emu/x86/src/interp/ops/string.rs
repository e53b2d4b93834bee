//! String instructions: MOVS STOS LODS CMPS SCAS, once or repeated.
//!
//! A repeated instruction that faults keeps its finished rounds, as processors do: the registers have
//! the position. The address in RSI may have a segment, that in RDI never.

use iced_x86::{Instruction, Mnemonic, Register};

use crate::alu::{Uint, arith};
use crate::cpu::{Cpu, gpr};
use crate::exit::Trap;
use crate::interp::op::{AddressMode, Flow, Handler, Op, Step};
use crate::interp::operand::{Int, by_width};
use crate::memory::Memory;

/// No prefix; REP or REPE; REPNE.
const ONCE: u8 = 0;
const WHILE_EQUAL: u8 = 1;
const WHILE_NOT_EQUAL: u8 = 2;

/// Rounds that take as long as an instruction: of what the translator does, too.
const ROUNDS: u64 = 8;
/// Rounds that compare or load.
const SINGLE: u64 = 3;

/// Bytes of one repeated instruction that a host's caches hold, and those beyond that take as long as an instruction. No instruction that
/// the translator carries out has so many.
const NEAR: u64 = 1 << 20;
const FAR_BYTES: u64 = 8;

/// What one round of a string instruction does.
trait Round {
    /// Whether ZF decides if another round follows.
    const COMPARES: bool;
    /// Rounds that take as long as an instruction.
    const PRICE: u64;
    /// Executes the round, and advances the registers.
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Result<(), Trap>;
    /// Does the rounds of [`BULK`] bytes at once, RCX included, where that makes no difference; says whether it did.
    fn rounds<T: Int>(_: &mut Cpu, _: &mut Memory, _: &Op) -> bool {
        false
    }
}

/// Bytes of the rounds that are done at once: as many of every width, and fewer than [`Memory::write_bytes`] charges for.
const BULK: usize = 240;

/// Whether so many bytes are left, upwards.
fn is_bulk<T: Int>(cpu: &Cpu) -> bool {
    !cpu.direction && cpu.gpr(gpr::RCX) >= BULK as u64 / u64::from(T::BITS / 8)
}

/// Moves on by [`BULK`] bytes.
fn step_bulk<T: Int>(cpu: &mut Cpu, registers: &[u8]) {
    registers.iter().for_each(|&n| cpu.set_gpr(n, cpu.gpr(n).wrapping_add(BULK as u64)));
    cpu.set_gpr(gpr::RCX, cpu.gpr(gpr::RCX) - BULK as u64 / u64::from(T::BITS / 8));
}

/// Continues the first bytes in a period, as a move does that reads what it wrote.
fn repeat(bytes: &mut [u8; BULK], period: usize) {
    let mut have = period;
    while have < BULK {
        let more = have.min(BULK - have);
        bytes.copy_within(..more, have);
        have += more;
    }
}

struct Movs;
struct Stos;
struct Lods;
struct Cmps;
struct Scas;

fn source(cpu: &Cpu, op: &Op) -> u64 {
    let segment = match op.odd {
        AddressMode::Fs => cpu.fs_base,
        AddressMode::Gs => cpu.gs_base,
        _ => 0,
    };
    cpu.gpr(gpr::RSI).wrapping_add(segment)
}

fn step<T: Int>(cpu: &mut Cpu, register: u8) {
    let by = u64::from(T::BITS / 8);
    let by = if cpu.direction { by.wrapping_neg() } else { by };
    cpu.set_gpr(register, cpu.gpr(register).wrapping_add(by));
}

impl Round for Movs {
    const COMPARES: bool = false;
    const PRICE: u64 = ROUNDS;
    #[inline(always)]
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Result<(), Trap> {
        let value = T::load(memory, source(cpu, op))?;
        value.store(memory, cpu.gpr(gpr::RDI))?;
        step::<T>(cpu, gpr::RSI);
        step::<T>(cpu, gpr::RDI);
        Ok(())
    }

    fn rounds<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> bool {
        let (from, to) = (source(cpu, op), cpu.gpr(gpr::RDI));
        let mut bytes = [0; BULK];
        let readable = is_bulk::<T>(cpu) && memory.read_bytes(from, &mut bytes).is_ok();
        // Where the target follows the source closely, later rounds read what earlier ones wrote.
        let apart = usize::try_from(to.wrapping_sub(from)).unwrap_or(usize::MAX);
        if readable && apart < BULK {
            match apart {
                0 => {}
                _ if apart.is_multiple_of((T::BITS / 8) as usize) => repeat(&mut bytes, apart),
                _ => return false,
            }
        }
        let done = readable && memory.write_bytes(to, &bytes).is_ok();
        if done {
            step_bulk::<T>(cpu, &[gpr::RSI, gpr::RDI]);
        }
        done
    }
}

impl Round for Stos {
    const COMPARES: bool = false;
    const PRICE: u64 = ROUNDS;
    #[inline(always)]
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Result<(), Trap> {
        cpu.read::<T>(gpr::RAX).store(memory, cpu.gpr(gpr::RDI))?;
        step::<T>(cpu, gpr::RDI);
        Ok(())
    }

    fn rounds<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> bool {
        let value = cpu.gpr(gpr::RAX).to_le_bytes();
        let bytes: [u8; BULK] = std::array::from_fn(|n| value[n % (T::BITS / 8) as usize]);
        let done = is_bulk::<T>(cpu) && memory.write_bytes(cpu.gpr(gpr::RDI), &bytes).is_ok();
        if done {
            step_bulk::<T>(cpu, &[gpr::RDI]);
        }
        done
    }
}

impl Round for Lods {
    const COMPARES: bool = false;
    const PRICE: u64 = SINGLE;
    #[inline(always)]
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Result<(), Trap> {
        let value = T::load(memory, source(cpu, op))?;
        cpu.write(gpr::RAX, value);
        step::<T>(cpu, gpr::RSI);
        Ok(())
    }
}

impl Round for Cmps {
    const COMPARES: bool = true;
    const PRICE: u64 = SINGLE;
    #[inline(always)]
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Result<(), Trap> {
        let (a, b) = (T::load(memory, source(cpu, op))?, T::load(memory, cpu.gpr(gpr::RDI))?);
        cpu.flags = arith::sub(a, b, cpu.flags).1;
        step::<T>(cpu, gpr::RSI);
        step::<T>(cpu, gpr::RDI);
        Ok(())
    }
}

impl Round for Scas {
    const COMPARES: bool = true;
    const PRICE: u64 = SINGLE;
    #[inline(always)]
    fn round<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Result<(), Trap> {
        let (a, b) = (cpu.read::<T>(gpr::RAX), T::load(memory, cpu.gpr(gpr::RDI))?);
        cpu.flags = arith::sub(a, b, cpu.flags).1;
        step::<T>(cpu, gpr::RDI);
        Ok(())
    }
}

fn run_string<T: Int, R: Round, const REPEAT: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    if REPEAT == ONCE {
        R::round::<T>(cpu, memory, op)?;
        return Ok(Flow::Next);
    }
    let (before, count) = (cpu.flags, cpu.gpr(gpr::RCX));
    let mut step = Ok(Flow::Next);
    while cpu.gpr(gpr::RCX) != 0 {
        if R::rounds::<T>(cpu, memory, op) {
            continue;
        }
        if let Err(trap) = R::round::<T>(cpu, memory, op) {
            // The flags are those before the first round (SDM volume 2, CMPS): they are no input of the next.
            cpu.flags = before;
            step = Err(trap);
            break;
        }
        cpu.set_gpr(gpr::RCX, cpu.gpr(gpr::RCX) - 1);
        if R::COMPARES && cpu.flags.zf() != (REPEAT == WHILE_EQUAL) {
            break;
        }
    }
    // Downwards none are done at once. The translator leaves them to the interpreter.
    let price = if cpu.direction { 1 } else { R::PRICE };
    let rounds = count - cpu.gpr(gpr::RCX);
    let far = rounds.saturating_mul(u64::from(T::BITS / 8)).saturating_sub(NEAR) / FAR_BYTES;
    memory.charge((rounds / price).saturating_add(far));
    step
}

fn pick<R: Round>(insn: &Instruction, width: usize) -> Option<Handler> {
    // With a 67h prefix ESI and EDI would count; no compiler writes that.
    let short = [insn.op0_kind(), insn.op1_kind()].iter().any(|kind| {
        use iced_x86::OpKind::{MemoryESEDI, MemorySegESI};
        matches!(kind, MemoryESEDI | MemorySegESI)
    });
    if short {
        return None;
    }
    match (insn.has_repne_prefix(), insn.has_rep_prefix()) {
        (true, _) => by_width!(width, T => run_string::<T, R, WHILE_NOT_EQUAL>),
        (_, true) => by_width!(width, T => run_string::<T, R, WHILE_EQUAL>),
        _ => by_width!(width, T => run_string::<T, R, ONCE>),
    }
}

/// MOVSB, STOSB, ... SCASQ. The manual's MOVSD and CMPSD of SSE2 have vector operands.
pub(crate) fn string(insn: &Instruction) -> Option<Handler> {
    if insn.op0_register().is_vector_register() || insn.op1_register().is_vector_register() {
        return None;
    }
    let width = insn.memory_size().size();
    match insn.mnemonic() {
        Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsd | Mnemonic::Movsq => pick::<Movs>(insn, width),
        Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => pick::<Stos>(insn, width),
        Mnemonic::Lodsb | Mnemonic::Lodsw | Mnemonic::Lodsd | Mnemonic::Lodsq => pick::<Lods>(insn, width),
        Mnemonic::Cmpsb | Mnemonic::Cmpsw | Mnemonic::Cmpsd | Mnemonic::Cmpsq => pick::<Cmps>(insn, width),
        Mnemonic::Scasb | Mnemonic::Scasw | Mnemonic::Scasd | Mnemonic::Scasq => pick::<Scas>(insn, width),
        _ => None,
    }
}

/// XLATB
pub(crate) fn xlat(insn: &Instruction) -> Option<Handler> {
    (insn.memory_base() == Register::RBX).then_some(|cpu: &mut Cpu, memory: &mut Memory, op: &Op| {
        let at = cpu.gpr(gpr::RBX).wrapping_add(cpu.read::<u8>(gpr::RAX).zext());
        let segment = source(cpu, op).wrapping_sub(cpu.gpr(gpr::RSI));
        let value = u8::load(memory, at.wrapping_add(segment))?;
        cpu.write(gpr::RAX, value);
        Ok(Flow::Next)
    })
}
