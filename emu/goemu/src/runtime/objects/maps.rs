//! Maps (`runtime/map.go`, `internal/runtime/maps`), on the runtime's own layouts.
//!
//! A range over a map gets the entries that it had at first, as far as they are still there, in the order of
//! memory; Go leaves the order open, and whether new ones are seen.

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::{Type, TypeRef};

use super::hash::{self, NoHash};
use super::{equal, errors, type_word};
use crate::error::Error;
use crate::go::guest::{HeapError, Types};
use crate::go::map::build::Builder;
use crate::go::map::change::{Entry, Place};
use crate::guest::hook_heap::HookHeap;
use crate::guest::map_walk::Walk;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::runtime::hooked;

/// A map's type, as its descriptor has it.
struct MapType {
    key: Arc<Type>,
    elem: Arc<Type>,
}

impl MapType {
    fn at(cx: &HookContext<'_>, descriptor: u64) -> Result<MapType, HookError> {
        let at = &cx.image.facts().types.map;
        let part = |field| -> Result<Arc<Type>, HookError> {
            let descriptor = type_word(cx, descriptor, field)?;
            Ok(cx.image.resolve(&TypeRef::Rtype(descriptor)).map_err(Error::from)?)
        };
        Ok(MapType { key: part(at.key)?, elem: part(at.elem)? })
    }

