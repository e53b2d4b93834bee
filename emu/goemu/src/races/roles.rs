//! Functions of Go's runtime and of package sync that mean something: where goroutines begin, what orders them, what
//! accesses memory on the program's behalf.
//!
//! They are those that Go's own race detector is told of (`race.Acquire` and its kin in the sources).

use goemu_loader::{Func, FuncId, Image};
use rustc_hash::FxHashMap;

/// What a function means. Numbers are those of argument words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// `newproc`: a `go` statement.
    Go,
    /// `newproc1`, which makes the goroutine.
    MakesGoroutine,
    /// `goexit1`: the goroutine ends.
    EndsGoroutine,
    /// `mallocgc` and its kin.
    Allocates,
    ChanSend,
    ChanRecv,
    ChanClose,
    Select,
    /// `send`: a value goes to a goroutine that waits.
    HandsOver,
    /// `recv`: a value comes from a goroutine that waits.
    TakesOver,
    /// A map's contents are read.
    MapRead {
        map: u8,
    },
    /// A map's contents are changed.
    MapWrite {
        map: u8,
    },
    /// Memory is copied or read as a range.
    Range(Range),
    /// A semaphore was waited for.
    Semacquire,
    WaitGroupWait,
    PoolPut,
    PoolGet,
    /// `time.newTimer`, whose result is the timer.
    MakesTimer,
    /// `time.startTimer`, `time.resetTimer`
    StartsTimer,
    /// A timer's function is about to be called. The argument with the timer.
    TimerFires {
        timer: u8,
    },
    CoroutineSwitches,
    CoroutineEnds,
    /// The goroutine has waited for all others that matter to it.
    AfterAll,
}

/// Ranges of memory, by arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// `memmove(to, from, n)`
    Move,
    /// `memclr(ptr, n)`
    Clear,
    /// `memequal(p, q, n)`
    Equal,
    /// `typedmemmove(type, to, from)`
    MoveTyped,
    /// `typedmemclr(type, ptr)`
    ClearTyped,
    /// `typedslicecopy(type, to, length, from, length)`
    CopySlice,
    /// `growslice(ptr, new length, capacity, added, type)`
    Grow,
    /// `slicebytetostring(buf, ptr, n)`
    ToString,
}

impl Role {
    /// Whether its end means something, too.
    pub(super) fn ends(self) -> bool {
        matches!(
            self,
            Role::MakesGoroutine
                | Role::Allocates
                | Role::ChanRecv
                | Role::Select
                | Role::Semacquire
                | Role::WaitGroupWait
                | Role::PoolGet
                | Role::MakesTimer
                | Role::CoroutineSwitches
                | Role::AfterAll
        )
    }
}

/// What is inside the function that a coroutine begins with.
const COROUTINE: &str = "runtime.corostart.";

/// The roles of a program's functions, by their entries.
pub(super) fn all(image: &Image) -> FxHashMap<u64, Role> {
    // Deferred calls are wrapped.
    let real = |func: &Func<'_>| func.func_id() != FuncId::Wrapper || func.name().starts_with(COROUTINE);
    image.funcs().filter(real).filter_map(|func| Some((func.entry(), role(image, func.name())?))).collect()
}

fn role(image: &Image, name: &str) -> Option<Role> {
    if name.starts_with(COROUTINE) {
        return Some(Role::CoroutineEnds);
    }
    if let Some(name) = name.strip_prefix("runtime.") {
        return of_runtime(image, name);
    }
    Some(match name {
        "sync.(*WaitGroup).Wait" => Role::WaitGroupWait,
        "sync.(*Pool).Put" => Role::PoolPut,
        "sync.(*Pool).Get" => Role::PoolGet,
        "time.newTimer" => Role::MakesTimer,
        "time.startTimer" | "time.resetTimer" => Role::StartsTimer,
        "internal/synctest.Wait" | "internal/synctest.Run" => Role::AfterAll,
        "reflect.mapaccess" | "reflect.mapaccess_faststr" | "reflect.mapiterinit" => Role::MapRead { map: 1 },
        "reflect.maplen" => Role::MapRead { map: 0 },
        "reflect.mapassign" | "reflect.mapassign0" | "reflect.mapassign_faststr" => Role::MapWrite { map: 1 },
        "reflect.mapassign_faststr0" | "reflect.mapdelete" | "reflect.mapdelete_faststr" => {
            Role::MapWrite { map: 1 }
        }
        "reflect.mapclear" => Role::MapWrite { map: 1 },
        "reflect.typedmemmove" => Role::Range(Range::MoveTyped),
        "reflect.typedmemclr" => Role::Range(Range::ClearTyped),
        name if is_semacquire(name) => Role::Semacquire,
        _ => return None,
    })
}

