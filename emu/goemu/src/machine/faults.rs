//! Faults of the guest: which of them Go makes a panic of, and how.
//!
//! Go's signal handler (`runtime/signal_amd64.go`, `preparePanic`) notes the signal in `g` and makes the faulting
//! instruction look as if it had called `sigpanic`, which panics. The same is done here. A whole program gets the signals
//! of all other faults, as its system would send them.

use goemu_loader::facts::{Signal, Signals};
use goemu_loader::{Func, FuncId, Image};

use super::Machine;
use crate::cpu::gpr;
use crate::error::Error;
use crate::exit::{Fault, FaultKind};
use crate::memory::{Cause, MemFault};
use crate::observe::Event;
use crate::os::imports;
use crate::outcome::Outcome;

/// Below this an address counts as nil; above, Go dies with "unexpected fault address",
/// unless it was asked not to.
const NIL_PAGE: u64 = 0x1000;

impl Machine {
    /// What is missing, where the guest reached for a variable that no object file defines, or that is in a library.
    pub(super) fn undefined(&self, fault: Fault) -> Option<Error> {
        let FaultKind::Memory(memory) = fault.kind else { return None };
        let caller = self.guest.image.func_at(fault.pc).map(|func| func.name().to_owned());
        if let Some(name) = self.guest.image.undefined_variable(memory.addr) {
            return Some(Error::Undefined { name: name.to_owned(), caller });
        }
        let name = imports::variable(&self.guest.image, memory.addr)?;
        let what = format!("the C variable {name}, which is not in this file,");
        Some(Error::Unsupported { what, caller })
    }

    /// Makes a fault a panic of Go's, or the outcome of the call.
    pub(super) fn answer_fault(&mut self, fault: Fault) -> Option<Outcome> {
        self.doubt_fault(fault);
        let limit = matches!(fault.kind, FaultKind::Memory(MemFault { cause: Cause::Limit, .. }));
        if limit {
            return Some(Outcome::MemoryLimit { limit: self.guest.memory.limit() });
        }
        if let Some((signal, addr)) = self.signal(fault)
            && self.enter_sigpanic(signal, addr, fault).is_some()
        {
            return None;
        }
        if self.call_goroutine.gets_signals() && self.signal_fault(&fault) {
            return None;
        }
        let func = self.guest.image.func_at(fault.pc).map(|func| func.name().to_owned());
        Some(Outcome::Faulted { fault, func })
    }

    /// Starts the program's own handler for a fault: whether it has one.
    fn signal_fault(&mut self, fault: &Fault) -> bool {
        let started = self.with_os(|os, cx| os.signal_fault(cx, fault)).unwrap_or(false);
        if started {
            self.follow();
        }
        started
    }

    /// Notes that a fault in a runtime that was not started may not be the program's own. Its functions that copy and compare
    /// memory, or call deferred functions, are given the program's pointers.
    fn doubt_fault(&mut self, fault: Fault) {
        const OF_PROGRAM: [&str; 12] = [
            "mem",
            "duff",
            "cmp",
            "typedmem",
            "str",
            "gcWriteBarrier",
            "bulk",
            "wb",
            "asm",
            "jmpdefer",
            "defer",
            "call",
        ];
        let func = self.guest.image.func_at(fault.pc);
        let own = func.and_then(|func| func.name().strip_prefix("runtime."));
        let astray = own.is_some_and(|name| !OF_PROGRAM.iter().any(|start| name.starts_with(start)));
        if astray && self.booted.is_none() && !self.guest.image.is_linked_here() {
            self.guest.world.doubt = Some("a fault in a runtime that was not started");
        }
    }

    /// The signal that the program's system would send, and its address, for faults that Go makes panics of.
    fn signal(&self, fault: Fault) -> Option<(Signal, u64)> {
        let signals = Signals::of(self.guest.image.target().os);
        match fault.kind {
            FaultKind::Memory(memory) if memory.addr < NIL_PAGE || self.panics_on_fault() => {
                Some((signals.memory, memory.addr))
            }
            FaultKind::Divide => Some((signals.divide, fault.pc)),
            _ => None,
        }
    }

    /// Whether the goroutine has asked for panics at any address (`debug.SetPanicOnFault`).
    fn panics_on_fault(&self) -> bool {
        let field = self.guest.image.facts().g.paniconfault;
        field.is_some_and(|field| {
            self.guest.memory.read(self.guest.goroutine.g + field).is_ok_and(|[set]: [u8; 1]| set != 0)
        })
    }

    fn enter_sigpanic(&mut self, signal: Signal, addr: u64, fault: Fault) -> Option<()> {
        let image = &*self.guest.image;
        let sp = self.guest.cpu.gpr(gpr::RSP);
        // On another stack than the goroutine's, the runtime itself has faulted.
        if !(self.guest.goroutine.stack_lo..self.guest.goroutine.stack_hi).contains(&sp) {
            return None;
        }
        let target = (*self.sigpanic.get_or_init(|| sigpanic(image)))?;
        let in_go = image.func_at(fault.pc).is_some();
        if !in_go {
            // A jump to nowhere: the return address, which the CALL pushed, stands for it.
            let from = u64::from_le_bytes(self.guest.memory.read(sp).ok()?);
            image.func_at(from)?;
        } else {
            let below = sp.wrapping_sub(8);
            self.guest.memory.write(below, fault.pc.to_le_bytes()).ok()?;
            self.guest.cpu.set_gpr(gpr::RSP, below);
        }
        let (at, g) = (self.guest.goroutine.g, image.facts().g);
        let words = [(g.sigcode0, signal.code), (g.sigcode1, addr), (g.sigpc, fault.pc)];
        for (field, value) in words {
            self.guest.memory.write(at + field, value.to_le_bytes()).ok()?;
        }
        self.guest.memory.write(at + g.sig, signal.number.to_le_bytes()).ok()?;
        if self.guest.image.facts().register_abi() {
            // `sigpanic0` sees to this, where there is one.
            self.guest.cpu.set_gpr(gpr::R14, at);
            self.guest.cpu.ymm[15] = [0; 2];
        }
        self.guest.cpu.rip = target;
        self.cx().emit(|_| Event::FaultBecomesPanic(fault));
        Some(())
    }
}

/// Where faults enter Go's runtime. Looked for once: a guest may fault in a loop.
fn sigpanic(image: &Image) -> Option<u64> {
    let names = ["runtime.sigpanic0", "runtime.sigpanic"];
    let named = names.iter().find_map(|name| image.funcs_named(name).first().map(Func::entry));
    // Names may have been taken away; the number that the runtime gives it is left.
    named.or_else(|| image.funcs().find(|func| func.func_id() == FuncId::Sigpanic).map(|func| func.entry()))
}
