//! Coverage reports: which lines and blocks ran, and how often.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use goemu::coverage::Coverage;
//! use goemu::sink::cover::{Blocks, Scope};
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let coverage = Arc::new(Coverage::new());
//! machine.set_coverage(Some(Arc::clone(&coverage)));
//! machine.call("main.f1")?.run()?;
//! machine.call("main.f2")?.run()?;
//! let blocks = Blocks::of(&coverage, machine.memory());
//! let lines = blocks.lines(machine.image(), &Scope::Packages(vec!["main".to_owned()]));
//! lines.write_profile(&mut std::io::stdout()).expect("standard output takes it");
//! # Ok::<(), goemu::Error>(())
//! ```

mod drcov;
mod lines;

use std::collections::BTreeMap;

use iced_x86::FlowControl;

pub use lines::{FileLines, FuncLine, Lines, Scope};

use crate::coverage::Coverage;
use crate::decode::decode_block;
use crate::memory::Memory;

/// Bytes of straight code that a block may have: damaged code has no end.
const MAX_BLOCK: u64 = 1 << 20;

/// A block of instructions that run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Address of the first.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// How often control came to the first.
    pub count: u64,
}

/// The blocks that ran, by address. They may overlap, where control also came to the middle of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(pub Vec<Block>);

impl Blocks {
    /// The blocks that were counted. Their code is looked up in the memory, as it is now. A block that faulted in its middle
    /// counts whole.
    pub fn of(coverage: &Coverage, memory: &Memory) -> Blocks {
        Blocks::of_all([coverage], memory)
    }

    /// The same of several: what machines that run the same program have counted, together.
    pub fn of_all<'c>(coverages: impl IntoIterator<Item = &'c Coverage>, memory: &Memory) -> Blocks {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for (start, count) in coverages.into_iter().flat_map(Coverage::blocks) {
            let sum = counts.entry(start).or_default();
            *sum = sum.saturating_add(count);
        }
        let blocks = counts.into_iter();
        Blocks(blocks.map(|(start, count)| Block { start, end: end(memory, start), count }).collect())
    }
}

/// The address after the next change of control.
fn end(memory: &Memory, start: u64) -> u64 {
    let mut at = start;
    while at - start < MAX_BLOCK {
        let Ok(block) = decode_block(memory, at, |_| false) else { break };
        let Some(last) = block.insns.last() else { break };
        at = last.next_ip();
        let goes_on = match last.flow_control() {
            FlowControl::Next => !last.is_invalid(),
            // System calls: the program goes on after them.
            FlowControl::Call | FlowControl::Interrupt => last.op_count() == 0,
            _ => false,
        };
        if !goes_on || at <= start {
            break;
        }
    }
    at.max(start)
}
