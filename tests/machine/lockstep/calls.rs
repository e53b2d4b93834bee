//! Calls of the corpus in both engines, hooked and started: the state before each block that runs translated is one that the
//! interpreter had, in order.

use std::sync::Arc;
use std::time::Instant;

use goemu::Machine;
use goemu_tests::fixtures::{Case, cases};
use goemu_tests::table::{Build, call};

use super::blocks::Compared;
use super::recorder::{Block, Shared, interpreter, translator};

/// Instructions of a call whose blocks are recorded, at most.
const MOST: u64 = 1 << 20;

/// Machines of one build, one for each engine.
struct Pair {
    machines: [Machine; 2],
    logs: [Shared; 2],
}

/// Whether a call is short enough.
fn is_short(machine: &mut Machine, case: &Case) -> bool {
    let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
    let report = machine.call(&case.function).and_then(|call| call.literals(&args)?.run());
    report.is_ok_and(|report| report.instructions <= MOST)
}

impl Pair {
    fn new(build: &Build, started: bool) -> Pair {
        let logs = [Shared::default(), Shared::default()];
        let machines = [false, true].map(|translated| {
            let mut machine = if started { build.started() } else { build.machine() };
            let log = Arc::clone(&logs[usize::from(translated)]);
            machine.set_engine(move || if translated { translator(&log, true) } else { interpreter(&log) });
            machine
        });
        Pair { machines, logs }
    }

    /// The blocks that both have run since the last time.
    fn taken(&self) -> [Vec<Block>; 2] {
        self.logs.each_ref().map(|log| {
            let log = std::mem::take(&mut *log.lock().unwrap());
            assert!(!log.is_cut(), "too many blocks");
            log.runs.concat()
        })
    }
}

/// Compares a call's blocks with the interpreter's; gives the number that could be. Runs are not the same, as translated code hands
/// out objects itself. Where it is entered behind an instruction that it had left to the interpreter, it begins within a block.
fn compare([one, other]: &[Vec<Block>; 2], what: &str) -> u64 {
    let (mut done, mut compared) = (0, 0);
    for (n, block) in other.iter().enumerate().filter(|(_, block)| !block.enters) {
        let place = one[done..].iter().position(|known| known.before == block.before);
        assert!(place.is_some(), "{what}: block {n} of {}: {block:x?}", other.len());
        done += place.map_or(0, |place| place + 1);
        compared += 1;
    }
    compared
}

/// Makes all calls of a build's cases, until it is time.
pub(super) fn side_by_side(name: &str, started: bool, until: Instant) -> Compared {
    let build = Build::new(name);
    let mut pair = Pair::new(&build, started);
    let mut all = Compared::default();
    pair.taken();
    let mut plain = build.machine();
    for case in cases(build.program(), build.version).iter().filter(|case| is_short(&mut plain, case)) {
        if Instant::now() >= until {
            break;
        }
        let what = format!("{name}, {}", goemu_tests::table::source(case));
        let [one, other] = pair
            .machines
            .each_mut()
            .map(|machine| call(machine, case, None).map_err(|error| error.to_string()));
        assert_eq!(one, other, "{what}");
        let blocks = pair.taken();
        let compared = compare(&blocks, &what);
        all += Compared { blocks: blocks[0].len() as u64, compared, instructions: 0 };
    }
    all
}
