//! Where the runtime meets the operating system and the collector, which are not there.

use goemu_loader::Os;
use goemu_loader::facts::Growth;

use super::{collections, fatal, goroutines};
use crate::cpu::gpr;
use crate::error::Error;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::os;

/// Where `MemStats` has the number of collections, behind the times of the last 256.
const NUM_GC: u64 = 8 * (24 + 2 * 256);

/// `entersyscall`, `stopTheWorld` and their like: no other thread wants the processor, and none is there.
pub(in crate::runtime) fn nothing(_: &mut HookContext<'_>) -> HookResult {
    Ok(Action::Return)
}

/// `GOMAXPROCS(n int) int`: the number is kept, and makes no difference.
pub(in crate::runtime) fn processors(cx: &mut HookContext<'_>) -> HookResult {
    let asked = cx.arg(0)? as i64;
    let before = cx.world.processors;
    // The runtime takes the lower half of it, where 0 means that nothing is asked for.
    match asked as i32 {
        _ if asked <= 0 => {}
        0 => {}
        low @ 1.. => cx.world.processors = low.cast_unsigned(),
        _ => return Ok(fatal::error(cx, "procresize: invalid arg")),
    }
    cx.set_result(1, 0, before.into())?;
    Ok(Action::Return)
}

/// `SetDefaultGOMAXPROCS()`: the number of processors that there are.
pub(in crate::runtime) fn default_processors(cx: &mut HookContext<'_>) -> HookResult {
    cx.world.processors = 1;
    Ok(Action::Return)
}

/// `debug.setMaxThreads(in int) (out int)`. A program that was started has two threads at least.
pub(in crate::runtime) fn set_max_threads(cx: &mut HookContext<'_>) -> HookResult {
    const USUAL: u64 = 10_000;
    const THREADS: i64 = 2;
    let asked = cx.arg(0)?.cast_signed().min(i64::from(i32::MAX));
    let before = cx.world.max_threads.replace(asked.cast_unsigned()).unwrap_or(USUAL);
    if asked < THREADS {
        // The runtime keeps it in 32 bits.
        let text = format!("runtime: program exceeds {}-thread limit\n", asked as i32);
        cx.world.print(2, text.as_bytes());
        return Ok(fatal::error(cx, "thread exhaustion"));
    }
    cx.set_result(1, 0, before)?;
    Ok(Action::Return)
}

/// A function that reads what the runtime's start has set.
pub(in crate::runtime) fn initialised(cx: &mut HookContext<'_>) -> HookResult {
    if !cx.world.guarded {
        return Ok(Action::Run);
    }
    let func = cx.func().map_or_else(String::new, |func| func.name().to_owned());
    Err(Error::Uninitialised { func }.into())
}

/// `poll_runtime_pollOpen(fd uintptr) (*pollDesc, int)`: what is opened cannot be watched, and an error says so, as it does of
/// files on disk. On Windows, Go 1.25 tells its poller of the standard files as package os is initialised.
pub(in crate::runtime) fn poll_open(cx: &mut HookContext<'_>) -> HookResult {
    const ERROR_INVALID_PARAMETER: u64 = 87;
    cx.set_result(1, 0, 0)?;
    const EPERM: u64 = 1;
    let error = if cx.image.target().os == Os::Windows { ERROR_INVALID_PARAMETER } else { EPERM };
    cx.set_result(1, 1, error)?;
    Ok(Action::Return)
}

/// `setDeadlineImpl(fd *FD, t time.Time, mode int) error`: no file is registered with a poller, and Go would take it for one that
/// has no deadlines.
pub(in crate::runtime) fn deadline(cx: &mut HookContext<'_>) -> HookResult {
    Err(goroutines::cannot(cx, "a deadline of a file"))
}

/// `NumCPU() int`
pub(in crate::runtime) fn processor(cx: &mut HookContext<'_>) -> HookResult {
    cx.set_result(0, 0, 1)?;
    Ok(Action::Return)
}

/// The times of collections: `LastGC`, `PauseTotalNs`, and by the number of each when it was and how long all else stood still.
fn collection_times(cx: &mut HookContext<'_>, stats: u64) -> Result<(), HookError> {
    let count = u64::from(cx.world.lifetimes.collections);
    let Some(last) = cx.world.lifetimes.collected.front().copied() else { return Ok(()) };
    for (word, value) in [(LAST_GC, last), (LAST_GC + 8, count * PAUSE)] {
        cx.set_word(stats.wrapping_add(word), value)?;
    }
    cx.memory.charge(PAUSES as u64);
    let collected = cx.world.lifetimes.collected.clone();
    for (n, ended) in (0..count).rev().zip(collected) {
        let at = stats.wrapping_add(PAUSE_TIMES + 8 * (n % PAUSES as u64));
        cx.set_word(at, PAUSE)?;
        cx.set_word(at.wrapping_add(8 * PAUSES as u64), ended)?;
    }
    Ok(())
}

