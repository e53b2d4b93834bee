//! Tracebacks: the calls that a goroutine is in, as Go's runtime prints them when it dies (`runtime/traceback.go`).
//!
//! They are made from what the linker leaves in every program, stripped or not: frame sizes, lines, inlined calls,
//! and which words of a function's arguments to show. Nothing of the guest runs for that, so a stack can be read
//! however broken its program is.
//!
//! [`unwind`] finds the frames, [`show`] decides which of them Go shows and how.

pub(crate) mod parse;
pub mod show;
pub mod unwind;

use std::fmt;

use goemu_loader::Image;

use crate::go::guest::GuestMemory;
use unwind::Start;

/// The stacks of some goroutines, in the order in which Go prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traceback {
    /// The goroutines: first the one that was running.
    pub goroutines: Vec<Stack>,
}

/// The calls that a goroutine is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its number.
    pub goroutine: u64,
    /// What it is doing: `running`, `chan receive`.
    pub status: String,
    /// The calls, innermost first.
    pub frames: Vec<Frame>,
    /// Where frames of a long stack were left out.
    pub elided: Option<Elided>,
    /// The `go` statement that started it.
    pub created_by: Option<Creator>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function, as Go prints its name: `main.f`, `main.max[...]`, `panic`.
    pub func: String,
    /// What Go prints of its arguments: `0x1, {0xc000012345, 0x3}`; `...` where it was inlined.
    pub args: String,
    /// The place in the source.
    pub line: Place,
    /// Where the function goes on; for the innermost frame of a fault, the instruction that did it. 0 where that is not
    /// known.
    pub pc: u64,
    /// How far that is from the function's first instruction; none where it was inlined.
    pub offset: Option<u64>,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// What of a long stack is not in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elided {
    /// How many frames come before the gap.
    pub after: usize,
    /// How many are missing, where Go tells it (1.21 and later).
    pub count: Option<u64>,
}

/// The function that started a goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator {
    /// The function with the `go` statement.
    pub func: String,
    /// The goroutine that it ran on, where Go keeps that (1.21 and later).
    pub goroutine: Option<u64>,
    /// Where the statement is.
    pub line: Place,
    /// Where the function went on, from its first instruction.
    pub offset: u64,
}

impl Traceback {
    /// The stack of the goroutine that has ended the program, alone: what Go prints for a panic.
    pub fn of_one(stack: Stack) -> Traceback {
        Traceback { goroutines: vec![stack] }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.goroutines.is_empty()
    }
}

impl Stack {
    /// The stack of the goroutine with this number, that stands at `start`.
    ///
    /// `runtime` also shows the functions of the runtime that Go leaves out, as it does for fatal errors.
    pub fn read(
        image: &Image,
        memory: &dyn GuestMemory,
        start: Start,
        (goroutine, status): (u64, &str),
        runtime: bool,
    ) -> Stack {
        let (frames, elided) = show::frames(image, memory, start, runtime);
        Stack { goroutine, status: status.to_owned(), frames, elided, created_by: None }
    }
}

impl fmt::Display for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, stack) in self.goroutines.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            stack.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "goroutine {} [{}]:", self.goroutine, self.status)?;
        let gap = self.elided.map_or(self.frames.len(), |elided| elided.after.min(self.frames.len()));
        let (before, after) = self.frames.split_at(gap);
        before.iter().try_for_each(|frame| frame.fmt(f))?;
        match self.elided {
            Some(Elided { count: Some(count), .. }) => writeln!(f, "...{count} frames elided...")?,
            Some(Elided { count: None, .. }) => writeln!(f, "...additional frames elided...")?,
            None => {}
        }
        after.iter().try_for_each(|frame| frame.fmt(f))?;
        self.created_by.iter().try_for_each(|creator| creator.fmt(f))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}({})", self.func, self.args)?;
        write!(f, "\t{}", self.line)?;
        match self.offset {
            Some(offset) if offset > 0 => writeln!(f, " +{offset:#x}"),
            _ => writeln!(f),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Creator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "created by {}", self.func)?;
        if let Some(goroutine) = self.goroutine {
            write!(f, " in goroutine {goroutine}")?;
        }
        writeln!(f, "\n\t{} +{:#x}", self.line, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(func: &str, offset: Option<u64>) -> Frame {
        let line = Place { file: "x.go".into(), line: 3 };
        let args = if offset.is_some() { "0x1" } else { "..." };
        Frame { func: func.into(), args: args.into(), line, pc: 0x1000, offset }
    }

    #[test]
    fn as_go_prints_it() {
        let stack = Stack {
            goroutine: 7,
            status: "chan receive".into(),
            frames: vec![frame("main.g", None), frame("main.f", Some(0x1b))],
            elided: Some(Elided { after: 1, count: Some(12) }),
            created_by: Some(Creator {
                func: "main.main".into(),
                goroutine: Some(1),
                line: Place { file: "y.go".into(), line: 4 },
                offset: 0x20,
            }),
        };
        let text = "goroutine 7 [chan receive]:\nmain.g(...)\n\tx.go:3\n...12 frames elided...\n\
                    main.f(0x1)\n\tx.go:3 +0x1b\ncreated by main.main in goroutine 1\n\ty.go:4 +0x20\n";
        assert_eq!(stack.to_string(), text);
        let both = Traceback { goroutines: vec![stack.clone(), stack] };
        assert_eq!(both.to_string(), format!("{text}\n{text}"));
    }
}
