//! The page that macOS shows every process (`osfmk/i386/cpu_capabilities.h`): programs ask it for the processor's features.

use std::sync::Arc;

use goemu_loader::{Image, Os};

use crate::memory::{Memory, PAGE, Perm};

/// Where it is.
const COMMPAGE: u64 = 0x7fff_ffe0_0000;

/// Shows it, of a system with one processor. It claims no features: CPUID has them, and AVX-512, which is to be looked
/// for here, a thread of macOS only has after it has asked for it.
pub(crate) fn set_up(image: &Image, memory: &mut Memory) {
    if image.target().os != Os::Darwin {
        return;
    }
    let mut page = [0; PAGE as usize];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"commpage 64-bit\0");
    put(0x1e, &14_u16.to_le_bytes());
    // Processors: all of them, active, physical, logical.
    put(0x22, &[1]);
    put(0x26, &64_u16.to_le_bytes());
    put(0x34, &[1, 1, 1]);
    put(0x38, &memory.limit().to_le_bytes());
    memory.show_far(COMMPAGE, Perm::READ, Arc::new(page), 0..PAGE as usize);
}
