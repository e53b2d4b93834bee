//! Hooks: Python functions that stand in for functions of the program, or see their calls.

use std::sync::{Arc, Mutex, PoisonError};

use goemu::hook::HookContext;
use goemu::{Error, Value};
use goemu_loader::Param;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};

use crate::context::{Lent, Spare};
use crate::convert::{Converter, Path};
use crate::errors;
use crate::program::{Pending, Program, function_name};

/// The Python functions of a program's hooks. The machine has numbers, so that the garbage collector sees them here.
#[derive(Clone, Default)]
pub(crate) struct HookTable(Arc<Mutex<Vec<Option<Py<PyAny>>>>>);

impl HookTable {
    pub(crate) fn add(&self, callable: Py<PyAny>) -> usize {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.push(Some(callable));
        table.len() - 1
    }

    /// Puts another function in a place.
    pub(crate) fn put(&self, at: usize, callable: Py<PyAny>) {
        let old = {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            table.get_mut(at).and_then(|place| place.replace(callable))
        };
        drop(old);
    }

    fn get(&self, py: Python<'_>, at: usize) -> Option<Py<PyAny>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(at)?.as_ref().map(|callable| callable.clone_ref(py))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Option::is_none)
    }

    pub(crate) fn remove(&self, at: usize) -> bool {
        let old = {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            table.get_mut(at).and_then(Option::take)
        };
        old.is_some()
    }

    pub(crate) fn clear(&self) {
        let old: Vec<_> = {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            table.iter_mut().map(Option::take).collect()
        };
        drop(old);
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector must not wait.
        let Ok(table) = self.0.try_lock() else { return Ok(()) };
        table.iter().flatten().try_for_each(|callable| visit.call(callable))
    }
}

/// What a hook runs with.
pub(crate) struct Running {
    table: HookTable,
    at: usize,
    program: Py<PyWeakrefReference>,
    pending: Pending,
    /// The parameter that is given a context.
    context: Option<String>,
    spare: Spare,
}

/// Calls a hook with its arguments.
type Calling<'a, 'py> = &'a dyn Fn(Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>>;

impl Running {
    pub(crate) fn new(
        table: HookTable,
        at: usize,
        program: Py<PyWeakrefReference>,
        pending: Pending,
        context: Option<String>,
    ) -> Running {
        Running { table, at, program, pending, context, spare: Spare::default() }
    }

    /// Calls the hook, where it is still there. What it raises ends the call.
    pub(crate) fn run<T>(
        &self,
        cx: &mut HookContext<'_>,
        call: impl for<'py> FnOnce(&Bound<'py, Program>, Calling<'_, 'py>) -> PyResult<T>,
        without: T,
    ) -> Result<T, Error> {
        let done = Python::try_attach(|py| self.attached(py, cx, call, without));
        done.unwrap_or_else(|| Err(Error::Hook("Python ends".to_owned())))
    }

    fn attached<'py, T>(
        &self,
        py: Python<'py>,
        cx: &mut HookContext<'_>,
        call: impl FnOnce(&Bound<'py, Program>, Calling<'_, 'py>) -> PyResult<T>,
        without: T,
    ) -> Result<T, Error> {
        let Some(callable) = self.table.get(py, self.at) else { return Ok(without) };
        let Some(program) = self.program.bind(py).upgrade() else { return Ok(without) };
        let Ok(program) = program.cast_into::<Program>() else { return Ok(without) };
        let lent = self.context.as_ref().map(|_| Lent::new(cx, &self.spare)).transpose()?;
        let calling = |args: Bound<'py, PyTuple>| {
            let callable = callable.bind(py);
            let (Some(name), Some(lent)) = (&self.context, &lent) else { return callable.call1(args) };
            let named = PyDict::new(py);
            named.set_item(name, lent.context(&program)?)?;
            callable.call(args, Some(&named))
        };
        let called = call(&program, &calling);
        // An array that the hook has kept would point into memory that the call goes on with.
        let ended = lent.as_ref().map_or(Ok(()), Lent::may_end);
        called.and_then(|value| ended.map(|()| value)).map_err(|error| {
            self.pending.set(error);
            Error::Hook("an exception".to_owned())
        })
    }
}

/// A hook, to be taken away with `remove`.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Hook {
    table: HookTable,
    places: Vec<usize>,
    #[pyo3(get)]
    functions: Vec<String>,
    callable: Py<PyAny>,
}

#[pymethods]
impl Hook {
    /// Takes it away; whether it was still there.
    fn remove(&self) -> bool {
        self.places.iter().filter(|at| self.table.remove(**at)).count() > 0
    }

