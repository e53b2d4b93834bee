//! Rows of the vector instructions with three sources.

use iced_x86::Mnemonic as M;

use super::Pick;
use crate::alu::float::{Float, Mxcsr, fused as multiply_add, host, negated};
use crate::alu::simd::{self, Element, each, first, with_first};
use crate::interp::ops::packed::Load;
use crate::interp::ops::triple::{Triple, blended, fused};

/// `|a, b, c, env| …` on whole lanes; before it the bytes of a memory operand, where it is not a lane.
macro_rules! triple {
    ($shape:ident, $lane:expr) => {
        triple!($shape, 16, $lane)
    };
    ($shape:ident $(, on $host:ident)?, $bytes:literal, $lane:expr) => {{
        struct Row;
        impl Triple for Row {
            type Mem = Load<$bytes>;
            fn apply(a: u128, b: u128, c: u128, env: &mut Mxcsr) -> u128 {
                let lane: fn(u128, u128, u128, &mut Mxcsr) -> u128 = $lane;
                lane(a, b, c, env)
            }
        }
        $shape::<Row $(, host::$host)?>
    }};
}

/// Rows of all four types of one operation: packed and scalar, single and double.
macro_rules! fused_rows {
    ($mnemonic:expr; $($form:ident $signs:ident: $ps:ident $pd:ident $ss:ident $sd:ident;)*) => {
        match $mnemonic {
            $(
                M::$ps => triple!(fused, on $ps, 16, |a, b, c, env| packed::<u32>($form(a, b, c), $signs, env)),
                M::$pd => triple!(fused, on $pd, 16, |a, b, c, env| packed::<u64>($form(a, b, c), $signs, env)),
                M::$ss => triple!(fused, on $ss, 4, |a, b, c, env| scalar::<u32>(c, $form(a, b, c), $signs, env)),
                M::$sd => triple!(fused, on $sd, 8, |a, b, c, env| scalar::<u64>(c, $form(a, b, c), $signs, env)),
            )*
            _ => return None,
        }
    };
}

/// Rows of the operations that alternate between sum and difference: packed only.
macro_rules! alternating_rows {
    ($mnemonic:expr; $($form:ident $signs:ident: $ps:ident $pd:ident;)*) => {
        match $mnemonic {
            $(
                M::$ps => triple!(fused, on $ps, 16, |a, b, c, env| packed::<u32>($form(a, b, c), $signs, env)),
                M::$pd => triple!(fused, on $pd, 16, |a, b, c, env| packed::<u64>($form(a, b, c), $signs, env)),
            )*
            _ => return None,
        }
    };
}

/// Multiplicand, multiplier and addend, in the order in which their NaNs win.
type Operands = [u128; 3];

/// First times third plus second operand; `a`, `b`, `c` are the second, third and first.
fn form132(a: u128, b: u128, c: u128) -> Operands {
    [c, b, a]
}

/// Second times first plus third operand.
fn form213(a: u128, b: u128, c: u128) -> Operands {
    [a, c, b]
}

/// Second times third plus first operand.
fn form231(a: u128, b: u128, c: u128) -> Operands {
    [a, b, c]
}

/// Whether the product and whether the addend of element `i` is negated.
type Signs = fn(usize) -> (bool, bool);

const MADD: Signs = |_| (false, false);
const MSUB: Signs = |_| (false, true);
const NMADD: Signs = |_| (true, false);
const NMSUB: Signs = |_| (true, true);
const MADDSUB: Signs = |i| (false, i % 2 == 0);
const MSUBADD: Signs = |i| (false, i % 2 == 1);

fn element<F: Float>([x, y, z]: [F; 3], (product, addend): (bool, bool), env: &mut Mxcsr) -> F {
    multiply_add(negated(x, product), y, negated(z, addend), env)
}

fn packed<F: Float + Element>(operands: Operands, signs: Signs, env: &mut Mxcsr) -> u128 {
    each(|i| element(operands.map(|lane| F::get(lane, i)), signs(i), env))
}

fn scalar<F: Float + Element>(rest: u128, operands: Operands, signs: Signs, env: &mut Mxcsr) -> u128 {
    with_first(rest, element::<F>(operands.map(first), signs(0), env))
}

/// Fused multiply-add.
#[rustfmt::skip]
pub(super) fn fma(mnemonic: M) -> Option<Pick> {
    Some(fused_rows! { mnemonic;
        form132 MADD: Vfmadd132ps Vfmadd132pd Vfmadd132ss Vfmadd132sd;
        form213 MADD: Vfmadd213ps Vfmadd213pd Vfmadd213ss Vfmadd213sd;
        form231 MADD: Vfmadd231ps Vfmadd231pd Vfmadd231ss Vfmadd231sd;
        form132 MSUB: Vfmsub132ps Vfmsub132pd Vfmsub132ss Vfmsub132sd;
        form213 MSUB: Vfmsub213ps Vfmsub213pd Vfmsub213ss Vfmsub213sd;
        form231 MSUB: Vfmsub231ps Vfmsub231pd Vfmsub231ss Vfmsub231sd;
        form132 NMADD: Vfnmadd132ps Vfnmadd132pd Vfnmadd132ss Vfnmadd132sd;
        form213 NMADD: Vfnmadd213ps Vfnmadd213pd Vfnmadd213ss Vfnmadd213sd;
        form231 NMADD: Vfnmadd231ps Vfnmadd231pd Vfnmadd231ss Vfnmadd231sd;
        form132 NMSUB: Vfnmsub132ps Vfnmsub132pd Vfnmsub132ss Vfnmsub132sd;
        form213 NMSUB: Vfnmsub213ps Vfnmsub213pd Vfnmsub213ss Vfnmsub213sd;
        form231 NMSUB: Vfnmsub231ps Vfnmsub231pd Vfnmsub231ss Vfnmsub231sd;
    })
}

/// Fused multiply, then sum and difference in turn.
#[rustfmt::skip]
pub(super) fn fma_alternating(mnemonic: M) -> Option<Pick> {
    Some(alternating_rows! { mnemonic;
        form132 MADDSUB: Vfmaddsub132ps Vfmaddsub132pd;
        form213 MADDSUB: Vfmaddsub213ps Vfmaddsub213pd;
        form231 MADDSUB: Vfmaddsub231ps Vfmaddsub231pd;
        form132 MSUBADD: Vfmsubadd132ps Vfmsubadd132pd;
        form213 MSUBADD: Vfmsubadd213ps Vfmsubadd213pd;
        form231 MSUBADD: Vfmsubadd231ps Vfmsubadd231pd;
    })
}

/// A third source in XMM0 or in a fourth operand.
#[rustfmt::skip]
pub(super) fn by_register(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Pblendvb | M::Vpblendvb => triple!(blended, |a, b, c, _| simd::pblendvb(a, b, c)),
        M::Blendvps | M::Vblendvps => triple!(blended, |a, b, c, _| simd::blendvps(a, b, c)),
        M::Blendvpd | M::Vblendvpd => triple!(blended, |a, b, c, _| simd::blendvpd(a, b, c)),
        M::Sha256rnds2 => triple!(blended, |a, b, c, _| simd::sha256rnds2(a, b, c)),
        _ => return None,
    })
}
