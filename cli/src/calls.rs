//! Many calls of one program, from several machines: what is known of a function is found once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use goemu::go::arguments::Argument;
use goemu::go::names::called;
use goemu::pool::cores;
use goemu::{Image, Machine, Value};

use crate::called::{Called, looks_of};
use crate::guest::{PART_OF_MEMORY, contents};
use crate::output;

/// Functions that are remembered.
const MAX_KNOWN: usize = 1 << 16;

/// A call that is asked for.
pub(crate) struct Request<'a> {
    pub(crate) func: &'a str,
    pub(crate) args: &'a [String],
    pub(crate) sig: Option<&'a str>,
    pub(crate) captures: Option<&'a str>,
}

/// Makes calls.
pub(crate) struct Calls {
    image: Arc<Image>,
    go: String,
    engine: &'static str,
    most: u64,
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// What is known of a function by a name.
struct Known {
    entry: u64,
    name: String,
}

impl Calls {
    pub(crate) fn new(machine: &Machine) -> Calls {
        let image = Arc::clone(machine.image());
        let go = image.build_info().version.clone();
        let most = machine.config().max_memory / PART_OF_MEMORY;
        Calls { image, go, engine: machine.engine_name(), most, known: Mutex::default() }
    }

    /// Makes one.
    pub(crate) fn call(&self, machine: &mut Machine, request: &Request<'_>) -> Result<Called> {
        let known = self.known(machine, request.func)?;
        let mut call = machine.call_at(known.entry, request.func);
        if let Some(sig) = request.sig {
            call = call.signature(sig).context("sig")?;
        }
        if let Some(captures) = request.captures {
            call = call.captures(captures);
        }
        let args = request.args.iter().map(|arg| argument(arg, self.most)).collect::<Result<Vec<_>>>()?;
        let call = call.literals(&args)?;
        let guess = call.guess().cloned();
        let report = call.run()?;
        let looks = looks_of(machine, &report);
        let (func, go, engine) = (known.name.clone(), self.go.clone(), self.engine);
        Ok(Called { func, go, image: Arc::clone(&self.image), engine, report, guess, looks, writes: None })
    }

    fn known(&self, machine: &Machine, func: &str) -> Result<Arc<Known>> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(func) {
            return Ok(Arc::clone(known));
        }
        let found = machine.find(func)?;
        let (entry, name) = (found.entry(), called(&found));
        let known = Arc::new(Known { entry, name });
        let mut all = lock();
        if all.len() < MAX_KNOWN {
            all.insert(func.to_owned(), Arc::clone(&known));
        }
        Ok(known)
    }
}

/// An argument: a text, or the contents of a file where it begins with `@`, of so many bytes at most.
pub(crate) fn argument(text: &str, most: u64) -> Result<Argument<'_>> {
    match text.strip_prefix('@') {
        Some(path) => Ok(Argument::Value(Value::String(contents(path, text, most)?))),
        None => Ok(Argument::Text(text)),
    }
}

/// The number of machines that was asked for.
pub(crate) fn jobs(asked: Option<u64>) -> usize {
    /// More than any host has cores.
    const MOST: u64 = 1024;
    asked.map_or_else(cores, |jobs| jobs.clamp(1, MOST) as usize)
}

/// Initialises packages; a program where that fails is used as it is, and that is said.
pub(crate) fn initialise(machine: &mut Machine) {
    if let Err(error) = machine.initialise() {
        output::note(&format!("packages are not initialised, and calls that need it say so: {error}"));
    }
}
