//! The processor's state: registers, flags, vectors, and access to them.

pub(crate) mod cpuid;
mod flags;
mod level;
mod x87;

pub use flags::{Flags, Rflags};
use iced_x86::Register;
pub use level::Level;
pub use x87::X87;

use crate::alu::Uint;

/// A vector register: two lanes of 128 bits, low lane first.
pub type Ymm = [u128; 2];

/// Numbers of general-purpose registers, as instructions encode them.
pub mod gpr {
    #![allow(missing_docs, reason = "the names are the manual's")]
    pub const RAX: u8 = 0;
    pub const RCX: u8 = 1;
    pub const RDX: u8 = 2;
    pub const RBX: u8 = 3;
    pub const RSP: u8 = 4;
    pub const RBP: u8 = 5;
    pub const RSI: u8 = 6;
    pub const RDI: u8 = 7;
    pub const R8: u8 = 8;
    pub const R9: u8 = 9;
    pub const R10: u8 = 10;
    pub const R11: u8 = 11;
    pub const R12: u8 = 12;
    pub const R13: u8 = 13;
    pub const R14: u8 = 14;
    pub const R15: u8 = 15;

    /// The registers by number, as Go's assembler names them.
    pub const NAMES: [&str; 16] = [
        "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
    ];
}

/// Slot of the register file that is always 0: the base or index of an address that has none.
pub(crate) const ZERO: u8 = 16;
/// Added to the number of AX, CX, DX or BX to name AH, CH, DH or BH.
pub(crate) const HIGH: u8 = 0x80;

/// MXCSR as processors start: all exceptions masked, rounding to nearest.
pub const MXCSR_DEFAULT: u32 = 0x1f80;

/// Cycles between two readings of the time stamp counter.
pub const TSC_STEP: u64 = 1000;

/// The state of one logical processor in 64-bit mode.
#[derive(Debug)]
pub struct Cpu {
    /// 16 registers, then slots that stay 0. A power of two, so that an index needs no check but a mask.
    gpr: [u64; 32],
    /// Address of the next instruction. Up to date whenever an engine has left.
    pub rip: u64,
    /// The arithmetic flags.
    pub flags: Flags,
    /// DF: string instructions count down.
    pub direction: bool,
    /// Base of FS.
    pub fs_base: u64,
    /// Base of GS.
    pub gs_base: u64,
    /// Vector registers.
    pub ymm: [Ymm; 16],
    /// Control and status of SSE.
    pub mxcsr: u32,
    /// The x87 unit.
    pub x87: X87,
    /// What CPUID shows.
    pub level: Level,
    /// The next value of RDTSC. Virtual: every reading takes [`TSC_STEP`] cycles. `goemu` counts its nanoseconds here.
    pub tsc: u64,
    /// The state of RDRAND and RDSEED: the same seed gives the same numbers.
    pub entropy: u64,
}

/// Every call goes back to a state by [`Clone::clone_from`]: field by field, for the whole would be copied twice.
impl Clone for Cpu {
    fn clone(&self) -> Cpu {
        let mut cpu = Cpu::default();
        cpu.clone_from(self);
        cpu
    }

    #[inline]
    fn clone_from(&mut self, from: &Cpu) {
        // All by name, so that a new one cannot be forgotten.
        let Cpu { gpr, rip, flags, direction, fs_base, gs_base, ymm, mxcsr, x87, level, tsc, entropy } = from;
        self.gpr[..16].copy_from_slice(&gpr[..16]);
        (self.rip, self.flags, self.direction) = (*rip, *flags, *direction);
        (self.fs_base, self.gs_base) = (*fs_base, *gs_base);
        self.ymm.copy_from_slice(ymm);
        (self.mxcsr, self.level, self.tsc, self.entropy) = (*mxcsr, *level, *tsc, *entropy);
        self.x87.clone_from(x87);
    }
}

impl Default for Cpu {
    fn default() -> Cpu {
        Cpu {
            gpr: [0; 32],
            rip: 0,
            flags: Flags::default(),
            direction: false,
            fs_base: 0,
            gs_base: 0,
            ymm: [[0; 2]; 16],
            mxcsr: MXCSR_DEFAULT,
            x87: X87::default(),
            level: Level::default(),
            tsc: 0,
            entropy: 0,
        }
    }
}

