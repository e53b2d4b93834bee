//! A function of the guest that goemu itself runs in between: to hash a key, to ask an error for its text.
//!
//! It takes and gives words. Nobody watches it, what it prints is dropped, and its instructions are not those of the
//! call that it serves. Everything that runs guest code on goemu's own account goes this way.

use std::sync::Arc;

use goemu_loader::{Abi, Image, Kind, Param, Signature, Type};

use crate::error::Error;
use crate::function::Function;
use crate::go::value::Value;
use crate::machine::Machine;
use crate::outcome::{Outcome, Returned};

/// Instructions that all routines may execute which serve one call, at most and at least.
const MOST: u64 = 1_000_000_000;
const LEAST: u64 = 1_000_000;

/// Instructions that all routines may execute which serve one call: as many as that itself may, within reason.
pub(crate) fn fuel(machine: &Machine) -> i64 {
    machine.config().fuel.clamp(LEAST, MOST).cast_signed()
}

/// A function that takes words and gives words.
pub(crate) struct Routine(Function);

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
        Function::of_parts(format!("{entry:#x}"), entry, abi, signature).ok().map(Routine)
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
        let printed = (machine.world.stdout.len(), machine.world.stderr.len());
        let args: Vec<Value> = words.iter().map(|word| Value::Uintptr(*word)).collect();
        let ended = self.0.proceed_with(machine, context, &args, fuel);
        machine.world.stdout.truncate(printed.0);
        machine.world.stderr.truncate(printed.1);
        *machine.observers() = watching;
        results(ended)
    }
}

fn results(ended: Result<Outcome, Error>) -> Result<Vec<u64>, String> {
    match ended {
        Ok(Outcome::Returned(Returned::Values(values))) => {
            let word = |value: &Value| match value {
                Value::Uintptr(word) => Some(*word),
                _ => None,
            };
            Ok(values.iter().filter_map(|named| word(&named.value)).collect())
        }
        Ok(outcome) => Err(outcome.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
