//! Go types: their layout in memory, and enough of their names to print and check values.
//!
//! A type is a tree as far as its memory goes: a struct holds its fields' types, an array its element's.
//! Where memory holds a pointer (pointers, slices, maps, channels, functions) the tree ends in a
//! [`TypeRef`], which the source of the type resolves. So types that refer to themselves are finite,
//! and nothing is read from the file before it is asked for.

mod layout;
mod names;
mod nest;

use std::{fmt, sync::Arc};

pub(crate) use layout::*;
pub use names::printed_name;
pub(crate) use names::short_name;
pub(crate) use nest::{Memo, Nest};

/// A Go type.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// The type as Go source writes it, with the package's name: `int`, `[]uint8`, `main.Point`,
    /// `struct { X int }`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Alignment in bytes: 1, 2, 4 or 8.
    pub align: u64,
    /// What it is made of.
    pub kind: Kind,
    /// The address of its runtime type descriptor (`abi.Type`) in the image, where it is known.
    pub rtype: Option<u64>,
}

/// What a type is made of. The width of a number is its type's `size`.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `int`, `int8` ... `int64`
    Int,
    /// `uint`, `uint8` ... `uint64`
    Uint,
    /// `uintptr`
    Uintptr,
    /// `float32`, `float64`
    Float,
    /// `complex64`, `complex128`
    Complex,
    /// `string`: pointer, length
    String,
    /// `unsafe.Pointer`
    UnsafePointer,
    /// `*T`
    Pointer(TypeRef),
    /// `[]T`: pointer, length, capacity
    Slice(TypeRef),
    /// `[len]T`
    Array {
        /// Element type.
        elem: Arc<Type>,
        /// Number of elements.
        len: u64,
    },
    /// `struct { ... }`, fields in order of offset, blank and zero-size ones included
    Struct(Vec<Field>),
    /// An interface: two words, (type or itab, data)
    Interface {
        /// Whether it has no methods. Then the first word is a type descriptor, else an itab.
        empty: bool,
        /// Its methods, sorted by name, as far as they are known: DWARF alone does not give them.
        methods: Vec<Method>,
    },
    /// `map[key]elem`: a pointer to the runtime's map
    Map {
        /// Key type.
        key: TypeRef,
        /// Element type.
        elem: TypeRef,
    },
    /// `chan T`: a pointer to the runtime's channel
    Chan {
        /// Element type.
        elem: TypeRef,
        /// What may be done with it.
        dir: ChanDir,
    },
    /// `func(...) ...`: a pointer to a closure
    Func(FuncType),
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name; `_` for blank ones.
    pub name: String,
    /// Its type.
    pub ty: Arc<Type>,
    /// Offset in bytes from the start of the struct.
    pub offset: u64,
    /// Whether it is embedded (declared without a name).
    pub embedded: bool,
}

/// A method of an interface type.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its name.
    pub name: String,
}

/// Direction of a channel type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChanDir {
    /// `chan T`
    Both,
    /// `<-chan T`
    Recv,
    /// `chan<- T`
    Send,
}

/// The type of a function value.
#[derive(Clone, Debug, PartialEq)]
pub struct FuncType {
    /// Parameters in order.
    pub params: Vec<TypeRef>,
    /// Results in order.
    pub results: Vec<TypeRef>,
    /// Whether the last parameter is `...T` (its type is then `[]T`).
    pub variadic: bool,
    /// Whether parameters and results are known apart. Where they are not, all are parameters: debug information of
    /// Go 1.24 and older lists both alike, and neither a descriptor nor the type's name tells.
    pub results_known: bool,
}

/// A type that is named here and defined elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeRef {
    /// At this offset of `.debug_info`.
    Dwarf(usize),
    /// The runtime type descriptor at this address.
    Rtype(u64),
    /// Here.
    Here(Arc<Type>),
    /// Not known (for instance a type that only its name is known of).
    Unknown,
}

/// What a function takes and gives, receiver first.
///
/// Displayed as Go writes it, without the function's name: `func(a []uint8, k uint8) (string, error)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Receiver and parameters, in order.
    pub params: Vec<Param>,
    /// Results, in order.
    pub results: Vec<Param>,
    /// Whether the last parameter is `...T` (its type is then `[]T`). DWARF does not tell.
    pub variadic: bool,
}

/// One parameter or result.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name; empty where the source gives none.
    pub name: String,
    /// Its type.
    pub ty: Arc<Type>,
}

/// Which of Go's two calling conventions a function follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abi {
    /// Everything on the stack: assembly, and all code before Go 1.17.
    Abi0,
    /// `ABIInternal`: arguments and results in registers, from Go 1.17 on.
    Internal,
}

impl Param {
    /// Whether this is the dictionary that the compiler adds to a generic function: a pointer to the types
    /// that this instance stands for, passed before the parameters of the source.
    pub fn is_dictionary(&self) -> bool {
        self.name == ".dict"
    }

    /// That parameter.
    pub fn dictionary() -> Param {
        let kind = Kind::UnsafePointer;
        let ty = Type { name: "unsafe.Pointer".to_owned(), size: 8, align: 8, kind, rtype: None };
        Param { name: ".dict".to_owned(), ty: Arc::new(ty) }
    }
}

impl Signature {
    /// The same without names, as the types of functions are written.
    pub fn unnamed(&self) -> Self {
        let unname = |params: &[Param]| {
            params.iter().map(|param| Param { name: String::new(), ty: param.ty.clone() }).collect()
        };
        Self { params: unname(&self.params), results: unname(&self.results), variadic: self.variadic }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "{}", self.ty),
            name => write!(f, "{name} {}", self.ty),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        write_list(f, &self.params, self.variadic)?;
        f.write_str(")")?;
        match self.results.as_slice() {
            [] => Ok(()),
            [only] if only.name.is_empty() => write!(f, " {only}"),
            results => {
                f.write_str(" (")?;
                write_list(f, results, false)?;
                f.write_str(")")
            }
        }
    }
}

/// Writes parameters as Go does. Go wants a name for all of them or for none.
fn write_list(f: &mut fmt::Formatter<'_>, params: &[Param], variadic: bool) -> fmt::Result {
    let named = params.iter().any(|param| !param.name.is_empty());
    for (i, param) in params.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        if named {
            write!(f, "{} ", if param.name.is_empty() { "_" } else { &param.name })?;
        }
        match param.ty.name.strip_prefix("[]") {
            Some(elem) if variadic && i + 1 == params.len() => write!(f, "...{elem}")?,
            _ => f.write_str(&param.ty.name)?,
        }
    }
    Ok(())
}
