//! Moving, clearing and comparing memory (`runtime/memmove_amd64.s`, `runtime/mbarrier.go`, `internal/bytealg`).

use std::cmp::Ordering;

use super::{bytes_at, size_of};
use crate::hook::{Action, HookContext, HookError, HookResult};

/// Zeros are written in pieces of this size.
const ZEROS: [u8; 4096] = [0; 4096];

/// `memmove(to, from unsafe.Pointer, n uintptr)`
pub(in crate::runtime) fn memmove(cx: &mut HookContext<'_>) -> HookResult {
    let (to, from, len) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    copy(cx, to, from, len)?;
    Ok(Action::Return)
}

pub(in crate::runtime) fn copy(
    cx: &mut HookContext<'_>,
    to: u64,
    from: u64,
    len: u64,
) -> Result<(), HookError> {
    let bytes = bytes_at(cx, from, len)?;
    Ok(cx.memory.write_bytes(to, &bytes)?)
}

/// `memclrNoHeapPointers(ptr unsafe.Pointer, n uintptr)`
pub(in crate::runtime) fn memclr(cx: &mut HookContext<'_>) -> HookResult {
    let (addr, len) = (cx.arg(0)?, cx.arg(1)?);
    clear(cx, addr, len)?;
    Ok(Action::Return)
}

pub(in crate::runtime) fn clear(cx: &mut HookContext<'_>, addr: u64, len: u64) -> Result<(), HookError> {
    let mut done = 0;
    while done < len {
        let piece = (len - done).min(ZEROS.len() as u64);
        cx.memory.write_bytes(addr.wrapping_add(done), &ZEROS[..piece as usize])?;
        done += piece;
    }
    Ok(())
}

/// `typedmemmove(typ *_type, dst, src unsafe.Pointer)`
pub(in crate::runtime) fn typedmemmove(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, to, from) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let len = size_of(cx, ty)?;
    copy(cx, to, from, len)?;
    Ok(Action::Return)
}

/// `typedmemclr(typ *_type, ptr unsafe.Pointer)`
pub(in crate::runtime) fn typedmemclr(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, addr) = (cx.arg(0)?, cx.arg(1)?);
    let len = size_of(cx, ty)?;
    clear(cx, addr, len)?;
    Ok(Action::Return)
}

/// `typedslicecopy(typ *_type, dstPtr unsafe.Pointer, dstLen int, srcPtr unsafe.Pointer, srcLen int) int`
pub(in crate::runtime) fn typedslicecopy(cx: &mut HookContext<'_>) -> HookResult {
    let size = size_of(cx, cx.arg(0)?)?;
    let (to, to_len, from, from_len) = (cx.arg(1)?, cx.arg(2)?, cx.arg(3)?, cx.arg(4)?);
    copied(cx, (to, to_len), (from, from_len), size)
}

/// `slicecopy(toPtr unsafe.Pointer, toLen int, fromPtr unsafe.Pointer, fromLen int, width uintptr) int`
pub(in crate::runtime) fn slicecopy(cx: &mut HookContext<'_>) -> HookResult {
    let (to, to_len, from, from_len) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    let size = cx.arg(4)?;
    copied(cx, (to, to_len), (from, from_len), size)
}

/// `slicestringcopy(toPtr *byte, toLen int, fm string) int`
pub(in crate::runtime) fn slicestringcopy(cx: &mut HookContext<'_>) -> HookResult {
    let (to, count) = (cx.arg(0)?, cx.arg(1)?.min(cx.arg(3)?));
    copy(cx, to, cx.arg(2)?, count)?;
    cx.set_result(4, 0, count)?;
    Ok(Action::Return)
}

fn copied(cx: &mut HookContext<'_>, to: (u64, u64), from: (u64, u64), size: u64) -> HookResult {
    let count = to.1.min(from.1);
    copy(cx, to.0, from.0, count.wrapping_mul(size))?;
    cx.set_result(5, 0, count)?;
    Ok(Action::Return)
}

/// `cmpstring(a, b string) int`
pub(in crate::runtime) fn cmpstring(cx: &mut HookContext<'_>) -> HookResult {
    let (a, a_len, b, b_len) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    let order = bytes_at(cx, a, a_len)?.cmp(&bytes_at(cx, b, b_len)?);
    let answer = match order {
        Ordering::Less => u64::MAX,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    cx.set_result(4, 0, answer)?;
    Ok(Action::Return)
}
