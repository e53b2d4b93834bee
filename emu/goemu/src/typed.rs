//! Calls in Rust's own types: `machine.func::<(i64, &str), String>("main.f")`.
//!
//! The Rust types are checked against the function's signature once, when the function is looked up; where the binary
//! has no signature, it follows from them (`i64` is an `int`, `&str` a `string`, `Vec<u8>` a `[]byte`). A panic of the
//! guest is a value to look at, like anything else that a call may end in:
//!
//! ```no_run
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let divide = machine.func::<(i64, i64), i64>("main.divide")?;
//! assert_eq!(divide.call(&mut machine, (7, 2))?, Ok(3));
//! let panicked = divide.call(&mut machine, (7, 0))?.unwrap_err();
//! assert_eq!(panicked.to_string(), "panic: runtime error: integer divide by zero");
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! Arguments are numbers, `bool`, `char` for runes, text, bytes, `Vec`s, slices and arrays, `Option` for pointers, and
//! [`Value`] for everything else: structs are [`Value::structure`], whose fields are checked at the call; what only Go can
//! say, [`Machine::value`] takes from Go syntax. Results are
//! one such type, a tuple of several, or `Result<T, GoError>` where the last one is an `error`.

use std::fmt;
use std::marker::PhantomData;

use goemu_loader::{Kind, Param, Signature, Type};

use smallvec::SmallVec;

use crate::call::function::Function;
use crate::call::prepared::{Given, Prepared, Results};
use crate::error::Error;
use crate::go::abi::Piece;
use crate::go::arguments::{self, Argument};
use crate::go::guest::Types;
use crate::go::read::ReadOptions;
use crate::go::signature;
use crate::go::value::{Interface, Value, WrongKind};
use crate::machine::Machine;
use crate::outcome::Outcome;

mod rust;

pub use rust::{GoArg, GoResult};

/// The arguments of a function: a tuple.
pub trait GoArgs {
    /// The same with other lifetimes: each call may borrow anew.
    type Given<'a>;

    /// Checks them against a signature's parameters.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn check(params: &[Param], types: &dyn Types) -> Result<(), String>;

    /// Their types in Go, where they follow from Rust's.
    fn go_types() -> Option<Vec<&'static str>>;

    /// The values that they are.
    fn values(given: Self::Given<'_>) -> Vec<Value>;

    /// Their bits, where all of them are numbers.
    fn words(given: &Self::Given<'_>) -> Option<Words>;

    /// Whether all of them are numbers, text or bytes.
    const SHORT: bool;

    /// What they are then.
    fn given<'g>(given: &'g Self::Given<'_>) -> Option<SmallVec<[Given<'g>; 8]>>;
}

/// Numbers that are arguments or results, as bits: as many as there are, in their order.
pub type Words = [u64; 8];

/// The results of a function: nothing, one, a tuple, or a `Result` of these and a Go error.
pub trait GoResults: Sized {
    /// Checks them against a signature's results.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn check(results: &[Param], types: &dyn Types) -> Result<(), String>;

    /// Their types in Go, where they follow from Rust's.
    fn go_types() -> Option<Vec<String>>;

    /// Makes them of the values that were returned.
    ///
    /// # Errors
    /// When a value is not what its type promised: text that is not UTF-8, a number of another width.
    fn from_values(values: &[&Value]) -> Result<Self, WrongKind>;

    /// Makes them of bits, where all of them are numbers.
    fn from_words(words: Words) -> Option<Self> {
        let _ = words;
        None
    }

    /// Whether all of them are numbers, text or bytes, an error aside.
    const SHORT: bool = false;

    /// Makes them of what was returned then, if there is no error.
    fn from_got(got: Results) -> Option<Self> {
        let _ = got;
        None
    }
}

/// A Go `error` that is not nil.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GoError {
    /// What its `Error` method returned.
    pub text: String,
    /// The error itself, with its dynamic type.
    pub value: Value,
}

impl fmt::Display for GoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for GoError {}

/// A function with types. [`Machine::func`] gives it.
pub struct TypedFunction<A, R> {
    function: Function,
    /// Whether a result is an error, whose text is wanted.
    errors: bool,
    /// The places of arguments and results, where they are numbers.
    words: Option<(Vec<Piece>, Vec<Piece>)>,
    /// How it is called where they are numbers, text or bytes.
    short: Option<Prepared>,
    types: PhantomData<fn(A) -> R>,
}

impl<A, R> Clone for TypedFunction<A, R> {
    fn clone(&self) -> Self {
        TypedFunction {
            function: self.function.clone(),
            errors: self.errors,
            words: self.words.clone(),
            short: self.short.clone(),
            types: PhantomData,
        }
    }
}

impl<A, R> fmt::Debug for TypedFunction<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedFunction").field("function", &self.function).finish_non_exhaustive()
    }
}

