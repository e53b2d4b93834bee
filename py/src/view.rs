//! Guest memory as a buffer that can be written: a copy, which is put back.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyTuple};

use crate::session::Memory;

/// Bytes that stand between two changes and are put back with them.
const NEAR: usize = 8;

/// Guest memory for a `with` block: a `bytearray`, which NumPy and others take without a copy and may write. What they have changed is
/// put back at the end of the block; memory goes through the machine, so that calls and snapshots know of it.
#[pyclass(module = "goemu", frozen)]
pub(crate) struct MemoryView {
    pub(crate) memory: Py<Memory>,
    pub(crate) address: u64,
    pub(crate) buffer: Py<PyByteArray>,
    pub(crate) before: Vec<u8>,
}

#[pymethods]
impl MemoryView {
    /// The bytes.
    fn __enter__(&self, py: Python<'_>) -> Py<PyByteArray> {
        self.buffer.clone_ref(py)
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let now = self.buffer.bind(py).to_vec();
        if now.len() != self.before.len() {
            return Err(PyRuntimeError::new_err(format!(
                "the view had {} bytes and has {}: nothing was put back",
                self.before.len(),
                now.len()
            )));
        }
        for (from, to) in changes(&self.before, &now) {
            let part = now.get(from..to).unwrap_or_default();
            self.memory.get().store(py, self.address.wrapping_add(from as u64), part)?;
        }
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<view of {} bytes at {:#x}>", self.before.len(), self.address)
    }
}

/// Where bytes differ, from and to; what is nearly together is one.
fn changes(before: &[u8], now: &[u8]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in before.iter().zip(now).enumerate().filter(|(_, (old, new))| old != new) {
        match found.last_mut() {
            Some((_, to)) if at - *to < NEAR => *to = at + 1,
            _ => found.push((at, at + 1)),
        }
    }
    found
}

#[pymethods]
impl Memory {
    /// `size` bytes to be written through a buffer, in a `with` block.
    ///
    /// >>> with p.main.fib.start(5) as s:
    /// ...     with s.mem.view(s.reg.rsp, 8) as words:
    /// ...         words[0] = 1
    /// ...     s.mem[s.reg.rsp]
    /// 1
    fn view(slf: &Bound<'_, Self>, address: u64, size: u64) -> PyResult<MemoryView> {
        let py = slf.py();
        let before = slf.get().load(py, address, size)?;
        let buffer = PyByteArray::new(py, &before).unbind();
        Ok(MemoryView { memory: slf.clone().unbind(), address, buffer, before })
    }
}
