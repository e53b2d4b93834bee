//! The x87 unit. Go uses it in a few old routines only; cgo's C code for `long double`. Exceptions give their masked
//! results whatever the control word says of masks.

use iced_x86::{Code, Instruction, Mnemonic as M, OpKind, Register};

use crate::alu::float::{Compared, Extended, F80, Float, Mxcsr, Rounding};
use crate::cpu::{Cpu, Flags, Rflags, X87, gpr};
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, form};
use crate::memory::Memory;

/// An operation of two numbers.
pub(crate) trait Arithmetic {
    fn apply(a: F80, b: F80, env: &mut Extended) -> F80;
}

/// What memory holds: the number, and whether it is a denormal of its own format.
trait Source {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap>;
}

struct Single;
struct Double;
struct Int16;
struct Int32;
struct Int64;

impl Source for Single {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap> {
        let number = u32::load(memory, addr)?;
        Ok((F80::from_float(number), number.is_denormal()))
    }
}

impl Source for Double {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap> {
        let number = u64::load(memory, addr)?;
        Ok((F80::from_float(number), number.is_denormal()))
    }
}

impl Source for Int16 {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap> {
        Ok((F80::from_integer((u16::load(memory, addr)? as i16).into()), false))
    }
}

impl Source for Int32 {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap> {
        Ok((F80::from_integer((u32::load(memory, addr)? as i32).into()), false))
    }
}

impl Source for Int64 {
    fn get(memory: &Memory, addr: u64) -> Result<(F80, bool), Trap> {
        Ok((F80::from_integer(u64::load(memory, addr)? as i64), false))
    }
}

/// Notes what an operation raised, and whether it rounded up.
fn note(x87: &mut X87, env: &Extended) {
    x87.status |= env.flags as u16;
    x87.set_c1(env.up);
}

/// Notes a denormal in memory, unless something worse came first.
fn note_denormal(env: &mut Extended, denormal: bool) {
    if denormal && env.flags & (Mxcsr::IE | Mxcsr::ZE) == 0 {
        env.flags |= Mxcsr::DE;
    }
}

/// An empty register was read: the result is indefinite.
fn underflow(x87: &mut X87) -> F80 {
    x87.status |= X87::STACK_FAULT;
    x87.set_c1(false);
    F80::INDEFINITE
}

/// Puts a number on the stack; a full one is a stack fault, and the number becomes indefinite.
fn push(x87: &mut X87, value: F80) {
    x87.turn(7);
    let full = x87.holds(0);
    x87.set_c1(full);
    if full {
        x87.status |= X87::STACK_FAULT;
    }
    x87.set(0, if full { F80::INDEFINITE } else { value });
}

fn pop(x87: &mut X87) {
    x87.free(0);
    x87.turn(1);
}

fn run_load<S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (number, denormal) = S::get(memory, op.addr(cpu))?;
    let mut env = Extended::new(cpu.x87.control);
    let value = number.loaded(&mut env);
    if denormal {
        env.flags |= Mxcsr::DE;
    }
    // A full stack comes first: then the number is not looked at.
    if !cpu.x87.holds(7) {
        cpu.x87.status |= env.flags as u16;
    }
    push(&mut cpu.x87, value);
    Ok(Flow::Next)
}

fn run_load_whole(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let bytes: [u8; 10] = memory.read(op.addr(cpu))?;
    let wide = u128::from_le_bytes(std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0)));
    push(&mut cpu.x87, F80 { exponent: (wide >> 64) as u16, significand: wide as u64 });
    Ok(Flow::Next)
}

fn run_load_register(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let x87 = &mut cpu.x87;
    if x87.holds(op.reg[0]) {
        push(x87, x87.peek(op.reg[0]));
    } else {
        push(x87, F80::INDEFINITE);
        underflow(x87);
    }
    Ok(Flow::Next)
}

