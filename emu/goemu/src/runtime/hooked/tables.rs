//! Tables of an interface's methods (`runtime/iface.go`), which programs compare by address.

use crate::hook::{Action, HookContext, HookResult};

/// `getitab(inter *interfacetype, typ *_type, canfail bool) *itab`: as it starts, a program registers the tables that
/// its compiler made. Without that the runtime would make a second one, and a value that came through an assertion
/// would not be equal to itself (`errors.Is`).
pub(in crate::runtime) fn getitab(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(0)?, cx.arg(1)?);
    let Some(itab) = cx.image.itab(interface, ty) else { return Ok(Action::Run) };
    cx.set_result(3, 0, itab)?;
    Ok(Action::Return)
}

/// `(*itabTableType).find(inter *interfacetype, typ *_type) *itab`, which `getitab` asks: builds with a profile put that into its callers.
pub(in crate::runtime) fn find(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(1)?, cx.arg(2)?);
    let Some(itab) = cx.image.itab(interface, ty) else { return Ok(Action::Run) };
    cx.set_result(3, 0, itab)?;
    Ok(Action::Return)
}
