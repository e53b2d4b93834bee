//! Functions of an image as listings, printed as `go tool objdump -s` prints them.

use core::fmt::{self, Write};
use core::ops::Range;

use goemu_loader::{Func, Image, ObjectFunc, ObjectListing, ObjectReloc};
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
    let rows: Vec<Vec<String>> = wanted.map(Line::columns).collect();
    write_rows(out, &rows)
}

/// Writes a function of an object file as it lies there, with what a linker is to fill in: `[1:5]R_CALL:main.f`.
///
/// # Errors
/// Only those of `out`.
pub fn write_object(
    out: &mut dyn Write,
    object: &ObjectListing,
    func: &ObjectFunc,
    syntax: Syntax,
) -> fmt::Result {
    let file = func.line_at(func.start).map_or("", |(file, _)| file);
    writeln!(out, "TEXT {}(SB) {file}", func.name)?;
    let mut formatter = Formatter::new(syntax, object);
    let mut relocs = func.relocs.iter().peekable();
    let mut rows = Vec::new();
    for step in Walk::new(&func.code, func.start, func.code.len()) {
        let address = step.insn.ip();
        let mut text = String::with_capacity(48);
        // A String takes everything.
        let _ = formatter.write(&mut text, &step.insn, step.bytes);
        let source = func.line_at(address).map(|(file, line)| format!("{}:{line}", base(file)));
        let mut row = row(source.unwrap_or_else(|| ":-1".to_owned()), address, step.bytes, text);
        let at = address.saturating_sub(func.start);
        let end = at.saturating_add(step.bytes.len() as u64);
        let mut texts = Vec::new();
        while let Some(reloc) = relocs.next_if(|reloc| u64::from(reloc.offset) < end) {
            texts.push(relocation(reloc, at));
        }
        row.extend((!texts.is_empty()).then(|| texts.join(" ")));
        rows.push(row);
    }
    write_rows(out, &rows)
}

/// `[1:5]R_CALL:main.f+8`: the bytes of the instruction, the kind, the symbol.
fn relocation(reloc: &ObjectReloc, at: u64) -> String {
    let from = i64::from(reloc.offset).wrapping_sub_unsigned(at);
    let text = format!("[{from}:{}]{}", from + i64::from(reloc.size), reloc.kind);
    match (reloc.symbol.as_str(), reloc.add) {
        ("", 0) => text,
        ("", add) => format!("{text}:{add}"),
        (symbol, 0) => format!("{text}:{symbol}"),
        (symbol, add) => format!("{text}:{symbol}+{add}"),
    }
}

impl Symbols for ObjectListing {
    fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        self.symbol_at(address)
    }

    fn has_reversed_compares(&self) -> bool {
        ObjectListing::has_reversed_compares(self)
    }
}

/// Writes lines in columns. A column is as wide as its longest cell among lines that follow each other and have it.
fn write_rows(out: &mut dyn Write, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![vec![0; columns]; rows.len()];
    for column in 0..columns {
        let mut from = 0;
        while from < rows.len() {
            let block = rows[from..].iter().take_while(|row| row.len() > column).count();
            let longest = rows[from..from + block].iter().map(|row| row[column].chars().count()).max();
            let width = column_width(longest.unwrap_or(0));
            widths[from..from + block].iter_mut().for_each(|widths| widths[column] = width);
            from += block.max(1);
        }
    }
    for (row, widths) in rows.iter().zip(widths) {
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
        format!("{}:{}", base(source.file), source.line)
    }

    /// The line in the columns of the listing.
    fn columns(self) -> Vec<String> {
        row(self.position(), self.address, self.bytes, self.text)
    }
}

/// A file without its folders.
fn base(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or_default()
}

fn row(position: String, address: u64, bytes: &[u8], text: String) -> Vec<String> {
    let mut digits = String::with_capacity(2 * MAX_INSN);
    for byte in bytes {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
        digits.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
    }
    vec![format!("  {position}"), format!("{address:#x}"), digits, text]
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
