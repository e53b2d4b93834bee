//! Packages of a program, and their functions as attributes.

use std::collections::BTreeSet;

use goemu::Image;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;

use crate::function::Function;
use crate::program::Program;

/// The last part of a package's path.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether Python takes a name as an attribute.
pub(crate) fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The paths of the packages that functions are in.
pub(crate) fn all(image: &Image) -> BTreeSet<String> {
    image.defined_funcs().map(|func| goemu::go::names::package(func.name()).to_owned()).collect()
}

/// A package: its functions are attributes.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Package {
    program: Py<Program>,
    path: String,
}

impl Package {
    pub(crate) fn new(program: Py<Program>, path: String) -> Package {
        Package { program, path }
    }

    fn functions(&self) -> Vec<String> {
        let prefix = format!("{}.", self.path);
        let names = self.program.get().image().defined_funcs().map(|func| func.name().to_owned());
        names.filter_map(|name| Some(name.strip_prefix(&prefix)?.to_owned())).collect()
    }
}

#[pymethods]
impl Package {
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Function> {
        let full = format!("{}.{name}", self.path);
        let program = self.program.bind(py);
        if name.starts_with("__") || program.get().image().funcs_named(&full).is_empty() {
            return Err(PyAttributeError::new_err(match Function::find(program, &full, None, None, false) {
                Err(error) => error.value(py).to_string(),
                Ok(_) => format!("no function {full}"),
            }));
        }
        Function::find(program, &full, None, None, false)
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<Function> {
        Function::find(self.program.bind(py), &format!("{}.{name}", self.path), None, None, false)
    }

    fn __dir__(&self) -> Vec<String> {
        let mut names = self.functions();
        names.retain(|name| is_identifier(name));
        names
    }

    fn _ipython_key_completions_(&self) -> Vec<String> {
        self.functions()
    }

    fn __repr__(&self) -> String {
        format!("<Go package {}>", self.path)
    }
}
