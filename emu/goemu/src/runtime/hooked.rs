//! Hooks that stand in for Go's runtime, or watch it. Few: whatever can run from the program's own text does.
//!
//! A function of the runtime is replaced only where it needs state that a goroutine of our making does not
//! have: memory from the allocator, a stack from the scheduler, a process to end. Defers are carried out in
//! Rust where records hold them, so that programs without a runtime (object files) have them too.

mod alloc;
mod coroutines;
pub(super) mod defers;
pub(super) mod fatal;
mod found;
pub(crate) mod goroutines;
pub(super) mod panics;
mod reasons;
mod recognise;
mod stack;
mod system;
mod tables;
mod timers;

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::facts::Rules;
use goemu_loader::{FuncId, Image, Os};

use crate::go::traceback::unwind::Start;
use crate::guest::address_map;
use crate::hook::{Action, Cx, Hooks, Refused};
use crate::os::imports;

pub use found::{Found, found};

/// A hook on a function of the runtime.
pub(crate) type Body = fn(&mut Cx<'_>) -> Result<Action, Refused>;

/// One row of the table of hooks.
pub struct Entry {
    /// The function, without its package if that is `runtime.`; a star at the end stands for anything.
    pub name: &'static str,
    /// Releases (minor versions) that have the function with this meaning: from, to.
    pub versions: (u16, u16),
    /// The only system whose programs have it; none for all.
    pub os: Option<Os>,
    /// Whether it stands in for the function, or only watches.
    pub kind: Kind,
    /// What it is for.
    pub why: &'static str,
    body: Body,
}

/// What a hook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It stands in for the function.
    Replaces,
    /// It tells observers, and the function runs.
    Watches,
}

const ANY: (u16, u16) = (0, u16::MAX);

macro_rules! entry {
    ($name:literal $versions:expr, $kind:ident $body:path, $why:literal) => {
        Entry { name: $name, versions: $versions, os: None, kind: Kind::$kind, why: $why, body: $body }
    };
    ($name:literal $versions:expr, on $os:ident, $kind:ident $body:path, $why:literal) => {
        Entry { os: Some(Os::$os), ..entry!($name $versions, $kind $body, $why) }
    };
}

/// How a function is recognised where names are hashed or gone; none where it then runs from the program's text.
pub fn recognised_by(name: &str) -> Option<&'static str> {
    recognise::HOW.iter().find(|(known, _)| *known == name).map(|(_, how)| *how)
}

