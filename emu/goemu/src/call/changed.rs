//! The user's changes of a program on a machine: see [`crate::changes`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::invoke::frame_at;
use crate::call::place::MachineHeap;
use crate::changes::{CResult, Resolved, Stub, Variable};
use crate::cpu::gpr;
use crate::error::Error;
use crate::go::frame::Frame;
use crate::go::guest::{GuestHeap, Types};
use crate::go::names;
use crate::go::passing;
use crate::go::traceback::unwind::Start;
use crate::go::traceback::{Stack, Traceback};
use crate::go::write::Writer;
use crate::guest::hook_heap::HookHeap;
use crate::guest::state::Guest;
use crate::hook::{Action, HookContext, HookError, HookResult, INT_REGISTERS};
use crate::machine::Machine;
use crate::memory::{Memory, MemoryError};
use crate::outcome::{Outcome, Stopped};

/// Words of the stack that a run which was stopped shows.
const SHOWN_WORDS: u64 = 24;

impl Machine {
    /// Puts the changes in their places that the machine itself makes. Those of memory are there already.
    ///
    /// A machine for a whole program (`whole`) sets variables a second time when `main.main` begins.
    pub(crate) fn make_changes(&mut self, whole: bool) -> Result<(), Error> {
        let changes = Arc::clone(self.user_changes());
        for (index, stub) in changes.stubs.iter().enumerate() {
            let changes = Arc::clone(&changes);
            self.add_change(stub.entry, move |cx: &mut HookContext<'_>| stands_in(cx, &changes.stubs[index]));
        }
        for entry in &changes.skipped {
            self.add_change(*entry, |_: &mut HookContext<'_>| Ok(Action::Return));
        }
        for addr in &changes.stops {
            self.add_change(*addr, |cx: &mut HookContext<'_>| Ok(stop(cx)));
        }
        self.guest.world.imports = Arc::new(self.place_results(&changes)?);
        for variable in changes.variables.iter().filter(|variable| variable.is_plain()) {
            set(self, variable)?;
        }
        if whole && !changes.variables.is_empty() {
            let main = names::find(self.image(), "main.main")?.entry();
            self.add_change(main, move |cx: &mut HookContext<'_>| {
                changes.variables.iter().try_for_each(|variable| set_in_hook(cx, variable))?;
                Ok(Action::Run)
            });
        }
        Ok(())
    }

    /// Gives variables the values that the user wants, in the machine's present state.
    pub(crate) fn set_variables(&mut self) -> Result<(), Error> {
        let changes = Arc::clone(self.user_changes());
        changes.variables.iter().try_for_each(|variable| set(self, variable))
    }

    /// What functions of C libraries give: texts are placed.
    fn place_results(&mut self, changes: &Resolved) -> Result<HashMap<String, u64>, Error> {
        let mut placed = HashMap::new();
        for (name, result) in &changes.imports {
            let word = match result {
                CResult::Number(number) => *number,
                CResult::Text(text) => {
                    let Guest { memory, world, .. } = &mut self.guest;
                    let room = world.alloc(memory, text.len() as u64 + 1);
                    let at = room.map_err(|_| MemoryError::Limit { limit: memory.limit() })?;
                    memory.poke(at, text)?;
                    at
                }
            };
            placed.insert(name.clone(), word);
        }
        Ok(placed)
    }
}

fn set(machine: &mut Machine, variable: &Variable) -> Result<(), Error> {
    let image = Arc::clone(machine.image());
    let block = encoded(&mut MachineHeap::new(machine), &*image, variable)?;
    Ok(machine.guest.memory.poke(variable.addr, &block)?)
}

fn set_in_hook(cx: &mut HookContext<'_>, variable: &Variable) -> Result<(), HookError> {
    let image = cx.image;
    let block =
        encoded(&mut HookHeap { image: cx.image, memory: cx.memory, world: cx.world }, image, variable)?;
    Ok(cx.memory.poke(variable.addr, &block)?)
}

/// The bytes of a variable's value; what it refers to is placed.
fn encoded(heap: &mut dyn GuestHeap, types: &dyn Types, variable: &Variable) -> Result<Vec<u8>, Error> {
    let block = Writer::new(heap, types).encode(&variable.value, &variable.ty);
    let wrong = |why: String| Error::Change { change: variable.change.clone(), why };
    Ok(block.map_err(|error| wrong(error.to_string()))?.to_vec())
}

/// Carries out a function by giving its results.
fn stands_in(cx: &mut HookContext<'_>, stub: &Stub) -> HookResult {
    let mut frame = frame_at(cx.cpu, cx.memory, cx.caller_sp(), stub.places.stack_size);
    let mut heap = HookHeap { image: cx.image, memory: cx.memory, world: cx.world };
    passing::give(&stub.signature, &stub.places, &stub.results, &mut frame, &mut heap, cx.image)
        .map_err(Error::from)?;
    put(cx, &frame)?;
    Ok(Action::Return)
}

/// Puts the results of a function that was carried out where its caller looks for them.
pub(crate) fn put(cx: &mut HookContext<'_>, frame: &Frame) -> Result<(), HookError> {
    for (register, value) in INT_REGISTERS.iter().zip(frame.ints) {
        cx.cpu.set_gpr(*register, value);
    }
    for (register, value) in cx.cpu.ymm.iter_mut().zip(frame.floats) {
        register[0] = value.into();
    }
    Ok(cx.memory.write_bytes(cx.caller_sp(), &frame.stack)?)
}

/// Ends the run, unless the program has not come to its `main.main`.
fn stop(cx: &HookContext<'_>) -> Action {
    if cx.world.starting { Action::Run } else { Action::End(Outcome::Stopped(Box::new(state(cx)))) }
}

/// Where the run is.
fn state(cx: &HookContext<'_>) -> Stopped {
    let (rip, sp) = (cx.cpu.rip, cx.cpu.gpr(gpr::RSP));
    let word = |addr: u64| Memory::read(cx.memory, addr).ok().map(u64::from_le_bytes);
    let goroutine = word(cx.goroutine.g.wrapping_add(cx.image.facts().g.goid)).unwrap_or_default();
    let start = Start { pc: rip, sp, trap: true };
    let stack = Stack::read(cx.image, cx.memory, start, (goroutine, "stopped"), true);
    let words = (0..SHOWN_WORDS).map_while(|n| {
        let addr = sp.checked_add(8 * n)?;
        Some((addr, word(addr)?))
    });
    Stopped {
        pc: rip,
        place: crate::location::describe(cx.image, rip),
        registers: gpr::NAMES.into_iter().zip(0..).map(|(name, n)| (name, cx.cpu.gpr(n))).collect(),
        flags: cx.cpu.rflags(),
        stack: words.collect(),
        traceback: Traceback::of_one(stack),
    }
}
