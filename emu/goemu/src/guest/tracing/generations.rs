//! Traces of Go 1.22 and later: generations, each of batches of events, of the stacks and of the strings that these name. In each
//! generation every goroutine has an event that says what it does, before any other names it; events that start a goroutine, or make
//! it ready, are counted by goroutine and generation.

use super::{Doing, Event, FREQUENCY, MAX_BATCH, Moment, PROCESSOR, THREAD, Trace, number};

// The kinds of events.
const BATCH: u8 = 1;
const STACKS: u8 = 2;
const STACK: u8 = 3;
const STRINGS: u8 = 4;
const STRING: u8 = 5;
const CLOCK_FREQUENCY: u8 = 8;
const PROCESSORS: u8 = 9;
const PROCESSOR_STATUS: u8 = 13;
const CREATE: u8 = 14;
const START: u8 = 16;
const DESTROY: u8 = 17;
const STOP: u8 = 19;
const BLOCK: u8 = 20;
const UNBLOCK: u8 = 21;
const STATUS: u8 = 25;
const TASK_BEGIN: u8 = 40;
const TASK_END: u8 = 41;
const REGION_BEGIN: u8 = 42;
const REGION_END: u8 = 43;
const LOG: u8 = 44;
const CREATE_BLOCKED: u8 = 47;
const CLOCKS: u8 = 50;
const CLOCK_SNAPSHOT: u8 = 51;
/// The end of a generation, which is a piece of its own.
pub(super) const END: u8 = 52;

/// What stands for no thread.
const NO_THREAD: u64 = u64::MAX;
/// What a processor does: it runs.
const RUNS: u64 = 1;
/// Nanoseconds after which a generation ends.
const PERIOD: u64 = 1_000_000_000;

impl Trace {
    /// A generation begins: its clock, and what each goroutine does.
    pub(super) fn begin_generation(&mut self, moment: Moment) {
        let now = (moment.monotonic / super::UNIT).max(self.last + 1);
        (self.began, self.last, self.from) = (moment.monotonic, now, now);
        let mut clock = Vec::new();
        if self.form.has_clocks() {
            clock.push(CLOCKS);
        }
        [CLOCK_FREQUENCY.into(), FREQUENCY].into_iter().for_each(|n| number(&mut clock, n));
        if self.form.has_clocks() {
            let (seconds, nanoseconds) = moment.wall;
            let snapshot = [CLOCK_SNAPSHOT.into(), 1, moment.monotonic, seconds, nanoseconds];
            snapshot.into_iter().for_each(|n| number(&mut clock, n));
        }
        self.hand_over(None, now, &clock);
        self.write(moment.monotonic, PROCESSOR_STATUS, &[PROCESSOR, RUNS], &[]);
        self.goroutines.values_mut().for_each(|told| told.count = 0);
        for (id, doing) in self.listed() {
            let (thread, status) = match doing {
                Doing::Ready => (NO_THREAD, 1),
                Doing::Runs => (THREAD, 2),
                Doing::Waits => (NO_THREAD, 4),
            };
            self.write(moment.monotonic, STATUS, &[id, thread, status], &[]);
        }
        self.processors = Some(moment.processors);
        self.tell_processors(moment.monotonic);
    }

    pub(super) fn tell_processors(&mut self, now: u64) {
        if self.running.is_some()
            && let Some(processors) = self.processors.take()
        {
            self.write(now, PROCESSORS, &[processors, 0], &[]);
        }
    }

    /// An event's kind and numbers.
    pub(super) fn in_generation(&mut self, event: Event<'_>) -> (u8, Vec<u64>) {
        match event {
            Event::Made { id, waits, own, by } => {
                (if waits { CREATE_BLOCKED } else { CREATE }, vec![id, own, by])
            }
            Event::Waits { reason, stack } => (BLOCK, vec![self.string(reason.as_bytes()), stack]),
            Event::Yields { preempted, stack } => {
                let reason = if preempted { "preempted" } else { "runtime.Gosched" };
                (STOP, vec![self.string(reason.as_bytes()), stack])
            }
            Event::Ends => (DESTROY, vec![]),
            Event::Woken { id, count, by } => (UNBLOCK, vec![id, count, by]),
            Event::Runs { id, count } => (START, vec![id, count]),
            Event::TaskBegins { id, parent, name, stack } => {
                (TASK_BEGIN, vec![id, parent, self.named(name), stack])
            }
            Event::TaskEnds { id, stack } => (TASK_END, vec![id, stack]),
            Event::Region { id, ends, name, stack } => {
                (if ends { REGION_END } else { REGION_BEGIN }, vec![id, self.named(name), stack])
            }
            Event::Log { id, key, text, stack } => (LOG, vec![id, self.named(key), self.named(text), stack]),
        }
    }

    /// The number of a string that has to be told, even if it is empty.
    fn named(&mut self, text: &[u8]) -> u64 {
        if !text.is_empty() {
            return self.string(text);
        }
        let next = 1 + self.strings.len() as u64;
        *self.strings.entry(Vec::new()).or_insert(next)
    }

    /// Whether the generation has lasted as long as generations do.
    pub(crate) fn is_old(&self, now: u64) -> bool {
        self.form.has_generations() && now.saturating_sub(self.began) >= PERIOD
    }

    /// The rest of the events, stacks and strings.
    pub(super) fn end_generation(&mut self) {
        self.flush();
        let now = self.last;
        self.hand_over_all(now, STACKS, STACK, |trace| trace.take_stacks());
        self.hand_over_all(now, STRINGS, STRING, |trace| {
            let strings = trace.take_strings().into_iter();
            let entry = |(id, text): (u64, Vec<u8>)| {
                let mut entry = Vec::with_capacity(16 + text.len());
                number(&mut entry, id);
                number(&mut entry, text.len() as u64);
                entry.extend(text);
                entry
            };
            strings.map(entry).collect()
        });
    }

    /// Batches of what the events name, each of which begins with its kind, as each entry does.
    fn hand_over_all(
        &mut self,
        now: u64,
        kind: u8,
        of_entry: u8,
        entries: impl FnOnce(&mut Trace) -> Vec<Vec<u8>>,
    ) {
        let mut batch = vec![kind];
        for entry in entries(self) {
            if batch.len() + 1 + entry.len() > MAX_BATCH {
                self.hand_over(None, now, &batch);
                batch.truncate(1);
            }
            batch.push(of_entry);
            batch.extend(entry);
        }
        if batch.len() > 1 {
            self.hand_over(None, now, &batch);
        }
    }

    /// A batch can be read: of a thread, or of none.
    pub(super) fn hand_over(&mut self, thread: Option<u64>, time: u64, data: &[u8]) {
        let mut bytes = Vec::with_capacity(data.len() + 32);
        let thread = thread.unwrap_or(NO_THREAD);
        let header = [BATCH.into(), self.generation, thread, time, data.len() as u64];
        header.into_iter().for_each(|n| number(&mut bytes, n));
        bytes.extend_from_slice(data);
        self.pass(bytes);
    }
}
