//! The functions of Go's runtime that hooks stand at, each with its releases, its system, and the case in which the hook is
//! set. One table: a row is found by name, release, system and case at once, so several rows may have one name.
//!
//! What only tells observers of a started program's runtime is set on demand, at entries and at returns:
//! `real::tell_events`.

use std::sync::LazyLock;

use goemu_loader::facts::Rules;
use goemu_loader::{Image, Os};
use rustc_hash::FxHashMap;

use super::{hooked, objects, real};
use crate::hook::{HookContext, HookResult};
use crate::os::imports;

/// What a hook on a function of the runtime does.
pub(crate) type Body = fn(&mut HookContext<'_>) -> HookResult;

/// One row of the table.
pub struct Row {
    /// The function's full name; a star stands for anything.
    pub name: &'static str,
    /// Releases (minor versions) that have the function with this meaning: from, to.
    pub versions: (u16, u16),
    /// The only system whose programs have it; none for all.
    pub os: Option<Os>,
    /// When the hook is set.
    pub when: When,
    /// What it is for; empty for [`When::Object`], where a function is served because there is no other.
    pub why: &'static str,
    pub(super) body: Body,
}

/// When a hook is set, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// In a program that did not start, in the place of the function. In an object file as well, unless a row for object
    /// files has the function.
    Replaces,
    /// In a program that did not start: it tells observers, and the function runs.
    Watches,
    /// In an object file, where the function is not defined.
    Object,
    /// In a started program: it observes how the program ends, and the function runs.
    Started,
    /// In a started program: it only tells observers of events, and is passed over while none wants any.
    StartedTells,
    /// As [`When::Started`] in a program that uses C, which is started without its C runtime.
    StartedWithC,
}

const ANY: (u16, u16) = (0, u16::MAX);
const fn since(minor: u16) -> (u16, u16) {
    (minor, u16::MAX)
}
const fn upto(minor: u16) -> (u16, u16) {
    (0, minor)
}

macro_rules! row {
    ($name:literal $versions:expr, on $os:ident, $when:ident $body:path, $why:literal) => {
        Row { os: Some(Os::$os), ..row!($name $versions, $when $body, $why) }
    };
    ($name:literal $versions:expr, $when:ident $body:path) => {
        row!($name $versions, $when $body, "")
    };
    ($name:literal $versions:expr, $when:ident $body:path, $why:literal) => {
        Row { name: $name, versions: $versions, os: None, when: When::$when, why: $why, body: $body }
    };
}

