//! Type descriptors that the compiler writes for the package runtime alone, and those of run-time errors: programs that
//! are linked without it get them from here. So do pointers, slices and arrays of known types, by their names.

use std::collections::BTreeMap;

use crate::facts::{Facts, Prefixes, TypeHash};
use crate::goobj::Abi;
use crate::gotype;
use crate::symbol::SymbolKind;

use super::blob::{Blob, set};
use super::place::Placed;
use super::sha256::sha256;

/// A type that is known here.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: &'static str,
    kind: u8,
    size: u64,
    /// Hashes of the type and of the pointer to it, up to Go 1.18: MD5 of their names.
    md5: [u32; 2],
}

const fn row(name: &'static str, kind: u8, size: u64, md5: [u32; 2]) -> Known {
    Known { name, kind, size, md5 }
}

/// The predeclared types, and the types of run-time errors (`runtime/error.go`).
#[rustfmt::skip]
const KNOWN: [Known; 22] = [
    row("bool", 1, 1, [0x13ff_06c5, 0x6e0d_f0d1]),
    row("int", 2, 8, [0xf753_71fa, 0x2522_ebe7]),
    row("int8", 3, 1, [0xcc06_c027, 0x5fca_dfef]),
    row("int16", 4, 2, [0xecd5_80ce, 0xa066_c615]),
    row("int32", 5, 4, [0xbbad_4102, 0x6b58_1726]),
    row("int64", 6, 8, [0x963f_9bff, 0x26b8_0717]),
    row("uint", 7, 8, [0xd5b8_7712, 0x10db_f978]),
    row("uint8", 8, 1, [0x663e_425f, 0x9ad9_26a8]),
    row("uint16", 9, 2, [0xeff2_0ea0, 0xee92_f42e]),
    row("uint32", 10, 4, [0xd04a_e83d, 0x00c6_6cd3]),
    row("uint64", 11, 8, [0x8631_8d2e, 0x1e2f_74f8]),
    row("uintptr", 12, 8, [0xbd4a_d792, 0x968b_c55e]),
    row("float32", 13, 4, [0xb0c2_3ed3, 0x1ffe_e651]),
    row("float64", 14, 8, [0x2ea2_7ffb, 0xba56_ad13]),
    row("complex64", 15, 8, [0x7925_028c, 0x7ac1_6a11]),
    row("complex128", 16, 16, [0xb31a_546d, 0x23a4_2bd7]),
    row("string", 24, 16, [0xe0ff_5cb4, 0x5a17_5aed]),
    row("unsafe.Pointer", 26, 8, [0x1b5c_c4cd, 0x3241_e2e3]),
    row("error", 20, 16, [0x0e10_5ecb, 0x58aa_aedc]),
    row("runtime.boundsError", 25, 24, [0xd505_18f9, 0x0d73_4ef7]),
    row("runtime.errorString", 24, 16, [0x4c0c_5f99, 0x70cc_5a44]),
    // A struct in Go, with what the text is made of. Here it is the text.
    row("runtime.TypeAssertionError", 24, 16, [0x04f3_1495, 0xd2e4_eac3]),
];

/// The fields of `runtime.boundsError`: name, type, offset.
const FIELDS: [(&str, &str, u64); 4] =
    [("x", "int64", 0), ("y", "int", 8), ("signed", "bool", 16), ("code", "uint8", 17)];

/// `internal/abi.TFlag`: the type has a name.
const NAMED: u8 = 4;
/// In the kind byte up to Go 1.25, in the flags since: values lie in an interface's data word themselves.
const DIRECT: u8 = 1 << 5;
/// Names nest no deeper.
const MAX_DEPTH: usize = 16;

/// What a descriptor that is to be made describes.
#[derive(Clone, Copy, Debug)]
struct Shape {
    kind: u8,
    size: u64,
    align: u8,
    /// Of an array.
    len: u64,
    named: bool,
    /// Up to Go 1.18; where it is not known the type is not made.
    md5: Option<u32>,
}

/// Size and alignment of the types that objects define.
pub(super) type Sizes<'s> = &'s dyn Fn(&str) -> Option<(u64, u8)>;

/// Descriptors to be made, by the names of the types.
pub(super) struct Missing<'f> {
    facts: &'f Facts,
    sizes: Sizes<'f>,
    wanted: BTreeMap<String, Shape>,
}

