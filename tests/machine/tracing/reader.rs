//! Reads execution traces, of Go 1.11 to 1.21 and of those since, and checks what Go's readers check.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a trace tells.
#[derive(Default)]
pub(super) struct Told {
    /// What the program has noted, with the goroutine and the function.
    pub(super) notes: Vec<String>,
    /// How many goroutines were made.
    pub(super) made: usize,
    /// Why goroutines stopped to run.
    pub(super) reasons: BTreeSet<String>,
    /// The functions that goroutines were woken by.
    pub(super) woken_by: BTreeSet<String>,
    pub(super) generations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    Ready,
    Runs,
    Waits,
}

/// What the events have in common, whatever their numbers.
enum Event {
    Status(u64, Doing),
    Made(u64, Doing),
    Runs(u64, Option<u64>),
    /// What it does then, and why.
    Leaves(Option<Doing>, String),
    Woken(u64, Option<u64>, u64),
    Note(String, u64),
    /// It waits, in a trace that has just begun.
    Waits(u64),
    Other,
}

#[derive(Default)]
struct State {
    goroutines: BTreeMap<u64, (Doing, u64)>,
    running: Option<u64>,
    told: Told,
}

impl State {
    fn take(&mut self, event: Event, stacks: &HashMap<u64, Vec<String>>) {
        let top =
            |stack: u64| stacks.get(&stack).and_then(|calls| calls.first()).cloned().unwrap_or_default();
        match event {
            Event::Status(id, doing) => {
                if let Some((known, _)) = self.goroutines.insert(id, (doing, 0)) {
                    assert_eq!(known, doing, "g{id}");
                } else {
                    assert!(self.told.generations == 0, "g{id} is new");
                }
                if doing == Doing::Runs {
                    assert!(self.running.is_none_or(|running| running == id));
                    self.running = Some(id);
                }
            }
            Event::Made(id, doing) => {
                assert!(self.goroutines.insert(id, (doing, 0)).is_none(), "g{id} is there");
                self.told.made += 1;
            }
            Event::Runs(id, count) => {
                assert_eq!(self.running.replace(id), None);
                let (doing, seen) = self.goroutines.get_mut(&id).unwrap();
                assert_eq!(*doing, Doing::Ready, "g{id}");
                (*doing, *seen) = (Doing::Runs, *seen + 1);
                assert!(count.is_none_or(|count| count == *seen), "g{id}");
            }
            Event::Leaves(doing, reason) => {
                let id = self.running.take().expect("somebody runs");
                match doing {
                    Some(doing) => self.goroutines.get_mut(&id).unwrap().0 = doing,
                    None => drop(self.goroutines.remove(&id)),
                }
                self.told.reasons.insert(reason);
            }
            Event::Woken(id, count, by) => {
                let (doing, seen) = self.goroutines.get_mut(&id).unwrap();
                assert_eq!(*doing, Doing::Waits, "g{id}");
                (*doing, *seen) = (Doing::Ready, *seen + 1);
                assert!(count.is_none_or(|count| count == *seen), "g{id}");
                self.told.woken_by.insert(top(by));
            }
            Event::Note(text, stack) => {
                let id = self.running.expect("somebody runs");
                self.told.notes.push(format!("g{id} {text} in {}", top(stack)));
            }
            Event::Waits(id) => self.goroutines.get_mut(&id).unwrap().0 = Doing::Waits,
            Event::Other => {}
        }
    }
}

/// Bytes, of which some were read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().expect("a byte");
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return n;
            }
        }
    }

    fn take(&mut self, len: u64) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(usize::try_from(len).unwrap());
        self.0 = rest;
        taken
    }

    fn text(&mut self) -> String {
        let len = self.number();
        assert!(len <= 1024);
        String::from_utf8(self.take(len).to_vec()).unwrap()
    }
}

