//! How a call ended.
//!
//! ```
//! use goemu::{Image, Machine, Outcome};
//!
//! # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
//! let mut machine = Machine::new(Image::open(program)?)?;
//! let report = machine.call("main.divide")?.arg(1).arg(0).run()?;
//! match &report.outcome {
//!     Outcome::Returned(values) => println!("returned {values}"),
//!     Outcome::Panicked(panic) => println!("panic: {}", panic.text),
//!     Outcome::Exited { code, .. } => println!("exit status {code}"),
//!     Outcome::Faulted { fault, .. } => println!("{fault}"),
//!     Outcome::OutOfFuel { limit } => println!("more than {limit} instructions"),
//!     Outcome::Deadlock(_) => println!("all goroutines are asleep"),
//!     other => println!("{other}"),
//! }
//! assert!(matches!(report.outcome, Outcome::Panicked(panic) if panic.text.contains("divide by zero")));
//! # Ok::<(), goemu::Error>(())
//! ```

use std::fmt;

use goemu_loader::Type;

use crate::exit::Fault;
use crate::go::traceback::Traceback;
use crate::go::value::Value;

/// How a call ended. What the guest did is all here; what goemu could not do is an
/// [`Error`](crate::Error).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It returned.
    Returned(Returned),
    /// A panic was not recovered.
    Panicked(Panic),
    /// The guest ended the program.
    Exited {
        /// The exit status.
        code: i32,
        /// The runtime's reason, where it was a fatal error.
        fatal: Option<Fatal>,
    },
    /// An instruction faulted, and it was nothing that Go makes a panic of.
    Faulted {
        /// What happened.
        fault: Fault,
        /// The function it happened in.
        func: Option<String>,
    },
    /// The limit of instructions was reached.
    OutOfFuel {
        /// That limit.
        limit: u64,
    },
    /// The [deadline](crate::Machine::set_deadline) has passed. It depends on the host's speed, so it is the one outcome that the
    /// same seed need not give again.
    OutOfTime,
    /// Somebody [interrupted](crate::machine::Interrupt) the call.
    Interrupted,
    /// The limit of output was reached.
    OutputLimit {
        /// That limit, in bytes.
        limit: u64,
    },
    /// The guest's memory and what is kept for it (pages for going back, records of its system, files, output) take more of the host's
    /// memory than it may have.
    MemoryLimit {
        /// What the guest may map, in bytes. An eighth more is for the rest.
        limit: u64,
    },
    /// The run came to a place where the user wants it to end ([`Change::Stop`](crate::changes::Change::Stop)).
    Stopped(Box<Stopped>),
    /// All goroutines are asleep: what each of them waits for.
    Deadlock(Traceback),
}

/// Where a run was stopped. The instruction there has not been executed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The address.
    pub pc: u64,
    /// The same as listings show it: `main.f1+0x10`.
    pub place: String,
    /// The registers by their names, AX first.
    pub registers: Vec<(&'static str, u64)>,
    /// The flags.
    pub flags: u64,
    /// Words of the stack with their addresses, from the stack pointer on.
    pub stack: Vec<(u64, u64)>,
    /// The calls that it is in.
    pub traceback: Traceback,
}

/// What a function returned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Returned {
    /// Its results, by their signature.
    Values(Vec<NamedValue>),
    /// The signature is not known: what the result registers hold, should there be results.
    Registers {
        /// AX BX CX DI SI R8 R9 R10 R11; empty where results are on the stack.
        ints: Vec<u64>,
        /// X0 X1 ...: the lower half of each; empty where none is a result.
        floats: Vec<u64>,
        /// Words above the return address, where results are on the stack, and their offsets from the first
        /// argument slot.
        stack: Vec<(u64, u64)>,
    },
}

/// A result and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedValue {
    /// Its name; empty where the source gives none.
    pub name: String,
    /// Its type, as Go writes it.
    pub ty: String,
    /// The result.
    pub value: Value,
}

impl NamedValue {
    pub(crate) fn new(name: &str, ty: &Type, value: Value) -> NamedValue {
        NamedValue { name: name.to_owned(), ty: ty.name.clone(), value }
    }
}

/// A panic that was not recovered.
#[derive(Clone, Debug, PartialEq)]
pub struct Panic {
    /// What `panic` was given.
    pub value: Value,
    /// What Go prints of it after `panic: `.
    pub text: String,
    /// The fault that became a panic, if one did.
    pub signal: Option<Signal>,
    /// Where it happened.
    pub traceback: Traceback,
}

/// A fault as the operating system told Go's runtime of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What Go calls it: `SIGSEGV: segmentation violation`.
    pub name: String,
    /// The signal's code.
    pub code: u64,
    /// The address that could not be reached; of a division, the instruction's.
    pub addr: u64,
    /// The instruction.
    pub pc: u64,
}

/// A fatal error of Go's runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal {
    /// What Go prints of it after `fatal error: `.
    pub text: String,
    /// The newest fault that became a panic of the goroutine, if one did: Go shows it here, too.
    pub signal: Option<Signal>,
    /// Where it happened.
    pub traceback: Traceback,
}

/// What served a call as Go's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// A goroutine of goemu's making; hooks stand in for Go's runtime where it needs more.
    Hooked,
    /// The program's own, which was started.
    Real,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runtime::Hooked => "hooked",
            Runtime::Real => "real",
        })
    }
}

