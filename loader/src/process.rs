//! Dumps of whole processes: cores of Linux and minidumps of Windows. Memory, registers of threads, and which files were mapped.

mod core;
mod minidump;

use std::path::PathBuf;
use std::sync::Arc;

use crate::LoadError;
use crate::layout::{Layout, Os, PAGE, Perm, Placement, Segment, Target};
use crate::object::Object;
use crate::source::Source;
use crate::symbol::SymbolTable;

/// More parts, files and threads than any process has.
const MOST: usize = 1 << 14;
/// The bytes of all parts are so many times those of the files, at most: the same ones may be in memory twice.
const MOST_TIMES: u64 = 4;

/// A thread as it was when its process was dumped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpedThread {
    /// Its number.
    pub id: u64,
    /// Where it was.
    pub rip: u64,
    /// RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8 to R15.
    pub gprs: [u64; 16],
    /// Its flags.
    pub rflags: u64,
    /// Where FS and GS began, where that is known.
    pub bases: Option<(u64, u64)>,
}

/// Names of [`DumpedThread::gprs`].
pub const DUMPED_GPRS: [&str; 16] =
    ["AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];

/// What a dump has of a process.
#[derive(Debug)]
struct Process {
    os: Os,
    /// Memory: its bytes lie in the file.
    parts: Vec<Segment>,
    mapped: Vec<Mapped>,
    threads: Vec<DumpedThread>,
}

/// A part of a file that was in memory.
#[derive(Debug)]
struct Mapped {
    path: String,
    start: u64,
    end: u64,
    /// Where in the file it begins.
    offset: u64,
    /// What the process could do with it, where the dump says so.
    perm: Option<Perm>,
}

/// Whether these bytes begin a dump of a process.
pub(crate) fn is(file: &[u8]) -> bool {
    core::is(file) || minidump::is(file)
}

/// The memory of a dumped process as an object, and its threads. `program` has what the dump leaves out: code and constants, which
/// Linux does not write into cores, and names.
pub(crate) fn object(
    dump: Arc<Source>,
    program: Option<Arc<Source>>,
) -> Result<(Object, Vec<DumpedThread>), LoadError> {
    let file = dump.bytes();
    let process = if core::is(file) { core::read(file)? } else { minidump::read(file)? };
    let Process { os, mut parts, mapped, threads } = process;
    let remarks = vec!["a dump of a process: variables and memory are as they were then".to_owned()];
    parts.retain(|part| part.addr.checked_add(part.mem_size).is_some() && part.file_size > 0);
    let Some(program) = program else {
        let base = parts.iter().map(|part| part.addr).min().unwrap_or_default();
        let layout = layout(os, base, without_overlaps(parts), remarks);
        return Ok((Object::made(dump, layout, SymbolTable::default()), threads));
    };
    let (base, own) = of_program(&mapped, &program)?;
    let file_alone = Object::parse(program.clone(), Placement::Moved(base))?;
    let mut layout = file_alone.layout.clone();
    // The program's bytes come first, so that what its headers say of offsets stays true.
    let mut bytes = program.bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
    let first = bytes.len() as u64;
    parts.iter_mut().for_each(|part| part.file_offset += first);
    let missing = own.iter().flat_map(|mapped| from_program(mapped, program.bytes(), &layout));
    parts.extend(missing.collect::<Vec<_>>());
    layout.segments = without_overlaps(parts);
    let whole = layout.segments.iter().fold(0_u64, |sum, part| sum.saturating_add(part.file_size));
    if whole > MOST_TIMES * (file.len() + program.bytes().len()) as u64 {
        return Err(LoadError::Malformed { what: "core: expected parts with bytes of their own", offset: 0 });
    }
    // Memory follows in its order, so that a table can be read that lies in two parts.
    for part in &mut layout.segments {
        let contents = match part.file_offset.checked_sub(first) {
            Some(offset) => crate::bytes::slice(file, offset, part.file_size),
            None => crate::bytes::slice(program.bytes(), part.file_offset, part.file_size),
        };
        part.file_offset = bytes.len() as u64;
        bytes.extend_from_slice(contents.unwrap_or_default());
    }
    layout.relocated = true;
    layout.remarks.extend(remarks);
    let source = Source::made(bytes, dump.path().map(PathBuf::from).or(program.path().map(PathBuf::from)))?;
    Ok((file_alone.in_process(Arc::new(source), layout), threads))
}

fn layout(os: Os, base: u64, segments: Vec<Segment>, remarks: Vec<String>) -> Layout {
    let target = Target { os, position_independent: false };
    Layout { target, entry: None, bias: 0, base, relocated: true, segments, sections: Vec::new(), remarks }
}

/// Where a program's first byte was, and the parts of it that were in memory.
fn of_program<'m>(mapped: &'m [Mapped], program: &Source) -> Result<(u64, Vec<&'m Mapped>), LoadError> {
    let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let wanted = program.path().and_then(|path| path.file_name()?.to_str()).map(name);
    let first = mapped.iter().find(|mapped| Some(name(&mapped.path)) == wanted).or(mapped.first());
    let Some(first) = first else {
        return Err(LoadError::Malformed { what: "core: expected a list of mapped files", offset: 0 });
    };
    let own: Vec<&Mapped> = mapped.iter().filter(|mapped| mapped.path == first.path).collect();
    let base = own.iter().map(|mapped| mapped.start.saturating_sub(mapped.offset)).min();
    Ok((base.unwrap_or(first.start), own))
}

/// A mapped part of a program's file, with the permissions of the segments there.
fn from_program(mapped: &Mapped, program: &[u8], layout: &Layout) -> Option<Segment> {
    let size = mapped.end.checked_sub(mapped.start)?;
    let of_segment = layout.segments.iter().find(|segment| {
        segment.addr < mapped.end && mapped.start < segment.addr.saturating_add(segment.mem_size)
    });
    let perm = mapped.perm.or(of_segment.map(|segment| segment.perm)).unwrap_or(Perm::READ);
    let left = (program.len() as u64).saturating_sub(mapped.offset);
    let file_size = size.min(left);
    (size > 0 && file_size > 0).then_some(Segment {
        addr: mapped.start,
        mem_size: size,
        file_offset: mapped.offset,
        file_size,
        perm,
    })
}

/// Parts in order of address. Where two have the same memory, the one that was listed first counts.
fn without_overlaps(parts: Vec<Segment>) -> Vec<Segment> {
    let mut kept: Vec<Segment> = Vec::new();
    for part in parts {
        let mut rest = vec![part];
        while let Some(part) = rest.pop() {
            let end = part.addr + part.mem_size;
            let at = kept.partition_point(|other| other.addr + other.mem_size <= part.addr);
            match kept.get(at).filter(|other| other.addr < end) {
                None => kept.insert(at, part),
                Some(other) => {
                    let (start, stop) = (other.addr, other.addr + other.mem_size);
                    rest.extend(piece(&part, stop, end));
                    rest.extend(piece(&part, part.addr, start));
                }
            }
        }
    }
    kept
}

/// The piece of a part between two addresses, if it is not empty.
fn piece(part: &Segment, from: u64, to: u64) -> Option<Segment> {
    let (skip, size) = (from.checked_sub(part.addr)?, to.checked_sub(from).filter(|size| *size > 0)?);
    Some(Segment {
        addr: from,
        mem_size: size,
        file_offset: part.file_offset + skip.min(part.file_size),
        file_size: part.file_size.saturating_sub(skip).min(size),
        perm: part.perm,
    })
}
