//! A call of one function: arguments in, outcome out.

use goemu_loader::sigparse::parse_signature;
use goemu_loader::{Abi, Func, Signature};

use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::abi::{Assignment, INT_REGS, assign};
use crate::go::arguments;
use crate::go::frame::Frame;
use crate::go::goroutine::min_stack;
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

/// A call that is being prepared.
pub struct Call<'m> {
    machine: &'m mut Machine,
    entry: u64,
    args: Vec<Value>,
    signature: Option<Signature>,
}

impl<'m> Call<'m> {
    pub(crate) fn new(machine: &'m mut Machine, entry: u64) -> Call<'m> {
        Call { machine, entry, args: Vec::new(), signature: None }
    }

    /// Adds an argument. For a method, the receiver comes first.
    #[must_use]
    pub fn arg(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        self.args.extend(values.into_iter().map(Into::into));
        self
    }

    /// Gives the signature, in Go syntax: `func(a int, s string) (string, error)`. Needed where the program
    /// has no debug information.
    pub fn signature(mut self, text: &str) -> Result<Self, Error> {
        let image = self.machine.image().clone();
        let named = |name: &str| image.type_named(name).ok().flatten();
        self.signature = Some(parse_signature(text, &named)?);
        Ok(self)
    }

    /// Adds all arguments in Go syntax, one text for each: `5`, `"text"`, `[]int{1, 2}`, `main.Point{X: 1}`; see
    /// [`literal`](crate::go::literal). The signature must be known by now.
    pub fn literals(mut self, texts: &[&str]) -> Result<Self, Error> {
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let signature = match self.signature.take() {
            Some(signature) => Some(signature),
            None => image.signature(&func)?,
        };
        match &signature {
            Some(signature) => self.args.extend(arguments::parse(signature, texts, &*image)?),
            None if texts.is_empty() => {}
            None => return Err(Error::NoSignature(func.name().to_owned())),
        }
        self.signature = signature;
        Ok(self)
    }

    /// Makes the call from the machine's starting state.
    pub fn run(mut self) -> Result<Report, Error> {
        self.machine.reset()?;
        let image = self.machine.image().clone();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let signature = match self.signature.take() {
            Some(signature) => Some(signature),
            None => image.signature(&func)?,
        };
        let plan = Plan::new(&func, signature)?;
        if plan.typed.is_none() && !self.args.is_empty() {
            return Err(Error::NoSignature(func.name().to_owned()));
        }
        let frame = self.frame(&plan)?;
        let sp = self.enter(&plan, &frame)?;
        let limit = i64::try_from(self.machine.config().fuel).unwrap_or(i64::MAX);
        let mut fuel = limit;
        let ended = self.machine.run(&mut fuel)?;
        let outcome = match ended {
            Some(outcome) => outcome,
            None => Outcome::Returned(self.returned(&plan, sp)?),
        };
        self.machine.cx().emit(|_| Event::CallEnded(outcome.clone()));
        let world = &self.machine.world;
        let (stdout, stderr) = (world.stdout.clone(), world.stderr.clone());
        Ok(Report { outcome, instructions: (limit - fuel) as u64, stdout, stderr })
    }

    fn frame(&mut self, plan: &Plan) -> Result<Frame, Error> {
        let Some((signature, places)) = &plan.typed else { return Ok(Frame::new(plan.block)) };
        let image = self.machine.image().clone();
        let Machine { memory, world, .. } = &mut *self.machine;
        let mut heap = Heap { memory, world };
        Ok(passing::pass(signature, places, &self.args, &mut heap, &*image)?)
    }

    /// Puts the frame on the stack and in the registers, and RIP at the function. Gives the address of the
    /// block above the return address.
    fn enter(&mut self, plan: &Plan, frame: &Frame) -> Result<u64, Error> {
        let entry = self.entry;
        let Machine { memory, goroutine, cpu, home, .. } = &mut *self.machine;
        let (home, image) = (*home, plan.image);
        let block = (goroutine.stack_hi - plan.block) & !15;
        let sp = block - 8;
        let free = min_stack(image);
        if sp - goroutine.stack_lo < free / 2 {
            let size = (goroutine.stack_hi - sp + free).next_power_of_two();
            goroutine.set_stack(image, memory, size)?;
        }
        memory.poke(block, &frame.stack)?;
        memory.poke(sp, &home.to_le_bytes())?;
        if let Some(stktopsp) = image.facts().g.stktopsp {
            memory.poke(goroutine.g + stktopsp, &block.to_le_bytes())?;
        }
        for (register, value) in INT_REGISTERS.iter().zip(frame.ints) {
            cpu.set_gpr(*register, value);
        }
        for (register, value) in cpu.ymm.iter_mut().zip(frame.floats) {
            register[0] = value.into();
        }
        cpu.set_gpr(gpr::RSP, sp);
        cpu.set_gpr(gpr::RDX, 0);
        goroutine.enter(image, cpu);
        cpu.rip = entry;
        self.machine.cx().emit(|cx| Event::CallBegins { func: entry, sp, stack: cx.goroutine.stack_size() });
        Ok(block)
    }

    /// The results, from where the convention has them.
    fn returned(&self, plan: &Plan, block: u64) -> Result<Returned, Error> {
        let machine = &*self.machine;
        let frame = frame_at(&machine.cpu, &machine.memory, block, plan.block);
        let Some((signature, places)) = &plan.typed else { return Ok(untyped(plan, &frame)) };
        let image = machine.image();
        let values = passing::results(signature, places, &frame, &Reader::new(&machine.memory, &**image))?;
        let named = signature.results.iter().zip(values).map(|(result, value)| NamedValue {
            name: result.name.clone(),
            ty: result.ty.name.clone(),
            value,
        });
        Ok(Returned::Values(named.collect()))
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

fn untyped(plan: &Plan, frame: &Frame) -> Returned {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    match plan.abi {
        Abi::Internal => Returned::Registers { ints: frame.ints[..INT_REGS].to_vec(), stack: Vec::new() },
        _ => {
            let words = frame.stack.chunks(8).map(word).take(plan.words).collect();
            Returned::Registers { ints: Vec::new(), stack: words }
        }
    }
}

/// What is known of a function before it is called.
struct Plan<'i> {
    image: &'i goemu_loader::Image,
    abi: Abi,
    typed: Option<(Signature, Assignment)>,
    /// Bytes of the block above the return address.
    block: u64,
    /// Words of it that may be results.
    words: usize,
}

impl<'i> Plan<'i> {
    fn new(func: &Func<'i>, signature: Option<Signature>) -> Result<Plan<'i>, Error> {
        let (image, abi) = (func.image(), func.abi());
        let typed = match signature {
            Some(signature) => {
                let source = |source| Error::Abi { func: func.name().to_owned(), source };
                let places = assign(abi, &signature).map_err(source)?;
                Some((signature, places))
            }
            None => None,
        };
        let size = func.args_size().map(u64::from);
        let known = typed.as_ref().map(|(_, places)| places.stack_size);
        let block = known.unwrap_or_else(|| size.unwrap_or(0).max(UNKNOWN_BLOCK)).next_multiple_of(8);
        let words = size.map_or(SHOWN_WORDS, |size| (size / 8) as usize);
        Ok(Plan { image, abi, typed, block, words })
    }
}
