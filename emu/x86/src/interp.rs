//! The interpreter: the readable specification of what goemu executes.
//!
//! A block is decoded once. Each of its instructions becomes an operation: a handler, specialised
//! for the operation, the width and the locations of its operands, and the operands' numbers. Running a
//! block calls its handlers one after the other. Blocks are linked to their successors, so
//! only indirect jumps need a lookup.
//!
//! `table.rs` maps instructions to handlers, `ops/` holds the handlers, `code.rs` keeps the blocks;
//! this file is the loop.

mod code;
#[cfg(test)]
mod complete;
mod covered;
mod links;
mod op;
mod operand;
mod ops;
mod table;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use code::{Block, Blocks, Id, SEVERAL};
use covered::{Covered, Edges};
use iced_x86::Instruction;
use op::Flow;
use table::lower;
pub use table::supports;

use crate::coverage::Coverage;
use crate::cpu::Cpu;
use crate::decode::decode;
use crate::engine::{Bar, Chooser, Detail, Engine, Late, Stops, Watch};
use crate::exit::{Exit, Fault, FaultKind, Form, Trap, TrapKind};
use crate::memory::{MemFault, Memory};

/// Runs guest code by executing one operation after the other.
#[derive(Default)]
pub struct Interpreter {
    blocks: Blocks,
    /// Counts edges, where that is wanted.
    edges: Option<Box<Edges>>,
}

/// Where control goes after a block, or which of its operations trapped.
type Ran = Result<Flow, (usize, Trap)>;

/// Executes a block, with or without an observer. A generic parameter, so that an unobserved loop has no trace of it.
trait Watching {
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> Ran;

    /// The block was executed; `rip` is where control went, if that was an indirect jump.
    #[inline(always)]
    fn went(&mut self, blocks: &Blocks, id: Id, block: Block, flow: Flow, rip: u64) {
        let _ = (blocks, id, block, flow, rip);
    }
}

struct Unobserved;

impl Watching for Unobserved {
    #[inline(always)]
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> Ran {
        let mut flow = Flow::Next;
        for (at, op) in blocks.ops(block).iter().enumerate() {
            match (op.run)(cpu, memory, op) {
                Ok(next) => flow = next,
                Err(trap) => return Err((at, trap)),
            }
        }
        Ok(flow)
    }
}

/// An observer that is shown blocks only.
struct WholeBlocks<'a>(&'a mut dyn Watch);

impl Watching for WholeBlocks<'_> {
    #[inline(always)]
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> Ran {
        let insns = blocks.insns(block);
        cpu.rip = insns.first().map_or(cpu.rip, Instruction::ip);
        self.0.block(cpu, memory, insns);
        Unobserved.run(blocks, block, cpu, memory)
    }
}

/// An observer that is shown what it has chosen.
struct Chosen<'a>(&'a mut dyn Watch);

impl Watching for Chosen<'_> {
    #[inline(always)]
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> Ran {
        let mut flow = Flow::Next;
        for (at, op) in blocks.ops(block).iter().enumerate() {
            if op.is_chosen()
                && let Some(insn) = blocks.insns(block).get(at)
            {
                cpu.rip = insn.ip();
                self.0.chosen(cpu, memory, insn);
            }
            flow = (op.run)(cpu, memory, op).map_err(|trap| (at, trap))?;
        }
        Ok(flow)
    }
}

/// An observer that is shown every instruction, before it and, if `AFTER` is set, after it.
struct Instructions<'a, const AFTER: bool>(&'a mut dyn Watch);

impl<const AFTER: bool> Watching for Instructions<'_, AFTER> {
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> Ran {
        let (mut flow, insns) = (Flow::Next, blocks.insns(block));
        cpu.rip = insns.first().map_or(cpu.rip, Instruction::ip);
        self.0.block(cpu, memory, insns);
        for (at, (op, insn)) in blocks.ops(block).iter().zip(insns).enumerate() {
            cpu.rip = insn.ip();
            self.0.before(cpu, memory, insn);
            flow = (op.run)(cpu, memory, op).map_err(|trap| (at, trap))?;
            if AFTER {
                match flow {
                    Flow::Next => cpu.rip = insn.next_ip(),
                    Flow::Taken => cpu.rip = insn.near_branch_target(),
                    Flow::Indirect => {}
                }
                self.0.after(cpu, memory, insn);
            }
        }
        Ok(flow)
    }
}

