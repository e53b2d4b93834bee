//! Calls under way: stepped, stopped and looked into.

mod registers;

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use goemu::go::read::Reader;
use goemu::memory::Memory as GuestMemory;
use goemu::session::Suspended;
use goemu::{Error, Stop};
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice, PyTuple};

use crate::callables::Holding;
use crate::context::Context;
use crate::convert::Converter;
use crate::errors;
use crate::function::Function;
use crate::program::{Program, function_name};
use crate::report::Report;
use crate::types::GoType;
use crate::view;
pub(crate) use registers::Registers;

/// Bytes that are read at once.
pub(crate) const MOST: u64 = 1 << 30;

/// A call under way. `f.start(...)` gives it; as a context manager it is closed at the end.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Session {
    program: Py<Program>,
    func: String,
    /// `None` once it is closed or finished.
    state: Mutex<Option<Suspended>>,
    /// Python functions among its arguments.
    _held: Holding,
}

fn word(stop: Stop) -> &'static str {
    match stop {
        Stop::Stepped => "stepped",
        Stop::Breakpoint => "breakpoint",
        Stop::Ended => "ended",
        Stop::Paused => "paused",
        Stop::Beginning => "beginning",
    }
}

impl Session {
    /// Does something with the session, which the machine is given to for that long. It runs nothing: views of memory may be in use.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut goemu::Session<'_>) -> T + Send,
    ) -> PyResult<T> {
        let mut held = {
            let taken = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
            Some(taken.ok_or_else(|| PyRuntimeError::new_err("the session is closed, or in use"))?)
        };
        let cell = &mut held;
        let done = self.program.get().with_session(py, move |machine| {
            let mut session = cell.take()?.attach(machine);
            let done = act(&mut session);
            *cell = Some(session.suspend());
            Some(done)
        });
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = held;
        done?.ok_or_else(|| PyRuntimeError::new_err("the session is closed"))
    }

    fn go(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut goemu::Session<'_>) -> Result<Stop, Error> + Send,
    ) -> PyResult<&'static str> {
        let gone = self.with(py, |session| match session.machine().memory().leases() {
            0 => Ok(act(session)),
            leases => Err(leases),
        })?;
        match gone {
            Ok(stop) => stop.map(word).map_err(|error| errors::from(py, &error)),
            Err(leases) => Err(view::in_use(leases)),
        }
    }

    /// The session, to be ended; refused while views of its memory are in use.
    fn taken(&self, py: Python<'_>) -> PyResult<Option<Suspended>> {
        let taken = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(suspended) = taken else { return Ok(None) };
        let leases = match suspended.started() {
            Some(machine) => Ok(machine.memory().leases()),
            None => self.program.get().with_session(py, |machine| machine.memory().leases()),
        };
        if let Ok(leases @ 1..) = leases {
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(suspended);
            return Err(view::in_use(leases));
        }
        self.program.get().in_session.store(false, Ordering::Release);
        leases.map(|_| Some(suspended))
    }

    fn end(&self) -> Option<Suspended> {
        let taken = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        if taken.is_some() {
            self.program.get().in_session.store(false, Ordering::Release);
        }
        taken
    }

    fn address(&self, at: &Bound<'_, PyAny>) -> PyResult<u64> {
        let name = function_name(at)?;
        if let Some(address) = name.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            return Ok(address);
        }
        let found = goemu::go::names::find(self.program.get().image(), &name);
        found.map(|func| func.entry()).map_err(|error| errors::from(at.py(), &error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Where the machine is busy, or Python ends, the call is given up without it.
        let _ = Python::try_attach(|py| self.close(py));
        self.end();
    }
}

