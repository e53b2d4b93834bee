//! Changing what the guest does: hooks stand in for functions of the program, or step in before them.
//!
//! A hook sits on the entry of a function. When the guest gets there, the engine leaves, and the machine asks
//! the hook, which sees and may change everything, and says how to go on. Hooks on Go's runtime are in
//! [`runtime`](crate::runtime); a user's go the same way, through
//! [`Machine::hook`](crate::Machine::hook).
//!
//! ```
//! use goemu::hook::{Action, HookContext};
//! use goemu::{Image, Machine};
//!
//! # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
//! let mut machine = Machine::new(Image::open(program)?)?;
//! machine.hook("main.fib", |cx: &mut HookContext<'_>| {
//!     let n = cx.arg(0)?; // the first word of the arguments
//!     cx.set_result(1, 0, 100 + n)?; // the first word of the results, behind one word of arguments
//!     Ok(Action::Return) // to the caller: the function itself does not run
//! })?;
//! assert_eq!(machine.call("main.fib")?.arg(3).run()?.outcome.to_string(), "103");
//! # Ok::<(), goemu::Error>(())
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goemu_loader::{Func, Image};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cpu::{Cpu, gpr};
use crate::engine::Stops;
use crate::error::Error;
use crate::guest::goroutine::Goroutine;
use crate::guest::state::Guest;
use crate::guest::tracked::Tracked;
use crate::guest::world::World;
use crate::memory::{MemFault, Memory, MemoryError};
use crate::observe::{Event, Interest, Observers, Phase, View};
use crate::outcome::Outcome;

/// How the guest goes on after a hook.
#[derive(Debug)]
pub enum Action {
    /// The function runs as if there were no hook.
    Run,
    /// The function has been carried out: it returns to its caller.
    Return,
    /// The hook has set RIP and the stack as they should be.
    Resume,
    /// The call ends.
    End(Outcome),
}

/// What a hook does with accesses to guest memory that fail: the guest's mistake, not goemu's.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The guest's memory does not allow what the function would do.
    #[error(transparent)]
    Fault(MemFault),
    /// Goemu cannot.
    #[error(transparent)]
    Error(Error),
}

/// What a hook gives back: what happens next, or why it cannot serve the call.
pub type HookResult = Result<Action, HookError>;

impl From<MemFault> for HookError {
    fn from(fault: MemFault) -> HookError {
        HookError::Fault(fault)
    }
}

impl From<Error> for HookError {
    fn from(error: Error) -> HookError {
        HookError::Error(error)
    }
}

impl From<MemoryError> for HookError {
    fn from(error: MemoryError) -> HookError {
        HookError::Error(error.into())
    }
}

/// Steps in where a function begins. Closures of this shape are hooks.
pub trait Hook: Send + Sync {
    /// Called at the function's entry: RSP points at the return address.
    fn call(&self, cx: &mut HookContext<'_>) -> Result<Action, HookError>;
}

impl<F: Fn(&mut HookContext<'_>) -> Result<Action, HookError> + Send + Sync> Hook for F {
    fn call(&self, cx: &mut HookContext<'_>) -> Result<Action, HookError> {
        self(cx)
    }
}

/// What a hook sees and may change.
pub struct HookContext<'a> {
    /// The program.
    pub image: &'a Image,
    /// The processor.
    pub cpu: &'a mut Cpu,
    /// The memory.
    pub memory: &'a mut Memory,
    /// The running goroutine.
    pub goroutine: &'a mut Tracked<Goroutine>,
    /// Heap, input, output and clock.
    pub world: &'a mut Tracked<World>,
    pub(crate) observers: &'a mut Observers,
}

