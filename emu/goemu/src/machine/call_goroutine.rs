//! What a call stands on: the stack of a goroutine of our making, or that of a started program's own.
//!
//! With the hooks and the operating system these are the parts by which a hooked machine and a real one differ.

use super::Machine;
use crate::cpu::gpr;
use crate::error::Error;
use crate::guest::goroutine::{TOP_BLOCK, min_stack};
use crate::guest::state::Guest;
use crate::hook::{Action, HookContext, HookResult};
use crate::outcome::{Outcome, Runtime};
use crate::runtime::{hooked, real};

/// Where calls are made.
pub(super) trait CallGoroutine: Send + Sync {
    /// What serves calls as Go's runtime.
    fn runtime(&self) -> Runtime;

    /// Makes room on the stack for a block of `size` bytes above the return address: its address.
    fn make_room(&self, machine: &mut Machine, size: u64) -> Result<u64, Error>;

    /// A turn is over, and the system has no threads that could go on: another goroutine may.
    fn turn(&self, cx: &mut HookContext<'_>) -> HookResult;

    /// The outcome, where the program has ended or its fuel has.
    fn ended(&self, cx: &mut HookContext<'_>, outcome: Outcome) -> Outcome;

    /// Whether faults that are no panics are the program's to answer. Otherwise they are the outcome.
    fn gets_signals(&self) -> bool {
        false
    }
}

/// A goroutine of our making.
pub(super) struct FreshGoroutine;

impl CallGoroutine for FreshGoroutine {
    fn runtime(&self) -> Runtime {
        Runtime::Hooked
    }

    /// The block is at the top of the stack. Small ones are all in the same place.
    fn make_room(&self, machine: &mut Machine, size: u64) -> Result<u64, Error> {
        let Guest { image, memory, goroutine, .. } = &mut machine.guest;
        let block = (goroutine.stack_hi - size.max(TOP_BLOCK)) & !15;
        let free = min_stack(image);
        if block - goroutine.stack_lo < free - TOP_BLOCK {
            let size = (goroutine.stack_hi - block + free).next_power_of_two();
            goroutine.set_stack(image, memory, size)?;
        }
        if block != goroutine.stack_hi - TOP_BLOCK {
            goroutine.set_top(image, memory, block)?;
        }
        Ok(block)
    }

    fn turn(&self, cx: &mut HookContext<'_>) -> HookResult {
        hooked::goroutines::preempt(cx)
    }

    fn ended(&self, _: &mut HookContext<'_>, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// The main goroutine of a program that was started, at the entry of `main.main`.
pub(super) struct StartedMain;

/// Bytes of stack that a function may use without asking, and some more.
const FREE: u64 = 1024;
/// How often a stack is doubled: from 2 KiB to beyond the limit.
const DOUBLINGS: usize = 32;

impl CallGoroutine for StartedMain {
    fn runtime(&self) -> Runtime {
        Runtime::Real
    }

    /// The block is below the frame of `runtime.main`. Where the stack is too small, the runtime is asked for a
    /// larger one, as a function's prologue does.
    fn make_room(&self, machine: &mut Machine, size: u64) -> Result<u64, Error> {
        let mut doublings = 0..DOUBLINGS;
        loop {
            let block = machine.guest.cpu.gpr(gpr::RSP).saturating_sub(size) & !15;
            if block.saturating_sub(machine.guest.goroutine.stack_lo) >= FREE {
                machine.guest.goroutine.set_top(&machine.guest.image, &mut machine.guest.memory, block)?;
                return Ok(block);
            }
            doublings.next().ok_or_else(|| no_stack("it does not grow".to_owned()))?;
            machine.grow_stack()?;
        }
    }

    fn turn(&self, _: &mut HookContext<'_>) -> HookResult {
        Ok(Action::Resume)
    }

    fn ended(&self, cx: &mut HookContext<'_>, outcome: Outcome) -> Outcome {
        real::ended(cx, outcome)
    }
}

fn no_stack(why: String) -> Error {
    Error::Boot { why: format!("no stack for the call's arguments: {why}") }
}

impl Machine {
    /// At the entry of `main.main`: asks for a larger stack and comes back, as if the function began with a call of
    /// `morestack`.
    fn grow_stack(&mut self) -> Result<(), Error> {
        let entry = self.guest.cpu.rip;
        let image = std::sync::Arc::clone(&self.guest.image);
        let morestack = image.funcs_named("runtime.morestack_noctxt");
        let morestack =
            morestack.first().ok_or_else(|| no_stack("there is no runtime.morestack".to_owned()))?;
        let sp = self.guest.cpu.gpr(gpr::RSP).wrapping_sub(8);
        self.guest.memory.poke(sp, &entry.to_le_bytes())?;
        self.guest.cpu.set_gpr(gpr::RSP, sp);
        self.guest.cpu.rip = morestack.entry();
        self.run_to(entry).map_err(no_stack)
    }

    /// What serves calls as Go's runtime.
    pub(crate) fn runtime(&self) -> Runtime {
        self.call_goroutine.runtime()
    }

    /// Makes room on the stack for a block above a call's return address: its address.
    pub(crate) fn make_room(&mut self, size: u64) -> Result<u64, Error> {
        self.call_goroutine.make_room(self, size)
    }
}
