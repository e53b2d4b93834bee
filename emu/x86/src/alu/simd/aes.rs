//! AES rounds (Intel SDM volume 1, section 12.13; FIPS 197). The tables are computed from the field's arithmetic.

use super::element::{Element, each};

/// The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
const fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0x1b } else { 0 };
        b >>= 1;
    }
    product
}

/// SubBytes: the inverse in the field, then an affine map.
const SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        // x^254 is the inverse of x, and 0 for 0.
        let (mut inverse, mut i) = (1, 0);
        while i < 254 {
            inverse = times(inverse, x as u8);
            i += 1;
        }
        let spread = inverse ^ inverse.rotate_left(1) ^ inverse.rotate_left(2) ^ inverse.rotate_left(3);
        table[x] = spread ^ inverse.rotate_left(4) ^ 0x63;
        x += 1;
    }
    table
};

const INVERSE_SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        table[SBOX[x] as usize] = x as u8;
        x += 1;
    }
    table
};

/// What a byte in row 0 of a column contributes to the column: its substitute times the first column of the
/// mixing matrix. Other rows contribute the same, rotated.
const fn contributions(sbox: &[u8; 256], column: [u8; 4]) -> [u32; 256] {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        let s = sbox[x];
        table[x] = u32::from_le_bytes([
            times(s, column[0]),
            times(s, column[1]),
            times(s, column[2]),
            times(s, column[3]),
        ]);
        x += 1;
    }
    table
}

static ENCRYPT: [u32; 256] = contributions(&SBOX, [2, 1, 1, 3]);
static DECRYPT: [u32; 256] = contributions(&INVERSE_SBOX, [14, 9, 13, 11]);

/// The place from which ShiftRows brings the byte of `row` and `column`.
fn shifted(row: usize, column: usize) -> usize {
    4 * ((column + row) % 4) + row
}

/// The place from which InvShiftRows brings the byte of `row` and `column`.
fn shifted_back(row: usize, column: usize) -> usize {
    4 * ((column + 4 - row) % 4) + row
}

fn round(state: u128, table: &[u32; 256], from: impl Fn(usize, usize) -> usize) -> u128 {
    let bytes = state.to_le_bytes();
    each(|column| {
        (0..4).fold(0u32, |sum, row| {
            sum ^ table[usize::from(bytes[from(row, column)])].rotate_left(8 * row as u32)
        })
    })
}

fn last_round(state: u128, sbox: &[u8; 256], from: impl Fn(usize, usize) -> usize) -> u128 {
    let bytes = state.to_le_bytes();
    each(|i| sbox[usize::from(bytes[from(i % 4, i / 4)])])
}

/// AESENC: one round of encryption.
pub fn aesenc(state: u128, key: u128) -> u128 {
    round(state, &ENCRYPT, shifted) ^ key
}

/// AESENCLAST: the last round of encryption.
pub fn aesenclast(state: u128, key: u128) -> u128 {
    last_round(state, &SBOX, shifted) ^ key
}

/// AESDEC: one round of decryption.
pub fn aesdec(state: u128, key: u128) -> u128 {
    round(state, &DECRYPT, shifted_back) ^ key
}

/// AESDECLAST: the last round of decryption.
pub fn aesdeclast(state: u128, key: u128) -> u128 {
    last_round(state, &INVERSE_SBOX, shifted_back) ^ key
}

/// AESIMC: a round key for AESDEC.
pub fn aesimc(key: u128) -> u128 {
    // The table substitutes first; substituting back before it leaves the mixing alone.
    let substituted = u128::from_le_bytes(key.to_le_bytes().map(|b| SBOX[usize::from(b)]));
    round(substituted, &DECRYPT, |row, column| 4 * column + row)
}

/// AESKEYGENASSIST: the substituted and rotated words for the key schedule.
pub fn aeskeygenassist(a: u128, imm: u8) -> u128 {
    let word = |i| u32::from_le_bytes(u32::get(a, i).to_le_bytes().map(|b| SBOX[usize::from(b)]));
    each(|i| if i % 2 == 0 { word(i + 1) } else { word(i).rotate_right(8) ^ u32::from(imm) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state and key of the examples in Intel's white paper on AES-NI.
    #[test]
    fn white_paper() {
        let (state, key) =
            (0x7b5b_5465_7374_5665_6374_6f72_5d53_475d, 0x4869_2853_6861_7929_5b47_7565_726f_6e5d);
        assert_eq!(aesenc(state, key), 0xa831_1c2f_9fdb_a3c5_8b10_4b58_ded7_e595);
        assert_eq!(aesenclast(state, key), 0xc7fb_881e_938c_5964_177e_c425_53fd_c611);
        assert_eq!(aesdec(state, key), 0x138a_c342_faea_2787_b58e_b95e_b730_392a);
        assert_eq!(aesdeclast(state, key), 0xc5a3_91ef_6b31_7f95_d410_637b_72a5_93d0);
        assert_eq!(aesimc(key), 0x597f_8df1_09ef_aa15_f39b_c5a1_19d8_59b6);
        let schedule = aeskeygenassist(0x3c4f_cf09_8815_f7ab_a6d2_ae28_1615_7e2b, 1);
        assert_eq!(schedule, 0x01eb_848b_eb84_8a01_3424_b5e5_24b5_e434);
    }
}
