//! SHA-1 and SHA-256 (Intel SDM volume 2, SHA1RNDS4 to SHA256MSG2; FIPS 180-4).

use super::element::{Element, each};

/// Doublewords, element 0 first.
fn words(a: u128) -> [u32; 4] {
    std::array::from_fn(|i| u32::get(a, i))
}

fn lane(words: [u32; 4]) -> u128 {
    each(|i| words[i])
}

fn choose(x: u32, y: u32, z: u32) -> u32 {
    x & y ^ !x & z
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y ^ x & z ^ y & z
}

fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

/// SHA1RNDS4: four rounds; the immediate chooses the function and the constant.
pub fn sha1rnds4(state: u128, message: u128, imm: u8) -> u128 {
    let (f, k): (fn(u32, u32, u32) -> u32, u32) = match imm & 3 {
        0 => (choose, 0x5a82_7999),
        1 => (parity, 0x6ed9_eba1),
        2 => (majority, 0x8f1b_bcdc),
        _ => (parity, 0xca62_c1d6),
    };
    let [mut d, mut c, mut b, mut a] = words(state);
    // The first message word has E in it already.
    let mut e = 0u32;
    for w in words(message).into_iter().rev() {
        let sum = f(b, c, d).wrapping_add(a.rotate_left(5)).wrapping_add(w).wrapping_add(e).wrapping_add(k);
        (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
    }
    lane([d, c, b, a])
}

/// SHA1NEXTE: E of the next four rounds, added to the message.
pub fn sha1nexte(state: u128, message: u128) -> u128 {
    let mut next = words(message);
    next[3] = next[3].wrapping_add(words(state)[3].rotate_left(30));
    lane(next)
}

/// SHA1MSG1: the first step of the message schedule.
pub fn sha1msg1(a: u128, b: u128) -> u128 {
    a ^ (a << 64 | b >> 64)
}

/// SHA1MSG2: the last step of the message schedule.
pub fn sha1msg2(a: u128, b: u128) -> u128 {
    let ([a0, a1, a2, a3], [b0, b1, b2, _]) = (words(a), words(b));
    let w16 = (a3 ^ b2).rotate_left(1);
    lane([(a0 ^ w16).rotate_left(1), (a1 ^ b0).rotate_left(1), (a2 ^ b1).rotate_left(1), w16])
}

/// SHA256RNDS2: two rounds. `cdgh` is the first operand, `abef` the second, `keyed` is XMM0.
pub fn sha256rnds2(cdgh: u128, abef: u128, keyed: u128) -> u128 {
    let ([mut h, mut g, mut d, mut c], [mut f, mut e, mut b, mut a]) = (words(cdgh), words(abef));
    for w in &words(keyed)[..2] {
        let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t1 = h.wrapping_add(sum1).wrapping_add(choose(e, f, g)).wrapping_add(*w);
        let t2 = sum0.wrapping_add(majority(a, b, c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    lane([f, e, b, a])
}

fn sigma0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3
}

fn sigma1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10
}

/// SHA256MSG1: the first step of the message schedule.
pub fn sha256msg1(a: u128, b: u128) -> u128 {
    let ([a0, a1, a2, a3], [b0, ..]) = (words(a), words(b));
    let step = |x: u32, next| x.wrapping_add(sigma0(next));
    lane([step(a0, a1), step(a1, a2), step(a2, a3), step(a3, b0)])
}

/// SHA256MSG2: the last step of the message schedule.
pub fn sha256msg2(a: u128, b: u128) -> u128 {
    let ([a0, a1, a2, a3], [_, _, b2, b3]) = (words(a), words(b));
    let step = |x: u32, before| x.wrapping_add(sigma1(before));
    let (w16, w17) = (step(a0, b2), step(a1, b3));
    lane([w16, w17, step(a2, w16), step(a3, w17)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one block of the message "abc".
    fn block() -> [u32; 16] {
        let mut block = [0; 16];
        (block[0], block[15]) = (0x6162_6380, 24);
        block
    }

    #[test]
    fn sha256_of_abc() {
        const K: [u32; 64] = {
            // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
            let (mut k, mut n, mut candidate) = ([0; 64], 0, 2u128);
            while n < 64 {
                let mut divisor = 2;
                while divisor * divisor <= candidate && candidate % divisor != 0 {
                    divisor += 1;
                }
                if divisor * divisor > candidate {
                    let (mut root, mut bit) = (0u128, 1u128 << 35);
                    while bit != 0 {
                        let next = root | bit;
                        if next * next * next <= candidate << 96 {
                            root = next;
                        }
                        bit >>= 1;
                    }
                    k[n] = root as u32;
                    n += 1;
                }
                candidate += 1;
            }
            k
        };
        let mut w: Vec<u128> = block().chunks(4).map(|c| lane([c[0], c[1], c[2], c[3]])).collect();
        for i in 4..16 {
            let seven_back = w[i - 2] >> 32 | w[i - 1] << 96;
            let sum = super::super::paddd(sha256msg1(w[i - 4], w[i - 3]), seven_back);
            w.push(sha256msg2(sum, w[i - 1]));
        }
        let start = [
            0x6a09_e667u32,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let [a, b, c, d, e, f, g, h] = start;
        let (mut abef, mut cdgh) = (lane([f, e, b, a]), lane([h, g, d, c]));
        for (i, w) in w.iter().enumerate() {
            let keyed = super::super::paddd(*w, lane([K[4 * i], K[4 * i + 1], K[4 * i + 2], K[4 * i + 3]]));
            for half in [keyed, keyed >> 64] {
                (cdgh, abef) = (abef, sha256rnds2(cdgh, abef, half));
            }
        }
        let ([f, e, b, a], [h, g, d, c]) = (words(abef), words(cdgh));
        let digest = [a, b, c, d, e, f, g, h].into_iter().zip(start).map(|(x, y)| x.wrapping_add(y));
        let digest: String = digest.map(|x| format!("{x:08x}")).collect();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn sha1_of_abc() {
        let mut w: Vec<u128> = block().chunks(4).map(|c| lane([c[3], c[2], c[1], c[0]])).collect();
        for i in 4..20 {
            let mixed = sha1msg1(w[i - 4], w[i - 3]) ^ w[i - 2];
            w.push(sha1msg2(mixed, w[i - 1]));
        }
        let start = lane([0x1032_5476, 0x98ba_dcfe, 0xefcd_ab89, 0x6745_2301]);
        let (mut state, mut before) = (start, 0);
        for (i, w) in w.iter().enumerate() {
            let message = match i {
                0 => super::super::paddd(*w, lane([0, 0, 0, 0xc3d2_e1f0])),
                _ => sha1nexte(before, *w),
            };
            (before, state) = (state, sha1rnds4(state, message, (i / 5) as u8));
        }
        let e = words(sha1nexte(before, lane([0, 0, 0, 0xc3d2_e1f0])))[3];
        let [d, c, b, a] = words(super::super::paddd(state, start));
        assert_eq!([a, b, c, d, e], [0xa999_3e36, 0x4706_816a, 0xba3e_2571, 0x7850_c26c, 0x9cd0_d89d]);
    }
}
