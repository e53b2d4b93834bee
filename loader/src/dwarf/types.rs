//! Types from their entries.
//!
//! Go's linker makes them from the runtime's type descriptors and says in `DW_AT_go_kind` what they are:
//! a string, a slice, a map and so on, all of which look like structs and pointers to other readers. Named
//! types that have parts are a typedef and an entry of the same name.

use std::sync::Arc;

use crate::{ChanDir, Field, FuncType, Kind, Type, TypeRef, gotype};

use super::{Dwarf, Result, Unit, die::Die, func::lock, malformed};

/// No struct of a real program nests this deep by value.
const MAX_DEPTH: u32 = 64;
/// Parts of a type that is laid out in full: what walks it takes time in proportion.
const MAX_PARTS: u32 = 1 << 20;

/// A type, and how many types it is made of.
#[derive(Clone, Debug)]
pub(super) struct Built {
    ty: Arc<Type>,
    parts: u32,
}

/// A type that is being put together.
struct Builder<'d, 'a> {
    dwarf: &'d Dwarf<'a>,
    depth: u32,
    /// What the types inside the current one are made of.
    parts: u32,
}

impl Dwarf<'_> {
    /// The type whose entry is at this offset of `.debug_info`.
    pub(super) fn build(&self, offset: usize) -> Result<Arc<Type>> {
        Ok(Builder { dwarf: self, depth: 0, parts: 0 }.inner(offset)?.ty)
    }
}