impl<'a> HookContext<'a> {
    pub(crate) fn of(guest: &'a mut Guest, observers: &'a mut Observers) -> HookContext<'a> {
        let Guest { image, memory, cpu, goroutine, world } = guest;
        HookContext { image, cpu, memory, goroutine, world, observers }
    }

    /// The function whose entry RIP is.
    pub fn func(&self) -> Option<Func<'a>> {
        self.image.func_at(self.cpu.rip)
    }

    /// The address that the function will return to.
    ///
    /// # Errors
    /// When the stack cannot be read there.
    pub fn return_address(&self) -> Result<u64, MemFault> {
        self.word(self.cpu.gpr(gpr::RSP))
    }

    /// The stack pointer of the caller, before its CALL.
    pub fn caller_sp(&self) -> u64 {
        self.cpu.gpr(gpr::RSP).wrapping_add(8)
    }

    /// The n-th word of the function's arguments: registers or stack, as the program's version of Go has it for functions
    /// written in Go whose arguments are words.
    ///
    /// # Errors
    /// When the stack cannot be read there.
    pub fn arg(&self, n: usize) -> Result<u64, MemFault> {
        self.result(0, n)
    }

    /// Sets the n-th word of the results of a function whose arguments take `args` words.
    ///
    /// # Errors
    /// When the stack cannot be written there.
    pub fn set_result(&mut self, args: usize, n: usize, value: u64) -> Result<(), MemFault> {
        match self.register(n) {
            Some(register) => {
                self.cpu.set_gpr(register, value);
                Ok(())
            }
            None => self.memory.write(self.slot(args, n), value.to_le_bytes()),
        }
    }

    /// The n-th word of the results of a function whose arguments take `args` words, when it returns.
    pub(crate) fn result(&self, args: usize, n: usize) -> Result<u64, MemFault> {
        match self.register(n) {
            Some(register) => Ok(self.cpu.gpr(register)),
            None => self.word(self.slot(args, n)),
        }
    }

    /// The register that has the n-th word of arguments or of results, if one has.
    fn register(&self, n: usize) -> Option<u8> {
        INT_REGISTERS.get(n).copied().filter(|_| self.image.facts().register_abi())
    }

    /// Where the n-th word of the results is on the stack: behind those of `args` words of arguments that have no register.
    fn slot(&self, args: usize, n: usize) -> u64 {
        let registers = if self.image.facts().register_abi() { INT_REGISTERS.len() } else { 0 };
        let words = args.saturating_sub(registers) + n.saturating_sub(registers);
        self.caller_sp().wrapping_add(8 * words as u64)
    }

    /// Whether the goroutine runs that the call was made on.
    pub(crate) fn is_of_call(&self) -> bool {
        self.world.call_g.is_none_or(|home| home == self.goroutine.g)
    }

    /// How far an address is below the end of the stack, which stays so where the stack moves.
    pub(crate) fn depth(&self, addr: u64) -> u64 {
        self.goroutine.stack_hi.wrapping_sub(addr)
    }

    /// Where the function begins that a call returns to.
    pub(crate) fn entry_of(&self, pc: u64) -> u64 {
        self.image.func_at(pc.wrapping_sub(1)).map_or(pc, |func| func.entry())
    }

    /// At `morestack`: its caller will begin again.
    pub(crate) fn begins_again(&mut self) {
        let caller = self.return_address().map(|pc| self.entry_of(pc));
        self.world.pending.begins_again = caller.ok().map(|entry| (entry, self.depth(self.caller_sp())));
    }

    /// At a function's entry: whether it begins again, and was told before.
    pub(crate) fn has_begun(&mut self) -> bool {
        let now = (self.cpu.rip, self.depth(self.cpu.gpr(gpr::RSP)));
        self.world.pending.begins_again.take_if(|again| *again == now).is_some()
    }

    /// A word of guest memory.
    ///
    /// # Errors
    /// When memory cannot be read there.
    pub fn word(&self, addr: u64) -> Result<u64, MemFault> {
        self.memory.read(addr).map(u64::from_le_bytes)
    }

    /// Sets a word of guest memory.
    ///
    /// # Errors
    /// When memory cannot be written there.
    pub fn set_word(&mut self, addr: u64, value: u64) -> Result<(), MemFault> {
        self.memory.write(addr, value.to_le_bytes())
    }

    /// The program has ended, and its threads go on for a while.
    pub(crate) fn program_ended(&mut self) {
        self.observers.phase(Phase::Ended);
    }

    /// Tells observers; the event is made only if there are any.
    pub fn emit(&mut self, event: impl FnOnce(&HookContext<'_>) -> Event) {
        if self.observers.want(Interest::EVENTS) {
            let event = event(self);
            let view = View { image: self.image, cpu: self.cpu, memory: self.memory, g: self.goroutine.g };
            self.observers.event(&view, &event);
        }
    }
}

