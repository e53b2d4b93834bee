//! Calls of small functions: they are translated where they are called.
//!
//! Such a block knows to which address its function returns: so its return is no jump, and what is known of registers holds
//! across it. The return address is stored all the same. Where the function may have written over it, the return compares it,
//! and the interpreter carries out one that goes elsewhere.

use goemu_x86::decode::BlockEnd;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::Unit;
use crate::emit::operand;
use crate::facts::Facts;

/// Functions that are translated in each other, at most.
const DEPTH: usize = 2;
/// Instructions and blocks of a function that is, at most, and calls that it makes.
const SMALL: usize = 40;
const BLOCKS: usize = 10;
const CALLS: usize = 2;
/// Instructions that may still be translated where one is begun, at least.
const ROOM: usize = 400;

/// A call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Caller {
    /// Where it returns to.
    back: u64,
    /// How far above RSP that is stored, if it is still known to be there.
    above: Option<i64>,
}

/// The calls in which a block is translated, the last one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Callers([Option<Caller>; DEPTH]);

/// What a function is like that is called.
#[derive(Clone, Copy)]
pub(super) struct Callee {
    small: bool,
    calls: bool,
}

impl Callers {
    pub(super) fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    /// Where the functions return to.
    pub(super) fn backs(&self) -> impl Iterator<Item = u64> {
        self.0.into_iter().flatten().map(|caller| caller.back)
    }

    /// Inside one more call, which returns there. RSP has moved.
    fn with(mut self, back: u64) -> Option<Callers> {
        if self.0[DEPTH - 1].is_some() {
            return None;
        }
        // Below RSP may lie where other functions return to.
        self.past_call();
        self.moved(-8);
        self.0.rotate_right(1);
        self.0[0] = Some(Caller { back, above: Some(0) });
        Some(self)
    }

    /// After the last call's return. RSP has moved.
    fn without(mut self) -> Callers {
        self.0[0] = None;
        self.0.rotate_left(1);
        self.moved(8);
        self
    }

    /// After a call that returned here: it has written over what lies below RSP.
    pub(super) fn past_call(&mut self) {
        self.each(|above| (above >= 0 || above <= -16).then_some(above));
    }

    fn each(&mut self, mut change: impl FnMut(i64) -> Option<i64>) {
        for caller in self.0.iter_mut().flatten() {
            caller.above = caller.above.and_then(&mut change);
        }
    }

    fn moved(&mut self, by: i64) {
        self.each(|above| Some(above - by));
    }

    /// After an instruction that was copied.
    pub(super) fn after(&mut self, insn: &Instruction, info: &mut InstructionInfoFactory) {
        if self.is_empty() {
            return;
        }
        let info = info.info(insn);
        let writes = |access| !matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess);
        for used in info.used_memory().iter().filter(|used| writes(used.access())) {
            let on_stack = used.base() == Register::RSP && used.index() == Register::None;
            let start = used.displacement() as i64;
            let end = start.checked_add(used.memory_size().size() as i64).filter(|&end| end > start);
            self.each(|above| {
                let apart = on_stack && end.is_some_and(|end| end <= above || start >= above + 8);
                apart.then_some(above)
            });
        }
        let moves = |used: &iced_x86::UsedRegister| {
            used.register().full_register() == Register::RSP && writes(used.access())
        };
        if info.used_registers().iter().any(moves) {
            match distance(insn) {
                Some(by) => self.moved(by),
                None => self.each(|_| None),
            }
        }
    }
}

/// How far an instruction moves RSP, which it writes.
fn distance(insn: &Instruction) -> Option<i64> {
    let by = |n| insn.try_immediate(n).ok().map(u64::cast_signed);
    let whole =
        insn.op_count() > 0 && insn.op0_kind() == OpKind::Register && insn.op0_register() == Register::RSP;
    match insn.mnemonic() {
        Mnemonic::Push => Some(-8),
        Mnemonic::Pop if !whole => Some(8),
        Mnemonic::Add if whole => by(1),
        Mnemonic::Sub if whole => by(1)?.checked_neg(),
        Mnemonic::Lea if whole && insn.memory_index() == Register::None => {
            (insn.memory_base() == Register::RSP).then(|| insn.memory_displacement64().cast_signed())
        }
        _ => None,
    }
    .filter(|by| by.unsigned_abs() <= 1 << 20)
}