/// The hooks on Go's runtime: names, versions, reasons.
pub const HOOKS: &[Entry] = &[
    entry!("morestack" ANY, Replaces stack::morestack, "the stack grows in place"),
    entry!("morestack_noctxt" ANY, Replaces stack::morestack, "the stack grows in place"),
    entry!("mallocgc" ANY, Replaces alloc::mallocgc, "the allocator's spans exist only in a started program"),
    entry!("mallocgcTinySC*" (26, u16::MAX), Replaces alloc::mallocgc, "as mallocgc, for objects of one size"),
    entry!("mallocgcSmallNoScanSC*" (26, u16::MAX), Replaces alloc::mallocgc, "as mallocgc, for objects of one size"),
    entry!("mallocgcSmallScanNoHeaderSC*" (26, u16::MAX), Replaces alloc::mallocgc, "as mallocgc, for objects of one size"),
    entry!("deferproc" ANY, Replaces defers::deferproc, "a deferred call is recorded"),
    entry!("deferprocStack" (13, u16::MAX), Replaces defers::deferproc_stack, "a deferred call is recorded"),
    entry!("deferreturn" ANY, Replaces defers::deferreturn, "the frame's deferred calls run"),
    entry!("gopanic" ANY, Watches panics::gopanic_unstarted, "a panic begins"),
    entry!("gorecover" ANY, Watches panics::gorecover, "a deferred function asks for the panic"),
    entry!("recovery" ANY, Watches panics::recovery, "the panic was recovered"),
    entry!("fatalpanic" (11, u16::MAX), Replaces fatal::fatalpanic, "nobody recovered the panic: the call ends"),
    entry!("throw" ANY, Replaces fatal::throw, "a fatal error: the call ends"),
    entry!("fatal" (19, u16::MAX), Replaces fatal::fatal, "a fatal error: the call ends"),
    entry!("cgocall" ANY, Replaces imports::cgocall, "threads that were started keep lists of calls into C; here C just runs"),
    entry!("cgoCheckPointer" ANY, Replaces system::nothing, "it looks into the allocator's spans, which are not there"),
    entry!("cgoCheckResult" ANY, Replaces system::nothing, "it looks into the allocator's spans, which are not there"),
    entry!("reentersyscall" ANY, Watches imports::reentersyscall, "Go returns to C: there is no system call"),
    entry!("asmcgocall" ANY, on Windows, Replaces imports::asmcgocall, "functions of Windows' libraries are answered, or named"),
    entry!("nanotime1" ANY, on Windows, Watches imports::tick, "time passes on the page that it reads"),
    entry!("time.now" ANY, on Windows, Watches imports::tick, "time passes on the page that it reads"),
    entry!("exit" ANY, Replaces fatal::exit, "the program ends: the call does"),
    entry!("newproc" ANY, Replaces goroutines::newproc, "goroutines are goemu's: there are no threads"),
    entry!("gopark" ANY, Replaces goroutines::gopark, "another goroutine runs"),
    entry!("ready" ANY, Replaces goroutines::ready, "a goroutine that waits may run"),
    entry!("gosched_m" ANY, Replaces goroutines::gosched, "another goroutine runs"),
    entry!("goschedguarded_m" (9, u16::MAX), Replaces goroutines::gosched, "another goroutine runs"),
    entry!("goschedImpl" ANY, Replaces goroutines::gosched, "another goroutine runs"),
    entry!("goyield_m" (14, u16::MAX), Replaces goroutines::gosched, "another goroutine runs"),
    entry!("goexit1" ANY, Replaces goroutines::ended, "the goroutine is no more"),
    entry!("timeSleep" ANY, Replaces goroutines::sleep, "the clock is virtual, and jumps when all sleep"),
    entry!("time.Sleep" ANY, Replaces goroutines::sleep, "the clock is virtual, and jumps when all sleep"),
    entry!("time.startTimer" (0, 22), Replaces timers::start, "timers are goemu's: the clock is virtual"),
    entry!("time.stopTimer" ANY, Replaces timers::stop, "timers are goemu's: the clock is virtual"),
    entry!("time.resetTimer" (14, u16::MAX), Replaces timers::reset, "timers are goemu's: the clock is virtual"),
    entry!("time.modTimer" (14, 22), Replaces timers::modify, "timers are goemu's: the clock is virtual"),
    entry!("time.newTimer" (23, u16::MAX), Replaces timers::new, "timers are goemu's: the clock is virtual"),
    entry!("chanlen" (23, u16::MAX), Replaces timers::channel_size, "channels of timers, which are goemu's, have length 0"),
    entry!("chancap" (23, u16::MAX), Replaces timers::channel_size, "channels of timers, which are goemu's, have no buffer"),
    entry!("newcoro" (23, u16::MAX), Replaces coroutines::new, "coroutines are goroutines, which are goemu's"),
    entry!("coroswitch" (23, u16::MAX), Replaces coroutines::switch, "coroutines are goroutines, which are goemu's"),
    entry!("Stack" ANY, Replaces goroutines::stack_text, "of all goroutines: only goemu knows them"),
    entry!("stopTheWorld" ANY, Replaces system::nothing, "one goroutine runs, and no thread"),
    entry!("startTheWorld" ANY, Replaces system::nothing, "one goroutine runs, and no thread"),
    entry!("stopTheWorldGC" (14, u16::MAX), Replaces system::nothing, "one goroutine runs, and no thread"),
    entry!("startTheWorldGC" (14, u16::MAX), Replaces system::nothing, "one goroutine runs, and no thread"),
    entry!("startTemplateThread" (10, u16::MAX), Replaces system::nothing, "there are no threads"),
    entry!("newm" ANY, Replaces system::thread, "there are no threads: a clear error"),
    entry!("os/signal.signal_recv" ANY, Replaces system::signal, "nobody sends signals: who waits for one waits for ever"),
    entry!("os/signal.signalWaitUntilIdle" ANY, Replaces system::nothing, "no signal is on its way"),
    entry!("internal/poll.runtime_pollServerInit" ANY, on Windows, Replaces system::nothing, "nothing is waited for"),
    entry!("internal/poll.runtime_pollOpen" ANY, on Windows, Replaces system::poll_open, "nothing is waited for"),
    entry!("entersyscall" ANY, Replaces system::nothing, "no other thread wants the processor meanwhile"),
    entry!("exitsyscall" ANY, Replaces system::nothing, "no other thread wants the processor meanwhile"),
    entry!("getitab" ANY, Replaces tables::getitab, "tables that the compiler made are registered in a started program only"),
    entry!("GOMAXPROCS" ANY, Replaces system::processors, "there is one processor, whatever is asked for"),
    entry!("NumGoroutine" ANY, Replaces goroutines::count, "the scheduler that counts them is goemu's"),
    entry!("runtime/debug.setGCPercent" ANY, Watches system::initialised, "the runtime's start has set what it tells"),
    entry!("runtime/debug.setMemoryLimit" (19, u16::MAX), Watches system::initialised, "the runtime's start has set what it tells"),
    entry!("GC" ANY, Replaces system::nothing, "nothing is ever freed"),
    entry!("NumCPU" ANY, Replaces system::processor, "there is one processor, and no number of them yet"),
    entry!("SetFinalizer" ANY, Replaces system::nothing, "nothing is ever freed"),
    entry!("AddCleanup[*" (24, u16::MAX), Replaces system::add_cleanup, "nothing is ever freed"),
    entry!("getOrAddWeakHandle" (23, u16::MAX), Replaces system::weak_handle, "nothing is ever freed"),
    entry!("internal/weak.runtime_makeStrongFromWeak" (23, 23), Replaces system::strong, "nothing is ever freed"),
    entry!("weak.runtime_makeStrongFromWeak" (24, u16::MAX), Replaces system::strong, "nothing is ever freed"),
    entry!("ReadMemStats" ANY, Replaces system::memory_statistics, "the heap is goemu's"),
    entry!("runtime/debug.readGCStats" ANY, Replaces system::collector_statistics, "only a started program's collector has them"),
];

