//! Indirect jumps and calls: through the table of jumps, or, where a call has always gone to one function, there, if that is so again.

use goemu_x86::decode::Block;
use iced_x86::{Instruction, OpKind, Register};

use super::{Cold, Unit};
use crate::cache::At;
use crate::emit::{T, at};
use crate::facts::Facts;
use crate::host::enter::{JUMP, R14};
use crate::kind::Kind;
use crate::layout;

/// What follows a call to the expected function.
pub(super) enum Called {
    /// The function is translated here.
    InPlace(u64),
    /// It was jumped to.
    Left,
}

impl Unit<'_> {
    /// Goes where T says.
    pub(super) fn jump_by_t(&mut self) {
        self.emitter.store(at(layout::STATE + JUMP), T);
        self.emitter.slot_of_jump();
        self.emitter.jump_by_table(layout::JUMPS);
    }

    /// An indirect jump, or a call, through the table of jumps. `None`, and nothing is emitted, if its operand cannot be reached. Where
    /// a call returns to is translated at once if it is `prepared`.
    pub(super) fn indirect(
        &mut self,
        kind: Kind,
        insn: &Instruction,
        facts: &mut Facts,
        done: i32,
        prepared: bool,
    ) -> Option<()> {
        self.count_taken();
        // What may refuse comes before what cannot be taken back.
        let target = match insn.op0_kind() {
            OpKind::Register => None,
            _ => Some(self.address(insn, facts)?),
        };
        let by_t = target.is_some_and(|from| from.base == T);
        if !by_t {
            self.begin_leaving(insn, done);
        }
        match target {
            Some(from) => self.emitter.load(T, from),
            None if insn.op0_register() == Register::R14 => self.emitter.load(T, at(layout::STATE + R14)),
            None => self.emitter.copy(T, insn.op0_register()),
        }
        self.emitter.store(at(layout::STATE + JUMP), T);
        if by_t {
            self.begin_leaving(insn, done);
        }
        let calls = kind == Kind::IndirectCall;
        if calls {
            self.push_return(insn.next_ip());
        }
        if by_t || (calls && i32::try_from(insn.next_ip()).is_err()) {
            // T was needed for something else.
            self.emitter.load(T, at(layout::STATE + JUMP));
        }
        self.emitter.slot_of_jump();
        self.emitter.jump_by_table(layout::JUMPS);
        if calls && prepared {
            self.prepare_return(insn.next_ip());
        }
        Some(())
    }

    /// An indirect call to the function that it has always gone to. What comes otherwise is refused, and carried out by the
    /// interpreter; after a few times the call goes through the table instead. `None`, and nothing is emitted, where no function is
    /// expected or the operand cannot be reached.
    pub(super) fn expected_call(
        &mut self,
        block: &Block,
        last: &Instruction,
        facts: &mut Facts,
        pending: i32,
    ) -> Option<Called> {
        let to = (self.limits.target)(block.start())?;
        let fits = !self.limits.stops.contains(&to) && self.is_wanted(to) && self.is_wanted(last.next_ip());
        let register = (last.op0_kind() == OpKind::Register).then(|| last.op0_register());
        if !fits || register == Some(Register::R14) {
            return None;
        }
        let before = facts.clone();
        match register {
            Some(register) => self.emitter.compared_register(register),
            None => {
                let from = self.address(last, facts)?;
                self.emitter.compared(from);
            }
        }
        let (other, constant) = (self.emitter.label(), self.emitter.label());
        self.cold.push(Cold::Call(other, Box::new((*last, before)), (pending, self.taken)));
        self.cold.push(Cold::Constant(constant, to));
        self.spot(last.ip(), pending, At::Guess { other: other.number() });
        self.emitter.expect_compared(constant);
        self.spot(last.ip(), pending, At::Pc);
        if self.call_in_place(last, to, true).is_some() {
            return Some(Called::InPlace(to));
        }
        self.begin_leaving(last, pending + 1);
        self.push_return(last.next_ip());
        self.take_arrival(to);
        self.count_taken();
        let way = self.way_of_call(to);
        self.emitter.jump(way);
        self.prepare_return(last.next_ip());
        Some(Called::Left)
    }
}
