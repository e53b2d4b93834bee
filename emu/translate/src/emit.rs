//! Host instructions to bytes, with labels.

mod bump;

use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

use crate::host::enter;
use crate::layout;

/// The register that translated code has for itself. The guest's own R14 is in the state.
pub(crate) const T: Register = Register::R14;

/// A place in the code that is emitted, perhaps one that is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label(u32);

impl Label {
    /// Its number, by which [`Label::of`] gives it again.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of(number: u32) -> Label {
        Label(number)
    }
}

/// Code on its way to the cache.
pub(crate) struct Emitter {
    encoder: Encoder,
    bytes: Vec<u8>,
    /// Where the first byte will lie in the cache.
    start: u32,
    labels: Vec<Option<u32>>,
    /// Displacements of jumps to fill in: where, and for which label.
    open: Vec<(u32, Label)>,
    refused: bool,
}

/// `gs:[displacement]`
pub(crate) fn at(displacement: i32) -> MemoryOperand {
    operand(Register::None, displacement)
}

/// `gs:[base+displacement]`
pub(crate) fn operand(base: Register, displacement: i32) -> MemoryOperand {
    MemoryOperand::new(
        base,
        Register::None,
        1,
        displacement.into(),
        bytes_of(base, displacement),
        false,
        Register::GS,
    )
}

/// The size of a displacement that the encoder is asked for: it takes one byte where that is enough, if there is a base.
fn bytes_of(base: Register, displacement: i32) -> u32 {
    match (base, displacement) {
        (Register::None, _) => 8,
        (_, 0) => 0,
        _ => 1,
    }
}

/// `gs:[T*8+displacement]`
pub(crate) fn indexed(displacement: i32) -> MemoryOperand {
    MemoryOperand::new(Register::None, T, 8, displacement.into(), 8, false, Register::GS)
}

impl Emitter {
    pub(crate) fn new(start: u32) -> Emitter {
        let (bytes, labels, open) = (Vec::with_capacity(4096), Vec::new(), Vec::new());
        Emitter { encoder: Encoder::new(64), bytes, start, labels, open, refused: false }
    }