/// FLD, FILD
pub(crate) fn load(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fld_m32fp => run_load::<Single>,
        Code::Fld_m64fp => run_load::<Double>,
        Code::Fld_m80fp => run_load_whole,
        Code::Fild_m16int => run_load::<Int16>,
        Code::Fild_m32int => run_load::<Int32>,
        Code::Fild_m64int => run_load::<Int64>,
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
        let significand = u128::from(HIGH) << 32 | u128::from(LOW);
        let value = F80::constant(significand, EXPONENT, cpu.x87.control);
        push(&mut cpu.x87, value);
        Ok(Flow::Next)
    }
    Some(match insn.mnemonic() {
        M::Fldz => |cpu, _, _| {
            push(&mut cpu.x87, F80::ZERO);
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

/// The number to be stored, and pops it afterwards where `POP`.
fn run_store<const BITS: u32, const INTEGER: bool, const TRUNCATE: bool, const POP: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (addr, mut env) = (op.addr(cpu), Extended::new(cpu.x87.control));
    let mut x87 = cpu.x87;
    if TRUNCATE {
        env.rounding = Rounding::Zero;
    }
    let value = if x87.holds(0) { x87.peek(0) } else { underflow(&mut x87) };
    let stored = match (INTEGER, BITS) {
        (true, _) => value.to_integer(BITS, &mut env) as u64,
        (false, 32) => value.to_float::<u32>(&mut env).into(),
        _ => value.to_float::<u64>(&mut env),
    };
    match BITS {
        16 => (stored as u16).store(memory, addr)?,
        32 => (stored as u32).store(memory, addr)?,
        _ => stored.store(memory, addr)?,
    }
    note(&mut x87, &env);
    if POP {
        pop(&mut x87);
    }
    cpu.x87 = x87;
    Ok(Flow::Next)
}

fn run_store_whole(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let mut x87 = cpu.x87;
    x87.set_c1(false);
    let value = if x87.holds(0) { x87.peek(0) } else { underflow(&mut x87) };
    let wide = u128::from(value.exponent) << 64 | u128::from(value.significand);
    let bytes: [u8; 10] = std::array::from_fn(|i| (wide >> (8 * i)) as u8);
    memory.write(op.addr(cpu), bytes)?;
    pop(&mut x87);
    cpu.x87 = x87;
    Ok(Flow::Next)
}

fn run_store_register<const POP: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let x87 = &mut cpu.x87;
    x87.set_c1(false);
    let value = if x87.holds(0) { x87.peek(0) } else { underflow(x87) };
    x87.set(op.reg[0], value);
    if POP {
        pop(x87);
    }
    Ok(Flow::Next)
}

/// FST, FSTP, FIST, FISTP, FISTTP
pub(crate) fn store(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fst_m32fp => run_store::<32, false, false, false>,
        Code::Fst_m64fp => run_store::<64, false, false, false>,
        Code::Fstp_m32fp => run_store::<32, false, false, true>,
        Code::Fstp_m64fp => run_store::<64, false, false, true>,
        Code::Fstp_m80fp => run_store_whole,
        Code::Fist_m16int => run_store::<16, true, false, false>,
        Code::Fist_m32int => run_store::<32, true, false, false>,
        Code::Fistp_m16int => run_store::<16, true, false, true>,
        Code::Fistp_m32int => run_store::<32, true, false, true>,
        Code::Fistp_m64int => run_store::<64, true, false, true>,
        Code::Fisttp_m16int => run_store::<16, true, true, true>,
        Code::Fisttp_m32int => run_store::<32, true, true, true>,
        Code::Fisttp_m64int => run_store::<64, true, true, true>,
        Code::Fst_sti => run_store_register::<false>,
        Code::Fstp_sti => run_store_register::<true>,
        _ => return None,
    })
}

/// ST(`to`) = ST(`to`), ST(`from`).
fn combine<F: Arithmetic>(x87: &mut X87, to: u8, from: u8) {
    let result = if x87.holds(to) && x87.holds(from) {
        let mut env = Extended::new(x87.control);
        let result = F::apply(x87.peek(to), x87.peek(from), &mut env);
        note(x87, &env);
        result
    } else {
        underflow(x87)
    };
    x87.set(to, result);
}

fn run_registers<F: Arithmetic, const POP: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    combine::<F>(&mut cpu.x87, op.reg[0], op.reg[1]);
    if POP {
        pop(&mut cpu.x87);
    }
    Ok(Flow::Next)
}

