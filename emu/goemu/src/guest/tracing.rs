//! An execution trace that is being written: what the program's own tracer would have in its buffers (`runtime/trace`). Data
//! alone; the hooks in [`runtime::tracing`](crate::runtime::hooked) fill it.
//!
//! An event is a byte and numbers of variable length, the first of which is the time since the one before; strings and stacks it
//! names by numbers. There is one thread and one processor. Up to Go 1.21 a trace is a [`stream`] of events, from then on it consists of
//! [`generations`], each of which can be read alone.

mod generations;
mod stream;

use std::collections::{BTreeMap, HashMap, VecDeque};

use goemu_loader::facts::TraceForm;

use super::parts::Part;

/// The only thread, and the only processor.
const THREAD: u64 = 1;
const PROCESSOR: u64 = 0;
/// Nanoseconds of a unit of time.
const UNIT: u64 = 64;
/// Units of time in a second.
const FREQUENCY: u64 = 1_000_000_000 / UNIT;
/// Bytes that a batch may have behind its header, and those of a string.
const MAX_BATCH: usize = 60 << 10;
pub(crate) const MAX_STRING: usize = 1024;
/// Calls of a stack.
pub(crate) const MAX_FRAMES: usize = 128;

/// What a goroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Ready,
    Runs,
    Waits,
}

/// Something that happens; strings in the program's bytes, stacks by their numbers. Where nothing is said, it is the running goroutine
/// that it happens to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// A goroutine is made, with the stack that it begins with, by one with the other.
    Made {
        id: u64,
        waits: bool,
        own: u64,
        by: u64,
    },
    /// It waits, for a reason in the tracer's words.
    Waits {
        reason: &'a str,
        stack: u64,
    },
    /// It goes on later.
    Yields {
        preempted: bool,
        stack: u64,
    },
    /// It has ended.
    Ends,
    /// A goroutine that waited is ready: the count of such events.
    Woken {
        id: u64,
        count: u64,
        by: u64,
    },
    /// A goroutine runs.
    Runs {
        id: u64,
        count: u64,
    },
    TaskBegins {
        id: u64,
        parent: u64,
        name: &'a [u8],
        stack: u64,
    },
    TaskEnds {
        id: u64,
        stack: u64,
    },
    Region {
        id: u64,
        ends: bool,
        name: &'a [u8],
        stack: u64,
    },
    Log {
        id: u64,
        key: &'a [u8],
        text: &'a [u8],
        stack: u64,
    },
}

/// A goroutine that the trace tells of.
#[derive(Clone, Copy, Debug)]
struct Told {
    doing: Doing,
    /// Events of this generation that are counted.
    count: u64,
}

/// A call of a stack: where it goes on, function, file and line.
pub(crate) type Call = (u64, String, String, u32);

/// Something that the reader of the trace gets.
#[derive(Clone, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// The end of a generation; whether the reader was told.
    End {
        generation: u64,
        told: bool,
    },
}

/// A moment, as the clocks of the program have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Of the monotonic clock, in nanoseconds.
    pub(crate) monotonic: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(crate) wall: (u64, u64),
    /// How many processors there are.
    pub(crate) processors: u64,
}

/// A trace that is being written, or that has ended and is not read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    form: TraceForm,
    /// Whether it goes on.
    on: bool,
    generation: u64,
    /// When the generation began, in nanoseconds.
    began: u64,
    /// Units of time of the last event.
    last: u64,
    /// The events of the batch, and units of time at its beginning.
    batch: Vec<u8>,
    from: u64,
    strings: HashMap<Vec<u8>, u64>,
    /// The numbers of stacks by their addresses, and the calls as they are written.
    stacks: HashMap<Vec<u64>, u64>,
    calls: Vec<Vec<u8>>,
    /// The addresses that stand for calls, each with its numbers of function, file and line.
    places: HashMap<u64, (u64, u64, u32)>,
    goroutines: BTreeMap<u64, Told>,
    /// The goroutine that runs.
    running: Option<u64>,
    /// How many processors there are, as long as that was not told: some goroutine has to run.
    processors: Option<u64>,
    ready: VecDeque<Piece>,
    /// Bytes of what is ready, and of the calls.
    held: u64,
}

