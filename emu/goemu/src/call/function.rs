//! A function that can be called: where it is, what it takes and gives, and where the convention puts that.

use std::sync::Arc;

use goemu_loader::{Abi, Func, Image, Kind, Param, Signature, Type, TypeRef};

use crate::call::invoke;
use crate::call::place::MachineHeap;
use crate::call::session::Session;
use crate::call::stringers::Stringers;
use crate::error::Error;
use crate::go::abi::{Assignment, INT_REGS, Piece, Place, assign};
use crate::go::closure::{self, Closure};
use crate::go::frame::Frame;
use crate::go::generic;
use crate::go::guess::Guess;
use crate::go::names;
use crate::go::passing;
use crate::go::read::Reader;
use crate::go::signature;
use crate::go::value::Value;
use crate::machine::Machine;
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
    /// The captured variables that it is called with.
    closure: Option<Closure>,
    /// The closure that it is called as, where that is in the guest already.
    closure_at: Option<u64>,
    /// Why it cannot be called without any: its name, and the reason.
    refusal: Option<Box<(String, String)>>,
    /// The dictionary that a generic function gets beside the arguments.
    dictionary: Option<u64>,
    /// What the types were guessed from, where they were: they tell no results.
    guess: Option<Guess>,
}

impl Machine {
    /// A function to be called many times. Its signature, in Go syntax, is needed where the program has no debug
    /// information.
    ///
    /// # Errors
    /// Those of [`Machine::call`] for the name, and of [`Call::signature`](crate::Call::signature) for the signature.
    pub fn function(&self, func: &str, signature: Option<&str>) -> Result<Function, Error> {
        Function::find(self.image(), func, signature)
    }
}

impl Function {
    /// As [`Machine::function`], where there is no machine yet.
    ///
    /// # Errors
    /// When there is no such function, or its types are not known or contradict themselves.
    pub fn find(image: &Image, func: &str, signature: Option<&str>) -> Result<Function, Error> {
        let found = names::find(image, func)?;
        let package = names::package(found.name());
        let given = signature.map(|text| signature::parse(image, text, package)).transpose()?;
        let known = signature::known(&found, func, given)?;
        Function::new(&found, known)?.with_dictionary(image, func)
    }