/// All rows.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row!("runtime.morestack" ANY, Replaces hooked::stack::morestack, "the stack grows in place"),
    row!("runtime.morestack_noctxt" ANY, Replaces hooked::stack::morestack, "the stack grows in place"),
    row!("runtime.mallocgc" ANY, Replaces hooked::alloc::mallocgc, "the allocator's spans exist only in a started program"),
    row!("runtime.mallocgcTinySC*" since(26), Replaces hooked::alloc::mallocgc, "as mallocgc, for objects of one size"),
    row!("runtime.mallocgcSmallNoScanSC*" since(26), Replaces hooked::alloc::mallocgc, "as mallocgc, for objects of one size"),
    row!("runtime.mallocgcSmallScanNoHeaderSC*" since(26), Replaces hooked::alloc::mallocgc, "as mallocgc, for objects of one size"),
    row!("runtime.mallocgcTiny" since(24), Replaces hooked::alloc::part_of_mallocgc, "as mallocgc, which profiles put into its callers"),
    row!("runtime.mallocgcSmallNoscan" since(24), Replaces hooked::alloc::part_of_mallocgc, "as mallocgc, which profiles put into its callers"),
    row!("runtime.mallocgcSmallScanNoHeader" since(24), Replaces hooked::alloc::part_of_mallocgc, "as mallocgc, which profiles put into its callers"),
    row!("runtime.mallocgcSmallScanHeader" since(24), Replaces hooked::alloc::part_of_mallocgc, "as mallocgc, which profiles put into its callers"),
    row!("runtime.mallocgcLarge" since(24), Replaces hooked::alloc::part_of_mallocgc, "as mallocgc, which profiles put into its callers"),
    row!("runtime.deferproc" ANY, Replaces hooked::defers::deferproc, "a deferred call is recorded"),
    row!("runtime.deferprocStack" since(13), Replaces hooked::defers::deferproc_stack, "a deferred call is recorded"),
    row!("runtime.deferreturn" ANY, Replaces hooked::defers::deferreturn, "the frame's deferred calls run"),
    row!("runtime.gopanic" ANY, Watches hooked::panics::gopanic_unstarted, "a panic begins"),
    row!("runtime.gorecover" ANY, Watches hooked::panics::gorecover, "a deferred function asks for the panic"),
    row!("runtime.recovery" ANY, Watches hooked::panics::recovery, "the panic was recovered"),
    row!("runtime.fatalpanic" since(11), Replaces hooked::fatal::fatalpanic, "the panic was not recovered: the call ends"),
    row!("runtime.throw" ANY, Replaces hooked::fatal::throw, "a fatal error: the call ends"),
    row!("runtime.fatal" since(19), Replaces hooked::fatal::fatal, "a fatal error: the call ends"),
    row!("runtime.cgocall" ANY, Replaces imports::cgocall, "threads that were started keep lists of calls into C; here C just runs"),
    row!("runtime.callCgoSigaction" ANY, Replaces hooked::cgo::sigaction, "C has no signals here: the runtime asks the system"),
    row!("runtime.cgoCheckPointer" ANY, Watches hooked::cgo::checks, "the runtime's start has set that checks are wanted"),
    row!("runtime.cgoCheckResult" ANY, Watches hooked::cgo::checks, "the runtime's start has set that checks are wanted"),
    row!("runtime.cgoIsGoPointer" ANY, Replaces hooked::cgo::is_go_pointer, "it looks into the allocator's spans, which are not there"),
    row!("runtime.cgoCheckUnknownPointer" ANY, Replaces hooked::cgo::check_unknown, "it looks into the allocator's spans, which are not there"),
    row!("runtime.isPinned" since(21), Replaces hooked::cgo::is_pinned, "it looks into the allocator's spans, which are not there"),
    row!("runtime.(*Pinner).Pin" (21, 21), Replaces hooked::cgo::pin_go_pointer, "it looks into the allocator's spans, which are not there"),
    row!("runtime.(*Pinner).Pin" since(22), Replaces hooked::cgo::pin, "as before, and other pointers are passed over"),
    row!("runtime.(*Pinner).Unpin" since(21), Watches hooked::cgo::unpin, "objects are pinned in goemu"),
    row!("runtime.reentersyscall" ANY, Watches imports::reentersyscall, "Go returns to C: there is no system call"),
    row!("runtime.asmcgocall" ANY, on Windows, Replaces imports::asmcgocall, "functions of Windows' libraries are answered, or named"),
    row!("runtime.nanotime1" ANY, on Windows, Watches imports::tick, "time passes on the page that it reads"),
    row!("time.now" ANY, on Windows, Watches imports::tick, "time passes on the page that it reads"),
    row!("runtime.exit" ANY, Replaces hooked::fatal::exit, "the program ends: the call does"),
    row!("runtime.newproc" ANY, Replaces hooked::goroutines::newproc, "goroutines are goemu's: there are no threads"),
    row!("runtime.gopark" ANY, Replaces hooked::goroutines::gopark, "another goroutine runs"),
    row!("runtime.park_m" since(21), Replaces hooked::goroutines::park_m, "as gopark, which profiles put into its callers"),
    row!("runtime.ready" ANY, Replaces hooked::goroutines::ready, "a goroutine that waits may run"),
    row!("runtime.gosched_m" ANY, Replaces hooked::goroutines::gosched, "another goroutine runs"),
    row!("runtime.goschedguarded_m" since(9), Replaces hooked::goroutines::gosched, "another goroutine runs"),
    row!("runtime.goschedImpl" ANY, Replaces hooked::goroutines::gosched, "another goroutine runs"),
    row!("runtime.goyield_m" since(14), Replaces hooked::goroutines::gosched, "another goroutine runs"),
    row!("runtime.goexit1" ANY, Replaces hooked::goroutines::ended, "the goroutine is no more"),
    row!("runtime.timeSleep" ANY, Replaces hooked::goroutines::sleep, "the clock is virtual, and jumps when all sleep"),
    row!("time.Sleep" ANY, Replaces hooked::goroutines::sleep, "the clock is virtual, and jumps when all sleep"),
    row!("time.startTimer" upto(22), Replaces hooked::timers::start, "timers are goemu's: the clock is virtual"),
    row!("time.stopTimer" ANY, Replaces hooked::timers::stop, "timers are goemu's: the clock is virtual"),
    row!("time.resetTimer" since(14), Replaces hooked::timers::reset, "timers are goemu's: the clock is virtual"),
    row!("time.modTimer" (14, 22), Replaces hooked::timers::modify, "timers are goemu's: the clock is virtual"),
    row!("time.newTimer" since(23), Replaces hooked::timers::new, "timers are goemu's: the clock is virtual"),
    row!("runtime.chanlen" since(23), Replaces hooked::timers::channel_size, "channels of timers, which are goemu's, have length 0"),
    row!("runtime.chancap" since(23), Replaces hooked::timers::channel_size, "channels of timers, which are goemu's, have no buffer"),
    row!("reflect.chanlen" since(23), Replaces hooked::timers::channel_size, "as runtime.chanlen, which compilers put into it"),
    row!("reflect.chancap" since(23), Replaces hooked::timers::channel_size, "as runtime.chancap, which compilers put into it"),
    row!("internal/reflectlite.chanlen" since(23), Replaces hooked::timers::channel_size, "as runtime.chanlen, which compilers put into it"),
    row!("runtime.newcoro" since(23), Replaces hooked::coroutines::new, "coroutines are goroutines, which are goemu's"),
    row!("runtime.coroswitch" since(23), Replaces hooked::coroutines::switch, "coroutines are goroutines, which are goemu's"),
    row!("runtime.Stack" ANY, Replaces hooked::goroutines::stack_text, "of all goroutines: only goemu knows them"),
    row!("runtime.stopTheWorld" ANY, Replaces hooked::system::nothing, "one goroutine runs, and no thread"),
    row!("runtime.startTheWorld" ANY, Replaces hooked::system::nothing, "one goroutine runs, and no thread"),
    row!("runtime.stopTheWorldGC" since(14), Replaces hooked::system::nothing, "one goroutine runs, and no thread"),
    row!("runtime.startTheWorldGC" since(14), Replaces hooked::system::nothing, "one goroutine runs, and no thread"),
    row!("runtime.startTemplateThread" since(10), Replaces hooked::system::nothing, "there are no threads"),
    row!("runtime.StartTrace" since(11), Replaces hooked::tracing::start, "the tracer's buffers are those of processors and threads: goemu writes the trace"),
    row!("runtime.StopTrace" (11, 21), Replaces hooked::tracing::stop, "goemu writes the trace"),
    row!("runtime.traceAdvance" since(22), Replaces hooked::tracing::advance, "goemu writes the trace, whose generations end here"),
    row!("runtime.ReadTrace" (11, 24), Replaces hooked::tracing::read, "goemu writes the trace"),
    row!("runtime/trace.runtime_readTrace" (25, 25), Replaces hooked::tracing::read, "goemu writes the trace"),
    row!("runtime.ReadTrace" since(26), Replaces hooked::tracing::read, "goemu writes the trace"),
    row!("runtime/trace.userTaskCreate" since(11), Replaces hooked::tracing::task_begins, "goemu writes the trace"),
    row!("runtime/trace.userTaskEnd" since(11), Replaces hooked::tracing::task_ends, "goemu writes the trace"),
    row!("runtime/trace.userRegion" since(12), Replaces hooked::tracing::region, "goemu writes the trace"),
    row!("runtime/trace.userLog" since(11), Replaces hooked::tracing::log, "goemu writes the trace"),
    row!("runtime.newm" ANY, Replaces hooked::system::thread, "there are no threads: a clear error"),
    row!("runtime.sigNoteSetup" since(13), on Darwin, Replaces hooked::system::nothing, "no signals are sent, so that none wakes a thread"),
    row!("os/signal.signal_recv" ANY, Replaces hooked::system::signal, "no signals are sent: a wait for one has no end"),
    row!("os/signal.signalWaitUntilIdle" ANY, Replaces hooked::system::nothing, "no signal is on its way"),
    row!("internal/poll.runtime_pollServerInit" ANY, on Windows, Replaces hooked::system::nothing, "nothing is waited for"),
    row!("internal/poll.runtime_pollOpen" ANY, on Windows, Replaces hooked::system::poll_open, "nothing is waited for"),
    row!("internal/poll.runtime_pollServerInit" ANY, on Linux, Replaces hooked::system::nothing, "nothing is waited for"),
    row!("internal/poll.runtime_pollOpen" ANY, on Linux, Replaces hooked::system::poll_open, "nothing is waited for"),
    row!("internal/poll.setDeadlineImpl" since(9), on Linux, Replaces hooked::system::deadline, "no file is registered with a poller: a clear error"),
    row!("runtime.entersyscall" ANY, Replaces hooked::system::nothing, "no other thread wants the processor meanwhile"),
    row!("runtime.exitsyscall" ANY, Replaces hooked::system::nothing, "no other thread wants the processor meanwhile"),
    row!("runtime.getitab" ANY, Replaces hooked::tables::getitab, "tables that the compiler made are registered in a started program only"),
    row!("runtime.(*itabTableType).find" since(21), Watches hooked::tables::find, "as getitab, which profiles put into its callers"),
    row!("runtime.GOMAXPROCS" ANY, Replaces hooked::system::processors, "there is one processor, whatever is asked for"),
    row!("runtime.SetDefaultGOMAXPROCS" since(25), Replaces hooked::system::default_processors, "there is one processor"),
    row!("runtime/debug.setMaxStack" ANY, Replaces hooked::stack::set_max, "stacks grow in goemu, which keeps the limit"),
    row!("runtime/debug.setMaxThreads" ANY, Replaces hooked::system::set_max_threads, "there are no threads, and no list of them"),
    row!("runtime.NumGoroutine" ANY, Replaces hooked::counted::count, "the scheduler that counts them is goemu's"),
    row!("runtime.gcount" upto(25), Replaces hooked::counted::count, "the scheduler that counts them is goemu's"),
    row!("runtime.GoroutineProfile" upto(14), Replaces hooked::counted::profile, "of several goroutines: only goemu knows them"),
    row!("runtime.goroutineProfileWithLabels" upto(18), Replaces hooked::counted::profile, "of several goroutines: only goemu knows them"),
    row!("runtime.goroutineProfileWithLabelsConcurrent" since(19), Replaces hooked::counted::profile, "of several goroutines: only goemu knows them"),
    row!("runtime/debug.setGCPercent" ANY, Watches hooked::system::initialised, "the runtime's start has set what it tells"),
    row!("runtime/debug.setMemoryLimit" since(19), Watches hooked::system::initialised, "the runtime's start has set what it tells"),
    row!("runtime.GC" ANY, Replaces hooked::collections::collect, "the heap is goemu's, and its collector"),
    row!("runtime.NumCPU" ANY, Replaces hooked::system::processor, "there is one processor, and no number of them yet"),
    row!("runtime.cgoCheckPointer" ANY, Object hooked::system::nothing),
    row!("runtime.cgoCheckResult" ANY, Object hooked::system::nothing),
    row!("runtime.SetFinalizer" ANY, Object hooked::finalizers::set_finalizer),
    row!("runtime.mcall" ANY, Object hooked::goroutines::mcall),
    row!("internal/abi.TypeOf" ANY, Object objects::iface::type_of),
    row!("weak.runtime_registerWeakPointer" (24, 24), Object hooked::weak::handle_of_object),
    row!("weak.runtime_registerWeakPointer" since(25), Object hooked::weak::handle),
    row!("runtime.AddCleanup[*]" since(24), Object hooked::cleanups::none),
    row!("runtime.SetFinalizer" ANY, Replaces hooked::finalizers::set_finalizer, "it is checked and noted: the heap is goemu's, and its collector"),
    row!("runtime.createfing" since(24), Replaces hooked::system::nothing, "what runs finalizers is started when there is one to run"),
    row!("runtime.(*cleanupQueue).createGs" since(25), Replaces hooked::system::nothing, "what runs cleanups is started when there is one to run"),
    row!("runtime.AddCleanup[*]" (24, 25), Watches hooked::cleanups::add, "it looks for the object's arena, which is not there"),
    row!("runtime.AddCleanup[*]" since(26), Watches hooked::cleanups::add_that_can_run, "as before, and it looks into spans, which are not there"),
    row!("runtime.findObject" since(14), Replaces hooked::cleanups::find_object, "it looks into spans, which are not there"),
    row!("runtime.addCleanup" (24, 25), Replaces hooked::cleanups::note, "the heap is goemu's, and its collector"),
    row!("runtime.addCleanup" since(26), Replaces hooked::cleanups::note_with_argument, "the heap is goemu's, and its collector"),
    row!("runtime.Cleanup.Stop" since(24), Replaces hooked::cleanups::stop, "the heap is goemu's, and its collector"),
    row!("runtime.getOrAddWeakHandle" (23, 24), Replaces hooked::weak::handle_of_object, "the heap is goemu's, and its collector"),
    row!("runtime.getOrAddWeakHandle" since(25), Replaces hooked::weak::handle, "as before, and variables have some, too"),
    row!("internal/weak.runtime_makeStrongFromWeak" (23, 23), Replaces hooked::weak::strong, "the heap is goemu's, and its collector"),
    row!("weak.runtime_makeStrongFromWeak" since(24), Replaces hooked::weak::strong, "the heap is goemu's, and its collector"),
    row!("runtime.ReadMemStats" ANY, Replaces hooked::system::memory_statistics, "the heap is goemu's"),
    row!("runtime/metrics.runtime_readMetrics" since(16), Replaces hooked::system::metrics, "only a started program has them"),
    row!("runtime/debug.WriteHeapDump" ANY, Replaces hooked::system::heap_dump, "the heap is goemu's"),
    row!("runtime/debug.readGCStats" ANY, Replaces hooked::system::collector_statistics, "only a started program's collector has them"),
    row!("runtime.newobject" ANY, Object objects::alloc::newobject),
    row!("runtime.makeslice" since(12), Object objects::alloc::makeslice),
    row!("runtime.makeslice64" since(12), Object objects::alloc::makeslice),
    row!("runtime.makeslicecopy" since(15), Object objects::alloc::makeslicecopy),
    row!("runtime.growslice" upto(19), Object objects::alloc::growslice_to_capacity),
    row!("runtime.growslice" since(20), Object objects::alloc::growslice),
    row!("runtime.growsliceBuf" since(26), Object objects::alloc::growslice_buf),
    row!("runtime.growsliceNoAlias" since(26), Object objects::alloc::growslice),
    row!("runtime.growsliceBufNoAlias" since(26), Object objects::alloc::growslice_buf),
    row!("runtime.moveSlice" since(26), Object objects::alloc::move_slice),
    row!("runtime.moveSliceNoScan" since(26), Object objects::alloc::move_slice_no_scan),
    row!("runtime.moveSliceNoCap" since(26), Object objects::alloc::move_slice_no_cap),
    row!("runtime.moveSliceNoCapNoScan" since(26), Object objects::alloc::move_slice_no_cap_no_scan),
    row!("runtime.memmove" ANY, Object objects::memory::memmove),
    row!("runtime.memclrNoHeapPointers" ANY, Object objects::memory::memclr),
    row!("runtime.memclrHasPointers" ANY, Object objects::memory::memclr),
    row!("runtime.typedmemmove" ANY, Object objects::memory::typedmemmove),
    row!("runtime.typedmemclr" ANY, Object objects::memory::typedmemclr),
    row!("runtime.typedslicecopy" since(15), Object objects::memory::typedslicecopy),
    row!("runtime.slicestringcopy" upto(15), Object objects::memory::slicestringcopy),
    row!("runtime.slicecopy" since(15), Object objects::memory::slicecopy),
    row!("runtime.wbZero" ANY, Object objects::memory::typedmemclr),
    row!("runtime.wbMove" ANY, Object objects::memory::typedmemmove),
    row!("runtime.cmpstring" ANY, Object objects::memory::cmpstring),
    row!("runtime.memequal" ANY, Object objects::equal::memequal),
    row!("runtime.memequal0" ANY, Object objects::equal::memequal0),
    row!("runtime.memequal8" ANY, Object objects::equal::memequal8),
    row!("runtime.memequal16" ANY, Object objects::equal::memequal16),
    row!("runtime.memequal32" ANY, Object objects::equal::memequal32),
    row!("runtime.memequal64" ANY, Object objects::equal::memequal64),
    row!("runtime.memequal128" ANY, Object objects::equal::memequal128),
    row!("runtime.memequal_varlen" ANY, Object objects::equal::memequal_varlen),
    row!("runtime.strequal" ANY, Object objects::equal::strequal),
    row!("runtime.f32equal" ANY, Object objects::equal::f32equal),
    row!("runtime.f64equal" ANY, Object objects::equal::f64equal),
    row!("runtime.c64equal" ANY, Object objects::equal::c64equal),
    row!("runtime.c128equal" ANY, Object objects::equal::c128equal),
    row!("runtime.interequal" ANY, Object objects::equal::interequal),
    row!("runtime.nilinterequal" ANY, Object objects::equal::nilinterequal),
    row!("runtime.efaceeq" ANY, Object objects::equal::efaceeq),
    row!("runtime.ifaceeq" ANY, Object objects::equal::ifaceeq),
    row!("runtime.memhash" ANY, Object objects::hash::memhash),
    row!("runtime.memhash_varlen" ANY, Object objects::hash::memhash_varlen),
    row!("runtime.memhash0" ANY, Object objects::hash::memhash0),
    row!("runtime.memhash8" ANY, Object objects::hash::memhash8),
    row!("runtime.memhash16" ANY, Object objects::hash::memhash16),
    row!("runtime.memhash32" ANY, Object objects::hash::memhash32),
    row!("runtime.memhash64" ANY, Object objects::hash::memhash64),
    row!("runtime.memhash128" ANY, Object objects::hash::memhash128),
    row!("runtime.strhash" ANY, Object objects::hash::strhash),
    row!("runtime.f32hash" ANY, Object objects::hash::f32hash),
    row!("runtime.f64hash" ANY, Object objects::hash::f64hash),
    row!("runtime.c64hash" ANY, Object objects::hash::c64hash),
    row!("runtime.c128hash" ANY, Object objects::hash::c128hash),
    row!("runtime.interhash" ANY, Object objects::hash::interhash),
    row!("runtime.nilinterhash" ANY, Object objects::hash::nilinterhash),
    row!("runtime.typehash" ANY, Object objects::hash::typehash),
    row!("runtime.fastrand" upto(21), Object objects::hash::random),
    row!("runtime.rand32" since(22), Object objects::hash::random),
    row!("runtime.rand" since(22), Object objects::hash::random),
    row!("runtime.makemap_small" ANY, Object objects::maps::makemap_small),
    row!("runtime.makemap" ANY, Object objects::maps::makemap),
    row!("runtime.makemap64" ANY, Object objects::maps::makemap),
    row!("runtime.mapaccess1" ANY, Object objects::maps::mapaccess1),
    row!("runtime.mapaccess2" ANY, Object objects::maps::mapaccess2),
    row!("runtime.mapassign" ANY, Object objects::maps::mapassign),
    row!("runtime.mapdelete" ANY, Object objects::maps::mapdelete),
    row!("runtime.mapaccess1_fast32" ANY, Object objects::maps::mapaccess1_fast32),
    row!("runtime.mapaccess2_fast32" ANY, Object objects::maps::mapaccess2_fast32),
    row!("runtime.mapassign_fast32" ANY, Object objects::maps::mapassign_fast32),
    row!("runtime.mapdelete_fast32" ANY, Object objects::maps::mapdelete_fast32),
    row!("runtime.mapaccess1_fast64" ANY, Object objects::maps::mapaccess1_fast64),
    row!("runtime.mapaccess2_fast64" ANY, Object objects::maps::mapaccess2_fast64),
    row!("runtime.mapassign_fast64" ANY, Object objects::maps::mapassign_fast64),
    row!("runtime.mapdelete_fast64" ANY, Object objects::maps::mapdelete_fast64),
    row!("runtime.mapaccess1_faststr" ANY, Object objects::maps::mapaccess1_faststr),
    row!("runtime.mapaccess2_faststr" ANY, Object objects::maps::mapaccess2_faststr),
    row!("runtime.mapassign_faststr" ANY, Object objects::maps::mapassign_faststr),
    row!("runtime.mapdelete_faststr" ANY, Object objects::maps::mapdelete_faststr),
    row!("runtime.mapassign_fast32ptr" ANY, Object objects::maps::mapassign_fast64),
    row!("runtime.mapassign_fast64ptr" ANY, Object objects::maps::mapassign_fast64),
    row!("runtime.mapaccess1_fat" ANY, Object objects::maps::mapaccess1_fat),
    row!("runtime.mapaccess2_fat" ANY, Object objects::maps::mapaccess2_fat),
    row!("runtime.mapclear" ANY, Object objects::maps::mapclear),
    row!("runtime.mapiterinit" ANY, Object objects::maps::mapiterinit),
    row!("runtime.mapiternext" ANY, Object objects::maps::mapiternext),
    row!("runtime.mapIterStart" since(24), Object objects::maps::mapiterinit),
    row!("runtime.mapIterNext" since(24), Object objects::maps::mapiternext),
    row!("runtime.concatstrings" ANY, Object objects::strings::concatstrings),
    row!("runtime.concatstring2" ANY, Object objects::strings::concatstring2),
    row!("runtime.concatstring3" ANY, Object objects::strings::concatstring3),
    row!("runtime.concatstring4" ANY, Object objects::strings::concatstring4),
    row!("runtime.concatstring5" ANY, Object objects::strings::concatstring5),
    row!("runtime.concatbytes" since(24), Object objects::strings::concatbytes),
    row!("runtime.concatbyte2" since(24), Object objects::strings::concatbyte2),
    row!("runtime.concatbyte3" since(24), Object objects::strings::concatbyte3),
    row!("runtime.concatbyte4" since(24), Object objects::strings::concatbyte4),
    row!("runtime.concatbyte5" since(24), Object objects::strings::concatbyte5),
    row!("runtime.slicebytetostring" ANY, Object objects::strings::slicebytetostring),
    row!("runtime.slicebytetostringtmp" ANY, Object objects::strings::slicebytetostringtmp),
    row!("runtime.stringtoslicebyte" ANY, Object objects::strings::stringtoslicebyte),
    row!("runtime.stringtoslicerune" ANY, Object objects::strings::stringtoslicerune),
    row!("runtime.slicerunetostring" ANY, Object objects::strings::slicerunetostring),
    row!("runtime.intstring" ANY, Object objects::strings::intstring),
    row!("runtime.decoderune" ANY, Object objects::strings::decoderune),
    row!("runtime.countrunes" ANY, Object objects::strings::countrunes),
    row!("runtime.convT16" ANY, Object objects::convert::conv16),
    row!("runtime.convT32" ANY, Object objects::convert::conv32),
    row!("runtime.convT64" ANY, Object objects::convert::conv64),
    row!("runtime.convTstring" ANY, Object objects::convert::conv_string),
    row!("runtime.convTslice" ANY, Object objects::convert::conv_slice),
    row!("runtime.convT" since(18), Object objects::convert::conv),
    row!("runtime.convTnoptr" since(18), Object objects::convert::conv),
    row!("runtime.convT2E" (12, 17), Object objects::convert::conv_interface),
    row!("runtime.convT2Enoptr" (12, 17), Object objects::convert::conv_interface),
    row!("runtime.convT2I" (12, 17), Object objects::convert::conv_to_iface),
    row!("runtime.convT2Inoptr" (12, 17), Object objects::convert::conv_to_iface),
    row!("runtime.typeAssert" since(22), Object objects::iface::type_assert),
    row!("runtime.interfaceSwitch" since(22), Object objects::iface::interface_switch),
    row!("runtime.assertE2I" upto(16), Object objects::iface::assert_any),
    row!("runtime.assertE2I2" upto(21), Object objects::iface::assert_any_or_nil),
    row!("runtime.assertI2I" upto(16), Object objects::iface::assert_iface),
    row!("runtime.assertI2I" (17, 21), Object objects::iface::assert_itab_to_itab),
    row!("runtime.assertI2I2" upto(21), Object objects::iface::assert_iface_or_nil),
    row!("runtime.convI2I" upto(17), Object objects::iface::conv_iface),
    row!("runtime.convI2I" (18, 21), Object objects::iface::conv_itab_to_itab),
    row!("runtime.assertE2I" since(17), Object objects::iface::assert_to_itab),
    row!("runtime.assertE2I2" since(22), Object objects::iface::assert_to_itab_or_nil),
    row!("runtime.panicdottypeE" ANY, Object objects::iface::panicdottype_e),
    row!("runtime.panicdottypeI" ANY, Object objects::iface::panicdottype_i),
    row!("runtime.panicnildottype" ANY, Object objects::iface::panicnildottype),
    row!("runtime.printlock" ANY, Object objects::print::nothing),
    row!("runtime.printunlock" ANY, Object objects::print::nothing),
    row!("runtime.printint" ANY, Object objects::print::int),
    row!("runtime.printuint" ANY, Object objects::print::uint),
    row!("runtime.printuintptr" ANY, Object objects::print::uint),
    row!("runtime.printhex" ANY, Object objects::print::hex),
    row!("runtime.printpointer" ANY, Object objects::print::hex),
    row!("runtime.printbool" ANY, Object objects::print::boolean),
    row!("runtime.printstring" ANY, Object objects::print::string),
    row!("runtime.printfloat" upto(25), Object objects::print::float),
    row!("runtime.printfloat64" since(26), Object objects::print::float64),
    row!("runtime.printfloat32" since(26), Object objects::print::float32),
    row!("runtime.printcomplex" upto(25), Object objects::print::complex),
    row!("runtime.printcomplex128" since(26), Object objects::print::complex128),
    row!("runtime.printcomplex64" since(26), Object objects::print::complex64),
    row!("runtime.printsp" ANY, Object objects::print::space),
    row!("runtime.printnl" ANY, Object objects::print::newline),
    row!("runtime.printeface" ANY, Object objects::print::interface),
    row!("runtime.printiface" ANY, Object objects::print::interface),
    row!("runtime.printslice" ANY, Object objects::print::slice),
    row!("runtime.complex128div" ANY, Object objects::complex::complex128div),
    row!("runtime.makechan" ANY, Object objects::channels::makechan),
    row!("runtime.makechan64" ANY, Object objects::channels::makechan),
    row!("runtime.chanlen" ANY, Object objects::channels::chanlen),
    row!("runtime.chancap" ANY, Object objects::channels::chancap),
    row!("runtime.chansend1" ANY, Object objects::channels::chansend1),
    row!("runtime.chanrecv1" ANY, Object objects::channels::chanrecv1),
    row!("runtime.chanrecv2" ANY, Object objects::channels::chanrecv2),
    row!("runtime.closechan" ANY, Object objects::channels::closechan),
    row!("runtime.selectnbsend" ANY, Object objects::channels::selectnbsend),
    row!("runtime.selectnbrecv" ANY, Object objects::channels::selectnbrecv),
    row!("runtime.selectnbrecv2" upto(16), Object objects::channels::selectnbrecv2),
    row!("runtime.selectgo" ANY, Object objects::select::selectgo),
    row!("runtime.block" ANY, Object objects::select::block),
    row!("runtime.Gosched" ANY, Object hooked::goroutines::yield_to_others),
    row!("runtime.deferrangefunc" since(22), Object objects::rangefunc::deferrangefunc),
    row!("runtime.deferprocat" since(22), Object objects::rangefunc::deferprocat),
    row!("runtime.panicrangeexit" (22, 22), Object objects::rangefunc::panicrangeexit),
    row!("runtime.panicrangestate" since(23), Object objects::rangefunc::panicrangestate),
    row!("runtime.gopanic" ANY, Object objects::panics::gopanic),
    row!("runtime.gorecover" upto(25), Object objects::panics::gorecover_argp),
    row!("runtime.gorecover" since(26), Object objects::panics::gorecover),
    row!("runtime.deferreturn" ANY, Object objects::panics::deferreturn),
    row!("runtime.sigpanic" upto(16), Object objects::panics::sigpanic),
    row!("runtime.sigpanic0" since(17), Object objects::panics::sigpanic),
    row!("runtime.panicindex" upto(12), Object objects::bounds::index_out_of_range),
    row!("runtime.panicslice" upto(12), Object objects::bounds::slice_out_of_range),
    row!("runtime.panicBounds" since(26), Object objects::bounds::encoded),
    row!("runtime.panicwrap" ANY, Object objects::errors::nil_receiver),
    row!("runtime.panicdivide" ANY, Object objects::errors::divide),
    row!("runtime.panicshift" ANY, Object objects::errors::shift),
    row!("runtime.panicoverflow" ANY, Object objects::errors::overflow),
    row!("runtime.panicmakeslicelen" ANY, Object objects::errors::makeslice_len),
    row!("runtime.panicmakeslicecap" ANY, Object objects::errors::makeslice_cap),
    row!("runtime.panicunsafeslicelen" ANY, Object objects::errors::unsafe_slice_len),
    row!("runtime.panicunsafeslicenilptr" ANY, Object objects::errors::unsafe_slice_nil),
    row!("runtime.panicunsafestringlen" ANY, Object objects::errors::unsafe_string_len),
    row!("runtime.panicunsafestringnilptr" ANY, Object objects::errors::unsafe_string_nil),
    row!("runtime.boundsError.Error" ANY, Object objects::errors::bounds_text),
    row!("runtime.errorString.Error" ANY, Object objects::errors::error_string_text),
    row!("runtime.TypeAssertionError.Error" ANY, Object objects::errors::assertion_text),
    row!("runtime.TypeAssertionError.RuntimeError" ANY, Object objects::print::nothing),
    row!("runtime.boundsError.RuntimeError" ANY, Object objects::print::nothing),
    row!("runtime.errorString.RuntimeError" ANY, Object objects::print::nothing),
    row!("runtime.panicIndex" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicIndexU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceAlen" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceAlenU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceAcap" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceAcapU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceB" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceBU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3Alen" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3AlenU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3Acap" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3AcapU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3B" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3BU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3C" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSlice3CU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceConvert" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.panicSliceConvertU" (13, 25), Object objects::bounds::by_registers),
    row!("runtime.gopanic" ANY, Started real::gopanic, "the newest panic is what the program may end by"),
    row!("runtime.gorecover" ANY, StartedTells real::gorecover, "a deferred function asks for the panic"),
    row!("runtime.recovery" ANY, StartedTells real::recovery, "the panic was recovered"),
    row!("runtime.fatalpanic" ANY, Started real::fatalpanic, "nobody recovered the panic"),
    row!("runtime.throw" ANY, Started real::throw, "a fatal error"),
    row!("runtime.fatal" ANY, Started real::throw, "a fatal error"),
    row!("runtime.dopanic_m" ANY, Started real::traceback, "the reason is printed, the traceback follows"),
    row!("runtime.gcStart" ANY, Started real::gc_start, "the collector does not know of the arguments that goemu has placed"),
    row!("runtime.copystack" ANY, Started real::copystack, "the limit of a stack is the machine's"),
    row!("runtime.cgocall" ANY, StartedWithC imports::cgocall, "threads that were started keep lists of calls into C; here C just runs"),
    row!("runtime.exitsyscall" ANY, StartedWithC imports::exitsyscall, "C calls Go: there is no system call to leave"),
    row!("runtime.reentersyscall" ANY, StartedWithC imports::reentersyscall, "Go returns to C: there is no system call"),
];

