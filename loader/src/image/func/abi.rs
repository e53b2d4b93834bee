//! Which calling convention a function has.
//!
//! Up to Go 1.16 there is one, on the stack. Since 1.17:
//!
//! 1. Code that the compiler made from Go source takes its arguments in registers (ABIInternal).
//! 2. Assembly takes them on the stack (ABI0), except for the functions of the runtime in `INTERNAL_ASM`;
//!    the assembler refuses ABIInternal outside of the runtime.
//! 3. Where code of one convention calls code of the other through a pointer or from another package, the
//!    compiler makes a wrapper, a function of the same name with the function ID *wrapper*. One that starts
//!    in ABI0 has to clear X15 before it calls its twin, one that starts in ABIInternal after.
//!
//! The rules need only what stripping leaves. Symbol tables agree: they call ABI0 functions `name.abi0` where
//! an ABIInternal function of that name was compiled.

use crate::bytes;
use crate::gotype::Abi;
use crate::image::func::{Func, FuncId};

/// Assembly with ABIInternal: `TEXT name<ABIInternal>` in the amd64 sources of Go 1.17 to 1.27. Compiled code
/// calls some of them with conventions of their own, which are nearer to it than to ABI0.
const INTERNAL_ASM: [&str; 20] = [
    "internal/bytealg.Compare",
    "internal/chacha8rand.block",
    "internal/runtime/maps.checkMasksAndShiftsAlignment",
    "runtime.cmpstring",
    "runtime.debugCallV2",
    "runtime.duffcopy",
    "runtime.duffzero",
    "runtime.getfp",
    "runtime.mcall",
    "runtime.memclrNoHeapPointers",
    "runtime.memequal",
    "runtime.memequal_varlen",
    "runtime.memmove",
    "runtime.raceread",
    "runtime.racewrite",
    "runtime.rt0_lib_go",
    "runtime.strhash",
    "runtime.switchToCrashStack0",
    "runtime.vgetrandom1",
    "time.now",
];

/// Beginnings of the names of families of such functions.
const INTERNAL_ASM_FAMILIES: [&str; 10] = [
    "internal/runtime/maps.memHash",
    "internal/runtime/syscall.Syscall6",
    "internal/runtime/syscall/linux.Syscall6",
    "runtime.gcWriteBarrier",
    "runtime.memhash",
    "runtime.panicBounds",
    "runtime.panicExtend",
    "runtime.panicIndex",
    "runtime.panicSlice",
    "runtime/internal/syscall.Syscall6",
];

/// `XORPS X15, X15`: ABIInternal wants X15 to be zero.
const CLEAR_X15: &[u8] = &[0x45, 0x0f, 0x57, 0xff];

/// `CALL rel32`, and `JMP rel32`, with which wrappers without arguments end.
const CALLS: [u8; 2] = [0xe8, 0xe9];

/// Wrappers are short.
const MAX_WRAPPER: u64 = 4096;

impl Func<'_> {
    /// Its calling convention: ABI0 for everything up to Go 1.16; since then ABIInternal for compiled code,
    /// ABI0 for assembly other than some of the runtime's and for wrappers that let assembly call Go.
    pub fn abi(&self) -> Abi {
        if !self.image.facts().register_abi() {
            return Abi::Abi0;
        }
        match self.func_id() {
            FuncId::Wrapper if self.clears_x15_before_its_twin() == Some(true) => Abi::Abi0,
            _ if self.is_asm() && !is_internal_asm(self.name()) => Abi::Abi0,
            _ => Abi::Internal,
        }
    }

    /// Whether this wrapper enters ABIInternal before it calls a function of its own name; none if it calls
    /// none, as wrappers of methods.
    fn clears_x15_before_its_twin(&self) -> Option<bool> {
        let (entry, len) = (self.entry(), self.end().saturating_sub(self.entry()).min(MAX_WRAPPER));
        let code = self.image.bytes(entry, usize::try_from(len).ok()?)?;
        let calls_twin = |offset: &usize| {
            self.call_target(code, *offset).is_some_and(|twin| twin != *self && twin.name() == self.name())
        };
        let calls = code.iter().enumerate().filter(|(_, byte)| CALLS.contains(byte));
        let mut calls = calls.map(|(offset, _)| offset);
        let before = code.get(..calls.find(calls_twin)?)?;
        Some(bytes::find(before, CLEAR_X15).is_some())
    }

    /// The function that a call or jump at this offset of the function's code would call.
    fn call_target(&self, code: &[u8], offset: usize) -> Option<Self> {
        let displacement = bytes::u32(code, offset as u64 + 1)?.cast_signed();
        let next = self.entry().checked_add(offset as u64 + 5)?;
        let target = next.checked_add_signed(displacement.into())?;
        self.image.func_at(target).filter(|func| func.entry() == target)
    }
}

fn is_internal_asm(name: &str) -> bool {
    INTERNAL_ASM.contains(&name) || INTERNAL_ASM_FAMILIES.iter().any(|family| name.starts_with(family))
}
