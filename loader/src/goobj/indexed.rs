//! The indexed format of Go 1.15 and later (`cmd/internal/goobj`): blocks of records of fixed size, found by a table
//! of offsets.
//!
//! A symbol is referred to by package and number. The object's own symbols are numbered in four lists: by name, by
//! hash (two lengths of it), and those that belong to no package.

mod funcinfo;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use super::model::{Abi, Func, Header, Object, Ref, RefIndex, Reloc, Symbol};
use super::reader::{Reader, Result};
use super::{expand, file_name};
use crate::bytes;
use crate::facts::{IndexedObject, SymKind, WEAK, builtin_is_abi0, builtins, sym_kind};

/// Magic, fingerprint, flags: before the table of offsets.
const OFFSETS: u64 = 20;
/// A reference to a symbol: package, number.
const SYM_REF: u64 = 8;
const STRING_REF: u64 = 8;
const AUX: u64 = 9;

/// How often all of a file may be referred to, on average, by names and records; and by pc-value tables, which
/// functions share.
const SHARED: u64 = 4;
const SHARED_TABLES: u64 = 64;

/// One release's format.
#[derive(Clone, Copy)]
struct Format {
    minor: u16,
    at: IndexedObject,
}

/// What an auxiliary symbol of a symbol holds (`goobj.AuxGotype` and others). The numbers between are debug information.
#[derive(Clone, Copy)]
enum Aux {
    Type = 0,
    FuncInfo = 1,
    Funcdata = 2,
    Pcsp = 7,
    Pcfile = 8,
    Pcline = 9,
    Pcinline = 10,
    Pcdata = 11,
}

impl Aux {
    fn from_number(number: u8) -> Option<Aux> {
        const ALL: [Aux; 8] = [
            Aux::Type,
            Aux::FuncInfo,
            Aux::Funcdata,
            Aux::Pcsp,
            Aux::Pcfile,
            Aux::Pcline,
            Aux::Pcinline,
            Aux::Pcdata,
        ];
        ALL.into_iter().find(|aux| *aux as u8 == number)
    }
}

/// Number of the list of symbols that belong to no package. The others count down from it.
const PKG_NONE: u32 = 0x7fff_ffff;

/// Blocks by their place in the table of offsets.
#[derive(Clone, Copy)]
struct Blocks {
    packages: u64,
    files: u64,
    /// Own symbols: by name, by short hash, by hash, without package.
    defined: [u64; 4],
    refs: u64,
    /// End of the list of names of other packages' symbols.
    refs_end: u64,
    reloc_index: u64,
    aux_index: u64,
    data_index: u64,
    relocs: u64,
    aux: u64,
    data: u64,
    /// Pc-value tables of Go 1.15; nothing in Go 1.16 and 1.17, not there since.
    pcdata: u64,
    ref_names: u64,
    end: u64,
}

/// Whether these bytes start an object of this format.
pub(super) fn is(bytes: &[u8]) -> bool {
    let known = [b"\0go115ld", b"\0go116ld", b"\0go117ld", b"\0go118ld", b"\0go120ld"];
    known.iter().any(|magic| bytes.starts_with(*magic))
}

struct Parser<'a> {
    reader: Reader<'a>,
    /// What is still believed, of what many may refer to: bytes of names and records, bytes of pc-value tables.
    left: Cell<u64>,
    tables_left: Cell<u64>,
    format: Format,
    blocks: Blocks,
    package: String,
    /// How many symbols each of the four lists has.
    counts: [u64; 4],
    builtins: Vec<&'static str>,
    /// Names of other packages' symbols.
    named: HashMap<(u32, u32), String>,
    refs: Vec<Ref>,
    known: HashMap<(u32, u32), RefIndex>,
    numbered: Vec<RefIndex>,
}

/// Reads the object that `reader` starts with.
pub(super) fn parse<'a>(header: Header<'a>, package: &str, reader: Reader<'a>) -> Result<Object<'a>> {
    let format = Format::of(reader, header.go.minor)?;
    let blocks = Blocks::read(reader, format)?;
    let sizes = blocks.sizes();
    let size = reader.left();
    let mut parser = Parser {
        reader,
        left: Cell::new(size.saturating_mul(SHARED).saturating_add(1 << 20)),
        tables_left: Cell::new(size.saturating_mul(SHARED_TABLES).saturating_add(1 << 20)),
        format,
        blocks,
        package: package.to_owned(),
        counts: sizes.map(|size| size / format.at.symbol),
        builtins: builtins(header.go.minor),
        named: HashMap::new(),
        refs: Vec::new(),
        known: HashMap::new(),
        numbered: Vec::new(),
    };
    parser.read_names()?;
    let files = parser.files()?;
    let count: u64 = parser.counts.iter().sum();
    let symbols = (0..count).map(|index| parser.symbol(index)).collect::<Result<Vec<_>>>()?;
    let Parser { refs, numbered, .. } = parser;
    Ok(Object { header, package: package.to_owned(), files, symbols, refs, numbered, start: reader.offset() })
}

