//! A Go value outside the machine.
//!
//! [`read`](crate::go::read) makes values from guest memory; then they know their types. `From` and the
//! constructors here make values for arguments; those have no type until they are matched with a
//! parameter's, and are checked then: 300 is a fine value, and an error for a `uint8`.
//!
//! ```
//! use goemu::go::value::Value;
//!
//! let point = Value::structure([("X", Value::from(1)), ("Y", Value::from(2.5))]);
//! let list = Value::from(vec!["a", "b"]);
//! assert_eq!(list.to_string(), r#"[]{"a", "b"}"#);
//! assert_eq!(i64::try_from(&Value::from(7_u8)), Ok(7));
//! # let _ = point;
//! ```

use std::sync::Arc;

use goemu_loader::Type;

/// The type of a value, where it is known: values from the guest have one, values from Rust need not.
pub type MaybeType = Option<Arc<Type>>;

/// A Go value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// Any signed integer type.
    Int(i64),
    /// Any unsigned integer type but `uintptr`.
    Uint(u64),
    /// `uintptr`
    Uintptr(u64),
    /// `float32`
    Float32(f32),
    /// `float64`
    Float64(f64),
    /// `complex64`: real and imaginary part
    Complex64(f32, f32),
    /// `complex128`: real and imaginary part
    Complex128(f64, f64),
    /// A string. Go's need not be UTF-8.
    String(Vec<u8>),
    /// A slice or array of bytes.
    Bytes(Bytes),
    /// A slice or array of anything else.
    List(List),
    /// A struct.
    Struct(Struct),
    /// A map that is not nil.
    Map(Map),
    /// A pointer that is not nil.
    Pointer(Pointer),
    /// An interface that is not nil.
    Interface(Interface),
    /// A function value that is not nil.
    Func(Func),
    /// A channel that is not nil.
    Chan {
        /// Its type.
        ty: MaybeType,
        /// The runtime's channel.
        addr: u64,
    },
    /// `unsafe.Pointer`
    UnsafePointer(u64),
    /// A nil of this type.
    Nil(MaybeType),
    /// The value of a package variable, copied from there when it is written.
    Variable {
        /// Its name.
        name: String,
        /// Where it is.
        addr: u64,
    },
    /// The beginning of a string, slice or map that is longer than the reader's limits.
    Truncated {
        /// What was read of it.
        value: Box<Value>,
        /// Its length in the guest.
        len: u64,
    },
    /// Something that was left out because a limit was reached.
    Elided,
    /// Something that could not be read.
    Invalid(Invalid),
}

/// A slice or array of bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes {
    /// Its type.
    pub ty: MaybeType,
    /// Its elements.
    pub bytes: Vec<u8>,
}

/// A slice or array.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// Its type.
    pub ty: MaybeType,
    /// Its elements.
    pub elems: Vec<Value>,
}

/// A struct.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// Its type.
    pub ty: MaybeType,
    /// Names and values of its fields. As an argument: any fields in any order, the others are zero; or,
    /// with all names empty, every field in order.
    pub fields: Vec<(String, Value)>,
}

/// A map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Its type.
    pub ty: MaybeType,
    /// Keys and elements, sorted by key as Go prints them.
    pub entries: Vec<(Value, Value)>,
}

/// A pointer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pointer {
    /// The pointer's type.
    pub ty: MaybeType,
    /// Where it points; 0 in an argument whose pointee is still to be placed in the guest.
    pub addr: u64,
    /// What is there; nothing if it was not read (a cycle, a limit, an unknown type).
    pub pointee: Option<Box<Value>>,
}

/// What an interface holds; or a value of a type with a `String` method, where that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// The dynamic type.
    pub ty: MaybeType,
    /// The dynamic value.
    pub value: Box<Value>,
    /// The interface's data word, which methods are called with; 0 in arguments.
    pub data: u64,
    /// What its `Error` or `String` method returned, where it was called.
    pub text: Option<String>,
}

/// A function value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Func {
    /// Its type.
    pub ty: MaybeType,
    /// The closure; 0 in an argument that names a function, which gets one when it is written.
    pub closure: u64,
    /// Where its code begins.
    pub code: u64,
    /// The function's name.
    pub name: Option<String>,
}

