//! The ends of a program: a panic that nobody recovered, fatal errors, exit.

use crate::go::read::Reader;
use crate::go::value::Value;
use crate::hook::{Action, Cx, Refused};
use crate::memory::MemFault;
use crate::outcome::{Outcome, Panic};

/// Bytes of a fatal error's text that are read.
const MAX_TEXT: u64 = 4096;

/// `fatalpanic(msgs *_panic)`: the deferred functions have run, and the panic's values have been made
/// printable (errors by their Error method) by `preprintpanics`.
pub(super) fn fatalpanic(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let panic = cx.arg(0)?;
    let arg = panic.wrapping_add(cx.image.facts().panic.arg);
    let printable = (cx.word(arg)?, cx.word(arg.wrapping_add(8))?);
    let (ty, data) = cx.world.panic_value.unwrap_or(printable);
    let reader = Reader::new(cx.memory, cx.image);
    let value = reader.eface(ty, data);
    let text = panic_text(&reader.eface(printable.0, printable.1));
    Ok(Action::End(Outcome::Panicked(Panic { value, text })))
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

/// What Go prints after `panic: ` (`printpanicval`): strings and numbers as they are, what else is there as
/// Go syntax would have it.
fn panic_text(value: &Value) -> String {
    let Value::Interface(inner) = value else { return value.to_string() };
    match &*inner.value {
        Value::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => value.to_string(),
    }
}
