//! Users' hooks: functions of the program, replaced or watched, with arguments and results as Go values.
//!
//! These are [`Hook`](crate::hook::Hook)s that know the calling convention. A replaced function is hooked where it
//! begins, a watched one also at each of its RET instructions, where the results are in their places. Calls that the
//! compiler has inlined are no calls, and are not seen.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use goemu_loader::{Func, Signature};
use iced_x86::{FlowControl, Instruction};

use crate::call::changed::put;
use crate::call::invoke::frame_at;
use crate::cpu::gpr;
use crate::disasm::instructions;
use crate::error::Error;
use crate::go::abi::{Assignment, assign};
use crate::go::frame::Frame;
use crate::go::names;
use crate::go::passing;
use crate::go::read::Reader;
use crate::go::signature;
use crate::go::value::Value;
use crate::guest::hook_heap::HookHeap;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::machine::Machine;

/// Calls under way that a watcher remembers the arguments of; those of a deeper recursion are forgotten.
const MAX_UNDER_WAY: usize = 1 << 12;

/// What a watcher is shown: a call that begins, or one that ends.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WatchedCall<'a> {
    /// The function's full name.
    pub func: &'a str,
    /// The arguments, as they were when the call began; a method's receiver comes first.
    pub args: &'a [Value],
    /// The results; none while the call begins.
    pub results: Option<&'a [Value]>,
}

impl fmt::Display for WatchedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{}({})", self.func, list(self.args))?;
        match self.results {
            Some([]) => f.write_str(" returns"),
            Some(results) => write!(f, " = {}", list(results)),
            None => Ok(()),
        }
    }
}

/// Where a function's arguments and results are.
pub(crate) struct Convention {
    pub(crate) name: String,
    pub(crate) signature: Signature,
    pub(crate) places: Assignment,
}

impl Machine {
    /// Lets `with` stand in for a function, which is found as [`Machine::call`] finds it: it gets the arguments and
    /// gives the results. Where it gives none (`None`), the function itself runs.
    ///
    /// ```no_run
    /// # let mut machine = goemu::Machine::new(goemu::Image::open("program")?)?;
    /// machine.replace("main.roll", None, |_| Some(vec![4.into()]))?;
    /// # Ok::<(), goemu::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSignature`] where neither the program nor `signature`, in Go syntax, says what the function takes.
    pub fn replace(
        &mut self,
        func: &str,
        signature: Option<&str>,
        with: impl Fn(&[Value]) -> Option<Vec<Value>> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.try_replace(func, signature, move |_, args| Ok(with(args)))
    }

    /// [`Machine::replace`] by a closure that may fail, and sees the machine: its error, [`Error::Hook`] as a rule, ends the
    /// call.
    ///
    /// # Errors
    /// Those of [`Machine::replace`].
    pub fn try_replace(
        &mut self,
        func: &str,
        signature: Option<&str>,
        with: impl Fn(&mut HookContext<'_>, &[Value]) -> Result<Option<Vec<Value>>, Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let func = self.find(func)?;
        let (entry, convention) = (func.entry(), convention(self, &func, signature)?);
        self.hook_at([entry], move |cx: &mut HookContext<'_>| {
            let args = convention.arguments(cx)?;
            match with(cx, &args)? {
                Some(results) => convention.give(cx, &results).map(|()| Action::Return),
                None => Ok(Action::Run),
            }
        });
        Ok(())
    }

