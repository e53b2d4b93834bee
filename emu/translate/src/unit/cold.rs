//! What is emitted behind the code of a translation, since it seldom runs: ways out, and ways between blocks that count something.

use goemu_x86::coverage::Path;
use iced_x86::Instruction;

use super::{Unit, edges};
use crate::cache::{At, Stub, emit_stub};
use crate::emit::Label;
use crate::facts::Facts;
use crate::kind::Kind;

/// Something that is emitted behind the code.
pub(super) enum Cold {
    /// Counts what is pending and what was taken, then goes on to the block at an address.
    Count(Label, (i32, Path), edges::Target, u64),
    /// Eight bytes.
    Constant(Label, u64),
    /// Leaves: to an address that is not translated.
    Arrive(Label, u64, (i32, Path)),
    /// Leaves for the interpreter.
    Interpret(Label, u64, (i32, Path)),
    /// Restores what [`Unit::allocate`] saved, and goes on at another label.
    Restore(Label, Label),
    /// An indirect call, after so many instructions and edges that are not counted: not where it was expected to go.
    Call(Label, Box<(Instruction, Facts)>, (i32, Path)),
}

impl Unit<'_> {
    /// Emits it. `None` if an instruction cannot be copied.
    pub(super) fn emit_cold(&mut self, cold: Cold) -> Option<()> {
        self.taken = Path::default();
        match cold {
            Cold::Count(way, uncounted, target, pc) => {
                self.emitter.bind(way);
                self.go_on(target, pc, uncounted);
            }
            Cold::Constant(label, value) => {
                self.emitter.align(8);
                self.emitter.bind(label);
                self.emitter.quad(value);
            }
            Cold::Restore(way, then) => {
                self.emitter.bind(way);
                self.emitter.restore_saved();
                self.emitter.jump(then);
            }
            Cold::Call(way, call, (pending, taken)) => {
                let (insn, mut facts) = *call;
                self.emitter.bind(way);
                self.taken = taken;
                self.spot(insn.ip(), pending, At::Pc);
                self.indirect(Kind::IndirectCall, &insn, &mut facts, pending + 1, false)?;
                self.spot(0, 0, At::Pc);
            }
            Cold::Interpret(way, pc, (pending, taken)) => {
                self.emitter.bind(way);
                self.count_path(taken);
                self.leave(|_| Stub::Interpret { pc, pending });
            }
            Cold::Arrive(way, pc, (pending, taken)) => {
                self.emitter.bind(way);
                self.count_path(taken);
                // Counts everything down, so that the jump fits whatever it will go to.
                self.emitter.count(-pending);
                self.spot(pc, 0, At::Pc);
                self.emitter.poll(0);
                let out = self.emitter.label();
                let jump = self.emitter.jump(out);
                self.emitter.bind(out);
                self.leave(|_| Stub::Arrive { pc, pending: 0, jump });
            }
        }
        Some(())
    }

    /// Leaves through a new stub, which may name the place behind it.
    pub(super) fn leave(&mut self, stub: impl FnOnce(u32) -> Stub) {
        let number = self.cache.stubs.len() + self.stubs.len();
        emit_stub(&mut self.emitter, number as u32);
        self.stubs.push(stub(self.emitter.here()));
    }
}