impl Trace {
    /// A trace begins, in a program with this goroutine and others.
    pub(crate) fn new(
        form: TraceForm,
        generation: u64,
        moment: Moment,
        running: u64,
        others: impl Iterator<Item = (u64, Doing)>,
    ) -> Trace {
        let told = |doing| Told { doing, count: 0 };
        let mut goroutines: BTreeMap<u64, Told> = others.map(|(id, doing)| (id, told(doing))).collect();
        goroutines.insert(running, told(Doing::Runs));
        let mut trace = Trace {
            form,
            on: true,
            generation,
            began: 0,
            last: 0,
            batch: Vec::new(),
            from: 0,
            strings: HashMap::new(),
            stacks: HashMap::new(),
            calls: Vec::new(),
            places: HashMap::new(),
            goroutines,
            running: Some(running),
            processors: None,
            ready: VecDeque::new(),
            held: 0,
        };
        if form.has_generations() {
            trace.begin_generation(moment)
        } else {
            trace.begin_stream(moment)
        }
        trace
    }

    /// Adds an event at a time of the monotonic clock.
    pub(crate) fn tell(&mut self, now: u64, event: Event<'_>) {
        if self.form.has_generations() {
            let (kind, numbers) = self.in_generation(event);
            self.write(now, kind, &numbers, &[]);
        } else {
            let (kind, numbers, tail) = self.in_stream(event);
            self.write(now, kind, &numbers, &tail);
        }
    }

    /// Appends an event of this kind with its numbers, and what is behind them.
    fn write(&mut self, now: u64, kind: u8, numbers: &[u64], tail: &[u8]) {
        /// Bytes of an event without its tail at most.
        const EVENT: usize = 80;
        if self.batch.len() + EVENT + tail.len() > MAX_BATCH {
            self.flush();
        }
        let now = (now / UNIT).max(self.last + 1);
        if self.batch.is_empty() {
            (self.from, self.last) = (now - 1, now - 1);
            if !self.form.has_generations() {
                self.batch = stream::batch(self.from);
            }
        }
        let mut body = Vec::with_capacity(EVENT);
        number(&mut body, now - self.last);
        numbers.iter().for_each(|n| number(&mut body, *n));
        if self.form.has_generations() {
            self.batch.push(kind);
        } else {
            stream::head(&mut self.batch, kind, 1 + numbers.len(), body.len());
        }
        self.batch.extend(body);
        self.batch.extend_from_slice(tail);
        self.last = now;
    }

    /// A goroutine is made, which is ready or waits; the numbers of its own stack, and of that of the one that makes it.
    pub(crate) fn made(&mut self, now: u64, id: u64, waits: bool, (own, by): (u64, u64)) {
        let doing = if waits { Doing::Waits } else { Doing::Ready };
        self.goroutines.insert(id, Told { doing, count: 0 });
        self.tell(now, Event::Made { id, waits, own, by });
    }

    /// The goroutine that runs stops to: it waits, yields, or has ended.
    pub(crate) fn left(&mut self, now: u64, event: Event<'_>) {
        let Some(id) = self.running.take() else { return };
        self.tell(now, event);
        let doing = match event {
            Event::Waits { .. } => Doing::Waits,
            Event::Yields { .. } => Doing::Ready,
            _ => {
                self.goroutines.remove(&id);
                return;
            }
        };
        if let Some(told) = self.goroutines.get_mut(&id) {
            told.doing = doing;
        }
    }

