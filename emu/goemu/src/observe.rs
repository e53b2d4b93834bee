//! Watching a call. An observer sees everything and changes nothing; what it does not ask for costs
//! nothing.
//!
//! An observer that counts the executed instructions of each function, a block at a time:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use goemu::observe::{Interest, Observer, View};
//! use goemu::{Image, Machine};
//! use iced_x86::Instruction;
//!
//! struct Counts(Arc<Mutex<BTreeMap<String, usize>>>);
//!
//! impl Observer for Counts {
//!     fn interest(&self) -> Interest {
//!         Interest::BLOCKS
//!     }
//!
//!     fn block(&mut self, at: &View<'_>, insns: &[Instruction]) {
//!         let name = at.image.func_at(at.cpu.rip).map_or(String::new(), |func| func.name().to_owned());
//!         *self.0.lock().unwrap().entry(name).or_default() += insns.len();
//!     }
//! }
//!
//! # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
//! let mut machine = Machine::new(Image::open(program)?)?;
//! let counts = Arc::new(Mutex::new(BTreeMap::new()));
//! machine.observe(Counts(Arc::clone(&counts)));
//! let report = machine.call("main.fib")?.arg(10).run()?;
//! assert_eq!(counts.lock().unwrap()["main.fib"] as u64, report.instructions);
//! # Ok::<(), goemu::Error>(())
//! ```

use std::sync::Arc;

use bitflags::bitflags;
use goemu_loader::Image;
use iced_x86::Instruction;

use crate::cpu::Cpu;
pub use crate::engine::Chooser;
use crate::exit::Fault;
use crate::memory::Memory;
use crate::outcome::Outcome;

bitflags! {
    /// What an observer wants to be told.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Interest: u8 {
        /// Every instruction, before it is executed.
        const BEFORE = 1;
        /// Every instruction, after it was executed.
        const AFTER = 4;
        /// Every block of instructions, before the first is executed: what counting and coverage need, for the least cost.
        const BLOCKS = 8;
        /// Every instruction, before and after. Asking for one of them alone costs half.
        const INSTRUCTIONS = Self::BEFORE.bits() | Self::AFTER.bits();
        /// What Go's runtime does.
        const EVENTS = 2;
        /// The instructions that it has [chosen](Observer::chooser), of all goroutines, each before it is executed.
        const CHOSEN = 16;
    }
}

/// The machine as an observer sees it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The program.
    pub image: &'a Image,
    /// The processor; RIP is that of the instruction in question.
    pub cpu: &'a Cpu,
    /// The memory.
    pub memory: &'a Memory,
    /// Address of the running goroutine's `g`.
    pub g: u64,
}

