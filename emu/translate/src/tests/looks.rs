//! Looking at each block changes nothing, and shows what the interpreter shows.

use std::sync::{Arc, Mutex};

use goemu_x86::cpu::Cpu;
use goemu_x86::engine::{Detail, Engine, Watch};
use goemu_x86::exit::Exit;
use goemu_x86::memory::Memory;
use iced_x86::Instruction;

use super::lockstep::FIB;
use super::{Pair, gpr};

/// Addresses and registers of blocks.
#[derive(Default)]
struct Blocks(Vec<(u64, [u64; 16], u64)>);

impl Blocks {
    fn add(&mut self, cpu: &Cpu) {
        self.0.push((cpu.rip, cpu.gprs(), cpu.rflags()));
    }
}

impl Watch for Blocks {
    fn detail(&self) -> Detail {
        Detail::Blocks
    }

    fn block(&mut self, cpu: &Cpu, _: &Memory, _: &[Instruction]) {
        self.add(cpu);
    }

    fn before(&mut self, _: &Cpu, _: &Memory, _: &Instruction) {}
}

#[test]
fn each_block_is_shown_with_its_state() {
    let mut pair = Pair::new(&FIB);
    pair.set(gpr::RDI, 12);
    let (mut all, mut fuel) = (Blocks::default(), 1 << 20);
    let one = &mut pair.one;
    assert_eq!(one.engine.run_watched(&mut one.cpu, &mut one.memory, &mut fuel, &mut all), Exit::Halt);
    let looked = Arc::new(Mutex::new((Blocks::default(), Vec::new())));
    let other = &mut pair.other;
    other.engine.set_heat(0);
    let look = Arc::clone(&looked);
    other.engine.set_look(Some(Box::new(move |cpu, _, left, _| {
        let (mut looked, used) = (look.lock().unwrap(), (1 << 20) - left);
        // Where the host has refused a block's first instruction, it is entered again.
        if looked.1.last() != Some(&used) {
            looked.0.add(cpu);
            looked.1.push(used);
        }
    })));
    let mut left = 1 << 20;
    assert_eq!(other.run(&mut left), Exit::Halt);
    assert_eq!(left, fuel);
    let looked = looked.lock().unwrap();
    // The last has HLT, which the interpreter executes.
    assert!(looked.0.0 == all.0, "{} and {} blocks", looked.0.0.len(), all.0.len());
    assert!(
        looked.1.is_sorted() && looked.1.last() == Some(&((1 << 20) - left - 1)),
        "{:?}",
        looked.1.last()
    );
    drop(looked);
    other.engine.set_look(None);
    (other.cpu.rip, pair.one.cpu.rip) = (super::CODE, super::CODE);
    pair.set(gpr::RDI, 12);
    assert_eq!(pair.run(1 << 20, 0, "unseen"), Exit::Halt);
}