/// What decides, with the name, whether a row holds: the release, and the system.
#[derive(Clone, Copy)]
pub(super) struct Release {
    rules: Rules,
    os: Os,
}

impl Release {
    pub(super) fn of(image: &Image) -> Release {
        Release { rules: image.facts().rules(), os: image.target().os }
    }
}

/// The rows by name.
struct Index {
    exact: FxHashMap<&'static str, Vec<&'static Row>>,
    /// Those with a star: what is before it, and behind.
    starred: Vec<(&'static str, &'static str, &'static Row)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { exact: FxHashMap::default(), starred: Vec::new() };
    for row in ROWS {
        match row.name.split_once('*') {
            Some((start, end)) => index.starred.push((start, end, row)),
            None => index.exact.entry(row.name).or_default().push(row),
        }
    }
    index
});

/// The row of a function in one of these cases.
pub(super) fn find(name: &str, cases: &[When], release: Release) -> Option<&'static Row> {
    let exact = INDEX.exact.get(name).into_iter().flatten().copied();
    let is_like = |(start, end, _): &&(&str, &str, _)| name.starts_with(start) && name.ends_with(end);
    let starred = INDEX.starred.iter().filter(is_like).map(|(.., row)| *row);
    { exact.chain(starred) }.find(|row| {
        cases.contains(&row.when)
            && release.rules.is_within(row.versions)
            && row.os.is_none_or(|only| only == release.os)
    })
}