/// What Go's runtime does, as its hooks tell it. Addresses are the guest's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A call is about to begin: RIP is at the function's entry.
    CallBegins {
        /// Address of the function.
        func: u64,
        /// Where the stack pointer stands: at the return address.
        sp: u64,
        /// Size of the stack in bytes.
        stack: u64,
    },
    /// The stack was too small and grew in place, downwards.
    StackGrew {
        /// The function that asked for it.
        func: u64,
        /// Bytes before.
        from: u64,
        /// Bytes now.
        to: u64,
    },
    /// The stack was too small, and is another, larger one now: the program's own runtime copies it.
    StackMoved {
        /// End of the old one.
        from: u64,
        /// End of the new one.
        to: u64,
    },
    /// A deferred call was registered.
    DeferPushed {
        /// The function of the runtime: `deferproc`, `deferprocStack`.
        by: &'static str,
        /// Address of the `_defer` record.
        record: u64,
        /// Address of the closure.
        closure: u64,
        /// Address of the deferred function.
        func: u64,
        /// SP of the frame that it belongs to.
        sp: u64,
        /// Bytes of arguments that were copied to the record (up to Go 1.16).
        args: Vec<u8>,
    },
    /// `deferreturn` runs the newest deferred call of the frame.
    DeferRuns {
        /// Address of the `_defer` record.
        record: u64,
        /// Address of the closure.
        closure: u64,
        /// Address of the deferred function.
        func: u64,
        /// Where its return address is.
        sp: u64,
    },
    /// `deferreturn` finds nothing more to run in the frame.
    DefersDone,
    /// `deferreturn` was left to the program's own runtime, as the frame's defers are not in records.
    DefersLeftToRuntime,
    /// `panic` was called.
    Panicking {
        /// Address of the value's type descriptor.
        ty: u64,
        /// The value's data word.
        data: u64,
    },
    /// `recover` was called.
    RecoverCalled,
    /// A panic was recovered: the deferring function goes on to its end.
    Recovered,
    /// An instruction faulted, and the runtime makes a panic of it.
    FaultBecomesPanic(Fault),
    /// Memory was allocated.
    Allocated {
        /// Where.
        addr: u64,
        /// Bytes.
        size: u64,
        /// Address of the type descriptor; 0 for memory without pointers.
        ty: u64,
    },
    /// A `go` statement has made a goroutine.
    GoroutineStarted {
        /// Its number.
        goroutine: u64,
        /// Address of its function.
        func: u64,
    },
    /// Another goroutine runs.
    GoroutineSwitched {
        /// The number of the one that ran.
        from: u64,
        /// The number of the one that runs now.
        to: u64,
    },
    /// The guest made a system call.
    Syscall {
        /// RAX at the SYSCALL: the number of the program's own system, on macOS with its class.
        number: u64,
        /// The call's name, where it is one that goemu knows.
        name: Option<&'static str>,
        /// Its arguments by name, as they were at the SYSCALL.
        args: Vec<(&'static str, u64)>,
        /// The result; negative ones are error numbers.
        result: i64,
    },
    /// What the runtime does cannot be told: its records are damaged.
    Unreadable {
        /// The address that could not be read.
        addr: u64,
    },
    /// The call has ended.
    CallEnded(Outcome),
}

impl Event {
    /// All kinds, see [`Event::kind`].
    pub const KINDS: &[&str] = &[
        "call_begins",
        "stack_grew",
        "stack_moved",
        "defer_pushed",
        "defer_runs",
        "defers_done",
        "defers_left_to_runtime",
        "panicking",
        "recover_called",
        "recovered",
        "fault_becomes_panic",
        "allocated",
        "goroutine_started",
        "goroutine_switched",
        "syscall",
        "unreadable",
        "call_ended",
    ];

    /// Its kind in one word, as JSON and filters have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::CallBegins { .. } => "call_begins",
            Event::StackGrew { .. } => "stack_grew",
            Event::StackMoved { .. } => "stack_moved",
            Event::DeferPushed { .. } => "defer_pushed",
            Event::DeferRuns { .. } => "defer_runs",
            Event::DefersDone => "defers_done",
            Event::DefersLeftToRuntime => "defers_left_to_runtime",
            Event::Panicking { .. } => "panicking",
            Event::RecoverCalled => "recover_called",
            Event::Recovered => "recovered",
            Event::FaultBecomesPanic(_) => "fault_becomes_panic",
            Event::Allocated { .. } => "allocated",
            Event::GoroutineStarted { .. } => "goroutine_started",
            Event::GoroutineSwitched { .. } => "goroutine_switched",
            Event::Syscall { .. } => "syscall",
            Event::Unreadable { .. } => "unreadable",
            Event::CallEnded(_) => "call_ended",
        }
    }
}

/// What becomes of a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// The state that has been reached is the one that runs start from, from now on.
    Kept,
    /// The machine went back to that state.
    Restored,
    /// The program has ended; its threads go on for a while.
    Ended,
}

/// Watches a call.
pub trait Observer {
    /// What it wants to be told. Asked once, when it is given to the machine.
    fn interest(&self) -> Interest;

    /// Before a block: instructions that are executed one after the other, unless one faults. Where one does, or the
    /// call ends inside the block, fewer are.
    fn block(&mut self, at: &View<'_>, insns: &[Instruction]) {
        let _ = (at, insns);
    }

