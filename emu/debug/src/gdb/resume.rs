//! Letting the guest run, as gdb wants it, and telling why it has stopped.

use std::ops::Range;

use gdbstub::common::{Signal, Tid};
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::target::ext::base::multithread::{
    MultiThreadRangeStepping, MultiThreadRangeSteppingOps, MultiThreadResume, MultiThreadSchedulerLocking,
    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::reverse_exec::{
    ReplayLogPosition, ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps,
};
use gdbstub::target::ext::breakpoints::WatchKind;
use goemu::{Error, Outcome};

use super::target::Guest;
use crate::watch::{Access, Stopped};

/// Exit status of a panic and of Go's fatal errors.
const PANICKED: u8 = 2;

/// What the guest does when gdb lets it run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Continue,
    Step,
    /// Steps, while RIP is here.
    StepIn(Range<u64>),
    StepBack,
    ContinueBack,
}

impl Guest<'_> {
    /// Runs about so many instructions: why it has stopped, if it has.
    pub(super) fn run(&mut self, most: u64) -> Result<Option<MultiThreadStopReason<u64>>, Error> {
        self.moved();
        let stopped = match &self.way {
            Way::Continue => self.runner.run(most)?,
            Way::Step => Some(self.runner.step()?),
            Way::StepIn(range) => {
                let range = range.clone();
                self.runner.step_in(&range, most >> 6)?
            }
            Way::StepBack => Some(self.runner.step_back()?),
            Way::ContinueBack => Some(self.runner.run_back()?),
        };
        Ok(stopped.map(|stopped| self.reason(stopped)))
    }

    fn reason(&mut self, stopped: Stopped) -> MultiThreadStopReason<u64> {
        let tid = self.current();
        if stopped != Stopped::Ended {
            self.told_end = false;
        }
        match stopped {
            Stopped::Stepped => MultiThreadStopReason::SignalWithThread { tid, signal: Signal::SIGTRAP },
            Stopped::Breakpoint => {
                let pc = self.runner.session().machine().cpu().rip;
                if self.hardware.contains(&pc) {
                    MultiThreadStopReason::HwBreak(tid)
                } else {
                    MultiThreadStopReason::SwBreak(tid)
                }
            }
            Stopped::Watched(watchpoint) => {
                let kind = match watchpoint.access {
                    Access::Write => WatchKind::Write,
                    Access::Read => WatchKind::Read,
                    Access::Any => WatchKind::ReadWrite,
                };
                MultiThreadStopReason::Watch { tid, kind, addr: watchpoint.bytes.start }
            }
            Stopped::Beginning => {
                MultiThreadStopReason::ReplayLog { tid: Some(tid), pos: ReplayLogPosition::Begin }
            }
            Stopped::Ended if std::mem::replace(&mut self.told_end, true) => {
                MultiThreadStopReason::Exited(self.status())
            }
            Stopped::Ended => {
                MultiThreadStopReason::ReplayLog { tid: Some(tid), pos: ReplayLogPosition::End }
            }
        }
    }

    fn status(&self) -> u8 {
        match self.runner.session().outcome() {
            None => 0,
            Some(Outcome::Panicked(_)) => PANICKED,
            Some(Outcome::Exited { code, .. }) => code.to_le_bytes()[0],
            Some(_) => 3,
        }
    }
}

impl MultiThreadResume for Guest<'_> {
    fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Error> {
        self.way = Way::Continue;
        Ok(())
    }

    fn set_resume_action_continue(&mut self, _: Tid, _: Option<Signal>) -> Result<(), Error> {
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, Tid, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Guest<'_> {
    fn set_resume_action_step(&mut self, _: Tid, _: Option<Signal>) -> Result<(), Error> {
        self.way = Way::Step;
        Ok(())
    }
}

/// gdb asks for it when it steps off a breakpoint. One goroutine runs at a time, and a step is one step: which one runs next is for the
/// program's scheduler to say.
impl MultiThreadSchedulerLocking for Guest<'_> {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl MultiThreadRangeStepping for Guest<'_> {
    fn set_resume_action_range_step(&mut self, _: Tid, start: u64, end: u64) -> Result<(), Error> {
        self.way = if start < end { Way::StepIn(start..end) } else { Way::Step };
        Ok(())
    }
}

impl ReverseStep<Tid> for Guest<'_> {
    fn reverse_step(&mut self, _: Tid) -> Result<(), Error> {
        self.way = Way::StepBack;
        Ok(())
    }
}

impl ReverseCont<Tid> for Guest<'_> {
    fn reverse_cont(&mut self) -> Result<(), Error> {
        self.way = Way::ContinueBack;
        Ok(())
    }
}
