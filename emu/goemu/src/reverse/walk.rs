//! All ways through a function, run on what is known.
//!
//! Nothing is known of arguments and of what calls with unknown arguments give; constants, package variables and what is made of
//! them are. Instructions whose inputs are known are executed, the others make their outputs unknown. At a branch, the way that
//! is taken comes first, and the other one later, from the state that the branch was met in: so every piece of code is reached once in a
//! state that a run could have. What no way reaches is begun with nothing known at all.

mod texts;

use std::collections::HashSet;
use std::ops::Range;

use goemu_loader::{Func, Image};
use iced_x86::{FlowControl, Instruction, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use super::callees::{Callees, Takes};
use super::code::Code;
use super::effects::{Access, Effects};
use super::outside::Outside;
use super::shadow::{Bytes, Registers, fixed};
use crate::call::invoke::enter;
use crate::cpu::gpr;
use crate::engine::Engine;
use crate::go::frame::Frame;
use crate::guest::state::Guest;
use crate::interp::Interpreter;
use crate::machine::history::Saved;
use crate::machine::{Interrupt, Machine};

/// Bytes of a text at most.
const MAX_LEN: u64 = 64 << 10;
/// Room above the return address: arguments.
const BLOCK: u64 = 512;
/// Room below the frame of the function, for what it calls.
const BELOW: u64 = 16 << 10;
/// Instructions that one way may have where it comes to nothing new, and all of them for each instruction of the function.
const WAY: u64 = 60_000;
const EACH: u64 = 100;
/// The same for a function of any size.
const LEAST: u64 = 100_000;
/// Calls that may use up all that one may, before no more are made.
const CALLS: u64 = 100;
/// Ways that wait at most.
const MAX_FORKS: usize = 4096;
/// Entries of a table of jumps that are looked at.
const MAX_TABLE: u64 = 1024;
/// Bytes on each side of a place in the frame that are looked at.
const MAX_AROUND: u64 = 4096;
/// Objects of one way that are looked at.
const MAX_OBJECTS: usize = 256;
/// Bytes between two that a callee has changed, which it wrote as well.
const MAX_HOLE: u64 = 8;
/// Calls that fail before a function is not called any more.
const MAX_FAILED: u32 = 2;
/// Bytes that a text has at least which nobody made a string of.
const MIN_BYTES: u64 = 8;

/// A text that a function made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Made {
    pub(super) value: Vec<u8>,
    /// The instruction after which it was there.
    pub(super) at: u64,
    /// The function that makes it.
    pub(super) maker: u64,
    /// Whether it is the result of a call.
    pub(super) given: bool,
}

/// What is the same for all functions that are walked through.
pub(super) struct Setting<'s> {
    pub(super) callees: &'s Callees,
    pub(super) outside: &'s Outside,
    /// Instructions for each call on the way.
    pub(super) fuel: u64,
    pub(super) interrupt: &'s Interrupt,
}

/// What came of a walk.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) made: Vec<Made>,
    /// Whether some of its code was not run, because it takes too long.
    pub(super) is_cut: bool,
}

/// Runs all ways through a function; unknown registers and bytes hold `fill`.
pub(super) fn walk(machine: &mut Machine, setting: &Setting<'_>, func: &Func<'_>, fill: u8) -> Walked {
    let code = Code::of(func);
    let depth = code.places().filter_map(|at| func.sp_delta(at)).max().unwrap_or(0);
    let mut walker = Walker {
        entry: func.entry(),
        image: func.image(),
        code: &code,
        setting,
        fill,
        calls_left: setting.fuel.saturating_mul(CALLS),
        way_left: WAY,
        left: LEAST + EACH * code.insns.len() as u64,
        depth: u64::try_from(depth).unwrap_or(0),
        top: 0,
        heap: 0,
        fixed: fixed(func.image().facts().register_abi()),
        registers: Registers { unknown: 0, flags_unknown: true },
        bytes: Bytes::default(),
        visited: FxHashSet::default(),
        forks: Vec::new(),
        objects: Vec::new(),
        failed: FxHashMap::default(),
        exits: FxHashMap::default(),
        made: Vec::new(),
        seen: HashSet::new(),
        interp: Interpreter::new(),
        machine,
    };
    for start in [func.entry()].into_iter().chain(code.leaders.iter().copied()) {
        if setting.interrupt.is_raised() || walker.left == 0 {
            break;
        }
        let depth = func.sp_delta(start).and_then(|depth| u64::try_from(depth).ok());
        let Some(depth) = depth.filter(|depth| *depth > 0 || start == func.entry()) else { continue };
        if !walker.visited.contains(&start) && walker.begin(start, depth).is_some() {
            walker.ways();
        }
    }
    Walked { is_cut: walker.left == 0 || walker.calls_left == 0, made: walker.made }
}

