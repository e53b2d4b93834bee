//! What a call has come to.

use goemu::outcome::NamedValue;
use goemu::{Outcome, Report as GoReport};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::convert::Converter;
use crate::errors;
use crate::function::{one_or_all, results};
use crate::program::Program;
use crate::values::html;

/// The report of a call: how it ended, and what there is to know of the run.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Report {
    program: Py<Program>,
    func: String,
    report: GoReport,
    serial: u64,
}

impl Report {
    pub(crate) fn new(program: Py<Program>, func: &str, report: GoReport) -> Report {
        let serial = program.get().serial();
        Report { program, func: func.to_owned(), report, serial }
    }

    /// The exception that stands for the outcome.
    pub(crate) fn exception(self, py: Python<'_>) -> PyErr {
        let made = || errors::classes(py)?.getattr("exception")?.call1((Bound::new(py, self)?,));
        match made() {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        }
    }

    fn converter<'a, 'py>(&'a self, program: &'a Bound<'py, Program>) -> Converter<'a, 'py> {
        Converter::of_call(program, self.serial)
    }
}

#[pymethods]
impl Report {
    /// One word: `returned`, `panicked`, `exited`, `faulted`, `out_of_fuel`, `out_of_time`, `interrupted`, `output_limit`, `memory_limit`, `deadlock`.
    #[getter]
    fn outcome(&self) -> &'static str {
        self.report.outcome.word()
    }

    /// Whether it returned.
    #[getter]
    fn ok(&self) -> bool {
        matches!(self.report.outcome, Outcome::Returned(_))
    }

    /// The function's name.
    #[getter]
    fn func(&self) -> &str {
        &self.func
    }

    /// What the call gives; `None` where it did not return.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.report.outcome {
            Outcome::Returned(returned) => {
                one_or_all(py, results(self.program.bind(py), returned, self.serial)?)
            }
            _ => Ok(py.None().into_bound(py)),
        }
    }

    /// All results, as a tuple.
    #[getter]
    fn results<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.report.outcome {
            Outcome::Returned(returned) => {
                PyTuple::new(py, results(self.program.bind(py), returned, self.serial)?)
            }
            _ => Ok(PyTuple::empty(py)),
        }
    }

    /// The arguments after the call, by name; none unless they were asked for.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (dict, program) = (PyDict::new(py), self.program.bind(py));
        for (n, NamedValue { name, value, .. }) in self.report.arguments.iter().enumerate() {
            let name = if name.is_empty() || name == "_" { format!("arg{n}") } else { name.clone() };
            dict.set_item(name, self.converter(program).object(value)?)?;
        }
        Ok(dict)
    }

    /// The outcome in Go's words: results in Go syntax, `panic: ...`, `fault in ...`.
    #[getter]
    fn text(&self) -> String {
        self.report.outcome.to_string()
    }

    /// The value of a panic.
    #[getter]
    fn panic_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.report.outcome {
            Outcome::Panicked(panic) => self.converter(self.program.bind(py)).object(&panic.value),
            _ => Ok(py.None().into_bound(py)),
        }
    }

    /// What Go prints of a panic or fatal error.
    #[getter]
    fn panic_text(&self) -> Option<&str> {
        match &self.report.outcome {
            Outcome::Panicked(panic) => Some(&panic.text),
            Outcome::Exited { fatal: Some(fatal), .. } => Some(&fatal.text),
            _ => None,
        }
    }

    /// The status that the program was ended with.
    #[getter]
    fn exit_code(&self) -> Option<i32> {
        match self.report.outcome {
            Outcome::Exited { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether a fatal error of Go's runtime ended it.
    #[getter]
    fn fatal(&self) -> bool {
        matches!(self.report.outcome, Outcome::Exited { fatal: Some(_), .. })
    }

    /// The traceback as Go prints it.
    #[getter]
    fn traceback(&self) -> Option<String> {
        self.report.outcome.traceback().map(ToString::to_string)
    }

    /// The frames of the goroutine that ended the call, innermost first: function, file, line.
    #[getter]
    fn frames(&self) -> Vec<(String, String, u32)> {
        let stack = self.report.outcome.traceback().and_then(|traceback| traceback.goroutines.first());
        let frames = stack.map_or(&[][..], |stack| &stack.frames);
        frames.iter().map(|frame| (frame.func.clone(), frame.line.file.clone(), frame.line.line)).collect()
    }

    /// Instructions executed.
    #[getter]
    fn instructions(&self) -> u64 {
        self.report.instructions
    }

    /// What served as Go's runtime: `hooked` or `real`.
    #[getter]
    fn runtime(&self) -> String {
        self.report.runtime.to_string()
    }

    /// What the guest wrote to its standard output.
    #[getter]
    fn stdout<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.report.stdout)
    }

    /// What the guest wrote to its standard error.
    #[getter]
    fn stderr<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.report.stderr)
    }

    /// Why package variables have the values of the file, if the call uses them so.
    #[getter]
    fn uninitialised(&self) -> Option<&str> {
        self.report.uninitialised.as_deref()
    }

    /// Raises what the outcome stands for, unless it returned.
    fn raise_for_outcome(slf: &Bound<'_, Self>) -> PyResult<()> {
        if slf.get().ok() {
            return Ok(());
        }
        let exception = errors::classes(slf.py())?.getattr("exception")?.call1((slf,))?;
        Err(PyErr::from_value(exception))
    }

    fn __bool__(&self) -> bool {
        self.ok()
    }

    fn __repr__(&self) -> String {
        let text: String = self.text().chars().take(200).collect();
        format!("<goemu.Report {} {}: {text}>", self.func, self.outcome())
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html(slf.py(), "report", slf)
    }
}
