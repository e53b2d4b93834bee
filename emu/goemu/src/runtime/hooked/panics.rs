//! Panics (`runtime/panic.go`) are carried out by the program's own text; these hooks tell of them.

use super::system;
use crate::hook::{Action, HookContext, HookResult};
use crate::observe::Event;

/// The text of a panic, of what `printpanics` prints.
pub(crate) fn text(printed: &str) -> String {
    let text = printed.strip_prefix("panic: ").unwrap_or(printed);
    text.strip_suffix('\n').unwrap_or(text).to_owned()
}

/// `gopanic(e any)`
pub(crate) fn gopanic(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, data) = (cx.arg(0)?, cx.arg(1)?);
    cx.world.ending.panic_value = Some((ty, data));
    if !cx.has_begun() {
        cx.emit(|_| Event::Panicking { ty, data });
    }
    Ok(Action::Run)
}

/// `gopanic` of a program that was not started. Whether a nil value stays one is a setting of the program since Go 1.21
/// (`GODEBUG=panicnil=1`), and known when its packages are initialised.
pub(in crate::runtime) fn gopanic_unstarted(cx: &mut HookContext<'_>) -> HookResult {
    if cx.arg(0)? == 0 && cx.image.facts().rules().nil_panics_have_a_type() {
        system::initialised(cx)?;
    }
    gopanic(cx)
}

/// `gorecover`
pub(crate) fn gorecover(cx: &mut HookContext<'_>) -> HookResult {
    if !cx.has_begun() {
        cx.emit(|_| Event::RecoverCalled);
    }
    Ok(Action::Run)
}

/// `recovery(gp *g)`, which runs on g0 after a deferred function recovered the panic.
pub(crate) fn recovery(cx: &mut HookContext<'_>) -> HookResult {
    cx.emit(|_| Event::Recovered);
    Ok(Action::Run)
}
