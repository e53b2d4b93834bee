//! The strings of a program.

use std::ops::ControlFlow;
use std::time::Duration;

use goemu::Machine;
use goemu::machine::Interrupt;
use goemu::reverse::strings::{Certainty, Found, Options, Origin, is_own, list};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::text;
use crate::errors;
use crate::program::{Pending, Program};

#[pymethods]
impl Program {
    /// The strings of the program: dicts of `value`, `origin` (`constant`, `initialised`, `decoded`), `certainty` (`possible`,
    /// `likely`, `certain`), `address` (of decoded ones, the function that makes it) and `users` (functions).
    ///
    /// With `decode`, what may be decoders is run to see what it makes, `timeout` seconds each at most. With `all`, strings that
    /// only Go's own packages use are there as well.
    ///
    /// >>> "nobody" in {s["value"] for s in p.strings()}
    /// False
    #[pyo3(signature = (*, decode=false, min=4, all=false, timeout=2.0))]
    fn strings<'py>(
        slf: &Bound<'py, Self>,
        decode: bool,
        min: usize,
        all: bool,
        timeout: f64,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let (py, program) = (slf.py(), slf.get());
        let mut machine = program.with(py, Machine::fork)?.map_err(|error| errors::from(py, &error))?;
        let mut options = Options::default();
        (options.min, options.decode) = (min, decode);
        if timeout > 0.0 && timeout < 1e9 {
            options.time = Duration::from_secs_f64(timeout);
        }
        let (pending, interrupt) = (Pending::default(), Interrupt::default());
        let listing = py.detach(|| {
            if decode {
                // What it needs of them is there where they can be initialised.
                let _ = machine.initialise();
            }
            list(machine, &options, &interrupt, &mut |_, _| match Python::try_attach(|py| py.check_signals())
            {
                Some(Ok(())) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
                Some(Err(error)) => {
                    pending.set(error);
                    ControlFlow::Break(())
                }
            })
        });
        if let Some(error) = pending.take() {
            return Err(error);
        }
        let listing = listing.map_err(|error| errors::from(py, &error))?;
        let image = program.image();
        let own = |found: &Found| {
            let mut users = found.users.iter().filter_map(|place| place.func).peekable();
            users.peek().is_some() && users.all(|func| is_own(image, func))
        };
        let wanted = listing.strings.iter().filter(|found| all || !own(found));
        wanted.map(|found| object(py, program, found)).collect()
    }
}

fn object<'py>(py: Python<'py>, program: &Program, found: &Found) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("value", text(py, &found.value))?;
    dict.set_item(
        "origin",
        match found.origin {
            Origin::Constant => "constant",
            Origin::Initialised => "initialised",
            Origin::Decoded => "decoded",
        },
    )?;
    dict.set_item(
        "certainty",
        match found.certainty {
            Certainty::Possible => "possible",
            Certainty::Likely => "likely",
            Certainty::Certain => "certain",
        },
    )?;
    dict.set_item("address", found.addr)?;
    let name = |func: u64| program.image().func_at(func).map(|func| func.name().to_owned());
    let mut users: Vec<String> = found.users.iter().filter_map(|place| name(place.func?)).collect();
    users.dedup();
    dict.set_item("users", users)?;
    Ok(dict)
}
