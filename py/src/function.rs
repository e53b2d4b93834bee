//! Functions that can be called.

use std::sync::Arc;

use goemu::go::arguments::Argument;
use goemu::outcome::Returned;
use goemu::prepared::{Given, Got, Prepared, Results, Slot};
use goemu::{Outcome, Report as GoReport, Value};
use goemu_loader::{Kind, Param, Signature, Type};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};
use smallvec::SmallVec;

use crate::callables::Holding;
use crate::convert::{Converter, Path, text};
use crate::errors;
use crate::program::{Program, reading};
use crate::report::Report;
use crate::values::html;

/// A function of a program. Call it; `report` tells all of a call and raises nothing.
#[pyclass(module = "goemu", frozen, weakref)]
pub(crate) struct Function {
    pub(crate) program: Py<Program>,
    /// As the user named it.
    pub(crate) asked: String,
    pub(crate) function: goemu::Function,
    prepared: Option<Prepared>,
    given: (Option<String>, Option<String>),
    raises: bool,
}

/// An argument of the short way.
enum Held<'a> {
    Bits(u64),
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
    Nil,
}

impl Function {
    pub(crate) fn find(
        program: &Bound<'_, Program>,
        name: &str,
        sig: Option<&str>,
        captures: Option<&str>,
        raises: bool,
    ) -> PyResult<Function> {
        let (py, own) = (program.py(), program.get());
        let image = own.image();
        let found = match goemu::Function::find(image, name, sig) {
            // Part of a signature is not enough: the places of arguments are guessed.
            Err(goemu::Error::Load(goemu::LoadError::Unnamed { .. })) if sig.is_none() => {
                goemu::Function::find(image, name, Some("func()"))
            }
            found => found,
        };
        let mut function = found.map_err(|error| errors::from(py, &error))?;
        if let Some(captures) = captures {
            function = own
                .with_any(py, |machine| function.with_captures(machine, captures))?
                .map_err(|error| errors::from(py, &error))?;
        }
        let given = (sig.map(str::to_owned), captures.map(str::to_owned));
        Ok(Function::of(program, name.to_owned(), function, given, raises))
    }

    fn of(
        program: &Bound<'_, Program>,
        asked: String,
        function: goemu::Function,
        given: (Option<String>, Option<String>),
        raises: bool,
    ) -> Function {
        let prepared = function.prepared(&**program.get().image());
        Function { program: program.clone().unbind(), asked, function, prepared, given, raises }
    }

    /// The function that a function value calls.
    pub(crate) fn of_closure(
        program: &Bound<'_, Program>,
        code: u64,
        closure: u64,
        ty: Option<&Arc<Type>>,
    ) -> PyResult<Function> {
        let Some(ty) = ty else { return Err(PyTypeError::new_err("the type of the function is not known")) };
        let sig = ty.name.strip_prefix("func").map(|rest| format!("func{rest}"));
        let name = format!("{code:#x}");
        let function = goemu::Function::find(program.get().image(), &name, sig.as_deref())
            .map_err(|error| errors::from(program.py(), &error))?
            .with_closure_at(closure);
        Ok(Function::of(program, name, function, (sig, None), false))
    }

    pub(crate) fn entry(&self) -> u64 {
        self.function.entry()
    }

    pub(crate) fn params(&self) -> Option<Vec<Param>> {
        let params = &self.function.signature()?.params;
        Some(params.iter().filter(|param| !param.is_dictionary()).cloned().collect())
    }

