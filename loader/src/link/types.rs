//! Type descriptors of the predeclared types and of run-time errors. The compiler writes them for the package runtime
//! alone; programs that are linked without it get them from here.

use std::collections::BTreeSet;

use crate::facts::{Facts, Prefixes};
use crate::gotype;
use crate::symbol::SymbolKind;

use super::blob::{Blob, set};
use super::place::Placed;
use crate::goobj::Abi;

/// A type that is known here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    kind: u8,
    size: u64,
    /// Hashes of the type and of the pointer to it (`types.TypeHash`): up to Go 1.18, to 1.23, of 1.24, since 1.25.
    hashes: [[u32; 4]; 2],
}

const fn row(name: &'static str, kind: u8, size: u64, hash: [u32; 4], pointer: [u32; 4]) -> Known {
    Known { name, kind, size, hashes: [hash, pointer] }
}

/// The predeclared types, and the types of run-time errors (`runtime/error.go`).
#[rustfmt::skip]
const KNOWN: [Known; 22] = [
    row("bool", 1, 1, [0x13ff_06c5, 0xb00b_9f48, 0x71b4_a374, 0x4ff4_6048], [0x6e0d_f0d1, 0xfcd6_0fce, 0x65be_55e0, 0x0329_f0ce]),
    row("int", 2, 8, [0xf753_71fa, 0xcb73_5792, 0x66db_77f9, 0x348c_a892], [0x2522_ebe7, 0xba58_5d67, 0x5e9b_bc15, 0x45a7_a267]),
    row("int8", 3, 1, [0xcc06_c027, 0x43da_ea34, 0xe12f_c403, 0xbc25_1534], [0x5fca_dfef, 0xd663_1a7c, 0xce11_6919, 0x299c_e57c]),
    row("int16", 4, 2, [0xecd5_80ce, 0x3e23_07d4, 0x8710_6456, 0xc1dc_f8d4], [0xa066_c615, 0xc323_0e0b, 0x485e_732e, 0x3cdc_f10b]),
    row("int32", 5, 4, [0xbbad_4102, 0x6bed_3cfa, 0x13b6_cc10, 0x9412_c3fa], [0x6b58_1726, 0x62de_383d, 0x9477_0ba5, 0x9d21_c73d]),
    row("int64", 6, 8, [0x963f_9bff, 0x99d6_dd43, 0x625f_5c87, 0x6629_2243], [0x26b8_0717, 0x2e74_d42b, 0x910f_48da, 0xd18b_2b2b]),
    row("uint", 7, 8, [0xd5b8_7712, 0x64fd_0d3c, 0xdf13_6f9a, 0x9b02_f23c], [0x10db_f978, 0x6e78_e923, 0x5345_9bec, 0x9187_1623]),
    row("uint8", 8, 1, [0x663e_425f, 0x9573_8979, 0x651d_6272, 0x6a8c_7679], [0x9ad9_26a8, 0xf3b5_0de0, 0xd968_7427, 0x0c4a_f2e0]),
    row("uint16", 9, 2, [0xeff2_0ea0, 0xd963_2893, 0xa08b_a67d, 0x269c_d793], [0xee92_f42e, 0x889c_e7f8, 0xfd8a_f685, 0x7763_18f8]),
    row("uint32", 10, 4, [0xd04a_e83d, 0xe927_f9e3, 0x0294_554e, 0x16d8_06e3], [0x00c6_6cd3, 0x338a_7ec0, 0x9733_e058, 0xcc75_81c0]),
    row("uint64", 11, 8, [0x8631_8d2e, 0x8fc5_2ddb, 0x4d16_0681, 0x703a_d2db], [0x1e2f_74f8, 0x4916_3278, 0xaa85_cac1, 0xb6e9_cd78]),
    row("uintptr", 12, 8, [0xbd4a_d792, 0x5272_f85c, 0x68f3_5f3f, 0xad8d_075c], [0x968b_c55e, 0x8f96_facd, 0x713d_23e1, 0x7069_05cd]),
    row("float32", 13, 4, [0xb0c2_3ed3, 0x8d82_6c95, 0xa171_8dd4, 0x727d_9395], [0x1ffe_e651, 0x4072_c7d5, 0x4de3_1197, 0xbf8d_38d5]),
    row("float64", 14, 8, [0x2ea2_7ffb, 0x9359_2d94, 0x111e_d29f, 0x6ca6_d294], [0xba56_ad13, 0x6d44_8d5d, 0x7035_256b, 0x92bb_725d]),
    row("complex64", 15, 8, [0x7925_028c, 0xc1ef_e3a2, 0xb688_2940, 0x3e10_1ca2], [0x7ac1_6a11, 0x510a_d14d, 0x28f3_efe9, 0xaef5_2e4d]),
    row("complex128", 16, 16, [0xb31a_546d, 0x7688_f20c, 0x2fbe_dfcd, 0x8977_0d0c], [0x23a4_2bd7, 0x7afc_d172, 0xb1cc_02aa, 0x8503_2e72]),
    row("string", 24, 16, [0xe0ff_5cb4, 0x0778_cdb8, 0x9097_a863, 0xf887_32b8], [0x5a17_5aed, 0xe47f_76c1, 0x84b0_276e, 0x1b80_89c1]),
    row("unsafe.Pointer", 26, 8, [0x1b5c_c4cd, 0xfa59_2a46, 0x3f6c_cafb, 0x05a6_d546], [0x3241_e2e3, 0x31ac_3d15, 0x8ae3_7afe, 0xce53_c215]),
    row("error", 20, 16, [0x0e10_5ecb, 0x3003_ff35, 0x0601_c4dd, 0xcffc_0035], [0x58aa_aedc, 0x23af_b16a, 0xb797_eebe, 0xdc50_4e6a]),
    row("runtime.boundsError", 25, 24, [0xd505_18f9, 0x2ba4_dfe6, 0x849c_ab7b, 0xd45b_20e6], [0x0d73_4ef7, 0x8372_b5e9, 0x81f3_e4bd, 0x7c8d_4ae9]),
    row("runtime.errorString", 24, 16, [0x4c0c_5f99, 0x4316_e803, 0x3ce3_cf32, 0xbce9_1703], [0x70cc_5a44, 0x43d1_5b71, 0x2159_356d, 0xbc2e_a471]),
    // A struct in Go, with what the text is made of. Here it is the text.
    row("runtime.TypeAssertionError", 24, 16, [0x04f3_1495, 0x108a_6dd1, 0x4b0a_e61e, 0xef75_92d1], [0xd2e4_eac3, 0x0be4_7274, 0x4d19_8358, 0xf41b_8d74]),
];

