//! Values into interfaces (`runtime/iface.go`): memory for the value, and its address.

use super::{bytes_at, room, size_of};
use crate::hook::{Action, HookContext, HookResult};

/// A copy of bytes, whose address is the result of a function with `args` words of arguments.
fn give(cx: &mut HookContext<'_>, args: usize, bytes: &[u8]) -> HookResult {
    let addr = room!(cx, bytes.len() as u64, 0);
    cx.memory.write_bytes(addr, bytes)?;
    cx.set_result(args, 0, addr)?;
    Ok(Action::Return)
}

fn word(cx: &mut HookContext<'_>, size: usize) -> HookResult {
    let bytes = cx.arg(0)?.to_le_bytes();
    give(cx, 1, &bytes[..size])
}

/// `convT16(val uint16) unsafe.Pointer`
pub(in crate::runtime) fn conv16(cx: &mut HookContext<'_>) -> HookResult {
    word(cx, 2)
}

/// `convT32(val uint32) unsafe.Pointer`
pub(in crate::runtime) fn conv32(cx: &mut HookContext<'_>) -> HookResult {
    word(cx, 4)
}

/// `convT64(val uint64) unsafe.Pointer`
pub(in crate::runtime) fn conv64(cx: &mut HookContext<'_>) -> HookResult {
    word(cx, 8)
}

fn words(cx: &mut HookContext<'_>, count: usize) -> HookResult {
    let mut bytes = Vec::new();
    for n in 0..count {
        bytes.extend(cx.arg(n)?.to_le_bytes());
    }
    give(cx, count, &bytes)
}

/// `convTstring(val string) unsafe.Pointer`
pub(in crate::runtime) fn conv_string(cx: &mut HookContext<'_>) -> HookResult {
    words(cx, 2)
}

/// `convTslice(val []byte) unsafe.Pointer`
pub(in crate::runtime) fn conv_slice(cx: &mut HookContext<'_>) -> HookResult {
    words(cx, 3)
}

/// `convT(t *_type, v unsafe.Pointer) unsafe.Pointer`
pub(in crate::runtime) fn conv(cx: &mut HookContext<'_>) -> HookResult {
    let size = size_of(cx, cx.arg(0)?)?;
    let bytes = bytes_at(cx, cx.arg(1)?, size)?;
    give(cx, 2, &bytes)
}

/// `convT2E(t *_type, elem unsafe.Pointer) eface`
pub(in crate::runtime) fn conv_interface(cx: &mut HookContext<'_>) -> HookResult {
    let ty = cx.arg(0)?;
    interface(cx, ty)
}

/// `convT2I(tab *itab, elem unsafe.Pointer) iface`
pub(in crate::runtime) fn conv_to_iface(cx: &mut HookContext<'_>) -> HookResult {
    let itab = cx.arg(0)?;
    let ty = cx.word(itab.wrapping_add(cx.image.facts().itab.ty))?;
    interface(cx, ty)
}

/// The first word of the interface is the first argument.
fn interface(cx: &mut HookContext<'_>, ty: u64) -> HookResult {
    let size = size_of(cx, ty)?;
    let (first, bytes) = (cx.arg(0)?, bytes_at(cx, cx.arg(1)?, size)?);
    let addr = room!(cx, size, ty);
    cx.memory.write_bytes(addr, &bytes)?;
    cx.set_result(2, 0, first)?;
    cx.set_result(2, 1, addr)?;
    Ok(Action::Return)
}
