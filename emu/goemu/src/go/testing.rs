//! What the tests of this module share: Go types made by hand, laid out as the compiler does.

use std::{collections::HashMap, sync::Arc};

use goemu_loader::facts::NEWEST;
use goemu_loader::{
    ChanDir, Facts, Field, FuncType, GoVersion, Kind, Method, Param, Signature, Type, TypeRef,
};

use crate::go::guest::{BadAddress, GuestHeap, GuestMemory, HeapError, MapDesign, TypeError, Types};

pub(crate) type Ty = Arc<Type>;

fn ty(name: &str, size: u64, align: u64, kind: Kind) -> Ty {
    Arc::new(Type { name: name.to_owned(), size, align, kind, rtype: None })
}

/// A type without parts, by its name.
pub(crate) fn basic(name: &str) -> Ty {
    let bits = |prefix: &str| name[prefix.len()..].parse::<u64>().unwrap_or(64) / 8;
    match name {
        "bool" => ty(name, 1, 1, Kind::Bool),
        "string" => ty(name, 16, 8, Kind::String),
        "uintptr" => ty(name, 8, 8, Kind::Uintptr),
        "unsafe.Pointer" => ty(name, 8, 8, Kind::UnsafePointer),
        _ if name.starts_with("int") => ty(name, bits("int"), bits("int"), Kind::Int),
        _ if name.starts_with("uint") => ty(name, bits("uint"), bits("uint"), Kind::Uint),
        _ if name.starts_with("float") => ty(name, bits("float"), bits("float"), Kind::Float),
        _ => ty(name, bits("complex"), bits("complex") / 2, Kind::Complex),
    }
}

/// The same type under another name, as `type name T` makes it.
pub(crate) fn named(name: &str, of: &Ty) -> Ty {
    Arc::new(Type { name: name.to_owned(), ..(**of).clone() })
}

pub(crate) fn here(t: &Ty) -> TypeRef {
    TypeRef::Here(t.clone())
}

pub(crate) fn pointer(to: &Ty) -> Ty {
    ty(&format!("*{}", to.name), 8, 8, Kind::Pointer(here(to)))
}

pub(crate) fn slice(of: &Ty) -> Ty {
    ty(&format!("[]{}", of.name), 24, 8, Kind::Slice(here(of)))
}

pub(crate) fn array(len: u64, of: &Ty) -> Ty {
    ty(&format!("[{len}]{}", of.name), len * of.size, of.align, Kind::Array { elem: of.clone(), len })
}

pub(crate) fn map(key: &Ty, elem: &Ty) -> Ty {
    let name = format!("map[{}]{}", key.name, elem.name);
    ty(&name, 8, 8, Kind::Map { key: here(key), elem: here(elem) })
}

pub(crate) fn chan(elem: &Ty) -> Ty {
    ty(&format!("chan {}", elem.name), 8, 8, Kind::Chan { elem: here(elem), dir: ChanDir::Both })
}

pub(crate) fn func(params: &[&Ty]) -> Ty {
    let names: Vec<_> = params.iter().map(|p| p.name.as_str()).collect();
    let params = params.iter().map(|p| here(p)).collect();
    let kind = Kind::Func(FuncType { params, results: Vec::new(), variadic: false, results_known: true });
    ty(&format!("func({})", names.join(", ")), 8, 8, kind)
}

/// An interface type with these methods.
pub(crate) fn interface(name: &str, methods: &[&str]) -> Ty {
    let empty = methods.is_empty();
    let methods = methods.iter().map(|m| Method { name: (*m).to_owned() }).collect();
    ty(name, 16, 8, Kind::Interface { empty, methods })
}

pub(crate) fn any() -> Ty {
    interface("interface {}", &[])
}

