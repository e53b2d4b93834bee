//! Instructions as text, in the syntax of Go's assembler, as `go tool objdump` prints them ([`Syntax`] has others).
//!
//! The text depends on one decoded instruction, its bytes (prefixes are shown in their order) and the names of
//! addresses. It equals that of Go 1.27's tool, byte for byte, for all instructions that the tool decodes
//! (`golang.org/x/arch/x86/x86asm`, `GoSyntax`), including the oddities: `CMP` reads from left to right,
//! a 32-bit displacement is unsigned (`FS:0xfffffff8`), a byte operation between registers is spelled with
//! an `L`, the SSE instructions `MOVSD` and `CMPSD` are spelled `MOVSD_XMM` and `CMPSD_XMM`.
//!
//! Differences from that tool (`cargo xtask objdump-diff` counts these over whole programs, and
//! fails on any other difference; digests of its results are checked in, and compared by xtask's tests):
//!
//! - Instructions that the tool shows as `?` although processors know them (BMI, ADX, RDSEED, ENDBR64, VEX forms with an
//!   ignored bit W set, ...) are shown in the syntax of Go's assembler, and decoding continues after them. The
//!   tool continues after one byte, and may show text that starts inside the instruction.
//! - The tool takes one byte too many for VZEROUPPER and VZEROALL, and so misses the instruction after them.
//! - The tool takes the displacement of a RIP-relative VEX or EVEX operand for an absolute address: here it is
//!   shown relative to IP, or as the symbol there, as for all other instructions.
//! - The tool may not name a variable (`runtime.zerobase`) if a symbol of size 0 has the same address.
//! - Encodings that no processor executes (LOCK on an instruction that cannot be locked, say) are `?`; the tool may show text.
//! - RDRAND of a 64-bit register, MOV to and from control registers with unusual ModRM bytes, and instructions that were
//!   defined as another instruction with a prefix (CLFLUSHOPT, CLWB, WBNOINVD, ...) are shown by their own names.
//!
//! This module does not read guest memory and knows no machine.

mod listing;
mod mnemonic;
mod operand;
mod prefix;
mod syntax;
mod walk;

use core::fmt;

use iced_x86::Instruction;

pub use listing::{Line, Part, disassemble, write_listing, write_object, write_part};
use prefix::Prefixes;
pub use syntax::{Formatter, Syntax};
pub use walk::{Decoded, Walk};
pub(crate) use walk::{code_of, instructions};

/// Names addresses for the formatter.
pub trait Symbols {
    /// The symbol that contains `address`: its name, and the address where it starts.
    fn symbol(&self, address: u64) -> Option<(&str, u64)>;

    /// Whether comparisons have their operands in the order of other instructions, as Go's tools had them up to 1.20.
    fn has_reversed_compares(&self) -> bool {
        false
    }
}

/// No symbols: all addresses are shown as numbers.
impl Symbols for () {
    fn symbol(&self, _: u64) -> Option<(&str, u64)> {
        None
    }
}

impl<S: Symbols + ?Sized> Symbols for &S {
    fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        (**self).symbol(address)
    }

    fn has_reversed_compares(&self) -> bool {
        (**self).has_reversed_compares()
    }
}

/// One instruction as text; see [`write_go_syntax`].
#[must_use]
pub fn go_syntax(insn: &Instruction, bytes: &[u8], symbols: &dyn Symbols) -> String {
    let mut text = String::with_capacity(48);
    // A String takes everything.
    let _ = write_go_syntax(&mut text, insn, bytes, symbols);
    text
}

/// Writes one instruction in Go's assembler syntax, without a line end, allocating nothing.
///
/// `insn` was decoded at its address ([`Instruction::ip`]) from `bytes`, which may be longer than it is. An
/// instruction that could not be decoded is written `?`.
///
/// # Errors
/// Only those of `out`.
pub fn write_go_syntax(
    out: &mut dyn fmt::Write,
    insn: &Instruction,
    bytes: &[u8],
    symbols: &dyn Symbols,
) -> fmt::Result {
    if insn.is_invalid() {
        return out.write_str("?");
    }
    let prefixes = Prefixes::scan(insn, bytes);
    prefixes.write(out)?;
    mnemonic::write(out, insn, &prefixes)?;
    operand::write_all(out, insn, &prefixes, symbols)
}
