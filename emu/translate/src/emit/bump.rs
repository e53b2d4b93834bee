//! A bump allocator in translated code: RAX has a size and becomes an address; all else stays, the flags too.

use goemu_memory::Memory;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

use super::{Emitter, Label, T, at, indexed, operand};
use crate::host::enter::{BUMP_END, BUMP_NEXT, BUMPED, BUMPED_AT, COST_LEFT, SAVED};
use crate::layout;

/// Bytes of an object that is made here, at most.
const MOST: i32 = 0x8000;

fn state(field: i32) -> MemoryOperand {
    at(layout::STATE + field)
}

/// Where a register is saved.
const RAX: i32 = SAVED;
const RCX: i32 = SAVED + 8;
const RDX: i32 = SAVED + 16;
const FLAGS: i32 = SAVED + 24;
const POINTERS: i32 = SAVED + 32;

impl Emitter {
    /// Saves what the type at RBX says of pointers, so far from its beginning; 0 for no type. Faults where it cannot be read. T is
    /// lost.
    pub(crate) fn save_pointers(&mut self, from: u8) {
        let exchange = || Instruction::with2(Code::Xchg_rm64_r64, T, Register::RCX);
        let (none, done) = (self.label(), self.label());
        self.copy(T, Register::RBX);
        self.made(exchange());
        self.jump_if_rcx_is_zero(none);
        self.made(exchange());
        self.check(Register::RBX);
        self.load(T, operand(Register::RBX, from.into()));
        self.jump(done);
        self.bind(none);
        self.made(exchange());
        self.bind(done);
        self.store(state(POINTERS), T);
    }

    /// RAX, a size, becomes the address of a new object, which is the `most`-th at most. Where there is no room, goes on at a label that
    /// begins with [`Emitter::restore_saved`]. T is lost.
    pub(crate) fn bump(&mut self, restore: Label, most: usize) {
        const ABOVE: u8 = 7;
        const ABOVE_OR_EQUAL: u8 = 3;
        const NOT_EQUAL: u8 = 5;
        self.save();
        self.lea(Register::RCX, Register::RAX, -1);
        self.made(Instruction::with2(Code::Cmp_rm64_imm32, Register::RCX, MOST - 1));
        self.jump_if(ABOVE, restore);
        // Work that is charged for is settled before an object is made, and after it.
        let whole = Memory::MUCH_COST as i32;
        self.made(Instruction::with2(Code::Cmp_rm64_imm32, state(COST_LEFT), whole));
        self.jump_if(NOT_EQUAL, restore);
        self.load(T, state(BUMPED));
        self.made(Instruction::with2(Code::Cmp_rm64_imm32, T, most as i32));
        self.jump_if(ABOVE_OR_EQUAL, restore);
        self.aligned();
        self.lea_of(Register::RDX, Register::RCX, Register::RAX, 1, 0);
        self.made(Instruction::with2(Code::Cmp_r64_rm64, Register::RDX, state(BUMP_END)));
        self.jump_if(ABOVE, restore);
        self.store(state(BUMP_NEXT), Register::RDX);
        self.store(indexed(layout::SIZES), Register::RAX);
        self.load(Register::RDX, state(POINTERS));
        self.store(indexed(layout::POINTERS), Register::RDX);
        self.lea(T, T, 1);
        self.store(state(BUMPED), T);
        self.made(Instruction::with2(Code::Movq_rm64_mm, state(BUMPED_AT), Register::MM0));
        self.copy(Register::RDX, Register::RCX);
        self.restore_flags();
        self.copy(Register::RAX, Register::RDX);
        self.load(Register::RCX, state(RCX));
        self.load(Register::RDX, state(RDX));
    }

    /// RCX becomes the place of an object of RAX bytes: [`goemu_memory::bumped`]. RDX and the flags are lost.
    fn aligned(&mut self) {
        let (rcx, rdx) = (Register::RCX, Register::RDX);
        self.load(rcx, state(BUMP_NEXT));
        self.lea(rdx, rcx, 7);
        self.lea(rcx, rcx, 15);
        self.made(Instruction::with2(Code::And_rm64_imm8, rdx, -8));
        self.made(Instruction::with2(Code::And_rm64_imm8, rcx, -16));
        self.made(Instruction::with2(Code::Cmp_rm64_imm8, Register::RAX, 16));
        self.made(Instruction::with2(Code::Cmovb_r64_rm64, rcx, rdx));
    }

    fn save(&mut self) {
        self.store(state(RAX), Register::RAX);
        self.store(state(RCX), Register::RCX);
        self.store(state(RDX), Register::RDX);
        self.insn(&Instruction::with(Code::Lahf));
        self.made(Instruction::with1(Code::Seto_rm8, Register::AL));
        self.store(state(FLAGS), Register::RAX);
        self.load(Register::RAX, state(RAX));
    }

    /// RAX is lost.
    fn restore_flags(&mut self) {
        self.load(Register::RAX, state(FLAGS));
        // Overflows where AL is 1.
        self.made(Instruction::with2(Code::Add_AL_imm8, Register::AL, 0x7f));
        self.insn(&Instruction::with(Code::Sahf));
    }

    /// Registers and flags are what they were before [`Emitter::bump`].
    pub(crate) fn restore_saved(&mut self) {
        self.restore_flags();
        self.load(Register::RAX, state(RAX));
        self.load(Register::RCX, state(RCX));
        self.load(Register::RDX, state(RDX));
    }
}
