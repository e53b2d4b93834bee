//! Allocation and slices (`runtime/malloc.go`, `runtime/slice.go`).

use goemu_loader::facts::Growth;

use super::{bytes_at, errors, room, size_of, type_word};
use crate::hook::{Action, HookContext, HookResult};

/// Go's addresses have 48 bits; no object is larger.
const MAX_ALLOC: u64 = 1 << 48;

/// `newobject(typ *_type) unsafe.Pointer`
pub(in crate::runtime) fn newobject(cx: &mut HookContext<'_>) -> HookResult {
    let ty = cx.arg(0)?;
    let size = size_of(cx, ty)?;
    let addr = room!(cx, size, ty);
    cx.set_result(1, 0, addr)?;
    Ok(Action::Return)
}

/// `makeslice(et *_type, len, cap int) unsafe.Pointer`
pub(in crate::runtime) fn makeslice(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, len, cap) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let size = size_of(cx, ty)?;
    let fits = |count: u64| count.checked_mul(size.max(1)).is_some_and(|bytes| bytes <= MAX_ALLOC);
    if !fits(len) {
        return errors::makeslice_len(cx);
    }
    if !fits(cap) || len > cap {
        return errors::makeslice_cap(cx);
    }
    let addr = room!(cx, size.wrapping_mul(cap), ty);
    cx.set_result(3, 0, addr)?;
    Ok(Action::Return)
}

/// `makeslicecopy(et *_type, tolen, fromlen int, from unsafe.Pointer) unsafe.Pointer`
pub(in crate::runtime) fn makeslicecopy(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, to, from) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let size = size_of(cx, ty)?;
    let Some(bytes) = to.checked_mul(size).filter(|bytes| *bytes <= MAX_ALLOC) else {
        return errors::makeslice_len(cx);
    };
    let copied = bytes_at(cx, cx.arg(3)?, size.wrapping_mul(from.min(to)))?;
    let addr = room!(cx, bytes, ty);
    cx.memory.write_bytes(addr, &copied)?;
    cx.set_result(4, 0, addr)?;
    Ok(Action::Return)
}

/// A slice that grows.
struct Grown {
    ty: u64,
    old: u64,
    old_len: u64,
    old_cap: u64,
    /// What it has to hold.
    needed: u64,
    /// Its length afterwards.
    len: u64,
    /// Words of arguments.
    args: usize,
}

/// `growslice(et *_type, old slice, cap int) slice`, up to Go 1.19: the length stays.
pub(in crate::runtime) fn growslice_to_capacity(cx: &mut HookContext<'_>) -> HookResult {
    let old_len = cx.arg(2)?;
    let grown = Grown {
        ty: cx.arg(0)?,
        old: cx.arg(1)?,
        old_len,
        old_cap: cx.arg(3)?,
        needed: cx.arg(4)?,
        len: old_len,
        args: 5,
    };
    grow(cx, &grown)
}

/// `growslice(oldPtr unsafe.Pointer, newLen, oldCap, num int, et *_type) slice`
pub(in crate::runtime) fn growslice(cx: &mut HookContext<'_>) -> HookResult {
    let len = cx.arg(1)?;
    let grown = Grown {
        ty: cx.arg(4)?,
        old: cx.arg(0)?,
        old_len: len.wrapping_sub(cx.arg(3)?),
        old_cap: cx.arg(2)?,
        needed: len,
        len,
        args: 5,
    };
    grow(cx, &grown)
}

fn grow(cx: &mut HookContext<'_>, grown: &Grown) -> HookResult {
    let rules = Growth::of(cx.image.facts().version.minor);
    let size = size_of(cx, grown.ty)?;
    if grown.needed.cast_signed() < 0 || grown.needed < grown.old_cap {
        return errors::growslice(cx);
    }
    if size == 0 {
        // Elements of no size: any address will do.
        let addr = room!(cx, 0, grown.ty);
        return slice(cx, grown.args, addr, grown.len, grown.needed);
    }
    let has_pointers = type_word(cx, grown.ty, cx.image.facts().types.rtype.ptrdata)? != 0;
    let cap = rules.capacity(grown.old_len, grown.old_cap, grown.needed);
    let Some(bytes) = cap.checked_mul(size).filter(|bytes| *bytes <= MAX_ALLOC) else {
        return errors::growslice(cx);
    };
    let cap = rules.rounded(bytes, has_pointers) / size;
    let copied = bytes_at(cx, grown.old, size.wrapping_mul(grown.old_len))?;
    let addr = room!(cx, size.wrapping_mul(cap), grown.ty);
    cx.memory.write_bytes(addr, &copied)?;
    slice(cx, grown.args, addr, grown.len, cap)
}