/// The last step of SplitMix64.
fn spread(z: u64) -> u64 {
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// A register of at most 64 bits that has a name.
enum Named {
    General(u8),
    Ip,
    Flags,
    FsBase,
    GsBase,
    Mxcsr,
}

/// The register of a name, in Go's syntax or Intel's.
fn register(name: &str) -> Option<Named> {
    const NAMES: [&str; 16] =
        ["AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "8", "9", "10", "11", "12", "13", "14", "15"];
    let name = name.to_ascii_uppercase();
    let (short, long) = (name.as_str(), name.strip_prefix('R'));
    match long.unwrap_or(short) {
        "IP" => return Some(Named::Ip),
        "FLAGS" => return Some(Named::Flags),
        "FS_BASE" => return Some(Named::FsBase),
        "GS_BASE" => return Some(Named::GsBase),
        "MXCSR" => return Some(Named::Mxcsr),
        _ => {}
    }
    // R8 to R15 have the letter in both syntaxes.
    let is_it = |(n, of): &(u8, &str)| long == Some(*of) || *n < 8 && short == *of;
    (0..).zip(NAMES).find(is_it).map(|(n, _)| Named::General(n))
}

impl Cpu {
    /// A 64-bit register by its number ([`gpr`]).
    #[inline(always)]
    pub fn gpr(&self, n: u8) -> u64 {
        self.gpr[usize::from(n & 31)]
    }

    /// Sets a 64-bit register by its number.
    #[inline(always)]
    pub fn set_gpr(&mut self, n: u8, value: u64) {
        debug_assert!(n < ZERO);
        self.gpr[usize::from(n & 15)] = value;
    }

    /// A register by its name in Go's syntax or Intel's: general-purpose ones of 64 bits (`AX` or `rax`), `RIP`, `RFLAGS`, `FS_BASE`,
    /// `GS_BASE`, `MXCSR`. `None` where there is none of that name.
    ///
    /// ```
    /// let mut cpu = goemu_x86::cpu::Cpu::default();
    /// assert!(cpu.set_named("rdi", 7));
    /// assert_eq!((cpu.named("DI"), cpu.named("xyz")), (Some(7), None));
    /// ```
    pub fn named(&self, name: &str) -> Option<u64> {
        Some(match register(name)? {
            Named::General(n) => self.gpr(n),
            Named::Ip => self.rip,
            Named::Flags => self.rflags(),
            Named::FsBase => self.fs_base,
            Named::GsBase => self.gs_base,
            Named::Mxcsr => self.mxcsr.into(),
        })
    }

    /// Sets a register by its name, as [`Cpu::named`] has them; whether there is one of that name.
    pub fn set_named(&mut self, name: &str, value: u64) -> bool {
        match register(name) {
            Some(Named::General(n)) => self.set_gpr(n, value),
            Some(Named::Ip) => self.rip = value,
            Some(Named::Flags) => self.set_rflags(value),
            Some(Named::FsBase) => self.fs_base = value,
            Some(Named::GsBase) => self.gs_base = value,
            Some(Named::Mxcsr) => self.mxcsr = value as u32,
            None => return false,
        }
        true
    }

    /// All general-purpose registers, in the order of their numbers.
    pub fn gprs(&self) -> [u64; 16] {
        std::array::from_fn(|n| self.gpr[n])
    }

    /// A register's low bits, or AH, CH, DH, BH where `n` has [`HIGH`].
    #[inline(always)]
    pub(crate) fn read<T: Uint>(&self, n: u8) -> T {
        if T::BITS == 8 && n & HIGH != 0 {
            return T::truncate(self.gpr(n & 3) >> 8);
        }
        T::truncate(self.gpr(n))
    }

    /// Writes a register as instructions do: 32 bits clear the upper half, 16 and 8 bits leave the rest.
    #[inline(always)]
    pub(crate) fn write<T: Uint>(&mut self, n: u8, value: T) {
        let new = value.zext();
        if T::BITS >= 32 {
            return self.set_gpr(n, new);
        }
        if T::BITS == 8 && n & HIGH != 0 {
            let old = self.gpr(n & 3);
            return self.set_gpr(n & 3, (old & !0xff00) | new << 8);
        }
        let mask = (1 << T::BITS) - 1;
        self.set_gpr(n, (self.gpr(n) & !mask) | new);
    }

    /// A general-purpose register of any width, or RIP, by iced's name; 0 for others.
    pub fn get(&self, register: Register) -> u64 {
        if register == Register::RIP {
            return self.rip;
        }
        let Some(n) = register_number(register) else { return 0 };
        match register.size() {
            8 => self.gpr(n),
            4 => self.read::<u32>(n).zext(),
            2 => self.read::<u16>(n).zext(),
            _ => self.read::<u8>(n).zext(),
        }
    }

    /// Reads the time stamp counter.
    pub fn next_tsc(&mut self) -> u64 {
        self.tsc = self.tsc.wrapping_add(TSC_STEP);
        self.tsc
    }

    /// The next number of RDRAND (SplitMix64).
    pub fn next_random(&mut self) -> u64 {
        self.entropy = self.entropy.wrapping_add(0x9e37_79b9_7f4a_7c15);
        spread(self.entropy)
    }

    /// A number that follows from another one and from the state of RDRAND, which stays as it is.
    pub fn chance(&self, of: u64) -> u64 {
        spread(self.entropy ^ spread(of))
    }

    /// So many bytes of these numbers.
    pub fn random_bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.next_random().to_le_bytes()[..part.len()]);
        }
        bytes
    }

    /// RFLAGS as PUSHF stores it: bit 1 and IF are set.
    pub fn rflags(&self) -> u64 {
        let direction = if self.direction { Rflags::DF } else { Rflags::empty() };
        (self.flags.rflags() | direction).bits() | 0x202
    }

    /// Sets the arithmetic flags and DF, as POPF does; programs cannot change the others.
    pub fn set_rflags(&mut self, bits: u64) {
        let bits = Rflags::from_bits_truncate(bits);
        self.flags = Flags::from_rflags(bits);
        self.direction = bits.contains(Rflags::DF);
    }
}

/// The number of a general-purpose register, with [`HIGH`] for AH, CH, DH, BH; of a vector register, its
/// own. `None` for others.
pub(crate) fn register_number(register: Register) -> Option<u8> {
    let number = register.number() as u8;
    if register.is_gpr8() && (Register::AH..=Register::BH).contains(&register) {
        return Some((register as u8 - Register::AH as u8) | HIGH);
    }
    // iced numbers SPL, BPL, SIL, DIL (and R8L up) after AH to BH.
    if register.is_gpr8() && register >= Register::SPL {
        return Some(register as u8 - Register::SPL as u8 + 4);
    }
    let others = register.is_vector_register() || register.is_st() || register.is_mm();
    (register.is_gpr() || others).then_some(number)
}
