//! Hashing (`runtime/alg.go`). Nothing of a hash shows, so any function will do for which the hash of a whole is that of
//! its parts one after the other: compiled code hashes structs by their fields, and fields side by side at once.

use goemu_loader::{Kind, Type, TypeRef};

use super::{bytes_at, equal, errors};
use crate::error::Error;
use crate::go::guest::Types;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// An odd number whose bits look random: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Types nest no deeper than this.
const MAX_DEPTH: u32 = 100;

/// Why there is no hash.
pub(in crate::runtime) enum NoHash {
    /// The type cannot be compared.
    Unhashable(String),
    HookError(HookError),
}

impl<E: Into<HookError>> From<E> for NoHash {
    fn from(error: E) -> NoHash {
        NoHash::HookError(error.into())
    }
}

fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| {
        let hash = (hash ^ u64::from(*byte)).wrapping_mul(SPREAD);
        hash ^ hash >> 29
    })
}

fn memory(cx: &HookContext<'_>, at: u64, len: u64, seed: u64) -> Result<u64, HookError> {
    Ok(bytes(seed, &bytes_at(cx, at, len)?))
}

fn string(cx: &HookContext<'_>, at: u64, seed: u64) -> Result<u64, HookError> {
    memory(cx, cx.word(at)?, cx.word(at.wrapping_add(8))?, seed)
}

/// Zeros are equal, and no NaN is equal to any.
fn floats(cx: &mut HookContext<'_>, at: u64, size: u64, count: u64, seed: u64) -> Result<u64, HookError> {
    let mut hash = seed;
    for index in 0..count {
        let at = at.wrapping_add(index * size);
        let number = match size {
            4 => f64::from(f32::from_le_bytes(cx.memory.read(at)?)),
            _ => f64::from_le_bytes(cx.memory.read(at)?),
        };
        hash = match number {
            0.0 => bytes(hash, &[0]),
            number if number.is_nan() => bytes(hash, &cx.cpu.next_random().to_le_bytes()),
            number => bytes(hash, &number.to_le_bytes()),
        };
    }
    Ok(hash)
}

/// The hash of the value at an address.
pub(in crate::runtime) fn of(
    cx: &mut HookContext<'_>,
    ty: &Type,
    at: u64,
    seed: u64,
    depth: u32,
) -> Result<u64, NoHash> {
    if !equal::comparable(ty) || depth > MAX_DEPTH {
        return Err(NoHash::Unhashable(ty.name.clone()));
    }
    let mut hash = seed;
    match &ty.kind {
        Kind::String => hash = string(cx, at, seed)?,
        Kind::Float => hash = floats(cx, at, ty.size, 1, seed)?,
        Kind::Complex => hash = floats(cx, at, ty.size / 2, 2, seed)?,
        Kind::Array { elem, len } => {
            for index in 0..*len {
                hash = of(cx, elem, at.wrapping_add(index.wrapping_mul(elem.size)), hash, depth + 1)?;
            }
        }
        Kind::Struct(fields) => {
            for field in fields.iter().filter(|field| field.name != "_") {
                hash = of(cx, &field.ty, at.wrapping_add(field.offset), hash, depth + 1)?;
            }
        }
        Kind::Interface { empty, .. } => hash = interface(cx, *empty, at, seed, depth)?,
        _ => hash = memory(cx, at, ty.size, seed)?,
    }
    Ok(hash)
}

fn interface(cx: &mut HookContext<'_>, empty: bool, at: u64, seed: u64, depth: u32) -> Result<u64, NoHash> {
    let first = cx.word(at)?;
    if first == 0 {
        return Ok(seed);
    }
    let descriptor = if empty { first } else { cx.word(first.wrapping_add(cx.image.facts().itab.ty))? };
    let ty = cx.image.resolve(&TypeRef::Rtype(descriptor)).map_err(Error::from)?;
    let data = at.wrapping_add(8);
    let data = if cx.image.is_direct(&ty) { data } else { cx.word(data)? };
    of(cx, &ty, data, seed, depth + 1)
}

/// Gives a hash; panics where there is none.
fn give(cx: &mut HookContext<'_>, args: usize, hash: Result<u64, NoHash>) -> HookResult {
    match hash {
        Ok(hash) => {
            cx.set_result(args, 0, hash)?;
            Ok(Action::Return)
        }
        Err(none) => refuse(cx, none, false),
    }
}

