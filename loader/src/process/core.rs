//! Cores of Linux: ELF files whose segments are memory and whose notes are threads (`elf(5)`, `struct elf_prstatus`).

use super::{DumpedThread, MOST, Mapped, Process};
use crate::layout::{Os, Perm, Segment};
use crate::{LoadError, bytes};

const ET_CORE: u16 = 4;
const EM_X86_64: u16 = 62;
/// Size of a program header.
const HEADER: u64 = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// How many headers there are, where the 16 bits for it are not enough.
const MANY: u16 = 0xffff;
/// A thread's registers.
const NT_PRSTATUS: u32 = 1;
/// Mapped files.
const NT_FILE: u32 = 0x4649_4c45;
/// In `struct elf_prstatus`: the thread's number, its registers.
const PID: u64 = 32;
const REGISTERS: u64 = 112;
/// In `struct user_regs_struct`, in the order of [`super::DUMPED_GPRS`].
const GPRS: [u64; 16] = [10, 5, 11, 12, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0];
const RIP: u64 = 16;
const RFLAGS: u64 = 18;
const FS_BASE: u64 = 21;
const GS_BASE: u64 = 22;

pub(super) fn is(file: &[u8]) -> bool {
    file.starts_with(b"\x7fELF\x02\x01")
        && bytes::u16(file, 16) == Some(ET_CORE)
        && bytes::u16(file, 18) == Some(EM_X86_64)
}

pub(super) fn read(file: &[u8]) -> Result<Process, LoadError> {
    let malformed = |what, offset| LoadError::Malformed { what, offset };
    let table = bytes::u64(file, 32).ok_or_else(|| malformed("core: expected program headers", 32))?;
    let count = match bytes::u16(file, 56) {
        Some(MANY) => {
            let sections = bytes::u64(file, 40).unwrap_or_default();
            bytes::u32(file, sections.saturating_add(44)).unwrap_or_default().into()
        }
        count => u64::from(count.unwrap_or_default()),
    };
    let (mut parts, mut mapped, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..count.min(MOST as u64) {
        let at = table.saturating_add(number * HEADER);
        let word = |field: u64| bytes::u64(file, at.saturating_add(field));
        let (Some(kind), Some(flags), Some(offset), Some(addr), Some(file_size), Some(mem_size)) =
            (bytes::u32(file, at), bytes::u32(file, at + 4), word(8), word(16), word(32), word(40))
        else {
            return Err(malformed("core: expected as many program headers as it says", at));
        };
        match kind {
            PT_LOAD if mem_size > 0 && addr.checked_add(mem_size).is_some() => {
                // What is not in the core was memory, too, of which nothing is known here; so is the rest of one that was cut off.
                let left = (file.len() as u64).saturating_sub(offset);
                let size = file_size.min(mem_size).min(left);
                parts.push(Segment {
                    addr,
                    mem_size: size,
                    file_offset: offset,
                    file_size: size,
                    perm: perm(flags),
                });
            }
            PT_NOTE => notes(file, offset, file_size, &mut mapped, &mut threads),
            _ => {}
        }
    }
    Ok(Process { os: Os::Linux, parts, mapped, threads })
}

fn perm(flags: u32) -> Perm {
    let pairs = [(4, Perm::READ), (2, Perm::WRITE), (1, Perm::EXEC)];
    pairs.into_iter().filter(|(flag, _)| flags & flag != 0).map(|(_, perm)| perm).collect()
}

fn notes(file: &[u8], offset: u64, size: u64, mapped: &mut Vec<Mapped>, threads: &mut Vec<DumpedThread>) {
    let Some(end) = offset.checked_add(size) else { return };
    let mut at = offset;
    while at < end && threads.len() < MOST {
        let sizes = [0, 4, 8].map(|field| bytes::u32(file, at.saturating_add(field)));
        let [Some(name), Some(len), Some(kind)] = sizes else { return };
        let body = at.saturating_add(12).saturating_add(u64::from(name).next_multiple_of(4));
        match kind {
            NT_PRSTATUS => threads.extend(thread(file, body)),
            NT_FILE => files(file, body, len.into(), mapped),
            _ => {}
        }
        at = body.saturating_add(u64::from(len).next_multiple_of(4));
    }
}

fn thread(file: &[u8], at: u64) -> Option<DumpedThread> {
    let register = |number: u64| bytes::u64(file, at.checked_add(REGISTERS + 8 * number)?);
    let mut gprs = [0; 16];
    for (value, number) in gprs.iter_mut().zip(GPRS) {
        *value = register(number)?;
    }
    Some(DumpedThread {
        id: bytes::u32(file, at.checked_add(PID)?)?.into(),
        rip: register(RIP)?,
        gprs,
        rflags: register(RFLAGS)?,
        bases: register(FS_BASE).zip(register(GS_BASE)),
    })
}

/// Count, size of a page; start, end and page in the file of each; then their names.
fn files(file: &[u8], at: u64, len: u64, mapped: &mut Vec<Mapped>) {
    let Some(note) = bytes::slice(file, at, len) else { return };
    let (Some(count), Some(page)) = (bytes::u64(note, 0), bytes::u64(note, 8)) else { return };
    let count = count.min(MOST as u64);
    let mut name = 16 + count * 24;
    for number in 0..count {
        let word = |field: u64| bytes::u64(note, 16 + number * 24 + field);
        let (Some(start), Some(end), Some(pages)) = (word(0), word(8), word(16)) else { return };
        let Some(path) = bytes::cstr(note, name) else { return };
        name += path.len() as u64 + 1;
        let (path, offset) = (bytes::text(path).to_owned(), pages.saturating_mul(page));
        mapped.push(Mapped { path, start, end, offset, perm: None });
    }
}