#[pymethods]
impl Function {
    /// Begins a call, to be stepped, stopped and looked into.
    ///
    /// >>> with p.main.fib.start(10) as s:
    /// ...     s.reg.rax = 7
    /// ...     print(s.func, s.finish().value)
    /// main.fib 13
    #[pyo3(signature = (*args))]
    fn start(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Session> {
        let program = self.program.get();
        let held = program.callables.hold();
        let values = self.values(py, args, &held)?;
        if program.in_session.swap(true, Ordering::AcqRel) {
            return Err(PyRuntimeError::new_err(
                "a session of this program is open: close it first, or begin on p.clone()",
            ));
        }
        program.next_serial();
        let begun = program.with_any(py, |machine| Ok(self.function.start(machine, &values)?.suspend()));
        let begun = begun.and_then(|begun| begun.map_err(|error: Error| errors::from(py, &error)));
        let suspended = begun.inspect_err(|_| program.in_session.store(false, Ordering::Release))?;
        let state = Mutex::new(Some(suspended));
        Ok(Session {
            program: self.program.clone_ref(py),
            func: self.function.name().to_owned(),
            state,
            _held: held,
        })
    }
}

#[pymethods]
impl Session {
    /// Executes instructions, or the hooks at them: `stepped`, or `ended` where the call is over.
    #[pyo3(signature = (count=1))]
    fn step(&self, py: Python<'_>, count: u64) -> PyResult<&'static str> {
        self.go(py, |session| {
            let mut stop = Stop::Stepped;
            for _ in 0..count {
                stop = session.step()?;
                if stop == Stop::Ended {
                    break;
                }
            }
            Ok(stop)
        })
    }

    /// Runs to the next breakpoint or the end of the call.
    fn resume(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.go(py, |session| session.resume())
    }

    /// Runs as `resume`, for so many instructions at most: `paused` after them.
    fn resume_for(&self, py: Python<'_>, instructions: u64) -> PyResult<&'static str> {
        self.go(py, move |session| session.resume_for(instructions))
    }

    /// Goes back by one step; `beginning` where there is none.
    fn step_back(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.go(py, |session| session.step_back())
    }

    /// Goes back to the breakpoint before, or to the beginning.
    fn resume_back(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.go(py, |session| session.resume_back())
    }

    /// Goes to a position, back or forth.
    fn go_to(&self, py: Python<'_>, position: u64) -> PyResult<&'static str> {
        self.go(py, move |session| session.go_to(position))
    }

    /// Steps taken since the call began.
    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |session| session.position())
    }

    /// The goroutines of the call, the running one first: number, what it does, where it goes on.
    #[getter]
    fn goroutines(&self, py: Python<'_>) -> PyResult<Vec<(u64, String, u64)>> {
        self.with(py, |session| {
            let all = session.goroutines().into_iter();
            all.map(|goroutine| (goroutine.number, goroutine.status, goroutine.at.pc)).collect()
        })
    }

    /// Runs to an address or the beginning of a function, to a breakpoint, or to the end of the call.
    fn run_to(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        let address = self.address(at)?;
        self.go(py, move |session| session.run_to(address))
    }

    /// Stops before the instruction at an address or at the beginning of a function.
    fn break_at(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<u64> {
        let address = self.address(at)?;
        self.with(py, |session| session.add_breakpoint(address))?;
        Ok(address)
    }

    /// Takes a breakpoint away; whether there was one.
    fn clear(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<bool> {
        let address = self.address(at)?;
        self.with(py, |session| session.remove_breakpoint(address))
    }

    /// The addresses of the breakpoints.
    #[getter]
    fn breakpoints(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        let mut all = self.with(py, |session| session.breakpoints().iter().copied().collect::<Vec<_>>())?;
        all.sort_unstable();
        Ok(all)
    }

    /// Runs to the end of the call, past all breakpoints: its report. The session is over then.
    fn finish(&self, py: Python<'_>) -> PyResult<Report> {
        let Some(suspended) = self.taken(py)? else {
            return Err(PyRuntimeError::new_err("the session is closed, or in use"));
        };
        let report = self.program.get().with_any(py, move |machine| suspended.attach(machine).finish())?;
        let report = report.map_err(|error| errors::from(py, &error))?;
        Ok(Report::new(self.program.clone_ref(py), &self.func, report))
    }

    /// Ends the session; the call is given up. While views of its memory are in use, that raises `BufferError`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.taken(py)? {
            Some(suspended) => {
                self.program.get().with_any(py, move |machine| drop(suspended.attach(machine)))
            }
            None => Ok(()),
        }
    }

    /// Whether the call is over.
    #[getter]
    fn is_over(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |session| session.is_over())
    }

