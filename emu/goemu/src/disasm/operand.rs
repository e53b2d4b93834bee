//! Operands: registers, immediates, memory and branch targets, sources first.

use core::fmt::{self, Write};

use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind, Register};

use super::{Symbols, prefix::Prefixes};

/// Writes the operands of `insn`, each after a space or a comma and a space.
pub(super) fn write_all(
    out: &mut dyn Write,
    insn: &Instruction,
    prefixes: &Prefixes,
    symbols: &dyn Symbols,
) -> fmt::Result {
    let mut list = List { out, insn, prefixes, symbols, separator: " " };
    let count = insn.op_count();
    match insn.mnemonic() {
        Mnemonic::Int3 => list.text("$0x3"),
        // Comparisons read from left to right.
        Mnemonic::Cmp if !symbols.has_reversed_compares() => (0..count).try_for_each(|op| list.operand(op)),
        Mnemonic::Xlatb => list.separate().and_then(|()| list.string(None, "BX")),
        // The memory of these, and the top of the stack of the next, are implied.
        Mnemonic::Maskmovq | Mnemonic::Maskmovdqu | Mnemonic::Vmaskmovdqu => {
            (1..3).rev().try_for_each(|op| list.operand(op))
        }
        Mnemonic::Fcom | Mnemonic::Fcomp | Mnemonic::Fucom | Mnemonic::Fucomp | Mnemonic::Fxch => {
            list.operand(count.saturating_sub(1))
        }
        _ => {
            list.implicit()?;
            (0..count).rev().try_for_each(|op| list.operand(op))
        }
    }
}

/// A list of operands that is being written.
struct List<'a> {
    out: &'a mut dyn Write,
    insn: &'a Instruction,
    prefixes: &'a Prefixes,
    symbols: &'a dyn Symbols,
    separator: &'static str,
}

impl List<'_> {
    fn text(&mut self, text: &str) -> fmt::Result {
        self.separate()?;
        self.out.write_str(text)
    }

    fn separate(&mut self) -> fmt::Result {
        let separator = core::mem::replace(&mut self.separator, ", ");
        self.out.write_str(separator)
    }

    /// Operands that are written although the encoding does not have them.
    fn implicit(&mut self) -> fmt::Result {
        match self.insn.mnemonic() {
            Mnemonic::Sha256rnds2 | Mnemonic::Blendvpd | Mnemonic::Blendvps | Mnemonic::Pblendvb => {
                self.text("X0")
            }
            _ => Ok(()),
        }
    }

    fn operand(&mut self, op: u32) -> fmt::Result {
        // The mask of EVEX stands before the destination.
        if op == 0 && self.insn.has_op_mask() {
            self.separate()?;
            write_register(self.out, self.insn.op_mask())?;
        }
        self.separate()?;
        match self.insn.op_kind(op) {
            OpKind::Register => write_register(self.out, self.insn.op_register(op)),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
                self.target(self.insn.near_branch_target())
            }
            OpKind::Memory => self.memory(),
            OpKind::MemorySegSI | OpKind::MemorySegESI | OpKind::MemorySegRSI => self.string(None, "SI"),
            OpKind::MemorySegDI | OpKind::MemorySegEDI | OpKind::MemorySegRDI => self.string(None, "DI"),
            OpKind::MemoryESDI | OpKind::MemoryESEDI | OpKind::MemoryESRDI => self.string(Some("ES"), "DI"),
            _ => self.immediate(op),
        }
    }

    /// Memory that a string instruction addresses by itself.
    fn string(&mut self, segment: Option<&'static str>, base: &str) -> fmt::Result {
        let segment = segment.or(self.prefixes.segment).unwrap_or("DS");
        write!(self.out, "{segment}:0({base})")
    }

    /// The target of a branch: the name of the symbol that starts there, or its address.
    fn target(&mut self, target: u64) -> fmt::Result {
        if self.insn.ip() == 0 {
            let offset = target.wrapping_sub(self.insn.next_ip()).cast_signed();
            return write!(self.out, ".{offset:+}");
        }
        match self.symbols.symbol(target) {
            Some((name, start)) if start == target => {
                self.out.write_str(name)?;
                self.out.write_str("(SB)")
            }
            _ => write!(self.out, "{target:#x}"),
        }
    }

    fn immediate(&mut self, op: u32) -> fmt::Result {
        let value = self.immediate_value(op);
        let names_symbols = matches!(self.insn.mnemonic(), Mnemonic::Mov | Mnemonic::Push)
            && self.prefixes.operand_size == 32;
        self.out.write_str("$")?;
        if names_symbols && self.symbol(value.cast_unsigned())? {
            return Ok(());
        }
        if i32::try_from(value).is_ok() {
            write_signed_hex(self.out, value)
        } else {
            write!(self.out, "{value:#x}")
        }
    }

    /// The value of an immediate: a byte that is not extended, and a count of bytes on the stack, are
    /// unsigned.
    fn immediate_value(&self, op: u32) -> i64 {
        let insn = self.insn;
        let stack = matches!(insn.mnemonic(), Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Enter);
        match insn.op_kind(op) {
            OpKind::Immediate8 => i64::from(insn.immediate8()),
            OpKind::Immediate8_2nd => i64::from(insn.immediate8_2nd()),
            OpKind::Immediate16 if stack => i64::from(insn.immediate16()),
            OpKind::Immediate16 => i64::from(insn.immediate16().cast_signed()),
            OpKind::Immediate32 => i64::from(insn.immediate32().cast_signed()),
            OpKind::Immediate64 => insn.immediate64().cast_signed(),
            OpKind::Immediate8to16 => i64::from(insn.immediate8to16()),
            OpKind::Immediate8to32 => i64::from(insn.immediate8to32()),
            OpKind::Immediate8to64 => insn.immediate8to64(),
            OpKind::Immediate32to64 => insn.immediate32to64(),
            _ => 0,
        }
    }

    /// Writes the symbol that contains `address`, and the distance from its start; false if there is none.
    fn symbol(&mut self, address: u64) -> Result<bool, fmt::Error> {
        let Some((name, start)) = self.symbols.symbol(address) else { return Ok(false) };
        self.out.write_str(name)?;
        match address.wrapping_sub(start).cast_signed() {
            0 => {}
            offset => write!(self.out, "{offset:+}")?,
        }
        self.out.write_str("(SB)")?;
        Ok(true)
    }

    fn memory(&mut self) -> fmt::Result {
        let insn = self.insn;
        let displacement = self.displacement();
        if let Some(address) = self.named_address(displacement)
            && self.symbol(address)?
        {
            return Ok(());
        }
        if let Some(segment) = self.prefixes.segment {
            self.out.write_str(segment)?;
            self.out.write_str(":")?;
        }
        match displacement {
            0 => self.out.write_str("0")?,
            _ => write_signed_hex(self.out, displacement)?,
        }
        if insn.memory_base() != Register::None {
            self.out.write_str("(")?;
            write_register(self.out, insn.memory_base())?;
            self.out.write_str(")")?;
        }
        if insn.memory_index() != Register::None {
            self.out.write_str("(")?;
            write_register(self.out, insn.memory_index())?;
            self.out.write_str(match insn.memory_index_scale() {
                1 => "*1)",
                2 => "*2)",
                4 => "*4)",
                _ => "*8)",
            })?;
        }
        Ok(())
    }

    /// The address of a memory operand that a symbol may contain: relative to IP, or absolute.
    fn named_address(&self, displacement: i64) -> Option<u64> {
        let insn = self.insn;
        if self.prefixes.segment.is_some() || displacement == 0 {
            return None;
        }
        if insn.is_ip_rel_memory_operand() {
            return Some(insn.next_ip().wrapping_add_signed(displacement));
        }
        holds_address(insn).then_some(displacement.cast_unsigned())
    }

    /// The displacement as it is shown: 32 bits are unsigned in legacy instructions.
    fn displacement(&self) -> i64 {
        let insn = self.insn;
        let mut displacement = insn.memory_displacement64();
        if insn.is_ip_rel_memory_operand() {
            displacement = displacement.wrapping_sub(insn.next_ip());
        }
        if holds_address(insn) {
            return displacement.cast_signed();
        }
        #[expect(clippy::cast_possible_truncation, reason = "what instructions hold has 32 bits")]
        let displacement = displacement as u32;
        let unsigned = insn.code().encoding() == EncodingKind::Legacy && insn.memory_displ_size() >= 4;
        if unsigned { i64::from(displacement) } else { i64::from(displacement.cast_signed()) }
    }
}