/// Integer registers in the order in which ABIInternal hands them out.
pub const INT_REGISTERS: [u8; 9] =
    [gpr::RAX, gpr::RBX, gpr::RCX, gpr::RDI, gpr::RSI, gpr::R8, gpr::R9, gpr::R10, gpr::R11];

/// A user's hook, which is not asked while the gate is shut: the machine then only looks how a call will end.
pub(crate) struct Gated {
    pub(crate) hook: Arc<dyn Hook>,
    /// What is asked instead while the gate is shut; the function itself runs where there is nothing.
    pub(crate) instead: Option<Arc<dyn Hook>>,
    pub(crate) gate: Gate,
}

/// What shuts the users' hooks of a machine, and of its program that was started.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    shut: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::Relaxed);
    }
}

impl Hook for Gated {
    fn call(&self, cx: &mut HookContext<'_>) -> Result<Action, HookError> {
        match &self.instead {
            _ if !self.gate.shut.load(Ordering::Relaxed) => self.hook.call(cx),
            Some(instead) => instead.call(cx),
            None => Ok(Action::Run),
        }
    }
}

/// The hooks on one address, newest first: where one lets the function run, the next is asked.
pub(crate) type Chain = Arc<[Arc<dyn Hook>]>;

/// Hooks by address.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    by_addr: FxHashMap<u64, Chain>,
    /// Addresses whose hooks only tell observers: passed over while no observer wants events.
    observer_only: FxHashSet<u64>,
    /// Addresses whose hooks allocate, and nothing else.
    allocators: FxHashSet<u64>,
}

impl Hooks {
    /// Puts a hook before those that are there.
    pub(crate) fn add(&mut self, addr: u64, hook: Arc<dyn Hook>) {
        let others = self.by_addr.get(&addr).into_iter().flat_map(|chain| chain.iter().cloned());
        let chain: Chain = std::iter::once(hook).chain(others).collect();
        self.by_addr.insert(addr, chain);
        self.observer_only.remove(&addr);
    }

    /// The hook there allocates, as `mallocgc`.
    pub(crate) fn mark_allocator(&mut self, addr: u64) {
        self.allocators.insert(addr);
    }

    /// Functions that allocate, where nobody else is asked.
    pub(crate) fn allocators(&self) -> impl Iterator<Item = u64> {
        let alone = |addr: &u64| self.at(*addr).is_some_and(|chain| chain.len() == 1);
        self.allocators.iter().copied().filter(alone)
    }

    /// Puts a hook behind those that are there. It only tells observers.
    pub(crate) fn add_observer_only(&mut self, addr: u64, hook: Arc<dyn Hook>) {
        let others = self.by_addr.get(&addr);
        if others.is_none() {
            self.observer_only.insert(addr);
        }
        let chain: Chain = others.into_iter().flat_map(|chain| chain.iter().cloned()).chain([hook]).collect();
        self.by_addr.insert(addr, chain);
    }

    /// Puts a hook in the place of another.
    pub(crate) fn exchange(&mut self, addr: u64, old: &Arc<dyn Hook>, new: &Arc<dyn Hook>) {
        let is_old = |hook: &Arc<dyn Hook>| std::ptr::addr_eq(Arc::as_ptr(hook), Arc::as_ptr(old));
        if let Some(chain) = self.by_addr.get_mut(&addr) {
            *chain = chain.iter().map(|hook| Arc::clone(if is_old(hook) { new } else { hook })).collect();
        }
    }

    pub(crate) fn at(&self, addr: u64) -> Option<&[Arc<dyn Hook>]> {
        self.by_addr.get(&addr).map(|chain| &**chain)
    }

    /// The addresses at which the engine must leave; `events_wanted`: whether an observer wants events.
    pub(crate) fn stops(&self, events_wanted: bool) -> Stops {
        self.by_addr
            .keys()
            .filter(|addr| events_wanted || !self.observer_only.contains(addr))
            .copied()
            .collect()
    }
}
