//! Execution traces (`runtime/trace.go`; `trace2.go` in Go 1.22), which package `runtime/trace` starts, reads and ends, and what
//! programs note in them: tasks, regions, messages.
//!
//! The program's own tracer writes into buffers of processors and threads, which are not there, and is told by the functions that
//! hooks replace. So the trace is written here: what goroutines do, with their stacks, and the program's own notes. It has no
//! collections, system calls, sizes of the heap or samples.

use goemu_loader::facts::TraceForm;
use goemu_loader::{Frame, FuncId, Line};

use super::reasons::Reasons;
use super::{fatal, goroutines};
use crate::go::traceback::unwind::{Start, Unwinder};
use crate::guest::clock;
use crate::guest::scheduler::{Status, Suspended};
use crate::guest::tracing::{Call, Doing, Event, MAX_FRAMES, MAX_STRING, Moment, Trace};
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemFault;
use crate::os;

/// What an event takes, and a call of a stack, in instructions.
const EVENT: u64 = 40;
const CALL: u64 = 50;
/// Bytes that are copied in the time of an instruction.
const COPIED: u64 = 8;
/// Functions that a goroutine is in as it waits or wakes another, below the one that the program has called.
const INNER: [&str; 11] = [
    "runtime.gopark",
    "runtime.goparkunlock",
    "runtime.chanrecv",
    "runtime.chansend",
    "runtime.semacquire1",
    "runtime.semrelease1",
    "runtime.systemstack_switch",
    "runtime.goready",
    "runtime.readyWithTime",
    "runtime.send",
    "runtime.recv",
];
/// Bytes that a reader gets at once, at most.
const BUFFER: u64 = 64 << 10;

/// `StartTrace() error`
pub(in crate::runtime) fn start(cx: &mut HookContext<'_>) -> HookResult {
    if cx.world.tracing.trace.is_some() {
        return refuse(cx, "tracing is already enabled");
    }
    let others: Vec<(u64, Doing)> = { cx.world.scheduler.others() }
        .map(|(id, waits)| (id, if waits { Doing::Waits } else { Doing::Ready }))
        .collect();
    cx.memory.charge(EVENT * others.len() as u64);
    let (form, moment) = (TraceForm::of(cx.image.facts().version.minor), moment(cx));
    let (generation, id) = (cx.world.tracing.generation + 1, cx.goroutine.id);
    let trace = Trace::new(form, generation, moment, id, others.into_iter());
    let tracing = &mut cx.world.tracing;
    (tracing.trace, tracing.generation) = (Some(Box::new(trace)), generation);
    feed(cx);
    cx.set_result(0, 0, 0)?;
    cx.set_result(0, 1, 0)?;
    Ok(Action::Return)
}

/// An `errorString` as the result.
fn refuse(cx: &mut HookContext<'_>, text: &str) -> HookResult {
    let image = cx.image;
    let found = image.descriptor_named("runtime.errorString").zip(image.descriptor_named("error"));
    let Some(itab) = found.and_then(|(ty, error)| image.itab(error, ty)) else {
        return Err(goroutines::cannot(cx, "a trace while there is one"));
    };
    let Ok(data) = cx.world.alloc(cx.memory, 16 + text.len() as u64) else {
        return Ok(fatal::out_of_memory(cx));
    };
    let bytes = data.wrapping_add(16);
    cx.memory.write_bytes(bytes, text.as_bytes())?;
    cx.set_word(data, bytes)?;
    cx.set_word(data.wrapping_add(8), text.len() as u64)?;
    cx.set_result(0, 0, itab)?;
    cx.set_result(0, 1, data)?;
    Ok(Action::Return)
}

/// `traceAdvance(stopTrace bool)`, which `StopTrace` is: a generation ends, and with it the trace or not. It returns when all of the
/// generation was read.
pub(in crate::runtime) fn advance(cx: &mut HookContext<'_>) -> HookResult {
    let stops = cx.arg(0)? & 0xff != 0;
    end(cx, stops)
}

/// `StopTrace()`
pub(in crate::runtime) fn stop(cx: &mut HookContext<'_>) -> HookResult {
    end(cx, true)
}

fn end(cx: &mut HookContext<'_>, stops: bool) -> HookResult {
    let Some(generation) = end_generation(cx, stops) else { return Ok(Action::Return) };
    let g = cx.goroutine.g;
    cx.world.tracing.waiting.push((generation, g));
    feed(cx);
    goroutines::wait_for(cx, "semacquire")
}

