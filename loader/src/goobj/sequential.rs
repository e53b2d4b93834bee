//! The sequential format of Go 1.12 to 1.14 (`cmd/internal/obj/objfile.go`): one symbol behind the other, integers as
//! zigzag varints.
//!
//! Magic, version 1, imports, (1.14: source files,) names of symbols, sums of lengths, the data of all symbols in one
//! block, the symbols, magic.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::facts::sym_kind;

use super::model::{Abi, Func, Header, Inlined, Object, Ref, RefIndex, Reloc, Symbol};
use super::reader::{Reader, Result};
use super::{expand, file_name};

/// Before each symbol; not the first byte of the magic at the end.
const SYMBOL: u8 = 0xfe;
/// Ends the lists of names and of symbols.
const END: u8 = 0xff;

/// Sums that stand before the data: relocations, pc-value tables, variables, function data, files.
const SUMS: usize = 5;

struct Parser<'a> {
    reader: Reader<'a>,
    /// The data of all symbols that are still to come.
    data: Reader<'a>,
    minor: u16,
    package: String,
    /// Name and ABI by number; number 0 is no symbol.
    names: Vec<(String, Abi)>,
}

/// Whether these bytes start an object of this format.
pub(super) fn is(bytes: &[u8]) -> bool {
    [b"\0go112ld", b"\0go114ld"].iter().any(|magic| bytes.starts_with(*magic))
}

/// Reads the object that `reader` starts with.
pub(super) fn parse<'a>(header: Header<'a>, package: &str, mut reader: Reader<'a>) -> Result<Object<'a>> {
    let start = reader.offset();
    let magic = reader.take(8, "object: expected its magic")?;
    if reader.u8("object: expected version 1")? != 1 {
        return reader.fail("object: expected version 1");
    }
    while !reader.string("object: expected the name of an import")?.is_empty() {}
    let mut files = Vec::new();
    if magic == b"\0go114ld" {
        for _ in 0..reader.count("object: expected how many source files there are")? {
            files.push(file_name(reader.string("object: expected a source file")?).to_owned());
        }
    }
    let mut parser = Parser {
        reader,
        data: reader,
        minor: header.go.minor,
        package: package.to_owned(),
        names: vec![(String::new(), Abi::Static)],
    };
    parser.read_names()?;
    parser.read_data()?;
    let mut symbols = Vec::new();
    while parser.reader.u8("object: expected a symbol (0xfe) or the end (0xff)")? == SYMBOL {
        symbols.push(parser.symbol()?);
    }
    let refs = parser.refs(&symbols);
    let (package, numbered) = (package.to_owned(), Vec::new());
    Ok(Object { header, package, files, symbols, refs, numbered, start })
}

impl<'a> Parser<'a> {
    fn read_names(&mut self) -> Result<()> {
        const WHAT: &str = "symbol name: expected 0xfe, or 0xff after the last";
        loop {
            match self.reader.u8(WHAT)? {
                END => return Ok(()),
                SYMBOL => {}
                _ => return self.reader.fail(WHAT),
            }
            let name = expand(self.reader.string("symbol name: expected its text")?, &self.package);
            let version = self.reader.varint("symbol name: expected its version")?;
            self.names.push((name, Abi::from_number(version as u16)));
        }
    }

    fn read_data(&mut self) -> Result<()> {
        let len = self.reader.count("object: expected the length of its data")?;
        for _ in 0..SUMS {
            self.reader.varint("object: expected a sum of lengths")?;
        }
        self.data = self.reader;
        self.reader.take(len, "object: expected its data")?;
        Ok(())
    }

