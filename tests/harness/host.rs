//! What the host processor has, and how a test says that it proves less because of what the host lacks.
//!
//! `GOEMU_HOST_LACKS=AVX,SHA` takes features away, by iced's names, to see what the tests do on a host without them;
//! `GOEMU_HOST_LACKS=all` takes all that can be missing.

use std::arch::x86_64::__cpuid_count;
use std::io::Write as _;
use std::sync::OnceLock;

use iced_x86::{Code, CpuidFeature as F};

/// A register of CPUID's answer, as an index.
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

const EXTENDED: u32 = 0x8000_0001;

/// A feature, where CPUID shows it (leaf, subleaf, register, bit), and whether it needs the state of AVX as well.
type Row = (F, u32, u32, usize, u32, bool);

/// Features that x86-64 does not promise. Intel SDM volume 2A, CPUID; AMD's manual, volume 3, appendix E.
const FEATURES: &[Row] = &[
    (F::SSE3, 1, 0, ECX, 0, false),
    (F::PCLMULQDQ, 1, 0, ECX, 1, false),
    (F::SSSE3, 1, 0, ECX, 9, false),
    (F::FMA, 1, 0, ECX, 12, true),
    (F::CMPXCHG16B, 1, 0, ECX, 13, false),
    (F::SSE4_1, 1, 0, ECX, 19, false),
    (F::SSE4_2, 1, 0, ECX, 20, false),
    (F::MOVBE, 1, 0, ECX, 22, false),
    (F::POPCNT, 1, 0, ECX, 23, false),
    (F::AES, 1, 0, ECX, 25, false),
    // The processor has XSAVE, and the kernel has turned it on.
    (F::XSAVE, 1, 0, ECX, 27, false),
    (F::AVX, 1, 0, ECX, 28, true),
    (F::F16C, 1, 0, ECX, 29, true),
    (F::RDRAND, 1, 0, ECX, 30, false),
    (F::FSGSBASE, 7, 0, EBX, 0, false),
    (F::BMI1, 7, 0, EBX, 3, false),
    (F::AVX2, 7, 0, EBX, 5, true),
    (F::BMI2, 7, 0, EBX, 8, false),
    (F::RDSEED, 7, 0, EBX, 18, false),
    (F::ADX, 7, 0, EBX, 19, false),
    (F::CLFLUSHOPT, 7, 0, EBX, 23, false),
    (F::CLWB, 7, 0, EBX, 24, false),
    (F::SHA, 7, 0, EBX, 29, false),
    (F::VAES, 7, 0, ECX, 9, true),
    (F::VPCLMULQDQ, 7, 0, ECX, 10, true),
    (F::RDPID, 7, 0, ECX, 22, false),
    (F::XSAVEOPT, 0xd, 1, 0, 0, false),
    (F::XSAVEC, 0xd, 1, 0, 1, false),
    (F::LZCNT, EXTENDED, 0, ECX, 5, false),
    (F::RDTSCP, EXTENDED, 0, EDX, 27, false),
];

/// LAHF and SAHF in 64-bit mode, which iced counts as instructions of the 8086.
const LAHF_LM: (u32, u32, usize, u32) = (EXTENDED, 0, ECX, 0);

/// Whether the processor and the kernel have what an instruction needs.
pub fn host_has(code: Code) -> bool {
    let known = |feature: &F| FEATURES.iter().find(|row| row.0 == *feature);
    let mut features = code.cpuid_features().iter().filter_map(known);
    let lahf = !matches!(code, Code::Lahf | Code::Sahf) || shown(LAHF_LM);
    let saves = [F::XSAVEC, F::XSAVEOPT].iter().any(|feature| code.cpuid_features().contains(feature));
    (!saves || host_has_xsave())
        && lahf
        && features.all(|&(feature, leaf, subleaf, register, bit, avx)| {
            shown((leaf, subleaf, register, bit)) && !taken_away(feature) && (!avx || host_has_avx())
        })
}

/// Whether `GOEMU_HOST_LACKS` names a feature.
fn taken_away(feature: F) -> bool {
    static NAMES: OnceLock<String> = OnceLock::new();
    let names = NAMES.get_or_init(|| std::env::var("GOEMU_HOST_LACKS").unwrap_or_default());
    let name = format!("{feature:?}");
    !names.is_empty() && names.split(',').any(|taken| taken == "all" || taken == name)
}

/// Whether the processor has AVX and the kernel saves its state.
pub fn host_has_avx() -> bool {
    static AVX: OnceLock<bool> = OnceLock::new();
    *AVX.get_or_init(|| std::is_x86_feature_detected!("avx") && !taken_away(F::AVX))
}

