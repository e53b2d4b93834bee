//! Both engines side by side: whatever one does, the other does.

mod allocate;
mod changing;
mod charges;
mod escape;
mod faults;
mod guesses;
mod inline;
mod lockstep;
mod looks;
mod loops;
mod random;
mod strings;
mod subnormal;
mod switches;
mod tables;

use std::sync::Arc;

use goemu_x86::coverage::Coverage;
use goemu_x86::cpu::{Cpu, gpr};
use goemu_x86::engine::Engine;
use goemu_x86::exit::Exit;
use goemu_x86::interp::Interpreter;
use goemu_x86::memory::{Contents, Memory, PAGE, Perm};

use crate::Translator;

const CODE: u64 = 0x1000;
const DATA: u64 = 0x200_0000;
const DATA_LEN: u64 = 0x4000;
const STACK: u64 = 0x220_0000;

/// One guest, for one engine.
struct Guest<E> {
    engine: E,
    cpu: Cpu,
    memory: Memory,
}

impl<E: Engine> Guest<E> {
    /// `code` at [`CODE`], data and a stack.
    fn new(engine: E, code: &[u8], code_perm: Perm) -> Guest<E> {
        let mut memory = Memory::new(1 << 24).unwrap();
        let pages = (code.len() as u64).div_ceil(PAGE) * PAGE;
        memory.map(CODE..CODE + pages, code_perm, Contents::Bytes(code)).unwrap();
        memory.map(DATA..DATA + DATA_LEN, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        memory.map(STACK - 0x4000..STACK, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        let mut cpu = Cpu::default();
        cpu.rip = CODE;
        cpu.set_gpr(gpr::RSP, STACK - 0x800);
        Guest { engine, cpu, memory }
    }

    fn run(&mut self, fuel: &mut i64) -> Exit {
        self.engine.run(&mut self.cpu, &mut self.memory, fuel)
    }
}

/// The same guest for both engines.
struct Pair {
    one: Guest<Interpreter>,
    other: Guest<Translator>,
    /// What counts the edges of each.
    edges: Option<[Arc<Coverage>; 2]>,
}

impl Pair {
    fn new(code: &[u8]) -> Pair {
        Pair::with(code, Perm::READ | Perm::EXEC)
    }

    fn with(code: &[u8], perm: Perm) -> Pair {
        let mut translator = Translator::new().unwrap();
        translator.set_heat(1);
        let (one, other) = (Guest::new(Interpreter::new(), code, perm), Guest::new(translator, code, perm));
        Pair { one, other, edges: None }
    }

    /// Counts edges, if asked to, and compares them, too.
    fn count_edges(&mut self, counts: bool) {
        self.edges = counts.then(|| {
            let both = [(); 2].map(|()| Arc::new(Coverage::new()));
            self.one.engine.set_coverage(Some(Arc::clone(&both[0])));
            self.other.engine.set_coverage(Some(Arc::clone(&both[1])));
            both
        });
    }

    fn set(&mut self, n: u8, value: u64) {
        self.one.cpu.set_gpr(n, value);
        self.other.cpu.set_gpr(n, value);
    }

    /// Runs both with this fuel; all that can be seen must be equal, flags of `undefined` excepted.
    fn run(&mut self, fuel: i64, undefined: u64, what: &str) -> Exit {
        let (mut left, mut other_left) = (fuel, fuel);
        let exit = self.one.run(&mut left);
        let other = self.other.run(&mut other_left);
        let (a, b) = (&self.one.cpu, &self.other.cpu);
        assert_eq!(exit, other, "{what}");
        assert_eq!((a.rip, left), (b.rip, other_left), "{what}");
        assert_eq!(hex(&a.gprs()), hex(&b.gprs()), "{what}");
        assert_eq!(a.rflags() & !undefined, b.rflags() & !undefined, "{what}");
        assert_eq!(a.ymm, b.ymm, "{what}");
        assert_eq!(a.mxcsr, b.mxcsr, "{what}");
        for (start, len) in [(DATA, DATA_LEN), (STACK - 0x4000, 0x4000)] {
            let (mut x, mut y) = (vec![0; len as usize], vec![0; len as usize]);
            self.one.memory.peek(start, &mut x);
            self.other.memory.peek(start, &mut y);
            assert!(x == y, "{what}: memory at {start:#x}");
        }
        if let Some([one, other]) = &self.edges {
            assert_eq!(one.edges(), other.edges(), "{what}");
        }
        exit
    }

    /// Instructions that ran translated.
    fn translated(&self) -> u64 {
        self.other.engine.translated().0
    }
}

fn hex(values: &[u64]) -> Vec<String> {
    values.iter().map(|value| format!("{value:#x}")).collect()
}
