//! A call of one function, put together step by step.

mod changed;
pub mod function;
pub(crate) mod happened;
pub(crate) mod history;
pub mod host_function;
pub mod init;
pub mod intercept;
pub(crate) mod invoke;
pub(crate) mod place;
pub mod prepared;
pub(crate) mod returning;
pub(crate) mod routine;
pub mod session;
pub(crate) mod stringers;

use std::sync::Arc;

use goemu_loader::{LoadError, Signature};

use crate::call::function::Function;
use crate::call::session::Session;
use crate::error::Error;
use crate::go::abi::Assignment;
use crate::go::arguments::{self, Argument};
use crate::go::generic;
use crate::go::guess::{self, Guess, GuessError};
use crate::go::guest::Types;
use crate::go::names;
use crate::go::signature;
use crate::go::value::Value;
use crate::machine::Machine;
use crate::outcome::Report;

/// A call that is being prepared. For many calls of one function, see [`Machine::function`].
pub struct Call<'m> {
    machine: &'m mut Machine,
    entry: u64,
    /// What the user calls the function.
    name: String,
    args: Vec<Value>,
    signature: Option<Signature>,
    captures: Option<String>,
    /// Where the file tells no signature: a guess, and what it has for the arguments that were given.
    guess: Option<(Guess, (Signature, Assignment))>,
}

impl<'m> Call<'m> {
    pub(crate) fn new(machine: &'m mut Machine, entry: u64, name: &str) -> Call<'m> {
        let (name, args) = (name.to_owned(), Vec::new());
        Call { machine, entry, name, args, signature: None, captures: None, guess: None }
    }

    /// Adds an argument. For a method, the receiver comes first.
    #[must_use]
    pub fn arg(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        self.args.extend(values.into_iter().map(Into::into));
        self
    }

    /// Gives the signature, in Go syntax: `func(a int, s string) (string, error)`. Needed where the program
    /// has no debug information. Types of the function's own package may be named as in its source.
    ///
    /// # Errors
    /// When the text is no signature, or names a type that the program does not have.
    pub fn signature(mut self, text: &str) -> Result<Self, Error> {
        let image = self.machine.image();
        let package = image.func_at(self.entry).map_or("", |func| names::package(func.name()));
        self.signature = Some(signature::parse(image, text, package)?);
        Ok(self)
    }

    /// Gives the variables that a closure captured, in Go syntax: `n=5, s="x"`, or the values alone in the closure's
    /// order; `uint8(5)` where nothing tells the type.
    #[must_use]
    pub fn captures(mut self, text: &str) -> Self {
        self.captures = Some(text.to_owned());
        self
    }

    /// Adds all arguments as a user gives them, in Go syntax: `5`, `"text"`, `[]int{1, 2}`, `main.Point{X: 1}`; see
    /// [`literal`](crate::go::literal). Where no signature is known, they are put where [`guess`] has them.
    ///
    /// # Errors
    /// When the number of arguments or the value of one does not fit the signature; the error shows the place in its text.
    pub fn literals<'a>(mut self, args: &[impl Into<Argument<'a>> + Clone]) -> Result<Self, Error> {
        let args: Vec<Argument<'a>> = args.iter().cloned().map(Into::into).collect();
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let signature = match signature::known(&func, &self.name, self.signature.take()) {
            // Part of it is not enough.
            Err(Error::Load(LoadError::Unnamed { .. })) => None,
            other => other?,
        };
        if let Some(signature) = &signature {
            let given = generic::without_dictionary(signature);
            self.args.extend(arguments::parse(&given, &args, &*image)?);
        } else {
            let guess = guess::guess_named(&image, &func, &self.name);
            let named = |name: &str| Types::named(&*image, name);
            let nameless = || format!("the function at {:#x}", func.entry());
            let name = if func.name().is_empty() { nameless() } else { func.name().to_owned() };
            let got = args.len();
            let unfit = || GuessError { func: name, guess: guess.to_string(), got };
            let typed = guess.fit(&args, &named).ok_or_else(unfit)?;
            self.args.extend(arguments::parse(&generic::without_dictionary(&typed.0), &args, &*image)?);
            self.guess = Some((guess, typed));
        }
        self.signature = signature;
        Ok(self)
    }

    /// What was guessed of the function when it was given [`Call::literals`], where no signature is known.
    pub fn guess(&self) -> Option<&Guess> {
        self.guess.as_ref().map(|(guess, _)| guess)
    }

    /// Makes the call from the machine's starting state.
    ///
    /// # Errors
    /// What goemu cannot do: pass an argument, serve the call in either runtime. What the guest does, a panic or a fault, is the
    /// [`Outcome`](crate::Outcome) of the report.
    pub fn run(mut self) -> Result<Report, Error> {
        let function = self.function()?;
        function.call(self.machine, &self.args)
    }

    /// Begins the call, to be stepped, stopped and looked into: see [`Session`].
    ///
    /// # Errors
    /// Those of [`Call::run`]: a call that the machine cannot serve does not begin.
    pub fn start(mut self) -> Result<Session<'m>, Error> {
        let function = self.function()?;
        function.start(self.machine, &self.args)
    }

    /// The function, with all that was said of it.
    fn function(&mut self) -> Result<Function, Error> {
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let function = match self.guess.take() {
            Some((guess, typed)) => Function::guessed(&func, guess, typed),
            None => {
                let signature = signature::known(&func, &self.name, self.signature.take())?;
                Function::new(&func, signature)?.with_dictionary(&image, &self.name)?
            }
        };
        match &self.captures {
            Some(captures) => function.with_captures_as(self.machine, &self.name, captures),
            None => Ok(function),
        }
    }
}

impl Machine {
    /// A call of a function: by its full name, by an end of it that no other function has (`f1` for
    /// `main.f1`), or by address (`0x45e1a0`).
    ///
    /// # Errors
    /// When no function or more than one has such a name; the error lists those that are near.
    pub fn call(&mut self, func: &str) -> Result<Call<'_>, Error> {
        let image = Arc::clone(&self.guest.image);
        let found = names::find(&image, func)?;
        Ok(Call::new(self, found.entry(), func))
    }

    /// The same where the function was [found](Machine::find) before: looking for a name takes longer than a short call.
    pub fn call_at(&mut self, entry: u64, func: &str) -> Call<'_> {
        Call::new(self, entry, func)
    }
}
