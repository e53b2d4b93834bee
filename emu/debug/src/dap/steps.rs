//! Steps by lines of source, over and out of calls, in both directions.

use goemu::{Error, Stop};

use super::frames::here;
use crate::watch::{Runner, Stopped};

/// Steps that a line may take before it is interrupted: a loop on one line.
const MAX_STEPS: u64 = 50_000_000;

/// One instruction, and all of the call that it makes.
pub(super) fn over(runner: &mut Runner<'_>) -> Result<Stopped, Error> {
    let Some((_, frame, _)) = here(runner.session()) else { return runner.step() };
    let stopped = runner.step()?;
    back_to(runner, frame, stopped)
}

/// To the next line of this function, or to its caller.
pub(super) fn line(runner: &mut Runner<'_>) -> Result<Stopped, Error> {
    by_line(runner, false)
}

/// To the next line, of whatever function.
pub(super) fn line_into(runner: &mut Runner<'_>) -> Result<Stopped, Error> {
    by_line(runner, true)
}

fn by_line(runner: &mut Runner<'_>, into: bool) -> Result<Stopped, Error> {
    let Some((func, frame, line)) = here(runner.session()) else { return runner.step() };
    for _ in 0..MAX_STEPS {
        let mut stopped = runner.step()?;
        let inside = |runner: &Runner<'_>| here(runner.session()).is_some_and(|(_, other, _)| other < frame);
        // Functions of the runtime are not what people step into.
        if stopped == Stopped::Stepped && inside(runner) && !(into && is_own(runner)) {
            stopped = back_to(runner, frame, stopped)?;
        }
        if stopped != Stopped::Stepped {
            return Ok(stopped);
        }
        if is_at_breakpoint(runner) {
            return Ok(Stopped::Breakpoint);
        }
        if here(runner.session()).is_none_or(|at| at != (func, frame, line)) && is_at_line(runner) {
            return Ok(Stopped::Stepped);
        }
    }
    Ok(Stopped::Stepped)
}

/// To the caller.
pub(super) fn out(runner: &mut Runner<'_>) -> Result<Stopped, Error> {
    let Some((_, frame, _)) = here(runner.session()) else { return runner.step() };
    // A frame ends above its return address, so the caller's is higher.
    back_to(runner, frame.saturating_add(1), Stopped::Stepped)
}

/// To where the line before the present one begins, over calls.
pub(super) fn line_back(runner: &mut Runner<'_>) -> Result<Stopped, Error> {
    let Some((_, frame, _)) = here(runner.session()) else { return runner.step_back() };
    let mut last = None;
    runner.search_back(|session| {
        let at = here(session).filter(|(_, other, _)| *other >= frame)?;
        let begins = last.is_some_and(|last| last != at) || session.position() == 0;
        last = Some(at);
        begins.then_some(Stopped::Stepped)
    })
}

/// Whether the program's own code is running, which has a line.
fn is_own(runner: &Runner<'_>) -> bool {
    let machine = runner.session().machine();
    let func = machine.image().func_at(machine.cpu().rip);
    func.is_some_and(|func| !func.name().starts_with("runtime."))
}

fn is_at_line(runner: &Runner<'_>) -> bool {
    here(runner.session()).is_some_and(|(_, _, line)| line > 0)
}

fn is_at_breakpoint(runner: &Runner<'_>) -> bool {
    let session = runner.session();
    session.breakpoints().contains(&session.machine().cpu().rip)
}

/// While calls are inside the frame that ends here, runs to where they return.
fn back_to(runner: &mut Runner<'_>, frame: u64, mut stopped: Stopped) -> Result<Stopped, Error> {
    while stopped == Stopped::Stepped {
        let Some((_, inner, _)) = here(runner.session()).filter(|(_, inner, _)| *inner < frame) else {
            break;
        };
        let session = runner.session_mut();
        let Ok(back) = session.machine().memory().read(inner.wrapping_sub(8)).map(u64::from_le_bytes) else {
            break;
        };
        let known = session.breakpoints().contains(&back);
        stopped = match session.run_to(back)? {
            Stop::Ended => Stopped::Ended,
            _ if session.machine().cpu().rip != back || known => Stopped::Breakpoint,
            _ => Stopped::Stepped,
        };
    }
    Ok(stopped)
}
