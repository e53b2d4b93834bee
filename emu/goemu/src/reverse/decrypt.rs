//! Strings that a program makes of constants: its decoders are run, each in isolation.
//!
//! A *candidate* is a call whose arguments are all known, or a piece of a function that ends in the conversion of bytes to a string.
//! Each is run from the same state, with fuel of its own, and what it writes is dropped. It counts if text comes out that the file
//! does not have there. So the shape of a decoder does not matter.

use std::collections::HashMap;

use goemu_loader::{Func, Image};

use super::constants::{Callee, Known, Site, is_address};
use super::is_text;
use crate::call::invoke::{enter, left};
use crate::cpu::gpr;
use crate::go::abi::Place;
use crate::go::frame::Frame;
use crate::go::guess::{Guess, guess};
use crate::guest::state::Guest;
use crate::hook::INT_REGISTERS;
use crate::machine::{Machine, Progress};

/// Bytes of a decoded string at most.
const MAX_LEN: u64 = 64 << 10;
/// Room above the return address.
const BLOCK: u64 = 512;
/// Bytes of code before a conversion in which a piece may begin.
const PIECE: u64 = 4096;
/// Registers that hold arguments.
const REGISTERS: usize = 9;

/// Something to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Candidate {
    /// A function with these words.
    Call {
        /// Its entry.
        entry: u64,
        /// AX BX CX DI SI R8 R9 R10 R11, as far as it takes any.
        registers: Vec<Known>,
        /// Words of the stack, by offset from the first argument's slot.
        stack: Vec<(u64, Known)>,
    },
    /// The code of a function up to the return from a call.
    Piece {
        /// The function's entry.
        func: u64,
        /// Where the call returns to.
        upto: u64,
        /// Where the piece may begin, nearest first.
        starts: Vec<u64>,
    },
}

/// What registers and slots hold of which nothing is known: what does not depend on them is made of constants. The second is no
/// address.
const FILLS: [u64; 2] = [0, 0x4b4b_4b4b_4b4b_4b4b];

/// What came of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// The text.
    pub value: Vec<u8>,
    /// Whether nothing but constants went into it.
    pub sure: bool,
}

/// What functions seem to take, found once each.
#[derive(Default)]
pub struct Guesses {
    known: HashMap<u64, Option<Guess>>,
}

impl Guesses {
    /// What the function at this entry seems to take.
    pub fn of(&mut self, image: &Image, entry: u64) -> Option<&Guess> {
        let find =
            || image.func_at(entry).filter(|func| func.entry() == entry).map(|func| guess(image, &func));
        self.known.entry(entry).or_insert_with(find).as_ref()
    }

    /// The call of a site, where all arguments are known.
    pub fn call(&mut self, image: &Image, site: &Site) -> Option<Candidate> {
        let (Callee::Function(entry) | Callee::Closure { code: entry, .. }) = site.callee else {
            return None;
        };
        let guess = self.of(image, entry)?;
        let (mut registers, mut stack) = (Vec::new(), Vec::new());
        for part in guess.params.iter().flat_map(|param| &param.parts) {
            match part.place {
                Place::Int(n) => {
                    let known = constant(*site.registers.get(usize::from(n))?)?;
                    registers.resize((usize::from(n) + 1).max(registers.len()), Known::Number(0));
                    registers[usize::from(n)] = known;
                }
                Place::Stack(at) => {
                    let offset = i64::try_from(at).ok()?;
                    let word = site.stack.iter().find(|(slot, _)| *slot == offset)?;
                    stack.push((at, constant(Some(word.1))?));
                }
                Place::Float(_) => return None,
            }
        }
        Some(Candidate::Call { entry, registers, stack })
    }

    /// The call of a function that takes nothing and may give text.
    pub fn without_arguments(&mut self, image: &Image, entry: u64) -> Option<Candidate> {
        let takes_nothing = self.of(image, entry)?.params.is_empty() && self.may_give_text(image, entry);
        takes_nothing.then(|| Candidate::Call { entry, registers: Vec::new(), stack: Vec::new() })
    }

    /// The words of a call's arguments, in their order; those of an unknown function up to the last that is known.
    pub fn words(&mut self, image: &Image, site: &Site) -> Vec<Option<Known>> {
        let Some(guess) = site.callee_entry().and_then(|entry| self.of(image, entry)) else {
            let known = site.registers.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            return site.registers[..known].to_vec();
        };
        let on_stack = |at: u64| {
            site.stack.iter().find(|(slot, _)| u64::try_from(*slot) == Ok(at)).map(|(_, known)| *known)
        };
        let word = |place| match place {
            Place::Int(n) => site.registers.get(usize::from(n)).copied().flatten(),
            Place::Stack(at) => on_stack(at),
            Place::Float(_) => None,
        };
        guess.params.iter().flat_map(|param| &param.parts).map(|part| word(part.place)).collect()
    }