    pub(crate) fn new(func: &Func<'_>, signature: Option<Signature>) -> Result<Function, Error> {
        let (name, abi) = (func.name().to_owned(), func.abi());
        let typed = match signature {
            Some(mut signature) => {
                signature.params.iter_mut().for_each(|param| param.ty = at_hand(func.image(), &param.ty));
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
        let refusal = refusal(func);
        Ok(Function { entry: func.entry(), typed, block, words, refusal, ..Function::empty(name, abi) })
    }

    fn empty(name: String, abi: Abi) -> Function {
        Function {
            name,
            entry: 0,
            abi,
            typed: None,
            block: 0,
            words: 0,
            closure: None,
            closure_at: None,
            refusal: None,
            dictionary: None,
            guess: None,
        }
    }

    /// A function with the guessed places of arguments.
    pub(crate) fn guessed(func: &Func<'_>, guess: Guess, typed: (Signature, Assignment)) -> Function {
        let (name, block, refusal) = (func.name().to_owned(), typed.1.stack_size, refusal(func));
        let dictionary = guess.dictionary.and_then(|(_, at)| at);
        let empty = Function::empty(name, func.abi());
        Function {
            entry: func.entry(),
            typed: Some(typed),
            block,
            refusal,
            dictionary,
            guess: Some(guess),
            ..empty
        }
    }

    /// The same function, called with captured variables: `n=5, s="x"`, or the values alone in the closure's order.
    /// What they are is known by debug information, or by how they are written: `uint8(5)`.
    ///
    /// # Errors
    /// When the function is no closure, or a value does not fit the variable.
    pub fn with_captures(self, machine: &Machine, text: &str) -> Result<Function, Error> {
        let name = self.name.clone();
        self.with_captures_as(machine, &name, text)
    }

    /// The same where a user's name for it has type arguments, which tell the dictionary that it captured.
    pub(crate) fn with_captures_as(
        mut self,
        machine: &Machine,
        name: &str,
        text: &str,
    ) -> Result<Function, Error> {
        let image = machine.image();
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        let dictionary = generic::captured_dictionary(image, &func, name);
        self.closure = Some(Closure::parse(image, &func, text, dictionary)?);
        Ok(self)
    }

    /// The same function, called as the closure that is at this address: a function value that was read from the machine, and
    /// is in the state that its calls start from ([`Machine::keep`]).
    #[must_use]
    pub fn with_closure_at(mut self, closure: u64) -> Function {
        self.closure_at = Some(closure);
        self
    }

    /// The same function with the dictionary of the type arguments that a user's name for it has.
    pub(crate) fn with_dictionary(mut self, image: &Image, name: &str) -> Result<Function, Error> {
        let Some((signature, places)) = &self.typed else { return Ok(self) };
        let Some(place) = signature.params.iter().position(Param::is_dictionary) else { return Ok(self) };
        let func = image.func_at(self.entry).ok_or(Error::NoFunctionAt(self.entry))?;
        if let Some([Piece { place: Place::Int(register), .. }]) = places.params.get(place).map(Vec::as_slice)
        {
            self.dictionary = Some(generic::dictionary(image, &func, name, usize::from(*register))?);
        }
        Ok(self)
    }

    /// Whether it is a closure that cannot be called without its captured variables, and has none yet.
    pub fn needs_captures(&self) -> bool {
        self.refusal.is_some() && self.closure.is_none() && self.closure_at.is_none()
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
    ///
    /// # Errors
    /// Those of [`Call::run`](crate::Call::run).
    pub fn call(&self, machine: &mut Machine, args: &[Value]) -> Result<Report, Error> {
        machine.call_with_fallback(self.entry, &|machine| self.call_here(machine, args))
    }

    /// The signature, the places of arguments and results, and the bytes of the block, where there is nothing else to pass.
    pub(crate) fn plain(&self) -> Option<(&Signature, &Assignment, u64)> {
        let (signature, places) = self.typed.as_ref()?;
        let more = self.closure.is_some()
            || self.closure_at.is_some()
            || self.refusal.is_some()
            || self.guess.is_some();
        let plain = !more && !signature.variadic && !signature.params.iter().any(Param::is_dictionary);
        plain.then_some((signature, places, self.block))
    }

    /// The places of arguments and results, where each is a number in one piece and there is nothing else to pass.
    pub(crate) fn words(&self) -> Option<(Vec<Piece>, Vec<Piece>)> {
        let (_, places, _) = self.plain()?;
        let only = |pieces: &Vec<Piece>| match pieces[..] {
            [only @ Piece { offset: 0, size: 1..=8, .. }] => Some(only),
            _ => None,
        };
        let all = |places: &[Vec<Piece>]| places.iter().map(only).collect::<Option<Vec<_>>>();
        Some((all(&places.params)?, all(&places.results)?))
    }

    /// Calls it with numbers in places that [`Function::words`] tells, and puts the numbers that it returned into `words`: without
    /// values or a report, which cost more than a small function. `None` where it does not return so, and
    /// [`Function::call`] is to tell why.
    #[inline]
    pub(crate) fn call_words(
        &self,
        machine: &mut Machine,
        args: (&[Piece], &[u64]),
        results: &[Piece],
        words: &mut [u64],
    ) -> Option<()> {
        if !machine.is_plain(self.entry) {
            return None;
        }
        let function = (self.entry, self.block);
        machine.serve_plain(|machine| invoke::call(machine, function, args, results, words))
    }

    /// Begins a call of it, to be stepped, stopped and looked into.
    ///
    /// # Errors
    /// Those of [`Function::call`]: a call that the machine cannot serve does not begin.
    pub fn start<'m>(&self, machine: &'m mut Machine, args: &[Value]) -> Result<Session<'m>, Error> {
        let real = machine.rehearse(self.entry, &|machine| self.call_here(machine, args))?;
        Session::begin(machine, real, self.clone(), args)
    }

    /// Calls it on this very machine.
    fn call_here(&self, machine: &mut Machine, args: &[Value]) -> Result<Report, Error> {
        let mut under_way = self.begin(machine, args)?;
        let mut ended = None;
        machine.run_short(&mut under_way.fuel, &mut ended)?;
        self.finish(machine, &under_way, ended)
    }

    /// Goes back to the machine's starting state and puts RIP at the function.
    #[inline]
    pub(crate) fn begin(&self, machine: &mut Machine, args: &[Value]) -> Result<UnderWay, Error> {
        machine.reset()?;
        let limit = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        let captured =
            self.closure.iter().flat_map(|closure| &closure.captures).map(|capture| &capture.value);
        machine.not_ready_for(&self.name, args.iter().chain(captured))?;
        let context = self.context(machine)?;
        let mut frame = Frame::new(self.block);
        self.pass(machine, args, &mut frame)?;
        let charged = machine.guest.memory.charged();
        invoke::enter(machine, self.entry, context, &frame)?;
        if machine.user_changes().has_registers() {
            let changes = Arc::clone(machine.user_changes());
            changes.set_registers(&mut machine.guest.cpu);
        }
        machine.guest.memory.forget_cost();
        Ok(UnderWay { context, frame, limit, fuel: limit, charged })
    }

    /// What is to be told of a call that is over; `ended` is `None` where it returned.
    #[inline]
    pub(crate) fn finish(
        &self,
        machine: &mut Machine,
        under_way: &UnderWay,
        ended: Option<Outcome>,
    ) -> Result<Report, Error> {
        let mut outcome = match ended {
            Some(outcome) => outcome,
            None => Outcome::Returned(self.returned(machine)?),
        };
        let instructions = under_way.instructions(machine);
        let mut arguments = self.arguments(machine, under_way)?;
        if matches!(outcome, Outcome::Returned(_)) && machine.is_late() {
            // Not all of it was read.
            outcome = Outcome::OutOfTime;
        }
        machine.cx().emit(|_| Event::CallEnded(outcome.clone()));
        let reading = machine.reading();
        if reading.errors || reading.stringers {
            self.add_texts(machine, under_way.fuel, &mut outcome, &mut arguments);
        }
        let (stdout, stderr) = (machine.guest.world.stdout.clone(), machine.guest.world.stderr.clone());
        let uninitialised = machine.uninitialised().map(str::to_owned);
        let runtime = machine.runtime();
        let doubt = machine.guest.world.doubt.map(str::to_owned);
        Ok(Report { outcome, runtime, uninitialised, doubt, instructions, arguments, stdout, stderr })
    }

    /// The closure that the code finds in DX.
    fn context(&self, machine: &mut Machine) -> Result<u64, Error> {
        if let Some(at) = self.closure_at {
            return Ok(at);
        }
        let Some(closure) = &self.closure else {
            return self
                .refusal
                .as_deref()
                .map_or(Ok(0), |(func, why)| Err(Error::Captures { func: func.clone(), why: why.clone() }));
        };
        let image = Arc::clone(machine.image());
        Ok(closure.make(self.entry, &mut MachineHeap::new(machine), &*image)?)
    }

    /// The arguments as they are when the call has ended, if they were asked for.
    fn arguments(&self, machine: &Machine, under_way: &UnderWay) -> Result<Vec<NamedValue>, Error> {
        let UnderWay { context, frame, .. } = under_way;
        let (true, Some((signature, places))) = (machine.reading().arguments, &self.typed) else {
            return Ok(Vec::new());
        };
        let reader = reader(machine);
        let values = passing::arguments(signature, places, frame, &reader)?;
        let named = |(param, value): (&Param, Value)| NamedValue::new(&param.name, &param.ty, value);
        let params = signature.params.iter().zip(values).filter(|(p, _)| !p.is_dictionary()).map(named);
        let captures = self.closure.iter().flat_map(|closure| closure.places(*context));
        Ok(params.chain(captures.map(|(capture, at)| capture.read(at, &reader))).collect())
    }

    /// Adds what values say of themselves, by what is left of the call's fuel.
    fn add_texts(
        &self,
        machine: &mut Machine,
        fuel: i64,
        outcome: &mut Outcome,
        arguments: &mut [NamedValue],
    ) {
        let reading = machine.reading();
        let typed = self.typed.as_ref().filter(|_| reading.stringers).map(|(signature, _)| signature);
        let returned = matches!(outcome, Outcome::Returned(_));
        let results = typed.filter(|_| returned).map_or(&[][..], |signature| &signature.results);
        let params =
            typed.map_or(&[][..], |signature| &signature.params).iter().filter(|p| !p.is_dictionary());
        let mut texts = Stringers::new(machine, (reading.errors, reading.stringers), fuel);
        let mut add = |value: &mut Value, param: Option<&Param>| match param {
            Some(param) => texts.add_typed(value, &param.ty),
            None => texts.add(value),
        };
        for (at, value) in outcome.values_mut().into_iter().enumerate() {
            add(value, results.get(at));
        }
        let params = params.map(Some).chain(std::iter::repeat(None));
        arguments.iter_mut().zip(params).for_each(|(named, param)| add(&mut named.value, param));
    }

    /// Calls it from the state that the last call has left.
    pub(crate) fn again(&self, machine: &mut Machine, args: &[Value]) -> Result<Outcome, Error> {
        let mut fuel = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        self.proceed(machine, args, &mut fuel)
    }

    /// Calls it from the machine's present state.
    pub(crate) fn proceed(
        &self,
        machine: &mut Machine,
        args: &[Value],
        fuel: &mut i64,
    ) -> Result<Outcome, Error> {
        let mut frame = Frame::new(self.block);
        self.pass(machine, args, &mut frame)?;
        self.run(machine, 0, &frame, fuel)
    }

    fn run(
        &self,
        machine: &mut Machine,
        context: u64,
        frame: &Frame,
        fuel: &mut i64,
    ) -> Result<Outcome, Error> {
        invoke::enter(machine, self.entry, context, frame)?;
        match machine.run(fuel)? {
            Some(outcome) => Ok(outcome),
            None => Ok(Outcome::Returned(self.returned(machine)?)),
        }
    }

    /// Puts the arguments into the frame; what they refer to is placed in the guest.
    #[inline]
    fn pass(&self, machine: &mut Machine, args: &[Value], frame: &mut Frame) -> Result<(), Error> {
        let Some((signature, places)) = &self.typed else {
            let none = args.is_empty().then_some(());
            return none.ok_or_else(|| Error::NoSignature(self.name.clone()));
        };
        if args.is_empty() && signature.params.is_empty() {
            return Ok(());
        }
        let image = Arc::clone(machine.image());
        let whole = self.dictionary.and_then(|at| generic::with_dictionary(signature, args, at));
        let args = whole.as_deref().unwrap_or(args);
        Ok(passing::pass(signature, places, args, frame, &mut MachineHeap::new(machine), &*image)?)
    }

    /// The results, from where the convention has them.
    #[inline]
    fn returned(&self, machine: &Machine) -> Result<Returned, Error> {
        if let Some(guess) = &self.guess {
            return Ok(guess.results(&invoke::left(machine, self.block)));
        }
        let Some((signature, places)) = &self.typed else {
            return Ok(self.untyped(&invoke::left(machine, self.block)));
        };
        let left = invoke::Left::new(machine, self.block);
        let reader = reader(machine);
        let mut values = Vec::with_capacity(signature.results.len());
        for (result, pieces) in signature.results.iter().zip(&places.results) {
            let value = passing::value(result, pieces, &left, &reader)?;
            values.push(NamedValue::new(&result.name, &result.ty, value));
        }
        Ok(Returned::Values(values))
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

/// Reads values of a call, in the time that it has.
fn reader(machine: &Machine) -> Reader<'_> {
    let (limits, until) = (machine.reading().limits, machine.ends_at());
    Reader { limits, until, ..Reader::new(&machine.guest.memory, &**machine.image()) }
}

/// A call that has begun.
pub(crate) struct UnderWay {
    /// The closure that the code found in DX.
    context: u64,
    /// What was passed.
    frame: Frame,
    /// Fuel at the beginning.
    limit: i64,
    /// Fuel that is left.
    pub(crate) fuel: i64,
    /// Work charged to this machine's memory before the call.
    charged: u64,
}

impl UnderWay {
    /// A whole program: nothing was passed.
    pub(crate) fn of_program(machine: &mut Machine) -> UnderWay {
        let limit = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        let charged = machine.guest.memory.charged();
        machine.guest.memory.forget_cost();
        UnderWay { context: 0, frame: Frame::new(0), limit, fuel: limit, charged }
    }

    /// Work that was charged to the machine since the call began.
    pub(crate) fn charged_since(&self, machine: &Machine) -> u64 {
        machine.guest.memory.charged().wrapping_sub(self.charged)
    }

    /// The machine is where it was when there was so much fuel left, and so much work had been charged.
    pub(crate) fn go_back(&mut self, machine: &Machine, fuel: i64, charged: u64) {
        self.fuel = fuel;
        // The machine goes on counting.
        self.charged = machine.guest.memory.charged().wrapping_sub(charged);
    }

    /// Instructions executed so far: what was charged for other work is not among them.
    pub(crate) fn instructions(&self, machine: &Machine) -> u64 {
        let charged = machine.guest.memory.charged().wrapping_sub(self.charged);
        (self.limit.saturating_sub(self.fuel) as u64).saturating_sub(charged)
    }
}

/// The same type; that of a slice's elements is looked up once, and not by every call.
fn at_hand(image: &Image, ty: &Arc<Type>) -> Arc<Type> {
    match &ty.kind {
        Kind::Slice(elem) if !matches!(elem, TypeRef::Here(_)) => match image.resolve(elem) {
            Ok(elem) => Arc::new(Type { kind: Kind::Slice(TypeRef::Here(elem)), ..Type::clone(ty) }),
            Err(_) => ty.clone(),
        },
        _ => ty.clone(),
    }
}

/// Why a function cannot be called without captured variables.
fn refusal(func: &Func<'_>) -> Option<Box<(String, String)>> {
    match closure::refusal(func.image(), func) {
        Some(Error::Captures { func, why }) => Some(Box::new((func, why))),
        _ => None,
    }
}
