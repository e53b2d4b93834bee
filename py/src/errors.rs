//! Exceptions. Their classes are Python's (`goemu/_errors.py`), as they have attributes and frames of Go.

use goemu::{Error, LoadError};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// An exception of one of `goemu`'s own classes.
pub(crate) fn own(py: Python<'_>, class: &str, text: &str) -> PyErr {
    match classes(py).and_then(|classes| classes.getattr(class)?.call1((text,))) {
        Ok(value) => PyErr::from_value(value),
        Err(error) => error,
    }
}

/// The module that has the classes.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    Ok(CLASSES.get_or_try_init(py, || Ok::<_, PyErr>(py.import("goemu._errors")?.unbind()))?.bind(py))
}

/// What goemu could not do.
pub(crate) fn from(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Load(error) => load(py, error),
        Error::NoSuchFunction { .. } | Error::Ambiguous { .. } | Error::NoFunctionAt(_) => {
            own(py, "NoSuchFunction", &error.to_string())
        }
        Error::NoSignature(name) => own(
            py,
            "CallError",
            &format!(
                "the parameters of {name} are not known: give its signature, as in \
                 p.function({name:?}, sig='func(a int, s string) error')"
            ),
        ),
        Error::Argument(_) | Error::Text(_) | Error::Types { .. } => argument(&error.to_string()),
        _ => own(py, "CallError", &error.to_string()),
    }
}

/// An argument that does not fit.
pub(crate) fn argument(text: &str) -> PyErr {
    let text = text.to_owned();
    if text.contains(" overflows ") { PyOverflowError::new_err(text) } else { PyTypeError::new_err(text) }
}

pub(crate) fn load(py: Python<'_>, error: &LoadError) -> PyErr {
    own(py, "LoadError", &error.to_string())
}