/// `LastGC`, behind which `PauseTotalNs` is, and what is told of this many collections: how long they took, and when they ended.
const LAST_GC: u64 = 8 * 22;
const PAUSE_TIMES: u64 = 8 * 24;
const PAUSES: usize = collections::TOLD;
/// How long a collection keeps the program from running, in nanoseconds: no time passes in a hooked one.
const PAUSE: u64 = 10_000;
/// `StackInuse`, behind which `StackSys` is, and `NextGC`.
const STACK_INUSE: u64 = 8 * 12;
const NEXT_GC: u64 = 8 * 21;
/// `EnableGC`, and the list of sizes, which begins with 0.
const ENABLED: u64 = NUM_GC + 16;
const BY_SIZE: u64 = NUM_GC + 24;
const BY_SIZE_LEN: usize = 61;
const BY_SIZE_STEP: usize = 24;
/// The smallest heap at which Go collects, unless GOGC says otherwise.
const LEAST_HEAP: u64 = 4 << 20;
/// What counting the heap's objects and writing the numbers takes, in instructions.
const COUNTING: u64 = 100;
/// Objects that are looked at in the time of an instruction.
const OBJECTS: u64 = 2;

/// `ReadMemStats(m *MemStats)`: what is known of the hooked heap; the rest is zero.
pub(in crate::runtime) fn memory_statistics(cx: &mut HookContext<'_>) -> HookResult {
    let goroutines = cx.world.scheduler.at_rest() as u64;
    cx.memory.charge(COUNTING + cx.world.heap.records() / OBJECTS + goroutines);
    let stats = cx.arg(0)?;
    let sizes = Growth::of(cx.image.facts().version.minor);
    let [made, freed, bytes, freed_bytes, mapped] = cx.world.heap.uses(sizes);
    let objects = made - freed;
    // The words that MemStats begins with, in every release: Alloc TotalAlloc Sys Lookups Mallocs Frees, and of the heap
    // Alloc Sys Idle Inuse Released Objects.
    let words = [
        bytes,
        bytes + freed_bytes,
        mapped,
        0,
        made,
        freed,
        bytes,
        mapped,
        mapped - bytes,
        bytes,
        0,
        objects,
    ];
    for (word, n) in words.into_iter().zip(0..) {
        cx.set_word(stats.wrapping_add(8 * n), word)?;
    }
    let stacks: u64 = { cx.world.scheduler.resting() }.map(|resting| resting.goroutine.stack_size()).sum();
    let stacks = stacks + cx.goroutine.stack_size();
    let next = (2 * bytes).max(LEAST_HEAP);
    for (word, value) in [(STACK_INUSE, stacks), (STACK_INUSE + 8, stacks), (NEXT_GC, next)] {
        cx.set_word(stats.wrapping_add(word), value)?;
    }
    // NumGC and, since Go 1.8, NumForcedGC.
    let forced = cx.world.lifetimes.collections.to_le_bytes();
    cx.memory.write(stats.wrapping_add(NUM_GC), forced)?;
    cx.memory.write(stats.wrapping_add(NUM_GC + 4), forced)?;
    cx.memory.write(stats.wrapping_add(ENABLED), [1])?;
    collection_times(cx, stats)?;
    for (size, at) in
        sizes.sizes().take(BY_SIZE_LEN).zip((stats.wrapping_add(BY_SIZE)..).step_by(BY_SIZE_STEP))
    {
        cx.memory.write(at, (size as u32).to_le_bytes())?;
    }
    Ok(Action::Return)
}

/// `readMetrics(samples, len, cap)`: what it tells is of the collector and the scheduler. Packages that look which metrics there are, as
/// they are initialised, get their form, with nothing counted yet.
pub(in crate::runtime) fn metrics(cx: &mut HookContext<'_>) -> HookResult {
    if cx.world.starting {
        return Ok(Action::Run);
    }
    Err(goroutines::cannot(cx, "reading metrics of the runtime"))
}

/// `debug.WriteHeapDump(fd uintptr)`
pub(in crate::runtime) fn heap_dump(cx: &mut HookContext<'_>) -> HookResult {
    Err(goroutines::cannot(cx, "writing a dump of the heap"))
}

/// `newm`: what the runtime wants another thread for, only a program that was started can do.
pub(in crate::runtime) fn thread(cx: &mut HookContext<'_>) -> HookResult {
    Err(goroutines::cannot(cx, "starting a thread"))
}

/// `signal_recv() uint32`
pub(in crate::runtime) fn signal(cx: &mut HookContext<'_>) -> HookResult {
    goroutines::wait_for(cx, goroutines::FOR_SIGNAL)
}

/// `debug.readGCStats`: zeros would be wrong, so that a program which was started is to answer.
pub(in crate::runtime) fn collector_statistics(cx: &mut HookContext<'_>) -> HookResult {
    Err(goroutines::cannot(cx, "reading statistics of the collector"))
}

/// `gettimeofday`, on the page of the kernel.
pub(in crate::runtime) fn time_of_day(cx: &mut HookContext<'_>) -> HookResult {
    let result = os::time_of_day(cx)?;
    cx.cpu.set_gpr(gpr::RAX, result as u64);
    Ok(Action::Return)
}
