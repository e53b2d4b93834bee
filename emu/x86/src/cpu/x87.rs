//! The x87 unit's registers: a stack of eight, control, status. Intel SDM volume 1, chapter 8.

use crate::alu::float::F80;

/// The x87 unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X87 {
    /// Control word: masks, precision, rounding.
    pub control: u16,
    /// Status word: exceptions, condition codes, the top of the stack.
    pub status: u16,
    /// One bit a physical register: set where it holds a value.
    pub tags: u8,
    /// Physical registers; the status word has the number of the stack's top.
    pub registers: [F80; 8],
}

impl Default for X87 {
    fn default() -> X87 {
        X87 { control: 0x37f, status: 0, tags: 0, registers: [F80::default(); 8] }
    }
}

impl X87 {
    /// Condition code 0.
    pub const C0: u16 = 1 << 8;
    /// Condition code 1: rounded up, or the direction of a stack fault.
    pub const C1: u16 = 1 << 9;
    /// Condition code 2.
    pub const C2: u16 = 1 << 10;
    /// Condition code 3.
    pub const C3: u16 = 1 << 14;
    /// Invalid operation on the stack: overflow or underflow.
    pub const STACK_FAULT: u16 = 0x41;

    /// Exception summary: one that is not masked waits to be raised.
    pub const SUMMARY: u16 = 1 << 7;
    /// Busy: on the 8087 that the unit was busy, now the same as [`X87::SUMMARY`].
    const BUSY: u16 = 1 << 15;
    /// All six exceptions, in the status word as flags, in the control word as masks.
    pub const EXCEPTIONS: u16 = 0x3f;
    /// The bits of the control word that can be set.
    const CONTROL: u16 = 0x1f3f;

    /// Records exceptions, and returns those that are not masked. The next waiting instruction raises these.
    pub fn raise(&mut self, exceptions: u16) -> u16 {
        self.status |= exceptions;
        self.summarize();
        exceptions & X87::EXCEPTIONS & !self.control
    }

    /// Brings the summary up to date with flags and masks.
    pub fn summarize(&mut self) {
        let waits = self.status & X87::EXCEPTIONS & !self.control != 0;
        self.status &= !(X87::SUMMARY | X87::BUSY);
        if waits {
            self.status |= X87::SUMMARY | X87::BUSY;
        }
    }

    /// Loads the control word: bit 6 always reads as one; what is above the infinity bit does not exist.
    pub fn set_control(&mut self, control: u16) {
        self.control = control & X87::CONTROL | 0x40;
        self.summarize();
    }

    /// Resets everything but the registers' values.
    pub fn reset(&mut self) {
        let registers = self.registers;
        *self = X87 { registers, ..X87::default() };
    }

    /// The MMX register `n`: the significand of a physical register.
    pub fn mm(&self, n: u8) -> u64 {
        self.registers[usize::from(n & 7)].significand
    }

    /// Sets an MMX register: as a number, it is a NaN.
    pub fn set_mm(&mut self, n: u8, significand: u64) {
        self.registers[usize::from(n & 7)] = F80 { exponent: 0xffff, significand };
    }

    /// What every MMX instruction does to the stack: its top is register 0, and all registers are full.
    pub fn enter_mmx(&mut self) {
        self.status &= !(7 << 11);
        self.tags = 0xff;
    }

    /// Number of the physical register that ST(i) is.
    pub fn slot(&self, i: u8) -> usize {
        usize::from(((self.status >> 11) as u8).wrapping_add(i) & 7)
    }

    /// Whether ST(i) holds a value.
    pub fn holds(&self, i: u8) -> bool {
        self.tags >> self.slot(i) & 1 != 0
    }

    /// What ST(i) holds, valid or not.
    pub fn peek(&self, i: u8) -> F80 {
        self.registers[self.slot(i)]
    }

    /// Sets ST(i).
    pub fn set(&mut self, i: u8, value: F80) {
        let slot = self.slot(i);
        self.registers[slot] = value;
        self.tags |= 1 << slot;
    }

    /// Empties ST(i).
    pub fn free(&mut self, i: u8) {
        self.tags &= !(1 << self.slot(i));
    }

    /// Moves the top of the stack: by 1 to pop, by 7 to push.
    pub fn turn(&mut self, by: u16) {
        let top = (self.status >> 11).wrapping_add(by) & 7;
        self.status = self.status & !(7 << 11) | top << 11;
    }

    /// Replaces all condition codes.
    pub fn set_conditions(&mut self, codes: u16) {
        self.status = self.status & !(X87::C0 | X87::C1 | X87::C2 | X87::C3) | codes;
    }

    /// Replaces condition code 1.
    pub fn set_c1(&mut self, set: bool) {
        self.status = if set { self.status | X87::C1 } else { self.status & !X87::C1 };
    }
}