/// The fields of `runtime.boundsError`: name, type, offset.
const FIELDS: [(&str, &str, u64); 4] =
    [("x", "int64", 0), ("y", "int", 8), ("signed", "bool", 16), ("code", "uint8", 17)];

/// `internal/abi.TFlag`: the type has a name.
const NAMED: u8 = 4;
/// In the kind byte up to Go 1.25, in the flags since: values lie in an interface's data word themselves.
const DIRECT: u8 = 1 << 5;

/// Descriptors to be made: types, and whether pointers to them.
pub(super) struct Missing<'f> {
    facts: &'f Facts,
    wanted: BTreeSet<(&'static str, bool)>,
}

impl<'f> Missing<'f> {
    /// Those that there have to be always: the types of run-time errors, and what the others refer to.
    pub(super) fn new(facts: &'f Facts) -> Missing<'f> {
        Missing { facts, wanted: BTreeSet::new() }
    }

    /// Asks for a type by its name, if it is one of those that are known.
    pub(super) fn want(&mut self, name: &str) {
        let (base, pointer) = match name.strip_prefix('*') {
            Some(base) => (base, true),
            None => (name, false),
        };
        if let Some(known) = KNOWN.iter().find(|known| known.name == base) {
            self.wanted.insert((known.name, false));
            if pointer {
                self.wanted.insert((known.name, true));
            }
        }
    }

    /// Writes the descriptors behind those that are there, and then their names. Tells where the descriptors end.
    pub(super) fn place<'l>(
        &self,
        placed: &mut Placed<'l>,
        prefixes: Prefixes,
        named: &[(&'l str, &'l str)],
    ) -> u64 {
        let base = placed.rodata.addr;
        let mut written = Vec::new();
        for (name, pointer) in &self.wanted {
            let Some(known) = KNOWN.iter().find(|known| known.name == *name) else { continue };
            placed.rodata.align(8, 0);
            let bytes = self.descriptor(known, *pointer);
            let addr = placed.rodata.push(&bytes);
            written.push((known, *pointer, addr));
        }
        let end = placed.rodata.end();
        for (known, pointer, addr) in &written {
            let name = if *pointer { format!("*{}", known.name) } else { known.name.to_owned() };
            let text = self.name(&mut placed.rodata, &name);
            let at = &self.facts.types;
            if let Some(field) = at.rtype.name {
                placed.rodata.put(addr + field, &((text - base) as u32).to_le_bytes());
            }
            let of = |pointer: bool| {
                written.iter().find(|w| w.0.name == known.name && w.1 == pointer).map(|w| w.2)
            };
            if let (true, Some(field), Some(elem)) = (*pointer, at.pointer.elem, of(false)) {
                placed.rodata.put(addr + field, &elem.to_le_bytes());
            }
            match (known.name, *pointer) {
                ("error", false) => self.error_methods(&mut placed.rodata, *addr, base),
                ("runtime.boundsError", false) => {
                    let types =
                        FIELDS.map(|(_, ty, _)| written.iter().find(|w| w.0.name == ty && !w.1).map(|w| w.2));
                    self.bounds_fields(&mut placed.rodata, *addr, types);
                }
                _ => {}
            }
            let symbol = format!("{}{name}", prefixes.ty);
            placed.add_name(
                &symbol,
                false,
                *addr,
                addr_size(&self.descriptor(known, *pointer)),
                SymbolKind::Data,
            );
            for (wanted, _) in named.iter().filter(|(_, ty)| *ty == name.as_str()) {
                placed.stand_ins.insert((wanted, Abi::Internal), *addr);
            }
            placed.known_types.push((name, *addr));
        }
        end
    }

