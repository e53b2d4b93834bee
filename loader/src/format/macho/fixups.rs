//! What dyld, macOS's loader, writes into a program before it starts.
//!
//! Linkers up to 2020 write programs for a small machine (`LC_DYLD_INFO`): *rebase* words, which only matter
//! where the program is moved. Newer ones chain the words themselves (`LC_DYLD_CHAINED_FIXUPS`): what is in the
//! file is no address but a target and the distance to the next word.

use goblin::mach::load_command as lc;

use super::{Parsed, c_name};
use crate::bytes;
use crate::layout::{Import, Layout, MAX_IMPORTS, Reloc};

const LC_DYLD_CHAINED_FIXUPS: u32 = 0x8000_0034;

pub(super) fn relocs(parsed: &Parsed<'_>, layout: &Layout) -> Vec<Reloc> {
    let mut relocs = Vec::new();
    chains(parsed, layout, |link| {
        if let Link::Rebase(reloc) = link {
            relocs.push(reloc);
        }
    });
    if layout.bias != 0 {
        relocs.extend(rebased(parsed, layout).unwrap_or_default());
    }
    relocs
}

pub(super) fn imports(parsed: &Parsed<'_>, layout: &Layout) -> Vec<Import> {
    let mut imports = Vec::new();
    chains(parsed, layout, |link| {
        if let Link::Bind { addr, name } = link
            && imports.len() < MAX_IMPORTS
        {
            imports.push(Import::new(addr, c_name(name), None));
        }
    });
    imports
}

/// One word of a chain.
enum Link<'f> {
    Rebase(Reloc),
    Bind { addr: u64, name: &'f [u8] },
}

/// Pointer formats: the target is an address, or counts from the start of the program.
const PTR_64: u16 = 2;
const PTR_64_OFFSET: u16 = 6;
/// A page without fixups.
const NO_START: u16 = 0xffff;

/// Walks all chains. A chain stays in its page, and each word is in one chain, so the file's size bounds how many
/// words there are.
fn chains<'f>(parsed: &Parsed<'f>, layout: &Layout, mut each: impl FnMut(Link<'f>)) -> Option<()> {
    let command = parsed.command(&[LC_DYLD_CHAINED_FIXUPS])?;
    let data = parsed.data(command, 8, 12)?;
    let starts = u64::from(bytes::u32(data, 4)?);
    let names = Names::of(data)?;
    let base = parsed.segments.iter().find(|segment| segment.name == "__TEXT")?.addr;
    let mut budget = parsed.thin.file.len() / 4;
    let count = u64::from(bytes::u32(data, starts)?).min(parsed.segments.len() as u64);
    for segment in 0..count {
        let offset = u64::from(bytes::u32(data, starts + 4 + 4 * segment)?);
        if offset == 0 {
            continue;
        }
        let at = starts + offset;
        let (page_size, format) = (bytes::u16(data, at + 4)?, bytes::u16(data, at + 6)?);
        if format != PTR_64 && format != PTR_64_OFFSET {
            continue;
        }
        let first_page = base.wrapping_add(bytes::u64(data, at + 8)?).wrapping_add(layout.bias);
        for page in 0..u64::from(bytes::u16(data, at + 20)?) {
            let start = bytes::u16(data, at + 22 + 2 * page)?;
            if start == NO_START {
                continue;
            }
            let page_at = first_page.wrapping_add(page * u64::from(page_size));
            let target = if format == PTR_64_OFFSET { base } else { 0 };
            let chain = Chain { parsed, layout, target, names: &names };
            chain.walk(page_at.wrapping_add(start.into()), &mut budget, &mut each);
        }
    }
    Some(())
}

struct Chain<'a, 'f> {
    parsed: &'a Parsed<'f>,
    layout: &'a Layout,
    /// What targets count from.
    target: u64,
    names: &'a Names<'f>,
}

