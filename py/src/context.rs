//! What a hook sees of the guest while it runs: registers and memory.
//!
//! The guest's processor and memory are moved into an object of Python, and back when the hook has returned. Who keeps the object longer
//! has nothing.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goemu::cpu::Cpu;
use goemu::hook::HookContext;
use goemu::memory::Memory as GuestMemory;
use goemu::{Error, cpu::gpr};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::program::Program;
use crate::session::{Memory, Registers};
use crate::view;

/// What a context has while its hook runs.
pub(crate) struct Guest {
    pub(crate) cpu: Cpu,
    pub(crate) memory: GuestMemory,
}

/// Where the guest is, or nothing once the hook has returned.
type Place = Arc<Mutex<Option<Guest>>>;

/// Memory that stands in for the guest's while a hook has that; it is made once.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Option<GuestMemory>>);

/// The guest, lent to a context until this is dropped.
pub(crate) struct Lent<'a, 'b> {
    cx: &'a mut HookContext<'b>,
    spare: &'a Spare,
    place: Place,
}

impl<'a, 'b> Lent<'a, 'b> {
    pub(crate) fn new(cx: &'a mut HookContext<'b>, spare: &'a Spare) -> Result<Lent<'a, 'b>, Error> {
        let kept = spare.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let empty = kept.map_or_else(|| GuestMemory::new(0), Ok)?;
        let guest = Guest { cpu: mem::take(cx.cpu), memory: mem::replace(cx.memory, empty) };
        Ok(Lent { cx, spare, place: Arc::new(Mutex::new(Some(guest))) })
    }

    /// Whether the memory may be given back: no buffer of it is in use.
    pub(crate) fn may_end(&self) -> PyResult<()> {
        held(&self.place).as_ref().map_or(Ok(()), |guest| view::not_lent(&guest.memory))
    }

    /// The object that the hook is given.
    pub(crate) fn context(&self, program: &Bound<'_, Program>) -> PyResult<Py<Context>> {
        let func = held(&self.place).as_ref().and_then(|guest| self.cx.image.func_at(guest.cpu.rip));
        let func = func.map(|func| func.name().to_owned());
        Py::new(
            program.py(),
            Context { program: program.clone().unbind(), func, place: Arc::clone(&self.place) },
        )
    }
}

impl Drop for Lent<'_, '_> {
    fn drop(&mut self) {
        if let Some(guest) = held(&self.place).take() {
            *self.cx.cpu = guest.cpu;
            let empty = mem::replace(self.cx.memory, guest.memory);
            self.spare.0.lock().unwrap_or_else(PoisonError::into_inner).replace(empty);
        }
    }
}

fn held(place: &Place) -> MutexGuard<'_, Option<Guest>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The guest at a hook, as long as that runs. A hook is given it for a parameter that is annotated `goemu.HookContext`, or for a
/// keyword-only parameter `context`.
///
/// >>> @p.replace("main.itoa")
/// ... def itoa(n, *, context):
/// ...     return f"rax={context.reg.rax}"
/// >>> p.main.itoa(7)
/// 'rax=7'
/// >>> itoa.remove()
/// True
#[pyclass(module = "goemu", name = "HookContext", frozen)]
pub(crate) struct Context {
    pub(crate) program: Py<Program>,
    func: Option<String>,
    place: Place,
}

impl Context {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Guest) -> T) -> PyResult<T> {
        let mut guest = held(&self.place);
        let guest =
            guest.as_mut().ok_or_else(|| PyRuntimeError::new_err("the hook of this context has returned"))?;
        Ok(act(guest))
    }
}

#[pymethods]
impl Context {
    /// The function that the hook stands at.
    #[getter]
    fn func(&self) -> Option<&str> {
        self.func.as_deref()
    }

    /// The registers: `context.reg.rax`, to be read and written.
    #[getter]
    fn reg(slf: &Bound<'_, Self>) -> Registers {
        Registers::of_hook(slf.clone().unbind())
    }

    /// The memory: `context.mem[a:b]`, to be read and written.
    #[getter]
    fn mem(slf: &Bound<'_, Self>) -> Memory {
        Memory::of_hook(slf.clone().unbind())
    }

    /// The address that the function returns to.
    #[getter]
    fn return_address(&self) -> PyResult<u64> {
        let word = self.with(|guest| guest.memory.read(guest.cpu.gpr(gpr::RSP)).map(u64::from_le_bytes))?;
        word.map_err(|fault| PyRuntimeError::new_err(format!("no memory at {:#x}", fault.addr)))
    }

    fn __repr__(&self) -> String {
        format!("<goemu.HookContext {}>", self.func.as_deref().unwrap_or("?"))
    }
}
