//! Which frames of a stack Go shows, and how: `showframe`, `printArgs` and their kin in `runtime/traceback.go`.

use std::collections::VecDeque;
use std::rc::Rc;

use goemu_loader::facts::Rules;
use goemu_loader::{Frame as Logical, FuncId, Image, TracedArg};
use rustc_hash::FxHashMap;

use super::unwind::{Frame as Physical, Start, Unwinder};
use super::{Elided, Frame, Place};
use crate::go::guest::GuestMemory;

/// The frames that Go shows from `start` on, and where it leaves some out. With `runtime`, also those of the
/// runtime that it otherwise passes over; it shows them as well where there are no others.
pub(super) fn frames(
    image: &Image,
    memory: &dyn GuestMemory,
    start: Start,
    runtime: bool,
) -> (Vec<Frame>, Option<Elided>) {
    let read = |runtime| Shown { image, memory, runtime, lists: FxHashMap::default() }.read(start);
    let shown = read(runtime);
    if shown.0.is_empty() && !runtime { read(true) } else { shown }
}

/// One of the functions that a frame belongs to, by inlining.
#[derive(Clone, Copy)]
struct Entry<'i> {
    frame: Physical<'i>,
    logical: Logical<'i>,
}

type List<'i> = Rc<[Logical<'i>]>;

struct Shown<'i, 'm> {
    image: &'i Image,
    memory: &'m dyn GuestMemory,
    runtime: bool,
    /// The functions that an address belongs to.
    lists: FxHashMap<u64, List<'i>>,
}

impl<'i> Shown<'i, '_> {
    fn read(&mut self, start: Start) -> (Vec<Frame>, Option<Elided>) {
        let limits = self.image.facts().trace_limits;
        let inner_most = limits.inner as usize;
        // Up to Go 1.20 the frames on the stack are counted, shown or not, and nothing follows the gap.
        let frames = if limits.outer.is_some() { usize::MAX } else { inner_most };
        let outer_most = limits.outer.map_or(usize::MAX, |outer| outer as usize);
        let (mut inner, mut outer, mut count) = (Vec::new(), VecDeque::new(), 0_u64);
        let mut callee = FuncId::Normal;
        for frame in Unwinder::new(self.image, self.memory, start).take(frames) {
            for logical in self.functions(&frame).iter() {
                let show = self.runtime || self.is_shown(logical, count == 0, callee);
                callee = logical.func_id;
                if !show {
                    continue;
                }
                count += 1;
                let entry = Entry { frame, logical: *logical };
                if inner.len() < inner_most || limits.outer.is_none() {
                    inner.push(entry);
                    continue;
                }
                if outer.len() == outer_most {
                    outer.pop_front();
                }
                outer.push_back(entry);
            }
        }
        let missing = count - (inner.len() + outer.len()) as u64;
        let elided = match limits.outer {
            Some(_) => (missing > 0).then_some(Elided { after: inner.len(), count: Some(missing) }),
            None => (inner.len() == inner_most).then_some(Elided { after: inner.len(), count: None }),
        };
        (inner.iter().chain(&outer).map(|entry| self.frame(entry)).collect(), elided)
    }

    /// The functions that the frame's instruction belongs to: inlined ones first.
    fn functions(&mut self, frame: &Physical<'i>) -> List<'i> {
        let pc = frame.symbol_pc();
        self.lists.entry(pc).or_insert_with(|| frame.func.inlined_at(pc).into()).clone()
    }

    /// `showfuncinfo`
    fn is_shown(&self, logical: &Logical<'_>, first: bool, callee: FuncId) -> bool {
        let panics = matches!(callee, FuncId::Gopanic | FuncId::Sigpanic | FuncId::Panicwrap);
        if logical.func_id == FuncId::Wrapper && !panics {
            return false;
        }
        let rules = self.image.facts().rules();
        if rules.shows_finalizers() && matches!(logical.func_id, FuncId::RunFinalizers | FuncId::RunCleanups)
        {
            return true;
        }
        let name = logical.func;
        if name == PANIC && !first {
            return true;
        }
        match name.strip_prefix("runtime.") {
            Some(rest) => is_exported(rest, rules.shows_exported_methods()),
            None => name.contains('.'),
        }
    }

    fn frame(&self, Entry { frame, logical }: &Entry<'_>) -> Frame {
        let entry = frame.func.entry();
        let line = logical.line.map_or(("?", 0), |line| (line.file, line.line));
        Frame {
            func: printed_name(logical.func, self.image.facts().rules()),
            args: if logical.inlined { "...".to_owned() } else { self.arguments(frame) },
            line: Place { file: line.0.to_owned(), line: line.1 },
            pc: frame.pc,
            offset: (!logical.inlined).then_some(frame.pc.wrapping_sub(entry)),
        }
    }

    fn arguments(&self, frame: &Physical<'_>) -> String {
        if !self.image.facts().rules().shows_typed_arguments() {
            return self.words(frame);
        }
        let mut text = String::new();
        // Nothing separates a value from the bracket before it.
        let mut first = true;
        for step in frame.func.traced_args(frame.symbol_pc()).unwrap_or_default() {
            if !first && step != TracedArg::Close {
                text += ", ";
            }
            first = step == TracedArg::Open;
            match step {
                TracedArg::Open => text.push('{'),
                TracedArg::Close => text.push('}'),
                TracedArg::TooFar => text.push('_'),
                TracedArg::Word { offset, size, live } => {
                    text += &self.number(frame.fp.wrapping_add(offset), size);
                    text += if live { "" } else { "?" };
                }
                _ => text += "...",
            }
        }
        text
    }

    /// Up to Go 1.16: the block of arguments and results, word by word.
    fn words(&self, frame: &Physical<'_>) -> String {
        let most = self.image.facts().trace_limits.words;
        let count = frame.func.args_size().map_or(most + 1, |size| u64::from(size) / 8);
        let word = |n: u64| self.number(frame.fp.wrapping_add(8 * n), 8);
        let mut texts: Vec<String> = (0..count.min(most)).map(word).collect();
        if count > most {
            texts.push("...".to_owned());
        }
        texts.join(", ")
    }

    fn number(&self, addr: u64, size: u8) -> String {
        let mut bytes = [0; 8];
        let Some(bytes_read) = bytes.get_mut(..usize::from(size)) else { return "_".to_owned() };
        if self.memory.read(addr, bytes_read).is_err() {
            return "_".to_owned();
        }
        format!("{:#x}", u64::from_le_bytes(bytes))
    }
}