impl<'f> Chain<'_, 'f> {
    fn walk(&self, start: u64, budget: &mut usize, each: &mut impl FnMut(Link<'f>)) -> Option<()> {
        let mut addr = start;
        while *budget > 0 {
            *budget -= 1;
            let offset = self.layout.file_offset(addr)?.checked_sub(self.parsed.thin.base)?;
            let word = bytes::u64(self.parsed.thin.file, offset)?;
            if word >> 63 == 0 {
                let target = word & ((1 << 36) - 1);
                let high = (word >> 36 & 0xff) << 56;
                let value = self.target.wrapping_add(target).wrapping_add(self.layout.bias) | high;
                each(Link::Rebase(Reloc { addr, value }));
            } else if let Some(name) = self.names.get(word & 0xff_ffff) {
                each(Link::Bind { addr, name });
            }
            let next = (word >> 51 & 0xfff) * 4;
            if next == 0 {
                break;
            }
            addr = addr.checked_add(next)?;
        }
        Some(())
    }
}

/// The names of imports by number.
struct Names<'f> {
    imports: &'f [u8],
    /// Size of an entry, and how far its word is shifted to give the name's offset.
    entry: (u64, u32),
    strings: &'f [u8],
}

impl<'f> Names<'f> {
    fn of(data: &'f [u8]) -> Option<Names<'f>> {
        // Import, import with a small addend, import with a large one.
        let entry = match bytes::u32(data, 20)? {
            1 => (4, 9),
            2 => (8, 9),
            3 => (16, 32),
            _ => return None,
        };
        let tail = |offset| data.get(usize::try_from(bytes::u32(data, offset)?).ok()?..);
        Some(Names { imports: tail(8)?, entry, strings: tail(12)? })
    }

    fn get(&self, ordinal: u64) -> Option<&'f [u8]> {
        let (size, shift) = self.entry;
        let at = ordinal * size;
        let word =
            if size == 16 { bytes::u64(self.imports, at)? } else { bytes::u32(self.imports, at)?.into() };
        bytes::cstr(self.strings, word >> shift)
    }
}

/// The words that rebase programs name.
fn rebased(parsed: &Parsed<'_>, layout: &Layout) -> Option<Vec<Reloc>> {
    let command = parsed.command(&[lc::LC_DYLD_INFO, lc::LC_DYLD_INFO_ONLY])?;
    let mut rebase = Rebase {
        parsed,
        layout,
        program: parsed.data(command, 8, 12)?,
        addr: 0,
        budget: parsed.thin.file.len() / 8,
        relocs: Vec::new(),
    };
    rebase.run();
    Some(rebase.relocs)
}

/// The machine that rebase programs run on.
struct Rebase<'a> {
    parsed: &'a Parsed<'a>,
    layout: &'a Layout,
    program: &'a [u8],
    addr: u64,
    budget: usize,
    relocs: Vec<Reloc>,
}

impl Rebase<'_> {
    /// Runs to the end of the program, or to what it cannot mean.
    fn run(&mut self) -> Option<()> {
        loop {
            let (&byte, rest) = self.program.split_first()?;
            self.program = rest;
            let operand = u64::from(byte & 0xf);
            // REBASE_OPCODE_*
            match byte & 0xf0 {
                0x00 => return Some(()),
                0x10 => {}
                0x20 => {
                    let segment = self.parsed.segments.get(operand as usize)?.addr;
                    self.addr = segment.wrapping_add(self.layout.bias).wrapping_add(self.number()?);
                }
                0x30 => self.addr = self.addr.wrapping_add(self.number()?),
                0x40 => self.addr = self.addr.wrapping_add(operand * 8),
                0x50 => self.words(operand, 0)?,
                0x60 => {
                    let count = self.number()?;
                    self.words(count, 0)?;
                }
                0x70 => {
                    let skip = self.number()?;
                    self.words(1, skip)?;
                }
                0x80 => {
                    let (count, skip) = (self.number()?, self.number()?);
                    self.words(count, skip)?;
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<u64> {
        bytes::take_uvarint64(&mut self.program)
    }

    /// So many words from here on, with gaps between them.
    fn words(&mut self, count: u64, gap: u64) -> Option<()> {
        for _ in 0..count {
            self.budget = self.budget.checked_sub(1)?;
            let offset = self.layout.file_offset(self.addr)?.checked_sub(self.parsed.thin.base)?;
            let value = bytes::u64(self.parsed.thin.file, offset)?.wrapping_add(self.layout.bias);
            self.relocs.push(Reloc { addr: self.addr, value });
            self.addr = self.addr.wrapping_add(8).wrapping_add(gap);
        }
        Some(())
    }
}