/// A struct laid out as Go's compiler does (`cmd/compile/internal/types.CalcStructSize`).
pub(crate) fn structure(name: &str, fields: &[(&str, &Ty)]) -> Ty {
    let (mut offset, mut align, mut out) = (0u64, 1, Vec::new());
    for (field, t) in fields {
        offset = offset.next_multiple_of(t.align);
        out.push(Field { name: (*field).to_owned(), ty: (*t).clone(), offset, embedded: false });
        offset += t.size;
        align = align.max(t.align);
    }
    if offset > 0 && fields.last().is_some_and(|(_, t)| t.size == 0) {
        offset += 1;
    }
    ty(name, offset.next_multiple_of(align), align, Kind::Struct(out))
}

/// A struct without a name, its fields named f0, f1 ...
pub(crate) fn anonymous(fields: &[&Ty]) -> Ty {
    let names: Vec<_> = (0..fields.len()).map(|i| format!("f{i}")).collect();
    let name: Vec<_> = fields.iter().zip(&names).map(|(t, n)| format!("{n} {}", t.name)).collect();
    let name = format!("struct {{ {} }}", name.join("; ")).replace("{  }", "{}");
    let fields: Vec<_> = names.iter().map(String::as_str).zip(fields.iter().copied()).collect();
    structure(&name, &fields)
}

pub(crate) fn signature(params: &[Ty], results: &[Ty]) -> Signature {
    let param = |t: &Ty| Param { name: String::new(), ty: t.clone() };
    Signature {
        params: params.iter().map(param).collect(),
        results: results.iter().map(param).collect(),
        variadic: false,
    }
}

/// Guest memory in a vector.
pub(crate) struct Space {
    bytes: Vec<u8>,
    design: MapDesign,
    /// Types with a descriptor; a descriptor's address is its number here plus [`Space::RTYPES`].
    types: Vec<Ty>,
}

/// What a [`Space`] knows of types.
pub(crate) struct SpaceTypes {
    types: HashMap<u64, Ty>,
    design: MapDesign,
    facts: Facts,
}

impl Space {
    pub(crate) const BASE: u64 = 0xc0_0000_0000;
    /// Code of a function whose name has 4,000 letters.
    pub(crate) const LONG_NAMED: u64 = 0x40_2000;
    pub(crate) const RTYPES: u64 = 0x50_0000;
    const ITABS: u64 = 0x60_0000;

    pub(crate) fn new() -> Space {
        let mut space = Space { bytes: Vec::new(), design: MapDesign::Swiss, types: Vec::new() };
        for name in ["int", "uint", "bool", "string", "float64", "complex128", "int8", "uint8"] {
            space.describe(&basic(name));
        }
        space
    }

    pub(crate) fn with_maps(design: MapDesign) -> Space {
        Space { design, ..Space::new() }
    }

    /// Gives a type a descriptor.
    pub(crate) fn describe(&mut self, ty: &Ty) -> Ty {
        let rtype = Some(Space::RTYPES + self.types.len() as u64);
        let ty = Arc::new(Type { rtype, ..(**ty).clone() });
        self.types.push(ty.clone());
        ty
    }

    pub(crate) fn described(&self) -> &[Ty] {
        &self.types
    }

    pub(crate) fn types(&self) -> SpaceTypes {
        let types = self.types.iter().map(|ty| (ty.rtype.unwrap(), ty.clone())).collect();
        let minor = if self.design == MapDesign::Buckets { 23 } else { NEWEST };
        SpaceTypes { types, design: self.design, facts: Facts::of(GoVersion::new(minor, 0)) }
    }

    fn word(&self, addr: u64) -> u64 {
        let mut buf = [0; 8];
        self.read(addr, &mut buf).unwrap();
        u64::from_le_bytes(buf)
    }

    fn set(&mut self, addr: u64, word: u64) {
        self.write(addr, &word.to_le_bytes()).unwrap();
    }
}

impl GuestMemory for Space {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        if let Some(rtype) = addr.checked_sub(Space::ITABS + 8).filter(|n| *n < 0x10_0000) {
            buf.copy_from_slice(&(rtype / 16 + Space::RTYPES).to_le_bytes());
            return Ok(());
        }
        let at = usize::try_from(addr.wrapping_sub(Space::BASE)).map_err(|_| BadAddress(addr))?;
        let from = at.checked_add(buf.len()).and_then(|end| self.bytes.get(at..end));
        buf.copy_from_slice(from.ok_or(BadAddress(addr))?);
        Ok(())
    }
}

