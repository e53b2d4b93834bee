//! What a program has from who starts it: its arguments. What is made of them is no text of the program's own.

use std::collections::HashSet;
use std::ops::Range;

use goemu_loader::Perm;

use super::constants::is_address;
use crate::machine::Machine;

/// Bytes of the heap behind which nothing is looked for.
const MAX_HEAP: u64 = 256 << 20;

/// Where the arguments of an initialised program are.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Their bytes.
    pub(super) texts: Vec<Range<u64>>,
    /// The words that say where they are and how many: strings, and slices of them.
    pub(super) words: Vec<u64>,
}

impl Outside {
    /// Looks for them in all that packages have made.
    pub(super) fn of(machine: &Machine) -> Outside {
        let (memory, image) = (machine.memory(), machine.image());
        let process = &machine.guest.world.process;
        let word = |at: u64| memory.read(at).ok().map(u64::from_le_bytes);
        let is_argument = |addr: u64, len: u64| {
            let mut of_len = process.arguments().filter(|text| !text.is_empty() && text.len() as u64 == len);
            let made = addr != 0 && !is_address(image, addr);
            let mut bytes = vec![0; usize::try_from(len).ok().filter(|_| made).unwrap_or(0)];
            of_len.any(|text| {
                !bytes.is_empty() && memory.read_bytes(addr, &mut bytes).is_ok() && bytes == text.as_bytes()
            })
        };
        let lens: HashSet<u64> = process.arguments().map(|text| text.len() as u64).collect();
        let (mut texts, mut strings, mut slices) = (HashSet::new(), HashSet::new(), Vec::new());
        for at in writable(machine).into_iter().flat_map(|range| range.step_by(8)) {
            let Some(len) =
                word(at.wrapping_add(8)).filter(|len| lens.contains(len) || *len == process.argc())
            else {
                continue;
            };
            let Some(addr) = word(at) else { continue };
            if lens.contains(&len) && is_argument(addr, len) {
                texts.insert((addr, len));
                strings.insert(at);
            }
            if len == process.argc() {
                slices.push((at, addr));
            }
        }
        slices.retain(|(_, first)| strings.contains(first));
        let mut words: Vec<u64> = strings.into_iter().flat_map(|at| [at, at + 8]).collect();
        words.extend(slices.into_iter().flat_map(|(at, _)| [at, at + 8, at + 16]));
        words.sort_unstable();
        let mut texts: Vec<Range<u64>> = texts.into_iter().map(|(addr, len)| addr..addr + len).collect();
        texts.sort_unstable_by_key(|text| text.start);
        Outside { texts, words }
    }
}

/// Where packages have their variables and what these refer to, from a multiple of 8 on.
pub(super) fn writable(machine: &Machine) -> Vec<Range<u64>> {
    let segments = machine.image().segments().iter().filter(|segment| segment.perm.contains(Perm::WRITE));
    let mut ranges: Vec<_> = segments.map(|s| s.addr..s.addr.saturating_add(s.mem_size)).collect();
    ranges.push(machine.guest.world.heap_range());
    let part = |range: Range<u64>| {
        range.start.next_multiple_of(8)..range.end.min(range.start.saturating_add(MAX_HEAP))
    };
    ranges.into_iter().map(part).collect()
}
