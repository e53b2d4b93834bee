//! The vector registers of a thread whose signal handler runs: in memory, in the form of FXSAVE, where the handler may look at them
//! and change them (`arch/x86/include/uapi/asm/sigcontext.h`). The x87 unit is shown as empty.

use crate::cpu::Cpu;
use crate::hook::{HookContext, HookError};

/// Bytes of the area.
pub(super) const SIZE: u64 = 512;
/// Where the parts of the area are.
const CONTROL: u64 = 0;
const MXCSR: u64 = 24;
const VECTORS: u64 = 160;
/// What the x87 unit begins with.
const X87_CONTROL: u16 = 0x37f;
/// The bits of MXCSR that exist.
const MXCSR_BITS: u32 = 0xffff;

/// Writes the area, which is cleared before.
pub(super) fn save(cx: &mut HookContext<'_>, area: u64) -> Result<(), HookError> {
    cx.memory.write(area + CONTROL, X87_CONTROL.to_le_bytes())?;
    let mxcsr = u64::from(MXCSR_BITS) << 32 | u64::from(cx.cpu.mxcsr);
    cx.memory.write(area + MXCSR, mxcsr.to_le_bytes())?;
    for (register, n) in cx.cpu.ymm.into_iter().zip(0..) {
        cx.memory.write(area + VECTORS + 16 * n, register[0].to_le_bytes())?;
    }
    Ok(())
}

/// Takes what the handler has left in the area, and all else from the thread as it was.
pub(super) fn restore(cx: &mut HookContext<'_>, area: u64, before: &Cpu) -> Result<(), HookError> {
    let mut ymm = before.ymm;
    let mut mxcsr = before.mxcsr;
    if area != 0 {
        for (register, n) in ymm.iter_mut().zip(0..) {
            register[0] = u128::from_le_bytes(cx.memory.read(area.wrapping_add(VECTORS + 16 * n))?);
        }
        mxcsr = u32::from_le_bytes(cx.memory.read(area.wrapping_add(MXCSR))?) & MXCSR_BITS;
    }
    (cx.cpu.ymm, cx.cpu.mxcsr, cx.cpu.x87) = (ymm, mxcsr, before.x87);
    Ok(())
}
