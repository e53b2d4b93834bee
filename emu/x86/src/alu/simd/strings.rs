//! The string comparisons of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Intel SDM volume 2B, section 4.1.

use super::element::{Element, each};

/// How long the two operands are.
#[derive(Clone, Copy, Debug)]
pub enum StringLength {
    /// Up to the first element that is zero.
    Implicit,
    /// The magnitudes of these (EAX and EDX, or RAX and RDX).
    Explicit(i64, i64),
}

/// What a string comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringCompare {
    /// For the forms that return an index: into ECX.
    pub index: u32,
    /// For the forms that return a mask: into XMM0.
    pub mask: u128,
    /// CF, ZF, SF and OF at their places in RFLAGS; AF and PF become zero.
    pub flags: u64,
}

const UNSIGNED_BYTES: u8 = 0;
const UNSIGNED_WORDS: u8 = 1;
const SIGNED_BYTES: u8 = 2;

/// Elements of one operand, as many as are valid.
struct Text {
    elements: [i32; 16],
    valid: usize,
}

/// Compares `a` (the first operand: set, ranges or needle) with `b`.
pub fn pcmpstr(a: u128, b: u128, lengths: StringLength, imm: u8) -> StringCompare {
    let count = if imm & 1 == 0 { 16 } else { 8 };
    let (explicit_a, explicit_b) = match lengths {
        StringLength::Implicit => (None, None),
        StringLength::Explicit(a, b) => (Some(a), Some(b)),
    };
    let (a, b) = (text(a, explicit_a, count, imm), text(b, explicit_b, count, imm));
    let matches = (0..count).filter(|&j| matched(&a, &b, j, count, imm)).fold(0, |bits, j| bits | 1u32 << j);
    let all = (1u32 << count) - 1;
    let inverted = match imm >> 4 & 3 {
        1 => all,
        3 => (1 << b.valid) - 1,
        _ => 0,
    };
    let result = matches ^ inverted;
    let flag = |set: bool, bit: u32| u64::from(set) << bit;
    StringCompare {
        index: index(result, count, imm),
        mask: mask(result, imm),
        flags: flag(result != 0, 0)
            | flag(b.valid < count, 6)
            | flag(a.valid < count, 7)
            | flag(result & 1 != 0, 11),
    }
}

fn text(lane: u128, explicit: Option<i64>, count: usize, imm: u8) -> Text {
    let element = |i| match imm & 3 {
        UNSIGNED_BYTES => u8::get(lane, i).into(),
        UNSIGNED_WORDS => u16::get(lane, i).into(),
        SIGNED_BYTES => i8::get(lane, i).into(),
        _ => i16::get(lane, i).into(),
    };
    let elements: [i32; 16] = std::array::from_fn(|i| if i < count { element(i) } else { 0 });
    let valid = match explicit {
        Some(length) => length.unsigned_abs().min(count as u64) as usize,
        None => elements[..count].iter().position(|&x| x == 0).unwrap_or(count),
    };
    Text { elements, valid }
}

/// Whether element `j` of `b` matches, as bits 2 and 3 of the immediate mean it.
fn matched(a: &Text, b: &Text, j: usize, count: usize, imm: u8) -> bool {
    let (valid_a, here) = (&a.elements[..a.valid], b.elements[j]);
    match imm >> 2 & 3 {
        0 => j < b.valid && valid_a.contains(&here),
        1 => j < b.valid && valid_a.chunks_exact(2).any(|range| (range[0]..=range[1]).contains(&here)),
        2 => match (j < a.valid, j < b.valid) {
            (true, true) => a.elements[j] == here,
            (in_a, in_b) => in_a == in_b,
        },
        // A needle may go on past the end of the lane, but not past the end of the text.
        _ => valid_a.iter().zip(j..count).all(|(x, k)| k < b.valid && *x == b.elements[k]),
    }
}

fn index(result: u32, count: usize, imm: u8) -> u32 {
    match (result, imm & 0x40) {
        (0, _) => count as u32,
        (_, 0) => result.trailing_zeros(),
        _ => 31 - result.leading_zeros(),
    }
}

fn mask(result: u32, imm: u8) -> u128 {
    let set = |i: usize| result >> i & 1 != 0;
    match (imm & 0x40, imm & 1) {
        (0, _) => result.into(),
        (_, 0) => each(|i| if set(i) { u8::MAX } else { 0 }),
        _ => each(|i| if set(i) { u16::MAX } else { 0 }),
    }
}
