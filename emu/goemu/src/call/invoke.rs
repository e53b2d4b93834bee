//! Calls at the level of words: a frame goes in, registers and the stack come out. Without types or values.

use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::abi::{FLOAT_REGS, Piece, Place};
use crate::go::frame::{Frame, Places};
use crate::guest::state::Guest;
use crate::hook::INT_REGISTERS;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::observe::Event;

/// Calls a function from the machine's starting state with numbers, and puts those that it returned into `words`. `None` where it
/// does not return. (All of them stay where they are: numbers that are copied right after they were written cost more than the rest.)
#[inline]
pub(super) fn call(
    machine: &mut Machine,
    (entry, block): (u64, u64),
    args: (&[Piece], &[u64]),
    results: &[Piece],
    words: &mut [u64],
) -> Option<()> {
    let mut fuel = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
    machine.reset().ok()?;
    enter_with(machine, entry, block, args.0.iter().zip(args.1.iter().copied()))?;
    let returned = machine.run_short(&mut fuel, &mut None).ok()?;
    for (word, piece) in words.iter_mut().zip(results) {
        *word = number(machine, piece)?;
    }
    returned.then_some(())
}

/// Puts the frame on the stack and in the registers, and RIP at the function. `context` is what the code of a closure finds
/// in DX.
#[inline]
pub(crate) fn enter(machine: &mut Machine, entry: u64, context: u64, frame: &Frame) -> Result<(), Error> {
    let block = machine.make_room(frame.stack.len() as u64)?;
    let Guest { memory, cpu, .. } = &mut machine.guest;
    memory.poke(block, &frame.stack)?;
    for (register, value) in INT_REGISTERS.iter().zip(frame.ints) {
        cpu.set_gpr(*register, value);
    }
    for (register, value) in cpu.ymm.iter_mut().zip(frame.floats) {
        register[0] = value.into();
    }
    begin(machine, entry, context, block)
}

/// The same for numbers that go to these places, without a frame in between. `None` where one is no place of a number, or there is
/// no room.
#[inline]
pub(super) fn enter_with<'a>(
    machine: &mut Machine,
    entry: u64,
    size: u64,
    args: impl Iterator<Item = (&'a Piece, u64)>,
) -> Option<()> {
    let block = machine.make_room(size).ok()?;
    let Guest { memory, cpu, .. } = &mut machine.guest;
    zero(memory, block, size)?;
    INT_REGISTERS.iter().for_each(|register| cpu.set_gpr(*register, 0));
    cpu.ymm[..FLOAT_REGS].iter_mut().for_each(|register| register[0] = 0);
    for (piece, word) in args {
        let part = if piece.size < 8 { word & ((1 << (8 * piece.size)) - 1) } else { word };
        match piece.place {
            Place::Int(n) => cpu.set_gpr(*INT_REGISTERS.get(usize::from(n))?, part),
            Place::Float(n) => cpu.ymm[..FLOAT_REGS].get_mut(usize::from(n))?[0] = part.into(),
            Place::Stack(at) => {
                at.checked_add(piece.size).filter(|&end| end <= size)?;
                memory.poke(block + at, word.to_le_bytes().get(..piece.size as usize)?).ok()?;
            }
        }
    }
    begin(machine, entry, 0, block).ok()
}

/// Zeroes the stack block of a call, word by word where it is small: most are zero already, which is seen at once.
#[inline]
fn zero(memory: &mut Memory, block: u64, size: u64) -> Option<()> {
    const SMALL: u64 = 64;
    if size > SMALL || !size.is_multiple_of(8) {
        return memory.poke(block, &vec![0; usize::try_from(size).ok()?]).ok();
    }
    (block..block + size).step_by(8).try_for_each(|word| memory.poke(word, &[0; 8]).ok())
}

/// Puts RIP at a function whose arguments are in their places; its block is here.
#[inline]
fn begin(machine: &mut Machine, entry: u64, context: u64, block: u64) -> Result<(), Error> {
    let return_addr = machine.return_addr;
    let Guest { image, memory, goroutine, cpu, .. } = &mut machine.guest;
    let sp = block - 8;
    memory.poke(sp, &return_addr.to_le_bytes())?;
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