    /// A goroutine that waited is ready; the stack of the one that woke it.
    pub(crate) fn woken(&mut self, now: u64, id: u64, by: u64) {
        let Some(told) = self.goroutines.get_mut(&id) else { return };
        if told.doing != Doing::Waits {
            return;
        }
        told.doing = Doing::Ready;
        told.count += 1;
        let count = told.count;
        self.tell(now, Event::Woken { id, count, by });
    }

    /// A goroutine runs from now on.
    pub(crate) fn runs(&mut self, now: u64, id: u64) {
        if self.running == Some(id) {
            return;
        }
        self.left(now, Event::Ends);
        if !self.goroutines.contains_key(&id) {
            self.made(now, id, false, (0, 0));
        }
        self.woken(now, id, 0);
        let Some(told) = self.goroutines.get_mut(&id) else { return };
        told.doing = Doing::Runs;
        told.count += 1;
        let count = told.count;
        self.tell(now, Event::Runs { id, count });
        self.running = Some(id);
        self.tell_processors(now);
    }

    /// The goroutine that runs, as far as the trace knows.
    pub(crate) fn running(&self) -> Option<u64> {
        self.running
    }

    /// The goroutines in the order in which they are listed: first the one that runs.
    fn listed(&self) -> Vec<(u64, Doing)> {
        let mut list: Vec<(u64, Doing)> =
            self.goroutines.iter().map(|(id, told)| (*id, told.doing)).collect();
        list.sort_by_key(|(id, doing)| (*doing != Doing::Runs, *id));
        list
    }

    /// The number of a string, of which no more than its greatest length is told; 0 for none.
    fn string(&mut self, text: &[u8]) -> u64 {
        let text = &text[..text.len().min(MAX_STRING)];
        if text.is_empty() {
            return 0;
        }
        if let Some(known) = self.strings.get(text) {
            return *known;
        }
        let id = 1 + self.strings.len() as u64;
        self.held += text.len() as u64;
        self.strings.insert(text.to_vec(), id);
        id
    }

    /// Takes the strings in the order of their numbers.
    fn take_strings(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut strings: Vec<(u64, Vec<u8>)> = self.strings.drain().map(|(text, id)| (id, text)).collect();
        strings.sort_unstable_by_key(|(id, _)| *id);
        self.held -= strings.iter().map(|(_, text)| text.len() as u64).sum::<u64>();
        strings
    }

    /// The number of the stack with these addresses, if it is known.
    pub(crate) fn stack(&self, places: &[u64]) -> Option<u64> {
        if places.is_empty() { Some(0) } else { self.stacks.get(places).copied() }
    }

    /// The number that a stack gets. Readers take two calls with one address for the same call; of those that are inlined
    /// into each other, all have that of the outermost, and get others.
    pub(crate) fn add_stack(&mut self, places: Vec<u64>, calls: &[Call]) -> u64 {
        let id = 1 + self.stacks.len() as u64;
        self.stacks.insert(places, id);
        let calls = &calls[..calls.len().min(MAX_FRAMES)];
        let mut entry = Vec::new();
        number(&mut entry, id);
        number(&mut entry, calls.len() as u64);
        for (at, func, file, line) in calls {
            let call = (self.string(func.as_bytes()), self.string(file.as_bytes()), *line);
            let mut at = *at;
            while *self.places.entry(at).or_insert(call) != call {
                at = at.wrapping_sub(1);
            }
            [at, call.0, call.1, call.2.into()].into_iter().for_each(|n| number(&mut entry, n));
        }
        self.held += entry.len() as u64;
        self.calls.push(entry);
        id
    }

    /// Takes the stacks as they are written: numbers, counts of calls, calls.
    fn take_stacks(&mut self) -> Vec<Vec<u8>> {
        self.stacks.clear();
        self.places.clear();
        let stacks = std::mem::take(&mut self.calls);
        self.held -= stacks.iter().map(|stack| stack.len() as u64).sum::<u64>();
        stacks
    }

