//! Where the parts of arguments are, as tracebacks print them.

use goemu_loader::{Func, TracedArg};

/// A number or a pointer in an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes from the first argument slot, `8(SP)` at the function's entry: its place on the stack, or its spill slot
    /// if it travels in a register.
    pub(super) offset: u64,
    /// Its size in bytes: 1, 2, 4 or 8.
    pub(super) size: u64,
}

/// The parts of each argument, receiver first, as far as they are noted: ten parts at most. None in code without such
/// notes, which has no arguments or is of Go before 1.17.
pub(super) fn noted(func: &Func<'_>) -> Option<Vec<Vec<Part>>> {
    let mut args: Vec<Vec<Part>> = Vec::new();
    let mut depth = 0usize;
    for step in func.traced_args(func.entry())? {
        match step {
            TracedArg::Open => {
                if depth == 0 {
                    args.push(Vec::new());
                }
                depth += 1;
            }
            TracedArg::Close => depth = depth.saturating_sub(1),
            TracedArg::Word { offset, size, .. } if matches!(size, 1 | 2 | 4 | 8) => {
                let part = Part { offset, size: size.into() };
                match args.last_mut() {
                    Some(arg) if depth > 0 => arg.push(part),
                    _ => args.push(vec![part]),
                }
            }
            _ => {}
        }
    }
    Some(args)
}
