//! What Go's runtime has done in a call so far: found by doing the way again, so that it costs nothing before.

use std::sync::{Arc, Mutex, PoisonError};

use crate::observe::{Event, Interest, Observer, View};
use crate::trace;

/// Events that are kept: the newest.
const MAX_EVENTS: usize = 1 << 16;

/// Something that Go's runtime has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Happened {
    /// The position that led to it: [`Session::go_to`](crate::Session::go_to) goes there.
    pub position: u64,
    /// The kind of event, as traces name it: `defer_pushed`.
    pub kind: &'static str,
    /// The event in words.
    pub words: String,
}

/// Keeps events. Each clone keeps the same ones.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Happened>>>);

impl Log {
    /// Those that came since the last time, which are of the step from this position.
    pub(super) fn take(&self, position: u64, to: &mut Vec<Happened>) {
        let mut new = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        new.iter_mut().for_each(|happened| happened.position = position);
        to.append(&mut new);
        if to.len() > 2 * MAX_EVENTS {
            to.drain(..to.len() - MAX_EVENTS);
        }
    }
}

impl Observer for Log {
    fn interest(&self) -> Interest {
        Interest::EVENTS
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        let happened = Happened { position: 0, kind: event.kind(), words: trace::words_of(at, event) };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_EVENTS {
            kept.push(happened);
        }
    }
}
