//! The second engine: guest code runs on the host's own processor, copied, in a sandbox.
//!
//! The guest's instructions are the host's, so nothing is compiled: hot blocks are copied, with GS before each operand in
//! memory (its base is where the guest's space begins) and checks where an address is not known to be harmless. The
//! interpreter stays the authority for everything that is not plain: where the host refuses an instruction, where one is not
//! copied, where fuel is spent, code leaves with the state of that very instruction, and the interpreter goes on with it.
//! So faults, first writes to pages, changed code and counts are the interpreter's, to the instruction.
//!
//! `unit` finds blocks and emits them, `copy` the single instructions, `facts` is what makes checks unnecessary, `cache` keeps
//! the code, `host` has all that is `unsafe`. On other hosts than x86-64 Linux there is no [`Translator`] to be had.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod cache;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod copy;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod emit;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod engine;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod facts;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod host;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod kind;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod layout;
#[cfg(test)]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tests;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod transfer;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod unit;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use engine::{Look, Translator};
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use host::signals::ThreadSignals;

/// How the signals of this thread are handled, which is nobody's business on this host.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub struct ThreadSignals;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
impl ThreadSignals {
    /// Nothing.
    pub fn hold() -> Option<ThreadSignals> {
        None
    }

    /// Nowhere.
    pub fn are_held() -> bool {
        false
    }
}

/// Why code cannot be translated here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The host is another.
    #[error("translated code needs an x86-64 Linux host")]
    Host,
    /// The host's processor is older.
    #[error("translated code needs a processor with {0}")]
    Processor(&'static str),
    /// The host gives no memory that code can run in.
    #[error("the host allows no executable memory: {0}")]
    CodeMemory(std::io::Error),
    /// The host's signal handlers cannot be set.
    #[error("the host allows no signal handlers")]
    Signals,
    /// The guest's space lies without guards.
    #[error("the host has no room for guards around the guest's space (look at `ulimit -v`)")]
    Guards,
}

/// Whether code can be translated here, as far as can be said without a guest.
///
/// # Errors
/// Why not.
pub fn check() -> Result<(), Unavailable> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return host::check_system();
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    Err(Unavailable::Host)
}

/// Whether translated code can run in this memory: the host has given it room for guards.
///
/// # Errors
/// [`Unavailable::Guards`] where not.
pub fn check_memory(memory: &goemu_memory::Memory) -> Result<(), Unavailable> {
    if memory.can_host_code() { Ok(()) } else { Err(Unavailable::Guards) }
}