/// A value that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid {
    /// The type it should have.
    pub ty: MaybeType,
    /// Where it should be.
    pub addr: u64,
    /// Why not.
    pub reason: Reason,
}

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No memory there.
    #[error("unreadable")]
    Unreadable,
    /// Memory, but of an unknown type.
    #[error("of unknown type")]
    UnknownType,
    /// A string or slice with a length that cannot be.
    #[error("of impossible length")]
    BadLength,
}

impl Value {
    /// A struct from the names and values of some of its fields.
    pub fn structure<N: Into<String>>(fields: impl IntoIterator<Item = (N, Value)>) -> Value {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Value::Struct(Struct { ty: None, fields })
    }

    /// A struct from the values of all its fields in order.
    pub fn tuple(fields: impl IntoIterator<Item = Value>) -> Value {
        Value::structure(fields.into_iter().map(|value| ("", value)))
    }

    /// A map from keys and elements.
    pub fn map<K: Into<Value>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Value {
        let entries = entries.into_iter().map(|(key, elem)| (key.into(), elem.into())).collect();
        Value::Map(Map { ty: None, entries })
    }

    /// A pointer to a new variable that holds `value`.
    pub fn pointer_to(value: impl Into<Value>) -> Value {
        Value::Pointer(Pointer { ty: None, addr: 0, pointee: Some(Box::new(value.into())) })
    }

    /// An untyped nil.
    #[must_use]
    pub fn nil() -> Value {
        Value::Nil(None)
    }

    /// What this value is, in a word, for messages.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Uint(_) | Value::Uintptr(_) => "an integer",
            Value::Float32(_) | Value::Float64(_) => "a floating-point number",
            Value::Complex64(..) | Value::Complex128(..) => "a complex number",
            Value::String(_) => "a string",
            Value::Bytes(_) => "a list of bytes",
            Value::List(_) => "a list",
            Value::Struct(_) => "a struct",
            Value::Map(_) => "a map",
            Value::Pointer(_) => "a pointer",
            Value::Interface(_) => "an interface",
            Value::Func(_) => "a function",
            Value::Chan { .. } => "a channel",
            Value::UnsafePointer(_) => "an unsafe.Pointer",
            Value::Nil(_) => "nil",
            Value::Variable { .. } => "a variable",
            Value::Truncated { .. } | Value::Elided => "a value that was not read to its end",
            Value::Invalid(_) => "a value that could not be read",
        }
    }

    /// The type of this value where it carries one: composite values from the guest do.
    #[must_use]
    pub fn ty(&self) -> Option<&Arc<Type>> {
        match self {
            Value::Bytes(Bytes { ty, .. })
            | Value::List(List { ty, .. })
            | Value::Struct(Struct { ty, .. })
            | Value::Map(Map { ty, .. })
            | Value::Pointer(Pointer { ty, .. })
            | Value::Interface(Interface { ty, .. })
            | Value::Func(Func { ty, .. })
            | Value::Chan { ty, .. }
            | Value::Nil(ty)
            | Value::Invalid(Invalid { ty, .. }) => ty.as_ref(),
            Value::Truncated { value, .. } => value.ty(),
            _ => None,
        }
    }

    /// The field of this name, of a struct or of the struct that a pointer or interface leads to.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(s) => s.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            Value::Pointer(Pointer { pointee: Some(to), .. }) => to.field(name),
            Value::Interface(Interface { value, .. }) => value.field(name),
            _ => None,
        }
    }
}

/// Conversions from Rust: numbers, text and lists.
macro_rules! from {
    ($($from:ty => $variant:ident as $to:ty),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(<$to>::from(value))
            }
        }
    )+};
}

from! {
    bool => Bool as bool,
    i8 => Int as i64, i16 => Int as i64, i32 => Int as i64, i64 => Int as i64,
    u8 => Uint as u64, u16 => Uint as u64, u32 => Uint as u64, u64 => Uint as u64,
    f32 => Float32 as f32, f64 => Float64 as f64,
    &str => String as Vec<u8>, String => String as Vec<u8>,
}

