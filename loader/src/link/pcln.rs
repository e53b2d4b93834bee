//! The function table (`runtime.pclntab`): what `crate::pclntab` and `crate::image::func` read.
//!
//! Objects have the tables of each function; the linker numbers files and names, and adds what it alone knows:
//! special functions, where a recovered panic goes on, where inlined calls were.

use std::collections::HashMap;

use crate::bytes::{take_uvarint, unzigzag};
use crate::facts::{Facts, TableMagic};
use crate::goobj::{Func, Inlined, Ref, RefIndex, Symbol};

use super::Linker;
use super::blob::{Blob, set};
use super::place::{Function, Placed};
use super::resolve::{Meaning, SymId};

/// `_func.args` of functions whose arguments' size is not known.
const ARGS_UNKNOWN: u32 = 0x8000_0000;
/// Funcdata that is absent (Go 1.18 and later).
const NO_FUNCDATA: u32 = u32::MAX;
/// Size of the header up to Go 1.15, and of the longest there is.
const OLD_HEADER: u64 = 16;
const HEADER: u64 = 72;

/// Texts, each once. Offsets count from the first.
#[derive(Default)]
struct Texts {
    bytes: Blob,
    known: HashMap<String, u64>,
}

impl Texts {
    fn add(&mut self, text: &str) -> u64 {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let at = self.bytes.push_str(text);
        self.known.insert(text.to_owned(), at);
        at
    }
}

/// The parts of the table while it is being made.
#[derive(Default)]
struct Parts {
    names: Texts,
    files: Texts,
    /// Up to Go 1.15 the files by number, from 1; since then those of each compilation unit in turn.
    file_list: Vec<u64>,
    numbers: HashMap<String, u32>,
    /// Pc-value tables, each once; nothing at offset 0.
    tables: Blob,
    known_tables: HashMap<Vec<u8>, u64>,
    records: Vec<Record>,
    /// What offsets of names count from.
    names_base: u64,
}

/// One function's record. Offsets count from the starts of the parts.
#[derive(Default)]
struct Record {
    entry: u64,
    name: u64,
    args: u32,
    deferreturn: u32,
    unit: u32,
    start_line: u32,
    func_id: u8,
    flag: u8,
    /// SP, file, line: offsets of pc-value tables; 0 is none.
    tables: [u64; 3],
    pcdata: Vec<u64>,
    funcdata: Vec<Option<u64>>,
}

impl Parts {
    fn table(&mut self, table: &[u8]) -> u64 {
        if table.is_empty() {
            return 0;
        }
        if let Some(known) = self.known_tables.get(table) {
            return *known;
        }
        let at = self.tables.push(table);
        // Tables end in a zero; a damaged one must not run into the next.
        self.tables.push(&[0]);
        self.known_tables.insert(table.to_owned(), at);
        at
    }

    /// The number of a file (up to Go 1.15).
    fn file(&mut self, name: &str) -> u32 {
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        self.file_list.push(self.files.add(name));
        let number = self.file_list.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// A pc-file table of a function, with the program's numbers in place of the function's own.
    fn renumbered(&mut self, table: &[u8], files: &[String]) -> Vec<u8> {
        let (mut rest, mut renumbered) = (table, Vec::new());
        let (mut old, mut new, mut first) = (-1i32, -1i32, true);
        while let Some(delta) = take_uvarint(&mut rest).filter(|delta| first || *delta != 0) {
            let Some(length) = take_uvarint(&mut rest) else { break };
            first = false;
            old = old.wrapping_add(unzigzag(delta));
            let name = usize::try_from(old).ok().and_then(|index| files.get(index));
            let number = name.map_or(-1, |name| self.file(name).cast_signed());
            put_uvarint(&mut renumbered, zigzag(number.wrapping_sub(new)));
            put_uvarint(&mut renumbered, length);
            new = number;
        }
        renumbered.push(0);
        renumbered
    }
}

impl<'l, 'a> Linker<'l, 'a> {
    /// Writes the function table and what belongs to it behind what is only read.
    pub(super) fn write_function_table(&self, placed: &mut Placed<'l>) {
        let old = self.facts.pclntab.functab.is_none();
        let functions = std::mem::take(&mut placed.functions);
        let mut parts = Parts::default();
        parts.tables.zeros(1);
        if old {
            // Entries and records, the end, the offset of the list of files.
            parts.names_base = OLD_HEADER + (functions.len() as u64 * 2 + 2) * 8;
        }
        let units = self.units(&mut parts);
        for function in &functions {
            let record = self.record(placed, &mut parts, function, &units);
            parts.records.push(record);
        }
        placed.functions = functions;
        placed.rodata.align(32, 0);
        placed.table = placed.rodata.end();
        let end = placed.text.end();
        let table = if old {
            self.whole_table(&parts, placed.table, end)
        } else {
            self.parted_table(&parts, placed.table, placed.text.addr, end, placed.rodata.addr)
        };
        placed.rodata.push(&table);
    }