/// Sets the hooks on the functions that an image has. Of two functions of one name, the wrapper between
/// calling conventions calls the other and needs none; a wrapper alone is the function itself (the runtime
/// marks `deferreturn` so, to keep it out of tracebacks).
pub(crate) fn install(image: &Image, hooks: &mut Hooks) {
    let release = release_of(image);
    let mut wrappers = Vec::new();
    let mut hooked = HashSet::new();
    for func in image.funcs() {
        let Some(name) = runtime_name(func.name()) else { continue };
        let Some(body) = body(name, release) else { continue };
        if func.func_id() == FuncId::Wrapper {
            wrappers.push((name, func.entry(), body));
        } else {
            hooked.insert(name);
            hooks.add(func.entry(), Arc::new(body));
        }
    }
    hooks.add(address_map::PARKED, Arc::new(goroutines::parked as Body));
    hooks.add(address_map::PANIC_PRINTED, Arc::new(fatal::printed as Body));
    hooks.add(address_map::VSYSCALL, Arc::new(system::time_of_day as Body));
    wrappers.retain(|(name, ..)| !hooked.contains(name));
    for (name, entry, body) in wrappers {
        hooked.insert(name);
        hooks.add(entry, Arc::new(body));
    }
    if found::is_nameless(image, &hooked) {
        install_recognised(image, hooks, &hooked);
    }
}

