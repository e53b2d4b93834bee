//! `goemu disasm`: functions as listings.

use std::io::Write;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use goemu::disasm::{Part, Syntax, write_object, write_part};
use goemu::go::names;
use goemu::{Func, Image, pattern};
use goemu_loader::ObjectListing;

use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::{completions, output};

/// Disassemble functions, as `go tool objdump` does
///
/// Columns: source line, address, bytes, and the instruction in the syntax of Go's assembler.
///
/// A target is a function's name or an end of it, a pattern of names with * and ?, an address (the function
/// around it is listed), or a range of addresses (the instructions in it are listed).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu disasm main.f1
  goemu disasm --syntax intel main.f1 f2
  goemu disasm -b prog 'main.*'
  goemu disasm -b prog 0x45e1a0
  goemu disasm -b prog 0x45e1a0-0x45e1c0 0x45e200+32
  goemu disasm -b prog.o --relocs 'main.*'")]
pub(crate) struct Args {
    /// Functions: names, patterns of names, addresses, or ranges of addresses
    #[arg(required = true, value_name = "TARGET", add = completions::functions())]
    targets: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    /// How instructions are written
    #[arg(long, value_name = "SYNTAX", default_value = "go")]
    syntax: Style,
    /// List an object file as it lies there, before it is linked, with what a linker is to fill in: [1:5]R_CALL:main.f
    #[arg(long)]
    relocs: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Style {
    /// As Go's assembler and `go tool objdump`
    Go,
    /// As Intel's manual, destination first
    Intel,
    /// As the GNU assembler, destination last
    Gnu,
}

impl From<Style> for Syntax {
    fn from(style: Style) -> Syntax {
        match style {
            Style::Go => Syntax::Go,
            Style::Intel => Syntax::Intel,
            Style::Gnu => Syntax::Gnu,
        }
    }
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    if args.relocs {
        return object(args);
    }
    let image = args.binary.open()?;
    confine(&Needs::nothing());
    let mut out = output::plain();
    let mut blank = "";
    for target in &args.targets {
        let (funcs, within) = find(&image, target)?;
        let part = Part { syntax: args.syntax.into(), within };
        for func in funcs {
            let mut listing = String::new();
            write_part(&mut listing, &image, &func, &part)?;
            write!(out, "{blank}{listing}")?;
            blank = "\n";
        }
    }
    out.flush()?;
    Ok(0)
}

/// Lists functions of an object file. Its release decides how names are written: `main.f`, `"".f`, `%22%22.f`.
fn object(args: &Args) -> Result<u8> {
    let file = args.binary.only().context("--relocs lists an object file: -b FILE.o")?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    confine(&Needs::nothing());
    let objects = ObjectListing::read(&bytes).with_context(|| file.display().to_string())?;
    let mut out = output::plain();
    let mut blank = "";
    for target in &args.targets {
        let mut found = false;
        for object in &objects {
            for func in object.funcs.iter().filter(|func| means(target, &func.name)) {
                let mut listing = String::new();
                write_object(&mut listing, object, func, args.syntax.into())?;
                write!(out, "{blank}{listing}")?;
                (blank, found) = ("\n", true);
            }
        }
        if !found {
            bail!("no function {} in the object; '*' lists all", output::escaped(target));
        }
    }
    out.flush()?;
    Ok(0)
}

/// Whether a target means a function of an object: its name, an end of it, or a pattern.
fn means(target: &str, name: &str) -> bool {
    let plain = name.replace("%22%22.", "main.");
    [name, &plain].iter().any(|name| {
        let end = name.strip_suffix(target);
        pattern::matches(target, name) && target.contains(['*', '?'])
            || end.is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '/']))
    })
}

/// The functions that a target means, and the addresses that are wanted of them.
fn find<'i>(image: &'i Image, target: &str) -> Result<(Vec<Func<'i>>, Range<u64>)> {
    let all = 0..u64::MAX;
    if let Some(within) = range(target)? {
        let mut funcs =
            image.funcs().filter(|func| func.entry() < within.end && func.end() > within.start).peekable();
        if funcs.peek().is_none() {
            bail!(names::no_function_at(image, within.start));
        }
        return Ok((funcs.collect(), within));
    }
    if let Some(address) = hex(target) {
        let around = image.func_at(address).ok_or_else(|| names::no_function_at(image, address))?;
        return Ok((vec![around], all));
    }
    match names::find(image, target) {
        Err(_) if target.contains(['*', '?']) => {
            let funcs: Vec<_> = image.funcs().filter(|func| pattern::matches(target, func.name())).collect();
            if funcs.is_empty() {
                bail!("no functions {target}; `goemu funcs` lists all");
            }
            Ok((funcs, all))
        }
        found => Ok((vec![found?], all)),
    }
}

/// `0x45e1a0-0x45e1c0`, or `0x45e1a0+32`: from an address up to another, or so many bytes.
fn range(target: &str) -> Result<Option<Range<u64>>> {
    let Some((from, to)) = target.split_once(['-', '+']) else { return Ok(None) };
    let Some(start) = hex(from) else { return Ok(None) };
    let number = hex(to).or_else(|| to.parse().ok());
    let by_length = target.contains('+');
    let end = number.and_then(|number| if by_length { start.checked_add(number) } else { Some(number) });
    match end {
        Some(end) if end > start => Ok(Some(start..end)),
        _ => bail!("{target} is no range of addresses: write 0x45e1a0-0x45e1c0 or 0x45e1a0+32"),
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("0x10-0x20", Some(Some(0x10..0x20))),
            ("0x10+32", Some(Some(0x10..0x30))),
            ("0x10+0x8", Some(Some(0x10..0x18))),
            ("0x10-32", Some(Some(0x10..0x20))),
            ("0x10", Some(None)),
            ("main.a-b", Some(None)),
            ("0x20-0x10", None),
            ("0x10-", None),
            ("0xffffffffffffffff+1", None),
        ] {
            assert_eq!(range(text).ok(), expected, "{text}");
        }
    }
}