/// A way that was not taken yet.
struct Fork {
    target: u64,
    saved: Saved,
    registers: Registers,
    moment: usize,
    objects: usize,
}

struct Walker<'w> {
    machine: &'w mut Machine,
    interp: Interpreter,
    entry: u64,
    image: &'w Image,
    code: &'w Code,
    setting: &'w Setting<'w>,
    fill: u8,
    /// Instructions that are left for calls.
    calls_left: u64,
    /// Instructions that are left for this way until it comes to something new.
    way_left: u64,
    /// Instructions that are left for all ways.
    left: u64,
    /// Bytes of the function's frame.
    depth: u64,
    /// The stack pointer as the function begins.
    top: u64,
    /// Where the heap ended as the way began: what is behind was made on the way.
    heap: u64,
    /// Registers that are always known.
    fixed: u32,
    registers: Registers,
    bytes: Bytes,
    /// Blocks that a way has come to.
    visited: FxHashSet<u64>,
    forks: Vec<Fork>,
    /// What was allocated on the way.
    objects: Vec<Range<u64>>,
    failed: FxHashMap<u64, u32>,
    /// Whether branches leave a loop, by their address and where they go.
    exits: FxHashMap<(u64, u64), bool>,
    made: Vec<Made>,
    /// The texts that were noted, and where.
    seen: HashSet<(Vec<u8>, Option<u64>)>,
}

/// What comes next on a way.
enum Step {
    Go,
    End,
}

