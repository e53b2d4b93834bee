//! A function that can be called: where it is, what it takes and gives, and where the convention puts that.

use goemu_loader::{Abi, Func, Signature};

use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::abi::{Assignment, INT_REGS, assign};
use crate::go::frame::Frame;
use crate::go::guess::Guess;
use crate::go::passing;
use crate::go::read::Reader;
use crate::go::types::Heap;
use crate::go::value::Value;
use crate::hook::INT_REGISTERS;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::observe::Event;
use crate::outcome::{NamedValue, Outcome, Report, Returned};

/// Bytes above the return address for a function of which nothing is known: it may spill registers there, or
/// leave results.
const UNKNOWN_BLOCK: u64 = 512;
/// Words of the stack that are shown where results may be there and are not known.
const SHOWN_WORDS: usize = 4;

/// A function of a program, ready to be called any number of times. [`Machine::function`] gives it.
#[derive(Clone, Debug)]
pub struct Function {
    name: String,
    entry: u64,
    abi: Abi,
    typed: Option<(Signature, Assignment)>,
    /// Bytes of the block above the return address.
    block: u64,
    /// Words of it that may be results.
    words: usize,
    /// What the types were guessed from, where they were: they tell no results.
    guess: Option<Guess>,
}

impl Function {
    pub(crate) fn new(func: &Func<'_>, signature: Option<Signature>) -> Result<Function, Error> {
        let (name, abi) = (func.name().to_owned(), func.abi());
        let typed = match signature {
            Some(signature) => {
                let source = |source| Error::Abi { func: name.clone(), source };
                let places = assign(abi, &signature).map_err(source)?;
                Some((signature, places))
            }
            None => None,
        };
        let size = func.args_size().map(u64::from);
        let known = typed.as_ref().map(|(_, places)| places.stack_size);
        let block = known.unwrap_or_else(|| size.unwrap_or(0).max(UNKNOWN_BLOCK)).next_multiple_of(8);
        let words = size.map_or(SHOWN_WORDS, |size| (size / 8) as usize);
        Ok(Function { name, entry: func.entry(), abi, typed, block, words, guess: None })
    }

    /// A function with the guessed places of arguments.
    pub(crate) fn guessed(func: &Func<'_>, guess: Guess, typed: (Signature, Assignment)) -> Function {
        let (name, block) = (func.name().to_owned(), typed.1.stack_size);
        let (entry, abi) = (func.entry(), func.abi());
        Function { name, entry, abi, typed: Some(typed), block, words: 0, guess: Some(guess) }
    }

    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// What it takes and gives, where that is known.
    pub fn signature(&self) -> Option<&Signature> {
        self.typed.as_ref().map(|(signature, _)| signature)
    }

    /// Calls it, from the machine's starting state.
    pub fn call(&self, machine: &mut Machine, args: &[Value]) -> Result<Report, Error> {
        machine.serve(self.entry, &|machine| self.call_here(machine, args))
    }

    /// Calls it on this very machine.
    fn call_here(&self, machine: &mut Machine, args: &[Value]) -> Result<Report, Error> {
        machine.reset()?;
        let limit = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        let mut fuel = limit;
        let outcome = self.proceed(machine, args, &mut fuel)?;
        machine.cx().emit(|_| Event::CallEnded(outcome.clone()));
        let (stdout, stderr) = (machine.world.stdout.clone(), machine.world.stderr.clone());
        let instructions = limit.saturating_sub(fuel) as u64;
        Ok(Report { outcome, runtime: machine.runtime(), instructions, stdout, stderr })
    }

    /// Calls it from the machine's present state.
    pub(crate) fn proceed(
        &self,
        machine: &mut Machine,
        args: &[Value],
        fuel: &mut i64,
    ) -> Result<Outcome, Error> {
        let frame = self.frame(machine, args)?;
        self.enter(machine, &frame)?;
        match machine.run(fuel)? {
            Some(outcome) => Ok(outcome),
            None => Ok(Outcome::Returned(self.returned(machine)?)),
        }
    }

    /// The frame with the arguments; what they refer to is placed in the guest.
    fn frame(&self, machine: &mut Machine, args: &[Value]) -> Result<Frame, Error> {
        let Some((signature, places)) = &self.typed else {
            let none = args.is_empty().then(|| Frame::new(self.block));
            return none.ok_or_else(|| Error::NoSignature(self.name.clone()));
        };
        let Machine { image, memory, world, .. } = machine;
        Ok(passing::pass(signature, places, args, &mut Heap { memory, world }, &**image)?)
    }

    /// Puts the frame on the stack and in the registers, and RIP at the function.
    fn enter(&self, machine: &mut Machine, frame: &Frame) -> Result<(), Error> {
        let block = machine.make_room(self.block)?;
        let Machine { image, memory, goroutine, cpu, home, .. } = machine;
        let sp = block - 8;
        memory.poke(block, &frame.stack)?;
        memory.poke(sp, &home.to_le_bytes())?;
        for (register, value) in INT_REGISTERS.iter().zip(frame.ints) {
            cpu.set_gpr(*register, value);
        }
        for (register, value) in cpu.ymm.iter_mut().zip(frame.floats) {
            register[0] = value.into();
        }
        cpu.set_gpr(gpr::RSP, sp);
        cpu.set_gpr(gpr::RDX, 0);
        goroutine.enter(image, cpu);
        cpu.rip = self.entry;
        let func = self.entry;
        machine.cx().emit(|cx| Event::CallBegins { func, sp, stack: cx.goroutine.stack_size() });
        Ok(())
    }

    /// The results, from where the convention has them.
    fn returned(&self, machine: &Machine) -> Result<Returned, Error> {
        // The stack may have moved; its pointer is where the return has left it.
        let block = machine.cpu.gpr(gpr::RSP);
        let frame = frame_at(&machine.cpu, &machine.memory, block, self.block);
        if let Some(guess) = &self.guess {
            return Ok(guess.results(&frame));
        }
        let Some((signature, places)) = &self.typed else { return Ok(self.untyped(&frame)) };
        let image = machine.image();
        let values = passing::results(signature, places, &frame, &Reader::new(&machine.memory, &**image))?;
        let named = signature.results.iter().zip(values).map(|(result, value)| NamedValue {
            name: result.name.clone(),
            ty: result.ty.name.clone(),
            value,
        });
        Ok(Returned::Values(named.collect()))
    }

    fn untyped(&self, frame: &Frame) -> Returned {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        match self.abi {
            Abi::Internal => Returned::Registers {
                ints: frame.ints[..INT_REGS].to_vec(),
                floats: Vec::new(),
                stack: Vec::new(),
            },
            Abi::Abi0 => {
                let words = frame
                    .stack
                    .chunks(8)
                    .map(word)
                    .take(self.words)
                    .zip(0u64..)
                    .map(|(word, n)| (8 * n, word));
                Returned::Registers { ints: Vec::new(), floats: Vec::new(), stack: words.collect() }
            }
        }
    }
}

/// The frame of a call, from the registers and the block of `size` bytes above its return address. What
/// cannot be read there is zero.
pub(crate) fn frame_at(cpu: &Cpu, memory: &Memory, block: u64, size: u64) -> Frame {
    let mut frame = Frame::new(size);
    if memory.read_bytes(block, &mut frame.stack).is_err() {
        frame.stack.fill(0);
    }
    frame.ints = INT_REGISTERS.map(|register| cpu.gpr(register));
    frame.floats = std::array::from_fn(|n| cpu.ymm[n][0] as u64);
    frame
}
