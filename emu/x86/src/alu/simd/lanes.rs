//! AVX and AVX2 instructions that move data across the two lanes of a YMM register.

use super::element::Element;

/// Both lanes of a YMM register, the low one first.
pub type Ymm = [u128; 2];

/// Element `i` of both lanes together.
pub fn ymm_get<T: Element>(a: Ymm, i: usize) -> T {
    T::get(a[i / T::COUNT % 2], i % T::COUNT)
}

/// Both lanes from their elements.
pub fn ymm_each<T: Element>(mut element: impl FnMut(usize) -> T) -> Ymm {
    let mut lanes = [0; 2];
    for i in 0..2 * T::COUNT {
        lanes[i / T::COUNT] |= element(i).at(i % T::COUNT);
    }
    lanes
}

/// VPERM2F128, VPERM2I128: each lane one of four, or zero.
pub fn vperm2i128(a: Ymm, b: Ymm, imm: u8) -> Ymm {
    let all = [a[0], a[1], b[0], b[1]];
    let lane = |control: u8| if control & 8 != 0 { 0 } else { all[usize::from(control & 3)] };
    [lane(imm), lane(imm >> 4)]
}

/// VPERMQ, VPERMPD: each quadword chosen by two bits of the immediate.
pub fn vpermq(a: Ymm, imm: u8) -> Ymm {
    ymm_each(|i| ymm_get::<u64>(a, usize::from(imm >> (2 * i) & 3)))
}

/// VPERMD, VPERMPS: each doubleword of `a` chosen by three bits of its place in `control`.
pub fn vpermd(control: Ymm, a: Ymm) -> Ymm {
    ymm_each(|i| ymm_get::<u32>(a, (ymm_get::<u32>(control, i) & 7) as usize))
}

/// VINSERTF128, VINSERTI128: one lane replaced.
pub fn vinserti128(a: Ymm, lane: u128, imm: u8) -> Ymm {
    if imm & 1 == 0 { [lane, a[1]] } else { [a[0], lane] }
}

/// VEXTRACTF128, VEXTRACTI128: one lane.
pub fn vextracti128(a: Ymm, imm: u8) -> u128 {
    a[usize::from(imm & 1)]
}
