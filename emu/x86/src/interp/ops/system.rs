//! Instructions that leave the engine: SYSCALL HLT INT UD2 RDPMC, and those that this processor does not have.

use iced_x86::{Instruction, Mnemonic};

use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Handler, Step};

fn trap(kind: TrapKind) -> Step {
    Err(Trap::new(kind))
}

/// Bytes that are no instruction, and instructions without a row in the table.
pub(crate) fn missing(insn: &Instruction) -> Handler {
    if insn.is_invalid() {
        return |_, _, _| trap(TrapKind::Invalid);
    }
    if insn.op_code().is_privileged() {
        return |_, _, _| trap(TrapKind::Protection);
    }
    |_, _, _| trap(TrapKind::Unsupported)
}

/// A guarded instruction.
pub(crate) fn guarded() -> Handler {
    |_, _, _| trap(TrapKind::Guarded)
}

/// Instructions that always trap.
pub(crate) fn leaves(insn: &Instruction) -> Option<Handler> {
    match insn.mnemonic() {
        Mnemonic::Syscall => Some(|_, _, _| trap(TrapKind::Syscall)),
        Mnemonic::Hlt => Some(|_, _, _| trap(TrapKind::Halt)),
        Mnemonic::Int1 | Mnemonic::Int3 => Some(|_, _, _| trap(TrapKind::Breakpoint)),
        Mnemonic::Int if insn.immediate8() == 3 => Some(|_, _, _| trap(TrapKind::Breakpoint)),
        // The system calls of 32-bit programs.
        Mnemonic::Int if insn.immediate8() == 0x80 => Some(|_, _, _| trap(TrapKind::Unsupported)),
        Mnemonic::Int | Mnemonic::Rdpmc => Some(|_, _, _| trap(TrapKind::Protection)),
        Mnemonic::Ud2 | Mnemonic::Ud0 | Mnemonic::Ud1 => Some(|_, _, _| trap(TrapKind::Invalid)),
        _ => None,
    }
}
