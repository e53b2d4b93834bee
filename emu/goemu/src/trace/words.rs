//! Records in words.

use std::fmt::Formatter;

use super::frames::Frames;
use super::function::{captured, name};
use super::record::{CallChange, CallKind, StackCheck, Written};
use crate::exit::{Fault, FaultKind};
use crate::go::read::Reader;
use crate::observe::{Event, View};

type Result = std::fmt::Result;

/// What the comparison at a function's start found.
pub(super) fn stack_check(check: &StackCheck, f: &mut Formatter<'_>) -> Result {
    let StackCheck { func, margin, asked, .. } = check;
    match margin {
        _ if *asked => write!(f, "stack check of {func}: the goroutine is to let others run"),
        1.. => write!(f, "stack check of {func}: {margin} bytes above the guard, enough room"),
        0 => write!(f, "stack check of {func}: at the guard, the stack must grow"),
        _ => write!(f, "stack check of {func}: {} bytes short, the stack must grow", margin.unsigned_abs()),
    }
}

/// What it means that memory was written.
pub(super) fn written(written: &Written, f: &mut Formatter<'_>) -> Result {
    match written {
        Written::Result { func, result, value, part: false } => {
            write!(f, "result slot: {} = {value}", result_of(result, func))
        }
        Written::Result { func, result, value, part: true } => {
            write!(f, "result slot: a part of {} is written, now it is {value}", result_of(result, func))
        }
        Written::Captured { func, addr, value } => {
            write!(f, "captured variable of {func} at {addr:#x} = {value:#x}")
        }
        Written::OpenDefers { func, bits: 0 } => {
            write!(f, "open-coded defers of {func}: none is pending, should it panic")
        }
        Written::OpenDefers { func, bits } => {
            write!(f, "open-coded defers of {func}: {bits:#b} are pending, should it panic")
        }
    }
}

/// A result of a function.
pub(super) fn result_of(result: &str, func: &str) -> String {
    format!("{} of {func}", if result.is_empty() { "the result" } else { result })
}

/// A call or a return.
pub(super) fn call(change: &CallChange, f: &mut Formatter<'_>) -> Result {
    match &change.kind {
        CallKind::Entered => write!(f, "call {}", change.call()),
        CallKind::ByRuntime => write!(f, "Go's runtime calls {}", change.call()),
        CallKind::Jumped { from } => write!(f, "{from} jumps to {}", change.call()),
        CallKind::Deferred { of, captured } => {
            write!(f, "open-coded defer of {of} runs: {}, captured {captured}", change.call())
        }
        CallKind::Returned(results) => write!(f, "return {}", change.returned(results.as_deref())),
    }
}
/// An event in words.
pub(super) fn event(at: &View<'_>, event: &Event, frames: &Frames) -> String {
    match event {
        Event::CallBegins { func, stack, .. } => {
            format!("calling {} on a new goroutine with a stack of {stack} bytes", name(at.image, *func))
        }
        Event::StackMoved { from, to } => {
            format!("the stack was too small: it was copied, and ends at {to:#x} instead of {from:#x}")
        }
        Event::StackGrew { func, from, to } => {
            format!("stack grew in place from {from} to {to} bytes; {} starts again", name(at.image, *func))
        }
        Event::DeferPushed { by, closure, func, sp, args, .. } => {
            let what = if args.is_empty() { "captured" } else { "arguments" };
            format!(
                "{by}: {} is deferred, {what} {}; it belongs to the frame with SP={sp:#x}",
                name(at.image, *func),
                frames.list(&deferred(at, *func, *closure, args))
            )
        }
        Event::DeferRuns { func, .. } => format!("deferreturn runs {}", name(at.image, *func)),
        Event::DefersDone => "deferreturn: the frame has no more deferred calls".to_owned(),
        Event::DefersLeftToRuntime => {
            "deferreturn: the frame's defers are open-coded, the program's runtime runs them".to_owned()
        }
        Event::Panicking { ty, data } => format!("panic({})", any(at, *ty, *data)),
        Event::RecoverCalled => "recover is called".to_owned(),
        Event::Unreadable { addr } => {
            format!("Go's runtime does something that cannot be told: no readable memory at {addr:#x}")
        }
        Event::Recovered => "recovered: the deferring function goes on to its end".to_owned(),
        Event::FaultBecomesPanic(fault) => format!("{}: Go makes a panic of it", cause(fault)),
        Event::Allocated { addr, size, ty } => allocated(at, *addr, *size, *ty),
        Event::GoroutineStarted { goroutine, func } => {
            format!("goroutine {goroutine} is made, to run {}", name(at.image, *func))
        }
        Event::GoroutineSwitched { from, to } => format!("goroutine {to} runs, {from} does not"),
        Event::Syscall { name: Some(name), args, result, .. } => {
            let args: Vec<String> =
                args.iter().map(|(name, value)| format!("{name}={}", number(*value))).collect();
            format!("system call {name}({}) = {result}", args.join(", "))
        }
        Event::Syscall { number, result, .. } => format!("system call {number} = {result}"),
        Event::CallEnded(outcome) => format!("{}: {outcome}", outcome.word()),
    }
}

/// A number as people read it: small ones in decimal, addresses in hexadecimal.
fn number(value: u64) -> String {
    if value < 1 << 16 { value.to_string() } else { format!("{value:#x}") }
}

/// The words that go with a deferred call: its arguments, or what its closure captured.
pub(super) fn deferred(at: &View<'_>, func: u64, closure: u64, args: &[u8]) -> Vec<u64> {
    if args.is_empty() { captured(at.memory, func, closure) } else { args.chunks(8).map(word).collect() }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// The value of an `any`.
fn any(at: &View<'_>, ty: u64, data: u64) -> String {
    Reader::new(at.memory, at.image).eface(ty, data).to_string()
}

fn cause(fault: &Fault) -> String {
    match fault.kind {
        FaultKind::Divide => "division by zero".to_owned(),
        _ => fault.to_string(),
    }
}

fn allocated(at: &View<'_>, addr: u64, size: u64, ty: u64) -> String {
    let reference = goemu_loader::TypeRef::Rtype(ty);
    match at.image.resolve(&reference) {
        Ok(known) if ty != 0 => format!("allocated {size} bytes at {addr:#x} for {}", known.name),
        _ => format!("allocated {size} bytes at {addr:#x}"),
    }
}
