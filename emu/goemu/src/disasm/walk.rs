//! Linear decoding of code.

use goemu_loader::Func;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

/// One instruction of a [`Walk`], or one byte that starts none.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// The instruction at its address; invalid ([`Instruction::is_invalid`]) if there is none.
    pub insn: Instruction,
    /// Its bytes; one byte if there is no instruction.
    pub bytes: &'a [u8],
}

/// Decodes code linearly, as a disassembler does: a byte that starts no instruction is skipped alone.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    code: &'a [u8],
    address: u64,
    size: usize,
    offset: usize,
}

impl<'a> Walk<'a> {
    /// Walks over the first `size` bytes of `code`, which lies at `address`.
    ///
    /// `code` may be longer: the last instruction may end after them.
    #[must_use]
    pub fn new(code: &'a [u8], address: u64, size: usize) -> Walk<'a> {
        Walk { code, address, size: size.min(code.len()), offset: 0 }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Decoded<'a>;

    fn next(&mut self) -> Option<Decoded<'a>> {
        let rest = self.code.get(self.offset..).filter(|_| self.offset < self.size)?;
        let address = self.address.wrapping_add(self.offset as u64);
        let insn = Decoder::with_ip(64, rest, address, DecoderOptions::NONE).decode();
        let len = if insn.is_invalid() { 1 } else { insn.len() };
        self.offset = self.offset.saturating_add(len);
        Some(Decoded { insn, bytes: rest.get(..len)? })
    }
}

/// A function's instructions.
pub(crate) fn code_of(func: &Func<'_>) -> Vec<Instruction> {
    let size = func.end().saturating_sub(func.entry());
    let size = usize::try_from(size).unwrap_or(0);
    let code = func.image().bytes(func.entry(), size).unwrap_or_default();
    Walk::new(code, func.entry(), size).map(|decoded| decoded.insn).collect()
}

/// A function's instructions that go on so.
pub(crate) fn instructions(func: &Func<'_>, flow: FlowControl) -> Vec<Instruction> {
    code_of(func).into_iter().filter(|insn| insn.flow_control() == flow).collect()
}