/// The hook of a function in a program that did not start.
pub(super) fn hooked(name: &str, release: Release) -> Option<Body> {
    find(name, &[When::Replaces, When::Watches], release).map(|row| row.body)
}

/// Whether the hook on a function allocates: `mallocgc`, and those of one size.
pub(super) fn allocates(name: &str) -> bool {
    short(name).starts_with("mallocgc")
}

/// A function's name without `runtime.`.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("runtime.").unwrap_or(name)
}

/// The full name of a function that is recognised: those of other packages have theirs.
pub(super) fn full(short: &str) -> String {
    let foreign = INDEX.exact.contains_key(short);
    if foreign { short.to_owned() } else { format!("runtime.{short}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goemu_loader::GoVersion;

    fn has(name: &str, minor: u16, when: When) -> bool {
        let release = Release { rules: Rules::of(GoVersion::new(minor, 0)), os: Os::Linux };
        find(name, &[when], release).is_some()
    }

    #[test]
    fn a_row_is_found_by_name_release_and_case() {
        assert!(
            has("runtime.panicIndexU", 13, When::Object) && has("runtime.panicSlice3C", 25, When::Object)
        );
        assert!(!has("runtime.panicIndex", 26, When::Object) && !has("runtime.panicky", 20, When::Object));
        assert!(has("runtime.growslice", 19, When::Object) && has("runtime.growslice", 20, When::Object));
        assert!(has("runtime.AddCleanup[go.shape.int]", 24, When::Watches));
        assert!(!has("runtime.AddCleanup[go.shape.int].func1", 24, When::Watches), "a closure in it");
        assert!(has("time.Sleep", 20, When::Replaces) && !has("time.Sleep", 20, When::Object));
        assert!(
            has("runtime.StopTrace", 21, When::Replaces) && !has("runtime.StopTrace", 22, When::Replaces)
        );
        assert!(!has("time.now", 20, When::Watches), "Windows only");
    }

    #[test]
    fn no_row_hides_another() {
        for (n, row) in ROWS.iter().enumerate() {
            let same = |other: &&Row| {
                let overlap = row.versions.0 <= other.versions.1 && other.versions.0 <= row.versions.1;
                other.name == row.name && other.when == row.when && other.os == row.os && overlap
            };
            assert_eq!(ROWS[..n].iter().filter(same).count(), 0, "{} twice", row.name);
        }
    }
}