    /// The place in the cache that comes next.
    pub(crate) fn here(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }

    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() as u32 - 1)
    }

    /// The label is here.
    pub(crate) fn bind(&mut self, label: Label) {
        let here = self.here();
        self.labels[label.0 as usize] = Some(here);
    }

    /// An instruction, re-encoded.
    pub(crate) fn insn(&mut self, insn: &Instruction) {
        match self.encoder.encode(insn, 0) {
            Ok(_) => {}
            Err(_) => self.refused = true,
        }
        let mut bytes = self.encoder.take_buffer();
        self.bytes.append(&mut bytes);
        self.encoder.set_buffer(bytes);
    }

    fn made(&mut self, insn: Result<Instruction, iced_x86::IcedError>) {
        match insn {
            Ok(insn) => self.insn(&insn),
            Err(_) => self.refused = true,
        }
    }

    pub(crate) fn load(&mut self, to: Register, from: MemoryOperand) {
        self.made(Instruction::with2(Code::Mov_r64_rm64, to, from));
    }

    pub(crate) fn store(&mut self, to: MemoryOperand, from: Register) {
        self.made(Instruction::with2(Code::Mov_rm64_r64, to, from));
    }

    pub(crate) fn store_imm(&mut self, to: MemoryOperand, value: i32) {
        self.made(Instruction::with2(Code::Mov_rm64_imm32, to, value));
    }

    pub(crate) fn copy(&mut self, to: Register, from: Register) {
        self.made(Instruction::with2(Code::Mov_r64_rm64, to, from));
    }

    /// A register gets a number; flags stay.
    pub(crate) fn set(&mut self, to: Register, value: u64) {
        match (u32::try_from(value), i32::try_from(value as i64)) {
            (Ok(short), _) => self.made(Instruction::with2(Code::Mov_r32_imm32, to.full_register32(), short)),
            (_, Ok(short)) => self.made(Instruction::with2(Code::Mov_rm64_imm32, to, short)),
            _ => self.made(Instruction::with2(Code::Mov_r64_imm64, to, value)),
        }
    }

    pub(crate) fn lea(&mut self, to: Register, base: Register, displacement: i32) {
        self.lea_of(to, base, Register::None, 1, displacement);
    }

    pub(crate) fn lea_of(
        &mut self,
        to: Register,
        base: Register,
        index: Register,
        scale: u32,
        displacement: i32,
    ) {
        let size = bytes_of(base, displacement);
        let from = MemoryOperand::new(base, index, scale, displacement.into(), size, false, Register::None);
        self.made(Instruction::with2(Code::Lea_r64_m, to, from));
    }

    /// T gets a byte, or a word, of memory.
    pub(crate) fn load_byte(&mut self, from: MemoryOperand) {
        self.made(Instruction::with2(Code::Movzx_r32_rm8, Register::R14D, from));
    }

    pub(crate) fn load_word(&mut self, from: MemoryOperand) {
        self.made(Instruction::with2(Code::Movzx_r32_rm16, Register::R14D, from));
    }

    /// Faults unless `address` lies in the guest's space, or its highest byte is not 0. T is lost; flags stay.
    ///
    /// Such an address, and what is near it, needs no more: with a base below 2^47 it is none that a processor takes, or one of the
    /// kernel's, and the access itself faults.
    pub(crate) fn check(&mut self, address: Register) {
        self.made(Instruction::with3(Code::VEX_Rorx_r64_rm64_imm8, T, address, layout::SPACE_BITS));
        self.made(Instruction::with2(Code::Movzx_r32_rm16, Register::R14D, Register::R14W));
        self.load(T, indexed(layout::TRIPWIRE));
    }

    /// Faults unless a register is small, that is below 2^34. T is lost; flags stay.
    pub(crate) fn check_small(&mut self, register: Register) {
        let mask = at(layout::STATE + enter::NOT_SMALL);
        self.made(Instruction::with3(Code::VEX_Pext_r64_r64_rm64, T, register, mask));
        self.load_byte(operand(T, layout::TRIPWIRE_OF_BYTES));
    }

    /// Faults unless a register, which is small, is below 2^`bits`, 16 or more. T is lost; flags stay.
    pub(crate) fn check_below(&mut self, register: Register, bits: u32) {
        self.high_bits(register, bits);
        self.load_byte(operand(T, layout::TRIPWIRE_OF_BYTES));
    }

    /// Adds to the count of instructions left.
    pub(crate) fn count(&mut self, mut by: i32) {
        while by != 0 {
            let most = layout::NUMBERS_LEN as i32 / 2 - 1;
            let now = by.clamp(-most, most);
            self.made(Instruction::with2(Code::Paddq_mm_mmm64, Register::MM0, at(layout::number(now))));
            by -= now;
        }
    }

    /// Adds 1 to a counter of the host's. T and MM1 are lost; flags stay.
    pub(crate) fn add_one(&mut self, counter: u64) {
        let counter_at = MemoryOperand::with_base(T);
        self.set(T, counter);
        self.made(Instruction::with2(Code::Movq_mm_rm64, Register::MM1, counter_at));
        self.made(Instruction::with2(Code::Paddq_mm_mmm64, Register::MM1, at(layout::number(1))));
        self.made(Instruction::with2(Code::Movq_rm64_mm, counter_at, Register::MM1));
    }

    /// T gets the bits of a register from `from` on, if `from` is below 13. Flags stay.
    pub(crate) fn high_bits(&mut self, register: Register, from: u32) {
        let mask = at(layout::number(-1 << from));
        self.made(Instruction::with3(Code::VEX_Pext_r64_r64_rm64, T, register, mask));
    }

    /// Goes on behind `then` where T is 0, and with it otherwise. T is lost; flags stay.
    pub(crate) fn unless_zero(&mut self, then: impl FnOnce(&mut Emitter)) {
        let exchange = || Instruction::with2(Code::Xchg_rm64_r64, T, Register::RCX);
        self.made(exchange());
        // jrcxz
        self.bytes.extend_from_slice(&[0xe3, 0]);
        let from = self.bytes.len();
        self.made(exchange());
        then(self);
        match u8::try_from(self.bytes.len() - from) {
            Ok(by) if by < 0x80 => self.bytes[from - 1] = by,
            _ => self.refused = true,
        }
        self.made(exchange());
    }

    /// JRCXZ, which reaches over another jump only.
    pub(crate) fn jump_if_rcx_is_zero(&mut self, to: Label) {
        // jrcxz 2; jmp 5
        self.bytes.extend_from_slice(&[0xe3, 2, 0xeb, 5]);
        self.jump(to);
    }

    /// Faults where work that counts as T instructions more is so much that engines check their fuel. T is lost, and MM1 has what is
    /// left, for [`Emitter::take_cost`].
    pub(crate) fn check_cost(&mut self) {
        let (cost, left) = (at(layout::STATE + enter::COST), at(layout::STATE + enter::COST_LEFT));
        self.store(cost, T);
        self.made(Instruction::with2(Code::Movq_mm_rm64, Register::MM1, left));
        self.made(Instruction::with2(Code::Psubq_mm_mmm64, Register::MM1, cost));
        self.made(Instruction::with2(Code::Movq_rm64_mm, T, Register::MM1));
        self.load_byte(operand(T, layout::poll(0)));
    }

    /// That work is done.
    pub(crate) fn take_cost(&mut self) {
        self.made(Instruction::with2(
            Code::Movq_rm64_mm,
            at(layout::STATE + enter::COST_LEFT),
            Register::MM1,
        ));
    }

    /// Faults where a byte cannot be written, which stays what it is. T is lost.
    pub(crate) fn probe_write(&mut self, byte: MemoryOperand) {
        self.load_byte(byte);
        self.made(Instruction::with2(Code::Mov_rm8_r8, byte, Register::R14L));
    }

    /// Faults where none is left. `pending` of those that were counted down are still to come.
    pub(crate) fn poll(&mut self, pending: i32) {
        self.made(Instruction::with2(Code::Movq_rm64_mm, T, Register::MM0));
        self.load_byte(operand(T, layout::poll(pending)));
    }

    /// Faults unless a quadword of memory is this one, which the eight bytes at a label hold.
    pub(crate) fn expect(&mut self, found: MemoryOperand, constant: Label) {
        self.compared(found);
        self.expect_compared(constant);
    }

    /// MM1 becomes a quadword of memory, for [`Emitter::expect_compared`].
    pub(crate) fn compared(&mut self, found: MemoryOperand) {
        self.made(Instruction::with2(Code::Movq_mm_rm64, Register::MM1, found));
    }

    /// The same of a register.
    pub(crate) fn compared_register(&mut self, found: Register) {
        self.made(Instruction::with2(Code::Movq_mm_rm64, Register::MM1, found));
    }

    /// Faults unless MM1 is the quadword at a label. T is lost.
    pub(crate) fn expect_compared(&mut self, constant: Label) {
        // pcmpeqd mm1,[rip+constant]
        self.bytes.extend_from_slice(&[0x0f, 0x76, 0x0d]);
        self.displacement(constant);
        self.made(Instruction::with2(Code::Pmovmskb_r32_mm, Register::R14D, Register::MM1));
        self.load_byte(indexed(layout::ALL_ONES));
    }

    fn crc(&mut self, addr: MemoryOperand) {
        self.set(T, 0);
        self.made(Instruction::with2(Code::Crc32_r64_rm64, T, addr));
    }

    /// T becomes the number of an entry in a second table: [`layout::second_slot`] of what lies there. Flags stay.
    pub(crate) fn second_slot(&mut self, addr: MemoryOperand) {
        self.crc(addr);
        let mask = at(layout::STATE + enter::SECOND_BITS);
        self.made(Instruction::with3(Code::VEX_Pext_r64_r64_rm64, T, T, mask));
    }

    /// T, an address, becomes the number of its entry in the table of jumps: [`layout::slot_of_jump`]. Flags stay.
    pub(crate) fn slot_of_jump(&mut self) {
        self.made(Instruction::with2(Code::Crc32_r64_rm64, T, at(layout::number(0))));
        self.made(Instruction::with2(Code::Movzx_r32_rm16, Register::R14D, Register::R14W));
    }

    /// Memory becomes what other memory is. T and MM1 are lost.
    pub(crate) fn move_to_fs(&mut self, base: MemoryOperand, displacement: i32, from: MemoryOperand) {
        self.made(Instruction::with2(Code::Movq_mm_rm64, Register::MM1, from));
        self.load(T, base);
        self.made(Instruction::with2(Code::Movq_rm64_mm, operand(T, displacement), Register::MM1));
    }

    /// Goes on at the address that one of the tables has for T.
    pub(crate) fn jump_by_table(&mut self, table: i32) {
        self.made(Instruction::with1(Code::Jmp_rm64, indexed(table)));
    }

    /// Goes on at the address that a register chooses from those of a switch.
    pub(crate) fn jump_by_index(&mut self, index: Register, table: usize) {
        let at = layout::SWITCHES + 8 * table as i32;
        let entry = MemoryOperand::new(Register::None, index, 8, at.into(), 8, false, Register::GS);
        self.made(Instruction::with1(Code::Jmp_rm64, entry));
    }

    /// Goes on at the address in a field of the state.
    pub(crate) fn jump_to_field(&mut self, field: i32) {
        self.made(Instruction::with1(Code::Jmp_rm64, at(layout::STATE + field)));
    }

    pub(crate) fn quad(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn align(&mut self, to: usize) {
        while !(self.start as usize + self.bytes.len()).is_multiple_of(to) {
            self.bytes.push(0xcc);
        }
    }

    /// JMP, and where its displacement lies.
    pub(crate) fn jump(&mut self, to: Label) -> u32 {
        self.bytes.push(0xe9);
        self.displacement(to)
    }

    /// Jcc by the low four bits of its opcode.
    pub(crate) fn jump_if(&mut self, condition: u8, to: Label) -> u32 {
        self.bytes.extend_from_slice(&[0x0f, 0x80 | condition]);
        self.displacement(to)
    }

    /// JMP to code that lies in the cache already.
    pub(crate) fn jump_back(&mut self, to: u32) {
        let label = self.known(to);
        self.jump(label);
    }

    /// A label for code that lies in the cache already.
    pub(crate) fn known(&mut self, place: u32) -> Label {
        self.labels.push(Some(place));
        Label(self.labels.len() as u32 - 1)
    }

    fn displacement(&mut self, to: Label) -> u32 {
        let place = self.here();
        self.open.push((place, to));
        self.bytes.extend_from_slice(&[0; 4]);
        place
    }

    /// Where a label is.
    pub(crate) fn place(&self, label: Label) -> Option<u32> {
        self.labels[label.0 as usize]
    }

    /// The bytes, with all displacements; `None` if something could not be encoded.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        for (place, label) in std::mem::take(&mut self.open) {
            let to = self.place(label)?;
            let by = i64::from(to) - (i64::from(place) + 4);
            let at = (place - self.start) as usize;
            self.bytes[at..at + 4].copy_from_slice(&i32::try_from(by).ok()?.to_le_bytes());
        }
        (!self.refused).then_some(self.bytes)
    }
}
