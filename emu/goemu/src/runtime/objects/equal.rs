//! Comparing values (`runtime/alg.go`).

use goemu_loader::{Kind, Type, TypeRef};

use super::{bytes_at, errors};
use crate::cpu::gpr;
use crate::go::guest::Types;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// Types nest no deeper than this.
const MAX_DEPTH: u32 = 100;

fn memory_equal(cx: &HookContext<'_>, a: u64, b: u64, len: u64) -> Result<bool, HookError> {
    Ok(a == b || bytes_at(cx, a, len)? == bytes_at(cx, b, len)?)
}

/// `memequal(a, b unsafe.Pointer, size uintptr) bool`
pub(in crate::runtime) fn memequal(cx: &mut HookContext<'_>) -> HookResult {
    let equal = memory_equal(cx, cx.arg(0)?, cx.arg(1)?, cx.arg(2)?)?;
    cx.set_result(3, 0, equal.into())?;
    Ok(Action::Return)
}

fn sized(cx: &mut HookContext<'_>, len: u64) -> HookResult {
    let equal = memory_equal(cx, cx.arg(0)?, cx.arg(1)?, len)?;
    cx.set_result(2, 0, equal.into())?;
    Ok(Action::Return)
}

pub(in crate::runtime) fn memequal0(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 0)
}

pub(in crate::runtime) fn memequal8(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 1)
}

pub(in crate::runtime) fn memequal16(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 2)
}

pub(in crate::runtime) fn memequal32(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 4)
}

pub(in crate::runtime) fn memequal64(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 8)
}

pub(in crate::runtime) fn memequal128(cx: &mut HookContext<'_>) -> HookResult {
    sized(cx, 16)
}

/// `memequal_varlen(a, b unsafe.Pointer) bool`: the size is in the closure.
pub(in crate::runtime) fn memequal_varlen(cx: &mut HookContext<'_>) -> HookResult {
    let size = varlen(cx)?;
    sized(cx, size)
}

/// The size that a closure has which compares or hashes memory; the closure is in DX.
pub(in crate::runtime) fn varlen(cx: &HookContext<'_>) -> Result<u64, HookError> {
    Ok(cx.word(cx.cpu.gpr(gpr::RDX).wrapping_add(8))?)
}

/// `interequal(p, q unsafe.Pointer) bool`
pub(in crate::runtime) fn interequal(cx: &mut HookContext<'_>) -> HookResult {
    interfaces(cx, false)
}

/// `nilinterequal(p, q unsafe.Pointer) bool`
pub(in crate::runtime) fn nilinterequal(cx: &mut HookContext<'_>) -> HookResult {
    interfaces(cx, true)
}

fn interfaces(cx: &mut HookContext<'_>, empty: bool) -> HookResult {
    let (x, y) = (cx.arg(0)?, cx.arg(1)?);
    match interface_at(cx, empty, x, y)? {
        Ok(equal) => {
            cx.set_result(2, 0, equal.into())?;
            Ok(Action::Return)
        }
        Err(descriptor) => uncomparable(cx, descriptor),
    }
}

macro_rules! floats {
    ($($name:ident $parts:literal $size:literal)+) => {
        $(pub(in crate::runtime) fn $name(cx: &mut HookContext<'_>) -> HookResult {
            let equal = numbers_equal(cx, $parts, $size, cx.arg(0)?, cx.arg(1)?)?;
            cx.set_result(2, 0, equal.into())?;
            Ok(Action::Return)
        })+
    };
}

floats! { f32equal 1 4 f64equal 1 8 c64equal 2 4 c128equal 2 8 }

/// `strequal(p, q unsafe.Pointer) bool`
pub(in crate::runtime) fn strequal(cx: &mut HookContext<'_>) -> HookResult {
    let equal = string_equal(cx, cx.arg(0)?, cx.arg(1)?)?;
    cx.set_result(2, 0, equal.into())?;
    Ok(Action::Return)
}

fn string_equal(cx: &HookContext<'_>, a: u64, b: u64) -> Result<bool, HookError> {
    let (a_len, b_len) = (cx.word(a.wrapping_add(8))?, cx.word(b.wrapping_add(8))?);
    Ok(a_len == b_len && memory_equal(cx, cx.word(a)?, cx.word(b)?, a_len)?)
}

/// `efaceeq(typ *_type, x, y unsafe.Pointer) bool`
pub(in crate::runtime) fn efaceeq(cx: &mut HookContext<'_>) -> HookResult {
    let ty = cx.arg(0)?;
    data_equal(cx, ty)
}

/// `ifaceeq(tab *itab, x, y unsafe.Pointer) bool`
pub(in crate::runtime) fn ifaceeq(cx: &mut HookContext<'_>) -> HookResult {
    let itab = cx.arg(0)?;
    let ty = if itab == 0 { 0 } else { cx.word(itab.wrapping_add(cx.image.facts().itab.ty))? };
    data_equal(cx, ty)
}

