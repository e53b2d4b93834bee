//! The x87 unit. Go uses it in a few old routines only, C code (cgo) for `long double`.
//!
//! A masked exception gives its default result. An unmasked one leaves the operands unchanged (or wraps the
//! result's exponent, for overflow and underflow), and is raised by the next waiting instruction, in [`unit`].

mod arith;
mod compare;
mod control;
mod environment;
mod fxsave;
mod load;
mod store;
mod transcendental;
mod xsave;

pub(crate) use arith::{Arithmetic, arithmetic, unary, unary_pair};
pub(crate) use compare::{compare, compare_flags, examine};
pub(crate) use control::{control, exchange, free, turn};
pub(crate) use environment::environment;
pub(crate) use fxsave::fxsave;
pub(crate) use load::{constant, load, move_if};
pub(crate) use store::store;
pub(crate) use transcendental::{of_angle, of_two};
pub(crate) use xsave::xsave;

use crate::alu::float::{Extended, F80, Float, Mxcsr};
use crate::cpu::{Cpu, X87};
use crate::exit::{Trap, TrapKind};
use crate::interp::operand::Int;
use crate::memory::Memory;

/// The unit, for a waiting instruction: a pending exception is raised now.
#[inline(always)]
pub(super) fn unit(cpu: &mut Cpu) -> Result<&mut X87, Trap> {
    if cpu.x87.status & X87::SUMMARY != 0 { Err(Trap::new(TrapKind::Float)) } else { Ok(&mut cpu.x87) }
}

/// A number in memory, and whether it is a denormal of its own format.
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

/// Records the exceptions of an operation, and whether it rounded up; returns whether its result is to be stored.
#[must_use]
fn settle(x87: &mut X87, env: &Extended) -> bool {
    let before = env.flags & Mxcsr::BEFORE;
    if before & env.unmasked != 0 {
        x87.raise(before as u16);
        x87.set_c1(false);
        return false;
    }
    x87.raise(env.flags as u16);
    x87.set_c1(env.up);
    true
}

/// Records a denormal in memory, unless a more important exception occurred.
fn note_denormal(env: &mut Extended, denormal: bool) {
    if denormal && env.flags & (Mxcsr::IE | Mxcsr::ZE) == 0 {
        env.flags |= Mxcsr::DE;
    }
}

/// An empty register was read: the result is indefinite, if there is one.
fn empty(x87: &mut X87) -> Option<F80> {
    x87.set_c1(false);
    (x87.raise(X87::STACK_FAULT) == 0).then_some(F80::INDEFINITE)
}

/// A register's value; indefinite if the register is empty, `None` if that exception is not masked.
fn held(x87: &mut X87, i: u8) -> Option<F80> {
    if x87.holds(i) { Some(x87.peek(i)) } else { empty(x87) }
}

/// The result of an operation whose registers may be empty; `None` if nothing is to be changed.
fn outcome(x87: &mut X87, full: bool, op: impl FnOnce(&X87, &mut Extended) -> F80) -> Option<F80> {
    if !full {
        return empty(x87);
    }
    let mut env = Extended::new(x87.control);
    let result = op(x87, &mut env);
    settle(x87, &env).then_some(result)
}

/// Pushes a number. A full stack is a stack fault: if that is masked, the number becomes indefinite.
fn push(x87: &mut X87, value: F80) {
    let full = x87.holds(7);
    x87.set_c1(full);
    if full && x87.raise(X87::STACK_FAULT) != 0 {
        return;
    }
    x87.turn(7);
    x87.set(0, if full { F80::INDEFINITE } else { value });
}

/// Replaces the number at the top by two results. An empty register is checked first, then a full stack, then the
/// number.
fn replace_by_two(x87: &mut X87, results: impl FnOnce(&mut X87) -> Option<(F80, F80)>) {
    let indefinite = (F80::INDEFINITE, F80::INDEFINITE);
    let results = if !x87.holds(0) {
        empty(x87).map(|_| indefinite)
    } else if x87.holds(7) {
        x87.set_c1(true);
        (x87.raise(X87::STACK_FAULT) == 0).then_some(indefinite)
    } else {
        results(x87)
    };
    if let Some((first, second)) = results {
        x87.set(0, first);
        x87.turn(7);
        x87.set(0, second);
    }
}

fn pop(x87: &mut X87) {
    x87.free(0);
    x87.turn(1);
}