pub(super) fn read(trace: &[u8]) -> Told {
    let (header, rest) = trace.split_at(16);
    match header {
        b"go 1.11 trace\0\0\0" | b"go 1.21 trace\0\0\0" => stream(rest),
        b"go 1.22 trace\0\0\0" | b"go 1.23 trace\0\0\0" => generations(rest, false, false),
        b"go 1.25 trace\0\0\0" => generations(rest, true, false),
        b"go 1.26 trace\0\0\0" => generations(rest, true, true),
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

/// Names that events refer to.
#[derive(Default)]
struct Names {
    strings: HashMap<u64, String>,
    stacks: HashMap<u64, Vec<String>>,
}

impl Names {
    fn string(&self, id: u64) -> &str {
        self.strings.get(&id).unwrap_or_else(|| panic!("no string {id}"))
    }

    /// Numbers of functions and files become names; a call has the same wherever its address is.
    fn add_stacks(&mut self, raw: Vec<(u64, Vec<[u64; 4]>)>) {
        let mut places = HashMap::new();
        for (id, calls) in raw {
            for [at, rest @ ..] in &calls {
                assert_eq!(places.entry(*at).or_insert(*rest), rest, "{at:#x}");
            }
            let funcs = calls.iter().map(|[_, func, file, _]| {
                assert!(self.string(*file).ends_with(['o', 's']), "{}", self.string(*file));
                self.string(*func).to_owned()
            });
            let funcs = funcs.collect();
            assert!(self.stacks.insert(id, funcs).is_none(), "two stacks {id}");
        }
    }

    fn check_stack(&self, id: u64) -> u64 {
        assert!(id == 0 || self.stacks.contains_key(&id), "no stack {id}");
        id
    }
}

fn stack(bytes: &mut Bytes<'_>) -> (u64, Vec<[u64; 4]>) {
    let (id, count) = (bytes.number(), bytes.number());
    assert!(count <= 128);
    (id, (0..count).map(|_| [0; 4].map(|_| bytes.number())).collect())
}

/// Go 1.22 and later.
fn generations(bytes: &[u8], clocks: bool, ends: bool) -> Told {
    let (mut bytes, mut state) = (Bytes(bytes), State::default());
    let mut batches: Vec<(u64, u64, Bytes<'_>)> = Vec::new();
    let mut ended = 0;
    while !bytes.0.is_empty() {
        let kind = bytes.byte();
        if kind == 52 {
            assert!(ends);
            ended += 1;
            continue;
        }
        assert_eq!(kind, 1);
        let [generation, thread, _, size] = [0; 4].map(|_| bytes.number());
        assert!(size <= 64 << 10);
        batches.push((generation, thread, Bytes(bytes.take(size))));
    }
    let (first, last) = (batches[0].0, batches.last().unwrap().0);
    // A flight recorder takes the end of the last for another's.
    assert!(!ends || ended >= last - first);
    let mut rest = batches.into_iter().peekable();
    for generation in first..=last {
        let (mut names, mut raw, mut events) = (Names::default(), Vec::new(), Vec::new());
        let mut has_clock = false;
        while let Some((_, thread, mut batch)) = rest.next_if(|batch| batch.0 == generation) {
            match (batch.0[0], thread) {
                (2, u64::MAX) => {
                    batch.byte();
                    while !batch.0.is_empty() {
                        assert_eq!(batch.byte(), 3);
                        raw.push(stack(&mut batch));
                    }
                }
                (4, u64::MAX) => {
                    batch.byte();
                    while !batch.0.is_empty() {
                        assert_eq!(batch.byte(), 5);
                        let id = batch.number();
                        assert!(names.strings.insert(id, batch.text()).is_none());
                    }
                }
                (8 | 50, u64::MAX) => {
                    assert!(!has_clock && (batch.0[0] == 50) == clocks);
                    if clocks {
                        batch.byte();
                    }
                    assert_eq!((batch.byte(), batch.number()), (8, 15_625_000));
                    assert!(!clocks || batch.byte() == 51);
                    let left = (0..).take_while(|_| !batch.0.is_empty() && batch.number() < u64::MAX).count();
                    assert_eq!(left, if clocks { 4 } else { 0 });
                    has_clock = true;
                }
                (_, 1) => events.push(batch),
                (kind, thread) => panic!("{kind} of {thread}"),
            }
        }
        assert!(has_clock);
        names.add_stacks(raw);
        for mut batch in events {
            while !batch.0.is_empty() {
                let event = in_generation(&mut batch, &names, state.running.is_some());
                state.take(event, &names.stacks);
            }
        }
        state.told.generations += 1;
    }
    state.told
}

fn in_generation(bytes: &mut Bytes<'_>, names: &Names, runs: bool) -> Event {
    const SIZES: [(u8, usize); 15] = [
        (9, 2),
        (13, 2),
        (14, 3),
        (16, 2),
        (17, 0),
        (19, 2),
        (20, 2),
        (21, 3),
        (25, 3),
        (40, 4),
        (41, 2),
        (42, 3),
        (43, 3),
        (44, 4),
        (47, 3),
    ];
    let kind = bytes.byte();
    let (_, size) = SIZES.iter().find(|(known, _)| *known == kind).expect("a known event");
    assert!(bytes.number() > 0, "time passes");
    let n: Vec<u64> = (0..*size).map(|_| bytes.number()).collect();
    let reason = |id| names.string(id).to_owned();
    match kind {
        9 => assert!(runs && n[0] > 0),
        14 | 47 => assert!(names.check_stack(n[1]) > 0 || n[2] == 0),
        _ => {}
    }
    match kind {
        14 => Event::Made(n[0], Doing::Ready),
        47 => Event::Made(n[0], Doing::Waits),
        16 => Event::Runs(n[0], Some(n[1])),
        17 => Event::Leaves(None, String::new()),
        19 => Event::Leaves(Some(Doing::Ready), reason(n[0])),
        20 => Event::Leaves(Some(Doing::Waits), reason(n[0])),
        21 => Event::Woken(n[0], Some(n[1]), names.check_stack(n[2])),
        25 => {
            let doing = [Doing::Ready, Doing::Runs, Doing::Ready, Doing::Waits];
            Event::Status(n[0], doing[n[2] as usize - 1])
        }
        40 => note(format!("task {} of {} {:?}", n[0], n[1], reason(n[2])), names, n[3]),
        41 => note(format!("end of task {}", n[0]), names, n[1]),
        42 => note(format!("region {:?}", reason(n[1])), names, n[2]),
        43 => note(format!("end of region {:?}", reason(n[1])), names, n[2]),
        44 => note(format!("log {:?} {:?}", reason(n[1]), reason(n[2])), names, n[3]),
        _ => Event::Other,
    }
}

fn note(text: String, names: &Names, stack: u64) -> Event {
    Event::Note(text, names.check_stack(stack))
}

/// An event of a stream: kind, numbers, and a text behind them.
type Raw = (u8, Vec<u64>, String);

/// Go 1.11 to 1.21.
fn stream(bytes: &[u8]) -> Told {
    let (mut bytes, mut names, mut raw, mut events) =
        (Bytes(bytes), Names::default(), vec![], Vec::<Raw>::new());
    names.strings.insert(0, String::new());
    let mut frequencies = 0;
    while !bytes.0.is_empty() {
        let head = bytes.byte();
        let (kind, count) = (head & 63, head >> 6);
        if kind == 37 {
            let id = bytes.number();
            let text = bytes.text();
            assert!(!text.is_empty() && names.strings.insert(id, text).is_none());
            continue;
        }
        let n: Vec<u64> = if count < 3 {
            (0..=count).map(|_| bytes.number()).collect()
        } else {
            let len = bytes.number();
            let mut body = Bytes(bytes.take(len));
            if kind == 3 {
                raw.push(stack(&mut body));
                assert!(body.0.is_empty());
                continue;
            }
            std::iter::from_fn(|| (!body.0.is_empty()).then(|| body.number())).collect()
        };
        let text = if kind == 48 { bytes.text() } else { String::new() };
        match kind {
            1 => assert_eq!(n[0], 0),
            2 => frequencies += n[0] / 15_625_000,
            _ => events.push((kind, n, text)),
        }
    }
    assert_eq!(frequencies, 1);
    names.add_stacks(raw);
    let mut state = State::default();
    let first = events.iter().position(|(kind, ..)| *kind == 38).expect("somebody runs");
    for (number, event) in events.into_iter().enumerate() {
        state.take(in_stream(event, &names, number < first), &names.stacks);
        // The goroutines that there are at first are no news.
        state.told.made *= usize::from(number > first);
    }
    state.told
}

fn in_stream((kind, n, text): Raw, names: &Names, at_first: bool) -> Event {
    const SIZES: [(u8, usize); 21] = [
        (5, 1),
        (13, 3),
        (15, 0),
        (16, 1),
        (17, 1),
        (18, 1),
        (19, 1),
        (20, 1),
        (22, 1),
        (23, 1),
        (24, 1),
        (25, 1),
        (26, 1),
        (27, 1),
        (31, 1),
        (38, 1),
        (39, 2),
        (45, 4),
        (46, 2),
        (47, 4),
        (48, 3),
    ];
    let (_, size) = SIZES.iter().find(|(known, _)| *known == kind).expect("a known event");
    assert_eq!(n.len(), 1 + size, "{kind}");
    assert!(n[0] > 0, "time passes");
    let waits = |reason: &str| {
        names.check_stack(n[1]);
        Event::Leaves(Some(Doing::Waits), reason.to_owned())
    };
    match kind {
        13 => {
            assert!(names.check_stack(n[2]) > 0 || at_first);
            Event::Made(n[1], Doing::Ready)
        }
        31 => Event::Waits(n[1]),
        15 => Event::Leaves(None, String::new()),
        17 => Event::Leaves(Some(Doing::Ready), "runtime.Gosched".to_owned()),
        18 => Event::Leaves(Some(Doing::Ready), "preempted".to_owned()),
        16 => waits("forever"),
        19 => waits("sleep"),
        20 => waits("generic"),
        22 => waits("chan send"),
        23 => waits("chan receive"),
        24 => waits("select"),
        25 => waits("sync"),
        26 => waits("condition"),
        27 => waits("network"),
        38 => Event::Runs(n[1], None),
        39 => Event::Woken(n[1], None, names.check_stack(n[2])),
        45 => note(format!("task {} of {} {:?}", n[1], n[2], names.string(n[3])), names, n[4]),
        46 => note(format!("end of task {}", n[1]), names, n[2]),
        47 => {
            let end = if n[2] == 0 { "" } else { "end of " };
            note(format!("{end}region {:?}", names.string(n[3])), names, n[4])
        }
        48 => note(format!("log {:?} {text:?}", names.string(n[2])), names, n[3]),
        _ => Event::Other,
    }
}