/// Whether two interfaces of one dynamic type hold the same: the second and third argument are their data.
fn data_equal(cx: &mut HookContext<'_>, descriptor: u64) -> HookResult {
    let (x, y) = (cx.arg(1)?, cx.arg(2)?);
    let equal = if descriptor == 0 { Some(true) } else { interface_equal(cx, descriptor, x, y)? };
    let Some(equal) = equal else { return uncomparable(cx, descriptor) };
    cx.set_result(3, 0, equal.into())?;
    Ok(Action::Return)
}

fn uncomparable(cx: &mut HookContext<'_>, descriptor: u64) -> HookResult {
    let ty = cx.image.resolve(&TypeRef::Rtype(descriptor));
    let name = ty.map_or_else(|_| String::new(), |ty| ty.name.clone());
    errors::plain(cx, &format!("comparing uncomparable type {name}"))
}

/// Whether the interfaces at two addresses are equal; the type that cannot be compared.
fn interface_at(cx: &HookContext<'_>, empty: bool, x: u64, y: u64) -> Result<Result<bool, u64>, HookError> {
    let (first, second) = (cx.word(x)?, cx.word(y)?);
    if first != second || first == 0 {
        return Ok(Ok(first == second));
    }
    let descriptor = if empty { first } else { cx.word(first.wrapping_add(cx.image.facts().itab.ty))? };
    let equal = interface_equal(cx, descriptor, cx.word(x.wrapping_add(8))?, cx.word(y.wrapping_add(8))?)?;
    Ok(equal.ok_or(descriptor))
}

/// None where the type cannot be compared.
fn interface_equal(cx: &HookContext<'_>, descriptor: u64, x: u64, y: u64) -> Result<Option<bool>, HookError> {
    let ty = match cx.image.resolve(&TypeRef::Rtype(descriptor)) {
        Ok(ty) => ty,
        Err(error) => return Err(HookError::Error(error.into())),
    };
    if cx.image.is_direct(&ty) {
        return Ok(comparable(&ty).then_some(x == y));
    }
    equal(cx, &ty, x, y, 0)
}

pub(in crate::runtime) fn comparable(ty: &Type) -> bool {
    !matches!(ty.kind, Kind::Func(_) | Kind::Map { .. } | Kind::Slice(_))
}

/// Whether the values at two addresses are the same, as `==` has it.
pub(in crate::runtime) fn equal(
    cx: &HookContext<'_>,
    ty: &Type,
    x: u64,
    y: u64,
    depth: u32,
) -> Result<Option<bool>, HookError> {
    if !comparable(ty) || depth > MAX_DEPTH {
        return Ok(None);
    }
    match &ty.kind {
        Kind::String => string_equal(cx, x, y).map(Some),
        Kind::Float | Kind::Complex => floats_equal(cx, ty, x, y).map(Some),
        Kind::Array { elem, len } => {
            for index in 0..*len {
                let offset = index.wrapping_mul(elem.size);
                match equal(cx, elem, x.wrapping_add(offset), y.wrapping_add(offset), depth + 1)? {
                    Some(true) => {}
                    other => return Ok(other),
                }
            }
            Ok(Some(true))
        }
        Kind::Struct(fields) => {
            for field in fields.iter().filter(|field| field.name != "_") {
                match equal(
                    cx,
                    &field.ty,
                    x.wrapping_add(field.offset),
                    y.wrapping_add(field.offset),
                    depth + 1,
                )? {
                    Some(true) => {}
                    other => return Ok(other),
                }
            }
            Ok(Some(true))
        }
        Kind::Interface { empty, .. } => Ok(interface_at(cx, *empty, x, y)?.ok()),
        _ => memory_equal(cx, x, y, ty.size).map(Some),
    }
}

fn floats_equal(cx: &HookContext<'_>, ty: &Type, x: u64, y: u64) -> Result<bool, HookError> {
    let parts = if ty.kind == Kind::Complex { 2 } else { 1 };
    numbers_equal(cx, parts, ty.size / parts, x, y)
}

/// Whether so many floating-point numbers of this size are equal.
fn numbers_equal(cx: &HookContext<'_>, parts: u64, size: u64, x: u64, y: u64) -> Result<bool, HookError> {
    let number = |addr: u64| -> Result<f64, HookError> {
        if size == 4 {
            return Ok(f32::from_le_bytes(cx.memory.read(addr)?).into());
        }
        Ok(f64::from_le_bytes(cx.memory.read(addr)?))
    };
    for part in 0..parts {
        if number(x.wrapping_add(part * size))? != number(y.wrapping_add(part * size))? {
            return Ok(false);
        }
    }
    Ok(true)
}
