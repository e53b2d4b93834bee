//! Whole started programs in both engines side by side: after each part of a run, which is as long as chance says, registers, flags and
//! vectors are compared, and now and then all of memory and how often each edge was taken; or the state before each block.
//!
//! `GOEMU_LOCKSTEP_SECONDS` makes it longer: `cargo xtask lockstep --programs` sets it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod blocks;
mod calls;
mod recorder;

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use goemu::coverage::Coverage;
use goemu::cpu::Cpu;
use goemu::machine::{Config, EngineChoice};
use goemu::memory::{Memory, Perm};
use goemu::program::Program;
use goemu::{Image, Session, Stop};
use goemu_tests::fixtures::{binary, present};

use blocks::Compared;

const PROGRAMS: [&str; 5] = [
    "process-go1.27-stripped",
    "concurrency-go1.27",
    "whole-go1.27-stripped",
    "corpus-go1.27",
    "corpus-go1.15",
];

/// Instructions of a part: some too few for translated code to be entered, some many.
const PARTS: [u64; 6] = [1, 40, 600, 1000, 5000, 40_000];
/// Parts between two comparisons of memory.
const MEMORY: u64 = 500;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % n
    }
}

fn program(name: &str, engine: EngineChoice, seed: u64) -> Program {
    let processors = if seed.is_multiple_of(2) { 1 } else { 4 };
    let config = Config { engine, seed, processors, ..Config::default() };
    Program::load(Image::open(binary(name).unwrap()).unwrap(), config).unwrap()
}

/// All that an instruction can see of a processor.
fn state(cpu: &Cpu) -> String {
    let Cpu { rip, fs_base, gs_base, ymm, mxcsr, x87, tsc, entropy, .. } = cpu;
    let (gprs, rflags) = (cpu.gprs(), cpu.rflags());
    format!(
        "{gprs:x?} {rip:x} {rflags:x} {fs_base:x} {gs_base:x} {ymm:x?} {mxcsr:x} {x87:x?} {tsc:x} {entropy:x}"
    )
}

/// A number that follows from all pages that can be read.
fn hash(memory: &Memory) -> u64 {
    let (mut hasher, mut page) = (DefaultHasher::new(), [0; 4096]);
    for (range, perm) in memory.ranges().into_iter().filter(|(_, perm)| perm.contains(Perm::READ)) {
        hasher.write_u64(range.start ^ range.end ^ u64::from(perm.bits()) << 60);
        for at in range.step_by(page.len()) {
            memory.peek(at, &mut page);
            if page != [0; 4096] {
                hasher.write_u64(at);
                hasher.write(&page);
            }
        }
    }
    hasher.finish()
}

/// Runs both to the end, or until it is time; gives the comparisons and instructions.
fn side_by_side(name: &str, seed: u64, until: Instant) -> (u64, u64) {
    let (mut one, mut other) =
        (program(name, EngineChoice::Interpreter, seed), program(name, EngineChoice::Auto, seed));
    // Every third round counts edges, too.
    let edges = seed.is_multiple_of(3).then(|| {
        [&mut one, &mut other].map(|program| {
            let coverage = Arc::new(Coverage::new());
            program.machine().set_coverage(Some(Arc::clone(&coverage)));
            coverage
        })
    });
    let (mut one, mut other) = (one.begin().unwrap(), other.begin().unwrap());
    one.forget_history();
    other.forget_history();
    let (mut random, mut compared) = (Random(seed), 0);
    while Instant::now() < until {
        let most = PARTS[random.below(PARTS.len() as u64) as usize];
        let part = 1 + random.below(most);
        let go = |session: &mut Session<'_>| session.resume_for(part).unwrap();
        let (a, b) = (go(&mut one), go(&mut other));
        compared += 1;
        let what = format!("{name}, seed {seed}, part {compared} of {part}");
        assert_eq!(a, b, "{what}");
        assert_eq!(one.position(), other.position(), "{what}");
        let (x, y) = (one.machine(), other.machine());
        assert_eq!(state(x.cpu()), state(y.cpu()), "{what}");
        let over = a != Stop::Paused;
        if over || compared % MEMORY == 0 {
            assert_eq!(hash(x.memory()), hash(y.memory()), "{what}: memory");
            if let Some([one, other]) = &edges {
                assert!(one.edges() == other.edges(), "{what}: edges");
            }
        }
        if over {
            assert_eq!(one.outcome(), other.outcome(), "{what}");
            break;
        }
    }
    (compared, one.instructions())
}

/// For how long a test of this file runs.
fn whole() -> Duration {
    let seconds = std::env::var("GOEMU_LOCKSTEP_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

/// Runs all programs again and again with other seeds, until it is time; each for a tenth of it at most.
fn rounds(mut program: impl FnMut(&str, u64, Instant)) {
    let (end, most) = (Instant::now() + whole(), whole() / 10);
    for seed in 0.. {
        for name in present(PROGRAMS) {
            let now = Instant::now();
            if now >= end {
                eprintln!("{seed} rounds");
                return;
            }
            program(&name, seed, end.min(now + most));
        }
    }
}

#[test]
fn started_programs_do_the_same_in_both_engines() {
    let mut all = (0, 0);
    rounds(|name, seed, until| {
        let (compared, instructions) = side_by_side(name, seed, until);
        all = (all.0 + compared, all.1 + instructions);
    });
    eprintln!("{} comparisons, {} million instructions", all.0, all.1 / 1_000_000);
    assert!(all.0 > 100, "{all:?}");
}

#[test]
fn before_each_block_started_programs_are_the_same_in_both_engines() {
    let mut all = Compared::default();
    rounds(|name, seed, until| all += blocks::side_by_side(name, seed, until));
    eprintln!("{all:?}");
    assert!(all.compared > all.blocks / 4 && all.compared > 10_000, "{all:?}");
}

#[test]
fn before_each_block_calls_are_the_same_in_both_engines() {
    let builds = [27, 15, 19, 21, 22, 23, 24, 25, 26].map(|version| format!("corpus-go1.{version}"));
    let builds: Vec<String> = present(builds.iter().map(String::as_str)).into_iter().collect();
    let most = whole() / (2 * builds.len() as u32);
    let mut all = Compared::default();
    for name in &builds {
        for started in [false, true] {
            all += calls::side_by_side(name, started, Instant::now() + most);
        }
    }
    eprintln!("{all:?} in {} builds", builds.len());
    assert!(all.compared > all.blocks / 4 && all.compared > 10_000, "{all:?}");
}
