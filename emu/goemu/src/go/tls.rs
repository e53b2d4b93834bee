//! Where code finds `g` in the thread-local block of ELF systems.
//!
//! The Go linker puts it at FS:-8. A C linker puts it among C's own thread-local variables, and on Android it is in a
//! slot that a variable names. So the program is asked: the first access through FS in a function that has one.

use goemu_loader::{Image, Os};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use crate::memory::{Memory, MemoryError};

/// Functions that load `g` from there in every release, where their names are known.
const WITNESSES: [&str; 3] = ["runtime.morestack", "runtime.systemstack", "runtime.asmcgocall"];
/// How much of them is looked at.
const MAX_BYTES: usize = 256;
/// What is believed: larger blocks are no C library's.
const PLAUSIBLE: std::ops::Range<i64> = -0x4000..0x1000;

/// Bytes of a thread's block where C has variables in it: the variables below the thread pointer, C's own record above.
pub(crate) const BLOCK: u64 = 0x6000;
const POINTER: u64 = 0x4000;

/// Makes zeroed memory a thread's block, in which the thread pointer points to itself; says what that is.
pub(crate) fn prepare(memory: &mut Memory, block: u64) -> Result<u64, MemoryError> {
    let pointer = block + POINTER;
    for at in [0, 0x10] {
        memory.poke(pointer + at, &pointer.to_le_bytes())?;
    }
    Ok(pointer)
}

/// Whether `g` has a place that Go's linker would not give it, among C's variables.
pub(crate) fn is_among_cs(image: &Image) -> bool {
    image.target().os == Os::Linux && slot(image) != image.facts().linux_tls_g()
}

/// The offset of `g`'s slot from the thread pointer (FS).
pub(crate) fn slot(image: &Image) -> i64 {
    let funcs = WITNESSES.iter().flat_map(|name| image.funcs_named(name));
    let mut slots = funcs.filter_map(|func| {
        let size = usize::try_from(func.end().saturating_sub(func.entry())).ok()?.min(MAX_BYTES);
        first_access(image, func.entry(), image.bytes(func.entry(), size)?)
    });
    let slot = slots.find(|slot| PLAUSIBLE.contains(slot) && slot % 8 == 0);
    slot.unwrap_or(image.facts().linux_tls_g())
}

/// The offset of the first access through FS: `MOVQ FS:disp, reg`, or with a register that was loaded before
/// (`MOVQ $disp, reg`, `MOVQ slot(SB), reg`). The thread pointer itself is at FS:0, and may be loaded before that
/// (illumos); `g` is never there.
fn first_access(image: &Image, entry: u64, code: &[u8]) -> Option<i64> {
    let mut known: Option<(Register, i64)> = None;
    for insn in &mut Decoder::with_ip(64, code, entry, DecoderOptions::NONE) {
        if insn.segment_prefix() == Register::FS {
            let displacement = insn.memory_displacement64() as i64;
            return match insn.memory_base() {
                Register::None if displacement == 0 => continue,
                Register::None => Some(displacement),
                base => {
                    known.filter(|(register, _)| *register == base).map(|(_, value)| value + displacement)
                }
            };
        }
        known = loaded(image, &insn).or(known);
    }
    None
}

/// The register that an instruction loads with a value that the file tells.
fn loaded(image: &Image, insn: &Instruction) -> Option<(Register, i64)> {
    if insn.mnemonic() != Mnemonic::Mov || insn.op0_kind() != OpKind::Register {
        return None;
    }
    let value = match insn.op1_kind() {
        OpKind::Immediate32to64 => insn.immediate32to64(),
        OpKind::Memory if insn.is_ip_rel_memory_operand() => {
            image.read_u64(insn.ip_rel_memory_address())? as i64
        }
        _ => return None,
    };
    PLAUSIBLE.contains(&value).then_some((insn.op0_register(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_pointer_is_not_the_slot() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27-stripped");
        let image = Image::open(path).expect("a fixture");
        // MOVQ FS:0, R14; MOVQ FS:-8, R14
        let code = b"\x64\x4c\x8b\x34\x25\0\0\0\0\x64\x4c\x8b\x34\x25\xf8\xff\xff\xff";
        assert_eq!(first_access(&image, 0x1000, code), Some(-8));
        assert_eq!(first_access(&image, 0x1000, &code[9..]), Some(-8));
        assert_eq!(first_access(&image, 0x1000, &code[..9]), None);
        // MOVQ $-64, CX; MOVQ FS:(CX), CX
        let android = b"\x48\xc7\xc1\xc0\xff\xff\xff\x64\x48\x8b\x09";
        assert_eq!(first_access(&image, 0x1000, android), Some(-64));
    }
}
