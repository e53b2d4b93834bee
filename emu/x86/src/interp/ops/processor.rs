//! Instructions on the processor itself: CPUID, its clock and random numbers, control registers that
//! user programs see, caches.

use iced_x86::{Instruction, Mnemonic as M};

use crate::alu::float::Mxcsr;
use crate::cpu::cpuid::{XCR0, cpuid as leaf};
use crate::cpu::{Cpu, Flags, Level, Rflags, gpr};
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, form, width};
use crate::memory::{Access, Memory};

/// What each of these counts for, in instructions. All engines interpret it, and with it the vectors that follow in a loop, each of
/// which takes as long as two or three others.
const WORK: u64 = 30;

/// CPUID
pub(crate) fn cpuid(_: &Instruction) -> Option<Handler> {
    Some(|cpu, memory, _| {
        memory.charge(WORK);
        let answer = leaf(cpu.level, cpu.gpr(gpr::RAX) as u32, cpu.gpr(gpr::RCX) as u32);
        for (register, value) in [gpr::RAX, gpr::RBX, gpr::RCX, gpr::RDX].into_iter().zip(answer) {
            cpu.set_gpr(register, value.into());
        }
        Ok(Flow::Next)
    })
}

/// XGETBV
pub(crate) fn xgetbv(_: &Instruction) -> Option<Handler> {
    Some(|cpu, memory, _| {
        memory.charge(WORK);
        if cpu.level < Level::V3 {
            return Err(Trap::new(TrapKind::Invalid));
        }
        if cpu.gpr(gpr::RCX) as u32 != 0 {
            return Err(Trap::new(TrapKind::Protection));
        }
        cpu.set_gpr(gpr::RAX, XCR0);
        cpu.set_gpr(gpr::RDX, 0);
        Ok(Flow::Next)
    })
}

/// The clock's next reading, in EDX and EAX.
fn read_clock(cpu: &mut Cpu, memory: &Memory) {
    memory.charge(WORK);
    let now = cpu.next_tsc();
    cpu.set_gpr(gpr::RAX, now & 0xffff_ffff);
    cpu.set_gpr(gpr::RDX, now >> 32);
}

/// RDTSC, RDTSCP: the latter names processor 0, too.
pub(crate) fn rdtsc(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Rdtscp => |cpu, memory, _| {
            read_clock(cpu, memory);
            cpu.set_gpr(gpr::RCX, 0);
            Ok(Flow::Next)
        },
        _ => |cpu, memory, _| {
            read_clock(cpu, memory);
            Ok(Flow::Next)
        },
    })
}

fn run_random<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let value = T::truncate(cpu.next_random());
    cpu.write(op.reg[0], value);
    // CF: there was a number.
    cpu.flags = Flags::from_rflags(Rflags::CF);
    Ok(Flow::Next)
}

/// RDRAND, RDSEED: numbers from the seed.
pub(crate) fn random(insn: &Instruction) -> Option<Handler> {
    Some(match width(insn, 0) {
        2 => run_random::<u16>,
        4 => run_random::<u32>,
        8 => run_random::<u64>,
        _ => return None,
    })
}

/// RDPID: processor 0, as RDTSCP says.
pub(crate) fn rdpid(_: &Instruction) -> Option<Handler> {
    Some(|cpu, memory, op| {
        memory.charge(WORK);
        cpu.set_gpr(op.reg[0], 0);
        Ok(Flow::Next)
    })
}

/// LDMXCSR
pub(crate) fn ldmxcsr(_: &Instruction) -> Option<Handler> {
    Some(|cpu, memory, op| {
        memory.charge(WORK);
        let value = u32::load(memory, op.addr(cpu))?;
        if value & !Mxcsr::VALID != 0 {
            return Err(Trap::new(TrapKind::Protection));
        }
        cpu.mxcsr = value;
        Ok(Flow::Next)
    })
}

/// STMXCSR
pub(crate) fn stmxcsr(_: &Instruction) -> Option<Handler> {
    Some(|cpu, memory, op| {
        memory.charge(WORK);
        cpu.mxcsr.store(memory, op.addr(cpu))?;
        Ok(Flow::Next)
    })
}

fn canonical(addr: u64) -> bool {
    (addr as i64) << 16 >> 16 == addr as i64
}

fn run_segment<T: Int, const GS: bool, const WRITE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    memory.charge(WORK);
    if !WRITE {
        let base = if GS { cpu.gs_base } else { cpu.fs_base };
        cpu.write(op.reg[0], T::truncate(base));
        return Ok(Flow::Next);
    }
    let base = cpu.read::<T>(op.reg[0]).zext();
    if !canonical(base) {
        return Err(Trap::new(TrapKind::Protection));
    }
    *(if GS { &mut cpu.gs_base } else { &mut cpu.fs_base }) = base;
    Ok(Flow::Next)
}

/// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE
pub(crate) fn segment(insn: &Instruction) -> Option<Handler> {
    Some(match (insn.mnemonic(), width(insn, 0)) {
        (M::Rdfsbase, 4) => run_segment::<u32, false, false>,
        (M::Rdfsbase, _) => run_segment::<u64, false, false>,
        (M::Rdgsbase, 4) => run_segment::<u32, true, false>,
        (M::Rdgsbase, _) => run_segment::<u64, true, false>,
        (M::Wrfsbase, 4) => run_segment::<u32, false, true>,
        (M::Wrfsbase, _) => run_segment::<u64, false, true>,
        (M::Wrgsbase, 4) => run_segment::<u32, true, true>,
        _ => run_segment::<u64, true, true>,
    })
}

/// CLFLUSH, CLFLUSHOPT, CLWB: there is no cache, but the address must be valid.
pub(crate) fn flush(insn: &Instruction) -> Option<Handler> {
    (form(insn, 0) == Form::Mem).then_some(|cpu: &mut Cpu, memory: &mut Memory, op: &Op| {
        memory.charge(WORK);
        memory.check(op.addr(cpu), 1, Access::Read)?;
        Ok(Flow::Next)
    })
}