impl Format {
    fn of(mut reader: Reader<'_>, minor: u16) -> Result<Format> {
        let magic = reader.take(8, "object: expected its magic")?;
        let (at, minor) = IndexedObject::by_magic(magic, minor);
        Ok(Format { minor, at })
    }

    /// Whether symbols may be known by a hash.
    fn has_hashes(self) -> bool {
        self.at.hashed_lists.is_some()
    }

    /// The number of the list of the runtime's symbols. From the highest down: no package, (short hash, hash,) the
    /// runtime's, the object's own.
    fn builtin(self) -> u32 {
        PKG_NONE - self.at.hashed_lists.unwrap_or(0) as u32 - 1
    }

    fn own(self) -> u32 {
        self.builtin() - 1
    }
}

impl Blocks {
    fn read(reader: Reader<'_>, format: Format) -> Result<Blocks> {
        let mut table = reader.seek(OFFSETS);
        let mut offsets = Vec::new();
        let mut before = OFFSETS;
        for _ in 0..format.at.blocks {
            let here = table;
            let offset = u64::from(table.u32("object: expected the offset of a block")?);
            if offset < before || reader.seek(offset).left() > reader.left() || offset > reader.left() {
                return here.fail(
                    "object: expected the offset of a block, behind the one before and inside the file",
                );
            }
            offsets.push(offset);
            before = offset;
        }
        let at = |index: usize| offsets.get(index).copied().unwrap_or(before);
        let names = format.at.ref_names as usize;
        if !format.has_hashes() {
            return Ok(Blocks {
                packages: at(1),
                files: at(2),
                defined: [at(3), at(4), at(4), at(4)],
                refs: at(5),
                refs_end: at(6),
                reloc_index: at(6),
                aux_index: at(7),
                data_index: at(8),
                relocs: at(9),
                aux: at(10),
                data: at(11),
                pcdata: at(12),
                ref_names: at(names),
                end: at(names + 1),
            });
        }
        Ok(Blocks {
            packages: at(1),
            files: at(2),
            defined: [at(3), at(4), at(5), at(6)],
            refs: at(7),
            refs_end: at(8),
            reloc_index: at(11),
            aux_index: at(12),
            data_index: at(13),
            relocs: at(14),
            aux: at(15),
            data: at(16),
            pcdata: at(17),
            ref_names: at(names),
            end: at(names + 1),
        })
    }

    /// Bytes of the four lists of own symbols.
    fn sizes(&self) -> [u64; 4] {
        let [named, short, hashed, other] = self.defined;
        [short - named, hashed - short, other - hashed, self.refs - other]
    }
}

