//! Tracebacks from the text that Go's own runtime printed.

use goemu_loader::Image;

use super::{Creator, Elided, Frame, Place, Stack, Traceback};
use crate::outcome::Signal;

/// What a runtime printed after the reason for which the program died.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Printed {
    pub(crate) signal: Option<Signal>,
    pub(crate) traceback: Traceback,
}

/// Reads it. What is not understood is left out: the text may be anything, as programs write to the same file.
pub(crate) fn parse(image: &Image, text: &str) -> Printed {
    let mut printed = Printed::default();
    // The runtime's own stack comes without a number, and is not shown.
    let mut inside = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(signal) = signal(line) {
            printed.signal.get_or_insert(signal);
        } else if let Some(stack) = header(line) {
            printed.traceback.goroutines.push(stack);
            inside = true;
        } else if line.is_empty() {
            inside = false;
        } else if let Some(stack) = printed.traceback.goroutines.last_mut().filter(|_| inside) {
            let place = lines.next_if(|next| next.starts_with('\t')).and_then(position);
            add(image, stack, line, place);
        }
    }
    printed
}

/// `[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4979d5]`
fn signal(line: &str) -> Option<Signal> {
    let inner = line.strip_prefix("[signal ")?.strip_suffix(']')?;
    let (name, numbers) = inner.split_once(" code=")?;
    let (code, numbers) = numbers.split_once(" addr=")?;
    let (addr, pc) = numbers.split_once(" pc=")?;
    Some(Signal { name: name.to_owned(), code: hex(code)?, addr: hex(addr)?, pc: hex(pc)? })
}

/// `goroutine 7 [chan receive]:`, with addresses between number and status where the runtime itself is at fault.
fn header(line: &str) -> Option<Stack> {
    let (number, rest) = line.strip_prefix("goroutine ")?.split_once(' ')?;
    let (_, status) = rest.strip_suffix("]:")?.split_once('[')?;
    let goroutine = number.parse().ok()?;
    Some(Stack { goroutine, status: status.to_owned(), frames: Vec::new(), elided: None, created_by: None })
}

/// The line below a function's: `\tfile.go:12 +0x1d`, perhaps with addresses behind; the place and the offset.
fn position(line: &str) -> Option<(Place, Option<u64>)> {
    let line = line.trim_start();
    let (place, rest) = line.split_once(" +").map_or((line, ""), |(place, rest)| (place, rest));
    let (file, number) = place.rsplit_once(':')?;
    let number = number.split(' ').next()?.parse().ok()?;
    let offset = rest.split(' ').next().and_then(hex);
    Some((Place { file: file.to_owned(), line: number }, offset))
}

/// A line of a stack that is not its first.
fn add(image: &Image, stack: &mut Stack, line: &str, place: Option<(Place, Option<u64>)>) {
    if let Some(elided) = line.strip_prefix("...").and_then(|rest| rest.strip_suffix(" frames elided...")) {
        stack.elided = Some(Elided { after: stack.frames.len(), count: elided.parse().ok() });
        return;
    }
    let Some((place, offset)) = place else { return };
    if let Some(creator) = line.strip_prefix("created by ") {
        let (func, goroutine) = creator.split_once(" in goroutine ").unwrap_or((creator, ""));
        let goroutine = goroutine.parse().ok();
        let offset = offset.unwrap_or(0);
        stack.created_by = Some(Creator { func: func.to_owned(), goroutine, line: place, offset });
        return;
    }
    let Some((func, args)) = line.strip_suffix(')').and_then(|call| call.rsplit_once('(')) else { return };
    // The text has no address. A name that stands for several functions (`main.max[...]`) gives none.
    let entry = offset.and_then(|_| image.funcs_named(func).first().map(goemu_loader::Func::entry));
    let pc = entry.zip(offset).map_or(0, |(entry, offset)| entry.wrapping_add(offset));
    let (func, args) = (func.to_owned(), args.to_owned());
    stack.frames.push(Frame { func, args, line: place, pc, offset });
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
