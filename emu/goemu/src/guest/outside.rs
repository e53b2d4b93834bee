//! What a guest shares with the world outside, where it is given any: the host's clock, signals, input as it comes.
//! Without them a run depends on nothing but its configuration.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cpu::Cpu;
use crate::guest::clock;

/// How often a guest that waits, or runs, looks for signals.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_INSTRUCTIONS: i64 = 4_000_000;

/// Signals that are sent to a guest from another thread: by number.
///
/// ```
/// let signals = goemu::machine::Signals::default();
/// signals.send(2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Signals(Arc<AtomicU64>);

impl Signals {
    /// Sends the guest a signal: 2 is SIGINT. The guest sees it within some milliseconds.
    pub fn send(&self, signal: u8) {
        if (1..64).contains(&signal) {
            self.0.fetch_or(1 << signal, Ordering::SeqCst);
        }
    }

    /// Whether the guest has not seen a signal yet.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }
}

/// One of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Where output goes as it comes.
pub type Sink = Box<dyn FnMut(Stream, &[u8]) -> io::Result<()> + Send>;

/// Where standard input comes from.
type Input = Arc<Mutex<dyn Read + Send>>;

/// What is shared.
#[derive(Clone, Default)]
pub(crate) struct Outside {
    /// When the run began, if the host's clock is the guest's.
    started: Option<Instant>,
    signals: Option<Signals>,
    input: Option<Input>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("started", &self.started)
            .field("signals", &self.signals)
            .finish_non_exhaustive()
    }
}

impl Outside {
    /// The host's clock is the guest's.
    pub(crate) fn share_clock(&mut self) {
        self.started = Some(Instant::now());
    }

    pub(crate) fn share_signals(&mut self, signals: Signals) {
        self.signals = Some(signals);
    }

    pub(crate) fn share_input(&mut self, input: impl Read + Send + 'static) {
        self.input = Some(Arc::new(Mutex::new(input)));
    }

    /// Instructions until the guest looks outside.
    pub(crate) fn slice(&self) -> i64 {
        if self.signals.is_some() { LOOK_INSTRUCTIONS } else { i64::MAX }
    }

    /// Whether a signal may come.
    pub(crate) fn may_signal(&self) -> bool {
        self.signals.is_some()
    }

    /// The signals that have come: bit n is signal n.
    pub(crate) fn take_signals(&self) -> u64 {
        self.signals.as_ref().map_or(0, |signals| signals.0.swap(0, Ordering::SeqCst))
    }

    /// Instructions were executed.
    pub(crate) fn advance(&self, cpu: &mut Cpu, instructions: i64) {
        match self.started {
            Some(started) => clock::jump(cpu, since(started)),
            None => clock::advance(cpu, instructions),
        }
    }

    /// Nothing happens until a deadline. The host's clock is waited for, a while at most.
    pub(crate) fn pass(&self, cpu: &mut Cpu, deadline: u64) {
        let Some(started) = self.started else { return clock::jump(cpu, deadline) };
        let left = Duration::from_nanos(deadline.saturating_sub(since(started)));
        std::thread::sleep(left.min(LOOK));
        clock::jump(cpu, since(started));
    }

    /// Nothing happens unless a signal comes: waits for a while.
    pub(crate) fn wait(&self, cpu: &mut Cpu) {
        std::thread::sleep(LOOK);
        if let Some(started) = self.started {
            clock::jump(cpu, since(started));
        }
    }

    /// Whether input comes from outside.
    pub(crate) fn has_input(&self) -> bool {
        self.input.is_some()
    }

    /// The next bytes of standard input; none at its end. `None`: a signal has come first.
    pub(crate) fn read(&self, most: usize) -> Option<Vec<u8>> {
        let Some(input) = &self.input else { return Some(Vec::new()) };
        let mut bytes = vec![0; most];
        let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
        match input.read(&mut bytes) {
            Ok(count) => bytes.truncate(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => return None,
            Err(_) => bytes.clear(),
        }
        Some(bytes)
    }
}

fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
