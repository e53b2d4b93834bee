//! Multiplication without carries.

/// PCLMULQDQ: the product of the quadwords that bits 0 (of `a`) and 4 (of `b`) choose.
pub fn pclmulqdq(a: u128, b: u128, imm: u8) -> u128 {
    let quadword = |lane: u128, high: u8| (lane >> (u32::from(high & 1) * 64)) as u64;
    multiply(quadword(a, imm), quadword(b, imm >> 4))
}

/// Four bits of `b` at a time.
fn multiply(a: u64, b: u64) -> u128 {
    let a = u128::from(a);
    let mut multiples = [0; 16];
    for n in 1..16 {
        multiples[n] = multiples[n / 2] << 1 ^ if n & 1 != 0 { a } else { 0 };
    }
    (0..16).rev().fold(0, |product: u128, i| product << 4 ^ multiples[(b >> (4 * i) & 15) as usize])
}
