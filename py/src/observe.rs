//! Observers: events, blocks and instructions in batches; coverage; traces.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use goemu::observe::{Event, Interest, Observer, View};
use goemu::trace::{CallKind, Detail, Record as TraceOf, Recorder, Sink};
use iced_x86::Instruction;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::function::Function;
use crate::program::{Pending, Program};
use crate::report::Report;

/// What an observer is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Events,
    Blocks,
    Instructions,
}

/// What is put in a batch.
enum Noted {
    Address(u64),
    Event(&'static str, Vec<(&'static str, u64)>),
}

/// An observer of a program.
struct Watcher {
    what: What,
    batch: usize,
    callable: Mutex<Option<Py<PyAny>>>,
    pending: Pending,
}

/// The observers of a program.
#[derive(Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<Vec<Arc<Watcher>>>>);

impl Watchers {
    fn all(&self) -> Vec<Arc<Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn clear(&self) {
        for watcher in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            let old = watcher.callable.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(old);
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(list) = self.0.try_lock() else { return Ok(()) };
        for watcher in list.iter() {
            if let Ok(callable) = watcher.callable.try_lock()
                && let Some(callable) = &*callable
            {
                visit.call(callable)?;
            }
        }
        Ok(())
    }
}

/// Collects what a watcher is told, and calls Python with many at once.
struct Batches {
    watcher: Arc<Watcher>,
    noted: Vec<Noted>,
}

impl Batches {
    fn note(&mut self, noted: Noted) {
        self.noted.push(noted);
        if self.noted.len() >= self.watcher.batch {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let noted = std::mem::take(&mut self.noted);
        if noted.is_empty() || self.watcher.pending.is_set() {
            return;
        }
        let _ = Python::try_attach(|py| {
            let callable = {
                let callable = self.watcher.callable.lock().unwrap_or_else(PoisonError::into_inner);
                callable.as_ref().map(|callable| callable.clone_ref(py))
            };
            let Some(callable) = callable else { return };
            let called = batch(py, noted).and_then(|batch| callable.bind(py).call1((batch,)).map(drop));
            if let Err(error) = called {
                self.watcher.pending.set(error);
            }
        });
    }
}

fn batch(py: Python<'_>, noted: Vec<Noted>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for one in noted {
        match one {
            Noted::Address(address) => list.append(address)?,
            Noted::Event(kind, fields) => {
                let dict = PyDict::new(py);
                dict.set_item("kind", kind)?;
                fields.into_iter().try_for_each(|(name, value)| dict.set_item(name, value))?;
                list.append(dict)?;
            }
        }
    }
    Ok(list)
}

impl Observer for Batches {
    fn interest(&self) -> Interest {
        // The end of a call is an event.
        Interest::EVENTS
            | match self.watcher.what {
                What::Events => Interest::EVENTS,
                What::Blocks => Interest::BLOCKS,
                What::Instructions => Interest::BEFORE,
            }
    }

    fn block(&mut self, _: &View<'_>, insns: &[Instruction]) {
        if let (What::Blocks, Some(first)) = (self.watcher.what, insns.first()) {
            self.note(Noted::Address(first.ip()));
        }
    }

    fn before(&mut self, _: &View<'_>, insn: &Instruction) {
        if self.watcher.what == What::Instructions {
            self.note(Noted::Address(insn.ip()));
        }
    }

    fn event(&mut self, _: &View<'_>, event: &Event) {
        if self.watcher.what == What::Events {
            let (kind, fields) = fields(event);
            self.note(Noted::Event(kind, fields));
        }
        if matches!(event, Event::CallEnded(_)) {
            self.flush();
        }
    }
}

/// An event as a word and numbers.
fn fields(event: &Event) -> (&'static str, Vec<(&'static str, u64)>) {
    match *event {
        Event::CallBegins { func, sp, stack } => {
            ("call_begins", vec![("func", func), ("sp", sp), ("stack", stack)])
        }
        Event::StackGrew { func, from, to } => {
            ("stack_grew", vec![("func", func), ("from", from), ("to", to)])
        }
        Event::StackMoved { from, to } => ("stack_moved", vec![("from", from), ("to", to)]),
        Event::DeferPushed { record, closure, func, sp, .. } => {
            ("defer_pushed", vec![("record", record), ("closure", closure), ("func", func), ("sp", sp)])
        }
        Event::DeferRuns { record, closure, func, sp } => {
            ("defer_runs", vec![("record", record), ("closure", closure), ("func", func), ("sp", sp)])
        }
        Event::DefersDone => ("defers_done", vec![]),
        Event::DefersLeftToRuntime => ("defers_left_to_runtime", vec![]),
        Event::Panicking { ty, data } => ("panicking", vec![("type", ty), ("data", data)]),
        Event::RecoverCalled => ("recover_called", vec![]),
        Event::Recovered => ("recovered", vec![]),
        Event::FaultBecomesPanic(fault) => ("fault_becomes_panic", vec![("pc", fault.pc)]),
        Event::Allocated { addr, size, ty } => {
            ("allocated", vec![("address", addr), ("size", size), ("type", ty)])
        }
        Event::GoroutineStarted { goroutine, func } => {
            ("goroutine_started", vec![("goroutine", goroutine), ("func", func)])
        }
        Event::GoroutineSwitched { from, to } => ("goroutine_switched", vec![("from", from), ("to", to)]),
        Event::Syscall { number, result, .. } => {
            ("syscall", vec![("number", number), ("result", result as u64)])
        }
        Event::Unreadable { addr } => ("unreadable", vec![("address", addr)]),
        Event::CallEnded(_) => ("call_ended", vec![]),
        _ => ("other", vec![]),
    }
}