/// A call's outcome and what there is to know of the run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What served it as Go's runtime.
    pub runtime: Runtime,
    /// Why package variables have the values that they have in the file, where the call uses some and the program's
    /// packages could not be initialised.
    pub uninitialised: Option<String>,
    /// Why the outcome may be goemu's doing, and not the program's own: a limit of hooked calls was reached, and the program could not
    /// be started to make the call there.
    pub doubt: Option<String>,
    /// Instructions executed. Fuel is also spent on what hooks and system calls do.
    pub instructions: u64,
    /// The arguments as they were afterwards, and captured variables; none unless
    /// [`ReadOptions::arguments`](crate::go::read::ReadOptions::arguments) is set.
    pub arguments: Vec<NamedValue>,
    /// What the guest wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What the guest wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// All values in it.
    pub(crate) fn values_mut(&mut self) -> Vec<&mut Value> {
        match self {
            Outcome::Returned(Returned::Values(values)) => values.iter_mut().map(|v| &mut v.value).collect(),
            Outcome::Panicked(panic) => vec![&mut panic.value],
            _ => Vec::new(),
        }
    }

    /// The results, if the function returned and they are known.
    pub fn values(&self) -> Option<Vec<&Value>> {
        match self {
            Outcome::Returned(Returned::Values(values)) => Some(values.iter().map(|v| &v.value).collect()),
            _ => None,
        }
    }

    /// The fault that Go prints with it.
    pub fn signal(&self) -> Option<&Signal> {
        match self {
            Outcome::Panicked(panic) => panic.signal.as_ref(),
            Outcome::Exited { fatal: Some(fatal), .. } => fatal.signal.as_ref(),
            _ => None,
        }
    }

    /// The stacks that Go prints with it; none where it prints none.
    pub fn traceback(&self) -> Option<&Traceback> {
        match self {
            Outcome::Panicked(panic) => Some(&panic.traceback),
            Outcome::Exited { fatal: Some(fatal), .. } => Some(&fatal.traceback),
            Outcome::Deadlock(traceback) => Some(traceback),
            Outcome::Stopped(stopped) => Some(&stopped.traceback),
            _ => None,
        }
    }

    /// The only result, if there is exactly one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Outcome::Returned(Returned::Values(values)) => match &values[..] {
                [only] => Some(&only.value),
                _ => None,
            },
            _ => None,
        }
    }

    /// One word for it: `returned`, `panicked`, `exited`, `faulted`, `out_of_fuel`, `out_of_time`, `interrupted`,
    /// `output_limit`, `memory_limit`, `stopped`, `deadlock`.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Returned(_) => "returned",
            Outcome::Panicked(_) => "panicked",
            Outcome::Exited { .. } => "exited",
            Outcome::Faulted { .. } => "faulted",
            Outcome::OutOfFuel { .. } => "out_of_fuel",
            Outcome::OutOfTime => "out_of_time",
            Outcome::Interrupted => "interrupted",
            Outcome::OutputLimit { .. } => "output_limit",
            Outcome::MemoryLimit { .. } => "memory_limit",
            Outcome::Stopped(_) => "stopped",
            Outcome::Deadlock(_) => "deadlock",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Returned(returned) => returned.fmt(f),
            Outcome::Panicked(panic) => write!(f, "panic: {}", panic.text),
            Outcome::Exited { fatal: Some(fatal), .. } => write!(f, "fatal error: {}", fatal.text),
            Outcome::Exited { code, fatal: None } => write!(f, "exit status {code}"),
            Outcome::Faulted { fault, func: Some(func) } => write!(f, "fault in {func}: {fault}"),
            Outcome::Faulted { fault, func: None } => write!(f, "fault: {fault}"),
            Outcome::OutOfFuel { limit } => {
                write!(f, "out of fuel: the limit of {limit} instructions is reached")
            }
            Outcome::OutOfTime => f.write_str("out of time"),
            Outcome::Interrupted => f.write_str("interrupted"),
            Outcome::OutputLimit { limit } => {
                write!(f, "too much output: the limit of {limit} bytes is reached")
            }
            Outcome::MemoryLimit { limit } => {
                write!(
                    f,
                    "too much memory: the guest and what is kept for it take more than {limit} bytes and an eighth"
                )
            }
            Outcome::Stopped(stopped) => write!(f, "stopped at {:#x} ({})", stopped.pc, stopped.place),
            Outcome::Deadlock(_) => write!(f, "fatal error: all goroutines are asleep - deadlock!"),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signal { name, code, addr, pc } = self;
        write!(f, "[signal {name} code={code:#x} addr={addr:#x} pc={pc:#x}]")
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Returned::Values(values) => {
                let texts: Vec<_> = values.iter().map(|v| v.value.to_string()).collect();
                f.write_str(&texts.join(", "))
            }
            Returned::Registers { ints, floats, stack } => {
                let names = ["AX", "BX", "CX", "DI", "SI", "R8", "R9", "R10", "R11"];
                let ints = names.iter().zip(ints).map(|(name, value)| format!("{name}={value:#x}"));
                let floats = floats.iter().enumerate().map(|(n, value)| format!("X{n}={value:#x}"));
                let stack = stack.iter().map(|(offset, value)| format!("{offset}(FP)={value:#x}"));
                f.write_str(&ints.chain(floats).chain(stack).collect::<Vec<_>>().join(" "))
            }
        }
    }
}
