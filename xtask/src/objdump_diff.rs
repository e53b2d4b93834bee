//! The disassembler against `go tool objdump`, over the whole text of programs.

mod digests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use goemu::disasm::{Line, disassemble};
use goemu_loader::{Func, Image};

use crate::run;
use digests::Digest;

/// Arguments of `cargo xtask objdump-diff`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs with a symbol table.
    #[arg(required = true)]
    binaries: Vec<PathBuf>,
    /// The tool, built by `go build -o PATH cmd/objdump`, of Go 1.27.
    #[arg(long)]
    objdump: PathBuf,
    /// Record a digest of every function's listing in testdata/disasm, for the tests.
    #[arg(long)]
    digests: bool,
}

/// Compares every instruction that the tool prints; fails where one differs without a known reason.
pub(crate) fn main(args: &Args) -> Result<()> {
    let mut wrong = 0;
    for binary in &args.binaries {
        let image = Image::open(binary).with_context(|| format!("cannot open {}", binary.display()))?;
        let listing = run::output(&mut run::command(&args.objdump, [binary]))?;
        let (counts, digests) = compare(&image, &listing)?;
        println!("{}: {} functions, {counts:?}", binary.display(), digests.len());
        match counts.get(&Verdict::Different) {
            Some(different) => wrong += different,
            None if args.digests => digests::write(binary, &image, &digests)?,
            None => {}
        }
    }
    if wrong != 0 {
        bail!("{wrong} instructions differ");
    }
    Ok(())
}

/// What became of one instruction of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Equal,
    /// The tool prints `?`.
    UnknownToTool,
    /// The tool is inside another instruction, after one that it did not know or took for longer.
    Skipped,
    /// The tool takes the next byte with VZEROUPPER or VZEROALL.
    Vzero,
    /// The tool does not name a symbol, because one without a size is at the same address.
    Hidden,
    /// The tool takes the displacement of a VEX or EVEX operand that is relative to IP for an address.
    IpRelative,
    Different,
}

/// A line of the tool: position, bytes and text.
type ToolLine<'t> = (&'t str, &'t str, &'t str);

fn compare(image: &Image, listing: &str) -> Result<(BTreeMap<Verdict, usize>, Vec<Digest>)> {
    let (mut counts, mut digests) = (BTreeMap::new(), Vec::new());
    let mut shown = 20;
    let hidden = hidden(image);
    for function in listing.split("\n\n") {
        let (entry, tool) = parse(function)?;
        let Some(func) = image.func_at(entry).filter(|func| func.entry() == entry) else {
            bail!("no function at {entry:#x}");
        };
        let mut all_equal = true;
        for ours in disassemble(image, &func) {
            let theirs = tool.get(&ours.address).copied();
            let verdict = judge(&ours, theirs, &hidden);
            all_equal &= verdict == Verdict::Equal;
            *counts.entry(verdict).or_insert(0) += 1;
            if verdict == Verdict::Different && shown > 0 {
                shown -= 1;
                println!("{theirs:?}\n  is here {ours:x?}");
            }
        }
        digests.push(digest(image, &func, function, all_equal)?);
    }
    Ok((counts, digests))
}

/// The digest of one function; where all its instructions are equal, the whole listing has to be.
fn digest(image: &Image, func: &Func<'_>, tool: &str, all_equal: bool) -> Result<Digest> {
    let ours = digests::listing(image, func)?;
    let of_tool = ours == tool.trim_end_matches('\n');
    if all_equal && !of_tool {
        bail!("{}: the same instructions, but not the same listing", func.name());
    }
    Ok(Digest { entry: func.entry(), of_tool, hash: digests::hash(&ours) })
}

/// The address of a function's first instruction, and its instructions by address.
fn parse(function: &str) -> Result<(u64, HashMap<u64, ToolLine<'_>>)> {
    let mut first = None;
    let mut lines = HashMap::new();
    for line in function.lines().skip_while(|line| !line.starts_with("TEXT ")).skip(1) {
        let cells: Vec<&str> = line.split('\t').filter(|cell| !cell.is_empty()).collect();
        let &[position, address, bytes, text] = cells.as_slice() else { bail!("not a line: {line:?}") };
        let hex = address.strip_prefix("0x").context("an address without 0x")?;
        let address = u64::from_str_radix(hex, 16)?;
        first.get_or_insert(address);
        lines.insert(address, (position.trim_start(), bytes, text));
    }
    Ok((first.context("a function without instructions")?, lines))
}

/// The names of symbols that the tool may not find.
fn hidden(image: &Image) -> Vec<&str> {
    let empty: HashSet<u64> =
        image.symbols().filter(|symbol| symbol.size == 0).map(|symbol| symbol.addr).collect();
    let sized = image.symbols().filter(|symbol| symbol.size != 0);
    sized.filter(|symbol| empty.contains(&symbol.addr)).map(|symbol| symbol.name).collect()
}

fn judge(ours: &Line<'_>, theirs: Option<ToolLine<'_>>, hidden: &[&str]) -> Verdict {
    let Some((position, bytes, text)) = theirs else { return Verdict::Skipped };
    let our_bytes: String = ours.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let same_position = position == ours.position();
    let vector = matches!(ours.bytes.first(), Some(0xc4 | 0xc5 | 0x62));
    match text {
        _ if same_position && bytes == our_bytes && text == ours.text => Verdict::Equal,
        "?" if same_position && our_bytes.starts_with(bytes) => Verdict::UnknownToTool,
        "VZEROUPPER" | "VZEROALL" if text == ours.text => Verdict::Vzero,
        _ if bytes == our_bytes && !text.contains("(SB)") && names_one_of(&ours.text, hidden) => {
            Verdict::Hidden
        }
        _ if vector && bytes == our_bytes && is_ip_relative(ours) => Verdict::IpRelative,
        _ => Verdict::Different,
    }
}

fn names_one_of(text: &str, names: &[&str]) -> bool {
    let named = text.split([' ', ',', '$']).find_map(|word| word.strip_suffix("(SB)"));
    named.is_some_and(|named| names.iter().any(|name| named.starts_with(name)))
}

/// Whether the ModRM byte of a VEX or EVEX instruction says that memory is relative to IP.
fn is_ip_relative(ours: &Line<'_>) -> bool {
    let modrm = match ours.bytes.first() {
        Some(0xc5) => 3,
        Some(0xc4) => 4,
        _ => 5,
    };
    ours.bytes.get(modrm).is_some_and(|modrm| modrm & 0xc7 == 5)
}
