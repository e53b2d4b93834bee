//! Which Rust types stand for which Go types.

use goemu_loader::{Kind, Param, Type};
use smallvec::SmallVec;

use super::{GoArgs, GoError, GoResults, Words, error, is_error};
use crate::call::prepared::{Given, Got, Results};
use crate::go::guest::Types;
use crate::go::value::{Bytes, Value, WrongKind};

/// A Rust type that an argument may have.
pub trait GoArg {
    /// The same with another lifetime.
    type Given<'a>;

    /// Whether a parameter of this type takes it.
    fn fits(ty: &Type, types: &dyn Types) -> bool;

    /// The Go type that it stands for where nothing else is known.
    fn go_type() -> Option<&'static str>;

    /// The value that it is.
    fn value(given: Self::Given<'_>) -> Value;

    /// Its low bits, where it is a number of up to 64.
    fn word(given: &Self::Given<'_>) -> Option<u64> {
        let _ = given;
        None
    }

    /// Whether it is a number, text or bytes.
    const SHORT: bool = false;

    /// What it is then.
    fn given<'g>(given: &'g Self::Given<'_>) -> Option<Given<'g>> {
        Self::word(given).map(Given::Bits)
    }
}

/// A Rust type that a result may have.
pub trait GoResult: Sized {
    /// Whether a result of this type is one.
    fn fits(ty: &Type, types: &dyn Types) -> bool;

    /// The Go type that it stands for where nothing else is known.
    fn go_type() -> Option<String>;

    /// Makes it of a value.
    ///
    /// # Errors
    /// When the value is something else.
    fn from_value(value: &Value) -> Result<Self, WrongKind>;

    /// Makes it of its low bits, where it is a number of up to 64.
    fn from_word(word: u64) -> Option<Self> {
        let _ = word;
        None
    }

    /// Whether it is a number, text or bytes.
    const SHORT: bool = false;

    /// Makes it of what was returned then.
    fn from_got(got: Got) -> Option<Self> {
        match got {
            Got::Bits(bits) => Self::from_word(bits),
            Got::Bytes(_) | Got::Nil => None,
        }
    }
}

/// Types that are their own: no lifetimes, `From` and `TryFrom`; numbers have their bits and come from them.
macro_rules! plain {
    ($($rust:ty => $go:literal, |$ty:ident| $fits:expr $(, |$given:ident| $bits:expr, |$word:ident| $from:expr)?;)+) => {$(
        impl GoArg for $rust {
            type Given<'a> = $rust;
            fn fits($ty: &Type, _: &dyn Types) -> bool {
                $fits
            }
            fn go_type() -> Option<&'static str> {
                Some($go)
            }
            fn value(given: $rust) -> Value {
                Value::from(given)
            }
            $(fn word(&$given: &$rust) -> Option<u64> {
                Some($bits)
            }
            const SHORT: bool = true;)?
        }
        impl GoResult for $rust {
            fn fits($ty: &Type, _: &dyn Types) -> bool {
                $fits
            }
            fn go_type() -> Option<String> {
                Some($go.to_owned())
            }
            fn from_value(value: &Value) -> Result<$rust, WrongKind> {
                <$rust>::try_from(value)
            }
            $(fn from_word($word: u64) -> Option<$rust> {
                $from
            }
            const SHORT: bool = true;)?
        }
    )+};
}

fn is_int(ty: &Type, size: u64) -> bool {
    ty.kind == Kind::Int && ty.size == size
}

fn is_uint(ty: &Type, size: u64) -> bool {
    matches!(ty.kind, Kind::Uint | Kind::Uintptr) && ty.size == size
}

plain! {
    bool => "bool", |ty| ty.kind == Kind::Bool, |b| u64::from(b), |w| Some(w as u8 != 0);
    i8 => "int8", |ty| is_int(ty, 1), |n| n as u64, |w| Some(w as i8);
    i16 => "int16", |ty| is_int(ty, 2), |n| n as u64, |w| Some(w as i16);
    i32 => "int32", |ty| is_int(ty, 4), |n| n as u64, |w| Some(w as i32);
    i64 => "int", |ty| is_int(ty, 8), |n| n as u64, |w| Some(w as i64);
    isize => "int", |ty| is_int(ty, 8), |n| n as u64, |w| Some(w as isize);
    u8 => "uint8", |ty| is_uint(ty, 1), |n| u64::from(n), |w| Some(w as u8);
    u16 => "uint16", |ty| is_uint(ty, 2), |n| u64::from(n), |w| Some(w as u16);
    u32 => "uint32", |ty| is_uint(ty, 4), |n| u64::from(n), |w| Some(w as u32);
    u64 => "uint", |ty| is_uint(ty, 8), |n| n, |w| Some(w);
    usize => "uint", |ty| is_uint(ty, 8), |n| n as u64, |w| Some(w as usize);
    f32 => "float32", |ty| ty.kind == Kind::Float && ty.size == 4, |n| n.to_bits().into(), |w| Some(f32::from_bits(w as u32));
    f64 => "float64", |ty| ty.kind == Kind::Float && ty.size == 8, |n| n.to_bits(), |w| Some(f64::from_bits(w));
    char => "int32", |ty| is_int(ty, 4), |c| u32::from(c).into(), |w| char::from_u32(w as u32);
}

