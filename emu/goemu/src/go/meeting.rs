//! Where goroutines meet: atomic instructions of the user's code and of package sync, and where functions of channels and locks begin.
//! A schedule that breaks a program is most often one that stops a goroutine right after such a place.

use std::sync::Arc;

use goemu_loader::Image;

use super::own::OwnCode;
use crate::memory::Memory;

/// Functions of the runtime that are called for channels.
const CHANNELS: [&str; 7] = [
    "runtime.chansend1",
    "runtime.chanrecv1",
    "runtime.chanrecv2",
    "runtime.closechan",
    "runtime.selectgo",
    "runtime.selectnbsend",
    "runtime.selectnbrecv",
];
/// Packages whose functions are called for locks and the like.
const PACKAGES: [&str; 3] = ["sync.", "sync/atomic.", "internal/sync."];

/// These places of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meetings {
    /// Code whose atomic instructions count: not the runtime's own.
    code: OwnCode,
    /// Where functions begin, in order.
    calls: Arc<[u64]>,
}

impl Meetings {
    pub(crate) fn of(image: &Image, own: &OwnCode) -> Meetings {
        let of_sync = |name: &str| PACKAGES.iter().any(|package| name.starts_with(package));
        let sync = OwnCode::with(image, |func| of_sync(func.name()));
        let mut calls: Vec<u64> = image
            .defined_funcs()
            .filter(|func| of_sync(func.name()) || CHANNELS.contains(&func.name()))
            .map(|func| func.entry())
            .collect();
        calls.sort_unstable();
        Meetings { code: own.and(&sync), calls: calls.into() }
    }

    /// Whether an instruction is such a place.
    pub(crate) fn has(&self, memory: &Memory, pc: u64) -> bool {
        if self.calls.binary_search(&pc).is_ok() {
            return true;
        }
        self.code.has(pc) && memory.read(pc).is_ok_and(is_atomic)
    }
}

/// Whether code begins with LOCK, or is an XCHG with memory.
fn is_atomic(code: [u8; 4]) -> bool {
    const LOCK: u8 = 0xf0;
    match code {
        [LOCK, ..] | [0x66, LOCK, ..] => true,
        [0x40..=0x4f, 0x86 | 0x87, modrm, _] | [0x86 | 0x87, modrm, ..] => modrm < 0xc0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_atomic;

    #[test]
    fn atomic_instructions_are_known() {
        // LOCK CMPXCHG [RDX], ECX; LOCK XADD [RAX], RCX; XCHG [RCX], RAX; XCHG [RCX], EAX
        let atomic =
            [[0xf0, 0x0f, 0xb1, 0x0a], [0xf0, 0x48, 0x0f, 0xc1], [0x48, 0x87, 0x01, 0], [0x87, 0x01, 0, 0]];
        assert!(atomic.into_iter().all(is_atomic));
        // XCHG RAX, RBX; MOV RAX, [RCX]; NOP
        let plain = [[0x48, 0x87, 0xc3, 0], [0x48, 0x8b, 0x01, 0], [0x90, 0, 0, 0]];
        assert!(!plain.into_iter().any(is_atomic));
    }
}