    /// Calls it.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let program = self.program.get();
        if let Some(prepared) = &self.prepared
            && let Some(results) = self.call_short(py, program, prepared, args)?
        {
            return self.given_short(py, prepared, results);
        }
        let report = self.run(py, args, false)?;
        self.finish(py, report)
    }

    /// The short way, where all arguments are what it takes.
    fn call_short<'py>(
        &self,
        py: Python<'py>,
        program: &Program,
        prepared: &Prepared,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Option<Results>> {
        if args.len() != prepared.params().len() {
            return Err(self.wrong_count(args.len()));
        }
        let given: SmallVec<[Bound<'py, PyAny>; 8]> = args.iter().collect();
        let mut held: SmallVec<[Held<'_>; 8]> = SmallVec::new();
        for (n, (slot, arg)) in prepared.params().zip(&given).enumerate() {
            match self.hold(n, slot, arg)? {
                Some(arg) => held.push(arg),
                None => return Ok(None),
            }
        }
        let words: SmallVec<[Given<'_>; 8]> = held
            .iter()
            .map(|held| match held {
                Held::Bits(bits) => Given::Bits(*bits),
                Held::Borrowed(bytes) => Given::Bytes(bytes),
                Held::Owned(bytes) => Given::Bytes(bytes),
                Held::Nil => Given::Nil,
            })
            .collect();
        program.next_serial();
        let called = program.with(py, |machine| prepared.call(machine, &words))?;
        called.map_err(|error| errors::from(py, &error))
    }

    fn wrong_count(&self, got: usize) -> PyErr {
        let plural = if got == 1 { "" } else { "s" };
        let signature = self.signature().unwrap_or_default();
        PyTypeError::new_err(format!("{got} argument{plural} given to {signature}"))
    }

    fn hold<'a, 'py>(&self, n: usize, slot: Slot, arg: &'a Bound<'py, PyAny>) -> PyResult<Option<Held<'a>>> {
        let over = || {
            let param = self.params().and_then(|params| params.get(n).cloned());
            let (param, ty) =
                param.map_or_else(Default::default, |param| (param.to_string(), param.ty.name.clone()));
            PyOverflowError::new_err(format!("argument {} ({param}): {arg} overflows {ty}", n + 1))
        };
        Ok(match slot {
            Slot::Bool => arg.cast::<PyBool>().ok().map(|b| Held::Bits(b.is_true().into())),
            Slot::Int(size) if arg.is_exact_instance_of::<PyInt>() => {
                let n = arg.extract::<i64>().map_err(|_| over())?;
                let shift = 64 - 8 * u32::from(size.clamp(1, 8));
                if n << shift >> shift != n {
                    return Err(over());
                }
                Some(Held::Bits(n as u64))
            }
            Slot::Uint(size) if arg.is_exact_instance_of::<PyInt>() => {
                let n = arg.extract::<u64>().map_err(|_| over())?;
                let shift = 64 - 8 * u32::from(size.clamp(1, 8));
                if n << shift >> shift != n {
                    return Err(over());
                }
                Some(Held::Bits(n))
            }
            Slot::Float64 => match arg.cast_exact::<PyFloat>() {
                Ok(number) => Some(Held::Bits(number.value().to_bits())),
                Err(_) => None,
            },
            Slot::String | Slot::Bytes => match arg.cast_exact::<PyBytes>() {
                Ok(bytes) => Some(Held::Borrowed(bytes.as_bytes())),
                Err(_) if arg.is_none() && slot == Slot::Bytes => Some(Held::Nil),
                Err(_) => match arg.cast_exact::<PyString>().map(|text| text.to_cow()) {
                    Ok(Ok(text)) => Some(Held::Owned(text.into_owned().into_bytes())),
                    _ => None,
                },
            },
            _ => None,
        })
    }

    fn given_short<'py>(
        &self,
        py: Python<'py>,
        prepared: &Prepared,
        results: Results,
    ) -> PyResult<Bound<'py, PyAny>> {
        let objects = prepared.results().zip(&results).map(|(slot, got)| object(py, slot, got));
        let mut objects = objects.collect::<PyResult<SmallVec<[Bound<'py, PyAny>; 4]>>>()?;
        if self.raises && prepared.results().last() == Some(Slot::Interface) {
            objects.pop();
        }
        one_or_all(py, objects)
    }

    /// The arguments as values of Go.
    pub(crate) fn values<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        held: &Holding,
    ) -> PyResult<Vec<Value>> {
        let params = self.params().unwrap_or_default();
        let converter = Converter { py, program: self.program.bind(py), serial: 0, held: Some(held) };
        let variadic = self.function.signature().is_some_and(|signature| signature.variadic);
        let last = params.last().map(|param| &param.ty.kind);
        let (Some(Kind::Slice(elem)), true) = (last, variadic || args.len() > params.len()) else {
            if args.len() != params.len() {
                return Err(self.wrong_count(args.len()));
            }
            let convert = |(n, (arg, param)): (usize, (Bound<'py, PyAny>, &Param))| {
                converter.value(&arg, &param.ty, &Path::Param(n, param))
            };
            return args.iter().zip(&params).enumerate().map(convert).collect();
        };
        if args.len() + 1 < params.len() {
            return Err(self.wrong_count(args.len()));
        }
        let elem = self.program.get().image().resolve(elem).map_err(|error| errors::load(py, &error))?;
        let fixed = params.len() - 1;
        let (mut values, mut rest) = (Vec::new(), Vec::new());
        for (n, arg) in args.iter().enumerate() {
            match params.get(n).filter(|_| n < fixed) {
                Some(param) => values.push(converter.value(&arg, &param.ty, &Path::Param(n, param))?),
                None => {
                    let param = &params[fixed];
                    // As in Go: a whole slice, or its elements.
                    if n == fixed && args.len() == params.len() && !variadic {
                        values.push(converter.value(&arg, &param.ty, &Path::Param(n, param))?);
                        return Ok(values);
                    }
                    rest.push(converter.value(&arg, &elem, &Path::Param(n, param))?);
                }
            }
        }
        let ty = Some(params[fixed].ty.clone());
        values.push(match rest.is_empty() {
            true => Value::Nil(ty),
            false => Value::List(goemu::go::value::List { ty, elems: rest }),
        });
        Ok(values)
    }

    /// Makes the call the long way.
    pub(crate) fn run(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        arguments: bool,
    ) -> PyResult<GoReport> {
        let program = self.program.get();
        let guessed = self.function.signature().is_none() && !args.is_empty();
        let held = program.callables.hold();
        let (values, texts) = match guessed {
            true => (Vec::new(), guesses(py, args)?),
            false => (self.values(py, args, &held)?, Vec::new()),
        };
        program.report(py, |machine| {
            machine.set_reading(goemu::go::read::ReadOptions { arguments, ..reading() });
            let report = if guessed {
                machine.call(&self.asked).and_then(|call| call.literals(&texts)).and_then(goemu::Call::run)
            } else {
                self.function.call(machine, &values)
            };
            machine.set_reading(reading());
            report
        })
    }

    /// What a call gives, or raises.
    pub(crate) fn finish<'py>(&self, py: Python<'py>, report: GoReport) -> PyResult<Bound<'py, PyAny>> {
        match &report.outcome {
            Outcome::Returned(returned) => {
                let serial = self.program.get().serial();
                let mut objects = results(self.program.bind(py), returned, serial)?;
                let fails = self.function.signature().is_some_and(|signature| {
                    signature.results.last().is_some_and(|result| result.ty.name == "error")
                });
                if self.raises && fails {
                    let error = objects.pop().filter(|error| !error.is_none());
                    if let Some(error) = error {
                        return Err(errors::classes(py)?
                            .getattr("as_error")?
                            .call1((error,))
                            .map_or_else(|failed| failed, PyErr::from_value));
                    }
                }
                one_or_all(py, objects)
            }
            _ => {
                let report = Report::new(self.program.clone_ref(py), self.function.name(), report);
                Err(report.exception(py))
            }
        }
    }
}

