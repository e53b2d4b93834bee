//! A search in parts, which machines of a pool take one after the other. A part follows from the seed and its number alone, so
//! what is found does not depend on how many machines there are.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::check::Progress;
use super::finding::Finding;
use crate::error::Error;
use crate::machine::Interrupt;
use crate::pool::{Ended, Follow, Progress as PoolProgress};
use crate::values::Random;

/// Runs that one machine of a pool makes before it takes more of them.
pub const PART: u64 = 2000;
/// Runs of the first part until sizes are no longer counted up.
const GROWING: u64 = 400;

/// Some of the runs of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which part it is, from 0.
    number: u64,
    pub(super) runs: u64,
}

impl Part {
    /// So many runs, in parts.
    pub(super) fn all(runs: u64) -> impl Iterator<Item = Part> + Send {
        let part = move |number| Part { number, runs: PART.min(runs - number * PART) };
        (0..runs.div_ceil(PART)).map(part)
    }

    pub(super) fn is_first(self) -> bool {
        self.number == 0
    }

    /// Where its values come from.
    pub(super) fn random(self, seed: u64) -> Random {
        let mut random = Random::new(seed);
        // The numbers of one seed are the states of another: parts must not begin where others go on.
        if self.is_first() {
            random
        } else {
            Random::new(random.bits() ^ self.number.wrapping_mul(0xd6e8_feb8_6659_fd93))
        }
    }

    /// The size of the values of a try.
    pub(super) fn size(self, tries: u64, random: &mut Random) -> usize {
        if self.is_first() && tries < GROWING { (tries / 4) as usize } else { random.below(101) }
    }
}

/// What the parts that are under way have done.
#[derive(Debug, Default)]
pub(super) struct Counted {
    runs: AtomicU64,
    shrinking: AtomicBool,
}

impl Counted {
    /// What a part tells of its progress, and goes on unless the work is to end.
    pub(super) fn of_part<'c>(
        &'c self,
        interrupt: &'c Interrupt,
    ) -> impl FnMut(Progress) -> ControlFlow<()> + use<'c> {
        let mut known = 0;
        move |progress| {
            self.runs.fetch_add(progress.runs.saturating_sub(known), Ordering::Relaxed);
            known = progress.runs;
            self.shrinking.store(progress.shrinking, Ordering::Relaxed);
            if interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let (runs, shrinking) = (self.runs.load(Ordering::Relaxed), self.shrinking.load(Ordering::Relaxed));
        Progress { runs, shrinking, elapsed }
    }
}

/// Puts together what comes of the parts, in their order.
pub(super) struct Joined<'c, R, W, A> {
    pub(super) counted: &'c Counted,
    pub(super) watch: W,
    /// Adds what came of one part to all; `Break` where that was the last that is wanted.
    pub(super) add: A,
    pub(super) all: R,
}

impl<P, R, W, A> Follow<P> for Joined<'_, R, W, A>
where
    W: FnMut(Progress) -> ControlFlow<()>,
    A: FnMut(&mut R, P) -> ControlFlow<()>,
{
    fn result(&mut self, part: P) -> ControlFlow<()> {
        (self.add)(&mut self.all, part)
    }

    fn progress(&mut self, progress: PoolProgress) -> ControlFlow<()> {
        (self.watch)(self.counted.progress(progress.elapsed))
    }
}

/// What comes of some of the runs of a search.
pub(super) trait Tally: Default {
    fn runs(&self) -> u64;

    /// Adds the counts of a part, not what it found.
    fn add(&mut self, part: &mut Self);

    fn finding(&mut self) -> &mut Option<Finding>;
}

/// What has come of the parts of a search so far.
#[derive(Default)]
pub(super) struct Joining<T> {
    all: T,
    failed: Option<Error>,
}

impl<T: Tally> Joining<T> {
    /// Adds what came of one part; a finding and a failure end the search.
    pub(super) fn add(&mut self, part: Result<T, Error>) -> ControlFlow<()> {
        let mut part = match part {
            Ok(part) => part,
            Err(error) => {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        };
        let before = self.all.runs();
        self.all.add(&mut part);
        let Some(finding) = part.finding().take() else { return ControlFlow::Continue(()) };
        *self.all.finding() = Some(Finding { runs: before + finding.runs, ..finding });
        ControlFlow::Break(())
    }

    /// What came of all of them, and whether that is complete.
    ///
    /// # Errors
    /// What a part failed with.
    pub(super) fn ended(mut self, ended: Ended) -> Result<(T, bool), Error> {
        let complete = self.all.finding().is_some() || ended.complete;
        self.failed.map_or(Ok((self.all, complete)), Err)
    }
}
