//! What only an x86-64 Linux host has, and what needs `unsafe`: memory that code lies in, the way in and out, signals.

pub(crate) mod code;
pub(crate) mod enter;
pub(crate) mod signals;

use code::CodeMemory;

use crate::Unavailable;

/// Whether translated code can run on this processor under this system.
pub(crate) fn check() -> Result<(), Unavailable> {
    let has = [
        (std::arch::is_x86_feature_detected!("avx2"), "AVX2"),
        (std::arch::is_x86_feature_detected!("bmi2"), "BMI2"),
    ];
    match has.iter().find(|(has, _)| !has) {
        Some((_, name)) => Err(Unavailable::Processor(name)),
        None => Ok(()),
    }
}

/// Whether the system lets it, too, as far as can be said without a guest.
pub(crate) fn check_system() -> Result<(), Unavailable> {
    check()?;
    CodeMemory::new().map_err(Unavailable::CodeMemory)?;
    if signals::install() { Ok(()) } else { Err(Unavailable::Signals) }
}
