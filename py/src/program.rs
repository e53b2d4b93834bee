//! A program: its file, and the machine that calls its functions.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use goemu::go::read::{Limits, ReadOptions};
use goemu::machine::{EngineChoice, Interrupt};
use goemu::{Config, Image, Machine, Report};
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::callables::Callables;
use crate::errors;
use crate::function::Function;
use crate::hooks::HookTable;
use crate::observe::Watchers;
use crate::open::{Asked, Source};
use crate::package::{self, Package};
use crate::turns::Turns;
use crate::types::Types;
use crate::view;

/// Time between two looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(20);

/// What a Python exception in a hook, or Ctrl-C, leaves for the end of the call.
#[derive(Clone, Default)]
pub(crate) struct Pending(Arc<Mutex<Option<PyErr>>>);

impl Pending {
    pub(crate) fn set(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// The machine of a program.
enum Slot {
    /// No call was made yet.
    NotMade,
    /// And in how many forks down the line of processes that was.
    Made(Box<Machine>, u64),
    Closed,
}

/// A Go program. `goemu.open` gives it.
///
/// Functions are found by attribute (`p.main.fib`) and by index (`p["main.(*Cache).Get"]`), types in `p.types`.
///
/// >>> p.main.fib(10), p["fib"](10)
/// (55, 55)
#[pyclass(module = "goemu", frozen, weakref)]
pub(crate) struct Program {
    image: Arc<Image>,
    pub(crate) config: Config,
    pub(crate) source: Source,
    asked: Asked,
    slot: Mutex<Slot>,
    /// The thread that uses the machine: 0 for none.
    owner: AtomicU64,
    turns: Turns,
    /// Whether a session is open.
    pub(crate) in_session: AtomicBool,
    fuel: AtomicU64,
    /// Nanoseconds that a call may take; 0 without a limit.
    timeout: AtomicU64,
    pub(crate) hooks: HookTable,
    pub(crate) callables: Callables,
    pub(crate) watchers: Watchers,
    pub(crate) pending: Pending,
    /// The number of the newest call.
    serial: AtomicU64,
    /// Calls whose states were kept.
    kept: Mutex<BTreeSet<u64>>,
}

/// Who this thread is: not 0.
fn this_thread() -> u64 {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark) as u64)
}

/// How often this process and those it comes from were forked.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Python calls this in a process that was forked.
#[pyfunction]
#[pyo3(name = "_forked")]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Frees the machine for others, whatever happens.
struct Owning<'a>(&'a AtomicU64);

impl Drop for Owning<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// How values are read: to their ends, as Python has room for them.
pub(crate) fn reading() -> ReadOptions {
    let limits = Limits { elems: 1 << 24, bytes: 1 << 30, work: 1 << 26, ..Limits::default() };
    ReadOptions { limits, errors: true, ..ReadOptions::default() }
}

impl Program {
    pub(crate) fn new(image: Image, config: Config, source: Source, asked: Asked) -> Program {
        Program {
            image: Arc::new(image),
            fuel: AtomicU64::new(config.fuel),
            timeout: AtomicU64::new(0),
            config,
            source,
            asked,
            slot: Mutex::new(Slot::NotMade),
            owner: AtomicU64::new(0),
            turns: Turns::default(),
            in_session: AtomicBool::new(false),
            hooks: HookTable::default(),
            callables: Callables::default(),
            watchers: Watchers::default(),
            pending: Pending::default(),
            serial: AtomicU64::new(1),
            kept: Mutex::new(BTreeSet::new()),
        }
    }

    /// The same program, with a machine of its own.
    pub(crate) fn twin(&self) -> Program {
        Program {
            image: Arc::clone(&self.image),
            fuel: AtomicU64::new(self.fuel.load(Ordering::Relaxed)),
            timeout: AtomicU64::new(self.timeout.load(Ordering::Relaxed)),
            config: self.config.clone(),
            source: self.source.clone(),
            asked: self.asked.clone(),
            slot: Mutex::new(Slot::NotMade),
            owner: AtomicU64::new(0),
            turns: Turns::default(),
            in_session: AtomicBool::new(false),
            hooks: HookTable::default(),
            callables: Callables::default(),
            watchers: Watchers::default(),
            pending: Pending::default(),
            serial: AtomicU64::new(1),
            kept: Mutex::new(BTreeSet::new()),
        }
    }