/// Results, one object each.
pub(crate) fn results<'py>(
    program: &Bound<'py, Program>,
    returned: &Returned,
    serial: u64,
) -> PyResult<SmallVec<[Bound<'py, PyAny>; 4]>> {
    let py = program.py();
    match returned {
        Returned::Values(values) => {
            let converter = Converter::of_call(program, serial);
            values.iter().map(|named| converter.object(&named.value)).collect()
        }
        Returned::Registers { ints, floats, stack } => {
            let dict = PyDict::new(py);
            let names = ["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"];
            names.iter().zip(ints).try_for_each(|(name, word)| dict.set_item(name, word))?;
            floats.iter().enumerate().try_for_each(|(n, word)| dict.set_item(format!("x{n}"), word))?;
            stack.iter().try_for_each(|(offset, word)| dict.set_item(format!("{offset}(fp)"), word))?;
            Ok(SmallVec::from_iter([dict.into_any()]))
        }
        _ => Ok(SmallVec::new()),
    }
}

/// Nothing, the only result, or a tuple.
pub(crate) fn one_or_all<'py>(
    py: Python<'py>,
    mut objects: SmallVec<[Bound<'py, PyAny>; 4]>,
) -> PyResult<Bound<'py, PyAny>> {
    match objects.len() {
        0 => Ok(py.None().into_bound(py)),
        1 => Ok(objects.remove(0)),
        _ => Ok(PyTuple::new(py, objects)?.into_any()),
    }
}

fn object<'py>(py: Python<'py>, slot: Slot, got: &Got) -> PyResult<Bound<'py, PyAny>> {
    Ok(match (slot, got) {
        (Slot::Bool, Got::Bits(bits)) => PyBool::new(py, *bits != 0).to_owned().into_any(),
        (Slot::Int(_), Got::Bits(bits)) => (*bits as i64).into_pyobject(py)?.into_any(),
        (Slot::Float32, Got::Bits(bits)) => PyFloat::new(py, f32::from_bits(*bits as u32).into()).into_any(),
        (Slot::Float64, Got::Bits(bits)) => PyFloat::new(py, f64::from_bits(*bits)).into_any(),
        (_, Got::Bits(bits)) => bits.into_pyobject(py)?.into_any(),
        (Slot::Bytes, Got::Bytes(bytes)) => PyBytes::new(py, bytes).into_any(),
        (_, Got::Bytes(bytes)) => text(py, bytes),
        (_, Got::Nil) => py.None().into_bound(py),
    })
}

