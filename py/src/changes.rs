//! Changes of a program, as texts: what options of the command line have, with the option's name before it.

use goemu::changes::{Change, Changes, bytes};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;

/// All changes that `open` is given.
pub(crate) fn parse(py: Python<'_>, texts: &[String]) -> PyResult<Changes> {
    texts.iter().map(|text| one(py, text)).collect()
}

fn one(py: Python<'_>, text: &str) -> PyResult<Change> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let contents = |file: &str| std::fs::read(file).map_err(|error| format!("cannot read {file}: {error}"));
    let change = match kind {
        "stub" => Change::stub(rest),
        "set" => Change::set(rest),
        "patch" => Change::patch(rest, |given| match given.strip_prefix('@') {
            Some(file) => contents(file),
            None => bytes(given),
        }),
        "map" => Change::map(rest, contents),
        "reg" => Change::register(rest),
        "skip-init" => Ok(Change::SkipInit((!rest.is_empty()).then(|| rest.to_owned()))),
        "stop" if !rest.is_empty() => Ok(Change::Stop(rest.to_owned())),
        _ => {
            return Err(PyValueError::new_err(format!(
                "no change {text}: it begins with stub, set, patch, map, reg, skip-init or stop"
            )));
        }
    };
    change.map_err(|error| errors::from(py, &error))
}
