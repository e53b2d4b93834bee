//! The code of one function: its instructions with what they read and write, and where blocks begin.

use std::ops::Range;

use goemu_loader::Func;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, Register};
use rustc_hash::FxHashMap;

use super::effects::{Effects, effects};
use crate::disasm::Walk;

/// Instructions that are looked at in one function.
const MAX_INSNS: usize = 200_000;

/// A function's instructions.
pub(super) struct Code {
    pub(super) range: Range<u64>,
    pub(super) insns: Vec<(Instruction, Effects)>,
    index: FxHashMap<u64, usize>,
    /// Where blocks begin.
    pub(super) leaders: Vec<u64>,
    /// Loops: from where they are jumped back to, to the jump.
    loops: Vec<(u64, u64)>,
    /// Places in the frame whose address is taken, as offsets from the stack pointer.
    pub(super) arrays: Vec<u64>,
}

impl Code {
    pub(super) fn of(func: &Func<'_>) -> Code {
        let range = func.entry()..func.end();
        let size = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let bytes = func.image().bytes(range.start, size).unwrap_or_default();
        let mut infos = InstructionInfoFactory::new();
        let insns: Vec<(Instruction, Effects)> = Walk::new(bytes, range.start, size)
            .take(MAX_INSNS)
            .map(|step| (step.insn, effects(&mut infos, &step.insn)))
            .collect();
        let index = insns.iter().enumerate().map(|(n, (insn, _))| (insn.ip(), n)).collect();
        let mut leaders = Vec::new();
        for (insn, _) in &insns {
            match insn.flow_control() {
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {}
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                    leaders.extend([insn.near_branch_target(), insn.next_ip()]);
                }
                _ => leaders.push(insn.next_ip()),
            }
        }
        leaders.retain(|at| range.contains(at));
        leaders.sort_unstable();
        leaders.dedup();
        let mut code = Code { range, insns, index, leaders, loops: Vec::new(), arrays: Vec::new() };
        code.find_loops();
        code.find_arrays();
        code
    }

    fn find_loops(&mut self) {
        let jumps = self.insns.iter().map(|(insn, _)| insn).filter(|insn| {
            matches!(insn.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch)
        });
        let back =
            |insn: &&Instruction| (self.range.start + 1..=insn.ip()).contains(&insn.near_branch_target());
        self.loops = jumps.filter(back).map(|insn| (insn.near_branch_target(), insn.ip())).collect();
    }

    fn find_arrays(&mut self) {
        let taken = self.insns.iter().map(|(insn, _)| insn).filter(|insn| {
            insn.mnemonic() == Mnemonic::Lea
                && insn.memory_base() == Register::RSP
                && insn.memory_index() == Register::None
        });
        self.arrays = taken.map(Instruction::memory_displacement64).collect();
        self.arrays.sort_unstable();
        self.arrays.dedup();
    }

    /// Whether a branch leaves a loop that it is in.
    pub(super) fn is_exit(&self, at: u64, target: u64) -> bool {
        self.loops
            .iter()
            .any(|(head, last)| (head..=last).contains(&&at) && !(head..=last).contains(&&target))
    }

    /// Places at which the frame is as large as it gets: where blocks begin, and calls.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let is_call =
            |insn: &Instruction| matches!(insn.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        let calls = self.insns.iter().filter(move |(insn, _)| is_call(insn)).map(|(insn, _)| insn.ip());
        self.leaders.iter().copied().chain(calls)
    }

    pub(super) fn at(&self, addr: u64) -> Option<&(Instruction, Effects)> {
        self.insns.get(*self.index.get(&addr)?)
    }

    /// Whether an instruction begins there.
    pub(super) fn has(&self, addr: u64) -> bool {
        self.index.contains_key(&addr)
    }
}