impl Interpreter {
    /// An interpreter that has decoded nothing.
    pub fn new() -> Interpreter {
        Interpreter::default()
    }

    fn go(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64, mut watch: impl Watching) -> Exit {
        // Work that was counted before is not this code's.
        memory.forget_cost();
        let exit = match self.edges.take() {
            None => self.run_blocks::<false>(cpu, memory, fuel, false, &mut watch),
            Some(mut edges) => {
                edges.coverage.begin(cpu.rip);
                let exit =
                    self.run_blocks::<false>(cpu, memory, fuel, false, &mut Covered(watch, &mut edges));
                edges.coverage.end(cpu.rip);
                self.edges = Some(edges);
                exit
            }
        };
        // Only heat ends a run without an exit.
        exit.unwrap_or(Exit::Stopped)
    }

    /// Runs blocks, until there is an exit or, if `HEAT`, until control has polled and come to a block that is hot.
    #[inline(always)]
    fn run_blocks<const HEAT: bool>(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        arrives: bool,
        watch: &mut impl Watching,
    ) -> Option<Exit> {
        self.blocks.is_late = false;
        let mut id = match self.blocks.begin(memory, cpu.rip) {
            Ok(id) => id,
            Err(fault) => return Some(Exit::Fault(Fault { pc: cpu.rip, kind: FaultKind::Memory(fault) })),
        };
        if HEAT && arrives && self.blocks.warm(id) {
            return None;
        }
        loop {
            let block = self.blocks.get(id);
            let flow = match watch.run(&self.blocks, block, cpu, memory) {
                Ok(flow) => flow,
                Err((at, trap)) => return Some(self.leave(block, at, trap, cpu, memory, fuel)),
            };
            *fuel -= i64::from(block.len);
            watch.went(&self.blocks, id, block, flow, cpu.rip);
            id = match self.follow(id, block, flow, cpu, memory, *fuel) {
                Ok(next) => next,
                Err(Exit::OutOfFuel) if memory.is_costly() => match self.pay(cpu, memory, fuel) {
                    Ok(next) => next,
                    Err(exit) => return Some(exit),
                },
                // As most calls end: the rest of an exit is neither there nor moved.
                Err(Exit::Stopped) => return Some(Exit::Stopped),
                Err(exit) => return Some(exit),
            };
            let polled = match flow {
                Flow::Next => false,
                Flow::Taken => block.polls,
                Flow::Indirect => true,
            };
            if HEAT && polled && self.blocks.warm(id) {
                cpu.rip = self.blocks.start(id);
                return None;
            }
        }
    }

    /// Runs until there is a reason to leave, as [`Engine::run`] does, or until control has come to hot code, by a call, a
    /// return or backwards: `None`, and RIP is there. The block at RIP runs even if it is hot, unless control `arrives` there. The
    /// cost of long operations is the caller's to forget when a run begins, as is telling [`Coverage`] of its beginning and end.
    pub fn run_until_hot(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        arrives: bool,
    ) -> Option<Exit> {
        let Some(mut edges) = self.edges.take() else {
            return self.run_blocks::<true>(cpu, memory, fuel, arrives, &mut Unobserved);
        };
        let exit = self.run_blocks::<true>(cpu, memory, fuel, arrives, &mut Covered(Unobserved, &mut edges));
        self.edges = Some(edges);
        exit
    }

    /// From how many arrivals on a block is hot, unless [`Interpreter::set_heat`] says otherwise.
    pub const HEAT: i32 = code::HOT;

    /// From how many arrivals on a block is hot: those before count.
    pub fn set_heat(&mut self, arrivals: i32) {
        self.blocks.hot = arrivals;
    }

    /// Whether the last run ended because it [must](Engine::set_late), whatever fuel is left.
    pub fn was_late(&self) -> bool {
        self.blocks.is_late
    }

    /// Whether a block was executed that begins at an address.
    pub fn has_executed(&self, addr: u64) -> bool {
        self.blocks.has(addr)
    }

    /// Where the indirect jump or call went that ends the block at an address, if it has gone there alone.
    pub fn only_target(&self, addr: u64) -> Option<u64> {
        self.blocks.only_target(addr)
    }