    /// A generation ends; another begins, or the trace is at its end. The generation's number.
    pub(crate) fn advance(&mut self, next: Option<Moment>) -> u64 {
        let generation = self.generation;
        if self.form.has_generations() {
            self.end_generation()
        } else {
            self.end_stream()
        }
        self.ready.push_back(Piece::End { generation, told: !self.form.tells_ends() });
        match next {
            Some(moment) if self.form.has_generations() => {
                self.generation += 1;
                self.begin_generation(moment);
            }
            _ => self.on = false,
        }
        generation
    }

    /// The batch of events is complete.
    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        match batch.is_empty() {
            true => {}
            false if self.form.has_generations() => self.hand_over(Some(THREAD), self.from, &batch),
            false => self.pass(batch),
        }
    }

    /// Bytes can be read.
    fn pass(&mut self, bytes: Vec<u8>) {
        self.held += bytes.len() as u64;
        self.ready.push_back(Piece::Bytes(bytes));
    }

    /// Takes what is to be read next: bytes, the number of a generation that was read to its end, or nothing yet.
    pub(crate) fn take(&mut self) -> Option<Result<Vec<u8>, u64>> {
        match self.ready.front_mut()? {
            Piece::End { told, .. } if !*told => {
                *told = true;
                return Some(Ok(vec![generations::END]));
            }
            Piece::End { generation, .. } => {
                let generation = *generation;
                self.ready.pop_front();
                return Some(Err(generation));
            }
            Piece::Bytes(_) => {}
        }
        let Some(Piece::Bytes(bytes)) = self.ready.pop_front() else { return None };
        self.held -= bytes.len() as u64;
        Some(Ok(bytes))
    }

    /// Whether there is anything to read.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether it has ended, and all was read.
    pub(crate) fn is_over(&self) -> bool {
        !self.on && !self.has_ready()
    }

    /// About how many bytes of the host's memory it takes.
    fn held(&self) -> u64 {
        /// Bytes of an entry of a table, about.
        const ENTRY: u64 = 64;
        let tables = self.strings.len() + self.stacks.len() + self.places.len() + self.goroutines.len();
        let addresses: usize = self.stacks.len() * MAX_FRAMES / 8;
        self.held + (self.batch.len() + 8 * addresses) as u64 + tables as u64 * ENTRY
    }
}

/// Appends a number, seven bits in a byte, the lowest first.
fn number(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

/// What tracing keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracing {
    pub(crate) trace: Option<Box<Trace>>,
    /// The number of the last generation.
    pub(crate) generation: u64,
    /// Whether the reader has got what a trace begins with.
    pub(crate) begun: bool,
    /// The goroutine that waits for something to read, by its `g`, and the function that it waits in.
    pub(crate) reader: Option<(u64, u64)>,
    /// Generations that goroutines wait for until they were read, and the `g` of these.
    pub(crate) waiting: Vec<(u64, u64)>,
    /// Where the program's list of reasons for waiting is, if it has one, once that was looked for.
    pub(crate) reasons: Option<Option<u64>>,
    /// Memory that the reader gets its bytes in: address and size.
    pub(crate) buffer: Option<(u64, u64)>,
}

impl Tracing {
    /// The trace, while it goes on.
    pub(crate) fn on(&mut self) -> Option<&mut Trace> {
        self.trace.as_deref_mut().filter(|trace| trace.on)
    }

    /// About how many bytes of the host's memory it takes.
    pub(crate) fn held(&self) -> u64 {
        self.trace.as_ref().map_or(0, |trace| trace.held())
    }
}

impl Part for Tracing {
    fn is_empty(&self) -> bool {
        let Tracing { trace, generation, begun, reader, waiting, reasons: _, buffer } = self;
        let nobody = reader.is_none() && waiting.is_empty();
        nobody && trace.is_none() && *generation == 0 && !begun && buffer.is_none()
    }
}