/// The number of the generation that was; none where no trace is written.
fn end_generation(cx: &mut HookContext<'_>, stops: bool) -> Option<u64> {
    cx.world.tracing.on()?;
    let charged = EVENT * (1 + cx.world.scheduler.at_rest() as u64);
    cx.memory.charge(charged);
    let next = (!stops).then(|| moment(cx));
    let tracing = &mut cx.world.tracing;
    let generation = tracing.on()?.advance(next);
    tracing.generation = if stops { generation } else { generation + 1 };
    Some(generation)
}

/// `ReadTrace() []byte`, in Go 1.25 `readTrace`: the next part of the trace, as soon as there is one; none when it has ended. The
/// memory is used again for the next.
pub(in crate::runtime) fn read(cx: &mut HookContext<'_>) -> HookResult {
    if cx.world.tracing.reader.is_some() {
        cx.world.print(2, b"runtime: ReadTrace called from multiple goroutines simultaneously\n");
        return give(cx, &[]);
    }
    if !std::mem::replace(&mut cx.world.tracing.begun, true) {
        let header = TraceForm::of(cx.image.facts().version.minor).header();
        return give(cx, &header);
    }
    loop {
        match cx.world.tracing.trace.as_mut().and_then(|trace| trace.take()) {
            Some(Ok(bytes)) => return give(cx, &bytes),
            Some(Err(generation)) => {
                let tracing = &mut cx.world.tracing;
                let awaited = tracing.waiting.extract_if(.., |(number, _)| *number == generation);
                let awaited: Vec<u64> = awaited.map(|(_, g)| g).collect();
                for g in awaited {
                    goroutines::wake(cx, g);
                }
                let tracing = &mut cx.world.tracing;
                if tracing.trace.take_if(|trace| trace.is_over()).is_some() {
                    tracing.begun = false;
                    return give(cx, &[]);
                }
            }
            None => {
                cx.world.tracing.reader = Some((cx.goroutine.g, cx.cpu.rip));
                return goroutines::wait_for(cx, "trace reader (blocked)");
            }
        }
    }
}

/// Bytes as the result; none are nil.
fn give(cx: &mut HookContext<'_>, bytes: &[u8]) -> HookResult {
    let (mut at, len) = (0, bytes.len() as u64);
    if len > 0 {
        at = match cx.world.tracing.buffer {
            Some((at, size)) if size >= len => at,
            _ => {
                let size = len.max(BUFFER);
                let Ok(at) = cx.world.alloc(cx.memory, size) else { return Ok(fatal::out_of_memory(cx)) };
                cx.world.tracing.buffer = Some((at, size));
                at
            }
        };
        cx.memory.charge(len / COPIED);
        cx.memory.write_bytes(at, bytes)?;
    }
    for (n, word) in [at, len, len].into_iter().enumerate() {
        cx.set_result(0, n, word)?;
    }
    Ok(Action::Return)
}

/// `trace.userTaskCreate(id, parentID uint64, taskType string)`
pub(in crate::runtime) fn task_begins(cx: &mut HookContext<'_>) -> HookResult {
    let (id, parent, name) = (cx.arg(0)?, cx.arg(1)?, (cx.arg(2)?, cx.arg(3)?));
    note(cx, [name, NO_TEXT], 1, |[name, _], stack| Event::TaskBegins { id, parent, name, stack })
}

/// `trace.userTaskEnd(id uint64)`
pub(in crate::runtime) fn task_ends(cx: &mut HookContext<'_>) -> HookResult {
    let id = cx.arg(0)?;
    note(cx, [NO_TEXT; 2], 0, |_, stack| Event::TaskEnds { id, stack })
}

/// `trace.userRegion(id, mode uint64, regionType string)`
pub(in crate::runtime) fn region(cx: &mut HookContext<'_>) -> HookResult {
    let (id, mode, name) = (cx.arg(0)?, cx.arg(1)?, (cx.arg(2)?, cx.arg(3)?));
    if mode > 1 {
        return Ok(Action::Return);
    }
    let ends = mode == 1;
    note(cx, [name, NO_TEXT], 1, |[name, _], stack| Event::Region { id, ends, name, stack })
}

