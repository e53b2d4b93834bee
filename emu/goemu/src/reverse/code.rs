//! The code of one function: its instructions with what they read and write, and where blocks begin.

use std::ops::Range;

use goemu_loader::Func;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory};
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
        Code { range, insns, index, leaders }
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
