//! What a machine is made with.

use std::time::Duration;

use super::{EngineChoice, Faults, Files, Process};
use crate::changes::Changes;
use crate::cpu::Level;
use crate::outcome::Runtime;

/// Limits and choices of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of memory that the guest may have, the program's own included. What is kept for it beside (pages for going back, records of
    /// its files, sockets, threads, signals and goroutines, contents of files, output) may take an eighth more with it; then the call ends as
    /// [`Outcome::MemoryLimit`](crate::Outcome::MemoryLimit).
    pub max_memory: u64,
    /// Bytes that a stack may grow to. Go's own limit is 1 000 000 000.
    pub max_stack: u64,
    /// Instructions that one call may execute. What takes longer than they show costs as many more: the work of hooks
    /// and system calls, the rounds of repeated instructions.
    pub fuel: u64,
    /// Bytes that one call may write to its standard output and error together.
    pub max_output: u64,
    /// Time of the host that a call may take with all that it brings: initialising packages, starting the program, methods
    /// that are run for texts. It then ends as [`Outcome::OutOfTime`](crate::Outcome::OutOfTime). `None`: fuel alone bounds it.
    pub deadline: Option<Duration>,
    /// What the processor shows of itself: programs choose their code by it.
    pub cpu: Level,
    /// What everything random follows from. The same seed is the same run.
    pub seed: u64,
    /// Which runtime serves calls. `None`: the hooked one, and where that cannot, the same call is made again in
    /// the real one.
    pub runtime: Option<Runtime>,
    /// Which engine runs guest code.
    pub engine: EngineChoice,
    /// What the program is given: arguments, environment, standard input.
    pub process: Process,
    /// The program's file system.
    pub files: Files,
    /// Processors that the program sees (`runtime.NumCPU`), 1 to 64. Its threads take turns on one.
    pub processors: u32,
    /// What goes wrong on purpose in the system of a started program.
    pub faults: Faults,
    /// What is changed of the program.
    pub changes: Changes,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_memory: 2 << 30,
            max_stack: 1_000_000_000,
            fuel: 1_000_000_000,
            max_output: 64 << 20,
            deadline: None,
            cpu: Level::default(),
            seed: 1,
            runtime: None,
            engine: EngineChoice::default(),
            process: Process::default(),
            files: Files::default(),
            processors: 1,
            faults: Faults::default(),
            changes: Changes::default(),
        }
    }
}