fn slice(cx: &mut HookContext<'_>, args: usize, addr: u64, len: u64, cap: u64) -> HookResult {
    for (n, word) in [addr, len, cap].into_iter().enumerate() {
        cx.set_result(args, n, word)?;
    }
    Ok(Action::Return)
}

/// `growsliceBuf(oldPtr unsafe.Pointer, newLen, oldCap, num int, et *_type, bufPtr unsafe.Pointer, bufLen int)`: as
/// long as it fits, the slice stays in a buffer of the caller's frame.
pub(in crate::runtime) fn growslice_buf(cx: &mut HookContext<'_>) -> HookResult {
    let (old, len, ty, buffer) = (cx.arg(0)?, cx.arg(1)?, cx.arg(4)?, cx.arg(5)?);
    if len > cx.arg(6)? {
        return growslice(cx);
    }
    let size = size_of(cx, ty)?;
    let old_len = len.wrapping_sub(cx.arg(3)?);
    let copied = bytes_at(cx, old, size.wrapping_mul(old_len))?;
    cx.memory.write_bytes(buffer, &copied)?;
    let has_pointers = type_word(cx, ty, cx.image.facts().types.rtype.ptrdata)? != 0;
    let bytes = Growth::of(cx.image.facts().version.minor).rounded(len.wrapping_mul(size), has_pointers);
    let cap = bytes.checked_div(size).unwrap_or(len);
    let rest = size.wrapping_mul(cap.saturating_sub(len));
    super::memory::clear(cx, buffer.wrapping_add(len.wrapping_mul(size)), rest)?;
    slice(cx, 7, buffer, len, cap)
}

/// `moveSlice(et *_type, old unsafe.Pointer, len, cap int) (unsafe.Pointer, int, int)`: off the stack.
pub(in crate::runtime) fn move_slice(cx: &mut HookContext<'_>) -> HookResult {
    let size = size_of(cx, cx.arg(0)?)?;
    let cap = cx.arg(3)?;
    moved(cx, size, cap)
}

/// The same of elements of this size that hold no pointers.
pub(in crate::runtime) fn move_slice_no_scan(cx: &mut HookContext<'_>) -> HookResult {
    let (size, cap) = (cx.arg(0)?, cx.arg(3)?);
    moved(cx, size, cap)
}

/// `moveSliceNoCap(et *_type, old unsafe.Pointer, len int)`: the capacity is not used any more.
pub(in crate::runtime) fn move_slice_no_cap(cx: &mut HookContext<'_>) -> HookResult {
    let size = size_of(cx, cx.arg(0)?)?;
    let cap = cx.arg(2)?;
    moved(cx, size, cap)
}

pub(in crate::runtime) fn move_slice_no_cap_no_scan(cx: &mut HookContext<'_>) -> HookResult {
    let (size, cap) = (cx.arg(0)?, cx.arg(2)?);
    moved(cx, size, cap)
}

/// Only slices that lie on the stack are moved; they have the second and third argument in all four.
fn moved(cx: &mut HookContext<'_>, size: u64, cap: u64) -> HookResult {
    let (old, len) = (cx.arg(1)?, cx.arg(2)?);
    if !(cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&old) {
        return slice(cx, 4, old, len, cap);
    }
    let copied = bytes_at(cx, old, size.wrapping_mul(len))?;
    let addr = room!(cx, size.wrapping_mul(cap).min(MAX_ALLOC), 0);
    cx.memory.write_bytes(addr, &copied)?;
    slice(cx, 4, addr, len, cap)
}