impl From<isize> for Value {
    fn from(value: isize) -> Value {
        Value::Int(value as i64)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Uint(value as u64)
    }
}

impl From<char> for Value {
    /// A rune.
    fn from(value: char) -> Value {
        Value::Int(i64::from(u32::from(value)))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(Bytes { ty: None, bytes: bytes.to_vec() })
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elems: Vec<T>) -> Value {
        Value::List(List { ty: None, elems: elems.into_iter().map(Into::into).collect() })
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(elems: [T; N]) -> Value {
        Value::from(Vec::from(elems))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    /// A pointer to the value, or nil.
    fn from(value: Option<T>) -> Value {
        value.map_or_else(Value::nil, Value::pointer_to)
    }
}

/// A value that is not what Rust asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} is not {wanted}")]
pub struct WrongKind {
    /// What the value is.
    pub found: String,
    /// The Rust type asked for.
    pub wanted: &'static str,
}

impl WrongKind {
    pub(crate) fn new(found: &Value, wanted: &'static str) -> WrongKind {
        WrongKind { found: found.to_string(), wanted }
    }
}

/// Integers to Rust, if they fit.
macro_rules! to_int {
    ($($to:ty),+) => {$(
        impl TryFrom<&Value> for $to {
            type Error = WrongKind;
            fn try_from(value: &Value) -> Result<$to, WrongKind> {
                let fits = match *value {
                    Value::Int(n) => <$to>::try_from(n).ok(),
                    Value::Uint(n) | Value::Uintptr(n) => <$to>::try_from(n).ok(),
                    _ => None,
                };
                fits.ok_or_else(|| WrongKind::new(value, stringify!($to)))
            }
        }
    )+};
}

to_int!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl TryFrom<&Value> for char {
    type Error = WrongKind;
    /// A rune.
    fn try_from(value: &Value) -> Result<char, WrongKind> {
        let code = u32::try_from(value)?;
        char::from_u32(code).ok_or_else(|| WrongKind::new(value, "char"))
    }
}

impl TryFrom<&Value> for bool {
    type Error = WrongKind;
    fn try_from(value: &Value) -> Result<bool, WrongKind> {
        match value {
            Value::Bool(b) => Ok(*b),
            _ => Err(WrongKind::new(value, "bool")),
        }
    }
}

impl TryFrom<&Value> for f32 {
    type Error = WrongKind;
    fn try_from(value: &Value) -> Result<f32, WrongKind> {
        match value {
            Value::Float32(n) => Ok(*n),
            _ => Err(WrongKind::new(value, "f32")),
        }
    }
}

impl TryFrom<&Value> for f64 {
    type Error = WrongKind;
    fn try_from(value: &Value) -> Result<f64, WrongKind> {
        match value {
            Value::Float64(n) => Ok(*n),
            Value::Float32(n) => Ok(f64::from(*n)),
            _ => Err(WrongKind::new(value, "f64")),
        }
    }
}

impl TryFrom<&Value> for String {
    type Error = WrongKind;
    fn try_from(value: &Value) -> Result<String, WrongKind> {
        match value {
            Value::String(bytes) => {
                String::from_utf8(bytes.clone()).map_err(|_| WrongKind::new(value, "String"))
            }
            _ => Err(WrongKind::new(value, "String")),
        }
    }
}

impl<T> TryFrom<&Value> for Vec<T>
where
    T: for<'a> TryFrom<&'a Value, Error = WrongKind>,
{
    type Error = WrongKind;
    /// The elements of a slice or array; of a nil slice, none.
    fn try_from(value: &Value) -> Result<Vec<T>, WrongKind> {
        match value {
            Value::List(list) => list.elems.iter().map(T::try_from).collect(),
            Value::Bytes(b) => b.bytes.iter().map(|&b| T::try_from(&Value::Uint(b.into()))).collect(),
            Value::Nil(_) => Ok(Vec::new()),
            _ => Err(WrongKind::new(value, "Vec")),
        }
    }
}
