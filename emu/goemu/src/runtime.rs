//! Hooks on the functions of Go's runtime, which replace or observe them.
//!
//! - [`hooked`] serves programs that were not started.
//! - `objects` serves object files, which are linked without a runtime.
//! - `real` watches the runtime of a program that was started.

pub mod hooked;
pub(crate) mod objects;
pub(crate) mod real;

pub use hooked::{Entry, Found, HOOKS, Kind, found, recognised_by};
