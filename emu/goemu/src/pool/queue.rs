//! The jobs of a pool: handed out in order, and not so far ahead of the results that those pile up.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::machine::Interrupt;

/// How often a machine that waits looks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Jobs from an iterator.
pub(super) struct Queue<I: Iterator> {
    source: Mutex<Source<I>>,
    /// Jobs that were handed out; apart from the source, which may wait for input.
    begun: Mutex<usize>,
    /// Results that were given.
    given: Mutex<usize>,
    moved: Condvar,
    window: usize,
}

struct Source<I> {
    jobs: I,
    count: usize,
    empty: bool,
}

impl<I: Iterator> Queue<I> {
    /// At most `window` jobs are begun whose results were not given.
    pub(super) fn new(jobs: I, window: usize) -> Queue<I> {
        Queue {
            source: Mutex::new(Source { jobs, count: 0, empty: false }),
            begun: Mutex::new(0),
            given: Mutex::new(0),
            moved: Condvar::new(),
            window,
        }
    }

    /// The next job with its number, when its turn has come.
    pub(super) fn next(&self, interrupt: &Interrupt) -> Option<(usize, I::Item)> {
        let (number, job) = {
            let mut source = lock(&self.source);
            if source.empty || interrupt.is_raised() {
                return None;
            }
            let Some(job) = source.jobs.next() else {
                source.empty = true;
                return None;
            };
            source.count += 1;
            (source.count - 1, job)
        };
        let mut given = lock(&self.given);
        while number >= given.saturating_add(self.window) && !interrupt.is_raised() {
            given = self.moved.wait_timeout(given, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(given);
        *lock(&self.begun) += 1;
        Some((number, job))
    }

    /// So many results were given.
    pub(super) fn given(&self, count: usize) {
        *lock(&self.given) = count;
        self.moved.notify_all();
    }

    pub(super) fn begun(&self) -> usize {
        *lock(&self.begun)
    }

    /// Whether all jobs were handed out.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.source).empty
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
