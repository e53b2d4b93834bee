//! `runtime.firstmoduledata`: where the runtime keeps its tables. Go 1.5 and later.

use crate::facts::{Facts, Module};
use crate::layout::{Perm, Segment, Span, Table};
use crate::object::Object;

/// The fields of `runtime.moduledata` that say where things are, as guest addresses. A field that this
/// release of Go does not have is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleData {
    /// Where the structure itself is.
    pub addr: u64,
    /// The function table.
    pub pclntab: u64,
    /// The functions' addresses, sorted, one more than there are functions.
    pub ftab: Table,
    /// The lookup table from pc to function.
    pub findfunctab: u64,
    /// From the first function's first byte to the last one's end.
    pub pcs: Span,
    /// Code.
    pub text: Span,
    /// Variables that start with a value and hold no pointers.
    pub noptrdata: Span,
    /// Variables that start with a value.
    pub data: Span,
    /// Variables that start as zero.
    pub bss: Span,
    /// Variables that start as zero and hold no pointers.
    pub noptrbss: Span,
    /// Type descriptors; `nameOff` and `typeOff` count from its start (Go 1.7 and later).
    pub types: Option<Span>,
    /// How many bytes of `types`, from its start, are type descriptors (Go 1.27 and later).
    pub typedesclen: Option<u64>,
    /// Where the itabs are, and how many bytes (Go 1.27 and later; see `itablinks` for earlier ones).
    pub itabs: Option<Table>,
    /// Start of read-only data (Go 1.18 and later).
    pub rodata: Option<u64>,
    /// What offsets of funcdata count from (Go 1.18 and later).
    pub gofunc: Option<u64>,
    /// `{vaddr, end, baseaddr}` of each part of the text, where it is in several (Go 1.8 and later).
    pub textsectmap: Option<Table>,
    /// Offsets of the type descriptors (i32, from `types`; pointers up to Go 1.6), up to Go 1.26.
    pub typelinks: Option<Table>,
    /// Pointers to the itabs (Go 1.7 to 1.26).
    pub itablinks: Option<Table>,
    /// Pointers to the packages' initialisation tasks, in order (Go 1.21 and later).
    pub inittasks: Option<Table>,
}

/// How many words that point to the function table are tried. Real files have a handful.
const MAX_CANDIDATES: usize = 64;

/// Where the structure may be: at its section (Go 1.26 and later), or else at any word that points to the function
/// table, in writable data or in what is only read, which may be large and is seldom needed.
pub(crate) fn candidates(object: &Object, pclntab: u64, writable: bool) -> Vec<u64> {
    let section = object.section(".go.module").and_then(|section| section.addr);
    let linked = if object.layout.relocated { pclntab } else { pclntab.wrapping_sub(object.layout.bias) };
    // Of a dump without headers it is not known what is code.
    let with = |segment: &&Segment| {
        segment.perm.contains(Perm::WRITE) == writable && (writable || !segment.perm.contains(Perm::EXEC))
    };
    let segments = object.layout.segments.iter().filter(with);
    let relocated = object.relocs().iter().filter(|reloc| reloc.value == pclntab).map(|reloc| reloc.addr);
    let words = segments.flat_map(|segment| {
        let words = object.segment_bytes(segment).chunks_exact(8).zip((segment.addr..).step_by(8));
        words.filter(|(word, _)| **word == linked.to_le_bytes()).map(|(_, addr)| addr)
    });
    match section.filter(|addr| object.read_u64(*addr) == Some(pclntab)) {
        Some(addr) => vec![addr],
        None => relocated.chain(words).take(MAX_CANDIDATES).collect(),
    }
}

/// The first of the candidates that fits, read as this release lays it out.
pub(crate) fn find(object: &Object, facts: &Facts, pclntab: u64, candidates: &[u64]) -> Option<ModuleData> {
    let modules = candidates.iter().filter_map(|addr| read(object, &facts.module, *addr));
    modules.into_iter().find(|module| is_plausible(object, module, pclntab))
}

fn is_plausible(object: &Object, module: &ModuleData, pclntab: u64) -> bool {
    module.pclntab == pclntab
        && module.text.start < module.text.end
        && object.is_code(module.text.start)
        && object.is_code(module.text.end - 1)
        && module.pcs.start >= module.text.start
        && module.pcs.end <= module.text.end
        && object.segment_at(module.ftab.addr).is_some()
        && module
            .types
            .is_none_or(|types| types.start <= types.end && object.segment_at(types.start).is_some())
        && module.gofunc.is_none_or(|gofunc| object.segment_at(gofunc).is_some())
        && module.inittasks.is_none_or(|tasks| object.segment_at(tasks.addr).is_some())
}

/// Reads the structure at `addr`; `None` where memory ends first or Go is too old to have one.
fn read(object: &Object, at: &Module, addr: u64) -> Option<ModuleData> {
    let word = |field: Option<u64>| object.read_u64(addr.checked_add(field?)?);
    let span = |start, end| Some(Span { start: word(start)?, end: word(end)? });
    let table = |field: Option<u64>| Some(Table { addr: word(field)?, len: word(Some(field? + 8))? });
    let types = span(at.types, at.etypes);
    let itabs = |types: Span| {
        Some(Table { addr: types.start.checked_add(word(at.itaboffset)?)?, len: word(at.itabsize)? })
    };
    Some(ModuleData {
        addr,
        pclntab: word(at.pc_header)?,
        ftab: table(at.ftab)?,
        findfunctab: word(at.findfunctab)?,
        pcs: span(at.minpc, at.maxpc)?,
        text: span(at.text, at.etext)?,
        noptrdata: span(at.noptrdata, at.enoptrdata)?,
        data: span(at.data, at.edata)?,
        bss: span(at.bss, at.ebss)?,
        noptrbss: span(at.noptrbss, at.enoptrbss)?,
        types,
        typedesclen: word(at.typedesclen),
        itabs: types.and_then(itabs),
        rodata: word(at.rodata),
        gofunc: word(at.gofunc),
        textsectmap: table(at.textsectmap),
        typelinks: table(at.typelinks),
        itablinks: table(at.itablinks),
        inittasks: table(at.inittasks),
    })
}
