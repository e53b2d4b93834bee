//! What traces know of functions: names, signatures, what closures capture.

use std::collections::HashMap;
use std::sync::Arc;

use goemu_loader::{Image, Signature};
use iced_x86::{Mnemonic, OpKind, Register};

use crate::decode::decode;
use crate::go::abi::{Assignment, assign};
use crate::memory::Memory;

/// Instructions of a closure that are looked at for captured variables.
const LOOKED_AT: usize = 40;
/// Captured variables that are shown.
const MAX_CAPTURED: usize = 8;

/// A function of the program.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) entry: u64,
    /// The address behind its code.
    pub(super) end: u64,
    /// Its signature and where its values are, where they are known.
    pub(super) typed: Option<(Signature, Assignment)>,
    /// How far below the frame's top the bits of open-coded defers are.
    pub(super) defer_bits: Option<u64>,
    /// It belongs to Go's runtime.
    pub(super) runtime: bool,
}

/// The functions that were met.
#[derive(Default)]
pub(super) struct Functions(HashMap<u64, Arc<Function>>);

impl Functions {
    /// The function whose entry this is.
    pub(super) fn entered(&mut self, image: &Image, entry: u64) -> Option<Arc<Function>> {
        if let Some(function) = self.0.get(&entry) {
            return Some(Arc::clone(function));
        }
        let func = image.func_at(entry).filter(|func| func.entry() == entry)?;
        let signature = image.signature(&func).ok().flatten();
        let typed = signature.and_then(|s| assign(func.abi(), &s).ok().map(|places| (s, places)));
        let name = func.name().to_owned();
        let defer_bits = func.open_coded_defers().map(|defers| defers.bits);
        let runtime = of_runtime(&name);
        let function = Arc::new(Function { name, entry, end: func.end(), typed, defer_bits, runtime });
        self.0.insert(entry, Arc::clone(&function));
        Some(function)
    }
}

/// Whether a function is one of the runtime's packages, or assembly without a package.
fn of_runtime(name: &str) -> bool {
    let packages =
        ["runtime.", "runtime/", "internal/runtime/", "internal/abi.", "internal/bytealg.", "internal/cpu."];
    !name.contains('.') || packages.iter().any(|package| name.starts_with(package))
}

/// The name of the function at an address, or the address.
pub(super) fn name(image: &Image, addr: u64) -> String {
    image.func_at(addr).map_or_else(|| format!("{addr:#x}"), |func| func.name().to_owned())
}

/// The words that a closure has captured, as far as its code shows: it reads them from DX, before DX is
/// anything else.
pub(super) fn captured(memory: &Memory, func: u64, closure: u64) -> Vec<u64> {
    let mut offsets = Vec::new();
    let mut pc = func;
    for _ in 0..LOOKED_AT {
        let Ok(insn) = decode(memory, pc) else { break };
        let has_memory = (0..insn.op_count()).any(|n| insn.op_kind(n) == OpKind::Memory);
        if has_memory && insn.memory_base() == Register::RDX && insn.memory_index() == Register::None {
            offsets.push(insn.memory_displacement64());
        }
        let writes_dx = insn.op0_register().full_register() == Register::RDX
            && !matches!(insn.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
        if writes_dx || insn.mnemonic() == Mnemonic::Ret || insn.is_invalid() {
            break;
        }
        pc = insn.next_ip();
    }
    offsets.sort_unstable();
    offsets.dedup();
    offsets.retain(|offset| (8..1 << 12).contains(offset));
    offsets.truncate(MAX_CAPTURED);
    let word = |offset: u64| memory.read(closure.wrapping_add(offset)).ok().map(u64::from_le_bytes);
    offsets.into_iter().filter_map(word).collect()
}