    /// Instructions executed so far.
    #[getter]
    fn instructions(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |session| session.instructions())
    }

    /// The address of the instruction that is next.
    #[getter]
    fn pc(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |session| session.machine().cpu().rip)
    }

    /// The function that is running.
    #[getter]
    fn func(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let pc = self.pc(py)?;
        Ok(self.program.get().image().func_at(pc).map(|func| func.name().to_owned()))
    }

    /// The source line: file and number.
    #[getter]
    fn line(&self, py: Python<'_>) -> PyResult<Option<(String, u32)>> {
        let pc = self.pc(py)?;
        Ok(self.program.get().image().line_at(pc).map(|line| (line.file.to_owned(), line.line)))
    }

    /// The instruction that is next, in Go's syntax.
    #[getter]
    fn instruction(&self, py: Python<'_>) -> PyResult<String> {
        let pc = self.pc(py)?;
        let image = self.program.get().image();
        let func = image.func_at(pc);
        let line =
            func.and_then(|func| goemu::disasm::disassemble(image, &func).find(|line| line.address == pc));
        Ok(line.map_or_else(|| "?".to_owned(), |line| line.text))
    }

    /// The registers: `s.reg.rax`, to be read and written.
    #[getter]
    fn reg(slf: &Bound<'_, Self>) -> Registers {
        Registers::of_session(slf.clone().unbind())
    }

    /// The memory: `s.mem[a:b]`, to be read and written.
    #[getter]
    fn mem(slf: &Bound<'_, Self>) -> Memory {
        Memory { of: Of::Session(slf.clone().unbind()) }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        format!("<goemu.Session {}>", self.func)
    }
}

/// Whose memory.
enum Of {
    Program(Py<Program>),
    Session(Py<Session>),
    Hook(Py<Context>),
}

/// Guest memory: of a session, at a hook, or of a program after its last call. `mem[a:b]` is bytes, `mem[a]` one of them; both can be
/// assigned. `mem.view(a, size)` is the bytes in place, for NumPy and others, which may write them.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct Memory {
    of: Of,
}

impl Memory {
    pub(crate) fn of_hook(context: Py<Context>) -> Memory {
        Memory { of: Of::Hook(context) }
    }

    fn program(&self) -> &Py<Program> {
        match &self.of {
            Of::Program(program) => program,
            Of::Session(session) => &session.get().program,
            Of::Hook(context) => &context.get().program,
        }
    }

    fn see<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&GuestMemory) -> T + Send) -> PyResult<T> {
        match &self.of {
            Of::Program(program) => program.get().with_memory(py, |machine| act(machine.memory())),
            Of::Session(session) => session.get().with(py, |session| act(session.machine().memory())),
            Of::Hook(context) => context.get().with(|guest| act(&guest.memory)),
        }
    }

    /// Does something with the memory that is no change of its map.
    pub(crate) fn change<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut GuestMemory) -> T + Send,
    ) -> PyResult<T> {
        match &self.of {
            Of::Program(program) => program.get().with_memory(py, |machine| act(machine.memory_mut())),
            Of::Session(session) => session.get().with(py, |session| act(session.memory_mut())),
            Of::Hook(context) => context.get().with(|guest| act(&mut guest.memory)),
        }
    }

    fn load(&self, py: Python<'_>, address: u64, len: u64) -> PyResult<Vec<u8>> {
        if len > MOST {
            return Err(PyValueError::new_err(format!("{len} bytes are too many at once")));
        }
        let read = self.see(py, move |memory| {
            let mut bytes = Vec::new();
            // In steps, so that a length that lies costs no more than there is.
            while (bytes.len() as u64) < len {
                let (at, done) = (address.wrapping_add(bytes.len() as u64), bytes.len());
                bytes.resize(done + (len - done as u64).min(1 << 16) as usize, 0);
                let part = bytes.get_mut(done..).unwrap_or_default();
                memory.read_bytes(at, part).map_err(|fault| no_memory(fault.addr))?;
            }
            Ok::<_, String>(bytes)
        })?;
        read.map_err(|why| errors::own(py, "MemoryFault", &why))
    }

    fn store(&self, py: Python<'_>, address: u64, bytes: &[u8]) -> PyResult<()> {
        fn put(memory: &mut GuestMemory, address: u64, bytes: &[u8]) -> Result<(), String> {
            if let Err(fault) = memory.write_bytes(address, bytes) {
                // What the guest may not write, its owner may, where there is memory.
                memory.read_bytes(address, &mut vec![0; bytes.len()]).map_err(|_| no_memory(fault.addr))?;
                memory.poke(address, bytes).map_err(|error| error.to_string())?;
            }
            Ok(())
        }
        self.change(py, |memory| put(memory, address, bytes))?
            .map_err(|why| errors::own(py, "MemoryFault", &why))
    }
}