/// `trace.userLog(id uint64, category, message string)`
pub(in crate::runtime) fn log(cx: &mut HookContext<'_>) -> HookResult {
    let (id, texts) = (cx.arg(0)?, [(cx.arg(1)?, cx.arg(2)?), (cx.arg(3)?, cx.arg(4)?)]);
    note(cx, texts, 1, |[key, text], stack| Event::Log { id, key, text, stack })
}

const NO_TEXT: (u64, u64) = (0, 0);

/// What the program notes, with strings at these addresses, and its stack without so many calls of package trace. Nothing where no
/// trace is written.
fn note(
    cx: &mut HookContext<'_>,
    texts: [(u64, u64); 2],
    own: usize,
    event: impl for<'t> FnOnce([&'t [u8]; 2], u64) -> Event<'t>,
) -> HookResult {
    if cx.world.tracing.on().is_none() {
        return Ok(Action::Return);
    }
    let texts = [string(cx, texts[0])?, string(cx, texts[1])?];
    let stack = stack(cx, fatal::caller(cx)?, own);
    let (now, id) = (now(cx), cx.goroutine.id);
    if let Some(trace) = cx.world.tracing.on() {
        trace.runs(now, id);
        trace.tell(now, event([&texts[0], &texts[1]], stack));
    }
    told(cx);
    Ok(Action::Return)
}

fn string(cx: &HookContext<'_>, (at, len): (u64, u64)) -> Result<Vec<u8>, MemFault> {
    let mut bytes = vec![0; len.min(MAX_STRING as u64) as usize];
    cx.memory.read_bytes(at, &mut bytes)?;
    Ok(bytes)
}

/// A goroutine was made; `creator`: where the one stands that made it.
pub(super) fn made(cx: &mut HookContext<'_>, made: &Suspended, creator: Option<Start>) {
    if cx.world.tracing.on().is_none() {
        return;
    }
    let by = creator.map_or(0, |start| stack(cx, start, 0));
    let own = place(cx, made.goroutine.start);
    let (now, id, present) = (now(cx), made.goroutine.id, cx.goroutine.id);
    let waits = !matches!(made.status, Status::Runnable);
    let Some(trace) = cx.world.tracing.on() else { return };
    if trace.running().is_some() {
        trace.runs(now, present);
    }
    trace.made(now, id, waits, (own, by));
    told(cx);
}

/// A goroutine that waited was woken; `here`: by the present one, in the hooked function.
pub(super) fn woken(cx: &mut HookContext<'_>, id: u64, here: bool) {
    if cx.world.tracing.on().is_none() {
        return;
    }
    let by = if here { fatal::caller(cx).ok() } else { None };
    let by = by.map_or(0, |start| stack(cx, fatal::on_own_stack(cx, start), 0));
    let now = now(cx);
    if let Some(trace) = cx.world.tracing.on() {
        trace.woken(now, id, by);
        told(cx);
    }
}

/// The present goroutine does not run any more: it rests, or it has ended.
pub(super) fn left(cx: &mut HookContext<'_>) {
    let (now, id, g) = (now(cx), cx.goroutine.id, cx.goroutine.g);
    let Some(trace) = cx.world.tracing.on() else { return };
    if trace.running().is_none() {
        return;
    }
    trace.runs(now, id);
    // What has ended has given its `g` back, maybe to one that was made since.
    let resting = cx.world.scheduler.rests(g).filter(|(resting, _)| resting.goroutine.id == id).map(
        |(resting, waits)| {
            (
                waits,
                resting.status,
                Start { pc: resting.pc, sp: resting.sp, trap: resting.registers.is_some() },
            )
        },
    );
    let stack = resting.map_or(0, |(.., start)| stack(cx, start, 0));
    let why = match resting {
        Some((true, status, _)) => reason(cx, status),
        _ => String::new(),
    };
    let Some(trace) = cx.world.tracing.on() else { return };
    trace.left(
        now,
        match resting {
            Some((true, ..)) => Event::Waits { reason: &why, stack },
            Some((false, _, start)) => Event::Yields { preempted: start.trap, stack },
            None => Event::Ends,
        },
    );
    told(cx);
}

/// Another goroutine runs from now on.
pub(super) fn runs(cx: &mut HookContext<'_>, id: u64) {
    left(cx);
    let now = now(cx);
    if let Some(trace) = cx.world.tracing.on() {
        trace.runs(now, id);
        told(cx);
    }
}

