//! Operations that mix the elements of one 128-bit lane: horizontal, alternating, dot products.

use super::{
    arith::{add, mul, sub},
    format::HostFloat,
    mxcsr::Mxcsr,
};
use crate::alu::simd::{Element, each, zip_at};

type Binary<F> = fn(F, F, &mut Mxcsr) -> F;

/// Sums or differences of neighbours: those of `a` below those of `b` (HADDPS, HSUBPD).
pub fn horizontal<F: HostFloat + Element>(a: u128, b: u128, op: Binary<F>, env: &mut Mxcsr) -> u128 {
    let half = F::COUNT / 2;
    each(|i| {
        let (source, pair) = if i < half { (a, i) } else { (b, i - half) };
        op(F::get(source, 2 * pair), F::get(source, 2 * pair + 1), env)
    })
}

/// Differences in the even elements, sums in the odd ones (ADDSUBPS, ADDSUBPD).
pub fn alternate<F: HostFloat + Element>(a: u128, b: u128, env: &mut Mxcsr) -> u128 {
    zip_at(a, b, |i, x: F, y| if i % 2 == 0 { sub(x, y, env) } else { add(x, y, env) })
}

/// The sum of the products that the upper half of `imm` chooses, in the elements that the lower half chooses
/// (DPPS, DPPD). Neighbours are added first. The manual leaves open which of several NaNs is kept: as in current
/// processors each element adds in its own order. An exception that is not masked ends it with the step that met it.
pub fn dot<F: HostFloat + Element>(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    let zero = F::zero(false);
    let mut sums = zip_at(a, b, |i, x: F, y| if imm >> (4 + i) & 1 != 0 { mul(x, y, env) } else { zero });
    let ends = |env: &Mxcsr| env.unmasked(env.0) != 0;
    let add_across = |lane, distance: usize, own_first, env: &mut Mxcsr| {
        if ends(env) {
            return lane;
        }
        each(|i| {
            let (own, other) = (F::get(lane, i), F::get(lane, i ^ distance));
            if own_first { add(own, other, env) } else { add(other, own, env) }
        })
    };
    sums = add_across(sums, 1, F::COUNT == 2, env);
    if F::COUNT == 4 {
        sums = add_across(sums, 2, true, env);
    }
    each(|i| if imm >> i & 1 != 0 { F::get(sums, i) } else { zero })
}