impl Machine {
    /// A function by name, in Rust's types: arguments as a tuple, and results. The module
    /// [`typed`](crate::typed) tells which.
    ///
    /// # Errors
    /// When there is no such function, or the types are not those of its signature.
    pub fn func<A: GoArgs, R: GoResults>(&self, name: &str) -> Result<TypedFunction<A, R>, Error> {
        let found = self.find(name)?;
        let function = match self.image().signature(&found)? {
            Some(_) => self.function(name, None)?,
            None => {
                let unknown = || Error::NoSignature(found.name().to_owned());
                let signature = signature::<A, R>().ok_or_else(unknown)?;
                self.function(name, Some(&signature))?
            }
        };
        TypedFunction::new(function, self)
    }
}

impl Machine {
    /// A value of a type of the program, in Go syntax: `machine.value("[]shape", "{circle{1}, nil}")`. For what Rust has
    /// no type for: interfaces with what they hold, functions and variables by name.
    ///
    /// # Errors
    /// When the program has no such type, or the text is no value of it.
    pub fn value(&self, ty: &str, text: &str) -> Result<Value, Error> {
        let signature = signature::parse(self.image(), &format!("func({ty})"), "")?;
        let mut values = arguments::parse(&signature, &[Argument::Text(text)], &**self.image())?;
        Ok(values.pop().unwrap_or_else(Value::nil))
    }
}

/// The signature that follows from the Rust types.
fn signature<A: GoArgs, R: GoResults>() -> Option<String> {
    Some(format!("func({}) ({})", A::go_types()?.join(", "), R::go_types()?.join(", ")))
}

impl<A: GoArgs, R: GoResults> TypedFunction<A, R> {
    /// A function in these types, which are checked against its signature.
    ///
    /// # Errors
    /// When its signature is not known, or another.
    pub fn new(function: Function, machine: &Machine) -> Result<TypedFunction<A, R>, Error> {
        let types = &**machine.image();
        let unknown = || Error::NoSignature(function.name().to_owned());
        let signature = function.signature().ok_or_else(unknown)?;
        let params: Vec<Param> = signature.params.iter().filter(|p| !p.is_dictionary()).cloned().collect();
        let fits = A::check(&params, types).and_then(|()| R::check(&signature.results, types));
        let errors = signature.results.iter().any(|result| is_error(&result.ty));
        fits.map_err(|why| mismatch(&function, signature, why))?;
        // Which results are numbers, their types tell of any bits.
        let words = function.words().filter(|_| R::from_words(Words::default()).is_some());
        let short = if A::SHORT && R::SHORT && words.is_none() { function.prepared(types) } else { None };
        Ok(TypedFunction { function, errors, words, short, types: PhantomData })
    }

    /// The function without types.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Calls it from the machine's starting state: the results, or how else it ended.
    ///
    /// # Errors
    /// When the call cannot be made or carried out, or a result is not what its Rust type can hold.
    pub fn call(&self, machine: &mut Machine, args: A::Given<'_>) -> Result<Result<R, Outcome>, Error> {
        let results = self.call_words(machine, &args).or_else(|| self.call_short(machine, &args));
        if let Some(results) = results {
            return Ok(Ok(results));
        }
        let reading = machine.reading();
        let wanted = ReadOptions { errors: reading.errors || self.errors, ..reading };
        machine.set_reading(wanted);
        let report = self.function.call(machine, &A::values(args));
        machine.set_reading(reading);
        let outcome = report?.outcome;
        match outcome.values() {
            Some(values) => Ok(Ok(R::from_values(&values)?)),
            None => Ok(Err(outcome)),
        }
    }

    /// The short way: numbers in, numbers out.
    fn call_words(&self, machine: &mut Machine, args: &A::Given<'_>) -> Option<R> {
        let (params, results) = self.words.as_ref()?;
        let (args, mut words) = (A::words(args)?, Words::default());
        self.function.call_words(machine, (params, &args), results, &mut words)?;
        R::from_words(words)
    }

    /// The same with text and bytes.
    fn call_short(&self, machine: &mut Machine, args: &A::Given<'_>) -> Option<R> {
        let short = self.short.as_ref()?;
        R::from_got(short.call(machine, &A::given(args)?).ok()??)
    }
}

fn mismatch(function: &Function, signature: &Signature, why: String) -> Error {
    Error::Types { func: function.name().to_owned(), signature: signature.to_string(), why }
}

/// Whether this is the type `error`, or another interface that only has its method.
fn is_error(ty: &Type) -> bool {
    match &ty.kind {
        Kind::Interface { empty: false, methods } => {
            ty.name == "error" || matches!(methods.as_slice(), [only] if only.name == "Error")
        }
        _ => false,
    }
}

/// The error in a value of type `error`; nothing if it is nil.
fn error(value: &Value) -> Result<Option<GoError>, WrongKind> {
    match value {
        Value::Nil(_) => Ok(None),
        Value::Interface(Interface { text, .. }) => {
            let text = text.clone().unwrap_or_else(|| value.to_string());
            Ok(Some(GoError { text, value: value.clone() }))
        }
        _ => Err(WrongKind::new(value, "error")),
    }
}
