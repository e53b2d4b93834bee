//! `internal/cpu.X86`: what the runtime's assembly asks before it uses an instruction.

use crate::facts::layouts;

layouts! {
    /// `internal/cpu.X86`: offsets of its booleans. Before Go 1.12 only parts of the library read it.
    X86 "internal/cpu.X86" {
        aes           "HasAES":       Option<u64> = 9 => 64;
        adx           "HasADX":       Option<u64> = 10 => 65;
        avx           "HasAVX":       Option<u64> = 9 => 65, 10 => 66;
        avx2          "HasAVX2":      Option<u64> = 9 => 66, 10 => 67, 26 => 68;
        avx512f       "HasAVX512F":   Option<u64> = 22 => 68, 26 => 70;
        avx512bw      "HasAVX512BW":  Option<u64> = 22 => 69, 26 => 72;
        avx512vl      "HasAVX512VL":  Option<u64> = 22 => 70, 26 => 74;
        bmi1          "HasBMI1":      Option<u64> = 9 => 67, 10 => 68, 22 => 71, 26 => 83;
        bmi2          "HasBMI2":      Option<u64> = 9 => 68, 10 => 69, 22 => 72, 26 => 84;
        erms          "HasERMS":      Option<u64> = 9 => 69, 10 => 70, 22 => 73, 26 => 85;
        fsrm          "HasFSRM":      Option<u64> = 24 => 74, 26 => 86;
        fma           "HasFMA":       Option<u64> = 10 => 71, 22 => 74, 24 => 75, 26 => 87;
        osxsave       "HasOSXSAVE":   Option<u64> = 9 => 70, 10 => 72, 22 => 75, 24 => 76, 26 => 89;
        pclmulqdq     "HasPCLMULQDQ": Option<u64> = 9 => 71, 10 => 73, 22 => 76, 24 => 77, 26 => 90;
        popcnt        "HasPOPCNT":    Option<u64> = 9 => 72, 10 => 74, 22 => 77, 24 => 78, 26 => 91;
        rdtscp        "HasRDTSCP":    Option<u64> = 18 => 75, 22 => 78, 24 => 79, 26 => 92;
        sha           "HasSHA":       Option<u64> = 20 => 76, 22 => 79, 24 => 80, 26 => 93;
        sse3          "HasSSE3":      Option<u64> = 9 => 74, 10 => 76, 20 => 77, 22 => 80, 24 => 81, 26 => 94;
        ssse3         "HasSSSE3":     Option<u64> = 9 => 75, 10 => 77, 20 => 78, 22 => 81, 24 => 82, 26 => 95;
        sse41         "HasSSE41":     Option<u64> = 9 => 76, 10 => 78, 20 => 79, 22 => 82, 24 => 83, 26 => 96;
        sse42         "HasSSE42":     Option<u64> = 9 => 77, 10 => 79, 20 => 80, 22 => 83, 24 => 84, 26 => 97;
    }
}
