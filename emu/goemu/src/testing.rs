//! Tests of compiled functions on values of their own types: properties, comparisons of two builds, failures made small.
//!
//! ```no_run
//! use goemu::testing::{Check, Property};
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let check = Check::new(&machine, "main.normalise", None)?.property(&machine, Property::Idempotent)?;
//! let checked = check.run(&mut machine, 10_000)?;
//! assert!(checked.finding.is_none(), "{}", checked.finding.unwrap());
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! Every check asks that the function returns: no panic, no fault, no deadlock, no loop without end, no memory without bounds.
//! [`Property`] asks for more. Arguments are made by [`values`](crate::values), first small ones, then larger ones; a
//! failure is made as small as can be and becomes a [`Finding`]. The same [`Config::seed`](crate::Config) is the same check.

mod check;
mod constraint;
mod diff;
mod finding;
mod gotest;
mod parts;
mod property;
mod runner;
mod search;
mod subject;

pub use check::{Allowed, Check, Checked, Progress};
pub use diff::{Compared, Diff, Spares};
pub use finding::{Case, CaseResult, Finding, Given, escaped, junit};
pub use parts::PART;
pub use property::Property;
pub use runner::{Failure, Runner, State};
pub use subject::{Input, Subject};
