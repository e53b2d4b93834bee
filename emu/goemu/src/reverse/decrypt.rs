//! Calls whose arguments are all known, made as the program makes them, each in isolation: from the same state, with fuel of its own,
//! and what it writes is dropped.

use std::collections::{HashMap, HashSet};

use goemu_loader::{Func, Image};

use super::callees::Callees;
use super::constants::{Callee, Known, Site, is_address};
use super::is_text;
use super::outside::Outside;
use super::strings::FILLS;
use super::walk::{Made, Setting, walk};
use crate::call::invoke::{enter, left};
use crate::go::abi::Place;
use crate::go::frame::Frame;
use crate::go::guess::{Guess, guess};
use crate::machine::{Interrupt, Machine};

/// Bytes of a decoded string at most.
const MAX_LEN: u64 = 64 << 10;
/// Room above the return address.
const BLOCK: u64 = 512;
/// Registers that hold arguments.
const REGISTERS: usize = 9;

/// A call of a function with these words.
struct Call {
    entry: u64,
    /// AX BX CX DI SI R8 R9 R10 R11, as far as it takes any.
    registers: Vec<Known>,
    /// Words of the stack, by offset from the first argument's slot.
    stack: Vec<(u64, Known)>,
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
    fn call(&mut self, image: &Image, site: &Site) -> Option<Call> {
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
        Some(Call { entry, registers, stack })
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
}

/// What has a value before the function runs: not the address of a place in its caller's frame.
fn constant(known: Option<Known>) -> Option<Known> {
    known.filter(|known| !matches!(known, Known::Slot(_)))
}

/// The text that the callee of a site gives, called as the site does: none where not all arguments are known, or no text comes.
pub fn call_text(machine: &mut Machine, guesses: &mut Guesses, site: &Site, fuel: u64) -> Option<Vec<u8>> {
    let image = machine.image().clone();
    let Call { entry, registers, stack } = guesses.call(&image, site)?;
    run_call(machine, entry, &registers, &stack, fuel)
}

/// The texts that calls give where they are, found once for each function that makes calls.
#[derive(Default)]
pub struct Callers {
    known: HashMap<u64, HashMap<u64, Vec<u8>>>,
}

impl Callers {
    /// The text that the call at an address gives. All ways through the function that makes it are run on what is known, so that
    /// what it puts into its frame for the call is there. Each call on the way has so much fuel.
    pub fn text(
        &mut self,
        machine: &mut Machine,
        func: &Func<'_>,
        at: u64,
        fuel: u64,
        interrupt: &Interrupt,
    ) -> Option<Vec<u8>> {
        let texts = || texts_of_calls(machine, func, fuel, interrupt);
        self.known.entry(func.entry()).or_insert_with(texts).get(&at).cloned()
    }
}

/// The texts that a function's calls give whatever the unknown is, by the call's address.
fn texts_of_calls(
    machine: &mut Machine,
    func: &Func<'_>,
    fuel: u64,
    interrupt: &Interrupt,
) -> HashMap<u64, Vec<u8>> {
    let (callees, outside) = (Callees::new(func.image()), Outside::of(machine));
    let setting = Setting { callees: &callees, outside: &outside, fuel, interrupt };
    let mut with = |fill| walk(machine, &setting, func, fill).made;
    let made = with(FILLS[0]);
    let again: HashSet<Made> = with(FILLS[1]).into_iter().collect();
    let made = made.into_iter().filter(|made| made.given && again.contains(made));
    made.map(|made| (made.at, made.value)).collect()
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