    /// The block at an address is not hot for so many arrivals more, unless it is decoded again.
    pub fn cool(&mut self, addr: u64, arrivals: i32) {
        self.blocks.cool(addr, arrivals);
    }

    /// From now on the interpreter keeps what it takes of [`Memory::take_code_writes`], for [`Interpreter::changed_code`].
    pub fn keep_code_writes(&mut self) {
        self.blocks.keep_changes = true;
    }

    /// Takes the writes to decoded pages, and forgets blocks that they touch.
    pub fn take_code_writes(&mut self, memory: &mut Memory) {
        self.blocks.forget_written(memory);
    }

    /// The writes to decoded pages that were taken since this was asked last.
    pub fn changed_code(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.blocks.changes)
    }

    /// The block that runs next, or why there is none.
    #[inline(always)]
    fn follow(
        &mut self,
        id: Id,
        block: Block,
        flow: Flow,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: i64,
    ) -> Result<Id, Exit> {
        let (link, polls) = match flow {
            Flow::Next => (block.next, false),
            Flow::Taken => (block.taken, block.polls),
            Flow::Indirect => {
                let known = self.blocks.taken_rip(id);
                if known == cpu.rip {
                    (block.taken, true)
                } else {
                    if known != SEVERAL {
                        self.blocks.note_target(id, cpu.rip);
                    }
                    (self.blocks.quick(cpu.rip), true)
                }
            }
        };
        if memory.wants_attention() || (polls && fuel <= 0) {
            let looks = polls || self.blocks.decode_much();
            return self.interrupted(id, flow, cpu, memory, looks && (fuel <= 0 || memory.is_costly()));
        }
        match link {
            Id::STOP => {
                cpu.rip = self.target(id, flow, cpu);
                Err(Exit::Stopped)
            }
            _ if link.is_some() => Ok(link),
            _ => self.link(id, flow, cpu, memory),
        }
    }

    /// The address at which the guest continues.
    fn target(&self, id: Id, flow: Flow, cpu: &Cpu) -> u64 {
        match flow {
            Flow::Next => self.blocks.next_rip(id),
            Flow::Taken => self.blocks.taken_rip(id),
            Flow::Indirect => cpu.rip,
        }
    }

    #[cold]
    fn interrupted(
        &mut self,
        id: Id,
        flow: Flow,
        cpu: &mut Cpu,
        memory: &mut Memory,
        due: bool,
    ) -> Result<Id, Exit> {
        let target = self.target(id, flow, cpu);
        cpu.rip = target;
        if memory.code_written() {
            self.blocks.forget_written(memory);
        }
        if due { Err(Exit::OutOfFuel) } else { self.arrive(cpu, memory) }
    }

    /// Charges the extra work of the block's instructions, and continues if fuel is left.
    #[cold]
    fn pay(&mut self, cpu: &Cpu, memory: &mut Memory, fuel: &mut i64) -> Result<Id, Exit> {
        *fuel = fuel.saturating_sub(memory.take_cost());
        if *fuel <= 0 { Err(Exit::OutOfFuel) } else { self.arrive(cpu, memory) }
    }

    /// Finds the next block by its address and remembers it in this one.
    #[cold]
    fn link(&mut self, id: Id, flow: Flow, cpu: &mut Cpu, memory: &mut Memory) -> Result<Id, Exit> {
        cpu.rip = self.target(id, flow, cpu);
        let version = self.blocks.version();
        let next = self.arrive(cpu, memory);
        match &next {
            Ok(next) if version == self.blocks.version() => self.blocks.link(id, flow, *next),
            Err(Exit::Stopped) => self.blocks.link_stop(id, flow, cpu.rip),
            _ => {}
        }
        next
    }

    /// The block at RIP, unless that is a stop address.
    #[inline(always)]
    fn arrive(&mut self, cpu: &Cpu, memory: &mut Memory) -> Result<Id, Exit> {
        if self.blocks.stops.contains(&cpu.rip) {
            return Err(Exit::Stopped);
        }
        let found = self.blocks.enter(memory, cpu.rip);
        if self.blocks.is_late {
            return Err(Exit::OutOfFuel);
        }
        found.map_err(|fault| Exit::Fault(Fault { pc: cpu.rip, kind: FaultKind::Memory(fault) }))
    }

    /// Leaves at instruction `at` of a block.
    #[cold]
    fn leave(
        &self,
        block: Block,
        at: usize,
        trap: Trap,
        cpu: &mut Cpu,
        memory: &Memory,
        fuel: &mut i64,
    ) -> Exit {
        let insn = self.blocks.insns(block)[at];
        *fuel -= at as i64 + i64::from(is_done(trap.kind));
        exit(&insn, trap, cpu, memory)
    }
}

