//! Hooks on the functions of Go's runtime, which replace or observe them.
//!
//! `table` has a row for each function; `install` sets the hooks.
//!
//! - `hooked` serves programs that were not started.
//! - `objects` serves object files, which are linked without a runtime.
//! - `real` watches the runtime of a program that was started.

mod found;
pub(crate) mod hooked;
pub(crate) mod install;
pub(crate) mod objects;
pub(crate) mod real;
pub mod table;

pub use found::{Found, found, recognised, recognised_by};
pub use table::{ROWS, Row, When};