impl<'a> Parser<'a> {
    fn at(&self, offset: u64) -> Reader<'a> {
        self.reader.seek(offset)
    }

    /// Fails where too much is referred to too often.
    fn spend(&self, left: &Cell<u64>, amount: u64, here: Reader<'a>) -> Result<()> {
        match left.get().checked_sub(amount) {
            Some(rest) => {
                left.set(rest);
                Ok(())
            }
            None => here.fail("object: expected fewer references to the same bytes"),
        }
    }

    /// A string by reference: length, offset.
    fn string(&self, reader: &mut Reader<'a>, what: &'static str) -> Result<&'a str> {
        let here = *reader;
        let (len, offset) = (reader.u32(what)?, reader.u32(what)?);
        self.spend(&self.left, len.into(), here)?;
        let text = self.at(offset.into()).take(len.into(), what).map_err(|_| here.malformed(what))?;
        Ok(bytes::text(text))
    }

    fn read_names(&mut self) -> Result<()> {
        const WHAT: &str = "name of another package's symbol: expected package, number, text";
        let mut reader = self.at(self.blocks.ref_names);
        for _ in 0..(self.blocks.end - self.blocks.ref_names) / (SYM_REF + STRING_REF) {
            let key = (reader.u32(WHAT)?, reader.u32(WHAT)?);
            let name = self.string(&mut reader, WHAT)?;
            self.named.insert(key, expand(name, &self.package));
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<String>> {
        const WHAT: &str = "source file: expected its name";
        let mut reader = self.at(self.blocks.files);
        let [first, ..] = self.blocks.defined;
        let count = (first - self.blocks.files) / STRING_REF;
        (0..count).map(|_| Ok(file_name(self.string(&mut reader, WHAT)?).to_owned())).collect()
    }

    /// Offset of the record of own symbol `index`, or of a reference behind them.
    fn record(&self, index: u64) -> u64 {
        let [named, ..] = self.blocks.defined;
        named + index * self.format.at.symbol
    }

    /// `index`'s part of a block of things of `size` bytes, as a table of numbers of the first says.
    fn part(&self, table: u64, index: u64, block: u64, end: u64, size: u64) -> Result<(Reader<'a>, u64)> {
        const WHAT: &str = "index: expected ascending numbers, inside of the block";
        let mut reader = self.at(table.saturating_add(index * 4));
        let here = reader;
        let (from, to) = (u64::from(reader.u32(WHAT)?), u64::from(reader.u32(WHAT)?));
        if from > to || to.saturating_mul(size) > end - block {
            return here.fail(WHAT);
        }
        Ok((self.at(block + from * size), to - from))
    }

    fn symbol(&mut self, index: u64) -> Result<Symbol<'a>> {
        let mut reader = self.at(self.record(index));
        let offset = reader.offset();
        let name = expand(self.string(&mut reader, "symbol: expected its name")?, &self.package);
        let abi = reader.u16("symbol: expected its ABI")?;
        let here = reader;
        let number = reader.u8("symbol: expected its kind")?;
        let Some(kind) = sym_kind(self.format.minor, number) else {
            return here.fail("symbol: expected a kind");
        };
        let flags = reader.u8("symbol: expected its flags")?;
        if self.format.has_hashes() {
            reader.u8("symbol: expected its flags")?;
        }
        let size = u64::from(reader.u32("symbol: expected its size")?);
        let align = reader.u32("symbol: expected its alignment")?.into();
        let data = self.data(index)?;
        let size = size.max(data.len() as u64);
        let relocs = self.relocs(index)?;
        let [named, short, hashed, _] = self.counts;
        // Symbols that are known by their contents may have names that others have, too.
        let by_hash = (named..named + short + hashed).contains(&index);
        let is_static = Abi::from_number(abi) == Abi::Static;
        let abi = if name.is_empty() || by_hash { Abi::Static } else { Abi::from_number(abi) };
        let (ty, func) = self.aux(index)?;
        let func = if kind == SymKind::Text { Some(Box::new(func)) } else { None };
        let is_type = self.format.has_hashes() && flags & 64 != 0;
        Ok(Symbol {
            name,
            abi,
            kind,
            is_static,
            is_type,
            size,
            align,
            data: Cow::Borrowed(data),
            relocs,
            ty,
            func,
            offset,
        })
    }

    fn data(&self, index: u64) -> Result<&'a [u8]> {
        let (mut reader, len) =
            self.part(self.blocks.data_index, index, self.blocks.data, self.blocks.pcdata, 1)?;
        reader.take(len, "symbol: expected its data")
    }

    fn relocs(&mut self, index: u64) -> Result<Vec<Reloc>> {
        let Blocks { reloc_index, relocs, aux, .. } = self.blocks;
        let (mut reader, count) = self.part(reloc_index, index, relocs, aux, self.format.at.reloc)?;
        (0..count).map(|_| self.reloc(&mut reader)).collect()
    }

    fn reloc(&mut self, reader: &mut Reader<'a>) -> Result<Reloc> {
        const WHAT: &str = "relocation: expected offset, size, kind, addend, symbol";
        let offset = reader.u32(WHAT)?;
        let size = reader.u8(WHAT)?;
        let wide = self.format.at.reloc_kind == 2;
        let kind: u64 = if wide { reader.u16(WHAT)?.into() } else { reader.u8(WHAT)?.into() };
        let add = reader.i64(WHAT)?;
        let target = self.sym_ref(reader)?;
        let weak = wide && kind & WEAK != 0;
        Ok(Reloc { offset, size, kind: if weak { kind & !WEAK } else { kind }, weak, add, target })
    }

    /// A reference to a symbol; none where it is zero.
    fn sym_ref(&mut self, reader: &mut Reader<'a>) -> Result<Option<RefIndex>> {
        const WHAT: &str = "reference: expected the package and the number of a symbol";
        let here = *reader;
        let key = (reader.u32(WHAT)?, reader.u32(WHAT)?);
        if key == (0, 0) {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(*known));
        }
        let mut found = self.find(key.0, key.1.into())?;
        if found.is_none() {
            let name = match self.named.get(&key) {
                Some(name) => Some(name.clone()),
                None => self.unnamed(key)?,
            };
            found = name.map(|name| Ref::Named(name, Abi::Internal));
        }
        let Some(found) = found else { return here.fail(WHAT) };
        let index = self.refs.len() as RefIndex;
        self.refs.push(found);
        if key.0 == self.format.builtin() {
            self.numbered.push(index);
        }
        self.known.insert(key, index);
        Ok(Some(index))
    }

    fn find(&self, package: u32, number: u64) -> Result<Option<Ref>> {
        let [named, short, hashed, other] = self.counts;
        let defined =
            |first: u64, count: u64| (number < count).then(|| Ref::Defined((first + number) as u32));
        let format = self.format;
        Ok(match PKG_NONE.wrapping_sub(package) {
            0 if number < other => defined(named + short + hashed, other),
            0 => self.unpackaged(number - other)?,
            1 if format.has_hashes() => defined(named, short),
            2 if format.has_hashes() => defined(named + short, hashed),
            _ if package == format.builtin() => {
                let name = usize::try_from(number).ok().and_then(|number| self.builtins.get(number));
                let abi = |name: &str| if builtin_is_abi0(name) { Abi::Abi0 } else { Abi::Internal };
                name.map(|name| Ref::Named((*name).to_owned(), abi(name)))
            }
            _ if package == format.own() => defined(0, named),
            _ => None,
        })
    }

    /// A name for another package's symbol of which only the number is told: those that are only inlined from.
    fn unnamed(&self, (package, number): (u32, u32)) -> Result<Option<String>> {
        const WHAT: &str = "imported package: expected its path";
        let count = (self.blocks.files - self.blocks.packages) / STRING_REF;
        if u64::from(package) >= count {
            return Ok(None);
        }
        let mut reader = self.at(self.blocks.packages + u64::from(package) * STRING_REF);
        Ok(Some(format!("{}.#{number}", self.string(&mut reader, WHAT)?)))
    }

    /// Reference `number` to a symbol that belongs to no package and is not the object's own.
    fn unpackaged(&self, number: u64) -> Result<Option<Ref>> {
        let Blocks { refs, refs_end, .. } = self.blocks;
        if number >= (refs_end - refs) / self.format.at.symbol {
            return Ok(None);
        }
        let mut reader = self.at(refs + number * self.format.at.symbol);
        let name = expand(self.string(&mut reader, "reference: expected a name")?, &self.package);
        let abi = Abi::from_number(reader.u16("reference: expected an ABI")?);
        Ok(Some(Ref::Named(name, abi)))
    }

    /// What belongs to a symbol: its type, and of functions the rest.
    fn aux(&mut self, index: u64) -> Result<(Option<RefIndex>, Func<'a>)> {
        let Blocks { aux_index, aux, data, .. } = self.blocks;
        let (mut reader, count) = self.part(aux_index, index, aux, data, AUX)?;
        let (mut ty, mut func, mut funcdata) = (None, Func::default(), Vec::new());
        for _ in 0..count {
            let kind = reader.u8("auxiliary symbol: expected its kind")?;
            let here = reader;
            let symbol = self.sym_ref(&mut reader)?;
            match Aux::from_number(kind) {
                Some(Aux::Type) => ty = symbol,
                Some(Aux::FuncInfo) => self.func_info(&mut func, self.own_data(symbol, here)?)?,
                Some(Aux::Funcdata) => funcdata.push(symbol),
                Some(Aux::Pcsp) => func.pcsp = self.bytes_of(symbol, here)?,
                Some(Aux::Pcfile) => func.pcfile = self.bytes_of(symbol, here)?,
                Some(Aux::Pcline) => func.pcline = self.bytes_of(symbol, here)?,
                Some(Aux::Pcinline) => func.pcinline = self.bytes_of(symbol, here)?,
                Some(Aux::Pcdata) => func.pcdata.push(self.bytes_of(symbol, here)?),
                // Debug information is found by name, or as an entry of its own.
                None => {}
            }
        }
        // Up to Go 1.17 there are offsets in them, which the function's record has.
        let offsets: Vec<i64> = func.funcdata.iter().map(|(_, offset)| *offset).collect();
        let offset = |index: usize| offsets.get(index).copied().unwrap_or(0);
        func.funcdata =
            funcdata.into_iter().enumerate().map(|(index, symbol)| (symbol, offset(index))).collect();
        Ok((ty, func))
    }

    /// Where the data of one of the object's own symbols is, and how much.
    fn own_data(&self, symbol: Option<RefIndex>, here: Reader<'a>) -> Result<(Reader<'a>, u64)> {
        let Some(symbol) = symbol else { return Ok((here, 0)) };
        let Some(Ref::Defined(index)) = self.refs.get(symbol as usize) else {
            return here.fail("auxiliary symbol: expected one of this object");
        };
        self.part(self.blocks.data_index, (*index).into(), self.blocks.data, self.blocks.pcdata, 1)
    }

    fn bytes_of(&self, symbol: Option<RefIndex>, here: Reader<'a>) -> Result<&'a [u8]> {
        let (mut reader, len) = self.own_data(symbol, here)?;
        self.spend(&self.tables_left, len, here)?;
        reader.take(len, "auxiliary symbol: expected its data")
    }
}