    /// Whether some arguments of a site are constants.
    pub fn has_constants(&mut self, image: &Image, site: &Site) -> bool {
        let (Callee::Function(entry) | Callee::Closure { code: entry, .. }) = site.callee else {
            return false;
        };
        let Some(guess) = self.of(image, entry) else { return false };
        let known = |place| match place {
            Place::Int(n) => site.registers.get(usize::from(n)).copied().flatten(),
            _ => None,
        };
        let mut parts = guess.params.iter().flat_map(|param| &param.parts);
        parts.any(|part| matches!(known(part.place), Some(Known::Number(_) | Known::Variable { .. })))
    }

    /// Whether a function may give a string or a slice.
    pub fn may_give_text(&mut self, image: &Image, entry: u64) -> bool {
        self.of(image, entry).is_some_and(|guess| guess.result_ints >= 2 || guess.result_words.len() >= 2)
    }
}

/// What has a value before the function runs: not the address of a place in its caller's frame.
fn constant(known: Option<Known>) -> Option<Known> {
    known.filter(|known| !matches!(known, Known::Slot(_)))
}

/// The text that the callee of a site gives, called as the site does: none where not all arguments are known, or no text comes.
pub fn call_text(machine: &mut Machine, guesses: &mut Guesses, site: &Site, fuel: u64) -> Option<Vec<u8>> {
    let image = machine.image().clone();
    match guesses.call(&image, site)? {
        Candidate::Call { entry, registers, stack } => run_call(machine, entry, &registers, &stack, fuel),
        Candidate::Piece { .. } => None,
    }
}

/// The piece of a function that ends in this call; `leaders` are where blocks of its code begin.
#[must_use]
pub fn piece(func: &Func<'_>, site: &Site, leaders: &[u64], starts: usize) -> Candidate {
    let near = leaders.iter().rev().filter(|at| **at <= site.at && site.at - **at < PIECE);
    Candidate::Piece { func: func.entry(), upto: site.next, starts: near.copied().take(starts).collect() }
}

/// The functions that make a string of a slice of bytes.
#[must_use]
pub fn converters(image: &Image) -> Vec<u64> {
    let names = ["runtime.slicebytetostring"];
    names.iter().flat_map(|name| image.funcs_named(name)).map(|func| func.entry()).collect()
}

/// Runs a candidate from the machine's starting state.
pub fn run(machine: &mut Machine, candidate: &Candidate, fuel: u64) -> Option<Decoded> {
    match candidate {
        Candidate::Call { entry, registers, stack } => {
            let value = run_call(machine, *entry, registers, stack, fuel)?;
            Some(Decoded { value, sure: true })
        }
        Candidate::Piece { func, upto, starts } => run_piece(machine, *func, *upto, starts, fuel),
    }
}