    /// The Python function itself.
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.callable.bind(py).call1(args)
    }

    fn __repr__(&self) -> String {
        format!("<goemu.Hook on {}>", self.functions.join(", "))
    }
}

/// A call that a watcher sees.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct WatchedCall {
    /// The function.
    #[pyo3(get)]
    func: String,
    /// Its arguments, as they were when it began.
    #[pyo3(get)]
    args: Py<PyTuple>,
    /// Its results; `None` while the call begins.
    #[pyo3(get)]
    results: Option<Py<PyTuple>>,
}

#[pymethods]
impl WatchedCall {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let args = self.args.bind(py).repr()?;
        match &self.results {
            Some(results) => Ok(format!("{}{args} = {}", self.func, results.bind(py).repr()?)),
            None => Ok(format!("{}{args}", self.func)),
        }
    }
}

/// Waits for the function that a decorator stands on.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Decorator {
    program: Py<Program>,
    names: Vec<String>,
    sig: Option<String>,
    watches: bool,
}

#[pymethods]
impl Decorator {
    fn __call__(&self, py: Python<'_>, callable: Bound<'_, PyAny>) -> PyResult<Hook> {
        let program = self.program.bind(py);
        match self.watches {
            true => watch(program, &self.names, self.sig.as_deref(), callable),
            false => replace(program, &self.names, self.sig.as_deref(), callable),
        }
    }
}

fn running(program: &Bound<'_, Program>, callable: &Bound<'_, PyAny>) -> PyResult<Running> {
    if !callable.is_callable() {
        return Err(PyTypeError::new_err("a hook is a function"));
    }
    let own = program.get();
    let at = own.hooks.add(callable.clone().unbind());
    let weak = PyWeakrefReference::new(program.as_any())?.unbind();
    let context =
        program.py().import("goemu._hooks")?.getattr("context_parameter")?.call1((callable,))?.extract()?;
    Ok(Running::new(own.hooks.clone(), at, weak, own.pending.clone(), context))
}

pub(crate) fn objects<'py>(program: &Bound<'py, Program>, values: &[Value]) -> PyResult<Bound<'py, PyTuple>> {
    let converter = Converter::of_call(program, program.get().serial());
    let objects = values.iter().map(|value| converter.object(value)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(program.py(), objects)
}

fn replace(
    program: &Bound<'_, Program>,
    names: &[String],
    sig: Option<&str>,
    callable: Bound<'_, PyAny>,
) -> PyResult<Hook> {
    let (py, own) = (program.py(), program.get());
    let mut places = Vec::new();
    for name in names {
        let function =
            goemu::Function::find(own.image(), name, sig).map_err(|error| errors::from(py, &error))?;
        let known = function.signature().map(|signature| signature.results.clone());
        let running = running(program, &callable)?;
        let at = running.at;
        places.push(at);
        let results = known.unwrap_or_default();
        let hook = move |cx: &mut HookContext<'_>, args: &[Value]| {
            running.run(
                cx,
                |program, call| {
                    let given = call(objects(program, args)?)?;
                    given_results(program.py(), program, &results, &given)
                },
                None,
            )
        };
        let placed = own.with(py, |machine| machine.try_replace(name, sig, hook))?;
        placed.map_err(|error| {
            own.hooks.remove(at);
            errors::from(py, &error)
        })?;
    }
    Ok(Hook { table: own.hooks.clone(), places, functions: names.to_vec(), callable: callable.unbind() })
}

/// The results that a hook gives; none where the function itself is to run.
pub(crate) fn given_results(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    results: &[Param],
    given: &Bound<'_, PyAny>,
) -> PyResult<Option<Vec<Value>>> {
    if given.is(errors::classes(py)?.getattr("original")?) {
        return Ok(None);
    }
    let converter = Converter::of_call(program, program.get().serial());
    let value = |n: usize, param: &Param, given: &Bound<'_, PyAny>| {
        let given: &Bound<'_, PyAny> = given;
        converter.value(&given.clone(), &param.ty, &Path::Result(n, param))
    };
    match results {
        [] if given.is_none() => Ok(Some(Vec::new())),
        [] => {
            Err(PyTypeError::new_err("the function gives nothing: its hook returns None, or goemu.original"))
        }
        [only] => Ok(Some(vec![value(0, only, given)?])),
        several => {
            let tuple = given.cast::<PyTuple>().ok().filter(|tuple| tuple.len() == several.len());
            let tuple = tuple.ok_or_else(|| {
                PyTypeError::new_err(format!(
                    "the function gives {} results: its hook returns a tuple",
                    several.len()
                ))
            })?;
            let each = several.iter().zip(tuple.iter()).enumerate();
            each.map(|(n, (param, given))| value(n, param, &given)).collect::<PyResult<_>>().map(Some)
        }
    }
}