fn run_memory<F: Arithmetic, S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (operand, denormal) = S::get(memory, op.addr(cpu))?;
    let x87 = &mut cpu.x87;
    let mut env = Extended::new(x87.control);
    let result = if x87.holds(0) {
        let result = F::apply(x87.peek(0), operand, &mut env);
        note_denormal(&mut env, denormal && !x87.peek(0).is_nan());
        note(x87, &env);
        result
    } else {
        underflow(x87)
    };
    x87.set(0, result);
    Ok(Flow::Next)
}

/// FADD, FADDP, FIADD and their kin
pub(crate) fn arithmetic<F: Arithmetic>(insn: &Instruction) -> Option<Handler> {
    use M::{Faddp, Fdivp, Fdivrp, Fiadd, Fidiv, Fidivr, Fimul, Fisub, Fisubr, Fmulp, Fsubp, Fsubrp};
    let m = insn.mnemonic();
    let integer = matches!(m, Fiadd | Fimul | Fisub | Fisubr | Fidiv | Fidivr);
    Some(match (form(insn, 0), integer, insn.memory_size().size()) {
        (Form::Mem, false, 4) => run_memory::<F, Single>,
        (Form::Mem, false, 8) => run_memory::<F, Double>,
        (Form::Mem, true, 2) => run_memory::<F, Int16>,
        (Form::Mem, true, 4) => run_memory::<F, Int32>,
        (Form::Reg, ..) if matches!(m, Faddp | Fmulp | Fsubp | Fsubrp | Fdivp | Fdivrp) => {
            run_registers::<F, true>
        }
        (Form::Reg, ..) => run_registers::<F, false>,
        _ => return None,
    })
}

/// FCHS, FABS, FSQRT, FRNDINT
pub(crate) fn unary(insn: &Instruction) -> Option<Handler> {
    fn run(cpu: &mut Cpu, op: impl Fn(F80, &mut Extended) -> F80) -> Step {
        let x87 = &mut cpu.x87;
        let mut env = Extended::new(x87.control);
        let result = if x87.holds(0) {
            let result = op(x87.peek(0), &mut env);
            note(x87, &env);
            result
        } else {
            underflow(x87)
        };
        x87.set(0, result);
        Ok(Flow::Next)
    }
    Some(match insn.mnemonic() {
        M::Fchs => |cpu, _, _| run(cpu, |x, _| x.negated()),
        M::Fabs => |cpu, _, _| run(cpu, |x, _| x.magnitude()),
        M::Fsqrt => |cpu, _, _| run(cpu, F80::sqrt),
        M::Frndint => |cpu, _, _| run(cpu, F80::round_to_integral),
        _ => return None,
    })
}

/// FXCH
pub(crate) fn exchange(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, op| {
        let (x87, i) = (&mut cpu.x87, op.reg[1]);
        x87.set_c1(false);
        let top = if x87.holds(0) { x87.peek(0) } else { underflow(x87) };
        let other = if x87.holds(i) { x87.peek(i) } else { underflow(x87) };
        x87.set(0, other);
        x87.set(i, top);
        Ok(Flow::Next)
    })
}

/// Compares ST(0) with a number, or with none where its register is empty.
fn compared(x87: &mut X87, other: Option<F80>, denormal: bool, signaling: bool) -> Compared {
    let mut env = Extended::new(x87.control);
    match other.filter(|_| x87.holds(0)) {
        Some(other) => {
            let outcome = F80::compare(x87.peek(0), other, signaling, &mut env);
            note_denormal(&mut env, denormal && outcome != Compared::Unordered);
            x87.status |= env.flags as u16;
            outcome
        }
        None => {
            underflow(x87);
            Compared::Unordered
        }
    }
}

fn set_conditions(x87: &mut X87, outcome: Compared) {
    x87.status &= !(X87::C0 | X87::C1 | X87::C2 | X87::C3);
    x87.status |= match outcome {
        Compared::Less => X87::C0,
        Compared::Equal => X87::C3,
        Compared::Greater => 0,
        Compared::Unordered => X87::C0 | X87::C2 | X87::C3,
    };
}

fn run_compare<const SIGNALING: bool, const POPS: u8>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    // FCOMPP has no operands: it means ST(1).
    let (x87, i) = (&mut cpu.x87, if POPS == 2 { 1 } else { op.reg[1] });
    let other = x87.holds(i).then(|| x87.peek(i));
    let outcome = compared(x87, other, false, SIGNALING);
    set_conditions(x87, outcome);
    (0..POPS).for_each(|_| pop(x87));
    Ok(Flow::Next)
}

