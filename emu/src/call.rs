//! A call of one function, put together step by step.

use goemu_loader::sigparse::parse_signature;
use goemu_loader::{Func, Image, LoadError, Signature};

use crate::error::Error;
use crate::function::Function;
use crate::go::abi::Assignment;
use crate::go::arguments::{self, Argument};
use crate::go::guess::{self, Guess, GuessError};
use crate::go::value::Value;
use crate::machine::Machine;
use crate::outcome::Report;

/// A call that is being prepared. For many calls of one function, see [`Machine::function`].
pub struct Call<'m> {
    machine: &'m mut Machine,
    entry: u64,
    args: Vec<Value>,
    signature: Option<Signature>,
    /// Where the file tells no signature: a guess, and what it has for the arguments that were given.
    guess: Option<(Guess, (Signature, Assignment))>,
}

impl<'m> Call<'m> {
    pub(crate) fn new(machine: &'m mut Machine, entry: u64) -> Call<'m> {
        Call { machine, entry, args: Vec::new(), signature: None, guess: None }
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
    /// has no debug information.
    pub fn signature(mut self, text: &str) -> Result<Self, Error> {
        self.signature = Some(signature(self.machine, text)?);
        Ok(self)
    }

    /// Adds all arguments as a user gives them, in Go syntax: `5`, `"text"`, `[]int{1, 2}`, `main.Point{X: 1}`; see
    /// [`literal`](crate::go::literal). Where no signature is known, they are put where [`guess`] has them.
    pub fn literals<'a>(mut self, args: &[impl Into<Argument<'a>> + Clone]) -> Result<Self, Error> {
        let args: Vec<Argument<'a>> = args.iter().cloned().map(Into::into).collect();
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let signature = match self.signature.take() {
            Some(signature) => Some(signature),
            None => known(&image, &func)?,
        };
        if let Some(signature) = &signature {
            self.args.extend(arguments::parse(signature, &args, &*image)?);
        } else {
            let guess = guess::guess(&image, &func);
            let named = |name: &str| image.type_named(name).ok().flatten();
            let (name, got) = (func.name().to_owned(), args.len());
            let unfit = || GuessError { func: name, guess: guess.to_string(), got };
            let typed = guess.fit(&args, &named).ok_or_else(unfit)?;
            self.args.extend(arguments::parse(&typed.0, &args, &*image)?);
            self.guess = Some((guess, typed));
        }
        self.signature = signature;
        Ok(self)
    }

    /// Makes the call from the machine's starting state.
    pub fn run(mut self) -> Result<Report, Error> {
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        if let Some((guess, typed)) = self.guess.take() {
            return Function::guessed(&func, guess, typed).call(self.machine, &self.args);
        }
        let signature = match self.signature.take() {
            Some(signature) => Some(signature),
            None => image.signature(&func)?,
        };
        Function::new(&func, signature)?.call(self.machine, &self.args)
    }
}

/// The signature that the file tells, wholly.
fn known(image: &Image, func: &Func<'_>) -> Result<Option<Signature>, Error> {
    match image.signature(func) {
        Err(LoadError::Unnamed { .. }) => Ok(None),
        other => Ok(other?),
    }
}

/// A signature in Go syntax, with the named types of the machine's program.
pub(crate) fn signature(machine: &Machine, text: &str) -> Result<Signature, Error> {
    let image = machine.image();
    let named = |name: &str| image.type_named(name).ok().flatten();
    Ok(parse_signature(text, &named)?)
}
