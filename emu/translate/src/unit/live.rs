//! Which registers a block, and what follows it, uses before they are written: what is known of others makes no difference, and
//! must not make versions.

use std::rc::Rc;

use goemu_x86::decode::{Block, BlockEnd, decode_block};
use iced_x86::OpAccess;

use super::Unit;
use super::switch::Switch;

/// Blocks that are looked at together.
const AHEAD: usize = 24;

/// A block, and the registers that it reads before it writes them, and that it writes, as bits.
#[derive(Clone)]
pub(super) struct Decoded {
    pub(super) block: Rc<Block>,
    /// The jump by a table that it ends in.
    pub(super) switch: Option<Rc<Switch>>,
    reads: u16,
    writes: u16,
}

impl Unit<'_> {
    /// The block at an address. `None` if there is no code.
    pub(super) fn decoded(&mut self, pc: u64) -> Option<Decoded> {
        if let Some(known) = self.decoded.get(&pc) {
            return known.clone();
        }
        let stops = self.limits.stops;
        let block = decode_block(self.memory, pc, |at| stops.contains(&at)).ok();
        let decoded = block.map(|block| self.look_at(block));
        self.decoded.insert(pc, decoded.clone());
        decoded
    }

    fn look_at(&mut self, block: Block) -> Decoded {
        let (mut reads, mut writes) = (0_u16, 0_u16);
        for insn in &block.insns {
            let mut written = 0;
            for used in self.info.info(insn).used_registers() {
                let register = used.register();
                if !register.is_gpr() {
                    continue;
                }
                let bit = 1 << register.full_register().number();
                match used.access() {
                    // Half a register that is written leaves the other.
                    OpAccess::Write if register.is_gpr64() || register.is_gpr32() => written |= bit,
                    _ => reads |= bit & !writes,
                }
            }
            // What it writes it may read, too, which the above has seen, whatever the order.
            writes |= written;
        }
        let switch = self.switch_of(&block);
        Decoded { block: Rc::new(block), switch, reads, writes }
    }

    /// Registers that matter where control comes to an address, as bits.
    pub(super) fn live(&mut self, pc: u64) -> u16 {
        if let Some(&known) = self.live.get(&pc) {
            return known;
        }
        let mut blocks: Vec<(u64, Option<Decoded>, u16)> = Vec::new();
        let mut next = vec![pc];
        while let Some(pc) = next.pop()
            && blocks.len() < AHEAD
        {
            if blocks.iter().any(|(known, ..)| *known == pc) {
                continue;
            }
            let decoded = self.decoded(pc);
            if let Some(decoded) = &decoded {
                // Those behind first.
                next.splice(0..0, successors(decoded));
            }
            blocks.push((pc, decoded, 0));
        }
        loop {
            let mut changed = false;
            for at in (0..blocks.len()).rev() {
                let (_, Some(decoded), before) = &blocks[at] else { continue };
                let of = |pc: u64| {
                    let here = blocks.iter().find(|(known, ..)| *known == pc).map(|(.., live)| *live);
                    here.or_else(|| self.live.get(&pc).copied()).unwrap_or(!0)
                };
                let after = successors(decoded).fold(0, |all, pc| all | of(pc));
                let live = decoded.reads | (after & !decoded.writes);
                changed |= live != *before;
                blocks[at].2 = live;
            }
            if !changed {
                break;
            }
        }
        blocks.into_iter().for_each(|(pc, _, live)| {
            self.live.entry(pc).or_insert(live);
        });
        self.live.get(&pc).copied().unwrap_or(!0)
    }
}

/// Where control goes with what is known. (Calls, returns and other indirect jumps forget it.)
pub(super) fn successors(decoded: &Decoded) -> impl Iterator<Item = u64> {
    let block = &decoded.block;
    let ways = match block.end {
        BlockEnd::Next => [Some(block.next()), None],
        BlockEnd::Jump(to) => [Some(to), None],
        BlockEnd::Branch(to) => [Some(to), Some(block.next())],
        BlockEnd::Call(_) | BlockEnd::Indirect => [None, None],
    };
    let targets = decoded.switch.iter().flat_map(|switch| switch.targets.iter().copied());
    ways.into_iter().flatten().chain(targets)
}
