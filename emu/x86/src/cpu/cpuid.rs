//! The leaves of CPUID. A feature is shown only if the chosen level has it and every instruction of it works; a test checks
//! that against the interpreter's table.

use iced_x86::CpuidFeature as F;

use super::Level;

/// A register of CPUID's answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Out {
    Eax,
    Ebx,
    Ecx,
    Edx,
}
use Out::{Ebx, Ecx, Edx};

/// A feature's bit: leaf (subleaf 0), register and bit; the level that has it; the instructions behind it.
pub(crate) type Bit = (u32, Out, u32, Level, &'static [F]);

const EXTENDED: u32 = 0x8000_0001;

/// Bits that stand for instructions. Intel SDM volume 2A, CPUID. OSXSAVE, bit 27 of leaf 1's ECX, says that the
/// system saves the state of AVX: XGETBV tells which.
pub(crate) const BITS: [Bit; 40] = [
    (1, Edx, 0, Level::V1, &[F::FPU, F::FPU287, F::FPU387]),
    (1, Edx, 4, Level::V1, &[F::TSC]),
    (1, Edx, 8, Level::V1, &[F::CX8]),
    (1, Edx, 15, Level::V1, &[F::CMOV]),
    (1, Edx, 19, Level::V1, &[F::CLFSH]),
    (1, Edx, 23, Level::V1, &[F::MMX]),
    (1, Edx, 24, Level::V1, &[F::FXSR]),
    (1, Edx, 25, Level::V1, &[F::SSE]),
    (1, Edx, 26, Level::V1, &[F::SSE2]),
    (EXTENDED, Edx, 11, Level::V1, &[F::SYSCALL]),
    (1, Ecx, 0, Level::V2, &[F::SSE3]),
    (1, Ecx, 1, Level::V2, &[F::PCLMULQDQ]),
    (1, Ecx, 9, Level::V2, &[F::SSSE3]),
    (1, Ecx, 13, Level::V2, &[F::CMPXCHG16B]),
    (1, Ecx, 19, Level::V2, &[F::SSE4_1]),
    (1, Ecx, 20, Level::V2, &[F::SSE4_2]),
    (1, Ecx, 23, Level::V2, &[F::POPCNT]),
    (1, Ecx, 25, Level::V2, &[F::AES]),
    (EXTENDED, Edx, 27, Level::V2, &[F::RDTSCP]),
    (1, Ecx, 12, Level::V3, &[F::FMA]),
    (1, Ecx, 22, Level::V3, &[F::MOVBE]),
    (1, Ecx, 26, Level::V3, &[F::XSAVE]),
    (1, Ecx, 27, Level::V3, &[F::AVX]),
    (1, Ecx, 28, Level::V3, &[F::AVX]),
    (1, Ecx, 29, Level::V3, &[F::F16C]),
    (1, Ecx, 30, Level::V3, &[F::RDRAND]),
    (7, Ebx, 0, Level::V3, &[F::FSGSBASE]),
    (7, Ebx, 3, Level::V3, &[F::BMI1]),
    (7, Ebx, 5, Level::V3, &[F::AVX2]),
    (7, Ebx, 8, Level::V3, &[F::BMI2]),
    (7, Ebx, 18, Level::V3, &[F::RDSEED]),
    (7, Ebx, 19, Level::V3, &[F::ADX]),
    (7, Ebx, 23, Level::V3, &[F::CLFLUSHOPT]),
    (7, Ebx, 24, Level::V3, &[F::CLWB]),
    (7, Ebx, 29, Level::V3, &[F::SHA]),
    (7, Ecx, 9, Level::V3, &[F::VAES]),
    (7, Ecx, 10, Level::V3, &[F::VPCLMULQDQ]),
    (7, Ecx, 22, Level::V3, &[F::RDPID]),
    (EXTENDED, Ecx, 5, Level::V3, &[F::LZCNT]),
    (EXTENDED, Ecx, 8, Level::V3, &[F::PREFETCHW]),
];

/// Bits that stand for no instruction of their own: LAHF in 64-bit mode, no-execute pages, 64-bit mode.
const PLAIN: [(u32, Out, u32, Level); 3] =
    [(EXTENDED, Ecx, 0, Level::V2), (EXTENDED, Edx, 20, Level::V1), (EXTENDED, Edx, 29, Level::V1)];

fn bits(level: Level, leaf: u32, out: Out) -> u32 {
    let shown = BITS.iter().map(|&(leaf, out, bit, since, _)| (leaf, out, bit, since)).chain(PLAIN);
    shown
        .filter(|&(in_leaf, in_out, _, since)| in_leaf == leaf && in_out == out && since <= level)
        .fold(0, |bits, (_, _, bit, _)| bits | 1 << bit)
}

const VENDOR: [u8; 12] = *b"GenuineIntel";
/// Leaves 0x80000002 to 0x80000004 show these 48 bytes.
const BRAND: [u8; 48] = *b"goemu emulated x86-64 processor\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Family 6, a model that has had all of level V3.
const SIGNATURE: u32 = 0x000c_0650;
/// The state that XSAVE saves: x87, SSE and AVX.
pub(crate) const XCR0: u64 = 7;
/// Bytes of an XSAVE area: the legacy region, the header, the upper lanes.
const XSAVE_SIZE: u32 = 512 + 64 + 256;

fn word(bytes: &[u8], i: usize) -> u32 {
    bytes.get(4 * i..4 * i + 4).map_or(0, |w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]))
}