    fn descriptor(&self, known: &Known, pointer: bool) -> Vec<u8> {
        let (minor, at) = (self.facts.version.minor, &self.facts.types);
        let size_of = match (pointer, known.kind.into()) {
            (true, _) => at.pointer.sizeof,
            (_, gotype::INTERFACE) => at.interface.sizeof.map(|size| size + 8),
            (_, gotype::STRUCT) => at.structure.sizeof,
            _ => at.rtype.sizeof,
        };
        let mut bytes = vec![0; size_of.unwrap_or_default() as usize];
        let (kind, size) = if pointer { (gotype::POINTER as u8, 8) } else { (known.kind, known.size) };
        let direct = pointer || u64::from(kind) == gotype::UNSAFE_POINTER;
        let flag = if pointer { 0 } else { NAMED };
        let era = match minor {
            ..=18 => 0,
            19..=23 => 1,
            24 => 2,
            25.. => 3,
        };
        let align = if known.kind == 16 && !pointer { 8 } else { size.min(8) as u8 };
        set(&mut bytes, at.rtype.size, &size.to_le_bytes());
        set(&mut bytes, at.rtype.hash, &known.hashes[usize::from(pointer)][era].to_le_bytes());
        set(&mut bytes, at.rtype.align, &[align, align]);
        let in_kind = if direct && minor < 26 { DIRECT } else { 0 };
        set(&mut bytes, at.rtype.kind, &[kind | in_kind]);
        set(&mut bytes, at.rtype.tflag, &[flag | if direct && minor >= 26 { DIRECT } else { 0 }]);
        bytes
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
            let shifted = if self.facts.version.minor < 19 { offset << 1 } else { offset };
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
        if self.facts.version.minor < 17 {
            rodata.push(&[0, len]);
        } else {
            rodata.push(&[len]);
        }
        rodata.push(name.as_bytes());
        addr
    }
}

fn addr_size(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}