impl Unit<'_> {
    /// Ends a block with a call of a function that is translated in place. `None`, and nothing is emitted, if it is not.
    pub(super) fn call_in_place(&mut self, last: &Instruction, to: u64, indirect: bool) -> Option<()> {
        let back = last.next_ip();
        let callers = self.callers.with(back)?;
        let fits = self.left > ROOM && self.is_wanted(to) && self.is_wanted(back);
        let callee = fits.then(|| self.callee(to)).filter(|callee| callee.small)?;
        self.push_return(back);
        if indirect {
            self.take_arrival(to);
        } else {
            self.take(last, to);
        }
        if callee.calls {
            // What it calls returns by the table, and then so does it.
            self.prepare_return(back);
        }
        self.callers = callers;
        Some(())
    }

    /// Goes on with that function.
    pub(super) fn enter_in_place(&mut self, to: u64, facts: &mut Facts, done: i32) -> Option<(u64, usize)> {
        facts.move_rsp(8);
        facts.prove_rsp(0);
        self.fall(&self.edge_to(to, facts, done))
    }

    fn callee(&mut self, pc: u64) -> Callee {
        if let Some(&known) = self.callees.get(&pc) {
            return known;
        }
        let callee = self.look_at_function(pc).unwrap_or(Callee { small: false, calls: false });
        self.callees.insert(pc, callee);
        callee
    }

    /// `None` if it is not small.
    fn look_at_function(&mut self, pc: u64) -> Option<Callee> {
        let (mut blocks, mut at, mut insns, mut calls, mut returns) = (vec![pc], 0, 0, 0, 0);
        while let Some(&pc) = blocks.get(at) {
            at += 1;
            if !self.is_wanted(pc) {
                continue;
            }
            let block = self.decoded(pc)?.block;
            insns += block.insns.len();
            let next = match block.end {
                BlockEnd::Next => [Some(block.next()), None],
                _ if block.polls() && !matches!(block.end, BlockEnd::Call(_)) => return None,
                BlockEnd::Jump(to) => [Some(to), None],
                BlockEnd::Branch(to) => [Some(to), Some(block.next())],
                BlockEnd::Call(_) => {
                    calls += 1;
                    [Some(block.next()), None]
                }
                BlockEnd::Indirect => {
                    let last = block.insns.last()?;
                    if last.mnemonic() != Mnemonic::Ret {
                        return None;
                    }
                    returns += 1;
                    [None, None]
                }
            };
            for pc in next.into_iter().flatten() {
                if !blocks.contains(&pc) {
                    blocks.push(pc);
                }
            }
            if insns > SMALL || blocks.len() > BLOCKS || calls > CALLS {
                return None;
            }
        }
        Some(Callee { small: returns > 0, calls: calls > 0 })
    }

    /// A return whose target is known: RSP is `off` lower than it should be. `None`, and nothing is emitted, if it is not.
    pub(super) fn return_in_place(
        &mut self,
        insn: &Instruction,
        facts: &mut Facts,
        pending: i32,
        off: i32,
    ) -> Option<u64> {
        let caller = self.callers.0[0].filter(|_| insn.code() == iced_x86::Code::Retnq)?;
        if caller.above != Some(0) {
            let constant = self.emitter.label();
            self.cold.push(super::Cold::Constant(constant, caller.back));
            self.spot_below(insn.ip(), pending, off);
            self.emitter.expect(operand(Register::RSP, off), constant);
            facts.prove_rsp(off.unsigned_abs());
        }
        self.emitter.lea(Register::RSP, Register::RSP, off + 8);
        facts.move_rsp(off.unsigned_abs() + 8);
        self.take_arrival(caller.back);
        self.callers = self.callers.without();
        Some(caller.back)
    }
}