/// EAX, EBX, ECX and EDX of a leaf; zeros for leaves that there are not.
pub(crate) fn cpuid(level: Level, leaf: u32, subleaf: u32) -> [u32; 4] {
    let xsave = level >= Level::V3;
    let flags = |leaf, eax, ebx| {
        [
            eax | bits(level, leaf, Out::Eax),
            ebx | bits(level, leaf, Ebx),
            bits(level, leaf, Ecx),
            bits(level, leaf, Edx),
        ]
    };
    match (leaf, subleaf) {
        (0, _) => [0xd, word(&VENDOR, 0), word(&VENDOR, 2), word(&VENDOR, 1)],
        // Lines of 64 bytes for CLFLUSH; one logical processor.
        (1, _) => flags(1, SIGNATURE, 0x0001_0800),
        (7, 0) => flags(7, 0, 0),
        (0xd, 0) if xsave => [XCR0 as u32, XSAVE_SIZE, XSAVE_SIZE, 0],
        // XSAVEOPT and XSAVEC.
        (0xd, 1) if xsave => [0b11, 0, 0, 0],
        (0xd, 2) if xsave => [256, 512 + 64, 0, 0],
        (0x8000_0000, _) => [0x8000_0008, 0, 0, 0],
        (EXTENDED, _) => flags(EXTENDED, 0, 0),
        (0x8000_0002..=0x8000_0004, _) => {
            let first = 4 * (leaf - 0x8000_0002) as usize;
            std::array::from_fn(|i| word(&BRAND, first + i))
        }
        // 40 bits of addresses, as memory has, and the 48 that are canonical.
        (0x8000_0008, _) => [0x3028, 0, 0, 0],
        _ => [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_limit_what_is_shown() {
        let ecx = |level| cpuid(level, 1, 0)[2];
        assert_eq!(ecx(Level::V1), 0);
        assert_ne!(ecx(Level::V2) & 1 << 20, 0, "SSE4.2");
        assert_eq!(ecx(Level::V2) & 1 << 28, 0, "AVX");
        assert_ne!(ecx(Level::V3) & 1 << 28, 0, "AVX");
        assert_eq!(cpuid(Level::V3, 7, 0)[1] & 1 << 16, 0, "AVX-512 is never shown");
    }
}