/// Why a goroutine waits, in the tracer's words (`traceBlockReasonStrings` in `runtime/traceruntime.go`), which are fewer than those
/// of tracebacks.
fn reason(cx: &mut HookContext<'_>, status: Status) -> String {
    let text = match status {
        Status::Runnable => "unspecified".to_owned(),
        Status::Sleeps => "sleep".to_owned(),
        Status::Coroutine => "coroutine".to_owned(),
        Status::Waits(reason) => reason.to_owned(),
        Status::Parked { reason, caller } => {
            let known = cx.world.tracing.reasons;
            let reasons = known.map_or_else(|| Reasons::of(cx), Reasons::at);
            cx.world.tracing.reasons = Some(reasons.list());
            reasons.text(cx, reason, caller)
        }
    };
    match &*text {
        "IO wait" => "network",
        "sync.Cond.Wait" => "sync.(*Cond).Wait",
        "chan receive (nil chan)" | "chan send (nil chan)" | "select (no cases)" => "forever",
        "semacquire" | "waiting" => "sync",
        "trace reader (blocked)" => "system goroutine wait",
        other if other.starts_with("sync.") => "sync",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// An event was told: a generation that has lasted long ends, and the reader goes on where it has something to read.
fn told(cx: &mut HookContext<'_>) {
    cx.memory.charge(EVENT);
    let now = now(cx);
    if cx.world.tracing.on().is_some_and(|trace| trace.is_old(now)) {
        end_generation(cx, false);
    }
    feed(cx);
}

fn feed(cx: &mut HookContext<'_>) {
    let tracing = &mut cx.world.tracing;
    if !tracing.trace.as_ref().is_some_and(|trace| trace.has_ready()) {
        return;
    }
    if let Some((g, entry)) = tracing.reader.take() {
        goroutines::wake_at(cx, g, entry);
    }
}

/// The number of a stack, without the innermost calls that Go does not tell of: so many, and those that only the scheduler and
/// what waits in it are in.
fn stack(cx: &mut HookContext<'_>, start: Start, own: usize) -> u64 {
    let frames: Vec<_> = Unwinder::new(cx.image, &*cx.memory, start).take(MAX_FRAMES).collect();
    cx.memory.charge(CALL * frames.len() as u64);
    let mut places: Vec<u64> = frames.iter().map(|frame| frame.pc).collect();
    if !places.is_empty() {
        places.push(own as u64);
    }
    let Some(trace) = cx.world.tracing.on() else { return 0 };
    if let Some(known) = trace.stack(&places) {
        return known;
    }
    let calls = frames.iter().flat_map(|frame| {
        let at = frame.symbol_pc();
        let shown = |call: &Frame<'_>| !matches!(call.func_id, FuncId::Wrapper | FuncId::Goexit);
        frame.func.inlined_at(at).into_iter().filter(shown).map(move |call| (at, call.func, call.line))
    });
    let calls = calls.skip(own).skip_while(|(_, func, _)| INNER.contains(func) || func.contains(".runtime_"));
    let calls: Vec<Call> = calls.take(MAX_FRAMES).map(|(at, func, line)| call(at, func, line)).collect();
    let bytes: usize = calls.iter().map(|(_, func, file, _)| func.len() + file.len()).sum();
    cx.memory.charge(CALL * calls.len() as u64 + bytes as u64 / COPIED);
    trace.add_stack(places, &calls)
}

/// The number of the stack of a goroutine that begins with a function.
fn place(cx: &mut HookContext<'_>, entry: u64) -> u64 {
    let Some(func) = cx.image.func_at(entry) else { return 0 };
    let Some(trace) = cx.world.tracing.on() else { return 0 };
    trace
        .stack(&[entry])
        .unwrap_or_else(|| trace.add_stack(vec![entry], &[call(entry, func.name(), func.line_at(entry))]))
}

fn call(at: u64, func: &str, line: Option<Line<'_>>) -> Call {
    let (file, line) = line.map_or(("?", 0), |line| (line.file, line.line));
    (at, func.to_owned(), file.to_owned(), line)
}

/// The time on the program's monotonic clock.
fn now(cx: &HookContext<'_>) -> u64 {
    clock::now(cx.cpu).saturating_add(os::monotonic_start(cx.image))
}

fn moment(cx: &mut HookContext<'_>) -> Moment {
    let wall = os::now(cx, true);
    Moment { monotonic: now(cx), wall, processors: cx.world.processors.into() }
}