impl Walker<'_> {
    /// Puts the machine at an instruction, with nothing known.
    fn begin(&mut self, start: u64, depth: u64) -> Option<()> {
        self.forks.clear();
        self.objects.clear();
        self.machine.reset().ok()?;
        let Guest { image, memory, goroutine, .. } = &mut self.machine.guest;
        goroutine.set_stack(image, memory, (self.depth + BELOW).next_power_of_two()).ok()?;
        enter(self.machine, self.entry, 0, &Frame::new(BLOCK)).ok()?;
        self.top = self.machine.guest.cpu.gpr(gpr::RSP);
        let frame = self.top.checked_sub(self.depth)?..self.top + BLOCK;
        self.bytes = Bytes::new(frame.clone());
        // The return address is known.
        self.bytes.set(self.top, 8, true);
        for part in [frame.start..self.top, self.top + 8..frame.end] {
            let fill = vec![self.fill; usize::try_from(part.end - part.start).ok()?];
            self.machine.guest.memory.poke(part.start, &fill).ok()?;
        }
        for text in &self.setting.outside.texts {
            let len = text.end - text.start;
            self.bytes.set(text.start, len, false);
            let fill = vec![self.fill; usize::try_from(len).ok()?];
            self.machine.guest.memory.poke(text.start, &fill).ok()?;
        }
        self.setting.outside.words.iter().for_each(|word| self.bytes.set(*word, 8, false));
        self.forget();
        if start == self.entry {
            // What is not read of a dictionary does not matter, and nothing can be read of this one.
            self.registers.set(self.setting.callees.of(self.image, self.entry).dictionary, true);
        }
        let cpu = &mut self.machine.guest.cpu;
        cpu.set_gpr(gpr::RSP, self.top - depth);
        cpu.rip = start;
        self.heap = self.machine.guest.world.heap_range().end;
        Some(())
    }

    /// Follows the way from here, and all that part from it.
    fn ways(&mut self) {
        loop {
            self.way_left = WAY;
            self.visit(self.machine.guest.cpu.rip);
            while self.way_left > 0 && self.left > 0 {
                (self.way_left, self.left) = (self.way_left - 1, self.left - 1);
                if matches!(self.step(), Step::End) {
                    break;
                }
            }
            self.left_behind();
            let Some(fork) = self.next_fork() else { return };
            self.registers = fork.registers;
            self.bytes.go_back_to(fork.moment);
            self.objects.truncate(fork.objects);
            if self.machine.go_back_to(&fork.saved).is_err() {
                return;
            }
            self.machine.guest.cpu.rip = fork.target;
        }
    }

    fn next_fork(&mut self) -> Option<Fork> {
        loop {
            let fork = self.forks.pop()?;
            if !self.visited.contains(&fork.target) {
                return Some(fork);
            }
        }
    }

    fn visit(&mut self, at: u64) {
        if self.visited.insert(at) {
            self.way_left = WAY;
        }
    }

    /// Whether a branch leaves a loop that it is in.
    fn is_exit(&mut self, at: u64, target: u64) -> bool {
        *self.exits.entry((at, target)).or_insert_with(|| self.code.is_exit(at, target))
    }

    fn fork(&mut self, target: u64) {
        let known = self.visited.contains(&target) || !self.code.range.contains(&target);
        // Before there is a frame, functions only look whether their stack is large enough.
        let early = self.machine.guest.cpu.gpr(gpr::RSP) == self.top;
        if known || early || self.forks.len() >= MAX_FORKS {
            return;
        }
        let saved = self.machine.save();
        let (registers, moment) = (self.registers, self.bytes.moment());
        self.forks.push(Fork { target, saved, registers, moment, objects: self.objects.len() });
    }

    fn step(&mut self) -> Step {
        let code = self.code;
        let Some((insn, effects)) = code.at(self.machine.guest.cpu.rip) else { return Step::End };
        match insn.flow_control() {
            FlowControl::Next => self.plain(insn, effects),
            FlowControl::ConditionalBranch => self.branch(insn, effects),
            FlowControl::UnconditionalBranch => self.jump(insn.near_branch_target()),
            FlowControl::IndirectBranch => self.indirect(insn, effects),
            FlowControl::Call => self.call(insn, Some(insn.near_branch_target())),
            FlowControl::IndirectCall => {
                let target = self.target(insn, effects);
                self.call(insn, target)
            }
            FlowControl::Return => {
                self.returned();
                Step::End
            }
            _ => Step::End,
        }
    }

    fn gpr(&self, n: u8) -> u64 {
        self.machine.guest.cpu.gpr(n)
    }

    /// The address of a place, where it is known.
    fn addr(&self, access: &Access) -> Option<u64> {
        let known = access.registers & self.registers.unknown == 0;
        (known && !access.is_thread_local).then(|| access.addr(|n| self.gpr(n)))
    }

    fn inputs_are_known(&self, effects: &Effects) -> bool {
        let place = |access: &Access| {
            self.addr(access).is_some_and(|addr| !access.reads || self.bytes.are_known(addr, access.size))
        };
        effects.reads & self.registers.unknown == 0
            && !(effects.reads_flags && self.registers.flags_unknown)
            && effects.memory.iter().all(place)
    }

    /// An instruction that goes on to the next.
    fn plain(&mut self, insn: &Instruction, effects: &Effects) -> Step {
        let known = self.inputs_are_known(effects);
        let places: Vec<(u64, u64)> = effects
            .memory
            .iter()
            .filter(|access| access.writes)
            .filter_map(|access| Some((self.addr(access)?, access.size)))
            .collect();
        let Guest { cpu, memory, .. } = &mut self.machine.guest;
        let done = known && self.interp.step(cpu, memory).is_none();
        self.registers.set(if done { effects.writes } else { effects.writes & !self.fixed }, done);
        if effects.writes_flags {
            self.registers.flags_unknown = !done;
        }
        for (addr, size) in places {
            if !done {
                self.spoilt(addr, size, insn.ip());
            }
            self.bytes.set(addr, size, done);
            if !done {
                let fill = vec![self.fill; usize::try_from(size).unwrap_or(0)];
                // What is not mapped has no bytes.
                let _ = self.machine.guest.memory.poke(addr, &fill);
            }
        }
        if !done {
            self.fill_registers(effects.writes);
            let cpu = &mut self.machine.guest.cpu;
            cpu.rip = insn.next_ip();
            // PUSH and POP of something unknown.
            let by = i64::from(insn.stack_pointer_increment());
            cpu.set_gpr(gpr::RSP, cpu.gpr(gpr::RSP).wrapping_add_signed(by));
        }
        // A stack pointer that is computed of something unknown, or far away.
        let sp = self.gpr(gpr::RSP);
        if sp > self.top.wrapping_add(8) || sp < self.bytes.frame().start { Step::End } else { Step::Go }
    }

    /// Nothing is known of registers but what is fixed.
    fn forget(&mut self) {
        self.registers = Registers { unknown: !self.fixed, flags_unknown: true };
        self.fill_registers(!0);
    }

    fn fill_registers(&mut self, registers: u32) {
        let registers = registers & !self.fixed;
        let cpu = &mut self.machine.guest.cpu;
        let word = u64::from_le_bytes([self.fill; 8]);
        for n in 0..16_u8 {
            if registers & 1 << n != 0 {
                cpu.set_gpr(n, word);
            }
            if registers & 1 << (16 + n) != 0 {
                cpu.ymm[usize::from(n)] = [u128::from_le_bytes([self.fill; 16]); 2];
            }
        }
    }

    fn jump(&mut self, target: u64) -> Step {
        if !self.code.range.contains(&target) {
            return Step::End;
        }
        self.machine.guest.cpu.rip = target;
        self.visit(target);
        Step::Go
    }

    fn branch(&mut self, insn: &Instruction, effects: &Effects) -> Step {
        let (taken, next) = (insn.near_branch_target(), insn.next_ip());
        if self.inputs_are_known(effects) {
            let Guest { cpu, memory, .. } = &mut self.machine.guest;
            if self.interp.step(cpu, memory).is_some() {
                return Step::End;
            }
            let went = cpu.rip;
            let other = if went == next { taken } else { next };
            // Who leaves a loop early has what is only half done.
            if !self.visited.contains(&other) && !self.is_exit(insn.ip(), other) {
                self.fork(other);
            }
            return self.jump(went);
        }
        let new = |at: &u64| !self.visited.contains(at);
        match [next, taken].into_iter().find(new) {
            Some(first) => {
                self.fork(if first == next { taken } else { next });
                self.jump(first)
            }
            None => Step::End,
        }
    }

    /// Where an indirect jump or call goes.
    fn target(&self, insn: &Instruction, effects: &Effects) -> Option<u64> {
        if insn.op0_kind() == OpKind::Register {
            let n = insn.op0_register().full_register().number() as u8 & 15;
            return (self.registers.unknown & 1 << n == 0).then(|| self.gpr(n));
        }
        let place = effects.memory.iter().find(|access| access.reads)?;
        let addr = self.addr(place).filter(|addr| self.bytes.are_known(*addr, 8))?;
        self.machine.memory().read(addr).ok().map(u64::from_le_bytes)
    }

    fn indirect(&mut self, insn: &Instruction, effects: &Effects) -> Step {
        if let Some(target) = self.target(insn, effects) {
            self.table(insn);
            return self.jump(target);
        }
        self.table(insn);
        Step::End
    }

    /// Ways to all entries of a table of jumps, where its address is known.
    fn table(&mut self, insn: &Instruction) {
        let base = insn.memory_base().full_register();
        let known = base.is_gpr() && self.registers.unknown & 1 << (base.number() & 15) == 0;
        if insn.op0_kind() != OpKind::Memory || !known || insn.memory_index() == Register::None {
            return;
        }
        let start = self.gpr(base.number() as u8 & 15).wrapping_add(insn.memory_displacement64());
        for n in 0..MAX_TABLE {
            let target = self.image.read_u64(start.wrapping_add(8 * n));
            let Some(target) = target.filter(|target| self.code.has(*target)) else { return };
            self.fork(target);
        }
    }

    /// A call: made where all that the callee takes is known, else what it gives is unknown.
    fn call(&mut self, insn: &Instruction, target: Option<u64>) -> Step {
        self.given_texts(insn);
        let next = insn.next_ip();
        let called = target.filter(|target| self.image.func_at(*target).is_some());
        if let Some(target) = called {
            let takes = self.setting.callees.of(self.image, target);
            if self.takes_known(&takes) && self.failed.get(&target).copied().unwrap_or(0) < MAX_FAILED {
                if self.make(target, next) {
                    let unknown = self.registers.unknown & takes.kept;
                    self.registers = Registers { unknown, flags_unknown: true };
                    self.result(insn.ip(), target, &takes);
                    return Step::Go;
                }
                *self.failed.entry(target).or_default() += 1;
                // Calls that never return are the last of their block.
                if self.visited.contains(&next) || self.code.leaders.binary_search(&next).is_ok() {
                    return Step::End;
                }
            }
        }
        self.forget();
        self.machine.guest.cpu.rip = next;
        Step::Go
    }

    fn takes_known(&self, takes: &Takes) -> bool {
        let sp = self.gpr(gpr::RSP);
        let word = |at: &u64| self.bytes.are_known(sp.wrapping_add(*at), 8);
        takes.registers & self.registers.unknown == 0 && takes.stack.iter().all(word)
    }

    /// Runs a callee to its return; the state is as before where it does not return.
    fn make(&mut self, target: u64, next: u64) -> bool {
        let saved = self.machine.save();
        let frame = self.bytes.frame();
        let mut before = vec![0; usize::try_from(frame.end - frame.start).unwrap_or(0)];
        self.machine.memory().peek(frame.start, &mut before);
        let sp = self.gpr(gpr::RSP);
        let return_addr = self.machine.return_addr();
        let Guest { cpu, memory, .. } = &mut self.machine.guest;
        cpu.set_gpr(gpr::RSP, sp.wrapping_sub(8));
        cpu.rip = target;
        let given = i64::try_from(self.setting.fuel.min(self.calls_left)).unwrap_or(i64::MAX);
        let mut fuel = given;
        let entered = memory.poke(sp.wrapping_sub(8), &return_addr.to_le_bytes()).is_ok();
        let heap = self.machine.guest.world.heap_range().end;
        let returned = entered && matches!(self.machine.run(&mut fuel), Ok(None));
        self.calls_left = self.calls_left.saturating_sub((given - fuel.max(0)).unsigned_abs());
        if !returned || self.gpr(gpr::RSP) != sp {
            // A machine that cannot go back has no memory left: the way ends at its next step.
            let _ = self.machine.go_back_to(&saved);
            return false;
        }
        self.machine.guest.cpu.rip = next;
        self.written(frame, &before);
        let object = self.gpr(gpr::RAX)..self.machine.guest.world.heap_range().end;
        if object.start >= heap && !object.is_empty() && self.objects.len() < MAX_OBJECTS {
            self.objects.push(object);
        }
        true
    }

    /// Bytes of the frame that a callee has changed are known. A byte between two of them was written, too, with what it had: where
    /// that is not so, the second walk does not have the same text.
    fn written(&mut self, frame: Range<u64>, before: &[u8]) {
        let mut after = vec![0; before.len()];
        self.machine.memory().peek(frame.start, &mut after);
        let mut last: Option<u64> = None;
        for (at, _) in before.iter().zip(&after).enumerate().filter(|(_, (before, after))| before != after) {
            let at = frame.start + at as u64;
            let from = last.filter(|last| at - last <= MAX_HOLE).map_or(at, |last| last + 1);
            self.bytes.set(from, at + 1 - from, true);
            last = Some(at);
        }
    }
}
