//! Instructions as text, in the syntax of Go's assembler, as `go tool objdump` prints them ([`Syntax`] has others).
//!
//! The text is a function of one decoded instruction, its bytes (prefixes are shown in the order in which they
//! stand) and the names of addresses. It follows Go 1.27's tool, byte for byte, wherever that tool decodes
//! (`golang.org/x/arch/x86/x86asm`, `GoSyntax`), oddities of the text included: `CMP` reads from left to right,
//! a 32-bit displacement is shown unsigned (`FS:0xfffffff8`), a byte operation between registers is spelled with
//! an `L`, the SSE instructions `MOVSD` and `CMPSD` are spelled `MOVSD_XMM` and `CMPSD_XMM`.
//!
//! Where it departs from that tool, and why (`cargo xtask objdump-diff` counts these over whole programs, and
//! fails on any other difference; digests of its results are checked in, and compared by xtask's tests):
//!
//! - What the tool shows as `?` although processors know it (BMI, ADX, RDSEED, ENDBR64, VEX forms with an ignored
//!   bit W set, ...) is shown as Go's assembler writes it, and the walk goes on after the whole instruction. The
//!   tool goes on after one byte, and may show text that starts inside the instruction.
//! - The tool takes one byte too many for VZEROUPPER and VZEROALL, and so misses the instruction after them.
//! - The tool takes the displacement of a RIP-relative VEX or EVEX operand for an absolute address: here it is
//!   shown relative to IP, or as the symbol there, as for all other instructions.
//! - The tool may not name a variable (`runtime.zerobase`) where a symbol of no size has the same address.
//! - What no processor executes (LOCK on an instruction that cannot be locked, say) is `?`; the tool may show text.
//! - RDRAND of a 64-bit register, MOV to and from control registers with strange ModRM bytes, and what was defined
//!   as another instruction with a prefix (CLFLUSHOPT, CLWB, WBNOINVD, ...) are shown as what they are.
//!
//! Nothing here reads guest memory or knows of a machine.

mod listing;
mod mnemonic;
mod operand;
mod prefix;
mod syntax;
mod walk;

use core::fmt;

use iced_x86::Instruction;

pub use listing::{Line, Part, disassemble, write_listing, write_part};
use prefix::Prefixes;
pub use syntax::{Formatter, Syntax};
pub(crate) use walk::instructions;
pub use walk::{Decoded, Walk};

/// Names addresses: what the formatter asks for symbols.
pub trait Symbols {
    /// The symbol that contains `address`: its name, and the address where it starts.
    fn symbol(&self, address: u64) -> Option<(&str, u64)>;
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
