//! The ends of a program: a panic that nobody recovered, fatal errors, exit.

use crate::cpu::gpr;
use crate::go::read::Reader;
use crate::hook::{Action, Cx, Refused};
use crate::memory::MemFault;
use crate::outcome::{Outcome, Panic};

/// Bytes of a fatal error's text that are read.
const MAX_TEXT: u64 = 4096;

/// `fatalpanic(msgs *_panic)`: the deferred functions have run, and the panic's values have been made
/// printable (errors by their Error method) by `preprintpanics`. The program's own `printpanics`, which takes
/// the same argument, puts it in words, and returns to [`PRINTED`].
pub(super) fn fatalpanic(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    cx.world.panic_printed_from = cx.world.stderr.len();
    let Some(printer) = cx.image.funcs_named("runtime.printpanics").first().map(|func| func.entry()) else {
        let panic = cx.arg(0)?;
        let arg = panic.wrapping_add(cx.image.facts().panic.arg);
        let (ty, data) = (cx.word(arg)?, cx.word(arg.wrapping_add(8))?);
        let text = Reader::new(cx.memory, cx.image).eface(ty, data).to_string();
        return Ok(panicked(cx, text));
    };
    cx.set_word(cx.cpu.gpr(gpr::RSP), PRINTED)?;
    cx.cpu.rip = printer;
    Ok(Action::Resume)
}

/// Where `printpanics` returns to: no memory is there, but a hook.
pub(super) const PRINTED: u64 = 0x7e_0000_1000;

/// The panic's text is the last that was written to standard error.
pub(super) fn printed(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let from = cx.world.panic_printed_from.min(cx.world.stderr.len());
    let text = String::from_utf8_lossy(&cx.world.stderr.split_off(from)).into_owned();
    let text = text.strip_prefix("panic: ").unwrap_or(&text).trim_end().to_owned();
    Ok(panicked(cx, text))
}

fn panicked(cx: &Cx<'_>, text: String) -> Action {
    let (ty, data) = cx.world.panic_value.unwrap_or_default();
    let value = Reader::new(cx.memory, cx.image).eface(ty, data);
    Action::End(Outcome::Panicked(Panic { value, text }))
}

/// `throw(s string)`, `fatal(s string)`
pub(super) fn throw(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let text = string(cx, cx.arg(0)?, cx.arg(1)?)?;
    Ok(error(cx, &text))
}

/// Ends the call as the runtime's fatal errors end a program.
pub(super) fn error(cx: &mut Cx<'_>, text: &str) -> Action {
    cx.world.print(2, format!("fatal error: {text}\n").as_bytes());
    Action::End(Outcome::Exited { code: 2, fatal: Some(text.to_owned()) })
}

/// The heap is used up.
pub(super) fn out_of_memory(cx: &mut Cx<'_>) -> Action {
    error(cx, "runtime: out of memory")
}

/// `exit(code int32)`, ABI0 in every release.
pub(super) fn exit(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let code = i32::from_le_bytes(cx.memory.read(cx.caller_sp())?);
    Ok(Action::End(Outcome::Exited { code, fatal: None }))
}

fn string(cx: &Cx<'_>, addr: u64, len: u64) -> Result<String, MemFault> {
    let mut bytes = vec![0; len.min(MAX_TEXT) as usize];
    cx.memory.read_bytes(addr, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