impl GoArg for String {
    type Given<'a> = String;
    fn fits(ty: &Type, _: &dyn Types) -> bool {
        ty.kind == Kind::String
    }
    fn go_type() -> Option<&'static str> {
        Some("string")
    }
    fn value(given: String) -> Value {
        Value::from(given)
    }
    const SHORT: bool = true;
    fn given<'g>(given: &'g String) -> Option<Given<'g>> {
        Some(Given::Bytes(given.as_bytes()))
    }
}

impl GoResult for String {
    fn fits(ty: &Type, _: &dyn Types) -> bool {
        ty.kind == Kind::String
    }
    fn go_type() -> Option<String> {
        Some("string".to_owned())
    }
    fn from_value(value: &Value) -> Result<String, WrongKind> {
        String::try_from(value)
    }
    const SHORT: bool = true;
    fn from_got(got: Got) -> Option<String> {
        match got {
            // What is not UTF-8 is told as an error.
            Got::Bytes(bytes) => String::from_utf8(bytes).ok(),
            Got::Bits(_) | Got::Nil => None,
        }
    }
}

impl GoArg for &str {
    type Given<'a> = &'a str;
    fn fits(ty: &Type, _: &dyn Types) -> bool {
        ty.kind == Kind::String
    }
    fn go_type() -> Option<&'static str> {
        Some("string")
    }
    fn value(given: &str) -> Value {
        Value::from(given)
    }
    const SHORT: bool = true;
    fn given<'g>(given: &'g &str) -> Option<Given<'g>> {
        Some(Given::Bytes(given.as_bytes()))
    }
}

impl GoArg for &[u8] {
    type Given<'a> = &'a [u8];
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        // Go's strings need not be UTF-8.
        ty.kind == Kind::String || is_list(ty, None, |elem| is_uint(elem, 1), types)
    }
    fn go_type() -> Option<&'static str> {
        Some("[]uint8")
    }
    fn value(given: &[u8]) -> Value {
        Value::Bytes(Bytes { ty: None, bytes: given.to_vec() })
    }
    const SHORT: bool = true;
    fn given<'g>(given: &'g &[u8]) -> Option<Given<'g>> {
        Some(Given::Bytes(given))
    }
}

/// Any value: it is checked at the call.
impl GoArg for Value {
    type Given<'a> = Value;
    fn fits(_: &Type, _: &dyn Types) -> bool {
        true
    }
    fn go_type() -> Option<&'static str> {
        None
    }
    fn value(given: Value) -> Value {
        given
    }
}

impl GoResult for Value {
    fn fits(_: &Type, _: &dyn Types) -> bool {
        true
    }
    fn go_type() -> Option<String> {
        None
    }
    fn from_value(value: &Value) -> Result<Value, WrongKind> {
        Ok(value.clone())
    }
}

/// Whether a type is a slice, or an array of `len`, of elements that fit.
fn is_list(ty: &Type, len: Option<u64>, fits: impl Fn(&Type) -> bool, types: &dyn Types) -> bool {
    match (&ty.kind, len) {
        (Kind::Slice(elem), None) => types.resolve(elem).is_ok_and(|elem| fits(&elem)),
        (Kind::Array { elem, len: has }, Some(len)) => *has == len && fits(elem),
        (Kind::Array { elem, .. }, None) => fits(elem),
        _ => false,
    }
}

/// The Go types of slices whose elements have a name of their own.
macro_rules! slice_name {
    ($elem:ty) => {
        match <$elem>::go_type() {
            Some("uint8") => Some("[]uint8"),
            Some("int") => Some("[]int"),
            Some("string") => Some("[]string"),
            Some("float64") => Some("[]float64"),
            Some("int32") => Some("[]int32"),
            Some("bool") => Some("[]bool"),
            _ => None,
        }
    };
}

impl<T: GoArg> GoArg for Vec<T>
where
    for<'a> T: GoArg<Given<'a> = T> + Into<Value>,
{
    type Given<'a> = Vec<T>;
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        is_list(ty, None, |elem| T::fits(elem, types), types)
    }
    fn go_type() -> Option<&'static str> {
        slice_name!(T)
    }
    fn value(given: Vec<T>) -> Value {
        Value::from(given)
    }
}