/// An observer, to be taken away with `remove`.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Observing {
    program: Py<Program>,
    watcher: Arc<Watcher>,
}

#[pymethods]
impl Observing {
    /// Takes it away.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        let program = self.program.get();
        {
            let mut list = program.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
            list.retain(|watcher| !Arc::ptr_eq(watcher, &self.watcher));
        }
        let old = self.watcher.callable.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(old);
        program.with(py, |machine| observe_again(machine, &program.watchers))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.remove(py)
    }
}

/// Gives the machine its observers anew.
fn observe_again(machine: &mut goemu::Machine, watchers: &Watchers) {
    machine.unobserve();
    for watcher in watchers.all() {
        machine.observe(Batches { watcher, noted: Vec::new() });
    }
}

#[pymethods]
impl Program {
    /// Calls `see` with lists of what happens in calls: `events` of Go's runtime (dicts), the addresses of `blocks`, or of
    /// `instructions`. A list has `batch` items, and fewer at the end of a call.
    ///
    /// >>> with p.observe(lambda blocks: print(len(blocks)), "blocks"):
    /// ...     p.main.fib(1)
    /// 3
    /// 1
    #[pyo3(signature = (see, what="events", *, batch=4096))]
    fn observe(slf: &Bound<'_, Self>, see: Py<PyAny>, what: &str, batch: usize) -> PyResult<Observing> {
        let what = match what {
            "events" => What::Events,
            "blocks" => What::Blocks,
            "instructions" => What::Instructions,
            other => {
                let text = format!("nothing called {other} can be observed: events, blocks, instructions");
                return Err(PyValueError::new_err(text));
            }
        };
        let (py, program) = (slf.py(), slf.get());
        if !see.bind(py).is_callable() {
            return Err(pyo3::exceptions::PyTypeError::new_err("an observer is a function"));
        }
        let pending = program.pending.clone();
        let watcher =
            Watcher { what, batch: batch.clamp(1, 1 << 20), callable: Mutex::new(Some(see)), pending };
        let watcher = Arc::new(watcher);
        let added = Arc::clone(&watcher);
        program.with(py, move |machine| machine.observe(Batches { watcher: added, noted: Vec::new() }))?;
        program.watchers.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&watcher));
        Ok(Observing { program: slf.clone().unbind(), watcher })
    }
}

/// Which blocks ran: first address, end.
#[derive(Clone, Default)]
struct Blocks(Arc<Mutex<HashSet<(u64, u64)>>>);

impl Observer for Blocks {
    fn interest(&self) -> Interest {
        Interest::BLOCKS
    }

    fn block(&mut self, _: &View<'_>, insns: &[Instruction]) {
        if let (Some(first), Some(last)) = (insns.first(), insns.last()) {
            let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.insert((first.ip(), last.next_ip()));
        }
    }
}

/// One step of a trace.
#[pyclass(module = "goemu", frozen)]
#[derive(Clone)]
pub(crate) struct TraceRecord {
    /// `step`, `call`, `return`, `event`, `written`, `stack_check`.
    #[pyo3(get)]
    kind: &'static str,
    /// The record in words; an instruction in Go's syntax.
    #[pyo3(get)]
    text: String,
    /// The function.
    #[pyo3(get)]
    func: String,
    /// The instruction's address; 0 where it is none.
    #[pyo3(get)]
    address: u64,
    /// Calls around it.
    #[pyo3(get)]
    depth: usize,
    /// The registers that an instruction wrote.
    #[pyo3(get)]
    registers: Vec<(String, u64)>,
    /// The memory that it read and wrote: address, bytes, whether it was written.
    #[pyo3(get)]
    memory: Vec<(u64, usize, bool)>,
    /// The source line.
    #[pyo3(get)]
    line: Option<(String, u32)>,
}

