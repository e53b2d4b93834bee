//! The record of a function in the indexed format (`goobj.FuncInfo`): size of its arguments, source files, inlined calls,
//! and up to Go 1.17 its pc-value tables.

use std::collections::HashMap;

use super::super::file_name;
use super::super::model::{Func, Inlined, Ref};
use super::super::reader::{Reader, Result};
use super::{Parser, SYM_REF};

impl<'a> Parser<'a> {
    /// A function's record (`goobj.FuncInfo`).
    pub(super) fn func_info(
        &mut self,
        func: &mut Func<'a>,
        (mut reader, _): (Reader<'a>, u64),
    ) -> Result<()> {
        const WHAT: &str = "function record: expected its fields";
        func.args = reader.u32(WHAT)?;
        reader.u32(WHAT)?;
        if self.format.at.func_id.is_some() {
            self.func_id(func, &mut reader)?;
        }
        if self.format.at.start_line.is_some() {
            func.start_line = reader.u32(WHAT)?;
        }
        if self.format.at.tables_in_block.is_some() {
            self.tables_in_block(func, &mut reader)?;
        } else if self.format.at.tables_in_func.is_some() {
            self.tables_in_symbols(func, &mut reader)?;
        }
        self.func_files(func, &mut reader)?;
        let here = reader;
        let count = reader.count_u32(24, "function record: expected how many calls are inlined")?;
        self.spend(&self.left, count * 24, here)?;
        let mut numbers: HashMap<String, u32> = func.files.iter().cloned().zip(0..).collect();
        for _ in 0..count {
            let call = self.inlined(&mut reader, &mut func.files, &mut numbers)?;
            func.inline_tree.push(call);
        }
        Ok(())
    }

    /// The number of a special function: four bytes in Go 1.16, which has no flags; one since, flags, padding.
    fn func_id(&self, func: &mut Func<'a>, reader: &mut Reader<'a>) -> Result<()> {
        const WHAT: &str = "function record: expected its number and flags";
        let [id, flag] = reader.u16(WHAT)?.to_le_bytes();
        reader.u16(WHAT)?;
        (func.func_id, func.flag) = (Some(id), if self.format.at.func_flag.is_some() { flag } else { 0 });
        Ok(())
    }

    /// The pc-value tables and the offsets of the data in Go 1.16 and 1.17: symbols.
    fn tables_in_symbols(&mut self, func: &mut Func<'a>, reader: &mut Reader<'a>) -> Result<()> {
        const WHAT: &str = "function record: expected its pc-value tables";
        func.pcsp = self.table(reader)?;
        func.pcfile = self.table(reader)?;
        func.pcline = self.table(reader)?;
        func.pcinline = self.table(reader)?;
        let here = *reader;
        let count = reader.count_u32(SYM_REF, WHAT)?;
        self.spend(&self.left, count * SYM_REF, here)?;
        func.pcdata = (0..count).map(|_| self.table(reader)).collect::<Result<_>>()?;
        self.data_offsets(func, reader)
    }

    /// The table in a symbol that is referred to.
    fn table(&mut self, reader: &mut Reader<'a>) -> Result<&'a [u8]> {
        let here = *reader;
        let symbol = self.sym_ref(reader)?;
        self.bytes_of(symbol, here)
    }

    fn data_offsets(&self, func: &mut Func<'a>, reader: &mut Reader<'a>) -> Result<()> {
        const WHAT: &str = "function record: expected the offsets of its data";
        let here = *reader;
        let count = reader.count_u32(4, WHAT)?;
        self.spend(&self.left, count * 4, here)?;
        for _ in 0..count {
            func.funcdata.push((None, i64::from(reader.u32(WHAT)?)));
        }
        Ok(())
    }

    /// The pc-value tables and the offsets of the data in Go 1.15: offsets in a block of their own.
    fn tables_in_block(&self, func: &mut Func<'a>, reader: &mut Reader<'a>) -> Result<()> {
        const WHAT: &str = "function record: expected ascending offsets of pc-value tables";
        let mut starts = Vec::new();
        for _ in 0..4 {
            starts.push(u64::from(reader.u32(WHAT)?));
        }
        let here = *reader;
        let count = reader.count_u32(4, WHAT)?;
        self.spend(&self.left, count * 4, here)?;
        for _ in 0..=count {
            starts.push(u64::from(reader.u32(WHAT)?));
        }
        let (here, block) = (*reader, self.blocks.pcdata);
        let mut tables = Vec::new();
        for pair in starts.windows(2) {
            let [from, to] = pair else { continue };
            let inside = from <= to && *to <= self.blocks.ref_names - block;
            self.spend(&self.tables_left, to.saturating_sub(*from), here)?;
            let bytes = if inside { self.at(block + from).take(to - from, WHAT) } else { here.fail(WHAT) };
            tables.push(bytes?);
        }
        let mut tables = tables.into_iter();
        let mut next = || tables.next().unwrap_or_default();
        (func.pcsp, func.pcfile, func.pcline, func.pcinline) = (next(), next(), next(), next());
        func.pcdata = tables.collect();
        self.data_offsets(func, reader)
    }

    /// The source files: symbols in Go 1.15, since then numbers of the object's files, which the tables use as well.
    fn func_files(&mut self, func: &mut Func<'a>, reader: &mut Reader<'a>) -> Result<()> {
        const WHAT: &str = "function record: expected its source files";
        let size = if self.format.has_hashes() { 4 } else { SYM_REF };
        let here = *reader;
        let count = reader.count_u32(size, WHAT)?;
        self.spend(&self.left, count * size, here)?;
        for _ in 0..count {
            if self.format.has_hashes() {
                reader.u32(WHAT)?;
                continue;
            }
            let name = self.file_symbol(reader)?;
            func.files.push(name);
        }
        Ok(())
    }

    fn file_symbol(&mut self, reader: &mut Reader<'a>) -> Result<String> {
        let symbol = self.sym_ref(reader)?;
        let name = match symbol.and_then(|index| self.refs.get(index as usize)) {
            Some(Ref::Named(name, _)) => name.clone(),
            Some(Ref::Defined(index)) => {
                let mut record = self.at(self.record((*index).into()));
                self.string(&mut record, "source file: expected its name")?.to_owned()
            }
            None => String::new(),
        };
        Ok(file_name(&name).to_owned())
    }

    /// An inlined call. In Go 1.15 its file may be none of the function's own: it gets the next number.
    fn inlined(
        &mut self,
        reader: &mut Reader<'a>,
        files: &mut Vec<String>,
        numbers: &mut HashMap<String, u32>,
    ) -> Result<Inlined> {
        const WHAT: &str = "inlined call: expected its fields";
        let parent = reader.u32(WHAT)?.cast_signed();
        let file = if self.format.has_hashes() {
            reader.u32(WHAT)?
        } else {
            let name = self.file_symbol(reader)?;
            *numbers.entry(name).or_insert_with_key(|name| {
                files.push(name.clone());
                files.len() as u32 - 1
            })
        };
        let line = reader.u32(WHAT)?.cast_signed();
        let func = self.sym_ref(reader)?;
        Ok(Inlined { parent, file, line, func, parent_pc: reader.u32(WHAT)?.cast_signed() })
    }
}
