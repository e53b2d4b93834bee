//! Traces of Go 1.11 to 1.21: one list of events, and at its end the clock's frequency, the stacks and the strings. An event's first byte
//! has its kind and how many numbers it has; where these are many, their length in bytes follows.

use super::{Doing, Event, FREQUENCY, MAX_BATCH, MAX_STRING, Moment, PROCESSOR, THREAD, Trace, UNIT, number};

// The kinds of events.
const BATCH: u8 = 1;
const CLOCK_FREQUENCY: u8 = 2;
const STACK: u8 = 3;
const PROCESSOR_START: u8 = 5;
const CREATE: u8 = 13;
const END: u8 = 15;
const STOP: u8 = 16;
const SCHED: u8 = 17;
const PREEMPT: u8 = 18;
const SLEEP: u8 = 19;
const BLOCK: u8 = 20;
const BLOCK_SEND: u8 = 22;
const BLOCK_RECEIVE: u8 = 23;
const BLOCK_SELECT: u8 = 24;
const BLOCK_SYNC: u8 = 25;
const BLOCK_CONDITION: u8 = 26;
const BLOCK_NETWORK: u8 = 27;
const WAITING: u8 = 31;
const STRING: u8 = 37;
const START_LOCAL: u8 = 38;
const UNBLOCK_LOCAL: u8 = 39;
const TASK_CREATE: u8 = 45;
const TASK_END: u8 = 46;
const REGION: u8 = 47;
const LOG: u8 = 48;

/// Where the first byte has the count of numbers, less one; 3 for more.
const COUNT: u8 = 6;
const MANY: usize = 4;

/// How a batch begins: of the only processor, at a time.
pub(super) fn batch(from: u64) -> Vec<u8> {
    let mut batch = vec![BATCH | 1 << COUNT];
    [PROCESSOR, from].into_iter().for_each(|n| number(&mut batch, n));
    batch
}

/// What is before the numbers of an event: so many, which take so many bytes.
pub(super) fn head(batch: &mut Vec<u8>, kind: u8, count: usize, bytes: usize) {
    batch.push(kind | ((count.min(MANY) - 1) as u8) << COUNT);
    if count >= MANY {
        number(batch, bytes as u64);
    }
}

impl Trace {
    /// A trace begins with all goroutines, as if they were made now.
    pub(super) fn begin_stream(&mut self, moment: Moment) {
        let now = moment.monotonic;
        self.last = now / UNIT;
        let list = self.listed();
        for (id, doing) in &list {
            self.write(now, CREATE, &[*id, 0, 0], &[]);
            if *doing == Doing::Waits {
                self.write(now, WAITING, &[*id], &[]);
            }
        }
        self.write(now, PROCESSOR_START, &[THREAD], &[]);
        if let Some(id) = self.running {
            self.write(now, START_LOCAL, &[id], &[]);
        }
    }

    /// An event's kind, its numbers, and what is behind them.
    pub(super) fn in_stream(&mut self, event: Event<'_>) -> (u8, Vec<u64>, Vec<u8>) {
        let mut tail = Vec::new();
        let (kind, numbers) = match event {
            Event::Made { id, own, by, .. } => (CREATE, vec![id, own, by]),
            Event::Waits { reason, stack } => (waits(reason), vec![stack]),
            Event::Yields { preempted, stack } => (if preempted { PREEMPT } else { SCHED }, vec![stack]),
            Event::Ends => (END, vec![]),
            Event::Woken { id, by, .. } => (UNBLOCK_LOCAL, vec![id, by]),
            Event::Runs { id, .. } => (START_LOCAL, vec![id]),
            Event::TaskBegins { id, parent, name, stack } => {
                (TASK_CREATE, vec![id, parent, self.string(name), stack])
            }
            Event::TaskEnds { id, stack } => (TASK_END, vec![id, stack]),
            Event::Region { id, ends, name, stack } => {
                (REGION, vec![id, ends.into(), self.string(name), stack])
            }
            Event::Log { id, key, text, stack } => {
                let text = &text[..text.len().min(MAX_STRING)];
                number(&mut tail, text.len() as u64);
                tail.extend_from_slice(text);
                (LOG, vec![id, self.string(key), stack])
            }
        };
        (kind, numbers, tail)
    }

    /// The goroutine that runs stops to, as if it yielded; what follows the events.
    pub(super) fn end_stream(&mut self) {
        self.left(0, Event::Yields { preempted: false, stack: 0 });
        self.flush();
        let mut rest = vec![CLOCK_FREQUENCY];
        number(&mut rest, FREQUENCY);
        for stack in self.take_stacks() {
            self.pass_full(&mut rest, stack.len());
            head(&mut rest, STACK, MANY, stack.len());
            rest.extend(stack);
        }
        for (id, text) in self.take_strings() {
            self.pass_full(&mut rest, text.len());
            rest.push(STRING);
            [id, text.len() as u64].into_iter().for_each(|n| number(&mut rest, n));
            rest.extend(text);
        }
        self.pass(rest);
    }

    /// Bytes can be read if there is no room for so many more.
    fn pass_full(&mut self, bytes: &mut Vec<u8>, more: usize) {
        const HEAD: usize = 24;
        if bytes.len() + HEAD + more > MAX_BATCH {
            self.pass(std::mem::take(bytes));
        }
    }
}

/// The kind of event of a goroutine that waits.
fn waits(reason: &str) -> u8 {
    match reason {
        "forever" => STOP,
        "sleep" => SLEEP,
        "chan send" => BLOCK_SEND,
        "chan receive" => BLOCK_RECEIVE,
        "select" => BLOCK_SELECT,
        "sync" => BLOCK_SYNC,
        "sync.(*Cond).Wait" => BLOCK_CONDITION,
        "network" => BLOCK_NETWORK,
        _ => BLOCK,
    }
}
