//! Source lines of many instructions, one after the other: each table is read once, and not from its start for every
//! instruction.

use std::iter::Fuse;

use crate::image::func::{Func, Line};
use crate::pcvalue::{Run, Runs};

/// The source lines of a function's instructions: see [`Func::lines`].
#[derive(Clone, Debug)]
pub struct Lines<'i> {
    pub(super) func: Func<'i>,
    pub(super) lines: Option<Steps<'i>>,
    pub(super) files: Option<Steps<'i>>,
    /// The file that was asked for last, and its number.
    pub(super) file: Option<(i32, &'i str)>,
}

impl<'i> Lines<'i> {
    /// What [`Func::line_at`] gives. Addresses are asked for in ascending order; others cost more.
    pub fn at(&mut self, pc: u64) -> Option<Line<'i>> {
        if pc >= self.func.end() {
            return None;
        }
        let line = u32::try_from(self.lines.as_mut()?.at(pc)?).ok()?;
        let number = self.files.as_mut()?.at(pc)?;
        let file = match self.file {
            Some((known, file)) if known == number => file,
            _ => self.func.file(number)?,
        };
        self.file = Some((number, file));
        Some(Line { file, line })
    }
}

/// A table of which the values are asked for in order.
#[derive(Clone, Debug)]
pub(super) struct Steps<'i> {
    all: Runs<'i>,
    rest: Fuse<Runs<'i>>,
    /// First address and run that were reached.
    now: Option<(u64, Run)>,
}

impl<'i> Steps<'i> {
    pub(super) fn new(all: Runs<'i>) -> Self {
        Steps { rest: all.clone().fuse(), all, now: None }
    }

    fn at(&mut self, pc: u64) -> Option<i32> {
        if self.now.is_some_and(|(start, _)| pc < start) {
            (self.rest, self.now) = (self.all.clone().fuse(), None);
        }
        let mut start = self.now.map_or_else(|| self.all.start(), |(start, _)| start);
        if pc < start {
            return None;
        }
        loop {
            match self.now {
                Some((_, run)) if pc < run.end => return Some(run.value),
                Some((_, run)) => start = run.end,
                None => {}
            }
            self.now = Some((start, self.rest.next()?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values 0, 8 and 0 for 4, 10 and 1 bytes.
    const TABLE: &[u8] = &[2, 4, 16, 10, 15, 1, 0, 0xff];

    #[test]
    fn in_any_order_it_gives_what_the_table_says() {
        let runs = Runs::new(TABLE, 100);
        let mut steps = Steps::new(runs.clone());
        for pc in (98..118).chain((98..118).rev()).chain([100, 113, 104, 200, 100]) {
            assert_eq!(steps.at(pc), runs.clone().value_at(pc), "{pc}");
        }
    }
}
