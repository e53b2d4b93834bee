//! CRC32 of SSE4.2: the Castagnoli polynomial, bit-reflected.

/// Polynomial 0x11EDC6F41, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// For each byte, what it adds to the remainder.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ POLYNOMIAL } else { rest >> 1 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
}

/// The remainder after `bytes` more bytes of `data`, lowest first.
pub fn crc32c(crc: u32, data: u64, bytes: u32) -> u32 {
    let data = data.to_le_bytes();
    let step = |crc: u32, &byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    data.iter().take(bytes as usize).fold(crc, step)
}
