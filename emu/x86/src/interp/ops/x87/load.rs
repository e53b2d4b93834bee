//! Numbers onto the stack: FLD and its kin, FCMOVcc.

use iced_x86::{Code, ConditionCode, Instruction, Mnemonic as M};

use super::{Double, Int16, Int32, Int64, Single, Source, empty, push, unit};
use crate::alu::float::{Extended, F80, Mxcsr};
use crate::cpu::Cpu;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::Memory;

fn run_load<S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    let (number, denormal) = S::get(memory, addr)?;
    let mut env = Extended::new(x87.control);
    let value = number.loaded(&mut env);
    if denormal {
        env.flags |= Mxcsr::DE;
    }
    // A full stack is checked first, before the number. A denormal is loaded even if its exception is not masked.
    let full = x87.holds(7);
    if full || x87.raise(env.flags as u16) & Mxcsr::IE as u16 == 0 {
        push(x87, value);
    } else {
        x87.set_c1(false);
    }
    Ok(Flow::Next)
}

fn run_load_whole(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    push(x87, F80::from_bytes(memory.read(addr)?));
    Ok(Flow::Next)
}

fn run_load_decimal(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    push(x87, F80::from_decimal(memory.read(addr)?));
    Ok(Flow::Next)
}

fn run_load_register(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let x87 = unit(cpu)?;
    if x87.holds(op.reg[0]) {
        let value = x87.peek(op.reg[0]);
        push(x87, value);
    } else if let Some(indefinite) = empty(x87) {
        push(x87, indefinite);
        x87.set_c1(false);
    }
    Ok(Flow::Next)
}

/// FLD, FILD, FBLD
pub(crate) fn load(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fld_m32fp => run_load::<Single>,
        Code::Fld_m64fp => run_load::<Double>,
        Code::Fld_m80fp => run_load_whole,
        Code::Fild_m16int => run_load::<Int16>,
        Code::Fild_m32int => run_load::<Int32>,
        Code::Fild_m64int => run_load::<Int64>,
        Code::Fbld_m80bcd => run_load_decimal,
        Code::Fld_sti => run_load_register,
        _ => return None,
    })
}

/// FLD1, FLDZ, FLDPI, FLDL2T, FLDL2E, FLDLG2, FLDLN2: 96 bits of each, and the exponent.
pub(crate) fn constant(insn: &Instruction) -> Option<Handler> {
    fn run<const HIGH: u64, const LOW: u32, const EXPONENT: i32>(
        cpu: &mut Cpu,
        _: &mut Memory,
        _: &Op,
    ) -> Step {
        let x87 = unit(cpu)?;
        let significand = u128::from(HIGH) << 32 | u128::from(LOW);
        push(x87, F80::constant(significand, EXPONENT, x87.control));
        Ok(Flow::Next)
    }
    Some(match insn.mnemonic() {
        M::Fldz => |cpu, _, _| {
            push(unit(cpu)?, F80::ZERO);
            Ok(Flow::Next)
        },
        M::Fld1 => run::<0x8000_0000_0000_0000, 0, 0>,
        M::Fldpi => run::<0xc90f_daa2_2168_c234, 0xc4c6_628b, 1>,
        M::Fldl2t => run::<0xd49a_784b_cd1b_8afe, 0x492b_f6ff, 1>,
        M::Fldl2e => run::<0xb8aa_3b29_5c17_f0bb, 0xbe87_fed0, 0>,
        M::Fldlg2 => run::<0x9a20_9a84_fbcf_f798, 0x8f89_59ac, -2>,
        M::Fldln2 => run::<0xb172_17f7_d1cf_79ab, 0xc9e3_b398, -1>,
        _ => return None,
    })
}

fn move_where(cpu: &mut Cpu, op: &Op, condition: ConditionCode) -> Step {
    let holds = cpu.flags.holds(condition);
    let (x87, i) = (unit(cpu)?, op.reg[1]);
    if !x87.holds(0) || !x87.holds(i) {
        if let Some(indefinite) = empty(x87) {
            x87.set(0, indefinite);
        }
    } else if holds {
        x87.set(0, x87.peek(i));
    }
    Ok(Flow::Next)
}

/// FCMOVcc
pub(crate) fn move_if(insn: &Instruction) -> Option<Handler> {
    use ConditionCode as C;
    Some(match insn.mnemonic() {
        M::Fcmovb => |cpu, _, op| move_where(cpu, op, C::b),
        M::Fcmove => |cpu, _, op| move_where(cpu, op, C::e),
        M::Fcmovbe => |cpu, _, op| move_where(cpu, op, C::be),
        M::Fcmovu => |cpu, _, op| move_where(cpu, op, C::p),
        M::Fcmovnb => |cpu, _, op| move_where(cpu, op, C::ae),
        M::Fcmovne => |cpu, _, op| move_where(cpu, op, C::ne),
        M::Fcmovnbe => |cpu, _, op| move_where(cpu, op, C::a),
        M::Fcmovnu => |cpu, _, op| move_where(cpu, op, C::np),
        _ => return None,
    })
}
