//! Calls at the level of words: a frame goes in, registers and the stack come out. Without types or values.

use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::abi::{Piece, Place};
use crate::go::frame::{Frame, Places};
use crate::guest::state::Guest;
use crate::hook::INT_REGISTERS;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::observe::Event;

/// Calls a function from the machine's starting state, and gives the numbers that it returned in these places. `None` where
/// it does not return.
pub(super) fn call<const N: usize>(
    machine: &mut Machine,
    entry: u64,
    frame: &Frame,
    results: &[Piece],
) -> Option<[u64; N]> {
    let mut fuel = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
    machine.reset().ok()?;
    enter(machine, entry, 0, frame).ok()?;
    let returned = machine.run_short(&mut fuel, &mut None).ok()?;
    let mut words = [0; N];
    for (word, piece) in words.iter_mut().zip(results) {
        *word = number(machine, piece)?;
    }
    returned.then_some(words)
}

/// Puts the frame on the stack and in the registers, and RIP at the function. `context` is what the code of a closure finds
/// in DX.
#[inline]
pub(crate) fn enter(machine: &mut Machine, entry: u64, context: u64, frame: &Frame) -> Result<(), Error> {
    let block = machine.make_room(frame.stack.len() as u64)?;
    let return_addr = machine.return_addr;
    let Guest { image, memory, goroutine, cpu, .. } = &mut machine.guest;
    let sp = block - 8;
    memory.poke(block, &frame.stack)?;
    memory.poke(sp, &return_addr.to_le_bytes())?;
    for (register, value) in INT_REGISTERS.iter().zip(frame.ints) {
        cpu.set_gpr(*register, value);
    }
    for (register, value) in cpu.ymm.iter_mut().zip(frame.floats) {
        register[0] = value.into();
    }
    cpu.set_gpr(gpr::RSP, sp);
    cpu.set_gpr(gpr::RDX, context);
    goroutine.enter(image, cpu);
    cpu.rip = entry;
    machine.shown_stack = goroutine.stack_hi;
    machine.cx().emit(|cx| Event::CallBegins { func: entry, sp, stack: cx.goroutine.stack_size() });
    Ok(())
}

/// The frame of a call that has returned, with a block of `size` bytes.
#[inline]
pub(crate) fn left(machine: &Machine, size: u64) -> Frame {
    // The stack may have moved; its pointer is where the return has left it.
    let block = machine.guest.cpu.gpr(gpr::RSP);
    frame_at(&machine.guest.cpu, &machine.guest.memory, block, size)
}

/// What a function that has just returned has left in the registers and in the block above its return address: results are read from
/// there without a frame in between.
pub(super) struct Left<'m> {
    cpu: &'m Cpu,
    memory: &'m Memory,
    /// Bytes of the block.
    size: u64,
}

impl<'m> Left<'m> {
    pub(super) fn new(machine: &'m Machine, size: u64) -> Left<'m> {
        Left { cpu: &machine.guest.cpu, memory: &machine.guest.memory, size }
    }
}

impl Places for Left<'_> {
    #[inline]
    fn int(&self, n: usize) -> Option<u64> {
        INT_REGISTERS.get(n).map(|register| self.cpu.gpr(*register))
    }

    #[inline]
    fn float(&self, n: usize) -> Option<u64> {
        self.cpu.ymm.get(n).map(|register| register[0] as u64)
    }

    /// What cannot be read is zero.
    #[inline]
    fn stack(&self, at: u64, bytes: &mut [u8]) -> Option<()> {
        at.checked_add(bytes.len() as u64).filter(|&end| end <= self.size)?;
        let from = self.cpu.gpr(gpr::RSP).wrapping_add(at);
        if self.memory.read_bytes(from, bytes).is_err() {
            bytes.fill(0);
        }
        Some(())
    }

    fn stack_size(&self) -> u64 {
        self.size
    }
}

/// The number that a function which has just returned left in this place.
#[inline]
pub(super) fn number(machine: &Machine, piece: &Piece) -> Option<u64> {
    let Guest { cpu, memory, .. } = &machine.guest;
    match piece.place {
        Place::Int(n) => INT_REGISTERS.get(usize::from(n)).map(|register| cpu.gpr(*register)),
        Place::Float(n) => cpu.ymm.get(usize::from(n)).map(|register| register[0] as u64),
        Place::Stack(at) => {
            let (at, mut bytes) = (cpu.gpr(gpr::RSP).wrapping_add(at), [0; 8]);
            memory.read_bytes(at, bytes.get_mut(..piece.size as usize)?).ok()?;
            Some(u64::from_le_bytes(bytes))
        }
    }
}

/// The frame of a call, from the registers and the block of `size` bytes above its return address. What
/// cannot be read there is zero.
#[inline]
pub(crate) fn frame_at(cpu: &Cpu, memory: &Memory, block: u64, size: u64) -> Frame {
    let mut frame = Frame::new(size);
    if memory.read_bytes(block, &mut frame.stack).is_err() {
        frame.stack.fill(0);
    }
    frame.ints = INT_REGISTERS.map(|register| cpu.gpr(register));
    frame.floats = std::array::from_fn(|n| cpu.ymm[n][0] as u64);
    frame
}