fn is_semacquire(name: &str) -> bool {
    let name = name.strip_prefix("internal/").unwrap_or(name);
    name.starts_with("sync.runtime_Semacquire")
}

fn of_runtime(image: &Image, name: &str) -> Option<Role> {
    Some(match name {
        "newproc" | "newcoro" => Role::Go,
        "newproc1" => Role::MakesGoroutine,
        "goexit1" => Role::EndsGoroutine,
        "chansend" => Role::ChanSend,
        "chanrecv" => Role::ChanRecv,
        "closechan" => Role::ChanClose,
        "selectgo" => Role::Select,
        "send" => Role::HandsOver,
        "recv" => Role::TakesOver,
        "mapiterinit" | "mapIterStart" => Role::MapRead { map: 1 },
        "mapclear" => Role::MapWrite { map: 1 },
        "memmove" => Role::Range(Range::Move),
        "memclrNoHeapPointers" | "memclrHasPointers" => Role::Range(Range::Clear),
        "memequal" => Role::Range(Range::Equal),
        "typedmemmove" | "wbMove" => Role::Range(Range::MoveTyped),
        "typedmemclr" | "wbZero" => Role::Range(Range::ClearTyped),
        "typedslicecopy" => Role::Range(Range::CopySlice),
        "slicebytetostring" => Role::Range(Range::ToString),
        "(*timer).unlockAndRun" => Role::TimerFires { timer: 0 },
        "runOneTimer" => Role::TimerFires { timer: 1 },
        "coroswitch" => Role::CoroutineSwitches,
        name if name.starts_with("mallocgc") => Role::Allocates,
        name if name.starts_with("mapaccess") => Role::MapRead { map: 1 },
        name if name.starts_with("mapassign") || name.starts_with("mapdelete") => Role::MapWrite { map: 1 },
        name if name.starts_with("growslice") && image.facts().rules().growslice_gets_lengths() => {
            Role::Range(Range::Grow)
        }
        _ => return None,
    })
}

/// The functions in which finalizers and cleanups are called: whatever they call comes after all accesses to the object.
pub(super) fn calls_finalizers(name: &str) -> bool {
    matches!(name, "runtime.runfinq" | "runtime.runFinalizers" | "runtime.runCleanups")
}

/// What an atomic instruction in a function of package sync orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncAtomic {
    /// Nothing that is not ordered otherwise.
    Nothing,
    MutexLock,
    MutexUnlock,
    ReadLock,
    ReadUnlock,
    WriteLock,
    WriteUnlock,
    WaitGroupAdd,
    WaitGroupWait,
}

/// That of the innermost function that has one; `None` for atomics that are the program's own.
pub(super) fn lock<'n>(names: impl Iterator<Item = &'n str>) -> Option<SyncAtomic> {
    for name in names {
        let short = name.strip_prefix("internal/").unwrap_or(name);
        let Some(method) = short.strip_prefix("sync.") else { continue };
        return Some(match method {
            "(*Mutex).Lock" | "(*Mutex).TryLock" | "(*Mutex).lockSlow" => SyncAtomic::MutexLock,
            "(*Mutex).Unlock" | "(*Mutex).unlockSlow" => SyncAtomic::MutexUnlock,
            "(*RWMutex).RLock" | "(*RWMutex).TryRLock" => SyncAtomic::ReadLock,
            "(*RWMutex).RUnlock" => SyncAtomic::ReadUnlock,
            "(*RWMutex).Lock" | "(*RWMutex).TryLock" => SyncAtomic::WriteLock,
            "(*RWMutex).Unlock" => SyncAtomic::WriteUnlock,
            "(*WaitGroup).Add" => SyncAtomic::WaitGroupAdd,
            "(*WaitGroup).Wait" => SyncAtomic::WaitGroupWait,
            _ if is_ordered_otherwise(method) => SyncAtomic::Nothing,
            _ => return None,
        });
    }
    None
}

/// Functions whose atomics Go's race detector is told to pass over.
fn is_ordered_otherwise(method: &str) -> bool {
    const TYPES: [&str; 8] = [
        "(*Pool).",
        "(*poolChain).",
        "(*poolDequeue).",
        "(*copyChecker).",
        "(*notifyList).",
        "(*RWMutex).",
        "(*Mutex).",
        "(*WaitGroup).",
    ];
    TYPES.iter().any(|start| method.starts_with(start))
        || method.starts_with("pool")
        || method.starts_with("runtime_")
}
