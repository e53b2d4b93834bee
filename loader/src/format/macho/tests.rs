//! What dyld writes, on a file of three segments that is put together here: Go's own linker only writes words that
//! stay as they are unless the program is moved.

use crate::layout::Placement;

use super::{imports, layout, relocs};

const DATA: usize = 0x1000;
const LINKEDIT: usize = 0x2000;

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A library that is linked at 0: `__TEXT`, `__DATA` at 0x1000, `__LINKEDIT`, and one more command.
fn library(command: &[u32], data: &[u64], linkedit: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 0x3000];
    let size = 3 * 72 + 4 * command.len() as u32;
    put(&mut file, 0, &words(&[0xfeed_facf, 0x0100_0007, 3, 6, 4, size, 0, 0]));
    for (index, name) in ["__TEXT", "__DATA", "__LINKEDIT"].into_iter().enumerate() {
        let at = 32 + 72 * index;
        put(&mut file, at, &words(&[0x19, 72]));
        put(&mut file, at + 8, name.as_bytes());
        for (field, value) in [(24, 0x1000 * index), (32, 0x1000), (40, 0x1000 * index), (48, 0x1000)] {
            put(&mut file, at + field, &(value as u64).to_le_bytes());
        }
        put(&mut file, at + 56, &words(&[7, if name == "__DATA" { 3 } else { 5 }]));
    }
    put(&mut file, 32 + 3 * 72, &words(command));
    for (index, word) in data.iter().enumerate() {
        put(&mut file, DATA + 0x10 + 8 * index, &word.to_le_bytes());
    }
    put(&mut file, LINKEDIT, linkedit);
    file
}

/// Relocations as (address, value).
type Relocs = Vec<(u64, u64)>;
/// Imports as (address, name).
type Imports = Vec<(u64, String)>;

fn found(file: &[u8]) -> (Relocs, Imports) {
    let layout = layout(file, Placement::Linked).expect("a library");
    assert_eq!(layout.bias, 0x40_0000);
    let relocs = relocs(file, &layout).into_iter().map(|reloc| (reloc.addr, reloc.value));
    let imports = imports(file, &layout).into_iter().map(|import| (import.addr, import.name));
    (relocs.collect(), imports.collect())
}

/// The tables of chained fixups: one page of `__DATA`, whose chain begins at 0x10.
fn fixups(format: u32) -> Vec<u8> {
    let mut tables = vec![0; 200];
    put(&mut tables, 0, &words(&[0, 32, 80, 100, 2, 1, 0]));
    put(&mut tables, 32, &words(&[3, 0, 16, 0]));
    put(&mut tables, 48, &words(&[24, 0x1000 | format << 16, 0x1000, 0, 0, 1 | 0x10 << 16]));
    put(&mut tables, 80, &words(&[1 << 9, 8 << 9]));
    put(&mut tables, 100, b"\0_first\0_second\0");
    tables
}

#[test]
fn chained_fixups() {
    let rebase = |target: u64, next: u64| target | next << 51;
    let bind = |ordinal: u64, next: u64| ordinal | next << 51 | 1 << 63;
    let chain = [rebase(0x123, 2), bind(1, 2), rebase(0x456 | 0x80 << 36, 0), 7];
    let command = [0x8000_0034, 16, LINKEDIT as u32, 200];
    for format in [2, 6] {
        let (relocs, imports) = found(&library(&command, &chain, &fixups(format)));
        assert_eq!(relocs, [(0x40_1010, 0x40_0123), (0x40_1020, 0x8000_0000_0040_0456)]);
        assert_eq!(imports, [(0x40_1018, "second".to_owned())]);
    }
}

#[test]
fn a_chain_that_leads_nowhere_ends() {
    let command = [0x8000_0034, 16, LINKEDIT as u32, 200];
    // Each word leads to itself or past the end of the segment.
    for word in [u64::MAX, 0xfff << 51, 1 << 51] {
        let (relocs, _) = found(&library(&command, &[word; 32], &fixups(6)));
        assert!(relocs.len() <= 0x1000 / 4, "{word:#x}: {}", relocs.len());
    }
}

#[test]
fn rebase_programs() {
    let command = [0x8000_0022, 48, LINKEDIT as u32, 16, 0, 0, 0, 0, 0, 0, 0, 0];
    // Pointers; segment 1 at 0x10; two words; skip one; one word and a gap; two words with gaps.
    let program = [0x11, 0x21, 0x10, 0x52, 0x41, 0x70, 0x08, 0x80, 2, 8, 0];
    let data: Vec<u64> = (0..10).map(|index| 0x100 * index).collect();
    let (relocs, _) = found(&library(&command, &data, &program));
    let at = |index: u64| (0x40_1010 + 8 * index, 0x40_0000 + 0x100 * index);
    assert_eq!(relocs, [at(0), at(1), at(3), at(5), at(7)]);
}

#[test]
fn a_rebase_program_without_end_ends() {
    let command = [0x8000_0022, 48, LINKEDIT as u32, 16, 0, 0, 0, 0, 0, 0, 0, 0];
    // As many words as a number can say.
    let program = [0x21, 0x10, 0x60, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
    let (relocs, _) = found(&library(&command, &[], &program));
    assert_eq!(relocs.len(), (0x1000 - 0x10) / 8);
}