fn no_memory(address: u64) -> String {
    format!("no memory at {address:#x}")
}

fn bounds(slice: &Bound<'_, PySlice>) -> PyResult<(u64, u64)> {
    let part = |name: &str| slice.getattr(name);
    let (start, stop, step) = (part("start")?, part("stop")?, part("step")?);
    if start.is_none()
        || stop.is_none()
        || !(step.is_none() || step.extract::<i64>().is_ok_and(|step| step == 1))
    {
        return Err(PyIndexError::new_err("memory is read as mem[start:stop]"));
    }
    let (start, stop) = (start.extract::<u64>()?, stop.extract::<u64>()?);
    let len = stop.checked_sub(start).ok_or_else(|| PyIndexError::new_err("the end is before the start"))?;
    Ok((start, len))
}

#[pymethods]
impl Memory {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let (start, len) = bounds(slice)?;
            return Ok(PyBytes::new(py, &self.load(py, start, len)?).into_any());
        }
        let bytes = self.load(py, key.extract::<u64>()?, 1)?;
        Ok(bytes.first().copied().unwrap_or_default().into_pyobject(py)?.into_any())
    }

    fn __setitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let (start, len) = bounds(slice)?;
            if value.is_instance_of::<pyo3::types::PyInt>() || value.is_instance_of::<pyo3::types::PyString>()
            {
                return Err(PyTypeError::new_err("memory is assigned bytes, or what has a buffer"));
            }
            let bytes = py.get_type::<PyBytes>().call1((value,))?;
            let bytes = bytes.cast::<PyBytes>()?.as_bytes();
            if bytes.len() as u64 != len {
                return Err(PyValueError::new_err(format!("{} bytes given for {len}", bytes.len())));
            }
            return self.store(py, start, bytes);
        }
        self.store(py, key.extract::<u64>()?, &[value.extract::<u8>()?])
    }

    /// `size` bytes.
    fn read<'py>(&self, py: Python<'py>, address: u64, size: u64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.load(py, address, size)?))
    }

    /// The little-endian word of 8 bytes, or of `size`.
    #[pyo3(signature = (address, size=8))]
    fn word(&self, py: Python<'_>, address: u64, size: u64) -> PyResult<u64> {
        if !(1..=8).contains(&size) {
            return Err(PyValueError::new_err("a word has 1 to 8 bytes"));
        }
        let bytes = self.load(py, address, size)?;
        Ok(bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }

    /// The value of a Go type that is at an address.
    fn value<'py>(
        &self,
        py: Python<'py>,
        address: u64,
        r#type: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let program = self.program().bind(py);
        let ty = match r#type.cast::<GoType>() {
            Ok(ty) => ty.get().ty.clone(),
            Err(_) => crate::types::find(program, &r#type.extract::<String>()?)?.ty,
        };
        let image = program.get().image();
        let value = self.see(py, |memory| Reader::new(memory, &**image).at(&ty, address))?;
        Converter::of_call(program, program.get().serial()).object(&value)
    }

    /// Whether there is memory at an address.
    fn __contains__(&self, py: Python<'_>, address: u64) -> PyResult<bool> {
        self.see(py, move |memory| memory.perm(address).is_some())
    }

    fn __repr__(&self) -> String {
        format!("<memory of {} segments>", self.program().get().image().segments().len())
    }
}

#[pymethods]
impl Program {
    /// The memory as the last call has left it. What is written there stays if it is kept (`p.keep()`).
    #[getter]
    fn mem(slf: &Bound<'_, Self>) -> Memory {
        Memory { of: Of::Program(slf.clone().unbind()) }
    }
}
