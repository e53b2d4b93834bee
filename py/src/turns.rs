//! Threads that use one program take turns.
//!
//! A thread that waits for the machine runs Python only while the one that has it is in a call, and so never finds it free by itself:
//! whoever had it last lets those in that wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

/// How often a thread that waits looks whether the machine is free.
const LOOK: Duration = Duration::from_micros(200);

#[derive(Default)]
pub(crate) struct Turns {
    /// The thread that had the machine last.
    last: AtomicU64,
    waiting: AtomicUsize,
}

/// A thread waits, as long as this lives.
struct Waits<'t>(&'t AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// It is this thread's turn.
    pub(crate) fn take(&self, thread: u64) {
        self.last.store(thread, Ordering::Relaxed);
    }

    /// Before a thread takes the machine: lets in those that wait, if it had the last turn.
    pub(crate) fn let_others_in(&self, py: Python<'_>, thread: u64) {
        if self.waiting.load(Ordering::Relaxed) > 0 && self.last.load(Ordering::Relaxed) == thread {
            py.detach(|| std::thread::sleep(2 * LOOK));
        }
    }

    /// Waits until `ready` gives something.
    ///
    /// # Errors
    /// What a handler of Python's signals raises meanwhile.
    pub(crate) fn wait<T>(&self, py: Python<'_>, ready: impl Fn() -> Option<T>) -> PyResult<T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        loop {
            py.detach(|| std::thread::sleep(LOOK));
            py.check_signals()?;
            if let Some(found) = ready() {
                return Ok(found);
            }
        }
    }
}
