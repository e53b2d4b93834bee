//! Many calls of one program, from several machines: what is known of a function is found once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use goemu::go::guess::Guess;
use goemu::{Image, Machine};

use crate::call::{argument, guess_of};
use crate::called::Called;
use crate::guest::PART_OF_MEMORY;

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
    guess: Option<Guess>,
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
        let report = call.literals(&args)?.run()?;
        let guess = known.guess.clone().filter(|_| request.sig.is_none());
        let (func, go, engine) = (known.name.clone(), self.go.clone(), self.engine);
        Ok(Called { func, go, image: Arc::clone(&self.image), engine, report, guess })
    }

    fn known(&self, machine: &Machine, func: &str) -> Result<Arc<Known>> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(func) {
            return Ok(Arc::clone(known));
        }
        let found = machine.find(func)?;
        let (entry, name) = (found.entry(), found.name().to_owned());
        let known = Arc::new(Known { entry, name, guess: guess_of(machine, func) });
        let mut all = lock();
        if all.len() < MAX_KNOWN {
            all.insert(func.to_owned(), Arc::clone(&known));
        }
        Ok(known)
    }
}
