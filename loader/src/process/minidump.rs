//! Minidumps of Windows (`minidumpapiset.h`): streams of threads, modules and memory.

use super::{DumpedThread, MOST, Mapped, Process};
use crate::layout::{Os, Perm, Segment};
use crate::{LoadError, bytes};

const THREADS: u32 = 3;
const MODULES: u32 = 4;
const MEMORY: u32 = 5;
const MEMORY_64: u32 = 9;
const MEMORY_INFO: u32 = 16;
/// Sizes of records: an entry of the directory, a thread, a module, a range of memory in either list.
const ENTRY: u64 = 12;
const THREAD: u64 = 48;
const MODULE: u64 = 108;
const RANGE: u64 = 16;
/// In `CONTEXT` of x86-64: flags, registers in the order of [`super::DUMPED_GPRS`], where it was.
const EFLAGS: u64 = 0x44;
const GPRS: [u64; 16] =
    [0x78, 0x90, 0x80, 0x88, 0xa8, 0xb0, 0xa0, 0x98, 0xb8, 0xc0, 0xc8, 0xd0, 0xd8, 0xe0, 0xe8, 0xf0];
const RIP: u64 = 0xf8;

pub(super) fn is(file: &[u8]) -> bool {
    file.starts_with(b"MDMP")
}

pub(super) fn read(file: &[u8]) -> Result<Process, LoadError> {
    let malformed = |what, offset| LoadError::Malformed { what, offset };
    let (Some(count), Some(table)) = (bytes::u32(file, 8), bytes::u32(file, 12)) else {
        return Err(malformed("minidump: expected a directory of streams", 8));
    };
    let mut process = Process { os: Os::Windows, parts: Vec::new(), mapped: Vec::new(), threads: Vec::new() };
    let mut protections = Vec::new();
    for number in 0..u64::from(count).min(MOST as u64) {
        let at = u64::from(table) + number * ENTRY;
        let fields = [0, 4, 8].map(|field| bytes::u32(file, at + field));
        let [Some(kind), Some(size), Some(offset)] = fields else {
            return Err(malformed("minidump: expected as many streams as it says", at));
        };
        let Some(stream) = bytes::slice(file, offset.into(), size.into()) else { continue };
        match kind {
            THREADS => {
                process.threads.extend(list(stream, 4, THREAD).filter_map(|at| thread(file, stream, at)))
            }
            MODULES => {
                process.mapped.extend(list(stream, 4, MODULE).filter_map(|at| module(file, stream, at)))
            }
            MEMORY => process.parts.extend(list(stream, 4, RANGE).filter_map(|at| range(file, stream, at))),
            MEMORY_64 => ranges(file, stream, &mut process.parts),
            MEMORY_INFO => protections = infos(stream),
            _ => {}
        }
    }
    for part in &mut process.parts {
        let found = protections
            .iter()
            .find(|(start, size, _)| part.addr.checked_sub(*start).is_some_and(|offset| offset < *size));
        part.perm = found.map_or(Perm::READ | Perm::WRITE | Perm::EXEC, |(.., perm)| *perm);
    }
    Ok(process)
}

/// Offsets of the records of a list that begins with their number.
fn list(stream: &[u8], first: u64, size: u64) -> impl Iterator<Item = u64> {
    let count = bytes::u32(stream, 0).unwrap_or_default();
    let fits = (stream.len() as u64).saturating_sub(first) / size;
    (0..u64::from(count).min(fits).min(MOST as u64)).map(move |number| first + number * size)
}

fn thread(file: &[u8], stream: &[u8], at: u64) -> Option<DumpedThread> {
    let context = u64::from(bytes::u32(stream, at + 44)?);
    let mut gprs = [0; 16];
    for (value, offset) in gprs.iter_mut().zip(GPRS) {
        *value = bytes::u64(file, context + offset)?;
    }
    Some(DumpedThread {
        id: bytes::u32(stream, at)?.into(),
        rip: bytes::u64(file, context + RIP)?,
        gprs,
        rflags: bytes::u32(file, context + EFLAGS)?.into(),
        // The thread's block of the system, at which GS points.
        bases: bytes::u64(stream, at + 16).map(|block| (0, block)),
    })
}

fn module(file: &[u8], stream: &[u8], at: u64) -> Option<Mapped> {
    let (start, size) = (bytes::u64(stream, at)?, bytes::u32(stream, at + 8)?);
    let name = u64::from(bytes::u32(stream, at + 20)?);
    let len = bytes::u32(file, name)?.min(1 << 16);
    let units = bytes::slice(file, name + 4, len.into())?.chunks_exact(2);
    let units: Vec<u16> = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let end = start.checked_add(size.into())?;
    Some(Mapped { path: String::from_utf16_lossy(&units), start, end, offset: 0, perm: None })
}

fn part(file: &[u8], addr: u64, size: u64, offset: u64) -> Option<Segment> {
    addr.checked_add(size).filter(|_| size > 0)?;
    let left = (file.len() as u64).saturating_sub(offset);
    let perm = Perm::READ | Perm::WRITE | Perm::EXEC;
    Some(Segment { addr, mem_size: size, file_offset: offset, file_size: size.min(left), perm })
}

fn range(file: &[u8], stream: &[u8], at: u64) -> Option<Segment> {
    let (size, offset) = (bytes::u32(stream, at + 8)?, bytes::u32(stream, at + 12)?);
    part(file, bytes::u64(stream, at)?, size.into(), offset.into())
}

/// A list whose bytes lie behind each other from one offset on.
fn ranges(file: &[u8], stream: &[u8], parts: &mut Vec<Segment>) {
    let (Some(count), Some(mut offset)) = (bytes::u64(stream, 0), bytes::u64(stream, 8)) else { return };
    for number in 0..count.min(MOST as u64) {
        let at = 16 + number * RANGE;
        let (Some(addr), Some(size)) = (bytes::u64(stream, at), bytes::u64(stream, at + 8)) else { return };
        parts.extend(part(file, addr, size, offset));
        offset = offset.saturating_add(size);
    }
}

/// Ranges with what the process could do with them.
fn infos(stream: &[u8]) -> Vec<(u64, u64, Perm)> {
    let (Some(first), Some(size), Some(count)) =
        (bytes::u32(stream, 0), bytes::u32(stream, 4), bytes::u64(stream, 8))
    else {
        return Vec::new();
    };
    let info = |number: u64| {
        let at = u64::from(first).checked_add(number.checked_mul(size.into())?)?;
        let protection = bytes::u32(stream, at.checked_add(36)?)?;
        Some((bytes::u64(stream, at)?, bytes::u64(stream, at.checked_add(24)?)?, perm(protection)))
    };
    (0..count.min(MOST as u64)).map_while(info).collect()
}

/// `PAGE_READONLY` and its like.
fn perm(protection: u32) -> Perm {
    match protection & 0xff {
        0x02 => Perm::READ,
        0x04 | 0x08 => Perm::READ | Perm::WRITE,
        0x10 | 0x20 => Perm::READ | Perm::EXEC,
        0x40 | 0x80 => Perm::READ | Perm::WRITE | Perm::EXEC,
        _ => Perm::empty(),
    }
}