/// Whether the processor has XSAVE and the kernel uses it.
pub fn host_has_xsave() -> bool {
    std::is_x86_feature_detected!("xsave") && !taken_away(F::XSAVE)
}

/// Whether the host is one on which locked instructions across two cache lines trap, or take the whole machine.
pub fn splits_locks_badly() -> bool {
    static BADLY: OnceLock<bool> = OnceLock::new();
    *BADLY.get_or_init(|| {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        info.contains("split_lock_detect") || info.contains("bus_lock_detect")
    })
}

fn shown((leaf, subleaf, register, bit): (u32, u32, usize, u32)) -> bool {
    let highest = __cpuid_count(leaf & 0x8000_0000, 0).eax;
    let answer = __cpuid_count(leaf, subleaf);
    leaf <= highest && [answer.eax, answer.ebx, answer.ecx, answer.edx][register] >> bit & 1 != 0
}

/// Names of the features that the host lacks of those that `codes` need.
pub fn lacking(codes: impl Iterator<Item = Code>) -> Vec<String> {
    let lacking = codes.filter(|&code| !host_has(code));
    let mut names: Vec<String> = lacking.map(|code| format!("{:?}", code.cpuid_features())).collect();
    names.sort();
    names.dedup();
    names
}

/// Says what a test could not prove, although it passes: past the test harness, which keeps what passing tests print.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::codes;

    /// Features that all processors with 64-bit mode have, and those whose instructions do nothing where they are missing.
    const ALWAYS: &[F] = &[
        F::INTEL8086,
        F::INTEL8086_ONLY,
        F::INTEL186,
        F::INTEL286,
        F::INTEL386,
        F::INTEL386_ONLY,
        F::INTEL486,
        F::X64,
        F::FPU,
        F::FPU287,
        F::FPU387,
        F::CPUID,
        F::CMOV,
        F::CX8,
        F::TSC,
        F::RDPMC,
        F::SYSCALL,
        F::CLFSH,
        F::MMX,
        F::FXSR,
        F::SSE,
        F::SSE2,
        F::MULTIBYTENOP,
        F::PAUSE,
        F::UDBG,
        F::D3NOW,
        F::PREFETCHW,
        F::PREFETCHWT1,
        F::MPX,
        F::CET_IBT,
        F::CET_SS,
        F::CLDEMOTE,
        F::HLE_or_RTM,
        F::PREFETCHITI,
    ];

    #[test]
    fn every_feature_of_an_instruction_is_looked_up() {
        let known = |feature: &F| ALWAYS.contains(feature) || FEATURES.iter().any(|row| row.0 == *feature);
        let mut unknown: Vec<F> =
            codes().flat_map(|code| code.cpuid_features().iter().copied()).filter(|f| !known(f)).collect();
        unknown.sort();
        unknown.dedup();
        assert!(unknown.is_empty(), "neither always there nor looked up: {unknown:?}");
    }

    /// Whether an instruction is one on AVX's registers.
    fn vex(code: Code) -> bool {
        let first = code.op_code().op_kinds().first().copied();
        first == Some(iced_x86::OpCodeOperandKind::ymm_reg)
    }

    #[test]
    fn the_table_agrees_with_the_standard_library() {
        let pairs = [
            (Code::VEX_Vaddps_ymm_ymm_ymmm256, std::is_x86_feature_detected!("avx")),
            (Code::VEX_Vpaddd_ymm_ymm_ymmm256, std::is_x86_feature_detected!("avx2")),
            (Code::VEX_Vfmadd132ps_ymm_ymm_ymmm256, std::is_x86_feature_detected!("fma")),
            (Code::Sha1rnds4_xmm_xmmm128_imm8, std::is_x86_feature_detected!("sha")),
            (Code::VEX_Andn_r64_r64_rm64, std::is_x86_feature_detected!("bmi1")),
            (Code::VEX_Pdep_r64_r64_rm64, std::is_x86_feature_detected!("bmi2")),
            (Code::Lzcnt_r64_rm64, std::is_x86_feature_detected!("lzcnt")),
            (Code::Popcnt_r64_rm64, std::is_x86_feature_detected!("popcnt")),
            (Code::Crc32_r64_rm64, std::is_x86_feature_detected!("sse4.2")),
            (Code::Aesenc_xmm_xmmm128, std::is_x86_feature_detected!("aes")),
        ];
        for (code, detected) in pairs {
            let taken = code.cpuid_features().iter().any(|&feature| taken_away(feature));
            assert_eq!(host_has(code), detected && !taken && (!vex(code) || host_has_avx()), "{code:?}");
        }
    }
}