/// What `panic` is called in the program.
const PANIC: &str = "runtime.gopanic";

/// Whether what follows `runtime.` is for users: begins with a capital, as does its receiver's type.
fn is_exported(rest: &str, methods: bool) -> bool {
    let capital = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    match rest.rsplit_once('.') {
        Some((receiver, method)) if methods => {
            let plain = receiver.strip_prefix("(*").and_then(|inner| inner.strip_suffix(')'));
            capital(method) && capital(plain.unwrap_or(receiver))
        }
        _ => capital(rest),
    }
}

/// A function's name with the types that a generic one was made for left out.
fn printed_name(name: &str, rules: Rules) -> String {
    if name == PANIC {
        return "panic".to_owned();
    }
    let brackets = name.find('[').zip(name.rfind(']')).filter(|(open, close)| open < close);
    let Some((open, close)) = brackets.filter(|_| rules.shortens_type_arguments()) else {
        return name.to_owned();
    };
    let (before, inside, after) = (&name[..open], &name[open + 1..close], &name[close + 1..]);
    // Since Go 1.27 methods have type parameters of their own: `main.(*List[...]).Map[...]`.
    match between(inside).filter(|_| rules.has_generic_methods()) {
        Some(between) => format!("{before}[...]{between}[...]{after}"),
        None => format!("{before}[...]{after}"),
    }
}

/// What lies between two pairs of brackets, of which the first `[` and the last `]` are cut off.
fn between(inside: &str) -> Option<&str> {
    let (mut depth, mut closed) = (1, None);
    for (at, c) in inside.char_indices() {
        match c {
            '[' if depth == 0 => return inside.get(closed? + 1..at),
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                closed = (depth == 0).then_some(at);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use goemu_loader::GoVersion;

    #[test]
    fn names_of_generic_functions_are_short() {
        let cases = [
            ("runtime.gopanic", 15, "panic"),
            ("main.f", 27, "main.f"),
            ("main.max[go.shape.int]", 19, "main.max[go.shape.int]"),
            ("main.max[go.shape.int]", 21, "main.max[...]"),
            ("main.(*T[go.shape.[]uint8]).M", 24, "main.(*T[...]).M"),
            ("main.(*T[go.shape.[]uint8]).M", 27, "main.(*T[...]).M"),
            ("main.(*T[int]).M[map[string]int].func1", 27, "main.(*T[...]).M[...].func1"),
            ("main.(*T[int]).M[string]", 26, "main.(*T[...]"),
            ("main.]odd[", 27, "main.]odd["),
        ];
        for (name, minor, printed) in cases {
            assert_eq!(
                printed_name(name, Rules::of(GoVersion::new(minor, 0))),
                printed,
                "{name} in go1.{minor}"
            );
        }
    }

    #[test]
    fn what_is_for_users_is_shown() {
        let cases = [
            ("Gosched", true),
            ("goexit", false),
            ("(*Func).Entry", true),
            ("(*mcache).Entry", false),
            ("(*Func).entry", false),
            ("", false),
        ];
        for (name, exported) in cases {
            assert_eq!(is_exported(name, true), exported, "{name}");
        }
        assert!(!is_exported("(*Func).Entry", false));
    }
}