impl GuestHeap for Space {
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), HeapError> {
        let at = addr.wrapping_sub(Space::BASE) as usize;
        let to = self.bytes.get_mut(at..at + bytes.len()).ok_or(BadAddress(addr))?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn alloc(&mut self, size: u64, align: u64) -> Result<u64, HeapError> {
        let at = self.bytes.len().next_multiple_of(align as usize);
        self.bytes.resize(at + size as usize, 0);
        Ok(Space::BASE + at as u64)
    }

    fn make_map(&mut self, ty: &Type, hint: u64) -> Result<u64, HeapError> {
        maps::make(self, ty, hint)
    }

    fn map_slot(&mut self, ty: &Type, map: u64, key: u64) -> Result<u64, HeapError> {
        maps::slot(self, ty, map, key)
    }

    fn itab(&mut self, _: &Type, dynamic: &Type) -> Result<u64, HeapError> {
        Ok(Space::ITABS + 16 * (dynamic.rtype.unwrap() - Space::RTYPES))
    }
}

impl Types for SpaceTypes {
    fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, TypeError> {
        match reference {
            TypeRef::Here(ty) => Ok(ty.clone()),
            TypeRef::Rtype(at) => {
                self.types.get(at).cloned().ok_or_else(|| TypeError(format!("no type {at:#x}")))
            }
            _ => Err(TypeError("not known".to_owned())),
        }
    }

    fn named(&self, name: &str) -> Option<Arc<Type>> {
        let short = |ty: &Ty| ty.name == name || ty.name.split_once('.').is_some_and(|n| n == ("main", name));
        self.types.values().find(|ty| short(ty)).cloned()
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn map_design(&self) -> MapDesign {
        self.design
    }

    fn func_at(&self, code: u64) -> Option<String> {
        match code {
            0x40_1000 => Some("main.less".to_owned()),
            Space::LONG_NAMED => Some("main.".to_owned() + &"x".repeat(4000)),
            _ => None,
        }
    }

    fn func_named(&self, name: &str) -> Option<u64> {
        (name == "main.less").then_some(0x40_1000)
    }
}

/// Maps as Go's runtime lays them out, filled without hashing: the slots in order, spread over all groups.
mod maps {
    use super::{Arc, HeapError, Kind, MapDesign, Space, Ty, Type, array, basic, pointer, structure};
    use crate::go::guest::{GuestHeap, GuestMemory, Types};

    /// A bucket or group, as a Go type, and where its keys and elements are.
    struct Shape {
        group: Ty,
        key: Ty,
        elem: Ty,
        slot_key: Ty,
        slot_elem: Ty,
        design: MapDesign,
    }

    fn shape(space: &Space, ty: &Type) -> Shape {
        let Kind::Map { key, elem } = &ty.kind else { panic!("{ty}") };
        let types = space.types();
        let (key, elem) = (types.resolve(key).unwrap(), types.resolve(elem).unwrap());
        let inline = |t: &Ty| if t.size > 128 { pointer(t) } else { t.clone() };
        let (slot_key, slot_elem) = (inline(&key), inline(&elem));
        let control = array(8, &basic("uint8"));
        let word = basic("uint64");
        let slot = structure("slot", &[("key", &slot_key), ("elem", &slot_elem)]);
        let (keys, elems) = (array(8, &slot_key), array(8, &slot_elem));
        let group = match space.design {
            MapDesign::Swiss => structure("group", &[("ctrl", &word), ("slots", &array(8, &slot))]),
            MapDesign::SwissSplit => {
                structure("group", &[("ctrl", &word), ("keys", &keys), ("elems", &elems)])
            }
            MapDesign::Buckets => {
                let parts = [("top", &control), ("keys", &keys), ("elems", &elems), ("overflow", &word)];
                structure("bmap", &parts)
            }
        };
        Shape { group, key, elem, slot_key, slot_elem, design: space.design }
    }

