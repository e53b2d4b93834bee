//! Functions of an image as listings, printed as `go tool objdump -s` prints them.

use core::fmt::{self, Write};
use core::ops::Range;

use goemu_loader::{Func, Image};
use iced_x86::Mnemonic;

use super::{Formatter, Symbols, Syntax, Walk};

/// Longest instruction of the architecture, in bytes.
const MAX_INSN: usize = 15;

/// One instruction of a function, or one byte that starts none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'i> {
    /// Its source line, if the image has it.
    pub source: Option<goemu_loader::Line<'i>>,
    /// Guest address.
    pub address: u64,
    /// The bytes of the instruction.
    pub bytes: &'i [u8],
    /// The instruction in Go's assembler syntax.
    pub text: String,
}

/// Names from the file's symbols, or from Go's function table if the file has none.
impl Symbols for Image {
    fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        let symbol = self.symbol_at(address);
        if self.symbols().next().is_some() {
            return symbol.filter(|symbol| symbol.size != 0).map(|symbol| (symbol.name, symbol.addr));
        }
        let func = || self.func_at(address).map(|func| (func.name(), func.entry()));
        symbol.map(|symbol| (symbol.name, symbol.addr)).or_else(func)
    }
}

/// The instructions of `func`, in order, without the padding after it.
pub fn disassemble<'i>(image: &'i Image, func: &Func<'i>) -> impl Iterator<Item = Line<'i>> + use<'i> {
    lines(image, func, Formatter::new(Syntax::Go, image))
}

fn lines<'i>(
    image: &'i Image,
    func: &Func<'i>,
    mut formatter: Formatter<'i>,
) -> impl Iterator<Item = Line<'i>> + use<'i> {
    let (entry, size) = extent(image, func);
    let (end, mut sources) = (func.end(), func.lines());
    Walk::new(code(image, entry, size), entry, size).map(move |step| {
        let address = step.insn.ip();
        let mut text = String::with_capacity(48);
        // A String takes everything.
        let _ = formatter.write(&mut text, &step.insn, step.bytes);
        // A symbol may be longer than the function.
        let source = if address < end { sources.at(address) } else { image.line_at(address) };
        Line { source, address, bytes: step.bytes, text }
    })
}

/// Which instructions of a function are listed, and how.
#[derive(Clone, Debug)]
pub struct Part {
    /// How instructions are written.
    pub syntax: Syntax,
    /// Only instructions that have a byte in this range of addresses.
    pub within: Range<u64>,
}

impl Default for Part {
    /// All of it in Go's syntax.
    fn default() -> Part {
        Part { syntax: Syntax::Go, within: 0..u64::MAX }
    }
}

/// Writes the listing of `func`: a line `TEXT name(SB) file`, and one for each instruction, in columns.
///
/// # Errors
/// Only those of `out`.
pub fn write_listing(out: &mut dyn Write, image: &Image, func: &Func<'_>) -> fmt::Result {
    write_part(out, image, func, &Part::default())
}

/// Writes a part of the listing of `func`, under the same heading.
///
/// # Errors
/// Only those of `out`.
pub fn write_part(out: &mut dyn Write, image: &Image, func: &Func<'_>, part: &Part) -> fmt::Result {
    let entry = func.entry();
    let name = Symbols::symbol(image, entry).map_or(func.name(), |(name, _)| name);
    let file = image.line_at(entry).map_or("", |line| line.file);
    writeln!(out, "TEXT {name}(SB) {file}")?;
    let all = lines(image, func, Formatter::new(part.syntax, image));
    let wanted = all.filter(|line| {
        line.address < part.within.end
            && line.address.saturating_add(line.bytes.len() as u64) > part.within.start
    });
    let rows: Vec<[String; 4]> = wanted.map(Line::columns).collect();
    let width = |column: usize| {
        let longest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        column_width(longest.unwrap_or(0))
    };
    let widths = [width(0), width(1), width(2), width(3)];
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            write_cell(out, cell, width)?;
        }
        out.write_str("\n")?;
    }
    Ok(())
}

impl Line<'_> {
    /// The source file without its folders, and the line in it; `:-1` if the image does not have it.
    #[must_use]
    pub fn position(&self) -> String {
        let Some(source) = self.source else { return ":-1".to_owned() };
        let file = source.file.rsplit(['/', '\\']).next().unwrap_or_default();
        format!("{file}:{}", source.line)
    }

    /// The line in the columns of the listing.
    fn columns(self) -> [String; 4] {
        let mut bytes = String::with_capacity(2 * MAX_INSN);
        for byte in self.bytes {
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
            bytes.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
        }
        [format!("  {}", self.position()), format!("{:#x}", self.address), bytes, self.text]
    }
}

/// The first address of `func`, and its size in bytes: from its symbol, else up to the padding that ends it.
fn extent(image: &Image, func: &Func<'_>) -> (u64, usize) {
    let entry = func.entry();
    let limit = usize::try_from(func.end().saturating_sub(entry)).unwrap_or(0);
    match image.symbol_at(entry) {
        Some(symbol) if symbol.addr == entry && symbol.size != 0 => {
            (entry, usize::try_from(symbol.size).unwrap_or(limit))
        }
        _ => {
            let steps = Walk::new(code(image, entry, limit), entry, limit);
            let last = steps.filter(|step| step.insn.mnemonic() != Mnemonic::Int3).last();
            let end = last.map_or(entry, |step| step.insn.ip().wrapping_add(step.bytes.len() as u64));
            (entry, usize::try_from(end.wrapping_sub(entry)).unwrap_or(limit))
        }
    }
}

/// The bytes at `entry`, and those after them that its last instruction may reach.
fn code(image: &Image, entry: u64, size: usize) -> &[u8] {
    let reach = size.saturating_add(MAX_INSN);
    image.bytes(entry, reach).or_else(|| image.bytes(entry, size)).unwrap_or_default()
}

/// Width of a tab, and the least width of the tool's columns.
const TAB: usize = 8;
const MIN_COLUMN: usize = 18;

/// The width of a column whose longest cell has `longest` letters, a multiple of the tab's.
fn column_width(longest: usize) -> usize {
    longest.saturating_add(1).max(MIN_COLUMN).next_multiple_of(TAB)
}

/// Writes a cell, and tabs up to the end of its column.
fn write_cell(out: &mut dyn Write, cell: &str, width: usize) -> fmt::Result {
    out.write_str(cell)?;
    let rest = width.saturating_sub(cell.chars().count());
    (0..rest.div_ceil(TAB)).try_for_each(|_| out.write_char('\t'))
}
