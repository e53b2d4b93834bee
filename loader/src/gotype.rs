//! Go types: their layout in memory, and enough of their names to print and check values.
//!
//! A type is a tree as far as its memory goes: a struct holds its fields' types, an array its element's.
//! Where memory holds a pointer (pointers, slices, maps, channels, functions) the tree ends in a
//! [`TypeRef`], which whoever gave the type can resolve. So types that refer to themselves are finite,
//! and nothing is read from the file before it is asked for.

use std::sync::Arc;

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
        /// Its methods, sorted by name. With none, the first word is a type descriptor, else an itab.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Receiver and parameters, in order.
    pub params: Vec<Param>,
    /// Results, in order.
    pub results: Vec<Param>,
    /// Whether the last parameter is `...T` (its type is then `[]T`).
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