    /// Which instructions it is shown with [`Interest::CHOSEN`]. Asked once, when it is given to the machine.
    fn chooser(&self) -> Option<Chooser> {
        None
    }

    /// Before an instruction that it has chosen, whichever goroutine runs: [`View::g`] is that of the thread, which
    /// may be one of the runtime's own.
    fn chosen(&mut self, at: &View<'_>, insn: &Instruction) {
        let _ = (at, insn);
    }

    /// Before an instruction.
    fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        let _ = (at, insn);
    }

    /// After an instruction that did not fault. RIP is that of the next.
    fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        let _ = (at, insn);
    }

    /// Something happened in Go's runtime.
    fn event(&mut self, at: &View<'_>, event: &Event) {
        let _ = (at, event);
    }

    /// Something happened to the run as a whole.
    fn phase(&mut self, phase: Phase) {
        let _ = phase;
    }
}

/// An observer with what it wants.
struct Wanting {
    wants: Interest,
    chooser: Option<Chooser>,
    observer: Box<dyn Observer + Send>,
}

/// The observers of a machine.
#[derive(Default)]
pub(crate) struct Observers {
    list: Vec<Wanting>,
    /// Whether edges are counted: what runs while the observers are away leaves no counts.
    pub(crate) covers: bool,
}

impl Observers {
    pub(crate) fn add(&mut self, observer: Box<dyn Observer + Send>) {
        let chooser = observer.chooser().filter(|_| observer.interest().contains(Interest::CHOSEN));
        self.list.push(Wanting { wants: observer.interest(), chooser, observer });
    }

    /// Whether there is no observer.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes all observers away.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Whether somebody wants this.
    pub(crate) fn want(&self, interest: Interest) -> bool {
        self.list.iter().any(|one| one.wants.intersects(interest))
    }

    /// Tells an event.
    pub(crate) fn event(&mut self, at: &View<'_>, event: &Event) {
        for Wanting { wants, observer, .. } in &mut self.list {
            if wants.contains(Interest::EVENTS) {
                observer.event(at, event);
            }
        }
    }

    /// Tells all of them what becomes of the run.
    pub(crate) fn phase(&mut self, phase: Phase) {
        self.list.iter_mut().for_each(|one| one.observer.phase(phase));
    }

    /// Everything that somebody wants.
    pub(crate) fn wants(&self) -> Interest {
        self.list.iter().fold(Interest::empty(), |all, one| all | one.wants)
    }

    /// Which instructions somebody has chosen.
    pub(crate) fn chooser(&self) -> Option<Chooser> {
        let all: Vec<Chooser> = self.list.iter().filter_map(|one| one.chooser.clone()).collect();
        match all.as_slice() {
            [] => None,
            [one] => Some(Chooser::clone(one)),
            _ => Some(Arc::new(move |insn| all.iter().any(|chooses| chooses(insn)))),
        }
    }

    /// Shows an instruction to those that have chosen it.
    #[inline]
    pub(crate) fn chosen(&mut self, at: &View<'_>, insn: &Instruction) {
        let only = self.list.len() == 1;
        for Wanting { chooser, observer, .. } in &mut self.list {
            if chooser.as_ref().is_some_and(|chooses| only || chooses(insn)) {
                observer.chosen(at, insn);
            }
        }
    }

    pub(crate) fn block(&mut self, at: &View<'_>, insns: &[Instruction]) {
        for Wanting { wants, observer, .. } in &mut self.list {
            if wants.contains(Interest::BLOCKS) {
                observer.block(at, insns);
            }
        }
    }

    #[inline]
    pub(crate) fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        for Wanting { wants, observer, .. } in &mut self.list {
            if wants.contains(Interest::BEFORE) {
                observer.before(at, insn);
            }
        }
    }

    #[inline]
    pub(crate) fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        for Wanting { wants, observer, .. } in &mut self.list {
            if wants.contains(Interest::AFTER) {
                observer.after(at, insn);
            }
        }
    }
}
