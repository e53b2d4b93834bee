//! `goemu disasm`: functions as listings.

use std::io::Write;

use anyhow::Result;
use goemu::disasm::write_listing;
use goemu::go::names;

use crate::binary::Binary;
use crate::{completions, output};

/// Disassemble functions, as `go tool objdump` does
///
/// Columns: source line, address, bytes, and the instruction in the syntax of Go's assembler.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu disasm main.f1
  goemu disasm -b prog 0x45e1a0")]
pub(crate) struct Args {
    /// Functions: names, ends of names, or addresses
    #[arg(required = true, value_name = "FUNC", add = completions::functions())]
    funcs: Vec<String>,
    #[command(flatten)]
    binary: Binary,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let mut out = output::stdout();
    for (index, name) in args.funcs.iter().enumerate() {
        let func = names::find(&image, name)?;
        let mut listing = String::new();
        write_listing(&mut listing, &image, &func)?;
        let blank = if index > 0 { "\n" } else { "" };
        write!(out, "{blank}{listing}")?;
    }
    out.flush()?;
    Ok(0)
}
