//! Engines that record the blocks that they run, each with the state before it: the interpreter all of them, the translator those that
//! run translated.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use goemu::coverage::Coverage;
use goemu::cpu::{Cpu, gpr};
use goemu::engine::{Allocators, Bar, Chooser, Detail, Engine, Late, Stops, Watch};
use goemu::exit::Exit;
use goemu::iced_x86::Instruction;
use goemu::interp::Interpreter;
use goemu::memory::Memory;
use goemu_translate::Translator;
use rustc_hash::FxHasher;

/// Bytes of the stack that are compared, from RSP on.
const STACK: usize = 128;

/// The state before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) rip: u64,
    /// A number that follows from registers, flags, vectors, MXCSR and the top of the stack.
    state: u64,
}

impl Before {
    fn of(cpu: &Cpu, memory: &Memory) -> Before {
        let (mut hasher, mut stack) = (FxHasher::default(), [0; STACK]);
        cpu.gprs().into_iter().for_each(|value| hasher.write_u64(value));
        cpu.ymm.iter().flatten().for_each(|&half| hasher.write_u128(half));
        hasher.write_u64(cpu.rflags());
        hasher.write_u32(cpu.mxcsr);
        memory.peek(cpu.gpr(gpr::RSP), &mut stack);
        hasher.write(&stack);
        Before { rip: cpu.rip, state: hasher.finish() }
    }
}

/// A block of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) before: Before,
    /// The fuel that the run has used before it. Of the interpreter's blocks that is known up to what repeated instructions cost.
    pub(super) used: i64,
    /// Its instructions, and whether one is repeated; not known of translated blocks.
    pub(super) len: i64,
    pub(super) repeats: bool,
    /// Whether translated code was entered with it.
    pub(super) enters: bool,
}

/// Blocks that a log holds, at most.
const MOST: usize = 1 << 24;

/// The blocks of each run.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) runs: Vec<Vec<Block>>,
    /// Fuel at the beginning of the last.
    fuel: i64,
    /// How many they are, those that are too many included.
    blocks: usize,
}

impl Log {
    fn add(&mut self, block: Block) {
        self.blocks += 1;
        if self.blocks <= MOST {
            self.runs.last_mut().unwrap().push(block);
        }
    }

    /// Whether some were too many to be kept.
    pub(super) fn is_cut(&self) -> bool {
        self.blocks > MOST
    }
}

pub(super) type Shared = Arc<Mutex<Log>>;

/// Runs an engine so that its blocks are recorded.
pub(super) trait Record: Engine {
    fn record(&mut self, log: &Shared, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit;
}

impl Record for Translator {
    fn record(&mut self, _log: &Shared, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        self.run(cpu, memory, fuel)
    }
}

impl Record for Interpreter {
    fn record(&mut self, log: &Shared, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        self.run_watched(cpu, memory, fuel, &mut Blocks { log, used: 0 })
    }
}

/// Adds the interpreter's blocks to a log.
struct Blocks<'l> {
    log: &'l Shared,
    used: i64,
}

impl Watch for Blocks<'_> {
    fn detail(&self) -> Detail {
        Detail::Blocks
    }

    fn block(&mut self, cpu: &Cpu, memory: &Memory, insns: &[Instruction]) {
        let (before, used, len) = (Before::of(cpu, memory), self.used, insns.len() as i64);
        let repeats = insns.iter().any(|insn| insn.has_rep_prefix() || insn.has_repne_prefix());
        self.log.lock().unwrap().add(Block { before, used, len, repeats, enters: false });
        self.used += len;
    }

    fn before(&mut self, _: &Cpu, _: &Memory, _: &Instruction) {}
}

/// An interpreter that records all blocks.
pub(super) fn interpreter(log: &Shared) -> Box<dyn Engine> {
    Box::new(Recorder { engine: Interpreter::new(), log: Arc::clone(log) })
}

/// A translator that records what it runs translated, which is everything if it is `eager`.
pub(super) fn translator(log: &Shared, eager: bool) -> Box<dyn Engine> {
    let mut engine = Translator::new().unwrap();
    engine.set_heat(if eager { 0 } else { Interpreter::HEAT });
    let looks = Arc::clone(log);
    engine.set_look(Some(Box::new(move |cpu, memory, left, enters| {
        let (mut log, before) = (looks.lock().unwrap(), Before::of(cpu, memory));
        let used = log.fuel - left;
        log.add(Block { before, used, len: 0, repeats: false, enters });
    })));
    Box::new(Recorder { engine, log: Arc::clone(log) })
}

struct Recorder<E> {
    engine: E,
    log: Shared,
}

impl<E: Record> Engine for Recorder<E> {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        {
            let mut log = self.log.lock().unwrap();
            log.fuel = *fuel;
            log.runs.push(Vec::new());
        }
        self.engine.record(&self.log, cpu, memory, fuel)
    }

    fn keep_ready(&mut self, ready: bool) {
        self.engine.keep_ready(ready);
    }

    fn let_go(&mut self) {
        self.engine.let_go();
    }

    fn step(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Option<Exit> {
        self.engine.step(cpu, memory)
    }

    fn run_watched(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        watch: &mut dyn Watch,
    ) -> Exit {
        self.engine.run_watched(cpu, memory, fuel, watch)
    }

    fn set_stops(&mut self, stops: Stops) {
        self.engine.set_stops(stops);
    }

    fn set_allocators(&mut self, allocators: &Allocators) {
        self.engine.set_allocators(allocators);
    }

    fn set_late(&mut self, late: Option<Late>) {
        self.engine.set_late(late);
    }

    fn set_bar(&mut self, bar: Option<Bar>) {
        self.engine.set_bar(bar);
    }

    fn set_chooser(&mut self, chooser: Option<Chooser>) {
        self.engine.set_chooser(chooser);
    }

    fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>) {
        self.engine.set_coverage(coverage);
    }

    fn forget(&mut self, code: Range<u64>) {
        self.engine.forget(code);
    }
}