fn run_compare_memory<S: Source, const POPS: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (other, denormal) = S::get(memory, op.addr(cpu))?;
    let outcome = compared(&mut cpu.x87, Some(other), denormal, true);
    set_conditions(&mut cpu.x87, outcome);
    (0..POPS).for_each(|_| pop(&mut cpu.x87));
    Ok(Flow::Next)
}

/// FCOM, FCOMP, FCOMPP, FUCOM, FUCOMP, FUCOMPP, FICOM, FICOMP
pub(crate) fn compare(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fcom_st0_sti => run_compare::<true, 0>,
        Code::Fcomp_st0_sti => run_compare::<true, 1>,
        Code::Fcompp => run_compare::<true, 2>,
        Code::Fucom_st0_sti => run_compare::<false, 0>,
        Code::Fucomp_st0_sti => run_compare::<false, 1>,
        Code::Fucompp => run_compare::<false, 2>,
        Code::Fcom_m32fp => run_compare_memory::<Single, 0>,
        Code::Fcom_m64fp => run_compare_memory::<Double, 0>,
        Code::Fcomp_m32fp => run_compare_memory::<Single, 1>,
        Code::Fcomp_m64fp => run_compare_memory::<Double, 1>,
        Code::Ficom_m16int => run_compare_memory::<Int16, 0>,
        Code::Ficom_m32int => run_compare_memory::<Int32, 0>,
        Code::Ficomp_m16int => run_compare_memory::<Int16, 1>,
        Code::Ficomp_m32int => run_compare_memory::<Int32, 1>,
        _ => return None,
    })
}

fn run_compare_flags<const SIGNALING: bool, const POPS: u8>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let x87 = &mut cpu.x87;
    let other = x87.holds(op.reg[1]).then(|| x87.peek(op.reg[1]));
    let outcome = compared(x87, other, false, SIGNALING);
    (0..POPS).for_each(|_| pop(x87));
    cpu.flags = Flags::from_rflags(match outcome {
        Compared::Less => Rflags::CF,
        Compared::Equal => Rflags::ZF,
        Compared::Greater => Rflags::empty(),
        Compared::Unordered => Rflags::CF | Rflags::PF | Rflags::ZF,
    });
    Ok(Flow::Next)
}

/// FCOMI, FCOMIP, FUCOMI, FUCOMIP
pub(crate) fn compare_flags(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fcomi => run_compare_flags::<true, 0>,
        M::Fcomip => run_compare_flags::<true, 1>,
        M::Fucomi => run_compare_flags::<false, 0>,
        M::Fucomip => run_compare_flags::<false, 1>,
        _ => return None,
    })
}

/// FLDCW, FNSTCW, FNSTSW, FNCLEX, FNINIT, FNOP, WAIT
pub(crate) fn control(insn: &Instruction) -> Option<Handler> {
    let to_register = insn.op0_kind() == OpKind::Register && insn.op0_register() == Register::AX;
    Some(match insn.mnemonic() {
        M::Fldcw => |cpu, memory, op| {
            // Bit 6 always reads as one; what is above the infinity bit does not exist.
            cpu.x87.control = u16::load(memory, op.addr(cpu))? & 0x1f3f | 0x40;
            Ok(Flow::Next)
        },
        M::Fnstcw => |cpu, memory, op| {
            cpu.x87.control.store(memory, op.addr(cpu))?;
            Ok(Flow::Next)
        },
        M::Fnstsw if to_register => |cpu, _, _| {
            cpu.write(gpr::RAX, cpu.x87.status);
            Ok(Flow::Next)
        },
        M::Fnstsw => |cpu, memory, op| {
            cpu.x87.status.store(memory, op.addr(cpu))?;
            Ok(Flow::Next)
        },
        M::Fnclex => |cpu, _, _| {
            cpu.x87.status &= 0x7f00;
            Ok(Flow::Next)
        },
        M::Fninit => |cpu, _, _| {
            let registers = cpu.x87.registers;
            cpu.x87 = X87 { registers, ..X87::default() };
            Ok(Flow::Next)
        },
        M::Fnop | M::Wait => |_, _, _| Ok(Flow::Next),
        _ => return None,
    })
}