/// What a function gives for these words, if that is text which it made.
fn run_call(
    machine: &mut Machine,
    entry: u64,
    registers: &[Known],
    stack: &[(u64, Known)],
    fuel: u64,
) -> Option<Vec<u8>> {
    let (frame, ended) = run_words(machine, entry, registers, stack, fuel)?;
    if !ended {
        return None;
    }
    let word = |at: usize| {
        let bytes = frame.stack.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (addr, len) = if machine.image().facts().register_abi() {
        (frame.ints[0], frame.ints[1])
    } else {
        let at = stack.iter().map(|(at, _)| *at as usize + 8).max().unwrap_or(0);
        (word(at)?, word(at + 8)?)
    };
    made_text(machine, addr, len)
}

/// Runs a function on words; the frame that it leaves, and whether it returned.
pub fn run_words(
    machine: &mut Machine,
    entry: u64,
    registers: &[Known],
    stack: &[(u64, Known)],
    fuel: u64,
) -> Option<(Frame, bool)> {
    machine.reset().ok()?;
    let most = stack.iter().map(|(at, _)| at + 8).max().unwrap_or(0);
    let mut frame = Frame::new((BLOCK + most).next_multiple_of(16));
    for (register, known) in frame.ints.iter_mut().zip(registers.iter().take(REGISTERS)) {
        *register = word_of(machine, *known)?;
    }
    for (at, known) in stack {
        let word = word_of(machine, *known)?.to_le_bytes();
        let at = usize::try_from(*at).ok()?;
        frame.stack.get_mut(at..at + 8)?.copy_from_slice(&word);
    }
    enter(machine, entry, 0, &frame).ok()?;
    let mut fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
    let ended = machine.run(&mut fuel).ok()?;
    Some((left(machine, frame.stack.len() as u64), ended.is_none()))
}

/// The word that is known, as it is when the call begins.
fn word_of(machine: &Machine, known: Known) -> Option<u64> {
    match known {
        Known::Number(number) => Some(number),
        Known::Address(addr) => Some(addr),
        Known::Variable { addr, size, signed } => {
            let mut bytes = [0; 8];
            let size = usize::from(size).min(8);
            machine.memory().peek(addr, bytes.get_mut(..size)?);
            let word = u64::from_le_bytes(bytes);
            let unused = 64 - 8 * size as u32;
            Some(if signed { ((word << unused).cast_signed() >> unused).cast_unsigned() } else { word })
        }
        Known::Slot(_) => None,
    }
}

/// The text there, if it is some that the file does not have there.
fn made_text(machine: &Machine, addr: u64, len: u64) -> Option<Vec<u8>> {
    if !(1..=MAX_LEN).contains(&len) || is_address(machine.image(), addr) {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    machine.memory().read_bytes(addr, &mut bytes).ok()?;
    is_text(&bytes).then_some(bytes)
}

/// What a piece gives, whatever registers and slots hold that it does not set; or what most beginnings agree on.
fn run_piece(machine: &mut Machine, func: u64, upto: u64, starts: &[u64], fuel: u64) -> Option<Decoded> {
    let mut seen: Vec<(Vec<u8>, usize)> = Vec::new();
    for start in starts {
        let mut from = |fill| run_from(machine, func, *start, upto, fill, fuel);
        let Some(value) = from(FILLS[0]) else { continue };
        if from(FILLS[1]).as_ref() == Some(&value) {
            return Some(Decoded { value, sure: true });
        }
        match seen.iter_mut().find(|(other, _)| *other == value) {
            Some((_, count)) => *count += 1,
            None => seen.push((value, 1)),
        }
    }
    let (value, count) = seen.into_iter().max_by_key(|(_, count)| *count)?;
    (count > 1).then_some(Decoded { value, sure: false })
}

/// Runs a function from an instruction in it to the return from a call, in a frame of its own.
fn run_from(
    machine: &mut Machine,
    func: u64,
    start: u64,
    upto: u64,
    fill: u64,
    fuel: u64,
) -> Option<Vec<u8>> {
    let image = machine.image().clone();
    let function = image.func_at(func)?;
    let depth = u64::try_from(function.sp_delta(start)?).ok()?;
    machine.reset().ok()?;
    let size = (depth + (16 << 10)).next_power_of_two();
    let Guest { memory, goroutine, .. } = &mut machine.guest;
    goroutine.set_stack(&image, memory, size).ok()?;
    enter(machine, func, 0, &Frame::new(BLOCK)).ok()?;
    let top = machine.guest.cpu.gpr(gpr::RSP);
    let sp = top.checked_sub(depth)?;
    let end = top.checked_sub(u64::try_from(function.sp_delta(upto)?).ok()?)?;
    machine.guest.cpu.set_gpr(gpr::RSP, sp);
    machine.guest.cpu.set_gpr(gpr::RBP, sp.wrapping_add(depth).wrapping_sub(8));
    for register in INT_REGISTERS.into_iter().chain([gpr::RDX, gpr::R12, gpr::R13]) {
        machine.guest.cpu.set_gpr(register, fill);
    }
    let frame = vec![fill.to_le_bytes()[0]; usize::try_from(depth.saturating_sub(8)).ok()?];
    machine.guest.memory.poke(sp, &frame).ok()?;
    machine
        .guest
        .memory
        .poke(sp.wrapping_add(depth).wrapping_add(8), &[fill.to_le_bytes()[0]; BLOCK as usize])
        .ok()?;
    machine.guest.cpu.rip = start;
    let mut fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
    loop {
        match machine.run_part(&mut fuel, u64::MAX).ok()? {
            Progress::Going if machine.guest.cpu.rip == upto => break,
            Progress::Going => {}
            Progress::Ended(_) => return None,
        }
    }
    let here = machine.guest.cpu.gpr(gpr::RSP);
    let (addr, len) = if image.facts().register_abi() {
        (machine.guest.cpu.gpr(gpr::RAX), machine.guest.cpu.gpr(gpr::RBX))
    } else {
        // slicebytetostring(buf, ptr, n) gives its results behind its arguments.
        let word = |at: u64| machine.memory().read(here.wrapping_add(at)).ok().map(u64::from_le_bytes);
        (word(24)?, word(32)?)
    };
    (here == end).then(|| made_text(machine, addr, len)).flatten()
}
