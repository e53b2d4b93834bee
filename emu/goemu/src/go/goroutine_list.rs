//! Where Go's runtime keeps all goroutines: `runtime.allgs`, a slice.

use std::collections::BTreeSet;

use goemu_loader::Image;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

/// Its address: by its symbol, or as the slice that `runtime.allgadd` appends to, where symbols were stripped.
pub(crate) fn address(image: &Image) -> Option<u64> {
    image.symbol("runtime.allgs").map(|symbol| symbol.addr).or_else(|| appended_to(image))
}

/// The three words in a row whose addresses the code of `allgadd` names: pointer, length, capacity.
fn appended_to(image: &Image) -> Option<u64> {
    let func = image.funcs_named("runtime.allgadd").into_iter().next()?;
    let code = image.bytes(func.entry(), usize::try_from(func.end().checked_sub(func.entry())?).ok()?)?;
    let insns = Decoder::with_ip(64, code, func.entry(), DecoderOptions::NONE).into_iter();
    let names = |insn: &Instruction| insn.is_ip_rel_memory_operand() && insn.mnemonic() == Mnemonic::Mov;
    let words: BTreeSet<u64> = insns.filter(names).map(|insn| insn.ip_rel_memory_address()).collect();
    words.iter().copied().find(|word| [8, 16].iter().all(|more| words.contains(&(word + more))))
}
