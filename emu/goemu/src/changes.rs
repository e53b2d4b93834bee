//! What a user changes of a program: functions that give a value instead of running, package variables, bytes, memory,
//! registers, initialisers that do not run, places where a run ends.
//!
//! [`Config::changes`](crate::Config::changes) has them, and so every machine that is made from the configuration: hooked, started,
//! forked, or with a whole program.
//!
//! ```
//! use goemu::changes::{Change, Changes};
//! use goemu::{Config, Image, Machine};
//!
//! # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
//! let mut changes = Changes::default();
//! changes.add(Change::stub("main.fib=100")?);
//! let config = Config { changes, ..Config::default() };
//! let mut machine = Machine::with_config(Image::open(program)?, config)?;
//! assert_eq!(machine.call("main.fib")?.arg(3).run()?.outcome.to_string(), "100");
//! # Ok::<(), goemu::Error>(())
//! ```

mod parse;
mod resolve;

use std::fmt;
use std::sync::Arc;

use crate::memory::Perm;
pub use parse::bytes;
pub(crate) use resolve::{CResult, Resolved, Stub, Variable};

/// All that is changed of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    list: Vec<Change>,
}

/// One change. Functions, variables and places are named as [`locate`](crate::location::locate) understands them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A function gives these results instead of running, wherever it is called. A function of a C library gives a number, or a
    /// text's address.
    Stub {
        /// The function.
        func: String,
        /// Its results in Go syntax, with commas between them.
        results: String,
    },
    /// A package variable, or a field of one, has this value when the program begins, and again once packages are
    /// initialised.
    Set {
        /// The variable or its address.
        variable: String,
        /// Its type, where that is given.
        ty: Option<String>,
        /// The value in Go syntax.
        value: String,
    },
    /// Bytes of the program are others.
    Patch {
        /// Where.
        place: String,
        /// What is there.
        bytes: Arc<[u8]>,
    },
    /// There is memory where the program has none.
    Map {
        /// Its first address.
        addr: u64,
        /// What is there.
        bytes: Arc<[u8]>,
        /// What may be done with it.
        perm: Perm,
    },
    /// A register has this value when a call begins.
    Register {
        /// Its name: `DX`, `R15`, `X3`.
        register: &'static str,
        /// The value.
        value: u128,
    },
    /// Packages whose names match this, with `*` and `?`, are not initialised; `None`: none is.
    SkipInit(Option<String>),
    /// The run ends before this instruction is executed.
    Stop(String),
}

impl Changes {
    /// Adds a change. Of two that contradict each other, the later one holds.
    pub fn add(&mut self, change: Change) {
        self.list.push(change);
    }

    /// Adds those of another list behind these.
    pub fn append(&mut self, others: Changes) {
        self.list.extend(others.list);
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.list.iter()
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Changes {
        Changes { list: changes.into_iter().collect() }
    }
}

/// As options have it: `set main.debug=true`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Stub { func, results } => write!(f, "stub {func}={results}"),
            Change::Set { variable, ty: Some(ty), value } => write!(f, "set {variable}:{ty}={value}"),
            Change::Set { variable, ty: None, value } => write!(f, "set {variable}={value}"),
            Change::Patch { place, bytes } => write!(f, "patch {place} ({} bytes)", bytes.len()),
            Change::Map { addr, bytes, .. } => write!(f, "map {addr:#x} ({} bytes)", bytes.len()),
            Change::Register { register, value } => write!(f, "reg {register}={value:#x}"),
            Change::SkipInit(Some(package)) => write!(f, "skip-init {package}"),
            Change::SkipInit(None) => f.write_str("skip-init"),
            Change::Stop(place) => write!(f, "stop {place}"),
        }
    }
}
