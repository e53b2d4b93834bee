//! An image into guest memory. File pages are mapped, not copied, wherever the file allows.

use std::ops::Range;

use goemu_loader::{Image, Reloc, Segment};

use crate::go::variables;
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};
use crate::os::imports;

/// Maps all segments and writes the words that the system's loader would have written.
pub(super) fn map(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    for segment in image.segments() {
        if segment.addr < memory.space() {
            map_segment(image, memory, segment)?;
        } else if image.is_dump() {
            show_far(image, memory, segment);
        } else {
            // Variables that are not in the file could not be had there.
            return Err(MemoryError::OutOfSpace { addr: segment.addr, size: memory.space() });
        }
    }
    apply(image.relocs(), memory)?;
    imports::set_up(image, memory)?;
    imports::link(image, memory)?;
    list_module(image, memory)?;
    end_collection(image, memory)
}

/// A process may have been dumped while it collected garbage. Here nobody goes on with that, so that code must not tell of the
/// pointers that it stores: the lists for them are those of threads that are gone.
fn end_collection(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    let flag = if image.is_dump() { variables::write_barrier(image) } else { None };
    flag.map_or(Ok(()), |flag| memory.poke(flag.start, &[0; 4]))
}

/// Fills in what a plugin takes from the program that loads it, and which stands empty in the plugin itself: the list
/// by which the runtime finds functions and types, and, up to Go 1.15, whether frames have frame pointers, as they do.
fn list_module(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    if image.plugin_path().is_none() {
        return Ok(());
    }
    if let Some(enabled) = image.symbol("runtime.framepointer_enabled") {
        memory.poke(enabled.addr, &[1])?;
    }
    let (first, next) = (image.symbol("runtime.firstmoduledata"), image.facts().module.next);
    match (image.module(), first, next) {
        (Some(module), Some(first), Some(next)) if first.addr != module.addr => {
            memory.poke(first.addr.wrapping_add(next), &module.addr.to_le_bytes())
        }
        _ => Ok(()),
    }
}

/// Shows what a process that was dumped had beyond a guest's space.
fn show_far(image: &Image, memory: &mut Memory, segment: &Segment) {
    let (from, len) = (segment.file_offset as usize, segment.file_size as usize);
    memory.show_far(segment.addr, perm_of(segment), image.shared_bytes(), from..from.saturating_add(len));
}

fn map_segment(image: &Image, memory: &mut Memory, segment: &Segment) -> Result<(), MemoryError> {
    let end = segment.addr.saturating_add(segment.mem_size);
    let first = segment.addr / PAGE * PAGE;
    if end <= segment.addr {
        return Ok(());
    }
    let Some(shared) = memory.perm(first) else {
        return map_alone(image, memory, segment, first..end);
    };
    if first + PAGE < end {
        memory.map(first + PAGE..end, perm_of(segment), Contents::Zero)?;
    }
    // Two segments in one page: it allows what either does.
    memory.protect(first..first + PAGE, shared | perm_of(segment))?;
    memory.poke(segment.addr, image.segment_bytes(segment))
}

/// Maps a segment whose pages no other has.
fn map_alone(
    image: &Image,
    memory: &mut Memory,
    segment: &Segment,
    range: Range<u64>,
) -> Result<(), MemoryError> {
    let mapped = map_file(image, memory, segment)?;
    if mapped > range.start {
        // Zeroed variables follow what is in the file.
        let rest = mapped..range.end;
        return if rest.is_empty() { Ok(()) } else { memory.map(rest, perm_of(segment), Contents::Zero) };
    }
    // Writable while it is copied, or each page would be unlocked and locked again.
    memory.map(range.clone(), perm_of(segment) | Perm::WRITE, Contents::Zero)?;
    memory.poke(segment.addr, image.segment_bytes(segment))?;
    memory.protect(range, perm_of(segment))
}

/// Maps the pages that the file has contents for; says where the next page begins, which is the first
/// one's address if it cannot be done.
fn map_file(image: &Image, memory: &mut Memory, segment: &Segment) -> Result<u64, MemoryError> {
    let first = segment.addr / PAGE * PAGE;
    let skew = segment.addr - first;
    let congruent = segment.file_offset % PAGE == skew;
    let Some(file) = image.file().filter(|_| congruent && segment.file_size > 0) else { return Ok(first) };
    let file_end = segment.addr + segment.file_size;
    let contents = Contents::File(file, segment.file_offset - skew);
    if memory.map(first..file_end, perm_of(segment), contents).is_err() {
        // A file system that cannot be mapped from, or larger pages: copy.
        return Ok(first);
    }
    let next = file_end.next_multiple_of(PAGE);
    if perm_of(segment).contains(Perm::WRITE) && next > file_end {
        // The rest of the last page is the start of zeroed variables, not what follows in the file.
        memory.poke(file_end, &vec![0; (next - file_end) as usize])?;
    }
    Ok(next)
}

/// Writes relocated words, page by page.
fn apply(relocs: &[Reloc], memory: &mut Memory) -> Result<(), MemoryError> {
    let mut rest = relocs;
    while let Some(first) = rest.first() {
        // A word may reach over the end of its page.
        let page = first.addr / PAGE * PAGE;
        let count = rest.iter().take_while(|r| r.addr / PAGE * PAGE == page).count();
        let (now, later) = rest.split_at(count);
        let mut bytes = [0; PAGE as usize + 8];
        let len = (now[count - 1].addr + 8 - page).max(PAGE) as usize;
        memory.peek(page, &mut bytes[..len]);
        for reloc in now {
            let at = (reloc.addr - page) as usize;
            bytes[at..at + 8].copy_from_slice(&reloc.value.to_le_bytes());
        }
        let from = (first.addr - page) as usize;
        let upto = (now[count - 1].addr + 8 - page) as usize;
        memory.poke(first.addr, &bytes[from..upto])?;
        rest = later;
    }
    Ok(())
}

/// The permissions of a segment's pages.
fn perm_of(segment: &Segment) -> Perm {
    Perm::from_bits_truncate(segment.perm.bits())
}
