//! Whether a function can be called, and what stands against it.

use std::fmt;

use goemu::go::abi::assign;
use goemu::go::guess::guess;
use goemu::{Func, Image};
use goemu_loader::{FuncFlags, FuncId, LoadError, Signature};

/// How far a function can be called.
pub(super) enum Callable {
    /// Its signature is known.
    Yes,
    /// The places of its arguments are guessed.
    Guessed(String),
    /// It is no function that is called.
    No(String),
}

impl Callable {
    /// `known` is what the file tells of the signature.
    pub(super) fn of(
        image: &Image,
        func: &Func<'_>,
        known: &Result<Option<Signature>, LoadError>,
    ) -> Callable {
        if let Some(why) = unusual(func) {
            return Callable::No(why.to_owned());
        }
        match known {
            Ok(Some(signature)) => match assign(func.abi(), signature) {
                Ok(_) => Callable::Yes,
                Err(error) => Callable::No(error.to_string()),
            },
            Ok(None) | Err(LoadError::Unnamed { .. }) => Callable::Guessed(guess(image, func).to_string()),
            Err(error) => Callable::No(error.to_string()),
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Callable::Yes => "yes",
            Callable::Guessed(_) => "guessed",
            Callable::No(_) => "no",
        }
    }
}

impl fmt::Display for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Callable::Yes => f.write_str("signature known"),
            Callable::Guessed(guess) => write!(f, "guessed: {guess}"),
            Callable::No(why) => write!(f, "not callable: {why}"),
        }
    }
}

/// What is wrong with calling a function of the runtime that is none to Go.
fn unusual(func: &Func<'_>) -> Option<&'static str> {
    match func.func_id() {
        FuncId::Goexit | FuncId::Mstart | FuncId::Rt0Go => return Some("it is where a stack begins"),
        FuncId::Gogo | FuncId::Mcall | FuncId::Systemstack | FuncId::SystemstackSwitch => {
            return Some("it goes to another stack");
        }
        FuncId::Morestack => return Some("it is called for more stack, between function and entry"),
        FuncId::Asmcgocall | FuncId::Cgocallback => return Some("it goes between Go and C"),
        FuncId::Sigpanic | FuncId::AsyncPreempt | FuncId::DebugCall => {
            return Some("it is put between two instructions");
        }
        _ => {}
    }
    func.flags().contains(FuncFlags::TOP_FRAME).then_some("it is where a stack begins")
}