    impl Shape {
        fn slot(&self, i: u64) -> (u64, u64) {
            let Kind::Struct(fields) = &self.group.kind else { unreachable!() };
            if self.design == MapDesign::Swiss {
                let Kind::Array { elem: slot, .. } = &fields[1].ty.kind else { unreachable!() };
                let Kind::Struct(parts) = &slot.kind else { unreachable!() };
                let at = fields[1].offset + i * slot.size;
                return (at, at + parts[1].offset);
            }
            (fields[1].offset + i * self.slot_key.size, fields[2].offset + i * self.slot_elem.size)
        }
    }

    pub(super) fn make(space: &mut Space, ty: &Type, hint: u64) -> Result<u64, HeapError> {
        let shape = shape(space, ty);
        let groups = hint.div_ceil(8).max(1).next_power_of_two();
        let table = space.alloc(groups * shape.group.size, 8)?;
        let map = space.alloc(48, 8)?;
        if shape.design == MapDesign::Buckets {
            // Half of the buckets that are needed, so that some overflow.
            let b = groups.ilog2().saturating_sub(1);
            space.write(map + 9, &[b as u8])?;
            space.set(map + 16, table);
            return Ok(map);
        }
        for g in 0..groups {
            space.set(table + g * shape.group.size, 0x8080_8080_8080_8080);
        }
        if groups == 1 {
            space.set(map + 16, table);
            return Ok(map);
        }
        // A directory of two entries for one table.
        let (header, dir) = (space.alloc(32, 8)?, space.alloc(16, 8)?);
        space.set(header + 16, table);
        space.set(header + 24, groups - 1);
        space.set(dir, header);
        space.set(dir + 8, header);
        space.set(map + 16, dir);
        space.set(map + 24, 2);
        Ok(map)
    }

    pub(super) fn slot(space: &mut Space, ty: &Type, map: u64, key: u64) -> Result<u64, HeapError> {
        let shape = shape(space, ty);
        let n = space.word(map);
        space.set(map, n + 1);
        let group = if shape.design == MapDesign::Buckets {
            bucket(space, &shape, map, n / 8)?
        } else {
            let table = space.word(map + 16);
            let small = space.word(map + 24) == 0;
            let groups = if small {
                table
            } else {
                let header = space.word(table);
                space.word(header + 16)
            };
            groups + n / 8 * shape.group.size
        };
        space.write(group + n % 8, &[if shape.design == MapDesign::Buckets { 0x80 } else { 0x12 }])?;
        let (key_at, elem_at) = shape.slot(n % 8);
        let mut bytes = vec![0; shape.key.size as usize];
        space.read(key, &mut bytes)?;
        let key_at = indirect(space, group + key_at, &shape.key)?;
        space.write(key_at, &bytes)?;
        indirect(space, group + elem_at, &shape.elem)
    }

    /// The n-th bucket: of the table, or in the chain of one of its buckets.
    fn bucket(space: &mut Space, shape: &Shape, map: u64, n: u64) -> Result<u64, HeapError> {
        let mut b = [0];
        space.read(map + 9, &mut b)?;
        let count = 1 << b[0];
        let mut bucket = space.word(map + 16) + n % count * shape.group.size;
        for _ in 0..n / count {
            let overflow = bucket + shape.group.size - 8;
            if space.word(overflow) == 0 {
                let new = space.alloc(shape.group.size, 8)?;
                space.set(overflow, new);
            }
            bucket = space.word(overflow);
        }
        Ok(bucket)
    }

    fn indirect(space: &mut Space, at: u64, ty: &Arc<Type>) -> Result<u64, HeapError> {
        if ty.size <= 128 {
            return Ok(at);
        }
        let outside = space.alloc(ty.size, ty.align)?;
        space.set(at, outside);
        Ok(outside)
    }
}