impl<'a> Builder<'_, 'a> {
    fn inner(&mut self, offset: usize) -> Result<Built> {
        let known = lock(&self.dwarf.index.types).get(&offset).cloned();
        if let Some(built) = known {
            return Ok(built);
        }
        if self.depth >= MAX_DEPTH {
            return malformed(offset, "types nest too deep");
        }
        let mut below = Builder { dwarf: self.dwarf, depth: self.depth + 1, parts: 1 };
        let ty = below.ty(offset)?;
        let built = Built { ty, parts: below.parts };
        lock(&self.dwarf.index.types).insert(offset, built.clone());
        Ok(built)
    }

    /// The type of a part that lies inside the current type.
    fn part(&mut self, from: &Die) -> Result<Arc<Type>> {
        let Some(offset) = from.ty else { return malformed(from.offset, "has no type") };
        let built = self.inner(offset)?;
        self.parts = self.parts.saturating_add(built.parts);
        if self.parts > MAX_PARTS {
            return malformed(from.offset, "a type of too many parts");
        }
        Ok(built.ty)
    }

    fn ty(&mut self, offset: usize) -> Result<Arc<Type>> {
        let (unit, die) = self.dwarf.die_at(offset)?;
        if die.tag == gimli::DW_TAG_typedef && die.kind.is_none() {
            return self.typedef(&die);
        }
        let kind = self.kind(&unit, &die)?;
        let size = die.size.or_else(|| gotype::fixed_size(&kind));
        let Some(size) = size.or_else(|| array_size(&kind)) else {
            return malformed(offset, "a type without a size");
        };
        check(&die, &kind, size)?;
        let align = gotype::align(&kind, size);
        let rtype = self
            .dwarf
            .index
            .place
            .types
            .filter(|_| die.rtype != 0)
            .map(|types| types.wrapping_add(die.rtype));
        Ok(Arc::new(Type { name: die.name.unwrap_or_default(), size, align, kind, rtype }))
    }

    /// A name for another entry: mostly the same name. `.param0` stands for a type parameter.
    fn typedef(&mut self, die: &Die) -> Result<Arc<Type>> {
        let ty = self.part(die)?;
        match &die.name {
            Some(name) if *name != ty.name && !name.starts_with('.') => {
                Ok(Arc::new(Type { name: name.clone(), ..Type::clone(&ty) }))
            }
            _ => Ok(ty),
        }
    }

    fn kind(&mut self, unit: &Unit<'a>, die: &Die) -> Result<Kind> {
        Ok(match die.kind.filter(|&kind| kind != 0).unwrap_or_else(|| kind_of_tag(die)) {
            gotype::BOOL => Kind::Bool,
            gotype::INT..=gotype::INT64 => Kind::Int,
            gotype::UINT..=gotype::UINT64 => Kind::Uint,
            gotype::UINTPTR => Kind::Uintptr,
            gotype::FLOAT32 | gotype::FLOAT64 => Kind::Float,
            gotype::COMPLEX64 | gotype::COMPLEX128 => Kind::Complex,
            gotype::ARRAY => self.array(unit, die)?,
            gotype::CHAN => Kind::Chan { elem: refer(die.elem), dir: chan_dir(die) },
            gotype::FUNC => self.func(unit, die)?,
            gotype::INTERFACE => Kind::Interface { empty: self.is_eface(die)?, methods: Vec::new() },
            gotype::MAP => Kind::Map { key: refer(die.key), elem: refer(die.elem) },
            gotype::POINTER => Kind::Pointer(refer(die.ty)),
            gotype::SLICE => Kind::Slice(refer(die.elem)),
            gotype::STRING => Kind::String,
            gotype::STRUCT => self.structure(unit, die)?,
            gotype::UNSAFE_POINTER => Kind::UnsafePointer,
            _ => return malformed(die.offset, "not a Go type"),
        })
    }

    fn array(&mut self, unit: &Unit<'a>, die: &Die) -> Result<Kind> {
        let elem = self.part(die)?;
        let mut len = None;
        self.dwarf.each_child(unit, die.offset, |child| {
            if child.tag == gimli::DW_TAG_subrange_type {
                len = len.or(child.count);
            }
            Ok(())
        })?;
        match len {
            Some(len) => Ok(Kind::Array { elem, len }),
            None => malformed(die.offset, "an array without a length"),
        }
    }

    fn structure(&mut self, unit: &Unit<'a>, die: &Die) -> Result<Kind> {
        let mut fields = Vec::new();
        let dwarf = self.dwarf;
        dwarf.each_child(unit, die.offset, |child| {
            if child.tag == gimli::DW_TAG_member {
                let ty = self.part(&child)?;
                let name = child.name.unwrap_or_default();
                fields.push(Field { name, ty, offset: child.member, embedded: child.embedded });
            }
            Ok(())
        })?;
        Ok(Kind::Struct(fields))
    }

    fn func(&self, unit: &Unit<'a>, die: &Die) -> Result<Kind> {
        let mut func = FuncType { params: Vec::new(), results: Vec::new(), variadic: false };
        self.dwarf.each_child(unit, die.offset, |child| {
            match child.tag {
                gimli::DW_TAG_formal_parameter if child.result => func.results.push(refer(child.ty)),
                gimli::DW_TAG_formal_parameter => func.params.push(refer(child.ty)),
                gimli::DW_TAG_unspecified_parameters => func.variadic = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok(Kind::Func(func))
    }

    /// The entry of an interface is a typedef of `runtime.eface` or `runtime.iface`.
    fn is_eface(&self, die: &Die) -> Result<bool> {
        let Some(words) = die.ty else { return malformed(die.offset, "an interface without a type") };
        Ok(self.dwarf.die_at(words)?.1.name.as_deref() == Some("runtime.eface"))
    }
}

/// Holds the parts of a type to its size, so that who copies a value never leaves it.
fn check(die: &Die, kind: &Kind, size: u64) -> Result<()> {
    let fits = match kind {
        Kind::Struct(fields) => {
            fields.iter().all(|field| field.offset.checked_add(field.ty.size).is_some_and(|end| end <= size))
        }
        Kind::Array { .. } => array_size(kind) == Some(size),
        Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::Complex => {
            size.is_power_of_two() && size <= if matches!(kind, Kind::Complex) { 16 } else { 8 }
        }
        other => gotype::fixed_size(other) == Some(size),
    };
    if fits { Ok(()) } else { malformed(die.offset, "a type whose parts do not fit its size") }
}

fn array_size(kind: &Kind) -> Option<u64> {
    match kind {
        Kind::Array { elem, len } => elem.size.checked_mul(*len),
        _ => None,
    }
}

fn refer(offset: Option<usize>) -> TypeRef {
    offset.map_or(TypeRef::Unknown, TypeRef::Dwarf)
}

/// DWARF has no word for it; the names of channel types that have no name of their own show it.
fn chan_dir(die: &Die) -> ChanDir {
    match die.name.as_deref() {
        Some(name) if name.starts_with("<-chan ") => ChanDir::Recv,
        Some(name) if name.starts_with("chan<- ") => ChanDir::Send,
        _ => ChanDir::Both,
    }
}

/// Some entries that the linker makes up have no kind, or 0: `unsafe.Pointer` in old releases, the insides of
/// maps and channels, some pointers.
fn kind_of_tag(die: &Die) -> u64 {
    match (die.tag, die.encoding.and_then(|encoding| u8::try_from(encoding).ok()).map(gimli::DwAte)) {
        (gimli::DW_TAG_pointer_type, _) if die.ty.is_some() => gotype::POINTER,
        (gimli::DW_TAG_pointer_type, _) => gotype::UNSAFE_POINTER,
        (gimli::DW_TAG_structure_type, _) => gotype::STRUCT,
        (gimli::DW_TAG_array_type, _) => gotype::ARRAY,
        (gimli::DW_TAG_subroutine_type, _) => gotype::FUNC,
        (gimli::DW_TAG_base_type, Some(gimli::DW_ATE_boolean)) => gotype::BOOL,
        (gimli::DW_TAG_base_type, Some(gimli::DW_ATE_signed)) => gotype::INT,
        (gimli::DW_TAG_base_type, Some(gimli::DW_ATE_unsigned)) => gotype::UINT,
        (gimli::DW_TAG_base_type, Some(gimli::DW_ATE_float)) => gotype::FLOAT64,
        (gimli::DW_TAG_base_type, Some(gimli::DW_ATE_complex_float)) => gotype::COMPLEX128,
        _ => 0,
    }
}