    fn with<T>(
        &self,
        cx: &mut HookContext<'_>,
        act: impl FnOnce(&mut Builder<'_>) -> Result<T, HeapError>,
    ) -> Result<T, HookError> {
        let (facts, design) = (cx.image.facts(), cx.image.map_design());
        let mut heap = HookHeap { image: cx.image, memory: cx.memory, world: cx.world };
        let done = act(&mut Builder { heap: &mut heap, facts, design, key: &self.key, elem: &self.elem });
        let caller = || cx.image.func_at(cx.cpu.rip).map(|func| func.name().to_owned());
        done.map_err(|error| match error {
            HeapError::BadAddress(_) => {
                Error::Unsupported { what: format!("a damaged map: {error}"), caller: caller() }.into()
            }
            other => Error::Unsupported { what: other.to_string(), caller: caller() }.into(),
        })
    }

    fn hash(&self, cx: &mut HookContext<'_>, map: u64, key: u64) -> Result<u64, NoHash> {
        let seed = if map == 0 { 0 } else { self.with(cx, |builder| builder.seed(map))? };
        hash::of(cx, &self.key, key, seed, 0)
    }

    fn find(
        &self,
        cx: &mut HookContext<'_>,
        map: u64,
        hash: u64,
        key: u64,
    ) -> Result<Option<Place>, HookError> {
        for place in self.with(cx, |builder| builder.candidates(map, hash))? {
            if equal::equal(cx, &self.key, place.key, key, 0)? == Some(true) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The address of the element of a key, which the map may not have yet.
    fn assign(&self, cx: &mut HookContext<'_>, map: u64, key: u64) -> Result<u64, NoHash> {
        let hash = self.hash(cx, map, key)?;
        if let Some(place) = self.find(cx, map, hash, key)? {
            // Zeros are equal, and strings may be where less of the heap is held.
            super::memory::copy(cx, place.key, key, self.key.size)?;
            return Ok(place.elem);
        }
        if self.with(cx, |builder| builder.is_full(map, hash))? {
            let mut entries = Vec::new();
            for (key, elem) in self.with(cx, |builder| builder.all(map))? {
                entries.push(Entry { hash: self.hash(cx, map, key)?, key, elem });
            }
            self.with(cx, |builder| builder.grow(map, &entries))?;
        }
        Ok(self.with(cx, |builder| builder.slot(map, hash, key))?)
    }
}

/// Where the key of a call is.
#[derive(Clone, Copy)]
enum Key {
    /// Its address is an argument.
    Pointed,
    /// It is an argument itself, of so many bytes: 4 or 8, or the two words of a string.
    Given(u64),
}

impl Key {
    /// How many words the arguments take: the type, the map, the key.
    fn words(self) -> usize {
        if matches!(self, Key::Given(16)) { 4 } else { 3 }
    }

    fn at(self, cx: &mut HookContext<'_>) -> Result<u64, HookError> {
        let Key::Given(size) = self else { return Ok(cx.arg(2)?) };
        let words = [cx.arg(2)?, if size == 16 { cx.arg(3)? } else { 0 }];
        let at = scratch(cx, 16)?;
        cx.memory.write_bytes(at, &words.map(u64::to_le_bytes).concat())?;
        Ok(at)
    }
}

/// Memory for what lasts no longer than a call of a helper, or is always zero behind the first 16 bytes.
fn scratch(cx: &mut HookContext<'_>, size: u64) -> Result<u64, HookError> {
    if let Some((at, room)) = cx.world.linked.scratch
        && room >= size
    {
        return Ok(at);
    }
    let at = cx.world.alloc(cx.memory, size);
    let limit = cx.memory.limit();
    let at = at.map_err(|_| Error::from(crate::memory::MemoryError::Limit { limit }))?;
    cx.world.linked.scratch = Some((at, size));
    Ok(at)
}

/// Zeros, of the size of an element.
fn zero(cx: &mut HookContext<'_>, size: u64) -> Result<u64, HookError> {
    /// `maxZero`: what is larger is given to the function.
    const MOST: u64 = 1024;
    let at = scratch(cx, 16 + MOST)?.wrapping_add(16);
    super::memory::clear(cx, at, size.min(MOST))?;
    Ok(at)
}

/// `mapaccess1`, `mapaccess2` and their like: the address of an element, or of zeros, which are given (`_fat`) or not.
fn access(cx: &mut HookContext<'_>, key: Key, fat: bool, tells: bool) -> HookResult {
    let (map, args) = (cx.arg(1)?, key.words() + usize::from(fat));
    let ty = MapType::at(cx, cx.arg(0)?)?;
    let zeros = if fat { cx.arg(3)? } else { zero(cx, ty.elem.size)? };
    let key = key.at(cx)?;
    let hash = match ty.hash(cx, map, key) {
        Ok(hash) => hash,
        Err(none) => {
            let empty = map == 0 || cx.word(map)? == 0;
            return hash::refuse(cx, none, empty);
        }
    };
    let found = ty.find(cx, map, hash, key)?;
    cx.set_result(args, 0, found.map_or(zeros, |place| place.elem))?;
    if tells {
        cx.set_result(args, 1, found.is_some().into())?;
    }
    Ok(Action::Return)
}

fn assign(cx: &mut HookContext<'_>, key: Key) -> HookResult {
    let map = cx.arg(1)?;
    if map == 0 {
        return errors::of_runtime(cx, "assignment to entry in nil map");
    }
    let ty = MapType::at(cx, cx.arg(0)?)?;
    let at = key.at(cx)?;
    match ty.assign(cx, map, at) {
        Ok(elem) => {
            cx.set_result(key.words(), 0, elem)?;
            Ok(Action::Return)
        }
        Err(none) => hash::refuse(cx, none, false),
    }
}

fn delete(cx: &mut HookContext<'_>, key: Key) -> HookResult {
    let (ty, map) = (MapType::at(cx, cx.arg(0)?)?, cx.arg(1)?);
    let key = key.at(cx)?;
    let hash = match ty.hash(cx, map, key) {
        Ok(hash) => hash,
        Err(none) => {
            let empty = map == 0 || cx.word(map)? == 0;
            return hash::refuse(cx, none, empty);
        }
    };
    if let Some(place) = ty.find(cx, map, hash, key)? {
        ty.with(cx, |builder| builder.remove(map, place))?;
    }
    Ok(Action::Return)
}

macro_rules! by_key {
    ($($key:expr => $one:ident $two:ident $assign:ident $delete:ident,)+) => {
        $(
            pub(in crate::runtime) fn $one(cx: &mut HookContext<'_>) -> HookResult {
                access(cx, $key, false, false)
            }
            pub(in crate::runtime) fn $two(cx: &mut HookContext<'_>) -> HookResult {
                access(cx, $key, false, true)
            }
            pub(in crate::runtime) fn $assign(cx: &mut HookContext<'_>) -> HookResult {
                assign(cx, $key)
            }
            pub(in crate::runtime) fn $delete(cx: &mut HookContext<'_>) -> HookResult {
                delete(cx, $key)
            }
        )+
    };
}

by_key! {
    Key::Pointed => mapaccess1 mapaccess2 mapassign mapdelete,
    Key::Given(4) => mapaccess1_fast32 mapaccess2_fast32 mapassign_fast32 mapdelete_fast32,
    Key::Given(8) => mapaccess1_fast64 mapaccess2_fast64 mapassign_fast64 mapdelete_fast64,
    Key::Given(16) => mapaccess1_faststr mapaccess2_faststr mapassign_faststr mapdelete_faststr,
}

/// `mapaccess1_fat(t *maptype, h *hmap, key, zero unsafe.Pointer) unsafe.Pointer`
pub(in crate::runtime) fn mapaccess1_fat(cx: &mut HookContext<'_>) -> HookResult {
    access(cx, Key::Pointed, true, false)
}

/// `mapaccess2_fat(t *maptype, h *hmap, key, zero unsafe.Pointer) (unsafe.Pointer, bool)`
pub(in crate::runtime) fn mapaccess2_fat(cx: &mut HookContext<'_>) -> HookResult {
    access(cx, Key::Pointed, true, true)
}

/// `makemap_small() *hmap`: its type is not told, and its table is made when it has an entry.
pub(in crate::runtime) fn makemap_small(cx: &mut HookContext<'_>) -> HookResult {
    let at = empty(cx)?;
    let Some(at) = at else { return Ok(hooked::out_of_memory(cx)) };
    cx.set_result(0, 0, at)?;
    Ok(Action::Return)
}

/// `makemap(t *maptype, hint int, h *hmap) *hmap`: at `h`, if that is not nil. How many entries it will have decides
/// nothing that is seen.
pub(in crate::runtime) fn makemap(cx: &mut HookContext<'_>) -> HookResult {
    let at = match cx.arg(2)? {
        0 => empty(cx)?,
        given => Some(given),
    };
    let Some(at) = at else { return Ok(hooked::out_of_memory(cx)) };
    cx.set_result(3, 0, at)?;
    Ok(Action::Return)
}

fn empty(cx: &mut HookContext<'_>) -> Result<Option<u64>, HookError> {
    let facts = cx.image.facts();
    let size = facts.swiss_map.size.or(facts.hmap.sizeof).unwrap_or_default();
    Ok(cx.world.alloc(cx.memory, size).ok())
}

/// `mapclear(t *maptype, h *hmap)`
pub(in crate::runtime) fn mapclear(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, map) = (MapType::at(cx, cx.arg(0)?)?, cx.arg(1)?);
    ty.with(cx, |builder| builder.clear(map))?;
    Ok(Action::Return)
}

/// `mapiterinit(t *maptype, h *hmap, it *hiter)`, since Go 1.24 `mapIterStart`: the first two words of `it` are the
/// addresses of key and element, no key at the end.
pub(in crate::runtime) fn mapiterinit(cx: &mut HookContext<'_>) -> HookResult {
    let (descriptor, map, iterator) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let ty = MapType::at(cx, descriptor)?;
    let (mut keys, mut table) = (Vec::new(), None);
    if map != 0 {
        let all = ty.with(cx, |builder| Ok((builder.all(map)?, builder.table_word(map))))?;
        keys = all.0.into_iter().rev().map(|(key, _)| key).collect();
        table = all.1;
    }
    cx.world.linked.walks.insert(iterator, Walk { ty: descriptor, map, table, keys, given: HashSet::new() });
    step(cx, iterator)
}

/// `mapiternext(it *hiter)`, since Go 1.24 `mapIterNext`
pub(in crate::runtime) fn mapiternext(cx: &mut HookContext<'_>) -> HookResult {
    let iterator = cx.arg(0)?;
    step(cx, iterator)
}

fn step(cx: &mut HookContext<'_>, iterator: u64) -> HookResult {
    let Some(mut walk) = cx.world.linked.walks.remove(&iterator) else {
        return give(cx, iterator, (0, 0));
    };
    let ty = MapType::at(cx, walk.ty)?;
    while let Some(key) = walk.keys.pop() {
        if let Some(place) = still_there(cx, &ty, &mut walk, key)? {
            cx.world.linked.walks.insert(iterator, walk);
            return give(cx, iterator, place);
        }
    }
    give(cx, iterator, (0, 0))
}

/// The entry of a key that the map had when the walk began, at this address.
fn still_there(
    cx: &mut HookContext<'_>,
    ty: &MapType,
    walk: &mut Walk,
    key: u64,
) -> Result<Option<(u64, u64)>, HookError> {
    let map = walk.map;
    let moved = ty.with(cx, |builder| Ok(builder.table_word(map)))? != walk.table;
    let Ok(hash) = ty.hash(cx, map, key) else { return Ok(None) };
    let found = ty.find(cx, map, hash, key)?.map(|place| (place.key, place.elem));
    Ok(found.filter(|(at, _)| if moved { walk.given.insert(*at) } else { *at == key }))
}

fn give(cx: &mut HookContext<'_>, iterator: u64, (key, elem): (u64, u64)) -> HookResult {
    cx.set_word(iterator, key)?;
    cx.set_word(iterator.wrapping_add(8), elem)?;
    Ok(Action::Return)
}
