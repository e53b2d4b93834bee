//! The signals that the kernel sends for faults (`arch/x86/kernel/traps.c`, `arch/x86/mm/fault.c`).

use super::Kernel;
use super::signal::{self, Info};
use crate::cpu::Cpu;
use crate::exit::{Fault, FaultKind};
use crate::hook::{HookContext, HookError};
use crate::memory::{Cause, MemFault};

const SIGILL: usize = 4;
const SIGTRAP: usize = 5;
const SIGFPE: usize = 8;
const SIGSEGV: usize = 11;

/// `si_code` where the kernel has no better one: `SI_KERNEL`.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const ILL_ILLOPN: i32 = 2;
const FPE_INTDIV: i32 = 1;

/// Numbers of exceptions: Intel's manual, volume 3, table 6-1.
mod exception {
    pub(super) const DIVIDE: u64 = 0;
    pub(super) const BREAKPOINT: u64 = 3;
    pub(super) const INVALID: u64 = 6;
    pub(super) const PROTECTION: u64 = 13;
    pub(super) const PAGE: u64 = 14;
    pub(super) const FLOAT: u64 = 19;
}

/// Starts the program's own handler for a fault of the running thread. Whether it has one, and does not block the signal.
pub(super) fn send(kernel: &mut Kernel, cx: &mut HookContext<'_>, fault: &Fault) -> Result<bool, HookError> {
    let Some((number, info)) = of(fault, cx.cpu) else { return Ok(false) };
    let blocked = kernel.threads.running().signals.holds(number as u64);
    if blocked || !kernel.threads.signals.has_handler(number) {
        return Ok(false);
    }
    if fault.kind == FaultKind::Breakpoint {
        cx.cpu.rip = fault.pc.wrapping_add(size_of_breakpoint(cx, fault.pc)?);
    }
    signal::start_handler(kernel, cx, number, info).map(|()| true)
}

/// The signal of a fault, and what its handler is told. `None` for what is no fault of the program's: limits, and instructions
/// that goemu does not have.
fn of(fault: &Fault, cpu: &Cpu) -> Option<(usize, Info)> {
    let info = |code, address, exception| Info { code, address, exception };
    match fault.kind {
        FaultKind::Memory(MemFault { cause: Cause::Limit, .. }) | FaultKind::Unsupported(_) => None,
        FaultKind::Memory(memory) if !is_canonical(memory.addr) => {
            Some((SIGSEGV, info(SI_KERNEL, 0, exception::PROTECTION)))
        }
        FaultKind::Memory(MemFault { addr, cause, .. }) => {
            let code = if matches!(cause, Cause::Unmapped) { SEGV_MAPERR } else { SEGV_ACCERR };
            Some((SIGSEGV, info(code, addr, exception::PAGE)))
        }
        FaultKind::Divide => Some((SIGFPE, info(FPE_INTDIV, fault.pc, exception::DIVIDE))),
        FaultKind::Invalid => Some((SIGILL, info(ILL_ILLOPN, fault.pc, exception::INVALID))),
        FaultKind::Protection => Some((SIGSEGV, info(SI_KERNEL, 0, exception::PROTECTION))),
        FaultKind::Float => Some((SIGFPE, info(float_code(cpu.mxcsr), fault.pc, exception::FLOAT))),
        FaultKind::Breakpoint => Some((SIGTRAP, info(SI_KERNEL, 0, exception::BREAKPOINT))),
    }
}

/// Whether bits 47 to 63 of an address are equal.
fn is_canonical(address: u64) -> bool {
    matches!((address as i64) >> 47, 0 | -1)
}

/// `si_code` of the first exception that is flagged and not masked (`fpu__exception_code`).
fn float_code(mxcsr: u32) -> i32 {
    let raised = !(mxcsr >> 7) & mxcsr;
    let codes = [(1 << 0, 7), (1 << 2, 3), (1 << 3, 4), (1 << 4 | 1 << 1, 5), (1 << 5, 6)];
    codes.iter().find(|(flags, _)| raised & flags != 0).map_or(0, |(_, code)| *code)
}

/// Bytes of `INT3`, or of `INT 3`. The handler sees the address after it.
fn size_of_breakpoint(cx: &HookContext<'_>, pc: u64) -> Result<u64, HookError> {
    const INT3: u8 = 0xcc;
    let [first]: [u8; 1] = cx.memory.read(pc)?;
    Ok(if first == INT3 { 1 } else { 2 })
}
