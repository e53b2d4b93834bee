//! goemu: an x86-64 emulator for functions compiled by Go.
//!
//! A [`Machine`] maps a Go program and calls one of its functions at a time on an emulated processor, on a goroutine
//! that goemu makes. The program is started only if a call needs its own runtime.
//!
//! ```no_run
//! use goemu::{Image, Machine};
//!
//! let image = Image::open("program")?;
//! let mut machine = Machine::new(image)?;
//! let report = machine.call("main.add")?.arg(40).arg(2).run()?;
//! println!("{}", report.outcome);
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! From the bottom up: [`memory`], [`cpu`] and [`alu`] are a bare machine, [`decode`] and [`interp`] run code
//! on it behind the trait [`engine::Engine`]. [`go`] knows Go's values and calling conventions. [`hook`] changes
//! a guest, and [`observe`] watches it. [`Machine`] owns all parts.

pub mod call;
pub mod changes;
pub mod disasm;
mod error;
pub mod explore;
pub mod go;
pub mod guest;
pub mod hook;
pub mod location;
pub mod machine;
pub mod notes;
pub mod observe;
pub mod os;
pub mod outcome;
pub mod pattern;
pub mod pool;
pub mod program;
pub mod races;
pub mod reverse;
pub mod runtime;
pub mod sink;
#[cfg(feature = "proptest")]
pub mod strategy;
pub mod testing;
pub mod trace;
pub mod typed;
pub mod values;

pub use call::Call;
pub use call::function::{self, Function};
pub use call::happened::Happened;
pub use call::prepared::{self, Prepared};
pub use call::session::{self, Session, Stop};
pub use error::Error;
pub use go::value::Value;
pub use goemu_loader::{Func, Image, LoadError};
pub use goemu_memory::{self as memory, Perm};
/// The decoder of instructions, whose types [`decode`] and [`disasm`] show.
pub use goemu_x86::iced_x86;
pub use goemu_x86::{alu, coverage, cpu, decode, engine, exit, interp};
pub use machine::{Config, Machine};
pub use os::linux;
pub use outcome::{Outcome, Panic, Report};

/// The examples of the readme.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
