//! Which option helps, where a limit was reached or something is missing: the libraries do not know of options.

use goemu::memory::MemoryError;
use goemu::{Error, Outcome};

/// How a run ended, and which option gives it more.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let option = match outcome {
        Outcome::OutOfFuel { .. } => "--fuel",
        Outcome::OutOfTime => "--timeout",
        Outcome::OutputLimit { .. } => "--max-output",
        Outcome::MemoryLimit { .. } => "--max-memory",
        _ => return outcome.to_string(),
    };
    format!("{outcome} (raise it with {option})")
}

/// What to do about an error; empty where that is not known.
pub(crate) fn error(error: &anyhow::Error) -> &'static str {
    error.chain().find_map(|cause| Some(of(cause.downcast_ref()?))).unwrap_or_default()
}

fn of(error: &Error) -> &'static str {
    match error {
        Error::NoSignature(_) | Error::Guess(_) => " (--sig)",
        Error::Captures { .. } => " (--captures)",
        Error::Memory(MemoryError::Limit { .. }) => " (raise it with --max-memory)",
        _ => "",
    }
}