/// What becomes of a call that needed a hash. Where nothing can be found, Go 1.25 and later have another error for it
/// (`mapKeyError`).
pub(in crate::runtime) fn refuse(
    cx: &mut HookContext<'_>,
    none: NoHash,
    nothing_to_find: bool,
) -> HookResult {
    match none {
        NoHash::Unhashable(name)
            if nothing_to_find && cx.image.facts().rules().missing_hash_of_a_lookup() =>
        {
            errors::of_runtime(cx, &format!("hash of unhashable type: {name}"))
        }
        NoHash::Unhashable(name) => errors::plain(cx, &format!("hash of unhashable type {name}")),
        NoHash::HookError(refused) => Err(refused),
    }
}

/// `memhash(p unsafe.Pointer, h, size uintptr) uintptr`
pub(in crate::runtime) fn memhash(cx: &mut HookContext<'_>) -> HookResult {
    let hash = memory(cx, cx.arg(0)?, cx.arg(2)?, cx.arg(1)?)?;
    give(cx, 3, Ok(hash))
}

/// `memhash_varlen(p unsafe.Pointer, h uintptr) uintptr`: the size is in the closure.
pub(in crate::runtime) fn memhash_varlen(cx: &mut HookContext<'_>) -> HookResult {
    let size = equal::varlen(cx)?;
    let hash = memory(cx, cx.arg(0)?, size, cx.arg(1)?)?;
    give(cx, 2, Ok(hash))
}

macro_rules! sized {
    ($($name:ident $size:literal)+) => {
        $(pub(in crate::runtime) fn $name(cx: &mut HookContext<'_>) -> HookResult {
            let hash = memory(cx, cx.arg(0)?, $size, cx.arg(1)?)?;
            give(cx, 2, Ok(hash))
        })+
    };
}

sized! { memhash0 0 memhash8 1 memhash16 2 memhash32 4 memhash64 8 memhash128 16 }

macro_rules! float {
    ($($name:ident $size:literal $count:literal)+) => {
        $(pub(in crate::runtime) fn $name(cx: &mut HookContext<'_>) -> HookResult {
            let (at, seed) = (cx.arg(0)?, cx.arg(1)?);
            let hash = floats(cx, at, $size, $count, seed)?;
            give(cx, 2, Ok(hash))
        })+
    };
}

float! { f32hash 4 1 f64hash 8 1 c64hash 4 2 c128hash 8 2 }

/// `strhash(p unsafe.Pointer, h uintptr) uintptr`
pub(in crate::runtime) fn strhash(cx: &mut HookContext<'_>) -> HookResult {
    let hash = string(cx, cx.arg(0)?, cx.arg(1)?)?;
    give(cx, 2, Ok(hash))
}

/// `interhash(p unsafe.Pointer, h uintptr) uintptr`
pub(in crate::runtime) fn interhash(cx: &mut HookContext<'_>) -> HookResult {
    let (at, seed) = (cx.arg(0)?, cx.arg(1)?);
    let hash = interface(cx, false, at, seed, 0);
    give(cx, 2, hash)
}

/// `nilinterhash(p unsafe.Pointer, h uintptr) uintptr`
pub(in crate::runtime) fn nilinterhash(cx: &mut HookContext<'_>) -> HookResult {
    let (at, seed) = (cx.arg(0)?, cx.arg(1)?);
    let hash = interface(cx, true, at, seed, 0);
    give(cx, 2, hash)
}

/// `typehash(t *_type, p unsafe.Pointer, h uintptr) uintptr`
pub(in crate::runtime) fn typehash(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, at, seed) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let ty = cx.image.resolve(&TypeRef::Rtype(ty)).map_err(Error::from)?;
    let hash = of(cx, &ty, at, seed, 0);
    give(cx, 3, hash)
}

/// `fastrand() uint32`, `rand() uint64`: where compiled code makes a map itself, the seed of its hashes.
pub(in crate::runtime) fn random(cx: &mut HookContext<'_>) -> HookResult {
    let number = cx.cpu.next_random();
    cx.set_result(0, 0, number)?;
    Ok(Action::Return)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn the_hash_of_a_whole_is_that_of_its_parts() {
        assert_eq!(bytes(bytes(7, b"ab"), b"cd"), bytes(7, b"abcd"));
    }
}
