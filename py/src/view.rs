//! Guest memory as a buffer of Python's: its bytes where they lie, without a copy.
//!
//! This is the only file of the crate with `unsafe`. Python's buffer protocol is two functions in C. They are put into a type by hand,
//! because PyO3 knows them from Python 3.11 on only; the interpreter has taken them since 3.9, and the structure has been the same.

#![allow(unsafe_code, reason = "the buffer protocol is in C; every block states why it is sound")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use goemu::memory::{Access, Cause, Lease, MemFault, Memory as GuestMemory};
use pyo3::exceptions::{PyBufferError, PyRuntimeError, PyValueError};
use pyo3::ffi::{self, Py_ssize_t};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyMemoryView, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::errors;
use crate::session::{MOST, Memory};

/// A range of guest memory as a buffer: `numpy.frombuffer(view)` and `memoryview(view)` read and write the guest's own bytes. In a `with`
/// block it is a `memoryview`.
///
/// While a buffer is in use, the program makes no calls, goes nowhere and is not closed: that raises `BufferError`.
#[pyclass(module = "goemu", name = "_MemoryRange", frozen, subclass)]
pub(crate) struct MemoryRange {
    memory: Py<Memory>,
    address: u64,
    size: u64,
    writable: bool,
    /// What `with` blocks were given.
    entered: Mutex<Vec<Py<PyMemoryView>>>,
}

/// `Py_buffer`: Python's limited API has it from 3.11 on, as it was since 3.0.
#[repr(C)]
struct Buffer {
    buf: *mut c_void,
    obj: *mut ffi::PyObject,
    len: Py_ssize_t,
    itemsize: Py_ssize_t,
    readonly: c_int,
    ndim: c_int,
    format: *mut c_char,
    shape: *mut Py_ssize_t,
    strides: *mut Py_ssize_t,
    suboffsets: *mut Py_ssize_t,
    internal: *mut c_void,
}

/// Flags of who asks for a buffer.
const WRITABLE: c_int = 1;
const FORMAT: c_int = 4;
const SHAPE: c_int = 8;
const STRIDES: c_int = 16;

/// Bytes are unsigned.
const BYTES: &CStr = c"B";

impl MemoryRange {
    /// The memory, lent until it is dropped.
    fn lend(&self, py: Python<'_>) -> PyResult<Result<Lease, MemFault>> {
        let (address, size) = (self.address, self.size as usize);
        let access = if self.writable { Access::Write } else { Access::Read };
        self.memory.get().change(py, move |memory| memory.lend(address, size, access))
    }
}

/// What runs, maps or restores memory is refused while it is lent.
pub(crate) fn not_lent(memory: &GuestMemory) -> PyResult<()> {
    match memory.leases() {
        0 => Ok(()),
        leases => Err(in_use(leases)),
    }
}

/// What the refusal says.
pub(crate) fn in_use(leases: usize) -> PyErr {
    PyBufferError::new_err(format!(
        "existing exports of data: {leases} of the program's memory; delete the arrays and memoryviews of it first"
    ))
}

/// Why memory is not lent.
fn refusal(fault: MemFault) -> String {
    let at = fault.addr;
    match (fault.cause, fault.access) {
        (Cause::Unmapped, _) => format!("no memory at {at:#x}"),
        (Cause::Limit, _) => format!("no room to keep the memory at {at:#x} as it was: see max_memory"),
        (Cause::Denied, Access::Write) => format!(
            "the guest does not write at {at:#x}, so that it cannot be written in place: \
             view it with writable=False, or assign mem[a:b]"
        ),
        (Cause::Denied, _) => format!("the guest may not read at {at:#x}"),
    }
}

/// The type of views: `MemoryRange`, with the buffer protocol.
pub(crate) fn view_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let made = TYPE.get_or_try_init(py, || {
        let base = PyTuple::new(py, [py.get_type::<MemoryRange>()])?;
        let slot = |slot, pfunc| ffi::PyType_Slot { slot, pfunc };
        let mut slots = [
            slot(ffi::Py_bf_getbuffer, get_buffer as *mut c_void),
            slot(ffi::Py_bf_releasebuffer, release_buffer as *mut c_void),
            slot(ffi::Py_tp_doc, c"Guest memory as a buffer, from `mem.view`.".as_ptr().cast_mut().cast()),
            slot(0, std::ptr::null_mut()),
        ];
        let mut spec = ffi::PyType_Spec {
            name: c"goemu.MemoryView".as_ptr(),
            // Those of the base.
            basicsize: 0,
            itemsize: 0,
            flags: ffi::Py_TPFLAGS_DEFAULT as _,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the specification lives until the call is over, its slots end with 0, and its functions have the types of their
        // slots. What it gives is a new reference, or null with an exception.
        let made = unsafe {
            let made = ffi::PyType_FromSpecWithBases(&mut spec, base.as_ptr());
            Bound::from_owned_ptr_or_err(py, made)?
        };
        Ok::<_, PyErr>(made.cast_into::<PyType>()?.unbind())
    })?;
    Ok(made.bind(py))
}

