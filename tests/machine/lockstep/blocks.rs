//! The state before each block that runs translated, compared with what the interpreter had there.
//!
//! Both programs are run for the same part, and record their blocks ([`recorder`](super::recorder)). Of each run, every block that the
//! translator has recorded must be one of the interpreter's, in order: after as many instructions, with the same state. Only where
//! translated code is entered, behind an instruction that was left to the interpreter, or again where the host has refused one, it may
//! begin within one of the interpreter's blocks, or with one for the second time.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Instant;

use goemu::machine::EngineChoice;
use goemu::program::Program;
use goemu::{Session, Stop};

use super::recorder::{Block, Log, Shared, interpreter, translator};
use super::{Random, hash, program, state};

/// Instructions of a part, at most: enough for translated code to be entered.
const PART: u64 = 20_000;
/// Parts between two comparisons of memory.
const MEMORY: u64 = 300;

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compared {
    /// Blocks of the interpreter, and those of them that the translator ran translated and that were compared.
    pub(super) blocks: u64,
    pub(super) compared: u64,
    pub(super) instructions: u64,
}

impl AddAssign for Compared {
    fn add_assign(&mut self, other: Compared) {
        self.blocks += other.blocks;
        self.compared += other.compared;
        self.instructions += other.instructions;
    }
}

/// Compares a run's blocks with the interpreter's; gives the number that could be.
fn compare_run(one: &[Block], other: &[Block], what: &str) -> u64 {
    // What repeated instructions have cost, and the interpreter's blocks that came before.
    let (mut cost, mut done, mut compared) = (0, 0, 0);
    for (n, block) in other.iter().enumerate() {
        let rest = &one[done..];
        let used = block.used - cost;
        let begins = rest.iter().position(|known| known.used == used);
        let within = |known: &Block| known.used < used && used < known.used + known.len;
        let again = done > 0 && one[done - 1].before == block.before;
        if block.enters && begins.is_none() && (again || one[done.saturating_sub(1)..].iter().any(within)) {
            continue;
        }
        let place = begins.or_else(|| {
            // The cost has grown, if there was a reason.
            let place = rest.iter().position(|known| known.before == block.before && known.used < used)?;
            one[done.saturating_sub(1)..done + place].iter().any(|known| known.repeats).then_some(place)
        });
        let known = place.map(|place| rest[place]);
        let same = known.is_some_and(|known| known.before == block.before);
        assert!(same, "{what}: block {n} of {}: {block:x?} for {known:x?}, cost {cost}", other.len());
        (cost, done) =
            (block.used - known.map_or(0, |known| known.used), done + place.map_or(0, |place| place + 1));
        compared += 1;
    }
    compared
}

fn compare_blocks(logs: [&Shared; 2], what: &str) -> Compared {
    let [one, other] = logs.map(|log| std::mem::take(&mut *log.lock().unwrap()));
    assert!(!one.is_cut() && !other.is_cut(), "{what}: too many blocks");
    let (Log { runs: one, .. }, Log { runs: other, .. }) = (one, other);
    assert_eq!(one.len(), other.len(), "{what}: runs");
    let blocks = one.iter().map(|run| run.len() as u64).sum();
    let compared = one.iter().zip(&other).map(|(one, other)| compare_run(one, other, what)).sum();
    Compared { blocks, compared, instructions: 0 }
}

/// Runs both to the end, or until it is time.
pub(super) fn side_by_side(name: &str, seed: u64, until: Instant) -> Compared {
    let logs = [Shared::default(), Shared::default()];
    let [mut one, mut other] = [0, 1].map(|n| recorded(name, seed, n == 1, &logs[n]));
    let (mut one, mut other) = (one.begin().unwrap(), other.begin().unwrap());
    one.forget_history();
    other.forget_history();
    let (mut random, mut all, mut parts) = (Random(seed), Compared::default(), 0);
    while Instant::now() < until {
        let part = 1 + random.below(PART);
        parts += 1;
        let what = format!("{name}, seed {seed}, part {parts} of {part}");
        let go = |session: &mut Session<'_>| session.resume_for(part).unwrap();
        let (a, b) = (go(&mut one), go(&mut other));
        all += compare_blocks([&logs[0], &logs[1]], &what);
        assert_eq!((&a, one.position()), (&b, other.position()), "{what}");
        assert_eq!(state(one.machine().cpu()), state(other.machine().cpu()), "{what}");
        let over = a != Stop::Paused;
        if over || parts % MEMORY == 0 {
            assert_eq!(hash(one.machine().memory()), hash(other.machine().memory()), "{what}: memory");
        }
        if over {
            assert_eq!(one.outcome(), other.outcome(), "{what}");
            break;
        }
    }
    Compared { instructions: one.instructions(), ..all }
}

/// A program whose blocks are recorded.
fn recorded(name: &str, seed: u64, translated: bool, log: &Shared) -> Program {
    let mut program = program(name, EngineChoice::Auto, seed);
    let log = Arc::clone(log);
    program.machine().set_engine(move || match translated {
        true => translator(&log, !seed.is_multiple_of(3)),
        false => interpreter(&log),
    });
    program
}
