//! Sizes and alignments on amd64, and the numbers of kinds: what the compiler, the runtime and this crate
//! agree on.

use super::Kind;

// `internal/abi.Kind` (`reflect.Kind`), the same in every release.
pub(crate) const BOOL: u64 = 1;
pub(crate) const INT: u64 = 2;
pub(crate) const INT64: u64 = 6;
pub(crate) const UINT: u64 = 7;
pub(crate) const UINT64: u64 = 11;
pub(crate) const UINTPTR: u64 = 12;
pub(crate) const FLOAT32: u64 = 13;
pub(crate) const FLOAT64: u64 = 14;
pub(crate) const COMPLEX64: u64 = 15;
pub(crate) const COMPLEX128: u64 = 16;
pub(crate) const ARRAY: u64 = 17;
pub(crate) const CHAN: u64 = 18;
pub(crate) const FUNC: u64 = 19;
pub(crate) const INTERFACE: u64 = 20;
pub(crate) const MAP: u64 = 21;
pub(crate) const POINTER: u64 = 22;
pub(crate) const SLICE: u64 = 23;
pub(crate) const STRING: u64 = 24;
pub(crate) const STRUCT: u64 = 25;
pub(crate) const UNSAFE_POINTER: u64 = 26;

/// The predeclared type of each kind that has one; the others are composed.
pub(crate) const PREDECLARED: [(u64, &str); 18] = [
    (BOOL, "bool"),
    (INT, "int"),
    (3, "int8"),
    (4, "int16"),
    (5, "int32"),
    (INT64, "int64"),
    (UINT, "uint"),
    (8, "uint8"),
    (9, "uint16"),
    (10, "uint32"),
    (UINT64, "uint64"),
    (UINTPTR, "uintptr"),
    (FLOAT32, "float32"),
    (FLOAT64, "float64"),
    (COMPLEX64, "complex64"),
    (COMPLEX128, "complex128"),
    (STRING, "string"),
    (UNSAFE_POINTER, "unsafe.Pointer"),
];

/// The size of types that have only one.
pub(crate) fn fixed_size(kind: &Kind) -> Option<u64> {
    match kind {
        Kind::Bool => Some(1),
        Kind::Uintptr | Kind::UnsafePointer | Kind::Pointer(_) => Some(8),
        Kind::Map { .. } | Kind::Chan { .. } | Kind::Func(_) => Some(8),
        Kind::String | Kind::Interface { .. } => Some(16),
        Kind::Slice(_) => Some(24),
        Kind::Int | Kind::Uint | Kind::Float | Kind::Complex | Kind::Array { .. } | Kind::Struct(_) => None,
    }
}

/// The alignment of a type: that of its largest word. (Its `DW_AT_alignment` is not written.)
pub(crate) fn align(kind: &Kind, size: u64) -> u64 {
    match kind {
        Kind::Bool | Kind::Int | Kind::Uint | Kind::Float => size.clamp(1, 8),
        Kind::Complex => (size / 2).clamp(1, 8),
        Kind::Array { elem, .. } => elem.align,
        Kind::Struct(fields) => fields.iter().map(|field| field.ty.align).max().unwrap_or(1),
        _ => 8,
    }
}

/// Whether the parts of a type lie inside it, so that copying a value never leaves it.
pub(crate) fn fits(kind: &Kind, size: u64) -> bool {
    match kind {
        Kind::Struct(fields) => {
            fields.iter().all(|field| field.offset.checked_add(field.ty.size).is_some_and(|end| end <= size))
        }
        Kind::Array { elem, len } => elem.size.checked_mul(*len) == Some(size),
        Kind::Int | Kind::Uint => matches!(size, 1 | 2 | 4 | 8),
        Kind::Float => matches!(size, 4 | 8),
        Kind::Complex => matches!(size, 8 | 16),
        other => fixed_size(other) == Some(size),
    }
}