/// Arguments of a function of unknown signature: numbers, text, bytes and literals.
fn guesses(py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Vec<Argument<'static>>> {
    let one = |(n, arg): (usize, Bound<'_, PyAny>)| {
        let leak = |value| Ok(Argument::Value(value));
        if let Ok(b) = arg.cast::<PyBool>() {
            return leak(Value::Bool(b.is_true()));
        }
        if arg.is_instance_of::<PyInt>() {
            return match arg.extract::<i64>() {
                Ok(n) => leak(Value::Int(n)),
                Err(_) => leak(Value::Uint(arg.extract()?)),
            };
        }
        if let Ok(number) = arg.cast::<PyFloat>() {
            return leak(Value::Float64(number.value()));
        }
        if let Ok(bytes) = arg.cast::<PyBytes>() {
            return leak(Value::from(bytes.as_bytes()));
        }
        if let Ok(text) = arg.cast::<PyString>() {
            return leak(Value::from(&*text.to_cow()?));
        }
        Err(errors::own(
            py,
            "CallError",
            &format!(
                "argument {}: the function's types are not known, so arguments are numbers, text or bytes; sig= tells them",
                n + 1
            ),
        ))
    };
    args.iter().enumerate().map(one).collect()
}

#[pymethods]
impl Function {
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, args)
    }

    /// Calls it, and tells all of it: results, outcome, output, instructions. Nothing that the guest does is raised.
    ///
    /// >>> p.main.divide.report(1, 0).outcome
    /// 'panicked'
    /// >>> p.main.divide.report(7, 2, arguments=True).arguments
    /// {'a': 7, 'b': 2}
    #[pyo3(signature = (*args, arguments=false))]
    fn report(&self, py: Python<'_>, args: &Bound<'_, PyTuple>, arguments: bool) -> PyResult<Report> {
        let report = self.run(py, args, arguments)?;
        Ok(Report::new(self.program.clone_ref(py), self.function.name(), report))
    }

    /// The full name.
    #[getter]
    fn name(&self) -> &str {
        self.function.name()
    }

    #[getter]
    fn __name__(&self) -> &str {
        self.function.name()
    }

    /// The address.
    #[getter]
    fn address(&self) -> u64 {
        self.function.entry()
    }

    /// The signature as Go writes it; `None` where it is not known.
    #[getter]
    pub(crate) fn signature(&self) -> Option<String> {
        self.function.signature().map(Signature::to_string)
    }

    /// Parameters: names and types.
    #[getter(params)]
    fn get_params(&self, py: Python<'_>) -> Vec<(String, crate::types::GoType)> {
        let typed = |param: Param| {
            (param.name, crate::types::GoType { program: self.program.clone_ref(py), ty: param.ty })
        };
        self.params().unwrap_or_default().into_iter().map(typed).collect()
    }

    /// Results: names and types.
    #[getter]
    fn results(&self, py: Python<'_>) -> Vec<(String, crate::types::GoType)> {
        let typed = |param: &Param| {
            let ty = crate::types::GoType { program: self.program.clone_ref(py), ty: param.ty.clone() };
            (param.name.clone(), ty)
        };
        self.function
            .signature()
            .map_or_else(Vec::new, |signature| signature.results.iter().map(typed).collect())
    }

    /// Whether calls go the short way: numbers, text and bytes alone.
    #[getter]
    fn is_prepared(&self) -> bool {
        self.prepared.is_some()
    }

    /// The program.
    #[getter]
    fn program(&self, py: Python<'_>) -> Py<Program> {
        self.program.clone_ref(py)
    }

    #[getter]
    fn __doc__(&self) -> String {
        let signature = self.signature().unwrap_or_else(|| "func(?)".to_owned());
        format!("{}{}", self.function.name(), signature.strip_prefix("func").unwrap_or(&signature))
    }

    fn __repr__(&self) -> String {
        let signature = self.signature().unwrap_or_else(|| "func(?)".to_owned());
        format!("<Go func {}{}>", self.function.name(), signature.strip_prefix("func").unwrap_or(&signature))
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html(slf.py(), "function", slf)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Function>().is_ok_and(|other| {
            let other = other.get();
            self.program.is(&other.program) && self.asked == other.asked && self.given == other.given
        })
    }

    fn __hash__(&self) -> u64 {
        self.function.entry()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let make = py.import("goemu._pickle")?.getattr("function")?;
        let (sig, captures) = self.given.clone();
        let parts = (self.program.clone_ref(py), self.asked.clone(), sig, captures, self.raises);
        Ok((make, parts.into_pyobject(py)?))
    }
}
