//! Instructions that are copied: with GS before their operand in memory, and checks before that where its address is not
//! known to be harmless.
//!
//! Nothing here changes what the guest can see before the instruction itself does, flags included: where the host refuses
//! one, the guest stands before it.

mod strings;

use goemu_x86::cpu::gpr;
use iced_x86::{Code, Instruction, MemoryOperand, Mnemonic, OpAccess, OpKind, Register};

use crate::cache::At;
use crate::emit::{T, at, operand};
use crate::facts::{Facts, Need, step};
use crate::host::enter::{FAULTS, FS_BASE, R14, SAFE_R14};
use crate::kind::{Kind, has_memory};
use crate::layout;
use crate::unit::Unit;

/// What an instruction does to registers, as far as it matters here.
#[derive(Default)]
struct Uses {
    r14: bool,
    writes_r14: bool,
    writes_rsp: bool,
    written: Vec<Register>,
}

/// Displacements up to there reach any byte of the first 2 GiB, whatever the width of the access.
const ABSOLUTE: u64 = i32::MAX as u64 - 64;

impl Unit<'_> {
    /// Emits an instruction that does not change where control goes. `None`, and nothing is emitted, if it cannot be translated.
    pub(crate) fn copy(
        &mut self,
        kind: Kind,
        insn: &Instruction,
        facts: &mut Facts,
        pending: i32,
    ) -> Option<()> {
        match kind {
            Kind::Copied => self.plain(insn, facts, pending),
            Kind::Nothing => Some(()),
            Kind::Push => self.push(insn, facts),
            Kind::Pop => {
                self.pop(insn, facts, pending);
                Some(())
            }
            Kind::Leave => {
                self.leave_frame(facts);
                Some(())
            }
            Kind::String => self.string(insn, facts, pending),
            Kind::Address => self.known_address(insn, facts),
            _ => None,
        }
    }

    fn uses(&mut self, insn: &Instruction) -> Uses {
        let mut uses = Uses::default();
        for used in self.info.info(insn).used_registers() {
            let (register, access) = (used.register(), used.access());
            let writes = !matches!(
                access,
                OpAccess::Read | OpAccess::CondRead | OpAccess::None | OpAccess::NoMemAccess
            );
            let whole = register.full_register();
            uses.r14 |= whole == Register::R14;
            uses.writes_r14 |= writes && whole == Register::R14;
            uses.writes_rsp |= writes && whole == Register::RSP;
            if writes {
                uses.written.push(register);
            }
        }
        uses
    }

    fn plain(&mut self, insn: &Instruction, facts: &mut Facts, pending: i32) -> Option<()> {
        let uses = self.uses(insn);
        if insn.mnemonic() == Mnemonic::Lea && insn.is_ip_rel_memory_operand() {
            return None;
        }
        if has_memory(insn) && insn.mnemonic() != Mnemonic::Lea {
            self.access(insn, facts, &uses)?;
        } else {
            if uses.r14 {
                self.emitter.load(T, at(layout::STATE + R14));
            }
            self.emitter.insn(insn);
        }
        let moves_rsp = step(insn).is_some();
        facts.after(insn, uses.written.iter().copied());
        if uses.writes_r14 {
            self.r14_written(insn, pending);
        }
        if uses.writes_rsp && !(moves_rsp && facts.rsp_is_near()) {
            self.spot(insn.next_ip(), pending + 1, At::Pc);
            facts.forget_rsp();
            self.emitter.check(Register::RSP);
            facts.prove_rsp(0);
        }
        Some(())
    }

    /// Emits an instruction with an operand in memory.
    fn access(&mut self, insn: &Instruction, facts: &mut Facts, uses: &Uses) -> Option<()> {
        let mut copy = *insn;
        copy.set_segment_prefix(Register::GS);
        let (base, index) = (insn.memory_base(), insn.memory_index());
        let displacement = insn.memory_displacement64() as i64;
        if insn.segment_prefix() == Register::FS && insn.code() == Code::Mov_rm64_r64 && uses.r14 {
            let displacement = i32::try_from(displacement).ok().filter(|by| by.unsigned_abs() <= 1 << 20)?;
            let (base, r14) = (at(layout::STATE + FS_BASE), at(layout::STATE + R14));
            self.emitter.move_to_fs(base, displacement, r14);
            return Some(());
        }
        if insn.segment_prefix() == Register::FS {
            // A plain load may have R14 as its target; anything else would need it twice.
            if (uses.r14 && insn.code() != Code::Mov_r64_rm64) || displacement.unsigned_abs() > 1 << 20 {
                return None;
            }
            self.emitter.load(T, at(layout::STATE + FS_BASE));
            copy.set_memory_base(T);
            copy.set_memory_displ_size(8);
            self.emitter.insn(&copy);
            return Some(());
        }
        if insn.is_ip_rel_memory_operand() || (base == Register::None && index == Register::None) {
            return self.absolute(insn, copy, uses);
        }
        if base == Register::R14 && index == Register::None {
            if displacement.unsigned_abs() > 1 << 20 {
                return None;
            }
            self.emitter.load(T, at(layout::STATE + SAFE_R14));
            self.emitter.insn(&copy);
            return Some(());
        }
        self.check(insn, facts, uses);
        if uses.r14 {
            self.emitter.load(T, at(layout::STATE + R14));
        }
        self.emitter.insn(&copy);
        facts.prove(base, index, insn.memory_index_scale(), displacement);
        Some(())
    }

    /// An operand whose address is known.
    fn absolute(&mut self, insn: &Instruction, mut copy: Instruction, uses: &Uses) -> Option<()> {
        let addr = insn.memory_displacement64();
        if addr >= self.space() {
            return None;
        }
        copy.set_memory_displ_size(8);
        if addr <= ABSOLUTE {
            copy.set_memory_base(Register::None);
            copy.set_memory_displacement64(addr);
            if uses.r14 {
                self.emitter.load(T, at(layout::STATE + R14));
            }
        } else if uses.r14 {
            return None;
        } else {
            self.emitter.set(T, addr);
            copy.set_memory_base(T);
            copy.set_memory_displacement64(0);
        }
        self.emitter.insn(&copy);
        Some(())
    }

    /// Emits the check that the address of an operand needs. T is lost.
    fn check(&mut self, insn: &Instruction, facts: &mut Facts, uses: &Uses) {
        let (base, index) = (insn.memory_base(), insn.memory_index());
        let (scale, displacement) = (insn.memory_index_scale(), insn.memory_displacement64() as i64);
        let mut need = facts.need(base, index, scale, displacement);
        while let Need::Bound(register) = need {
            self.emitter.check_small(register);
            facts.prove_small(register);
            need = facts.need(base, index, scale, displacement);
        }
        if need == Need::Nothing {
            return;
        }
        let in_address = base == Register::R14 || index == Register::R14;
        if uses.r14 && in_address {
            self.emitter.load(T, at(layout::STATE + R14));
        }
        match need {
            Need::Nothing | Need::Bound(_) => {}
            Need::Register(register) => {
                self.emitter.check(register);
                facts.prove(register, Register::None, 1, 0);
            }
            Need::Sum => {
                self.emitter.lea_of(T, base, index, scale, 0);
                self.emitter.check(T);
                facts.prove(base, index, scale, 0);
            }
            Need::Address => {
                self.emitter.lea_of(T, base, index, scale, displacement as i32);
                self.emitter.check(T);
            }
        }
    }

    /// The operand in memory of an instruction that reads a quadword there, after its check. `None` if it cannot be
    /// reached. T may be part of it.
    pub(crate) fn address(&mut self, insn: &Instruction, facts: &mut Facts) -> Option<MemoryOperand> {
        let (base, index) = (insn.memory_base(), insn.memory_index());
        let displacement = insn.memory_displacement64() as i64;
        if insn.segment_prefix() == Register::FS {
            return None;
        }
        if insn.is_ip_rel_memory_operand() || (base == Register::None && index == Register::None) {
            let addr = insn.memory_displacement64();
            if addr >= self.space() {
                return None;
            }
            if addr <= ABSOLUTE {
                return Some(at(addr as i32));
            }
            self.emitter.set(T, addr);
            return Some(operand(T, 0));
        }
        if base == Register::R14 || index == Register::R14 {
            return None;
        }
        self.check(insn, facts, &Uses::default());
        let scale = insn.memory_index_scale();
        facts.prove(base, index, scale, displacement);
        Some(MemoryOperand::new(base, index, scale, displacement, 8, false, Register::GS))
    }

    /// R14 was written: T has its value. Where it is a base is known only after a look, which code that computes in R14
    /// need not pay for: there the next access through it is refused once. A load that brings no address, time and again, is
    /// passed over as well.
    fn r14_written(&mut self, insn: &Instruction, pending: i32) {
        self.emitter.store(at(layout::STATE + R14), T);
        let short = insn.op0_kind() == OpKind::Register && insn.op0_register() == Register::R14D;
        let pointer = matches!(insn.code(), Code::Mov_r64_rm64 | Code::Mov_rm64_r64 | Code::Pop_r64);
        if short && insn.mnemonic() == Mnemonic::Mov {
            self.emitter.store(at(layout::STATE + SAFE_R14), T);
        } else if pointer {
            self.emitter.store_imm(at(layout::STATE + SAFE_R14), FAULTS as i32);
            self.spot(insn.next_ip(), pending + 1, At::Pc);
            self.emitter.check(T);
            self.emitter.load(T, at(layout::STATE + R14));
            self.emitter.store(at(layout::STATE + SAFE_R14), T);
            self.looked();
        } else {
            self.emitter.store_imm(at(layout::STATE + SAFE_R14), FAULTS as i32);
        }
    }

    fn push(&mut self, insn: &Instruction, facts: &mut Facts) -> Option<()> {
        let to = operand(Register::RSP, -8);
        match insn.op0_kind() {
            OpKind::Register if insn.op0_register() == Register::R14 => {
                self.emitter.load(T, at(layout::STATE + R14));
                self.emitter.store(to, T);
            }
            OpKind::Register => self.emitter.store(to, insn.op0_register()),
            OpKind::Memory => {
                let from = self.address(insn, facts)?;
                self.emitter.load(T, from);
                self.emitter.store(to, T);
            }
            _ => self.emitter.store_imm(to, i32::try_from(insn.try_immediate(0).ok()? as i64).ok()?),
        }
        self.emitter.lea(Register::RSP, Register::RSP, -8);
        facts.move_rsp(8);
        facts.prove_rsp(0);
        Some(())
    }

    fn pop(&mut self, insn: &Instruction, facts: &mut Facts, pending: i32) {
        let to = insn.op0_register();
        self.emitter.load(to, operand(Register::RSP, 0));
        self.emitter.lea(Register::RSP, Register::RSP, 8);
        facts.prove_rsp(0);
        facts.move_rsp(8);
        facts.after(insn, std::iter::once(to));
        if to == Register::R14 {
            self.r14_written(insn, pending);
        }
    }

    fn leave_frame(&mut self, facts: &mut Facts) {
        if facts.need(Register::RBP, Register::None, 1, 0) != Need::Nothing {
            self.emitter.check(Register::RBP);
        }
        self.emitter.load(T, operand(Register::RBP, 0));
        self.emitter.lea(Register::RSP, Register::RBP, 8);
        self.emitter.copy(Register::RBP, T);
        facts.forget_rsp();
        facts.prove_rsp(8);
        facts.forget(gpr::RBP.into());
    }

    fn known_address(&mut self, insn: &Instruction, facts: &mut Facts) -> Option<()> {
        let to = insn.op0_register();
        let whole = to.full_register();
        if whole == Register::R14 || whole == Register::RSP {
            return None;
        }
        let addr = insn.memory_displacement64();
        self.emitter.set(whole, if to.is_gpr32() { addr & 0xffff_ffff } else { addr });
        facts.after(insn, std::iter::once(whole));
        if addr < self.space() {
            facts.prove(whole, Register::None, 1, 0);
        }
        Some(())
    }
}
