//! Levels of the architecture: what CPUID may show.

/// A level of the x86-64 psABI, and what processors of that time had besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The first x86-64 processors: SSE2.
    V1,
    /// To SSE4.2 and POPCNT, with AES and PCLMULQDQ.
    V2,
    /// To AVX2, FMA, BMI1 and BMI2, with ADX, SHA and RDRAND.
    #[default]
    V3,
}