    /// Where the files of each object start in the list (Go 1.16 and later).
    fn units(&self, parts: &mut Parts) -> Vec<u32> {
        if self.facts.func.cu_offset.is_none() {
            return vec![0; self.objects.len()];
        }
        let mut units = Vec::new();
        for object in self.objects {
            units.push(parts.file_list.len() as u32);
            for file in &object.files {
                let at = parts.files.add(file);
                parts.file_list.push(at);
            }
        }
        units
    }

    fn record(
        &self,
        placed: &mut Placed<'l>,
        parts: &mut Parts,
        function: &Function<'l>,
        units: &[u32],
    ) -> Record {
        let mut record = Record {
            entry: function.addr,
            name: parts.names.add(function.name),
            args: ARGS_UNKNOWN,
            ..Record::default()
        };
        let Some(id) = function.symbol else {
            record.func_id = special(&self.facts, function.name);
            return record;
        };
        let symbol = self.symbol(id);
        let Some(func) = &symbol.func else { return record };
        let numbered = self.facts.func.cu_offset.is_some();
        let pcfile = if numbered { func.pcfile.to_vec() } else { parts.renumbered(func.pcfile, &func.files) };
        record.args = func.args;
        record.tables = [parts.table(func.pcsp), parts.table(&pcfile), parts.table(func.pcline)];
        record.pcdata = func.pcdata.iter().map(|table| parts.table(table)).collect();
        record.funcdata =
            func.funcdata.iter().map(|(of, add)| self.funcdata(placed, id, *of, *add)).collect();
        record.deferreturn = self.deferreturn(id, symbol);
        record.unit = units.get(id.object as usize).copied().unwrap_or(0);
        record.start_line = func.start_line;
        record.flag = func.flag;
        record.func_id = func.func_id.unwrap_or_else(|| self.func_id(symbol, func));
        if !func.inline_tree.is_empty() {
            self.add_inline_tree(placed, parts, id, func, &mut record);
        }
        record
    }

    fn funcdata(&self, placed: &Placed<'l>, id: SymId, of: Option<RefIndex>, add: i64) -> Option<u64> {
        match self.resolver.meaning(id.object, of?)? {
            Meaning::Symbol(id) => placed.addrs.get(&id).map(|addr| addr.wrapping_add_signed(add)),
            Meaning::Undefined(..) => None,
        }
    }

    /// Offset of the first call of `deferreturn`: of its operand up to Go 1.13, of the instruction since.
    fn deferreturn(&self, id: SymId, symbol: &Symbol<'_>) -> u32 {
        let calls = symbol.relocs.iter().filter(|reloc| Some(reloc.kind) == self.relocs.call);
        let mut calls = calls.filter(|reloc| {
            reloc.target.is_some_and(|target| self.name_of(id.object, target) == "runtime.deferreturn")
        });
        let operand = calls.next().map_or(0, |reloc| reloc.offset);
        if self.facts.forms().deferreturn_is_operand() { operand } else { operand.saturating_sub(1) }
    }

    fn name_of(&self, object: u32, index: RefIndex) -> &'l str {
        let objects = self.objects;
        match objects.get(object as usize).and_then(|object| object.refs.get(index as usize)) {
            Some(Ref::Named(name, _)) => name,
            Some(Ref::Defined(symbol)) => &self.symbol(SymId { object, symbol: *symbol }).name,
            None => "",
        }
    }

