//! Types from their entries.
//!
//! Go's linker makes them from the runtime's type descriptors and says in `DW_AT_go_kind` what they are:
//! a string, a slice, a map and so on, all of which look like structs and pointers to other readers. Named
//! types that have parts are a typedef and an entry of the same name.

use std::sync::Arc;

use super::func_name;
use crate::error::DwarfError;
use crate::gotype::{self, ChanDir, Field, FuncType, Kind, Nest, Type, TypeRef};

use super::die::Die;
use super::{Dwarf, Place, Result, Unit, malformed};

/// A type that is being put together.
struct Builder<'d, 'a, 'n> {
    dwarf: &'d Dwarf<'a>,
    nest: &'n mut Nest<'a>,
}

impl Dwarf<'_> {
    /// The type whose entry is at this offset of `.debug_info`.
    pub(super) fn build(&self, offset: usize) -> Result<Arc<Type>> {
        Builder { dwarf: self, nest: &mut Nest::new(&self.index.types) }.inner(offset)
    }
}

impl<'a> Builder<'_, 'a, '_> {
    fn inner(&mut self, offset: usize) -> Result<Arc<Type>> {
        let refuse = |what| DwarfError::Malformed { offset, what };
        let dwarf = self.dwarf;
        self.nest.get(offset as u64, refuse, |nest| Builder { dwarf, nest }.ty(offset))
    }

    /// The type of a part that lies inside the current type.
    fn part(&mut self, from: &Die) -> Result<Arc<Type>> {
        match from.ty {
            Some(offset) => self.inner(offset),
            None => malformed(from.offset, "has no type"),
        }
    }

    fn ty(&mut self, offset: usize) -> Result<Type> {
        let (unit, die) = self.dwarf.die_at(offset)?;
        if die.tag == gimli::DW_TAG_typedef && die.kind.is_none() {
            return self.typedef(&die);
        }
        if die.tag == gimli::DW_TAG_unspecified_type {
            return self.described(&die);
        }
        let kind = self.kind(&unit, &die)?;
        let size = die.size.or_else(|| gotype::fixed_size(&kind)).or_else(|| array_size(&kind));
        let Some(size) = size.filter(|&size| gotype::fits(&kind, size)) else {
            return malformed(offset, "a type whose parts do not fit its size");
        };
        let align = gotype::align(&kind, size);
        let rtype = self.descriptor(&die);
        let kind = self.complete(kind, rtype, die.name.as_deref().unwrap_or_default());
        Ok(Type { name: die.name.unwrap_or_default(), size, align, kind, rtype })
    }

    /// The type that only its runtime descriptor describes: where object files are linked, entries name these.
    fn described(&self, die: &Die) -> Result<Type> {
        let (Some(descriptor), Some(rtypes)) = (self.descriptor(die), self.dwarf.rtypes) else {
            return malformed(die.offset, "a type that no object file describes");
        };
        match rtypes.ty(descriptor) {
            Ok(ty) => Ok(Type::clone(&ty)),
            Err(error) => malformed(die.offset, error.what),
        }
    }

    /// The address of the type's runtime descriptor. That of uintptr is an address in the file up to Go 1.24.
    fn descriptor(&self, die: &Die) -> Option<u64> {
        let Place { bias, types } = self.dwarf.index.place;
        let types = types.filter(|_| die.rtype != 0)?;
        let addresses = [types.start.checked_add(die.rtype), die.rtype.checked_add(bias)];
        addresses.into_iter().flatten().find(|&addr| types.contains(addr))
    }

    /// Adds what only the runtime's descriptor knows: methods, the direction of a named channel type, and up to
    /// Go 1.24 where a function type's results begin.
    fn complete(&self, kind: Kind, rtype: Option<u64>, name: &str) -> Kind {
        let known = || rtype.and_then(|addr| self.dwarf.rtypes?.ty(addr).ok()).map(|ty| ty.kind.clone());
        match kind {
            Kind::Interface { empty: false, .. } => match known() {
                Some(Kind::Interface { empty: false, methods }) => Kind::Interface { empty: false, methods },
                _ => kind,
            },
            Kind::Chan { elem, dir } => match known() {
                Some(Kind::Chan { dir, .. }) => Kind::Chan { elem, dir },
                _ => Kind::Chan { elem, dir },
            },
            Kind::Func(func) if func.results.is_empty() && !func.params.is_empty() => {
                let results = match known() {
                    Some(Kind::Func(known)) => Some(known.results.len()),
                    _ => func_name::results(name),
                };
                Kind::Func(with_results(func, results))
            }
            kind => kind,
        }
    }

    /// A name for another entry: mostly the same name. `.param0` stands for a type parameter.
    fn typedef(&mut self, die: &Die) -> Result<Type> {
        let mut ty = Type::clone(&*self.part(die)?);
        if let Some(name) = die.name.as_ref().filter(|name| !name.starts_with('.')) {
            ty.name.clone_from(name);
        }
        Ok(ty)
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
        let (params, results) = (Vec::new(), Vec::new());
        let mut func = FuncType { params, results, variadic: false, results_known: true };
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

/// A type whose results are the last of what is listed.
fn with_results(mut func: FuncType, results: Option<usize>) -> FuncType {
    func.results_known = results.is_some();
    let first = func.params.len().saturating_sub(results.unwrap_or(0));
    func.results = func.params.split_off(first);
    func
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
