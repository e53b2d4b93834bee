//! What runs guest code.
//!
//! ```
//! use goemu_memory::{Contents, Memory, Perm};
//! use goemu_x86::cpu::{Cpu, gpr};
//! use goemu_x86::engine::Engine;
//! use goemu_x86::exit::Exit;
//! use goemu_x86::interp::Interpreter;
//!
//! let code = [0xb8, 40, 0, 0, 0, 0x83, 0xc0, 2, 0xf4]; // MOV EAX, 40; ADD EAX, 2; HLT
//! let mut memory = Memory::new(1 << 20)?;
//! memory.map(0x1000..0x2000, Perm::READ | Perm::EXEC, Contents::Bytes(&code))?;
//! let mut cpu = Cpu::default();
//! cpu.rip = 0x1000;
//! let mut fuel = 1000;
//! assert!(matches!(Interpreter::new().run(&mut cpu, &mut memory, &mut fuel), Exit::Halt));
//! assert_eq!((cpu.gpr(gpr::RAX), fuel), (42, 997));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use iced_x86::Instruction;

use crate::coverage::Coverage;
use crate::cpu::Cpu;
use crate::exit::Exit;
use crate::memory::Memory;

/// Addresses at which an engine leaves before it executes anything.
pub type Stops = HashSet<u64>;

/// Says of an instruction whether it is guarded: an engine leaves instead of executing it. Asked once, when the
/// instruction is decoded.
pub type Bar = Arc<dyn Fn(&Instruction) -> bool + Send + Sync>;

/// Says of an instruction whether a watch wants to be shown it. Asked once, when the instruction is decoded.
pub type Chooser = Arc<dyn Fn(&Instruction) -> bool + Send + Sync>;

/// Says whether a run must end now, whatever fuel is left.
pub type Late = Arc<dyn Fn() -> bool + Send + Sync>;

/// Functions at stops that allocate, as Go's `mallocgc` does: RAX has a size, RBX the address of a type or 0, and the object's address
/// returns in RAX.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocators {
    /// Where they begin.
    pub entries: HashSet<u64>,
    /// Where a type has the bytes of its objects that may hold pointers: a quadword so far from its beginning.
    pub pointers: u8,
}

/// How much of a run is shown to a [`Watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The instructions that were [chosen](Engine::set_chooser), each before it is executed.
    Chosen,
    /// Every block, before the first of its instructions: what counting and coverage need, for the least cost.
    Blocks,
    /// Every block, and every instruction before it is executed.
    Before,
    /// Every block, and every instruction before and after it is executed. This costs twice what [`Detail::Before`] does.
    BeforeAndAfter,
}

/// Watches what is executed. Engines that cannot show single instructions leave watched code to one
/// that can.
pub trait Watch {
    /// What is to be shown. Asked once a run.
    fn detail(&self) -> Detail {
        Detail::BeforeAndAfter
    }

    /// Before a block: the state is complete, RIP points at the first of its instructions. All of them are executed,
    /// unless one faults.
    fn block(&mut self, cpu: &Cpu, memory: &Memory, insns: &[Instruction]) {
        let _ = (cpu, memory, insns);
    }

    /// Before an instruction is executed: the state is complete, RIP points at it.
    fn before(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction);

    /// Before a chosen instruction is executed, as [`Watch::before`] and in its place. Shown with [`Detail::Chosen`] only.
    fn chosen(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction) {
        let _ = (cpu, memory, insn);
    }

    /// After an instruction was executed, RIP being that of the next; not called after a fault.
    fn after(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction) {
        let _ = (cpu, memory, insn);
    }
}

/// Runs guest code until there is a reason to leave.
///
/// Engines know stop addresses, not hooks; the caller answers the [`Exit`].
pub trait Engine: Send {
    /// From now on runs follow each other on this thread, with little work between them that is not the guest's: what a run
    /// prepares on the host may stay until the next one, for a while. With `false`, all is as it was, at once. An engine that
    /// runs on the same thread in between lets go before this one goes on.
    fn keep_ready(&mut self, ready: bool) {
        let _ = ready;
    }

    /// Something else comes that may take long: the host is as it was, until the next run.
    fn let_go(&mut self) {}

    /// What it is called.
    fn name(&self) -> &'static str {
        "custom"
    }

    /// Runs from RIP. The first instruction is executed even where RIP is a stop address, so that a
    /// machine can go on from one. `fuel` counts down by instructions executed, and by the rounds of long repeated ones;
    /// it is tested where control goes backwards ([`crate::decode::Block::polls`]), by a call, a return or an indirect
    /// jump. There, too, and nowhere else, the cost of long operations is taken.
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit;

    /// Executes the instruction at RIP, stop address or not. `None` if RIP is now that of the next.
    fn step(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Option<Exit>;

    /// As [`Engine::run`], and `watch` sees what it wants.
    fn run_watched(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        watch: &mut dyn Watch,
    ) -> Exit;

    /// Sets the addresses at which to leave.
    fn set_stops(&mut self, stops: Stops);

    /// Says which stops allocate. Where these are called, an engine may hand out what [`Memory::bump`] has, note it there, and go on,
    /// instead of leaving. Once it has, it reads no clock and begins no detour before it has left: then with
    /// [`Exit::OutOfFuel`], whatever is left.
    fn set_allocators(&mut self, allocators: &Allocators) {
        let _ = allocators;
    }

    /// Sets who is asked, whenever so much new code was decoded that it has taken a while, whether the run must end: then it ends with
    /// [`Exit::OutOfFuel`], though fuel may be left and this may be no place to look at it. Runs that nobody ends so are not changed.
    fn set_late(&mut self, late: Option<Late>) {
        let _ = late;
    }

    /// Sets which instructions to leave at, with [`Exit::Guarded`].
    fn set_bar(&mut self, bar: Option<Bar>);

    /// Sets which instructions are shown to a [`Watch`] that wants [`Detail::Chosen`].
    fn set_chooser(&mut self, chooser: Option<Chooser>);

    /// Counts the edges of all code that it runs from now on, watched or not; `None`: none.
    fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>);

    /// Forgets what was decoded from these addresses.
    fn forget(&mut self, code: Range<u64>);
}
