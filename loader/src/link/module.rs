//! The table of tables (`runtime.firstmoduledata`), variables, and the lists that it points to.

use crate::LoadError;

use super::Linker;
use super::blob::set;
use super::place::Placed;
use super::wanted::Wanted;

impl<'l> Linker<'l, '_> {
    /// Writes the lists behind what is only read, places the variables, and writes the table behind these.
    pub(super) fn write_tables(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) -> Result<(), LoadError> {
        let base = placed.rodata.addr;
        placed.rodata.align(8, 0);
        let typelinks = placed.rodata.end();
        let links: Vec<u8> =
            placed.typelinks.iter().flat_map(|addr| ((addr - base) as u32).to_le_bytes()).collect();
        placed.rodata.push(&links);
        placed.rodata.align(8, 0);
        let itablinks = placed.rodata.end();
        let links: Vec<u8> = placed.itabs.iter().flat_map(|addr| addr.to_le_bytes()).collect();
        placed.rodata.push(&links);
        self.place_variables(placed, wanted)?;
        placed.data.align(8, 0);
        let tasks = placed.data.end();
        let list: Vec<u8> = placed.init_tasks.iter().flat_map(|addr| addr.to_le_bytes()).collect();
        placed.data.push(&list);
        let mut module = vec![0; self.facts.module.size.unwrap_or_default() as usize];
        placed.module = placed.data.end();
        let size = module.len() as u64;
        placed.data.zeros(size);
        self.place_zeroed(placed)?;
        self.fill_module(placed, &mut module, [typelinks, itablinks, tasks]);
        placed.data.put(placed.module, &module);
        Ok(())
    }

    fn fill_module(&self, placed: &Placed<'_>, module: &mut [u8], [typelinks, itablinks, tasks]: [u64; 3]) {
        let at = &self.facts.module;
        let (text, rodata, data) = (&placed.text, &placed.rodata, &placed.data);
        let first = placed.functions.first().map_or(text.addr, |function| function.addr);
        let bss_end = data.end() + placed.bss;
        let index =
            if self.facts.pclntab.functab.is_some() { self.functab(placed) } else { placed.table + 16 };
        let words = [
            (at.pc_header, placed.table),
            (at.ftab, index),
            (at.ftab.map(|field| field + 8), placed.functions.len() as u64 + 1),
            (at.minpc, first),
            (at.maxpc, text.end()),
            (at.text, text.addr),
            (at.etext, text.end()),
            (at.data, data.addr),
            (at.edata, data.end()),
            (at.noptrdata, data.addr),
            (at.enoptrdata, data.addr),
            (at.bss, data.end()),
            (at.ebss, bss_end),
            (at.noptrbss, bss_end),
            (at.enoptrbss, bss_end),
            (at.end, bss_end),
            (at.types, rodata.addr),
            (at.etypes, rodata.end()),
            (at.typedesclen, placed.types_end - rodata.addr),
            (at.itaboffset, placed.types_end - rodata.addr),
            (at.rodata, rodata.addr),
            (at.gofunc, rodata.addr),
            (at.epclntab, rodata.end()),
        ];
        let lists = [
            (at.typelinks, typelinks, placed.typelinks.len()),
            (at.itablinks, itablinks, placed.itabs.len()),
            (at.inittasks, tasks, placed.init_tasks.len()),
        ];
        for (field, value) in words {
            set(module, field, &value.to_le_bytes());
        }
        for (field, list, len) in lists {
            let len = len as u64;
            set(module, field, &[list, len, len].map(u64::to_le_bytes).concat());
        }
    }

    /// Address of the index of functions, as the function table's header tells.
    fn functab(&self, placed: &Placed<'_>) -> u64 {
        let at = self.facts.pclntab.functab.unwrap_or_default() + placed.table - placed.rodata.addr;
        placed.table + crate::bytes::u64(&placed.rodata.bytes, at).unwrap_or_default()
    }
}
