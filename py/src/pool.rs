//! Many calls of a function on many machines.

use std::ops::ControlFlow;
use std::time::Duration;

use goemu::machine::Interrupt;
use goemu::pool::{Follow, Pool, Progress};
use goemu::{Error, Outcome, Report as GoReport};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::errors;
use crate::function::Function;
use crate::program::Pending;
use crate::report::Report;

/// Takes results, and looks for Ctrl-C meanwhile.
struct Taking {
    results: Vec<Result<GoReport, Error>>,
    pending: Pending,
    progress: Option<Py<PyAny>>,
    stops: bool,
}

impl Follow<Result<GoReport, Error>> for Taking {
    fn result(&mut self, result: Result<GoReport, Error>) -> ControlFlow<()> {
        let failed = !matches!(&result, Ok(report) if matches!(report.outcome, Outcome::Returned(_)));
        self.results.push(result);
        if failed && self.stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        let told = Python::try_attach(|py| {
            py.check_signals()?;
            self.progress.as_ref().map_or(Ok(()), |tell| tell.bind(py).call1((progress.done,)).map(drop))
        });
        match told {
            Some(Ok(())) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
            Some(Err(error)) => {
                self.pending.set(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// Calls a function with each tuple of arguments, on so many threads. With `reports`, nothing that guests do is raised.
#[pyfunction]
#[pyo3(name = "_pool_run", signature = (function, jobs, threads, timeout, reports, progress))]
pub(crate) fn run<'py>(
    py: Python<'py>,
    function: &Bound<'py, Function>,
    jobs: &Bound<'py, PyList>,
    threads: usize,
    timeout: Option<f64>,
    reports: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let own = function.get();
    let program = own.program.get();
    let held = program.callables.hold();
    let values = |args: Bound<'py, PyAny>| own.values(py, args.cast::<PyTuple>()?, &held);
    let jobs = jobs.iter().map(values).collect::<PyResult<Vec<_>>>()?;
    let machine = program.with(py, goemu::Machine::fork)?.map_err(|error| errors::from(py, &error))?;
    let time = timeout.filter(|time| *time >= 0.0 && *time < 1e9).map(Duration::from_secs_f64);
    let pending = Pending::default();
    let mut taking = Taking { results: Vec::new(), pending: pending.clone(), progress, stops: !reports };
    let called = &own.function;
    let done = py.detach(|| {
        let pool = Pool::new(machine).interrupted_by(Interrupt::default()).jobs(threads.clamp(1, 256));
        let mut pool = pool.time_each(time);
        pool.run(jobs.into_iter(), |machine, args| called.call(machine, &args), &mut taking)
    });
    if let Some(error) = pending.take().or_else(|| program.pending.take()) {
        return Err(error);
    }
    done.map_err(|error| errors::from(py, &error))?;
    program.next_serial();
    let list = PyList::empty(py);
    for result in taking.results {
        let report = result.map_err(|error| errors::from(py, &error))?;
        match reports {
            true => {
                list.append(Bound::new(py, Report::new(own.program.clone_ref(py), called.name(), report))?)?
            }
            false => list.append(own.finish(py, report)?)?,
        }
    }
    Ok(list)
}