    /// Up to Go 1.15 the linker goes by the name, and by the file that the compiler gives its own functions.
    fn func_id(&self, symbol: &Symbol<'_>, func: &Func<'_>) -> u8 {
        let made = func.files.first().is_some_and(|file| file == "<autogenerated>");
        let wrapper = self.facts.func_ids.wrapper.filter(|_| made && !symbol.name.contains('·'));
        wrapper.map_or_else(|| special(&self.facts, &symbol.name), |id| id as u8)
    }

    fn add_inline_tree(
        &self,
        placed: &mut Placed<'l>,
        parts: &mut Parts,
        id: SymId,
        func: &Func<'_>,
        record: &mut Record,
    ) {
        let (Some(table), Some(data)) = (self.facts.pcdata.inl_tree, self.facts.funcdata.inl_tree) else {
            return;
        };
        let (table, data) = (table as usize, data as usize);
        placed.rodata.align(8, 0);
        let tree = placed.rodata.end();
        for call in &func.inline_tree {
            let entry = self.inlined_call(parts, id.object, func, call);
            placed.rodata.push(&entry);
        }
        record.pcdata.resize(record.pcdata.len().max(table + 1), 0);
        record.funcdata.resize(record.funcdata.len().max(data + 1), None);
        record.pcdata[table] = parts.table(func.pcinline);
        record.funcdata[data] = Some(tree);
    }

    /// An entry of an inline tree (`runtime.inlinedCall`).
    fn inlined_call(&self, parts: &mut Parts, object: u32, func: &Func<'_>, call: &Inlined) -> Vec<u8> {
        let at = &self.facts.inlined_call;
        let mut entry = vec![0; at.size.unwrap_or_default() as usize];
        let name = call.func.map_or("", |index| self.name_of(object, index));
        let name = parts.names.add(name) + parts.names_base;
        let own = func.files.get(call.file as usize);
        let file = own.map_or(call.file, |name| parts.file(name));
        set(&mut entry, at.parent, &(call.parent as i16).to_le_bytes());
        set(&mut entry, at.func_id, &[special(&self.facts, name_at(parts, name))]);
        set(&mut entry, at.file, &file.to_le_bytes());
        set(&mut entry, at.line, &call.line.to_le_bytes());
        set(&mut entry, at.name, &(name as u32).to_le_bytes());
        set(&mut entry, at.parent_pc, &call.parent_pc.to_le_bytes());
        entry
    }

    /// The table of Go 1.16 and later: a header that tells where its parts are.
    fn parted_table(&self, parts: &Parts, addr: u64, text: u64, end: u64, gofunc: u64) -> Vec<u8> {
        let at = &self.facts.pclntab;
        let word = at.functab_word as usize;
        let mut table = Blob::new(0);
        table.zeros(HEADER);
        let names = table.push(&parts.names.bytes.bytes);
        table.align(4, 0);
        let units = table.end();
        for file in &parts.file_list {
            table.push_u32(*file);
        }
        let files = table.push(&parts.files.bytes.bytes);
        let tables = table.push(&parts.tables.bytes);
        table.align(8, 0);
        let functab = table.end();
        // Entries and records, and the end of the last function; records count from here.
        let index = table.zeros((parts.records.len() as u64 * 2 + 1) * at.functab_word);
        table.align(8, 0);
        let from = if word == 8 { 0 } else { text };
        let mut next = index;
        for record in &parts.records {
            table.align(8, 0);
            let here = table.end();
            let bytes = self.record_bytes(record, addr + here, 0, 0, text, gofunc);
            table.push(&bytes);
            let pair = [record.entry - from, here - functab];
            for value in pair {
                table.put(next, &value.to_le_bytes()[..word]);
                next += word as u64;
            }
        }
        table.put(next, &(end - from).to_le_bytes()[..word]);
        self.write_header(&mut table.bytes, parts.records.len());
        let offsets = [
            (at.text_start, text),
            (at.funcnames, names),
            (at.cutab, units),
            (at.filetab, files),
            (at.pctab, tables),
            (at.functab, functab),
        ];
        for (field, value) in offsets {
            set(&mut table.bytes, field, &value.to_le_bytes());
        }
        table.bytes
    }

