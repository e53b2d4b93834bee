//! Numbers off the stack: FST and its kin.

use iced_x86::{Code, Instruction};

use super::{held, pop, unit};
use crate::alu::float::{Extended, F80, Mxcsr, Rounding};
use crate::cpu::{Cpu, X87};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::{Access, Memory};

/// Exceptions that prevent a store unless they are masked: a result in memory is not wrapped.
const REFUSES: u32 = Mxcsr::BEFORE | Mxcsr::OE | Mxcsr::UE;

/// Converts the top of the stack, stores the result, and pops.
fn store_top<const N: usize>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    addr: u64,
    pops: bool,
    convert: impl FnOnce(F80, &mut Extended) -> [u8; N],
) -> Step {
    let x87 = unit(cpu)?;
    memory.check(addr, N, Access::Write)?;
    let mut env = Extended::new(x87.control);
    let Some(value) = held(x87, 0) else { return Ok(Flow::Next) };
    let stored = convert(value, &mut env);
    let refused = env.flags & env.unmasked & REFUSES != 0;
    if refused {
        env.flags &= REFUSES;
        env.up = false;
    } else {
        memory.write(addr, stored)?;
    }
    x87.raise(env.flags as u16);
    x87.set_c1(env.up);
    if pops && !refused {
        pop(x87);
    }
    Ok(Flow::Next)
}

/// An integer of `N` bytes; `TRUNCATE`: cut, whatever the control word says.
fn run_integer<const N: usize, const TRUNCATE: bool, const POP: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let addr = op.addr(cpu);
    store_top(cpu, memory, addr, POP, |value, env| {
        if TRUNCATE {
            env.rounding = Rounding::Zero;
        }
        let bytes = value.to_integer(8 * N as u32, env).to_le_bytes();
        std::array::from_fn::<u8, N, _>(|i| bytes[i])
    })
}

fn run_single<const POP: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    store_top(cpu, memory, addr, POP, |x, env| x.to_float::<u32>(env).to_le_bytes())
}

fn run_double<const POP: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    store_top(cpu, memory, addr, POP, |x, env| x.to_float::<u64>(env).to_le_bytes())
}

fn run_whole(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    store_top(cpu, memory, addr, true, |x, _| x.to_bytes())
}

fn run_decimal(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    store_top(cpu, memory, addr, true, F80::to_decimal)
}

fn to_register(x87: &mut X87, i: u8, pops: bool) {
    x87.set_c1(false);
    if let Some(value) = held(x87, 0) {
        x87.set(i, value);
        if pops {
            pop(x87);
        }
    }
}

fn run_register<const POP: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    to_register(unit(cpu)?, op.reg[0], POP);
    Ok(Flow::Next)
}

/// FST, FSTP, FIST, FISTP, FISTTP, FBSTP
pub(crate) fn store(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fst_m32fp => run_single::<false>,
        Code::Fst_m64fp => run_double::<false>,
        Code::Fstp_m32fp => run_single::<true>,
        Code::Fstp_m64fp => run_double::<true>,
        Code::Fstp_m80fp => run_whole,
        Code::Fbstp_m80bcd => run_decimal,
        Code::Fist_m16int => run_integer::<2, false, false>,
        Code::Fist_m32int => run_integer::<4, false, false>,
        Code::Fistp_m16int => run_integer::<2, false, true>,
        Code::Fistp_m32int => run_integer::<4, false, true>,
        Code::Fistp_m64int => run_integer::<8, false, true>,
        Code::Fisttp_m16int => run_integer::<2, true, true>,
        Code::Fisttp_m32int => run_integer::<4, true, true>,
        Code::Fisttp_m64int => run_integer::<8, true, true>,
        Code::Fst_sti => run_register::<false>,
        Code::Fstp_sti | Code::Fstp_sti_DFD0 | Code::Fstp_sti_DFD8 => run_register::<true>,
        _ => return None,
    })
}
