//! Indexes and slices out of range: what compiled code passes to say so.
//!
//! Up to Go 1.12 nothing. From 1.13 to 1.25 there is a function for each case, and the compiler leaves two numbers in
//! registers of its choice (`runtime/asm_amd64.s`). Since 1.26 a table of the calling function tells where they are
//! (`internal/abi/bounds.go`).

use super::errors::{self, Bounds};
use crate::cpu::gpr;
use crate::hook::{HookContext, HookResult};

/// `panicindex()`: nothing is known.
pub(in crate::runtime) fn index_out_of_range(cx: &mut HookContext<'_>) -> HookResult {
    errors::plain(cx, "index out of range")
}

/// `panicslice()`
pub(in crate::runtime) fn slice_out_of_range(cx: &mut HookContext<'_>) -> HookResult {
    errors::plain(cx, "slice bounds out of range")
}

/// The functions of Go 1.13 to 1.25, without the `U` of those whose x is unsigned; the registers of x and y.
const CASES: [(&str, u8, u8); 9] = [
    ("panicIndex", gpr::RAX, gpr::RCX),
    ("panicSliceAlen", gpr::RCX, gpr::RDX),
    ("panicSliceAcap", gpr::RCX, gpr::RDX),
    ("panicSliceB", gpr::RAX, gpr::RCX),
    ("panicSlice3Alen", gpr::RDX, gpr::RBX),
    ("panicSlice3Acap", gpr::RDX, gpr::RBX),
    ("panicSlice3B", gpr::RCX, gpr::RDX),
    ("panicSlice3C", gpr::RAX, gpr::RCX),
    ("panicSliceConvert", gpr::RDX, gpr::RBX),
];

/// One of these functions.
pub(in crate::runtime) fn by_registers(cx: &mut HookContext<'_>) -> HookResult {
    let name = cx.func().and_then(|func| func.name().strip_prefix("runtime.")).unwrap_or_default();
    let (base, signed) = name.strip_suffix('U').map_or((name, true), |base| (base, false));
    let case = (0..).zip(CASES).find(|(_, (case, ..))| *case == base);
    let (code, (_, x, y)) = case.unwrap_or_default();
    let bounds = Bounds { x: cx.cpu.gpr(x), y: cx.cpu.gpr(y), signed, code };
    errors::bounds(cx, bounds)
}

/// `panicBounds()`: the call's value in a table of the calling function says where x and y are.
pub(in crate::runtime) fn encoded(cx: &mut HookContext<'_>) -> HookResult {
    let pc = cx.return_address()?.wrapping_sub(1);
    let table = cx.image.facts().pcdata.panic_bounds.and_then(|table| u32::try_from(table).ok());
    let value = table.and_then(|table| cx.image.func_at(pc)?.pcdata_value(table, pc));
    let value = value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
    let bounds = decode(value, |register| cx.cpu.gpr(register));
    errors::bounds(cx, bounds)
}

/// Code, whether x and y are in registers, whether x is signed; then four bits of register or five of constant each.
fn decode(value: u32, register: impl Fn(u8) -> u64) -> Bounds {
    const CODES: u32 = 9;
    let (code, rest) = ((value % CODES) as u8, value / CODES);
    let (x_in_register, y_in_register) = (rest & 1 != 0, rest & 2 != 0);
    let mut rest = rest >> 2;
    let mut signed = true;
    if x_in_register {
        signed = rest & 1 != 0;
        rest >>= 1;
    }
    let mut take = |in_register: bool| {
        let (bits, mask) = if in_register { (4, 0xf) } else { (5, 0x1f) };
        let number = rest & mask;
        rest >>= bits;
        if in_register { register(number as u8) } else { number.into() }
    };
    let x = take(x_in_register);
    Bounds { x, y: take(y_in_register), signed, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_x_and_y_are() {
        // As Go 1.26 compiles s[i]: i in DI, the length in BX.
        let bounds = decode(4023, |register| u64::from(register) + 100);
        assert_eq!(bounds, Bounds { x: 107, y: 103, signed: true, code: 0 });
    }
}
