//! goemu in Python: `goemu._goemu`, the part that is in Rust. The package `goemu` around it is in `python/goemu`.

mod callables;
mod changes;
mod context;
mod convert;
mod errors;
mod files;
mod function;
mod hooks;
mod observe;
mod open;
mod package;
mod pool;
mod program;
mod query;
mod report;
mod session;
mod strings;
mod turns;
mod types;
mod values;
mod view;
mod xrefs;

use pyo3::prelude::*;

/// The native part of goemu. What threads share is behind locks; who waits for one that is held while Python runs lets go of the interpreter.
#[pymodule(gil_used = false)]
fn _goemu(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(open::open, module)?)?;
    module.add_function(wrap_pyfunction!(open::checksum_of, module)?)?;
    module.add_function(wrap_pyfunction!(pool::run, module)?)?;
    module.add_function(wrap_pyfunction!(program::forked, module)?)?;
    module.add_class::<program::Program>()?;
    module.add_class::<package::Package>()?;
    module.add_class::<function::Function>()?;
    module.add_class::<report::Report>()?;
    module.add_class::<types::GoType>()?;
    module.add_class::<types::Types>()?;
    module.add_class::<values::Record>()?;
    module.add_class::<values::Pointer>()?;
    module.add_class::<values::Typed>()?;
    module.add_class::<values::GoFunc>()?;
    module.add_class::<values::Opaque>()?;
    module.add_class::<values::Literal>()?;
    module.add_class::<context::Context>()?;
    module.add_class::<hooks::Hook>()?;
    module.add_class::<hooks::WatchedCall>()?;
    module.add_class::<observe::Observing>()?;
    module.add_class::<observe::TraceRecord>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<session::Registers>()?;
    module.add_class::<session::Memory>()?;
    module.add_class::<view::MemoryRange>()?;
    module.add("MemoryView", view::view_type(module.py())?)?;
    module.add_class::<query::FunctionInfo>()?;
    module.add_class::<query::Line>()?;
    Ok(())
}
