//! Legacy prefixes of an instruction: which of them are shown, and the sizes that they select.
//!
//! A prefix that is part of the opcode, or whose effect is in the operands, is not shown. Of the others only the
//! last is shown; REP and REPNE are separate, as instructions of their own.

use core::fmt;

use iced_x86::{FlowControl, Instruction, OpKind};

/// The effects of an instruction's prefixes.
pub(super) struct Prefixes {
    /// Shown first: the empty text, `REP; ` or `REPNE; `.
    repeat: &'static str,
    /// Shown next: the empty text, or a word like `LOCK `.
    word: &'static str,
    /// The segment of the memory operand, if a prefix names one: `FS` or `GS`.
    pub(super) segment: Option<&'static str>,
    /// Size of operands in bits, from the prefixes alone: 16, 32 or 64.
    pub(super) operand_size: u32,
}

const OPERAND_SIZE: u8 = 0x66;
const ADDRESS_SIZE: u8 = 0x67;
const REX_W: u8 = 0x08;

impl Prefixes {
    /// Reads the prefixes at the head of `bytes`, from which `insn` was decoded.
    pub(super) fn scan(insn: &Instruction, bytes: &[u8]) -> Prefixes {
        let mut found = Prefixes { repeat: "", word: "", segment: None, operand_size: 32 };
        let count = bytes.iter().take_while(|&&byte| is_legacy(byte)).count();
        if bytes.get(count).is_some_and(|&byte| byte & 0xf0 == 0x40 && byte & REX_W != 0) {
            found.operand_size = 64;
        }
        if let Some(legacy) = bytes.get(..count).filter(|legacy| !legacy.is_empty()) {
            found.add_legacy(insn, legacy);
        }
        found
    }

    /// Writes the shown prefixes, each with the space after it.
    pub(super) fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if !self.repeat.is_empty() {
            out.write_str(self.repeat)?;
        }
        if !self.word.is_empty() {
            out.write_str(self.word)?;
        }
        Ok(())
    }

    fn add_legacy(&mut self, insn: &Instruction, legacy: &[u8]) {
        if legacy.contains(&OPERAND_SIZE) && self.operand_size != 64 {
            self.operand_size = 16;
        }
        let last_segment = legacy.iter().rposition(|byte| matches!(byte, 0x64 | 0x65));
        self.segment = last_segment.and_then(|at| legacy.get(at)).map(|&byte| segment_name(byte));
        let last_repeat = legacy.iter().rposition(|byte| matches!(byte, 0xf2 | 0xf3));
        let opcode_has_repeat = !insn.has_rep_prefix() && !insn.has_repne_prefix();
        let memory = has_memory(insn);
        let branch = insn.flow_control() == FlowControl::ConditionalBranch;
        for (at, &byte) in legacy.iter().enumerate() {
            match byte {
                0xf2 | 0xf3 if opcode_has_repeat && Some(at) == last_repeat => {}
                0xf2 => self.repeat = "REPNE; ",
                0xf3 => self.repeat = "REP; ",
                0x64 | 0x65 if memory && Some(at) == last_segment => {}
                0x64 | 0x65 => self.word = if byte == 0x64 { "FS " } else { "GS " },
                0x2e => self.word = if branch { "PN " } else { "CS " },
                0x3e => self.word = if branch { "PT " } else { "DS " },
                0x26 => self.word = "ES ",
                0x36 => self.word = "SS ",
                0xf0 => self.word = "LOCK ",
                // A size is never shown, but hides the prefix before it.
                _ => self.word = "",
            }
        }
    }
}

fn is_legacy(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | OPERAND_SIZE | ADDRESS_SIZE | 0xf0 | 0xf2 | 0xf3)
}

fn segment_name(byte: u8) -> &'static str {
    if byte == 0x64 { "FS" } else { "GS" }
}

/// Whether an operand is memory that a segment prefix can address.
fn has_memory(insn: &Instruction) -> bool {
    insn.op_kinds().any(|kind| {
        matches!(
            kind,
            OpKind::Memory
                | OpKind::MemorySegSI
                | OpKind::MemorySegESI
                | OpKind::MemorySegRSI
                | OpKind::MemorySegDI
                | OpKind::MemorySegEDI
                | OpKind::MemorySegRDI
        )
    })
}
