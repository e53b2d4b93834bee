//! Go's runtime for programs that were linked without it (object files), in Rust.
//!
//! Compiled code calls functions of the runtime for much that Go's statements mean: `append`, conversions, panics.
//! Where there is a runtime, these run from the program's own text. Where there is none, the ones below are carried
//! out here. A call of anything else that no object defines ends in an error that names it, when it is reached.

pub(super) mod alloc;
pub(super) mod bounds;
pub(super) mod channels;
pub(super) mod complex;
pub(super) mod convert;
pub(super) mod equal;
pub(super) mod errors;
pub(super) mod hash;
pub(super) mod iface;
pub(super) mod maps;
pub(super) mod memory;
pub(super) mod panics;
pub(super) mod print;
pub(super) mod rangefunc;
pub(super) mod select;
pub(super) mod strings;

use crate::error::Error;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::runtime::hooked;

/// What a run-time error says that was made here; none of other values.
pub(crate) fn error_text(cx: &HookContext<'_>, ty: u64, data: u64) -> Option<String> {
    errors::text_of(cx, ty, data).ok().flatten()
}

/// A function that is neither in the objects nor here.
pub(super) fn undefined(cx: &mut HookContext<'_>) -> HookResult {
    let from = cx.return_address().ok().and_then(|pc| cx.image.func_at(pc.wrapping_sub(1)));
    let name = cx.func().map_or("a function", |func| func.name()).to_owned();
    Err(Error::Undefined { name, caller: from.map(|func| func.name().to_owned()) }.into())
}

/// Where a field of a type descriptor is; its layout is known in every release that has objects.
fn type_word(cx: &HookContext<'_>, ty: u64, field: Option<u64>) -> Result<u64, HookError> {
    Ok(cx.word(ty.wrapping_add(field.unwrap_or_default()))?)
}

/// The size of the values of a type.
fn size_of(cx: &HookContext<'_>, ty: u64) -> Result<u64, HookError> {
    type_word(cx, ty, cx.image.facts().types.rtype.size)
}

/// Most bytes that are copied between host and guest at once: no object is larger than the guest's memory.
const MAX_BYTES: u64 = 1 << 31;

/// Bytes of the guest.
fn bytes_at(cx: &HookContext<'_>, addr: u64, len: u64) -> Result<Vec<u8>, HookError> {
    if len > MAX_BYTES {
        // What is not there cannot be read.
        cx.word(addr.wrapping_add(MAX_BYTES))?;
    }
    let mut bytes = vec![0; len.min(MAX_BYTES) as usize];
    cx.memory.read_bytes(addr, &mut bytes)?;
    Ok(bytes)
}

/// Memory for an object, or the end of the call.
enum Room {
    At(u64),
    None(Action),
}

fn take_room(cx: &mut HookContext<'_>, size: u64, ty: u64) -> Room {
    match hooked::object(cx, size, ty) {
        Some(addr) => {
            cx.emit(|_| crate::observe::Event::Allocated { addr, size, ty });
            Room::At(addr)
        }
        None => Room::None(hooked::out_of_memory(cx)),
    }
}

/// Takes memory for an object in a hook's body; without, the call ends.
macro_rules! room {
    ($cx:expr, $size:expr, $ty:expr) => {
        match $crate::runtime::objects::take_room($cx, $size, $ty) {
            $crate::runtime::objects::Room::At(addr) => addr,
            $crate::runtime::objects::Room::None(action) => return Ok(action),
        }
    };
}
use room;
