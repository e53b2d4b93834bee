//! MOVS and STOS. Their operands go by RDI, which can have no segment: it is made an address of the host's for the one instruction.
//!
//! So that this instruction is never refused, what it accesses is tried before: a repeated one of bytes moves less than a page here,
//! which lies on two at most; one of words less than two pages, which lie on three, of which the byte in the middle has one. The
//! interpreter carries out longer ones, at once.

use iced_x86::{Code, Instruction, MemoryOperand, Mnemonic, Register};

use crate::cache::At;
use crate::emit::{T, at, operand};
use crate::facts::{Facts, Need};
use crate::host::enter::{BASE, MINUS_BASE};
use crate::layout;
use crate::unit::Unit;

/// A repeated instruction moves fewer bytes than that: of bytes, of words.
const BYTES: u32 = 1 << 12;
const BYTES_OF_WORDS: u32 = 2 << 12;
/// Rounds of a repeated instruction that count as one instruction, as the interpreter has it: 1 << 3.
const ROUNDS: u32 = 3;

impl Unit<'_> {
    pub(crate) fn string(&mut self, insn: &Instruction, facts: &mut Facts, pending: i32) -> Option<()> {
        let size = insn.memory_size().size() as u32;
        let moves =
            matches!(insn.mnemonic(), Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsd | Mnemonic::Movsq);
        let repeats = insn.has_rep_prefix() || insn.has_repne_prefix();
        let end = self.emitter.label();
        if repeats {
            self.emitter.jump_if_rcx_is_zero(end);
        }
        if moves {
            self.near(Register::RSI, facts);
        }
        self.near(Register::RDI, facts);
        if repeats {
            self.repeated(insn, size, moves, pending);
        } else {
            self.single(size, moves)?;
        }
        self.emitter.bind(end);
        self.spot(insn.next_ip(), pending + 1, At::Pc);
        for register in [Register::RCX, Register::RSI, Register::RDI] {
            facts.forget(register.number());
        }
        Some(())
    }

    /// Checks that a register is an address of the space.
    fn near(&mut self, register: Register, facts: &mut Facts) {
        if facts.need(register, Register::None, 1, 0) != Need::Nothing {
            self.emitter.check(register);
            facts.prove(register, Register::None, 1, 0);
        }
    }

    /// A load and a store.
    fn single(&mut self, size: u32, moves: bool) -> Option<()> {
        let (load, store, t, a) = match size {
            1 => (Code::Mov_r8_rm8, Code::Mov_rm8_r8, Register::R14L, Register::AL),
            2 => (Code::Mov_r16_rm16, Code::Mov_rm16_r16, Register::R14W, Register::AX),
            4 => (Code::Mov_r32_rm32, Code::Mov_rm32_r32, Register::R14D, Register::EAX),
            _ => (Code::Mov_r64_rm64, Code::Mov_rm64_r64, T, Register::RAX),
        };
        if moves {
            self.emitter.insn(&Instruction::with2(load, t, operand(Register::RSI, 0)).ok()?);
        }
        let from = if moves { t } else { a };
        self.emitter.insn(&Instruction::with2(store, operand(Register::RDI, 0), from).ok()?);
        if moves {
            self.emitter.lea(Register::RSI, Register::RSI, size as i32);
        }
        self.emitter.lea(Register::RDI, Register::RDI, size as i32);
        Some(())
    }

    fn repeated(&mut self, insn: &Instruction, size: u32, moves: bool, pending: i32) {
        // Too many bytes are the interpreter's.
        let most = if size == 1 { BYTES } else { BYTES_OF_WORDS };
        self.emitter.high_bits(Register::RCX, (most / size).trailing_zeros());
        let way = self.way_to_interpret(insn.ip(), pending);
        self.emitter.unless_zero(|emitter| {
            emitter.jump(way);
        });
        self.emitter.high_bits(Register::RCX, ROUNDS);
        self.emitter.check_cost();
        let byte =
            |base, scale, off| MemoryOperand::new(base, Register::RCX, scale, off, 1, false, Register::GS);
        let first = |base| operand(base, 0);
        let last = |base| byte(base, size, -1);
        let middle = |base| (size > 1).then(|| byte(base, size / 2, 0));
        if moves {
            let all = [Some(first(Register::RSI)), middle(Register::RSI), Some(last(Register::RSI))];
            all.into_iter().flatten().for_each(|byte| self.emitter.load_byte(byte));
        }
        let all = [Some(first(Register::RDI)), middle(Register::RDI), Some(last(Register::RDI))];
        all.into_iter().flatten().for_each(|byte| self.emitter.probe_write(byte));
        self.emitter.take_cost();
        self.emitter.load(T, at(layout::STATE + BASE));
        self.emitter.lea_of(Register::RDI, Register::RDI, T, 1, 0);
        // It is not refused: but a file that the space maps may be cut short by another program.
        self.spot(insn.ip(), pending, At::Biased);
        let mut copy = *insn;
        if moves {
            copy.set_segment_prefix(Register::GS);
        }
        self.emitter.insn(&copy);
        self.emitter.load(T, at(layout::STATE + MINUS_BASE));
        self.emitter.lea_of(Register::RDI, Register::RDI, T, 1, 0);
    }
}