    /// Shows `see` every call of a function, when it begins and when it returns. A call that a panic ends does not
    /// return.
    ///
    /// # Errors
    /// [`Error::NoSignature`] where neither the program nor `signature`, in Go syntax, says what the function takes.
    pub fn watch(
        &mut self,
        func: &str,
        signature: Option<&str>,
        mut see: impl FnMut(&WatchedCall<'_>) + Send + 'static,
    ) -> Result<(), Error> {
        self.try_watch(func, signature, move |_, call| {
            see(call);
            Ok(())
        })
    }

    /// [`Machine::watch`] by a closure that may fail, and sees the machine: its error, [`Error::Hook`] as a rule, ends the call.
    ///
    /// # Errors
    /// Those of [`Machine::watch`].
    pub fn try_watch(
        &mut self,
        func: &str,
        signature: Option<&str>,
        see: impl FnMut(&mut HookContext<'_>, &WatchedCall<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let func = self.find(func)?;
        let (entry, ends) = (func.entry(), returns(&func));
        let convention = convention(self, &func, signature)?;
        let watcher = Arc::new(Watcher { convention, state: Mutex::new(State { see, calls: Vec::new() }) });
        let ending = Arc::clone(&watcher);
        self.hook_at([entry], move |cx: &mut HookContext<'_>| watcher.begins(cx));
        self.hook_at(ends, move |cx: &mut HookContext<'_>| ending.ends(cx));
        Ok(())
    }
}

fn convention(machine: &Machine, func: &Func<'_>, signature: Option<&str>) -> Result<Convention, Error> {
    let name = func.name().to_owned();
    let signature = match signature {
        Some(text) => Some(signature::parse(machine.image(), text, names::package(&name))?),
        None => machine.image().signature(func)?,
    };
    let signature = signature.ok_or_else(|| Error::NoSignature(name.clone()))?;
    let places =
        assign(func.abi(), &signature).map_err(|source| Error::Abi { func: name.clone(), source })?;
    Ok(Convention { name, signature, places })
}

/// The addresses of a function's RET instructions.
fn returns(func: &Func<'_>) -> Vec<u64> {
    instructions(func, FlowControl::Return).iter().map(Instruction::ip).collect()
}

impl Convention {
    /// The frame of the call whose return address RSP points at.
    pub(crate) fn frame(&self, cx: &HookContext<'_>) -> Frame {
        frame_at(cx.cpu, cx.memory, cx.caller_sp(), self.places.stack_size)
    }

    pub(crate) fn arguments(&self, cx: &HookContext<'_>) -> Result<Vec<Value>, HookError> {
        let reader = Reader::new(cx.memory, cx.image);
        let values = passing::arguments(&self.signature, &self.places, &self.frame(cx), &reader);
        Ok(values.map_err(Error::from)?)
    }

    fn results(&self, cx: &HookContext<'_>) -> Result<Vec<Value>, HookError> {
        let reader = Reader::new(cx.memory, cx.image);
        let values = passing::results(&self.signature, &self.places, &self.frame(cx), &reader);
        Ok(values.map_err(Error::from)?)
    }

    /// Puts the results where the caller looks for them.
    pub(crate) fn give(&self, cx: &mut HookContext<'_>, results: &[Value]) -> Result<(), HookError> {
        let mut frame = self.frame(cx);
        let mut heap = HookHeap { image: cx.image, memory: cx.memory, world: cx.world };
        passing::give(&self.signature, &self.places, results, &mut frame, &mut heap, cx.image)
            .map_err(Error::from)?;
        put(cx, &frame)
    }
}

struct Watcher<F> {
    convention: Convention,
    state: Mutex<State<F>>,
}

struct State<F> {
    see: F,
    /// Calls under way, outermost first: where their return addresses are, and their arguments.
    calls: Vec<(u64, Vec<Value>)>,
}

impl<F: FnMut(&mut HookContext<'_>, &WatchedCall<'_>) -> Result<(), Error>> Watcher<F> {
    fn begins(&self, cx: &mut HookContext<'_>) -> HookResult {
        let (sp, args) = (cx.cpu.gpr(gpr::RSP), self.convention.arguments(cx)?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gone(sp);
        (state.see)(cx, &self.seen(&args, None))?;
        if state.calls.len() < MAX_UNDER_WAY {
            state.calls.push((sp, args));
        }
        Ok(Action::Run)
    }

    fn ends(&self, cx: &mut HookContext<'_>) -> HookResult {
        let (sp, results) = (cx.cpu.gpr(gpr::RSP), self.convention.results(cx)?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let args =
            state.calls.iter().rposition(|(at, _)| *at == sp).map(|index| state.calls.swap_remove(index).1);
        state.gone(sp);
        if let Some(args) = args {
            (state.see)(cx, &self.seen(&args, Some(&results)))?;
        }
        Ok(Action::Run)
    }

    fn seen<'a>(&'a self, args: &'a [Value], results: Option<&'a [Value]>) -> WatchedCall<'a> {
        WatchedCall { func: &self.convention.name, args, results }
    }
}

impl<F> State<F> {
    /// Forgets calls whose frames the stack pointer has passed: a panic ended them, or the run before this one.
    fn gone(&mut self, sp: u64) {
        self.calls.retain(|(at, _)| *at > sp);
    }
}
