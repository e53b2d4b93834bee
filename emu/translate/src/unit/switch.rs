//! Jumps by a table of addresses, as Go compiles a switch: `CMP index, n; JA other; LEA base, table; JMP [base+index*8]`.
//!
//! Such a jump goes through a table of its own below the guest's space, which has an address of the cache for each of the guest's:
//! it is found without a look at the guest's address, and what is known of registers holds where it goes. The guest's table
//! counts as code: where it may be written, or is, nothing of this is true any more.

use std::ops::Range;
use std::rc::Rc;

use goemu_x86::decode::{Block, BlockEnd};
use goemu_x86::memory::{Memory, PAGE, Perm};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

use super::Unit;
use crate::emit::Label;
use crate::facts::{Facts, number};
use crate::kind::{Kind, kind};
use crate::layout::SWITCHES_LEN;

/// Entries of a guest's table, at most.
const MOST: u64 = 256;
/// Entries of ours, at least: the index is below 2^34, of which the upper 30 bits are looked at.
const LEAST: usize = 16;

/// A jump by a table.
pub(super) struct Switch {
    pub(super) index: Register,
    /// Where the guest's table lies.
    table: Range<u64>,
    /// Where it goes, by index.
    pub(super) targets: Vec<u64>,
}

/// The table of one that was translated: for each index a label.
pub(super) type Ways = Vec<Label>;

impl Unit<'_> {
    /// The jump by a table that a block ends in, if it does.
    pub(super) fn switch_of(&mut self, block: &Block) -> Option<Rc<Switch>> {
        let (jump, before) = block.insns.split_last()?;
        let plain = |register: Register| {
            number(register).is_some() && ![Register::RSP, Register::R14].contains(&register)
        };
        let (base, index) = (jump.memory_base(), jump.memory_index());
        let fits = jump.code() == Code::Jmp_rm64
            && jump.op0_kind() == OpKind::Memory
            && (plain(base) && plain(index) && base != index)
            && jump.memory_index_scale() == 8
            && jump.segment_prefix() == Register::None;
        // Most blocks end here.
        if !fits || self.writes_any(before, index) {
            return None;
        }
        let last = self.bound(block, index)?;
        let at = before.iter().rposition(|insn| self.writes(insn, base))?;
        let whole = kind(&before[at]) == Kind::Address && before[at].op0_register() == base;
        let table = before[at].memory_displacement64().checked_add(jump.memory_displacement64());
        let (table, entries) = (table.filter(|_| whole)?, last + 1);
        let table = table..table.checked_add(entries * 8)?;
        let bytes = readable(self.memory, &table)?;
        let targets = bytes.as_chunks().0.iter().map(|entry| u64::from_le_bytes(*entry)).collect();
        Some(Rc::new(Switch { index, table, targets }))
    }

    /// The largest value of a register where a block begins: the block before it has compared it.
    fn bound(&self, block: &Block, register: Register) -> Option<u64> {
        let leads_here = |before: &Block| {
            let way = before.insns.last()?;
            let falls = way.mnemonic() == Mnemonic::Ja && before.next() == block.start();
            let jumps = way.mnemonic() == Mnemonic::Jbe && before.end == BlockEnd::Branch(block.start());
            let compare = before.insns.len().checked_sub(2).map(|at| &before.insns[at])?;
            let compares = compare.mnemonic() == Mnemonic::Cmp
                && compare.op0_kind() == OpKind::Register
                && compare.op0_register() == register;
            let bound = compare.try_immediate(1).ok()?;
            (compares && (falls || jumps) && bound < MOST).then_some(bound)
        };
        self.decoded.values().flatten().find_map(|decoded| leads_here(&decoded.block))
    }

    fn writes(&mut self, insn: &Instruction, register: Register) -> bool {
        let info = self.info.info(insn);
        info.used_registers().iter().any(|used| {
            used.register().full_register() == register && used.access() != iced_x86::OpAccess::Read
        })
    }

    fn writes_any(&mut self, insns: &[Instruction], register: Register) -> bool {
        insns.iter().any(|insn| self.writes(insn, register))
    }

    /// Ends a block with a jump by a table. `None`, and nothing is emitted, if that is not known, or there is no room for it.
    pub(super) fn switch(
        &mut self,
        block: &Block,
        last: &Instruction,
        facts: &mut Facts,
        pending: i32,
    ) -> Option<()> {
        let switch = self.decoded(block.start())?.switch?;
        let len = switch.targets.len().next_power_of_two().max(LEAST);
        let table = self.cache.switches.len() + self.tables.len();
        if table + len > SWITCHES_LEN {
            return None;
        }
        self.code.push(switch.table.clone());
        self.count_taken();
        if !facts.is_below(switch.index, len as u64) {
            if !facts.is_small(switch.index) {
                self.emitter.check_small(switch.index);
                facts.prove_small(switch.index);
            }
            self.emitter.check_below(switch.index, len.trailing_zeros());
        }
        self.emitter.jump_by_index(switch.index, table);
        let other = self.way_to_interpret(last.ip(), pending);
        let mut ways: Vec<(u64, Label)> = Vec::new();
        for &to in &switch.targets {
            let known = ways.iter().find(|(known, _)| *known == to).map(|(_, way)| *way);
            let way = known.unwrap_or_else(|| self.way_of_switch(last, to, facts, pending + 1));
            ways.push((to, way));
        }
        self.tables.extend(ways.into_iter().map(|(_, way)| way));
        self.tables.resize(table - self.cache.switches.len() + len, other);
        Some(())
    }

    fn way_of_switch(&mut self, last: &Instruction, to: u64, facts: &Facts, done: i32) -> Label {
        // Edges of indirect jumps count as arrivals.
        let taken = self.arrival_at(to);
        self.way(&super::Edge { back: to <= last.ip(), taken, ..self.edge_to(to, facts, done) })
    }
}

/// Bytes that can be read, and not be written.
fn readable(memory: &Memory, range: &Range<u64>) -> Option<Vec<u8>> {
    let fixed = |perm: Perm| perm.contains(Perm::READ) && !perm.contains(Perm::WRITE);
    let mut pages = range.start / PAGE..range.end.div_ceil(PAGE);
    let all = pages.all(|page| memory.perm(page * PAGE).is_some_and(fixed));
    let mut bytes = vec![0; (range.end - range.start) as usize];
    memory.peek(range.start, &mut bytes);
    all.then_some(bytes)
}
