//! What goemu cannot do: the caller's mistakes, and what is not supported.

use goemu_loader::LoadError;
use goemu_loader::sigparse::SigError;

use crate::go::abi::AbiError;
use crate::go::arguments::ArgumentError;
use crate::go::frame::OutsideFrame;
use crate::go::guess::GuessError;
use crate::go::value::WrongKind;
use crate::go::write::ValueError;
use crate::memory::MemoryError;

/// Why a call could not be made or could not be carried out. What the guest does wrong is an
/// [`Outcome`](crate::Outcome) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The host or a limit would not give memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The host cannot run the engine that was asked for.
    #[error(transparent)]
    Engine(#[from] goemu_translate::Unavailable),
    /// There is no such function.
    #[error("no function {name}{}", did_you_mean(near))]
    NoSuchFunction {
        /// What was asked for.
        name: String,
        /// Names that are like it, best first.
        near: Vec<String>,
    },
    /// The function has no code of its own.
    #[error("{name} has no code to call: it is inlined wherever it is called, in {}", places.join(", "))]
    Inlined {
        /// Its full name.
        name: String,
        /// Functions that it is inlined in.
        places: Vec<String>,
    },
    /// A function that cannot be tested in the way that was asked for.
    #[error("{func} cannot be tested so: {why}")]
    Untestable {
        /// The function.
        func: String,
        /// Why not.
        why: String,
    },
    /// Several functions have this name, or end in it.
    #[error("{name} is ambiguous: {}; give the full name or the address", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// All that it can mean, with their addresses.
        candidates: Vec<String>,
    },
    /// A user's hook ended the call.
    #[error("a hook ended the call: {0}")]
    Hook(String),
    /// Data races cannot be looked for: what the runtime does is recognised by the names of its functions.
    #[error(
        "no data races can be found in this program: no function of it is called {missing} (are its names hashed?)"
    )]
    NoRaces {
        /// A function that every Go program has.
        missing: &'static str,
    },
    /// All addresses of host functions are taken.
    #[error("the machine has no room for another host function: 4,096 are there")]
    HostFunctions,
    /// A session's call could not go on, as an earlier error of the session said.
    #[error("this call could not go on: start it again")]
    SessionOver,
    /// No package whose initialisers could be passed over has that name.
    #[error("no package {package} has initialisers")]
    NoInitialisers {
        /// What was asked for: a path, or a pattern.
        package: String,
    },
    /// The address is in no function.
    #[error("no function at {0:#x}")]
    NoFunctionAt(u64),
    /// The address is in no function, but would be in one if it counted from another base.
    #[error(
        "no function at {addr:#x}: the program's base is {base:#x}; counted from {other:#x}, it is {there:#x} in {func}"
    )]
    OtherBase {
        /// What was asked for.
        addr: u64,
        /// Where the program is.
        base: u64,
        /// The base that other tools count from.
        other: u64,
        /// The address in the program.
        there: u64,
        /// The function there.
        func: String,
    },
    /// The program has nothing of this name.
    #[error("{text}: {why}")]
    NoSuchPlace {
        /// What was asked for.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// The address is not in the program's memory.
    #[error("nothing of the program is at {addr:#x}: its base is {base:#x}{}", elsewhere(other))]
    Outside {
        /// What was asked for.
        addr: u64,
        /// Where the program is.
        base: u64,
        /// The base that another tool counts from, and the address in the program if it counts from there.
        other: Option<(u64, u64)>,
    },
    /// A change of the program that was asked for cannot be made.
    #[error("{change}: {why}")]
    Change {
        /// The change, as it is written.
        change: String,
        /// Why not.
        why: String,
    },
    /// Arguments were given, and the function's parameters are not known.
    #[error("the parameters of {0} are not known: give its signature, as in 'func(a int, s string) error'")]
    NoSignature(String),
    /// The parameters are guessed, and the arguments are not as many.
    #[error(transparent)]
    Guess(#[from] GuessError),
    /// A closure without its captured variables, or with ones that do not fit.
    #[error("the captured variables of {func}: {why}")]
    Captures {
        /// The function.
        func: String,
        /// What is wrong.
        why: String,
    },
    /// A generic function whose dictionary, which tells it the types, is not known.
    #[error("the dictionary of {func} is not known: {why}")]
    Dictionary {
        /// The function.
        func: String,
        /// Why not.
        why: String,
    },
    /// Rust types that are not those of the function.
    #[error("{func} is a {signature}: {why}")]
    Types {
        /// The function.
        func: String,
        /// What it takes and gives.
        signature: String,
        /// What does not fit.
        why: String,
    },
    /// A result is not what a Rust type can hold.
    #[error("a result: {0}")]
    Value(#[from] WrongKind),
    /// The signature that was given is none.
    #[error(transparent)]
    Signature(#[from] SigError),
    /// The types of the signature contradict themselves.
    #[error("the signature of {func} cannot be used: {source}")]
    Abi {
        /// The function.
        func: String,
        /// What is wrong.
        source: AbiError,
    },
    /// An argument does not fit.
    #[error(transparent)]
    Argument(#[from] ValueError),
    /// The text of an argument does not fit.
    #[error(transparent)]
    Text(#[from] ArgumentError),
    /// A result is not where the signature has it.
    #[error(transparent)]
    Result(#[from] OutsideFrame),
    /// The program's initialisation did not get to its end.
    #[error("the program cannot be initialised: {func}: {why}{}", and_others(others))]
    Initialisation {
        /// The function, by which the package can be told: `net.init.0`; its address where it has no name.
        func: String,
        /// What became of it.
        why: String,
        /// Functions of other packages that did not return either, in order, each with what became of it.
        others: Vec<(String, String)>,
    },
    /// The guest reached something that no object file defines.
    #[error("{name} is in none of the object files{}; give the one that has it as well", asked_by(caller))]
    Undefined {
        /// The function or variable.
        name: String,
        /// The function that asked.
        caller: Option<String>,
    },
    /// A call uses package variables, and the program's packages are not initialised. Calls see to that themselves.
    #[error("{func} uses package variables, and the program's packages are not initialised")]
    Uninitialised {
        /// The function with the instruction that does.
        func: String,
    },
    /// Arguments or an environment that no process can have.
    #[error("the process cannot be given that: {0}")]
    Process(String),
    /// The program could not be started, so that it has no runtime of its own.
    #[error("the program cannot be started: {why}")]
    Boot {
        /// What became of it.
        why: String,
    },
    /// Hooks cannot serve the call, and the program cannot be started.
    #[error("{hooked}; {real}")]
    Neither {
        /// What hooks cannot.
        hooked: Box<Error>,
        /// Why the program cannot be started.
        real: Box<Error>,
    },
    /// The guest asked for something that this machine does not have.
    #[error("{what} is not supported here{}", asked_by(caller))]
    Unsupported {
        /// What was asked for.
        what: String,
        /// The function that asked.
        caller: Option<String>,
    },
}

fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => String::new(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

fn elsewhere(other: &Option<(u64, u64)>) -> String {
    other.map_or_else(String::new, |(base, there)| format!("; counted from {base:#x}, it is {there:#x}"))
}

fn asked_by(caller: &Option<String>) -> String {
    caller.as_ref().map_or_else(String::new, |name| format!(" (asked for by {name})"))
}

/// How many others the text of an error names.
const NAMED: usize = 3;

fn and_others(others: &[(String, String)]) -> String {
    let named: Vec<String> =
        others.iter().take(NAMED).map(|(func, why)| format!("; {func}: {why}")).collect();
    let more = others.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    named.concat() + &more
}
