//! Range-over-func (`runtime/panic.go`, Go 1.22 and later): deferred calls of loop bodies, and what iterators do wrong.
//!
//! A loop's body is a function of its own, and defers for the one that the loop stands in. Stacks do not move here, so the
//! token that names that one is its frame, and its calls are ordinary records.

use super::{errors, room};
use crate::cpu::gpr;
use crate::hook::{Action, HookContext, HookResult};
use crate::observe::Event;
use crate::runtime::hooked;

/// Records that are looked at before the frame's own: what is deferred in frames below it.
const MAX_RECORDS: usize = 1 << 20;

/// `deferrangefunc() any`: a token for the caller's frame, which only [`deferprocat`] looks into.
pub(in crate::runtime) fn deferrangefunc(cx: &mut HookContext<'_>) -> HookResult {
    let frame = cx.caller_sp();
    let token = room!(cx, 8, 0);
    cx.set_word(token, frame)?;
    cx.set_result(0, 0, 0)?;
    cx.set_result(0, 1, token)?;
    Ok(Action::Return)
}

/// `deferprocat(fn func(), frame any)`: defers a call in the frame of a token. Its record goes before those of that frame,
/// and behind those of frames that return earlier.
pub(in crate::runtime) fn deferprocat(cx: &mut HookContext<'_>) -> HookResult {
    let (closure, token) = (cx.arg(0)?, cx.arg(2)?);
    let (facts, sp) = (cx.image.facts(), cx.word(token)?);
    let layout = facts.defer;
    let record = room!(cx, layout.size, 0);
    let mut link = cx.goroutine.g.wrapping_add(facts.g.defer);
    for _ in 0..MAX_RECORDS {
        let newer = cx.word(link)?;
        if newer == 0 || cx.word(newer.wrapping_add(layout.sp))? >= sp {
            break;
        }
        link = newer.wrapping_add(layout.link);
    }
    let next = cx.word(link)?;
    cx.set_word(record.wrapping_add(layout.func), closure)?;
    cx.set_word(record.wrapping_add(layout.sp), sp)?;
    cx.set_word(record.wrapping_add(layout.link), next)?;
    cx.set_word(link, record)?;
    let func = if closure == 0 { 0 } else { cx.word(closure)? };
    cx.emit(|_| Event::DeferPushed { by: "deferprocat", record, closure, func, sp, args: Vec::new() });
    // The call was deferred; it is not being resumed after a panic.
    cx.cpu.set_gpr(gpr::RAX, 0);
    Ok(Action::Return)
}

/// `panicrangeexit()`
pub(in crate::runtime) fn panicrangeexit(cx: &mut HookContext<'_>) -> HookResult {
    errors::plain(cx, "range function continued iteration after exit")
}

/// `panicrangestate(state int)`, of `internal/abi.RF_State`.
pub(in crate::runtime) fn panicrangestate(cx: &mut HookContext<'_>) -> HookResult {
    let text = match cx.arg(0)? {
        0 => "range function continued iteration after function for loop body returned false",
        2 => "range function continued iteration after loop body panic",
        3 => "range function continued iteration after whole loop exit",
        4 => "range function recovered a loop body panic and did not resume panicking",
        _ => return Ok(hooked::fatal_error(cx, "unexpected state passed to panicrangestate")),
    };
    errors::plain(cx, text)
}