/// Whether the instruction that trapped counts as executed.
fn is_done(kind: TrapKind) -> bool {
    matches!(kind, TrapKind::Syscall | TrapKind::Halt)
}

/// The exit that a trap is; RIP is set for it.
fn exit(insn: &Instruction, trap: Trap, cpu: &mut Cpu, memory: &Memory) -> Exit {
    cpu.rip = if is_done(trap.kind) { insn.next_ip() } else { insn.ip() };
    let kind = match trap.kind {
        TrapKind::Syscall => return Exit::Syscall,
        TrapKind::Halt => return Exit::Halt,
        TrapKind::Guarded => return Exit::Guarded,
        TrapKind::Memory(access, cause) => FaultKind::Memory(MemFault { addr: trap.addr, access, cause }),
        TrapKind::Divide => FaultKind::Divide,
        TrapKind::Invalid => FaultKind::Invalid,
        TrapKind::Unsupported => {
            let mut bytes = [0; 15];
            memory.peek(insn.ip(), &mut bytes[..insn.len()]);
            FaultKind::Unsupported(Form::new(insn.code(), &bytes[..insn.len()]))
        }
        TrapKind::Protection => FaultKind::Protection,
        TrapKind::Float => FaultKind::Float,
        TrapKind::Breakpoint => FaultKind::Breakpoint,
    };
    Exit::Fault(Fault { pc: cpu.rip, kind })
}

impl Engine for Interpreter {
    fn name(&self) -> &'static str {
        "interpreter"
    }

    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        self.go(cpu, memory, fuel, Unobserved)
    }

    fn run_watched(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        watch: &mut dyn Watch,
    ) -> Exit {
        match watch.detail() {
            Detail::Chosen => self.go(cpu, memory, fuel, Chosen(watch)),
            Detail::Blocks => self.go(cpu, memory, fuel, WholeBlocks(watch)),
            Detail::Before => self.go(cpu, memory, fuel, Instructions::<false>(watch)),
            Detail::BeforeAndAfter => self.go(cpu, memory, fuel, Instructions::<true>(watch)),
        }
    }

    fn step(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Option<Exit> {
        let insn = match decode(memory, cpu.rip) {
            Ok(insn) => insn,
            Err(fault) => return Some(Exit::Fault(Fault { pc: cpu.rip, kind: FaultKind::Memory(fault) })),
        };
        if let Some(edges) = &self.edges {
            edges.coverage.begin(cpu.rip);
        }
        let op = lower(&insn);
        let exit = match (op.run)(cpu, memory, &op) {
            Ok(flow) => {
                match flow {
                    Flow::Next => cpu.rip = insn.next_ip(),
                    Flow::Taken => cpu.rip = insn.near_branch_target(),
                    Flow::Indirect => {}
                }
                None
            }
            Err(trap) => Some(exit(&insn, trap, cpu, memory)),
        };
        if let Some(edges) = &self.edges {
            if exit.is_none() {
                edges.coverage.went(&insn, cpu.rip);
            }
            edges.coverage.end(cpu.rip);
        }
        exit
    }

    fn set_stops(&mut self, stops: Stops) {
        self.blocks.set_stops(stops);
    }

    fn set_late(&mut self, late: Option<Late>) {
        self.blocks.late = late;
    }

    fn set_bar(&mut self, bar: Option<Bar>) {
        self.blocks.set_bar(bar);
    }

    fn set_chooser(&mut self, chooser: Option<Chooser>) {
        self.blocks.set_chooser(chooser);
    }

    fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>) {
        self.edges = coverage.map(|coverage| Box::new(Edges::new(coverage)));
    }

    fn forget(&mut self, code: Range<u64>) {
        self.blocks.forget(vec![code]);
    }
}