    pub(crate) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    pub(crate) fn fuel_now(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// A new call begins: its number.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.load(Ordering::Relaxed)
    }

    /// Whether an address of a call is still good in the next one: it is the program's own, or the state was kept.
    pub(crate) fn is_live(&self, address: u64, serial: u64) -> bool {
        let own = |s: &goemu_loader::Segment| address.wrapping_sub(s.addr) < s.mem_size;
        self.image.segments().iter().any(own)
            || self.kept.lock().unwrap_or_else(PoisonError::into_inner).contains(&serial)
    }

    /// Lets `act` use the machine, without the interpreter lock. Ctrl-C and exceptions of hooks are raised.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Machine) -> T + Send,
    ) -> PyResult<T> {
        self.without_session()?;
        self.with_any(py, act)
    }

    /// The same for what only reads memory and writes bytes of it: also while views of it are in use.
    pub(crate) fn with_memory<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Machine) -> T + Send,
    ) -> PyResult<T> {
        self.without_session()?;
        self.attached(py, act, |_| Ok(()))
    }

    fn without_session(&self) -> PyResult<()> {
        match self.in_session.load(Ordering::Acquire) {
            true => Err(PyRuntimeError::new_err(
                "a session of this program is open: close it first, or call on p.clone()",
            )),
            false => Ok(()),
        }
    }

    /// As `with`, also for the session that is open.
    pub(crate) fn with_any<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Machine) -> T + Send,
    ) -> PyResult<T> {
        self.attached(py, act, |machine| view::not_lent(machine.memory()))
    }

    /// As `with_memory`, for the session that is open.
    pub(crate) fn with_session<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Machine) -> T + Send,
    ) -> PyResult<T> {
        self.attached(py, act, |_| Ok(()))
    }

    fn attached<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Machine) -> T + Send,
        may: impl FnOnce(&Machine) -> PyResult<()>,
    ) -> PyResult<T> {
        let mut slot = self.lock(py)?;
        self.owner.store(this_thread(), Ordering::Release);
        self.turns.take(this_thread());
        let owning = Owning(&self.owner);
        let machine = self.made(py, &mut slot)?;
        may(machine)?;
        let done = py.detach(|| act(machine));
        drop(owning);
        drop(slot);
        match self.pending.take() {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Slot>> {
        if self.owner.load(Ordering::Acquire) == this_thread() {
            return Err(PyRuntimeError::new_err(
                "the program is in the middle of a call, which a hook cannot begin another in: call on q = p.clone()",
            ));
        }
        self.turns.let_others_in(py, this_thread());
        self.try_lock().map_or_else(|| self.turns.wait(py, || self.try_lock()), Ok)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Slot>> {
        match self.slot.try_lock() {
            Ok(slot) => Some(slot),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn made<'s>(&self, py: Python<'_>, slot: &'s mut Slot) -> PyResult<&'s mut Machine> {
        self.leave_to_parent(slot)?;
        if matches!(slot, Slot::NotMade) {
            let made = py.detach(|| Machine::with_config(Arc::clone(&self.image), self.config.clone()));
            let mut machine = made.map_err(|error| errors::from(py, &error))?;
            machine.set_interrupt(self.interrupt());
            machine.set_reading(reading());
            *slot = Slot::Made(Box::new(machine), FORKS.load(Ordering::Relaxed));
        }
        match slot {
            Slot::Made(machine, _) => {
                machine.set_fuel(self.fuel_now());
                let timeout = self.timeout.load(Ordering::Relaxed);
                let deadline =
                    (timeout > 0).then(|| Instant::now().checked_add(Duration::from_nanos(timeout)));
                machine.set_deadline(deadline.flatten());
                Ok(machine)
            }
            Slot::NotMade | Slot::Closed => Err(PyValueError::new_err("the program was closed")),
        }
    }

    /// Code of the translator is in memory that forked processes share: the child makes its own machine.
    fn leave_to_parent(&self, slot: &mut Slot) -> PyResult<()> {
        let Slot::Made(_, born) = slot else { return Ok(()) };
        if *born == FORKS.load(Ordering::Relaxed) || self.config.engine == EngineChoice::Interpreter {
            return Ok(());
        }
        let kept = !self.kept.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if kept || !self.hooks.is_empty() || !self.watchers.is_empty() {
            return Err(PyRuntimeError::new_err(
                "the process was forked, and hooks and kept states stay in the parent: open the program again, or spawn",
            ));
        }
        // What it has is the parent's.
        std::mem::forget(std::mem::replace(slot, Slot::NotMade));
        self.callables.clear();
        Ok(())
    }

    /// What ends calls: Ctrl-C, on the thread that Python tells of it, and exceptions of hooks.
    pub(crate) fn interrupt(&self) -> Interrupt {
        let (pending, last) = (self.pending.clone(), Mutex::new(Instant::now()));
        Interrupt::asking(move || {
            if pending.is_set() {
                return true;
            }
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() < LOOK {
                return false;
            }
            *last = Instant::now();
            drop(last);
            match Python::try_attach(|py| py.check_signals()) {
                Some(Ok(())) => false,
                // Python ends.
                None => true,
                Some(Err(error)) => {
                    pending.set(error);
                    true
                }
            }
        })
    }

    /// Makes a call, and gives its report.
    pub(crate) fn report(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Machine) -> Result<Report, goemu::Error> + Send,
    ) -> PyResult<Report> {
        self.next_serial();
        self.with(py, call)?.map_err(|error| errors::from(py, &error))
    }
}

#[pymethods]
impl Program {
    /// `p["main.f"]`: the function of a full name, of an end of one that no other function has, or at an address.
    fn __getitem__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<Function> {
        Function::find(slf, &function_name(name)?, None, None, false)
    }

    /// A function, with what the file does not tell of it.
    ///
    /// `sig` is its signature in Go syntax, `captures` the variables that a closure captured (`n=5, s="x"`). With `raises`, an
    /// `error` that it returns last is raised, and left out of the results.
    ///
    /// >>> p.function("main.fib", sig="func(n int) int")
    /// <Go func main.fib(n int) int>
    #[pyo3(signature = (name, sig=None, *, captures=None, raises=false))]
    fn function(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        sig: Option<&str>,
        captures: Option<&str>,
        raises: bool,
    ) -> PyResult<Function> {
        Function::find(slf, &function_name(name)?, sig, captures, raises)
    }

    fn __getattr__(slf: &Bound<'_, Self>, name: &str) -> PyResult<Package> {
        let image = slf.get().image();
        let found = package::all(image).into_iter().find(|path| path == name || package::last(path) == name);
        match found {
            Some(path) if !name.starts_with('_') => Ok(Package::new(slf.clone().unbind(), path)),
            _ => Err(PyAttributeError::new_err(format!("the program has no package {name}"))),
        }
    }

    fn __dir__(slf: &Bound<'_, Self>) -> PyResult<Vec<String>> {
        let own = slf.get_type().dir()?.extract::<Vec<String>>()?;
        let names = package::all(slf.get().image()).into_iter().map(|path| package::last(&path).to_owned());
        Ok(own.into_iter().chain(names.filter(|name| package::is_identifier(name))).collect())
    }

    fn _ipython_key_completions_(&self) -> Vec<String> {
        self.image.defined_funcs().map(|func| func.name().to_owned()).collect()
    }

    fn __contains__(&self, name: &str) -> bool {
        goemu::go::names::find(&self.image, name).is_ok()
    }

    /// The program's types.
    #[getter]
    fn types(slf: &Bound<'_, Self>) -> Types {
        Types { program: slf.clone().unbind() }
    }

    /// The path that it was opened from; `None` for bytes and several files.
    #[getter]
    fn path(&self) -> Option<String> {
        self.image.path().map(|path| path.display().to_string())
    }

    /// Instructions that a call may execute.
    #[getter]
    fn fuel(&self) -> u64 {
        self.fuel_now()
    }

    #[setter]
    fn set_fuel(&self, fuel: u64) {
        self.fuel.store(fuel, Ordering::Relaxed);
    }

    /// Seconds that a call may take, after which it ends in `OutOfTime`; `None` without a limit.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        let timeout = self.timeout.load(Ordering::Relaxed);
        (timeout > 0).then(|| timeout as f64 / 1e9)
    }

    #[setter]
    pub(crate) fn set_timeout(&self, seconds: Option<f64>) -> PyResult<()> {
        let nanoseconds = match seconds {
            None => 0,
            Some(seconds) if seconds > 0.0 && seconds < 1e9 => ((seconds * 1e9) as u64).max(1),
            Some(seconds) => {
                return Err(PyValueError::new_err(format!("a call cannot take {seconds} seconds")));
            }
        };
        self.timeout.store(nanoseconds, Ordering::Relaxed);
        Ok(())
    }

    /// The seed of everything random.
    #[getter]
    fn seed(&self) -> u64 {
        self.config.seed
    }

    /// Makes the state that the last call has left the one that calls start from: package variables, the heap.
    ///
    /// >>> q = p.clone()
    /// >>> add5 = q.main.makeAdder(5)
    /// >>> q.keep()
    /// >>> add5(37)
    /// 42
    fn keep(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Machine::keep)?;
        self.callables.keep();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(self.serial());
        Ok(())
    }

    /// Initialises the packages now, which calls do when they need it.
    fn initialise(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |machine| machine.initialise().map(|_| ()))?.map_err(|error| errors::from(py, &error))
    }

    /// The same program with a machine of its own, in its first state and without hooks: for other threads, and for hooks that
    /// call.
    fn clone(&self) -> Program {
        self.twin()
    }

    /// Frees the machine. Calls are errors from now on. While views of its memory are in use, that raises `BufferError`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let mut slot = self.lock(py)?;
        if let Slot::Made(machine, _) = &*slot {
            view::not_lent(machine.memory())?;
        }
        let old = std::mem::replace(&mut *slot, Slot::Closed);
        drop(slot);
        self.hooks.clear();
        self.callables.clear();
        self.watchers.clear();
        py.detach(|| drop(old));
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        let name = self.path().unwrap_or_else(|| self.source.describe());
        let version = self.image.go_version().map_or("unknown version of Go".to_owned(), |v| v.to_string());
        format!("<goemu.Program {name}: {version}, {} functions>", self.image.func_count())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let make = py.import("goemu._pickle")?.getattr("program")?;
        let (source, checksum) = self.source.pickled(py, &self.image)?;
        let settings = crate::open::settings(py, &self.config, &self.asked, self.fuel_now(), self.timeout())?;
        Ok((make, (source, checksum, settings).into_pyobject(py)?))
    }

    /// Calls a function with random arguments of its types, shrinks those that fail, and raises `goemu.CheckFailed` for them: a
    /// panic, a fault, or `holds(result, *args)` that is false. Needs hypothesis.
    ///
    /// >>> p.check("main.divide")
    /// Traceback (most recent call last):
    ///     ...
    /// goemu._check.CheckFailed: main.divide(0, 0): panic: runtime error: integer divide by zero
    #[pyo3(signature = (function, holds=None, *, examples=100, allow=None))]
    fn check<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        holds: Option<&Bound<'py, PyAny>>,
        examples: usize,
        allow: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let kwargs = PyDict::new(py);
        kwargs.set_item("examples", examples)?;
        if let Some(allow) = allow {
            kwargs.set_item("allow", allow)?;
        }
        py.import("goemu._check")?.getattr("check")?.call((slf, function, holds), Some(&kwargs))
    }

    /// A program like this one in its present state, kept changes included, with a machine of its own.
    fn fork(&self, py: Python<'_>) -> PyResult<Program> {
        let machine = self.with(py, Machine::fork)?.map_err(|error| errors::from(py, &error))?;
        let twin = self.twin();
        let mut machine = machine;
        machine.set_interrupt(twin.interrupt());
        *twin.slot.lock().unwrap_or_else(PoisonError::into_inner) =
            Slot::Made(Box::new(machine), FORKS.load(Ordering::Relaxed));
        Ok(twin)
    }

    /// Sets limits of calls from now on: `fuel`, `timeout`.
    #[pyo3(signature = (**limits))]
    fn limit(&self, limits: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        for (name, value) in limits.into_iter().flatten() {
            match name.extract::<String>()?.as_str() {
                "fuel" => self.set_fuel(value.extract()?),
                "timeout" => self.set_timeout(value.extract()?)?,
                other => {
                    return Err(PyValueError::new_err(format!("no limit {other}: give it to goemu.open")));
                }
            }
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.hooks.traverse(&visit)?;
        self.callables.traverse(&visit)?;
        self.watchers.traverse(&visit)
    }

    fn __clear__(&self) {
        self.hooks.clear();
        self.callables.clear();
        self.watchers.clear();
    }
}

/// A function by name, or by address as a number.
pub(crate) fn function_name(name: &Bound<'_, PyAny>) -> PyResult<String> {
    match name.extract::<u64>() {
        Ok(address) => Ok(format!("{address:#x}")),
        Err(_) => name.extract::<String>(),
    }
}