/// Sets the hooks on functions that are recognised by what they are, where their names do not tell.
fn install_recognised(image: &Image, hooks: &mut Hooks, hooked: &HashSet<&str>) {
    let recognised = recognise::recognise(image);
    let release = release_of(image);
    let printer = recognised.get("printpanics");
    for (name, entry) in recognised.all().filter(|(name, _)| !hooked.contains(name)) {
        match name {
            "fatalpanic" => {
                hooks.add(entry, Arc::new(move |cx: &mut Cx<'_>| fatal::end_by_panic(cx, printer)))
            }
            // It is all of `newproc` that has a text.
            "newproc1" => hooks.add(entry, Arc::new(goroutines::newproc1 as Body)),
            "gopark" => hooks.add(entry, Arc::new(goroutines::gopark_unnamed as Body)),
            _ => {
                if let Some(body) = body(name, release) {
                    hooks.add(entry, Arc::new(body));
                }
            }
        }
    }
}

/// The hook that stands in for a function of the runtime, whether the program has one or not.
pub(crate) fn replacement(name: &str, image: &Image) -> Option<Body> {
    row(HOOKS, name, release_of(image)).filter(|entry| entry.kind == Kind::Replaces).map(|entry| entry.body)
}

/// `deferreturn`, of deferred calls in records.
pub(crate) fn deferreturn(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    defers::deferreturn(cx)
}

/// Ends the call as a panic that nobody recovered; `at`: where it began, as address and stack pointer.
pub(crate) fn panicked(cx: &mut Cx<'_>, at: (u64, u64), text: String) -> Action {
    cx.world.panic_at = Start { pc: at.0, sp: at.1, trap: false };
    fatal::panicked(cx, text)
}

/// Ends the call as a fatal error.
pub(crate) fn fatal_error(cx: &mut Cx<'_>, text: &str) -> Action {
    fatal::error(cx, text)
}

/// The heap is used up.
pub(crate) fn out_of_memory(cx: &mut Cx<'_>) -> Action {
    fatal::out_of_memory(cx)
}

/// What the runtime calls a function. Linknamed ones are its own, though their names begin with another package.
pub(crate) fn runtime_name(name: &str) -> Option<&str> {
    name.strip_prefix("runtime.").or_else(|| foreign(name))
}

fn foreign(name: &str) -> Option<&str> {
    const PACKAGES: [&str; 6] =
        ["weak.", "internal/weak.", "time.", "runtime/debug.", "os/signal.", "internal/poll."];
    PACKAGES.iter().any(|package| name.starts_with(package)).then_some(name)
}

/// What decides whether a row holds: the release, and the system.
type Release = (Rules, Os);

fn release_of(image: &Image) -> Release {
    (image.facts().rules(), image.target().os)
}

fn body(name: &str, release: Release) -> Option<Body> {
    row(HOOKS, name, release).map(|entry| entry.body)
}

/// The row of a function. A name may have several, for different releases and systems.
fn row(rows: &'static [Entry], name: &str, (rules, os): Release) -> Option<&'static Entry> {
    rows.iter().find(|entry| {
        let is_named = match entry.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => entry.name == name,
        };
        is_named && rules.is_within(entry.versions) && entry.os.is_none_or(|only| only == os)
    })
}

#[cfg(test)]
mod tests {
    use goemu_loader::GoVersion;
    use goemu_loader::facts::Rules;

    use super::*;

    const ROWS: &[Entry] = &[
        entry!("f" (0, 22), Replaces system::nothing, "old"),
        entry!("f" (23, u16::MAX), Replaces system::nothing, "new"),
        entry!("g" ANY, on Windows, Replaces system::nothing, "there"),
        entry!("g*" ANY, Replaces system::nothing, "elsewhere"),
    ];

    #[test]
    fn a_name_may_have_several_rows() {
        let why = |name, minor, os| {
            row(ROWS, name, (Rules::of(GoVersion::new(minor, 0)), os)).map(|entry| entry.why)
        };
        assert_eq!(why("f", 22, Os::Linux), Some("old"));
        assert_eq!(why("f", 23, Os::Linux), Some("new"));
        assert_eq!(why("g", 27, Os::Windows), Some("there"));
        assert_eq!(why("g", 27, Os::Linux), Some("elsewhere"));
        assert_eq!(why("h", 27, Os::Linux), None);
    }
}