    /// The next piece of the data block.
    fn block(&mut self) -> Result<&'a [u8]> {
        let len = self.reader.varint("expected the length of data")?;
        match u64::try_from(len) {
            Ok(len) => self.data.take(len, "data: expected as much as the symbols say"),
            Err(_) => self.reader.fail("expected the length of data"),
        }
    }

    fn index(&mut self) -> Result<Option<RefIndex>> {
        let here = self.reader;
        let index = self.reader.varint("expected the number of a symbol")?;
        match usize::try_from(index) {
            Ok(0) => Ok(None),
            Ok(index) if index < self.names.len() => Ok(Some(index as RefIndex)),
            _ => here.fail("the number of a symbol: expected one that has a name"),
        }
    }

    fn int(&mut self, what: &'static str) -> Result<i32> {
        // As Go's reader does: the lower half.
        Ok(self.reader.varint(what)? as i32)
    }

    fn symbol(&mut self) -> Result<Symbol<'a>> {
        let offset = self.reader.offset();
        let here = self.reader;
        let number = self.reader.u8("symbol: expected its kind")?;
        let Some(kind) = sym_kind(self.minor, number) else { return here.fail("symbol: expected a kind") };
        let named = self.index()?.and_then(|index| self.names.get(index as usize)).cloned();
        let Some((name, abi)) = named else { return here.fail("symbol: expected its name") };
        self.int("symbol: expected its flags")?;
        let size = self.int("symbol: expected its size")?.cast_unsigned();
        let ty = self.index()?;
        let data = self.block()?;
        let relocs = self.relocs()?;
        let func = match kind {
            crate::facts::SymKind::Text => Some(Box::new(self.func()?)),
            _ => None,
        };
        let data = Cow::Borrowed(data);
        Ok(Symbol {
            name,
            abi,
            kind,
            is_static: abi == Abi::Static,
            is_type: false,
            size: u64::from(size).max(data.len() as u64),
            align: 0,
            data,
            relocs,
            ty,
            func,
            offset,
        })
    }

    fn relocs(&mut self) -> Result<Vec<Reloc>> {
        let count = self.reader.count("symbol: expected how many relocations it has")?;
        (0..count).map(|_| self.reloc()).collect()
    }

    fn reloc(&mut self) -> Result<Reloc> {
        let offset = self.int("relocation: expected its offset")?.cast_unsigned();
        let size = self.int("relocation: expected its size")? as u8;
        let kind = u64::from(self.int("relocation: expected its kind")?.cast_unsigned());
        let add = self.reader.varint("relocation: expected what to add")?;
        Ok(Reloc { offset, size, kind, weak: false, add, target: self.index()? })
    }

    fn func(&mut self) -> Result<Func<'a>> {
        let args = self.int("function: expected the size of its arguments")?.cast_unsigned();
        self.int("function: expected the size of its frame")?;
        self.int("function: expected whether it checks its stack")?;
        self.int("function: expected its flags")?;
        self.skip_variables()?;
        let mut func = Func { args, ..Func::default() };
        func.pcsp = self.block()?;
        func.pcfile = self.block()?;
        func.pcline = self.block()?;
        func.pcinline = self.block()?;
        let count = self.reader.count("function: expected how many pc-value tables it has")?;
        func.pcdata = (0..count).map(|_| self.block()).collect::<Result<_>>()?;
        let count = self.reader.count("function: expected how many data it has")?;
        let data = (0..count).map(|_| self.index()).collect::<Result<Vec<_>>>()?;
        for symbol in data {
            func.funcdata.push((symbol, self.reader.varint("function: expected an offset")?));
        }
        let count = self.reader.count("function: expected how many files it is from")?;
        func.files = (0..count).map(|_| self.file()).collect::<Result<_>>()?;
        let count = self.reader.count("function: expected how many calls are inlined")?;
        let mut numbers: HashMap<String, u32> = func.files.iter().cloned().zip(0..).collect();
        func.inline_tree =
            (0..count).map(|_| self.inlined(&mut func.files, &mut numbers)).collect::<Result<_>>()?;
        Ok(func)
    }

    /// Variables on the stack: symbol, offset, kind, type.
    fn skip_variables(&mut self) -> Result<()> {
        for _ in 0..self.reader.count("function: expected how many variables it has")? {
            self.index()?;
            self.int("variable: expected its offset")?;
            self.int("variable: expected its kind")?;
            self.index()?;
        }
        Ok(())
    }

    fn file(&mut self) -> Result<String> {
        let index = self.index()?.unwrap_or_default();
        let name = self.names.get(index as usize).map_or("", |(name, _)| name);
        Ok(file_name(name).to_owned())
    }

    /// An inlined call. Its file may be none of the function's own: it gets the next number.
    fn inlined(&mut self, files: &mut Vec<String>, numbers: &mut HashMap<String, u32>) -> Result<Inlined> {
        const WHAT: &str = "inlined call: expected a number";
        let parent = self.int(WHAT)?;
        let name = self.file()?;
        let file = *numbers.entry(name).or_insert_with_key(|name| {
            files.push(name.clone());
            files.len() as u32 - 1
        });
        let line = self.int(WHAT)?;
        let func = self.index()?;
        Ok(Inlined { parent, file, line, func, parent_pc: self.int(WHAT)? })
    }

    /// References by number: to the object's own static symbols directly, to all others by name.
    fn refs(self, symbols: &[Symbol<'_>]) -> Vec<Ref> {
        let numbered = (0..).zip(symbols).filter(|(_, symbol)| symbol.abi == Abi::Static);
        let statics: HashMap<&str, u32> =
            numbered.map(|(index, symbol)| (symbol.name.as_str(), index)).collect();
        let defined = |name: &str| statics.get(name).copied().map(Ref::Defined);
        let reference = |(name, abi): (String, Abi)| match abi {
            Abi::Static => defined(&name).unwrap_or(Ref::Named(name, abi)),
            _ => Ref::Named(name, abi),
        };
        self.names.into_iter().map(reference).collect()
    }
}
