//! What reading and writing Go values asks of the guest: bytes, memory to put values in, types and names.
//!
//! A machine implements the first two over its memory, an image the third; tests use a plain map of bytes.

use std::sync::{Arc, LazyLock};

use goemu_loader::{Facts, Kind, Type, TypeRef};

/// Guest memory that can be read.
pub trait GuestMemory {
    /// Fills `buf` from the bytes at `addr`.
    ///
    /// # Errors
    /// When any of these bytes cannot be read; `buf` is then of no use.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress>;

    /// Bytes of the host's memory that values may take which are read.
    fn room(&self) -> u64 {
        u64::MAX
    }
}

/// Guest memory in which values can be placed.
///
/// Maps and itabs belong to the guest's runtime: a machine makes them with the help of the guest's own functions.
/// What is not implemented here fails with an error that says so.
pub trait GuestHeap: GuestMemory {
    /// Writes `bytes` at `addr`.
    ///
    /// # Errors
    /// When any of these bytes cannot be written.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), HeapError>;

    /// Zeroed memory of `size` bytes at a multiple of `align`, to be used until the call ends.
    ///
    /// # Errors
    /// When there is not that much.
    fn alloc(&mut self, size: u64, align: u64) -> Result<u64, HeapError>;

    /// An empty map of type `ty` with room for so many entries.
    ///
    /// # Errors
    /// When the guest cannot have one.
    fn make_map(&mut self, ty: &Type, entries: u64) -> Result<u64, HeapError> {
        let _ = entries;
        Err(HeapError::Unsupported(format!("making a {ty}")))
    }

    /// The address of the element for the key at address `key`, which the map does not have yet. There are no more
    /// of them than [`GuestHeap::make_map`] was told.
    ///
    /// # Errors
    /// When the key cannot be hashed.
    fn map_slot(&mut self, ty: &Type, map: u64, key: u64) -> Result<u64, HeapError> {
        let _ = (map, key);
        Err(HeapError::Unsupported(format!("filling a {ty}")))
    }

    /// The itab of a dynamic type in an interface type with methods.
    ///
    /// # Errors
    /// When the type does not implement the interface, or the image has no itab for the two.
    fn itab(&mut self, interface: &Type, dynamic: &Type) -> Result<u64, HeapError> {
        Err(HeapError::Unsupported(format!("putting a {dynamic} in an interface {interface}")))
    }
}

/// Memory that cannot be read at this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no readable memory at {0:#x}")]
pub struct BadAddress(pub u64);

/// Why a value could not be placed in guest memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeapError {
    /// No memory there.
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    /// The guest's memory is used up.
    #[error("no room for {0} bytes in the guest's memory")]
    OutOfMemory(u64),
    /// Something that only the guest's runtime can do, and cannot here.
    #[error("{0} is not possible here")]
    Unsupported(String),
    /// A function of the guest that had to run first did not return.
    #[error("{what} is not possible: {why}")]
    Failed {
        /// What it was for.
        what: String,
        /// What became of it.
        why: String,
    },
    /// A type that does not have all methods of an interface.
    #[error("{ty} does not implement {interface}{}", missing.as_ref().map_or_else(String::new, |m| format!(": it has no method {m}")))]
    NotImplemented {
        /// The type.
        ty: String,
        /// The interface.
        interface: String,
        /// A method that the type does not have.
        missing: Option<String>,
    },
}

/// What a program knows of its types and names.
pub trait Types {
    /// The type that a reference means.
    ///
    /// # Errors
    /// When it is not known or its description is damaged.
    fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, TypeError>;

    /// The type of this name: `int`, `main.Point`, or `Point` where only one package has it.
    fn named(&self, name: &str) -> Option<Arc<Type>> {
        let _ = name;
        None
    }

    /// The address of a type's runtime descriptor.
    fn descriptor(&self, ty: &Type) -> Option<u64> {
        ty.rtype
    }

    /// The name of the function whose code begins at `code`.
    fn func_at(&self, code: u64) -> Option<String> {
        let _ = code;
        None
    }

    /// Where the code of the function of this name begins.
    fn func_named(&self, name: &str) -> Option<u64> {
        let _ = name;
        None
    }

    /// Address and type of the package variable of this name; the type where it is known.
    fn variable(&self, name: &str) -> Option<(u64, Option<Arc<Type>>)> {
        let _ = name;
        None
    }

    /// Types that a value in an interface of this type may have, at most so many, those of package main first.
    fn implementers(&self, interface: &Type, most: usize) -> Vec<Arc<Type>> {
        let _ = (interface, most);
        Vec::new()
    }

    /// Functions of the program that are values of this type, at most so many: their names, and where their code begins.
    fn functions_of(&self, ty: &Type, most: usize) -> Vec<(String, u64)> {
        let _ = (ty, most);
        Vec::new()
    }

    /// What is known of the program's runtime; by default that of the newest release.
    fn facts(&self) -> &Facts {
        static KNOWN: LazyLock<Facts> = LazyLock::new(Facts::newest);
        &KNOWN
    }

    /// How this program's runtime lays out maps.
    fn map_design(&self) -> MapDesign {
        MapDesign::Swiss
    }

    /// Whether an interface holds a value of this type in its data word, not a pointer to it.
    ///
    /// The runtime type descriptor says so in one bit; this follows the compiler's rule
    /// (`cmd/compile/internal/types.IsDirectIface`) for types that have none.
    fn is_direct(&self, ty: &Type) -> bool {
        pointer_shaped(ty, 0)
    }
}

fn pointer_shaped(ty: &Type, depth: usize) -> bool {
    match &ty.kind {
        Kind::Pointer(_) | Kind::Map { .. } | Kind::Chan { .. } | Kind::Func(_) | Kind::UnsafePointer => true,
        Kind::Array { elem, len: 1 } if depth < 100 => pointer_shaped(elem, depth + 1),
        Kind::Struct(fields) if depth < 100 => match fields.as_slice() {
            [only] => pointer_shaped(&only.ty, depth + 1),
            _ => false,
        },
        _ => false,
    }
}

/// The layout of Go's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapDesign {
    /// Buckets of eight with overflow chains: to Go 1.23, and 1.24 and 1.25 with `noswissmap`.
    Buckets,
    /// Swiss tables: from Go 1.24 on.
    Swiss,
    /// Swiss tables whose groups hold eight keys, then eight elements (`GOEXPERIMENT=mapsplitgroup`).
    SwissSplit,
}

/// A type that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TypeError(pub String);
