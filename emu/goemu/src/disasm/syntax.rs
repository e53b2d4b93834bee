//! Instructions in the syntaxes of Intel's manual and of the GNU assembler, followed by the names of the addresses that they
//! refer to, as in `objdump`.

use core::fmt::{self, Write};

use iced_x86::{Formatter as _, FormatterOptions, GasFormatter, Instruction, IntelFormatter};

use super::{Symbols, write_go_syntax};

/// How instructions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// As Go's assembler and `go tool objdump` write them.
    #[default]
    Go,
    /// As Intel's manual writes them: destination first, `mov rax, [rsp+8]`.
    Intel,
    /// As the GNU assembler writes them: destination last, `mov 8(%rsp),%rax`.
    Gnu,
}

/// Writes instructions in one syntax.
pub struct Formatter<'s> {
    kind: Kind,
    symbols: &'s dyn Symbols,
}

enum Kind {
    Go,
    Intel(Box<IntelFormatter>),
    Gnu(Box<GasFormatter>),
}

impl<'s> Formatter<'s> {
    /// A formatter that names addresses by `symbols`.
    #[must_use]
    pub fn new(syntax: Syntax, symbols: &'s dyn Symbols) -> Formatter<'s> {
        let kind = match syntax {
            Syntax::Go => Kind::Go,
            Syntax::Intel => {
                let mut formatter = IntelFormatter::new();
                set(formatter.options_mut());
                Kind::Intel(Box::new(formatter))
            }
            Syntax::Gnu => {
                let mut formatter = GasFormatter::new();
                set(formatter.options_mut());
                Kind::Gnu(Box::new(formatter))
            }
        };
        Formatter { kind, symbols }
    }

    /// Writes one instruction, without a line end.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn write(&mut self, out: &mut String, insn: &Instruction, bytes: &[u8]) -> fmt::Result {
        match &mut self.kind {
            Kind::Go => return write_go_syntax(out, insn, bytes, self.symbols),
            Kind::Intel(formatter) => formatter.format(insn, out),
            Kind::Gnu(formatter) => formatter.format(insn, out),
        }
        let branches = insn.near_branch_target();
        if branches != 0 {
            self.write_name(out, " ", branches)
        } else if insn.is_ip_rel_memory_operand() {
            write!(out, "  # {:#x}", insn.ip_rel_memory_address())?;
            self.write_name(out, " ", insn.ip_rel_memory_address())
        } else {
            Ok(())
        }
    }

    /// `<main.f1+0x10>`
    fn write_name(&self, out: &mut String, before: &str, address: u64) -> fmt::Result {
        match self.symbols.symbol(address) {
            Some((name, start)) if start == address => write!(out, "{before}<{name}>"),
            Some((name, start)) => write!(out, "{before}<{name}+{:#x}>", address.wrapping_sub(start)),
            None => Ok(()),
        }
    }
}

/// Numbers as C has them.
fn set(options: &mut FormatterOptions) {
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_space_after_operand_separator(true);
    options.set_rip_relative_addresses(true);
    options.set_branch_leading_zeros(false);
    options.set_small_hex_numbers_in_decimal(false);
    options.set_show_branch_size(false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    struct One;

    impl Symbols for One {
        fn symbol(&self, address: u64) -> Option<(&str, u64)> {
            (0x1000..0x1100).contains(&address).then_some(("main.f", 0x1000))
        }
    }

    #[test]
    fn instructions_in_each_syntax() {
        for (bytes, go, intel, gnu) in [
            (
                &[0x48, 0x8b, 0x44, 0x24, 8][..],
                "MOVQ 0x8(SP), AX",
                "mov rax, [rsp+0x8]",
                "mov 0x8(%rsp), %rax",
            ),
            (
                &[0xe8, 0xfb, 0xff, 0xff, 0xff],
                "CALL main.f(SB)",
                "call 0x1000 <main.f>",
                "call 0x1000 <main.f>",
            ),
            (&[0x74, 0x0e], "JE 0x1010", "je 0x1010 <main.f+0x10>", "je 0x1010 <main.f+0x10>"),
            (
                &[0x48, 0x8d, 0x05, 0xf9, 0, 0, 0],
                "LEAQ 0xf9(IP), AX",
                "lea rax, [rip+0xf9]  # 0x1100",
                "lea 0xf9(%rip), %rax  # 0x1100",
            ),
            (&[0xf2, 0x0f, 0x58, 0xc1], "ADDSD X1, X0", "addsd xmm0, xmm1", "addsd %xmm1, %xmm0"),
            (&[0x06], "?", "(bad)", "(bad)"),
        ] {
            let insn = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
            for (syntax, expected) in [(Syntax::Go, go), (Syntax::Intel, intel), (Syntax::Gnu, gnu)] {
                let mut text = String::new();
                Formatter::new(syntax, &One).write(&mut text, &insn, bytes).unwrap();
                assert_eq!(text, expected);
            }
        }
    }
}
