//! Goroutines of a program that has stopped, and what each of them waits for, told by the calls that it is in.

use goemu_loader::Image;

use crate::go::own::Own;
use crate::go::traceback::{Creator, Place, Stack, Traceback};
use crate::machine::{GoroutineState, Machine};

/// The goroutines that are told.
const MOST: usize = 1000;
/// What a goroutine waits for, by a function among its innermost.
const WAITS: [(&str, &str); 15] = [
    ("runtime.selectgo", "select"),
    ("runtime.block", "select (no cases)"),
    ("runtime.chansend", "chan send"),
    ("runtime.chanrecv", "chan receive"),
    ("time.Sleep", "sleep"),
    ("sync.(*WaitGroup).Wait", "sync.WaitGroup.Wait"),
    ("sync.(*Cond).Wait", "sync.Cond.Wait"),
    ("sync.(*RWMutex).RLock", "sync.RWMutex.RLock"),
    ("sync.(*RWMutex).Lock", "sync.RWMutex.Lock"),
    ("sync.(*Mutex).Lock", "sync.Mutex.Lock"),
    ("internal/sync.(*Mutex).Lock", "sync.Mutex.Lock"),
    ("sync.(*Mutex).lockSlow", "sync.Mutex.Lock"),
    ("internal/sync.(*Mutex).lockSlow", "sync.Mutex.Lock"),
    ("internal/poll.runtime_pollWait", "IO wait"),
    ("runtime.semacquire1", "semacquire"),
];
/// Waits that end by themselves, or from outside.
const ENDING: [&str; 2] = ["sleep", "IO wait"];

/// All goroutines but Go's own.
pub(super) fn all(machine: &mut Machine, image: &Image) -> Traceback {
    let states = machine.goroutines();
    let stacks = states.iter().take(MOST).filter_map(|state| stack(machine, image, state));
    Traceback { goroutines: stacks.collect() }
}

/// Those that wait for others of the program, beside the main one, in or for the user's code; where the program was busy to the last, those
/// that go on, too.
pub(super) fn leaked(machine: &mut Machine, image: &Image, own: &Own, busy: bool) -> Traceback {
    let mut found = all(machine, image);
    found.goroutines.retain(|stack| {
        let waits =
            WAITS.iter().any(|(_, word)| *word == stack.status) && !ENDING.contains(&stack.status.as_str());
        let of_user = || {
            let creator = stack.created_by.as_ref().is_some_and(|by| own.has(&by.func, &by.line.file));
            creator || super::seen::own_frame(own, stack).is_some()
        };
        stack.goroutine != 1 && (waits || busy && goes_on(&stack.status)) && of_user()
    });
    found
}

/// Whether a goroutine of this status runs or could run.
pub(super) fn goes_on(status: &str) -> bool {
    matches!(status, "running" | "runnable")
}

/// The calls of a goroutine; none of one of Go's own.
fn stack(machine: &Machine, image: &Image, state: &GoroutineState) -> Option<Stack> {
    let whole = machine.stack_of(state, true).goroutines.pop()?;
    let outermost = whole.frames.iter().rev().find(|frame| frame.func != "runtime.goexit")?;
    if outermost.func.starts_with("runtime.") && outermost.func != "runtime.main" {
        return None;
    }
    let status = match &state.status {
        status if status == "waiting" => waits_for(&whole).unwrap_or("waiting").to_owned(),
        status => status.clone(),
    };
    let mut shown = machine.stack_of(state, false).goroutines.pop()?;
    (shown.status, shown.created_by) = (status, created_by(image, state.created_at));
    Some(shown)
}

fn waits_for(stack: &Stack) -> Option<&'static str> {
    let inner = || stack.frames.iter().take(8);
    let (_, word) = WAITS.iter().find(|(func, _)| inner().any(|frame| frame.func == *func))?;
    Some(word)
}

fn created_by(image: &Image, pc: u64) -> Option<Creator> {
    let func = image.func_at(pc)?;
    let line = image.line_at(pc.wrapping_sub(1))?;
    let line = Place { file: line.file.to_owned(), line: line.line };
    let offset = pc.wrapping_sub(func.entry());
    Some(Creator { func: func.name().to_owned(), goroutine: None, line, offset })
}