impl<'f> Missing<'f> {
    pub(super) fn new(facts: &'f Facts, sizes: Sizes<'f>) -> Missing<'f> {
        Missing { facts, sizes, wanted: BTreeMap::new() }
    }

    /// Asks for a type by its name. It is made if no object defines it and its parts are known.
    pub(super) fn want(&mut self, name: &str) {
        self.find(name, 0);
    }

    /// Size and alignment of a type that there is, or that will be made.
    fn find(&mut self, name: &str, depth: usize) -> Option<(u64, u8)> {
        if let Some(defined) = (self.sizes)(name) {
            return Some(defined);
        }
        if let Some(shape) = self.wanted.get(name) {
            return Some((shape.size, shape.align));
        }
        let shape = self.shape(name, depth)?;
        if self.facts.forms().type_hash() == TypeHash::Md5 && shape.md5.is_none() {
            return None;
        }
        self.wanted.insert(name.to_owned(), shape);
        Some((shape.size, shape.align))
    }

    fn shape(&mut self, name: &str, depth: usize) -> Option<Shape> {
        if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
            let align = if known.kind == gotype::COMPLEX128 as u8 { 8 } else { known.size.min(8) as u8 };
            let align = if known.kind == gotype::COMPLEX64 as u8 { 4 } else { align };
            let md5 = Some(known.md5[0]);
            return Some(Shape { kind: known.kind, size: known.size, align, len: 0, named: true, md5 });
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let plain =
            |kind: u64, size| Shape { kind: kind as u8, size, align: 8, len: 0, named: false, md5: None };
        if name == "interface {}" {
            return Some(plain(gotype::INTERFACE, 16));
        }
        let elem = element(name)?;
        let (size, align) = self.find(elem, depth + 1)?;
        if let Some(elem) = name.strip_prefix('*') {
            let md5 = KNOWN.iter().find(|known| known.name == elem).map(|known| known.md5[1]);
            return Some(Shape { md5, ..plain(gotype::POINTER, 8) });
        }
        if name.starts_with("[]") {
            return Some(plain(gotype::SLICE, 24));
        }
        let len: u64 = name.strip_prefix('[')?.split_once(']')?.0.parse().ok()?;
        Some(Shape { align, len, ..plain(gotype::ARRAY, size.checked_mul(len)?) })
    }

    /// Writes the descriptors behind those that are there, and then their names. Tells where the descriptors end.
    /// `names` are symbols that stand for types.
    pub(super) fn place<'l>(
        &self,
        placed: &mut Placed<'l>,
        prefixes: Prefixes,
        names: &[(&'l str, &'l str)],
        defined: &dyn Fn(&Placed<'l>, &str) -> Option<u64>,
    ) -> u64 {
        let mut made: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, shape) in &self.wanted {
            placed.rodata.align(8, 0);
            let bytes = self.descriptor(name, shape);
            let addr = placed.rodata.push(&bytes);
            made.insert(name, addr);
            let symbol = format!("{}{name}", prefixes.ty);
            placed.add_name(&symbol, Abi::Internal, addr, bytes.len() as u64, SymbolKind::Data);
            placed.known_types.push((name.clone(), addr));
        }
        let end = placed.rodata.end();
        let addr_of =
            |placed: &Placed<'l>, name: &str| made.get(name).copied().or_else(|| defined(placed, name));
        for (name, addr) in &made {
            let elem = element(name).and_then(|elem| addr_of(placed, elem));
            self.complete(&mut placed.rodata, name, *addr, elem);
            if *name == "runtime.boundsError" {
                let types = FIELDS.map(|(_, ty, _)| addr_of(placed, ty));
                self.bounds_fields(&mut placed.rodata, *addr, types);
            }
        }
        for (symbol, ty) in names {
            if let Some(addr) = made.get(ty) {
                placed.stand_ins.insert((symbol, Abi::Internal), *addr);
            }
        }
        end
    }

    /// Fills in what a descriptor refers to.
    fn complete(&self, rodata: &mut Blob, name: &str, addr: u64, elem: Option<u64>) {
        let (at, base) = (&self.facts.types, rodata.addr);
        let text = self.name(rodata, name);
        if let Some(field) = at.rtype.name {
            rodata.put(addr + field, &((text - base) as u32).to_le_bytes());
        }
        // The element stands in the same place in pointers, slices and arrays.
        if let (Some(field), Some(elem)) = (at.pointer.elem, elem) {
            rodata.put(addr + field, &elem.to_le_bytes());
        }
        if name == "error" {
            self.error_methods(rodata, addr, base);
        }
    }

    fn descriptor(&self, name: &str, shape: &Shape) -> Vec<u8> {
        let (forms, at) = (self.facts.forms(), &self.facts.types);
        let kind = u64::from(shape.kind);
        let size_of = match kind {
            gotype::POINTER | gotype::SLICE => at.pointer.sizeof,
            gotype::ARRAY => at.array.sizeof,
            // With room for a method.
            gotype::INTERFACE => {
                at.interface.sizeof.map(|size| if name == "error" { size + 8 } else { size })
            }
            gotype::STRUCT => at.structure.sizeof,
            _ => at.rtype.sizeof,
        };
        let mut bytes = vec![0; size_of.unwrap_or_default() as usize];
        let direct = kind == gotype::POINTER || kind == gotype::UNSAFE_POINTER;
        set(&mut bytes, at.rtype.size, &shape.size.to_le_bytes());
        set(&mut bytes, at.rtype.hash, &self.hash(name, shape).to_le_bytes());
        set(&mut bytes, at.rtype.align, &[shape.align, shape.align]);
        let direct = if direct { DIRECT } else { 0 };
        let (in_kind, in_flags) = if forms.direct_is_tflag() { (0, direct) } else { (direct, 0) };
        set(&mut bytes, at.rtype.kind, &[shape.kind | in_kind]);
        set(&mut bytes, at.rtype.tflag, &[in_flags | if shape.named { NAMED } else { 0 }]);
        if kind == gotype::ARRAY {
            set(&mut bytes, at.array.len, &shape.len.to_le_bytes());
        }
        if has_pointers(name, kind) {
            set(&mut bytes, at.rtype.ptrdata, &8_u64.to_le_bytes());
        }
        bytes
    }

    /// `types.TypeHash`: of the name, by a hash that changed three times.
    fn hash(&self, name: &str, shape: &Shape) -> u32 {
        let mut hash = sha256(name.as_bytes());
        match self.facts.forms().type_hash() {
            TypeHash::Md5 => return shape.md5.unwrap_or_default(),
            TypeHash::Inverted => hash.iter_mut().for_each(|byte| *byte = !*byte),
            TypeHash::Rotated => hash.rotate_left(8),
            TypeHash::FirstInverted => hash[0] ^= 0xff,
        }
        u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
    }

    /// The only method of `error`. (Its type, which only reflection asks for, is left out.)
    fn error_methods(&self, rodata: &mut Blob, addr: u64, base: u64) {
        let at = &self.facts.types;
        let text = self.name(rodata, "Error") - base;
        let (Some(size), Some(methods), Some(name)) =
            (at.interface.sizeof, at.interface.methods, at.imethod.name)
        else {
            return;
        };
        let list = addr + size;
        rodata.put(addr + methods, &[list, 1, 1].map(u64::to_le_bytes).concat());
        rodata.put(list + name, &(text as u32).to_le_bytes());
    }

    fn bounds_fields(&self, rodata: &mut Blob, addr: u64, types: [Option<u64>; 4]) {
        let at = &self.facts.types;
        let names = FIELDS.map(|(name, ..)| self.name(rodata, name));
        rodata.align(8, 0);
        let list = rodata.end();
        for ((name, ty), (.., offset)) in names.into_iter().zip(types).zip(FIELDS) {
            let shifted = if self.facts.forms().offsets_tell_embedded() { offset << 1 } else { offset };
            let mut field = vec![0; at.field.sizeof.unwrap_or_default() as usize];
            set(&mut field, at.field.name, &name.to_le_bytes());
            set(&mut field, at.field.ty, &ty.unwrap_or_default().to_le_bytes());
            set(&mut field, at.field.offset, &shifted.to_le_bytes());
            rodata.push(&field);
        }
        if let Some(fields) = at.structure.fields {
            rodata.put(addr + fields, &[list, 4, 4].map(u64::to_le_bytes).concat());
        }
    }

    /// A name as descriptors have it: flags (1: exported), length (two bytes up to Go 1.16, a varint since), text.
    fn name(&self, rodata: &mut Blob, name: &str) -> u64 {
        let exported = name.chars().next().is_some_and(char::is_uppercase);
        let len = name.len() as u8;
        let addr = rodata.push(&[exported.into()]);
        if self.facts.forms().names_have_varints() {
            rodata.push(&[len]);
        } else {
            rodata.push(&[0, len]);
        }
        rodata.push(name.as_bytes());
        addr
    }
}

