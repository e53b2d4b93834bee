//! Which option helps, where a limit was reached or something is missing: the libraries do not know of options.

use goemu::memory::MemoryError;
use goemu::reverse::advice::Advice;
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
        Error::NoSuchFunction { near, .. } if near.is_empty() => " (see `goemu funcs` for all names)",
        Error::NoFunctionAt(_) => " (see `goemu funcs`)",
        Error::NoInitialisers { .. } => " (`goemu funcs '*.init*'` lists them)",
        Error::Memory(MemoryError::Limit { .. }) => " (raise it with --max-memory)",
        _ => "",
    }
}

/// What to know of a program, and which command or option helps then.
pub(crate) fn advice(advice: &Advice) -> String {
    let help = match advice {
        Advice::NamesRemoved => "; `goemu strings` and `goemu xrefs` find the way in",
        Advice::NamesHashed => "; `goemu strings` shows what its decoders make",
        Advice::NoDebugInformation => {
            "; `goemu guess FUNC` proposes signatures, `goemu note` keeps them, `goemu types` lists types"
        }
        Advice::Movable { .. } => {
            "; for those of objdump and IDA give --base 0, for Ghidra's --base 0x100000"
        }
        Advice::Nothing => "; `goemu funcs` lists what there is to call",
        _ => "",
    };
    format!("{advice}{help}")
}