fn watch(
    program: &Bound<'_, Program>,
    names: &[String],
    sig: Option<&str>,
    callable: Bound<'_, PyAny>,
) -> PyResult<Hook> {
    let (py, own) = (program.py(), program.get());
    let mut places = Vec::new();
    for name in names {
        let running = running(program, &callable)?;
        let at = running.at;
        places.push(at);
        let see = move |cx: &mut HookContext<'_>, seen: &goemu::call::intercept::WatchedCall<'_>| {
            running.run(
                cx,
                |program, call| {
                    let results =
                        seen.results.map(|results| Ok::<_, PyErr>(objects(program, results)?.unbind()));
                    let args = objects(program, seen.args)?.unbind();
                    let seen =
                        WatchedCall { func: seen.func.to_owned(), args, results: results.transpose()? };
                    call(PyTuple::new(program.py(), [Bound::new(program.py(), seen)?])?).map(drop)
                },
                (),
            )
        };
        let placed = own.with(py, |machine| machine.try_watch(name, sig, see))?;
        placed.map_err(|error| {
            own.hooks.remove(at);
            errors::from(py, &error)
        })?;
    }
    Ok(Hook { table: own.hooks.clone(), places, functions: names.to_vec(), callable: callable.unbind() })
}

/// `*` stands for anything.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|name| {
            name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches(rest, &name[at..]))
        }),
    }
}

/// The functions that names and patterns mean.
fn named(program: &Bound<'_, Program>, given: &Bound<'_, PyAny>, sig: Option<&str>) -> PyResult<Vec<String>> {
    if let Ok(list) = given.cast::<PyList>() {
        let all = list.iter().map(|item| named(program, &item, sig)).collect::<PyResult<Vec<_>>>()?;
        return Ok(all.into_iter().flatten().collect());
    }
    if let Ok(function) = given.cast::<crate::function::Function>() {
        return Ok(vec![format!("{:#x}", function.get().entry())]);
    }
    let name = function_name(given)?;
    // `main.(*T).f` has a star, too.
    if !name.replace("(*", "(").contains('*') {
        return Ok(vec![name]);
    }
    let image = program.get().image();
    let wanted = image
        .defined_funcs()
        .filter(|func| matches(&name.replace("(*", "(\u{1}"), &func.name().replace("(*", "(\u{1}")));
    let known = wanted.filter(|func| sig.is_some() || matches!(image.signature(func), Ok(Some(_))));
    let names: Vec<String> = known.map(|func| format!("{:#x}", func.entry())).collect();
    match names.is_empty() {
        true => Err(PyValueError::new_err(format!("no functions {name} whose signatures are known"))),
        false => Ok(names),
    }
}

fn decorate(
    program: &Bound<'_, Program>,
    name: &Bound<'_, PyAny>,
    callable: Option<Bound<'_, PyAny>>,
    sig: Option<String>,
    watches: bool,
) -> PyResult<Py<PyAny>> {
    let py = program.py();
    let names = named(program, name, sig.as_deref())?;
    if program.get().in_session.load(std::sync::atomic::Ordering::Acquire) {
        return Err(PyRuntimeError::new_err("hooks are put before a session begins"));
    }
    let decorator = Decorator { program: program.clone().unbind(), names, sig, watches };
    match callable {
        Some(callable) => Ok(Bound::new(py, decorator.__call__(py, callable)?)?.into_any().unbind()),
        None => Ok(Bound::new(py, decorator)?.into_any().unbind()),
    }
}

#[pymethods]
impl Program {
    /// `@p.replace("time.Now")`: the Python function stands in for it, with arguments and results as values. It returns
    /// `goemu.original` where the function itself is to run. What it raises ends the call.
    ///
    /// >>> hook = p.replace("main.itoa", lambda n: f"<{n}>")
    /// >>> p.main.concatMany("a", "b", 7)
    /// 'a-b-<7>ab'
    /// >>> hook.remove()
    /// True
    #[pyo3(signature = (name, with_=None, *, sig=None))]
    fn replace(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        with_: Option<Bound<'_, PyAny>>,
        sig: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        decorate(slf, name, with_, sig, false)
    }

    /// `@p.watch("main.*")`: shows the Python function every call, when it begins and when it returns.
    ///
    /// >>> hook = p.watch("main.itoa", print)
    /// >>> p.main.itoa(7)
    /// main.itoa(7,)
    /// main.itoa(7,) = ('7',)
    /// '7'
    /// >>> hook.remove()
    /// True
    #[pyo3(signature = (name, see=None, *, sig=None))]
    fn watch(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        see: Option<Bound<'_, PyAny>>,
        sig: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        decorate(slf, name, see, sig, true)
    }
}