impl<T: GoArg, const N: usize> GoArg for [T; N]
where
    for<'a> T: GoArg<Given<'a> = T> + Into<Value>,
{
    type Given<'a> = [T; N];
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        is_list(ty, Some(N as u64), |elem| T::fits(elem, types), types)
    }
    fn go_type() -> Option<&'static str> {
        None
    }
    fn value(given: [T; N]) -> Value {
        Value::from(given)
    }
}

/// A pointer, or nil.
impl<T: GoArg> GoArg for Option<T>
where
    for<'a> T: GoArg<Given<'a> = T> + Into<Value>,
{
    type Given<'a> = Option<T>;
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        match &ty.kind {
            Kind::Pointer(to) => types.resolve(to).is_ok_and(|to| T::fits(&to, types)),
            _ => false,
        }
    }
    fn go_type() -> Option<&'static str> {
        None
    }
    fn value(given: Option<T>) -> Value {
        Value::from(given)
    }
}

impl<T: GoResult> GoResult for Vec<T> {
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        is_list(ty, None, |elem| T::fits(elem, types), types)
    }
    fn go_type() -> Option<String> {
        Some(format!("[]{}", T::go_type()?))
    }
    fn from_value(value: &Value) -> Result<Vec<T>, WrongKind> {
        match value {
            Value::List(list) => list.elems.iter().map(T::from_value).collect(),
            Value::Bytes(b) => b.bytes.iter().map(|&b| T::from_value(&Value::Uint(b.into()))).collect(),
            Value::Nil(_) => Ok(Vec::new()),
            _ => Err(WrongKind::new(value, "Vec")),
        }
    }
    const SHORT: bool = T::SHORT;
    fn from_got(got: Got) -> Option<Vec<T>> {
        match got {
            Got::Bytes(bytes) => bytes.into_iter().map(|byte| T::from_word(byte.into())).collect(),
            Got::Nil => Some(Vec::new()),
            Got::Bits(_) => None,
        }
    }
}

impl<T: GoResult, const N: usize> GoResult for [T; N] {
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        is_list(ty, Some(N as u64), |elem| T::fits(elem, types), types)
    }
    fn go_type() -> Option<String> {
        Some(format!("[{N}]{}", T::go_type()?))
    }
    fn from_value(value: &Value) -> Result<[T; N], WrongKind> {
        let elems = Vec::<T>::from_value(value)?;
        elems.try_into().map_err(|_| WrongKind::new(value, "an array"))
    }
}

/// What a pointer leads to; nothing for nil.
impl<T: GoResult> GoResult for Option<T> {
    fn fits(ty: &Type, types: &dyn Types) -> bool {
        match &ty.kind {
            Kind::Pointer(to) => types.resolve(to).is_ok_and(|to| T::fits(&to, types)),
            _ => false,
        }
    }
    fn go_type() -> Option<String> {
        Some(format!("*{}", T::go_type()?))
    }
    fn from_value(value: &Value) -> Result<Option<T>, WrongKind> {
        match value {
            Value::Nil(_) => Ok(None),
            Value::Pointer(pointer) => match pointer.pointee.as_deref() {
                Some(to) => T::from_value(to).map(Some),
                None => Err(WrongKind::new(value, "a pointer that was followed")),
            },
            _ => Err(WrongKind::new(value, "a pointer")),
        }
    }
}

/// Whether one parameter takes a type; if not, which and why.
fn check_one<T: GoArg>(number: usize, param: &Param, types: &dyn Types) -> Result<(), String> {
    if T::fits(&param.ty, types) {
        return Ok(());
    }
    Err(format!("argument {number} ({param}) is given as {}", std::any::type_name::<T>()))
}

fn count(what: &str, given: usize, has: usize) -> Result<(), String> {
    if given == has { Ok(()) } else { Err(format!("it has {has} {what}, and {given} are given")) }
}

