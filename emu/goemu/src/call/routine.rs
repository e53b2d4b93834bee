//! A function of the guest that goemu itself runs in between: to hash a key, to ask an error for its text.
//!
//! It takes and gives words. Observers do not see it, what it prints is dropped, and its instructions are not those of the
//! call that it serves. Everything that runs guest code on goemu's own account goes this way.

use std::sync::Arc;

use goemu_loader::{Abi, Image, Kind, Param, Signature, Type};

use crate::call::invoke;
use crate::error::Error;
use crate::go::abi::{Assignment, assign};
use crate::go::frame::Frame;
use crate::machine::Machine;
use crate::outcome::Outcome;

/// Instructions that all routines may execute which serve one call, at most and at least.
pub(super) const MOST: u64 = 1_000_000_000;
pub(super) const LEAST: u64 = 1_000_000;

/// Instructions that all routines may execute which serve one call: as many as that itself may, within reason.
pub(crate) fn fuel(machine: &Machine) -> i64 {
    machine.config().fuel.clamp(LEAST, MOST).cast_signed()
}

/// A function that takes words and gives words.
pub(crate) struct Routine {
    entry: u64,
    places: Assignment,
}

impl Routine {
    /// The function of a name, as its own calling convention has it.
    pub(crate) fn named(image: &Image, name: &str, params: usize, results: usize) -> Option<Routine> {
        let funcs = image.funcs_named(name);
        let compiled = funcs.iter().find(|func| func.func_id() != goemu_loader::FuncId::Wrapper);
        let func = compiled.or(funcs.first())?;
        Routine::at(func.entry(), func.abi(), params, results)
    }

    /// Code that is called through a pointer, as closures and methods are.
    pub(crate) fn pointed(image: &Image, code: u64, params: usize, results: usize) -> Option<Routine> {
        let abi = if image.facts().register_abi() { Abi::Internal } else { Abi::Abi0 };
        Routine::at(code, abi, params, results)
    }

    fn at(entry: u64, abi: Abi, params: usize, results: usize) -> Option<Routine> {
        let kind = Kind::Uintptr;
        let word = Arc::new(Type { name: "uintptr".to_owned(), size: 8, align: 8, kind, rtype: None });
        let words = |count| vec![Param { name: String::new(), ty: word.clone() }; count];
        let signature = Signature { params: words(params), results: words(results), variadic: false };
        Some(Routine { entry, places: assign(abi, &signature).ok()? })
    }

    /// Runs it now, from the machine's present state. `context` is what a closure finds in DX.
    ///
    /// # Errors
    /// Why it did not return, in words.
    pub(crate) fn run(
        &self,
        machine: &mut Machine,
        context: u64,
        words: &[u64],
        fuel: &mut i64,
    ) -> Result<Vec<u64>, String> {
        let watching = std::mem::take(machine.observers());
        let printed = (machine.guest.world.stdout.len(), machine.guest.world.stderr.len());
        // The caller has addresses of its own.
        let held = std::mem::replace(&mut machine.guest.world.heap.held, true);
        let ended = self.call(machine, context, words, fuel);
        machine.guest.world.heap.held = held;
        machine.guest.world.stdout.truncate(printed.0);
        machine.guest.world.stderr.truncate(printed.1);
        *machine.observers() = watching;
        match ended {
            Ok(Ended::Returned(words)) => Ok(words),
            Ok(Ended::Otherwise(outcome)) => Err(outcome.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn call(
        &self,
        machine: &mut Machine,
        context: u64,
        words: &[u64],
        fuel: &mut i64,
    ) -> Result<Ended, Error> {
        let block = self.places.stack_size.next_multiple_of(8);
        let mut frame = Frame::new(block);
        for (pieces, word) in self.places.params.iter().zip(words) {
            frame.put(pieces, &word.to_le_bytes())?;
        }
        invoke::enter(machine, self.entry, context, &frame)?;
        if let Some(outcome) = machine.run(fuel)? {
            return Ok(Ended::Otherwise(outcome));
        }
        let left = invoke::left(machine, block);
        let mut results = Vec::with_capacity(self.places.results.len());
        for pieces in &self.places.results {
            let mut word = [0; 8];
            word.copy_from_slice(left.get(pieces, 8)?.get(..8).unwrap_or(&[0; 8]));
            results.push(u64::from_le_bytes(word));
        }
        Ok(Ended::Returned(results))
    }
}

/// How a routine ended.
enum Ended {
    Returned(Vec<u64>),
    Otherwise(Outcome),
}