/// The type that a pointer, a slice or an array is of.
fn element(name: &str) -> Option<&str> {
    name.strip_prefix('*').or_else(|| name.strip_prefix('[')?.split_once(']').map(|(_, elem)| elem))
}

/// Whether values hold pointers, as far as that changes what is done here.
fn has_pointers(name: &str, kind: u64) -> bool {
    match kind {
        gotype::POINTER | gotype::SLICE | gotype::INTERFACE | gotype::STRING | gotype::UNSAFE_POINTER => true,
        gotype::ARRAY => {
            let elem = name.rsplit(']').next().unwrap_or_default();
            !KNOWN.iter().any(|known| known.name == elem && u64::from(known.kind) <= gotype::COMPLEX128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::GoVersion;

    #[test]
    fn hashes_are_the_compilers() {
        // Of int, as runtimes of these releases have it.
        for (minor, expected) in [(15, 0xf753_71fa), (21, 0xcb73_5792), (24, 0x66db_77f9), (27, 0x348c_a892)]
        {
            let facts = Facts::of(GoVersion::new(minor, 0));
            let mut missing = Missing::new(&facts, &|_| None);
            missing.want("int");
            assert_eq!(missing.hash("int", &missing.wanted["int"]), expected, "1.{minor}");
        }
    }

    #[test]
    fn types_are_made_of_known_ones() {
        let facts = Facts::of(GoVersion::new(27, 0));
        let mut missing = Missing::new(&facts, &|name| (name == "main.T").then_some((12, 4)));
        for name in ["[][3]*int", "[2]main.T", "[]main.U", "map[int]int", "[99999999999999999999]int"] {
            missing.want(name);
        }
        let made: Vec<&str> = missing.wanted.keys().map(String::as_str).collect();
        assert_eq!(made, ["*int", "[2]main.T", "[3]*int", "[][3]*int", "int"]);
        assert_eq!(missing.wanted["[2]main.T"].size, 24);
    }
}