macro_rules! arguments {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: GoArg),*> GoArgs for ($($name,)*) {
            type Given<'a> = ($($name::Given<'a>,)*);
            fn check(params: &[Param], types: &dyn Types) -> Result<(), String> {
                let names: &[&str] = &[$(stringify!($name)),*];
                count("parameters", names.len(), params.len())?;
                let mut numbered = params.iter().enumerate();
                $(if let Some((i, param)) = numbered.next() {
                    check_one::<$name>(i + 1, param, types)?;
                })*
                let _ = (types, numbered.next());
                Ok(())
            }
            fn go_types() -> Option<Vec<&'static str>> {
                Some(vec![$($name::go_type()?),*])
            }
            #[allow(non_snake_case, reason = "values are named like their types")]
            fn values(($($name,)*): Self::Given<'_>) -> Vec<Value> {
                vec![$($name::value($name)),*]
            }
            #[allow(non_snake_case, reason = "values are named like their types")]
            fn words(($($name,)*): &Self::Given<'_>) -> Option<Words> {
                let given: &[u64] = &[$($name::word($name)?),*];
                let mut words = Words::default();
                words[..given.len()].copy_from_slice(given);
                Some(words)
            }
            const SHORT: bool = true $(&& $name::SHORT)*;
            #[allow(non_snake_case, reason = "values are named like their types")]
            fn given<'g>(($($name,)*): &'g Self::Given<'_>) -> Option<SmallVec<[Given<'g>; 8]>> {
                Some([$($name::given($name)?),*].into_iter().collect())
            }
        }
    )+};
}

arguments! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// Whether one result is of a type; if not, which and why.
fn check_result<T: GoResult>(number: usize, result: &Param, types: &dyn Types) -> Result<(), String> {
    if T::fits(&result.ty, types) {
        return Ok(());
    }
    Err(format!("result {number} ({result}) is wanted as {}", std::any::type_name::<T>()))
}

impl<T: GoResult> GoResults for T {
    fn check(results: &[Param], types: &dyn Types) -> Result<(), String> {
        match results {
            [only] => check_result::<T>(1, only, types),
            _ => count("results", 1, results.len()),
        }
    }
    fn go_types() -> Option<Vec<String>> {
        Some(vec![T::go_type()?])
    }
    fn from_values(values: &[&Value]) -> Result<T, WrongKind> {
        match values {
            [only] => T::from_value(only),
            _ => Err(WrongKind { found: format!("{} results", values.len()), wanted: "one result" }),
        }
    }
    fn from_words(words: Words) -> Option<T> {
        T::from_word(words[0])
    }
    const SHORT: bool = T::SHORT;
    fn from_got(got: Results) -> Option<T> {
        T::from_got(got.into_iter().next()?)
    }
}

macro_rules! results {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: GoResult),*> GoResults for ($($name,)*) {
            fn check(results: &[Param], types: &dyn Types) -> Result<(), String> {
                let names: &[&str] = &[$(stringify!($name)),*];
                count("results", names.len(), results.len())?;
                let mut numbered = results.iter().enumerate();
                $(if let Some((i, result)) = numbered.next() {
                    check_result::<$name>(i + 1, result, types)?;
                })*
                let _ = (types, numbered.next());
                Ok(())
            }
            fn go_types() -> Option<Vec<String>> {
                Some(vec![$($name::go_type()?),*])
            }
            fn from_values(values: &[&Value]) -> Result<Self, WrongKind> {
                let mut values = values.iter();
                let missing = || WrongKind { found: "fewer results".to_owned(), wanted: "a tuple" };
                let _ = (&mut values, missing);
                Ok(($($name::from_value(values.next().ok_or_else(missing)?)?,)*))
            }
            fn from_words(words: Words) -> Option<Self> {
                let mut words = words.into_iter();
                let _ = &mut words;
                Some(($($name::from_word(words.next()?)?,)*))
            }
            const SHORT: bool = true $(&& $name::SHORT)*;
            fn from_got(got: Results) -> Option<Self> {
                let mut got = got.into_iter();
                let _ = &mut got;
                Some(($($name::from_got(got.next()?)?,)*))
            }
        }
    )+};
}

results! {
    ;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// Results of which the last is an `error`: all of them, or that.
impl<R: GoResults> GoResults for Result<R, GoError> {
    fn check(results: &[Param], types: &dyn Types) -> Result<(), String> {
        match results.split_last() {
            Some((last, before)) if is_error(&last.ty) => R::check(before, types),
            _ => Err("its last result is no error".to_owned()),
        }
    }
    fn go_types() -> Option<Vec<String>> {
        let mut types = R::go_types()?;
        types.push("error".to_owned());
        Some(types)
    }
    fn from_values(values: &[&Value]) -> Result<Self, WrongKind> {
        let missing = || WrongKind { found: "no results".to_owned(), wanted: "an error" };
        let (last, before) = values.split_last().ok_or_else(missing)?;
        match error(last)? {
            Some(error) => Ok(Err(error)),
            None => R::from_values(before).map(Ok),
        }
    }
    const SHORT: bool = R::SHORT;
    fn from_got(mut got: Results) -> Option<Self> {
        // The short way returns no other.
        (got.pop()? == Got::Nil).then(|| R::from_got(got).map(Ok))?
    }
}