/// The buffer protocol: gives the bytes of a view.
unsafe extern "C" fn get_buffer(view: *mut ffi::PyObject, buffer: *mut Buffer, flags: c_int) -> c_int {
    // SAFETY: Python calls this attached, with a view that lives meanwhile and a buffer to be filled.
    let (py, view, buffer) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, view), &mut *buffer)
    };
    buffer.obj = std::ptr::null_mut();
    let filled = catch_unwind(AssertUnwindSafe(|| fill(py, &view, buffer, flags)));
    match filled.unwrap_or_else(|_| Err(PyRuntimeError::new_err("a view of memory failed"))) {
        Ok(()) => 0,
        Err(error) => {
            error.restore(py);
            -1
        }
    }
}

fn fill(py: Python<'_>, view: &Bound<'_, PyAny>, buffer: &mut Buffer, flags: c_int) -> PyResult<()> {
    let range = view.cast::<MemoryRange>()?.get();
    if flags & WRITABLE != 0 && !range.writable {
        return Err(PyBufferError::new_err("this view of memory is not writable"));
    }
    let lent = range.lend(py).map_err(|error| PyBufferError::new_err(error.value(py).to_string()))?;
    let lease = lent.map_err(|fault| PyBufferError::new_err(refusal(fault)))?;
    let asked = |flag: c_int| flags & flag == flag;
    buffer.buf = lease.as_ptr().cast();
    buffer.len = lease.len() as Py_ssize_t;
    buffer.itemsize = 1;
    buffer.readonly = c_int::from(!range.writable);
    buffer.ndim = 1;
    buffer.format = if asked(FORMAT) { BYTES.as_ptr().cast_mut() } else { std::ptr::null_mut() };
    buffer.shape = if asked(SHAPE) { &raw mut buffer.len } else { std::ptr::null_mut() };
    buffer.strides = if asked(STRIDES) { &raw mut buffer.itemsize } else { std::ptr::null_mut() };
    buffer.suboffsets = std::ptr::null_mut();
    buffer.internal = Box::into_raw(Box::new(lease)).cast();
    buffer.obj = view.clone().into_ptr();
    Ok(())
}

/// The buffer protocol: the bytes that a view gave are no longer in use.
unsafe extern "C" fn release_buffer(_view: *mut ffi::PyObject, buffer: *mut Buffer) {
    // SAFETY: Python calls this once for each buffer that was filled, which has a lease in `internal`; it lets go of `obj` itself.
    unsafe {
        let internal = std::mem::replace(&mut (*buffer).internal, std::ptr::null_mut());
        if !internal.is_null() {
            drop(Box::from_raw(internal.cast::<Lease>()));
        }
    }
}

#[pymethods]
impl MemoryRange {
    #[new]
    #[pyo3(signature = (memory, address, size, *, writable=true))]
    fn new(
        py: Python<'_>,
        memory: Py<Memory>,
        address: u64,
        size: u64,
        writable: bool,
    ) -> PyResult<MemoryRange> {
        if size > MOST {
            return Err(PyValueError::new_err(format!("{size} bytes are too many at once")));
        }
        let range = MemoryRange { memory, address, size, writable, entered: Mutex::default() };
        // What is refused now is told now.
        range.lend(py)?.map_err(|fault| errors::own(py, "MemoryFault", &refusal(fault)))?;
        Ok(range)
    }

    /// The address of the first byte.
    #[getter]
    fn address(&self) -> u64 {
        self.address
    }

    /// Whether it can be written.
    #[getter]
    fn writable(&self) -> bool {
        self.writable
    }

    fn __len__(&self) -> usize {
        self.size as usize
    }

    /// A `memoryview` of the bytes.
    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyMemoryView>> {
        let given = PyMemoryView::from(slf.as_any())?;
        let own = slf.get();
        own.entered.lock().unwrap_or_else(PoisonError::into_inner).push(given.clone().unbind());
        Ok(given)
    }

    /// Gives the `memoryview` back, or, where arrays were made of it that are still there, leaves that to them.
    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let given = self.entered.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match given.map(|given| given.call_method0(py, "release")) {
            Some(Err(error)) if !error.is_instance_of::<PyBufferError>(py) => Err(error),
            _ => Ok(()),
        }
    }

    fn __repr__(&self) -> String {
        format!("<view of {} bytes at {:#x}>", self.size, self.address)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.memory)
    }
}

#[pymethods]
impl Memory {
    /// `size` bytes in place: a buffer, for `numpy.frombuffer` and `memoryview`, which copies nothing.
    ///
    /// Without `writable` it can be of constants and code, too. While a buffer is in use, calls and steps raise `BufferError`.
    ///
    /// >>> with p.main.fib.start(5) as s:
    /// ...     with s.mem.view(s.reg.rsp, 8) as words:
    /// ...         words[0] = 1
    /// ...     s.mem[s.reg.rsp]
    /// 1
    #[pyo3(signature = (address, size, *, writable=true))]
    fn view<'py>(
        slf: &Bound<'py, Self>,
        address: u64,
        size: u64,
        writable: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let named = pyo3::types::PyDict::new(slf.py());
        named.set_item("writable", writable)?;
        view_type(slf.py())?.call((slf, address, size), Some(&named))
    }
}
