//! Which calling convention a function has.
//!
//! Up to Go 1.16 there is one, on the stack. Since 1.17:
//!
//! 1. Code that the compiler made from Go source takes its arguments in registers (ABIInternal).
//! 2. A function of assembly has the convention that its source gives it, normally ABI0. When Go code calls
//!    it, the compiler writes a wrapper with the same name and the other convention, so the table has two
//!    functions of one name, of which the one with the function ID *wrapper* is the wrapper. The other way
//!    round, Go functions that assembly calls have a wrapper with ABI0.
//! 3. What a wrapper's convention is shows before it calls its twin: to go from ABI0 to ABIInternal it has to
//!    clear X15 first.
//! 4. A function of assembly without a wrapper, if Go code calls it at all, is ABIInternal (`memmove`,
//!    `memequal`), but the runtime's own entry points and stack switches are ABI0.
//!
//! The rules need only what stripping leaves. Symbol tables agree: of two functions with one name they call
//! the one with ABI0 `name.abi0`.

use std::collections::HashMap;

use crate::bytes;
use crate::func::{Func, FuncId};
use crate::gotype::Abi;
use crate::image::Image;

/// The wrappers of an image: offset of the name, index of the function.
pub(crate) type Wrappers = HashMap<u32, u32>;

/// `XORPS X15, X15`: ABIInternal wants X15 to be zero.
const CLEAR_X15: &[u8] = &[0x45, 0x0f, 0x57, 0xff];

/// `CALL rel32`
const CALL: u8 = 0xe8;

/// Wrappers are short.
const MAX_WRAPPER: u64 = 4096;

impl<'i> Func<'i> {
    /// Its calling convention. This module's documentation has the rules.
    pub fn abi(&self) -> Abi {
        if !self.image.facts().register_abi() {
            return Abi::Abi0;
        }
        if self.is_asm() {
            return match self.wrapper() {
                Some(wrapper) => other(wrapper.wrapper_abi(self.entry())),
                None if self.is_runtime_entry() => Abi::Abi0,
                None => Abi::Internal,
            };
        }
        if self.func_id() != FuncId::Wrapper {
            return Abi::Internal;
        }
        match self.twin() {
            Some(twin) => self.wrapper_abi(twin.entry()),
            None => Abi::Internal,
        }
    }

    /// The wrapper of this function, if it has one.
    fn wrapper(&self) -> Option<Func<'i>> {
        let index = *self.image.wrappers().get(&self.name_offset()?)?;
        Some(Func::new(self.image, index)).filter(|wrapper| wrapper != self)
    }

    /// The function that this wrapper calls and shares its name with.
    fn twin(&self) -> Option<Func<'i>> {
        let name = self.name_offset()?;
        let mut named = self.image.funcs().filter(|func| func.name_offset() == Some(name));
        named.find(|func| func != self)
    }

    /// The convention of this wrapper around the function at `twin`.
    fn wrapper_abi(&self, twin: u64) -> Abi {
        let (entry, len) = (self.entry(), self.end().saturating_sub(self.entry()).min(MAX_WRAPPER));
        let code = usize::try_from(len).ok().and_then(|len| self.image.bytes(entry, len)).unwrap_or_default();
        let calls_twin = |offset: usize| {
            let operand = bytes::u32(code, offset as u64 + 1)?.cast_signed();
            let next = entry.checked_add(offset as u64 + 5)?;
            Some(next.wrapping_add_signed(operand.into()) == twin)
        };
        let calls = code.iter().enumerate().filter(|(_, byte)| **byte == CALL).map(|(offset, _)| offset);
        let call = calls.into_iter().find(|offset| calls_twin(*offset) == Some(true)).unwrap_or(code.len());
        let before = code.get(..call).unwrap_or_default();
        if bytes::find(before, CLEAR_X15).is_some() { Abi::Abi0 } else { Abi::Internal }
    }

    /// Whether it is one of the runtime's assembly functions that only assembly or the compiler's stack
    /// checks call, all ABI0 (`runtime/asm_amd64.s`, `runtime/rt0_*.s`).
    fn is_runtime_entry(&self) -> bool {
        use FuncId::{Asmcgocall, AsyncPreempt, Cgocallback, Goexit, Gogo, Morestack, Mstart, Rt0Go};
        let name = self.name();
        matches!(
            self.func_id(),
            AsyncPreempt | Asmcgocall | Cgocallback | Goexit | Gogo | Morestack | Mstart | Rt0Go
        ) || ["runtime.morestack", "runtime.call", "_rt0_"].iter().any(|prefix| name.starts_with(prefix))
    }
}

fn other(abi: Abi) -> Abi {
    match abi {
        Abi::Abi0 => Abi::Internal,
        Abi::Internal => Abi::Abi0,
    }
}

/// Finds the wrappers of an image.
pub(crate) fn wrappers(image: &Image) -> Wrappers {
    let wrappers = image.funcs().filter(|func| func.func_id() == FuncId::Wrapper);
    wrappers.filter_map(|func| Some((func.name_offset()?, func.index()))).collect()
}