#[pymethods]
impl TraceRecord {
    fn __repr__(&self) -> String {
        format!("<{} {}>", self.kind, self.text)
    }

    fn __str__(&self) -> String {
        match self.kind {
            "step" => format!("{:#x} {:<26} {}", self.address, self.func, self.text),
            _ => format!("{}{}", "  ".repeat(self.depth.min(40)), self.text),
        }
    }
}

/// Keeps the first records of a run.
#[derive(Clone)]
struct Keeping {
    detail: Detail,
    most: usize,
    kept: Arc<Mutex<(Vec<TraceRecord>, u64)>>,
}

impl Sink for Keeping {
    fn detail(&self) -> Detail {
        self.detail
    }

    fn record(&mut self, record: &TraceOf<'_>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0.len() >= self.most {
            kept.1 += 1;
            return;
        }
        kept.0.push(owned(record));
    }
}

fn owned(record: &TraceOf<'_>) -> TraceRecord {
    let plain = |kind, text: String, func: &str, depth| TraceRecord {
        kind,
        text,
        func: func.to_owned(),
        address: 0,
        depth,
        registers: Vec::new(),
        memory: Vec::new(),
        line: None,
    };
    match record {
        TraceOf::Step(step) => TraceRecord {
            address: step.instruction().ip(),
            registers: step.registers().map(|(name, value)| (name.to_owned(), value[0] as u64)).collect(),
            memory: step.memory().map(|effect| (effect.addr, effect.size, effect.written)).collect(),
            line: step.position().map(|position| (position.file.clone(), position.line)),
            ..plain("step", step.code().to_owned(), step.place(), 0)
        },
        TraceOf::StackCheck(check) => plain("stack_check", check.to_string(), &check.func, 0),
        TraceOf::Written(written) => plain("written", written.to_string(), "", 0),
        TraceOf::Call(call) => {
            let kind = if matches!(call.kind, CallKind::Returned(_)) { "return" } else { "call" };
            plain(kind, call.to_string(), &call.func, call.depth)
        }
        TraceOf::Event(event) => plain("event", event.words.to_owned(), "", 0),
        _ => plain("other", String::new(), "", 0),
    }
}

#[pymethods]
impl Function {
    /// Calls it and gives the trace: `calls`, `events` or `instructions`, a list of records with the call's report.
    ///
    /// >>> p.main.fib.trace(1)[-1]
    /// <event returned: 1>
    #[pyo3(signature = (*args, detail="calls", most=1_000_000))]
    fn trace<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        detail: &str,
        most: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let detail = match detail {
            "calls" => Detail::Calls,
            "events" => Detail::Events,
            "instructions" => Detail::Instructions,
            other => {
                let text = format!("no detail {other}: calls, events, instructions");
                return Err(PyValueError::new_err(text));
            }
        };
        let sink = Keeping { detail, most, kept: Arc::default() };
        let kept = Arc::clone(&sink.kept);
        let report = self.observed(py, args, move |machine| machine.observe(Recorder::with_sink(sink)))?;
        let (records, more) = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        let records = PyList::new(py, records)?;
        py.import("goemu._watch")?.getattr("Trace")?.call1((records, report, more))
    }

    /// Calls it and gives its coverage: lines and blocks that ran.
    ///
    /// >>> p.main.fib.coverage(1)
    /// <goemu.Coverage 3 lines, 3 blocks>
    #[pyo3(signature = (*args))]
    fn coverage<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let blocks = Blocks::default();
        let seen = blocks.clone();
        let report = self.observed(py, args, move |machine| machine.observe(blocks))?;
        let seen = std::mem::take(&mut *seen.0.lock().unwrap_or_else(PoisonError::into_inner));
        let image = self.program.get().image();
        let mut lines = HashSet::new();
        for &(start, end) in &seen {
            let mut sources = image.func_at(start).map(|func| func.lines());
            for address in start..end.min(start.saturating_add(4096)) {
                if let Some(line) = sources.as_mut().and_then(|sources| sources.at(address)) {
                    lines.insert((line.file.to_owned(), line.line));
                }
            }
        }
        py.import("goemu._watch")?.getattr("Coverage")?.call1((lines, seen, report))
    }
}

impl Function {
    /// Calls it with one more observer.
    fn observed<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        observe: impl FnOnce(&mut goemu::Machine) + Send,
    ) -> PyResult<Bound<'py, Report>> {
        let program = self.program.get();
        let held = program.callables.hold();
        let values = self.values(py, args, &held)?;
        let watchers = program.watchers.clone();
        let report = program.report(py, |machine| {
            observe(machine);
            let report = self.function.call(machine, &values);
            observe_again(machine, &watchers);
            report
        })?;
        Bound::new(py, Report::new(self.program.clone_ref(py), self.function.name(), report))
    }
}