/// Whether `insn` is a form of MOV with an absolute address and no ModRM byte.
fn holds_address(insn: &Instruction) -> bool {
    use Code as C;
    matches!(
        insn.code(),
        C::Mov_AL_moffs8
            | C::Mov_AX_moffs16
            | C::Mov_EAX_moffs32
            | C::Mov_RAX_moffs64
            | C::Mov_moffs8_AL
            | C::Mov_moffs16_AX
            | C::Mov_moffs32_EAX
            | C::Mov_moffs64_RAX
    )
}

fn write_signed_hex(out: &mut dyn Write, value: i64) -> fmt::Result {
    if value < 0 { write!(out, "-{:#x}", value.unsigned_abs()) } else { write!(out, "{value:#x}") }
}

/// Writes the name of a register: that of the whole register, except for the second bytes (`AH`).
fn write_register(out: &mut dyn Write, register: Register) -> fmt::Result {
    const GENERAL: [&str; 16] = [
        "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
    ];
    let number = register.number();
    let file = match register {
        Register::AL => return out.write_str("AL"),
        Register::CL => return out.write_str("CL"),
        Register::DL => return out.write_str("DL"),
        Register::BL => return out.write_str("BL"),
        Register::AH => return out.write_str("AH"),
        Register::CH => return out.write_str("CH"),
        Register::DH => return out.write_str("DH"),
        Register::BH => return out.write_str("BH"),
        Register::RIP | Register::EIP => return out.write_str("IP"),
        // The numbers of byte registers count the second bytes.
        _ if register.is_gpr8() => {
            return out.write_str(GENERAL.get(number.saturating_sub(4)).copied().unwrap_or("?"));
        }
        _ if register.is_gpr() => return out.write_str(GENERAL.get(number).copied().unwrap_or("?")),
        _ if register.is_xmm() => 'X',
        _ if register.is_ymm() => 'Y',
        _ if register.is_zmm() => 'Z',
        _ if register.is_k() => 'K',
        _ if register.is_mm() => 'M',
        _ if register.is_st() => 'F',
        _ => return write!(out, "{register:?}"),
    };
    out.write_char(file)?;
    if number >= 10 {
        out.write_char(digit(number / 10))?;
    }
    out.write_char(digit(number % 10))
}

fn digit(value: usize) -> char {
    u32::try_from(value).ok().and_then(|value| char::from_digit(value, 10)).unwrap_or('?')
}