    /// The table up to Go 1.15: all offsets count from its start.
    fn whole_table(&self, parts: &Parts, addr: u64, end: u64) -> Vec<u8> {
        let mut table = Blob::new(0);
        table.zeros(parts.names_base);
        table.push(&parts.names.bytes.bytes);
        let tables = table.push(&parts.tables.bytes);
        let texts = table.push(&parts.files.bytes.bytes);
        table.align(4, 0);
        // The first word is how many there are.
        let files = table.push_u32(parts.file_list.len() as u64 + 1);
        for file in &parts.file_list {
            table.push_u32(texts + file);
        }
        let mut next = OLD_HEADER;
        for record in &parts.records {
            table.align(8, 0);
            let here = table.end();
            let bytes = self.record_bytes(record, addr + here, parts.names_base, tables, 0, 0);
            table.push(&bytes);
            table.put(next, &[record.entry, here].map(u64::to_le_bytes).concat());
            next += 16;
        }
        table.put(next, &end.to_le_bytes());
        table.put(next + 8, &(files as u32).to_le_bytes());
        self.write_header(&mut table.bytes, parts.records.len());
        table.bytes
    }

    fn write_header(&self, table: &mut [u8], count: usize) {
        let magic = TableMagic::written_by(self.facts.version).magic;
        set(table, Some(0), &magic.to_le_bytes());
        set(table, Some(4), &crate::pclntab::SHAPE);
        set(table, Some(self.facts.pclntab.nfunc), &(count as u64).to_le_bytes());
    }

    /// A record at its address, with what offsets of names and of tables count from.
    fn record_bytes(
        &self,
        record: &Record,
        addr: u64,
        names: u64,
        tables: u64,
        text: u64,
        gofunc: u64,
    ) -> Vec<u8> {
        let (at, shape) = (&self.facts.func, &self.facts.pclntab);
        let offset = |table: u64| if table == 0 { 0 } else { (table + tables) as u32 };
        let mut bytes = vec![0; shape.func_size as usize];
        match shape.functab_word {
            8 => set(&mut bytes, Some(at.entry), &record.entry.to_le_bytes()),
            _ => set(&mut bytes, Some(at.entry), &((record.entry - text) as u32).to_le_bytes()),
        }
        let words = [
            (Some(at.nameoff), (record.name + names) as u32),
            (Some(at.args), record.args),
            (at.deferreturn, record.deferreturn),
            (Some(at.pcsp), offset(record.tables[0])),
            (Some(at.pcfile), offset(record.tables[1])),
            (Some(at.pcln), offset(record.tables[2])),
            (Some(at.npcdata), record.pcdata.len() as u32),
            (at.cu_offset, record.unit),
            (at.start_line, record.start_line),
        ];
        for (field, value) in words {
            set(&mut bytes, field, &value.to_le_bytes());
        }
        set(&mut bytes, at.func_id, &[record.func_id]);
        set(&mut bytes, at.flag, &[record.flag]);
        set(&mut bytes, Some(at.nfuncdata), &[record.funcdata.len() as u8]);
        record.pcdata.iter().for_each(|table| bytes.extend_from_slice(&offset(*table).to_le_bytes()));
        if shape.funcdata_size == 8 {
            let aligned = (addr + bytes.len() as u64).next_multiple_of(8) - addr;
            bytes.resize(aligned as usize, 0);
            record.funcdata.iter().for_each(|data| bytes.extend_from_slice(&data.unwrap_or(0).to_le_bytes()));
        } else {
            let offset =
                |data: &Option<u64>| data.map_or(NO_FUNCDATA, |data| data.wrapping_sub(gofunc) as u32);
            record.funcdata.iter().for_each(|data| bytes.extend_from_slice(&offset(data).to_le_bytes()));
        }
        bytes
    }
}

/// The number of a function that the runtime treats specially (`abi.GetFuncID`).
fn special(facts: &Facts, name: &str) -> u8 {
    let Some(name) = name.strip_prefix("runtime.") else { return 0 };
    let found = facts.func_ids.named(name).filter(|_| name != "wrapper");
    found.map_or(0, |id| id as u8)
}

fn name_at(parts: &Parts, offset: u64) -> &str {
    let at = offset.saturating_sub(parts.names_base);
    crate::bytes::text(crate::bytes::cstr(&parts.names.bytes.bytes, at).unwrap_or_default())
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

fn put_uvarint(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
